//! Values as a report shows them: short, escaped, spelled as Python would.

use std::fmt::Write as _;

use super::note::{Id, Note};
use super::world::NoteWorld;

/// Characters of a text that are shown.
const TEXT: usize = 40;
/// Items of a container that are shown, one level deep.
const ITEMS: usize = 4;

impl NoteWorld<'_> {
    /// A value: atoms as they are, containers one level deep.
    pub(super) fn show(&self, value: Note) -> String {
        let mut out = String::new();
        self.write(&mut out, value, true);
        out
    }

    /// `('id',)`, `(1, key='x')`.
    pub(super) fn show_arguments(&self, args: &[Note], kwargs: &[Note]) -> String {
        let mut out = String::from("(");
        for (at, arg) in args.iter().take(ITEMS).enumerate() {
            if at > 0 {
                out.push_str(", ");
            }
            self.write(&mut out, *arg, true);
        }
        if args.len() > ITEMS {
            out.push_str(", …");
        } else if args.len() == 1 && kwargs.is_empty() {
            out.push(',');
        }
        for pair in kwargs.chunks(2).take(ITEMS) {
            if let [key, value] = pair {
                if out.len() > 1 {
                    out.push_str(", ");
                }
                match *key {
                    Note::Str(index) if is_identifier(self.notes.str(index)) => {
                        out.push_str(self.notes.str(index));
                    }
                    other => self.write(&mut out, other, false),
                }
                out.push('=');
                self.write(&mut out, *value, true);
            }
        }
        out.push(')');
        out
    }

    fn write(&self, out: &mut String, value: Note, deep: bool) {
        // Writing to a String does not fail.
        let _ = match value {
            Note::None => write!(out, "None"),
            Note::True => write!(out, "True"),
            Note::False => write!(out, "False"),
            Note::Int(value) => write!(out, "{value}"),
            Note::Nan(_) => write!(out, "nan"),
            Note::Float(number) => write!(out, "{:?}", number.value()),
            Note::Complex(_) => write!(out, "complex(…)"),
            Note::Str(index) => write!(out, "{}", quoted(self.notes.str(index))),
            Note::Surrogates(_) | Note::Encoded(_) => write!(out, "'…'"),
            Note::Long(index) => {
                let bits = self.notes.get_long(index).map_or(0, |long| long.bits);
                write!(out, "<int of {bits} bits>")
            }
            Note::Bytes(data) => write!(out, "b{}", quoted_bytes(self.notes.bytes(data))),
            Note::ByteArray(data) => {
                write!(out, "bytearray(b{})", quoted_bytes(self.notes.bytes(data)))
            }
            Note::Tuple(node) => self.write_items(out, node, ["(", ")"], deep),
            Note::List(node) => self.write_items(out, node, ["[", "]"], deep),
            Note::Set(node) => self.write_items(out, node, ["{", "}"], deep),
            Note::FrozenSet(node) => self.write_items(out, node, ["frozenset({", "})"], deep),
            Note::Dict(node) => {
                let empty = self.notes.get(node).is_none_or(|node| node.len == 0);
                write!(out, "{}", if empty { "{}" } else { "{…}" })
            }
            Note::Global(index) => match self.uses.get(index) {
                Some(used) => write!(out, "{}", used.dotted()),
                None => write!(out, "…"),
            },
            Note::Constructor(index) => match self.uses.get(index) {
                Some(used) => write!(out, "{}.__new__", used.dotted()),
                None => write!(out, "…"),
            },
            Note::Made(_) | Note::Fresh(_) => match self.uses.get(self.user(value)) {
                Some(used) => write!(out, "{}(…)", used.dotted()),
                None => write!(out, "<object>"),
            },
            Note::External(_) => write!(out, "<external object>"),
            Note::Hole => write!(out, "…"),
        };
    }

    fn write_items(
        &self,
        out: &mut String,
        node: Id,
        [open, close]: [&str; 2],
        deep: bool,
    ) -> std::fmt::Result {
        let items = self.notes.head(node);
        out.push_str(open);
        if deep {
            for (at, item) in items.iter().take(ITEMS).enumerate() {
                if at > 0 {
                    out.push_str(", ");
                }
                self.write(out, *item, false);
            }
        }
        let len = self.notes.get(node).map_or(0, |node| node.len as usize);
        match len {
            0 => {}
            1 if deep && open == "(" => out.push(','),
            len if deep && len > ITEMS => out.push_str(", …"),
            _ if !deep => out.push('…'),
            _ => {}
        }
        out.push_str(close);
        Ok(())
    }
}

/// Whether a name reads as one in a path.
pub(super) fn is_identifier(name: &str) -> bool {
    name.len() <= 2 * TEXT
        && name
            .chars()
            .all(|char| char.is_ascii_alphanumeric() || char == '_')
        && name.starts_with(|char: char| !char.is_ascii_digit())
}

/// A str as Python's repr, cut.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from("'");
    for (at, char) in text.chars().enumerate() {
        if at == TEXT {
            out.push('…');
            break;
        }
        match char {
            '\'' => out.push_str("\\'"),
            '"' => out.push('"'),
            '\0' => out.push_str("\\x00"),
            // Terminal escapes, bidirectional overrides and whatever else does not print.
            char => out.extend(char.escape_debug()),
        }
    }
    out.push('\'');
    out
}

fn quoted_bytes(bytes: &[u8]) -> String {
    let mut out = String::from("'");
    for byte in bytes.iter().take(TEXT) {
        out.extend(std::ascii::escape_default(*byte).map(char::from));
    }
    if bytes.len() > TEXT {
        out.push('…');
    }
    out.push('\'');
    out
}
