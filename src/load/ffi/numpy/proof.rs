//! Whether what [`super`] makes is what numpy makes of the same pickle: asked once, of every dtype of numbers that there
//! is and of records of numbers, in many shapes, with memory of their own and without, and of scalars.

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
        self.serves_records(py)
    }

    /// Records without gaps, and records that align their fields.
    fn serves_records(&self, py: Python<'_>) -> PyResult<bool> {
        let numpy = py.import("sys")?.getattr("modules")?.get_item("numpy")?;
        for aligned in [false, true] {
            let fields = [("a", "i1"), ("b", "f8"), ("c", "c8")];
            let dtype = numpy.getattr("dtype")?.call1((fields.to_vec(), aligned))?;
            let size: usize = dtype.getattr("itemsize")?.extract()?;
            let blank = Value::plain(numpy.getattr("dtype")?.call1((format!("V{size}"),))?);
            let dtype = Value::plain(dtype);
            for first in [&dtype, &blank] {
                if !self.serves_arrays(py, &dtype, first)? {
                    return Ok(false);
                }
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
        let swapped = theirs.call_method1("newbyteorder", ("S",))?;
        for dtype in [ours.bound(py), &swapped] {
            if !self.serves_scalar(py, dtype, numeric)? {
                return Ok(false);
            }
        }
        self.serves_arrays(py, &ours, &ours)
    }

    /// As `scalar`.
    fn serves_scalar(
        &self,
        py: Python<'_>,
        dtype: &Bound<'_, PyAny>,
        numeric: Numeric,
    ) -> PyResult<bool> {
        let modules = py.import("sys")?.getattr("modules")?;
        let modules = modules.cast::<PyDict>()?;
        let module = match modules.get_item("numpy._core.multiarray")? {
            Some(module) => module,
            None => modules.as_any().get_item("numpy.core.multiarray")?,
        };
        let bytes = vec![1; usize::try_from(numeric.size()).unwrap_or_default()];
        let bytes = PyBytes::new(py, &bytes);
        let ours = self.scalar(py, dtype.as_ptr(), bytes.as_bytes())?;
        let theirs = module.call_method1("scalar", (dtype, &bytes))?;
        let ours = ours.bound(py);
        Ok(ours.get_type().is(theirs.get_type())
            && references(ours) == references(&theirs)
            && ours.getattr("dtype")?.eq(theirs.getattr("dtype")?)?
            && ours
                .call_method0("tobytes")?
                .eq(theirs.call_method0("tobytes")?)?)
    }

    /// As `_reconstruct` and BUILD, of arrays that are first made of items without fields, and as `_frombuffer`.
    fn serves_arrays(&self, py: Python<'_>, dtype: &Value, blank: &Value) -> PyResult<bool> {
        let numpy = py.import("sys")?.getattr("modules")?.get_item("numpy")?;
        let array = numpy.getattr("ndarray")?;
        let item: usize = dtype.bound(py).getattr("itemsize")?.extract()?;
        let large = (COPIED / item + 1).cast_signed();
        let few = (COPIED / item).cast_signed();
        let shapes: [&[isize]; 7] = [&[], &[0], &[3], &[2, 3], &[2, 0, 3], &[few], &[2, large]];
        for shape in shapes {
            let items: usize = shape.iter().map(|side| side.cast_unsigned()).product();
            let bytes = PyBytes::new(py, &vec![1; items * item]);
            let sides = PyTuple::new(py, shape)?;
            for fortran in [false, true] {
                let theirs = array.call1(((0,), "b"))?;
                let unfilled =
                    self.new_array(py, self.bytes, &[0], ptr::null(), ptr::null_mut(), 0)?;
                let state = (1, &sides, dtype.bound(py), fortran, &bytes);
                if !same_array(py, unfilled.bound(py), &theirs, "NoneType")? {
                    return Ok(false);
                }
                theirs.call_method1("__setstate__", (state,))?;
                let layout = Layout {
                    sides: shape,
                    item: item as u64,
                    fortran,
                    axes: None,
                };
                if items > 0 {
                    let filled = self.filled(py, (dtype.object, blank.object), &layout, &bytes)?;
                    let base = theirs.getattr("base")?.get_type().name()?;
                    if !same_array(py, filled.bound(py), &theirs, &base.to_cow()?)? {
                        return Ok(false);
                    }
                }
                if !self.serves_buffers(py, dtype, shape, fortran, &bytes)? {
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
    // As they lie in memory: in another order, what is between the fields of records would not be copied.
    let bytes = |array: &Bound<'_, PyAny>| -> PyResult<Vec<u8>> {
        array.call_method1("tobytes", ("A",))?.extract()
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
