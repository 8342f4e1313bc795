//! Limits, and what a load has spent of them.
//!
//! Every promise of linear cost is kept here: depth, memory, hash work, digits. Limits are values of the caller; the
//! budget is one load's account.

use crate::error::Kind;

/// Whether anything is counted. `benches/budgets.py` alone builds with `--cfg picklist_unbudgeted`, to show what counting
/// costs; no feature of the crate turns it off.
pub const COUNTED: bool = !cfg!(picklist_unbudgeted);

/// Nesting that a stream may build from the inside out (tuples of tuples, calls of calls) or have open at once.
/// Python's own pickler emits at most about 10,000 levels.
pub const MAX_DEPTH: u32 = 10_000;
/// Nesting of tuples under one hash: the interpreter hashes them recursively on the C stack.
pub const MAX_HASH_DEPTH: u32 = 500;
/// Memory per input byte, just above what Python's own pickler can reach: a memoised empty set is 116 bytes a byte.
pub const MEMORY_PER_BYTE: u64 = 128;
/// Memory that any input may use.
pub const MEMORY_FREE: u64 = 16 << 20;
/// Elements and digits hashed per input byte.
pub const HASH_WORK_PER_BYTE: u64 = 100;
/// Elements and digits that any input may have hashed: about half a second.
pub const HASH_WORK_FREE: u64 = 100_000_000;
/// Keys of equal hash in one container, among keys whose hash an attacker can choose.
pub const MAX_KEY_COLLISIONS: u32 = 256;
/// Decimal digits of an int: `sys.int_info.default_max_str_digits`, since conversion is quadratic.
pub const MAX_INT_DIGITS: u64 = 4300;
/// Bytes of a binary int (LONG1, LONG4); conversion is linear.
pub const MAX_INT_BYTES: u64 = 16 << 20;

/// What a load may cost. `None`: proportional to the input, or without bound where the field says so.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Limits {
    /// Nesting; default [`MAX_DEPTH`].
    pub max_depth: u32,
    /// Nesting under a hash; default [`MAX_HASH_DEPTH`].
    pub max_hash_depth: u32,
    /// Bytes of memory; `None`: 128 × input + 16 MiB.
    pub max_memory: Option<u64>,
    /// Elements and digits hashed; `None`: 100 × input + 10^8.
    pub max_hash_work: Option<u64>,
    /// Equal hashes in one container; default [`MAX_KEY_COLLISIONS`].
    pub max_key_collisions: u32,
    /// Decimal digits of an int; default [`MAX_INT_DIGITS`].
    pub max_int_digits: u64,
    /// Bytes of a binary int; default [`MAX_INT_BYTES`].
    pub max_int_bytes: u64,
    /// Bytes of the pickle itself; `None`: no bound.
    pub max_bytes: Option<u64>,
    /// Size of the result with every shared value counted as often as it is reached; `None`: no bound.
    pub max_expanded: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_depth: MAX_DEPTH,
            max_hash_depth: MAX_HASH_DEPTH,
            max_memory: None,
            max_hash_work: None,
            max_key_collisions: MAX_KEY_COLLISIONS,
            max_int_digits: MAX_INT_DIGITS,
            max_int_bytes: MAX_INT_BYTES,
            max_bytes: None,
            max_expanded: None,
        }
    }
}

impl Limits {
    /// Whether nothing must be known of a stream before it is begun: any length will do, and any result.
    #[inline]
    pub fn let_all_begin(&self) -> bool {
        self.max_bytes.is_none() && self.max_expanded.is_none()
    }

    /// No bound on anything, as `pickle` has none: for trusted data. The interpreter's own bound on int digits stays.
    pub fn unlimited() -> Self {
        Self {
            max_depth: u32::MAX,
            max_hash_depth: u32::MAX,
            max_memory: Some(u64::MAX),
            max_hash_work: Some(u64::MAX),
            max_key_collisions: u32::MAX,
            max_int_digits: u64::MAX,
            max_int_bytes: u64::MAX,
            max_bytes: None,
            max_expanded: None,
        }
    }
}

/// Sizes that memory is charged at: CPython 3.11's on 64 bits, the garbage collector's header included, rounded up to
/// the allocator's 16.
pub mod size {
    /// An int of up to 60 bits.
    pub const INT: u64 = 32;
    /// A float.
    pub const FLOAT: u64 = 32;
    /// An ASCII str without its characters.
    pub const ASCII: u64 = 48;
    /// A str that is not ASCII, without its characters.
    pub const TEXT: u64 = 80;
    /// A bytes object without its bytes.
    pub const BYTES: u64 = 48;
    /// A bytearray without its bytes.
    pub const BYTEARRAY: u64 = 64;
    /// A tuple without its items.
    pub const TUPLE: u64 = 48;
    /// A tuple of so many items; the empty one is always there.
    #[inline]
    pub fn tuple(items: u64) -> u64 {
        if items == 0 {
            return 0;
        }
        TUPLE + items * REFERENCE
    }
    /// A list without its items.
    pub const LIST: u64 = 64;
    /// A dict without its table.
    pub const DICT: u64 = 80;
    /// A dict's share of a table per entry, a two-thirds full table of the next size counted.
    pub const DICT_ITEM: u64 = 104;
    /// A set with its built-in table.
    pub const SET: u64 = 224;
    /// A set's share of a table per entry.
    pub const SET_ITEM: u64 = 64;
    /// A str of UTF-8 that is not ASCII: its widest character decides the width of all.
    #[inline]
    pub fn text(utf8: &[u8]) -> u64 {
        let (characters, width) = characters(utf8);
        TEXT + characters * width
    }
    /// Bytes whose characters a byte can count.
    const BYTES_COUNTED: usize = 192;
    /// The characters of UTF-8, and the bytes that each takes in a str.
    pub fn characters(utf8: &[u8]) -> (u64, u64) {
        let mut characters = 0;
        let mut widest = 0;
        // Counted in bytes, and without a look at overflow, a chunk at a time: 1 instruction for a byte, and not 17.
        for chunk in utf8.chunks(BYTES_COUNTED) {
            let (mut starts, mut most) = (0u8, 0u8);
            for byte in chunk {
                starts = starts.wrapping_add(u8::from(byte & 0xc0 != 0x80));
                most = most.max(*byte);
            }
            characters += u64::from(starts);
            widest = widest.max(most);
        }
        let width = match widest {
            0..=0xc3 => 1,
            0xc4..=0xef => 2,
            _ => 4,
        };
        (characters, width)
    }
    /// A reference: an item of a list or tuple, a slot of the memo.
    pub const REFERENCE: u64 = 16;
    /// An instance: header, attributes, weak references.
    pub const OBJECT: u64 = 112;
}

/// One load's account.
#[derive(Debug, Clone)]
pub struct Budget {
    limits: Limits,
    /// What is left of the bound: one subtraction tells whether there is room.
    memory_left: u64,
    memory_bound: u64,
    hash_work: u64,
    hash_work_bound: u64,
    depth: u32,
}

impl Budget {
    /// A fresh account under the limits.
    pub fn new(limits: Limits) -> Self {
        let mut budget = Self {
            limits,
            memory_left: 0,
            memory_bound: 0,
            hash_work: 0,
            hash_work_bound: 0,
            depth: 0,
        };
        budget.see(0);
        budget
    }

    /// A fresh account in the place of this one, for a pickle of so many bytes.
    #[inline]
    pub fn reset(&mut self, limits: &Limits, bytes: u64) {
        self.limits.clone_from(limits);
        self.hash_work = 0;
        self.depth = 0;
        self.bound(bytes);
        self.memory_left = self.memory_bound;
    }

    /// The limits of this account.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// `bytes` of input are here: bounds that grow with the input grow.
    pub fn see(&mut self, bytes: u64) {
        let spent = self.memory_spent();
        self.bound(bytes);
        self.memory_left = self.memory_bound.saturating_sub(spent);
    }

    #[inline]
    fn bound(&mut self, bytes: u64) {
        let proportional =
            |per_byte: u64, free: u64| bytes.saturating_mul(per_byte).saturating_add(free);
        self.memory_bound = self
            .limits
            .max_memory
            .unwrap_or_else(|| proportional(MEMORY_PER_BYTE, MEMORY_FREE));
        self.hash_work_bound = self
            .limits
            .max_hash_work
            .unwrap_or_else(|| proportional(HASH_WORK_PER_BYTE, HASH_WORK_FREE));
    }

    /// Whether the pickle itself is too long.
    pub fn length(&self, bytes: u64) -> Result<(), Kind> {
        if !COUNTED {
            return Ok(());
        }
        match self.limits.max_bytes {
            Some(maximum) if bytes > maximum => Err(over("max_bytes", bytes, maximum)),
            _ => Ok(()),
        }
    }

    /// An object of `bytes` is made.
    #[inline(always)]
    pub fn memory(&mut self, bytes: u64) -> Result<(), Kind> {
        if !COUNTED {
            return Ok(());
        }
        match self.memory_left.checked_sub(bytes) {
            Some(left) => {
                self.memory_left = left;
                Ok(())
            }
            None => Err(self.no_memory_left(bytes)),
        }
    }

    /// Charges for an object, if there is room for it.
    #[inline(always)]
    pub fn took(&mut self, bytes: u64) -> bool {
        if COUNTED {
            let Some(left) = self.memory_left.checked_sub(bytes) else {
                return false;
            };
            self.memory_left = left;
        }
        true
    }

    #[cold]
    fn no_memory_left(&self, bytes: u64) -> Kind {
        let value = self.memory_spent().saturating_add(bytes);
        over("max_memory", value, self.memory_bound)
    }

    fn memory_spent(&self) -> u64 {
        self.memory_bound - self.memory_left
    }

    /// `elements` (and digits) are hashed.
    #[inline]
    pub fn hash_work(&mut self, elements: u64) -> Result<(), Kind> {
        if !COUNTED {
            return Ok(());
        }
        self.hash_work = self.hash_work.saturating_add(elements);
        if self.hash_work > self.hash_work_bound {
            return Err(over("max_hash_work", self.hash_work, self.hash_work_bound));
        }
        Ok(())
    }

    /// Something is nested `depth` deep.
    #[inline(always)]
    pub fn depth(&mut self, depth: u32) -> Result<(), Kind> {
        if !COUNTED {
            return Ok(());
        }
        if depth > self.depth {
            self.depth = depth;
            if depth > self.limits.max_depth {
                return Err(over(
                    "max_depth",
                    u64::from(depth),
                    u64::from(self.limits.max_depth),
                ));
            }
        }
        Ok(())
    }

    /// A hash goes `depth` deep.
    #[inline]
    pub fn hash_depth(&self, depth: u32) -> Result<(), Kind> {
        if !COUNTED {
            return Ok(());
        }
        if depth > self.limits.max_hash_depth {
            return Err(over(
                "max_hash_depth",
                u64::from(depth),
                u64::from(self.limits.max_hash_depth),
            ));
        }
        Ok(())
    }

    /// A decimal int has `digits` digits.
    pub fn int_digits(&self, digits: usize) -> Result<(), Kind> {
        if !COUNTED {
            return Ok(());
        }
        let digits = digits as u64;
        if digits > self.limits.max_int_digits {
            return Err(over("max_int_digits", digits, self.limits.max_int_digits));
        }
        Ok(())
    }

    /// A binary int has `bytes` bytes.
    #[inline]
    pub fn int_bytes(&self, bytes: usize) -> Result<(), Kind> {
        if !COUNTED {
            return Ok(());
        }
        let bytes = bytes as u64;
        if bytes > self.limits.max_int_bytes {
            return Err(over("max_int_bytes", bytes, self.limits.max_int_bytes));
        }
        Ok(())
    }

    /// What was spent: memory in bytes, elements hashed, deepest nesting.
    pub fn spent(&self) -> Spent {
        Spent {
            memory: self.memory_spent(),
            hash_work: self.hash_work,
            depth: self.depth,
        }
    }
}

/// What a load cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spent {
    /// Bytes of memory charged.
    pub memory: u64,
    /// Elements and digits hashed.
    pub hash_work: u64,
    /// Deepest nesting.
    pub depth: u32,
}

/// The refusal that a used-up budget becomes.
#[cold]
pub fn over(limit: &'static str, value: u64, maximum: u64) -> Kind {
    Kind::Limit {
        limit,
        value,
        maximum,
    }
}
