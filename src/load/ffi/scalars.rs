//! Constructors of None, numbers, strings and bytes.

use std::ptr;

use pyo3::ffi;
use pyo3::prelude::*;

use super::layout;
use super::value::{Make, Value, made, raised};

/// `None`.
#[inline(always)]
pub fn none(_py: Python<'_>) -> Value {
    // SAFETY: attached.
    let object = unsafe { ffi::Py_None() };
    // SAFETY: a live object; the reference is new.
    unsafe { ffi::Py_INCREF(object) };
    Value { object, info: 0 }
}

/// `True` or `False`.
#[inline(always)]
pub fn bool(_py: Python<'_>, value: bool) -> Value {
    // SAFETY: attached.
    let yes = unsafe { ffi::Py_True() };
    // SAFETY: attached.
    let no = unsafe { ffi::Py_False() };
    let object = if value { yes } else { no };
    // SAFETY: a live object; the reference is new.
    unsafe { ffi::Py_INCREF(object) };
    Value { object, info: 0 }
}

/// An int from little-endian two's complement; linear in its length.
pub fn long(py: Python<'_>, bytes: &[u8]) -> Make {
    if bytes.is_empty() {
        return layout::int(py, 0);
    }
    // SAFETY: the pointer and length are one slice's; little-endian, signed.
    #[cfg(not(Py_3_13))]
    let object = unsafe { ffi::_PyLong_FromByteArray(bytes.as_ptr(), bytes.len(), 1, 1) };
    // SAFETY: as above.
    #[cfg(Py_3_13)]
    let object = unsafe {
        ffi::PyLong_FromNativeBytes(
            bytes.as_ptr().cast(),
            bytes.len(),
            ffi::Py_ASNATIVEBYTES_LITTLE_ENDIAN,
        )
    };
    made(py, object, 0)
}

/// A str from ASCII.
#[inline(always)]
pub fn ascii(py: Python<'_>, text: &[u8]) -> Make {
    match text {
        [] => utf8(py, text),
        [byte] => layout::character(py, *byte),
        _ => layout::ascii(py, text),
    }
}

/// As [`ascii`]; a hole, and no exception, where that fails.
#[inline(always)]
pub fn quick_ascii(py: Python<'_>, text: &[u8]) -> Value {
    if text.len() > 1 {
        return layout::quick_ascii(py, text);
    }
    ascii(py, text).unwrap_or_default()
}

/// A str from UTF-8 that is not ASCII and holds no surrogates: counted first, then written at its exact width: for a
/// few characters less than the interpreter's decoder needs to get ready.
pub fn wide(py: Python<'_>, text: &str) -> Make {
    // Two passes over bytes, which the compiler vectorises, tell what one over characters would.
    let bytes = text.as_bytes();
    let length: usize = bytes
        .iter()
        .map(|byte| usize::from(byte & 0xc0 != 0x80))
        .sum();
    let widest = match bytes.iter().fold(0, |most, byte| most.max(*byte)) {
        0..=0xc3 => 0xff,
        0xc4..=0xef => 0xffff,
        _ => 0x0010_ffff,
    };
    if length < 2 {
        return utf8(py, bytes);
    }
    // SAFETY: attached; the first byte of the widest character has told its width.
    let object = unsafe { ffi::PyUnicode_New(length.cast_signed(), widest) };
    if object.is_null() {
        return Err(raised(py));
    }
    // SAFETY: a new compact str that is not ASCII keeps its characters behind this header.
    let data = unsafe {
        object
            .cast::<u8>()
            .add(size_of::<ffi::PyCompactUnicodeObject>())
    };
    match widest {
        // SAFETY: `length` characters of one byte fit there.
        0xff => unsafe { write_all::<u8>(data, text) },
        // SAFETY: `length` characters of two bytes fit there, and the header is aligned for them.
        0xffff => unsafe { write_all::<u16>(data.cast(), text) },
        // SAFETY: as above, of four bytes.
        _ => unsafe { write_all::<u32>(data.cast(), text) },
    }
    Ok(Value { object, info: 0 })
}

/// Writes the characters of a str in one width.
///
/// # Safety
/// `to` has room for all of them and is aligned.
#[inline(always)]
unsafe fn write_all<T: Unit>(mut to: *mut T, text: &str) {
    let mut rest = text.as_bytes();
    let mut put = |unit: T| {
        // SAFETY: the caller's promise: aligned, and room for every character.
        unsafe { to.write(unit) };
        // SAFETY: at most behind the last one.
        to = unsafe { to.add(1) };
    };
    // What follows a first byte is there, and is what it must be: the text is a `str`.
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

/// A str from UTF-8 with surrogates let through, by the interpreter's own decoder.
pub fn utf8(py: Python<'_>, text: &[u8]) -> Make {
    // SAFETY: pointer and length are one slice's; the handler's name is a C string.
    let object = unsafe {
        ffi::PyUnicode_DecodeUTF8(
            text.as_ptr().cast(),
            text.len().cast_signed(),
            c"surrogatepass".as_ptr(),
        )
    };
    made(py, object, 0)
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

/// A bytes object.
#[inline(always)]
pub fn bytes(py: Python<'_>, bytes: &[u8]) -> Make {
    if bytes.len() < 2 {
        // SAFETY: pointer and length are one slice's.
        let object = unsafe {
            ffi::PyBytes_FromStringAndSize(bytes.as_ptr().cast(), bytes.len().cast_signed())
        };
        return made(py, object, 0);
    }
    layout::bytes(py, bytes)
}

/// As [`bytes`]; a hole, and no exception, where that fails.
#[inline(always)]
pub fn quick_bytes(py: Python<'_>, data: &[u8]) -> Value {
    if data.len() > 1 {
        return layout::quick_bytes(py, data);
    }
    bytes(py, data).unwrap_or_default()
}

/// A bytearray.
pub fn bytearray(py: Python<'_>, bytes: &[u8]) -> Make {
    // SAFETY: pointer and length are one slice's.
    let object = unsafe {
        ffi::PyByteArray_FromStringAndSize(bytes.as_ptr().cast(), bytes.len().cast_signed())
    };
    made(py, object, 0)
}

/// Whether an object's exact type is a builtin's of plain data: no class of a policy, nothing to call.
#[inline]
pub fn is_plain(object: &Bound<'_, PyAny>) -> bool {
    let kind = object.get_type_ptr().cast_const();
    [
        &raw const ffi::PyUnicode_Type,
        &raw const ffi::PyLong_Type,
        &raw const ffi::PyBytes_Type,
        &raw const ffi::PyFloat_Type,
        &raw const ffi::PyTuple_Type,
        &raw const ffi::PyBool_Type,
        &raw const ffi::PyList_Type,
        &raw const ffi::PyDict_Type,
        &raw const ffi::PySet_Type,
        &raw const ffi::PyFrozenSet_Type,
        &raw const ffi::PyByteArray_Type,
        &raw const ffi::PyComplex_Type,
    ]
    .contains(&kind)
        || object.is_none()
}
