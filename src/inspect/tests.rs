//! What inspections find, against hand-made streams and against an independent decoder.

mod arrays;
mod attacks;
mod limits;
mod oracle;
mod reports;
mod verdicts;

use super::*;

/// Opcodes by name, for payloads that can be read.
mod asm {
    pub(super) const STOP: &[u8] = b".";
    pub(super) const REDUCE: &[u8] = b"R";
    pub(super) const BUILD: &[u8] = b"b";
    pub(super) const MARK: &[u8] = b"(";
    pub(super) const NONE: &[u8] = b"N";
    pub(super) const POP: &[u8] = b"0";
    pub(super) const EMPTY_TUPLE: &[u8] = b")";
    pub(super) const TUPLE1: &[u8] = b"\x85";
    pub(super) const TUPLE2: &[u8] = b"\x86";
    pub(super) const TUPLE3: &[u8] = b"\x87";
    pub(super) const TUPLE: &[u8] = b"t";
    pub(super) const EMPTY_LIST: &[u8] = b"]";
    pub(super) const APPEND: &[u8] = b"a";
    pub(super) const EMPTY_DICT: &[u8] = b"}";
    pub(super) const SETITEM: &[u8] = b"s";
    pub(super) const SETITEMS: &[u8] = b"u";
    pub(super) const EMPTY_SET: &[u8] = b"\x8f";
    pub(super) const ADDITEMS: &[u8] = b"\x90";
    pub(super) const NEWOBJ: &[u8] = b"\x81";
    pub(super) const MEMOIZE: &[u8] = b"\x94";

    pub(super) fn cat(parts: &[&[u8]]) -> Vec<u8> {
        parts.concat()
    }

    pub(super) fn text(text: &str) -> Vec<u8> {
        let mut out = vec![0x8c, u8::try_from(text.len()).unwrap()];
        out.extend_from_slice(text.as_bytes());
        out
    }

    pub(super) fn raw(bytes: &[u8]) -> Vec<u8> {
        let mut out = vec![b'C', u8::try_from(bytes.len()).unwrap()];
        out.extend_from_slice(bytes);
        out
    }

    pub(super) fn int(value: i32) -> Vec<u8> {
        let mut out = vec![b'J'];
        out.extend_from_slice(&value.to_le_bytes());
        out
    }

    pub(super) fn proto(version: u8) -> Vec<u8> {
        vec![0x80, version]
    }

    pub(super) fn get(index: u8) -> Vec<u8> {
        vec![b'h', index]
    }

    /// GLOBAL.
    pub(super) fn global(module: &str, name: &str) -> Vec<u8> {
        format!("c{module}\n{name}\n").into_bytes()
    }

    /// The name by STACK_GLOBAL.
    pub(super) fn stack_global(module: &str, name: &str) -> Vec<u8> {
        cat(&[&text(module), &text(name), b"\x93"])
    }
}

fn std_check(data: &[u8]) -> Inspection {
    check(data, Policy::std(), &Options::default(), &[])
}

fn assert_allowed(data: &[u8]) -> Inspection {
    let inspection = std_check(data);
    assert!(
        inspection.allowed(),
        "{:?} {:?}",
        inspection.refusals,
        inspection.fault
    );
    inspection
}

fn refusals(data: &[u8]) -> Vec<String> {
    let inspection = std_check(data);
    assert_eq!(inspection.fault, None);
    assert!(!inspection.allowed());
    inspection
        .refusals
        .iter()
        .map(|refused| refused.kind.to_string())
        .collect()
}

#[test]
fn the_pure_rooms_know_no_python() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut open: Vec<_> = ["stream", "policy", "machine", "inspect"]
        .map(|room| root.join(room))
        .into();
    let mut files = 0;
    while let Some(path) = open.pop() {
        if path.is_dir() {
            let entries = std::fs::read_dir(&path).unwrap();
            open.extend(entries.map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            files += 1;
            let source = std::fs::read_to_string(&path).unwrap();
            let import = ["py", "o3::"].concat();
            assert!(!source.contains(&import), "{}", path.display());
        }
    }
    assert!(files > 20);
}

#[test]
fn short_text_stays_in_the_stream_however_it_is_read() {
    let texts = [
        "a",
        "id",
        "customer 17",
        "fifteen letters",
        "é",
        "a longer text than that",
    ];
    let mut data = b"\x80\x04](".to_vec();
    for text in texts {
        data.extend_from_slice(&asm::text(text));
        data.push(b'\x94');
    }
    data.extend_from_slice(b"e.");
    let options = Options::default();
    let mut world = NoteWorld::new(&data, Policy::plain(), &options);
    let (root, _) = follow(&mut world, &mut Machine::default(), &[]).unwrap();
    let items = world.notes.items(root.node().unwrap(), note::Part::Items);
    let found: Vec<&str> = items
        .map(|item| match item {
            Note::Str(text) => world.notes.str(text),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(found, texts);
    assert!(world.notes.texts.is_empty());
}
