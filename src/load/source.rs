//! Where the bytes come from: a slice, or a file that is never read past STOP.
//!
//! Reads ask for what the current opcode lacks, a declared length in doubling chunks; with `peek()` they go by what is
//! buffered already. What the inspector reads ahead is kept for the loader.

use std::cell::RefCell;
use std::rc::Rc;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::Fault;
use crate::error::Kind;
use crate::inspect::{self, Inspection, Passed, Seed};
use crate::policy::Policy;

/// The first read of a declared length; each further one is twice as long.
const CHUNK: u64 = 1 << 16;
/// How much is asked of `peek()`; the file decides how much it gives.
const PEEK: usize = 1 << 17;

/// The whole stream, as far as the inspector needs it.
#[derive(Debug, Clone)]
pub enum Stream<'a, 'py> {
    /// All of it is here.
    Slice(&'a [u8]),
    /// It is read as it is needed.
    File(Rc<RefCell<File<'py>>>),
}

impl Stream<'_, '_> {
    /// Whether the inspector lets the whole stream pass, and what it tells of it.
    pub(super) fn passes(
        &self,
        policy: &Policy,
        options: &inspect::Options,
        memo: &[(u64, Seed<'_>)],
    ) -> Result<Option<Passed>, Fault> {
        match self {
            Self::Slice(data) => Ok(inspect::passes(data, policy, options, memo)),
            Self::File(file) => {
                let mut inspector = inspect::Inspector::new(policy, options);
                let mut file = file.borrow_mut();
                while let Some(need) = inspector.lacks(&file.seen) {
                    if !file.look_ahead(need)? {
                        break;
                    }
                }
                Ok(inspect::passes(&file.seen, policy, options, memo))
            }
        }
    }

    /// Runs the inspector over the whole stream.
    pub(super) fn inspect(
        &self,
        policy: &Policy,
        options: &inspect::Options,
        memo: &[(u64, Seed<'_>)],
    ) -> Result<Inspection, Fault> {
        match self {
            Self::Slice(data) => Ok(inspect::check(data, policy, options, memo)),
            Self::File(file) => {
                let mut inspector = inspect::Inspector::new(policy, options);
                loop {
                    let mut file = file.borrow_mut();
                    let need = match inspector.feed(&file.seen, memo) {
                        inspect::Fed::Done(inspection) => return Ok(*inspection),
                        inspect::Fed::NeedMore(need) => need,
                    };
                    if !file.look_ahead(need)? {
                        return Ok(inspector.finish(&file.seen, memo));
                    }
                }
            }
        }
    }
}

impl Stream<'_, '_> {
    /// Where in the object the stream was at work at that byte, as far as its bytes are here.
    #[cold]
    pub(super) fn place(
        &self,
        at: u64,
        policy: &Policy,
        options: &inspect::Options,
        memo: &[(u64, Seed<'_>)],
    ) -> Option<String> {
        match self {
            Self::Slice(data) => inspect::place(data, at, policy, options, memo),
            Self::File(file) => inspect::place(&file.borrow().seen, at, policy, options, memo),
        }
    }
}

/// A Python file.
#[derive(Debug)]
pub struct File<'py> {
    object: Bound<'py, PyAny>,
    read: Bound<'py, PyAny>,
    readline: Bound<'py, PyAny>,
    peek: Option<Bound<'py, PyAny>>,
    /// Bytes of this pickle that were handed out, kept while the inspector may still want them.
    seen: Vec<u8>,
    keep: bool,
    /// Bytes that the inspector read and the loader has not.
    ahead: Vec<u8>,
    /// How many of the bytes handed out last the file has not moved past.
    peeked: usize,
}

impl<'py> File<'py> {
    /// A file by its methods, as `pickle` finds them. `keep`: whether the inspector may want the stream.
    pub fn new(file: &Bound<'py, PyAny>, keep: bool) -> PyResult<Self> {
        let methods = (file.getattr_opt("read")?, file.getattr_opt("readline")?);
        let (Some(read), Some(readline)) = methods else {
            return Err(PyTypeError::new_err(
                "file must have 'read' and 'readline' attributes",
            ));
        };
        let peek = file.getattr_opt("peek")?;
        Ok(Self {
            object: file.clone(),
            read,
            readline,
            peek,
            seen: Vec::new(),
            keep,
            ahead: Vec::new(),
            peeked: 0,
        })
    }

    /// What the file is called, for messages: its `name`, where that is text.
    pub fn name(&self) -> Option<String> {
        self.object.getattr("name").ok()?.extract().ok()
    }

    /// Begins a pickle, part of which is here already.
    pub fn begin(&mut self, here: &[u8], keep: bool) {
        self.keep = keep;
        self.seen.clear();
        self.note(here);
    }

    fn note(&mut self, bytes: &[u8]) {
        if self.keep {
            self.seen.extend_from_slice(bytes);
        }
    }

    /// Nobody will inspect this pickle any more.
    pub fn forget(&mut self) {
        self.keep = false;
        self.seen = Vec::new();
    }

    /// Adds to `buffer` what `kind` says is missing; `false` at the end of the file. All of `buffer` belongs to the
    /// pickle, so what was only peeked at is taken now.
    pub fn more(&mut self, buffer: &mut Vec<u8>, kind: &Kind) -> PyResult<bool> {
        if !self.ahead.is_empty() {
            buffer.append(&mut self.ahead);
            return Ok(true);
        }
        self.take_peeked(0)?;
        let before = buffer.len();
        match kind {
            Kind::Truncated { need: 0 } => self.line(buffer)?,
            Kind::Truncated { need } => self.exactly(buffer, *need)?,
            _ => self.opcode(buffer)?,
        }
        let fresh = buffer.get(before..).unwrap_or_default().to_vec();
        self.note(&fresh);
        Ok(!fresh.is_empty())
    }

    /// As [`File::more`], for the inspector.
    fn look_ahead(&mut self, need: u64) -> Result<bool, Fault> {
        self.take_peeked(0)?;
        let mut bytes = Vec::new();
        match need {
            0 => self.line(&mut bytes)?,
            need => self.exactly(&mut bytes, need)?,
        }
        let some = !bytes.is_empty();
        self.note(&bytes);
        self.ahead.append(&mut bytes);
        Ok(some)
    }

    /// The pickle has ended and `left` bytes of the buffer are not part of it. Bytes that were read for good stay in
    /// the buffer, for the next pickle; bytes that were peeked at are given back.
    pub fn end(&mut self, left: usize) -> PyResult<usize> {
        let back = left.min(self.peeked);
        self.take_peeked(back)?;
        Ok(left - back)
    }

    /// Moves the file past the bytes it was peeked at for, except the last `back`.
    fn take_peeked(&mut self, back: usize) -> PyResult<()> {
        let taken = std::mem::take(&mut self.peeked) - back;
        if taken > 0 {
            self.call_read(taken as u64)?;
        }
        Ok(())
    }

    fn opcode(&mut self, buffer: &mut Vec<u8>) -> PyResult<()> {
        if let Some(peek) = &self.peek
            && let Ok(bytes) = peek.call1((PEEK,))
            && let Ok(bytes) = bytes.cast::<PyBytes>()
            && !bytes.as_bytes().is_empty()
        {
            buffer.extend_from_slice(bytes.as_bytes());
            self.peeked = bytes.as_bytes().len();
            return Ok(());
        }
        buffer.extend_from_slice(self.call_read(1)?.as_bytes());
        Ok(())
    }

    fn exactly(&mut self, buffer: &mut Vec<u8>, need: u64) -> PyResult<()> {
        let (mut left, mut chunk) = (need, CHUNK);
        while left > 0 {
            let bytes = self.call_read(left.min(chunk))?;
            let bytes = bytes.as_bytes();
            if bytes.is_empty() {
                return Ok(());
            }
            buffer.extend_from_slice(bytes);
            left = left.saturating_sub(bytes.len() as u64);
            chunk = chunk.saturating_mul(2);
        }
        Ok(())
    }

    fn line(&mut self, buffer: &mut Vec<u8>) -> PyResult<()> {
        let line = self.readline.call0()?;
        buffer.extend_from_slice(expect_bytes(line, "readline")?.as_bytes());
        Ok(())
    }

    fn call_read(&self, count: u64) -> PyResult<Bound<'py, PyBytes>> {
        expect_bytes(self.read.call1((count,))?, "read")
    }
}

fn expect_bytes<'py>(bytes: Bound<'py, PyAny>, method: &str) -> PyResult<Bound<'py, PyBytes>> {
    match bytes.cast_into::<PyBytes>() {
        Ok(bytes) => Ok(bytes),
        Err(error) => {
            let got = error.into_inner().get_type().name()?.to_string();
            Err(PyTypeError::new_err(format!(
                "{method}() returned non-bytes object (a {got}): the file must be open for reading bytes"
            )))
        }
    }
}
