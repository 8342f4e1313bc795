//! numpy's arrays, scalars and dtypes, by the C API that numpy hands to other extensions.
//!
//! The table of that API is taken from the module that is there, never imported, and only where it is of a version that
//! is known. Everything made here is compared with what numpy makes of the same pickle, once; where one differs, or the
//! ways of [`super::layout`] are closed, numpy's functions are called. A dtype costs a third of that, an array over a
//! buffer a fifth.

mod proof;

use std::ffi::{c_int, c_uint, c_void};
use std::ptr;

use pyo3::ffi::{self, PyObject, PyTypeObject};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use super::buffers::Held;
use super::late::Late;
use super::value::{Make, Value, made, raised};
use crate::policy::numpy::{MAX_DIMENSIONS, Numeric};

/// Slots of the table, the same in all versions of numpy 1 and 2.
const VERSION: usize = 0;
const ARRAY_TYPE: usize = 2;
const SCALAR: usize = 60;
const NEW_FROM_DESCR: usize = 94;
const DESCR_NEW: usize = 95;
const SET_BASE_OBJECT: usize = 282;
/// What the function in the slot of the version returns: numpy 1 and numpy 2.
const VERSIONS: [c_uint; 2] = [0x0100_0009, 0x0200_0000];

const C_CONTIGUOUS: c_int = 0x0001;
const F_CONTIGUOUS: c_int = 0x0002;
const ALIGNED: c_int = 0x0100;
const WRITEABLE: c_int = 0x0400;

/// Bytes up to which numpy copies what a pickle has; above them the bytes object is kept as the array's base.
pub const COPIED: usize = 1000;

type NewFromDescr = unsafe extern "C" fn(
    *mut PyTypeObject,
    *mut PyObject,
    c_int,
    *const isize,
    *const isize,
    *mut c_void,
    c_int,
    *mut PyObject,
) -> *mut PyObject;

type DescrNew = unsafe extern "C" fn(*mut PyObject) -> *mut PyObject;
type Scalar = unsafe extern "C" fn(*mut c_void, *mut PyObject, *mut PyObject) -> *mut PyObject;
type SetBaseObject = unsafe extern "C" fn(*mut PyObject, *mut PyObject) -> c_int;
/// What a slot of the table holds.
type Slot = *const c_void;

/// What is used of the table.
#[derive(Clone, Copy)]
struct Api {
    array: *mut PyTypeObject,
    scalar: Scalar,
    new_from_descr: NewFromDescr,
    descr_new: DescrNew,
    set_base_object: SetBaseObject,
    /// numpy's own dtypes of numbers, for good.
    dtypes: [*mut PyObject; Numeric::COUNT],
    /// That of an array without state.
    bytes: *mut PyObject,
}

static FOUND: Late<Api> = Late::new();

/// How an array begins, which numpy's own headers have in every extension.
#[repr(C)]
struct Fields {
    head: PyObject,
    data: *mut u8,
    dimensions: c_int,
    sides: *mut isize,
    strides: *mut isize,
    base: *mut PyObject,
    dtype: *mut PyObject,
}

/// How the items of an array lie in its buffer.
pub struct Layout<'a> {
    /// The shape.
    pub sides: &'a [isize],
    /// Bytes of an item.
    pub item: u64,
    /// Whether the first index varies fastest.
    pub fortran: bool,
    /// The order in which the axes are taken then.
    pub axes: Option<&'a [isize]>,
}

/// Whether the way has been found open.
#[inline(always)]
pub fn knows_numpy() -> bool {
    FOUND.get().is_some()
}

/// The API, once numpy is there and has passed its test.
#[inline]
fn api(py: Python<'_>) -> PyResult<Option<&'static Api>> {
    match FOUND.get() {
        Some(api) => Ok(Some(api)),
        None if learn_numpy(py)? => Ok(FOUND.get()),
        None => Ok(None),
    }
}

/// Whether the way is open, once it was asked for. Without numpy nothing is asked.
#[cold]
pub(super) fn learn_numpy(py: Python<'_>) -> PyResult<bool> {
    let Some(table) = table(py)? else {
        return Ok(false);
    };
    FOUND.learn(py, || {
        let Some(api) = Api::of(py, table)? else {
            return Ok(None);
        };
        Ok(api.serves(py)?.then_some(api))
    })
}

/// A copy of numpy's dtype, as `dtype(code, False, True)` gives it; `None` where numpy must be called.
pub fn numpy_dtype(py: Python<'_>, numeric: Numeric) -> PyResult<Option<Value>> {
    match api(py)? {
        Some(api) if !numeric.is_swapped() => api.dtype(py, numeric).map(Some),
        _ => Ok(None),
    }
}

/// `_reconstruct(ndarray, (0,), b'b')`; `None` where numpy must be called.
pub fn numpy_unfilled(py: Python<'_>) -> PyResult<Option<Value>> {
    let Some(api) = api(py)? else { return Ok(None) };
    api.new_array(py, api.bytes, &[0], ptr::null(), ptr::null_mut(), 0)
        .map(Some)
}

/// An array over a buffer of just the length that its shape takes; `None` where numpy must be called.
pub fn numpy_over(
    py: Python<'_>,
    held: Held,
    dtype: &Value,
    layout: &Layout<'_>,
) -> PyResult<Option<Value>> {
    let Some(api) = api(py)? else { return Ok(None) };
    api.over(py, held, dtype.object, layout).map(Some)
}

/// `scalar(dtype, bytes)` of a dtype of numbers and just the bytes that it takes, where the way is open.
pub fn numpy_scalar(py: Python<'_>, dtype: &Value, bytes: &[u8]) -> Make {
    match FOUND.get() {
        Some(api) => api.scalar(py, dtype.object, bytes),
        None => Ok(Value::HOLE),
    }
}

/// The table of the module that is there; nothing is imported.
fn table(py: Python<'_>) -> PyResult<Option<*const *const c_void>> {
    let modules = py.import("sys")?.getattr("modules")?;
    let modules = modules.cast::<PyDict>().map_err(PyErr::from)?;
    for name in [
        "numpy._core._multiarray_umath",
        "numpy.core._multiarray_umath",
    ] {
        let Some(module) = modules.get_item(name)? else {
            continue;
        };
        let Some(capsule) = module.getattr_opt("_ARRAY_API")? else {
            continue;
        };
        // SAFETY: a live object; what is no such capsule is refused.
        if unsafe { ffi::PyCapsule_IsValid(capsule.as_ptr(), ptr::null()) } == 0 {
            continue;
        }
        // SAFETY: a capsule without a name.
        let table = unsafe { ffi::PyCapsule_GetPointer(capsule.as_ptr(), ptr::null()) };
        return Ok(Some(table.cast_const().cast()));
    }
    Ok(None)
}

impl Api {
    /// What is used of a table of a known version.
    fn of(py: Python<'_>, table: *const *const c_void) -> PyResult<Option<Self>> {
        let slot = |index: usize| {
            // SAFETY: numpy's table has more slots than that, of which none is ever taken away.
            let slot = unsafe { table.add(index) };
            // SAFETY: as above.
            unsafe { *slot }
        };
        // SAFETY: the first slot has held this function since numpy 1.0.
        let version: unsafe extern "C" fn() -> c_uint =
            unsafe { std::mem::transmute(slot(VERSION)) };
        // SAFETY: it takes nothing and returns a number.
        if !VERSIONS.contains(&unsafe { version() }) {
            return Ok(None);
        }
        let modules = py.import("sys")?.getattr("modules")?;
        let numpy = modules.get_item("numpy")?;
        let array = numpy.getattr("ndarray")?;
        if array.as_ptr().cast_const().cast() != slot(ARRAY_TYPE) {
            return Ok(None);
        }
        let make = numpy.getattr("dtype")?;
        let mut dtypes = [ptr::null_mut(); Numeric::COUNT];
        for numeric in Numeric::all() {
            // A machine without such a number has no such dtype.
            let Ok(dtype) = make.call1((numeric.code(),)) else {
                continue;
            };
            let size: u64 = dtype.getattr("itemsize")?.extract()?;
            let kind: String = dtype.getattr("kind")?.extract()?;
            if size == numeric.size()
                && numeric.code().starts_with(&kind)
                && let Some(place) = dtypes.get_mut(numeric.index())
            {
                *place = dtype.into_ptr();
            }
        }
        let bytes = make.call1(("i1",))?.into_ptr();
        // SAFETY: the functions that these slots have held in all versions of these numbers.
        let scalar = unsafe { std::mem::transmute::<Slot, Scalar>(slot(SCALAR)) };
        // SAFETY: as above.
        let new_from_descr =
            unsafe { std::mem::transmute::<Slot, NewFromDescr>(slot(NEW_FROM_DESCR)) };
        // SAFETY: as above.
        let descr_new = unsafe { std::mem::transmute::<Slot, DescrNew>(slot(DESCR_NEW)) };
        // SAFETY: as above.
        let set_base_object =
            unsafe { std::mem::transmute::<Slot, SetBaseObject>(slot(SET_BASE_OBJECT)) };
        Ok(Some(Self {
            array: array.into_ptr().cast(),
            scalar,
            new_from_descr,
            descr_new,
            set_base_object,
            dtypes,
            bytes,
        }))
    }

    fn dtype(&self, py: Python<'_>, numeric: Numeric) -> Make {
        let known = self.dtypes.get(numeric.index()).copied();
        let known = known.filter(|known| !known.is_null());
        let known = known.ok_or_else(|| {
            let code = numeric.code();
            pyo3::exceptions::PyTypeError::new_err(format!("data type '{code}' not understood"))
        })?;
        // SAFETY: a dtype of numpy's own, kept for good.
        let copy = unsafe { (self.descr_new)(known) };
        made(py, copy, 0)
    }

    fn scalar(&self, py: Python<'_>, dtype: *mut PyObject, bytes: &[u8]) -> Make {
        let data = bytes.as_ptr().cast_mut().cast();
        // SAFETY: a live dtype, as many bytes as an item of it takes, which are copied, and no array that has them.
        let scalar = unsafe { (self.scalar)(data, dtype, ptr::null_mut()) };
        made(py, scalar, 0)
    }

    /// An array; where `data` is null, over memory of its own.
    #[inline(always)]
    fn new_array(
        &self,
        py: Python<'_>,
        dtype: *mut PyObject,
        sides: &[isize],
        strides: *const isize,
        data: *mut c_void,
        flags: c_int,
    ) -> Make {
        let count = c_int::try_from(sides.len()).unwrap_or(c_int::MAX);
        // SAFETY: a live dtype, of which the array takes over a reference.
        unsafe { ffi::Py_INCREF(dtype) };
        // SAFETY: numpy's own function, of a signature that its version fixes; as many sides, and where there are
        // strides as many of them; what lies at `data` is long enough, as the callers have made sure.
        let array = unsafe {
            (self.new_from_descr)(
                self.array,
                dtype,
                count,
                sides.as_ptr(),
                strides,
                data,
                flags,
                ptr::null_mut(),
            )
        };
        made(py, array, 0)
    }

    fn over(&self, py: Python<'_>, held: Held, dtype: *mut PyObject, layout: &Layout<'_>) -> Make {
        let order = if layout.fortran {
            F_CONTIGUOUS
        } else {
            C_CONTIGUOUS
        };
        let writeable = if held.readonly { 0 } else { WRITEABLE };
        let flags = ALIGNED | order | writeable;
        let data = held.data.cast();
        let array = match layout.axes {
            None => self.new_array(py, dtype, layout.sides, ptr::null(), data, flags)?,
            Some(axes) => {
                let (sides, strides) = permuted(layout, axes);
                let sides = sides.get(..axes.len()).unwrap_or_default();
                self.new_array(py, dtype, sides, strides.as_ptr(), data, flags)?
            }
        };
        self.set_base(py, array, held.into_base())
    }

    /// What the memory of an array belongs to; the reference is the array's then.
    fn set_base(&self, py: Python<'_>, array: Value, base: *mut PyObject) -> Make {
        // SAFETY: a new array, and an owned reference that is taken over whatever happens.
        if unsafe { (self.set_base_object)(array.object, base) } < 0 {
            return Err(raised(py));
        }
        Ok(array)
    }
}

/// The strides of an array without gaps. Its bytes have been found to fit, a side of 0 counted as one of 1.
fn strides_in(sides: &[isize], item: u64, fortran: bool) -> [isize; MAX_DIMENSIONS] {
    let mut strides = [0; MAX_DIMENSIONS];
    let mut stride = isize::try_from(item).unwrap_or(isize::MAX);
    let mut next = |side: isize| {
        let here = stride;
        stride = stride.saturating_mul(side.max(1));
        here
    };
    let count = sides.len().min(MAX_DIMENSIONS);
    let places = strides.iter_mut().take(count).zip(sides);
    if fortran {
        places.for_each(|(place, side)| *place = next(*side));
    } else {
        places.rev().for_each(|(place, side)| *place = next(*side));
    }
    strides
}

/// Shape and strides of an array whose axes are taken in another order. The axes are those of the shape, each once.
fn permuted(
    layout: &Layout<'_>,
    axes: &[isize],
) -> ([isize; MAX_DIMENSIONS], [isize; MAX_DIMENSIONS]) {
    let whole = strides_in(layout.sides, layout.item, false);
    let (mut sides, mut strides) = ([0; MAX_DIMENSIONS], [0; MAX_DIMENSIONS]);
    for ((side, stride), axis) in sides.iter_mut().zip(&mut strides).zip(axes) {
        let place = axis.cast_unsigned();
        *side = layout.sides.get(place).copied().unwrap_or_default();
        *stride = whole.get(place).copied().unwrap_or_default();
    }
    (sides, strides)
}

/// An exact `ndarray` with the state `(1, shape, dtype, fortran, bytes)`, as numpy fills it: small ones have memory of
/// their own, large ones keep the bytes object as their base. The dtype is not swapped. `None` where numpy must be
/// called.
///
/// A small one of records is made of items without fields, and becomes one of records then: numpy goes through all
/// fields before it makes an array, which takes as long as the rest. `blank`: the dtype of such items, of the same size.
pub fn numpy_filled(
    py: Python<'_>,
    (dtype, blank): (&Value, Option<&Value>),
    layout: &Layout<'_>,
    bytes: &Value,
) -> PyResult<Option<Value>> {
    let Some(api) = api(py)? else { return Ok(None) };
    let bytes = bytes.bound(py).cast_exact::<PyBytes>();
    let bytes = bytes.map_err(PyErr::from)?;
    // To an empty array numpy gives other strides when it makes it than when it gives it state.
    if bytes.as_bytes().is_empty() {
        return Ok(None);
    }
    let blank = blank.map_or(dtype.object, |blank| blank.object);
    api.filled(py, (dtype.object, blank), layout, bytes)
        .map(Some)
}

/// A copy of numpy's dtype as it is now; `None` where the way is closed.
pub fn numpy_copy(py: Python<'_>, dtype: &Value) -> PyResult<Option<Value>> {
    let Some(api) = api(py)? else { return Ok(None) };
    // SAFETY: a live dtype.
    let copy = unsafe { (api.descr_new)(dtype.object) };
    made(py, copy, 0).map(Some)
}

impl Api {
    #[inline]
    fn filled(
        &self,
        py: Python<'_>,
        (dtype, blank): (*mut PyObject, *mut PyObject),
        layout: &Layout<'_>,
        bytes: &Bound<'_, PyBytes>,
    ) -> Make {
        let data = bytes.as_bytes();
        if data.len() > COPIED {
            let mut held = Held::of(bytes)?;
            held.readonly = false;
            return self.over(py, held, dtype, layout);
        }
        let order = if layout.fortran { F_CONTIGUOUS } else { 0 };
        let none = ptr::null_mut();
        let array = self.new_array(py, blank, layout.sides, ptr::null(), none, order)?;
        let fields = array.object.cast::<Fields>();
        // SAFETY: a new array.
        let room = unsafe { (*fields).data };
        // SAFETY: the shape takes as many bytes, and nobody else has seen the array.
        unsafe { ptr::copy_nonoverlapping(data.as_ptr(), room, data.len()) };
        if dtype != blank {
            // SAFETY: a live dtype, of which the array takes over a reference.
            unsafe { ffi::Py_INCREF(dtype) };
            // SAFETY: a new array.
            let place = unsafe { &raw mut (*fields).dtype };
            // SAFETY: as numpy's own `__setstate__` does; items of the same size, and of bytes alone.
            let former = unsafe { place.replace(dtype) };
            // SAFETY: the reference that the array had.
            unsafe { ffi::Py_DECREF(former) };
        }
        Ok(array)
    }
}
