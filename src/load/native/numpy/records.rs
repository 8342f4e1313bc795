//! Dtypes of records: the state that numpy is given, and what a dtype says of itself.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::policy::numpy::{Dtype, Numeric};

/// Where the fields stand in the state of a dtype.
const FIELDS: usize = 4;

/// A state with a dict of fields that nobody else has: numpy keeps that dict in the dtype, and what the stream has made
/// it may fill again, once the dtype was found to be plain.
pub(super) fn own_fields<'py>(state: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    let state = state.cast::<PyTuple>()?;
    let items = state.iter().enumerate().map(|(at, item)| match at {
        FIELDS => Ok(item.cast::<PyDict>()?.copy()?.into_any()),
        _ => Ok(item),
    });
    let items = items.collect::<PyResult<Vec<_>>>()?;
    Ok(PyTuple::new(state.py(), items)?.into_any())
}

/// Whether a dtype has become what its state said: of that size, without objects.
pub(super) fn serves(dtype: &Bound<'_, PyAny>, expected: Dtype) -> PyResult<bool> {
    let py = dtype.py();
    let size: u64 = dtype.getattr(pyo3::intern!(py, "itemsize"))?.extract()?;
    let objects: bool = dtype.getattr(pyo3::intern!(py, "hasobject"))?.extract()?;
    Ok(size == expected.size() && !objects)
}

/// What numpy's own dtype says of itself, if that is numbers or records of numbers, as the contracts have them.
pub(super) fn ask(dtype: &Bound<'_, PyAny>) -> PyResult<Option<Dtype>> {
    if let Some(numeric) = numbers(dtype)? {
        return Ok(Some(Dtype::settled(numeric)));
    }
    let names = dtype.getattr("names")?;
    let Ok(names) = names.cast_exact::<PyTuple>() else {
        return Ok(None);
    };
    let code: String = dtype.getattr("str")?.extract()?;
    let objects: bool = dtype.getattr("hasobject")?.extract()?;
    let fields = u16::try_from(names.len()).ok();
    let Some(fields) = fields.filter(|count| *count > 0 && code.starts_with("|V") && !objects)
    else {
        return Ok(None);
    };
    if !dtype.getattr("metadata")?.is_none() {
        return Ok(None);
    }
    let all = dtype.getattr("fields")?;
    for name in names {
        let field = all.get_item(name)?;
        let numeric = match field.len()? {
            2 => numbers(&field.get_item(0)?)?,
            _ => None,
        };
        if numeric.is_none_or(|numeric| numeric.is_swapped() || numeric.is_bool()) {
            return Ok(None);
        }
    }
    let size = dtype.getattr("itemsize")?.extract()?;
    Ok(Some(Dtype::Records { fields, size }))
}

fn numbers(dtype: &Bound<'_, PyAny>) -> PyResult<Option<Numeric>> {
    let code: String = dtype.getattr("str")?.extract()?;
    let nothing = |name: &str| Ok::<_, PyErr>(dtype.getattr(name)?.is_none());
    match Numeric::parse(&code) {
        Some(numeric) if nothing("names")? && nothing("subdtype")? && nothing("metadata")? => {
            Ok(Some(numeric))
        }
        _ => Ok(None),
    }
}
