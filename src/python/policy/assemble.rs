//! Puts a policy together: entries into the policy room's builder, the objects behind them into the cache.

use std::sync::{Arc, OnceLock};

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyMapping, PyString};

use super::PyPolicy;
use super::documents::Notes;
use crate::load::globals::Cache;
use crate::machine::budget;
use crate::policy::{Meaning, Policy, PolicyBuilder, split_path};
use crate::python::allow::{Allow, Target, wrong};
use crate::python::errors::policy_error;

impl PyPolicy {
    /// A policy with the objects that the caller gave for its entries.
    pub(super) fn assemble(
        py: Python<'_>,
        inner: Policy,
        given: Vec<Target>,
        limits: Option<budget::Limits>,
        persistent_load: Option<Py<PyAny>>,
    ) -> PyResult<Self> {
        let cache = Cache::new(&inner);
        let mut cached = Vec::new();
        for target in &given {
            let id = inner.lookup(&target.module, &target.name);
            // A native type is built by its own constructor, whatever object bears its name.
            let id = id.filter(|id| inner.entry(*id).meaning == Meaning::Object);
            cached.push(match (id, &target.object) {
                (Some(id), Some(object)) => cache.put(&inner, id, object.bind(py))?,
                _ => false,
            });
        }
        Ok(Self {
            inner: Arc::new(inner),
            cache: Arc::new(cache),
            limits,
            persistent_load,
            given,
            cached,
            notes: Notes::default(),
            unpickler: OnceLock::new(),
        })
    }

    /// The policy that allows these as well.
    pub(super) fn extended(&self, py: Python<'_>, allow: &[Bound<'_, PyAny>]) -> PyResult<Self> {
        let (policy, given) = add(py, Policy::clone(&self.inner), copy(py, &self.given), allow)?;
        let load = self.persistent_load.as_ref();
        let load = load.map(|load| load.clone_ref(py));
        Self::assemble(py, policy, given, self.limits.clone(), load)
    }

    /// What either of the two allows; limits and `persistent_load` of the one that has them.
    pub(super) fn union(&self, py: Python<'_>, other: &Self) -> PyResult<Self> {
        let policy = self
            .inner
            .union(&other.inner)
            .map_err(|error| wrong(py, &error))?;
        let mut given = copy(py, &self.given);
        for target in copy(py, &other.given) {
            join(py, &mut given, target)?;
        }
        let limits = match (&self.limits, &other.limits) {
            (Some(a), Some(b)) if a != b => {
                return Err(policy_error(
                    py,
                    "the two policies have different limits, which cannot be combined",
                ));
            }
            (a, b) => a.as_ref().or(b.as_ref()).cloned(),
        };
        let persistent_load = match (&self.persistent_load, &other.persistent_load) {
            (Some(a), Some(b)) if !a.bind(py).eq(b)? => {
                return Err(policy_error(
                    py,
                    "the two policies have a persistent_load each, which cannot be combined",
                ));
            }
            (a, b) => a.as_ref().or(b.as_ref()).map(|load| load.clone_ref(py)),
        };
        Self::assemble(py, policy, given, limits, persistent_load)
    }
}

/// Adds the items of `allow=` to a policy and their objects to those known.
pub(super) fn add(
    py: Python<'_>,
    policy: Policy,
    mut given: Vec<Target>,
    allow: &[Bound<'_, PyAny>],
) -> PyResult<(Policy, Vec<Target>)> {
    if allow.is_empty() {
        return Ok((policy, given));
    }
    let mut builder = policy.to_builder();
    for item in allow {
        if let Ok(allow) = item.cast::<Allow>() {
            let allow = allow.get();
            builder = allow.add_to(builder).map_err(|error| wrong(py, &error))?;
            join(py, &mut given, allow.target.clone_ref(py))?;
            continue;
        }
        let target = Target::of(item)?;
        refuse_impostor(py, &policy, &target)?;
        if !is_another_spelling(&policy, &target) {
            let added = builder.allow(&target.module, &target.name);
            builder = added.map_err(|error| wrong(py, &error))?;
        }
        join(py, &mut given, target)?;
    }
    let policy = builder.build().map_err(|error| wrong(py, &error))?;
    Ok((policy, given))
}

/// Whether the name is only another spelling of something that the policy builds natively, as `pathlib._local.Path`.
fn is_another_spelling(policy: &Policy, target: &Target) -> bool {
    if policy.is_unrestricted() || Policy::gadget(&target.module, &target.name).is_some() {
        return false;
    }
    let (module, name) = policy.canonical(&target.module, &target.name, false);
    policy.lookup(module, name).is_some_and(|id| {
        let entry = policy.entry(id);
        let own_name = (&*entry.module, &*entry.name) == (&*target.module, &*target.name);
        matches!(entry.meaning, Meaning::Native(_)) && !own_name
    })
}

/// A class that bears the name of a native type without being it would be silently replaced by that type.
fn refuse_impostor(py: Python<'_>, policy: &Policy, target: &Target) -> PyResult<()> {
    let (module, name) = policy.canonical(&target.module, &target.name, false);
    let entry = policy.lookup(module, name).map(|id| policy.entry(id));
    match entry.map(|entry| entry.meaning) {
        Some(Meaning::Native(_)) if !target.found => {
            let what = target.path();
            Err(policy_error(
                py,
                &format!(
                    "{what} is built natively, and the object given is not what that name means"
                ),
            ))
        }
        _ => Ok(()),
    }
}

/// Adds a target that came with an object; the same name for two objects would be a guess.
pub(super) fn join(py: Python<'_>, given: &mut Vec<Target>, target: Target) -> PyResult<()> {
    if target.object.is_none() {
        return Ok(());
    }
    let known = given
        .iter()
        .find(|known| known.module == target.module && known.name == target.name);
    match known {
        Some(known) if known.is(&target) => {}
        Some(_) => {
            let what = target.path();
            return Err(policy_error(
                py,
                &format!("two different objects are called {what}; a policy can allow one of them"),
            ));
        }
        None => given.push(target),
    }
    Ok(())
}

/// Targets, again.
pub(super) fn copy(py: Python<'_>, given: &[Target]) -> Vec<Target> {
    given.iter().map(|target| target.clone_ref(py)).collect()
}

/// Reads `rename=`.
pub(super) fn renamed(
    mut builder: PolicyBuilder,
    rename: &Bound<'_, PyMapping>,
) -> PyResult<PolicyBuilder> {
    let py = rename.py();
    for item in rename.items()? {
        let (from, to): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item.extract()?;
        let done = match (name_pair(&from)?, name_pair(&to)?) {
            (Name::Pair(m, n), Name::Pair(to_m, to_n)) => builder.rename((&m, &n), (&to_m, &to_n)),
            (Name::Module(from), Name::Module(to)) => builder.rename_module(&from, &to),
            _ => {
                return Err(PyTypeError::new_err(format!(
                    "rename={{{}: {}}}: both must be (module, name), or both modules",
                    from.repr()?,
                    to.repr()?
                )));
            }
        };
        builder = done.map_err(|error| wrong(py, &error))?;
    }
    Ok(builder)
}

/// Reads `ext=`.
pub(super) fn extensions(
    mut builder: PolicyBuilder,
    ext: &Bound<'_, PyMapping>,
) -> PyResult<PolicyBuilder> {
    let py = ext.py();
    for item in ext.items()? {
        let (code, name): (Bound<'_, PyAny>, Bound<'_, PyAny>) = item.extract()?;
        let number = code
            .extract::<u32>()
            .ok()
            .filter(|code| (1..=0x7fff_ffff).contains(code));
        let Some(number) = number else {
            let code = code.repr()?;
            return Err(policy_error(
                py,
                &format!("ext={{{code}: ...}}: a code is an int from 1 to 0x7fffffff"),
            ));
        };
        let done = match name_pair(&name)? {
            Name::Pair(module, name) => builder.extension(number, &module, &name),
            Name::Module(path) => {
                let (module, name) = split_path(&path).map_err(|error| wrong(py, &error))?;
                builder.extension(number, module, name)
            }
        };
        builder = done.map_err(|error| wrong(py, &error))?;
    }
    Ok(builder)
}

enum Name {
    Pair(String, String),
    /// Text without a colon.
    Module(String),
}

fn name_pair(given: &Bound<'_, PyAny>) -> PyResult<Name> {
    if let Ok(text) = given.cast::<PyString>() {
        let text = text.to_cow()?;
        return Ok(match text.split_once(':') {
            Some((module, name)) => Name::Pair(module.to_owned(), name.to_owned()),
            None => Name::Module(text.into_owned()),
        });
    }
    if let Ok((module, name)) = given.extract() {
        return Ok(Name::Pair(module, name));
    }
    let given = given.repr()?;
    Err(PyTypeError::new_err(format!(
        "{given} is no name: write (\"pkg.mod\", \"Name\")"
    )))
}
