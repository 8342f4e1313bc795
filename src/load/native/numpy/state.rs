//! BUILD of numpy's arrays and dtypes, and arrays that wait for it.
//!
//! A pickle makes an array without items first, and gives it state later. Where nothing can reach it in between, it is
//! made when the state is there: twice as fast as making it, and having numpy fill it.

use pyo3::prelude::*;

use super::super::super::ffi::{self, Survey, Tag, Value};
use super::super::super::{Fault, PyWorld};
use super::OWN;
use crate::error::Kind;
use crate::machine::budget::{Budget, size};
use crate::machine::world::{Done, Made};
use crate::policy::numpy::{Known, MAX_DIMENSIONS, Numeric, check_bools, extent};
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
        if let Plan::DtypeState(numeric) = plan {
            self.order_dtype(object, numeric, state)?;
        } else {
            self.set_numpys(object, state)?;
        }
        object.set_depth(depth.max(object.depth()));
        object.set_tag(Tag::Made);
        Ok(true)
    }

    /// `_reconstruct(ndarray, (0,), b'b')` where the array can wait for its state: nothing reaches it before BUILD, so it
    /// is made then. A hole: the long way, which such a call has gone before.
    #[inline(never)]
    pub(in crate::load) fn unfilled_directly(
        &mut self,
        budget: &mut Budget,
        id: EntryId,
        args: &[Value],
        alone: impl Fn() -> bool,
    ) -> Made<Self> {
        let Some(makers) = self
            .desk
            .met
            .numpy
            .as_deref()
            .and_then(|facts| facts.makers)
        else {
            return Ok(Value::HOLE);
        };
        let [class, shape, code] = args else {
            return Ok(Value::HOLE);
        };
        if makers != (id, EntryId(class.entry()))
            || class.tag() != Tag::Global
            || !ffi::is_one_zero(self.py, shape)
            || !ffi::is_bytes_b(code)
            || !ffi::knows_numpy()
            || !alone()
        {
            return Ok(Value::HOLE);
        }
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
        if facts.of(dtype.address()).is_none() {
            // No dtype of numbers: the contract leaves it to numpy.
            self.make_unfilled(object)?;
            self.hand_over(object)?;
            return Ok(false);
        }
        let mut sides = [0; MAX_DIMENSIONS];
        let (Some(numeric), Some(1), Some(count), Some(fortran), Some(bytes)) = (
            facts.of(dtype.address()),
            ffi::small_int(self.py, version),
            ffi::sides_of(self.py, shape, &mut sides),
            ffi::truth(fortran),
            ffi::exact_bytes(data),
        ) else {
            return Ok(false);
        };
        let sides = sides.get(..count).unwrap_or_default();
        let widened = sides.iter().map(|side| i64::try_from(*side).ok());
        let fits = !numeric.is_swapped()
            && extent(widened, numeric.size()) == Ok(bytes.len() as u64)
            && (!numeric.is_bool() || check_bools(bytes).is_ok());
        if !fits || bytes.is_empty() || !ffi::knows_numpy() {
            return Ok(false);
        }
        let layout = ffi::Layout {
            sides,
            item: numeric.size(),
            fortran,
            axes: None,
        };
        // The tuple and what is in it, and what is copied.
        let references = (items.len() + count) as u64 * size::REFERENCE;
        budget.memory(references + bytes.len() as u64)?;
        let depth = Survey::of(items).depth() + 2;
        budget.depth(depth)?;
        let filled = ffi::numpy_filled(self.py, dtype, &layout, data);
        let Some(mut filled) = filled.map_err(|error| self.bad_value(error))? else {
            return Ok(false);
        };
        filled.set_made(id.0, depth.max(object.depth()));
        filled.set_tag(Tag::Made);
        *object = filled;
        Ok(true)
    }

    /// A dtype has an order already, and mostly that one.
    fn order_dtype(&mut self, object: &Value, numeric: Numeric, state: &Value) -> Done<Self> {
        if self.known_of(object) == Some(Known::Dtype(numeric)) {
            return Ok(());
        }
        self.set_numpys(object, state)?;
        let facts = self.desk.met.numpy.get_or_insert_default();
        facts.note(object, numeric);
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
