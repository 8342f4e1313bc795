//! BUILD of numpy's arrays and dtypes, and arrays that wait for it.
//!
//! A pickle makes an array without items first, and gives it state later. Where nothing can reach it in between, it is
//! made when the state is there: twice as fast as making it, and having numpy fill it.

use pyo3::prelude::*;

use super::super::super::ffi::{self, Survey, Tag, Value};
use super::super::super::{Fault, PyWorld};
use super::{OWN, is_instance, records};
use crate::error::Kind;
use crate::machine::budget::{Budget, size};
use crate::machine::world::{Done, Made};
use crate::policy::numpy::{Dtype, Known, MAX_DIMENSIONS, check_bools, extent};
use crate::policy::{Attempt, EntryId, Plan};

impl PyWorld<'_, '_> {
    /// BUILD of what was made here; `false` where numpy must be asked, whose object it then is.
    #[inline(never)]
    pub(in crate::load) fn give_numpy_state(
        &mut self,
        budget: &mut Budget,
        object: &mut Value,
        state: &Value,
    ) -> Result<bool, Fault> {
        let id = EntryId(object.entry());
        if self.known_of(object).is_none() {
            return Ok(false);
        }
        let plan = self.judge(id, Attempt::Build(object, state))?;
        match plan {
            Plan::DtypeState(_) | Plan::ArrayState { .. } => {}
            _ => {
                self.make_unfilled(object)?;
                self.hand_over(object)?;
                return Ok(false);
            }
        }
        if let (Plan::ArrayState { .. }, Some(facts)) = (plan, self.desk.met.numpy.as_deref_mut()) {
            facts.fills = Some(id);
        }
        self.make_unfilled(object)?;
        self.charge_state(budget, state)?;
        budget.memory(plan.reads())?;
        let depth = Survey::of(std::slice::from_ref(state)).depth() + 1;
        budget.depth(depth)?;
        if let Plan::DtypeState(dtype) = plan {
            self.settle_dtype(object, dtype, state)?;
        } else {
            self.set_numpys(object, state)?;
        }
        object.set_depth(depth.max(object.depth()));
        object.set_tag(Tag::Made);
        Ok(true)
    }

    /// The calls that an array or a scalar begins with, in one step. A hole: the long way, which such a call has gone
    /// before.
    #[inline(never)]
    pub(in crate::load) fn numpy_directly(
        &mut self,
        budget: &mut Budget,
        id: EntryId,
        args: &[Value],
        alone: impl Fn() -> bool,
    ) -> Made<Self> {
        let Some(facts) = self.desk.met.numpy.as_deref() else {
            return Ok(Value::HOLE);
        };
        match args {
            [dtype, data] if facts.scalars == Some(id) => {
                self.scalar_directly(budget, id, dtype, data, args)
            }
            [class, shape, code] if facts.makers == Some((id, EntryId(class.entry()))) => {
                let makes = class.tag() == Tag::Global
                    && ffi::is_one_zero(self.py, shape)
                    && ffi::is_bytes_b(code)
                    && ffi::knows_numpy();
                if makes && alone() {
                    return self.unfilled_directly(budget, id, args);
                }
                Ok(Value::HOLE)
            }
            _ => Ok(Value::HOLE),
        }
    }

    /// `scalar(dtype, bytes)` of numbers.
    fn scalar_directly(
        &mut self,
        budget: &mut Budget,
        id: EntryId,
        dtype: &Value,
        data: &Value,
        args: &[Value],
    ) -> Made<Self> {
        let known = match self.known_of(dtype) {
            Some(Known::Dtype(known)) if is_instance(dtype) => known.numbers(),
            _ => None,
        };
        let (Some(numeric), Some(bytes)) = (known, ffi::exact_bytes(data)) else {
            return Ok(Value::HOLE);
        };
        let fits = bytes.len() as u64 == numeric.size()
            && (!numeric.is_bool() || check_bools(bytes).is_ok());
        if !fits || !ffi::knows_numpy() {
            return Ok(Value::HOLE);
        }
        self.charge_arguments(budget, id, args)?;
        let depth = Survey::of(args).depth() + 1;
        budget.depth(depth)?;
        budget.memory(self.policy.entry(id).extra_memory())?;
        let made = ffi::numpy_scalar(self.py, dtype, bytes);
        let mut made = made.map_err(|error| self.bad_value(error))?;
        made.set_depth(depth);
        Ok(made)
    }

    /// `_reconstruct(ndarray, (0,), b'b')` where the array can wait for its state: nothing reaches it before BUILD, so it
    /// is made then.
    fn unfilled_directly(
        &mut self,
        budget: &mut Budget,
        id: EntryId,
        args: &[Value],
    ) -> Made<Self> {
        self.charge_arguments(budget, id, args)?;
        let depth = Survey::of(args.get(1..).unwrap_or_default()).depth() + 1;
        budget.depth(depth)?;
        budget.memory(self.policy.entry(id).extra_memory())?;
        let mut late = Value::symbol(Tag::Fresh, id.0);
        late.set_depth(depth);
        Ok(late)
    }

    /// An array that waited for its state is used without one, or must be there for numpy to fill.
    #[cold]
    pub(in crate::load) fn make_unfilled(&mut self, value: &mut Value) -> Done<Self> {
        if value.has_object() {
            return Ok(());
        }
        if value.tag() != Tag::Fresh {
            return Err(Kind::BadTarget(format!(
                "{} is used before BUILD gave it its state, and must have one",
                self.describe(value)
            ))
            .into());
        }
        let mut made = match ffi::numpy_unfilled(self.py)? {
            Some(made) => made,
            None => self.call_unfilled()?,
        };
        made.set_made(value.entry(), value.depth());
        *value = made;
        Ok(())
    }

    /// As the stream would have it made.
    #[cold]
    fn call_unfilled(&self) -> Made<Self> {
        let own = OWN
            .get(self.py)
            .ok_or(Kind::MissingModule("numpy is gone".into()))?;
        let [class, _, reconstruct, ..] = own;
        let made = reconstruct.bind(self.py).call1((class, (0,), b"b"))?;
        Ok(Value::plain(made))
    }

    /// BUILD of an array that waited for its state, with the items of that state: what [`Self::give_numpy_state`] does,
    /// for what picklers write. `false`: the long way.
    #[inline(never)]
    pub(in crate::load) fn fill_array(
        &mut self,
        budget: &mut Budget,
        object: &mut Value,
        items: &[Value],
    ) -> Result<bool, Fault> {
        let [version, shape, dtype, fortran, data] = items else {
            return Ok(false);
        };
        let id = EntryId(object.entry());
        let Some(facts) = self.desk.met.numpy.as_deref() else {
            return Ok(false);
        };
        if object.has_object() || facts.fills != Some(id) {
            return Ok(false);
        }
        let Some(known) = facts.of(dtype.address()).filter(|known| known.is_plain()) else {
            // Neither numbers nor records of them: the contract leaves it to numpy.
            self.make_unfilled(object)?;
            self.hand_over(object)?;
            return Ok(false);
        };
        let mut sides = [0; MAX_DIMENSIONS];
        let (Some(1), Some(count), Some(fortran), Some(bytes)) = (
            ffi::small_int(self.py, version),
            ffi::sides_of(self.py, shape, &mut sides),
            ffi::truth(fortran),
            ffi::exact_bytes(data),
        ) else {
            return Ok(false);
        };
        let sides = sides.get(..count).unwrap_or_default();
        let widened = sides.iter().map(|side| i64::try_from(*side).ok());
        let fits = !known.is_swapped()
            && extent(widened, known.size()) == Ok(bytes.len() as u64)
            && (!known.is_bool() || check_bools(bytes).is_ok());
        if !fits || bytes.is_empty() || !ffi::knows_numpy() {
            return Ok(false);
        }
        let layout = ffi::Layout {
            sides,
            item: known.size(),
            fortran,
            axes: None,
        };
        // The tuple and what is in it, and what is copied.
        let references = (items.len() + count) as u64 * size::REFERENCE;
        budget.memory(references + bytes.len() as u64)?;
        let depth = Survey::of(items).depth() + 2;
        budget.depth(depth)?;
        let blank = facts.blank_of(known, dtype.address());
        let filled = ffi::numpy_filled(self.py, (dtype, blank), &layout, data);
        let Some(mut filled) = filled.map_err(|error| self.bad_value(error))? else {
            return Ok(false);
        };
        filled.set_made(id.0, depth.max(object.depth()));
        filled.set_tag(Tag::Made);
        *object = filled;
        Ok(true)
    }

    /// BUILD of a dtype: one of numbers has an order already, and mostly that one.
    fn settle_dtype(&mut self, object: &Value, dtype: Dtype, state: &Value) -> Done<Self> {
        match (self.known_of(object), dtype) {
            (Some(Known::Dtype(now)), Dtype::Numbers { numeric, .. })
                if now.numbers() == Some(numeric) => {}
            (_, Dtype::Records { .. }) => {
                let blank = ffi::numpy_copy(self.py, object)?;
                let state = records::own_fields(state.bound(self.py))?;
                self.set_numpys(object, &Value::plain(state))?;
                if !records::serves(object.bound(self.py), dtype)? {
                    let other = "numpy has made another dtype of it than its state says";
                    return Err(Kind::BadValue(other.into()).into());
                }
                let facts = self.desk.met.numpy.get_or_insert_default();
                facts.note_records(object, dtype, blank);
                return Ok(());
            }
            _ => self.set_numpys(object, state)?,
        }
        let facts = self.desk.met.numpy.get_or_insert_default();
        facts.note(object, dtype);
        Ok(())
    }

    /// `__setstate__` of a dtype or an array that was made here, with a state that its contract has seen whole.
    fn set_numpys(&self, object: &Value, state: &Value) -> Done<Self> {
        let name = pyo3::intern!(self.py, "__setstate__");
        let done = object
            .bound(self.py)
            .call_method1(name, (state.bound(self.py),));
        done.map_err(|error| self.bad_value(error))?;
        Ok(())
    }

    /// What waits for a state that only numpy understands is, from now on, what numpy's function returned.
    fn hand_over(&mut self, object: &mut Value) -> Done<Self> {
        if let Some(facts) = self.desk.met.numpy.as_deref_mut() {
            facts.forget(object);
        }
        let depth = object.depth();
        let made = std::mem::take(object).into_bound(self.py);
        *object = match self.cache.entry_at(made.get_type_ptr() as usize) {
            Some(class) => self.made(made, class),
            None => Value::plain(made),
        };
        object.set_depth(depth);
        Ok(())
    }
}
