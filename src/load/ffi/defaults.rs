//! Defaultdicts: dicts with a word more, for what makes the values of missing keys.
//!
//! The class's constructor takes its arguments apart, and hands what is left to dict's. Where that word lies is looked for
//! in one of the interpreter's own.

use std::ptr;

use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple, PyType};

use super::late::Late;
use super::stock::alike;
use super::value::{Make, TRACKED, Value, made};

/// What `CPython` 3.11 to 3.15 have in a defaultdict.
#[repr(C)]
struct Default {
    dict: ffi::PyDictObject,
    factory: *mut PyObject,
}

/// The class whose instances look like that.
struct Layout(Py<PyType>);

static FOUND: Late<Layout> = Late::new();

/// `defaultdict(factory)` of that class: `None` where that is another class than the one whose objects are known, or none
/// are.
#[inline]
pub fn default_dict(
    py: Python<'_>,
    class: &Py<PyAny>,
    factory: &Py<PyAny>,
) -> PyResult<Option<Value>> {
    if FOUND.get().is_none() && !FOUND.learn(py, || Layout::found(class.bind(py)))? {
        return Ok(None);
    }
    match FOUND.get() {
        Some(found) if found.0.as_ptr() == class.as_ptr() => found.make(py, factory).map(Some),
        _ => Ok(None),
    }
}

/// Whether the way is open, once it was asked for.
pub(super) fn learn_defaults(py: Python<'_>) -> PyResult<bool> {
    FOUND.learn(py, || {
        Layout::found(&py.import("collections")?.getattr("defaultdict")?)
    })
}

impl Layout {
    #[inline]
    fn make(&self, py: Python<'_>, factory: &Py<PyAny>) -> Make {
        let kind = self.0.as_ptr().cast::<ffi::PyTypeObject>();
        let args = PyTuple::empty(py);
        // SAFETY: a live type.
        let new = unsafe { (*kind).tp_new };
        let object = new.map_or(ptr::null_mut(), |new| {
            // SAFETY: dict's own slot, which looks at no argument.
            unsafe { new(kind, args.as_ptr(), ptr::null_mut()) }
        });
        let value = made(py, object, TRACKED)?;
        let object = object.cast::<Default>();
        // SAFETY: a new defaultdict, which has no factory yet; the reference is handed over.
        unsafe { (*object).factory = factory.clone_ref(py).into_ptr() };
        Ok(value)
    }

    fn found(class: &Bound<'_, PyAny>) -> PyResult<Option<Self>> {
        let py = class.py();
        let Ok(class) = class.cast::<PyType>() else {
            return Ok(None);
        };
        // SAFETY: a live type.
        let kind = unsafe { &*class.as_type_ptr() };
        let base = &raw const ffi::PyDict_Type;
        // SAFETY: a live type.
        let dict_new = unsafe { (*base).tp_new };
        let same = matches!((kind.tp_new, dict_new), (Some(a), Some(b)) if ptr::fn_addr_eq(a, b));
        let size = kind.tp_basicsize.unsigned_abs();
        if !same || size != size_of::<Default>() || !class.is_subclass_of::<PyDict>()? {
            return Ok(None);
        }
        let factory = py.get_type::<PyList>();
        let theirs = Value::plain(class.call1((&factory,))?);
        let none = Value::plain(super::new_object(class, PyTuple::empty(py).as_any(), None)?);
        if factory_of(&theirs) != factory.as_ptr() || !factory_of(&none).is_null() {
            return Ok(None);
        }
        let found = Self(class.clone().unbind());
        let ours = found.make(py, &factory.into_any().unbind())?;
        let before = alike(py, &ours, &theirs)?;
        for dict in [&ours, &theirs] {
            let dict = dict.bound(py);
            dict.get_item("missing")?.call_method1("append", (7,))?;
            dict.set_item(1, "one")?;
        }
        let after = alike(py, &ours, &theirs)?;
        Ok((before && after).then_some(found))
    }
}

fn factory_of(dict: &Value) -> *mut PyObject {
    // SAFETY: who asks has an object of that size; words have no invalid bits.
    unsafe { (*dict.object.cast::<Default>()).factory }
}
