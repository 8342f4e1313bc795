//! Tests of `patterns.rs`: what holds, and every refusal.

use crate::policy::testing::{
    Tree, World, b, call, dict, everything, global, id, int, list, made, refuses, s, tuple,
};
use crate::policy::{Attempt, Contract, Fields, Grant, Plan, Policy, PolicyBuilder, Rights};

fn with(names: &[(&str, &str)]) -> Policy {
    let mut builder: PolicyBuilder = Policy::std().to_builder();
    for (module, name) in names {
        builder = builder.allow(module, name).unwrap();
    }
    builder.build().unwrap()
}

fn new_only(contract: &str) -> Grant {
    Grant {
        new: Contract::parse(contract).unwrap(),
        ..Grant::of(Rights::REFERENCE.union(Rights::NEW))
    }
}

#[test]
fn test_enum_members_by_value() {
    let p = everything();
    let class = id(&p, "http:HTTPStatus");
    assert_eq!(
        call(&p, "http:HTTPStatus", &[int(200)]),
        Ok(Plan::EnumValue(0))
    );
    let world = World {
        enums: vec![(class, vec![("OK", int(200))])],
    };
    let judge = |args: &[Tree]| p.judge(&world, class, Attempt::Call(args));
    assert_eq!(judge(&[int(200)]), Ok(Plan::EnumValue(0)));
    assert!(judge(&[int(999)]).is_err());
    assert!(judge(&[]).is_err());
    assert!(judge(&[s("OK"), Tree::None]).is_err());
    for bad in [
        list(&[]),
        dict(&[]),
        Tree::External,
        Tree::Other,
        made(&p, "datetime:date"),
    ] {
        assert!(judge(&[bad]).is_err());
    }
    assert!(p.judge(&world, class, Attempt::New(&[int(200)])).is_err());
    assert!(
        p.judge(&world, class, Attempt::State(&dict(&[("_value_", int(1))])))
            .is_err()
    );
    assert!(p.lookup("signal", "SIGINT").is_some());
    assert!(call(&p, "signal:SIGINT", &[]).is_err());
}

#[test]
fn test_getattr_resolves_inside_the_policy_only() {
    let p = with(&[
        ("app", "Outer.Inner"),
        ("app", "Color"),
        ("app", "Outer.Mid.Leaf"),
    ]);
    let path = "builtins:getattr";
    let outer = global(&p, "app:Outer");
    assert_eq!(
        call(&p, path, &[outer.clone(), s("Inner")]),
        Ok(Plan::Attribute(id(&p, "app:Outer.Inner")))
    );
    let mid = global(&p, "app:Outer.Mid");
    assert_eq!(
        call(&p, path, &[outer.clone(), s("Mid")]),
        Ok(Plan::Attribute(id(&p, "app:Outer.Mid")))
    );
    assert_eq!(
        call(&p, path, &[mid, s("Leaf")]),
        Ok(Plan::Attribute(id(&p, "app:Outer.Mid.Leaf")))
    );
    let color = global(&p, "app:Color");
    assert_eq!(
        call(&p, path, &[color.clone(), s("RED")]),
        Ok(Plan::EnumName {
            class: id(&p, "app:Color"),
            name: 1
        })
    );
    let world = World {
        enums: vec![(id(&p, "app:Color"), vec![("RED", int(1))])],
    };
    let args = [color.clone(), s("mro")];
    assert!(p.judge(&world, id(&p, path), Attempt::Call(&args)).is_err());
    refuses(
        &p,
        path,
        &[
            vec![outer.clone(), s("Other")],
            vec![outer.clone(), s("Mid.Leaf")],
            vec![outer.clone(), s("__new__")],
            vec![outer.clone(), s("__class__")],
            vec![color.clone(), s("__subclasses__")],
            vec![color.clone(), s("_member_map_")],
            vec![color.clone(), s("")].into_iter().take(1).collect(),
            vec![color.clone(), b(b"RED")],
            vec![color.clone(), s("RED"), Tree::None],
            vec![color, s(&"x".repeat(300))],
            vec![made(&p, "app:Color"), s("RED")],
            vec![Tree::External, s("read")],
            vec![s("x"), s("format")],
            vec![global(&p, "datetime:date"), s("today")],
            vec![global(&p, "builtins:int"), s("from_bytes")],
            vec![global(&p, "builtins:getattr"), s("x")],
            vec![],
        ],
    );
    let all = everything();
    assert_eq!(
        call(
            &all,
            path,
            &[global(&all, "zoneinfo:ZoneInfo"), s("_unpickle")]
        ),
        Ok(Plan::Attribute(id(&all, "zoneinfo:ZoneInfo._unpickle")))
    );
    refuses(
        &all,
        path,
        &[vec![global(&all, "zoneinfo:ZoneInfo"), s("clear_cache")]],
    );
}

#[test]
fn test_reconstructor_is_judged_as_newobj() {
    let p = with(&[("app", "Plain")]);
    let path = "copyreg:_reconstructor";
    let class = global(&p, "app:Plain");
    let base = |name: &str| global(&p, &format!("builtins:{name}"));
    assert_eq!(
        call(&p, path, &[class.clone(), base("object"), Tree::None]),
        Ok(Plan::Reconstruct {
            class: id(&p, "app:Plain"),
            base: id(&p, "builtins:object"),
            state: None
        })
    );
    for (name, state) in [
        ("int", int(1)),
        ("float", Tree::Float(1.0)),
        ("complex", Tree::Complex),
        ("str", s("x")),
        ("bytes", b(b"x")),
        ("tuple", tuple(&[int(1)])),
        ("list", list(&[int(1)])),
        ("dict", dict(&[])),
    ] {
        let plan = call(&p, path, &[class.clone(), base(name), state]);
        assert!(
            matches!(plan, Ok(Plan::Reconstruct { state: Some(2), .. })),
            "{name} {plan:?}"
        );
    }
    let uuid = global(&p, "uuid:UUID");
    assert!(call(&p, path, &[uuid.clone(), base("object"), Tree::None]).is_ok());
    refuses(
        &p,
        path,
        &[
            vec![],
            vec![class.clone(), base("object")],
            vec![class.clone(), base("object"), int(1)],
            vec![class.clone(), base("int"), s("1")],
            vec![class.clone(), base("list"), base("range")],
            vec![class.clone(), base("range"), int(1)],
            vec![class.clone(), base("type"), Tree::None],
            vec![class.clone(), base("bytearray"), Tree::ByteArray(vec![])],
            vec![class.clone(), base("set"), list(&[])],
            vec![class.clone(), class.clone(), Tree::None],
            vec![class.clone(), Tree::None, Tree::None],
            vec![made(&p, "app:Plain"), base("object"), Tree::None],
            vec![base("type"), base("object"), Tree::None],
            vec![base("object"), base("object"), Tree::None],
            vec![base("int"), base("int"), int(1)],
            vec![global(&p, "datetime:date"), base("object"), Tree::None],
            vec![global(&p, "collections:deque"), base("object"), Tree::None],
            vec![uuid, base("int"), int(1)],
        ],
    );
    let all = everything();
    let object = global(&all, "builtins:object");
    assert!(call(&all, path, &[object.clone(), object, Tree::None]).is_ok());
}

#[test]
fn test_reconstructor_keeps_to_the_contract_of_the_class() {
    let p = Policy::std()
        .to_builder()
        .allow_with("app", "Point", new_only("(int, int)"))
        .unwrap()
        .allow_with("app", "Ref", Grant::reference())
        .unwrap()
        .allow_with("app", "Bag", new_only("()"))
        .unwrap()
        .build()
        .unwrap();
    let path = "copyreg:_reconstructor";
    let rebuild = |class: &str, base: &str, state: Tree| {
        let base = global(&p, &format!("builtins:{base}"));
        call(&p, path, &[global(&p, class), base, state]).is_ok()
    };
    assert!(rebuild("app:Point", "tuple", tuple(&[int(1), int(2)])));
    assert!(!rebuild("app:Point", "tuple", tuple(&[int(1)])));
    assert!(!rebuild("app:Point", "tuple", tuple(&[int(1), s("2")])));
    assert!(!rebuild("app:Ref", "object", Tree::None));
    assert!(rebuild("app:Bag", "object", Tree::None));
    // No right to be appended to or filled.
    assert!(!rebuild("app:Bag", "list", list(&[])));
    assert!(!rebuild("app:Bag", "dict", dict(&[])));
}

#[test]
fn test_newobj_as_functions() {
    let p = Policy::std()
        .to_builder()
        .allow_with("app", "Point", new_only("(int, **str)"))
        .unwrap()
        .build()
        .unwrap();
    let class = global(&p, "app:Point");
    let entry = id(&p, "app:Point");
    let newobj = "copyreg:__newobj__";
    assert_eq!(
        call(&p, newobj, &[class.clone(), int(1)]),
        Ok(Plan::NewObj { class: entry })
    );
    refuses(
        &p,
        newobj,
        &[
            vec![],
            vec![class.clone()],
            vec![class.clone(), s("1")],
            vec![made(&p, "app:Point"), int(1)],
            vec![global(&p, "builtins:int"), int(1)],
            vec![global(&p, "builtins:type"), s("X"), tuple(&[]), dict(&[])],
            vec![Tree::Other],
        ],
    );
    let newobj_ex = "copyreg:__newobj_ex__";
    assert_eq!(
        call(
            &p,
            newobj_ex,
            &[class.clone(), tuple(&[int(1)]), dict(&[("k", s("v"))])]
        ),
        Ok(Plan::NewObjEx { class: entry })
    );
    refuses(
        &p,
        newobj_ex,
        &[
            vec![class.clone(), tuple(&[int(1)])],
            vec![class.clone(), list(&[int(1)]), dict(&[])],
            vec![class.clone(), tuple(&[int(1)]), dict(&[("k", int(1))])],
            vec![class.clone(), tuple(&[]), dict(&[])],
            vec![class, tuple(&[int(1)]), Tree::Dict(vec![(int(1), s("v"))])],
        ],
    );
}

#[test]
fn test_partial_is_only_ever_newobj_ex() {
    let p = with(&[("app", "Cls")]);
    let class = global(&p, "app:Cls");
    let entry = id(&p, "app:Cls");
    let partial = id(&p, "functools:partial");
    let new = Tree::Constructor(entry);
    assert_eq!(
        call(&p, "builtins:getattr", &[class.clone(), s("__new__")]),
        Ok(Plan::Constructor(entry))
    );
    assert_eq!(
        call(&p, "functools:partial", std::slice::from_ref(&new)),
        Ok(Plan::Partial(partial))
    );
    refuses(
        &p,
        "functools:partial",
        &[
            vec![],
            vec![class.clone()],
            vec![global(&p, "builtins:getattr")],
            vec![new.clone(), int(1)],
        ],
    );
    let judge = |state: Tree| p.judge(&World::default(), partial, Attempt::State(&state));
    let bound = tuple(&[class.clone(), int(1)]);
    assert_eq!(
        judge(tuple(&[
            new.clone(),
            bound.clone(),
            dict(&[("k", int(3))]),
            Tree::None
        ])),
        Ok(Plan::PartialNew { class: entry })
    );
    for bad in [
        Tree::None,
        tuple(&[]),
        tuple(&[class.clone(), bound.clone(), dict(&[]), Tree::None]),
        tuple(&[new.clone(), tuple(&[]), dict(&[]), Tree::None]),
        tuple(&[
            new.clone(),
            tuple(&[global(&p, "builtins:int")]),
            dict(&[]),
            Tree::None,
        ]),
        tuple(&[new.clone(), bound.clone(), dict(&[]), dict(&[])]),
        tuple(&[new.clone(), bound.clone(), Tree::None, Tree::None]),
        tuple(&[new, bound, Tree::Dict(vec![(int(1), int(1))]), Tree::None]),
    ] {
        assert!(judge(bad.clone()).is_err(), "{bad:?}");
    }
}

#[test]
fn test_flag_or_of_two_members() {
    let p = everything();
    let path = "_operator:or_";
    let flag = made(&p, "re:RegexFlag");
    assert_eq!(
        call(&p, path, &[flag.clone(), flag.clone()]),
        Ok(Plan::FlagOr {
            class: id(&p, "re:RegexFlag")
        })
    );
    refuses(
        &p,
        path,
        &[
            vec![flag.clone(), int(1)],
            vec![flag, made(&p, "http:HTTPStatus")],
            vec![made(&p, "datetime:date"), made(&p, "datetime:date")],
            vec![dict(&[]), dict(&[])],
            vec![global(&p, "builtins:int"), global(&p, "builtins:str")],
            vec![],
        ],
    );
}

#[test]
fn test_patterns_are_no_values() {
    let p = everything();
    for path in [
        "builtins:getattr",
        "copyreg:_reconstructor",
        "copyreg:__newobj__",
        "_operator:or_",
        "copyreg:__newobj_ex__",
        "functools:partial",
        "_codecs:encode",
        "array:_array_reconstructor",
        "zoneinfo:ZoneInfo._unpickle",
    ] {
        let entry = id(&p, path);
        let world = World::default();
        assert_eq!(
            p.judge(&world, entry, Attempt::Mention),
            Ok(Plan::CalleeOnly),
            "{path}"
        );
        assert!(p.may_stand(entry).is_err(), "{path}");
    }
    assert!(p.may_stand(id(&p, "datetime:date")).is_ok());
}

#[test]
fn test_state_of_user_classes() {
    let p = Policy::std()
        .to_builder()
        .allow_with(
            "app",
            "Point",
            Grant {
                fields: Fields::Only(["x".into(), "y".into()].into()),
                ..Grant::of(Rights::ALL)
            },
        )
        .unwrap()
        .allow("app", "Own")
        .unwrap()
        .build()
        .unwrap();
    let state = |path: &str, state: &Tree| {
        p.judge(&World::default(), id(&p, path), Attempt::State(state))
            .is_ok()
    };
    let good = dict(&[("x", int(1)), ("y", int(2))]);
    for state_ok in [
        good.clone(),
        tuple(&[Tree::None, good.clone()]),
        tuple(&[good.clone(), Tree::None]),
        Tree::None,
    ] {
        assert!(state("app:Point", &state_ok), "{state_ok:?}");
    }
    for bad in [
        dict(&[("z", int(1))]),
        tuple(&[Tree::None, dict(&[("__class__", int(1))])]),
        tuple(&[good.clone(), good.clone(), good]),
        list(&[]),
        int(1),
        Tree::External,
        Tree::Dict(vec![(Tree::Surrogates, int(1))]),
    ] {
        assert!(!state("app:Point", &bad), "{bad:?}");
    }
    // Unknown yet: its own `__setstate__` may take anything.
    assert!(state("app:Own", &list(&[int(1)])));
    assert!(p.may_set(id(&p, "app:Own"), "x").is_ok());
    for dunder in ["__class__", "__dict__", "__setstate__", "__init__"] {
        assert!(p.may_set(id(&p, "app:Own"), dunder).is_err());
    }
}
