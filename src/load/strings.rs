//! Strings that the keys of dicts share, within a load and across loads of one policy.
//!
//! A key that was met before costs a comparison instead of an allocation, and its hash is known already: 1.8 times as
//! fast on small payloads. Only short ASCII keys, only in key positions, in a table of fixed size; a stream whose keys do
//! not repeat stops asking.

use pyo3::prelude::*;

use super::ffi::{self, Value};
use super::{Fault, PyWorld};
use crate::machine::budget::{Budget, size};
use crate::stream::text;

/// Slots of the table; a power of two.
const SLOTS: usize = 1024;
/// Slots of which a key may take one: with one alone, the keys of three records would push out each other.
const WAYS: usize = 4;
/// Longest key that is shared.
const LONGEST: usize = 32;
/// Misses after which a load stops asking.
const PATIENCE: u32 = 256;

/// Keys by the hash of their bytes.
#[derive(Debug, Default)]
pub struct KeyTable {
    /// Empty until the first key.
    slots: Vec<Slot>,
    misses: u32,
}

#[derive(Debug, Default)]
struct Slot {
    /// The hash of its bytes.
    hash: usize,
    text: Value,
}

impl KeyTable {
    /// Begins another load.
    pub fn begin(&mut self) {
        self.misses = 0;
    }

    /// The str of an ASCII key.
    #[inline]
    pub fn key(&mut self, py: Python<'_>, text: &[u8]) -> PyResult<Value> {
        let value = self.quick_key(py, text);
        if value.is_hole() {
            return ffi::ascii(py, text);
        }
        Ok(value)
    }

    /// As [`KeyTable::key`]; a hole, and no exception, where that fails.
    #[inline]
    pub fn quick_key(&mut self, py: Python<'_>, text: &[u8]) -> Value {
        if text.len() > LONGEST || text.len() < 2 || self.misses > PATIENCE {
            return ffi::quick_ascii(py, text);
        }
        if self.slots.is_empty() {
            self.slots.resize_with(SLOTS, Slot::default);
        }
        let hash = hash(text);
        let home = (hash % SLOTS) & !(WAYS - 1);
        let Some(slots) = self.slots.get_mut(home..home + WAYS) else {
            return ffi::quick_ascii(py, text);
        };
        for slot in &*slots {
            if slot.hash == hash && slot.text.has_object() && ffi::ascii_bytes(&slot.text) == text {
                return slot.text.share();
            }
        }
        self.misses += 1;
        let value = ffi::quick_ascii(py, text);
        // The first to come is the first to go.
        slots.rotate_right(1);
        if let Some(slot) = slots.first_mut() {
            let text = value.share();
            *slot = Slot { hash, text };
        }
        value
    }
}

impl PyWorld<'_, '_> {
    /// A str from UTF-8 that is not ASCII; a function of its own, to keep the loop of those that are small.
    #[inline(never)]
    pub(super) fn wide(&mut self, budget: &mut Budget, utf8: &[u8]) -> Result<Value, Fault> {
        if let Some(text) = ffi::Text::measure(utf8) {
            budget.memory(size::TEXT + text.bytes())?;
            return Ok(text.make(self.py)?);
        }
        match ffi::utf8(self.py, utf8) {
            Ok(text) => {
                budget.memory(size::TEXT + ffi::character_bytes(&text))?;
                Ok(text)
            }
            Err(error) => {
                text::check_utf8(utf8)?;
                Err(error.into())
            }
        }
    }
}

/// A quick hash of 2 to 32 bytes, from words that may overlap; collisions only cost a miss.
#[inline(always)]
fn hash(text: &[u8]) -> usize {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let length = text.len();
    let mut hash = length as u64;
    let mut mix = |word: u64| hash = (hash.rotate_left(5) ^ word).wrapping_mul(FACTOR);
    match (text.first_chunk::<8>(), text.first_chunk::<4>()) {
        (Some(_), _) => {
            let (words, _) = text.as_chunks::<8>();
            for word in words {
                mix(u64::from_le_bytes(*word));
            }
            mix(text
                .last_chunk::<8>()
                .map_or(0, |word| u64::from_le_bytes(*word)));
        }
        (None, Some(first)) => {
            let last = text.last_chunk::<4>().unwrap_or(first);
            mix(u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last)));
        }
        _ => text.iter().for_each(|byte| mix(u64::from(*byte))),
    }
    usize::try_from(hash >> 40).unwrap_or_default()
}
