//! Names as small numbers: those of the tree under their own ids, and those that the compiler makes (mangled or implicit ones).

use crate::code::symbol::Symbol;

use rustc_hash::FxHashMap;
use scrip_grammar::ast::{Ast, NameId};

/// A name. Equal names have equal numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Name(u32);

/// All names of one compilation.
pub(super) struct Names<'a> {
    ast: &'a Ast,
    /// For a name of the tree, its id once it was met.
    ids: Vec<Option<NameId>>,
    /// The shared text of a name once it was asked for; then those that are not in the tree.
    texts: Vec<Option<Symbol>>,
    made: FxHashMap<Symbol, Name>,
    mangled: FxHashMap<(Name, Name), Name>,
}

impl<'a> Names<'a> {
    pub(super) fn new(ast: &'a Ast) -> Self {
        let n_names = ast.n_names();
        Self { ast, ids: vec![None; n_names], texts: vec![None; n_names], made: FxHashMap::default(), mangled: FxHashMap::default() }
    }

    /// A name of the tree.
    pub(super) fn of(&mut self, id: NameId) -> Name {
        self.ids[id.index()] = Some(id);
        Name(id.index() as u32)
    }

    /// The name with this text.
    pub(super) fn intern(&mut self, text: &str) -> Name {
        if let Some(id) = self.ast.find_name(text) {
            return self.of(id);
        }
        if let Some(&name) = self.made.get(text) {
            return name;
        }
        let text: Symbol = text.into();
        let name = Name(self.texts.len() as u32);
        self.texts.push(Some(text.clone()));
        self.made.insert(text, name);
        name
    }

    /// Its text.
    pub(super) fn text(&self, name: Name) -> &str {
        match self.ids.get(name.0 as usize) {
            Some(id) => self.ast.name(id.expect("a name of the tree is made by `of`, which notes its id")),
            None => self.texts[name.0 as usize].as_deref().expect("made names have their text"),
        }
    }

    /// Its text, shared.
    pub(super) fn shared(&mut self, name: Name) -> Symbol {
        if let Some(text) = &self.texts[name.0 as usize] {
            return text.clone();
        }
        let text: Symbol = self.text(name).into();
        self.texts[name.0 as usize] = Some(text.clone());
        text
    }

    /// `name` as it is called inside class `class`: private names get the class's name in front.
    pub(super) fn mangle(&mut self, class: Option<Name>, name: Name) -> Name {
        let Some(class) = class else { return name };
        let text = self.text(name);
        if !text.starts_with("__") || text.ends_with("__") || text.contains('.') {
            return name;
        }
        if let Some(&mangled) = self.mangled.get(&(class, name)) {
            return mangled;
        }
        let class_text = self.text(class).trim_start_matches('_');
        let mangled = if class_text.is_empty() {
            name
        } else {
            let text = format!("_{class_text}{text}");
            self.intern(&text)
        };
        self.mangled.insert((class, name), mangled);
        mangled
    }
}
