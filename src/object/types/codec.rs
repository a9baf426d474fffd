//! Encoding and decoding for scripts: the encodings that `text` knows, error handlers that scripts registered, and, for everything else,
//! the codecs that `_codecs` finds.

use super::str_methods::text;
use crate::object::types::bytes::Bytes;
use crate::object::types::str::Str;
use crate::object::types::tuple::Tuple;
use crate::object::value::Value;
use crate::text::Text;
use crate::text::codec::{self, CodecError, Decoded, Encoding, Errors, Failure, Policy, Replacement};
use crate::vm::{ExceptionKind, Raised, Result, Vm};

/// Texts and bytes of more are asked for what coding them takes at most.
const LARGE: usize = 1 << 20;

/// `text.encode(encoding, errors)`: a `bytes`.
pub(crate) fn encode(vm: &mut Vm, this: &Value, encoding: &str, errors: &str) -> Result<Value> {
    check_handler(vm, errors)?;
    if let Some(known) = Encoding::from_name(encoding) {
        let bytes = encode_known(vm, this, known, errors)?;
        return Ok(vm.new_bytes(bytes));
    }
    let (encoder, _) = text_codec(vm, encoding, "encode()")?;
    let made = run(vm, &encoder, this, errors, "encoder", encoding)?;
    if made.holds::<Bytes>() {
        return Ok(made);
    }
    let name = vm.type_name(&made);
    Err(vm.type_error(format!("'{encoding}' encoder returned '{name}' instead of 'bytes'; use codecs.encode() to encode to arbitrary types")))
}

/// With `-X dev` an error handler has to be there, whether it is needed or not.
fn check_handler(vm: &mut Vm, errors: &str) -> Result<()> {
    if errors != "strict" && vm.state().options.is_dev() {
        look_up_error(vm, errors)?;
    }
    Ok(())
}

/// `bytes.decode(encoding, errors)`: a `str`.
pub(crate) fn decode(vm: &mut Vm, bytes: &[u8], encoding: &str, errors: &str) -> Result<Value> {
    check_handler(vm, errors)?;
    if bytes.is_empty() && !vm.state().options.is_dev() {
        // Nothing is nothing in every encoding, there or not; with `-X dev` it has to be there.
        return Ok(vm.empty_str());
    }
    if let Some(known) = Encoding::from_name(encoding) {
        let decoded = decode_known(vm, bytes, known, errors, true)?;
        return Ok(vm.new_str(decoded.text));
    }
    let (_, decoder) = text_codec(vm, encoding, "decode()")?;
    let object = vm.new_bytes(bytes.to_vec());
    let made = run(vm, &decoder, &object, errors, "decoder", encoding)?;
    if made.holds::<Str>() {
        return Ok(made);
    }
    let name = vm.type_name(&made);
    Err(vm.type_error(format!("'{encoding}' decoder returned '{name}' instead of 'str'; use codecs.decode() to decode to arbitrary types")))
}

/// The two functions of a codec that is meant for text.
fn text_codec(vm: &mut Vm, encoding: &str, function: &str) -> Result<(Value, Value)> {
    let info = look_up(vm, encoding)?;
    if let Some(flag) = vm.find_attr_str(&info, "_is_text_encoding")?
        && !vm.is_true(&flag)?
    {
        return Err(
            vm.raise(ExceptionKind::LookupError, format!("'{encoding}' is not a text encoding; use codecs.{function} to handle arbitrary codecs"))
        );
    }
    Ok((vm.get_item(&info, &Value::small(0))?, vm.get_item(&info, &Value::small(1))?))
}

/// Calls a codec's function; the result without the length. What it raises gets a note that names the encoding.
pub(crate) fn run(vm: &mut Vm, function: &Value, object: &Value, errors: &str, what: &str, encoding: &str) -> Result<Value> {
    let errors = vm.new_str(errors);
    let result = match vm.call(function, &[object.clone(), errors]) {
        Ok(result) => result,
        Err(raised) => {
            let doing = if what == "encoder" { "encoding" } else { "decoding" };
            vm.add_note_to_raised(&format!("{doing} with '{encoding}' codec failed"));
            return Err(raised);
        }
    };
    match result.downcast::<Tuple>().map(|tuple| tuple.get(vm).items()) {
        Some([made, _]) => Ok(made.clone()),
        _ => Err(vm.type_error(format!("{what} must return a tuple (object, integer)"))),
    }
}

/// A piece of `_codecs`' state: the module's own attribute, so that every interpreter has its own.
pub(crate) fn registry(vm: &mut Vm, name: &str) -> Result<Value> {
    let module = vm.import("_codecs")?;
    vm.get_attr_str(&module, name)
}

/// `codecs.lookup(encoding)`: the tuple that a search function made, kept for the next time.
pub(crate) fn look_up(vm: &mut Vm, encoding: &str) -> Result<Value> {
    let normal: String = encoding.chars().map(|char| if char == ' ' { '_' } else { char.to_ascii_lowercase() }).collect();
    let cache = registry(vm, "_search_cache")?;
    let key = vm.new_str(normal);
    if vm.contains(&cache, &key)? {
        return vm.get_item(&cache, &key);
    }
    let path = registry(vm, "_search_path")?;
    if vm.len(&path)? == 0 {
        // The standard codecs register themselves.
        vm.import("encodings")?;
    }
    let functions = vm.collect(&path)?;
    if functions.is_empty() {
        return Err(vm.raise(ExceptionKind::LookupError, "no codec search functions registered: can't find encoding"));
    }
    for function in functions {
        let info = vm.call(&function, std::slice::from_ref(&key))?;
        if info.is_none() {
            continue;
        }
        if !info.downcast::<Tuple>().is_some_and(|tuple| tuple.get(vm).items().len() == 4) {
            return Err(vm.type_error("codec search functions must return 4-tuples"));
        }
        vm.set_item(&cache, &key, &info)?;
        return Ok(info);
    }
    Err(vm.raise(ExceptionKind::LookupError, format!("unknown encoding: {encoding}")))
}

/// The handler a script registered, or the function that stands for a built-in one.
pub(crate) fn look_up_error(vm: &mut Vm, name: &str) -> Result<Value> {
    let handlers = registry(vm, "_error_handlers")?;
    let key = vm.new_str(name);
    if vm.contains(&handlers, &key)? {
        return vm.get_item(&handlers, &key);
    }
    Err(vm.raise(ExceptionKind::LookupError, format!("unknown error handler name '{name}'")))
}

/// Encodes with an encoding that `text` knows.
pub(crate) fn encode_known(vm: &mut Vm, this: &Value, encoding: Encoding, errors: &str) -> Result<Vec<u8>> {
    let (len, own) = (text(vm, this).len(), text(vm, this).heap_size());
    vm.charge(len)?;
    if len > LARGE {
        // A copy of the text, and the most bytes for each character.
        let width = match encoding {
            Encoding::UnicodeEscape | Encoding::RawUnicodeEscape => 10,
            _ if own <= len + 1 => 2,
            _ => 5,
        };
        vm.check_room(own.saturating_add(len.saturating_mul(width)))?;
    }
    let source = text(vm, this).clone();
    let result = match Policy::from_name(errors) {
        Some(policy) => vm.paced(source.len(), &[], |_| codec::encode::<Raised>(source.view(), encoding, &mut Errors::new(policy)))?,
        None => {
            let mut hook = |error: &CodecError| call_handler(vm, errors, error, this, source.len());
            codec::encode(source.view(), encoding, &mut Errors::with_hook(&mut hook))
        }
    };
    result.map_err(|failure| raised(vm, failure, |_| this.clone()))
}

/// Decodes with an encoding that `text` knows. Without `last`, an incomplete end is left over.
pub(crate) fn decode_known(vm: &mut Vm, bytes: &[u8], encoding: Encoding, errors: &str, last: bool) -> Result<Decoded> {
    vm.charge(bytes.len())?;
    if bytes.len() > LARGE && !bytes.is_ascii() {
        // The text is made wider on the way.
        vm.check_room(bytes.len().saturating_mul(4))?;
    }
    let result = match Policy::from_name(errors) {
        Some(policy) => vm.paced(bytes.len(), &[], |_| codec::decode::<Raised>(bytes, encoding, &mut Errors::new(policy), last))?,
        None => {
            let mut hook = |error: &CodecError| {
                let object = vm.new_bytes(bytes.to_vec());
                call_handler(vm, errors, error, &object, bytes.len())
            };
            codec::decode(bytes, encoding, &mut Errors::with_hook(&mut hook), last)
        }
    };
    result.map_err(|failure| raised(vm, failure, |vm| vm.new_bytes(bytes.to_vec())))
}

fn raised(vm: &mut Vm, failure: Failure<Raised>, object: impl FnOnce(&mut Vm) -> Value) -> Raised {
    match failure {
        Failure::Codec(error) => {
            let object = object(vm);
            raise_codec_error(vm, &error, object)
        }
        Failure::WrongHandler => vm.type_error("don't know how to handle UnicodeDecodeError in error callback"),
        Failure::BytesForText => vm.type_error("decoding error handler must return (str, int) tuple"),
        Failure::Hook(raised) => raised,
    }
}

fn raise_codec_error(vm: &mut Vm, error: &CodecError, object: Value) -> Raised {
    let kind = if error.decoding { ExceptionKind::UnicodeDecodeError } else { ExceptionKind::UnicodeEncodeError };
    let arguments =
        vec![vm.new_str(error.encoding), object, Value::small(error.start as i64), Value::small(error.end as i64), vm.new_str(error.reason)];
    vm.raise_new(kind, arguments)
}

fn call_handler(vm: &mut Vm, name: &str, error: &CodecError, object: &Value, length: usize) -> std::result::Result<(Replacement, usize), Raised> {
    let handler = look_up_error(vm, name)?;
    let _ = raise_codec_error(vm, error, object.clone());
    let exception = vm.take_raised();
    let answer = vm.call(&handler, &[exception])?;
    let pair = match answer.downcast::<Tuple>().map(|tuple| tuple.get(vm).items()) {
        Some([replacement, position]) => Some((replacement.clone(), position.clone())),
        _ => None,
    };
    let replacement = pair.and_then(|(replacement, position)| {
        let made = if let Some(str) = replacement.downcast::<Str>() {
            Some(Replacement::Text(str.get(vm).text.clone()))
        } else if error.decoding {
            None
        } else {
            replacement.downcast::<Bytes>().map(|bytes| Replacement::Bytes(bytes.get(vm).data.to_vec()))
        };
        made.zip(super::numeric::int_of(vm, &position))
    });
    let Some((replacement, position)) = replacement else {
        return Err(vm.type_error(if error.decoding {
            "decoding error handler must return (str, int) tuple"
        } else {
            "encoding error handler must return (str/bytes, int) tuple"
        }));
    };
    let given = position.as_ref().to_i64_saturating();
    let position = if given < 0 { given.saturating_add(length as i64) } else { given };
    if position < 0 || position > length as i64 {
        return Err(vm.index_error(format!("position {given} from error handler out of bounds")));
    }
    Ok((replacement, position as usize))
}

/// Text of a file name or of the environment: UTF-8, other bytes as lone surrogates.
pub(crate) fn decode_os(bytes: &[u8]) -> Text {
    match codec::decode::<()>(bytes, Encoding::Utf8, &mut Errors::new(Policy::SurrogateEscape), true) {
        Ok(decoded) => decoded.text,
        Err(_) => codec::decode_utf8_lossy(bytes),
    }
}

/// The bytes of a file name: `None` when it has surrogates that stand for no byte.
pub(crate) fn encode_os(text: &Text) -> Option<Vec<u8>> {
    codec::encode::<()>(text.view(), Encoding::Utf8, &mut Errors::new(Policy::SurrogateEscape)).ok()
}
