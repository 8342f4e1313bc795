//! picklist: an allowlist for pickles.
//!
//! ```text
//! bytes ─► stream::Reader ─► Op ─► machine::Machine<W> ─► W: World ─► Python object │ report
//!                                     │        └── policy::Policy   may this name be called / built / filled?
//!                                     └────────── machine::Budget   may this much be built / hashed / nested?
//! ```
//!
//! One decoder, one machine, two worlds: [`inspect`] takes notes, and `load`, behind the feature `python`, builds
//! Python objects. What the inspector sees is what the loader does, by construction. The rooms `stream`, `policy`,
//! `machine` and `inspect` know nothing of Python.

#![cfg_attr(test, allow(clippy::disallowed_methods))]

pub mod error;
pub mod inspect;
pub mod machine;
pub mod policy;
pub mod stream;

#[cfg(feature = "python")]
pub mod load;
#[cfg(feature = "python")]
pub mod preflight;
#[cfg(feature = "python")]
pub mod python;

/// Loading and its policy, in Rust.
#[cfg(feature = "python")]
#[pyo3::pymodule(gil_used = true)]
mod _picklist {
    use crate::load::ffi::with_door;
    #[pymodule_export]
    use crate::preflight::{Walk, kind_catalogue, reason_catalogue, walk::walk};
    #[pymodule_export]
    use crate::python::allow::Allow;
    #[pymodule_export]
    use crate::python::doors::{_genops, _inspect, _inspected, _opcodes, _ways};
    use crate::python::functions::SafeLoads;
    #[pymodule_export]
    use crate::python::functions::{safe_load, safe_loads};
    #[pymodule_export]
    use crate::python::inspect::{inspect_pickles, presets_with};
    #[pymodule_export]
    use crate::python::limits::Limits;
    #[pymodule_export]
    use crate::python::policy::PyPolicy;
    #[pymodule_export]
    use crate::python::unpickler::Unpickler;
    #[pymodule_export]
    use crate::python::verdict::Verdict;
    use pyo3::prelude::*;

    /// `loads` and `load` are the same two functions.
    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        crate::load::ffi::learn(module.py())?;
        let safe_loads = with_door::<SafeLoads>(module, "safe_loads")?;
        module.add("safe_loads", &safe_loads)?;
        module.add("loads", safe_loads)?;
        module.add("load", module.getattr("safe_load")?)
    }
}
