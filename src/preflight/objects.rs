//! Objects that are saved by their name or by what a reducer answers.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple, PyType};

use super::global::{find_global, lookup};
use super::reduce::{Bad, Call, Reduced, take_apart};
use super::trail::{Edge, Global, NodeId, Role, Step};
use super::types::{Protocol, TypeId, registered_reducer};
use super::walk::{SIGNAL_INTERVAL, Task, Walker};

/// A reducer that yields more items than this is taken for endless.
const MAX_ITEMS: usize = 50_000_000;

impl<'py> Walker<'py> {
    /// Everything but the builtin containers.
    pub(super) fn other(
        &mut self,
        node: NodeId,
        object: &Bound<'py, PyAny>,
        class: TypeId,
    ) -> PyResult<()> {
        if self.hooks.reducer_override.is_none()
            && (self.date(node, object, class)? || self.stock(node, object, class)?)
        {
            return Ok(());
        }
        match self.reduce_value(node, object, class) {
            Ok(Some(value)) => self.reduced(node, object, &value),
            Ok(None) => Ok(()),
            Err(error) => self.raised(node, error),
        }
    }

    /// Dates, by exact type and without a time zone, always pickle (3x on datetimes).
    fn date(&mut self, node: NodeId, object: &Bound<'py, PyAny>, class: TypeId) -> PyResult<bool> {
        let types = &self.types;
        let sure = class == types.date
            || class == types.timedelta
            || class == types.datetime && object.getattr(intern!(self.py, "tzinfo"))?.is_none();
        if sure && registered_reducer(object, self.hooks.dispatch_table.as_ref())?.is_none() {
            self.weigh(node, 12);
            self.at(node).role = Role::Stock;
            return Ok(true);
        }
        Ok(false)
    }

    /// Ask for the reduce value; `None` when the object went by its name.
    pub(super) fn reduce_value(
        &mut self,
        node: NodeId,
        object: &Bound<'py, PyAny>,
        class: TypeId,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let protocol = Protocol::get(self.py)?;
        if let Some(reducer_override) = self.hooks.reducer_override.clone() {
            let value = reducer_override.call1((object,))?;
            if !value.is(&protocol.not_implemented) {
                self.trail.uncertain = true;
                return Ok(Some(value));
            }
        }
        if class == self.types.type_ {
            let address = object.as_ptr() as TypeId;
            if !protocol.singleton_types.contains(&address) {
                self.global(node, object, None);
            }
            return Ok(None);
        }
        if class == self.types.function {
            self.global(node, object, None);
            return Ok(None);
        }
        if let Some(reducer) = registered_reducer(object, self.hooks.dispatch_table.as_ref())? {
            self.trail.uncertain = true;
            return reducer.call1((object,)).map(Some);
        }
        if object
            .get_type()
            .is_subclass(&self.py.get_type::<PyType>())?
        {
            self.global(node, object, None);
            return Ok(None);
        }
        self.trail.uncertain = true;
        if let Some(reduce) = lookup(object, intern!(self.py, "__reduce_ex__"))? {
            return reduce.call1((self.protocol,)).map(Some);
        }
        object
            .getattr(intern!(self.py, "__reduce__"))?
            .call0()
            .map(Some)
    }

    pub(super) fn global(
        &mut self,
        node: NodeId,
        object: &Bound<'py, PyAny>,
        name: Option<&Bound<'py, PyAny>>,
    ) {
        self.at(node).role = Role::Global;
        match find_global(object, name, self.protocol) {
            Ok(found) => {
                self.weigh(node, (found.module.len() + found.qualname.len()) as u64);
                self.trail.globals.push(Global {
                    node,
                    module: found.module,
                    qualname: found.qualname,
                });
            }
            Err(lost) => self.fail(node, lost.trouble, lost.detail),
        }
    }

    pub(super) fn reduced(
        &mut self,
        node: NodeId,
        object: &Bound<'py, PyAny>,
        value: &Bound<'py, PyAny>,
    ) -> PyResult<()> {
        self.at(node).role = Role::Reduced;
        if value.is_instance_of::<PyString>() {
            if !self.hooks.deepcopy {
                self.global(node, object, Some(value));
            }
            return Ok(());
        }
        let reduced = match take_apart(object, value, self.protocol) {
            Ok(reduced) => reduced,
            Err(Bad::Raised(error)) => return self.raised(node, error),
            Err(Bad::Shape(text)) => {
                let text = PyString::new(self.py, &text).into_any().unbind();
                self.fail(node, "bad-reduce", text);
                return Ok(());
            }
        };
        self.at(node).open = !self.hooks.deepcopy;
        let (callable, arguments, keywords) = match &reduced.call {
            Call::Reduce(callable, arguments) => {
                ((callable.clone(), Step::Callable), arguments.clone(), None)
            }
            Call::NewObj(class, arguments) => {
                let rest = arguments.get_slice(1, arguments.len());
                ((class.clone(), Step::Class), rest, None)
            }
            Call::NewObjEx(class, positional, keywords) => {
                let keywords = Some(keywords.clone());
                ((class.clone(), Step::Class), positional.clone(), keywords)
            }
        };
        self.stack.push(Task::Rest(node, Box::new(reduced)));
        if let Some(keywords) = keywords.filter(|keywords| !keywords.is_empty()) {
            let edge = Edge::plain(Step::Keywords);
            self.stack
                .push(Task::Visit(keywords.into_any(), node, edge));
        }
        self.stack.push(Task::Visit(
            arguments.into_any(),
            node,
            Edge::plain(Step::Arguments),
        ));
        if !self.hooks.deepcopy {
            let (callable, step) = callable;
            self.stack
                .push(Task::Visit(callable, node, Edge::plain(step)));
        }
        Ok(())
    }

    /// After the object is memoized: list items, dict items, state.
    pub(super) fn rest(&mut self, node: NodeId, reduced: Reduced<'py>) -> PyResult<()> {
        self.at(node).open = false;
        let (start, mut bytes) = (self.stack.len(), 0);
        if let Some(items) = &reduced.list_items
            && let Err(error) = self.list_items(node, items, &mut bytes)
        {
            self.raised(node, error)?;
        }
        if let Some(items) = &reduced.dict_items
            && let Err(error) = self.dict_items(node, items, &mut bytes)
        {
            self.raised(node, error)?;
        }
        if let Some(setter) = reduced.state_setter {
            let edge = Edge::plain(Step::StateSetter);
            self.stack.push(Task::Visit(setter, node, edge));
        }
        if let Some(state) = reduced.state {
            self.child(state, node, &mut bytes, || Edge::plain(Step::State));
        }
        self.stack[start..].reverse();
        self.weigh(node, bytes);
        Ok(())
    }

    pub(super) fn list_items(
        &mut self,
        node: NodeId,
        items: &Bound<'py, PyAny>,
        bytes: &mut u64,
    ) -> PyResult<()> {
        for (index, item) in items.try_iter()?.enumerate() {
            self.child(item?, node, bytes, || Edge::at(Step::ListItem, index));
            if self.endless(node, index)? {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn dict_items(
        &mut self,
        node: NodeId,
        items: &Bound<'py, PyAny>,
        bytes: &mut u64,
    ) -> PyResult<()> {
        for (index, item) in items.try_iter()?.enumerate() {
            let item = item?;
            let pair = item.cast::<PyTuple>().ok();
            let Some(pair) = pair.filter(|pair| pair.len() == 2) else {
                let text = "dict items iterator must return 2-tuples";
                self.fail(
                    node,
                    "bad-reduce",
                    PyString::new(self.py, text).into_any().unbind(),
                );
                break;
            };
            let (key, value) = (pair.get_item(0)?, pair.get_item(1)?);
            let name = key.clone().unbind();
            self.child(key, node, bytes, || Edge::at(Step::DictKey, index));
            self.child(value, node, bytes, || Edge {
                key: Some(name),
                ..Edge::at(Step::DictValue, index)
            });
            if self.endless(node, index)? {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn endless(&mut self, node: NodeId, index: usize) -> PyResult<bool> {
        if (index + 1).is_multiple_of(SIGNAL_INTERVAL) {
            self.py.check_signals()?;
        }
        if index < MAX_ITEMS {
            return Ok(false);
        }
        let text = format!("__reduce__ yields more than {MAX_ITEMS} items");
        self.fail(
            node,
            "bad-reduce",
            PyString::new(self.py, &text).into_any().unbind(),
        );
        Ok(true)
    }

    /// `copy.deepcopy`: classes and functions stay, the rest is reduced.
    pub(super) fn deep_copied(&mut self, node: NodeId, object: &Bound<'py, PyAny>) -> PyResult<()> {
        let class = object.get_type();
        if class.is_subclass(&self.py.get_type::<PyType>())? {
            return Ok(());
        }
        if class.is(self.py.import("types")?.getattr("MethodType")?) {
            let mut edge = Edge::plain(Step::Attribute);
            edge.key = Some(PyString::new(self.py, "__self__").into_any().unbind());
            let holder = object.getattr(intern!(self.py, "__self__"))?;
            self.stack.push(Task::Visit(holder, node, edge));
            return Ok(());
        }
        self.trail.uncertain = true;
        match lookup(object, intern!(self.py, "__deepcopy__")) {
            Ok(None) => {}
            Ok(Some(_)) => return Ok(()),
            Err(error) => return self.raised(node, error),
        }
        let value = match registered_reducer(object, None) {
            Ok(Some(reducer)) => reducer.call1((object,)),
            Ok(None) => object.call_method1(intern!(self.py, "__reduce_ex__"), (4,)),
            Err(error) => Err(error),
        };
        match value {
            Ok(value) => self.reduced(node, object, &value),
            Err(error) => self.raised(node, error),
        }
    }
}
