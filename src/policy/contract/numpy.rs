//! Native contracts of numpy's plain arrays: dtypes of numbers and of records of numbers, `ndarray`s of them, and the
//! scalars of the former.
//!
//! numpy's own rebuild functions are made for pickles that one trusts, as its documentation says of `numpy.load`. So what
//! a pickle says of a plain array is recomputed and compared here, whoever builds it then. Where a policy grants these
//! names, a stream that keeps to the contract is built without inspection; whatever is no plain array (objects, text,
//! times, other records, subclasses) goes to numpy as any call of an allowed function does.

mod dtype;
mod numeric;

pub use dtype::Dtype;
pub use numeric::{MAX_DIMENSIONS, Numeric, check_bools, check_length, extent};

use crate::policy::view::{Form, Look, View, describe_all};
use crate::policy::{Attempt, Meaning, Plan, Policy};

/// One of numpy's names that are known here, by whichever module has it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Numpy {
    /// `numpy.ndarray`.
    NdArray,
    /// `numpy.dtype`.
    Dtype,
    /// `numpy._core.multiarray._reconstruct`: an array that waits for its state.
    Reconstruct,
    /// `numpy._core.numeric._frombuffer`: an array over a buffer, from protocol 5 on.
    FromBuffer,
    /// `numpy._core.multiarray.scalar`.
    Scalar,
}

impl Numpy {
    /// All of them.
    pub const ALL: [Numpy; 5] = [
        Numpy::NdArray,
        Numpy::Dtype,
        Numpy::Reconstruct,
        Numpy::FromBuffer,
        Numpy::Scalar,
    ];

    /// What a name stands for, in the spellings of numpy 1 and 2.
    pub(in crate::policy) fn of(module: &str, name: &str) -> Option<Numpy> {
        Numpy::ALL.into_iter().find(|known| {
            let (modules, known) = known.spelled();
            name == known && modules.contains(&module)
        })
    }

    /// The modules that have it, and its name.
    pub fn spelled(self) -> (&'static [&'static str], &'static str) {
        const MULTIARRAY: &[&str] = &["numpy._core.multiarray", "numpy.core.multiarray"];
        const NUMERIC: &[&str] = &["numpy._core.numeric", "numpy.core.numeric"];
        match self {
            Numpy::NdArray => (&["numpy"], "ndarray"),
            Numpy::Dtype => (&["numpy"], "dtype"),
            Numpy::Reconstruct => (MULTIARRAY, "_reconstruct"),
            Numpy::FromBuffer => (NUMERIC, "_frombuffer"),
            Numpy::Scalar => (MULTIARRAY, "scalar"),
        }
    }

    /// Bytes of what a call makes above a plain instance; measured as in `weight.rs`.
    pub(in crate::policy) fn extra_memory(self) -> u64 {
        match self {
            // The array, its shape and strides; beside it a memoryview that holds the buffer.
            Numpy::FromBuffer => 320,
            Numpy::Reconstruct => 96,
            Numpy::Dtype => 64,
            Numpy::NdArray | Numpy::Scalar => 0,
        }
    }
}

/// What is known of an instance that a stream has made under these contracts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Known {
    /// A dtype.
    Dtype(Dtype),
    /// An exact `ndarray` that waits for its state.
    Unfilled,
}

/// How the items of an array lie in its buffer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u64)]
pub enum Order {
    /// The last index varies fastest.
    C,
    /// The first index varies fastest.
    Fortran,
    /// As `C`, with the axes then taken in the order of the fifth argument.
    Axes,
}

/// Judges an attempt whose rights and written contract hold.
#[inline(never)]
pub(in crate::policy) fn judge<L: Look>(
    policy: &Policy,
    look: &L,
    which: Numpy,
    attempt: Attempt<'_, L::Value>,
) -> Result<Plan, String> {
    match (which, attempt) {
        (Numpy::Dtype, Attempt::Call(args)) => dtype::call(look, args),
        (Numpy::Reconstruct, Attempt::Call(args)) => reconstruct(policy, look, args),
        (Numpy::FromBuffer, Attempt::Call(args)) => from_buffer(look, args),
        (Numpy::Scalar, Attempt::Call(args)) => scalar(look, args),
        (_, Attempt::Build(object, state)) => match look.known(object) {
            Some(Known::Dtype(known)) => dtype::state(look, known, state),
            Some(Known::Unfilled) => array_state(look, state),
            None => Ok(Plan::AsIs),
        },
        _ => Ok(Plan::AsIs),
    }
}

/// A bool, or the int that older numpy wrote for it.
fn truth(view: View<'_>) -> Option<bool> {
    match view {
        View::Bool(value) => Some(value),
        View::Int(0) => Some(false),
        View::Int(1) => Some(true),
        _ => None,
    }
}

fn wrong<L: Look>(expected: &str, look: &L, args: &[L::Value]) -> String {
    format!(
        "its contract is {expected}, given {}",
        describe_all(look, args)
    )
}

/// `_reconstruct(ndarray, (0,), b'b')`, as numpy writes it of every array; a subclass is numpy's to make.
fn reconstruct<L: Look>(policy: &Policy, look: &L, args: &[L::Value]) -> Result<Plan, String> {
    let exact = args.first().is_some_and(|class| {
        matches!(look.view(class), View::Global(id)
            if policy.get(id).is_some_and(|entry| entry.numpy() == Some(Numpy::NdArray)))
    });
    if !exact {
        return Ok(Plan::AsIs);
    }
    match args {
        [_, shape, code]
            if matches!(look.view(shape), View::Tuple(1))
                && look.all(shape, &mut |side| side == View::Int(0))
                && matches!(look.view(code), View::Bytes(b"b") | View::Str("b")) =>
        {
            Ok(Plan::Unfilled)
        }
        _ => Err(wrong("(ndarray, (0,), b'b')", look, args)),
    }
}

/// The dtype that a value is, where its items are known.
fn plain_dtype<L: Look>(look: &L, value: &L::Value) -> Option<Dtype> {
    match look.known(value) {
        Some(Known::Dtype(dtype)) if dtype.is_plain() => Some(dtype),
        _ => None,
    }
}

/// The sides of a shape, if it is a tuple.
fn shape<L: Look>(look: &L, shape: &L::Value) -> Option<impl Iterator<Item = Option<i64>>> {
    let View::Tuple(count) = look.view(shape) else {
        return None;
    };
    Some((0..count).map(move |index| {
        let side = look.item(shape, index)?;
        match look.view(&side) {
            View::Int(side) => Some(side),
            _ => None,
        }
    }))
}

/// `(1, shape, dtype, fortran, bytes)`. Bytes that Python 2 wrote may have become a str.
fn array_state<L: Look>(look: &L, state: &L::Value) -> Result<Plan, String> {
    const EXPECTED: &str = "its state must be (1, shape, dtype, fortran, bytes)";
    let View::Tuple(5) = look.view(state) else {
        return Err(EXPECTED.into());
    };
    let item = |index| look.item(state, index).ok_or(EXPECTED);
    let Some(dtype) = plain_dtype(look, &item(2)?) else {
        return Ok(Plan::AsIs);
    };
    if look.view(&item(0)?) != View::Int(1) {
        return Err(EXPECTED.into());
    }
    let sides = item(1)?;
    let needed = extent(shape(look, &sides).ok_or(EXPECTED)?, dtype.size())?;
    truth(look.view(&item(3)?)).ok_or(EXPECTED)?;
    let data = item(4)?;
    check_data(look, dtype.is_bool(), &data, needed, || EXPECTED.into())?;
    Ok(Plan::ArrayState { bytes: needed })
}

/// As many bytes as an array takes, or a str of as many characters below 256; 0 and 1 alone, where they are bools.
fn check_data<L: Look>(
    look: &L,
    bools: bool,
    data: &L::Value,
    needed: u64,
    expected: impl Fn() -> String,
) -> Result<(), String> {
    match look.view(data) {
        View::Bytes(bytes) => {
            check_length(bytes.len() as u64, needed)?;
            if bools {
                check_bools(bytes)?;
            }
            Ok(())
        }
        View::Str(text) if look.is_latin1(data) => {
            check_length(text.chars().count() as u64, needed)?;
            // What is below 2 is one byte of UTF-8, and nothing else is.
            if bools {
                check_bools(text.as_bytes())?;
            }
            Ok(())
        }
        _ => Err(expected()),
    }
}

/// `_frombuffer(bytes | bytearray | buffer, dtype, shape, 'C' | 'F')`, from numpy 2.3 on with a fifth argument that is
/// None, or with `'K'` the order of the axes.
fn from_buffer<L: Look>(look: &L, args: &[L::Value]) -> Result<Plan, String> {
    const EXPECTED: &str = "(buffer, dtype, shape, 'C' | 'F', None?) | (buffer, dtype, shape, 'K', axes) for a dtype of numbers or of records of numbers";
    let Some(dtype) = args.get(1).and_then(|dtype| plain_dtype(look, dtype)) else {
        return Ok(Plan::AsIs);
    };
    let wrong = || wrong(EXPECTED, look, args);
    let (data, sides, order, axes) = match args {
        [data, _, sides, order] => (data, sides, order, None),
        [data, _, sides, order, axes] => (data, sides, order, Some(axes)),
        _ => return Err(wrong()),
    };
    let axes = axes.filter(|axes| look.form(axes) != Form::None);
    let order = match (look.view(order), axes) {
        (View::Str("C"), None) => Order::C,
        (View::Str("F"), None) => Order::Fortran,
        (View::Str("K"), Some(axes)) => {
            check_axes(look, axes, sides)?;
            Order::Axes
        }
        _ => return Err(wrong()),
    };
    let needed = extent(shape(look, sides).ok_or_else(wrong)?, dtype.size())?;
    let given = match look.view(data) {
        View::Bytes(bytes) => Some(bytes.len()),
        View::ByteArray(length) => Some(length),
        // What lies outside of the stream, or in an object, is seen by who loads it.
        View::External | View::Other | View::Made(_) => None,
        _ => return Err(wrong()),
    };
    if let Some(given) = given {
        check_length(given as u64, needed)?;
    }
    if dtype.is_bool()
        && let Some(bytes) = look.octets(data)
    {
        check_bools(bytes)?;
    }
    Ok(Plan::FromBuffer {
        dtype,
        order,
        bytes: needed,
    })
}

/// Every axis of a shape, once.
fn check_axes<L: Look>(look: &L, axes: &L::Value, sides: &L::Value) -> Result<(), String> {
    let mut seen = 0u64;
    let (View::Tuple(count), View::Tuple(dimensions)) = (look.view(axes), look.view(sides)) else {
        return Err("its axes are no tuple beside that of its shape".into());
    };
    let permuted = count == dimensions
        && count <= MAX_DIMENSIONS
        && look.all(axes, &mut |place| match place {
            View::Int(place) => match u32::try_from(place) {
                Ok(place) if (place as usize) < count && seen >> place & 1 == 0 => {
                    seen |= 1 << place;
                    true
                }
                _ => false,
            },
            _ => false,
        });
    if permuted {
        Ok(())
    } else {
        Err("its axes are not those of its shape, each once".into())
    }
}

/// `scalar(dtype, bytes)`.
fn scalar<L: Look>(look: &L, args: &[L::Value]) -> Result<Plan, String> {
    const EXPECTED: &str = "(dtype, bytes) for a dtype of numbers";
    let known = args.first().and_then(|dtype| plain_dtype(look, dtype));
    let Some(numeric) = known.and_then(Dtype::numbers) else {
        return Ok(Plan::AsIs);
    };
    let expected = || wrong(EXPECTED, look, args);
    let [_, data] = args else {
        return Err(expected());
    };
    check_data(look, numeric.is_bool(), data, numeric.size(), expected)?;
    Ok(Plan::Scalar)
}

/// What an entry is to these contracts: only the real name counts, whatever is built natively is known by its own.
pub(in crate::policy) fn of_entry(meaning: Meaning, module: &str, name: &str) -> Option<Numpy> {
    match meaning {
        Meaning::Object => Numpy::of(module, name),
        Meaning::Native(_) | Meaning::Scope => None,
    }
}

#[cfg(test)]
mod tests;
