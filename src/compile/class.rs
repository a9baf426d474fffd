//! Classes: the call of `__build_class__`, and their bodies.

use std::sync::Arc;

use scrip_grammar::ast::{Span, Stmt, StmtId};

use super::error::{Failure, Result};
use super::scope::Node;
use super::{Compiler, Header, NOWHERE, Name, Place, reg};
use crate::code::instruction::{Instruction as I, Intrinsic};
use crate::code::unit::{Constant, Unit, UnitFlags};

impl Compiler<'_> {
    /// `class`
    pub(super) fn class_def(&mut self, id: StmtId) -> Result {
        let node = self.ast.stmt(id);
        let Stmt::ClassDef { name, decorator_list, type_params, .. } = node.kind else {
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
        if type_params.is_empty() {
            self.build_class(id, name, first_line, span)?;
        } else {
            let scope = self.scopes.of(Node::Params(id));
            let base = self.asm.push();
            self.enter_type_params(name, scope);
            let positional = std::mem::take(&mut self.positional_parameters);
            let private = self.private;
            self.private = Some(name);
            let params = self.asm.top;
            self.type_params(type_params, span)?;
            self.private = private;
            self.asm.set_top(params + 1);
            let type_params_name = self.names.intern(".type_params");
            self.store_name(type_params_name, params, span);
            self.asm.set_top(params);
            self.build_class(id, name, first_line, span)?;
            self.emit(I::Return { src: reg(params) }, span);
            self.asm.end_of_flow();
            self.positional_parameters = positional;
            let unit = self.leave_type_params(name, first_line, 0)?;
            self.make_function(unit, scope, base, base, [false; 3], span);
            self.emit(I::Call { base: reg(base), argc: 0, names: 0 }, span);
        }
        self.decorate(decorators);
        let mangled = self.names.mangle(self.private, name);
        self.store_name(mangled, mark, span);
        self.asm.top = mark;
        Ok(())
    }

    /// Makes the class in a new temporary.
    fn build_class(&mut self, id: StmtId, name: Name, first_line: u32, span: Span) -> Result {
        let Stmt::ClassDef { bases, keywords, type_params, .. } = self.ast.stmt(id).kind else {
            return Ok(());
        };
        let base = self.asm.push();
        self.emit(I::LoadBuildClass { dst: reg(base) }, span);
        let function = self.asm.push();
        let unit = self.class_unit(id, name, first_line)?;
        let scope = self.scopes.of(Node::Stmt(id));
        self.make_function(unit, scope, function, function, [false; 3], span);
        let text = self.names.shared(name);
        let name_register = self.asm.push();
        self.load_const(Constant::Str(text), name_register, span);
        let mut extra = None;
        if !type_params.is_empty() {
            let type_params_name = self.names.intern(".type_params");
            let generic_base = self.names.intern(".generic_base");
            let register = self.asm.push();
            self.load_name(type_params_name, register, span);
            let k = Intrinsic::SubscriptGeneric as u8;
            self.emit(I::Intrinsic { dst: reg(register), src: reg(register), k }, span);
            self.store_name(generic_base, register, span);
            self.asm.set_top(register);
            extra = Some(generic_base);
        }
        self.arguments(base, 2, self.ast.list(bases), self.ast.list(keywords), extra, span)?;
        self.asm.set_top(base + 1);
        Ok(())
    }

    fn class_unit(&mut self, id: StmtId, name: Name, first_line: u32) -> Result<Arc<Unit>> {
        let Stmt::ClassDef { body, type_params, .. } = self.ast.stmt(id).kind else {
            return Err(Failure::syntax("not a class", self.ast.stmt(id).span));
        };
        let scope = self.scopes.of(Node::Stmt(id));
        let qualname = self.qualify(name, true);
        self.enter(scope, qualname);
        self.private = Some(name);
        let positional = std::mem::take(&mut self.positional_parameters);
        // The implicit assignments stand at the start of the first line.
        let start = self.parsed.lines.start(first_line).unwrap_or(0);
        let here = Span::new(start, start);
        let value = self.asm.top;
        self.asm.reserve(value + 1);
        let module = self.names.intern("__name__");
        self.load_name(module, value, here);
        self.store_implicit("__module__", value, here);
        let qualname = self.qualname.clone();
        self.load_const(Constant::Str(qualname), value, here);
        self.store_implicit("__qualname__", value, here);
        self.load_const(Constant::Int(i64::from(first_line)), value, here);
        self.store_implicit("__firstlineno__", value, here);
        if !type_params.is_empty() {
            let type_params_name = self.names.intern(".type_params");
            self.load_name(type_params_name, value, here);
            self.store_implicit("__type_params__", value, here);
        }
        let class_dict = self.names.intern("__classdict__");
        if self.scopes[scope].needs_class_dict
            && let Place::Cell(cell) = self.scopes.capture(scope, class_dict)
        {
            self.emit(I::LoadLocals { dst: reg(value) }, here);
            self.emit(I::StoreCell { cell: reg(cell), src: reg(value) }, here);
        }
        if self.scopes[scope].has_annotations {
            self.emit(I::SetupAnnotations {}, here);
        }
        self.body_with_doc(body)?;
        let attributes: Vec<Name> = self.scopes[scope].static_attributes.clone();
        let mut names: Vec<_> = attributes.into_iter().map(|name| self.names.shared(name)).collect();
        names.sort_unstable();
        let items = names.into_iter().map(Constant::Str).collect();
        self.load_const(Constant::Tuple(items), value, NOWHERE);
        self.store_implicit("__static_attributes__", value, NOWHERE);
        if self.scopes[scope].needs_class_dict
            && let Place::Cell(cell) = self.scopes.capture(scope, class_dict)
        {
            self.store_implicit("__classdictcell__", cell, NOWHERE);
        }
        if self.scopes[scope].needs_class_cell
            && let Place::Cell(cell) = self.scopes.capture(scope, self.known.class_cell)
        {
            self.store_implicit("__classcell__", cell, NOWHERE);
            self.emit(I::Return { src: reg(cell) }, NOWHERE);
            self.asm.end_of_flow();
        }
        self.return_none(NOWHERE);
        let flags = UnitFlags { is_class_body: true, future_annotations: self.future_annotations, ..UnitFlags::default() };
        self.positional_parameters = positional;
        let header = Header {
            name: self.names.shared(name),
            qualname: self.qualname.clone(),
            first_line,
            flags,
            n_positional_only: 0,
            n_positional: 0,
            n_keyword_only: 0,
        };
        self.leave(header)
    }

    /// Stores into the class's namespace.
    fn store_implicit(&mut self, name: &str, src: u32, span: Span) {
        let name = self.names.intern(name);
        let site = self.site(name);
        self.emit(I::StoreName { src: reg(src), site }, span);
    }
}
