//! The builtin containers and atoms, which a pickler saves by itself.

use pyo3::exceptions::PyBufferError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};

use super::stock::is_pickling_name;
use super::trail::{Edge, NodeId, Step};
use super::types::{TypeId, type_id};
use super::walk::{Task, Walker};

/// Text and bytes from here on get a node, so that their place can be named.
pub(super) const BIG_ATOM: usize = 1 << 16;
/// How deep a container of plain data may be to be weighed at once.
const LEAF_LEVELS: u8 = 8;

impl<'py> Walker<'py> {
    /// About how many bytes an atom takes; `None` for everything else.
    #[inline]
    pub(super) fn atom_bytes(&self, object: &Bound<'py, PyAny>, class: TypeId) -> Option<u64> {
        let types = &self.types;
        if class == types.string || class == types.bytes {
            return Some(object.len().unwrap_or(0) as u64 + 2);
        }
        if class == types.int {
            return Some(4);
        }
        if class == types.float {
            return Some(9);
        }
        (class == types.none || class == types.bool).then_some(1)
    }

    /// Weigh a child that is a small atom, or put it on the stack.
    #[inline]
    pub(super) fn child(
        &mut self,
        object: Bound<'py, PyAny>,
        node: NodeId,
        bytes: &mut u64,
        edge: impl FnOnce() -> Edge,
    ) {
        if self.skip_atoms {
            let weight = self.atom_bytes(&object, type_id(&object));
            let weight = weight.or_else(|| self.leaf(&object));
            if let Some(weight) = weight
                && weight < BIG_ATOM as u64
            {
                *bytes += weight;
                return;
            }
        }
        self.stack.push(Task::Visit(object, node, edge()));
    }

    #[inline]
    pub(super) fn leaf(&mut self, object: &Bound<'py, PyAny>) -> Option<u64> {
        self.leaves = 0;
        let bytes = self.leaf_bytes(object, LEAF_LEVELS)?;
        self.trail.leaves += self.leaves;
        Some(bytes)
    }

    /// The weight of a container that holds atoms and such containers, and that
    /// nothing else refers to: it needs neither a node nor a place in the memo.
    /// `levels` bounds the recursion, and what is weighed twice where the answer
    /// is `None` (2x on JSON-like data).
    pub(super) fn leaf_bytes(&mut self, object: &Bound<'py, PyAny>, levels: u8) -> Option<u64> {
        if levels == 0 || !unshared(object) {
            return None;
        }
        let class = type_id(object);
        let mut bytes = 4;
        if class == self.types.dict {
            for (key, value) in object.cast::<PyDict>().ok()? {
                bytes += self.atom_bytes(&key, type_id(&key))?;
                bytes += self.plain_bytes(&value, levels)?;
            }
        } else if class == self.types.list {
            for item in object.cast::<PyList>().ok()? {
                bytes += self.plain_bytes(&item, levels)?;
            }
        } else if class == self.types.tuple {
            for item in object.cast::<PyTuple>().ok()? {
                bytes += self.plain_bytes(&item, levels)?;
            }
        } else {
            return None;
        }
        self.leaves += 1;
        (bytes < BIG_ATOM as u64).then_some(bytes)
    }

    #[inline]
    pub(super) fn plain_bytes(&mut self, object: &Bound<'py, PyAny>, levels: u8) -> Option<u64> {
        match self.atom_bytes(object, type_id(object)) {
            Some(bytes) => Some(bytes),
            None => self.leaf_bytes(object, levels - 1),
        }
    }

    pub(super) fn list(&mut self, node: NodeId, list: &Bound<'py, PyList>) {
        let (start, mut bytes) = (self.stack.len(), 0);
        for (index, item) in list.iter().enumerate() {
            self.child(item, node, &mut bytes, || Edge::at(Step::Item, index));
        }
        self.stack[start..].reverse();
        self.weigh(node, bytes);
    }

    pub(super) fn tuple(&mut self, node: NodeId, tuple: &Bound<'py, PyTuple>, step: Step) {
        let (start, mut bytes) = (self.stack.len(), 0);
        for (index, item) in tuple.iter().enumerate() {
            self.child(item, node, &mut bytes, || Edge::at(step, index));
        }
        self.stack[start..].reverse();
        self.weigh(node, bytes);
    }

    pub(super) fn set(&mut self, node: NodeId, set: &Bound<'py, PyAny>) -> PyResult<()> {
        let (start, mut bytes) = (self.stack.len(), 0);
        for (index, item) in set.try_iter()?.enumerate() {
            self.child(item?, node, &mut bytes, || Edge::at(Step::Member, index));
        }
        self.stack[start..].reverse();
        self.weigh(node, bytes);
        Ok(())
    }

    /// Keys and values. With `attributes`, stops at a key by which an instance
    /// overrides pickling, and says so.
    pub(super) fn dict(
        &mut self,
        node: NodeId,
        dict: &Bound<'py, PyDict>,
        attributes: bool,
    ) -> bool {
        let (start, mut bytes) = (self.stack.len(), 0);
        let step = if attributes {
            Step::Attribute
        } else {
            Step::Value
        };
        for (index, (key, value)) in dict.iter().enumerate() {
            if attributes && is_pickling_name(&key) {
                self.stack.truncate(start);
                return false;
            }
            let (name, before) = (&key, self.stack.len());
            self.child(value, node, &mut bytes, || Edge {
                key: Some(name.clone().unbind()),
                ..Edge::at(step, index)
            });
            let values = self.stack.len();
            self.child(key, node, &mut bytes, || Edge::at(Step::Key, index));
            if self.stack.len() > values && values > before {
                // The pickler saves the key first.
                self.stack.swap(values, values - 1);
            }
        }
        self.stack[start..].reverse();
        self.weigh(node, bytes);
        true
    }

    pub(super) fn pickle_buffer(
        &mut self,
        node: NodeId,
        buffer: &Bound<'py, PyAny>,
    ) -> PyResult<()> {
        self.trail.uncertain = true;
        let view = match self
            .py
            .import("builtins")?
            .getattr("memoryview")?
            .call1((buffer,))
        {
            Ok(view) => view,
            Err(error) => return self.raised(node, error),
        };
        let bytes: u64 = view.getattr("nbytes")?.extract()?;
        self.weigh(node, bytes);
        self.trail.buffers.push(node);
        if self.protocol < 5 {
            let text = "PickleBuffer can only be pickled with protocol 5 or later";
            self.fail(
                node,
                "protocol",
                PyString::new(self.py, text).into_any().unbind(),
            );
        } else if !view.getattr("contiguous")?.extract::<bool>()? {
            let text = "PickleBuffer can not be pickled when pointing to a non-contiguous buffer";
            self.raised(node, PyBufferError::new_err(text))?;
        }
        Ok(())
    }
}

/// Does only its holder refer to it? Two references: the holder's and ours.
#[allow(deprecated)] // its successor is an unsafe function; the count is only read
pub(super) fn unshared(object: &Bound<'_, PyAny>) -> bool {
    object.get_refcnt() == 2
}
