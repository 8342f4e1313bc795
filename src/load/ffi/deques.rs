//! Deques, made and filled as `deque` and `deque.extend` of `Modules/_collectionsmodule.c` do it.
//!
//! A deque is made to be filled, and mostly with few items: those go into its first block, where the interpreter would
//! make a list, look up a method, make an iterator and move them one by one. The block and the numbers around it are
//! private to the module: the way is open only where [`Layout::found`] has found them as written here.

use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::types::{PyTuple, PyType};

use super::late::Late;
use super::stock::alike;
use super::value::{Make, TRACKED, Value, made};

/// Items of a block.
const BLOCK: isize = 64;
/// Where an empty deque that is extended begins, so that its first block is filled whole.
const FIRST: isize = 1;

#[repr(C)]
struct Block {
    before: *mut Block,
    items: [*mut PyObject; BLOCK as usize],
    behind: *mut Block,
}

/// What `CPython` 3.11 to 3.15 have in a deque, up to what is asked for here.
#[repr(C)]
struct Deque {
    head: ffi::PyVarObject,
    left: *mut Block,
    right: *mut Block,
    first: isize,
    last: isize,
    /// How often it has changed.
    state: usize,
    /// Items that it may have; -1: any number.
    most: isize,
}

/// The class whose instances look like that.
struct Layout {
    class: Py<PyType>,
    /// Its method.
    extend: Py<PyAny>,
}

static FOUND: Late<Layout> = Late::new();

/// `deque()`, or `deque((), most)` where `extended`: `None` where that is another class than the one whose objects are
/// known, or none are.
#[inline]
pub fn deque(
    py: Python<'_>,
    class: &Py<PyAny>,
    extended: bool,
    most: Option<u64>,
) -> PyResult<Option<Value>> {
    if FOUND.get().is_none() && !learn(py, class.bind(py))? {
        return Ok(None);
    }
    let most = match most.map(isize::try_from) {
        None => -1,
        Some(Ok(most)) => most,
        Some(Err(_)) => return Ok(None),
    };
    match FOUND.get() {
        Some(found) if found.class.as_ptr() == class.as_ptr() => {
            found.make(py, extended, most).map(Some)
        }
        _ => Ok(None),
    }
}

/// Whether that is a deque whose inside is known.
#[inline]
pub fn is_deque(value: &Value) -> bool {
    FOUND
        .get()
        .is_some_and(|found| found.class.as_ptr() as usize == value.type_address())
}

/// Moves items to the end of a deque, where they fit in its last block and push none out. Whether they have been moved.
#[inline]
pub fn deque_take(deque: &Value, items: &mut [Value]) -> bool {
    debug_assert!(is_deque(deque));
    // SAFETY: a deque, whose fields have been found there.
    let deque = unsafe { &mut *deque.object.cast::<Deque>() };
    let (size, count) = (deque.head.ob_size, items.len().cast_signed());
    let last = if size == 0 { FIRST - 1 } else { deque.last };
    let fits = count < BLOCK - last && (deque.most < 0 || size + count <= deque.most);
    if !fits || size == 0 && deque.left != deque.right {
        return false;
    }
    if size == 0 {
        deque.first = FIRST;
    }
    // SAFETY: a deque has a block.
    let block = unsafe { &raw mut (*deque.right).items };
    // SAFETY: behind the last item, or behind the block where there is nothing to move.
    let mut place = unsafe { block.cast::<*mut PyObject>().offset(last + 1) };
    for item in items {
        // SAFETY: `count` items have room in the block.
        unsafe { place.write(item.take_object()) };
        // SAFETY: at most behind the block.
        place = unsafe { place.add(1) };
    }
    deque.last = last + count;
    deque.head.ob_size = size + count;
    deque.state = deque.state.wrapping_add(count.unsigned_abs());
    true
}

/// `deque.extend(deque, items)`, of a tuple.
pub fn deque_extend(py: Python<'_>, deque: &Value, items: &Value) -> PyResult<()> {
    let Some(found) = FOUND.found() else {
        return Ok(());
    };
    let extend = found.extend.bind(py);
    extend.call1((deque.bound(py), items.bound(py)))?;
    Ok(())
}

/// Whether the way is open, once it was asked for.
#[cold]
fn learn(py: Python<'_>, class: &Bound<'_, PyAny>) -> PyResult<bool> {
    FOUND.learn(py, || Layout::found(class))
}

pub(super) fn learn_deques(py: Python<'_>) -> PyResult<bool> {
    FOUND.learn(py, || {
        Layout::found(&py.import("collections")?.getattr("deque")?)
    })
}

impl Layout {
    #[inline]
    fn make(&self, py: Python<'_>, extended: bool, most: isize) -> Make {
        let kind = self.class.as_ptr().cast::<ffi::PyTypeObject>();
        let args = PyTuple::empty(py);
        // SAFETY: a live type, which has been called.
        let new = unsafe { (*kind).tp_new };
        let object = new.map_or(std::ptr::null_mut(), |new| {
            // SAFETY: its own slot, which looks at no argument.
            unsafe { new(kind, args.as_ptr(), std::ptr::null_mut()) }
        });
        let value = made(py, object, TRACKED)?;
        // SAFETY: a deque, whose fields have been found there.
        let deque = unsafe { &mut *value.object.cast::<Deque>() };
        deque.most = most;
        if extended && most != 0 {
            (deque.first, deque.last) = (FIRST, FIRST - 1);
        }
        Ok(value)
    }

    fn found(class: &Bound<'_, PyAny>) -> PyResult<Option<Self>> {
        let py = class.py();
        let Ok(class) = class.cast::<PyType>() else {
            return Ok(None);
        };
        // SAFETY: a live type.
        let kind = unsafe { &*class.as_type_ptr() };
        if kind.tp_basicsize.unsigned_abs() < size_of::<Deque>() || kind.tp_itemsize != 0 {
            return Ok(None);
        }
        let found = Self {
            class: class.clone().unbind(),
            extend: class.getattr("extend")?.unbind(),
        };
        for (count, most) in SAMPLES {
            if !found.serves(py, count, most)? {
                return Ok(None);
            }
        }
        Ok(Some(found))
    }

    /// Whether a deque of the interpreter's is as written above, and one made here is as that.
    fn serves(&self, py: Python<'_>, count: i64, most: Option<isize>) -> PyResult<bool> {
        let class = self.class.bind(py);
        let theirs = Value::plain(class.call1(((), most))?);
        let items: Vec<Value> = (0..count)
            .map(|number| super::int(py, number + 7000))
            .collect::<PyResult<_>>()?;
        let extend = |deque: &Value, items: &[Value]| -> PyResult<()> {
            let list = pyo3::types::PyList::new(py, items.iter().map(|item| item.bound(py)))?;
            self.extend.bind(py).call1((deque.bound(py), list))?;
            Ok(())
        };
        let ours = self.make(py, true, most.unwrap_or(-1))?;
        if !same_words(&theirs, most, 0) || words(&ours) != words(&theirs) {
            return Ok(false);
        }
        let (new, none) = (self.make(py, false, -1)?, Value::plain(class.call0()?));
        if !same_words(&none, None, 0) || words(&new) != words(&none) {
            return Ok(false);
        }
        let (few, more) = items.split_at(items.len() / 2);
        for part in [few, more] {
            if part.is_empty() {
                continue;
            }
            extend(&theirs, part)?;
            if !deque_take(&ours, &mut part.to_vec()) {
                extend(&ours, part)?;
            }
            if words(&ours) != words(&theirs) || !alike(py, &ours, &theirs)? {
                return Ok(false);
            }
        }
        let kept = most.map_or(items.len(), |most| items.len().min(most.unsigned_abs()));
        if !same_words(&theirs, most, kept.cast_signed()) {
            return Ok(false);
        }
        for deque in [&ours, &theirs] {
            deque.bound(py).call_method1("rotate", (3,))?;
            deque.bound(py).call_method1("append", ("another",))?;
            if most != Some(0) {
                deque.bound(py).call_method0("popleft")?;
            }
        }
        alike(py, &ours, &theirs)
    }
}

/// Deques that end in each part of a block, and what they may have.
const SAMPLES: [(i64, Option<isize>); 9] = [
    (0, Some(3)),
    (2, Some(0)),
    (2, None),
    (5, Some(3)),
    (5, Some(1000)),
    (63, None),
    (64, Some(63)),
    (65, None),
    (140, None),
];

/// Whether the numbers of one of the interpreter's deques stand where they are looked for.
fn same_words(deque: &Value, most: Option<isize>, size: isize) -> bool {
    // SAFETY: as large as that; words have no invalid bits.
    let found = unsafe { &*deque.object.cast::<Deque>() };
    let one_block = found.left == found.right;
    let span = found.last - found.first + 1;
    found.head.ob_size == size
        && found.most == most.unwrap_or(-1)
        && !found.left.is_null()
        && (0..=BLOCK).contains(&found.first)
        && (-1..BLOCK).contains(&found.last)
        && (!one_block || span == size)
}

/// The numbers of a deque: where it begins and ends, how often it has changed, how long it may be.
fn words(deque: &Value) -> [isize; 6] {
    // SAFETY: as large as that; words have no invalid bits.
    let found = unsafe { &*deque.object.cast::<Deque>() };
    [
        found.head.ob_size,
        found.first,
        found.last,
        found.state.cast_signed(),
        found.most,
        isize::from(found.left == found.right),
    ]
}
