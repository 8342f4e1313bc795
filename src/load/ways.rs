//! The quick ways to make and fill instances that a class without hooks of its own allows, as the class is now.
//!
//! Any attribute set on a class gives it another version, if only `copyreg`'s cache of slot names when an instance is
//! pickled: what was found of it is found again, and kept until the next change.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use pyo3::exceptions::PyBaseException;
use pyo3::prelude::*;
use pyo3::types::{PyTuple, PyType};

use super::ffi;

/// Quick ways to make and fill instances of a class without hooks of its own.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ways {
    /// `object.__new__` makes them.
    pub plain_new: bool,
    /// How their state may be set.
    pub state: States,
    /// They are a namedtuple's, of so many fields.
    pub namedtuple: Option<usize>,
}

/// How the state of instances may be set quickly.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum States {
    /// Not at all.
    #[default]
    None,
    /// Attributes one by one, into the `__dict__`.
    Attributes,
    /// Slots one by one, through the class's own member descriptors.
    Slots,
    /// Fields by their order: the `__setstate__` is the one that `dataclasses` writes for a frozen class with slots.
    Fields,
}

/// A class as it was found.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// The quick ways that its instances allow.
    pub ways: Ways,
    /// It or a base has a `__setstate__` that is not `BaseException`'s.
    pub has_setstate: bool,
    /// `setattr` on an instance may run Python code: a `__setattr__`, or a descriptor that is no slot.
    pub guarded_setattr: bool,
    /// The names at which such a descriptor stands.
    pub guarded: Arc<BTreeSet<Box<str>>>,
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
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.version != 0 && known.version == ffi::version_of_class(class) {
            return Ok(known.clone());
        }
        drop(known);
        // Not under the lock: a metaclass may be asked, and could load something itself.
        let seen = Seen::of(class)?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = seen.clone();
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
        if has_stock_metaclass(class)? {
            // The interpreter gives a class its version when something is looked up in it; nothing has this name.
            class.getattr_opt(pyo3::intern!(py, "0"))?;
        }
        let slots = ffi::slots_of(class);
        let found = Descriptors::of(class)?;
        let state = if !slots.plain_getattr || !slots.plain_end || found.strange {
            States::None
        } else if !plain {
            match generated_setstate(class)? {
                Some(fields) if fields.iter().all(|name| !found.guarded.contains(&**name)) => {
                    States::Fields
                }
                _ => States::None,
            }
        } else {
            let has_dict = class.getattr("__dictoffset__")?.extract::<isize>()? != 0;
            match (has_dict, found.members) {
                (true, false) => States::Attributes,
                (false, true) if slots.plain_setattr => States::Slots,
                _ => States::None,
            }
        };
        let ways = Ways {
            plain_new: slots.plain_new,
            state,
            namedtuple: namedtuple_fields(class)?,
        };
        Ok(Self {
            ways,
            has_setstate: !plain,
            guarded_setattr: !slots.plain_setattr || !found.guarded.is_empty(),
            guarded: Arc::new(found.guarded),
            version: slots.version,
        })
    }
}

/// What stands in a class and its bases for attributes of instances to meet.
#[derive(Debug, Default)]
struct Descriptors {
    /// Slots.
    members: bool,
    /// A `__dict__` or `__weakref__` that is not the interpreter's.
    strange: bool,
    /// Names of others that take part when an attribute is set.
    guarded: BTreeSet<Box<str>>,
}

impl Descriptors {
    fn of(class: &Bound<'_, PyType>) -> PyResult<Self> {
        let py = class.py();
        let types = py.import("types")?;
        let member = types.getattr("MemberDescriptorType")?;
        let getset = types.getattr("GetSetDescriptorType")?;
        let mut found = Self::default();
        each_attribute(class, |name, value| {
            let name = name.unwrap_or_default();
            if name == "__dict__" || name == "__weakref__" {
                found.strange |= !value.is_instance(&getset)?;
            } else if value.is_instance(&member)? {
                found.members = true;
            } else {
                let kind = value.get_type();
                if kind.hasattr("__set__")? || kind.hasattr("__delete__")? {
                    found.guarded.insert(name.into_boxed_str());
                }
            }
            Ok(())
        })?;
        Ok(found)
    }
}

/// The names of the fields, where `__setstate__` is the one that `dataclasses` writes for a frozen class with slots: it
/// takes a list of their values, and sets each by `object.__setattr__`.
pub(super) fn generated_setstate(class: &Bound<'_, PyType>) -> PyResult<Option<Vec<String>>> {
    let py = class.py();
    let Some(generated) = py
        .import("dataclasses")?
        .getattr_opt("_dataclass_setstate")?
    else {
        return Ok(None);
    };
    match class.getattr_opt("__setstate__")? {
        Some(setstate) if setstate.is(&generated) => {
            let fields = py.import("dataclasses")?.call_method1("fields", (class,))?;
            let names = fields
                .try_iter()?
                .map(|field| field?.getattr("name")?.extract());
            Ok(Some(names.collect::<PyResult<_>>()?))
        }
        _ => Ok(None),
    }
}

/// Whether the class's own class is `type` or `ABCMeta`, which take no part in how instances are made and filled.
pub(super) fn has_stock_metaclass(class: &Bound<'_, PyType>) -> PyResult<bool> {
    let (py, meta) = (class.py(), class.get_type());
    Ok(meta.is(py.get_type::<PyType>())
        || meta.is(py.import("abc")?.getattr(pyo3::intern!(py, "ABCMeta"))?))
}

/// Shows every attribute of a class and its bases but `object`, by its name if that is a str, from the class upwards.
pub(super) fn each_attribute(
    class: &Bound<'_, PyType>,
    mut show: impl FnMut(Option<String>, &Bound<'_, PyAny>) -> PyResult<()>,
) -> PyResult<()> {
    let object = class.py().get_type::<PyAny>();
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
            show(name.extract().ok(), &value)?;
        }
    }
    Ok(())
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
