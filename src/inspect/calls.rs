//! Calls and instances: every attempt is shown to the policy. What its plan would make is `plans`'.

use super::note::{Id, NOBODY, Node, Note, Part};
use super::settle::decided;
use super::world::{NoteWorld, Stop};
use crate::error::Kind;
use crate::machine::budget::{Budget, size};
use crate::machine::world::Site;
use crate::policy::numpy::Known;
use crate::policy::{Attempt, EntryId, Look, Meaning, Native, Plan, Refusal, Rights};

pub(super) type Noted = Result<Note, Stop>;

/// Arguments copied out of the arena, which a call may fill meanwhile; few of them need no allocation.
#[derive(Default)]
struct Copied {
    few: [Note; 6],
    count: usize,
    many: Vec<Note>,
}

impl Copied {
    fn of(items: &[Note]) -> Self {
        let mut copied = Self::default();
        match copied.few.get_mut(..items.len()) {
            Some(slots) => slots.copy_from_slice(items),
            None => copied.many = items.to_vec(),
        }
        copied.count = items.len();
        copied
    }

    fn items(&self) -> &[Note] {
        self.few.get(..self.count).unwrap_or(&self.many)
    }
}

/// How a class or function is used.
#[derive(Clone, Copy)]
enum Use<'a> {
    Call(&'a [Note]),
    New(&'a [Note]),
    NewEx(&'a [Note], &'a [Note]),
}

impl<'a> Use<'a> {
    fn args(self) -> &'a [Note] {
        match self {
            Use::Call(args) | Use::New(args) | Use::NewEx(args, _) => args,
        }
    }

    fn kwargs(self) -> &'a [Note] {
        match self {
            Use::NewEx(_, kwargs) => kwargs,
            Use::Call(_) | Use::New(_) => &[],
        }
    }

    fn right(self) -> Rights {
        match self {
            Use::Call(_) => Rights::CALL,
            Use::New(_) | Use::NewEx(..) => Rights::NEW,
        }
    }

    fn attempt(self) -> Attempt<'a, Note> {
        match self {
            Use::Call(args) => Attempt::Call(args),
            Use::New(args) => Attempt::New(args),
            Use::NewEx(args, kwargs) => Attempt::NewEx(args, kwargs),
        }
    }
}

impl NoteWorld<'_> {
    /// REDUCE with a tuple that stands on the stack.
    pub(super) fn call(
        &mut self,
        site: Site,
        budget: &mut Budget,
        callable: Note,
        args: Note,
    ) -> Noted {
        if let Some((entry, args)) = self.opaque_call(callable, args) {
            return self.use_briefly(budget, entry, args, Rights::CALL);
        }
        match self.arguments(site, budget, args)? {
            Some(args) => self.call_items(site, budget, callable, args.items()),
            None => self.nothing(self.user(callable), &[], 1),
        }
    }

    /// NEWOBJ and NEWOBJ_EX with a tuple that stands on the stack.
    pub(super) fn new_object(
        &mut self,
        site: Site,
        budget: &mut Budget,
        class: Note,
        args: Note,
        kwargs: Option<Note>,
    ) -> Noted {
        if let (Some((entry, args)), None) = (self.opaque_call(class, args), kwargs) {
            return self.use_briefly(budget, entry, args, Rights::NEW);
        }
        let Some(args) = self.arguments(site, budget, args)? else {
            return self.nothing(self.user(class), &[], 1);
        };
        let Some(kwargs) = kwargs else {
            return self.new_items(site, budget, class, args.items(), None);
        };
        let Note::Dict(_) = kwargs else {
            if !self.is_nothing(kwargs) {
                let kind = Kind::BadOperand("NEWOBJ_EX kwargs argument must be a dict".into());
                self.uses.refuse_value(site, kind, "keywords");
            }
            return self.nothing(self.user(class), args.items(), 1);
        };
        self.charge(budget, &[kwargs])?;
        let pairs = self.pairs(&kwargs);
        let flat: Vec<Note> = pairs
            .into_iter()
            .flat_map(|(key, value)| [key, value])
            .collect();
        self.new_items(site, budget, class, args.items(), Some(&flat))
    }

    /// The entry and the tuple of arguments of a call whose result is opaque.
    #[inline]
    fn opaque_call(&self, callable: Note, args: Note) -> Option<(EntryId, Id)> {
        match (callable, args) {
            (Note::Global(index), Note::Tuple(args)) => {
                let entry = self.uses.entry(index)?;
                self.is_opaque(entry).then_some((entry, args))
            }
            _ => None,
        }
    }

    /// As [`Self::use_name`] with the items of a tuple, which stay where they are: charged, judged and settled alike.
    fn use_briefly(
        &mut self,
        budget: &mut Budget,
        entry: EntryId,
        args: Id,
        right: Rights,
    ) -> Noted {
        if self.uses.is_decided() {
            return Err(decided());
        }
        let items = self.notes.head(args);
        budget.memory(items.len() as u64 * size::REFERENCE)?;
        let depth = items.iter().map(|arg| self.notes.depth(*arg)).max();
        let depth = depth.unwrap_or(0) + 1;
        budget.depth(depth)?;
        if self.policy.entry(entry).reads_arguments() {
            self.charge(budget, items)?;
        }
        let attempt = match right {
            Rights::NEW => Attempt::New(items),
            _ => Attempt::Call(items),
        };
        let user = entry.0.into();
        match self.policy.judge_plainly(self, entry, attempt) {
            Some(Ok(())) => {
                self.settle_head(args);
                self.instance_of(entry, (user, NOBODY), &[], depth, false)
            }
            Some(Err(_)) => self.refused_briefly(),
            None => {
                let Ok(plan) = self.policy.judge(self, entry, attempt) else {
                    return self.refused_briefly();
                };
                self.charge_opaque(budget, entry, plan)?;
                self.settle_head(args);
                self.opaque_instance(entry, user, plan, depth)
            }
        }
    }

    /// A refusal where only the verdict counts.
    #[cold]
    fn refused_briefly(&mut self) -> Noted {
        self.uses.refuse_briefly();
        Err(decided())
    }

    /// Settles the items of a tuple; instances among them were when it was made.
    #[inline]
    fn settle_head(&mut self, args: Id) {
        if self.notes.get(args).is_some_and(|tuple| tuple.unsettled) {
            let mut at = 0;
            while let Some(arg) = self.notes.head(args).get(at).copied() {
                if !arg.is_atom() {
                    self.settle(arg);
                }
                at += 1;
            }
        }
    }

    /// An opaque instance, with what its plan says of it.
    #[inline]
    fn opaque_instance(&mut self, entry: EntryId, user: Id, plan: Plan, depth: u32) -> Noted {
        let made = self.instance_of(entry, (user, NOBODY), &[], depth, false)?;
        if plan != Plan::AsIs {
            self.note_known(made, plan);
        }
        Ok(made)
    }

    /// What an opaque instance takes, and what its contract reads.
    #[inline]
    fn charge_opaque(&self, budget: &mut Budget, entry: EntryId, plan: Plan) -> Result<(), Stop> {
        if plan != Plan::AsIs {
            budget.memory(plan.reads() + self.policy.entry(entry).extra_memory())?;
        }
        Ok(())
    }

    /// The items of an argument tuple, charged before they are copied.
    fn arguments(
        &mut self,
        site: Site,
        budget: &mut Budget,
        args: Note,
    ) -> Result<Option<Copied>, Stop> {
        if let Note::Tuple(node) = args {
            self.charge(budget, &[args])?;
            return Ok(Some(Copied::of(self.notes.head(node))));
        }
        if !self.is_nothing(args) {
            let kind = Kind::BadOperand("argument list must be a tuple".into());
            self.uses.refuse_value(site, kind, "arguments");
        }
        Ok(None)
    }

    /// Whatever a call may copy is charged by its length each time it is an argument.
    pub(super) fn charge(&self, budget: &mut Budget, args: &[Note]) -> Result<(), Stop> {
        for arg in args {
            let bytes = match *arg {
                Note::Str(text) => self.notes.characters(text),
                Note::Bytes(data)
                | Note::ByteArray(data)
                | Note::Surrogates(data)
                | Note::Encoded(data) => self.notes.bytes_len(data) as u64,
                Note::Long(index) => self.notes.get_long(index).map_or(0, |long| long.bits / 8),
                Note::Tuple(node)
                | Note::List(node)
                | Note::Dict(node)
                | Note::Set(node)
                | Note::FrozenSet(node) => {
                    let items = self.notes.get(node).map_or(0, |node| u64::from(node.len));
                    items * size::REFERENCE
                }
                _ => continue,
            };
            budget.memory(bytes)?;
        }
        Ok(())
    }

    /// A call with these arguments.
    pub(super) fn call_items(
        &mut self,
        site: Site,
        budget: &mut Budget,
        callable: Note,
        args: &[Note],
    ) -> Noted {
        match callable {
            Note::Global(index) => self.use_name(site, budget, index, Use::Call(args)),
            Note::Made(node) | Note::Fresh(node) => self.call_instance(site, budget, node, args),
            _ => self.no_callable(site, callable, args),
        }
    }

    /// `cls.__new__` with these arguments.
    pub(super) fn new_items(
        &mut self,
        site: Site,
        budget: &mut Budget,
        class: Note,
        args: &[Note],
        kwargs: Option<&[Note]>,
    ) -> Noted {
        match (class, kwargs) {
            (Note::Global(index), None) => self.use_name(site, budget, index, Use::New(args)),
            (Note::Global(index), Some(kwargs)) => {
                self.use_name(site, budget, index, Use::NewEx(args, kwargs))
            }
            _ => self.no_callable(site, class, args),
        }
    }

    /// A `functools.partial` that holds a class makes its instance when called; no other instance is called.
    fn call_instance(&mut self, site: Site, budget: &mut Budget, node: Id, args: &[Note]) -> Noted {
        let Some((class, user, bound)) = self.partials.get(&node).copied() else {
            let callable = Note::Made(node);
            return self.no_callable(site, callable, args);
        };
        if !args.is_empty() {
            let refusal = Refusal {
                attempt: "called",
                why: "the partial object has all its arguments".into(),
            };
            self.uses.refuse(site, user, refusal, None);
        }
        budget.memory(bound * size::REFERENCE)?;
        let via = self.notes.get(node).map_or(NOBODY, Node::user);
        self.uses.record(user, Rights::NEW);
        let depth = self.notes.depth(Note::Made(node));
        budget.depth(depth)?;
        self.instance_of(class, (user, via), args, depth, false)
    }

    fn no_callable(&mut self, site: Site, callable: Note, args: &[Note]) -> Noted {
        if !self.is_nothing(callable) {
            let kind = Kind::BadOperand(format!(
                "{} may not be called: only a class or function of the policy may",
                self.view(&callable).describe()
            ));
            self.uses.refuse_value(site, kind, "callable");
        }
        let user = self.user(callable);
        self.uses.record(user, Rights::CALL);
        self.settle_args(args, 0);
        self.nothing(user, args, 1)
    }

    /// A name is called or instantiated.
    fn use_name(&mut self, site: Site, budget: &mut Budget, index: Id, how: Use<'_>) -> Noted {
        if self.uses.is_decided() {
            return Err(decided());
        }
        let args = how.args();
        let shape = self
            .uses
            .wants_arguments(index)
            .then(|| self.show_arguments(args, how.kwargs()));
        self.uses.record_call(index, how.right(), shape);
        let depth = args
            .iter()
            .chain(how.kwargs())
            .map(|arg| self.notes.depth(*arg))
            .max()
            .unwrap_or(0)
            + 1;
        budget.depth(depth)?;
        let Some(entry) = self.uses.entry(index) else {
            self.settle_args(args, 0);
            return self.nothing(index, args, depth);
        };
        if self.policy.entry(entry).reads_arguments() {
            self.charge(budget, args)?;
            self.charge(budget, how.kwargs())?;
        }
        if args.iter().any(|arg| self.is_refused(*arg)) {
            return self.with_refused(entry, index, args, depth);
        }
        match self.policy.judge(self, entry, how.attempt()) {
            Ok(plan) if self.is_opaque(entry) => {
                self.charge_opaque(budget, entry, plan)?;
                self.settle_args(args, 0);
                self.opaque_instance(entry, index, plan, depth)
            }
            Ok(plan) => {
                self.settle_args(args, self.class_arguments(entry));
                self.carry_out(budget, (index, entry), plan, args, depth, site)
            }
            Err(refusal) => {
                // The rest of the stream is looked at, so a refusal that quotes it must cost as much as it says.
                budget.memory(refusal.why.len() as u64)?;
                let result = self.nothing(index, args, depth)?;
                self.uses.refuse(site, index, refusal, result.node());
                Ok(result)
            }
        }
    }

    /// An argument was refused before; its contract would only say so again. What a pattern does, it does to its class.
    fn with_refused(&mut self, entry: EntryId, index: Id, args: &[Note], depth: u32) -> Noted {
        let skip = self.class_arguments(entry);
        self.settle_args(args, skip);
        if skip == 0 {
            return self.instance_of(entry, (index, NOBODY), args, depth, false);
        }
        let user = self.user(args.first().copied().unwrap_or_default());
        let meaning = self.policy.entry(entry).meaning;
        if let Meaning::Native(Native::Reconstructor | Native::NewObj | Native::NewObjEx) = meaning
        {
            self.uses.record(user, Rights::NEW);
        }
        let result = self.nothing(user, args, depth)?;
        if let Some(made) = result.node().and_then(|node| self.notes.get_mut(node)) {
            made.called_via(index);
        }
        Ok(result)
    }

    /// Whether an instance of that entry is nothing but that for the verdict: a real class or function makes it, so no
    /// contract and no hash looks at what it was made with, and its size is not asked for.
    #[inline]
    pub(super) fn is_opaque(&self, entry: EntryId) -> bool {
        self.uses.brief.is_some()
            && self.policy.entry(entry).meaning == Meaning::Object
            && self.options.limits.max_expanded.is_none()
    }

    /// How many leading arguments a pattern consumes as classes, and not as values.
    fn class_arguments(&self, entry: EntryId) -> usize {
        match self.policy.entry(entry).meaning {
            Meaning::Native(Native::Reconstructor) => 2,
            Meaning::Native(
                Native::NewObj | Native::NewObjEx | Native::GetAttr | Native::Partial,
            ) => 1,
            _ => 0,
        }
    }

    pub(super) fn settle_args(&mut self, args: &[Note], skip: usize) {
        for arg in args.iter().skip(skip) {
            self.settle(*arg);
        }
    }

    /// An instance that a call makes.
    pub(super) fn instance_of(
        &mut self,
        entry: EntryId,
        (user, via): (Id, Id),
        args: &[Note],
        depth: u32,
        unbuilt: bool,
    ) -> Noted {
        let node = self.notes.node(Part::Args, args, depth)?;
        if let Some(made) = self.notes.get_mut(node) {
            made.made_by(entry);
            made.used_by(user);
            made.called_via(via);
            made.unbuilt = unbuilt;
        }
        Ok(Note::Fresh(node))
    }

    /// Keeps what a plan says of the instance that it makes.
    #[inline]
    pub(super) fn note_known(&mut self, made: Note, plan: Plan) {
        let known = match plan {
            Plan::Dtype(dtype) | Plan::DtypeState(dtype) => Some(Known::Dtype(dtype)),
            Plan::Unfilled => Some(Known::Unfilled),
            // What numpy itself gives state to is not known any more.
            Plan::ArrayState { .. } | Plan::AsIs => None,
            _ => return,
        };
        if let Some(made) = made.node().and_then(|node| self.notes.get_mut(node)) {
            made.known = known;
        }
    }

    /// What a refused call makes: an instance of nothing, with which the stream may do what it likes.
    pub(super) fn nothing(&mut self, user: Id, args: &[Note], depth: u32) -> Noted {
        let node = self.notes.node(Part::Args, args, depth)?;
        if let Some(made) = self.notes.get_mut(node) {
            made.used_by(user);
        }
        Ok(Note::Fresh(node))
    }

    /// Whether a value is what a refused call made.
    pub(super) fn is_nothing(&self, value: Note) -> bool {
        match value {
            Note::Made(node) | Note::Fresh(node) => self
                .notes
                .get(node)
                .is_some_and(|node| node.entry().is_none()),
            _ => false,
        }
    }

    /// Whether a value is a forbidden name, or what a refused call made.
    fn is_refused(&self, value: Note) -> bool {
        match value {
            Note::Global(index) | Note::Constructor(index) => {
                self.uses.entry(index).is_none() && !self.policy.is_unrestricted()
            }
            other => self.is_nothing(other),
        }
    }

    /// The use of the name behind a value.
    pub(super) fn user(&self, value: Note) -> Id {
        match value {
            Note::Global(index) | Note::Constructor(index) => index,
            Note::Made(node) | Note::Fresh(node) => self.notes.get(node).map_or(NOBODY, Node::user),
            _ => NOBODY,
        }
    }
}
