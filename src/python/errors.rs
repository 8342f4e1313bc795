//! From a failed load to a Python exception: the classes live in `picklist.errors`, the choice in `crate::error`.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyTuple};

use crate::error::{Error, Kind};
use crate::inspect::{Context, Inspection};
use crate::load::run::Refusal;

/// `picklist.errors.choose(kind)`.
fn choose<'py>(py: Python<'py>, kind: &str) -> PyResult<Bound<'py, PyAny>> {
    static CHOOSE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let choose = CHOOSE.get_or_try_init(py, || {
        Ok::<_, PyErr>(py.import("picklist.errors")?.getattr("choose")?.unbind())
    })?;
    choose.bind(py).call1((kind,))
}

/// The exception that a load without a policy raises: `pickle`'s own sentence is all of its text, and where it happened
/// is a note, which tracebacks show.
#[cold]
pub fn raise_free(py: Python<'_>, refusal: Refusal) -> PyErr {
    let Refusal::Stream(error, _) = &refusal else {
        return raise(py, refusal, None);
    };
    let place = format!(
        "at byte {}, {}",
        error.at,
        error.opcode.unwrap_or("the start")
    );
    let said = error.kind.to_string();
    let raised = raise(py, refusal, None);
    let value = raised.value(py);
    let done = value
        .setattr("args", (said,))
        .and_then(|()| value.call_method1("add_note", (place,)));
    match done {
        Ok(_) => raised,
        Err(failure) => failure,
    }
}

/// The exception that a failed load raises. `title` says which policy and which data, for the first line of a refusal.
#[cold]
pub fn raise(py: Python<'_>, refusal: Refusal, title: Option<&str>) -> PyErr {
    match refusal {
        Refusal::Raised(error) => error,
        Refusal::Stream(error, inspection) => {
            build(py, &error, inspection.as_deref(), title).unwrap_or_else(|failure| failure)
        }
    }
}

fn build(
    py: Python<'_>,
    error: &Error,
    inspection: Option<&Inspection>,
    title: Option<&str>,
) -> PyResult<PyErr> {
    let refused = inspection.filter(|inspection| !inspection.allowed());
    let message = match refused {
        Some(inspection) if error.kind.is_refusal() => inspection.render(Context {
            source: title,
            begun: false,
        }),
        _ => error.to_string(),
    };
    let name = error.kind.class().name();
    let fields = PyDict::new(py);
    fields.set_item("kind", name)?;
    fields.set_item("offset", error.at)?;
    fields.set_item("opcode", error.opcode)?;
    fields.set_item("path", &error.path)?;
    if let Some(inspection) = inspection {
        let report = py
            .import("json")?
            .call_method1("loads", (inspection.to_json().to_string(),))?;
        fields.set_item("report", report)?;
        if let Some(path) = inspection.path_at(error.at) {
            fields.set_item("path", path)?;
        }
    }
    match &error.kind {
        Kind::ForbiddenGlobal { module, name } => {
            fields.set_item("module", module)?;
            fields.set_item("name", name)?;
            let blocked = match refused {
                Some(inspection) => inspection
                    .blocked()
                    .map(|used| (used.module.clone(), used.name.clone()))
                    .collect(),
                None => vec![(module.clone(), name.clone())],
            };
            fields.set_item("blocked", PyTuple::new(py, blocked)?)?;
        }
        Kind::Limit {
            limit,
            value,
            maximum,
        } => {
            fields.set_item("limit", limit)?;
            fields.set_item("value", value)?;
            fields.set_item("maximum", maximum)?;
        }
        Kind::BadText {
            codec,
            start,
            end,
            reason,
            object,
        } => {
            fields.set_item("encoding", codec)?;
            fields.set_item("object", PyBytes::new(py, object))?;
            fields.set_item("start", start)?;
            fields.set_item("end", end)?;
            fields.set_item("reason", reason)?;
        }
        _ => {}
    }
    Ok(PyErr::from_value(
        choose(py, name)?.call((message,), Some(&fields))?,
    ))
}

/// `picklist.PolicyError`.
#[cold]
pub fn policy_error(py: Python<'_>, message: &str) -> PyErr {
    let made = py
        .import("picklist.errors")
        .and_then(|errors| errors.getattr("PolicyError")?.call1((message,)));
    made.map_or_else(|failure| failure, PyErr::from_value)
}
