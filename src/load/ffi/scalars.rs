//! Constructors of None, numbers, strings and bytes.

use std::ptr;

use pyo3::ffi;
use pyo3::prelude::*;

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
    // SAFETY: attached; a new reference.
    let object = unsafe { ffi::PyBool_FromLong(i64::from(value)) };
    Value { object, info: 0 }
}

/// An int.
#[inline(always)]
pub fn int(py: Python<'_>, value: i64) -> Make {
    // SAFETY: attached.
    let object = unsafe { ffi::PyLong_FromLongLong(value) };
    made(py, object, 0)
}

/// An int from little-endian two's complement; linear in its length.
pub fn long(py: Python<'_>, bytes: &[u8]) -> Make {
    if bytes.is_empty() {
        return int(py, 0);
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

/// A float.
#[inline(always)]
pub fn float(py: Python<'_>, value: f64) -> Make {
    // SAFETY: attached.
    let object = unsafe { ffi::PyFloat_FromDouble(value) };
    made(py, object, 0)
}

/// A str from ASCII: one allocation and one copy, 1.5 times as fast as the decoder.
#[inline(always)]
pub fn ascii(py: Python<'_>, text: &[u8]) -> Make {
    debug_assert!(text.is_ascii());
    if text.len() < 2 {
        return utf8(py, text);
    }
    // SAFETY: attached.
    let object = unsafe { ffi::PyUnicode_New(text.len().cast_signed(), 127) };
    if object.is_null() {
        return Err(raised(py));
    }
    // SAFETY: the characters of a compact ASCII str follow its header. Asking `PyUnicode_1BYTE_DATA` would read bits
    // that were written just now by other widths: a failed store-to-load forwarding, 4 ns.
    let data = unsafe { object.cast::<u8>().add(size_of::<ffi::PyASCIIObject>()) };
    // SAFETY: a new str has `len` writable bytes there and nobody else has seen it; the two do not overlap.
    unsafe { ptr::copy_nonoverlapping(text.as_ptr(), data, text.len()) };
    Ok(Value { object, info: 0 })
}

/// A str from UTF-8 that is not ASCII and holds no surrogates: counted first, then written at its exact width. 1.4 times
/// as fast as the interpreter's decoder, which guesses the width and copies.
pub fn wide(py: Python<'_>, text: &str) -> Make {
    let (mut length, mut widest) = (0isize, 0u32);
    for char in text.chars() {
        length += 1;
        widest |= u32::from(char);
    }
    if length < 2 {
        return utf8(py, text.as_bytes());
    }
    // SAFETY: attached; `widest` has no bit that some character lacks, so it is in the same width as the widest.
    let object = unsafe { ffi::PyUnicode_New(length, widest.min(0x0010_ffff)) };
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
        0..=0xff => unsafe { write_all::<u8>(data, text) },
        // SAFETY: `length` characters of two bytes fit there, and the header is aligned for them.
        0x100..=0xffff => unsafe { write_all::<u16>(data.cast(), text) },
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
#[allow(clippy::cast_ptr_alignment)]
unsafe fn write_all<T: TryFrom<u32> + Default>(to: *mut T, text: &str) {
    for (at, char) in text.chars().enumerate() {
        // SAFETY: the caller's promise: within the room.
        let place = unsafe { to.add(at) };
        // SAFETY: the caller's promise: aligned.
        unsafe { place.write(narrow(u32::from(char))) }
    }
}

#[inline(always)]
fn narrow<T: TryFrom<u32> + Default>(char: u32) -> T {
    T::try_from(char).unwrap_or_default()
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
#[inline]
pub fn bytes(py: Python<'_>, bytes: &[u8]) -> Make {
    // SAFETY: pointer and length are one slice's.
    let object =
        unsafe { ffi::PyBytes_FromStringAndSize(bytes.as_ptr().cast(), bytes.len().cast_signed()) };
    made(py, object, 0)
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
