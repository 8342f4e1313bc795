//! `array.array`, from its items as they lie in memory (protocols 3 to 5) or from a list of them.

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::super::PyWorld;
use super::super::ffi::{self, Tag, Value};
use super::direct::LONG;
use crate::error::Kind;
use crate::machine::budget::{Budget, size};
use crate::machine::world::Made;
use crate::policy::{EntryId, Native, Plan, stored_array};

impl PyWorld<'_, '_> {
    /// `array(typecode, list)` in one step: five times as fast on small ones as the constructor, which parses a format
    /// for each item.
    #[inline(never)]
    pub(super) fn array_of_items_directly(
        &mut self,
        budget: &mut Budget,
        class: &Py<PyAny>,
        args: &[Value],
    ) -> Made<Self> {
        let [code, list] = args else { return LONG };
        let Some([typecode]) = ffi::latin1_text(code) else {
            return LONG;
        };
        // What an argument tuple was taken apart into has no tag of its own.
        if !matches!(list.tag(), Tag::List | Tag::Plain) || !ffi::is_list(list) {
            return LONG;
        }
        // Made before it is charged for, since only now is it known whether the items fit. It is smaller than the list.
        let Some(mut value) = ffi::array_of_items(self.py, class, *typecode, list)? else {
            return LONG;
        };
        let length = ffi::list_len(list) as u64;
        let depth = list.depth() + 1;
        budget.memory(1)?;
        budget.memory(length * size::REFERENCE)?;
        budget.depth(depth)?;
        budget.memory(length * size::SET_ITEM)?;
        value.set_depth(depth);
        Ok(value)
    }

    /// `_array_reconstructor(array, typecode, format, bytes)` in one step.
    #[inline(never)]
    pub(super) fn array_of_bytes_directly(
        &mut self,
        budget: &mut Budget,
        args: &[Value],
    ) -> Made<Self> {
        let [class, code, format, data] = args else {
            return LONG;
        };
        // A buffer of the caller's is no argument.
        if data.tag() != Tag::Plain {
            return LONG;
        }
        let id = EntryId(class.entry());
        if class.tag() != Tag::Global || self.cache.called(id) != Some(Native::Array) {
            return LONG;
        }
        // What is not resolved yet must be imported, and may have to wait for the inspector.
        let Some(class) = self.cache.get(self.py, id).map(|resolved| &resolved.object) else {
            return LONG;
        };
        let (Some([code]), Some(format), Some(bytes)) = (
            ffi::latin1_text(code),
            ffi::small_int(self.py, format),
            ffi::exact_bytes(data),
        ) else {
            return LONG;
        };
        let Ok((typecode, false)) = stored_array(Some(char::from(*code)), format, bytes) else {
            return LONG;
        };
        let Ok(typecode) = u8::try_from(typecode) else {
            return LONG;
        };
        let length = bytes.len() as u64;
        let Some(mut value) = ffi::array_of_bytes(self.py, class, typecode, bytes)? else {
            return LONG;
        };
        budget.memory(1)?;
        budget.memory(length)?;
        budget.depth(1)?;
        // It is read by the contract, and copied.
        budget.memory(length)?;
        value.set_depth(1);
        Ok(value)
    }

    pub(super) fn array(
        &mut self,
        budget: &mut Budget,
        id: EntryId,
        plan: Plan,
        args: &[Value],
    ) -> Made<Self> {
        let py = self.py;
        let object = match plan {
            Plan::ArrayItems { typecode, items } => {
                self.prepare(id)?;
                let class = self.class(id)?;
                self.charge_copy(budget, &args[items])?;
                class.call1((typecode, args[items].bound(py)))
            }
            Plan::ArrayBytes {
                typecode,
                swap,
                data,
            } => {
                // The class is the first argument, a name.
                let id = EntryId(args[0].entry());
                self.prepare(id)?;
                let class = self.class(id)?;
                let data = args[data]
                    .bound(py)
                    .cast::<PyBytes>()
                    .map_err(PyErr::from)?;
                budget.memory(data.as_bytes().len() as u64)?;
                let array = class
                    .call1((typecode, data))
                    .map_err(|error| self.bad_value(error))?;
                if swap {
                    array.call_method0(pyo3::intern!(py, "byteswap"))?;
                }
                Ok(array)
            }
            _ => return Err(Kind::Malformed("no array".into()).into()),
        };
        Ok(Value::plain(object.map_err(|error| self.bad_value(error))?))
    }
}
