//! Instances of classes that leave pickling to `object`: read without asking.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyString, PyTuple, PyType};

use super::global::lookup;
use super::trail::{Edge, NodeId, Role, Step};
use super::types::{Protocol, TypeId, registered_reducer, type_id};
use super::walk::{Task, Walker};

/// A type whose instances `object.__reduce_ex__` takes apart: read directly.
pub(super) struct Stock {
    class: Py<PyType>,
    has_dict: bool,
    slots: Vec<Py<PyString>>,
    visits: u32,
}

impl<'py> Walker<'py> {
    /// Instances of classes that leave pickling to `object`: their attributes
    /// are read without asking `__reduce_ex__` each time (3x on dataclasses).
    pub(super) fn stock(
        &mut self,
        node: NodeId,
        object: &Bound<'py, PyAny>,
        class: TypeId,
    ) -> PyResult<bool> {
        if self.protocol < 2 || !self.skip_atoms {
            return Ok(false);
        }
        if !self.plans.contains_key(&class) {
            let plan = self.plan(object);
            let plan = plan.unwrap_or(None);
            self.plans.insert(class, plan);
        }
        let py = self.py;
        let Some(Some(plan)) = self.plans.get_mut(&class) else {
            return Ok(false);
        };
        plan.visits += 1;
        let first = plan.visits <= 20;
        let own_class = first.then(|| plan.class.bind(py).clone().into_any());
        let state = if plan.has_dict {
            let Ok(state) = object.getattr(intern!(py, "__dict__")) else {
                return Ok(false);
            };
            let Ok(state) = state.cast_into_exact::<PyDict>() else {
                return Ok(false);
            };
            Some(state)
        } else {
            None
        };
        let slots: Vec<Py<PyString>> = plan.slots.iter().map(|name| name.clone_ref(py)).collect();
        let mut bytes = 8;
        let start = self.stack.len();
        for slot in slots {
            match lookup(object, slot.bind(py)) {
                Ok(None) => {}
                Ok(Some(value)) => self.child(value, node, &mut bytes, || Edge {
                    key: Some(slot.into_any()),
                    ..Edge::plain(Step::Attribute)
                }),
                Err(error) => self.raised(node, error)?,
            }
        }
        self.stack[start..].reverse();
        self.weigh(node, bytes);
        match (state, own_class) {
            (Some(state), None) => {
                if !self.attributes(node, &state) {
                    self.stack.truncate(start);
                    return Ok(false);
                }
            }
            (state, Some(own_class)) => {
                if let Some(state) = state {
                    if state.keys().iter().any(|key| is_pickling_name(&key)) {
                        self.stack.truncate(start);
                        return Ok(false);
                    }
                    self.stack.push(Task::Attributes(node, state));
                }
                let edge = Edge::plain(Step::Class);
                self.stack.push(Task::Visit(own_class, node, edge));
            }
            (None, None) => {}
        }
        self.at(node).role = Role::Stock;
        Ok(true)
    }

    pub(super) fn attributes(&mut self, node: NodeId, state: &Bound<'py, PyDict>) -> bool {
        self.dict(node, state, true)
    }

    /// Does pickling an instance of this class come down to its attributes?
    pub(super) fn plan(&self, object: &Bound<'py, PyAny>) -> PyResult<Option<Stock>> {
        let py = self.py;
        let protocol = Protocol::get(py)?;
        let class = object.get_type();
        if registered_reducer(object, self.hooks.dispatch_table.as_ref())?.is_some() {
            return Ok(None);
        }
        let mut has_dict = false;
        for base in class.mro() {
            if base.is(protocol.object.bind(py)) {
                break;
            }
            let names = base.getattr(intern!(py, "__dict__"))?;
            for name in OVERRIDES {
                if names.contains(name)? {
                    return Ok(None);
                }
            }
            if !has_dict && names.contains("__dict__")? {
                let descriptor = names.get_item("__dict__")?;
                if !type_id(&descriptor).eq(&getset_descriptor(py)?) {
                    return Ok(None);
                }
                has_dict = true;
            }
        }
        let value = object
            .getattr(intern!(py, "__reduce_ex__"))?
            .call1((self.protocol,))?;
        let Ok(value) = value.cast::<PyTuple>() else {
            return Ok(None);
        };
        let arguments = value.get_item(1)?;
        let stock = value.get_item(0)?.is(protocol.newobj.bind(py))
            && value.get_item(3).is_ok_and(|items| items.is_none())
            && value.get_item(4).is_ok_and(|items| items.is_none())
            && arguments.len()? == 1
            && arguments.get_item(0)?.is(&class);
        if !stock {
            return Ok(None);
        }
        let names = class.getattr(intern!(py, "__dict__"))?;
        let mut slots = Vec::new();
        if names.contains("__slotnames__")? {
            for name in names.get_item("__slotnames__")?.try_iter()? {
                slots.push(name?.cast_into::<PyString>()?.unbind());
            }
        }
        let class = class.unbind();
        Ok(Some(Stock {
            class,
            has_dict,
            slots,
            visits: 0,
        }))
    }
}

/// Methods by which a class takes pickling into its own hands, or lies.
const OVERRIDES: [&str; 8] = [
    "__reduce_ex__",
    "__reduce__",
    "__getstate__",
    "__getnewargs__",
    "__getnewargs_ex__",
    "__getattribute__",
    "__getattr__",
    "__class__",
];

/// An attribute by which one instance overrides how it is pickled.
pub(super) fn is_pickling_name(key: &Bound<'_, PyAny>) -> bool {
    key.cast::<PyString>().is_ok_and(|name| {
        name.to_str()
            .is_ok_and(|name| name.starts_with("__") && OVERRIDES.contains(&name))
    })
}

fn getset_descriptor(py: Python<'_>) -> PyResult<TypeId> {
    let class = py.import("types")?.getattr("GetSetDescriptorType")?;
    Ok(class.as_ptr() as TypeId)
}
