//! The short way into the module: a function called with one argument and no keyword, past PyO3's wrapper.
//!
//! PyO3 counts attachment, sorts eleven arguments out and converts each: a quarter of a small load. Where there is one
//! argument, none of that says anything. All other calls go to the wrapper, which knows the signature and its errors.

use std::ffi::CString;
use std::panic::{AssertUnwindSafe, catch_unwind};

use pyo3::Borrowed;
use pyo3::ffi::{self, PyObject};
use pyo3::panic::PanicException;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyCFunction;

use crate::load::run::Within;

/// What a function does with one argument.
pub trait Door {
    /// Where the function as PyO3 made it is kept.
    fn wrapper() -> &'static PyOnceLock<Py<PyCFunction>>;

    /// The result. PyO3 does not know that the thread is attached: what it keeps count of, such as an exception, is only
    /// to be dropped within `counted`.
    fn call<'py>(
        argument: Borrowed<'_, 'py, PyAny>,
        counted: Counted,
    ) -> Result<Bound<'py, PyAny>, Raised>;
}

/// Has PyO3 know that the thread is attached, for a while.
#[derive(Clone, Copy)]
pub struct Counted(());

impl Within for Counted {
    #[inline(always)]
    fn run<T>(self, load: impl FnOnce() -> T) -> T {
        attached(|_| load())
    }
}

/// The interpreter has been told of an exception.
pub struct Raised(());

impl Counted {
    /// Tells the interpreter of an exception.
    #[cold]
    pub fn raise(self, error: impl FnOnce(Python<'_>) -> PyErr) -> Raised {
        attached(|py| error(py).restore(py));
        Raised(())
    }
}

#[inline(always)]
fn attached<T>(run: impl FnOnce(Python<'_>) -> T) -> T {
    if ends() {
        // SAFETY: the interpreter calls attached, and this is within the call.
        return run(unsafe { Python::assume_attached() });
    }
    Python::attach(run)
}

/// Whether the interpreter is ending. PyO3 panics then, rather than attach: what a finalizer still loads goes uncounted,
/// and what that drops is put off for good.
#[inline(always)]
fn ends() -> bool {
    #[cfg(Py_3_13)]
    // SAFETY: may be asked at any time.
    if unsafe { ffi::Py_IsFinalizing() } != 0 {
        return true;
    }
    // SAFETY: as above.
    unsafe { ffi::Py_IsInitialized() == 0 }
}

/// The function of the module of that name, with a door in front of it: name, manual and signature are the same.
pub fn with_door<'py, D: Door>(
    module: &Bound<'py, PyModule>,
    name: &str,
) -> PyResult<Bound<'py, PyAny>> {
    let py = module.py();
    let wrapper = module.getattr(name)?.cast_into::<PyCFunction>()?;
    let signature: String = wrapper.getattr("__text_signature__")?.extract()?;
    let manual: String = wrapper.getattr("__doc__")?.extract()?;
    let manual = CString::new(format!("{name}{signature}\n--\n\n{manual}"))?;
    let definition = ffi::PyMethodDef {
        ml_name: CString::new(name)?.into_raw(),
        ml_meth: ffi::PyMethodDefPointer {
            PyCFunctionFastWithKeywords: door::<D>,
        },
        ml_flags: ffi::METH_FASTCALL | ffi::METH_KEYWORDS,
        ml_doc: manual.into_raw(),
    };
    // The interpreter keeps the definition for as long as the function, which is for good.
    let definition = Box::leak(Box::new(definition));
    let title = wrapper.getattr("__module__")?;
    D::wrapper().get_or_init(py, || wrapper.unbind());
    // SAFETY: a whole definition that is never freed, a module, and the name of one.
    let function = unsafe { ffi::PyCFunction_NewEx(definition, module.as_ptr(), title.as_ptr()) };
    // SAFETY: an owned reference, or null with an error.
    unsafe { Bound::from_owned_ptr_or_err(py, function) }
}

/// # Safety
/// Called by the interpreter, as `METH_FASTCALL | METH_KEYWORDS` says.
unsafe extern "C" fn door<D: Door>(
    _module: *mut PyObject,
    arguments: *const *mut PyObject,
    count: ffi::Py_ssize_t,
    names: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: the interpreter calls attached.
    let py = unsafe { Python::assume_attached() };
    if count != 1 || !names.is_null() {
        let Some(wrapper) = D::wrapper().get(py) else {
            return std::ptr::null_mut();
        };
        // SAFETY: the arguments of this call, handed on.
        return unsafe {
            ffi::PyObject_Vectorcall(wrapper.as_ptr(), arguments, count.unsigned_abs(), names)
        };
    }
    // SAFETY: there is one.
    let argument = unsafe { arguments.read() };
    // SAFETY: an object that the caller keeps alive until this returns.
    let argument = unsafe { Borrowed::from_ptr(py, argument) };
    let called = catch_unwind(AssertUnwindSafe(|| D::call(argument, Counted(()))));
    match called {
        Ok(Ok(value)) => value.into_ptr(),
        Ok(Err(Raised(()))) => std::ptr::null_mut(),
        Err(payload) => panicked(py, &*payload),
    }
}

/// A panic is an exception, as PyO3 has it.
#[cold]
fn panicked(py: Python<'_>, payload: &(dyn std::any::Any + Send)) -> *mut PyObject {
    let said = match (
        payload.downcast_ref::<String>(),
        payload.downcast_ref::<&str>(),
    ) {
        (Some(text), _) => text.as_str(),
        (_, Some(text)) => text,
        _ => "panic from Rust code",
    };
    PanicException::new_err((said.to_owned(),)).restore(py);
    std::ptr::null_mut()
}
