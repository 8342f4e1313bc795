//! One load from end to end: world, machine, reader; and what its failures become.

use std::cell::RefCell;
use std::rc::Rc;

use pyo3::prelude::*;

use super::ffi::Value;
use super::globals::{Cache, Spare};
use super::source::{File, Stream};
use super::{Cause, Desk, Fault, LONG, Options, PyWorld};
use crate::error::{Error, Kind};
use crate::inspect::Inspection;
use crate::machine::budget::{Budget, Limits};
use crate::machine::memo::Memo;
use crate::machine::{Failure, Machine, failed};
use crate::policy::Policy;
use crate::stream::Reader;

/// Instructions after which what is young is made older, where that is done on the way.
const EARLY: u32 = 1 << 11;

/// Why a load failed.
#[derive(Debug)]
pub enum Refusal {
    /// Python code raised, and its exception passes through untouched.
    Raised(PyErr),
    /// The stream is at fault; what the inspector saw of it, where a name or its use was refused.
    Stream(Box<Error>, Option<Box<Inspection>>),
}

impl From<PyErr> for Refusal {
    fn from(error: PyErr) -> Self {
        Self::Raised(error)
    }
}

/// Under what a stream is loaded.
#[derive(Clone, Copy)]
pub struct Rules<'a> {
    /// Who may do what.
    pub policy: &'a Policy,
    /// The policy's objects.
    pub cache: &'a Cache,
    /// What it may cost.
    pub limits: &'a Limits,
}

/// What the longer part of a load runs in.
pub trait Within {
    /// Runs it.
    fn run<T>(self, load: impl FnOnce() -> T) -> T;
}

/// Nothing: PyO3 knows that the thread is attached.
pub struct Here;

impl Within for Here {
    #[inline(always)]
    fn run<T>(self, load: impl FnOnce() -> T) -> T {
        load()
    }
}

/// Loads a pickle from memory. Bytes after STOP are ignored, as `pickle` ignores them, unless `strict`.
///
/// Nothing of PyO3's is dropped before `within` is called, which it is for all but the shortest way.
#[inline]
pub fn load_slice<'py>(
    py: Python<'py>,
    data: &[u8],
    rules: Rules<'_>,
    options: &Options<'py>,
    within: impl Within,
) -> Result<Bound<'py, PyAny>, Box<Refusal>> {
    let mut spare = rules.cache.take_spare(py);
    let Spare { machine, desk } = &mut *spare;
    machine.reset(rules.limits, data.len() as u64);
    machine.forget_memo();
    let mut world = PyWorld::new(py, rules, options, Stream::Slice(data), desk);
    let mut reader = Reader::new(data);
    let opened = if data.len() < LONG && rules.limits.let_all_begin() {
        world.pause_collector(data.len());
        machine.run_opening(&mut world, &mut reader)
    } else {
        Ok(None)
    };
    let outcome = match opened {
        Ok(Some(value)) if value.has_object() && !world.options.strict => {
            let value = value.into_bound(py);
            machine.clear();
            Ok(value)
        }
        opened => within.run(|| {
            let outcome = run_slice(data, opened, &mut reader, machine, &mut world);
            machine.clear();
            outcome.map_err(|refusal| Box::new(placed(refusal, &world)))
        }),
    };
    world.desk.clear();
    drop(world);
    rules.cache.leave_spare(py, spare);
    outcome
}

/// Executes what the opening has left.
#[inline(never)]
fn run_slice<'a, 'py>(
    data: &'a [u8],
    opened: Result<Option<Value>, Fault>,
    reader: &mut Reader<'a>,
    machine: &mut Machine<Value>,
    world: &mut PyWorld<'a, 'py>,
) -> Result<Bound<'py, PyAny>, Refusal> {
    let stream = |kind, at, opcode| Refusal::Stream(Error::new(kind, at, opcode), None);
    let opened = match opened {
        Ok(opened) => opened,
        Err(fault) => return Err(refusal(failed(fault, reader.at(), reader.code()), world)),
    };
    let value = if let Some(value) = opened {
        value
    } else {
        if world.begin_work(data.len())? {
            machine.tick_early(EARLY);
        }
        let length = machine.budget().length(data.len() as u64);
        length.map_err(|kind| stream(kind, 0, None))?;
        world
            .bound_expansion()
            .map_err(|fault| refusal(at_start(fault), world))?;
        run_whole(reader, machine, world).map_err(|failure| refusal(failure, world))?
    };
    let at = reader.at();
    if world.options.strict {
        strictly(machine, data.len() - reader.position())
            .map_err(|kind| stream(kind, at, Some("STOP")))?;
    }
    finish(world, value, at)
}

/// A function of its own, in which the cursor is all there is.
fn run_whole<'a>(
    cursor: &mut Reader<'a>,
    machine: &mut Machine<Value>,
    world: &mut PyWorld<'a, '_>,
) -> Result<Value, Failure<Fault>> {
    let mut reader = *cursor;
    let outcome = machine.run(world, &mut reader);
    *cursor = reader;
    outcome
}

/// Loads one pickle from a file. `buffer` holds what was read for good and belongs to this pickle or the next.
pub fn load_file<'py>(
    py: Python<'py>,
    file: &Rc<RefCell<File<'py>>>,
    buffer: &mut Vec<u8>,
    memo: &mut Memo<Value>,
    rules: Rules<'_>,
    options: &Options<'py>,
) -> Result<Bound<'py, PyAny>, Refusal> {
    let mut desk = Desk::default();
    let mut world = PyWorld::new(py, rules, options, Stream::File(Rc::clone(file)), &mut desk);
    world.know_again(memo)?;
    world.remember(memo);
    let expands = rules.limits.max_expanded.is_some();
    file.borrow_mut().begin(buffer, !world.checked || expands);
    world
        .bound_expansion()
        .map_err(|fault| refusal(at_start(fault), &world))?;
    let mut machine = Machine::new(Budget::new(rules.limits.clone()));
    std::mem::swap(machine.memo_mut(), memo);
    let outcome = run_file(file, buffer, &mut machine, &mut world);
    std::mem::swap(machine.memo_mut(), memo);
    // What a later call of `find_class` goes by.
    if let Some(protocol) = &options.protocol {
        protocol.store(machine.protocol(), std::sync::atomic::Ordering::Relaxed);
    }
    let (value, at) = match outcome {
        Ok(done) => done,
        Err(refusal) => {
            drop(machine);
            return Err(placed(refusal, &world));
        }
    };
    if options.strict {
        strictly(&machine, 0)
            .map_err(|kind| Refusal::Stream(Error::new(kind, at, Some("STOP")), None))?;
    }
    finish(&mut world, value, at)
}

fn run_file<'py>(
    file: &Rc<RefCell<File<'py>>>,
    buffer: &mut Vec<u8>,
    machine: &mut Machine<Value>,
    world: &mut PyWorld<'_, 'py>,
) -> Result<(Value, u64), Refusal> {
    let (mut base, mut frame) = (0u64, None);
    loop {
        let here = base + buffer.len() as u64;
        machine.budget_mut().see(here);
        machine
            .budget()
            .length(here)
            .map_err(|kind| Refusal::Stream(Error::new(kind, base, None), None))?;
        if world.checked {
            file.borrow_mut().forget();
        }
        if world.begin_work(usize::try_from(here).unwrap_or(usize::MAX))? {
            machine.tick_early(EARLY);
        }
        let mut reader = Reader::resume(buffer, 0, base, frame);
        let outcome = machine.run(world, &mut reader);
        // What follows asks the file, which is anybody's code.
        world.end_work();
        let error = match outcome {
            Ok(value) => {
                let (used, at) = (reader.position(), reader.at());
                let left = file.borrow_mut().end(buffer.len() - used)?;
                buffer.truncate(used + left);
                buffer.drain(..used);
                return Ok((value, at));
            }
            Err(Failure::Stream(error))
                if matches!(error.kind, Kind::Truncated { .. } | Kind::NoInput) =>
            {
                error
            }
            Err(failure) => {
                let used = reader.position();
                let left = file.borrow_mut().end(buffer.len() - used)?;
                buffer.truncate(used + left);
                buffer.drain(..used);
                return Err(refusal(failure, world));
            }
        };
        reader.rewind();
        let used = reader.position();
        frame = reader.frame_left();
        buffer.drain(..used);
        base += used as u64;
        if !file.borrow_mut().more(buffer, &error.kind)? {
            return Err(refusal(Failure::Stream(error), world));
        }
    }
}

/// A fault found before the first instruction.
fn at_start(fault: Fault) -> Failure<Fault> {
    Failure::World {
        fault,
        at: 0,
        opcode: None,
    }
}

fn finish<'py>(
    world: &mut PyWorld<'_, 'py>,
    value: Value,
    at: u64,
) -> Result<Bound<'py, PyAny>, Refusal> {
    world.finish(value).map_err(|fault| {
        refusal(
            Failure::World {
                fault,
                at,
                opcode: Some("STOP"),
            },
            world,
        )
    })
}

/// With `strict=True`: nothing may be left on the stack, and nothing may follow STOP.
fn strictly(machine: &Machine<Value>, behind: usize) -> Result<(), Kind> {
    match (machine.stack().len(), behind) {
        (0, 0) => Ok(()),
        (0, bytes) => Err(Kind::Leftovers(format!("{bytes} bytes follow STOP"))),
        (values, _) => Err(Kind::Leftovers(format!(
            "{values} values are left on the stack at STOP"
        ))),
    }
}

/// A limit says where in the object the stream was at work. The machine is empty by now: what looks for the place needs
/// room of its own.
#[cold]
fn placed(mut refusal: Refusal, world: &PyWorld<'_, '_>) -> Refusal {
    if let Refusal::Stream(error, None) = &mut refusal
        && let Kind::Limit { .. } = error.kind
    {
        error.path = world.place(error.at);
    }
    refusal
}

#[cold]
fn refusal(failure: Failure<Fault>, world: &PyWorld<'_, '_>) -> Refusal {
    let error = match failure {
        Failure::Stream(error) => error,
        Failure::World { fault, at, opcode } => match fault.cause() {
            Cause::Raised(error) => return Refusal::Raised(error),
            Cause::Kind(kind) => Error::new(kind, at, opcode),
            Cause::Refused(inspection) => {
                let refused = || Kind::Malformed("the inspector refuses this stream".into());
                let error = inspection
                    .error()
                    .unwrap_or_else(|| Error::new(refused(), at, opcode));
                return Refusal::Stream(error, Some(inspection));
            }
        },
    };
    if !error.kind.is_refusal() || world.free {
        return Refusal::Stream(error, None);
    }
    let inspection = world.inspect().ok().map(Box::new);
    Refusal::Stream(error, inspection)
}
