//! `_blake2`: `BLAKE2b` and `BLAKE2s` (RFC 7693) with keys, salts and trees. The functions themselves are the crates `blake2b_simd`'s and `blake2s_simd`'s.

use super::hashes::input;
use crate::number::Int;
use crate::object::layout::{Layout, Payload};
use crate::object::native::{Args, GetSetSpec, NativeModule, native};
use crate::object::type_object::{Type, TypeSpec, constructor};
use crate::object::types::bytes_methods::hex_of;
use crate::object::value::{Ref, Value};
use crate::vm::{Result, Vm};

/// Bytes that are hashed between two looks at the breaker.
const PIECE: usize = 1 << 18;

pub(crate) const MODULE: NativeModule = NativeModule {
    name: "_blake2",
    doc: "The hash functions BLAKE2b and BLAKE2s.",
    functions: &[],
    types: &[&BLAKE2B, &BLAKE2S],
    init: Some(|vm, _| {
        for (spec, digest, salt) in [(&BLAKE2B, 64, 16), (&BLAKE2S, 32, 8)] {
            let class = vm.native_type(spec);
            let dict = vm.class_dict(&class);
            for (name, size) in [("MAX_DIGEST_SIZE", digest), ("MAX_KEY_SIZE", digest), ("SALT_SIZE", salt), ("PERSON_SIZE", salt)] {
                vm.dict_set_str(&dict, name, Value::small(size))?;
            }
        }
        Ok(())
    }),
};

/// The payload of `blake2b` and `blake2s`.
#[derive(Clone)]
pub(crate) struct Blake2 {
    state: State,
    digest_size: usize,
}

#[derive(Clone)]
enum State {
    B(Box<blake2b_simd::State>),
    S(Box<blake2s_simd::State>),
}

impl Payload for Blake2 {
    const LAYOUT: Layout = Layout::Blake2;
}

impl Blake2 {
    fn digest(&self) -> Vec<u8> {
        match &self.state {
            State::B(state) => state.finalize().as_bytes().to_vec(),
            State::S(state) => state.finalize().as_bytes().to_vec(),
        }
    }

    fn update(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::B(state) => {
                state.update(bytes);
            }
            State::S(state) => {
                state.update(bytes);
            }
        }
    }

    fn is_b(&self) -> bool {
        matches!(self.state, State::B(_))
    }
}

/// The two types differ by their names and constructors.
const fn spec(name: &'static str, doc: &'static str, new: Option<crate::object::native::Native>) -> TypeSpec {
    TypeSpec { name, doc, layout: Layout::Blake2, new, methods: METHODS, getset: GETSET, ..TypeSpec::DEFAULT }
}

static BLAKE2B: TypeSpec = spec(
    "_blake2.blake2b",
    "A BLAKE2b hash, for 64-bit machines.",
    constructor(
        "blake2b(data=b'', /, *, digest_size=64, key=b'', salt=b'', person=b'', fanout=1, depth=1, leaf_size=0, node_offset=0, node_depth=0, inner_size=0, last_node=False, usedforsecurity=True)",
        |vm, args| new(vm, args, true),
    ),
);

static BLAKE2S: TypeSpec = spec(
    "_blake2.blake2s",
    "A BLAKE2s hash, for smaller machines.",
    constructor(
        "blake2s(data=b'', /, *, digest_size=32, key=b'', salt=b'', person=b'', fanout=1, depth=1, leaf_size=0, node_offset=0, node_depth=0, inner_size=0, last_node=False, usedforsecurity=True)",
        |vm, args| new(vm, args, false),
    ),
);

const METHODS: &[crate::object::native::Native] = &[
    native("update(self, data, /)", |vm, args| {
        feed(vm, this(&args[0]), &args[1])?;
        Ok(Value::NONE)
    }),
    native("digest(self, /)", |vm, args| {
        let digest = this(&args[0]).get(vm).digest();
        Ok(vm.new_bytes(digest))
    }),
    native("hexdigest(self, /)", |vm, args| {
        let digest = this(&args[0]).get(vm).digest();
        hex_of(vm, &digest, None, None)
    }),
    native("copy(self, /)", |vm, args| {
        let twin = this(&args[0]).get(vm).clone();
        let class = vm.type_of(&args[0]);
        Ok(vm.alloc_for(&class, twin).into_value())
    }),
];

const GETSET: &[GetSetSpec] = &[
    GetSetSpec { name: "digest_size", get: |vm, hash| Ok(Value::small(this(hash).get(vm).digest_size as i64)), set: None },
    GetSetSpec { name: "block_size", get: |vm, hash| Ok(Value::small(if this(hash).get(vm).is_b() { 128 } else { 64 })), set: None },
    GetSetSpec {
        name: "name",
        get: |vm, hash| {
            let name = if this(hash).get(vm).is_b() { "blake2b" } else { "blake2s" };
            Ok(vm.intern(name))
        },
        set: None,
    },
];

fn this(value: &Value) -> &Ref<Blake2> {
    value.downcast::<Blake2>().expect("the receiver is a BLAKE2 hash")
}

fn feed(vm: &mut Vm, hash: &Ref<Blake2>, data: &Value) -> Result<()> {
    let bytes = input(vm, data)?;
    for piece in bytes.chunks(PIECE) {
        hash.get_mut(vm).update(piece);
        vm.poll()?;
    }
    Ok(())
}

/// A number argument within its limits; `message` for others.
fn number(vm: &mut Vm, value: Option<&Value>, default: u64, limits: std::ops::RangeInclusive<u64>, message: &str) -> Result<u64> {
    let Some(value) = value else { return Ok(default) };
    let number: Int = vm.index(value)?;
    match number.as_ref().to_u64().filter(|number| limits.contains(number)) {
        Some(number) => Ok(number),
        None => Err(vm.value_error(message)),
    }
}

/// The bytes of an argument, at most `limit`; filled up with zeros to `width`.
fn bytes(vm: &mut Vm, value: Option<&Value>, limit: usize, width: usize, what: &str) -> Result<Vec<u8>> {
    let mut bytes = match value {
        Some(value) => input(vm, value)?,
        None => Vec::new(),
    };
    if bytes.len() > limit {
        return Err(vm.value_error(format!("maximum {what} length is {limit} bytes")));
    }
    bytes.resize(bytes.len().max(width), 0);
    Ok(bytes)
}

fn new(vm: &mut Vm, args: Args<'_>, is_b: bool) -> Result<Value> {
    let class = args[0].downcast::<Type>().expect("the class").clone();
    let (size, salt_size, offset_limit) = if is_b { (64, 16, u64::MAX) } else { (32, 8, (1 << 48) - 1) };
    let digest_size = number(vm, args.given(2), size as u64, 1..=size as u64, &format!("digest_size must be between 1 and {size} bytes"))?;
    let key = bytes(vm, args.given(3), size, 0, "key")?;
    let salt = bytes(vm, args.given(4), salt_size, salt_size, "salt")?;
    let person = bytes(vm, args.given(5), salt_size, salt_size, "person")?;
    let fanout = number(vm, args.given(6), 1, 0..=255, "fanout must be between 0 and 255")?;
    let depth = number(vm, args.given(7), 1, 1..=255, "depth must be between 1 and 255")?;
    let leaf_size = number(vm, args.given(8), 0, 0..=u64::MAX, "leaf_size is too large")?;
    let Ok(leaf_size) = u32::try_from(leaf_size) else {
        return Err(vm.overflow_error("leaf_size is too large"));
    };
    let node_offset = number(vm, args.given(9), 0, 0..=offset_limit, "node_offset is too large")?;
    let node_depth = number(vm, args.given(10), 0, 0..=255, "node_depth must be between 0 and 255")?;
    let inner_size = number(vm, args.given(11), 0, 0..=size as u64, &format!("inner_size must be between 0 and is {size}"))?;
    let last_node = args.given(12).map_or(Ok(false), |value| vm.is_true(value))?;
    /// Both crates' parameters have the same names.
    macro_rules! state {
        ($kind:ident, $module:ident) => {{
            let mut parameters = $module::Params::new();
            parameters
                .hash_length(digest_size as usize)
                .key(&key)
                .salt(&salt)
                .personal(&person)
                .fanout(fanout as u8)
                .max_depth(depth as u8)
                .max_leaf_length(leaf_size)
                .node_offset(node_offset)
                .node_depth(node_depth as u8)
                .inner_hash_length(inner_size as usize)
                .last_node(last_node);
            State::$kind(Box::new(parameters.to_state()))
        }};
    }
    let state = if is_b { state!(B, blake2b_simd) } else { state!(S, blake2s_simd) };
    let hash = vm.alloc_for(&class, Blake2 { state, digest_size: digest_size as usize });
    if let Some(data) = args.given(1) {
        feed(vm, &hash, data)?;
    }
    Ok(hash.into_value())
}
