//! BUILD: state given to what this stream made.

use super::note::{Id, NOBODY, Node, Note, Part};
use super::world::{NoteWorld, Stop};
use crate::error::Kind;
use crate::machine::budget::Budget;
use crate::machine::world::Site;
use crate::policy::{Attempt, EntryId, Look, Meaning, Native, Plan, Refusal, Rights};

impl NoteWorld<'_> {
    /// BUILD.
    pub(super) fn give_state(
        &mut self,
        site: Site,
        budget: &mut Budget,
        object: &mut Note,
        state: Note,
    ) -> Result<(), Stop> {
        let (node, fresh) = match *object {
            Note::Made(node) => (node, false),
            Note::Fresh(node) => (node, true),
            Note::Global(index) | Note::Constructor(index) => {
                let refusal = Refusal {
                    attempt: "given state",
                    why: "a class or function is never written to".into(),
                };
                self.settle(state);
                self.uses.refuse(site, index, refusal, None);
                return Ok(());
            }
            other => {
                let kind = Kind::BadTarget(format!(
                    "{} may not be given state: only an instance that this stream made may",
                    self.view(&other).describe()
                ));
                self.settle(state);
                self.uses.refuse_value(site, kind, "given state");
                return Ok(());
            }
        };
        let built = *object;
        *object = Note::Made(node);
        self.charge(budget, &[state])?;
        if let Note::Tuple(parts) = state {
            // Slot state, and the arguments that a partial object binds.
            let parts = self.notes.head(parts);
            self.charge(budget, parts.get(..4).unwrap_or(parts))?;
        }
        self.charge_copy(budget, state)?;
        self.chain_inside(budget, *object, state)?;
        let depth = self.notes.depth(state) + 1;
        budget.depth(depth)?;
        let cost = self.judge_state(site, built, (node, fresh), state);
        budget.memory(cost)?;
        let entry = self.notes.get(node).and_then(Node::entry);
        if !entry.is_some_and(|entry| self.is_opaque(entry)) {
            self.notes.fill(node, Part::State, &[state])?;
        }
        if let Some(made) = self.notes.get_mut(node) {
            made.depth = made.depth.max(depth);
        }
        Ok(())
    }

    /// Asks the policy; returns what the contract reads, or the length of what a refusal quotes, which must cost as much
    /// as it says.
    fn judge_state(
        &mut self,
        site: Site,
        object: Note,
        (node, fresh): (Id, bool),
        state: Note,
    ) -> u64 {
        let Some((entry, user)) = self.notes.get(node).map(|node| (node.entry(), node.user()))
        else {
            return 0;
        };
        self.uses.record(user, Rights::STATE);
        let Some(entry) = entry else {
            self.settle(state);
            return 0;
        };
        let policy = self.policy;
        let target = policy.entry(entry);
        let meaning = target.meaning;
        if meaning != Meaning::Native(Native::Partial) {
            self.settle(state);
        }
        let judged = if fresh || self.policy.may_build_again(entry) {
            let attempt = match target.numpy() {
                Some(_) => Attempt::Build(&object, &state),
                None => Attempt::State(&state),
            };
            policy.judge(self, entry, attempt)
        } else {
            Err(Refusal {
                attempt: "given state",
                why: "an instance is given state only once, by the opcodes that made it".into(),
            })
        };
        match judged {
            Ok(Plan::PartialNew { class }) => self.bind_partial(node, class, state),
            Ok(plan) => {
                self.note_known(object, plan);
                if let Some(made) = self.notes.get_mut(node) {
                    made.unbuilt = false;
                }
                return plan.reads();
            }
            Err(_) if self.is_nothing(state) => {}
            Err(refusal) => {
                let quoted = refusal.why.len() as u64;
                self.uses.refuse(site, user, refusal, Some(node));
                if let Some(made) = self.notes.get_mut(node) {
                    made.unbuilt = false;
                }
                return quoted;
            }
        }
        0
    }

    /// `(cls.__new__, (cls, *args), kwargs, None)` was judged: the partial object stands for that instance.
    fn bind_partial(&mut self, node: Id, class: EntryId, state: Note) {
        let bound = Look::item(self, &state, 1).unwrap_or_default();
        let args: Vec<Note> = bound
            .node()
            .map(|node| self.notes.head(node).to_vec())
            .unwrap_or_default();
        self.settle_args(&args, 1);
        if let Some(keywords) = Look::item(self, &state, 2) {
            self.settle(keywords);
        }
        let user = args.first().map_or(NOBODY, |class| self.user(*class));
        let keywords =
            Look::item(self, &state, 2).map_or(0, |keywords| self.pairs(&keywords).len() * 2);
        let bound = (args.len().saturating_sub(1) + keywords) as u64;
        self.partials.insert(node, (class, user, bound));
    }
}
