//! Tuples, lists, dicts and sets, made and filled without a temporary.

use std::ptr;

use pyo3::Borrowed;
use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;

use super::value::{DEPTH_ONE, Make, Survey, TRACKED, Tag, Value, made, raised};

/// A tuple of the items, which are moved into it. A tuple of atoms is not tracked, as the collector would find later.
#[inline(always)]
pub fn tuple(py: Python<'_>, items: &mut [Value], survey: Survey) -> Make {
    // SAFETY: attached.
    let object = unsafe { ffi::PyTuple_New(items.len().cast_signed()) };
    if object.is_null() {
        return Err(raised(py));
    }
    for (at, item) in items.iter_mut().enumerate() {
        // SAFETY: a new tuple of this length; the reference is handed over.
        unsafe { ffi::PyTuple_SET_ITEM(object, at.cast_signed(), item.take_object()) }
    }
    let mut value = Value {
        object,
        info: TRACKED,
    };
    if !survey.tracked() && !items.is_empty() {
        // SAFETY: a tracked tuple whose items hold no references to containers.
        unsafe { ffi::PyObject_GC_UnTrack(object.cast()) }
        value.info = 0;
    }
    value.set_depth(survey.depth() + 1);
    Ok(value)
}

/// A list of the items, which are moved into it.
pub fn list(py: Python<'_>, items: &mut [Value]) -> Make {
    // SAFETY: attached.
    let object = unsafe { ffi::PyList_New(0) };
    let value = made(py, object, Tag::List as u64 | TRACKED | DEPTH_ONE)?;
    list_extend(py, &value, items)?;
    Ok(value)
}

/// Moves the items to the end of an exact list: 1.2 to 1.9 times as fast as appending.
#[inline]
#[cfg(not(Py_GIL_DISABLED))]
pub fn list_extend(py: Python<'_>, list: &Value, items: &mut [Value]) -> PyResult<()> {
    debug_assert!(list.is_list());
    if items.is_empty() {
        return Ok(());
    }
    let target = list.object.cast::<ffi::PyListObject>();
    // SAFETY: an exact list; with the GIL held nobody else looks at its fields.
    let list = unsafe { &mut *target };
    let length = list.ob_base.ob_size.unsigned_abs();
    let needed = length + items.len();
    // Signed: a list that another thread is sorting has no items and says -1.
    if needed.cast_signed() > list.allocated {
        // The growth of `list_resize`, so that later appends stay amortised.
        let room = if length == 0 {
            needed
        } else {
            (needed + (needed >> 3) + 6) & !3
        };
        // SAFETY: a list's items are allocated by `PyMem`; a null pointer is a new allocation.
        let grown =
            unsafe { ffi::PyMem_Realloc(list.ob_item.cast(), room * size_of::<*mut PyObject>()) };
        if grown.is_null() {
            return Err(pyo3::exceptions::PyMemoryError::new_err(()).clone_ref(py));
        }
        list.ob_item = grown.cast();
        list.allocated = room.cast_signed();
    }
    // SAFETY: there is room for `items` behind the first `length`.
    let tail = unsafe { list.ob_item.add(length) };
    for (at, item) in items.iter_mut().enumerate() {
        // SAFETY: within that room.
        let place = unsafe { tail.add(at) };
        // SAFETY: aligned as the list's own items; the reference is handed over.
        unsafe { place.write(item.take_object()) }
    }
    list.ob_base.ob_size = needed.cast_signed();
    Ok(())
}

/// Appends the items to an exact list, one by one under its own lock.
#[cfg(Py_GIL_DISABLED)]
pub fn list_extend(py: Python<'_>, list: &Value, items: &mut [Value]) -> PyResult<()> {
    for item in items {
        // SAFETY: an exact list and a live object.
        if unsafe { ffi::PyList_Append(list.object, item.object) } < 0 {
            return Err(raised(py));
        }
    }
    Ok(())
}

/// An empty dict.
#[inline]
pub fn dict(py: Python<'_>) -> Make {
    // SAFETY: attached.
    let object = unsafe { ffi::PyDict_New() };
    made(py, object, Tag::Dict as u64 | TRACKED | DEPTH_ONE)
}

/// `dict[key] = value`, of a dict or an instance of a subclass, past any `__setitem__`.
#[inline(always)]
pub fn dict_set(py: Python<'_>, dict: &Value, key: &Value, value: &Value) -> PyResult<()> {
    // SAFETY: live objects; not a dict is an error, not a fault.
    if unsafe { ffi::PyDict_SetItem(dict.object, key.object, value.object) } < 0 {
        return Err(raised(py));
    }
    Ok(())
}

/// Whether an exact dict or set, or an instance of a subclass, is empty; asks no method of the class.
pub fn is_empty(container: &Value) -> bool {
    if container.object.is_null() {
        return false;
    }
    // SAFETY: a live object.
    if unsafe { ffi::PyDict_Check(container.object) } != 0 {
        // SAFETY: a dict.
        return unsafe { ffi::PyDict_Size(container.object) } == 0;
    }
    // SAFETY: a live object.
    if unsafe { ffi::PyAnySet_Check(container.object) } != 0 {
        // SAFETY: a set or a frozenset.
        return unsafe { ffi::PySet_Size(container.object) } == 0;
    }
    false
}

/// An empty set.
pub fn set(py: Python<'_>) -> Make {
    // SAFETY: attached; null is no iterable.
    let object = unsafe { ffi::PySet_New(ptr::null_mut()) };
    made(py, object, Tag::Set as u64 | TRACKED | DEPTH_ONE)
}

/// An empty frozenset, to be filled before anybody sees it.
pub fn frozenset(py: Python<'_>) -> Make {
    // SAFETY: attached; null is no iterable.
    let object = unsafe { ffi::PyFrozenSet_New(ptr::null_mut()) };
    made(py, object, TRACKED | DEPTH_ONE)
}

/// Adds to an exact set, or to a frozenset that nobody has seen yet.
#[inline(always)]
pub fn set_add(py: Python<'_>, set: &Value, item: &Value) -> PyResult<()> {
    // SAFETY: live objects; a set or a frozenset with one reference.
    if unsafe { ffi::PySet_Add(set.object, item.object) } < 0 {
        return Err(raised(py));
    }
    Ok(())
}

/// An item of an exact tuple, which keeps it alive as long as itself.
pub fn tuple_item<'a, 'py>(
    tuple: Borrowed<'a, 'py, PyAny>,
    index: usize,
) -> Option<Borrowed<'a, 'py, PyAny>> {
    // SAFETY: anything but a tuple, and any index outside it, gives null and an error.
    let item = unsafe { ffi::PyTuple_GetItem(tuple.as_ptr(), index.cast_signed()) };
    if item.is_null() {
        // SAFETY: attached; the error was set just now.
        unsafe { ffi::PyErr_Clear() };
        return None;
    }
    // SAFETY: a borrowed reference out of an immutable container that lives for `'a`.
    Some(unsafe { Borrowed::from_ptr(tuple.py(), item) })
}
