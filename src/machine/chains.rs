//! Chains of objects that the interpreter frees recursively.
//!
//! A deque in a deque, a defaultdict in a defaultdict, an exception in an exception's attribute: freeing the outermost
//! goes down the C stack once for each, and about 75,000 of them overflow 8 MB. The other containers put themselves off
//! (`Py_TRASHCAN_BEGIN`). The nesting that values carry is not enough to bound this: a copy in the memo keeps the depth
//! of when it was put, so a chain can grow under it unseen. Both worlds tell every direct link here instead.

use std::collections::{HashMap, HashSet};

use super::budget::{Budget, COUNTED, over};
use crate::error::Kind;

/// Links that any chain may have: even with a container that puts itself off between each such chain, and 10,000 of
/// those open at once as from Python 3.13 on, the stack is not used up.
const FREE: u64 = 8;

/// What is known of the objects of one load that are freed recursively.
///
/// A link into an object that nothing holds yet makes that object's chain longer, exactly. A link into one that is held
/// already may make the chain of any holder longer, so it counts for all: no chain is ever longer than the highest
/// known one and all those late links together.
#[derive(Debug, Default)]
pub struct Chains {
    heights: HashMap<u64, u64>,
    held: HashSet<u64>,
    late: u64,
    long: u64,
}

impl Chains {
    /// `child` goes into `parent`; both are freed recursively.
    pub fn link(&mut self, budget: &Budget, parent: u64, child: u64) -> Result<(), Kind> {
        if !COUNTED {
            return Ok(());
        }
        let below = self.heights.get(&child).copied().unwrap_or(0) + 1;
        let is_late = self.held.contains(&parent);
        if is_late {
            self.late = self.late.saturating_add(below);
        } else {
            let height = self.heights.entry(parent).or_default();
            *height = below.max(*height);
        }
        self.held.insert(child);
        if below.saturating_add(self.late) > FREE {
            self.long = self.long.saturating_add(if is_late { below } else { 1 });
            let maximum = u64::from(budget.limits().max_depth);
            if self.long > maximum {
                return Err(over("max_depth", self.long, maximum));
            }
        }
        Ok(())
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        if !self.held.is_empty() {
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::budget::Limits;

    fn budget() -> Budget {
        Budget::new(Limits {
            max_depth: 100,
            ..Limits::default()
        })
    }

    fn first_refusal(links: impl Iterator<Item = (u64, u64)>) -> Option<usize> {
        let (mut chains, budget) = (Chains::default(), budget());
        let mut links = links;
        links.position(|(parent, child)| chains.link(&budget, parent, child).is_err())
    }

    #[test]
    fn a_chain_is_bounded_from_either_end_and_from_the_middle() {
        let up = first_refusal((0..10_000).map(|at| (at + 1, at)));
        let down = first_refusal((0..10_000).map(|at| (at, at + 1)));
        assert!(up.is_some_and(|links| links < 120), "{up:?}");
        assert!(down.is_some_and(|links| links < 120), "{down:?}");
        // Short chains first, then chained to one another.
        let pieces = (0..10_000u64)
            .filter(|at| at % 8 != 7)
            .map(|at| (at + 1, at));
        let joints = (1..1_250u64).map(|piece| (piece * 8, piece * 8 - 1));
        let middle = first_refusal(pieces.clone().chain(joints));
        let links = pieces.count();
        assert!(middle.is_some_and(|at| at < links + 120), "{middle:?}");
    }

    #[test]
    fn many_short_chains_are_no_long_one() {
        assert_eq!(first_refusal((1..100_000).map(|child| (0, child))), None);
        let pairs = (0..100_000u64).map(|at| (at, at + 1_000_000));
        assert_eq!(first_refusal(pairs), None);
    }

    #[test]
    fn a_cycle_is_no_endless_chain() {
        let (mut chains, budget) = (Chains::default(), budget());
        chains.link(&budget, 1, 2).unwrap();
        chains.link(&budget, 2, 1).unwrap();
        chains.link(&budget, 3, 1).unwrap();
    }
}
