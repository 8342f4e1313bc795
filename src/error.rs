//! What can go wrong, and which exception says so.
//!
//! Owns every sentence about a bad stream: `CPython`'s own first, unchanged, where it has one. Knows nothing of
//! Python objects; `Class` names an exception, the Python side maps it to a type.

use std::fmt;

use thiserror::Error as ThisError;

/// A fault in a stream: what, at which byte, while executing which opcode.
#[derive(Debug, Clone, PartialEq)]
pub struct Error {
    /// What happened.
    pub kind: Kind,
    /// Byte offset of the opcode, from the start of this pickle.
    pub at: u64,
    /// Name of the opcode, in `pickletools`' spelling; `None` where there was none to read.
    pub opcode: Option<&'static str>,
    /// Where in the object the stream was at work, where that was looked for: `$['a'][3]`.
    pub path: Option<String>,
}

/// Results of this crate. Boxed: the error path is cold, the good path should stay in registers.
pub type Result<T> = std::result::Result<T, Box<Error>>;

/// What happened.
#[derive(Debug, Clone, PartialEq, ThisError)]
pub enum Kind {
    /// No opcode was left to read: the stream ended without STOP.
    #[error("Ran out of input")]
    NoInput,
    /// An operand ends beyond the data; `need` more bytes (or a line, where 0) would have been read.
    #[error("pickle data was truncated")]
    Truncated {
        /// Bytes missing; 0 where a line has no end.
        need: u64,
    },
    /// A text operand that may not be empty is; `pickle` calls that truncated, though more data would not help.
    #[error("pickle data was truncated")]
    EmptyLine,
    /// An opcode or its operand crosses the end of its frame.
    #[error("pickle exhausted before end of frame")]
    FrameExhausted,
    /// A FRAME opcode inside a frame that has not ended.
    #[error("beginning of a new frame before end of current frame")]
    FrameInFrame,
    /// A byte that is no opcode of protocols 0 to 5.
    #[error("invalid load key, '{}'.", LoadKey(*.0))]
    InvalidLoadKey(u8),
    /// PROTO with a version above 5.
    #[error("unsupported pickle protocol: {0}")]
    UnsupportedProtocol(u8),
    /// PROTO after the first opcode: picklers never write it, and it would switch the rules in mid-stream.
    #[error("PROTO must be the first opcode of a pickle")]
    LateProtocol,
    /// A pop from an empty stack.
    #[error("unpickling stack underflow")]
    StackUnderflow,
    /// A pop that would cross a MARK.
    #[error("unexpected MARK found")]
    UnexpectedMark,
    /// An opcode that needs a MARK, and none is on the stack.
    #[error("could not find MARK")]
    MarkNotFound,
    /// GET, `BINGET` or `LONG_BINGET` of an index that nothing was put at.
    #[error("Memo value not found at index {0}")]
    MemoNotFound(i64),
    /// PUT with a negative index.
    #[error("negative PUT argument")]
    NegativePut,
    /// A size that no `Py_ssize_t` holds.
    #[error("{0} exceeds system's maximum size of {max} bytes", max = i64::MAX)]
    SizeOverflow(&'static str),
    /// LONG4 with a negative length.
    #[error("LONG pickle has negative byte count")]
    NegativeLong,
    /// BINSTRING with a negative length; before 3.14 `pickle` takes it for an unsigned one.
    #[error("BINSTRING pickle has negative byte count")]
    NegativeString,
    /// INT, LONG, GET or PUT whose text is no plain decimal integer.
    #[error("invalid literal for int() with base 10: {}", Foreign(.0))]
    BadInt(Vec<u8>),
    /// FLOAT whose text is no float.
    #[error("could not convert string to float: {}", Foreign(.0))]
    BadFloat(Vec<u8>),
    /// FLOAT whose text is too large for a double.
    #[error("value too large to convert to float: {}", Foreign(.0))]
    FloatOverflow(Vec<u8>),
    /// STRING whose argument is not in quotes.
    #[error("the STRING opcode argument must be quoted")]
    NotQuoted,
    /// STRING with a `\x` that two hexadecimal digits do not follow.
    #[error("invalid \\x escape at position {0}")]
    BadEscape(usize),
    /// STRING that ends in a lone backslash.
    #[error("Trailing \\ in string")]
    TrailingBackslash,
    /// Text that does not decode; the fields of a `UnicodeDecodeError`.
    #[error("'{codec}' codec can't decode bytes in position {start}-{end}: {reason}", end = .end.saturating_sub(1))]
    BadText {
        /// Codec, as `CPython` names it.
        codec: &'static str,
        /// First bad byte.
        start: usize,
        /// One past the last bad byte.
        end: usize,
        /// `CPython`'s reason.
        reason: &'static str,
        /// The bytes that do not decode, at most 200 of them from the first bad one.
        object: Vec<u8>,
    },
    /// SETITEMS or DICT over an odd number of values.
    #[error("odd number of items for {0}")]
    OddItems(&'static str),
    /// BUILD, or another use, of a value that this stream may not use so.
    #[error("{0}")]
    BadTarget(String),
    /// APPEND(S) or ADDITEMS on a value that this stream may not fill; `pickle` looks for the method in vain.
    #[error("{0}")]
    BadContainer(String),
    /// BUILD whose state is neither a dict nor a pair of dicts.
    #[error("state is not a dictionary")]
    StateNotDict,
    /// BUILD whose slot state is not a dict.
    #[error("slot state is not a dictionary")]
    SlotStateNotDict,
    /// `STACK_GLOBAL` whose operands are not exact strings.
    #[error("STACK_GLOBAL requires str")]
    StackGlobalType,
    /// NEWOBJ, `NEWOBJ_EX` or REDUCE with operands of the wrong type.
    #[error("{0}")]
    BadOperand(String),
    /// EXT1, EXT2 or EXT4 with a code below 1.
    #[error("EXT specifies code <= 0")]
    BadExtensionCode,
    /// EXT with a code that the policy maps to nothing.
    #[error("unregistered extension code {0}")]
    UnknownExtension(u32),
    /// EXT with a code that the process's registry maps to nothing, under an unrestricted policy.
    #[error("unregistered extension code {0}")]
    UnregisteredExtension(u32),
    /// A value of the wrong type, where `pickle` raises `TypeError`: an unhashable key, arguments that are no tuple.
    #[error("{0}")]
    BadType(String),
    /// A value that a constructor of the standard library refuses.
    #[error("{0}")]
    BadValue(String),
    /// A value that a constructor of the standard library finds nothing for: an unknown time zone.
    #[error("{0}")]
    BadKey(String),
    /// A value too large for a constructor of the standard library: an item of an array.
    #[error("{0}")]
    BadRange(String),
    /// A name of the policy that its module does not have.
    #[error("{0}")]
    MissingName(String),
    /// A name of the policy whose module cannot be imported.
    #[error("{0}")]
    MissingModule(String),
    /// PERSID whose line is not ASCII.
    #[error("persistent IDs in protocol 0 must be ASCII strings")]
    PersistentIdText,
    /// A persistent id, and no `persistent_load` to resolve it.
    #[error(
        "A load persistent id instruction was encountered, but no persistent_load function was specified."
    )]
    NoPersistentLoad,
    /// `NEXT_BUFFER`, and the caller gave no buffers.
    #[error("pickle stream refers to out-of-band data but no *buffers* argument was given")]
    NoBuffers,
    /// `NEXT_BUFFER`, and the caller's buffers are used up.
    #[error("not enough out-of-band buffers")]
    BuffersExhausted,
    /// With `strict=True`: values left on the stack at STOP, or bytes after it.
    #[error("{0}")]
    Leftovers(String),
    /// An array that lies raw behind its wrapper, in a joblib file, and whose extent is not beyond doubt.
    #[error("an array lies raw in the stream and cannot be followed: {0}")]
    RawArray(&'static str),
    /// A budget is used up.
    #[error("{limit} exceeded: {value} is more than the {maximum} that are allowed")]
    Limit {
        /// Name of the limit, as `picklist.Limits` spells it.
        limit: &'static str,
        /// What the stream needed (or had needed when it was stopped).
        value: u64,
        /// What the limits allow.
        maximum: u64,
    },
    /// A name that is not in the policy.
    #[error("{} is not allowed", Dotted(.module, .name))]
    ForbiddenGlobal {
        /// Module as the stream spells it, after renames.
        module: String,
        /// Qualified name within the module.
        name: String,
    },
    /// A name of the policy, used beyond its capability or contract.
    #[error("{} may not be {attempt}: {why}", Dotted(.module, .name))]
    ForbiddenCall {
        /// Module of the entry.
        module: String,
        /// Name of the entry.
        name: String,
        /// What the stream tried: "called", "instantiated", "given state", …
        attempt: &'static str,
        /// Why it may not.
        why: String,
    },
    /// The stream needs more stack, memo or text than this build can address, or a rule without its own sentence.
    #[error("{0}")]
    Malformed(String),
}

/// The exception that a fault becomes. Every one is an `UnsafePickleError`; the suffix says which class of
/// `pickle`'s it is besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// `MalformedPickleError`.
    Malformed,
    /// … and `EOFError`.
    Truncated,
    /// … and `ValueError`.
    Value,
    /// … and `OverflowError`.
    Overflow,
    /// … and `TypeError`.
    Type,
    /// … and `KeyError`.
    Key,
    /// … and `AttributeError`.
    Attribute,
    /// … and `ModuleNotFoundError`.
    Import,
    /// … and `UnicodeDecodeError`.
    Unicode,
    /// `LimitExceededError`.
    Limit,
    /// `ForbiddenGlobalError`.
    ForbiddenGlobal,
    /// `ForbiddenGlobalError` and `ValueError`.
    ForbiddenExtension,
    /// `ForbiddenCallError`.
    ForbiddenCall,
    /// No exception: inspections of joblib files end so, and loads never do.
    NotInspected,
}

impl Class {
    /// The name by which the Python side chooses the type.
    pub fn name(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Truncated => "truncated",
            Self::Value => "value",
            Self::Overflow => "overflow",
            Self::Type => "type",
            Self::Key => "key",
            Self::Attribute => "attribute",
            Self::Import => "import",
            Self::Unicode => "unicode",
            Self::Limit => "limit",
            Self::ForbiddenGlobal => "forbidden-global",
            Self::ForbiddenExtension => "forbidden-extension",
            Self::ForbiddenCall => "forbidden-call",
            Self::NotInspected => "not-inspected",
        }
    }
}

impl Kind {
    /// The only choice of exception class.
    pub fn class(&self) -> Class {
        match self {
            Self::NoInput | Self::Truncated { .. } => Class::Truncated,
            Self::UnsupportedProtocol(_)
            | Self::NegativePut
            | Self::BadInt(_)
            | Self::BadFloat(_)
            | Self::BadEscape(_)
            | Self::TrailingBackslash
            | Self::BadValue(_)
            | Self::UnregisteredExtension(_) => Class::Value,
            Self::BadType(_) => Class::Type,
            Self::BadKey(_) => Class::Key,
            Self::BadContainer(_) | Self::MissingName(_) => Class::Attribute,
            Self::MissingModule(_) => Class::Import,
            Self::SizeOverflow(_) | Self::FloatOverflow(_) | Self::BadRange(_) => Class::Overflow,
            Self::BadText { .. } => Class::Unicode,
            Self::Limit { .. } => Class::Limit,
            Self::ForbiddenGlobal { .. } => Class::ForbiddenGlobal,
            Self::UnknownExtension(_) => Class::ForbiddenExtension,
            Self::ForbiddenCall { .. } => Class::ForbiddenCall,
            Self::RawArray(_) => Class::NotInspected,
            _ => Class::Malformed,
        }
    }

    /// Whether this is a judgement of the policy, and not a fault of the data.
    pub fn is_refusal(&self) -> bool {
        matches!(
            self.class(),
            Class::ForbiddenGlobal | Class::ForbiddenExtension | Class::ForbiddenCall
        ) || matches!(self, Self::NoPersistentLoad)
    }
}

impl Error {
    /// An error at a byte of the stream.
    #[cold]
    pub fn new(kind: Kind, at: u64, opcode: Option<&'static str>) -> Box<Self> {
        Box::new(Self {
            kind,
            at,
            opcode,
            path: None,
        })
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (byte {}", self.kind, self.at)?;
        if let Some(opcode) = self.opcode {
            write!(f, ", {opcode}")?;
        }
        if let Some(path) = &self.path {
            write!(f, ", at {path}")?;
        }
        write!(f, ")")
    }
}

impl std::error::Error for Error {}

/// Text of the stream in a message: escaped, and cut at 200 characters.
pub struct Foreign<'a>(pub &'a [u8]);

impl fmt::Display for Foreign<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = String::from_utf8_lossy(self.0);
        let mut cut: String = text.chars().take(200).collect();
        if cut.len() < text.len() {
            cut.push('…');
        }
        write!(f, "{cut:?}")
    }
}

/// `module.name`, escaped where the stream put anything but a plain dotted name there, and cut.
struct Dotted<'a>(&'a str, &'a str);

impl fmt::Display for Dotted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&dotted(self.0, self.1))
    }
}

/// `module.name` as messages show it.
pub fn dotted(module: &str, name: &str) -> String {
    let plain = |text: &str| {
        text.len() <= 200
            && !text.is_empty()
            && text
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "_.<>".contains(c))
    };
    if plain(module) && plain(name) {
        format!("{module}.{name}")
    } else {
        format!(
            "{}.{}",
            Foreign(module.as_bytes()),
            Foreign(name.as_bytes())
        )
    }
}

struct LoadKey(u8);

impl fmt::Display for LoadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            key @ 0x20..0x7f if key != b'\'' && key != b'\\' => write!(f, "{}", char::from(key)),
            key => write!(f, "\\x{key:02x}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_open_with_pickles_own_sentence() {
        let error = Error::new(Kind::Truncated { need: 3 }, 7, Some("BININT"));
        assert_eq!(
            error.to_string(),
            "pickle data was truncated (byte 7, BININT)"
        );
        assert_eq!(
            Kind::InvalidLoadKey(b'z').to_string(),
            "invalid load key, 'z'."
        );
        assert_eq!(
            Kind::InvalidLoadKey(0).to_string(),
            "invalid load key, '\\x00'."
        );
    }

    #[test]
    fn foreign_text_is_escaped_and_cut() {
        let long = vec![b'a'; 1000];
        assert!(Foreign(&long).to_string().chars().count() < 210);
        assert_eq!(Foreign(b"a\n\x1b").to_string(), "\"a\\n\\u{1b}\"");
        assert_eq!(dotted("os", "system"), "os.system");
        assert!(dotted("o\ns", "x").contains("\\n"));
    }
}
