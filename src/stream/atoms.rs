//! Atoms: the instructions whose value stands in their own bytes, or in the memo.
//!
//! Most of a stream is made of them. They are read from a slice that fits in two registers, and not by the cursor, whose
//! six words the machine's loop must keep in memory. Whatever is not whole, not common or not an atom is left to
//! [`Reader::next_op`](super::Reader::next_op), which decides and has the errors.

use crate::stream::opcode::{
    BINFLOAT, BINGET, BININT, BININT1, BININT2, BINPUT, BINUNICODE, LONG_BINGET, LONG_BINPUT,
    MEMOIZE, NEWFALSE, NEWTRUE, NONE, SHORT_BINBYTES, SHORT_BINUNICODE,
};

/// Whether an instruction of this code is an atom.
#[inline(always)]
pub fn is_atom(code: u8) -> bool {
    matches!(
        code,
        BININT
            | BININT1
            | BININT2
            | BINFLOAT
            | NONE
            | NEWTRUE
            | NEWFALSE
            | BINGET
            | LONG_BINGET
            | SHORT_BINUNICODE
            | BINUNICODE
            | SHORT_BINBYTES
    )
}

/// What an operand is read as, and what follows it.
pub type Read<'a, T> = Option<(T, &'a [u8])>;

/// The operand of BININT, BININT1 or BININT2. One way for the three, without a branch: which of them comes next cannot be
/// foreseen, and a wrong guess costs more than the int.
#[inline(always)]
pub fn int(code: u8, rest: &[u8]) -> Read<'_, i64> {
    let Some((word, _)) = rest.split_first_chunk() else {
        return last_int(code, rest);
    };
    let word = u32::from_le_bytes(*word);
    let (width, mask) = *INTS.get(usize::from(code & 7))?;
    let value = (word & mask).cast_signed();
    Some((value.into(), rest.get(width..)?))
}

/// The same among the last bytes.
#[inline(never)]
fn last_int(code: u8, rest: &[u8]) -> Read<'_, i64> {
    match (code, rest) {
        (BININT1, [byte, rest @ ..]) => Some(((*byte).into(), rest)),
        (BININT2, [low, high, rest @ ..]) => Some((u16::from_le_bytes([*low, *high]).into(), rest)),
        _ => None,
    }
}

/// By the lowest bits of J, K and M: bytes of the operand, and the bits that they are.
const INTS: [(usize, u32); 8] = {
    const NO: (usize, u32) = (0, 0);
    [NO, NO, (4, u32::MAX), (1, 0xff), NO, (2, 0xffff), NO, NO]
};

/// A text of up to 15 bytes, and what follows it in the stream: where so much is there, no branch depends on its length,
/// which cannot be foreseen either.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Short {
    /// Its bytes, and zeros behind them.
    all: [u8; 16],
    /// How many it has.
    pub length: usize,
}

impl Short {
    /// Its bytes.
    #[inline(always)]
    pub fn bytes(&self) -> &[u8] {
        self.all.get(..self.length).unwrap_or_default()
    }

    /// Its bytes, and zeros behind them, at least one.
    #[inline(always)]
    pub fn all(&self) -> &[u8; 16] {
        &self.all
    }

    /// All of them as one number.
    #[inline(always)]
    pub fn word(self) -> u128 {
        u128::from_le_bytes(self.all)
    }

    /// Whether all of it is ASCII.
    #[inline(always)]
    pub fn is_ascii(self) -> bool {
        const HIGH: u128 = u128::from_ne_bytes([0x80; 16]);
        self.word() & HIGH == 0
    }
}

/// The operand of SHORT_BINUNICODE or SHORT_BINBYTES, if it is short and not among the last bytes.
#[inline(always)]
pub fn short(rest: &[u8]) -> Read<'_, Short> {
    #[allow(clippy::indexing_slicing)] // the compiler does it
    const KEPT: [u128; 16] = {
        let mut kept = [0; 16];
        let mut length = 1;
        while length < 16 {
            kept[length] = kept[length - 1] << 8 | 0xff;
            length += 1;
        }
        kept
    };
    let (length, rest) = rest.split_first()?;
    let (bytes, _) = rest.split_first_chunk::<16>()?;
    let length = usize::from(*length);
    let word = u128::from_le_bytes(*bytes) & *KEPT.get(length)?;
    let all = word.to_le_bytes();
    Some((Short { all, length }, rest.get(length..)?))
}

/// The operand of BINGET or LONG_BINGET, one way for the two as well.
#[inline(always)]
pub fn index(code: u8, rest: &[u8]) -> Read<'_, i64> {
    let Some((word, _)) = rest.split_first_chunk() else {
        return last_index(code, rest);
    };
    let word = u32::from_le_bytes(*word);
    let long = code == LONG_BINGET;
    let (width, mask) = if long { (4, u32::MAX) } else { (1, 0xff) };
    Some(((word & mask).into(), rest.get(width..)?))
}

/// Whether four BINGET come next.
#[inline(always)]
pub fn gets_follow(rest: &[u8]) -> bool {
    const CODES: u64 = u64::from_le_bytes([0xff, 0, 0xff, 0, 0xff, 0, 0xff, 0]);
    const GETS: u64 = u64::from_le_bytes([BINGET, 0, BINGET, 0, BINGET, 0, BINGET, 0]);
    let word = rest.first_chunk().copied().map(u64::from_le_bytes);
    word.is_some_and(|word| word & CODES == GETS)
}

/// The same among the last bytes.
#[inline(never)]
fn last_index(code: u8, rest: &[u8]) -> Read<'_, i64> {
    match (code, rest) {
        (BINGET, [byte, rest @ ..]) => Some(((*byte).into(), rest)),
        _ => None,
    }
}

/// BINUNICODE's length.
#[inline(always)]
fn uint4(rest: &[u8]) -> Read<'_, u32> {
    let (bytes, rest) = rest.split_first_chunk()?;
    Some((u32::from_le_bytes(*bytes), rest))
}

/// BINFLOAT's operand.
#[inline(always)]
pub fn float8(rest: &[u8]) -> Read<'_, f64> {
    let (bytes, rest) = rest.split_first_chunk()?;
    Some((f64::from_be_bytes(*bytes), rest))
}

/// SHORT_BINUNICODE's and SHORT_BINBYTES's operand: as many bytes as the first one says.
#[inline(always)]
pub fn bytes1(rest: &[u8]) -> Read<'_, &[u8]> {
    let (length, rest) = rest.split_first()?;
    rest.split_at_checked(usize::from(*length))
}

/// BINUNICODE's operand.
#[inline(always)]
pub fn bytes4(rest: &[u8]) -> Read<'_, &[u8]> {
    let (length, rest) = uint4(rest)?;
    rest.split_at_checked(usize::try_from(length).ok()?)
}

/// Where the MEMOIZE, BINPUT or LONG_BINPUT that stands first stores, and what follows it; `next` is the slot of MEMOIZE.
#[inline(always)]
pub fn put(rest: &[u8], next: u64) -> Option<(u64, &[u8])> {
    match rest {
        [MEMOIZE, rest @ ..] => Some((next, rest)),
        [BINPUT, index, rest @ ..] => Some((u64::from(*index), rest)),
        [LONG_BINPUT, a, b, c, d, rest @ ..] => {
            Some((u64::from(u32::from_le_bytes([*a, *b, *c, *d])), rest))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::{Op, Reader};

    /// What the reader says of the same bytes, where that is an atom, and how many bytes follow.
    fn by_reader(data: &[u8]) -> Option<(String, usize)> {
        let mut reader = Reader::new(data);
        let op = match reader.next_op().ok()? {
            Op::Int(value) => format!("{value}"),
            Op::Float(value) => format!("{value}"),
            Op::None => "None".into(),
            Op::Bool(value) => format!("{value}"),
            Op::Unicode(bytes) | Op::Bytes(bytes) => format!("{bytes:?}"),
            Op::Get(index) => format!("at {index}"),
            _ => return None,
        };
        Some((op, reader.rest().len()))
    }

    /// The same from here; a short text is asked for as such, too.
    fn by_atoms(data: &[u8]) -> Option<(String, usize)> {
        let (code, rest) = data.split_first()?;
        if !is_atom(*code) {
            return None;
        }
        let (text, rest) = match *code {
            BININT | BININT1 | BININT2 => int(*code, rest).map(|(v, r)| (format!("{v}"), r))?,
            BINFLOAT => float8(rest).map(|(v, r)| (format!("{v}"), r))?,
            NONE => ("None".into(), rest),
            NEWTRUE | NEWFALSE => (format!("{}", *code == NEWTRUE), rest),
            BINGET | LONG_BINGET => index(*code, rest).map(|(v, r)| (format!("at {v}"), r))?,
            BINUNICODE => bytes4(rest).map(|(v, r)| (format!("{v:?}"), r))?,
            _ => {
                let (bytes, behind) = bytes1(rest)?;
                if let Some((short, rest)) = short(rest) {
                    assert_eq!(short.length, bytes.len());
                    assert_eq!(short.bytes(), bytes);
                    assert_eq!(short.all()[bytes.len()..].iter().max(), Some(&0));
                    assert_eq!(short.is_ascii(), bytes.is_ascii());
                    assert_eq!(rest, behind);
                }
                (format!("{bytes:?}"), behind)
            }
        };
        Some((text, rest.len()))
    }

    #[test]
    fn it_reads_what_the_reader_reads() {
        let operands: [&[u8]; 6] = [
            b"\x03abcdefghijklmnopqrstuvwxyz",
            b"\x02\0\0\0abcdefghijklmnopqrst",
            b"\x0f0123456789abc\x80\x81\x82\x83",
            b"\x100123456789abcdefghij",
            &[0xff; 20],
            b"\x80\0\0\0\0\0\0\0\0\0\0",
        ];
        let mut atoms = 0;
        for code in 0..=u8::MAX {
            for operand in operands {
                for length in 0..=operand.len() {
                    let data = [&[code], &operand[..length]].concat();
                    if let Some(atom) = by_atoms(&data) {
                        assert_eq!(Some(atom), by_reader(&data), "{data:?}");
                        atoms += 1;
                    }
                }
            }
        }
        assert!(atoms > 500, "{atoms}");
    }

    #[test]
    fn four_gets_are_seen_and_nothing_else() {
        assert!(gets_follow(b"h\x00h\xffhhh\x02"));
        assert!(gets_follow(b"h\x00h\x01h\x02h\x03e."));
        assert!(!gets_follow(b"h\x00h\x01h\x02h"));
        assert!(!gets_follow(b"h\x00h\x01h\x02j\x03\0\0\0"));
        assert!(!gets_follow(b"hhhhhhKh"));
    }

    #[test]
    fn what_is_not_whole_is_left_to_the_reader() {
        for data in [
            &b"K"[..],
            b"M\x01",
            b"J\x01\0\0",
            b"G\0\0\0\0\0\0\0",
            b"\x8c\x02a",
            b"X\x02\0\0\0a",
            b"C\x01",
            b"h",
            b"j\0\0\0",
        ] {
            assert_eq!(by_atoms(data), None, "{data:?}");
        }
    }
}
