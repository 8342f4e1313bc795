//! Builds policies: what is added, how it is combined, and what makes a
//! policy impossible. Everything wrong with a policy is said here, before the
//! first pickle is read.

use std::collections::btree_map;
use std::collections::{BTreeMap, BTreeSet};

use super::capability::{Entry, EntryId, Grant, Meaning, Rights};
use super::error::PolicyError;
use super::spelling::NameMap;
use super::{MAX_NAME_LENGTH, Name, Policy, Renames, gadgets, names, presets};

/// A policy in the making. Every method takes it by value and gives it back,
/// so that it reads as a list.
#[derive(Debug, Default, Clone)]
pub struct PolicyBuilder {
    entries: BTreeMap<Name, Entry>,
    presets: BTreeSet<&'static str>,
    renamed_names: Renames,
    renamed_modules: BTreeMap<Box<str>, Box<str>>,
    extensions: BTreeMap<u32, Name>,
    unrestricted: bool,
}

impl PolicyBuilder {
    /// Nothing allowed.
    pub fn new() -> PolicyBuilder {
        PolicyBuilder::default()
    }

    pub(super) fn from_policy(policy: &Policy) -> PolicyBuilder {
        PolicyBuilder {
            entries: policy
                .entries
                .iter()
                .filter(|entry| entry.meaning != Meaning::Scope)
                .map(|entry| ((entry.module.clone(), entry.name.clone()), entry.clone()))
                .collect(),
            presets: policy.presets.clone(),
            renamed_names: policy.renamed_names.clone(),
            renamed_modules: policy.renamed_modules.clone(),
            extensions: policy.extensions.clone(),
            unrestricted: policy.unrestricted,
        }
    }

    /// Adds a preset and those it extends.
    pub fn preset(mut self, name: &str) -> Result<PolicyBuilder, PolicyError> {
        let preset = presets::get(name)?;
        if !self.presets.insert(preset.name) {
            return Ok(self);
        }
        for base in &preset.extends {
            self = self.preset(base)?;
        }
        for entry in &preset.entries {
            self = self.add(entry.clone())?;
        }
        Ok(self)
    }

    /// Allows an object plainly: it gets what its own pickles need.
    pub fn allow(self, module: &str, name: &str) -> Result<PolicyBuilder, PolicyError> {
        self.add_checked(Entry::new(module, name, Meaning::Object, None))
    }

    /// Allows exactly what `grant` says.
    pub fn allow_with(
        self,
        module: &str,
        name: &str,
        grant: Grant,
    ) -> Result<PolicyBuilder, PolicyError> {
        self.add_checked(Entry::new(module, name, Meaning::Object, Some(grant)))
    }

    /// Allows a name even if it is a universal gadget, plainly or as `grant`
    /// says.
    pub fn allow_dangerously(
        self,
        module: &str,
        name: &str,
        grant: Option<Grant>,
    ) -> Result<PolicyBuilder, PolicyError> {
        let mut entry = Entry::new(module, name, Meaning::Object, grant);
        entry.dangerous = true;
        self.add_checked(entry)
    }

    /// Lets an entry be found under another name as well, as libraries that
    /// moved a class between versions need it.
    pub fn alias(
        mut self,
        (module, name): (&str, &str),
        (other_module, other_name): (&str, &str),
    ) -> Result<PolicyBuilder, PolicyError> {
        check_name(other_module, other_name)?;
        let key = (module.into(), name.into());
        let Some(entry) = self.entries.get_mut(&key) else {
            return Err(PolicyError::BadName {
                path: format!("{module}.{name}"),
                why: "an alias needs an entry to stand for",
            });
        };
        if let Some(reason) = gadget(other_module, other_name).filter(|_| !entry.dangerous) {
            return Err(PolicyError::Gadget {
                path: format!("{other_module}.{other_name}"),
                reason,
            });
        }
        if entry.meaning != Meaning::Object {
            return Err(PolicyError::NativeContract {
                path: entry.path(),
                preset: entry.preset.unwrap_or_default().to_owned(),
            });
        }
        let alias = (Box::from(other_module), Box::from(other_name));
        if !entry.aliases.contains(&alias) {
            entry.aliases.push(alias);
            entry.aliases.sort();
            entry.preset = None;
        }
        Ok(self)
    }

    /// Looks up `from` as if the pickle had said `to`.
    pub fn rename(
        mut self,
        from: (&str, &str),
        to: (&str, &str),
    ) -> Result<PolicyBuilder, PolicyError> {
        check_name(from.0, from.1)?;
        check_name(to.0, to.1)?;
        self.renamed_names
            .entry(from.0.into())
            .or_default()
            .insert(from.1.into(), (to.0.into(), to.1.into()));
        Ok(self)
    }

    /// Looks up every name of module `from` in module `to`. Submodules are
    /// modules of their own.
    pub fn rename_module(mut self, from: &str, to: &str) -> Result<PolicyBuilder, PolicyError> {
        check_name(from, "name")?;
        check_name(to, "name")?;
        self.renamed_modules.insert(from.into(), to.into());
        Ok(self)
    }

    /// Gives an extension code a name, which is then judged like any other.
    pub fn extension(
        mut self,
        code: u32,
        module: &str,
        name: &str,
    ) -> Result<PolicyBuilder, PolicyError> {
        check_name(module, name)?;
        self.extensions.insert(code, (module.into(), name.into()));
        Ok(self)
    }

    /// Adds all that another policy allows.
    pub fn merge(mut self, other: &Policy) -> Result<PolicyBuilder, PolicyError> {
        if self.unrestricted || other.unrestricted {
            return if self.unrestricted && other.unrestricted {
                Ok(self)
            } else {
                Err(PolicyError::Unrestricted)
            };
        }
        for entry in &other.entries {
            if entry.meaning != Meaning::Scope {
                self = self.add(entry.clone())?;
            }
        }
        self.presets.extend(&other.presets);
        for (module, names) in &other.renamed_names {
            let known = self.renamed_names.entry(module.clone()).or_default();
            for (name, to) in names {
                if let Some(before) = known.insert(name.clone(), to.clone()) {
                    agree(&format!("{module}.{name}"), &before, to)?;
                }
            }
        }
        for (module, to) in &other.renamed_modules {
            if let Some(before) = self.renamed_modules.insert(module.clone(), to.clone()) {
                agree(module, &(before, "*".into()), &(to.clone(), "*".into()))?;
            }
        }
        for (code, to) in &other.extensions {
            if let Some(before) = self.extensions.insert(*code, to.clone()) {
                agree(&format!("extension code {code}"), &before, to)?;
            }
        }
        Ok(self)
    }

    /// The policy.
    pub fn build(self) -> Result<Policy, PolicyError> {
        if self.unrestricted && !self.entries.is_empty() {
            return Err(PolicyError::Unrestricted);
        }
        let mut spelled: BTreeMap<(&str, &str), &Entry> = BTreeMap::new();
        for entry in self.entries.values() {
            for spelling in entry.spellings() {
                if let Some(before) = spelled.insert(spelling, entry) {
                    return Err(PolicyError::Ambiguous {
                        path: format!("{}.{}", spelling.0, spelling.1),
                        first: before.path(),
                        second: entry.path(),
                    });
                }
            }
        }
        Ok(self.finish())
    }

    pub(super) fn finish(self) -> Policy {
        let mut entries = self.entries;
        add_scopes(&mut entries);
        let entries: Box<[Entry]> = entries.into_values().collect();
        let mut index: NameMap<Box<str>, NameMap<Box<str>, EntryId>> = NameMap::default();
        for (id, entry) in (0..).map(EntryId).zip(&entries) {
            for (module, name) in entry.spellings() {
                let names = index.entry(module.into()).or_default();
                names.insert(name.into(), id);
            }
        }
        // A pickle's name is looked up by its newest spelling; an entry written
        // in an older one is found there too, unless another entry has it.
        for (id, entry) in (0..).map(EntryId).zip(&entries) {
            for (module, name) in entry.spellings() {
                let (module, name) = names::moved(module, name);
                let names = index.entry(module.into()).or_default();
                names.entry(name.into()).or_insert(id);
            }
        }
        Policy {
            entries,
            index,
            presets: self.presets,
            renamed_names: self.renamed_names,
            renamed_modules: self.renamed_modules,
            extensions: self.extensions,
            unrestricted: self.unrestricted,
        }
    }

    pub(super) fn unrestricted(mut self) -> PolicyBuilder {
        self.unrestricted = true;
        self
    }

    fn add_checked(self, entry: Entry) -> Result<PolicyBuilder, PolicyError> {
        if self.unrestricted {
            return Err(PolicyError::Unrestricted);
        }
        check_name(&entry.module, &entry.name)?;
        if let Some(reason) = gadget(&entry.module, &entry.name).filter(|_| !entry.dangerous) {
            return Err(PolicyError::Gadget {
                path: entry.path(),
                reason,
            });
        }
        self.add(entry)
    }

    /// Adds an entry that is known to be sound, widening what is there.
    pub(super) fn add(mut self, entry: Entry) -> Result<PolicyBuilder, PolicyError> {
        if self.unrestricted {
            return Err(PolicyError::Unrestricted);
        }
        match self
            .entries
            .entry((entry.module.clone(), entry.name.clone()))
        {
            btree_map::Entry::Vacant(vacant) => {
                vacant.insert(entry);
            }
            btree_map::Entry::Occupied(mut occupied) => {
                let combined = combine(occupied.get(), &entry)?;
                occupied.insert(combined);
            }
        }
        Ok(self)
    }
}

/// What two entries of one name allow together. Symmetric.
fn combine(a: &Entry, b: &Entry) -> Result<Entry, PolicyError> {
    if a == b {
        return Ok(a.clone());
    }
    let (native, object) = match (a.meaning, b.meaning) {
        (Meaning::Native(_), Meaning::Native(_)) => return Ok(widest(a, b).clone()),
        (Meaning::Native(_), _) => (a, b),
        (_, Meaning::Native(_)) => (b, a),
        _ => return Ok(combine_objects(a, b)),
    };
    if object.dangerous {
        return Ok(object.clone());
    }
    if object.declared.is_some() {
        return Err(PolicyError::NativeContract {
            path: native.path(),
            preset: native.preset.unwrap_or_default().to_owned(),
        });
    }
    Ok(native.clone())
}

/// Of two rows of presets for one native type, the one that grants more.
fn widest<'a>(a: &'a Entry, b: &'a Entry) -> &'a Entry {
    let rights = |entry: &Entry| entry.grant().map_or(Rights::NONE, |grant| grant.rights);
    let key = |entry: &Entry| (rights(entry).iter().count(), entry.preset);
    if key(a) >= key(b) { a } else { b }
}

fn combine_objects(a: &Entry, b: &Entry) -> Entry {
    let declared = match (&a.declared, &b.declared) {
        (Some(a), Some(b)) => Some(a.union(b)),
        (a, b) => a.as_ref().or(b.as_ref()).cloned(),
    };
    let mut aliases = a.aliases.clone();
    aliases.extend(b.aliases.iter().cloned());
    aliases.sort();
    aliases.dedup();
    let mut combined = Entry::new(&a.module, &a.name, Meaning::Object, declared);
    combined.plain = a.plain || b.plain;
    combined.dangerous = a.dangerous || b.dangerous;
    combined.aliases = aliases;
    for preset in [a, b] {
        let mut candidate = combined.clone();
        candidate.preset = preset.preset;
        if candidate == *preset {
            return candidate;
        }
    }
    combined
}

/// `Outer` for every `Outer.Inner` that is allowed while `Outer` is not.
fn add_scopes(entries: &mut BTreeMap<Name, Entry>) {
    let known: BTreeSet<Name> = entries
        .values()
        .flat_map(|entry| {
            entry
                .spellings()
                .map(|(module, name)| (module.into(), name.into()))
        })
        .collect();
    for (module, name) in &known {
        for (dot, _) in name.match_indices('.') {
            let outer: Box<str> = name.get(..dot).unwrap_or_default().into();
            let key = (module.clone(), outer);
            if !key.1.is_empty() && !known.contains(&key) {
                let scope = Entry::new(&key.0, &key.1, Meaning::Scope, None);
                entries.insert(key, scope);
            }
        }
    }
}

fn agree(path: &str, first: &Name, second: &Name) -> Result<(), PolicyError> {
    if first == second {
        return Ok(());
    }
    Err(PolicyError::Ambiguous {
        path: path.to_owned(),
        first: format!("{}.{}", first.0, first.1),
        second: format!("{}.{}", second.0, second.1),
    })
}

fn check_name(module: &str, name: &str) -> Result<(), PolicyError> {
    let why = if module.is_empty() || name.is_empty() {
        "module and name must not be empty"
    } else if module.len() > MAX_NAME_LENGTH || name.len() > MAX_NAME_LENGTH {
        "module and name are at most 256 bytes long"
    } else if module.contains('*') || name.contains('*') {
        "there are no wildcards, every name is written out"
    } else if module
        .chars()
        .chain(name.chars())
        .any(|c| c.is_control() || c.is_whitespace() || c == ':')
    {
        "names hold no blanks, colons or control characters"
    } else {
        return Ok(());
    };
    Err(PolicyError::BadName {
        path: format!("{module}.{name}"),
        why,
    })
}

/// The module and the qualified name of a path that a person wrote: exact at
/// the colon of `pkg.mod:Outer.Inner`, else at the last dot of `pkg.mod.Name`.
/// Nothing is imported to find out, so a nested class needs the colon.
pub fn split_path(path: &str) -> Result<(&str, &str), PolicyError> {
    let bad = |why| PolicyError::BadName {
        path: path.to_owned(),
        why,
    };
    let (module, name) = path
        .split_once(':')
        .or_else(|| path.rsplit_once('.'))
        .ok_or_else(|| bad("a name needs its module, as in \"pkg.mod.Name\""))?;
    check_name(module, name)?;
    if module.split('.').chain(name.split('.')).all(is_identifier) {
        Ok((module, name))
    } else {
        Err(bad(
            "write it \"pkg.mod.Name\", or \"pkg.mod:Outer.Inner\" for a nested class",
        ))
    }
}

fn is_identifier(part: &str) -> bool {
    part.chars().all(|c| c.is_alphanumeric() || c == '_')
        && part.chars().next().is_some_and(|c| !c.is_numeric())
}

/// The reason against a name in any of its spellings.
fn gadget(module: &str, name: &str) -> Option<&'static str> {
    gadgets::reason(module, name)
        .or_else(|| {
            let (module, name) = names::python2(module, name);
            gadgets::reason(module, name)
        })
        .or_else(|| {
            let (module, name) = names::moved(module, name);
            gadgets::reason(module, name)
        })
}

#[cfg(test)]
mod tests;
