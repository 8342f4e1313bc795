//! What the loader must know of a class, found once: whose `__new__`, whose `__setstate__`, which attributes state may
//! set, and whether any Python code of its own can run. From that follows what a class given plainly is granted.

use std::collections::BTreeSet;

use pyo3::exceptions::PyBaseException;
use pyo3::prelude::*;
use pyo3::types::{
    PyByteArray, PyBytes, PyComplex, PyDict, PyFloat, PyFrozenSet, PyInt, PyList, PySet, PyString,
    PyTuple, PyType,
};

use super::ways::{
    Latest, Seen, each_attribute, generated_setstate, has_stock_metaclass, namedtuple_fields, owner,
};
use crate::policy::{Contract, Fields, Grant, Rights};

/// What the loader must know of an entry's object.
#[derive(Debug, Default)]
pub struct Shape {
    /// It is a class, and no other callable or value.
    pub is_class: bool,
    /// It is an Enum class: members are looked up, never computed.
    pub is_enum: bool,
    /// The table of members by value, where looking one up runs no Python code: a stock metaclass, and keys that are
    /// all int or str.
    pub members: Option<Py<PyDict>>,
    /// As it was when the policy met the class.
    setter: Setter,
    latest: Latest,
}

/// Which `__setstate__` sets the state of an instance.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Setter {
    /// None: it is set by key.
    #[default]
    None,
    /// `BaseException`'s, which sets by key too.
    Exception,
    /// One of the class or a base of its, be it the one that `dataclasses` writes, which sets fields past a `__setattr__`
    /// but not past a descriptor.
    Code,
}

impl Shape {
    /// Looks at an object, without running code of its own.
    pub fn of(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        let Ok(class) = object.cast::<PyType>() else {
            return Ok(Self::default());
        };
        let py = object.py();
        let is_exception = class.is_subclass_of::<PyBaseException>()?;
        let enums = py.import("enum")?;
        let is_enum = class.is_subclass(&enums.getattr("Enum")?)?;
        let is_stock = is_enum && class.get_type().is(enums.getattr("EnumType")?);
        let latest = Latest::default();
        Ok(Self {
            is_class: true,
            is_enum,
            members: if is_stock {
                super::native::enums::plain_members(class)
            } else {
                None
            },
            setter: match (latest.look(class)?.has_setstate, is_exception) {
                (true, _) => Setter::Code,
                (false, true) => Setter::Exception,
                (false, false) => Setter::None,
            },
            latest,
        })
    }

    /// The quick ways that the entry's class allows as it is now.
    pub fn seen(&self, class: &Bound<'_, PyType>) -> PyResult<Seen> {
        self.latest.look(class)
    }

    /// What sets the state of an instance of a class now.
    pub fn setter(&self, class: &Bound<'_, PyType>) -> PyResult<Setter> {
        Ok(match self.setter {
            // A class that was given one after the policy met it: `pickle` would call it, and nobody counted on it.
            Setter::None if self.latest.look(class)?.has_setstate => Setter::Code,
            setter => setter,
        })
    }

    /// What the object is granted when it is allowed plainly: what its own pickles need, and no more.
    pub fn grant(&self, object: &Bound<'_, PyAny>) -> PyResult<Grant> {
        match object.cast::<PyType>() {
            Ok(class) => self.class_grant(class),
            Err(_) if object.is_callable() => Ok(Grant::of(Rights::REFERENCE.union(Rights::CALL))),
            Err(_) => Ok(Grant::reference()),
        }
    }

    fn class_grant(&self, class: &Bound<'_, PyType>) -> PyResult<Grant> {
        if self.is_enum {
            // A member is called by its value, and looked up; nothing is made and nothing is given state.
            let mut grant = Grant::of(Rights::REFERENCE.union(Rights::CALL));
            grant.call = contract("(any)");
            return Ok(grant);
        }
        let object = class.py().get_type::<PyAny>();
        let overridden = |name: &str| {
            Ok::<_, PyErr>(owner(class, name)?.is_some_and(|owner| !owner.is(&object)))
        };
        let mut rights = Rights::REFERENCE.union(Rights::NEW).union(Rights::STATE);
        let reduces =
            overridden("__reduce__")? || overridden("__reduce_ex__")? || in_dispatch_table(class)?;
        if reduces {
            rights.insert(Rights::CALL);
        }
        if class.is_subclass_of::<PyList>()?
            || reduces && (class.hasattr("append")? || class.hasattr("extend")?)
        {
            rights.insert(Rights::APPEND);
        }
        if class.is_subclass_of::<PyDict>()? || reduces && class.hasattr("__setitem__")? {
            rights.insert(Rights::ITEMS);
        }
        let fields = match generated_setstate(class)? {
            Some(names) => Fields::Values(names.len()),
            None if self.setter == Setter::Code => Fields::Setstate,
            None => state_fields(class)?,
        };
        Ok(Grant {
            rights,
            call: call_contract(class)?,
            new: new_contract(class)?,
            fields,
            runs_code: runs_code(class)?,
        })
    }
}

fn in_dispatch_table(class: &Bound<'_, PyType>) -> PyResult<bool> {
    class
        .py()
        .import("copyreg")?
        .getattr("dispatch_table")?
        .contains(class)
}

fn contract(text: &str) -> Contract {
    Contract::parse(text).unwrap_or_else(|_| Contract::no_arguments())
}

/// How many values a namedtuple has, if `__new__` is the one that `collections` generated for `owner`.
fn namedtuple_length(owner: &Bound<'_, PyAny>) -> PyResult<Option<usize>> {
    let dict = owner.getattr("__dict__")?;
    for name in ["_fields", "_make", "_field_defaults"] {
        if !dict.contains(name)? {
            return Ok(None);
        }
    }
    match dict.get_item("_fields")?.cast_exact::<PyTuple>() {
        Ok(fields) => Ok(Some(fields.len())),
        Err(_) => Ok(None),
    }
}

/// Arguments of `__new__`, from whose `__new__` it is: `object`'s takes none, a builtin base's takes its value.
fn new_contract(class: &Bound<'_, PyType>) -> PyResult<Contract> {
    let Some(owner) = owner(class, "__new__")? else {
        return Ok(Contract::no_arguments());
    };
    let py = class.py();
    if let Some(length) = namedtuple_length(&owner)? {
        return Ok(contract(&format!("({})", vec!["any"; length].join(", "))));
    }
    let text = if owner.is(py.get_type::<PyInt>()) {
        "() | (int)"
    } else if owner.is(py.get_type::<PyString>()) {
        "() | (str)"
    } else if owner.is(py.get_type::<PyFloat>()) {
        "() | (float)"
    } else if owner.is(py.get_type::<PyBytes>()) {
        "() | (bytes)"
    } else if owner.is(py.get_type::<PyTuple>()) {
        "() | (tuple)"
    } else if owner.is(py.get_type::<PyComplex>()) {
        "() | (float, float) | (complex)"
    } else if [
        py.get_type::<PyAny>(),
        py.get_type::<PyList>(),
        py.get_type::<PyDict>(),
        py.get_type::<PySet>(),
        py.get_type::<PyFrozenSet>(),
        py.get_type::<PyByteArray>(),
    ]
    .iter()
    .any(|base| owner.is(base))
    {
        "()"
    } else {
        return Ok(Contract::anything());
    };
    Ok(contract(text))
}

/// Arguments of a call, where `__reduce__` is a builtin base's; a class's own `__reduce__` may say anything.
fn call_contract(class: &Bound<'_, PyType>) -> PyResult<Contract> {
    let py = class.py();
    let reducer = match owner(class, "__reduce_ex__")? {
        Some(owner) if !owner.is(py.get_type::<PyAny>()) => Some(owner),
        _ => owner(class, "__reduce__")?,
    };
    let constructs = owner(class, "__init__")?;
    Ok(match reducer {
        Some(reducer)
            if reducer.is(py.get_type::<PySet>()) || reducer.is(py.get_type::<PyFrozenSet>()) =>
        {
            let own_init = constructs
                .is_some_and(|init| !init.is(&reducer) && !init.is(py.get_type::<PyAny>()));
            if own_init {
                Contract::anything()
            } else {
                contract("(list)")
            }
        }
        _ => Contract::anything(),
    })
}

/// Keys that state may set. Without a `__dict__`: the slots. With one: anything that is no method, property or other
/// descriptor of the class, which an attribute would shadow; a cached property's own value is an attribute.
fn state_fields(class: &Bound<'_, PyType>) -> PyResult<Fields> {
    let mut slots = BTreeSet::new();
    let mut shadowed = BTreeSet::new();
    let mut computed = BTreeSet::new();
    let py = class.py();
    let cached = py.import("functools")?.getattr("cached_property")?;
    let types = py.import("types")?;
    let member = types.getattr("MemberDescriptorType")?;
    let getset = types.getattr("GetSetDescriptorType")?;
    each_attribute(class, |name, value| {
        let Some(name) = name.map(String::into_boxed_str) else {
            return Ok(());
        };
        if value.is_instance(&member)? || value.is_instance(&getset)? {
            slots.insert(name);
        } else if value.is_instance(&cached)? {
            computed.insert(name);
        } else if value.get_type().hasattr("__get__")? || value.is_callable() {
            shadowed.insert(name);
        }
        Ok(())
    })?;
    let has_dict = class.getattr("__dictoffset__")?.extract::<isize>()? != 0;
    if !has_dict {
        return Ok(Fields::Only(slots));
    }
    match dataclass_fields(class)? {
        Some(fields) => Ok(Fields::Only(
            fields.into_iter().chain(slots).chain(computed).collect(),
        )),
        None => Ok(Fields::Except(shadowed)),
    }
}

/// The fields of a dataclass whose own code sets no other attributes: it has no `__post_init__`, and neither it nor a
/// base has an `__init__` that is not generated.
fn dataclass_fields(class: &Bound<'_, PyType>) -> PyResult<Option<BTreeSet<Box<str>>>> {
    let own = class.getattr("__dict__")?;
    if !own.contains("__dataclass_fields__")? || class.hasattr("__post_init__")? {
        return Ok(None);
    }
    let object = class.py().get_type::<PyAny>();
    for base in class.mro() {
        if base.is(&object) {
            continue;
        }
        let dict = base.getattr("__dict__")?;
        if !dict.contains("__dataclass_fields__")? && dict.contains("__init__")? {
            return Ok(None);
        }
        if dict.contains("__dataclass_params__")?
            && !dict
                .get_item("__dataclass_params__")?
                .getattr("init")?
                .is_truthy()?
        {
            return Ok(None);
        }
    }
    let names = class.getattr("__dataclass_fields__")?.try_iter()?;
    names
        .map(|name| Ok(name?.extract::<String>()?.into_boxed_str()))
        .collect::<PyResult<_>>()
        .map(Some)
}

/// Names whose Python definition in a class would run while its instances are made, filled or dropped. What hashing
/// would run is asked where hashing happens.
const HOOKS: [&str; 10] = [
    "__new__",
    "__setstate__",
    "__setattr__",
    "__getattribute__",
    "__del__",
    "__setitem__",
    "append",
    "extend",
    "__dict__",
    "__reduce_ex__",
];

/// Whether any Python code of the class's own can run.
fn runs_code(class: &Bound<'_, PyType>) -> PyResult<bool> {
    let py = class.py();
    if !has_stock_metaclass(class)? || in_dispatch_table(class)? {
        return Ok(true);
    }
    let is_exception = class.is_subclass_of::<PyBaseException>()?;
    let getset = py.import("types")?.getattr("GetSetDescriptorType")?;
    let generated = generated_setstate(class)?.is_some();
    for base in class.mro() {
        let dict = base.getattr("__dict__")?;
        let heap = base.getattr("__flags__")?.extract::<u64>()? & (1 << 9) != 0;
        if !heap {
            continue;
        }
        if dict.contains("__reduce__")? {
            return Ok(true);
        }
        let genuine = base
            .cast::<PyType>()
            .is_ok_and(|base| namedtuple_fields(base).is_ok_and(|fields| fields.is_some()));
        for hook in HOOKS {
            let never_runs = match hook {
                "__new__" => genuine,
                // Attributes are set past it, slots only after the inspector has passed; an exception sets by it.
                "__setattr__" => !is_exception,
                "__setstate__" => generated,
                _ => false,
            };
            if never_runs {
                continue;
            }
            if let Ok(value) = dict.get_item(hook) {
                let generated = hook == "__dict__" && value.is_instance(&getset)?;
                if !generated {
                    return Ok(true);
                }
            }
        }
    }
    Ok(false)
}
