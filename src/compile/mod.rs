//! From the tree of a program to units of instructions. Knows no objects.
//!
//! [`scope`] finds out who owns each name; then each construct has its file; [`assembler`] makes units of what they emit. Values are
//! wanted in a *destination*: a local register, or the first free temporary. An *operand* is a register to read: a local where it can be
//! borrowed, else a new temporary. [`expression`] has the rules.

mod assembler;
mod call;
mod class;
mod comprehension;
mod error;
mod exception;
mod expression;
mod fold;
mod function;
mod import;
mod names;
mod pattern;
mod scope;
mod statement;
#[cfg(test)]
mod tests;
mod type_param;
mod unparse;

use std::sync::Arc;

use scrip_grammar::ast::{Ast, NameId, Root, Span};
use scrip_grammar::{Parsed, SyntaxError};

use assembler::{Assembler, NOWHERE};
use error::{Failure, Result, StackLimit};
use exception::Block;
use names::{Name, Names};
use scope::{Place, ScopeId, ScopeKind, Scopes};

use crate::code::instruction::Instruction;
use crate::code::symbol::Symbol;
use crate::code::unit::{Body, Capture, Constant, FunctionSite, Unit, UnitFlags};

/// How a program is compiled.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Options {
    /// Annotations are kept as strings, as after `from __future__ import annotations`.
    pub future_annotations: bool,
    /// A module's body may await: then its unit is a coroutine's.
    pub top_level_await: bool,
    /// 1 leaves assertions out and makes `__debug__` false, 2 leaves docstrings out, too.
    pub optimize: u8,
    /// How many bytes of the native stack the compiler may use.
    pub stack_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { future_annotations: false, top_level_await: false, optimize: 0, stack_bytes: 1 << 20 }
    }
}

/// Compiles a program. A module's unit returns `None`, an expression's its value; an interactive one prints the values of its
/// expression statements. A tree that is too deep for the native stack is an error of kind `Recursion`.
pub(crate) fn compile(parsed: &Parsed, filename: &str, options: &Options) -> std::result::Result<Arc<Unit>, SyntaxError> {
    let stack = StackLimit::new(options.stack_bytes);
    let mut names = Names::new(&parsed.ast);
    let unit = Scopes::new(&parsed.ast, parsed.root, &mut names, options.top_level_await, stack).and_then(|scopes| {
        let future_annotations = parsed.future_annotations || options.future_annotations;
        let mut compiler = Compiler::new(parsed, names, scopes, filename, future_annotations, stack);
        compiler.optimize = options.optimize;
        compiler.program(parsed.root)
    });
    unit.map_err(|failure| failure.locate(parsed))
}

/// The state of a compilation.
struct Compiler<'a> {
    parsed: &'a Parsed,
    ast: &'a Ast,
    names: Names<'a>,
    scopes: Scopes,
    filename: Symbol,
    future_annotations: bool,
    optimize: u8,
    is_interactive: bool,
    stack: StackLimit,
    /// The scope of the code that is being compiled: the unit's, or an inlined comprehension's.
    scope: ScopeId,
    /// The class whose private names are mangled here.
    private: Option<Name>,
    asm: Assembler,
    /// What `return`, `break` and `continue` have to leave, outermost first.
    blocks: Vec<Block>,
    qualname: Symbol,
    /// How many positional parameters the function that is being compiled has.
    positional_parameters: u32,
    /// The units around the one that is being compiled.
    outer: Vec<Suspended>,
    known: Known,
}

/// A unit that waits for one inside it.
struct Suspended {
    scope: ScopeId,
    private: Option<Name>,
    asm: Assembler,
    blocks: Vec<Block>,
    qualname: Symbol,
}

/// Names that mean something to the compiler.
struct Known {
    range: Name,
    super_: Name,
    class_cell: Name,
}

/// What a finished unit needs besides its code.
struct Header {
    name: Symbol,
    qualname: Symbol,
    first_line: u32,
    flags: UnitFlags,
    n_positional_only: u16,
    n_positional: u16,
    n_keyword_only: u16,
}

/// A register as an operand; [`Assembler::finish`] refuses units with more than fit.
fn reg(register: u32) -> u16 {
    register as u16
}

impl<'a> Compiler<'a> {
    fn new(parsed: &'a Parsed, mut names: Names<'a>, scopes: Scopes, filename: &str, future_annotations: bool, stack: StackLimit) -> Self {
        let known = Known { range: names.intern("range"), super_: names.intern("super"), class_cell: names.intern("__class__") };
        let root = &scopes[ScopeId::ROOT];
        let asm = Assembler::new(ScopeId::ROOT, root.locals.len() as u32, root.unstable);
        Self {
            parsed,
            ast: &parsed.ast,
            names,
            scopes,
            filename: filename.into(),
            future_annotations,
            optimize: 0,
            is_interactive: false,
            stack,
            scope: ScopeId::ROOT,
            private: None,
            asm,
            blocks: Vec::new(),
            qualname: "<module>".into(),
            positional_parameters: 0,
            outer: Vec::new(),
            known,
        }
    }

    fn program(mut self, root: Root) -> Result<Arc<Unit>> {
        self.make_cells();
        match root {
            Root::Module { body } => {
                if self.scopes[self.scope].has_annotations {
                    self.emit(Instruction::SetupAnnotations {}, NOWHERE);
                }
                self.body_with_doc(body)?;
            }
            Root::Interactive { body } => {
                self.is_interactive = true;
                if self.scopes[self.scope].has_annotations {
                    self.emit(Instruction::SetupAnnotations {}, NOWHERE);
                }
                self.stmts(body)?;
            }
            Root::Expression { body } => {
                let src = self.operand(body)?;
                self.emit(Instruction::Return { src: reg(src) }, self.ast.expr(body).span);
                self.asm.end_of_flow();
            }
        }
        self.return_none(NOWHERE);
        let flags =
            UnitFlags { is_coroutine: self.scopes[self.scope].has_await, future_annotations: self.future_annotations, ..UnitFlags::default() };
        let header = Header {
            name: "<module>".into(),
            qualname: "<module>".into(),
            first_line: 1,
            flags,
            n_positional_only: 0,
            n_positional: 0,
            n_keyword_only: 0,
        };
        self.finish(header)
    }

    // ---- units

    /// Starts the unit of `scope`.
    fn enter(&mut self, scope: ScopeId, qualname: Symbol) {
        let new = &self.scopes[scope];
        let asm = Assembler::new(scope, new.locals.len() as u32, new.unstable);
        self.outer.push(Suspended {
            scope: self.scope,
            private: self.private,
            asm: std::mem::replace(&mut self.asm, asm),
            blocks: std::mem::take(&mut self.blocks),
            qualname: std::mem::replace(&mut self.qualname, qualname),
        });
        self.scope = scope;
        self.make_cells();
    }

    /// Ends the unit that [`Self::enter`] started.
    fn leave(&mut self, header: Header) -> Result<Arc<Unit>> {
        let unit = self.finish(header)?;
        let outer = self.outer.pop().expect("a unit that was entered has one around it");
        self.scope = outer.scope;
        self.private = outer.private;
        self.asm = outer.asm;
        self.blocks = outer.blocks;
        self.qualname = outer.qualname;
        Ok(unit)
    }

    fn finish(&mut self, header: Header) -> Result<Arc<Unit>> {
        let too_large = |message| {
            let message = format!("{message} ('{}')", header.qualname);
            let start = self.parsed.lines.start(header.first_line).unwrap_or(0);
            Failure::syntax(message, Span::new(start, start))
        };
        let assembled = self.asm.finish(&self.parsed.lines).map_err(too_large)?;
        let scope = &self.scopes[self.asm.scope];
        let names = &mut self.names;
        let flags = UnitFlags { is_nested: scope.is_nested, ..header.flags };
        let body = Body {
            n_positional_only: header.n_positional_only,
            n_positional: header.n_positional,
            n_keyword_only: header.n_keyword_only,
            locals: scope.locals.iter().map(|&name| names.shared(name)).collect(),
            is_cell: scope.is_cell.clone(),
            free: scope.free.iter().map(|&name| names.shared(name)).collect(),
            n_registers: assembled.n_registers,
            constants: std::mem::take(&mut self.asm.constants).into(),
            sites: std::mem::take(&mut self.asm.sites).into(),
            functions: std::mem::take(&mut self.asm.functions),
            code: assembled.code.into(),
            handlers: assembled.handlers,
            positions: assembled.positions,
        };
        let unit = Unit::new(header.name, header.qualname, self.filename.clone(), header.first_line, flags, body);
        #[cfg(debug_assertions)]
        if let Err(problem) = crate::code::verify::verify(&unit) {
            panic!("{problem}\n{}", crate::code::disassemble::disassemble(&unit));
        }
        Ok(Arc::new(unit))
    }

    /// Turns the scope's captured variables into cells.
    fn make_cells(&mut self) {
        for register in 0..self.scopes[self.scope].n_own_locals {
            if self.scopes[self.scope].is_cell[register as usize] {
                self.emit(Instruction::MakeCell { local: reg(register) }, NOWHERE);
            }
        }
    }

    /// Makes a function of `unit` in `dst`; what `flags` of the site announce stands from `base` on.
    fn make_function(&mut self, unit: Arc<Unit>, scope: ScopeId, dst: u32, base: u32, [defaults, keywords, annotations]: [bool; 3], span: Span) {
        let free = self.scopes[scope].free.clone();
        let captures = (free.into_iter())
            .map(|name| match self.scopes.capture(self.scope, name) {
                Place::Cell(register) => Capture::Local(reg(register)),
                Place::Free(index) => Capture::Free(index as u16),
                place => unreachable!("a captured variable is a cell, not {place:?}"),
            })
            .collect();
        self.asm.functions.push(FunctionSite {
            unit,
            has_defaults: defaults,
            has_keyword_defaults: keywords,
            has_annotations: annotations,
            captures,
        });
        let function = self.asm.functions.len() as u32 - 1;
        self.emit(Instruction::MakeFunction { dst: reg(dst), base: reg(base), function }, span);
    }

    /// The `__qualname__` of a definition called `name`, as it stands in the scope that is being compiled.
    fn qualify(&mut self, name: Name, is_definition: bool) -> Symbol {
        let text = self.names.shared(name);
        let mangled = self.names.mangle(self.private, name);
        let (mut scope, mut qualname) = (self.asm.scope, self.qualname.clone());
        if self.scopes[scope].kind == ScopeKind::TypeParams
            && let Some(outer) = self.outer.last()
        {
            (scope, qualname) = (outer.asm.scope, outer.qualname.clone());
        }
        if scope == ScopeId::ROOT || is_definition && self.scopes.is_declared_global(scope, mangled) {
            return text;
        }
        let is_function = matches!(self.scopes[scope].kind, ScopeKind::Function | ScopeKind::Lambda);
        let between = if is_function { ".<locals>." } else { "." };
        format!("{qualname}{between}{text}").into()
    }

    // ---- emission

    fn emit(&mut self, instruction: Instruction, span: Span) {
        self.asm.emit(instruction, span);
    }

    fn load_const(&mut self, constant: Constant, dst: u32, span: Span) {
        let index = self.asm.constant(constant);
        self.emit(Instruction::LoadConst { dst: reg(dst), index }, span);
    }

    fn load_str(&mut self, text: &str, dst: u32, span: Span) {
        self.load_const(Constant::Str(text.into()), dst, span);
    }

    fn return_none(&mut self, span: Span) {
        let index = if self.asm.reachable { self.asm.constant(Constant::None) } else { 0 };
        self.emit(Instruction::ReturnConst { index }, span);
        self.asm.end_of_flow();
    }

    fn site(&mut self, name: Name) -> u32 {
        let text = self.names.shared(name);
        self.asm.site(text)
    }

    fn name(&mut self, id: NameId) -> Name {
        let name = self.names.of(id);
        self.names.mangle(self.private, name)
    }

    fn line(&self, span: Span) -> u32 {
        self.parsed.lines.line(span.start)
    }

    /// Whether a span reaches over a line's end.
    fn is_multiline(&self, span: Span) -> bool {
        let text = &self.parsed.source.as_bytes()[span.start as usize..span.end as usize];
        text.iter().any(|&byte| byte == b'\n' || byte == b'\r')
    }

    // ---- names

    fn load_name(&mut self, name: Name, dst: u32, span: Span) {
        let place = self.scopes.lookup(self.scope, name);
        let dst16 = reg(dst);
        match place {
            Place::Local(local) => {
                if local != dst || !self.asm.is_bound(local) {
                    self.emit(Instruction::Move { dst: dst16, src: reg(local) }, span);
                }
                self.asm.set_bound(local);
            }
            Place::Cell(cell) => self.emit(Instruction::LoadCell { dst: dst16, cell: reg(cell) }, span),
            Place::Free(free) => self.emit(Instruction::LoadFree { dst: dst16, free: free as u16 }, span),
            Place::Global => {
                let names = &mut self.names;
                let site = self.asm.global_site(name, || names.shared(name));
                self.emit(Instruction::LoadGlobal { dst: dst16, site }, span);
            }
            Place::Name => {
                let names = &mut self.names;
                let site = self.asm.global_site(name, || names.shared(name));
                self.emit(Instruction::LoadName { dst: dst16, site }, span);
            }
            Place::FreeOrName(free) => {
                let site = self.site(name);
                self.emit(Instruction::LoadFreeOrName { dst: dst16, free: free as u16, site }, span);
            }
            Place::ClassOrGlobal | Place::ClassOrFree(_) => {
                // A scope that sees a class is never one that borrows: its destination is a temporary or moved from one.
                let base = if self.asm.is_local(dst) { self.asm.top } else { dst };
                self.asm.reserve(base + 1);
                let class_dict = self.names.intern("__classdict__");
                self.load_name(class_dict, base, span);
                let site = self.site(name);
                let instruction = match place {
                    Place::ClassOrFree(free) => Instruction::LoadMappingOrFree { base: reg(base), free: free as u16, site },
                    _ => Instruction::LoadMappingOrGlobal { base: reg(base), site },
                };
                self.emit(instruction, span);
                self.settle(dst, base, span);
            }
        }
    }

    /// Stores what is in `src`, which is consumed when it is a temporary.
    fn store_name(&mut self, name: Name, src: u32, span: Span) {
        match self.scopes.lookup(self.scope, name) {
            Place::Local(local) => {
                if local != src {
                    self.emit(Instruction::Move { dst: reg(local), src: reg(src) }, span);
                }
                self.asm.set_bound(local);
            }
            Place::Cell(cell) => self.emit(Instruction::StoreCell { cell: reg(cell), src: reg(src) }, span),
            Place::Free(free) => self.emit(Instruction::StoreFree { free: free as u16, src: reg(src) }, span),
            Place::Name | Place::FreeOrName(_) => {
                let site = self.site(name);
                self.emit(Instruction::StoreName { src: reg(src), site }, span);
            }
            Place::Global | Place::ClassOrGlobal | Place::ClassOrFree(_) => {
                let site = self.site(name);
                self.emit(Instruction::StoreGlobal { src: reg(src), site }, span);
            }
        }
    }

    fn delete_name(&mut self, name: Name, span: Span) {
        match self.scopes.lookup(self.scope, name) {
            Place::Local(local) => {
                self.emit(Instruction::DeleteLocal { local: reg(local) }, span);
                self.asm.set_unbound(local);
            }
            Place::Cell(cell) => self.emit(Instruction::DeleteCell { cell: reg(cell) }, span),
            Place::Free(free) => self.emit(Instruction::DeleteFree { free: free as u16 }, span),
            Place::Name | Place::FreeOrName(_) => {
                let site = self.site(name);
                self.emit(Instruction::DeleteName { site }, span);
            }
            Place::Global | Place::ClassOrGlobal | Place::ClassOrFree(_) => {
                let site = self.site(name);
                self.emit(Instruction::DeleteGlobal { site }, span);
            }
        }
    }

    /// Moves a value that was made in `src` to where it is wanted.
    fn settle(&mut self, dst: u32, src: u32, span: Span) {
        if dst != src {
            self.emit(Instruction::Move { dst: reg(dst), src: reg(src) }, span);
        }
    }
}
