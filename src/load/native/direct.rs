//! The calls that data is full of, in one step: `datetime`, `date`, `time`, `timedelta`, `Decimal`, `OrderedDict()`, and
//! the bytes of protocols 0 to 2.
//!
//! The way through `judge` and `carry_out` is the definition; this is the same for the arguments that picklers write,
//! without a plan in between. The right to call was judged when the name was resolved; the contract is asked here, by the
//! functions that the definition asks; the charges are the same, in the same order. Whatever is unusual, wrong or not
//! resolved yet takes the long way, which knows why. A datetime costs a third of what it did, a Decimal a fifth.

use super::super::ffi::{self, Survey, Tag, Value, Zone};
use super::super::{Fault, PyWorld};
use crate::machine::budget::Budget;
use crate::policy::calendar::{Clock, Day, Delta, datetime_of_state};
use crate::policy::{EntryId, Meaning, Native, SmallDecimal};

/// Kinds that are remembered by what they made.
const KINDS: usize = 6;

/// The entry that each kind was made through last.
pub type Noted = [Option<EntryId>; KINDS];

impl PyWorld<'_, '_> {
    /// A call of a native type in one step. `None`: the long way.
    #[inline]
    pub(in crate::load) fn call_directly(
        &mut self,
        budget: &mut Budget,
        id: EntryId,
        args: &[Value],
    ) -> Result<Option<Value>, Fault> {
        let Some(resolved) = self.cache.get(self.py, id) else {
            return Ok(None);
        };
        match resolved.called {
            Some(Native::DateTime) => self.datetime_directly(budget, id, args),
            Some(Native::Date) => self.date_directly(budget, id, args),
            Some(Native::Time) => self.time_directly(budget, id, args),
            Some(Native::TimeDelta) => self.timedelta_directly(budget, id, args),
            Some(Native::Decimal) => self.decimal_directly(budget, id, &resolved.object, args),
            Some(Native::OrderedDict) => self.ordered_directly(budget, id, &resolved.object, args),
            Some(Native::Encode) => self.bytes_directly(budget, args),
            _ => Ok(None),
        }
    }

    fn datetime_directly(
        &mut self,
        budget: &mut Budget,
        id: EntryId,
        args: &[Value],
    ) -> Result<Option<Value>, Fault> {
        let Some((state, zone)) = self.state_and_zone(args) else {
            return Ok(None);
        };
        let Some(Ok((day, clock))) = ffi::state_of(state).map(datetime_of_state) else {
            return Ok(None);
        };
        budget.memory(10)?;
        let depth = deepen(budget, args)?;
        let value = ffi::datetime(self.py, day, clock, zone)?;
        Ok(Some(self.noted(value, id, depth, 0)))
    }

    fn date_directly(
        &mut self,
        budget: &mut Budget,
        id: EntryId,
        args: &[Value],
    ) -> Result<Option<Value>, Fault> {
        let [state] = args else { return Ok(None) };
        let Some(Ok(day)) = ffi::state_of(state).map(Day::of_state) else {
            return Ok(None);
        };
        budget.memory(4)?;
        let depth = deepen(budget, args)?;
        let value = ffi::date(self.py, day)?;
        Ok(Some(self.noted(value, id, depth, 1)))
    }

    fn time_directly(
        &mut self,
        budget: &mut Budget,
        id: EntryId,
        args: &[Value],
    ) -> Result<Option<Value>, Fault> {
        let Some((state, zone)) = self.state_and_zone(args) else {
            return Ok(None);
        };
        let Some(Ok(clock)) = ffi::state_of(state).map(Clock::of_state) else {
            return Ok(None);
        };
        budget.memory(6)?;
        let depth = deepen(budget, args)?;
        let value = ffi::time(self.py, clock, zone)?;
        Ok(Some(self.noted(value, id, depth, 2)))
    }

    fn timedelta_directly(
        &mut self,
        budget: &mut Budget,
        id: EntryId,
        args: &[Value],
    ) -> Result<Option<Value>, Fault> {
        let [days, seconds, microseconds] = args else {
            return Ok(None);
        };
        let small = |value| ffi::small_int(self.py, value);
        let (Some(days), Some(seconds), Some(microseconds)) =
            (small(days), small(seconds), small(microseconds))
        else {
            return Ok(None);
        };
        let Some(delta) = Delta::of_fields(days, seconds, microseconds) else {
            return Ok(None);
        };
        let depth = deepen(budget, args)?;
        let value = ffi::timedelta(self.py, delta)?;
        Ok(Some(self.noted(value, id, depth, 3)))
    }

    /// A state, and a zone of a native kind.
    #[inline]
    fn state_and_zone<'v>(&self, args: &'v [Value]) -> Option<(&'v Value, Option<Zone<'v>>)> {
        match args {
            [state] => Some((state, None)),
            [state, zone] if matches!(zone.tag(), Tag::Made | Tag::Fresh) => {
                let made_by = self.policy.entry(EntryId(zone.entry())).meaning;
                let native = matches!(made_by, Meaning::Native(kind) if kind.makes_zones());
                let zone = native.then(|| Zone::of(self.py, zone)).flatten()?;
                Some((state, Some(zone)))
            }
            _ => None,
        }
    }

    fn decimal_directly(
        &mut self,
        budget: &mut Budget,
        id: EntryId,
        class: &pyo3::Py<pyo3::PyAny>,
        args: &[Value],
    ) -> Result<Option<Value>, Fault> {
        let [text] = args else { return Ok(None) };
        let Some(text) = ffi::latin1_text(text) else {
            return Ok(None);
        };
        let Some(number) = SmallDecimal::parse(text) else {
            return Ok(None);
        };
        let Some(value) = ffi::decimal(self.py, class, number)? else {
            return Ok(None);
        };
        budget.memory(text.len() as u64)?;
        let depth = deepen(budget, args)?;
        budget.memory(Native::Decimal.extra_memory())?;
        Ok(Some(self.noted(value, id, depth, 4)))
    }

    /// `OrderedDict()`: its items come later.
    fn ordered_directly(
        &mut self,
        budget: &mut Budget,
        id: EntryId,
        class: &pyo3::Py<pyo3::PyAny>,
        args: &[Value],
    ) -> Result<Option<Value>, Fault> {
        if !args.is_empty() || !ffi::is_ordered_class(class.bind(self.py)) {
            return Ok(None);
        }
        let depth = deepen(budget, args)?;
        budget.memory(Native::OrderedDict.extra_memory())?;
        let value = ffi::ordered_dict(self.py)?;
        Ok(Some(self.noted(value, id, depth, 5)))
    }

    /// `_codecs.encode(text, 'latin1')`.
    fn bytes_directly(
        &mut self,
        budget: &mut Budget,
        args: &[Value],
    ) -> Result<Option<Value>, Fault> {
        let [text, codec] = args else { return Ok(None) };
        let Some((text, b"latin1")) = ffi::latin1_text(text).zip(ffi::latin1_text(codec)) else {
            return Ok(None);
        };
        let length = text.len() as u64;
        budget.memory(length)?;
        budget.memory(6)?;
        deepen(budget, args)?;
        // It is read by the contract, and copied.
        budget.memory(length)?;
        Ok(Some(ffi::bytes(self.py, text)?))
    }

    /// An instance that this stream made through an entry: as [`Self::made`], and as deep as its arguments make it.
    #[inline]
    fn noted(&mut self, mut value: Value, id: EntryId, depth: u32, kind: usize) -> Value {
        if self.desk.noted.get(kind) != Some(&Some(id)) {
            self.desk.types.insert(value.type_address(), id);
            if let Some(noted) = self.desk.noted.get_mut(kind) {
                *noted = Some(id);
            }
        }
        value.set_made(id.0, depth);
        value
    }
}

/// Charges for the nesting of arguments in what is called with them.
#[inline]
fn deepen(budget: &mut Budget, args: &[Value]) -> Result<u32, Fault> {
    let depth = Survey::of(args).depth() + 1;
    budget.depth(depth)?;
    Ok(depth)
}
