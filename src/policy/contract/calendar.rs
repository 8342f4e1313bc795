//! Native contracts of the datetime family: which arguments there are. What a
//! state may hold, `policy::calendar` knows.

use super::native::mismatch;
use crate::policy::Plan;
use crate::policy::calendar::{Clock, Day, Delta, datetime_of_state};
use crate::policy::view::{Look, View};
use crate::policy::{EntryId, Meaning, Native, Policy};

/// `date(bytes[4])`.
pub(super) fn date<L: Look>(look: &L, args: &[L::Value]) -> Result<Plan, String> {
    let [state] = args else {
        return mismatch("(the 4 bytes of a date)", look, args);
    };
    match state_bytes(look.view(state)) {
        Some(state) => Ok(Plan::Date(Day::of_state(state).checked()?)),
        None => mismatch("(the 4 bytes of a date)", look, args),
    }
}

/// `time(bytes[6][, tzinfo])`.
pub(super) fn time<L: Look>(policy: &Policy, look: &L, args: &[L::Value]) -> Result<Plan, String> {
    let (state, tz) = state_and_zone(policy, look, args)?;
    match state_bytes(look.view(state)) {
        Some(state) => Ok(Plan::Time(Clock::of_state(state).checked()?, tz)),
        None => mismatch("(the 6 bytes of a time, tzinfo?)", look, args),
    }
}

/// `datetime(bytes[10][, tzinfo])`.
pub(super) fn datetime<L: Look>(
    policy: &Policy,
    look: &L,
    args: &[L::Value],
) -> Result<Plan, String> {
    let (state, tz) = state_and_zone(policy, look, args)?;
    let Some(state) = state_bytes(look.view(state)) else {
        return mismatch("(the 10 bytes of a datetime, tzinfo?)", look, args);
    };
    let (day, clock) = datetime_of_state(state);
    Ok(Plan::DateTime(day.checked()?, clock.checked()?, tz))
}

/// `timedelta(days, seconds, microseconds)`, normalised as every pickler
/// writes it.
pub(super) fn timedelta<L: Look>(look: &L, args: &[L::Value]) -> Result<Plan, String> {
    const EXPECTED: &str = "(int days within 999999999 of 0, int seconds below a day, \
                            int microseconds below a second)";
    let [days, seconds, microseconds] = args else {
        return mismatch(EXPECTED, look, args);
    };
    let delta = match (look.view(days), look.view(seconds), look.view(microseconds)) {
        (View::Int(days), View::Int(seconds), View::Int(microseconds)) => {
            Delta::of_fields(days, seconds, microseconds)
        }
        _ => None,
    };
    match delta {
        Some(delta) => Ok(Plan::TimeDelta(delta)),
        None => mismatch(EXPECTED, look, args),
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
    let offset = look
        .timedelta(offset)
        .map(|(days, seconds, microseconds)| Delta {
            days,
            seconds,
            microseconds,
        });
    match offset {
        Some(offset) if offset.is_offset() => Ok(Plan::TimeZone { offset, name }),
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
    match policy.get(entry).map(|entry| entry.meaning) {
        Some(Meaning::Object) => true,
        Some(Meaning::Native(native)) => native.makes_zones(),
        _ => false,
    }
}

impl Native {
    /// Whether its instances are kinds of tzinfo.
    pub fn makes_zones(self) -> bool {
        matches!(
            self,
            Native::TimeZone | Native::ZoneInfo | Native::ZoneInfoUnpickle
        )
    }
}

#[cfg(test)]
mod tests;
