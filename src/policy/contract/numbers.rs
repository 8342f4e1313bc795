//! Native contracts of numbers: complex, range, Decimal, Fraction, UUID.

use super::native::{Native, mismatch};
use crate::policy::view::{Look, View};
use crate::policy::{Meaning, Policy};
use crate::policy::{Plan, Safe};

/// Digits of an int, as `CPython`'s own limit on converting text: beyond it,
/// conversion and gcd are quadratic.
const MAX_DIGITS: usize = 4_300;
/// Bits of an int of that many digits.
const MAX_BITS: u64 = 14_284;
/// Characters of a Decimal. Its conversion is linear; the bound is for what is
/// done with it later.
const MAX_DECIMAL_TEXT: usize = 10_000;
/// A little inside what the decimal module can hold on 64 bits, so that no
/// literal is rounded, clamped or refused by it.
const MAX_DECIMAL_EXPONENT: u64 = 999_999_999_999_000_000;

/// `complex(float, float)`.
pub(super) fn complex<L: Look>(look: &L, args: &[L::Value]) -> Result<Plan, String> {
    match args {
        [real, imag] => match (look.view(real), look.view(imag)) {
            (View::Float(re), View::Float(im)) => Ok(Plan::Complex { re, im }),
            _ => mismatch("(float, float)", look, args),
        },
        _ => mismatch("(float, float)", look, args),
    }
}

/// `range(int, int, int)`, the step not zero.
pub(super) fn range<L: Look>(look: &L, args: &[L::Value]) -> Result<Plan, String> {
    let int = |arg| matches!(look.view(arg), View::Int(_) | View::BigInt { .. });
    match args {
        [start, end, step] if int(start) && int(end) && int(step) => {
            if look.view(step) == View::Int(0) {
                Err("the step of a range must not be zero".into())
            } else {
                Ok(Plan::AsIs)
            }
        }
        _ => mismatch("(int, int, int)", look, args),
    }
}

/// `Decimal(str)`, the str a literal.
pub(super) fn decimal<L: Look>(look: &L, args: &[L::Value]) -> Result<Plan, String> {
    match args {
        [only] => match look.view(only) {
            View::Str(text) if text.len() <= MAX_DECIMAL_TEXT && is_decimal(text) => {
                Ok(Plan::Decimal(0))
            }
            _ => mismatch(
                "(str, a decimal literal of at most 10000 characters)",
                look,
                args,
            ),
        },
        _ => mismatch("(str, a decimal literal)", look, args),
    }
}

/// A Decimal's literal of a sign, digits and a point, perhaps with an exponent, with no more digits than two words hold:
/// what nearly all are. [`decimal`] lets every one of them pass.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SmallDecimal {
    /// Whether it begins with a minus; zero may.
    pub negative: bool,
    /// The last 19 digits.
    pub low: u64,
    /// The digits in front of those.
    pub high: u64,
    /// The power of ten that the digits count.
    pub exponent: i64,
}

impl SmallDecimal {
    /// Digits that a word holds: any `u64` can.
    const DIGITS: usize = 19;
    /// One more than the last 19 digits can say.
    pub const RADIX: u64 = 10_000_000_000_000_000_000;
    /// Characters of the longest that is read: a sign, two words of digits, a point and an exponent.
    const LONGEST: usize = 2 + 2 * Self::DIGITS + Self::EXPONENT;
    /// Characters of the longest exponent, its letter and sign among them.
    const EXPONENT: usize = 6;

    /// Reads a literal; `None` for all but the smallest, and for what is none.
    #[inline]
    pub fn parse(text: &[u8]) -> Option<SmallDecimal> {
        let (negative, unsigned) = match text {
            [b'-', unsigned @ ..] => (true, unsigned),
            [b'+', unsigned @ ..] | unsigned => (false, unsigned),
        };
        // A digit more than a word holds, unless one is the point.
        if unsigned.len() > Self::DIGITS + 1 {
            return Self::parse_long(negative, unsigned);
        }
        let (mut low, mut digits) = (0u64, 0u8);
        let mut point = None;
        for byte in unsigned {
            match byte.wrapping_sub(b'0') {
                digit @ 0..=9 => {
                    low = low.wrapping_mul(10).wrapping_add(u64::from(digit));
                    digits = digits.wrapping_add(1);
                }
                _ if *byte == b'.' && point.is_none() => point = Some(digits),
                _ if matches!(byte, b'e' | b'E') => return Self::parse_long(negative, unsigned),
                _ => return None,
            }
        }
        if usize::from(digits) > Self::DIGITS {
            return Self::parse_long(negative, unsigned);
        }
        let places = point.map_or(0, |before| digits.wrapping_sub(before));
        (digits > 0).then_some(SmallDecimal {
            negative,
            low,
            high: 0,
            exponent: -i64::from(places),
        })
    }

    /// As [`SmallDecimal::parse`], for digits of two words and for exponents.
    #[inline(never)]
    fn parse_long(negative: bool, unsigned: &[u8]) -> Option<SmallDecimal> {
        if unsigned.len() > Self::LONGEST {
            return None;
        }
        let letter = unsigned.iter().position(|byte| matches!(byte, b'e' | b'E'));
        let (number, exponent) = match letter.and_then(|at| unsigned.split_at_checked(at)) {
            Some((number, exponent)) => (number, Self::exponent(exponent)?),
            None => (unsigned, 0),
        };
        let point = number.iter().position(|byte| *byte == b'.');
        let places = point.map_or(0, |at| number.len() - at - 1);
        let digits = number.len() - usize::from(point.is_some());
        if !(1..=2 * Self::DIGITS).contains(&digits) {
            return None;
        }
        let (mut low, mut high) = (0u64, 0u64);
        let mut left = digits;
        for (at, byte) in number.iter().enumerate() {
            let digit = match byte.wrapping_sub(b'0') {
                digit @ 0..=9 => u64::from(digit),
                _ if point == Some(at) => continue,
                _ => return None,
            };
            let word = if left > Self::DIGITS {
                &mut high
            } else {
                &mut low
            };
            *word = word.wrapping_mul(10).wrapping_add(digit);
            left -= 1;
        }
        Some(SmallDecimal {
            negative,
            low,
            high,
            exponent: exponent - i64::try_from(places).ok()?,
        })
    }

    /// `E+5`: its letter, perhaps a sign, and up to four digits.
    fn exponent(text: &[u8]) -> Option<i64> {
        let (negative, digits) = match text {
            [_, b'-', digits @ ..] => (true, digits),
            [_, b'+', digits @ ..] | [_, digits @ ..] => (false, digits),
            [] => return None,
        };
        if digits.is_empty() || digits.len() > Self::EXPONENT - 2 {
            return None;
        }
        let mut exponent = 0i64;
        for byte in digits {
            match byte.wrapping_sub(b'0') {
                digit @ 0..=9 => exponent = exponent * 10 + i64::from(digit),
                _ => return None,
            }
        }
        Some(if negative { -exponent } else { exponent })
    }
}

/// `str(Decimal(…))`: `[sign] digits [. digits] [E exponent]`, Infinity, NaN.
fn is_decimal(text: &str) -> bool {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    // Nearly all are digits and a point: one pass, nothing copied.
    let (mut digits, mut points) = (0usize, 0usize);
    for byte in unsigned.bytes() {
        digits += usize::from(byte.is_ascii_digit());
        points += usize::from(byte == b'.');
    }
    if digits + points == unsigned.len() {
        return digits > 0 && points <= 1;
    }
    let lower = unsigned.to_ascii_lowercase();
    if matches!(&*lower, "inf" | "infinity") {
        return true;
    }
    if let Some(payload) = lower.strip_prefix("snan").or(lower.strip_prefix("nan")) {
        return payload.bytes().all(|b| b.is_ascii_digit());
    }
    let (number, exponent) = match lower.split_once('e') {
        Some((number, exponent)) => (number, Some(exponent)),
        None => (&*lower, None),
    };
    let (whole, part) = number.split_once('.').unwrap_or((number, ""));
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let exponent_holds = |exponent: &str| {
        let size = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        digits(size)
            && size
                .parse::<u64>()
                .is_ok_and(|size| size <= MAX_DECIMAL_EXPONENT)
    };
    digits(whole)
        && digits(part)
        && !(whole.is_empty() && part.is_empty())
        && exponent.is_none_or(exponent_holds)
}

/// `Fraction(int, int)` (3.11 and later) or `Fraction('a/b')`. Never a float,
/// a Decimal or a text with an exponent, which expand.
pub(super) fn fraction<L: Look>(look: &L, args: &[L::Value]) -> Result<Plan, String> {
    const EXPECTED: &str = "(int, int above 0) | (str 'a/b' or 'a'), each of at most 4300 digits";
    match args {
        [text] => match look.view(text) {
            View::Str(text) => match fraction_text(text) {
                Some(slash) => Ok(Plan::FractionText { slash }),
                None => mismatch(EXPECTED, look, args),
            },
            _ => mismatch(EXPECTED, look, args),
        },
        [numerator, denominator] => {
            let numerator = match look.view(numerator) {
                View::Int(_) => true,
                View::BigInt { bits, .. } => bits <= MAX_BITS,
                _ => false,
            };
            let denominator = match look.view(denominator) {
                View::Int(n) => n > 0,
                View::BigInt { bits, negative } => bits <= MAX_BITS && !negative,
                _ => false,
            };
            if numerator && denominator {
                Ok(Plan::Fraction)
            } else {
                mismatch(EXPECTED, look, args)
            }
        }
        _ => mismatch(EXPECTED, look, args),
    }
}

/// Where the slash of a fraction stands, if the text is one.
#[allow(
    clippy::option_option,
    reason = "not a fraction, a whole number, or a slash at that byte"
)]
fn fraction_text(text: &str) -> Option<Option<usize>> {
    let digits = |text: &str| {
        (1..=MAX_DIGITS).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit())
    };
    let slash = text.find('/');
    let (numerator, denominator) = text.split_once('/').unwrap_or((text, "1"));
    let numerator = numerator.strip_prefix('-').unwrap_or(numerator);
    let holds =
        digits(numerator) && digits(denominator) && denominator.bytes().any(|digit| digit != b'0');
    holds.then_some(slash)
}

/// The state of a UUID: `{'int': value}`, perhaps with `'is_safe'`.
pub(super) fn uuid_state<L: Look>(
    policy: &Policy,
    look: &L,
    state: &L::Value,
) -> Result<Plan, String> {
    const EXPECTED: &str = "its state must be {'int': an int in 0..2**128, 'is_safe'?: SafeUUID}";
    if !matches!(look.view(state), View::Dict(_)) {
        return Err(EXPECTED.to_owned());
    }
    let mut value = None;
    let mut safe = Safe::Unknown;
    for (key, item) in look.pairs(state) {
        match (look.view(&key), look.view(&item)) {
            (View::Str("int"), View::Int(_) | View::BigInt { .. }) => value = look.u128(&item),
            (View::Str("is_safe"), View::Int(0)) => safe = Safe::Safe,
            (View::Str("is_safe"), View::Int(-1)) => safe = Safe::Unsafe,
            (View::Str("is_safe"), View::None) => safe = Safe::Unknown,
            (View::Str("is_safe"), View::Made(id)) if is_safe_uuid(policy, id) => {
                safe = Safe::Given;
            }
            _ => return Err(EXPECTED.to_owned()),
        }
    }
    match value {
        Some(value) => Ok(Plan::Uuid { value, safe }),
        None => Err(EXPECTED.to_owned()),
    }
}

fn is_safe_uuid(policy: &Policy, id: crate::policy::EntryId) -> bool {
    policy.get(id).is_some_and(|entry| {
        entry.meaning == Meaning::Native(Native::EnumMember)
            && (&*entry.module, &*entry.name) == ("uuid", "SafeUUID")
    })
}

#[cfg(test)]
mod tests;
