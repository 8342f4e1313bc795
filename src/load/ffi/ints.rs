//! Ints: small ones that the interpreter keeps, and all others digit by digit.
//!
//! An int is its header, a word that says how many digits it has and its sign, and the digits, 30 bits each. What the
//! word says is learnt from the interpreter's own ints; see [`super::layout`].

use pyo3::ffi::PyObject;
use pyo3::prelude::*;

use super::api;
use super::layout::{self, begin, behind, header, keep, layout, no_memory, or_no_memory};
use super::value::{FREE_KEY, Make, Value};
use crate::machine::hashing;

/// Bits of one digit.
const DIGIT: u32 = 30;
/// Bits of two digits, which are written as one word.
const PAIR: u32 = 2 * DIGIT;
const LOW_DIGIT: u64 = (1 << DIGIT) - 1;
const LOW_PAIR: u64 = (1 << PAIR) - 1;
/// Bytes of four digits.
const FOUR_DIGITS: usize = 15;
/// Words in front of the digits.
const WORDS: usize = 3;
/// Below this an int may be one that the interpreter keeps for good: 257 of them up to 3.14, 1,025 from 3.15 on. Which
/// they are is found out.
const FREE: i64 = 1 << 11;

/// What stands in front of an int's digits.
#[derive(Clone, Copy)]
pub struct Ints {
    header: [u64; WORDS - 1],
    /// The least int that is made anew each time.
    first: i64,
    /// The word of the count, for one and for two digits.
    few: [u64; 2],
    /// That word for any number of them, for ints above and below 0.
    counts: [Count; 2],
}

/// The word that says how many digits there are: it grows by the same for each.
#[derive(Clone, Copy)]
struct Count {
    none: u64,
    each: u64,
}

impl Count {
    fn between(two: u64, three: u64) -> Self {
        let each = three.wrapping_sub(two);
        Self {
            none: two.wrapping_sub(each.wrapping_mul(2)),
            each,
        }
    }

    #[inline(always)]
    fn of(self, digits: usize) -> u64 {
        self.none
            .wrapping_add(self.each.wrapping_mul(digits as u64))
    }
}

/// Reads what the interpreter writes.
pub fn learn(py: Python<'_>) -> PyResult<Ints> {
    let words = |value: i64| Ok::<[u64; WORDS], PyErr>(header(&api::int(py, value)?));
    let count = |sign: i64| {
        let [_, _, two] = words(sign * 0x1234_5678_9abc)?;
        let [_, _, three] = words(sign * 0x1234_5678_9abc_def0)?;
        Ok::<_, PyErr>(Count::between(two, three))
    };
    let [first, second, one] = words(0x1234_5678)?;
    let [_, _, two] = words(0x1234_5678_9abc)?;
    let mut least = FREE;
    while least > 0 && !is_kept(py, least - 1)? {
        least -= 1;
    }
    Ok(Ints {
        header: [first, second],
        first: least,
        few: [one, two],
        counts: [count(1)?, count(-1)?],
    })
}

/// Whether the interpreter has an int of this value once and for all.
fn is_kept(py: Python<'_>, value: i64) -> PyResult<bool> {
    let (one, other) = (api::int(py, value)?, api::int(py, value)?);
    Ok(one.address() == other.address())
}

/// Whether ints made here are the interpreter's own.
pub fn proved(py: Python<'_>) -> PyResult<bool> {
    let mut values = vec![FREE, FREE + 1, i64::MAX, i64::MIN];
    for bits in [DIGIT, PAIR] {
        let edge = 1_i64 << bits;
        values.extend([edge - 1, edge, edge + 1, 1 - edge, -edge, -1 - edge]);
    }
    let ints = layout::all_same(py, &values, |v| int(py, *v), |v| api::int(py, *v))?;
    let lengths = [9, 11, 14, 15, 16, 17, 22, 23, 29, 30, 31, 60, 500];
    // Something, the same below 0, and the edges: 2**n - 1, 2**n, -2**n.
    let kinds = [(0x1d, 0x5a), (0x1d, 0xa5), (0xff, 0x7f), (0, 1), (0, 0x80)];
    let longs: Vec<Vec<u8>> = lengths
        .into_iter()
        .flat_map(|length| kinds.map(|(fill, last)| [vec![fill; length - 1], vec![last]].concat()))
        .collect();
    Ok(ints && layout::all_same(py, &longs, |v| long(py, v), |v| api::long(py, v))?)
}

/// An int. 1.3 times as fast as the API, which looks for small ones, counts digits and calls twice.
#[inline(always)]
pub fn int(py: Python<'_>, value: i64) -> Make {
    or_no_memory(quick_int(py, value))
}

/// As [`int`]; a hole, and no exception, where there is no memory.
#[inline(always)]
pub fn quick_int(py: Python<'_>, value: i64) -> Value {
    let kept = usize::try_from(value).ok();
    if let Some(Some(object)) = kept.and_then(|value| layout().small.get(value)) {
        return keep(*object, FREE_KEY);
    }
    let Some(ints) = &layout().ints else {
        return by_api(py, value);
    };
    if !(ints.first..1 << PAIR).contains(&value) {
        return odd(py, ints, value);
    }
    let object = blank(ints, 1);
    if object.is_null() {
        return Value::default();
    }
    let bits = value.cast_unsigned();
    // SAFETY: there is room for one pair.
    unsafe { put(object, 0, bits) };
    // Whether there is a second digit is anybody's guess: no branch.
    let [one, two] = ints.few;
    let few = if bits > LOW_DIGIT { two } else { one };
    // SAFETY: an int.
    unsafe { set_count(object, few) };
    Value {
        object,
        info: FREE_KEY,
    }
}

/// An int below 0, beyond 60 bits, or one that is kept for good.
#[inline(never)]
fn odd(py: Python<'_>, ints: &Ints, value: i64) -> Value {
    if (-FREE..FREE).contains(&value) {
        return by_api(py, value);
    }
    let magnitude = value.unsigned_abs();
    let pairs = if magnitude > LOW_PAIR { 2 } else { 1 };
    let object = blank(ints, pairs);
    if object.is_null() {
        return Value::default();
    }
    // SAFETY: there is room for at least one pair.
    unsafe { put(object, 0, magnitude & LOW_PAIR) };
    if pairs > 1 {
        // SAFETY: there is room for two.
        unsafe { put(object, 1, magnitude >> PAIR) };
    }
    // SAFETY: all of them were written.
    unsafe { count(ints, object, pairs, value < 0) };
    Value {
        object,
        info: free_key(magnitude),
    }
}

#[inline(never)]
fn by_api(py: Python<'_>, value: i64) -> Value {
    let mut int = api::int(py, value).unwrap_or_default();
    if int.has_object() {
        int.info = free_key(value.unsigned_abs());
    }
    int
}

/// Whether an int hashes to itself, or at no price to -2.
#[inline(always)]
fn free_key(magnitude: u64) -> u64 {
    if magnitude < hashing::MODULUS {
        FREE_KEY
    } else {
        0
    }
}

/// An int from little-endian two's complement; linear in its length. 2.5 times as fast as the API from 9 bytes on, which
/// takes them one by one.
pub fn long(py: Python<'_>, bytes: &[u8]) -> Make {
    let bytes = significant(bytes);
    match (bytes.last_chunk::<8>(), &layout().ints) {
        (Some(last), Some(ints)) if bytes.len() > 8 => {
            digits(ints, bytes, i64::from_le_bytes(*last))
        }
        (_, None) if !bytes.is_empty() => api::long(py, bytes),
        _ => int(py, small(bytes)),
    }
}

/// Without the bytes that only repeat the sign.
#[inline(always)]
fn significant(mut bytes: &[u8]) -> &[u8] {
    while let [kept @ .., last] = bytes
        && let [.., below] = kept
        && *last == if *below < 0x80 { 0 } else { 0xff }
    {
        bytes = kept;
    }
    bytes
}

/// The int of up to eight bytes.
#[inline(always)]
fn small(bytes: &[u8]) -> i64 {
    let unused = 64 - 8 * bytes.len().min(8);
    if unused == 64 {
        return 0;
    }
    (little(bytes) << unused).cast_signed() >> unused
}

/// Up to eight bytes as an unsigned word.
#[inline(always)]
pub fn little(bytes: &[u8]) -> u64 {
    if let Some(all) = bytes.first_chunk::<8>() {
        return u64::from_le_bytes(*all);
    }
    // Two words that may overlap, instead of byte by byte.
    if let (Some(first), Some(last)) = (bytes.first_chunk::<4>(), bytes.last_chunk::<4>()) {
        let last = u64::from(u32::from_le_bytes(*last));
        return u64::from(u32::from_le_bytes(*first)) | last << (8 * (bytes.len() - 4));
    }
    let word = |all, byte: &u8| all << 8 | u64::from(*byte);
    bytes.iter().rev().fold(0, word)
}

/// An int of more than eight bytes, without any that only repeats the sign: at least three digits.
fn digits(ints: &Ints, bytes: &[u8], last: i64) -> Make {
    let (fours, rest) = bytes.as_chunks::<FOUR_DIGITS>();
    let negative = last < 0;
    let pairs = 2 * fours.len() + rest.len().div_ceil(7).min(2);
    let object = blank(ints, pairs);
    if object.is_null() {
        return Err(no_memory());
    }
    // The magnitude of what is below 0 is its complement and one.
    let flip = if negative { LOW_PAIR } else { 0 };
    let mut carry = u64::from(negative);
    let mut at = 0;
    let mut next = |bits: u64| {
        let pair = (bits ^ flip) + carry;
        carry = pair >> PAIR;
        // SAFETY: two for each four digits and as many as there is room for behind them: see below.
        unsafe { put(object, at, pair & LOW_PAIR) };
        at += 1;
    };
    for four in fours {
        // 120 bits as two words that overlap by four.
        next(four.first_chunk().map_or(0, |low| u64::from_le_bytes(*low)) & LOW_PAIR);
        next(
            four.last_chunk()
                .map_or(0, |high| u64::from_le_bytes(*high))
                >> 4,
        );
    }
    // Up to 14 bytes are left, the sign above them.
    match (rest.first_chunk::<8>(), rest.len()) {
        (None, 0) => {}
        (None, length) => next((last >> (64 - 8 * length)).cast_unsigned() & LOW_PAIR),
        (Some(low), length) => {
            let low = u64::from_le_bytes(*low);
            let high = (last >> (128 - 8 * length).min(63)).cast_unsigned();
            next(low & LOW_PAIR);
            next((low >> PAIR | high << 4) & LOW_PAIR);
        }
    }
    // SAFETY: all pairs were written: none without a rest, one for up to seven bytes of it, two for more.
    unsafe { count(ints, object, pairs, negative) };
    Ok(Value { object, info: 0 })
}

/// Memory for an int of so many pairs of digits, or null. No more than the interpreter takes: the allocator rounds up.
#[inline(always)]
fn blank(ints: &Ints, pairs: usize) -> *mut PyObject {
    begin(&ints.header, 8 * (WORDS + pairs))
}

/// Writes two digits.
///
/// # Safety
/// `object` is an int with room for more than `at` pairs of digits.
#[inline(always)]
unsafe fn put(object: *mut PyObject, at: usize, bits: u64) {
    // SAFETY: the caller's promise.
    let place = unsafe { behind::<WORDS>(object) };
    // SAFETY: as above.
    let place = unsafe { place.add(at) };
    // SAFETY: as above; words are aligned.
    unsafe { place.write(pair(bits)) };
}

/// 60 bits as two digits, the lower one first.
#[inline(always)]
fn pair(bits: u64) -> u64 {
    bits & LOW_DIGIT | bits >> DIGIT << 32
}

/// Writes how many digits there are: none of them is a leading zero.
///
/// # Safety
/// `object` is an int with so many pairs of digits, all written, at least one.
#[inline(always)]
unsafe fn count(ints: &Ints, object: *mut PyObject, pairs: usize, negative: bool) {
    // SAFETY: the caller's promise.
    let place = unsafe { behind::<WORDS>(object) }.cast::<u32>();
    let digit = |at: usize| {
        // SAFETY: below the number of digits.
        let place = unsafe { place.add(at) };
        // SAFETY: as above.
        unsafe { place.read() }
    };
    // A leading zero is as likely as not: no branch. Two of them are rare, more are not to be.
    let mut digits = 2 * pairs - usize::from(digit(2 * pairs - 1) == 0);
    while digits > 1 && digit(digits - 1) == 0 {
        digits -= 1;
    }
    let [above, below] = ints.counts;
    let word = if negative { below } else { above }.of(digits);
    // SAFETY: an int.
    unsafe { set_count(object, word) };
}

/// Writes the word that says how many digits there are.
///
/// # Safety
/// `object` is an int that was begun.
#[inline(always)]
unsafe fn set_count(object: *mut PyObject, word: u64) {
    // SAFETY: the last word of the header.
    let place = unsafe { behind::<{ WORDS - 1 }>(object) };
    // SAFETY: as above.
    unsafe { place.write(word) };
}
