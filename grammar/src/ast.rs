//! The tree of a program: nodes in an arena, named and shaped as in CPython 3.13's `ast` module.
//!
//! An [`Ast`] owns everything; nodes name each other by small `Copy` ids ([`ExprId`], [`StmtId`] …)
//! and hold sequences as [`List`] handles, so a node is `Copy` and a compiler matches it by value:
//!
//! ```
//! use scrip_grammar::ast::{Ast, Constant, Expr, Span};
//! use scrip_grammar::operator::Operator;
//!
//! let mut ast = Ast::default();
//! let one = ast.add_expr(Span::new(0, 1), Expr::Constant(Constant::Int(1)));
//! let two = ast.add_expr(Span::new(4, 5), Expr::Constant(Constant::Int(2)));
//! let sum = ast.add_expr(Span::new(0, 5), Expr::BinOp { left: one, op: Operator::Add, right: two });
//! match ast.expr(sum).kind {
//!     Expr::BinOp { left, right, .. } => assert_eq!((left, right), (one, two)),
//!     _ => unreachable!(),
//! }
//! ```
//!
//! Differences from CPython's tree: an `async` statement is the plain one with `is_async` set, and a
//! parameter list is one [`Arguments`] behind an id. Spans are byte offsets into the decoded UTF-8
//! source without its byte order mark; [`crate::LineIndex`] turns them into lines and columns.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::marker::PhantomData;
use std::num::NonZeroU32;

use crate::operator::{BoolOp, CmpOp, Operator, UnaryOp};

/// A range of bytes of the source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Span {
    /// The first byte.
    pub start: u32,
    /// The byte after the last one.
    pub end: u32,
}

impl Span {
    /// The bytes from `start` up to `end`.
    pub const fn new(start: u32, end: u32) -> Self {
        Self { start, end }
    }

    /// From the start of `self` to the end of `other`.
    #[must_use]
    pub const fn to(self, other: Self) -> Self {
        Self { start: self.start, end: other.end }
    }

    /// Its text.
    pub fn text(self, source: &str) -> &str {
        &source[self.start as usize..self.end as usize]
    }
}

/// Declares the ids of things that live in an arena; `Option` of an id is as small as the id.
macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident,)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(NonZeroU32);

        impl $name {
            /// The position in the arena: ids of one kind count up from 0.
            pub const fn index(self) -> usize {
                self.0.get() as usize - 1
            }

            fn from_index(index: usize) -> Self {
                let number = u32::try_from(index + 1).ok().and_then(NonZeroU32::new);
                Self(number.expect("a source is shorter than 4 GB, so are its nodes"))
            }
        }
    )*};
}

ids! {
    /// An expression of an [`Ast`].
    ExprId,
    /// A statement of an [`Ast`].
    StmtId,
    /// A pattern of an [`Ast`].
    PatternId,
    /// A parameter list of an [`Ast`].
    ArgumentsId,
    /// An identifier (or a dotted module name) of an [`Ast`]: equal names have equal ids.
    NameId,
}

/// A sequence stored in an [`Ast`]; read it with [`Ast::list`].
#[derive(Debug)]
pub struct List<T> {
    start: u32,
    len: u32,
    of: PhantomData<fn() -> T>,
}

impl<T> List<T> {
    /// The empty list.
    pub const EMPTY: Self = Self { start: 0, len: 0, of: PhantomData };

    /// The number of items.
    pub const fn len(self) -> usize {
        self.len as usize
    }

    /// Whether it has no items.
    pub const fn is_empty(self) -> bool {
        self.len == 0
    }
}

impl<T> Clone for List<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for List<T> {}

impl<T> PartialEq for List<T> {
    fn eq(&self, other: &Self) -> bool {
        (self.start, self.len) == (other.start, other.len)
    }
}

impl<T> Eq for List<T> {}

impl<T> Default for List<T> {
    fn default() -> Self {
        Self::EMPTY
    }
}

/// Bytes stored in an [`Ast`]; read them with [`Ast::bytes`] or, for text, [`Ast::text`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Bytes {
    start: u32,
    len: u32,
}

impl Bytes {
    /// The number of bytes.
    pub const fn len(self) -> usize {
        self.len as usize
    }

    /// Whether there are no bytes.
    pub const fn is_empty(self) -> bool {
        self.len == 0
    }
}

/// The value of a literal.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Constant {
    /// `None`
    None,
    /// `True`
    True,
    /// `False`
    False,
    /// `...`
    Ellipsis,
    /// An integer that fits; never negative, since `-1` is an operator and a literal.
    Int(i64),
    /// A larger integer: its ASCII digits in `radix` 2, 8, 10 or 16, with neither prefix nor `_`.
    BigInt {
        /// The digits, the most significant first.
        digits: Bytes,
        /// What the digits count in.
        radix: u8,
    },
    /// A float.
    Float(f64),
    /// The imaginary part of a complex number whose real part is 0.
    Imaginary(f64),
    /// A string: UTF-8, but a lone surrogate (`"\ud800"`) stands as its three-byte form (WTF-8),
    /// which [`Ast::text`] refuses and [`Ast::bytes`] returns. Adjacent surrogate escapes stay two.
    Str {
        /// The text.
        text: Bytes,
        /// Whether the first of the joined literals had a `u` prefix (`kind='u'`).
        u: bool,
    },
    /// A bytes literal.
    Bytes(Bytes),
}

/// What is done with the place an expression names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Context {
    /// It is read.
    Load,
    /// It is assigned.
    Store,
    /// It is deleted.
    Del,
}

/// An expression and where it stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExprNode {
    /// What it is.
    pub kind: Expr,
    /// Where it stands, without parentheses around it (a tuple's own belong to it).
    pub span: Span,
}

/// What an expression is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Expr {
    /// `a and b and c`: two or more values.
    BoolOp {
        /// The operator between them.
        op: BoolOp,
        /// The operands.
        values: List<ExprId>,
    },
    /// `target := value`; the target is a [`Expr::Name`].
    NamedExpr {
        /// The name.
        target: ExprId,
        /// The value.
        value: ExprId,
    },
    /// `left op right`
    BinOp {
        /// The left operand.
        left: ExprId,
        /// The operator.
        op: Operator,
        /// The right operand.
        right: ExprId,
    },
    /// `op operand`
    UnaryOp {
        /// The operator.
        op: UnaryOp,
        /// The operand.
        operand: ExprId,
    },
    /// `lambda args: body`
    Lambda {
        /// The parameters.
        args: ArgumentsId,
        /// The value.
        body: ExprId,
    },
    /// `body if test else orelse`
    IfExp {
        /// The condition.
        test: ExprId,
        /// The value if it holds.
        body: ExprId,
        /// The value if not.
        orelse: ExprId,
    },
    /// `{key: value, **value}`: lists of equal length; a key that is `None` marks `**value`.
    Dict {
        /// The keys.
        keys: List<Option<ExprId>>,
        /// The values.
        values: List<ExprId>,
    },
    /// `{a, *b}`, never empty.
    Set {
        /// The items.
        elts: List<ExprId>,
    },
    /// `[elt for … in …]`
    ListComp {
        /// The item.
        elt: ExprId,
        /// The loops.
        generators: List<Comprehension>,
    },
    /// `{elt for … in …}`
    SetComp {
        /// The item.
        elt: ExprId,
        /// The loops.
        generators: List<Comprehension>,
    },
    /// `{key: value for … in …}`
    DictComp {
        /// The key.
        key: ExprId,
        /// The value.
        value: ExprId,
        /// The loops.
        generators: List<Comprehension>,
    },
    /// `(elt for … in …)`
    GeneratorExp {
        /// The item.
        elt: ExprId,
        /// The loops.
        generators: List<Comprehension>,
    },
    /// `await value`
    Await {
        /// What is awaited.
        value: ExprId,
    },
    /// `yield value`
    Yield {
        /// The value, if one is given.
        value: Option<ExprId>,
    },
    /// `yield from value`
    YieldFrom {
        /// The iterable.
        value: ExprId,
    },
    /// `left < b == c`: as many operators as comparators.
    Compare {
        /// The first operand.
        left: ExprId,
        /// The operators.
        ops: List<CmpOp>,
        /// The other operands.
        comparators: List<ExprId>,
    },
    /// `func(args, keywords)`; `*args` are [`Expr::Starred`] in `args`.
    Call {
        /// What is called.
        func: ExprId,
        /// Positional arguments.
        args: List<ExprId>,
        /// Keyword arguments and `**mappings`.
        keywords: List<Keyword>,
    },
    /// `{value!conversion:format_spec}` in an f-string.
    FormattedValue {
        /// The value.
        value: ExprId,
        /// `b's'`, `b'r'` or `b'a'` as a number, or -1 for none.
        conversion: i8,
        /// The format: a [`Expr::JoinedStr`].
        format_spec: Option<ExprId>,
    },
    /// An f-string: string constants and [`Expr::FormattedValue`]s.
    JoinedStr {
        /// The parts.
        values: List<ExprId>,
    },
    /// A literal.
    Constant(Constant),
    /// `value.attr`
    Attribute {
        /// The object.
        value: ExprId,
        /// The attribute, as written (private names are not mangled here).
        attr: NameId,
        /// Read, assigned or deleted.
        ctx: Context,
    },
    /// `value[slice]`
    Subscript {
        /// The container.
        value: ExprId,
        /// The key; `a[b:c]` is a [`Expr::Slice`], `a[b, c]` a [`Expr::Tuple`].
        slice: ExprId,
        /// Read, assigned or deleted.
        ctx: Context,
    },
    /// `*value`
    Starred {
        /// The iterable or target.
        value: ExprId,
        /// Read or assigned.
        ctx: Context,
    },
    /// A name.
    Name {
        /// The identifier, as written but NFKC-normalised.
        id: NameId,
        /// Read, assigned or deleted.
        ctx: Context,
    },
    /// `[a, b]`
    List {
        /// The items.
        elts: List<ExprId>,
        /// Read, assigned or deleted.
        ctx: Context,
    },
    /// `a, b` or `(a, b)`
    Tuple {
        /// The items.
        elts: List<ExprId>,
        /// Read, assigned or deleted.
        ctx: Context,
    },
    /// `lower:upper:step` in a subscript.
    Slice {
        /// The first index.
        lower: Option<ExprId>,
        /// The index after the last.
        upper: Option<ExprId>,
        /// The step.
        step: Option<ExprId>,
    },
}

/// A statement and where it stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StmtNode {
    /// What it is.
    pub kind: Stmt,
    /// Where it stands; a decorated definition starts at its `def` or `class`.
    pub span: Span,
}

/// What a statement is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Stmt {
    /// `def name[type_params](args) -> returns: body`
    FunctionDef {
        /// Whether `async` stands before it.
        is_async: bool,
        /// The name.
        name: NameId,
        /// The parameters.
        args: ArgumentsId,
        /// The statements.
        body: List<StmtId>,
        /// The decorators, the outermost first.
        decorator_list: List<ExprId>,
        /// The annotation of the result.
        returns: Option<ExprId>,
        /// The type parameters.
        type_params: List<TypeParam>,
    },
    /// `class name[type_params](bases, keywords): body`
    ClassDef {
        /// The name.
        name: NameId,
        /// The bases.
        bases: List<ExprId>,
        /// The keyword arguments.
        keywords: List<Keyword>,
        /// The statements.
        body: List<StmtId>,
        /// The decorators, the outermost first.
        decorator_list: List<ExprId>,
        /// The type parameters.
        type_params: List<TypeParam>,
    },
    /// `return value`
    Return {
        /// The value, if one is given.
        value: Option<ExprId>,
    },
    /// `del targets`
    Delete {
        /// What to delete.
        targets: List<ExprId>,
    },
    /// `a = b = value`
    Assign {
        /// The targets from left to right.
        targets: List<ExprId>,
        /// The value.
        value: ExprId,
    },
    /// `type name[type_params] = value`
    TypeAlias {
        /// The name, a [`Expr::Name`].
        name: ExprId,
        /// The type parameters.
        type_params: List<TypeParam>,
        /// The value, evaluated when asked for.
        value: ExprId,
    },
    /// `target op= value`
    AugAssign {
        /// A name, an attribute or a subscript.
        target: ExprId,
        /// The operator.
        op: Operator,
        /// The right operand.
        value: ExprId,
    },
    /// `target: annotation = value`
    AnnAssign {
        /// A name, an attribute or a subscript.
        target: ExprId,
        /// The annotation.
        annotation: ExprId,
        /// The value, if one is given.
        value: Option<ExprId>,
        /// Whether the target is a name without parentheses.
        simple: bool,
    },
    /// `for target in iter: body else: orelse`
    For {
        /// Whether `async` stands before it.
        is_async: bool,
        /// What each item is assigned to.
        target: ExprId,
        /// The iterable.
        iter: ExprId,
        /// The statements for each item.
        body: List<StmtId>,
        /// The statements after the last item.
        orelse: List<StmtId>,
    },
    /// `while test: body else: orelse`
    While {
        /// The condition.
        test: ExprId,
        /// The statements while it holds.
        body: List<StmtId>,
        /// The statements once it does not.
        orelse: List<StmtId>,
    },
    /// `if test: body else: orelse`; `elif` is an `If` alone in `orelse`.
    If {
        /// The condition.
        test: ExprId,
        /// The statements if it holds.
        body: List<StmtId>,
        /// The statements if not.
        orelse: List<StmtId>,
    },
    /// `with items: body`
    With {
        /// Whether `async` stands before it.
        is_async: bool,
        /// The context managers.
        items: List<WithItem>,
        /// The statements.
        body: List<StmtId>,
    },
    /// `match subject: cases`
    Match {
        /// What is matched.
        subject: ExprId,
        /// The cases.
        cases: List<MatchCase>,
    },
    /// `raise exc from cause`
    Raise {
        /// The exception, if one is given.
        exc: Option<ExprId>,
        /// Its cause.
        cause: Option<ExprId>,
    },
    /// `try: body except …: … else: orelse finally: finalbody`
    Try {
        /// Whether the handlers are `except*`.
        is_star: bool,
        /// The guarded statements.
        body: List<StmtId>,
        /// The handlers.
        handlers: List<ExceptHandler>,
        /// The statements when nothing was raised.
        orelse: List<StmtId>,
        /// The statements in any case.
        finalbody: List<StmtId>,
    },
    /// `assert test, msg`
    Assert {
        /// The condition.
        test: ExprId,
        /// The argument of the `AssertionError`.
        msg: Option<ExprId>,
    },
    /// `import names`
    Import {
        /// The modules.
        names: List<Alias>,
    },
    /// `from module import names`
    ImportFrom {
        /// The module without its leading dots, if one is named.
        module: Option<NameId>,
        /// The names; `*` alone for all.
        names: List<Alias>,
        /// The number of leading dots.
        level: u32,
    },
    /// `global names`
    Global {
        /// The names.
        names: List<NameId>,
    },
    /// `nonlocal names`
    Nonlocal {
        /// The names.
        names: List<NameId>,
    },
    /// An expression for its effect.
    Expr {
        /// The expression.
        value: ExprId,
    },
    /// `pass`
    Pass,
    /// `break`
    Break,
    /// `continue`
    Continue,
}

impl Stmt {
    /// Whether it has blocks.
    pub const fn is_compound(self) -> bool {
        matches!(
            self,
            Self::FunctionDef { .. }
                | Self::ClassDef { .. }
                | Self::For { .. }
                | Self::While { .. }
                | Self::If { .. }
                | Self::With { .. }
                | Self::Match { .. }
                | Self::Try { .. }
        )
    }
}

/// A pattern and where it stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PatternNode {
    /// What it is.
    pub kind: Pattern,
    /// Where it stands.
    pub span: Span,
}

/// What a pattern is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pattern {
    /// Equal to an expression: a number, a string, a dotted name.
    MatchValue {
        /// The expression.
        value: ExprId,
    },
    /// `None`, `True` or `False`, by identity.
    MatchSingleton {
        /// Which.
        value: Constant,
    },
    /// `[a, *b]` or `(a, b)` or `a, b`
    MatchSequence {
        /// The items.
        patterns: List<PatternId>,
    },
    /// `{key: pattern, **rest}`
    MatchMapping {
        /// The keys: constants or dotted names.
        keys: List<ExprId>,
        /// A pattern per key.
        patterns: List<PatternId>,
        /// The name that takes what is left.
        rest: Option<NameId>,
    },
    /// `cls(patterns, kwd_attrs=kwd_patterns)`
    MatchClass {
        /// The class.
        cls: ExprId,
        /// The positional patterns.
        patterns: List<PatternId>,
        /// The attributes.
        kwd_attrs: List<NameId>,
        /// A pattern per attribute.
        kwd_patterns: List<PatternId>,
    },
    /// `*name` in a sequence; `None` for `*_`.
    MatchStar {
        /// The name.
        name: Option<NameId>,
    },
    /// `pattern as name`, a name alone, or (neither) `_`.
    MatchAs {
        /// The pattern before `as`.
        pattern: Option<PatternId>,
        /// The name.
        name: Option<NameId>,
    },
    /// `a | b`
    MatchOr {
        /// The alternatives.
        patterns: List<PatternId>,
    },
}

/// One `for target in iter if …` of a comprehension.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Comprehension {
    /// What each item is assigned to.
    pub target: ExprId,
    /// The iterable.
    pub iter: ExprId,
    /// The conditions.
    pub ifs: List<ExprId>,
    /// Whether it is `async for`.
    pub is_async: bool,
}

/// One `except type as name: body`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ExceptHandler {
    /// What is caught; `None` for everything.
    pub type_: Option<ExprId>,
    /// The name the exception gets.
    pub name: Option<NameId>,
    /// The statements.
    pub body: List<StmtId>,
    /// Where it stands.
    pub span: Span,
}

/// The parameters of a function or lambda.
///
/// `defaults` belong to the last of `posonlyargs` and `args` together; `kw_defaults` has one entry
/// per keyword-only parameter.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Arguments {
    /// Those before `/`.
    pub posonlyargs: List<Arg>,
    /// Those that may be given either way.
    pub args: List<Arg>,
    /// `*args`
    pub vararg: Option<Arg>,
    /// Those after `*`.
    pub kwonlyargs: List<Arg>,
    /// The default of each of `kwonlyargs`.
    pub kw_defaults: List<Option<ExprId>>,
    /// `**kwargs`
    pub kwarg: Option<Arg>,
    /// The defaults of the last positional parameters.
    pub defaults: List<ExprId>,
}

/// One parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arg {
    /// The name.
    pub arg: NameId,
    /// The annotation.
    pub annotation: Option<ExprId>,
    /// Where it stands, without its default.
    pub span: Span,
}

/// One `arg=value` of a call; without a name it is `**value`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Keyword {
    /// The name.
    pub arg: Option<NameId>,
    /// The value.
    pub value: ExprId,
    /// Where it stands.
    pub span: Span,
}

/// One `name as asname` of an import.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Alias {
    /// The name, with dots if it is a module's; `*` for all names.
    pub name: NameId,
    /// The name it gets here.
    pub asname: Option<NameId>,
    /// Where it stands.
    pub span: Span,
}

/// One `context_expr as optional_vars` of a `with`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WithItem {
    /// The context manager.
    pub context_expr: ExprId,
    /// The target of what entering it returns.
    pub optional_vars: Option<ExprId>,
}

/// One `case pattern if guard: body`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MatchCase {
    /// The pattern.
    pub pattern: PatternId,
    /// The condition.
    pub guard: Option<ExprId>,
    /// The statements.
    pub body: List<StmtId>,
}

/// A type parameter and where it stands.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TypeParam {
    /// What it is.
    pub kind: TypeParamKind,
    /// The name.
    pub name: NameId,
    /// The default.
    pub default_value: Option<ExprId>,
    /// Where it stands.
    pub span: Span,
}

/// What a type parameter is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum TypeParamKind {
    /// `T: bound`
    TypeVar {
        /// The bound.
        bound: Option<ExprId>,
    },
    /// `**P`
    ParamSpec,
    /// `*Ts`
    TypeVarTuple,
}

/// What a source is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Root {
    /// A file: statements.
    Module {
        /// The statements.
        body: List<StmtId>,
    },
    /// What `eval` takes: one expression.
    Expression {
        /// The expression.
        body: ExprId,
    },
    /// One input at a prompt: one compound statement, or a line of simple ones.
    Interactive {
        /// The statements.
        body: List<StmtId>,
    },
}

/// The arena that owns a tree.
#[derive(Debug, Default)]
pub struct Ast {
    exprs: Vec<ExprNode>,
    stmts: Vec<StmtNode>,
    patterns: Vec<PatternNode>,
    arguments: Vec<Arguments>,
    lists: Lists,
    bytes: Vec<u8>,
    names: Vec<Box<str>>,
    name_ids: HashMap<Box<str>, NameId, BuildHasherDefault<WordHasher>>,
}

/// A fast hash for names and pairs of small numbers, which come from a source its user trusts.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct WordHasher(u64);

impl Hasher for WordHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u8(&mut self, byte: u8) {
        self.write_u64(u64::from(byte));
    }

    fn write_u64(&mut self, word: u64) {
        let product = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        self.0 = product ^ product >> 32;
    }
}

impl Ast {
    /// The expression.
    pub fn expr(&self, id: ExprId) -> ExprNode {
        self.exprs[id.index()]
    }

    /// The statement.
    pub fn stmt(&self, id: StmtId) -> StmtNode {
        self.stmts[id.index()]
    }

    /// The pattern.
    pub fn pattern(&self, id: PatternId) -> PatternNode {
        self.patterns[id.index()]
    }

    /// The parameter list.
    pub fn arguments(&self, id: ArgumentsId) -> Arguments {
        self.arguments[id.index()]
    }

    /// The items.
    pub fn list<T: Item>(&self, list: List<T>) -> &[T] {
        &T::pool(&self.lists)[list.start as usize..][..list.len()]
    }

    /// The identifier.
    pub fn name(&self, id: NameId) -> &str {
        &self.names[id.index()]
    }

    /// How many names there are: their ids' indices are below it.
    pub fn n_names(&self) -> usize {
        self.names.len()
    }

    /// The id of `name` if it occurs in this tree.
    pub fn find_name(&self, name: &str) -> Option<NameId> {
        self.name_ids.get(name).copied()
    }

    /// The bytes; of a string constant, its WTF-8.
    pub fn bytes(&self, bytes: Bytes) -> &[u8] {
        &self.bytes[bytes.start as usize..][..bytes.len()]
    }

    /// The text, unless it holds a lone surrogate.
    pub fn text(&self, bytes: Bytes) -> Option<&str> {
        std::str::from_utf8(self.bytes(bytes)).ok()
    }

    /// How many expressions there are: their ids' indices are below it.
    pub fn n_exprs(&self) -> usize {
        self.exprs.len()
    }

    /// How many statements there are: their ids' indices are below it.
    pub fn n_stmts(&self) -> usize {
        self.stmts.len()
    }

    /// Adds an expression.
    pub fn add_expr(&mut self, span: Span, kind: Expr) -> ExprId {
        self.exprs.push(ExprNode { kind, span });
        ExprId::from_index(self.exprs.len() - 1)
    }

    /// Adds a statement.
    pub fn add_stmt(&mut self, span: Span, kind: Stmt) -> StmtId {
        self.stmts.push(StmtNode { kind, span });
        StmtId::from_index(self.stmts.len() - 1)
    }

    /// Adds a pattern.
    pub fn add_pattern(&mut self, span: Span, kind: Pattern) -> PatternId {
        self.patterns.push(PatternNode { kind, span });
        PatternId::from_index(self.patterns.len() - 1)
    }

    /// Adds a parameter list.
    pub fn add_arguments(&mut self, arguments: Arguments) -> ArgumentsId {
        self.arguments.push(arguments);
        ArgumentsId::from_index(self.arguments.len() - 1)
    }

    /// Adds a list.
    pub fn add_list<T: Item>(&mut self, items: &[T]) -> List<T> {
        let pool = T::pool_mut(&mut self.lists);
        let start = u32::try_from(pool.len()).expect("a source is shorter than 4 GB, so are its lists");
        pool.extend_from_slice(items);
        List { start, len: items.len() as u32, of: PhantomData }
    }

    /// Adds bytes or text.
    pub fn add_bytes(&mut self, bytes: &[u8]) -> Bytes {
        let start = u32::try_from(self.bytes.len()).expect("literals are shorter than their source");
        self.bytes.extend_from_slice(bytes);
        Bytes { start, len: bytes.len() as u32 }
    }

    /// The id of `name`, which is already normalised.
    pub fn intern(&mut self, name: &str) -> NameId {
        if let Some(&id) = self.name_ids.get(name) {
            return id;
        }
        let id = NameId::from_index(self.names.len());
        self.names.push(name.into());
        self.name_ids.insert(name.into(), id);
        id
    }

    /// Replaces what an expression is.
    pub(crate) fn set_expr(&mut self, id: ExprId, kind: Expr) {
        self.exprs[id.index()].kind = kind;
    }

    /// Replaces where an expression stands.
    pub(crate) fn set_span(&mut self, id: ExprId, span: Span) {
        self.exprs[id.index()].span = span;
    }

    /// Replaces what a statement is.
    pub(crate) fn set_stmt(&mut self, id: StmtId, kind: Stmt) {
        self.stmts[id.index()].kind = kind;
    }
}

/// Declares what a [`List`] may hold, and the pool of each.
macro_rules! lists {
    ($($field:ident: $item:ty,)*) => {
        #[derive(Debug, Default)]
        #[doc(hidden)]
        pub struct Lists { $($field: Vec<$item>,)* }

        $(impl Item for $item {
            fn pool(lists: &Lists) -> &Vec<Self> {
                &lists.$field
            }

            fn pool_mut(lists: &mut Lists) -> &mut Vec<Self> {
                &mut lists.$field
            }
        })*
    };
}

/// What a [`List`] may hold.
pub trait Item: Copy {
    #[doc(hidden)]
    fn pool(lists: &Lists) -> &Vec<Self>;
    #[doc(hidden)]
    fn pool_mut(lists: &mut Lists) -> &mut Vec<Self>;
}

lists! {
    exprs: ExprId,
    optional_exprs: Option<ExprId>,
    stmts: StmtId,
    patterns: PatternId,
    names: NameId,
    operators: CmpOp,
    comprehensions: Comprehension,
    handlers: ExceptHandler,
    args: Arg,
    keywords: Keyword,
    aliases: Alias,
    with_items: WithItem,
    cases: MatchCase,
    type_params: TypeParam,
}

const _: () = assert!(size_of::<ExprNode>() <= 32 && size_of::<StmtNode>() <= 56);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_names_read_back() {
        let mut ast = Ast::default();
        let x = ast.intern("x");
        let y = ast.intern("y");
        assert_eq!(ast.intern("x"), x);
        let empty: List<NameId> = List::EMPTY;
        assert!(ast.list(empty).is_empty());
        let both = ast.add_list(&[x, y, x]);
        assert_eq!(ast.list(both), [x, y, x]);
        assert_eq!(ast.name(y), "y");
        assert_eq!(ast.find_name("z"), None);
    }
}
