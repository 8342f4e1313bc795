//! What an entry of a policy is and what it grants: rights, contracts, state
//! fields. Owns the vocabulary of permission; decides nothing itself
//! (`judge.rs` does) and knows neither pickles nor Python.

use std::collections::BTreeSet;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::OnceLock;

use super::contract::numpy::{self, Numpy};
use super::contract::{Contract, Native};

/// The number of an entry inside one [`Policy`](super::Policy).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub struct EntryId(pub u32);

/// A set of capabilities.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct Rights(u8);

impl Rights {
    /// Nothing at all.
    pub const NONE: Rights = Rights(0);
    /// May stand as a value in the result or as an argument.
    pub const REFERENCE: Rights = Rights(1);
    /// May be called (REDUCE, INST, OBJ).
    pub const CALL: Rights = Rights(1 << 1);
    /// May be instantiated through `__new__` (NEWOBJ, `NEWOBJ_EX`).
    pub const NEW: Rights = Rights(1 << 2);
    /// Instances may be given state (BUILD).
    pub const STATE: Rights = Rights(1 << 3);
    /// Instances may be appended to (APPEND, APPENDS).
    pub const APPEND: Rights = Rights(1 << 4);
    /// Instances may be filled by key (SETITEM, SETITEMS).
    pub const ITEMS: Rights = Rights(1 << 5);
    /// Instances may be added to (ADDITEMS).
    pub const ADD: Rights = Rights(1 << 6);
    /// Every capability.
    pub const ALL: Rights = Rights(0x7f);

    const NAMED: [(Rights, &'static str); 7] = [
        (Rights::REFERENCE, "reference"),
        (Rights::CALL, "call"),
        (Rights::NEW, "new"),
        (Rights::STATE, "state"),
        (Rights::APPEND, "append"),
        (Rights::ITEMS, "items"),
        (Rights::ADD, "add"),
    ];

    /// Whether every right of `other` is here.
    pub const fn contains(self, other: Rights) -> bool {
        self.0 & other.0 == other.0
    }

    /// Adds the rights of `other`.
    pub fn insert(&mut self, other: Rights) {
        self.0 |= other.0;
    }

    /// The rights of both.
    #[must_use]
    pub const fn union(self, other: Rights) -> Rights {
        Rights(self.0 | other.0)
    }

    /// Whether no right is here.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The names of the rights, in their fixed order.
    pub fn iter(self) -> impl Iterator<Item = &'static str> {
        Self::NAMED
            .into_iter()
            .filter(move |(right, _)| self.contains(*right))
            .map(|(_, name)| name)
    }

    /// The right called `name` in a policy document.
    pub fn from_name(name: &str) -> Option<Rights> {
        Self::NAMED
            .into_iter()
            .find(|(_, known)| *known == name)
            .map(|(right, _)| right)
    }
}

impl fmt::Debug for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter()).finish()
    }
}

/// Which keys BUILD may set on an instance. Keys are always exact `str` and,
/// whatever stands here, never dunder names.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Fields {
    /// Any key.
    Any,
    /// These keys only.
    Only(BTreeSet<Box<str>>),
    /// Any key but these.
    Except(BTreeSet<Box<str>>),
    /// The class has a `__setstate__` of its own, which receives the state
    /// whole, in whatever form; nothing is set by key.
    Setstate,
    /// A frozen dataclass with slots: the `__setstate__` that `dataclasses`
    /// generates takes a list of that many values.
    Values(usize),
}

impl Fields {
    /// The fields that either of the two allows.
    #[must_use]
    pub fn union(&self, other: &Fields) -> Fields {
        match (self, other) {
            (Fields::Values(a), Fields::Values(b)) if a == b => Fields::Values(*a),
            (Fields::Setstate | Fields::Values(_), _)
            | (_, Fields::Setstate | Fields::Values(_)) => Fields::Setstate,
            (Fields::Any, _) | (_, Fields::Any) => Fields::Any,
            (Fields::Only(a), Fields::Only(b)) => Fields::Only(a.union(b).cloned().collect()),
            (Fields::Except(a), Fields::Except(b)) => {
                Fields::Except(a.intersection(b).cloned().collect())
            }
            (Fields::Except(a), Fields::Only(b)) | (Fields::Only(b), Fields::Except(a)) => {
                Fields::Except(a.difference(b).cloned().collect())
            }
        }
    }
}

/// What an entry grants.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Grant {
    /// The capabilities.
    pub rights: Rights,
    /// The arguments that a call may have.
    pub call: Contract,
    /// The arguments that `__new__` may have.
    pub new: Contract,
    /// The state keys that BUILD may set.
    pub fields: Fields,
    /// Whether using the entry can run Python code of the class or function
    /// itself (a user's `__new__`, `__setstate__`, `__hash__`, …).
    pub runs_code: bool,
}

impl Grant {
    /// A name that may stand as a value and nothing else.
    pub fn reference() -> Grant {
        Grant::of(Rights::REFERENCE)
    }

    /// These rights, with contracts that hold for any arguments and fields.
    pub fn of(rights: Rights) -> Grant {
        Grant {
            rights,
            call: Contract::anything(),
            new: Contract::anything(),
            fields: Fields::Any,
            runs_code: true,
        }
    }

    /// What an object given plainly has until it is known: every right, any
    /// argument, any state. It is never narrower than what the object will be
    /// granted once settled, so that looking first cannot refuse what loading
    /// would accept.
    pub fn provisional() -> Grant {
        Grant {
            fields: Fields::Setstate,
            ..Grant::of(Rights::ALL)
        }
    }

    /// The grant that allows what either of the two allows.
    #[must_use]
    pub fn union(&self, other: &Grant) -> Grant {
        let pick = |right: Rights, a: &Contract, b: &Contract| match (
            self.rights.contains(right),
            other.rights.contains(right),
        ) {
            (true, true) => a.union(b),
            (false, true) => b.clone(),
            _ => a.clone(),
        };
        let fields = match (
            self.rights.contains(Rights::STATE),
            other.rights.contains(Rights::STATE),
        ) {
            (true, true) => self.fields.union(&other.fields),
            (false, true) => other.fields.clone(),
            _ => self.fields.clone(),
        };
        Grant {
            rights: self.rights.union(other.rights),
            call: pick(Rights::CALL, &self.call, &other.call),
            new: pick(Rights::NEW, &self.new, &other.new),
            fields,
            runs_code: self.runs_code || other.runs_code,
        }
    }
}

/// What stands behind a name.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Meaning {
    /// Built in Rust under a contract of its own; the library's unpickling
    /// hook is never called.
    Native(Native),
    /// The real class or function, imported and used.
    Object,
    /// Implicit: `Outer` where only `Outer.Inner` is allowed. It may only be
    /// the first argument of the `getattr` pattern.
    Scope,
}

/// One name of a policy.
#[derive(Debug)]
pub struct Entry {
    /// The module, exactly as the policy spells it.
    pub module: Box<str>,
    /// The qualified name inside the module.
    pub name: Box<str>,
    /// The preset that the entry comes from, unchanged.
    pub preset: Option<&'static str>,
    /// What stands behind the name.
    pub meaning: Meaning,
    pub(super) aliases: Vec<(Box<str>, Box<str>)>,
    /// What the policy grants in so many words.
    pub(super) declared: Option<Grant>,
    /// Whether the object was given plainly: it also gets what its pickles
    /// need, which is known once the object is.
    pub(super) plain: bool,
    pub(super) dangerous: bool,
    /// Which of numpy's names it is, of those whose plain use has a contract of its own.
    numpy: Option<Numpy>,
    grant: OnceLock<Grant>,
}

impl Entry {
    /// An entry without aliases; `declared` is the grant written in the
    /// policy, or `None` for an object given plainly.
    pub(super) fn new(
        module: &str,
        name: &str,
        meaning: Meaning,
        declared: Option<Grant>,
    ) -> Entry {
        Entry {
            module: module.into(),
            name: name.into(),
            preset: None,
            meaning,
            aliases: Vec::new(),
            plain: meaning == Meaning::Object && declared.is_none(),
            declared,
            dangerous: false,
            numpy: numpy::of_entry(meaning, module, name),
            grant: OnceLock::new(),
        }
    }

    /// What the entry grants: as written in the policy, or as settled; `None`
    /// while an object given plainly is still unknown.
    pub fn grant(&self) -> Option<&Grant> {
        if self.plain {
            self.grant.get()
        } else {
            self.declared.as_ref()
        }
    }

    /// Settles what an object given plainly needs, once the object is known.
    /// The first call wins. A grant written in the policy is added to it, and
    /// stands alone if the object was not given plainly.
    pub fn settle(&self, grant: Grant) {
        if self.plain {
            let _ = self.grant.set(match &self.declared {
                Some(declared) => declared.union(&grant),
                None => grant,
            });
        }
    }

    /// Whether the entry waits for [`Entry::settle`].
    pub fn is_unsettled(&self) -> bool {
        self.plain && self.grant.get().is_none()
    }

    /// Whether the entry's own Python code can run when it is used.
    pub fn runs_code(&self) -> bool {
        match self.meaning {
            Meaning::Native(_) | Meaning::Scope => false,
            Meaning::Object => self.grant().is_none_or(|grant| grant.runs_code),
        }
    }

    /// Every spelling of the entry, its own first. The object may live under
    /// any of them, depending on the version of its library.
    pub fn spellings(&self) -> impl Iterator<Item = (&str, &str)> {
        std::iter::once((&*self.module, &*self.name)).chain(
            self.aliases
                .iter()
                .map(|(module, name)| (&**module, &**name)),
        )
    }

    /// Which of numpy's names it is, of those whose plain use has a contract of its own.
    #[inline]
    pub fn numpy(&self) -> Option<Numpy> {
        self.numpy
    }

    /// Whether it is a real class or function of which nothing more is known.
    #[inline]
    pub(super) fn is_plain_object(&self) -> bool {
        self.meaning == Meaning::Object && self.numpy.is_none()
    }

    /// `module.name`, for messages.
    pub fn path(&self) -> String {
        format!("{}.{}", self.module, self.name)
    }

    /// What the policy grants in so many words, whatever else the object gets.
    pub fn declared(&self) -> Option<&Grant> {
        self.declared.as_ref()
    }

    /// Whether the entry was granted by a call that says `dangerously`.
    pub fn is_dangerous(&self) -> bool {
        self.dangerous
    }
}

impl Clone for Entry {
    fn clone(&self) -> Entry {
        let grant = OnceLock::new();
        if let Some(settled) = self.grant.get() {
            let _ = grant.set(settled.clone());
        }
        Entry {
            module: self.module.clone(),
            name: self.name.clone(),
            preset: self.preset,
            meaning: self.meaning,
            aliases: self.aliases.clone(),
            declared: self.declared.clone(),
            plain: self.plain,
            dangerous: self.dangerous,
            numpy: self.numpy,
            grant,
        }
    }
}

/// By value: what is written in the policy. A settled grant follows from the
/// object and is no part of it.
impl PartialEq for Entry {
    fn eq(&self, other: &Entry) -> bool {
        self.module == other.module
            && self.name == other.name
            && self.preset == other.preset
            && self.meaning == other.meaning
            && self.aliases == other.aliases
            && self.declared == other.declared
            && self.plain == other.plain
            && self.dangerous == other.dangerous
    }
}

impl Eq for Entry {}

impl Hash for Entry {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.module.hash(state);
        self.name.hash(state);
        self.declared.hash(state);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> BTreeSet<Box<str>> {
        names.iter().map(|name| (*name).into()).collect()
    }

    #[test]
    fn test_rights_are_named_in_a_fixed_order() {
        let rights = Rights::STATE.union(Rights::REFERENCE);
        assert_eq!(rights.iter().collect::<Vec<_>>(), ["reference", "state"]);
        for name in Rights::ALL.iter() {
            let right = Rights::from_name(name).unwrap();
            assert!(Rights::ALL.contains(right));
            assert_eq!(right.iter().collect::<Vec<_>>(), [name]);
        }
        assert_eq!(Rights::from_name("execute"), None);
        assert!(!Rights::NONE.contains(Rights::CALL));
        assert!(Rights::NONE.is_empty());
    }

    #[test]
    fn test_fields_widen_in_union() {
        let only = Fields::Only(names(&["a", "b"]));
        let except = Fields::Except(names(&["b", "c"]));
        assert_eq!(only.union(&except), Fields::Except(names(&["c"])));
        assert_eq!(except.union(&only), Fields::Except(names(&["c"])));
        assert_eq!(
            only.union(&Fields::Only(names(&["c"]))),
            Fields::Only(names(&["a", "b", "c"]))
        );
        assert_eq!(only.union(&Fields::Any), Fields::Any);
        assert_eq!(Fields::Setstate.union(&Fields::Any), Fields::Setstate);
    }

    #[test]
    fn test_a_written_grant_is_never_replaced_by_settling() {
        let entry = Entry::new("m", "f", Meaning::Object, Some(Grant::reference()));
        entry.settle(Grant::of(Rights::ALL));
        assert_eq!(entry.grant(), Some(&Grant::reference()));

        let plain = Entry::new("m", "C", Meaning::Object, None);
        assert!(plain.is_unsettled() && plain.runs_code());
        plain.settle(Grant::reference());
        plain.settle(Grant::of(Rights::ALL));
        assert_eq!(plain.grant(), Some(&Grant::reference()));
        assert_eq!(plain, Entry::new("m", "C", Meaning::Object, None));
    }
}
