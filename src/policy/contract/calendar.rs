//! Native contracts of the datetime family. `CPython` checks only the month byte
//! of a state and crashes later on what it lets through; here every field is
//! decoded and held against the calendar.

use super::native::mismatch;
use crate::policy::Plan;
use crate::policy::view::{Look, View};
use crate::policy::{EntryId, Meaning, Native, Policy};

const FOLD: u8 = 0x80;
const MAX_DELTA_DAYS: i64 = 999_999_999;
const SECONDS_A_DAY: i64 = 86_400;
const MICROSECONDS_A_SECOND: i64 = 1_000_000;

/// `date(bytes[4])`.
pub(super) fn date<L: Look>(look: &L, args: &[L::Value]) -> Result<Plan, String> {
    let [state] = args else {
        return mismatch("(the 4 bytes of a date)", look, args);
    };
    let Some([y1, y2, month, day]) = state_bytes(look.view(state)) else {
        return mismatch("(the 4 bytes of a date)", look, args);
    };
    let (year, month, day) = day_of(y1, y2, month, day)?;
    Ok(Plan::Date { year, month, day })
}

/// `time(bytes[6][, tzinfo])`.
pub(super) fn time<L: Look>(policy: &Policy, look: &L, args: &[L::Value]) -> Result<Plan, String> {
    let (state, tz) = state_and_zone(policy, look, args)?;
    let Some([hour, minute, second, u1, u2, u3]) = state_bytes(look.view(state)) else {
        return mismatch("(the 6 bytes of a time, tzinfo?)", look, args);
    };
    let (hour, fold) = (hour & !FOLD, hour & FOLD != 0);
    let (minute, second, microsecond) = clock_of(hour, [minute, second, u1, u2, u3])?;
    Ok(Plan::Time {
        hour,
        minute,
        second,
        microsecond,
        fold,
        tz,
    })
}

/// `datetime(bytes[10][, tzinfo])`.
pub(super) fn datetime<L: Look>(
    policy: &Policy,
    look: &L,
    args: &[L::Value],
) -> Result<Plan, String> {
    let (state, tz) = state_and_zone(policy, look, args)?;
    let Some([y1, y2, month, day, hour, minute, second, u1, u2, u3]) =
        state_bytes(look.view(state))
    else {
        return mismatch("(the 10 bytes of a datetime, tzinfo?)", look, args);
    };
    let (month, fold) = (month & !FOLD, month & FOLD != 0);
    let (year, month, day) = day_of(y1, y2, month, day)?;
    let (minute, second, microsecond) = clock_of(hour, [minute, second, u1, u2, u3])?;
    Ok(Plan::DateTime {
        year,
        month,
        day,
        hour,
        minute,
        second,
        microsecond,
        fold,
        tz,
    })
}

/// `timedelta(days, seconds, microseconds)`, normalised as every pickler
/// writes it.
pub(super) fn timedelta<L: Look>(look: &L, args: &[L::Value]) -> Result<Plan, String> {
    const EXPECTED: &str = "(int days within 999999999 of 0, int seconds below a day, \
                            int microseconds below a second)";
    let [days, seconds, microseconds] = args else {
        return mismatch(EXPECTED, look, args);
    };
    let field = |value, low: i64, high: i64| match look.view(value) {
        View::Int(n) if (low..=high).contains(&n) => i32::try_from(n).ok(),
        _ => None,
    };
    match (
        field(days, -MAX_DELTA_DAYS, MAX_DELTA_DAYS),
        field(seconds, 0, SECONDS_A_DAY - 1),
        field(microseconds, 0, MICROSECONDS_A_SECOND - 1),
    ) {
        (Some(days), Some(seconds), Some(microseconds)) => Ok(Plan::TimeDelta {
            days,
            seconds,
            microseconds,
        }),
        _ => mismatch(EXPECTED, look, args),
    }
}

/// `timezone(timedelta[, str])`, strictly less than a day from UTC.
pub(super) fn timezone<L: Look>(look: &L, args: &[L::Value]) -> Result<Plan, String> {
    const EXPECTED: &str = "(timedelta of less than a day, str?)";
    let (offset, name) = match args {
        [offset] => (offset, None),
        [offset, name] if matches!(look.view(name), View::Str(_) | View::SurrogateStr) => {
            (offset, Some(1))
        }
        _ => return mismatch(EXPECTED, look, args),
    };
    match look.timedelta(offset) {
        Some((days, seconds, microseconds))
            if days == 0 || (days == -1 && (seconds, microseconds) > (0, 0)) =>
        {
            Ok(Plan::TimeZone {
                days,
                seconds,
                microseconds,
                name,
            })
        }
        _ => mismatch(EXPECTED, look, args),
    }
}

/// `ZoneInfo._unpickle(key, from_cache)`: the key names a zone and no other
/// place in the file system.
pub(super) fn zone_info<L: Look>(look: &L, args: &[L::Value]) -> Result<Plan, String> {
    const EXPECTED: &str = "(str that names a zone, 0 or 1)";
    let [key, cached] = args else {
        return mismatch(EXPECTED, look, args);
    };
    let cached = match look.view(cached) {
        View::Int(0) | View::Bool(false) => false,
        View::Int(1) | View::Bool(true) => true,
        _ => return mismatch(EXPECTED, look, args),
    };
    match look.view(key) {
        View::Str(text) if is_zone_key(text) => Ok(Plan::ZoneInfo { key: 0, cached }),
        _ => mismatch(EXPECTED, look, args),
    }
}

fn is_zone_key(key: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'+' | b'-' | b'/');
    (1..=64).contains(&key.len())
        && key.bytes().all(allowed)
        && !key.starts_with('/')
        && !key.ends_with('/')
        && !key.contains("//")
}

/// The state, from bytes or from the str that `encoding="latin1"` makes of a
/// Python 2 str.
fn state_bytes<const N: usize>(view: View<'_>) -> Option<[u8; N]> {
    match view {
        View::Bytes(bytes) => bytes.try_into().ok(),
        View::Str(text) if text.len() <= 2 * N => {
            let mut state = [0; N];
            let mut chars = text.chars();
            for byte in &mut state {
                *byte = u8::try_from(chars.next()?).ok()?;
            }
            chars.next().is_none().then_some(state)
        }
        _ => None,
    }
}

fn state_and_zone<'a, L: Look>(
    policy: &Policy,
    look: &L,
    args: &'a [L::Value],
) -> Result<(&'a L::Value, Option<usize>), String> {
    match args {
        [state] => Ok((state, None)),
        [state, zone] => match look.view(zone) {
            View::Made(entry) if may_be_zone(policy, entry) => Ok((state, Some(1))),
            other => Err(format!(
                "its tzinfo must be a timezone, not {}",
                other.describe()
            )),
        },
        _ => Err("its contract is (bytes, tzinfo?)".to_owned()),
    }
}

/// Whether an instance made through that entry can be a tzinfo: the native
/// kinds, or a class that the policy allows (the constructor checks that it is
/// a tzinfo).
fn may_be_zone(policy: &Policy, entry: EntryId) -> bool {
    matches!(
        policy.get(entry).map(|entry| entry.meaning),
        Some(
            Meaning::Object
                | Meaning::Native(Native::TimeZone | Native::ZoneInfo | Native::ZoneInfoUnpickle)
        )
    )
}

fn day_of(y1: u8, y2: u8, month: u8, day: u8) -> Result<(i32, u8, u8), String> {
    let year = i32::from(y1) * 256 + i32::from(y2);
    if !(1..=9999).contains(&year) {
        return Err(format!("year {year} is out of range"));
    }
    let last = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        _ => return Err(format!("month {month} is out of range")),
    };
    if (1..=last).contains(&day) {
        Ok((year, month, day))
    } else {
        Err(format!("day {day} is out of range for {year}-{month:02}"))
    }
}

fn clock_of(hour: u8, [minute, second, u1, u2, u3]: [u8; 5]) -> Result<(u8, u8, u32), String> {
    let microsecond = u32::from_be_bytes([0, u1, u2, u3]);
    for (field, value, end) in [
        ("hour", u32::from(hour), 24),
        ("minute", u32::from(minute), 60),
        ("second", u32::from(second), 60),
        ("microsecond", microsecond, 1_000_000),
    ] {
        if value >= end {
            return Err(format!("{field} {value} is out of range"));
        }
    }
    Ok((minute, second, microsecond))
}

#[cfg(test)]
mod tests;
