//! complex, Decimal, Fraction, UUID.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyComplex;

use super::super::PyWorld;
use super::super::ffi::{self, Value};
use crate::machine::world::{Done, Made};
use crate::policy::{EntryId, Look, Safe, View};

pub(super) fn complex(py: Python<'_>, re: f64, im: f64) -> Value {
    Value::plain(PyComplex::from_doubles(py, re, im).into_any())
}

impl PyWorld<'_, '_> {
    pub(super) fn decimal_number(&mut self, id: EntryId, text: &Value) -> Made<Self> {
        self.prepare(id)?;
        let object = self
            .class(id)?
            .call1((text.bound(self.py),))
            .map_err(|error| self.bad_value(error))?;
        Ok(self.made(object, id))
    }

    pub(super) fn fraction(
        &mut self,
        id: EntryId,
        numerator: &Value,
        denominator: &Value,
    ) -> Made<Self> {
        self.prepare(id)?;
        let class = self.class(id)?;
        let object = class.call1((numerator.bound(self.py), denominator.bound(self.py)));
        let object = object.map_err(|error| self.bad_value(error))?;
        Ok(self.made(object, id))
    }

    /// `"3"` or `"3/4"`, as picklers up to 3.10 wrote it: two ints, so that the text never meets the class's parser.
    pub(super) fn fraction_text(
        &mut self,
        id: EntryId,
        text: &Value,
        slash: Option<usize>,
    ) -> Made<Self> {
        let text = match self.view(text) {
            View::Str(text) => text.to_owned(),
            _ => String::new(),
        };
        let int = self.py.get_type::<pyo3::types::PyInt>();
        let number = |digits: &str| int.call1((digits,)).map(Value::plain);
        let (numerator, denominator) = match slash {
            Some(at) => (
                number(text.get(..at).unwrap_or_default()),
                number(text.get(at + 1..).unwrap_or_default()),
            ),
            None => (number(&text), number("1")),
        };
        let (numerator, denominator) = (
            numerator.map_err(|error| self.bad_value(error))?,
            denominator.map_err(|error| self.bad_value(error))?,
        );
        self.fraction(id, &numerator, &denominator)
    }

    /// Sets a UUID's two slots, past its `__setattr__`, which refuses everything. The int is the state's own.
    pub(super) fn set_uuid(&mut self, object: &Value, safe: Safe, state: &Value) -> Done<Self> {
        static UNKNOWN: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let py = self.py;
        let uuid = object.bound(py);
        let state = state.bound(py);
        let level = |name: &str| py.import("uuid")?.getattr("SafeUUID")?.getattr(name);
        let int = pyo3::intern!(py, "int");
        ffi::generic_set(uuid, int.as_any(), &state.get_item(int)?)?;
        let level = match safe {
            Safe::Unknown => {
                let unknown = || level("unknown").map(Bound::unbind);
                UNKNOWN.get_or_try_init(py, unknown)?.bind(py).clone()
            }
            Safe::Safe => level("safe")?,
            Safe::Unsafe => level("unsafe")?,
            Safe::Given => state.get_item(pyo3::intern!(py, "is_safe"))?,
        };
        ffi::generic_set(uuid, pyo3::intern!(py, "is_safe").as_any(), &level)?;
        Ok(())
    }
}
