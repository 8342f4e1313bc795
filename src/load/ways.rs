//! The quick ways to make and fill instances that a class without hooks of its own allows, as the class is now.
//!
//! Any attribute set on a class gives it another version, if only `copyreg`'s cache of slot names when an instance is
//! pickled: what was found of it is found again, and kept until the next change.

use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::PyBaseException;
use pyo3::prelude::*;
use pyo3::types::{PyTuple, PyType};

use super::ffi::{self, Slots};

/// Quick ways to make and fill instances of a class without hooks of its own.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ways {
    /// `object.__new__` makes them.
    pub plain_new: bool,
    /// Attributes may be set one by one: no descriptor is in their way.
    pub attributes: bool,
    /// Slots may be set one by one, through the class's own member descriptors.
    pub slots: bool,
    /// They are a namedtuple's, of so many fields.
    pub namedtuple: Option<usize>,
}

/// A class as it was found.
#[derive(Debug, Clone, Copy, Default)]
pub struct Seen {
    /// The quick ways that its instances allow.
    pub ways: Ways,
    /// It or a base has a `__setstate__` that is not `BaseException`'s.
    pub has_setstate: bool,
    /// Its version then; 0 if the interpreter gives it none.
    pub version: u32,
}

/// What was found last.
#[derive(Debug, Default)]
pub(super) struct Latest(Mutex<Seen>);

impl Latest {
    /// The class as it is now. 150 times as fast as to find it again, where it has not changed: a list of instances of
    /// two classes that were pickled after the policy met them took 15 times as long as `pickle` needs.
    pub fn look(&self, class: &Bound<'_, PyType>) -> PyResult<Seen> {
        let known = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.version != 0 && known.version == ffi::version_of_class(class) {
            return Ok(known);
        }
        // Not under the lock: a metaclass may be asked, and could load something itself.
        let seen = Seen::of(class)?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = seen;
        Ok(seen)
    }
}

impl Seen {
    fn of(class: &Bound<'_, PyType>) -> PyResult<Self> {
        let py = class.py();
        let owner = owner(class, "__setstate__")?;
        let plain = owner
            .as_ref()
            .is_none_or(|owner| owner.is(py.get_type::<PyBaseException>()));
        if class.get_type().is(py.get_type::<PyType>()) {
            // The interpreter gives a class its version when something is looked up in it; nothing has this name.
            class.getattr_opt(pyo3::intern!(py, "0"))?;
        }
        let slots = ffi::slots_of(class);
        Ok(Self {
            ways: ways(class, slots, plain)?,
            has_setstate: !plain,
            version: slots.version,
        })
    }
}

/// The class of the MRO whose own dict has a name.
pub(super) fn owner<'py>(
    class: &Bound<'py, PyType>,
    name: &str,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    for base in class.mro() {
        if base.getattr("__dict__")?.contains(name)? {
            return Ok(Some(base));
        }
    }
    Ok(None)
}

/// Which quick ways a class allows.
fn ways(class: &Bound<'_, PyType>, slots: Slots, plain_setstate: bool) -> PyResult<Ways> {
    if !slots.plain_attributes || !slots.plain_end || !plain_setstate {
        return Ok(Ways::default());
    }
    let py = class.py();
    let types = py.import("types")?;
    let member = types.getattr("MemberDescriptorType")?;
    let getset = types.getattr("GetSetDescriptorType")?;
    let object = py.get_type::<PyAny>();
    let (mut members, mut others) = (false, false);
    for base in class.mro() {
        if base.is(&object) {
            continue;
        }
        for entry in base
            .getattr("__dict__")?
            .call_method0("items")?
            .try_iter()?
        {
            let (name, value): (Bound<'_, PyAny>, Bound<'_, PyAny>) = entry?.extract()?;
            let name = name.extract::<String>().unwrap_or_default();
            if name == "__dict__" || name == "__weakref__" {
                others |= !value.is_instance(&getset)?;
            } else if value.is_instance(&member)? {
                members = true;
            } else {
                let kind = value.get_type();
                others |= kind.hasattr("__set__")? || kind.hasattr("__delete__")?;
            }
        }
    }
    let has_dict = class.getattr("__dictoffset__")?.extract::<isize>()? != 0;
    Ok(Ways {
        plain_new: slots.plain_new,
        attributes: has_dict && !members && !others,
        slots: !has_dict && members && !others,
        namedtuple: namedtuple_fields(class)?,
    })
}

/// The number of fields of a genuine namedtuple: its `__new__` is the one that `collections.namedtuple` writes.
pub(super) fn namedtuple_fields(class: &Bound<'_, PyType>) -> PyResult<Option<usize>> {
    let py = class.py();
    let own = class.getattr("__dict__")?;
    if !class.is_subclass_of::<PyTuple>()?
        || !own.contains("_fields")?
        || !own.contains("__new__")?
    {
        return Ok(None);
    }
    let fields = own.get_item("_fields")?;
    let Ok(fields) = fields.cast_exact::<PyTuple>() else {
        return Ok(None);
    };
    let bases = class.getattr("__bases__")?;
    let slots = own.get_item("__slots__").ok();
    if !bases.eq((py.get_type::<PyTuple>(),))?
        || !slots.is_some_and(|slots| slots.len().is_ok_and(|n| n == 0))
    {
        return Ok(None);
    }
    let count = fields.len();
    let reference = py
        .import("collections")?
        .call_method1("namedtuple", ("Reference", namedtuple_names(count)))?;
    let genuine = match (new_code(class.as_any()), new_code(&reference)) {
        (Ok([code, names, target]), Ok([real_code, real_names, real_target])) => {
            code.eq(&real_code)? && names.eq(&real_names)? && target.is(&real_target)
        }
        _ => false,
    };
    Ok(genuine.then_some(count))
}

fn namedtuple_names(count: usize) -> Vec<String> {
    (0..count).map(|at| format!("f{at}")).collect()
}

/// Code, names and target of a class's Python-level `__new__`.
fn new_code<'py>(class: &Bound<'py, PyAny>) -> PyResult<[Bound<'py, PyAny>; 3]> {
    let new = class.getattr("__new__")?;
    let code = new.getattr("__code__")?;
    let target = new.getattr("__globals__")?.get_item("_tuple_new")?;
    Ok([code.getattr("co_code")?, code.getattr("co_names")?, target])
}
