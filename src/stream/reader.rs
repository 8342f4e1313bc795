//! The cursor over the bytes of one pickle.
//!
//! Owns every length check: whatever an operand declares is compared with what is left, and nothing is ever allocated
//! from it. Frames are strict: an opcode may not straddle one.

use crate::error::{Error, Kind, Result};
use crate::stream::{atoms, opcode};

/// A cursor over the bytes that are here; more may follow when the stream comes from a file.
///
/// `Copy`, and every rare path takes a copy: the cursor then stays in registers in the machine's loop.
#[derive(Debug, Clone, Copy)]
pub struct Reader<'a> {
    /// What is left of the current frame, or of the data. One bound serves both.
    rest: &'a [u8],
    /// What follows the frame.
    behind: &'a [u8],
    data: &'a [u8],
    framed: bool,
    /// Where the opcode being read begins.
    start: *const u8,
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
        let here = data.get(pos..).unwrap_or_default();
        let (rest, behind) = here.split_at(frame.unwrap_or(here.len()).min(here.len()));
        Self {
            rest,
            behind,
            data,
            framed: frame.is_some(),
            start: rest.as_ptr(),
            base,
        }
    }

    /// At the start of a stream: takes the PROTO that it begins with, up to that version, and the FRAME behind it, if all
    /// of that is here. What is not is left to be read one by one.
    #[inline(always)]
    pub fn open(&mut self, highest: u8) -> Option<u8> {
        let [opcode::PROTO, version, rest @ ..] = self.rest else {
            return None;
        };
        if *version > highest {
            return None;
        }
        self.rest = rest;
        if let [opcode::FRAME, rest @ ..] = rest
            && let Some((length, rest)) = rest.split_first_chunk()
            && let Ok(length) = usize::try_from(u64::from_le_bytes(*length))
            && let Some((rest, behind)) = rest.split_at_checked(length)
        {
            (self.rest, self.behind) = (rest, behind);
            self.framed = true;
        }
        Some(*version)
    }

    /// Index in the data of the next byte to read.
    pub fn position(&self) -> usize {
        self.data.len() - self.rest.len() - self.behind.len()
    }

    /// Bytes left in the current frame.
    pub fn frame_left(&self) -> Option<usize> {
        self.framed.then_some(self.rest.len())
    }

    fn start(&self) -> usize {
        self.start.addr() - self.data.as_ptr().addr()
    }

    /// Offset of the current opcode from the start of the pickle.
    #[inline(always)]
    pub fn at(&self) -> u64 {
        self.base + self.start() as u64
    }

    /// Code of the current opcode.
    #[inline(always)]
    pub fn code(&self) -> u8 {
        self.data.get(self.start()).copied().unwrap_or_default()
    }

    /// Goes back to the start of the current opcode, so that it is read again when more data is here.
    pub fn rewind(&mut self) {
        let end = self.data.len() - self.behind.len();
        self.rest = self.data.get(self.start()..end).unwrap_or_default();
    }

    /// The bytes after the cursor, up to the end of the frame: what a fused path may look at.
    #[inline(always)]
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }

    /// The bytes after the cursor and after its frame, if that has ended.
    #[inline(always)]
    pub fn behind(&self) -> Option<&'a [u8]> {
        match (self.framed, self.rest) {
            (false, rest) => Some(rest),
            (true, []) => Some(self.behind),
            (true, _) => None,
        }
    }

    /// Leaves out so many bytes of [`Reader::behind`].
    #[cold]
    pub fn skip(&mut self, count: usize) {
        if let Some(behind) = self.behind() {
            self.framed = false;
            self.rest = behind.get(count..).unwrap_or_default();
            self.behind = &[];
        }
    }

    /// Bytes of the data, read and unread.
    pub fn length(&self) -> usize {
        self.data.len()
    }

    /// Takes the opcode that [`Reader::rest`] showed, for a path that executes it together with the current one.
    #[inline(always)]
    pub fn next_fused(&mut self) {
        if let [_, rest @ ..] = self.rest {
            self.start = self.rest.as_ptr();
            self.rest = rest;
        }
    }

    /// Goes to a later opcode of [`Reader::rest`] and takes it, as [`Reader::next_fused`] does.
    #[inline(always)]
    pub fn fuse(&mut self, opcode: &'a [u8]) {
        self.go_to(opcode);
        self.next_fused();
    }

    /// Goes to a later place of [`Reader::rest`].
    #[inline(always)]
    pub fn go_to(&mut self, rest: &'a [u8]) {
        debug_assert!(self.rest.ends_with(rest));
        self.rest = rest;
    }

    /// The next byte is the current opcode.
    #[cold]
    pub fn stand(&mut self) {
        self.start = self.rest.as_ptr();
    }

    /// What an address in the data must be added to, to be an offset from the start of the pickle.
    #[inline(always)]
    pub fn origin(&self) -> u64 {
        self.base.wrapping_sub(self.data.as_ptr().addr() as u64)
    }

    /// Takes the MEMOIZE, BINPUT or LONG_BINPUT that comes next, if it stores at slot `next`.
    #[inline(always)]
    pub fn next_put(&mut self, next: u64) -> bool {
        let Some((slot, rest)) = atoms::put(self.rest, next) else {
            return false;
        };
        if slot != next {
            return false;
        }
        self.next_fused();
        self.rest = rest;
        true
    }

    /// Takes the MARK that comes next.
    #[inline(always)]
    pub fn next_mark(&mut self) -> bool {
        let marks = matches!(self.rest, [opcode::MARK, ..]);
        if marks {
            self.next_fused();
        }
        marks
    }

    /// An error at the current opcode.
    #[inline(always)]
    pub fn error(&self, kind: Kind) -> Box<Error> {
        error_at(kind, self.at(), self.code())
    }

    /// Reads by a rare path, on a copy of the cursor.
    #[inline(always)]
    pub fn aside<T>(&mut self, read: impl FnOnce(&mut Self) -> T) -> T {
        let mut copy = *self;
        let result = read(&mut copy);
        *self = copy;
        result
    }

    /// The code of the next opcode.
    #[inline(always)]
    pub(super) fn next_code(&mut self) -> Result<u8> {
        if self.rest.is_empty() {
            self.aside(Self::leave_frame)?;
        }
        self.start = self.rest.as_ptr();
        self.u8()
    }

    /// At the end of a frame: goes on behind it. At the end of the data: says that the stream has no STOP.
    #[cold]
    #[inline(never)]
    fn leave_frame(&mut self) -> Result<()> {
        self.framed = false;
        self.rest = self.behind;
        self.behind = &[];
        self.start = self.data.as_ptr_range().end.wrapping_sub(self.rest.len());
        if self.rest.is_empty() {
            return Err(Error::new(Kind::NoInput, self.at(), None));
        }
        Ok(())
    }

    /// Enters a frame of `length` bytes.
    #[inline(always)]
    pub(super) fn enter_frame(&mut self, length: u64) -> Result<()> {
        if self.framed {
            if !self.rest.is_empty() {
                return Err(self.error(Kind::FrameInFrame));
            }
            self.rest = self.behind;
        }
        match usize::try_from(length)
            .ok()
            .and_then(|length| self.rest.split_at_checked(length))
        {
            Some((rest, behind)) => {
                (self.rest, self.behind) = (rest, behind);
                self.framed = true;
                Ok(())
            }
            None if i64::try_from(length).is_err() => {
                Err(self.error(Kind::SizeOverflow("FRAME length")))
            }
            None => Err(self.error(Kind::Truncated {
                need: length - self.rest.len() as u64,
            })),
        }
    }

    /// `count` bytes.
    #[inline(always)]
    pub(super) fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        match self.rest.split_at_checked(count) {
            Some((taken, rest)) => {
                self.rest = rest;
                Ok(taken)
            }
            None => Err(self.short(count as u64)),
        }
    }

    /// As many bytes as an 8-byte length says; `what` names the opcode where no `Py_ssize_t` could hold it.
    #[inline(always)]
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
        match self.rest.split_first_chunk::<N>() {
            Some((bytes, rest)) => {
                self.rest = rest;
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
        let Some(length) = memchr::memchr(b'\n', self.rest) else {
            return Err(self.short(0));
        };
        let (line, rest) = self.rest.split_at(length);
        self.rest = rest.get(1..).unwrap_or_default();
        Ok(line)
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

    /// `count` bytes (0: a line) are not here. Boxed as all errors of this crate are.
    #[inline(always)]
    #[allow(clippy::unnecessary_box_returns)]
    fn short(&self, count: u64) -> Box<Error> {
        short_at(self.framed, self.rest.len(), count, self.at(), self.code())
    }
}

// The two below take what they need and not the cursor: an address of it, even of a copy that the compiler sees
// through, would keep it in memory.

#[cold]
#[inline(never)]
#[allow(clippy::unnecessary_box_returns)] // the shape of `Result`
fn error_at(kind: Kind, at: u64, code: u8) -> Box<Error> {
    let named = !matches!(kind, Kind::NoInput | Kind::InvalidLoadKey(_));
    Error::new(kind, at, if named { opcode::name(code) } else { None })
}

/// Bytes are missing: is it the frame that ends, or the data?
#[cold]
#[inline(never)]
#[allow(clippy::unnecessary_box_returns)] // the shape of `Result`
fn short_at(framed: bool, here: usize, count: u64, at: u64, code: u8) -> Box<Error> {
    let kind = if framed {
        Kind::FrameExhausted
    } else {
        Kind::Truncated {
            need: count.saturating_sub(here as u64),
        }
    };
    error_at(kind, at, code)
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
