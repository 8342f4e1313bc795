//! Streams that would cost too much, or would make the inspection itself cost too much.

use super::asm::*;
use super::*;
use crate::machine::budget::MAX_DEPTH;

#[test]
fn test_hostile_keys_end_at_a_limit() {
    let options = Options {
        limits: Limits {
            max_hash_work: Some(1_000_000),
            ..Limits::default()
        },
        ..Options::default()
    };
    let checked = |data: &[u8]| check(data, Policy::std(), &options, &[]);
    let limit = |data: &[u8]| match checked(data).fault.map(|fault| fault.kind) {
        Some(Kind::Limit { limit, .. }) => limit,
        other => panic!("{other:?}"),
    };
    let mut bomb = cat(&[&proto(4), EMPTY_DICT, &int(1), &int(1), TUPLE2]);
    for _ in 0..60 {
        bomb.extend_from_slice(b"2\x86");
    }
    bomb.extend_from_slice(b"Ns.");
    assert_eq!(limit(&bomb), "max_hash_work");

    let mut deep = cat(&[&proto(4), EMPTY_DICT, NONE]);
    deep.extend(std::iter::repeat_n(0x85, 501));
    deep.extend_from_slice(b"Ns.");
    assert_eq!(limit(&deep), "max_hash_depth");

    let mut flood = cat(&[&proto(4), EMPTY_DICT, MARK]);
    let modulus = i128::from(crate::machine::hashing::MODULUS);
    for key in 1..2000 {
        flood.extend_from_slice(b"\x8a\x10");
        flood.extend_from_slice(&(key * modulus).to_le_bytes());
        flood.push(b'N');
    }
    flood.extend_from_slice(b"u.");
    assert_eq!(limit(&flood), "max_key_collisions");

    let mut nested = proto(4);
    nested.push(b'N');
    nested.extend(std::iter::repeat_n(0x85, MAX_DEPTH as usize + 1));
    nested.push(b'.');
    assert_eq!(limit(&nested), "max_depth");
}

#[test]
fn test_arguments_are_charged_each_time() {
    // One memoised list of 4,000 ints, counted 10,000 times.
    let mut data = cat(&[&proto(4), EMPTY_LIST, MEMOIZE, MARK]);
    data.extend(std::iter::repeat_n(b'N', 40_000));
    data.extend_from_slice(b"e0");
    data.extend_from_slice(&cat(&[&global("collections", "deque"), MEMOIZE, POP]));
    for _ in 0..1000 {
        data.extend_from_slice(&cat(&[&get(1), &get(0), TUPLE1, REDUCE, POP]));
    }
    data.extend_from_slice(b"N.");
    let fault = std_check(&data).fault.unwrap();
    assert!(matches!(
        fault.kind,
        Kind::Limit {
            limit: "max_memory",
            ..
        }
    ));
}

#[test]
fn test_deep_and_wide_reports_stay_linear() {
    let mut data = proto(4);
    data.extend(std::iter::repeat_n(b']', 20_000));
    for _ in 0..5_000 {
        data.extend_from_slice(b"cos\nsystem\n)R0");
    }
    data.extend_from_slice(&cat(&[MARK, &global("os", "x"), b"e"]));
    data.extend(std::iter::repeat_n(b'a', 19_999));
    data.push(b'.');
    let options = Options {
        limits: Limits::unlimited(),
        ..Options::default()
    };
    let found = check(&data, Policy::std(), &options, &[]);
    assert_eq!(found.fault, None);
    assert_eq!(found.refusals.len(), 2);
    assert!(found.globals[1].path.as_deref().unwrap().len() < 400);
}

#[test]
fn test_a_name_is_copied_once_however_often_it_is_used() {
    // A megabyte of a module's name, fetched from the memo for 20,000 names.
    let mut data = proto(4);
    data.push(b'X');
    data.extend_from_slice(&1_000_000u32.to_le_bytes());
    data.extend(std::iter::repeat_n(b'm', 1_000_000));
    data.extend_from_slice(b"\x940");
    for _ in 0..20_000 {
        data.extend_from_slice(b"h\0\x8c\x01n\x930");
    }
    data.extend_from_slice(b"N.");
    let found = std_check(&data);
    assert_eq!((found.globals.len(), found.globals[0].count), (1, 20_000));
}

#[test]
fn test_small_sets_of_keys_of_one_hash_are_fine() {
    let mut data = cat(&[&proto(4), EMPTY_SET, MARK]);
    let modulus = i128::from(crate::machine::hashing::MODULUS);
    for key in 1..=200 {
        data.extend_from_slice(b"\x8a\x10");
        data.extend_from_slice(&(key * modulus).to_le_bytes());
    }
    data.extend_from_slice(&cat(&[ADDITEMS, STOP]));
    assert_allowed(&data);
}

#[test]
fn test_frozensets_keep_their_hashes() {
    // Each holds the last: a hash that recursed would overflow the stack, one that walked would never end.
    let mut data = cat(&[&proto(4), MARK, &int(1), b"\x91"]);
    for _ in 0..5_000 {
        data.splice(2..2, *b"(");
        data.extend_from_slice(b"\x91");
    }
    data.push(b'.');
    assert_allowed(&data);
}

#[test]
fn test_a_refusal_that_quotes_the_stream_is_charged() {
    // One state with a key of a megabyte, refused 5,000 times.
    let mut data = cat(&[&proto(4), EMPTY_DICT, MEMOIZE, b"X"]);
    data.extend_from_slice(&1_000_000u32.to_le_bytes());
    data.extend_from_slice(b"__");
    data.extend(std::iter::repeat_n(b'k', 999_996));
    data.extend_from_slice(b"__Ns0");
    for _ in 0..5_000 {
        data.extend_from_slice(b"ctypes\nSimpleNamespace\n)Rh\0b0");
    }
    data.extend_from_slice(b"N.");
    let found = std_check(&data);
    assert!(matches!(
        found.fault.unwrap().kind,
        Kind::Limit {
            limit: "max_memory",
            ..
        }
    ));
    assert_eq!(found.refusals.len(), 1);
    assert!(found.refusals[0].kind.to_string().len() < 500);
}
