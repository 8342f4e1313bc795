//! The room as a whole: lookup, judgement, and that no input panics.

use super::testing::{Tree, World, dict, everything, id, int, s};
use super::*;

#[test]
fn test_lookup_is_exact() {
    let p = Policy::std();
    assert!(p.lookup("datetime", "date").is_some());
    for (module, name) in [
        ("datetime ", "date"),
        ("datetime", "date "),
        ("datetime", "date\r"),
        ("datetime", "Date"),
        ("datetime.date", ""),
        ("", "datetime.date"),
        ("datetime", "date.today"),
        ("datetime.", "date"),
        ("ｄatetime", "date"),
        ("datetime", "dаte"),
        ("__builtin__", "set"),
        ("os", "system"),
        ("numpy", "ndarray"),
        ("collections", "ChainMap"),
        ("builtins", "eval"),
        ("builtins", "iter"),
        ("pathlib", "Path"),
        ("pathlib", "PosixPath"),
        ("zoneinfo", "ZoneInfo"),
        ("re", "_compile"),
        ("random", "Random"),
        ("io", "BytesIO"),
        ("collections", "namedtuple"),
        ("http", "HTTPStatus"),
        ("builtins", "ValueError"),
        ("_codecs", "decode"),
        ("decimal", "Context"),
    ] {
        assert_eq!(p.lookup(module, name), None, "{module:?} {name:?}");
    }
    let long = "d".repeat(10_000_000);
    assert_eq!(p.lookup(&long, "x"), None);
    assert_eq!(p.lookup("datetime", &long), None);
    assert_eq!(Policy::plain().entries().count(), 0);
}

#[test]
fn test_canonical_names() {
    let p = Policy::std();
    assert_eq!(
        p.canonical("__builtin__", "xrange", true),
        ("builtins", "range")
    );
    assert_eq!(
        p.canonical("__builtin__", "xrange", false),
        ("__builtin__", "xrange")
    );
    assert_eq!(
        p.canonical("pathlib._local", "PurePath", false),
        ("pathlib", "PurePath")
    );
    let all = Policy::unrestricted();
    assert_eq!(
        all.canonical("pathlib._local", "Path", false),
        ("pathlib._local", "Path")
    );
    assert_eq!(
        all.canonical("copy_reg", "_reconstructor", true).0,
        "copyreg"
    );
}

#[test]
fn test_an_entry_in_an_older_spelling_is_found() {
    let p = PolicyBuilder::new()
        .allow("numpy.core.multiarray", "scalar")
        .unwrap()
        .build()
        .unwrap();
    let (module, name) = p.canonical("numpy.core.multiarray", "scalar", false);
    assert_eq!(
        p.lookup(module, name),
        p.lookup("numpy.core.multiarray", "scalar")
    );
}

#[test]
fn test_judgement_defaults_to_refusal() {
    let p = everything();
    let world = World::default();
    let nobody = EntryId(u32::MAX);
    let empty = dict(&[]);
    let all: [Attempt<'_, Tree>; 8] = [
        Attempt::Mention,
        Attempt::Call(&[]),
        Attempt::New(&[]),
        Attempt::NewEx(&[], &[]),
        Attempt::State(&empty),
        Attempt::Append,
        Attempt::Items,
        Attempt::Add,
    ];
    for attempt in all {
        assert!(p.judge(&world, nobody, attempt).is_err());
        assert!(Policy::plain().judge(&world, EntryId(0), attempt).is_err());
        assert_eq!(
            Policy::unrestricted().judge(&world, nobody, attempt),
            Ok(Plan::AsIs)
        );
    }
    assert!(
        p.entry(nobody)
            .grant()
            .is_some_and(|grant| grant.rights.is_empty())
    );
    assert!(p.may_set(nobody, "x").is_err());
    assert!(p.may_stand(nobody).is_err());
    // Every use that no row grants.
    for (entry_id, entry) in p.entries() {
        let Some(grant) = entry.grant() else { continue };
        for (attempt, right) in [
            (Attempt::Call(&[][..]), Rights::CALL),
            (Attempt::New(&[]), Rights::NEW),
            (Attempt::NewEx(&[], &[]), Rights::NEW),
            (Attempt::State(&empty), Rights::STATE),
            (Attempt::Append, Rights::APPEND),
            (Attempt::Items, Rights::ITEMS),
            (Attempt::Add, Rights::ADD),
        ] {
            if !grant.rights.contains(right) {
                let refusal = p.judge(&world, entry_id, attempt).unwrap_err();
                assert_eq!(refusal.attempt, attempt.describe());
                assert!(refusal.why.contains(&entry.path()), "{refusal}");
            }
        }
    }
}

#[test]
fn test_a_scope_is_only_a_first_argument() {
    let p = Policy::std()
        .to_builder()
        .allow("app", "A.B")
        .unwrap()
        .build()
        .unwrap();
    let scope = id(&p, "app:A");
    let world = World::default();
    assert_eq!(
        p.judge(&world, scope, Attempt::Mention),
        Ok(Plan::CalleeOnly)
    );
    assert!(p.may_stand(scope).is_err());
    assert!(p.may_set(scope, "x").is_err());
    let empty = dict(&[]);
    for attempt in [
        Attempt::Call(&[][..]),
        Attempt::New(&[]),
        Attempt::State(&empty),
        Attempt::Append,
        Attempt::Items,
        Attempt::Add,
    ] {
        assert!(p.judge(&world, scope, attempt).is_err());
    }
}

#[test]
fn test_exceptions_keep_their_inner_state() {
    let p = everything();
    let error = id(&p, "builtins:ValueError");
    assert!(p.may_set(error, "code").is_ok());
    for key in [
        "args",
        "__cause__",
        "__context__",
        "__traceback__",
        "__notes__",
        "with_traceback",
    ] {
        assert!(p.may_set(error, key).is_err(), "{key}");
    }
    assert!(p.may_set(id(&p, "builtins:AttributeError"), "args").is_ok());
    assert!(!p.entry(error).runs_code());
    let world = World::default();
    let args = [s("utf-8"), Tree::Bytes(vec![]), int(0), int(1), s("why")];
    let decode = id(&p, "builtins:UnicodeDecodeError");
    assert!(p.judge(&world, decode, Attempt::Call(&args)).is_ok());
    assert!(p.judge(&world, decode, Attempt::Call(&args[1..])).is_err());
    assert!(p.judge(&world, decode, Attempt::New(&args)).is_err());
}

#[test]
#[allow(
    clippy::mutable_key_type,
    reason = "what is settled later takes no part in equality and hash"
)]
fn test_policies_are_values() {
    use std::collections::HashSet;
    fn shared<T: Send + Sync + 'static>() {}
    let mut set = HashSet::new();
    assert!(set.insert((**Policy::std()).clone()));
    assert!(!set.insert(Policy::preset(&["std"]).unwrap().build().unwrap()));
    assert!(set.insert((**Policy::plain()).clone()));
    assert!(set.insert(Policy::unrestricted()));
    shared::<Policy>();
}

/// A small generator (splitmix64), so that a failure is its seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }

    fn pick<T: Clone>(&mut self, from: &[T]) -> T {
        let at = usize::try_from(self.roll(from.len() as u64)).unwrap();
        from[at].clone()
    }

    fn tree(&mut self, ids: u32, depth: u32) -> Tree {
        let entry = EntryId(u32::try_from(self.roll(u64::from(ids) + 2)).unwrap());
        let ints = [0, 1, -1, 4, 21, 86_399, i64::MIN, i64::MAX, 1 << 32];
        let texts = [
            "",
            "a",
            "latin1",
            "latin-1",
            "1/2",
            "1e5",
            "/",
            "%",
            "int",
            "é",
            "\u{100}",
            "10.0.0.0/8",
            "__new__",
            "Inner",
        ];
        let len = self.roll(if depth == 0 { 1 } else { 5 });
        let mut items = || -> Vec<Tree> { (0..len).map(|_| self.tree(ids, depth - 1)).collect() };
        let items = items();
        let bytes = (0..self.roll(12))
            .map(|_| u8::try_from(self.roll(256)).unwrap())
            .collect();
        match self.roll(23) {
            0 => Tree::None,
            1 => Tree::Bool(true),
            2 | 3 => Tree::Int(self.pick(&ints)),
            4 => Tree::Big(u128::MAX >> self.roll(64), self.roll(2) == 0),
            5 => Tree::Huge(self.roll(1 << 40), self.roll(2) == 0),
            6 => Tree::Float(f64::NAN),
            7 => Tree::Complex,
            8 | 9 => s(self.pick(&texts)),
            10 => Tree::Surrogates,
            11 => Tree::Bytes(bytes),
            12 => Tree::ByteArray(bytes),
            13 => Tree::Tuple(items),
            14 => Tree::List(items),
            15 => Tree::Dict(
                items
                    .chunks_exact(2)
                    .map(|p| (p[0].clone(), p[1].clone()))
                    .collect(),
            ),
            16 if self.roll(2) == 0 => Tree::FrozenSet(items),
            16 => Tree::Set(items),
            17 => Tree::Global(entry),
            18 => Tree::Made(entry),
            19 => Tree::Delta(entry, (i32::MIN, i32::MAX, self.pick(&[0, -1, i32::MAX]))),
            20 => Tree::Constructor(entry),
            21 => Tree::Other,
            _ => Tree::External,
        }
    }
}

#[test]
fn test_no_value_makes_a_judgement_panic() {
    let p = everything()
        .to_builder()
        .allow("app", "Outer.Inner")
        .unwrap()
        .allow("app", "Cls")
        .unwrap()
        .build()
        .unwrap();
    let world = World::default();
    let ids = u32::try_from(p.entries().count()).unwrap();
    let mut dice = Dice(0x5eed);
    let mut accepted = 0;
    for _ in 0..60_000 {
        let entry = EntryId(u32::try_from(dice.roll(u64::from(ids) + 1)).unwrap());
        let args: Vec<Tree> = (0..dice.roll(6)).map(|_| dice.tree(ids, 2)).collect();
        let state = dice.tree(ids, 3);
        let attempts = [
            Attempt::Mention,
            Attempt::Call(&args),
            Attempt::New(&args),
            Attempt::NewEx(&args, &args),
            Attempt::State(&state),
            Attempt::Append,
        ];
        for attempt in attempts {
            match p.judge(&world, entry, attempt) {
                Ok(_) => accepted += 1,
                Err(refusal) => assert!(!refusal.why.is_empty()),
            }
        }
    }
    assert!(accepted > 10_000);
}

#[test]
fn test_no_text_makes_a_reader_panic() {
    let mut dice = Dice(7);
    let pieces = [
        "(",
        ")",
        "[",
        "]",
        "int",
        "?",
        "*",
        "**",
        "|",
        ",",
        "'",
        "é",
        " ",
        "dict",
        "-",
        "9",
        "=",
        "\n",
        "\"",
        "[[entry]]",
        "module",
        "name",
    ];
    for _ in 0..20_000 {
        let text: String = (0..dice.roll(12)).map(|_| dice.pick(&pieces)).collect();
        if let Ok(contract) = Contract::parse(&text) {
            assert_eq!(Contract::parse(&contract.to_string()), Ok(contract));
        }
        let _ = Policy::from_toml(&text);
        let _ = Policy::gadget(&text, &text);
        let _ = Policy::std().canonical(&text, &text, true);
    }
}
