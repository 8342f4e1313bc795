//! REDUCE under the policy, and what a call made.
//!
//! Only names of the policy are called; each attempt is judged once, with its arguments, before anything happens.

use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyComplex, PyDict, PyFrozenSet, PyTuple, PyType};

use super::ffi::{self, Survey, Tag, Value};
use super::{Fault, PyWorld, Symbol};
use crate::error::Kind;
use crate::machine::budget::{Budget, size};
use crate::machine::world::{Made, Site};
use crate::policy::{Attempt, EntryId, Meaning, Plan, Refusal};

impl<'py> PyWorld<'_, 'py> {
    /// Asks the policy. Inlined, for a plan that is copied before it is looked at has to be waited for.
    #[inline(always)]
    pub(super) fn judge(&self, id: EntryId, attempt: Attempt<'_, Value>) -> Result<Plan, Fault> {
        self.policy
            .judge(self, id, attempt)
            .map_err(|refusal| self.refused(id, refusal))
    }

    /// Asks the policy of a real class or function. `false`: of another entry, nothing was asked.
    #[inline]
    pub(super) fn judge_plainly(
        &self,
        id: EntryId,
        attempt: Attempt<'_, Value>,
    ) -> Result<bool, Fault> {
        match self.policy.judge_plainly(self, id, attempt) {
            Some(Ok(())) => Ok(true),
            Some(Err(refusal)) => Err(self.refused(id, refusal)),
            None => Ok(false),
        }
    }

    #[cold]
    pub(super) fn refused(&self, id: EntryId, refusal: Refusal) -> Fault {
        let entry = self.policy.entry(id);
        Kind::ForbiddenCall {
            module: entry.module.to_string(),
            name: entry.name.to_string(),
            attempt: refusal.attempt,
            why: refusal.why,
        }
        .into()
    }

    /// A value where only a name of the policy may stand.
    #[cold]
    fn not_callable(&self, value: &Value) -> Fault {
        let what = self.describe(value);
        Kind::BadType(format!(
            "{what} may not be called: only a class or function of the policy may"
        ))
        .into()
    }

    /// The items of an argument tuple, with their provenance.
    pub(super) fn unpack(&self, args: &Value, opcode: &'static str) -> Result<Vec<Value>, Fault> {
        if let Some(Symbol::Args(items)) = self.symbol_of(args) {
            return Ok(items.clone());
        }
        if args.has_object()
            && let Ok(tuple) = args.bound(self.py).cast_exact::<PyTuple>()
        {
            return Ok(tuple.iter().map(|item| self.classify(item)).collect());
        }
        let got = self.type_name(args);
        Err(match opcode {
            "REDUCE" => Kind::BadType(format!("argument list must be a tuple, not {got}")),
            _ => Kind::BadOperand(format!("{opcode} args argument must be a tuple, not {got}")),
        }
        .into())
    }

    /// REDUCE with a tuple that stands on the stack.
    pub(super) fn call_with_tuple(
        &mut self,
        site: Site,
        budget: &mut Budget,
        callable: &Value,
        args: &Value,
    ) -> Made<Self> {
        if callable.tag() == Tag::Free || self.free {
            return self.call_free(callable, args);
        }
        let depth = args.depth();
        self.charge(budget, std::slice::from_ref(args))?;
        let mut items = self.unpack(args, "REDUCE")?;
        let mut value = self.call_directly(budget, callable, &items, || false)?;
        if value.is_hole() {
            value = self.call(site, budget, callable, &mut items)?;
        }
        self.note_depth(&mut value, depth);
        Ok(value)
    }

    /// What a call made of arguments nested so deep, itself included: bytes and numbers have no depth, a set is as deep as
    /// its list. The inspector counts the same.
    #[inline]
    fn note_depth(&self, value: &mut Value, depth: u32) {
        if !value.has_object() {
            return;
        }
        let depth = match value.tag() {
            Tag::Set => depth.saturating_sub(1).max(1),
            Tag::Plain => {
                let object = value.bound(self.py);
                if object.is_exact_instance_of::<PyFrozenSet>() {
                    depth.saturating_sub(1).max(1)
                } else if object.is_exact_instance_of::<PyBytes>()
                    || object.is_exact_instance_of::<PyComplex>()
                    || object.is_exact_instance_of::<PyByteArray>()
                {
                    return;
                } else {
                    depth
                }
            }
            _ => depth,
        };
        if value.depth() < depth {
            value.set_depth(depth);
        }
    }

    /// REDUCE with its arguments.
    pub(super) fn call(
        &mut self,
        site: Site,
        budget: &mut Budget,
        callable: &Value,
        args: &mut [Value],
    ) -> Made<Self> {
        match callable.tag() {
            Tag::Global => {
                let id = EntryId(callable.entry());
                self.charge_arguments(budget, id, args)?;
                if self.judge_plainly(id, Attempt::Call(args))? {
                    return self.call_plainly(budget, id, args);
                }
                let plan = self.judge(id, Attempt::Call(args))?;
                self.carry_out(site, budget, id, plan, args)
            }
            Tag::Free => {
                let args = ffi::tuple(self.py, args, Survey::of(args))?;
                self.call_free(callable, &args)
            }
            Tag::Symbol => self.call_partial(site, budget, callable, args),
            _ if self.free => {
                let args = ffi::tuple(self.py, args, Survey::of(args))?;
                self.call_free(callable, &args)
            }
            _ => Err(self.not_callable(callable)),
        }
    }

    /// Calls the placeholder of `functools.partial(cls.__new__, cls, …)`, as protocols 2 and 3 spell NEWOBJ_EX.
    fn call_partial(
        &mut self,
        site: Site,
        budget: &mut Budget,
        callable: &Value,
        args: &[Value],
    ) -> Made<Self> {
        match self.symbol_of(callable) {
            Some(Symbol::PartialNew(class, new_args, kwargs)) if args.is_empty() => {
                budget.memory((new_args.len() + kwargs.len()) as u64 * size::REFERENCE)?;
                let (class, mut new_args, kwargs) = (*class, new_args.clone(), kwargs.clone());
                self.make_with_keywords(site, budget, class, &mut new_args, &kwargs)
            }
            _ => Err(self.not_callable(callable)),
        }
    }

    /// Calls a real class or function of which nothing more is known; it was judged.
    fn call_plainly(&mut self, budget: &mut Budget, id: EntryId, args: &mut [Value]) -> Made<Self> {
        let depth = Survey::of(args).depth() + 1;
        budget.depth(depth)?;
        budget.memory(self.policy.entry(id).extra_memory())?;
        let mut value = self.call_object(id, args)?;
        self.note_depth(&mut value, depth);
        Ok(value)
    }

    /// Does what was judged.
    fn carry_out(
        &mut self,
        site: Site,
        budget: &mut Budget,
        id: EntryId,
        plan: Plan,
        args: &mut [Value],
    ) -> Made<Self> {
        let depth = Survey::of(args).depth() + 1;
        budget.depth(depth)?;
        let made = match plan {
            Plan::NewObj { class } | Plan::NewObjEx { class } | Plan::Reconstruct { class, .. } => {
                class
            }
            _ => id,
        };
        budget.memory(self.policy.entry(made).extra_memory() + plan.reads())?;
        let mut value = match plan {
            Plan::AsIs if self.policy.entry(id).meaning == Meaning::Object => {
                self.call_object(id, args)?
            }
            Plan::NewObj { class } => {
                let made = self.judge(class, Attempt::New(&args[1..]))?;
                let unbuilt = matches!(made, Plan::Unbuilt);
                self.instance_of(class, unbuilt, &mut args[1..])?
            }
            Plan::NewObjEx { class } => {
                let (mut new_args, kwargs) = (
                    self.unpack(&args[1], "NEWOBJ_EX")?,
                    self.keywords(&args[2])?,
                );
                self.make_with_keywords(site, budget, class, &mut new_args, &kwargs)?
            }
            Plan::Reconstruct { class, base, state } => {
                self.reconstruct(budget, class, base, state, args)?
            }
            Plan::Attribute(id) => self.mention(id)?,
            Plan::Constructor(id) => self.symbol(Symbol::Constructor(id)),
            Plan::Partial(id) => self.symbol(Symbol::Partial(id)),
            plan => self.build_native(budget, id, plan, args)?,
        };
        self.note_depth(&mut value, depth);
        Ok(value)
    }

    /// Calls the real class or function.
    pub(super) fn call_object(&mut self, id: EntryId, args: &mut [Value]) -> Made<Self> {
        if let Some(member) = self.plain_member(id, args) {
            return Ok(self.returned(member));
        }
        self.prepare(id)?;
        let survey = self.settle(args)?;
        let resolved = self.resolve(id)?;
        let callable = resolved.object.bind(self.py).clone();
        if resolved.shape.is_enum
            && let [value] = args
        {
            return super::native::enums::member(&callable, value.bound(self.py))
                .map(|member| self.returned(member));
        }
        let args = ffi::tuple(self.py, args, survey)?;
        let result = callable.call1(args.bound(self.py).cast::<PyTuple>().map_err(PyErr::from)?)?;
        Ok(self.returned(result))
    }

    /// The member of a stock Enum with an int or a str for its value: found by the interpreter alone, so the inspector
    /// need not have passed.
    fn plain_member(&self, id: EntryId, args: &[Value]) -> Option<Bound<'py, PyAny>> {
        let members = self.cache.get(self.py, id)?.shape.members.as_ref()?;
        match args {
            [value] if value.is_int() || value.is_str() => {
                let found = members.bind(self.py).get_item(value.bound(self.py));
                found.ok().flatten()
            }
            _ => None,
        }
    }

    /// What an allowed callable returned: an instance of a policy class may be built on, a plain value is one, anything
    /// else is somebody else's.
    pub(super) fn returned(&mut self, object: Bound<'py, PyAny>) -> Value {
        if let Some(id) = self.entry_of_type(object.get_type_ptr() as usize) {
            return self.made(object, id);
        }
        let mutable = object.is_exact_instance_of::<pyo3::types::PyList>()
            || object.is_exact_instance_of::<PyDict>()
            || object.is_exact_instance_of::<pyo3::types::PySet>()
            || object.cast::<PyType>().is_ok()
            || object.is_callable();
        if mutable {
            Value::new(object, Tag::External, 0)
        } else {
            Value::plain(object)
        }
    }

    /// An instance that this stream made through an entry.
    pub(super) fn made(&mut self, object: Bound<'py, PyAny>, id: EntryId) -> Value {
        let address = object.get_type_ptr() as usize;
        if self.desk.last_type != (address, id) {
            self.desk.types.insert(address, id);
            self.desk.last_type = (address, id);
        }
        Value::new(object, Tag::Fresh, id.0)
    }
}
