//! `SimpleNamespace`s: where they keep the dict that is all they are.

use std::ptr;

use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple, PyType};

use super::late::Late;
use super::value::{Make, TRACKED, Tag, Value, made};

/// What `CPython` 3.11 to 3.15 have in a namespace.
#[repr(C)]
struct Namespace {
    head: PyObject,
    dict: *mut PyObject,
}

/// The class whose instances look like that.
struct Layout(Py<PyType>);

static FOUND: Late<Layout> = Late::new();

/// An empty namespace of that class: `None` where that is another class than the one whose objects are known, or none
/// are.
#[inline]
pub fn namespace(py: Python<'_>, class: &Py<PyAny>) -> PyResult<Option<Value>> {
    if FOUND.get().is_none() && !FOUND.learn(py, || Layout::found(class.bind(py)))? {
        return Ok(None);
    }
    match FOUND.get() {
        Some(found) if found.0.as_ptr() == class.as_ptr() => found.make(py).map(Some),
        _ => Ok(None),
    }
}

/// Whether that is a namespace whose inside is known.
#[inline]
pub fn is_namespace(value: &Value) -> bool {
    FOUND
        .get()
        .is_some_and(|found| found.0.as_ptr() as usize == value.type_address())
}

/// The dict of a namespace.
#[inline]
pub fn namespace_dict(namespace: &Value) -> Value {
    debug_assert!(is_namespace(namespace));
    let namespace = namespace.object.cast::<Namespace>();
    // SAFETY: a namespace, whose dict has been found there.
    let object = unsafe { (*namespace).dict };
    let info = Tag::Dict as u64 | TRACKED;
    if object.is_null() {
        return Value::default();
    }
    // SAFETY: a live object.
    unsafe { ffi::Py_INCREF(object) };
    Value { object, info }
}

/// Whether the way is open, once it was asked for.
pub(super) fn learn_namespaces(py: Python<'_>) -> PyResult<bool> {
    FOUND.learn(py, || {
        Layout::found(&py.import("types")?.getattr("SimpleNamespace")?)
    })
}

impl Layout {
    #[inline]
    fn make(&self, py: Python<'_>) -> Make {
        let kind = self.0.as_ptr().cast::<ffi::PyTypeObject>();
        let args = PyTuple::empty(py);
        // SAFETY: a live type.
        let new = unsafe { (*kind).tp_new };
        let object = new.map_or(ptr::null_mut(), |new| {
            // SAFETY: its own slot, which looks at no argument.
            unsafe { new(kind, args.as_ptr(), ptr::null_mut()) }
        });
        made(py, object, TRACKED)
    }

    fn found(class: &Bound<'_, PyAny>) -> PyResult<Option<Self>> {
        let py = class.py();
        let Ok(class) = class.cast::<PyType>() else {
            return Ok(None);
        };
        // SAFETY: a live type.
        let kind = unsafe { &*class.as_type_ptr() };
        if kind.tp_basicsize.unsigned_abs() != size_of::<Namespace>() || kind.tp_itemsize != 0 {
            return Ok(None);
        }
        let found = Self(class.clone().unbind());
        let (ours, theirs) = (found.make(py)?, Value::plain(class.call0()?));
        for namespace in [&ours, &theirs] {
            let attributes = namespace.bound(py).getattr("__dict__")?;
            let at = namespace.object.cast::<Namespace>();
            // SAFETY: as large as that; words have no invalid bits.
            let there = unsafe { (*at).dict };
            if there != attributes.as_ptr() || !attributes.is_exact_instance_of::<PyDict>() {
                return Ok(None);
            }
            attributes.set_item("name", 7)?;
        }
        Ok(super::stock::alike(py, &ours, &theirs)?.then_some(found))
    }
}
