//! Room that one inspection leaves to the next.
//!
//! What notes are written to is touched for the first time page by page, and copied as it grows: a third of the time
//! that a pickle of 3 MB takes. One inspection at a time finds the room of an earlier one, emptied; those beside it get
//! their own and give it back to the system. It holds nothing that a pickle decides: only its size does, up to a bound.

use std::sync::Mutex;

use super::note::{Arena, Node, Note, Span};
use crate::machine::Machine;
use crate::machine::budget::Limits;

/// Notes that room is kept for: 8 MiB of items, which some 3 MB of JSON-like pickle come to.
const ITEMS: usize = 1 << 19;
/// Nodes, at 2.5 MiB, and spans, at 1 MiB: few pickles have more than one for eight items. As many values on the stack,
/// at 1 MiB, for picklers write a thousand items at a time.
const NODES: usize = 1 << 16;
/// Values in the memo, at 4 MiB: every other item, at most, was memoized first.
const MEMO: usize = 1 << 18;

/// What was left, at most 17 MiB in all; `None`: nothing was, or someone has it.
static LEFT: Mutex<Option<Box<Room>>> = Mutex::new(None);

/// A machine, and vectors for an arena; all are empty.
#[derive(Debug, Default)]
pub(super) struct Room {
    pub(super) machine: Machine<Note>,
    items: Vec<Note>,
    nodes: Vec<Node>,
    spans: Vec<Span>,
}

impl Room {
    /// The room that was left, or a new one; its machine is ready for a pickle of `bytes` under the limits.
    // No one waits: not for another thread, nor for one that a fork has left behind.
    pub(super) fn take(limits: &Limits, bytes: u64) -> Box<Self> {
        let left = LEFT.try_lock().ok().and_then(|mut left| left.take());
        let mut room = left.unwrap_or_default();
        room.machine.reset(limits, bytes);
        room
    }

    /// Lends the vectors to an arena.
    pub(super) fn furnish(&mut self, notes: &mut Arena<'_>) {
        notes.items = std::mem::take(&mut self.items);
        notes.nodes = std::mem::take(&mut self.nodes);
        notes.spans = std::mem::take(&mut self.spans);
    }

    /// Empties everything and leaves it to the next inspection.
    pub(super) fn leave(mut self: Box<Self>, notes: Arena<'_>) {
        self.machine.clear_to(NODES, MEMO);
        self.items = emptied(notes.items, ITEMS);
        self.nodes = emptied(notes.nodes, NODES);
        self.spans = emptied(notes.spans, NODES);
        if let Ok(mut left) = LEFT.try_lock() {
            *left = Some(self);
        }
    }
}

fn emptied<T>(mut vector: Vec<T>, most: usize) -> Vec<T> {
    vector.clear();
    vector.shrink_to(most);
    vector
}

#[cfg(test)]
mod tests {
    use super::super::{Options, inspect};
    use super::*;
    use crate::policy::Policy;

    #[test]
    fn room_is_bounded_and_empty() {
        // A million items, memoized, above a million marks.
        let mut data = b"(".repeat(1 << 20);
        data.extend_from_slice(b"]\x94(");
        data.extend(b"K\x01\x94".repeat(1 << 20));
        data.extend_from_slice(b"e.");
        let options = Options {
            limits: Limits::unlimited(),
            ..Options::default()
        };
        for _ in 0..2 {
            let found = inspect(&data, Policy::plain(), &options);
            assert_eq!((found.fault, found.memo), (None, (1 << 20) + 1));
        }
        let room = Room::take(&Limits::default(), 0);
        assert!(room.machine.stack().is_empty() && room.machine.memo().is_empty());
        assert!(room.items.is_empty() && room.nodes.is_empty() && room.spans.is_empty());
        assert!(room.items.capacity() <= ITEMS && room.nodes.capacity() <= NODES);
        assert_eq!(room.machine.protocol(), 0);
        assert_eq!(room.machine.budget().spent().memory, 0);
    }

    #[test]
    fn nothing_of_an_earlier_pickle_is_seen() {
        let options = Options::default();
        let look = |data: &[u8]| inspect(data, Policy::std(), &options);
        let first = look(b"\x80\x04]\x94(K\x01\x8c\x01a\x94e.");
        assert!(first.allowed());
        for broken in [&b"h\x00."[..], b"0.", b"e.", b"."] {
            assert!(look(broken).fault.is_some());
        }
        assert_eq!(look(b"N.").protocol, 0);
    }
}
