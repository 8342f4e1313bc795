//! The exceptions of `builtins`: C types that keep what they are given, called and given state without a plan in between.
//!
//! The way through `judge` and `carry_out` is the definition, as for [`super::direct`]: the contract is asked, the charges
//! are the same, and whatever is unusual takes the long way.

use pyo3::exceptions::PyBaseException;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};

use super::super::ffi::{self, Survey, Tag, Value};
use super::super::{Fault, PyWorld};
use super::direct::LONG;
use crate::error::Kind;
use crate::machine::budget::Budget;
use crate::machine::world::{Done, Made};
use crate::policy::{Attempt, Entry, EntryId, Meaning, Policy, Rights};

/// Whether an entry is a class of `builtins` that may be called, and whose arguments a contract looks at no further than
/// from outside.
pub fn is_callable_builtin(policy: &Policy, entry: &Entry) -> bool {
    !policy.is_unrestricted()
        && entry.meaning == Meaning::Object
        && &*entry.module == "builtins"
        && !entry.runs_code()
        && !entry.reads_arguments()
        && entry.numpy().is_none()
        && entry
            .grant()
            .is_some_and(|grant| grant.rights.contains(Rights::CALL))
}

impl<'py> PyWorld<'_, 'py> {
    /// REDUCE of such a class, where it is an exception. A hole: the long way.
    #[inline]
    pub(in crate::load) fn call_exception(
        &mut self,
        budget: &mut Budget,
        callable: &Value,
        args: &mut [Value],
    ) -> Made<Self> {
        let id = EntryId(callable.entry());
        if callable.tag() != Tag::Global || !self.cache.is_callable_builtin(id) {
            return LONG;
        }
        self.make_exception(budget, id, args)
    }

    #[inline(never)]
    fn make_exception(
        &mut self,
        budget: &mut Budget,
        id: EntryId,
        args: &mut [Value],
    ) -> Made<Self> {
        let py = self.py;
        // What is not resolved yet must be looked up, and may have to wait for the inspector.
        let Some(resolved) = self.cache.get(py, id) else {
            return LONG;
        };
        let class = resolved.object.bind(py);
        let survey = Survey::of(args);
        if survey.symbolic() || !ffi::is_static_exception(class) {
            return LONG;
        }
        let holds = |grant: &crate::policy::Grant| grant.call.check(self, args, &[]).is_ok();
        if !self.policy.entry(id).grant().is_some_and(holds) {
            return LONG;
        }
        let depth = survey.depth() + 1;
        budget.depth(depth)?;
        let args = ffi::tuple(py, args, survey)?;
        let args = args.bound(py).cast::<PyTuple>().map_err(PyErr::from)?;
        let object = class.call1(args)?;
        let mut value = self.returned(object);
        if value.depth() < depth {
            value.set_depth(depth);
        }
        Ok(value)
    }

    /// Whether that is an exception made just now, whose state `BaseException.__setstate__` would set by key.
    #[inline]
    pub(in crate::load) fn is_new_exception(&mut self, object: &Value) -> bool {
        object.tag() == Tag::Fresh
            && self.cache.is_callable_builtin(EntryId(object.entry()))
            && object.has_object()
            && (self.desk.met.exception == object.type_address() || self.meet_exception(object))
    }

    #[cold]
    fn meet_exception(&mut self, object: &Value) -> bool {
        let py = self.py;
        let class: Bound<'_, PyType> = object.bound(py).get_type();
        let name = pyo3::intern!(py, "__setstate__");
        let base = py.get_type::<PyBaseException>();
        let stock = ffi::is_static_exception(class.as_any())
            && match (class.getattr(name), base.getattr(name)) {
                (Ok(own), Ok(base)) => own.is(&base),
                _ => false,
            };
        if stock {
            self.desk.met.exception = object.type_address();
        }
        stock
    }

    /// BUILD of such an exception with alternating names and values. Whether all names are such as it may have: where one
    /// is not, nothing was done.
    pub(in crate::load) fn fill_exception(
        &mut self,
        budget: &mut Budget,
        object: &mut Value,
        pairs: &mut [Value],
    ) -> Result<bool, Fault> {
        let id = EntryId(object.entry());
        if !self.may_set_all(id, pairs) {
            return Ok(false);
        }
        let survey = self.settle(pairs)?;
        let depth = Self::nest(budget, survey)? + 1;
        budget.depth(depth)?;
        object.set_depth(depth.max(object.depth()));
        self.chain(budget, object, pairs)?;
        self.set_attributes_of(object, pairs)?;
        object.set_tag(Tag::Made);
        Ok(true)
    }

    /// As [`Self::fill_exception`], with a dict that was made.
    pub(in crate::load) fn build_exception(
        &mut self,
        budget: &mut Budget,
        object: &mut Value,
        state: &Value,
    ) -> Done<Self> {
        for (key, value) in self.begin_state(budget, object, state)? {
            ffi::set_attribute(self.py, object, &Value::plain(key), &Value::plain(value))?;
        }
        object.set_tag(Tag::Made);
        Ok(())
    }

    /// What [`Self::give_state`] does before it sets anything by key: judges the keys of a dict, notes the nesting, and
    /// charges.
    pub(super) fn begin_state(
        &mut self,
        budget: &mut Budget,
        object: &mut Value,
        state: &Value,
    ) -> Result<Bound<'py, PyDict>, Fault> {
        let id = EntryId(object.entry());
        self.charge_state(budget, state)?;
        let pairs = state.bound(self.py).cast_exact::<PyDict>();
        let pairs = pairs.map_err(|_| Kind::StateNotDict)?.clone();
        let may_be_set = |key: &Bound<'_, PyAny>| {
            let key = key.cast_exact::<PyString>().ok();
            key.and_then(|key| key.to_str().ok())
                .is_some_and(|key| self.policy.may_set(id, key).is_ok())
        };
        if !pairs.iter().all(|(key, _)| may_be_set(&key)) {
            // Who knows why is asked.
            self.judge(id, Attempt::State(state))?;
        }
        self.nest_state(budget, object, state)?;
        Ok(pairs)
    }

    fn set_attributes_of(&self, object: &Value, pairs: &[Value]) -> Done<Self> {
        for pair in pairs.chunks_exact(2) {
            let [key, value] = pair else { continue };
            ffi::set_attribute(self.py, object, key, value)?;
        }
        Ok(())
    }
}
