//! What a plan of the policy would make, noted, and what making it would cost.

use std::borrow::Cow;

use super::calls::Noted;
use super::contents::Data;
use super::note::{Id, NOBODY, Note, Part};
use super::world::{NoteWorld, Stop};
use crate::machine::budget::{Budget, size};
use crate::machine::world::Site;
use crate::policy::{EntryId, Look, Meaning, Native, Plan, Rights};

impl NoteWorld<'_> {
    /// Notes what a plan would make.
    pub(super) fn carry_out(
        &mut self,
        budget: &mut Budget,
        (index, entry): (Id, EntryId),
        plan: Plan,
        args: &[Note],
        depth: u32,
        site: Site,
    ) -> Noted {
        let first = args.first().copied().unwrap_or_default();
        let made = match plan {
            Plan::NewObj { class } | Plan::NewObjEx { class } | Plan::Reconstruct { class, .. } => {
                class
            }
            _ => entry,
        };
        budget.memory(self.policy.entry(made).extra_memory() + plan.reads())?;
        self.charge_copies(budget, entry, plan, args)?;
        match plan {
            Plan::AsIs if self.policy.entry(entry).meaning == Meaning::Native(Native::Set) => {
                self.set_of(budget, entry, first)
            }
            Plan::Unbuilt | Plan::Partial(_) => {
                self.instance_of(entry, (index, NOBODY), args, depth, true)
            }
            Plan::EmptyBytes => Ok(Note::Bytes(self.notes.blob(Cow::Borrowed(&[]))?)),
            Plan::Latin1(at) => Ok(Note::Bytes(self.latin1(budget, args.get(at).copied())?)),
            Plan::ByteArray(at) => {
                let source = at.and_then(|at| args.get(at).copied());
                Ok(Note::ByteArray(self.latin1(budget, source)?))
            }
            Plan::Complex { re, im } => Ok(self.notes.add_complex(re, im)?),
            Plan::Reconstruct { class, .. } | Plan::NewObj { class } | Plan::NewObjEx { class } => {
                let user = self.user(first);
                self.uses.record(user, Rights::NEW);
                let unbuilt = self.policy.entry(class).meaning == Meaning::Native(Native::Uuid);
                self.instance_of(class, (user, index), args, depth, unbuilt)
            }
            Plan::EnumName { class, .. } | Plan::FlagOr { class } => {
                let user = self.user(first);
                self.instance_of(class, (user, index), args, depth, false)
            }
            Plan::Attribute(inner) => Ok(Note::Global(self.attribute(site, inner))),
            Plan::Constructor(_) => Ok(Note::Constructor(self.user(first))),
            Plan::Deque {
                items: Some(at), ..
            } => {
                let made = self.instance_of(entry, (index, NOBODY), args, depth, false)?;
                self.chain_inside(budget, made, args.get(at).copied().unwrap_or_default())?;
                Ok(made)
            }
            _ => {
                let made = self.instance_of(entry, (index, NOBODY), args, depth, false)?;
                self.note_known(made, plan);
                Ok(made)
            }
        }
    }

    /// Charges for what the loader's constructors copy and hash.
    fn charge_copies(
        &mut self,
        budget: &mut Budget,
        entry: EntryId,
        plan: Plan,
        args: &[Note],
    ) -> Result<(), Stop> {
        let Meaning::Native(native) = self.policy.entry(entry).meaning else {
            return Ok(());
        };
        let copied: &[Note] = match plan {
            Plan::AsIs => args,
            Plan::Deque {
                items: Some(at), ..
            }
            | Plan::ArrayItems { items: at, .. }
            | Plan::Reconstruct {
                state: Some(at), ..
            } => args.get(at..=at).unwrap_or_default(),
            _ => return Ok(()),
        };
        if let Plan::Reconstruct { .. } = plan {
            self.charge(budget, copied)?;
        }
        for source in copied {
            self.charge_copy(budget, *source)?;
            let hashed = match (native, plan) {
                (Native::Counter | Native::OrderedDict, _) => true,
                (_, Plan::Reconstruct { base, .. }) => {
                    matches!(&*self.policy.entry(base).name, "set" | "frozenset" | "dict")
                }
                _ => false,
            };
            if hashed {
                self.price_keys(budget, *source, native == Native::OrderedDict)?;
            }
        }
        Ok(())
    }

    /// Charges for a list or dict that is copied.
    pub(super) fn charge_copy(&self, budget: &mut Budget, source: Note) -> Result<(), Stop> {
        let length = |node| self.notes.get(node).map_or(0, |node| u64::from(node.len));
        let bytes = match source {
            Note::List(node) => length(node) * size::SET_ITEM,
            Note::Dict(node) => length(node) / 2 * size::DICT_ITEM,
            _ => 0,
        };
        Ok(budget.memory(bytes)?)
    }

    /// Prices the keys that a constructor will hash: the items of a list, the keys of a dict, and where `pairs`, the
    /// first of each item of a list.
    fn price_keys(&mut self, budget: &mut Budget, source: Note, pairs: bool) -> Result<(), Stop> {
        let keys: Vec<Note> = match source {
            Note::Dict(node) => self.notes.items(node, Part::Pairs).step_by(2).collect(),
            Note::List(node) if pairs => {
                let items: Vec<Note> = self.notes.items(node, Part::Items).collect();
                let first = |item: &Note| Look::item(self, item, 0);
                items.iter().filter_map(first).collect()
            }
            Note::List(node) => self.notes.items(node, Part::Items).collect(),
            _ => return Ok(()),
        };
        let fresh = self.notes.node(Part::Items, &[], 1)?;
        for key in keys {
            if !matches!(key, Note::Str(_)) {
                self.price_key(budget, fresh, key)?;
            }
        }
        Ok(())
    }

    /// The use of an entry that `getattr` was resolved to.
    fn attribute(&mut self, site: Site, entry: EntryId) -> Id {
        let inner = self.policy.entry(entry);
        self.uses
            .find_entry(site, entry, &inner.module, &inner.name)
    }

    /// `set(list)`, `frozenset(list)`.
    fn set_of(&mut self, budget: &mut Budget, entry: EntryId, source: Note) -> Noted {
        let items: Vec<Note> = source
            .node()
            .map(|node| self.notes.items(node, Part::Items).collect())
            .unwrap_or_default();
        let depth = self.notes.depth(source).max(1);
        let node = self.notes.node(Part::Items, &items, depth)?;
        self.price_items(budget, node, &items)?;
        if &*self.policy.entry(entry).name == "frozenset" {
            let hash = self.frozen_hash(&items);
            self.frozen.insert(node, hash);
            return Ok(Note::FrozenSet(node));
        }
        Ok(Note::Set(node))
    }

    /// The bytes of a bytes object, or of a str whose characters are all below 256.
    fn latin1(&mut self, budget: &mut Budget, source: Option<Note>) -> Result<Data, Stop> {
        match source {
            Some(Note::Str(text)) => {
                budget.memory(self.notes.characters(text))?;
                Ok(self.notes.latin1_blob(text)?)
            }
            // They never change, so both may have them.
            Some(Note::Bytes(data)) => {
                budget.memory(self.notes.bytes_len(data) as u64)?;
                Ok(data)
            }
            _ => Ok(self.notes.blob(Cow::Borrowed(&[]))?),
        }
    }
}
