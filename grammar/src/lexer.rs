//! From text to tokens: logos finds the raw ones; brackets, strings and f-strings are done by hand.
//!
//! The whole source is lexed before the parser starts. An f-string becomes `FStart`, `FText`, `FOpen`,
//! the tokens of an expression, `FColon`, `FClose` and `FEnd`, so that the grammar reads the fields
//! as it reads everything else.

use logos::Logos;
use unicode_normalization::UnicodeNormalization;

use crate::Options;
use crate::ast::{Ast, Constant, Expr, Span};
use crate::error::{Fault, Place, Warning};
use crate::layout::Layout;
use crate::literal::{self, StringToken};
use crate::token::{Lexeme, Raw, Token};

/// Brackets may nest as deep as in CPython.
const MAX_BRACKETS: usize = 200;
/// f-strings may nest as deep as in CPython.
const MAX_FSTRINGS: usize = 150;

/// What a source consists of.
#[derive(Debug, Default)]
pub(crate) struct Lexed {
    pub(crate) tokens: Vec<Lexeme>,
    pub(crate) strings: Vec<StringToken>,
    /// Messages and offsets of legal but doubtful tokens.
    pub(crate) warnings: Vec<Warning>,
    /// The brackets that the end of the source left open.
    pub(crate) open: Vec<Bracket>,
    /// Whether the last line had no line break.
    pub(crate) ends_in_line: bool,
}

/// An open bracket.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bracket {
    pub(crate) byte: u8,
    pub(crate) at: u32,
    /// Whether it opens a field of an f-string.
    pub(crate) field: bool,
}

/// A fault of the lexer.
#[derive(Debug)]
pub(crate) struct LexFault {
    pub(crate) fault: Box<Fault>,
    /// Whether it is reported even if the parser stops before it.
    pub(crate) certain: bool,
}

type Result<T> = std::result::Result<T, Box<Fault>>;

/// Where the lexer is in nested f-strings, the innermost last.
#[derive(Debug, Clone, Copy)]
enum Inside {
    /// In the text of the f-string with this quote.
    Text { quote: u8, triple: bool, raw: bool, start: u32 },
    /// In a field; `depth` brackets were open with its own.
    Field { depth: usize },
    /// In the format of a field.
    Format,
}

struct Lexer<'s, 'a> {
    source: &'s str,
    raw: logos::Lexer<'s, Raw>,
    ast: &'a mut Ast,
    layout: Layout,
    brackets: Vec<Bracket>,
    any_brackets: bool,
    max_int_digits: usize,
    inside: Vec<Inside>,
    /// Whether the fault is one that a fault of the parser before it hides.
    uncertain: bool,
    out: Lexed,
}

/// Lexes the whole of `source`; names and numbers are stored in `ast`. What was found before an
/// error is kept.
pub(crate) fn lex(source: &str, ast: &mut Ast, start: Token, options: Options) -> (Lexed, Option<Box<LexFault>>) {
    let mut lexer = Lexer {
        source,
        raw: Raw::lexer(source),
        ast,
        layout: Layout::default(),
        brackets: Vec::new(),
        any_brackets: options.any_brackets,
        max_int_digits: options.max_int_digits.unwrap_or(literal::MAX_DECIMAL_DIGITS),
        inside: Vec::new(),
        uncertain: false,
        out: Lexed::default(),
    };
    lexer.out.tokens.reserve(source.len() / 4 + 8);
    lexer.push(0, start, 0);
    let fault = lexer.run().err();
    lexer.out.open = std::mem::take(&mut lexer.brackets);
    let certain = !lexer.uncertain;
    (lexer.out, fault.map(|fault| Box::new(LexFault { fault, certain })))
}

impl Lexer<'_, '_> {
    fn at(&self) -> usize {
        self.raw.span().end
    }

    fn byte(&self, at: usize) -> u8 {
        self.source.as_bytes().get(at).copied().unwrap_or(0)
    }

    fn push(&mut self, start: usize, token: Token, end: usize) {
        self.out.tokens.push((start as u32, token, end as u32));
    }

    /// Goes on at `at`, which is not before the current place.
    fn go_to(&mut self, at: usize) {
        self.raw.bump(at - self.at());
    }

    fn run(&mut self) -> Result<()> {
        let mut line_start = true;
        let mut comment = None;
        loop {
            match self.inside.last().copied() {
                Some(Inside::Text { quote, triple, raw, start }) => {
                    self.text(quote, triple, raw, start)?;
                    continue;
                }
                Some(Inside::Format) => {
                    self.format()?;
                    continue;
                }
                Some(Inside::Field { .. }) if self.field()? => continue,
                Some(Inside::Field { .. }) | None => {}
            }
            if line_start {
                line_start = false;
                self.uncertain = true;
                let at = self.layout.line(self.source, self.at(), &mut self.out.tokens)?;
                self.uncertain = false;
                self.go_to(at);
            }
            let Some(raw) = self.raw.next() else { break };
            let span = self.raw.span();
            let Ok(raw) = raw else {
                self.name_or_unknown(span.start)?;
                continue;
            };
            match raw {
                Raw::Blank => {}
                Raw::Comment => comment = Some(span.start),
                Raw::LineBreak => {
                    if self.brackets.is_empty() {
                        if self.line_has_tokens() {
                            // As in CPython the comment belongs to the end of the line.
                            let start = comment.unwrap_or(span.start);
                            self.push(start, Token::Newline, span.start + 1);
                        }
                        line_start = true;
                    }
                    comment = None;
                }
                Raw::Backslash => self.continuation(span.start)?,
                Raw::Name => {
                    if self.byte(span.end) >= 0x80 {
                        self.unicode_name(span.start)?;
                    } else {
                        let name = self.ast.intern(&self.source[span.clone()]);
                        self.push(span.start, Token::Name(name), span.end);
                    }
                }
                Raw::NumberStart => self.number(span.start)?,
                Raw::Quote => self.string(span.start, span.end)?,
                Raw::LeftParen | Raw::LeftBracket | Raw::LeftBrace => {
                    self.open(span.start, false)?;
                    let token = raw.token().expect("brackets are tokens of the grammar");
                    self.push(span.start, token, span.end);
                }
                Raw::RightParen | Raw::RightBracket | Raw::RightBrace => {
                    self.close(span.start)?;
                    let token = raw.token().expect("brackets are tokens of the grammar");
                    self.push(span.start, token, span.end);
                }
                _ => {
                    let token = raw.token().expect("the others were handled above");
                    if token.is_keyword() && self.byte(span.end) >= 0x80 {
                        self.unicode_name(span.start)?;
                    } else {
                        self.push(span.start, token, span.end);
                    }
                }
            }
        }
        self.end()
    }

    /// Whether the current logical line has had a token.
    fn line_has_tokens(&self) -> bool {
        !matches!(self.out.tokens.last(), Some((_, Token::Newline | Token::Indent | Token::Dedent | Token::StartModule | Token::StartExpression, _)))
    }

    fn end(&mut self) -> Result<()> {
        let end = self.source.len();
        if self.brackets.is_empty() && self.line_has_tokens() {
            self.out.ends_in_line = true;
            self.push(end, Token::Newline, end);
        }
        if self.brackets.is_empty() {
            self.layout.end(end as u32, &mut self.out.tokens);
        }
        self.push(end, Token::End, end);
        Ok(())
    }

    fn continuation(&mut self, start: usize) -> Result<()> {
        self.uncertain = true;
        let width = match (self.byte(start + 1), self.byte(start + 2)) {
            (b'\r', b'\n') => 2,
            (b'\r' | b'\n', _) => 1,
            _ if start + 1 == self.source.len() => {
                let place = Place::after(start as u32 + 1);
                return Err(Fault::incomplete("unexpected EOF while parsing", place));
            }
            _ => {
                let message = "unexpected character after line continuation character";
                return Err(Fault::new(message, Place::start(start as u32 + 1)));
            }
        };
        let at = start + 1 + width;
        if at == self.source.len() {
            let place = Place::after(start as u32 + 1);
            return Err(Fault::incomplete("unexpected EOF while parsing", place));
        }
        self.go_to(at);
        self.uncertain = false;
        Ok(())
    }

    fn open(&mut self, at: usize, field: bool) -> Result<()> {
        if self.brackets.len() >= MAX_BRACKETS && !self.any_brackets {
            let place = Place::cursor(at as u32 + 1);
            return Err(Fault::new("too many nested parentheses", place));
        }
        self.brackets.push(Bracket { byte: self.byte(at), at: at as u32, field });
        Ok(())
    }

    fn close(&mut self, at: usize) -> Result<()> {
        let closing = self.byte(at);
        let place = Place::cursor(at as u32 + 1);
        let Some(open) = self.brackets.pop() else {
            let message = format!("unmatched '{}'", closing as char);
            return Err(Fault::new(message, place));
        };
        let matches = matches!((open.byte, closing), (b'(', b')') | (b'[', b']') | (b'{', b'}'));
        if matches {
            return Ok(());
        }
        let (open_char, closing) = (open.byte as char, closing as char);
        if open.field {
            let message = format!("f-string: unmatched '{closing}'");
            return Err(Fault::new(message, place));
        }
        let between = &self.source[open.at as usize..at];
        let message = if between.contains(['\n', '\r']) {
            let line = literal::line_of(self.source, open.at);
            format!("closing parenthesis '{closing}' does not match opening parenthesis '{open_char}' on line {line}")
        } else {
            format!("closing parenthesis '{closing}' does not match opening parenthesis '{open_char}'")
        };
        Err(Fault::new(message, place))
    }

    /// A character that logos has no token for: an identifier beyond ASCII, or an error.
    fn name_or_unknown(&mut self, start: usize) -> Result<()> {
        let c = self.source[start..].chars().next().expect("logos found a character here");
        if c.is_ascii() {
            if c.is_ascii_control() {
                let message = format!("invalid non-printable character U+{:04X}", c as u32);
                return Err(Fault::new(message, Place::cursor(start as u32 + 1)));
            }
            self.go_to(start + 1);
            self.push(start, Token::Unknown, start + 1);
            return Ok(());
        }
        self.unicode_name(start)
    }

    fn unicode_name(&mut self, start: usize) -> Result<()> {
        let bytes = self.source.as_bytes();
        let length = bytes[start..].iter().take_while(|&&byte| byte >= 0x80 || byte == b'_' || byte.is_ascii_alphanumeric()).count();
        let text = &self.source[start..start + length];
        for (index, c) in text.char_indices() {
            let first = index == 0 && (c == '_' || unicode_ident::is_xid_start(c));
            if !(first || index > 0 && unicode_ident::is_xid_continue(c)) {
                let number = c as u32;
                let message = if literal::is_printable(c) {
                    format!("invalid character '{c}' (U+{number:04X})")
                } else {
                    format!("invalid non-printable character U+{number:04X}")
                };
                let at = start + index + c.len_utf8();
                return Err(Fault::new(message, Place::cursor(at as u32)));
            }
        }
        self.go_to((start + length).max(self.at()));
        let normal: String = text.nfkc().collect();
        let name = self.ast.intern(&normal);
        self.push(start, Token::Name(name), start + length);
        Ok(())
    }

    fn number(&mut self, start: usize) -> Result<()> {
        let number = literal::number(self.source, start)?;
        let end = number.end;
        if number.warn {
            let message = format!("invalid {} literal", number.what);
            self.out.warnings.push(Warning::of_number(message, start as u32, end as u32));
        }
        let constant = number.constant(self.source, start, self.ast);
        let span = Span::new(start as u32, end as u32);
        let expr = self.ast.add_expr(span, Expr::Constant(constant));
        if let Constant::BigInt { digits, radix: 10 } = constant
            && self.max_int_digits != 0
            && digits.len() > self.max_int_digits
        {
            let message = format!(
                "Exceeds the limit ({} digits) for integer string conversion: value has {} digits; \
                 use sys.set_int_max_str_digits() to increase the limit \
                 - Consider hexadecimal for huge integer literals to avoid decimal conversion limits.",
                self.max_int_digits,
                digits.len()
            );
            // Of this CPython knows the line only.
            let line_start = self.source[..start].rfind('\n').map_or(0, |newline| newline + 1);
            return Err(Fault::new(message, Place::cursor(line_start as u32)));
        }
        self.go_to(end);
        self.push(start, Token::Number(expr), end);
        Ok(())
    }

    fn string(&mut self, start: usize, end: usize) -> Result<()> {
        let quote = self.byte(end - 1);
        let mut quotes = end;
        while quotes > start && self.byte(quotes - 1) == quote {
            quotes -= 1;
        }
        let (triple, body) = match end - quotes {
            3 => (true, end),
            _ if self.byte(end) == quote && self.byte(end + 1) == quote => (true, end + 2),
            _ => (false, end),
        };
        self.go_to(body);
        let mut token = StringToken::new(&self.source.as_bytes()[start..quotes]);
        let index = self.out.strings.len() as u32;
        if token.formatted {
            if self.inside.len() >= MAX_FSTRINGS {
                let message = "too many nested f-strings";
                return Err(Fault::new(message, Place::cursor(body as u32)));
            }
            self.out.strings.push(token);
            self.push(start, Token::FStart(index), body);
            let start = start as u32;
            self.inside.push(Inside::Text { quote, triple, raw: token.raw, start });
            return Ok(());
        }
        let bytes = self.source.as_bytes();
        let mut at = body;
        let stop = loop {
            match bytes.get(at) {
                None => return Err(self.unterminated(start, triple, "string")),
                Some(b'\\') => {
                    at += 1;
                    if bytes.get(at) == Some(&b'\r') && bytes.get(at + 1) == Some(&b'\n') {
                        at += 1;
                    }
                    if at < bytes.len() {
                        at += 1;
                    }
                }
                Some(b'\n' | b'\r') if !triple => {
                    return Err(self.unterminated(start, triple, "string"));
                }
                Some(&byte) if byte == quote => {
                    if !triple || bytes[at..].starts_with(&[quote; 3]) {
                        break at;
                    }
                    at += 1;
                }
                Some(_) => at += 1,
            }
        };
        token.body = Span::new(body as u32, stop as u32);
        self.out.strings.push(token);
        let end = stop + if triple { 3 } else { 1 };
        self.go_to(end);
        self.push(start, Token::String(index), end);
        Ok(())
    }

    /// The error for a string that begins at `start` and does not end where it should.
    fn unterminated(&self, start: usize, triple: bool, what: &str) -> Box<Fault> {
        let place = Place::cursor(start as u32 + 1);
        if let Some(Inside::Field { .. }) = self.inside.last() {
            // The quote was rather to end the f-string.
            let quotes = self.source[start..].trim_start_matches(|c: char| c.is_ascii_alphabetic());
            let (quote, outer, _) = self.fstring();
            if quotes.as_bytes().first() == Some(&quote) && outer == triple {
                return Fault::new("f-string: expecting '}'", place);
            }
        }
        let bytes = self.source.as_bytes();
        // A single-quoted string ends with its line, unless a backslash continues it.
        let (mut line, mut at) = (literal::line_of(self.source, start as u32), start);
        let mut escaped = false;
        let mut last_content = line;
        while at < bytes.len() {
            let is_break = bytes[at] == b'\n' || bytes[at] == b'\r' && bytes.get(at + 1) != Some(&b'\n');
            if is_break {
                if !triple && !escaped {
                    break;
                }
                line += 1;
                escaped = false;
            } else if bytes[at] != b'\r' {
                escaped = bytes[at] == b'\\' && !escaped;
                last_content = line;
            }
            at += 1;
        }
        if triple {
            // The end of the source belongs to its last line that is not empty.
            let line = if self.source.ends_with(['\n', '\r']) { line - 1 } else { last_content };
            let line = line.max(literal::line_of(self.source, start as u32));
            let message = format!("unterminated triple-quoted {what} literal (detected at line {line})");
            return Fault::incomplete(message, place);
        }
        if at == bytes.len() && self.source.ends_with(['\n', '\r']) {
            line -= 1;
        }
        let message = format!("unterminated {what} literal (detected at line {line})");
        let mut error = Fault::new(message, place);
        error.incomplete = at == bytes.len() && escaped;
        error
    }

    /// The text of an f-string up to its next field or its end.
    fn text(&mut self, quote: u8, triple: bool, raw: bool, start: u32) -> Result<()> {
        let bytes = self.source.as_bytes();
        let begin = self.at();
        let mut at = begin;
        loop {
            match bytes.get(at) {
                None => return Err(self.unterminated(start as usize, triple, "f-string")),
                Some(b'\n' | b'\r') if !triple => {
                    return Err(self.unterminated(start as usize, triple, "f-string"));
                }
                Some(b'\\') => {
                    at += 1;
                    if !raw && bytes.get(at) == Some(&b'N') && bytes.get(at + 1) == Some(&b'{') {
                        // The braces of `\N{NAME}` are no field.
                        let rest = &bytes[at + 2..];
                        let name = rest.iter().take_while(|&&b| b.is_ascii_alphanumeric() || b == b' ' || b == b'-' || b == b'(' || b == b')');
                        let length = name.count();
                        at += if rest.get(length) == Some(&b'}') { length + 3 } else { 2 };
                    } else if bytes.get(at) == Some(&b'\r') && bytes.get(at + 1) == Some(&b'\n') {
                        at += 2;
                    } else if !matches!(bytes.get(at), None | Some(b'{' | b'}')) {
                        at += 1;
                    }
                }
                Some(b'{') => {
                    if bytes.get(at + 1) == Some(&b'{') {
                        at += 2;
                        continue;
                    }
                    self.flush_text(begin, at, raw, false);
                    self.open_field(at)?;
                    return Ok(());
                }
                Some(b'}') => {
                    if bytes.get(at + 1) == Some(&b'}') {
                        at += 2;
                        continue;
                    }
                    let place = Place::cursor(at as u32 + 1);
                    return Err(Fault::new("f-string: single '}' is not allowed", place));
                }
                Some(&byte) if byte == quote => {
                    if triple && !bytes[at..].starts_with(&[quote; 3]) {
                        at += 1;
                        continue;
                    }
                    self.flush_text(begin, at, raw, false);
                    let end = at + if triple { 3 } else { 1 };
                    self.go_to(end);
                    self.push(at, Token::FEnd, end);
                    self.inside.pop();
                    return Ok(());
                }
                Some(_) => at += 1,
            }
        }
    }

    fn flush_text(&mut self, begin: usize, end: usize, raw: bool, format: bool) {
        self.go_to(end);
        if begin < end {
            self.push(begin, Token::FText { raw, format }, end);
        }
    }

    fn open_field(&mut self, at: usize) -> Result<()> {
        self.open(at, true)?;
        self.go_to(at + 1);
        self.push(at, Token::FOpen, at + 1);
        let depth = self.brackets.len();
        let nested = self.inside.iter().rev().take_while(|i| !matches!(i, Inside::Text { .. })).count();
        if nested > 5 {
            let message = "f-string: expressions nested too deeply";
            return Err(Fault::new(message, Place::cursor(at as u32)));
        }
        self.inside.push(Inside::Field { depth });
        Ok(())
    }

    /// The innermost f-string: its quote, whether it is triple-quoted, whether it is raw.
    fn fstring(&self) -> (u8, bool, bool) {
        let text = self.inside.iter().rev().find_map(|inside| match *inside {
            Inside::Text { quote, triple, raw, .. } => Some((quote, triple, raw)),
            _ => None,
        });
        text.expect("fields and formats are in an f-string")
    }

    /// In a field: the tokens that mean something else there. Says whether it found one.
    fn field(&mut self) -> Result<bool> {
        let Some(&Inside::Field { depth, .. }) = self.inside.last() else { return Ok(false) };
        let at = self.at();
        if self.brackets.len() != depth {
            return Ok(false);
        }
        match (self.byte(at), self.byte(at + 1)) {
            (b':', _) => {
                self.go_to(at + 1);
                self.push(at, Token::FColon, at + 1);
                self.inside.push(Inside::Format);
            }
            (b'}', _) => {
                self.brackets.pop();
                self.go_to(at + 1);
                self.push(at, Token::FClose, at + 1);
                self.inside.pop();
            }
            (b'!', next) if next != b'=' => {
                self.go_to(at + 1);
                self.push(at, Token::Exclamation, at + 1);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The format of a field up to a nested field or its end.
    fn format(&mut self) -> Result<()> {
        let bytes = self.source.as_bytes();
        let (quote, triple, raw) = self.fstring();
        let begin = self.at();
        let mut at = begin;
        loop {
            match bytes.get(at) {
                None => {
                    // The brackets of the fields are what is missing.
                    self.go_to(at);
                    self.inside.clear();
                    return Ok(());
                }
                Some(b'\n' | b'\r') if !triple => {
                    // CPython goes on with the field on the next line.
                    self.flush_text(begin, at, raw, true);
                    self.inside.pop();
                    return Ok(());
                }
                Some(b'{') => {
                    self.flush_text(begin, at, raw, true);
                    return self.open_field(at);
                }
                Some(b'}') => {
                    self.flush_text(begin, at, raw, true);
                    self.inside.pop();
                    return Ok(());
                }
                Some(b'\\') if !raw => {
                    at += 1;
                    if bytes.get(at) == Some(&b'N') && bytes.get(at + 1) == Some(&b'{') {
                        let rest = &bytes[at..];
                        at += rest.iter().position(|&byte| byte == b'}').map_or(1, |end| end + 1);
                    } else if !matches!(bytes.get(at), None | Some(b'{' | b'}')) {
                        at += 1;
                    }
                }
                Some(&byte) if byte == quote && (!triple || bytes[at..].starts_with(&[quote; 3])) => {
                    // The field is not closed: that is for the parser to see, at the end of the
                    // f-string.
                    self.flush_text(begin, at, raw, true);
                    let end = at + if triple { 3 } else { 1 };
                    self.go_to(end);
                    self.push(at, Token::FEnd, end);
                    while !matches!(self.inside.pop(), None | Some(Inside::Text { .. })) {
                        if let Some(bracket) = self.brackets.last_mut() {
                            bracket.field = false;
                        }
                    }
                    return Ok(());
                }
                Some(_) => at += 1,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The tokens between the first and the last, as debug text, or the message of the fault.
    fn check(source: &str, expected: &str) {
        let mut ast = Ast::default();
        let (lexed, fault) = lex(source, &mut ast, Token::StartModule, Options::default());
        let text = if let Some(fault) = fault {
            fault.fault.message
        } else {
            let inner = &lexed.tokens[1..lexed.tokens.len() - 1];
            let words = inner.iter().map(|lexeme| match lexeme.1 {
                Token::Name(name) => ast.name(name).to_string(),
                Token::Number(_) => "number".to_string(),
                Token::FText { .. } => Span::new(lexeme.0, lexeme.2).text(source).to_string(),
                token => format!("{token:?}"),
            });
            words.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(text, expected, "{source}");
    }

    #[test]
    fn blocks_become_indent_and_dedent() {
        check("if x:\n  y\nz", "If x Colon Newline Indent y Newline Dedent z Newline");
        check("if x:\n  y\n\n # c\n  z", "If x Colon Newline Indent y Newline z Newline Dedent");
        check("(a\n  b)\n", "LeftParen a b RightParen Newline");
        check("a \\\n  b", "a b Newline");
        check("\\\n\n", "");
    }

    #[test]
    fn a_tab_must_not_change_the_meaning() {
        check("if x:\n\ty\n        z", "inconsistent use of tabs and spaces in indentation");
        check("if x:\n\ty\n\tz", "If x Colon Newline Indent y Newline z Newline Dedent");
        check("if x:\n  y\n z", "unindent does not match any outer indentation level");
    }

    #[test]
    fn names_are_normalised_and_keywords_end_where_they_should() {
        check("ﬁ iffy ifé", "fi iffy ifé Newline");
        check("a€", "invalid character '€' (U+20AC)");
    }

    #[test]
    fn numbers_end_where_a_name_may_not_begin() {
        check("1_000 0xFF 1e5 .5j 1.", "number number number number number Newline");
        check("1abc", "invalid decimal literal");
        check("0777", "leading zeros in decimal integer literals are not permitted; use an 0o prefix for octal integers");
        check("0b12", "invalid digit '2' in binary literal");
        check("1if x", "number If x Newline");
    }

    #[test]
    fn an_f_string_is_text_and_fields() {
        check("f'a{b!r:>{c}}d'", "FStart(0) a FOpen b Exclamation r FColon > FOpen c FClose FClose d FEnd Newline");
        check("f'{{a}}'", "FStart(0) {{a}} FEnd Newline");
        check("f'{a['b']}'", "FStart(0) FOpen a LeftBracket String(1) RightBracket FClose FEnd Newline");
        check("f'{(lambda x: 1)}'", "FStart(0) FOpen LeftParen Lambda x Colon number RightParen FClose FEnd Newline");
        check("f'}'", "f-string: single '}' is not allowed");
        check("f'{a'", "f-string: expecting '}'");
    }

    #[test]
    fn brackets_must_match() {
        check("(]", "closing parenthesis ']' does not match opening parenthesis '('");
        check("(\n]", "closing parenthesis ']' does not match opening parenthesis '(' on line 1");
        check(")", "unmatched ')'");
    }
}
