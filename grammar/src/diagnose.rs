//! Words for what the parser could not read: the token at which it stopped, and what stands before
//! it, tell which of CPython's explanations fits. Where none does, it is "invalid syntax".
//!
//! CPython finds its explanations by parsing a second time with rules for mistakes; here a small
//! recogniser of expressions over the tokens takes the place of those rules.

use crate::ast::{Ast, Span};
use crate::error::{Fault, Place};
use crate::lexer::{Bracket, Lexed};
use crate::literal::line_of;
use crate::token::{Lexeme, Token};

/// What the parser stopped at.
pub(crate) struct Stop<'a> {
    /// The index of the token.
    pub(crate) index: usize,
    /// What LALRPOP says could have stood there.
    pub(crate) expected: &'a [String],
}

/// An explanation.
pub(crate) struct Diagnosed {
    pub(crate) fault: Box<Fault>,
    /// Whether it holds whatever the rest of the source looks like.
    pub(crate) sure: bool,
    /// The last token that CPython has read by then.
    pub(crate) last_read: u32,
}

/// Explains why the parser stopped.
pub(crate) fn diagnose(source: &str, ast: &Ast, lexed: &Lexed, stop: &Stop<'_>) -> Diagnosed {
    let tokens = &lexed.tokens;
    let diagnosis = Diagnosis { source, ast, tokens, stop, brackets: Brackets::new(tokens) };
    if stop.index >= tokens.len() {
        let end = source.len() as u32;
        let fault = Fault::incomplete("invalid syntax", Place::start(end));
        return Diagnosed { fault, sure: false, last_read: end };
    }
    let mut fault = diagnosis.fault();
    let at = tokens[stop.index].1;
    let rest = &tokens[stop.index..];
    fault.incomplete |= matches!(at, Token::End | Token::Dedent) && rest.iter().all(|lexeme| matches!(lexeme.1, Token::Dedent | Token::End));
    let sure = at == Token::Indent;
    let last = diagnosis.last_read(stop.index).min(tokens.len() - 1);
    let last_read = tokens[last].0.max(fault.at_byte());
    Diagnosed { fault, sure, last_read }
}

/// The error for the innermost bracket that is never closed.
pub(crate) fn never_closed(bracket: Bracket) -> Box<Fault> {
    let message = format!("'{}' was never closed", bracket.byte as char);
    Fault::incomplete(message, Place::start(bracket.at))
}

/// Which bracket closes which.
struct Brackets {
    /// For each token that opens a bracket: the index of the one that closes it.
    close: Vec<Option<u32>>,
}

impl Brackets {
    fn new(tokens: &[Lexeme]) -> Self {
        let mut close = vec![None; tokens.len()];
        let mut open = Vec::new();
        for (index, lexeme) in tokens.iter().enumerate() {
            if opens(lexeme.1) {
                open.push(index);
            } else if closes(lexeme.1)
                && let Some(start) = open.pop()
            {
                close[start] = Some(index as u32);
            }
        }
        Self { close }
    }
}

fn opens(token: Token) -> bool {
    matches!(token, Token::LeftParen | Token::LeftBracket | Token::LeftBrace | Token::FOpen | Token::FStart(_))
}

fn closes(token: Token) -> bool {
    matches!(token, Token::RightParen | Token::RightBracket | Token::RightBrace | Token::FClose | Token::FEnd)
}

struct Diagnosis<'a> {
    source: &'a str,
    ast: &'a Ast,
    tokens: &'a [Lexeme],
    stop: &'a Stop<'a>,
    brackets: Brackets,
}

/// Where the parser stopped, in its line.
#[derive(Clone, Copy)]
struct Context {
    /// The first token of the logical line.
    line: usize,
    /// The innermost open bracket.
    open: Option<usize>,
    /// The first token of the expression that may be wrong.
    start: usize,
}

impl Diagnosis<'_> {
    fn token(&self, index: usize) -> Token {
        self.tokens.get(index).map_or(Token::End, |lexeme| lexeme.1)
    }

    /// The token `n` before the one at `index`.
    fn before(&self, index: usize, n: usize) -> Token {
        index.checked_sub(n).map_or(Token::End, |index| self.token(index))
    }

    fn is_name_before(&self, index: usize, n: usize) -> bool {
        index.checked_sub(n).is_some_and(|index| self.is_name(index))
    }

    fn span(&self, index: usize) -> Span {
        let Some(&(start, token, end)) = self.tokens.get(index) else { return Span::default() };
        // A line break counts as one character, even where the source ends without one.
        match token {
            Token::Newline => Span::new(start, end.max(start + 1)),
            _ => Span::new(start, end),
        }
    }

    /// The bracket that closes the one at `index`.
    fn close(&self, index: usize) -> Option<u32> {
        self.brackets.close.get(index).copied().flatten()
    }

    /// The same, unless the parser stopped between the two.
    fn read(&self, index: usize) -> Option<usize> {
        let close = self.close(index)? as usize;
        let whole = index >= self.stop.index || close < self.stop.index || close == index + 1;
        whole.then_some(close)
    }

    /// From the first byte of one token to the last of the token before another.
    fn range(&self, first: usize, end: usize) -> Span {
        self.span(first).to(self.span(end - 1))
    }

    fn is_name(&self, index: usize) -> bool {
        self.name(index).is_some()
    }

    fn name(&self, index: usize) -> Option<&str> {
        match self.token(index) {
            Token::Name(name) | Token::Match(name) | Token::Case(name) | Token::Type(name) => Some(self.ast.name(name)),
            _ => None,
        }
    }

    fn expects(&self, what: &str) -> bool {
        self.stop.expected.iter().any(|expected| expected.trim_matches('"') == what)
    }

    fn fault(&self) -> Box<Fault> {
        let index = self.stop.index;
        let at = self.token(index);
        if at == Token::Indent {
            let place = Place::cursor_only(self.span(index).start);
            return Fault::indentation("unexpected indent", place);
        }
        if let Some(fault) = self.missing_block(index) {
            return fault;
        }
        let context = self.context(index);
        if self.token(index) == Token::RightBracket
            && self.before(index, 1) == Token::LeftBracket
            && let outer = self.context(index - 1)
            && let Some(fault) = self.forgotten_comma(index - 1, outer)
        {
            return fault;
        }
        if self.before(index, 1) == Token::Not
            && let Some(fault) = self.forgotten_comma(index - 1, context)
        {
            return fault;
        }
        self.expression_faults(index, context)
            .or_else(|| self.bracket_faults(index, context))
            .or_else(|| self.statement_faults(index, context))
            .unwrap_or_else(|| self.generic(index))
    }

    fn generic(&self, index: usize) -> Box<Fault> {
        let line = self.context(index).line;
        if self.before(index, 1) == Token::Colon
            && !self.token(line).is_keyword()
            && self.expression(line) == Some(index - 1)
            && self.kind_name(line, index - 1).is_some_and(|name| !matches!(name, "attribute" | "subscript" | "name" | "list" | "tuple"))
        {
            // What cannot have an annotation is wrong before the annotation is.
            return Fault::at("invalid syntax", self.span(index - 1));
        }
        match self.token(index) {
            Token::Dedent => {
                return Fault::indentation("unexpected unindent", self.block_end(index));
            }
            Token::End => {
                let end = self.end_of_text();
                let line = self.source[..end].rfind(['\n', '\r']).map_or(0, |line| line + 1);
                return Fault::incomplete("invalid syntax", Place::cursor(line as u32));
            }
            _ => {}
        }
        Fault::at("invalid syntax", self.span(index))
    }

    /// The end of the source without its last line break.
    fn end_of_text(&self) -> usize {
        let source = self.source;
        let text = source.strip_suffix('\n').unwrap_or(source);
        text.strip_suffix('\r').unwrap_or(text).len()
    }

    /// Where CPython sees the end of a block, which is no place of a token.
    fn block_end(&self, index: usize) -> Place {
        let at = self.span(index).start;
        if at as usize == self.source.len() {
            return Place::after(self.end_of_text() as u32);
        }
        Place::cursor_only(at)
    }

    /// A block's header is followed by no block.
    fn missing_block(&self, index: usize) -> Option<Box<Fault>> {
        if index < 2 || self.before(index, 1) != Token::Newline || self.before(index, 2) != Token::Colon || !self.expects("indent") {
            return None;
        }
        let mut line = self.context(index - 1).line;
        if self.token(line) == Token::Async {
            line += 1;
        }
        let what = match self.token(line) {
            Token::Def => "function definition".into(),
            Token::Class => "class definition".into(),
            Token::Except if self.token(line + 1) == Token::Star => "'except*' statement".into(),
            Token::WithParen => "'with' statement".into(),
            _ => format!("'{}' statement", self.span(line).text(self.source)),
        };
        let number = line_of(self.source, self.span(line).start);
        let message = format!("expected an indented block after {what} on line {number}");
        let span = self.span(index);
        let place = match self.token(index) {
            Token::Dedent | Token::End => self.block_end(index),
            _ => Place::span(span),
        };
        let mut fault = Fault::indentation(message, place);
        let rest = &self.tokens[index..];
        fault.incomplete = rest.iter().all(|lexeme| matches!(lexeme.1, Token::Dedent | Token::End));
        Some(fault)
    }

    /// Finds the line, the bracket and the expression that a token stands in.
    fn context(&self, index: usize) -> Context {
        let mut open = None;
        let mut first = index;
        let mut depth = 0;
        while first > 0 {
            let before = self.before(first, 1);
            if closes(before) {
                depth += 1;
            } else if opens(before) {
                if depth == 0 {
                    open.get_or_insert(first - 1);
                } else {
                    depth -= 1;
                }
            } else if matches!(before, Token::Newline | Token::Indent | Token::Dedent | Token::StartModule | Token::StartExpression) {
                break;
            }
            first -= 1;
        }
        let start = self.expression_start(open.map_or(first, |open| open + 1), index);
        Context { line: first, open, start }
    }

    /// The last place from `from` to `index`, outside inner brackets, at which an expression begins.
    fn expression_start(&self, from: usize, index: usize) -> usize {
        let mut start = from;
        let mut at = from;
        let mut in_for = false;
        while at < index {
            let token = self.token(at);
            if let Some(close) = self.close(at) {
                at = close as usize + 1;
                continue;
            }
            let separates = match token {
                Token::Comma
                | Token::Colon
                | Token::ColonEqual
                | Token::Equal
                | Token::Semicolon
                | Token::Else
                | Token::Yield
                | Token::From
                | Token::Return
                | Token::Raise
                | Token::Assert
                | Token::Del
                | Token::While
                | Token::Elif
                | Token::With
                | Token::WithParen
                | Token::As
                | Token::Lambda
                | Token::Arrow
                | Token::Except
                | Token::Match(_)
                | Token::FColon
                | Token::PlusEqual
                | Token::MinusEqual
                | Token::StarEqual
                | Token::DoubleStarEqual
                | Token::SlashEqual
                | Token::DoubleSlashEqual
                | Token::PercentEqual
                | Token::AtEqual
                | Token::AmpersandEqual
                | Token::BarEqual
                | Token::CaretEqual
                | Token::LeftShiftEqual
                | Token::RightShiftEqual => true,
                Token::If | Token::At | Token::Star | Token::DoubleStar => at == start,
                Token::For => {
                    in_for = true;
                    true
                }
                Token::In => std::mem::take(&mut in_for),
                _ => false,
            };
            if separates {
                start = at + 1;
            }
            at += 1;
        }
        start
    }

    /// Whether an expression is what may stand at `start`, and not a name that is declared there.
    fn is_expression(&self, context: Context) -> bool {
        let before = if context.start == 0 { Token::End } else { self.before(context.start, 1) };
        let mut line = context.line;
        if self.token(line) == Token::Async {
            line += 1;
        }
        if self.in_lambda_parameters(context) {
            return before == Token::Equal;
        }
        match self.token(line) {
            Token::Import | Token::From | Token::Global | Token::Nonlocal | Token::Case(_) => false,
            Token::Def => {
                let parameters = context.open.is_some_and(|open| {
                    self.is_name_before(open, 1) && self.before(open, 2) == Token::Def || self.before(open, 1) == Token::RightBracket
                });
                !parameters || matches!(before, Token::Equal | Token::Colon)
            }
            _ => before != Token::For,
        }
    }

    fn in_lambda_parameters(&self, context: Context) -> bool {
        let mut inside = false;
        let mut at = context.open.map_or(context.line, |open| open + 1);
        while at < self.stop.index {
            if let Some(close) = self.close(at) {
                at = close as usize + 1;
                continue;
            }
            match self.token(at) {
                Token::Lambda => inside = true,
                Token::Colon => inside = false,
                _ => {}
            }
            at += 1;
        }
        inside
    }

    /// Mistakes inside one expression.
    fn expression_faults(&self, index: usize, context: Context) -> Option<Box<Fault>> {
        let start = context.start;
        if self.is_expression(context) && start < index {
            if let Some(fault) = self.legacy(index, context) {
                return Some(fault);
            }
            if let Some(fault) = self.forgotten_comma(index, context) {
                return Some(fault);
            }
            if start + 1 == index && self.is_name(start) && self.token(index) != Token::LeftParen {
                // CPython looks at what follows a name for the arguments of a `print`.
                let inner = Context { start: index, ..context };
                if let Some(end) = self.disjunction(index)
                    && let Some(fault) = self.forgotten_comma(end, inner)
                {
                    return Some(fault);
                }
            }
            let in_loop = context.open.is_some() && self.before(start, 1) == Token::In;
            if !in_loop
                && let Some(test) = self.disjunction(start)
                && self.token(test) == Token::If
                && let Some(end) = self.disjunction(test + 1)
                && end <= index
                && !matches!(self.token(end), Token::Else | Token::Colon)
            {
                let message = "expected 'else' after 'if' expression";
                return Some(Fault::at(message, self.node(start, test).to(self.node(test + 1, end))));
            }
        }
        match self.token(index) {
            Token::Equal => self.assignment(index, context),
            Token::ColonEqual => {
                // An expression by itself has no `:=` outside of brackets.
                if context.open.is_none() && self.token(0) == Token::StartExpression {
                    return None;
                }
                let outer = context.open.map_or(context.line, |open| open + 1);
                let whole = self.expression(outer) == Some(index);
                let start = if whole { outer } else { start };
                if self.expression(start) != Some(index) {
                    return None;
                }
                self.expression(index + 1)?;
                let name = self.kind_name(start, index)?;
                let message = format!("cannot use assignment expressions with {name}");
                Some(Fault::at(message, self.range(start, index)))
            }
            Token::Not if index > 0 && self.binary_operator(index - 1) => {
                let end = self.inversion(index)?;
                let message = "'not' after an operator must be parenthesized";
                Some(Fault::at(message, self.range(index, end)))
            }
            _ => None,
        }
    }

    fn binary_operator(&self, index: usize) -> bool {
        matches!(self.token(index), Token::Plus | Token::Minus | Token::Star | Token::Slash | Token::Percent | Token::DoubleSlash | Token::At)
    }

    /// `print x`
    fn legacy(&self, index: usize, context: Context) -> Option<Box<Fault>> {
        let name = self.name(index - 1)?;
        if context.start + 1 != index || !matches!(name, "print" | "exec") {
            return None;
        }
        let end = self.star_expressions(index)?;
        let message = format!("Missing parentheses in call to '{name}'. Did you mean {name}(...)?");
        Some(Fault::at(message, self.range(index - 1, end)))
    }

    /// Two expressions with nothing in between, in brackets.
    fn forgotten_comma(&self, index: usize, context: Context) -> Option<Box<Fault>> {
        context.open?;
        let start = context.start;
        if self.is_name(start) && matches!(self.token(start + 1), Token::String(_) | Token::FStart(_)) {
            return None;
        }
        // CPython takes every beginning of a soft keyword for one.
        let soft = |name: &str| ["match", "case", "type", "_"].iter().any(|word| word.starts_with(name));
        if self.name(start).is_some_and(soft) {
            return None;
        }
        let before = if start == 0 { Token::End } else { self.before(start, 1) };
        let in_call = context.open.is_some_and(|open| self.is_call(open));
        if before == Token::In || matches!(before, Token::Star) && !in_call || matches!(before, Token::DoubleStar) && !in_call {
            return None;
        }
        if self.disjunction(start) != Some(index) {
            return None;
        }
        let end = self.expression(index)?;
        if self.is_later_key(context) {
            let last = self.span(index - 1).end - 1;
            return Some(Fault::new("':' expected after dictionary key", Place::start(last)));
        }
        let message = "invalid syntax. Perhaps you forgot a comma?";
        Some(Fault::at(message, self.node(start, index).to(self.node(index, end))))
    }

    /// Whether the expression is the key of an item of a dict that is not the first.
    fn is_later_key(&self, context: Context) -> bool {
        let Some(open) = context.open else { return false };
        self.token(open) == Token::LeftBrace
            && self.before(context.start, 1) == Token::Comma
            && self.has(open, context.start, |token| token == Token::Colon)
    }

    /// The place of an expression, without parentheses around it.
    fn node(&self, mut start: usize, mut end: usize) -> Span {
        while self.token(start) == Token::LeftParen
            && self.close(start) == Some(end as u32 - 1)
            && start + 2 < end
            && !self.has_comma(start, end)
            && !self.has_for(start, end)
        {
            start += 1;
            end -= 1;
        }
        self.range(start, end)
    }

    /// Whether a parenthesis holds arguments.
    fn is_call(&self, open: usize) -> bool {
        self.token(open) == Token::LeftParen && open > 0 && self.ends_primary(open - 1)
    }

    fn ends_primary(&self, index: usize) -> bool {
        self.is_name(index)
            || matches!(self.token(index), Token::RightParen | Token::RightBracket | Token::RightBrace | Token::String(_) | Token::FEnd)
    }

    /// `=` where only `==` or `:=` can stand.
    fn assignment(&self, index: usize, context: Context) -> Option<Box<Fault>> {
        let start = context.start;
        let before = if start == 0 { Token::End } else { self.before(start, 1) };
        let named = if let Some(open) = context.open {
            start == open + 1
                || matches!(before, Token::Comma) && self.token(open) != Token::FOpen
                || matches!(before, Token::Colon) && self.token(open) == Token::LeftBracket
        } else {
            let header = matches!(before, Token::If | Token::Elif | Token::While | Token::Match(_) | Token::At);
            header || (start == context.line && self.token(0) != Token::StartExpression)
        };
        if !named || start == index {
            return None;
        }
        let value = self.bitor(index + 1)?;
        if matches!(self.token(value), Token::Equal | Token::ColonEqual) {
            return None;
        }
        if start + 1 == index && self.is_name(start) {
            let message = "invalid syntax. Maybe you meant '==' or ':=' instead of '='?";
            return Some(Fault::at(message, self.range(start, value)));
        }
        if self.bitor(start) != Some(index) {
            return None;
        }
        let name = self.kind_name(start, index)?;
        if matches!(name, "list" | "tuple" | "generator expression" | "True" | "False" | "None") {
            return None;
        }
        let message = format!("cannot assign to {name} here. Maybe you meant '==' instead of '='?");
        Some(Fault::at(message, self.range(start, index)))
    }

    /// What CPython calls the expression from `start` to `end`.
    fn kind_name(&self, start: usize, end: usize) -> Option<&'static str> {
        if self.primary(start) == Some(end) {
            return Some(match self.token(end - 1) {
                Token::RightParen if self.opened_by(end - 1) == start => self.group_name(start, end),
                Token::RightParen => "function call",
                Token::RightBracket if self.opened_by(end - 1) == start => {
                    if self.has_for(start, end) {
                        "list comprehension"
                    } else {
                        "list"
                    }
                }
                Token::RightBracket => "subscript",
                Token::RightBrace => {
                    let comprehension = self.has_for(start, end);
                    let dict = self.has_colon(start, end) || start + 2 == end;
                    match (dict, comprehension) {
                        (true, true) => "dict comprehension",
                        (true, false) => "dict literal",
                        (false, true) => "set comprehension",
                        (false, false) => "set display",
                    }
                }
                Token::FEnd => "f-string expression",
                Token::None => "None",
                Token::True => "True",
                Token::False => "False",
                Token::Ellipsis => "ellipsis",
                Token::Number(_) | Token::String(_) => "literal",
                _ if start + 1 == end => return None,
                _ => "attribute",
            });
        }
        Some(match self.token(start) {
            Token::Lambda => "lambda",
            Token::Await if self.await_primary(start) == Some(end) => "await expression",
            _ if self.bitor(start) == Some(end) => "expression",
            _ if self.comparison(start) == Some(end) => "comparison",
            _ if self.disjunction(start) == Some(end) => "expression",
            _ if self.expression(start) == Some(end) => "conditional expression",
            _ => return None,
        })
    }

    fn opened_by(&self, close: usize) -> usize {
        let find = |open: &Option<u32>| *open == Some(close as u32);
        self.brackets.close.iter().position(find).unwrap_or(close)
    }

    /// What is in the parentheses from `start` to `end`.
    fn group_name(&self, start: usize, end: usize) -> &'static str {
        if start + 2 == end || self.has_comma(start, end) {
            return "tuple";
        }
        if self.has_for(start, end) {
            return "generator expression";
        }
        if self.token(start + 1) == Token::Yield {
            return "yield expression";
        }
        if start + 3 == end && self.is_name(start + 1) {
            return "name";
        }
        self.kind_name(start + 1, end - 1).unwrap_or("named expression")
    }

    fn has(&self, start: usize, end: usize, wanted: impl Fn(Token) -> bool) -> bool {
        let mut at = start + 1;
        while at + 1 < end {
            if wanted(self.token(at)) {
                return true;
            }
            at = self.close(at).map_or(at, |close| close as usize) + 1;
        }
        false
    }

    fn has_for(&self, start: usize, end: usize) -> bool {
        self.has(start, end, |token| token == Token::For)
    }

    fn has_colon(&self, start: usize, end: usize) -> bool {
        self.has(start, end, |token| matches!(token, Token::Colon | Token::DoubleStar))
    }

    fn has_comma(&self, start: usize, end: usize) -> bool {
        self.has(start, end, |token| token == Token::Comma)
    }

    /// Mistakes that belong to the kind of bracket they stand in.
    fn bracket_faults(&self, index: usize, context: Context) -> Option<Box<Fault>> {
        let open = context.open?;
        let at = self.token(index);
        let span = self.span(index);
        let before = self.before(index, 1);
        if self.token(open) == Token::FOpen {
            return self.field_faults(index, open);
        }
        if let Token::FStart(_) = self.token(open) {
            return None;
        }
        let lambda = self.in_lambda_parameters(context);
        if lambda || self.is_parameters(open, context) {
            let what = if lambda { "Lambda expression parameters" } else { "Function parameters" };
            return self.parameter_faults(index, open, what);
        }
        let call = self.is_call(open);
        if call && before == Token::Equal && matches!(at, Token::Comma | Token::RightParen) && self.is_name_before(index, 2) {
            let message = "expected argument value expression";
            return Some(Fault::at(message, self.range(index - 2, index)));
        }
        let begins = matches!(self.before(index, 2), Token::Comma | Token::LeftParen);
        if call && before == Token::Star && begins {
            return Some(Fault::at("Invalid star expression", span));
        }
        if let Some(fault) = self.loop_without_in(index, open) {
            return Some(fault);
        }
        let key = self.expression(context.start);
        if self.is_later_key(context)
            && at != Token::Equal
            && let Some(end) = key
            && end <= index
            && self.token(end) != Token::Colon
        {
            let last = self.span(end - 1).end - 1;
            return Some(Fault::new("':' expected after dictionary key", Place::start(last)));
        }
        match self.token(open) {
            Token::LeftBrace if before == Token::Colon => match at {
                Token::RightBrace | Token::Comma => {
                    let message = "expression expected after dictionary key and ':'";
                    Some(Fault::at(message, self.span(index - 1)))
                }
                Token::Star => {
                    let end = self.bitor(index + 1)?;
                    let message = "cannot use a starred expression in a dictionary value";
                    let cursor = self.span(end).end;
                    Some(Fault::new(message, Place::up_to(self.span(index).start, cursor)))
                }
                _ => None,
            },
            Token::LeftParen if !call && at == Token::DoubleStar && open + 1 == index => {
                let end = self.expression(index + 1)?;
                (self.token(end) == Token::RightParen).then(|| Fault::at("cannot use double starred expression here", self.span(index)))
            }
            Token::LeftBracket | Token::LeftBrace if matches!(at, Token::For | Token::Async) && !self.is_subscript(open) => {
                if !self.has(open, index + 1, |token| token == Token::Comma) {
                    return None;
                }
                let end = if before == Token::Comma { index - 1 } else { index };
                let last = if before == Token::Comma { index } else { end };
                let message = "did you forget parentheses around the comprehension target?";
                Some(Fault::at(message, self.range(open + 1, last)))
            }
            _ => None,
        }
    }

    /// `for` in a comprehension, its targets, and then no `in`.
    fn loop_without_in(&self, index: usize, open: usize) -> Option<Box<Fault>> {
        let mut at = open + 1;
        let mut start = None;
        while at < index {
            if let Some(close) = self.close(at) {
                at = close as usize + 1;
                continue;
            }
            match self.token(at) {
                Token::For => start = Some(at + 1),
                Token::In => start = None,
                _ => {}
            }
            at += 1;
        }
        let mut end = self.bitor(start?)?;
        while self.token(end) == Token::Comma {
            match self.bitor(end + 1) {
                Some(after) => end = after,
                None => end += 1,
            }
        }
        (end <= index && self.token(end) != Token::In).then(|| Fault::at("'in' expected after for-loop variables", self.span(end)))
    }

    fn is_subscript(&self, open: usize) -> bool {
        open > 0 && self.ends_primary(open - 1)
    }

    /// Whether a parenthesis holds a function's parameters.
    fn is_parameters(&self, open: usize, context: Context) -> bool {
        let line = context.line + usize::from(self.token(context.line) == Token::Async);
        self.token(line) == Token::Def
            && self.token(open) == Token::LeftParen
            && self.tokens.get(line..open).unwrap_or_default().iter().all(|lexeme| lexeme.1 != Token::LeftParen)
    }

    fn parameter_faults(&self, index: usize, open: usize, what: &str) -> Option<Box<Fault>> {
        let at = self.token(index);
        let before = self.before(index, 1);
        if before == Token::Equal && matches!(at, Token::Comma | Token::RightParen) {
            let message = "expected default value expression";
            return Some(Fault::at(message, self.span(index - 1)));
        }
        if at == Token::LeftParen && matches!(before, Token::Comma | Token::LeftParen | Token::Lambda) {
            let plain = !self.has(open, index + 1, |token| matches!(token, Token::Equal | Token::Star | Token::DoubleStar | Token::Slash));
            let close = self.close(index)? as usize;
            let names = self.tokens[index + 1..close]
                .iter()
                .enumerate()
                .all(|(n, lexeme)| if n % 2 == 0 { matches!(lexeme.1, Token::Name(_)) } else { lexeme.1 == Token::Comma });
            if plain && names && close > index + 1 {
                let message = format!("{what} cannot be parenthesized");
                return Some(Fault::at(message, self.range(index, close + 1)));
            }
        }
        if before == Token::Slash && at == Token::Star {
            return Some(Fault::at("expected comma between / and *", self.span(index)));
        }
        None
    }

    /// Mistakes in a field of an f-string that opens at `open`.
    fn field_faults(&self, index: usize, open: usize) -> Option<Box<Fault>> {
        let at = self.token(index);
        let span = self.span(index);
        let mark = match at {
            Token::Equal => "=",
            Token::Exclamation => "!",
            Token::FColon => ":",
            Token::FClose => "}",
            _ => "",
        };
        if open + 1 == index {
            let message = match mark {
                "" => "f-string: expecting a valid expression after '{'".to_string(),
                _ => format!("f-string: valid expression required before '{mark}'"),
            };
            return Some(Fault::at(message, span));
        }
        if self.before(index, 1) == Token::Exclamation {
            let message = match at {
                Token::FColon | Token::FClose => "f-string: missing conversion character",
                _ => "f-string: invalid conversion character",
            };
            return Some(Fault::at(message, span));
        }
        let value = self.star_expressions(open + 1).or_else(|| self.yield_end(open + 1));
        if self.token(open + 1) == Token::Lambda && at == Token::FColon {
            let message = "f-string: lambda expressions are not allowed without parentheses";
            return Some(Fault::at(message, self.range(open + 1, index + 1)));
        }
        if self.expects("f}") && self.has(open, index + 1, |token| token == Token::FColon) {
            return Some(Fault::at("f-string: expecting '}', or format specs", span));
        }
        let Some(value) = value else {
            let message = "f-string: expecting a valid expression after '{'";
            return Some(Fault::at(message, self.span(open + 1)));
        };
        let mark = matches!(self.token(value), Token::Equal | Token::Exclamation | Token::FColon | Token::FClose);
        if value <= index && !mark {
            let message = "f-string: expecting '=', or '!', or ':', or '}'";
            return Some(Fault::at(message, self.span(value)));
        }
        if self.token(value) == Token::Equal && value + 1 == index {
            return Some(Fault::at("f-string: expecting '!', or ':', or '}'", span));
        }
        if self.expects("f}") {
            return Some(Fault::at("f-string: expecting ':' or '}'", span));
        }
        None
    }

    fn yield_end(&self, index: usize) -> Option<usize> {
        if self.token(index) != Token::Yield {
            return None;
        }
        let from = usize::from(self.token(index + 1) == Token::From);
        Some(self.star_expressions(index + 1 + from).unwrap_or(index + 1))
    }

    /// Mistakes that belong to the kind of statement they stand in.
    fn statement_faults(&self, index: usize, context: Context) -> Option<Box<Fault>> {
        let at = self.token(index);
        let span = self.span(index);
        let mut line = context.line;
        if self.token(line) == Token::Async {
            line += 1;
        }
        if self.expects("except") && self.expects("finally") && self.stop.expected.len() <= 3 {
            let message = "expected 'except' or 'finally' block";
            return Some(match at {
                Token::Dedent | Token::End => Fault::new(message, self.block_end(index)),
                _ => Fault::at(message, span),
            });
        }
        let keyword = self.token(line);
        if keyword == Token::Def
            && let Some(end) = self.end_of_signature(line, index)
        {
            let close = (line..end).rev().find(|&at| self.token(at) == Token::RightParen);
            if let Some(star) = close.and_then(|close| close.checked_sub(1))
                && self.token(star) == Token::Star
            {
                return Some(Fault::at("named arguments must follow bare *", self.span(star)));
            }
            return Some(Fault::at("expected ':'", self.span(end)));
        }
        if context.open.is_none() {
            match keyword {
                Token::Else | Token::Try | Token::Finally if index == line + 1 => {
                    return Some(Fault::at("expected ':'", span));
                }
                Token::Def if self.expects("(") && self.is_name(line + 1) && index >= line + 2 && self.bare_def(line, index) => {
                    return Some(Fault::at("expected '('", span));
                }
                Token::If
                | Token::Elif
                | Token::While
                | Token::For
                | Token::With
                | Token::WithParen
                | Token::Class
                | Token::Except
                | Token::Match(_)
                | Token::Case(_)
                    if at == Token::Newline && self.expects(":") =>
                {
                    return Some(Fault::at("expected ':'", span));
                }
                _ => {}
            }
        }
        if self.in_lambda_parameters(context) {
            let open = context.start.saturating_sub(1);
            let fault = self.parameter_faults(index, open, "Lambda expression parameters");
            if fault.is_some() {
                return fault;
            }
        }
        self.soft_statement(index, line).or_else(|| self.simple_statement(index, line, keyword))
    }

    /// Where the colon of a `def` should stand, if that is not after the token.
    fn end_of_signature(&self, line: usize, index: usize) -> Option<usize> {
        let open = (line..index).find(|&at| self.token(at) == Token::LeftParen)?;
        let close = self.close(open)? as usize;
        if close >= index {
            return None;
        }
        let mut end = close + 1;
        if self.token(end) == Token::Arrow {
            end = self.expression(end + 1).unwrap_or(end);
        }
        (end <= index && self.token(end) != Token::Colon).then_some(end)
    }

    /// Whether only a name and type parameters stand between `def` and the token.
    fn bare_def(&self, line: usize, index: usize) -> bool {
        index == line + 2 || self.token(line + 2) == Token::LeftBracket && self.close(line + 2) == Some(index as u32 - 1)
    }

    /// `match x` and `case x` without their colon look like two names.
    fn soft_statement(&self, index: usize, line: usize) -> Option<Box<Fault>> {
        if index != line + 1 {
            return None;
        }
        match self.name(line)? {
            "match" => {
                let end = self.star_expressions(index)?;
                let newline = self.token(end) == Token::Newline;
                let end = end + usize::from(self.token(end) == Token::Colon);
                let message = if newline { "expected ':'" } else { "invalid syntax" };
                Some(Fault::at(message, self.span(end)))
            }
            "type" if self.is_name(index) => Some(Fault::at("invalid syntax", self.span(index + 1))),
            _ => None,
        }
    }

    fn simple_statement(&self, index: usize, line: usize, keyword: Token) -> Option<Box<Fault>> {
        let at = self.token(index);
        let before = self.before(index, 1);
        let starting_from = |first: usize, end: usize, message: &str| Fault::new(message, Place::up_to(self.span(first).start, self.span(end).end));
        if before == Token::Equal
            && self.context(index).open.is_none()
            && let Some(fault) = self.bad_targets(line, index)
        {
            return Some(fault);
        }
        // A line that begins with `async` begins behind it.
        let tuple = self.tokens.get(line..index).unwrap_or_default().iter().any(|lexeme| lexeme.1 == Token::Comma);
        if tuple
            && self.context(index).open.is_none()
            && self.is_name(index)
            && self.token(index + 1) == Token::Equal
            && let Some(end) = self.bitor(index + 2)
            && !matches!(self.token(end), Token::Equal | Token::ColonEqual)
            && self.star_expressions(line) == Some(index)
        {
            let message = "invalid syntax. Maybe you meant '==' or ':=' instead of '='?";
            return Some(Fault::at(message, self.range(index, end)));
        }
        if keyword == Token::For
            && let Some(end) = self.star_expressions(line + 1)
            && end <= index
            && let Some(name) = self.kind_name(line + 1, end)
            && !matches!(name, "attribute" | "subscript" | "list" | "tuple" | "name" | "comparison")
        {
            let message = format!("cannot assign to {name}");
            return Some(Fault::at(message, self.range(line + 1, end)));
        }
        match at {
            Token::RightBracket
                if before == Token::LeftBracket
                    && (matches!(keyword, Token::Def | Token::Class) && index == line + 3 || matches!(keyword, Token::Type(_))) =>
            {
                let start = self.span(index).start;
                let place = Place::up_to(start, start + 1);
                Some(Fault::new("Type parameter list cannot be empty", place))
            }
            Token::Newline if before == Token::Import => {
                let message = "Expected one or more names after 'import'";
                let start = self.span(index).start;
                Some(Fault::new(message, Place::up_to(start, start + 1)))
            }
            Token::From if keyword == Token::Import => {
                let mut end = index + 1;
                while self.is_name(end) && self.token(end + 1) == Token::Dot {
                    end += 2;
                }
                self.name(end)?;
                let message = "Did you mean to use 'from ... import ...' instead?";
                Some(starting_from(line, end + 1, message))
            }
            Token::Comma if keyword == Token::Except => {
                let star = usize::from(self.token(line + 1) == Token::Star);
                let first = line + 1 + star;
                let mut end = self.star_expressions(index + 1)?;
                if self.token(end) == Token::As && self.is_name(end + 1) {
                    end += 2;
                }
                (self.token(end) == Token::Colon).then(|| starting_from(first, end, "multiple exception types must be parenthesized"))
            }
            Token::Newline | Token::Colon if keyword == Token::Except && before == Token::Star => {
                Some(Fault::at("expected one or more exception types", self.span(index)))
            }
            _ => None,
        }
    }

    /// The first target of `a = b =` that can be none.
    fn bad_targets(&self, line: usize, index: usize) -> Option<Box<Fault>> {
        let mut start = line;
        while start < index {
            let end = self.star_expressions(start)?;
            if self.token(end) != Token::Equal {
                return None;
            }
            if let Some(name) = self.kind_name(start, end)
                && !matches!(name, "attribute" | "subscript" | "list" | "tuple" | "name")
                && !self.tokens[start..end].iter().any(|lexeme| lexeme.1 == Token::Comma)
            {
                let message = format!("cannot assign to {name}");
                return Some(Fault::at(message, self.range(start, end)));
            }
            start = end + 1;
        }
        None
    }

    /// The last token that CPython has read when it gives up at `index`: it looks for an expression
    /// that follows the one before.
    pub(crate) fn last_read(&self, index: usize) -> usize {
        let context = self.context(index);
        if self.token(index) == Token::Equal {
            let read = self.assignment(index, context).and_then(|_| self.bitor(index + 1));
            return read.unwrap_or(index);
        }
        // A display that begins with a starred item is read again in search of a `for`, with a whole expression behind the star.
        if let Some(open) = context.open.filter(|&open| self.token(open + 1) == Token::Star && !self.is_call(open)) {
            if let Some(end) = self.expression(open + 2).filter(|&end| end > index) {
                return end;
            }
        }
        if context.start < index && self.disjunction(context.start) == Some(index) {
            let begins = matches!(self.token(index), Token::LeftParen | Token::LeftBracket | Token::LeftBrace | Token::FStart(_));
            return match self.expression(index) {
                Some(end) => end,
                None if begins => self.tokens.len() - 1,
                None => index,
            };
        }
        index
    }

    // A recogniser of expressions: where the one that begins at a token ends. What stands in
    // brackets is not looked at.

    fn star_expressions(&self, index: usize) -> Option<usize> {
        let one = |at: usize| match self.token(at) {
            Token::Star => self.bitor(at + 1),
            _ => self.expression(at),
        };
        let mut end = one(index)?;
        while self.token(end) == Token::Comma {
            match one(end + 1) {
                Some(after) => end = after,
                None => return Some(end + 1),
            }
        }
        Some(end)
    }

    fn expression(&self, mut index: usize) -> Option<usize> {
        loop {
            if self.token(index) == Token::Lambda {
                let mut at = index + 1;
                while self.token(at) != Token::Colon {
                    if matches!(self.token(at), Token::Newline | Token::End) || closes(self.token(at)) {
                        return None;
                    }
                    at = self.close(at).map_or(at, |close| close as usize) + 1;
                }
                index = at + 1;
                continue;
            }
            let end = self.disjunction(index)?;
            if self.token(end) != Token::If {
                return Some(end);
            }
            let Some(test) = self.disjunction(end + 1) else { return Some(end) };
            if self.token(test) != Token::Else {
                return Some(end);
            }
            index = test + 1;
        }
    }

    fn disjunction(&self, index: usize) -> Option<usize> {
        let mut end = self.inversion(index)?;
        while matches!(self.token(end), Token::And | Token::Or) {
            match self.inversion(end + 1) {
                Some(after) => end = after,
                None => break,
            }
        }
        Some(end)
    }

    fn inversion(&self, mut index: usize) -> Option<usize> {
        while self.token(index) == Token::Not {
            index += 1;
        }
        self.comparison(index)
    }

    fn comparison(&self, index: usize) -> Option<usize> {
        let mut end = self.bitor(index)?;
        loop {
            let after = match (self.token(end), self.token(end + 1)) {
                (Token::Is, Token::Not) | (Token::Not, Token::In) => end + 2,
                (
                    Token::EqualEqual
                    | Token::NotEqual
                    | Token::Less
                    | Token::LessEqual
                    | Token::Greater
                    | Token::GreaterEqual
                    | Token::Is
                    | Token::In,
                    _,
                ) => end + 1,
                _ => return Some(end),
            };
            match self.bitor(after) {
                Some(after) => end = after,
                None => return Some(end),
            }
        }
    }

    /// Operands of arithmetic, and what is between them.
    fn bitor(&self, index: usize) -> Option<usize> {
        let mut end = self.factor(index)?;
        loop {
            let operator = matches!(
                self.token(end),
                Token::Plus
                    | Token::Minus
                    | Token::Star
                    | Token::DoubleStar
                    | Token::Slash
                    | Token::DoubleSlash
                    | Token::Percent
                    | Token::At
                    | Token::Ampersand
                    | Token::Bar
                    | Token::Caret
                    | Token::LeftShift
                    | Token::RightShift
            );
            if !operator {
                return Some(end);
            }
            match self.factor(end + 1) {
                Some(after) => end = after,
                None => return Some(end),
            }
        }
    }

    fn factor(&self, mut index: usize) -> Option<usize> {
        while matches!(self.token(index), Token::Plus | Token::Minus | Token::Tilde) {
            index += 1;
        }
        self.await_primary(index)
    }

    fn await_primary(&self, index: usize) -> Option<usize> {
        self.primary(index + usize::from(self.token(index) == Token::Await))
    }

    fn primary(&self, index: usize) -> Option<usize> {
        let mut end = self.atom(index)?;
        loop {
            match self.token(end) {
                Token::Dot if self.is_name(end + 1) => end += 2,
                Token::LeftParen | Token::LeftBracket => match self.read(end) {
                    Some(close) if self.token(end) == Token::LeftBracket && close == end + 1 => {
                        return Some(end);
                    }
                    Some(close) => end = close + 1,
                    None => return Some(end),
                },
                _ => return Some(end),
            }
        }
    }

    fn atom(&self, index: usize) -> Option<usize> {
        match self.token(index) {
            Token::Name(_)
            | Token::Match(_)
            | Token::Case(_)
            | Token::Type(_)
            | Token::Number(_)
            | Token::None
            | Token::True
            | Token::False
            | Token::Ellipsis => Some(index + 1),
            Token::LeftParen | Token::LeftBracket | Token::LeftBrace => self.read(index).map(|close| close + 1),
            Token::String(_) | Token::FStart(_) => {
                let mut end = index;
                loop {
                    end = match self.token(end) {
                        Token::String(_) => end + 1,
                        Token::FStart(_) => self.read(end)? + 1,
                        _ => return Some(end),
                    };
                }
            }
            _ => None,
        }
    }
}
