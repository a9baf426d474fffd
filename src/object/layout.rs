//! Which payloads there are: one row each. The row's number stands in every object's header, so a downcast is one comparison.
#![allow(unsafe_code, reason = "turns a header into the payload that its layout names (H4 in heap.rs)")]

use super::heap::{Header, Object};
use super::word::Word;

/// What a heap object holds behind its header.
pub(crate) trait Payload: Sized + 'static {
    /// Its row.
    const LAYOUT: Layout;
    /// Whether it can refer to other objects, so that the collector has to look at it.
    const IS_CONTAINER: bool = false;
    /// Whether it owns memory outside its cell (other than values), so that [`Payload::owned_bytes`] has to be asked.
    const OWNS_MEMORY: bool = false;
    /// Bytes it owns outside its cell, as [`super::account::block`] counts them. May change only inside `Vm::resize`, or where nobody cares for a little.
    fn owned_bytes(&self) -> usize {
        0
    }
    /// Calls `visit` with every value it owns.
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        let _ = visit;
    }
    /// Lets go of what it owns: the collector's way to break a cycle. The object must stay usable (and empty).
    fn clear(&mut self) {}
}

/// What the heap and the collector do with a payload.
pub(crate) struct LayoutInfo {
    /// Bytes of header and payload.
    pub(crate) size: usize,
    pub(crate) is_container: bool,
    pub(crate) name: &'static str,
    /// Drops the payload in place.
    pub(crate) drop: unsafe fn(*mut Header),
    pub(crate) traverse: unsafe fn(*mut Header, &mut dyn FnMut(Word)),
    pub(crate) clear: unsafe fn(*mut Header),
    pub(crate) owned_bytes: unsafe fn(*mut Header) -> usize,
}

/// # Safety
/// The object's layout is `T`'s, and its payload has not been dropped yet.
unsafe fn drop_payload<T: Payload>(header: *mut Header) {
    // SAFETY: the caller owns the last right to the object (heap.rs) and its layout is `T`'s.
    unsafe {
        let payload = &raw mut (*header.cast::<Object<T>>()).payload;
        if T::OWNS_MEMORY {
            (*super::heap::heap_of(header)).account.subtract((*payload).owned_bytes());
        }
        std::ptr::drop_in_place(payload);
    }
}

unsafe fn owned_bytes<T: Payload>(header: *mut Header) -> usize {
    // SAFETY: asked of live objects only, by who holds the GIL.
    unsafe { (*header.cast::<Object<T>>()).payload.owned_bytes() }
}

unsafe fn traverse_payload<T: Payload>(header: *mut Header, visit: &mut dyn FnMut(Word)) {
    // SAFETY: the collector runs alone, on live objects.
    unsafe { (*header.cast::<Object<T>>()).payload.traverse(visit) }
}

unsafe fn clear_payload<T: Payload>(header: *mut Header) {
    // SAFETY: the collector clears only unreachable objects, which it keeps alive meanwhile.
    unsafe { (*header.cast::<Object<T>>()).payload.clear() }
}

const fn info<T: Payload>(name: &'static str) -> LayoutInfo {
    LayoutInfo {
        size: size_of::<Object<T>>(),
        is_container: T::IS_CONTAINER,
        name,
        drop: drop_payload::<T>,
        traverse: traverse_payload::<T>,
        clear: clear_payload::<T>,
        owned_bytes: owned_bytes::<T>,
    }
}

unsafe fn nothing(_: *mut Header) {}
unsafe fn no_bytes(_: *mut Header) -> usize {
    0
}
unsafe fn traverse_nothing(_: *mut Header, _: &mut dyn FnMut(Word)) {}

macro_rules! layouts {
    ($($(#[$condition:meta])* $name:ident => $payload:ty,)+) => {
        /// The rows' names.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u16)]
        pub(crate) enum Layout {
            /// No object: a free cell.
            Free,
            $($(#[$condition])* $name),+
        }

        /// The rows, by number.
        pub(crate) static LAYOUTS: &[LayoutInfo] = &[
            LayoutInfo {
                size: 16,
                is_container: false,
                name: "Free",
                drop: nothing,
                traverse: traverse_nothing,
                clear: nothing,
                owned_bytes: no_bytes,
            },
            $($(#[$condition])* info::<$payload>(stringify!($name))),+
        ];
    };
}

layouts! {
    Instance => super::instance::Instance,
    Type => super::type_object::Type,
    Int => super::types::int::IntPayload,
    Float => super::types::float::FloatPayload,
    Complex => super::types::complex::ComplexPayload,
    Str => super::types::str::Str,
    Bytes => super::types::bytes::Bytes,
    List => super::types::list::List,
    Tuple => super::types::tuple::Tuple,
    Dict => super::types::dict::Dict,
    DictView => super::types::dict_view::DictView,
    DictIterator => super::types::dict_view::DictIterator,
    Set => super::types::set::Set,
    SetIterator => super::types::set::SetIterator,
    Range => super::types::range::Range,
    RangeIterator => super::types::range::RangeIterator,
    LongRangeIterator => super::types::range::LongRangeIterator,
    Slice => super::types::slice::Slice,
    SequenceIterator => super::types::iterator::SequenceIterator,
    CallIterator => super::types::iterator::CallIterator,
    Enumerate => super::types::iterator::Enumerate,
    Zip => super::types::iterator::Zip,
    Map => super::types::iterator::Map,
    Filter => super::types::iterator::Filter,
    Reversed => super::types::iterator::Reversed,
    Cell => super::types::function::CellPayload,
    Function => super::types::function::Function,
    BoundMethod => super::types::function::BoundMethod,
    NativeFunction => super::native::NativeFunction,
    GetSet => super::native::GetSet,
    Member => super::native::Member,
    Property => super::types::descriptor::Property,
    ClassMethod => super::types::descriptor::ClassMethod,
    StaticMethod => super::types::descriptor::StaticMethod,
    Super => super::types::descriptor::Super,
    MappingProxy => super::types::descriptor::MappingProxy,
    Module => super::types::module::Module,
    Code => super::types::code::Code,
    Frame => super::types::frame::Frame,
    Traceback => super::types::frame::Traceback,
    Exception => super::types::exception::Exception,
    Generator => super::types::generator::Generator,
    Awaiter => super::types::generator::Awaiter,
    WeakRef => super::types::weakref::WeakRef,
    GenericAlias => super::types::generic_alias::GenericAlias,
    Union => super::types::generic_alias::Union,
    ByteArray => super::types::bytearray::ByteArray,
    MemoryView => super::types::memoryview::MemoryView,
    ScalarIterator => super::types::scalar_iterator::ScalarIterator,
    RandomGenerator => crate::stdlib::random::Generator,
    Hash => crate::stdlib::hashes::Hash,
    #[cfg(feature = "hashes")]
    Blake2 => crate::stdlib::blake2::Blake2,
    #[cfg(feature = "compression")]
    Deflater => crate::stdlib::zlib::Deflater,
    #[cfg(feature = "compression")]
    Inflater => crate::stdlib::zlib::Inflater,
    Struct => crate::stdlib::structs::StructPayload,
    UnpackIterator => crate::stdlib::structs::UnpackIterator,
    FormatAnswers => crate::stdlib::string_parser::Answers,
    JsonScanner => crate::stdlib::json::Scanner,
    JsonEncoder => crate::stdlib::json::Encoder,
    RegexPattern => crate::stdlib::sre::PatternPayload,
    RegexMatch => crate::stdlib::sre::MatchPayload,
    RegexScanner => crate::stdlib::sre::ScannerPayload,
    File => crate::stdlib::io::file::File,
    BytesStream => crate::stdlib::io::memory::BytesStream,
    StringStream => crate::stdlib::io::memory::StringStream,
    Buffered => crate::stdlib::io::buffered::Buffered,
    BufferedPair => crate::stdlib::io::buffered::Pair,
    TextStream => crate::stdlib::io::text::TextStream,
    NewlineDecoder => crate::stdlib::io::newline::NewlineDecoder,
    Itertool => crate::stdlib::itertools::Itertool,
    Deque => crate::stdlib::collections::Deque,
    DequeIterator => crate::stdlib::collections::DequeIterator,
    TupleGetter => crate::stdlib::collections::TupleGetter,
    Partial => crate::stdlib::functools::Partial,
    CompareKey => crate::stdlib::functools::CompareKey,
    LruCache => crate::stdlib::functools::LruCache,
    OperatorGetter => crate::stdlib::operator::Getter,
    MethodCaller => crate::stdlib::operator::MethodCaller,
    Array => crate::stdlib::array::Array,
    Lock => crate::thread::lock::Lock,
    ThreadObject => crate::thread::handle::ThreadObject,
    ThreadLocal => crate::thread::local::Local,
    Socket => crate::stdlib::socket::Socket,
    Poll => crate::stdlib::select::Poll,
    Epoll => crate::stdlib::select::Epoll,
}
