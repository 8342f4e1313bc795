//! The calls that data is full of, in one step: `datetime`, `date`, `time`, `timedelta`, `Decimal`, `OrderedDict()`, and
//! the bytes of protocols 0 to 2.
//!
//! The way through `judge` and `carry_out` is the definition; this is the same for the arguments that picklers write,
//! without a plan in between. The right to call was judged with the policy; the contract is asked here, by the
//! functions that the definition asks; the charges are the same, in the same order. Whatever is unusual, wrong or not
//! resolved yet takes the long way, which knows why. A datetime costs a third of what it did, a Decimal a fifth.

use pyo3::prelude::*;

use super::super::ffi::{self, LastZone, Tag, Value, Zone};
use super::super::{Fault, PyWorld};
use super::numpy::Facts;
use crate::machine::budget::Budget;
use crate::machine::world::Made;
use crate::policy::calendar::{Clock, Day, Delta, datetime_of_state};
use crate::policy::{EntryId, Meaning, Native, SmallDecimal};

/// What was met last, and need not be asked for again while the load runs.
#[derive(Debug, Default)]
pub struct Met {
    /// The entry that each kind was made through.
    entries: [Option<EntryId>; KINDS],
    /// The class of exceptions whose state is set by key.
    pub(super) exception: usize,
    /// What a defaultdict was let through with.
    pub(super) factory: Option<EntryId>,
    /// The zone that was let through.
    zone: LastZone,
    /// What is known of numpy's objects.
    pub(in crate::load) numpy: Option<Box<Facts>>,
}

/// What is made in one step and belongs to an entry.
#[derive(Debug, Clone, Copy)]
pub(super) enum Sort {
    DateTime,
    Date,
    Time,
    TimeDelta,
    Decimal,
    OrderedDict,
    Fraction,
    Ipv4Address,
    Ipv6Address,
    Deque,
    DefaultDict,
    Namespace,
    Path,
    Network,
}

const KINDS: usize = Sort::Network as usize + 1;

/// The long way: a value that is none.
pub(super) const LONG: Result<Value, Fault> = Ok(Value::HOLE);

impl PyWorld<'_, '_> {
    /// A call of a native type in one step. A hole: the long way. Each kind is a function of its own, so that what one
    /// keeps in registers the others need not save.
    #[inline(always)]
    pub(in crate::load) fn call_directly(
        &mut self,
        budget: &mut Budget,
        callable: &Value,
        args: &[Value],
        alone: impl Fn() -> bool,
    ) -> Made<Self> {
        let id = EntryId(callable.entry());
        if callable.tag() != Tag::Global {
            return LONG;
        }
        let Some(native) = self.cache.called(id) else {
            return self.numpy_directly(budget, id, args, alone);
        };
        // What needs no object of its own.
        match native {
            Native::Encode => return self.bytes_directly(budget, args),
            Native::ArrayReconstructor => return self.array_of_bytes_directly(budget, args),
            _ => {}
        }
        // What is not resolved yet must be imported, and may have to wait for the inspector.
        let Some(resolved) = self.cache.get(self.py, id) else {
            return LONG;
        };
        let object = &resolved.object;
        match native {
            Native::DateTime => self.datetime_directly(budget, id, args),
            Native::Date => self.date_directly(budget, id, args),
            Native::Time => self.time_directly(budget, id, args),
            Native::TimeDelta => self.timedelta_directly(budget, id, args),
            Native::Decimal => self.decimal_directly(budget, id, object, args),
            Native::OrderedDict => self.ordered_directly(budget, id, object, args),
            Native::Range => self.range_directly(budget, args),
            Native::Slice => self.slice_directly(budget, args),
            Native::Fraction => self.fraction_directly(budget, id, object, args),
            Native::Deque => self.deque_directly(budget, id, object, args),
            Native::DefaultDict => self.default_dict_directly(budget, id, object, args),
            Native::SimpleNamespace => self.namespace_directly(budget, id, object, args),
            Native::Array => self.array_of_items_directly(budget, object, args),
            Native::Path => self.path_directly(budget, id, object, args),
            Native::Ipv4Network
            | Native::Ipv4Interface
            | Native::Ipv6Network
            | Native::Ipv6Interface => self.network_directly(budget, id, native, object, args),
            Native::Ipv4Address => self.address4_directly(budget, id, object, args),
            Native::Ipv6Address => self.address6_directly(budget, id, object, args),
            _ => LONG,
        }
    }

    #[inline(never)]
    fn datetime_directly(
        &mut self,
        budget: &mut Budget,
        id: EntryId,
        args: &[Value],
    ) -> Made<Self> {
        let Some((state, zone, depth)) = self.state_and_zone(args) else {
            return LONG;
        };
        let Some((day, clock)) = ffi::state_of(state).map(datetime_of_state) else {
            return LONG;
        };
        if !day.is_real() || !clock.is_real() {
            return LONG;
        }
        budget.memory(10)?;
        budget.depth(depth)?;
        let value = ffi::datetime(self.py, day, clock, zone)?;
        Ok(self.met(value, id, depth, Sort::DateTime))
    }

    #[inline(never)]
    fn date_directly(&mut self, budget: &mut Budget, id: EntryId, args: &[Value]) -> Made<Self> {
        let [state] = args else { return LONG };
        let Some(day) = ffi::state_of(state).map(Day::of_state) else {
            return LONG;
        };
        if !day.is_real() {
            return LONG;
        }
        budget.memory(4)?;
        budget.depth(1)?;
        let value = ffi::date(self.py, day)?;
        Ok(self.met(value, id, 1, Sort::Date))
    }

    #[inline(never)]
    fn time_directly(&mut self, budget: &mut Budget, id: EntryId, args: &[Value]) -> Made<Self> {
        let Some((state, zone, depth)) = self.state_and_zone(args) else {
            return LONG;
        };
        let Some(clock) = ffi::state_of(state).map(Clock::of_state) else {
            return LONG;
        };
        if !clock.is_real() {
            return LONG;
        }
        budget.memory(6)?;
        budget.depth(depth)?;
        let value = ffi::time(self.py, clock, zone)?;
        Ok(self.met(value, id, depth, Sort::Time))
    }

    /// A state, a zone of a native kind, and how deep they are in what is called with them.
    #[inline]
    fn state_and_zone<'v>(
        &mut self,
        args: &'v [Value],
    ) -> Option<(&'v Value, Option<Zone<'v>>, u32)> {
        let (state, zone) = match args {
            [state] => return Some((state, None, 1)),
            [state, zone] => (state, zone),
            _ => return None,
        };
        let known = match self.desk.met.zone.again(zone) {
            Some(known) => known,
            None => self.meet_zone(zone)?,
        };
        Some((state, Some(known), zone.depth() + 1))
    }

    /// A zone of a native kind, met for the first time.
    #[cold]
    fn meet_zone<'v>(&mut self, zone: &'v Value) -> Option<Zone<'v>> {
        let made_by = match zone.tag() {
            Tag::Made | Tag::Fresh => self.policy.entry(EntryId(zone.entry())).meaning,
            _ => return None,
        };
        let native = matches!(made_by, Meaning::Native(kind) if kind.makes_zones());
        native.then(|| self.desk.met.zone.meet(self.py, zone))?
    }

    #[inline(never)]
    fn timedelta_directly(
        &mut self,
        budget: &mut Budget,
        id: EntryId,
        args: &[Value],
    ) -> Made<Self> {
        let [days, seconds, microseconds] = args else {
            return LONG;
        };
        let small = |value| ffi::small_int(self.py, value);
        let (Some(days), Some(seconds), Some(microseconds)) =
            (small(days), small(seconds), small(microseconds))
        else {
            return LONG;
        };
        let Some(delta) = Delta::of_fields(days, seconds, microseconds) else {
            return LONG;
        };
        budget.depth(1)?;
        let value = ffi::timedelta(self.py, delta)?;
        Ok(self.met(value, id, 1, Sort::TimeDelta))
    }

    #[inline(never)]
    fn decimal_directly(
        &mut self,
        budget: &mut Budget,
        id: EntryId,
        class: &Py<PyAny>,
        args: &[Value],
    ) -> Made<Self> {
        let [text] = args else { return LONG };
        let Some(text) = ffi::latin1_text(text) else {
            return LONG;
        };
        let Some(number) = SmallDecimal::parse(text) else {
            return LONG;
        };
        // Made before it is charged for, since only now is it known whether it can be.
        let Some(value) = ffi::decimal(self.py, class, number)? else {
            return LONG;
        };
        budget.memory(text.len() as u64)?;
        budget.depth(1)?;
        budget.memory(Native::Decimal.extra_memory())?;
        Ok(self.met(value, id, 1, Sort::Decimal))
    }

    /// `OrderedDict()`: its items come later.
    #[inline(never)]
    fn ordered_directly(
        &mut self,
        budget: &mut Budget,
        id: EntryId,
        class: &Py<PyAny>,
        args: &[Value],
    ) -> Made<Self> {
        if !args.is_empty() || !ffi::is_ordered_class(class) {
            return LONG;
        }
        budget.depth(1)?;
        budget.memory(Native::OrderedDict.extra_memory())?;
        let value = ffi::ordered_dict(self.py)?;
        Ok(self.met(value, id, 1, Sort::OrderedDict))
    }

    /// `_codecs.encode(text, 'latin1')`.
    #[inline(never)]
    fn bytes_directly(&mut self, budget: &mut Budget, args: &[Value]) -> Made<Self> {
        let [text, codec] = args else { return LONG };
        let Some((text, b"latin1")) = ffi::latin1_text(text).zip(ffi::latin1_text(codec)) else {
            return LONG;
        };
        let length = text.len() as u64;
        budget.memory(length)?;
        budget.memory(6)?;
        budget.depth(1)?;
        // It is read by the contract, and copied.
        budget.memory(length)?;
        Ok(ffi::bytes(self.py, text)?)
    }

    /// An instance that this stream made through an entry: as [`Self::made`], and as deep as its arguments make it.
    #[inline(always)]
    pub(super) fn met(&mut self, mut value: Value, id: EntryId, depth: u32, kind: Sort) -> Value {
        let kind = kind as usize;
        if self.desk.met.entries.get(kind) != Some(&Some(id)) {
            self.desk.types.insert(value.type_address(), id);
            if let Some(met) = self.desk.met.entries.get_mut(kind) {
                *met = Some(id);
            }
        }
        value.set_made(id.0, depth);
        value
    }
}
