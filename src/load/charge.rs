//! What arguments and state cost: each time they are handed to a contract or a constructor, by their length.
//!
//! A contract may look at every item of a list, and a constructor may copy it; a list in the memo is two bytes away. So a
//! direct argument costs memory by its length each time, whether it is copied or only read: the work stays linear in what
//! is charged. The inspector charges the same.

use pyo3::prelude::*;
use pyo3::types::{
    PyByteArray, PyBytes, PyDict, PyFrozenSet, PyInt, PyList, PySet, PyString, PyTuple,
};

use super::PyWorld;
use super::ffi::{self, Tag, Value, Whole};
use crate::machine::budget::{Budget, COUNTED, size};
use crate::machine::world::Done;
use crate::policy::EntryId;

impl PyWorld<'_, '_> {
    /// Charges for arguments of an entry that reads or copies them.
    #[inline]
    pub(super) fn charge_arguments(
        &self,
        budget: &mut Budget,
        id: EntryId,
        args: &[Value],
    ) -> Done<Self> {
        if args.is_empty() || !self.policy.entry(id).reads_arguments() {
            return Ok(());
        }
        self.charge(budget, args)
    }

    /// Charges for values by their length.
    pub(super) fn charge(&self, budget: &mut Budget, values: &[Value]) -> Done<Self> {
        if !COUNTED {
            return Ok(());
        }
        for value in values {
            let length = self.length(value);
            if length > 0 {
                budget.memory(length)?;
            }
        }
        Ok(())
    }

    /// Charges for a state: its length, and where it is a pair, the lengths of what is in it.
    pub(super) fn charge_state(&self, budget: &mut Budget, state: &Value) -> Done<Self> {
        self.charge(budget, std::slice::from_ref(state))?;
        if !state.has_object() {
            return Ok(());
        }
        if let Ok(parts) = state.bound(self.py).cast_exact::<PyTuple>() {
            for part in parts.iter_borrowed().take(4) {
                budget.memory(weight(&part))?;
            }
        }
        Ok(())
    }

    /// What a state that is set by key does to its instance before that: it nests it, is copied into it, and brings it
    /// instances to free.
    pub(super) fn nest_state(
        &mut self,
        budget: &mut Budget,
        object: &mut Value,
        state: &Value,
    ) -> Done<Self> {
        let depth = state.depth() + 1;
        budget.depth(depth)?;
        object.set_depth(depth.max(object.depth()));
        self.charge_copy(budget, state)?;
        self.chain_inside(budget, object, state)
    }

    #[inline]
    fn length(&self, value: &Value) -> u64 {
        if value.has_object() {
            if value.is_none() {
                return 0;
            }
            return weight(value.bound(self.py));
        }
        match (value.tag(), self.symbol_of(value)) {
            (Tag::Symbol, Some(super::Symbol::Args(items))) => items.len() as u64 * size::REFERENCE,
            _ => 0,
        }
    }

    /// Notes that instances go into an instance, where both are freed recursively.
    #[inline]
    pub(super) fn chain(&mut self, budget: &Budget, parent: &Value, items: &[Value]) -> Done<Self> {
        if !COUNTED || !self.is_chained(parent) {
            return Ok(());
        }
        for item in items {
            if self.is_chained(item) {
                self.link(budget, parent, item)?;
            }
        }
        Ok(())
    }

    /// As [`Self::chain`], for what stands in a list or a dict that an instance is made of.
    pub(super) fn chain_inside(
        &mut self,
        budget: &Budget,
        parent: &Value,
        container: &Value,
    ) -> Done<Self> {
        if !COUNTED || !self.is_chained(parent) || !container.has_object() {
            return Ok(());
        }
        let object = container.bound(self.py).clone();
        if let Ok(list) = object.cast_exact::<PyList>() {
            for item in list {
                let item = self.classify(item);
                self.chain(budget, parent, &[item])?;
            }
        } else if let Ok(dict) = object.cast_exact::<PyDict>() {
            for (_, item) in dict {
                let item = self.classify(item);
                self.chain(budget, parent, &[item])?;
            }
        }
        Ok(())
    }

    fn is_chained(&self, value: &Value) -> bool {
        matches!(value.tag(), Tag::Made | Tag::Fresh)
            && self
                .policy
                .entry(EntryId(value.entry()))
                .frees_recursively()
    }

    /// The objects are kept, so that no address comes again while the load runs.
    fn link(&mut self, budget: &Budget, parent: &Value, child: &Value) -> Done<Self> {
        let (above, below) = (parent.address() as u64, child.address() as u64);
        self.desk.chained.push(parent.share());
        self.desk.chained.push(child.share());
        Ok(self.desk.chains.link(budget, above, below)?)
    }
}

fn weight(object: &Bound<'_, PyAny>) -> u64 {
    let reference = |items: usize| items as u64 * size::REFERENCE;
    if let Ok(text) = object.cast_exact::<PyString>() {
        return text.len().map_or(0, |characters| characters as u64);
    }
    if let Ok(int) = object.cast_exact::<PyInt>() {
        return match ffi::whole(int) {
            Whole::Small(_) => 0,
            Whole::Big { bits, .. } => bits / 8,
        };
    }
    if let Ok(bytes) = object.cast_exact::<PyBytes>() {
        return bytes.as_bytes().len() as u64;
    }
    if let Ok(tuple) = object.cast_exact::<PyTuple>() {
        return reference(tuple.len());
    }
    if let Ok(list) = object.cast_exact::<PyList>() {
        return reference(list.len());
    }
    if let Ok(dict) = object.cast_exact::<PyDict>() {
        return reference(dict.len() * 2);
    }
    if let Ok(set) = object.cast_exact::<PySet>() {
        return reference(set.len());
    }
    if let Ok(set) = object.cast_exact::<PyFrozenSet>() {
        return reference(set.len());
    }
    object
        .cast_exact::<PyByteArray>()
        .map_or(0, |bytes| bytes.len() as u64)
}
