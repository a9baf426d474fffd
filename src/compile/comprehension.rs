//! Comprehensions: list, set and dict comprehensions run in the frame around them, generator expressions in their own.

use scrip_grammar::ast::{Comprehension, Expr, ExprId, Span};

use super::assembler::Label;
use super::error::Result;
use super::scope::{Node, ScopeId};
use super::{Compiler, Header, NOWHERE, reg};
use crate::code::instruction::Instruction as I;
use crate::code::unit::{HandlerKind, UnitFlags};

/// What is done with each item.
#[derive(Debug, Clone, Copy)]
enum Item {
    List(ExprId),
    Set(ExprId),
    Dict(ExprId, ExprId),
    Yield(ExprId),
}

impl Compiler<'_> {
    /// The value of a comprehension or generator expression.
    pub(super) fn comprehension(&mut self, id: ExprId, dst: u32) -> Result {
        let node = self.ast.expr(id);
        let (item, generators) = match node.kind {
            Expr::ListComp { elt, generators } => (Item::List(elt), generators),
            Expr::SetComp { elt, generators } => (Item::Set(elt), generators),
            Expr::DictComp { key, value, generators } => (Item::Dict(key, value), generators),
            Expr::GeneratorExp { elt, generators } => (Item::Yield(elt), generators),
            _ => return Ok(()),
        };
        let generators = self.ast.list(generators);
        let scope = self.scopes.of(Node::Expr(id));
        if self.scopes[scope].inlined {
            self.inlined(scope, item, generators, dst, node.span)
        } else {
            self.function(id, scope, item, generators, dst, node.span)
        }
    }

    /// A comprehension in the frame around it.
    fn inlined(&mut self, scope: ScopeId, item: Item, generators: &[Comprehension], dst: u32, span: Span) -> Result {
        let mark = self.asm.top;
        let acc = if self.asm.is_local(dst) { mark } else { dst };
        self.asm.set_top(acc + 1);
        let Some(outermost) = generators.first() else { return Ok(()) };
        let state = self.asm.top;
        // The first iterable belongs to the scope outside.
        let is_range = !outermost.is_async && self.range_start(outermost.iter)?;
        if outermost.is_async {
            self.async_iterator(outermost.iter)?;
        } else if !is_range {
            self.iterator(outermost.iter)?;
        }
        let outer = std::mem::replace(&mut self.scope, scope);
        let locals: Vec<(u32, bool)> = self.scopes.comprehension_locals(scope).collect();
        let handler = self.asm.label();
        let bound = self.asm.bound;
        let region = self.asm.open(handler, HandlerKind::Finally, acc);
        for &(local, is_cell) in &locals {
            if is_cell {
                self.emit(I::MakeCell { local: reg(local) }, NOWHERE);
            }
        }
        self.build_empty(item, acc, span);
        self.generator(generators, 0, Some((state, is_range)), item, acc)?;
        self.asm.suspend(region);
        self.clear(&locals);
        self.scope = outer;
        self.asm.top = mark;
        self.settle(dst, acc, span);
        // An exception leaves the variables unbound, too.
        let end = self.asm.label();
        if self.asm.is_used(handler) {
            self.asm.jump(I::Jump { target: 0 }, end, NOWHERE);
            self.asm.end_of_flow();
            self.asm.start_cold();
            self.asm.place_handler(handler, bound);
            self.asm.reserve(acc + 2);
            self.emit(I::PushHandled { previous: reg(acc), exception: reg(acc + 1) }, NOWHERE);
            self.clear(&locals);
            self.emit(I::Reraise { exception: reg(acc + 1), previous: reg(acc) }, NOWHERE);
            self.asm.end_of_flow();
            self.asm.end_cold();
            self.asm.place(end);
        }
        Ok(())
    }

    fn clear(&mut self, locals: &[(u32, bool)]) {
        for &(local, _) in locals {
            self.emit(I::ClearLocal { local: reg(local) }, NOWHERE);
            self.asm.set_unbound(local);
        }
    }

    /// A generator expression, or a comprehension that cannot be inlined: a function of the first iterator, called at once.
    fn function(&mut self, id: ExprId, scope: ScopeId, item: Item, generators: &[Comprehension], dst: u32, span: Span) -> Result {
        let mark = self.asm.top;
        let base = if self.asm.is_local(dst) { mark } else { dst };
        let Some(outermost) = generators.first() else { return Ok(()) };
        let text = match self.ast.expr(id).kind {
            Expr::ListComp { .. } => "<listcomp>",
            Expr::SetComp { .. } => "<setcomp>",
            Expr::DictComp { .. } => "<dictcomp>",
            _ => "<genexpr>",
        };
        let name = self.names.intern(text);
        let qualname = self.qualify(name, false);
        self.enter(scope, qualname);
        let positional = std::mem::take(&mut self.positional_parameters);
        self.asm.set_bound(0);
        let is_generator = matches!(item, Item::Yield(_));
        let acc = self.asm.top;
        if !is_generator {
            self.build_empty(item, acc, span);
            self.asm.set_top(acc + 1);
        }
        let state = self.asm.push();
        self.emit(I::Move { dst: reg(state), src: 0 }, self.ast.expr(outermost.iter).span);
        self.generator(generators, 0, Some((state, false)), item, acc)?;
        if is_generator {
            self.return_none(span);
        } else {
            self.emit(I::Return { src: reg(acc) }, span);
            self.asm.end_of_flow();
        }
        let is_async = self.scopes[scope].has_await;
        let flags = UnitFlags {
            is_function: true,
            is_generator: is_generator && !is_async,
            is_async_generator: is_generator && is_async,
            is_coroutine: !is_generator && is_async,
            future_annotations: self.future_annotations,
            is_anonymous: true,
            ..UnitFlags::default()
        };
        self.positional_parameters = positional;
        let header = Header {
            name: text.into(),
            qualname: self.qualname.clone(),
            first_line: self.line(span),
            flags,
            n_positional_only: 1,
            n_positional: 1,
            n_keyword_only: 0,
        };
        let unit = self.leave(header)?;
        self.asm.reserve(base + 1);
        self.make_function(unit, scope, base, base, [false; 3], span);
        self.asm.set_top(base + 1);
        if outermost.is_async {
            self.async_iterator(outermost.iter)?;
        } else {
            self.iterator(outermost.iter)?;
        }
        self.emit(I::Call { base: reg(base), argc: 1, names: 0 }, span);
        if is_async && !is_generator {
            self.await_in(base, 0, span);
        }
        self.asm.top = mark;
        self.settle(dst, base, span);
        Ok(())
    }

    fn async_iterator(&mut self, iter: ExprId) -> Result {
        let mark = self.asm.top;
        let src = self.operand(iter)?;
        self.asm.top = mark;
        let dst = self.asm.push();
        self.emit(I::GetAsyncIterator { dst: reg(dst), src: reg(src) }, self.ast.expr(iter).span);
        Ok(())
    }

    fn build_empty(&mut self, item: Item, acc: u32, span: Span) {
        let (dst, base) = (reg(acc), reg(acc));
        let instruction = match item {
            Item::List(_) => I::BuildList { dst, base, count: 0 },
            Item::Set(_) => I::BuildSet { dst, base, count: 0 },
            Item::Dict(..) => I::BuildDict { dst, base, count: 0 },
            Item::Yield(_) => return,
        };
        self.emit(instruction, span);
    }

    /// The loop number `index` and what is inside it. `state` is the register of the iterator if it is there already, and whether it is
    /// a range's.
    fn generator(&mut self, generators: &[Comprehension], index: usize, state: Option<(u32, bool)>, item: Item, acc: u32) -> Result {
        self.stack.check()?;
        let Some(generator) = generators.get(index) else { return self.item(item, acc) };
        if generator.is_async {
            return self.async_generator(generators, index, state, item, acc);
        }
        let next = self.asm.label();
        // `for y in [f(x)]` is an assignment.
        if state.is_none()
            && let Expr::List { elts, .. } | Expr::Tuple { elts, .. } = self.ast.expr(generator.iter).kind
            && let &[only] = self.ast.list(elts)
            && !self.is_starred(only)
        {
            self.assign(&[generator.target], only, self.ast.expr(only).span)?;
            self.conditions(generator, next)?;
            self.generator(generators, index + 1, None, item, acc)?;
            self.asm.place(next);
            return Ok(());
        }
        let exhausted = self.asm.label();
        let state = match state {
            Some((state, is_range)) => {
                let span = self.ast.expr(generator.iter).span;
                self.run_loop(generator.target, state, is_range, exhausted, span)?
            }
            None => self.start_loop(generator.target, generator.iter, exhausted)?,
        };
        self.conditions(generator, next)?;
        self.generator(generators, index + 1, None, item, acc)?;
        self.asm.place(next);
        self.end_loop(state);
        self.asm.place(exhausted);
        Ok(())
    }

    fn conditions(&mut self, generator: &Comprehension, next: Label) -> Result {
        for &condition in self.ast.list(generator.ifs) {
            self.jump_if(condition, false, next)?;
        }
        Ok(())
    }

    fn async_generator(&mut self, generators: &[Comprehension], index: usize, state: Option<(u32, bool)>, item: Item, acc: u32) -> Result {
        let Some(generator) = generators.get(index) else { return Ok(()) };
        let mark = self.asm.top;
        if state.is_none() {
            self.async_iterator(generator.iter)?;
        }
        let iterator = state.map_or(mark, |state| state.0);
        let span = self.ast.expr(generator.iter).span;
        let (next, handler) = (self.asm.label(), self.asm.label());
        let bound = self.async_next(iterator, generator.target, next, handler, span)?;
        self.conditions(generator, next)?;
        self.generator(generators, index + 1, None, item, acc)?;
        self.asm.jump(I::Jump { target: 0 }, next, span);
        self.asm.end_of_flow();
        self.end_async_loop(iterator, handler, bound, span);
        self.asm.top = iterator;
        Ok(())
    }

    /// What is done with one item.
    fn item(&mut self, item: Item, acc: u32) -> Result {
        let mark = self.asm.top;
        match item {
            Item::List(elt) => {
                let src = reg(self.operand(elt)?);
                self.emit(I::ListAppend { list: reg(acc), src }, self.ast.expr(elt).span);
            }
            Item::Set(elt) => {
                let src = reg(self.operand(elt)?);
                self.emit(I::SetAdd { set: reg(acc), src }, self.ast.expr(elt).span);
            }
            Item::Dict(key, value) => {
                let span = self.ast.expr(key).span.to(self.ast.expr(value).span);
                let key = self.operand(key)?;
                let key = reg(self.protect(key, &[value]));
                let value = reg(self.operand(value)?);
                self.emit(I::DictSet { dict: reg(acc), key, value }, span);
            }
            Item::Yield(elt) => {
                let span = self.ast.expr(elt).span;
                let src = reg(self.operand(elt)?);
                let dst = reg(mark);
                self.asm.reserve(mark + 1);
                self.emit(I::Yield { dst, src }, span);
                self.emit(I::Release { src: dst }, span);
            }
        }
        self.asm.top = mark;
        Ok(())
    }
}
