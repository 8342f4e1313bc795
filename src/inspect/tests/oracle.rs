//! Plain values against an independent decoder and encoder.

use std::collections::{BTreeMap, BTreeSet};

use serde_pickle::{DeOptions, HashableValue, SerOptions, Value};

use super::note::{Note, Part};
use super::world::NoteWorld;
use super::*;

/// A small generator with a fixed seed: splitmix64.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn text(&mut self) -> String {
        let alphabet = [
            'a',
            'Z',
            '0',
            '\'',
            '\\',
            '\n',
            'é',
            'ÿ',
            'Ā',
            '€',
            '\u{1f600}',
            '\0',
        ];
        (0..self.below(12))
            .map(|_| alphabet[usize::try_from(self.below(12)).unwrap()])
            .collect()
    }

    fn int(&mut self) -> i64 {
        let bits = self.next().cast_signed();
        bits >> self.below(64)
    }

    fn key(&mut self, depth: u32) -> HashableValue {
        match self.below(if depth > 0 { 8 } else { 6 }) {
            0 => HashableValue::None,
            1 => HashableValue::Bool(self.below(2) == 0),
            2 | 3 => HashableValue::I64(self.int()),
            4 => HashableValue::String(self.text()),
            5 => HashableValue::Bytes(self.text().into_bytes()),
            6 => {
                let count = self.below(4);
                HashableValue::Tuple((0..count).map(|_| self.key(depth - 1)).collect())
            }
            _ => {
                let count = self.below(4);
                HashableValue::FrozenSet((0..count).map(|_| self.key(depth - 1)).collect())
            }
        }
    }

    fn value(&mut self, depth: u32) -> Value {
        let count = self.below(5);
        match self.below(if depth > 0 { 12 } else { 6 }) {
            0 => Value::None,
            1 => Value::Bool(self.below(2) == 0),
            2 => Value::I64(self.int()),
            3 => Value::F64(f64::from_bits(self.next() & !(0x7ff << 52) | 0x3f << 56)),
            4 => Value::String(self.text()),
            5 => Value::Bytes(self.text().into_bytes()),
            6 | 7 => Value::List((0..count).map(|_| self.value(depth - 1)).collect()),
            8 => Value::Tuple((0..count).map(|_| self.value(depth - 1)).collect()),
            9 => Value::Set((0..count).map(|_| self.key(depth - 1)).collect()),
            10 => Value::FrozenSet((0..count).map(|_| self.key(depth - 1)).collect()),
            _ => Value::Dict(
                (0..count)
                    .map(|_| (self.key(depth - 1), self.value(depth - 1)))
                    .collect(),
            ),
        }
    }
}

/// What the notes of a pickle say, as the oracle's values.
fn decode(data: &[u8]) -> Result<Value, String> {
    let policy = Policy::std();
    let options = Options::default();
    let mut world = NoteWorld::new(data, policy, &options);
    let mut budget = Budget::new(Limits::default());
    budget.see(data.len() as u64);
    let mut machine = Machine::<Note>::new(budget);
    let root = machine
        .run(&mut world, &mut Reader::new(data))
        .map_err(|failure| error_of(failure).to_string())?;
    assert!(world.uses.refusals.is_empty());
    Ok(value_of(&world, root))
}

fn value_of(world: &NoteWorld<'_>, held: Note) -> Value {
    let items = |node| -> Vec<Value> {
        let items = world.notes.items(node, Part::Items);
        items.map(|item| value_of(world, item)).collect()
    };
    let keys = |node| -> BTreeSet<HashableValue> {
        let items = world.notes.items(node, Part::Items);
        items.map(|item| key_of(world, item)).collect()
    };
    match held {
        Note::None => Value::None,
        Note::True => Value::Bool(true),
        Note::False => Value::Bool(false),
        Note::Int(value) => Value::I64(value),
        Note::Float(number) => Value::F64(number.value()),
        Note::Str(index) => Value::String(world.notes.str(index).to_owned()),
        Note::Bytes(index) => Value::Bytes(world.notes.bytes(index).to_vec()),
        Note::Tuple(node) => Value::Tuple(items(node)),
        Note::List(node) => Value::List(items(node)),
        Note::Set(node) => Value::Set(keys(node)),
        Note::FrozenSet(node) => Value::FrozenSet(keys(node)),
        Note::Dict(node) => {
            let flat: Vec<Note> = world.notes.items(node, Part::Pairs).collect();
            let pairs = flat
                .chunks(2)
                .map(|pair| (key_of(world, pair[0]), value_of(world, pair[1])));
            Value::Dict(pairs.collect::<BTreeMap<_, _>>())
        }
        other => panic!("{other:?}"),
    }
}

fn key_of(world: &NoteWorld<'_>, held: Note) -> HashableValue {
    value_of(world, held).into_hashable().unwrap()
}

#[test]
fn test_what_the_oracle_writes_is_read() {
    let mut random = Random(2026);
    for round in 0..4000 {
        let value = random.value(5);
        let options = if round % 2 == 0 {
            SerOptions::new()
        } else {
            SerOptions::new().proto_v2()
        };
        let data = serde_pickle::value_to_vec(&value, options).unwrap();
        let text = format!("{value:?}");
        assert_eq!(decode(&data), Ok(value), "{text} {data:?}");
    }
}

#[test]
fn test_what_both_read_is_the_same() {
    let streams: [&[u8]; 12] = [
        b"I42\n.",
        b"L-12345678901L\n.",
        b"F1.5\n.",
        b"Vabc\n.",
        b"(lp0\nI1\naI2\na.",
        b"(dp0\nVa\nI1\ns.",
        b"(I1\nI2\nt.",
        b"\x80\x02]q\x00(K\x01h\x00\x85e0N.",
        b"\x80\x04\x95\x0a\0\0\0\0\0\0\0\x8c\x01a\x94\x8c\x01b\x94\x86.",
        b"\x80\x04\x8f(K\x01K\x02\x90.",
        b"\x80\x04(K\x01K\x02\x91.",
        b"\x80\x03}(K\x01C\x01xK\x01C\x01yu.",
    ];
    for data in streams {
        let expected = serde_pickle::value_from_slice(data, DeOptions::new()).unwrap();
        assert_eq!(decode(data), Ok(expected), "{data:?}");
    }
}

#[test]
fn test_what_one_refuses_is_never_another_value_to_the_other() {
    let mut random = Random(7);
    let mut agreed = 0;
    for _ in 0..20_000 {
        let value = random.value(3);
        let mut data = serde_pickle::value_to_vec(&value, SerOptions::new()).unwrap();
        for _ in 0..=random.below(2) {
            let at = usize::try_from(random.below(data.len() as u64)).unwrap();
            data[at] = random.next().to_le_bytes()[0];
        }
        // Python 2 text, and what only the oracle is lenient about, is not compared.
        let inspected = std_check(&data);
        if !inspected.allowed() || !inspected.globals.is_empty() {
            continue;
        }
        let Ok(expected) = serde_pickle::value_from_slice(&data, DeOptions::new()) else {
            continue;
        };
        if let Some(found) = plain(&data) {
            assert_eq!(found, expected, "{data:?}");
            agreed += 1;
        }
    }
    assert!(agreed > 3000, "{agreed}");
}

/// The value, unless it holds something that the oracle's values cannot say.
fn plain(data: &[u8]) -> Option<Value> {
    std::panic::catch_unwind(|| decode(data).ok())
        .ok()
        .flatten()
}

#[test]
fn test_random_bytes_end_in_a_verdict() {
    let mut random = Random(99);
    for _ in 0..20_000 {
        let length = random.below(60);
        let opcodes = crate::stream::opcode::OPCODES;
        let data: Vec<u8> = (0..length)
            .map(|_| match random.below(3) {
                0 => random.next().to_le_bytes()[0],
                _ => opcodes[usize::try_from(random.below(68)).unwrap()].code,
            })
            .collect();
        let found = inspect(&data, Policy::std(), &Options::default());
        assert_eq!(found.allowed(), found.error().is_none());
        let _ = (
            found.to_json(),
            found.to_string(),
            found.render(Context::default()),
        );
    }
}
