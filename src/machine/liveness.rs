//! Which slots of the memo a stream will fetch.
//!
//! A pickler memoizes nearly everything and fetches little of it. Knowing which slots are dead saves filling them, and
//! lets an argument tuple or a state dict that nothing else can reach go unmade. The scan reads the rest of the stream
//! once, with the one decoder; whatever it cannot follow it leaves alone, so that faults keep their place.

use crate::stream::lengths::Slot;
use crate::stream::{Op, Reader};

/// A bit for each slot that is fetched.
#[derive(Debug)]
pub struct Liveness {
    fetched: Vec<u64>,
}

impl Liveness {
    /// Looks at the rest of a stream. `None` where slots are stored both by index and by count, or the stream is not
    /// whole.
    pub(super) fn scan(reader: &mut Reader<'_>) -> Option<Self> {
        // A slot takes at least a byte to fill: no honest index is beyond that.
        let bound = reader.length();
        let mut fetched: Vec<u64> = Vec::new();
        let (mut counted, mut indexed, mut beyond) = (false, false, false);
        let mut note = |slot| match slot {
            Slot::Fetched(index) => {
                if let Ok(at) = usize::try_from(index)
                    && at < bound
                {
                    let word = at / 64;
                    if word >= fetched.len() {
                        fetched.resize(word + 1, 0);
                    }
                    if let Some(bits) = fetched.get_mut(word) {
                        *bits |= 1u64 << (at % 64);
                    }
                }
            }
            Slot::Stored(index) => {
                indexed = true;
                beyond |= index >= bound as u64;
            }
            Slot::Counted => counted = true,
        };
        loop {
            reader.skip_plain(&mut note);
            match reader.next_op().ok()? {
                // Below 0 there is no slot.
                Op::Get(index) => note(Slot::Fetched(u64::try_from(index).unwrap_or(u64::MAX))),
                Op::Put(index) => note(Slot::Stored(index)),
                Op::Memoize => note(Slot::Counted),
                Op::Stop => {
                    let mixed = counted && indexed;
                    return (!beyond && !mixed).then_some(Self { fetched });
                }
                _ => {}
            }
        }
    }

    /// What was fetched in a run over the whole stream.
    pub(super) fn of(fetched: Vec<u64>) -> Self {
        Self { fetched }
    }

    /// Whether nothing fetches a slot.
    #[inline(always)]
    pub(super) fn is_dead(&self, index: u64) -> bool {
        let bits = usize::try_from(index / 64)
            .ok()
            .and_then(|word| self.fetched.get(word));
        bits.is_none_or(|bits| bits >> (index % 64) & 1 == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_fetched_is_live() {
        let liveness = Liveness::scan(&mut Reader::new(b"N\x94N\x94h\x010.")).unwrap();
        assert!(liveness.is_dead(0));
        assert!(!liveness.is_dead(1));
        assert!(liveness.is_dead(1 << 40));
    }

    #[test]
    fn what_it_cannot_follow_it_leaves_alone() {
        assert!(Liveness::scan(&mut Reader::new(b"N\x94")).is_none());
        assert!(Liveness::scan(&mut Reader::new(b"N\x94q\x05.")).is_none());
        assert!(Liveness::scan(&mut Reader::new(b"Nr\xff\xff\xff\x0f.")).is_none());
        assert!(Liveness::scan(&mut Reader::new(b"\xff.")).is_none());
    }
}
