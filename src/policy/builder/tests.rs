//! Tests of `builder.rs`: what holds, and every refusal.

use crate::policy::testing::{everything, id};
use crate::policy::{
    Contract, Entry, Grant, Meaning, Policy, PolicyBuilder, PolicyError, Rights, split_path,
};

fn grant(call: &str) -> Grant {
    Grant {
        call: Contract::parse(call).unwrap(),
        ..Grant::of(Rights::REFERENCE.union(Rights::CALL))
    }
}

fn std() -> PolicyBuilder {
    Policy::std().to_builder()
}

#[test]
fn test_names_that_no_pickle_can_mean() {
    let long = "x".repeat(257);
    for (module, name) in [
        ("", "x"),
        ("x", ""),
        ("numpy", "*"),
        ("numpy.*", "x"),
        ("a b", "x"),
        ("a", "x\n"),
        ("a", "x\r"),
        ("a", "x\0"),
        ("a:b", "c"),
        (&*long, "x"),
        ("x", &*long),
    ] {
        let error = std().allow(module, name).unwrap_err();
        assert!(
            matches!(error, PolicyError::BadName { .. }),
            "{module:?} {name:?}"
        );
        assert!(!error.to_string().is_empty());
    }
    assert!(std().allow("x", &"y".repeat(256)).is_ok());
    assert!(std().allow("модуль", "Класс").is_ok());
}

#[test]
fn test_dotted_names_make_scopes() {
    let p = std()
        .allow("app", "A.B.C")
        .unwrap()
        .allow("app", "A.B")
        .unwrap()
        .build()
        .unwrap();
    assert_eq!(p.entry(id(&p, "app:A")).meaning, Meaning::Scope);
    assert_eq!(p.entry(id(&p, "app:A.B")).meaning, Meaning::Object);
    assert_eq!(p.lookup("app.A", "B"), None);
    assert_eq!(p.lookup("app", "B"), None);
    let flat = std().allow("app.A", "B").unwrap().build().unwrap();
    assert_eq!(flat.lookup("app", "A.B"), None);
    assert_eq!(flat.lookup("app", "A"), None);
}

#[test]
fn test_native_types_take_no_contract_from_outside() {
    let plain = std().allow("datetime", "date").unwrap().build().unwrap();
    assert_eq!(&plain, &**Policy::std());
    let error = std()
        .allow_with("datetime", "date", grant("(int)"))
        .unwrap_err();
    assert!(matches!(error, PolicyError::NativeContract { .. }));
    assert!(error.to_string().contains("preset \"std\""));
    let own = PolicyBuilder::new()
        .allow_with("datetime", "date", grant("(int, int, int)"))
        .unwrap()
        .build()
        .unwrap();
    assert_eq!(
        own.entry(id(&own, "datetime:date")).meaning,
        Meaning::Object
    );
    assert!(own.union(Policy::std()).is_err());
    assert!(Policy::std().union(&own).is_err());
}

#[test]
fn test_union_is_symmetric_and_widens() {
    let a = std()
        .allow_with("app", "f", grant("(int)"))
        .unwrap()
        .allow("app", "C")
        .unwrap()
        .build()
        .unwrap();
    let b = Policy::preset(&["enums"])
        .unwrap()
        .allow_with("app", "f", grant("(str)"))
        .unwrap()
        .allow_with("app", "C", grant("()"))
        .unwrap()
        .build()
        .unwrap();
    let union = a.union(&b).unwrap();
    assert_eq!(union, b.union(&a).unwrap());
    assert_eq!(union, union.union(&a).unwrap());
    let f: &Entry = union.entry(id(&union, "app:f"));
    assert_eq!(
        f.grant().unwrap().call,
        Contract::parse("(int) | (str)").unwrap()
    );
    assert!(union.entry(id(&union, "app:C")).is_unsettled());
    assert!(union.lookup("http", "HTTPStatus").is_some());
    assert_eq!(
        Policy::std().union(Policy::plain()).unwrap(),
        **Policy::std()
    );
}

#[test]
fn test_a_plain_object_keeps_what_was_also_written() {
    let p = PolicyBuilder::new()
        .allow("app", "C")
        .unwrap()
        .allow_with("app", "C", grant("(int)"))
        .unwrap()
        .build()
        .unwrap();
    let entry = p.entry(id(&p, "app:C"));
    entry.settle(Grant::of(Rights::NEW));
    let settled = entry.grant().unwrap();
    assert!(settled.rights.contains(Rights::CALL.union(Rights::NEW)));
    assert_eq!(settled.call, Contract::parse("(int)").unwrap());
}

#[test]
fn test_presets_include_what_they_extend() {
    let enums = Policy::preset(&["enums"]).unwrap().build().unwrap();
    assert_eq!(
        enums.presets().collect::<Vec<_>>(),
        ["enums", "plain", "std"]
    );
    assert!(enums.lookup("datetime", "date").is_some());
    let object = |p: &Policy| p.entry(id(p, "builtins:object")).grant().unwrap().rights;
    assert!(!object(Policy::std()).contains(Rights::NEW));
    let extra = Policy::preset(&["std-extra"]).unwrap().build().unwrap();
    assert!(object(&extra).contains(Rights::NEW));
    assert_eq!(extra, Policy::std().union(&extra).unwrap());
    assert_eq!(everything(), everything());
}

#[test]
fn test_one_spelling_means_one_entry() {
    let two = PolicyBuilder::new()
        .allow("new", "C")
        .unwrap()
        .allow("old", "C")
        .unwrap();
    let error = two
        .alias(("new", "C"), ("old", "C"))
        .unwrap()
        .build()
        .unwrap_err();
    assert!(matches!(error, PolicyError::Ambiguous { .. }));
    let one = PolicyBuilder::new()
        .allow("new", "C")
        .unwrap()
        .alias(("new", "C"), ("old", "C"))
        .unwrap()
        .build()
        .unwrap();
    assert_eq!(one.lookup("old", "C"), one.lookup("new", "C"));
    let spellings: Vec<_> = one.entry(id(&one, "new:C")).spellings().collect();
    assert_eq!(spellings, [("new", "C"), ("old", "C")]);
    assert!(
        PolicyBuilder::new()
            .alias(("new", "C"), ("old", "C"))
            .is_err()
    );
    assert!(std().alias(("datetime", "date"), ("old", "date")).is_err());
}

#[test]
fn test_renames_conflict_only_when_they_differ() {
    let to = |target: &str| {
        PolicyBuilder::new()
            .rename_module("old", target)
            .unwrap()
            .build()
            .unwrap()
    };
    assert!(to("a").union(&to("a")).is_ok());
    assert!(matches!(
        to("a").union(&to("b")),
        Err(PolicyError::Ambiguous { .. })
    ));
    let code = |name: &str| {
        PolicyBuilder::new()
            .extension(7, "app", name)
            .unwrap()
            .build()
            .unwrap()
    };
    assert!(code("A").union(&code("A")).is_ok());
    assert!(code("A").union(&code("B")).is_err());
}

#[test]
fn test_unrestricted_stands_alone() {
    let all = Policy::unrestricted();
    assert!(all.is_unrestricted());
    assert_eq!(all.union(Policy::std()), Err(PolicyError::Unrestricted));
    assert_eq!(Policy::std().union(&all), Err(PolicyError::Unrestricted));
    assert_eq!(all.union(&all).unwrap(), all);
    assert!(matches!(
        all.to_builder().allow("app", "C"),
        Err(PolicyError::Unrestricted)
    ));
}

#[test]
fn test_dangerously_replaces_a_pattern_by_the_function() {
    let p = std()
        .allow_dangerously("builtins", "getattr", Some(grant("(any, str)")))
        .unwrap()
        .build()
        .unwrap();
    let entry = p.entry(id(&p, "builtins:getattr"));
    assert_eq!(entry.meaning, Meaning::Object);
    assert!(entry.is_dangerous());
}

#[test]
fn test_paths_split_at_the_colon_or_else_at_the_last_dot() {
    assert_eq!(split_path("a.b.C"), Ok(("a.b", "C")));
    assert_eq!(split_path("a.b:C.D"), Ok(("a.b", "C.D")));
    assert_eq!(split_path("a:b"), Ok(("a", "b")));
    for bad in [
        "", "a", "a.", ".a", "a:", ":a", "a:b:c", "a..b", "a.*", "a.b?", "a.1b", "a .b", "a.b-c",
    ] {
        assert!(
            matches!(split_path(bad), Err(PolicyError::BadName { .. })),
            "{bad}"
        );
    }
}
