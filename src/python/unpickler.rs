//! `Unpickler`: subclassable, repeatable, with `pickle`'s hooks by override and by attribute.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use pyo3::exceptions::{PyAttributeError, PyRuntimeError, PyTypeError};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};
use pyo3::{PyTraverseError, PyVisit};

use super::errors;
use super::functions::{Call, encoding_of, load_with};
use super::limits::Limits;
use super::memo::MemoProxy;
use super::policy::{PyPolicy, default_policy, with_allow};
use crate::error::{Error, Kind};
use crate::load::ffi::{Kept, Tag, Value};
use crate::load::globals;
use crate::load::run::Refusal;
use crate::load::source::File;
use crate::load::{Cause, Encoding};
use crate::machine::budget;
use crate::machine::memo::Memo;
use crate::policy::EntryId;

/// What `__init__` was told.
struct Setup {
    file: Py<PyAny>,
    policy: Py<PyPolicy>,
    limits: Option<budget::Limits>,
    fix_imports: bool,
    encoding: Encoding,
    buffers: Option<Py<PyAny>>,
}

/// Read pickles from a file, under a policy.
///
/// Drop-in for :class:`pickle.Unpickler`: one pickle per ``load()``, stopping exactly after its STOP opcode, the memo
/// kept between calls. ``find_class`` and ``persistent_load`` may be overridden; a ``find_class`` that never calls
/// ``super().find_class()`` steps around the policy, as it does with :mod:`pickle`.
///
/// Parameters
/// ----------
/// file : file-like
///     A file open for reading bytes: ``read`` and ``readline``, optionally ``peek``.
/// policy, allow, limits, fix_imports, encoding, errors, buffers
///     As for :func:`safe_loads`.
#[pyclass(module = "picklist", subclass, dict, weakref)]
pub struct Unpickler {
    /// Boxed, so that zeroed memory reads as `None`: from Python 3.11 to 3.12 the interpreter makes an instance's
    /// `__dict__` before PyO3 has written this, and the collector may run, and traverse it, in between.
    setup: Option<Box<Setup>>,
    memo: Kept<Memo<Value>>,
    /// Bytes read for good that belong to the next pickle: the rest of a frame.
    buffer: Vec<u8>,
    busy: bool,
    /// Of the pickle that is being loaded, for `find_class`.
    protocol: Arc<AtomicU8>,
}

#[pymethods]
impl Unpickler {
    #[new]
    #[pyo3(signature = (*_args, **_kwargs))]
    fn new(_args: &Bound<'_, PyTuple>, _kwargs: Option<&Bound<'_, PyDict>>) -> Self {
        Self {
            setup: None,
            memo: Kept::default(),
            buffer: Vec::new(),
            busy: false,
            protocol: Arc::default(),
        }
    }

    #[pyo3(signature = (file, /, *, policy=None, allow=None, limits=None, fix_imports=true, encoding="ASCII", errors="strict", buffers=None))]
    #[allow(clippy::too_many_arguments)]
    fn __init__<'py>(
        slf: &Bound<'py, Self>,
        file: &Bound<'py, PyAny>,
        policy: Option<Bound<'py, PyPolicy>>,
        allow: Option<Bound<'py, PyAny>>,
        limits: Option<&Limits>,
        fix_imports: bool,
        encoding: &str,
        errors: &str,
        buffers: Option<Bound<'py, PyAny>>,
    ) -> PyResult<()> {
        let py = slf.py();
        File::new(file, false)?;
        let bound = |policy: Option<Bound<'py, PyPolicy>>| match policy {
            Some(policy) => Ok(policy),
            None => match slf.get_type().getattr_opt("_policy")? {
                Some(policy) => Ok(policy.cast_into::<PyPolicy>().map_err(PyErr::from)?),
                None => default_policy(py),
            },
        };
        let mut policy = bound(policy)?;
        if let Some(allow) = allow.filter(|allow| !allow.is_none()) {
            policy = with_allow(py, Some(&policy), &allow)?;
        }
        let buffers = match buffers {
            Some(buffers) if !buffers.is_none() => Some(buffers.try_iter()?.into_any().unbind()),
            _ => None,
        };
        let mut this = slf.borrow_mut();
        if this.busy {
            return Err(PyRuntimeError::new_err(
                "Unpickler.__init__() called while it is loading",
            ));
        }
        this.clear_memo(py);
        this.buffer.clear();
        this.setup = Some(Box::new(Setup {
            file: file.clone().unbind(),
            policy: policy.unbind(),
            limits: limits.map(|limits| limits.inner.clone()),
            fix_imports,
            encoding: encoding_of(encoding, errors),
            buffers,
        }));
        Ok(())
    }

    /// Read one pickle from the file.
    ///
    /// Returns
    /// -------
    /// object
    ///     What :meth:`pickle.Unpickler.load` would have returned.
    fn load<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let (file, call, mut memo, mut buffer) = Self::begin(slf)?;
        let outcome = load_with(&file, &mut buffer, memo.open(py), &call);
        let mut this = slf.borrow_mut();
        this.memo = memo;
        this.buffer = buffer;
        this.busy = false;
        outcome
    }

    /// Find an object by module and name, as the policy allows.
    ///
    /// Parameters
    /// ----------
    /// module, name : str
    ///     The pair that the stream gives.
    ///
    /// Returns
    /// -------
    /// object
    ///     The class or function of the policy.
    ///
    /// Raises
    /// ------
    /// ForbiddenGlobalError
    ///     If the pair is not in the policy.
    #[pyo3(signature = (module, name, /))]
    fn find_class<'py>(
        slf: &Bound<'py, Self>,
        module: &Bound<'py, PyAny>,
        name: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let this = slf.borrow();
        let Some(setup) = &this.setup else {
            return Err(uninitialised(slf));
        };
        let policy = setup.policy.bind(py).get();
        globals::find_one(
            py,
            &policy.inner,
            &policy.cache,
            this.protocol.load(Ordering::Relaxed),
            setup.fix_imports,
            module,
            name,
        )
        .map_err(|fault| match fault.cause() {
            Cause::Kind(kind) => {
                errors::raise(py, Refusal::Stream(Error::new(kind, 0, None), None), None)
            }
            Cause::Raised(error) => error,
            Cause::Refused(_) => PyRuntimeError::new_err("no stream is being inspected"),
        })
    }

    /// Resolve a persistent id; override it, or assign it on the instance.
    ///
    /// Raises
    /// ------
    /// UnpicklingError
    ///     Always, unless overridden.
    #[pyo3(signature = (pid, /))]
    fn persistent_load(slf: &Bound<'_, Self>, pid: &Bound<'_, PyAny>) -> PyResult<Py<PyAny>> {
        let _ = pid;
        Err(errors::raise(
            slf.py(),
            Refusal::Stream(Error::new(Kind::NoPersistentLoad, 0, None), None),
            None,
        ))
    }

    /// The objects that the stream may fetch again, by index.
    #[getter]
    fn memo(slf: Bound<'_, Self>) -> MemoProxy {
        MemoProxy {
            owner: slf.unbind(),
        }
    }

    #[setter]
    fn set_memo(slf: &Bound<'_, Self>, memo: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = slf.py();
        let mut fresh = Memo::default();
        if let Ok(proxy) = memo.cast::<MemoProxy>() {
            let owner = proxy.get().owner.bind(py);
            let mut owner = owner.borrow_mut();
            for (index, value) in owner.memo.open(py).iter(Value::is_hole) {
                fresh.put(index, value.share(), Value::is_hole);
            }
        } else if let Ok(dict) = memo.cast::<PyDict>() {
            for (index, object) in dict {
                let index: i64 = index
                    .extract()
                    .map_err(|_| PyTypeError::new_err("memo key must be integers"))?;
                let index = u64::try_from(index).map_err(|_| {
                    pyo3::exceptions::PyValueError::new_err("memo key must be positive integers.")
                })?;
                let tag = slf.borrow().tag_of_callers_objects(py);
                fresh.put(index, Value::new(object, tag, 0), Value::is_hole);
            }
        } else {
            let got = memo.get_type().name()?.to_string();
            return Err(PyTypeError::new_err(format!(
                "'memo' attribute must be an UnpicklerMemoProxy object or dict, not {got}"
            )));
        }
        slf.borrow_mut().memo = Kept::new(fresh);
        Ok(())
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        if let Some(setup) = &self.setup {
            visit.call(&setup.file)?;
            visit.call(&setup.policy)?;
            visit.call(&setup.buffers)?;
        }
        Ok(())
    }

    fn __clear__(&mut self) {
        self.setup = None;
        self.memo = Kept::default();
    }
}

/// What one load takes out of its `Unpickler`.
type Begun<'py> = (
    Rc<RefCell<File<'py>>>,
    Call<'py>,
    Kept<Memo<Value>>,
    Vec<u8>,
);

impl Unpickler {
    /// Takes the state out for one load; a second load meanwhile is an error, not a race.
    fn begin<'py>(slf: &Bound<'py, Self>) -> PyResult<Begun<'py>> {
        let py = slf.py();
        let find_class = overridden(slf, "find_class")?;
        let persistent_load = overridden(slf, "persistent_load")?;
        let mut this = slf.borrow_mut();
        if this.busy {
            return Err(PyRuntimeError::new_err(
                "Unpickler.load() called while it is loading",
            ));
        }
        let Some(setup) = &this.setup else {
            return Err(uninitialised(slf));
        };
        let call = Call {
            limits: setup.limits.clone(),
            fix_imports: setup.fix_imports,
            encoding: setup.encoding.clone(),
            buffers: setup
                .buffers
                .as_ref()
                .map(|buffers| buffers.bind(py).clone()),
            persistent_load,
            find_class,
            protocol: Some(Arc::clone(&this.protocol)),
            ..Call::under(setup.policy.bind(py).clone())
        };
        let file = Rc::new(RefCell::new(File::new(setup.file.bind(py), true)?));
        this.busy = true;
        Ok((
            file,
            call,
            std::mem::take(&mut this.memo),
            std::mem::take(&mut this.buffer),
        ))
    }

    /// Forgets all objects.
    pub fn clear_memo(&mut self, _py: Python<'_>) {
        self.memo = Kept::default();
    }

    /// The memo's objects by index; names that never became objects are left out.
    pub fn memo_dict<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let dict = PyDict::new(py);
        let policy = self.setup.as_ref().map(|setup| setup.policy.clone_ref(py));
        for (index, value) in self.memo.open(py).iter(Value::is_hole) {
            if value.has_object() {
                dict.set_item(index, value.bound(py))?;
            } else if let (Tag::Global, Some(policy)) = (value.tag(), &policy)
                && let Some(resolved) = policy.get().cache.get(py, EntryId(value.entry()))
            {
                dict.set_item(index, resolved.object.bind(py))?;
            }
        }
        Ok(dict)
    }

    fn tag_of_callers_objects(&self, py: Python<'_>) -> Tag {
        match &self.setup {
            Some(setup) if setup.policy.bind(py).get().inner.is_unrestricted() => Tag::Free,
            _ => Tag::External,
        }
    }
}

#[cold]
fn uninitialised(slf: &Bound<'_, Unpickler>) -> PyErr {
    let py = slf.py();
    let name = slf
        .get_type()
        .name()
        .map_or_else(|_| "Unpickler".into(), |name| name.to_string());
    let message = format!("Unpickler.__init__() was not called by {name}.__init__()");
    errors::raise(
        py,
        Refusal::Stream(Error::new(Kind::Malformed(message), 0, None), None),
        None,
    )
}

/// A hook that a subclass defines or the instance holds; `None` where it is this class's own.
fn overridden<'py>(slf: &Bound<'py, Unpickler>, name: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
    let py = slf.py();
    let name = PyString::new(py, name);
    if let Ok(own) = slf.getattr("__dict__")
        && let Ok(found) = own.get_item(&name)
    {
        return Ok(Some(found));
    }
    let base = py.get_type::<Unpickler>().getattr(&name)?;
    if slf.get_type().getattr(&name)?.is(&base) {
        return Ok(None);
    }
    match slf.getattr(&name) {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_instance_of::<PyAttributeError>(py) => Ok(None),
        Err(error) => Err(error),
    }
}
