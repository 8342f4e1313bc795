//! `picklist.Limits`: what a load may cost, as a Python value. What the fields mean and how they are kept is
//! `machine::budget`'s.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyTuple};

use crate::machine::budget;

/// What loading a pickle may cost.
///
/// Every field is keyword-only, readable as an attribute, and either a whole number or None.  None
/// means in proportion to the input for `max_memory` and `max_hash_work`, and no bound for every
/// other field.  A load that would exceed a limit raises `picklist.LimitExceededError`, which
/// names it.
///
/// Parameters
/// ----------
/// max_depth : int or None, default 10_000
///     Levels of nesting; Python's own pickler writes at most about 10,000.
/// max_hash_depth : int or None, default 500
///     Levels of tuples and frozensets inside a dict key or set member: hashing them uses the C
///     stack.
/// max_memory : int or None, default None
///     Bytes of memory; None allows 128 bytes for each byte of input, and 16 MiB besides.
/// max_hash_work : int or None, default None
///     Elements and digits hashed; None allows 100 for each byte of input, and 10**8 besides.
/// max_key_collisions : int or None, default 256
///     Keys with the same hash in one dict or set.
/// max_int_digits : int or None, default 4300
///     Digits of an int written in decimal, the same as ``sys.int_info.default_max_str_digits``.
/// max_int_bytes : int or None, default 16_777_216
///     Bytes of an int written in binary.
/// max_bytes : int or None, default None
///     Bytes of the pickle itself.
/// max_expanded : int or None, default None
///     Values in the result, each counted as often as it can be reached.
///
/// Raises
/// ------
/// ValueError
///     If a value is negative, too large to be a bound, or no whole number.
///
/// Examples
/// --------
/// >>> Limits(max_bytes=1_000_000)
/// Limits(max_bytes=1000000)
#[pyclass(module = "picklist", frozen, eq, hash)]
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Limits {
    /// The limits themselves.
    pub inner: budget::Limits,
}

const FIELDS: [&str; 9] = [
    "max_depth",
    "max_hash_depth",
    "max_memory",
    "max_hash_work",
    "max_key_collisions",
    "max_int_digits",
    "max_int_bytes",
    "max_bytes",
    "max_expanded",
];

#[pymethods]
impl Limits {
    #[new]
    #[pyo3(
        signature = (**limits),
        text_signature = "(*, max_depth=10000, max_hash_depth=500, max_memory=None, max_hash_work=None, \
                          max_key_collisions=256, max_int_digits=4300, max_int_bytes=16777216, max_bytes=None, \
                          max_expanded=None)"
    )]
    fn new(limits: Option<&Bound<'_, PyDict>>) -> PyResult<Self> {
        let mut inner = budget::Limits::default();
        for (name, value) in limits.into_iter().flatten() {
            set(&mut inner, name.extract()?, &value)?;
        }
        Ok(Self { inner })
    }

    /// Return limits without any bound, as ``pickle`` has none: for trusted data only.
    #[staticmethod]
    fn unlimited() -> Self {
        Self {
            inner: budget::Limits::unlimited(),
        }
    }

    /// Levels of nesting.
    #[getter]
    fn max_depth(&self) -> Option<u64> {
        narrow(self.inner.max_depth)
    }

    /// Levels of nesting inside a dict key or set member.
    #[getter]
    fn max_hash_depth(&self) -> Option<u64> {
        narrow(self.inner.max_hash_depth)
    }

    /// Bytes of memory; None is in proportion to the input.
    #[getter]
    fn max_memory(&self) -> Option<u64> {
        self.inner.max_memory
    }

    /// Elements and digits hashed; None is in proportion to the input.
    #[getter]
    fn max_hash_work(&self) -> Option<u64> {
        self.inner.max_hash_work
    }

    /// Keys with the same hash in one dict or set.
    #[getter]
    fn max_key_collisions(&self) -> Option<u64> {
        narrow(self.inner.max_key_collisions)
    }

    /// Digits of an int written in decimal.
    #[getter]
    fn max_int_digits(&self) -> Option<u64> {
        wide(self.inner.max_int_digits)
    }

    /// Bytes of an int written in binary.
    #[getter]
    fn max_int_bytes(&self) -> Option<u64> {
        wide(self.inner.max_int_bytes)
    }

    /// Bytes of the pickle itself.
    #[getter]
    fn max_bytes(&self) -> Option<u64> {
        self.inner.max_bytes
    }

    /// Values in the result, each counted as often as it can be reached.
    #[getter]
    fn max_expanded(&self) -> Option<u64> {
        self.inner.max_expanded
    }

    fn __repr__(&self) -> String {
        if self.inner == budget::Limits::unlimited() {
            return "Limits.unlimited()".to_owned();
        }
        let default = budget::Limits::default();
        let changed: Vec<String> = FIELDS
            .iter()
            .filter(|name| get(&self.inner, name) != get(&default, name))
            .map(|name| match get(&self.inner, name) {
                Some(value) => format!("{name}={value}"),
                None => format!("{name}=None"),
            })
            .collect();
        format!("Limits({})", changed.join(", "))
    }

    fn __copy__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __deepcopy__(slf: Py<Self>, _memo: &Bound<'_, PyAny>) -> Py<Self> {
        slf
    }

    /// `copyreg.__newobj_ex__` is what every protocol can spell.
    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let keywords = PyDict::new(py);
        for name in FIELDS {
            keywords.set_item(name, get(&self.inner, name))?;
        }
        let make = py.import("copyreg")?.getattr("__newobj_ex__")?;
        let args = (py.get_type::<Self>(), PyTuple::empty(py), keywords);
        (make, args).into_pyobject(py)
    }
}

fn narrow(bound: u32) -> Option<u64> {
    (bound != u32::MAX).then_some(u64::from(bound))
}

fn wide(bound: u64) -> Option<u64> {
    (bound != u64::MAX).then_some(bound)
}

fn get(limits: &budget::Limits, name: &str) -> Option<u64> {
    match name {
        "max_depth" => narrow(limits.max_depth),
        "max_hash_depth" => narrow(limits.max_hash_depth),
        "max_memory" => limits.max_memory,
        "max_hash_work" => limits.max_hash_work,
        "max_key_collisions" => narrow(limits.max_key_collisions),
        "max_int_digits" => wide(limits.max_int_digits),
        "max_int_bytes" => wide(limits.max_int_bytes),
        "max_bytes" => limits.max_bytes,
        "max_expanded" => limits.max_expanded,
        _ => None,
    }
}

fn set(limits: &mut budget::Limits, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
    let Some(known) = FIELDS.into_iter().find(|known| *known == name) else {
        return Err(PyTypeError::new_err(format!(
            "Limits() got an unexpected keyword argument {name:?}; the limits are: {}",
            FIELDS.join(", ")
        )));
    };
    let narrow = || whole_number(known, value, u64::from(u32::MAX)).map(narrowed);
    let wide = || whole_number(known, value, u64::MAX);
    match known {
        "max_depth" => limits.max_depth = narrow()?,
        "max_hash_depth" => limits.max_hash_depth = narrow()?,
        "max_memory" => limits.max_memory = wide()?,
        "max_hash_work" => limits.max_hash_work = wide()?,
        "max_key_collisions" => limits.max_key_collisions = narrow()?,
        "max_int_digits" => limits.max_int_digits = wide()?.unwrap_or(u64::MAX),
        "max_int_bytes" => limits.max_int_bytes = wide()?.unwrap_or(u64::MAX),
        "max_bytes" => limits.max_bytes = wide()?,
        _ => limits.max_expanded = wide()?,
    }
    Ok(())
}

fn narrowed(bound: Option<u64>) -> u32 {
    bound
        .and_then(|bound| u32::try_from(bound).ok())
        .unwrap_or(u32::MAX)
}

/// None, or an int (not a bool) between 0 and `maximum`.
fn whole_number(name: &str, value: &Bound<'_, PyAny>, maximum: u64) -> PyResult<Option<u64>> {
    if value.is_none() {
        return Ok(None);
    }
    let kind = value.get_type();
    let is_int = !value.is_instance_of::<PyBool>() && kind.hasattr("__index__")?;
    if !is_int {
        let kind = kind.name()?;
        return Err(PyValueError::new_err(format!(
            "{name} must be a whole number or None, not {kind}"
        )));
    }
    if value.lt(0)? {
        return Err(PyValueError::new_err(format!(
            "{name} must not be negative"
        )));
    }
    if value.gt(maximum)? {
        return Err(PyValueError::new_err(format!(
            "{name} must be at most {maximum}"
        )));
    }
    value.extract().map(Some)
}
