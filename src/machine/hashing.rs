//! What hashing a key costs, priced before it is paid.
//!
//! The interpreter hashes nested tuples recursively, once per key, every time: 125 bytes of `t = (t, t)` never end, and
//! 150 kB of nesting overflow the C stack. So every key that is not a plain str, bytes or small int is walked first,
//! iteratively and never for more work than the hash itself. Ints, floats and tuples of them hash to what the stream
//! chooses: equal hashes are counted per container. Both worlds call this door; it knows nothing of what a value is.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use crate::error::Kind;
use crate::machine::budget::{Budget, COUNTED, over};

/// The modulus of Python's numeric hash on 64 bits, a Mersenne prime.
pub const MODULUS: u64 = (1 << 61) - 1;
/// Above this many allowed collisions, one key in [`SAMPLE`] is counted: a flood shows all the same.
const SAMPLED_FROM: u32 = 64;
/// One key in so many.
const SAMPLE: u64 = 8;

/// A key, as its hash sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// An exact str, bytes, None, bool, or int below 2^61 - 1 in magnitude: its hash is randomised or injective.
    Free,
    /// A larger int, of so many 30-bit digits.
    Int(u64),
    /// A float or a complex.
    Float,
    /// An exact tuple of so many items.
    Tuple(usize),
    /// An exact frozenset of so many items, whose own hashes are kept.
    FrozenSet(usize),
    /// Anything else that has a hash.
    Object,
    /// A value without one, and the name of its type.
    Unhashable(&'static str),
    /// A value whose hash fails, and what it says.
    Raises(&'static str),
}

/// How a world shows its keys.
pub trait Keys {
    /// A key: a reference or a handle.
    type Key: Copy;
    /// The key, as its hash sees it.
    fn shape(&self, key: Self::Key) -> Shape;
    /// An item of an exact tuple.
    fn item(&self, tuple: Self::Key, index: usize) -> Option<Self::Key>;
}

/// Keys of a world that has no interpreter to ask for their hashes.
pub trait Hashes: Keys {
    /// The hash of a key that is no tuple: Python's for numbers, any good one for what is randomised.
    fn hash(&self, key: Self::Key) -> i64;
}

/// Charges the budget for hashing a key. `true`: the stream can choose the hash, so count it with [`Collisions`].
#[inline]
pub fn price<K: Keys>(keys: &K, budget: &mut Budget, key: K::Key) -> Result<bool, Kind> {
    if !COUNTED {
        return Ok(false);
    }
    match keys.shape(key) {
        Shape::Free => Ok(false),
        shape => price_walk(keys, budget, key, shape),
    }
}

/// The walk of [`price`], through nested exact tuples only.
fn price_walk<K: Keys>(
    keys: &K,
    budget: &mut Budget,
    key: K::Key,
    shape: Shape,
) -> Result<bool, Kind> {
    let Shape::Tuple(length) = shape else {
        charge(budget, shape)?;
        return Ok(true);
    };
    budget.hash_depth(1)?;
    budget.hash_work(length as u64 + 1)?;
    let mut open: Vec<(K::Key, usize, usize)> = Vec::new();
    let (mut tuple, mut length, mut at) = (key, length, 0);
    loop {
        while at < length {
            let item = keys.item(tuple, at);
            at += 1;
            let Some(item) = item else { break };
            match keys.shape(item) {
                Shape::Free => {}
                Shape::Tuple(items) => {
                    let depth = u32::try_from(open.len()).unwrap_or(u32::MAX);
                    budget.hash_depth(depth.saturating_add(2))?;
                    budget.hash_work(items as u64 + 1)?;
                    open.push((tuple, length, at));
                    (tuple, length, at) = (item, items, 0);
                }
                other => charge(budget, other)?,
            }
        }
        match open.pop() {
            Some(outer) => (tuple, length, at) = outer,
            None => return Ok(true),
        }
    }
}

fn charge(budget: &mut Budget, shape: Shape) -> Result<(), Kind> {
    match shape {
        Shape::Int(digits) => budget.hash_work(digits),
        Shape::FrozenSet(length) => budget.hash_work(length as u64 + 1),
        Shape::Unhashable(name) => Err(Kind::BadType(format!("unhashable type: '{name}'"))),
        Shape::Raises(why) => Err(Kind::BadType(why.into())),
        Shape::Free | Shape::Float | Shape::Object | Shape::Tuple(_) => budget.hash_work(1),
    }
}

/// The hash of a key, as the interpreter would compute it. Price it first: this walks as far.
pub fn hash<K: Hashes>(keys: &K, key: K::Key) -> i64 {
    let Shape::Tuple(length) = keys.shape(key) else {
        return keys.hash(key);
    };
    let mut open: Vec<(K::Key, usize, usize, TupleHash)> = Vec::new();
    let (mut tuple, mut length, mut at, mut lanes) = (key, length, 0, TupleHash::default());
    loop {
        while at < length {
            let item = keys.item(tuple, at);
            at += 1;
            let Some(item) = item else { break };
            if let Shape::Tuple(items) = keys.shape(item) {
                open.push((tuple, length, at, lanes));
                (tuple, length, at, lanes) = (item, items, 0, TupleHash::default());
            } else {
                lanes.add(keys.hash(item));
            }
        }
        let done = lanes.finish();
        match open.pop() {
            Some(outer) => (tuple, length, at, lanes) = outer,
            None => return done,
        }
        lanes.add(done);
    }
}

/// `tuplehash` of `Objects/tupleobject.c`: a simplified xxHash over the items' hashes.
#[derive(Debug, Clone, Copy)]
pub struct TupleHash {
    sum: u64,
    length: u64,
}

const XXPRIME_1: u64 = 11_400_714_785_074_694_791;
const XXPRIME_2: u64 = 14_029_467_366_897_019_727;
const XXPRIME_5: u64 = 2_870_177_450_012_600_261;

impl Default for TupleHash {
    fn default() -> Self {
        Self {
            sum: XXPRIME_5,
            length: 0,
        }
    }
}

impl TupleHash {
    /// The hash of the next item.
    pub fn add(&mut self, lane: i64) {
        self.sum = self
            .sum
            .wrapping_add(lane.cast_unsigned().wrapping_mul(XXPRIME_2))
            .rotate_left(31)
            .wrapping_mul(XXPRIME_1);
        self.length += 1;
    }

    /// The tuple's hash.
    pub fn finish(self) -> i64 {
        match self
            .sum
            .wrapping_add(self.length ^ (XXPRIME_5 ^ 0x0035_d373))
        {
            u64::MAX => 1_546_275_796,
            sum => sum.cast_signed(),
        }
    }
}

/// `frozenset_hash` of `Objects/setobject.c` over the hashes of distinct items.
pub fn frozenset_hash(items: impl Iterator<Item = i64>) -> i64 {
    let (mut sum, mut length) = (0u64, 0u64);
    for item in items {
        let bits = item.cast_unsigned();
        sum ^= ((bits ^ 0x055b_4db3) ^ (bits << 16)).wrapping_mul(3_644_798_167);
        length += 1;
    }
    sum ^= (length + 1).wrapping_mul(1_927_868_237);
    sum ^= (sum >> 11) ^ (sum >> 25);
    match sum.wrapping_mul(69_069).wrapping_add(907_133_923) {
        u64::MAX => 590_923_713,
        sum => sum.cast_signed(),
    }
}

/// Python's hash of an int that fits 64 bits.
pub fn int_hash(value: i64) -> i64 {
    signed(value.unsigned_abs() % MODULUS, value < 0)
}

/// Python's hash of an int in little-endian two's complement.
pub fn long_hash(twos: &[u8]) -> i64 {
    let negative = twos.last().is_some_and(|last| last & 0x80 != 0);
    let flip = if negative { 0xff } else { 0 };
    let residue = twos.iter().rev().fold(0u64, |sum, byte| {
        (rotate(sum, 8) + u64::from(byte ^ flip)) % MODULUS
    });
    // |x| = ~x + 1 for a negative x.
    signed((residue + u64::from(negative)) % MODULUS, negative)
}

/// Python's hash of a float that is not NaN (whose hash is its address from 3.10 on, and 0 here).
pub fn float_hash(value: f64) -> i64 {
    if value.is_infinite() {
        return if value > 0.0 { 314_159 } else { -314_159 };
    }
    if value.is_nan() {
        return 0;
    }
    let bits = value.to_bits();
    let fraction = bits & ((1 << 52) - 1);
    let field = (bits >> 52) & 0x7ff;
    // value = mantissa * 2^(exponent - 1075), and 2^61 is 1 under the modulus: 1075 = 17 * 61 + 38, so add 23 instead.
    let (mantissa, exponent) = match field {
        0 => (fraction, 1),
        field => (fraction | 1 << 52, field),
    };
    signed(rotate(mantissa, (exponent + 23) % 61), value < 0.0)
}

/// `value * 2^by` under the modulus; `value` below it, `by` below 61.
fn rotate(value: u64, by: u64) -> u64 {
    ((value << by) & MODULUS) | value >> (61 - by)
}

/// A residue with its sign, as a hash: never -1.
pub fn signed(residue: u64, negative: bool) -> i64 {
    let value = residue.cast_signed();
    match if negative { -value } else { value } {
        -1 => -2,
        value => value,
    }
}

/// Equal hashes per container, among keys whose hash the stream can choose.
///
/// Counting starts once a container holds more such keys than may collide; from 64 allowed collisions up, one key in
/// eight stands for all.
#[derive(Debug, Default)]
pub struct Collisions {
    containers: HashMap<u64, Tally>,
    /// Numbers that were given out.
    given: u64,
}

#[derive(Debug, Default)]
struct Tally {
    keys: u64,
    hashes: HashMap<i64, u64>,
}

impl Collisions {
    /// A key goes into a container. `container` tells containers apart, `hash` is asked for only when it counts.
    pub fn count(
        &mut self,
        container: u64,
        limit: u32,
        hash: impl FnOnce() -> i64,
    ) -> Result<(), Kind> {
        let tally = self.containers.entry(container).or_default();
        tally.keys += 1;
        let weight = if limit >= SAMPLED_FROM { SAMPLE } else { 1 };
        if tally.keys <= u64::from(limit) || !tally.keys.is_multiple_of(weight) {
            return Ok(());
        }
        let seen = match tally.hashes.entry(hash()) {
            Entry::Occupied(slot) => slot.into_mut(),
            Entry::Vacant(slot) => slot.insert(0),
        };
        *seen += weight;
        if *seen > u64::from(limit) {
            return Err(over("max_key_collisions", *seen, u64::from(limit)));
        }
        Ok(())
    }

    /// Forgets all containers.
    pub fn clear(&mut self) {
        if !self.containers.is_empty() {
            self.containers = HashMap::new();
        }
    }

    /// A number for a container that has no other yet; numbers from the other end are the caller's own.
    pub fn number(&mut self) -> u64 {
        self.given += 1;
        u64::MAX - self.given
    }

    /// A container is gone, or empty; its number may come again.
    pub fn forget(&mut self, container: u64) {
        self.containers.remove(&container);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::budget::Limits;

    #[derive(Clone)]
    enum Toy {
        Int(i64),
        Float(f64),
        Pair(usize, usize),
        List,
    }

    struct Toys(Vec<Toy>);

    impl Keys for Toys {
        type Key = usize;
        fn shape(&self, key: usize) -> Shape {
            match self.0[key] {
                Toy::Int(_) => Shape::Free,
                Toy::Float(_) => Shape::Float,
                Toy::Pair(..) => Shape::Tuple(2),
                Toy::List => Shape::Unhashable("list"),
            }
        }
        fn item(&self, tuple: usize, index: usize) -> Option<usize> {
            match (&self.0[tuple], index) {
                (Toy::Pair(first, _), 0) => Some(*first),
                (Toy::Pair(_, second), 1) => Some(*second),
                _ => None,
            }
        }
    }

    impl Hashes for Toys {
        fn hash(&self, key: usize) -> i64 {
            match self.0[key] {
                Toy::Int(value) => int_hash(value),
                Toy::Float(value) => float_hash(value),
                _ => unreachable!("tuples are walked"),
            }
        }
    }

    #[test]
    fn hashes_are_those_of_the_interpreter() {
        // hash((1, 2.5)), hash(((1, 2.5), -1)) of CPython 3.8 and later
        let toys = Toys(vec![
            Toy::Int(1),
            Toy::Float(2.5),
            Toy::Pair(0, 1),
            Toy::Int(-1),
            Toy::Pair(2, 3),
        ]);
        assert_eq!(hash(&toys, 2), 396_935_360_214_441_795);
        assert_eq!(hash(&toys, 4), 2_934_276_574_420_642_693);
        assert_eq!(int_hash(-1), -2);
        assert_eq!(int_hash(i64::MIN), -4);
        assert_eq!(float_hash(0.1), 230_584_300_921_369_408);
        assert_eq!(float_hash(-2.0), -2);
        assert_eq!(float_hash(1e300), 1_224_995_262_755_759_164);
        assert_eq!(float_hash(5e-324), 16_777_216);
        assert_eq!(float_hash(f64::INFINITY), 314_159);
        assert_eq!(
            frozenset_hash([1, 2, 3].into_iter()),
            -272_375_401_224_217_160
        );
        let long = 10i128.pow(30).to_le_bytes();
        assert_eq!(long_hash(&long), 465_258_685_558_744_706);
        assert_eq!(
            long_hash(&(-(10i128.pow(30))).to_le_bytes()),
            -465_258_685_558_744_706
        );
        for value in [0, 1, -1, -2, 77, i64::MAX, i64::MIN] {
            assert_eq!(long_hash(&value.to_le_bytes()), int_hash(value), "{value}");
        }
    }

    #[test]
    fn a_bomb_of_shared_tuples_ends_at_the_budget() {
        let mut toys = vec![Toy::Int(0)];
        for last in 0..60 {
            toys.push(Toy::Pair(last, last));
        }
        let mut budget = Budget::new(Limits {
            max_hash_work: Some(1_000_000),
            ..Limits::default()
        });
        let fault = price(&Toys(toys), &mut budget, 60).unwrap_err();
        assert!(matches!(
            fault,
            Kind::Limit {
                limit: "max_hash_work",
                ..
            }
        ));
    }

    #[test]
    fn nesting_under_a_hash_is_bounded() {
        let mut toys = vec![Toy::Int(0), Toy::Int(1)];
        for last in 1..=500 {
            toys.push(Toy::Pair(0, last));
        }
        let toys = Toys(toys);
        let mut budget = Budget::new(Limits::default());
        assert_eq!(price(&toys, &mut budget, 501), Ok(true));
        budget = Budget::new(Limits {
            max_hash_depth: 499,
            ..Limits::default()
        });
        assert!(price(&toys, &mut budget, 500).is_ok());
        assert!(price(&toys, &mut budget, 501).is_err());
    }

    #[test]
    fn what_has_no_hash_is_no_key() {
        let toys = Toys(vec![Toy::List, Toy::Pair(0, 0)]);
        let mut budget = Budget::new(Limits::default());
        for key in [0, 1] {
            let fault = price(&toys, &mut budget, key).unwrap_err();
            assert_eq!(fault.to_string(), "unhashable type: 'list'");
        }
    }

    #[test]
    fn equal_hashes_are_counted_per_container() {
        let mut collisions = Collisions::default();
        for key in 0..100_000 {
            collisions.count(1, 256, || key).unwrap();
        }
        for container in 0..1000 {
            for _ in 0..256 {
                collisions.count(10 + container, 256, || 7).unwrap();
            }
        }
        let flood = (0..1000).find(|_| collisions.count(2, 256, || 7).is_err());
        assert!(flood.is_some_and(|keys| (256..600).contains(&keys)));
        let small = (0..100).find(|_| collisions.count(3, 4, || 7).is_err());
        assert_eq!(small, Some(8));
        collisions.forget(3);
        collisions.count(3, 4, || 7).unwrap();
    }
}
