//! `_zlib`: streams that deflate (RFC 1951) with the wrappers of zlib (RFC 1950) and gzip (RFC 1952), under the script half in `zlib`. The work is the crate `flate2`'s.

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use crate::object::layout::{Layout, Payload};
use crate::object::native::{Args, NativeModule, native};
use crate::object::type_object::{TypeSpec, constructor};
use crate::object::value::{Ref, Value};
use crate::vm::{ExceptionKind, Result, Vm};

/// Bytes of output between two looks at the breaker.
const PIECE: usize = 1 << 16;

pub(crate) const MODULE: NativeModule =
    NativeModule { name: "_zlib", doc: "Streams of compressed data.", functions: &[], types: &[&DEFLATER, &INFLATER], init: None };

/// The payload of a stream that compresses.
pub(crate) struct Deflater {
    stream: Compress,
}

/// The payload of a stream that decompresses.
pub(crate) struct Inflater {
    stream: Option<Decompress>,
    /// The kind of wrapper, as zlib counts it, for the stream to be made when its first byte is seen.
    window_bits: i64,
    dictionary: Vec<u8>,
}

impl Payload for Deflater {
    const LAYOUT: Layout = Layout::Deflater;
}

impl Payload for Inflater {
    const LAYOUT: Layout = Layout::Inflater;
}

static DEFLATER: TypeSpec = TypeSpec {
    name: "_zlib.Deflater",
    layout: Layout::Deflater,
    new: constructor("Deflater(level, window_bits, dictionary, /)", |vm, args| {
        let level = vm.index_i64(&args[1])?;
        let window_bits = vm.index_i64(&args[2])?;
        let dictionary = vm.bytes_vec(&args[3])?;
        let level = if level < 0 { Compression::default() } else { Compression::new(level as u32) };
        let mut stream = match window_bits {
            // The smallest window is not made by zlib either: it takes the next one.
            8..=15 => Compress::new_with_window_bits(level, true, window_bits.max(9) as u8),
            -15..=-8 => Compress::new_with_window_bits(level, false, window_bits.unsigned_abs().max(9) as u8),
            24..=31 => Compress::new_gzip(level, (window_bits - 16).max(9) as u8),
            _ => return Err(vm.value_error("Invalid initialization option")),
        };
        if !dictionary.is_empty() && stream.set_dictionary(&dictionary).is_err() {
            return Err(vm.value_error("Invalid dictionary"));
        }
        let class = args[0].downcast().cloned().expect("the constructor got its class");
        Ok(vm.alloc_for(&class, Deflater { stream }).into_value())
    }),
    methods: &[
        // `flush` counts as zlib does: 0 none, 1 partial, 2 sync, 3 full, 4 finish.
        native("run(self, data, flush, /)", deflate),
    ],
    ..TypeSpec::DEFAULT
};

static INFLATER: TypeSpec = TypeSpec {
    name: "_zlib.Inflater",
    layout: Layout::Inflater,
    new: constructor("Inflater(window_bits, dictionary, /)", |vm, args| {
        let window_bits = vm.index_i64(&args[1])?;
        if !matches!(window_bits, 0 | 8..=15 | -15..=-8 | 24..=31 | 40..=47) {
            return Err(vm.value_error("Invalid initialization option"));
        }
        let dictionary = vm.bytes_vec(&args[2])?;
        let class = args[0].downcast().cloned().expect("the constructor got its class");
        Ok(vm.alloc_for(&class, Inflater { stream: None, window_bits, dictionary }).into_value())
    }),
    methods: &[
        // (the output, at most `limit` bytes of it; how much of the input was taken; whether the stream has ended)
        native("run(self, data, limit, /)", inflate),
    ],
    ..TypeSpec::DEFAULT
};

fn deflater(value: &Value) -> &Ref<Deflater> {
    value.downcast::<Deflater>().expect("the receiver is a Deflater")
}

fn inflater(value: &Value) -> &Ref<Inflater> {
    value.downcast::<Inflater>().expect("the receiver is an Inflater")
}

fn deflate(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let data = vm.bytes_vec(&args[1])?;
    let flush = match vm.index_i64(&args[2])? {
        0 => FlushCompress::None,
        1 => FlushCompress::Partial,
        2 => FlushCompress::Sync,
        3 => FlushCompress::Full,
        _ => FlushCompress::Finish,
    };
    let this = deflater(&args[0]).clone();
    let mut rest = data.as_slice();
    let mut out: Vec<u8> = Vec::new();
    loop {
        if out.len() == out.capacity() {
            vm.check_room(out.len() + PIECE)?;
            out.reserve(PIECE);
        }
        let stream = &mut this.get_mut(vm).stream;
        let before = stream.total_in();
        let status = stream.compress_vec(rest, &mut out, flush);
        let taken = (stream.total_in() - before) as usize;
        rest = &rest[taken..];
        match status {
            Ok(Status::StreamEnd) => break,
            // Room is left: nothing more is to come.
            Ok(_) if rest.is_empty() && out.len() < out.capacity() => break,
            Ok(_) => {}
            Err(_) => return Err(vm.value_error("inconsistent stream state")),
        }
        vm.poll()?;
    }
    Ok(vm.new_bytes(out))
}

fn inflate(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let data = vm.bytes_vec(&args[1])?;
    let limit = usize::try_from(vm.index_i64(&args[2])?).unwrap_or(usize::MAX);
    let this = inflater(&args[0]).clone();
    let mut taken = 0;
    let mut out: Vec<u8> = Vec::new();
    let mut is_done = false;
    if this.get(vm).stream.is_none() {
        let Some(&first) = data.first() else { return answer(vm, out, taken, is_done) };
        let inflater = this.get_mut(vm);
        let mut stream = match inflater.window_bits {
            0 => Decompress::new_with_window_bits(true, 15),
            bits @ 8..=15 => Decompress::new_with_window_bits(true, bits.max(9) as u8),
            bits @ -15..=-8 => Decompress::new_with_window_bits(false, bits.unsigned_abs().max(9) as u8),
            bits @ 24..=31 => Decompress::new_gzip((bits - 16).max(9) as u8),
            // Either wrapper: gzip's begins with 31.
            bits if first == 0x1F => Decompress::new_gzip((bits - 32).max(9) as u8),
            bits => Decompress::new_with_window_bits(true, (bits - 32).max(9) as u8),
        };
        // Without a wrapper nothing asks for the dictionary.
        if inflater.window_bits < 0 && !inflater.dictionary.is_empty() {
            let _ = stream.set_dictionary(&inflater.dictionary);
        }
        inflater.stream = Some(stream);
    }
    while out.len() < limit {
        let wanted = (limit - out.len()).min(PIECE);
        vm.check_room(out.len() + wanted)?;
        let start = out.len();
        out.resize(start + wanted, 0);
        let inflater = this.get_mut(vm);
        let Some(stream) = inflater.stream.as_mut() else { break };
        let (before_in, before_out) = (stream.total_in(), stream.total_out());
        let status = stream.decompress(&data[taken..], &mut out[start..], FlushDecompress::Sync);
        let (n_in, n_out) = ((stream.total_in() - before_in) as usize, (stream.total_out() - before_out) as usize);
        taken += n_in;
        out.truncate(start + n_out);
        match status {
            Ok(Status::StreamEnd) => {
                is_done = true;
                break;
            }
            Ok(Status::Ok | Status::BufError) => {
                if n_out < wanted && (taken == data.len() || n_in == 0 && n_out == 0) {
                    break;
                }
            }
            Err(error) if error.needs_dictionary().is_some() => {
                if inflater.dictionary.is_empty() {
                    return Err(failure(vm, 2, None));
                }
                if stream.set_dictionary(&inflater.dictionary).is_err() {
                    return Err(failure(vm, -3, None));
                }
            }
            Err(error) => {
                let message = error.message().map(str::to_owned);
                return Err(failure(vm, -3, message));
            }
        }
        vm.poll()?;
    }
    answer(vm, out, taken, is_done)
}

fn answer(vm: &mut Vm, out: Vec<u8>, taken: usize, is_done: bool) -> Result<Value> {
    let parts = vec![vm.new_bytes(out), Value::small(taken as i64), Value::from_bool(is_done)];
    Ok(vm.new_tuple(parts))
}

/// A `ValueError` with zlib's number and words, which the script half makes a `zlib.error` of.
fn failure(vm: &mut Vm, number: i64, message: Option<String>) -> crate::vm::Raised {
    let class = vm.state().exception(ExceptionKind::ValueError).clone();
    let message = message.map_or(Value::NONE, |message| vm.new_str(message));
    match vm.call(&class, &[Value::small(number), message]) {
        Ok(exception) => vm.raise_value(exception),
        Err(raised) => raised,
    }
}
