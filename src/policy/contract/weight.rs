//! What an instance of a native type takes, beyond the plain instance that the machine charges for every call.
//!
//! Measured with `tracemalloc` on CPython 3.11 and 3.13, the larger of the two, rounded up.

use super::Native;
use super::numpy::Numpy;
use crate::policy::{Entry, Meaning};

impl Native {
    /// Bytes of an empty instance above [`OBJECT`](crate::machine::budget::size::OBJECT).
    pub fn extra_memory(self) -> u64 {
        match self {
            // Its first block has room for 64 items.
            Native::Deque => 672,
            Native::Ipv4Interface | Native::Ipv6Interface => 544,
            Native::Path => 192,
            Native::SimpleNamespace => 144,
            // Its built-in table; an item is charged as in a set.
            Native::Set | Native::Ipv4Network | Native::Ipv6Network => 112,
            Native::OrderedDict => 48,
            Native::Uuid | Native::Decimal | Native::Fraction => 32,
            _ => 0,
        }
    }

    /// Bytes for each key above those of a plain dict.
    pub fn extra_item_memory(self) -> u64 {
        match self {
            // A node of the list that keeps the order, and a slot of the table that finds it.
            Native::OrderedDict => 80,
            _ => 0,
        }
    }

    /// Whether the interpreter frees an instance in another one of these types by recursion on the C stack.
    fn frees_recursively(self) -> bool {
        matches!(self, Native::Deque | Native::DefaultDict)
    }
}

impl Entry {
    /// Bytes of an empty instance above a plain one.
    pub fn extra_memory(&self) -> u64 {
        match self.meaning {
            Meaning::Native(native) => native.extra_memory(),
            _ => self.numpy().map_or(0, Numpy::extra_memory),
        }
    }

    /// Bytes for each key above those of a plain dict.
    pub fn extra_item_memory(&self) -> u64 {
        match self.meaning {
            Meaning::Native(native) => native.extra_item_memory(),
            _ => 0,
        }
    }

    /// Whether the interpreter frees an instance in another such instance by recursion on the C stack: deque,
    /// defaultdict, and the exceptions, some of which keep attributes in fields of their own.
    pub fn frees_recursively(&self) -> bool {
        match self.meaning {
            Meaning::Native(native) => native.frees_recursively(),
            _ => &*self.module == "builtins",
        }
    }

    /// Whether the arguments of a call are looked through by a contract, or copied: then each time costs their length.
    pub fn reads_arguments(&self) -> bool {
        matches!(self.meaning, Meaning::Native(_))
            || self
                .grant()
                .is_some_and(|grant| grant.call.looks_inside() || grant.new.looks_inside())
    }
}
