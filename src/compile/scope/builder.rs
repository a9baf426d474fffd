//! The first pass over statements: the scopes they open, the names they bind and declare.

use scrip_grammar::ast::{Alias, Arg, Arguments, ArgumentsId, Expr, ExprId, Keyword, List, Root, Span, Stmt, StmtId, TypeParam, TypeParamKind};

use super::{Builder, Node, Scope, ScopeId, ScopeKind, Symbols, flag};
use crate::compile::error::{Failure, Result};
use crate::compile::names::Name;

impl<'a> Builder<'a, '_> {
    pub(super) fn root(&mut self, root: Root) -> Result {
        let id = self.enter(ScopeKind::Module, None);
        debug_assert_eq!(id, ScopeId::ROOT);
        match root {
            Root::Module { body } | Root::Interactive { body } => self.stmts(body),
            Root::Expression { body } => self.expr(body).map(drop),
        }
    }

    // ---- scopes

    pub(super) fn enter(&mut self, kind: ScopeKind, node: Option<Node>) -> ScopeId {
        let id = ScopeId(self.scopes.list.len() as u32);
        let parent = node.map(|_| self.current);
        let mut scope = Scope {
            kind,
            parent,
            inlined: false,
            is_async_def: false,
            has_yield: false,
            has_await: false,
            has_annotations: false,
            sees_class: false,
            needs_class_cell: false,
            needs_class_dict: false,
            is_nested: false,
            free: Vec::new(),
            locals: Vec::new(),
            is_cell: Vec::new(),
            n_own_locals: 0,
            unstable: 0,
            has_walrus: false,
            static_attributes: Vec::new(),
            symbols: Symbols::default(),
            passed: Vec::new(),
            depth: 0,
            in_iterable: 0,
            directives: Vec::new(),
            comprehension_slots: Vec::new(),
        };
        if let Some(parent) = parent {
            let parent = &self.scopes[parent];
            scope.is_nested = parent.is_nested || parent.kind.is_function_like();
            scope.inlined = kind == ScopeKind::Comprehension && !parent.sees_class;
            scope.depth = if parent.inlined { parent.depth + 1 } else { 0 };
            if kind.is_annotation() {
                scope.sees_class = parent.kind == ScopeKind::Class || parent.kind.is_annotation() && parent.sees_class;
            }
        }
        let sees_class = scope.sees_class;
        self.scopes.list.push(scope);
        if let Some(node) = node {
            self.scopes.by_node.insert(node, id);
        }
        self.current = id;
        if sees_class {
            let class_dict = self.scopes.class_dict;
            self.mark(class_dict, flag::USED);
        }
        id
    }

    pub(super) fn scope(&mut self) -> &mut Scope {
        self.scopes.get_mut(self.current)
    }

    pub(super) fn mark(&mut self, name: Name, flags: u16) {
        self.scope().symbols.entry(name).flags |= flags;
    }

    pub(super) fn name(&mut self, id: scrip_grammar::ast::NameId) -> Name {
        let name = self.names.of(id);
        self.names.mangle(self.private, name)
    }

    pub(super) fn assign(&mut self, id: scrip_grammar::ast::NameId, span: Span, flags: u16) -> Result {
        let name = self.name(id);
        let scope = self.scope();
        let is_iteration = flags & flag::ITERATION != 0;
        let symbol = scope.symbols.entry(name);
        if is_iteration && symbol.flags & (flag::GLOBAL | flag::NONLOCAL) != 0 {
            let message = format!("comprehension inner loop cannot rebind assignment expression target '{}'", self.names.text(name));
            return Err(Failure::syntax(message, span));
        }
        symbol.flags |= flags;
        Ok(())
    }

    fn parameter(&mut self, arg: Arg) -> Result {
        let name = self.name(arg.arg);
        if self.scope().symbols.flags(name) & flag::PARAM != 0 {
            let message = format!("duplicate argument '{}' in function definition", self.names.text(name));
            return Err(Failure::syntax(message, arg.span));
        }
        self.mark(name, flag::PARAM);
        Ok(())
    }

    // ---- statements

    fn stmts(&mut self, body: List<StmtId>) -> Result {
        let ast = self.ast;
        ast.list(body).iter().try_for_each(|&id| self.stmt(id))
    }

    pub(super) fn exprs(&mut self, list: List<ExprId>) -> Result<bool> {
        let ast = self.ast;
        let mut all = true;
        for &id in ast.list(list) {
            all &= self.expr(id)?;
        }
        Ok(all)
    }

    pub(super) fn optional(&mut self, expr: Option<ExprId>) -> Result {
        expr.map_or(Ok(()), |expr| self.expr(expr).map(drop))
    }

    fn stmt(&mut self, id: StmtId) -> Result {
        self.stack.check()?;
        let ast = self.ast;
        let node = ast.stmt(id);
        match node.kind {
            Stmt::FunctionDef { .. } => self.function(id)?,
            Stmt::ClassDef { .. } => self.class(id)?,
            Stmt::TypeAlias { .. } => self.type_alias(id)?,
            Stmt::Return { value } => self.optional(value)?,
            Stmt::Delete { targets } => {
                self.exprs(targets)?;
            }
            Stmt::Assign { targets, value } => {
                self.expr(value)?;
                self.exprs(targets)?;
            }
            Stmt::AugAssign { target, value, .. } => {
                match ast.expr(target).kind {
                    // `self.x += 1` does not count among the static attributes.
                    Expr::Attribute { value: object, .. } => {
                        self.expr(object)?;
                    }
                    _ => {
                        self.expr(target)?;
                    }
                }
                self.expr(value)?;
            }
            Stmt::AnnAssign { target, annotation, value, simple } => {
                self.optional(value)?;
                self.annotated_target(target, value.is_some(), simple)?;
                let kind = self.scope().kind;
                if !kind.is_function_like() {
                    if simple {
                        self.scope().has_annotations = true;
                        let annotations = self.names.intern("__annotations__");
                        self.mark(annotations, flag::USED);
                    }
                    self.expr(annotation)?;
                }
            }
            Stmt::For { is_async, target, iter, body, orelse } => {
                if is_async {
                    self.awaits(node.span, "'async for' outside async function")?;
                }
                self.expr(iter)?;
                self.expr(target)?;
                self.stmts(body)?;
                self.stmts(orelse)?;
            }
            Stmt::While { test, body, orelse } => {
                self.expr(test)?;
                self.stmts(body)?;
                self.stmts(orelse)?;
            }
            Stmt::If { .. } => self.if_chain(node.kind)?,
            Stmt::With { is_async, items, body } => {
                if is_async {
                    self.awaits(node.span, "'async with' outside async function")?;
                }
                for item in ast.list(items) {
                    self.expr(item.context_expr)?;
                    self.optional(item.optional_vars)?;
                }
                self.stmts(body)?;
            }
            Stmt::Match { subject, cases } => {
                self.expr(subject)?;
                for case in ast.list(cases) {
                    self.pattern(case.pattern)?;
                    self.optional(case.guard)?;
                    self.stmts(case.body)?;
                }
            }
            Stmt::Raise { exc, cause } => {
                self.optional(exc)?;
                self.optional(cause)?;
            }
            Stmt::Try { body, handlers, orelse, finalbody, .. } => {
                self.stmts(body)?;
                for handler in ast.list(handlers) {
                    self.optional(handler.type_)?;
                    if let Some(name) = handler.name {
                        self.assign(name, handler.span, flag::LOCAL | flag::UNSTABLE)?;
                    }
                    self.stmts(handler.body)?;
                }
                self.stmts(orelse)?;
                self.stmts(finalbody)?;
            }
            Stmt::Assert { test, msg } => {
                self.expr(test)?;
                self.optional(msg)?;
            }
            Stmt::Import { names } => {
                for &alias in ast.list(names) {
                    self.imported(alias)?;
                }
            }
            Stmt::ImportFrom { names, .. } => {
                for &alias in ast.list(names) {
                    if ast.name(alias.name) == "*" {
                        if self.scope().kind != ScopeKind::Module {
                            return Err(Failure::syntax("import * only allowed at module level", node.span));
                        }
                        continue;
                    }
                    self.assign(alias.asname.unwrap_or(alias.name), alias.span, flag::LOCAL)?;
                }
            }
            Stmt::Global { names } => self.declare(names, node.span, flag::GLOBAL, "global")?,
            Stmt::Nonlocal { names } => self.declare(names, node.span, flag::NONLOCAL, "nonlocal")?,
            Stmt::Expr { value } => {
                self.expr(value)?;
            }
            Stmt::Pass | Stmt::Break | Stmt::Continue => {}
        }
        Ok(())
    }

    /// An `if` with its `elif`s, which are nested in the tree but not here.
    fn if_chain(&mut self, mut stmt: Stmt) -> Result {
        let ast = self.ast;
        while let Stmt::If { test, body, orelse } = stmt {
            self.expr(test)?;
            self.stmts(body)?;
            match ast.list(orelse) {
                [next] if matches!(ast.stmt(*next).kind, Stmt::If { .. }) => stmt = ast.stmt(*next).kind,
                _ => return self.stmts(orelse),
            }
        }
        Ok(())
    }

    fn imported(&mut self, alias: Alias) -> Result {
        if let Some(name) = alias.asname {
            return self.assign(name, alias.span, flag::LOCAL);
        }
        let text = self.ast.name(alias.name);
        let first = text.split('.').next().unwrap_or(text).to_owned();
        let name = self.names.intern(&first);
        let name = self.names.mangle(self.private, name);
        self.mark(name, flag::LOCAL);
        Ok(())
    }

    fn declare(&mut self, names: List<scrip_grammar::ast::NameId>, span: Span, flags: u16, word: &str) -> Result {
        let ast = self.ast;
        for &id in ast.list(names) {
            let name = self.name(id);
            let old = self.scope().symbols.flags(name);
            let text = self.names.text(name);
            let problem = if old & flag::PARAM != 0 {
                Some(format!("name '{text}' is parameter and {word}"))
            } else if old & flag::USED != 0 {
                Some(format!("name '{text}' is used prior to {word} declaration"))
            } else if old & flag::ANNOTATED != 0 {
                Some(format!("annotated name '{text}' can't be {word}"))
            } else if old & flag::LOCAL != 0 {
                Some(format!("name '{text}' is assigned to before {word} declaration"))
            } else {
                None
            };
            if let Some(message) = problem {
                return Err(Failure::syntax(message, span));
            }
            self.mark(name, flags);
            self.scope().directives.push((name, span));
            if flags == flag::GLOBAL {
                // The module's own code goes to the globals for it, too, whatever its namespace is.
                self.scopes.get_mut(ScopeId::ROOT).symbols.entry(name).flags |= flag::GLOBAL;
            }
        }
        Ok(())
    }

    fn annotated_target(&mut self, target: ExprId, has_value: bool, simple: bool) -> Result {
        let ast = self.ast;
        let node = ast.expr(target);
        match node.kind {
            Expr::Name { id, .. } => {
                let name = self.name(id);
                let kind = self.scope().kind;
                let old = self.scope().symbols.flags(name);
                if simple && kind != ScopeKind::Module && old & (flag::GLOBAL | flag::NONLOCAL) != 0 {
                    let word = if old & flag::GLOBAL != 0 { "global" } else { "nonlocal" };
                    let message = format!("annotated name '{}' can't be {word}", self.names.text(name));
                    return Err(Failure::syntax(message, node.span));
                }
                let annotated = if simple { flag::ANNOTATED } else { 0 };
                if simple || has_value {
                    self.mark(name, flag::LOCAL | annotated);
                }
                Ok(())
            }
            Expr::Attribute { value, .. } if !has_value => self.expr(value).map(drop),
            _ => self.expr(target).map(drop),
        }
    }

    fn function(&mut self, id: StmtId) -> Result {
        let ast = self.ast;
        let Stmt::FunctionDef { is_async, name, args, body, decorator_list, returns, type_params } = ast.stmt(id).kind else {
            return Ok(());
        };
        self.exprs(decorator_list)?;
        self.defaults(args)?;
        let outer = self.current;
        let arguments = ast.arguments(args);
        if !type_params.is_empty() {
            self.enter(ScopeKind::TypeParams, Some(Node::Params(id)));
            if !arguments.defaults.is_empty() {
                let name = self.names.intern(".defaults");
                self.mark(name, flag::PARAM);
            }
            if ast.list(arguments.kw_defaults).iter().any(Option::is_some) {
                let name = self.names.intern(".kwdefaults");
                self.mark(name, flag::PARAM);
            }
            self.type_params(type_params)?;
        }
        self.annotations(arguments, returns)?;
        let around = self.current;
        self.enter(ScopeKind::Function, Some(Node::Stmt(id)));
        self.scope().is_async_def = is_async;
        self.parameters(arguments)?;
        self.stmts(body)?;
        self.current = around;
        self.current = outer;
        self.assign(name, ast.stmt(id).span, flag::LOCAL)
    }

    pub(super) fn parameters(&mut self, arguments: Arguments) -> Result {
        let ast = self.ast;
        for list in [arguments.posonlyargs, arguments.args, arguments.kwonlyargs] {
            for &arg in ast.list(list) {
                self.parameter(arg)?;
            }
        }
        arguments.vararg.map_or(Ok(()), |arg| self.parameter(arg))?;
        arguments.kwarg.map_or(Ok(()), |arg| self.parameter(arg))
    }

    pub(super) fn defaults(&mut self, args: ArgumentsId) -> Result {
        let ast = self.ast;
        let arguments = ast.arguments(args);
        self.exprs(arguments.defaults)?;
        ast.list(arguments.kw_defaults).iter().try_for_each(|&default| self.optional(default))
    }

    fn annotations(&mut self, arguments: Arguments, returns: Option<ExprId>) -> Result {
        let ast = self.ast;
        for list in [arguments.args, arguments.posonlyargs] {
            for arg in ast.list(list) {
                self.optional(arg.annotation)?;
            }
        }
        self.optional(arguments.vararg.and_then(|arg| arg.annotation))?;
        for arg in ast.list(arguments.kwonlyargs) {
            self.optional(arg.annotation)?;
        }
        self.optional(arguments.kwarg.and_then(|arg| arg.annotation))?;
        self.optional(returns)
    }

    fn type_params(&mut self, params: List<TypeParam>) -> Result {
        let ast = self.ast;
        for param in ast.list(params) {
            let name = self.name(param.name);
            if self.scope().symbols.flags(name) & flag::TYPE_PARAM != 0 {
                let message = format!("duplicate type parameter '{}'", self.names.text(name));
                return Err(Failure::syntax(message, param.span));
            }
            self.mark(name, flag::TYPE_PARAM);
            if let TypeParamKind::TypeVar { bound: Some(bound) } = param.kind {
                self.lazy(Node::Bound(param.span.start), bound)?;
            }
            if let Some(default) = param.default_value {
                self.lazy(Node::Default(param.span.start), default)?;
            }
        }
        Ok(())
    }

    /// An expression that is evaluated when it is asked for.
    fn lazy(&mut self, node: Node, value: ExprId) -> Result {
        let outer = self.current;
        self.enter(ScopeKind::TypeVarBound, Some(node));
        self.expr(value)?;
        self.current = outer;
        Ok(())
    }

    fn class(&mut self, id: StmtId) -> Result {
        let ast = self.ast;
        let Stmt::ClassDef { name, bases, keywords, body, decorator_list, type_params } = ast.stmt(id).kind else {
            return Ok(());
        };
        self.exprs(decorator_list)?;
        let outer = self.current;
        let outer_private = self.private;
        let class_name = self.names.of(name);
        if !type_params.is_empty() {
            self.enter(ScopeKind::TypeParams, Some(Node::Params(id)));
            self.private = Some(class_name);
            self.type_params(type_params)?;
            self.private = outer_private;
            for text in [".type_params", ".generic_base"] {
                let name = self.names.intern(text);
                self.mark(name, flag::LOCAL);
            }
        }
        let around = self.current;
        // The body is compiled before the bases are, as `__build_class__` takes it first.
        self.enter(ScopeKind::Class, Some(Node::Stmt(id)));
        self.private = Some(class_name);
        if !type_params.is_empty() {
            let name = self.names.intern(".type_params");
            self.mark(name, flag::USED);
        }
        self.stmts(body)?;
        self.private = outer_private;
        self.current = around;
        self.exprs(bases)?;
        self.keywords(keywords)?;
        self.current = outer;
        self.assign(name, ast.stmt(id).span, flag::LOCAL)
    }

    pub(super) fn keywords(&mut self, keywords: List<Keyword>) -> Result {
        let ast = self.ast;
        ast.list(keywords).iter().try_for_each(|keyword| self.expr(keyword.value).map(drop))
    }

    fn type_alias(&mut self, id: StmtId) -> Result {
        let ast = self.ast;
        let Stmt::TypeAlias { name, type_params, value } = ast.stmt(id).kind else { return Ok(()) };
        let outer = self.current;
        if !type_params.is_empty() {
            self.enter(ScopeKind::TypeParams, Some(Node::Params(id)));
            self.type_params(type_params)?;
        }
        self.enter(ScopeKind::TypeAlias, Some(Node::Stmt(id)));
        self.expr(value)?;
        self.current = outer;
        self.expr(name).map(drop)
    }
}
