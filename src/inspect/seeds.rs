//! What earlier pickles of the same `Unpickler` left in the memo, as an inspection may know it without the objects.

use super::note::{Id, Note, Part};
use super::world::{NoteWorld, Stop};
use crate::error::Error;
use crate::machine::Machine;
use crate::machine::world::{Site, World};
use crate::policy::EntryId;
use crate::policy::numpy::{Dtype, Known};

/// A value that is in the memo before the pickle begins: what an earlier pickle of the same `Unpickler` put there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seed<'a> {
    /// A str.
    Str(&'a str),
    /// A bytes object.
    Bytes(&'a [u8]),
    /// A name of the policy.
    Global(EntryId),
    /// An instance that an earlier pickle made through that entry.
    Made(EntryId),
    /// A dtype, of which that is known, that an earlier pickle made through that entry.
    Dtype(EntryId, Dtype),
    /// An exact tuple.
    Tuple,
    /// An exact list.
    List,
    /// An exact dict.
    Dict,
    /// An exact set.
    Set,
    /// An exact frozenset.
    FrozenSet,
    /// Anything else.
    Other,
}

/// Puts the seeds into the memo.
pub(super) fn seed<'a>(
    world: &mut NoteWorld<'a>,
    machine: &mut Machine<Note>,
    memo: &[(u64, Seed<'a>)],
) -> Result<(), Box<Error>> {
    for (index, seed) in memo {
        let note = world
            .plant(*seed)
            .map_err(|fault| Error::new(*fault.0, 0, None))?;
        machine.memo_mut().put(*index, note, NoteWorld::is_hole);
    }
    Ok(())
}

impl<'d> NoteWorld<'d> {
    /// The use of a name that an earlier pickle mentioned.
    fn planted(&mut self, entry: EntryId) -> Id {
        let site = Site {
            at: 0,
            code: 0,
            protocol: 0,
        };
        let planted = self.policy.entry(entry);
        self.uses
            .find_entry(site, entry, &planted.module, &planted.name)
    }

    fn plant(&mut self, seed: Seed<'d>) -> Result<Note, Stop> {
        let node = |world: &mut Self| world.notes.node(Part::Items, &[], 1);
        Ok(match seed {
            Seed::Str(text) => self.notes.text(text.into())?,
            Seed::Bytes(bytes) => Note::Bytes(self.notes.blob(bytes.into())?),
            Seed::Global(entry) => Note::Global(self.planted(entry)),
            Seed::Made(entry) | Seed::Dtype(entry, _) => {
                let user = self.planted(entry);
                let node = self.notes.node(Part::Args, &[], 1)?;
                if let Some(made) = self.notes.get_mut(node) {
                    made.made_by(entry);
                    made.used_by(user);
                    if let Seed::Dtype(_, dtype) = seed {
                        made.known = Some(Known::Dtype(dtype));
                    }
                }
                Note::Made(node)
            }
            Seed::Tuple => Note::Tuple(node(self)?),
            Seed::List => Note::List(node(self)?),
            Seed::Dict => Note::Dict(self.notes.node(Part::Pairs, &[], 1)?),
            Seed::Set => Note::Set(node(self)?),
            Seed::FrozenSet => Note::FrozenSet(node(self)?),
            Seed::Other => Note::External(node(self)?),
        })
    }
}
