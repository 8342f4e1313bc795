//! Values that outlive a load, and the bytes that a load reads.

use std::ptr;

use pyo3::prelude::*;

/// Values that outlive a load: the memo of an `Unpickler` between two calls of `load()`, strings that keys share.
#[derive(Debug, Default)]
pub struct Kept<T>(T);

// SAFETY: the values are only reached through a token, or dropped by the owner's deallocator, which the interpreter
// calls attached.
unsafe impl<T> Send for Kept<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Kept<T> {}

impl<T> Kept<T> {
    /// Keeps values.
    pub fn new(values: T) -> Self {
        Self(values)
    }

    /// The values, for who is attached.
    pub fn open(&mut self, _py: Python<'_>) -> &mut T {
        &mut self.0
    }
}

/// A place for one value that whoever is attached may take and put back: no atomic operation, four of which would cost a
/// small load a sixth of its time.
pub struct Shelf<T>(std::cell::UnsafeCell<Option<T>>);

// SAFETY: the place is reached through a token alone, and the module keeps the interpreter lock (`gil_used`), so one
// thread at a time is attached; neither method runs code of anybody else's while it borrows the place.
unsafe impl<T> Send for Shelf<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Shelf<T> {}

impl<T> Default for Shelf<T> {
    fn default() -> Self {
        Self(std::cell::UnsafeCell::new(None))
    }
}

impl<T> Shelf<T> {
    /// Takes what is there.
    #[inline]
    pub fn take(&self, _py: Python<'_>) -> Option<T> {
        // SAFETY: see `Sync`.
        unsafe { (*self.0.get()).take() }
    }

    /// Puts a value there; what was there is given back, to be dropped by the caller.
    #[inline]
    pub fn put(&self, _py: Python<'_>, value: T) -> Option<T> {
        // SAFETY: see `Sync`.
        unsafe { (*self.0.get()).replace(value) }
    }
}

/// An object's bytes, borrowed for as long as the object is.
///
/// Only exact `bytes`, or a view whose owner is exact `bytes`, are borrowed; anything else could change while the load
/// runs, and what was inspected must be what is loaded.
pub fn immutable_bytes<'v>(data: &'v Bound<'_, PyAny>) -> Option<&'v [u8]> {
    data.cast_exact::<pyo3::types::PyBytes>()
        .ok()
        .map(pyo3::prelude::PyBytesMethods::as_bytes)
}

/// A copy of a contiguous buffer's bytes.
pub fn copied_bytes(data: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    let buffer = pyo3::buffer::PyUntypedBuffer::get(data)?;
    if !buffer.is_c_contiguous() {
        return Err(pyo3::exceptions::PyBufferError::new_err(
            "underlying buffer is not C-contiguous",
        ));
    }
    let length = buffer.len_bytes();
    let mut copy = vec![0; length];
    if length > 0 {
        // SAFETY: the buffer is exported while `buffer` lives, is contiguous, and both sides have `length` bytes.
        unsafe {
            ptr::copy_nonoverlapping(buffer.buf_ptr().cast::<u8>(), copy.as_mut_ptr(), length);
        };
    }
    Ok(copy)
}
