//! Instances: made through the type's own slots, their attributes set as `object` sets them.

use std::ptr;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyTuple, PyType};

use super::value::{DEPTH_ONE, ENTRY_SHIFT, Make, TRACKED, Tag, Value, made, raised};

/// `cls.__new__(cls, *args, **kwargs)` through the type's own slot.
pub fn new_object<'py>(
    class: &Bound<'py, PyType>,
    args: &Bound<'py, PyAny>,
    kwargs: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = class.py();
    let kind = class.as_type_ptr();
    // SAFETY: a live type.
    let Some(new) = (unsafe { (*kind).tp_new }) else {
        return Err(pyo3::exceptions::PyTypeError::new_err(
            "NEWOBJ class argument has NULL tp_new",
        ));
    };
    let kwargs = kwargs.map_or(ptr::null_mut(), Bound::as_ptr);
    // SAFETY: the slot's own calling convention: a type, a tuple, a dict or null.
    let object = unsafe { new(kind, args.as_ptr(), kwargs) };
    if object.is_null() {
        return Err(raised(py));
    }
    // SAFETY: a new reference.
    Ok(unsafe { Bound::from_owned_ptr(py, object) })
}

/// Sets an attribute as `object.__setattr__` does: past any `__setattr__` of the class.
pub fn generic_set<'py>(
    object: &Bound<'py, PyAny>,
    name: &Bound<'py, PyAny>,
    value: &Bound<'py, PyAny>,
) -> PyResult<()> {
    // SAFETY: live objects.
    if unsafe { ffi::PyObject_GenericSetAttr(object.as_ptr(), name.as_ptr(), value.as_ptr()) } < 0 {
        return Err(raised(object.py()));
    }
    Ok(())
}

/// An attribute as `object.__getattribute__` finds it: past any `__getattr__` of the class.
pub fn generic_get<'py>(
    object: &Bound<'py, PyAny>,
    name: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    // SAFETY: live objects.
    let found = unsafe { ffi::PyObject_GenericGetAttr(object.as_ptr(), name.as_ptr()) };
    if found.is_null() {
        return Err(raised(object.py()));
    }
    // SAFETY: a new reference.
    Ok(unsafe { Bound::from_owned_ptr(object.py(), found) })
}

/// The version of a class, which changes whenever the class or a base does; 0: the interpreter keeps none.
#[inline(always)]
pub fn version_of(class: &Value) -> u32 {
    debug_assert!(class.has_object());
    // SAFETY: the caller keeps a class there.
    unsafe { (*class.object.cast::<ffi::PyTypeObject>()).tp_version_tag }
}

/// As [`version_of`], for a class that is no value of the stream.
#[inline]
pub fn version_of_class(class: &Bound<'_, PyType>) -> u32 {
    // SAFETY: it is a class.
    unsafe { (*class.as_type_ptr()).tp_version_tag }
}

/// Whether that is a class of exceptions that no Python code can change, and whose attributes are set as `object` sets
/// them.
#[inline]
pub fn is_static_exception(class: &Bound<'_, PyAny>) -> bool {
    // SAFETY: a live object.
    if unsafe { ffi::PyType_Check(class.as_ptr()) } == 0 {
        return false;
    }
    let kind = class.as_ptr().cast::<ffi::PyTypeObject>();
    // SAFETY: a live type.
    let flags = unsafe { ffi::PyType_GetFlags(kind) };
    // SAFETY: a live type.
    let set = unsafe { (*kind).tp_setattro };
    let is =
        flags & ffi::Py_TPFLAGS_BASE_EXC_SUBCLASS != 0 && flags & ffi::Py_TPFLAGS_HEAPTYPE == 0;
    is && set
        .is_some_and(|set| ptr::fn_addr_eq(set, ffi::PyObject_GenericSetAttr as ffi::setattrofunc))
}

/// The slots that decide how instances may be made and filled.
#[derive(Debug, Clone, Copy)]
#[allow(clippy::struct_excessive_bools, reason = "each is a slot of its own")]
pub struct Slots {
    /// `tp_new` is `object`'s.
    pub plain_new: bool,
    /// `tp_getattro` is `object`'s.
    pub plain_getattr: bool,
    /// `tp_setattro` is `object`'s.
    pub plain_setattr: bool,
    /// The class keeps no finalizer of its own.
    pub plain_end: bool,
    /// `tp_version_tag`.
    pub version: u32,
}

/// Looks at a class's slots.
pub fn slots_of(class: &Bound<'_, PyType>) -> Slots {
    let kind = class.as_type_ptr();
    let base = &raw const ffi::PyBaseObject_Type;
    // SAFETY: a live type, whose slots are only read and compared.
    let kind = unsafe { &*kind };
    // SAFETY: as above.
    let base = unsafe { &*base };
    let new = match (kind.tp_new, base.tp_new) {
        (Some(a), Some(b)) => ptr::fn_addr_eq(a, b),
        _ => false,
    };
    let get = kind
        .tp_getattro
        .is_some_and(|get| ptr::fn_addr_eq(get, ffi::PyObject_GenericGetAttr as ffi::getattrofunc));
    let set = kind
        .tp_setattro
        .is_some_and(|set| ptr::fn_addr_eq(set, ffi::PyObject_GenericSetAttr as ffi::setattrofunc));
    Slots {
        plain_new: new,
        plain_getattr: get,
        plain_setattr: set,
        plain_end: kind.tp_finalize.is_none() && kind.tp_del.is_none(),
        version: kind.tp_version_tag,
    }
}

/// An instance of a class whose `__new__` is `object`'s.
#[inline]
pub fn plain_instance(py: Python<'_>, class: &Value, entry: u32) -> Make {
    let kind = class.object.cast::<ffi::PyTypeObject>();
    let base = &raw const ffi::PyBaseObject_Type;
    // SAFETY: `object` itself, which lives as long as the process.
    let base = unsafe { &*base };
    let args = PyTuple::empty(py);
    let object = base.tp_new.map_or(ptr::null_mut(), |new| {
        // SAFETY: the caller keeps a class there; `args` is an exact tuple, and no keywords are given.
        unsafe { new(kind, args.as_ptr(), ptr::null_mut()) }
    });
    made(
        py,
        object,
        Tag::Fresh as u64 | TRACKED | DEPTH_ONE | u64::from(entry) << ENTRY_SHIFT,
    )
}

/// What a class's own `tp_alloc` gives, with room for so many items: nothing behind the header.
///
/// # Safety
/// It is a class, whose instances may have so many items.
#[inline]
pub(super) unsafe fn allocated(
    py: Python<'_>,
    class: *mut ffi::PyObject,
    items: isize,
) -> PyResult<*mut ffi::PyObject> {
    let kind = class.cast::<ffi::PyTypeObject>();
    // SAFETY: the caller's word.
    let alloc = unsafe { (*kind).tp_alloc };
    let object = alloc.map_or(ptr::null_mut(), |alloc| {
        // SAFETY: the type's own slot.
        unsafe { alloc(kind, items) }
    });
    if object.is_null() {
        return Err(raised(py));
    }
    Ok(object)
}

/// An instance of a subclass of tuple that adds no fields, of the items, which are moved into it.
#[inline]
pub fn tuple_instance(py: Python<'_>, class: &Value, items: &mut [Value], entry: u32) -> Make {
    // SAFETY: the caller keeps a class there: a subclass of tuple, which takes the number of items.
    let object = unsafe { allocated(py, class.object, items.len().cast_signed()) }?;
    for (at, item) in items.iter_mut().enumerate() {
        // SAFETY: a new tuple of this length; the reference is handed over.
        unsafe { ffi::PyTuple_SET_ITEM(object, at.cast_signed(), item.take_object()) }
    }
    Ok(Value {
        object,
        info: Tag::Fresh as u64 | TRACKED | u64::from(entry) << ENTRY_SHIFT,
    })
}

/// Sets an attribute as `object.__setattr__` does.
#[inline]
pub fn set_attribute(py: Python<'_>, object: &Value, name: &Value, value: &Value) -> PyResult<()> {
    // SAFETY: live objects, the name an exact str.
    if unsafe { ffi::PyObject_GenericSetAttr(object.object, name.object, value.object) } < 0 {
        return Err(raised(py));
    }
    Ok(())
}
