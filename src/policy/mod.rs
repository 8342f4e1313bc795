//! Who may do what: the allowlist. Owns names, capabilities and contracts;
//! knows no opcode and no Python.
//!
//! A [`Policy`] is a value: built once, immutable, compared by content. A name
//! of a pickle goes through [`Policy::canonical`] (renames), then
//! [`Policy::lookup`] (exact pair), and everything the stream then does with
//! the entry through [`Policy::judge`].
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic
    )
)]
#![allow(
    clippy::non_std_lazy_statics,
    reason = "the crate's lazy tables are all once_cell's"
)]

mod builder;
pub mod calendar;
mod capability;
mod contract;
mod document;
mod error;
mod gadgets;
mod judge;
mod names;
mod plan;
mod presets;
mod spelling;
mod view;

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use once_cell::sync::Lazy;

pub use builder::{PolicyBuilder, split_path};
pub use capability::{Entry, EntryId, Fields, Grant, Meaning, Rights};
pub use contract::{
    Contract, ContractError, Native, SmallDecimal, address_and_prefix, numpy, scoped_address,
    stored_array,
};
pub use error::PolicyError;
pub use judge::{Attempt, Refusal};
pub use plan::{Plan, Safe};
pub use presets::Preset;
pub use view::{Form, Look, View};

use spelling::NameMap;

/// The longest module or qualified name that a policy holds or looks up.
/// Real names stay far below; a longer one is noise or an attack.
pub const MAX_NAME_LENGTH: usize = 256;

/// A module and a qualified name.
type Name = (Box<str>, Box<str>);
/// Module, then name, to the name that is meant.
type Renames = BTreeMap<Box<str>, BTreeMap<Box<str>, Name>>;

/// An allowlist: immutable, exact, compared by value.
#[derive(Clone, Debug)]
pub struct Policy {
    /// Sorted by module and name; an [`EntryId`] is an index.
    entries: Box<[Entry]>,
    /// Every spelling of every entry: module, then qualified name.
    index: NameMap<Box<str>, NameMap<Box<str>, EntryId>>,
    presets: BTreeSet<&'static str>,
    renamed_names: Renames,
    renamed_modules: BTreeMap<Box<str>, Box<str>>,
    extensions: BTreeMap<u32, Name>,
    unrestricted: bool,
}

impl Policy {
    /// No imports at all: plain data only.
    pub fn plain() -> &'static Arc<Policy> {
        static PLAIN: Lazy<Arc<Policy>> = Lazy::new(|| Arc::new(PolicyBuilder::new().finish()));
        &PLAIN
    }

    /// The default: the standard library's data types, built natively. (Were
    /// the embedded document unreadable, which a test excludes, it would allow
    /// nothing.)
    pub fn std() -> &'static Arc<Policy> {
        static STD: Lazy<Arc<Policy>> = Lazy::new(|| {
            let built = Policy::preset(&["std"]).and_then(PolicyBuilder::build);
            Arc::new(built.unwrap_or_else(|_| PolicyBuilder::new().finish()))
        });
        &STD
    }

    /// A builder that starts from these presets.
    pub fn preset(names: &[&str]) -> Result<PolicyBuilder, PolicyError> {
        let mut builder = PolicyBuilder::new();
        for name in names {
            builder = builder.preset(name)?;
        }
        Ok(builder)
    }

    /// A policy that refuses nothing, for trusted data only: it behaves as the
    /// `pickle` module does.
    pub fn unrestricted() -> Policy {
        Policy {
            unrestricted: true,
            ..PolicyBuilder::new().finish()
        }
    }

    /// Reads a policy document.
    pub fn from_toml(text: &str) -> Result<Policy, PolicyError> {
        document::read_policy(text)
    }

    /// Reads the table `[tool.picklist]` of a `pyproject.toml`, a policy
    /// document in all but its place; `None` without such a table.
    pub fn from_pyproject(text: &str) -> Result<Option<Policy>, PolicyError> {
        document::read_pyproject(text)
    }

    /// The policy as a document; [`Policy::from_toml`] gives an equal policy.
    pub fn to_toml(&self) -> String {
        document::write_policy(self)
    }

    /// The entry with exactly that name, in any of its spellings. Nothing is
    /// split, folded or guessed: `("a", "b.c")` is not `("a.b", "c")`.
    pub fn lookup(&self, module: &str, name: &str) -> Option<EntryId> {
        if module.len() > MAX_NAME_LENGTH || name.len() > MAX_NAME_LENGTH {
            return None;
        }
        self.index.get(module)?.get(name).copied()
    }

    /// The name under which a pickle's name is looked up: Python 2 names when
    /// `python2` (protocol below 3 and `fix_imports`), then the policy's own
    /// renames, then modules that moved between versions of their library.
    pub fn canonical<'a>(
        &'a self,
        module: &'a str,
        name: &'a str,
        python2: bool,
    ) -> (&'a str, &'a str) {
        let (module, name) = if python2 {
            names::python2(module, name)
        } else {
            (module, name)
        };
        let (module, name) = self.renamed(module, name);
        if self.unrestricted {
            (module, name)
        } else {
            names::moved(module, name)
        }
    }

    fn renamed<'a>(&'a self, module: &'a str, name: &'a str) -> (&'a str, &'a str) {
        let exact = self
            .renamed_names
            .get(module)
            .and_then(|names| names.get(name));
        match exact {
            Some((module, name)) => (module, name),
            None => match self.renamed_modules.get(module) {
                Some(module) => (module, name),
                None => (module, name),
            },
        }
    }

    /// An entry that [`Policy::lookup`] gave.
    ///
    /// An id of another policy may be out of range; it then stands for an entry
    /// that is granted nothing.
    pub fn entry(&self, id: EntryId) -> &Entry {
        static NOBODY: Lazy<Entry> =
            Lazy::new(|| Entry::new("", "", Meaning::Scope, Some(Grant::of(Rights::NONE))));
        self.get(id).unwrap_or(&NOBODY)
    }

    pub(self) fn get(&self, id: EntryId) -> Option<&Entry> {
        self.entries.get(usize::try_from(id.0).ok()?)
    }

    /// All entries with their ids, sorted by name.
    pub fn entries(&self) -> impl Iterator<Item = (EntryId, &Entry)> {
        (0..).map(EntryId).zip(self.entries.iter())
    }

    /// The name that an extension code stands for in this policy.
    pub fn extension(&self, code: u32) -> Option<(&str, &str)> {
        let (module, name) = self.extensions.get(&code)?;
        Some((module, name))
    }

    /// The presets that went into the policy, sorted.
    pub fn presets(&self) -> impl Iterator<Item = &'static str> {
        self.presets.iter().copied()
    }

    /// Whether this is [`Policy::unrestricted`].
    pub fn is_unrestricted(&self) -> bool {
        self.unrestricted
    }

    /// What either of the two allows.
    pub fn union(&self, other: &Policy) -> Result<Policy, PolicyError> {
        self.to_builder().merge(other)?.build()
    }

    /// A builder that starts from this policy.
    pub fn to_builder(&self) -> PolicyBuilder {
        PolicyBuilder::from_policy(self)
    }

    /// The presets that would allow a name, for messages.
    pub fn presets_with(module: &str, name: &str) -> Vec<&'static str> {
        presets::naming(module, name)
    }

    /// Why no data needs that name, if it is a universal gadget: something
    /// that does anything at all for whoever chooses its arguments. It only
    /// explains and guards the building of policies; what is refused at load
    /// time is whatever the policy does not list.
    pub fn gadget(module: &str, name: &str) -> Option<&'static str> {
        gadgets::reason(module, name)
    }
}

impl PartialEq for Policy {
    fn eq(&self, other: &Policy) -> bool {
        self.entries == other.entries
            && self.presets == other.presets
            && self.renamed_names == other.renamed_names
            && self.renamed_modules == other.renamed_modules
            && self.extensions == other.extensions
            && self.unrestricted == other.unrestricted
    }
}

impl Eq for Policy {}

impl Hash for Policy {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.entries.hash(state);
        self.presets.hash(state);
        self.extensions.hash(state);
        self.unrestricted.hash(state);
    }
}

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
