//! `Policy.unrestricted()`, and what a subclass's `find_class` found: everything as `pickle` does it.
//!
//! No permission is asked here, because none was wanted; every sentence and every order of events is the C unpickler's.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList, PyMemoryView, PyString, PyTuple, PyType};

use super::ffi::{self, Survey, Tag, Value};
use super::{Fault, PyWorld};
use crate::error::Kind;
use crate::machine::world::{Done, Made, Site};

impl<'py> PyWorld<'_, 'py> {
    /// `find_class` of the subclass, or `pickle`'s own.
    pub(super) fn find_free(&mut self, site: Site, module: &str, name: &str) -> Made<Self> {
        let key = (module.to_owned(), name.to_owned());
        if self.options.find_class.is_none()
            && let Some(found) = self.desk.found.get(&key)
        {
            return Ok(found.share());
        }
        let (module, name) = (PyString::new(self.py, module), PyString::new(self.py, name));
        let value = self.find_raw(site, module.into_any(), name.into_any())?;
        if self.options.find_class.is_none() {
            self.desk.found.insert(key, value.share());
        }
        Ok(value)
    }

    /// As [`Self::find_free`], for names that are no UTF-8.
    pub(super) fn find_raw(
        &mut self,
        site: Site,
        module: Bound<'py, PyAny>,
        name: Bound<'py, PyAny>,
    ) -> Made<Self> {
        let Some(find_class) = &self.options.find_class else {
            let object = pickles_find_class(
                self.py,
                site.protocol,
                self.options.fix_imports,
                &module,
                &name,
            )?;
            return Ok(Value::new(object, Tag::Free, 0));
        };
        if let Some(protocol) = &self.options.protocol {
            protocol.store(site.protocol, std::sync::atomic::Ordering::Relaxed);
        }
        let object = find_class.call1((module, name))?;
        // What `super().find_class()` gave is the policy's, and stays under its contracts.
        match self.cache.entry_at(object.as_ptr() as usize) {
            Some(id) if !self.free => Ok(Value::symbol(Tag::Global, id.0)),
            _ => Ok(Value::new(object, Tag::Free, 0)),
        }
    }

    /// The process's extension registry, without its cache.
    pub(super) fn find_extension_free(&mut self, site: Site, code: u32) -> Made<Self> {
        let registry = self.py.import("copyreg")?.getattr("_inverted_registry")?;
        let registry = registry.cast::<PyDict>().map_err(PyErr::from)?;
        let pair = match registry.get_item(code)? {
            Some(pair) if pair.is_truthy()? => pair,
            _ => return Err(Kind::UnregisteredExtension(code).into()),
        };
        match pair.cast::<PyTuple>() {
            Ok(names) if names.len() == 2 => {
                self.find_raw(site, names.get_item(0)?, names.get_item(1)?)
            }
            _ => Err(Kind::BadValue(format!(
                "_inverted_registry[{code}] isn't a 2-tuple of strings"
            ))
            .into()),
        }
    }

    pub(super) fn call_free(&mut self, callable: &Value, args: &Value) -> Made<Self> {
        if !args.has_object() {
            return Err(Kind::BadType("argument list must be a tuple".into()).into());
        }
        let args = args
            .bound(self.py)
            .cast::<PyTuple>()
            .map_err(|_| PyTypeError::new_err("argument list must be a tuple"))?;
        Ok(Value::new(
            callable.bound(self.py).call1(args)?,
            Tag::Free,
            0,
        ))
    }

    pub(super) fn new_free(
        &mut self,
        class: &Value,
        args: &Value,
        kwargs: Option<&Value>,
        opcode: &str,
    ) -> Made<Self> {
        let name = |object: &Bound<'py, PyAny>| {
            object
                .get_type()
                .name()
                .map_or_else(|_| "object".into(), |name| name.to_string())
        };
        let args = args.bound(self.py);
        if args.cast::<PyTuple>().is_err() {
            return Err(Kind::BadOperand(format!(
                "{opcode} expected an arg tuple, got {}",
                name(args)
            ))
            .into());
        }
        let kwargs = match kwargs.map(|kwargs| kwargs.bound(self.py)) {
            Some(kwargs) if kwargs.cast::<PyDict>().is_err() => {
                let got = name(kwargs);
                return Err(Kind::BadOperand(format!(
                    "{opcode} kwargs argument must be a dict, not {got}"
                ))
                .into());
            }
            kwargs => kwargs,
        };
        let object = class.bound(self.py);
        let Ok(kind) = object.cast::<PyType>() else {
            return Err(Kind::BadOperand(format!(
                "{opcode} class argument must be a type, not {}",
                name(object)
            ))
            .into());
        };
        Ok(Value::new(
            ffi::new_object(kind, args, kwargs)?,
            Tag::Free,
            0,
        ))
    }

    pub(super) fn instantiate_free(&mut self, class: &Value, args: &mut [Value]) -> Made<Self> {
        let object = class.bound(self.py).clone();
        if args.is_empty()
            && object.cast::<PyType>().is_ok()
            && object
                .getattr_opt(pyo3::intern!(self.py, "__getinitargs__"))?
                .is_none()
        {
            return Ok(Value::new(
                object.call_method1(pyo3::intern!(self.py, "__new__"), (&object,))?,
                Tag::Free,
                0,
            ));
        }
        let args = ffi::tuple(self.py, args, Survey::of(args))?;
        self.call_free(class, &args)
    }

    pub(super) fn build_free(&mut self, object: &Value, state: &Value) -> Done<Self> {
        let (instance, state) = (object.bound(self.py), state.bound(self.py));
        if let Some(setstate) = instance.getattr_opt(pyo3::intern!(self.py, "__setstate__"))? {
            setstate.call1((state,))?;
            return Ok(());
        }
        let (state, slots) = match state.cast::<PyTuple>() {
            Ok(pair) if pair.len() == 2 => (pair.get_item(0)?, Some(pair.get_item(1)?)),
            _ => (state.clone(), None),
        };
        if !state.is_none() {
            let state = state.cast::<PyDict>().map_err(|_| Kind::StateNotDict)?;
            let attributes = instance.getattr(pyo3::intern!(self.py, "__dict__"))?;
            for (key, value) in state {
                let mut key = Value::plain(key);
                ffi::intern(&mut key);
                attributes.set_item(key.bound(self.py), value)?;
            }
        }
        if let Some(slots) = slots.filter(|slots| !slots.is_none()) {
            let slots = slots.cast::<PyDict>().map_err(|_| Kind::SlotStateNotDict)?;
            for (key, value) in slots {
                set_any_attribute(instance, &key, &value)?;
            }
        }
        Ok(())
    }

    // ---- persistent ids and buffers: the caller's own objects, under any policy --------------------------------

    /// PERSID, BINPERSID.
    pub(super) fn load_persistent(&mut self, _site: Site, mut id: Value) -> Made<Self> {
        self.ensure_handler_checked()?;
        self.materialize(&mut id)?;
        match &self.options.persistent_load {
            Some(load) => Ok(Value::new(
                load.call1((id.bound(self.py),))?,
                self.foreign(),
                0,
            )),
            None => Err(Kind::NoPersistentLoad.into()),
        }
    }

    /// The caller's handler is Python code too.
    fn ensure_handler_checked(&mut self) -> Done<Self> {
        if self.options.persistent_load.is_some() {
            self.ensure_checked()
        } else {
            Ok(())
        }
    }

    fn foreign(&self) -> Tag {
        if self.free { Tag::Free } else { Tag::External }
    }

    /// NEXT_BUFFER.
    pub(super) fn take_buffer(&mut self) -> Made<Self> {
        let Some(buffers) = &self.options.buffers else {
            return Err(Kind::NoBuffers.into());
        };
        let iterator = buffers
            .cast::<pyo3::types::PyIterator>()
            .map_err(PyErr::from)?;
        match iterator.clone().next() {
            Some(buffer) => Ok(Value::new(buffer?, self.foreign(), 0)),
            None => Err(Kind::BuffersExhausted.into()),
        }
    }

    /// READONLY_BUFFER.
    pub(super) fn make_readonly(&mut self, buffer: Value) -> Made<Self> {
        if !self.free && !matches!(buffer.tag(), Tag::External | Tag::Free) || !buffer.has_object()
        {
            return Err(Kind::BadType(
                "READONLY_BUFFER on a value that is no out-of-band buffer: it must follow NEXT_BUFFER".into(),
            )
            .into());
        }
        let view = PyMemoryView::from(buffer.bound(self.py))?;
        if view.getattr("readonly")?.is_truthy()? {
            return Ok(buffer);
        }
        Ok(Value::new(
            view.call_method0("toreadonly")?,
            self.foreign(),
            0,
        ))
    }

    /// An instance that is nothing until BUILD may not be used before it.
    pub(super) fn require_built(&mut self, value: &mut Value) -> Done<Self> {
        if !value.has_object() {
            return self.make_unfilled(value);
        }
        let name = pyo3::intern!(self.py, "int");
        if ffi::generic_get(value.bound(self.py), name.as_any()).is_ok() {
            value.set_symbolic(false);
            return Ok(());
        }
        Err(Kind::BadTarget(format!(
            "{} is used before BUILD gave it its state, and must have one",
            self.describe(value)
        ))
        .into())
    }
}

/// APPENDS on anything but an exact list: `extend` where there is one, `append` item by item otherwise.
pub(super) fn extend(target: &Bound<'_, PyAny>, items: &Bound<'_, PyList>) -> Result<(), Fault> {
    if let Some(extend) = target.getattr_opt(pyo3::intern!(target.py(), "extend"))? {
        extend.call1((items,))?;
        return Ok(());
    }
    let append = target.getattr(pyo3::intern!(target.py(), "append"))?;
    for item in items {
        append.call1((item,))?;
    }
    Ok(())
}

fn set_any_attribute(
    instance: &Bound<'_, PyAny>,
    key: &Bound<'_, PyAny>,
    value: &Bound<'_, PyAny>,
) -> PyResult<()> {
    match key.cast::<PyString>() {
        Ok(name) => instance.setattr(name, value),
        Err(_) => Err(PyTypeError::new_err("attribute name must be string")),
    }
}

/// The interpreter's own `find_class`, by its Python definition: renames, the audit event, dotted names and messages
/// are then this interpreter's.
pub(super) fn pickles_find_class<'py>(
    py: Python<'py>,
    protocol: u8,
    fix_imports: bool,
    module: &Bound<'py, PyAny>,
    name: &Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    static FIND: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let find = FIND.get_or_try_init(py, || {
        Ok::<_, PyErr>(
            py.import("pickle")?
                .getattr("_Unpickler")?
                .getattr("find_class")?
                .unbind(),
        )
    })?;
    let rules = PyDict::new(py);
    rules.set_item("proto", protocol)?;
    rules.set_item("fix_imports", fix_imports)?;
    let this = py
        .import("types")?
        .getattr("SimpleNamespace")?
        .call((), Some(&rules))?;
    find.bind(py).call1((this, module, name))
}
