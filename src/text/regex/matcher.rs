//! Runs a program over units of any width, by backtracking on a stack of choices; nothing here recurses.

use bytemuck::Pod;

use super::super::search::{Finder, find_unit, rfind_unit};
use super::super::view::Unit;
use super::charset::{CharSet, Class, in_class};
use super::compile::{Cut, NONE, Op, Place, Program, Single};
use super::parse::{MAX_REPEAT, Repeat};
use super::{Interrupted, Mode, Request, UNSET};

/// Instructions between two polls: well below a millisecond.
const POLL_EVERY: u32 = 20_000;
/// More choices than this are refused.
const MAX_CHOICES: usize = 1 << 26;
/// Stacks above this are not kept for the next match.
const KEPT_CHOICES: usize = 1 << 12;

/// What a match needs beside the subject; kept from one match to the next.
#[derive(Debug, Default)]
pub(super) struct Scratch {
    choices: Vec<Choice>,
    /// Beginnings and ends of the groups, then the number of the group that closed last.
    pub(super) slots: Vec<usize>,
    loops: Vec<Counter>,
    /// Where in `choices` the open cuts are.
    cuts: Vec<usize>,
}

impl Scratch {
    /// Sees to room for the choices until the next poll, once there are many; `false` when there is no memory for them.
    fn has_room(&mut self) -> bool {
        let more = 2 * POLL_EVERY as usize;
        let choices = &mut self.choices;
        choices.len() < more || choices.try_reserve(more).is_ok() || choices.try_reserve_exact(more).is_ok()
    }

    /// Gives memory of an unusually deep match back.
    pub(super) fn shrink(&mut self) {
        self.choices.clear();
        self.choices.shrink_to(KEPT_CHOICES);
    }
}

#[derive(Debug, Clone, Copy)]
struct Counter {
    count: u32,
    /// Where the last turn began.
    last: usize,
}

/// Something to come back to, or to undo on the way back.
#[derive(Debug, Clone, Copy)]
enum Choice {
    /// Goes on there.
    Go { pc: u32, position: usize },
    /// The slot was this before.
    Slot { slot: u32, old: usize },
    /// The loop's counter was this before.
    Counter { index: u32, count: u32, last: usize },
    /// Leaves the loop instead of going round.
    Leave { pc: u32, count: u32, last: usize, position: usize },
    /// Goes round the loop instead of leaving.
    Round { pc: u32, count: u32, last: usize, position: usize },
    /// Gives back characters of a greedy repetition, down to `least`.
    Shorter { pc: u32, least: usize, position: usize },
    /// Takes one more character of a lazy repetition.
    Longer { pc: u32, count: u32, position: usize },
    /// What lies above belongs to the cut at `pc`.
    Cut { pc: u32, position: usize },
}

/// Whether there is a match; where is in the slots.
pub(super) fn run<U: Unit + Pod>(
    program: &Program,
    units: &[U],
    request: Request,
    scratch: &mut Scratch,
    poll: &mut dyn FnMut() -> bool,
) -> Result<bool, Interrupted> {
    scratch.choices.clear();
    scratch.cuts.clear();
    scratch.slots.clear();
    scratch.slots.resize(program.groups * 2 + 1, UNSET);
    scratch.loops.clear();
    scratch.loops.resize(program.loops, Counter { count: 0, last: UNSET });
    let mut matcher = Matcher {
        program,
        units: &units[..request.end],
        full: request.mode == Mode::FullMatch,
        not_empty_at: if request.must_advance { request.start } else { UNSET },
        scratch,
        budget: POLL_EVERY,
        poll,
    };
    if request.mode == Mode::Search { matcher.search(request.start) } else { matcher.run_at(request.start) }
}

struct Matcher<'a, U> {
    program: &'a Program,
    units: &'a [U],
    full: bool,
    /// Where an empty match is refused.
    not_empty_at: usize,
    scratch: &'a mut Scratch,
    budget: u32,
    poll: &'a mut dyn FnMut() -> bool,
}

impl<U: Unit + Pod> Matcher<'_, U> {
    fn search(&mut self, start: usize) -> Result<bool, Interrupted> {
        let program = self.program;
        let end = self.units.len();
        if program.anchored && start > 0 {
            return Ok(false);
        }
        let Some(last) = end.checked_sub(program.min_width) else { return Ok(false) };
        let prefix: Vec<U> = match program.prefix.iter().map(|&code| U::from_code(code)).collect() {
            Some(prefix) => prefix,
            None => return Ok(false),
        };
        // Making a searcher costs more than a short subject.
        let made;
        let finder = if prefix.len() > 1 && last.saturating_sub(start) > 64 {
            made = Finder::new(&prefix);
            Some(&made)
        } else {
            None
        };
        let single = program.first.filter(|first| !first.wide).and_then(|first| first.low.single());
        let single = single.or(program.prefix.first().copied()).and_then(U::from_code);
        let mut at = start;
        while at <= last {
            let rest = &self.units[at..];
            let skipped = if program.anchored {
                Some(0)
            } else if let Some(finder) = finder {
                finder.find(rest)
            } else if let Some(unit) = single {
                find_unit(rest, unit)
            } else if let Some(first) = program.first {
                rest.iter().position(|unit| first.has(unit.code()))
            } else {
                Some(0)
            };
            let Some(skipped) = skipped else { return Ok(false) };
            at += skipped;
            if at > last {
                return Ok(false);
            }
            self.charge(skipped / 16 + 1)?;
            if self.run_at(at)? {
                return Ok(true);
            }
            if program.anchored {
                return Ok(false);
            }
            at += 1;
        }
        Ok(false)
    }

    /// Counts work done, and polls when enough has gathered.
    #[inline]
    fn charge(&mut self, work: usize) -> Result<(), Interrupted> {
        if let Some(left) = self.budget.checked_sub(u32::try_from(work).unwrap_or(u32::MAX)) {
            self.budget = left;
            return Ok(());
        }
        self.poll()
    }

    #[cold]
    fn poll(&mut self) -> Result<(), Interrupted> {
        self.budget = POLL_EVERY;
        if (self.poll)() {
            Err(Interrupted::Stopped)
        } else if self.scratch.choices.len() > MAX_CHOICES || !self.scratch.has_room() {
            Err(Interrupted::TooLarge)
        } else {
            Ok(())
        }
    }

    #[inline]
    fn matches(&self, single: Single, position: usize) -> bool {
        let Some(unit) = self.units.get(position) else { return false };
        let code = unit.code();
        match single {
            Single::Char(other) => code == other,
            Single::NotChar(other) => code != other,
            Single::NotNewline => code != 0x0A,
            Single::Any => true,
            Single::Set(index) => self.set(index).contains(code),
        }
    }

    #[inline]
    fn set(&self, index: u32) -> &CharSet {
        &self.program.sets[index as usize]
    }

    /// How many of at most `most` characters from `position` match.
    #[inline]
    fn count(&mut self, single: Single, position: usize, most: u32) -> Result<usize, Interrupted> {
        /// As many are counted between two polls.
        const AT_ONCE: usize = 1 << 17;
        let rest = &self.units[position..];
        let rest = if most == MAX_REPEAT { rest } else { &rest[..rest.len().min(most as usize)] };
        let mut total = 0;
        for part in rest.chunks(AT_ONCE) {
            let count = self.count_in(single, part);
            total += count;
            self.charge(count / 16)?;
            if count < part.len() {
                break;
            }
        }
        Ok(total)
    }

    #[inline]
    fn count_in(&self, single: Single, rest: &[U]) -> usize {
        let end = match single {
            Single::Any => None,
            Single::NotNewline => U::from_code(0x0A).and_then(|newline| find_unit(rest, newline)),
            Single::NotChar(code) => U::from_code(code).and_then(|unit| find_unit(rest, unit)),
            Single::Char(code) => rest.iter().position(|unit| unit.code() != code),
            Single::Set(index) => {
                let set = self.set(index);
                rest.iter().position(|unit| !set.contains(unit.code()))
            }
        };
        end.unwrap_or(rest.len())
    }

    fn is_word(&self, position: usize, unicode: bool) -> bool {
        self.units.get(position).is_some_and(|unit| in_class(Class::Word, unit.code(), unicode))
    }

    fn is_at(&self, place: Place, position: usize) -> bool {
        let end = self.units.len();
        let newline_at = |position: usize| self.units[position].code() == 0x0A;
        let boundary = |unicode: bool| {
            let before = position > 0 && self.is_word(position - 1, unicode);
            before != self.is_word(position, unicode)
        };
        match place {
            Place::Start => position == 0,
            Place::StartOfLine => position == 0 || newline_at(position - 1),
            Place::End => position == end || position + 1 == end && newline_at(position),
            Place::EndOfLine => position == end || newline_at(position),
            Place::EndOfString => position == end,
            Place::Boundary { unicode } => boundary(unicode),
            // An empty subject has neither.
            Place::NonBoundary { unicode } => end > 0 && !boundary(unicode),
        }
    }

    fn save(&mut self, slot: usize, value: usize) {
        let old = std::mem::replace(&mut self.scratch.slots[slot], value);
        self.scratch.choices.push(Choice::Slot { slot: slot as u32, old });
    }

    fn set_counter(&mut self, index: u32, count: u32, last: usize) -> Counter {
        std::mem::replace(&mut self.scratch.loops[index as usize], Counter { count, last })
    }

    /// The units that a group matched.
    fn group(&self, group: u32) -> Option<(usize, usize)> {
        let at = group as usize * 2;
        let (start, end) = (self.scratch.slots[at], self.scratch.slots[at + 1]);
        (start != UNSET && end != UNSET).then_some((start, end))
    }

    /// Forgets the choices of the innermost cut, but not what they would undo; gives back where it began.
    fn commit(&mut self) -> Option<(u32, usize)> {
        let at = self.scratch.cuts.pop()?;
        let choices = &mut self.scratch.choices;
        let Some(&Choice::Cut { pc, position }) = choices.get(at) else { return None };
        let mut kept = at;
        for index in at + 1..choices.len() {
            let choice = match choices[index] {
                choice @ (Choice::Slot { .. } | Choice::Counter { .. }) => choice,
                Choice::Leave { pc, count, last, .. } | Choice::Round { pc, count, last, .. } => {
                    let Op::Loop { index, .. } = self.program.ops[pc as usize] else { continue };
                    Choice::Counter { index, count, last }
                }
                _ => continue,
            };
            choices[kept] = choice;
            kept += 1;
        }
        choices.truncate(kept);
        Some((pc, position))
    }

    /// Takes back everything since the innermost cut began, and the cut.
    fn abandon(&mut self) {
        let Some(at) = self.scratch.cuts.pop() else { return };
        while self.scratch.choices.len() > at {
            let Some(choice) = self.scratch.choices.pop() else { return };
            self.undo(choice);
        }
    }

    #[inline]
    fn undo(&mut self, choice: Choice) {
        match choice {
            Choice::Slot { slot, old } => self.scratch.slots[slot as usize] = old,
            Choice::Counter { index, count, last } => self.scratch.loops[index as usize] = Counter { count, last },
            Choice::Leave { pc, count, last, .. } | Choice::Round { pc, count, last, .. } => {
                if let Op::Loop { index, .. } = self.program.ops[pc as usize] {
                    self.scratch.loops[index as usize] = Counter { count, last };
                }
            }
            _ => {}
        }
    }

    /// Where a greedy repetition may stop: the last place in `least..=position` at which the following character can
    /// be; shorter ones are left as a choice.
    #[inline]
    fn shorter(&mut self, pc: u32, least: usize, position: usize) -> Option<usize> {
        let mut stop = position;
        if let Op::RepeatOne { next, .. } = self.program.ops[pc as usize]
            && next != NONE
        {
            let unit = U::from_code(next)?;
            let limit = (position + 1).min(self.units.len());
            if limit <= least {
                return None;
            }
            stop = least + rfind_unit(&self.units[least..limit], unit)?;
        }
        if stop > least {
            self.scratch.choices.push(Choice::Shorter { pc, least, position: stop });
        }
        Some(stop)
    }

    /// Where a lazy repetition that has taken `count` characters may stop: the first place from `position` at which
    /// the following character can be; more of them are left as a choice.
    #[inline]
    fn longer(&mut self, pc: u32, mut count: u32, mut position: usize) -> Result<Option<usize>, Interrupted> {
        let Op::RepeatOne { single, max, next, .. } = self.program.ops[pc as usize] else {
            return Ok(None);
        };
        if next != NONE {
            while let Some(unit) = self.units.get(position) {
                if unit.code() == next {
                    break;
                }
                if count >= max || !self.matches(single, position) {
                    return Ok(None);
                }
                position += 1;
                count = count.saturating_add(1);
                if position.is_multiple_of(16) {
                    self.charge(1)?;
                }
            }
            if position == self.units.len() {
                return Ok(None);
            }
        }
        self.charge(1)?;
        if count < max {
            self.scratch.choices.push(Choice::Longer { pc, count, position });
        }
        Ok(Some(position))
    }

    /// Matches at one place. On success the slots are set; on failure they are as before.
    fn run_at(&mut self, start: usize) -> Result<bool, Interrupted> {
        let program = self.program;
        let mut pc = 0_u32;
        let mut position = start;
        loop {
            self.charge(1)?;
            let going = match program.ops[pc as usize] {
                Op::One(single) => {
                    let matches = self.matches(single, position);
                    position += 1;
                    matches
                }
                Op::Literal { at, len } => {
                    let literal = &program.literals[at as usize..(at + len) as usize];
                    let here = self.units.get(position..position + literal.len());
                    position += literal.len();
                    here.is_some_and(|here| here.iter().zip(literal).all(|(unit, &code)| unit.code() == code))
                }
                Op::Place(place) => self.is_at(place, position),
                Op::Save(slot) => {
                    self.save(slot as usize, position);
                    if slot & 1 != 0 {
                        self.save(program.groups * 2, slot as usize / 2);
                    }
                    true
                }
                Op::Jump(target) => {
                    pc = target;
                    continue;
                }
                Op::Branch { next, filter } => {
                    let possible = filter == NONE || self.units.get(position).is_some_and(|unit| self.set(filter).contains(unit.code()));
                    if possible {
                        if next != NONE {
                            self.scratch.choices.push(Choice::Go { pc: next, position });
                        }
                        true
                    } else if next != NONE {
                        pc = next;
                        continue;
                    } else {
                        false
                    }
                }
                Op::RepeatOne { single, min, max, kind, .. } => {
                    let most = if kind == Repeat::Lazy { min } else { max };
                    let count = self.count(single, position, most)?;
                    let least = position.saturating_add(min as usize);
                    if count < min as usize {
                        false
                    } else {
                        match kind {
                            Repeat::Possessive => {
                                position += count;
                                true
                            }
                            Repeat::Lazy => match self.longer(pc, min, least)? {
                                Some(stop) => {
                                    position = stop;
                                    true
                                }
                                None => false,
                            },
                            Repeat::Greedy => match self.shorter(pc, least, position + count) {
                                Some(stop) => {
                                    position = stop;
                                    true
                                }
                                None => false,
                            },
                        }
                    }
                }
                Op::LoopStart(index) => {
                    let old = self.set_counter(index, 0, UNSET);
                    self.scratch.choices.push(Choice::Counter { index, count: old.count, last: old.last });
                    true
                }
                Op::Loop { index, min, max, lazy, exit } => {
                    let Counter { count, last } = self.scratch.loops[index as usize];
                    if count < min {
                        self.scratch.choices.push(Choice::Counter { index, count, last });
                        self.set_counter(index, count + 1, last);
                        true
                    } else if lazy {
                        self.scratch.choices.push(Choice::Round { pc, count, last, position });
                        pc = exit;
                        continue;
                    } else if count < max && position != last {
                        self.scratch.choices.push(Choice::Leave { pc, count, last, position });
                        // Endless loops do not count, so they may go round as often as they like.
                        self.set_counter(index, if max == MAX_REPEAT { count } else { count + 1 }, position);
                        true
                    } else {
                        pc = exit;
                        continue;
                    }
                }
                Op::Reference { group, fold } => match self.group(group) {
                    Some((from, to)) => {
                        let len = to - from;
                        let here = self.units.get(position..position + len);
                        let same = here.is_some_and(|here| {
                            let pairs = here.iter().zip(&self.units[from..to]);
                            pairs.into_iter().all(|(a, b)| a == b || fold.apply(a.code()) == fold.apply(b.code()))
                        });
                        position += len;
                        self.charge(len / 8)?;
                        same
                    }
                    None => false,
                },
                Op::IfGroup { group, otherwise } => {
                    if self.group(group).is_none() {
                        pc = otherwise;
                        continue;
                    }
                    true
                }
                Op::Cut { back, kind, end } => match position.checked_sub(back as usize) {
                    Some(from) => {
                        self.scratch.cuts.push(self.scratch.choices.len());
                        self.scratch.choices.push(Choice::Cut { pc, position });
                        position = from;
                        true
                    }
                    None if kind == Cut::NotLook => {
                        pc = end;
                        continue;
                    }
                    None => false,
                },
                Op::EndCut => {
                    let open = self.scratch.cuts.last().and_then(|&at| self.scratch.choices.get(at));
                    let kind = match open {
                        Some(Choice::Cut { pc, .. }) => match program.ops[*pc as usize] {
                            Op::Cut { kind, .. } => kind,
                            _ => Cut::Atomic,
                        },
                        _ => Cut::Atomic,
                    };
                    self.charge(self.scratch.choices.len() / 64)?;
                    if kind == Cut::NotLook {
                        self.abandon();
                        false
                    } else {
                        let began = self.commit();
                        if let (Cut::Look, Some((_, from))) = (kind, began) {
                            position = from;
                        }
                        true
                    }
                }
                Op::Fail => false,
                Op::Match => {
                    if self.full && position != self.units.len() || position == start && start == self.not_empty_at {
                        false
                    } else {
                        self.scratch.slots[0] = start;
                        self.scratch.slots[1] = position;
                        return Ok(true);
                    }
                }
            };
            if going {
                pc += 1;
                continue;
            }
            match self.back()? {
                Some(next) => (pc, position) = next,
                None => return Ok(false),
            }
        }
    }

    /// Goes back to the last choice: where to go on.
    fn back(&mut self) -> Result<Option<(u32, usize)>, Interrupted> {
        while let Some(choice) = self.scratch.choices.pop() {
            match choice {
                Choice::Go { pc, position } => return Ok(Some((pc, position))),
                Choice::Slot { .. } | Choice::Counter { .. } => self.undo(choice),
                Choice::Leave { pc, position, .. } => {
                    self.undo(choice);
                    if let Op::Loop { exit, .. } = self.program.ops[pc as usize] {
                        return Ok(Some((exit, position)));
                    }
                }
                Choice::Round { pc, count, last, position } => {
                    self.undo(choice);
                    if let Op::Loop { index, max, .. } = self.program.ops[pc as usize]
                        && count < max
                        && position != last
                    {
                        self.scratch.choices.push(Choice::Counter { index, count, last });
                        self.set_counter(index, if max == MAX_REPEAT { count } else { count + 1 }, position);
                        return Ok(Some((pc + 1, position)));
                    }
                }
                Choice::Shorter { pc, least, position } => {
                    self.charge(1)?;
                    if let Some(stop) = self.shorter(pc, least, position - 1) {
                        return Ok(Some((pc + 1, stop)));
                    }
                }
                Choice::Longer { pc, count, position } => {
                    if let Op::RepeatOne { single, .. } = self.program.ops[pc as usize]
                        && self.matches(single, position)
                        && let Some(stop) = self.longer(pc, count.saturating_add(1), position + 1)?
                    {
                        return Ok(Some((pc + 1, stop)));
                    }
                }
                Choice::Cut { pc, position } => {
                    self.scratch.cuts.pop();
                    if let Op::Cut { kind: Cut::NotLook, end, .. } = self.program.ops[pc as usize] {
                        return Ok(Some((end, position)));
                    }
                }
            }
        }
        Ok(None)
    }
}
