//! `_sre`: the patterns and matches under `re`. Matching stands in `text::regex`.

use crate::code::instruction::Comparison;
use crate::object::account::block;
use crate::object::layout::{Layout, Payload};
use crate::object::native::{Args, NativeModule, getter, native};
use crate::object::type_object::{HAS_WEAKREFS, NO_NEW, Slots, TypeSpec};
use crate::object::types::buffer::{bytes_of, plain_bytes};
use crate::object::types::generic_alias;
use crate::object::types::index::is_index;
use crate::object::types::str::Str;
use crate::object::types::str_methods::text;
use crate::object::value::{Ref, Value};
use crate::object::word::Word;
use crate::text::regex::template::{self, Part};
use crate::text::regex::{Captures, Interrupted, Mode, Pattern, PatternError, Request, Scan, flag};
use crate::text::{Text, TextBuilder, TextView, bytes::to_latin1_text, unicode};
use crate::vm::{ExceptionKind, Raised, Result, Vm};

pub(crate) const MODULE: NativeModule = NativeModule {
    name: "_sre",
    doc: "",
    functions: &[
        native("compile(pattern, flags, error, warn=None)", compile),
        native("template(pattern, template, /)", |vm, args| {
            let Some(pattern) = args[0].downcast::<PatternPayload>().cloned() else {
                return Err(vm.type_error("template() argument 1 must be a Pattern"));
            };
            parse_template(vm, &pattern, &args[1])?;
            Ok(args[1].clone())
        }),
        native("widths(pattern, /)", |vm, args| {
            let Some(pattern) = args[0].downcast::<PatternPayload>().cloned() else {
                return Err(vm.type_error("widths() argument must be a Pattern"));
            };
            let (least, most) = pattern.get(vm).regex.widths();
            let pair = vec![vm.new_int(least as i64), most.map_or(Value::NONE, |most| vm.new_int(most as i64))];
            Ok(vm.new_tuple(pair))
        }),
        native("getcodesize()", |_, _| Ok(Value::small(4))),
        native("unicode_iscased(character, /)", |vm, args| {
            let code = u32::try_from(i64::from(vm.c_int(&args[0])?)).ok().filter(|&code| code <= 0x10_FFFF);
            Ok(Value::from_bool(code.is_some_and(|code| unicode::simple_lower(code) != code || unicode::simple_upper(code) != code)))
        }),
        native("unicode_tolower(character, /)", |vm, args| {
            let number = i64::from(vm.c_int(&args[0])?);
            let code = u32::try_from(number).ok().filter(|&code| code <= 0x10_FFFF);
            Ok(vm.new_int(code.map_or(number, |code| i64::from(unicode::simple_lower(code)))))
        }),
        native("ascii_iscased(character, /)", |vm, args| {
            let code = i64::from(vm.c_int(&args[0])?);
            Ok(Value::from_bool(u8::try_from(code).is_ok_and(|byte| byte.is_ascii_alphabetic())))
        }),
        native("ascii_tolower(character, /)", |vm, args| {
            let code = i64::from(vm.c_int(&args[0])?);
            Ok(Value::small(u8::try_from(code).map_or(code, |byte| i64::from(byte.to_ascii_lowercase()))))
        }),
    ],
    types: &[&PATTERN, &MATCH],
    init: Some(|vm, module| {
        for (name, value) in [("MAGIC", 20_230_502), ("CODESIZE", 4), ("MAXREPEAT", 4_294_967_295), ("MAXGROUPS", 1_073_741_823)] {
            vm.set_attr_str(module, name, &Value::small(value))?;
        }
        Ok(())
    }),
};

/// The payload of a `re.Pattern`.
pub(crate) struct PatternPayload {
    regex: Pattern,
    source: Value,
    /// The class of the errors of templates.
    error: Value,
}

impl Payload for PatternPayload {
    const LAYOUT: Layout = Layout::RegexPattern;
    const IS_CONTAINER: bool = true;
    const OWNS_MEMORY: bool = true;
    fn owned_bytes(&self) -> usize {
        block(self.regex.heap_size())
    }
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        visit(self.source.word());
        visit(self.error.word());
    }
}

/// The payload of a `re.Match`.
pub(crate) struct MatchPayload {
    pattern: Ref<PatternPayload>,
    string: Value,
    captures: Captures,
    position: usize,
    end_position: usize,
}

impl Payload for MatchPayload {
    const LAYOUT: Layout = Layout::RegexMatch;
    const IS_CONTAINER: bool = true;
    const OWNS_MEMORY: bool = true;
    fn owned_bytes(&self) -> usize {
        block(self.captures.heap_size())
    }
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        visit(self.pattern.word());
        visit(self.string.word());
    }
}

/// The payload of scanners and of what `finditer` gives.
pub(crate) struct ScannerPayload {
    pattern: Ref<PatternPayload>,
    string: Value,
    copied: Option<Vec<u8>>,
    start: usize,
    end: usize,
    scan: Option<Scan>,
    /// For `scanner()`: where the next search begins, and whether it must not be empty there.
    next: usize,
    must_advance: bool,
}

impl Payload for ScannerPayload {
    const LAYOUT: Layout = Layout::RegexScanner;
    const IS_CONTAINER: bool = true;
    fn traverse(&self, visit: &mut dyn FnMut(Word)) {
        visit(self.pattern.word());
        visit(self.string.word());
    }
}

static PATTERN: TypeSpec = TypeSpec {
    name: "re.Pattern",
    doc: "A regular expression, compiled.",
    layout: Layout::RegexPattern,
    flags: HAS_WEAKREFS | NO_NEW,
    slots: Slots { repr: Some(pattern_repr), compare: Some(pattern_compare), hash: Some(pattern_hash), ..Slots::NONE },
    methods: &[
        native("match(self, /, string, pos=0, endpos=9223372036854775807)", |vm, args| found(vm, args, Mode::Match)),
        native("fullmatch(self, /, string, pos=0, endpos=9223372036854775807)", |vm, args| found(vm, args, Mode::FullMatch)),
        native("search(self, /, string, pos=0, endpos=9223372036854775807)", |vm, args| found(vm, args, Mode::Search)),
        native("sub(self, /, repl, string, count=0)", |vm, args| {
            let (text, _) = substitute(vm, args)?;
            Ok(text)
        }),
        native("subn(self, /, repl, string, count=0)", |vm, args| {
            let (text, count) = substitute(vm, args)?;
            Ok(vm.new_tuple(vec![text, Value::small(count as i64)]))
        }),
        native("findall(self, /, string, pos=0, endpos=9223372036854775807)", findall),
        native("split(self, /, string, maxsplit=0)", split),
        native("finditer(self, /, string, pos=0, endpos=9223372036854775807)", |vm, args| {
            let scanner = new_scanner(vm, args, true)?;
            Ok(scanner)
        }),
        native("scanner(self, /, string, pos=0, endpos=9223372036854775807)", |vm, args| new_scanner(vm, args, false)),
        native("__copy__(self, /)", |_, args| Ok(args[0].clone())),
        native("__deepcopy__(self, memo, /)", |_, args| Ok(args[0].clone())),
    ],
    class_methods: &[native("__class_getitem__(cls, object, /)", |vm, args| generic_alias::new_alias(vm, &args[0], &args[1]))],
    getset: &[
        getter("pattern", |vm, value| Ok(pattern(value).get(vm).source.clone())),
        getter("flags", |vm, value| Ok(Value::small(i64::from(pattern(value).get(vm).regex.flags())))),
        getter("groups", |vm, value| Ok(Value::small(pattern(value).get(vm).regex.groups() as i64))),
        getter("groupindex", |vm, value| {
            let names: Vec<(Text, usize)> = pattern(value).get(vm).regex.names().to_vec();
            let dict = vm.new_dict();
            for (name, number) in names {
                let name = vm.new_str(name);
                vm.dict_set(&dict, &name, Value::small(number as i64))?;
            }
            let types = vm.import("types")?;
            let proxy = vm.get_attr_str(&types, "MappingProxyType")?;
            vm.call(&proxy, &[dict.into_value()])
        }),
    ],
    ..TypeSpec::DEFAULT
};

static MATCH: TypeSpec = TypeSpec {
    name: "re.Match",
    doc: "What a pattern found, and where. A match is always true.",
    layout: Layout::RegexMatch,
    flags: NO_NEW,
    slots: Slots { repr: Some(match_repr), get_item: Some(match_item), ..Slots::NONE },
    methods: &[
        native("group(self, /, *groups)", group).unpacked(),
        native("start(self, group=0, /)", |vm, args| place(vm, args, |span| Value::small(span.map_or(-1, |span| span.0 as i64)))),
        native("end(self, group=0, /)", |vm, args| place(vm, args, |span| Value::small(span.map_or(-1, |span| span.1 as i64)))),
        native("span(self, group=0, /)", |vm, args| {
            let number = group_number(vm, &args[0], args.given(1))?;
            let span = this_match(&args[0]).get(vm).captures.group(number);
            Ok(span_tuple(vm, span))
        }),
        native("groups(self, /, default=None)", groups),
        native("groupdict(self, /, default=None)", groupdict),
        native("expand(self, /, template)", expand),
        native("__copy__(self, /)", |_, args| Ok(args[0].clone())),
        native("__deepcopy__(self, memo, /)", |_, args| Ok(args[0].clone())),
    ],
    class_methods: &[native("__class_getitem__(cls, object, /)", |vm, args| generic_alias::new_alias(vm, &args[0], &args[1]))],
    getset: &[
        getter("string", |vm, value| Ok(this_match(value).get(vm).string.clone())),
        getter("re", |vm, value| Ok(this_match(value).get(vm).pattern.clone().into_value())),
        getter("pos", |vm, value| Ok(Value::small(this_match(value).get(vm).position as i64))),
        getter("endpos", |vm, value| Ok(Value::small(this_match(value).get(vm).end_position as i64))),
        getter("lastindex", |vm, value| Ok(this_match(value).get(vm).captures.last_index().map_or(Value::NONE, |index| Value::small(index as i64)))),
        getter("lastgroup", |vm, value| {
            let found = this_match(value).get(vm);
            let name = found
                .captures
                .last_index()
                .and_then(|index| found.pattern.get(vm).regex.names().iter().find(|name| name.1 == index).map(|name| name.0.clone()));
            Ok(name.map_or(Value::NONE, |name| vm.new_str(name)))
        }),
        getter("regs", |vm, value| {
            let captures = this_match(value).get(vm).captures.clone();
            let spans: Vec<Value> = (0..=captures.groups()).map(|number| span_tuple(vm, captures.group(number))).collect();
            Ok(vm.new_tuple(spans))
        }),
    ],
    ..TypeSpec::DEFAULT
};

static SCANNER: TypeSpec = TypeSpec {
    name: "_sre.SRE_Scanner",
    layout: Layout::RegexScanner,
    flags: NO_NEW,
    methods: &[
        native("match(self, /)", |vm, args| scanned(vm, &args[0], Mode::Match)),
        native("search(self, /)", |vm, args| scanned(vm, &args[0], Mode::Search)),
    ],
    getset: &[getter("pattern", |vm, value| {
        let scanner = value.downcast::<ScannerPayload>().expect("the receiver is a scanner");
        Ok(scanner.get(vm).pattern.clone().into_value())
    })],
    ..TypeSpec::DEFAULT
};

static FINDITER: TypeSpec = TypeSpec {
    name: "callable_iterator",
    layout: Layout::RegexScanner,
    flags: NO_NEW,
    slots: Slots { iter: Some(|_, value| Ok(value.clone())), next: Some(next_match), ..Slots::NONE },
    ..TypeSpec::DEFAULT
};

fn pattern(value: &Value) -> &Ref<PatternPayload> {
    value.downcast::<PatternPayload>().expect("the receiver is a pattern")
}

fn this_match(value: &Value) -> &Ref<MatchPayload> {
    value.downcast::<MatchPayload>().expect("the receiver is a match")
}

// ---- compiling

fn compile(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    if !crate::object::types::numeric::is_int(&args[1]) {
        let name = vm.type_name(&args[1]);
        return Err(vm.type_error(format!("unsupported operand type(s) for &: '{name}' and 'int'")));
    }
    let flags = vm.c_int(&args[1])? as u32;
    let (source, is_bytes) = if args[0].holds::<Str>() {
        (text(vm, &args[0]).clone(), false)
    } else {
        match bytes_of(vm, &args[0])? {
            Some(bytes) => (to_latin1_text(&bytes), true),
            None => return Err(vm.type_error("first argument must be string or compiled pattern")),
        }
    };
    vm.charge(source.len().saturating_mul(64))?;
    let room = vm.native_room();
    match Pattern::compile(source.view(), is_bytes, flags, room) {
        Ok(regex) => {
            vm.charge(regex.heap_size())?;
            if let Some(warn) = args.given_some(3) {
                for note in regex.notes() {
                    let note = vm.new_str(note.as_str());
                    vm.call(warn, &[note])?;
                }
            }
            let class = vm.native_type(&PATTERN);
            let payload = PatternPayload { regex, source: args[0].clone(), error: args[2].clone() };
            Ok(vm.alloc_for(&class, payload).into_value())
        }
        Err(error) => Err(pattern_error(vm, error, &args[0], &args[2].clone())),
    }
}

fn pattern_error(vm: &mut Vm, error: PatternError, source: &Value, class: &Value) -> Raised {
    match error {
        PatternError::Pattern { message, position } => {
            let message = vm.new_str(message);
            let position = position.map_or(Value::NONE, |position| Value::small(position as i64));
            match vm.call(class, &[message, source.clone(), position]) {
                Ok(exception) => vm.raise_value(exception),
                Err(raised) => raised,
            }
        }
        PatternError::Value(message) => vm.value_error(message),
        PatternError::Overflow(message) => vm.overflow_error(message),
        PatternError::Index(message) => vm.index_error(message.to_utf8_lossy()),
        PatternError::TooDeep => vm.raise(ExceptionKind::RecursionError, "maximum recursion depth exceeded"),
    }
}

fn pattern_repr(vm: &mut Vm, value: &Value) -> Result<Value> {
    let payload = pattern(value).get(vm);
    let (source, mut flags) = (payload.source.clone(), payload.regex.flags());
    if !payload.regex.is_bytes() && flags & (flag::LOCALE | flag::UNICODE | flag::ASCII) == flag::UNICODE {
        flags &= !flag::UNICODE;
    }
    let shown = vm.repr_text(&source)?;
    let shown = shown.slice(0, 200);
    let mut names: Vec<String> = Vec::new();
    for (name, bit) in [
        ("re.IGNORECASE", flag::IGNORECASE),
        ("re.LOCALE", flag::LOCALE),
        ("re.MULTILINE", flag::MULTILINE),
        ("re.DOTALL", flag::DOTALL),
        ("re.UNICODE", flag::UNICODE),
        ("re.VERBOSE", flag::VERBOSE),
        ("re.DEBUG", flag::DEBUG),
        ("re.ASCII", flag::ASCII),
    ] {
        if flags & bit != 0 {
            names.push(name.to_owned());
            flags &= !bit;
        }
    }
    if flags != 0 {
        names.push(format!("{flags:#x}"));
    }
    let mut out = TextBuilder::new();
    out.push_str("re.compile(");
    out.push_text(&shown);
    if !names.is_empty() {
        out.push_str(", ");
        out.push_str(&names.join("|"));
    }
    out.push_str(")");
    Ok(vm.new_str(out.finish()))
}

fn pattern_compare(vm: &mut Vm, left: &Value, right: &Value, how: Comparison) -> Result<Value> {
    if !matches!(how, Comparison::Equal | Comparison::NotEqual) || !left.holds::<PatternPayload>() || !right.holds::<PatternPayload>() {
        return Ok(Value::NOT_IMPLEMENTED);
    }
    let (first, second) = (pattern(left).get(vm), pattern(right).get(vm));
    let equal = if first.regex.flags() != second.regex.flags() || first.regex.is_bytes() != second.regex.is_bytes() {
        false
    } else {
        let (first, second) = (first.source.clone(), second.source.clone());
        vm.equal(&first, &second)?
    };
    Ok(Value::from_bool(equal == (how == Comparison::Equal)))
}

fn pattern_hash(vm: &mut Vm, value: &Value) -> Result<i64> {
    let payload = pattern(value).get(vm);
    let (source, flags) = (payload.source.clone(), payload.regex.flags());
    let hash = vm.hash(&source)? ^ i64::from(flags);
    Ok(if hash == -1 { -2 } else { hash })
}

// ---- subjects

/// What is searched: the object, and a copy of its bytes when they cannot be borrowed.
struct Subject {
    string: Value,
    copied: Option<Vec<u8>>,
}

impl Subject {
    fn new(vm: &mut Vm, pattern: &Ref<PatternPayload>, string: &Value) -> Result<Self> {
        let is_bytes = pattern.get(vm).regex.is_bytes();
        if string.holds::<Str>() {
            if is_bytes {
                return Err(vm.type_error("cannot use a bytes pattern on a string-like object"));
            }
            return Ok(Self { string: string.clone(), copied: None });
        }
        let copied = if plain_bytes(vm, string).is_some() {
            None
        } else {
            match bytes_of(vm, string)? {
                Some(bytes) => Some(bytes),
                None => {
                    let name = vm.type_name(string);
                    return Err(vm.type_error(format!("expected string or bytes-like object, got '{name}'")));
                }
            }
        };
        if !is_bytes {
            return Err(vm.type_error("cannot use a string pattern on a bytes-like object"));
        }
        Ok(Self { string: string.clone(), copied })
    }

    fn view<'a>(&'a self, vm: &'a Vm) -> TextView<'a> {
        subject_view(vm, &self.string, self.copied.as_deref())
    }

    fn part(&self, vm: &Vm, start: usize, end: usize) -> Value {
        subject_part(vm, &self.string, self.copied.as_deref(), start, end)
    }
}

fn subject_view<'a>(vm: &'a Vm, string: &'a Value, copied: Option<&'a [u8]>) -> TextView<'a> {
    match (string.holds::<Str>(), copied) {
        (true, _) => text(vm, string).view(),
        (false, Some(bytes)) => TextView::Ascii(bytes),
        (false, None) => TextView::Ascii(plain_bytes(vm, string).unwrap_or_default()),
    }
}

fn subject_part(vm: &Vm, string: &Value, copied: Option<&[u8]>, start: usize, end: usize) -> Value {
    if string.holds::<Str>() {
        let source = text(vm, string);
        if start == 0 && end == source.len() && vm.is_exact(string, crate::object::types::TypeId::Str) {
            return string.clone();
        }
        return vm.new_str(source.slice(start, end));
    }
    let TextView::Ascii(bytes) = subject_view(vm, string, copied) else { return Value::NONE };
    let end = end.min(bytes.len());
    vm.new_bytes(bytes[start.min(end)..end].to_vec())
}

/// `pos` and `endpos`, brought into the subject.
fn limits(vm: &mut Vm, subject: &Subject, start: Option<&Value>, end: Option<&Value>) -> Result<(usize, usize)> {
    let start = match start {
        Some(start) => vm.index_clamped(start)?,
        None => 0,
    };
    let end = match end {
        Some(end) => vm.index_clamped(end)?,
        None => i64::MAX,
    };
    let length = subject.view(vm).len();
    let bring = |place: i64| place.clamp(0, length as i64) as usize;
    let (start, end) = (bring(start), bring(end));
    Ok((start, end))
}

/// What a match that was broken off comes to: the exception of a signal's handler, or another try when it raised none.
fn interrupted(vm: &mut Vm, why: Interrupted) -> Result<()> {
    match why {
        Interrupted::Stopped => vm.poll(),
        Interrupted::TooLarge => Err(vm.memory_error()),
    }
}

fn new_match(vm: &mut Vm, pattern: &Ref<PatternPayload>, string: &Value, captures: Captures, limits: (usize, usize)) -> Value {
    let class = vm.native_type(&MATCH);
    let payload = MatchPayload { pattern: pattern.clone(), string: string.clone(), captures, position: limits.0, end_position: limits.1 };
    vm.alloc_for(&class, payload).into_value()
}

fn found(vm: &mut Vm, args: Args<'_>, mode: Mode) -> Result<Value> {
    let pattern = pattern(&args[0]);
    let subject = Subject::new(vm, pattern, &args[1])?;
    let (start, end) = limits(vm, &subject, args.given(2), args.given(3))?;
    if start > end {
        return Ok(Value::NONE);
    }
    let request = Request { mode, start, end, must_advance: false };
    let mut is_retry = false;
    loop {
        let mut hook = vm.poll_hook(is_retry);
        is_retry = true;
        let outcome = pattern.get(vm).regex.run(subject.view(vm), request, &mut || hook.poll());
        vm.settle(&hook);
        match outcome {
            Ok(Some(captures)) => return Ok(new_match(vm, pattern, &args[1], captures, (start, end))),
            Ok(None) => return Ok(Value::NONE),
            Err(why) => interrupted(vm, why)?,
        }
    }
}

/// The next match of a scan.
fn scan_next(vm: &mut Vm, pattern: &Ref<PatternPayload>, subject: &Subject, scan: &mut Scan) -> Result<Option<Captures>> {
    let mut is_retry = false;
    loop {
        let mut hook = vm.poll_hook(is_retry);
        is_retry = true;
        let outcome = scan.next(&pattern.get(vm).regex, subject.view(vm), &mut || hook.poll());
        vm.settle(&hook);
        match outcome {
            Ok(found) => return Ok(found),
            Err(why) => interrupted(vm, why)?,
        }
    }
}

fn empty_like(vm: &Vm, string: &Value) -> Value {
    if string.holds::<Str>() { vm.empty_str() } else { vm.new_bytes(Vec::new()) }
}

fn findall(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let pattern = pattern(&args[0]).clone();
    let subject = Subject::new(vm, &pattern, &args[1])?;
    let (start, end) = limits(vm, &subject, args.given(2), args.given(3))?;
    let mut scan = Scan::new(Mode::Search, start, end);
    let mut items = Vec::new();
    while let Some(captures) = scan_next(vm, &pattern, &subject, &mut scan)? {
        let part = |number: usize| match captures.group(number) {
            Some((start, end)) => subject.part(vm, start, end),
            None => empty_like(vm, &subject.string),
        };
        let item = match captures.groups() {
            0 => part(0),
            1 => part(1),
            count => {
                let parts: Vec<Value> = (1..=count).map(part).collect();
                vm.new_tuple(parts)
            }
        };
        items.push(item);
        if items.len() % 1024 == 0 {
            vm.check_room(items.len() * 16)?;
            vm.poll()?;
        }
    }
    Ok(vm.new_list(items))
}

fn split(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let pattern = pattern(&args[0]).clone();
    let subject = Subject::new(vm, &pattern, &args[1])?;
    let max = match args.given(2) {
        Some(max) => vm.index_i64(max)?,
        None => 0,
    };
    let length = subject.view(vm).len();
    let mut scan = Scan::new(Mode::Search, 0, length);
    let (mut items, mut last, mut count) = (Vec::new(), 0, 0);
    while max == 0 || count < max {
        let Some(captures) = scan_next(vm, &pattern, &subject, &mut scan)? else { break };
        let (start, end) = captures.span();
        items.push(subject.part(vm, last, start));
        for number in 1..=captures.groups() {
            items.push(match captures.group(number) {
                Some((start, end)) => subject.part(vm, start, end),
                None => Value::NONE,
            });
        }
        last = end;
        count += 1;
        if count % 1024 == 0 {
            vm.check_room(items.len() * 16)?;
            vm.poll()?;
        }
    }
    items.push(subject.part(vm, last, length));
    Ok(vm.new_list(items))
}

// ---- substitution

fn parse_template(vm: &mut Vm, pattern: &Ref<PatternPayload>, source: &Value) -> Result<Vec<Part>> {
    let template = if source.holds::<Str>() {
        text(vm, source).clone()
    } else {
        match bytes_of(vm, source)? {
            Some(bytes) => to_latin1_text(&bytes),
            None => {
                let name = vm.type_name(source);
                return Err(vm.type_error(format!("decoding to str: need a bytes-like object, {name} found")));
            }
        }
    };
    if !template.codes().any(|code| code == 0x5C) {
        return Ok(if template.is_empty() { Vec::new() } else { vec![Part::Literal(template)] });
    }
    let parts = template::parse(template.view(), &pattern.get(vm).regex);
    parts.map_err(|error| {
        let class = pattern.get(vm).error.clone();
        pattern_error(vm, error, source, &class)
    })
}

/// Text or bytes being put together.
enum Output {
    Text(TextBuilder),
    Bytes(Vec<u8>),
}

impl Output {
    fn new(is_text: bool) -> Self {
        if is_text { Self::Text(TextBuilder::new()) } else { Self::Bytes(Vec::new()) }
    }

    fn push(&mut self, view: TextView<'_>) {
        match (self, view) {
            (Self::Text(out), view) => out.push_view(view),
            (Self::Bytes(out), TextView::Ascii(bytes)) => out.extend_from_slice(bytes),
            (Self::Bytes(out), view) => out.extend(view.codes().map(|code| code as u8)),
        }
    }

    fn finish(self, vm: &Vm) -> Value {
        match self {
            Self::Text(out) => vm.new_str(out.finish()),
            Self::Bytes(out) => vm.new_bytes(out),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Text(out) => out.len(),
            Self::Bytes(out) => out.len(),
        }
    }
}

fn push_parts(out: &mut Output, parts: &[Part], captures: &Captures, view: TextView<'_>) {
    for part in parts {
        match part {
            Part::Literal(text) => out.push(text.view()),
            Part::Group(number) => {
                if let Some((start, end)) = captures.group(*number) {
                    out.push(view.slice(start, end));
                }
            }
        }
    }
}

fn substitute(vm: &mut Vm, args: Args<'_>) -> Result<(Value, usize)> {
    let pattern = pattern(&args[0]).clone();
    let (replacement, string) = (&args[1], &args[2]);
    let max = match args.given(3) {
        Some(max) => vm.index_i64(max)?,
        None => 0,
    };
    let callable = vm.type_of(replacement).get(vm).slots.call.is_some();
    let parts = if callable { Vec::new() } else { parse_template(vm, &pattern, replacement)? };
    let subject = Subject::new(vm, &pattern, string)?;
    let is_text = string.holds::<Str>();
    if !callable && replacement.holds::<Str>() != is_text && !parts.is_empty() {
        let name = vm.type_name(replacement);
        let message = if is_text {
            format!("sequence item 0: expected str instance, {name} found")
        } else {
            format!("sequence item 0: expected a bytes-like object, {name} found")
        };
        return Err(vm.type_error(message));
    }
    let length = subject.view(vm).len();
    let mut scan = Scan::new(Mode::Search, 0, length);
    let mut out = Output::new(is_text);
    let (mut last, mut count, mut charged) = (0, 0, 0);
    while max == 0 || (count as i64) < max {
        let Some(captures) = scan_next(vm, &pattern, &subject, &mut scan)? else { break };
        let (start, end) = captures.span();
        out.push(subject.view(vm).slice(last, start));
        if callable {
            let found = new_match(vm, &pattern, string, captures, (0, length));
            let made = vm.call(replacement, &[found])?;
            if !made.is_none() {
                push_value(vm, &mut out, &made, is_text)?;
            }
        } else {
            push_parts(&mut out, &parts, &captures, subject.view(vm));
        }
        last = end;
        count += 1;
        if out.len() > charged + 65536 || count % 1024 == 0 {
            // All of it: nobody has counted it yet. The buffer doubles.
            vm.check_room(out.len() * 2)?;
            charged = out.len();
            vm.poll()?;
        }
    }
    if count == 0 {
        return Ok((subject.part(vm, 0, length), 0));
    }
    out.push(subject.view(vm).slice(last, length));
    Ok((out.finish(vm), count))
}

fn push_value(vm: &mut Vm, out: &mut Output, made: &Value, is_text: bool) -> Result<()> {
    if is_text && made.holds::<Str>() {
        out.push(text(vm, made).view());
        return Ok(());
    }
    let name = vm.type_name(made);
    if is_text {
        return Err(vm.type_error(format!("sequence item 0: expected str instance, {name} found")));
    }
    match bytes_of(vm, made)? {
        Some(bytes) => {
            out.push(TextView::Ascii(&bytes));
            Ok(())
        }
        None => Err(vm.type_error(format!("sequence item 0: expected a bytes-like object, {name} found"))),
    }
}

// ---- scanners

fn new_scanner(vm: &mut Vm, args: Args<'_>, iterates: bool) -> Result<Value> {
    let pattern = pattern(&args[0]).clone();
    let subject = Subject::new(vm, &pattern, &args[1])?;
    let (start, end) = limits(vm, &subject, args.given(2), args.given(3))?;
    let payload = ScannerPayload {
        pattern,
        string: subject.string,
        copied: subject.copied,
        start,
        end,
        scan: iterates.then(|| Scan::new(Mode::Search, start, end)),
        next: start,
        must_advance: false,
    };
    let class = vm.native_type(if iterates { &FINDITER } else { &SCANNER });
    Ok(vm.alloc_for(&class, payload).into_value())
}

fn next_match(vm: &mut Vm, value: &Value) -> Result<Option<Value>> {
    try_next_match(vm, value, false)
}

fn try_next_match(vm: &mut Vm, value: &Value, is_retry: bool) -> Result<Option<Value>> {
    let scanner = value.downcast::<ScannerPayload>().expect("the slot's own type").clone();
    let mut hook = vm.poll_hook(is_retry);
    let payload = scanner.get(vm);
    let Some(mut scan) = payload.scan else { return Ok(None) };
    let view = subject_view(vm, &payload.string, payload.copied.as_deref());
    let outcome = scan.next(&payload.pattern.get(vm).regex, view, &mut || hook.poll());
    let (pattern, string, limits) = (payload.pattern.clone(), payload.string.clone(), (payload.start, payload.end));
    vm.settle(&hook);
    scanner.get_mut(vm).scan = Some(scan);
    match outcome {
        Ok(Some(captures)) => Ok(Some(new_match(vm, &pattern, &string, captures, limits))),
        Ok(None) => Ok(None),
        Err(why) => {
            interrupted(vm, why)?;
            try_next_match(vm, value, true)
        }
    }
}

fn scanned(vm: &mut Vm, value: &Value, mode: Mode) -> Result<Value> {
    try_scanned(vm, value, mode, false)
}

fn try_scanned(vm: &mut Vm, value: &Value, mode: Mode, is_retry: bool) -> Result<Value> {
    let scanner = value.downcast::<ScannerPayload>().expect("the receiver is a scanner").clone();
    let mut hook = vm.poll_hook(is_retry);
    let payload = scanner.get(vm);
    if payload.next > payload.end {
        return Ok(Value::NONE);
    }
    let request = Request { mode, start: payload.next, end: payload.end, must_advance: payload.must_advance };
    let view = subject_view(vm, &payload.string, payload.copied.as_deref());
    let outcome = payload.pattern.get(vm).regex.run(view, request, &mut || hook.poll());
    let (pattern, string, limits) = (payload.pattern.clone(), payload.string.clone(), (payload.start, payload.end));
    vm.settle(&hook);
    match outcome {
        Ok(Some(captures)) => {
            let (start, end) = captures.span();
            let payload = scanner.get_mut(vm);
            payload.must_advance = start == end;
            payload.next = end;
            Ok(new_match(vm, &pattern, &string, captures, limits))
        }
        Ok(None) => {
            scanner.get_mut(vm).next = limits.1 + 1;
            Ok(Value::NONE)
        }
        Err(why) => {
            interrupted(vm, why)?;
            try_scanned(vm, value, mode, true)
        }
    }
}

// ---- matches

/// The number of a group given by number or name; 0 when absent.
fn group_number(vm: &mut Vm, value: &Value, group: Option<&Value>) -> Result<usize> {
    let Some(group) = group else { return Ok(0) };
    let found = this_match(value).get(vm);
    let count = found.captures.groups() as i64;
    let number = if let Some(number) = group.as_small() {
        Some(number)
    } else if group.holds::<Str>() {
        found.pattern.get(vm).regex.group_number(text(vm, group).view()).map(|number| number as i64)
    } else if is_index(vm, group) {
        vm.index(group)?.as_ref().to_i64()
    } else {
        None
    };
    match number {
        Some(number) if (0..=count).contains(&number) => Ok(number as usize),
        _ => Err(vm.index_error("no such group")),
    }
}

fn captured(vm: &Vm, found: &MatchPayload, number: usize, default: &Value) -> Value {
    match found.captures.group(number) {
        None => default.clone(),
        Some((start, end)) if found.string.holds::<Str>() || plain_bytes(vm, &found.string).is_some() => {
            subject_part(vm, &found.string, None, start, end)
        }
        Some(_) => default.clone(),
    }
}

/// The text of a group, `default` when it took no part.
fn group_value(vm: &mut Vm, value: &Value, number: usize, default: &Value) -> Result<Value> {
    let found = this_match(value).get(vm);
    if !found.string.holds::<Str>() && plain_bytes(vm, &found.string).is_none() {
        // A memoryview: its bytes are read again.
        let (string, span) = (found.string.clone(), found.captures.group(number));
        let Some((start, end)) = span else { return Ok(default.clone()) };
        let bytes = bytes_of(vm, &string)?.unwrap_or_default();
        return Ok(vm.new_bytes(bytes.get(start..end).unwrap_or_default().to_vec()));
    }
    Ok(captured(vm, found, number, default))
}

fn group(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let groups = vm.tuple_items(&args[1]);
    match groups.as_slice() {
        [] => group_value(vm, &args[0], 0, &Value::NONE),
        [group] => {
            let number = group_number(vm, &args[0], Some(group))?;
            group_value(vm, &args[0], number, &Value::NONE)
        }
        groups => {
            let mut values = Vec::with_capacity(groups.len());
            for group in groups {
                let number = group_number(vm, &args[0], Some(group))?;
                values.push(group_value(vm, &args[0], number, &Value::NONE)?);
            }
            Ok(vm.new_tuple(values))
        }
    }
}

fn match_item(vm: &mut Vm, value: &Value, key: &Value) -> Result<Value> {
    let number = group_number(vm, value, Some(key))?;
    group_value(vm, value, number, &Value::NONE)
}

fn place(vm: &mut Vm, args: Args<'_>, show: impl FnOnce(Option<(usize, usize)>) -> Value) -> Result<Value> {
    let number = group_number(vm, &args[0], args.given(1))?;
    Ok(show(this_match(&args[0]).get(vm).captures.group(number)))
}

fn span_tuple(vm: &Vm, span: Option<(usize, usize)>) -> Value {
    let (start, end) = span.map_or((-1, -1), |(start, end)| (start as i64, end as i64));
    vm.new_tuple(vec![Value::small(start), Value::small(end)])
}

fn groups(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let default = args.or_none(1);
    let count = this_match(&args[0]).get(vm).captures.groups();
    let mut values = Vec::with_capacity(count);
    for number in 1..=count {
        values.push(group_value(vm, &args[0], number, &default)?);
    }
    Ok(vm.new_tuple(values))
}

fn groupdict(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let default = args.or_none(1);
    let names = this_match(&args[0]).get(vm).pattern.get(vm).regex.names().to_vec();
    let dict = vm.new_dict();
    for (name, number) in names {
        let value = group_value(vm, &args[0], number, &default)?;
        let name = vm.new_str(name);
        vm.dict_set(&dict, &name, value)?;
    }
    Ok(dict.into_value())
}

fn expand(vm: &mut Vm, args: Args<'_>) -> Result<Value> {
    let found = this_match(&args[0]).clone();
    let pattern = found.get(vm).pattern.clone();
    let parts = parse_template(vm, &pattern, &args[1])?;
    let string = found.get(vm).string.clone();
    let subject = Subject::new(vm, &pattern, &string)?;
    let mut out = Output::new(string.holds::<Str>());
    push_parts(&mut out, &parts, &found.get(vm).captures, subject.view(vm));
    Ok(out.finish(vm))
}

fn match_repr(vm: &mut Vm, value: &Value) -> Result<Value> {
    let whole = group_value(vm, value, 0, &Value::NONE)?;
    let shown = vm.repr_text(&whole)?;
    let shown = shown.slice(0, 50);
    let (start, end) = this_match(value).get(vm).captures.span();
    let mut out = TextBuilder::new();
    out.push_str(&format!("<re.Match object; span=({start}, {end}), match="));
    out.push_text(&shown);
    out.push_char('>');
    Ok(vm.new_str(out.finish()))
}
