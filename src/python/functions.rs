//! `safe_loads`, `safe_load` and their names in `pickle`'s spelling.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::atomic::AtomicU8;
use std::sync::{Arc, LazyLock};

use pyo3::Borrowed;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyCFunction;

use super::errors;
use super::limits::Limits;
use super::policy::{PyPolicy, default_policy, known_default_policy, with_allow};
use crate::load::ffi;
use crate::load::run::{Here, Rules, Within, load_file, load_slice};
use crate::load::source::File;
use crate::load::{Encoding, Options};
use crate::machine::budget;
use crate::machine::memo::Memo;

/// Everything that a load is told, besides the data.
pub struct Call<'py> {
    /// Who may do what.
    pub policy: Bound<'py, PyPolicy>,
    /// What it may cost; `None`: the policy's limits, or the defaults.
    pub limits: Option<budget::Limits>,
    /// Whether leftovers and trailing bytes are refused.
    pub strict: bool,
    /// Whether names of protocols 0 to 2 are Python 2's.
    pub fix_imports: bool,
    /// How a Python 2 `str` becomes a value.
    pub encoding: Encoding,
    /// Out-of-band buffers.
    pub buffers: Option<Bound<'py, PyAny>>,
    /// The caller's `persistent_load`.
    pub persistent_load: Option<Bound<'py, PyAny>>,
    /// The `find_class` of a subclass.
    pub find_class: Option<Bound<'py, PyAny>>,
    /// Where the loader notes the protocol, for `Unpickler.find_class`.
    pub protocol: Option<Arc<AtomicU8>>,
}

impl<'py> Call<'py> {
    /// A call under a policy, all else by default.
    pub fn under(policy: Bound<'py, PyPolicy>) -> Self {
        Self {
            policy,
            limits: None,
            strict: false,
            fix_imports: true,
            encoding: Encoding::Ascii,
            buffers: None,
            persistent_load: None,
            find_class: None,
            protocol: None,
        }
    }

    fn limits(&self) -> &budget::Limits {
        static FREE: LazyLock<budget::Limits> = LazyLock::new(budget::Limits::unlimited);
        let policy = self.policy.get();
        match self.limits.as_ref().or(policy.limits.as_ref()) {
            Some(limits) => limits,
            None if policy.inner.is_unrestricted() => &FREE,
            None => default_limits(),
        }
    }

    fn options(&self) -> PyResult<Options<'py>> {
        let buffers = match &self.buffers {
            Some(buffers) if !buffers.is_none() => Some(buffers.try_iter()?.into_any()),
            _ => None,
        };
        let py = self.policy.py();
        let policys = || {
            self.policy
                .get()
                .persistent_load
                .as_ref()
                .map(|load| load.bind(py).clone())
        };
        let persistent_load = self.persistent_load.clone().filter(|load| !load.is_none());
        Ok(Options {
            fix_imports: self.fix_imports,
            encoding: self.encoding.clone(),
            buffers,
            persistent_load: persistent_load.or_else(policys),
            find_class: self.find_class.clone(),
            protocol: self.protocol.clone(),
            strict: self.strict,
        })
    }
}

/// How a Python 2 `str` becomes a value under the caller's two arguments.
pub fn encoding_of(encoding: &str, errors: &str) -> Encoding {
    if encoding == "ASCII" && errors == "strict" {
        return Encoding::Ascii;
    }
    match (encoding.to_ascii_lowercase().as_str(), errors) {
        ("bytes", _) if encoding == "bytes" => Encoding::Bytes,
        ("ascii" | "us-ascii", "strict") => Encoding::Ascii,
        ("latin1" | "latin-1" | "iso-8859-1", _) => Encoding::Latin1,
        _ => Encoding::Codec {
            encoding: encoding.into(),
            errors: errors.into(),
        },
    }
}

/// Loads from a buffer.
pub fn loads_with<'py>(data: &Bound<'py, PyAny>, call: &Call<'py>) -> PyResult<Bound<'py, PyAny>> {
    load_buffer(data, call.policy.get(), call.limits(), &call.options()?)
}

#[inline]
fn load_buffer<'py>(
    data: &Bound<'py, PyAny>,
    policy: &PyPolicy,
    limits: &budget::Limits,
    options: &Options<'py>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = data.py();
    let rules = Rules {
        policy: &policy.inner,
        cache: &policy.cache,
        limits,
    };
    let loaded = match ffi::immutable_bytes(data) {
        Some(bytes) => load_slice(py, bytes, rules, options, Here),
        None => load_slice(py, &ffi::copied_bytes(data)?, rules, options, Here),
    };
    loaded.map_err(|refusal| {
        if policy.inner.is_unrestricted() {
            errors::raise_free(py, *refusal)
        } else {
            errors::raise(py, *refusal, None)
        }
    })
}

/// `safe_loads(data)`, without any keyword: under the default policy, within the default limits.
pub struct SafeLoads;

impl ffi::Door for SafeLoads {
    fn wrapper() -> &'static PyOnceLock<Py<PyCFunction>> {
        static WRAPPER: PyOnceLock<Py<PyCFunction>> = PyOnceLock::new();
        &WRAPPER
    }

    #[inline(always)]
    fn call<'py>(
        data: Borrowed<'_, 'py, PyAny>,
        counted: ffi::Counted,
    ) -> Result<Bound<'py, PyAny>, ffi::Raised> {
        let py = data.py();
        let (Some(policy), Some(bytes)) = (known_default_policy(py), ffi::immutable_bytes(&data))
        else {
            return load_rarely(data, counted);
        };
        let rules = Rules {
            policy: &policy.inner,
            cache: &policy.cache,
            limits: default_limits(),
        };
        let options = Options::default();
        load_slice(py, bytes, rules, &options, counted)
            .map_err(|refusal| counted.raise(|py| errors::raise(py, *refusal, None)))
    }
}

/// The first call of all, and data that is not bytes.
#[cold]
#[inline(never)]
fn load_rarely<'py>(
    data: Borrowed<'_, 'py, PyAny>,
    counted: ffi::Counted,
) -> Result<Bound<'py, PyAny>, ffi::Raised> {
    let load = || {
        let policy = default_policy(data.py())?;
        load_buffer(&data, policy.get(), default_limits(), &Options::default())
    };
    let loaded = counted.run(load);
    loaded.map_err(|error| counted.raise(|_| error))
}

/// The limits of a load that names none.
fn default_limits() -> &'static budget::Limits {
    static DEFAULT: LazyLock<budget::Limits> = LazyLock::new(budget::Limits::default);
    &DEFAULT
}

/// Loads one pickle from a file, whose state an `Unpickler` keeps between calls.
pub fn load_with<'py>(
    file: &Rc<RefCell<File<'py>>>,
    buffer: &mut Vec<u8>,
    memo: &mut Memo<ffi::Value>,
    call: &Call<'py>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = call.policy.py();
    let policy = call.policy.get();
    let rules = Rules {
        policy: &policy.inner,
        cache: &policy.cache,
        limits: call.limits(),
    };
    load_file(py, file, buffer, memo, rules, &call.options()?).map_err(|refusal| {
        if policy.inner.is_unrestricted() {
            return errors::raise_free(py, refusal);
        }
        let name = file.borrow().name();
        errors::raise(py, refusal, name.as_deref())
    })
}

/// Loads one pickle from a Python file object.
pub fn load_once<'py>(file: &Bound<'py, PyAny>, call: &Call<'py>) -> PyResult<Bound<'py, PyAny>> {
    let file = Rc::new(RefCell::new(File::new(file, true)?));
    load_with(&file, &mut Vec::new(), &mut Memo::default(), call)
}

#[allow(clippy::too_many_arguments)]
fn call<'py>(
    py: Python<'py>,
    policy: Option<Bound<'py, PyPolicy>>,
    allow: Option<Bound<'py, PyAny>>,
    limits: Option<&Limits>,
    strict: bool,
    fix_imports: bool,
    encoding: &str,
    errors: &str,
    buffers: Option<Bound<'py, PyAny>>,
    persistent_load: Option<Bound<'py, PyAny>>,
) -> PyResult<Call<'py>> {
    let policy = match allow {
        Some(allow) if !is_empty_tuple(&allow) => with_allow(py, policy.as_ref(), &allow)?,
        _ => policy.map_or_else(|| default_policy(py), Ok)?,
    };
    Ok(Call {
        limits: limits.map(|limits| limits.inner.clone()),
        strict,
        fix_imports,
        encoding: encoding_of(encoding, errors),
        buffers,
        persistent_load: check_callable(persistent_load)?,
        ..Call::under(policy)
    })
}

fn is_empty_tuple(allow: &Bound<'_, PyAny>) -> bool {
    allow.is_none()
        || allow
            .cast::<pyo3::types::PyTuple>()
            .is_ok_and(pyo3::types::PyTupleMethods::is_empty)
}

fn check_callable(load: Option<Bound<'_, PyAny>>) -> PyResult<Option<Bound<'_, PyAny>>> {
    match load {
        Some(load) if !load.is_none() && !load.is_callable() => Err(PyTypeError::new_err(
            "persistent_load must be callable or None",
        )),
        load => Ok(load),
    }
}

/// Load a pickle from bytes, under a policy.
///
/// Drop-in for :func:`pickle.loads`: nothing outside the policy is imported, called or changed, and
/// the cost is linear in the size of the data.
///
/// Parameters
/// ----------
/// data : bytes-like
///     The pickle. Bytes after its STOP opcode are ignored, unless `strict`.
/// policy : Policy, optional
///     Who may do what; the default is ``Policy(base="std")``.
/// allow : iterable of class, function, str or Allow
///     Names to allow besides those of `policy`.
/// limits : Limits, optional
///     What the load may cost.
/// strict : bool
///     Refuse values left on the stack at STOP, and bytes after it.
/// fix_imports, encoding, errors, buffers
///     As for :func:`pickle.loads`.
/// persistent_load : callable, optional
///     Called with each persistent id; what it returns is never built, filled or called.
///
/// Returns
/// -------
/// object
///     What :func:`pickle.loads` would have returned.
///
/// Raises
/// ------
/// ForbiddenGlobalError
///     If the pickle names anything outside the policy; nothing was imported, called or built.
/// ForbiddenCallError
///     If it uses an allowed name beyond its capability or contract.
/// LimitExceededError
///     If it costs more than the limits.
/// MalformedPickleError
///     If it is not a pickle. All four are :class:`pickle.UnpicklingError`.
#[pyfunction]
#[pyo3(signature = (data, /, *, policy=None, allow=None, limits=None, strict=false, fix_imports=true, encoding="ASCII", errors="strict", buffers=None, persistent_load=None),
       text_signature = "(data, /, *, policy=None, allow=(), limits=None, strict=False, fix_imports=True, encoding='ASCII', errors='strict', buffers=None, persistent_load=None)")]
#[allow(clippy::too_many_arguments)]
pub fn safe_loads<'py>(
    data: &Bound<'py, PyAny>,
    policy: Option<Bound<'py, PyPolicy>>,
    allow: Option<Bound<'py, PyAny>>,
    limits: Option<&Limits>,
    strict: bool,
    fix_imports: bool,
    encoding: &str,
    errors: &str,
    buffers: Option<Bound<'py, PyAny>>,
    persistent_load: Option<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = data.py();
    if let (None, None, None, None, None) = (&policy, &allow, limits, &buffers, &persistent_load) {
        let options = Options {
            fix_imports,
            encoding: encoding_of(encoding, errors),
            strict,
            ..Options::default()
        };
        return load_buffer(data, default_policy(py)?.get(), default_limits(), &options);
    }
    let call = call(
        py,
        policy,
        allow,
        limits,
        strict,
        fix_imports,
        encoding,
        errors,
        buffers,
        persistent_load,
    )?;
    loads_with(data, &call)
}

/// Load one pickle from a file, under a policy.
///
/// As :func:`safe_loads`, and as :func:`pickle.load`: the file needs ``read`` and ``readline``, may have ``peek``, and is
/// never read past the pickle's STOP opcode.
///
/// Parameters
/// ----------
/// file : file-like
///     A file open for reading bytes.
/// policy, allow, limits, strict, fix_imports, encoding, errors, buffers, persistent_load
///     As for :func:`safe_loads`.
///
/// Returns
/// -------
/// object
///     What :func:`pickle.load` would have returned.
#[pyfunction]
#[pyo3(signature = (file, /, *, policy=None, allow=None, limits=None, strict=false, fix_imports=true, encoding="ASCII", errors="strict", buffers=None, persistent_load=None),
       text_signature = "(file, /, *, policy=None, allow=(), limits=None, strict=False, fix_imports=True, encoding='ASCII', errors='strict', buffers=None, persistent_load=None)")]
#[allow(clippy::too_many_arguments)]
pub fn safe_load<'py>(
    file: &Bound<'py, PyAny>,
    policy: Option<Bound<'py, PyPolicy>>,
    allow: Option<Bound<'py, PyAny>>,
    limits: Option<&Limits>,
    strict: bool,
    fix_imports: bool,
    encoding: &str,
    errors: &str,
    buffers: Option<Bound<'py, PyAny>>,
    persistent_load: Option<Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = file.py();
    let call = call(
        py,
        policy,
        allow,
        limits,
        strict,
        fix_imports,
        encoding,
        errors,
        buffers,
        persistent_load,
    )?;
    load_once(file, &call)
}
