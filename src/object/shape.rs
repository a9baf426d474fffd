//! Shapes (hidden classes): which attribute of a plain instance is in which slot. A shape belongs to one class, so a cached shape number
//! proves class and layout at once; what a cache may conclude from the class is withdrawn by flushing all caches when a class they rely on changes.
//!
//! The shapes of a class go with it. A number that was a shape's is given out again only after all caches were flushed, so no cache ever takes another
//! class's shape for the one it knew.

use super::value::Value;
use super::word::Word;

/// One shape.
pub(crate) struct Shape {
    /// Attribute names, by slot from `first_slot` on.
    names: Vec<Value>,
    first_slot: u16,
    transitions: Vec<(Word, u32)>,
    /// The class's shape without attributes.
    root: u32,
    /// Of a root: how many shapes were made from it.
    n_shapes: u32,
}

/// The most shapes that follow one shape, and that one class has in all: instances that are used as dictionaries, each with other names, become such.
const MOST_TRANSITIONS: usize = 64;
const MOST_SHAPES: u32 = 1024;

/// The shapes of an interpreter. Number 0 is no shape: an instance that keeps its attributes in a dict.
pub(crate) struct ShapeTable {
    shapes: Vec<Shape>,
    /// Numbers of freed shapes that caches may still know.
    unusable: Vec<u32>,
    /// Numbers of freed shapes that no cache knows.
    usable: Vec<u32>,
}

impl Default for ShapeTable {
    fn default() -> Self {
        let mut table = Self { shapes: Vec::new(), unusable: Vec::new(), usable: Vec::new() };
        table.new_root(0);
        table
    }
}

impl ShapeTable {
    /// A new shape without attributes; slots below `first_slot` belong to `__slots__`.
    pub(crate) fn new_root(&mut self, first_slot: u16) -> u32 {
        let root = self.add(Shape { names: Vec::new(), first_slot, transitions: Vec::new(), root: 0, n_shapes: 0 });
        self.shapes[root as usize].root = root;
        root
    }

    fn add(&mut self, shape: Shape) -> u32 {
        if let Some(number) = self.usable.pop() {
            self.shapes[number as usize] = shape;
            return number;
        }
        self.shapes.push(shape);
        self.shapes.len() as u32 - 1
    }

    /// Frees the shapes of a class that has died.
    pub(crate) fn free(&mut self, root: u32) {
        let mut pending = vec![root];
        while let Some(number) = pending.pop() {
            let shape = &mut self.shapes[number as usize];
            shape.names = Vec::new();
            pending.extend(std::mem::take(&mut shape.transitions).into_iter().map(|(_, next)| next));
            self.unusable.push(number);
        }
    }

    /// How many numbers wait for the caches to be flushed.
    pub(crate) fn n_unusable(&self) -> usize {
        self.unusable.len()
    }

    /// All caches were flushed: every freed number may be given out again.
    pub(crate) fn caches_were_flushed(&mut self) {
        self.usable.append(&mut self.unusable);
    }

    /// The slot of an attribute. Names are interned, so identity decides.
    #[inline]
    pub(crate) fn slot(&self, shape: u32, name: &Value) -> Option<usize> {
        let shape = &self.shapes[shape as usize];
        shape.names.iter().position(|known| known.is(name)).map(|place| place + usize::from(shape.first_slot))
    }

    /// How many slots are in use.
    pub(crate) fn used(&self, shape: u32) -> usize {
        let shape = &self.shapes[shape as usize];
        shape.names.len() + usize::from(shape.first_slot)
    }

    /// The attributes in order, with their slots.
    pub(crate) fn names(&self, shape: u32) -> Vec<(Value, usize)> {
        let shape = &self.shapes[shape as usize];
        shape.names.iter().enumerate().map(|(place, name)| (name.clone(), place + usize::from(shape.first_slot))).collect()
    }

    /// The shape with one attribute more; `None` when there are so many that a dict serves better.
    pub(crate) fn with(&mut self, shape: u32, name: &Value) -> Option<u32> {
        let from = &self.shapes[shape as usize];
        if let Some((_, next)) = from.transitions.iter().find(|(known, _)| *known == name.word()) {
            return Some(*next);
        }
        let (first_slot, root) = (from.first_slot, from.root);
        if from.transitions.len() == MOST_TRANSITIONS || self.shapes[root as usize].n_shapes == MOST_SHAPES {
            return None;
        }
        let mut names = from.names.clone();
        names.push(name.clone());
        let next = self.add(Shape { names, first_slot, transitions: Vec::new(), root, n_shapes: 0 });
        self.shapes[root as usize].n_shapes += 1;
        self.shapes[shape as usize].transitions.push((name.word(), next));
        Some(next)
    }
}
