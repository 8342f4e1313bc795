//! Arrays of the `array` module, laid out as that lays them out.
//!
//! What a pickle holds of an array is its items as they lie in memory, or a list of them: both go there at once, without
//! the module's constructor, which parses a format for each. The way is open only where arrays made here have been
//! compared with the module's own. From 3.13 on text is left to it: it warns of one of the two typecodes.

use std::ffi::{c_int, c_long, c_uint, c_ulong, c_void};
use std::ptr;

use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyType};

use super::instances::allocated;
use super::late::Late;
use super::layout;
use super::pages::{LARGE, advise_large};
use super::stock::{alike, is_tracked};
use super::value::{Make, TRACKED, Value};

/// Typecodes of numbers, and of text of four bytes a character.
const CODES: &[u8] = if cfg!(any(Py_3_13, windows)) {
    b"bBhHiIlLqQfd"
} else {
    b"bBhHiIlLqQfdu"
};

/// What `CPython` 3.11 to 3.15 have in an array.
#[repr(C)]
struct Array {
    head: ffi::PyVarObject,
    items: *mut u8,
    /// Items that there is room for.
    room: isize,
    /// What is known of the typecode.
    kind: *const c_void,
    references: *mut PyObject,
    exports: isize,
}

/// A typecode.
#[derive(Clone, Copy)]
struct Code {
    width: usize,
    kind: *const c_void,
}

/// The class whose instances look like that.
struct Layout {
    class: Py<PyType>,
    codes: [Code; CODES.len()],
}

static FOUND: Late<Layout> = Late::new();

/// `array(typecode, bytes)`, of a whole number of items: `None` where that class or typecode is not known.
#[inline]
pub fn array_of_bytes(
    py: Python<'_>,
    class: &Py<PyAny>,
    typecode: u8,
    bytes: &[u8],
) -> PyResult<Option<Value>> {
    match known(py, class)? {
        Some(found) => found.of_bytes(py, typecode, bytes),
        None => Ok(None),
    }
}

/// `array(typecode, list)`, of an exact list: `None` as above, and where an item does not fit.
#[inline]
pub fn array_of_items(
    py: Python<'_>,
    class: &Py<PyAny>,
    typecode: u8,
    list: &Value,
) -> PyResult<Option<Value>> {
    match known(py, class)? {
        Some(found) => found.of_items(py, typecode, list),
        None => Ok(None),
    }
}

#[inline]
fn known(py: Python<'_>, class: &Py<PyAny>) -> PyResult<Option<&'static Layout>> {
    if FOUND.get().is_none() && !FOUND.learn(py, || Layout::found(class.bind(py)))? {
        return Ok(None);
    }
    Ok(FOUND
        .get()
        .filter(|found| found.class.as_ptr() == class.as_ptr()))
}

/// Whether the way is open, once it was asked for.
pub(super) fn learn_arrays(py: Python<'_>) -> PyResult<bool> {
    FOUND.learn(py, || Layout::found(&py.import("array")?.getattr("array")?))
}

impl Layout {
    #[inline]
    fn code(&self, typecode: u8) -> Option<Code> {
        let at = CODES.iter().position(|code| *code == typecode)?;
        self.codes.get(at).copied()
    }

    #[inline]
    fn of_bytes(&self, py: Python<'_>, typecode: u8, bytes: &[u8]) -> PyResult<Option<Value>> {
        let Some(code) = self.code(typecode) else {
            return Ok(None);
        };
        let Some(count) = bytes.len().checked_div(code.width) else {
            return Ok(None);
        };
        // What `array_resize` would have asked for.
        let room = if count == 0 {
            0
        } else {
            count + (count >> 4) + 3
        };
        let array = self.begin(py, code, count, room)?;
        if count > 0 {
            let place = fields(&array).items;
            // SAFETY: there is room for at least as many items, and nobody else has seen them.
            unsafe { ptr::copy_nonoverlapping(bytes.as_ptr(), place, count * code.width) };
        }
        Ok(Some(array))
    }

    fn of_items(&self, py: Python<'_>, typecode: u8, list: &Value) -> PyResult<Option<Value>> {
        let Some(code) = self.code(typecode) else {
            return Ok(None);
        };
        // SAFETY: an exact list.
        let count = unsafe { ffi::PyList_GET_SIZE(list.object) }.unsigned_abs();
        let array = self.begin(py, code, count, count)?;
        let place = fields(&array).items;
        let fits = match typecode {
            b'b' => fill::<i8>(place, list),
            b'B' => fill::<u8>(place, list),
            b'h' => fill::<i16>(place, list),
            b'H' => fill::<u16>(place, list),
            b'i' => fill::<c_int>(place, list),
            b'I' => fill::<c_uint>(place, list),
            b'l' => fill::<c_long>(place, list),
            b'L' => fill::<c_ulong>(place, list),
            b'q' => fill::<i64>(place, list),
            b'Q' => fill::<u64>(place, list),
            b'f' => fill::<f32>(place, list),
            b'd' => fill::<f64>(place, list),
            _ => code.width == size_of::<char>() && fill::<char>(place, list),
        };
        Ok(fits.then_some(array))
    }

    /// An array whose items are still to be written.
    #[inline]
    fn begin(&self, py: Python<'_>, code: Code, count: usize, room: usize) -> Make {
        // SAFETY: a live type, whose instances have no items of their own.
        let object = unsafe { allocated(py, self.class.as_ptr(), 0) }?;
        let info = TRACKED;
        let value = Value { object, info };
        // From 3.14 on the slot leaves that to who calls it.
        if cfg!(Py_3_14) && !is_tracked(&value) {
            // SAFETY: a new object of a class that the collector knows; it is whole, for there is nothing in it yet.
            unsafe { ffi::PyObject_GC_Track(object.cast()) };
        }
        let mut items = ptr::null_mut();
        if room > 0 {
            let Some(size) = room.checked_mul(code.width) else {
                return Err(layout::no_memory());
            };
            // SAFETY: attached; what the module frees with `PyMem_Free`.
            items = unsafe { ffi::PyMem_Malloc(size) }.cast::<u8>();
            if items.is_null() {
                return Err(layout::no_memory());
            }
            if size >= LARGE {
                advise_large(items, size);
            }
        }
        // SAFETY: a new array, zeroes behind its header.
        let array = unsafe { &mut *object.cast::<Array>() };
        array.head.ob_size = count.cast_signed();
        array.items = items;
        array.room = room.cast_signed();
        array.kind = code.kind;
        Ok(value)
    }

    fn found(class: &Bound<'_, PyAny>) -> PyResult<Option<Self>> {
        let py = class.py();
        let Ok(class) = class.cast::<PyType>() else {
            return Ok(None);
        };
        // SAFETY: a live type.
        let kind = unsafe { &*class.as_type_ptr() };
        if kind.tp_basicsize.unsigned_abs() != size_of::<Array>() || kind.tp_itemsize != 0 {
            return Ok(None);
        }
        let mut codes = [Code {
            width: 0,
            kind: ptr::null(),
        }; CODES.len()];
        for (code, typecode) in codes.iter_mut().zip(CODES) {
            let empty = class.call1((char::from(*typecode),))?;
            code.width = empty.getattr("itemsize")?.extract()?;
            code.kind = fields(&Value::plain(empty)).kind;
        }
        let found = Self {
            class: class.clone().unbind(),
            codes,
        };
        for typecode in CODES {
            for count in [0, 1, 33] {
                if !found.serves(py, *typecode, count)? {
                    return Ok(None);
                }
            }
        }
        Ok(Some(found))
    }

    /// Whether arrays of so many items are the module's own in all that can be asked of them.
    fn serves(&self, py: Python<'_>, typecode: u8, count: i16) -> PyResult<bool> {
        let class = self.class.bind(py);
        let name = char::from(typecode);
        let number = |at: i16| {
            i64::from(if typecode.is_ascii_uppercase() {
                at & 0x7f
            } else {
                at % 64 - 32
            })
        };
        let numbers: Vec<i64> = (0..count).map(number).collect();
        let list = if typecode == b'u' {
            let text = |number: &i64| {
                u32::try_from(0x1f600 + number)
                    .ok()
                    .and_then(char::from_u32)
            };
            PyList::new(py, numbers.iter().map(text))?
        } else {
            PyList::new(py, &numbers)?
        };
        let one_more = list.get_item(0).ok();
        let theirs = Value::plain(class.call1((name, &list))?);
        let items = Value::plain(list.into_any());
        let Some(ours) = self.of_items(py, typecode, &items)? else {
            return Ok(false);
        };
        let bytes = theirs.bound(py).call_method0("tobytes")?;
        let bytes = bytes.cast::<PyBytes>().map_err(PyErr::from)?;
        let others = Value::plain(class.call1((name, bytes))?);
        let Some(copied) = self.of_bytes(py, typecode, bytes.as_bytes())? else {
            return Ok(false);
        };
        if !same(py, &ours, &theirs)? || !same(py, &copied, &others)? {
            return Ok(false);
        }
        if count != 1 {
            return Ok(true);
        }
        for array in [&ours, &theirs, &copied, &others] {
            for _ in 0..5 {
                array.bound(py).call_method1("append", (&one_more,))?;
            }
            array.bound(py).call_method1("extend", (array.bound(py),))?;
        }
        Ok(same(py, &ours, &theirs)? && same(py, &copied, &others)?)
    }
}

fn fields(array: &Value) -> &Array {
    // SAFETY: who asks has an object of that size; words have no invalid bits.
    unsafe { &*array.object.cast::<Array>() }
}

/// Whether two arrays have the same words, but for where their items are, and answer alike.
fn same(py: Python<'_>, ours: &Value, theirs: &Value) -> PyResult<bool> {
    let words = |array: &Array| {
        (
            array.head.ob_size,
            array.room,
            array.kind,
            array.references,
            array.exports,
            array.items.is_null(),
        )
    };
    let bytes = |array: &Value| array.bound(py).call_method0("tobytes");
    let small = fields(ours).head.ob_size < 4;
    Ok(words(fields(ours)) == words(fields(theirs))
        && is_tracked(ours) == is_tracked(theirs)
        && bytes(ours)?.eq(bytes(theirs)?)?
        && (!small || alike(py, ours, theirs)?))
}

/// An item as it lies in an array.
trait Item: Copy {
    /// What an exact int or float is there, if it fits.
    fn of(object: *mut PyObject) -> Option<Self>;
}

/// The value of an exact int.
#[inline(always)]
fn int_of(object: *mut PyObject) -> Option<i64> {
    // SAFETY: a live object.
    if unsafe { ffi::Py_TYPE(object) }.cast_const() != &raw const ffi::PyLong_Type {
        return None;
    }
    let mut overflow = 0;
    // SAFETY: an exact int; overflow is no exception.
    let value = unsafe { ffi::PyLong_AsLongLongAndOverflow(object, &raw mut overflow) };
    (overflow == 0).then_some(value)
}

/// The value of an exact float, or of an int.
#[inline(always)]
#[allow(clippy::cast_precision_loss)] // as the module rounds it
fn float_of(object: *mut PyObject) -> Option<f64> {
    // SAFETY: a live object.
    if unsafe { ffi::Py_TYPE(object) }.cast_const() == &raw const ffi::PyFloat_Type {
        // SAFETY: an exact float.
        return Some(unsafe { ffi::PyFloat_AsDouble(object) });
    }
    int_of(object).map(|value| value as f64)
}

macro_rules! whole {
    ($($number:ty),*) => {$(
        impl Item for $number {
            #[inline(always)]
            fn of(object: *mut PyObject) -> Option<Self> {
                Self::try_from(int_of(object)?).ok()
            }
        }
    )*};
}

whole!(i8, u8, i16, u16, i32, u32, i64, u64);

impl Item for char {
    #[inline(always)]
    fn of(object: *mut PyObject) -> Option<Self> {
        // SAFETY: a live object.
        if unsafe { ffi::Py_TYPE(object) }.cast_const() != &raw const ffi::PyUnicode_Type {
            return None;
        }
        // SAFETY: an exact str.
        if unsafe { ffi::PyUnicode_GET_LENGTH(object) } != 1 {
            return None;
        }
        // SAFETY: it has a character; a lone surrogate is none.
        Self::from_u32(unsafe { ffi::PyUnicode_ReadChar(object, 0) })
    }
}

impl Item for f64 {
    #[inline(always)]
    fn of(object: *mut PyObject) -> Option<Self> {
        float_of(object)
    }
}

impl Item for f32 {
    #[inline(always)]
    #[allow(clippy::cast_possible_truncation)] // as the module rounds it
    fn of(object: *mut PyObject) -> Option<Self> {
        float_of(object).map(|value| value as f32)
    }
}

/// Writes the items of an exact list, up to one that does not fit; whether all did.
#[allow(clippy::cast_ptr_alignment)] // as the allocator aligns
fn fill<T: Item>(place: *mut u8, list: &Value) -> bool {
    let mut place = place.cast::<T>();
    // SAFETY: an exact list; nothing here runs code that could change it.
    let count = unsafe { ffi::PyList_GET_SIZE(list.object) };
    for at in 0..count {
        // SAFETY: within the list, whose reference is borrowed.
        let item = unsafe { ffi::PyList_GET_ITEM(list.object, at) };
        let Some(item) = T::of(item) else {
            return false;
        };
        // SAFETY: there is room for as many items as the list has.
        unsafe { place.write(item) };
        // SAFETY: at most behind the last one.
        place = unsafe { place.add(1) };
    }
    true
}
