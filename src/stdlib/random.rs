//! `_random`: the generator under `random.Random`.

use crate::number::mersenne::{MersenneTwister, STATE_WORDS};
use crate::number::{Int, IntRef};
use crate::object::layout::{Layout, Payload};
use crate::object::native::{Args, NativeModule, native};
use crate::object::type_object::{BASE_TYPE, CallArgs, Slots, Type, TypeSpec, constructor};
use crate::object::types::numeric::int_of;
use crate::object::types::tuple::Tuple;
use crate::object::value::{Ref, Value};
use crate::vm::{Result, Vm};

pub(crate) const MODULE: NativeModule =
    NativeModule { name: "_random", doc: "The Mersenne Twister, core of the random module.", functions: &[], types: &[&TYPE], init: None };

/// The payload of `_random.Random`.
pub(crate) struct Generator {
    twister: MersenneTwister,
}

impl Payload for Generator {
    const LAYOUT: Layout = Layout::RandomGenerator;
}

static TYPE: TypeSpec = TypeSpec {
    name: "_random.Random",
    doc: "Random() -> a generator of numbers with a state of its own.",
    layout: Layout::RandomGenerator,
    flags: BASE_TYPE,
    new: constructor("Random(*args, **kwargs)", new),
    slots: Slots { init: Some(init), ..Slots::NONE },
    methods: &[
        native("random(self, /)", |vm, args| {
            let number = this(&args[0]).get_mut(vm).twister.random();
            Ok(vm.new_float(number))
        }),
        native("seed(self, n=None, /)", |vm, args| {
            seed(vm, &args[0], args.given_some(1))?;
            Ok(Value::NONE)
        }),
        native("getstate(self, /)", get_state),
        native("setstate(self, state, /)", set_state),
        native("getrandbits(self, k, /)", get_rand_bits),
    ],
    ..TypeSpec::DEFAULT
};

fn this(value: &Value) -> &Ref<Generator> {
    value.downcast::<Generator>().expect("the receiver is a generator")
}

fn new(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let class = args[0].downcast::<Type>().expect("the class").clone();
    // `__init__` seeds it: that of a subclass may take seeds that are no numbers.
    Ok(vm.alloc_for(&class, Generator { twister: MersenneTwister::from_int(IntRef::Small(0)) }).into_value())
}

fn init(vm: &mut Vm, this: &Value, args: CallArgs<'_>) -> Result<()> {
    let argument = args.values.first().filter(|seed| !seed.is_none()).cloned();
    seed(vm, this, argument.as_ref())
}

fn seed(vm: &mut Vm, value: &Value, seed: Option<&Value>) -> Result<()> {
    let seed = match seed {
        None => {
            let bytes = crate::os::random::bytes(32).map_err(|error| super::os_error::raise(vm, error, None))?;
            Int::from_bytes(&bytes, true, false)
        }
        Some(seed) => match int_of(vm, seed) {
            Some(int) => int,
            None => Int::from(vm.hash(seed)? as u64),
        },
    };
    this(value).get_mut(vm).twister = MersenneTwister::from_int(seed.as_ref());
    Ok(())
}

fn get_state(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let (words, index) = this(&args[0]).get(vm).twister.state();
    let mut items: Vec<Value> = words.iter().map(|&word| Value::small(i64::from(word))).collect();
    items.push(Value::small(index as i64));
    Ok(vm.new_tuple(items))
}

fn set_state(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let Some(state) = args[1].downcast::<Tuple>() else {
        return Err(vm.type_error("state vector must be a tuple"));
    };
    let items = state.get(vm).items().to_vec();
    if items.len() != STATE_WORDS + 1 {
        return Err(vm.value_error("state vector is the wrong size"));
    }
    let mut words = [0; STATE_WORDS];
    for (word, item) in words.iter_mut().zip(&items) {
        let number = vm.index(item)?;
        *word = number.as_ref().to_u64().unwrap_or(0) as u32;
    }
    let index = vm.index_i64(&items[STATE_WORDS])?;
    match usize::try_from(index).ok().and_then(|index| MersenneTwister::from_state(&words, index)) {
        Some(twister) => {
            this(&args[0]).get_mut(vm).twister = twister;
            Ok(Value::NONE)
        }
        None => Err(vm.value_error("invalid state")),
    }
}

/// How many bits are drawn between two checks.
const AT_ONCE: u64 = 1 << 24;

/// `getrandbits` for numbers that take a while.
fn get_many_bits(vm: &mut Vm, args: Args<'_>, bits: u64) -> Result<Value> {
    let mut bytes: Vec<u8> = vm.room_for(bits.div_ceil(32) as usize * 4)?;
    let mut left = bits;
    while left > 0 {
        vm.poll()?;
        let twister = &mut this(&args[0]).get_mut(vm).twister;
        let end = left.saturating_sub(AT_ONCE);
        while left > end {
            let word = twister.next_u32();
            bytes.extend_from_slice(&(if left < 32 { word >> (32 - left) } else { word }).to_le_bytes());
            left = left.saturating_sub(32);
        }
    }
    Ok(vm.new_big(crate::number::int::Int::from_bytes(&bytes, true, false)))
}

fn get_rand_bits(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let bits = vm.index_i64(&args[1])?;
    let Ok(bits) = u64::try_from(bits) else {
        return Err(vm.value_error("number of bits must be non-negative"));
    };
    vm.charge((bits / 8) as usize)?;
    if bits > AT_ONCE {
        return get_many_bits(vm, args, bits);
    }
    let number = this(&args[0]).get_mut(vm).twister.get_rand_bits(bits);
    Ok(vm.new_big(number))
}
