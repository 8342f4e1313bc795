//! OrderedDict's and defaultdict's items, deque, defaultdict, Counter, SimpleNamespace.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use super::super::ffi::{self, Survey, Tag, Value};
use super::super::{Fault, PyWorld};
use super::direct::{LONG, Sort};
use crate::machine::budget::Budget;
use crate::machine::world::{Done, Made, Site};
use crate::policy::{Attempt, EntryId, Meaning, Native, Plan, Rights};

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

    /// `deque()` and `deque((), maxlen)` in one step.
    #[inline(never)]
    pub(super) fn deque_directly(
        &mut self,
        budget: &mut Budget,
        id: EntryId,
        class: &Py<PyAny>,
        args: &[Value],
    ) -> Made<Self> {
        let most = match args {
            [] | [_] => None,
            [_, most] => match ffi::small_int(self.py, most).map(u64::try_from) {
                Some(Ok(most)) => Some(most),
                _ => return LONG,
            },
            _ => return LONG,
        };
        let depth = match args.first() {
            Some(items) if !ffi::is_empty_tuple(self.py, items) => return LONG,
            Some(_) => 2,
            None => 1,
        };
        let Some(value) = ffi::deque(self.py, class, !args.is_empty(), most)? else {
            return LONG;
        };
        budget.depth(depth)?;
        budget.memory(Native::Deque.extra_memory())?;
        Ok(self.met(value, id, depth, Sort::Deque))
    }

    /// APPEND(S) on what is no list: a deque takes its items at once, anything else is judged and asked.
    pub(in crate::load) fn extend_deque(
        &mut self,
        site: Site,
        budget: &mut Budget,
        target: &mut Value,
        items: &mut [Value],
    ) -> Done<Self> {
        if !matches!(target.tag(), Tag::Made | Tag::Fresh) || self.free || !ffi::is_deque(target) {
            return self.extend_other(site, budget, target, items);
        }
        self.allow_filling(target, Attempt::Append, "APPEND")?;
        self.deepen(budget, target, items)?;
        self.chain(budget, target, items)?;
        self.took_all = true;
        if ffi::deque_take(target, items) {
            return Ok(());
        }
        let items = ffi::tuple(self.py, items, Survey::of(items))?;
        Ok(ffi::deque_extend(self.py, target, &items)?)
    }

    pub(super) fn deque(
        &mut self,
        budget: &mut Budget,
        id: EntryId,
        extended: bool,
        items: Option<&Value>,
        maxlen: Option<u64>,
    ) -> Made<Self> {
        self.prepare(id)?;
        let class = self.class(id)?;
        let keywords = PyDict::new(self.py);
        keywords.set_item(pyo3::intern!(self.py, "maxlen"), maxlen)?;
        let object = match items {
            Some(items) => {
                self.charge_copy(budget, items)?;
                class.call((items.bound(self.py),), Some(&keywords))
            }
            // Empty all the same, and its first item stands where it would after the tuple.
            None if extended => class.call((PyTuple::empty(self.py),), Some(&keywords)),
            None => class.call0(),
        };
        let object = object.map_err(|error| self.bad_value(error))?;
        let value = self.made(object, id);
        if let Some(items) = items {
            self.chain_inside(budget, &value, items)?;
        }
        Ok(value)
    }

    /// `defaultdict(factory)` in one step.
    #[inline(never)]
    pub(super) fn default_dict_directly(
        &mut self,
        budget: &mut Budget,
        id: EntryId,
        class: &Py<PyAny>,
        args: &[Value],
    ) -> Made<Self> {
        let [factory] = args else { return LONG };
        if factory.tag() != Tag::Global {
            return LONG;
        }
        let factory = EntryId(factory.entry());
        if self.desk.met.factory != Some(factory) {
            match self.judge(id, Attempt::Call(args)) {
                Ok(Plan::DefaultDict { factory: Some(_) }) => {}
                _ => return LONG,
            }
            self.desk.met.factory = Some(factory);
        }
        let Some(factory) = self.cache.get(self.py, factory) else {
            return LONG;
        };
        let Some(value) = ffi::default_dict(self.py, class, &factory.object)? else {
            return LONG;
        };
        budget.depth(1)?;
        Ok(self.met(value, id, 1, Sort::DefaultDict))
    }

    /// SETITEM(S) on what is no dict: a defaultdict is filled as one, anything else is judged and asked.
    pub(in crate::load) fn fill_default_dict(
        &mut self,
        site: Site,
        budget: &mut Budget,
        target: &mut Value,
        pairs: &mut [Value],
    ) -> Done<Self> {
        let made = matches!(target.tag(), Tag::Made | Tag::Fresh) && target.has_object();
        if !made
            || target.is_symbolic()
            || self.policy.entry(EntryId(target.entry())).meaning
                != Meaning::Native(Native::DefaultDict)
        {
            return self.set_items_other(site, budget, target, pairs);
        }
        self.allow_filling(target, Attempt::Items, "SETITEM")?;
        self.chain(budget, target, pairs)?;
        self.fill_dict(budget, target, pairs)
    }

    /// `SimpleNamespace()`: its attributes come later.
    #[inline(never)]
    pub(super) fn namespace_directly(
        &mut self,
        budget: &mut Budget,
        id: EntryId,
        class: &Py<PyAny>,
        args: &[Value],
    ) -> Made<Self> {
        if !args.is_empty() {
            return LONG;
        }
        let Some(value) = ffi::namespace(self.py, class)? else {
            return LONG;
        };
        budget.depth(1)?;
        budget.memory(Native::SimpleNamespace.extra_memory())?;
        Ok(self.met(value, id, 1, Sort::Namespace))
    }

    /// Whether that is a `SimpleNamespace` that waits for its attributes, and may have some.
    #[inline]
    pub(in crate::load) fn is_new_namespace(&self, object: &Value) -> bool {
        object.tag() == Tag::Fresh
            && ffi::is_namespace(object)
            && self
                .policy
                .entry(EntryId(object.entry()))
                .grant()
                .is_some_and(|grant| grant.rights.contains(Rights::STATE))
    }

    /// BUILD of a `SimpleNamespace` with alternating names and values, straight into its dict. Whether all names are such
    /// as it may have: where one is not, nothing was done.
    pub(in crate::load) fn fill_namespace(
        &mut self,
        budget: &mut Budget,
        object: &mut Value,
        pairs: &mut [Value],
    ) -> Result<bool, Fault> {
        let id = EntryId(object.entry());
        if !self.may_set_all(id, pairs) {
            return Ok(false);
        }
        pairs.iter_mut().step_by(2).for_each(ffi::intern);
        let mut attributes = ffi::namespace_dict(object);
        self.fill_dict(budget, &mut attributes, pairs)?;
        let depth = attributes.depth() + 1;
        budget.depth(depth)?;
        object.set_depth(depth.max(object.depth()));
        object.set_tag(Tag::Made);
        Ok(true)
    }

    /// As [`Self::fill_namespace`], with a dict that was made: as [`Self::give_state`], past the look for `__dict__`.
    pub(in crate::load) fn build_namespace(
        &mut self,
        budget: &mut Budget,
        object: &mut Value,
        state: &Value,
    ) -> Done<Self> {
        let pairs = self.begin_state(budget, object, state)?;
        let attributes = ffi::namespace_dict(object);
        for (key, value) in pairs {
            let (mut key, value) = (Value::plain(key), Value::plain(value));
            ffi::intern(&mut key);
            ffi::dict_set(self.py, &attributes, &key, &value)?;
        }
        object.set_tag(Tag::Made);
        Ok(())
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
}
