//! Doors for the tests: the opcode table and the decoder, to be compared with `pickletools`; and the inspector's verdict, to
//! be compared with the loader's; what a load spends on it. `picklist.containers` looks through the decoder's at how a large file begins.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use super::limits::Limits;
use super::policy::{PyPolicy, default_policy};
use crate::inspect;
use crate::load::ffi;
use crate::load::globals::inspected;
use crate::load::run::Refusal;
use crate::stream::opcode::OPCODES;
use crate::stream::{Op, Reader, text};

/// The opcode table: name, code, protocol, argument.
#[pyfunction]
pub fn _opcodes() -> Vec<(&'static str, u8, u8, &'static str)> {
    OPCODES
        .iter()
        .map(|row| (row.name, row.code, row.protocol, row.argument))
        .collect()
}

/// The ways of making objects that know how this interpreter keeps them, and which of them are open.
#[pyfunction]
pub fn _ways(py: Python<'_>) -> PyResult<std::collections::BTreeMap<&'static str, bool>> {
    let objects = ffi::ways(py)?.into_iter();
    Ok(objects.chain(ffi::stock_ways(py)?).collect())
}

/// How often loads have had a whole stream inspected, and for how many nanoseconds: what `benches/share.py` divides by the
/// time of the load. None but in a build with the feature `testing`.
#[pyfunction]
pub fn _inspected() -> Option<(u64, u64)> {
    inspected().map(|[runs, nanoseconds]| (runs, nanoseconds))
}

/// The instructions of a pickle: name, argument and position, as `pickletools.genops` gives them.
#[pyfunction]
#[pyo3(signature = (data, /))]
pub fn _genops<'py>(data: &Bound<'py, PyBytes>) -> PyResult<Vec<Bound<'py, PyTuple>>> {
    let py = data.py();
    let mut reader = Reader::new(data.as_bytes());
    let mut found = Vec::new();
    loop {
        let op = reader
            .next_op()
            .map_err(|error| super::errors::raise(py, Refusal::Stream(error, None), None))?;
        let name = crate::stream::opcode::name(reader.code());
        found.push((name, argument(py, op, reader.code())?, reader.at()).into_pyobject(py)?);
        if op == Op::Stop {
            return Ok(found);
        }
    }
}

/// What the inspector says of a pickle, as JSON.
#[pyfunction]
#[pyo3(signature = (data, policy=None, *, limits=None, persistent_load=false))]
pub fn _inspect(
    data: &Bound<'_, PyBytes>,
    policy: Option<Bound<'_, PyPolicy>>,
    limits: Option<&Limits>,
    persistent_load: bool,
) -> PyResult<String> {
    let policy = policy.map_or_else(|| default_policy(data.py()), Ok)?;
    let mut options = inspect::Options {
        has_persistent_load: persistent_load,
        ..inspect::Options::default()
    };
    if let Some(limits) = limits
        .map(|limits| &limits.inner)
        .or(policy.get().limits.as_ref())
    {
        options.limits = limits.clone();
    }
    let found = inspect::inspect(data.as_bytes(), &policy.get().inner, &options);
    Ok(found.to_json().to_string())
}

fn argument<'py>(py: Python<'py>, op: Op<'_>, code: u8) -> PyResult<Bound<'py, PyAny>> {
    let utf8 = |bytes: &[u8]| ffi::utf8(py, bytes).map(|value| value.into_bound(py));
    let latin1 = |bytes: &[u8]| ffi::latin1(py, bytes).map(|value| value.into_bound(py));
    let plain =
        |kind: crate::error::Kind| pyo3::exceptions::PyValueError::new_err(kind.to_string());
    Ok(match op {
        Op::Int(value) | Op::Get(value) => value.into_pyobject(py)?.into_any(),
        Op::Bool(value) if code == b'I' => {
            pyo3::types::PyBool::new(py, value).to_owned().into_any()
        }
        Op::Long(bytes) => ffi::long(py, bytes)?.into_bound(py),
        Op::Decimal(digits) => {
            let text = std::str::from_utf8(digits).unwrap_or_default();
            py.get_type::<pyo3::types::PyInt>().call1((text,))?
        }
        Op::Float(value) => value.into_pyobject(py)?.into_any(),
        Op::Unicode(bytes) => utf8(bytes)?,
        Op::RawUnicode(line) => utf8(&text::raw_unicode(line).map_err(plain)?)?,
        Op::Quoted(quoted) => latin1(&text::unescape(quoted).map_err(plain)?)?,
        Op::String(bytes) => latin1(bytes)?,
        Op::Bytes(bytes) => PyBytes::new(py, bytes).into_any(),
        Op::ByteArray(bytes) => pyo3::types::PyByteArray::new(py, bytes).into_any(),
        Op::Put(index) | Op::Frame(index) => index.into_pyobject(py)?.into_any(),
        Op::Ext(code) => code.into_pyobject(py)?.into_any(),
        Op::Proto(version) => version.into_pyobject(py)?.into_any(),
        Op::Global(module, name) | Op::Inst(module, name) => {
            latin1(&[module, b" ", name].concat())?
        }
        Op::PersId(id) => latin1(id)?,
        _ => py.None().into_bound(py),
    })
}
