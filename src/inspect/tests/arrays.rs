//! Arrays that lie raw between the opcodes of joblib's files.

use super::asm::{self, cat};
use super::*;

fn options(arrays: Arrays) -> Options {
    Options {
        arrays,
        ..Options::default()
    }
}

/// `numpy.dtype(code, False, True)` with its state, flags last.
fn dtype(code: &str, size: i32, flags: i32) -> Vec<u8> {
    cat(&[
        &asm::global("numpy", "dtype"),
        &asm::text(code),
        b"\x89\x88",
        asm::TUPLE3,
        asm::REDUCE,
        asm::MARK,
        &asm::int(3),
        &asm::text("|"),
        b"NNN",
        &asm::int(size),
        &asm::int(-1),
        &asm::int(flags),
        asm::TUPLE,
        asm::BUILD,
    ])
}

/// A wrapper of so many items, up to its BUILD.
fn wrapper(count: i32, dtype: &[u8], alignment: &[u8]) -> Vec<u8> {
    cat(&[
        &asm::global("joblib.numpy_pickle", "NumpyArrayWrapper"),
        asm::EMPTY_TUPLE,
        asm::NEWOBJ,
        asm::EMPTY_DICT,
        asm::MARK,
        &asm::text("shape"),
        &asm::int(count),
        asm::TUPLE1,
        &asm::text("dtype"),
        dtype,
        &asm::text("numpy_array_alignment_bytes"),
        alignment,
        asm::SETITEMS,
        asm::BUILD,
    ])
}

fn names(inspection: &Inspection) -> Vec<&str> {
    let globals = inspection.globals.iter();
    globals.map(|used| used.name.as_str()).collect()
}

/// An array of four bytes and what follows it.
fn file(raw: &[u8]) -> Vec<u8> {
    cat(&[
        &asm::proto(3),
        &wrapper(4, &dtype("i1", -1, 0), &asm::int(16)),
        raw,
        asm::POP,
        &asm::global("os", "system"),
        asm::STOP,
    ])
}

#[test]
fn opcodes_go_on_behind_the_raw_bytes() {
    let data = file(b"\x02\xff\xff....");
    let found = inspect(&data, Policy::std(), &options(Arrays::Padded));
    assert_eq!(found.fault, None);
    assert_eq!(names(&found), ["NumpyArrayWrapper", "dtype", "system"]);
    assert_eq!(found.size, data.len() as u64);
    assert_eq!(found.raws.len(), 1);
    assert_eq!(found.raws[0].length, 7);
    // What an array holds is counted among no opcodes.
    assert!(found.opcodes.contains(&("STOP", 1)));

    let found = inspect(&data, Policy::std(), &options(Arrays::Opcodes));
    assert_eq!(names(&found), ["NumpyArrayWrapper", "dtype"]);
    assert_eq!(found.fault.unwrap().kind, Kind::InvalidLoadKey(2));
    let found = inspect(&data, Policy::std(), &options(Arrays::Unpadded));
    assert_eq!(found.raws[0].length, 4);
    assert_eq!(names(&found), ["NumpyArrayWrapper", "dtype"]);
}

#[test]
fn a_frame_must_have_ended() {
    let inside = wrapper(4, &dtype("i1", -1, 0), asm::NONE);
    let frame = |length: usize| cat(&[&asm::proto(4), b"\x95", &(length as u64).to_le_bytes()]);
    let tail = cat(&[b"abcd", asm::POP, asm::NONE, asm::STOP]);
    let data = cat(&[&frame(inside.len()), &inside, &tail]);
    let found = inspect(&data, Policy::std(), &options(Arrays::Padded));
    assert_eq!(found.fault, None);
    let data = cat(&[&frame(inside.len() + 1), &inside, asm::NONE, &tail]);
    let found = inspect(&data, Policy::std(), &options(Arrays::Padded));
    assert!(matches!(found.fault.unwrap().kind, Kind::RawArray(_)));
}

#[test]
fn objects_are_a_pickle_among_the_others() {
    let objects = cat(&[&asm::global("posix", "system"), asm::STOP]);
    let data = cat(&[
        &asm::proto(3),
        &wrapper(4, &dtype("O8", -1, 63), &asm::int(16)),
        &objects,
        asm::POP,
        asm::NONE,
        asm::STOP,
        asm::NONE,
        asm::STOP,
    ]);
    let policy = Policy::std();
    let options = options(Arrays::Padded);
    let found: Vec<_> = inspect_all(&data, policy, &options).collect();
    assert_eq!(found.len(), 3);
    assert_eq!(found[0].1.raws[0].at as u64, found[1].0);
    assert_eq!(names(&found[1].1), ["system"]);
    assert_eq!(found[1].1.trailing, 0);
    assert_eq!(found[2].0, data.len() as u64 - 2);
}

#[test]
fn every_prefix_ends_in_a_fault() {
    let data = file(b"\x02\xff\xff....");
    for end in 0..data.len() {
        let found = inspect(&data[..end], Policy::std(), &options(Arrays::Padded));
        assert!(found.fault.is_some(), "{end}");
    }
}

#[test]
fn sizes_are_compared_and_never_multiplied_over() {
    for (count, code, size) in [
        (i32::MAX, "S2147483647", i32::MAX),
        (-1, "i1", -1),
        (5, "i1", -1),
        (4, "i8", -1),
        (4, "S1", 2),
        (4, "S0", 0),
        (4, "i1", 2),
    ] {
        let data = cat(&[
            &asm::proto(3),
            &wrapper(count, &dtype(code, size, 0), asm::NONE),
            b"abcd",
        ]);
        let found = inspect(&data, Policy::std(), &options(Arrays::Padded));
        assert!(matches!(found.fault.unwrap().kind, Kind::RawArray(_)));
    }
}
