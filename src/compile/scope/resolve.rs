//! The second pass: where each name lives, and the layout of registers.

use scrip_grammar::ast::Span;

use super::{Place, ScopeId, ScopeKind, Scopes, Symbol, flag};
use crate::compile::error::{Failure, Result};
use crate::compile::names::{Name, Names};

/// Decides for each name of each scope where it lives.
pub(super) fn resolve(scopes: &mut Scopes, names: &Names<'_>) -> Result<()> {
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
