//! Callables that are never called: `copyreg._reconstructor` and its kin,
//! `builtins.getattr`, `functools.partial`, `_operator.or_`, Enum classes.
//! Each is recognised with an entry of the policy as its argument, and judged
//! as what it does to that entry.

use super::native::{Native, mismatch};
use crate::policy::view::{Look, View};
use crate::policy::{Attempt, Plan};
use crate::policy::{Entry, EntryId, MAX_NAME_LENGTH, Meaning, Policy, Rights};

/// `Enum(value)`, looked up among the members.
pub(super) fn enum_value<L: Look>(
    look: &L,
    class: EntryId,
    args: &[L::Value],
) -> Result<Plan, String> {
    let [value] = args else {
        return mismatch("(the value of a member)", look, args);
    };
    match look.view(value) {
        View::None
        | View::Bool(_)
        | View::Int(_)
        | View::BigInt { .. }
        | View::Float(_)
        | View::Str(_)
        | View::Bytes(_)
        | View::Tuple(_) => {}
        _ => return mismatch("(int, str, tuple or another atom)", look, args),
    }
    if look.enum_value(class, value).unwrap_or(true) {
        Ok(Plan::EnumValue(0))
    } else {
        Err("no member has that value, and an Enum is only looked up".into())
    }
}

/// `_operator.or_(member, member)` of one Flag.
pub(super) fn flag_or<L: Look>(
    policy: &Policy,
    look: &L,
    args: &[L::Value],
) -> Result<Plan, String> {
    if let [a, b] = args
        && let (View::Made(a), View::Made(b)) = (look.view(a), look.view(b))
    {
        let may_be_flag = matches!(
            policy.get(a).map(|entry| entry.meaning),
            Some(Meaning::Object | Meaning::Native(Native::EnumMember))
        );
        if a == b && may_be_flag {
            return Ok(Plan::FlagOr { class: a });
        }
    }
    mismatch("(two members of one Flag)", look, args)
}

/// `getattr(Outer, 'Inner')`, `getattr(Enum, 'MEMBER')`, `getattr(cls,
/// '__new__')`: resolved inside the policy, never on the object.
pub(super) fn getattr<L: Look>(
    policy: &Policy,
    look: &L,
    args: &[L::Value],
) -> Result<Plan, String> {
    const EXPECTED: &str = "(a class of the policy, str)";
    let [object, name] = args else {
        return mismatch(EXPECTED, look, args);
    };
    let (View::Global(id), View::Str(name)) = (look.view(object), look.view(name)) else {
        return mismatch(EXPECTED, look, args);
    };
    let Some(entry) = policy.get(id) else {
        return mismatch(EXPECTED, look, args);
    };
    if name.len() > MAX_NAME_LENGTH || name.contains('.') {
        return Err("an attribute's name is one short word".into());
    }
    for (module, outer) in entry.spellings() {
        if let Some(inner) = policy.lookup(module, &format!("{outer}.{name}")) {
            return Ok(Plan::Attribute(inner));
        }
    }
    let native = match entry.meaning {
        Meaning::Native(native) => Some(native),
        Meaning::Object => None,
        Meaning::Scope => return Err(no_attribute(entry, name)),
    };
    if name == "__new__" {
        return match native {
            None if grants(entry, Rights::NEW) => Ok(Plan::Constructor(id)),
            _ => Err(no_attribute(entry, name)),
        };
    }
    if name.starts_with('_') || !matches!(native, None | Some(Native::EnumMember)) {
        return Err(no_attribute(entry, name));
    }
    if look.enum_name(id, name).unwrap_or(true) {
        Ok(Plan::EnumName { class: id, name: 1 })
    } else {
        Err(no_attribute(entry, name))
    }
}

fn no_attribute(entry: &Entry, name: &str) -> String {
    let shown: String = name.chars().take(80).collect();
    format!(
        "the policy has no {}.{shown}: only a nested class of the policy or an Enum member is found so",
        entry.path().escape_debug()
    )
}

/// Whether an entry has a right, as far as it is known.
fn grants(entry: &Entry, right: Rights) -> bool {
    entry
        .grant()
        .map_or(entry.meaning == Meaning::Object, |grant| {
            grant.rights.contains(right)
        })
}

/// `_reconstructor(cls, base, state)`: `base.__new__(cls, state)`. Judged as
/// NEWOBJ of the class, and as filling it where the base is a container.
pub(super) fn reconstructor<L: Look>(
    policy: &Policy,
    look: &L,
    args: &[L::Value],
) -> Result<Plan, String> {
    const EXPECTED: &str = "(a class of the policy, object or its plain base, state)";
    let [class, base, state] = args else {
        return mismatch(EXPECTED, look, args);
    };
    let (View::Global(class), View::Global(base)) = (look.view(class), look.view(base)) else {
        return mismatch(EXPECTED, look, args);
    };
    let base_name = match policy.get(base) {
        Some(entry)
            if &*entry.module == "builtins" && matches!(entry.meaning, Meaning::Native(_)) =>
        {
            &*entry.name
        }
        _ => return mismatch(EXPECTED, look, args),
    };
    let view = look.view(state);
    let exact = match base_name {
        "object" => view == View::None,
        "int" => matches!(view, View::Int(_) | View::BigInt { .. }),
        "float" => matches!(view, View::Float(_)),
        "complex" => matches!(view, View::Complex),
        "str" => matches!(view, View::Str(_) | View::SurrogateStr),
        "bytes" => matches!(view, View::Bytes(_)),
        "tuple" => matches!(view, View::Tuple(_)),
        "list" => matches!(view, View::List(_)),
        "dict" => matches!(view, View::Dict(_)),
        _ => false,
    };
    if !exact {
        return mismatch(EXPECTED, look, args);
    }
    match base_name {
        "object" => instantiate(policy, look, class, &[])?,
        "list" => {
            policy.decide(look, class, Attempt::Append)?;
            instantiate(policy, look, class, &[])?;
        }
        "dict" => {
            policy.decide(look, class, Attempt::Items)?;
            instantiate(policy, look, class, &[])?;
        }
        "tuple" => {
            // A namedtuple's `__new__` takes the fields, any other tuple's
            // takes the tuple.
            let whole = instantiate(policy, look, class, std::slice::from_ref(state));
            if whole.is_err() {
                let View::Tuple(len) = view else {
                    return mismatch(EXPECTED, look, args);
                };
                let fields: Vec<_> = (0..len).filter_map(|i| look.item(state, i)).collect();
                instantiate(policy, look, class, &fields)?;
            }
        }
        _ => instantiate(policy, look, class, std::slice::from_ref(state))?,
    }
    if base_name != "object"
        && !policy
            .get(class)
            .is_some_and(|entry| entry.meaning == Meaning::Object)
    {
        return mismatch(EXPECTED, look, args);
    }
    Ok(Plan::Reconstruct {
        class,
        base,
        state: (base_name != "object").then_some(2),
    })
}

fn instantiate<L: Look>(
    policy: &Policy,
    look: &L,
    class: EntryId,
    args: &[L::Value],
) -> Result<(), String> {
    policy
        .decide(look, class, Attempt::New(args))
        .map(drop)
        .map_err(|why| about(policy, class, &why))
}

fn about(policy: &Policy, class: EntryId, why: &str) -> String {
    format!(
        "{} may not be instantiated: {why}",
        policy.entry(class).path()
    )
}

/// `copyreg.__newobj__(cls, *args)`.
pub(super) fn newobj<L: Look>(
    policy: &Policy,
    look: &L,
    args: &[L::Value],
) -> Result<Plan, String> {
    if let [class, rest @ ..] = args
        && let View::Global(class) = look.view(class)
    {
        instantiate(policy, look, class, rest)?;
        return Ok(Plan::NewObj { class });
    }
    mismatch("(a class of the policy, *args)", look, args)
}

/// `copyreg.__newobj_ex__(cls, args, kwargs)`.
pub(super) fn newobj_ex<L: Look>(
    policy: &Policy,
    look: &L,
    args: &[L::Value],
) -> Result<Plan, String> {
    if let [class, positional, keywords] = args
        && let (View::Global(class), View::Tuple(len), View::Dict(_)) =
            (look.view(class), look.view(positional), look.view(keywords))
    {
        instantiate_ex(policy, look, class, (positional, 0..len), keywords)?;
        return Ok(Plan::NewObjEx { class });
    }
    mismatch("(a class of the policy, tuple, dict)", look, args)
}

fn instantiate_ex<L: Look>(
    policy: &Policy,
    look: &L,
    class: EntryId,
    (tuple, range): (&L::Value, std::ops::Range<usize>),
    keywords: &L::Value,
) -> Result<(), String> {
    let args: Vec<_> = range.filter_map(|i| look.item(tuple, i)).collect();
    let kwargs: Vec<_> = look
        .pairs(keywords)
        .into_iter()
        .flat_map(|(key, value)| [key, value])
        .collect();
    policy
        .decide(look, class, Attempt::NewEx(&args, &kwargs))
        .map(drop)
        .map_err(|why| about(policy, class, &why))
}

/// `functools.partial(cls.__new__)`: the first half of how protocols 2 and 3
/// spell `NEWOBJ_EX`.
pub(super) fn partial<L: Look>(look: &L, id: EntryId, args: &[L::Value]) -> Result<Plan, String> {
    match args {
        [only] if matches!(look.view(only), View::Constructor(_)) => Ok(Plan::Partial(id)),
        _ => mismatch("(the __new__ of a class of the policy)", look, args),
    }
}

/// The second half, as state: `(cls.__new__, (cls, *args), kwargs, None)`.
pub(super) fn partial_state<L: Look>(
    policy: &Policy,
    look: &L,
    state: &L::Value,
) -> Result<Plan, String> {
    const EXPECTED: &str = "its state must be (cls.__new__, (cls, *args), dict, None)";
    let item = |index| look.item(state, index).ok_or_else(|| EXPECTED.to_owned());
    if look.view(state) != View::Tuple(4) {
        return Err(EXPECTED.into());
    }
    let (function, bound, keywords, attributes) = (item(0)?, item(1)?, item(2)?, item(3)?);
    let (View::Constructor(class), View::Tuple(len), View::Dict(_), View::None) = (
        look.view(&function),
        look.view(&bound),
        look.view(&keywords),
        look.view(&attributes),
    ) else {
        return Err(EXPECTED.into());
    };
    let first = look.item(&bound, 0).ok_or_else(|| EXPECTED.to_owned())?;
    if look.view(&first) != View::Global(class) {
        return Err(EXPECTED.into());
    }
    instantiate_ex(policy, look, class, (&bound, 1..len), &keywords)?;
    Ok(Plan::PartialNew { class })
}

#[cfg(test)]
mod tests;
