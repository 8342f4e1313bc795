//! Decimals, laid out as the C `decimal` module lays them out.
//!
//! An amount is a sign, one word of digits or two, and a place: where such objects look as expected they are written down. The
//! module's constructor parses its arguments, copies the text, parses that, and asks for a context that has no say. Open
//! only where objects made here have been compared with the module's own; never where `decimal` is the one in Python.

use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::types::PyType;

use super::late::Late;
use super::layout;
use super::value::{Make, TRACKED, Value};
use crate::policy::SmallDecimal;

/// Words in front of the number: count, type, hash, flags.
const HEADER: usize = 4;
/// Where the digits begin: behind exponent, number of digits, words in use, words there are, and where those are.
const DATA: usize = 9;
/// Where the number of words in use stands.
const USED: usize = 6;
/// Words of digits that an instance has room for.
const ROOM: u64 = 4;
const WORDS: usize = DATA + 4;
const SIZE: usize = WORDS * 8;
/// Where the flags stand, a byte, and the flag of a number below zero.
const FLAGS: usize = 3;
const NEGATIVE: u64 = 1;

/// What instances begin with.
struct Layout {
    header: [u64; HEADER],
    class: Py<PyType>,
    /// Whether the class counts its instances.
    counted: bool,
    /// Whether they take part in collection, as from 3.13 on.
    collected: bool,
}

static FOUND: Late<Layout> = Late::new();

/// A Decimal of that class: `None` where that is another class than the one whose objects are known, or none are.
#[inline]
pub fn decimal(py: Python<'_>, class: &Py<PyAny>, number: SmallDecimal) -> PyResult<Option<Value>> {
    match FOUND.get() {
        Some(found) if found.class.as_ptr() == class.as_ptr() => found.write(number).map(Some),
        Some(_) => Ok(None),
        None => {
            learn_decimals(py)?;
            Ok(None)
        }
    }
}

/// Whether the way is open, once it was asked for.
pub(super) fn learn_decimals(py: Python<'_>) -> PyResult<bool> {
    FOUND.learn(py, || Layout::found(py))
}

impl Layout {
    #[inline(always)]
    fn write(&self, number: SmallDecimal) -> Make {
        let mut header = self.header;
        header[FLAGS] |= if number.negative { NEGATIVE } else { 0 };
        let object = if self.collected {
            self.begin_collected(header)
        } else {
            layout::begin(&header, SIZE)
        };
        if object.is_null() {
            return Err(layout::no_memory());
        }
        if self.counted && !self.collected {
            // SAFETY: a live type.
            unsafe { ffi::Py_INCREF(self.class.as_ptr()) }
        }
        // SAFETY: of the words, the first are the header.
        let place = unsafe { layout::behind::<HEADER>(object) };
        // SAFETY: as above.
        let data = unsafe { layout::behind::<DATA>(object) };
        let of_word = |word: u64| u64::from(word.checked_ilog10().unwrap_or(0)) + 1;
        let (digits, used) = if number.high == 0 {
            (of_word(number.low), 1)
        } else {
            (of_word(number.high) + 19, 2)
        };
        let words = [
            number.exponent.cast_unsigned(),
            digits,
            used,
            ROOM,
            data as u64,
            number.low,
            number.high,
            0,
            0,
        ];
        // SAFETY: as many words are left, aligned.
        unsafe { place.cast::<[u64; WORDS - HEADER]>().write(words) };
        if !self.collected {
            return Ok(Value { object, info: 0 });
        }
        // SAFETY: whole, and not tracked yet.
        unsafe { ffi::PyObject_GC_Track(object.cast()) };
        let info = TRACKED;
        Ok(Value { object, info })
    }

    /// Memory for an instance that takes part in collection; its class is counted with it.
    fn begin_collected(&self, header: [u64; HEADER]) -> *mut PyObject {
        // SAFETY: attached; a type of collected objects of that size.
        let object = unsafe { ffi::PyObject_GC_New::<PyObject>(self.class.as_ptr().cast()) };
        if !object.is_null() {
            // SAFETY: of the words, the first are the header.
            unsafe { object.cast::<[u64; HEADER]>().write(header) }
        }
        object
    }

    fn found(py: Python<'_>) -> PyResult<Option<Self>> {
        let class = py.import("decimal")?.getattr("Decimal")?;
        let Ok(class) = class.cast_into::<PyType>() else {
            return Ok(None);
        };
        // SAFETY: a live type.
        let kind = unsafe { &*class.as_type_ptr() };
        // SAFETY: a live type.
        let flags = unsafe { ffi::PyType_GetFlags(class.as_type_ptr()) };
        if kind.tp_basicsize.unsigned_abs() != SIZE || kind.tp_itemsize != 0 {
            return Ok(None);
        }
        let theirs = |text: &str| {
            let mut value = Value::plain(class.call1((text,))?);
            value.info = 0;
            Ok::<_, PyErr>(value)
        };
        let mut header = layout::header::<HEADER>(&theirs("7")?);
        header[FLAGS] &= 0xff;
        let found = Self {
            header,
            class: class.clone().unbind(),
            counted: flags & ffi::Py_TPFLAGS_HEAPTYPE != 0,
            collected: flags & ffi::Py_TPFLAGS_HAVE_GC != 0,
        };
        for text in SAMPLES {
            let Some(number) = SmallDecimal::parse(text.as_bytes()) else {
                return Ok(None);
            };
            let (ours, theirs) = (found.write(number)?, theirs(text)?);
            let same = words_of(&ours) == words_of(&theirs)
                && is_tracked(&ours) == is_tracked(&theirs)
                && layout::same(py, &ours, &theirs)?;
            if !same {
                return Ok(None);
            }
        }
        Ok(Some(found))
    }
}

fn is_tracked(object: &Value) -> bool {
    // SAFETY: a live object.
    unsafe { ffi::PyObject_GC_IsTracked(object.object) != 0 }
}

/// Numbers of every shape that is written here.
const SAMPLES: [&str; 20] = [
    "0",
    "-0",
    "0.00",
    "7",
    "-7",
    "+12.50",
    ".5",
    "5.",
    "000123.4500",
    "-0.0000000000000001",
    "9999999999999999999",
    "-1234567890.123456789",
    "10000000000000000000",
    "0.1428571428571428571428571429",
    "-99999999999999999999999999999999999999",
    "123456789.00000000000000000000000000000",
    "00000000000000000000000000000000000.50",
    "1E+5",
    "-1.500e-300",
    "0E+9999",
];

/// The words of an instance that tell anything, the place of its digits counted from its own.
fn words_of(object: &Value) -> [u64; DATA + 2] {
    let mut words = layout::header::<{ DATA + 2 }>(object);
    if words[USED] < 2 {
        words[DATA + 1] = 0;
    }
    words[FLAGS] &= 0xff;
    words[DATA - 1] = words[DATA - 1].wrapping_sub(object.address() as u64);
    words
}
