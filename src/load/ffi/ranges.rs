//! Ranges and slices.
//!
//! A range is its three numbers and its length, which the interpreter computes in ints of any size: where they fit in
//! 64 bits, and ranges look as expected, it is written down.

use std::ptr;

use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;

use super::late::Late;
use super::layout;
use super::value::{Make, TRACKED, Value, made};

/// Words in front of the numbers: count, type.
const HEADER: usize = 2;
/// Bytes of an instance.
const SIZE: usize = (HEADER + 4) * 8;

/// What ranges begin with.
struct Layout([u64; HEADER]);

static FOUND: Late<Layout> = Late::new();

/// A range of three exact ints of 64 bits, the step not 0; `None` where the length is beyond those, or ranges are not
/// known.
#[inline]
pub fn range(py: Python<'_>, args: &[Value; 3], numbers: [i64; 3]) -> PyResult<Option<Value>> {
    if FOUND.get().is_none() && !learn_ranges(py)? {
        return Ok(None);
    }
    match (FOUND.get(), length(numbers)) {
        (Some(found), Some(length)) => found.write(py, args, length).map(Some),
        _ => Ok(None),
    }
}

/// A slice of any three objects.
#[inline]
pub fn slice(py: Python<'_>, [start, end, step]: &[Value; 3]) -> Make {
    // SAFETY: live objects.
    let object = unsafe { ffi::PySlice_New(start.object, end.object, step.object) };
    made(py, object, TRACKED)
}

/// How many numbers there are.
#[inline]
fn length([start, end, step]: [i64; 3]) -> Option<i64> {
    let (low, high) = if step > 0 { (start, end) } else { (end, start) };
    if low >= high {
        return Some(0);
    }
    let span = high.wrapping_sub(low).cast_unsigned() - 1;
    i64::try_from(span.checked_div(step.unsigned_abs())?)
        .ok()?
        .checked_add(1)
}

/// Whether the way is open, once it was asked for.
#[cold]
pub(super) fn learn_ranges(py: Python<'_>) -> PyResult<bool> {
    FOUND.learn(py, || Layout::found(py))
}

impl Layout {
    #[inline]
    fn write(&self, py: Python<'_>, args: &[Value; 3], length: i64) -> Make {
        let mut length = super::int(py, length)?;
        let object: *mut PyObject = layout::begin(&self.0, SIZE);
        if object.is_null() {
            return Err(layout::no_memory());
        }
        let [start, end, step] = args.each_ref().map(|arg| arg.share().take_object());
        let numbers = [start, end, step, length.take_object()];
        // SAFETY: of the six words, two are the header.
        let place = unsafe { layout::behind::<HEADER>(object) };
        // SAFETY: four words are left, aligned; the references are handed over.
        unsafe { place.cast::<[*mut PyObject; 4]>().write(numbers) };
        let info = TRACKED;
        Ok(Value { object, info })
    }

    fn found(py: Python<'_>) -> PyResult<Option<Self>> {
        let class = &raw const ffi::PyRange_Type;
        // SAFETY: a live type.
        let kind = unsafe { &*class };
        let counted = ffi::Py_TPFLAGS_HEAPTYPE | ffi::Py_TPFLAGS_HAVE_GC;
        // SAFETY: a live type.
        let counts = unsafe { ffi::PyType_GetFlags(class.cast_mut()) } & counted != 0;
        if kind.tp_basicsize.unsigned_abs() != SIZE || kind.tp_itemsize != 0 || counts {
            return Ok(None);
        }
        let theirs = |numbers: [i64; 3]| -> Make {
            let args = numbers.map(|number| super::int(py, number));
            let [start, end, step] = args;
            let (start, end, step) = (start?, end?, step?);
            // SAFETY: attached; three ints.
            let object = unsafe {
                ffi::PyObject_CallFunctionObjArgs(
                    class.cast_mut().cast(),
                    start.object,
                    end.object,
                    step.object,
                    ptr::null_mut::<PyObject>(),
                )
            };
            made(py, object, 0)
        };
        let found = Self(layout::header(&theirs([1000, 2000, 300])?));
        for numbers in SAMPLES {
            let [start, end, step] = numbers;
            let args = [
                super::int(py, start)?,
                super::int(py, end)?,
                super::int(py, step)?,
            ];
            let Some(length) = length(numbers) else {
                return Ok(None);
            };
            let (ours, theirs) = (found.write(py, &args, length)?, theirs(numbers)?);
            let same = layout::header::<HEADER>(&ours) == layout::header::<HEADER>(&theirs)
                && layout::same(py, &ours, &theirs)?
                && numbers_of(py, &ours)? == numbers_of(py, &theirs)?;
            if !same {
                return Ok(None);
            }
        }
        Ok(Some(found))
    }
}

/// Ranges of all kinds.
const SAMPLES: [[i64; 3]; 8] = [
    [0, 0, 1],
    [1000, 2000, 300],
    [2000, 1000, -1],
    [5, 1, 1],
    [1, 5, -1],
    [-1000, 1000, 999],
    [i64::MIN, -1, 1],
    [0, i64::MAX, i64::MAX],
];

/// What a range says of itself: its words, as it computes with them.
fn numbers_of(py: Python<'_>, range: &Value) -> PyResult<[i64; 4]> {
    let range = range.bound(py);
    let number = |name: &str| range.getattr(name)?.extract();
    let length = range.call_method0("__len__")?.extract()?;
    Ok([number("start")?, number("stop")?, number("step")?, length])
}
