//! What readers of a report see: text, JSON, paths, pieces, several pickles in one file.

use super::asm::*;
use super::*;

/// An object with a forbidden class, a name under its state, and a gadget.
fn model() -> Vec<u8> {
    cat(&[
        &proto(4),
        EMPTY_DICT,
        MARK,
        &text("clf"),
        &stack_global("app.model", "Classifier"),
        EMPTY_TUPLE,
        NEWOBJ,
        EMPTY_DICT,
        MARK,
        &text("coef_"),
        &global("fractions", "Fraction"),
        &int(1),
        &int(0),
        TUPLE2,
        REDUCE,
        &text("not an identifier"),
        &global("http", "HTTPStatus"),
        SETITEMS,
        BUILD,
        &text("hook"),
        &stack_global("posix", "system"),
        &text("id"),
        TUPLE1,
        REDUCE,
        SETITEMS,
        STOP,
    ])
}

#[test]
fn test_the_text_of_a_refusal() {
    let found = std_check(&model());
    let text = found.render(Context {
        source: Some("model.pkl"),
        begun: false,
    });
    assert_eq!(text, EXPECTED_TEXT, "\n{text}");
}

const EXPECTED_TEXT: &str = r#"3 names and 1 use are not allowed by policy 'std' (model.pkl, 144 bytes)

  byte 32   STACK_GLOBAL  app.model.Classifier               at $['clf']
  byte 75   REDUCE        fractions.Fraction  called         at $['clf'].coef_                  its contract is (int, int above 0) | (str 'a/b' or 'a'), each of at most 4300 digits, given (an int, an int)
  byte 95   GLOBAL        http.HTTPStatus                    at $['clf'].<'not an identifier'>  in preset "enums"
  byte 135  STACK_GLOBAL  posix.system  called with ('id',)  at $['hook']                       never needed to store data

  nothing was imported, called or built.
  if you trust the 2 that data may need:  Policy(base=["std", "enums"], allow=["app.model.Classifier"])        see all:  picklist scan model.pkl"#;

#[test]
fn test_paths_lead_to_the_value() {
    let found = std_check(&model());
    let path = |name: &str| {
        let used = found.globals.iter().find(|used| used.name == name);
        used.unwrap().path.clone().unwrap()
    };
    assert_eq!(path("Classifier"), "$['clf']");
    assert_eq!(path("Fraction"), "$['clf'].coef_");
    assert_eq!(path("HTTPStatus"), "$['clf'].<'not an identifier'>");
    let refused = found
        .refusals
        .iter()
        .find(|refused| matches!(refused.kind, Kind::ForbiddenCall { .. }));
    assert_eq!(refused.unwrap().path.as_deref(), Some("$['clf'].coef_"));
}

#[test]
fn test_what_a_forbidden_class_needs_is_recorded() {
    let found = std_check(&model());
    let rights: Vec<_> = found.globals[0].rights.iter().collect();
    assert_eq!(rights, ["new", "state"]);
}

#[test]
fn test_the_json_schema() {
    let found = inspect(&model(), Policy::std(), &Options::default());
    let json = found.to_json();
    assert_eq!(json["schema"], SCHEMA);
    assert_eq!(json["allowed"], false);
    assert_eq!(json["policy"], "policy 'std'");
    let first = &json["globals"][0];
    assert_eq!(first["module"], "app.model");
    assert_eq!(first["rights"], serde_json::json!(["new", "state"]));
    assert_eq!(first["arguments"], serde_json::json!(["()"]));
    assert_eq!(first["path"], "$['clf']");
    assert_eq!(json["globals"][3]["preset"], serde_json::Value::Null);
    assert!(json["globals"][3]["gadget"].is_string());
    assert_eq!(json["refusals"][0]["class"], "forbidden-global");
    assert_eq!(json["opcodes"]["REDUCE"], 2);
    assert_eq!(json["protocol"], 4);
    assert_eq!(json["protocol_needed"], 4);
    assert_eq!(json["fault"], serde_json::Value::Null);
    let keys: Vec<&String> = json.as_object().unwrap().keys().collect();
    assert_eq!(keys.len(), 21);
    let broken = inspect(b"\x80\x04K", Policy::std(), &Options::default()).to_json();
    assert_eq!(broken["fault"]["class"], "truncated");
    assert_eq!(broken["fault"]["offset"], 2);
}

#[test]
fn test_the_summary_of_an_allowed_pickle() {
    let found = inspect(b"\x80\x04]K\x01a.", Policy::std(), &Options::default());
    assert_eq!(
        found.to_string(),
        "allowed by policy 'std': protocol 4, 7 bytes, 0 names, depth 1\n"
    );
    assert!(std_check(&model()).to_string().contains("at $['clf']"));
}

#[test]
fn test_a_pickle_may_come_in_pieces() {
    let whole = model();
    let options = Options::default();
    let expected = inspect(&whole, Policy::std(), &options);
    let mut inspector = Inspector::new(Policy::std(), &options);
    for end in 1..whole.len() {
        assert!(
            matches!(inspector.feed(&whole[..end], &[]), Fed::NeedMore(_)),
            "{end}"
        );
    }
    let Fed::Done(found) = inspector.feed(&whole, &[]) else {
        panic!("the pickle is whole");
    };
    assert_eq!(*found, expected);
    let framed = b"\x80\x04\x95\x04\0\0\0\0\0\0\0\x8c\x01a\x94.";
    let mut inspector = Inspector::new(Policy::std(), &options);
    for end in 1..framed.len() {
        assert!(
            matches!(inspector.feed(&framed[..end], &[]), Fed::NeedMore(_)),
            "{end}"
        );
    }
    assert!(matches!(inspector.feed(framed, &[]), Fed::Done(found) if found.allowed()));
    let mut inspector = Inspector::new(Policy::std(), &options);
    assert!(matches!(inspector.feed(b"\x80\x04\xff", &[]), Fed::Done(found) if !found.allowed()));
    let mut inspector = Inspector::new(Policy::std(), &options);
    assert!(matches!(inspector.feed(b"\x80\x04", &[]), Fed::NeedMore(_)));
    let cut = inspector.finish(b"\x80\x04", &[]);
    assert_eq!(cut.fault.unwrap().kind, Kind::NoInput);
}

#[test]
fn test_pickles_that_follow_one_another() {
    let mut data = b"\x80\x04N.".to_vec();
    data.extend_from_slice(&model());
    data.extend_from_slice(b"\x80\x04K\x01.");
    let options = Options::default();
    let found: Vec<_> = inspect_all(&data, Policy::std(), &options).collect();
    let starts: Vec<u64> = found.iter().map(|(start, _)| *start).collect();
    assert_eq!(starts, [0, 4, 4 + model().len() as u64]);
    let allowed: Vec<bool> = found.iter().map(|(_, one)| one.allowed()).collect();
    assert_eq!(allowed, [true, false, true]);
    data.extend_from_slice(b"rest");
    assert_eq!(inspect_all(&data, Policy::std(), &options).count(), 4);
    assert_eq!(inspect_all(b"", Policy::std(), &options).count(), 1);
}

#[test]
fn test_hostile_text_is_escaped() {
    let data = cat(&[
        &proto(4),
        EMPTY_DICT,
        &text("\x1b[2J\u{202e}'"),
        &stack_global("o\ns", "\x1b[31m"),
        &text("\x07"),
        TUPLE1,
        REDUCE,
        SETITEM,
        STOP,
    ]);
    let text = std_check(&data).render(Context::default());
    assert!(!text.contains('\x1b') && !text.contains('\u{202e}') && !text.contains('\x07'));
}

#[test]
fn test_a_preset_that_has_the_name_is_offered() {
    let data = cat(&[
        &proto(4),
        &global("pathlib", "PosixPath"),
        &text("a"),
        TUPLE1,
        REDUCE,
        STOP,
    ]);
    let text = std_check(&data).render(Context::default());
    assert!(text.contains("in preset \"paths\""), "{text}");
    assert!(
        text.contains("if you trust it:  Policy(base=[\"std\", \"paths\"])"),
        "{text}"
    );
}

#[test]
fn test_a_policy_of_ones_own_is_extended() {
    let policy = Policy::preset(&["std"])
        .and_then(|builder| builder.allow("app", "User"))
        .and_then(crate::policy::PolicyBuilder::build)
        .unwrap();
    let data = cat(&[
        &proto(4),
        &global("app", "Other"),
        &global("pathlib", "PosixPath"),
        TUPLE2,
        STOP,
    ]);
    let text = check(&data, &policy, &Options::default(), &[]).render(Context::default());
    assert!(text.starts_with("2 names are not allowed by policy 'std' and 1 more name ("));
    let remedy = "if you trust them:  policy.extend(\"app.Other\") | Policy(base=[\"paths\"])";
    assert!(text.contains(remedy), "{text}");
}
