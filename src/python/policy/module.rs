//! The part of a policy that looks like the `pickle` module: its Unpickler, and what is pickle's own.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};

use super::PyPolicy;
use crate::python::functions::{Call, encoding_of};

/// A load under the policy.
pub fn call<'py>(
    policy: &Bound<'py, PyPolicy>,
    fix_imports: bool,
    encoding: &str,
    errors: &str,
    buffers: Option<Bound<'py, PyAny>>,
) -> Call<'py> {
    Call {
        fix_imports,
        encoding: encoding_of(encoding, errors),
        buffers,
        ..Call::under(policy.clone())
    }
}

/// `picklist.Unpickler` with the policy as a class attribute.
pub fn unpickler_of(policy: &Bound<'_, PyPolicy>) -> PyResult<Py<PyType>> {
    let py = policy.py();
    let base = py.import("picklist._picklist")?.getattr("Unpickler")?;
    let namespace = PyDict::new(py);
    namespace.set_item("__module__", "picklist")?;
    namespace.set_item("__doc__", base.getattr("__doc__")?)?;
    namespace.set_item("_policy", policy)?;
    let class = base.get_type().call1(("Unpickler", (base,), namespace))?;
    Ok(class.cast_into::<PyType>()?.unbind())
}

/// A name of the package, looked up at every call: what picklist adds to a failed dump goes in there.
pub fn get<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    py.import("picklist")?.getattr(name)
}

/// Whether the pickle module exports the name.
pub fn is_public(py: Python<'_>, name: &str) -> PyResult<bool> {
    py.import("pickle")?.getattr("__all__")?.contains(name)
}

/// The keywords of a dump that are not pickle's defaults.
pub fn dump_keywords<'py>(
    py: Python<'py>,
    fix_imports: bool,
    buffer_callback: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyDict>> {
    let keywords = PyDict::new(py);
    keywords.set_item("fix_imports", fix_imports)?;
    if let Some(callback) = buffer_callback {
        keywords.set_item("buffer_callback", callback)?;
    }
    Ok(keywords)
}
