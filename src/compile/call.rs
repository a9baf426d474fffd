//! Calls: plain, of methods, of `super()`'s methods, and with `*` and `**`.

use scrip_grammar::ast::{Context, Expr, ExprId, Keyword, NameId, Span};

use super::error::{Failure, Result};
use super::expression::Display;
use super::scope::{Place, ScopeKind};
use super::{Compiler, reg};
use crate::code::instruction::Instruction as I;
use crate::code::unit::Constant;

/// Calls with more arguments than these collect them in a tuple and a dict.
const MAX_ARGUMENTS: usize = 200;

impl Compiler<'_> {
    /// The value of a call.
    pub(super) fn call(&mut self, span: Span, func: ExprId, args: &[ExprId], keywords: &[Keyword], dst: u32) -> Result {
        self.refuse_repeated_keywords(keywords)?;
        let base = if self.asm.is_local(dst) { self.asm.top } else { dst };
        let mark = self.asm.top;
        if let Expr::Attribute { value, attr, ctx: Context::Load } = self.ast.expr(func).kind
            && !self.needs_spread(args, keywords, 0)
        {
            self.method_call(span, func, value, attr, args, keywords, base)?;
        } else {
            self.expr_into(func, base)?;
            self.asm.set_top(base + 1);
            self.arguments(base, 0, args, keywords, None, span)?;
        }
        self.asm.top = mark;
        self.settle(dst, base, span);
        Ok(())
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of a method call")]
    fn method_call(&mut self, span: Span, func: ExprId, object: ExprId, attr: NameId, args: &[ExprId], keywords: &[Keyword], base: u32) -> Result {
        let func_span = self.ast.expr(func).span;
        let access = self.attribute_span(func_span, attr);
        let name = self.name(attr);
        // A call that starts on another line than its method's name is shown from that name on.
        let name_start = func_span.end - self.ast.name(attr).len() as u32;
        let call_span = if access == func_span { span } else { Span::new(name_start, span.end) };
        self.asm.reserve(base + 2);
        if self.is_super(object, attr) {
            let form = self.super_operands(object, base)?;
            let site = self.site(name);
            self.emit(I::LoadSuperMethod { base: reg(base), form, site }, access);
        } else {
            let object = reg(self.operand(object)?);
            let site = self.site(name);
            self.emit(I::LoadMethod { base: reg(base), object, site }, access);
        }
        self.asm.set_top(base + 2);
        for &arg in args {
            self.temp(arg)?;
        }
        let names = self.keyword_values(keywords)?;
        let argc = (args.len() + keywords.len()) as u16;
        self.emit(I::CallMethod { base: reg(base), argc, names }, call_span);
        Ok(())
    }

    /// Whether the arguments have to be collected first.
    fn needs_spread(&self, args: &[ExprId], keywords: &[Keyword], pushed: u32) -> bool {
        args.len() + keywords.len() + pushed as usize > MAX_ARGUMENTS
            || args.iter().any(|&arg| self.is_starred(arg))
            || keywords.iter().any(|keyword| keyword.arg.is_none())
    }

    /// Evaluates keyword arguments into temporaries; the result is `Call`'s `names`.
    fn keyword_values(&mut self, keywords: &[Keyword]) -> Result<u32> {
        if keywords.is_empty() {
            return Ok(0);
        }
        let mut names = Vec::with_capacity(keywords.len());
        for keyword in keywords {
            self.temp(keyword.value)?;
            if let Some(arg) = keyword.arg {
                let name = self.names.of(arg);
                names.push(Constant::Str(self.names.shared(name)));
            }
        }
        Ok(self.asm.constant(Constant::Tuple(names.into())) + 1)
    }

    /// Calls what stands in `base` with the `pushed` values after it (the top is behind them), the given arguments, and `.generic_base`
    /// as the last positional one if `extra` names it. The result lands in `base`.
    pub(super) fn arguments(
        &mut self,
        base: u32,
        pushed: u32,
        args: &[ExprId],
        keywords: &[Keyword],
        extra: Option<super::Name>,
        span: Span,
    ) -> Result {
        if !self.needs_spread(args, keywords, pushed) {
            for &arg in args {
                self.temp(arg)?;
            }
            if let Some(name) = extra {
                let register = self.asm.push();
                self.load_name(name, register, span);
            }
            let n_positional = pushed as usize + args.len() + usize::from(extra.is_some());
            let names = self.keyword_values(keywords)?;
            let argc = (n_positional + keywords.len()) as u16;
            self.emit(I::Call { base: reg(base), argc, names }, span);
            return Ok(());
        }
        let tuple = base + 1;
        match args {
            [only] if pushed == 0 && extra.is_none() && self.is_starred(*only) => {
                if let Expr::Starred { value, .. } = self.ast.expr(*only).kind {
                    self.expr_into(value, tuple)?;
                }
            }
            [] if pushed == 0 && extra.is_none() => {
                self.asm.reserve(tuple + 1);
                self.load_const(Constant::Tuple([].into()), tuple, span);
            }
            _ => {
                self.collect(Display::Tuple, tuple, pushed, args, span)?;
                if let Some(name) = extra {
                    let register = self.asm.push();
                    self.load_name(name, register, span);
                    self.emit(I::ListAppend { list: reg(tuple), src: reg(register) }, span);
                }
                self.emit(I::ListToTuple { dst: reg(tuple), src: reg(tuple) }, span);
            }
        }
        self.asm.set_top(tuple + 1);
        if !keywords.is_empty() {
            self.keyword_dict(base, keywords, span)?;
        }
        let has_names = u16::from(!keywords.is_empty());
        self.emit(I::CallSpread { base: reg(base), has_names }, span);
        Ok(())
    }

    /// Collects keyword arguments and mappings in a dict in `base + 2`, for a call of what is in `base`.
    fn keyword_dict(&mut self, base: u32, keywords: &[Keyword], span: Span) -> Result {
        let dict = base + 2;
        let mut rest = keywords;
        let mut is_made = false;
        while !rest.is_empty() {
            let plain = rest.iter().take_while(|keyword| keyword.arg.is_some()).count().min(MAX_ARGUMENTS / 2);
            if plain > 0 || !is_made {
                let first = if is_made { dict + 1 } else { dict };
                self.asm.set_top(first);
                for keyword in &rest[..plain] {
                    if let Some(arg) = keyword.arg {
                        let register = self.asm.push();
                        let name = self.names.of(arg);
                        let text = self.names.shared(name);
                        self.load_const(Constant::Str(text), register, span);
                        self.temp(keyword.value)?;
                    }
                }
                self.asm.reserve(first + 1);
                self.emit(I::BuildDict { dst: reg(first), base: reg(first), count: plain as u16 }, span);
                if is_made {
                    self.emit(I::DictMerge { dict: reg(dict), src: reg(first), callable: reg(base) }, span);
                }
                is_made = true;
                self.asm.set_top(dict + 1);
                rest = &rest[plain..];
            }
            if let Some((keyword, others)) = rest.split_first()
                && keyword.arg.is_none()
            {
                let src = reg(self.operand(keyword.value)?);
                self.emit(I::DictMerge { dict: reg(dict), src, callable: reg(base) }, span);
                self.asm.set_top(dict + 1);
                rest = others;
            }
        }
        Ok(())
    }

    fn refuse_repeated_keywords(&self, keywords: &[Keyword]) -> Result {
        let is_repeated = |index: usize| keywords[..index].iter().any(|before| before.arg == keywords[index].arg);
        // Long lists are for the run time to check: this is quadratic.
        if keywords.len() > MAX_ARGUMENTS {
            return Ok(());
        }
        match (0..keywords.len()).find(|&index| keywords[index].arg.is_some() && is_repeated(index)) {
            Some(index) => {
                let name = keywords[index].arg.map_or("", |arg| self.ast.name(arg));
                Err(Failure::syntax(format!("keyword argument repeated: {name}"), keywords[index].span))
            }
            None => Ok(()),
        }
    }

    // ---- super

    /// Whether `value.attr` is an access through `super()` that needs no object for it.
    pub(super) fn is_super(&mut self, value: ExprId, attr: NameId) -> bool {
        let Expr::Call { func, args, keywords } = self.ast.expr(value).kind else { return false };
        let Expr::Name { id, .. } = self.ast.expr(func).kind else { return false };
        if self.names.of(id) != self.known.super_
            || !keywords.is_empty()
            || self.ast.name(attr) == "__class__"
            || self.scopes.lookup(self.scope, self.known.super_) != Place::Global
        {
            return false;
        }
        let args = self.ast.list(args);
        match args.len() {
            0 => {
                let kind = self.scopes[self.asm.scope].kind;
                matches!(kind, ScopeKind::Function | ScopeKind::Lambda)
                    && self.first_parameter().is_some()
                    && matches!(self.scopes.lookup(self.scope, self.known.class_cell), Place::Free(_))
            }
            2 => args.iter().all(|&arg| !self.is_starred(arg)),
            _ => false,
        }
    }

    /// The first positional parameter of the function that is being compiled.
    fn first_parameter(&self) -> Option<u32> {
        (self.positional_parameters > 0).then_some(0)
    }

    /// Puts `super`, the class and the object into `base` and the two after it; the result is the instruction's `form`.
    pub(super) fn super_operands(&mut self, call: ExprId, base: u32) -> Result<i16> {
        let node = self.ast.expr(call);
        let Expr::Call { func, args, .. } = node.kind else { return Ok(0) };
        self.asm.reserve(base + 3);
        let mark = self.asm.top;
        self.expr_into(func, base)?;
        self.asm.set_top(base + 1);
        let args = self.ast.list(args);
        let form = if args.is_empty() {
            self.load_name(self.known.class_cell, base + 1, node.span);
            let first = self.first_parameter().unwrap_or(0);
            let is_cell = self.scopes[self.asm.scope].is_cell[first as usize];
            let (dst, cell) = (reg(base + 2), reg(first));
            self.emit(if is_cell { I::LoadCell { dst, cell } } else { I::Move { dst, src: cell } }, node.span);
            1
        } else {
            for &arg in args {
                self.temp(arg)?;
            }
            2
        };
        self.asm.top = mark;
        Ok(form)
    }
}
