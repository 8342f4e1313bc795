//! Where in the object a stream was at work when a limit stopped it.
//!
//! The stack as it stood before that instruction is made again, from the bytes up to there; then the instructions that
//! follow are read, not executed, until they have put the value in hand into the result. Linear in the bytes: what came
//! before was within its limits once, hashes are not computed again, and of a path no more steps are looked for than are
//! shown.

use super::note::{Note, Part};
use super::path::{Edge, STEPS};
use super::world::NoteWorld;
use super::{Options, Seed, seed};
use crate::error::Kind;
use crate::machine::budget::{Budget, Limits};
use crate::machine::{Failure, Machine};
use crate::policy::Policy;
use crate::stream::{Op, Reader, opcode};

/// Bytes of FRAME and its length.
const FRAME: u64 = 9;

/// The path to the value that the instruction at byte `at` was about to make or to fill.
pub fn place<'a>(
    data: &'a [u8],
    at: u64,
    policy: &'a Policy,
    options: &'a Options,
    memo: &[(u64, Seed<'a>)],
) -> Option<String> {
    let end = usize::try_from(at).ok()?;
    let (before, after) = data.split_at_checked(end)?;
    let mut world = NoteWorld::new(before, policy, options);
    world.unpriced = true;
    let mut machine = Machine::new(Budget::new(Limits::unlimited()));
    seed(&mut world, &mut machine, memo).ok()?;
    let mut reader = Reader::new(before);
    // A frame that goes on behind the instruction is no longer whole: its end was checked the first time.
    while let Err(Failure::Stream(error)) = machine.run(&mut world, &mut reader) {
        if reader.code() != opcode::FRAME || !matches!(error.kind, Kind::Truncated { .. }) {
            break;
        }
        let body = usize::try_from(error.at + FRAME).ok()?;
        reader = Reader::resume(before, body, 0, None);
    }
    let mut hand = Hand {
        world: &world,
        stack: machine.stack(),
        marks: machine.marks().to_vec(),
        height: machine.stack().len(),
        focus: 0,
        edges: Vec::new(),
    };
    let start = hand.follow(&mut Reader::new(after));
    Some(world.spell(start, hand.edges.into_iter().rev()))
}

/// How a value goes on when an instruction takes it from the stack.
#[derive(Clone, Copy, PartialEq)]
enum How {
    /// It goes nowhere.
    Gone,
    /// It becomes another value in its place.
    Turned,
    /// An item of a sequence below it.
    Item,
    /// A key or a value of a dict below it.
    Pair,
    /// An item of a set below it.
    Element,
    /// An item of a new sequence.
    NewItem,
    /// A key or a value of a new dict.
    NewPair,
    /// An item of a new frozenset.
    NewElement,
    /// A callable, its tuple of arguments, its keywords.
    Call,
    /// An argument, so many other values before the first.
    Argument(usize),
    /// The state of the instance below it.
    State,
    /// A persistent id.
    PersistentId,
}

/// The value in hand, and where it has come.
struct Hand<'w, 'd> {
    world: &'w NoteWorld<'d>,
    /// As it stood before the instruction.
    stack: &'w [Note],
    marks: Vec<usize>,
    height: usize,
    /// Where on the stack the value is.
    focus: usize,
    /// From the value outwards.
    edges: Vec<Edge>,
}

impl Hand<'_, '_> {
    /// Follows the value outwards. Returns how its path starts.
    fn follow(&mut self, reader: &mut Reader<'_>) -> &'static str {
        match reader.next_op() {
            Ok(Op::Stop) | Err(_) => {}
            Ok(op) => {
                if self.execute(op).is_none() {
                    return PENDING;
                }
            }
        }
        self.focus = self.height.saturating_sub(1);
        while self.edges.len() < STEPS {
            let Ok(op) = reader.next_op() else {
                return self.guess();
            };
            if op == Op::Stop {
                return if self.focus == 0 { ROOT } else { PENDING };
            }
            let before = self.height;
            let Some((from, how)) = self.execute(op) else {
                return PENDING;
            };
            if (from..before).contains(&self.focus) && !self.take(from, how) {
                return PENDING;
            }
        }
        PENDING
    }

    /// What an instruction takes from the stack: everything from there up. `None`: more than there is.
    fn execute(&mut self, op: Op<'_>) -> Option<(usize, How)> {
        let top = |height: usize, count: usize| height.checked_sub(count);
        let (from, pushed, how) = match op {
            Op::Mark => {
                self.marks.push(self.height);
                (self.height, 0, How::Gone)
            }
            Op::Pop if self.marks.last() == Some(&self.height) => (self.marks.pop()?, 0, How::Gone),
            Op::Pop => (top(self.height, 1)?, 0, How::Gone),
            Op::PopMark => (self.marks.pop()?, 0, How::Gone),
            Op::Put(_) | Op::Memoize | Op::Proto(_) | Op::Frame(_) | Op::Stop => {
                (self.height, 0, How::Gone)
            }
            Op::Append => (top(self.height, 1)?, 0, How::Item),
            Op::Appends => (self.marks.pop()?, 0, How::Item),
            Op::SetItem => (top(self.height, 2)?, 0, How::Pair),
            Op::SetItems => (self.marks.pop()?, 0, How::Pair),
            Op::AddItems => (self.marks.pop()?, 0, How::Element),
            Op::TupleOf(count) => (top(self.height, count.into())?, 1, How::NewItem),
            Op::Tuple | Op::List => (self.marks.pop()?, 1, How::NewItem),
            Op::Dict => (self.marks.pop()?, 1, How::NewPair),
            Op::FrozenSet => (self.marks.pop()?, 1, How::NewElement),
            Op::StackGlobal => (top(self.height, 2)?, 1, How::Turned),
            Op::Reduce | Op::NewObj => (top(self.height, 2)?, 1, How::Call),
            Op::NewObjEx => (top(self.height, 3)?, 1, How::Call),
            Op::Inst(..) => (self.marks.pop()?, 1, How::Argument(0)),
            Op::Obj => (self.marks.pop()?, 1, How::Argument(1)),
            Op::Build => (top(self.height, 1)?, 0, How::State),
            Op::BinPersId => (top(self.height, 1)?, 1, How::PersistentId),
            Op::ReadonlyBuffer => (top(self.height, 1)?, 1, How::Turned),
            _ => (self.height, 1, How::Turned),
        };
        self.height = from + pushed;
        Some((from, how))
    }

    /// The value is taken: its next step, and where it is then. `false`: it goes nowhere.
    fn take(&mut self, from: usize, how: How) -> bool {
        let place = self.focus - from;
        let below = from.checked_sub(1);
        let (edge, next) = match how {
            How::Gone => return false,
            How::Turned => (None, Some(from)),
            How::Item => {
                let before = below.map_or(0, |below| self.length(below));
                (Some(index(before + place)), below)
            }
            How::Pair => (Some(self.pair(place)), below),
            How::Element => (Some(Edge::Element), below),
            How::NewItem => (Some(index(place)), Some(from)),
            How::NewPair => (Some(self.pair(place)), Some(from)),
            How::NewElement => (Some(Edge::Element), Some(from)),
            How::Call => {
                if let (1, Some(Edge::Index(at))) = (place, self.edges.last().copied()) {
                    self.edges.pop();
                    self.edges.push(Edge::Argument(at));
                }
                (None, Some(from))
            }
            How::Argument(others) => match place.checked_sub(others) {
                Some(at) => (Some(argument(at)), Some(from)),
                None => (None, Some(from)),
            },
            How::State => (Some(self.state()), below),
            How::PersistentId => (Some(Edge::PersistentId), Some(from)),
        };
        self.edges.extend(edge);
        match next {
            Some(next) => {
                self.focus = next;
                true
            }
            None => false,
        }
    }

    /// A dict of attributes, or the second of a pair of those, reads as attributes of the instance.
    fn state(&mut self) -> Edge {
        if let Some(Edge::Index(0 | 1)) = self.edges.last() {
            let pair = self.edges.pop();
            if !matches!(self.edges.last(), Some(Edge::Key(_))) {
                self.edges.extend(pair);
                return Edge::State;
            }
        }
        match self.edges.last().copied() {
            Some(Edge::Key(name)) => {
                self.edges.pop();
                Edge::Attribute(name)
            }
            _ => Edge::State,
        }
    }

    fn pair(&self, place: usize) -> Edge {
        match self.focus.checked_sub(1).and_then(|at| self.stack.get(at)) {
            Some(key) if place % 2 == 1 => Edge::Key(*key),
            _ => Edge::KeyItself,
        }
    }

    /// Items that a sequence has already.
    fn length(&self, at: usize) -> usize {
        let node = self.stack.get(at).and_then(|value| value.node());
        node.map_or(0, |node| self.world.notes.items(node, Part::Items).count())
    }

    /// The bytes end here: from what is on the stack, how it most likely goes on.
    fn guess(&mut self) -> &'static str {
        while self.edges.len() < STEPS {
            while self.marks.last().is_some_and(|mark| *mark > self.focus) {
                self.marks.pop();
            }
            let floor = self.marks.last().copied();
            let here = |at: Option<usize>| at.and_then(|at| self.stack.get(at)).copied();
            let under = here(self.focus.checked_sub(1));
            let known = match (floor, here(floor.and_then(|floor| floor.checked_sub(1)))) {
                _ if matches!(under, Some(Note::List(_))) && self.length(self.focus - 1) == 0 => {
                    (self.focus, How::Item)
                }
                (Some(floor), Some(Note::List(_))) => (floor, How::Item),
                (Some(floor), Some(Note::Dict(_))) => (floor, How::Pair),
                (Some(floor), Some(Note::Set(_))) => (floor, How::Element),
                (Some(floor), _) => {
                    self.marks.pop();
                    (floor, How::NewItem)
                }
                (None, _) if self.focus == 0 => return ROOT,
                (None, _) if matches!(under, Some(Note::List(_))) => (self.focus, How::Item),
                (None, _) if matches!(under, Some(Note::Made(_) | Note::Fresh(_))) => {
                    (self.focus, How::State)
                }
                (None, _) => match here(self.focus.checked_sub(2)) {
                    Some(Note::Dict(_)) => (self.focus - 1, How::Pair),
                    _ => return PENDING,
                },
            };
            if !self.take(known.0, known.1) {
                return PENDING;
            }
        }
        PENDING
    }
}

/// The result.
const ROOT: &str = "$";
/// A value that goes nowhere, or too far away to say where.
const PENDING: &str = "$…";

fn index(at: usize) -> Edge {
    Edge::Index(u32::try_from(at).unwrap_or(u32::MAX))
}

fn argument(at: usize) -> Edge {
    Edge::Argument(u32::try_from(at).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The path to what the instruction at the byte `|` was at work on; the byte itself is left out.
    fn path(marked: &[u8]) -> String {
        let at = marked.iter().position(|byte| *byte == b'|').unwrap();
        let data = [&marked[..at], &marked[at + 1..]].concat();
        place(&data, at as u64, Policy::std(), &Options::default(), &[]).unwrap()
    }

    #[test]
    fn the_value_in_hand_is_followed_into_the_result() {
        assert_eq!(path(b"|]."), "$");
        assert_eq!(path(b"|\x80\x04(1](N1."), "$");
        assert_eq!(path(b"](NN|]NNe."), "$[2]");
        assert_eq!(path(b"](NNe(N|]e."), "$[3]");
        assert_eq!(path(b"}X\x01\0\0\0a](NNN|]Nes."), "$['a'][3]");
        assert_eq!(path(b"}(K\x01NK\x02](Ne|u."), "$");
        assert_eq!(path(b"}(K\x01NK\x02](N|eu."), "$[2]");
        assert_eq!(path(b"}N|]s."), "$[None]");
        assert_eq!(path(b"}|)Ns."), "$.<key>");
        assert_eq!(path(b"N|]\x86."), "$[1]");
        assert_eq!(path(b"(|]NNNt."), "$[0]");
        assert_eq!(path(b"|]\x85N\x86."), "$[0][0]");
        assert_eq!(path(b"(|]NNl\x85."), "$[0][0]");
        assert_eq!(path(b"(NN|]t."), "$[2]");
        assert_eq!(path(b"(K\x07|]d."), "$[7]");
        assert_eq!(path(b"\x8f(N|)\x90."), "${…}");
        assert_eq!(path(b"](|]]\x94h\x00e."), "$[0]");
    }

    #[test]
    fn calls_and_state_read_as_the_instance() {
        let deque = b"ccollections\ndeque\n";
        let with = |rest: &[u8]| path(&[deque, rest].concat());
        assert_eq!(with(b"|]\x85R."), "$.<arg 0>");
        assert_eq!(with(b"(N|]tR."), "$.<arg 1>");
        assert_eq!(with(b")R}X\x01\0\0\0a|]sb."), "$.a");
        assert_eq!(with(b")RN}X\x01\0\0\0a|]s\x86b."), "$.a");
        assert_eq!(with(b")R|]b."), "$.<state>");
        assert_eq!(with(b")R(NN|]e."), "$[2]");
        assert_eq!(path(b"(N|]icollections\ndeque\n."), "$.<arg 1>");
    }

    #[test]
    fn what_goes_nowhere_or_too_far_says_so() {
        assert_eq!(path(b"N|]0."), "$…");
        assert_eq!(path(b"N|]."), "$…");
        let deep = [
            b"]".repeat(100),
            b"|]".to_vec(),
            b"a".repeat(100),
            b".".to_vec(),
        ]
        .concat();
        assert_eq!(path(&deep), format!("$…{}", "[0]".repeat(STEPS)));
    }

    #[test]
    fn a_frame_that_is_cut_is_still_read() {
        let data = b"\x80\x04\x95\x06\0\0\0\0\0\0\0](NN|]e.";
        assert_eq!(path(data), "$[2]");
    }

    #[test]
    fn without_what_follows_the_stack_alone_must_do() {
        assert_eq!(path(b"}(K\x01](NN|]"), "$[1][2]");
        assert_eq!(path(b"}K\x01](NN|]"), "$[1][2]");
        assert_eq!(path(b"]|]"), "$[0]");
        assert_eq!(path(b"(|]"), "$[0]");
        assert_eq!(path(b"|]"), "$");
        assert_eq!(path(b"(N(N|]"), "$[1][1]");
        assert_eq!(path(b"NN|]"), "$…");
    }
}
