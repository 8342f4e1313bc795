//! Paths of `pathlib`, made of the parts that they pickle as.
//!
//! Up to 3.11 a path keeps its parts, which its constructor finds by taking each argument apart once more; from 3.12 on
//! it keeps what it was given. Which of the two, and where, is looked for in a path of the library's own.

use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

use super::late::Late;
use super::layout;
use super::slotted::Slotted;
use super::value::{Make, Value};

/// What a path keeps.
enum Kept {
    /// Its arguments.
    Given(Slotted<1>),
    /// A drive, a root, and its parts.
    Parts(Slotted<3>),
}

/// The class of a path whose inside may be known.
#[derive(Clone, Copy)]
pub enum Flavour {
    /// `PurePosixPath`.
    Posix,
    /// `PosixPath`.
    Concrete,
    /// `PureWindowsPath`.
    Windows,
}

static POSIX: Late<Kept> = Late::new();
static CONCRETE: Late<Kept> = Late::new();
static WINDOWS: Late<Kept> = Late::new();

/// A path of these parts: `None` where that is another class than the one whose objects are known, or none are, or its
/// constructor would make other parts of them.
#[inline]
pub fn path(
    py: Python<'_>,
    flavour: Flavour,
    class: &Py<PyAny>,
    parts: &[Value],
) -> PyResult<Option<Value>> {
    let late = match flavour {
        Flavour::Posix => &POSIX,
        Flavour::Concrete => &CONCRETE,
        Flavour::Windows => &WINDOWS,
    };
    if late.get().is_none() && !late.learn(py, || Kept::found(class.bind(py), flavour))? {
        return Ok(None);
    }
    match late.get() {
        Some(kept) if kept.is_of(class) => kept.make(py, parts),
        _ => Ok(None),
    }
}

/// Whether the ways are open, once they were asked for. Up to 3.11 the parts of paths of Windows are left to the library.
pub(super) fn learn_paths(py: Python<'_>) -> PyResult<bool> {
    let class = || py.import("pathlib")?.getattr("PurePosixPath");
    POSIX.learn(py, || Kept::found(&class()?, Flavour::Posix))
}

/// Whether a part is one that a path consists of: what stands between two slashes, or at the very front the root.
fn is_part(first: bool, part: &Value) -> bool {
    match super::latin1_text(part) {
        Some(b"/") => first,
        Some(b"" | b".") | None => false,
        Some(text) => !text.contains(&b'/'),
    }
}

impl Kept {
    fn is_of(&self, class: &Py<PyAny>) -> bool {
        match self {
            Self::Given(slots) => slots.is_of(class),
            Self::Parts(slots) => slots.is_of(class),
        }
    }

    fn make(&self, py: Python<'_>, parts: &[Value]) -> PyResult<Option<Value>> {
        let list = |parts: &mut [Value]| -> Make {
            let list = super::list(py)?;
            super::list_extend(py, &list, parts)?;
            Ok(list)
        };
        let mut each = parts.to_vec();
        match self {
            Self::Given(slots) => slots.make(py, [list(&mut each)?]).map(Some),
            Self::Parts(slots) => {
                let mut rooted = false;
                for (at, part) in each.iter_mut().enumerate() {
                    if !is_part(at == 0, part) {
                        return Ok(None);
                    }
                    rooted |= super::latin1_text(part) == Some(b"/");
                    super::intern(part);
                }
                let root = match each.first() {
                    Some(first) if rooted => first.share(),
                    _ => super::utf8(py, b"")?,
                };
                let drive = super::utf8(py, b"")?;
                slots.make(py, [drive, root, list(&mut each)?]).map(Some)
            }
        }
    }

    fn found(class: &Bound<'_, PyAny>, flavour: Flavour) -> PyResult<Option<Self>> {
        let py = class.py();
        let sample = Value::plain(class.call1(("/", "usr", "x"))?);
        let kept = if class.hasattr("_raw_paths")? {
            Slotted::found(class, &sample, ["_raw_paths"])?.map(Self::Given)
        } else if matches!(flavour, Flavour::Windows) {
            None
        } else {
            let names = ["_drv", "_root", "_parts"];
            Slotted::found(class, &sample, names)?.map(Self::Parts)
        };
        let Some(kept) = kept else { return Ok(None) };
        for parts in SAMPLES {
            let mut given = Vec::new();
            for part in *parts {
                given.push(super::utf8(py, part.as_bytes())?);
            }
            let args = PyTuple::new(py, parts.iter())?;
            let theirs = Value::plain(class.call1(args)?);
            let Some(ours) = kept.make(py, &given)? else {
                return Ok(None);
            };
            let same = kept.keeps(py, &ours, &theirs)?
                && super::stock::is_tracked(&ours) == super::stock::is_tracked(&theirs)
                && layout::same(py, &ours, &theirs)?;
            if !same {
                return Ok(None);
            }
        }
        Ok(Some(kept))
    }

    /// Whether two paths keep the same.
    fn keeps(&self, py: Python<'_>, ours: &Value, theirs: &Value) -> PyResult<bool> {
        let names: &[&str] = match self {
            Self::Given(_) => &["_raw_paths"],
            Self::Parts(_) => &["_drv", "_root", "_parts"],
        };
        let size_of = py.import("sys")?.getattr("getsizeof")?;
        for name in names {
            let (ours, theirs) = (
                ours.bound(py).getattr(*name)?,
                theirs.bound(py).getattr(*name)?,
            );
            let sizes = ours.is_instance_of::<PyList>()
                || size_of.call1((&ours,))?.eq(size_of.call1((&theirs,))?)?;
            if !sizes || !ours.get_type().is(theirs.get_type()) || !ours.eq(&theirs)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// Paths of every kind.
const SAMPLES: &[&[&str]] = &[
    &[],
    &["/"],
    &["/", "usr", "lib", "a b.c"],
    &["relative", "..", "x"],
    &["\u{e9}", "x:y"],
];
