//! Sets and frozensets, filled with a batch of items at once.
//!
//! As [`super::table`] does for dicts: references are moved into the slots where `set_add_entry` of `Objects/setobject.c`
//! would have put them. An item with the hash of another one, or after which the table would grow, is left to
//! `PySet_Add`, so that nothing is compared and nothing allocated here. The fields are those of the public header; the
//! way is open only where [`found_as_expected`] has found them there.

use std::ptr;

use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;

use super::layout::{answer_alike, layout};
use super::probing::{AHEAD, hash_of, prefetch};
use super::value::{FREE_KEY, Make, Value};
use crate::machine::hashing;

/// Slots behind the first that are looked at before the hash is shifted.
const LINEAR_PROBES: usize = 9;
/// By how much.
const SHIFT: u32 = 5;
/// References to a set that is still in nobody's hands: the stack's and the memo's.
const OURS: isize = 2;
/// The mask from which on a table is not expected to be in the caches.
const FAR: usize = 1 << 12;
/// Slots of a set's own table.
const FEW: usize = 8;

/// An item and its hash.
#[repr(C)]
#[derive(Clone, Copy)]
struct Entry {
    key: *mut PyObject,
    hash: usize,
}

/// `PySetObject` of `cpython/setobject.h`.
#[repr(C)]
struct Set {
    object: PyObject,
    /// Slots that have been taken, and items.
    fill: isize,
    used: isize,
    mask: isize,
    table: *mut Entry,
    /// A frozenset's, -1 before it is asked for.
    hash: isize,
    finger: isize,
    few: [Entry; FEW],
    references: *mut PyObject,
}

/// Moves items into an exact set, or into a frozenset that nobody has seen: as many of the first ones as need neither a
/// comparison nor a larger table, nor another way to be hashed. Holes are left of them.
#[inline(always)]
pub fn set_take(set: &Value, items: &mut [Value]) -> usize {
    match items.first() {
        Some(item) if layout().sets && item.is_free_key() => take(set, items),
        _ => 0,
    }
}

#[inline(never)]
fn take(set: &Value, items: &mut [Value]) -> usize {
    // SAFETY: a live object.
    if unsafe { ffi::Py_REFCNT(set.object) } > OURS {
        return 0;
    }
    // SAFETY: a set or a frozenset; with the GIL held nobody else looks at its fields.
    let set = unsafe { &mut *set.object.cast::<Set>() };
    if set.fill != set.used || set.hash != -1 {
        // Something was removed, or it has been looked at.
        return 0;
    }
    let mask = set.mask.unsigned_abs();
    // So many fit before the table grows, that is while fill * 5 < mask * 3.
    let room = ((mask * 3).div_ceil(5) - 1).saturating_sub(set.fill.unsigned_abs());
    let room = room.min(items.len());
    let items = items.get_mut(..room).unwrap_or_default();
    let taken = if mask < FAR {
        put(set, mask, items)
    } else {
        put_far(set, mask, items)
    };
    set.fill += taken.cast_signed();
    set.used += taken.cast_signed();
    taken
}

/// Moves items into slots, up to one that must be left to the interpreter, and says how many.
#[inline(always)]
fn put(set: &Set, mask: usize, items: &mut [Value]) -> usize {
    for (done, item) in items.iter_mut().enumerate() {
        let Some(hash) = hash_of::<false>(item) else {
            return done;
        };
        // SAFETY: a table with that mask, which has free slots for all of them.
        let slot = unsafe { free_slot(set.table, mask, hash) };
        if slot.is_null() {
            return done;
        }
        let key = item.take_object();
        // SAFETY: a slot of the table.
        unsafe { slot.write(Entry { key, hash }) };
    }
    items.len()
}

/// As [`put`], into a table that is larger than the caches: a dozen slots are asked for before the first is looked at.
#[inline(never)]
fn put_far(set: &Set, mask: usize, items: &mut [Value]) -> usize {
    let mut all = 0;
    for few in items.chunks_mut(AHEAD) {
        for item in &*few {
            let hash = hash_of::<false>(item).unwrap_or_default();
            prefetch(set.table.wrapping_add(hash & mask));
        }
        let done = put(set, mask, few);
        all += done;
        if done < few.len() {
            break;
        }
    }
    all
}

/// `set(list)` or `frozenset(list)`, of an exact list of free keys: see [`are_free_keys`]. 1.3 times as fast as the call.
pub fn set_of(py: Python<'_>, frozen: bool, list: &Value) -> Make {
    let made = if frozen {
        super::frozenset(py)?
    } else {
        super::set(py)?
    };
    // SAFETY: an exact list; nothing here runs code that could change it.
    let count = unsafe { ffi::PyList_GET_SIZE(list.object) };
    for at in 0..count {
        // SAFETY: within the list, whose reference is borrowed.
        let item = unsafe { ffi::PyList_GET_ITEM(list.object, at) };
        // SAFETY: a live object.
        unsafe { ffi::Py_INCREF(item) };
        let info = FREE_KEY;
        let mut item = [Value { object: item, info }];
        if set_take(&made, &mut item) == 0 {
            let [item] = &item;
            super::set_add(py, &made, item)?;
        }
    }
    Ok(made)
}

/// Whether an exact list holds nothing but exact str, and ints that hash to themselves.
pub fn are_free_keys(list: &Value) -> bool {
    // SAFETY: an exact list.
    let count = unsafe { ffi::PyList_GET_SIZE(list.object) };
    (0..count).all(|at| {
        // SAFETY: within the list.
        let item = unsafe { ffi::PyList_GET_ITEM(list.object, at) };
        // SAFETY: a live object.
        let class = unsafe { ffi::Py_TYPE(item) }.cast_const();
        if class == &raw const ffi::PyUnicode_Type {
            return true;
        }
        let mut overflow = 0;
        // SAFETY: an exact int, of whatever size.
        class == &raw const ffi::PyLong_Type
            && unsafe { ffi::PyLong_AsLongLongAndOverflow(item, &raw mut overflow) }.unsigned_abs()
                < hashing::MODULUS
            && overflow == 0
    })
}

/// The slot for an item of this hash; null where there may be an equal one.
///
/// # Safety
/// The table has `mask + 1` slots, one of them free, and none of a removed item.
#[inline(always)]
unsafe fn free_slot(table: *mut Entry, mask: usize, hash: usize) -> *mut Entry {
    let (mut at, mut rest) = (hash & mask, hash);
    loop {
        let probes = if at + LINEAR_PROBES <= mask {
            LINEAR_PROBES
        } else {
            0
        };
        for near in at..=at + probes {
            // SAFETY: within the table, for the mask.
            let slot = unsafe { table.add(near) };
            // SAFETY: as above.
            let entry = unsafe { slot.read() };
            if entry.key.is_null() {
                return slot;
            }
            if entry.hash == hash {
                return ptr::null_mut();
            }
        }
        rest >>= SHIFT;
        at = at.wrapping_mul(5).wrapping_add(rest + 1) & mask;
    }
}

/// Whether sets are as written above: looked at in what the interpreter makes, then in what is made here.
pub(super) fn found_as_expected(py: Python<'_>) -> PyResult<bool> {
    let class = &raw const ffi::PySet_Type;
    // SAFETY: a live type.
    let size = unsafe { (*class).tp_basicsize };
    if size.unsigned_abs() != size_of::<Set>() {
        return Ok(false);
    }
    let empty = super::set(py)?;
    let at = empty.object.cast::<Set>();
    // SAFETY: as large as that; words have no invalid bits.
    let set = unsafe { &*at };
    if (set.fill, set.used, set.mask, set.hash) != (0, 0, 7, -1)
        || set.table.cast_const() != set.few.as_ptr()
        || !set.references.is_null()
    {
        return Ok(false);
    }
    let text = |number: i64| super::ascii(py, format!("key {number}").as_bytes());
    let int = |number: i64| super::int(py, number * 77 - 1000);
    for count in [4, 19, 77] {
        let texts = (0..count).map(text).collect::<PyResult<Vec<_>>>()?;
        let ints = (0..count).map(int).collect::<PyResult<Vec<_>>>()?;
        if !serves(py, &texts)? || !serves(py, &ints)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a set and a frozenset filled with such items are what the interpreter makes of them, and usable after.
fn serves(py: Python<'_>, items: &[Value]) -> PyResult<bool> {
    let ours = [super::set(py)?, super::frozenset(py)?];
    let theirs = [super::set(py)?, super::frozenset(py)?];
    let mut all_alike = true;
    for (ours, theirs) in ours.iter().zip(&theirs) {
        for item in items {
            super::set_add(py, theirs, item)?;
        }
        let mut items = items.to_vec();
        let mut rest = items.as_mut_slice();
        while let taken = take(ours, rest)
            && let Some((_, left)) = rest.split_at_mut_checked(taken)
            && let Some((item, left)) = left.split_first_mut()
        {
            super::set_add(py, ours, item)?;
            rest = left;
        }
        all_alike &= answer_alike(ours.bound(py), theirs.bound(py))?;
    }
    let (ours, theirs) = (ours[0].bound(py), theirs[0].bound(py));
    for set in [ours, theirs] {
        set.call_method0("pop")?;
        set.call_method1("add", ("another",))?;
        set.call_method1("discard", (items[0].bound(py),))?;
    }
    Ok(all_alike && answer_alike(ours, theirs)?)
}
