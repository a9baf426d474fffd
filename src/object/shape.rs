//! Shapes (hidden classes): which attribute of a plain instance is in which slot. A shape belongs to one class, so a cached shape number
//! proves class and layout at once; what a cache may conclude from the class is withdrawn by flushing all caches when a class they rely on changes.

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
}

impl Default for ShapeTable {
    fn default() -> Self {
        let mut table = Self { shapes: Vec::new() };
        table.new_root(0);
        table
    }
}

impl ShapeTable {
    /// A new shape without attributes; slots below `first_slot` belong to `__slots__`.
    pub(crate) fn new_root(&mut self, first_slot: u16) -> u32 {
        let root = self.shapes.len() as u32;
        self.shapes.push(Shape { names: Vec::new(), first_slot, transitions: Vec::new(), root, n_shapes: 0 });
        root
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
        self.shapes.push(Shape { names, first_slot, transitions: Vec::new(), root, n_shapes: 0 });
        self.shapes[root as usize].n_shapes += 1;
        let next = self.shapes.len() as u32 - 1;
        self.shapes[shape as usize].transitions.push((name.word(), next));
        Some(next)
    }
}
