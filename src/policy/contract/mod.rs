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
pub mod numpy;
mod parse;
mod patterns;
mod text;
mod weight;

use std::fmt;

pub use arrays::stored_array;
pub use native::Native;
pub(super) use native::judge;
pub use numbers::SmallDecimal;
pub use text::{address_and_prefix, scoped_address};

use super::view::{Form, Look, View, describe_all};

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
            Kind::Text(text) => matches!(view, View::Str(s) if *s == **text),
            Kind::Number(number) => matches!(view, View::Int(n) if n == *number),
            Kind::Either(kinds) => kinds.iter().any(|kind| kind.admits_shape(view)),
            kind => kind.admits_form(view.form()),
        }
    }

    /// As [`Kind::admits_shape`], for kinds that say nothing of the content; no other admits a value by its form.
    #[inline]
    fn admits_form(&self, form: Form) -> bool {
        match self {
            Kind::None => form == Form::None,
            Kind::Bool => form == Form::Bool,
            Kind::Int => form == Form::Int,
            Kind::Float => form == Form::Float,
            Kind::Complex => form == Form::Complex,
            Kind::Str => form == Form::Str,
            Kind::Bytes => form == Form::Bytes,
            Kind::ByteArray => form == Form::ByteArray,
            Kind::Tuple(_) => form == Form::Tuple,
            Kind::List(_) => form == Form::List,
            Kind::Dict(_) => form == Form::Dict,
            Kind::Set(_) => form == Form::Set,
            Kind::FrozenSet(_) => form == Form::FrozenSet,
            Kind::Plain => !matches!(form, Form::Global | Form::Made | Form::Other),
            Kind::Instance => form == Form::Made,
            Kind::Type => form == Form::Global,
            Kind::Any => true,
            Kind::Text(_) | Kind::Number(_) | Kind::Either(_) => false,
        }
    }

    /// The forms that are of this kind, a bit each, where nothing else decides.
    fn forms(&self) -> Option<u32> {
        match self {
            Kind::Text(_) | Kind::Number(_) => None,
            Kind::Either(kinds) => kinds
                .iter()
                .map(Kind::forms)
                .try_fold(0, |all, forms| Some(all | forms?)),
            kind if kind.looks_inside() => None,
            kind => Some(
                Form::ALL
                    .iter()
                    .filter(|form| kind.admits_form(**form))
                    .fold(0, |all, form| all | form.bit()),
            ),
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

    #[inline]
    fn admits<L: Look>(&self, look: &L, value: &L::Value) -> bool {
        match self {
            Kind::Any => true,
            Kind::Text(_)
            | Kind::Number(_)
            | Kind::Either(_)
            | Kind::Tuple(Some(_))
            | Kind::List(Some(_))
            | Kind::Dict(Some(_))
            | Kind::Set(Some(_))
            | Kind::FrozenSet(Some(_)) => self.admits_content(look, value),
            _ => self.admits_form(look.form(value)),
        }
    }

    /// As [`Kind::admits`], for kinds that say something of the content.
    fn admits_content<L: Look>(&self, look: &L, value: &L::Value) -> bool {
        match self {
            Kind::Either(kinds) => kinds.iter().any(|kind| kind.admits(look, value)),
            Kind::Tuple(Some(item))
            | Kind::List(Some(item))
            | Kind::Set(Some(item))
            | Kind::FrozenSet(Some(item)) => {
                self.admits_form(look.form(value))
                    && match **item {
                        Kind::Text(_) | Kind::Number(_) | Kind::Either(_) => {
                            look.all(value, &mut |view| item.admits_shape(view))
                        }
                        _ => look.all_forms(value, &mut |form| item.admits_form(form)),
                    }
            }
            Kind::Dict(Some(pair)) => {
                let (key, item) = &**pair;
                self.admits_form(look.form(value))
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
    fn looks_inside(&self) -> bool {
        let positional = self.required.iter().chain(&self.optional);
        positional
            .chain(&self.rest)
            .chain(&self.keywords)
            .any(Kind::looks_inside)
    }

    fn admits<L: Look>(&self, look: &L, args: &[L::Value], kwargs: &[L::Value]) -> bool {
        let Some((first, more)) = args.split_at_checked(self.required.len()) else {
            return false;
        };
        let (second, rest) = more.split_at(self.optional.len().min(more.len()));
        let each = |kinds: &[Kind], args: &[L::Value]| {
            let mut pairs = kinds.iter().zip(args);
            pairs.all(|(kind, arg)| kind.admits(look, arg))
        };
        let rest_holds = || {
            self.rest
                .as_ref()
                .is_some_and(|kind| rest.iter().all(|arg| kind.admits(look, arg)))
        };
        each(&self.required, first)
            && each(&self.optional, second)
            && (rest.is_empty() || rest_holds())
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
    /// Whether any of them looks at the items of a container: asked at every call.
    looks_inside: bool,
    /// Where it is any number of arguments of some forms, which: `(*plain | instance)` is asked of every exception.
    forms: Option<u32>,
}

impl Contract {
    /// Reads a contract from its text.
    pub fn parse(text: &str) -> Result<Contract, ContractError> {
        Ok(Contract::of(parse::signatures(text)?))
    }

    fn of(mut alternatives: Vec<Signature>) -> Contract {
        alternatives.sort();
        alternatives.dedup();
        let forms = match &*alternatives {
            [only] if only.required.is_empty() && only.optional.is_empty() => {
                only.rest.as_ref().and_then(Kind::forms)
            }
            _ => None,
        };
        Contract {
            looks_inside: alternatives.iter().any(Signature::looks_inside),
            forms,
            alternatives,
        }
    }

    /// `(*any, **any)`.
    pub fn anything() -> Contract {
        Contract::of(vec![Signature {
            rest: Some(Kind::Any),
            keywords: Some(Kind::Any),
            ..Signature::default()
        }])
    }

    /// `()`.
    pub fn no_arguments() -> Contract {
        Contract::of(vec![Signature::default()])
    }

    /// What either of the two allows.
    #[must_use]
    pub fn union(&self, other: &Contract) -> Contract {
        let mut alternatives = self.alternatives.clone();
        alternatives.extend(other.alternatives.iter().cloned());
        Contract::of(alternatives)
    }

    /// Whether checking looks at every item of a container, and so costs its length.
    pub(super) fn looks_inside(&self) -> bool {
        self.looks_inside
    }

    /// Holds the arguments against the contract; `kwargs` is flattened key,
    /// value. The error says what was expected and what was given.
    pub fn check<L: Look>(
        &self,
        look: &L,
        args: &[L::Value],
        kwargs: &[L::Value],
    ) -> Result<(), String> {
        if let Some(forms) = self.forms
            && kwargs.is_empty()
            && args.iter().all(|arg| look.form(arg).bit() & forms != 0)
        {
            return Ok(());
        }
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
