//! Does a name lead back to its object? What `save_global` asks, without writing.

use pyo3::exceptions::PyAttributeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString};

/// Where a global was found.
pub(super) struct Found {
    pub(super) module: String,
    pub(super) qualname: String,
}

/// Why a function or class cannot be stored by name.
pub(super) struct Lost {
    /// One of `local`, `missing`, `other`, `unimportable`, `name-raised`, `ascii`, `extension`.
    pub(super) trouble: &'static str,
    /// The qualified name, the object found instead, or the exception.
    pub(super) detail: Py<PyAny>,
}

impl Lost {
    fn text(py: Python<'_>, trouble: &'static str, text: &str) -> Self {
        let detail = PyString::new(py, text).into_any().unbind();
        Lost { trouble, detail }
    }

    fn raised(py: Python<'_>, error: PyErr) -> Self {
        let detail = error.into_value(py).into_any();
        Lost {
            trouble: "name-raised",
            detail,
        }
    }
}

/// `getattr(object, name)`, or `None` where it raises `AttributeError`.
pub(super) fn lookup<'py>(
    object: &Bound<'py, PyAny>,
    name: &Bound<'py, PyString>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    match object.getattr(name) {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_instance_of::<PyAttributeError>(object.py()) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Follow a dotted name from a module: `get_deep_attribute` in `_pickle.c`.
fn descend<'py>(module: &Bound<'py, PyAny>, qualname: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
    let mut here = module.clone();
    for part in qualname.split('.') {
        match lookup(&here, &PyString::new(module.py(), part))? {
            Some(next) => here = next,
            None => return Ok(None),
        }
    }
    Ok(Some(here))
}

/// The module that holds `object`: its `__module__`, or a search through
/// `sys.modules`, as `whichmodule` in `_pickle.c` does it.
fn whichmodule<'py>(object: &Bound<'py, PyAny>, qualname: &str) -> PyResult<Bound<'py, PyAny>> {
    let py = object.py();
    if let Some(module) = lookup(object, intern!(py, "__module__"))?
        && !module.is_none()
    {
        return Ok(module);
    }
    let modules = py.import("sys")?.getattr("modules")?;
    if let Ok(modules) = modules.cast::<PyDict>() {
        for (name, module) in &modules.copy()? {
            let main = name.cast::<PyString>().is_ok_and(|name| name == "__main__");
            if main || module.is_none() {
                continue;
            }
            if descend(&module, qualname)?.is_some_and(|found| found.is(object)) {
                return Ok(name);
            }
        }
    }
    Ok(PyString::new(py, "__main__").into_any())
}

/// Is the name registered in `copyreg` under a code that no opcode can hold?
fn has_bad_code(py: Python<'_>, module: &str, qualname: &str) -> bool {
    let registry = py
        .import("copyreg")
        .and_then(|copyreg| copyreg.getattr(intern!(py, "_extension_registry")));
    let Ok(code) = registry.and_then(|registry| registry.get_item((module, qualname))) else {
        return false;
    };
    !code
        .extract::<i64>()
        .is_ok_and(|code| (1..=0x7fff_ffff).contains(&code))
}

/// Can `object` be stored as the name of something importable?
///
/// `name` is the string that `__reduce_ex__` returned, if it did.
pub(super) fn find_global<'py>(
    object: &Bound<'py, PyAny>,
    name: Option<&Bound<'py, PyAny>>,
    protocol: i32,
) -> Result<Found, Lost> {
    let py = object.py();
    let raised = |error: PyErr| Lost::raised(py, error);
    let name = match name {
        Some(name) => name.clone(),
        None => match lookup(object, intern!(py, "__qualname__")).map_err(raised)? {
            Some(name) => name,
            None => object.getattr(intern!(py, "__name__")).map_err(raised)?,
        },
    };
    let qualname: String = name.extract().map_err(raised)?;
    if qualname.split('.').any(|part| part == "<locals>") {
        return Err(Lost::text(py, "local", &qualname));
    }
    let module = whichmodule(object, &qualname).map_err(raised)?;
    let module: String = module.extract().map_err(raised)?;
    let imported = py.import(module.as_str()).map_err(|error| Lost {
        trouble: "unimportable",
        detail: error.into_value(py).into_any(),
    })?;
    let found = descend(&imported, &qualname).map_err(raised)?;
    match found {
        None if qualname.contains('<') => Err(Lost::text(py, "local", &qualname)),
        None => Err(Lost::text(py, "missing", &format!("{module}.{qualname}"))),
        Some(found) if !found.is(object) => Err(Lost {
            trouble: "other",
            detail: found.unbind(),
        }),
        Some(_) if protocol < 3 && !(module.is_ascii() && qualname.is_ascii()) => {
            Err(Lost::text(py, "ascii", &format!("{module}.{qualname}")))
        }
        Some(_) if protocol >= 2 && has_bad_code(py, &module, &qualname) => {
            Err(Lost::text(py, "extension", &format!("{module}.{qualname}")))
        }
        Some(_) => Ok(Found { module, qualname }),
    }
}
