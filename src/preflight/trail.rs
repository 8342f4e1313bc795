//! What the walk has seen: a tree of nodes, each one step from its parent.

use std::collections::HashMap;

use pyo3::exceptions::PyIndexError;
use pyo3::prelude::*;

/// Index of a node; the root is 0 and every parent comes before its children.
pub(super) type NodeId = u32;

/// How one object was reached from another.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Root,
    Item,
    Member,
    Key,
    Value,
    Attribute,
    Class,
    Callable,
    Arguments,
    Keywords,
    State,
    ListItem,
    DictKey,
    DictValue,
    StateSetter,
    PersistentId,
}

impl Step {
    fn name(self) -> &'static str {
        match self {
            Step::Root => "root",
            Step::Item => "item",
            Step::Member => "member",
            Step::Key => "key",
            Step::Value => "value",
            Step::Attribute => "attribute",
            Step::Class => "class",
            Step::Callable => "callable",
            Step::Arguments => "arguments",
            Step::Keywords => "keywords",
            Step::State => "state",
            Step::ListItem => "list-item",
            Step::DictKey => "dict-key",
            Step::DictValue => "dict-value",
            Step::StateSetter => "state-setter",
            Step::PersistentId => "persistent-id",
        }
    }
}

/// A step with its position and, for dict values and attributes, its key.
pub(super) struct Edge {
    pub(super) step: Step,
    pub(super) index: u32,
    pub(super) key: Option<Py<PyAny>>,
}

impl Edge {
    pub(super) fn plain(step: Step) -> Self {
        Edge::at(step, 0)
    }

    pub(super) fn at(step: Step, index: usize) -> Self {
        Edge {
            step,
            index: u32::try_from(index).unwrap_or(u32::MAX),
            key: None,
        }
    }
}

/// What a node is to the pickler.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// A builtin container or a big atom.
    Plain,
    /// Stored by name.
    Global,
    /// Stored through the stock `object.__reduce_ex__`.
    Stock,
    /// Stored through a reducer of its own.
    Reduced,
}

pub(super) struct Node {
    pub(super) object: Py<PyAny>,
    pub(super) edge: Edge,
    pub(super) parent: NodeId,
    pub(super) depth: u32,
    pub(super) bytes: u64,
    pub(super) role: Role,
    /// Its arguments are being saved: it is not memoized yet.
    pub(super) open: bool,
}

pub(super) struct Finding {
    pub(super) node: NodeId,
    pub(super) trouble: &'static str,
    pub(super) detail: Py<PyAny>,
}

/// Another way to a node that was already there.
pub(super) struct Hit {
    pub(super) node: NodeId,
    pub(super) parent: NodeId,
    pub(super) edge: Edge,
}

pub(super) struct Global {
    pub(super) node: NodeId,
    pub(super) module: String,
    pub(super) qualname: String,
}

#[derive(Default)]
pub(super) struct Trail {
    pub(super) nodes: Vec<Node>,
    pub(super) findings: Vec<Finding>,
    pub(super) hits: Vec<Hit>,
    /// Nodes met again while their own arguments were being saved.
    pub(super) loops: Vec<NodeId>,
    pub(super) globals: Vec<Global>,
    /// The walk met something that only a real dump can judge.
    pub(super) uncertain: bool,
    pub(super) buffers: Vec<NodeId>,
    pub(super) depth: u32,
    /// Unshared containers of atoms, which are weighed and get no node.
    pub(super) leaves: usize,
}

/// What a pickler would visit, and where it would stop.
#[pyclass(frozen, module = "picklist._picklist")]
pub struct Walk {
    trail: Trail,
}

/// Object, step, index, key, node.
type Link = (Py<PyAny>, &'static str, u32, Option<Py<PyAny>>, NodeId);
/// Node, object, module, qualname.
type Named<'a> = (NodeId, Py<PyAny>, &'a str, &'a str);
/// Node, parent, step, index, key.
type Way = (NodeId, NodeId, &'static str, u32, Option<Py<PyAny>>);

impl Walk {
    pub(super) fn new(trail: Trail) -> Self {
        Walk { trail }
    }

    fn node(&self, node: NodeId) -> PyResult<&Node> {
        self.trail
            .nodes
            .get(node as usize)
            .ok_or_else(|| PyIndexError::new_err("no such node"))
    }

    /// Bytes of every node with all that hangs from it.
    fn totals(&self) -> Vec<u64> {
        let nodes = &self.trail.nodes;
        let mut totals: Vec<u64> = nodes.iter().map(|node| node.bytes).collect();
        for index in (1..nodes.len()).rev() {
            let parent = nodes[index].parent as usize;
            totals[parent] = totals[parent].saturating_add(totals[index]);
        }
        totals
    }
}

#[pymethods]
impl Walk {
    /// How many objects were visited, atoms not counted.
    #[getter]
    fn objects(&self) -> usize {
        self.trail.nodes.len() + self.trail.leaves
    }

    /// The walk alone decides: nothing ran that it cannot judge.
    #[getter]
    fn certain(&self) -> bool {
        !self.trail.uncertain
    }

    /// The deepest nesting met.
    #[getter]
    fn depth(&self) -> u32 {
        self.trail.depth
    }

    /// The nodes that are `PickleBuffer` objects.
    fn buffers(&self) -> Vec<NodeId> {
        self.trail.buffers.clone()
    }

    /// About how many bytes the pickle has, buffers included.
    #[getter]
    fn size(&self) -> u64 {
        self.trail
            .nodes
            .iter()
            .fold(0, |sum, node| sum.saturating_add(node.bytes))
    }

    /// `(node, trouble, detail)` of every place where a pickler would stop.
    fn findings(&self, py: Python<'_>) -> Vec<(NodeId, &'static str, Py<PyAny>)> {
        let findings = self.trail.findings.iter();
        findings
            .map(|finding| (finding.node, finding.trouble, finding.detail.clone_ref(py)))
            .collect()
    }

    /// Nodes that need themselves to be made.
    fn loops(&self) -> Vec<NodeId> {
        self.trail.loops.clone()
    }

    /// `(node, object, module, qualname)` of everything stored by name.
    fn globals(&self, py: Python<'_>) -> PyResult<Vec<Named<'_>>> {
        let globals = self.trail.globals.iter();
        globals
            .map(|global| {
                let object = self.node(global.node)?.object.clone_ref(py);
                let names = (global.module.as_str(), global.qualname.as_str());
                Ok((global.node, object, names.0, names.1))
            })
            .collect()
    }

    /// `(node, object)` of the instances visited, at most `per_type` of a type.
    fn instances(&self, py: Python<'_>, per_type: usize) -> Vec<(NodeId, Py<PyAny>)> {
        let mut counts: HashMap<usize, usize> = HashMap::new();
        let mut instances = Vec::new();
        for (node, id) in self.trail.nodes.iter().zip(0..) {
            if !matches!(node.role, Role::Stock | Role::Reduced) {
                continue;
            }
            let count = counts
                .entry(super::types::type_id(node.object.bind(py)))
                .or_default();
            *count += 1;
            if *count <= per_type {
                instances.push((id, node.object.clone_ref(py)));
            }
        }
        instances
    }

    /// `(node, parent, object)` of the first `limit` nodes.
    fn nodes(&self, py: Python<'_>, limit: usize) -> Vec<(NodeId, NodeId, Py<PyAny>)> {
        let nodes = self.trail.nodes.iter().zip(0..).take(limit);
        nodes
            .map(|(node, id)| (id, node.parent, node.object.clone_ref(py)))
            .collect()
    }

    /// The steps from the root to `node`: `(object, step, index, key, node)`.
    fn chain(&self, py: Python<'_>, node: NodeId) -> PyResult<Vec<Link>> {
        let mut chain = Vec::new();
        let mut here = node;
        loop {
            let found = self.node(here)?;
            chain.push((
                found.object.clone_ref(py),
                found.edge.step.name(),
                found.edge.index,
                found.edge.key.as_ref().map(|key| key.clone_ref(py)),
                here,
            ));
            if here == 0 {
                break;
            }
            here = found.parent;
        }
        chain.reverse();
        Ok(chain)
    }

    /// Every other way in: `(node, parent, step, index, key)`.
    fn hits(&self, py: Python<'_>) -> Vec<Way> {
        let hits = self.trail.hits.iter();
        hits.map(|hit| {
            let key = hit.edge.key.as_ref().map(|key| key.clone_ref(py));
            (
                hit.node,
                hit.parent,
                hit.edge.step.name(),
                hit.edge.index,
                key,
            )
        })
        .collect()
    }

    /// Bytes of a node with all that hangs from it.
    fn weight(&self, node: NodeId) -> u64 {
        self.totals().get(node as usize).copied().unwrap_or(0)
    }

    /// `(node, bytes)` of the heaviest places, heaviest first: those with a
    /// twentieth of all bytes or more that no single child accounts for.
    fn largest(&self, count: usize) -> Vec<(NodeId, u64)> {
        let totals = self.totals();
        let all = totals.first().copied().unwrap_or(0);
        let mut heaviest_child = vec![0_u64; totals.len()];
        for (index, node) in self.trail.nodes.iter().enumerate().skip(1) {
            let parent = &mut heaviest_child[node.parent as usize];
            *parent = (*parent).max(totals[index]);
        }
        let mut places: Vec<(NodeId, u64)> = (0..)
            .zip(totals.iter().zip(&heaviest_child))
            .filter(|(_, (total, child))| {
                **total > 0 && **total >= all / 20 && **child <= **total / 10 * 9
            })
            .map(|(node, (total, _))| (node, *total))
            .collect();
        places.sort_by_key(|place| std::cmp::Reverse(place.1));
        places.truncate(count);
        places
    }
}
