//! Text and bytes of a pickle: where in the stream they are, and what is kept of those that are not there as they are.

use std::borrow::Cow;
use std::cell::OnceCell;

use super::note::{Arena, Id, Note, id, index};
use crate::error::Kind;
use crate::machine::budget::size;

/// Bytes of a str up to which it stays where it is in the stream; a longer one is checked to be UTF-8 once, and kept.
const SHORT: usize = 64;

/// Where the text of a str is, and how it is spelled: offset in the stream (of a long text, its index), bytes that a str
/// takes for each character, characters, and bytes. One word: a note is moved by words, and what was written just before
/// in smaller pieces has to be waited for (two thirds of the inspection of a column of strings).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Text(u64);

impl Text {
    /// A text of so many bytes and characters. `width`: bytes for each, 1, 2 or 4.
    #[inline]
    fn new(at: u32, len: u8, characters: u8, width: u8) -> Self {
        let form = u64::from(width) << 16 | u64::from(characters) << 8 | u64::from(len);
        Self(u64::from(at) << 32 | form)
    }

    /// A long text.
    fn kept(at: Id, width: u8) -> Self {
        Self(at << 32 | u64::from(width) << 16 | u64::from(LONG))
    }

    #[inline]
    fn at(self) -> usize {
        index(self.0 >> 32)
    }

    #[inline]
    fn len(self) -> u8 {
        self.0.to_le_bytes()[0]
    }

    #[inline]
    fn characters(self) -> u8 {
        self.0.to_le_bytes()[1]
    }

    #[inline]
    fn width(self) -> u8 {
        self.0.to_le_bytes()[2]
    }
}

/// Where bytes are, in one word as well: offset in the stream and number; of bytes that are kept, their index in `blobs`
/// and [`KEPT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Data(u64);

/// In the place of a number of bytes: they are kept.
const KEPT: u32 = u32::MAX;

impl Data {
    /// Bytes of the stream, as far as a note can tell where they are.
    #[inline]
    pub(super) fn here(start: usize, len: usize) -> Option<Self> {
        let (at, len) = (u32::try_from(start).ok()?, u32::try_from(len).ok()?);
        (len != KEPT).then(|| Self(u64::from(at) << 32 | u64::from(len)))
    }

    /// Bytes that are kept.
    fn kept(at: Id) -> Self {
        Self(at << 32 | u64::from(KEPT))
    }

    #[inline]
    fn at(self) -> usize {
        index(self.0 >> 32)
    }

    /// Their number, where they are in the stream.
    #[inline]
    fn len(self) -> Option<usize> {
        let [a, b, c, d, ..] = self.0.to_le_bytes();
        let len = u32::from_le_bytes([a, b, c, d]);
        (len != KEPT).then_some(len as usize)
    }

    /// What tells them from all others.
    pub(super) fn key(self) -> u64 {
        self.0
    }
}

/// In the place of a length: the text is kept.
const LONG: u8 = u8::MAX;

/// A text that is longer than fits into a note.
#[derive(Debug)]
pub(super) struct Kept<'d> {
    text: Written<'d>,
    characters: u64,
}

/// The characters of a text that is kept.
#[derive(Debug)]
enum Written<'d> {
    /// They are here, or in the stream.
    Text(Cow<'d, str>),
    /// UTF-8 in the stream, decoded when someone looks.
    Utf8(&'d [u8], OnceCell<&'d str>),
}

impl Written<'_> {
    fn str(&self) -> &str {
        match self {
            Self::Text(text) => text,
            Self::Utf8(bytes, text) => {
                text.get_or_init(|| std::str::from_utf8(bytes).unwrap_or_default())
            }
        }
    }
}

/// The bytes of a bytes object.
#[derive(Debug)]
pub(super) enum Blob<'d> {
    /// They are here, or in the stream.
    Bytes(Cow<'d, [u8]>),
    /// The characters of a text are the bytes: not written until someone looks. Most data of protocol 2 is spelled so.
    Latin1 {
        text: Text,
        bytes: OnceCell<Box<[u8]>>,
    },
}

impl<'d> Arena<'d> {
    /// Keeps a str.
    pub(super) fn text(&mut self, text: Cow<'d, str>) -> Result<Note, Kind> {
        let spelled = size::characters(text.as_bytes());
        self.written(Written::Text(text), spelled)
    }

    /// Keeps bytes that are known to be UTF-8 of so many characters, each of that width.
    pub(super) fn utf8(&mut self, bytes: &'d [u8], spelled: (u64, u64)) -> Result<Note, Kind> {
        self.written(Written::Utf8(bytes, OnceCell::new()), spelled)
    }

    fn written(
        &mut self,
        text: Written<'d>,
        (characters, width): (u64, u64),
    ) -> Result<Note, Kind> {
        let at = id(self.texts.len())?;
        self.texts.push(Kept { text, characters });
        let width = u8::try_from(width).unwrap_or(u8::MAX);
        Ok(Note::Str(Text::kept(at, width)))
    }

    /// A str that is short enough to stay where it is in the stream, and known to be UTF-8 of so many characters, each
    /// of that width.
    #[inline]
    pub(super) fn short_text(
        start: usize,
        bytes: usize,
        (characters, width): (u64, u64),
    ) -> Option<Note> {
        if bytes > SHORT {
            return None;
        }
        Some(Note::Str(Text::new(
            u32::try_from(start).ok()?,
            u8::try_from(bytes).ok()?,
            u8::try_from(characters).ok()?,
            u8::try_from(width).ok()?,
        )))
    }

    /// Characters of a str.
    #[inline]
    pub(super) fn characters(&self, text: Text) -> u64 {
        if text.len() == LONG {
            let kept = self.texts.get(text.at());
            return kept.map_or(0, |kept| kept.characters);
        }
        u64::from(text.characters())
    }

    /// Whether all characters of a str are below 256.
    #[inline]
    pub(super) fn is_latin1(text: Text) -> bool {
        text.width() == 1
    }

    /// What tells a text from every other place of the stream.
    pub(super) fn text_key(text: Text) -> u64 {
        (text.at() as u64) << 8 | u64::from(text.len())
    }

    /// Keeps bytes.
    pub(super) fn blob(&mut self, bytes: Cow<'d, [u8]>) -> Result<Data, Kind> {
        self.add_blob(Blob::Bytes(bytes))
    }

    /// Keeps the bytes that the characters of a str are: those of a str that is latin-1.
    pub(super) fn latin1_blob(&mut self, text: Text) -> Result<Data, Kind> {
        let bytes = OnceCell::new();
        self.add_blob(Blob::Latin1 { text, bytes })
    }

    fn add_blob(&mut self, blob: Blob<'d>) -> Result<Data, Kind> {
        let at = id(self.blobs.len())?;
        self.blobs.push(blob);
        Ok(Data::kept(at))
    }

    /// A str.
    pub(super) fn str(&self, text: Text) -> &str {
        if text.len() == LONG {
            let kept = self.texts.get(text.at());
            return kept.map_or("", |kept| kept.text.str());
        }
        let start = text.at();
        let bytes = self.data.get(start..start + usize::from(text.len()));
        std::str::from_utf8(bytes.unwrap_or_default()).unwrap_or_default()
    }

    /// The bytes.
    pub(super) fn bytes(&self, data: Data) -> &[u8] {
        if let Some(len) = data.len() {
            let here = self.data.get(data.at()..data.at() + len);
            return here.unwrap_or_default();
        }
        match self.blobs.get(data.at()) {
            Some(Blob::Bytes(bytes)) => bytes,
            Some(Blob::Latin1 { text, bytes }) => bytes.get_or_init(|| {
                let byte = |char| u8::try_from(char).unwrap_or(b'?');
                self.str(*text).chars().map(byte).collect()
            }),
            None => &[],
        }
    }

    /// How many bytes there are.
    pub(super) fn bytes_len(&self, data: Data) -> usize {
        if let Some(len) = data.len() {
            return len;
        }
        match self.blobs.get(data.at()) {
            Some(Blob::Bytes(bytes)) => bytes.len(),
            Some(Blob::Latin1 { text, .. }) => {
                usize::try_from(self.characters(*text)).unwrap_or(usize::MAX)
            }
            None => 0,
        }
    }
}
