//! What this interpreter's small objects look like in memory, found out when the module is imported.
//!
//! Nothing here is taken from the header files of some version. The words in front of an int's digits or a str's
//! characters are read from objects that the interpreter made, and objects made with these words are compared with the
//! interpreter's own; where one differs that way stays closed, and the API is called. So a version that nobody here has
//! seen is slower, and not wrong. Debug builds, free-threaded ones and a running reference tracer keep accounts of every
//! object: there all of this is off.

use std::cell::UnsafeCell;
use std::ptr;

use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;

use super::api;
use super::buffers::references;
use super::hash::{self, Hasher};
use super::ints::{self, Ints};
use super::pages::{LARGE, advise_large};
use super::scalars::{self, BYTES_WORDS};
use super::table::Tables;
use super::text::{self, ASCII_WORDS, Headers};
use super::value::{Make, Value};

/// The word of the length, in a str and in a bytes object.
const LENGTH: usize = 2;
/// Ints of one unsigned byte, all of which every version keeps for good.
const KEPT: usize = 256;
/// ASCII characters.
const CHARACTERS: usize = 128;
type Kept = Option<ptr::NonNull<PyObject>>;
/// Whether the build keeps accounts of every object, or is none that this was written for.
const ACCOUNTED: bool = cfg!(any(
    Py_GIL_DISABLED,
    py_sys_config = "Py_DEBUG",
    py_sys_config = "Py_REF_DEBUG",
    py_sys_config = "Py_TRACE_REFS",
    not(target_pointer_width = "64"),
    not(target_endian = "little")
));

/// The headers of new objects, where they have passed their test.
#[derive(Clone, Copy)]
#[allow(clippy::struct_excessive_bools)] // ways, each open or closed by itself
pub struct Layout {
    /// Whether ways may be open at all.
    open: bool,
    pub ints: Option<Ints>,
    pub float: Option<[u64; 2]>,
    pub ascii: Option<[u64; ASCII_WORDS]>,
    /// Strings that are not ASCII, by width.
    pub texts: Headers,
    pub bytes: Option<[u64; BYTES_WORDS]>,
    /// The ints that the interpreter keeps for good, from 0.
    pub small: [Kept; KEPT],
    /// The str of one ASCII character, which it keeps too.
    pub characters: [Kept; CHARACTERS],
    /// Whether the values of a dict stand where [`super::template`] looks for them.
    dicts: bool,
    /// The tables of dicts, where they can be filled.
    pub tables: Option<Tables>,
    /// Whether sets can be filled.
    pub sets: bool,
    /// What the hashes of strings are computed with.
    pub hasher: Option<Hasher>,
    /// Whether the processor can read UTF-8 in vectors, which has nothing to do with objects.
    pub vectors: bool,
    /// Whether all is closed for the sake of a reference tracer.
    #[cfg(Py_3_13)]
    traced: bool,
}

const CLOSED: Layout = Layout {
    open: false,
    ints: None,
    float: None,
    ascii: None,
    texts: [None; 3],
    bytes: None,
    small: [None; KEPT],
    characters: [None; CHARACTERS],
    dicts: false,
    tables: None,
    sets: false,
    hasher: None,
    vectors: false,
    #[cfg(Py_3_13)]
    traced: false,
};

/// A place that is only touched by who is attached.
struct Place(UnsafeCell<Layout>);

// SAFETY: the module keeps the interpreter lock (`gil_used`), and every function here is called attached.
unsafe impl Sync for Place {}

/// What [`learn`] has found.
static FOUND: Place = Place(UnsafeCell::new(CLOSED));
/// What is in use: that, or nothing while a reference tracer runs.
static LAYOUT: Place = Place(UnsafeCell::new(CLOSED));

/// What is in use.
#[inline(always)]
pub fn layout() -> &'static Layout {
    // SAFETY: see `Place`.
    unsafe { &*LAYOUT.0.get() }
}

fn install(place: &Place, layout: &Layout) {
    // SAFETY: see `Place`; what `layout` lends is copied out before anything else is called.
    unsafe { *place.0.get() = *layout }
}

/// The ways that are open, by name; text is wide where it takes four bytes a character. Those that are looked for when
/// they are first needed are looked for now.
pub fn ways(py: Python<'_>) -> PyResult<[(&'static str, bool); 19]> {
    let layout = layout();
    let [one, two, four] = layout.texts.map(|header| header.is_some());
    Ok([
        ("ints", layout.ints.is_some()),
        ("float", layout.float.is_some()),
        ("ascii", layout.ascii.is_some()),
        ("text", one && two),
        ("wide text", four),
        ("bytes", layout.bytes.is_some()),
        ("small", layout.small.iter().all(Option::is_some)),
        ("characters", layout.characters.iter().all(Option::is_some)),
        ("dicts", layout.dicts),
        ("tables", layout.tables.is_some()),
        ("sets", layout.sets),
        ("hashes", layout.hasher.is_some()),
        ("calendar", super::calendar::learn_calendar(py)?),
        ("decimals", super::decimals::learn_decimals(py)?),
        ("ordered", super::ordered::learn_ordered(py)?),
        ("numpy", super::numpy::learn_numpy(py)?),
        ("vectors", layout.vectors),
        ("generations", super::generations::learn_generations(py)?),
        ("pages", super::pages::learn_pages(py)?),
    ])
}

/// Called before each load: a reference tracer is told of every object that is made, by the API alone.
#[inline(always)]
pub fn heed_tracer(_py: Python<'_>) {
    #[cfg(Py_3_13)]
    {
        // SAFETY: attached; the tracer's data is not asked for.
        let tracer = unsafe { PyRefTracer_GetTracer(ptr::null_mut()) };
        if tracer.is_null() == layout().traced {
            switch(!tracer.is_null());
        }
    }
}

#[cold]
#[cfg(Py_3_13)]
fn switch(traced: bool) {
    // SAFETY: see `Place`.
    let found = unsafe { *FOUND.0.get() };
    let mut layout = if traced { CLOSED } else { found };
    layout.traced = traced;
    layout.vectors = found.vectors;
    install(&LAYOUT, &layout);
}

#[cfg(Py_3_13)]
unsafe extern "C" {
    /// The function that is told of every new and every dying object, or null.
    fn PyRefTracer_GetTracer(data: *mut *mut std::ffi::c_void) -> *const std::ffi::c_void;
}

/// Whether objects may be written at all.
#[inline(always)]
pub(super) fn is_open() -> bool {
    layout().open
}

/// Whether the values of a dict may be written in place.
#[inline(always)]
pub fn knows_dicts() -> bool {
    layout().dicts
}

/// Finds out what objects look like. Called while the module is imported.
///
/// The build for the tests closes every way where `PICKLIST_SLOW` is set, so that the way through the API is tested too.
pub fn learn(py: Python<'_>) -> PyResult<()> {
    if cfg!(feature = "testing") && std::env::var_os("PICKLIST_SLOW").is_some() {
        return Ok(());
    }
    let mut found = CLOSED;
    #[cfg(target_arch = "x86_64")]
    {
        found.vectors = super::vectors::available();
    }
    if !ACCOUNTED {
        found.open = true;
        learn_headers(py, &mut found)?;
        install(&LAYOUT, &found);
        prove(py, &mut found)?;
    }
    install(&FOUND, &found);
    install(&LAYOUT, &found);
    Ok(())
}

/// Reads what the interpreter writes.
fn learn_headers(py: Python<'_>, found: &mut Layout) -> PyResult<()> {
    found.ints = Some(ints::learn(py)?);
    found.float = Some(header(&api::float(py, 1.5)?));
    found.ascii = Some(header(&api::ascii(py, b"ab")?));
    found.texts = text::learn(py)?;
    found.bytes = Some(header(&api::bytes(py, b"ab")?));
    for (place, value) in found.small.iter_mut().zip(0..) {
        let (one, other) = (api::int(py, value)?, api::int(py, value)?);
        if one.address() == other.address() {
            *place = ptr::NonNull::new(one.object);
        }
    }
    for (place, byte) in found.characters.iter_mut().zip(0..) {
        let (one, other) = (api::utf8(py, &[byte])?, api::utf8(py, &[byte])?);
        if one.address() == other.address() {
            *place = ptr::NonNull::new(one.object);
        }
    }
    Ok(())
}

/// Closes the ways whose objects are not the interpreter's own.
fn prove(py: Python<'_>, found: &mut Layout) -> PyResult<()> {
    if !ints::proved(py)? {
        found.ints = None;
    }
    let floats = [0.0, -0.0, 1e300, f64::INFINITY];
    if !all_same(
        py,
        &floats,
        |v| scalars::float(py, *v),
        |v| api::float(py, *v),
    )? {
        found.float = None;
    }
    let texts: [&[u8]; 5] = [b"ab", b"abcdefg", b"abcdefgh", &[b'x'; 20], &[b'x'; 300]];
    if !all_same(py, &texts, |v| text::ascii(py, v), |v| api::ascii(py, v))? {
        found.ascii = None;
    }
    if !all_same(py, &texts, |v| scalars::bytes(py, v), |v| api::bytes(py, v))? {
        found.bytes = None;
    }
    for (header, proved) in found.texts.iter_mut().zip(text::proved(py)?) {
        if !proved {
            *header = None;
        }
    }
    found.hasher = hash::learn(py)?;
    found.dicts = super::template::found_as_expected(py)?;
    if found.dicts {
        found.tables = super::table::learn(py)?;
    }
    found.sets = super::sets::found_as_expected(py)?;
    Ok(())
}

/// Whether objects made here are the interpreter's own in all that can be asked of them.
pub fn all_same<T>(
    py: Python<'_>,
    samples: &[T],
    ours: impl Fn(&T) -> Make,
    theirs: impl Fn(&T) -> Make,
) -> PyResult<bool> {
    for sample in samples {
        if !same(py, &ours(sample)?, &theirs(sample)?)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether two objects have the same type, hash and number of references, and [`answer_alike`].
pub(super) fn same(py: Python<'_>, ours: &Value, theirs: &Value) -> PyResult<bool> {
    let (ours, theirs) = (ours.bound(py), theirs.bound(py));
    Ok(ours.get_type().is(theirs.get_type())
        && references(ours) == references(theirs)
        && ours.hash()? == theirs.hash()?
        && answer_alike(ours, theirs)?)
}

/// Whether two objects are equal, written alike and of one size.
pub(super) fn answer_alike(ours: &Bound<'_, PyAny>, theirs: &Bound<'_, PyAny>) -> PyResult<bool> {
    let size_of = ours.py().import("sys")?.getattr("getsizeof")?;
    Ok(ours.eq(theirs)?
        && ours.repr()?.to_cow()? == theirs.repr()?.to_cow()?
        && size_of.call1((ours,))?.eq(size_of.call1((theirs,))?)?)
}

/// The first words of an object that was made just now.
pub fn header<const N: usize>(object: &Value) -> [u64; N] {
    // SAFETY: every object asked about is at least that long, and words have no invalid bits.
    unsafe { ptr::read(object.object.cast::<[u64; N]>()) }
}

/// Memory for an object, with its first words written.
#[inline(always)]
pub fn begin<const N: usize>(header: &[u64; N], size: usize) -> *mut PyObject {
    // SAFETY: attached; the allocator that `tp_free` of these types gives back to.
    let object = unsafe { ffi::PyObject_Malloc(size) };
    if !object.is_null() {
        // SAFETY: callers ask for at least as much as the header takes; the allocator aligns to 16.
        unsafe { object.cast::<[u64; N]>().write(*header) }
    }
    object.cast()
}

/// As [`begin`], for what may be large enough for huge pages.
#[inline(always)]
pub fn begin_any<const N: usize>(header: &[u64; N], size: usize) -> *mut PyObject {
    if size >= LARGE {
        return begin_large(header, size);
    }
    begin(header, size)
}

#[cold]
fn begin_large<const N: usize>(header: &[u64; N], size: usize) -> *mut PyObject {
    // SAFETY: attached.
    let object = unsafe { ffi::PyObject_Malloc(size) };
    if !object.is_null() {
        advise_large(object.cast(), size);
        // SAFETY: as in `begin`.
        unsafe { object.cast::<[u64; N]>().write(*header) }
    }
    object.cast()
}

/// The object behind its header.
///
/// # Safety
/// `object` has `N` words and something behind them.
#[inline(always)]
pub unsafe fn behind<const N: usize>(object: *mut PyObject) -> *mut u64 {
    // SAFETY: the caller's promise.
    unsafe { object.cast::<u64>().add(N) }
}

/// One more reference to an object that the interpreter keeps for good.
#[inline(always)]
pub fn keep(object: ptr::NonNull<PyObject>, info: u64) -> Value {
    let object = object.as_ptr();
    // SAFETY: an object that lives as long as the interpreter.
    unsafe { ffi::Py_INCREF(object) };
    Value { object, info }
}

/// Writes the length of a new str or bytes object.
///
/// # Safety
/// `object` has been begun with the header of such a thing.
#[inline(always)]
pub unsafe fn set_length(object: *mut PyObject, length: usize) {
    // SAFETY: the caller's promise: within the header.
    let place = unsafe { behind::<LENGTH>(object) };
    // SAFETY: as above.
    unsafe { place.write(length as u64) }
}

/// Writes the length, the characters and the NUL behind them; a hole where there was no memory.
#[inline(always)]
pub fn finish<const N: usize>(object: *mut PyObject, text: &[u8]) -> Value {
    if object.is_null() {
        return Value::default();
    }
    // SAFETY: the callers have begun a str or a bytes object.
    unsafe { set_length(object, text.len()) };
    // SAFETY: the callers have asked for the header, the text and one byte.
    let place = unsafe { behind::<N>(object) };
    let place = place.cast::<u8>();
    // SAFETY: as above; a new object overlaps nothing.
    unsafe { copy(text, place) };
    // SAFETY: as above.
    let end = unsafe { place.add(text.len()) };
    // SAFETY: as above.
    unsafe { end.write(0) };
    Value { object, info: 0 }
}

/// Copies at least two bytes; up to 32 as two words that may overlap, which is less than the call of `memcpy` costs.
///
/// # Safety
/// `to` has room for the text and does not overlap it.
#[inline(always)]
unsafe fn copy(text: &[u8], to: *mut u8) {
    let length = text.len();
    match length {
        // SAFETY: the first and the last word lie within the text, and within the room.
        8..=16 => unsafe { copy_ends::<8>(text.as_ptr(), to, length) },
        // SAFETY: as above.
        4..=7 => unsafe { copy_ends::<4>(text.as_ptr(), to, length) },
        // SAFETY: as above.
        2..=3 => unsafe { copy_ends::<2>(text.as_ptr(), to, length) },
        // SAFETY: as above.
        17..=32 => unsafe { copy_ends::<16>(text.as_ptr(), to, length) },
        // SAFETY: the caller's promise.
        _ => unsafe { ptr::copy_nonoverlapping(text.as_ptr(), to, length) },
    }
}

/// Copies the first and the last `N` of `length` bytes.
///
/// # Safety
/// `N <= length <= 2 * N`; both sides have `length` bytes and do not overlap.
#[inline(always)]
#[allow(clippy::multiple_unsafe_ops_per_block)] // two ends, one promise
unsafe fn copy_ends<const N: usize>(from: *const u8, to: *mut u8, length: usize) {
    // SAFETY: the caller's promise.
    unsafe {
        let first = from.cast::<[u8; N]>().read();
        let last = from.add(length - N).cast::<[u8; N]>().read();
        to.cast::<[u8; N]>().write(first);
        to.add(length - N).cast::<[u8; N]>().write(last);
    }
}

/// What was made; an error where that is a hole.
#[inline(always)]
pub fn or_no_memory(value: Value) -> Make {
    if value.is_hole() {
        return Err(no_memory());
    }
    Ok(value)
}

#[cold]
pub fn no_memory() -> PyErr {
    pyo3::exceptions::PyMemoryError::new_err(())
}
