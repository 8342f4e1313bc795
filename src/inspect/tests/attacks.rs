//! Streams that try to do what they may not, one payload each; effects would be harmless.

use super::asm::*;
use super::*;

fn date(state: [u8; 4]) -> Vec<u8> {
    cat(&[&global("datetime", "date"), &raw(&state), TUPLE1, REDUCE])
}

#[test]
fn test_plain_data_and_native_types_are_allowed() {
    assert_allowed(&cat(&[&proto(4), EMPTY_LIST, &int(1), APPEND, STOP]));
    let day = assert_allowed(&cat(&[&proto(4), &date([7, 0xe8, 2, 29]), STOP]));
    assert_eq!(day.globals[0].dotted(), "datetime.date");
    assert_eq!(day.globals[0].path, None);
    let full = inspect(b"cdatetime\ndate\n.", Policy::std(), &Options::default());
    assert_eq!(full.globals[0].path.as_deref(), Some("$"));
}

#[test]
fn test_every_forbidden_name_is_found_and_not_only_the_first() {
    let call = |module, name| cat(&[&stack_global(module, name), &text("id"), TUPLE1, REDUCE]);
    let data = cat(&[
        &proto(4),
        EMPTY_DICT,
        MARK,
        &text("hook"),
        &call("posix", "system"),
        &text("x"),
        EMPTY_LIST,
        &call("nt", "system"),
        APPEND,
        SETITEMS,
        STOP,
    ]);
    let found = std_check(&data);
    assert_eq!(found.fault, None);
    let names: Vec<_> = found.blocked().map(GlobalUse::dotted).collect();
    assert_eq!(names, ["posix.system", "nt.system"]);
    assert_eq!(found.globals[0].path.as_deref(), Some("$['hook']"));
    assert_eq!(found.globals[1].path.as_deref(), Some("$['x'][0]"));
    assert_eq!(found.globals[0].arguments, ["('id',)"]);
    assert!(found.globals[0].gadget.is_some());
}

#[test]
fn test_a_dotted_name_is_one_name() {
    let data = cat(&[&proto(4), &stack_global("logging", "os.system"), STOP]);
    assert_eq!(refusals(&data), ["logging.os.system is not allowed"]);
}

#[test]
fn test_python_2_names_are_renamed_before_the_lookup() {
    assert_allowed(&cat(&[&proto(2), &global("__builtin__", "int"), STOP]));
    let modern = cat(&[&proto(3), &global("__builtin__", "int"), STOP]);
    assert_eq!(refusals(&modern), ["__builtin__.int is not allowed"]);
    let options = Options {
        fix_imports: false,
        ..Options::default()
    };
    let data = cat(&[&proto(2), &global("__builtin__", "int"), STOP]);
    assert!(!check(&data, Policy::std(), &options, &[]).allowed());
    let renamed = std_check(&cat(&[&global("__builtin__", "eval"), STOP]));
    assert_eq!(renamed.globals[0].dotted(), "builtins.eval");
    assert_eq!(
        renamed.globals[0].spelled,
        Some(("__builtin__".into(), "eval".into()))
    );
}

#[test]
fn test_extension_codes_are_refused() {
    let data = b"\x80\x02\x82\x07.";
    let found = std_check(data);
    assert_eq!(found.extension_codes, [7]);
    assert_eq!(found.refusals[0].kind, Kind::UnknownExtension(7));
}

#[test]
fn test_names_must_be_exact_text_and_short() {
    let stacked = cat(&[&proto(4), &text("os"), &raw(b"system"), b"\x93", STOP]);
    assert_eq!(
        std_check(&stacked).fault.unwrap().kind,
        Kind::StackGlobalType
    );
    let lone = cat(&[
        &proto(4),
        &text("os"),
        b"\x8c\x03\xed\xa0\x80",
        b"\x93",
        STOP,
    ]);
    assert_eq!(std_check(&lone).fault.unwrap().kind, Kind::StackGlobalType);
    let endless = cat(&[&proto(4), &global(&"a".repeat(100_000), "b"), STOP]);
    let found = std_check(&endless);
    assert!(!found.allowed());
    assert!(found.globals[0].module.len() < 400);
}

#[test]
fn test_build_on_a_class_is_refused() {
    let data = cat(&[
        &proto(4),
        &global("datetime", "date"),
        NONE,
        EMPTY_DICT,
        &text("today"),
        &int(1),
        SETITEM,
        TUPLE2,
        BUILD,
        STOP,
    ]);
    assert_eq!(
        refusals(&data),
        ["datetime.date may not be given state: a class or function is never written to"]
    );
}

#[test]
fn test_build_on_plain_values_is_refused() {
    for target in [EMPTY_LIST, EMPTY_DICT, EMPTY_TUPLE, NONE] {
        let data = cat(&[&proto(4), target, EMPTY_DICT, BUILD, STOP]);
        assert!(refusals(&data)[0].contains("may not be given state"));
    }
}

#[test]
fn test_containers_are_filled_by_exact_type() {
    let cases: [(&[u8], &[u8]); 4] = [
        (EMPTY_DICT, b"Na"),
        (EMPTY_LIST, b"NNs"),
        (EMPTY_LIST, b"(N\x90"),
        (EMPTY_SET, b"Na"),
    ];
    for (target, fill) in cases {
        let data = cat(&[&proto(4), target, fill, STOP]);
        assert!(refusals(&data)[0].contains("may not be"), "{data:?}");
    }
    let day = cat(&[&proto(4), &date([7, 0xe8, 2, 28]), NONE, APPEND, STOP]);
    assert!(refusals(&day)[0].starts_with("datetime.date may not be appended to"));
}

#[test]
fn test_dates_out_of_the_calendar_are_refused() {
    let data = cat(&[&proto(4), &date([7, 0xe7, 2, 29]), STOP]);
    let why = refusals(&data);
    assert_eq!(
        why,
        ["datetime.date may not be called: day 29 is out of range for 2023-02"]
    );
    assert!(std_check(&data).blocked().next().is_none());
}

#[test]
fn test_an_instance_is_no_callable() {
    let data = cat(&[
        &proto(4),
        &date([7, 0xe8, 2, 28]),
        EMPTY_TUPLE,
        REDUCE,
        STOP,
    ]);
    assert!(refusals(&data)[0].contains("only a class or function of the policy"));
}

#[test]
fn test_a_uuid_is_nothing_until_it_is_built() {
    let made = cat(&[&global("uuid", "UUID"), EMPTY_TUPLE, NEWOBJ]);
    let state = |value: i32| cat(&[EMPTY_DICT, &text("int"), &int(value), SETITEM]);
    assert_allowed(&cat(&[&proto(4), &made, &state(7), BUILD, STOP]));
    assert!(refusals(&cat(&[&proto(4), &made, STOP]))[0].contains("before BUILD"));
    assert!(
        refusals(&cat(&[&proto(4), EMPTY_LIST, &made, APPEND, STOP]))[0].contains("before BUILD")
    );
    let bad = cat(&[&proto(4), &made, &state(-1), BUILD, STOP]);
    assert!(refusals(&bad)[0].starts_with("uuid.UUID may not be given state"));
    let twice = cat(&[&proto(4), &made, &state(7), BUILD, &state(8), BUILD, STOP]);
    assert!(refusals(&twice)[0].contains("only once"));
    let copy = cat(&[
        &proto(4),
        &made,
        MEMOIZE,
        POP,
        &get(0),
        &state(7),
        BUILD,
        STOP,
    ]);
    assert!(refusals(&copy)[0].contains("only once"));
}

#[test]
fn test_a_key_set_twice_has_its_last_value() {
    let data = cat(&[
        &proto(4),
        &global("uuid", "UUID"),
        EMPTY_TUPLE,
        NEWOBJ,
        EMPTY_DICT,
        &text("int"),
        &int(7),
        SETITEM,
        &text("int"),
        &int(-7),
        SETITEM,
        BUILD,
        STOP,
    ]);
    assert!(refusals(&data)[0].contains("uuid.UUID may not be given state"));
}

#[test]
fn test_getattr_is_a_pattern_and_no_value() {
    let getattr = global("builtins", "getattr");
    for stream in [
        cat(&[&proto(4), &getattr, STOP]),
        cat(&[&proto(4), EMPTY_LIST, &getattr, APPEND, STOP]),
        cat(&[&proto(4), &getattr, TUPLE1, STOP]),
        cat(&[&proto(4), &getattr, TUPLE1, TUPLE1, STOP]),
        cat(&[&proto(4), EMPTY_DICT, &getattr, NONE, SETITEM, STOP]),
        cat(&[
            &proto(4),
            &global("collections", "defaultdict"),
            &getattr,
            TUPLE1,
            REDUCE,
            STOP,
        ]),
    ] {
        let found = std_check(&stream);
        assert!(!found.allowed(), "{stream:?}");
        assert_eq!(found.fault, None);
    }
    let walk = cat(&[
        &proto(4),
        &getattr,
        &global("datetime", "date"),
        &text("__subclasses__"),
        TUPLE2,
        REDUCE,
        STOP,
    ]);
    assert!(refusals(&walk)[0].starts_with("builtins.getattr may not be called"));
}

#[test]
fn test_reconstructor_is_new_of_its_class() {
    let rebuild = |class: &[u8], base: &[u8]| {
        cat(&[
            &proto(2),
            &global("copy_reg", "_reconstructor"),
            class,
            base,
            NONE,
            TUPLE3,
            REDUCE,
            EMPTY_DICT,
            &text("int"),
            &int(1),
            SETITEM,
            BUILD,
            STOP,
        ])
    };
    let object = global("__builtin__", "object");
    let data = rebuild(&global("uuid", "UUID"), &object);
    let found = inspect(&data, Policy::std(), &Options::default());
    assert!(found.allowed());
    let uuid = found
        .globals
        .iter()
        .find(|used| used.name == "UUID")
        .unwrap();
    assert_eq!(uuid.rights.iter().collect::<Vec<_>>(), ["new", "state"]);
    assert_eq!(uuid.path.as_deref(), Some("$"));
    assert!(!std_check(&rebuild(&global("datetime", "date"), &object)).allowed());
    assert!(
        !std_check(&rebuild(
            &global("uuid", "UUID"),
            &global("__builtin__", "dict")
        ))
        .allowed()
    );
}

#[test]
fn test_sets_spelled_as_calls_are_sets() {
    let data = cat(&[
        &proto(2),
        &global("__builtin__", "set"),
        EMPTY_LIST,
        &int(1),
        APPEND,
        TUPLE1,
        REDUCE,
        STOP,
    ]);
    assert_allowed(&data);
    let bomb = cat(&[
        &proto(2),
        &global("__builtin__", "set"),
        &int(9),
        TUPLE1,
        REDUCE,
        STOP,
    ]);
    assert!(!std_check(&bomb).allowed());
    let unhashable = cat(&[
        &proto(2),
        &global("__builtin__", "frozenset"),
        EMPTY_LIST,
        EMPTY_LIST,
        APPEND,
        TUPLE1,
        REDUCE,
        STOP,
    ]);
    let fault = std_check(&unhashable).fault.unwrap();
    assert_eq!(fault.kind.to_string(), "unhashable type: 'list'");
}

#[test]
fn test_persistent_ids_and_buffers_need_someone_to_ask() {
    let pid = cat(&[&proto(4), &text("a"), b"Q", STOP]);
    let found = std_check(&pid);
    assert_eq!(found.refusals[0].kind, Kind::NoPersistentLoad);
    assert_eq!(found.persistent_ids, ["'a'"]);
    let buffers = b"\x80\x05\x97\x97\x86.";
    assert_eq!(std_check(buffers).refusals[0].kind, Kind::NoBuffers);
    let options = Options {
        has_persistent_load: true,
        buffers: Buffers::Count(1),
        ..Options::default()
    };
    assert!(check(&pid, Policy::std(), &options, &[]).allowed());
    let found = check(buffers, Policy::std(), &options, &[]);
    assert_eq!(found.refusals[0].kind, Kind::BuffersExhausted);
    let fill = cat(&[&proto(4), &text("a"), b"Q", NONE, APPEND, STOP]);
    assert!(!check(&fill, Policy::std(), &options, &[]).allowed());
}

#[test]
fn test_python_2_text_follows_the_encoding() {
    let data = b"U\x02a\xe9.";
    let with = |encoding| {
        let options = Options {
            encoding,
            ..Options::default()
        };
        check(data, Policy::std(), &options, &[])
    };
    assert!(matches!(
        with(Encoding::Ascii).fault.unwrap().kind,
        Kind::BadText { start: 1, .. }
    ));
    assert!(with(Encoding::Latin1).allowed());
    assert!(with(Encoding::Bytes).allowed());
    assert!(with(Encoding::Other).allowed());
}

#[test]
fn test_leftovers_are_a_fault_where_strict() {
    let options = Options {
        strict: true,
        ..Options::default()
    };
    for data in [&b"NN."[..], b"N.N"] {
        assert!(std_check(data).allowed());
        let fault = check(data, Policy::std(), &options, &[]).fault.unwrap();
        assert!(matches!(fault.kind, Kind::Leftovers(_)));
    }
}

#[test]
fn test_what_is_discarded_is_judged_all_the_same() {
    let data = cat(&[&proto(4), &global("os", "system"), POP, NONE, STOP]);
    let found = std_check(&data);
    assert!(!found.allowed());
    assert_eq!(found.globals[0].path, None);
}

#[test]
fn test_a_payload_before_garbage_is_seen() {
    let data = cat(&[
        &proto(4),
        EMPTY_LIST,
        &global("os", "system"),
        &text("true"),
        TUPLE1,
        REDUCE,
        APPEND,
        b"\xff",
    ]);
    let found = std_check(&data);
    assert_eq!(
        found.fault.clone().unwrap().kind,
        Kind::InvalidLoadKey(0xff)
    );
    assert_eq!(found.globals[0].path.as_deref(), Some("$[0]"));
    assert!(matches!(
        found.error().unwrap().kind,
        Kind::ForbiddenGlobal { .. }
    ));
}

#[test]
fn test_seeds_stand_for_an_earlier_pickle() {
    let policy = Policy::std();
    let date = policy.lookup("datetime", "date").unwrap();
    let memo = [
        (0, Seed::Global(date)),
        (1, Seed::Str("os")),
        (2, Seed::List),
    ];
    let options = Options::default();
    let call = cat(&[
        &proto(4),
        &get(0),
        &raw(&[7, 0xe8, 2, 28]),
        TUPLE1,
        REDUCE,
        STOP,
    ]);
    assert!(check(&call, policy, &options, &memo).allowed());
    let name = cat(&[&proto(4), &get(1), &text("system"), b"\x93", STOP]);
    assert_eq!(check(&name, policy, &options, &memo).blocked().count(), 1);
    let fill = cat(&[&proto(4), &get(2), NONE, APPEND, STOP]);
    assert!(check(&fill, policy, &options, &memo).allowed());
}

#[test]
fn test_tuples_under_marks_and_sets_are_walked() {
    let data = cat(&[
        &proto(4),
        EMPTY_SET,
        MARK,
        MARK,
        &int(1),
        &global("os", "system"),
        TUPLE,
        ADDITEMS,
        STOP,
    ]);
    let found = std_check(&data);
    assert_eq!(found.globals[0].path.as_deref(), Some("${…}[1]"));
}

#[test]
fn test_a_forbidden_class_behind_a_pattern_is_one_refusal() {
    let data = cat(&[
        &proto(2),
        &global("copy_reg", "_reconstructor"),
        &global("app", "User"),
        &global("__builtin__", "object"),
        NONE,
        TUPLE3,
        REDUCE,
        EMPTY_DICT,
        &text("name"),
        NONE,
        SETITEM,
        BUILD,
        STOP,
    ]);
    assert_eq!(refusals(&data), ["app.User is not allowed"]);
    let found = std_check(&data);
    let user = found.blocked().next().unwrap();
    assert_eq!(user.rights.iter().collect::<Vec<_>>(), ["new", "state"]);
    assert_eq!(user.path.as_deref(), Some("$"));
}

#[test]
fn test_an_unrestricted_policy_refuses_nothing() {
    let data = cat(&[
        &proto(4),
        &global("app", "User"),
        &text("x"),
        TUPLE1,
        REDUCE,
        MEMOIZE,
        NONE,
        APPEND,
        &get(0),
        EMPTY_DICT,
        BUILD,
        TUPLE2,
        STOP,
    ]);
    let policy = Policy::unrestricted();
    let found = check(&data, &policy, &Options::default(), &[]);
    assert!(found.allowed(), "{:?}", found.refusals);
}
