//! How long an instruction is, as far as its code and the byte or word behind it tell: for scans that look for a few
//! opcodes and must get past all others quickly.

use super::Reader;
use super::opcode::{self, OPCODES};

/// What follows the code of an instruction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operand {
    /// So many bytes.
    Fixed(u8),
    /// A byte, and as many bytes as it says.
    Counted1,
    /// A word, and as many bytes as it says.
    Counted4,
    /// None, or the index of a slot: what a scan looks for.
    Memo,
    Get1,
    Get4,
    Put1,
    Put4,
    /// Something that the decoder must look at.
    Other,
}

/// By code.
const OPERANDS: [Operand; 256] = operands();

#[allow(clippy::indexing_slicing)] // at compile time
const fn operands() -> [Operand; 256] {
    let mut operands = [Operand::Other; 256];
    let mut at = 0;
    while at < OPCODES.len() {
        let row = OPCODES[at];
        operands[row.code as usize] = operand(row.argument.as_bytes());
        at += 1;
    }
    operands[opcode::MEMOIZE as usize] = Operand::Memo;
    operands[opcode::BINGET as usize] = Operand::Get1;
    operands[opcode::LONG_BINGET as usize] = Operand::Get4;
    operands[opcode::BINPUT as usize] = Operand::Put1;
    operands[opcode::LONG_BINPUT as usize] = Operand::Put4;
    operands[opcode::STOP as usize] = Operand::Other;
    operands
}

const fn operand(argument: &[u8]) -> Operand {
    match argument {
        b"" => Operand::Fixed(0),
        b"uint1" => Operand::Fixed(1),
        b"uint2" => Operand::Fixed(2),
        b"int4" => Operand::Fixed(4),
        b"float8" => Operand::Fixed(8),
        b"long1" | b"bytes1" | b"unicodestring1" => Operand::Counted1,
        b"bytes4" | b"unicodestring4" => Operand::Counted4,
        _ => Operand::Other,
    }
}

/// What an instruction does with the memo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slot {
    /// BINGET, LONG_BINGET.
    Fetched(u32),
    /// BINPUT, LONG_BINPUT.
    Stored(u32),
    /// MEMOIZE.
    Counted,
}

impl Reader<'_> {
    /// Goes past instructions that are plain and whole, up to one that the decoder must look at; says what they do with
    /// the memo. Seven instructions of the processor for one of the stream, where the decoder needs 25.
    #[inline(always)]
    #[allow(clippy::indexing_slicing)] // 256 operands, indexed by a byte
    pub fn skip_plain(&mut self, mut slot: impl FnMut(Slot)) {
        let mut rest = self.rest();
        while let [code, behind @ ..] = rest {
            let past = match (OPERANDS[usize::from(*code)], behind) {
                (Operand::Fixed(length), _) => behind.get(usize::from(length)..),
                (Operand::Counted1, [length, text @ ..]) => text.get(usize::from(*length)..),
                (Operand::Memo, _) => {
                    slot(Slot::Counted);
                    Some(behind)
                }
                (Operand::Get1, [index, past @ ..]) => {
                    slot(Slot::Fetched(u32::from(*index)));
                    Some(past)
                }
                (Operand::Put1, [index, past @ ..]) => {
                    slot(Slot::Stored(u32::from(*index)));
                    Some(past)
                }
                (operand, [a, b, c, d, past @ ..]) => {
                    let word = u32::from_le_bytes([*a, *b, *c, *d]);
                    match operand {
                        Operand::Counted4 => usize::try_from(word).ok().and_then(|n| past.get(n..)),
                        Operand::Get4 => {
                            slot(Slot::Fetched(word));
                            Some(past)
                        }
                        Operand::Put4 => {
                            slot(Slot::Stored(word));
                            Some(past)
                        }
                        _ => None,
                    }
                }
                _ => None,
            };
            let Some(past) = past else { break };
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
        let mut reader =
            Reader::new(b"\x80\x04K\x07M\x01\x02G\0\0\0\0\0\0\0\0\x8c\x02abX\x01\0\0\0a\x94.");
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
    fn lengths_are_the_decoders() {
        for row in OPCODES {
            if matches!(OPERANDS[usize::from(row.code)], Operand::Other) {
                continue;
            }
            let mut data = [0u8; 16];
            data[0] = row.code;
            data[1] = 3;
            let mut decoding = Reader::new(&data);
            // One instruction only: behind it stands one that stops the skipping.
            if decoding.next_op().is_err() {
                continue;
            }
            let end = decoding.position();
            data[end] = opcode::STOP;
            let mut skipping = Reader::new(&data[..=end]);
            skipping.skip_plain(|_| {});
            assert_eq!(skipping.position(), end, "{}", row.name);
        }
    }
}
