//! Where a pickle ends, and which opcodes it is made of. Nothing is executed.

use super::Opcodes;
use super::arrays::Raw;
use crate::error::{Kind, Result};
use crate::stream::{Op, Reader, opcode};

/// A walk over the opcodes of one pickle, which goes on when more bytes are here.
#[derive(Debug)]
pub(super) struct Survey {
    position: usize,
    frame: Option<usize>,
    /// Bytes that the walk lacks to go on; 0: a line.
    need: u64,
    counts: Box<[u64; 256]>,
}

impl Default for Survey {
    fn default() -> Self {
        Self {
            position: 0,
            frame: None,
            need: 1,
            counts: Box::new([0; 256]),
        }
    }
}

impl Survey {
    /// Walks on over `data`, which holds the pickle from its start. `Some`: where STOP ends it. `None`: more bytes are
    /// needed. An error: the bytes are at fault wherever they end.
    pub(super) fn walk(&mut self, data: &[u8]) -> Result<Option<usize>> {
        let mut reader = Reader::resume(data, self.position, 0, self.frame);
        loop {
            // Nearly every instruction is plain: the table takes a third of the decoder's time.
            reader.count_plain(&mut self.counts);
            match reader.next_op() {
                Ok(op) => {
                    if let Some(count) = self.counts.get_mut(usize::from(reader.code())) {
                        *count += 1;
                    }
                    if op == Op::Stop {
                        self.position = reader.position();
                        self.frame = reader.frame_left();
                        return Ok(Some(self.position));
                    }
                }
                Err(error) if is_short(&error.kind) => {
                    self.need = match error.kind {
                        Kind::Truncated { need } => need,
                        _ => 1,
                    };
                    reader.rewind();
                    self.position = reader.position();
                    self.frame = reader.frame_left();
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Walks over a pickle with raw bytes between its opcodes, in their order.
    pub(super) fn walk_between(&mut self, data: &[u8], raws: &[Raw]) -> Result<Option<usize>> {
        for raw in raws {
            if let Some(end) = self.walk(data.get(..raw.at).unwrap_or(data))? {
                return Ok(Some(end));
            }
            self.position = raw.at.saturating_add(raw.length);
            self.frame = None;
        }
        self.walk(data)
    }

    /// Whether STOP was the last byte of its frame, or stood in none. Where more follows, readers differ in where they
    /// leave a file.
    pub(super) fn ended_with_its_frame(&self) -> bool {
        matches!(self.frame, None | Some(0))
    }

    /// How many bytes the walk lacks to go on, at least; 0: a line.
    pub(super) fn need(&self) -> u64 {
        self.need
    }

    /// How often each opcode was met, in the order of the table.
    pub(super) fn opcodes(&self) -> Opcodes {
        opcode::OPCODES
            .iter()
            .filter_map(|row| {
                let count = self.counts.get(usize::from(row.code)).copied()?;
                (count > 0).then_some((row.name, count))
            })
            .collect()
    }

    /// The protocol that the opcodes need.
    pub(super) fn protocol(&self) -> u8 {
        opcode::OPCODES
            .iter()
            .filter(|row| {
                self.counts
                    .get(usize::from(row.code))
                    .is_some_and(|count| *count > 0)
            })
            .map(|row| row.protocol)
            .max()
            .unwrap_or(0)
    }
}

/// Whether more bytes would help.
fn is_short(kind: &Kind) -> bool {
    matches!(kind, Kind::NoInput | Kind::Truncated { .. })
}

/// The code of an opcode by its name.
pub(super) fn code_of(name: &str) -> u8 {
    opcode::OPCODES
        .iter()
        .find(|row| row.name == name)
        .map_or(0, |row| row.code)
}
