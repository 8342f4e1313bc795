//! The one door where hashing happens: every key of a dict and every item of a set is priced before it is hashed.
//!
//! The price is `machine::hashing`'s, the same for both worlds. What is added here is what objects have and notes have
//! not: a class whose `__hash__` is Python code waits for the inspector.

use std::cell::Cell;

use pyo3::Borrowed;
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyComplex, PyDict, PyFloat, PyFrozenSet, PyInt, PyList, PySet,
    PyString, PyTuple,
};

use super::ffi::{self, Value, Whole};
use super::{Fault, PyWorld};
use crate::machine::budget::{Budget, COUNTED, size};
use crate::machine::hashing::{self, Keys, Shape};
use crate::machine::world::Done;
use crate::policy::Meaning;

/// Keys as objects, seen by a load.
struct ObjectKeys<'w, 'a, 'py> {
    world: &'w PyWorld<'a, 'py>,
    /// Whether a key was met whose class may hash by Python code of its own.
    foreign: Cell<bool>,
}

impl<'a, 'py> Keys for ObjectKeys<'a, '_, 'py> {
    type Key = Borrowed<'a, 'py, PyAny>;

    fn shape(&self, key: Self::Key) -> Shape {
        if key.is_exact_instance_of::<PyString>() || key.is_exact_instance_of::<PyBytes>() {
            return Shape::Free;
        }
        if let Ok(int) = key.cast_exact::<PyInt>() {
            return int_shape(&int);
        }
        if let Ok(tuple) = key.cast_exact::<PyTuple>() {
            return Shape::Tuple(tuple.len());
        }
        if key.is_none() || key.is_exact_instance_of::<PyBool>() {
            return Shape::Free;
        }
        if key.is_exact_instance_of::<PyFloat>() || key.is_exact_instance_of::<PyComplex>() {
            return Shape::Float;
        }
        if let Ok(set) = key.cast_exact::<PyFrozenSet>() {
            return Shape::FrozenSet(set.len());
        }
        for (unhashable, name) in [
            (key.is_exact_instance_of::<PyList>(), "list"),
            (key.is_exact_instance_of::<PyDict>(), "dict"),
            (key.is_exact_instance_of::<PySet>(), "set"),
            (key.is_exact_instance_of::<PyByteArray>(), "bytearray"),
        ] {
            if unhashable {
                return Shape::Unhashable(name);
            }
        }
        if !self.world.hashes_natively(key.get_type_ptr() as usize) {
            self.foreign.set(true);
        }
        Shape::Object
    }

    fn item(&self, tuple: Self::Key, index: usize) -> Option<Self::Key> {
        ffi::tuple_item(tuple, index)
    }
}

fn int_shape(int: &Bound<'_, PyInt>) -> Shape {
    const INJECTIVE: i64 = hashing::MODULUS.cast_signed();
    match ffi::whole(int) {
        Whole::Small(value) if value > -INJECTIVE && value < INJECTIVE => Shape::Free,
        Whole::Small(_) => Shape::Int(3),
        Whole::Big { bits, .. } => Shape::Int(bits / 30 + 1),
    }
}

impl<'py> PyWorld<'_, 'py> {
    /// Prices a key that is no str, and counts it where the stream can choose its hash.
    pub(super) fn price(
        &mut self,
        budget: &mut Budget,
        container: &Value,
        key: &Value,
    ) -> Done<Self> {
        if !COUNTED || self.free || !key.has_object() {
            return Ok(());
        }
        let object = key.bound(self.py);
        if self.price_object(budget, object)? {
            let number = container.address() as u64;
            if ffi::is_empty(container) {
                self.desk.collisions.forget(number);
            }
            return self.count(budget, number, object);
        }
        Ok(())
    }

    /// As [`Self::price`], for a container that has too few keys to be counted.
    pub(super) fn price_alone(&mut self, budget: &mut Budget, key: &Value) -> Done<Self> {
        if !COUNTED || self.free || !key.has_object() {
            return Ok(());
        }
        self.price_object(budget, key.bound(self.py)).map(|_| ())
    }

    /// How many keys of equal hash a container may have.
    #[inline]
    pub(super) fn most_collisions(budget: &Budget) -> u64 {
        u64::from(budget.limits().max_key_collisions)
    }

    /// Prices a key, and has one whose class hashes by Python code wait for the inspector. Whether the stream chooses its
    /// hash.
    #[inline]
    fn price_object(
        &mut self,
        budget: &mut Budget,
        key: &Bound<'py, PyAny>,
    ) -> Result<bool, Fault> {
        let keys = ObjectKeys {
            world: self,
            foreign: Cell::new(false),
        };
        let chosen = hashing::price(&keys, budget, key.as_borrowed())?;
        if keys.foreign.get() {
            self.ensure_checked()?;
        }
        Ok(chosen)
    }

    /// Counts a key whose hash the stream can choose.
    fn count(&mut self, budget: &Budget, number: u64, key: &Bound<'_, PyAny>) -> Done<Self> {
        let limit = budget.limits().max_key_collisions;
        let hash = || key.hash().map_or(0, |hash| hash as i64);
        Ok(self.desk.collisions.count(number, limit, hash)?)
    }

    /// Whether instances of the class are hashed without Python code of a user's.
    fn hashes_natively(&self, class: usize) -> bool {
        let native = |id| matches!(self.policy.entry(id).meaning, Meaning::Native(_));
        self.checked || self.entry_of_type(class).is_some_and(native)
    }

    /// Charges for a list or dict that a constructor will copy, what it was not charged for as an argument.
    pub(super) fn charge_copy(&self, budget: &mut Budget, container: &Value) -> Done<Self> {
        if !container.has_object() {
            return Ok(());
        }
        let object = container.bound(self.py);
        let bytes = if let Ok(list) = object.cast_exact::<PyList>() {
            list.len() as u64 * size::SET_ITEM
        } else if let Ok(dict) = object.cast_exact::<PyDict>() {
            dict.len() as u64 * size::DICT_ITEM
        } else {
            0
        };
        Ok(budget.memory(bytes)?)
    }

    /// Prices the keys that a constructor will hash: the items of a list, the keys of a dict, and where `pairs`, the
    /// first of each item of a list. They go into a container that nobody knows yet.
    pub(super) fn price_keys(
        &mut self,
        budget: &mut Budget,
        container: &Value,
        pairs: bool,
    ) -> Done<Self> {
        if !COUNTED || self.free || !container.has_object() {
            return Ok(());
        }
        let number = self.desk.collisions.number();
        let object = container.bound(self.py).clone();
        // With so few keys, no more of them can have the same hash; more may follow only where there are pairs.
        let many = |keys: usize| pairs || keys as u64 > Self::most_collisions(budget);
        if let Ok(list) = object.cast_exact::<PyList>() {
            let counted = many(list.len());
            for item in list {
                let key = if pairs { item.get_item(0)? } else { item };
                self.price_key(budget, number, counted, &key)?;
            }
        } else if let Ok(dict) = object.cast_exact::<PyDict>() {
            let counted = many(dict.len());
            for (key, _) in dict {
                self.price_key(budget, number, counted, &key)?;
            }
        }
        Ok(())
    }

    fn price_key(
        &mut self,
        budget: &mut Budget,
        number: u64,
        counted: bool,
        key: &Bound<'py, PyAny>,
    ) -> Done<Self> {
        if key.is_exact_instance_of::<PyString>() {
            return Ok(());
        }
        if self.price_object(budget, key)? && counted {
            self.count(budget, number, key)?;
        }
        Ok(())
    }
}
