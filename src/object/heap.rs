//! Heap objects: their header, the slab allocator they live in, and the only code that touches a reference count.
//!
//! - **H1** A [`Value`] that is a pointer owns one count of its object, so the object lives while the `Value` does. A word in a register,
//!   or in a payload's `Value` field, is such an owner too. A count has 32 bits and never wraps, because so many owners need more memory than an
//!   interpreter may have (`MOST_MEMORY` in `gil/scheduler.rs`).
//! - **H2** Counts are touched only by a thread that holds the interpreter's GIL: `Value` is not `Send`, and a `Vm` exists only attached.
//! - **H3** Every object lies in a page of its heap, aligned to [`PAGE`]; the page's header names the heap. A cell whose layout is
//!   `Layout::Free` holds no object.
//! - **H4** An object's `layout` is fixed when it is allocated and says which payload follows its header.
//! - **H5** Freeing an object never runs script code: what has a finaliser or weak references goes onto the dead list, which the
//!   VM drains after the instruction or native that released it. Payloads drop by Rust's rules, which only release more.
//! - **H6** Payload references are given out only by [`super::value::Ref`], bound to a borrow of the `Vm`.
#![allow(unsafe_code, reason = "reference counts and raw cells; see H1 to H6")]

use std::alloc::{Layout as Block, alloc, dealloc, handle_alloc_error};
use std::cell::{Cell, RefCell};
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering::Relaxed};

use super::account::Account;
use super::instance::Instance;
use super::layout::{LAYOUTS, Layout, Payload};
use super::type_object::Type;
use super::value::Value;
use super::word::Word;

/// Bytes of a page, and its alignment.
pub(crate) const PAGE: usize = 64 * 1024;
/// Pages are asked for in blocks of so many: fewer calls of the system, and what is not used is not touched.
const PAGES_IN_BLOCK: usize = 8;
/// Cells are multiples of this many bytes.
const GRAIN: usize = 16;
/// The largest cell.
pub(crate) const MAX_CELL: usize = 8192;
const N_CLASSES: usize = MAX_CELL / GRAIN + 1;
/// How deep frees may nest before the rest waits in a list.
const MAX_FREE_DEPTH: u32 = 64;

/// Bits of a header's `flags`.
pub(crate) mod flag {
    /// `__del__` has run, or the finaliser of a generator: not again (PEP 442).
    pub(crate) const FINALIZED: u8 = 2;
    /// Weak references to it are in the heap's table.
    pub(crate) const HAS_WEAKREFS: u8 = 4;
    /// To be finalised before it is freed.
    pub(crate) const NEEDS_FINALIZER: u8 = 8;
    /// An interned string: the intern table has it (uncounted) and must forget it.
    pub(crate) const INTERNED: u8 = 16;
    /// Waits on the dead list.
    pub(crate) const DEAD: u8 = 32;
    /// An interned string that is the name of a site in some code: inline caches may know something about it.
    pub(crate) const SITE_NAME: u8 = 64;
}

/// What stands before every payload.
#[repr(C)]
pub(crate) struct Header {
    count: AtomicU32,
    flags: AtomicU8,
    lock: AtomicU8,
    layout: Cell<u16>,
    type_object: Cell<*mut Object<Type>>,
}

const _: () = assert!(size_of::<Header>() == 16);

/// An object: header and payload.
#[repr(C)]
pub(crate) struct Object<T> {
    pub(super) header: Header,
    pub(crate) payload: T,
}

impl Header {
    #[inline(always)]
    pub(crate) fn count(&self) -> u32 {
        self.count.load(Relaxed)
    }
    #[inline(always)]
    pub(crate) fn layout_id(&self) -> u16 {
        self.layout.get()
    }
    #[inline(always)]
    pub(crate) fn flags(&self) -> u8 {
        self.flags.load(Relaxed)
    }
    pub(crate) fn set_flag(&self, bit: u8) {
        self.flags.store(self.flags.load(Relaxed) | bit, Relaxed);
    }
    pub(crate) fn clear_flag(&self, bit: u8) {
        self.flags.store(self.flags.load(Relaxed) & !bit, Relaxed);
    }
    #[inline(always)]
    pub(crate) fn type_pointer(&self) -> *mut Object<Type> {
        self.type_object.get()
    }
}

/// Takes one more count of the object in `word`, if it is one.
#[inline(always)]
pub(crate) fn retain(word: Word) {
    if let Some(header) = word.pointer() {
        // SAFETY: the caller owns or borrows a count of it, so it lives (H1, H2).
        let count = unsafe { &(*header).count };
        count.store(count.load(Relaxed).wrapping_add(1), Relaxed);
    }
}

/// Gives one count of the object in `word` back, if it is one; the caller owned it.
#[inline(always)]
pub(crate) fn release(word: Word) {
    if let Some(header) = word.pointer() {
        // SAFETY: the caller owned a count of it, so it lives until here (H1, H2).
        let count = unsafe { &(*header).count };
        let left = count.load(Relaxed).wrapping_sub(1);
        count.store(left, Relaxed);
        if left == 0 {
            // SAFETY: that was the last count (H1).
            unsafe { free_unreferenced(header) };
        }
    }
}

/// Gives one count of the object in `word`, a pointer, back; whether that was the last one. Then the caller frees it with [`free_last`].
#[inline(always)]
pub(crate) fn give_back(word: Word) -> bool {
    // SAFETY: the caller owned a count of it, so it lives until here (H1, H2).
    let count = unsafe { &(*(word.bits() as *mut Header)).count };
    let left = count.load(Relaxed).wrapping_sub(1);
    count.store(left, Relaxed);
    left == 0
}

/// Frees the object in `word`, of which [`give_back`] gave the last count back.
///
/// # Safety
/// `give_back` said so, and nothing has happened since.
#[inline(always)]
pub(crate) unsafe fn free_last(word: Word) {
    // SAFETY: the caller's promise.
    unsafe { free_unreferenced(word.bits() as *mut Header) };
}

#[repr(C)]
struct PageHeader {
    heap: *const Heap,
    cell: usize,
    /// Bytes from the page's start up to which cells have been handed out at least once.
    bump: Cell<usize>,
    /// The collector's number of the first cell.
    first_number: Cell<usize>,
}

const FIRST_CELL: usize = 64;

/// The objects of one interpreter.
pub(crate) struct Heap {
    free: [Cell<*mut FreeCell>; N_CLASSES],
    /// The page that is being filled, per size class.
    current: [Cell<*mut PageHeader>; N_CLASSES],
    pages: RefCell<Vec<*mut PageHeader>>,
    /// Pages without objects, of no size class.
    spare: RefCell<Vec<*mut PageHeader>>,
    /// How many pages have been taken from blocks.
    pages_made: Cell<usize>,
    /// What the pages lie in.
    blocks: RefCell<Vec<*mut u8>>,
    dead: RefCell<Vec<NonNull<Header>>>,
    has_dead: Cell<bool>,
    postponed: RefCell<Vec<NonNull<Header>>>,
    /// What a stop did not wait for (see [`release_many`]).
    set_aside: RefCell<Vec<Box<dyn Rest>>>,
    free_depth: Cell<u32>,
    /// Containers allocated less those freed since the last collection.
    pub(crate) growth: Cell<i64>,
    /// At how much growth the breaker asks for a collection.
    pub(crate) threshold: Cell<i64>,
    /// Bytes in use.
    pub(crate) account: Account,
    /// Bytes of them that belong to no object: register stacks.
    pub(super) outside: Cell<usize>,
    /// Whose breaker is set when `growth` passes `threshold`, or the account its alarm.
    shared: Arc<crate::gil::Shared>,
    /// Interned strings by hash; uncounted (see `flag::INTERNED`).
    pub(crate) interned: RefCell<super::intern::InternTable>,
    /// Weak references by target address.
    pub(crate) weak: RefCell<super::weak::WeakTable>,
    /// The shapes without attributes of classes that have died since somebody asked.
    dead_roots: RefCell<Vec<u32>>,
    /// Counts the plain instances made, so that the collector can tell which is older.
    serial: Cell<u16>,
}

#[repr(C)]
struct FreeCell {
    header: Header,
    next: *mut FreeCell,
}

impl Heap {
    pub(crate) fn new(shared: Arc<crate::gil::Shared>) -> Box<Self> {
        Box::new(Self {
            free: [const { Cell::new(std::ptr::null_mut()) }; N_CLASSES],
            current: [const { Cell::new(std::ptr::null_mut()) }; N_CLASSES],
            pages: RefCell::default(),
            spare: RefCell::default(),
            pages_made: Cell::new(0),
            blocks: RefCell::default(),
            dead: RefCell::default(),
            has_dead: Cell::new(false),
            postponed: RefCell::default(),
            set_aside: RefCell::default(),
            free_depth: Cell::new(0),
            growth: Cell::new(0),
            threshold: Cell::new(10_000),
            account: Account::new(Some(shared.memory_limit())),
            outside: Cell::new(0),
            shared,
            interned: RefCell::default(),
            weak: RefCell::default(),
            dead_roots: RefCell::default(),
            serial: Cell::new(0),
        })
    }

    /// Whether objects wait for their finalisers or weak references' callbacks.
    #[inline(always)]
    pub(crate) fn has_dead(&self) -> bool {
        self.has_dead.get()
    }

    /// Moves the dead list behind `waiting`, so that popping from its end gives the objects in the order of their deaths, those that died last
    /// as a group first: what an object's end releases is finalised before what died beside it. Counts are zero.
    pub(crate) fn take_dead(&self, waiting: &mut Vec<NonNull<Header>>) {
        waiting.extend(self.dead.borrow_mut().drain(..).rev());
        self.has_dead.set(false);
    }

    /// The root shapes of the classes that have died since the last call.
    pub(crate) fn take_dead_roots(&self) -> Vec<u32> {
        self.dead_roots.take()
    }

    /// A cell of at least `size` bytes.
    #[inline]
    fn cell(&self, size: usize) -> NonNull<u8> {
        let class = size.div_ceil(GRAIN);
        debug_assert!(class < N_CLASSES);
        let head = self.free[class].get();
        if let Some(cell) = NonNull::new(head) {
            // SAFETY: a cell on the free list is ours and holds a `FreeCell` (H3).
            self.free[class].set(unsafe { (*cell.as_ptr()).next });
            return cell.cast();
        }
        self.bump_cell(class)
    }

    fn bump_cell(&self, class: usize) -> NonNull<u8> {
        let bytes = class * GRAIN;
        let page = self.current[class].get();
        if !page.is_null() {
            // SAFETY: pages live as long as the heap.
            let header = unsafe { &*page };
            let at = header.bump.get();
            if at + bytes <= PAGE {
                header.bump.set(at + bytes);
                // SAFETY: inside the page, and a page is never at address zero.
                return unsafe { NonNull::new_unchecked(page.cast::<u8>().add(at)) };
            }
        }
        self.new_page(class);
        self.bump_cell(class)
    }

    #[cold]
    fn new_page(&self, class: usize) {
        let page = self.unused_page();
        if !self.current[class].get().is_null() {
            // Cells of this size have filled a page already: this one will be filled, too, and the system need not be asked for each 4 KB of it.
            crate::os::memory::populate(page.cast(), PAGE);
        }
        // SAFETY: not used now, aligned and large enough.
        unsafe { page.write(PageHeader { heap: self, cell: class * GRAIN, bump: Cell::new(FIRST_CELL), first_number: Cell::new(0) }) };
        self.pages.borrow_mut().push(page);
        self.current[class].set(page);
        self.count_bytes(PAGE);
    }

    /// Room for a page: one that is empty again, or the next one of a block.
    fn unused_page(&self) -> *mut PageHeader {
        if let Some(page) = self.spare.borrow_mut().pop() {
            return page;
        }
        let index = self.pages_made.get() % PAGES_IN_BLOCK;
        self.pages_made.set(self.pages_made.get() + 1);
        if index == 0 {
            let layout = block_layout();
            // SAFETY: the block has a size.
            let block = unsafe { alloc(layout) };
            if block.is_null() {
                handle_alloc_error(layout);
            }
            self.blocks.borrow_mut().push(block);
        }
        let block = *self.blocks.borrow().last().expect("the first page came with a block");
        // SAFETY: inside the block.
        unsafe { block.add(index * PAGE) }.cast::<PageHeader>()
    }

    /// Counts everything again.
    pub(crate) fn recount(&self) {
        let mut sum = self.n_pages() * PAGE + self.outside.get();
        self.for_each(|header| {
            // SAFETY: `for_each` gives live objects; the layout says which payload follows (H4).
            sum += unsafe {
                let layout = header.as_ref().layout_id();
                (LAYOUTS[usize::from(layout)].owned_bytes)(header.as_ptr())
            };
        });
        self.account.set_used(sum);
    }

    /// Gives the memory of pages without objects back to the system; they can be used for cells of any size. Takes a walk over all cells.
    pub(crate) fn release_empty_pages(&self) {
        let mut empty = Vec::new();
        self.pages.borrow_mut().retain(|&page| {
            let is_empty = cells(page).all(|cell| {
                // SAFETY: cells up to `bump` hold a header (H3).
                unsafe { (*cell).layout.get() == Layout::Free as u16 }
            });
            if is_empty {
                empty.push(page);
            }
            !is_empty
        });
        if empty.is_empty() {
            return;
        }
        for (free, current) in self.free.iter().zip(&self.current) {
            free.set(std::ptr::null_mut());
            if empty.contains(&current.get()) {
                current.set(std::ptr::null_mut());
            }
        }
        for &page in self.pages.borrow().iter().rev() {
            // SAFETY: pages live as long as the heap.
            let class = unsafe { (*page).cell } / GRAIN;
            for cell in cells(page) {
                // SAFETY: a free cell of this page is ours (H3).
                unsafe {
                    if (*cell).layout.get() == Layout::Free as u16 {
                        let cell = cell.cast::<FreeCell>();
                        (*cell).next = self.free[class].get();
                        self.free[class].set(cell);
                    }
                }
            }
        }
        for page in empty {
            self.account.subtract(PAGE);
            crate::os::memory::discard(page.cast(), PAGE);
            self.spare.borrow_mut().push(page);
        }
    }

    /// A new object with a count of one. `extra` words after the payload start unbound (an instance's dict and slots).
    #[inline]
    pub(crate) fn allocate<T: super::layout::Payload>(&self, type_object: *mut Object<Type>, payload: T, extra: usize) -> NonNull<Header> {
        self.allocate_here(type_object, payload, extra)
    }

    /// `allocate`, in the caller's code: the payload is made where it stays.
    #[inline(always)]
    pub(crate) fn allocate_here<T: super::layout::Payload>(&self, type_object: *mut Object<Type>, payload: T, extra: usize) -> NonNull<Header> {
        let size = size_of::<Object<T>>() + extra * 8;
        debug_assert!(size <= MAX_CELL);
        let cell = self.cell(size).cast::<Object<T>>();
        if T::OWNS_MEMORY {
            self.count_bytes(payload.owned_bytes());
        }
        let header = Header {
            count: AtomicU32::new(1),
            flags: AtomicU8::new(0),
            lock: AtomicU8::new(0),
            layout: Cell::new(T::LAYOUT as u16),
            type_object: Cell::new(type_object),
        };
        // SAFETY: the cell is free and large enough; the extra words lie behind the payload in it.
        unsafe {
            cell.as_ptr().write(Object { header, payload });
            let words = cell.as_ptr().add(1).cast::<Word>();
            for index in 0..extra {
                words.add(index).write(Word::UNBOUND);
            }
        }
        if T::IS_CONTAINER {
            self.note_container();
        }
        cell.cast()
    }

    #[inline(always)]
    fn note_container(&self) {
        let growth = self.growth.get() + 1;
        self.growth.set(growth);
        if growth > self.threshold.get() {
            self.ask_for_collection();
        }
    }

    /// Sets the breaker once; the collection sets the threshold again.
    #[cold]
    #[inline(never)]
    fn ask_for_collection(&self) {
        self.threshold.set(i64::MAX);
        self.shared.breaker.set(crate::gil::COLLECT);
    }

    /// Sets the breaker once; who answers sets the alarm again.
    #[cold]
    #[inline(never)]
    pub(super) fn sound_alarm(&self) {
        self.account.set_alarm(i64::MAX);
        self.shared.breaker.set(crate::gil::MEMORY);
    }

    /// How many pages there are.
    pub(super) fn n_pages(&self) -> usize {
        self.pages.borrow().len()
    }

    /// Bytes that belong to no object are in use, or no longer.
    pub(crate) fn count_outside(&self, bytes: isize) {
        self.outside.set(self.outside.get().wrapping_add_signed(bytes));
        if bytes >= 0 { self.count_bytes(bytes as usize) } else { self.account.subtract(bytes.unsigned_abs()) }
    }

    /// The serial number of the next plain instance.
    #[inline(always)]
    pub(super) fn serial(&self) -> u16 {
        self.serial.get()
    }

    /// Numbers all cells from zero on; how many there are. The numbers hold until a page is added or filled further.
    pub(super) fn number_cells(&self) -> usize {
        let mut next = 0;
        for &page in self.pages.borrow().iter() {
            // SAFETY: pages live as long as the heap.
            let page = unsafe { &*page };
            page.first_number.set(next);
            next += (page.bump.get() - FIRST_CELL) / page.cell;
        }
        next
    }

    /// Lets go of what was set aside while a stop was on its way, unless one is again.
    #[inline]
    pub(crate) fn release_set_aside(&self) {
        if !self.set_aside.borrow().is_empty() || !self.postponed.borrow().is_empty() {
            self.release_rests();
        }
    }

    #[cold]
    fn release_rests(&self) {
        loop {
            let Some(mut rest) = self.set_aside.borrow_mut().pop() else { break };
            if !rest.release(self) {
                self.set_aside.borrow_mut().push(rest);
                return;
            }
        }
        let first = self.postponed.borrow_mut().pop();
        if let Some(first) = first {
            // SAFETY: postponed objects are unreferenced.
            unsafe { destroy(first.as_ptr()) };
        }
    }

    /// Whether a stop is on its way, which frees nothing large.
    fn is_hurried(&self) -> bool {
        self.shared.breaker.has(crate::gil::STOP)
    }

    /// Calls `visit` with every object until it says no; nothing may be allocated or freed meanwhile. Whether it never did.
    pub(crate) fn for_each_while(&self, mut visit: impl FnMut(NonNull<Header>) -> bool) -> bool {
        for &page in self.pages.borrow().iter() {
            for cell in cells(page) {
                // SAFETY: cells up to `bump` hold a header (H3), and a page is never at address zero.
                unsafe {
                    if (*cell).layout.get() != Layout::Free as u16 && !visit(NonNull::new_unchecked(cell)) {
                        return false;
                    }
                }
            }
        }
        true
    }

    /// Calls `visit` with every object; nothing may be allocated or freed meanwhile.
    pub(crate) fn for_each(&self, visit: impl FnMut(NonNull<Header>)) {
        self.for_each_in_cells(0, visit);
    }

    /// The same for the objects in cells of at least `least` bytes: small objects' pages are passed over whole.
    pub(crate) fn for_each_in_cells(&self, least: usize, mut visit: impl FnMut(NonNull<Header>)) {
        for &page in self.pages.borrow().iter() {
            // SAFETY: pages live as long as the heap, and cells up to `bump` hold a header (H3).
            unsafe {
                let (cell, bump) = ((*page).cell, (*page).bump.get());
                if cell < least {
                    continue;
                }
                let mut at = FIRST_CELL;
                while at + cell <= bump {
                    let header = page.cast::<u8>().add(at).cast::<Header>();
                    if (*header).layout.get() != Layout::Free as u16 {
                        visit(NonNull::new_unchecked(header));
                    }
                    at += cell;
                }
            }
        }
    }
}

impl Drop for Heap {
    fn drop(&mut self) {
        // What is left at the end (cycles nobody collected): free what the payloads own, then the pages.
        // There may be millions, and no memory for a list of them: their headers stay, so that they can be walked over again.
        self.for_each(|header| {
            // SAFETY: it lives; the extra count keeps the drops below from freeing it a second time.
            let count = unsafe { &header.as_ref().count };
            count.store(count.load(Relaxed) + 0x4000_0000, Relaxed);
        });
        self.set_aside.take().clear();
        // Types last: the others' headers point to them.
        for are_types in [false, true] {
            self.for_each(|header| {
                // SAFETY: nobody runs any more; each payload is dropped once, and nothing is freed.
                unsafe {
                    if (header.as_ref().layout_id() == Layout::Type as u16) == are_types {
                        drop_contents(header.as_ptr());
                    }
                }
            });
        }
        for &block in self.blocks.borrow().iter() {
            // SAFETY: allocated with this layout in `unused_page`.
            unsafe { dealloc(block, block_layout()) };
        }
    }
}

fn block_layout() -> Block {
    Block::from_size_align(PAGE * PAGES_IN_BLOCK, PAGE).expect("a power of two")
}

/// The heap that `header` lives in.
#[inline(always)]
pub(crate) fn heap_of(header: *mut Header) -> *const Heap {
    let page = (header as usize & !(PAGE - 1)) as *const PageHeader;
    // SAFETY: every object lies in a page (H3).
    unsafe { (*page).heap }
}

/// The cells of a page that have been handed out at least once.
fn cells(page: *mut PageHeader) -> impl Iterator<Item = *mut Header> {
    // SAFETY: pages live as long as the heap.
    let (cell, bump) = unsafe { ((*page).cell, (*page).bump.get()) };
    // SAFETY: inside the page.
    (0..(bump - FIRST_CELL) / cell).map(move |index| unsafe { page.cast::<u8>().add(FIRST_CELL + index * cell).cast::<Header>() })
}

/// The number that `number_cells` gave the object's cell.
#[inline(always)]
pub(super) fn cell_number(header: NonNull<Header>) -> usize {
    let address = header.as_ptr() as usize;
    let page = (address & !(PAGE - 1)) as *const PageHeader;
    // SAFETY: every object lies in a page (H3).
    let page = unsafe { &*page };
    // Both are below 2^32, and that division is the faster one.
    page.first_number.get() + (((address & (PAGE - 1)) - FIRST_CELL) as u32 / page.cell as u32) as usize
}

/// # Safety
/// The object's count is zero and nobody refers to it.
#[inline(never)]
unsafe fn free_unreferenced(header: *mut Header) {
    // SAFETY: the object is intact until freed.
    let (heap, object) = unsafe { (&*heap_of(header), &*header) };
    // SAFETY: the type lives while an instance does.
    let type_flags = unsafe { (*object.type_object.get()).payload.flags() };
    let flags = object.flags();
    let must_finalize = flags & flag::NEEDS_FINALIZER != 0 || type_flags & super::type_object::HAS_DEL != 0;
    if (must_finalize && flags & flag::FINALIZED == 0) || flags & flag::HAS_WEAKREFS != 0 {
        object.set_flag(flag::DEAD);
        // SAFETY: not null.
        heap.dead.borrow_mut().push(unsafe { NonNull::new_unchecked(header) });
        heap.has_dead.set(true);
        return;
    }
    // SAFETY: unreferenced, with nothing left to run.
    unsafe { destroy(header) };
}

/// Frees an object whose finaliser and weak references have had their turn.
///
/// # Safety
/// The object's count is zero and nobody refers to it.
pub(crate) unsafe fn destroy(header: *mut Header) {
    // SAFETY: intact until freed below.
    let heap = unsafe { &*heap_of(header) };
    let depth = heap.free_depth.get();
    if depth >= MAX_FREE_DEPTH {
        // SAFETY: not null.
        heap.postponed.borrow_mut().push(unsafe { NonNull::new_unchecked(header) });
        return;
    }
    heap.free_depth.set(depth + 1);
    // SAFETY: the caller's promise.
    unsafe { destroy_one(heap, header) };
    if depth == 0 {
        let mut n_freed = 0_usize;
        loop {
            let next = heap.postponed.borrow_mut().pop();
            let Some(next) = next else { break };
            if n_freed.is_multiple_of(PIECE) && heap.is_hurried() {
                heap.postponed.borrow_mut().push(next);
                break;
            }
            n_freed += 1;
            // SAFETY: postponed objects are unreferenced.
            unsafe { destroy_one(heap, next.as_ptr()) };
        }
    }
    heap.free_depth.set(depth);
}

/// # Safety
/// As for [`destroy`]; the object lies in `heap`.
#[inline(always)]
unsafe fn destroy_one(heap: &Heap, header: *mut Header) {
    // SAFETY: intact; after `drop_contents` only the cell is left.
    unsafe {
        let layout = (*header).layout.get();
        if LAYOUTS[usize::from(layout)].is_container {
            heap.growth.set(heap.growth.get() - 1);
        }
        if (*header).flags() & flag::INTERNED != 0 {
            super::intern::forget(heap, header);
        }
        drop_contents(header);
        (*header).layout.set(Layout::Free as u16);
        let page = (header as usize & !(PAGE - 1)) as *const PageHeader;
        let class = (*page).cell / GRAIN;
        let cell = header.cast::<FreeCell>();
        (*cell).next = heap.free[class].get();
        heap.free[class].set(cell);
    }
}

/// Drops payload, extra words and the count of the type.
///
/// # Safety
/// The payload has not been dropped yet, and nobody uses it any more.
#[inline(always)]
unsafe fn drop_contents(header: *mut Header) {
    // SAFETY: the header is intact; the layout says which payload follows (H4); types outlive their instances.
    unsafe {
        let type_object = (*header).type_object.get();
        let extra = (*type_object).payload.extra_words();
        let info = &LAYOUTS[usize::from((*header).layout.get())];
        (info.drop)(header);
        if extra > 0 {
            let words = header.cast::<u8>().add(info.size).cast::<Word>();
            for index in 0..extra {
                let word = words.add(index).read();
                words.add(index).write(Word::UNBOUND);
                release(word);
            }
        }
        if (*type_object).payload.flags() & super::type_object::HEAP_TYPE != 0 {
            release(Word::from_pointer(NonNull::new_unchecked(type_object.cast())));
        }
    }
}

/// So many values are let go of between two looks at the breaker.
const PIECE: usize = 1 << 12;

/// Something that owns counts of objects.
pub(crate) trait Owner: 'static {
    /// One of the words it owns.
    fn word(&self) -> Word;
}

/// What is left of many values that are let go of.
trait Rest {
    /// Lets go of them; `false` when a stop came first.
    fn release(&mut self, heap: &Heap) -> bool;
}

/// Items, and whether the last goes first.
struct Items<T>(std::vec::IntoIter<T>, bool);

impl<T: Owner> Rest for Items<T> {
    fn release(&mut self, heap: &Heap) -> bool {
        while self.0.len() > 0 {
            if heap.is_hurried() {
                return false;
            }
            for _ in 0..PIECE {
                drop(if self.1 { self.0.next_back() } else { self.0.next() });
            }
        }
        true
    }
}

/// Whether so many values are better let go of by [`release_many`].
#[inline(always)]
pub(crate) fn are_many(count: usize) -> bool {
    count > PIECE
}

/// Lets go of many values, the last first if `backwards`. A stop does not wait for that: while one is on its way, what is left is set aside until
/// the next run of the interpreter begins, or until its end. Nothing is lost, and what has a finaliser is finalised then.
#[cold]
#[inline(never)]
pub(crate) fn release_many<T: Owner>(items: Vec<T>, backwards: bool) {
    let Some(header) = items.iter().find_map(|item| item.word().pointer()) else { return };
    // SAFETY: the item owns a count, so its object lives, in a heap that ends after its objects (H1, H3).
    let heap = unsafe { &*heap_of(header) };
    let mut rest = Items(items.into_iter(), backwards);
    if !rest.release(heap) {
        heap.set_aside.borrow_mut().push(Box::new(rest));
    }
}

/// A class that had instances with a shape goes, so its shapes can go (see [`Heap::take_dead_roots`]).
pub(super) fn note_dead_root(class: &Type) {
    // A class exists only as the payload of an object, which lies in a page of its heap (H3).
    let heap = heap_of(std::ptr::from_ref(class).cast_mut().cast());
    // SAFETY: objects are freed before their heap.
    unsafe { (*heap).dead_roots.borrow_mut().push(class.root_shape) };
}

/// Sets the type of an object that was made before its type.
pub(crate) fn set_first_type(object: &Value, class: &super::value::Ref<Type>) {
    if let (Some(header), Some(class)) = (object.word().pointer(), class.word().pointer()) {
        // SAFETY: both live.
        unsafe { (*header).type_object.set(class.cast()) };
    }
}

/// The type object at `header`, where one stood once, if there is a live one: for lists of classes that are not counted.
pub(crate) fn live_type(header: NonNull<Header>) -> Option<super::value::Ref<Type>> {
    let layout = layout_at(header)?;
    // SAFETY: there is an object.
    unsafe {
        if layout != Layout::Type as u16 || header.as_ref().count() == 0 {
            return None;
        }
        Value::from_borrowed(Word::from_pointer(header)).into_ref().ok()
    }
}

/// The layout of the object at `header`, where one stood once, if there is one: for lists of objects that are not counted.
pub(crate) fn layout_at(header: NonNull<Header>) -> Option<u16> {
    // SAFETY: an object stood there once, and blocks of pages are not given back before the heap ends. The page may have been emptied since, and be
    // in use for cells of another size: only what is the beginning of a cell up to `bump` is a header (H3). An emptied page that is not in use is
    // all zeros, or all its cells are free.
    unsafe {
        let address = header.as_ptr() as usize;
        let place = address & (PAGE - 1);
        let page = (address - place) as *const PageHeader;
        let (cell, bump) = ((*page).cell, (*page).bump.get());
        if cell == 0 || place < FIRST_CELL || place >= bump || !(place - FIRST_CELL).is_multiple_of(cell) {
            return None;
        }
        let layout = header.as_ref().layout_id();
        (layout != Layout::Free as u16).then_some(layout)
    }
}

/// The header of the object whose payload this is. A payload of this kind exists only inside its object, whose header stands before it (H3).
pub(crate) fn header_of_payload<T: Payload>(payload: &T) -> *mut Header {
    std::ptr::from_ref(payload).cast::<u8>().wrapping_sub(std::mem::offset_of!(Object<T>, payload)).cast_mut().cast()
}

/// Changes the class of an object; the layouts must be compatible (the caller has checked).
pub(crate) fn set_type(object: &Value, type_object: &Value) {
    let (Some(header), Some(new)) = (object.word().pointer(), type_object.word().pointer()) else { return };
    // SAFETY: both live (H1); the old type's count was the object's.
    unsafe {
        let old = (*header).type_object.get();
        if (*new.cast::<Object<Type>>()).payload.flags() & super::type_object::HEAP_TYPE != 0 {
            retain(type_object.word());
        }
        (*header).type_object.set(new.cast());
        if (*old).payload.flags() & super::type_object::HEAP_TYPE != 0 {
            release(Word::from_pointer(NonNull::new_unchecked(old.cast())));
        }
    }
}

/// Gives an object of count zero, taken from the dead list, a count again: it may be referred to while it is finalised.
///
/// # Safety
/// `header` came from [`Heap::take_dead`].
pub(crate) unsafe fn revive(header: NonNull<Header>) -> Value {
    // SAFETY: objects on the dead list are intact.
    unsafe {
        header.as_ref().clear_flag(flag::DEAD);
        header.as_ref().count.store(1, Relaxed);
        Value::from_owned(Word::from_pointer(header))
    }
}

/// Gives the only count of a revived object back; frees it when nobody took another. Whether it was freed.
pub(crate) fn bury(value: Value) -> bool {
    let word = value.into_word();
    let Some(header) = word.pointer() else { return true };
    // SAFETY: the value owned a count (H1).
    unsafe {
        let count = &(*header).count;
        let left = count.load(Relaxed) - 1;
        count.store(left, Relaxed);
        if left == 0 {
            destroy(header);
            return true;
        }
    }
    false
}

/// How many counts the object of `value` has, this value's included; zero for what is no heap object.
pub(crate) fn reference_count(value: &Value) -> u32 {
    // SAFETY: lives (H1).
    value.word().pointer().map_or(0, |header| unsafe { (*header).count() })
}

/// The extra words of an object with a payload other than [`Instance`]: its dict, then its slots.
pub(crate) fn extra_word(object: &Value, index: usize) -> Option<NonNull<Word>> {
    let header = object.word().pointer()?;
    // SAFETY: lives (H1); the words lie behind the payload (`allocate`).
    unsafe {
        let type_object = (*header).type_object.get();
        if index >= (*type_object).payload.extra_words() {
            return None;
        }
        let size = LAYOUTS[usize::from((*header).layout.get())].size;
        NonNull::new(header.cast::<u8>().add(size).cast::<Word>().add(index))
    }
}

/// A plain instance with `capacity` slots, all unbound.
#[inline]
pub(crate) fn allocate_instance(heap: &Heap, type_object: *mut Object<Type>, shape: u32, capacity: u16) -> NonNull<Header> {
    let size = size_of::<Object<Instance>>() + usize::from(capacity) * 8;
    let cell = heap.cell(size).cast::<Object<Instance>>();
    let serial = heap.serial.get();
    heap.serial.set(serial.wrapping_add(1));
    let header = Header {
        count: AtomicU32::new(1),
        flags: AtomicU8::new(0),
        lock: AtomicU8::new(0),
        layout: Cell::new(Layout::Instance as u16),
        type_object: Cell::new(type_object),
    };
    // SAFETY: the cell is free and large enough. The instance owns a count of its class when that is counted.
    unsafe {
        cell.as_ptr().write(Object { header, payload: Instance::new(shape, capacity, serial) });
        let words = cell.as_ptr().add(1).cast::<Word>();
        for index in 0..usize::from(capacity) {
            words.add(index).write(Word::UNBOUND);
        }
        if (*type_object).payload.flags() & super::type_object::HEAP_TYPE != 0 {
            retain(Word::from_pointer(NonNull::new_unchecked(type_object.cast())));
        }
    }
    heap.note_container();
    cell.cast()
}
