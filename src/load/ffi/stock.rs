//! What is known of the standard library's own objects: which ways are open, and what such objects are compared by.

use pyo3::ffi;
use pyo3::prelude::*;

use super::layout::answer_alike;
use super::value::Value;

/// The ways of [`super::ways`] that are the standard library's, by name.
pub fn stock_ways(py: Python<'_>) -> PyResult<[(&'static str, bool); 7]> {
    Ok([
        ("arrays", super::arrays::learn_arrays(py)?),
        ("defaults", super::defaults::learn_defaults(py)?),
        ("deques", super::deques::learn_deques(py)?),
        ("namespaces", super::namespaces::learn_namespaces(py)?),
        ("paths", super::paths::learn_paths(py)?),
        ("ranges", super::ranges::learn_ranges(py)?),
        ("slots", super::slotted::learn_slotted(py)?),
    ])
}

/// Whether two objects made just now answer alike, their hashes left out.
pub(super) fn alike(py: Python<'_>, ours: &Value, theirs: &Value) -> PyResult<bool> {
    let (left, right) = (ours.bound(py), theirs.bound(py));
    Ok(is_tracked(ours) == is_tracked(theirs)
        && left.get_type().is(right.get_type())
        && answer_alike(left, right)?)
}

/// Whether the collector looks at an object.
pub(super) fn is_tracked(object: &Value) -> bool {
    // SAFETY: a live object.
    unsafe { ffi::PyObject_GC_IsTracked(object.object) != 0 }
}
