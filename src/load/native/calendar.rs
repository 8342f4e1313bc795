//! The datetime family and time zones; fields were decoded and range-checked by the contract.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use super::super::ffi::{self, Value};
use super::super::{Fault, PyWorld};
use crate::error::Kind;
use crate::machine::world::Made;
use crate::policy::{EntryId, Plan};

impl PyWorld<'_, '_> {
    pub(super) fn build_calendar(&mut self, id: EntryId, plan: Plan, args: &[Value]) -> Made<Self> {
        let py = self.py;
        self.prepare(id)?;
        let value = match plan {
            Plan::Date(day) => ffi::date(py, day)?,
            Plan::Time(clock, tz) => ffi::time(py, clock, self.tzinfo(id, args, tz)?)?,
            Plan::DateTime(day, clock, tz) => {
                ffi::datetime(py, day, clock, self.tzinfo(id, args, tz)?)?
            }
            Plan::TimeDelta(delta) => ffi::timedelta(py, delta)?,
            Plan::TimeZone { offset, name } => {
                let class = self.class(id)?;
                let delta = ffi::timedelta(py, offset)?;
                let delta = delta.bound(py);
                Value::plain(match name {
                    Some(at) => class.call1((delta, args[at].bound(py)))?,
                    None if offset.is_zero() => class.getattr(pyo3::intern!(py, "utc"))?,
                    None => class.call1((delta,))?,
                })
            }
            _ => return Err(Kind::Malformed("no calendar type".into()).into()),
        };
        Ok(self.made(value.into_bound(py), id))
    }

    fn tzinfo<'v>(
        &self,
        id: EntryId,
        args: &'v [Value],
        at: Option<usize>,
    ) -> Result<Option<ffi::Zone<'v>>, Fault> {
        let Some(at) = at else { return Ok(None) };
        let tz = &args[at];
        if tz.is_none() {
            return Ok(None);
        }
        match ffi::Zone::of(self.py, tz) {
            Some(tz) => Ok(Some(tz)),
            None => Err(Kind::BadType(format!(
                "{}: tzinfo must be None or of a tzinfo subclass, not {}",
                self.policy.entry(id).path(),
                self.describe(&args[at])
            ))
            .into()),
        }
    }

    pub(super) fn zone_info(&mut self, id: EntryId, key: &Value, cached: bool) -> Made<Self> {
        static ZONE_INFO: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        self.prepare(id)?;
        // What was prepared is its method.
        let zone = ZONE_INFO.import(self.py, "zoneinfo", "ZoneInfo")?;
        let key = key.bound(self.py);
        let object = if cached {
            zone.call1((key,))
        } else {
            zone.call_method1(pyo3::intern!(self.py, "no_cache"), (key,))
        };
        let object = object.map_err(|error| self.bad_value(error))?;
        Ok(self.made(object, id))
    }
}
