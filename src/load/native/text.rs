//! bytes and bytearray, as protocols 0 to 2 spell them.

use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::super::ffi::{self, Value};
use crate::error::Kind;

/// The characters of a str, all below 256 as its contract has found.
fn narrow(text: &Value) -> Result<&[u8], super::Fault> {
    ffi::latin1_text(text)
        .ok_or_else(|| Kind::BadType("a str of latin-1 is expected".into()).into())
}

pub(super) fn latin1_bytes(py: Python<'_>, text: &Value) -> Result<Value, super::Fault> {
    Ok(ffi::bytes(py, narrow(text)?)?)
}

pub(super) fn bytearray(py: Python<'_>, argument: Option<&Value>) -> Result<Value, super::Fault> {
    let Some(argument) = argument else {
        return Ok(ffi::bytearray(py, b"")?);
    };
    if let Ok(bytes) = argument.bound(py).cast::<PyBytes>() {
        return Ok(ffi::bytearray(py, bytes.as_bytes())?);
    }
    Ok(ffi::bytearray(py, narrow(argument)?)?)
}
