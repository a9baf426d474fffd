//! `try`, `with`, `async for`, and leaving them by `return`, `break` and `continue`.
//!
//! A handler starts with `PushHandled`, which puts what was handled before into `previous` and the exception into the register after it.
//! While a handler runs, its code is guarded in turn: whatever it raises first makes what was handled before the handled one again
//! ([`Compiler::clean_up`]). Leaving a `try … finally` runs a copy of the `finally` body on each way out, as CPython does.

use scrip_grammar::ast::{ExceptHandler, ExprId, List, Span, StmtId, WithItem};

use super::assembler::{Label, RegionId};
use super::error::{Failure, Result};
use super::{Compiler, NOWHERE, Name, Place, reg};
use crate::code::instruction::Instruction as I;
use crate::code::unit::{Constant, HandlerKind};

/// What a jump out of the statement being compiled has to leave.
#[derive(Debug, Clone, Copy)]
pub(super) enum Block {
    /// A loop. Leaving it releases the iterator.
    Loop { continue_: Label, break_: Label, iterator: Option<u32> },
    /// An `async for`.
    AsyncLoop { continue_: Label, break_: Label, iterator: u32 },
    /// The body of a `try` with `except` clauses.
    Guarded { region: RegionId },
    /// What a `finally` clause follows.
    Finally { region: RegionId, body: List<StmtId> },
    /// The copy of a `finally` body that runs while an exception waits in `previous + 1`.
    FinallyBody { region: RegionId, previous: u32 },
    /// An `except` clause; `name` is what `as` binds.
    Handler { region: RegionId, previous: u32, name: Option<Name> },
    /// The body of a `with`; the exit method stands in `exit`.
    With { region: RegionId, exit: u32, is_async: bool, span: Span },
    /// The value of a `return` on its way through a `finally` body.
    Value { register: u32 },
    /// A clause of `except*`, which cannot be left by a jump.
    GroupHandler,
}

/// Which jump leaves a loop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    Break,
    Continue,
}

/// As many as CPython allows.
const MAX_BLOCKS: usize = 21;

impl Compiler<'_> {
    pub(super) fn enter_block(&mut self, block: Block, span: Span) -> Result {
        if self.blocks.len() >= MAX_BLOCKS {
            return Err(Failure::syntax("too many statically nested blocks", span));
        }
        self.blocks.push(block);
        Ok(())
    }

    pub(super) fn leave_block(&mut self) {
        self.blocks.pop();
    }

    // ---- leaving

    /// `return`
    pub(super) fn return_stmt(&mut self, value: Option<ExprId>, span: Span) -> Result {
        if !self.scopes_is_callable() {
            return Err(Failure::syntax("'return' outside function", span));
        }
        // As CPython places it: at a constant that is returned, else at the statement.
        let at = value.filter(|&value| matches!(self.ast.expr(value).kind, scrip_grammar::ast::Expr::Constant(_)));
        self.refuse_in_group(at.map_or(span, |value| self.ast.expr(value).span))?;
        let scope = &self.scopes[self.asm.scope];
        if value.is_some() && scope.has_yield && scope.is_async_def {
            return Err(Failure::syntax("'return' with value in async generator", span));
        }
        let constant = match value {
            None => Some(Constant::None),
            Some(value) => self.fold(value),
        };
        if let Some(constant) = constant {
            let (regions, _) = self.unwind(0, None, span)?;
            if self.asm.reachable {
                let index = self.asm.constant(constant);
                self.emit(I::ReturnConst { index }, span);
            }
            self.asm.end_of_flow();
            self.resume_all(&regions);
            return Ok(());
        }
        let Some(value) = value else { return Ok(()) };
        let mark = self.asm.top;
        let src = self.operand(value)?;
        let (regions, src) = self.unwind(0, Some(src), span)?;
        if let Some(src) = src {
            self.emit(I::Return { src: reg(src) }, span);
        }
        self.asm.end_of_flow();
        self.resume_all(&regions);
        self.asm.top = mark;
        Ok(())
    }

    fn scopes_is_callable(&self) -> bool {
        use super::ScopeKind::{Function, Lambda};
        matches!(self.scopes[self.asm.scope].kind, Function | Lambda)
    }

    fn refuse_in_group(&self, span: Span) -> Result {
        if self.blocks.iter().any(|block| matches!(block, Block::GroupHandler)) {
            let message = "'break', 'continue' and 'return' cannot appear in an except* block";
            return Err(Failure::syntax(message, span));
        }
        Ok(())
    }

    /// `break` and `continue`
    pub(super) fn jump_out(&mut self, exit: Exit, span: Span) -> Result {
        let position = self.blocks.iter().rposition(|block| matches!(block, Block::Loop { .. } | Block::AsyncLoop { .. } | Block::GroupHandler));
        let Some(position) = position else {
            let message = if exit == Exit::Break { "'break' outside loop" } else { "'continue' not properly in loop" };
            return Err(Failure::syntax(message, span));
        };
        let (Block::Loop { continue_, break_, .. } | Block::AsyncLoop { continue_, break_, .. }) = self.blocks[position] else {
            return self.refuse_in_group(span);
        };
        let mark = self.asm.top;
        let down_to = if exit == Exit::Break { position } else { position + 1 };
        let (regions, _) = self.unwind(down_to, None, span)?;
        let target = if exit == Exit::Break { break_ } else { continue_ };
        self.asm.jump(I::Jump { target: 0 }, target, span);
        self.asm.end_of_flow();
        self.resume_all(&regions);
        self.asm.top = mark;
        Ok(())
    }

    /// Emits what leaving the blocks from the innermost down to number `down_to` takes. The result is the stretches that have to be
    /// resumed after the jump, and where `kept`, the value of a `return`, is by then.
    fn unwind(&mut self, down_to: usize, mut kept: Option<u32>, span: Span) -> Result<(Vec<RegionId>, Option<u32>)> {
        if self.blocks.len() == down_to {
            return Ok((Vec::new(), kept));
        }
        let saved = self.blocks.clone();
        let mut regions = Vec::new();
        for index in (down_to..saved.len()).rev() {
            self.blocks.truncate(index);
            match saved[index] {
                Block::Loop { iterator: None, .. } | Block::GroupHandler => {}
                Block::Loop { iterator: Some(iterator), .. } | Block::AsyncLoop { iterator, .. } => {
                    self.emit(I::Release { src: reg(iterator) }, NOWHERE);
                }
                Block::Guarded { region } => {
                    self.asm.suspend(region);
                    regions.push(region);
                }
                Block::Finally { region, body } => {
                    self.asm.suspend(region);
                    regions.push(region);
                    kept = self.secure(kept, span);
                    if let Some(register) = kept {
                        self.blocks.push(Block::Value { register });
                    }
                    self.stmts(body)?;
                }
                Block::FinallyBody { region, previous } => {
                    self.asm.suspend(region);
                    regions.push(region);
                    self.emit(I::Release { src: reg(previous + 1) }, NOWHERE);
                    self.emit(I::PopHandled { previous: reg(previous) }, NOWHERE);
                }
                Block::Handler { region, previous, name } => {
                    self.asm.suspend(region);
                    regions.push(region);
                    self.emit(I::PopHandled { previous: reg(previous) }, NOWHERE);
                    if let Some(name) = name {
                        kept = self.secure(kept, span);
                        self.forget(name);
                    }
                }
                Block::With { region, exit, is_async, span } => {
                    self.asm.suspend(region);
                    regions.push(region);
                    // A callee's window begins at the arguments, so the value waits below the exit method: where this block's handler
                    // would note what was handled, and above what the blocks around keep when the exit raises.
                    if let Some(register) = kept {
                        self.emit(I::Move { dst: reg(exit - 2), src: reg(register) }, span);
                        kept = Some(exit - 2);
                    }
                    self.exit_with_nones(exit, is_async, span);
                }
                Block::Value { register } => self.emit(I::Release { src: reg(register) }, NOWHERE),
            }
        }
        self.blocks = saved;
        Ok((regions, kept))
    }

    /// A value that code to come cannot change: not a local, but a copy of it.
    fn secure(&mut self, kept: Option<u32>, span: Span) -> Option<u32> {
        let local = kept.filter(|&register| self.asm.is_local(register));
        local.map_or(kept, |local| {
            let copy = self.asm.push();
            self.emit(I::Move { dst: reg(copy), src: reg(local) }, span);
            Some(copy)
        })
    }

    fn resume_all(&mut self, regions: &[RegionId]) {
        for &region in regions {
            self.asm.resume(region);
        }
    }

    // ---- try

    /// `try` in all its forms
    pub(super) fn try_stmt(
        &mut self,
        is_star: bool,
        body: List<StmtId>,
        handlers: &[ExceptHandler],
        orelse: List<StmtId>,
        finalbody: List<StmtId>,
    ) -> Result {
        if finalbody.is_empty() {
            return self.try_except(is_star, body, handlers, orelse);
        }
        let span = self.ast.list(body).first().map_or(NOWHERE, |&first| self.ast.stmt(first).span);
        let depth = self.asm.top;
        let (handler, end) = (self.asm.label(), self.asm.label());
        let bound = self.asm.bound;
        let region = self.asm.open(handler, HandlerKind::Finally, depth);
        self.enter_block(Block::Finally { region, body: finalbody }, span)?;
        if handlers.is_empty() {
            self.stmts(body)?;
            self.stmts(orelse)?;
        } else {
            self.try_except(is_star, body, handlers, orelse)?;
        }
        self.leave_block();
        self.asm.suspend(region);
        self.stmts(finalbody)?;
        self.asm.jump(I::Jump { target: 0 }, end, NOWHERE);
        self.asm.end_of_flow();
        self.asm.start_cold();
        self.asm.place_handler(handler, bound);
        let (previous, clean_up, region) = self.push_handled(depth, 2);
        self.enter_block(Block::FinallyBody { region, previous }, span)?;
        let bound = self.asm.bound;
        self.stmts(finalbody)?;
        self.leave_block();
        self.asm.suspend(region);
        let last = self.ast.list(finalbody).last().map_or(NOWHERE, |&last| self.ast.stmt(last).span);
        self.emit(I::Reraise { exception: reg(previous + 1), previous: reg(previous) }, last);
        self.asm.end_of_flow();
        self.clean_up(clean_up, previous, None, bound);
        self.asm.end_cold();
        self.asm.top = depth;
        self.asm.place(end);
        Ok(())
    }

    /// Starts a handler whose registers stand at `previous`, with its guard. `n_taken` temporaries from there on are taken.
    fn push_handled(&mut self, previous: u32, n_taken: u32) -> (u32, Label, RegionId) {
        self.asm.set_top(previous + n_taken);
        self.asm.reserve(previous + 2);
        self.emit(I::PushHandled { previous: reg(previous), exception: reg(previous + 1) }, NOWHERE);
        let clean_up = self.asm.label();
        let region = self.asm.open(clean_up, HandlerKind::Finally, previous + 1);
        (previous, clean_up, region)
    }

    /// Where an exception raised in a handler goes on, after what was handled before is handled again.
    fn clean_up(&mut self, label: Label, previous: u32, name: Option<Name>, bound: u128) {
        if !self.asm.is_used(label) {
            return;
        }
        self.asm.place_handler(label, bound);
        self.asm.set_top(previous + 3);
        let (old, new) = (reg(previous + 1), reg(previous + 2));
        self.emit(I::PushHandled { previous: old, exception: new }, NOWHERE);
        self.emit(I::Release { src: old }, NOWHERE);
        if let Some(name) = name {
            self.forget(name);
        }
        self.emit(I::Reraise { exception: new, previous: reg(previous) }, NOWHERE);
        self.asm.end_of_flow();
    }

    /// Unbinds the name of an `except … as`, whether it is still bound or not.
    fn forget(&mut self, name: Name) {
        if let Place::Local(local) = self.scopes.lookup(self.scope, name) {
            self.emit(I::ClearLocal { local: reg(local) }, NOWHERE);
            self.asm.set_unbound(local);
            return;
        }
        let none = self.asm.push();
        self.load_const(Constant::None, none, NOWHERE);
        self.store_name(name, none, NOWHERE);
        self.asm.top = none;
        self.delete_name(name, NOWHERE);
    }

    fn try_except(&mut self, is_star: bool, body: List<StmtId>, handlers: &[ExceptHandler], orelse: List<StmtId>) -> Result {
        let span = self.ast.list(body).first().map_or(NOWHERE, |&first| self.ast.stmt(first).span);
        let depth = self.asm.top;
        let (handler, end) = (self.asm.label(), self.asm.label());
        let bound = self.asm.bound;
        let region = self.asm.open(handler, HandlerKind::Except, depth);
        self.enter_block(Block::Guarded { region }, span)?;
        self.stmts(body)?;
        self.leave_block();
        self.asm.suspend(region);
        self.stmts(orelse)?;
        self.asm.jump(I::Jump { target: 0 }, end, NOWHERE);
        self.asm.end_of_flow();
        self.asm.start_cold();
        self.asm.place_handler(handler, bound);
        if is_star {
            self.group_handlers(depth, handlers, end)?;
        } else {
            self.handlers(depth, handlers, end)?;
        }
        self.asm.end_cold();
        self.asm.top = depth;
        self.asm.place(end);
        Ok(())
    }

    /// The `except` clauses.
    fn handlers(&mut self, depth: u32, handlers: &[ExceptHandler], end: Label) -> Result {
        let (previous, clean_up, region) = self.push_handled(depth, 2);
        let exception = previous + 1;
        let bound = self.asm.bound;
        let mut catches_all = false;
        for (index, handler) in handlers.iter().enumerate() {
            let next = self.asm.label();
            if let Some(type_) = handler.type_ {
                let class = reg(self.operand(type_)?);
                self.asm.set_top(previous + 2);
                let instruction = I::JumpIfNotMatch { exception: reg(exception), class, target: 0 };
                self.asm.jump(instruction, next, handler.span);
            } else {
                if index + 1 != handlers.len() {
                    return Err(Failure::syntax("default 'except:' must be last", handler.span));
                }
                catches_all = true;
            }
            let name = handler.name.map(|name| self.name(name));
            match name {
                Some(name) => {
                    self.store_name(name, exception, handler.span);
                    // What the body raises also unbinds the name: a guard of its own.
                    self.asm.suspend(region);
                    let named_clean_up = self.asm.label();
                    let named = self.asm.open(named_clean_up, HandlerKind::Finally, previous + 1);
                    self.asm.set_top(previous + 1);
                    self.handler_body(handler, named, previous, Some(name))?;
                    self.asm.jump(I::Jump { target: 0 }, end, NOWHERE);
                    self.asm.end_of_flow();
                    self.clean_up(named_clean_up, previous, Some(name), bound);
                    self.asm.resume(region);
                }
                None => {
                    self.emit(I::Release { src: reg(exception) }, handler.span);
                    self.asm.set_top(previous + 1);
                    self.handler_body(handler, region, previous, None)?;
                    self.asm.jump(I::Jump { target: 0 }, end, NOWHERE);
                    self.asm.end_of_flow();
                    self.asm.resume(region);
                }
            }
            self.asm.set_top(previous + 2);
            self.asm.place(next);
        }
        self.asm.suspend(region);
        if !catches_all {
            let last = handlers.last().map_or(NOWHERE, |handler| handler.span);
            self.emit(I::Reraise { exception: reg(exception), previous: reg(previous) }, last);
        }
        self.asm.end_of_flow();
        self.clean_up(clean_up, previous, None, bound);
        Ok(())
    }

    /// The body of a clause up to its normal end, after which `region` is suspended.
    fn handler_body(&mut self, handler: &ExceptHandler, region: RegionId, previous: u32, name: Option<Name>) -> Result {
        self.enter_block(Block::Handler { region, previous, name }, handler.span)?;
        self.stmts(handler.body)?;
        self.leave_block();
        self.asm.suspend(region);
        self.emit(I::PopHandled { previous: reg(previous) }, NOWHERE);
        if let Some(name) = name {
            self.forget(name);
        }
        Ok(())
    }

    /// The `except*` clauses: `previous`, the group, the list of what was raised, what is left of the group, what matched.
    fn group_handlers(&mut self, depth: u32, handlers: &[ExceptHandler], end: Label) -> Result {
        let (previous, clean_up, region) = self.push_handled(depth, 5);
        let (original, raised, rest, matched) = (previous + 1, previous + 2, previous + 3, previous + 4);
        let bound = self.asm.bound;
        self.emit(I::BuildList { dst: reg(raised), base: reg(raised), count: 0 }, NOWHERE);
        self.emit(I::Copy { dst: reg(rest), src: reg(original) }, NOWHERE);
        for handler in handlers {
            let (no_match, next) = (self.asm.label(), self.asm.label());
            self.asm.set_top(matched);
            let Some(type_) = handler.type_ else {
                return Err(Failure::syntax("expected one or more exception types", handler.span));
            };
            // The class is evaluated where its part of the group lands.
            let class = reg(self.operand(type_)?);
            self.asm.reserve(matched + 2);
            self.emit(I::MatchGroup { matched: reg(matched), exception: reg(rest), class }, handler.span);
            self.asm.set_top(matched + 2);
            self.emit(I::Copy { dst: reg(matched + 1), src: reg(matched) }, NOWHERE);
            self.asm.jump(I::JumpIfNone { src: reg(matched + 1), target: 0 }, no_match, NOWHERE);
            let name = handler.name.map(|name| self.name(name));
            match name {
                Some(name) => self.store_name(name, matched, handler.span),
                None => self.emit(I::Release { src: reg(matched) }, NOWHERE),
            }
            self.asm.set_top(matched);
            let raised_label = self.asm.label();
            let guard = self.asm.open(raised_label, HandlerKind::Except, matched);
            self.asm.suspend(region);
            self.enter_block(Block::GroupHandler, handler.span)?;
            self.stmts(handler.body)?;
            self.leave_block();
            self.asm.suspend(guard);
            self.asm.resume(region);
            if let Some(name) = name {
                self.forget(name);
            }
            self.asm.jump(I::Jump { target: 0 }, next, NOWHERE);
            self.asm.end_of_flow();
            if self.asm.is_used(raised_label) {
                self.asm.place_handler(raised_label, bound);
                self.asm.set_top(matched + 2);
                let (before, new) = (reg(matched), reg(matched + 1));
                self.emit(I::PushHandled { previous: before, exception: new }, NOWHERE);
                if let Some(name) = name {
                    self.forget(name);
                }
                self.emit(I::ListAppend { list: reg(raised), src: new }, NOWHERE);
                self.emit(I::PopHandled { previous: before }, NOWHERE);
                self.asm.jump(I::Jump { target: 0 }, next, NOWHERE);
                self.asm.end_of_flow();
            }
            self.asm.place(no_match);
            self.emit(I::Release { src: reg(matched) }, NOWHERE);
            self.asm.place(next);
        }
        self.asm.set_top(matched);
        self.emit(I::ListAppend { list: reg(raised), src: reg(rest) }, NOWHERE);
        let (dst, original16) = (reg(raised), reg(original));
        self.emit(I::GroupRest { dst, original: original16, raised: dst }, NOWHERE);
        self.emit(I::Release { src: original16 }, NOWHERE);
        self.asm.suspend(region);
        let nothing = self.asm.label();
        self.emit(I::Copy { dst: reg(rest), src: dst }, NOWHERE);
        self.asm.jump(I::JumpIfNone { src: reg(rest), target: 0 }, nothing, NOWHERE);
        self.emit(I::Reraise { exception: dst, previous: reg(previous) }, NOWHERE);
        self.asm.end_of_flow();
        self.asm.place(nothing);
        self.emit(I::Release { src: dst }, NOWHERE);
        self.emit(I::PopHandled { previous: reg(previous) }, NOWHERE);
        self.asm.jump(I::Jump { target: 0 }, end, NOWHERE);
        self.asm.end_of_flow();
        self.clean_up(clean_up, previous, None, bound);
        Ok(())
    }

    // ---- with

    /// The items of a `with` from the first on, each inside the one before.
    pub(super) fn with_items(&mut self, items: &[WithItem], is_async: bool, body: List<StmtId>) -> Result {
        let Some((item, inner)) = items.split_first() else { return self.stmts(body) };
        self.stack.check()?;
        let span = self.ast.expr(item.context_expr).span;
        // The handler's two registers come first, so that the exit method stands below its arguments.
        let previous = self.asm.top;
        self.asm.set_top(previous + 2);
        let exit = previous + 2;
        let manager = reg(self.operand(item.context_expr)?);
        self.asm.set_top(exit + 4);
        self.emit(I::SetupWith { base: reg(exit), manager, k: u8::from(is_async) }, span);
        let entered = exit + 2;
        self.emit(I::CallMethod { base: reg(entered), argc: 0, names: 0 }, span);
        if is_async {
            self.await_in(entered, 1, span);
        }
        self.asm.set_top(entered + 1);
        let (handler, end) = (self.asm.label(), self.asm.label());
        let bound = self.asm.bound;
        let region = self.asm.open(handler, HandlerKind::With, entered);
        self.enter_block(Block::With { region, exit, is_async, span }, span)?;
        match item.optional_vars {
            Some(target) => self.store(target, entered)?,
            None => self.emit(I::Release { src: reg(entered) }, span),
        }
        self.asm.set_top(entered);
        self.with_items(inner, is_async, body)?;
        self.leave_block();
        self.asm.suspend(region);
        self.exit_with_nones(exit, is_async, span);
        self.asm.jump(I::Jump { target: 0 }, end, NOWHERE);
        self.asm.end_of_flow();
        self.asm.start_cold();
        self.asm.place_handler(handler, bound);
        self.asm.reserve(exit + 5);
        let (_, clean_up, region) = self.push_handled(previous, 2);
        let bound = self.asm.bound;
        self.asm.set_top(exit + 5);
        self.emit(I::LoadExceptionTriple { base: reg(entered), exception: reg(previous + 1) }, span);
        self.emit(I::CallMethod { base: reg(exit), argc: 3, names: 0 }, span);
        if is_async {
            self.await_in(exit, 2, span);
        }
        let suppressed = self.asm.label();
        self.asm.jump(I::JumpIfTrue { src: reg(exit), target: 0 }, suppressed, span);
        self.asm.suspend(region);
        self.emit(I::Reraise { exception: reg(previous + 1), previous: reg(previous) }, NOWHERE);
        self.asm.end_of_flow();
        self.asm.place(suppressed);
        self.emit(I::Release { src: reg(previous + 1) }, span);
        self.emit(I::PopHandled { previous: reg(previous) }, span);
        self.asm.jump(I::Jump { target: 0 }, end, NOWHERE);
        self.asm.end_of_flow();
        self.clean_up(clean_up, previous, None, bound);
        self.asm.end_cold();
        self.asm.top = previous;
        self.asm.place(end);
        Ok(())
    }

    /// The call of an exit method where nothing was raised.
    fn exit_with_nones(&mut self, exit: u32, is_async: bool, span: Span) {
        self.asm.reserve(exit + 5);
        for register in exit + 2..exit + 5 {
            self.load_const(Constant::None, register, span);
        }
        self.emit(I::CallMethod { base: reg(exit), argc: 3, names: 0 }, span);
        if is_async {
            self.await_in(exit, 2, span);
        }
        self.emit(I::Release { src: reg(exit) }, span);
    }

    // ---- async for

    pub(super) fn async_for(&mut self, target: ExprId, iter: ExprId, body: List<StmtId>, orelse: List<StmtId>, span: Span) -> Result {
        let iter_span = self.ast.expr(iter).span;
        let mark = self.asm.top;
        let src = self.operand(iter)?;
        self.asm.top = mark;
        let iterator = self.asm.push();
        self.emit(I::GetAsyncIterator { dst: reg(iterator), src: reg(src) }, iter_span);
        let (next, handler, end) = (self.asm.label(), self.asm.label(), self.asm.label());
        let bound = self.async_next(iterator, target, next, handler, iter_span)?;
        self.enter_block(Block::AsyncLoop { continue_: next, break_: end, iterator }, span)?;
        self.stmts(body)?;
        self.leave_block();
        self.asm.jump(I::Jump { target: 0 }, next, iter_span);
        self.asm.end_of_flow();
        self.end_async_loop(iterator, handler, bound, iter_span);
        self.asm.top = mark;
        self.stmts(orelse)?;
        self.asm.place(end);
        Ok(())
    }

    /// Awaits the next item and assigns it. `next` is placed in front, `handler` gets the end of the iteration.
    pub(super) fn async_next(&mut self, iterator: u32, target: ExprId, next: Label, handler: Label, span: Span) -> Result<u128> {
        self.asm.place_head(next);
        let bound = self.asm.bound;
        let item = iterator + 1;
        self.asm.set_top(item);
        let region = self.asm.open(handler, HandlerKind::Except, item);
        self.asm.reserve(item + 2);
        self.emit(I::GetAsyncNext { dst: reg(item + 1), iterator: reg(iterator) }, span);
        self.drive(item, span);
        self.asm.suspend(region);
        self.asm.set_top(item + 1);
        self.store(target, item)?;
        self.asm.set_top(item);
        Ok(bound)
    }

    /// The handler of `StopAsyncIteration`; execution goes on after it without the iterator.
    pub(super) fn end_async_loop(&mut self, iterator: u32, handler: Label, bound: u128, span: Span) {
        self.asm.place_handler(handler, bound);
        self.asm.reserve(iterator + 3);
        let (previous, exception) = (reg(iterator + 1), reg(iterator + 2));
        self.emit(I::PushHandled { previous, exception }, span);
        self.emit(I::EndAsyncFor { exception, previous }, span);
        self.emit(I::Release { src: reg(iterator) }, span);
    }
}
