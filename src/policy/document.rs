//! Policies as TOML documents, and the rows that presets share with them.
//! Reads and writes; what a document means is the builder's.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::capability::{Entry, Fields, Grant, Meaning, Rights};
use super::contract::{Contract, Native};
use super::{Policy, PolicyBuilder, PolicyError, split_path};

/// A whole policy.
#[derive(Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    policy: Header,
    /// For people: `base = ["std", "enums"]` in place of `[policy]`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base: Option<Vec<String>>,
    /// For people: `allow = ["pkg.mod.Name"]`, objects given plainly.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    allow: Vec<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    rename: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    extension: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    entry: Vec<Row>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    #[serde(default = "Header::default_base")]
    base: Vec<String>,
    #[serde(default, skip_serializing_if = "is_false")]
    unrestricted: bool,
}

impl Header {
    fn default_base() -> Vec<String> {
        vec!["std".to_owned()]
    }
}

impl Default for Header {
    fn default() -> Header {
        Header {
            base: Header::default_base(),
            unrestricted: false,
        }
    }
}

/// One entry, in a preset or a policy.
#[derive(Serialize, Deserialize, Default)]
#[serde(deny_unknown_fields)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "a row of a document, key by key"
)]
pub(super) struct Row {
    module: String,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    native: Option<Native>,
    #[serde(default, skip_serializing_if = "is_false")]
    plain: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    dangerously: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rights: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    call: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    new: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    state: Option<State>,
    #[serde(default, skip_serializing_if = "is_false")]
    append: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    items: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    add: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    runs_code: Option<bool>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    aliases: Vec<String>,
    /// Preset rows only: names of the same module that stand for values of
    /// this entry, one reference each (the members of an Enum).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) members: Vec<String>,
}

/// `state = true`, `state = ["a", "b"]`, `state = { except = ["a"] }` or
/// `state = "setstate"`.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum State {
    All(bool),
    Only(BTreeSet<Box<str>>),
    Except { except: BTreeSet<Box<str>> },
    Word(String),
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "the signature that serde's skip_serializing_if asks for"
)]
fn is_false(value: &bool) -> bool {
    !*value
}

impl Row {
    /// The entry of a preset row.
    pub(super) fn preset_entry(&self, preset: &'static str) -> Result<Entry, PolicyError> {
        let meaning = self.native.map_or(Meaning::Object, Meaning::Native);
        let mut entry = Entry::new(&self.module, &self.name, meaning, self.grant()?);
        entry.preset = Some(preset);
        for alias in &self.aliases {
            let (module, name) = split(alias)?;
            entry.aliases.push((module.into(), name.into()));
        }
        entry.aliases.sort();
        Ok(entry)
    }

    /// The references of a preset row's members.
    pub(super) fn member_entries(&self, preset: &'static str) -> impl Iterator<Item = Entry> {
        self.members.iter().map(move |name| {
            let meaning = Meaning::Native(Native::Value);
            let mut entry = Entry::new(&self.module, name, meaning, Some(Grant::reference()));
            entry.preset = Some(preset);
            entry
        })
    }

    fn grant(&self) -> Result<Option<Grant>, PolicyError> {
        let mut grant = Grant::reference();
        let mut written = self.append || self.items || self.add || self.runs_code.is_some();
        if let Some(rights) = &self.rights {
            written = true;
            grant.rights = Rights::NONE;
            for name in rights {
                let Some(right) = Rights::from_name(name) else {
                    return Err(document(format!("no right is called {name:?}")));
                };
                grant.rights.insert(right);
            }
        }
        let contracts = [
            (&self.call, Rights::CALL, &mut grant.call),
            (&self.new, Rights::NEW, &mut grant.new),
        ];
        for (text, right, contract) in contracts {
            if let Some(text) = text {
                written = true;
                grant.rights.insert(right);
                *contract = Contract::parse(text)?;
            }
        }
        if let Some(state) = &self.state {
            written = true;
            grant.fields = match state {
                State::All(_) => Fields::Any,
                State::Only(names) => Fields::Only(names.clone()),
                State::Except { except } => Fields::Except(except.clone()),
                State::Word(word) if word == "setstate" => Fields::Setstate,
                State::Word(word) => {
                    return Err(document(format!("state = {word:?} is not known")));
                }
            };
            if !matches!(state, State::All(false)) {
                grant.rights.insert(Rights::STATE);
            }
        }
        for (given, right) in [
            (self.append, Rights::APPEND),
            (self.items, Rights::ITEMS),
            (self.add, Rights::ADD),
        ] {
            if given {
                grant.rights.insert(right);
            }
        }
        grant.runs_code = self.runs_code.unwrap_or(true);
        Ok(written.then_some(grant))
    }

    fn of(entry: &Entry) -> Row {
        let mut row = Row {
            module: entry.module.to_string(),
            name: entry.name.to_string(),
            plain: entry.plain && entry.declared.is_some(),
            dangerously: entry.dangerous,
            aliases: entry
                .aliases
                .iter()
                .map(|(module, name)| format!("{module}:{name}"))
                .collect(),
            ..Row::default()
        };
        if let Some(grant) = &entry.declared {
            let has = |right| grant.rights.contains(right);
            row.rights = Some(grant.rights.iter().map(str::to_owned).collect());
            let unless_free = |contract: &Contract| {
                (*contract != Contract::anything()).then(|| contract.to_string())
            };
            row.call = unless_free(&grant.call).filter(|_| has(Rights::CALL));
            row.new = unless_free(&grant.new).filter(|_| has(Rights::NEW));
            row.state = has(Rights::STATE).then(|| match &grant.fields {
                Fields::Any => State::All(true),
                Fields::Only(names) => State::Only(names.clone()),
                Fields::Except(names) => State::Except {
                    except: names.clone(),
                },
                Fields::Setstate | Fields::Values(_) => State::Word("setstate".to_owned()),
            });
            row.runs_code = (!grant.runs_code).then_some(false);
        }
        row
    }
}

pub(super) fn read_policy(text: &str) -> Result<Policy, PolicyError> {
    build(&toml::from_str(text).map_err(|error| document(error.to_string()))?)
}

/// Of a `pyproject.toml`, what concerns us.
#[derive(Deserialize)]
struct Pyproject {
    #[serde(default)]
    tool: Tool,
}

#[derive(Deserialize, Default)]
struct Tool {
    picklist: Option<Document>,
}

pub(super) fn read_pyproject(text: &str) -> Result<Option<Policy>, PolicyError> {
    let read: Pyproject = toml::from_str(text).map_err(|error| document(error.to_string()))?;
    read.tool.picklist.as_ref().map(build).transpose()
}

fn build(read: &Document) -> Result<Policy, PolicyError> {
    let mut builder = PolicyBuilder::new();
    if read.policy.unrestricted {
        builder = builder.unrestricted();
    } else {
        for base in read.base.as_ref().unwrap_or(&read.policy.base) {
            builder = builder.preset(base)?;
        }
    }
    for path in &read.allow {
        let (module, name) = split_path(path)?;
        builder = builder.allow(module, name)?;
    }
    for row in &read.entry {
        if row.native.is_some() || !row.members.is_empty() {
            return Err(document(format!(
                "{}.{}: `native` and `members` are for presets",
                row.module, row.name
            )));
        }
        let grant = row.grant()?;
        let (module, name) = (&*row.module, &*row.name);
        builder = match (row.dangerously, grant.clone()) {
            (true, grant) => builder.allow_dangerously(module, name, grant)?,
            (false, Some(grant)) => builder.allow_with(module, name, grant)?,
            (false, None) => builder.allow(module, name)?,
        };
        if row.plain && grant.is_some() {
            builder = if row.dangerously {
                builder.allow_dangerously(module, name, None)?
            } else {
                builder.allow(module, name)?
            };
        }
        for alias in &row.aliases {
            builder = builder.alias((module, name), split(alias)?)?;
        }
    }
    for (from, to) in &read.rename {
        builder = match (from.contains(':'), to.contains(':')) {
            (true, true) => builder.rename(split(from)?, split(to)?)?,
            (false, false) => builder.rename_module(from, to)?,
            _ => {
                return Err(document(format!(
                    "rename {from:?} to {to:?}: both must be modules, or both module:name"
                )));
            }
        };
    }
    for (code, name) in &read.extension {
        let Ok(code) = code.parse::<u32>() else {
            return Err(document(format!("{code:?} is no extension code")));
        };
        let (module, name) = split(name)?;
        builder = builder.extension(code, module, name)?;
    }
    builder.build()
}

pub(super) fn write_policy(policy: &Policy) -> String {
    let mut rename: BTreeMap<String, String> = policy
        .renamed_modules
        .iter()
        .map(|(from, to)| (from.to_string(), to.to_string()))
        .collect();
    for (module, names) in &policy.renamed_names {
        for (name, to) in names {
            rename.insert(format!("{module}:{name}"), format!("{}:{}", to.0, to.1));
        }
    }
    let written = Document {
        policy: Header {
            base: policy
                .presets
                .iter()
                .map(|name| (*name).to_owned())
                .collect(),
            unrestricted: policy.unrestricted,
        },
        base: None,
        allow: Vec::new(),
        rename,
        extension: policy
            .extensions
            .iter()
            .map(|(code, (module, name))| (code.to_string(), format!("{module}:{name}")))
            .collect(),
        entry: policy
            .entries
            .iter()
            .filter(|entry| entry.preset.is_none() && entry.meaning == Meaning::Object)
            .map(Row::of)
            .collect(),
    };
    // Strings, booleans and lists of them: there is nothing TOML cannot write.
    toml::to_string(&written).unwrap_or_default()
}

/// `module:Qualified.Name`.
fn split(path: &str) -> Result<(&str, &str), PolicyError> {
    path.split_once(':')
        .ok_or_else(|| document(format!("{path:?} must be written module:name")))
}

fn document(why: String) -> PolicyError {
    PolicyError::Document(why)
}

#[cfg(test)]
mod tests;
