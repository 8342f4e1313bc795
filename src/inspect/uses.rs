//! What a pickle does with every name it mentions, and what of it is refused.

use std::collections::HashMap;

use serde::Serialize;

use super::note::{self, Id, NOBODY};
use crate::error::{Kind, dotted};
use crate::machine::world::Site;
use crate::policy::{EntryId, Policy, Refusal, Rights};
use crate::stream::opcode;

/// Different argument lists that are kept of one name.
const SHAPES: usize = 3;
/// Calls of one name whose arguments are looked at for that.
const CALLS: u64 = 16;
/// Characters of a reason that are kept; a reason may quote the stream.
const QUOTED: usize = 200;
/// Names for which presets are looked up: a report of more is not read by anyone.
const EXPLAINED: usize = 1000;

/// One name of a pickle, and all that the pickle does with it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GlobalUse {
    /// Module, after renames.
    pub module: String,
    /// Qualified name in the module, after renames.
    pub name: String,
    /// Module and name as the stream spells them, where that differs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spelled: Option<(String, String)>,
    /// Offset of the first opcode that names it.
    pub offset: u64,
    /// That opcode.
    pub opcode: &'static str,
    /// How many opcodes name it.
    pub count: u64,
    /// How often it is called or instantiated.
    pub calls: u64,
    /// What is done with it, as capabilities of a policy: "reference", "call", "new", "state", "append", "items", "add".
    #[serde(serialize_with = "names_of")]
    pub rights: Rights,
    /// The arguments of the first different calls, as in `('id',)`.
    pub arguments: Vec<String>,
    /// Where in the object it is; `None` where it does not reach the result.
    pub path: Option<String>,
    /// Whether everything that is done with it is allowed.
    pub allowed: bool,
    /// Why not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The first preset that has the name.
    pub preset: Option<&'static str>,
    /// Why no data ever needs the name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gadget: Option<&'static str>,
    #[serde(skip)]
    pub(super) entry: Option<EntryId>,
    #[serde(skip)]
    pub(super) stands: Option<bool>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // serde's shape
fn names_of<S: serde::Serializer>(rights: &Rights, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(rights.iter())
}

impl GlobalUse {
    /// `module.name`, escaped.
    pub fn dotted(&self) -> String {
        dotted(&self.module, &self.name)
    }

    /// The name as `allow=` takes it: exact at a colon where the name has dots of its own.
    pub fn written(&self) -> String {
        if self.name.contains('.') {
            format!("{}:{}", self.module, self.name)
        } else {
            self.dotted()
        }
    }

    /// Whether the name itself is missing from the policy, and not only something done with it.
    pub fn is_unknown(&self) -> bool {
        !self.allowed && self.entry.is_none()
    }
}

/// Something that the policy, or the lack of a handler, refuses.
#[derive(Debug, Clone, PartialEq)]
pub struct Refused {
    /// The refusal, as the loader raises it.
    pub kind: Kind,
    /// Offset of the opcode.
    pub offset: u64,
    /// The opcode.
    pub opcode: Option<&'static str>,
    /// Index of the name in [`Inspection::globals`](super::Inspection::globals), where a name is at fault.
    pub global: Option<usize>,
    /// Where in the object the refused value would have been.
    pub path: Option<String>,
    /// How often the same was refused.
    pub count: u64,
}

/// Whether the caller, and not the policy, has no answer for the stream.
fn is_lack(kind: &Kind) -> bool {
    matches!(
        kind,
        Kind::NoPersistentLoad
            | Kind::NoBuffers
            | Kind::BuffersExhausted
            | Kind::UnknownExtension(_)
    )
}

/// All uses and refusals of one pickle.
#[derive(Debug, Default)]
pub(super) struct Uses {
    pub(super) globals: Vec<GlobalUse>,
    pub(super) refusals: Vec<Refused>,
    known: HashMap<Box<str>, Id>,
    /// Refusals by what makes two of them the same: the name and the attempt.
    refused: HashMap<(Option<usize>, &'static str), usize>,
    /// Nodes whose refusal waits for a path.
    pub(super) waiting: HashMap<Id, usize>,
    key: String,
    /// The policy refuses nothing.
    unrestricted: bool,
    /// Only the verdict is asked for: a name is its entry, nothing is told of it, and one refusal is enough.
    pub(super) brief: Option<Brief>,
}

/// What a verdict needs of the names.
#[derive(Debug, Default)]
pub(super) struct Brief {
    /// A bit for each entry of the policy that was named.
    named: Vec<u64>,
    /// Something was refused.
    pub(super) refused: bool,
}

impl Brief {
    /// An entry was named.
    fn note(&mut self, entry: EntryId) {
        let word = entry.0 as usize / 64;
        if word >= self.named.len() {
            self.named.resize(word + 1, 0);
        }
        if let Some(bits) = self.named.get_mut(word) {
            *bits |= 1 << (entry.0 % 64);
        }
    }

    /// The entries that were named.
    pub(super) fn entries(&self) -> Vec<EntryId> {
        let mut entries = Vec::new();
        for (first, bits) in (0..).step_by(64).zip(&self.named) {
            let mut left = *bits;
            while left != 0 {
                entries.push(EntryId(first + left.trailing_zeros()));
                left &= left - 1;
            }
        }
        entries
    }
}

impl Uses {
    /// No uses yet; `unrestricted`: nothing will be refused that the policy alone could refuse.
    pub(super) fn new(unrestricted: bool) -> Self {
        Self {
            unrestricted,
            ..Self::default()
        }
    }

    /// The use of a name. `true`: it is a new one.
    pub(super) fn find(&mut self, site: Site, module: &str, name: &str) -> (Id, bool) {
        use std::fmt::Write as _;
        self.key.clear();
        // Writing to a String does not fail; the length keeps ("a", "b.c") and ("a.b", "c") apart.
        let _ = write!(self.key, "{}:{module}{name}", module.len());
        if let Some(index) = self.known.get(self.key.as_str()).copied() {
            if let Some(used) = self.get_mut(index) {
                used.count += 1;
            }
            return (index, false);
        }
        let index = Id::try_from(self.globals.len()).unwrap_or(NOBODY);
        self.known.insert(self.key.as_str().into(), index);
        self.globals.push(GlobalUse {
            module: module.to_owned(),
            name: name.to_owned(),
            spelled: None,
            offset: site.at,
            opcode: opcode::name(site.code).unwrap_or_default(),
            count: 1,
            calls: 0,
            rights: Rights::NONE,
            arguments: Vec::new(),
            path: None,
            allowed: true,
            why: None,
            preset: None,
            gadget: None,
            entry: None,
            stands: None,
        });
        (index, true)
    }

    /// The use of an entry that the stream reached in another way than by its name.
    pub(super) fn find_entry(
        &mut self,
        site: Site,
        entry: EntryId,
        module: &str,
        name: &str,
    ) -> Id {
        if let Some(brief) = &mut self.brief {
            brief.note(entry);
            return entry.0.into();
        }
        let (index, new) = self.find(site, module, name);
        if new && let Some(used) = self.get_mut(index) {
            used.entry = Some(entry);
        }
        index
    }

    /// As [`Self::find`], where only the verdict counts: what the policy has for the name, if it has anything.
    pub(super) fn find_briefly(&mut self, found: Option<EntryId>) -> Option<Id> {
        let brief = self.brief.as_mut()?;
        brief.refused |= found.is_none();
        let entry = found?;
        brief.note(entry);
        Some(entry.0.into())
    }

    /// A use by its index.
    pub(super) fn get(&self, index: Id) -> Option<&GlobalUse> {
        self.globals.get(note::index(index))
    }

    /// A use by its index.
    pub(super) fn get_mut(&mut self, index: Id) -> Option<&mut GlobalUse> {
        self.globals.get_mut(note::index(index))
    }

    /// The entry that a name has in the policy.
    #[inline]
    pub(super) fn entry(&self, index: Id) -> Option<EntryId> {
        if self.brief.is_some() {
            return note::entry(index);
        }
        self.get(index)?.entry
    }

    /// The name is used like that.
    #[inline]
    pub(super) fn record(&mut self, index: Id, right: Rights) {
        if self.brief.is_none()
            && let Some(used) = self.get_mut(index)
        {
            used.rights.insert(right);
        }
    }

    /// The name is called; `shape` writes the arguments, if they are still wanted.
    pub(super) fn record_call(&mut self, index: Id, right: Rights, shape: Option<String>) {
        if let Some(used) = self.get_mut(index) {
            used.rights.insert(right);
            used.calls += 1;
            if let Some(shape) = shape
                && !used.arguments.contains(&shape)
            {
                used.arguments.push(shape);
            }
        }
    }

    /// Whether the arguments of another call of the name are wanted.
    #[inline]
    pub(super) fn wants_arguments(&self, index: Id) -> bool {
        self.get(index)
            .is_some_and(|used| used.arguments.len() < SHAPES && used.calls < CALLS)
    }

    /// Whether the verdict is known, and nothing but the verdict is asked for.
    #[inline]
    pub(super) fn is_decided(&self) -> bool {
        self.brief.as_ref().is_some_and(|brief| brief.refused)
    }

    /// Something is refused. `true`: more than that is not asked for.
    pub(super) fn refuse_briefly(&mut self) -> bool {
        match &mut self.brief {
            Some(brief) => {
                brief.refused = true;
                true
            }
            None => false,
        }
    }

    /// The name is refused as such.
    pub(super) fn forbid(&mut self, index: Id, kind: Kind) {
        if self.refuse_briefly() {
            return;
        }
        let Some(used) = self.get_mut(index) else {
            return;
        };
        used.allowed = false;
        used.why.get_or_insert_with(|| kind.to_string());
        let site = (used.offset, Some(used.opcode));
        self.push(kind, site, Some(index), "named", None);
    }

    /// What is done with an allowed name is refused.
    pub(super) fn refuse(&mut self, site: Site, index: Id, refusal: Refusal, node: Option<Id>) {
        if self.unrestricted || self.refuse_briefly() {
            return;
        }
        let Some(used) = self.get_mut(index) else {
            return;
        };
        let mut refusal = refusal;
        if refusal.why.len() > 4 * QUOTED {
            refusal.why = refusal.why.chars().take(QUOTED).chain(['…']).collect();
        }
        used.allowed = false;
        used.why
            .get_or_insert_with(|| format!("may not be {}: {}", refusal.attempt, refusal.why));
        let kind = Kind::ForbiddenCall {
            module: used.module.clone(),
            name: used.name.clone(),
            attempt: refusal.attempt,
            why: refusal.why,
        };
        let place = (site.at, opcode::name(site.code));
        self.push(kind, place, Some(index), refusal.attempt, node);
    }

    /// Something without a name is refused.
    pub(super) fn refuse_value(&mut self, site: Site, kind: Kind, what: &'static str) {
        if (!self.unrestricted || is_lack(&kind)) && !self.refuse_briefly() {
            let place = (site.at, opcode::name(site.code));
            self.push(kind, place, None, what, None);
        }
    }

    fn push(
        &mut self,
        kind: Kind,
        (offset, opcode): (u64, Option<&'static str>),
        global: Option<Id>,
        what: &'static str,
        node: Option<Id>,
    ) {
        let global = global.map(note::index);
        let next = self.refusals.len();
        let index = *self.refused.entry((global, what)).or_insert(next);
        if let Some(same) = self.refusals.get_mut(index) {
            same.count += 1;
            return;
        }
        if let Some(node) = node {
            self.waiting.insert(node, index);
        }
        self.refusals.push(Refused {
            kind,
            offset,
            opcode,
            global,
            path: None,
            count: 1,
        });
    }

    /// Adds what only a reader wants to know: presets that have the names, gadgets.
    pub(super) fn explain(&mut self) {
        for used in self.globals.iter_mut().take(EXPLAINED) {
            used.preset = Policy::presets_with(&used.module, &used.name)
                .first()
                .copied();
            used.gadget = Policy::gadget(&used.module, &used.name);
        }
    }
}
