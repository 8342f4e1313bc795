//! bytes and bytearray, as protocols 0 to 2 spell them.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use super::super::ffi::{self, Value};

/// The characters of a str, all below 256, as bytes.
fn narrow(text: &Bound<'_, PyString>) -> PyResult<Vec<u8>> {
    Ok(text
        .to_str()?
        .chars()
        .map(|char| u8::try_from(u32::from(char)).unwrap_or(b'?'))
        .collect())
}

pub(super) fn latin1_bytes(py: Python<'_>, text: &Value) -> Result<Value, super::Fault> {
    let bytes = narrow(text.bound(py).cast::<PyString>().map_err(PyErr::from)?)?;
    Ok(ffi::bytes(py, &bytes)?)
}

pub(super) fn bytearray(py: Python<'_>, argument: Option<&Value>) -> Result<Value, super::Fault> {
    let Some(argument) = argument else {
        return Ok(ffi::bytearray(py, b"")?);
    };
    let argument = argument.bound(py);
    if let Ok(bytes) = argument.cast::<PyBytes>() {
        return Ok(ffi::bytearray(py, bytes.as_bytes())?);
    }
    let bytes = narrow(argument.cast::<PyString>().map_err(PyErr::from)?)?;
    Ok(ffi::bytearray(py, &bytes)?)
}
