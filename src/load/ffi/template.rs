//! Dicts made by copying one with the same keys and writing the values over it.
//!
//! Records have the same keys in the same order, so the table of hashes and keys is the same for all of them: the
//! interpreter copies it whole when an empty dict is updated from another one, and what is left to do is to write the
//! values (6 times as fast as to insert seven of them one by one). Where they stand is private to the interpreter: the
//! way is open only where [`found_as_expected`] has found them there.

use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;

use super::layout::answer_alike;
use super::probing::{ALL_STR, Keys};
use super::table::copy_table;
use super::value::{Survey, Value, raised};

/// Longest key of a template, in characters: templates outlive the load that made them.
const LONGEST_KEY: isize = 64;

/// Logarithm of the bytes of the index of the largest template's table.
const LARGEST_INDEX: u8 = 7;
/// An entry of such a table.
#[repr(C)]
struct Entry {
    key: *mut PyObject,
    value: *mut PyObject,
}

/// A dict of keys whose values are all None.
#[derive(Debug)]
pub struct Template {
    dict: Value,
    /// The addresses of its keys, which it keeps alive, in order.
    keys: Vec<usize>,
}

impl Template {
    /// A template of the keys of these pairs: `None` if they are not all short str, or not all different.
    pub fn of(py: Python<'_>, pairs: &[Value]) -> PyResult<Option<Self>> {
        let dict = super::dict(py)?;
        let mut keys = Vec::new();
        let none = super::none(py);
        for key in pairs.iter().step_by(2) {
            // SAFETY: asked only of an exact str.
            if !key.is_str() || unsafe { ffi::PyUnicode_GET_LENGTH(key.object) } > LONGEST_KEY {
                return Ok(None);
            }
            super::dict_set(py, &dict, key, &none)?;
            keys.push(key.address());
        }
        Ok((used(&dict) == keys.len()).then_some(Self { dict, keys }))
    }

    /// Its keys, exact str, in order.
    pub(super) fn keys(&self) -> impl Iterator<Item = *mut PyObject> {
        self.keys.iter().map(|key| *key as *mut PyObject)
    }

    /// What the values of pairs have in common whose keys are the template's, the same objects in the same order.
    #[inline(always)]
    pub fn fits(&self, pairs: &[Value]) -> Option<Survey> {
        if pairs.len() != 2 * self.keys.len() {
            return None;
        }
        let mut any = 0;
        for (pair, address) in pairs.chunks_exact(2).zip(&self.keys) {
            let [key, value] = pair else { return None };
            if key.address() != *address {
                return None;
            }
            any |= value.info;
        }
        let survey = Survey::with(any, pairs.iter());
        (!survey.symbolic()).then_some(survey)
    }

    /// Fills an exact dict, still empty, with pairs that fit. `false`: it holds the keys, and their values are to be
    /// set one by one.
    #[inline]
    pub fn fill(
        &self,
        py: Python<'_>,
        dict: &Value,
        pairs: &mut [Value],
        tracked: bool,
    ) -> PyResult<bool> {
        if copy_table(dict, table_of(&self.dict).0.cast(), pairs, tracked) {
            return Ok(true);
        }
        // SAFETY: live dicts.
        if unsafe { ffi::PyDict_Update(dict.object, self.dict.object) } < 0 {
            return Err(raised(py));
        }
        let Some(entries) = entries(dict, self.keys.len()) else {
            return Ok(false);
        };
        for (at, pair) in pairs.chunks_exact_mut(2).enumerate() {
            let [key, value] = pair else { continue };
            // SAFETY: an owned reference; the entry has another one to the same object.
            unsafe { ffi::Py_DECREF(key.take_object()) };
            // SAFETY: as many entries as keys, and as many keys as pairs.
            let entry = unsafe { entries.add(at) };
            // SAFETY: as above; nobody else has seen this dict's table.
            let entry = unsafe { &mut *entry };
            let none = std::mem::replace(&mut entry.value, value.take_object());
            // SAFETY: the reference that the entry held.
            unsafe { ffi::Py_DECREF(none) };
        }
        if tracked {
            track(dict);
        }
        Ok(true)
    }
}

/// Has the collector look at a dict, as soon as it holds what it must look at.
#[inline]
fn track(dict: &Value) {
    // SAFETY: a live object that takes part in collection.
    if unsafe { ffi::PyObject_GC_IsTracked(dict.object) } == 0 {
        // SAFETY: it is not tracked yet, and whole.
        unsafe { ffi::PyObject_GC_Track(dict.object.cast()) }
    }
}

/// Number of items of an exact dict.
#[inline(always)]
fn used(dict: &Value) -> usize {
    // SAFETY: an exact dict.
    unsafe { (*dict.object.cast::<ffi::PyDictObject>()).ma_used }.unsigned_abs()
}

/// The entries of a dict that was copied from a template with `count` keys.
#[inline(always)]
fn entries(dict: &Value, count: usize) -> Option<*mut Entry> {
    let dict = dict.object.cast::<ffi::PyDictObject>();
    // SAFETY: an exact dict.
    let shared = unsafe { !(*dict).ma_values.is_null() };
    // SAFETY: an exact dict.
    let table = unsafe { (*dict).ma_keys }.cast::<Keys>();
    // SAFETY: `found_as_expected` has seen that tables begin like this.
    let keys = unsafe { &*table };
    if shared
        || keys.kind != ALL_STR
        || keys.entries.unsigned_abs() != count
        || keys.log2_index_bytes > LARGEST_INDEX
    {
        return None;
    }
    // SAFETY: the index follows the header, the entries follow the index.
    let index = unsafe { table.add(1) }.cast::<u8>();
    // SAFETY: as above.
    let entries = unsafe { index.add(1 << keys.log2_index_bytes) };
    #[allow(clippy::cast_ptr_alignment)] // an index takes at least eight bytes, and powers of two
    Some(entries.cast())
}

/// Where the table of a dict's keys is, and how many slots it has: asked where `found_as_expected` has passed.
pub(super) fn table_of(dict: &Value) -> (*mut std::ffi::c_void, usize) {
    let dict = dict.object.cast::<ffi::PyDictObject>();
    // SAFETY: a dict.
    let table = unsafe { (*dict).ma_keys };
    // SAFETY: tables begin like this.
    let slots = unsafe { (*table.cast::<Keys>()).log2_size };
    (table.cast(), 1 << (slots & 0x3f))
}

/// Whether this interpreter's dicts keep their values where they are looked for: tried on the fullest and the emptiest
/// table of every size that a template can have, before anything is written.
pub(super) fn found_as_expected(py: Python<'_>) -> PyResult<bool> {
    for count in [2, 5, 6, 10, 11, 21, 22, super::LARGEST_TEMPLATE] {
        let mut pairs = Vec::new();
        for number in 0..count {
            pairs.push(super::ascii(py, format!("key {number}").as_bytes())?);
            pairs.push(super::float(py, 0.5)?);
        }
        let Some(template) = Template::of(py, &pairs)? else {
            return Ok(false);
        };
        let copy = super::dict(py)?;
        // SAFETY: live dicts.
        if unsafe { ffi::PyDict_Update(copy.object, template.dict.object) } < 0 {
            return Err(raised(py));
        }
        // The header is read here for the first time; its first words are older than this layout, and every table has
        // an index behind it.
        let Some(place) = entries(&copy, count) else {
            return Ok(false);
        };
        for (at, pair) in pairs.chunks_exact(2).enumerate() {
            let [key, _] = pair else { continue };
            // SAFETY: within the table, whose first entries have all been as expected.
            let entry = unsafe { place.add(at) };
            // SAFETY: as above.
            let entry = unsafe { &*entry };
            // SAFETY: only an address is taken.
            let none = unsafe { ffi::Py_None() };
            if entry.key != key.object || entry.value != none {
                return Ok(false);
            }
        }
        if !serves(py, &template, pairs)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a dict filled from a template is one: equal to what insertion makes, and usable after.
fn serves(py: Python<'_>, template: &Template, mut pairs: Vec<Value>) -> PyResult<bool> {
    let (ours, theirs) = (super::dict(py)?, super::dict(py)?);
    for pair in pairs.chunks_exact(2) {
        let [key, value] = pair else { continue };
        super::dict_set(py, &theirs, key, value)?;
    }
    if template.fits(&pairs).is_none() || !template.fill(py, &ours, &mut pairs, true)? {
        return Ok(false);
    }
    let (ours, theirs) = (ours.bound(py), theirs.bound(py));
    let before = answer_alike(ours, theirs)?;
    for dict in [ours, theirs] {
        dict.set_item("another", 1)?;
        dict.del_item("key 0")?;
        dict.set_item("key 1", 2)?;
    }
    Ok(before && answer_alike(ours, theirs)?)
}
