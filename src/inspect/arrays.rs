//! Arrays that joblib writes raw between the opcodes: how many bytes of the stream they are.
//!
//! `joblib.dump` pickles a `NumpyArrayWrapper` in the place of an array, and writes the array's bytes behind the BUILD
//! that completes it; `joblib.load` reads them there and goes on with the next opcode. Objects in an array are a pickle
//! of their own in the same place. What the wrapper says is recomputed and compared, never trusted: whatever does not
//! match ends the inspection with [`Kind::RawArray`].

use std::collections::HashSet;

use super::Arrays;
use super::note::{Id, NOBODY, Note, Part};
use super::survey::Survey;
use super::world::{NoteWorld, Stop};
use crate::error::Kind;
use crate::machine::budget::{Budget, size};
use crate::policy::Look;

/// Bytes between opcodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Raw {
    /// Offset from the start of the pickle.
    pub at: usize,
    /// How many there are.
    pub length: usize,
    /// They are a pickle: the objects of an array.
    pub is_pickle: bool,
}

/// Where joblib's class lies: in joblib, and in what scikit-learn shipped of it up to 0.22.
const WRAPPERS: [&str; 2] = [
    "joblib.numpy_pickle",
    "sklearn.externals.joblib.numpy_pickle",
];
/// Bit of a dtype's flags: its items hold references (`NPY_ITEM_REFCOUNT`).
const HAS_OBJECTS: i64 = 1;

fn stray(why: &'static str) -> Stop {
    Kind::RawArray(why).into()
}

/// What a dtype's code says of an item.
#[derive(Clone, Copy)]
struct Code {
    kind: u8,
    /// `None`: its state says it.
    size: Option<u64>,
}

impl Code {
    /// `numpy.dtype.__reduce__` writes a kind and a size: "f8", "S5", "U5" (characters), "V16".
    fn parse(text: &str) -> Option<Self> {
        let (kind, digits) = text.as_bytes().split_first()?;
        if digits.len() > 10 || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let number: Option<u64> = std::str::from_utf8(digits).ok()?.parse().ok();
        let size = match (*kind, number) {
            (b'b', Some(1)) => 1,
            (b'i' | b'u', Some(bytes @ (1 | 2 | 4 | 8)))
            | (b'f', Some(bytes @ (2 | 4 | 8 | 12 | 16)))
            | (b'c', Some(bytes @ (8 | 16 | 24 | 32)))
            | (b'M' | b'm', Some(bytes @ 8))
            | (b'O', Some(bytes @ (4 | 8)))
            | (b'S' | b'a' | b'V', Some(bytes)) => bytes,
            (b'U', Some(characters)) => 4 * characters,
            _ => return None,
        };
        Some(Self {
            kind: *kind,
            size: Some(size),
        })
    }

    /// Whether the size is part of the type, so that the state repeats it.
    fn is_flexible(self) -> bool {
        matches!(self.kind, b'S' | b'a' | b'U' | b'V')
    }
}

/// One dtype: an item's size, what its flags say, and the dtypes inside it.
struct Dtype {
    size: u64,
    is_object: bool,
    claims_objects: bool,
    inner: Vec<Note>,
}

/// What lies behind a wrapper.
enum Behind {
    Bytes(u64),
    Objects,
}

impl NoteWorld<'_> {
    /// How many raw bytes the loader takes from `behind` after BUILD of that value.
    pub(super) fn raw_behind(
        &mut self,
        budget: &mut Budget,
        built: Note,
        behind: Option<&[u8]>,
    ) -> Result<usize, Stop> {
        let Some(node) = built.instance() else {
            return Ok(0);
        };
        if !self.is_wrapper(node) {
            return Ok(0);
        }
        let behind = behind.ok_or_else(|| stray("opcodes are left in the frame before it"))?;
        let at = self
            .offset(behind)
            .ok_or_else(|| stray("it is not in the stream"))?;
        let (contents, padding) = self.wrapped(budget, node)?;
        let is_pickle = matches!(contents, Behind::Objects);
        let length = match contents {
            Behind::Bytes(bytes) => padded(behind, padding)?
                .checked_add(usize::try_from(bytes).map_err(|_| stray("it has too many items"))?)
                .filter(|length| *length <= behind.len()),
            Behind::Objects => {
                let mut survey = Survey::default();
                let end = survey.walk(behind).unwrap_or_default();
                end.filter(|_| survey.ended_with_its_frame())
            }
        };
        self.raws.push(Raw {
            at,
            length: length.unwrap_or(behind.len()),
            is_pickle,
        });
        length.ok_or_else(|| {
            stray(if is_pickle {
                "the pickle of its objects has no end, or not with its frame"
            } else {
                "it ends before its last item"
            })
        })
    }

    fn is_wrapper(&self, node: Id) -> bool {
        self.notes
            .get(node)
            .and_then(|made| self.uses.get(made.user()))
            .is_some_and(|used| {
                // joblib goes by the class that the stream names, whatever a policy renames it to.
                let (module, name) = used.spelled.as_ref().map_or(
                    (used.module.as_str(), used.name.as_str()),
                    |(module, name)| (module, name),
                );
                name == "NumpyArrayWrapper" && WRAPPERS.contains(&module)
            })
    }

    /// What lies behind a wrapper, and the alignment that padding before it serves, if there is any.
    fn wrapped(&self, budget: &mut Budget, node: Id) -> Result<(Behind, Option<u8>), Stop> {
        let called = self.notes.items(node, Part::Args).next().is_some();
        if called
            && self
                .notes
                .get(node)
                .is_some_and(|made| made.via() == NOBODY)
        {
            return Err(stray("its wrapper was called, as no pickler does"));
        }
        let mut states = self.notes.items(node, Part::State);
        let (Some(state @ Note::Dict(_)), None) = (states.next(), states.next()) else {
            return Err(stray("its wrapper was not given state once, as a dict"));
        };
        let (mut shape, mut dtype, mut alignment) = (None, None, Note::None);
        for (key, value) in self.pairs(&state) {
            let Note::Str(key) = key else {
                return Err(stray(
                    "its wrapper has an attribute that is not named by a str",
                ));
            };
            match self.notes.str(key) {
                "shape" => shape = Some(value),
                "dtype" => dtype = Some(value),
                "numpy_array_alignment_bytes" => alignment = value,
                "subclass" | "order" | "allow_mmap" => {}
                _ => return Err(stray("its wrapper has an attribute that is not joblib's")),
            }
        }
        let padding = match alignment {
            Note::None => None,
            Note::Int(bytes) => match u8::try_from(bytes) {
                Ok(bytes) if bytes > 0 => Some(bytes),
                _ => return Err(stray("its alignment is out of range")),
            },
            _ => return Err(stray("its alignment is no int")),
        };
        let padding = padding.filter(|_| self.options.arrays == Arrays::Padded);
        let (item, objects) = self.layout(budget, dtype.unwrap_or_default())?;
        if objects {
            return Ok((Behind::Objects, None));
        }
        let count = self.items_in(budget, shape.unwrap_or_default())?;
        if item == 0 {
            return Err(stray("its items have no size"));
        }
        let bytes = count
            .checked_mul(item)
            .filter(|bytes| i64::try_from(*bytes).is_ok())
            .ok_or_else(|| stray("it has too many items"))?;
        Ok((Behind::Bytes(bytes), padding))
    }

    /// The product of a shape.
    fn items_in(&self, budget: &mut Budget, shape: Note) -> Result<u64, Stop> {
        let Note::Tuple(node) = shape else {
            return Err(stray("its shape is no tuple"));
        };
        self.charge(budget, &[shape])?;
        let mut count: u64 = 1;
        let mut empty = false;
        for side in self.notes.head(node) {
            let Note::Int(side) = *side else {
                return Err(stray("its shape is not made of ints"));
            };
            let side = u64::try_from(side).map_err(|_| stray("its shape is negative"))?;
            empty |= side == 0;
            // A side of 0 makes all others count for nothing, wherever it stands.
            count = match count.checked_mul(side.max(1)) {
                Some(product) if i64::try_from(product).is_ok() => product,
                _ => return Err(stray("it has too many items")),
            };
        }
        Ok(if empty { 0 } else { count })
    }

    /// Bytes of an item, and whether items are objects or hold some. Dtypes inside a dtype may be shared; each is
    /// looked at once, and charged for.
    fn layout(&self, budget: &mut Budget, dtype: Note) -> Result<(u64, bool), Stop> {
        let outer = self.dtype(budget, dtype)?;
        let mut objects = outer.is_object;
        let mut open = outer.inner;
        let mut seen: HashSet<Id> = HashSet::new();
        while let Some(inner) = open.pop() {
            if inner.node().is_some_and(|node| seen.insert(node)) {
                let inner = self.dtype(budget, inner)?;
                objects |= inner.is_object;
                open.extend(inner.inner);
            }
        }
        if objects != outer.claims_objects {
            return Err(stray("its dtype's flags contradict its fields"));
        }
        Ok((outer.size, objects))
    }

    /// `numpy.dtype(code, False, True)` and the state that it was given.
    fn dtype(&self, budget: &mut Budget, dtype: Note) -> Result<Dtype, Stop> {
        const BROKEN: &str = "its dtype is not as numpy writes one";
        budget.memory(size::OBJECT)?;
        let Some(node) = dtype.instance() else {
            return Err(stray("its dtype is none"));
        };
        let user = self
            .notes
            .get(node)
            .and_then(|made| self.uses.get(made.user()));
        if user.is_none_or(|used| (&*used.module, &*used.name) != ("numpy", "dtype")) {
            return Err(stray("its dtype is none of numpy's"));
        }
        let args: Vec<Note> = self.notes.items(node, Part::Args).take(4).collect();
        let &[code, _, _] = args.as_slice() else {
            return Err(stray(BROKEN));
        };
        let code = match code {
            Note::Str(text) => Code::parse(self.notes.str(text)),
            Note::Global(index) if self.is_record(index) => Some(Code {
                kind: b'V',
                size: None,
            }),
            _ => None,
        };
        let code = code.ok_or_else(|| stray("its dtype is not known"))?;
        let mut states = self.notes.items(node, Part::State);
        match (states.next(), states.next()) {
            (Some(Note::Tuple(state)), None) => self.dtype_state(budget, code, state),
            (None, None) if code.kind != b'V' => Ok(Dtype {
                size: code.size.unwrap_or(0),
                is_object: code.kind == b'O',
                claims_objects: code.kind == b'O',
                inner: Vec::new(),
            }),
            _ => Err(stray(BROKEN)),
        }
    }

    /// `numpy.record`, which stands for the code of a record array's dtype.
    fn is_record(&self, index: Id) -> bool {
        self.uses.get(index).is_some_and(|used| {
            used.name == "record"
                && matches!(
                    used.module.as_str(),
                    "numpy" | "numpy.rec" | "numpy.core.records" | "numpy._core.records"
                )
        })
    }

    /// (version, order, subarray, names, fields, size, alignment, flags), and from version 4 on metadata.
    fn dtype_state(&self, budget: &mut Budget, code: Code, state: Id) -> Result<Dtype, Stop> {
        const BROKEN: &str = "its dtype's state is not as numpy writes one";
        let ([Note::Int(3), rest @ ..] | [Note::Int(4), rest @ .., _]) = self.notes.head(state)
        else {
            return Err(stray(BROKEN));
        };
        let &[
            Note::Str(_),
            subarray,
            _,
            fields,
            Note::Int(bytes),
            Note::Int(_),
            Note::Int(flags),
        ] = rest
        else {
            return Err(stray(BROKEN));
        };
        let stated = u64::try_from(bytes).ok();
        let size = match (code.is_flexible(), code.size, stated) {
            (true, Some(size), Some(stated)) if size == stated => size,
            (true, None, Some(stated)) => stated,
            (false, Some(size), None) if bytes == -1 => size,
            (false, Some(size), Some(stated)) if size == stated => size,
            _ => return Err(stray("its dtype's size is not what its code says")),
        };
        let mut inner = Vec::new();
        match subarray {
            Note::None => {}
            Note::Tuple(_) => inner.extend(Look::item(self, &subarray, 0)),
            _ => return Err(stray(BROKEN)),
        }
        match fields {
            Note::None => {}
            Note::Dict(_) => {
                self.charge_copy(budget, fields)?;
                for (_, field) in self.pairs(&fields) {
                    let Note::Tuple(_) = field else {
                        return Err(stray(BROKEN));
                    };
                    inner.extend(Look::item(self, &field, 0));
                }
            }
            _ => return Err(stray(BROKEN)),
        }
        if code.kind != b'V' && !inner.is_empty() {
            return Err(stray("its dtype has fields, and its code says none"));
        }
        Ok(Dtype {
            size,
            is_object: code.kind == b'O',
            claims_objects: flags & HAS_OBJECTS != 0,
            inner,
        })
    }
}

/// Bytes of padding at the start of `behind`: their number in one byte, then as many of 255. Since joblib 1.2 they align
/// the array for memory maps.
fn padded(behind: &[u8], alignment: Option<u8>) -> Result<usize, Stop> {
    let Some(alignment) = alignment else {
        return Ok(0);
    };
    let filled = |padding: &[u8]| padding.iter().all(|byte| *byte == 0xff);
    match behind.split_first() {
        Some((count, rest)) if (1..=alignment).contains(count) => {
            match rest.get(..usize::from(*count)) {
                Some(padding) if filled(padding) => Ok(1 + usize::from(*count)),
                Some(_) => Err(stray("its padding is not as joblib writes it")),
                None => Err(stray("it ends before its first item")),
            }
        }
        Some(_) => Err(stray("its padding is not as joblib writes it")),
        None => Err(stray("it ends before its first item")),
    }
}
