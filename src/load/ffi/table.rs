//! A dict's table of keys, filled with a batch of pairs at once.
//!
//! `PyDict_SetItem` is three calls a pair, counts references that are then given back, and grows a table that will hold
//! ten keys twice. Here the table of a new dict is made in the size to which insertion would have brought it, and the
//! references are moved into it; a dict that has room takes pairs in place, one that has none is left to the interpreter
//! to resize. Keys are exact str, and ints that hash to themselves; whatever else there is, and every key that has the
//! hash of another one, is left to `PyDict_SetItem`: so nothing is ever compared here. 2 times as fast on dicts of ten
//! ints, 1.1 to 1.2 on sessions, 1.5 on 300,000 strings (together with [`super::probing`]).
//!
//! What a table looks like is private to the interpreter, the same from 3.11 to 3.15: the way is open only where
//! [`learn`] has found it so.

use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;

use super::layout::{answer_alike, layout};
use super::probing::{ALL_STR, Keys, insert};
use super::value::{FREE_KEY, TRACKED, Value};

/// The kind of a table with keys of any type.
const GENERAL: u8 = 0;
/// Logarithm of the slots of the smallest table.
const LEAST: u8 = 3;
/// Logarithm of the slots of the largest table that is made here, more than any pickler writes at once; larger ones come
/// from the interpreter.
const LARGEST: u8 = 15;
/// That of the largest table that is filled here.
const LARGEST_FILLED: u8 = 30;
/// References to a dict that is still in nobody's hands: the stack's and the memo's.
const OURS: isize = 2;

/// What is known of this interpreter's tables.
#[derive(Clone, Copy)]
pub struct Tables {
    /// The one that all empty dicts share.
    empty: usize,
    /// Whether that one counts the dicts that have it.
    counted: bool,
}

/// Moves pairs into an exact dict: as many of the first ones as need neither a comparison nor a larger table, nor another
/// way to be hashed. Holes are left of them.
#[inline(always)]
pub fn dict_take(dict: &Value, pairs: &mut [Value], tracked: bool) -> usize {
    match (&layout().tables, pairs.first()) {
        (Some(tables), Some(key)) if key.is_free_key() => take(tables, dict, pairs, tracked),
        _ => 0,
    }
}

#[inline(never)]
fn take(tables: &Tables, dict: &Value, pairs: &mut [Value], tracked: bool) -> usize {
    // SAFETY: a live object.
    if unsafe { ffi::Py_REFCNT(dict.object) } > OURS {
        return 0;
    }
    // SAFETY: an exact dict; with the GIL held nobody else looks at its fields.
    let fields = unsafe { &mut *dict.object.cast::<ffi::PyDictObject>() };
    if !fields.ma_values.is_null() {
        return 0;
    }
    let count = if fields.ma_keys as usize == tables.empty {
        begin(tables, fields, pairs)
    } else {
        extend(fields, pairs)
    };
    let Some(taken) = pairs.get_mut(..2 * count) else {
        return 0;
    };
    if tracked {
        track(dict, taken);
    }
    for each in taken {
        // The reference is the dict's now.
        each.take_object();
    }
    count
}

/// Has the collector look at a dict, as the interpreter does: as soon as it holds what the collector must look at.
#[inline(always)]
fn track(dict: &Value, pairs: &[Value]) {
    // SAFETY: a live object that takes part in collection.
    if unsafe { ffi::PyObject_GC_IsTracked(dict.object) } == 0 && pairs.iter().any(may_be_tracked) {
        // SAFETY: it is not tracked yet, and whole.
        unsafe { ffi::PyObject_GC_Track(dict.object.cast()) }
    }
}

/// Whether the collector must look at what holds an object.
fn may_be_tracked(value: &Value) -> bool {
    if value.info & TRACKED == 0 || value.object.is_null() {
        return false;
    }
    // SAFETY: a live object.
    if unsafe { ffi::PyObject_IS_GC(value.object) } == 0 {
        return false;
    }
    // SAFETY: a live object.
    let tuple = unsafe { ffi::PyTuple_CheckExact(value.object) } != 0;
    // SAFETY: a live object that takes part in collection.
    !tuple || unsafe { ffi::PyObject_GC_IsTracked(value.object) } != 0
}

/// Makes the table of a dict that has none.
fn begin(tables: &Tables, dict: &mut ffi::PyDictObject, pairs: &[Value]) -> usize {
    let Some(first) = pairs.first() else {
        return 0;
    };
    let mut count = (pairs.len() / 2).min(usable(LARGEST));
    let kind = match (first.is_str(), first.info & FREE_KEY) {
        // The interpreter has such tables in store, and gives one for the first pair.
        (true, _) if count <= usable(LEAST) => return 0,
        (true, _) => ALL_STR,
        (false, 0) => return 0,
        (false, _) => GENERAL,
    };
    loop {
        let log2 = log2_for(count);
        let table = new_table(log2, kind);
        if table.is_null() {
            return 0;
        }
        // SAFETY: a new table with room for so many.
        let done = unsafe { insert(table, pairs.get(..2 * count).unwrap_or_default()) };
        if log2_for(done) == log2 {
            give(tables, dict, table, done);
            return done;
        }
        // One pair is not for us. It goes behind those in front of it, whose table is smaller.
        // SAFETY: nobody else has it, and it holds no references yet.
        unsafe { free_table(table) };
        count = done;
    }
}

/// Inserts pairs into a dict as long as there is room in its table.
fn extend(dict: &mut ffi::PyDictObject, pairs: &[Value]) -> usize {
    let table = dict.ma_keys.cast::<Keys>();
    // SAFETY: `learn` has seen that tables begin like this.
    let keys = unsafe { &*table };
    if keys.references != 1
        || keys.kind > ALL_STR
        || !(LEAST..=LARGEST_FILLED).contains(&keys.log2_size)
        || keys.log2_index_bytes != log2_index(keys.log2_size)
        || dict.ma_used != keys.entries
        || keys.usable + keys.entries != usable(keys.log2_size).cast_signed()
    {
        // Shared, or something was deleted.
        return 0;
    }
    let room = pairs.len().min(2 * keys.usable.unsigned_abs());
    // SAFETY: there is room, and nothing was deleted.
    let done = unsafe { insert(table, pairs.get(..room).unwrap_or_default()) };
    dict.ma_used += done.cast_signed();
    done
}

/// How many of its slots a table fills.
#[inline(always)]
fn usable(log2: u8) -> usize {
    (2 << (log2 & 0x1f)) / 3
}

/// Logarithm of the slots of the table that holds so many keys when they were inserted one by one.
#[inline(always)]
fn log2_for(count: usize) -> u8 {
    let twice = (3 * count).next_power_of_two().trailing_zeros();
    u8::try_from(twice).map_or(LARGEST, |twice| twice.saturating_sub(1).max(LEAST))
}

/// Logarithm of the bytes of an index.
#[inline(always)]
fn log2_index(log2: u8) -> u8 {
    log2 + u8::from(log2 >= 8) + u8::from(log2 >= 16)
}

/// Bytes of a header and its index, and of the entries behind them.
#[inline(always)]
fn sizes(log2: u8, kind: u8) -> (usize, usize) {
    let words = if kind == ALL_STR { 2 } else { 3 };
    let index = 1_usize << (log2_index(log2) & 0x3f);
    let entries = usable(log2) * words * size_of::<usize>();
    (size_of::<Keys>() + index, entries)
}

/// An empty table, or null where there is no memory. No entry is looked at before it is written.
#[inline(always)]
fn new_table(log2: u8, kind: u8) -> *mut Keys {
    let (front, entries) = sizes(log2, kind);
    let table = allocate(front + entries);
    if table.is_null() {
        return table;
    }
    let header = Keys {
        references: 1,
        log2_size: log2,
        log2_index_bytes: log2_index(log2),
        kind,
        version: 0,
        usable: usable(log2).cast_signed(),
        entries: 0,
    };
    // SAFETY: as large as that; the allocator aligns to 16.
    unsafe { table.write(header) };
    // SAFETY: the index follows the header.
    let index = unsafe { table.add(1) }.cast::<u8>();
    // SAFETY: as above.
    unsafe { index.write_bytes(0xff, front - size_of::<Keys>()) };
    table
}

/// Gives an exact or ordered dict that has no table a copy of one of the same keys, and moves the pairs into it. `false`:
/// nothing was done.
#[inline(always)]
pub(super) fn copy_table(
    dict: &Value,
    model: *const Keys,
    pairs: &mut [Value],
    tracked: bool,
) -> bool {
    let Some(tables) = &layout().tables else {
        return false;
    };
    // SAFETY: a live dict; with the GIL held nobody else looks at its fields.
    let fields = unsafe { &mut *dict.object.cast::<ffi::PyDictObject>() };
    // SAFETY: a live object.
    let ours = unsafe { ffi::Py_REFCNT(dict.object) } <= OURS;
    // SAFETY: a template's table.
    let log2 = unsafe { (*model).log2_size };
    if !ours || fields.ma_keys as usize != tables.empty || log2 > LARGEST {
        return false;
    }
    let (front, entries) = sizes(log2, ALL_STR);
    let table = allocate(front + entries);
    if table.is_null() {
        return false;
    }
    // SAFETY: both are that long; what is new overlaps nothing.
    unsafe {
        table
            .cast::<u8>()
            .copy_from_nonoverlapping(model.cast(), front);
    };
    // SAFETY: a header.
    let keys = unsafe { &mut *table };
    (keys.references, keys.version) = (1, 0);
    if tracked {
        track(dict, pairs);
    }
    // SAFETY: the entries follow the index.
    let place = unsafe { table.cast::<u8>().add(front) };
    #[allow(clippy::cast_ptr_alignment)] // an index takes at least eight bytes, and powers of two
    let mut place = place.cast::<*mut PyObject>();
    for each in pairs.iter_mut() {
        // SAFETY: the table has at least as many entries as pairs; the reference is handed over.
        unsafe { place.write(each.take_object()) };
        // SAFETY: at most behind the last entry.
        place = unsafe { place.add(1) };
    }
    give(tables, fields, table, pairs.len() / 2);
    true
}

/// Gives a dict that has no table one with so many keys.
#[inline(always)]
fn give(tables: &Tables, dict: &mut ffi::PyDictObject, table: *mut Keys, count: usize) {
    dict.ma_keys = table.cast();
    dict.ma_used = count.cast_signed();
    if tables.counted {
        // SAFETY: the dict had a reference to it.
        unsafe { (*(tables.empty as *mut Keys)).references -= 1 };
    }
}

/// Memory for a table, from where the interpreter takes it.
#[inline(always)]
fn allocate(size: usize) -> *mut Keys {
    #[cfg(Py_3_13)]
    // SAFETY: attached.
    let memory = unsafe { ffi::PyMem_Malloc(size) };
    #[cfg(not(Py_3_13))]
    // SAFETY: attached.
    let memory = unsafe { ffi::PyObject_Malloc(size) };
    memory.cast()
}

/// Gives the memory of a table back.
///
/// # Safety
/// From [`allocate`], and nobody else's.
#[inline(always)]
unsafe fn free_table(table: *mut Keys) {
    #[cfg(Py_3_13)]
    // SAFETY: the caller's promise.
    unsafe {
        ffi::PyMem_Free(table.cast());
    }
    #[cfg(not(Py_3_13))]
    // SAFETY: the caller's promise.
    unsafe {
        ffi::PyObject_Free(table.cast());
    }
}

/// Whether tables are as written above: looked at in what the interpreter makes, then in what is made here.
pub(super) fn learn(py: Python<'_>) -> PyResult<Option<Tables>> {
    if py.version_info() >= (3, 16) {
        // Where a table's memory comes from cannot be seen.
        return Ok(None);
    }
    let table = |dict: &Value| {
        let dict = dict.object.cast::<ffi::PyDictObject>();
        // SAFETY: an exact dict.
        unsafe { (*dict).ma_keys }.cast::<Keys>()
    };
    let (one, other) = (super::dict(py)?, super::dict(py)?);
    let empty = table(&one);
    // SAFETY: all tables begin with a header.
    let before = unsafe { (*empty).references };
    let third = super::dict(py)?;
    // SAFETY: as above.
    let references = unsafe { (*empty).references };
    // SAFETY: as above.
    let log2 = unsafe { (*empty).log2_size };
    let added = references - before;
    if log2 != 0 || table(&other) != empty || table(&third) != empty || !(0..=1).contains(&added) {
        return Ok(None);
    }
    let tables = Tables {
        empty: empty as usize,
        counted: added == 1,
    };
    let text = |number: usize| super::ascii(py, format!("key {number}").as_bytes());
    let int = |number: usize| super::int(py, i64::try_from(number).unwrap_or(-1) * 77 - 1000);
    for (first, count) in [(3, 5), (6, 6), (86, 171)] {
        let texts = (0..count).map(text).collect::<PyResult<Vec<_>>>()?;
        let ints = (0..count).map(int).collect::<PyResult<Vec<_>>>()?;
        if !serves(py, &tables, texts, first)? || !serves(py, &tables, ints, first)? {
            return Ok(None);
        }
    }
    // SAFETY: as above.
    let after = unsafe { (*empty).references };
    Ok((after == references).then_some(tables))
}

/// Whether a dict filled with such keys, in two batches, is what insertion makes of them, and usable after.
fn serves(py: Python<'_>, tables: &Tables, keys: Vec<Value>, first: usize) -> PyResult<bool> {
    let (ours, theirs) = (super::dict(py)?, super::dict(py)?);
    let mut pairs = Vec::new();
    for key in keys {
        let value = super::none(py);
        super::dict_set(py, &theirs, &key, &value)?;
        pairs.extend([key, value]);
    }
    let (one, two) = pairs.split_at_mut(2 * first);
    for batch in [one, two] {
        let mut rest = batch;
        while let count = take(tables, &ours, rest, true)
            && let Some((_, left)) = rest.split_at_mut_checked(2 * count)
            && !left.is_empty()
        {
            let (pair, left) = left.split_at_mut(2);
            super::dict_set(py, &ours, &pair[0], &pair[1])?;
            rest = left;
        }
    }
    let (ours, theirs) = (ours.bound(py), theirs.bound(py));
    let before = answer_alike(ours, theirs)?;
    for dict in [ours, theirs] {
        dict.call_method0("popitem")?;
        dict.set_item("another", 1)?;
        dict.call_method1("setdefault", (2, 3))?;
    }
    Ok(before && answer_alike(ours, theirs)?)
}
