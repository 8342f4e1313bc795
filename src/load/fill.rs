//! APPEND(S), SETITEM(S), ADDITEMS: exact containers of this stream, and instances whose entry may be filled.
//!
//! Never an attribute found on an instance: `append`, `extend` and `add` are looked up on the type.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyList;

use super::ffi::{self, Tag, Value};
use super::{Fault, PyWorld};
use crate::error::Kind;
use crate::machine::budget::Budget;
use crate::machine::world::{Done, Site};
use crate::policy::{Attempt, EntryId};

impl PyWorld<'_, '_> {
    /// Sets pairs in an exact dict.
    #[inline(always)]
    pub(super) fn fill_dict(
        &mut self,
        budget: &mut Budget,
        dict: &mut Value,
        pairs: &mut [Value],
    ) -> Done<Self> {
        if let Some((template, survey)) = self.desk.templates.find(self.py, pairs)?
            && ffi::is_empty(dict)
        {
            let depth = Self::nest(budget, survey)?;
            dict.set_depth(depth.max(dict.depth()));
            if template.fill(self.py, dict, pairs, survey.tracked())? {
                self.took_all = true;
                return Ok(());
            }
        }
        let survey = self.settle(pairs)?;
        let depth = Self::nest(budget, survey)?;
        if depth > dict.depth() {
            dict.set_depth(depth);
        }
        if let [key, value] = pairs {
            return self.set_pair(budget, dict, key, value);
        }
        self.set_pairs(budget, dict, pairs, survey.tracked())
    }

    #[inline(always)]
    fn set_pair(
        &mut self,
        budget: &mut Budget,
        dict: &Value,
        key: &Value,
        value: &Value,
    ) -> Done<Self> {
        if !key.is_free_key() {
            self.price(budget, dict, key)?;
        }
        ffi::dict_set(self.py, dict, key, value).map_err(|error| self.unhashable(error))
    }

    /// Sets pairs at once, and one by one those that ask for it. A function of its own, to leave what calls it its
    /// registers.
    #[inline(never)]
    fn set_pairs(
        &mut self,
        budget: &mut Budget,
        dict: &Value,
        pairs: &mut [Value],
        tracked: bool,
    ) -> Done<Self> {
        let all = pairs.len();
        let mut rest = pairs;
        loop {
            let taken = 2 * ffi::dict_take(dict, rest, tracked);
            let left = rest.get_mut(taken..).unwrap_or_default();
            let Some(([key, value], left)) = left.split_first_chunk_mut() else {
                self.took_all = taken == all;
                return Ok(());
            };
            self.set_pair(budget, dict, key, value)?;
            rest = left;
        }
    }

    /// Adds items to an exact set, or to a frozenset that nobody has seen.
    pub(super) fn fill_set(
        &mut self,
        budget: &mut Budget,
        set: &mut Value,
        items: &mut [Value],
    ) -> Done<Self> {
        let survey = self.settle(items)?;
        let depth = Self::nest(budget, survey)?;
        if depth > set.depth() {
            set.set_depth(depth);
        }
        // A frozenset is whole then: with so few items, no more of them can have the same hash.
        let few = set.tag() == Tag::Plain && items.len() as u64 <= Self::most_collisions(budget);
        let mut rest = items;
        while let taken = ffi::set_take(set, rest)
            && let Some((item, left)) = rest.get_mut(taken..).unwrap_or_default().split_first_mut()
        {
            if !item.is_free_key() {
                if few {
                    self.price_alone(budget, item)?;
                } else {
                    self.price(budget, set, item)?;
                }
            }
            ffi::set_add(self.py, set, item).map_err(|error| self.unhashable(error))?;
            rest = left;
        }
        Ok(())
    }

    /// A key that cannot be hashed is the stream's fault, unless a user's own `__hash__` said so.
    #[cold]
    pub(super) fn unhashable(&self, error: PyErr) -> Fault {
        if !self.free
            && error.is_instance_of::<PyTypeError>(self.py)
            && error.traceback(self.py).is_none()
        {
            return Kind::BadType(error.value(self.py).to_string()).into();
        }
        error.into()
    }

    #[cold]
    pub(super) fn extend_other(
        &mut self,
        site: Site,
        budget: &mut Budget,
        target: &mut Value,
        items: &mut [Value],
    ) -> Done<Self> {
        self.allow_filling(target, Attempt::Append, "APPEND")?;
        self.deepen(budget, target, items)?;
        self.chain(budget, target, items)?;
        let items = PyList::new(self.py, items.iter().map(|item| item.bound(self.py)))?;
        let target = target.bound(self.py);
        if self.free {
            return super::free::extend(target, &items);
        }
        let _ = site;
        let class = target.get_type();
        if let Some(extend) = class.getattr_opt(pyo3::intern!(self.py, "extend"))? {
            extend.call1((target, items))?;
            return Ok(());
        }
        let append = class.getattr(pyo3::intern!(self.py, "append"))?;
        for item in items {
            append.call1((target, item))?;
        }
        Ok(())
    }

    pub(super) fn set_items_other(
        &mut self,
        _site: Site,
        budget: &mut Budget,
        target: &mut Value,
        pairs: &mut [Value],
    ) -> Done<Self> {
        self.allow_filling(target, Attempt::Items, "SETITEM")?;
        if ffi::is_ordered(target) {
            return self.fill_ordered(budget, target, pairs);
        }
        self.deepen(budget, target, pairs)?;
        self.chain(budget, target, pairs)?;
        self.charge_items(budget, target, pairs.len() / 2)?;
        for pair in pairs.chunks_exact(2) {
            let [key, value] = pair else { continue };
            if !key.is_free_key() {
                self.price(budget, target, key)?;
            }
            let set = target
                .bound(self.py)
                .set_item(key.bound(self.py), value.bound(self.py));
            set.map_err(|error| self.unhashable(error))?;
        }
        Ok(())
    }

    #[cold]
    pub(super) fn add_items_other(
        &mut self,
        _site: Site,
        budget: &mut Budget,
        target: &mut Value,
        items: &mut [Value],
    ) -> Done<Self> {
        self.allow_filling(target, Attempt::Add, "ADDITEMS")?;
        self.deepen(budget, target, items)?;
        let object = target.bound(self.py);
        let add = if self.free {
            object.getattr(pyo3::intern!(self.py, "add"))?
        } else {
            object.get_type().getattr(pyo3::intern!(self.py, "add"))?
        };
        for item in items {
            if !item.is_free_key() {
                self.price(budget, target, item)?;
            }
            let object = target.bound(self.py);
            let added = if self.free {
                add.call1((item.bound(self.py),))
            } else {
                add.call1((object, item.bound(self.py)))
            };
            added.map_err(|error| self.unhashable(error))?;
        }
        Ok(())
    }

    /// Charges for keys of an instance that take more than those of a dict.
    pub(super) fn charge_items(
        &self,
        budget: &mut Budget,
        target: &Value,
        keys: usize,
    ) -> Done<Self> {
        if !matches!(target.tag(), Tag::Made | Tag::Fresh) {
            return Ok(());
        }
        let each = self
            .policy
            .entry(EntryId(target.entry()))
            .extra_item_memory();
        Ok(budget.memory(each * keys as u64)?)
    }

    /// Settles the items and notes the nesting of an instance that takes them.
    pub(super) fn deepen(
        &mut self,
        budget: &mut Budget,
        target: &mut Value,
        items: &mut [Value],
    ) -> Done<Self> {
        let survey = self.settle(items)?;
        let depth = Self::nest(budget, survey)?;
        if depth > target.depth() {
            target.set_depth(depth);
        }
        Ok(())
    }

    /// Whether an instance may be filled: only what this stream made, by its exact type's entry.
    pub(super) fn allow_filling(
        &mut self,
        target: &Value,
        attempt: Attempt<'static, Value>,
        opcode: &str,
    ) -> Done<Self> {
        match target.tag() {
            Tag::Made | Tag::Fresh if target.has_object() && !target.is_symbolic() => {
                let id = EntryId(target.entry());
                let filled = Some((id, std::mem::discriminant(&attempt)));
                if self.desk.filled == filled {
                    return Ok(());
                }
                self.judge(id, attempt)?;
                if self.policy.entry(id).runs_code() {
                    return self.ensure_checked();
                }
                self.desk.filled = filled;
                Ok(())
            }
            _ if self.free && target.has_object() => Ok(()),
            Tag::Free => Ok(()),
            Tag::Global => Err(self.never_written(EntryId(target.entry()), attempt.describe())),
            _ => {
                let what = format!(
                    "{opcode} on {}: only a container that this stream made may be filled",
                    self.describe(target)
                );
                // What `pickle` says: no such method, or no item assignment.
                Err(match attempt {
                    Attempt::Items => Kind::BadType(what),
                    _ => Kind::BadContainer(what),
                }
                .into())
            }
        }
    }

    /// The refusal to write to a class, function or module.
    #[cold]
    pub(super) fn never_written(&self, id: EntryId, attempt: &'static str) -> Fault {
        let entry = self.policy.entry(id);
        Kind::ForbiddenCall {
            module: entry.module.to_string(),
            name: entry.name.to_string(),
            attempt,
            why: "a class, function or module is never written to".into(),
        }
        .into()
    }
}
