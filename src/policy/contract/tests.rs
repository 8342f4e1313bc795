//! Tests of the contract language: what holds, and every refusal.

use super::Contract;
use crate::policy::testing::{Tree, World, b, int, list, s, tuple};

fn holds(contract: &str, args: &[Tree]) -> bool {
    Contract::parse(contract)
        .unwrap()
        .check(&World::default(), args, &[])
        .is_ok()
}

#[test]
fn test_signatures_on_exact_types() {
    for (contract, yes, no) in [
        ("()", vec![vec![]], vec![vec![int(1)]]),
        (
            "(int)",
            vec![vec![int(1)], vec![Tree::Huge(900, true)]],
            vec![vec![], vec![Tree::Bool(true)]],
        ),
        (
            "(int, int?)",
            vec![vec![int(1)], vec![int(1), int(2)]],
            vec![vec![int(1), s("")]],
        ),
        (
            "(str) | ()",
            vec![vec![], vec![s("")], vec![Tree::Surrogates]],
            vec![vec![b(b"")]],
        ),
        (
            "(str, 'latin1')",
            vec![vec![s("x"), s("latin1")]],
            vec![vec![s("x"), s("latin2")]],
        ),
        (
            "(0)",
            vec![vec![int(0)]],
            vec![vec![int(1)], vec![Tree::Bool(false)]],
        ),
        ("(-1)", vec![vec![int(-1)]], vec![vec![int(1)]]),
        (
            "(int | None)",
            vec![vec![int(1)], vec![Tree::None]],
            vec![vec![]],
        ),
        (
            "(*int)",
            vec![vec![], vec![int(1), int(2)]],
            vec![vec![int(1), s("")]],
        ),
        (
            "(list[int])",
            vec![vec![list(&[int(1)])], vec![list(&[])]],
            vec![vec![list(&[s("")])], vec![tuple(&[])]],
        ),
        (
            "(dict[str, int])",
            vec![vec![Tree::Dict(vec![(s("a"), int(1))])]],
            vec![
                vec![Tree::Dict(vec![(int(1), int(1))])],
                vec![Tree::Dict(vec![(s("a"), s("a"))])],
            ],
        ),
        (
            "(plain)",
            vec![
                vec![Tree::None],
                vec![list(&[Tree::Other])],
                vec![Tree::Complex],
                vec![Tree::Set(vec![])],
            ],
            vec![
                vec![Tree::Other],
                vec![Tree::External],
                vec![Tree::Made(crate::policy::EntryId(0))],
                vec![Tree::Global(crate::policy::EntryId(0))],
            ],
        ),
        (
            "(type)",
            vec![vec![Tree::Global(crate::policy::EntryId(7))]],
            vec![vec![Tree::Other]],
        ),
        (
            "(instance)",
            vec![vec![Tree::Made(crate::policy::EntryId(7))]],
            vec![vec![Tree::External]],
        ),
        ("(any)", vec![vec![Tree::External]], vec![vec![]]),
        (
            "(bytes, bytearray?, *float)",
            vec![
                vec![b(b"")],
                vec![b(b""), Tree::ByteArray(vec![]), Tree::Float(0.0)],
            ],
            vec![vec![b(b""), Tree::Float(0.0)]],
        ),
    ] {
        for args in yes {
            assert!(holds(contract, &args), "{contract} {args:?}");
        }
        for args in no {
            assert!(!holds(contract, &args), "{contract} {args:?}");
        }
    }
}

#[test]
fn test_keywords() {
    let world = World::default();
    let positional = Contract::parse("(int)").unwrap();
    let keywords = Contract::parse("(*any, **int)").unwrap();
    let given = [s("k"), int(1)];
    assert!(positional.check(&world, &[int(1)], &given).is_err());
    assert!(keywords.check(&world, &[], &given).is_ok());
    assert!(keywords.check(&world, &[], &[s("k"), s("v")]).is_err());
    assert!(keywords.check(&world, &[], &[int(1), int(1)]).is_err());
    assert!(keywords.check(&world, &[], &[s("k")]).is_err());
}

#[test]
fn test_text_round_trips() {
    for text in [
        "()",
        "(int)",
        "(*any, **any)",
        "(int, int?, *str)",
        "(dict[str, int | None])",
        "(list[bytes], 'a b', -5)",
        "() | (int)",
        "(frozenset[int], set, tuple[float])",
    ] {
        let contract = Contract::parse(text).unwrap();
        assert_eq!(contract.to_string(), text);
        assert_eq!(Contract::parse(&contract.to_string()).unwrap(), contract);
    }
    assert_eq!(
        Contract::parse("(int)|()").unwrap(),
        Contract::parse(" ( ) | ( int ) ").unwrap()
    );
}

#[test]
fn test_unreadable_contracts_say_where() {
    for (text, column) in [
        ("", 1),
        ("int", 1),
        ("(", 2),
        ("(int", 5),
        ("(int,)", 6),
        ("(int) x", 7),
        ("(Int)", 2),
        ("(int?, str)", 11),
        ("(*int, str)", 8),
        ("(**int, str)", 9),
        ("('a)", 2),
        ("(list[list[int]])", 12),
        ("(dict[int])", 10),
        ("(int) |", 8),
        ("(99999999999999999999)", 2),
        ("(int||str)", 6),
        ("(é)", 2),
    ] {
        let error = Contract::parse(text).unwrap_err();
        assert_eq!(error.column, column, "{error}");
    }
}

#[test]
fn test_a_refusal_names_the_contract_and_the_shapes() {
    let contract = Contract::parse("(int, str?)").unwrap();
    let why = contract
        .check(&World::default(), &[s("secret"), list(&[])], &[])
        .unwrap_err();
    assert_eq!(
        why,
        "its contract is (int, str?), given (a str of 6 characters, a list of 0)"
    );
    let many = vec![int(1); 20];
    assert!(
        contract
            .check(&World::default(), &many, &[])
            .unwrap_err()
            .ends_with(", …)")
    );
}
