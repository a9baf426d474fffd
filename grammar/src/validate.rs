//! What the grammar cannot say, checked on the finished tree: scopes (as CPython's symbol table
//! finds them) and what its compiler refuses. Nothing of this needs to compile.
//!
//! CPython looks for the faults of names in the whole program before it compiles anything, so those
//! come first here, too: the first fault of the other kind waits until the walk is done.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use crate::Options;
use crate::ast::{
    Alias, Arg, ArgumentsId, Ast, Comprehension, Constant, Context, ExceptHandler, Expr, ExprId, ExprNode, Keyword, List, MatchCase, NameId, Pattern,
    PatternId, PatternNode, Root, Span, Stmt, StmtId, StmtNode, TypeParam, TypeParamKind, WordHasher,
};
use crate::error::{Fault, Place, SyntaxErrorKind, Warning};
use crate::operator::{CmpOp, UnaryOp};

/// How deep nodes may nest: whoever walks the tree recursively must not run out of stack.
pub(crate) const MAX_DEPTH: usize = 1000;

type Result = std::result::Result<(), Box<Fault>>;

/// What the checks find out about a tree without faults.
#[derive(Debug, Default)]
pub(crate) struct Facts {
    pub(crate) future_annotations: bool,
    /// Where the `__future__` imports at the beginning end.
    futures_end: u32,
    /// Offsets and texts.
    pub(crate) warnings: Vec<Warning>,
}

/// Checks a tree.
pub(crate) fn validate(ast: &Ast, root: Root, options: Options) -> std::result::Result<Facts, Box<Fault>> {
    let mut checker = Checker {
        ast,
        top_level_await: options.top_level_await,
        scopes: vec![Scope::new(ScopeKind::Module, None)],
        scope: 0,
        symbols: HashMap::default(),
        declarations: Vec::new(),
        jumps: Jumps::default(),
        late: None,
        depth: 0,
        max_depth: if options.max_depth == 0 { MAX_DEPTH } else { options.max_depth },
        scope_depth: 0,
        // A part of it, since others walk the tree too.
        lowest: crate::lowest_address(options.stack_bytes / 4),
        facts: Facts::default(),
    };
    match root {
        Root::Module { body } | Root::Interactive { body } => {
            checker.futures(body)?;
            checker.stmts(body)?;
        }
        Root::Expression { body } => checker.expr(body)?,
    }
    if options.tree_only {
        return Ok(checker.facts);
    }
    checker.bind_nonlocals()?;
    match checker.late {
        Some(fault) => Err(fault),
        None => Ok(checker.facts),
    }
}

/// Where names live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ScopeKind {
    Module,
    Function {
        is_async: bool,
    },
    Class,
    /// The name is for messages.
    Comprehension(&'static str),
    /// The type parameters of a function or class, around it.
    TypeParams,
    /// The bound or default of a type parameter, or the value of a type alias.
    Lazy(&'static str),
    /// An annotation that is not evaluated.
    Annotation,
}

#[derive(Debug)]
struct Scope {
    kind: ScopeKind,
    parent: Option<usize>,
    /// Within how many iterables of comprehensions the walk is.
    iterables: u32,
    /// Whether the walk is in the target of a comprehension's loop.
    in_target: bool,
    coroutine: bool,
    generator: bool,
    /// A `return` with a value.
    returns_value: Option<Span>,
}

impl Scope {
    fn new(kind: ScopeKind, parent: Option<usize>) -> Self {
        let coroutine = kind == ScopeKind::Function { is_async: true };
        Self { kind, parent, iterables: 0, in_target: false, coroutine, generator: false, returns_value: None }
    }

    /// Whether `yield` and `return` have a function to leave.
    fn is_function_like(&self) -> bool {
        !matches!(self.kind, ScopeKind::Module | ScopeKind::Class)
    }
}

// What a scope does with a name.
const USED: u16 = 1;
const LOCAL: u16 = 1 << 1;
const PARAM: u16 = 1 << 2;
const GLOBAL: u16 = 1 << 3;
const NONLOCAL: u16 = 1 << 4;
const ANNOTATED: u16 = 1 << 5;
const IMPORTED: u16 = 1 << 6;
const LOOP_TARGET: u16 = 1 << 7;
const TYPE_PARAM: u16 = 1 << 8;

/// What `break`, `continue` and `return` would leave.
#[derive(Debug, Clone, Copy, Default)]
struct Jumps {
    /// A loop encloses the statement, with no `except*` in between.
    in_loop: bool,
    /// An `except*` encloses it, with no loop in between.
    in_star: bool,
    /// An `except*` encloses it in its function.
    any_star: bool,
}

fn too_deep() -> Box<Fault> {
    let mut fault = Fault::at("maximum recursion depth exceeded during compilation", Span::default());
    fault.kind = SyntaxErrorKind::Recursion;
    fault
}

struct Checker<'a> {
    ast: &'a Ast,
    top_level_await: bool,
    scopes: Vec<Scope>,
    scope: usize,
    symbols: HashMap<u64, u16, BuildHasherDefault<WordHasher>>,
    /// The names of `global` and `nonlocal` statements.
    declarations: Vec<(usize, NameId, Span)>,
    jumps: Jumps,
    /// The first fault that CPython's compiler would find.
    late: Option<Box<Fault>>,
    depth: usize,
    max_depth: usize,
    /// How many definitions stand within each other.
    scope_depth: usize,
    /// The lowest address that the native stack may reach.
    lowest: usize,
    facts: Facts,
}

impl Checker<'_> {
    fn late(&mut self, message: impl Into<String>, span: Span) {
        if self.late.is_none() {
            self.late = Some(Fault::at(message, span));
        }
    }

    fn warn(&mut self, message: impl Into<String>, span: Span) {
        self.facts.warnings.push(Warning::of_node(message, span));
    }

    fn current(&mut self) -> &mut Scope {
        &mut self.scopes[self.scope]
    }

    fn name(&self, id: NameId) -> &str {
        self.ast.name(id)
    }

    fn key(scope: usize, name: NameId) -> u64 {
        (scope as u64) << 32 | name.index() as u64
    }

    fn flags(&self, scope: usize, name: NameId) -> u16 {
        self.symbols.get(&Self::key(scope, name)).copied().unwrap_or(0)
    }

    fn mark(&mut self, scope: usize, name: NameId, flags: u16) {
        *self.symbols.entry(Self::key(scope, name)).or_default() |= flags;
    }

    /// The current scope binds a name.
    fn bind(&mut self, name: NameId, flags: u16, span: Span) -> Result {
        let old = self.flags(self.scope, name);
        let mut flags = flags;
        if flags & PARAM != 0 && old & PARAM != 0 {
            let message = format!("duplicate argument '{}' in function definition", self.name(name));
            return Err(Fault::at(message, span));
        }
        if flags & TYPE_PARAM != 0 && old & TYPE_PARAM != 0 {
            let message = format!("duplicate type parameter '{}'", self.name(name));
            return Err(Fault::at(message, span));
        }
        if self.scopes[self.scope].in_target && flags & LOCAL != 0 {
            if old & (GLOBAL | NONLOCAL) != 0 {
                let message = format!("comprehension inner loop cannot rebind assignment expression target '{}'", self.name(name));
                return Err(Fault::at(message, span));
            }
            flags |= LOOP_TARGET;
        }
        if self.name(name) == "__debug__" && flags & (LOCAL | PARAM | IMPORTED) != 0 {
            self.late("cannot assign to __debug__", span);
        }
        self.mark(self.scope, name, flags);
        Ok(())
    }

    /// Walks in a new scope.
    fn within(&mut self, kind: ScopeKind, walk: impl FnOnce(&mut Self) -> Result) -> Result {
        if self.scope_depth >= MAX_DEPTH {
            return Err(too_deep());
        }
        self.scope_depth += 1;
        let outer = self.scope;
        let mut scope = Scope::new(kind, Some(outer));
        scope.iterables = self.scopes[outer].iterables;
        self.scopes.push(scope);
        self.scope = self.scopes.len() - 1;
        let result = walk(self);
        self.scope = outer;
        self.scope_depth -= 1;
        result
    }

    /// Walks one level deeper.
    fn deeper(&mut self, walk: impl FnOnce(&mut Self) -> Result) -> Result {
        if self.depth >= self.max_depth || crate::stack_address() < self.lowest {
            return Err(too_deep());
        }
        self.depth += 1;
        let result = walk(self);
        self.depth -= 1;
        result
    }

    /// The `__future__` imports, which stand first, but for a docstring.
    fn futures(&mut self, body: List<StmtId>) -> Result {
        let mut first = true;
        for &id in self.ast.list(body) {
            let node = self.ast.stmt(id);
            match node.kind {
                Stmt::Expr { value } if first && matches!(self.ast.expr(value).kind, Expr::Constant(Constant::Str { .. })) => {}
                Stmt::ImportFrom { module: Some(module), names, level: 0 } if self.name(module) == "__future__" => {
                    self.facts.futures_end = node.span.end;
                    for alias in self.ast.list(names) {
                        match self.name(alias.name) {
                            "annotations" => self.facts.future_annotations = true,
                            "nested_scopes" | "generators" | "division" | "absolute_import" | "with_statement" | "print_function"
                            | "unicode_literals" | "barry_as_FLUFL" | "generator_stop" => {}
                            "braces" => {
                                let place = Place::start(node.span.start);
                                return Err(Fault::new("not a chance", place));
                            }
                            name => {
                                let message = format!("future feature {name} is not defined");
                                return Err(Fault::new(message, Place::start(node.span.start)));
                            }
                        }
                    }
                }
                _ => break,
            }
            first = false;
        }
        Ok(())
    }

    fn stmts(&mut self, list: List<StmtId>) -> Result {
        self.ast.list(list).iter().try_for_each(|&id| self.stmt(id))
    }

    fn exprs(&mut self, list: List<ExprId>) -> Result {
        self.ast.list(list).iter().try_for_each(|&id| self.expr(id))
    }

    /// Expressions among which starred ones are welcome.
    fn items(&mut self, list: List<ExprId>) -> Result {
        self.ast.list(list).iter().try_for_each(|&id| self.item(id))
    }

    fn item(&mut self, id: ExprId) -> Result {
        match self.ast.expr(id).kind {
            Expr::Starred { value, .. } => self.expr(value),
            _ => self.expr(id),
        }
    }

    fn optional(&mut self, id: Option<ExprId>) -> Result {
        id.map_or(Ok(()), |id| self.expr(id))
    }

    fn stmt(&mut self, id: StmtId) -> Result {
        self.deeper(|checker| checker.stmt_kind(id))
    }

    fn stmt_kind(&mut self, id: StmtId) -> Result {
        let StmtNode { kind, span } = self.ast.stmt(id);
        match kind {
            Stmt::FunctionDef { .. } => self.function(kind, span),
            Stmt::ClassDef { .. } => self.class(kind, span),
            Stmt::Return { value } => self.return_(value, span),
            Stmt::Delete { targets } => self.exprs(targets),
            Stmt::Assign { targets, value } => {
                self.exprs(targets)?;
                self.expr(value)
            }
            Stmt::TypeAlias { name, type_params, value } => {
                self.expr(name)?;
                self.generic(type_params, |checker| checker.within(ScopeKind::Lazy("a type alias"), |checker| checker.expr(value)))
            }
            Stmt::AugAssign { target, value, .. } => {
                self.expr(target)?;
                self.expr(value)
            }
            Stmt::AnnAssign { target, annotation, value, simple } => self.ann_assign(target, annotation, value, simple, span),
            Stmt::For { is_async, target, iter, body, orelse } => {
                if is_async {
                    self.needs_async("'async for' outside async function", span);
                }
                self.expr(target)?;
                self.expr(iter)?;
                self.loop_(body, orelse)
            }
            Stmt::While { test, body, orelse } => {
                self.expr(test)?;
                self.loop_(body, orelse)
            }
            Stmt::If { test, body, orelse } => {
                self.expr(test)?;
                self.stmts(body)?;
                self.stmts(orelse)
            }
            Stmt::With { is_async, items, body } => {
                if is_async {
                    self.needs_async("'async with' outside async function", span);
                }
                for item in self.ast.list(items) {
                    self.expr(item.context_expr)?;
                    self.optional(item.optional_vars)?;
                }
                self.stmts(body)
            }
            Stmt::Match { subject, cases } => self.match_(subject, cases),
            Stmt::Raise { exc, cause } => {
                self.optional(exc)?;
                self.optional(cause)
            }
            Stmt::Try { is_star, body, handlers, orelse, finalbody } => {
                self.stmts(body)?;
                self.handlers(is_star, handlers)?;
                self.stmts(orelse)?;
                self.stmts(finalbody)
            }
            Stmt::Assert { test, msg } => {
                if let Expr::Tuple { elts, .. } = self.ast.expr(test).kind
                    && !elts.is_empty()
                {
                    self.warn("assertion is always true, perhaps remove parentheses?", span);
                }
                self.expr(test)?;
                self.optional(msg)
            }
            Stmt::Import { names } => {
                for alias in self.ast.list(names) {
                    let bound = alias.asname.unwrap_or_else(|| self.first_part(alias.name));
                    self.bind(bound, IMPORTED, span)?;
                }
                Ok(())
            }
            Stmt::ImportFrom { module, names, level } => self.import_from(module, names, level, span),
            Stmt::Global { names } => self.global(names, span),
            Stmt::Nonlocal { names } => self.nonlocal(names, span),
            Stmt::Expr { value } => self.expr(value),
            Stmt::Pass => Ok(()),
            Stmt::Break => {
                if self.jumps.in_star {
                    self.star_jump(span);
                } else if !self.jumps.in_loop {
                    self.late("'break' outside loop", span);
                }
                Ok(())
            }
            Stmt::Continue => {
                if self.jumps.in_star {
                    self.star_jump(span);
                } else if !self.jumps.in_loop {
                    self.late("'continue' not properly in loop", span);
                }
                Ok(())
            }
        }
    }

    fn star_jump(&mut self, span: Span) {
        let message = "'break', 'continue' and 'return' cannot appear in an except* block";
        self.late(message, span);
    }

    /// `a` of `a.b.c`, which `import a.b.c` binds.
    fn first_part(&self, name: NameId) -> NameId {
        let text = self.name(name);
        let first = text.split('.').next().unwrap_or(text);
        // A part that occurs nowhere else has no id; then nothing can clash with it either.
        self.ast.find_name(first).unwrap_or(name)
    }

    fn import_from(&mut self, module: Option<NameId>, names: List<Alias>, level: u32, span: Span) -> Result {
        let future = level == 0 && module.is_some_and(|module| self.name(module) == "__future__");
        if future && !self.is_early(span) {
            let message = "from __future__ imports must occur at the beginning of the file";
            self.late(message, span);
        }
        for alias in self.ast.list(names) {
            if self.name(alias.name) == "*" {
                if self.scopes[self.scope].kind != ScopeKind::Module {
                    return Err(Fault::at("import * only allowed at module level", alias.span));
                }
                continue;
            }
            self.bind(alias.asname.unwrap_or(alias.name), IMPORTED, span)?;
        }
        Ok(())
    }

    /// Whether a `__future__` import is one of those that [`Self::futures`] has seen.
    fn is_early(&self, span: Span) -> bool {
        span.end <= self.facts.futures_end
    }

    fn loop_(&mut self, body: List<StmtId>, orelse: List<StmtId>) -> Result {
        let outer = self.jumps;
        self.jumps = Jumps { in_loop: true, in_star: false, ..outer };
        let result = self.stmts(body);
        self.jumps = outer;
        result?;
        self.stmts(orelse)
    }

    fn handlers(&mut self, is_star: bool, handlers: List<ExceptHandler>) -> Result {
        let last = handlers.len().saturating_sub(1);
        for (index, handler) in self.ast.list(handlers).iter().enumerate() {
            if handler.type_.is_none() && index != last {
                self.late("default 'except:' must be last", handler.span);
            }
            self.optional(handler.type_)?;
            if let Some(name) = handler.name {
                self.bind(name, LOCAL, handler.span)?;
            }
            let outer = self.jumps;
            if is_star {
                self.jumps = Jumps { in_loop: false, in_star: true, any_star: true };
            }
            let result = self.stmts(handler.body);
            self.jumps = outer;
            result?;
        }
        Ok(())
    }

    fn return_(&mut self, value: Option<ExprId>, span: Span) -> Result {
        self.optional(value)?;
        if !self.scopes[self.scope].is_function_like() {
            self.late("'return' outside function", span);
        } else if self.jumps.any_star {
            // CPython places it at a constant that is returned, else at the statement.
            let constant = value.map(|value| self.ast.expr(value)).filter(|node| matches!(node.kind, Expr::Constant(_)));
            self.star_jump(constant.map_or(span, |node| node.span));
        }
        if value.is_some() {
            self.current().returns_value.get_or_insert(span);
        }
        Ok(())
    }

    fn function(&mut self, kind: Stmt, span: Span) -> Result {
        let Stmt::FunctionDef { is_async, name, args, body, decorator_list, returns, type_params } = kind else {
            return Ok(());
        };
        self.bind(name, LOCAL, span)?;
        self.exprs(decorator_list)?;
        self.defaults(args)?;
        self.generic(type_params, |checker| {
            checker.annotations(args, returns)?;
            checker.function_body(ScopeKind::Function { is_async }, args, |checker| checker.stmts(body))
        })
    }

    fn function_body(&mut self, kind: ScopeKind, args: ArgumentsId, walk: impl FnOnce(&mut Self) -> Result) -> Result {
        let jumps = std::mem::take(&mut self.jumps);
        let result = self.within(kind, |checker| {
            checker.params(args)?;
            walk(checker)?;
            let scope = checker.current();
            if scope.generator
                && scope.kind == (ScopeKind::Function { is_async: true })
                && let Some(span) = scope.returns_value
            {
                checker.late("'return' with value in async generator", span);
            }
            Ok(())
        });
        self.jumps = jumps;
        result
    }

    fn params(&mut self, args: ArgumentsId) -> Result {
        let arguments = self.ast.arguments(args);
        let lists = [arguments.posonlyargs, arguments.args, arguments.kwonlyargs];
        for arg in lists.into_iter().flat_map(|list| self.ast.list(list)) {
            self.bind(arg.arg, PARAM, arg.span)?;
        }
        for arg in [arguments.vararg, arguments.kwarg].into_iter().flatten() {
            self.bind(arg.arg, PARAM, arg.span)?;
        }
        Ok(())
    }

    fn defaults(&mut self, args: ArgumentsId) -> Result {
        let arguments = self.ast.arguments(args);
        self.exprs(arguments.defaults)?;
        for &default in self.ast.list(arguments.kw_defaults) {
            self.optional(default)?;
        }
        Ok(())
    }

    fn annotations(&mut self, args: ArgumentsId, returns: Option<ExprId>) -> Result {
        let arguments = self.ast.arguments(args);
        for list in [arguments.posonlyargs, arguments.args, arguments.kwonlyargs] {
            for arg in self.ast.list(list) {
                self.annotation(arg.annotation)?;
            }
        }
        if let Some(Arg { annotation: Some(annotation), .. }) = arguments.vararg {
            // `*args: *Ts` is the one annotation that may have a star.
            let value = match self.ast.expr(annotation).kind {
                Expr::Starred { value, .. } => value,
                _ => annotation,
            };
            self.annotation(Some(value))?;
        }
        if let Some(arg) = arguments.kwarg {
            self.annotation(arg.annotation)?;
        }
        self.annotation(returns)
    }

    fn annotation(&mut self, annotation: Option<ExprId>) -> Result {
        if self.facts.future_annotations {
            return self.within(ScopeKind::Annotation, |checker| checker.optional(annotation));
        }
        self.optional(annotation)
    }

    fn ann_assign(&mut self, target: ExprId, annotation: ExprId, value: Option<ExprId>, simple: bool, span: Span) -> Result {
        if let ExprNode { kind: Expr::Name { id, .. }, span: at } = self.ast.expr(target) {
            let flags = self.flags(self.scope, id);
            if simple && self.scope != 0 && flags & (GLOBAL | NONLOCAL) != 0 {
                let kind = if flags & GLOBAL != 0 { "global" } else { "nonlocal" };
                let message = format!("annotated name '{}' can't be {kind}", self.name(id));
                return Err(Fault::at(message, span));
            }
            if simple {
                self.bind(id, ANNOTATED | LOCAL, at)?;
            } else if value.is_some() {
                self.bind(id, LOCAL, at)?;
            }
        } else {
            self.expr(target)?;
        }
        self.annotation(Some(annotation))?;
        // Unlike in an assignment, a starred item needs its tuple here, too: it has one.
        self.optional(value)
    }

    /// What has type parameters is walked inside their scope.
    fn generic(&mut self, params: List<TypeParam>, walk: impl FnOnce(&mut Self) -> Result) -> Result {
        if params.is_empty() {
            return walk(self);
        }
        self.within(ScopeKind::TypeParams, |checker| {
            let mut with_default = false;
            for param in checker.ast.list(params) {
                if with_default && param.default_value.is_none() {
                    let name = checker.name(param.name);
                    let message = format!("non-default type parameter '{name}' follows default type parameter");
                    checker.late(message, param.span);
                }
                with_default |= param.default_value.is_some();
                checker.bind(param.name, TYPE_PARAM | LOCAL, param.span)?;
                if let TypeParamKind::TypeVar { bound: Some(bound) } = param.kind {
                    let what = match checker.ast.expr(bound).kind {
                        Expr::Tuple { .. } => "a TypeVar constraint",
                        _ => "a TypeVar bound",
                    };
                    checker.within(ScopeKind::Lazy(what), |checker| checker.expr(bound))?;
                }
                if let Some(default) = param.default_value {
                    let what = match param.kind {
                        TypeParamKind::TypeVar { .. } => "a TypeVar default",
                        TypeParamKind::ParamSpec => "a ParamSpec default",
                        TypeParamKind::TypeVarTuple => "a TypeVarTuple default",
                    };
                    checker.within(ScopeKind::Lazy(what), |checker| checker.item(default))?;
                }
            }
            walk(checker)
        })
    }

    fn class(&mut self, kind: Stmt, span: Span) -> Result {
        let Stmt::ClassDef { name, bases, keywords, body, decorator_list, type_params } = kind else {
            return Ok(());
        };
        self.bind(name, LOCAL, span)?;
        self.exprs(decorator_list)?;
        self.generic(type_params, |checker| {
            checker.items(bases)?;
            checker.keywords(keywords)?;
            let jumps = std::mem::take(&mut checker.jumps);
            let result = checker.within(ScopeKind::Class, |checker| checker.stmts(body));
            checker.jumps = jumps;
            result
        })
    }

    fn keywords(&mut self, keywords: List<Keyword>) -> Result {
        let list = self.ast.list(keywords);
        for (index, keyword) in list.iter().enumerate() {
            if let Some(arg) = keyword.arg {
                if list[..index].iter().any(|other| other.arg == Some(arg)) {
                    let message = format!("keyword argument repeated: {}", self.name(arg));
                    self.late(message, keyword.span);
                }
                if self.name(arg) == "__debug__" {
                    self.late("cannot assign to __debug__", keyword.span);
                }
            }
            self.expr(keyword.value)?;
        }
        Ok(())
    }

    fn global(&mut self, names: List<NameId>, span: Span) -> Result {
        for &name in self.ast.list(names) {
            self.declare(name, "global", span)?;
            self.mark(self.scope, name, GLOBAL);
            self.declarations.push((self.scope, name, span));
        }
        Ok(())
    }

    fn nonlocal(&mut self, names: List<NameId>, span: Span) -> Result {
        for &name in self.ast.list(names) {
            self.declare(name, "nonlocal", span)?;
            self.mark(self.scope, name, NONLOCAL);
            self.declarations.push((self.scope, name, span));
        }
        Ok(())
    }

    /// A declaration must come before its name occurs.
    fn declare(&mut self, name: NameId, kind: &str, span: Span) -> Result {
        let flags = self.flags(self.scope, name);
        let name = self.name(name);
        let message = if flags & PARAM != 0 {
            format!("name '{name}' is parameter and {kind}")
        } else if flags & USED != 0 {
            format!("name '{name}' is used prior to {kind} declaration")
        } else if flags & ANNOTATED != 0 {
            format!("annotated name '{name}' can't be {kind}")
        } else if flags & LOCAL != 0 {
            format!("name '{name}' is assigned to before {kind} declaration")
        } else {
            return Ok(());
        };
        Err(Fault::at(message, span))
    }

    /// Finds each nonlocal name in the functions around it.
    fn bind_nonlocals(&self) -> Result {
        for &(scope, name, span) in &self.declarations {
            let text = self.name(name);
            if self.flags(scope, name) & NONLOCAL == 0 {
                continue;
            }
            if self.scopes[scope].kind == ScopeKind::Module {
                let message = "nonlocal declaration not allowed at module level";
                return Err(Fault::at(message, span));
            }
            if self.flags(scope, name) & GLOBAL != 0 {
                return Err(Fault::at(format!("name '{text}' is nonlocal and global"), span));
            }
            let mut outer = self.scopes[scope].parent;
            let found = loop {
                let Some(index) = outer else { break false };
                let flags = self.flags(index, name);
                match self.scopes[index].kind {
                    ScopeKind::Module => break false,
                    // The cell that `super()` without arguments reads.
                    ScopeKind::Class if text == "__class__" => break true,
                    ScopeKind::Class => {}
                    _ if flags & TYPE_PARAM != 0 => {
                        let message = format!("nonlocal binding not allowed for type parameter '{text}'");
                        return Err(Fault::at(message, span));
                    }
                    _ if flags & GLOBAL != 0 => break false,
                    _ if flags & NONLOCAL != 0 => {}
                    _ if flags & (LOCAL | PARAM | IMPORTED) != 0 => break true,
                    _ => {}
                }
                outer = self.scopes[index].parent;
            };
            if !found {
                return Err(Fault::at(format!("no binding for nonlocal '{text}' found"), span));
            }
        }
        Ok(())
    }

    /// Whether the module's own code may await.
    fn top_level_await(&self) -> bool {
        self.top_level_await && self.scopes[self.scope].kind == ScopeKind::Module
    }

    fn needs_async(&mut self, message: &'static str, span: Span) {
        let kind = self.scopes[self.scope].kind;
        if kind != (ScopeKind::Function { is_async: true }) && !self.top_level_await() {
            self.late(message, span);
        }
    }

    // Expressions

    fn expr(&mut self, id: ExprId) -> Result {
        let ExprNode { kind, span } = self.ast.expr(id);
        // The leaves first: they are half of all, and need no care for the depth.
        match kind {
            Expr::Constant(_) => return Ok(()),
            Expr::Name { id, ctx } => return self.name_expr(id, ctx, span),
            _ => {}
        }
        self.deeper(|checker| checker.expr_kind(kind, span))
    }

    fn name_expr(&mut self, id: NameId, ctx: Context, span: Span) -> Result {
        match ctx {
            Context::Load => self.mark(self.scope, id, USED),
            Context::Store => self.bind(id, LOCAL, span)?,
            Context::Del => {
                if self.name(id) == "__debug__" {
                    self.late("cannot delete __debug__", span);
                }
                self.mark(self.scope, id, LOCAL);
            }
        }
        Ok(())
    }

    fn expr_kind(&mut self, kind: Expr, span: Span) -> Result {
        match kind {
            Expr::BoolOp { values, .. } | Expr::JoinedStr { values } => self.exprs(values),
            Expr::NamedExpr { target, value } => self.named(target, value, span),
            Expr::BinOp { left, right, .. } => {
                // A long sum is deep on its left: no deeper for that.
                let (mut rights, mut first) = (vec![right], left);
                while let Expr::BinOp { left, right, .. } = self.ast.expr(first).kind {
                    rights.push(right);
                    first = left;
                }
                self.expr(first)?;
                rights.into_iter().rev().try_for_each(|right| self.expr(right))
            }
            Expr::UnaryOp { operand, .. } => self.expr(operand),
            Expr::Lambda { args, body } => {
                self.defaults(args)?;
                let kind = ScopeKind::Function { is_async: false };
                self.function_body(kind, args, |checker| checker.expr(body))
            }
            Expr::IfExp { test, body, orelse } => {
                self.expr(test)?;
                self.expr(body)?;
                self.expr(orelse)
            }
            Expr::Dict { keys, values } => {
                for &key in self.ast.list(keys) {
                    self.optional(key)?;
                }
                self.exprs(values)
            }
            Expr::Set { elts } => self.items(elts),
            Expr::ListComp { elt, generators } => self.comprehension("list comprehension", &[elt], generators, span),
            Expr::SetComp { elt, generators } => self.comprehension("set comprehension", &[elt], generators, span),
            Expr::DictComp { key, value, generators } => self.comprehension("dict comprehension", &[key, value], generators, span),
            Expr::GeneratorExp { elt, generators } => self.comprehension("generator expression", &[elt], generators, span),
            Expr::Await { value } => self.await_(value, span),
            Expr::Yield { value } => {
                self.yield_("yield", span)?;
                self.optional(value)
            }
            Expr::YieldFrom { value } => {
                self.yield_("yield from", span)?;
                self.expr(value)
            }
            Expr::Compare { left, ops, comparators } => {
                self.check_identity(left, ops, comparators, span);
                self.expr(left)?;
                self.exprs(comparators)
            }
            Expr::Call { func, args, keywords } => {
                self.check_callable(func);
                self.expr(func)?;
                self.items(args)?;
                self.keywords(keywords)
            }
            Expr::FormattedValue { value, format_spec, .. } => {
                self.expr(value)?;
                self.optional(format_spec)
            }
            Expr::Attribute { value, attr, ctx } => {
                if ctx != Context::Load && self.name(attr) == "__debug__" {
                    let verb = if ctx == Context::Store { "assign to" } else { "delete" };
                    self.late(format!("cannot {verb} __debug__"), span);
                }
                self.expr(value)
            }
            Expr::Subscript { value, slice, ctx } => {
                if ctx == Context::Load {
                    self.check_subscript(value, slice);
                }
                self.expr(value)?;
                self.expr(slice)
            }
            Expr::Starred { value, ctx } => {
                let message =
                    if ctx == Context::Load { "can't use starred expression here" } else { "starred assignment target must be in a list or tuple" };
                self.late(message, span);
                self.expr(value)
            }
            Expr::List { elts, ctx } | Expr::Tuple { elts, ctx } => {
                if ctx == Context::Store {
                    let starred = |id: &&ExprId| matches!(self.ast.expr(**id).kind, Expr::Starred { .. });
                    if self.ast.list(elts).iter().filter(starred).count() > 1 {
                        self.late("multiple starred expressions in assignment", span);
                    }
                }
                self.items(elts)
            }
            Expr::Slice { lower, upper, step } => {
                self.optional(lower)?;
                self.optional(upper)?;
                self.optional(step)
            }
            Expr::Constant(_) | Expr::Name { .. } => Ok(()),
        }
    }

    /// Refuses what may not stand in a scope that is evaluated late or never.
    fn not_lazy(&self, what: &str, span: Span) -> Result {
        let place = match self.scopes[self.scope].kind {
            ScopeKind::Annotation => "an annotation",
            ScopeKind::TypeParams => "the definition of a generic",
            ScopeKind::Lazy(place) => place,
            _ => return Ok(()),
        };
        Err(Fault::at(format!("{what} cannot be used within {place}"), span))
    }

    fn named(&mut self, target: ExprId, value: ExprId, span: Span) -> Result {
        self.not_lazy("named expression", span)?;
        if self.scopes[self.scope].iterables > 0 {
            let message = "assignment expression cannot be used in a comprehension iterable expression";
            return Err(Fault::at(message, span));
        }
        let in_comprehension = matches!(self.scopes[self.scope].kind, ScopeKind::Comprehension(_));
        let target_node = self.ast.expr(target);
        if in_comprehension && let Expr::Name { id, .. } = target_node.kind {
            self.bind_outside(id, target_node.span)?;
            self.expr(value)?;
            return Ok(());
        }
        self.expr(value)?;
        self.expr(target)
    }

    /// The target of an assignment expression in a comprehension belongs to the scope around it.
    fn bind_outside(&mut self, name: NameId, span: Span) -> Result {
        let mut scope = self.scope;
        loop {
            let within = match self.scopes[scope].kind {
                ScopeKind::Comprehension(_) => {
                    if self.flags(scope, name) & LOOP_TARGET != 0 {
                        let message = format!("assignment expression cannot rebind comprehension iteration variable '{}'", self.name(name));
                        return Err(Fault::at(message, span));
                    }
                    let Some(parent) = self.scopes[scope].parent else { return Ok(()) };
                    scope = parent;
                    continue;
                }
                ScopeKind::Module | ScopeKind::Function { .. } => {
                    let inner = if self.scopes[scope].kind == ScopeKind::Module || self.flags(scope, name) & GLOBAL != 0 { GLOBAL } else { NONLOCAL };
                    self.mark(self.scope, name, inner);
                    self.mark(scope, name, LOCAL);
                    return Ok(());
                }
                ScopeKind::Class => "in a class body",
                ScopeKind::TypeParams => "within the definition of a generic",
                ScopeKind::Lazy(place) if place.ends_with("alias") => "in a type alias",
                ScopeKind::Lazy(_) => "in a TypeVar bound",
                ScopeKind::Annotation => "within an annotation",
            };
            let message = format!("assignment expression within a comprehension cannot be used {within}");
            return Err(Fault::at(message, span));
        }
    }

    fn await_(&mut self, value: ExprId, span: Span) -> Result {
        self.not_lazy("await expression", span)?;
        self.expr(value)?;
        // A list comprehension runs in the function around it; a generator is one of its own.
        let mut scope = self.scope;
        while let ScopeKind::Comprehension(name) = self.scopes[scope].kind
            && name != "generator expression"
            && let Some(parent) = self.scopes[scope].parent
        {
            scope = parent;
        }
        self.current().coroutine = true;
        let allowed = match self.scopes[scope].kind {
            ScopeKind::Function { is_async: true } | ScopeKind::Comprehension(_) => return Ok(()),
            ScopeKind::Module => self.top_level_await,
            _ => false,
        };
        if !allowed {
            let message = if self.scopes[scope].is_function_like() { "'await' outside async function" } else { "'await' outside function" };
            self.late(message, span);
        }
        Ok(())
    }

    fn yield_(&mut self, keyword: &str, span: Span) -> Result {
        self.not_lazy("yield expression", span)?;
        let scope = self.current();
        scope.generator = true;
        match scope.kind {
            ScopeKind::Comprehension(name) => Err(Fault::at(format!("'yield' inside {name}"), span)),
            ScopeKind::Function { is_async } => {
                if is_async && keyword == "yield from" {
                    self.late("'yield from' inside async function", span);
                }
                Ok(())
            }
            _ => {
                self.late(format!("'{keyword}' outside function"), span);
                Ok(())
            }
        }
    }

    fn comprehension(&mut self, name: &'static str, elements: &[ExprId], generators: List<Comprehension>, span: Span) -> Result {
        let generators = self.ast.list(generators);
        let Some(first) = generators.first() else { return Ok(()) };
        self.current().iterables += 1;
        let result = self.expr(first.iter);
        self.current().iterables -= 1;
        result?;
        let mut is_async = false;
        // CPython looks at the comprehension as a whole before it looks inside.
        let late = self.late.take();
        self.within(ScopeKind::Comprehension(name), |checker| {
            for (index, generator) in generators.iter().enumerate() {
                checker.current().coroutine |= generator.is_async;
                checker.current().in_target = true;
                let result = checker.expr(generator.target);
                checker.current().in_target = false;
                result?;
                if index > 0 {
                    checker.current().iterables += 1;
                    let result = checker.expr(generator.iter);
                    checker.current().iterables -= 1;
                    result?;
                }
                checker.exprs(generator.ifs)?;
            }
            for &element in elements {
                checker.expr(element)?;
            }
            is_async = checker.current().coroutine && name != "generator expression";
            Ok(())
        })?;
        let inner = self.late.take();
        self.late = late;
        let allowed = matches!(self.scopes[self.scope].kind, ScopeKind::Function { is_async: true } | ScopeKind::Comprehension(_));
        if is_async && !allowed && !self.top_level_await() {
            self.late("asynchronous comprehension outside of an asynchronous function", span);
        }
        self.current().coroutine |= is_async;
        if self.late.is_none() {
            self.late = inner;
        }
        Ok(())
    }

    // Warnings

    /// `x is 1`
    fn check_identity(&mut self, left: ExprId, ops: List<CmpOp>, comparators: List<ExprId>, span: Span) {
        let mut left = left;
        for (&op, &right) in self.ast.list(ops).iter().zip(self.ast.list(comparators)) {
            let literal = self.literal_type(left).or_else(|| self.literal_type(right));
            left = right;
            let Some(literal) = literal else { continue };
            let message = match op {
                CmpOp::Is => format!("\"is\" with '{literal}' literal. Did you mean \"==\"?"),
                CmpOp::IsNot => {
                    format!("\"is not\" with '{literal}' literal. Did you mean \"!=\"?")
                }
                _ => continue,
            };
            self.warn(message, span);
            return;
        }
    }

    /// The type of a constant whose identity means nothing.
    fn literal_type(&self, id: ExprId) -> Option<&'static str> {
        match self.ast.expr(id).kind {
            Expr::Constant(Constant::None | Constant::True | Constant::False | Constant::Ellipsis) => None,
            Expr::Constant(_) => self.type_of(id),
            Expr::UnaryOp { op: UnaryOp::USub | UnaryOp::UAdd | UnaryOp::Invert, operand } => self.literal_type(operand),
            Expr::Tuple { elts, .. } => {
                let constant = |&id: &ExprId| matches!(self.ast.expr(id).kind, Expr::Constant(_)) || self.literal_type(id).is_some();
                self.ast.list(elts).iter().all(constant).then_some("tuple")
            }
            _ => None,
        }
    }

    /// The type of an expression, where its form says it.
    fn type_of(&self, id: ExprId) -> Option<&'static str> {
        Some(match self.ast.expr(id).kind {
            Expr::Tuple { .. } => "tuple",
            Expr::List { .. } | Expr::ListComp { .. } => "list",
            Expr::Dict { .. } | Expr::DictComp { .. } => "dict",
            Expr::Set { .. } | Expr::SetComp { .. } => "set",
            Expr::GeneratorExp { .. } => "generator",
            Expr::Lambda { .. } => "function",
            Expr::JoinedStr { .. } | Expr::FormattedValue { .. } => "str",
            Expr::Constant(constant) => match constant {
                Constant::None => "NoneType",
                Constant::True | Constant::False => "bool",
                Constant::Ellipsis => "ellipsis",
                Constant::Int(_) | Constant::BigInt { .. } => "int",
                Constant::Float(_) => "float",
                Constant::Imaginary(_) => "complex",
                Constant::Str { .. } => "str",
                Constant::Bytes(_) => "bytes",
            },
            _ => return None,
        })
    }

    fn check_callable(&mut self, func: ExprId) {
        let ExprNode { kind, span } = self.ast.expr(func);
        if let Expr::Lambda { .. } = kind {
            return;
        }
        if let Some(name) = self.type_of(func) {
            let message = format!("'{name}' object is not callable; perhaps you missed a comma?");
            self.warn(message, span);
        }
    }

    fn check_subscript(&mut self, value: ExprId, slice: ExprId) {
        let span = self.ast.expr(value).span;
        let Some(name) = self.type_of(value) else { return };
        match name {
            "dict" => {}
            "str" | "bytes" | "tuple" | "list" => {
                let index = self.type_of(slice);
                if let Some(index) = index.filter(|index| !matches!(*index, "int" | "bool")) {
                    let message = format!("{name} indices must be integers or slices, not {index}; perhaps you missed a comma?");
                    self.warn(message, span);
                }
            }
            _ => {
                let message = format!("'{name}' object is not subscriptable; perhaps you missed a comma?");
                self.warn(message, span);
            }
        }
    }

    // Patterns

    fn match_(&mut self, subject: ExprId, cases: List<MatchCase>) -> Result {
        self.item(subject)?;
        let last = cases.len().saturating_sub(1);
        for (index, case) in self.ast.list(cases).iter().enumerate() {
            let mut names = Vec::new();
            let irrefutable = case.guard.is_some() || index == last;
            self.pattern(case.pattern, irrefutable, &mut names)?;
            self.optional(case.guard)?;
            self.stmts(case.body)?;
        }
        Ok(())
    }

    /// Checks a pattern and adds what it captures to `names`. `irrefutable` says whether it may
    /// match everything.
    fn pattern(&mut self, id: PatternId, irrefutable: bool, names: &mut Vec<NameId>) -> Result {
        self.deeper(|checker| checker.pattern_kind(id, irrefutable, names))
    }

    fn pattern_kind(&mut self, id: PatternId, irrefutable: bool, names: &mut Vec<NameId>) -> Result {
        let PatternNode { kind, span } = self.ast.pattern(id);
        match kind {
            Pattern::MatchValue { value } => {
                if let Expr::JoinedStr { .. } = self.ast.expr(value).kind {
                    self.late("patterns may only match literals and attribute lookups", span);
                }
                self.expr(value)
            }
            Pattern::MatchSingleton { .. } => Ok(()),
            Pattern::MatchSequence { patterns } => {
                let is_star = |id: &&PatternId| matches!(self.ast.pattern(**id).kind, Pattern::MatchStar { .. });
                if self.ast.list(patterns).iter().filter(is_star).count() > 1 {
                    self.late("multiple starred names in sequence pattern", span);
                }
                self.patterns(patterns, names)
            }
            Pattern::MatchMapping { keys, patterns, rest } => {
                self.mapping_keys(keys, span);
                self.exprs(keys)?;
                self.patterns(patterns, names)?;
                rest.map_or(Ok(()), |rest| self.capture(rest, span, names))
            }
            Pattern::MatchClass { cls, patterns, kwd_attrs, kwd_patterns } => {
                self.expr(cls)?;
                let attributes = self.ast.list(kwd_attrs);
                for (index, attribute) in attributes.iter().enumerate() {
                    if attributes[..index].contains(attribute) {
                        let name = self.name(*attribute);
                        let message = format!("attribute name repeated in class pattern: {name}");
                        let at = self.ast.pattern(self.ast.list(kwd_patterns)[index]).span;
                        self.late(message, at);
                    }
                }
                self.patterns(patterns, names)?;
                self.patterns(kwd_patterns, names)
            }
            Pattern::MatchStar { name } => name.map_or(Ok(()), |name| self.capture(name, span, names)),
            Pattern::MatchAs { pattern: None, name } => {
                if !irrefutable {
                    let message = match name {
                        Some(name) => format!("name capture '{}' makes remaining patterns unreachable", self.name(name)),
                        None => "wildcard makes remaining patterns unreachable".into(),
                    };
                    self.late(message, span);
                }
                name.map_or(Ok(()), |name| self.capture(name, span, names))
            }
            Pattern::MatchAs { pattern: Some(pattern), name } => {
                self.pattern(pattern, irrefutable, names)?;
                name.map_or(Ok(()), |name| self.capture(name, span, names))
            }
            Pattern::MatchOr { patterns } => self.alternatives(patterns, irrefutable, span, names),
        }
    }

    fn patterns(&mut self, patterns: List<PatternId>, names: &mut Vec<NameId>) -> Result {
        self.ast.list(patterns).iter().try_for_each(|&pattern| self.pattern(pattern, true, names))
    }

    fn capture(&mut self, name: NameId, span: Span, names: &mut Vec<NameId>) -> Result {
        if names.contains(&name) {
            let message = format!("multiple assignments to name '{}' in pattern", self.name(name));
            self.late(message, span);
        }
        names.push(name);
        self.bind(name, LOCAL, span)
    }

    fn alternatives(&mut self, patterns: List<PatternId>, irrefutable: bool, span: Span, names: &mut Vec<NameId>) -> Result {
        let before = names.len();
        let mut first: Option<Vec<NameId>> = None;
        for (index, &pattern) in self.ast.list(patterns).iter().enumerate() {
            let mut own = names[..before].to_vec();
            let last = index + 1 == patterns.len();
            self.pattern(pattern, irrefutable && last, &mut own)?;
            let own = own.split_off(before);
            match &first {
                None => first = Some(own),
                Some(first) => {
                    let same = own.len() == first.len() && own.iter().all(|name| first.contains(name));
                    if !same {
                        self.late("alternative patterns bind different names", span);
                    }
                }
            }
        }
        names.extend(first.unwrap_or_default());
        Ok(())
    }

    fn mapping_keys(&mut self, keys: List<ExprId>, span: Span) {
        let keys = self.ast.list(keys);
        for (index, &key) in keys.iter().enumerate() {
            if let Expr::JoinedStr { .. } = self.ast.expr(key).kind {
                self.late("mapping pattern keys may only match literals and attribute lookups", span);
            }
            let Expr::Constant(constant) = self.ast.expr(key).kind else { continue };
            let repeated =
                keys[..index].iter().any(|&other| matches!(self.ast.expr(other).kind, Expr::Constant(other) if self.same(constant, other)));
            if repeated {
                let key = crate::dump::constant_repr(self.ast, constant);
                self.late(format!("mapping pattern checks duplicate key ({key})"), span);
            }
        }
    }

    /// Whether two constants are equal keys.
    fn same(&self, a: Constant, b: Constant) -> bool {
        match (a, b) {
            (Constant::Str { text: a, .. }, Constant::Str { text: b, .. }) | (Constant::Bytes(a), Constant::Bytes(b)) => {
                self.ast.bytes(a) == self.ast.bytes(b)
            }
            (Constant::BigInt { digits: a, radix: r }, Constant::BigInt { digits: b, radix: s }) => r == s && self.ast.bytes(a) == self.ast.bytes(b),
            _ => match (number(a), number(b)) {
                (Some(a), Some(b)) => a == b,
                (None, None) => a == b,
                _ => false,
            },
        }
    }
}

/// The value of a small real constant, for which `1`, `1.0` and `True` are one key, as are `0` and `0j`.
fn number(constant: Constant) -> Option<f64> {
    match constant {
        Constant::True => Some(1.0),
        Constant::False => Some(0.0),
        Constant::Int(value) => Some(value as f64),
        Constant::Float(value) => Some(value),
        Constant::Imaginary(0.0) => Some(0.0),
        _ => None,
    }
}
