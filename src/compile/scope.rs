//! Who owns a name: the scopes of a program, what each name in them means, and which register it gets.
//!
//! Two passes. [`Builder`] walks the tree in the order of evaluation, makes a [`Scope`] for every module, class, function,
//! comprehension and PEP 695 scope, and notes how each uses its names. [`resolve`] then decides for each name where it lives and lays
//! out the registers. List, set and dict comprehensions are *inlined*: their scope is kept apart, but its variables are registers of the
//! frame around it (PEP 709).

use rustc_hash::FxHashMap;
use scrip_grammar::ast::{
    Alias, Arg, Arguments, ArgumentsId, Ast, Comprehension, Context, Expr, ExprId, Keyword, List, Pattern, PatternId, Root, Span, Stmt, StmtId,
    TypeParam, TypeParamKind,
};

use super::error::{Failure, Result, StackLimit};
use super::names::{Name, Names};

/// A scope's number; parents come before their children.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ScopeId(u32);

impl ScopeId {
    /// The outermost scope.
    pub(super) const ROOT: Self = Self(0);
}

/// What a scope is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ScopeKind {
    Module,
    Class,
    Function,
    Lambda,
    /// A generator expression.
    Generator,
    /// A list, set or dict comprehension.
    Comprehension,
    /// The type parameters of a function, class or alias.
    TypeParams,
    /// The value of a `type` statement.
    TypeAlias,
    /// The bound, constraints or default of a type parameter.
    TypeVarBound,
}

impl ScopeKind {
    fn is_function_like(self) -> bool {
        !matches!(self, Self::Module | Self::Class)
    }

    fn is_annotation(self) -> bool {
        matches!(self, Self::TypeParams | Self::TypeAlias | Self::TypeVarBound)
    }

    fn is_comprehension(self) -> bool {
        matches!(self, Self::Generator | Self::Comprehension)
    }
}

/// The place in the tree that made a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Node {
    /// A function or class body, or an alias's value.
    Stmt(StmtId),
    /// A lambda or comprehension.
    Expr(ExprId),
    /// The type parameters of a statement.
    Params(StmtId),
    /// The bound of the type parameter at a byte of the source.
    Bound(u32),
    /// The default of the type parameter at a byte of the source.
    Default(u32),
}

/// Where a name lives, as seen from a scope.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A register.
    Local(u32),
    /// A cell in a register.
    Cell(u32),
    /// A cell of the closure.
    Free(u32),
    /// The globals, then the built-ins.
    Global,
    /// The frame's namespace, then as `Global`.
    Name,
    /// The frame's namespace, then a cell of the closure.
    FreeOrName(u32),
    /// The namespace of the class around, then as `Global`.
    ClassOrGlobal,
    /// The namespace of the class around, then a cell of the closure.
    ClassOrFree(u32),
}

mod flag {
    pub(super) const PARAM: u16 = 1;
    pub(super) const LOCAL: u16 = 2;
    pub(super) const GLOBAL: u16 = 4;
    pub(super) const NONLOCAL: u16 = 8;
    pub(super) const USED: u16 = 16;
    pub(super) const ANNOTATED: u16 = 32;
    pub(super) const ITERATION: u16 = 64;
    pub(super) const TYPE_PARAM: u16 = 128;
    pub(super) const CELL: u16 = 256;
    /// Deleted somewhere: being assigned earlier does not prove that it is bound.
    pub(super) const UNSTABLE: u16 = 512;
    /// Assigned by `:=` somewhere.
    pub(super) const WALRUS: u16 = 1024;
    pub(super) const BOUND: u16 = PARAM | LOCAL | ITERATION | TYPE_PARAM;
}

/// A name in a scope.
#[derive(Debug, Clone, Copy)]
struct Symbol {
    name: Name,
    flags: u16,
    place: Place,
}

impl Symbol {
    /// Whether the scope itself has the variable.
    fn is_own(&self) -> bool {
        self.flags & flag::BOUND != 0 && self.flags & (flag::GLOBAL | flag::NONLOCAL) == 0
    }
}

/// The names of a scope in the order they were met.
#[derive(Debug, Default)]
struct Symbols {
    list: Vec<Symbol>,
    /// Made once the list is too long to be looked through.
    index: FxHashMap<Name, u32>,
}

impl Symbols {
    const LINEAR: usize = 12;

    fn position(&self, name: Name) -> Option<usize> {
        if self.list.len() <= Self::LINEAR {
            return self.list.iter().position(|symbol| symbol.name == name);
        }
        self.index.get(&name).map(|&index| index as usize)
    }

    fn get(&self, name: Name) -> Option<&Symbol> {
        self.position(name).map(|index| &self.list[index])
    }

    fn entry(&mut self, name: Name) -> &mut Symbol {
        if let Some(index) = self.position(name) {
            return &mut self.list[index];
        }
        self.list.push(Symbol { name, flags: 0, place: Place::Global });
        let n_symbols = self.list.len();
        if n_symbols == Self::LINEAR + 1 {
            self.index = self.list.iter().enumerate().map(|(i, symbol)| (symbol.name, i as u32)).collect();
        } else if n_symbols > Self::LINEAR {
            self.index.insert(name, n_symbols as u32 - 1);
        }
        &mut self.list[n_symbols - 1]
    }

    fn flags(&self, name: Name) -> u16 {
        self.get(name).map_or(0, |symbol| symbol.flags)
    }
}

/// A scope.
#[derive(Debug)]
pub(super) struct Scope {
    pub(super) kind: ScopeKind,
    pub(super) parent: Option<ScopeId>,
    /// Whether its variables live in the frame around it.
    pub(super) inlined: bool,
    pub(super) is_async_def: bool,
    pub(super) has_yield: bool,
    /// Contains `await`, `async for` or `async with`.
    pub(super) has_await: bool,
    /// A module or class body with annotated names.
    pub(super) has_annotations: bool,
    /// Looks names up in the class around first.
    pub(super) sees_class: bool,
    /// A class whose methods use `__class__` or `super()`.
    pub(super) needs_class_cell: bool,
    /// A class whose namespace PEP 695 scopes look at.
    pub(super) needs_class_dict: bool,
    /// Inside a function.
    pub(super) is_nested: bool,
    /// The free variables, in the order of the closure.
    pub(super) free: Vec<Name>,
    /// The locals, by register. Empty for an inlined scope, whose frame has them.
    pub(super) locals: Vec<Name>,
    /// Which of the locals are cells.
    pub(super) is_cell: Vec<bool>,
    /// The first of `locals` that belongs to a comprehension: such a register is no variable of the scope itself.
    pub(super) n_own_locals: u32,
    /// The locals (below 128) that may become unbound again.
    pub(super) unstable: u128,
    /// Whether any local is assigned by `:=`.
    pub(super) has_walrus: bool,
    /// Attributes that methods assign on `self`, in the order they were met.
    pub(super) static_attributes: Vec<Name>,
    symbols: Symbols,
    /// Names that comprehensions inlined into a class body look up past it.
    passed: Vec<Name>,
    /// How many inlined comprehensions are around it in its frame.
    depth: u32,
    /// How many iterables of comprehensions are being visited: `:=` is refused there.
    in_iterable: u32,
    directives: Vec<(Name, Span)>,
    /// Registers of inlined comprehensions: name, depth, register.
    comprehension_slots: Vec<(Name, u32, usize)>,
}

/// The scopes of a program.
pub(super) struct Scopes {
    list: Vec<Scope>,
    by_node: FxHashMap<Node, ScopeId>,
    /// For each expression, whether it might be a constant.
    pub(super) candidates: Vec<u64>,
    class_cell: Name,
    class_dict: Name,
}

impl std::ops::Index<ScopeId> for Scopes {
    type Output = Scope;

    fn index(&self, id: ScopeId) -> &Scope {
        &self.list[id.0 as usize]
    }
}

impl Scopes {
    /// Makes and resolves the scopes of a program.
    pub(super) fn new<'a>(ast: &'a Ast, root: Root, names: &mut Names<'a>, top_level_await: bool, stack: StackLimit) -> Result<Self> {
        let class_cell = names.intern("__class__");
        let class_dict = names.intern("__classdict__");
        let scopes =
            Self { list: Vec::new(), by_node: FxHashMap::default(), candidates: vec![0; ast.n_exprs().div_ceil(64)], class_cell, class_dict };
        let super_name = names.intern("super");
        let self_name = names.intern("self");
        let dot_zero = names.intern(".0");
        let mut builder =
            Builder { ast, names, scopes, current: ScopeId::ROOT, private: None, super_name, self_name, dot_zero, top_level_await, stack };
        builder.root(root)?;
        let mut scopes = builder.scopes;
        resolve(&mut scopes, names)?;
        Ok(scopes)
    }

    /// The scope that `node` made.
    pub(super) fn of(&self, node: Node) -> ScopeId {
        self.by_node[&node]
    }

    /// Where `name` lives, as seen from `scope`.
    pub(super) fn lookup(&self, scope: ScopeId, name: Name) -> Place {
        let mut id = scope;
        let mut crossed = false;
        loop {
            let scope = &self[id];
            if scope.inlined {
                crossed = true;
                match scope.symbols.get(name) {
                    Some(symbol) if symbol.is_own() => return symbol.place,
                    _ => id = scope.parent.expect("a comprehension stands in a scope"),
                }
                continue;
            }
            if scope.kind == ScopeKind::Class && crossed {
                return self.lookup_past_class(id, name);
            }
            let free = || scope.free.iter().position(|&free| free == name).map(|index| index as u32);
            return match (scope.symbols.get(name), scope.kind) {
                (Some(symbol), _) => symbol.place,
                // What the compiler reads of its own accord.
                (None, ScopeKind::Module | ScopeKind::Class) => Place::Name,
                (None, _) => free().map_or(Place::Global, Place::Free),
            };
        }
    }

    /// Where `name` lives for a comprehension that is inlined into the class body `class`, which it cannot see.
    fn lookup_past_class(&self, class: ScopeId, name: Name) -> Place {
        let free = self[class].free.iter().position(|&free| free == name);
        free.map_or(Place::Global, |index| Place::Free(index as u32))
    }

    /// Where the cell of a closure's free variable `name` comes from, as seen from the scope that makes the closure.
    pub(super) fn capture(&self, scope: ScopeId, name: Name) -> Place {
        let mut id = scope;
        while self[id].inlined {
            match self[id].symbols.get(name) {
                Some(symbol) if symbol.is_own() => return symbol.place,
                _ => id = self[id].parent.expect("a comprehension stands in a scope"),
            }
        }
        let scope = &self[id];
        if scope.kind == ScopeKind::Class {
            if name == self.class_cell && scope.needs_class_cell || name == self.class_dict && scope.needs_class_dict {
                let register = scope.locals.iter().position(|&local| local == name);
                return Place::Cell(register.expect("a needed class cell has a register") as u32);
            }
            return self.lookup_past_class(id, name);
        }
        match scope.symbols.get(name).map(|symbol| symbol.place) {
            Some(place @ (Place::Cell(_) | Place::Local(_))) => place,
            _ => self.lookup_past_class(id, name),
        }
    }

    /// The scope whose frame `scope` runs in.
    pub(super) fn frame(&self, scope: ScopeId) -> ScopeId {
        let mut id = scope;
        while self[id].inlined {
            id = self[id].parent.expect("a comprehension stands in a scope");
        }
        id
    }

    /// Whether `name` is declared `global` in `scope`.
    pub(super) fn is_declared_global(&self, scope: ScopeId, name: Name) -> bool {
        self[scope].symbols.flags(name) & flag::GLOBAL != 0
    }

    /// The variables of the inlined comprehension `scope`: their registers, and whether they are cells.
    pub(super) fn comprehension_locals(&self, scope: ScopeId) -> impl Iterator<Item = (u32, bool)> {
        self[scope].symbols.list.iter().filter(|symbol| symbol.is_own()).filter_map(|symbol| match symbol.place {
            Place::Local(register) => Some((register, false)),
            Place::Cell(register) => Some((register, true)),
            _ => None,
        })
    }

    fn get_mut(&mut self, id: ScopeId) -> &mut Scope {
        &mut self.list[id.0 as usize]
    }

    /// The scope around `scope` that binds `name`; `None` when that is the globals.
    fn owner(&self, scope: ScopeId, name: Name) -> Option<ScopeId> {
        let mut next = self[scope].parent;
        while let Some(id) = next {
            let scope = &self[id];
            match scope.kind {
                ScopeKind::Module => return None,
                ScopeKind::Class => {
                    if name == self.class_cell || name == self.class_dict {
                        return Some(id);
                    }
                }
                _ => {
                    let flags = scope.symbols.flags(name);
                    if flags & flag::GLOBAL != 0 {
                        return None;
                    }
                    if flags & flag::BOUND != 0 && flags & flag::NONLOCAL == 0 {
                        return Some(id);
                    }
                }
            }
            next = scope.parent;
        }
        None
    }

    /// Notes that `scope` reaches the variable `name` of `owner`: every frame between captures it.
    fn reach(&mut self, scope: ScopeId, owner: ScopeId, name: Name) {
        let owner_frame = self.frame(owner);
        let mut frame = self.frame(scope);
        if frame == owner_frame {
            return;
        }
        while frame != owner_frame {
            let scope = self.get_mut(frame);
            if !scope.free.contains(&name) {
                scope.free.push(name);
            }
            frame = self.frame(self[frame].parent.expect("the owner is further out"));
        }
        let (class_cell, class_dict) = (self.class_cell, self.class_dict);
        let owner = self.get_mut(owner);
        if owner.kind == ScopeKind::Class {
            owner.needs_class_cell |= name == class_cell;
            owner.needs_class_dict |= name == class_dict;
        } else {
            owner.symbols.entry(name).flags |= flag::CELL;
        }
    }
}

/// Decides for each name of each scope where it lives.
fn resolve(scopes: &mut Scopes, names: &Names<'_>) -> Result<()> {
    let ids: Vec<ScopeId> = (0..scopes.list.len()).map(|index| ScopeId(index as u32)).collect();
    // What an inlined comprehension does not bind itself is a name of the scope around it.
    for &id in ids.iter().rev() {
        let scope = &scopes[id];
        if !scope.inlined {
            continue;
        }
        let parent = scope.parent.expect("a comprehension stands in a scope");
        let outer: Vec<Name> = (scope.symbols.list.iter()).filter(|symbol| !symbol.is_own()).map(|symbol| symbol.name).collect();
        let parent = scopes.get_mut(parent);
        if parent.kind == ScopeKind::Class {
            parent.passed.extend(outer);
        } else {
            for name in outer {
                parent.symbols.entry(name).flags |= flag::USED;
            }
        }
    }
    for &id in &ids {
        resolve_names(scopes, names, id)?;
    }
    for &id in &ids {
        if !scopes[id].inlined {
            lay_out(scopes, names, id);
        }
    }
    for &id in &ids {
        if scopes[id].inlined {
            lay_out_inlined(scopes, id);
        }
    }
    Ok(())
}

/// Finds the owners of the names of a scope, and makes them cells where they are captured.
fn resolve_names(scopes: &mut Scopes, names: &Names<'_>, id: ScopeId) -> Result<()> {
    let kind = scopes[id].kind;
    for name in std::mem::take(&mut scopes.get_mut(id).passed) {
        if let Some(owner) = scopes.owner(id, name) {
            scopes.reach(id, owner, name);
        }
    }
    for index in 0..scopes[id].symbols.list.len() {
        let Symbol { name, flags, .. } = scopes[id].symbols.list[index];
        if flags & flag::NONLOCAL != 0 && !scopes[id].inlined {
            let span = scopes[id].directives.iter().find(|(declared, _)| *declared == name).map_or(Span::default(), |d| d.1);
            if flags & flag::GLOBAL != 0 {
                return Err(Failure::syntax(format!("name '{}' is nonlocal and global", names.text(name)), span));
            }
            if kind == ScopeKind::Module {
                return Err(Failure::syntax("nonlocal declaration not allowed at module level", span));
            }
            let owner = scopes.owner(id, name);
            match owner {
                Some(owner) if scopes[owner].symbols.flags(name) & flag::TYPE_PARAM != 0 => {
                    let message = format!("nonlocal binding not allowed for type parameter '{}'", names.text(name));
                    return Err(Failure::syntax(message, span));
                }
                Some(owner) => scopes.reach(id, owner, name),
                None => {
                    let message = format!("no binding for nonlocal '{}' found", names.text(name));
                    return Err(Failure::syntax(message, span));
                }
            }
            continue;
        }
        let is_bound = flags & flag::BOUND != 0;
        if scopes[id].inlined || flags & flag::GLOBAL != 0 || is_bound || kind == ScopeKind::Module {
            continue;
        }
        if let Some(owner) = scopes.owner(id, name) {
            scopes.reach(id, owner, name);
        }
    }
    Ok(())
}

/// Gives the names of a frame their places and registers.
fn lay_out(scopes: &mut Scopes, names: &Names<'_>, id: ScopeId) {
    let (class_cell, class_dict) = (scopes.class_cell, scopes.class_dict);
    let class_symbols: Option<ScopeId> = scopes[id].sees_class.then(|| class_around(scopes, id)).flatten();
    let declared_in_class =
        |scopes: &Scopes, name: Name| class_symbols.is_some_and(|class| scopes[class].symbols.get(name).is_some_and(|symbol| symbol.is_own()));
    let mut symbols = std::mem::take(&mut scopes.get_mut(id).symbols);
    let scope = scopes.get_mut(id);
    scope.free.sort_unstable_by(|a, b| names.text(*a).cmp(names.text(*b)));
    let kind = scope.kind;
    let (mut locals, mut is_cell) = (Vec::new(), Vec::new());
    if kind.is_function_like() {
        let mut cells = Vec::new();
        for symbol in &symbols.list {
            let is_local = symbol.is_own();
            let captured = symbol.flags & flag::CELL != 0;
            if is_local && captured && symbol.flags & flag::PARAM == 0 {
                cells.push(symbol.name);
            } else if is_local {
                locals.push(symbol.name);
                is_cell.push(captured);
            }
        }
        cells.sort_unstable_by(|a, b| names.text(*a).cmp(names.text(*b)));
        is_cell.resize(locals.len() + cells.len(), true);
        locals.extend(cells);
    } else if kind == ScopeKind::Class {
        locals.extend(scope.needs_class_cell.then_some(class_cell));
        locals.extend(scope.needs_class_dict.then_some(class_dict));
        is_cell.resize(locals.len(), true);
    }
    let mut unstable = 0;
    if kind.is_function_like() {
        for (register, &name) in locals.iter().enumerate() {
            let symbol = symbols.entry(name);
            let register_number = register as u32;
            symbol.place = if is_cell[register] { Place::Cell(register_number) } else { Place::Local(register_number) };
            if symbol.flags & flag::UNSTABLE != 0 && register < 128 {
                unstable |= 1 << register;
            }
            scope.has_walrus |= symbol.flags & flag::WALRUS != 0;
        }
    }
    let free = scope.free.clone();
    let sees_class = scope.sees_class;
    scope.n_own_locals = locals.len() as u32;
    scope.locals = locals;
    scope.is_cell = is_cell;
    scope.unstable = unstable;
    for symbol in &mut symbols.list {
        let free_index = || free.iter().position(|&name| name == symbol.name).map(|index| index as u32);
        let is_bound = symbol.flags & flag::BOUND != 0;
        symbol.place = match kind {
            _ if symbol.flags & flag::GLOBAL != 0 => Place::Global,
            ScopeKind::Module => Place::Name,
            _ if symbol.flags & flag::NONLOCAL != 0 => free_index().map_or(Place::Global, Place::Free),
            ScopeKind::Class if is_bound => Place::Name,
            ScopeKind::Class => free_index().map_or(Place::Name, Place::FreeOrName),
            _ if is_bound => symbol.place,
            _ if sees_class && symbol.name != class_dict && symbol.name != class_cell => {
                if declared_in_class(scopes, symbol.name) {
                    Place::ClassOrGlobal
                } else {
                    free_index().map_or(Place::ClassOrGlobal, Place::ClassOrFree)
                }
            }
            _ => free_index().map_or(Place::Global, Place::Free),
        };
    }
    scopes.get_mut(id).symbols = symbols;
}

fn class_around(scopes: &Scopes, id: ScopeId) -> Option<ScopeId> {
    let mut next = scopes[id].parent;
    while let Some(id) = next {
        if scopes[id].kind == ScopeKind::Class {
            return Some(id);
        }
        next = scopes[id].parent;
    }
    None
}

/// Gives the variables of an inlined comprehension registers of its frame. Comprehensions that are not inside each other share them.
fn lay_out_inlined(scopes: &mut Scopes, id: ScopeId) {
    let frame_id = scopes.frame(id);
    let depth = scopes[id].depth;
    let mut symbols = std::mem::take(&mut scopes.get_mut(id).symbols);
    let frame = scopes.get_mut(frame_id);
    for symbol in &mut symbols.list {
        if !symbol.is_own() {
            continue;
        }
        let captured = symbol.flags & flag::CELL != 0;
        // The same name further in has a deeper scope and its own register; a cell is made anew by each comprehension.
        let shared = (frame.comprehension_slots.iter()).find(|slot| (slot.0, slot.1) == (symbol.name, depth) && !captured && !frame.is_cell[slot.2]);
        let register = shared.map_or(frame.locals.len(), |slot| slot.2);
        if register == frame.locals.len() {
            frame.locals.push(symbol.name);
            frame.is_cell.push(captured);
            frame.comprehension_slots.push((symbol.name, depth, register));
        }
        symbol.place = if captured { Place::Cell(register as u32) } else { Place::Local(register as u32) };
    }
    scopes.get_mut(id).symbols = symbols;
}

/// Walks the tree and makes the scopes.
struct Builder<'a, 'n> {
    ast: &'a Ast,
    names: &'n mut Names<'a>,
    scopes: Scopes,
    current: ScopeId,
    private: Option<Name>,
    super_name: Name,
    self_name: Name,
    dot_zero: Name,
    top_level_await: bool,
    stack: StackLimit,
}

impl<'a> Builder<'a, '_> {
    fn root(&mut self, root: Root) -> Result {
        let id = self.enter(ScopeKind::Module, None);
        debug_assert_eq!(id, ScopeId::ROOT);
        match root {
            Root::Module { body } | Root::Interactive { body } => self.stmts(body),
            Root::Expression { body } => self.expr(body).map(drop),
        }
    }

    // ---- scopes

    fn enter(&mut self, kind: ScopeKind, node: Option<Node>) -> ScopeId {
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

    fn scope(&mut self) -> &mut Scope {
        self.scopes.get_mut(self.current)
    }

    fn mark(&mut self, name: Name, flags: u16) {
        self.scope().symbols.entry(name).flags |= flags;
    }

    fn name(&mut self, id: scrip_grammar::ast::NameId) -> Name {
        let name = self.names.of(id);
        self.names.mangle(self.private, name)
    }

    fn assign(&mut self, id: scrip_grammar::ast::NameId, span: Span, flags: u16) -> Result {
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

    fn exprs(&mut self, list: List<ExprId>) -> Result<bool> {
        let ast = self.ast;
        let mut all = true;
        for &id in ast.list(list) {
            all &= self.expr(id)?;
        }
        Ok(all)
    }

    fn optional(&mut self, expr: Option<ExprId>) -> Result {
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
                self.stmts(orelse)?;
                for handler in ast.list(handlers) {
                    self.optional(handler.type_)?;
                    if let Some(name) = handler.name {
                        self.assign(name, handler.span, flag::LOCAL | flag::UNSTABLE)?;
                    }
                    self.stmts(handler.body)?;
                }
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

    fn parameters(&mut self, arguments: Arguments) -> Result {
        let ast = self.ast;
        for list in [arguments.posonlyargs, arguments.args, arguments.kwonlyargs] {
            for &arg in ast.list(list) {
                self.parameter(arg)?;
            }
        }
        arguments.vararg.map_or(Ok(()), |arg| self.parameter(arg))?;
        arguments.kwarg.map_or(Ok(()), |arg| self.parameter(arg))
    }

    fn defaults(&mut self, args: ArgumentsId) -> Result {
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

    fn keywords(&mut self, keywords: List<Keyword>) -> Result {
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

    // ---- expressions

    /// Visits an expression; the result says whether it might be a constant.
    fn expr(&mut self, id: ExprId) -> Result<bool> {
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

    fn awaits(&mut self, span: Span, message: &'static str) -> Result {
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

    fn pattern(&mut self, id: PatternId) -> Result {
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
