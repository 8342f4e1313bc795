//! Tests of `dtype.rs`: what becomes known, and what is left to numpy.

use super::super::tests::{build, policy};
use super::{Dtype, Known, Numeric};
use crate::policy::testing::{Tree, call, global, id, int, refuses, s, tuple};
use crate::policy::{Plan, Policy};

const DTYPE: &str = "numpy:dtype";

fn number(code: &str) -> Numeric {
    Numeric::parse(code).unwrap()
}

fn unsettled(code: &str) -> Dtype {
    Dtype::parse(code).unwrap()
}

fn known(p: &Policy, dtype: Dtype) -> Tree {
    Tree::Known(id(p, DTYPE), Known::Dtype(dtype))
}

#[test]
fn test_dtypes() {
    let p = policy();
    let (yes, no) = (Tree::Bool(true), Tree::Bool(false));
    for (align, copy) in [
        (no.clone(), yes.clone()),
        (int(0), int(1)),
        (yes.clone(), yes.clone()),
    ] {
        let plan = call(&p, DTYPE, &[s("f8"), align, copy]);
        assert_eq!(plan, Ok(Plan::Dtype(unsettled("f8"))));
    }
    // What is no number is numpy's to read.
    for code in [
        "O8",
        "U3",
        "float64",
        "V",
        "V0",
        "V016",
        "V+1",
        "V1 ",
        "V2147483648",
        "|V8",
    ] {
        assert_eq!(
            call(&p, DTYPE, &[s(code), no.clone(), yes.clone()]),
            Ok(Plan::AsIs)
        );
    }
    // A dtype of so many bytes, of which its state says more; other arguments are numpy's to read.
    assert_eq!(
        call(&p, DTYPE, &[s("V16"), no.clone(), yes.clone()]),
        Ok(Plan::Dtype(Dtype::Void(16)))
    );
    assert_eq!(call(&p, DTYPE, &[s("V16"), no.clone()]), Ok(Plan::AsIs));
    refuses(
        &p,
        DTYPE,
        &[
            vec![s("f8")],
            vec![s("f8"), no.clone()],
            vec![s("f8"), no.clone(), no.clone()],
            vec![s("f8"), no.clone(), Tree::None],
            vec![s("f8"), int(2), yes.clone()],
            vec![s("f8"), no, yes.clone(), yes],
        ],
    );
}

#[test]
fn test_states_of_dtypes() {
    let p = policy();
    let state = |version, order: &str, size, flags| {
        let none = || Tree::None;
        tuple(&[
            int(version),
            s(order),
            none(),
            none(),
            none(),
            int(size),
            int(-1),
            int(flags),
        ])
    };
    for (code, order, expected) in [("f8", "<", "<f8"), ("f8", ">", ">f8"), ("b1", "|", "b1")] {
        let plan = build(&p, &known(&p, unsettled(code)), &state(3, order, -1, 0));
        assert_eq!(plan, Ok(Plan::DtypeState(Dtype::settled(number(expected)))));
    }
    for broken in [
        state(2, "<", -1, 0),
        state(3, "|", -1, 0),
        state(3, "=", -1, 0),
        state(3, "<<", -1, 0),
        state(3, "<", 8, 0),
        state(3, "<", -1, 1),
        tuple(&[]),
        Tree::None,
    ] {
        assert!(
            build(&p, &known(&p, unsettled("f8")), &broken).is_err(),
            "{broken:?}"
        );
    }
    // Metadata is numpy's to read.
    let metadata = tuple(&[
        int(4),
        Tree::None,
        Tree::None,
        Tree::None,
        Tree::None,
        int(-1),
        int(-1),
        int(0),
        Tree::None,
    ]);
    assert_eq!(
        build(&p, &known(&p, unsettled("f8")), &metadata),
        Ok(Plan::AsIs)
    );
}

/// State of records of a float and an int, the eight parts of it.
fn records(p: &Policy) -> [Tree; 8] {
    let field = |code, offset| tuple(&[known(p, Dtype::settled(number(code))), int(offset)]);
    [
        int(3),
        s("|"),
        Tree::None,
        tuple(&[s("a"), s("b")]),
        Tree::Dict(vec![(s("a"), field("f8", 0)), (s("b"), field("i4", 8))]),
        int(12),
        int(1),
        int(16),
    ]
}

fn of_records(p: &Policy, state: &[Tree]) -> Option<Dtype> {
    match build(p, &known(p, Dtype::Void(12)), &tuple(state)) {
        Ok(Plan::DtypeState(dtype)) => Some(dtype),
        Ok(Plan::AsIs) => None,
        other => panic!("{other:?}"),
    }
}

#[test]
fn test_records_of_numbers() {
    let p = policy();
    let dtype = Dtype::Records {
        fields: 2,
        size: 12,
    };
    let expected = Some(dtype);
    assert_eq!(of_records(&p, &records(&p)), expected);
    for (alignment, flags) in [(1, 144), (4, -112), (16, 144)] {
        let mut state = records(&p);
        (state[6], state[7]) = (int(alignment), int(flags));
        assert_eq!(of_records(&p, &state), expected);
    }
    // Once more, and for a dtype that has its fields: numpy's to read.
    let twice = build(&p, &known(&p, dtype), &tuple(&records(&p)));
    assert_eq!(twice, Ok(Plan::AsIs));
    assert_eq!(Plan::DtypeState(dtype).reads(), 400);
}

#[test]
fn test_other_records_are_numpys_to_read() {
    let p = policy();
    let with = |at: usize, part: Tree| {
        let mut state = records(&p);
        state[at] = part;
        state
    };
    let others = [
        with(0, int(4)),
        with(1, s("<")),
        with(1, s("")),
        with(2, tuple(&[known(&p, Dtype::settled(number("f8"))), int(1)])),
        with(3, Tree::None),
        with(3, tuple(&[])),
        with(3, tuple(&[s("a")])),
        with(3, tuple(&[s("b"), s("a")])),
        with(3, tuple(&[s("a"), s("c")])),
        with(3, tuple(&[s("a"), int(1)])),
        with(3, Tree::List(vec![s("a"), s("b")])),
        with(4, Tree::None),
        with(4, Tree::Dict(vec![])),
        with(5, int(11)),
        with(5, int(-1)),
        with(6, int(0)),
        with(6, int(8)),
        with(6, int(-1)),
        with(7, int(0)),
        with(7, int(17)),
        with(7, int(27)),
        with(7, int(16 | 1 << 8)),
        with(7, int(145)),
        with(7, Tree::None),
    ];
    for state in &others {
        assert_eq!(of_records(&p, state), None, "{state:?}");
    }
    assert_eq!(of_records(&p, &records(&p)[..7]), None);
    for alignment in [0, 3, 32, -8] {
        let mut state = with(7, int(144));
        state[6] = int(alignment);
        assert_eq!(of_records(&p, &state), None);
    }
}

#[test]
fn test_fields_are_numbers_within_a_record() {
    let p = policy();
    let of = |field: Tree| {
        let mut state = records(&p);
        let whole = tuple(&[known(&p, Dtype::settled(number("f8"))), int(0)]);
        state[4] = Tree::Dict(vec![(s("a"), whole), (s("b"), field)]);
        of_records(&p, &state)
    };
    let number = |code| known(&p, Dtype::settled(number(code)));
    for offset in [0, 1, 8] {
        assert!(of(tuple(&[number("i4"), int(offset)])).is_some());
    }
    let fields = 1;
    for (dtype, offset) in [
        (number("i4"), int(9)),
        (number("i4"), int(-1)),
        (number("i4"), int(i64::MAX)),
        (number("i4"), Tree::Big(1 << 64, false)),
        (number("i4"), Tree::Bool(false)),
        (number("f16"), int(0)),
        // Whose bytes would have to be 0 and 1, or are in the other order.
        (number("b1"), int(0)),
        (number(">i4"), int(0)),
        // What another BUILD may still change.
        (known(&p, unsettled("i4")), int(0)),
        (known(&p, Dtype::Void(4)), int(0)),
        (known(&p, Dtype::Records { fields, size: 4 }), int(0)),
        (Tree::Made(id(&p, DTYPE)), int(0)),
        (global(&p, DTYPE), int(0)),
        (Tree::None, int(0)),
    ] {
        assert_eq!(of(tuple(&[dtype, offset])), None);
    }
    assert_eq!(of(tuple(&[number("i4")])), None);
    assert_eq!(of(tuple(&[number("i4"), int(0), s("title")])), None);
    assert_eq!(of(Tree::List(vec![number("i4"), int(0)])), None);
}
