//! The cursor over the bytes of one pickle.
//!
//! Owns every length check: whatever an operand declares is compared with what is left, and nothing is ever allocated
//! from it. Frames are strict: an opcode may not straddle one.

use crate::error::{Error, Kind, Result};
use crate::stream::opcode;

/// A cursor over the bytes that are here; more may follow when the stream comes from a file.
pub struct Reader<'a> {
    data: &'a [u8],
    /// Next byte to read.
    pos: usize,
    /// Where the current frame, or the data, ends. One bound serves both.
    end: usize,
    /// Whether `end` is the end of a frame.
    framed: bool,
    /// First byte and code of the opcode being read.
    start: usize,
    code: u8,
    /// Offset of `data[0]` from the start of the pickle.
    base: u64,
}

impl<'a> Reader<'a> {
    /// A cursor at the start of `data`.
    pub fn new(data: &'a [u8]) -> Self {
        Self::resume(data, 0, 0, None)
    }

    /// A cursor at `pos` of `data`, whose first byte is byte `base` of the pickle, `frame` bytes before the end of a
    /// frame: what [`Reader::position`] and [`Reader::frame_left`] of an earlier cursor said.
    pub fn resume(data: &'a [u8], pos: usize, base: u64, frame: Option<usize>) -> Self {
        let pos = pos.min(data.len());
        let end = frame.map_or(data.len(), |left| pos.saturating_add(left).min(data.len()));
        Self {
            data,
            pos,
            end,
            framed: frame.is_some(),
            start: pos,
            code: 0,
            base,
        }
    }

    /// Index in the data of the next byte to read.
    pub fn position(&self) -> usize {
        self.pos
    }

    /// Bytes left in the current frame.
    pub fn frame_left(&self) -> Option<usize> {
        self.framed.then(|| self.end.saturating_sub(self.pos))
    }

    /// Offset of the current opcode from the start of the pickle.
    #[inline(always)]
    pub fn at(&self) -> u64 {
        self.base + self.start as u64
    }

    /// Code of the current opcode.
    #[inline(always)]
    pub fn code(&self) -> u8 {
        self.code
    }

    /// Goes back to the start of the current opcode, so that it is read again when more data is here.
    pub fn rewind(&mut self) {
        self.pos = self.start;
    }

    /// The bytes after the cursor, up to the end of the frame: what a fused path may look at.
    #[inline(always)]
    pub fn rest(&self) -> &'a [u8] {
        self.data.get(self.pos..self.end).unwrap_or_default()
    }

    /// Takes the opcode that [`Reader::rest`] showed, for a path that executes it together with the current one.
    #[inline(always)]
    pub fn next_fused(&mut self) {
        if let Some(code) = self.rest().first() {
            self.start = self.pos;
            self.code = *code;
            self.pos += 1;
        }
    }

    /// An error at the current opcode.
    #[cold]
    pub fn error(&self, kind: Kind) -> Box<Error> {
        let named = !matches!(kind, Kind::NoInput | Kind::InvalidLoadKey(_));
        let opcode = if named { opcode::name(self.code) } else { None };
        Error::new(kind, self.at(), opcode)
    }

    /// The code of the next opcode.
    #[inline(always)]
    pub(super) fn next_code(&mut self) -> Result<u8> {
        if self.pos >= self.end {
            self.leave_frame()?;
        }
        self.start = self.pos;
        self.code = self.u8()?;
        Ok(self.code)
    }

    /// At the end of a frame: goes on behind it. At the end of the data: says that the stream has no STOP.
    #[cold]
    fn leave_frame(&mut self) -> Result<()> {
        self.start = self.pos;
        self.framed = false;
        self.end = self.data.len();
        if self.pos >= self.end {
            return Err(Error::new(Kind::NoInput, self.at(), None));
        }
        Ok(())
    }

    /// Enters a frame of `length` bytes.
    pub(super) fn enter_frame(&mut self, length: u64) -> Result<()> {
        if i64::try_from(length).is_err() {
            return Err(self.error(Kind::SizeOverflow("FRAME length")));
        }
        if self.framed && self.pos < self.end {
            return Err(self.error(Kind::FrameInFrame));
        }
        let left = self.data.len() - self.pos;
        match usize::try_from(length) {
            Ok(length) if length <= left => {
                self.end = self.pos + length;
                self.framed = true;
                Ok(())
            }
            _ => Err(self.error(Kind::Truncated {
                need: length - left as u64,
            })),
        }
    }

    /// `count` bytes.
    #[inline(always)]
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        if count > self.end - self.pos {
            return Err(self.short(count as u64));
        }
        let taken = self
            .data
            .get(self.pos..self.pos + count)
            .unwrap_or_default();
        self.pos += count;
        Ok(taken)
    }

    /// As many bytes as an 8-byte length says; `what` names the opcode where no `Py_ssize_t` could hold it.
    #[inline]
    pub(super) fn take_u64(&mut self, what: &'static str) -> Result<&'a [u8]> {
        let length = u64::from_le_bytes(self.array()?);
        if i64::try_from(length).is_err() {
            return Err(self.error(Kind::SizeOverflow(what)));
        }
        match usize::try_from(length) {
            Ok(length) => self.take(length),
            Err(_) => Err(self.short(length)),
        }
    }

    #[inline(always)]
    fn array<const N: usize>(&mut self) -> Result<[u8; N]> {
        match self
            .data
            .get(self.pos..self.end)
            .and_then(|rest| rest.first_chunk::<N>())
        {
            Some(bytes) => {
                self.pos += N;
                Ok(*bytes)
            }
            None => Err(self.short(N as u64)),
        }
    }

    #[inline(always)]
    pub(super) fn u8(&mut self) -> Result<u8> {
        Ok(u8::from_le_bytes(self.array()?))
    }

    #[inline(always)]
    pub(super) fn u16(&mut self) -> Result<u16> {
        Ok(u16::from_le_bytes(self.array()?))
    }

    #[inline(always)]
    pub(super) fn u32(&mut self) -> Result<u32> {
        Ok(u32::from_le_bytes(self.array()?))
    }

    #[inline(always)]
    pub(super) fn i32(&mut self) -> Result<i32> {
        Ok(i32::from_le_bytes(self.array()?))
    }

    #[inline(always)]
    pub(super) fn u64(&mut self) -> Result<u64> {
        Ok(u64::from_le_bytes(self.array()?))
    }

    /// BINFLOAT's operand: big-endian, unlike every other.
    #[inline(always)]
    pub(super) fn f64(&mut self) -> Result<f64> {
        Ok(f64::from_be_bytes(self.array()?))
    }

    /// A line without its `\n`.
    pub(super) fn line(&mut self) -> Result<&'a [u8]> {
        let rest = self.rest();
        match memchr::memchr(b'\n', rest) {
            Some(length) => {
                self.pos += length + 1;
                Ok(rest.get(..length).unwrap_or_default())
            }
            None => Err(self.short(0)),
        }
    }

    /// A line that must not be empty; `CPython` calls the empty one truncated data.
    pub(super) fn full_line(&mut self) -> Result<&'a [u8]> {
        let line = self.line()?;
        if line.is_empty() {
            Err(self.error(Kind::EmptyLine))
        } else {
            Ok(line)
        }
    }

    /// `count` bytes (0: a line) are not here: is it the frame that ends, or the data?
    #[cold]
    #[allow(clippy::unnecessary_box_returns)] // the shape of `Result`
    fn short(&self, count: u64) -> Box<Error> {
        if self.framed {
            return self.error(Kind::FrameExhausted);
        }
        let here = (self.end - self.pos) as u64;
        self.error(Kind::Truncated {
            need: count.saturating_sub(here),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stream::Op;

    fn kind_of(data: &[u8]) -> Kind {
        let mut reader = Reader::new(data);
        loop {
            match reader.next_op() {
                Ok(Op::Stop) => panic!("the stream is whole"),
                Ok(_) => {}
                Err(error) => return error.kind,
            }
        }
    }

    #[test]
    fn declared_lengths_are_compared_with_what_is_left() {
        assert_eq!(
            kind_of(b"B\xff\xff\xff\xffab"),
            Kind::Truncated { need: 0xffff_fffd }
        );
        assert_eq!(
            kind_of(b"\x8e\0\0\0\0\0\0\0\x40"),
            Kind::Truncated {
                need: 0x4000_0000_0000_0000
            }
        );
        assert_eq!(
            kind_of(b"\x8d\xff\xff\xff\xff\xff\xff\xff\xff"),
            Kind::SizeOverflow("BINUNICODE8")
        );
        assert_eq!(kind_of(b"I12"), Kind::Truncated { need: 0 });
        assert_eq!(kind_of(b""), Kind::NoInput);
    }

    #[test]
    fn frames_are_strict() {
        let framed = |length: u8, body: &[u8]| {
            let mut data = vec![0x95, length, 0, 0, 0, 0, 0, 0, 0];
            data.extend_from_slice(body);
            data
        };
        assert_eq!(kind_of(&framed(2, b"J\x01\0\0\0.")), Kind::FrameExhausted);
        assert_eq!(kind_of(&framed(9, b"N.")), Kind::Truncated { need: 7 });
        assert_eq!(
            kind_of(&framed(18, &framed(9, b"NNNNNNNNN."))),
            Kind::FrameInFrame
        );
        let after = framed(1, b"N.");
        let mut reader = Reader::new(&after);
        assert!(matches!(reader.next_op(), Ok(Op::Frame(1))));
        assert!(matches!(reader.next_op(), Ok(Op::None)));
        assert!(matches!(reader.next_op(), Ok(Op::Stop)));
    }

    #[test]
    fn a_cursor_resumes_where_another_stopped() {
        let data = b"K\x07J\x01\0";
        let mut first = Reader::new(data);
        assert!(matches!(first.next_op(), Ok(Op::Int(7))));
        assert!(first.next_op().is_err());
        first.rewind();
        let more = b"J\x01\0\0\0.";
        let mut second = Reader::resume(more, 0, first.position() as u64, first.frame_left());
        assert!(matches!(second.next_op(), Ok(Op::Int(1))));
        assert_eq!(second.at(), 2);
    }
}
