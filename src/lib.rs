//! picklist.
pub mod error;
#[cfg(feature = "python")]
pub mod preflight;

/// The extension module.
#[cfg(feature = "python")]
#[pyo3::pymodule]
mod _picklist {
    #[pymodule_export]
    use crate::preflight::{Walk, kind_catalogue, reason_catalogue, walk::walk};
}
