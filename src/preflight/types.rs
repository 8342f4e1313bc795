//! The exact types that a pickler saves by itself, as pointers to compare.

use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyDict, PyFloat, PyFrozenSet, PyInt, PyList, PySet, PyString,
    PyTuple, PyType,
};

/// The address of a type object; compared, never followed.
pub(super) type TypeId = usize;

/// The address of the type of `object`.
pub(super) fn type_id(object: &Bound<'_, PyAny>) -> TypeId {
    object.get_type_ptr() as TypeId
}

/// Addresses of the types that `save` in `_pickle.c` tests by identity.
pub(super) struct Types {
    pub(super) string: TypeId,
    pub(super) int: TypeId,
    pub(super) none: TypeId,
    pub(super) float: TypeId,
    pub(super) bool: TypeId,
    pub(super) bytes: TypeId,
    pub(super) dict: TypeId,
    pub(super) list: TypeId,
    pub(super) tuple: TypeId,
    pub(super) set: TypeId,
    pub(super) frozenset: TypeId,
    pub(super) bytearray: TypeId,
    pub(super) pickle_buffer: TypeId,
    pub(super) type_: TypeId,
    pub(super) function: TypeId,
    pub(super) date: TypeId,
    pub(super) datetime: TypeId,
    pub(super) timedelta: TypeId,
}

impl Types {
    pub(super) fn new(py: Python<'_>) -> PyResult<Self> {
        fn address(class: &Bound<'_, PyType>) -> TypeId {
            class.as_type_ptr() as TypeId
        }
        Ok(Types {
            string: address(&py.get_type::<PyString>()),
            int: address(&py.get_type::<PyInt>()),
            none: type_id(py.None().bind(py)),
            float: address(&py.get_type::<PyFloat>()),
            bool: address(&py.get_type::<PyBool>()),
            bytes: address(&py.get_type::<PyBytes>()),
            dict: address(&py.get_type::<PyDict>()),
            list: address(&py.get_type::<PyList>()),
            tuple: address(&py.get_type::<PyTuple>()),
            set: address(&py.get_type::<PySet>()),
            frozenset: address(&py.get_type::<PyFrozenSet>()),
            bytearray: address(&py.get_type::<PyByteArray>()),
            pickle_buffer: address(known(py, "pickle", "PickleBuffer")?.cast::<PyType>()?),
            type_: address(&py.get_type::<PyType>()),
            function: address(known(py, "types", "FunctionType")?.cast::<PyType>()?),
            date: address(known(py, "datetime", "date")?.cast::<PyType>()?),
            datetime: address(known(py, "datetime", "datetime")?.cast::<PyType>()?),
            timedelta: address(known(py, "datetime", "timedelta")?.cast::<PyType>()?),
        })
    }
}

/// `module.name` of the standard library, looked up once.
fn known<'py>(py: Python<'py>, module: &str, name: &str) -> PyResult<Bound<'py, PyAny>> {
    py.import(module)?.getattr(name)
}

/// What the walk needs of `copyreg` and `object`, fetched once a process.
pub(super) struct Protocol {
    pub(super) dispatch_table: Py<PyDict>,
    pub(super) newobj: Py<PyAny>,
    pub(super) object: Py<PyType>,
    pub(super) not_implemented: Py<PyAny>,
    /// `copyreg._extension_registry` is not needed: codes do not fail.
    pub(super) singleton_types: [TypeId; 3],
}

impl Protocol {
    pub(super) fn get(py: Python<'_>) -> PyResult<&Self> {
        static PROTOCOL: PyOnceLock<Protocol> = PyOnceLock::new();
        PROTOCOL.get_or_try_init(py, || {
            let copyreg = py.import("copyreg")?;
            let builtins = py.import("builtins")?;
            let ellipsis = builtins.getattr("Ellipsis")?;
            let not_implemented = builtins.getattr("NotImplemented")?;
            Ok(Protocol {
                dispatch_table: copyreg.getattr("dispatch_table")?.cast_into()?.unbind(),
                newobj: copyreg.getattr("__newobj__")?.unbind(),
                object: builtins.getattr("object")?.cast_into()?.unbind(),
                singleton_types: [
                    type_id(py.None().bind(py)),
                    type_id(&ellipsis),
                    type_id(&not_implemented),
                ],
                not_implemented: not_implemented.unbind(),
            })
        })
    }
}

/// The reducer registered for the type of `object`, as `save` looks it up.
pub(super) fn registered_reducer<'py>(
    object: &Bound<'py, PyAny>,
    dispatch_table: Option<&Bound<'py, PyAny>>,
) -> PyResult<Option<Bound<'py, PyAny>>> {
    let class = object.get_type();
    match dispatch_table {
        None => {
            let py = object.py();
            Protocol::get(py)?.dispatch_table.bind(py).get_item(class)
        }
        Some(table) => match table.get_item(class) {
            Ok(reducer) => Ok(Some(reducer)),
            Err(error) if error.is_instance_of::<PyKeyError>(object.py()) => Ok(None),
            Err(error) => Err(error),
        },
    }
}
