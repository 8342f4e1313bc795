//! The world of notes: what each thing that a pickle makes is, when nothing is made.
//!
//! Asks the policy where the loader does, and goes on after a refusal: what was refused becomes an instance of nothing,
//! so that the rest of the stream is still looked at. Imports nothing, calls nothing.

use std::borrow::Cow;
use std::cell::RefCell;
use std::collections::HashMap;

use super::note::{Arena, Id, NOBODY, Note, Part};
use super::uses::Uses;
use super::{Buffers, Encoding, Options};
use crate::error::Kind;
use crate::machine::budget::{Budget, size};
use crate::machine::hashing::{self, Collisions};
use crate::machine::world::{Done, Made, Role, Site, World};
use crate::policy::{Attempt, EntryId, Look, MAX_NAME_LENGTH, Policy, Refusal, Rights};
use crate::stream::text;

/// A world whose values are notes.
pub(super) struct NoteWorld<'d> {
    pub(super) data: &'d [u8],
    pub(super) policy: &'d Policy,
    pub(super) options: &'d Options,
    pub(super) notes: Arena<'d>,
    pub(super) uses: Uses,
    pub(super) collisions: Collisions,
    /// Hashes of frozensets, by node.
    pub(super) frozen: HashMap<Id, i64>,
    /// Hashes of texts that stood in a key.
    pub(super) hashed: RefCell<HashMap<(u8, u64), i64>>,
    pub(super) persistent_ids: Vec<String>,
    pub(super) persistent_count: u64,
    pub(super) extension_codes: Vec<u32>,
    pub(super) buffers: u64,
    /// `functools.partial` objects that will make an instance: its class, and the use of that class.
    pub(super) partials: HashMap<Id, (EntryId, Id)>,
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
            collisions: Collisions::default(),
            frozen: HashMap::new(),
            hashed: RefCell::default(),
            persistent_ids: Vec::new(),
            persistent_count: 0,
            extension_codes: Vec::new(),
            buffers: 0,
            partials: HashMap::new(),
        }
    }

    /// The same bytes with the lifetime of the stream, if that is where they are.
    #[inline]
    fn borrowed(&self, bytes: &[u8]) -> Option<&'d [u8]> {
        let start = self.offset(bytes)?;
        self.data.get(start..start.checked_add(bytes.len())?)
    }

    /// Where in the stream bytes are, if they are in it.
    #[inline]
    fn offset(&self, bytes: &[u8]) -> Option<usize> {
        let start = bytes
            .as_ptr()
            .addr()
            .checked_sub(self.data.as_ptr().addr())?;
        (start.checked_add(bytes.len())? <= self.data.len()).then_some(start)
    }

    fn keep(&self, bytes: &[u8]) -> Cow<'d, [u8]> {
        match self.borrowed(bytes) {
            Some(bytes) => Cow::Borrowed(bytes),
            None => Cow::Owned(bytes.to_vec()),
        }
    }

    /// The nesting of a container of the items, each of which may stand as a value.
    #[inline]
    fn settle_all(&mut self, budget: &mut Budget, items: &[Note]) -> Result<u32, Stop> {
        let mut depth = 0;
        for item in items {
            if let Some(node) = item.node() {
                depth = depth.max(self.notes.get(node).map_or(0, |node| node.depth));
            }
            if item.is_delicate() {
                self.settle(*item);
            }
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
            Note::Made { node, .. } => self.settle_made(node),
            _ => {}
        }
    }

    /// Whether the name may stand as a value. A forbidden one was refused already.
    fn stands(&mut self, index: Id) -> bool {
        let policy = self.policy;
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
        let Some((entry, site)) = self.uses.get(index).map(|used| {
            let site = Site {
                at: used.offset,
                code: super::survey::code_of(used.opcode),
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

    fn settle_made(&mut self, node: Id) {
        let Some(made) = self.notes.get_mut(node) else {
            return;
        };
        if made.unbuilt {
            made.unbuilt = false;
            let user = made.user;
            let refusal = Refusal {
                attempt: "mentioned",
                why: "an instance of it is nothing before BUILD".into(),
            };
            if let Some(used) = self.uses.get(user) {
                let site = Site {
                    at: used.offset,
                    code: super::survey::code_of(used.opcode),
                    protocol: 0,
                };
                self.uses.refuse(site, user, refusal, Some(node));
            }
        }
    }

    #[cold]
    pub(super) fn count_key(
        &mut self,
        budget: &Budget,
        container: Id,
        key: Note,
    ) -> Result<(), Stop> {
        let limit = budget.limits().max_key_collisions;
        let mut collisions = std::mem::take(&mut self.collisions);
        let counted = collisions.count(u64::from(container), limit, || hashing::hash(self, key));
        self.collisions = collisions;
        Ok(counted?)
    }

    fn price_pairs(&mut self, budget: &mut Budget, node: Id, pairs: &[Note]) -> Result<(), Stop> {
        for key in pairs.iter().step_by(2) {
            if !matches!(key, Note::Str(_)) {
                self.price_key(budget, node, *key)?;
            }
        }
        Ok(())
    }

    /// Adds items to a node, which may get deeper by them.
    fn fill(
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
    fn may_fill(
        &mut self,
        site: Site,
        target: Note,
        attempt: Attempt<'_, Note>,
        right: Rights,
    ) -> Option<Id> {
        let Note::Made { node, .. } = target else {
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
                    "{} may not be {what}",
                    self.view(&target).describe()
                )),
            };
            self.uses.refuse_value(site, kind, what);
            return None;
        };
        let (entry, user) = self
            .notes
            .get(node)
            .map_or((None, NOBODY), |node| (node.entry(), node.user));
        self.uses.record(user, right);
        if let Some(entry) = entry
            && let Err(refusal) = self.policy.judge(self, entry, attempt)
        {
            self.uses.refuse(site, user, refusal, Some(node));
        }
        Some(node)
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
}

/// A name as far as any policy would hold one: a longer one is in none, and is not copied time and again.
fn cut(name: &str) -> Cow<'_, str> {
    if name.len() <= MAX_NAME_LENGTH {
        return Cow::Borrowed(name);
    }
    let mut shown: String = name.chars().take(MAX_NAME_LENGTH / 4).collect();
    // Longer than any name that a policy holds, whatever the characters.
    shown.extend(std::iter::repeat_n('…', MAX_NAME_LENGTH / 3));
    Cow::Owned(shown)
}

/// What a str takes: one byte a character while it is ASCII, up to four otherwise.
fn text_memory(utf8: &[u8], ascii: bool) -> u64 {
    if ascii {
        return size::ASCII + utf8.len() as u64;
    }
    let characters = utf8.iter().filter(|byte| **byte & 0xc0 != 0x80).count() as u64;
    let width = match utf8.iter().max() {
        Some(0xf0..) => 4,
        Some(0xc4..) => 2,
        _ => 1,
    };
    size::TEXT + characters * width
}

impl World for NoteWorld<'_> {
    type Value = Note;
    type Fault = Stop;

    #[inline(always)]
    fn is_hole(value: &Note) -> bool {
        matches!(value, Note::Hole)
    }

    #[inline(always)]
    fn share(&mut self, value: &Note) -> Note {
        match *value {
            Note::Made { node, .. } => Note::Made { node, fresh: false },
            other => other,
        }
    }

    fn none(&mut self) -> Note {
        Note::None
    }

    fn bool(&mut self, value: bool) -> Note {
        Note::Bool(value)
    }

    fn int(&mut self, value: i64) -> Made<Self> {
        Ok(Note::Int(value))
    }

    fn long(&mut self, bytes: &[u8]) -> Made<Self> {
        let twos = self.keep(bytes);
        Ok(self.notes.long(twos)?)
    }

    fn decimal(&mut self, digits: &[u8]) -> Made<Self> {
        Ok(self.notes.long(Cow::Owned(twos_of(digits)))?)
    }

    fn float(&mut self, value: f64) -> Made<Self> {
        Ok(Note::Float(value))
    }

    #[inline]
    fn unicode(&mut self, budget: &mut Budget, utf8: &[u8], _: Role) -> Made<Self> {
        let ascii = utf8.is_ascii();
        budget.memory(text_memory(utf8, ascii))?;
        if let Some(start) = self.offset(utf8)
            && (ascii || std::str::from_utf8(utf8).is_ok())
            && let Some(short) = Arena::short_text(start, utf8.len())
        {
            return Ok(short);
        }
        if let Some(bytes) = self.borrowed(utf8)
            && let Ok(text) = std::str::from_utf8(bytes)
        {
            return Ok(self.notes.text(Cow::Borrowed(text))?);
        }
        if text::check_utf8(utf8)? {
            let owned = String::from_utf8_lossy(utf8).into_owned();
            return Ok(self.notes.text(Cow::Owned(owned))?);
        }
        let kept = self.keep(utf8);
        Ok(Note::Surrogates(self.notes.blob(kept)?))
    }

    fn string(&mut self, budget: &mut Budget, bytes: &[u8]) -> Made<Self> {
        match self.options.encoding {
            Encoding::Bytes => {
                budget.memory(size::BYTES + bytes.len() as u64)?;
                self.bytes(bytes)
            }
            _ if bytes.is_ascii() => self.unicode(budget, bytes, Role::Value),
            Encoding::Ascii => {
                let at = bytes.iter().position(|byte| !byte.is_ascii()).unwrap_or(0);
                let reason = "ordinal not in range(128)";
                Err(text::bad_text("ascii", bytes, at, at + 1, reason).into())
            }
            Encoding::Latin1 => {
                let decoded: String = bytes.iter().copied().map(char::from).collect();
                budget.memory(text_memory(decoded.as_bytes(), false))?;
                Ok(self.notes.text(Cow::Owned(decoded))?)
            }
            Encoding::Other => {
                budget.memory(size::TEXT + bytes.len() as u64)?;
                let kept = self.keep(bytes);
                Ok(Note::Encoded(self.notes.blob(kept)?))
            }
        }
    }

    fn bytes(&mut self, bytes: &[u8]) -> Made<Self> {
        let kept = self.keep(bytes);
        Ok(Note::Bytes(self.notes.blob(kept)?))
    }

    fn bytearray(&mut self, bytes: &[u8]) -> Made<Self> {
        let kept = self.keep(bytes);
        Ok(Note::ByteArray(self.notes.blob(kept)?))
    }

    fn tuple(&mut self, budget: &mut Budget, items: &mut [Note]) -> Made<Self> {
        let mut depth = 0;
        let mut unsettled = false;
        for item in items.iter() {
            depth = depth.max(self.notes.depth(*item));
            match *item {
                Note::Global(_) | Note::Constructor(_) => unsettled = true,
                Note::Tuple(inner) => {
                    unsettled |= self.notes.get(inner).is_some_and(|inner| inner.unsettled);
                }
                Note::Made { node, .. } => self.settle_made(node),
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
            Some(node) => self.fill(budget, node, Part::Items, items),
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
        Ok(self.name(site, &cut(module), &cut(name)))
    }

    fn stack_global(&mut self, site: Site, module: Note, name: Note) -> Made<Self> {
        let (Note::Str(module), Note::Str(name)) = (module, name) else {
            if self.is_nothing(module) || self.is_nothing(name) {
                return self.nothing(NOBODY, &[], 1);
            }
            return Err(Kind::StackGlobalType.into());
        };
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

    fn persistent(&mut self, site: Site, id: Note) -> Made<Self> {
        self.settle(id);
        self.persistent_count += 1;
        if self.persistent_ids.len() < SHOWN {
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
        if !matches!(
            buffer,
            Note::External(_) | Note::Bytes(_) | Note::ByteArray(_)
        ) {
            let kind = Kind::BadOperand("READONLY_BUFFER requires a buffer".into());
            self.uses.refuse_value(site, kind, "read-only buffer");
        }
        Ok(Note::External(self.notes.node(Part::Items, &[], 1)?))
    }
}

/// Two's complement of checked decimal digits.
fn twos_of(digits: &[u8]) -> Vec<u8> {
    let negative = digits.starts_with(b"-");
    let mut limbs: Vec<u32> = Vec::new();
    for chunk in digits.strip_prefix(b"-").unwrap_or(digits).chunks(9) {
        let scale = chunk.iter().fold(1u64, |scale, _| scale * 10);
        let value = chunk
            .iter()
            .fold(0u64, |value, digit| value * 10 + u64::from(digit & 0x0f));
        let mut carry = value;
        for limb in &mut limbs {
            let sum = u64::from(*limb) * scale + carry;
            *limb = (sum & u64::from(u32::MAX)).try_into().unwrap_or(u32::MAX);
            carry = sum >> 32;
        }
        if carry > 0 {
            limbs.push(carry.try_into().unwrap_or(u32::MAX));
        }
    }
    let mut twos: Vec<u8> = limbs.iter().flat_map(|limb| limb.to_le_bytes()).collect();
    twos.push(0);
    if negative {
        let mut carry = true;
        for byte in &mut twos {
            let (sum, over) = (!*byte).overflowing_add(u8::from(carry));
            *byte = sum;
            carry = over;
        }
    }
    twos
}
