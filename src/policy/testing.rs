//! A world for the tests of this room: values are a plain tree.

use super::numpy::Known;
use super::{EntryId, Look, Policy, View};

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Tree {
    None,
    Bool(bool),
    Int(i64),
    /// An int beyond 64 bits, by its magnitude and sign.
    Big(u128, bool),
    /// An int beyond 128 bits.
    Huge(u64, bool),
    Float(f64),
    Complex,
    Str(String),
    Surrogates,
    Bytes(Vec<u8>),
    ByteArray(Vec<u8>),
    Tuple(Vec<Tree>),
    List(Vec<Tree>),
    Dict(Vec<(Tree, Tree)>),
    Set(Vec<Tree>),
    FrozenSet(Vec<Tree>),
    Global(EntryId),
    Constructor(EntryId),
    Made(EntryId),
    Delta(EntryId, (i32, i32, i32)),
    /// An instance of numpy's.
    Known(EntryId, Known),
    External,
    Other,
}

/// What the world knows of Enum classes.
#[derive(Default)]
pub(super) struct World {
    pub(super) enums: Vec<(EntryId, Vec<(&'static str, Tree)>)>,
}

impl Look for World {
    type Value = Tree;

    fn view<'v>(&'v self, v: &'v Tree) -> View<'v> {
        match v {
            Tree::None => View::None,
            Tree::Bool(b) => View::Bool(*b),
            Tree::Int(n) => View::Int(*n),
            Tree::Big(n, negative) => View::BigInt {
                bits: u64::from(128 - n.leading_zeros()),
                negative: *negative,
            },
            Tree::Huge(bits, negative) => View::BigInt {
                bits: *bits,
                negative: *negative,
            },
            Tree::Float(f) => View::Float(*f),
            Tree::Complex => View::Complex,
            Tree::Str(s) => View::Str(s),
            Tree::Surrogates => View::SurrogateStr,
            Tree::Bytes(b) => View::Bytes(b),
            Tree::ByteArray(b) => View::ByteArray(b.len()),
            Tree::Tuple(items) => View::Tuple(items.len()),
            Tree::List(items) => View::List(items.len()),
            Tree::Dict(items) => View::Dict(items.len()),
            Tree::Set(items) => View::Set(items.len()),
            Tree::FrozenSet(items) => View::FrozenSet(items.len()),
            Tree::Global(id) => View::Global(*id),
            Tree::Constructor(id) => View::Constructor(*id),
            Tree::Made(id) | Tree::Delta(id, _) | Tree::Known(id, _) => View::Made(*id),
            Tree::External => View::External,
            Tree::Other => View::Other,
        }
    }

    fn item(&self, v: &Tree, index: usize) -> Option<Tree> {
        match v {
            Tree::Tuple(items) | Tree::List(items) => items.get(index).cloned(),
            _ => None,
        }
    }

    fn pairs(&self, v: &Tree) -> Vec<(Tree, Tree)> {
        match v {
            Tree::Dict(pairs) => pairs.clone(),
            _ => Vec::new(),
        }
    }

    fn all(&self, v: &Tree, test: &mut dyn FnMut(View<'_>) -> bool) -> bool {
        match v {
            Tree::Tuple(items) | Tree::List(items) | Tree::Set(items) | Tree::FrozenSet(items) => {
                items.iter().all(|item| test(self.view(item)))
            }
            Tree::Dict(pairs) => pairs
                .iter()
                .all(|(k, v)| test(self.view(k)) && test(self.view(v))),
            _ => false,
        }
    }

    fn timedelta(&self, v: &Tree) -> Option<(i32, i32, i32)> {
        match v {
            Tree::Delta(_, fields) => Some(*fields),
            _ => None,
        }
    }

    fn known(&self, v: &Tree) -> Option<Known> {
        match v {
            Tree::Known(_, known) => Some(*known),
            _ => None,
        }
    }

    fn octets<'v>(&'v self, v: &'v Tree) -> Option<&'v [u8]> {
        match v {
            Tree::Bytes(bytes) | Tree::ByteArray(bytes) => Some(bytes),
            _ => None,
        }
    }

    fn enum_value(&self, entry: EntryId, v: &Tree) -> Option<bool> {
        let (_, members) = self.enums.iter().find(|(id, _)| *id == entry)?;
        Some(members.iter().any(|(_, value)| value == v))
    }

    fn enum_name(&self, entry: EntryId, name: &str) -> Option<bool> {
        let (_, members) = self.enums.iter().find(|(id, _)| *id == entry)?;
        Some(members.iter().any(|(known, _)| *known == name))
    }

    fn u128(&self, v: &Tree) -> Option<u128> {
        match v {
            Tree::Int(n) => u128::try_from(*n).ok(),
            Tree::Big(n, false) => Some(*n),
            _ => None,
        }
    }
}

pub(super) fn s(text: &str) -> Tree {
    Tree::Str(text.to_owned())
}

pub(super) fn b(bytes: &[u8]) -> Tree {
    Tree::Bytes(bytes.to_vec())
}

pub(super) fn int(n: i64) -> Tree {
    Tree::Int(n)
}

pub(super) fn list(items: &[Tree]) -> Tree {
    Tree::List(items.to_vec())
}

pub(super) fn tuple(items: &[Tree]) -> Tree {
    Tree::Tuple(items.to_vec())
}

pub(super) fn dict(pairs: &[(&str, Tree)]) -> Tree {
    Tree::Dict(pairs.iter().map(|(k, v)| (s(k), v.clone())).collect())
}

/// Every preset at once.
pub(super) fn everything() -> Policy {
    let names: Vec<_> = super::Preset::all()
        .iter()
        .map(|preset| preset.name)
        .collect();
    Policy::preset(&names).unwrap().build().unwrap()
}

pub(super) fn id(policy: &Policy, path: &str) -> EntryId {
    let (module, name) = path.split_once(':').unwrap();
    policy
        .lookup(module, name)
        .unwrap_or_else(|| panic!("{path} is not in the policy"))
}

pub(super) fn global(policy: &Policy, path: &str) -> Tree {
    Tree::Global(id(policy, path))
}

pub(super) fn made(policy: &Policy, path: &str) -> Tree {
    Tree::Made(id(policy, path))
}

/// Calls `path` under `policy`.
pub(super) fn call(policy: &Policy, path: &str, args: &[Tree]) -> Result<super::Plan, String> {
    policy
        .judge(
            &World::default(),
            id(policy, path),
            super::Attempt::Call(args),
        )
        .map_err(|refusal| {
            assert_eq!(refusal.attempt, "called");
            refusal.why
        })
}

/// Every argument list must be refused, and say so in words.
pub(super) fn refuses(policy: &Policy, path: &str, lists: &[Vec<Tree>]) {
    for args in lists {
        match call(policy, path, args) {
            Ok(plan) => panic!("{path} accepted {args:?} as {plan:?}"),
            Err(why) => assert!(!why.is_empty() && !why.ends_with('.'), "{why}"),
        }
    }
}
