//! Look without loading: the world that takes notes, and the report of what a pickle would do.
//!
//! The same machine that loads runs the stream here over values that are notes: no Python, no imports, no calls. The
//! policy is asked exactly where the loader asks it; refusals are collected, so that a report names everything that is
//! wrong and where in the object it is. Knows nothing of Python.

#![deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)]
#![cfg_attr(
    test,
    allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing)
)]

mod arrays;
mod calls;
mod contents;
mod expand;
mod hashes;
mod long;
mod look;
mod note;
mod path;
mod place;
mod plans;
mod render;
mod report;
mod room;
mod seeds;
mod settle;
mod show;
mod state;
mod survey;
mod text;
mod uses;
mod world;

use crate::error::{Error, Kind};
use crate::machine::budget::{Budget, Limits};
use crate::machine::{Failure, Liveness, Machine};
use crate::policy::{EntryId, Policy};
use crate::stream::Reader;

pub use arrays::Raw;
pub use place::place;
pub use render::Context;
pub use report::{Inspection, Opcodes, SCHEMA};
pub use seeds::Seed;
pub use uses::{GlobalUse, Refused};

use note::Note;
use room::Room;
use seeds::seed;
use survey::Survey;
use uses::Brief;
use world::NoteWorld;

/// How a Python 2 `str` becomes a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// `encoding="ASCII"`, the default: other bytes are a fault.
    #[default]
    Ascii,
    /// `encoding="latin1"`: one character for each byte.
    Latin1,
    /// `encoding="bytes"`: it stays bytes.
    Bytes,
    /// Any other codec: ASCII text is taken as such, other text is not looked into.
    Other,
}

/// How many out-of-band buffers the caller has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Buffers {
    /// None were given.
    #[default]
    None,
    /// So many.
    Count(u64),
    /// As many as it takes.
    Unlimited,
}

/// What the arrays of joblib are in the stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Arrays {
    /// Opcodes like all others: `pickle` reads them so.
    #[default]
    Opcodes,
    /// Raw bytes behind their wrappers, and before them the padding that wrappers announce: joblib 1.2 and later.
    Padded,
    /// Raw bytes behind their wrappers, without regard for padding: joblib 0.10 to 1.1.
    Unpadded,
}

/// The arguments of the load that an inspection stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Whether Python 2 names are renamed below protocol 3.
    pub fix_imports: bool,
    /// Whether persistent ids have someone to resolve them.
    pub has_persistent_load: bool,
    /// The out-of-band buffers.
    pub buffers: Buffers,
    /// What becomes of a Python 2 `str`.
    pub encoding: Encoding,
    /// Whether leftovers on the stack and bytes after STOP are a fault.
    pub strict: bool,
    /// What the arrays of joblib are. Loads do not know them.
    pub arrays: Arrays,
    /// What loading may cost.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            fix_imports: true,
            has_persistent_load: false,
            buffers: Buffers::None,
            encoding: Encoding::Ascii,
            strict: false,
            arrays: Arrays::Opcodes,
            limits: Limits::default(),
        }
    }
}

/// Whether the loader may run the pickle at the start of `data`, and if not, everything that is wrong with it.
///
/// `memo` holds what is in the memo from the start. Of a pickle that is allowed no paths are looked for, and opcodes are
/// not counted: see [`inspect`].
pub fn check<'a>(
    data: &'a [u8],
    policy: &'a Policy,
    options: &'a Options,
    memo: &[(u64, Seed<'a>)],
) -> Inspection {
    run(data, policy, options, memo, Depth::Verdict)
}

/// What the loader is told of a pickle that it may run.
#[derive(Debug)]
pub struct Passed {
    /// The names that it mentions.
    pub names: Vec<EntryId>,
    /// The memo slots that it fetches.
    pub liveness: Option<Liveness>,
}

/// Whether the loader may run the pickle at the start of `data`: `None` if anything at all is wrong with it.
///
/// The same run as [`check`], of which nothing is told: a fifth to a half of its time on calls. What is wrong, [`check`]
/// says.
pub fn passes<'a>(
    data: &'a [u8],
    policy: &'a Policy,
    options: &'a Options,
    memo: &[(u64, Seed<'a>)],
) -> Option<Passed> {
    let mut world = NoteWorld::new(data, policy, options);
    world.uses.brief = Some(Brief::default());
    let mut spare = Room::take(&options.limits, data.len() as u64);
    spare.furnish(&mut world.notes);
    let outcome = follow(&mut world, &mut spare.machine, memo);
    let whole = match outcome {
        Ok((_, end)) => !options.strict || spare.machine.stack().is_empty() && end == data.len(),
        Err(_) => false,
    };
    let liveness = spare.machine.take_liveness();
    spare.leave(world.notes);
    let brief = world.uses.brief.unwrap_or_default();
    (whole && !brief.refused).then(|| Passed {
        names: brief.entries(),
        liveness,
    })
}

/// How much a run finds out.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Depth {
    /// Whether the pickle is allowed, and everything about it if not.
    Verdict,
    /// Everything.
    Full,
}

/// The full report on the pickle at the start of `data`.
pub fn inspect(data: &[u8], policy: &Policy, options: &Options) -> Inspection {
    inspect_to_end(data, policy, options).0
}

/// The full report, and where STOP ends the pickle, whether or not the machine came that far.
fn inspect_to_end(data: &[u8], policy: &Policy, options: &Options) -> (Inspection, Option<usize>) {
    let mut survey = Survey::default();
    let mut inspection = run(data, policy, options, &[], Depth::Full);
    let seen = usize::try_from(inspection.size).unwrap_or(usize::MAX);
    // What is wrong with the bytes was found by the inspection; here they are only counted.
    let seen = data.get(..seen).unwrap_or(data);
    let end = survey.walk_between(seen, &inspection.raws).ok().flatten();
    inspection.opcodes = survey.opcodes();
    inspection.protocol_needed = Some(survey.protocol());
    (inspection, end)
}

/// Reports on all pickles that follow one another in `data`, as repeated `pickle.load` would read them, each with all
/// that follows it as trailing bytes. Ends after the first one whose end cannot be found. Pickles of the objects in
/// joblib's arrays come after the one that holds them.
pub fn inspect_all<'a>(
    data: &'a [u8],
    policy: &'a Policy,
    options: &'a Options,
) -> impl Iterator<Item = (u64, Inspection)> + 'a {
    let mut from = Some(0);
    let mut inner = Vec::new().into_iter();
    std::iter::from_fn(move || {
        if let Some((start, raw)) = inner.next() {
            return Some((
                start as u64,
                inspect_inner(data, start, &raw, policy, options),
            ));
        }
        let start = from?;
        let rest = data
            .get(start..)
            .filter(|rest| !rest.is_empty() || start == 0)?;
        let (inspection, end) = inspect_to_end(rest, policy, options);
        from = end.map(|end| start + end);
        let raws: Vec<_> = inspection
            .raws
            .iter()
            .filter(|raw| raw.is_pickle)
            .map(|raw| (start + raw.at, raw.clone()))
            .collect();
        inner = raws.into_iter();
        Some((start as u64, inspection))
    })
}

/// The pickle of the objects in an array: joblib reads it by `pickle`, which knows no raw arrays.
fn inspect_inner(
    data: &[u8],
    start: usize,
    raw: &Raw,
    policy: &Policy,
    options: &Options,
) -> Inspection {
    let options = Options {
        arrays: Arrays::Opcodes,
        ..options.clone()
    };
    let pickle = data.get(start..).unwrap_or_default();
    inspect(pickle.get(..raw.length).unwrap_or(pickle), policy, &options)
}

/// What [`Inspector::feed`] wants next.
#[derive(Debug)]
pub enum Fed {
    /// The pickle has not ended: call again with at least so many more bytes, or with a line where it says 0.
    NeedMore(u64),
    /// The pickle ends there, or cannot go on.
    Done(Box<Inspection>),
}

/// An inspection of a pickle that comes in pieces.
///
/// The end of the pickle is found first, each byte read once; then the whole of it is inspected where it lies.
#[derive(Debug)]
pub struct Inspector<'p> {
    policy: &'p Policy,
    options: &'p Options,
    survey: Survey,
}

impl<'p> Inspector<'p> {
    /// An inspection under a policy.
    pub fn new(policy: &'p Policy, options: &'p Options) -> Self {
        Self {
            policy,
            options,
            survey: Survey::default(),
        }
    }

    /// `data` holds the pickle from its start, with more at its end than the last time.
    pub fn feed(&mut self, data: &[u8], memo: &[(u64, Seed<'_>)]) -> Fed {
        match self.lacks(data) {
            Some(need) => Fed::NeedMore(need),
            None => Fed::Done(Box::new(self.finish(data, memo))),
        }
    }

    /// How many more bytes the pickle needs at least, 0 for a line; `None` where it ends, or cannot go on.
    pub fn lacks(&mut self, data: &[u8]) -> Option<u64> {
        let bytes = data.len() as u64;
        let short = Budget::new(self.options.limits.clone())
            .length(bytes)
            .is_ok()
            && matches!(self.survey.walk(data), Ok(None));
        short.then(|| self.survey.need())
    }

    /// No more bytes will come.
    pub fn finish(&self, data: &[u8], memo: &[(u64, Seed<'_>)]) -> Inspection {
        let mut inspection = check(data, self.policy, self.options, memo);
        inspection.opcodes = self.survey.opcodes();
        inspection.protocol_needed = Some(self.survey.protocol());
        inspection
    }
}

fn run<'a>(
    data: &'a [u8],
    policy: &'a Policy,
    options: &'a Options,
    memo: &[(u64, Seed<'a>)],
    depth: Depth,
) -> Inspection {
    let mut inspection = look(data, policy, options, memo, depth);
    if let Some(fault) = &mut inspection.fault
        && let Kind::Limit { .. } = fault.kind
    {
        fault.path = place(data, fault.at, policy, options, memo);
    }
    inspection
}

fn look<'a>(
    data: &'a [u8],
    policy: &'a Policy,
    options: &'a Options,
    memo: &[(u64, Seed<'a>)],
    depth: Depth,
) -> Inspection {
    let mut world = NoteWorld::new(data, policy, options);
    let mut spare = Room::take(&options.limits, data.len() as u64);
    spare.furnish(&mut world.notes);
    let machine = &mut spare.machine;
    let (roots, end, fault) = match follow(&mut world, machine, memo) {
        Ok((root, end)) => (vec![root], end, None),
        Err((error, root)) => match root {
            Some(root) => (vec![root], data.len(), Some(error)),
            None => (machine.stack().to_vec(), data.len(), Some(error)),
        },
    };
    if depth == Depth::Full || !world.uses.refusals.is_empty() || fault.is_some() {
        world.find_paths(&roots);
        world.uses.explain();
    }
    let mut inspection = Inspection {
        size: end as u64,
        trailing: (data.len() - end) as u64,
        leftovers: if fault.is_some() {
            0
        } else {
            machine.stack().len() as u64
        },
        protocol: machine.protocol(),
        protocol_needed: None,
        opcodes: Opcodes::new(),
        memo: machine.memo().len(),
        spent: machine.budget().spent(),
        fault,
        globals: world.uses.globals,
        refusals: world.uses.refusals,
        persistent_ids: world.persistent_ids,
        persistent_count: world.persistent_count,
        extension_codes: world.extension_codes,
        buffers: world.buffers,
        raws: world.raws,
        policy: render::policy_name(policy),
        base: render::base_of(policy),
        extended: policy.entries().any(|(_, entry)| entry.preset.is_none()),
    };
    spare.leave(world.notes);
    if options.strict
        && inspection.fault.is_none()
        && let Some(kind) = leftovers(&inspection)
    {
        inspection.fault = Some(Error::new(kind, inspection.size, None));
    }
    inspection
}

/// Runs the pickle to its end: its value, and where it ends. Or else the fault, and the value if it is at fault itself.
// One function, for the machine is inlined into it.
#[allow(clippy::type_complexity)]
fn follow<'a>(
    world: &mut NoteWorld<'a>,
    machine: &mut Machine<Note>,
    memo: &[(u64, Seed<'a>)],
) -> Result<(Note, usize), (Box<Error>, Option<Note>)> {
    let (data, options) = (world.data, world.options);
    let bare = |error| (error, None);
    seed(world, machine, memo).map_err(bare)?;
    let length = machine.budget().length(data.len() as u64);
    length.map_err(|kind| bare(Error::new(kind, 0, None)))?;
    let mut reader = Reader::new(data);
    let root = machine
        .run(world, &mut reader)
        .map_err(|failure| bare(error_of(failure)))?;
    world.settle(root);
    let expanded = options
        .limits
        .max_expanded
        .and_then(|maximum| world.expanded_beyond(root, maximum));
    match expanded {
        Some(kind) => Err((Error::new(kind, reader.at(), Some("STOP")), Some(root))),
        None => Ok((root, reader.position())),
    }
}

#[allow(clippy::unnecessary_box_returns)] // the shape of `Result`
fn error_of(failure: Failure<world::Stop>) -> Box<Error> {
    match failure {
        Failure::Stream(error) => error,
        Failure::World { fault, at, opcode } => Error::new(*fault.0, at, opcode),
    }
}

fn leftovers(inspection: &Inspection) -> Option<Kind> {
    let left = match (inspection.leftovers, inspection.trailing) {
        (0, 0) => return None,
        (0, bytes) => format!("{bytes} bytes after STOP"),
        (values, _) => format!("{values} values left on the stack at STOP"),
    };
    Some(Kind::Leftovers(left))
}

#[cfg(test)]
mod tests;
