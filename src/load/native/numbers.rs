//! complex, range, slice, Decimal, Fraction, UUID.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyComplex, PyDict, PyInt, PyString};

use super::super::ffi::{self, Tag, Value, Whole};
use super::super::{Fault, PyWorld};
use super::direct::{LONG, Sort};
use crate::machine::budget::Budget;
use crate::machine::world::{Done, Made};
use crate::policy::{EntryId, Grant, Look, Meaning, Native, Rights, Safe, View};

pub(super) fn complex(py: Python<'_>, re: f64, im: f64) -> Value {
    Value::plain(PyComplex::from_doubles(py, re, im).into_any())
}

impl<'py> PyWorld<'_, 'py> {
    pub(super) fn decimal_number(&mut self, id: EntryId, text: &Value) -> Made<Self> {
        self.prepare(id)?;
        let object = self
            .class(id)?
            .call1((text.bound(self.py),))
            .map_err(|error| self.bad_value(error))?;
        Ok(self.made(object, id))
    }

    pub(super) fn fraction(
        &mut self,
        id: EntryId,
        numerator: &Value,
        denominator: &Value,
    ) -> Made<Self> {
        self.prepare(id)?;
        let class = self.class(id)?;
        let object = class.call1((numerator.bound(self.py), denominator.bound(self.py)));
        let object = object.map_err(|error| self.bad_value(error))?;
        Ok(self.made(object, id))
    }

    /// `Fraction(n, d)` of ints of 64 bits in lowest terms, which is how picklers write them: four times as fast as the
    /// constructor, which asks for their greatest common divisor once more, in Python.
    #[inline(never)]
    pub(super) fn fraction_directly(
        &mut self,
        budget: &mut Budget,
        id: EntryId,
        class: &Py<PyAny>,
        args: &[Value],
    ) -> Made<Self> {
        let [numerator, denominator] = args else {
            return LONG;
        };
        let small = |value| ffi::small_int(self.py, value);
        let (Some(n), Some(d)) = (small(numerator), small(denominator)) else {
            return LONG;
        };
        if d <= 0 || gcd(n.unsigned_abs(), d.unsigned_abs()) != 1 {
            return LONG;
        }
        let Some(value) = ffi::fraction(self.py, class, numerator, denominator)? else {
            return LONG;
        };
        budget.depth(1)?;
        budget.memory(Native::Fraction.extra_memory())?;
        Ok(self.met(value, id, 1, Sort::Fraction))
    }

    /// `range` of ints of 64 bits.
    #[inline(never)]
    pub(super) fn range_directly(&mut self, budget: &mut Budget, args: &[Value]) -> Made<Self> {
        let Ok(args) = <&[Value; 3]>::try_from(args) else {
            return LONG;
        };
        let [start, end, step] = args.each_ref().map(|arg| ffi::small_int(self.py, arg));
        let (Some(start), Some(end), Some(step)) = (start, end, step) else {
            return LONG;
        };
        if step == 0 {
            return LONG;
        }
        let Some(mut value) = ffi::range(self.py, args, [start, end, step])? else {
            return LONG;
        };
        budget.depth(1)?;
        value.set_depth(1);
        Ok(value)
    }

    /// `slice` of ints and None.
    #[inline(never)]
    pub(super) fn slice_directly(&mut self, budget: &mut Budget, args: &[Value]) -> Made<Self> {
        let Ok(args) = <&[Value; 3]>::try_from(args) else {
            return LONG;
        };
        if !args.iter().all(|arg| arg.is_none() || arg.is_int()) {
            return LONG;
        }
        self.charge(budget, args)?;
        budget.depth(1)?;
        let mut value = ffi::slice(self.py, args)?;
        value.set_depth(1);
        Ok(value)
    }

    /// `"3"` or `"3/4"`, as picklers up to 3.10 wrote it: two ints, so that the text never meets the class's parser.
    pub(super) fn fraction_text(
        &mut self,
        id: EntryId,
        text: &Value,
        slash: Option<usize>,
    ) -> Made<Self> {
        let text = match self.view(text) {
            View::Str(text) => text.to_owned(),
            _ => String::new(),
        };
        let int = self.py.get_type::<pyo3::types::PyInt>();
        let number = |digits: &str| int.call1((digits,)).map(Value::plain);
        let (numerator, denominator) = match slash {
            Some(at) => (
                number(text.get(..at).unwrap_or_default()),
                number(text.get(at + 1..).unwrap_or_default()),
            ),
            None => (number(&text), number("1")),
        };
        let (numerator, denominator) = (
            numerator.map_err(|error| self.bad_value(error))?,
            denominator.map_err(|error| self.bad_value(error))?,
        );
        self.fraction(id, &numerator, &denominator)
    }

    /// The state that picklers write for a UUID, `{"int": …}`, without a plan in between: a quarter less for each. The
    /// contract lets every one of these pass; whatever is more or other is left to it.
    #[inline]
    pub(in crate::load) fn build_uuid(
        &mut self,
        budget: &mut Budget,
        id: EntryId,
        object: &mut Value,
        state: &Value,
    ) -> Result<bool, Fault> {
        let entry = self.policy.entry(id);
        let granted = |grant: &Grant| grant.rights.contains(Rights::STATE);
        if entry.meaning != Meaning::Native(Native::Uuid) || !entry.grant().is_some_and(granted) {
            return Ok(false);
        }
        let Some(value) = self.only_uuid(state) else {
            return Ok(false);
        };
        let depth = state.depth() + 1;
        budget.depth(depth)?;
        object.set_depth(depth.max(object.depth()));
        self.charge_copy(budget, state)?;
        self.set_slots(object, &value, Safe::Unknown, state)?;
        object.set_tag(Tag::Made);
        object.set_symbolic(false);
        Ok(true)
    }

    /// The int in 0..2**128 that stands in a dict under `"int"`, and nothing beside it.
    fn only_uuid(&self, state: &Value) -> Option<Bound<'py, PyAny>> {
        if state.tag() != Tag::Dict {
            return None;
        }
        let state = state.bound(self.py).cast_exact::<PyDict>().ok()?;
        if state.len() != 1 {
            return None;
        }
        let (key, value) = state.iter().next()?;
        let key = key.cast_exact::<PyString>().ok()?;
        let fits = match ffi::whole(value.cast_exact::<PyInt>().ok()?) {
            Whole::Small(value) => value >= 0,
            Whole::Big { bits, negative } => !negative && bits <= 128,
        };
        (fits && key.to_str().ok()? == "int").then_some(value)
    }

    pub(super) fn set_uuid(&mut self, object: &Value, safe: Safe, state: &Value) -> Done<Self> {
        let value = state
            .bound(self.py)
            .get_item(pyo3::intern!(self.py, "int"))?;
        self.set_slots(object, &value, safe, state)
    }

    /// Sets a UUID's two slots, past its `__setattr__`, which refuses everything. The int is the state's own.
    fn set_slots(
        &self,
        object: &Value,
        value: &Bound<'py, PyAny>,
        safe: Safe,
        state: &Value,
    ) -> Done<Self> {
        static UNKNOWN: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        static SAFE_UUID: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let py = self.py;
        let uuid = object.bound(py);
        let level = |name| SAFE_UUID.import(py, "uuid", "SafeUUID")?.getattr(name);
        ffi::generic_set(uuid, pyo3::intern!(py, "int").as_any(), value)?;
        let level = match safe {
            Safe::Unknown => {
                let unknown = || level("unknown").map(Bound::unbind);
                UNKNOWN.get_or_try_init(py, unknown)?.bind(py).clone()
            }
            Safe::Safe => level("safe")?,
            Safe::Unsafe => level("unsafe")?,
            Safe::Given => state.bound(py).get_item(pyo3::intern!(py, "is_safe"))?,
        };
        ffi::generic_set(uuid, pyo3::intern!(py, "is_safe").as_any(), &level)?;
        Ok(())
    }
}

/// The greatest common divisor.
fn gcd(mut a: u64, mut b: u64) -> u64 {
    while let Some(rest) = a.checked_rem(b) {
        (a, b) = (b, rest);
    }
    a
}
