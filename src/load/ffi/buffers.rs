//! What arrays are made of: buffers, and the bytes, ints and bools of a state.

use std::ptr;

use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyInt};

use super::value::{Value, raised};
use super::whole::{Whole, whole};

/// A buffer, held as long as this is: the memory stays where it is.
pub struct Held {
    base: *mut PyObject,
    pub(super) data: *mut u8,
    length: usize,
    pub(super) readonly: bool,
    /// Whether that is an exact bytes object or bytearray.
    plain: bool,
}

impl Drop for Held {
    fn drop(&mut self) {
        // SAFETY: an owned reference, or null; buffers only live while the interpreter is attached.
        unsafe { ffi::Py_XDECREF(self.base) }
    }
}

impl Held {
    /// Holds the buffer of an object as numpy would: bytes by themselves, anything else through a memoryview.
    pub fn of(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        if let Ok(bytes) = object.cast_exact::<PyBytes>() {
            let bytes = bytes.as_bytes();
            return Ok(Self {
                base: object.clone().into_ptr(),
                data: bytes.as_ptr().cast_mut(),
                length: bytes.len(),
                readonly: true,
                plain: true,
            });
        }
        // SAFETY: a live object.
        let base = unsafe { ffi::PyMemoryView_FromObject(object.as_ptr()) };
        if base.is_null() {
            return Err(raised(object.py()));
        }
        let mut held = Self {
            base,
            data: ptr::null_mut(),
            length: 0,
            readonly: true,
            plain: object.is_exact_instance_of::<PyByteArray>(),
        };
        let mut view = ffi::Py_buffer::new();
        // SAFETY: a live memoryview, and room for a view.
        if unsafe { ffi::PyObject_GetBuffer(base, &raw mut view, ffi::PyBUF_SIMPLE) } < 0 {
            return Err(raised(object.py()));
        }
        (held.data, held.length) = (view.buf.cast(), view.len.cast_unsigned());
        held.readonly = view.readonly != 0;
        // The memoryview itself keeps the memory where it is.
        // SAFETY: the view was filled just now.
        unsafe { ffi::PyBuffer_Release(&raw mut view) };
        Ok(held)
    }

    /// Whether it is that of an exact bytes object or bytearray.
    pub fn is_plain(&self) -> bool {
        self.plain
    }

    /// What is there.
    pub fn bytes(&self) -> &[u8] {
        if self.length == 0 {
            return &[];
        }
        // SAFETY: as many bytes, held by the base; nothing runs that could write to them while they are looked at.
        unsafe { std::slice::from_raw_parts(self.data, self.length) }
    }

    pub(super) fn into_base(mut self) -> *mut PyObject {
        std::mem::replace(&mut self.base, ptr::null_mut())
    }
}

/// The bytes of an exact bytearray, as they are now.
pub fn bytearray_bytes(value: &Value) -> Option<&[u8]> {
    if value.type_address() != &raw const ffi::PyByteArray_Type as usize {
        return None;
    }
    // SAFETY: an exact bytearray.
    let length = unsafe { ffi::PyByteArray_Size(value.object) };
    // SAFETY: as above.
    let data = unsafe { ffi::PyByteArray_AsString(value.object) };
    // SAFETY: as many bytes; who asks runs nothing that could change them while it looks.
    Some(unsafe { std::slice::from_raw_parts(data.cast(), length.cast_unsigned()) })
}

/// The bytes of an exact bytes object.
#[inline(always)]
pub fn exact_bytes(value: &Value) -> Option<&[u8]> {
    if !value.is_bytes() {
        return None;
    }
    // SAFETY: an exact bytes object.
    let length = unsafe { ffi::PyBytes_Size(value.object) };
    // SAFETY: as above.
    let data = unsafe { ffi::PyBytes_AsString(value.object) };
    // SAFETY: as many bytes, which never change.
    Some(unsafe { std::slice::from_raw_parts(data.cast(), length.cast_unsigned()) })
}

/// Whether that is `b"b"`.
#[inline(always)]
pub fn is_bytes_b(value: &Value) -> bool {
    exact_bytes(value) == Some(b"b")
}

/// Whether that is the tuple `(0,)`.
#[inline(always)]
pub fn is_one_zero(py: Python<'_>, value: &Value) -> bool {
    let mut side = [1];
    sides_of(py, value, &mut side) == Some(1) && side == [0]
}

#[inline(always)]
fn tuple_items(value: &Value) -> Option<&[*mut PyObject]> {
    if value.type_address() != &raw const ffi::PyTuple_Type as usize {
        return None;
    }
    // SAFETY: an exact tuple.
    let count = unsafe { ffi::PyTuple_GET_SIZE(value.object) };
    let tuple = value.object.cast::<ffi::PyTupleObject>();
    // SAFETY: as above; its items stand behind its header.
    let items = unsafe { (&raw const (*tuple).ob_item).cast::<*mut PyObject>() };
    // SAFETY: as many items, which never change.
    Some(unsafe { std::slice::from_raw_parts(items, count.cast_unsigned()) })
}

/// The ints in an exact tuple of not too many, and their number.
#[inline]
pub fn sides_of(py: Python<'_>, shape: &Value, sides: &mut [isize]) -> Option<usize> {
    let items = tuple_items(shape)?;
    let places = sides.get_mut(..items.len())?;
    for (place, item) in places.iter_mut().zip(items) {
        // SAFETY: a live object, borrowed from the tuple.
        let item = unsafe { Borrowed::from_ptr(py, *item) };
        let item = item.cast_exact::<PyInt>().ok()?;
        match whole(&item) {
            Whole::Small(side) => *place = isize::try_from(side).ok()?,
            Whole::Big { .. } => return None,
        }
    }
    Some(items.len())
}

/// A bool.
#[inline(always)]
pub fn truth(value: &Value) -> Option<bool> {
    // SAFETY: only addresses are taken.
    if value.object == unsafe { ffi::Py_False() } {
        return Some(false);
    }
    // SAFETY: as above.
    (value.object == unsafe { ffi::Py_True() }).then_some(true)
}

/// How many references there are to an object.
pub(super) fn references(object: &Bound<'_, PyAny>) -> isize {
    // SAFETY: a live object.
    unsafe { ffi::Py_REFCNT(object.as_ptr()) }
}
