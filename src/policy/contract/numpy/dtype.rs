//! Dtypes: what is known of one, and the contracts of the call that makes it and of the state that it is given.
//!
//! numpy keeps the dict of a state for the fields of its dtype, and believes offsets and flags. So a dtype of records
//! is known by what is recomputed of its fields alone: numbers, none of them bools or in the other order, each within
//! an item. Whatever else a state says (objects, text, arrays and records within records, titles, metadata) is numpy's
//! to read, and nothing is known of such a dtype.

use super::{Known, Numeric, truth, wrong};
use crate::policy::Plan;
use crate::policy::view::{Look, View};

/// What is known of a dtype. A word, as is all that a plan holds: a plan is copied in words, and what was written as a
/// byte and is read as part of one waits for the store (12 ns of every call, whatever its plan is).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
#[repr(align(8))]
pub enum Dtype {
    /// Numbers.
    Numbers {
        /// Of which kind.
        numeric: Numeric,
        /// Whether its state was given, and nothing will change it.
        settled: bool,
    },
    /// Items of so many bytes; its state is to say what they are.
    Void(u32),
    /// Records of numbers.
    Records {
        /// How many there are in a record.
        fields: u16,
        /// Bytes of a record.
        size: u32,
    },
}

/// Bit of a dtype's flags that records have for no reason of their own (`NPY_NEEDS_PYAPI`).
const PLAIN_RECORDS: i64 = 16;
/// As numpy 2 writes the flags of records with gaps that align their fields, and as numpy 1 does: in a signed byte.
const ALIGNED_RECORDS: [i64; 2] = [0x80 | PLAIN_RECORDS, (0x80 | PLAIN_RECORDS) - 0x100];
/// Bytes of what is made beside a dtype of records: a dict of its own, without its table, and a dtype without fields.
const BESIDE: u64 = 80 + 112;
/// Bytes that a field takes in that dict.
const FIELD: u64 = 104;

impl Dtype {
    /// What the code in a call says of it; its state is yet to come.
    fn parse(code: &str) -> Option<Dtype> {
        if let Some(numeric) = Numeric::parse(code) {
            let settled = false;
            return Some(Dtype::Numbers { numeric, settled });
        }
        let size = code.strip_prefix('V')?;
        let plain = matches!(size.as_bytes(), [b'1'..=b'9', rest @ ..] if rest.iter().all(u8::is_ascii_digit));
        let size: i32 = size.parse().ok().filter(|_| plain)?;
        Some(Dtype::Void(size.unsigned_abs()))
    }

    /// Numbers whose state was given.
    pub fn settled(numeric: Numeric) -> Dtype {
        let settled = true;
        Dtype::Numbers { numeric, settled }
    }

    /// The numbers that are its items.
    pub fn numbers(self) -> Option<Numeric> {
        match self {
            Dtype::Numbers { numeric, .. } => Some(numeric),
            Dtype::Void(_) | Dtype::Records { .. } => None,
        }
    }

    /// Bytes of an item.
    pub fn size(self) -> u64 {
        match self {
            Dtype::Numbers { numeric, .. } => numeric.size(),
            Dtype::Void(size) | Dtype::Records { size, .. } => u64::from(size),
        }
    }

    /// Whether every byte must be 0 or 1.
    pub fn is_bool(self) -> bool {
        self.numbers().is_some_and(Numeric::is_bool)
    }

    /// Whether its bytes are in the other order than this machine's.
    pub fn is_swapped(self) -> bool {
        self.numbers().is_some_and(Numeric::is_swapped)
    }

    /// Whether an array of it is known to be made of its bytes alone.
    pub fn is_plain(self) -> bool {
        !matches!(self, Dtype::Void(_))
    }

    /// Bytes of what is copied when its state is given.
    pub fn copies(self) -> u64 {
        match self {
            Dtype::Records { fields, .. } => BESIDE + u64::from(fields) * FIELD,
            Dtype::Numbers { .. } | Dtype::Void(_) => 0,
        }
    }
}

/// `dtype('f8', False, True)`. Without the copy it would be the one that everybody has, and BUILD would change that.
/// `dtype('V64', False, True)` is one of its own in any case.
pub(super) fn call<L: Look>(look: &L, args: &[L::Value]) -> Result<Plan, String> {
    let Some(View::Str(code)) = args.first().map(|code| look.view(code)) else {
        return Ok(Plan::AsIs);
    };
    let Some(dtype) = Dtype::parse(code) else {
        return Ok(Plan::AsIs);
    };
    match args {
        [_, align, copy]
            if truth(look.view(align)).is_some() && truth(look.view(copy)) == Some(true) =>
        {
            Ok(Plan::Dtype(dtype))
        }
        _ if dtype.is_plain() => Err(wrong(
            "(code, False, True) for a dtype of numbers",
            look,
            args,
        )),
        _ => Ok(Plan::AsIs),
    }
}

/// State for a dtype that something is known of.
pub(super) fn state<L: Look>(look: &L, dtype: Dtype, state: &L::Value) -> Result<Plan, String> {
    match dtype {
        Dtype::Numbers { numeric, .. } => order(look, numeric, state),
        Dtype::Void(size) => Ok(records(look, size, state).map_or(Plan::AsIs, Plan::DtypeState)),
        Dtype::Records { .. } => Ok(Plan::AsIs),
    }
}

/// `(3, '<', None, None, None, -1, -1, 0)`: an order, and no layout but the one that the code has. With metadata behind
/// it, from version 4 on, it is numpy's to read.
fn order<L: Look>(look: &L, numeric: Numeric, state: &L::Value) -> Result<Plan, String> {
    const EXPECTED: &str = "its state must be (3, order, None, None, None, -1, -1, 0), as numpy writes it for a dtype of numbers";
    let item = |index| look.item(state, index);
    let is =
        |index, expected: View<'_>| item(index).is_some_and(|value| look.view(&value) == expected);
    match look.view(state) {
        View::Tuple(9) if is(0, View::Int(4)) => return Ok(Plan::AsIs),
        View::Tuple(8) => {}
        _ => return Err(EXPECTED.into()),
    }
    let order = item(1).and_then(|order| match look.view(&order) {
        View::Str(order) => match order.as_bytes() {
            [order] => numeric.ordered(*order),
            _ => None,
        },
        _ => None,
    });
    let plain = is(0, View::Int(3))
        && (2..5).all(|index| is(index, View::None))
        && (5..7).all(|index| is(index, View::Int(-1)))
        && is(7, View::Int(0));
    match order {
        Some(numeric) if plain => Ok(Plan::DtypeState(Dtype::settled(numeric))),
        _ => Err(EXPECTED.into()),
    }
}

/// `(3, '|', None, names, {name: (dtype, offset), ...}, size, alignment, flags)`, of records of numbers.
fn records<L: Look>(look: &L, size: u32, state: &L::Value) -> Option<Dtype> {
    let View::Tuple(8) = look.view(state) else {
        return None;
    };
    let item = |index| look.item(state, index);
    let is =
        |index, expected: View<'_>| item(index).is_some_and(|value| look.view(&value) == expected);
    let plain = is(0, View::Int(3))
        && is(1, View::Str("|"))
        && is(2, View::None)
        && is(5, View::Int(i64::from(size)));
    if !plain || !is_laid_out(look.view(&item(6)?), look.view(&item(7)?)) {
        return None;
    }
    let (names, fields) = (item(3)?, item(4)?);
    // Counted before any is read: what is read is charged by the number of names.
    let count = match (look.view(&names), look.view(&fields)) {
        (View::Tuple(names), View::Dict(fields)) if names == fields && names > 0 => names,
        _ => return None,
    };
    let pairs = look.pairs(&fields);
    let fields = u16::try_from(count).ok().filter(|_| pairs.len() == count)?;
    pairs
        .iter()
        .enumerate()
        .all(|(at, (name, field))| {
            let stands = look.item(&names, at).is_some_and(|expected| {
                matches!(look.view(&expected), View::Str(text) if look.view(name) == View::Str(text))
            });
            stands && is_field(look, field, size)
        })
        .then_some(Dtype::Records { fields, size })
}

/// What a dtype says of the alignment of its items and the flags that it has.
fn is_laid_out(alignment: View<'_>, flags: View<'_>) -> bool {
    match (alignment, flags) {
        (View::Int(1), View::Int(PLAIN_RECORDS)) => true,
        (View::Int(1 | 2 | 4 | 8 | 16), View::Int(flags)) => ALIGNED_RECORDS.contains(&flags),
        _ => false,
    }
}

/// `(dtype, offset)`: numbers that nothing will change, within an item of that size.
fn is_field<L: Look>(look: &L, field: &L::Value, size: u32) -> bool {
    let View::Tuple(2) = look.view(field) else {
        return false;
    };
    let known = look.item(field, 0).and_then(|dtype| look.known(&dtype));
    let Some(Known::Dtype(Dtype::Numbers {
        numeric,
        settled: true,
    })) = known
    else {
        return false;
    };
    let offset = look
        .item(field, 1)
        .and_then(|offset| match look.view(&offset) {
            View::Int(offset) => u64::try_from(offset).ok(),
            _ => None,
        });
    let end = offset.and_then(|offset| offset.checked_add(numeric.size()));
    !numeric.is_swapped() && !numeric.is_bool() && end.is_some_and(|end| end <= u64::from(size))
}

#[cfg(test)]
mod tests;
