//! Ints of any size, looked at without an exception and without a Python call.

use std::ffi::c_int;

use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::types::PyInt;

use super::value::Value;

unsafe extern "C" {
    /// Bits of the magnitude. `size_t` up to 3.13, `int64_t` from 3.14 on: the same register, and never negative here.
    fn _PyLong_NumBits(int: *mut PyObject) -> u64;
}

/// An int as far as 64 bits can say it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whole {
    /// Its value.
    Small(i64),
    /// Beyond 64 bits: bits of its magnitude, and its sign.
    Big {
        /// What `bit_length` says.
        bits: u64,
        /// Whether it is below 0.
        negative: bool,
    },
}

/// What an int is. Asking for an `i64` and catching the OverflowError costs a UUID half of its load.
#[inline]
pub fn whole(int: &Bound<'_, PyInt>) -> Whole {
    let mut overflow: c_int = 0;
    // SAFETY: a live int; overflow is no exception.
    let value = unsafe { ffi::PyLong_AsLongLongAndOverflow(int.as_ptr(), &raw mut overflow) };
    if overflow == 0 {
        return Whole::Small(value);
    }
    // SAFETY: a live int.
    let bits = unsafe { _PyLong_NumBits(int.as_ptr()) };
    Whole::Big {
        bits,
        negative: overflow < 0,
    }
}

/// The value of an exact int of 64 bits.
#[inline]
pub fn small_int(py: Python<'_>, value: &Value) -> Option<i64> {
    if !value.is_int() {
        return None;
    }
    match whole(value.bound(py).cast_exact().ok()?) {
        Whole::Small(value) => Some(value),
        Whole::Big { .. } => None,
    }
}
