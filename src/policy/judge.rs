//! The one place where permission is decided. What is attempted comes in as an
//! [`Attempt`], what may happen goes out as a [`Plan`], everything else is a
//! [`Refusal`]; the default arm refuses.

use super::Policy;
use super::capability::{Entry, EntryId, Fields, Grant, Meaning, Rights};
use super::contract::{self, Native};
use super::plan::Plan;
use super::view::{Look, View};

/// What a stream tries to do with an entry.
#[derive(Debug)]
pub enum Attempt<'a, V> {
    /// Name it.
    Mention,
    /// Call it with these arguments.
    Call(&'a [V]),
    /// `cls.__new__(cls, *args)`.
    New(&'a [V]),
    /// `cls.__new__(cls, *args, **kwargs)`; keywords flattened key, value.
    NewEx(&'a [V], &'a [V]),
    /// Give an instance this state.
    State(&'a V),
    /// Give that instance this state, where the contract looks at both.
    Build(&'a V, &'a V),
    /// Append to an instance.
    Append,
    /// Fill an instance by key.
    Items,
    /// Add to an instance.
    Add,
}

/// It only borrows, whatever a value is.
impl<V> Clone for Attempt<'_, V> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<V> Copy for Attempt<'_, V> {}

impl<V> Attempt<'_, V> {
    /// The attempt as a past participle, for messages.
    pub fn describe(&self) -> &'static str {
        match self {
            Attempt::Mention => "mentioned",
            Attempt::Call(_) => "called",
            Attempt::New(_) | Attempt::NewEx(..) => "instantiated",
            Attempt::State(_) | Attempt::Build(..) => "given state",
            Attempt::Append => "appended to",
            Attempt::Items => "filled by key",
            Attempt::Add => "added to",
        }
    }

    fn right(&self) -> Rights {
        match self {
            Attempt::Mention => Rights::REFERENCE,
            Attempt::Call(_) => Rights::CALL,
            Attempt::New(_) | Attempt::NewEx(..) => Rights::NEW,
            Attempt::State(_) | Attempt::Build(..) => Rights::STATE,
            Attempt::Append => Rights::APPEND,
            Attempt::Items => Rights::ITEMS,
            Attempt::Add => Rights::ADD,
        }
    }
}

/// Why an attempt is not allowed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("may not be {attempt}: {why}")]
pub struct Refusal {
    /// What was attempted: "called", "given state", …
    pub attempt: &'static str,
    /// The rule that it breaks.
    pub why: String,
}

impl Policy {
    /// The decision. Every capability is asked here and nowhere else.
    ///
    /// Under [`Policy::unrestricted`] nothing is refused.
    #[inline(always)]
    pub fn judge<L: Look>(
        &self,
        look: &L,
        entry: EntryId,
        attempt: Attempt<'_, L::Value>,
    ) -> Result<Plan, Refusal> {
        if self.is_unrestricted() {
            return Ok(Plan::AsIs);
        }
        let name = attempt.describe();
        self.decide(look, entry, attempt)
            .map_err(|why| Refusal { attempt: name, why })
    }

    /// The decision on a real class or function of which nothing more is known, for which [`Policy::judge`] would plan
    /// [`Plan::AsIs`]; of any other entry `None`. A plan is copied in parts that have to be waited for, 10 ns a call.
    #[inline]
    pub fn judge_plainly<L: Look>(
        &self,
        look: &L,
        id: EntryId,
        attempt: Attempt<'_, L::Value>,
    ) -> Option<Result<(), Refusal>> {
        let entry = self.get(id).filter(|entry| entry.is_plain_object())?;
        let grant = entry.grant().filter(|_| !self.is_unrestricted())?;
        let name = attempt.describe();
        Some(
            check_object(look, entry, grant, &attempt)
                .map_err(|why| Refusal { attempt: name, why }),
        )
    }

    pub(super) fn decide<L: Look>(
        &self,
        look: &L,
        id: EntryId,
        attempt: Attempt<'_, L::Value>,
    ) -> Result<Plan, String> {
        let Some(entry) = self.get(id) else {
            return Err("it is no entry of this policy".into());
        };
        match (entry.meaning, &attempt) {
            (Meaning::Scope, Attempt::Mention) => Ok(Plan::CalleeOnly),
            (Meaning::Scope, _) => Err(scope_why(entry)),
            (Meaning::Object | Meaning::Native(_), Attempt::Mention) => {
                if stands(entry) {
                    Ok(Plan::AsIs)
                } else {
                    Ok(Plan::CalleeOnly)
                }
            }
            (Meaning::Native(native), _) => {
                let rights = entry.grant().map_or(Rights::NONE, |grant| grant.rights);
                demand(entry, rights, &attempt)?;
                contract::judge(self, look, id, native, attempt)
            }
            (Meaning::Object, _) => match entry.grant() {
                Some(grant) => self.judge_object(look, entry, grant, attempt),
                None => self.judge_object(look, entry, &Grant::provisional(), attempt),
            },
        }
    }

    /// What the policy says of a real class or function, and where it is numpy's what is known of that.
    #[inline]
    fn judge_object<L: Look>(
        &self,
        look: &L,
        entry: &Entry,
        grant: &Grant,
        attempt: Attempt<'_, L::Value>,
    ) -> Result<Plan, String> {
        check_object(look, entry, grant, &attempt)?;
        match entry.numpy() {
            None => Ok(Plan::AsIs),
            Some(which) => contract::numpy::judge(self, look, which, attempt),
        }
    }

    /// The native kind of an entry that may be called: at each call, its
    /// contract alone is still to be asked.
    pub fn called(&self, entry: EntryId) -> Option<Native> {
        let entry = self.get(entry).filter(|_| !self.is_unrestricted())?;
        match (entry.meaning, entry.grant()) {
            (Meaning::Native(native), Some(grant)) if grant.rights.contains(Rights::CALL) => {
                Some(native)
            }
            _ => None,
        }
    }

    /// Whether a mentioned name may stand as a value: in the result, in a
    /// container, in a state.
    pub fn may_stand(&self, entry: EntryId) -> Result<(), Refusal> {
        if self.is_unrestricted() {
            return Ok(());
        }
        let why = match self.get(entry) {
            Some(entry) if stands(entry) => return Ok(()),
            Some(entry) if entry.meaning == Meaning::Scope => scope_why(entry),
            Some(_) => "it may be called and is no value".into(),
            None => "it is no entry of this policy".into(),
        };
        Err(Refusal {
            attempt: "mentioned",
            why,
        })
    }

    /// Whether BUILD may be applied once more to an instance that has its state.
    ///
    /// A pickler that meets an object again while it saves that object's
    /// arguments writes its state twice, the second time on a copy from the
    /// memo. That is harmless where state is set by key, and refused where
    /// somebody receives it whole.
    pub fn may_build_again(&self, entry: EntryId) -> bool {
        let Some(entry) = self.get(entry) else {
            return false;
        };
        match entry.meaning {
            Meaning::Native(native) => !matches!(native, Native::Uuid | Native::Partial),
            Meaning::Object => entry
                .grant()
                .is_none_or(|grant| !matches!(grant.fields, Fields::Setstate | Fields::Values(_))),
            Meaning::Scope => false,
        }
    }

    /// Whether BUILD may set that key on an instance of that entry. To be asked
    /// wherever state is set key by key; a class with a `__setstate__` of its
    /// own is judged by [`Attempt::State`].
    pub fn may_set(&self, entry: EntryId, key: &str) -> Result<(), Refusal> {
        if self.is_unrestricted() {
            return Ok(());
        }
        let provisional = Fields::Any;
        let outcome = match self.get(entry) {
            None => Err("it is no entry of this policy".into()),
            Some(entry) => match entry.grant() {
                Some(grant) if !grant.rights.contains(Rights::STATE) => {
                    Err(lacks(entry, grant.rights))
                }
                Some(grant) => may_set_field(&grant.fields, key),
                None if entry.meaning == Meaning::Object => may_set_field(&provisional, key),
                None => Err(scope_why(entry)),
            },
        };
        outcome.map_err(|why| Refusal {
            attempt: "given state",
            why,
        })
    }
}

fn stands(entry: &Entry) -> bool {
    match entry.meaning {
        Meaning::Scope => false,
        Meaning::Native(_) | Meaning::Object => entry
            .grant()
            .is_none_or(|grant| grant.rights.contains(Rights::REFERENCE)),
    }
}

fn scope_why(entry: &Entry) -> String {
    format!(
        "the policy allows only names inside it, not {} itself",
        entry.path()
    )
}

fn lacks(entry: &Entry, rights: Rights) -> String {
    let rights: Vec<_> = rights.iter().collect();
    if rights.is_empty() {
        format!("{} is granted nothing", entry.path())
    } else {
        format!("{} is granted only: {}", entry.path(), rights.join(", "))
    }
}

fn demand<V>(entry: &Entry, rights: Rights, attempt: &Attempt<'_, V>) -> Result<(), String> {
    if rights.contains(attempt.right()) {
        Ok(())
    } else {
        Err(lacks(entry, rights))
    }
}

#[inline]
fn check_object<L: Look>(
    look: &L,
    entry: &Entry,
    grant: &Grant,
    attempt: &Attempt<'_, L::Value>,
) -> Result<(), String> {
    demand(entry, grant.rights, attempt)?;
    match attempt {
        Attempt::Call(args) => grant.call.check(look, args, &[])?,
        Attempt::New(args) => grant.new.check(look, args, &[])?,
        Attempt::NewEx(args, kwargs) => grant.new.check(look, args, kwargs)?,
        Attempt::State(state) | Attempt::Build(_, state) => {
            check_state(look, &grant.fields, state)?;
        }
        Attempt::Mention | Attempt::Append | Attempt::Items | Attempt::Add => {}
    }
    Ok(())
}

/// State as `object.__setstate__` would take it: None, a dict, or a pair of
/// those, the second for slots.
pub(super) fn check_state<L: Look>(
    look: &L,
    fields: &Fields,
    state: &L::Value,
) -> Result<(), String> {
    match fields {
        Fields::Setstate => return Ok(()),
        Fields::Values(count) => {
            return match look.view(state) {
                View::List(given) if given == *count => Ok(()),
                other => Err(format!(
                    "its state must be a list of {count}, not {}",
                    other.describe()
                )),
            };
        }
        Fields::Any | Fields::Only(_) | Fields::Except(_) => {}
    }
    match look.view(state) {
        View::Tuple(2) => {
            for index in 0..2 {
                let Some(part) = look.item(state, index) else {
                    return Err("its state is a tuple whose items cannot be seen".into());
                };
                check_keys(look, fields, &part)?;
            }
            Ok(())
        }
        _ => check_keys(look, fields, state),
    }
}

fn check_keys<L: Look>(look: &L, fields: &Fields, state: &L::Value) -> Result<(), String> {
    match look.view(state) {
        View::None => Ok(()),
        View::Dict(_) => {
            for (key, _) in look.pairs(state) {
                match look.view(&key) {
                    View::Str(key) => may_set_field(fields, key)?,
                    other => return Err(format!("a key of its state is {}", other.describe())),
                }
            }
            Ok(())
        }
        other => Err(format!(
            "its state must be a dict or None, not {}",
            other.describe()
        )),
    }
}

fn may_set_field(fields: &Fields, key: &str) -> Result<(), String> {
    if is_dunder(key) {
        return Err(format!("state may not set the dunder name {key:?}"));
    }
    let allowed = match fields {
        Fields::Any | Fields::Setstate => true,
        Fields::Only(names) => names.contains(key),
        Fields::Except(names) => !names.contains(key),
        Fields::Values(_) => false,
    };
    if allowed {
        Ok(())
    } else {
        Err(format!("state may not set {key:?}"))
    }
}

/// `__name__`: a name that the interpreter gives a meaning to.
pub(super) fn is_dunder(key: &str) -> bool {
    key.len() > 4 && key.starts_with("__") && key.ends_with("__")
}
