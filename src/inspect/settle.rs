//! What may stand where: names as values, keys, items of what is filled.

use std::borrow::Cow;

use super::calls::Noted;
use super::note::{self, Id, NOBODY, Note, Part};
use super::survey;
use super::world::{NoteWorld, Stop};
use crate::error::Kind;
use crate::machine::budget::Budget;
use crate::machine::hashing;
use crate::machine::world::Site;
use crate::policy::{Attempt, EntryId, Look, MAX_NAME_LENGTH, Refusal, Rights};

impl NoteWorld<'_> {
    /// The nesting of a container of the items, each of which may stand as a value.
    #[inline]
    pub(super) fn settle_all(&mut self, budget: &mut Budget, items: &[Note]) -> Result<u32, Stop> {
        let mut depth = 0;
        for item in items {
            if item.is_atom() {
                continue;
            }
            depth = depth.max(self.notes.depth(*item));
            self.settle(*item);
        }
        budget.depth(depth + 1)?;
        Ok(depth + 1)
    }

    /// A value stands in the result, in a container, in a state: may it?
    pub(super) fn settle(&mut self, value: Note) {
        match value {
            Note::Global(index) => {
                self.uses.record(index, Rights::REFERENCE);
                if !self.stands(index) {
                    self.refuse_standing(index);
                }
            }
            Note::Constructor(index) => self.refuse_standing(index),
            Note::Tuple(node) if self.notes.get(node).is_some_and(|node| node.unsettled) => {
                self.settle_tuple(node);
            }
            Note::Made(node) | Note::Fresh(node) => self.settle_made(node),
            _ => {}
        }
    }

    /// Whether the name may stand as a value. A forbidden one was refused already.
    pub(super) fn stands(&mut self, index: Id) -> bool {
        let policy = self.policy;
        if self.uses.brief.is_some() {
            return note::entry(index).is_some_and(|entry| policy.may_stand(entry).is_ok());
        }
        let Some(used) = self.uses.get_mut(index) else {
            return true;
        };
        let Some(entry) = used.entry else {
            return true;
        };
        *used
            .stands
            .get_or_insert_with(|| policy.may_stand(entry).is_ok())
    }

    #[cold]
    fn refuse_standing(&mut self, index: Id) {
        if self.uses.refuse_briefly() {
            return;
        }
        let Some((entry, site)) = self.uses.get(index).map(|used| {
            let site = Site {
                at: used.offset,
                code: survey::code_of(used.opcode),
                protocol: 0,
            };
            (used.entry, site)
        }) else {
            return;
        };
        let refusal = entry.and_then(|entry| self.policy.may_stand(entry).err());
        let refusal = refusal.unwrap_or_else(|| Refusal {
            attempt: "mentioned",
            why: "its __new__ is no value".into(),
        });
        self.uses.refuse(site, index, refusal, None);
    }

    /// The names in a tuple that turns out to be a value, at whatever depth; each tuple is asked once.
    #[cold]
    fn settle_tuple(&mut self, node: Id) {
        let mut open = vec![node];
        while let Some(node) = open.pop() {
            match self.notes.get_mut(node) {
                Some(tuple) if tuple.unsettled => tuple.unsettled = false,
                _ => continue,
            }
            let items: Vec<Note> = self.notes.head(node).to_vec();
            for item in items {
                match item {
                    Note::Tuple(inner) => open.push(inner),
                    other => self.settle(other),
                }
            }
        }
    }

    pub(super) fn settle_made(&mut self, node: Id) {
        let Some(made) = self.notes.get_mut(node) else {
            return;
        };
        if made.unbuilt {
            made.unbuilt = false;
            let user = made.user();
            let refusal = Refusal {
                attempt: "mentioned",
                why: "an instance of it is nothing before BUILD".into(),
            };
            if self.uses.refuse_briefly() {
                return;
            }
            if let Some(used) = self.uses.get(user) {
                let site = Site {
                    at: used.offset,
                    code: survey::code_of(used.opcode),
                    protocol: 0,
                };
                self.uses.refuse(site, user, refusal, Some(node));
            }
        }
    }

    /// Notes that instances go into an instance, where both are freed recursively.
    #[inline]
    pub(super) fn chain(
        &mut self,
        budget: &Budget,
        parent: Note,
        items: &[Note],
    ) -> Result<(), Stop> {
        let Some(above) = self.chained(parent) else {
            return Ok(());
        };
        for item in items {
            if let Some(below) = self.chained(*item) {
                self.chains.link(budget, above, below)?;
            }
        }
        Ok(())
    }

    /// As [`Self::chain`], for what stands in a list or a dict that an instance is made of.
    pub(super) fn chain_inside(
        &mut self,
        budget: &Budget,
        parent: Note,
        container: Note,
    ) -> Result<(), Stop> {
        if self.chained(parent).is_none() {
            return Ok(());
        }
        let items: Vec<Note> = match container {
            Note::List(node) => self.notes.items(node, Part::Items).collect(),
            Note::Dict(_) => Look::pairs(self, &container)
                .into_iter()
                .map(|(_, value)| value)
                .collect(),
            _ => return Ok(()),
        };
        self.chain(budget, parent, &items)
    }

    fn chained(&self, value: Note) -> Option<u64> {
        let node = value.instance()?;
        let entry = self.notes.get(node)?.entry()?;
        self.policy.entry(entry).frees_recursively().then_some(node)
    }

    /// Charges for keys of an instance that take more than those of a dict.
    pub(super) fn charge_items(
        &self,
        budget: &mut Budget,
        target: Note,
        keys: usize,
    ) -> Result<(), Stop> {
        let entry = match target {
            Note::Made(node) | Note::Fresh(node) => {
                self.notes.get(node).and_then(note::Node::entry)
            }
            _ => None,
        };
        let each = entry.map_or(0, |entry| self.policy.entry(entry).extra_item_memory());
        Ok(budget.memory(each * keys as u64)?)
    }

    #[cold]
    fn count_key(&mut self, budget: &Budget, container: Id, key: Note) -> Result<(), Stop> {
        let limit = budget.limits().max_key_collisions;
        let mut collisions = std::mem::take(&mut self.collisions);
        let counted = collisions.count(container, limit, || hashing::hash(self, key));
        self.collisions = collisions;
        Ok(counted?)
    }

    pub(super) fn price_pairs(
        &mut self,
        budget: &mut Budget,
        node: Id,
        pairs: &[Note],
    ) -> Result<(), Stop> {
        for key in pairs.iter().step_by(2) {
            if !matches!(key, Note::Str(_)) {
                self.price_key(budget, node, *key)?;
            }
        }
        Ok(())
    }

    /// Adds items to a node, which may get deeper by them.
    pub(super) fn fill(
        &mut self,
        budget: &mut Budget,
        node: Id,
        part: Part,
        items: &[Note],
    ) -> Result<(), Stop> {
        let depth = self.settle_all(budget, items)?;
        self.notes.fill(node, part, items)?;
        if let Some(node) = self.notes.get_mut(node) {
            node.depth = node.depth.max(depth);
        }
        Ok(())
    }

    /// Whether the stream may fill an instance; a value that it may not is refused.
    pub(super) fn may_fill(
        &mut self,
        site: Site,
        target: Note,
        attempt: Attempt<'_, Note>,
        right: Rights,
    ) -> Option<Id> {
        let Some(node) = target.instance() else {
            let what = attempt.describe();
            let kind = match target {
                Note::Global(index) => {
                    let refusal = Refusal {
                        attempt: what,
                        why: "a class or function is never written to".into(),
                    };
                    self.uses.refuse(site, index, refusal, None);
                    return None;
                }
                _ => Kind::BadTarget(format!(
                    "{} may not be {what}: only a container that this stream made may",
                    self.view(&target).describe()
                )),
            };
            self.uses.refuse_value(site, kind, what);
            return None;
        };
        let (entry, user) = self
            .notes
            .get(node)
            .map_or((None, NOBODY), |node| (node.entry(), node.user()));
        self.uses.record(user, right);
        if let Some(entry) = entry
            && let Err(refusal) = self.policy.judge(self, entry, attempt)
        {
            self.uses.refuse(site, user, refusal, Some(node));
        }
        Some(node)
    }

    /// A name of the stream, where only the verdict counts: looked up, and neither counted nor copied.
    pub(super) fn name_briefly(&mut self, site: Site, module: &str, name: &str) -> Noted {
        let found = self.entry_named(site, module, name);
        self.named_briefly(found)
    }

    /// The entry of a name of the stream, renamed as it must be.
    #[inline]
    pub(super) fn entry_named(&self, site: Site, module: &str, name: &str) -> Option<EntryId> {
        if module.len() > MAX_NAME_LENGTH || name.len() > MAX_NAME_LENGTH {
            return None;
        }
        let python2 = site.protocol < 3 && self.options.fix_imports;
        let (module, name) = self.policy.canonical(module, name, python2);
        self.policy.lookup(module, name)
    }

    /// A name that was looked up. The first that is missing is the verdict.
    pub(super) fn named_briefly(&mut self, found: Option<EntryId>) -> Noted {
        match self.uses.find_briefly(found) {
            Some(index) => Ok(Note::Global(index)),
            None => Err(decided()),
        }
    }

    /// A name, renamed and looked up.
    pub(super) fn name(&mut self, site: Site, module: &str, name: &str) -> Note {
        let (index, new) = self.uses.find(site, module, name);
        if new {
            let python2 = site.protocol < 3 && self.options.fix_imports;
            let (real_module, real_name) = self.policy.canonical(module, name, python2);
            let entry = self.policy.lookup(real_module, real_name);
            if let Some(used) = self.uses.get_mut(index) {
                used.entry = entry;
                if (real_module, real_name) != (module, name) {
                    used.spelled = Some((module.to_owned(), name.to_owned()));
                    real_module.clone_into(&mut used.module);
                    real_name.clone_into(&mut used.name);
                }
            }
            if entry.is_none() && !self.policy.is_unrestricted() {
                let kind = Kind::ForbiddenGlobal {
                    module: real_module.to_owned(),
                    name: real_name.to_owned(),
                };
                self.uses.forbid(index, kind);
            }
        }
        Note::Global(index)
    }

    /// Items of a set, priced as keys.
    pub(super) fn price_items(
        &mut self,
        budget: &mut Budget,
        node: Id,
        items: &[Note],
    ) -> Result<(), Stop> {
        for item in items {
            self.price_key(budget, node, *item)?;
        }
        Ok(())
    }

    /// A key of a dict, or an item of a set: priced, and counted where the stream can choose its hash.
    #[inline]
    pub(super) fn price_key(
        &mut self,
        budget: &mut Budget,
        container: Id,
        key: Note,
    ) -> Result<(), Stop> {
        if !self.unpriced && hashing::price(self, budget, key)? {
            self.count_key(budget, container, key)?;
        }
        Ok(())
    }
}

/// The end of an inspection of which only the verdict was wanted.
#[cold]
pub(super) fn decided() -> Stop {
    Kind::Malformed("something is refused".into()).into()
}

/// A name as far as any policy would hold one: a longer one is in none, and is not copied time and again.
pub(super) fn cut(name: &str) -> Cow<'_, str> {
    if name.len() <= MAX_NAME_LENGTH {
        return Cow::Borrowed(name);
    }
    let mut shown: String = name.chars().take(MAX_NAME_LENGTH / 4).collect();
    // Longer than any name that a policy holds, whatever the characters.
    shown.extend(std::iter::repeat_n('…', MAX_NAME_LENGTH / 3));
    Cow::Owned(shown)
}
