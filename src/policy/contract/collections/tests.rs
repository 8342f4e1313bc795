//! Tests of `collections.rs`: what holds, and every refusal.

use crate::policy::testing::{
    Tree, World, b, call, dict, everything, global, id, int, list, made, refuses, s, tuple,
};
use crate::policy::{Attempt, Plan, Policy};

#[test]
fn test_copies_are_made_of_lists_only() {
    let p = everything();
    for path in ["builtins:set", "builtins:frozenset"] {
        assert_eq!(call(&p, path, &[list(&[int(1)])]), Ok(Plan::AsIs));
        assert_eq!(call(&p, path, &[]), Ok(Plan::AsIs));
        refuses(
            &p,
            path,
            &[
                vec![made(&p, "builtins:range")],
                vec![tuple(&[])],
                vec![s("abc")],
                vec![Tree::Set(vec![])],
                vec![list(&[]), list(&[])],
                vec![Tree::External],
                vec![Tree::Other],
            ],
        );
    }
}

#[test]
fn test_slices_of_atoms() {
    let p = everything();
    let path = "builtins:slice";
    for args in [
        [Tree::None, int(1), Tree::Huge(99, true)],
        [s("a"), b(b"b"), Tree::Float(0.5)],
    ] {
        assert_eq!(call(&p, path, &args), Ok(Plan::AsIs));
    }
    refuses(
        &p,
        path,
        &[
            vec![int(1)],
            vec![int(1), int(2), list(&[])],
            vec![int(1), int(2), made(&p, "uuid:UUID")],
        ],
    );
}

#[test]
fn test_ordered_dicts() {
    let p = everything();
    let path = "collections:OrderedDict";
    let pair = list(&[s("k"), int(1)]);
    assert_eq!(call(&p, path, &[]), Ok(Plan::AsIs));
    assert_eq!(
        call(&p, path, &[list(&[pair.clone(), pair.clone()])]),
        Ok(Plan::AsIs)
    );
    refuses(
        &p,
        path,
        &[
            vec![dict(&[])],
            vec![list(&[int(1)])],
            vec![list(&[list(&[int(1)])])],
            vec![list(&[s("ab")])],
            vec![tuple(&[pair])],
        ],
    );
    let state = |state: Tree| {
        p.judge(&World::default(), id(&p, path), Attempt::State(&state))
            .is_ok()
    };
    assert!(state(dict(&[("_metadata", int(1))])));
    assert!(!state(dict(&[("__class__", int(1))])));
    assert!(!state(Tree::Dict(vec![(int(1), int(1))])));
    assert!(!state(list(&[])));
    assert!(
        p.judge(&World::default(), id(&p, path), Attempt::Items)
            .is_ok()
    );
    assert!(
        p.judge(&World::default(), id(&p, path), Attempt::Append)
            .is_err()
    );
}

#[test]
fn test_deques() {
    let p = everything();
    let path = "collections:deque";
    let plan = |items, maxlen| Ok(Plan::Deque { items, maxlen });
    assert_eq!(call(&p, path, &[]), plan(None, None));
    assert_eq!(call(&p, path, &[tuple(&[]), int(3)]), plan(None, Some(3)));
    assert_eq!(call(&p, path, &[list(&[int(1)])]), plan(Some(0), None));
    assert_eq!(
        call(&p, path, &[list(&[int(1)]), int(0)]),
        plan(Some(0), Some(0))
    );
    assert_eq!(
        call(&p, path, &[list(&[]), Tree::None]),
        plan(Some(0), None)
    );
    refuses(
        &p,
        path,
        &[
            vec![made(&p, "builtins:range")],
            vec![tuple(&[int(1)])],
            vec![s("abc")],
            vec![list(&[]), int(-1)],
            vec![list(&[]), Tree::Huge(80, false)],
            vec![list(&[]), int(1), int(1)],
        ],
    );
    assert!(
        p.judge(&World::default(), id(&p, path), Attempt::Append)
            .is_ok()
    );
    assert!(
        p.judge(&World::default(), id(&p, path), Attempt::State(&Tree::None))
            .is_err()
    );
}

#[test]
fn test_default_factories_are_plain_types() {
    let p = everything();
    let path = "collections:defaultdict";
    let none = Ok(Plan::DefaultDict { factory: None });
    assert_eq!(call(&p, path, &[]), none);
    assert_eq!(call(&p, path, &[Tree::None]), none);
    for name in [
        "list", "dict", "set", "int", "str", "float", "bool", "tuple",
    ] {
        let factory = Some(id(&p, &format!("builtins:{name}")));
        assert_eq!(
            call(&p, path, &[global(&p, &format!("builtins:{name}"))]),
            Ok(Plan::DefaultDict { factory })
        );
    }
    for bad in [
        "builtins:getattr",
        "builtins:type",
        "_codecs:encode",
        "builtins:range",
        "collections:deque",
        "copyreg:_reconstructor",
        "functools:partial",
    ] {
        refuses(&p, path, &[vec![global(&p, bad)]]);
    }
    let own = Policy::std()
        .to_builder()
        .allow("app", "list")
        .unwrap()
        .build()
        .unwrap();
    refuses(
        &own,
        path,
        &[
            vec![global(&own, "app:list")],
            vec![int(1)],
            vec![Tree::None, list(&[])],
        ],
    );
}

#[test]
fn test_counters_and_namespaces() {
    let p = everything();
    assert_eq!(
        call(&p, "collections:Counter", &[dict(&[("a", int(1))])]),
        Ok(Plan::AsIs)
    );
    refuses(
        &p,
        "collections:Counter",
        &[
            vec![],
            vec![list(&[])],
            vec![s("abc")],
            vec![made(&p, "collections:OrderedDict")],
        ],
    );
    let path = "types:SimpleNamespace";
    assert_eq!(call(&p, path, &[]), Ok(Plan::AsIs));
    refuses(&p, path, &[vec![dict(&[])]]);
    let world = World::default();
    let state = |state: Tree| {
        p.judge(&world, id(&p, path), Attempt::State(&state))
            .is_ok()
    };
    assert!(state(dict(&[("x", made(&p, "uuid:UUID"))])));
    assert!(!state(dict(&[(
        "__class__",
        global(&p, "builtins:object")
    )])));
    assert!(!state(dict(&[("x", int(1)), ("__dict__", dict(&[]))])));
}

#[test]
fn test_frozendicts_of_a_dict() {
    let p = everything();
    let class = id(&p, "builtins:frozendict");
    let new = |args: &[Tree]| p.judge(&World::default(), class, Attempt::New(args));
    assert_eq!(new(&[dict(&[("a", int(1))])]), Ok(Plan::AsIs));
    for bad in [
        vec![],
        vec![list(&[])],
        vec![dict(&[]), dict(&[])],
        vec![Tree::External],
    ] {
        assert!(new(&bad).is_err());
    }
    assert!(p.judge(&World::default(), class, Attempt::Items).is_err());
    assert_eq!(Policy::std().lookup("builtins", "frozendict"), None);
}
