//! The one door where hashing happens: every key of a dict and every item of a set is priced before it is hashed.
//!
//! Strings, bytes, None, bools and ints below 2^61-1 cost nothing extra: the interpreter randomises the first two, and
//! the rest are injective. Any other key is walked first, iteratively, through nested exact tuples.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyInt, PyList, PyTuple};

use super::ffi::{Tag, Value};
use super::{Fault, PyWorld};
use crate::machine::budget::{Budget, size};
use crate::machine::world::Done;
use crate::policy::Meaning;

/// What was counted of the keys of this load's containers.
#[derive(Debug, Default)]
pub struct Ledger {}

impl<'a, 'py> PyWorld<'a, 'py> {
    /// Prices a key that is no str.
    pub(super) fn price(
        &mut self,
        budget: &mut Budget,
        _container: &Value,
        key: &Value,
    ) -> Done<Self> {
        if self.free {
            return Ok(());
        }
        match key.tag() {
            Tag::Plain => {}
            _ => return self.price_instance(key),
        }
        let object = key.bound(self.py);
        if let Ok(tuple) = object.cast_exact::<PyTuple>() {
            return self.price_tuple(budget, tuple);
        }
        if let Ok(int) = object.cast_exact::<PyInt>() {
            return price_int(budget, int);
        }
        Ok(())
    }

    /// An instance is hashed by its own class: unless that is a native type's, the stream is inspected before.
    fn price_instance(&mut self, key: &Value) -> Done<Self> {
        if self.hashes_natively(key.type_address()) {
            Ok(())
        } else {
            self.ensure_checked()
        }
    }

    fn hashes_natively(&self, class: usize) -> bool {
        let native = |id| matches!(self.policy.entry(id).meaning, Meaning::Native(_));
        self.entry_of_type(class).is_some_and(native)
    }

    fn price_tuple(&mut self, budget: &mut Budget, tuple: &Bound<'py, PyTuple>) -> Done<Self> {
        let mut open = vec![(tuple.clone(), 0)];
        while let Some((tuple, next)) = open.pop() {
            budget.hash_depth(u32::try_from(open.len() + 1).unwrap_or(u32::MAX))?;
            if next == 0 {
                budget.hash_work(tuple.len() as u64 + 1)?;
            }
            for at in next..tuple.len() {
                let item = tuple.get_borrowed_item(at)?;
                if let Ok(inner) = item.cast_exact::<PyTuple>() {
                    let inner = inner.to_owned();
                    open.push((tuple, at + 1));
                    open.push((inner, 0));
                    break;
                }
                if let Ok(int) = item.cast_exact::<PyInt>() {
                    price_int(budget, &int)?;
                } else if !self.checked
                    && self.entry_of_type(item.get_type_ptr() as usize).is_some()
                    && !self.hashes_natively(item.get_type_ptr() as usize)
                {
                    self.ensure_checked()?;
                }
            }
        }
        Ok(())
    }

    /// Prices what a constructor will copy, and hash where it makes keys of it: a list, a tuple or a dict.
    pub(super) fn price_contents(&mut self, budget: &mut Budget, container: &Value) -> Done<Self> {
        let object = container.bound(self.py).clone();
        if let Ok(list) = object.cast_exact::<PyList>() {
            budget.memory(list.len() as u64 * size::SET_ITEM)?;
            for item in list {
                let item = self.classify(item);
                self.price(budget, container, &item)?;
            }
        } else if let Ok(tuple) = object.cast_exact::<PyTuple>() {
            budget.memory(tuple.len() as u64 * size::REFERENCE)?;
        } else if let Ok(dict) = object.cast_exact::<PyDict>() {
            budget.memory(dict.len() as u64 * size::DICT_ITEM)?;
            for (key, _) in dict {
                let key = self.classify(key);
                self.price(budget, container, &key)?;
            }
        }
        Ok(())
    }
}

fn price_int(budget: &mut Budget, int: &Bound<'_, PyInt>) -> Result<(), Fault> {
    if int.extract::<i64>().is_err() {
        let bits: u64 = int.call_method0("bit_length")?.extract()?;
        budget.hash_work(bits / 30 + 1)?;
    }
    Ok(())
}
