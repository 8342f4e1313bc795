//! Dates, times and durations, laid out as the `datetime` module lays them out.
//!
//! A state is these bytes already, so where objects look as expected they are written down, without the module's
//! constructors, which check once more what the contract has checked. The way is open only where objects made here have
//! been compared with the module's own, and closed with all others (see [`super::layout`]).

use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::types::{PyDate, PyDateTime, PyDelta, PyTime, PyType, PyTzInfo};

use super::late::Late;
use super::layout;
use super::value::{Make, Value};
use crate::policy::calendar::{Clock, Day, Delta};

/// Words in front of the fields: count, type, hash.
const HEADER: usize = 3;
/// Bytes of an instance, its zone counted: a multiple of what the allocator gives.
const SIZE: usize = 48;

/// Headers of new objects: the hash is -1 until it is asked for.
struct Headers {
    date: [u64; HEADER],
    time: [u64; HEADER],
    datetime: [u64; HEADER],
    delta: [u64; HEADER],
}

static HEADERS: Late<Headers> = Late::new();

/// A live instance of a subclass of `tzinfo`.
#[derive(Clone, Copy)]
pub struct Zone<'v>(&'v Value);

impl<'v> Zone<'v> {
    /// The zone that a value is.
    #[inline]
    pub fn of(py: Python<'_>, value: &'v Value) -> Option<Self> {
        let is_zone = value.has_object()
            && !value.is_symbolic()
            && value.bound(py).is_instance_of::<PyTzInfo>();
        is_zone.then_some(Self(value))
    }

    fn bound<'py>(self, py: Python<'py>) -> &'v Bound<'py, PyTzInfo> {
        let object = self.0.bound(py);
        // SAFETY: `of` has seen that it is one.
        unsafe { object.cast_unchecked() }
    }

    /// A reference of its own, as the word that a new object holds.
    #[inline(always)]
    fn word(zone: Option<Self>) -> u64 {
        let Some(Self(zone)) = zone else { return 0 };
        // SAFETY: a live object.
        unsafe { ffi::Py_INCREF(zone.object) };
        zone.object as u64
    }
}

/// The zone that was seen last. It is kept, so that another object never has its address.
#[derive(Debug, Default)]
pub struct LastZone(Value);

impl LastZone {
    /// The zone that a value is, if it is the last one and no more is known of it.
    #[inline(always)]
    pub fn again<'v>(&self, value: &'v Value) -> Option<Zone<'v>> {
        let same = (self.0.object, self.0.info) == (value.object, value.info);
        (same && value.has_object()).then_some(Zone(value))
    }

    /// The zone that a value is: the last one from now on.
    pub fn meet<'v>(&mut self, py: Python<'_>, value: &'v Value) -> Option<Zone<'v>> {
        let zone = Zone::of(py, value)?;
        self.0 = value.share();
        Some(zone)
    }
}

/// The state in an exact bytes object of `N` bytes.
#[inline(always)]
pub fn state_of<const N: usize>(value: &Value) -> Option<[u8; N]> {
    if value.type_address() != &raw const ffi::PyBytes_Type as usize {
        return None;
    }
    // SAFETY: exact bytes.
    if unsafe { ffi::Py_SIZE(value.object) }.unsigned_abs() != N {
        return None;
    }
    let object = value.object.cast::<ffi::PyBytesObject>();
    // SAFETY: exact bytes, which follow the header.
    let start = unsafe { &raw const (*object).ob_sval };
    // SAFETY: as many as its size; bytes need no alignment.
    Some(unsafe { start.cast::<[u8; N]>().read() })
}

/// A date.
#[inline]
pub fn date(py: Python<'_>, day: Day) -> Make {
    match HEADERS.get() {
        Some(headers) => headers.date(day),
        None => slow(py, api::date(py, day)),
    }
}

/// A time of day.
#[inline]
pub fn time(py: Python<'_>, clock: Clock, zone: Option<Zone<'_>>) -> Make {
    match HEADERS.get() {
        Some(headers) => headers.time(clock, zone),
        None => slow(py, api::time(py, clock, zone)),
    }
}

/// A datetime.
#[inline(always)]
pub fn datetime(py: Python<'_>, day: Day, clock: Clock, zone: Option<Zone<'_>>) -> Make {
    match HEADERS.get() {
        Some(headers) => headers.datetime(day, clock, zone),
        None => slow(py, api::datetime(py, day, clock, zone)),
    }
}

/// A duration.
#[inline]
pub fn timedelta(py: Python<'_>, delta: Delta) -> Make {
    match HEADERS.get() {
        // From 3.13 on there is one for no time at all, kept for good.
        Some(headers) if !delta.is_zero() => headers.delta(delta),
        Some(_) => api::delta(py, delta),
        None => slow(py, api::delta(py, delta)),
    }
}

/// Made by the module's constructor; the first time, what that makes is looked at.
#[cold]
fn slow(py: Python<'_>, made: Make) -> Make {
    learn_calendar(py)?;
    made
}

/// Whether the way is open, once it was asked for.
pub(super) fn learn_calendar(py: Python<'_>) -> PyResult<bool> {
    HEADERS.learn(py, || Headers::found(py))
}

impl Headers {
    fn date(&self, day: Day) -> Make {
        write(self.date, || [date_fields(day) << 8, 0, 0])
    }

    fn time(&self, clock: Clock, zone: Option<Zone<'_>>) -> Make {
        let fields = u64::from(zone.is_some()) | clock_fields(clock) << 8;
        write(self.time, || [fields, Zone::word(zone), 0])
    }

    #[inline(always)]
    fn datetime(&self, day: Day, clock: Clock, zone: Option<Zone<'_>>) -> Make {
        let clock = clock_fields(clock);
        let first = u64::from(zone.is_some()) | date_fields(day) << 8 | clock << 40;
        write(self.datetime, || [first, clock >> 24, Zone::word(zone)])
    }

    fn delta(&self, delta: Delta) -> Make {
        let [days, seconds, microseconds] = [delta.days, delta.seconds, delta.microseconds]
            .map(|field| u64::from(field.cast_unsigned()));
        write(self.delta, || [days | seconds << 32, microseconds, 0])
    }

    /// The headers, if objects made with them are the module's own in all that can be asked of them.
    fn found(py: Python<'_>) -> PyResult<Option<Self>> {
        let [low, middle, high] = [
            Day {
                year: 1,
                month: 1,
                day: 1,
            },
            Day {
                year: 2024,
                month: 2,
                day: 29,
            },
            Day {
                year: 9999,
                month: 12,
                day: 31,
            },
        ];
        let clock = |hour, minute, second, microsecond, fold| Clock {
            hour,
            minute,
            second,
            microsecond,
            fold,
        };
        let clocks = [
            clock(0, 0, 0, 0, false),
            clock(1, 2, 3, 0x0004_0506, true),
            clock(23, 59, 59, 999_999, false),
        ];
        let deltas = [(0, 1, 0), (-999_999_999, 0, 1), (7, 86_399, 999_999)];
        let deltas = deltas.map(|(days, seconds, microseconds)| Delta {
            days,
            seconds,
            microseconds,
        });
        let utc = Value::plain(PyTzInfo::utc(py)?.to_owned().into_any());
        let zone = Zone::of(py, &utc);
        for (class, size) in [
            (py.get_type::<PyDate>(), 32),
            (py.get_type::<PyTime>(), 40),
            (py.get_type::<PyDateTime>(), 48),
            (py.get_type::<PyDelta>(), 40),
        ] {
            if !is_simple(&class, size) {
                return Ok(None);
            }
        }
        let headers = Self {
            date: layout::header(&api::date(py, low)?),
            time: layout::header(&api::time(py, clocks[0], None)?),
            datetime: layout::header(&api::datetime(py, low, clocks[0], None)?),
            delta: layout::header(&api::delta(py, deltas[0])?),
        };
        let mut same = true;
        let mut compare = |ours: Make, theirs: Make, zone: Option<usize>| {
            let (ours, theirs) = (ours?, theirs?);
            // Where an aware object keeps its zone.
            let zones = zone.is_none_or(|word| zone_at(&ours, word) == zone_at(&theirs, word));
            same = same && zones && alike(py, &ours, &theirs)?;
            Ok::<_, PyErr>(())
        };
        for day in [low, middle, high] {
            compare(headers.date(day), api::date(py, day), None)?;
            for clock in clocks {
                let theirs = api::datetime(py, day, clock, None);
                compare(headers.datetime(day, clock, None), theirs, None)?;
                let theirs = api::datetime(py, day, clock, zone);
                compare(headers.datetime(day, clock, zone), theirs, Some(5))?;
            }
        }
        for clock in clocks {
            compare(headers.time(clock, None), api::time(py, clock, None), None)?;
            let theirs = api::time(py, clock, zone);
            compare(headers.time(clock, zone), theirs, Some(4))?;
        }
        for delta in deltas {
            compare(headers.delta(delta), api::delta(py, delta), None)?;
        }
        Ok(same.then_some(headers))
    }
}

/// Whether instances are of that size, and neither counted by their class nor collected.
fn is_simple(class: &Bound<'_, PyType>, size: isize) -> bool {
    // SAFETY: a live type.
    let kind = unsafe { &*class.as_type_ptr() };
    let counted = ffi::Py_TPFLAGS_HEAPTYPE | ffi::Py_TPFLAGS_HAVE_GC;
    // SAFETY: a live type.
    let counts = unsafe { ffi::PyType_GetFlags(class.as_type_ptr()) } & counted != 0;
    kind.tp_basicsize == size && kind.tp_itemsize == 0 && !counts
}

/// Whether two objects made just now begin with the same words, and answer alike.
fn alike(py: Python<'_>, ours: &Value, theirs: &Value) -> PyResult<bool> {
    let words = layout::header::<4>(ours) == layout::header::<4>(theirs);
    Ok(words && layout::same(py, ours, theirs)?)
}

/// The word at which an aware object keeps its zone.
fn zone_at(object: &Value, word: usize) -> u64 {
    layout::header::<6>(object)[word]
}

/// Year, month and day in the order of their bytes.
#[inline(always)]
fn date_fields(day: Day) -> u64 {
    let [high, low] = day.year.to_be_bytes();
    u32::from_le_bytes([high, low, day.month, day.day]).into()
}

/// Hour, minute, second, microsecond and fold in the order of their bytes.
#[inline(always)]
fn clock_fields(clock: Clock) -> u64 {
    let [_, u1, u2, u3] = clock.microsecond.to_be_bytes();
    let fold = u8::from(clock.fold);
    u64::from_le_bytes([clock.hour, clock.minute, clock.second, u1, u2, u3, fold, 0])
}

/// An object: its header and its fields. Not marked as tracked: these types take no part in collection.
#[inline(always)]
fn write(header: [u64; HEADER], fields: impl FnOnce() -> [u64; 3]) -> Make {
    let object: *mut PyObject = layout::begin(&header, SIZE);
    if object.is_null() {
        return Err(layout::no_memory());
    }
    // SAFETY: of the six words, three are the header.
    let place = unsafe { layout::behind::<HEADER>(object) };
    // SAFETY: three words are left, aligned.
    unsafe { place.cast::<[u64; 3]>().write(fields()) };
    Ok(Value { object, info: 0 })
}

/// The same by the module's constructors.
mod api {
    use super::{
        Clock, Day, Delta, Make, PyDate, PyDateTime, PyDelta, PyTime, Python, Value, Zone,
    };
    use pyo3::prelude::*;

    fn value(object: Bound<'_, PyAny>) -> Value {
        let mut value = Value::plain(object);
        value.info = 0;
        value
    }

    pub fn date(py: Python<'_>, day: Day) -> Make {
        let Day { year, month, day } = day;
        Ok(value(PyDate::new(py, year.into(), month, day)?.into_any()))
    }

    pub fn time(py: Python<'_>, clock: Clock, zone: Option<Zone<'_>>) -> Make {
        let Clock {
            hour,
            minute,
            second,
            microsecond,
            fold,
        } = clock;
        let zone = zone.map(|zone| zone.bound(py));
        let time = PyTime::new_with_fold(py, hour, minute, second, microsecond, zone, fold)?;
        Ok(value(time.into_any()))
    }

    pub fn datetime(py: Python<'_>, day: Day, clock: Clock, zone: Option<Zone<'_>>) -> Make {
        let Day { year, month, day } = day;
        let year = year.into();
        let Clock {
            hour,
            minute,
            second,
            microsecond,
            fold,
        } = clock;
        let zone = zone.map(|zone| zone.bound(py));
        let datetime = PyDateTime::new_with_fold(
            py,
            year,
            month,
            day,
            hour,
            minute,
            second,
            microsecond,
            zone,
            fold,
        )?;
        Ok(value(datetime.into_any()))
    }

    pub fn delta(py: Python<'_>, delta: Delta) -> Make {
        let Delta {
            days,
            seconds,
            microseconds,
        } = delta;
        let delta = PyDelta::new(py, days, seconds, microseconds, true)?;
        Ok(value(delta.into_any()))
    }
}
