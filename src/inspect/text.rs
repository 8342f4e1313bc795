//! Text: where it stays in the stream, what of it is copied, and what becomes of a Python 2 `str`.

use std::borrow::Cow;

use super::Encoding;
use super::calls::Noted;
use super::contents::Data;
use super::note::{Arena, Note};
use super::world::{NoteWorld, Stop};
use crate::machine::budget::{Budget, size};
use crate::stream::text;

impl<'d> NoteWorld<'d> {
    /// A str of UTF-8, as its opcode has it.
    #[inline(always)]
    pub(super) fn note_unicode(&mut self, budget: &mut Budget, utf8: &[u8]) -> Noted {
        // Nearly all text is short and ASCII, and known to be a str by that: not a call (0.8 times the instructions).
        let length = utf8.len() as u64;
        if let Some(start) = self.offset(utf8)
            && let Some(short) = Arena::short_text(start, utf8.len(), (length, 1))
            && text::is_ascii(utf8)
        {
            budget.memory(size::ASCII + length)?;
            return Ok(short);
        }
        self.note_other(budget, utf8)
    }

    /// A str that is long or not ASCII, or that is not in the stream as it is.
    #[inline(never)]
    fn note_other(&mut self, budget: &mut Budget, utf8: &[u8]) -> Noted {
        let ascii = text::is_ascii(utf8);
        let spelled = if ascii {
            budget.memory(size::ASCII + utf8.len() as u64)?;
            (utf8.len() as u64, 1)
        } else {
            let (characters, width) = size::characters(utf8);
            budget.memory(size::TEXT + characters * width)?;
            (characters, width)
        };
        let decodes = || match spelled {
            _ if ascii => true,
            (_, 1) => text::is_latin1_utf8(utf8),
            _ => std::str::from_utf8(utf8).is_ok(),
        };
        if let Some(start) = self.offset(utf8)
            && let Some(bytes) = self.data.get(start..start + utf8.len())
            && decodes()
        {
            return Ok(match Arena::short_text(start, utf8.len(), spelled) {
                Some(short) => short,
                None => self.notes.utf8(bytes, spelled)?,
            });
        }
        if text::check_utf8(utf8)? {
            let owned = String::from_utf8_lossy(utf8).into_owned();
            return Ok(self.notes.text(Cow::Owned(owned))?);
        }
        let kept = self.keep(utf8);
        Ok(Note::Surrogates(self.notes.blob(kept)?))
    }

    /// A Python 2 `str`.
    pub(super) fn note_string(&mut self, budget: &mut Budget, bytes: &[u8]) -> Noted {
        budget.memory(size::TEXT + bytes.len() as u64 * 2)?;
        match self.options.encoding {
            Encoding::Bytes => Ok(Note::Bytes(self.notes.blob(self.keep(bytes))?)),
            _ if bytes.is_ascii() => self.ascii(bytes),
            Encoding::Ascii => {
                let at = bytes.iter().position(|byte| !byte.is_ascii()).unwrap_or(0);
                let reason = "ordinal not in range(128)";
                Err(text::bad_text("ascii", bytes, at, at + 1, reason).into())
            }
            Encoding::Latin1 => {
                let decoded: String = bytes.iter().copied().map(char::from).collect();
                Ok(self.notes.text(Cow::Owned(decoded))?)
            }
            Encoding::Other => {
                let kept = self.keep(bytes);
                Ok(Note::Encoded(self.notes.blob(kept)?))
            }
        }
    }

    /// The same bytes with the lifetime of the stream, if that is where they are.
    #[inline]
    fn borrowed(&self, bytes: &[u8]) -> Option<&'d [u8]> {
        let start = self.offset(bytes)?;
        self.data.get(start..start.checked_add(bytes.len())?)
    }

    /// Where in the stream bytes are, if they are in it.
    #[inline]
    pub(super) fn offset(&self, bytes: &[u8]) -> Option<usize> {
        let start = bytes
            .as_ptr()
            .addr()
            .checked_sub(self.data.as_ptr().addr())?;
        (start.checked_add(bytes.len())? <= self.data.len()).then_some(start)
    }

    /// A str of ASCII that is charged for already.
    fn ascii(&mut self, bytes: &[u8]) -> Noted {
        if let Some(start) = self.offset(bytes)
            && let Some(short) = Arena::short_text(start, bytes.len(), (bytes.len() as u64, 1))
        {
            return Ok(short);
        }
        let text = match self.keep(bytes) {
            Cow::Borrowed(bytes) => String::from_utf8_lossy(bytes),
            Cow::Owned(bytes) => Cow::Owned(String::from_utf8_lossy(&bytes).into_owned()),
        };
        Ok(self.notes.text(text)?)
    }

    /// Bytes, where they are in the stream or kept.
    #[inline]
    pub(super) fn data_of(&mut self, bytes: &[u8]) -> Result<Data, Stop> {
        let here = self.offset(bytes);
        if let Some(data) = here.and_then(|start| Data::here(start, bytes.len())) {
            return Ok(data);
        }
        let kept = self.keep(bytes);
        Ok(self.notes.blob(kept)?)
    }

    /// The bytes where they are in the stream, or a copy.
    pub(super) fn keep(&self, bytes: &[u8]) -> Cow<'d, [u8]> {
        match self.borrowed(bytes) {
            Some(bytes) => Cow::Borrowed(bytes),
            None => Cow::Owned(bytes.to_vec()),
        }
    }
}
