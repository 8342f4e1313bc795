//! Strings that the keys of dicts share, within a load and across loads of one policy.
//!
//! A key that was met before costs a comparison instead of an allocation, and its hash is known already: 1.8 times as
//! fast on small payloads. Only short ASCII keys, only in key positions, in a table of fixed size; a stream whose keys do
//! not repeat stops asking.

use pyo3::prelude::*;

use super::ffi::{self, Value};
use super::{Fault, PyWorld};
use crate::machine::budget::{Budget, size};
use crate::stream::atoms::Short;
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
    /// Its first 16 bytes, zeros behind the last; up to 15 bytes they and the length say all.
    word: u128,
    length: usize,
    text: Value,
}

impl KeyTable {
    /// Begins another load.
    pub fn begin(&mut self) {
        self.misses = 0;
    }

    /// The str of an ASCII key.
    pub fn key(&mut self, py: Python<'_>, text: &[u8]) -> PyResult<Value> {
        let value = self.quick_key(py, text);
        if value.is_hole() {
            return ffi::ascii(py, text);
        }
        Ok(value)
    }

    /// As [`KeyTable::key`]; a hole, and no exception, where that fails.
    pub fn quick_key(&mut self, py: Python<'_>, text: &[u8]) -> Value {
        let make = || ffi::quick_ascii(py, text);
        if !(2..=LONGEST).contains(&text.len()) {
            return make();
        }
        let mut word = [0; 16];
        for (place, byte) in word.iter_mut().zip(text) {
            *place = *byte;
        }
        let same = |found: &Value| text.len() < word.len() || ffi::ascii_bytes(found) == text;
        self.find(u128::from_le_bytes(word), text.len(), same, make)
    }

    /// As [`KeyTable::quick_key`], of a key of 2 to 15 characters.
    #[inline(always)]
    pub fn short_key(&mut self, py: Python<'_>, text: Short) -> Value {
        let make = || ffi::quick_short(py, text);
        self.find(text.word(), text.length, |_| true, make)
    }

    #[inline(always)]
    fn find(
        &mut self,
        word: u128,
        length: usize,
        same: impl Fn(&Value) -> bool,
        make: impl Fn() -> Value,
    ) -> Value {
        if self.misses > PATIENCE {
            return make();
        }
        if self.slots.is_empty() {
            self.slots.resize_with(SLOTS, Slot::default);
        }
        let home = hash(word, length) & (SLOTS - WAYS);
        let Some(slots) = self.slots.get_mut(home..home + WAYS) else {
            return make();
        };
        for slot in &*slots {
            if slot.word == word && slot.length == length && same(&slot.text) {
                return slot.text.share();
            }
        }
        self.misses += 1;
        let text = make();
        if !text.is_hole() {
            // The first to come is the first to go.
            slots.rotate_right(1);
            if let Some(slot) = slots.first_mut() {
                let text = text.share();
                *slot = Slot { word, length, text };
            }
        }
        text
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

/// A quick hash; collisions only cost a miss.
#[inline(always)]
#[allow(clippy::cast_possible_truncation)] // the halves of a word
fn hash(word: u128, length: usize) -> usize {
    const FACTOR: u64 = 0x9e37_79b9_7f4a_7c15;
    let (low, high) = (word as u64, (word >> 64) as u64);
    let hash = (low ^ length as u64).wrapping_mul(FACTOR).rotate_left(29) ^ high;
    (hash.wrapping_mul(FACTOR) >> 40) as usize
}
