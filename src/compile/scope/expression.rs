//! The first pass over expressions and patterns: names used, comprehensions, `:=`, `yield` and `await` where they may not stand.

use scrip_grammar::ast::{Comprehension, Context, Expr, ExprId, List, Pattern, PatternId, Span};

use super::{Builder, Node, ScopeKind, flag};
use crate::compile::error::{Failure, Result};

impl<'a> Builder<'a, '_> {
    /// Visits an expression; the result says whether it might be a constant.
    pub(super) fn expr(&mut self, id: ExprId) -> Result<bool> {
        self.stack.check()?;
        let ast = self.ast;
        let node = ast.expr(id);
        let candidate = match node.kind {
            Expr::Constant(_) => true,
            Expr::Name { id, ctx } => self.name_use(id, ctx, node.span)?,
            Expr::BinOp { .. } => return self.binary(id),
            Expr::UnaryOp { operand, .. } => self.expr(operand)?,
            Expr::Tuple { elts, .. } => self.exprs(elts)?,
            Expr::BoolOp { values, .. } => {
                self.exprs(values)?;
                false
            }
            Expr::NamedExpr { target, value } => {
                self.walrus(target, node.span)?;
                self.expr(value)?;
                self.expr(target)?;
                if let Expr::Name { id, .. } = ast.expr(target).kind {
                    let name = self.name(id);
                    self.mark(name, flag::WALRUS);
                }
                false
            }
            Expr::Lambda { args, body } => {
                self.defaults(args)?;
                let outer = self.current;
                self.enter(ScopeKind::Lambda, Some(Node::Expr(id)));
                self.parameters(ast.arguments(args))?;
                self.expr(body)?;
                self.current = outer;
                false
            }
            Expr::IfExp { test, body, orelse } => {
                self.expr(test)?;
                self.expr(body)?;
                self.expr(orelse)?;
                false
            }
            Expr::Dict { keys, values } => {
                for (key, &value) in ast.list(keys).iter().zip(ast.list(values)) {
                    self.optional(*key)?;
                    self.expr(value)?;
                }
                false
            }
            Expr::Set { elts } => {
                self.exprs(elts)?;
                false
            }
            Expr::List { elts, .. } => {
                self.exprs(elts)?;
                false
            }
            Expr::ListComp { elt, generators } => self.comprehension(id, ScopeKind::Comprehension, "list comprehension", None, elt, generators)?,
            Expr::SetComp { elt, generators } => self.comprehension(id, ScopeKind::Comprehension, "set comprehension", None, elt, generators)?,
            Expr::DictComp { key, value, generators } => {
                self.comprehension(id, ScopeKind::Comprehension, "dict comprehension", Some(key), value, generators)?
            }
            Expr::GeneratorExp { elt, generators } => self.comprehension(id, ScopeKind::Generator, "generator expression", None, elt, generators)?,
            Expr::Await { value } => {
                self.awaits(node.span, "'await' outside async function")?;
                self.expr(value)?;
                false
            }
            Expr::Yield { value } => {
                self.yields(node.span)?;
                self.optional(value)?;
                false
            }
            Expr::YieldFrom { value } => {
                self.yields(node.span)?;
                if self.scope().is_async_def {
                    return Err(Failure::syntax("'yield from' inside async function", node.span));
                }
                self.expr(value)?;
                false
            }
            Expr::Compare { left, comparators, .. } => {
                self.expr(left)?;
                self.exprs(comparators)?;
                false
            }
            Expr::Call { func, args, keywords } => {
                self.expr(func)?;
                self.exprs(args)?;
                self.keywords(keywords)?;
                false
            }
            Expr::FormattedValue { value, format_spec, .. } => {
                self.expr(value)?;
                self.optional(format_spec)?;
                false
            }
            Expr::JoinedStr { values } => {
                self.exprs(values)?;
                false
            }
            Expr::Attribute { value, attr, ctx } => {
                if ctx == Context::Store {
                    self.static_attribute(value, attr);
                }
                self.expr(value)?;
                false
            }
            Expr::Subscript { value, slice, ctx } => {
                let value = self.expr(value)?;
                let slice = self.expr(slice)?;
                value && slice && ctx == Context::Load
            }
            Expr::Starred { value, .. } => {
                self.expr(value)?;
                false
            }
            Expr::Slice { lower, upper, step } => {
                self.optional(lower)?;
                self.optional(upper)?;
                self.optional(step)?;
                false
            }
        };
        if candidate {
            self.note_candidate(id);
        }
        Ok(candidate)
    }

    fn note_candidate(&mut self, id: ExprId) {
        self.scopes.candidates[id.index() / 64] |= 1 << (id.index() % 64);
    }

    /// A chain of binary operators, which may be too long for recursion on its left side.
    fn binary(&mut self, id: ExprId) -> Result<bool> {
        let ast = self.ast;
        let mut spine = vec![id];
        let mut next = id;
        let first = loop {
            let Expr::BinOp { left, .. } = ast.expr(next).kind else { break next };
            if !matches!(ast.expr(left).kind, Expr::BinOp { .. }) {
                break left;
            }
            spine.push(left);
            next = left;
        };
        let mut candidate = self.expr(first)?;
        for &id in spine.iter().rev() {
            if let Expr::BinOp { right, .. } = ast.expr(id).kind {
                candidate &= self.expr(right)?;
            }
            if candidate {
                self.note_candidate(id);
            }
        }
        Ok(candidate)
    }

    fn name_use(&mut self, id: scrip_grammar::ast::NameId, ctx: Context, span: Span) -> Result<bool> {
        match ctx {
            Context::Load => {
                let name = self.name(id);
                self.mark(name, flag::USED);
                if name == self.super_name && self.scope().kind.is_function_like() {
                    let class_cell = self.scopes.class_cell;
                    self.mark(class_cell, flag::USED);
                }
                Ok(self.ast.name(id) == "__debug__")
            }
            Context::Store => self.assign(id, span, flag::LOCAL).map(|()| false),
            Context::Del => self.assign(id, span, flag::LOCAL | flag::UNSTABLE).map(|()| false),
        }
    }

    fn static_attribute(&mut self, value: ExprId, attr: scrip_grammar::ast::NameId) {
        let Expr::Name { id, .. } = self.ast.expr(value).kind else { return };
        if self.names.of(id) != self.self_name {
            return;
        }
        if let Some(class) =
            std::iter::successors(Some(self.current), |&id| self.scopes[id].parent).find(|&id| self.scopes[id].kind == ScopeKind::Class)
        {
            let attr = self.names.of(attr);
            let attributes = &mut self.scopes.get_mut(class).static_attributes;
            if !attributes.contains(&attr) {
                attributes.push(attr);
            }
        }
    }

    /// Finds the scope that `:=` assigns in, past the comprehensions around it.
    fn walrus(&mut self, target: ExprId, span: Span) -> Result {
        let Expr::Name { id, .. } = self.ast.expr(target).kind else { return Ok(()) };
        let name = self.name(id);
        let text = self.names.text(name).to_owned();
        let target_span = self.ast.expr(target).span;
        if self.scope().in_iterable > 0 {
            let message = "assignment expression cannot be used in a comprehension iterable expression";
            return Err(Failure::syntax(message, span));
        }
        let kind = self.scope().kind;
        if kind.is_annotation() {
            return Err(Failure::syntax(format!("named expression cannot be used within {}", annotation_words(kind)), span));
        }
        let mut path = Vec::new();
        let mut id = self.current;
        while self.scopes[id].kind.is_comprehension() {
            if self.scopes[id].symbols.flags(name) & flag::ITERATION != 0 {
                let message = format!("assignment expression cannot rebind comprehension iteration variable '{text}'");
                return Err(Failure::syntax(message, target_span));
            }
            path.push(id);
            id = self.scopes[id].parent.expect("a comprehension stands in a scope");
        }
        if path.is_empty() {
            return Ok(());
        }
        let outer = self.scopes.get_mut(id);
        let declares = match outer.kind {
            ScopeKind::Class => {
                let message = "assignment expression within a comprehension cannot be used in a class body";
                return Err(Failure::syntax(message, span));
            }
            kind if kind.is_annotation() => {
                let message = format!("assignment expression within a comprehension cannot be used within {}", annotation_words(kind));
                return Err(Failure::syntax(message, span));
            }
            ScopeKind::Module => flag::GLOBAL,
            _ if outer.symbols.flags(name) & flag::GLOBAL != 0 => flag::GLOBAL,
            _ => flag::NONLOCAL,
        };
        let symbol = outer.symbols.entry(name);
        symbol.flags |= flag::WALRUS | if declares == flag::GLOBAL { flag::GLOBAL } else { flag::LOCAL };
        for id in path {
            self.scopes.get_mut(id).symbols.entry(name).flags |= declares;
        }
        Ok(())
    }

    fn comprehension(
        &mut self,
        id: ExprId,
        kind: ScopeKind,
        what: &'static str,
        key: Option<ExprId>,
        elt: ExprId,
        generators: List<Comprehension>,
    ) -> Result<bool> {
        let ast = self.ast;
        let list = ast.list(generators);
        let Some((outermost, inner)) = list.split_first() else { return Ok(false) };
        self.scope().in_iterable += 1;
        self.expr(outermost.iter)?;
        self.scope().in_iterable -= 1;
        let outer = self.current;
        let comprehension = self.enter(kind, Some(Node::Expr(id)));
        if !self.scope().inlined {
            let dot_zero = self.dot_zero;
            self.mark(dot_zero, flag::PARAM);
        }
        if outermost.is_async {
            self.scope().has_await = true;
        }
        self.targets(outermost.target)?;
        for &condition in ast.list(outermost.ifs) {
            self.expr(condition)?;
        }
        for generator in inner {
            if generator.is_async {
                self.scope().has_await = true;
            }
            self.scope().in_iterable += 1;
            self.expr(generator.iter)?;
            self.scope().in_iterable -= 1;
            self.targets(generator.target)?;
            for &condition in ast.list(generator.ifs) {
                self.expr(condition)?;
            }
        }
        self.optional(key)?;
        self.expr(elt)?;
        let scope = &self.scopes[comprehension];
        let (is_async, has_yield) = (scope.has_await, scope.has_yield);
        self.current = outer;
        let span = ast.expr(id).span;
        if has_yield {
            return Err(Failure::syntax(format!("'yield' inside {what}"), span));
        }
        if is_async && kind == ScopeKind::Comprehension {
            self.awaits(span, "asynchronous comprehension outside of an asynchronous function")?;
        }
        Ok(false)
    }

    /// Marks the targets of a comprehension's loop.
    fn targets(&mut self, target: ExprId) -> Result {
        let ast = self.ast;
        let node = ast.expr(target);
        match node.kind {
            Expr::Name { id, ctx: Context::Store } => self.assign(id, node.span, flag::LOCAL | flag::ITERATION),
            Expr::Tuple { elts, .. } | Expr::List { elts, .. } => ast.list(elts).iter().try_for_each(|&target| self.targets(target)),
            Expr::Starred { value, .. } => self.targets(value),
            _ => self.expr(target).map(drop),
        }
    }

    fn yields(&mut self, span: Span) -> Result {
        let kind = self.scope().kind;
        if kind.is_annotation() {
            let message = format!("yield expression cannot be used within {}", annotation_words(kind));
            return Err(Failure::syntax(message, span));
        }
        if !kind.is_function_like() {
            return Err(Failure::syntax("'yield' outside function", span));
        }
        self.scope().has_yield = true;
        Ok(())
    }

    pub(super) fn awaits(&mut self, span: Span, message: &'static str) -> Result {
        let top_level_await = self.top_level_await;
        let kind = self.scope().kind;
        if kind.is_annotation() {
            let message = format!("await expression cannot be used within {}", annotation_words(kind));
            return Err(Failure::syntax(message, span));
        }
        let allowed = match kind {
            ScopeKind::Module => top_level_await,
            ScopeKind::Function => self.scope().is_async_def,
            // Decided when the comprehension ends; a generator expression becomes an asynchronous one.
            ScopeKind::Generator | ScopeKind::Comprehension => true,
            _ => false,
        };
        if !allowed {
            let outside = message == "'await' outside async function" && !kind.is_function_like();
            return Err(Failure::syntax(if outside { "'await' outside function" } else { message }, span));
        }
        self.scope().has_await = true;
        Ok(())
    }

    // ---- patterns

    pub(super) fn pattern(&mut self, id: PatternId) -> Result {
        self.stack.check()?;
        let ast = self.ast;
        let node = ast.pattern(id);
        match node.kind {
            Pattern::MatchValue { value } => self.expr(value).map(drop),
            Pattern::MatchSingleton { .. } => Ok(()),
            Pattern::MatchSequence { patterns } | Pattern::MatchOr { patterns } => self.patterns(patterns),
            Pattern::MatchMapping { keys, patterns, rest } => {
                self.exprs(keys)?;
                self.patterns(patterns)?;
                rest.map_or(Ok(()), |name| self.assign(name, node.span, flag::LOCAL))
            }
            Pattern::MatchClass { cls, patterns, kwd_patterns, .. } => {
                self.expr(cls)?;
                self.patterns(patterns)?;
                self.patterns(kwd_patterns)
            }
            Pattern::MatchStar { name } => name.map_or(Ok(()), |name| self.assign(name, node.span, flag::LOCAL)),
            Pattern::MatchAs { pattern, name } => {
                pattern.map_or(Ok(()), |pattern| self.pattern(pattern))?;
                name.map_or(Ok(()), |name| self.assign(name, node.span, flag::LOCAL))
            }
        }
    }

    fn patterns(&mut self, patterns: List<PatternId>) -> Result {
        let ast = self.ast;
        ast.list(patterns).iter().try_for_each(|&pattern| self.pattern(pattern))
    }
}

fn annotation_words(kind: ScopeKind) -> &'static str {
    match kind {
        ScopeKind::TypeAlias => "a type alias",
        ScopeKind::TypeVarBound => "a TypeVar bound",
        _ => "the definition of a generic",
    }
}
