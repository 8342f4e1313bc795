//! Enum members, found in the class's own tables: no `_missing_`, no metaclass call.

use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyString};

use super::super::ffi::Value;
use super::super::{Fault, PyWorld};
use crate::error::Kind;
use crate::machine::world::Made;
use crate::policy::EntryId;

fn table<'py>(
    class: &Bound<'py, PyAny>,
    name: &Bound<'py, PyString>,
) -> Option<Bound<'py, PyDict>> {
    class.getattr(name).ok()?.cast_into::<PyDict>().ok()
}

/// The member with that value; of a Flag also a combination within its mask.
pub fn member<'py>(
    class: &Bound<'py, PyAny>,
    value: &Bound<'py, PyAny>,
) -> Result<Bound<'py, PyAny>, Fault> {
    match find(class, value) {
        Some(Found::Member(member)) => Ok(member),
        Some(Found::Combination) => Ok(class.call1((value,))?),
        None => Err(Kind::BadValue(format!(
            "no member of {} has that value, and an Enum is only looked up",
            class.getattr("__qualname__")?
        ))
        .into()),
    }
}

/// The members by their values, if all of those are exact int or str: an int or a str is found among them without any
/// code of a class.
pub fn plain_members(class: &Bound<'_, PyAny>) -> Option<Py<PyDict>> {
    let members = table(class, pyo3::intern!(class.py(), "_value2member_map_"))?;
    let plain = |value: &Bound<'_, PyAny>| {
        value.is_exact_instance_of::<PyInt>() || value.is_exact_instance_of::<PyString>()
    };
    let all = members.iter().all(|(value, _)| plain(&value));
    all.then(|| members.unbind())
}

enum Found<'py> {
    Member(Bound<'py, PyAny>),
    /// Bits of a Flag's mask: the member is made by the `enum` module itself.
    Combination,
}

fn find<'py>(class: &Bound<'py, PyAny>, value: &Bound<'py, PyAny>) -> Option<Found<'py>> {
    if let Ok(Some(member)) =
        table(class, pyo3::intern!(class.py(), "_value2member_map_"))?.get_item(value)
        && same_kind(&member, value)
    {
        return Some(Found::Member(member));
    }
    // Members whose value cannot be hashed are not in that table.
    if let Some(members) = table(class, pyo3::intern!(class.py(), "_member_map_"))
        && !value.is_instance_of::<PyInt>()
    {
        for (_, member) in members {
            let own = member.getattr(pyo3::intern!(member.py(), "_value_")).ok()?;
            if own.get_type().is(value.get_type()) && own.eq(value).ok()? {
                return Some(Found::Member(member));
            }
        }
        return None;
    }
    let mask = class
        .getattr(pyo3::intern!(class.py(), "_flag_mask_"))
        .ok()?;
    let within = value.is_exact_instance_of::<PyInt>()
        && value.ge(0).ok()?
        && mask.bitor(value).ok()?.eq(&mask).ok()?;
    within.then_some(Found::Combination)
}

/// Whether a value is one that a pickle of the member holds: `1.0` and `True` equal 1 and are not it. A value of a type
/// of its own may have been replaced by its `__new__`.
fn same_kind(member: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> bool {
    let number = |object: &Bound<'_, PyAny>| {
        object.is_exact_instance_of::<PyInt>()
            || object.is_exact_instance_of::<PyBool>()
            || object.is_exact_instance_of::<PyFloat>()
    };
    match member.getattr(pyo3::intern!(member.py(), "_value_")) {
        Ok(own) if number(&own) && number(value) => own.get_type().is(value.get_type()),
        _ => true,
    }
}

/// Whether the value is a member's, or within a Flag's mask.
pub fn is_member(class: &Bound<'_, PyAny>, value: &Bound<'_, PyAny>) -> bool {
    find(class, value).is_some()
}

/// The member of that name.
pub fn by_name<'py>(class: &Bound<'py, PyAny>, name: &str) -> Option<Bound<'py, PyAny>> {
    table(class, pyo3::intern!(class.py(), "_member_map_"))?
        .get_item(name)
        .ok()?
}

impl PyWorld<'_, '_> {
    pub(super) fn enum_value(&mut self, id: EntryId, value: &Value) -> Made<Self> {
        self.prepare(id)?;
        // A tuple that holds a name which is no value has no object.
        let mut value = value.share();
        self.materialize(&mut value)?;
        let class = self.resolve(id)?.object.bind(self.py);
        let member = member(class, value.bound(self.py))?;
        Ok(self.made(member, id))
    }

    pub(super) fn enum_name(&mut self, id: EntryId, name: &Value) -> Made<Self> {
        self.prepare(id)?;
        let class = self.resolve(id)?.object.bind(self.py);
        let name: String = name.bound(self.py).extract()?;
        match by_name(class, &name) {
            Some(member) => Ok(self.made(member, id)),
            None => Err(Kind::BadValue(format!(
                "{} has no member of that name, and an Enum is only looked up",
                self.policy.entry(id).path()
            ))
            .into()),
        }
    }

    /// `a | b`, as Python 3.11.0 to 3.11.3 spell a combination of flags.
    pub(super) fn flag_or(&mut self, id: EntryId, a: &Value, b: &Value) -> Made<Self> {
        self.prepare(id)?;
        // What waits for NEWOBJ_EX is called an instance, and has no object yet.
        let mut members = [a.share(), b.share()];
        self.settle(&mut members)?;
        let [a, b] = &members;
        let class = self.resolve(id)?.object.bind(self.py);
        let bits = |value: &Value| {
            value
                .bound(self.py)
                .getattr(pyo3::intern!(self.py, "_value_"))
                .and_then(|value| value.extract::<u64>())
        };
        let (Ok(a), Ok(b)) = (bits(a), bits(b)) else {
            return Err(Kind::BadValue("flags are combined from members".into()).into());
        };
        let value = (a | b).into_pyobject(self.py)?.into_any();
        let member = member(class, &value)?;
        Ok(self.made(member, id))
    }
}
