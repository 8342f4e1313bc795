//! The memo: values that the stream may fetch again by index.
//!
//! A dense vector while indexes come in order, which is all that picklers write; a sparse map beyond the next index, so
//! that `LONG_BINPUT 0x0fffffff` costs one entry and not four gigabytes.

use std::collections::HashMap;

/// Values by index. `V::default()` is an empty slot.
#[derive(Debug)]
pub struct Memo<V> {
    dense: Vec<V>,
    sparse: HashMap<u64, V>,
    /// How many more slots are in use than the dense part has; wraps where that has empty ones.
    beyond: u64,
    /// Something else than the next slot was filled, or will be left empty.
    disordered: bool,
}

impl<V> Default for Memo<V> {
    fn default() -> Self {
        Self {
            dense: Vec::new(),
            sparse: HashMap::new(),
            beyond: 0,
            disordered: false,
        }
    }
}

impl<V: Default> Memo<V> {
    /// How many values are in the memo.
    #[inline(always)]
    pub fn len(&self) -> u64 {
        (self.dense.len() as u64).wrapping_add(self.beyond)
    }

    /// Whether nothing was put.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value at an index; the caller knows an empty slot by its value.
    #[inline(always)]
    pub fn get(&self, index: i64) -> Option<&V> {
        match usize::try_from(index) {
            Ok(at) if at < self.dense.len() => self.dense.get(at),
            _ => self.get_sparse(index),
        }
    }

    #[cold]
    fn get_sparse(&self, index: i64) -> Option<&V> {
        self.sparse.get(&u64::try_from(index).ok()?)
    }

    /// Whether all slots so far are filled and the next value goes behind them: one look tells.
    #[inline(always)]
    pub fn in_order(&self) -> bool {
        !self.disordered
    }

    /// From now on slots may be skipped.
    pub fn disorder(&mut self) {
        self.disordered = true;
    }

    /// MEMOIZE: stores at the number of values so far, as `pickle` does.
    #[inline(always)]
    pub fn push(&mut self, value: V, is_hole: impl Fn(&V) -> bool) {
        if self.in_order() {
            self.push_next(value);
        } else {
            self.push_behind(value, is_hole);
        }
    }

    /// Stores behind the last slot of a memo that is in order.
    #[inline(always)]
    pub fn push_next(&mut self, value: V) {
        self.dense.push(value);
    }

    #[inline(never)]
    fn push_behind(&mut self, value: V, is_hole: impl Fn(&V) -> bool) {
        // Slots that were skipped have cost a byte of input each, so they may be filled up.
        if self.sparse.is_empty()
            && let Ok(used) = usize::try_from(self.len())
            && used >= self.dense.len()
        {
            self.dense.resize_with(used, V::default);
            self.beyond = 0;
            self.push_next(value);
        } else {
            self.put(self.len(), value, is_hole);
        }
    }

    /// MEMOIZE of a value that nothing will fetch: the index is counted, nothing is stored.
    #[inline(always)]
    pub fn skip(&mut self) {
        self.beyond = self.beyond.wrapping_add(1);
        self.disordered = true;
    }

    /// PUT: stores at an index, which need not be the next one.
    pub fn put(&mut self, index: u64, value: V, is_hole: impl Fn(&V) -> bool) {
        let used = self.len();
        let next = self.dense.len() as u64;
        // Python 2's C pickler counts from 1: one slot may be skipped.
        if index == next + 1 && self.sparse.is_empty() {
            self.dense.push(V::default());
        }
        let next = self.dense.len() as u64;
        let before = if index == next && !self.sparse.contains_key(&index) {
            self.dense.push(value);
            None
        } else if let Some(slot) = usize::try_from(index)
            .ok()
            .and_then(|at| self.dense.get_mut(at))
        {
            Some(std::mem::replace(slot, value))
        } else {
            self.sparse.insert(index, value)
        };
        let used = used + u64::from(before.is_none_or(|value| is_hole(&value)));
        self.beyond = used.wrapping_sub(self.dense.len() as u64);
        self.disordered |= self.beyond != 0 || !self.sparse.is_empty();
    }

    /// Indexes and values in use, in no particular order beyond the dense part.
    pub fn iter(&self, is_hole: impl Fn(&V) -> bool) -> impl Iterator<Item = (u64, &V)> {
        let dense = self
            .dense
            .iter()
            .enumerate()
            .map(|(at, value)| (at as u64, value));
        let sparse = self.sparse.iter().map(|(at, value)| (*at, value));
        dense
            .filter(move |(_, value)| !is_hole(value))
            .chain(sparse)
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.dense.clear();
        self.beyond = 0;
        self.disordered = false;
        if !self.sparse.is_empty() {
            self.sparse = HashMap::new();
        }
    }

    /// Gives room for more than `most` values back; the memo is empty.
    pub fn shrink(&mut self, most: usize) {
        if self.dense.capacity() > most {
            self.dense = Vec::new();
        }
    }

    /// As [`Self::shrink`], and keeps room for `most`.
    pub fn shrink_to(&mut self, most: usize) {
        self.dense.shrink_to(most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[allow(clippy::trivially_copy_pass_by_ref)]
    fn hole(value: &u32) -> bool {
        *value == 0
    }

    #[test]
    fn a_huge_index_costs_one_entry() {
        let mut memo = Memo::<u32>::default();
        memo.put(0x0fff_ffff, 7, hole);
        assert_eq!((memo.len(), memo.dense.len()), (1, 0));
        assert_eq!(memo.get(0x0fff_ffff), Some(&7));
        assert_eq!(memo.get(-1), None);
    }

    #[test]
    fn memoize_counts_values_as_pickle_does() {
        let mut memo = Memo::<u32>::default();
        memo.put(5, 1, hole);
        memo.push(2, hole);
        memo.push(3, hole);
        assert_eq!(memo.get(1), Some(&2));
        assert_eq!(memo.get(2), Some(&3));
        assert_eq!(memo.get(5), Some(&1));
        memo.put(5, 9, hole);
        assert_eq!((memo.get(5), memo.len()), (Some(&9), 3));
    }

    #[test]
    fn counting_from_one_stays_dense() {
        let mut memo = Memo::<u32>::default();
        for index in 1..1000 {
            memo.put(index, 7, hole);
        }
        assert!(memo.sparse.is_empty());
        assert_eq!(memo.len(), 999);
        assert!(hole(memo.get(0).unwrap()));
        assert_eq!(memo.iter(hole).count(), 999);
    }

    #[test]
    fn it_agrees_with_a_plain_map() {
        let mut memo = Memo::<u32>::default();
        let mut model = std::collections::BTreeMap::new();
        let mut seed = 1u64;
        for step in 1..5000u32 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            if seed >> 63 == 0 {
                let index = (seed >> 40) % 64;
                memo.put(index, step, hole);
                model.insert(index, step);
            } else {
                let index = model.len() as u64;
                memo.push(step, hole);
                model.insert(index, step);
            }
            assert_eq!(memo.len(), model.len() as u64);
        }
        for (index, value) in &model {
            assert_eq!(memo.get(i64::try_from(*index).unwrap()), Some(value));
        }
    }
}
