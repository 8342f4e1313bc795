//! Tests of `document.rs`: what holds, and every refusal.

use crate::policy::testing::{everything, id};
use crate::policy::{Contract, Fields, Grant, Policy, PolicyBuilder, PolicyError, Rights};

fn round_trip(policy: &Policy) {
    let text = policy.to_toml();
    let read = Policy::from_toml(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(&read, policy, "{text}");
    assert_eq!(read.to_toml(), text);
}

#[test]
fn test_policies_round_trip() {
    round_trip(Policy::plain());
    round_trip(Policy::std());
    round_trip(&everything());
    round_trip(&Policy::unrestricted());
    let full = Policy::preset(&["enums", "exceptions"])
        .unwrap()
        .allow("app.models", "User")
        .unwrap()
        .alias(("app.models", "User"), ("app.old", "User"))
        .unwrap()
        .allow("app.models", "Outer.Inner")
        .unwrap()
        .allow_with("app", "nothing", Grant::of(Rights::NONE))
        .unwrap()
        .allow_with("app", "anything", Grant::of(Rights::ALL))
        .unwrap()
        .allow_with(
            "app",
            "Point",
            Grant {
                rights: Rights::ALL,
                call: Contract::parse("(int, 'a\"b') | ()").unwrap(),
                new: Contract::parse("(*plain, **any)").unwrap(),
                fields: Fields::Only(["x".into(), "y \\ \u{1f600}".into()].into()),
                runs_code: false,
            },
        )
        .unwrap()
        .allow("app", "Point")
        .unwrap()
        .allow_with(
            "app",
            "Own",
            Grant {
                fields: Fields::Setstate,
                ..Grant::of(Rights::STATE)
            },
        )
        .unwrap()
        .allow_with("builtins", "ValueError", Grant::of(Rights::STATE))
        .unwrap()
        .allow_dangerously("operator", "itemgetter", None)
        .unwrap()
        .allow_dangerously("builtins", "getattr", Some(Grant::reference()))
        .unwrap()
        .rename(("old", "A"), ("app.models", "User"))
        .unwrap()
        .rename_module("legacy", "app.models")
        .unwrap()
        .extension(240, "app.models", "User")
        .unwrap()
        .build()
        .unwrap();
    round_trip(&full);
    round_trip(&full.union(&everything()).unwrap());
    assert_eq!(full.extension(240), Some(("app.models", "User")));
    assert_eq!(full.extension(1), None);
    assert_eq!(full.canonical("old", "A", false), ("app.models", "User"));
    assert_eq!(full.canonical("old", "B", false), ("old", "B"));
    assert_eq!(full.canonical("legacy", "X", false), ("app.models", "X"));
    assert_eq!(
        full.canonical("legacy.sub", "X", false),
        ("legacy.sub", "X")
    );
}

#[test]
fn test_a_document_as_people_write_it() {
    let policy = Policy::from_toml(
        r#"
        [policy]
        base = ["std", "enums"]

        [rename]
        "shop.old:Order" = "shop.models:Order"

        [[entry]]
        module = "shop.models"
        name = "Order"

        [[entry]]
        module = "shop.models"
        name = "Line"
        new = "()"
        state = ["sku", "count"]

        [[entry]]
        module = "shop.money"
        name = "make"
        call = "(int, str)"
        "#,
    )
    .unwrap();
    let line = policy
        .entry(id(&policy, "shop.models:Line"))
        .grant()
        .unwrap();
    assert_eq!(
        line.rights.iter().collect::<Vec<_>>(),
        ["reference", "new", "state"]
    );
    assert!(
        policy
            .entry(id(&policy, "shop.models:Order"))
            .is_unsettled()
    );
    assert_eq!(
        policy.canonical("shop.old", "Order", false).0,
        "shop.models"
    );
    round_trip(&policy);
    assert_eq!(Policy::from_toml("").unwrap(), **Policy::std());
}

#[test]
fn test_what_a_document_may_not_say() {
    let row = |more: &str| format!("[[entry]]\nmodule = \"app\"\nname = \"f\"\n{more}\n");
    for text in [
        "x = 1",
        "[policy]\nbase = \"std\"",
        "[policy]\nbase = [\"nope\"]",
        "[policy]\nunrestricted = true\n[[entry]]\nmodule = \"a\"\nname = \"b\"",
        "[rename]\n\"a\" = \"b:c\"",
        "[extension]\nx = \"a:b\"",
        "[extension]\n1 = \"a.b\"",
        "[[entry]]\nmodule = \"a\"",
        &row("native = \"path\""),
        &row("members = [\"X\"]"),
        &row("rights = [\"execute\"]"),
        &row("call = \"(nope)\""),
        &row("state = \"anything\""),
        &row("aliases = [\"a.b\"]"),
        &row("unknown = 1"),
        "\u{0}",
        "[[entry]]\nmodule = \"a\"\nname = \"*\"",
    ] {
        let error = Policy::from_toml(text).expect_err(text);
        assert!(!matches!(error, PolicyError::Ambiguous { .. }));
        assert!(!error.to_string().is_empty());
    }
}

#[test]
fn test_a_short_document_is_a_base_and_a_list() {
    let short = Policy::from_toml("base = [\"enums\"]\nallow = [\"app.X\", \"app:X.Y\"]").unwrap();
    let long = Policy::preset(&["enums"])
        .and_then(|builder| builder.allow("app", "X"))
        .and_then(|builder| builder.allow("app", "X.Y"))
        .and_then(PolicyBuilder::build);
    assert_eq!(Ok(short), long);
    assert!(matches!(
        Policy::from_toml("allow = [\"os.system\"]"),
        Err(PolicyError::Gadget { .. })
    ));
}

#[test]
fn test_a_pyproject_holds_a_document() {
    let text = "[project]\nname = 1\n[tool.picklist]\nallow = [\"app.X\"]\n[tool.other]\n";
    let policy = Policy::from_pyproject(text).unwrap().unwrap();
    assert_eq!(Ok(policy), Policy::from_toml("allow = [\"app.X\"]"));
    assert_eq!(Policy::from_pyproject("[project]\n"), Ok(None));
    assert!(Policy::from_pyproject("[tool.picklist]\nallowed = []\n").is_err());
}
