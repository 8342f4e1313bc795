//! Where in the object a name is used: the shortest path from the result to it.
//!
//! One walk over all nodes, breadth first and without recursion, which ends as soon as every name has its path.

use std::fmt::Write as _;

use super::note::{self, Id, NOBODY, Note, Part};
use super::show::is_identifier;
use super::world::NoteWorld;

/// Steps of a path that are shown; of a longer one, the last of them.
pub(super) const STEPS: usize = 48;

/// How a value hangs on its parent.
#[derive(Clone, Copy)]
pub(super) enum Edge {
    /// The result itself; of a stream at fault, the value at the bottom of the stack.
    Root,
    /// A value that a stream at fault had not put anywhere yet.
    Pending,
    /// An item of a sequence.
    Index(u32),
    /// The value under a key.
    Key(Note),
    /// A key.
    KeyItself,
    /// An item of a set.
    Element,
    /// An attribute, by its name.
    Attribute(Note),
    /// State that is no dict of attributes.
    State,
    /// An argument of the call that made the value.
    Argument(u32),
    /// The persistent id of an external object.
    PersistentId,
}

#[derive(Clone, Copy)]
struct Step {
    value: Note,
    parent: usize,
    edge: Edge,
}

struct Walk<'w, 'd> {
    world: &'w NoteWorld<'d>,
    /// The queue and, since nothing leaves it, the table of parents.
    steps: Vec<Step>,
    seen: Vec<bool>,
}

impl NoteWorld<'_> {
    /// Gives every name and every refused value its path, as far as it is reached from the roots.
    pub(super) fn find_paths(&mut self, roots: &[Note]) {
        let mut left = self.uses.globals.len() + self.uses.waiting.len();
        if left == 0 {
            return;
        }
        let mut names: Vec<Option<String>> = vec![None; self.uses.globals.len()];
        let mut refused: Vec<(usize, String)> = Vec::new();
        let mut walk = Walk {
            world: self,
            steps: Vec::new(),
            seen: vec![false; self.notes.len()],
        };
        for (at, root) in roots.iter().enumerate() {
            let edge = if at == 0 { Edge::Root } else { Edge::Pending };
            walk.push(*root, 0, edge);
        }
        let mut at = 0;
        while let Some(step) = walk.steps.get(at).copied() {
            for user in walk.users(step.value) {
                if let Some(slot @ None) = names.get_mut(note::index(user)) {
                    *slot = Some(walk.path(at));
                    left -= 1;
                }
            }
            if let Some(refusal) = walk.refusal(step.value) {
                refused.push((refusal, walk.path(at)));
                left = left.saturating_sub(1);
            }
            if left == 0 {
                break;
            }
            walk.expand(at, step.value);
            at += 1;
        }
        for (used, path) in self.uses.globals.iter_mut().zip(names) {
            used.path = path;
        }
        for (refusal, path) in refused {
            if let Some(refusal) = self.uses.refusals.get_mut(refusal) {
                refusal.path = Some(path);
            }
        }
        for refusal in &mut self.uses.refusals {
            if refusal.path.is_none()
                && let Some(used) = refusal.global.and_then(|at| self.uses.globals.get(at))
            {
                refusal.path.clone_from(&used.path);
            }
        }
    }
}

impl Walk<'_, '_> {
    /// The names that a value is, or was made through.
    fn users(&self, value: Note) -> impl Iterator<Item = Id> + use<> {
        let pair = match value {
            Note::Global(index) | Note::Constructor(index) => [index, NOBODY],
            Note::Made(node) | Note::Fresh(node) => self
                .world
                .notes
                .get(node)
                .map_or([NOBODY; 2], |node| [node.user(), node.via()]),
            _ => [NOBODY; 2],
        };
        pair.into_iter().filter(|user| *user != NOBODY)
    }

    fn refusal(&self, value: Note) -> Option<usize> {
        let node = value.instance()?;
        self.world.uses.waiting.get(&node).copied()
    }

    /// Queues a value, unless it is an atom or was queued before.
    fn push(&mut self, value: Note, parent: usize, edge: Edge) {
        match (value, value.node()) {
            (Note::Global(_) | Note::Constructor(_), _) => {}
            (_, None) => return,
            (_, Some(node)) => match self.seen.get_mut(note::index(node)) {
                Some(seen @ false) => *seen = true,
                _ => return,
            },
        }
        self.steps.push(Step {
            value,
            parent,
            edge,
        });
    }

    fn expand(&mut self, at: usize, value: Note) {
        let Some(node) = value.node() else {
            return;
        };
        let world = self.world;
        let mut index = 0;
        for (part, items) in world.notes.parts(node) {
            match part {
                Part::Items if matches!(value, Note::Set(_) | Note::FrozenSet(_)) => {
                    for item in items {
                        self.push(*item, at, Edge::Element);
                    }
                }
                Part::Items => {
                    for item in items {
                        self.push(*item, at, Edge::Index(index));
                        index += 1;
                    }
                }
                Part::Pairs => self.pairs(at, items, Edge::Key),
                Part::Args => {
                    for (place, item) in (0..).zip(items) {
                        self.push(*item, at, Edge::Argument(place));
                    }
                }
                Part::State => {
                    for state in items {
                        self.state(at, *state);
                    }
                }
                Part::PersistentId => {
                    for id in items {
                        self.push(*id, at, Edge::PersistentId);
                    }
                }
            }
        }
    }

    fn pairs(&mut self, at: usize, pairs: &[Note], edge: impl Fn(Note) -> Edge) {
        for pair in pairs.chunks(2) {
            if let [key, value] = pair {
                self.push(*key, at, Edge::KeyItself);
                self.push(*value, at, edge(*key));
            }
        }
    }

    /// A dict of attributes, or a pair of those, reads as attributes of the instance.
    fn state(&mut self, at: usize, state: Note) {
        let world = self.world;
        let parts = match state {
            Note::Tuple(node) => match world.notes.head(node) {
                [
                    first @ (Note::None | Note::Dict(_)),
                    second @ (Note::None | Note::Dict(_)),
                ] => [*first, *second],
                _ => return self.push(state, at, Edge::State),
            },
            Note::Dict(_) => [state, Note::None],
            _ => return self.push(state, at, Edge::State),
        };
        for part in parts {
            let Note::Dict(node) = part else { continue };
            match self.seen.get_mut(note::index(node)) {
                Some(seen @ false) => *seen = true,
                _ => continue,
            }
            for (_, pairs) in world.notes.parts(node) {
                self.pairs(at, pairs, Edge::Attribute);
            }
        }
    }

    /// The path to a queued value: `$['clf'].coef_`.
    fn path(&self, at: usize) -> String {
        let mut edges = Vec::new();
        let mut next = at;
        let mut start = "$";
        while let Some(step) = self.steps.get(next) {
            match step.edge {
                Edge::Root => break,
                Edge::Pending => {
                    start = "$…";
                    break;
                }
                edge if edges.len() < STEPS => edges.push(edge),
                _ => {
                    start = "$…";
                    break;
                }
            }
            next = step.parent;
        }
        self.world.spell(start, edges.into_iter().rev())
    }
}

impl NoteWorld<'_> {
    /// A path as it is shown: `$['clf'].coef_`.
    pub(super) fn spell(&self, start: &str, edges: impl Iterator<Item = Edge>) -> String {
        let mut out = String::from(start);
        for edge in edges {
            self.write_edge(&mut out, edge);
        }
        out
    }

    fn write_edge(&self, out: &mut String, edge: Edge) {
        // Writing to a String does not fail.
        let _ = match edge {
            Edge::Root | Edge::Pending => Ok(()),
            Edge::Index(index) => write!(out, "[{index}]"),
            Edge::Key(key) => write!(out, "[{}]", self.show(key)),
            Edge::KeyItself => write!(out, ".<key>"),
            Edge::Element => write!(out, "{{…}}"),
            Edge::Attribute(Note::Str(index)) if is_identifier(self.notes.str(index)) => {
                write!(out, ".{}", self.notes.str(index))
            }
            Edge::Attribute(name) => write!(out, ".<{}>", self.show(name)),
            Edge::State => write!(out, ".<state>"),
            Edge::Argument(index) => write!(out, ".<arg {index}>"),
            Edge::PersistentId => write!(out, ".<persistent id>"),
        };
    }
}
