//! The opcode table, written once, and the decoder: bytes to [`Op`].
//!
//! Names are `pickletools`'. Width families are merged: an `Op::Int` is an `Op::Int`, whichever opcode carried it.

use crate::error::{Kind, Result};
use crate::stream::Reader;
use crate::stream::text;

/// One row of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opcode {
    /// Name, as `pickletools` spells it.
    pub name: &'static str,
    /// The byte.
    pub code: u8,
    /// Argument descriptor, as `pickletools` names it; empty where there is none.
    pub argument: &'static str,
    /// Protocol that introduced it.
    pub protocol: u8,
}

macro_rules! opcodes {
    ($($name:ident $code:literal $protocol:literal $argument:literal;)*) => {
        /// The 68 opcodes of protocols 0 to 5, in `pickletools`' order.
        pub const OPCODES: &[Opcode] = &[
            $(Opcode { name: stringify!($name), code: $code, argument: $argument, protocol: $protocol },)*
        ];
        /// The codes by name.
        mod op {
            $(#[doc = stringify!($name)] pub const $name: u8 = $code;)*
        }
    };
}

opcodes! {
    // ints
    INT b'I' 0 "decimalnl_short";
    BININT b'J' 1 "int4";
    BININT1 b'K' 1 "uint1";
    BININT2 b'M' 1 "uint2";
    LONG b'L' 0 "decimalnl_long";
    LONG1 0x8a 2 "long1";
    LONG4 0x8b 2 "long4";
    // strings
    STRING b'S' 0 "stringnl";
    BINSTRING b'T' 1 "string4";
    SHORT_BINSTRING b'U' 1 "string1";
    BINBYTES b'B' 3 "bytes4";
    SHORT_BINBYTES b'C' 3 "bytes1";
    BINBYTES8 0x8e 4 "bytes8";
    BYTEARRAY8 0x96 5 "bytearray8";
    NEXT_BUFFER 0x97 5 "";
    READONLY_BUFFER 0x98 5 "";
    // None and bools
    NONE b'N' 0 "";
    NEWTRUE 0x88 2 "";
    NEWFALSE 0x89 2 "";
    // unicode strings
    UNICODE b'V' 0 "unicodestringnl";
    SHORT_BINUNICODE 0x8c 4 "unicodestring1";
    BINUNICODE b'X' 1 "unicodestring4";
    BINUNICODE8 0x8d 4 "unicodestring8";
    // floats
    FLOAT b'F' 0 "floatnl";
    BINFLOAT b'G' 1 "float8";
    // lists
    EMPTY_LIST b']' 1 "";
    APPEND b'a' 0 "";
    APPENDS b'e' 1 "";
    LIST b'l' 0 "";
    // tuples
    EMPTY_TUPLE b')' 1 "";
    TUPLE b't' 0 "";
    TUPLE1 0x85 2 "";
    TUPLE2 0x86 2 "";
    TUPLE3 0x87 2 "";
    // dicts
    EMPTY_DICT b'}' 1 "";
    DICT b'd' 0 "";
    SETITEM b's' 0 "";
    SETITEMS b'u' 1 "";
    // sets
    EMPTY_SET 0x8f 4 "";
    ADDITEMS 0x90 4 "";
    FROZENSET 0x91 4 "";
    // the stack itself
    POP b'0' 0 "";
    DUP b'2' 0 "";
    MARK b'(' 0 "";
    POP_MARK b'1' 1 "";
    // memo
    GET b'g' 0 "decimalnl_short";
    BINGET b'h' 1 "uint1";
    LONG_BINGET b'j' 1 "uint4";
    PUT b'p' 0 "decimalnl_short";
    BINPUT b'q' 1 "uint1";
    LONG_BINPUT b'r' 1 "uint4";
    MEMOIZE 0x94 4 "";
    // globals
    EXT1 0x82 2 "uint1";
    EXT2 0x83 2 "uint2";
    EXT4 0x84 2 "int4";
    GLOBAL b'c' 0 "stringnl_noescape_pair";
    STACK_GLOBAL 0x93 4 "";
    // calls
    REDUCE b'R' 0 "";
    BUILD b'b' 0 "";
    INST b'i' 0 "stringnl_noescape_pair";
    OBJ b'o' 1 "";
    NEWOBJ 0x81 2 "";
    NEWOBJ_EX 0x92 4 "";
    // framing
    PROTO 0x80 2 "uint1";
    STOP b'.' 0 "";
    FRAME 0x95 4 "uint8";
    // persistent ids
    PERSID b'P' 0 "stringnl_noescape";
    BINPERSID b'Q' 1 "";
}

/// Codes of plain data, which has a loop of its own.
pub use op::{
    APPEND, APPENDS, BINFLOAT, BINGET, BININT, BININT1, BININT2, BINUNICODE, EMPTY_DICT,
    EMPTY_LIST, LONG_BINGET, NEWFALSE, NEWTRUE, NONE, PROTO, SETITEM, SETITEMS, SHORT_BINBYTES,
    SHORT_BINUNICODE, STOP, TUPLE1, TUPLE3,
};
/// Codes that fused paths compare the next byte with.
pub use op::{BINPUT, BUILD, FRAME, LONG_BINPUT, MARK, MEMOIZE, NEWOBJ, REDUCE, TUPLE2};

/// What the decoder must look at though its length is known: the end, and numbers that not every byte is.
pub(super) const CHECKED: &[u8] = &[op::STOP, op::PROTO, op::EXT1, op::EXT2, op::EXT4];

/// The name of an opcode; `None` for a byte that is none.
#[cold]
pub fn name(code: u8) -> Option<&'static str> {
    OPCODES
        .iter()
        .find(|row| row.code == code)
        .map(|row| row.name)
}

/// One instruction, its operand decoded and bounded. Text borrows from the stream.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Op<'a> {
    /// INT, BININT, BININT1, BININT2, and LONG where the value fits.
    Int(i64),
    /// NEWTRUE, NEWFALSE, and INT's `00` and `01`.
    Bool(bool),
    /// LONG1, LONG4: two's complement, little-endian, any length.
    Long(&'a [u8]),
    /// INT and LONG beyond 64 bits: checked decimal digits with an optional sign.
    Decimal(&'a [u8]),
    /// FLOAT, BINFLOAT.
    Float(f64),
    /// NONE.
    None,
    /// STRING: the text between the quotes, escapes not yet decoded.
    Quoted(&'a [u8]),
    /// BINSTRING, SHORT_BINSTRING: a Python 2 `str`.
    String(&'a [u8]),
    /// BINBYTES, SHORT_BINBYTES, BINBYTES8.
    Bytes(&'a [u8]),
    /// BYTEARRAY8.
    ByteArray(&'a [u8]),
    /// NEXT_BUFFER.
    NextBuffer,
    /// READONLY_BUFFER.
    ReadonlyBuffer,
    /// UNICODE: raw-unicode-escape, not yet decoded.
    RawUnicode(&'a [u8]),
    /// BINUNICODE, SHORT_BINUNICODE, BINUNICODE8: UTF-8 with surrogates let through, not yet checked.
    Unicode(&'a [u8]),
    /// EMPTY_LIST.
    EmptyList,
    /// APPEND.
    Append,
    /// APPENDS.
    Appends,
    /// LIST.
    List,
    /// EMPTY_TUPLE.
    EmptyTuple,
    /// TUPLE.
    Tuple,
    /// TUPLE1, TUPLE2, TUPLE3.
    TupleOf(u8),
    /// EMPTY_DICT.
    EmptyDict,
    /// DICT.
    Dict,
    /// SETITEM.
    SetItem,
    /// SETITEMS.
    SetItems,
    /// EMPTY_SET.
    EmptySet,
    /// ADDITEMS.
    AddItems,
    /// FROZENSET.
    FrozenSet,
    /// POP.
    Pop,
    /// DUP.
    Dup,
    /// MARK.
    Mark,
    /// POP_MARK.
    PopMark,
    /// GET, BINGET, LONG_BINGET; negative indexes only from GET's text.
    Get(i64),
    /// PUT, BINPUT, LONG_BINPUT.
    Put(u64),
    /// MEMOIZE.
    Memoize,
    /// EXT1, EXT2, EXT4.
    Ext(u32),
    /// GLOBAL: module and name.
    Global(&'a [u8], &'a [u8]),
    /// STACK_GLOBAL.
    StackGlobal,
    /// REDUCE.
    Reduce,
    /// BUILD.
    Build,
    /// INST: module and name.
    Inst(&'a [u8], &'a [u8]),
    /// OBJ.
    Obj,
    /// NEWOBJ.
    NewObj,
    /// NEWOBJ_EX.
    NewObjEx,
    /// PROTO.
    Proto(u8),
    /// STOP.
    Stop,
    /// FRAME; the reader has entered it.
    Frame(u64),
    /// PERSID.
    PersId(&'a [u8]),
    /// BINPERSID.
    BinPersId,
}

impl<'a> Reader<'a> {
    /// Decodes the next instruction.
    #[inline(always)]
    pub fn next_op(&mut self) -> Result<Op<'a>> {
        Ok(match self.next_code()? {
            // ints
            op::BININT => Op::Int(i64::from(self.i32()?)),
            op::BININT1 => Op::Int(i64::from(self.u8()?)),
            op::BININT2 => Op::Int(i64::from(self.u16()?)),
            op::LONG1 => Op::Long(self.take_u8()?),
            op::LONG4 => Op::Long(self.aside(|aside| aside.take_i32(Kind::NegativeLong))?),
            op::INT => self.aside(Self::int_line)?,
            op::LONG => self.aside(Self::long_line)?,
            // strings
            op::STRING => Op::Quoted(self.aside(Self::quoted_line)?),
            op::BINSTRING => Op::String(self.aside(|aside| aside.take_i32(Kind::NegativeString))?),
            op::SHORT_BINSTRING => Op::String(self.take_u8()?),
            op::BINBYTES => Op::Bytes(self.take_u32()?),
            op::SHORT_BINBYTES => Op::Bytes(self.take_u8()?),
            op::BINBYTES8 => Op::Bytes(self.aside(|aside| aside.take_u64("BINBYTES8"))?),
            // On the cursor itself: its copy is read by pairs of words, just after they were written one by one.
            op::BYTEARRAY8 => Op::ByteArray(self.take_u64("BYTEARRAY8")?),
            op::NEXT_BUFFER => Op::NextBuffer,
            op::READONLY_BUFFER => Op::ReadonlyBuffer,
            // None and bools
            op::NONE => Op::None,
            op::NEWTRUE => Op::Bool(true),
            op::NEWFALSE => Op::Bool(false),
            // unicode strings
            op::UNICODE => Op::RawUnicode(self.aside(Self::line)?),
            op::SHORT_BINUNICODE => Op::Unicode(self.take_u8()?),
            op::BINUNICODE => Op::Unicode(self.take_u32()?),
            op::BINUNICODE8 => Op::Unicode(self.aside(|aside| aside.take_u64("BINUNICODE8"))?),
            // floats
            op::FLOAT => self.aside(Self::float_line)?,
            op::BINFLOAT => Op::Float(self.f64()?),
            // lists
            op::EMPTY_LIST => Op::EmptyList,
            op::APPEND => Op::Append,
            op::APPENDS => Op::Appends,
            op::LIST => Op::List,
            // tuples
            op::EMPTY_TUPLE => Op::EmptyTuple,
            op::TUPLE => Op::Tuple,
            op::TUPLE1 => Op::TupleOf(1),
            op::TUPLE2 => Op::TupleOf(2),
            op::TUPLE3 => Op::TupleOf(3),
            // dicts
            op::EMPTY_DICT => Op::EmptyDict,
            op::DICT => Op::Dict,
            op::SETITEM => Op::SetItem,
            op::SETITEMS => Op::SetItems,
            // sets
            op::EMPTY_SET => Op::EmptySet,
            op::ADDITEMS => Op::AddItems,
            op::FROZENSET => Op::FrozenSet,
            // the stack itself
            op::POP => Op::Pop,
            op::DUP => Op::Dup,
            op::MARK => Op::Mark,
            op::POP_MARK => Op::PopMark,
            // memo
            op::GET => Op::Get(self.aside(Self::index_line)?),
            op::BINGET => Op::Get(i64::from(self.u8()?)),
            op::LONG_BINGET => Op::Get(i64::from(self.u32()?)),
            op::PUT => self.aside(Self::put_line)?,
            op::BINPUT => Op::Put(u64::from(self.u8()?)),
            op::LONG_BINPUT => Op::Put(u64::from(self.u32()?)),
            op::MEMOIZE => Op::Memoize,
            // globals
            op::EXT1 => self.aside_ext(|reader| Ok(i64::from(reader.u8()?)))?,
            op::EXT2 => self.aside_ext(|reader| Ok(i64::from(reader.u16()?)))?,
            op::EXT4 => self.aside_ext(|reader| Ok(i64::from(reader.i32()?)))?,
            op::GLOBAL => self
                .aside(Self::names)
                .map(|(module, name)| Op::Global(module, name))?,
            op::STACK_GLOBAL => Op::StackGlobal,
            // calls
            op::REDUCE => Op::Reduce,
            op::BUILD => Op::Build,
            op::INST => self
                .aside(Self::names)
                .map(|(module, name)| Op::Inst(module, name))?,
            op::OBJ => Op::Obj,
            op::NEWOBJ => Op::NewObj,
            op::NEWOBJ_EX => Op::NewObjEx,
            // framing
            op::PROTO => Op::Proto(self.u8()?),
            op::STOP => Op::Stop,
            op::FRAME => self.frame()?,
            // persistent ids
            op::PERSID => Op::PersId(self.aside(Self::line)?),
            op::BINPERSID => Op::BinPersId,
            code => return Err(self.error(Kind::InvalidLoadKey(code))),
        })
    }

    #[inline(always)]
    fn take_u8(&mut self) -> Result<&'a [u8]> {
        let length = self.u8()?;
        self.take(usize::from(length))
    }

    #[inline(always)]
    fn take_u32(&mut self) -> Result<&'a [u8]> {
        let length = self.u32()?;
        self.take(length as usize)
    }

    fn take_i32(&mut self, negative: Kind) -> Result<&'a [u8]> {
        match usize::try_from(self.i32()?) {
            Ok(length) => self.take(length),
            Err(_) => Err(self.error(negative)),
        }
    }

    /// Not aside: nearly every pickle has one, and small ones are made of little else.
    #[inline(always)]
    fn frame(&mut self) -> Result<Op<'a>> {
        let length = self.u64()?;
        self.enter_frame(length)?;
        Ok(Op::Frame(length))
    }

    #[inline(always)]
    fn aside_ext(&mut self, read: impl Fn(&mut Self) -> Result<i64>) -> Result<Op<'a>> {
        self.aside(|aside| aside.extension_code(read))
    }

    fn extension_code(&mut self, read: impl Fn(&mut Self) -> Result<i64>) -> Result<Op<'a>> {
        match u32::try_from(read(self)?) {
            Ok(code) if code > 0 => Ok(Op::Ext(code)),
            _ => Err(self.error(Kind::BadExtensionCode)),
        }
    }

    /// Module and name, a line each.
    fn names(&mut self) -> Result<(&'a [u8], &'a [u8])> {
        Ok((self.full_line()?, self.full_line()?))
    }

    fn int_line(&mut self) -> Result<Op<'a>> {
        match self.full_line()? {
            b"00" => Ok(Op::Bool(false)),
            b"01" => Ok(Op::Bool(true)),
            digits => text::integer(digits).map_err(|kind| self.error(kind)),
        }
    }

    fn long_line(&mut self) -> Result<Op<'a>> {
        let line = self.full_line()?;
        text::integer(line.strip_suffix(b"L").unwrap_or(line)).map_err(|kind| self.error(kind))
    }

    fn float_line(&mut self) -> Result<Op<'a>> {
        let line = self.full_line()?;
        text::float(line)
            .map(Op::Float)
            .map_err(|kind| self.error(kind))
    }

    fn quoted_line(&mut self) -> Result<&'a [u8]> {
        let line = self.line()?;
        text::unquote(line).map_err(|kind| self.error(kind))
    }

    fn index_line(&mut self) -> Result<i64> {
        let line = self.full_line()?;
        text::index(line).map_err(|kind| self.error(kind))
    }

    fn put_line(&mut self) -> Result<Op<'a>> {
        match u64::try_from(self.index_line()?) {
            Ok(index) => Ok(Op::Put(index)),
            Err(_) => Err(self.error(Kind::NegativePut)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_holds_every_opcode_once() {
        assert_eq!(OPCODES.len(), 68);
        for row in OPCODES {
            assert_eq!(
                OPCODES
                    .iter()
                    .filter(|other| other.code == row.code)
                    .count(),
                1,
                "{}",
                row.name
            );
            assert_eq!(name(row.code), Some(row.name));
        }
        assert_eq!(name(0), None);
    }

    #[test]
    fn every_row_decodes_and_no_other_byte_does() {
        let mut operand = vec![b'1'; 4];
        operand.extend_from_slice(b"\n'a'\n");
        for code in 0..=255u8 {
            let mut data = vec![code];
            data.extend_from_slice(&operand);
            let known = !matches!(Reader::new(&data).next_op(), Err(error) if matches!(error.kind, Kind::InvalidLoadKey(_)));
            assert_eq!(known, name(code).is_some(), "{code:#x}");
        }
    }

    #[test]
    fn width_families_are_merged() {
        let ops = |data: &'static [u8]| Reader::new(data).next_op().unwrap();
        assert_eq!(ops(b"K\xff"), Op::Int(255));
        assert_eq!(ops(b"M\xff\xff"), Op::Int(65535));
        assert_eq!(ops(b"J\xff\xff\xff\xff"), Op::Int(-1));
        assert_eq!(ops(b"I-7\n"), Op::Int(-7));
        assert_eq!(ops(b"L-7L\n"), Op::Int(-7));
        assert_eq!(ops(b"I01\n"), Op::Bool(true));
        assert_eq!(ops(b"\x8c\x02ab"), Op::Unicode(b"ab"));
        assert_eq!(ops(b"X\x02\0\0\0ab"), Op::Unicode(b"ab"));
        assert_eq!(ops(b"cos\nsystem\n"), Op::Global(b"os", b"system"));
        assert_eq!(ops(b"\x84\x01\0\0\0"), Op::Ext(1));
    }

    #[test]
    fn signs_are_read_as_pickle_reads_them() {
        let kind = |data: &'static [u8]| Reader::new(data).next_op().unwrap_err().kind;
        assert_eq!(kind(b"T\xff\xff\xff\xff"), Kind::NegativeString);
        assert_eq!(kind(b"\x8b\xff\xff\xff\xff"), Kind::NegativeLong);
        assert_eq!(kind(b"\x84\xff\xff\xff\xff"), Kind::BadExtensionCode);
        assert_eq!(kind(b"\x82\0"), Kind::BadExtensionCode);
        assert_eq!(kind(b"p-1\n"), Kind::NegativePut);
        assert_eq!(kind(b"I\n"), Kind::EmptyLine);
    }
}
