//! Ints beyond 64 bits, in the two's complement that pickles store them in.

use std::borrow::Cow;

/// An int beyond 64 bits.
#[derive(Debug)]
pub(super) struct Long<'d> {
    /// Two's complement, little-endian, no longer than it must be.
    pub(super) twos: Cow<'d, [u8]>,
    /// Bits of the magnitude.
    pub(super) bits: u64,
}

impl<'d> Long<'d> {
    /// An int in two's complement of the length that it needs.
    pub(super) fn new(twos: Cow<'d, [u8]>) -> Self {
        let bits = magnitude_bits(&twos);
        Self { twos, bits }
    }

    /// Whether the int is below zero.
    pub(super) fn is_negative(&self) -> bool {
        self.twos.last().is_some_and(|last| last & 0x80 != 0)
    }
}

/// Bytes that a two's complement int needs.
pub(super) fn needed(twos: &[u8]) -> usize {
    let mut rest = twos;
    while let [head @ .., before, last] = rest {
        let redundant = (*last == 0 && before & 0x80 == 0) || (*last == 0xff && before & 0x80 != 0);
        if !redundant {
            break;
        }
        rest = rest.get(..=head.len()).unwrap_or_default();
    }
    rest.len()
}

/// The int of at most 8 significant bytes.
pub(super) fn small(twos: &[u8]) -> i64 {
    let negative = twos.last().is_some_and(|last| last & 0x80 != 0);
    let mut bytes = [if negative { 0xff } else { 0 }; 8];
    for (slot, byte) in bytes.iter_mut().zip(twos) {
        *slot = *byte;
    }
    i64::from_le_bytes(bytes)
}

/// Bits of the magnitude of a two's complement int of the length that it needs.
fn magnitude_bits(twos: &[u8]) -> u64 {
    let Some((last, rest)) = twos.split_last() else {
        return 0;
    };
    let low = rest.len() as u64 * 8;
    if last & 0x80 == 0 {
        return match last {
            0 => low,
            top => low + u64::from(8 - top.leading_zeros()),
        };
    }
    // |x| = ~x + 1, which carries into a new bit only where ~x is all ones: x = -2^k.
    let flipped = !last;
    let length = match flipped {
        0 => rest
            .last()
            .map_or(0, |next| low - u64::from((!next).leading_zeros())),
        top => low + u64::from(8 - top.leading_zeros()),
    };
    let power = last.wrapping_neg().is_power_of_two() && rest.iter().all(|byte| *byte == 0);
    length + u64::from(power)
}

/// Two's complement of checked decimal digits.
pub(super) fn twos_of(digits: &[u8]) -> Vec<u8> {
    let negative = digits.starts_with(b"-");
    let mut limbs: Vec<u32> = Vec::new();
    for chunk in digits.strip_prefix(b"-").unwrap_or(digits).chunks(9) {
        let scale = chunk.iter().fold(1u64, |scale, _| scale * 10);
        let value = chunk
            .iter()
            .fold(0u64, |value, digit| value * 10 + u64::from(digit & 0x0f));
        let mut carry = value;
        for limb in &mut limbs {
            let sum = u64::from(*limb) * scale + carry;
            *limb = (sum & u64::from(u32::MAX)).try_into().unwrap_or(u32::MAX);
            carry = sum >> 32;
        }
        if carry > 0 {
            limbs.push(carry.try_into().unwrap_or(u32::MAX));
        }
    }
    let mut twos: Vec<u8> = limbs.iter().flat_map(|limb| limb.to_le_bytes()).collect();
    twos.push(0);
    if negative {
        let mut carry = true;
        for byte in &mut twos {
            let (sum, over) = (!*byte).overflowing_add(u8::from(carry));
            *byte = sum;
            carry = over;
        }
    }
    twos
}

#[cfg(test)]
mod tests {
    use super::super::note::{Arena, Note};
    use super::*;

    #[test]
    fn ints_take_the_room_they_need() {
        let mut arena = Arena::default();
        for value in [0, 1, -1, 127, 128, -128, -129, i64::MAX, i64::MIN] {
            let mut twos = value.to_le_bytes().to_vec();
            let fill = if value < 0 { 0xff } else { 0 };
            twos.extend([fill; 5]);
            assert_eq!(arena.long(Cow::Owned(twos)), Ok(Note::Int(value)));
        }
        assert_eq!(arena.long(Cow::Borrowed(&[])), Ok(Note::Int(0)));
        for value in [
            1i128 << 63,
            -(1i128 << 63) - 1,
            1 << 64,
            -(1 << 64),
            i128::MAX,
            i128::MIN + 1,
            i128::MIN,
            (1 << 72) - 1,
            -(1 << 72),
            -(1 << 71),
            -(1 << 71) - 1,
        ] {
            let note = arena
                .long(Cow::Owned(value.to_le_bytes().to_vec()))
                .unwrap();
            let Note::Long(index) = note else {
                panic!("{value} fits 64 bits");
            };
            let long = arena.get_long(index).unwrap();
            let bits = 128 - value.unsigned_abs().leading_zeros();
            assert_eq!(
                (long.bits, long.is_negative()),
                (u64::from(bits), value < 0),
                "{value}"
            );
        }
    }

    #[test]
    fn digits_are_read() {
        for value in [
            0i128,
            7,
            -7,
            1_000_000_000,
            -(1 << 64),
            i128::MAX,
            i128::MIN + 1,
        ] {
            let twos = twos_of(value.to_string().as_bytes());
            let short = &twos[..needed(&twos)];
            let whole = value.to_le_bytes();
            assert_eq!(short, &whole[..needed(&whole)], "{value}");
        }
    }
}
