//! The inspector as Python sees it: reports on the pickles of a buffer, as JSON and text. The GIL is released while it
//! looks. What a report looks like to a person or a tool is `picklist._inspection`'s.

use std::sync::Arc;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use super::functions::encoding_of;
use super::policy::{PyPolicy, default_policy};
use crate::inspect::{self, Arrays, Inspection, inspect_all};
use crate::load::ffi;
use crate::machine::budget::Limits;
use crate::policy::Policy;

/// Further pickles whose reports are kept though nothing is wrong with them, and where something is. A stream of a
/// million pickles is looked at whole, and its report stays readable.
const KEPT: usize = 100;
const KEPT_REFUSED: usize = 1000;

/// One pickle: where it starts, its report as JSON, its report as text.
type Row = (u64, String, String);

/// The kept reports, how many pickles there are, and how many of them are not allowed.
#[derive(Default)]
struct Found {
    rows: Vec<Row>,
    pickles: u64,
    refused: u64,
}

impl Found {
    fn add(&mut self, start: u64, inspection: &Inspection) {
        let allowed = inspection.allowed();
        self.pickles += 1;
        self.refused += u64::from(!allowed);
        let full = if allowed {
            self.rows.len() > KEPT
        } else {
            self.refused > KEPT_REFUSED as u64
        };
        if self.rows.is_empty() || !full {
            let json = inspection.to_json().to_string();
            self.rows.push((start, json, inspection.to_string()));
        }
    }
}

/// Reports on the pickles that follow one another in a buffer.
///
/// Returns the rows ``(start, json, text)``, how many pickles there are, and how many of them are not allowed.
#[pyfunction]
#[pyo3(signature = (data, /, policy=None, *, encoding="ASCII", persistent_load=false, arrays="opcodes"))]
pub fn inspect_pickles(
    data: &Bound<'_, PyAny>,
    policy: Option<Bound<'_, PyPolicy>>,
    encoding: &str,
    persistent_load: bool,
    arrays: &str,
) -> PyResult<(Vec<Row>, u64, u64)> {
    let py = data.py();
    let policy = policy.map_or_else(|| default_policy(py), Ok)?;
    let mut options = options(policy.get(), encoding, persistent_load);
    options.arrays = arrays_of(arrays)?;
    let policy = Arc::clone(&policy.get().inner);
    let look = |bytes: &[u8]| {
        let mut found = Found::default();
        for (start, inspection) in inspect_all(bytes, &policy, &options) {
            found.add(start, &inspection);
        }
        found
    };
    let found = if let Some(bytes) = ffi::immutable_bytes(data) {
        py.detach(|| look(bytes))
    } else {
        let copy = ffi::copied_bytes(data)?;
        py.detach(|| look(&copy))
    };
    Ok((found.rows, found.pickles, found.refused))
}

fn arrays_of(name: &str) -> PyResult<Arrays> {
    match name {
        "opcodes" => Ok(Arrays::Opcodes),
        "padded" => Ok(Arrays::Padded),
        "unpadded" => Ok(Arrays::Unpadded),
        _ => Err(PyValueError::new_err(format!(
            "unknown kind of arrays: {name:?}"
        ))),
    }
}

/// What `safe_loads` under that policy would go by.
fn options(policy: &PyPolicy, encoding: &str, persistent_load: bool) -> inspect::Options {
    let limits = match &policy.limits {
        Some(limits) => limits.clone(),
        None if policy.inner.is_unrestricted() => Limits::unlimited(),
        None => Limits::default(),
    };
    inspect::Options {
        has_persistent_load: persistent_load || policy.persistent_load.is_some(),
        encoding: (&encoding_of(encoding, "strict")).into(),
        limits,
        ..inspect::Options::default()
    }
}

/// The presets that have a name, the most fitting first.
#[pyfunction]
pub fn presets_with(module: &str, name: &str) -> Vec<&'static str> {
    Policy::presets_with(module, name)
}
