//! The walk: visits what a pickler would visit, in its order, and goes on.
//!
//! The stack is explicit, so depth costs memory and never the C stack. Only
//! what pickling itself would run is run: `reducer_override`, registered
//! reducers, `__reduce_ex__` and the iterators that these return.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use pyo3::exceptions::{PyBufferError, PyKeyboardInterrupt};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple, PyType};

use super::global::{find_global, lookup};
use super::reduce::{Bad, Call, Reduced, take_apart};
use super::trail::{Edge, Finding, Global, Hit, Node, NodeId, Role, Step, Trail, Walk};
use super::types::{Protocol, TypeId, Types, registered_reducer, type_id};

/// Text and bytes from here on get a node, so that their place can be named.
const BIG_ATOM: usize = 1 << 16;
/// How deep a container of plain data may be to be weighed at once.
const LEAF_LEVELS: u8 = 4;
/// A reducer that yields more items than this is taken for endless.
const MAX_ITEMS: usize = 50_000_000;
/// Other ways to shared objects that are remembered.
const MAX_HITS: usize = 20_000;
/// Visits between two looks at pending signals.
const SIGNAL_INTERVAL: usize = 1 << 16;
/// Nesting beyond this is left to a real dump: its limit depends on the stack.
const SURE_DEPTH: u32 = 150;

/// Addresses hash by one multiplication: they are unique and not chosen by anyone.
#[derive(Default)]
struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn finish(&self) -> u64 {
        self.0
    }
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_usize(usize::from(*byte));
        }
    }
    fn write_usize(&mut self, address: usize) {
        self.0 = (self.0 ^ (address as u64 >> 4)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

type ByAddress<V> = HashMap<usize, V, BuildHasherDefault<AddressHasher>>;

/// What a Pickler class brings along.
struct Hooks<'py> {
    persistent_id: Option<Bound<'py, PyAny>>,
    reducer_override: Option<Bound<'py, PyAny>>,
    dispatch_table: Option<Bound<'py, PyAny>>,
    /// Types that the target saves by means of its own.
    opaque: HashSet<TypeId>,
    /// `copy.deepcopy`: functions and classes are kept, callables not visited.
    deepcopy: bool,
}

/// A type whose instances `object.__reduce_ex__` takes apart: read directly.
struct Stock {
    class: Py<PyType>,
    has_dict: bool,
    slots: Vec<Py<PyString>>,
    visits: u32,
}

enum Task<'py> {
    Visit(Bound<'py, PyAny>, NodeId, Edge),
    /// Callable and arguments are done: memoize, then items and state.
    Rest(NodeId, Box<Reduced<'py>>),
    /// The state of an instance whose class comes first.
    Attributes(NodeId, Bound<'py, PyDict>),
}

struct Walker<'py> {
    py: Python<'py>,
    types: Types,
    hooks: Hooks<'py>,
    protocol: i32,
    /// No hook wants to see atoms.
    skip_atoms: bool,
    trail: Trail,
    stack: Vec<Task<'py>>,
    seen: ByAddress<NodeId>,
    /// Containers in the leaf that is being weighed.
    leaves: usize,
    plans: ByAddress<Option<Stock>>,
}

/// Visit everything that pickling `object` would visit.
///
/// `opaque` holds types that the target saves by means of its own;
/// `deepcopy` walks as `copy.deepcopy` does.
#[pyfunction]
#[pyo3(signature = (object, protocol, *, persistent_id=None, reducer_override=None,
                    dispatch_table=None, opaque=Vec::new(), deepcopy=false))]
#[allow(clippy::needless_pass_by_value)] // what Python hands over is owned
pub fn walk<'py>(
    object: Bound<'py, PyAny>,
    protocol: i32,
    persistent_id: Option<Bound<'py, PyAny>>,
    reducer_override: Option<Bound<'py, PyAny>>,
    dispatch_table: Option<Bound<'py, PyAny>>,
    opaque: Vec<Bound<'py, PyType>>,
    deepcopy: bool,
) -> PyResult<Walk> {
    let py = object.py();
    let hooks = Hooks {
        persistent_id,
        reducer_override,
        dispatch_table,
        opaque: opaque
            .iter()
            .map(|class| class.as_type_ptr() as TypeId)
            .collect(),
        deepcopy,
    };
    let mut walker = Walker {
        py,
        types: Types::new(py)?,
        skip_atoms: hooks.persistent_id.is_none(),
        hooks,
        protocol,
        trail: Trail::default(),
        stack: Vec::new(),
        seen: ByAddress::default(),
        leaves: 0,
        plans: ByAddress::default(),
    };
    walker
        .stack
        .push(Task::Visit(object, 0, Edge::plain(Step::Root)));
    walker.run()?;
    Ok(Walk::new(walker.trail))
}

impl<'py> Walker<'py> {
    fn run(&mut self) -> PyResult<()> {
        let mut count = 0_usize;
        while let Some(task) = self.stack.pop() {
            count += 1;
            if count.is_multiple_of(SIGNAL_INTERVAL) {
                self.py.check_signals()?;
            }
            match task {
                Task::Visit(object, parent, edge) => self.visit(object, parent, edge)?,
                Task::Rest(node, reduced) => self.rest(node, *reduced)?,
                Task::Attributes(node, state) => {
                    self.attributes(node, &state);
                }
            }
        }
        if self.trail.depth > SURE_DEPTH {
            self.trail.uncertain = true;
        }
        Ok(())
    }

    /// The order is that of `save` in `_pickle.c`.
    fn visit(&mut self, object: Bound<'py, PyAny>, parent: NodeId, edge: Edge) -> PyResult<()> {
        if !self.skip_atoms && self.persistent(&object, parent)? {
            return Ok(());
        }
        let class = type_id(&object);
        let atom = self.atom_bytes(&object, class);
        if let Some(bytes) = atom
            && bytes < BIG_ATOM as u64
            && !self.trail.nodes.is_empty()
        {
            self.weigh(parent, bytes);
            return Ok(());
        }
        let shared = !unshared(&object);
        let address = object.as_ptr() as usize;
        if shared && let Some(&node) = self.seen.get(&address) {
            self.hit(node, parent, edge);
            return Ok(());
        }
        let node = self.enter(&object, parent, edge);
        if shared {
            self.seen.insert(address, node);
        }
        if let Some(bytes) = atom {
            self.weigh(node, bytes);
            return Ok(());
        }
        let types = &self.types;
        if self.hooks.opaque.contains(&class) {
            self.trail.uncertain |= !self.hooks.deepcopy;
        } else if class == types.dict {
            self.dict(node, object.cast::<PyDict>()?, false);
        } else if class == types.list {
            self.list(node, object.cast::<PyList>()?);
        } else if class == types.tuple {
            self.tuple(node, object.cast::<PyTuple>()?, Step::Item);
        } else if self.hooks.deepcopy {
            return self.deep_copied(node, &object);
        } else if class == types.set || class == types.frozenset {
            return self.set(node, &object);
        } else if class == types.bytearray && self.protocol >= 5 {
            self.weigh(node, object.len()? as u64);
        } else if class == types.pickle_buffer {
            return self.pickle_buffer(node, &object);
        } else {
            return self.other(node, &object, class);
        }
        Ok(())
    }

    fn enter(&mut self, object: &Bound<'py, PyAny>, parent: NodeId, edge: Edge) -> NodeId {
        let node = NodeId::try_from(self.trail.nodes.len()).unwrap_or(NodeId::MAX);
        let depth = match self.trail.nodes.get(parent as usize) {
            Some(parent) => parent.depth + 1,
            None => 0,
        };
        self.trail.depth = self.trail.depth.max(depth);
        self.trail.nodes.push(Node {
            object: object.clone().unbind(),
            edge,
            parent,
            depth,
            bytes: 4,
            role: Role::Plain,
            open: false,
        });
        node
    }

    fn hit(&mut self, node: NodeId, parent: NodeId, edge: Edge) {
        if self.at(node).open {
            self.trail.loops.push(node);
            self.trail.uncertain = true;
        }
        self.weigh(parent, 2);
        if self.trail.hits.len() < MAX_HITS {
            self.trail.hits.push(Hit { node, parent, edge });
        }
    }

    fn at(&mut self, node: NodeId) -> &mut Node {
        &mut self.trail.nodes[node as usize]
    }

    fn weigh(&mut self, node: NodeId, bytes: u64) {
        if let Some(node) = self.trail.nodes.get_mut(node as usize) {
            node.bytes = node.bytes.saturating_add(bytes);
        }
    }

    #[cold]
    fn fail(&mut self, node: NodeId, trouble: &'static str, detail: Py<PyAny>) {
        self.trail.findings.push(Finding {
            node,
            trouble,
            detail,
        });
    }

    #[cold]
    fn raised(&mut self, node: NodeId, error: PyErr) -> PyResult<()> {
        if error.is_instance_of::<PyKeyboardInterrupt>(self.py) {
            return Err(error);
        }
        let detail = error.into_value(self.py).into_any();
        self.fail(node, "raised", detail);
        Ok(())
    }

    /// About how many bytes an atom takes; `None` for everything else.
    #[inline]
    fn atom_bytes(&self, object: &Bound<'py, PyAny>, class: TypeId) -> Option<u64> {
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
    fn child(
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
    fn leaf(&mut self, object: &Bound<'py, PyAny>) -> Option<u64> {
        self.leaves = 0;
        let bytes = self.leaf_bytes(object, LEAF_LEVELS)?;
        self.trail.leaves += self.leaves;
        Some(bytes)
    }

    /// The weight of a container that holds atoms and such containers, and that
    /// nothing else refers to: it needs neither a node nor a place in the memo.
    /// `levels` bounds the recursion, and what is weighed twice where the answer
    /// is `None` (2x on JSON-like data).
    fn leaf_bytes(&mut self, object: &Bound<'py, PyAny>, levels: u8) -> Option<u64> {
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
    fn plain_bytes(&mut self, object: &Bound<'py, PyAny>, levels: u8) -> Option<u64> {
        match self.atom_bytes(object, type_id(object)) {
            Some(bytes) => Some(bytes),
            None => self.leaf_bytes(object, levels - 1),
        }
    }

    /// `pers` in `save`: a persistent id stands for the whole object.
    fn persistent(&mut self, object: &Bound<'py, PyAny>, parent: NodeId) -> PyResult<bool> {
        let Some(persistent_id) = &self.hooks.persistent_id else {
            return Ok(false);
        };
        match persistent_id.call1((object,)) {
            Ok(pid) if pid.is_none() => Ok(false),
            Ok(_) => {
                if self.trail.nodes.is_empty() {
                    let edge = Edge::plain(Step::PersistentId);
                    self.enter(object, parent, edge);
                }
                self.trail.uncertain = true;
                Ok(true)
            }
            Err(error) => {
                let edge = Edge::plain(Step::PersistentId);
                let node = self.enter(object, parent, edge);
                self.raised(node, error)?;
                Ok(true)
            }
        }
    }

    fn list(&mut self, node: NodeId, list: &Bound<'py, PyList>) {
        let (start, mut bytes) = (self.stack.len(), 0);
        for (index, item) in list.iter().enumerate() {
            self.child(item, node, &mut bytes, || Edge::at(Step::Item, index));
        }
        self.stack[start..].reverse();
        self.weigh(node, bytes);
    }

    fn tuple(&mut self, node: NodeId, tuple: &Bound<'py, PyTuple>, step: Step) {
        let (start, mut bytes) = (self.stack.len(), 0);
        for (index, item) in tuple.iter().enumerate() {
            self.child(item, node, &mut bytes, || Edge::at(step, index));
        }
        self.stack[start..].reverse();
        self.weigh(node, bytes);
    }

    fn set(&mut self, node: NodeId, set: &Bound<'py, PyAny>) -> PyResult<()> {
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
    fn dict(&mut self, node: NodeId, dict: &Bound<'py, PyDict>, attributes: bool) -> bool {
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

    fn pickle_buffer(&mut self, node: NodeId, buffer: &Bound<'py, PyAny>) -> PyResult<()> {
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

    /// Everything but the builtin containers.
    fn other(&mut self, node: NodeId, object: &Bound<'py, PyAny>, class: TypeId) -> PyResult<()> {
        if self.hooks.reducer_override.is_none() && self.stock(node, object, class)? {
            return Ok(());
        }
        match self.reduce_value(node, object, class) {
            Ok(Some(value)) => self.reduced(node, object, &value),
            Ok(None) => Ok(()),
            Err(error) => self.raised(node, error),
        }
    }

    /// Ask for the reduce value; `None` when the object went by its name.
    fn reduce_value(
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

    fn global(
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

    fn reduced(
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
    fn rest(&mut self, node: NodeId, reduced: Reduced<'py>) -> PyResult<()> {
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

    fn list_items(
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

    fn dict_items(
        &mut self,
        node: NodeId,
        items: &Bound<'py, PyAny>,
        bytes: &mut u64,
    ) -> PyResult<()> {
        for (index, item) in items.try_iter()?.enumerate() {
            let item = item?;
            let Ok(pair) = item.cast::<PyTuple>() else {
                let text = "dict items iterator must return 2-tuples";
                self.fail(
                    node,
                    "bad-reduce",
                    PyString::new(self.py, text).into_any().unbind(),
                );
                break;
            };
            if pair.len() != 2 {
                let text = "dict items iterator must return 2-tuples";
                self.fail(
                    node,
                    "bad-reduce",
                    PyString::new(self.py, text).into_any().unbind(),
                );
                break;
            }
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

    fn endless(&mut self, node: NodeId, index: usize) -> PyResult<bool> {
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

    /// Instances of classes that leave pickling to `object`: their attributes
    /// are read without asking `__reduce_ex__` each time (3x on dataclasses).
    fn stock(&mut self, node: NodeId, object: &Bound<'py, PyAny>, class: TypeId) -> PyResult<bool> {
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

    fn attributes(&mut self, node: NodeId, state: &Bound<'py, PyDict>) -> bool {
        self.dict(node, state, true)
    }

    /// Does pickling an instance of this class come down to its attributes?
    fn plan(&self, object: &Bound<'py, PyAny>) -> PyResult<Option<Stock>> {
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

    /// `copy.deepcopy`: classes and functions stay, the rest is reduced.
    fn deep_copied(&mut self, node: NodeId, object: &Bound<'py, PyAny>) -> PyResult<()> {
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

/// Methods by which a class takes pickling into its own hands, or lies.
const OVERRIDES: [&str; 7] = [
    "__reduce_ex__",
    "__reduce__",
    "__getstate__",
    "__getnewargs__",
    "__getnewargs_ex__",
    "__getattribute__",
    "__class__",
];

/// Does only its holder refer to it? Two references: the holder's and ours.
#[allow(deprecated)] // its successor is an unsafe function; the count is only read
fn unshared(object: &Bound<'_, PyAny>) -> bool {
    object.get_refcnt() == 2
}

/// An attribute by which one instance overrides how it is pickled.
fn is_pickling_name(key: &Bound<'_, PyAny>) -> bool {
    key.cast::<PyString>().is_ok_and(|name| {
        name.to_str()
            .is_ok_and(|name| name.starts_with("__") && OVERRIDES.contains(&name))
    })
}

fn getset_descriptor(py: Python<'_>) -> PyResult<TypeId> {
    let class = py.import("types")?.getattr("GetSetDescriptorType")?;
    Ok(class.as_ptr() as TypeId)
}
