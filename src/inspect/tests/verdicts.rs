//! The verdict that a load waits for is the verdict of the report: over programs of calls, states and containers, under
//! every kind of limit.

use std::collections::BTreeSet;

use super::asm::*;
use super::oracle::Random;
use super::*;
use crate::policy::{Contract, Fields, Grant, Rights};

/// Names that programs use; what is granted to the first five stands in [`policy`].
const NAMES: [(&str, &str); 14] = [
    ("m", "call"),
    ("m", "pair"),
    ("m", "Open"),
    ("m", "Slots"),
    ("m", "Plain"),
    ("datetime", "date"),
    ("_codecs", "encode"),
    ("collections", "deque"),
    ("builtins", "set"),
    ("builtins", "bytearray"),
    ("copyreg", "_reconstructor"),
    ("builtins", "object"),
    ("uuid", "UUID"),
    ("os", "system"),
];

fn policy() -> Policy {
    let contract = |text| Contract::parse(text).unwrap();
    let fields = ["a", "b"].map(Box::from).into();
    let rights = |rights: &[Rights]| rights.iter().fold(Rights::NONE, |all, one| all.union(*one));
    let with = |list: &[Rights], fields| Grant {
        fields,
        ..Grant::of(rights(list))
    };
    let call = Grant {
        call: contract("(int, tuple[int]?) | (type, any)"),
        ..Grant::of(Rights::CALL)
    };
    let pair = Grant {
        call: contract("(list[str], 'one' | 1) | (instance, plain?)"),
        ..Grant::of(rights(&[Rights::CALL, Rights::REFERENCE, Rights::STATE]))
    };
    let open = with(&[Rights::ALL], Fields::Setstate);
    let slots = with(&[Rights::NEW, Rights::STATE], Fields::Only(fields));
    Policy::preset(&["std"])
        .and_then(|builder| builder.allow_with("m", "call", call))
        .and_then(|builder| builder.allow_with("m", "pair", pair))
        .and_then(|builder| builder.allow_with("m", "Open", open))
        .and_then(|builder| builder.allow_with("m", "Slots", slots))
        .and_then(|builder| builder.allow("m", "Plain"))
        .and_then(crate::policy::PolicyBuilder::build)
        .unwrap()
}

/// Writes a program, value by value.
struct Writer {
    random: Random,
    out: Vec<u8>,
    memoized: u8,
}

impl Writer {
    fn pick(&mut self, below: u64) -> usize {
        usize::try_from(self.random.below(below)).unwrap()
    }

    fn put(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    fn atom(&mut self) {
        let long = "é".repeat(self.pick(60));
        let bytes = match self.pick(11) {
            0 => NONE.to_vec(),
            1 | 2 => int(i32::try_from(self.random.below(5)).unwrap()),
            3 => text(["a", "b", "one", "latin1", "__class__"][self.pick(5)]),
            4 => text(&long),
            5 => raw(b"\x07\xe4\x01\x02"),
            6 => b"\x89".to_vec(),
            7 => b"G\x7f\xf8\0\0\0\0\0\0".to_vec(),
            8 => text("日本"),
            9 => b"\x8c\x03\xed\xa0\x80".to_vec(),
            _ => b"\x8a\x09\xff\xff\xff\xff\xff\xff\xff\xff\x1f".to_vec(),
        };
        self.put(&bytes);
    }

    fn name(&mut self) {
        // What is forbidden is rare: it decides everything.
        let last = if self.pick(40) == 0 { 14 } else { 13 };
        let (module, name) = NAMES[self.pick(last)];
        let bytes = match self.pick(3) {
            0 => global(module, name),
            _ => stack_global(module, name),
        };
        self.put(&bytes);
    }

    fn tuple(&mut self, depth: u32) {
        let count = self.pick(4);
        (0..count).for_each(|_| self.value(depth));
        self.put([EMPTY_TUPLE, TUPLE1, TUPLE2, TUPLE3][count]);
    }

    /// A call with arguments of a form that some contract takes.
    fn fitting_call(&mut self, depth: u32) {
        if self.pick(3) == 0 {
            self.put(&global("m", "Open"));
            if self.pick(3) == 0 {
                // A name among the arguments, which may be one that is no value.
                self.name();
                self.put(&cat(&[NONE, TUPLE2]));
            } else {
                self.tuple(depth);
            }
            return self.called();
        }
        let (name, args) = match self.pick(5) {
            0 => (NAMES[0], cat(&[&int(1), &int(2), &int(3), TUPLE2, TUPLE2])),
            1 => (NAMES[0], cat(&[&global("m", "Open"), NONE, TUPLE2])),
            2 => (
                NAMES[1],
                cat(&[EMPTY_LIST, MARK, &text("x"), b"e", &text("one"), TUPLE2]),
            ),
            3 => (NAMES[6], cat(&[&text("é"), &text("latin1"), TUPLE2])),
            _ => (NAMES[5], cat(&[&raw(b"\x07\xe4\x01\x02"), TUPLE1])),
        };
        self.put(&cat(&[&global(name.0, name.1), &args]));
        self.called();
    }

    /// REDUCE, behind a tuple that may be in the memo.
    fn called(&mut self) {
        if self.pick(2) == 0 {
            self.memoize();
        }
        self.put(REDUCE);
    }

    fn state(&mut self, depth: u32) {
        match self.pick(3) {
            0 => self.put(&cat(&[EMPTY_DICT, &text("a"), NONE, SETITEM])),
            1 => {
                self.put(EMPTY_DICT);
                let key = text(["a", "b", "__class__"][self.pick(3)]);
                self.put(&key);
                self.value(depth);
                self.put(SETITEM);
            }
            _ => self.value(depth),
        }
        self.put(BUILD);
    }

    fn memoize(&mut self) {
        self.put(MEMOIZE);
        self.memoized += 1;
    }

    fn value(&mut self, depth: u32) {
        let Some(inner) = depth.checked_sub(1) else {
            return self.atom();
        };
        match self.pick(14) {
            0..=2 => self.atom(),
            3 => self.tuple(inner),
            4 => {
                self.put(&cat(&[EMPTY_LIST, MARK]));
                (0..self.pick(4)).for_each(|_| self.value(inner));
                self.put(b"e");
            }
            5 => {
                self.put(EMPTY_DICT);
                self.atom();
                self.value(inner);
                self.put(SETITEM);
            }
            6 => {
                self.put(&cat(&[EMPTY_SET, MARK]));
                (0..self.pick(3)).for_each(|_| self.atom());
                self.put(ADDITEMS);
            }
            7 => self.name(),
            8 | 9 => self.fitting_call(inner),
            10 => {
                self.fitting_call(inner);
                self.state(inner);
            }
            11 => {
                let class = global("m", ["Slots", "Open", "Plain"][self.pick(3)]);
                self.put(&class);
                self.tuple(inner);
                self.put(NEWOBJ);
                if self.pick(2) == 0 {
                    self.state(inner);
                }
            }
            12 => {
                self.name();
                self.tuple(inner);
                self.put(REDUCE);
            }
            _ if self.memoized > 0 => {
                let slot = u8::try_from(self.pick(u64::from(self.memoized))).unwrap();
                self.put(&get(slot));
            }
            _ => self.atom(),
        }
        if self.memoized < 200 && self.pick(3) == 0 {
            self.memoize();
        }
    }
}

/// The verdict of the report, and the names behind it.
fn reported(data: &[u8], policy: &Policy, options: &Options) -> Option<BTreeSet<EntryId>> {
    let inspection = check(data, policy, options, &[]);
    inspection.allowed().then(|| inspection.entries().collect())
}

#[test]
fn test_the_verdict_is_that_of_the_report() {
    let policy = policy();
    let limits = |set: fn(&mut Limits)| {
        let mut limits = Limits::default();
        set(&mut limits);
        let strict = limits.max_bytes.is_some();
        Options {
            strict,
            limits,
            ..Options::default()
        }
    };
    let options = [
        limits(|_| {}),
        limits(|limits| limits.max_depth = 3),
        limits(|limits| limits.max_memory = Some(700)),
        limits(|limits| limits.max_hash_work = Some(2)),
        limits(|limits| limits.max_expanded = Some(12)),
        limits(|limits| limits.max_bytes = Some(60)),
    ];
    let (mut allowed, mut refused) = ([0; 6], [0; 6]);
    for seed in 0..20_000 {
        let mut writer = Writer {
            random: Random(seed),
            out: proto(4),
            memoized: 0,
        };
        writer.value(4);
        let mut data = writer.out;
        data.push(b'.');
        if seed % 5 == 0 {
            let at = usize::try_from(writer.random.below(data.len() as u64)).unwrap();
            data[at] = writer.random.next().to_le_bytes()[0];
        }
        for (at, options) in options.iter().enumerate() {
            let found = passes(&data, &policy, options, &[]);
            let found = found.map(|passed| passed.names.into_iter().collect());
            assert_eq!(found, reported(&data, &policy, options), "{seed}: {data:?}");
            *(if found.is_some() {
                &mut allowed
            } else {
                &mut refused
            })
            .get_mut(at)
            .unwrap() += 1;
        }
    }
    for (at, (allowed, refused)) in allowed.into_iter().zip(refused).enumerate() {
        assert!(
            allowed > 2000 && refused > 2000,
            "{at}: {allowed} {refused}"
        );
    }
}

#[test]
fn test_a_verdict_knows_what_an_earlier_pickle_left() {
    let policy = policy();
    let options = Options::default();
    let id = |name| policy.lookup("m", name).unwrap();
    let call_made = cat(&[&get(0), &get(1), TUPLE1, REDUCE, STOP]);
    for seeds in [
        [Seed::Global(id("pair")), Seed::Made(id("Open"))],
        [Seed::Global(id("pair")), Seed::Str("one")],
        [Seed::Global(id("Slots")), Seed::Made(id("Open"))],
    ] {
        let memo: Vec<_> = (0..).zip(seeds).collect();
        let found = passes(&call_made, &policy, &options, &memo);
        let report = check(&call_made, &policy, &options, &memo);
        assert_eq!(found.is_some(), report.allowed(), "{seeds:?}");
        if let Some(found) = found {
            let named: BTreeSet<_> = report.entries().collect();
            assert_eq!(found.names.into_iter().collect::<BTreeSet<_>>(), named);
        }
    }
}
