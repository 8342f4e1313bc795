//! Constructors of None, bools, floats and bytes.

use std::ptr;

use pyo3::ffi;
use pyo3::prelude::*;

use super::api;
use super::layout::{begin, begin_any, behind, finish, layout, or_no_memory};
use super::pages::{LARGE, advise_large};
use super::value::{Make, Value, made};

/// Words of a bytes object's header: count, type, length, hash.
pub const BYTES_WORDS: usize = 4;

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

/// A float.
#[inline(always)]
pub fn float(py: Python<'_>, value: f64) -> Make {
    or_no_memory(quick_float(py, value))
}

/// As [`float`]; a hole, and no exception, where there is no memory.
#[inline(always)]
pub fn quick_float(py: Python<'_>, value: f64) -> Value {
    let Some(header) = &layout().float else {
        return api::float(py, value).unwrap_or_default();
    };
    let object = begin(header, size_of::<ffi::PyFloatObject>());
    if object.is_null() {
        return Value::default();
    }
    // SAFETY: of the 24 bytes, 16 are the header.
    let place = unsafe { behind::<2>(object) };
    // SAFETY: eight bytes are left, aligned.
    unsafe { place.cast::<f64>().write(value) };
    Value { object, info: 0 }
}

/// A bytes object.
#[inline(always)]
pub fn bytes(py: Python<'_>, bytes: &[u8]) -> Make {
    or_no_memory(quick_bytes(py, bytes))
}

/// As [`bytes`]; a hole, and no exception, where there is no memory.
#[inline(always)]
pub fn quick_bytes(py: Python<'_>, bytes: &[u8]) -> Value {
    // Of one byte or none, the interpreter keeps what there is.
    match &layout().bytes {
        Some(header) if bytes.len() > 1 => {
            finish::<BYTES_WORDS>(begin_any(header, BYTES_WORDS * 8 + bytes.len() + 1), bytes)
        }
        _ => api::bytes(py, bytes).unwrap_or_default(),
    }
}

/// A bytearray.
pub fn bytearray(py: Python<'_>, bytes: &[u8]) -> Make {
    if bytes.len() < LARGE {
        // SAFETY: pointer and length are one slice's.
        let object = unsafe {
            ffi::PyByteArray_FromStringAndSize(bytes.as_ptr().cast(), bytes.len().cast_signed())
        };
        return made(py, object, 0);
    }
    // SAFETY: null is for contents that follow.
    let object =
        unsafe { ffi::PyByteArray_FromStringAndSize(ptr::null(), bytes.len().cast_signed()) };
    let value = made(py, object, 0)?;
    // SAFETY: a new bytearray.
    let place = unsafe { ffi::PyByteArray_AsString(object) }.cast::<u8>();
    advise_large(place, bytes.len());
    // SAFETY: it has as many bytes, and nobody else has seen it.
    unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), place, bytes.len()) };
    Ok(value)
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
