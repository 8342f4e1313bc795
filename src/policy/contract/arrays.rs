//! Native contracts of `array.array`: typecodes, machine formats, and items
//! that fit.

use std::ffi::{c_long, c_ulong};

use super::native::{Native, mismatch};
use crate::policy::Plan;
use crate::policy::view::{Look, View};
use crate::policy::{Meaning, Policy};

/// What the items of an array are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Items {
    Int { bytes: usize, signed: bool },
    Float { bytes: usize },
    Text { bytes: usize },
}

/// The integer typecodes in `CPython`'s order: where several fit, its
/// reconstructor takes the last.
const INTEGERS: [(char, Items); 10] = [
    ('b', int(1, true)),
    ('B', int(1, false)),
    ('h', int(2, true)),
    ('H', int(2, false)),
    ('i', int(4, true)),
    ('I', int(4, false)),
    ('l', int(size_of::<c_long>(), true)),
    ('L', int(size_of::<c_ulong>(), false)),
    ('q', int(8, true)),
    ('Q', int(8, false)),
];

const fn int(bytes: usize, signed: bool) -> Items {
    Items::Int { bytes, signed }
}

/// Bytes of a `wchar_t`.
const WIDE: usize = if cfg!(windows) { 2 } else { 4 };

/// Whether the interpreter that this is built for has the typecode `w`; without one, all typecodes are known.
const HAS_W: bool = cfg!(any(not(feature = "python"), Py_3_13));

/// What the items are, if the typecode is one that this interpreter has.
fn typecode(code: Option<char>) -> Result<(char, Items), String> {
    match code {
        Some('w') if !HAS_W => Err("its typecode, 'w', came with CPython 3.13".into()),
        Some(code) => items_of(code)
            .map(|items| (code, items))
            .ok_or_else(|| "its typecode is unknown".into()),
        None => Err("its typecode is unknown".into()),
    }
}

fn items_of(code: char) -> Option<Items> {
    match code {
        'f' => Some(Items::Float { bytes: 4 }),
        'd' => Some(Items::Float { bytes: 8 }),
        'u' => Some(Items::Text { bytes: WIDE }),
        'w' => Some(Items::Text { bytes: 4 }),
        _ => INTEGERS
            .iter()
            .find(|(known, _)| *known == code)
            .map(|(_, items)| *items),
    }
}

/// A machine format code: what it holds and whether it is big-endian.
fn machine_format(code: i64) -> Option<(Items, bool)> {
    let big_endian = code % 2 == 1;
    Some(match code {
        0 => (int(1, false), false),
        1 => (int(1, true), false),
        2 | 3 => (int(2, false), big_endian),
        4 | 5 => (int(2, true), big_endian),
        6 | 7 => (int(4, false), big_endian),
        8 | 9 => (int(4, true), big_endian),
        10 | 11 => (int(8, false), big_endian),
        12 | 13 => (int(8, true), big_endian),
        14 | 15 => (Items::Float { bytes: 4 }, big_endian),
        16 | 17 => (Items::Float { bytes: 8 }, big_endian),
        18 | 19 => (Items::Text { bytes: 2 }, big_endian),
        20 | 21 => (Items::Text { bytes: 4 }, big_endian),
        _ => return None,
    })
}

/// `array(typecode, list)`: protocols 0 to 2.
pub(super) fn array<L: Look>(look: &L, args: &[L::Value]) -> Result<Plan, String> {
    const EXPECTED: &str = "(typecode, list of items that fit it)";
    let [code, list] = args else {
        return mismatch(EXPECTED, look, args);
    };
    let (code, items) = typecode(one_char(look.view(code)))?;
    let fits = |view: View<'_>| match (items, view) {
        (Items::Int { bytes, signed }, View::Int(n)) => int_fits(n, bytes, signed),
        (Items::Int { bytes, signed }, View::BigInt { bits, negative }) => {
            !signed && !negative && bytes == 8 && bits <= 64
        }
        (Items::Float { .. }, View::Float(_) | View::Int(_)) => true,
        (Items::Text { bytes }, View::Str(text)) => {
            let mut chars = text.chars();
            chars
                .next()
                .is_some_and(|c| bytes == 4 || u32::from(c) <= 0xffff)
                && chars.next().is_none()
        }
        _ => false,
    };
    if matches!(look.view(list), View::List(_)) && look.all(list, &mut { fits }) {
        Ok(Plan::ArrayItems {
            typecode: code,
            items: 1,
        })
    } else {
        mismatch(EXPECTED, look, args)
    }
}

/// `_array_reconstructor(array, typecode, format, bytes)`: protocols 3 to 5.
pub(super) fn reconstructor<L: Look>(
    policy: &Policy,
    look: &L,
    args: &[L::Value],
) -> Result<Plan, String> {
    const EXPECTED: &str = "(array, typecode, int 0 to 21, bytes)";
    let [class, code, format, data] = args else {
        return mismatch(EXPECTED, look, args);
    };
    let exact_array = matches!(look.view(class), View::Global(id)
        if policy.get(id).is_some_and(|entry| entry.meaning == Meaning::Native(Native::Array)));
    let (View::Int(format), View::Bytes(bytes)) = (look.view(format), look.view(data)) else {
        return mismatch(EXPECTED, look, args);
    };
    if !exact_array {
        return mismatch(EXPECTED, look, args);
    }
    let (typecode, swap) = stored_array(one_char(look.view(code)), format, bytes)?;
    Ok(Plan::ArrayBytes {
        typecode,
        swap,
        data: 3,
    })
}

/// The typecode of an array of these bytes, and whether every item's are to be turned around.
#[inline]
pub fn stored_array(code: Option<char>, format: i64, bytes: &[u8]) -> Result<(char, bool), String> {
    let (code, items) = typecode(code)?;
    let Some((stored, big_endian)) = machine_format(format) else {
        return Err(format!("machine format {format} is unknown"));
    };
    let width = match stored {
        Items::Int { bytes, .. } | Items::Float { bytes } | Items::Text { bytes } => bytes,
    };
    if !bytes.len().is_multiple_of(width) {
        return Err(format!(
            "{} bytes are no whole number of items of {width}",
            bytes.len()
        ));
    }
    let native_order = width == 1 || big_endian == cfg!(target_endian = "big");
    match (items, stored) {
        (Items::Int { signed: a, .. }, Items::Int { signed: b, .. }) if a == b => {
            let typecode = if items == stored && native_order {
                code
            } else {
                last_integer(stored).unwrap_or(code)
            };
            Ok((typecode, !native_order))
        }
        (Items::Float { bytes: a }, Items::Float { bytes: b }) if a == b => {
            Ok((code, !native_order))
        }
        // CPython converts text of another order or width, but not all of it:
        // one character alone it refuses. So do we, whatever the length.
        (Items::Text { bytes: a }, Items::Text { bytes: b }) if a == b && native_order => {
            check_code_units(bytes, a)?;
            Ok((code, false))
        }
        _ => Err(format!(
            "machine format {format} does not hold the items of typecode {code:?}"
        )),
    }
}

fn last_integer(items: Items) -> Option<char> {
    INTEGERS
        .iter()
        .rev()
        .find(|(_, known)| *known == items)
        .map(|(code, _)| *code)
}

fn int_fits(n: i64, bytes: usize, signed: bool) -> bool {
    match (bytes, signed) {
        (1, true) => i8::try_from(n).is_ok(),
        (1, false) => u8::try_from(n).is_ok(),
        (2, true) => i16::try_from(n).is_ok(),
        (2, false) => u16::try_from(n).is_ok(),
        (4, true) => i32::try_from(n).is_ok(),
        (4, false) => u32::try_from(n).is_ok(),
        (8, true) => true,
        (8, false) => u64::try_from(n).is_ok(),
        _ => false,
    }
}

/// One character: a str, or under `encoding="bytes"` a Python 2 str.
fn one_char(view: View<'_>) -> Option<char> {
    match view {
        View::Str(text) => {
            let mut chars = text.chars();
            chars.next().filter(|_| chars.next().is_none())
        }
        View::Bytes([byte]) if byte.is_ascii() => Some(char::from(*byte)),
        _ => None,
    }
}

/// Code units in this machine's order are taken over as they are: lone
/// surrogates may stand, code points past the last would crash on use.
fn check_code_units(bytes: &[u8], width: usize) -> Result<(), String> {
    let in_range = width == 2
        || units::<4>(bytes).all(|unit| u32::from_ne_bytes(unit) <= u32::from(char::MAX));
    if in_range {
        Ok(())
    } else {
        Err("it holds a code point past U+10FFFF".into())
    }
}

fn units<const N: usize>(bytes: &[u8]) -> impl Iterator<Item = [u8; N]> {
    bytes
        .chunks_exact(N)
        .filter_map(|chunk| <[u8; N]>::try_from(chunk).ok())
}

#[cfg(test)]
mod tests;
