//! BUILD: state for an instance that this stream made, once.
//!
//! `__setstate__` is looked up on the type, keys are exact strings and no dunder names, slots are set through the type.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::ffi::{self, Tag, Value};
use super::shape::Setter;
use super::{Fault, PyWorld, Symbol};
use crate::error::Kind;
use crate::machine::budget::Budget;
use crate::machine::world::{Done, Site};
use crate::policy::{Attempt, EntryId, Look, Meaning, Plan, View};

impl<'py> PyWorld<'_, 'py> {
    pub(super) fn give_state(
        &mut self,
        site: Site,
        budget: &mut Budget,
        object: &mut Value,
        mut state: Value,
    ) -> Done<Self> {
        if object.tag() == Tag::Free || self.free {
            self.materialize(object)?;
            return self.build_free(object, &state);
        }
        if self.desk.met.numpy.is_some()
            && object.tag() == Tag::Fresh
            && self.give_numpy_state(budget, object, &state)?
        {
            return Ok(());
        }
        let id = match object.tag() {
            Tag::Fresh | Tag::Made => EntryId(object.entry()),
            Tag::Global => return Err(self.never_written(EntryId(object.entry()), "given state")),
            Tag::Symbol => return self.build_partial(object, &state),
            _ => {
                if !self.may_be_state(&state) {
                    return Err(Kind::StateNotDict.into());
                }
                let what = self.describe(object);
                return Err(Kind::BadTarget(format!(
                    "BUILD on {what}: only an instance that this stream made may be given state"
                ))
                .into());
            }
        };
        let _ = site;
        if state.tag() == Tag::Dict
            && self.policy.entry(id).meaning == Meaning::Object
            && self.takes_quickly(object, false)
        {
            return self.set_quickly_from(budget, object, &state);
        }
        if state.tag() == Tag::List && self.set_fields(budget, object, &state)? {
            return Ok(());
        }
        self.charge_state(budget, &state)?;
        if object.tag() == Tag::Fresh && self.build_uuid(budget, id, object, &state)? {
            return Ok(());
        }
        let plan = if self.judge_plainly(id, Attempt::State(&state))? {
            None
        } else {
            Some(self.judge(id, Attempt::State(&state))?)
        };
        if object.tag() == Tag::Made && !self.policy.may_build_again(id) {
            return Err(self.built_before(id));
        }
        self.materialize(&mut state)?;
        self.nest_state(budget, object, &state)?;
        match plan {
            None => self.set_state(id, object, &state)?,
            Some(Plan::AsIs) if self.policy.entry(id).meaning == Meaning::Object => {
                self.set_state(id, object, &state)?;
            }
            Some(Plan::AsIs) => self.set_attributes(object.bound(self.py), state.bound(self.py))?,
            Some(plan) => self.set_native_state(plan, object, &state)?,
        }
        if object.tag() == Tag::Fresh {
            object.set_tag(Tag::Made);
        }
        object.set_symbolic(false);
        Ok(())
    }

    /// Whether all names of alternating names and values are such as an instance of that entry may be given.
    pub(super) fn may_set_all(&self, id: EntryId, pairs: &[Value]) -> bool {
        pairs
            .iter()
            .step_by(2)
            .all(|key| match key.has_object().then(|| self.view(key)) {
                Some(View::Str(name)) => self.policy.may_set(id, name).is_ok(),
                _ => false,
            })
    }

    /// Whether a value has the form of a state that is set by key.
    fn may_be_state(&self, state: &Value) -> bool {
        matches!(
            self.view(state),
            View::None | View::Dict(_) | View::Tuple(2)
        )
    }

    #[cold]
    fn built_before(&self, id: EntryId) -> Fault {
        let entry = self.policy.entry(id);
        Kind::ForbiddenCall {
            module: entry.module.to_string(),
            name: entry.name.to_string(),
            attempt: "given state",
            why: "an instance is given state once, by the opcodes that made it".into(),
        }
        .into()
    }

    /// `functools.partial(cls.__new__, …)` gets the class and its arguments as state.
    fn build_partial(&mut self, object: &mut Value, state: &Value) -> Done<Self> {
        let Some(Symbol::Partial(id)) = self.symbol_of(object) else {
            return Err(Kind::BadTarget("BUILD on arguments of a call".into()).into());
        };
        let Plan::PartialNew { class } = self.judge(*id, Attempt::State(state))? else {
            return Err(Kind::BadTarget("BUILD on a functools.partial".into()).into());
        };
        let args = self.item(state, 1).unwrap_or_default();
        let count = match self.view(&args) {
            View::Tuple(count) => count,
            _ => 0,
        };
        let args = (1..count).filter_map(|at| self.item(&args, at)).collect();
        let keywords = self
            .item(state, 2)
            .map(|keywords| self.pairs(&keywords))
            .unwrap_or_default();
        let keywords = keywords
            .into_iter()
            .flat_map(|(key, value)| [key, value])
            .collect();
        *object = self.symbol(Symbol::PartialNew(class, args, keywords));
        Ok(())
    }

    /// State of an allowed class, as `pickle` gives it.
    fn set_state(&mut self, id: EntryId, object: &Value, state: &Value) -> Done<Self> {
        self.prepare(id)?;
        let resolved = self.resolve(id)?;
        let instance = object.bound(self.py);
        let class = instance.get_type();
        let setter = resolved.shape.setter(&class)?;
        let runs_code = match setter {
            Setter::Code => true,
            Setter::Exception => false,
            // A slot's value could be given to Python code.
            Setter::None => {
                matches!(self.view(state), View::Tuple(2))
                    && resolved.shape.seen(&class)?.guarded_setattr
            }
        };
        if runs_code {
            self.ensure_checked()?;
        }
        if setter != Setter::None {
            // Interned: the interpreter looks no other text up in its cache of methods (1,100 instructions less).
            let setstate = class.getattr(pyo3::intern!(self.py, "__setstate__"))?;
            setstate.call1((instance, state.bound(self.py)))?;
            return Ok(());
        }
        self.set_attributes(instance, state.bound(self.py))
    }

    /// The default `__setstate__`: a dict for `__dict__`, or a pair whose second is for slots. Keys were judged.
    fn set_attributes(
        &self,
        instance: &Bound<'py, PyAny>,
        state: &Bound<'py, PyAny>,
    ) -> Done<Self> {
        let (state, slots) = match state.cast_exact::<PyTuple>() {
            Ok(pair) if pair.len() == 2 => (pair.get_item(0)?, Some(pair.get_item(1)?)),
            _ => (state.clone(), None),
        };
        if !state.is_none() {
            let state = state
                .cast_exact::<PyDict>()
                .map_err(|_| Kind::StateNotDict)?;
            let name = pyo3::intern!(self.py, "__dict__");
            let Some(attributes) = instance.getattr_opt(name)? else {
                return Err(Kind::BadContainer(format!(
                    "state is a dict, and an instance of {} must be given slots only",
                    instance.get_type().name()?
                ))
                .into());
            };
            for (key, value) in state {
                let mut key = Value::plain(key);
                ffi::intern(&mut key);
                attributes.set_item(key.bound(self.py), value)?;
            }
        }
        if let Some(slots) = slots.filter(|slots| !slots.is_none()) {
            let slots = slots
                .cast_exact::<PyDict>()
                .map_err(|_| Kind::SlotStateNotDict)?;
            for (key, value) in slots {
                instance.setattr(
                    key.cast::<pyo3::types::PyString>().map_err(PyErr::from)?,
                    value,
                )?;
            }
        }
        Ok(())
    }
}
