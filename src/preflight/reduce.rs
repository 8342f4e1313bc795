//! What `__reduce_ex__` may answer: the checks of `save_reduce`, in its order.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple};

use super::global::lookup;

/// The parts of a reduce value that a pickler goes on to save.
pub(super) struct Reduced<'py> {
    pub(super) call: Call<'py>,
    pub(super) state: Option<Bound<'py, PyAny>>,
    pub(super) list_items: Option<Bound<'py, PyAny>>,
    pub(super) dict_items: Option<Bound<'py, PyAny>>,
    pub(super) state_setter: Option<Bound<'py, PyAny>>,
}

/// How the object will be made again.
pub(super) enum Call<'py> {
    /// `callable(*args)`.
    Reduce(Bound<'py, PyAny>, Bound<'py, PyTuple>),
    /// `cls.__new__(cls, *args)`: the class, then the whole argument tuple.
    NewObj(Bound<'py, PyAny>, Bound<'py, PyTuple>),
    /// `cls.__new__(cls, *args, **kwargs)`.
    NewObjEx(Bound<'py, PyAny>, Bound<'py, PyTuple>, Bound<'py, PyDict>),
}

/// An answer that no pickler accepts, in words; or an exception on the way.
pub(super) enum Bad {
    Shape(String),
    Raised(PyErr),
}

impl From<PyErr> for Bad {
    fn from(error: PyErr) -> Self {
        Bad::Raised(error)
    }
}

fn shape<T>(text: String) -> Result<T, Bad> {
    Err(Bad::Shape(text))
}

/// The name of the type of `object`, by the type itself and not by what the
/// object says of itself.
pub(super) fn type_name(object: &Bound<'_, PyAny>) -> String {
    object.get_type().name().map_or_else(
        |_| "object".to_owned(),
        |name| name.to_string_lossy().into_owned(),
    )
}

fn callable_name(callable: &Bound<'_, PyAny>) -> PyResult<Option<String>> {
    let name = lookup(callable, intern!(callable.py(), "__name__"))?;
    Ok(name.and_then(|name| Some(name.cast::<PyString>().ok()?.to_string_lossy().into_owned())))
}

/// Take a reduce value apart, or say which element is not what it must be.
pub(super) fn take_apart<'py>(
    object: &Bound<'py, PyAny>,
    value: &Bound<'py, PyAny>,
    protocol: i32,
) -> Result<Reduced<'py>, Bad> {
    let Ok(value) = value.cast::<PyTuple>() else {
        return shape(format!(
            "__reduce__ must return a string or a tuple, not {}",
            type_name(value)
        ));
    };
    let count = value.len();
    if !(2..=6).contains(&count) {
        return shape(format!(
            "the tuple returned by __reduce__ must contain 2 through 6 elements, not {count}"
        ));
    }
    let part = |index: usize| -> Option<Bound<'py, PyAny>> {
        value.get_item(index).ok().filter(|part| !part.is_none())
    };
    let callable = value.get_item(0)?;
    if !callable.is_callable() {
        return shape(format!(
            "first element of the tuple returned by __reduce__ must be callable, not {}",
            type_name(&callable)
        ));
    }
    let arguments = value.get_item(1)?;
    let Ok(arguments) = arguments.cast_into::<PyTuple>() else {
        let found = type_name(&value.get_item(1)?);
        return shape(format!(
            "second element of the tuple returned by __reduce__ must be a tuple, not {found}"
        ));
    };
    let (state, list_items, dict_items, state_setter) = (part(2), part(3), part(4), part(5));
    for (items, what) in [(&list_items, "fourth"), (&dict_items, "fifth")] {
        if let Some(items) = items
            && !is_iterator(items)?
        {
            return shape(format!(
                "{what} element of the tuple returned by __reduce__ must be an iterator, not {}",
                type_name(items)
            ));
        }
    }
    if let Some(setter) = &state_setter
        && !setter.is_callable()
    {
        return shape(format!(
            "sixth element of the tuple returned by __reduce__ must be a function, not {}",
            type_name(setter)
        ));
    }
    Ok(Reduced {
        call: call(object, callable, arguments, protocol)?,
        state,
        list_items,
        dict_items,
        state_setter,
    })
}

fn is_iterator(object: &Bound<'_, PyAny>) -> PyResult<bool> {
    // `PyIter_Check`: the slot of the type, which a class fills by defining `__next__`.
    let class = object.get_type();
    for base in class.mro() {
        let names = base.getattr(intern!(object.py(), "__dict__"))?;
        if names.contains(intern!(object.py(), "__next__"))? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn call<'py>(
    object: &Bound<'py, PyAny>,
    callable: Bound<'py, PyAny>,
    arguments: Bound<'py, PyTuple>,
    protocol: i32,
) -> Result<Call<'py>, Bad> {
    let name = if protocol >= 2 {
        callable_name(&callable)?
    } else {
        None
    };
    match name.as_deref() {
        Some("__newobj_ex__") => newobj_ex(object, &arguments),
        Some("__newobj__") => newobj(object, arguments),
        _ => Ok(Call::Reduce(callable, arguments)),
    }
}

fn own_class(object: &Bound<'_, PyAny>, class: &Bound<'_, PyAny>) -> PyResult<bool> {
    let own = lookup(object, intern!(object.py(), "__class__"))?;
    Ok(own.is_none_or(|own| own.is(class)))
}

fn newobj<'py>(
    object: &Bound<'py, PyAny>,
    arguments: Bound<'py, PyTuple>,
) -> Result<Call<'py>, Bad> {
    let Ok(class) = arguments.get_item(0) else {
        return shape("__newobj__ arglist is empty".to_owned());
    };
    if lookup(&class, intern!(object.py(), "__new__"))?.is_none() {
        return shape("first argument from __newobj__ args has no __new__".to_owned());
    }
    if !own_class(object, &class)? {
        return shape("first argument from __newobj__ args has the wrong class".to_owned());
    }
    Ok(Call::NewObj(class, arguments))
}

/// Below protocol 4 the pickler writes a `partial` with the same parts.
fn newobj_ex<'py>(
    object: &Bound<'py, PyAny>,
    arguments: &Bound<'py, PyTuple>,
) -> Result<Call<'py>, Bad> {
    if arguments.len() != 3 {
        return shape(format!(
            "length of the __newobj_ex__ argument tuple must be 3, not {}",
            arguments.len()
        ));
    }
    let (class, positional, keywords) = (
        arguments.get_item(0)?,
        arguments.get_item(1)?,
        arguments.get_item(2)?,
    );
    if lookup(&class, intern!(object.py(), "__new__"))?.is_none() {
        return shape("first argument from __newobj_ex__ args has no __new__".to_owned());
    }
    if !own_class(object, &class)? {
        return shape("first argument from __newobj_ex__ args has the wrong class".to_owned());
    }
    let Ok(positional) = positional.cast_into::<PyTuple>() else {
        return shape("second argument from __newobj_ex__ args must be a tuple".to_owned());
    };
    let Ok(keywords) = keywords.cast_into::<PyDict>() else {
        return shape("third argument from __newobj_ex__ args must be a dict".to_owned());
    };
    Ok(Call::NewObjEx(class, positional, keywords))
}
