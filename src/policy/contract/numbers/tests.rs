//! Tests of `numbers.rs`: what holds, and every refusal.

use crate::policy::testing::{
    Tree, World, b, call, dict, everything, id, int, list, made, refuses, s,
};
use crate::policy::{Attempt, Plan, Policy, Safe, SmallDecimal};

#[test]
fn test_complex_and_range() {
    let p = everything();
    assert_eq!(
        call(
            &p,
            "builtins:complex",
            &[Tree::Float(1.0), Tree::Float(-2.0)]
        ),
        Ok(Plan::Complex { re: 1.0, im: -2.0 })
    );
    refuses(
        &p,
        "builtins:complex",
        &[vec![], vec![s("1j")], vec![int(1), int(2)]],
    );
    let big = Tree::Huge(500, true);
    assert_eq!(
        call(&p, "builtins:range", &[int(0), big, int(-1)]),
        Ok(Plan::AsIs)
    );
    refuses(
        &p,
        "builtins:range",
        &[
            vec![int(5)],
            vec![int(0), int(5)],
            vec![int(0), int(5), int(0)],
            vec![int(0), Tree::Bool(true), int(1)],
            vec![int(0), int(1), Tree::Float(1.0)],
        ],
    );
}

#[test]
fn test_a_small_decimal_is_a_literal_of_two_words() {
    let read = |text: &str| {
        SmallDecimal::parse(text.as_bytes()).map(|number| {
            let digits = u128::from(number.high) * u128::from(SmallDecimal::RADIX);
            let digits = digits + u128::from(number.low);
            (number.negative, digits, -number.exponent)
        })
    };
    assert_eq!(read("0"), Some((false, 0, 0)));
    assert_eq!(read("-0.00"), Some((true, 0, 2)));
    assert_eq!(read("+12.50"), Some((false, 1250, 2)));
    assert_eq!(read(".5"), Some((false, 5, 1)));
    assert_eq!(read("5."), Some((false, 5, 0)));
    let most = 9_999_999_999_999_999_999;
    assert_eq!(read("9999999999999999999"), Some((false, most, 0)));
    assert_eq!(read("-.9999999999999999999"), Some((true, most, 19)));
    assert_eq!(read("10000000000000000000"), Some((false, most + 1, 0)));
    assert_eq!(read("1.0000000000000000000"), Some((false, most + 1, 19)));
    let most = 10_u128.pow(38) - 1;
    let nines = "9".repeat(38);
    assert_eq!(read(&nines), Some((false, most, 0)));
    assert_eq!(read(&format!("-.{nines}")), Some((true, most, 38)));
    assert_eq!(read("1e5"), Some((false, 1, -5)));
    assert_eq!(read("-12.5E-300"), Some((true, 125, 301)));
    assert_eq!(read("0E+9999"), Some((false, 0, -9999)));
    assert_eq!(read(&format!("{nines}e1")), Some((false, most, -1)));
    for other in [
        "",
        "-",
        "+",
        ".",
        "-.",
        "1..",
        "1.2.3",
        "+-1",
        "e5",
        ".e5",
        "1e",
        "1e+",
        "1e+-5",
        "1e5e5",
        "1e5.0",
        "1e 5",
        "1e10000",
        "1_0",
        " 1",
        "1 ",
        "NaN",
        "\u{661}",
        "100000000000000000000000000000000000000",
        "1.00000000000000000000.0000000000",
        "1.0000000000000x0000000000",
    ] {
        assert_eq!(read(other), None, "{other}");
    }
    // Whatever it reads, the contract lets pass.
    let p = everything();
    for sign in ["", "+", "-"] {
        for whole in ["", "0", "07", "1234567890123456789"] {
            for rest in ["", ".", ".0", ".25", ".12345678901234567890"] {
                for exponent in ["", "e", "E5", "e-05", "E+9999", "E+10000"] {
                    let text = format!("{sign}{whole}{rest}{exponent}");
                    if read(&text).is_some() {
                        let judged = call(&p, "decimal:Decimal", &[s(&text)]);
                        assert_eq!(judged, Ok(Plan::Decimal(0)), "{text}");
                    }
                }
            }
        }
    }
}

#[test]
fn test_decimals_are_literals() {
    let p = everything();
    let path = "decimal:Decimal";
    for good in [
        "0",
        "-0",
        "+1",
        "1.50",
        ".5",
        "5.",
        "1E+5",
        "1e-5",
        "-1.5E-1000000",
        "Infinity",
        "-Inf",
        "NaN",
        "sNaN",
        "-NaN123",
        "0E+999999999999000000",
    ] {
        assert_eq!(call(&p, path, &[s(good)]), Ok(Plan::Decimal(0)), "{good}");
    }
    for bad in [
        "",
        "-",
        ".",
        "e5",
        "1e",
        "1e+",
        "1e5e5",
        "1..2",
        "1.2.3",
        "1_000",
        " 1",
        "1\n",
        "0x1",
        "١",
        "NaN-1",
        "Infinit",
        "--1",
        "1e999999999999999999999",
        "1E+-5",
        "1/2",
        &"1".repeat(10_001),
    ] {
        refuses(&p, path, &[vec![s(bad)]]);
    }
    refuses(
        &p,
        path,
        &[
            vec![],
            vec![int(1)],
            vec![Tree::Float(1.0)],
            vec![b(b"1")],
            vec![s("1"), s("2")],
        ],
    );
}

#[test]
fn test_fractions_cannot_expand() {
    let p = everything();
    let path = "fractions:Fraction";
    let digits = "7".repeat(4_300);
    assert_eq!(call(&p, path, &[int(-1), int(3)]), Ok(Plan::Fraction));
    assert_eq!(
        call(
            &p,
            path,
            &[Tree::Huge(14_284, true), Tree::Huge(14_284, false)]
        ),
        Ok(Plan::Fraction)
    );
    for (text, slash) in [
        ("3", None),
        ("-3", None),
        ("1/2", Some(1)),
        ("-10/7", Some(3)),
        (&*format!("{digits}/{digits}"), Some(4_300)),
    ] {
        assert_eq!(call(&p, path, &[s(text)]), Ok(Plan::FractionText { slash }));
    }
    for bad in [
        "",
        "/",
        "1/",
        "/2",
        "1/0",
        "1/000",
        "1/-2",
        "1e1000000",
        "1.5",
        "1_0/2",
        " 1/2",
        "1/2 ",
        "1/2/3",
        "+1/2",
        "٣/2",
        "nan",
        &format!("{digits}7"),
    ] {
        refuses(&p, path, &[vec![s(bad)]]);
    }
    refuses(
        &p,
        path,
        &[
            vec![],
            vec![int(1)],
            vec![Tree::Float(0.5)],
            vec![made(&p, "decimal:Decimal")],
            vec![int(1), int(0)],
            vec![int(1), int(-2)],
            vec![Tree::Bool(true), int(2)],
            vec![Tree::Huge(14_285, false), int(1)],
            vec![int(1), Tree::Huge(100, true)],
            vec![s("1"), s("2")],
        ],
    );
}

fn uuid(state: &Tree) -> Result<Plan, String> {
    let p = Policy::std();
    p.judge(&World::default(), id(p, "uuid:UUID"), Attempt::State(state))
        .map_err(|refusal| refusal.why)
}

#[test]
fn test_uuids_hold_128_bits() {
    let p = Policy::std();
    let class = id(p, "uuid:UUID");
    let world = World::default();
    assert_eq!(p.judge(&world, class, Attempt::New(&[])), Ok(Plan::Unbuilt));
    assert!(p.judge(&world, class, Attempt::New(&[int(1)])).is_err());
    assert!(p.judge(&world, class, Attempt::NewEx(&[], &[])).is_err());
    refuses(
        p,
        "uuid:UUID",
        &[vec![], vec![s("12345678-1234-5678-1234-567812345678")]],
    );

    let value = u128::MAX;
    let big = Tree::Big(value, false);
    let safe = |safe| Ok(Plan::Uuid { value, safe });
    assert_eq!(uuid(&dict(&[("int", big.clone())])), safe(Safe::Unknown));
    for (given, expected) in [
        (int(0), Safe::Safe),
        (int(-1), Safe::Unsafe),
        (Tree::None, Safe::Unknown),
        (made(p, "uuid:SafeUUID"), Safe::Given),
    ] {
        let state = dict(&[("int", big.clone()), ("is_safe", given)]);
        assert_eq!(uuid(&state), safe(expected));
    }
    for bad in [
        Tree::None,
        dict(&[]),
        dict(&[("int", int(-1))]),
        dict(&[("int", Tree::Huge(129, false))]),
        dict(&[("int", s("1"))]),
        dict(&[("int", Tree::Bool(true))]),
        dict(&[("int", list(&[]))]),
        dict(&[("is_safe", int(0))]),
        dict(&[("int", int(1)), ("is_safe", int(1))]),
        dict(&[("int", int(1)), ("is_safe", made(p, "datetime:date"))]),
        dict(&[("int", int(1)), ("__class__", int(1))]),
        dict(&[("int", int(1)), ("is_safe", int(0)), ("x", int(0))]),
        Tree::Dict(vec![(b(b"int"), int(1))]),
        Tree::Tuple(vec![Tree::None, dict(&[("int", int(1))])]),
    ] {
        assert!(uuid(&bad).is_err(), "{bad:?}");
    }
}
