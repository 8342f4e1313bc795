//! Days, clocks and durations as the datetime family keeps them, and which of
//! them are any. `CPython` checks only the month byte of a state and crashes
//! later on what it lets through; here every field is held against the calendar.
//! A plan holds only what is real.

/// Bit of the month byte of a datetime, and of the hour byte of a time, that
/// holds the fold.
const FOLD: u8 = 0x80;
const MAX_DELTA_DAYS: i64 = 999_999_999;
const SECONDS_A_DAY: i64 = 86_400;
const MICROSECONDS_A_SECOND: i64 = 1_000_000;

/// A day.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Day {
    /// 1 to 9999.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to the last day of that month.
    pub day: u8,
}

/// A time of day.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Clock {
    /// 0 to 23.
    pub hour: u8,
    /// 0 to 59.
    pub minute: u8,
    /// 0 to 59.
    pub second: u8,
    /// 0 to 999,999.
    pub microsecond: u32,
    /// The second of two equal wall times.
    pub fold: bool,
}

/// A duration.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Delta {
    /// Within 999,999,999 of zero.
    pub days: i32,
    /// 0 to 86,399.
    pub seconds: i32,
    /// 0 to 999,999.
    pub microseconds: i32,
}

impl Day {
    /// From the state of a date, whatever it holds.
    #[inline(always)]
    pub fn of_state([high, low, month, day]: [u8; 4]) -> Day {
        let year = u16::from_be_bytes([high, low]);
        Day { year, month, day }
    }

    /// The last day of the month; 0 where there is no such month.
    #[inline(always)]
    fn last(self) -> u8 {
        const LAST: [u8; 16] = [0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 0, 0, 0];
        let leaps = || {
            self.year.is_multiple_of(4)
                && (!self.year.is_multiple_of(100) || self.year.is_multiple_of(400))
        };
        match self.month {
            2 if leaps() => 29,
            month => LAST.get(usize::from(month)).copied().unwrap_or(0),
        }
    }

    /// Whether it is a day of the calendar.
    #[inline(always)]
    pub fn is_real(self) -> bool {
        (1..=9999).contains(&self.year) && self.day >= 1 && self.day <= self.last()
    }

    /// The day, if it is one.
    pub fn checked(self) -> Result<Day, String> {
        if self.is_real() {
            Ok(self)
        } else {
            Err(self.why_not())
        }
    }

    #[cold]
    fn why_not(self) -> String {
        let Day { year, month, day } = self;
        if !(1..=9999).contains(&year) {
            format!("year {year} is out of range")
        } else if self.last() == 0 {
            format!("month {month} is out of range")
        } else {
            format!("day {day} is out of range for {year}-{month:02}")
        }
    }
}

impl Clock {
    /// From the state of a time, whatever it holds.
    #[inline(always)]
    pub fn of_state([hour, rest @ ..]: [u8; 6]) -> Clock {
        Clock::of_fields(hour & !FOLD, rest, hour & FOLD != 0)
    }

    #[inline(always)]
    fn of_fields(hour: u8, [minute, second, u1, u2, u3]: [u8; 5], fold: bool) -> Clock {
        Clock {
            hour,
            minute,
            second,
            microsecond: u32::from_be_bytes([0, u1, u2, u3]),
            fold,
        }
    }

    /// Whether every field is in range.
    #[inline(always)]
    pub fn is_real(self) -> bool {
        self.hour < 24 && self.minute < 60 && self.second < 60 && self.microsecond < 1_000_000
    }

    /// The time, if it is one.
    pub fn checked(self) -> Result<Clock, String> {
        if self.is_real() {
            Ok(self)
        } else {
            Err(self.why_not())
        }
    }

    #[cold]
    fn why_not(self) -> String {
        let (field, value) = if self.hour >= 24 {
            ("hour", u32::from(self.hour))
        } else if self.minute >= 60 {
            ("minute", u32::from(self.minute))
        } else if self.second >= 60 {
            ("second", u32::from(self.second))
        } else {
            ("microsecond", self.microsecond)
        };
        format!("{field} {value} is out of range")
    }
}

/// Day and clock, from the state of a datetime, whatever it holds.
#[inline(always)]
pub fn datetime_of_state(state: [u8; 10]) -> (Day, Clock) {
    let [high, low, month, day, hour, rest @ ..] = state;
    let date = Day::of_state([high, low, month & !FOLD, day]);
    (date, Clock::of_fields(hour, rest, month & FOLD != 0))
}

impl Delta {
    /// Of days, seconds and microseconds that are in range.
    #[inline]
    pub fn of_fields(days: i64, seconds: i64, microseconds: i64) -> Option<Delta> {
        let in_range = (-MAX_DELTA_DAYS..=MAX_DELTA_DAYS).contains(&days)
            && (0..SECONDS_A_DAY).contains(&seconds)
            && (0..MICROSECONDS_A_SECOND).contains(&microseconds);
        let field = |value: i64| i32::try_from(value).ok();
        match (field(days), field(seconds), field(microseconds)) {
            (Some(days), Some(seconds), Some(microseconds)) if in_range => Some(Delta {
                days,
                seconds,
                microseconds,
            }),
            _ => None,
        }
    }

    /// Whether it may be a timezone's offset: strictly less than a day.
    pub fn is_offset(self) -> bool {
        let nothing = Delta {
            days: -1,
            seconds: 0,
            microseconds: 0,
        };
        self.days == 0 || self.days == -1 && self > nothing
    }

    /// Whether it is no time at all.
    pub fn is_zero(self) -> bool {
        (self.days, self.seconds, self.microseconds) == (0, 0, 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn test_every_day_of_the_calendar_is_real_and_no_other() {
        let mut days = 0u32;
        for year in (0..=9999).chain([10_000, u16::MAX]) {
            let [high, low] = year.to_be_bytes();
            for month in (0..=16).chain([0x82, 255]) {
                for day in [0, 1, 27, 28, 29, 30, 31, 32, 255] {
                    days += u32::from(Day::of_state([high, low, month, day]).is_real());
                }
            }
        }
        // Of each of 9,999 years: the 1st, 27th and 28th of 12 months, 29 to 31 as there are, 2,424 leap days.
        assert_eq!(days, 9_999 * (12 * 3 + 11 + 11 + 7) + 2_424);
    }

    #[test]
    fn test_the_fold_is_no_part_of_the_field_that_holds_it() {
        let (day, clock) = datetime_of_state([7, 0xe8, 0x8a, 27, 2, 30, 0, 0, 0, 0]);
        assert_eq!((day.month, clock.hour, clock.fold), (10, 2, true));
        let (_, clock) = datetime_of_state([7, 0xe8, 10, 27, 0x82, 30, 0, 0, 0, 0]);
        assert!(!clock.is_real() && !clock.fold);
        let clock = Clock::of_state([0x82, 30, 0, 0, 0, 0]);
        assert!(clock.is_real() && clock.fold && clock.hour == 2);
    }
}
