//! PEP 695: type parameters and `type` statements. Bounds, defaults and values are functions, called when they are asked for.

use scrip_grammar::ast::{Expr, List, Span, Stmt, StmtId, TypeParam, TypeParamKind};

use super::error::Result;
use super::scope::Node;
use super::{Compiler, reg};
use crate::code::instruction::{Instruction as I, Intrinsic};
use crate::code::unit::Constant;

impl Compiler<'_> {
    /// Makes the type parameters, stores each under its name, and leaves the tuple of them at the top (not taken).
    pub(super) fn type_params(&mut self, params: List<TypeParam>, span: Span) -> Result {
        let base = self.asm.top;
        let params = self.ast.list(params);
        let whole = match (params.first(), params.last()) {
            (Some(first), Some(_)) => first.span,
            _ => span,
        };
        for param in params {
            let register = self.asm.push();
            let plain_name = self.names.of(param.name);
            let text = self.names.shared(plain_name);
            self.load_const(Constant::Str(text), register, param.span);
            let dst = reg(register);
            match param.kind {
                TypeParamKind::TypeVar { bound: Some(bound) } => {
                    let bound_span = self.ast.expr(bound).span;
                    self.lazy_function(Node::Bound(param.span.start), plain_name, bound, bound_span)?;
                    let kind = match self.ast.expr(bound).kind {
                        Expr::Tuple { .. } => Intrinsic::TypeVarWithConstraints,
                        _ => Intrinsic::TypeVarWithBound,
                    };
                    self.emit(I::Intrinsic2 { dst, base: dst, k: kind as u8 }, param.span);
                }
                TypeParamKind::TypeVar { bound: None } => self.intrinsic(Intrinsic::TypeVar, dst, param.span),
                TypeParamKind::ParamSpec => self.intrinsic(Intrinsic::ParamSpec, dst, param.span),
                TypeParamKind::TypeVarTuple => self.intrinsic(Intrinsic::TypeVarTuple, dst, param.span),
            }
            self.asm.set_top(register + 1);
            if let Some(default) = param.default_value {
                let default_span = self.ast.expr(default).span;
                self.lazy_function(Node::Default(param.span.start), plain_name, default, default_span)?;
                let k = Intrinsic::SetTypeParamDefault as u8;
                self.emit(I::Intrinsic2 { dst, base: dst, k }, param.span);
                self.asm.set_top(register + 1);
            }
            let copy = self.asm.push();
            self.emit(I::Copy { dst: reg(copy), src: dst }, param.span);
            let name = self.name(param.name);
            self.store_name(name, copy, param.span);
            self.asm.set_top(register + 1);
        }
        self.asm.top = base;
        self.emit(I::BuildTuple { dst: reg(base), base: reg(base), count: params.len() as u16 }, whole);
        Ok(())
    }

    fn intrinsic(&mut self, kind: Intrinsic, register: u16, span: Span) {
        self.emit(I::Intrinsic { dst: register, src: register, k: kind as u8 }, span);
    }

    /// `type X[T] = value`
    pub(super) fn type_alias(&mut self, id: StmtId) -> Result {
        let node = self.ast.stmt(id);
        let Stmt::TypeAlias { name, type_params, value } = node.kind else { return Ok(()) };
        let Expr::Name { id: name_id, .. } = self.ast.expr(name).kind else { return Ok(()) };
        let span = node.span;
        let mark = self.asm.top;
        let plain_name = self.names.of(name_id);
        if type_params.is_empty() {
            self.alias_value(id, plain_name, value, None, span)?;
        } else {
            let scope = self.scopes.of(Node::Params(id));
            self.asm.push();
            self.enter_type_params(plain_name, scope);
            let positional = std::mem::take(&mut self.positional_parameters);
            let params = self.asm.top;
            self.type_params(type_params, span)?;
            self.asm.set_top(params + 1);
            let alias = self.asm.top;
            self.alias_value(id, plain_name, value, Some(params), span)?;
            self.emit(I::Return { src: reg(alias) }, span);
            self.asm.end_of_flow();
            self.positional_parameters = positional;
            let unit = self.leave_type_params(plain_name, self.line(span), 0)?;
            self.make_function(unit, scope, mark, mark, [false; 3], span);
            self.emit(I::Call { base: reg(mark), argc: 0, names: 0 }, span);
        }
        let stored = self.names.mangle(self.private, plain_name);
        self.store_name(stored, mark, self.ast.expr(name).span);
        self.asm.top = mark;
        Ok(())
    }

    /// Makes the alias in a new temporary; `params` holds its type parameters.
    fn alias_value(&mut self, id: StmtId, name: super::Name, value: scrip_grammar::ast::ExprId, params: Option<u32>, span: Span) -> Result {
        let base = self.asm.push();
        let text = self.names.shared(name);
        self.load_const(Constant::Str(text), base, span);
        let second = self.asm.push();
        match params {
            Some(params) => self.emit(I::Move { dst: reg(second), src: reg(params) }, span),
            None => self.load_const(Constant::None, second, span),
        }
        self.lazy_function(Node::Stmt(id), name, value, span)?;
        let dst = reg(base);
        self.emit(I::BuildTuple { dst, base: dst, count: 3 }, span);
        self.intrinsic(Intrinsic::TypeAlias, dst, span);
        self.asm.set_top(base + 1);
        Ok(())
    }
}
