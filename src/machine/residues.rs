//! Python's numeric hash, as far as it is arithmetic under the modulus: decimals, fractions, complex numbers.
//!
//! All numbers of one value have one hash, whatever their type: the value taken modulo 2^61 - 1. `hashing.rs` has ints and
//! floats. The tests of the Python side hold these against the interpreter.

use super::hashing::{MODULUS, float_hash, signed};

/// What infinities, and fractions whose denominator has no inverse, hash to.
const INFINITY: i64 = 314_159;
/// The weight of the imaginary part of a complex.
const IMAGINARY: i64 = 1_000_003;

/// `left * right` under the modulus.
fn times(left: u64, right: u64) -> u64 {
    let product = u128::from(left) * u128::from(right) % u128::from(MODULUS);
    u64::try_from(product).unwrap_or_default()
}

fn power(base: u64, exponent: u64) -> u64 {
    let (mut result, mut square, mut left) = (1, base, exponent);
    while left > 0 {
        if left & 1 == 1 {
            result = times(result, square);
        }
        square = times(square, square);
        left >>= 1;
    }
    result
}

/// The inverse of what is not 0: the modulus is prime.
fn inverse(of: u64) -> u64 {
    power(of, MODULUS - 2)
}

/// Decimal digits under the modulus; other characters are passed over.
fn digits(text: &[u8]) -> u64 {
    text.iter()
        .filter(|byte| byte.is_ascii_digit())
        .fold(0, |sum, byte| {
            (times(sum, 10) + u64::from(byte & 0x0f)) % MODULUS
        })
}

/// The hash of a `Decimal` by its literal; `None` for NaN, whose hash is its address.
pub fn decimal(text: &str) -> Option<i64> {
    let unsigned = text.trim_start_matches(['+', '-']);
    let negative = text.starts_with('-');
    match unsigned.bytes().next() {
        Some(b'i' | b'I') => return Some(if negative { -INFINITY } else { INFINITY }),
        Some(b'n' | b'N' | b's' | b'S') => return None,
        _ => {}
    }
    let (number, exponent) = unsigned.split_once(['e', 'E']).unwrap_or((unsigned, "0"));
    let exponent: i64 = exponent.parse().unwrap_or(0);
    let part = number.split_once('.').map_or(0, |(_, part)| part.len());
    let exponent = exponent.saturating_sub(i64::try_from(part).unwrap_or(i64::MAX));
    let base = if exponent < 0 { inverse(10) } else { 10 };
    let scale = power(base, exponent.unsigned_abs());
    Some(signed(times(digits(number.as_bytes()), scale), negative))
}

/// Whether a `Decimal` literal is a signaling NaN, which has no hash.
pub fn is_signaling(text: &str) -> bool {
    text.trim_start_matches(['+', '-']).starts_with(['s', 'S'])
}

/// The hash of a `Fraction` of two magnitudes, little-endian, in whatever terms; the denominator is not 0.
pub fn fraction(numerator: &[u8], denominator: &[u8], negative: bool) -> i64 {
    let (mut above, mut below) = (divided(numerator), divided(denominator));
    if numerator.iter().all(|byte| *byte == 0) {
        return 0;
    }
    // In lowest terms, the modulus divides one of them at most.
    while above.1 == 0 && below.1 == 0 {
        (above, below) = (divided(&above.0), divided(&below.0));
    }
    match below.1 {
        0 if negative => -INFINITY,
        0 => INFINITY,
        below => signed(times(above.1, inverse(below)), negative),
    }
}

/// Quotient and remainder by the modulus.
fn divided(magnitude: &[u8]) -> (Vec<u8>, u64) {
    let mut rest = 0u128;
    let mut quotient: Vec<u8> = magnitude
        .iter()
        .rev()
        .map(|byte| {
            rest = rest << 8 | u128::from(*byte);
            let digit = rest / u128::from(MODULUS);
            rest %= u128::from(MODULUS);
            u8::try_from(digit).unwrap_or_default()
        })
        .collect();
    quotient.reverse();
    (quotient, u64::try_from(rest).unwrap_or_default())
}

/// The hash of a complex. A NaN part hashes to an address: not here.
pub fn complex(real: f64, imaginary: f64) -> i64 {
    let sum = float_hash(real).wrapping_add(float_hash(imaginary).wrapping_mul(IMAGINARY));
    if sum == -1 { -2 } else { sum }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::hashing::{int_hash, long_hash};

    #[test]
    fn decimals_hash_as_the_numbers_they_equal() {
        for (text, like) in [
            ("0", int_hash(0)),
            ("-0E+5", int_hash(0)),
            ("12", int_hash(12)),
            ("1.2E1", int_hash(12)),
            ("-0.50", float_hash(-0.5)),
            ("2305843009213693951", int_hash(0)),
            ("230584300921369395100e-2", int_hash(0)),
            ("-1", -2),
            ("1E+3", int_hash(1000)),
            ("sNaN", 1),
        ] {
            assert_eq!(decimal(text).unwrap_or(1), like, "{text}");
        }
        assert_eq!(decimal("-Infinity"), Some(float_hash(f64::NEG_INFINITY)));
        assert!(is_signaling("-sNaN12") && !is_signaling("NaN"));
        // An exact fraction of two, and a power too large to write out.
        assert_eq!(decimal("0.0009765625"), Some(float_hash(1.0 / 1024.0)));
        assert_eq!(
            decimal("1E+999999999999000000").map(|hash| hash > 0),
            Some(true)
        );
    }

    #[test]
    fn fractions_hash_in_lowest_terms() {
        let of =
            |above: u128, below: u128| fraction(&above.to_le_bytes(), &below.to_le_bytes(), false);
        let modulus = u128::from(MODULUS);
        assert_eq!(of(1, 2), float_hash(0.5));
        assert_eq!(of(6, 8), float_hash(0.75));
        assert_eq!(of(5, 1), 5);
        assert_eq!(of(0, modulus), 0);
        assert_eq!(of(1, modulus), INFINITY);
        assert_eq!(of(modulus, 1), 0);
        assert_eq!(of(modulus * 3, modulus * 4), float_hash(0.75));
        assert_eq!(of(modulus * modulus, modulus), 0);
        assert_eq!(fraction(&[1], &[4], true), float_hash(-0.25));
        assert_eq!(long_hash(&(1u128 << 70).to_le_bytes()), of(1 << 71, 2));
    }

    #[test]
    fn complex_numbers_hash_by_both_parts() {
        assert_eq!(complex(1.5, 0.0), float_hash(1.5));
        assert_eq!(complex(0.0, 1.0), 1_000_003);
        assert_eq!(complex(-1_000_004.0, 1.0), -2);
    }
}
