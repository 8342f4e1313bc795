//! Strings: ASCII, and all else from UTF-8 in the width that its widest character asks for.
//!
//! A str must be kept in the least width that holds it: equal strings are only compared within one width. So text is
//! measured before anything is made of it, in full.

use std::ptr;

use pyo3::ffi;
use pyo3::prelude::*;

use super::api;
use super::layout::{
    self, begin, begin_any, behind, finish, header, keep, layout, no_memory, or_no_memory,
};
use super::value::{Make, Value, made};
#[cfg(target_arch = "x86_64")]
use super::{measure, vectors};
use crate::stream::atoms::Short;

/// Words of a str's header in front of its ASCII characters.
pub const ASCII_WORDS: usize = size_of::<ffi::PyASCIIObject>() / 8;
/// Words of a str's header in front of other characters.
const WORDS: usize = size_of::<ffi::PyCompactUnicodeObject>() / 8;
/// Bytes up to which text that is not ASCII is worth a loop over its characters: five characters are faster counted
/// first (1.1 to 1.4 times the decoder), ten are not (0.8), forty less (0.4).
const SHORT: usize = 12;

/// Bytes of each character of a str that is not ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    /// Up to U+00FF.
    One = 1,
    /// Up to U+FFFF.
    Two = 2,
    /// All.
    Four = 4,
}

impl Width {
    const ALL: [Self; 3] = [Self::One, Self::Two, Self::Four];

    /// Of the character that a first byte begins.
    fn of(first: u8) -> Self {
        match first {
            0..=0xc3 => Self::One,
            0xc4..=0xef => Self::Two,
            _ => Self::Four,
        }
    }

    fn widest(self) -> u32 {
        match self {
            Self::One => 0xff,
            Self::Two => 0xffff,
            Self::Four => 0x0010_ffff,
        }
    }
}

/// What stands in front of the characters of a str that is not ASCII, by its width.
pub type Headers = [Option<[u64; WORDS]>; 3];

/// The width of `wchar_t`: up to 3.11 a header points at its own characters if they are as wide, so it cannot be copied.
const OWN_ADDRESS: Option<Width> = match (cfg!(Py_3_12), cfg!(windows)) {
    (true, _) => None,
    (false, true) => Some(Width::Two),
    (false, false) => Some(Width::Four),
};

/// Reads what the interpreter writes.
pub fn learn(py: Python<'_>) -> PyResult<Headers> {
    let mut found = [None; 3];
    for (place, width) in found.iter_mut().zip(Width::ALL) {
        if OWN_ADDRESS != Some(width) {
            *place = Some(header(&api::blank(py, 2, width.widest())?));
        }
    }
    Ok(found)
}

/// Whether strings made here are the interpreter's own, by width.
pub fn proved(py: Python<'_>) -> PyResult<[bool; 3]> {
    let mut proved = [false; 3];
    for (place, widest) in proved.iter_mut().zip(["\u{ff}", "\u{ffff}", "\u{10ffff}"]) {
        let texts = ["\u{80}a", "abcdefgh\u{7f}\u{df}", "\u{e9}t\u{e9} \u{bf}"];
        let texts = texts.map(|text| [text, widest, &text.repeat(9), widest].concat());
        let ours = |text: &String| match Text::measure(text.as_bytes()) {
            Some(text) => text.make(py),
            None => api::utf8(py, text.as_bytes()),
        };
        *place = layout::all_same(py, &texts, ours, |text| api::utf8(py, text.as_bytes()))?;
    }
    Ok(proved)
}

/// A str from ASCII.
#[inline(always)]
pub fn ascii(py: Python<'_>, text: &[u8]) -> Make {
    or_no_memory(quick_ascii(py, text))
}

/// As [`ascii`]; a hole, and no exception, where there is no memory.
#[inline(always)]
pub fn quick_ascii(py: Python<'_>, text: &[u8]) -> Value {
    match text {
        [] => api::utf8(py, text).unwrap_or_default(),
        [byte] => character(py, *byte),
        _ => characters(py, text),
    }
}

/// The str of one ASCII character.
#[inline(always)]
fn character(py: Python<'_>, byte: u8) -> Value {
    match layout().characters.get(usize::from(byte)) {
        Some(Some(object)) => keep(*object, 0),
        _ => api::utf8(py, &[byte]).unwrap_or_default(),
    }
}

/// A str from ASCII of at least two characters.
#[inline(always)]
fn characters(py: Python<'_>, text: &[u8]) -> Value {
    debug_assert!(text.is_ascii() && text.len() >= 2);
    let Some(header) = &layout().ascii else {
        return api::ascii(py, text).unwrap_or_default();
    };
    finish::<ASCII_WORDS>(begin_any(header, ASCII_WORDS * 8 + text.len() + 1), text)
}

/// A str from 2 to 15 ASCII characters: whatever their number, the block is the same and so are the stores. A hole, and no
/// exception, where there is no memory.
#[inline(always)]
pub fn quick_short(py: Python<'_>, text: Short) -> Value {
    debug_assert!(text.is_ascii() && text.length >= 2);
    let Some(header) = &layout().ascii else {
        return characters(py, text.bytes());
    };
    let object = begin(header, ASCII_WORDS * 8 + 16);
    if object.is_null() {
        return Value::default();
    }
    // SAFETY: a str that was begun.
    unsafe { layout::set_length(object, text.length) };
    // SAFETY: 16 bytes were asked for beyond the header.
    let place = unsafe { behind::<ASCII_WORDS>(object) };
    // SAFETY: as above. A zero follows the last of 15 characters.
    unsafe { place.cast::<[u8; 16]>().write(*text.all()) };
    Value { object, info: 0 }
}

/// UTF-8 that is not ASCII and holds no surrogates, and what is known of it.
#[derive(Debug, Clone, Copy)]
pub struct Text<'a> {
    utf8: &'a [u8],
    characters: usize,
    width: Width,
    /// Whether it was measured in vectors, and is to be written so.
    #[cfg(target_arch = "x86_64")]
    vectors: bool,
}

impl<'a> Text<'a> {
    /// What is known of UTF-8 that is not ASCII; `None` where the interpreter's decoder is needed, or no slower.
    #[inline]
    pub fn measure(utf8: &'a [u8]) -> Option<Self> {
        #[cfg(target_arch = "x86_64")]
        if layout().vectors {
            // SAFETY: the processor has what it takes: that is what `vectors` says.
            let (characters, width) = unsafe { measure::measure(utf8) }?;
            return Some(Self {
                utf8,
                characters,
                width,
                vectors: true,
            });
        }
        if utf8.len() > SHORT || std::str::from_utf8(utf8).is_err() {
            return None;
        }
        Some(Self {
            utf8,
            characters: utf8.iter().filter(|byte| *byte & 0xc0 != 0x80).count(),
            width: Width::of(utf8.iter().fold(0, |most, byte| most.max(*byte))),
            #[cfg(target_arch = "x86_64")]
            vectors: false,
        })
    }

    /// Bytes that its characters take.
    #[inline]
    pub fn bytes(self) -> u64 {
        self.characters as u64 * self.width as u64
    }

    /// A str of it.
    pub fn make(self, py: Python<'_>) -> Make {
        // A character up to U+00FF may be one that the interpreter keeps.
        if self.characters < 2 {
            return api::utf8(py, self.utf8);
        }
        let [one, two, four] = &layout().texts;
        match self.width {
            Width::One => self.write::<u8>(py, one.as_ref()),
            Width::Two => self.write::<u16>(py, two.as_ref()),
            Width::Four => self.write::<u32>(py, four.as_ref()),
        }
    }

    #[inline(always)]
    fn write<T: Unit>(self, py: Python<'_>, header: Option<&[u64; WORDS]>) -> Make {
        let text = match header {
            Some(header) => {
                let object = begin_any(header, WORDS * 8 + (self.characters + 1) * size_of::<T>());
                if object.is_null() {
                    return Err(no_memory());
                }
                // SAFETY: within the header.
                unsafe { layout::set_length(object, self.characters) };
                Value { object, info: 0 }
            }
            None => api::blank(py, self.characters, self.width.widest())?,
        };
        // SAFETY: a compact str that is not ASCII keeps its characters behind this header.
        let data = unsafe { behind::<WORDS>(text.object) }.cast::<T>();
        // SAFETY: the characters and one more have room there.
        let end = unsafe { data.add(self.characters) };
        // SAFETY: as above; the header ends at a multiple of eight bytes.
        unsafe { end.write(T::of(0)) };
        // SAFETY: as many characters as were measured have room, each as wide as the widest of them.
        unsafe { self.write_to(data) };
        Ok(text)
    }

    /// # Safety
    /// `to` has room for the characters; it is aligned.
    #[inline(always)]
    unsafe fn write_to<T: Unit>(self, to: *mut T) {
        #[cfg(target_arch = "x86_64")]
        if self.vectors {
            // SAFETY: the caller's promise; the text was measured in vectors, so the processor has them.
            return unsafe { vectors::write(self.utf8, to, self.characters) };
        }
        // SAFETY: the caller's promise; the text was found to be UTF-8.
        unsafe { write_all(self.utf8, to) }
    }
}

/// Writes the characters of UTF-8.
///
/// # Safety
/// `to` has room for all of them and is aligned.
#[inline(never)]
unsafe fn write_all<T: Unit>(utf8: &[u8], mut to: *mut T) {
    let mut rest = utf8;
    let mut put = |unit: T| {
        // SAFETY: the caller's promise: aligned, and room for every character.
        unsafe { to.write(unit) };
        // SAFETY: at most behind the last one.
        to = unsafe { to.add(1) };
    };
    // What follows a first byte is there, and is what it must be.
    let low = |byte: u8| u32::from(byte & 0x3f);
    loop {
        rest = match rest {
            [a, behind @ ..] if *a < 0x80 => {
                put(T::of(u32::from(*a)));
                behind
            }
            [a, b, behind @ ..] if *a < 0xe0 => {
                put(T::of(u32::from(*a & 0x1f) << 6 | low(*b)));
                behind
            }
            [a, b, c, behind @ ..] if *a < 0xf0 => {
                put(T::of(u32::from(*a & 0xf) << 12 | low(*b) << 6 | low(*c)));
                behind
            }
            [a, b, c, d, behind @ ..] => {
                let high = u32::from(*a & 7) << 18 | low(*b) << 12;
                put(T::of(high | low(*c) << 6 | low(*d)));
                behind
            }
            _ => return,
        };
    }
}

/// A character in one, two or four bytes.
#[cfg(target_arch = "x86_64")]
trait Unit: vectors::Unit {
    /// The low bits: the width was chosen so that there are no others.
    fn of(char: u32) -> Self;
}

/// A character in one, two or four bytes.
#[cfg(not(target_arch = "x86_64"))]
trait Unit {
    /// The low bits: the width was chosen so that there are no others.
    fn of(char: u32) -> Self;
}

#[allow(clippy::cast_possible_truncation)] // see `of`
impl Unit for u8 {
    #[inline(always)]
    fn of(char: u32) -> Self {
        char as Self
    }
}

#[allow(clippy::cast_possible_truncation)] // see `of`
impl Unit for u16 {
    #[inline(always)]
    fn of(char: u32) -> Self {
        char as Self
    }
}

impl Unit for u32 {
    #[inline(always)]
    fn of(char: u32) -> Self {
        char
    }
}

/// What the characters of a str take: what `budget::size::text` finds from its bytes.
#[inline]
pub fn character_bytes(text: &Value) -> u64 {
    debug_assert!(text.is_str());
    // SAFETY: an exact str.
    let length = unsafe { ffi::PyUnicode_GET_LENGTH(text.object) };
    // SAFETY: an exact str.
    let width = unsafe { ffi::PyUnicode_KIND(text.object) };
    length.unsigned_abs() as u64 * u64::from(width)
}

/// The characters of an exact str that are all below 256, as the bytes that they are kept as.
pub fn latin1_text(text: &Value) -> Option<&[u8]> {
    if !text.is_str() {
        return None;
    }
    // SAFETY: an exact str.
    if unsafe { ffi::PyUnicode_KIND(text.object) } != ffi::PyUnicode_1BYTE_KIND {
        return None;
    }
    // SAFETY: an exact str.
    let length = unsafe { ffi::PyUnicode_GET_LENGTH(text.object) }.unsigned_abs();
    // SAFETY: a str of one byte a character.
    let start = unsafe { ffi::PyUnicode_1BYTE_DATA(text.object) };
    // SAFETY: as many of them as its length, for as long as the reference lives.
    Some(unsafe { std::slice::from_raw_parts(start, length) })
}

/// A str whose characters are the bytes.
pub fn latin1(py: Python<'_>, text: &[u8]) -> Make {
    // SAFETY: pointer and length are one slice's; no error handler is needed, every byte decodes.
    let object = unsafe {
        ffi::PyUnicode_DecodeLatin1(text.as_ptr().cast(), text.len().cast_signed(), ptr::null())
    };
    made(py, object, 0)
}

/// The characters of a str that [`ascii`] made.
#[inline(always)]
pub fn ascii_bytes(text: &Value) -> &[u8] {
    debug_assert!(text.is_str());
    // SAFETY: an exact str.
    let length = unsafe { ffi::PyUnicode_GET_LENGTH(text.object) }.unsigned_abs();
    // SAFETY: the characters of a compact ASCII str follow its header.
    let start = unsafe {
        text.object
            .cast::<u8>()
            .add(size_of::<ffi::PyASCIIObject>())
    };
    // SAFETY: as many of them as its length, for as long as the reference lives.
    unsafe { std::slice::from_raw_parts(start, length) }
}

/// Interns a str, as the C unpickler does with the names of attributes.
#[inline]
pub fn intern(text: &mut Value) {
    if text.is_str() {
        // SAFETY: an owned reference to an exact str, replaced by an owned reference.
        unsafe { ffi::PyUnicode_InternInPlace(&raw mut text.object) }
    }
}
