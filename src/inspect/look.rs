//! How notes look to the policy and to the hash of the machine.

use std::collections::HashMap;

use super::note::{self, Arena, Note, Part};
use super::world::NoteWorld;
use crate::machine::hashing::{self, Keys, Shape};
use crate::machine::residues;
use crate::policy::numpy::Known;
use crate::policy::{EntryId, Form, Look, Meaning, Native, View};

impl Look for NoteWorld<'_> {
    type Value = Note;

    #[inline]
    fn form(&self, v: &Note) -> Form {
        match *v {
            Note::None => Form::None,
            Note::True | Note::False => Form::Bool,
            Note::Int(_) | Note::Long(_) => Form::Int,
            Note::Float(_) | Note::Nan(_) => Form::Float,
            Note::Complex(_) => Form::Complex,
            Note::Str(_) | Note::Surrogates(_) => Form::Str,
            Note::Bytes(_) => Form::Bytes,
            Note::ByteArray(_) => Form::ByteArray,
            Note::Tuple(_) => Form::Tuple,
            Note::List(_) => Form::List,
            Note::Dict(_) => Form::Dict,
            Note::Set(_) => Form::Set,
            Note::FrozenSet(_) => Form::FrozenSet,
            // These may have no entry.
            Note::Global(_) | Note::Made(_) | Note::Fresh(_) => self.view(v).form(),
            Note::Constructor(_) | Note::External(_) | Note::Encoded(_) | Note::Hole => Form::Other,
        }
    }

    fn view<'v>(&'v self, v: &'v Note) -> View<'v> {
        let notes = &self.notes;
        let len = |node| notes.get(node).map_or(0, |node| node.len as usize);
        match *v {
            Note::None => View::None,
            Note::True => View::Bool(true),
            Note::False => View::Bool(false),
            Note::Int(value) => View::Int(value),
            Note::Float(number) => View::Float(number.value()),
            Note::Nan(_) => View::Float(f64::NAN),
            Note::Complex(_) => View::Complex,
            Note::Str(index) => View::Str(notes.str(index)),
            Note::Surrogates(_) => View::SurrogateStr,
            Note::Long(index) => notes
                .get_long(index)
                .map_or(View::Other, |long| View::BigInt {
                    bits: long.bits,
                    negative: long.is_negative(),
                }),
            Note::Bytes(data) => View::Bytes(notes.bytes(data)),
            Note::ByteArray(data) => View::ByteArray(notes.bytes_len(data)),
            Note::Tuple(node) => View::Tuple(len(node)),
            Note::List(node) => View::List(len(node)),
            Note::Dict(node) => View::Dict(len(node) / 2),
            Note::Set(node) => View::Set(len(node)),
            Note::FrozenSet(node) => View::FrozenSet(len(node)),
            Note::Global(index) => self.uses.entry(index).map_or(View::Other, View::Global),
            Note::Constructor(index) => self
                .uses
                .entry(index)
                .map_or(View::Other, View::Constructor),
            Note::Made(node) | Note::Fresh(node) => notes
                .get(node)
                .and_then(note::Node::entry)
                .map_or(View::Other, View::Made),
            Note::External(_) => View::External,
            Note::Encoded(_) | Note::Hole => View::Other,
        }
    }

    fn item(&self, v: &Note, index: usize) -> Option<Note> {
        match *v {
            // A tuple is filled at once.
            Note::Tuple(node) => self.notes.head(node).get(index).copied(),
            Note::List(node) => self.notes.item(node, index),
            _ => None,
        }
    }

    /// A key that was set twice stands once, where it came first and with its last value, as in a dict. Only keys that
    /// contracts read are told apart that well: text, bytes, ints.
    fn pairs(&self, v: &Note) -> Vec<(Note, Note)> {
        let Note::Dict(node) = *v else {
            return Vec::new();
        };
        let mut places: HashMap<Key<'_>, usize> = HashMap::new();
        let mut pairs: Vec<(Note, Note)> = Vec::new();
        let mut items = self.notes.items(node, Part::Pairs);
        while let (Some(key), Some(value)) = (items.next(), items.next()) {
            if let Some(name) = self.key(key) {
                let place = *places.entry(name).or_insert(pairs.len());
                if let Some(pair) = pairs.get_mut(place) {
                    pair.1 = value;
                    continue;
                }
            }
            pairs.push((key, value));
        }
        pairs
    }

    fn all(&self, v: &Note, test: &mut dyn FnMut(View<'_>) -> bool) -> bool {
        let Some(node) = v.node() else {
            return true;
        };
        if let Some(items) = self.notes.whole(node) {
            return items.iter().all(|item| test(self.view(item)));
        }
        self.notes
            .parts(node)
            .flat_map(|(_, items)| items)
            .all(|item| test(self.view(item)))
    }

    fn all_forms(&self, v: &Note, test: &mut dyn FnMut(Form) -> bool) -> bool {
        match v.node().and_then(|node| self.notes.whole(node)) {
            Some(items) => items.iter().all(|item| test(self.form(item))),
            None => self.all(v, &mut |view| test(view.form())),
        }
    }

    fn timedelta(&self, v: &Note) -> Option<(i32, i32, i32)> {
        let node = v.instance()?;
        let entry = self.notes.get(node)?.entry()?;
        if self.policy.entry(entry).meaning != Meaning::Native(Native::TimeDelta) {
            return None;
        }
        let mut fields = self.notes.items(node, Part::Args).map(|field| match field {
            Note::Int(value) => i32::try_from(value).ok(),
            _ => None,
        });
        Some((fields.next()??, fields.next()??, fields.next()??))
    }

    fn known(&self, value: &Note) -> Option<Known> {
        let known = self.notes.get(value.instance()?)?.known;
        known.filter(|known| matches!(value, Note::Fresh(_)) || *known != Known::Unfilled)
    }

    fn octets<'v>(&'v self, value: &'v Note) -> Option<&'v [u8]> {
        match *value {
            Note::Bytes(data) | Note::ByteArray(data) => Some(self.notes.bytes(data)),
            _ => None,
        }
    }

    /// Nothing is imported here, so no class is known but the one of the standard library: the loader asks again.
    fn enum_value(&self, entry: EntryId, value: &Note) -> Option<bool> {
        let entry = self.policy.entry(entry);
        if (&*entry.module, &*entry.name) == ("uuid", "SafeUUID") {
            return Some(matches!(value, Note::None | Note::Int(0 | -1)));
        }
        None
    }

    fn is_latin1(&self, v: &Note) -> bool {
        matches!(*v, Note::Str(text) if Arena::is_latin1(text))
    }

    fn u128(&self, v: &Note) -> Option<u128> {
        match *v {
            Note::Int(value) => u128::try_from(value).ok(),
            Note::Long(index) => {
                let long = self.notes.get_long(index)?;
                if long.is_negative() || long.bits > 128 {
                    return None;
                }
                let mut bytes = [0; 16];
                for (slot, byte) in bytes.iter_mut().zip(long.twos.iter()) {
                    *slot = *byte;
                }
                Some(u128::from_le_bytes(bytes))
            }
            _ => None,
        }
    }
}

/// A key that equals another by its content.
#[derive(PartialEq, Eq, Hash)]
enum Key<'v> {
    Str(&'v str),
    Bytes(&'v [u8]),
    Int(i64),
}

impl NoteWorld<'_> {
    fn key(&self, key: Note) -> Option<Key<'_>> {
        match key {
            Note::Str(index) => Some(Key::Str(self.notes.str(index))),
            Note::Bytes(data) => Some(Key::Bytes(self.notes.bytes(data))),
            Note::Int(value) => Some(Key::Int(value)),
            Note::True => Some(Key::Int(1)),
            Note::False => Some(Key::Int(0)),
            _ => None,
        }
    }
}

impl Keys for NoteWorld<'_> {
    type Key = Note;

    #[inline]
    fn shape(&self, key: Note) -> Shape {
        let len = |node| self.notes.get(node).map_or(0, |node| node.len as usize);
        match key {
            Note::Int(value) if value.unsigned_abs() >= hashing::MODULUS => Shape::Int(3),
            Note::Int(_)
            | Note::None
            | Note::True
            | Note::False
            | Note::Str(_)
            | Note::Surrogates(_)
            | Note::Encoded(_)
            | Note::Bytes(_)
            | Note::Hole => Shape::Free,
            Note::Long(index) => Shape::Int(
                self.notes
                    .get_long(index)
                    .map_or(0, |long| long.bits.div_ceil(30)),
            ),
            Note::Float(_) | Note::Nan(_) | Note::Complex(_) => Shape::Float,
            Note::Tuple(node) => Shape::Tuple(len(node)),
            Note::FrozenSet(node) => Shape::FrozenSet(len(node)),
            Note::List(_) => Shape::Unhashable("list"),
            Note::Dict(_) => Shape::Unhashable("dict"),
            Note::Set(_) => Shape::Unhashable("set"),
            Note::ByteArray(_) => Shape::Unhashable("bytearray"),
            Note::Made(node) | Note::Fresh(node) => self.made_shape(node),
            Note::Global(_) | Note::Constructor(_) | Note::External(_) => Shape::Object,
        }
    }

    fn item(&self, tuple: Note, index: usize) -> Option<Note> {
        match tuple {
            Note::Tuple(node) => self.notes.head(node).get(index).copied(),
            _ => None,
        }
    }
}

impl NoteWorld<'_> {
    fn made_shape(&self, node: note::Id) -> Shape {
        let entry = self.notes.get(node).and_then(note::Node::entry);
        match entry.map(|entry| self.policy.entry(entry).meaning) {
            Some(Meaning::Native(native)) => match native {
                Native::OrderedDict => Shape::Unhashable("collections.OrderedDict"),
                Native::Deque => Shape::Unhashable("collections.deque"),
                Native::DefaultDict => Shape::Unhashable("collections.defaultdict"),
                Native::Counter => Shape::Unhashable("Counter"),
                Native::SimpleNamespace => Shape::Unhashable("types.SimpleNamespace"),
                Native::Array | Native::ArrayReconstructor => Shape::Unhashable("array.array"),
                // Its hash is that of a tuple, from 3.12 on.
                Native::Slice if !cfg!(Py_3_12) => Shape::Unhashable("slice"),
                Native::Decimal if self.is_signaling(node) => {
                    Shape::Raises("Cannot hash a signaling NaN value")
                }
                _ => Shape::Object,
            },
            _ => Shape::Object,
        }
    }

    fn is_signaling(&self, node: note::Id) -> bool {
        match self.notes.items(node, Part::Args).next() {
            Some(Note::Str(text)) => residues::is_signaling(self.notes.str(text)),
            _ => false,
        }
    }
}
