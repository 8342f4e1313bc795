//! `picklist.Allow`: one entry of a policy, written out. The language of contracts is the policy room's.

mod target;

use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyMapping, PyString, PyTuple};

use crate::policy::{Contract, Fields, Grant, PolicyBuilder, PolicyError, Rights};
pub use target::{Target, find, items, spelled, wrong};

/// What pickles may do with one class or function.
///
/// ``allow=[Cls]`` gives a class what its own pickles need.  ``Allow(Cls, ...)`` says it: what is not
/// given is not granted, and ``Allow(Cls)`` may be mentioned and nothing else.
///
/// Contracts are signatures on exact types: ``"()"``, ``"(int, str?)"``, ``"(list[int] | None, **any)"``,
/// ``"(str, 'latin1')"``; alternatives are joined by ``|``.
///
/// Parameters
/// ----------
/// target : type, callable or str
///     The class or function, ``"pkg.mod.Name"``, or ``"pkg.mod:Outer.Inner"`` for a nested class:
///     without a colon the module ends at the last dot.
/// call : str or bool, optional
///     Contract of the arguments of a call; True allows any.
/// new : str or bool, optional
///     Contract of the arguments of ``__new__``; True allows any.
/// state : bool, str, list of str or dict, optional
///     True: instances may be given any state.  A list: these attributes.  ``{"except": [...]}``: any but
///     these.  ``"setstate"``: the class's own ``__setstate__`` gets the state, whatever it is.
/// append, items, add : bool, default False
///     Whether instances may be appended to, filled by key, added to.
/// fields : iterable of str, optional
///     The same as a list given as `state`.
///
/// Raises
/// ------
/// PolicyError
///     If the name or a contract cannot be read, or the target is a universal gadget, which runs
///     whatever the writer of the pickle likes; `Allow.dangerously` takes those.
#[pyclass(module = "picklist", frozen, weakref)]
#[derive(Debug)]
pub struct Allow {
    /// What is allowed.
    pub target: Target,
    /// What it is granted.
    pub grant: Grant,
    /// Whether a universal gadget is meant to be admitted.
    pub dangerously: bool,
}

#[pymethods]
impl Allow {
    #[new]
    #[pyo3(signature = (target, /, *, call=None, new=None, state=None, append=false, items=false, add=false, fields=None))]
    #[allow(clippy::too_many_arguments, reason = "the signature that users see")]
    fn new(
        target: &Bound<'_, PyAny>,
        call: Option<&Bound<'_, PyAny>>,
        new: Option<&Bound<'_, PyAny>>,
        state: Option<&Bound<'_, PyAny>>,
        append: bool,
        items: bool,
        add: bool,
        fields: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        Self::make(
            target,
            [call, new, state, fields],
            [append, items, add],
            false,
        )
    }

    /// Grant a name that lets the writer of a pickle do anything: ``Allow.dangerously("os.getenv", call="(str)")``.
    ///
    /// The arguments are those of `Allow`.  The contract is then all that stands between the
    /// stream and the machine.
    #[staticmethod]
    #[pyo3(signature = (target, /, *, call=None, new=None, state=None, append=false, items=false, add=false, fields=None))]
    #[allow(clippy::too_many_arguments, reason = "the signature that users see")]
    fn dangerously(
        target: &Bound<'_, PyAny>,
        call: Option<&Bound<'_, PyAny>>,
        new: Option<&Bound<'_, PyAny>>,
        state: Option<&Bound<'_, PyAny>>,
        append: bool,
        items: bool,
        add: bool,
        fields: Option<&Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        Self::make(
            target,
            [call, new, state, fields],
            [append, items, add],
            true,
        )
    }

    /// The module, as pickles write it.
    #[getter]
    fn module(&self) -> &str {
        &self.target.module
    }

    /// The qualified name, as pickles write it.
    #[getter]
    fn name(&self) -> &str {
        &self.target.name
    }

    /// What is granted, by name.
    #[getter]
    fn rights<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        PyTuple::new(py, self.grant.rights.iter().collect::<Vec<_>>())
    }

    fn __eq__(&self, other: &Self) -> bool {
        self.target.is(&other.target)
            && self.grant == other.grant
            && self.dangerously == other.dangerously
    }

    fn __hash__(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        (&self.target.module, &self.target.name, &self.grant).hash(&mut hasher);
        hasher.finish()
    }

    fn __repr__(&self) -> String {
        let path = self.target.path();
        describe(&path, &self.grant, self.dangerously)
    }

    fn __copy__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __deepcopy__(slf: Py<Self>, _memo: &Bound<'_, PyAny>) -> Py<Self> {
        slf
    }

    /// A call of the constructor, through `functools.partial`: `REDUCE` has no keywords.
    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let class = py.get_type::<Self>().into_any();
        let constructor = if self.dangerously {
            class.getattr("dangerously")?
        } else {
            class
        };
        let keywords = to_dict(py, &self.grant)?;
        let partial = py.import("functools")?.getattr("partial")?;
        let make = partial.call((constructor,), Some(&keywords))?;
        (make, (self.target.to_python(py)?,)).into_pyobject(py)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.target.object)
    }
}

impl Allow {
    fn make(
        target: &Bound<'_, PyAny>,
        said: [Option<&Bound<'_, PyAny>>; 4],
        fills: [bool; 3],
        dangerously: bool,
    ) -> PyResult<Self> {
        let grant = grant(target.py(), said, fills)?;
        let allow = Self {
            target: Target::of(target)?,
            grant,
            dangerously,
        };
        // What no policy can hold is refused where it is written.
        match allow.add_to(PolicyBuilder::new()) {
            Ok(_) => Ok(allow),
            Err(error) => Err(wrong(target.py(), &error)),
        }
    }

    /// Adds the entry to a policy in the making.
    pub fn add_to(&self, builder: PolicyBuilder) -> Result<PolicyBuilder, PolicyError> {
        let (module, name) = (&self.target.module, &self.target.name);
        if self.dangerously {
            builder.allow_dangerously(module, name, Some(self.grant.clone()))
        } else {
            builder.allow_with(module, name, self.grant.clone())
        }
    }
}

/// The value of a keyword of the constructor.
enum Word<'a> {
    True,
    Text(String),
    Names(Vec<&'a str>),
    Except(Vec<&'a str>),
}

/// The grant as keywords of the constructor.
fn keywords(grant: &Grant) -> Vec<(&'static str, Word<'_>)> {
    let has = |right| grant.rights.contains(right);
    let mut given = Vec::new();
    for (right, name, contract) in [
        (Rights::CALL, "call", &grant.call),
        (Rights::NEW, "new", &grant.new),
    ] {
        if has(right) && *contract == Contract::anything() {
            given.push((name, Word::True));
        } else if has(right) {
            given.push((name, Word::Text(contract.to_string())));
        }
    }
    if has(Rights::STATE) {
        let state = match &grant.fields {
            Fields::Any => Word::True,
            Fields::Setstate | Fields::Values(_) => Word::Text("setstate".to_owned()),
            Fields::Only(names) => Word::Names(names.iter().map(AsRef::as_ref).collect()),
            Fields::Except(names) => Word::Except(names.iter().map(AsRef::as_ref).collect()),
        };
        given.push(("state", state));
    }
    for (right, name) in FILLS {
        if has(right) {
            given.push((name, Word::True));
        }
    }
    given
}

const FILLS: [(Rights, &str); 3] = [
    (Rights::APPEND, "append"),
    (Rights::ITEMS, "items"),
    (Rights::ADD, "add"),
];

/// The entry as it would be typed.
pub fn describe(path: &str, grant: &Grant, dangerously: bool) -> String {
    let mut parts = vec![format!("{path:?}")];
    for (name, word) in keywords(grant) {
        parts.push(match word {
            Word::True => format!("{name}=True"),
            Word::Text(text) => format!("{name}={text:?}"),
            Word::Names(names) => format!("{name}={names:?}"),
            Word::Except(names) => format!("{name}={{\"except\": {names:?}}}"),
        });
    }
    let constructor = if dangerously {
        "Allow.dangerously"
    } else {
        "Allow"
    };
    format!("{constructor}({})", parts.join(", "))
}

/// The keywords as Python passes them.
fn to_dict<'py>(py: Python<'py>, grant: &Grant) -> PyResult<Bound<'py, PyDict>> {
    let given = PyDict::new(py);
    for (name, word) in keywords(grant) {
        match word {
            Word::True => given.set_item(name, true)?,
            Word::Text(text) => given.set_item(name, text)?,
            Word::Names(names) => given.set_item(name, names)?,
            Word::Except(names) => {
                let state = PyDict::new(py);
                state.set_item("except", names)?;
                given.set_item(name, state)?;
            }
        }
    }
    Ok(given)
}

fn grant(
    py: Python<'_>,
    [call, new, state, names]: [Option<&Bound<'_, PyAny>>; 4],
    fills: [bool; 3],
) -> PyResult<Grant> {
    let mut grant = Grant::reference();
    if let Some(call) = contract(py, "call", call)? {
        grant.rights.insert(Rights::CALL);
        grant.call = call;
    }
    if let Some(new) = contract(py, "new", new)? {
        grant.rights.insert(Rights::NEW);
        grant.new = new;
    }
    if let Some(fields) = fields(state, names)? {
        grant.rights.insert(Rights::STATE);
        grant.fields = fields;
    }
    for ((right, _), given) in FILLS.into_iter().zip(fills) {
        if given {
            grant.rights.insert(right);
        }
    }
    Ok(grant)
}

fn contract(
    py: Python<'_>,
    name: &str,
    given: Option<&Bound<'_, PyAny>>,
) -> PyResult<Option<Contract>> {
    let Some(given) = given else { return Ok(None) };
    if let Ok(any) = given.extract::<bool>() {
        return Ok(any.then(Contract::anything));
    }
    let Ok(text) = given.cast::<PyString>() else {
        let kind = given.get_type().name()?;
        return Err(PyTypeError::new_err(format!(
            "{name}= takes a contract such as \"(int, str?)\", or True for any arguments, not {kind}"
        )));
    };
    match Contract::parse(&text.to_cow()?) {
        Ok(contract) => Ok(Some(contract)),
        Err(error) => Err(wrong(py, &PolicyError::from(error))),
    }
}

fn fields(
    state: Option<&Bound<'_, PyAny>>,
    fields: Option<&Bound<'_, PyAny>>,
) -> PyResult<Option<Fields>> {
    let only = fields
        .map(|fields| field_names(fields, "fields"))
        .transpose()?;
    let Some(state) = state else {
        return Ok(only.map(Fields::Only));
    };
    let said = if let Ok(any) = state.extract::<bool>() {
        any.then_some(Fields::Any)
    } else if let Ok(word) = state.cast::<PyString>() {
        if word.to_cow()? != "setstate" {
            return Err(PyValueError::new_err(format!(
                "state={} is not known: give True, a list of attributes, {{\"except\": [...]}} or \"setstate\"",
                word.repr()?
            )));
        }
        Some(Fields::Setstate)
    } else if let Ok(except) = state.cast::<PyDict>() {
        match except.get_item("except")? {
            Some(names) if except.len() == 1 => Some(Fields::Except(field_names(&names, "state")?)),
            _ => return Err(types_are_not_checked("state")),
        }
    } else {
        Some(Fields::Only(field_names(state, "state")?))
    };
    match (said, only) {
        (said, None) => Ok(said),
        (Some(Fields::Any), Some(only)) => Ok(Some(Fields::Only(only))),
        _ => Err(PyValueError::new_err(
            "state= and fields= say different things: give one of them",
        )),
    }
}

fn field_names(names: &Bound<'_, PyAny>, keyword: &str) -> PyResult<BTreeSet<Box<str>>> {
    if names.is_instance_of::<PyString>() {
        return Err(PyTypeError::new_err(format!(
            "{keyword}= takes a list of attributes, as in [{}]",
            names.repr()?
        )));
    }
    if names.is_instance_of::<PyMapping>() {
        return Err(types_are_not_checked(keyword));
    }
    let mut read = BTreeSet::new();
    for name in names.try_iter()? {
        let name = name?;
        let Ok(text) = name.extract::<String>() else {
            let name = name.repr()?;
            return Err(PyTypeError::new_err(format!(
                "{keyword}= takes the names of attributes, and {name} is no str"
            )));
        };
        read.insert(text.into_boxed_str());
    }
    Ok(read)
}

/// A mapping from attributes to types would promise a check that nobody makes.
fn types_are_not_checked(keyword: &str) -> PyErr {
    PyTypeError::new_err(format!(
        "{keyword}= takes the names of attributes; the types of their values are not checked"
    ))
}
