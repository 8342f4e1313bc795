//! How the policy sees Python objects: by exact type, and by what this stream made of them.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyByteArray, PyBytes, PyComplex, PyDelta, PyDeltaAccess, PyDict, PyFloat, PyFrozenSet,
    PyInt, PyList, PySet, PyString, PyTuple, PyType,
};

use super::ffi::{self, Tag, Value, Whole};
use super::{PyWorld, Symbol};
use crate::inspect::Seed;
use crate::policy::numpy::{Known, Numeric};
use crate::policy::{EntryId, Form, Look, Meaning, View};

/// The hash of an address, for tables of classes: no stream chooses where a class of the policy lies, and the keyed
/// default takes a hundred instructions more, at every call.
#[derive(Debug, Default, Clone, Copy)]
pub struct AddressHash(u64);

impl Hasher for AddressHash {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_usize(usize::from(*byte));
        }
    }

    fn write_usize(&mut self, address: usize) {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
        let mixed = (self.0 ^ address as u64).wrapping_mul(ODD);
        // A table goes by the low bits and the highest seven.
        self.0 = mixed ^ mixed >> 32;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// A table from addresses.
pub type AddressMap<V> = HashMap<usize, V, BuildHasherDefault<AddressHash>>;

impl Look for PyWorld<'_, '_> {
    type Value = Value;

    #[inline]
    fn form(&self, value: &Value) -> Form {
        match value.tag() {
            Tag::Global => Form::Global,
            Tag::Made | Tag::Fresh => Form::Made,
            Tag::External => Form::Other,
            Tag::Symbol => self.view(value).form(),
            Tag::List => Form::List,
            Tag::Dict => Form::Dict,
            Tag::Set => Form::Set,
            Tag::Plain | Tag::Free => form_of(value.bound(self.py)),
        }
    }

    fn view<'v>(&'v self, value: &'v Value) -> View<'v> {
        match value.tag() {
            Tag::Global => View::Global(EntryId(value.entry())),
            Tag::Made | Tag::Fresh => View::Made(EntryId(value.entry())),
            Tag::External => View::External,
            Tag::Symbol => match self.desk.symbols.get(value.entry() as usize) {
                Some(Symbol::Args(items)) => View::Tuple(items.len()),
                Some(Symbol::Constructor(id)) => View::Constructor(*id),
                Some(Symbol::Partial(id) | Symbol::PartialNew(id, ..)) => View::Made(*id),
                None => View::Other,
            },
            _ => view_object(value.bound(self.py)),
        }
    }

    fn item(&self, value: &Value, index: usize) -> Option<Value> {
        if value.tag() == Tag::Symbol {
            return match self.desk.symbols.get(value.entry() as usize)? {
                Symbol::Args(items) => items.get(index).cloned(),
                _ => None,
            };
        }
        let object = value.bound(self.py);
        let item = if let Ok(tuple) = object.cast_exact::<PyTuple>() {
            tuple.get_item(index).ok()?
        } else {
            object.cast_exact::<PyList>().ok()?.get_item(index).ok()?
        };
        Some(self.classify(item))
    }

    fn pairs(&self, value: &Value) -> Vec<(Value, Value)> {
        if !value.has_object() {
            return Vec::new();
        }
        match value.bound(self.py).cast_exact::<PyDict>() {
            Ok(dict) => dict
                .iter()
                .map(|(key, value)| (self.classify(key), self.classify(value)))
                .collect(),
            Err(_) => Vec::new(),
        }
    }

    fn all(&self, value: &Value, test: &mut dyn FnMut(View<'_>) -> bool) -> bool {
        if let Some(Symbol::Args(items)) = self.symbol_of(value) {
            return items.iter().all(|item| test(self.view(item)));
        }
        if !value.has_object() {
            return false;
        }
        let object = value.bound(self.py);
        let mut holds = |item: Bound<'_, PyAny>| {
            let item = self.classify(item);
            test(self.view(&item))
        };
        if let Ok(tuple) = object.cast_exact::<PyTuple>() {
            tuple.iter().all(&mut holds)
        } else if let Ok(list) = object.cast_exact::<PyList>() {
            list.iter().all(&mut holds)
        } else if let Ok(set) = object.cast_exact::<PySet>() {
            set.iter().all(&mut holds)
        } else if let Ok(set) = object.cast_exact::<PyFrozenSet>() {
            set.iter().all(&mut holds)
        } else if let Ok(dict) = object.cast_exact::<PyDict>() {
            dict.iter().all(|(key, value)| holds(key) && holds(value))
        } else {
            false
        }
    }

    fn all_forms(&self, value: &Value, test: &mut dyn FnMut(Form) -> bool) -> bool {
        if value.has_object()
            && let Ok(tuple) = value.bound(self.py).cast_exact::<PyTuple>()
        {
            return tuple.iter_borrowed().all(|item| {
                test(match plain_form(&item) {
                    Some(form) => form,
                    None => self.form(&self.classify(item.to_owned())),
                })
            });
        }
        self.all(value, &mut |view| test(view.form()))
    }

    fn timedelta(&self, value: &Value) -> Option<(i32, i32, i32)> {
        if !value.has_object() {
            return None;
        }
        let delta = value.bound(self.py).cast_exact::<PyDelta>().ok()?;
        Some((
            delta.get_days(),
            delta.get_seconds(),
            delta.get_microseconds(),
        ))
    }

    fn known(&self, value: &Value) -> Option<Known> {
        self.known_of(value)
    }

    fn octets<'v>(&'v self, value: &'v Value) -> Option<&'v [u8]> {
        match self.view(value) {
            View::Bytes(bytes) => Some(bytes),
            _ => ffi::bytearray_bytes(value),
        }
    }

    fn enum_value(&self, entry: EntryId, value: &Value) -> Option<bool> {
        let resolved = self.cache.get(self.py, entry)?;
        if !value.has_object() {
            return Some(false);
        }
        Some(super::native::enums::is_member(
            resolved.object.bind(self.py),
            value.bound(self.py),
        ))
    }

    fn enum_name(&self, entry: EntryId, name: &str) -> Option<bool> {
        let resolved = self.cache.get(self.py, entry)?;
        Some(super::native::enums::by_name(resolved.object.bind(self.py), name).is_some())
    }

    fn is_latin1(&self, value: &Value) -> bool {
        ffi::latin1_text(value).is_some()
    }

    fn u128(&self, value: &Value) -> Option<u128> {
        if !value.has_object() || !value.is_int() {
            return None;
        }
        value.bound(self.py).extract().ok()
    }
}

impl PyWorld<'_, '_> {
    /// An object found inside another, with the provenance that its type and identity give it.
    pub(super) fn classify(&self, object: Bound<'_, PyAny>) -> Value {
        if ffi::is_plain(&object) {
            return Value::plain(object);
        }
        if let Some(id) = self.entry_of_dtype(object.as_ptr() as usize) {
            return Value::new(object, Tag::Made, id.0);
        }
        if object.cast::<PyType>().is_ok() || object.is_callable() {
            if let Some(id) = self.cache.entry_at(object.as_ptr() as usize) {
                return Value::symbol(Tag::Global, id.0);
            }
            return Value::new(object, Tag::External, 0);
        }
        match self.entry_of_type(object.get_type_ptr() as usize) {
            Some(id) => Value::new(object, Tag::Made, id.0),
            None => Value::plain(object),
        }
    }

    /// The entry whose exact class that is. The native builtin types are values here: their instances are plain.
    pub(super) fn entry_of_type(&self, address: usize) -> Option<EntryId> {
        if self.desk.last_type.0 == address {
            return Some(self.desk.last_type.1);
        }
        let known = || {
            self.cache.entry_at(address).filter(|id| {
                let entry = self.policy.entry(*id);
                entry.meaning == Meaning::Object || &*entry.module != "builtins"
            })
        };
        self.desk.types.get(&address).copied().or_else(known)
    }

    /// A value of the memo, as the inspector may know it without the object.
    pub(super) fn seed(&self, value: &Value) -> Seed<'static> {
        match (value.tag(), self.view(value)) {
            (Tag::Global, _) => Seed::Global(EntryId(value.entry())),
            (Tag::Made | Tag::Fresh, _) => match self.known_of(value) {
                Some(Known::Dtype(dtype)) => Seed::Dtype(EntryId(value.entry()), dtype),
                _ => Seed::Made(EntryId(value.entry())),
            },
            (Tag::Plain, View::Str(text)) => constant(text).map_or(Seed::Other, Seed::Str),
            (Tag::Plain, View::Bytes(b"b")) => Seed::Bytes(b"b"),
            (Tag::List, _) => Seed::List,
            (Tag::Dict, _) => Seed::Dict,
            (Tag::Set, _) => Seed::Set,
            (Tag::Plain, View::Tuple(_)) => Seed::Tuple,
            (Tag::Plain, View::FrozenSet(_)) => Seed::FrozenSet,
            _ => Seed::Other,
        }
    }

    pub(super) fn symbol_of(&self, value: &Value) -> Option<&Symbol> {
        if value.tag() == Tag::Symbol {
            self.desk.symbols.get(value.entry() as usize)
        } else {
            None
        }
    }

    /// What a value is, for messages: its entry or its type, never its content.
    pub(super) fn describe(&self, value: &Value) -> String {
        match self.view(value) {
            View::Made(id) => format!("an instance of {}", self.policy.entry(id).path()),
            _ if value.has_object() => format!("a value of type {}", self.type_name(value)),
            view => view.describe(),
        }
    }

    /// The name of a value's type, as CPython's messages give it.
    pub(super) fn type_name(&self, value: &Value) -> String {
        if !value.has_object() {
            return self.view(value).describe();
        }
        let class = value.bound(self.py).get_type();
        class
            .name()
            .map_or_else(|_| "object".into(), |name| name.to_string())
    }
}

/// The text that contracts of numpy's ask for, which its pickles write once and fetch from then on.
fn constant(text: &str) -> Option<&'static str> {
    const ORDERS: [&str; 7] = ["b", "C", "F", "K", "<", ">", "|"];
    let codes = Numeric::all().map(Numeric::code);
    ORDERS.into_iter().chain(codes).find(|known| *known == text)
}

fn view_object<'v>(object: &'v Bound<'_, PyAny>) -> View<'v> {
    if let Ok(text) = object.cast_exact::<PyString>() {
        return text.to_str().map_or(View::SurrogateStr, View::Str);
    }
    if let Ok(int) = object.cast_exact::<PyInt>() {
        return view_int(int);
    }
    if let Ok(bytes) = object.cast_exact::<PyBytes>() {
        return View::Bytes(bytes.as_bytes());
    }
    if let Ok(tuple) = object.cast_exact::<PyTuple>() {
        return View::Tuple(tuple.len());
    }
    if let Ok(list) = object.cast_exact::<PyList>() {
        return View::List(list.len());
    }
    if let Ok(dict) = object.cast_exact::<PyDict>() {
        return View::Dict(dict.len());
    }
    if object.is_none() {
        return View::None;
    }
    if let Ok(value) = object.cast_exact::<PyBool>() {
        return View::Bool(value.is_true());
    }
    if let Ok(value) = object.cast_exact::<PyFloat>() {
        return View::Float(value.value());
    }
    if let Ok(set) = object.cast_exact::<PySet>() {
        return View::Set(set.len());
    }
    if let Ok(set) = object.cast_exact::<PyFrozenSet>() {
        return View::FrozenSet(set.len());
    }
    if let Ok(array) = object.cast_exact::<PyByteArray>() {
        return View::ByteArray(array.len());
    }
    if object.is_exact_instance_of::<PyComplex>() {
        View::Complex
    } else {
        View::Other
    }
}

/// The form of [`view_object`]: the type alone, no text decoded and no digit counted.
fn form_of(object: &Bound<'_, PyAny>) -> Form {
    plain_form(object).unwrap_or_else(|| view_object(object).form())
}

/// The form of what arguments mostly are.
#[inline]
fn plain_form(object: &Bound<'_, PyAny>) -> Option<Form> {
    Some(if object.is_exact_instance_of::<PyString>() {
        Form::Str
    } else if object.is_exact_instance_of::<PyInt>() {
        Form::Int
    } else if object.is_exact_instance_of::<PyBytes>() {
        Form::Bytes
    } else if object.is_exact_instance_of::<PyTuple>() {
        Form::Tuple
    } else if object.is_none() {
        Form::None
    } else {
        return None;
    })
}

fn view_int(int: &Bound<'_, PyInt>) -> View<'static> {
    match ffi::whole(int) {
        Whole::Small(value) => View::Int(value),
        Whole::Big { bits, negative } => View::BigInt { bits, negative },
    }
}
