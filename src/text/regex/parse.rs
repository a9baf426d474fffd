//! From a pattern to its tree; all errors that a pattern's text can have.

use super::super::builder::TextBuilder;
use super::super::case;
use super::super::character;
use super::super::repr::push_repr;
use super::super::text::Text;
use super::super::unicode;
use super::super::view::TextView;
use super::charset::{Category, Class, Item};
use super::{PatternError, flag};

/// "No limit" as the end of a repetition, and the least number that is refused as a limit.
pub(super) const MAX_REPEAT: u32 = u32::MAX;
const MAX_GROUPS: usize = (i32::MAX / 2) as usize;
/// Groups within groups, where the native stack has room for so many.
const MAX_DEPTH: usize = 480;

/// Nodes that follow one another.
pub(super) type Sequence = Vec<Node>;

/// A part of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    Literal(u32),
    /// `.`
    Any,
    Set {
        items: Vec<Item>,
        negated: bool,
    },
    At(At),
    Branch(Vec<Sequence>),
    Group {
        number: Option<usize>,
        add: u32,
        remove: u32,
        body: Sequence,
    },
    Repeat {
        min: u32,
        max: u32,
        kind: Repeat,
        body: Sequence,
    },
    Look {
        behind: bool,
        negated: bool,
        body: Sequence,
    },
    Atomic(Sequence),
    Reference(usize),
    Conditional {
        group: usize,
        yes: Sequence,
        no: Option<Sequence>,
    },
    /// Never matches.
    Fail,
}

/// A place in the subject; what `^`, `$` and `\b` mean depends on flags.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    Beginning,
    BeginningOfString,
    End,
    EndOfString,
    Boundary,
    NonBoundary,
}

/// How much a repetition takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// As much as it can, giving back.
    Greedy,
    /// As little as it can.
    Lazy,
    /// As much as it can, for good.
    Possessive,
}

/// A pattern's tree, and what was found out on the way.
pub(super) struct Parsed {
    pub(super) body: Sequence,
    pub(super) flags: u32,
    /// One more than there are numbered groups.
    pub(super) groups: usize,
    pub(super) names: Vec<(Text, usize)>,
    /// What a later version of the language may take otherwise.
    pub(super) notes: Vec<String>,
}

type Result<T> = std::result::Result<T, PatternError>;

/// The parser may use a third of `stack_bytes`: the passes over the tree, which go as deep, need less for a level.
pub(super) fn parse(pattern: TextView<'_>, is_bytes: bool, flags: u32, stack_bytes: usize) -> Result<Parsed> {
    let codes: Vec<u32> = pattern.codes().collect();
    let mut parser = Parser {
        source: Source::new(&codes, !is_bytes)?,
        flags,
        names: Vec::new(),
        closed: vec![false],
        look_behind_groups: None,
        conditions: Vec::new(),
        notes: Vec::new(),
        lowest: stack_address().saturating_sub(stack_bytes / 3),
    };
    let body = parser.alternatives(flags & flag::VERBOSE != 0, 0)?;
    let flags = fix_flags(parser.flags, is_bytes)?;
    if parser.source.next.is_some() {
        return parser.source.wrong("unbalanced parenthesis", 0);
    }
    if let Some((group, position)) = parser.conditions.iter().find(|(group, _)| *group >= parser.closed.len()) {
        let message = Text::from(format!("invalid group reference {group}"));
        return Err(PatternError::Pattern { message, position: Some(*position) });
    }
    Ok(Parsed { body, flags, groups: parser.closed.len(), names: parser.names, notes: parser.notes })
}

fn fix_flags(flags: u32, is_bytes: bool) -> Result<u32> {
    let has = |bit: u32| flags & bit != 0;
    if is_bytes {
        if has(flag::UNICODE) {
            return Err(PatternError::Value("cannot use UNICODE flag with a bytes pattern"));
        }
        if has(flag::LOCALE) && has(flag::ASCII) {
            return Err(PatternError::Value("ASCII and LOCALE flags are incompatible"));
        }
        return Ok(flags);
    }
    if has(flag::LOCALE) {
        return Err(PatternError::Value("cannot use LOCALE flag with a str pattern"));
    }
    if has(flag::ASCII) && has(flag::UNICODE) {
        return Err(PatternError::Value("ASCII and UNICODE flags are incompatible"));
    }
    Ok(if has(flag::ASCII) { flags } else { flags | flag::UNICODE })
}

/// A character, or a backslash and the character after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Token {
    Char(u32),
    Escape(u32),
}

impl Token {
    pub(super) fn len(self) -> usize {
        match self {
            Self::Char(_) => 1,
            Self::Escape(_) => 2,
        }
    }

    fn is(self, char: char) -> bool {
        self == Self::Char(u32::from(char))
    }

    pub(super) fn char(self) -> Option<char> {
        match self {
            Self::Char(code) => Some(char::from_u32(code).unwrap_or('\u{FFFD}')),
            Self::Escape(_) => None,
        }
    }

    pub(super) fn push(self, out: &mut TextBuilder) {
        match self {
            Self::Char(code) => out.push_code(code),
            Self::Escape(code) => {
                out.push_char('\\');
                out.push_code(code);
            }
        }
    }
}

/// The pattern (or template) as tokens, one read ahead.
pub(super) struct Source<'a> {
    codes: &'a [u32],
    /// After `next`.
    at: usize,
    pub(super) next: Option<Token>,
    pub(super) is_text: bool,
}

impl<'a> Source<'a> {
    pub(super) fn new(codes: &'a [u32], is_text: bool) -> Result<Self> {
        let mut source = Self { codes, at: 0, next: None, is_text };
        source.advance()?;
        Ok(source)
    }

    fn advance(&mut self) -> Result<()> {
        self.next = match self.codes[self.at..] {
            [] => None,
            [0x5C] => {
                let message = Text::from("bad escape (end of pattern)");
                return Err(PatternError::Pattern { message, position: Some(self.at) });
            }
            [0x5C, code, ..] => Some(Token::Escape(code)),
            [code, ..] => Some(Token::Char(code)),
        };
        self.at += self.next.map_or(0, Token::len);
        Ok(())
    }

    pub(super) fn take(&mut self) -> Result<Option<Token>> {
        let token = self.next;
        self.advance()?;
        Ok(token)
    }

    pub(super) fn take_if(&mut self, char: char) -> Result<bool> {
        let found = self.next.is_some_and(|token| token.is(char));
        if found {
            self.advance()?;
        }
        Ok(found)
    }

    /// At most `count` characters that fit.
    fn take_while(&mut self, count: usize, fits: impl Fn(char) -> bool, out: &mut String) -> Result<()> {
        for _ in 0..count {
            let Some(char) = self.next.and_then(Token::char).filter(|&char| fits(char)) else {
                break;
            };
            out.push(char);
            self.advance()?;
        }
        Ok(())
    }

    pub(super) fn take_digit(&mut self, radix: u32) -> Result<Option<char>> {
        let digit = self.next.and_then(Token::char).filter(|char| char.is_digit(radix));
        if digit.is_some() {
            self.advance()?;
        }
        Ok(digit)
    }

    /// Where the next token begins.
    pub(super) fn tell(&self) -> usize {
        self.at - self.next.map_or(0, Token::len)
    }

    fn seek(&mut self, at: usize) -> Result<()> {
        self.at = at;
        self.advance()
    }

    /// What is wrong `back` characters before the next token.
    pub(super) fn wrong<T>(&self, message: impl AsRef<str>, back: usize) -> Result<T> {
        self.wrong_text(Text::from(message.as_ref()), back)
    }

    pub(super) fn wrong_text<T>(&self, message: Text, back: usize) -> Result<T> {
        Err(PatternError::Pattern { message, position: Some(self.tell() - back) })
    }

    /// What stands before the terminator.
    pub(super) fn take_until(&mut self, terminator: char, what: &str) -> Result<Text> {
        let mut name = TextBuilder::new();
        loop {
            match self.take()? {
                None if name.is_empty() => return self.wrong(format!("missing {what}"), 0),
                None => {
                    let len = name.len();
                    return self.wrong(format!("missing {terminator}, unterminated name"), len);
                }
                Some(token) if token.is(terminator) => {
                    return if name.is_empty() { self.wrong(format!("missing {what}"), 1) } else { Ok(name.finish()) };
                }
                Some(token) => token.push(&mut name),
            }
        }
    }

    pub(super) fn check_group_name(&self, name: &Text) -> Result<()> {
        let fits = (self.is_text || name.is_ascii()) && case::is_identifier(name.view());
        if fits { Ok(()) } else { self.wrong_text(quoted("bad character in group name ", name, !self.is_text), name.len() + 1) }
    }
}

/// A message that ends with the `repr` of a name.
pub(super) fn quoted(message: &str, name: &Text, ascii_only: bool) -> Text {
    let mut out = TextBuilder::new();
    out.push_str(message);
    push_repr(&mut out, name.view(), ascii_only);
    out.finish()
}

/// The number that a name of ASCII digits is; numbers that are too large become `usize::MAX`.
pub(super) fn group_number(name: &Text) -> Option<usize> {
    let digits = name.as_ascii().filter(|name| name.bytes().all(|byte| byte.is_ascii_digit()))?;
    Some(digits.parse().unwrap_or(usize::MAX))
}

/// The character that a letter after a backslash stands for.
pub(super) fn simple_escape(code: u32) -> Option<u32> {
    Some(match char::from_u32(code)? {
        'a' => 0x07,
        'b' => 0x08,
        'f' => 0x0C,
        'n' => 0x0A,
        'r' => 0x0D,
        't' => 0x09,
        'v' => 0x0B,
        '\\' => 0x5C,
        _ => return None,
    })
}

fn category(code: u32) -> Option<Category> {
    let char = char::from_u32(code)?;
    let class = match char.to_ascii_lowercase() {
        'd' => Class::Digit,
        's' => Class::Space,
        'w' => Class::Word,
        _ => return None,
    };
    Some(Category { class, negated: char.is_ascii_uppercase() })
}

fn flag_of(token: Token) -> Option<u32> {
    Some(match token.char()? {
        'i' => flag::IGNORECASE,
        'L' => flag::LOCALE,
        'm' => flag::MULTILINE,
        's' => flag::DOTALL,
        'x' => flag::VERBOSE,
        'a' => flag::ASCII,
        'u' => flag::UNICODE,
        _ => return None,
    })
}

fn is_alpha(token: Token) -> bool {
    matches!(token, Token::Char(code) if unicode::is_alpha(code))
}

struct Parser<'a> {
    source: Source<'a>,
    flags: u32,
    names: Vec<(Text, usize)>,
    /// Whether each group is closed; group 0 never is.
    closed: Vec<bool>,
    look_behind_groups: Option<usize>,
    /// Groups that conditions name by number, and where.
    conditions: Vec<(usize, usize)>,
    notes: Vec<String>,
    /// The address below which the native stack must not be used.
    lowest: usize,
}

/// An address on the native stack, near its top.
#[inline]
fn stack_address() -> usize {
    let marker = 0_u8;
    std::hint::black_box(&raw const marker).addr()
}

impl Parser<'_> {
    fn alternatives(&mut self, mut verbose: bool, depth: usize) -> Result<Sequence> {
        if depth > MAX_DEPTH || stack_address() < self.lowest {
            return Err(PatternError::TooDeep);
        }
        let mut branches = Vec::new();
        loop {
            let first = depth == 0 && branches.is_empty();
            branches.push(self.sequence(verbose, depth, first)?);
            if !self.source.take_if('|')? {
                break;
            }
            if depth == 0 {
                verbose = self.flags & flag::VERBOSE != 0;
            }
        }
        if branches.len() == 1 {
            return Ok(branches.pop().expect("one branch"));
        }
        Ok(vec![as_set(&branches).unwrap_or(Node::Branch(branches))])
    }

    fn sequence(&mut self, mut verbose: bool, depth: usize, first: bool) -> Result<Sequence> {
        let mut nodes: Sequence = Vec::new();
        while let Some(token) = self.source.next {
            if token.is('|') || token.is(')') {
                break;
            }
            self.source.take()?;
            if verbose && matches!(token.char(), Some(' ' | '\t' | '\n' | '\r' | '\x0B' | '\x0C')) {
                continue;
            }
            if verbose && token.is('#') {
                while let Some(skipped) = self.source.take()? {
                    if skipped.is('\n') {
                        break;
                    }
                }
                continue;
            }
            match token {
                Token::Escape(code) => {
                    let node = self.escape(code)?;
                    nodes.push(node);
                }
                Token::Char(code) => match char::from_u32(code) {
                    Some('[') => {
                        let node = self.set()?;
                        nodes.push(node);
                    }
                    Some('*' | '+' | '?' | '{') => self.repeat(token, &mut nodes)?,
                    Some('.') => nodes.push(Node::Any),
                    Some('(') => match self.group(verbose, depth, first && nodes.is_empty())? {
                        Parenthesis::Node(node) => nodes.push(node),
                        Parenthesis::Comment => {}
                        Parenthesis::Flags => verbose = self.flags & flag::VERBOSE != 0,
                    },
                    Some('^') => nodes.push(Node::At(At::Beginning)),
                    Some('$') => nodes.push(Node::At(At::End)),
                    _ => nodes.push(Node::Literal(code)),
                },
            }
        }
        Ok(flattened(nodes))
    }

    fn repeat(&mut self, token: Token, nodes: &mut Sequence) -> Result<()> {
        let here = self.source.tell();
        let (min, max) = match token.char() {
            Some('?') => (0, 1),
            Some('*') => (0, MAX_REPEAT),
            Some('+') => (1, MAX_REPEAT),
            _ => {
                let Some(limits) = self.limits(here)? else {
                    nodes.push(Node::Literal(u32::from('{')));
                    return Ok(());
                };
                limits
            }
        };
        let back = self.source.tell() - here + 1;
        match nodes.last() {
            None | Some(Node::At(_)) => return self.source.wrong("nothing to repeat", back),
            Some(Node::Repeat { .. }) => return self.source.wrong("multiple repeat", back),
            Some(_) => {}
        }
        let body = match nodes.pop().expect("looked at above") {
            Node::Group { number: None, add: 0, remove: 0, body } => body,
            node => vec![node],
        };
        let kind = if self.source.take_if('?')? {
            Repeat::Lazy
        } else if self.source.take_if('+')? {
            Repeat::Possessive
        } else {
            Repeat::Greedy
        };
        nodes.push(Node::Repeat { min, max, kind, body });
        Ok(())
    }

    /// The numbers between braces; `None` when these are not limits but characters.
    fn limits(&mut self, here: usize) -> Result<Option<(u32, u32)>> {
        if self.source.next.is_some_and(|token| token.is('}')) {
            return Ok(None);
        }
        let digit = |char: char| char.is_ascii_digit();
        let mut low = String::new();
        let mut high = String::new();
        self.source.take_while(usize::MAX, digit, &mut low)?;
        if self.source.take_if(',')? {
            self.source.take_while(usize::MAX, digit, &mut high)?;
        } else {
            high.clone_from(&low);
        }
        if !self.source.take_if('}')? {
            self.source.seek(here)?;
            return Ok(None);
        }
        let limit = |digits: &str, absent: u32| {
            if digits.is_empty() {
                return Ok(absent);
            }
            let limit = digits.parse().ok().filter(|&limit| limit < MAX_REPEAT);
            limit.ok_or(PatternError::Overflow("the repetition number is too large"))
        };
        let min = limit(&low, 0)?;
        let max = limit(&high, MAX_REPEAT)?;
        if max < min {
            let back = self.source.tell() - here;
            return self.source.wrong("min repeat greater than max repeat", back);
        }
        Ok(Some((min, max)))
    }

    fn set(&mut self) -> Result<Node> {
        let here = self.source.tell() - 1;
        if self.source.next.is_some_and(|token| token.is('[')) {
            self.note("nested set", self.source.tell());
        }
        let negated = self.source.take_if('^')?;
        let mut items = Vec::new();
        loop {
            let Some(token) = self.source.take()? else { return self.unterminated_set(here) };
            if token.is(']') && !items.is_empty() {
                break;
            }
            if !items.is_empty() && self.source.next == Some(token) {
                let operation = [('-', "set difference"), ('&', "set intersection"), ('~', "set symmetric difference"), ('|', "set union")];
                if let Some((_, operation)) = operation.iter().find(|(sign, _)| token.is(*sign)) {
                    self.note(operation, self.source.tell() - 1);
                }
            }
            let (first, written) = self.set_member(token)?;
            if !self.source.take_if('-')? {
                items.push(first);
                continue;
            }
            let Some(token) = self.source.take()? else { return self.unterminated_set(here) };
            if token.is(']') {
                items.extend([first, Item::Char(u32::from('-'))]);
                break;
            }
            if token.is('-') {
                self.note("set difference", self.source.tell() - 2);
            }
            let (last, last_written) = self.set_member(token)?;
            match (first, last) {
                (Item::Char(first), Item::Char(last)) if first <= last => {
                    items.push(Item::Range(first, last));
                }
                _ => {
                    // A range is named by the first two characters of its escapes.
                    let mut message = TextBuilder::new();
                    message.push_str("bad character range ");
                    message.push_text(&written);
                    message.push_char('-');
                    message.push_text(&last_written);
                    return self.source.wrong_text(message.finish(), written.len() + 1 + last_written.len());
                }
            }
        }
        if let [Item::Char(code)] = items[..]
            && !negated
        {
            return Ok(Node::Literal(code));
        }
        Ok(Node::Set { items, negated })
    }

    fn note(&mut self, what: &str, position: usize) {
        self.notes.push(format!("Possible {what} at position {position}"));
    }

    fn unterminated_set<T>(&self, here: usize) -> Result<T> {
        self.source.wrong("unterminated character set", self.source.tell() - here)
    }

    /// A member of a set, and its token as it is written.
    fn set_member(&mut self, token: Token) -> Result<(Item, Text)> {
        let mut written = TextBuilder::new();
        token.push(&mut written);
        let item = match token {
            Token::Char(code) => Item::Char(code),
            Token::Escape(code) => match simple_escape(code) {
                Some(code) => Item::Char(code),
                None => match category(code) {
                    Some(category) => Item::Category(category),
                    None => Item::Char(self.class_escape(code)?),
                },
            },
        };
        Ok((item, written.finish()))
    }

    fn class_escape(&mut self, code: u32) -> Result<u32> {
        let letter = char::from_u32(code).unwrap_or('\u{FFFD}');
        if let Some(code) = self.numeric_escape(letter)? {
            return Ok(code);
        }
        match letter {
            '0'..='7' => {
                let mut escape = format!("\\{letter}");
                self.source.take_while(2, |char| char.is_digit(8), &mut escape)?;
                self.octal(&escape)
            }
            '8' | '9' => self.bad_escape(&format!("\\{letter}")),
            _ if letter.is_ascii_alphabetic() => self.bad_escape(&format!("\\{letter}")),
            _ => Ok(code),
        }
    }

    fn bad_escape<T>(&self, escape: &str) -> Result<T> {
        self.source.wrong(format!("bad escape {escape}"), escape.chars().count())
    }

    fn octal(&self, escape: &str) -> Result<u32> {
        let code = u32::from_str_radix(&escape[1..], 8).expect("octal digits only");
        if code > 0o377 {
            return self.source.wrong(format!("octal escape value {escape} outside of range 0-0o377"), escape.len());
        }
        Ok(code)
    }

    /// `\x`, `\u`, `\U` and `\N`.
    fn numeric_escape(&mut self, letter: char) -> Result<Option<u32>> {
        let digits = match letter {
            'x' => 2,
            'u' if self.source.is_text => 4,
            'U' if self.source.is_text => 8,
            'N' if self.source.is_text => return self.named_escape().map(Some),
            _ => return Ok(None),
        };
        let mut escape = format!("\\{letter}");
        self.source.take_while(digits, |char| char.is_ascii_hexdigit(), &mut escape)?;
        if escape.len() != digits + 2 {
            return self.source.wrong(format!("incomplete escape {escape}"), escape.len());
        }
        let code = u32::from_str_radix(&escape[2..], 16).expect("hexadecimal digits only");
        if code > 0x10_FFFF {
            return self.bad_escape(&escape);
        }
        Ok(Some(code))
    }

    fn named_escape(&mut self) -> Result<u32> {
        if !self.source.take_if('{')? {
            return self.source.wrong("missing {", 0);
        }
        let name = self.source.take_until('}', "character name")?;
        match name.as_ascii().and_then(character::by_name) {
            Some(char) => Ok(char.into()),
            None => self.source.wrong_text(quoted("undefined character name ", &name, false), name.len() + 4),
        }
    }

    fn escape(&mut self, code: u32) -> Result<Node> {
        let letter = char::from_u32(code).unwrap_or('\u{FFFD}');
        match letter {
            'A' => return Ok(Node::At(At::BeginningOfString)),
            'Z' => return Ok(Node::At(At::EndOfString)),
            'b' => return Ok(Node::At(At::Boundary)),
            'B' => return Ok(Node::At(At::NonBoundary)),
            _ => {}
        }
        if let Some(category) = category(code) {
            return Ok(Node::Set { items: vec![Item::Category(category)], negated: false });
        }
        if let Some(code) = simple_escape(code) {
            return Ok(Node::Literal(code));
        }
        if let Some(code) = self.numeric_escape(letter)? {
            return Ok(Node::Literal(code));
        }
        let mut escape = format!("\\{letter}");
        match letter {
            '0' => {
                self.source.take_while(2, |char| char.is_digit(8), &mut escape)?;
                Ok(Node::Literal(self.octal(&escape)?))
            }
            '1'..='9' => {
                escape.extend(self.source.take_digit(10)?);
                if escape.len() == 3
                    && escape[1..].bytes().all(|byte| (b'0'..=b'7').contains(&byte))
                    && let Some(digit) = self.source.take_digit(8)?
                {
                    escape.push(digit);
                    return Ok(Node::Literal(self.octal(&escape)?));
                }
                let group: usize = escape[1..].parse().expect("one or two digits");
                if group >= self.closed.len() {
                    return self.source.wrong(format!("invalid group reference {group}"), escape.len() - 1);
                }
                if !self.closed[group] {
                    return self.source.wrong("cannot refer to an open group", escape.len());
                }
                self.check_look_behind(group)?;
                Ok(Node::Reference(group))
            }
            _ if letter.is_ascii_alphabetic() => self.bad_escape(&escape),
            _ => Ok(Node::Literal(code)),
        }
    }

    fn check_look_behind(&self, group: usize) -> Result<()> {
        if let Some(groups) = self.look_behind_groups {
            if !self.closed.get(group).copied().unwrap_or(false) {
                return self.source.wrong("cannot refer to an open group", 0);
            }
            if group >= groups {
                return self.source.wrong("cannot refer to group defined in the same lookbehind subpattern", 0);
            }
        }
        Ok(())
    }

    fn number_of(&self, name: &Text) -> Result<usize> {
        match self.names.iter().find(|pair| pair.0 == *name) {
            Some(pair) => Ok(pair.1),
            None => self.source.wrong_text(quoted("unknown group name ", name, false), name.len() + 1),
        }
    }

    /// What stands after `(`.
    fn group(&mut self, verbose: bool, depth: usize, first: bool) -> Result<Parenthesis> {
        let start = self.source.tell() - 1;
        let mut name = None;
        let mut captures = true;
        let mut atomic = false;
        let (mut add, mut remove) = (0, 0);
        if self.source.take_if('?')? {
            let token = self.extension()?;
            match token.char() {
                Some('P') => match self.extension()? {
                    token if token.is('<') => name = Some(self.group_name()?),
                    token if token.is('=') => return self.named_reference().map(Parenthesis::Node),
                    token => return self.unknown_extension("?P", token),
                },
                Some(':') => captures = false,
                Some('#') => loop {
                    match self.source.take()? {
                        None => {
                            let back = self.source.tell() - start;
                            return self.source.wrong("missing ), unterminated comment", back);
                        }
                        Some(token) if token.is(')') => return Ok(Parenthesis::Comment),
                        Some(_) => {}
                    }
                },
                Some('=') => return self.look(false, false, verbose, depth, start),
                Some('!') => return self.look(false, true, verbose, depth, start),
                Some('<') => {
                    return match self.extension()? {
                        token if token.is('=') => self.look(true, false, verbose, depth, start),
                        token if token.is('!') => self.look(true, true, verbose, depth, start),
                        token => self.unknown_extension("?<", token),
                    };
                }
                Some('(') => return self.conditional(verbose, depth, start),
                Some('>') => {
                    captures = false;
                    atomic = true;
                }
                _ if token.is('-') || flag_of(token).is_some() => {
                    captures = false;
                    match self.inline_flags(token)? {
                        Some(flags) => (add, remove) = flags,
                        None if first => return Ok(Parenthesis::Flags),
                        None => {
                            let back = self.source.tell() - start;
                            return self.source.wrong("global flags not at the start of the expression", back);
                        }
                    }
                }
                _ => return self.unknown_extension("?", token),
            }
        }
        let number = if captures { Some(self.open_group(name)?) } else { None };
        let verbose = (verbose || add & flag::VERBOSE != 0) && remove & flag::VERBOSE == 0;
        let body = self.alternatives(verbose, depth + 1)?;
        self.close(start)?;
        if let Some(number) = number {
            self.closed[number] = true;
        }
        Ok(Parenthesis::Node(if atomic { Node::Atomic(body) } else { Node::Group { number, add, remove, body } }))
    }

    fn extension(&mut self) -> Result<Token> {
        match self.source.take()? {
            Some(token) => Ok(token),
            None => self.source.wrong("unexpected end of pattern", 0),
        }
    }

    fn unknown_extension<T>(&self, before: &str, token: Token) -> Result<T> {
        let mut message = TextBuilder::new();
        message.push_str("unknown extension ");
        message.push_str(before);
        token.push(&mut message);
        self.source.wrong_text(message.finish(), before.len() + token.len())
    }

    fn close(&mut self, start: usize) -> Result<()> {
        if self.source.take_if(')')? {
            return Ok(());
        }
        let back = self.source.tell() - start;
        self.source.wrong("missing ), unterminated subpattern", back)
    }

    fn group_name(&mut self) -> Result<Text> {
        let name = self.source.take_until('>', "group name")?;
        self.source.check_group_name(&name)?;
        Ok(name)
    }

    fn open_group(&mut self, name: Option<Text>) -> Result<usize> {
        let number = self.closed.len();
        self.closed.push(false);
        if number >= MAX_GROUPS {
            return self.source.wrong("too many groups", 0);
        }
        if let Some(name) = name {
            if let Some((_, other)) = self.names.iter().find(|pair| pair.0 == name) {
                let mut message = TextBuilder::new();
                message.push_text(&quoted("redefinition of group name ", &name, false));
                message.push_str(&format!(" as group {number}; was group {other}"));
                return self.source.wrong_text(message.finish(), name.len() + 1);
            }
            self.names.push((name, number));
        }
        Ok(number)
    }

    fn named_reference(&mut self) -> Result<Node> {
        let name = self.source.take_until(')', "group name")?;
        self.source.check_group_name(&name)?;
        let group = self.number_of(&name)?;
        if !self.closed[group] {
            return self.source.wrong("cannot refer to an open group", name.len() + 1);
        }
        self.check_look_behind(group)?;
        Ok(Node::Reference(group))
    }

    fn look(&mut self, behind: bool, negated: bool, verbose: bool, depth: usize, start: usize) -> Result<Parenthesis> {
        let outermost = behind && self.look_behind_groups.is_none();
        if outermost {
            self.look_behind_groups = Some(self.closed.len());
        }
        let body = self.alternatives(verbose, depth + 1)?;
        if outermost {
            self.look_behind_groups = None;
        }
        self.close(start)?;
        Ok(Parenthesis::Node(if negated && body.is_empty() { Node::Fail } else { Node::Look { behind, negated, body } }))
    }

    fn conditional(&mut self, verbose: bool, depth: usize, start: usize) -> Result<Parenthesis> {
        if depth >= MAX_DEPTH || stack_address() < self.lowest {
            return Err(PatternError::TooDeep);
        }
        let name = self.source.take_until(')', "group name")?;
        let group = match group_number(&name) {
            None => {
                self.source.check_group_name(&name)?;
                self.number_of(&name)?
            }
            Some(0) => return self.source.wrong("bad group number", name.len() + 1),
            Some(number) if number >= MAX_GROUPS => {
                return self.source.wrong(format!("invalid group reference {name}"), name.len() + 1);
            }
            Some(number) => {
                if self.conditions.iter().all(|condition| condition.0 != number) {
                    self.conditions.push((number, self.source.tell() - name.len() - 1));
                }
                number
            }
        };
        self.check_look_behind(group)?;
        let yes = self.sequence(verbose, depth + 1, false)?;
        let mut no = None;
        if self.source.take_if('|')? {
            no = Some(self.sequence(verbose, depth + 1, false)?);
            if self.source.next.is_some_and(|token| token.is('|')) {
                return self.source.wrong("conditional backref with more than two branches", 0);
            }
        }
        self.close(start)?;
        Ok(Parenthesis::Node(Node::Conditional { group, yes, no }))
    }

    /// Flags to add and to remove within a group; `None` when they were for the whole pattern.
    fn inline_flags(&mut self, first: Token) -> Result<Option<(u32, u32)>> {
        let mut add = 0;
        let mut remove = 0;
        let mut token = first;
        while !token.is('-') {
            let Some(bit) = flag_of(token) else {
                let message = if is_alpha(token) { "unknown flag" } else { "missing -, : or )" };
                return self.source.wrong(message, token.len());
            };
            if self.source.is_text && bit == flag::LOCALE {
                return self.source.wrong("bad inline flags: cannot use 'L' flag with a str pattern", 0);
            }
            if !self.source.is_text && bit == flag::UNICODE {
                return self.source.wrong("bad inline flags: cannot use 'u' flag with a bytes pattern", 0);
            }
            add |= bit;
            if bit & flag::TYPES != 0 && add & flag::TYPES != bit {
                return self.source.wrong("bad inline flags: flags 'a', 'u' and 'L' are incompatible", 0);
            }
            token = match self.source.take()? {
                None => return self.source.wrong("missing -, : or )", 0),
                Some(token) => token,
            };
            if token.is(')') {
                self.flags |= add;
                return Ok(None);
            }
            if token.is(':') {
                return Ok(Some((add, 0)));
            }
        }
        let Some(mut token) = self.source.take()? else {
            return self.source.wrong("missing flag", 0);
        };
        let mut missing = "missing flag";
        loop {
            let Some(bit) = flag_of(token) else {
                let message = if is_alpha(token) { "unknown flag" } else { missing };
                return self.source.wrong(message, token.len());
            };
            if bit & flag::TYPES != 0 {
                return self.source.wrong("bad inline flags: cannot turn off flags 'a', 'u' and 'L'", 0);
            }
            remove |= bit;
            missing = "missing :";
            token = match self.source.take()? {
                None => return self.source.wrong(missing, 0),
                Some(token) if token.is(':') => break,
                Some(token) => token,
            };
        }
        if add & remove != 0 {
            return self.source.wrong("bad inline flags: flag turned on and off", 1);
        }
        Ok(Some((add, remove)))
    }
}

/// What a parenthesis turned out to be.
enum Parenthesis {
    Node(Node),
    Comment,
    Flags,
}

/// Plain groups dissolve into what surrounds them.
fn flattened(nodes: Sequence) -> Sequence {
    if !nodes.iter().any(|node| matches!(node, Node::Group { number: None, add: 0, remove: 0, .. })) {
        return nodes;
    }
    let mut flat = Vec::with_capacity(nodes.len());
    for node in nodes {
        match node {
            Node::Group { number: None, add: 0, remove: 0, body } => flat.extend(body),
            node => flat.push(node),
        }
    }
    flat
}

/// Alternatives of one character each are a set.
fn as_set(branches: &[Sequence]) -> Option<Node> {
    let mut all = Vec::new();
    for branch in branches {
        match &branch[..] {
            [Node::Literal(code)] => all.push(Item::Char(*code)),
            [Node::Set { items, negated: false }] => all.extend_from_slice(items),
            _ => return None,
        }
    }
    Some(Node::Set { items: all, negated: false })
}
