//! Days, clocks and durations as the datetime family keeps them, and which
//! states are any. `CPython` checks only the month byte of a state and crashes
//! later on what it lets through; here every field is held against the calendar.

/// Bit of the month byte of a datetime, and of the hour byte of a time, that
/// holds the fold.
const FOLD: u8 = 0x80;
const MAX_DELTA_DAYS: i64 = 999_999_999;
const SECONDS_A_DAY: i64 = 86_400;
const MICROSECONDS_A_SECOND: i64 = 1_000_000;

/// A real day.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Day {
    /// 1 to 9999.
    pub year: u16,
    /// 1 to 12.
    pub month: u8,
    /// 1 to the last day of that month.
    pub day: u8,
}

/// A time of day, in range.
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

/// A duration, normalised.
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
    /// From the state of a date.
    #[inline]
    pub fn of_state([high, low, month, day]: [u8; 4]) -> Result<Day, String> {
        let year = u16::from_be_bytes([high, low]);
        let last = match month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
            2 => 28,
            _ => 0,
        };
        let there = Day { year, month, day };
        if (1..=9999).contains(&year) && (1..=last).contains(&day) {
            Ok(there)
        } else {
            Err(there.why_not(last))
        }
    }

    #[cold]
    fn why_not(self, last: u8) -> String {
        let Day { year, month, day } = self;
        if !(1..=9999).contains(&year) {
            format!("year {year} is out of range")
        } else if last == 0 {
            format!("month {month} is out of range")
        } else {
            format!("day {day} is out of range for {year}-{month:02}")
        }
    }
}

impl Clock {
    /// From the state of a time.
    #[inline]
    pub fn of_state([hour, rest @ ..]: [u8; 6]) -> Result<Clock, String> {
        Clock::of_fields(hour & !FOLD, rest, hour & FOLD != 0)
    }

    #[inline]
    fn of_fields(
        hour: u8,
        [minute, second, u1, u2, u3]: [u8; 5],
        fold: bool,
    ) -> Result<Clock, String> {
        let clock = Clock {
            hour,
            minute,
            second,
            microsecond: u32::from_be_bytes([0, u1, u2, u3]),
            fold,
        };
        if hour < 24 && minute < 60 && second < 60 && clock.microsecond < 1_000_000 {
            Ok(clock)
        } else {
            Err(clock.why_not())
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

/// Day and clock, from the state of a datetime.
#[inline]
pub fn datetime_of_state(state: [u8; 10]) -> Result<(Day, Clock), String> {
    let [high, low, month, day, hour, rest @ ..] = state;
    let date = Day::of_state([high, low, month & !FOLD, day])?;
    let clock = Clock::of_fields(hour, rest, month & FOLD != 0)?;
    Ok((date, clock))
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
