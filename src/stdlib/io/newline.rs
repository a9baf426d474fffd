//! Line ends: which ones a text stream knows, what it makes of them, and `IncrementalNewlineDecoder`.

use super::base::initialize;
use crate::object::layout::{Layout, Payload};
use crate::object::native::{Args, Native, getter, native};
use crate::object::type_object::{BASE_TYPE, Slots, Type, TypeSpec, constructor};
use crate::object::types::str::Str;
use crate::object::types::str_methods::text;
use crate::object::value::{Ref, Value};
use crate::object::word::Word;
use crate::text::{Text, TextBuilder, TextView, search};
use crate::vm::{Result, Vm};

/// `newline=…` of a text stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct LineEnds {
    /// `\n`, `\r` and `\r\n` all end lines when reading.
    pub(crate) universal: bool,
    /// Those become `\n`.
    pub(crate) translate: bool,
    /// What ends lines when reading, unless all do.
    pub(crate) read: &'static str,
    /// What `\n` becomes when writing.
    pub(crate) written: Option<&'static str>,
}

impl LineEnds {
    /// What `StringIO` does when nobody says.
    pub(crate) fn default_of_memory() -> Self {
        Self { universal: false, translate: false, read: "\n", written: None }
    }

    /// Reads the argument: `None`, `''`, `'\n'`, `'\r'` or `'\r\n'`. The error shows another one quoted or as it is.
    pub(crate) fn parse(vm: &mut Vm, newline: Option<&Value>, quoted: bool) -> Result<Self> {
        let Some(newline) = newline.filter(|newline| !newline.is_none()) else {
            return Ok(Self { universal: true, translate: true, read: "\n", written: None });
        };
        if !newline.holds::<Str>() {
            let name = vm.type_name(newline);
            return Err(vm.type_error(format!("newline must be str or None, not {name}")));
        }
        let kind = match text(vm, newline).as_ascii() {
            Some("") => Self { universal: true, translate: false, read: "\n", written: None },
            Some("\n") => Self::default_of_memory(),
            Some("\r") => Self { universal: false, translate: false, read: "\r", written: Some("\r") },
            Some("\r\n") => Self { universal: false, translate: false, read: "\r\n", written: Some("\r\n") },
            _ => {
                let shown = if quoted { vm.repr_text(newline)? } else { vm.str_text(newline)? };
                return Err(vm.value_error(format!("illegal newline value: {shown}")));
            }
        };
        Ok(kind)
    }

    /// The argument it came from.
    pub(crate) fn argument(&self) -> Option<&'static str> {
        match (self.universal, self.translate) {
            (true, true) => None,
            (true, false) => Some(""),
            _ => Some(self.read),
        }
    }
}

/// Where the first line of the text ends, behind its line end.
pub(crate) fn line_end(view: TextView<'_>, ends: &LineEnds) -> Option<usize> {
    if ends.universal && !ends.translate {
        let at = view.codes().position(|code| code == 10 || code == 13)?;
        return Some(if view.at(at) == 13 && view.get(at + 1) == Some(10) { at + 2 } else { at + 1 });
    }
    if ends.read.len() == 1 {
        let end = ends.read.as_bytes();
        return search::find(view, TextView::Ascii(end)).map(|at| at + 1);
    }
    search::find(view, TextView::Ascii(b"\r\n")).map(|at| at + 2)
}

const CR: u8 = 1;
const LF: u8 = 2;
const CRLF: u8 = 4;

/// The text with all line ends as `\n` (`None` when nothing changes), and which kinds there were.
pub(crate) fn to_universal(view: TextView<'_>) -> (Option<Text>, u8) {
    let mut seen = 0;
    if !view.codes().any(|code| code == 13) {
        if view.codes().any(|code| code == 10) {
            seen |= LF;
        }
        return (None, seen);
    }
    let mut out = TextBuilder::with_capacity(view.len());
    let mut at = 0;
    while let Some(code) = view.get(at) {
        at += 1;
        match code {
            13 if view.get(at) == Some(10) => {
                seen |= CRLF;
                out.push_char('\n');
                at += 1;
            }
            13 => {
                seen |= CR;
                out.push_char('\n');
            }
            10 => {
                seen |= LF;
                out.push_char('\n');
            }
            _ => out.push_code(code),
        }
    }
    (Some(out.finish()), seen)
}

/// `newlines`: `None`, a string or a tuple of strings.
pub(crate) fn seen_value(vm: &mut Vm, seen: u8) -> Value {
    let mut kinds = Vec::new();
    for (bit, text) in [(CR, "\r"), (LF, "\n"), (CRLF, "\r\n")] {
        if seen & bit != 0 {
            kinds.push(vm.new_str(text));
        }
    }
    match kinds.len() {
        0 => Value::NONE,
        1 => kinds.remove(0),
        _ => vm.new_tuple(kinds),
    }
}

/// The payload of an `IncrementalNewlineDecoder`.
pub(crate) struct NewlineDecoder {
    decoder: Value,
    translate: bool,
    pending_return: bool,
    seen: u8,
}

impl Payload for NewlineDecoder {
    const LAYOUT: Layout = Layout::NewlineDecoder;
    const IS_CONTAINER: bool = true;
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        visit(self.decoder.word());
    }
}

pub(crate) static TYPE: TypeSpec = TypeSpec {
    name: "_io.IncrementalNewlineDecoder",
    doc: "Makes every kind of line break in decoded text a newline, piece by piece.",
    layout: Layout::NewlineDecoder,
    flags: BASE_TYPE,
    new: constructor("IncrementalNewlineDecoder(*args, **kwargs)", |vm, args| {
        let class = args[0].downcast::<Type>().expect("the class").clone();
        let payload = NewlineDecoder { decoder: Value::NONE, translate: false, pending_return: false, seen: 0 };
        Ok(vm.alloc_for(&class, payload).into_value())
    }),
    slots: Slots { init: Some(|vm, this, args| initialize(vm, this, args, &INIT)), ..Slots::NONE },
    methods: &[
        native("decode(self, /, input, final=False)", decode),
        native("getstate(self, /)", |vm, args| {
            let this = decoder(&args[0]).get(vm);
            let (inner, pending) = (this.decoder.clone(), i64::from(this.pending_return));
            let (buffer, flag) = if inner.is_none() {
                (vm.new_bytes(Vec::new()), 0)
            } else {
                let state = vm.call_method(&inner, "getstate", &[])?;
                let items = vm.tuple_items(&state);
                let [buffer, flag] = items.as_slice() else {
                    return Err(vm.type_error("illegal decoder state"));
                };
                (buffer.clone(), vm.index_i64(flag)?)
            };
            Ok(vm.new_tuple(vec![buffer, Value::small(flag << 1 | pending)]))
        }),
        native("setstate(self, state, /)", |vm, args| {
            let items = vm.tuple_items(&args[1]);
            let [buffer, flag] = items.as_slice() else {
                return Err(vm.type_error("state argument must be a tuple"));
            };
            let flag = vm.index_i64(flag)?;
            decoder(&args[0]).get_mut(vm).pending_return = flag & 1 != 0;
            let inner = decoder(&args[0]).get(vm).decoder.clone();
            if !inner.is_none() {
                let state = vm.new_tuple(vec![buffer.clone(), Value::small(flag >> 1)]);
                vm.call_method(&inner, "setstate", &[state])?;
            }
            Ok(Value::NONE)
        }),
        native("reset(self, /)", |vm, args| {
            let this = decoder(&args[0]).get_mut(vm);
            this.pending_return = false;
            this.seen = 0;
            let inner = this.decoder.clone();
            if !inner.is_none() {
                vm.call_method(&inner, "reset", &[])?;
            }
            Ok(Value::NONE)
        }),
    ],
    getset: &[getter("newlines", |vm, value| {
        let seen = decoder(value).get(vm).seen;
        Ok(seen_value(vm, seen))
    })],
    ..TypeSpec::DEFAULT
};

static INIT: Native = native("IncrementalNewlineDecoder(decoder, translate, errors='strict')", |vm, args| {
    let translate = vm.is_true(&args[2])?;
    let this = decoder(&args[0]).get_mut(vm);
    this.decoder = args[1].clone();
    this.translate = translate;
    this.pending_return = false;
    this.seen = 0;
    Ok(Value::NONE)
});

fn decoder(value: &Value) -> &Ref<NewlineDecoder> {
    value.downcast::<NewlineDecoder>().expect("the receiver is a newline decoder")
}

fn decode(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let last = match args.given(2) {
        Some(last) => vm.is_true(last)?,
        None => false,
    };
    let inner = decoder(&args[0]).get(vm).decoder.clone();
    let made = if inner.is_none() { args[1].clone() } else { vm.call_method(&inner, "decode", &[args[1].clone(), Value::from_bool(last)])? };
    if !made.holds::<Str>() {
        let name = vm.type_name(&made);
        return Err(vm.type_error(format!("decoder should return a string result, not '{name}'")));
    }
    let source = text(vm, &made).clone();
    let this = decoder(&args[0]).get_mut(vm);
    let mut all = TextBuilder::new();
    if this.pending_return && (!source.is_empty() || last) {
        all.push_char('\r');
        this.pending_return = false;
    }
    all.push_text(&source);
    let mut all = all.finish();
    if !last && all.len() > 0 && all.get(all.len() - 1) == 13 {
        all = all.slice(0, all.len() - 1);
        this.pending_return = true;
    }
    let (translated, seen) = to_universal(all.view());
    this.seen |= seen;
    let result = if this.translate { translated.unwrap_or(all) } else { all };
    Ok(vm.new_str(result))
}
