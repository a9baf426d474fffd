//! Who owns a name: the scopes of a program, what each name in them means, and which register it gets.
//!
//! Two passes. [`Builder`] walks the tree in the order of evaluation, makes a [`Scope`] for every module, class, function,
//! comprehension and PEP 695 scope, and notes how each uses its names. [`resolve::resolve`] then decides for each name where it lives and lays
//! out the registers. List, set and dict comprehensions are *inlined*: their scope is kept apart, but its variables are registers of the
//! frame around it (PEP 709).

use rustc_hash::FxHashMap;
mod builder;
mod expression;
mod resolve;

use scrip_grammar::ast::{Ast, ExprId, Root, Span, StmtId};

use crate::compile::error::{Result, StackLimit};
use crate::compile::names::{Name, Names};

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
        resolve::resolve(&mut scopes, names)?;
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
