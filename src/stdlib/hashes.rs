//! `_hashes`: hash functions that are fed in pieces, and PBKDF2. The functions themselves are those of the project `RustCrypto`; without the feature `hashes` there is SHA-2 only.

use sha2::digest::{Digest, DynDigest};

use crate::object::layout::{Layout, Payload};
use crate::object::native::{Args, GetSetSpec, NativeModule, native};
use crate::object::type_object::{NO_NEW, Slots, TypeSpec};
use crate::object::types::buffer::bytes_of;
use crate::object::types::bytes_methods::hex_of;
use crate::object::types::str::Str;
use crate::object::types::str_methods::text;
use crate::object::value::{Ref, Value};
use crate::vm::{Result, Vm};

/// Bytes that are hashed between two looks at the breaker: about a millisecond of the slowest function.
const PIECE: usize = 1 << 18;

pub(crate) const MODULE: NativeModule = NativeModule {
    name: "_hashes",
    doc: "Hash functions.",
    functions: &[
        native("new(name, string=b'', *, usedforsecurity=True)", |vm, args| {
            let algorithm = algorithm(vm, &args[0])?;
            make(vm, algorithm, args.given(1))
        }),
        native("pbkdf2_hmac(hash_name, password, salt, iterations, dklen=None)", pbkdf2_hmac),
    ],
    types: &[&HASH, &HASH_XOF],
    init: Some(|vm, module| {
        let names: Vec<Value> = ALGORITHMS.iter().map(|algorithm| vm.intern(algorithm.name)).collect();
        let names = vm.new_tuple(names);
        vm.set_attr_str(module, "names", &names)
    }),
};

/// A hash function.
struct Algorithm {
    name: &'static str,
    /// The size of a block, in bytes.
    block_size: i64,
    start: fn() -> State,
}

/// What has been fed so far.
#[derive(Clone)]
enum State {
    Fixed(Box<dyn DynDigest>),
    #[cfg(feature = "hashes")]
    Shake128(sha3::Shake128),
    #[cfg(feature = "hashes")]
    Shake256(sha3::Shake256),
}

fn fixed<D: Digest + DynDigest + 'static>() -> State {
    State::Fixed(Box::new(D::new()))
}

const fn row(name: &'static str, block_size: i64, start: fn() -> State) -> Algorithm {
    Algorithm { name, block_size, start }
}

static ALGORITHMS: &[Algorithm] = &[
    row("sha224", 64, fixed::<sha2::Sha224>),
    row("sha256", 64, fixed::<sha2::Sha256>),
    row("sha384", 128, fixed::<sha2::Sha384>),
    row("sha512", 128, fixed::<sha2::Sha512>),
    row("sha512_224", 128, fixed::<sha2::Sha512_224>),
    row("sha512_256", 128, fixed::<sha2::Sha512_256>),
    #[cfg(feature = "hashes")]
    row("md5", 64, fixed::<md5::Md5>),
    #[cfg(feature = "hashes")]
    row("sha1", 64, fixed::<sha1::Sha1>),
    #[cfg(feature = "hashes")]
    row("sha3_224", 144, fixed::<sha3::Sha3_224>),
    #[cfg(feature = "hashes")]
    row("sha3_256", 136, fixed::<sha3::Sha3_256>),
    #[cfg(feature = "hashes")]
    row("sha3_384", 104, fixed::<sha3::Sha3_384>),
    #[cfg(feature = "hashes")]
    row("sha3_512", 72, fixed::<sha3::Sha3_512>),
    #[cfg(feature = "hashes")]
    row("shake_128", 168, || State::Shake128(sha3::Shake128::default())),
    #[cfg(feature = "hashes")]
    row("shake_256", 136, || State::Shake256(sha3::Shake256::default())),
];

impl State {
    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Fixed(state) => state.update(bytes),
            #[cfg(feature = "hashes")]
            Self::Shake128(state) => sha3::digest::Update::update(state, bytes),
            #[cfg(feature = "hashes")]
            Self::Shake256(state) => sha3::digest::Update::update(state, bytes),
        }
    }

    /// The digest's bytes; `None` for a function that gives as many as are asked for.
    fn size(&self) -> Option<usize> {
        match self {
            Self::Fixed(state) => Some(state.output_size()),
            #[cfg(feature = "hashes")]
            Self::Shake128(_) | Self::Shake256(_) => None,
        }
    }

    /// The digest of what was fed; `length` bytes of it where any number can be had.
    fn finish(self, length: usize) -> Vec<u8> {
        match self {
            Self::Fixed(state) => state.finalize().into_vec(),
            #[cfg(feature = "hashes")]
            Self::Shake128(state) => extended(state, length),
            #[cfg(feature = "hashes")]
            Self::Shake256(state) => extended(state, length),
        }
    }
}

#[cfg(feature = "hashes")]
fn extended(state: impl sha3::digest::ExtendableOutput, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    sha3::digest::XofReader::read(&mut state.finalize_xof(), &mut bytes);
    bytes
}

/// The payload of `_hashlib.HASH` and `_hashlib.HASHXOF`.
pub(crate) struct Hash {
    algorithm: &'static Algorithm,
    state: State,
}

impl Payload for Hash {
    const LAYOUT: Layout = Layout::Hash;
}

static HASH: TypeSpec = TypeSpec {
    name: "_hashlib.HASH",
    doc: "A hash that is fed in pieces; its digest is that of all of them together.",
    layout: Layout::Hash,
    flags: NO_NEW,
    slots: Slots { repr: Some(repr), ..Slots::NONE },
    methods: &[
        native("update(self, obj, /)", |vm, args| {
            feed(vm, this(&args[0]), &args[1])?;
            Ok(Value::NONE)
        }),
        native("digest(self, /)", |vm, args| {
            let digest = digest(vm, &args[0], 0);
            Ok(vm.new_bytes(digest))
        }),
        native("hexdigest(self, /)", |vm, args| {
            let digest = digest(vm, &args[0], 0);
            hex_of(vm, &digest, None, None)
        }),
        native("copy(self, /)", copy),
    ],
    getset: GETSET,
    ..TypeSpec::DEFAULT
};

static HASH_XOF: TypeSpec = TypeSpec {
    name: "_hashlib.HASHXOF",
    doc: "A hash whose digest may have any length.",
    layout: Layout::Hash,
    base: Some(&HASH),
    flags: NO_NEW,
    methods: &[
        native("digest(self, length)", |vm, args| {
            let length = digest_length(vm, &args[1])?;
            let digest = digest(vm, &args[0], length);
            Ok(vm.new_bytes(digest))
        }),
        native("hexdigest(self, length)", |vm, args| {
            let length = digest_length(vm, &args[1])?;
            let digest = digest(vm, &args[0], length);
            hex_of(vm, &digest, None, None)
        }),
    ],
    ..TypeSpec::DEFAULT
};

const GETSET: &[GetSetSpec] = &[
    GetSetSpec { name: "digest_size", get: |vm, this_hash| Ok(Value::small(this(this_hash).get(vm).state.size().unwrap_or(0) as i64)), set: None },
    GetSetSpec { name: "block_size", get: |vm, this_hash| Ok(Value::small(this(this_hash).get(vm).algorithm.block_size)), set: None },
    GetSetSpec {
        name: "name",
        get: |vm, this_hash| {
            let name = this(this_hash).get(vm).algorithm.name;
            Ok(vm.intern(name))
        },
        set: None,
    },
];

fn this(value: &Value) -> &Ref<Hash> {
    value.downcast::<Hash>().expect("the receiver is a hash")
}

fn repr(vm: &mut Vm, value: &Value) -> Result<Value> {
    let class = vm.type_of(value);
    let class = vm.class_full_name(&class);
    let name = this(value).get(vm).algorithm.name;
    Ok(vm.new_str(format!("<{name} {class} object @ {:#x}>", value.address())))
}

/// The function of that name, in any case.
fn algorithm(vm: &mut Vm, name: &Value) -> Result<&'static Algorithm> {
    if !name.holds::<Str>() {
        return Err(vm.type_error("name must be a string"));
    }
    let given = text(vm, name).to_utf8_lossy().into_owned();
    let name = given.to_ascii_lowercase().replace('-', "_");
    let plain = name.strip_prefix("sha_").map(|rest| format!("sha{rest}"));
    match ALGORITHMS.iter().find(|algorithm| algorithm.name == name || plain.as_deref() == Some(algorithm.name)) {
        Some(algorithm) => Ok(algorithm),
        None => Err(vm.value_error(format!("unsupported hash type {given}"))),
    }
}

fn make(vm: &mut Vm, algorithm: &'static Algorithm, data: Option<&Value>) -> Result<Value> {
    let state = (algorithm.start)();
    let class = vm.native_type(if state.size().is_some() { &HASH } else { &HASH_XOF });
    let hash = vm.alloc_for(&class, Hash { algorithm, state });
    if let Some(data) = data {
        feed(vm, &hash, data)?;
    }
    Ok(hash.into_value())
}

/// The bytes of what is to be hashed.
pub(crate) fn input(vm: &mut Vm, data: &Value) -> Result<Vec<u8>> {
    if data.holds::<Str>() {
        return Err(vm.type_error("Strings must be encoded before hashing"));
    }
    match bytes_of(vm, data)? {
        Some(bytes) => Ok(bytes),
        None => Err(vm.type_error("object supporting the buffer API required")),
    }
}

fn feed(vm: &mut Vm, hash: &Ref<Hash>, data: &Value) -> Result<()> {
    let bytes = input(vm, data)?;
    for piece in bytes.chunks(PIECE) {
        hash.get_mut(vm).state.update(piece);
        vm.poll()?;
    }
    Ok(())
}

fn digest(vm: &mut Vm, hash: &Value, length: usize) -> Vec<u8> {
    this(hash).get(vm).state.clone().finish(length)
}

fn digest_length(vm: &mut Vm, length: &Value) -> Result<usize> {
    let Ok(length) = usize::try_from(vm.index_i64(length)?) else { return Err(vm.value_error("value must be positive")) };
    vm.charge(length)?;
    Ok(length)
}

fn copy(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let hash = this(&args[0]).get(vm);
    let twin = Hash { algorithm: hash.algorithm, state: hash.state.clone() };
    let class = vm.type_of(&args[0]);
    Ok(vm.alloc_for(&class, twin).into_value())
}

/// HMAC of a message in parts, by RFC 2104.
struct Mac {
    /// The states after the key's two paddings.
    inner: State,
    outer: State,
}

impl Mac {
    fn new(algorithm: &Algorithm, key: &[u8]) -> Self {
        let block_size = algorithm.block_size as usize;
        let mut block = key.to_vec();
        if block.len() > block_size {
            let mut state = (algorithm.start)();
            state.update(key);
            block = state.finish(0);
        }
        block.resize(block_size, 0);
        let padded = |byte: u8| {
            let mut state = (algorithm.start)();
            state.update(&block.iter().map(|key| key ^ byte).collect::<Vec<u8>>());
            state
        };
        Self { inner: padded(0x36), outer: padded(0x5C) }
    }

    fn of(&self, parts: &[&[u8]]) -> Vec<u8> {
        let mut inner = self.inner.clone();
        for part in parts {
            inner.update(part);
        }
        let mut outer = self.outer.clone();
        outer.update(&inner.finish(0));
        outer.finish(0)
    }
}

/// PBKDF2 of RFC 8018.
fn pbkdf2_hmac(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let algorithm = algorithm(vm, &args[0])?;
    let Some(size) = (algorithm.start)().size() else { return Err(vm.value_error("unsupported hash type")) };
    let password = input(vm, &args[1])?;
    let salt = input(vm, &args[2])?;
    let iterations = vm.index_i64(&args[3])?;
    if iterations < 1 {
        return Err(vm.value_error("iteration value must be greater than 0."));
    }
    let length = match args.given_some(4) {
        None => size as i64,
        Some(length) => vm.index_i64(length)?,
    };
    let Some(length) = usize::try_from(length).ok().filter(|&length| length > 0) else {
        return Err(vm.value_error("key length must be greater than 0."));
    };
    vm.charge(length)?;
    let mac = Mac::new(algorithm, &password);
    let mut key = Vec::with_capacity(length);
    for number in 1_u32.. {
        if key.len() >= length {
            break;
        }
        let mut round = mac.of(&[&salt, &number.to_be_bytes()]);
        let mut block = round.clone();
        for index in 1..iterations {
            if index % 1000 == 0 {
                vm.poll()?;
            }
            round = mac.of(&[&round]);
            block.iter_mut().zip(&round).for_each(|(byte, other)| *byte ^= other);
        }
        key.extend(block);
    }
    key.truncate(length);
    Ok(vm.new_bytes(key))
}
