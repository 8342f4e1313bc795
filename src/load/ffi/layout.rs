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

use super::value::{FREE_KEY, Make, Value, made};
use crate::machine::hashing;

/// Words of a str's header in front of its ASCII characters.
const ASCII_WORDS: usize = size_of::<ffi::PyASCIIObject>() / 8;
/// Words of a bytes object's header: count, type, length, hash.
const BYTES_WORDS: usize = 4;
/// The word of the length, in both.
const LENGTH: usize = 2;
/// Below this an int may be one that the interpreter keeps for good: 257 of them up to 3.14, 1,025 from 3.15 on.
const SMALL_INTS: i64 = 1 << 11;
/// Bits of one digit of an int.
const DIGIT: u32 = 30;
/// Bytes of an int of up to two digits.
const INT_SIZE: usize = 32;
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
struct Layout {
    /// Whether ways may be open at all.
    open: bool,
    /// An int of one digit.
    int: Option<[u64; 3]>,
    /// An int of two digits.
    long: Option<[u64; 3]>,
    float: Option<[u64; 2]>,
    ascii: Option<[u64; ASCII_WORDS]>,
    bytes: Option<[u64; BYTES_WORDS]>,
    /// The ints that the interpreter keeps for good, from 0.
    small: [Kept; KEPT],
    /// The str of one ASCII character, which it keeps too.
    characters: [Kept; CHARACTERS],
    /// Whether the values of a dict stand where [`super::template`] looks for them.
    dicts: bool,
    /// Whether all is closed for the sake of a reference tracer.
    #[cfg(Py_3_13)]
    traced: bool,
}

const CLOSED: Layout = Layout {
    open: false,
    int: None,
    long: None,
    float: None,
    ascii: None,
    bytes: None,
    small: [None; KEPT],
    characters: [None; CHARACTERS],
    dicts: false,
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

#[inline(always)]
fn layout() -> &'static Layout {
    // SAFETY: see `Place`.
    unsafe { &*LAYOUT.0.get() }
}

fn install(place: &Place, layout: &Layout) {
    // SAFETY: see `Place`; what `layout` lends is copied out before anything else is called.
    unsafe { *place.0.get() = *layout }
}

/// The ways that are open, by name; those that are looked for when they are first needed are looked for now.
pub fn ways(py: Python<'_>) -> PyResult<[(&'static str, bool); 11]> {
    let layout = layout();
    Ok([
        ("int", layout.int.is_some()),
        ("long", layout.long.is_some()),
        ("float", layout.float.is_some()),
        ("ascii", layout.ascii.is_some()),
        ("bytes", layout.bytes.is_some()),
        ("small", layout.small.iter().all(Option::is_some)),
        ("characters", layout.characters.iter().all(Option::is_some)),
        ("dicts", layout.dicts),
        ("calendar", super::calendar::learn_calendar(py)?),
        ("decimals", super::decimals::learn_decimals(py)?),
        ("ordered", super::ordered::learn_ordered(py)?),
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
    if ACCOUNTED || (cfg!(feature = "testing") && std::env::var_os("PICKLIST_SLOW").is_some()) {
        return Ok(());
    }
    let mut found = CLOSED;
    found.open = true;
    found.int = Some(header(&api::int(py, 0x1234_5678)?));
    found.long = Some(header(&api::int(py, 0x1234_5678_9abc)?));
    found.float = Some(header(&api::float(py, 1.5)?));
    found.ascii = Some(header(&api::ascii(py, b"ab")?));
    found.bytes = Some(header(&api::bytes(py, b"ab")?));
    install(&LAYOUT, &found);
    for (place, value) in found.small.iter_mut().zip(0..) {
        let (one, other) = (api::int(py, value)?, api::int(py, value)?);
        if one.address() == other.address() {
            *place = ptr::NonNull::new(one.object);
        }
    }
    for (place, byte) in found.characters.iter_mut().zip(0..) {
        let (one, other) = (super::utf8(py, &[byte])?, super::utf8(py, &[byte])?);
        if one.address() == other.address() {
            *place = ptr::NonNull::new(one.object);
        }
    }
    install(&LAYOUT, &found);
    let ints = [SMALL_INTS, SMALL_INTS + 1, (1 << DIGIT) - 1];
    let longs = [1 << DIGIT, (1 << DIGIT) + 1, i64::MAX >> 3];
    let texts: [&[u8]; 4] = [b"ab", b"abcdefg", b"abcdefgh", &[b'x'; 300]];
    if !all_same(py, &ints, |v| int(py, *v), |v| api::int(py, *v))? {
        found.int = None;
    }
    if !all_same(py, &longs, |v| int(py, *v), |v| api::int(py, *v))? {
        found.long = None;
    }
    let floats = [0.0, -0.0, 1e300, f64::INFINITY];
    if !all_same(py, &floats, |v| float(py, *v), |v| api::float(py, *v))? {
        found.float = None;
    }
    if !all_same(py, &texts, |v| ascii(py, v), |v| api::ascii(py, v))? {
        found.ascii = None;
    }
    if !all_same(py, &texts, |v| bytes(py, v), |v| api::bytes(py, v))? {
        found.bytes = None;
    }
    found.dicts = super::template::found_as_expected(py)?;
    install(&FOUND, &found);
    install(&LAYOUT, &found);
    Ok(())
}

/// Whether objects made here are the interpreter's own in all that can be asked of them.
fn all_same<T>(
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

/// Whether two objects answer alike.
pub(super) fn same(py: Python<'_>, ours: &Value, theirs: &Value) -> PyResult<bool> {
    let size_of = py.import("sys")?.getattr("getsizeof")?;
    let (left, right) = (ours.bound(py), theirs.bound(py));
    Ok(left.get_type().is(right.get_type())
        && references(ours) == references(theirs)
        && left.hash()? == right.hash()?
        && left.eq(right)?
        && left.repr()?.to_cow()? == right.repr()?.to_cow()?
        && size_of.call1((left,))?.eq(size_of.call1((right,))?)?)
}

fn references(object: &Value) -> isize {
    // SAFETY: a live object.
    unsafe { ffi::Py_REFCNT(object.object) }
}

/// The first words of an object that was made just now.
pub(super) fn header<const N: usize>(object: &Value) -> [u64; N] {
    // SAFETY: every object asked about is at least that long, and words have no invalid bits.
    unsafe { ptr::read(object.object.cast::<[u64; N]>()) }
}

/// Memory for an object, with its first words written.
#[inline(always)]
pub(super) fn begin<const N: usize>(header: [u64; N], size: usize) -> *mut PyObject {
    // SAFETY: attached; the allocator that `tp_free` of these types gives back to.
    let object = unsafe { ffi::PyObject_Malloc(size) };
    if !object.is_null() {
        // SAFETY: callers ask for at least as much as the header takes; the allocator aligns to 16.
        unsafe { object.cast::<[u64; N]>().write(header) }
    }
    object.cast()
}

/// The object behind its header.
///
/// # Safety
/// `object` has `N` words and something behind them.
#[inline(always)]
pub(super) unsafe fn behind<const N: usize>(object: *mut PyObject) -> *mut u64 {
    // SAFETY: the caller's promise.
    unsafe { object.cast::<u64>().add(N) }
}

/// An int. 1.3 times as fast as the API, which looks for small ones, counts digits and calls twice.
#[inline(always)]
pub fn int(py: Python<'_>, value: i64) -> Make {
    let kept = usize::try_from(value).ok();
    if let Some(Some(object)) = kept.and_then(|value| layout().small.get(value)) {
        return Ok(keep(*object, FREE_KEY));
    }
    let (header, digits) = if (SMALL_INTS..1 << DIGIT).contains(&value) {
        (layout().int, value.cast_unsigned())
    } else if (1 << DIGIT..1 << (2 * DIGIT)).contains(&value) {
        let value = value.cast_unsigned();
        let low = value & ((1 << DIGIT) - 1);
        (layout().long, low | (value >> DIGIT) << 32)
    } else {
        let mut int = api::int(py, value)?;
        if value.unsigned_abs() < hashing::MODULUS {
            int.info = FREE_KEY;
        }
        return Ok(int);
    };
    let Some(header) = header else {
        let mut int = api::int(py, value)?;
        int.info = FREE_KEY;
        return Ok(int);
    };
    let object = begin(header, INT_SIZE);
    if object.is_null() {
        return Err(no_memory());
    }
    // SAFETY: of the 32 bytes, 24 are the header.
    let place = unsafe { behind::<3>(object) };
    // SAFETY: eight bytes are left, aligned.
    unsafe { place.write(digits) };
    Ok(Value {
        object,
        info: FREE_KEY,
    })
}

/// One more reference to an object that the interpreter keeps for good.
#[inline(always)]
fn keep(object: ptr::NonNull<PyObject>, info: u64) -> Value {
    let object = object.as_ptr();
    // SAFETY: an object that lives as long as the interpreter.
    unsafe { ffi::Py_INCREF(object) };
    Value { object, info }
}

/// The str of one ASCII character.
#[inline(always)]
pub fn character(py: Python<'_>, byte: u8) -> Make {
    match layout().characters.get(usize::from(byte)) {
        Some(Some(object)) => Ok(keep(*object, 0)),
        _ => super::utf8(py, &[byte]),
    }
}

/// A float.
#[inline(always)]
pub fn float(py: Python<'_>, value: f64) -> Make {
    let Some(header) = layout().float else {
        return api::float(py, value);
    };
    let object = begin(header, size_of::<ffi::PyFloatObject>());
    if object.is_null() {
        return Err(no_memory());
    }
    // SAFETY: of the 24 bytes, 16 are the header.
    let place = unsafe { behind::<2>(object) };
    // SAFETY: eight bytes are left, aligned.
    unsafe { place.cast::<f64>().write(value) };
    Ok(Value { object, info: 0 })
}

/// A str from ASCII of at least two characters.
#[inline(always)]
pub fn ascii(py: Python<'_>, text: &[u8]) -> Make {
    debug_assert!(text.is_ascii() && text.len() >= 2);
    let Some(mut header) = layout().ascii else {
        return api::ascii(py, text);
    };
    header[LENGTH] = text.len() as u64;
    finish::<ASCII_WORDS>(begin(header, ASCII_WORDS * 8 + text.len() + 1), text)
}

/// A bytes object of at least two bytes.
#[inline(always)]
pub fn bytes(py: Python<'_>, bytes: &[u8]) -> Make {
    debug_assert!(bytes.len() >= 2);
    let Some(mut header) = layout().bytes else {
        return api::bytes(py, bytes);
    };
    header[LENGTH] = bytes.len() as u64;
    finish::<BYTES_WORDS>(begin(header, BYTES_WORDS * 8 + bytes.len() + 1), bytes)
}

/// Writes the characters and the NUL behind them.
#[inline(always)]
fn finish<const N: usize>(object: *mut PyObject, text: &[u8]) -> Make {
    if object.is_null() {
        return Err(no_memory());
    }
    // SAFETY: the callers have asked for the header, the text and one byte.
    let place = unsafe { behind::<N>(object) };
    let place = place.cast::<u8>();
    // SAFETY: as above; a new object overlaps nothing.
    unsafe { copy(text, place) };
    // SAFETY: as above.
    let end = unsafe { place.add(text.len()) };
    // SAFETY: as above.
    unsafe { end.write(0) };
    Ok(Value { object, info: 0 })
}

/// Copies at least two bytes; up to 16 as two words that may overlap, which is less than the call of `memcpy` costs.
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

#[cold]
pub(super) fn no_memory() -> PyErr {
    pyo3::exceptions::PyMemoryError::new_err(())
}

/// The same by the interpreter's API.
mod api {
    use super::{Make, Python, Value, ffi, made, ptr};
    use crate::load::ffi::value::raised;

    #[inline]
    pub fn int(py: Python<'_>, value: i64) -> Make {
        // SAFETY: attached.
        let object = unsafe { ffi::PyLong_FromLongLong(value) };
        made(py, object, 0)
    }

    #[inline]
    pub fn float(py: Python<'_>, value: f64) -> Make {
        // SAFETY: attached.
        let object = unsafe { ffi::PyFloat_FromDouble(value) };
        made(py, object, 0)
    }

    /// One allocation and one copy, 1.5 times as fast as the decoder.
    pub fn ascii(py: Python<'_>, text: &[u8]) -> Make {
        // SAFETY: attached.
        let object = unsafe { ffi::PyUnicode_New(text.len().cast_signed(), 127) };
        if object.is_null() {
            return Err(raised(py));
        }
        // SAFETY: the characters of a compact ASCII str follow its header. Asking `PyUnicode_1BYTE_DATA` would read
        // bits that were written just now by other widths: a failed store-to-load forwarding, 4 ns.
        let data = unsafe { object.cast::<u8>().add(size_of::<ffi::PyASCIIObject>()) };
        // SAFETY: a new str has `len` writable bytes there and nobody else has seen it; the two do not overlap.
        unsafe { ptr::copy_nonoverlapping(text.as_ptr(), data, text.len()) };
        Ok(Value { object, info: 0 })
    }

    #[inline]
    pub fn bytes(py: Python<'_>, bytes: &[u8]) -> Make {
        // SAFETY: pointer and length are one slice's.
        let object = unsafe {
            ffi::PyBytes_FromStringAndSize(bytes.as_ptr().cast(), bytes.len().cast_signed())
        };
        made(py, object, 0)
    }
}
