//! Policies that exist once: the default, and the few last used by `safe_loads(..., allow=[...])`, so that the same
//! call again finds its classes settled.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::sync::{MutexExt, PyOnceLock};
use pyo3::types::{PyString, PyTuple, PyTupleMethods};

use super::PyPolicy;
use crate::policy::Policy;
use crate::python::allow::items;

/// How many combinations of policy and `allow=` are kept, and with them their classes.
const KEPT: usize = 32;

struct Extended {
    policy: Py<PyPolicy>,
    allow: Vec<Py<PyAny>>,
    outcome: Py<PyPolicy>,
}

static RECENT: Mutex<VecDeque<Extended>> = Mutex::new(VecDeque::new());

static DEFAULT: PyOnceLock<Py<PyPolicy>> = PyOnceLock::new();

/// The policy `std`, one per process.
pub fn default_policy(py: Python<'_>) -> PyResult<Bound<'_, PyPolicy>> {
    let policy = DEFAULT.get_or_try_init(py, || {
        let policy = PyPolicy::assemble(py, Policy::clone(Policy::std()), Vec::new(), None, None)?;
        Py::new(py, policy)
    })?;
    Ok(policy.bind(py).clone())
}

/// The same without a reference of its own, once it was asked for.
#[inline]
pub fn known_default_policy(py: Python<'_>) -> Option<&PyPolicy> {
    DEFAULT.get(py).map(Py::get)
}

/// The policy of a call: the one given or the default, with what the call allows besides.
pub fn with_allow<'py>(
    py: Python<'py>,
    policy: Option<&Bound<'py, PyPolicy>>,
    allow: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyPolicy>> {
    let policy = match policy {
        Some(policy) => policy.clone(),
        None => default_policy(py)?,
    };
    if allow
        .cast_exact::<PyTuple>()
        .is_ok_and(PyTupleMethods::is_empty)
    {
        return Ok(policy);
    }
    let allow = items(allow)?;
    if allow.is_empty() {
        return Ok(policy);
    }
    if let Some(extended) = recall(&policy, &allow) {
        return Ok(extended);
    }
    let extended = Bound::new(py, policy.get().extended(py, &allow)?)?;
    keep(
        Extended {
            policy: policy.unbind(),
            allow: allow.into_iter().map(Bound::unbind).collect(),
            outcome: extended.clone().unbind(),
        },
        py,
    );
    Ok(extended)
}

fn recall<'py>(
    policy: &Bound<'py, PyPolicy>,
    allow: &[Bound<'py, PyAny>],
) -> Option<Bound<'py, PyPolicy>> {
    let py = policy.py();
    let mut recent = RECENT
        .lock_py_attached(py)
        .unwrap_or_else(PoisonError::into_inner);
    let at = recent.iter().position(|kept| {
        kept.policy.is(policy)
            && kept.allow.len() == allow.len()
            && kept
                .allow
                .iter()
                .zip(allow)
                .all(|(a, b)| same(a.bind(py), b))
    })?;
    let kept = if at == 0 {
        recent.front()?.outcome.clone_ref(py)
    } else {
        let found = recent.remove(at)?;
        let extended = found.outcome.clone_ref(py);
        recent.push_front(found);
        extended
    };
    Some(kept.into_bound(py))
}

/// The same object, or the same text: no code of the objects runs under the lock.
fn same(a: &Bound<'_, PyAny>, b: &Bound<'_, PyAny>) -> bool {
    a.is(b)
        || match (a.cast_exact::<PyString>(), b.cast_exact::<PyString>()) {
            (Ok(a), Ok(b)) => matches!((a.to_cow(), b.to_cow()), (Ok(a), Ok(b)) if a == b),
            _ => false,
        }
}

fn keep(extended: Extended, py: Python<'_>) {
    let mut recent = RECENT
        .lock_py_attached(py)
        .unwrap_or_else(PoisonError::into_inner);
    recent.push_front(extended);
    let forgotten = if recent.len() > KEPT {
        recent.pop_back()
    } else {
        None
    };
    // What is dropped may run a finaliser, which may load a pickle: not under the lock.
    drop(recent);
    drop(forgotten);
}
