//! The built-in types, a file each (payload and, where there are many, methods in a second one), and the table of those that the VM itself needs to know.

pub(crate) mod bool_methods;
pub(crate) mod buffer;
pub(crate) mod byte_queue;
pub(crate) mod bytearray;
pub(crate) mod bytes;
pub(crate) mod bytes_methods;
pub(crate) mod code;
pub(crate) mod code_methods;
pub(crate) mod code_replace;
pub(crate) mod codec;
pub(crate) mod complex;
pub(crate) mod complex_methods;
pub(crate) mod descriptor;
pub(crate) mod descriptor_methods;
pub(crate) mod dict;
pub(crate) mod dict_methods;
pub(crate) mod dict_view;
pub(crate) mod dict_view_methods;
pub(crate) mod exception;
pub(crate) mod exception_methods;
pub(crate) mod float;
pub(crate) mod float_methods;
pub(crate) mod format_string;
pub(crate) mod format_text;
pub(crate) mod frame;
pub(crate) mod frame_methods;
pub(crate) mod function;
pub(crate) mod function_methods;
pub(crate) mod generator;
pub(crate) mod generator_methods;
pub(crate) mod generic_alias;
pub(crate) mod generic_alias_methods;
pub(crate) mod index;
pub(crate) mod int;
pub(crate) mod int_methods;
pub(crate) mod iterator;
pub(crate) mod iterator_methods;
pub(crate) mod list;
pub(crate) mod list_methods;
pub(crate) mod memoryview;
pub(crate) mod module;
pub(crate) mod module_methods;
pub(crate) mod none;
pub(crate) mod numeric;
pub(crate) mod object;
pub(crate) mod percent;
pub(crate) mod range;
pub(crate) mod range_methods;
pub(crate) mod scalar_iterator;
pub(crate) mod set;
pub(crate) mod set_methods;
pub(crate) mod slice;
pub(crate) mod slice_methods;
pub(crate) mod str;
pub(crate) mod str_methods;
pub(crate) mod structseq;
pub(crate) mod tuple;
pub(crate) mod tuple_methods;
pub(crate) mod type_methods;
pub(crate) mod weakref;
pub(crate) mod weakref_methods;

use super::type_object::TypeSpec;

macro_rules! types {
    ($($id:ident => $spec:path,)+) => {
        /// The built-in types that the VM itself refers to.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub(crate) enum TypeId { $($id),+ }

        /// Their specs, in the order of the ids: bases stand before what derives from them.
        pub(crate) static TYPES: &[(TypeId, &TypeSpec)] = &[$((TypeId::$id, &$spec)),+];
    };
}

types! {
    Object => object::TYPE,
    Type => type_methods::TYPE,
    NoneType => none::NONE,
    NotImplementedType => none::NOT_IMPLEMENTED,
    EllipsisType => none::ELLIPSIS,
    Int => int_methods::TYPE,
    Bool => bool_methods::TYPE,
    Float => float_methods::TYPE,
    Complex => complex_methods::TYPE,
    Str => str_methods::TYPE,
    Bytes => bytes_methods::TYPE,
    ByteArray => bytearray::TYPE,
    MemoryView => memoryview::TYPE,
    List => list_methods::TYPE,
    Tuple => tuple_methods::TYPE,
    Dict => dict_methods::TYPE,
    Set => set_methods::TYPE,
    FrozenSet => set_methods::FROZEN,
    Range => range_methods::TYPE,
    Slice => slice_methods::TYPE,
    Enumerate => iterator_methods::ENUMERATE,
    Zip => iterator_methods::ZIP,
    Map => iterator_methods::MAP,
    Filter => iterator_methods::FILTER,
    Reversed => iterator_methods::REVERSED,
    Property => descriptor_methods::PROPERTY,
    ClassMethod => descriptor_methods::CLASS_METHOD,
    StaticMethod => descriptor_methods::STATIC_METHOD,
    Super => descriptor_methods::SUPER,
    MappingProxy => descriptor_methods::MAPPING_PROXY,
    Cell => function_methods::CELL,
    Function => function_methods::FUNCTION,
    Method => function_methods::METHOD,
    BuiltinFunction => function_methods::BUILTIN_FUNCTION,
    MethodDescriptor => function_methods::METHOD_DESCRIPTOR,
    SlotWrapper => function_methods::SLOT_WRAPPER,
    MethodWrapper => function_methods::METHOD_WRAPPER,
    ClassMethodDescriptor => function_methods::CLASS_METHOD_DESCRIPTOR,
    GetSetDescriptor => function_methods::GETSET_DESCRIPTOR,
    MemberDescriptor => function_methods::MEMBER_DESCRIPTOR,
    Module => module_methods::TYPE,
    Code => code_methods::TYPE,
    Frame => frame_methods::FRAME,
    Traceback => frame_methods::TRACEBACK,
    Generator => generator_methods::GENERATOR,
    Coroutine => generator_methods::COROUTINE,
    AsyncGenerator => generator_methods::ASYNC_GENERATOR,
    AsyncGeneratorValue => generator_methods::ASYNC_GENERATOR_VALUE,
    CoroutineWrapper => generator_methods::COROUTINE_WRAPPER,
    AsyncGeneratorSend => generator_methods::ASYNC_GENERATOR_SEND,
    AsyncGeneratorThrow => generator_methods::ASYNC_GENERATOR_THROW,
    AnextAwaitable => generator_methods::ANEXT_AWAITABLE,
    WeakReference => weakref_methods::REFERENCE,
    ListIterator => iterator_methods::LIST_ITERATOR,
    TupleIterator => iterator_methods::TUPLE_ITERATOR,
    RangeIterator => range_methods::ITERATOR,
    SetIterator => set_methods::ITERATOR,
    DictKeys => dict_view_methods::KEYS,
    DictValues => dict_view_methods::VALUES,
    DictItems => dict_view_methods::ITEMS,
    DictKeyIterator => dict_view_methods::KEY_ITERATOR,
    DictValueIterator => dict_view_methods::VALUE_ITERATOR,
    DictItemIterator => dict_view_methods::ITEM_ITERATOR,
}
