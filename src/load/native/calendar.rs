//! The datetime family and time zones, through the C API; fields were decoded and range-checked by the contract.

use pyo3::prelude::*;
use pyo3::types::{PyDate, PyDateTime, PyDelta, PyTime, PyTzInfo};

use super::super::ffi::Value;
use super::super::{Fault, PyWorld};
use crate::error::Kind;
use crate::machine::world::Made;
use crate::policy::{EntryId, Plan};

impl<'py> PyWorld<'_, 'py> {
    pub(super) fn build_calendar(&mut self, id: EntryId, plan: Plan, args: &[Value]) -> Made<Self> {
        let py = self.py;
        self.prepare(id)?;
        let object = match plan {
            Plan::Date { year, month, day } => PyDate::new(py, year, month, day)?.into_any(),
            Plan::Time {
                hour,
                minute,
                second,
                microsecond,
                fold,
                tz,
            } => {
                let tz = self.tzinfo(id, args, tz)?;
                PyTime::new_with_fold(py, hour, minute, second, microsecond, tz.as_ref(), fold)?
                    .into_any()
            }
            Plan::DateTime {
                year,
                month,
                day,
                hour,
                minute,
                second,
                microsecond,
                fold,
                tz,
            } => {
                let tz = self.tzinfo(id, args, tz)?;
                PyDateTime::new_with_fold(
                    py,
                    year,
                    month,
                    day,
                    hour,
                    minute,
                    second,
                    microsecond,
                    tz.as_ref(),
                    fold,
                )?
                .into_any()
            }
            Plan::TimeDelta {
                days,
                seconds,
                microseconds,
            } => PyDelta::new(py, days, seconds, microseconds, true)?.into_any(),
            Plan::TimeZone {
                days,
                seconds,
                microseconds,
                name,
            } => {
                let class = self.class(id)?;
                let offset = PyDelta::new(py, days, seconds, microseconds, true)?;
                match name {
                    Some(at) => class.call1((offset, args[at].bound(py)))?,
                    None if (days, seconds, microseconds) == (0, 0, 0) => {
                        class.getattr(pyo3::intern!(py, "utc"))?
                    }
                    None => class.call1((offset,))?,
                }
            }
            _ => return Err(Kind::Malformed("no calendar type".into()).into()),
        };
        Ok(self.made(object, id))
    }

    fn tzinfo(
        &self,
        id: EntryId,
        args: &[Value],
        at: Option<usize>,
    ) -> Result<Option<Bound<'py, PyTzInfo>>, Fault> {
        let Some(at) = at else { return Ok(None) };
        let tz = args[at].bound(self.py);
        if tz.is_none() {
            return Ok(None);
        }
        match tz.cast::<PyTzInfo>() {
            Ok(tz) => Ok(Some(tz.clone())),
            Err(_) => Err(Kind::BadType(format!(
                "{}: tzinfo must be None or of a tzinfo subclass, not {}",
                self.policy.entry(id).path(),
                self.describe(&args[at])
            ))
            .into()),
        }
    }

    pub(super) fn zone_info(&mut self, id: EntryId, key: &Value, cached: bool) -> Made<Self> {
        self.prepare(id)?;
        let zone = self.py.import("zoneinfo")?.getattr("ZoneInfo")?;
        let key = key.bound(self.py);
        let object = if cached {
            zone.call1((key,))
        } else {
            zone.call_method1("no_cache", (key,))
        };
        let object = object.map_err(|error| self.bad_value(error))?;
        Ok(self.made(object, id))
    }
}
