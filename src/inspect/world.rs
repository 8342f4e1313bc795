//! The world of notes: what each thing that a pickle makes is, when nothing is made.
//!
//! Asks the policy where the loader does, and goes on after a refusal: what was refused becomes an instance of nothing,
//! so that the rest of the stream is still looked at. Imports nothing, calls nothing.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;

use super::arrays::Raw;
use super::note::{Arena, Id, NOBODY, Note, Part};
use super::settle::{cut, decided};
use super::uses::Uses;
use super::{Arrays, Buffers, Options, long};
use crate::error::Kind;
use crate::machine::budget::Budget;
use crate::machine::chains::Chains;
use crate::machine::hashing::Collisions;
use crate::machine::world::{Done, Made, Role, Site, World};
use crate::policy::{Attempt, EntryId, Policy, Rights};

/// A world whose values are notes.
pub(super) struct NoteWorld<'d> {
    pub(super) data: &'d [u8],
    pub(super) policy: &'d Policy,
    pub(super) options: &'d Options,
    pub(super) notes: Arena<'d>,
    pub(super) uses: Uses,
    /// Whether hashes are neither priced nor computed: nobody asks what the stream costs.
    pub(super) unpriced: bool,
    pub(super) collisions: Collisions,
    pub(super) chains: Chains,
    /// Hashes of frozensets, by node.
    pub(super) frozen: HashMap<Id, i64>,
    /// Hashes of texts that stood in a key.
    pub(super) hashed: RefCell<HashMap<(u8, u64), i64>>,
    pub(super) persistent_ids: Vec<String>,
    pub(super) persistent_count: u64,
    pub(super) extension_codes: Vec<u32>,
    pub(super) buffers: u64,
    /// What lies between the opcodes, in a joblib file.
    pub(super) raws: Vec<Raw>,
    /// `functools.partial` objects that will make an instance: its class, the use of that class, and how much they bind.
    pub(super) partials: HashMap<Id, (EntryId, Id, u64)>,
}

/// Persistent ids and extension codes that a report shows.
const SHOWN: usize = 100;

/// The end of an inspection: a limit, or a fault of the data.
#[derive(Debug)]
pub(super) struct Stop(pub(super) Box<Kind>);

impl From<Kind> for Stop {
    #[cold]
    fn from(kind: Kind) -> Self {
        Stop(Box::new(kind))
    }
}

impl<'d> NoteWorld<'d> {
    pub(super) fn new(data: &'d [u8], policy: &'d Policy, options: &'d Options) -> Self {
        Self {
            data,
            policy,
            options,
            notes: Arena::new(data),
            uses: Uses::new(policy.is_unrestricted()),
            unpriced: false,
            collisions: Collisions::default(),
            chains: Chains::default(),
            frozen: HashMap::new(),
            hashed: RefCell::default(),
            persistent_ids: Vec::new(),
            persistent_count: 0,
            extension_codes: Vec::new(),
            buffers: 0,
            raws: Vec::new(),
            partials: HashMap::new(),
        }
    }
}

impl World for NoteWorld<'_> {
    type Value = Note;
    type Fault = Stop;
    const KNOWS_PLACES: bool = true;

    #[inline(always)]
    fn is_hole(value: &Note) -> bool {
        matches!(value, Note::Hole)
    }

    #[inline(always)]
    fn share(&mut self, value: &Note) -> Note {
        match *value {
            Note::Made(node) | Note::Fresh(node) => Note::Made(node),
            other => other,
        }
    }

    fn tick(&mut self) -> Done<Self> {
        if self.uses.is_decided() {
            return Err(decided());
        }
        Ok(())
    }

    fn none(&mut self) -> Note {
        Note::None
    }

    fn bool(&mut self, value: bool) -> Note {
        Note::bool(value)
    }

    fn int(&mut self, value: i64) -> Made<Self> {
        Ok(Note::Int(value))
    }

    fn long(&mut self, bytes: &[u8]) -> Made<Self> {
        let twos = self.keep(bytes);
        Ok(self.notes.long(twos)?)
    }

    fn decimal(&mut self, digits: &[u8]) -> Made<Self> {
        Ok(self.notes.long(Cow::Owned(long::twos_of(digits)))?)
    }

    fn float(&mut self, value: f64) -> Made<Self> {
        Ok(self.notes.float(value)?)
    }

    #[inline(always)]
    fn unicode(&mut self, budget: &mut Budget, utf8: &[u8], _: Role) -> Made<Self> {
        self.note_unicode(budget, utf8)
    }

    fn string(&mut self, budget: &mut Budget, bytes: &[u8]) -> Made<Self> {
        self.note_string(budget, bytes)
    }

    fn bytes(&mut self, bytes: &[u8]) -> Made<Self> {
        Ok(Note::Bytes(self.data_of(bytes)?))
    }

    fn bytearray(&mut self, bytes: &[u8]) -> Made<Self> {
        Ok(Note::ByteArray(self.data_of(bytes)?))
    }

    fn tuple(&mut self, budget: &mut Budget, items: &mut [Note]) -> Made<Self> {
        let mut depth = 0;
        let mut unsettled = false;
        for item in items.iter() {
            if item.is_atom() {
                continue;
            }
            depth = depth.max(self.notes.depth(*item));
            match *item {
                Note::Global(_) | Note::Constructor(_) => unsettled = true,
                Note::Tuple(inner) => {
                    unsettled |= self.notes.get(inner).is_some_and(|inner| inner.unsettled);
                }
                Note::Made(node) | Note::Fresh(node) => self.settle_made(node),
                _ => {}
            }
        }
        budget.depth(depth + 1)?;
        let node = self.notes.node(Part::Items, items, depth + 1)?;
        if unsettled && let Some(tuple) = self.notes.get_mut(node) {
            tuple.unsettled = true;
        }
        Ok(Note::Tuple(node))
    }

    #[inline]
    fn list(&mut self, budget: &mut Budget, items: &mut [Note]) -> Made<Self> {
        let depth = self.settle_all(budget, items)?;
        Ok(Note::List(self.notes.node(Part::Items, items, depth)?))
    }

    #[inline]
    fn dict(&mut self, budget: &mut Budget, pairs: &mut [Note]) -> Made<Self> {
        let depth = self.settle_all(budget, pairs)?;
        let node = self.notes.node(Part::Pairs, pairs, depth)?;
        self.price_pairs(budget, node, pairs)?;
        Ok(Note::Dict(node))
    }

    fn set(&mut self) -> Made<Self> {
        Ok(Note::Set(self.notes.node(Part::Items, &[], 1)?))
    }

    fn frozenset(&mut self, budget: &mut Budget, items: &mut [Note]) -> Made<Self> {
        let depth = self.settle_all(budget, items)?;
        let node = self.notes.node(Part::Items, items, depth)?;
        self.price_items(budget, node, items)?;
        let hash = self.frozen_hash(items);
        self.frozen.insert(node, hash);
        Ok(Note::FrozenSet(node))
    }

    #[inline]
    fn extend(
        &mut self,
        site: Site,
        budget: &mut Budget,
        target: &mut Note,
        items: &mut [Note],
    ) -> Done<Self> {
        let node = match *target {
            Note::List(node) => Some(node),
            other => self.may_fill(site, other, Attempt::Append, Rights::APPEND),
        };
        match node {
            Some(node) => {
                self.fill(budget, node, Part::Items, items)?;
                self.chain(budget, *target, items)
            }
            None => Ok(()),
        }
    }

    #[inline]
    fn set_items(
        &mut self,
        site: Site,
        budget: &mut Budget,
        target: &mut Note,
        pairs: &mut [Note],
    ) -> Done<Self> {
        let node = match *target {
            Note::Dict(node) => Some(node),
            other => self.may_fill(site, other, Attempt::Items, Rights::ITEMS),
        };
        match node {
            Some(node) => {
                self.fill(budget, node, Part::Pairs, pairs)?;
                self.chain(budget, *target, pairs)?;
                self.charge_items(budget, *target, pairs.len() / 2)?;
                self.price_pairs(budget, node, pairs)
            }
            None => Ok(()),
        }
    }

    fn add_items(
        &mut self,
        site: Site,
        budget: &mut Budget,
        target: &mut Note,
        items: &mut [Note],
    ) -> Done<Self> {
        let node = match *target {
            Note::Set(node) => Some(node),
            other => self.may_fill(site, other, Attempt::Add, Rights::ADD),
        };
        match node {
            Some(node) => {
                self.fill(budget, node, Part::Items, items)?;
                self.price_items(budget, node, items)
            }
            None => Ok(()),
        }
    }

    fn global(&mut self, site: Site, module: &str, name: &str) -> Made<Self> {
        if self.uses.brief.is_some() {
            return self.name_briefly(site, module, name);
        }
        Ok(self.name(site, &cut(module), &cut(name)))
    }

    fn stack_global(&mut self, site: Site, module: Note, name: Note) -> Made<Self> {
        let (Note::Str(module), Note::Str(name)) = (module, name) else {
            if self.is_nothing(module) || self.is_nothing(name) {
                return self.nothing(NOBODY, &[], 1);
            }
            return Err(Kind::StackGlobalType.into());
        };
        if self.uses.brief.is_some() {
            let found = self.entry_named(site, self.notes.str(module), self.notes.str(name));
            return self.named_briefly(found);
        }
        let module = cut(self.notes.str(module)).into_owned();
        let name = cut(self.notes.str(name)).into_owned();
        Ok(self.name(site, &module, &name))
    }

    fn extension(&mut self, site: Site, code: u32) -> Made<Self> {
        if self.extension_codes.len() < SHOWN && !self.extension_codes.contains(&code) {
            self.extension_codes.push(code);
        }
        let policy = self.policy;
        if let Some((module, name)) = policy.extension(code) {
            if self.uses.brief.is_some() {
                return self.name_briefly(site, module, name);
            }
            return Ok(self.name(site, module, name));
        }
        self.uses
            .refuse_value(site, Kind::UnknownExtension(code), "extension");
        self.nothing(NOBODY, &[], 1)
    }

    fn reduce(
        &mut self,
        site: Site,
        budget: &mut Budget,
        callable: Note,
        args: Note,
    ) -> Made<Self> {
        self.call(site, budget, callable, args)
    }

    fn reduce_items(
        &mut self,
        site: Site,
        budget: &mut Budget,
        callable: Note,
        args: &mut [Note],
        _alone: impl Fn() -> bool,
    ) -> Made<Self> {
        self.call_items(site, budget, callable, args)
    }

    fn newobj(&mut self, site: Site, budget: &mut Budget, class: Note, args: Note) -> Made<Self> {
        self.new_object(site, budget, class, args, None)
    }

    fn newobj_items(
        &mut self,
        site: Site,
        budget: &mut Budget,
        class: Note,
        args: &mut [Note],
    ) -> Made<Self> {
        self.new_items(site, budget, class, args, None)
    }

    fn newobj_ex(
        &mut self,
        site: Site,
        budget: &mut Budget,
        class: Note,
        args: Note,
        kwargs: Note,
    ) -> Made<Self> {
        self.new_object(site, budget, class, args, Some(kwargs))
    }

    fn instance(
        &mut self,
        site: Site,
        budget: &mut Budget,
        class: Note,
        args: &mut [Note],
    ) -> Made<Self> {
        if args.is_empty() {
            self.new_items(site, budget, class, args, None)
        } else {
            self.call_items(site, budget, class, args)
        }
    }

    fn build(
        &mut self,
        site: Site,
        budget: &mut Budget,
        object: &mut Note,
        state: Note,
    ) -> Done<Self> {
        self.give_state(site, budget, object, state)
    }

    #[inline(always)]
    fn raw_bytes(
        &mut self,
        budget: &mut Budget,
        built: &Note,
        behind: Option<&[u8]>,
    ) -> Result<usize, Stop> {
        if self.options.arrays == Arrays::Opcodes {
            return Ok(0);
        }
        self.raw_behind(budget, *built, behind)
    }

    fn persistent(&mut self, site: Site, id: Note) -> Made<Self> {
        self.settle(id);
        self.persistent_count += 1;
        if self.persistent_ids.len() < SHOWN && self.uses.brief.is_none() {
            let shown = self.show(id);
            self.persistent_ids.push(shown);
        }
        if !self.options.has_persistent_load {
            self.uses
                .refuse_value(site, Kind::NoPersistentLoad, "persistent id");
        }
        let depth = self.notes.depth(id) + 1;
        let node = self.notes.node(Part::PersistentId, &[id], depth)?;
        Ok(Note::External(node))
    }

    fn next_buffer(&mut self, site: Site) -> Made<Self> {
        self.buffers += 1;
        match self.options.buffers {
            Buffers::None => self.uses.refuse_value(site, Kind::NoBuffers, "buffer"),
            Buffers::Count(count) if self.buffers > count => {
                self.uses
                    .refuse_value(site, Kind::BuffersExhausted, "buffer");
            }
            Buffers::Count(_) | Buffers::Unlimited => {}
        }
        Ok(Note::External(self.notes.node(Part::Items, &[], 1)?))
    }

    fn readonly_buffer(&mut self, site: Site, buffer: Note) -> Made<Self> {
        let free = self.policy.is_unrestricted();
        let is_buffer = match buffer {
            Note::External(_) => true,
            Note::Bytes(_) | Note::ByteArray(_) => free,
            _ => false,
        };
        if !is_buffer {
            let why = "READONLY_BUFFER on a value that is no out-of-band buffer: it must follow NEXT_BUFFER";
            self.uses
                .refuse_value(site, Kind::BadType(why.into()), "read-only buffer");
        }
        Ok(Note::External(self.notes.node(Part::Items, &[], 1)?))
    }
}
