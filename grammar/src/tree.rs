//! What the grammar's actions call: they build the tree and refuse what the grammar should not have
//! accepted.
//!
//! An action cannot fail: the first fault is kept and the parser goes on, so that the generated code
//! needs no error paths.

use std::borrow::Cow;

use crate::ast::{
    Alias, Arg, Arguments, ArgumentsId, Ast, Comprehension, Constant, Context, ExceptHandler, Expr, ExprId, Keyword, List, MatchCase, NameId,
    Pattern, PatternId, Span, Stmt, StmtId, TypeParam, WithItem,
};
use crate::error::{Fault, Place, Warning};
use crate::literal::{self, StringToken};
use crate::operator::{BoolOp, CmpOp, Operator, UnaryOp};
use crate::token::{Lexeme, Token};

/// The tree under construction.
pub(crate) struct Tree<'s> {
    pub(crate) ast: Ast,
    source: &'s str,
    strings: Vec<StringToken>,
    fault: Option<Box<Fault>>,
    /// The assignment expressions that have parentheses, in order.
    grouped: Vec<ExprId>,
    /// Where the last line of simple statements ended.
    line_end: u32,
    /// Offsets and texts.
    pub(crate) warnings: Vec<Warning>,
}

/// One entry of a parameter list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Param {
    kind: ParamKind,
    name: Option<NameId>,
    annotation: Option<ExprId>,
    default: Option<ExprId>,
    /// Where it begins, a `*` included.
    start: u32,
    /// From the name to the end of the annotation.
    span: Span,
}

/// What an entry of a parameter list is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ParamKind {
    Plain,
    Star,
    DoubleStar,
    Slash,
}

impl Param {
    pub(crate) fn new(
        kind: ParamKind,
        start: u32,
        l: u32,
        name: Option<NameId>,
        annotation: Option<ExprId>,
        default: Option<ExprId>,
        r: u32,
    ) -> Self {
        Self { kind, name, annotation, default, start, span: Span::new(l, r) }
    }
}

/// One argument of a call.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Argument {
    Positional(ExprId),
    Keyword(Keyword),
    /// A generator expression without parentheses of its own, beside other arguments.
    Generator(ExprId),
    /// The same as the only argument: the call's parentheses are also its own.
    OnlyGenerator(ExprId),
}

/// The arguments of a call, and where the comma after the last of them ends.
#[derive(Debug, Default)]
pub(crate) struct CallArguments {
    list: Vec<Argument>,
    comma: Option<u32>,
}

/// One item of `{…}`.
#[derive(Debug, Clone, Copy)]
pub(crate) enum DisplayItem {
    Item(ExprId),
    Pair(ExprId, ExprId),
    Mapping(ExprId, Span),
}

/// What stands in the parentheses of a `with`.
#[derive(Debug)]
pub(crate) enum WithContent {
    Expr(ExprId),
    Generator { elt: ExprId, generators: Vec<Comprehension> },
    List { items: Vec<WithItem>, comma: bool },
}

/// One of adjacent string literals.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StringPart {
    pub(crate) span: Span,
    pub(crate) kind: StringPartKind,
}

/// What a string literal is.
#[derive(Debug, Clone, Copy)]
pub(crate) enum StringPartKind {
    /// The index of its token.
    Plain(u32),
    /// The parts of an f-string.
    Formatted(List<ExprId>),
}

/// One item of a mapping pattern.
#[derive(Debug, Clone, Copy)]
pub(crate) enum MappingItem {
    Pair(ExprId, PatternId),
    Rest(NameId, Span),
}

/// One item of a class pattern.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ClassItem {
    Positional(PatternId),
    Keyword(NameId, PatternId),
}

impl<'s> Tree<'s> {
    pub(crate) fn new(ast: Ast, source: &'s str, strings: Vec<StringToken>) -> Self {
        Self { ast, source, strings, fault: None, grouped: Vec::new(), line_end: 0, warnings: Vec::new() }
    }

    /// The first fault.
    pub(crate) fn take_fault(&mut self) -> Option<Box<Fault>> {
        self.fault.take()
    }

    fn fault(&mut self, message: impl Into<String>, span: Span) {
        if self.fault.is_none() {
            self.fault = Some(Fault::at(message, span));
        }
    }

    /// A fault at the token after `span`.
    fn fault_after(&mut self, message: &str, span: Span) {
        if self.fault.is_none() {
            self.fault = Some(Fault::next(message, span));
        }
    }

    fn span(&self, id: ExprId) -> Span {
        self.ast.expr(id).span
    }

    pub(crate) fn expr(&mut self, l: u32, r: u32, kind: Expr) -> ExprId {
        self.ast.add_expr(Span::new(l, r), kind)
    }

    pub(crate) fn constant(&mut self, l: u32, r: u32, value: Constant) -> ExprId {
        self.expr(l, r, Expr::Constant(value))
    }

    pub(crate) fn stmt(&mut self, l: u32, r: u32, kind: Stmt) -> StmtId {
        self.ast.add_stmt(Span::new(l, r), kind)
    }

    pub(crate) fn pattern(&mut self, l: u32, r: u32, kind: Pattern) -> PatternId {
        self.ast.add_pattern(Span::new(l, r), kind)
    }

    // Expressions

    pub(crate) fn tuple(&mut self, l: u32, items: &[ExprId], r: u32) -> ExprId {
        let elts = self.ast.add_list(items);
        self.expr(l, r, Expr::Tuple { elts, ctx: Context::Load })
    }

    pub(crate) fn list(&mut self, l: u32, items: &[ExprId], r: u32) -> ExprId {
        let elts = self.ast.add_list(items);
        self.expr(l, r, Expr::List { elts, ctx: Context::Load })
    }

    pub(crate) fn bool_op(&mut self, l: u32, op: BoolOp, values: &[ExprId], r: u32) -> ExprId {
        let values = self.ast.add_list(values);
        self.expr(l, r, Expr::BoolOp { op, values })
    }

    /// The first entry's operator means nothing.
    pub(crate) fn compare(&mut self, l: u32, chain: &[(CmpOp, ExprId)], r: u32) -> ExprId {
        let ops: Vec<_> = chain[1..].iter().map(|&(op, _)| op).collect();
        let comparators: Vec<_> = chain[1..].iter().map(|&(_, operand)| operand).collect();
        let (ops, comparators) = (self.ast.add_list(&ops), self.ast.add_list(&comparators));
        self.expr(l, r, Expr::Compare { left: chain[0].1, ops, comparators })
    }

    pub(crate) fn named(&mut self, l: u32, target: ExprId, value: ExprId, r: u32) -> ExprId {
        let node = self.ast.expr(target);
        match node.kind {
            Expr::Name { id, .. } if node.span.start == l => {
                self.ast.set_expr(target, Expr::Name { id, ctx: Context::Store });
            }
            kind => {
                let name = name_of(kind);
                let message = format!("cannot use assignment expressions with {name}");
                self.fault(message, node.span);
            }
        }
        self.expr(l, r, Expr::NamedExpr { target, value })
    }

    /// What stands alone in parentheses.
    pub(crate) fn group(&mut self, e: ExprId) -> ExprId {
        let node = self.ast.expr(e);
        match node.kind {
            Expr::Starred { .. } => self.fault("cannot use starred expression here", node.span),
            Expr::NamedExpr { .. } if self.grouped.last() != Some(&e) => self.grouped.push(e),
            _ => {}
        }
        e
    }

    pub(crate) fn lambda(&mut self, l: u32, params: &[Param], body: ExprId, r: u32) -> ExprId {
        let args = self.arguments(params, true);
        self.expr(l, r, Expr::Lambda { args, body })
    }

    /// `open` is where the parenthesis stands.
    pub(crate) fn call(&mut self, l: u32, func: ExprId, open: u32, args: &CallArguments, r: u32) -> ExprId {
        if let [Argument::OnlyGenerator(e)] = args.list[..] {
            self.ast.set_span(e, Span::new(open, r));
        }
        let (args, keywords) = self.call_arguments(&args.list, args.comma);
        self.expr(l, r, Expr::Call { func, args, keywords })
    }

    fn call_arguments(&mut self, arguments: &[Argument], comma: Option<u32>) -> (List<ExprId>, List<Keyword>) {
        let mut args = Vec::new();
        let mut keywords: Vec<Keyword> = Vec::new();
        let mut unpacked = false;
        for &argument in arguments {
            match argument {
                Argument::Positional(e) => {
                    let node = self.ast.expr(e);
                    let starred = matches!(node.kind, Expr::Starred { .. });
                    if starred && unpacked {
                        let message = "iterable argument unpacking follows keyword argument unpacking";
                        // CPython shows the comma before it, too.
                        let before = self.source[..node.span.start as usize].rfind(',');
                        let start = before.map_or(node.span.start, |comma| comma as u32);
                        self.fault(message, Span::new(start, node.span.end));
                    } else if !starred && !keywords.is_empty() {
                        let message = if unpacked {
                            "positional argument follows keyword argument unpacking"
                        } else {
                            "positional argument follows keyword argument"
                        };
                        self.fault_after(message, last_argument(&self.ast, arguments, comma));
                    }
                    args.push(e);
                }
                Argument::Keyword(keyword) => {
                    unpacked |= keyword.arg.is_none();
                    keywords.push(keyword);
                }
                Argument::Generator(e) => {
                    let span = self.span(e);
                    self.fault("Generator expression must be parenthesized", span);
                }
                Argument::OnlyGenerator(e) => args.push(e),
            }
        }
        (self.ast.add_list(&args), self.ast.add_list(&keywords))
    }

    /// The arguments of a call. A generator expression may do without parentheses where it is the
    /// only one.
    pub(crate) fn call_list(mut list: Vec<Argument>, comma: bool, r: u32) -> CallArguments {
        if let ([Argument::Generator(e)], false) = (&list[..], comma) {
            list[0] = Argument::OnlyGenerator(*e);
        }
        CallArguments { list, comma: comma.then_some(r) }
    }

    pub(crate) fn keyword(&mut self, l: u32, name: ExprId, equal: u32, value: ExprId, r: u32) -> Argument {
        let node = self.ast.expr(name);
        let arg = match node.kind {
            Expr::Name { id, .. } if node.span.start == l => Some(id),
            Expr::Constant(constant @ (Constant::None | Constant::True | Constant::False)) => {
                let message = format!("cannot assign to {}", name_of(Expr::Constant(constant)));
                self.fault(message, Span::new(l, self.equal_after(equal)));
                None
            }
            _ => {
                let message = "expression cannot contain assignment, perhaps you meant \"==\"?";
                self.fault(message, Span::new(node.span.start, self.equal_after(equal)));
                None
            }
        };
        Argument::Keyword(Keyword { arg, value, span: Span::new(l, r) })
    }

    /// The place after the `=` that follows `at`.
    fn equal_after(&self, at: u32) -> u32 {
        at + self.source[at as usize..].find('=').map_or(0, |index| index as u32 + 1)
    }

    fn no_star_in_comprehension(&mut self, elt: ExprId) {
        let node = self.ast.expr(elt);
        if let Expr::Starred { .. } = node.kind {
            self.fault("iterable unpacking cannot be used in comprehension", node.span);
        }
    }

    pub(crate) fn generator(&mut self, l: u32, elt: ExprId, generators: &[Comprehension], r: u32) -> ExprId {
        self.no_star_in_comprehension(elt);
        let generators = self.ast.add_list(generators);
        self.expr(l, r, Expr::GeneratorExp { elt, generators })
    }

    pub(crate) fn list_comp(&mut self, l: u32, elt: ExprId, generators: &[Comprehension], r: u32) -> ExprId {
        self.no_star_in_comprehension(elt);
        let generators = self.ast.add_list(generators);
        self.expr(l, r, Expr::ListComp { elt, generators })
    }

    /// A set or dict.
    pub(crate) fn display(&mut self, l: u32, items: &[DisplayItem], r: u32) -> ExprId {
        if let Some(DisplayItem::Item(_)) = items.first() {
            let mut elts = Vec::with_capacity(items.len());
            for &item in items {
                match item {
                    DisplayItem::Item(e) => elts.push(e),
                    DisplayItem::Pair(key, value) => {
                        let span = self.between(key, value, b':');
                        self.fault("invalid syntax", span);
                    }
                    DisplayItem::Mapping(_, span) => {
                        self.fault("invalid syntax", Span::new(span.start, span.start + 2));
                    }
                }
            }
            let elts = self.ast.add_list(&elts);
            return self.expr(l, r, Expr::Set { elts });
        }
        let mut keys = Vec::with_capacity(items.len());
        let mut values = Vec::with_capacity(items.len());
        for &item in items {
            match item {
                DisplayItem::Pair(key, value) => {
                    keys.push(Some(key));
                    values.push(value);
                }
                DisplayItem::Mapping(value, _) => {
                    keys.push(None);
                    values.push(value);
                }
                DisplayItem::Item(e) => {
                    let span = self.span(e);
                    if let Expr::Starred { .. } = self.ast.expr(e).kind {
                        self.fault("invalid syntax", Span::new(span.start, span.start + 1));
                    } else {
                        let message = "':' expected after dictionary key";
                        let place = Place::start(span.end - 1);
                        self.fault.get_or_insert_with(|| Fault::new(message, place));
                    }
                }
            }
        }
        let (keys, values) = (self.ast.add_list(&keys), self.ast.add_list(&values));
        self.expr(l, r, Expr::Dict { keys, values })
    }

    /// The first `byte` between two expressions.
    fn between(&self, a: ExprId, b: ExprId, byte: u8) -> Span {
        let (a, b) = (self.span(a).end, self.span(b).start);
        let text = &self.source.as_bytes()[a as usize..b as usize];
        let at = a + text.iter().position(|&other| other == byte).unwrap_or(0) as u32;
        Span::new(at, at + 1)
    }

    pub(crate) fn display_comp(&mut self, l: u32, item: DisplayItem, generators: &[Comprehension], r: u32) -> ExprId {
        let list = self.ast.add_list(generators);
        match item {
            DisplayItem::Item(elt) => {
                self.no_star_in_comprehension(elt);
                self.expr(l, r, Expr::SetComp { elt, generators: list })
            }
            DisplayItem::Pair(key, value) => self.expr(l, r, Expr::DictComp { key, value, generators: list }),
            DisplayItem::Mapping(value, span) => {
                let message = "dict unpacking cannot be used in dict comprehension";
                self.fault(message, Span::new(span.start, span.start + 2));
                value
            }
        }
    }

    pub(crate) fn comprehension(&mut self, is_async: bool, target: ExprId, iter: ExprId, ifs: &[ExprId]) -> Comprehension {
        let target = self.for_target(target);
        let ifs = self.ast.add_list(ifs);
        Comprehension { target, iter, ifs, is_async }
    }

    /// A lone starred item of a subscript is a tuple.
    pub(crate) fn slices(&mut self, slice: ExprId) -> ExprId {
        let node = self.ast.expr(slice);
        match node.kind {
            Expr::Starred { .. } => self.tuple(node.span.start, &[slice], node.span.end),
            _ => slice,
        }
    }

    // Strings

    /// Adjacent literals are one; where an f-string is among them, so is the whole.
    pub(crate) fn strings(&mut self, l: u32, parts: &[StringPart], r: u32) -> ExprId {
        let span = Span::new(l, r);
        let is_bytes = |tree: &Self, part: &StringPart| match part.kind {
            StringPartKind::Plain(token) => tree.strings[token as usize].bytes,
            StringPartKind::Formatted(_) => false,
        };
        let n_bytes = parts.iter().filter(|part| is_bytes(self, part)).count();
        if n_bytes > 0 {
            if n_bytes < parts.len() {
                self.fault_after("cannot mix bytes and nonbytes literals", span);
            }
            return self.bytes(span, parts);
        }
        let formatted = parts.iter().any(|part| matches!(part.kind, StringPartKind::Formatted(_)));
        if !formatted {
            let mut text = Vec::new();
            for part in parts {
                self.plain(part, &mut text);
            }
            let u = self.has_u(parts[0]);
            let text = self.ast.add_bytes(&text);
            return self.ast.add_expr(span, Expr::Constant(Constant::Str { text, u }));
        }
        let mut values = Vec::new();
        for part in parts {
            match part.kind {
                StringPartKind::Plain(_) => {
                    let mut text = Vec::new();
                    self.plain(part, &mut text);
                    let u = self.has_u(*part);
                    let text = self.ast.add_bytes(&text);
                    let value = Expr::Constant(Constant::Str { text, u });
                    values.push(self.ast.add_expr(part.span, value));
                }
                StringPartKind::Formatted(list) => values.extend_from_slice(self.ast.list(list)),
            }
        }
        self.joined(l, &values, r)
    }

    fn has_u(&self, part: StringPart) -> bool {
        match part.kind {
            StringPartKind::Plain(token) => self.strings[token as usize].unicode,
            StringPartKind::Formatted(_) => false,
        }
    }

    fn plain(&mut self, part: &StringPart, out: &mut Vec<u8>) {
        let StringPartKind::Plain(token) = part.kind else { return };
        let token = self.strings[token as usize];
        match literal::decode_text(self.source, token.body, token.raw, false, out) {
            // CPython names the line on which the literal begins.
            Ok(warning) => {
                self.warnings.extend(warning.map(|(_, message)| Warning::of_text(message, part.span)));
            }
            Err(message) => self.fault(message, part.span),
        }
    }

    fn bytes(&mut self, span: Span, parts: &[StringPart]) -> ExprId {
        let mut bytes = Vec::new();
        for part in parts {
            let StringPartKind::Plain(token) = part.kind else { continue };
            let token = self.strings[token as usize];
            if !token.body.text(self.source).is_ascii() {
                let message = "bytes can only contain ASCII literal characters";
                self.fault(message, part.span);
            }
            match literal::decode_bytes(self.source, token.body, token.raw, &mut bytes) {
                Ok(warning) => {
                    self.warnings.extend(warning.map(|(_, message)| Warning::of_text(message, part.span)));
                }
                Err(message) => self.fault(message, part.span),
            }
        }
        let bytes = self.ast.add_bytes(&bytes);
        self.ast.add_expr(span, Expr::Constant(Constant::Bytes(bytes)))
    }

    /// Warns of the escapes in the strings among `tokens`, in place of what was noted so far: CPython decodes each string as soon as it has read
    /// the token behind it.
    pub(crate) fn warn_of_strings(&mut self, tokens: &[Lexeme]) {
        self.warnings.retain(|warning| !tokens.iter().any(|&(start, token, _)| start == warning.at && matches!(token, Token::String(_))));
        for &(start, token, end) in tokens {
            if let Token::String(token) = token {
                let span = Span::new(start, end);
                let string = self.strings[token as usize];
                let mut out = Vec::new();
                let decoded = if string.bytes {
                    literal::decode_bytes(self.source, string.body, string.raw, &mut out)
                } else {
                    literal::decode_text(self.source, string.body, string.raw, false, &mut out)
                };
                if let Ok(warning) = decoded {
                    self.warnings.extend(warning.map(|(_, message)| Warning::of_text(message, span)));
                }
            }
        }
        self.warnings.sort_by_key(|warning| warning.at);
    }

    /// The parts of one f-string.
    pub(crate) fn fstring(&mut self, l: u32, parts: &[ExprId], r: u32) -> StringPart {
        let list = self.ast.add_list(parts);
        StringPart { span: Span::new(l, r), kind: StringPartKind::Formatted(list) }
    }

    /// A text in an f-string.
    pub(crate) fn ftext(&mut self, l: u32, raw: bool, format: bool, r: u32) -> ExprId {
        let mut text = Vec::new();
        let body = Span::new(l, r).text(self.source).as_bytes();
        let backslashes = body.iter().rev().take_while(|&&byte| byte == b'\\').count();
        // A backslash before a field's brace escapes nothing and stays.
        let lone = !raw && backslashes % 2 == 1;
        let end = if lone { r - 1 } else { r };
        match literal::decode_text(self.source, Span::new(l, end), raw, !format, &mut text) {
            Ok(warning) => self.warnings.extend(warning.map(|(at, message)| Warning::of_text(message, Span::new(r, r + 1)).on_line_of(at))),
            Err(message) => self.fault_after(&message, Span::new(l, r)),
        }
        if lone {
            text.push(b'\\');
            self.warnings.push(Warning::of_text("invalid escape sequence '\\{'", Span::new(end, end + 1)));
        }
        let text = self.ast.add_bytes(&text);
        self.constant(l, r, Constant::Str { text, u: false })
    }

    /// An f-string of these parts, adjacent texts joined and empty ones left out.
    pub(crate) fn joined(&mut self, l: u32, parts: &[ExprId], r: u32) -> ExprId {
        let mut values: Vec<ExprId> = Vec::with_capacity(parts.len());
        let mut index = 0;
        while index < parts.len() {
            let is_text = |tree: &Self, id: ExprId| match tree.ast.expr(id).kind {
                Expr::Constant(Constant::Str { text, u }) => Some((text, u)),
                _ => None,
            };
            let first = parts[index];
            let Some((text, u)) = is_text(self, first) else {
                values.push(first);
                index += 1;
                continue;
            };
            let mut end = index + 1;
            while end < parts.len() && is_text(self, parts[end]).is_some() {
                end += 1;
            }
            let value = if end == index + 1 {
                if text.is_empty() { None } else { Some(first) }
            } else {
                let mut all = Vec::new();
                for &part in &parts[index..end] {
                    if let Some((text, _)) = is_text(self, part) {
                        all.extend_from_slice(self.ast.bytes(text));
                    }
                }
                let span = self.span(first).to(self.span(parts[end - 1]));
                let text = self.ast.add_bytes(&all);
                let constant = Expr::Constant(Constant::Str { text, u });
                (!text.is_empty()).then(|| self.ast.add_expr(span, constant))
            };
            values.extend(value);
            index = end;
        }
        let values = self.ast.add_list(&values);
        self.expr(l, r, Expr::JoinedStr { values })
    }

    /// A field of an f-string: `l` and `r` are its braces' outsides, `b` the place after the first
    /// brace and `d` the place of the last.
    #[expect(clippy::too_many_arguments, reason = "a field has as many parts")]
    pub(crate) fn field(
        &mut self,
        parts: &mut Vec<ExprId>,
        l: u32,
        b: u32,
        value: ExprId,
        equal: bool,
        conversion: Option<(u32, NameId, Span)>,
        format_spec: Option<ExprId>,
        d: u32,
        r: u32,
    ) {
        let mut letter = -1;
        if let Some((at, name, span)) = conversion {
            let name = self.ast.name(name);
            letter = match name {
                "s" | "r" | "a" if span.start == at + 1 => name.as_bytes()[0] as i8,
                _ if span.start != at + 1 => {
                    // The slip of the pen is CPython's.
                    let message = "f-string: conversion type must come right after the exclamanation mark";
                    self.fault(message, Span::new(at, span.end));
                    -1
                }
                _ => {
                    let message = format!("f-string: invalid conversion character '{name}': expected 's', 'r', or 'a'");
                    self.fault(message, span);
                    -1
                }
            };
        }
        if equal {
            let end = match (conversion, format_spec) {
                (Some((at, ..)), _) => at,
                (None, Some(spec)) => self.span(spec).start,
                (None, None) => d,
            };
            let text = Span::new(b, end).text(self.source);
            // CPython takes the `!` of a `!=` outside of brackets for the end of the text.
            let text = outer_unequal(text).map_or(text, |at| &text[..at]);
            let text = without_comments(text);
            let text = self.ast.add_bytes(text.as_bytes());
            parts.push(self.constant(b, end, Constant::Str { text, u: false }));
            if conversion.is_none() && format_spec.is_none() {
                letter = b'r' as i8;
            }
        }
        parts.push(self.expr(l, r, Expr::FormattedValue { value, conversion: letter, format_spec }));
    }

    // Statements

    pub(crate) fn assign(&mut self, l: u32, targets: &[ExprId], value: ExprId, r: u32) -> StmtId {
        for &target in targets {
            if let Some(wrong) = self.set_target(target, Context::Store) {
                let node = self.ast.expr(wrong);
                let name = name_of(node.kind);
                let target = self.ast.expr(target);
                let yields = matches!(target.kind, Expr::Yield { .. } | Expr::YieldFrom { .. });
                let before = self.source[..target.span.start as usize].trim_end();
                if yields && !before.ends_with('(') {
                    self.fault("assignment to yield expression not possible", node.span);
                } else if let Some((message, span)) = self.perhaps_equal(targets, value) {
                    self.fault(message, span);
                } else {
                    self.fault(format!("cannot assign to {name}"), node.span);
                }
                break;
            }
        }
        let targets = self.ast.add_list(targets);
        self.stmt(l, r, Stmt::Assign { targets, value })
    }

    /// In an assignment with a wrong target, CPython takes the first `=` for a comparison where what
    /// stands around it allows that.
    fn perhaps_equal(&self, targets: &[ExprId], value: ExprId) -> Option<(String, Span)> {
        let first = *targets.first()?;
        let node = self.ast.expr(first);
        let last = match node.kind {
            Expr::Tuple { elts, .. } if !self.in_parentheses(node.span) => *self.ast.list(elts).last()?,
            _ => first,
        };
        let right = targets.get(1).copied().unwrap_or(value);
        let operand = self.first_operand(right)?;
        if operand == right && targets.len() > 1 {
            return None;
        }
        let node = self.ast.expr(last);
        if let Expr::Name { .. } = node.kind {
            let message = "invalid syntax. Maybe you meant '==' or ':=' instead of '='?";
            return Some((message.into(), node.span.to(self.span(operand))));
        }
        let excluded = matches!(
            node.kind,
            Expr::List { .. } | Expr::Tuple { .. } | Expr::GeneratorExp { .. } | Expr::Constant(Constant::None | Constant::True | Constant::False)
        );
        if excluded || self.first_operand(last) != Some(last) {
            return None;
        }
        let name = name_of(node.kind);
        let message = format!("cannot assign to {name} here. Maybe you meant '==' instead of '='?");
        Some((message, node.span))
    }

    /// The part of an expression up to its first comparison, `and`, `or`, `if` or comma.
    fn first_operand(&self, mut id: ExprId) -> Option<ExprId> {
        loop {
            let node = self.ast.expr(id);
            id = match node.kind {
                Expr::Compare { left, .. } => left,
                Expr::BoolOp { values, .. } => *self.ast.list(values).first()?,
                Expr::IfExp { body, .. } => body,
                Expr::Tuple { elts, .. } if !self.in_parentheses(node.span) => *self.ast.list(elts).first()?,
                Expr::Lambda { .. } | Expr::Starred { .. } | Expr::UnaryOp { op: UnaryOp::Not, .. } => return None,
                _ => return Some(id),
            };
        }
    }

    /// Makes an expression a target and returns the part that cannot be one.
    fn set_target(&mut self, id: ExprId, ctx: Context) -> Option<ExprId> {
        let kind = match self.ast.expr(id).kind {
            Expr::Name { id, .. } => Expr::Name { id, ctx },
            Expr::Attribute { value, attr, .. } => Expr::Attribute { value, attr, ctx },
            Expr::Subscript { value, slice, .. } => Expr::Subscript { value, slice, ctx },
            Expr::Starred { value, .. } if ctx == Context::Store => {
                if let Expr::Starred { .. } = self.ast.expr(value).kind {
                    return Some(value);
                }
                let wrong = self.set_target(value, ctx);
                if wrong.is_some() {
                    return wrong;
                }
                Expr::Starred { value, ctx }
            }
            Expr::List { elts, .. } => {
                let wrong = self.set_targets(elts, ctx);
                if wrong.is_some() {
                    return wrong;
                }
                Expr::List { elts, ctx }
            }
            Expr::Tuple { elts, .. } => {
                let wrong = self.set_targets(elts, ctx);
                if wrong.is_some() {
                    return wrong;
                }
                Expr::Tuple { elts, ctx }
            }
            _ => return Some(id),
        };
        self.ast.set_expr(id, kind);
        None
    }

    fn set_targets(&mut self, list: List<ExprId>, ctx: Context) -> Option<ExprId> {
        (0..list.len()).find_map(|index| {
            let item = self.ast.list(list)[index];
            self.set_target(item, ctx)
        })
    }

    /// The target of a loop.
    pub(crate) fn for_target(&mut self, target: ExprId) -> ExprId {
        self.checked_target(target);
        target
    }

    fn checked_target(&mut self, target: ExprId) {
        if let Some(wrong) = self.set_target(target, Context::Store) {
            let node = self.ast.expr(wrong);
            self.fault(format!("cannot assign to {}", name_of(node.kind)), node.span);
        }
    }

    pub(crate) fn aug_assign(&mut self, l: u32, target: ExprId, op: Operator, value: ExprId, r: u32) -> StmtId {
        let node = self.ast.expr(target);
        if let Expr::Name { .. } | Expr::Attribute { .. } | Expr::Subscript { .. } = node.kind {
            self.set_target(target, Context::Store);
        } else {
            let message = if let Expr::Yield { .. } | Expr::YieldFrom { .. } = node.kind {
                "assignment to yield expression not possible".to_string()
            } else {
                let name = name_of(node.kind);
                format!("'{name}' is an illegal expression for augmented assignment")
            };
            self.fault(message, node.span);
        }
        self.stmt(l, r, Stmt::AugAssign { target, op, value })
    }

    pub(crate) fn ann_assign(&mut self, l: u32, target: ExprId, annotation: ExprId, value: Option<ExprId>, r: u32) -> StmtId {
        let node = self.ast.expr(target);
        let message = match node.kind {
            Expr::Name { .. } | Expr::Attribute { .. } | Expr::Subscript { .. } => None,
            Expr::List { .. } => Some("only single target (not list) can be annotated"),
            Expr::Tuple { .. } => Some("only single target (not tuple) can be annotated"),
            Expr::Starred { .. } => Some("invalid syntax"),
            Expr::Yield { .. } | Expr::YieldFrom { .. } if node.span.start == l => Some("invalid syntax"),
            _ => Some("illegal target for annotation"),
        };
        match message {
            None => {
                self.set_target(target, Context::Store);
            }
            Some("invalid syntax") => {
                let at = node.span.end + self.source[node.span.end as usize..].find(':').unwrap_or(0) as u32;
                self.fault("invalid syntax", Span::new(at, at + 1));
            }
            Some(message) => {
                let span = match node.kind {
                    // CPython shows the first of the items.
                    Expr::Tuple { elts, .. } if !self.in_parentheses(node.span) => self.span(self.ast.list(elts)[0]),
                    _ => node.span,
                };
                self.fault(message, span);
            }
        }
        let simple = matches!(node.kind, Expr::Name { .. }) && node.span.start == l;
        self.stmt(l, r, Stmt::AnnAssign { target, annotation, value, simple })
    }

    /// Whether a tuple has parentheses of its own.
    fn in_parentheses(&self, tuple: Span) -> bool {
        let text = tuple.text(self.source);
        if !text.starts_with('(') || !text.ends_with(')') {
            return false;
        }
        // `(a), (b)` has them, but not of its own.
        let mut depth = 0;
        for (index, byte) in text.bytes().enumerate() {
            match byte {
                b'(' => depth += 1,
                b')' => {
                    depth -= 1;
                    if depth == 0 {
                        return index + 1 == text.len();
                    }
                }
                _ => {}
            }
        }
        true
    }

    pub(crate) fn delete(&mut self, l: u32, targets: &[ExprId], r: u32) -> StmtId {
        for &target in targets {
            if let Some(wrong) = self.set_target(target, Context::Del) {
                let node = self.ast.expr(wrong);
                self.fault(format!("cannot delete {}", name_of(node.kind)), node.span);
                break;
            }
        }
        let targets = self.ast.add_list(targets);
        self.stmt(l, r, Stmt::Delete { targets })
    }

    pub(crate) fn dotted(&mut self, names: &[NameId]) -> NameId {
        let names: Vec<&str> = names.iter().map(|&name| self.ast.name(name)).collect();
        let name = names.join(".");
        self.ast.intern(&name)
    }

    pub(crate) fn star_import(&mut self, l: u32, r: u32) -> Vec<Alias> {
        let name = self.ast.intern("*");
        vec![Alias { name, asname: None, span: Span::new(l, r) }]
    }

    pub(crate) fn trailing_comma(&mut self, names: Vec<Alias>, r: u32) -> Vec<Alias> {
        let message = "trailing comma not allowed without surrounding parentheses";
        // CPython shows the token after the comma, which is the line break.
        self.fault_after(message, Span::new(r, r));
        names
    }

    pub(crate) fn import_from(&mut self, l: u32, level: u32, module: Option<NameId>, names: &[Alias], r: u32) -> StmtId {
        let names = self.ast.add_list(names);
        self.stmt(l, r, Stmt::ImportFrom { module, names, level })
    }

    /// A statement that ends with the last line of its last block.
    pub(crate) fn block(&mut self, l: u32, kind: Stmt) -> StmtId {
        self.ast.add_stmt(Span::new(l, self.line_end), kind)
    }

    /// A line of statements ended at `end`, a last semicolon included.
    pub(crate) fn line(&mut self, statements: Vec<StmtId>, end: u32) -> Vec<StmtId> {
        self.line_end = end;
        statements
    }

    pub(crate) fn try_(&mut self, l: u32, body: List<StmtId>, handlers: &[ExceptHandler], orelse: List<StmtId>, finalbody: List<StmtId>) -> StmtId {
        let is_star = handlers.first().is_some_and(|handler| self.is_star(handler));
        for handler in handlers {
            if self.is_star(handler) != is_star {
                let message = "cannot have both 'except' and 'except*' on the same 'try'";
                let at = handler.span.start;
                let span = self.star_of(at).map_or(Span::new(at, at + 6), |star| Span::new(at, star));
                self.fault(message, span);
            }
        }
        let handlers = self.ast.add_list(handlers);
        let kind = Stmt::Try { is_star, body, handlers, orelse, finalbody };
        self.block(l, kind)
    }

    /// The place after the `*` of an `except*` that begins at `at`.
    fn star_of(&self, at: u32) -> Option<u32> {
        let after = at as usize + "except".len();
        let rest = &self.source[after..];
        let blank = rest.len() - rest.trim_start_matches([' ', '\t', '\x0C']).len();
        rest[blank..].starts_with('*').then_some((after + blank + 1) as u32)
    }

    fn is_star(&self, handler: &ExceptHandler) -> bool {
        self.star_of(handler.span.start).is_some()
    }

    pub(crate) fn handler(&mut self, l: u32, type_: Option<ExprId>, name: Option<NameId>, body: List<StmtId>) -> ExceptHandler {
        ExceptHandler { type_, name, body, span: Span::new(l, self.line_end) }
    }

    pub(crate) fn with_item(&mut self, context_expr: ExprId, target: ExprId) -> WithItem {
        self.checked_target(target);
        WithItem { context_expr, optional_vars: Some(target) }
    }

    /// What stands in the parentheses of a `with`, from `l` to `r`: items, or one expression.
    pub(crate) fn with_items(&mut self, l: u32, content: WithContent, r: u32) -> List<WithItem> {
        let items = self.with_content(l, content, r);
        self.ast.add_list(&items)
    }

    fn with_content(&mut self, l: u32, content: WithContent, r: u32) -> Vec<WithItem> {
        let alone = |context_expr| vec![WithItem { context_expr, optional_vars: None }];
        match content {
            WithContent::Expr(e) => alone(e),
            WithContent::Generator { elt, generators } => alone(self.generator(l, elt, &generators, r)),
            WithContent::List { items, comma } => {
                let is_item = |tree: &Self, item: &WithItem| {
                    let e = item.context_expr;
                    match tree.ast.expr(e).kind {
                        Expr::Starred { .. } => false,
                        Expr::NamedExpr { .. } => tree.grouped.binary_search(&e).is_ok(),
                        _ => true,
                    }
                };
                if !items.is_empty() && items.iter().all(|item| is_item(self, item)) {
                    return items;
                }
                if let Some(item) = items.iter().find(|item| item.optional_vars.is_some()) {
                    let end = self.span(item.context_expr).end;
                    let at = self.source[end as usize..].find("as").unwrap_or(0) as u32 + end;
                    self.fault("invalid syntax", Span::new(at, at + 2));
                }
                let exprs: Vec<_> = items.iter().map(|item| item.context_expr).collect();
                if let ([one], false) = (&exprs[..], comma) {
                    let one = self.group(*one);
                    return alone(one);
                }
                alone(self.tuple(l, &exprs, r))
            }
        }
    }

    #[expect(clippy::too_many_arguments, reason = "a function has as many parts")]
    pub(crate) fn function(
        &mut self,
        l: u32,
        is_async: bool,
        name: NameId,
        type_params: List<TypeParam>,
        params: &[Param],
        returns: Option<ExprId>,
        body: List<StmtId>,
    ) -> StmtId {
        let args = self.arguments(params, false);
        let decorator_list = List::EMPTY;
        let kind = Stmt::FunctionDef { is_async, name, args, body, decorator_list, returns, type_params };
        self.block(l, kind)
    }

    pub(crate) fn class(&mut self, l: u32, name: NameId, type_params: List<TypeParam>, args: &CallArguments, body: List<StmtId>) -> StmtId {
        if let [Argument::OnlyGenerator(e)] = args.list[..] {
            let elt = match self.ast.expr(e).kind {
                Expr::GeneratorExp { elt, .. } => elt,
                _ => e,
            };
            let elt = self.span(elt);
            self.fault_after("invalid syntax", Span::new(elt.end, elt.end));
        }
        let (bases, keywords) = self.call_arguments(&args.list, args.comma);
        let decorator_list = List::EMPTY;
        let kind = Stmt::ClassDef { name, bases, keywords, body, decorator_list, type_params };
        self.block(l, kind)
    }

    pub(crate) fn decorate(&mut self, decorators: &[ExprId], definition: StmtId) -> StmtId {
        let list = self.ast.add_list(decorators);
        let mut kind = self.ast.stmt(definition).kind;
        if let Stmt::FunctionDef { decorator_list, .. } | Stmt::ClassDef { decorator_list, .. } = &mut kind {
            *decorator_list = list;
        }
        self.ast.set_stmt(definition, kind);
        definition
    }

    /// `target := value` as an argument, where only a name may be the target.
    pub(crate) fn named_argument(&mut self, l: u32, target: ExprId, value: ExprId, r: u32) -> ExprId {
        let node = self.ast.expr(target);
        if !(matches!(node.kind, Expr::Name { .. }) && node.span.start == l) {
            let at = node.span.end;
            let at = at + self.source[at as usize..].find(":=").unwrap_or(0) as u32;
            self.fault("invalid syntax", Span::new(at, at + 2));
        }
        self.named(l, target, value, r)
    }

    /// Sorts a parameter list and checks its order.
    fn arguments(&mut self, params: &[Param], lambda: bool) -> ArgumentsId {
        let mut plain: Vec<Arg> = Vec::new();
        let mut posonly: Vec<Arg> = Vec::new();
        let mut kwonly: Vec<Arg> = Vec::new();
        let mut defaults = Vec::new();
        let mut kw_defaults = Vec::new();
        let (mut vararg, mut kwarg) = (None, None);
        let (mut slash, mut star): (Option<Span>, Option<Span>) = (None, None);
        for (index, param) in params.iter().enumerate() {
            let span = param.span;
            if kwarg.is_some() {
                let message = "arguments cannot follow var-keyword argument";
                let end = param.start + self.marker(param);
                self.fault(message, Span::new(param.start, end));
            }
            let arg = param.name.map(|arg| Arg { arg, annotation: param.annotation, span });
            match param.kind {
                ParamKind::Plain => {
                    let Some(arg) = arg else { continue };
                    if star.is_some() {
                        kwonly.push(arg);
                        kw_defaults.push(param.default);
                        continue;
                    }
                    plain.push(arg);
                    if let Some(default) = param.default {
                        defaults.push(default);
                    } else if !defaults.is_empty() {
                        let message = "parameter without a default follows parameter with a default";
                        let name = Span::new(span.start, span.start + self.ast.name(arg.arg).len() as u32);
                        self.fault(message, if lambda { span } else { name });
                    }
                }
                ParamKind::Slash => {
                    if slash.is_some() {
                        self.fault("/ may appear only once", span);
                    } else if star.is_some() {
                        self.fault("/ must be ahead of *", span);
                    } else if plain.is_empty() {
                        let last = index + 1 == params.len();
                        let message = "at least one argument must precede /";
                        self.fault(if last { "invalid syntax" } else { message }, span);
                    }
                    slash = Some(span);
                    posonly = std::mem::take(&mut plain);
                }
                ParamKind::Star => {
                    if star.is_some() {
                        let marker = Span::new(param.start, param.start + 1);
                        self.fault("* argument may appear only once", marker);
                    }
                    star = Some(span);
                    vararg = arg;
                    if param.default.is_some() {
                        let at = self.equal_after(span.end);
                        let message = "var-positional argument cannot have default value";
                        self.fault(message, Span::new(at - 1, at));
                    }
                    let named_follows = params.get(index + 1).is_some_and(|next| next.kind == ParamKind::Plain);
                    let other_follows = params.get(index + 1).is_none_or(|next| next.kind == ParamKind::DoubleStar);
                    if arg.is_none() && !named_follows && other_follows {
                        let message = "named arguments must follow bare *";
                        if lambda {
                            let next = params.get(index + 1).map_or(span.end, |next| next.start);
                            self.fault_after(message, Span::new(next, next));
                        } else {
                            self.fault(message, span);
                        }
                    }
                }
                ParamKind::DoubleStar => {
                    kwarg = arg;
                    if param.default.is_some() {
                        let at = self.equal_after(span.end);
                        let message = "var-keyword argument cannot have default value";
                        self.fault(message, Span::new(at - 1, at));
                    }
                }
            }
        }
        let arguments = Arguments {
            posonlyargs: self.ast.add_list(&posonly),
            args: self.ast.add_list(&plain),
            vararg,
            kwonlyargs: self.ast.add_list(&kwonly),
            kw_defaults: self.ast.add_list(&kw_defaults),
            kwarg,
            defaults: self.ast.add_list(&defaults),
        };
        self.ast.add_arguments(arguments)
    }

    /// The length of the token that begins a parameter.
    fn marker(&self, param: &Param) -> u32 {
        match param.kind {
            ParamKind::Plain => param.name.map_or(1, |name| self.ast.name(name).len() as u32),
            ParamKind::DoubleStar => 2,
            ParamKind::Star | ParamKind::Slash => 1,
        }
    }

    // Patterns

    pub(crate) fn match_(&mut self, l: u32, subject: ExprId, cases: &[MatchCase]) -> StmtId {
        if let Expr::Starred { .. } = self.ast.expr(subject).kind {
            let span = self.span(subject);
            self.fault_after("invalid syntax", span);
        }
        let cases = self.ast.add_list(cases);
        self.block(l, Stmt::Match { subject, cases })
    }

    fn binding(&self, name: NameId) -> Option<NameId> {
        (self.ast.name(name) != "_").then_some(name)
    }

    pub(crate) fn sequence(&mut self, l: u32, patterns: &[PatternId], r: u32) -> PatternId {
        let patterns = self.ast.add_list(patterns);
        self.pattern(l, r, Pattern::MatchSequence { patterns })
    }

    pub(crate) fn or_pattern(&mut self, l: u32, patterns: &[PatternId], r: u32) -> PatternId {
        let patterns = self.ast.add_list(patterns);
        self.pattern(l, r, Pattern::MatchOr { patterns })
    }

    /// A pattern that no comma makes a sequence.
    pub(crate) fn lone_pattern(&mut self, pattern: PatternId) -> PatternId {
        let node = self.ast.pattern(pattern);
        if let Pattern::MatchStar { .. } = node.kind {
            self.fault("invalid syntax", Span::new(node.span.end, node.span.end + 1));
        }
        pattern
    }

    pub(crate) fn capture(&mut self, l: u32, name: NameId, r: u32) -> PatternId {
        let name = self.binding(name);
        self.pattern(l, r, Pattern::MatchAs { pattern: None, name })
    }

    pub(crate) fn star_pattern(&mut self, l: u32, name: NameId, r: u32) -> PatternId {
        let name = self.binding(name);
        self.pattern(l, r, Pattern::MatchStar { name })
    }

    pub(crate) fn as_pattern(&mut self, l: u32, pattern: PatternId, tl: u32, target: ExprId, r: u32) -> PatternId {
        let node = self.ast.expr(target);
        match node.kind {
            Expr::Name { id, .. } if node.span.start == tl => {
                if self.ast.name(id) == "_" {
                    self.fault("cannot use '_' as a target", node.span);
                }
                self.pattern(l, r, Pattern::MatchAs { pattern: Some(pattern), name: Some(id) })
            }
            kind => {
                let text = &self.source[tl as usize..];
                let is_name = |c: char| c.is_alphanumeric() || c == '_';
                let name = text.find(|c| !is_name(c)).unwrap_or(text.len()) as u32;
                if let Expr::Attribute { .. } | Expr::Call { .. } | Expr::Subscript { .. } = kind
                    && name > 0
                {
                    self.fault_after("invalid syntax", Span::new(tl, tl + name));
                }
                self.fault("invalid pattern target", node.span);
                pattern
            }
        }
    }

    pub(crate) fn complex_pattern(&mut self, l: u32, left: ExprId, op: Operator, right: ExprId, r: u32) -> ExprId {
        let is_imaginary = |tree: &Self, id| matches!(tree.ast.expr(id).kind, Expr::Constant(Constant::Imaginary(_)));
        let real = match self.ast.expr(left).kind {
            Expr::UnaryOp { operand, .. } => operand,
            _ => left,
        };
        if is_imaginary(self, real) {
            let span = self.span(real);
            self.fault("real number required in complex literal", span);
        }
        if !is_imaginary(self, right) {
            let span = self.span(right);
            self.fault("imaginary number required in complex literal", span);
        }
        self.expr(l, r, Expr::BinOp { left, op, right })
    }

    pub(crate) fn mapping_pattern(&mut self, l: u32, items: &[MappingItem], r: u32) -> PatternId {
        let (mut keys, mut patterns) = (Vec::new(), Vec::new());
        let mut rest = None;
        let last = items.len().saturating_sub(1);
        for (index, &item) in items.iter().enumerate() {
            match item {
                MappingItem::Pair(key, pattern) => {
                    keys.push(key);
                    patterns.push(pattern);
                }
                MappingItem::Rest(name, span) => {
                    if self.ast.name(name) == "_" {
                        self.fault("invalid syntax", Span::new(span.end - 1, span.end));
                    } else if index != last {
                        let comma = self.source[span.end as usize..].find(',').unwrap_or(0) as u32;
                        let after = span.end + comma + 1;
                        self.fault_after("invalid syntax", Span::new(after, after));
                    }
                    rest = Some(name);
                }
            }
        }
        let (keys, patterns) = (self.ast.add_list(&keys), self.ast.add_list(&patterns));
        self.pattern(l, r, Pattern::MatchMapping { keys, patterns, rest })
    }

    pub(crate) fn class_pattern(&mut self, l: u32, cls: ExprId, items: &[ClassItem], r: u32) -> PatternId {
        let mut positional = Vec::new();
        let (mut names, mut patterns) = (Vec::new(), Vec::new());
        for &item in items {
            match item {
                ClassItem::Positional(pattern) => {
                    if !names.is_empty() {
                        let span = self.ast.pattern(pattern).span;
                        self.fault("positional patterns follow keyword patterns", span);
                    }
                    positional.push(pattern);
                }
                ClassItem::Keyword(name, pattern) => {
                    names.push(name);
                    patterns.push(pattern);
                }
            }
        }
        let kind = Pattern::MatchClass {
            cls,
            patterns: self.ast.add_list(&positional),
            kwd_attrs: self.ast.add_list(&names),
            kwd_patterns: self.ast.add_list(&patterns),
        };
        self.pattern(l, r, kind)
    }
}

/// What CPython calls a kind of expression in its messages.
pub(crate) fn name_of(kind: Expr) -> &'static str {
    match kind {
        Expr::Attribute { .. } => "attribute",
        Expr::Subscript { .. } => "subscript",
        Expr::Starred { .. } => "starred",
        Expr::Name { .. } => "name",
        Expr::List { .. } => "list",
        Expr::Tuple { .. } => "tuple",
        Expr::Lambda { .. } => "lambda",
        Expr::Call { .. } => "function call",
        Expr::BoolOp { .. } | Expr::BinOp { .. } | Expr::UnaryOp { .. } => "expression",
        Expr::GeneratorExp { .. } => "generator expression",
        Expr::Yield { .. } | Expr::YieldFrom { .. } => "yield expression",
        Expr::Await { .. } => "await expression",
        Expr::ListComp { .. } => "list comprehension",
        Expr::SetComp { .. } => "set comprehension",
        Expr::DictComp { .. } => "dict comprehension",
        Expr::Dict { .. } => "dict literal",
        Expr::Set { .. } => "set display",
        Expr::JoinedStr { .. } | Expr::FormattedValue { .. } => "f-string expression",
        Expr::Constant(Constant::None) => "None",
        Expr::Constant(Constant::True) => "True",
        Expr::Constant(Constant::False) => "False",
        Expr::Constant(Constant::Ellipsis) => "ellipsis",
        Expr::Constant(_) => "literal",
        Expr::Compare { .. } => "comparison",
        Expr::IfExp { .. } => "conditional expression",
        Expr::NamedExpr { .. } => "named expression",
        Expr::Slice { .. } => "slice",
    }
}

/// The last argument of a call and the comma after it: CPython shows what follows.
fn last_argument(ast: &Ast, arguments: &[Argument], comma: Option<u32>) -> Span {
    let end = match arguments.last() {
        _ if let Some(comma) = comma => comma,
        Some(&(Argument::Positional(e) | Argument::Generator(e) | Argument::OnlyGenerator(e))) => ast.expr(e).span.end,
        Some(Argument::Keyword(keyword)) => keyword.span.end,
        None => 0,
    };
    Span::new(end, end)
}

/// Where a field's text has a `!=` that stands in no brackets and no string.
fn outer_unequal(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut at, mut depth, mut quote) = (0, 0_u32, None);
    while at < bytes.len() {
        match (quote, bytes[at]) {
            (Some(_), b'\\') => at += 1,
            (Some(open), byte) if open == byte => quote = None,
            (Some(_), _) => {}
            (None, byte @ (b'\'' | b'"')) => quote = Some(byte),
            (None, b'(' | b'[' | b'{') => depth += 1,
            (None, b')' | b']' | b'}') => depth = depth.saturating_sub(1),
            (None, b'!') if depth == 0 && bytes.get(at + 1) == Some(&b'=') => return Some(at),
            _ => {}
        }
        at += 1;
    }
    None
}

/// The text of a field that shows itself: comments left out, line breaks as `\n`.
fn without_comments(text: &str) -> Cow<'_, str> {
    if !text.contains(['#', '\r']) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut quote = None;
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        match c {
            '#' if quote.is_none() => {
                while rest.next_if(|&c| c != '\n' && c != '\r').is_some() {}
                continue;
            }
            '\'' | '"' if quote == Some(c) => quote = None,
            '\'' | '"' if quote.is_none() => quote = Some(c),
            '\r' => {
                rest.next_if_eq(&'\n');
                out.push('\n');
                continue;
            }
            _ => {}
        }
        out.push(c);
    }
    Cow::Owned(out)
}
