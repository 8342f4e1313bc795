//! An owned reference with its provenance and nesting, in two words.

use std::ptr;

use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;

/// What the loader knows of a value without looking at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Tag {
    /// An immutable value, or one that no opcode may change.
    Plain = 0,
    /// An exact list that this stream made.
    List = 1,
    /// An exact dict that this stream made.
    Dict = 2,
    /// An exact set that this stream made.
    Set = 3,
    /// A name of the policy: `entry` is its number in the policy, and there is no object yet.
    Global = 4,
    /// An instance that this stream made through the policy entry `entry`.
    Made = 5,
    /// As `Made`, and this is the one reference that BUILD may still use.
    Fresh = FRESH | 5,
    /// A persistent id's object, a buffer, or what an allowed function returned: never built, filled or called.
    External = 6,
    /// Something that only a call may consume, such as arguments that hold a name which is no value: `entry` is its
    /// index in the loader's table of symbols.
    Symbol = 7,
    /// An object outside any policy, as `pickle` treats all of them.
    Free = 8,
}

/// What `Fresh` has above `Made`: a bit of its own, so that a copy of any value is made without asking what it is.
const FRESH: u8 = 0x40;
pub(super) const TAG: u64 = 0xf | FRESH as u64;
/// The value takes part in garbage collection, so a tuple that holds it must be tracked.
pub(super) const TRACKED: u64 = 0x10;
/// The value has no object, or not yet a usable one: containers must ask the loader first.
pub(super) const SYMBOLIC: u64 = 0x20;
/// A key whose hash is the stream's to choose at no price: an int that hashes to itself.
pub(super) const FREE_KEY: u64 = 0x80;
pub(super) const DEPTH_SHIFT: u32 = 8;
pub(super) const DEPTH_ONE: u64 = 1 << DEPTH_SHIFT;
pub(super) const DEPTH: u64 = (DEPTH_MAX as u64) << DEPTH_SHIFT;
pub(super) const ENTRY_SHIFT: u32 = 32;
/// Nesting beyond which no more is counted; far above any limit in use.
pub const DEPTH_MAX: u32 = 0x00ff_ffff;

/// An owned reference with its provenance and nesting: 16 bytes.
#[derive(Debug)]
pub struct Value {
    pub(super) object: *mut PyObject,
    /// Tag, flags, nesting and entry in one word: two words travel in registers, and a value written as two words can
    /// be read as two (three fields cost a failed store-to-load forwarding, 5 ns, wherever one was copied).
    pub(super) info: u64,
}

impl Default for Value {
    #[inline(always)]
    fn default() -> Self {
        Self::HOLE
    }
}

impl Drop for Value {
    #[inline(always)]
    fn drop(&mut self) {
        if !self.object.is_null() {
            // SAFETY: `object` is an owned reference, and values only live while the interpreter is attached.
            unsafe { ffi::Py_DECREF(self.object) }
        }
    }
}

impl Clone for Value {
    fn clone(&self) -> Self {
        self.share()
    }
}

impl Value {
    /// The empty value that a move leaves behind.
    pub const HOLE: Self = Self {
        object: ptr::null_mut(),
        info: 0,
    };

    /// Takes over an owned reference; `None` if it is null, with the error indicator set.
    #[inline(always)]
    pub(super) fn owned(object: *mut PyObject, info: u64) -> Option<Self> {
        if object.is_null() {
            None
        } else {
            Some(Self { object, info })
        }
    }

    /// A value around an object.
    pub fn new(object: Bound<'_, PyAny>, tag: Tag, entry: u32) -> Self {
        Self {
            object: object.into_ptr(),
            info: tag as u64 | TRACKED | u64::from(entry) << ENTRY_SHIFT,
        }
    }

    /// An immutable object, or one that no opcode may change.
    pub fn plain(object: Bound<'_, PyAny>) -> Self {
        Self {
            object: object.into_ptr(),
            info: Tag::Plain as u64 | TRACKED,
        }
    }

    /// A value without an object: a name, or arguments not yet called with.
    #[inline]
    pub fn symbol(tag: Tag, entry: u32) -> Self {
        Self {
            object: ptr::null_mut(),
            info: tag as u64 | SYMBOLIC | TRACKED | u64::from(entry) << ENTRY_SHIFT,
        }
    }

    /// Whether this is the empty value that a move leaves behind.
    #[inline(always)]
    pub fn is_hole(&self) -> bool {
        self.object.is_null() && self.info == 0
    }

    /// What is known of the value.
    #[inline(always)]
    pub fn tag(&self) -> Tag {
        match self.info & TAG {
            0 => Tag::Plain,
            1 => Tag::List,
            2 => Tag::Dict,
            3 => Tag::Set,
            4 => Tag::Global,
            5 => Tag::Made,
            6 => Tag::External,
            7 => Tag::Symbol,
            8 => Tag::Free,
            _ => Tag::Fresh,
        }
    }

    /// Changes what is known of the value.
    #[inline]
    pub fn set_tag(&mut self, tag: Tag) {
        self.info = self.info & !TAG | tag as u64;
    }

    /// Number of the policy entry, or index in the loader's table of symbols, for the tags that have one.
    #[inline(always)]
    pub fn entry(&self) -> u32 {
        low_word(self.info >> ENTRY_SHIFT)
    }

    /// How deep the value is nested, as this reference knows it.
    #[inline(always)]
    pub fn depth(&self) -> u32 {
        low_word((self.info & DEPTH) >> DEPTH_SHIFT)
    }

    /// Notes how deep the value is nested.
    #[inline(always)]
    pub fn set_depth(&mut self, depth: u32) {
        self.info = (self.info & !DEPTH) | u64::from(depth.min(DEPTH_MAX)) << DEPTH_SHIFT;
    }

    /// Makes it an instance that this stream made through an entry, nested so deep.
    #[inline(always)]
    pub fn set_made(&mut self, entry: u32, depth: u32) {
        let depth = u64::from(depth.min(DEPTH_MAX)) << DEPTH_SHIFT;
        self.info =
            self.info & TRACKED | Tag::Fresh as u64 | depth | u64::from(entry) << ENTRY_SHIFT;
    }

    /// Whether a container must ask the loader before it takes the value.
    #[inline(always)]
    pub fn is_symbolic(&self) -> bool {
        self.info & SYMBOLIC != 0
    }

    /// Marks an instance as not usable before BUILD, or as usable.
    pub fn set_symbolic(&mut self, symbolic: bool) {
        self.info = (self.info & !SYMBOLIC) | if symbolic { SYMBOLIC } else { 0 };
    }

    /// A second reference. Only one reference to an instance may be given state, and it is not the copy.
    #[inline(always)]
    #[must_use]
    pub fn share(&self) -> Self {
        if !self.object.is_null() {
            // SAFETY: `object` is a live reference.
            unsafe { ffi::Py_INCREF(self.object) }
        }
        Self {
            object: self.object,
            info: self.info & !u64::from(FRESH),
        }
    }

    /// Whether the value has an object.
    #[inline(always)]
    pub fn has_object(&self) -> bool {
        !self.object.is_null()
    }

    /// The object.
    ///
    /// # Panics
    /// For a symbol, which has none: callers ask [`Value::has_object`] or have resolved the value. Where one should not
    /// have, this is an exception, not a crash.
    #[inline]
    pub fn bound<'v, 'py>(&'v self, _py: Python<'py>) -> &'v Bound<'py, PyAny> {
        assert!(self.has_object(), "a symbol has no object");
        // SAFETY: `Bound<PyAny>` is a non-null pointer with the token as a zero-sized field.
        unsafe { &*ptr::from_ref(&self.object).cast::<Bound<'py, PyAny>>() }
    }

    /// The object, handed over.
    ///
    /// # Panics
    /// As [`Value::bound`].
    #[inline]
    pub fn into_bound(mut self, py: Python<'_>) -> Bound<'_, PyAny> {
        let object = std::mem::replace(&mut self.object, ptr::null_mut());
        assert!(!object.is_null(), "a symbol has no object");
        // SAFETY: an owned, non-null reference, given up by `self`.
        unsafe { Bound::from_owned_ptr(py, object) }
    }

    /// Address of the object, to compare identities.
    #[inline(always)]
    pub fn address(&self) -> usize {
        self.object as usize
    }

    /// Address of the object's exact type; 0 for a symbol.
    #[inline(always)]
    pub fn type_address(&self) -> usize {
        if self.object.is_null() {
            return 0;
        }
        // SAFETY: a live object.
        let kind = unsafe { ffi::Py_TYPE(self.object) };
        kind as usize
    }

    /// Whether the object is `None`.
    #[inline(always)]
    pub fn is_none(&self) -> bool {
        // SAFETY: only an address is taken.
        self.object == unsafe { ffi::Py_None() }
    }

    /// Whether the object is an exact str.
    #[inline(always)]
    pub fn is_str(&self) -> bool {
        self.type_address() == &raw const ffi::PyUnicode_Type as usize
    }

    /// Whether the object is an exact int.
    #[inline(always)]
    pub fn is_int(&self) -> bool {
        self.type_address() == &raw const ffi::PyLong_Type as usize
    }

    /// Whether the object is an exact bytes object.
    #[inline(always)]
    pub fn is_bytes(&self) -> bool {
        self.type_address() == &raw const ffi::PyBytes_Type as usize
    }

    /// Whether the value is a key that costs nothing to hash: an exact str, or an int known to hash to itself.
    #[inline(always)]
    pub fn is_free_key(&self) -> bool {
        self.info & FREE_KEY != 0 || self.is_str()
    }

    pub(super) fn take_object(&mut self) -> *mut PyObject {
        self.info = 0;
        std::mem::replace(&mut self.object, ptr::null_mut())
    }
}

impl Value {
    #[inline(always)]
    pub(super) fn is_list(&self) -> bool {
        self.type_address() == &raw const ffi::PyList_Type as usize
    }
}

/// What the items of a container have in common.
#[derive(Clone, Copy)]
pub struct Survey {
    any: u64,
    deepest: u64,
}

impl Survey {
    /// Looks at every item; atoms have no depth to be compared.
    #[inline(always)]
    pub fn of(items: &[Value]) -> Self {
        let any = if items.len() > FEW {
            items.iter().fold(0, |any, item| any | item.info)
        } else {
            any_of_few(items)
        };
        Self::with(any, items.iter())
    }

    /// What values with these bits have in common.
    #[inline(always)]
    pub(super) fn with<'a>(any: u64, items: impl Iterator<Item = &'a Value>) -> Self {
        let deepest = if any & DEPTH == 0 { 0 } else { deepest(items) };
        Self { any, deepest }
    }

    /// Whether an item has no object yet.
    #[inline(always)]
    pub fn symbolic(self) -> bool {
        self.any & SYMBOLIC != 0
    }

    /// Depth of the deepest item.
    #[inline(always)]
    pub fn depth(self) -> u32 {
        low_word(self.deepest >> DEPTH_SHIFT)
    }

    /// Whether an item takes part in garbage collection.
    #[inline(always)]
    pub fn tracked(self) -> bool {
        self.any & TRACKED != 0
    }
}

/// Items up to which a loop that is not vectorised is faster: it needs no preparation.
const FEW: usize = 12;

#[inline(always)]
fn any_of_few(items: &[Value]) -> u64 {
    let mut any = 0;
    for item in items {
        any |= item.info;
        // The way out keeps the compiler from vectorising. What lies behind a symbol does not matter: it is asked again.
        if any & SYMBOLIC != 0 {
            return any | DEPTH | TRACKED;
        }
    }
    any
}

#[inline(never)]
fn deepest<'a>(items: impl Iterator<Item = &'a Value>) -> u64 {
    let depths = items.map(|item| item.info & DEPTH);
    depths.max().unwrap_or_default()
}

/// The low half of a word.
#[inline(always)]
#[allow(clippy::cast_possible_truncation)] // that is what it is for
pub(super) fn low_word(word: u64) -> u32 {
    word as u32
}

/// The error that a failed constructor left behind.
#[cold]
pub(super) fn raised(py: Python<'_>) -> PyErr {
    PyErr::fetch(py)
}

pub(super) type Make = PyResult<Value>;

#[inline(always)]
pub(super) fn made(py: Python<'_>, object: *mut PyObject, info: u64) -> Make {
    Value::owned(object, info).ok_or_else(|| raised(py))
}
