//! Tests of `numpy.rs`: what holds, and every refusal.

use super::{Dtype, Known, MAX_DIMENSIONS, Numeric, Numpy, Order, extent};
use crate::policy::testing::{Tree, World, b, call, global, id, int, refuses, s, tuple};
use crate::policy::{Attempt, Grant, Plan, Policy, PolicyBuilder, Rights};

const DTYPE: &str = "numpy:dtype";
const ARRAY: &str = "numpy:ndarray";
const MAKE: &str = "numpy._core.multiarray:_reconstruct";
const OVER: &str = "numpy._core.numeric:_frombuffer";
const SCALAR: &str = "numpy._core.multiarray:scalar";

/// The names as numpy 1 spells them: pickles of numpy 2 are looked up there too.
pub(super) fn policy() -> Policy {
    let grant = || {
        let mut grant = Grant::of(Rights::ALL);
        grant.fields = crate::policy::Fields::Setstate;
        grant
    };
    Numpy::ALL
        .into_iter()
        .try_fold(PolicyBuilder::new(), |builder, which| {
            let (modules, name) = which.spelled();
            builder.allow_with(modules.last().unwrap(), name, grant())
        })
        .and_then(PolicyBuilder::build)
        .unwrap()
}

fn dtype(p: &Policy, code: &str) -> Tree {
    let dtype = Dtype::settled(Numeric::parse(code).unwrap());
    Tree::Known(id(p, DTYPE), Known::Dtype(dtype))
}

pub(super) fn build(p: &Policy, object: &Tree, state: &Tree) -> Result<Plan, String> {
    let attempt = Attempt::Build(object, state);
    let judged = p.judge(&World::default(), id(p, MAKE), attempt);
    judged.map_err(|refusal| {
        assert_eq!(refusal.attempt, "given state");
        refusal.why
    })
}

#[test]
fn test_codes_of_numbers() {
    for numeric in Numeric::all() {
        assert_eq!(Numeric::parse(numeric.code()), Some(numeric));
        let digits = numeric.code().get(1..).unwrap();
        assert_eq!(digits.parse(), Ok(numeric.size()));
    }
    assert!(Numeric::parse(">f8").unwrap().is_swapped());
    assert_eq!(Numeric::parse("<f8"), Numeric::parse("f8"));
    assert!(Numeric::parse("|b1").unwrap().is_bool());
    for code in [
        "", "<", "f", "f3", "f80", "F8", "O8", "S5", "U1", "V8", "M8", "m8", "d", "float64", "=f8",
        "<i1", "|f8", "<<f8", "f8 ", "i4,f8", "(2,)f8", "f8\0",
    ] {
        assert_eq!(Numeric::parse(code), None, "{code:?}");
    }
}

#[test]
fn test_extents_never_overflow() {
    let of = |sides: &[i64], item| extent(sides.iter().copied().map(Some), item);
    assert_eq!(of(&[], 8), Ok(8));
    assert_eq!(of(&[2, 3], 8), Ok(48));
    assert_eq!(of(&[2, 0, 3], 8), Ok(0));
    assert_eq!(of(&[i64::MAX], 1), Ok(i64::MAX.cast_unsigned()));
    assert_eq!(of(&[1; MAX_DIMENSIONS], 32), Ok(32));
    for (sides, item) in [
        (&[-1][..], 1),
        (&[i64::MIN], 1),
        (&[i64::MAX], 2),
        (&[1 << 32, 1 << 32], 1),
        (&[0, 1 << 62, 1 << 62], 1),
        (&[1 << 61], 8),
        (&[1; MAX_DIMENSIONS + 1], 1),
    ] {
        assert!(of(sides, item).is_err(), "{sides:?} of {item}");
    }
    assert!(extent([None].into_iter(), 1).is_err());
}

#[test]
fn test_arrays_without_state() {
    let p = policy();
    let class = global(&p, ARRAY);
    assert_eq!(
        call(&p, MAKE, &[class.clone(), tuple(&[int(0)]), b(b"b")]),
        Ok(Plan::Unfilled)
    );
    assert_eq!(
        call(&p, MAKE, &[class.clone(), tuple(&[int(0)]), s("b")]),
        Ok(Plan::Unfilled)
    );
    // A subclass is numpy's to make.
    assert_eq!(
        call(&p, MAKE, &[global(&p, DTYPE), tuple(&[int(5)]), b(b"O")]),
        Ok(Plan::AsIs)
    );
    refuses(
        &p,
        MAKE,
        &[
            vec![class.clone(), tuple(&[int(1)]), b(b"b")],
            vec![class.clone(), tuple(&[int(0), int(0)]), b(b"b")],
            vec![class.clone(), tuple(&[Tree::Bool(false)]), b(b"b")],
            vec![class.clone(), tuple(&[int(0)]), b(b"O")],
            vec![class.clone(), tuple(&[int(0)])],
            vec![class],
        ],
    );
}

#[test]
fn test_states_of_arrays() {
    let p = policy();
    let unfilled = Tree::Known(id(&p, MAKE), Known::Unfilled);
    let state = |kind: &str, data| {
        tuple(&[
            int(1),
            tuple(&[int(2)]),
            dtype(&p, kind),
            Tree::Bool(true),
            data,
        ])
    };
    assert_eq!(
        build(&p, &unfilled, &state("u2", b(b"\0\0\0\0"))),
        Ok(Plan::ArrayState { bytes: 4 })
    );
    assert!(build(&p, &unfilled, &state("u1", s("\u{ff}\u{80}"))).is_ok());
    assert!(build(&p, &unfilled, &state("b1", b(b"\0\x01"))).is_ok());
    let of = |dtype| {
        let kind = Tree::Known(id(&p, DTYPE), Known::Dtype(dtype));
        let items = [
            int(1),
            tuple(&[int(2)]),
            kind,
            Tree::Bool(false),
            b(b"0123456789"),
        ];
        build(&p, &unfilled, &tuple(&items))
    };
    let records = |size| of(Dtype::Records { fields: 1, size });
    assert_eq!(records(5), Ok(Plan::ArrayState { bytes: 10 }));
    assert!(records(4).is_err() && records(6).is_err());
    // Of what its state has not said yet, nothing is known but its size.
    assert_eq!(of(Dtype::Void(5)), Ok(Plan::AsIs));
    for broken in [
        state("u2", b(b"\0\0\0")),
        state("u2", b(b"\0\0\0\0\0")),
        state("u2", Tree::List(vec![int(1), int(2)])),
        state("u2", Tree::ByteArray(vec![0; 4])),
        state("u1", s("\u{100}\u{80}")),
        state("u1", s("\u{80}")),
        state("b1", b(b"\0\x02")),
        state("b1", s("\0\u{81}")),
        tuple(&[int(1), tuple(&[int(0)])]),
        Tree::None,
    ] {
        assert!(build(&p, &unfilled, &broken).is_err(), "{broken:?}");
    }
    // A dtype that nothing is known of: objects, text, records.
    let other = tuple(&[
        int(1),
        tuple(&[int(2)]),
        Tree::Made(id(&p, DTYPE)),
        Tree::Bool(true),
        b(b""),
    ]);
    assert_eq!(build(&p, &unfilled, &other), Ok(Plan::AsIs));
    assert_eq!(
        build(&p, &Tree::Made(id(&p, MAKE)), &Tree::None),
        Ok(Plan::AsIs)
    );
}

#[test]
fn test_arrays_over_buffers() {
    let p = policy();
    let kind = dtype(&p, "u1");
    let shape = || tuple(&[int(2), int(1)]);
    let data = || Tree::ByteArray(vec![0, 1]);
    for (order, rest, expected) in [
        ("C", vec![], Order::C),
        ("F", vec![Tree::None], Order::Fortran),
        ("K", vec![tuple(&[int(1), int(0)])], Order::Axes),
    ] {
        let mut args = vec![data(), kind.clone(), shape(), s(order)];
        args.extend(rest);
        assert!(
            matches!(call(&p, OVER, &args), Ok(Plan::FromBuffer { order, bytes: 2, .. }) if order == expected)
        );
    }
    // Who loads it sees how long it is.
    for beside in [Tree::External, Tree::Other] {
        assert!(call(&p, OVER, &[beside, kind.clone(), shape(), s("C")]).is_ok());
    }
    let bools = dtype(&p, "b1");
    refuses(
        &p,
        OVER,
        &[
            vec![b(b"\0"), kind.clone(), shape(), s("C")],
            vec![Tree::ByteArray(vec![0; 3]), kind.clone(), shape(), s("C")],
            vec![s("ab"), kind.clone(), shape(), s("C")],
            vec![data(), kind.clone(), tuple(&[int(-1)]), s("C")],
            vec![data(), kind.clone(), int(2), s("C")],
            vec![data(), kind.clone(), shape(), s("A")],
            vec![
                data(),
                kind.clone(),
                shape(),
                s("C"),
                tuple(&[int(1), int(0)]),
            ],
            vec![
                data(),
                kind.clone(),
                shape(),
                s("K"),
                tuple(&[int(0), int(0)]),
            ],
            vec![
                data(),
                kind.clone(),
                shape(),
                s("K"),
                tuple(&[int(0), int(2)]),
            ],
            vec![data(), kind.clone(), shape(), s("K"), tuple(&[int(0)])],
            vec![data(), kind, shape()],
            vec![Tree::ByteArray(vec![0, 2]), bools.clone(), shape(), s("C")],
            vec![b(b"\xff\0"), bools, shape(), s("C")],
        ],
    );
    assert_eq!(
        call(&p, OVER, &[data(), Tree::Made(id(&p, DTYPE)), int(9)]),
        Ok(Plan::AsIs)
    );
}

#[test]
fn test_scalars() {
    let p = policy();
    assert_eq!(
        call(&p, SCALAR, &[dtype(&p, "u2"), b(b"ab")]),
        Ok(Plan::Scalar)
    );
    let records = Known::Dtype(Dtype::Records { fields: 1, size: 2 });
    for kind in [
        Tree::Made(id(&p, DTYPE)),
        Tree::Known(id(&p, DTYPE), records),
    ] {
        assert_eq!(call(&p, SCALAR, &[kind, int(9)]), Ok(Plan::AsIs));
    }
    refuses(
        &p,
        SCALAR,
        &[
            vec![dtype(&p, "u2"), b(b"a")],
            vec![dtype(&p, "u2"), b(b"abc")],
            vec![dtype(&p, "u2"), b(b"ab"), Tree::None],
            vec![dtype(&p, "b1"), b(b"\x02")],
            vec![dtype(&p, "u2")],
        ],
    );
}
