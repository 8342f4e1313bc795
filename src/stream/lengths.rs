//! How long an instruction is, as far as its code and the byte or word behind it tell: for scans that look for a few
//! opcodes and must get past all others quickly, and for walks that only count them.

use super::Reader;
use super::opcode::{self, OPCODES};

/// How a walk gets past an instruction that cannot fail where it is whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// The code alone.
    Bytes1,
    /// The code and a byte.
    Bytes2,
    /// The code and two bytes.
    Bytes3,
    /// The code and a word.
    Bytes5,
    /// The code and eight bytes.
    Bytes9,
    /// A byte, and as many bytes as it says.
    Counted1,
    /// A word, and as many bytes as it says.
    Counted4,
    /// MEMOIZE: the code alone.
    Memoize,
    /// BINGET: the code and a byte.
    Get1,
    /// LONG_BINGET: the code and a word.
    Get4,
    /// BINPUT: the code and a byte.
    Put1,
    /// LONG_BINPUT: the code and a word.
    Put4,
    /// Something that the decoder must look at: a line, a number that may be out of range, the end.
    Other,
}

/// By code.
const STEPS: [Step; 256] = steps();

#[allow(clippy::indexing_slicing)] // at compile time
const fn steps() -> [Step; 256] {
    let mut steps = [Step::Other; 256];
    let mut at = 0;
    while at < OPCODES.len() {
        let row = OPCODES[at];
        steps[row.code as usize] = step(row.argument.as_bytes());
        at += 1;
    }
    let mut at = 0;
    while at < opcode::CHECKED.len() {
        steps[opcode::CHECKED[at] as usize] = Step::Other;
        at += 1;
    }
    steps[opcode::MEMOIZE as usize] = Step::Memoize;
    steps[opcode::BINGET as usize] = Step::Get1;
    steps[opcode::LONG_BINGET as usize] = Step::Get4;
    steps[opcode::BINPUT as usize] = Step::Put1;
    steps[opcode::LONG_BINPUT as usize] = Step::Put4;
    steps
}

const fn step(argument: &[u8]) -> Step {
    match argument {
        b"" => Step::Bytes1,
        b"uint1" => Step::Bytes2,
        b"uint2" => Step::Bytes3,
        b"int4" | b"uint4" => Step::Bytes5,
        b"float8" => Step::Bytes9,
        b"long1" | b"string1" | b"bytes1" | b"unicodestring1" => Step::Counted1,
        b"bytes4" | b"unicodestring4" => Step::Counted4,
        _ => Step::Other,
    }
}

/// What an instruction does with the memo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// BINGET, LONG_BINGET.
    Fetched(u64),
    /// BINPUT, LONG_BINPUT.
    Stored(u64),
    /// MEMOIZE.
    Counted,
}

/// What stands behind an instruction that is whole and cannot fail, given what stands behind its code.
// Each length is a constant of its own arm: the processor foresees the arm and is past the instruction before it has read
// it, where a length from the table would make it wait.
#[inline(always)]
fn past(step: Step, behind: &[u8], mut slot: impl FnMut(Slot)) -> Option<&[u8]> {
    match (step, behind) {
        (Step::Bytes1, past)
        | (Step::Bytes2, [_, past @ ..])
        | (Step::Bytes3, [_, _, past @ ..])
        | (Step::Bytes5, [_, _, _, _, past @ ..])
        | (Step::Bytes9, [_, _, _, _, _, _, _, _, past @ ..]) => Some(past),
        (Step::Counted1, [length, text @ ..]) => text.get(usize::from(*length)..),
        (Step::Counted4, [a, b, c, d, text @ ..]) => {
            let length = word(*a, *b, *c, *d);
            usize::try_from(length).ok().and_then(|n| text.get(n..))
        }
        (Step::Memoize, past) => {
            slot(Slot::Counted);
            Some(past)
        }
        (Step::Get1, [index, past @ ..]) => {
            slot(Slot::Fetched(u64::from(*index)));
            Some(past)
        }
        (Step::Put1, [index, past @ ..]) => {
            slot(Slot::Stored(u64::from(*index)));
            Some(past)
        }
        (Step::Get4, [a, b, c, d, past @ ..]) => {
            slot(Slot::Fetched(word(*a, *b, *c, *d)));
            Some(past)
        }
        (Step::Put4, [a, b, c, d, past @ ..]) => {
            slot(Slot::Stored(word(*a, *b, *c, *d)));
            Some(past)
        }
        _ => None,
    }
}

#[inline(always)]
fn word(a: u8, b: u8, c: u8, d: u8) -> u64 {
    u64::from(u32::from_le_bytes([a, b, c, d]))
}

impl Reader<'_> {
    /// Goes past instructions that are whole and cannot fail, and counts them by their codes.
    #[inline(always)]
    #[allow(clippy::indexing_slicing)] // by a byte, of 256
    pub fn count_plain(&mut self, counts: &mut [u64; 256]) {
        let mut rest = self.rest();
        while let [code, behind @ ..] = rest {
            let code = usize::from(*code);
            let Some(past) = past(STEPS[code], behind, |_| {}) else {
                break;
            };
            counts[code] += 1;
            rest = past;
        }
        self.go_to(rest);
    }

    /// Goes past instructions that are whole and cannot fail; says what they do with the memo. Ten instructions of the
    /// processor for one of the stream, where the decoder needs 25.
    #[inline(always)]
    #[allow(clippy::indexing_slicing)] // by a byte, of 256
    pub fn skip_plain(&mut self, mut slot: impl FnMut(Slot)) {
        let mut rest = self.rest();
        while let [code, behind @ ..] = rest
            && let Some(past) = past(STEPS[usize::from(*code)], behind, &mut slot)
        {
            rest = past;
        }
        self.go_to(rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::Op;

    #[test]
    fn it_stops_where_the_decoder_must_look() {
        let mut reader = Reader::new(b"K\x07M\x01\x02G\0\0\0\0\0\0\0\0\x8c\x02abX\x01\0\0\0a\x94.");
        reader.skip_plain(|_| {});
        assert!(matches!(reader.next_op(), Ok(Op::Stop)));
        let mut slots = Vec::new();
        Reader::new(b"\x94h\x07j\x08\0\0\0q\x09r\x0a\0\0\0.").skip_plain(|slot| slots.push(slot));
        let want = [
            Slot::Counted,
            Slot::Fetched(7),
            Slot::Fetched(8),
            Slot::Stored(9),
            Slot::Stored(10),
        ];
        assert_eq!(slots, want);
        let mut reader = Reader::new(b"NK");
        reader.skip_plain(|_| {});
        assert_eq!(reader.rest(), b"K");
        let mut reader = Reader::new(b"\x8c\x05ab");
        reader.skip_plain(|_| {});
        assert_eq!(reader.position(), 0);
    }

    #[test]
    fn what_is_counted_cannot_fail() {
        for code in 0..=255u8 {
            // 255 where a sign or a range would show.
            for byte in [0, 1, 3, 255] {
                let mut data = vec![byte; 600];
                data[0] = code;
                let length = match STEPS[usize::from(code)] {
                    Step::Other => continue,
                    Step::Counted4 => {
                        data[2..5].fill(0);
                        5 + usize::from(byte)
                    }
                    Step::Counted1 => 2 + usize::from(byte),
                    Step::Bytes1 | Step::Memoize => 1,
                    Step::Bytes2 | Step::Get1 | Step::Put1 => 2,
                    Step::Bytes3 => 3,
                    Step::Bytes5 | Step::Get4 | Step::Put4 => 5,
                    Step::Bytes9 => 9,
                };
                let mut decoding = Reader::new(&data);
                assert!(!matches!(decoding.next_op(), Err(_) | Ok(Op::Stop)));
                assert_eq!(decoding.position(), length, "{code:#x}");
                data.truncate(length);
                let mut counts = [0; 256];
                let mut counting = Reader::new(&data);
                counting.count_plain(&mut counts);
                assert_eq!(
                    (counting.position(), counts[usize::from(code)]),
                    (length, 1)
                );
                data.truncate(length - 1);
                let mut cut = Reader::new(&data);
                cut.count_plain(&mut counts);
                assert_eq!((cut.position(), counts[usize::from(code)]), (0, 1));
                cut.skip_plain(|_| {});
                assert_eq!(cut.position(), 0);
                data.resize(length, byte);
                data[0] = code;
                let mut skipping = Reader::new(&data);
                skipping.skip_plain(|_| {});
                assert_eq!(skipping.position(), length);
            }
        }
    }
}
