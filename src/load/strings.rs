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

/// Sets of the table; a power of two.
const SETS: usize = 256;
/// Keys of a set: with one alone, the keys of three records would push out each other.
const WAYS: usize = 4;
/// Places for the marks of keys that were met once, each for four; a power of two. With one mark alone, two keys of a
/// schema that share a place would never be met twice.
const MARKS: usize = 512;
/// Longest key that is shared.
const LONGEST: usize = 32;
/// Misses after which a load stops asking.
const PATIENCE: u32 = 256;

/// Keys by the hash of their bytes.
///
/// A key gets its place when it is met for the second time: data that is keyed by what it holds, and not by a schema,
/// leaves nothing but marks behind, and pushes no key of a schema out.
#[derive(Debug, Default)]
pub struct KeyTable {
    /// Empty until the first key.
    sets: Vec<Set>,
    marks: Vec<[u16; 4]>,
    misses: u32,
    turn: usize,
}

/// What is compared fills one line of the cache, what is found another.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Set {
    names: [u128; WAYS],
    texts: [Value; WAYS],
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
        if let (Some(first), Some(last)) = (text.first_chunk(), text.last_chunk()) {
            let (first, last) = (u128::from_le_bytes(*first), u128::from_le_bytes(*last));
            let same = |found: &Value| ffi::ascii_bytes(found) == text;
            return self.find(first ^ last.rotate_left(61) | LONG, same, make);
        }
        let mut word = [0; 16];
        for (place, byte) in word.iter_mut().zip(text) {
            *place = *byte;
        }
        let name = name(u128::from_le_bytes(word), text.len());
        self.find(name, |_| true, make)
    }

    /// As [`KeyTable::quick_key`], of a key of 2 to 15 characters.
    #[inline(always)]
    pub fn short_key(&mut self, py: Python<'_>, text: Short) -> Value {
        let make = || ffi::quick_short(py, text);
        self.find(name(text.word(), text.length), |_| true, make)
    }

    #[inline(always)]
    fn find(
        &mut self,
        name: u128,
        same: impl Fn(&Value) -> bool,
        make: impl Fn() -> Value,
    ) -> Value {
        if self.misses >= PATIENCE {
            return make();
        }
        let hash = hash(name);
        if let Some(set) = self.sets.get(hash % SETS) {
            // All four, without a branch on which: a key has the same place each time, but the next key another one.
            let mut found = None;
            for (known, text) in set.names.iter().zip(&set.texts) {
                found = if *known == name { Some(text) } else { found };
            }
            if let Some(text) = found
                && same(text)
            {
                return text.share();
            }
        }
        let text = make();
        if !text.is_hole() {
            self.meet(name, hash, &text);
        }
        text
    }

    /// Notes a key that was not found.
    #[inline(never)]
    fn meet(&mut self, name: u128, hash: usize, text: &Value) {
        self.misses += 1;
        if self.sets.is_empty() {
            self.sets.resize_with(SETS, Set::default);
            self.marks.resize(MARKS, [0; 4]);
        }
        let mark = u16::try_from(hash / MARKS % (1 << 16)).unwrap_or_default();
        let Some(known) = self.marks.get_mut(hash % MARKS) else {
            return;
        };
        if !known.contains(&mark) {
            let [a, b, c, _] = *known;
            *known = [mark, a, b, c];
            return;
        }
        if let Some(set) = self.sets.get_mut(hash % SETS) {
            // In turn, whatever the set and the load: keys of one schema that push each other out do so only for a while.
            self.turn = self.turn.wrapping_add(1);
            let way = self.turn % WAYS;
            let way = set
                .names
                .iter()
                .position(|known| *known == 0)
                .unwrap_or(way);
            let mut places = set.names.iter_mut().zip(&mut set.texts);
            if let Some((known, place)) = places.nth(way) {
                *known = name;
                *place = text.share();
            }
        }
    }
}

/// The highest bit of a name that is the beginning and the end of a longer key.
const LONG: u128 = 1 << 127;

/// A key of up to 15 bytes and its length: what tells it from all others, and from an empty place.
#[inline(always)]
fn name(word: u128, length: usize) -> u128 {
    word | (length as u128) << 120
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

/// A quick hash, for a set by its lower bits and a mark by those above; collisions only cost a miss.
#[inline(always)]
#[allow(clippy::cast_possible_truncation)] // the halves of a word
fn hash(name: u128) -> usize {
    const FACTORS: u128 = 0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835;
    let mixed = name ^ FACTORS;
    // Both halves of the product: what tells two names apart may be in the highest bits alone.
    let product = u128::from(mixed as u64) * (mixed >> 64);
    (product ^ product >> 64) as usize
}
