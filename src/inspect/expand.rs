//! `max_expanded`: how large the result is to whoever walks it without remembering where it was.
//!
//! Repr, comparison and copying visit a shared value each time it is reached: 60 levels of `t = (t, t)` are 125 bytes and
//! 2^60 visits. The sum is taken over the notes, iteratively, each node once, saturating; what contains itself has no
//! bound.

use std::collections::HashMap;

use super::note::{Id, Note};
use super::world::NoteWorld;
use crate::error::Kind;
use crate::machine::budget::over;

/// What is known of a node.
#[derive(Clone, Copy)]
enum Size {
    /// It is being looked at: whoever reaches it now is inside it.
    Open,
    /// So many values, itself included.
    Known(u64),
}

impl NoteWorld<'_> {
    /// The refusal of a result of more values than `maximum`, each counted as often as it can be reached.
    pub(super) fn expanded_beyond(&self, root: Note, maximum: u64) -> Option<Kind> {
        let size = self.expanded(root);
        (size > maximum).then(|| over("max_expanded", size, maximum))
    }

    fn expanded(&self, root: Note) -> u64 {
        let Some(root) = root.node() else { return 1 };
        let mut sizes: HashMap<Id, Size> = HashMap::new();
        let mut open = vec![root];
        while let Some(node) = open.last().copied() {
            match sizes.get(&node) {
                Some(Size::Known(_)) => {
                    open.pop();
                }
                Some(Size::Open) => {
                    open.pop();
                    let size = self.sum(node, &sizes);
                    sizes.insert(node, Size::Known(size));
                }
                None => {
                    sizes.insert(node, Size::Open);
                    let nodes = self.children(node).filter_map(Note::node);
                    open.extend(nodes.filter(|child| !sizes.contains_key(child)));
                }
            }
        }
        match sizes.get(&root) {
            Some(Size::Known(size)) => *size,
            _ => u64::MAX,
        }
    }

    fn children(&self, node: Id) -> impl Iterator<Item = Note> {
        self.notes
            .parts(node)
            .flat_map(|(_, items)| items.iter().copied())
    }

    /// A child that is still open contains this node: there is no end to it.
    fn sum(&self, node: Id, sizes: &HashMap<Id, Size>) -> u64 {
        self.children(node).fold(1, |sum: u64, child| {
            let size = match child.node().map(|node| sizes.get(&node)) {
                None => 1,
                Some(Some(Size::Known(size))) => *size,
                Some(_) => u64::MAX,
            };
            sum.saturating_add(size)
        })
    }
}

#[cfg(test)]
mod tests {
    use crate::error::Kind;
    use crate::inspect::{Options, check};
    use crate::machine::budget::Limits;
    use crate::policy::Policy;

    fn refused(data: &[u8], maximum: u64) -> Option<u64> {
        let options = Options {
            limits: Limits {
                max_expanded: Some(maximum),
                ..Limits::default()
            },
            ..Options::default()
        };
        match check(data, Policy::std(), &options, &[]).fault?.kind {
            Kind::Limit {
                limit: "max_expanded",
                value,
                ..
            } => Some(value),
            other => panic!("{other}"),
        }
    }

    #[test]
    fn shared_values_count_each_time() {
        let mut bomb = b"\x80\x04N".to_vec();
        for _ in 0..80 {
            bomb.extend_from_slice(b"2\x86");
        }
        bomb.push(b'.');
        assert_eq!(refused(&bomb, 1_000_000), Some(u64::MAX));
        assert_eq!(refused(b"\x80\x04](NN]\x94h\x00e.", 5), None);
        assert_eq!(refused(b"\x80\x04](NN]\x94h\x00e.", 4), Some(5));
        assert_eq!(refused(b"N.", 0), Some(1));
    }

    #[test]
    fn what_contains_itself_has_no_size() {
        assert_eq!(refused(b"\x80\x04]\x94h\x00a.", 1_000_000), Some(u64::MAX));
        // A cycle that is reached from outside it, whichever of its nodes comes first.
        let data = b"\x80\x04]\x94]\x94h\x00ah\x01a.";
        assert_eq!(refused(data, 1_000_000), Some(u64::MAX));
    }

    #[test]
    fn depth_is_no_matter() {
        let mut deep = b"\x80\x04".to_vec();
        deep.extend(std::iter::repeat_n(b']', 9_000));
        deep.extend(std::iter::repeat_n(b'a', 8_999));
        deep.push(b'.');
        assert_eq!(refused(&deep, 8_999), Some(9_000));
        assert_eq!(refused(&deep, 9_000), None);
    }
}
