//! NEWOBJ, NEWOBJ_EX, INST and OBJ under the policy, and `copyreg`'s spellings of them.
//!
//! A class of the policy is made by its own `__new__`, or by the base that `copyreg._reconstructor` names; each attempt is
//! judged once, with its arguments, before anything happens.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};

use super::ffi::{self, Survey, Tag, Value};
use super::{Fault, PyWorld};
use crate::error::Kind;
use crate::machine::budget::Budget;
use crate::machine::world::{Made, Site};
use crate::policy::{Attempt, EntryId, Meaning, Plan};

impl PyWorld<'_, '_> {
    /// As [`Self::not_callable`], for NEWOBJ and NEWOBJ_EX.
    #[cold]
    fn not_a_class(&self, value: &Value, opcode: &str) -> Fault {
        Kind::BadOperand(format!(
            "{opcode} class argument must be a type, not {}: only a class of the policy may be instantiated",
            self.type_name(value)
        ))
        .into()
    }

    /// NEWOBJ with a tuple that stands on the stack.
    pub(super) fn new_with_tuple(
        &mut self,
        site: Site,
        budget: &mut Budget,
        class: &Value,
        args: &Value,
    ) -> Made<Self> {
        if class.tag() == Tag::Free || self.free {
            return self.new_free(class, args, None, "NEWOBJ");
        }
        self.charge(budget, std::slice::from_ref(args))?;
        let mut items = self.unpack(args, "NEWOBJ")?;
        self.new_instance(site, budget, class, &mut items)
    }

    /// NEWOBJ with its arguments.
    pub(super) fn new_instance(
        &mut self,
        _site: Site,
        budget: &mut Budget,
        class: &Value,
        args: &mut [Value],
    ) -> Made<Self> {
        match class.tag() {
            Tag::Global => {
                let id = EntryId(class.entry());
                self.charge_arguments(budget, id, args)?;
                let unbuilt = !self.judge_plainly(id, Attempt::New(args))?
                    && matches!(self.judge(id, Attempt::New(args))?, Plan::Unbuilt);
                budget.memory(self.policy.entry(id).extra_memory())?;
                let depth = Survey::of(args).depth() + 1;
                budget.depth(depth)?;
                let mut value = self.instance_of(id, unbuilt, args)?;
                value.set_depth(depth);
                Ok(value)
            }
            Tag::Free => {
                let args = ffi::tuple(self.py, args, Survey::of(args))?;
                self.new_free(class, &args, None, "NEWOBJ")
            }
            _ if self.free => {
                let args = ffi::tuple(self.py, args, Survey::of(args))?;
                self.new_free(class, &args, None, "NEWOBJ")
            }
            _ => Err(self.not_a_class(class, "NEWOBJ")),
        }
    }

    /// `cls.__new__(cls, *args)`, judged.
    pub(super) fn instance_of(
        &mut self,
        id: EntryId,
        unbuilt: bool,
        args: &mut [Value],
    ) -> Made<Self> {
        self.prepare(id)?;
        self.settle(args)?;
        let class = self.class(id)?;
        let args = ffi::tuple(self.py, args, Survey::of(args))?;
        let object =
            ffi::new_object(&class, args.bound(self.py), None).map_err(|error| {
                match self.policy.entry(id).meaning {
                    Meaning::Object => error.into(),
                    _ => self.bad_value(error),
                }
            })?;
        let mut value = self.made(object, id);
        if unbuilt {
            value.set_symbolic(true);
        }
        Ok(value)
    }

    /// NEWOBJ_EX.
    pub(super) fn new_with_keywords(
        &mut self,
        site: Site,
        budget: &mut Budget,
        class: &Value,
        args: &Value,
        kwargs: &Value,
    ) -> Made<Self> {
        match class.tag() {
            Tag::Global => {
                self.charge(budget, &[args.share(), kwargs.share()])?;
                let (mut args, kwargs) = (self.unpack(args, "NEWOBJ_EX")?, self.keywords(kwargs)?);
                self.charge_arguments(budget, EntryId(class.entry()), &args)?;
                self.make_with_keywords(site, budget, EntryId(class.entry()), &mut args, &kwargs)
            }
            Tag::Free => self.new_free(class, args, Some(kwargs), "NEWOBJ_EX"),
            _ if self.free => self.new_free(class, args, Some(kwargs), "NEWOBJ_EX"),
            _ => Err(self.not_a_class(class, "NEWOBJ_EX")),
        }
    }

    pub(super) fn make_with_keywords(
        &mut self,
        _site: Site,
        budget: &mut Budget,
        class: EntryId,
        args: &mut [Value],
        kwargs: &[Value],
    ) -> Made<Self> {
        self.judge(class, Attempt::NewEx(args, kwargs))?;
        let depth = Survey::of(args).depth().max(Survey::of(kwargs).depth()) + 1;
        budget.depth(depth)?;
        self.prepare(class)?;
        self.settle(args)?;
        let keywords = PyDict::new(self.py);
        for pair in kwargs.chunks_exact(2) {
            let mut value = pair[1].clone();
            self.materialize(&mut value)?;
            keywords.set_item(pair[0].bound(self.py), value.bound(self.py))?;
        }
        let args = ffi::tuple(self.py, args, Survey::of(args))?;
        let object = ffi::new_object(
            &self.class(class)?,
            args.bound(self.py),
            Some(keywords.as_any()),
        )?;
        let mut value = self.made(object, class);
        value.set_depth(depth);
        Ok(value)
    }

    /// Keywords, flattened to keys and values; every key an exact str.
    pub(super) fn keywords(&self, kwargs: &Value) -> Result<Vec<Value>, Fault> {
        let wrong = || {
            Fault::from(Kind::BadOperand(format!(
                "NEWOBJ_EX kwargs argument must be a dict, not {}",
                self.type_name(kwargs)
            )))
        };
        if !kwargs.has_object() {
            return Err(wrong());
        }
        let object = kwargs.bound(self.py);
        let dict = object.cast_exact::<PyDict>().map_err(|_| wrong())?;
        let mut flat = Vec::new();
        for (key, value) in dict {
            let key = self.classify(key);
            if !key.is_str() {
                return Err(Kind::BadType("NEWOBJ_EX keywords must be strings".into()).into());
            }
            flat.push(key);
            flat.push(self.classify(value));
        }
        Ok(flat)
    }

    /// `copyreg._reconstructor(class, base, state)`: `base.__new__(class, state)`, and `base.__init__` for a container.
    pub(super) fn reconstruct(
        &mut self,
        budget: &mut Budget,
        class: EntryId,
        base: EntryId,
        state: Option<usize>,
        args: &mut [Value],
    ) -> Made<Self> {
        self.prepare(class)?;
        let kind = self.class(class)?;
        let base = self.class(base)?;
        let plan = if self.policy.entry(class).meaning == Meaning::Object {
            Plan::AsIs
        } else {
            self.judge(class, Attempt::New(&[]))?
        };
        let object = match state.and_then(|at| args.get_mut(at)) {
            // `object.__new__`, as it stands: it refuses a class that some other type must make.
            None => base
                .getattr(pyo3::intern!(self.py, "__new__"))?
                .call1((&kind,))
                .map_err(|error| self.bad_base(class, &error))?,
            Some(state) => {
                self.materialize(state)?;
                self.charge(budget, std::slice::from_ref(state))?;
                self.charge_copy(budget, state)?;
                if hashes(&base) {
                    self.price_keys(budget, state, false)?;
                }
                let state = state.bound(self.py);
                let object = base
                    .getattr(pyo3::intern!(self.py, "__new__"))?
                    .call1((&kind, state))?;
                let object_init = self
                    .py
                    .get_type::<PyAny>()
                    .getattr(pyo3::intern!(self.py, "__init__"))?;
                let init = base.getattr(pyo3::intern!(self.py, "__init__"))?;
                if !init.is(&object_init) {
                    init.call1((&object, state))?;
                }
                object
            }
        };
        let mut value = self.made(object, class);
        if plan == Plan::Unbuilt {
            value.set_symbolic(true);
        }
        Ok(value)
    }

    /// `object.__new__` refuses a class that some other type makes.
    #[cold]
    fn bad_base(&self, class: EntryId, error: &PyErr) -> Fault {
        Kind::BadType(format!(
            "copyreg._reconstructor of {} must be given its own base: {}",
            self.policy.entry(class).path(),
            error.value(self.py)
        ))
        .into()
    }

    /// INST and OBJ, as CPython's `instantiate`: a class without arguments is made by `__new__`, anything else is called.
    pub(super) fn instantiate(
        &mut self,
        site: Site,
        budget: &mut Budget,
        class: &Value,
        args: &mut [Value],
    ) -> Made<Self> {
        match class.tag() {
            Tag::Free => self.instantiate_free(class, args),
            _ if self.free => self.instantiate_free(class, args),
            Tag::Global if args.is_empty() && self.is_class(EntryId(class.entry()))? => {
                self.new_instance(site, budget, class, args)
            }
            _ => self.call(site, budget, class, args),
        }
    }

    /// Whether an entry stands for a class: known for natives, looked up for the rest.
    fn is_class(&mut self, id: EntryId) -> Result<bool, Fault> {
        if self.policy.entry(id).meaning != Meaning::Object {
            return Ok(true);
        }
        self.prepare(id)?;
        Ok(self.resolve(id)?.shape.is_class)
    }
}

/// Whether a plain base hashes what it is made of.
fn hashes(base: &Bound<'_, PyType>) -> bool {
    let py = base.py();
    base.is(py.get_type::<pyo3::types::PySet>())
        || base.is(py.get_type::<pyo3::types::PyFrozenSet>())
        || base.is(py.get_type::<PyDict>())
}
