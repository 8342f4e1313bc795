//! `Policy.check`'s answer: whether a name is allowed, for what, and why.

use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::allow::spelled;
use crate::policy::{Entry, Meaning, Policy, Rights};

/// What a policy says about one name; true if the name is allowed.
///
/// Attributes
/// ----------
/// module, name : str
///     The pair as it was looked up: renamed and moved names under the name they have today.
/// allowed : bool
///     Whether a pickle may mention it at all.
/// rights : tuple of str
///     What a pickle may do with it, of ``'reference'``, ``'call'``, ``'new'``, ``'state'``,
///     ``'append'``, ``'items'``, ``'add'``.  For a class named by a string these are the most that it
///     may get; they settle when the class is imported.
/// preset : str or None
///     The preset that it comes from.
/// why : str
///     The reason, in a sentence.
#[pyclass(module = "picklist._picklist", frozen, eq, hash)]
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Verdict {
    #[pyo3(get)]
    module: String,
    #[pyo3(get)]
    name: String,
    #[pyo3(get)]
    allowed: bool,
    rights: Vec<&'static str>,
    #[pyo3(get)]
    preset: Option<&'static str>,
    #[pyo3(get)]
    why: String,
}

#[pymethods]
impl Verdict {
    #[getter]
    fn rights<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, &self.rights)
    }

    fn __bool__(&self) -> bool {
        self.allowed
    }

    fn __repr__(&self) -> String {
        let word = if self.allowed {
            "allowed"
        } else {
            "not allowed"
        };
        format!("<Verdict {}: {word}: {}>", self.path(), self.why)
    }
}

impl Verdict {
    /// What the policy says about the pair, as protocols 3 and up spell it.
    pub fn of(policy: &Policy, module: &str, name: &str) -> Self {
        let (module, name) = policy.canonical(module, name, false);
        let mut verdict = Self {
            module: module.to_owned(),
            name: name.to_owned(),
            allowed: false,
            rights: Vec::new(),
            preset: None,
            why: String::new(),
        };
        if policy.is_unrestricted() {
            verdict.allowed = true;
            verdict.rights = Rights::ALL.iter().collect();
            verdict.why = String::from("an unrestricted policy allows everything");
            return verdict;
        }
        match policy.lookup(module, name).map(|id| policy.entry(id)) {
            Some(entry) if entry.meaning == Meaning::Scope => {
                verdict.why = String::from("only names inside it are listed");
            }
            Some(entry) => verdict.allow(entry),
            None => verdict.why = refusal(module, name),
        }
        verdict
    }

    fn allow(&mut self, entry: &Entry) {
        let rights = entry.grant().map_or(Rights::ALL, |grant| grant.rights);
        self.allowed = true;
        self.rights = rights.iter().collect();
        self.preset = entry.preset;
        self.why = match (entry.preset, entry.meaning) {
            (Some(preset), _) => format!("in preset {preset:?}"),
            (None, Meaning::Native(_)) => "built natively".to_owned(),
            _ if entry.is_dangerous() => "granted dangerously".to_owned(),
            _ if entry.is_unsettled() => {
                "listed; what its pickles need settles when it is imported".to_owned()
            }
            _ => "listed".to_owned(),
        };
    }

    /// The sentences of `Policy.explain`, a line each.
    pub fn explain(&self, policy: &Policy, title: &str) -> Vec<String> {
        let word = if self.allowed {
            "allowed"
        } else {
            "not allowed"
        };
        let mut lines = vec![format!(
            "{} is {word} by policy {title}: {}",
            self.path(),
            self.why
        )];
        let presets = Policy::presets_with(&self.module, &self.name);
        if self.allowed {
            lines.push(format!(
                "  a pickle may use it for: {}",
                self.rights.join(", ")
            ));
            if let Some(entry) = policy.lookup(&self.module, &self.name) {
                lines.push(described(policy.entry(entry)).to_owned());
            }
        } else if let Some(preset) = presets.first() {
            lines.push(format!(
                "  to allow it:  Policy(base=[\"std\", {preset:?}])"
            ));
        } else if Policy::gadget(&self.module, &self.name).is_none() {
            let path = spelled(&self.module, &self.name);
            lines.push(format!("  to allow it:  Policy([{path:?}])"));
        }
        lines
    }

    /// The pair in the form that Python prints.
    fn path(&self) -> String {
        format!("{}.{}", self.module, self.name)
    }

    /// Whether the name is allowed.
    pub fn is_allowed(&self) -> bool {
        self.allowed
    }
}

fn described(entry: &Entry) -> &'static str {
    if matches!(entry.meaning, Meaning::Native(_)) {
        "  it is built natively, so that no Python code of its own runs"
    } else if entry.is_unsettled() {
        "  its arguments and fields are known once it is imported, by the first pickle that passes"
    } else if entry.runs_code() {
        "  using it may run its own Python code"
    } else {
        "  no Python code of its own runs"
    }
}

/// Why a name that is not listed is not, in a sentence.
fn refusal(module: &str, name: &str) -> String {
    if let Some(reason) = Policy::gadget(module, name) {
        return format!("no data needs it: {reason}");
    }
    match Policy::presets_with(module, name).first() {
        Some(preset) => format!("not listed; preset {preset:?} has it"),
        None => "not listed".to_owned(),
    }
}
