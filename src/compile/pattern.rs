//! `match`.
//!
//! A pattern reads its subject from a register and leaves it there. What it takes out of the subject stays in temporaries until the
//! whole pattern has matched; only then names are bound. So where it fails, the temporaries from the context's base on are all live:
//! there is one label for each number of them, and the code behind it releases the last and goes on to the next label.

use scrip_grammar::ast::{Constant as Literal, ExprId, List, MatchCase, NameId, Pattern, PatternId, Span};
use scrip_grammar::operator::CmpOp;

use super::assembler::Label;
use super::error::{Failure, Result};
use super::expression::Display;
use super::{Compiler, NOWHERE, Name, reg};
use crate::code::instruction::Instruction as I;
use crate::code::unit::Constant;

/// A pattern that is being compiled.
struct Context {
    /// The first temporary that belongs to it.
    base: u32,
    /// Where it fails, by the number of live temporaries.
    fails: Vec<Option<Label>>,
    /// The names it binds and the registers of their values.
    captures: Vec<(Name, u32, Span)>,
    /// Whether it may match everything.
    allow_irrefutable: bool,
}

impl Context {
    fn new(base: u32, allow_irrefutable: bool) -> Self {
        Self { base, fails: Vec::new(), captures: Vec::new(), allow_irrefutable }
    }
}

impl Compiler<'_> {
    /// `match subject: cases`
    pub(super) fn match_stmt(&mut self, subject: ExprId, cases: &[MatchCase]) -> Result {
        let subject = self.temp(subject)?;
        let end = self.asm.label();
        for (index, case) in cases.iter().enumerate() {
            let is_last = index + 1 == cases.len();
            let mut context = Context::new(subject + 1, case.guard.is_some() || is_last);
            let next = self.asm.label();
            let start = self.asm.statement_start();
            self.pattern(case.pattern, subject, &mut context)?;
            if matches!(self.ast.pattern(case.pattern).kind, Pattern::MatchAs { pattern: None, name: None }) {
                self.asm.silent_statement(start, self.ast.pattern(case.pattern).span);
            }
            let captures = std::mem::take(&mut context.captures);
            for (index, &(name, register, span)) in captures.iter().enumerate() {
                let source = self.captured(&context, register, &captures[index + 1..], span);
                self.store_name(name, source, span);
            }
            self.release_rest(&context, &captures);
            self.asm.set_top(subject + 1);
            if let Some(guard) = case.guard {
                self.jump_if(guard, false, next)?;
            }
            self.emit(I::Release { src: reg(subject) }, NOWHERE);
            self.asm.top = subject;
            self.stmts(case.body)?;
            self.asm.jump(I::Jump { target: 0 }, end, NOWHERE);
            self.asm.end_of_flow();
            self.asm.set_top(subject + 1);
            self.place_fails(&context);
            self.asm.place(next);
        }
        self.emit(I::Release { src: reg(subject) }, NOWHERE);
        self.asm.top = subject;
        self.asm.place(end);
        Ok(())
    }

    /// A register with a captured value that may be consumed.
    fn captured(&mut self, context: &Context, register: u32, later: &[(Name, u32, Span)], span: Span) -> u32 {
        if register >= context.base && later.iter().all(|capture| capture.1 != register) {
            return register;
        }
        let copy = self.asm.push();
        self.emit(I::Copy { dst: reg(copy), src: reg(register) }, span);
        self.asm.top = copy;
        copy
    }

    /// Releases the temporaries of a pattern that matched, but for those its captures consumed.
    fn release_rest(&mut self, context: &Context, captures: &[(Name, u32, Span)]) {
        for register in context.base..self.asm.top {
            if captures.iter().all(|capture| capture.1 != register) {
                self.emit(I::Release { src: reg(register) }, NOWHERE);
            }
        }
    }

    /// Where to go when the pattern fails here.
    fn fail(&mut self, context: &mut Context) -> Label {
        let n_live = (self.asm.top - context.base) as usize;
        if context.fails.len() <= n_live {
            context.fails.resize(n_live + 1, None);
        }
        *context.fails[n_live].get_or_insert_with(|| self.asm.label())
    }

    /// The code that failures go to; it ends with nothing of the pattern's live.
    fn place_fails(&mut self, context: &Context) {
        for (n_live, label) in context.fails.iter().enumerate().rev() {
            if let Some(label) = *label {
                self.asm.place(label);
            }
            if let Some(last) = n_live.checked_sub(1) {
                self.emit(I::Release { src: reg(context.base + last as u32) }, NOWHERE);
            }
        }
    }

    fn pattern(&mut self, id: PatternId, subject: u32, context: &mut Context) -> Result {
        self.stack.check()?;
        let node = self.ast.pattern(id);
        let span = node.span;
        match node.kind {
            Pattern::MatchValue { value } => {
                let fail = self.fail(context);
                let mark = self.asm.top;
                let copy = self.asm.push();
                self.emit(I::Copy { dst: reg(copy), src: reg(subject) }, span);
                self.compare_jump(CmpOp::Eq, copy, value, false, fail, mark, span)
            }
            Pattern::MatchSingleton { value } => {
                let fail = self.fail(context);
                let mark = self.asm.top;
                let copy = self.asm.push();
                self.emit(I::Copy { dst: reg(copy), src: reg(subject) }, span);
                let jump = if value == Literal::None {
                    I::JumpIfNotNone { src: reg(copy), target: 0 }
                } else {
                    let right = self.asm.push();
                    self.load_const(Constant::Bool(value == Literal::True), right, span);
                    I::JumpIfIsNot { left: reg(copy), right: reg(right), target: 0 }
                };
                self.asm.jump(jump, fail, span);
                self.asm.top = mark;
                Ok(())
            }
            Pattern::MatchAs { pattern: None, name: None } => {
                if !context.allow_irrefutable {
                    return Err(Failure::syntax("wildcard makes remaining patterns unreachable", span));
                }
                Ok(())
            }
            Pattern::MatchAs { pattern: None, name: Some(name) } => {
                if !context.allow_irrefutable {
                    let name = self.ast.name(name);
                    let message = format!("name capture '{name}' makes remaining patterns unreachable");
                    return Err(Failure::syntax(message, span));
                }
                self.capture(name, subject, span, context)
            }
            Pattern::MatchAs { pattern: Some(pattern), name } => {
                self.pattern(pattern, subject, context)?;
                name.map_or(Ok(()), |name| self.capture(name, subject, span, context))
            }
            Pattern::MatchStar { name } => name.map_or(Ok(()), |name| self.capture(name, subject, span, context)),
            Pattern::MatchOr { patterns } => self.or_pattern(self.ast.list(patterns), subject, span, context),
            Pattern::MatchSequence { patterns } => self.sequence_pattern(self.ast.list(patterns), subject, span, context),
            Pattern::MatchMapping { keys, patterns, rest } => {
                self.mapping_pattern(self.ast.list(keys), self.ast.list(patterns), rest, subject, span, context)
            }
            Pattern::MatchClass { cls, patterns, kwd_attrs, kwd_patterns } => {
                self.class_pattern(cls, patterns, self.ast.list(kwd_attrs), kwd_patterns, subject, span, context)
            }
        }
    }

    /// A pattern inside another one may match everything.
    fn subpattern(&mut self, id: PatternId, subject: u32, context: &mut Context) -> Result {
        let allowed = std::mem::replace(&mut context.allow_irrefutable, true);
        self.pattern(id, subject, context)?;
        context.allow_irrefutable = allowed;
        Ok(())
    }

    fn capture(&mut self, name: NameId, register: u32, span: Span, context: &mut Context) -> Result {
        let name = self.name(name);
        self.capture_name(name, register, span, context)
    }

    fn capture_name(&mut self, name: Name, register: u32, span: Span, context: &mut Context) -> Result {
        if context.captures.iter().any(|capture| capture.0 == name) {
            let message = format!("multiple assignments to name '{}' in pattern", self.names.text(name));
            return Err(Failure::syntax(message, span));
        }
        context.captures.push((name, register, span));
        Ok(())
    }

    fn is_wildcard(&self, id: PatternId) -> bool {
        matches!(self.ast.pattern(id).kind, Pattern::MatchAs { pattern: None, name: None })
    }

    fn or_pattern(&mut self, alternatives: &[PatternId], subject: u32, span: Span, context: &mut Context) -> Result {
        let Some((&first, _)) = alternatives.split_first() else { return Ok(()) };
        let mut names = Vec::new();
        self.bound_names(first, &mut names);
        // Whatever alternative matches, its values end up in the same registers.
        let values = self.asm.top;
        let failed = self.fail(context);
        let matched = self.asm.label();
        for (index, &alternative) in alternatives.iter().enumerate() {
            let is_last = index + 1 == alternatives.len();
            let base = values + names.len() as u32;
            self.asm.set_top(base);
            let mut inner = Context::new(base, is_last && context.allow_irrefutable);
            self.pattern(alternative, subject, &mut inner)?;
            let captures = std::mem::take(&mut inner.captures);
            if captures.len() != names.len() || captures.iter().any(|capture| names.iter().all(|name| name.0 != capture.0)) {
                return Err(Failure::syntax("alternative patterns bind different names", span));
            }
            for (index, &(name, register, span)) in captures.iter().enumerate() {
                let slot = names.iter().position(|other| other.0 == name).unwrap_or(0) as u32;
                let source = self.captured(&inner, register, &captures[index + 1..], span);
                self.emit(I::Move { dst: reg(values + slot), src: reg(source) }, span);
            }
            self.release_rest(&inner, &captures);
            self.asm.jump(I::Jump { target: 0 }, matched, span);
            self.asm.end_of_flow();
            self.place_fails(&inner);
        }
        self.asm.jump(I::Jump { target: 0 }, failed, span);
        self.asm.end_of_flow();
        self.asm.place(matched);
        self.asm.set_top(values + names.len() as u32);
        for (slot, (name, span)) in names.into_iter().enumerate() {
            self.capture_name(name, values + slot as u32, span, context)?;
        }
        Ok(())
    }

    /// The names a pattern binds.
    fn bound_names(&mut self, id: PatternId, names: &mut Vec<(Name, Span)>) {
        let node = self.ast.pattern(id);
        let mut note = |compiler: &mut Self, name: Option<NameId>| {
            if let Some(name) = name {
                let name = compiler.name(name);
                if names.iter().all(|other| other.0 != name) {
                    names.push((name, node.span));
                }
            }
        };
        match node.kind {
            Pattern::MatchValue { .. } | Pattern::MatchSingleton { .. } => {}
            Pattern::MatchStar { name } => note(self, name),
            Pattern::MatchAs { pattern, name } => {
                note(self, name);
                if let Some(pattern) = pattern {
                    self.bound_names(pattern, names);
                }
            }
            Pattern::MatchMapping { patterns, rest, .. } => {
                note(self, rest);
                self.list_names(patterns, names);
            }
            Pattern::MatchSequence { patterns } => self.list_names(patterns, names),
            Pattern::MatchOr { patterns } => {
                if let Some(&first) = self.ast.list(patterns).first() {
                    self.bound_names(first, names);
                }
            }
            Pattern::MatchClass { patterns, kwd_patterns, .. } => {
                self.list_names(patterns, names);
                self.list_names(kwd_patterns, names);
            }
        }
    }

    fn list_names(&mut self, patterns: List<PatternId>, names: &mut Vec<(Name, Span)>) {
        for &pattern in self.ast.list(patterns) {
            self.bound_names(pattern, names);
        }
    }

    /// Fails unless the length of `subject` is `len` (or, with `at_least`, more).
    fn check_len(&mut self, subject: u32, len: usize, at_least: bool, span: Span, context: &mut Context) {
        let fail = self.fail(context);
        let mark = self.asm.top;
        let left = self.asm.push();
        self.emit(I::GetLen { dst: reg(left), src: reg(subject) }, span);
        let (left16, target) = (reg(left), 0);
        let jump = match i16::try_from(len) {
            Ok(right) if at_least => I::JumpIfNotGreaterEqualImm { left: left16, right, target },
            Ok(right) => I::JumpIfNotEqualImm { left: left16, right, target },
            Err(_) => {
                let right = self.asm.push();
                self.load_const(Constant::Int(len as i64), right, span);
                let right = reg(right);
                if at_least { I::JumpIfNotGreaterEqual { left: left16, right, target } } else { I::JumpIfNotEqual { left: left16, right, target } }
            }
        };
        self.asm.jump(jump, fail, span);
        self.asm.top = mark;
    }

    fn sequence_pattern(&mut self, patterns: &[PatternId], subject: u32, span: Span, context: &mut Context) -> Result {
        let size = patterns.len();
        let is_star = |id: PatternId| matches!(self.ast.pattern(id).kind, Pattern::MatchStar { .. });
        let star = patterns.iter().position(|&id| is_star(id));
        if let Some(star) = star
            && patterns[star + 1..].iter().any(|&id| is_star(id))
        {
            return Err(Failure::syntax("multiple starred names in sequence pattern", span));
        }
        let has_star_wildcard = patterns.iter().any(|&id| matches!(self.ast.pattern(id).kind, Pattern::MatchStar { name: None }));
        let only_wildcards =
            patterns.iter().all(|&id| self.is_wildcard(id) || matches!(self.ast.pattern(id).kind, Pattern::MatchStar { name: None }));
        let fail = self.fail(context);
        let mark = self.asm.top;
        let is_sequence = self.asm.push();
        self.emit(I::MatchSequence { dst: reg(is_sequence), subject: reg(subject) }, span);
        self.asm.jump(I::JumpIfFalse { src: reg(is_sequence), target: 0 }, fail, span);
        self.asm.top = mark;
        match star {
            None => self.check_len(subject, size, false, span, context),
            Some(_) if size > 1 => self.check_len(subject, size - 1, true, span, context),
            Some(_) => {}
        }
        if only_wildcards {
            return Ok(());
        }
        if let Some(star) = star.filter(|_| has_star_wildcard) {
            return self.items_by_index(patterns, star, subject, span, context);
        }
        let base = self.asm.top;
        self.asm.set_top(base + size.max(1) as u32);
        self.emit(I::Copy { dst: reg(base), src: reg(subject) }, span);
        match star {
            None => {
                self.emit(I::UnpackSequence { base: reg(base), src: reg(base), count: size as u16 }, span);
            }
            Some(before) => {
                let Ok(k) = u8::try_from(size - before - 1) else {
                    return Err(Failure::syntax("too many expressions in star-unpacking sequence pattern", span));
                };
                let before = before as u16;
                self.emit(I::UnpackStarred { base: reg(base), src: reg(base), before, k }, span);
            }
        }
        self.asm.set_top(base + size as u32);
        for (index, &pattern) in patterns.iter().enumerate() {
            self.subpattern(pattern, base + index as u32, context)?;
        }
        Ok(())
    }

    /// The items around a `*_`, each got by its index.
    fn items_by_index(&mut self, patterns: &[PatternId], star: usize, subject: u32, span: Span, context: &mut Context) -> Result {
        for (index, &pattern) in patterns.iter().enumerate() {
            if index == star || self.is_wildcard(pattern) {
                continue;
            }
            let item = self.asm.push();
            let object = self.asm.push();
            let key = self.asm.push();
            self.emit(I::Copy { dst: reg(object), src: reg(subject) }, span);
            if index < star {
                self.load_const(Constant::Int(index as i64), key, span);
            } else {
                self.emit(I::GetLen { dst: reg(key), src: reg(subject) }, span);
                let from_end = self.asm.push();
                self.load_const(Constant::Int((patterns.len() - index) as i64), from_end, span);
                self.emit(I::Subtract { dst: reg(key), left: reg(key), right: reg(from_end), k: 0 }, span);
            }
            self.emit(I::GetItem { dst: reg(item), object: reg(object), key: reg(key) }, span);
            self.asm.top = item + 1;
            self.subpattern(pattern, item, context)?;
        }
        Ok(())
    }

    fn mapping_pattern(
        &mut self,
        keys: &[ExprId],
        patterns: &[PatternId],
        rest: Option<NameId>,
        subject: u32,
        span: Span,
        context: &mut Context,
    ) -> Result {
        let fail = self.fail(context);
        let mark = self.asm.top;
        let is_mapping = self.asm.push();
        self.emit(I::MatchMapping { dst: reg(is_mapping), subject: reg(subject) }, span);
        self.asm.jump(I::JumpIfFalse { src: reg(is_mapping), target: 0 }, fail, span);
        self.asm.top = mark;
        if keys.is_empty() && rest.is_none() {
            return Ok(());
        }
        if !keys.is_empty() {
            self.check_len(subject, keys.len(), true, span, context);
        }
        let key_tuple = self.asm.top;
        let constants: Option<Box<[Constant]>> = keys.iter().map(|&key| self.fold(key)).collect();
        self.asm.reserve(key_tuple + 1);
        match constants {
            Some(items) => {
                for (index, item) in items.iter().enumerate() {
                    if items[..index].contains(item) {
                        let text = super::unparse::unparse(self.ast, keys[index]);
                        let message = format!("mapping pattern checks duplicate key ({text})");
                        return Err(Failure::syntax(message, span));
                    }
                }
                self.load_const(Constant::Tuple(items), key_tuple, span);
            }
            None => self.display(Display::Tuple, keys, key_tuple, span)?,
        }
        self.asm.push();
        if !keys.is_empty() {
            let values = if rest.is_some() {
                let copy = self.asm.push();
                self.emit(I::Copy { dst: reg(copy), src: reg(key_tuple) }, span);
                copy
            } else {
                key_tuple
            };
            let (dst, subject16) = (reg(values), reg(subject));
            self.emit(I::MatchKeys { dst, subject: subject16, keys: dst }, span);
            self.items_or_fail(values, keys.len() as u32, span, context);
            for (index, &pattern) in patterns.iter().enumerate() {
                self.subpattern(pattern, values + index as u32, context)?;
            }
        }
        if let Some(rest) = rest {
            let copy = self.asm.push();
            self.emit(I::Copy { dst: reg(copy), src: reg(key_tuple) }, span);
            self.emit(I::MatchRest { dst: reg(copy), src: reg(subject), keys: reg(copy) }, span);
            self.capture(rest, copy, span, context)?;
        }
        Ok(())
    }

    /// Fails if `values`, the last temporary, is `None`; else its `count` items take its place.
    fn items_or_fail(&mut self, values: u32, count: u32, span: Span, context: &mut Context) {
        let fail = self.fail(context);
        let copy = self.asm.push();
        self.emit(I::Copy { dst: reg(copy), src: reg(values) }, span);
        self.asm.jump(I::JumpIfNone { src: reg(copy), target: 0 }, fail, span);
        self.asm.reserve(values + count);
        self.emit(I::UnpackSequence { base: reg(values), src: reg(values), count: count as u16 }, span);
        self.asm.set_top(values + count);
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of a class pattern")]
    fn class_pattern(
        &mut self,
        cls: ExprId,
        patterns: List<PatternId>,
        attributes: &[NameId],
        kwd_patterns: List<PatternId>,
        subject: u32,
        span: Span,
        context: &mut Context,
    ) -> Result {
        for (index, name) in attributes.iter().enumerate() {
            if attributes[..index].contains(name) {
                let name = self.ast.name(*name);
                return Err(Failure::syntax(format!("attribute name repeated in class pattern: {name}"), span));
            }
        }
        let base = self.temp(cls)?;
        let positional = self.ast.list(patterns);
        self.asm.set_top(base + 3);
        self.load_const(Constant::Int(positional.len() as i64), base + 1, span);
        let names = attributes.iter().map(|&id| {
            let name = self.names.of(id);
            Constant::Str(self.names.shared(name))
        });
        let names = Constant::Tuple(names.collect());
        self.load_const(names, base + 2, span);
        self.emit(I::MatchClass { dst: reg(base), subject: reg(subject), base: reg(base) }, span);
        self.asm.set_top(base + 1);
        let count = (positional.len() + attributes.len()) as u32;
        self.items_or_fail(base, count, span, context);
        for (index, &pattern) in positional.iter().chain(self.ast.list(kwd_patterns)).enumerate() {
            self.subpattern(pattern, base + index as u32, context)?;
        }
        Ok(())
    }
}
