//! `import` in its forms.

use scrip_grammar::ast::{Alias, NameId, Span};

use super::error::Result;
use super::{Compiler, reg};
use crate::code::instruction::Instruction as I;
use crate::code::unit::Constant;

impl Compiler<'_> {
    /// `import a.b, c as d`
    pub(super) fn import(&mut self, aliases: &[Alias], span: Span) -> Result {
        for alias in aliases {
            let module = self.asm.top;
            self.import_name(Some(alias.name), 0, Constant::None, span);
            let text = self.ast.name(alias.name);
            let mut parts = text.split('.');
            let first = parts.next().unwrap_or(text);
            let stored = match alias.asname {
                // `import a.b.c as d` is `a.b.c`, found step by step.
                Some(asname) => {
                    for part in parts {
                        self.asm.set_top(module + 2);
                        let name = self.names.intern(part);
                        let name = self.names.mangle(self.private, name);
                        let site = self.site(name);
                        let (dst, src) = (reg(module + 1), reg(module));
                        self.emit(I::ImportFrom { dst, module: src, site }, span);
                        self.emit(I::Release { src }, span);
                        self.emit(I::Move { dst: src, src: dst }, span);
                    }
                    self.name(asname)
                }
                None => {
                    let name = self.names.intern(first);
                    self.names.mangle(self.private, name)
                }
            };
            self.store_name(stored, module, span);
            self.asm.top = module;
        }
        Ok(())
    }

    /// `from module import a, b as c`
    pub(super) fn import_from(&mut self, module: Option<NameId>, aliases: &[Alias], level: u32, span: Span) -> Result {
        let base = self.asm.top;
        let names = aliases.iter().map(|alias| {
            let name = self.names.of(alias.name);
            Constant::Str(self.names.shared(name))
        });
        let names = Constant::Tuple(names.collect());
        self.import_name(module, level, names, span);
        if aliases.first().is_some_and(|alias| self.ast.name(alias.name) == "*") {
            self.emit(I::ImportStar { module: reg(base) }, span);
            return Ok(());
        }
        for alias in aliases {
            let name = self.name(alias.name);
            let stored = alias.asname.map_or(name, |asname| self.name(asname));
            let local = self.local_place(stored);
            let dst = match local {
                Some(local) => local,
                None => self.asm.push(),
            };
            let site = self.site(name);
            self.emit(I::ImportFrom { dst: reg(dst), module: reg(base), site }, span);
            self.store_name(stored, dst, span);
            self.asm.set_top(base + 1);
        }
        self.emit(I::Release { src: reg(base) }, span);
        self.asm.top = base;
        Ok(())
    }

    /// Puts the module into a new temporary.
    fn import_name(&mut self, module: Option<NameId>, level: u32, names: Constant, span: Span) {
        let base = self.asm.top;
        self.asm.set_top(base + 2);
        self.load_const(Constant::Int(i64::from(level)), base, span);
        self.load_const(names, base + 1, span);
        let name = match module {
            Some(module) => self.name(module),
            None => self.names.intern(""),
        };
        let site = self.site(name);
        self.emit(I::ImportName { dst: reg(base), base: reg(base), site }, span);
        self.asm.set_top(base + 1);
    }
}
