//! What `allow=` takes, named: the exact pair under which pickles write a class or function. Owns the rule from
//! objects to names; imports nothing.

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyFunction, PyList, PyModule, PyString, PyTuple, PyType};

use crate::policy::{self, Policy, split_path};
use crate::python::errors::policy_error;

/// A name, and the object that it came from.
#[derive(Debug)]
pub struct Target {
    /// The module.
    pub module: String,
    /// The qualified name.
    pub name: String,
    /// The object, if the caller gave it and not its name.
    pub object: Option<Py<PyAny>>,
    /// Whether that object is what its name leads to; a local class is not.
    pub found: bool,
}

impl Target {
    /// Reads an item of `allow=`.
    pub fn of(item: &Bound<'_, PyAny>) -> PyResult<Self> {
        if let Ok(path) = item.cast::<PyString>() {
            let path = path.to_cow()?;
            let (module, name) = split_path(&path).map_err(|error| wrong(item.py(), &error))?;
            return Ok(Self {
                module: module.to_owned(),
                name: name.to_owned(),
                object: None,
                found: true,
            });
        }
        Self::named(item)
    }

    /// Reads a class or function.
    fn named(object: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = object.py();
        if object.is_instance_of::<PyModule>() {
            return Err(policy_error(
                py,
                "a module is no entry: Policy.from_module(module) lists the classes that it defines",
            ));
        }
        let Some((module, name)) = pair_of(object)? else {
            return Err(unfit(object)?);
        };
        let is_class = object.is_instance_of::<PyType>();
        let found = match find(py, &module, &name)? {
            // A method is made anew whenever it is looked up.
            Some(known) => known.is(object) || is_method(object)? && known.eq(object)?,
            None => false,
        };
        if !found && is_class && module == "builtins" {
            let reason = Policy::gadget("types", types_name(object)?.as_deref().unwrap_or(""))
                .unwrap_or("no pickle can name it");
            return Err(policy_error(
                py,
                &format!(
                    "{} cannot be allowed: builtins has no {name}, and {reason}; Allow.dangerously \
                     takes a name that can be imported",
                    object.repr()?
                ),
            ));
        }
        if !found && !is_class && !object.is_instance_of::<PyFunction>() {
            return Err(unfit(object)?);
        }
        Ok(Self {
            module,
            name,
            object: Some(object.clone().unbind()),
            found,
        })
    }

    /// The name in the form that `allow=` takes.
    pub fn path(&self) -> String {
        spelled(&self.module, &self.name)
    }

    /// The target again.
    #[must_use]
    pub fn clone_ref(&self, py: Python<'_>) -> Self {
        Self {
            module: self.module.clone(),
            name: self.name.clone(),
            object: self.object.as_ref().map(|object| object.clone_ref(py)),
            found: self.found,
        }
    }

    /// Whether both name the same thing.
    pub fn is(&self, other: &Self) -> bool {
        let objects = match (&self.object, &other.object) {
            // Found under one name, they are one: a method is made anew whenever it is looked up.
            (Some(a), Some(b)) => a.is(b) || self.found && other.found,
            (Some(_), None) => self.found,
            (None, Some(_)) => other.found,
            (None, None) => true,
        };
        objects && self.module == other.module && self.name == other.name
    }

    /// The object if there is one, else its name: what to give to `Allow` again.
    pub fn to_python(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        match &self.object {
            Some(object) if self.found => Ok(object.clone_ref(py)),
            Some(_) => Err(policy_error(
                py,
                &format!(
                    "{} cannot be pickled: the class or function exists in this process only, its \
                     name leads nowhere; define it at the top of a module",
                    self.path()
                ),
            )),
            None => Ok(PyString::new(py, &self.path()).into_any().unbind()),
        }
    }
}

/// A name in the form that `allow=` takes.
pub fn spelled(module: &str, name: &str) -> String {
    let separator = if name.contains('.') { ':' } else { '.' };
    format!("{module}{separator}{name}")
}

/// The policy room's errors as Python's.
pub fn wrong(py: Python<'_>, error: &policy::PolicyError) -> PyErr {
    policy_error(py, &error.to_string())
}

/// The items of `allow=`.
pub fn items<'py>(allow: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, PyAny>>> {
    if let Ok(items) = allow.cast_exact::<PyTuple>() {
        return Ok(items.iter().collect());
    }
    if let Ok(items) = allow.cast_exact::<PyList>() {
        return Ok(items.iter().collect());
    }
    let single = allow.is_instance_of::<PyString>() || allow.is_instance_of::<PyType>();
    if single || allow.is_instance_of::<super::Allow>() {
        let shown = allow.repr()?;
        return Err(PyTypeError::new_err(format!(
            "allow= takes a list, as in allow=[{shown}]"
        )));
    }
    allow.try_iter()?.collect()
}

/// The object that a name leads to in the modules imported so far; nothing is imported or computed for it.
pub fn find<'py>(py: Python<'py>, module: &str, name: &str) -> PyResult<Option<Bound<'py, PyAny>>> {
    let modules = py
        .import("sys")?
        .getattr("modules")?
        .cast_into::<PyDict>()?;
    let Some(mut object) = modules.get_item(module)? else {
        return Ok(None);
    };
    for part in name.split('.') {
        let next = if object.is_instance_of::<PyType>() {
            object.getattr(part)
        } else {
            // Not `getattr`: a module's own `__getattr__` might import.
            object
                .getattr("__dict__")
                .and_then(|names| names.get_item(part))
        };
        let Ok(next) = next else { return Ok(None) };
        object = next;
    }
    Ok(Some(object))
}

/// The pair under which pickles name a class or function; `None` for anything else.
fn pair_of(object: &Bound<'_, PyAny>) -> PyResult<Option<(String, String)>> {
    let text = |object: &Bound<'_, PyAny>, attribute| {
        let value = object.getattr_opt(attribute)?;
        Ok::<_, PyErr>(value.and_then(|value| value.extract::<String>().ok()))
    };
    if !object.is_callable() {
        return Ok(None);
    }
    let owner = if is_method(object)? {
        object.getattr_opt("__self__")?
    } else {
        None
    };
    let owner = owner.filter(|owner| !owner.is_none() && !owner.is_instance_of::<PyModule>());
    let module = match &owner {
        Some(class) if class.is_instance_of::<PyType>() => text(class, "__module__")?,
        Some(_) => None,
        None => text(object, "__module__")?,
    };
    let name = match text(object, "__qualname__")? {
        Some(name) => Some(name),
        None => text(object, "__name__")?,
    };
    Ok(module.zip(name))
}

/// Whether it is bound to the object or class in its `__self__`.
fn is_method(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    let method = object.py().import("types")?.getattr("MethodType")?;
    Ok(object.is_instance_of::<PyCFunction>() || object.is_instance(&method)?)
}

/// The name in `types` of a type that is hidden in the interpreter.
fn types_name(object: &Bound<'_, PyAny>) -> PyResult<Option<String>> {
    let types = object.py().import("types")?.dict();
    for (name, value) in types {
        if value.is(object) {
            return name.extract().map(Some);
        }
    }
    Ok(None)
}

fn unfit(object: &Bound<'_, PyAny>) -> PyResult<PyErr> {
    let kind = object.get_type().name()?;
    Ok(PyTypeError::new_err(format!(
        "allow= takes classes, functions, names such as \"pkg.mod.Name\" or \"pkg.mod:Outer.Inner\", \
         and Allow(...), not {kind}"
    )))
}
