//! A stable, interruptible merge sort that survives any comparison: runs that are there already are found and merged in the order of Munro and Wild's
//! powersort, with galloping (Peters, `listsort.txt`), so that a script sees CPython's comparisons in CPython's order.
//!
//! The items are plain copies (numbers, or indices of keys); whatever the comparison says or raises, what is left is a permutation of them.

/// Below this length a run is filled up by insertion.
const MAX_MIN_RUN: usize = 64;
/// How often one side must win in a row before the merge gallops.
const MIN_GALLOP: usize = 7;

/// Sorts `items`; the first error of `less` ends it.
pub(crate) fn sort<T: Copy, E>(items: &mut [T], less: impl FnMut(&T, &T) -> Result<bool, E>) -> Result<(), E> {
    if items.len() < 2 {
        return Ok(());
    }
    let mut sorter = Sorter { total: items.len(), items, less, runs: Vec::new(), min_gallop: MIN_GALLOP, buffer: Vec::new() };
    sorter.run()
}

struct Run {
    start: usize,
    len: usize,
    power: u32,
}

struct Sorter<'a, T, F> {
    items: &'a mut [T],
    less: F,
    total: usize,
    runs: Vec<Run>,
    min_gallop: usize,
    buffer: Vec<T>,
}

impl<T: Copy, E, F: FnMut(&T, &T) -> Result<bool, E>> Sorter<'_, T, F> {
    fn run(&mut self) -> Result<(), E> {
        let min_run = min_run(self.total);
        let mut start = 0;
        while start < self.total {
            let left = self.total - start;
            let mut len = self.count_run(start, left)?;
            if len < min_run {
                let forced = left.min(min_run);
                self.insertion_sort(start, forced, len)?;
                len = forced;
            }
            self.found_run(len)?;
            self.runs.push(Run { start, len, power: 0 });
            start += len;
        }
        while self.runs.len() > 1 {
            let mut at = self.runs.len() - 2;
            if at > 0 && self.runs[at - 1].len < self.runs[at + 1].len {
                at -= 1;
            }
            self.merge_at(at)?;
        }
        Ok(())
    }

    fn lt(&mut self, left: usize, right: usize) -> Result<bool, E> {
        (self.less)(&self.items[left], &self.items[right])
    }

    /// The length of the ascending run at `lo`, which may have been a descending one before.
    fn count_run(&mut self, lo: usize, left: usize) -> Result<usize, E> {
        let mut n = 1;
        while n < left && !self.lt(lo + n, lo + n - 1)? {
            n += 1;
        }
        if n == left {
            return Ok(n);
        }
        if n > 1 {
            if self.lt(lo, lo + n - 1)? {
                return Ok(n);
            }
            // All equal so far: they may begin a descending run, and come out in their old order when it is turned round.
            self.items[lo..lo + n].reverse();
        }
        n += 1;
        let mut equal = 0;
        while n < left {
            if self.lt(lo + n, lo + n - 1)? {
                self.reverse_equal(lo + n, &mut equal);
            } else if self.lt(lo + n - 1, lo + n)? {
                break;
            } else {
                equal += 1;
            }
            n += 1;
        }
        self.reverse_equal(lo + n, &mut equal);
        self.items[lo..lo + n].reverse();
        while n < left && !self.lt(lo + n, lo + n - 1)? {
            n += 1;
        }
        Ok(n)
    }

    fn reverse_equal(&mut self, end: usize, equal: &mut usize) {
        if *equal > 0 {
            self.items[end - *equal - 1..end].reverse();
            *equal = 0;
        }
    }

    fn insertion_sort(&mut self, lo: usize, len: usize, sorted: usize) -> Result<(), E> {
        for at in sorted.max(1)..len {
            let pivot = self.items[lo + at];
            let (mut left, mut right) = (0, at);
            while left < right {
                let middle = usize::midpoint(left, right);
                if (self.less)(&pivot, &self.items[lo + middle])? {
                    right = middle;
                } else {
                    left = middle + 1;
                }
            }
            self.items[lo + left..=lo + at].rotate_right(1);
        }
        Ok(())
    }

    /// Merges what should be merged before a run of `len` items is pushed.
    fn found_run(&mut self, len: usize) -> Result<(), E> {
        let Some(last) = self.runs.last() else { return Ok(()) };
        let power = power(last.start, last.len, len, self.total);
        while self.runs.len() > 1 && self.runs[self.runs.len() - 2].power > power {
            self.merge_at(self.runs.len() - 2)?;
        }
        if let Some(last) = self.runs.last_mut() {
            last.power = power;
        }
        Ok(())
    }

    /// Merges the runs at `at` and behind it.
    fn merge_at(&mut self, at: usize) -> Result<(), E> {
        let (mut start, mut na) = (self.runs[at].start, self.runs[at].len);
        let (middle, nb) = (self.runs[at + 1].start, self.runs[at + 1].len);
        self.runs[at].len = na + nb;
        self.runs[at].power = self.runs[at + 1].power;
        self.runs.remove(at + 1);
        let key = self.items[middle];
        let skip = gallop_right(&mut self.less, &key, &self.items[start..start + na], 0)?;
        start += skip;
        na -= skip;
        if na == 0 {
            return Ok(());
        }
        let key = self.items[start + na - 1];
        let nb = gallop_left(&mut self.less, &key, &self.items[middle..middle + nb], nb - 1)?;
        if nb == 0 {
            return Ok(());
        }
        if na <= nb { self.merge_low(start, na, nb) } else { self.merge_high(start, na, nb) }
    }

    /// Merges from the left; the shorter left run is set aside. Whatever happens, what is left of it goes back into the gap.
    fn merge_low(&mut self, start: usize, na: usize, nb: usize) -> Result<(), E> {
        self.buffer.clear();
        self.buffer.extend_from_slice(&self.items[start..start + na]);
        let mut state = Low { dest: start, a: 0, na, b: start + na, nb };
        let outcome = self.merge_low_steps(&mut state);
        let Low { dest, a, na, b, nb } = state;
        if matches!(outcome, Ok(true)) {
            // The last of the left run belongs behind all that is left of the right one.
            self.items.copy_within(b..b + nb, dest);
            self.items[dest + nb] = self.buffer[a];
        } else {
            self.items[dest..dest + na].copy_from_slice(&self.buffer[a..a + na]);
        }
        outcome.map(|_| ())
    }

    /// True when it ends with one item left on the left.
    fn merge_low_steps(&mut self, s: &mut Low) -> Result<bool, E> {
        macro_rules! take_b {
            () => {
                self.items[s.dest] = self.items[s.b];
                s.dest += 1;
                s.b += 1;
                s.nb -= 1;
                if s.nb == 0 {
                    return Ok(false);
                }
            };
        }
        macro_rules! take_a {
            () => {
                self.items[s.dest] = self.buffer[s.a];
                s.dest += 1;
                s.a += 1;
                s.na -= 1;
                if s.na == 1 {
                    return Ok(true);
                }
            };
        }
        take_b!();
        if s.na == 1 {
            return Ok(true);
        }
        let mut min_gallop = self.min_gallop;
        loop {
            let (mut a_wins, mut b_wins) = (0, 0);
            loop {
                if (self.less)(&self.items[s.b], &self.buffer[s.a])? {
                    b_wins += 1;
                    a_wins = 0;
                    take_b!();
                    if b_wins >= min_gallop {
                        break;
                    }
                } else {
                    a_wins += 1;
                    b_wins = 0;
                    take_a!();
                    if a_wins >= min_gallop {
                        break;
                    }
                }
            }
            min_gallop += 1;
            loop {
                min_gallop -= usize::from(min_gallop > 1);
                self.min_gallop = min_gallop;
                let key = self.items[s.b];
                a_wins = gallop_right(&mut self.less, &key, &self.buffer[s.a..s.a + s.na], 0)?;
                if a_wins > 0 {
                    self.items[s.dest..s.dest + a_wins].copy_from_slice(&self.buffer[s.a..s.a + a_wins]);
                    s.dest += a_wins;
                    s.a += a_wins;
                    s.na -= a_wins;
                    if s.na == 1 {
                        return Ok(true);
                    }
                    // Only an inconsistent comparison leads here.
                    if s.na == 0 {
                        return Ok(false);
                    }
                }
                take_b!();
                let key = self.buffer[s.a];
                b_wins = gallop_left(&mut self.less, &key, &self.items[s.b..s.b + s.nb], 0)?;
                if b_wins > 0 {
                    self.items.copy_within(s.b..s.b + b_wins, s.dest);
                    s.dest += b_wins;
                    s.b += b_wins;
                    s.nb -= b_wins;
                    if s.nb == 0 {
                        return Ok(false);
                    }
                }
                take_a!();
                if a_wins < MIN_GALLOP && b_wins < MIN_GALLOP {
                    break;
                }
            }
            min_gallop += 1;
            self.min_gallop = min_gallop;
        }
    }

    /// Merges from the right; the shorter right run is set aside.
    fn merge_high(&mut self, start: usize, na: usize, nb: usize) -> Result<(), E> {
        self.buffer.clear();
        self.buffer.extend_from_slice(&self.items[start + na..start + na + nb]);
        let mut state = High { start, dest: start + na + nb, na, nb };
        let outcome = self.merge_high_steps(&mut state);
        let High { start, dest, na, nb } = state;
        if matches!(outcome, Ok(true)) {
            // The first of the right run belongs before all that is left of the left one.
            self.items.copy_within(start..start + na, dest - na);
            self.items[dest - na - 1] = self.buffer[0];
        } else {
            self.items[dest - nb..dest].copy_from_slice(&self.buffer[..nb]);
        }
        outcome.map(|_| ())
    }

    /// True when it ends with one item left on the right. `dest` is one past the gap; the gap is as long as the buffer's rest.
    fn merge_high_steps(&mut self, s: &mut High) -> Result<bool, E> {
        macro_rules! take_a {
            () => {
                s.dest -= 1;
                s.na -= 1;
                self.items[s.dest] = self.items[s.start + s.na];
                if s.na == 0 {
                    return Ok(false);
                }
            };
        }
        macro_rules! take_b {
            () => {
                s.dest -= 1;
                s.nb -= 1;
                self.items[s.dest] = self.buffer[s.nb];
                if s.nb == 1 {
                    return Ok(true);
                }
            };
        }
        take_a!();
        if s.nb == 1 {
            return Ok(true);
        }
        let mut min_gallop = self.min_gallop;
        loop {
            let (mut a_wins, mut b_wins) = (0, 0);
            loop {
                if (self.less)(&self.buffer[s.nb - 1], &self.items[s.start + s.na - 1])? {
                    a_wins += 1;
                    b_wins = 0;
                    take_a!();
                    if a_wins >= min_gallop {
                        break;
                    }
                } else {
                    b_wins += 1;
                    a_wins = 0;
                    take_b!();
                    if b_wins >= min_gallop {
                        break;
                    }
                }
            }
            min_gallop += 1;
            loop {
                min_gallop -= usize::from(min_gallop > 1);
                self.min_gallop = min_gallop;
                let key = self.buffer[s.nb - 1];
                let keep = gallop_right(&mut self.less, &key, &self.items[s.start..s.start + s.na], s.na - 1)?;
                a_wins = s.na - keep;
                if a_wins > 0 {
                    self.items.copy_within(s.start + keep..s.start + s.na, s.dest - a_wins);
                    s.dest -= a_wins;
                    s.na = keep;
                    if s.na == 0 {
                        return Ok(false);
                    }
                }
                take_b!();
                let key = self.items[s.start + s.na - 1];
                let keep = gallop_left(&mut self.less, &key, &self.buffer[..s.nb], s.nb - 1)?;
                b_wins = s.nb - keep;
                if b_wins > 0 {
                    self.items[s.dest - b_wins..s.dest].copy_from_slice(&self.buffer[keep..s.nb]);
                    s.dest -= b_wins;
                    s.nb = keep;
                    if s.nb == 1 {
                        return Ok(true);
                    }
                    // Only an inconsistent comparison leads here.
                    if s.nb == 0 {
                        return Ok(false);
                    }
                }
                take_a!();
                if a_wins < MIN_GALLOP && b_wins < MIN_GALLOP {
                    break;
                }
            }
            min_gallop += 1;
            self.min_gallop = min_gallop;
        }
    }
}

/// Where a merge from the left stands: the gap at `dest` is as long as what is left in the buffer (`na` items from `a`).
struct Low {
    dest: usize,
    a: usize,
    na: usize,
    b: usize,
    nb: usize,
}

/// Where a merge from the right stands.
struct High {
    start: usize,
    dest: usize,
    na: usize,
    nb: usize,
}

fn min_run(mut n: usize) -> usize {
    let mut odd = 0;
    while n >= MAX_MIN_RUN {
        odd |= n & 1;
        n >>= 1;
    }
    n + odd
}

/// The depth, in a perfectly balanced merge tree, of the node between two neighbouring runs.
fn power(start: usize, left: usize, right: usize, total: usize) -> u32 {
    let mut a = 2 * start + left;
    let mut b = a + left + right;
    let mut result = 0;
    loop {
        result += 1;
        if a >= total {
            a -= total;
            b -= total;
        } else if b >= total {
            return result;
        }
        a <<= 1;
        b <<= 1;
    }
}

/// Where `key` goes among the sorted `items`, before equal ones; the search starts at `hint`.
fn gallop_left<T, E>(less: &mut impl FnMut(&T, &T) -> Result<bool, E>, key: &T, items: &[T], hint: usize) -> Result<usize, E> {
    let (mut last, mut offset) = (0, 1);
    let (mut low, mut high);
    if less(&items[hint], key)? {
        let max = items.len() - hint;
        while offset < max && less(&items[hint + offset], key)? {
            last = offset;
            offset = (offset << 1) + 1;
        }
        low = hint + last + 1;
        high = hint + offset.min(max);
    } else {
        let max = hint + 1;
        while offset < max && !less(&items[hint - offset], key)? {
            last = offset;
            offset = (offset << 1) + 1;
        }
        low = hint + 1 - offset.min(max);
        high = hint - last;
    }
    while low < high {
        let middle = low + ((high - low) >> 1);
        if less(&items[middle], key)? {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    Ok(high)
}

/// Where `key` goes among the sorted `items`, behind equal ones; the search starts at `hint`.
fn gallop_right<T, E>(less: &mut impl FnMut(&T, &T) -> Result<bool, E>, key: &T, items: &[T], hint: usize) -> Result<usize, E> {
    let (mut last, mut offset) = (0, 1);
    let (mut low, mut high);
    if less(key, &items[hint])? {
        let max = hint + 1;
        while offset < max && less(key, &items[hint - offset])? {
            last = offset;
            offset = (offset << 1) + 1;
        }
        low = hint + 1 - offset.min(max);
        high = hint - last;
    } else {
        let max = items.len() - hint;
        while offset < max && !less(key, &items[hint + offset])? {
            last = offset;
            offset = (offset << 1) + 1;
        }
        low = hint + last + 1;
        high = hint + offset.min(max);
    }
    while low < high {
        let middle = low + ((high - low) >> 1);
        if less(key, &items[middle])? {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Ok(high)
}

#[cfg(test)]
mod tests {
    use super::sort;

    fn numbers(n: usize, seed: u64, range: u64) -> Vec<(u64, usize)> {
        let mut state = seed;
        (0..n)
            .map(|index| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                ((state >> 33) % range, index)
            })
            .collect()
    }

    #[test]
    fn equal_items_keep_their_order() {
        for n in [0, 1, 2, 3, 63, 64, 65, 200, 1000, 5000] {
            for range in [1, 2, 10, 1_000_000] {
                let mut items = numbers(n, n as u64, range);
                let mut expected = items.clone();
                expected.sort_by_key(|item| item.0);
                sort(&mut items, |a, b| Ok::<_, ()>(a.0 < b.0)).expect("never fails");
                assert_eq!(items, expected, "{n} {range}");
            }
        }
    }

    #[test]
    fn runs_and_sawteeth_come_out_sorted() {
        let mut items: Vec<(u64, usize)> =
            (0..3000).map(|index| ((index % 700) as u64, index)).chain((0..900).rev().map(|index| (index as u64 / 3, index))).collect();
        let mut expected = items.clone();
        expected.sort_by_key(|item| item.0);
        sort(&mut items, |a, b| Ok::<_, ()>(a.0 < b.0)).expect("never fails");
        assert_eq!(items, expected);
    }

    #[test]
    fn an_error_or_a_lie_leaves_a_permutation() {
        for stop in (0..4000).step_by(37) {
            let mut items = numbers(500, 7, 100);
            let mut count = 0;
            let outcome = sort(&mut items, |a, b| {
                count += 1;
                if count == stop { Err(()) } else { Ok(a.0 < b.0) }
            });
            assert_eq!(outcome.is_err(), count == stop);
            let mut indices: Vec<usize> = items.iter().map(|item| item.1).collect();
            indices.sort_unstable();
            assert!(indices.into_iter().eq(0..500));
        }
        for seed in 0..50 {
            let mut items = numbers(700, seed, 50);
            let mut state = seed;
            sort(&mut items, |_, _| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                Ok::<_, ()>(state >> 40 & 1 == 0)
            })
            .expect("never fails");
            let mut indices: Vec<usize> = items.iter().map(|item| item.1).collect();
            indices.sort_unstable();
            assert!(indices.into_iter().eq(0..700));
        }
    }
}
