//! Tests of `arrays.rs`: what holds, and every refusal.

use crate::policy::Plan;
use crate::policy::testing::{Tree, b, call, everything, global, int, list, refuses, s};

#[test]
fn test_items_fit_their_typecode() {
    let p = everything();
    let path = "array:array";
    for (code, items) in [
        ("b", vec![int(-128), int(127)]),
        ("B", vec![int(255)]),
        ("h", vec![int(-32_768)]),
        ("I", vec![int(4_294_967_295)]),
        ("q", vec![int(i64::MIN)]),
        ("Q", vec![Tree::Huge(64, false)]),
        ("f", vec![Tree::Float(0.5), int(1)]),
        ("d", vec![]),
        ("u", vec![s("é")]),
        ("w", vec![s("\u{10ffff}")]),
    ] {
        let typecode = code.chars().next().unwrap();
        assert_eq!(
            call(&p, path, &[s(code), list(&items)]),
            Ok(Plan::ArrayItems { typecode, items: 1 }),
            "{code}"
        );
    }
    assert!(call(&p, path, &[b(b"i"), list(&[])]).is_ok());
    for (code, item) in [
        ("b", int(128)),
        ("B", int(-1)),
        ("H", int(65_536)),
        ("q", Tree::Huge(64, false)),
        ("Q", Tree::Huge(65, false)),
        ("Q", Tree::Huge(64, true)),
        ("i", Tree::Bool(true)),
        ("i", Tree::Float(1.0)),
        ("d", Tree::Huge(2_000, false)),
        ("u", s("ab")),
        ("u", s("")),
        ("c", s("a")),
        ("", int(1)),
        ("ii", int(1)),
    ] {
        refuses(&p, path, &[vec![s(code), list(&[item])]]);
    }
    refuses(
        &p,
        path,
        &[
            vec![s("b")],
            vec![s("b"), b(b"x")],
            vec![s("b"), int(1 << 40)],
            vec![int(1), list(&[])],
        ],
    );
}

#[test]
fn test_machine_formats() {
    let p = everything();
    let class = global(&p, "array:array");
    let rebuild = |code: &str, format: i64, data: &[u8]| {
        call(
            &p,
            "array:_array_reconstructor",
            &[class.clone(), s(code), int(format), b(data)],
        )
    };
    let bytes = |typecode, swap| {
        Ok(Plan::ArrayBytes {
            typecode,
            swap,
            data: 3,
        })
    };
    let little = cfg!(target_endian = "little");
    assert_eq!(rebuild("b", 1, &[1]), bytes('b', false));
    assert_eq!(rebuild("i", 8, &[0; 8]), bytes('i', !little));
    assert_eq!(rebuild("i", 9, &[0; 8]), bytes('i', little));
    assert_eq!(rebuild("d", 16, &[0; 16]), bytes('d', !little));
    assert_eq!(rebuild("Q", 10, &[]), bytes('Q', !little));
    // Four bytes where this machine's `l` has eight, as CPython converts it.
    if little && size_of::<std::ffi::c_long>() == 8 {
        assert_eq!(rebuild("L", 6, &[0; 4]), bytes('I', false));
        assert_eq!(rebuild("l", 12, &[0; 8]), bytes('l', false));
    }
    if little && !cfg!(windows) {
        assert_eq!(rebuild("u", 20, &[0x41, 0, 0, 0]), bytes('u', false));
        assert!(rebuild("u", 20, &[0, 0xd8, 0, 0]).is_ok());
        assert!(rebuild("u", 19, &[0, 0x41]).is_err());
        assert!(rebuild("u", 21, &[0, 0, 0, 0x41]).is_err());
        assert!(rebuild("w", 18, &[0x41, 0]).is_err());
    }
    for (code, format, data) in [
        ("b", 22, &[][..]),
        ("b", -1, &[]),
        ("b", 0, &[1]),
        ("B", 1, &[1]),
        ("i", 8, &[0; 7]),
        ("d", 8, &[0; 8]),
        ("f", 16, &[0; 8]),
        ("i", 16, &[0; 8]),
        ("u", 8, &[0; 4]),
        ("u", 20, &[0, 0, 0x11, 0]),
        ("u", 21, &[0, 0, 0xd8, 0]),
        ("u", 18, &[0x00, 0xd8]),
        ("u", 18, &[0x00]),
        ("x", 1, &[0]),
    ] {
        assert!(
            rebuild(code, format, data).is_err(),
            "{code} {format} {data:?}"
        );
    }
    refuses(
        &p,
        "array:_array_reconstructor",
        &[
            vec![],
            vec![global(&p, "builtins:list"), s("b"), int(1), b(b"x")],
            vec![Tree::None, s("b"), int(1), b(b"x")],
            vec![class.clone(), s("b"), int(1), list(&[])],
            vec![class.clone(), s("b"), Tree::Bool(true), b(b"x")],
            vec![class, s("b"), Tree::Huge(90, false), b(b"x")],
        ],
    );
}
