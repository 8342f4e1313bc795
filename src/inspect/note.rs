//! Notes: values without Python, and the arena that holds what is in them.
//!
//! A note is a handle of two words that copies like two ints. Text and bytes stay in the stream they came in. A container is a
//! node whose items stand in one shared vector, in as many spans as it was filled in; memory is proportional to the
//! stream, and nothing here recurses.

use std::borrow::Cow;

use super::contents::{Blob, Data, Kept, Text};
use super::long::{Long, needed, small};
use crate::error::Kind;
use crate::policy::EntryId;
use crate::policy::numpy::Known;

/// An index into one of the arena's tables, below [`NOBODY`]. A word, for what a note holds is one: see [`Note`].
pub(super) type Id = u64;
/// No index.
pub(super) const NOBODY: Id = NONE as Id;

/// An index where it is kept.
type Short = u32;
/// [`NOBODY`] where it is kept.
const NONE: Short = Short::MAX;

/// A value, as the inspector knows it.
///
/// Whatever a note holds is one word, so that the compiler moves notes in two registers. A note that was written in
/// smaller pieces and copied whole had to be waited for at each copy, a sixth of an inspection.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(super) enum Note {
    /// No value: an empty slot.
    #[default]
    Hole,
    /// `None`.
    None,
    /// `True`.
    True,
    /// `False`.
    False,
    /// An int of 64 bits.
    Int(i64),
    /// A float that is a number.
    Float(Number),
    /// A float that is none, and which one: its hash is its address.
    Nan(Id),
    /// A complex: an index of `complexes`.
    Complex(Id),
    /// A str.
    Str(Text),
    /// A str with lone surrogates.
    Surrogates(Data),
    /// A Python 2 `str` in an encoding that only the loader knows.
    Encoded(Data),
    /// A longer int: an index of `longs`.
    Long(Id),
    /// A bytes object.
    Bytes(Data),
    /// A bytearray.
    ByteArray(Data),
    /// An exact tuple.
    Tuple(Id),
    /// An exact list.
    List(Id),
    /// An exact dict.
    Dict(Id),
    /// An exact set.
    Set(Id),
    /// An exact frozenset.
    FrozenSet(Id),
    /// A name: an index of the uses.
    Global(Id),
    /// The `__new__` of a name: an index of the uses.
    Constructor(Id),
    /// An instance.
    Made(Id),
    /// The copy of an instance that came from the call: it may still be built.
    Fresh(Id),
    /// An object of the caller: a persistent id's, or an out-of-band buffer.
    External(Id),
}

/// A float, its bits in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Number(u64);

impl Number {
    /// The float.
    #[inline]
    pub(super) fn value(self) -> f64 {
        f64::from_bits(self.0)
    }
}

impl Note {
    /// A bool.
    #[inline]
    pub(super) fn bool(value: bool) -> Self {
        if value { Note::True } else { Note::False }
    }

    /// The node of an instance.
    #[inline]
    pub(super) fn instance(self) -> Option<Id> {
        match self {
            Note::Made(node) | Note::Fresh(node) => Some(node),
            _ => None,
        }
    }

    /// The node of a value that has items or a history.
    pub(super) fn node(self) -> Option<Id> {
        match self {
            Note::Tuple(node)
            | Note::List(node)
            | Note::Dict(node)
            | Note::Set(node)
            | Note::FrozenSet(node)
            | Note::Made(node)
            | Note::Fresh(node)
            | Note::External(node) => Some(node),
            _ => None,
        }
    }

    /// Whether the value is neither a container nor anything that came from a name: it stands anywhere, and adds no
    /// depth. One comparison, for these come first.
    #[inline]
    pub(super) fn is_atom(self) -> bool {
        matches!(
            self,
            Note::Hole
                | Note::None
                | Note::True
                | Note::False
                | Note::Int(_)
                | Note::Float(_)
                | Note::Complex(_)
                | Note::Str(_)
                | Note::Surrogates(_)
                | Note::Encoded(_)
                | Note::Long(_)
                | Note::Bytes(_)
                | Note::ByteArray(_)
        )
    }
}

/// What the items of a span are to their node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// Items of a sequence or a set, or appended to an instance.
    Items,
    /// Alternating keys and values.
    Pairs,
    /// Arguments of the call that made an instance.
    Args,
    /// The state that BUILD gave.
    State,
    /// The persistent id that stands for an external object.
    PersistentId,
}

/// A run of items after the first one of its node.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    start: Short,
    len: Short,
    /// The next span of the same node.
    next: Short,
    part: Part,
}

/// A container or an instance.
#[derive(Debug, Clone, Copy)]
pub(super) struct Node {
    start: Short,
    head: Short,
    next: Short,
    last: Short,
    /// Items in all spans but arguments and state.
    pub(super) len: Short,
    /// Nesting, itself included.
    pub(super) depth: u32,
    /// The entry of the policy that an instance was made through, or [`NOBODY`].
    entry: Short,
    /// The use of the name that made it.
    user: Short,
    /// The use of the pattern that the name was called through.
    via: Short,
    part: Part,
    /// A tuple that holds names, and that only a call has taken so far: whether they may stand as values was not asked.
    pub(super) unsettled: bool,
    /// An instance that is nothing until BUILD.
    pub(super) unbuilt: bool,
    /// What is known of an instance of numpy's.
    pub(super) known: Option<Known>,
}

impl Node {
    /// The entry of the policy that an instance was made through; none, if that was refused.
    #[inline]
    pub(super) fn entry(&self) -> Option<EntryId> {
        (self.entry != NONE).then_some(EntryId(self.entry))
    }

    /// The instance was made through that entry.
    pub(super) fn made_by(&mut self, entry: EntryId) {
        self.entry = entry.0;
    }

    /// The use of the name that made it, or [`NOBODY`].
    #[inline]
    pub(super) fn user(&self) -> Id {
        self.user.into()
    }

    /// The use of the pattern that the name was called through, or [`NOBODY`].
    #[inline]
    pub(super) fn via(&self) -> Id {
        self.via.into()
    }

    /// It was made by that use of a name.
    #[inline]
    pub(super) fn used_by(&mut self, user: Id) {
        self.user = shortened(user);
    }

    /// The name was called through that use of a pattern.
    #[inline]
    pub(super) fn called_via(&mut self, via: Id) {
        self.via = shortened(via);
    }
}

/// Everything that the notes of one pickle refer to.
#[derive(Debug, Default)]
pub(super) struct Arena<'d> {
    pub(super) data: &'d [u8],
    pub(super) items: Vec<Note>,
    pub(super) nodes: Vec<Node>,
    pub(super) spans: Vec<Span>,
    pub(super) texts: Vec<Kept<'d>>,
    pub(super) blobs: Vec<Blob<'d>>,
    longs: Vec<Long<'d>>,
    complexes: Vec<(f64, f64)>,
    /// NaNs that were met.
    nans: Id,
}

/// Items that are copied one by one.
const FEW: usize = 4;

#[cold]
fn full() -> Kind {
    Kind::Malformed("more values than an inspection can number".into())
}

/// An index as a note holds it.
#[inline]
pub(super) fn id(index: usize) -> Result<Id, Kind> {
    Ok(short(index)?.into())
}

/// An index of one of the tables.
#[inline(always)]
pub(super) fn index(id: Id) -> usize {
    usize::try_from(id).unwrap_or(usize::MAX)
}

/// The entry that an index stands for, where only the verdict is asked for: a name is its entry.
#[inline]
pub(super) fn entry(index: Id) -> Option<EntryId> {
    let index = shortened(index);
    (index != NONE).then_some(EntryId(index))
}

/// An index or a length as a node holds it.
#[inline]
fn short(index: usize) -> Result<Short, Kind> {
    match Short::try_from(index) {
        Ok(id) if id != NONE => Ok(id),
        _ => Err(full()),
    }
}

/// An index as a node holds it: none is larger.
#[inline]
fn shortened(index: Id) -> Short {
    Short::try_from(index).unwrap_or(NONE)
}

impl<'d> Arena<'d> {
    /// An arena for the notes on a stream.
    pub(super) fn new(data: &'d [u8]) -> Self {
        Self {
            data,
            ..Self::default()
        }
    }

    /// A node that holds the items.
    #[inline]
    pub(super) fn node(&mut self, part: Part, items: &[Note], depth: u32) -> Result<Id, Kind> {
        let start = short(self.items.len())?;
        let len = short(items.len())?;
        let node = id(self.nodes.len())?;
        // Most nodes are born with a few items: a copy of their number is a call.
        if items.len() <= FEW {
            self.items.extend(items.iter().copied());
        } else {
            self.items.extend_from_slice(items);
        }
        self.nodes.push(Node {
            start,
            head: len,
            next: NONE,
            last: NONE,
            len: if part == Part::Args { 0 } else { len },
            depth,
            entry: NONE,
            user: NONE,
            via: NONE,
            part,
            unsettled: false,
            unbuilt: false,
            known: None,
        });
        Ok(node)
    }

    /// Adds items to a node.
    #[inline]
    pub(super) fn fill(&mut self, node: Id, part: Part, items: &[Note]) -> Result<(), Kind> {
        let start = short(self.items.len())?;
        let added = short(items.len())?;
        let Some(owner) = self.nodes.get_mut(index(node)) else {
            return Ok(());
        };
        if part != Part::State {
            owner.len = owner.len.checked_add(added).ok_or_else(full)?;
        }
        let next = short(self.spans.len())?;
        let (last_part, last_start, last_len, last_next) =
            match self.spans.get_mut(owner.last as usize) {
                Some(span) => (span.part, &mut span.start, &mut span.len, &mut span.next),
                None => (
                    owner.part,
                    &mut owner.start,
                    &mut owner.head,
                    &mut owner.next,
                ),
            };
        self.items.extend_from_slice(items);
        let adjoins = u64::from(*last_start) + u64::from(*last_len) == u64::from(start);
        if last_part == part && (*last_len == 0 || adjoins) {
            if *last_len == 0 {
                *last_start = start;
            }
            *last_len = last_len.checked_add(added).ok_or_else(full)?;
            return Ok(());
        }
        *last_next = next;
        owner.last = next;
        self.spans.push(Span {
            start,
            len: added,
            next: NONE,
            part,
        });
        Ok(())
    }

    /// A node by its index.
    #[inline]
    pub(super) fn get(&self, node: Id) -> Option<&Node> {
        self.nodes.get(index(node))
    }

    /// A node by its index.
    pub(super) fn get_mut(&mut self, node: Id) -> Option<&mut Node> {
        self.nodes.get_mut(index(node))
    }

    /// How many nodes there are.
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The spans of a node, in the order in which they came.
    pub(super) fn parts(&self, node: Id) -> impl Iterator<Item = (Part, &[Note])> {
        let mut next = self.get(node).map(|node| Span {
            start: node.start,
            len: node.head,
            next: node.next,
            part: node.part,
        });
        std::iter::from_fn(move || {
            let span = next?;
            next = self.spans.get(span.next as usize).copied();
            let start = span.start as usize;
            let items = self.items.get(start..start + span.len as usize);
            Some((span.part, items.unwrap_or_default()))
        })
    }

    /// The items of one part of a node.
    pub(super) fn items(&self, node: Id, part: Part) -> impl Iterator<Item = Note> {
        self.parts(node)
            .filter(move |(found, _)| *found == part)
            .flat_map(|(_, items)| items.iter().copied())
    }

    /// One item of a sequence.
    pub(super) fn item(&self, node: Id, index: usize) -> Option<Note> {
        let mut index = index;
        for (part, items) in self.parts(node) {
            if part == Part::Items {
                match items.get(index) {
                    Some(item) => return Some(*item),
                    None => index -= items.len(),
                }
            }
        }
        None
    }

    /// The items that a tuple, or a container filled at once, was made with.
    pub(super) fn head(&self, node: Id) -> &[Note] {
        let items = self.get(node).and_then(|node| {
            let start = node.start as usize;
            self.items.get(start..start + node.head as usize)
        });
        items.unwrap_or_default()
    }

    /// All that is in a node, if it is in one piece.
    #[inline]
    pub(super) fn whole(&self, node: Id) -> Option<&[Note]> {
        let next = self.get(node)?.next;
        (next == NONE).then(|| self.head(node))
    }

    /// Nesting of a value: 0 for an atom.
    #[inline]
    pub(super) fn depth(&self, note: Note) -> u32 {
        note.node()
            .and_then(|node| self.get(node))
            .map_or(0, |node| node.depth)
    }

    /// A float.
    #[inline]
    pub(super) fn float(&mut self, value: f64) -> Result<Note, Kind> {
        if !value.is_nan() {
            return Ok(Note::Float(Number(value.to_bits())));
        }
        self.nans = self.nans.checked_add(1).ok_or_else(full)?;
        Ok(Note::Nan(self.nans))
    }

    /// Keeps a complex.
    pub(super) fn add_complex(&mut self, real: f64, imaginary: f64) -> Result<Note, Kind> {
        let index = id(self.complexes.len())?;
        self.complexes.push((real, imaginary));
        Ok(Note::Complex(index))
    }

    /// A complex by its index.
    pub(super) fn complex(&self, index: Id) -> (f64, f64) {
        let found = self.complexes.get(self::index(index));
        found.copied().unwrap_or_default()
    }

    /// Keeps an int in two's complement, as a small one where it is.
    pub(super) fn long(&mut self, twos: Cow<'d, [u8]>) -> Result<Note, Kind> {
        let length = needed(&twos);
        if length <= 8 {
            return Ok(Note::Int(small(&twos)));
        }
        let twos = match twos {
            Cow::Borrowed(twos) => Cow::Borrowed(twos.get(..length).unwrap_or_default()),
            Cow::Owned(mut twos) => {
                twos.truncate(length);
                Cow::Owned(twos)
            }
        };
        let index = id(self.longs.len())?;
        self.longs.push(Long::new(twos));
        Ok(Note::Long(index))
    }

    /// A long int by its index.
    pub(super) fn get_long(&self, index: Id) -> Option<&Long<'d>> {
        self.longs.get(self::index(index))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_two_words() {
        assert_eq!(size_of::<Note>(), 16);
    }

    #[test]
    fn a_container_may_be_filled_in_pieces() {
        let mut arena = Arena::default();
        let list = arena.node(Part::Items, &[], 1).unwrap();
        let other = arena.node(Part::Items, &[Note::None], 1).unwrap();
        for value in 0..10 {
            arena.fill(list, Part::Items, &[Note::Int(value)]).unwrap();
            if value % 3 == 0 {
                arena.fill(other, Part::Items, &[Note::None]).unwrap();
            }
        }
        let expected: Vec<Note> = (0..10).map(Note::Int).collect();
        assert_eq!(arena.items(list, Part::Items).collect::<Vec<_>>(), expected);
        assert_eq!(arena.item(list, 9), Some(Note::Int(9)));
        assert_eq!(arena.item(list, 10), None);
        assert_eq!(arena.get(list).map(|node| node.len), Some(10));
        assert_eq!(arena.get(other).map(|node| node.len), Some(5));
    }
}
