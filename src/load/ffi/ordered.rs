//! `OrderedDict`s, made by the interpreter and, where they take the keys of a template, linked here.
//!
//! An `OrderedDict` is a dict with a node for each key, in a list, and a table that finds the node by the place of the key
//! in the dict. The dict part is copied from a template as any dict's (see [`super::template`]); what is left is to link
//! the nodes in order, where the interpreter would look up each key twice more. What the nodes look like is private to
//! the interpreter: the way is open only where [`found_as_expected`] has found them so.

use std::ffi::c_void;
use std::ptr;

use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;

use super::late::Late;
use super::layout::{answer_alike, no_memory};
use super::template::{Template, table_of};
use super::value::{Make, TRACKED, Value, made, raised};

unsafe extern "C" {
    /// The class itself.
    static mut PyODict_Type: ffi::PyTypeObject;
    /// A new, empty one.
    fn PyODict_New() -> *mut PyObject;
    /// `od[key] = value`, of an `OrderedDict`.
    fn PyODict_SetItem(od: *mut PyObject, key: *mut PyObject, value: *mut PyObject) -> i32;
}

/// A key in its order.
#[repr(C)]
struct Node {
    key: *mut PyObject,
    hash: ffi::Py_hash_t,
    next: *mut Node,
    previous: *mut Node,
}

/// What `CPython` 3.11 to 3.15 have in an `OrderedDict`.
#[repr(C)]
struct Ordered {
    dict: ffi::PyDictObject,
    first: *mut Node,
    last: *mut Node,
    /// The nodes by the places of their keys in the dict.
    table: *mut *mut Node,
    /// Slots of the dict's own table, when this one was made, and where that was.
    size: isize,
    sentinel: *mut c_void,
    /// How often the list has changed.
    state: usize,
    attributes: *mut PyObject,
    references: *mut PyObject,
}

static FOUND: Late<()> = Late::new();

/// Whether that is the interpreter's `OrderedDict`.
#[inline]
pub fn is_ordered_class(class: &Py<PyAny>) -> bool {
    class.as_ptr().cast_const().cast() == &raw const PyODict_Type
}

/// Whether the object is an exact `OrderedDict`.
#[inline]
pub fn is_ordered(value: &Value) -> bool {
    value.type_address() == &raw const PyODict_Type as usize
}

/// An empty `OrderedDict`.
#[inline]
pub fn ordered_dict(py: Python<'_>) -> Make {
    // SAFETY: attached.
    let object = unsafe { PyODict_New() };
    made(py, object, TRACKED)
}

/// `od[key] = value`.
#[inline]
pub fn ordered_set(py: Python<'_>, od: &Value, key: &Value, value: &Value) -> PyResult<()> {
    debug_assert!(is_ordered(od));
    // SAFETY: an exact `OrderedDict` and live objects.
    if unsafe { PyODict_SetItem(od.object, key.object, value.object) } < 0 {
        return Err(raised(py));
    }
    Ok(())
}

/// Whether an exact `OrderedDict` that is still empty may be filled from a template. It has never had a node.
#[inline]
pub fn takes_template(py: Python<'_>, od: &Value) -> PyResult<bool> {
    if FOUND.get().is_none() && !learn_ordered(py)? {
        return Ok(false);
    }
    let od = od.object.cast::<Ordered>();
    // SAFETY: an exact `OrderedDict`, whose fields have been found there.
    let od = unsafe { &*od };
    Ok(od.first.is_null() && od.table.is_null() && od.dict.ma_used == 0)
}

/// Links nodes for the keys that [`Template::fill`] has put into the dict part.
pub fn link(od: &Value, template: &Template) -> PyResult<()> {
    let (sentinel, size) = table_of(od);
    // SAFETY: attached.
    let table = unsafe { ffi::PyMem_Calloc(size, size_of::<*mut Node>()) }.cast::<*mut Node>();
    if table.is_null() {
        return Err(no_memory());
    }
    let od = od.object.cast::<Ordered>();
    // SAFETY: an exact `OrderedDict` that `takes_template`; nobody else has seen it.
    let od = unsafe { &mut *od };
    (od.table, od.size, od.sentinel) = (table, size.cast_signed(), sentinel);
    for (at, key) in template.keys().enumerate() {
        // SAFETY: attached.
        let node = unsafe { ffi::PyMem_Malloc(size_of::<Node>()) }.cast::<Node>();
        if node.is_null() {
            return Err(no_memory());
        }
        // SAFETY: the template keeps the key, an exact str.
        unsafe { ffi::Py_INCREF(key) };
        let previous = std::mem::replace(&mut od.last, node);
        // SAFETY: the dict part has hashed it.
        let hash = unsafe { (*key.cast::<ffi::PyASCIIObject>()).hash };
        let whole = Node {
            key,
            hash,
            next: ptr::null_mut(),
            previous,
        };
        // SAFETY: room for a node.
        unsafe { node.write(whole) };
        if previous.is_null() {
            od.first = node;
        } else {
            // SAFETY: the node before.
            unsafe { (*previous).next = node };
        }
        // SAFETY: the table has more slots than the dict has keys, and those stand in order.
        let slot = unsafe { table.add(at) };
        // SAFETY: as above.
        unsafe { slot.write(node) };
        od.state += 1;
    }
    Ok(())
}

/// Whether the way is open, once it was asked for.
#[cold]
pub(super) fn learn_ordered(py: Python<'_>) -> PyResult<bool> {
    FOUND.learn(py, || {
        let open = super::knows_dicts() && found_as_expected(py)?;
        Ok(open.then_some(()))
    })
}

/// Whether this interpreter's nodes are as written above: looked at in what it makes itself, from the emptiest table to
/// the fullest of every size that a template can have, before anything is written; then in what is made here.
fn found_as_expected(py: Python<'_>) -> PyResult<bool> {
    let class = &raw const PyODict_Type;
    // SAFETY: a live type.
    let size = unsafe { (*class).tp_basicsize };
    if size.unsigned_abs() != size_of::<Ordered>() {
        return Ok(false);
    }
    for count in [2, 5, 6, 10, 11, 21, 22, super::LARGEST_TEMPLATE] {
        let mut pairs = Vec::new();
        for number in 0..count {
            pairs.push(super::ascii(py, format!("key {number}").as_bytes())?);
            pairs.push(super::float(py, 0.5)?);
        }
        let theirs = ordered_dict(py)?;
        for pair in pairs.chunks_exact(2) {
            let [key, value] = pair else { continue };
            ordered_set(py, &theirs, key, value)?;
        }
        let Some(template) = Template::of(py, &pairs)? else {
            return Ok(false);
        };
        if !is_linked(&theirs, &template) {
            return Ok(false);
        }
        let ours = ordered_dict(py)?;
        if !template.fill(py, &ours, &mut pairs, true)? {
            return Ok(false);
        }
        link(&ours, &template)?;
        if !is_linked(&ours, &template) || !serves(py, &ours, &theirs)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether an `OrderedDict` has the nodes that it should have. Nothing is followed before the words around it are right.
fn is_linked(od: &Value, template: &Template) -> bool {
    let (sentinel, size) = table_of(od);
    let od = od.object.cast::<Ordered>();
    // SAFETY: as large as that; words have no invalid bits.
    let od = unsafe { &*od };
    let count = template.keys().count();
    if (od.sentinel, od.size, od.state) != (sentinel, size.cast_signed(), count)
        || !od.attributes.is_null()
        || !od.references.is_null()
        || [od.first, od.last].contains(&ptr::null_mut())
        || od.table.is_null()
    {
        return false;
    }
    let (mut node, mut previous) = (od.first, ptr::null_mut());
    for (at, key) in template.keys().enumerate() {
        // SAFETY: of all tables, only that of the nodes is a word away from its size.
        let slot = unsafe { od.table.add(at) };
        // SAFETY: as above; it has `size` slots.
        if node.is_null() || unsafe { *slot } != node {
            return false;
        }
        // SAFETY: a node.
        let found = unsafe { &*node };
        // SAFETY: an exact str that was hashed.
        let hash = unsafe { (*key.cast::<ffi::PyASCIIObject>()).hash };
        if (found.key, found.hash, found.previous) != (key, hash, previous) {
            return false;
        }
        (previous, node) = (node, found.next);
    }
    node.is_null() && previous == od.last
}

/// Whether one made here behaves as the interpreter's own, whatever is done to both.
fn serves(py: Python<'_>, ours: &Value, theirs: &Value) -> PyResult<bool> {
    let reversed = py.import("builtins")?.getattr("reversed")?;
    let (ours, theirs) = (ours.bound(py), theirs.bound(py));
    let same = || -> PyResult<bool> {
        let backwards = |od| {
            let keys = reversed.call1((od,))?.try_iter()?;
            keys.map(|key| key?.extract::<String>())
                .collect::<PyResult<Vec<_>>>()
        };
        Ok(backwards(ours)? == backwards(theirs)? && answer_alike(ours, theirs)?)
    };
    let before = same()?;
    for od in [ours, theirs] {
        od.call_method1("move_to_end", ("key 0",))?;
        od.set_item("another", 1)?;
        od.del_item("key 1")?;
        od.set_item("key 1", 2)?;
    }
    let changed = same()?;
    for od in [ours, theirs] {
        od.call_method1("popitem", (false,))?;
        let copy = od.call_method0("copy")?;
        od.call_method0("clear")?;
        od.call_method1("update", (copy,))?;
    }
    Ok(before && changed && same()?)
}
