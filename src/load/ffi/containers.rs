//! Tuples, lists, dicts and sets, made and filled without a temporary.

use std::ptr;

use pyo3::Borrowed;
use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyType};

use super::layout::no_memory;
use super::value::{DEPTH_ONE, Make, Survey, TRACKED, Tag, Value, made, raised};

/// A tuple of the items, which are moved into it. A tuple of atoms is not tracked, as the collector would find later.
#[inline(always)]
pub fn tuple(py: Python<'_>, items: &mut [Value], survey: Survey) -> Make {
    if items.is_empty() {
        // SAFETY: attached; the one empty tuple.
        let object = unsafe { ffi::PyTuple_New(0) };
        let mut value = made(py, object, TRACKED)?;
        value.set_depth(survey.depth() + 1);
        return Ok(value);
    }
    let object = new_tuple(items.len());
    if object.is_null() {
        return Err(raised(py));
    }
    // SAFETY: a new tuple of this length.
    let mut place = unsafe { (*object.cast::<ffi::PyTupleObject>()).ob_item.as_mut_ptr() };
    for item in items {
        // SAFETY: within its items; the reference is handed over.
        unsafe { place.write(item.take_object()) };
        // SAFETY: at most behind the last one.
        place = unsafe { place.add(1) };
    }
    let mut value = Value { object, info: 0 };
    if survey.tracked() {
        value.info = TRACKED;
        if BORN_UNTRACKED {
            // SAFETY: whole, and not tracked yet.
            unsafe { ffi::PyObject_GC_Track(object.cast()) }
        }
    } else if !BORN_UNTRACKED {
        // SAFETY: a tracked tuple whose items hold no references to containers.
        unsafe { ffi::PyObject_GC_UnTrack(object.cast()) }
    }
    value.set_depth(survey.depth() + 1);
    Ok(value)
}

/// Up to 3.13 a tuple is nothing but its items, so it may be allocated as any collected object, which is not tracked
/// yet: tracking it only to take it back is a tenth of what a small tuple costs. From 3.14 on it keeps its hash, too.
const BORN_UNTRACKED: bool = cfg!(not(any(Py_3_14, Py_GIL_DISABLED)));

#[inline(always)]
fn new_tuple(length: usize) -> *mut PyObject {
    if BORN_UNTRACKED {
        let class = &raw mut ffi::PyTuple_Type;
        // SAFETY: attached; a type of collected objects with `length` items, all of which the caller writes.
        unsafe { ffi::PyObject_GC_NewVar::<PyObject>(class, length.cast_signed()) }
    } else {
        // SAFETY: attached.
        unsafe { ffi::PyTuple_New(length.cast_signed()) }
    }
}

/// Whether that is the empty tuple.
#[inline]
pub fn is_empty_tuple(py: Python<'_>, value: &Value) -> bool {
    value.object == PyTuple::empty(py).as_ptr()
}

/// An empty list.
#[inline(always)]
pub fn list(py: Python<'_>) -> Make {
    // SAFETY: attached.
    let object = unsafe { ffi::PyList_New(0) };
    made(py, object, Tag::List as u64 | TRACKED | DEPTH_ONE)
}

/// Moves the items to the end of an exact list: 1.2 to 1.9 times as fast as appending.
#[inline(always)]
#[cfg(not(Py_GIL_DISABLED))]
pub fn list_extend(_py: Python<'_>, list: &Value, items: &mut [Value]) -> PyResult<()> {
    debug_assert!(list.is_list());
    let target = list.object.cast::<ffi::PyListObject>();
    // SAFETY: an exact list; with the GIL held nobody else looks at its fields.
    let list = unsafe { &mut *target };
    let length = list.ob_base.ob_size.unsigned_abs();
    let needed = length + items.len();
    // Signed: a list that another thread is sorting has no items and says -1.
    if needed.cast_signed() > list.allocated && !grow(list, length, needed) {
        return Err(no_memory());
    }
    // SAFETY: there is room for `items` behind the first `length`.
    let mut place = unsafe { list.ob_item.add(length) };
    for item in items {
        // SAFETY: within that room, aligned as the list's own items; the reference is handed over.
        unsafe { place.write(item.take_object()) }
        // SAFETY: at most behind the last item.
        place = unsafe { place.add(1) };
    }
    list.ob_base.ob_size = needed.cast_signed();
    Ok(())
}

/// Makes room for as many items as are needed, and for some more where there were some: the growth of `list_resize`, so
/// that later appends stay amortised.
#[inline(never)]
#[cfg(not(Py_GIL_DISABLED))]
fn grow(list: &mut ffi::PyListObject, length: usize, needed: usize) -> bool {
    let room = if length == 0 {
        needed
    } else {
        (needed + (needed >> 3) + 6) & !3
    };
    let bytes = room * size_of::<*mut PyObject>();
    let grown = if list.ob_item.is_null() {
        // SAFETY: a list's items are allocated by `PyMem`.
        unsafe { ffi::PyMem_Malloc(bytes) }
    } else {
        // SAFETY: as above.
        unsafe { ffi::PyMem_Realloc(list.ob_item.cast(), bytes) }
    };
    if grown.is_null() {
        return false;
    }
    list.ob_item = grown.cast();
    list.allocated = room.cast_signed();
    true
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

/// An instance of a subclass of dict, made by dict's own `__new__`, with the items of a dict: what the `__init__` of
/// `Counter` makes of one, in a fifth of the time. Any other class is called.
pub fn dict_of<'py>(
    py: Python<'py>,
    class: &Bound<'py, PyType>,
    items: &Value,
) -> PyResult<Bound<'py, PyAny>> {
    let base = &raw const ffi::PyDict_Type;
    // SAFETY: a live type.
    let dict_new = unsafe { (*base).tp_new };
    // SAFETY: a live type.
    let new = unsafe { (*class.as_type_ptr()).tp_new };
    let same = matches!((new, dict_new), (Some(a), Some(b)) if ptr::fn_addr_eq(a, b));
    if !same || !class.is_subclass_of::<PyDict>()? {
        return class.call1((items.bound(py),));
    }
    let object = super::new_object(class, PyTuple::empty(py).as_any(), None)?;
    // SAFETY: an instance of a subclass of dict, and a live object.
    if unsafe { ffi::PyDict_Update(object.as_ptr(), items.object) } < 0 {
        return Err(raised(py));
    }
    Ok(object)
}

/// Whether that is an exact list.
#[inline]
pub fn is_list(value: &Value) -> bool {
    value.is_list()
}

/// Items of an exact list.
#[inline]
pub fn list_len(list: &Value) -> usize {
    debug_assert!(list.is_list());
    // SAFETY: an exact list.
    unsafe { ffi::PyList_GET_SIZE(list.object) }.unsigned_abs()
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
