//! `Unpickler.memo`: a view with `pickle`'s three methods.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyType};

use super::unpickler::Unpickler;

/// The memo of an :class:`Unpickler`: ``copy()``, ``clear()``, and assignable to another one's ``memo``.
#[pyclass(module = "picklist", name = "UnpicklerMemoProxy", frozen)]
#[derive(Debug)]
pub struct MemoProxy {
    /// Whose memo it is.
    pub owner: Py<Unpickler>,
}

#[pymethods]
impl MemoProxy {
    /// Remove all items from the memo.
    fn clear(&self, py: Python<'_>) {
        self.owner.bind(py).borrow_mut().clear_memo(py);
    }

    /// Copy the memo to a new dict of index to object.
    fn copy<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        self.owner.bind(py).borrow_mut().memo_dict(py)
    }

    /// Pickles as the dict that ``copy()`` gives.
    fn __reduce__<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<(Bound<'py, PyType>, (Bound<'py, PyDict>,))> {
        Ok((py.get_type::<PyDict>(), (self.copy(py)?,)))
    }
}
