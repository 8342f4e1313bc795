//! OrderedDict's items, deque, defaultdict, array.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use super::super::PyWorld;
use super::super::ffi::{self, Value};
use crate::error::Kind;
use crate::machine::budget::Budget;
use crate::machine::world::{Done, Made};
use crate::policy::{EntryId, Plan};

impl PyWorld<'_, '_> {
    /// SETITEM(S) on an exact `OrderedDict`, judged: as [`Self::fill_dict`], by the type's own `__setitem__`.
    pub(in crate::load) fn fill_ordered(
        &mut self,
        budget: &mut Budget,
        target: &mut Value,
        pairs: &mut [Value],
    ) -> Done<Self> {
        let count = pairs.len() / 2;
        if let Some((template, survey)) = self.desk.templates.find(self.py, pairs)?
            && ffi::takes_template(self.py, target)?
        {
            let depth = Self::nest(budget, survey)?;
            target.set_depth(depth.max(target.depth()));
            let each = self.policy.entry(EntryId(target.entry()));
            budget.memory(each.extra_item_memory() * count as u64)?;
            if template.fill(self.py, target, pairs, survey.tracked())? {
                ffi::link(target, template)?;
                self.took_all = true;
                return Ok(());
            }
        } else {
            self.deepen(budget, target, pairs)?;
            self.charge_items(budget, target, count)?;
        }
        for pair in pairs.chunks_exact(2) {
            let [key, value] = pair else { continue };
            if !key.is_free_key() {
                self.price(budget, target, key)?;
            }
            ffi::ordered_set(self.py, target, key, value)
                .map_err(|error| self.unhashable(error))?;
        }
        Ok(())
    }

    pub(super) fn deque(
        &mut self,
        budget: &mut Budget,
        id: EntryId,
        items: Option<&Value>,
        maxlen: Option<u64>,
    ) -> Made<Self> {
        self.prepare(id)?;
        let class = self.class(id)?;
        let keywords = PyDict::new(self.py);
        keywords.set_item("maxlen", maxlen)?;
        let object = match items {
            Some(items) => {
                self.charge_copy(budget, items)?;
                class.call((items.bound(self.py),), Some(&keywords))
            }
            None => class.call((), Some(&keywords)),
        };
        let object = object.map_err(|error| self.bad_value(error))?;
        let value = self.made(object, id);
        if let Some(items) = items {
            self.chain_inside(budget, &value, items)?;
        }
        Ok(value)
    }

    pub(super) fn default_dict(&mut self, id: EntryId, factory: Option<EntryId>) -> Made<Self> {
        self.prepare(id)?;
        let class = self.class(id)?;
        let object = match factory {
            Some(factory) => class.call1((self.class(factory)?,))?,
            None => class.call0()?,
        };
        Ok(self.made(object, id))
    }

    pub(super) fn array(&mut self, budget: &mut Budget, plan: Plan, args: &[Value]) -> Made<Self> {
        let py = self.py;
        self.ensure_imported("array")?;
        let class = py.import("array")?.getattr("array")?;
        let object = match plan {
            Plan::ArrayItems { typecode, items } => {
                self.charge_copy(budget, &args[items])?;
                class.call1((typecode, args[items].bound(py)))
            }
            Plan::ArrayBytes {
                typecode,
                swap,
                data,
            } => {
                let data = args[data]
                    .bound(py)
                    .cast::<PyBytes>()
                    .map_err(PyErr::from)?;
                budget.memory(data.as_bytes().len() as u64)?;
                let array = class.call1((typecode,))?;
                array
                    .call_method1("frombytes", (data,))
                    .map_err(|error| self.bad_value(error))?;
                if swap {
                    array.call_method0("byteswap")?;
                }
                Ok(array)
            }
            _ => return Err(Kind::Malformed("no array".into()).into()),
        };
        Ok(Value::plain(object.map_err(|error| self.bad_value(error))?))
    }
}
