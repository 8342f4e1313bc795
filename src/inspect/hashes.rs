//! What notes hash to, so that a flood of equal hashes is seen without the interpreter.
//!
//! Numbers, and the native types whose hash is made of numbers, hash as in Python: a stream can choose those. What Python
//! randomises or hashes by address is only told apart: by its value where equal values have equal hashes, else by which
//! object it is. Instances of a user's class are told apart as objects; what their `__hash__` says, only the loader knows.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::long::twos_of;
use super::note::{self, Id, Note, Part};
use super::world::NoteWorld;
use crate::machine::hashing::{self, Hashes, TupleHash};
use crate::machine::residues;
use crate::policy::calendar::{Clock, Day};
use crate::policy::{Attempt, EntryId, Meaning, Native, Plan};

/// Calls in the arguments of calls that are looked into: a timezone in a datetime, its timedelta.
const DEPTH: u32 = 3;
const SECONDS_A_DAY: i64 = 86_400;

impl Hashes for NoteWorld<'_> {
    fn hash(&self, key: Note) -> i64 {
        self.hash_of(key, 0)
    }
}

impl NoteWorld<'_> {
    fn hash_of(&self, key: Note, depth: u32) -> i64 {
        match key {
            Note::Int(value) => hashing::int_hash(value),
            Note::True => 1,
            Note::False => 0,
            Note::Float(number) => hashing::float_hash(number.value()),
            Note::Nan(index) => told_apart(6, &index.to_le_bytes()),
            Note::Complex(index) => self.complex_hash(index),
            Note::Long(index) => self
                .notes
                .get_long(index)
                .map_or(0, |long| hashing::long_hash(&long.twos)),
            Note::Str(index) => self.hash_once(1, note::Arena::text_key(index), || {
                told_apart(1, self.notes.str(index).as_bytes())
            }),
            Note::Surrogates(data) | Note::Encoded(data) => {
                self.hash_once(2, data.key(), || told_apart(2, self.notes.bytes(data)))
            }
            Note::Bytes(data) => {
                self.hash_once(3, data.key(), || told_apart(3, self.notes.bytes(data)))
            }
            Note::FrozenSet(node) => self.frozen.get(&node).copied().unwrap_or_default(),
            Note::Global(index) | Note::Constructor(index) => {
                let entry = self
                    .uses
                    .entry(index)
                    .map_or(index, |entry| u64::from(!entry.0));
                told_apart(4, &entry.to_le_bytes())
            }
            Note::Made(node) | Note::Fresh(node) if depth < DEPTH => {
                let known = self.hashed.borrow().get(&(7, node)).copied();
                known.unwrap_or_else(|| {
                    let hash = self
                        .made_hash(node, depth)
                        .unwrap_or_else(|| object_hash(node));
                    self.hashed.borrow_mut().insert((7, node), hash);
                    hash
                })
            }
            other => object_hash(other.node().unwrap_or(0)),
        }
    }

    /// The hash of a text, computed once as the interpreter does.
    fn hash_once(&self, kind: u8, index: u64, compute: impl Fn() -> i64) -> i64 {
        let mut known = self.hashed.borrow_mut();
        *known.entry((kind, index)).or_insert_with(compute)
    }

    /// The hash of a frozenset of items that were priced: kept, as the interpreter keeps it.
    pub(super) fn frozen_hash(&self, items: &[Note]) -> i64 {
        if self.unpriced {
            return 0;
        }
        let mut hashes: Vec<i64> = items
            .iter()
            .map(|item| hashing::hash(self, *item))
            .collect();
        hashes.sort_unstable();
        hashes.dedup();
        hashing::frozenset_hash(hashes.into_iter())
    }

    fn complex_hash(&self, index: Id) -> i64 {
        let (real, imaginary) = self.notes.complex(index);
        if real.is_nan() || imaginary.is_nan() {
            return told_apart(8, &index.to_le_bytes());
        }
        residues::complex(real, imaginary)
    }

    /// The hash of an instance of a native type; `None` where it is the object that counts.
    fn made_hash(&self, node: Id, depth: u32) -> Option<i64> {
        let entry = self.notes.get(node)?.entry()?;
        let Meaning::Native(native) = self.policy.entry(entry).meaning else {
            return None;
        };
        let args = self
            .notes
            .parts(node)
            .find(|(part, _)| *part == Part::Args)?
            .1;
        match (native, args) {
            (Native::Uuid, _) => self.uuid_hash(node, entry),
            (Native::Decimal, [text]) => residues::decimal(self.text(*text)?),
            (Native::Fraction, _) => self.fraction_hash(args),
            (Native::Range, [first, end, step]) => self.range_hash([*first, *end, *step]),
            (Native::Slice, _) => Some(self.tuple_hash(args, depth)),
            (Native::Ipv6Address, [only]) => self.ipv6_hash(*only, depth),
            (Native::Ipv4Network | Native::Ipv6Network, [text]) => {
                let (address, mask, _) = prefixed(self.text(*text)?)?;
                Some(unsigned_hash(address ^ mask))
            }
            (Native::Ipv4Interface | Native::Ipv6Interface, [text]) => {
                let (address, mask, prefix) = prefixed(self.text(*text)?)?;
                let lanes = [address, u128::from(prefix), address & mask];
                Some(lanes_hash(lanes.map(unsigned_hash)))
            }
            (
                Native::Date
                | Native::Time
                | Native::DateTime
                | Native::TimeDelta
                | Native::TimeZone,
                _,
            ) => {
                let plan = self.policy.judge(self, entry, Attempt::Call(args)).ok()?;
                self.calendar_hash(plan, args)
            }
            (
                Native::Path | Native::EnumMember | Native::Ipv4Address | Native::ZoneInfoUnpickle,
                _,
            ) => {
                let spelled = self.tuple_hash(args, depth).to_le_bytes();
                let entry = entry.0.to_le_bytes();
                Some(told_apart(9, &[&entry[..], &spelled[..]].concat()))
            }
            _ => None,
        }
    }

    fn text(&self, note: Note) -> Option<&str> {
        match note {
            Note::Str(index) => Some(self.notes.str(index)),
            _ => None,
        }
    }

    fn tuple_hash(&self, items: &[Note], depth: u32) -> i64 {
        let mut lanes = TupleHash::default();
        for item in items {
            lanes.add(self.hash_of(*item, depth + 1));
        }
        lanes.finish()
    }

    fn uuid_hash(&self, node: Id, entry: EntryId) -> Option<i64> {
        let state = self.notes.items(node, Part::State).next()?;
        match self.policy.judge(self, entry, Attempt::State(&state)) {
            Ok(Plan::Uuid { value, .. }) => Some(unsigned_hash(value)),
            _ => None,
        }
    }

    /// `Fraction(int, int)`, `Fraction('a/b')`, `Fraction('a')`.
    fn fraction_hash(&self, args: &[Note]) -> Option<i64> {
        let of_text = |digits: &str| Some((twos_of(digits.as_bytes()), false));
        let ((above, negative), (below, _)) = match args {
            [above, below] => (self.magnitude(*above)?, self.magnitude(*below)?),
            [only] => {
                let text = self.text(*only)?;
                let unsigned = text.trim_start_matches('-');
                let (above, below) = unsigned.split_once('/').unwrap_or((unsigned, "1"));
                let above = (of_text(above)?.0, unsigned.len() < text.len());
                (above, of_text(below)?)
            }
            _ => return None,
        };
        Some(residues::fraction(&above, &below, negative))
    }

    /// An int without its sign, little-endian, and whether it has one.
    fn magnitude(&self, int: Note) -> Option<(Vec<u8>, bool)> {
        match int {
            Note::Int(value) => Some((value.unsigned_abs().to_le_bytes().to_vec(), value < 0)),
            Note::Long(index) => {
                let long = self.notes.get_long(index)?;
                let negative = long.is_negative();
                let mut bytes = long.twos.to_vec();
                bytes.push(if negative { 0xff } else { 0 });
                let mut carry = negative;
                for byte in bytes.iter_mut().filter(|_| negative) {
                    (*byte, carry) = (!*byte).overflowing_add(u8::from(carry));
                }
                Some((bytes, negative))
            }
            _ => None,
        }
    }

    /// `(len, start, step)`, with None for what does not matter; of more than 128 bits it is told apart by what it says.
    fn range_hash(&self, bounds: [Note; 3]) -> Option<i64> {
        let [first, end, step] = bounds.map(|bound| self.i128(bound));
        let length = match (first, end, step) {
            (Some(first), Some(end), Some(step)) => range_length(first, end, step),
            _ => None,
        };
        let lane = |bound| self.hash_of(bound, 1);
        Some(match length {
            None => lanes_hash(bounds.map(lane)),
            Some(0) => lanes_hash([0, NONE, NONE]),
            Some(1) => lanes_hash([1, lane(bounds[0]), NONE]),
            Some(length) => lanes_hash([unsigned_hash(length), lane(bounds[0]), lane(bounds[2])]),
        })
    }

    fn i128(&self, int: Note) -> Option<i128> {
        let (magnitude, negative) = self.magnitude(int)?;
        let (low, high) = magnitude.split_at_checked(magnitude.len().min(16))?;
        let mut bytes = [0; 16];
        for (slot, byte) in bytes.iter_mut().zip(low) {
            *slot = *byte;
        }
        let value = i128::from_le_bytes(bytes);
        let fits = high.iter().all(|byte| *byte == 0) && value >= 0;
        fits.then_some(if negative { -value } else { value })
    }

    /// `(ip, scope)`.
    fn ipv6_hash(&self, only: Note, depth: u32) -> Option<i64> {
        let Some(text) = self.text(only) else {
            return Some(lanes_hash([self.hash_of(only, depth), NONE]));
        };
        let (address, scope) = match text.split_once('%') {
            Some((address, scope)) => (address, told_apart(1, scope.as_bytes())),
            None => (text, NONE),
        };
        let address: Ipv6Addr = address.parse().ok()?;
        Some(lanes_hash([unsigned_hash(address.to_bits()), scope]))
    }

    /// Naive dates and times have a randomised hash; a duration, and what is that far from UTC, one of three numbers. Too
    /// few triples have one hash for a flood, but equal values must be equal here as well.
    fn calendar_hash(&self, plan: Plan, args: &[Note]) -> Option<i64> {
        let naive =
            |fields: [i64; 7]| lanes_hash(fields.map(|field| field.wrapping_mul(0x9e37_79b9)));
        Some(match plan {
            Plan::TimeDelta(delta) | Plan::TimeZone { offset: delta, .. } => {
                let lanes = [delta.days, delta.seconds, delta.microseconds];
                lanes_hash(lanes.map(|lane| hashing::int_hash(lane.into())))
            }
            Plan::Date(Day { year, month, day }) => {
                naive([1, year.into(), month.into(), day.into(), 0, 0, 0])
            }
            Plan::Time(clock, None) => {
                let micro = clock.microsecond.into();
                naive([2, seconds_of(clock), micro, 0, 0, 0, 0])
            }
            Plan::Time(clock, Some(tz)) => self.less_offset(0, clock, *args.get(tz)?)?,
            Plan::DateTime(Day { year, month, day }, clock, None) => {
                let (year, month, day) = (year.into(), month.into(), day.into());
                let micro = clock.microsecond.into();
                naive([3, year, month, day, seconds_of(clock), micro, 0])
            }
            Plan::DateTime(Day { year, month, day }, clock, Some(tz)) => {
                let day = ordinal(year.into(), month.into(), day.into());
                self.less_offset(day, clock, *args.get(tz)?)?
            }
            _ => return None,
        })
    }

    /// A wall time less its offset, as a duration hashes.
    fn less_offset(&self, days: i64, clock: Clock, zone: Note) -> Option<i64> {
        let node = zone.instance()?;
        let entry = self.notes.get(node)?.entry()?;
        let args = self
            .notes
            .parts(node)
            .find(|(part, _)| *part == Part::Args)?
            .1;
        let plan = self.policy.judge(self, entry, Attempt::Call(args)).ok()?;
        let Plan::TimeZone { offset, .. } = plan else {
            return None;
        };
        let micro = i64::from(clock.microsecond) - i64::from(offset.microseconds);
        let seconds = seconds_of(clock) - i64::from(offset.seconds) + micro.div_euclid(1_000_000);
        let days = days - i64::from(offset.days) + seconds.div_euclid(SECONDS_A_DAY);
        let lanes = [
            days,
            seconds.rem_euclid(SECONDS_A_DAY),
            micro.rem_euclid(1_000_000),
        ];
        Some(lanes_hash(lanes.map(hashing::int_hash)))
    }
}

/// Any hash for None: it is the same everywhere.
const NONE: i64 = 0x0fca_8642;

fn object_hash(node: Id) -> i64 {
    told_apart(5, &node.to_le_bytes())
}

fn lanes_hash<const N: usize>(lanes: [i64; N]) -> i64 {
    let mut sum = TupleHash::default();
    for lane in lanes {
        sum.add(lane);
    }
    sum.finish()
}

fn unsigned_hash(value: u128) -> i64 {
    let mut twos = value.to_le_bytes().to_vec();
    twos.push(0);
    hashing::long_hash(&twos)
}

fn range_length(first: i128, end: i128, step: i128) -> Option<u128> {
    let (span, step) = match step {
        0 => return None,
        1.. => (end.checked_sub(first)?, step),
        _ => (first.checked_sub(end)?, step.checked_neg()?),
    };
    let whole = u128::try_from(span.max(0)).ok()?;
    Some(whole.div_ceil(u128::try_from(step).ok()?))
}

/// Address, mask and length of the prefix of `address/prefix`.
fn prefixed(text: &str) -> Option<(u128, u128, u32)> {
    let (address, prefix) = text.split_once('/')?;
    let prefix: u32 = prefix.parse().ok()?;
    let address = address
        .split_once('%')
        .map_or(address, |(address, _)| address);
    let (address, bits) = match address.parse::<Ipv4Addr>() {
        Ok(address) => (u128::from(address.to_bits()), 32),
        Err(_) => (address.parse::<Ipv6Addr>().ok()?.to_bits(), 128),
    };
    let all = u128::MAX >> (128 - bits);
    let host = all.checked_shr(prefix).unwrap_or(0);
    Some((address, all & !host, prefix))
}

fn seconds_of(clock: Clock) -> i64 {
    i64::from(clock.hour) * 3600 + i64::from(clock.minute) * 60 + i64::from(clock.second)
}

/// The number of a day, 1 for the first of the year 1.
fn ordinal(year: i64, month: i64, day: i64) -> i64 {
    const BEFORE: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let past = year - 1;
    let leap = month > 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let before = usize::try_from(month - 1)
        .ok()
        .and_then(|at| BEFORE.get(at));
    past * 365 + past / 4 - past / 100
        + past / 400
        + before.copied().unwrap_or_default()
        + i64::from(leap)
        + day
}

/// Any hash that tells its inputs apart; FNV-1a.
fn told_apart(kind: u8, bytes: &[u8]) -> i64 {
    const PRIME: u64 = 0x0100_0000_01b3;
    let start = 0xcbf2_9ce4_8422_2325 ^ u64::from(kind);
    bytes
        .iter()
        .fold(start, |sum, byte| {
            (sum ^ u64::from(*byte)).wrapping_mul(PRIME)
        })
        .cast_signed()
}
