//! Functions and lambdas: what is evaluated where they are defined, and their bodies.

use std::sync::Arc;

use scrip_grammar::ast::{Arguments, ArgumentsId, Expr, ExprId, List, Span, Stmt, StmtId};

use super::error::{Failure, Result};
use super::scope::{Node, ScopeId};
use super::{Compiler, Header, Name, reg};
use crate::code::instruction::{Instruction as I, Intrinsic};
use crate::code::symbol::Symbol;
use crate::code::unit::{Constant, Unit, UnitFlags};

impl Compiler<'_> {
    /// `def` and `async def`.
    pub(super) fn function_def(&mut self, id: StmtId) -> Result {
        let node = self.ast.stmt(id);
        let Stmt::FunctionDef { name, args, decorator_list, returns, type_params, .. } = node.kind else {
            return Ok(());
        };
        let span = node.span;
        let mark = self.asm.top;
        let decorators = self.ast.list(decorator_list);
        let first_line = decorators.first().map_or(self.line(span), |&first| self.line(self.ast.expr(first).span));
        for &decorator in decorators {
            self.temp(decorator)?;
        }
        let name = self.names.of(name);
        let arguments = self.ast.arguments(args);
        let direct = if decorators.is_empty() && type_params.is_empty() {
            let mangled = self.names.mangle(self.private, name);
            self.local_place(mangled)
        } else {
            None
        };
        if type_params.is_empty() {
            let dst = self.asm.top;
            let base = dst;
            let defaults = self.defaults(arguments, span)?;
            let annotations = self.annotations(arguments, returns, span)?;
            let unit = self.function_unit(id, name, first_line)?;
            self.asm.set_top(dst + 1);
            let scope = self.scopes.of(Node::Stmt(id));
            let tables = [defaults[0], defaults[1], annotations];
            self.make_function(unit, scope, direct.unwrap_or(dst), base, tables, span);
        } else {
            self.generic_function(id, name, arguments, returns, first_line, span)?;
        }
        self.decorate(decorators);
        let mangled = self.names.mangle(self.private, name);
        self.store_name(mangled, direct.unwrap_or(mark), span);
        self.asm.top = mark;
        Ok(())
    }

    /// The register of a name that is a local variable.
    pub(super) fn local_place(&self, name: Name) -> Option<u32> {
        match self.scopes.lookup(self.scope, name) {
            super::Place::Local(local) => Some(local),
            _ => None,
        }
    }

    /// Calls the decorators, which stand below the value at the top; the result ends up where the first one stood.
    pub(super) fn decorate(&mut self, decorators: &[ExprId]) {
        for &decorator in decorators.iter().rev() {
            let base = self.asm.top - 2;
            self.emit(I::Call { base: reg(base), argc: 1, names: 0 }, self.ast.expr(decorator).span);
            self.asm.top -= 1;
        }
    }

    /// A function with type parameters is made by a function that has them as variables.
    fn generic_function(&mut self, id: StmtId, name: Name, arguments: Arguments, returns: Option<ExprId>, first_line: u32, span: Span) -> Result {
        let Stmt::FunctionDef { type_params, .. } = self.ast.stmt(id).kind else { return Ok(()) };
        let base = self.asm.push();
        let [has_defaults, has_keywords] = self.defaults(arguments, span)?;
        let scope = self.scopes.of(Node::Params(id));
        self.enter_type_params(name, scope);
        let params = self.asm.top;
        self.type_params(type_params, span)?;
        self.asm.set_top(params + 1);
        let function = self.asm.top;
        let mut parameter = 0;
        for has_table in [has_defaults, has_keywords] {
            if has_table {
                let register = self.asm.push();
                self.emit(I::Move { dst: reg(register), src: reg(parameter) }, span);
                parameter += 1;
            }
        }
        let annotations = self.annotations(arguments, returns, span)?;
        let unit = self.function_unit(id, name, first_line)?;
        self.asm.set_top(function + 1);
        let inner = self.scopes.of(Node::Stmt(id));
        self.make_function(unit, inner, function, function, [has_defaults, has_keywords, annotations], span);
        // The function comes first for the operation that joins the two.
        let joined = self.asm.push();
        self.asm.push();
        self.emit(I::Move { dst: reg(joined), src: reg(function) }, span);
        self.emit(I::Move { dst: reg(joined + 1), src: reg(params) }, span);
        let k = Intrinsic::SetFunctionTypeParams as u8;
        self.emit(I::Intrinsic2 { dst: reg(joined), base: reg(joined), k }, span);
        self.emit(I::Return { src: reg(joined) }, span);
        self.asm.end_of_flow();
        let n_positional = u16::from(has_defaults) + u16::from(has_keywords);
        let unit = self.leave_type_params(name, first_line, n_positional)?;
        // The function that makes it stands below its arguments.
        let argc = n_positional;
        self.make_function(unit, scope, base, base, [false; 3], span);
        self.emit(I::Call { base: reg(base), argc, names: 0 }, span);
        self.asm.set_top(base + 1);
        Ok(())
    }

    pub(super) fn enter_type_params(&mut self, name: Name, scope: ScopeId) {
        let text = format!("<generic parameters of {}>", self.names.text(name));
        let text = self.names.intern(&text);
        let qualname = self.qualify(text, false);
        self.enter(scope, qualname);
        for parameter in 0..2 {
            self.asm.set_bound(parameter);
        }
    }

    pub(super) fn leave_type_params(&mut self, name: Name, first_line: u32, n_positional: u16) -> Result<Arc<Unit>> {
        let flags = UnitFlags { is_function: true, future_annotations: self.future_annotations, ..UnitFlags::default() };
        let header = Header {
            name: format!("<generic parameters of {}>", self.names.text(name)).into(),
            qualname: self.qualname.clone(),
            first_line,
            flags,
            n_positional_only: n_positional,
            n_positional,
            n_keyword_only: 0,
        };
        self.leave(header)
    }

    /// The tuple of defaults and the dict of keyword defaults, in new temporaries, where there are any.
    fn defaults(&mut self, arguments: Arguments, span: Span) -> Result<[bool; 2]> {
        let defaults = self.ast.list(arguments.defaults);
        if !defaults.is_empty() {
            let dst = self.asm.top;
            let constants: Option<Box<[Constant]>> = defaults.iter().map(|&default| self.fold(default)).collect();
            match constants {
                Some(items) => self.load_const(Constant::Tuple(items), dst, span),
                None => self.display(super::expression::Display::Tuple, defaults, dst, span)?,
            }
            self.asm.push();
        }
        let base = self.asm.top;
        let mut count = 0;
        for (arg, default) in self.ast.list(arguments.kwonlyargs).iter().zip(self.ast.list(arguments.kw_defaults)) {
            if let Some(default) = *default {
                let key = self.asm.push();
                let name = self.name(arg.arg);
                let text = self.names.shared(name);
                self.load_const(Constant::Str(text), key, span);
                self.temp(default)?;
                count += 1;
            }
        }
        if count > 0 {
            self.emit(I::BuildDict { dst: reg(base), base: reg(base), count }, span);
            self.asm.set_top(base + 1);
        }
        Ok([!defaults.is_empty(), count > 0])
    }

    /// The dict of annotations, in a new temporary, if there are any.
    fn annotations(&mut self, arguments: Arguments, returns: Option<ExprId>, span: Span) -> Result<bool> {
        let ast = self.ast;
        let base = self.asm.top;
        let mut count = 0;
        let lists = [arguments.args, arguments.posonlyargs];
        let varargs = arguments.vararg;
        let plain = lists.into_iter().flat_map(|list| ast.list(list).iter().copied());
        let rest = ast.list(arguments.kwonlyargs).iter().copied().chain(arguments.kwarg);
        for arg in plain.chain(varargs).chain(rest) {
            let Some(annotation) = arg.annotation else { continue };
            let name = self.name(arg.arg);
            let text = self.names.shared(name);
            self.annotation_pair(text, annotation, span)?;
            count += 1;
        }
        if let Some(annotation) = returns {
            self.annotation_pair("return".into(), annotation, span)?;
            count += 1;
        }
        if count > 0 {
            self.emit(I::BuildDict { dst: reg(base), base: reg(base), count }, span);
            self.asm.set_top(base + 1);
        }
        Ok(count > 0)
    }

    fn annotation_pair(&mut self, name: Symbol, annotation: ExprId, span: Span) -> Result {
        let key = self.asm.push();
        self.load_const(Constant::Str(name), key, span);
        self.annotation(annotation)
    }

    /// The value of an annotation in a new temporary.
    pub(super) fn annotation(&mut self, annotation: ExprId) -> Result {
        let node = self.ast.expr(annotation);
        if self.future_annotations {
            let text = super::unparse::unparse(self.ast, annotation);
            let dst = self.asm.push();
            self.load_const(Constant::Str(text.into()), dst, node.span);
            return Ok(());
        }
        if let Expr::Starred { value, .. } = node.kind {
            // `*args: *Ts` is the only item of `Ts`.
            let register = self.temp(value)?;
            self.emit(I::UnpackSequence { base: reg(register), src: reg(register), count: 1 }, node.span);
            return Ok(());
        }
        self.temp(annotation).map(drop)
    }

    /// The body of a function.
    fn function_unit(&mut self, id: StmtId, name: Name, first_line: u32) -> Result<Arc<Unit>> {
        let Stmt::FunctionDef { is_async, args, body, .. } = self.ast.stmt(id).kind else {
            return Err(Failure::syntax("not a function", self.ast.stmt(id).span));
        };
        let arguments = self.ast.arguments(args);
        let scope = self.scopes.of(Node::Stmt(id));
        let qualname = self.qualify(name, true);
        self.enter(scope, qualname);
        let positional = self.enter_parameters(arguments);
        let statements = self.ast.list(body);
        let docstring = self.docstring(body);
        let has_docstring = docstring.is_some();
        if let Some(docstring) = docstring {
            self.asm.constant(docstring);
        }
        self.statements(&statements[usize::from(has_docstring)..])?;
        self.return_none(super::NOWHERE);
        let has_yield = self.scopes[scope].has_yield;
        let flags = UnitFlags {
            is_function: true,
            has_varargs: arguments.vararg.is_some(),
            has_varkeywords: arguments.kwarg.is_some(),
            is_generator: has_yield && !is_async,
            is_coroutine: is_async && !has_yield,
            is_async_generator: is_async && has_yield,
            has_docstring,
            future_annotations: self.future_annotations,
            ..UnitFlags::default()
        };
        self.leave_function(name, first_line, flags, arguments, positional)
    }

    /// Notes the parameters, which are bound from the start; the result is what to give back to [`Self::leave_function`].
    fn enter_parameters(&mut self, arguments: Arguments) -> u32 {
        let n_positional = arguments.posonlyargs.len() + arguments.args.len();
        let n_parameters =
            n_positional + arguments.kwonlyargs.len() + usize::from(arguments.vararg.is_some()) + usize::from(arguments.kwarg.is_some());
        for register in 0..n_parameters as u32 {
            self.asm.set_bound(register);
        }
        std::mem::replace(&mut self.positional_parameters, n_positional as u32)
    }

    fn leave_function(&mut self, name: Name, first_line: u32, flags: UnitFlags, arguments: Arguments, outer_positional: u32) -> Result<Arc<Unit>> {
        self.positional_parameters = outer_positional;
        let header = Header {
            name: self.names.shared(name),
            qualname: self.qualname.clone(),
            first_line,
            flags,
            n_positional_only: arguments.posonlyargs.len() as u16,
            n_positional: (arguments.posonlyargs.len() + arguments.args.len()) as u16,
            n_keyword_only: arguments.kwonlyargs.len() as u16,
        };
        self.leave(header)
    }

    /// `lambda`
    pub(super) fn lambda(&mut self, id: ExprId, args: ArgumentsId, body: ExprId, dst: u32) -> Result {
        let span = self.ast.expr(id).span;
        let arguments = self.ast.arguments(args);
        let mark = self.asm.top;
        let [has_defaults, has_keywords] = self.defaults(arguments, span)?;
        let scope = self.scopes.of(Node::Expr(id));
        let name = self.names.intern("<lambda>");
        let qualname = self.qualify(name, false);
        self.enter(scope, qualname);
        let positional = self.enter_parameters(arguments);
        let value = self.operand(body)?;
        let body_span = self.ast.expr(body).span;
        let is_generator = self.scopes[scope].has_yield;
        self.emit(I::Return { src: reg(value) }, body_span);
        self.asm.end_of_flow();
        let flags = UnitFlags {
            is_function: true,
            has_varargs: arguments.vararg.is_some(),
            has_varkeywords: arguments.kwarg.is_some(),
            is_generator,
            future_annotations: self.future_annotations,
            is_anonymous: true,
            ..UnitFlags::default()
        };
        let unit = self.leave_function(name, self.line(span), flags, arguments, positional)?;
        self.asm.top = mark;
        self.asm.reserve(mark + 1);
        self.make_function(unit, scope, dst, mark, [has_defaults, has_keywords, false], span);
        Ok(())
    }

    /// A function without parameters that returns the value of an expression; it is made in a new temporary.
    pub(super) fn lazy_function(&mut self, node: Node, name: Name, value: ExprId, span: Span) -> Result {
        let scope = self.scopes.of(node);
        let qualname = self.qualify(name, false);
        let dst = self.asm.push();
        self.enter(scope, qualname);
        let positional = std::mem::take(&mut self.positional_parameters);
        let src = match self.ast.expr(value).kind {
            // `*Ts = *default`
            Expr::Starred { value, .. } => {
                let src = self.temp(value)?;
                self.emit(I::UnpackSequence { base: reg(src), src: reg(src), count: 1 }, span);
                src
            }
            _ => self.operand(value)?,
        };
        self.emit(I::Return { src: reg(src) }, span);
        self.asm.end_of_flow();
        let flags = UnitFlags { is_function: true, future_annotations: self.future_annotations, ..UnitFlags::default() };
        let unit = self.leave_function(name, self.line(span), flags, Arguments::default(), positional)?;
        self.make_function(unit, scope, dst, dst, [false; 3], span);
        Ok(())
    }

    /// The docstring of a body, without its indentation.
    pub(super) fn docstring(&self, body: List<StmtId>) -> Option<Constant> {
        if self.optimize > 1 {
            return None;
        }
        let first = *self.ast.list(body).first()?;
        let Stmt::Expr { value } = self.ast.stmt(first).kind else { return None };
        let Expr::Constant(constant @ scrip_grammar::ast::Constant::Str { text, .. }) = self.ast.expr(value).kind else {
            return None;
        };
        match self.ast.text(text) {
            Some(text) => Some(Constant::Str(clean_docstring(text).into())),
            None => Some(self.literal(constant)),
        }
    }
}

/// A docstring as CPython 3.13 keeps it: tabs expanded, the first line's spaces and the other lines' common indentation removed.
pub(super) fn clean_docstring(text: &str) -> String {
    let expanded = expand_tabs(text);
    let mut lines = expanded.split('\n');
    let first = lines.next().unwrap_or_default();
    let indentation = |line: &str| line.len() - line.trim_start_matches(' ').len();
    let margin = lines.clone().filter(|line| !line.trim_start_matches(' ').is_empty()).map(indentation).min().unwrap_or(0);
    let mut cleaned = String::with_capacity(expanded.len());
    cleaned.push_str(first.trim_start_matches(' '));
    for line in lines {
        cleaned.push('\n');
        cleaned.push_str(&line[indentation(line).min(margin)..]);
    }
    cleaned
}

fn expand_tabs(text: &str) -> String {
    let mut expanded = String::with_capacity(text.len());
    let mut column = 0;
    for character in text.chars() {
        match character {
            '\t' => {
                let n_spaces = 8 - column % 8;
                expanded.extend(std::iter::repeat_n(' ', n_spaces));
                column += n_spaces;
            }
            _ => {
                column = if matches!(character, '\n' | '\r') { 0 } else { column + 1 };
                expanded.push(character);
            }
        }
    }
    expanded
}
