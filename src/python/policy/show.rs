//! A policy in words: as it would be typed, and its short name in messages.

use pyo3::prelude::*;

use super::PyPolicy;
use crate::policy::{Entry, Meaning, Preset};
use crate::python::allow::{describe, spelled};
use crate::python::limits::Limits;

/// Entries that `repr` prints before it counts the rest.
const SHOWN: usize = 8;

impl PyPolicy {
    /// The policy as it would be typed.
    pub(super) fn typed(&self, py: Python<'_>) -> PyResult<String> {
        if self.inner.is_unrestricted() {
            return Ok("<Policy.unrestricted(): allows everything>".to_owned());
        }
        let mut listed: Vec<String> = self.listed().take(SHOWN).collect();
        let more = self.listed().skip(SHOWN).count();
        if more > 0 {
            listed.push(format!("... and {more} more"));
        }
        let mut parts = Vec::new();
        if !listed.is_empty() {
            parts.push(format!("[{}]", listed.join(", ")));
        }
        parts.push(format!("base={}", self.base()));
        if let Some(inner) = self.limits.clone() {
            parts.push(format!(
                "limits={}",
                Bound::new(py, Limits { inner })?.repr()?
            ));
        }
        if let Some(load) = &self.persistent_load {
            parts.push(format!("persistent_load={}", load.bind(py).repr()?));
        }
        Ok(format!("Policy({})", parts.join(", ")))
    }

    /// The entries beyond the presets, as they would be typed.
    pub(super) fn listed(&self) -> impl Iterator<Item = String> {
        let own = |entry: &&Entry| entry.preset.is_none() && entry.meaning != Meaning::Scope;
        let entries = self.inner.entries().map(|(_, entry)| entry);
        entries.filter(own).map(|entry| {
            let path = spelled(&entry.module, &entry.name);
            match entry.declared() {
                Some(grant) => describe(&path, grant, entry.is_dangerous()),
                None => format!("{path:?}"),
            }
        })
    }

    /// `base=` as it would be typed.
    pub(super) fn base(&self) -> String {
        match self.bases().as_slice() {
            [] => "\"plain\"".to_owned(),
            [base] => format!("{base:?}"),
            bases => format!("{bases:?}"),
        }
    }

    /// The presets without those that another one includes.
    fn bases(&self) -> Vec<&'static str> {
        let presets: Vec<&'static str> = self.inner.presets().collect();
        let included = |name: &str| {
            let others = Preset::all()
                .iter()
                .filter(|preset| presets.contains(&preset.name));
            others
                .flat_map(|preset| &preset.extends)
                .any(|base| base == name)
        };
        presets
            .iter()
            .copied()
            .filter(|name| !included(name))
            .collect()
    }

    /// The policy's name in messages: its presets, and how much was added to them.
    pub fn title(&self) -> String {
        if self.inner.is_unrestricted() {
            return "'unrestricted'".to_owned();
        }
        let mut names: Vec<String> = self
            .bases()
            .iter()
            .map(|name| format!("'{name}'"))
            .collect();
        if names.is_empty() {
            names.push("'plain'".to_owned());
        }
        match self.listed().count() {
            0 => {}
            1 => names.push("1 entry".to_owned()),
            more => names.push(format!("{more} entries")),
        }
        names.join(" + ")
    }
}
