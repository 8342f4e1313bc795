//! Argument contracts: signatures on exact types, their text form and their
//! check. `(int, str?)`, `()`, `(*plain)`, `(str, 'latin1')`,
//! `(list[int] | None, **any)`; alternatives are joined by `|`.
//!
//! The contracts of the types that are built natively are not written in this
//! language; they live beside it, one file per subject.

mod arrays;
mod calendar;
mod collections;
mod native;
mod numbers;
mod parse;
mod patterns;
mod text;
mod weight;

use std::fmt;

pub use native::Native;
pub(super) use native::judge;
pub use numbers::SmallDecimal;

use super::view::{Look, View, describe_all};

/// What an argument may be.
#[derive(Clone, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub(super) enum Kind {
    /// `bool`.
    Bool,
    /// `int`, of any size.
    Int,
    /// `float`.
    Float,
    /// `complex`.
    Complex,
    /// `str`.
    Str,
    /// `bytes`.
    Bytes,
    /// `bytearray`.
    ByteArray,
    /// `tuple` or `tuple[kind]`.
    Tuple(Option<Box<Kind>>),
    /// `list` or `list[kind]`.
    List(Option<Box<Kind>>),
    /// `dict` or `dict[kind, kind]`.
    Dict(Option<Box<(Kind, Kind)>>),
    /// `set` or `set[kind]`.
    Set(Option<Box<Kind>>),
    /// `frozenset` or `frozenset[kind]`.
    FrozenSet(Option<Box<Kind>>),
    /// `None`.
    None,
    /// An atom or an exact container.
    Plain,
    /// An instance that this stream made.
    Instance,
    /// A mentioned class or function of the policy.
    Type,
    /// Anything.
    Any,
    /// That exact str.
    Text(Box<str>),
    /// That exact int.
    Number(i64),
    /// Any of these.
    Either(Vec<Kind>),
}

impl Kind {
    /// Whether a value is of this kind, its items not looked at.
    fn admits_shape(&self, view: View<'_>) -> bool {
        match self {
            Kind::None => matches!(view, View::None),
            Kind::Bool => matches!(view, View::Bool(_)),
            Kind::Int => matches!(view, View::Int(_) | View::BigInt { .. }),
            Kind::Float => matches!(view, View::Float(_)),
            Kind::Complex => matches!(view, View::Complex),
            Kind::Str => matches!(view, View::Str(_) | View::SurrogateStr),
            Kind::Bytes => matches!(view, View::Bytes(_)),
            Kind::ByteArray => matches!(view, View::ByteArray(_)),
            Kind::Tuple(_) => matches!(view, View::Tuple(_)),
            Kind::List(_) => matches!(view, View::List(_)),
            Kind::Dict(_) => matches!(view, View::Dict(_)),
            Kind::Set(_) => matches!(view, View::Set(_)),
            Kind::FrozenSet(_) => matches!(view, View::FrozenSet(_)),
            Kind::Plain => !matches!(
                view,
                View::Global(_)
                    | View::Constructor(_)
                    | View::Made(_)
                    | View::External
                    | View::Other
            ),
            Kind::Instance => matches!(view, View::Made(_)),
            Kind::Type => matches!(view, View::Global(_)),
            Kind::Any => true,
            Kind::Text(text) => matches!(view, View::Str(s) if *s == **text),
            Kind::Number(number) => matches!(view, View::Int(n) if n == *number),
            Kind::Either(kinds) => kinds.iter().any(|kind| kind.admits_shape(view)),
        }
    }

    fn looks_inside(&self) -> bool {
        match self {
            Kind::Tuple(item) | Kind::List(item) | Kind::Set(item) | Kind::FrozenSet(item) => {
                item.is_some()
            }
            Kind::Dict(pair) => pair.is_some(),
            Kind::Either(kinds) => kinds.iter().any(Kind::looks_inside),
            _ => false,
        }
    }

    fn admits<L: Look>(&self, look: &L, value: &L::Value) -> bool {
        match self {
            Kind::Either(kinds) => kinds.iter().any(|kind| kind.admits(look, value)),
            Kind::Tuple(Some(item))
            | Kind::List(Some(item))
            | Kind::Set(Some(item))
            | Kind::FrozenSet(Some(item)) => {
                self.admits_shape(look.view(value))
                    && look.all(value, &mut |view| item.admits_shape(view))
            }
            Kind::Dict(Some(pair)) => {
                let (key, item) = &**pair;
                self.admits_shape(look.view(value))
                    && look.pairs(value).iter().all(|(k, v)| {
                        key.admits_shape(look.view(k)) && item.admits_shape(look.view(v))
                    })
            }
            _ => self.admits_shape(look.view(value)),
        }
    }
}

/// One signature.
#[derive(Clone, PartialEq, Eq, Hash, Debug, PartialOrd, Ord, Default)]
pub(super) struct Signature {
    required: Vec<Kind>,
    optional: Vec<Kind>,
    rest: Option<Kind>,
    keywords: Option<Kind>,
}

impl Signature {
    fn admits<L: Look>(&self, look: &L, args: &[L::Value], kwargs: &[L::Value]) -> bool {
        if args.len() < self.required.len() {
            return false;
        }
        let positional = self.required.iter().chain(&self.optional);
        let mut given = args.iter();
        for (kind, arg) in positional.zip(given.by_ref()) {
            if !kind.admits(look, arg) {
                return false;
            }
        }
        let taken = self.required.len().saturating_add(self.optional.len());
        let rest_holds = args.iter().skip(taken).all(|arg| {
            self.rest
                .as_ref()
                .is_some_and(|kind| kind.admits(look, arg))
        });
        rest_holds
            && kwargs.chunks(2).all(|pair| match (pair, &self.keywords) {
                ([key, value], Some(kind)) => {
                    matches!(look.view(key), View::Str(_)) && kind.admits(look, value)
                }
                _ => false,
            })
    }
}

/// Signatures of which one must hold. Equal contracts allow the same by the
/// same signatures, in whatever order they were written.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Contract {
    alternatives: Vec<Signature>,
}

impl Contract {
    /// Reads a contract from its text.
    pub fn parse(text: &str) -> Result<Contract, ContractError> {
        let mut alternatives = parse::signatures(text)?;
        alternatives.sort();
        alternatives.dedup();
        Ok(Contract { alternatives })
    }

    /// `(*any, **any)`.
    pub fn anything() -> Contract {
        Contract {
            alternatives: vec![Signature {
                rest: Some(Kind::Any),
                keywords: Some(Kind::Any),
                ..Signature::default()
            }],
        }
    }

    /// `()`.
    pub fn no_arguments() -> Contract {
        Contract {
            alternatives: vec![Signature::default()],
        }
    }

    /// What either of the two allows.
    #[must_use]
    pub fn union(&self, other: &Contract) -> Contract {
        let mut alternatives = self.alternatives.clone();
        alternatives.extend(other.alternatives.iter().cloned());
        alternatives.sort();
        alternatives.dedup();
        Contract { alternatives }
    }

    /// Whether checking looks at every item of a container, and so costs its length.
    pub(super) fn looks_inside(&self) -> bool {
        self.alternatives.iter().any(|signature| {
            let positional = signature.required.iter().chain(&signature.optional);
            positional
                .chain(&signature.rest)
                .chain(&signature.keywords)
                .any(Kind::looks_inside)
        })
    }

    /// Holds the arguments against the contract; `kwargs` is flattened key,
    /// value. The error says what was expected and what was given.
    pub fn check<L: Look>(
        &self,
        look: &L,
        args: &[L::Value],
        kwargs: &[L::Value],
    ) -> Result<(), String> {
        if self
            .alternatives
            .iter()
            .any(|signature| signature.admits(look, args, kwargs))
        {
            return Ok(());
        }
        let keywords = match kwargs.len() / 2 {
            0 => String::new(),
            count => format!(" and {count} keyword arguments"),
        };
        Err(format!(
            "its contract is {self}, given {}{keywords}",
            describe_all(look, args)
        ))
    }
}

impl fmt::Display for Contract {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, signature) in self.alternatives.iter().enumerate() {
            if index > 0 {
                f.write_str(" | ")?;
            }
            write!(f, "{signature}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut first = true;
        let mut separate = |f: &mut fmt::Formatter<'_>| {
            let comma = if std::mem::take(&mut first) { "" } else { ", " };
            f.write_str(comma)
        };
        f.write_str("(")?;
        for kind in &self.required {
            separate(f)?;
            write!(f, "{kind}")?;
        }
        for kind in &self.optional {
            separate(f)?;
            write!(f, "{kind}?")?;
        }
        if let Some(kind) = &self.rest {
            separate(f)?;
            write!(f, "*{kind}")?;
        }
        if let Some(kind) = &self.keywords {
            separate(f)?;
            write!(f, "**{kind}")?;
        }
        f.write_str(")")
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |f: &mut fmt::Formatter<'_>, name: &str, item: &Option<Box<Kind>>| match item {
            Some(item) => write!(f, "{name}[{item}]"),
            None => f.write_str(name),
        };
        match self {
            Kind::None => f.write_str("None"),
            Kind::Bool => f.write_str("bool"),
            Kind::Int => f.write_str("int"),
            Kind::Float => f.write_str("float"),
            Kind::Complex => f.write_str("complex"),
            Kind::Str => f.write_str("str"),
            Kind::Bytes => f.write_str("bytes"),
            Kind::ByteArray => f.write_str("bytearray"),
            Kind::Tuple(item) => of(f, "tuple", item),
            Kind::List(item) => of(f, "list", item),
            Kind::Dict(None) => f.write_str("dict"),
            Kind::Dict(Some(pair)) => write!(f, "dict[{}, {}]", pair.0, pair.1),
            Kind::Set(item) => of(f, "set", item),
            Kind::FrozenSet(item) => of(f, "frozenset", item),
            Kind::Plain => f.write_str("plain"),
            Kind::Instance => f.write_str("instance"),
            Kind::Type => f.write_str("type"),
            Kind::Any => f.write_str("any"),
            Kind::Text(text) => write!(f, "'{text}'"),
            Kind::Number(number) => write!(f, "{number}"),
            Kind::Either(kinds) => {
                for (index, kind) in kinds.iter().enumerate() {
                    if index > 0 {
                        f.write_str(" | ")?;
                    }
                    write!(f, "{kind}")?;
                }
                Ok(())
            }
        }
    }
}

/// A contract that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("contract {text:?} cannot be read at column {column}: {why}")]
pub struct ContractError {
    /// The text as given.
    pub text: String,
    /// Where in the text, counted from one.
    pub column: usize,
    /// What was expected there.
    pub why: String,
}

#[cfg(test)]
mod tests;
