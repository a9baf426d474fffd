//! Simple statements, assignments, `if`, `while` and `for`.

use scrip_grammar::ast::{Context, Expr, ExprId, List, Span, Stmt, StmtId};
use scrip_grammar::operator::Operator;

use super::assembler::Label;
use super::error::{Failure, Result};
use super::exception::{Block, Exit};
use super::fold::truth;
use super::scope::{Place, ScopeKind};
use super::{Compiler, NOWHERE, reg};
use crate::code::instruction::{Instruction as I, Intrinsic};
use crate::code::unit::Constant;

/// A loop over the items of an iterable that is being compiled.
#[derive(Debug, Clone, Copy)]
pub(super) struct IterLoop {
    /// The register of the iterator, or the first one of a range's.
    pub(super) iterator: u32,
    is_range: bool,
    /// Where an item lands.
    pub(super) item: u32,
    body: Label,
    span: Span,
    /// The first temporary before the loop.
    mark: u32,
}

/// How many statements of a body are compiled between two looks whether anybody waits.
const LOOKS_UP_AFTER: usize = 4096;

impl Compiler<'_> {
    pub(super) fn stmts(&mut self, body: List<StmtId>) -> Result {
        let ast = self.ast;
        self.statements(ast.list(body))
    }

    pub(super) fn statements(&mut self, body: &[StmtId]) -> Result {
        for some in body.chunks(LOOKS_UP_AFTER) {
            if body.len() > LOOKS_UP_AFTER && scrip_grammar::abandon::is_abandoned() {
                return Err(Failure::syntax("nobody waits for this", Span::default()));
            }
            some.iter().try_for_each(|&id| self.stmt(id))?;
        }
        Ok(())
    }

    /// A module's or class's body; its docstring becomes `__doc__`.
    pub(super) fn body_with_doc(&mut self, body: List<StmtId>) -> Result {
        let statements = self.ast.list(body);
        let mut skipped = 0;
        if let Some(docstring) = self.docstring(body) {
            let span = self.ast.stmt(statements[0]).span;
            let value = self.asm.top;
            self.asm.reserve(value + 1);
            self.load_const(docstring, value, span);
            let name = self.names.intern("__doc__");
            let site = self.site(name);
            self.emit(I::StoreName { src: reg(value), site }, span);
            skipped = 1;
        }
        self.statements(&statements[skipped..])
    }

    fn stmt(&mut self, id: StmtId) -> Result {
        self.stack.check()?;
        let ast = self.ast;
        let node = ast.stmt(id);
        let span = node.span;
        let mark = self.asm.top;
        let start = self.asm.statement_start();
        let is_silent = match node.kind {
            Stmt::Try { .. } | Stmt::Pass | Stmt::Break | Stmt::Continue | Stmt::While { .. } | Stmt::Assert { .. } => true,
            Stmt::Expr { value } => self.is_candidate(value),
            _ => false,
        };
        match node.kind {
            Stmt::Expr { value } => {
                if self.is_interactive && self.outer.is_empty() {
                    let src = reg(self.temp(value)?);
                    let k = Intrinsic::PrintExpression as u8;
                    self.emit(I::Intrinsic { dst: src, src, k }, span);
                    self.emit(I::Release { src }, span);
                } else if !self.is_candidate(value) || self.fold(value).is_none() {
                    self.discard(value)?;
                }
            }
            Stmt::Assign { targets, value } => self.assign(ast.list(targets), value, span)?,
            Stmt::AugAssign { target, op, value } => self.aug_assign(target, op, value, span)?,
            Stmt::AnnAssign { target, annotation, value, simple } => {
                self.ann_assign(target, annotation, value, simple, span)?;
            }
            Stmt::Return { value } => self.return_stmt(value, span)?,
            Stmt::If { .. } => self.if_chain(node.kind)?,
            Stmt::While { test, body, orelse } => self.while_stmt(test, body, orelse, span)?,
            Stmt::For { is_async: false, target, iter, body, orelse } => {
                self.for_stmt(target, iter, body, orelse, span)?;
            }
            Stmt::For { is_async: true, target, iter, body, orelse } => {
                self.async_for(target, iter, body, orelse, span)?;
            }
            Stmt::Break => self.jump_out(Exit::Break, span)?,
            Stmt::Continue => self.jump_out(Exit::Continue, span)?,
            Stmt::Pass | Stmt::Global { .. } | Stmt::Nonlocal { .. } => {}
            Stmt::FunctionDef { .. } => self.function_def(id)?,
            Stmt::ClassDef { .. } => self.class_def(id)?,
            Stmt::TypeAlias { .. } => self.type_alias(id)?,
            Stmt::Delete { targets } => {
                for &target in ast.list(targets) {
                    self.delete(target)?;
                }
            }
            Stmt::With { is_async, items, body } => self.with_items(ast.list(items), is_async, body)?,
            Stmt::Match { subject, cases } => self.match_stmt(subject, ast.list(cases))?,
            Stmt::Raise { exc, cause } => {
                let mut count = 0;
                for part in [exc, cause].into_iter().flatten() {
                    self.temp(part)?;
                    count += 1;
                }
                self.asm.reserve(mark + 1);
                self.emit(I::Raise { base: reg(mark), count }, span);
                self.asm.end_of_flow();
            }
            Stmt::Try { is_star, body, handlers, orelse, finalbody } => {
                self.try_stmt(is_star, body, ast.list(handlers), orelse, finalbody)?;
            }
            Stmt::Assert { test, msg } => self.assert_stmt(test, msg, span)?,
            Stmt::Import { names } => self.import(ast.list(names), span)?,
            Stmt::ImportFrom { module, names, level } => self.import_from(module, ast.list(names), level, span)?,
        }
        if is_silent {
            self.asm.silent_statement(start, span);
        }
        self.asm.top = mark;
        Ok(())
    }

    // ---- assignments

    pub(super) fn assign(&mut self, targets: &[ExprId], value: ExprId, span: Span) -> Result {
        let mark = self.asm.top;
        if let &[target] = targets {
            if let Some(local) = self.local_target(target) {
                self.expr_into(value, local)?;
                self.asm.set_bound(local);
                return Ok(());
            }
            if self.assign_parallel(target, value)? {
                return Ok(());
            }
            let src = self.operand(value)?;
            self.store(target, src)?;
            self.asm.top = mark;
            return Ok(());
        }
        if let Some(constant) = self.fold(value) {
            for &target in targets {
                if let Some(local) = self.local_target(target) {
                    self.load_const(constant.clone(), local, self.ast.expr(value).span);
                    self.asm.set_bound(local);
                } else {
                    let src = self.temp(value)?;
                    self.store(target, src)?;
                }
                self.asm.top = mark;
            }
            return Ok(());
        }
        let src = self.temp(value)?;
        let Some((&last, first)) = targets.split_last() else { return Ok(()) };
        for &target in first {
            let copy = match self.local_target(target) {
                Some(local) => local,
                None => self.asm.push(),
            };
            self.emit(I::Copy { dst: reg(copy), src: reg(src) }, span);
            self.store(target, copy)?;
            self.asm.top = src + 1;
        }
        self.store(last, src)?;
        self.asm.top = mark;
        Ok(())
    }

    /// `a, b = c, d` without making a tuple, when both sides are displays of as many plain items.
    fn assign_parallel(&mut self, target: ExprId, value: ExprId) -> Result<bool> {
        let ast = self.ast;
        let (targets, values) = match (ast.expr(target).kind, ast.expr(value).kind) {
            (
                Expr::Tuple { elts: targets, .. } | Expr::List { elts: targets, .. },
                Expr::Tuple { elts: values, .. } | Expr::List { elts: values, .. },
            ) => (ast.list(targets), ast.list(values)),
            _ => return Ok(false),
        };
        let has_star = targets.iter().chain(values).any(|&elt| self.is_starred(elt));
        if targets.len() != values.len() || targets.is_empty() || targets.len() > 16 || has_star {
            return Ok(false);
        }
        let mark = self.asm.top;
        let mut sources = [0; 16];
        for (index, &value) in values.iter().enumerate() {
            let mut source = self.operand(value)?;
            if self.asm.is_local(source) {
                // A local is read when its turn comes, unless it is assigned before.
                let assigned = targets[..index].iter().any(|&target| self.assigns_local(target, source));
                source = self.protect(source, &values[index + 1..]);
                if assigned && self.asm.is_local(source) {
                    let copy = self.asm.push();
                    self.emit(I::Move { dst: reg(copy), src: reg(source) }, ast.expr(value).span);
                    source = copy;
                }
            }
            sources[index] = source;
        }
        for (&target, &source) in targets.iter().zip(&sources) {
            self.store(target, source)?;
        }
        self.asm.top = mark;
        Ok(true)
    }

    fn assigns_local(&mut self, target: ExprId, local: u32) -> bool {
        match self.ast.expr(target).kind {
            Expr::Tuple { elts, .. } | Expr::List { elts, .. } => {
                let elts = self.ast.list(elts);
                elts.iter().any(|&elt| self.assigns_local(elt, local))
            }
            Expr::Starred { value, .. } => self.assigns_local(value, local),
            _ => self.local_target(target) == Some(local),
        }
    }

    /// Assigns what is in `src`, which is consumed when it is a temporary.
    pub(super) fn store(&mut self, target: ExprId, src: u32) -> Result {
        self.stack.check()?;
        let node = self.ast.expr(target);
        let span = node.span;
        let mark = self.asm.top;
        match node.kind {
            Expr::Name { id, .. } => {
                let name = self.name(id);
                self.store_name(name, src, span);
            }
            Expr::Attribute { value, attr, .. } => {
                let src = self.protect(src, &[value]);
                let object = reg(self.operand(value)?);
                let name = self.name(attr);
                let site = self.site(name);
                let place = self.attribute_span(span, attr);
                self.emit(I::StoreAttribute { object, src: reg(src), site }, place);
            }
            Expr::Subscript { value, slice, .. } => {
                let src = self.protect(src, &[value, slice]);
                let object = self.operand(value)?;
                let object = reg(self.protect(object, &[slice]));
                let key = reg(self.operand(slice)?);
                self.emit(I::SetItem { object, key, src: reg(src) }, span);
            }
            Expr::Tuple { elts, .. } | Expr::List { elts, .. } => self.unpack(self.ast.list(elts), src, span)?,
            Expr::Starred { .. } => {
                return Err(Failure::syntax("starred assignment target must be in a list or tuple", span));
            }
            _ => return Err(Failure::syntax("cannot assign to expression", span)),
        }
        self.asm.top = mark;
        Ok(())
    }

    fn unpack(&mut self, elts: &[ExprId], src: u32, span: Span) -> Result {
        let base = if !self.asm.is_local(src) && src + 1 == self.asm.top { src } else { self.asm.top };
        self.asm.set_top(base + elts.len() as u32);
        self.asm.reserve(base + 1);
        let star = elts.iter().position(|&elt| self.is_starred(elt));
        match star {
            None => self.emit(I::UnpackSequence { base: reg(base), src: reg(src), count: elts.len() as u16 }, span),
            Some(before) => {
                let after = elts.len() - before - 1;
                if elts[before + 1..].iter().any(|&elt| self.is_starred(elt)) {
                    return Err(Failure::syntax("multiple starred expressions in assignment", span));
                }
                let Ok(k) = u8::try_from(after) else {
                    return Err(Failure::syntax("too many expressions in star-unpacking assignment", span));
                };
                if before > 255 {
                    return Err(Failure::syntax("too many expressions in star-unpacking assignment", span));
                }
                self.emit(I::UnpackStarred { base: reg(base), src: reg(src), before: before as u16, k }, span);
            }
        }
        for (index, &elt) in elts.iter().enumerate() {
            let target = match self.ast.expr(elt).kind {
                Expr::Starred { value, .. } => value,
                _ => elt,
            };
            self.store(target, base + index as u32)?;
        }
        Ok(())
    }

    fn aug_assign(&mut self, target: ExprId, op: Operator, value: ExprId, span: Span) -> Result {
        let node = self.ast.expr(target);
        let mark = self.asm.top;
        match node.kind {
            Expr::Name { id, .. } => {
                let name = self.name(id);
                if let Place::Local(local) = self.scopes.lookup(self.scope, name) {
                    let left = if self.asm.is_bound(local) {
                        local
                    } else {
                        let left = self.asm.push();
                        self.load_name(name, left, node.span);
                        left
                    };
                    self.binary_with(op, left, value, local, mark, span, 1)?;
                    self.asm.set_bound(local);
                } else {
                    let left = self.asm.push();
                    self.load_name(name, left, node.span);
                    self.binary_with(op, left, value, left, mark, span, 1)?;
                    self.asm.set_top(left + 1);
                    self.store_name(name, left, node.span);
                }
            }
            Expr::Attribute { value: object, attr, .. } => {
                let object = self.operand(object)?;
                let object = self.protect(object, &[value]);
                let name = self.name(attr);
                let place = self.attribute_span(node.span, attr);
                let left = self.asm.push();
                let source = self.keep(object, left, node.span);
                let site = self.site(name);
                self.emit(I::LoadAttribute { dst: reg(left), object: reg(source), site }, place);
                self.binary_with(op, left, value, left, left, span, 1)?;
                self.asm.set_top(left + 1);
                let site = self.site(name);
                self.emit(I::StoreAttribute { object: reg(object), src: reg(left), site }, place);
            }
            Expr::Subscript { value: object, slice, .. } => {
                let object = self.operand(object)?;
                let object = self.protect(object, &[slice, value]);
                let small = self.small_int(slice);
                let left;
                if let Some(index) = small {
                    left = self.asm.push();
                    let source = self.keep(object, left, node.span);
                    self.emit(I::GetItemImm { dst: reg(left), object: reg(source), index }, node.span);
                    self.binary_with(op, left, value, left, left, span, 1)?;
                    self.asm.set_top(left + 1);
                    let key = self.temp(slice)?;
                    self.emit(I::SetItem { object: reg(object), key: reg(key), src: reg(left) }, node.span);
                } else {
                    let key = self.operand(slice)?;
                    let key = self.protect(key, &[value]);
                    left = self.asm.push();
                    let source = self.keep(object, left, node.span);
                    let key_copy = if self.asm.is_local(key) { key } else { self.asm.push() };
                    self.keep(key, key_copy, node.span);
                    let (dst, object16) = (reg(left), reg(source));
                    self.emit(I::GetItem { dst, object: object16, key: reg(key_copy) }, node.span);
                    self.asm.set_top(left + 1);
                    self.binary_with(op, left, value, left, left, span, 1)?;
                    self.asm.set_top(left + 1);
                    self.emit(I::SetItem { object: reg(object), key: reg(key), src: reg(left) }, node.span);
                }
            }
            _ => {
                return Err(Failure::syntax("illegal expression for augmented assignment", node.span));
            }
        }
        self.asm.top = mark;
        Ok(())
    }

    /// A register to read a value from that is still needed: the local itself, or a copy of the temporary in `copy`.
    fn keep(&mut self, register: u32, copy: u32, span: Span) -> u32 {
        if self.asm.is_local(register) {
            return register;
        }
        self.emit(I::Copy { dst: reg(copy), src: reg(register) }, span);
        copy
    }

    fn ann_assign(&mut self, target: ExprId, annotation: ExprId, value: Option<ExprId>, simple: bool, span: Span) -> Result {
        let mark = self.asm.top;
        if let Some(value) = value {
            self.assign(&[target], value, span)?;
        }
        let is_evaluated = !self.scopes_is_function();
        let node = self.ast.expr(target);
        match node.kind {
            Expr::Name { id, .. } if simple => {
                if is_evaluated {
                    self.annotation(annotation)?;
                    let value = mark;
                    let dict = self.asm.push();
                    let annotations = self.names.intern("__annotations__");
                    self.load_name(annotations, dict, span);
                    let key = self.asm.push();
                    let name = self.name(id);
                    let text = self.names.shared(name);
                    self.load_const(Constant::Str(text), key, span);
                    self.emit(I::SetItem { object: reg(dict), key: reg(key), src: reg(value) }, span);
                }
            }
            Expr::Attribute { value: object, .. } if value.is_none() => self.discard(object)?,
            Expr::Subscript { value: object, slice, .. } if value.is_none() => {
                self.discard(object)?;
                if let Expr::Slice { lower, upper, step } = self.ast.expr(slice).kind {
                    for part in [lower, upper, step].into_iter().flatten() {
                        self.discard(part)?;
                    }
                } else {
                    self.discard(slice)?;
                }
            }
            _ => {}
        }
        if !simple && is_evaluated && !self.future_annotations {
            self.discard(annotation)?;
        }
        self.asm.top = mark;
        Ok(())
    }

    fn scopes_is_function(&self) -> bool {
        !matches!(self.scopes[self.asm.scope].kind, ScopeKind::Module | ScopeKind::Class)
    }

    fn delete(&mut self, target: ExprId) -> Result {
        let node = self.ast.expr(target);
        let span = node.span;
        let mark = self.asm.top;
        match node.kind {
            Expr::Name { id, ctx: Context::Del } => {
                let name = self.name(id);
                self.delete_name(name, span);
            }
            Expr::Attribute { value, attr, .. } => {
                let object = reg(self.operand(value)?);
                let name = self.name(attr);
                let site = self.site(name);
                let place = self.attribute_span(span, attr);
                self.emit(I::DeleteAttribute { object, site }, place);
            }
            Expr::Subscript { value, slice, .. } => {
                let object = self.operand(value)?;
                let object = reg(self.protect(object, &[slice]));
                let key = reg(self.operand(slice)?);
                self.emit(I::DeleteItem { object, key }, span);
            }
            Expr::Tuple { elts, .. } | Expr::List { elts, .. } => {
                for &elt in self.ast.list(elts) {
                    self.delete(elt)?;
                }
            }
            _ => return Err(Failure::syntax("cannot delete expression", span)),
        }
        self.asm.top = mark;
        Ok(())
    }

    fn assert_stmt(&mut self, test: ExprId, msg: Option<ExprId>, span: Span) -> Result {
        if self.optimize > 0 {
            return Ok(());
        }
        let end = self.asm.label();
        self.jump_if(test, true, end)?;
        let base = self.asm.push();
        self.emit(I::LoadAssertionError { dst: reg(base) }, span);
        if let Some(msg) = msg {
            self.temp(msg)?;
            self.emit(I::Call { base: reg(base), argc: 1, names: 0 }, span);
        }
        self.emit(I::Raise { base: reg(base), count: 1 }, self.ast.expr(test).span);
        self.asm.end_of_flow();
        self.asm.place(end);
        Ok(())
    }

    // ---- branches and loops

    /// An `if` with its `elif`s.
    fn if_chain(&mut self, mut stmt: Stmt) -> Result {
        let ast = self.ast;
        let end = self.asm.label();
        while let Stmt::If { test, body, orelse } = stmt {
            let is_last = orelse.is_empty();
            if is_last && let Some(target) = self.lone_jump(body) {
                // `if x: continue` is one conditional jump.
                self.jump_if(test, true, target)?;
                break;
            }
            let next = if is_last { end } else { self.asm.label() };
            self.jump_if(test, false, next)?;
            self.stmts(body)?;
            if is_last {
                break;
            }
            self.asm.jump(I::Jump { target: 0 }, end, NOWHERE);
            self.asm.place(next);
            match ast.list(orelse) {
                [elif] if matches!(ast.stmt(*elif).kind, Stmt::If { .. }) => stmt = ast.stmt(*elif).kind,
                _ => {
                    self.stmts(orelse)?;
                    break;
                }
            }
        }
        self.asm.place(end);
        Ok(())
    }

    /// Where a body goes that is only a `continue`, or a `break` that leaves nothing to release.
    fn lone_jump(&self, body: List<StmtId>) -> Option<Label> {
        let &[only] = self.ast.list(body) else { return None };
        match (self.ast.stmt(only).kind, self.blocks.last()) {
            (Stmt::Continue, Some(Block::Loop { continue_, .. })) => Some(*continue_),
            (Stmt::Break, Some(Block::Loop { break_, iterator: None, .. })) => Some(*break_),
            _ => None,
        }
    }

    fn while_stmt(&mut self, test: ExprId, body: List<StmtId>, orelse: List<StmtId>, span: Span) -> Result {
        let (head, continue_, otherwise, end) = (self.asm.label(), self.asm.label(), self.asm.label(), self.asm.label());
        let known = self.fold(test).map(|constant| truth(&constant));
        self.asm.forget_unstable();
        match known {
            Some(true) => {}
            Some(false) => self.asm.jump(I::Jump { target: 0 }, otherwise, span),
            None => self.jump_if(test, false, otherwise)?,
        }
        self.asm.place_head(head);
        self.enter_block(Block::Loop { continue_, break_: end, iterator: None }, span)?;
        self.stmts(body)?;
        self.leave_block();
        // The test stands again at the bottom, so that an iteration takes one jump.
        self.asm.place(continue_);
        match known {
            Some(_) => self.asm.jump(I::Jump { target: 0 }, head, span),
            None => self.jump_if(test, true, head)?,
        }
        self.asm.place(otherwise);
        self.stmts(orelse)?;
        self.asm.place(end);
        Ok(())
    }

    fn for_stmt(&mut self, target: ExprId, iter: ExprId, body: List<StmtId>, orelse: List<StmtId>, span: Span) -> Result {
        let (continue_, otherwise, end) = (self.asm.label(), self.asm.label(), self.asm.label());
        let state = self.start_loop(target, iter, otherwise)?;
        self.enter_block(Block::Loop { continue_, break_: end, iterator: Some(state.iterator) }, span)?;
        self.stmts(body)?;
        self.leave_block();
        self.asm.place(continue_);
        self.end_loop(state);
        self.asm.place(otherwise);
        self.stmts(orelse)?;
        self.asm.place(end);
        Ok(())
    }

    /// Starts a loop: evaluates the iterable, takes the first item and assigns it. The loop's temporaries are taken.
    pub(super) fn start_loop(&mut self, target: ExprId, iter: ExprId, exhausted: Label) -> Result<IterLoop> {
        let mark = self.asm.top;
        let is_range = self.range_start(iter)?;
        if !is_range {
            self.iterator(iter)?;
        }
        self.run_loop(target, mark, is_range, exhausted, self.ast.expr(iter).span)
    }

    /// The iterator of an iterable, in a new temporary.
    pub(super) fn iterator(&mut self, iter: ExprId) -> Result {
        let mark = self.asm.top;
        let src = match self.unmodified_display(iter)? {
            Some(src) => src,
            None => self.operand(iter)?,
        };
        self.asm.top = mark;
        let dst = self.asm.push();
        self.emit(I::GetIterator { dst: reg(dst), src: reg(src) }, self.ast.expr(iter).span);
        Ok(())
    }

    /// The state of a loop over a call of the name `range`, in three new temporaries, if `iter` is one.
    pub(super) fn range_start(&mut self, iter: ExprId) -> Result<bool> {
        let node = self.ast.expr(iter);
        let Expr::Call { func, args, keywords } = node.kind else { return Ok(false) };
        let Expr::Name { id, .. } = self.ast.expr(func).kind else { return Ok(false) };
        let args = self.ast.list(args);
        if self.names.of(id) != self.known.range
            || !(1..=3).contains(&args.len())
            || !keywords.is_empty()
            || args.iter().any(|&arg| self.is_starred(arg))
            || !matches!(self.scopes.lookup(self.scope, self.known.range), Place::Global | Place::Name)
        {
            return Ok(false);
        }
        let base = self.temp(func)?;
        for &arg in args {
            self.temp(arg)?;
        }
        self.asm.set_top(base + 3);
        self.emit(I::RangeStart { base: reg(base), argc: args.len() as u16 }, node.span);
        Ok(true)
    }

    /// The rest of [`Self::start_loop`]: the iterator, or the range's state, stands from `mark` on.
    pub(super) fn run_loop(&mut self, target: ExprId, mark: u32, is_range: bool, exhausted: Label, span: Span) -> Result<IterLoop> {
        let local = self.local_target(target);
        let item = local.unwrap_or(self.asm.top);
        self.asm.reserve(item + 1);
        let body = self.asm.label();
        self.asm.forget_unstable();
        let (dst, iterator) = (reg(item), reg(mark));
        let first = if is_range { I::ForRange { dst, base: iterator, target: 0 } } else { I::ForIter { dst, iterator, target: 0 } };
        self.asm.jump(first, exhausted, span);
        self.asm.place_head(body);
        match local {
            Some(local) => self.asm.set_bound(local),
            None => {
                let top = self.asm.top;
                self.asm.set_top(item + 1);
                self.store(target, item)?;
                self.asm.top = top;
            }
        }
        Ok(IterLoop { iterator: mark, is_range, item, body, span, mark })
    }

    /// The bottom of the loop: takes the next item and goes back, or goes on without the loop's temporaries.
    pub(super) fn end_loop(&mut self, state: IterLoop) {
        let (dst, iterator) = (reg(state.item), reg(state.iterator));
        let next = if state.is_range { I::LoopRange { dst, base: iterator, target: 0 } } else { I::LoopIter { dst, iterator, target: 0 } };
        self.asm.jump(next, state.body, state.span);
        self.asm.top = state.mark;
    }
}
