//! Types that we build ourselves, so that no unpickling hook of theirs ever runs.
//!
//! What arrives is a `Plan`: arguments that passed their contract, parsed. Nothing here looks at a rule again.

mod addresses;
mod arrays;
mod calendar;
mod collections;
pub mod direct;
pub mod enums;
pub mod exceptions;
mod numbers;
pub mod numpy;
mod paths;
mod text;

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyFrozenSet, PyTuple, PyType};

use super::ffi::{self, Survey, Tag, Value};
use super::{Fault, PyWorld};
use crate::error::Kind;
use crate::machine::budget::Budget;
use crate::machine::world::{Done, Made};
use crate::policy::{EntryId, Meaning, Native, Plan};

impl<'py> PyWorld<'_, 'py> {
    /// Builds what was judged.
    pub(super) fn build_native(
        &mut self,
        budget: &mut Budget,
        id: EntryId,
        plan: Plan,
        args: &mut [Value],
    ) -> Made<Self> {
        let py = self.py;
        match plan {
            Plan::AsIs => self.construct(budget, id, args),
            Plan::NoneType => Ok(Value::plain(py.None().into_bound(py).get_type().into_any())),
            Plan::EmptyBytes => Ok(Value::plain(PyBytes::new(py, b"").into_any())),
            Plan::Latin1(at) => {
                self.charge(budget, &args[at..=at])?;
                text::latin1_bytes(py, &args[at])
            }
            Plan::ByteArray(at) => {
                if let Some(at) = at {
                    self.charge(budget, &args[at..=at])?;
                }
                text::bytearray(py, at.map(|at| &args[at]))
            }
            Plan::Complex { re, im } => Ok(numbers::complex(py, re, im)),
            Plan::Date { .. }
            | Plan::Time { .. }
            | Plan::DateTime { .. }
            | Plan::TimeDelta { .. }
            | Plan::TimeZone { .. } => self.build_calendar(id, plan, args),
            Plan::ZoneInfo { key, cached } => self.zone_info(id, &args[key], cached),
            Plan::Decimal(at) => self.decimal_number(id, &args[at]),
            Plan::Fraction => self.fraction(id, &args[0], &args[1]),
            Plan::FractionText { slash } => self.fraction_text(id, &args[0], slash),
            Plan::Deque { items, maxlen } => self.deque(
                budget,
                id,
                !args.is_empty(),
                items.map(|at| &args[at]),
                maxlen,
            ),
            Plan::DefaultDict { factory } => self.default_dict(id, factory),
            Plan::ArrayItems { .. } | Plan::ArrayBytes { .. } => self.array(budget, id, plan, args),
            Plan::Dtype(_) | Plan::Unfilled | Plan::FromBuffer { .. } | Plan::Scalar => {
                self.build_numpy(id, plan, args)
            }
            Plan::EnumValue(at) => self.enum_value(id, &args[at]),
            Plan::EnumName { class, name } => self.enum_name(class, &args[name]),
            Plan::FlagOr { class } => self.flag_or(class, &args[0], &args[1]),
            _ => Err(Kind::Malformed("this plan makes no value".into()).into()),
        }
    }

    /// Calls a native type with arguments that its contract has seen whole.
    fn construct(&mut self, budget: &mut Budget, id: EntryId, args: &mut [Value]) -> Made<Self> {
        self.prepare(id)?;
        self.settle(args)?;
        let native = self.policy.entry(id).meaning;
        if let ([items], Meaning::Native(Native::Set)) = (&*args, native)
            && items.tag() == Tag::List
            && ffi::are_free_keys(items)
        {
            return self.set_of_atoms(budget, id, items);
        }
        for arg in args.iter() {
            self.charge_copy(budget, arg)?;
            match native {
                Meaning::Native(Native::Set | Native::Counter) => {
                    self.price_keys(budget, arg, false)?;
                }
                Meaning::Native(Native::OrderedDict) => self.price_keys(budget, arg, true)?,
                _ => {}
            }
        }
        let class = self.class(id)?;
        let object = if let (Meaning::Native(Native::Counter), [counts]) = (native, &*args) {
            ffi::dict_of(self.py, &class, counts)
        } else if args.is_empty() {
            class.call0()
        } else {
            let args = ffi::tuple(self.py, args, Survey::of(args))?;
            class.call1(args.bound(self.py).cast::<PyTuple>().map_err(PyErr::from)?)
        };
        let object = object.map_err(|error| self.bad_keys(native, error))?;
        Ok(self.native_value(id, object))
    }

    /// `set(list)` and `frozenset(list)` of what costs nothing to hash, without the call.
    fn set_of_atoms(&mut self, budget: &mut Budget, id: EntryId, items: &Value) -> Made<Self> {
        self.charge_copy(budget, items)?;
        let frozen = self.class(id)?.is(self.py.get_type::<PyFrozenSet>());
        let mut set = ffi::set_of(self.py, frozen, items)?;
        set.set_tag(if frozen { Tag::Plain } else { Tag::Set });
        Ok(set)
    }

    /// A value of a native type, with the provenance its kind has.
    fn native_value(&mut self, id: EntryId, object: Bound<'py, PyAny>) -> Value {
        if object.is_exact_instance_of::<pyo3::types::PySet>() {
            return Value::new(object, Tag::Set, 0);
        }
        match self.policy.entry(id).meaning {
            Meaning::Native(
                Native::Bytes
                | Native::ByteArray
                | Native::Encode
                | Native::Complex
                | Native::Range
                | Native::Slice
                | Native::Set
                | Native::Type,
            ) => Value::plain(object),
            _ => self.made(object, id),
        }
    }

    /// A constructor that hashes may have met a user's `__hash__` or `__eq__`: what those raise passes through.
    #[cold]
    pub(super) fn bad_keys(&self, native: Meaning, error: PyErr) -> Fault {
        let hashes = matches!(
            native,
            Meaning::Native(Native::Set | Native::Counter | Native::OrderedDict)
        );
        if hashes && error.traceback(self.py).is_some() {
            return error.into();
        }
        self.bad_value(error)
    }

    /// A constructor of the standard library refuses a value that its contract let through: the data is at fault.
    #[cold]
    pub(in crate::load) fn bad_value(&self, error: PyErr) -> Fault {
        use pyo3::exceptions::{
            PyKeyError, PyKeyboardInterrupt, PyMemoryError, PyOverflowError, PyTypeError,
        };
        let py = self.py;
        let is = |class: Bound<'py, PyType>| error.matches(py, class).unwrap_or(false);
        if is(py.get_type::<PyMemoryError>()) || is(py.get_type::<PyKeyboardInterrupt>()) {
            return error.into();
        }
        let said = error.value(py).to_string();
        if is(py.get_type::<PyTypeError>()) {
            Kind::BadType(said).into()
        } else if is(py.get_type::<PyKeyError>()) {
            Kind::BadKey(said).into()
        } else if is(py.get_type::<PyOverflowError>()) {
            Kind::BadRange(said).into()
        } else {
            Kind::BadValue(said).into()
        }
    }

    /// State of a native type, judged and parsed.
    pub(super) fn set_native_state(
        &mut self,
        plan: Plan,
        object: &Value,
        state: &Value,
    ) -> Done<Self> {
        match plan {
            Plan::Uuid { safe, .. } => self.set_uuid(object, safe, state),
            _ => Err(Kind::Malformed("this plan is no state".into()).into()),
        }
    }
}
