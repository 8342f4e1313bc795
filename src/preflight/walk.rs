//! The walk: visits what a pickler would visit, in its order, and goes on.
//!
//! The stack is explicit, so depth costs memory and never the C stack. Only
//! what pickling itself would run is run: `reducer_override`, registered
//! reducers, `__reduce_ex__` and the iterators that these return.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};

use pyo3::exceptions::PyKeyboardInterrupt;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple, PyType};

use super::plain::{BIG_ATOM, unshared};
use super::reduce::Reduced;
use super::stock::Stock;
use super::trail::{Edge, Finding, Hit, Node, NodeId, Role, Step, Trail, Walk};
use super::types::{TypeId, Types, type_id};

/// Other ways to shared objects that are remembered.
const MAX_HITS: usize = 20_000;
/// Visits between two looks at pending signals.
pub(super) const SIGNAL_INTERVAL: usize = 1 << 16;
/// Nesting beyond this is left to a real dump: its limit depends on the stack.
const SURE_DEPTH: u32 = 150;

/// Addresses hash by one multiplication: they are unique and not chosen by anyone.
#[derive(Default)]
pub(super) struct AddressHasher(u64);

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

pub(super) type ByAddress<V> = HashMap<usize, V, BuildHasherDefault<AddressHasher>>;

/// What a Pickler class brings along.
pub(super) struct Hooks<'py> {
    pub(super) persistent_id: Option<Bound<'py, PyAny>>,
    pub(super) reducer_override: Option<Bound<'py, PyAny>>,
    pub(super) dispatch_table: Option<Bound<'py, PyAny>>,
    /// Types that the target saves by means of its own.
    pub(super) opaque: HashSet<TypeId>,
    /// `copy.deepcopy`: functions and classes are kept, callables not visited.
    pub(super) deepcopy: bool,
}

pub(super) enum Task<'py> {
    Visit(Bound<'py, PyAny>, NodeId, Edge),
    /// Callable and arguments are done: memoize, then items and state.
    Rest(NodeId, Box<Reduced<'py>>),
    /// The state of an instance whose class comes first.
    Attributes(NodeId, Bound<'py, PyDict>),
}

pub(super) struct Walker<'py> {
    pub(super) py: Python<'py>,
    pub(super) types: Types,
    pub(super) hooks: Hooks<'py>,
    pub(super) protocol: i32,
    /// No hook wants to see atoms.
    pub(super) skip_atoms: bool,
    pub(super) trail: Trail,
    pub(super) stack: Vec<Task<'py>>,
    pub(super) seen: ByAddress<NodeId>,
    /// Containers in the leaf that is being weighed.
    pub(super) leaves: usize,
    pub(super) plans: ByAddress<Option<Stock>>,
}

/// Visit everything that pickling `object` would visit.
///
/// `opaque` holds types that the target saves by means of its own;
/// `deepcopy` walks as `copy.deepcopy` does.
#[pyfunction]
#[pyo3(signature = (object, /, protocol, *, persistent_id=None, reducer_override=None,
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
                Task::Visit(object, parent, edge) => self.visit(&object, parent, edge)?,
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
    fn visit(&mut self, object: &Bound<'py, PyAny>, parent: NodeId, edge: Edge) -> PyResult<()> {
        if !self.skip_atoms && self.persistent(object, parent)? {
            return Ok(());
        }
        let class = type_id(object);
        let atom = self.atom_bytes(object, class);
        if let Some(bytes) = atom
            && bytes < BIG_ATOM as u64
            && !self.trail.nodes.is_empty()
        {
            self.weigh(parent, bytes);
            return Ok(());
        }
        let shared = !unshared(object);
        let address = object.as_ptr() as usize;
        if shared && let Some(&node) = self.seen.get(&address) {
            self.hit(node, parent, edge);
            return Ok(());
        }
        let node = self.enter(object, parent, edge);
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
            return self.deep_copied(node, object);
        } else if class == types.set || class == types.frozenset {
            return self.set(node, object);
        } else if class == types.bytearray && self.protocol >= 5 {
            self.weigh(node, object.len()? as u64);
        } else if class == types.pickle_buffer {
            return self.pickle_buffer(node, object);
        } else {
            return self.other(node, object, class);
        }
        Ok(())
    }

    pub(super) fn enter(
        &mut self,
        object: &Bound<'py, PyAny>,
        parent: NodeId,
        edge: Edge,
    ) -> NodeId {
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

    pub(super) fn hit(&mut self, node: NodeId, parent: NodeId, edge: Edge) {
        if self.at(node).open {
            self.trail.loops.push(node);
            self.trail.uncertain = true;
        }
        self.weigh(parent, 2);
        if self.trail.hits.len() < MAX_HITS {
            self.trail.hits.push(Hit { node, parent, edge });
        }
    }

    pub(super) fn at(&mut self, node: NodeId) -> &mut Node {
        &mut self.trail.nodes[node as usize]
    }

    pub(super) fn weigh(&mut self, node: NodeId, bytes: u64) {
        if let Some(node) = self.trail.nodes.get_mut(node as usize) {
            node.bytes = node.bytes.saturating_add(bytes);
        }
    }

    #[cold]
    pub(super) fn fail(&mut self, node: NodeId, trouble: &'static str, detail: Py<PyAny>) {
        self.trail.findings.push(Finding {
            node,
            trouble,
            detail,
        });
    }

    #[cold]
    pub(super) fn raised(&mut self, node: NodeId, error: PyErr) -> PyResult<()> {
        if error.is_instance_of::<PyKeyboardInterrupt>(self.py) {
            return Err(error);
        }
        let detail = error.into_value(self.py).into_any();
        self.fail(node, "raised", detail);
        Ok(())
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
}
