//! Whether what [`super`] makes is what numpy makes of the same pickle: asked once, of every dtype of numbers that there
//! is, in many shapes, with memory of their own and without.

use std::ptr;

use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyDict, PyTuple};

use super::super::buffers::references;
use super::super::value::Value;
use super::{Api, COPIED, Held, Layout};
use crate::policy::numpy::Numeric;

impl Api {
    /// Whether what is made here is what numpy makes of the same pickle.
    pub(super) fn serves(&self, py: Python<'_>) -> PyResult<bool> {
        for numeric in Numeric::all() {
            let known = self.dtypes.get(numeric.index()).copied();
            if known.is_some_and(|known| !known.is_null()) && !self.serves_dtype(py, numeric)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn serves_dtype(&self, py: Python<'_>, numeric: Numeric) -> PyResult<bool> {
        let numpy = py.import("sys")?.getattr("modules")?.get_item("numpy")?;
        let class = numpy.getattr("dtype")?;
        let ours = self.dtype(py, numeric)?;
        let theirs = class.call1((numeric.code(), false, true))?;
        if !same_dtype(ours.bound(py), &theirs)? {
            return Ok(false);
        }
        let array = numpy.getattr("ndarray")?;
        let item = usize::try_from(numeric.size()).unwrap_or(1);
        let large = (COPIED / item + 1).cast_signed();
        let few = (COPIED / item).cast_signed();
        let shapes: [&[isize]; 7] = [&[], &[0], &[3], &[2, 3], &[2, 0, 3], &[few], &[2, large]];
        for shape in shapes {
            let items: usize = shape.iter().map(|side| side.cast_unsigned()).product();
            let bytes = PyBytes::new(py, &vec![1; items * item]);
            let sides = PyTuple::new(py, shape)?;
            for fortran in [false, true] {
                // As `_reconstruct` and BUILD.
                let theirs = array.call1(((0,), "b"))?;
                let unfilled =
                    self.new_array(py, self.bytes, &[0], ptr::null(), ptr::null_mut(), 0)?;
                let state = (1, &sides, ours.bound(py), fortran, &bytes);
                if !same_array(py, unfilled.bound(py), &theirs, "NoneType")? {
                    return Ok(false);
                }
                theirs.call_method1("__setstate__", (state,))?;
                let layout = Layout {
                    sides: shape,
                    item: numeric.size(),
                    fortran,
                    axes: None,
                };
                if items > 0 {
                    let filled = self.filled(py, ours.object, &layout, &bytes)?;
                    let base = theirs.getattr("base")?.get_type().name()?;
                    if !same_array(py, filled.bound(py), &theirs, &base.to_cow()?)? {
                        return Ok(false);
                    }
                }
                if !self.serves_buffers(py, &ours, shape, fortran, &bytes)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// As `_frombuffer`, of bytes and of a bytearray.
    fn serves_buffers(
        &self,
        py: Python<'_>,
        dtype: &Value,
        shape: &[isize],
        fortran: bool,
        bytes: &Bound<'_, PyBytes>,
    ) -> PyResult<bool> {
        let numpy = py.import("sys")?.getattr("modules")?.get_item("numpy")?;
        let item: u64 = dtype.bound(py).getattr("itemsize")?.extract()?;
        let array = PyByteArray::new(py, bytes.as_bytes());
        for (buffer, base) in [(bytes.as_any(), "bytes"), (array.as_any(), "memoryview")] {
            let theirs = numpy.call_method1("frombuffer", (buffer, dtype.bound(py)))?;
            let keywords = PyDict::new(py);
            keywords.set_item("order", if fortran { "F" } else { "C" })?;
            let sides = PyTuple::new(py, shape)?;
            let theirs = theirs.call_method("reshape", (sides,), Some(&keywords))?;
            let mut layout = Layout {
                sides: shape,
                item,
                fortran,
                axes: None,
            };
            let ours = self.over(py, Held::of(buffer)?, dtype.object, &layout)?;
            if !same_array(py, ours.bound(py), &theirs, base)? {
                return Ok(false);
            }
            if !fortran {
                let axes: Vec<isize> = (0..shape.len().cast_signed()).rev().collect();
                layout.axes = Some(&axes);
                let theirs = theirs.call_method1("transpose", (PyTuple::new(py, &axes)?,))?;
                let ours = self.over(py, Held::of(buffer)?, dtype.object, &layout)?;
                if !same_array(py, ours.bound(py), &theirs, base)? {
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }
}

/// Whether two dtypes are equal copies.
fn same_dtype(ours: &Bound<'_, PyAny>, theirs: &Bound<'_, PyAny>) -> PyResult<bool> {
    let same = |name: &str| -> PyResult<bool> { ours.getattr(name)?.eq(theirs.getattr(name)?) };
    Ok(ours.get_type().is(theirs.get_type())
        && references(ours) == references(theirs)
        && ours.eq(theirs)?
        && ours.hash()? == theirs.hash()?
        && same("str")?
        && same("char")?
        && same("num")?
        && same("itemsize")?
        && same("alignment")?
        && same("flags")?
        && same("metadata")?)
}

/// Whether two arrays are alike in all that can be asked of them; the base of ours is of that type.
fn same_array(
    py: Python<'_>,
    ours: &Bound<'_, PyAny>,
    theirs: &Bound<'_, PyAny>,
    base: &str,
) -> PyResult<bool> {
    let same = |name: &str| -> PyResult<bool> { ours.getattr(name)?.eq(theirs.getattr(name)?) };
    let flags = |array: &Bound<'_, PyAny>| -> PyResult<String> {
        Ok(array.getattr("flags")?.repr()?.to_cow()?.into_owned())
    };
    let bytes = |array: &Bound<'_, PyAny>| -> PyResult<Vec<u8>> {
        array.call_method0("tobytes")?.extract()
    };
    let size_of = py.import("sys")?.getattr("getsizeof")?;
    Ok(ours.get_type().is(theirs.get_type())
        && references(ours) == references(theirs)
        && same("dtype")?
        && same("shape")?
        && same("strides")?
        && same("nbytes")?
        && flags(ours)? == flags(theirs)?
        && bytes(ours)? == bytes(theirs)?
        && *ours.getattr("base")?.get_type().name()?.to_cow()? == *base
        && size_of.call1((ours,))?.eq(size_of.call1((theirs,))?)?)
}
