//! Dtypes of numbers: their codes, their sizes, and how many bytes an array of them takes.

/// Most dimensions of an array, in numpy 2.
pub const MAX_DIMENSIONS: usize = 64;

/// Kind and size of the numbers that have a dtype everywhere. (`f12` and `c24` are those of 32-bit machines.)
const NUMBERS: [(&str, u8, u8); 16] = [
    ("b1", b'b', 1),
    ("i1", b'i', 1),
    ("i2", b'i', 2),
    ("i4", b'i', 4),
    ("i8", b'i', 8),
    ("u1", b'u', 1),
    ("u2", b'u', 2),
    ("u4", b'u', 4),
    ("u8", b'u', 8),
    ("f2", b'f', 2),
    ("f4", b'f', 4),
    ("f8", b'f', 8),
    ("f16", b'f', 16),
    ("c8", b'c', 8),
    ("c16", b'c', 16),
    ("c32", b'c', 32),
];

/// A kind of number, and the order of its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub struct Numeric {
    /// Its place among the numbers.
    at: u8,
    /// Whether its bytes are in the other order than this machine's.
    swapped: bool,
}

impl Numeric {
    /// How many kinds of number there are.
    pub const COUNT: usize = NUMBERS.len();

    /// All of them, in this machine's order.
    pub fn all() -> impl Iterator<Item = Numeric> {
        (0..Self::COUNT).filter_map(|at| {
            let at = u8::try_from(at).ok()?;
            Some(Numeric { at, swapped: false })
        })
    }

    /// Reads a code: `f8`, `<i4`, `|b1`. What is no number has none.
    pub fn parse(code: &str) -> Option<Numeric> {
        let (order, bare) = match code.as_bytes() {
            [order @ (b'<' | b'>' | b'|'), ..] => (Some(*order), code.get(1..)?),
            _ => (None, code),
        };
        let at = NUMBERS.iter().position(|(known, ..)| *known == bare)?;
        let native = Numeric {
            at: u8::try_from(at).ok()?,
            swapped: false,
        };
        match order {
            Some(order) => native.ordered(order),
            None => Some(native),
        }
    }

    /// As its state says: one byte has no order, more have one.
    pub(super) fn ordered(self, order: u8) -> Option<Numeric> {
        let swapped = match (order, self.size()) {
            (b'|', 1) => false,
            (b'<', 2..) => cfg!(target_endian = "big"),
            (b'>', 2..) => cfg!(target_endian = "little"),
            _ => return None,
        };
        Some(Numeric { swapped, ..self })
    }

    fn number(self) -> (&'static str, u8, u8) {
        let known = NUMBERS.get(usize::from(self.at));
        known.copied().unwrap_or(("b1", b'b', 1))
    }

    /// Its code, as numpy's pickles write it.
    pub fn code(self) -> &'static str {
        self.number().0
    }

    /// Its place among the numbers, below [`Numeric::COUNT`].
    pub fn index(self) -> usize {
        usize::from(self.at)
    }

    /// Bytes of an item.
    pub fn size(self) -> u64 {
        u64::from(self.number().2)
    }

    /// Whether every byte must be 0 or 1.
    pub fn is_bool(self) -> bool {
        self.number().1 == b'b'
    }

    /// Whether its bytes are in the other order than this machine's.
    pub fn is_swapped(self) -> bool {
        self.swapped
    }
}

/// Bytes of an array of that shape; every side must be an int.
pub fn extent(sides: impl Iterator<Item = Option<i64>>, item: u64) -> Result<u64, String> {
    const TOO_LARGE: &str = "its shape has more items than memory has room for";
    let (mut dimensions, mut bytes, mut empty) = (0, item, false);
    for side in sides {
        let side = side.ok_or("its shape is not made of ints")?;
        let side = u64::try_from(side).map_err(|_| "its shape has a negative side")?;
        dimensions += 1;
        if dimensions > MAX_DIMENSIONS {
            return Err(format!(
                "its shape has more than {MAX_DIMENSIONS} dimensions"
            ));
        }
        empty |= side == 0;
        // A side of 0 makes all others count for nothing, and none of them may overflow all the same.
        bytes = bytes
            .checked_mul(side.max(1))
            .filter(|bytes| i64::try_from(*bytes).is_ok())
            .ok_or(TOO_LARGE)?;
    }
    Ok(if empty { 0 } else { bytes })
}

/// Holds the bytes that there are against those that the shape takes.
pub fn check_length(given: u64, needed: u64) -> Result<(), String> {
    if given == needed {
        Ok(())
    } else {
        Err(format!(
            "its shape and dtype take {needed} bytes, and it is given {given}"
        ))
    }
}

/// The bytes of an array of bools: 0 or 1.
pub fn check_bools(bytes: &[u8]) -> Result<(), String> {
    if bytes.iter().fold(0, |any, byte| any | byte) <= 1 {
        Ok(())
    } else {
        Err("it is made of bools, and one of its bytes is neither 0 nor 1".into())
    }
}
