//! From a pattern's tree to the program that the matcher runs.

use super::super::text::Text;
use super::charset::{Bits, Category, CharSet, Class, Fold, Item};
use super::parse::{At, MAX_REPEAT, Node, Repeat, Sequence};
use super::{PatternError, flag};

/// A pattern ready to run.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) ops: Vec<Op>,
    pub(super) sets: Vec<CharSet>,
    /// The characters of `Op::Literal`s.
    pub(super) literals: Vec<u32>,
    /// How many loops count.
    pub(super) loops: usize,
    /// One more than there are numbered groups.
    pub(super) groups: usize,
    /// What every match begins with.
    pub(super) prefix: Vec<u32>,
    /// Which characters a match can begin with, when it cannot be empty.
    pub(super) first: Option<First>,
    /// Whether it can match at the beginning of the subject only.
    pub(super) anchored: bool,
    /// The least length of a match.
    pub(super) min_width: usize,
    /// The greatest length of a match; `MOST` when there is no limit.
    pub(super) max_width: u64,
}

/// Which characters may come first.
#[derive(Debug, Clone, Copy)]
pub(super) struct First {
    pub(super) low: Bits,
    /// Whether any at or above 256 may.
    pub(super) wide: bool,
}

impl First {
    #[inline]
    pub(super) fn has(self, code: u32) -> bool {
        if code < 256 { self.low.has(code) } else { self.wide }
    }
}

/// Something that matches one character.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Single {
    Char(u32),
    NotChar(u32),
    /// Any character but a newline.
    NotNewline,
    Any,
    /// Index into the sets.
    Set(u32),
}

/// A place to be at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Start,
    StartOfLine,
    /// The end, or before a newline that ends the subject.
    End,
    EndOfLine,
    EndOfString,
    Boundary {
        unicode: bool,
    },
    NonBoundary {
        unicode: bool,
    },
}

/// An instruction of the matcher; targets are indices of instructions.
#[derive(Debug, Clone, Copy)]
pub(super) enum Op {
    One(Single),
    /// `len` characters of the literals from `at`.
    Literal {
        at: u32,
        len: u32,
    },
    Place(Place),
    /// Remembers the position as the beginning (even) or end (odd) of a group.
    Save(u32),
    Jump(u32),
    /// An alternative begins; `next` is where the next one does, [`NONE`] after the last; `filter` indexes the firsts.
    Branch {
        next: u32,
        filter: u32,
    },
    /// Repeats one character; `next` is the one that must follow, or [`NONE`].
    RepeatOne {
        single: Single,
        min: u32,
        max: u32,
        kind: Repeat,
        next: u32,
    },
    /// Begins to count a loop.
    LoopStart(u32),
    /// Goes round again, to the next instruction, or leaves for `exit`.
    Loop {
        index: u32,
        min: u32,
        max: u32,
        lazy: bool,
        exit: u32,
    },
    Reference {
        group: u32,
        fold: Fold,
    },
    /// Goes on when the group matched, otherwise at `otherwise`.
    IfGroup {
        group: u32,
        otherwise: u32,
    },
    /// Begins a look-ahead, a look-behind from `back` characters before, or an atomic group.
    Cut {
        back: u32,
        kind: Cut,
        end: u32,
    },
    /// Ends what the last `Cut` began.
    EndCut,
    Fail,
    Match,
}

/// What is cut off from giving back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cut {
    Look,
    NotLook,
    Atomic,
}

/// "No instruction", "no filter".
pub(super) const NONE: u32 = u32::MAX;

/// A width without limit.
pub(super) const MOST: u64 = 1 << 62;

type Result<T> = std::result::Result<T, PatternError>;

pub(super) fn compile(body: &Sequence, flags: u32, groups: usize) -> Result<Program> {
    let mut compiler =
        Compiler { ops: Vec::new(), sets: Vec::new(), literals: Vec::new(), firsts: Vec::new(), widths: vec![(0, 0); groups], loops: 0 };
    let (min_width, max_width) = compiler.width(body);
    compiler.sequence(body, flags)?;
    compiler.ops.push(Op::Match);
    let (first, nullable) = compiler.first(body, flags);
    let prefix = prefix(&compiler.ops, &compiler.literals);
    let anchored = matches!(body.first(), Some(Node::At(At::BeginningOfString)))
        || matches!(body.first(), Some(Node::At(At::Beginning))) && flags & flag::MULTILINE == 0;
    let Compiler { ops, mut sets, literals, firsts, loops, .. } = compiler;
    // Filters are sets like any other once the program is done.
    let offset = sets.len() as u32;
    sets.extend(firsts);
    let mut ops: Vec<Op> = ops
        .into_iter()
        .map(|op| match op {
            Op::Branch { next, filter } if filter != NONE => Op::Branch { next, filter: filter + offset },
            op => op,
        })
        .collect();
    note_next_characters(&mut ops, &literals);
    Ok(Program {
        ops,
        sets,
        literals,
        loops,
        groups,
        prefix,
        first: (!nullable).then_some(first),
        anchored,
        min_width: min_width as usize,
        max_width,
    })
}

impl Program {
    pub(super) fn heap_size(&self) -> usize {
        let sets: usize = self.sets.iter().map(CharSet::heap_size).sum();
        self.ops.capacity() * size_of::<Op>() + self.sets.capacity() * size_of::<CharSet>() + sets + self.literals.capacity() * 4
    }
}

/// Tells repetitions which character must follow them, so that they stop nowhere else.
fn note_next_characters(ops: &mut [Op], literals: &[u32]) {
    for index in 0..ops.len() {
        let follower = ops[index + 1..].iter().find(|op| !matches!(op, Op::Save(_))).copied();
        if let Op::RepeatOne { next, .. } = &mut ops[index] {
            *next = match follower {
                Some(Op::One(Single::Char(code))) => code,
                Some(Op::Literal { at, .. }) => literals[at as usize],
                _ => NONE,
            };
        }
    }
}

/// The characters that come first in any case.
fn prefix(ops: &[Op], literals: &[u32]) -> Vec<u32> {
    let mut prefix = Vec::new();
    for op in ops {
        match *op {
            Op::Save(_) => {}
            Op::One(Single::Char(code)) => prefix.push(code),
            Op::Literal { at, len } => {
                prefix.extend_from_slice(&literals[at as usize..(at + len) as usize]);
            }
            _ => break,
        }
    }
    prefix
}

struct Compiler {
    ops: Vec<Op>,
    sets: Vec<CharSet>,
    literals: Vec<u32>,
    firsts: Vec<CharSet>,
    /// The least and most that each group matches, once known.
    widths: Vec<(u64, u64)>,
    loops: usize,
}

fn is_unicode(flags: u32) -> bool {
    flags & flag::UNICODE != 0
}

fn fold_of(flags: u32) -> Fold {
    if flags & flag::IGNORECASE == 0 {
        Fold::None
    } else if is_unicode(flags) {
        Fold::Unicode
    } else {
        Fold::Ascii
    }
}

fn with_flags(flags: u32, add: u32, remove: u32) -> u32 {
    let kept = if add & flag::TYPES != 0 { flags & !flag::TYPES } else { flags };
    (kept | add) & !remove
}

impl Compiler {
    fn here(&self) -> u32 {
        self.ops.len() as u32
    }

    fn emit(&mut self, op: Op) -> usize {
        self.ops.push(op);
        self.ops.len() - 1
    }

    fn set(&mut self, items: &[Item], negated: bool, flags: u32) -> Single {
        let set = CharSet::new(items, negated, fold_of(flags), is_unicode(flags));
        let index = self.sets.iter().position(|other| *other == set).unwrap_or_else(|| {
            self.sets.push(set);
            self.sets.len() - 1
        });
        Single::Set(index as u32)
    }

    /// What matches one character, if the node does.
    fn single(&mut self, node: &Node, flags: u32) -> Option<Single> {
        let fold = fold_of(flags);
        Some(match node {
            Node::Literal(code) if !fold.is_cased(*code) => Single::Char(*code),
            Node::Literal(code) => self.set(&[Item::Char(*code)], false, flags),
            Node::Any if flags & flag::DOTALL != 0 => Single::Any,
            Node::Any => Single::NotNewline,
            Node::Set { items, negated: true } if fold == Fold::None => match items[..] {
                [Item::Char(code)] => Single::NotChar(code),
                _ => self.set(items, true, flags),
            },
            Node::Set { items, negated: false } if is_everything(items) => Single::Any,
            Node::Set { items, negated } => self.set(items, *negated, flags),
            _ => return None,
        })
    }

    fn sequence(&mut self, nodes: &[Node], flags: u32) -> Result<()> {
        let mut nodes = nodes.iter().peekable();
        while let Some(node) = nodes.next() {
            let Some(single) = self.single(node, flags) else {
                self.node(node, flags)?;
                continue;
            };
            let Single::Char(code) = single else {
                self.emit(Op::One(single));
                continue;
            };
            let at = self.literals.len();
            self.literals.push(code);
            while let Some(Node::Literal(code)) = nodes.peek()
                && !fold_of(flags).is_cased(*code)
            {
                self.literals.push(*code);
                nodes.next();
            }
            let len = self.literals.len() - at;
            if len == 1 {
                self.literals.pop();
                self.emit(Op::One(single));
            } else {
                self.emit(Op::Literal { at: at as u32, len: len as u32 });
            }
        }
        Ok(())
    }

    fn node(&mut self, node: &Node, flags: u32) -> Result<()> {
        match node {
            Node::Literal(_) | Node::Any | Node::Set { .. } => {
                unreachable!("single characters were emitted before")
            }
            Node::At(at) => {
                self.emit(Op::Place(place(*at, flags)));
            }
            Node::Branch(branches) => self.branch(branches, flags)?,
            Node::Group { number, add, remove, body } => {
                let flags = with_flags(flags, *add, *remove);
                if let Some(number) = number {
                    self.emit(Op::Save(*number as u32 * 2));
                }
                self.sequence(body, flags)?;
                if let Some(number) = number {
                    self.emit(Op::Save(*number as u32 * 2 + 1));
                }
            }
            Node::Repeat { min, max, kind, body } => self.repeat(*min, *max, *kind, body, flags)?,
            Node::Look { behind, negated, body } => {
                let mut back = 0;
                if *behind {
                    let (min, max) = self.width(body);
                    if min != max {
                        let message = Text::from("look-behind requires fixed-width pattern");
                        return Err(PatternError::Pattern { message, position: None });
                    }
                    back = u32::try_from(min).map_err(|_| PatternError::Pattern { message: Text::from("looks too much behind"), position: None })?;
                }
                self.cut(back, if *negated { Cut::NotLook } else { Cut::Look }, |compiler| compiler.sequence(body, flags))?;
            }
            Node::Atomic(body) => {
                self.cut(0, Cut::Atomic, |compiler| compiler.sequence(body, flags))?;
            }
            Node::Reference(group) => {
                self.emit(Op::Reference { group: *group as u32, fold: fold_of(flags) });
            }
            Node::Conditional { group, yes, no } => {
                let test = self.emit(Op::IfGroup { group: *group as u32, otherwise: NONE });
                self.sequence(yes, flags)?;
                let jump = no.as_ref().map(|_| self.emit(Op::Jump(NONE)));
                let after = self.here();
                self.ops[test] = Op::IfGroup { group: *group as u32, otherwise: after };
                if let (Some(no), Some(jump)) = (no, jump) {
                    self.sequence(no, flags)?;
                    self.ops[jump] = Op::Jump(self.here());
                }
            }
            Node::Fail => {
                self.emit(Op::Fail);
            }
        }
        Ok(())
    }

    fn cut(&mut self, back: u32, kind: Cut, body: impl FnOnce(&mut Self) -> Result<()>) -> Result<()> {
        let start = self.emit(Op::Fail);
        body(self)?;
        self.emit(Op::EndCut);
        self.ops[start] = Op::Cut { back, kind, end: self.here() };
        Ok(())
    }

    fn branch(&mut self, branches: &[Sequence], flags: u32) -> Result<()> {
        let mut jumps = Vec::new();
        let mut last = None;
        for branch in branches {
            if let Some((index, filter)) = last {
                self.ops[index] = Op::Branch { next: self.here(), filter };
            }
            let (first, nullable) = self.first(branch, flags);
            let filter = if nullable {
                NONE
            } else {
                self.firsts.push(filter_set(first));
                self.firsts.len() as u32 - 1
            };
            let index = self.emit(Op::Branch { next: NONE, filter });
            last = Some((index, filter));
            self.sequence(branch, flags)?;
            jumps.push(self.emit(Op::Jump(NONE)));
        }
        let end = self.here();
        for jump in jumps {
            self.ops[jump] = Op::Jump(end);
        }
        Ok(())
    }

    fn repeat(&mut self, min: u32, max: u32, kind: Repeat, body: &Sequence, flags: u32) -> Result<()> {
        if let [node] = &body[..]
            && let Some(single) = self.single(node, flags)
        {
            self.emit(Op::RepeatOne { single, min, max, kind, next: NONE });
            return Ok(());
        }
        if kind == Repeat::Possessive {
            return self.cut(0, Cut::Atomic, |compiler| compiler.repeat(min, max, Repeat::Greedy, body, flags));
        }
        let lazy = kind == Repeat::Lazy;
        let index = self.loops as u32;
        self.loops += 1;
        self.emit(Op::LoopStart(index));
        let head = self.emit(Op::Fail);
        self.sequence(body, flags)?;
        self.emit(Op::Jump(head as u32));
        self.ops[head] = Op::Loop { index, min, max, lazy, exit: self.here() };
        Ok(())
    }

    /// The least and most that a sequence matches; group widths are noted on the way.
    fn width(&mut self, nodes: &[Node]) -> (u64, u64) {
        nodes.iter().fold((0, 0), |(least, most), node| {
            let (low, high) = match node {
                Node::Literal(_) | Node::Any | Node::Set { .. } => (1, 1),
                Node::At(_) | Node::Look { .. } | Node::Fail => {
                    if let Node::Look { body, .. } = node {
                        self.width(body);
                    }
                    (0, 0)
                }
                Node::Branch(branches) => branches.iter().fold((MOST, 0), |(least, most), branch| {
                    let (low, high) = self.width(branch);
                    (least.min(low), most.max(high))
                }),
                Node::Group { number, body, .. } => {
                    let width = self.width(body);
                    if let Some(number) = number {
                        self.widths[*number] = width;
                    }
                    width
                }
                Node::Atomic(body) => self.width(body),
                Node::Repeat { min, max, body, .. } => {
                    let (low, high) = self.width(body);
                    let most = if *max == MAX_REPEAT && high > 0 { MOST } else { high.saturating_mul(u64::from(*max)) };
                    (low.saturating_mul(u64::from(*min)), most)
                }
                Node::Reference(group) => self.widths[*group],
                Node::Conditional { yes, no, .. } => {
                    let (low, high) = self.width(yes);
                    match no {
                        Some(no) => {
                            let (other_low, other_high) = self.width(no);
                            (low.min(other_low), high.max(other_high))
                        }
                        None => (0, high),
                    }
                }
            };
            (least.saturating_add(low).min(MOST), most.saturating_add(high).min(MOST))
        })
    }

    /// What a sequence can begin with, and whether it can match nothing.
    fn first(&mut self, nodes: &[Node], flags: u32) -> (First, bool) {
        let all = || {
            let mut low = Bits::default();
            (0..256).for_each(|code| low.add(code));
            First { low, wide: true }
        };
        let mut total = First { low: Bits::default(), wide: false };
        for node in nodes {
            let (first, nullable) = match node {
                Node::Literal(_) | Node::Any | Node::Set { .. } => {
                    let single = self.single(node, flags).expect("a single character");
                    (self.first_of(single).unwrap_or_else(all), false)
                }
                Node::At(_) | Node::Look { .. } => continue,
                Node::Branch(branches) => {
                    let mut union = First { low: Bits::default(), wide: false };
                    let mut any_nullable = false;
                    for branch in branches {
                        let (first, nullable) = self.first(branch, flags);
                        union.low.union(first.low);
                        union.wide |= first.wide;
                        any_nullable |= nullable;
                    }
                    (union, any_nullable)
                }
                Node::Group { add, remove, body, .. } => self.first(body, with_flags(flags, *add, *remove)),
                Node::Atomic(body) => self.first(body, flags),
                Node::Repeat { min, body, .. } => {
                    let (first, nullable) = self.first(body, flags);
                    (first, nullable || *min == 0)
                }
                Node::Reference(_) | Node::Conditional { .. } => (all(), true),
                Node::Fail => (First { low: Bits::default(), wide: false }, false),
            };
            total.low.union(first.low);
            total.wide |= first.wide;
            if !nullable {
                return (total, false);
            }
        }
        (total, true)
    }

    fn first_of(&self, single: Single) -> Option<First> {
        let mut low = Bits::default();
        Some(match single {
            Single::Char(code) if code < 256 => {
                low.add(code);
                First { low, wide: false }
            }
            Single::Char(_) => First { low, wide: true },
            Single::NotChar(not) => {
                (0..256).filter(|&code| code != not).for_each(|code| low.add(code));
                First { low, wide: true }
            }
            Single::NotNewline => {
                (0..256).filter(|&code| code != 0x0A).for_each(|code| low.add(code));
                First { low, wide: true }
            }
            Single::Any => return None,
            Single::Set(index) => {
                let (low, wide) = self.sets[index as usize].first();
                First { low, wide }
            }
        })
    }
}

/// A filter as a set, so that the matcher asks one kind of thing.
fn filter_set(first: First) -> CharSet {
    let mut items: Vec<Item> = (0..256).filter(|&code| first.low.has(code)).map(Item::Char).collect();
    if first.wide {
        items.push(Item::Range(256, 0x10_FFFF));
    }
    CharSet::new(&items, false, Fold::None, false)
}

/// Whether a set has a category and its opposite, as `[\s\S]`.
fn is_everything(items: &[Item]) -> bool {
    let has = |class: Class, negated: bool| items.contains(&Item::Category(Category { class, negated }));
    [Class::Digit, Class::Space, Class::Word].into_iter().any(|class| has(class, true) && has(class, false))
}

fn place(at: At, flags: u32) -> Place {
    let multiline = flags & flag::MULTILINE != 0;
    let unicode = is_unicode(flags);
    match at {
        At::Beginning if multiline => Place::StartOfLine,
        At::Beginning | At::BeginningOfString => Place::Start,
        At::End if multiline => Place::EndOfLine,
        At::End => Place::End,
        At::EndOfString => Place::EndOfString,
        At::Boundary => Place::Boundary { unicode },
        At::NonBoundary => Place::NonBoundary { unicode },
    }
}
