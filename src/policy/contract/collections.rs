//! Native contracts of containers: slice, set, `OrderedDict`, deque,
//! defaultdict, Counter, `SimpleNamespace`. What is copied into them is always a
//! container that this stream made, never something that generates.

use super::native::mismatch;
use crate::policy::Plan;
use crate::policy::view::{Look, View};
use crate::policy::{Meaning, Policy};

/// What `defaultdict` may call for a missing key.
const FACTORIES: [&str; 8] = [
    "bool", "dict", "float", "int", "list", "set", "str", "tuple",
];

/// `slice(start, stop, step)` of atoms.
pub(super) fn slice<L: Look>(look: &L, args: &[L::Value]) -> Result<Plan, String> {
    let atom = |arg| {
        matches!(
            look.view(arg),
            View::None
                | View::Bool(_)
                | View::Int(_)
                | View::BigInt { .. }
                | View::Float(_)
                | View::Complex
                | View::Str(_)
                | View::SurrogateStr
                | View::Bytes(_)
        )
    };
    if args.len() == 3 && args.iter().all(atom) {
        Ok(Plan::AsIs)
    } else {
        mismatch("(atom, atom, atom)", look, args)
    }
}

/// `set(list)`, `frozenset(list)`, or empty; a range would run for ever.
pub(super) fn set<L: Look>(look: &L, args: &[L::Value]) -> Result<Plan, String> {
    match args {
        [] => Ok(Plan::AsIs),
        [items] if is_list(look, items) => Ok(Plan::AsIs),
        _ => mismatch("() | (list)", look, args),
    }
}

/// `OrderedDict()`, or in Python 2.7 `OrderedDict([[key, value], …])`.
pub(super) fn ordered_dict<L: Look>(look: &L, args: &[L::Value]) -> Result<Plan, String> {
    const EXPECTED: &str = "() | (list of pairs)";
    match args {
        [] => Ok(Plan::AsIs),
        [pairs] if is_list(look, pairs) => {
            let pair = |view: View<'_>| matches!(view, View::List(2) | View::Tuple(2));
            if look.all(pairs, &mut { pair }) {
                Ok(Plan::AsIs)
            } else {
                mismatch(EXPECTED, look, args)
            }
        }
        _ => mismatch(EXPECTED, look, args),
    }
}

/// `deque()`, `deque((), maxlen)`, or in Python 2.7 `deque(list[, maxlen])`.
pub(super) fn deque<L: Look>(look: &L, args: &[L::Value]) -> Result<Plan, String> {
    const EXPECTED: &str = "() | (() or list, maxlen?)";
    let (items, maxlen) = match args {
        [] => {
            return Ok(Plan::Deque {
                items: None,
                maxlen: None,
            });
        }
        [items] => (items, None),
        [items, maxlen] => match look.view(maxlen) {
            View::None => (items, None),
            View::Int(n) => match u64::try_from(n) {
                Ok(n) => (items, Some(n)),
                Err(_) => return mismatch(EXPECTED, look, args),
            },
            _ => return mismatch(EXPECTED, look, args),
        },
        _ => return mismatch(EXPECTED, look, args),
    };
    let items = match look.view(items) {
        View::Tuple(0) => None,
        View::List(_) => Some(0),
        _ => return mismatch(EXPECTED, look, args),
    };
    Ok(Plan::Deque { items, maxlen })
}

/// `defaultdict(factory)`, the factory from a fixed list of plain types.
pub(super) fn default_dict<L: Look>(
    policy: &Policy,
    look: &L,
    args: &[L::Value],
) -> Result<Plan, String> {
    let factory = match args {
        [] => None,
        [factory] => match look.view(factory) {
            View::None => None,
            View::Global(id)
                if policy.get(id).is_some_and(|entry| {
                    matches!(entry.meaning, Meaning::Native(_))
                        && &*entry.module == "builtins"
                        && FACTORIES.contains(&&*entry.name)
                }) =>
            {
                Some(id)
            }
            View::Global(id) => {
                return Err(format!(
                    "its factory must be one of {}, not {}",
                    FACTORIES.join(", "),
                    policy.entry(id).path()
                ));
            }
            _ => return mismatch("(a plain type or None)", look, args),
        },
        _ => return mismatch("(a plain type or None)", look, args),
    };
    Ok(Plan::DefaultDict { factory })
}

/// `Counter(dict)` and `frozendict.__new__(frozendict, dict)`.
pub(super) fn of_dict<L: Look>(look: &L, args: &[L::Value]) -> Result<Plan, String> {
    match args {
        [counts] if matches!(look.view(counts), View::Dict(_)) => Ok(Plan::AsIs),
        _ => mismatch("(dict)", look, args),
    }
}

/// `SimpleNamespace()`; its attributes come as state.
pub(super) fn simple_namespace<L: Look>(look: &L, args: &[L::Value]) -> Result<Plan, String> {
    if args.is_empty() {
        Ok(Plan::AsIs)
    } else {
        mismatch("()", look, args)
    }
}

fn is_list<L: Look>(look: &L, value: &L::Value) -> bool {
    matches!(look.view(value), View::List(_))
}

#[cfg(test)]
mod tests;
