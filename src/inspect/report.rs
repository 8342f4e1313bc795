//! The result of an inspection, and its form as JSON.
//!
//! The schema is `picklist-inspection/1`. Fields may be added to it; none is removed or changes its meaning without a
//! new number.

use serde::Serialize;

use super::arrays::Raw;
use super::uses::{GlobalUse, Refused};
use crate::error::Error;
use crate::machine::budget::Spent;
use crate::policy::EntryId;

/// The name of the JSON schema.
pub const SCHEMA: &str = "picklist-inspection/1";
/// Raw arrays whose places are told.
const RAWS: usize = 1000;

/// Opcodes by name and how often each was met, in the order of the opcode table.
pub type Opcodes = Vec<(&'static str, u64)>;

/// What one pickle would do, found without doing it.
#[derive(Debug, Clone, PartialEq)]
pub struct Inspection {
    /// Every name, in the order in which the stream mentions them.
    pub globals: Vec<GlobalUse>,
    /// Everything that is refused, in the order of the stream. The same refusal of the same name stands once.
    pub refusals: Vec<Refused>,
    /// Why the stream could not be followed to its end; what was seen up to there is kept.
    pub fault: Option<Box<Error>>,
    /// Protocol that PROTO declares; 0 without one.
    pub protocol: u8,
    /// Protocol that the opcodes need, where they were counted.
    pub protocol_needed: Option<u8>,
    /// Histogram of the opcodes, where they were counted.
    pub opcodes: Opcodes,
    /// Bytes up to STOP, or all there are where the stream is at fault.
    pub size: u64,
    /// Bytes after STOP.
    pub trailing: u64,
    /// Values left on the stack at STOP.
    pub leftovers: u64,
    /// Values in the memo.
    pub memo: u64,
    /// What loading would cost: memory, hash work, depth.
    pub spent: Spent,
    /// The first persistent ids, as Python would show them.
    pub persistent_ids: Vec<String>,
    /// How many persistent ids there are.
    pub persistent_count: u64,
    /// The first different extension codes.
    pub extension_codes: Vec<u32>,
    /// Out-of-band buffers asked for.
    pub buffers: u64,
    /// What lies between the opcodes, in a joblib file.
    pub raws: Vec<Raw>,
    /// The policy that was asked, as messages call it.
    pub policy: String,
    /// The presets of that policy that no other one includes.
    pub base: Vec<&'static str>,
    /// Whether that policy has names besides its presets.
    pub extended: bool,
}

impl Inspection {
    /// Whether loading would be allowed: nothing is refused, nothing is at fault.
    pub fn allowed(&self) -> bool {
        self.refusals.is_empty() && self.fault.is_none()
    }

    /// The names that are missing from the policy: what `ForbiddenGlobalError.blocked` lists.
    pub fn blocked(&self) -> impl Iterator<Item = &GlobalUse> {
        self.globals.iter().filter(|used| used.is_unknown())
    }

    /// The entries of the policy that the stream names.
    pub fn entries(&self) -> impl Iterator<Item = EntryId> {
        self.globals.iter().filter_map(|used| used.entry)
    }

    /// Where in the object the first refusal at that offset is.
    pub fn path_at(&self, offset: u64) -> Option<&str> {
        let at = self
            .refusals
            .iter()
            .find(|refused| refused.offset == offset)?;
        let of_name = || self.globals.get(at.global?)?.path.as_deref();
        at.path.as_deref().or_else(of_name)
    }

    /// The error that loading stops with: the first refusal, or else the fault.
    pub fn error(&self) -> Option<Box<Error>> {
        match self.refusals.first() {
            Some(refused) => Some(Error::new(
                refused.kind.clone(),
                refused.offset,
                refused.opcode,
            )),
            None => self.fault.clone(),
        }
    }

    /// The inspection as a JSON value, by the schema [`SCHEMA`]:
    ///
    /// * `schema`, `allowed`, `policy`
    /// * `globals`: a list of `module`, `name`, `spelled` (pair, if renamed), `offset`, `opcode`, `count`, `calls`,
    ///   `rights` (list of capabilities), `arguments` (list of texts), `path` (or null), `allowed`, `why` (if not),
    ///   `preset` (or null), `gadget` (if one)
    /// * `refusals`: a list of `class`, `message`, `offset`, `opcode`, `global` (index, or null), `path` (or null), `count`
    /// * `fault`: null, or `class`, `message`, `offset`, `opcode`, `path` (of a limit; else null)
    /// * `protocol`, `protocol_needed`, `opcodes` (object of counts), `size`, `trailing`, `leftovers`, `memo`, `depth`
    /// * `persistent_ids`, `persistent_count`, `extension_codes`, `buffers`, `arrays` (raw between the opcodes), `raw`
    ///   (offset and length of the first of them)
    /// * `limits`: `memory`, `hash_work`, `depth` that loading spends
    pub fn to_json(&self) -> serde_json::Value {
        serde_json::to_value(Document::from(self)).unwrap_or_default()
    }
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    allowed: bool,
    policy: &'a str,
    globals: &'a [GlobalUse],
    refusals: Vec<RefusalRow<'a>>,
    fault: Option<FaultRow<'a>>,
    protocol: u8,
    protocol_needed: Option<u8>,
    opcodes: serde_json::Map<String, serde_json::Value>,
    size: u64,
    trailing: u64,
    leftovers: u64,
    memo: u64,
    depth: u32,
    persistent_ids: &'a [String],
    persistent_count: u64,
    extension_codes: &'a [u32],
    buffers: u64,
    arrays: u64,
    raw: Vec<(usize, usize)>,
    limits: Limits,
}

#[derive(Serialize)]
struct RefusalRow<'a> {
    class: &'static str,
    message: String,
    offset: u64,
    opcode: Option<&'static str>,
    global: Option<usize>,
    path: Option<&'a str>,
    count: u64,
}

#[derive(Serialize)]
struct FaultRow<'a> {
    class: &'static str,
    message: String,
    offset: u64,
    opcode: Option<&'static str>,
    path: Option<&'a str>,
}

#[derive(Serialize)]
struct Limits {
    memory: u64,
    hash_work: u64,
    depth: u32,
}

impl<'a> From<&'a Inspection> for Document<'a> {
    fn from(from: &'a Inspection) -> Self {
        let refusals = from.refusals.iter().map(|refused| RefusalRow {
            class: refused.kind.class().name(),
            message: refused.kind.to_string(),
            offset: refused.offset,
            opcode: refused.opcode,
            global: refused.global,
            path: refused.path.as_deref(),
            count: refused.count,
        });
        let fault = from.fault.as_ref().map(|fault| FaultRow {
            class: fault.kind.class().name(),
            message: fault.kind.to_string(),
            offset: fault.at,
            opcode: fault.opcode,
            path: fault.path.as_deref(),
        });
        let opcodes = from
            .opcodes
            .iter()
            .map(|(name, count)| ((*name).to_owned(), (*count).into()));
        let raw = from.raws.iter().map(|raw| (raw.at, raw.length));
        let raw = raw.take(RAWS);
        Document {
            schema: SCHEMA,
            allowed: from.allowed(),
            policy: &from.policy,
            globals: &from.globals,
            refusals: refusals.collect(),
            fault,
            protocol: from.protocol,
            protocol_needed: from.protocol_needed,
            opcodes: opcodes.collect(),
            size: from.size,
            trailing: from.trailing,
            leftovers: from.leftovers,
            memo: from.memo,
            depth: from.spent.depth,
            persistent_ids: &from.persistent_ids,
            persistent_count: from.persistent_count,
            extension_codes: &from.extension_codes,
            buffers: from.buffers,
            arrays: from.raws.len() as u64,
            raw: raw.collect(),
            limits: Limits {
                memory: from.spent.memory,
                hash_work: from.spent.hash_work,
                depth: from.spent.depth,
            },
        }
    }
}
