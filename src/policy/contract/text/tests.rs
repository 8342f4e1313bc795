//! Tests of `text.rs`: what holds, and every refusal.

use crate::policy::Plan;
use crate::policy::testing::{Tree, b, call, everything, int, list, made, refuses, s};

#[test]
fn test_bytes_below_protocol_3() {
    let p = everything();
    assert_eq!(call(&p, "builtins:bytes", &[]), Ok(Plan::EmptyBytes));
    assert_eq!(
        call(&p, "_codecs:encode", &[s("\u{ff}a"), s("latin1")]),
        Ok(Plan::Latin1(0))
    );
    refuses(
        &p,
        "builtins:bytes",
        &[vec![int(1 << 40)], vec![b(b"")], vec![list(&[int(1)])]],
    );
    refuses(
        &p,
        "_codecs:encode",
        &[
            vec![s("x")],
            vec![s("x"), s("latin-1")],
            vec![s("x"), s("rot13")],
            vec![s("x"), s("latin1"), s("ignore")],
            vec![s("\u{100}"), s("latin1")],
            vec![Tree::Surrogates, s("latin1")],
            vec![b(b"x"), s("latin1")],
            vec![s("x"), b(b"latin1")],
        ],
    );
    assert_eq!(p.lookup("_codecs", "decode"), None);
}

#[test]
fn test_bytearray_never_of_an_int() {
    let p = everything();
    let path = "builtins:bytearray";
    assert_eq!(call(&p, path, &[]), Ok(Plan::ByteArray(None)));
    for args in [
        vec![b(b"abc")],
        vec![s("\u{e9}"), s("latin-1")],
        vec![s("a"), b(b"latin-1")],
    ] {
        assert_eq!(call(&p, path, &args), Ok(Plan::ByteArray(Some(0))));
    }
    refuses(
        &p,
        path,
        &[
            vec![int(1 << 40)],
            vec![s("a")],
            vec![s("a"), s("utf-8")],
            vec![s("\u{100}"), s("latin-1")],
            vec![list(&[int(1)])],
            vec![made(&p, "builtins:range")],
            vec![Tree::External],
        ],
    );
}

#[test]
fn test_type_only_of_none() {
    let p = everything();
    assert_eq!(call(&p, "builtins:type", &[Tree::None]), Ok(Plan::NoneType));
    refuses(
        &p,
        "builtins:type",
        &[
            vec![],
            vec![int(1)],
            vec![s("X"), Tree::Tuple(vec![]), Tree::Dict(vec![])],
        ],
    );
}

#[test]
fn test_paths_take_text_only() {
    let p = everything();
    for path in [
        "pathlib:PurePosixPath",
        "pathlib:PosixPath",
        "pathlib:WindowsPath",
    ] {
        assert_eq!(call(&p, path, &[]), Ok(Plan::AsIs));
        assert_eq!(
            call(&p, path, &[s("/"), s("a"), Tree::Surrogates]),
            Ok(Plan::AsIs)
        );
        refuses(
            &p,
            path,
            &[
                vec![b(b"/")],
                vec![s("/"), made(&p, path)],
                vec![Tree::Other],
            ],
        );
    }
    assert_eq!(
        p.canonical("pathlib._local", "PosixPath", false),
        ("pathlib", "PosixPath")
    );
}

#[test]
fn test_ip_addresses() {
    let p = everything();
    let max4 = i64::from(u32::MAX);
    for (path, arg) in [
        ("ipaddress:IPv4Address", int(0)),
        ("ipaddress:IPv4Address", int(max4)),
        ("ipaddress:IPv6Address", int(1)),
        ("ipaddress:IPv6Address", Tree::Big(u128::MAX, false)),
        ("ipaddress:IPv6Address", s("fe80::1%eth0")),
        ("ipaddress:IPv4Network", s("10.0.0.0/8")),
        ("ipaddress:IPv4Network", s("0.0.0.0/0")),
        ("ipaddress:IPv4Network", s("1.2.3.4/32")),
        ("ipaddress:IPv6Network", s("2001:db8::/32")),
        ("ipaddress:IPv6Network", s("::/0")),
        ("ipaddress:IPv6Network", s("::1/128")),
        ("ipaddress:IPv4Interface", s("10.1.2.3/8")),
        ("ipaddress:IPv6Interface", s("fe80::1%1/64")),
    ] {
        assert_eq!(
            call(&p, path, std::slice::from_ref(&arg)),
            Ok(Plan::AsIs),
            "{path} {arg:?}"
        );
    }
    for (path, arg) in [
        ("ipaddress:IPv4Address", int(-1)),
        ("ipaddress:IPv4Address", int(max4 + 1)),
        ("ipaddress:IPv4Address", Tree::Bool(true)),
        ("ipaddress:IPv4Address", s("1.2.3.4")),
        ("ipaddress:IPv6Address", Tree::Big(1 << 70, true)),
        ("ipaddress:IPv6Address", Tree::Huge(129, false)),
        ("ipaddress:IPv6Address", s("fe80::1%")),
        ("ipaddress:IPv6Address", s("fe80::1%a%b")),
        ("ipaddress:IPv6Address", s(&"1".repeat(5_000))),
        ("ipaddress:IPv4Network", s("10.0.0.1/8")),
        ("ipaddress:IPv4Network", s("10.0.0.0/33")),
        ("ipaddress:IPv4Network", s("10.0.0.0/+8")),
        ("ipaddress:IPv4Network", s("10.0.0.0/")),
        ("ipaddress:IPv4Network", s("10.0.0.0")),
        ("ipaddress:IPv4Network", s("010.0.0.0/8")),
        ("ipaddress:IPv6Network", s("2001:db8::1/32")),
        ("ipaddress:IPv6Network", s("::/129")),
        ("ipaddress:IPv6Interface", s("10.0.0.0/8")),
        ("ipaddress:IPv4Interface", b(b"10.0.0.0/8")),
    ] {
        refuses(&p, path, &[vec![arg], vec![]]);
    }
}
