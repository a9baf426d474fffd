//! Looking up from long work: what goes over millions of characters asks now and then whether to go on.
//!
//! The functions of this layer know nobody whom they could ask, and most texts are short. So who calls them with a long text sets a *watch* for the
//! thread ([`watched`]), and the loops ask it once for each piece of [`PIECE`] units ([`go_on`], [`pieces`]). Once it said no, they return whatever they
//! have at once, which [`watched`] drops. Without a watch, and for texts of one piece, nothing is asked.

use std::cell::RefCell;

/// How many units are gone over between two questions: some hundred microseconds' work for most of it.
pub(crate) const PIECE: usize = 1 << 18;

/// How many parts or matches are dealt with between two questions.
pub(crate) const MANY: usize = 1 << 14;

/// Whom to ask.
struct Watch {
    may_go_on: Box<dyn FnMut() -> bool>,
    is_over: bool,
}

thread_local! {
    static WATCH: RefCell<Option<Watch>> = const { RefCell::new(None) };
}

/// Puts the watch back that was set before.
struct Before(Option<Watch>);

impl Drop for Before {
    fn drop(&mut self) {
        let before = self.0.take();
        WATCH.with_borrow_mut(|watch| *watch = before);
    }
}

/// Runs `work`, which is broken off once `may_go_on` says no: then `None`.
pub(crate) fn watched<R>(may_go_on: impl FnMut() -> bool + 'static, work: impl FnOnce() -> R) -> Option<R> {
    let watch = Watch { may_go_on: Box::new(may_go_on), is_over: false };
    let before = Before(WATCH.replace(Some(watch)));
    let result = work();
    let is_over = WATCH.with_borrow(|watch| watch.as_ref().is_some_and(|watch| watch.is_over));
    drop(before);
    (!is_over).then_some(result)
}

/// Whether to go on; asked between two pieces.
#[cold]
pub(crate) fn go_on() -> bool {
    WATCH.with_borrow_mut(|watch| match watch {
        Some(watch) => {
            watch.is_over = watch.is_over || !(watch.may_go_on)();
            !watch.is_over
        }
        None => true,
    })
}

/// The units in pieces; the rest is left out once the watch says no.
#[inline]
pub(crate) fn pieces<U>(units: &[U]) -> impl Iterator<Item = &[U]> {
    units.chunks(PIECE).enumerate().take_while(|(index, _)| *index == 0 || go_on()).map(|(_, piece)| piece)
}

/// As [`pieces`], the last one first.
pub(crate) fn pieces_from_end<U>(units: &[U]) -> impl Iterator<Item = &[U]> {
    units.rchunks(PIECE).enumerate().take_while(|(index, _)| *index == 0 || go_on()).map(|(_, piece)| piece)
}

/// Items in runs of [`MANY`], for work that takes longer with each than with a unit of text; the rest is left out once the watch says no.
#[inline]
pub(crate) fn runs<T>(items: &[T]) -> impl Iterator<Item = &[T]> {
    items.chunks(MANY).enumerate().take_while(|(index, _)| *index == 0 || go_on()).map(|(_, run)| run)
}

/// A copy of the items, or of the first of them once the watch says no.
pub(crate) fn cloned<T: Clone>(items: &[T]) -> Vec<T> {
    if items.len() <= MANY {
        return items.to_vec();
    }
    let mut copy = Vec::with_capacity(items.len());
    runs(items).for_each(|run| copy.extend_from_slice(run));
    copy
}

/// The items of both, or the first of them once the watch says no.
pub(crate) fn joined<T: Clone>(left: &[T], right: &[T]) -> Vec<T> {
    if left.len() + right.len() <= MANY {
        return [left, right].concat();
    }
    let mut copy = Vec::with_capacity(left.len() + right.len());
    runs(left).for_each(|run| copy.extend_from_slice(run));
    runs(right).for_each(|run| copy.extend_from_slice(run));
    copy
}

/// What the iterator gives, until the watch says no.
pub(crate) fn collected<T>(mut items: impl ExactSizeIterator<Item = T>) -> Vec<T> {
    if items.len() <= MANY {
        return items.collect();
    }
    let mut copy = Vec::with_capacity(items.len());
    loop {
        copy.extend(items.by_ref().take(MANY));
        if items.len() == 0 || !go_on() {
            return copy;
        }
    }
}

/// Where the first unit stands of which `is_it` is true.
#[inline]
pub(crate) fn position<U: Copy>(units: &[U], is_it: impl Fn(U) -> bool) -> Option<usize> {
    if units.len() <= PIECE {
        return units.iter().position(|&unit| is_it(unit));
    }
    let mut before = 0;
    for piece in pieces(units) {
        if let Some(at) = piece.iter().position(|&unit| is_it(unit)) {
            return Some(before + at);
        }
        before += piece.len();
    }
    None
}

/// Where the last unit stands of which `is_it` is true.
#[inline]
pub(crate) fn rposition<U: Copy>(units: &[U], is_it: impl Fn(U) -> bool) -> Option<usize> {
    if units.len() <= PIECE {
        return units.iter().rposition(|&unit| is_it(unit));
    }
    let mut end = units.len();
    for piece in pieces_from_end(units) {
        end -= piece.len();
        if let Some(at) = piece.iter().rposition(|&unit| is_it(unit)) {
            return Some(end + at);
        }
    }
    None
}

/// Counts what is done and asks after every [`MANY`].
#[derive(Default)]
pub(crate) struct Counted(usize);

impl Counted {
    /// One more is done; whether to go on.
    #[inline]
    pub(crate) fn go_on(&mut self) -> bool {
        self.0 += 1;
        !self.0.is_multiple_of(MANY) || go_on()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_broken_off_between_pieces() {
        let units = vec![0_u8; PIECE * 4];
        let mut left = 2;
        let done = watched(
            move || {
                left -= 1;
                left > 0
            },
            || assert_eq!(pieces(&units).count(), 2),
        );
        assert_eq!(done, None);
        assert_eq!(watched(|| true, || pieces(&units).map(<[u8]>::len).sum()), Some(PIECE * 4));
        assert_eq!(pieces(&units).count(), 4);
        assert_eq!(watched(|| false, || assert_eq!(cloned(&units).len(), MANY)), None);
        assert_eq!(cloned(&units), units);
    }

    #[test]
    fn positions_are_those_of_the_whole() {
        let mut units = vec![0_u16; PIECE * 2 + 5];
        assert_eq!((position(&units, |unit| unit == 7), rposition(&units, |unit| unit == 7)), (None, None));
        for at in [0, PIECE - 1, PIECE, PIECE * 2, PIECE * 2 + 4] {
            units[at] = 7;
            assert_eq!((position(&units, |unit| unit == 7), rposition(&units, |unit| unit == 7)), (Some(at), Some(at)));
            units[at] = 0;
        }
    }
}
