//! Binding of arguments to a native function's parameters, by a signature written in Python's syntax; and CPython's words for what does not fit.

use smallvec::SmallVec;

use super::native::{Args, Family, Native};
use super::type_object::CallArgs;
use super::value::Value;
use crate::vm::{Result, Vm};

/// How a parameter takes its argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ParameterKind {
    PositionalOnly,
    PositionalOrKeyword,
    VarPositional,
    KeywordOnly,
    VarKeyword,
}

impl ParameterKind {
    /// Whether a keyword can name the parameter.
    fn takes_name(self) -> bool {
        matches!(self, Self::PositionalOrKeyword | Self::KeywordOnly)
    }
}

/// One parameter.
#[derive(Debug, Clone)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) kind: ParameterKind,
    /// The default as it is written, if there is one.
    pub(crate) default: Option<&'static str>,
    /// What the argument has to be, if the signature says so.
    check: Option<Check>,
}

/// Kinds of arguments that a signature asks for by an annotation; a refusal is worded here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Check {
    /// `name: str`
    Str,
    /// `name: str | None`
    StrOrNone,
    /// `name: index`: an integer, or what has `__index__`.
    Index,
}

impl Check {
    fn parse(annotation: &str) -> Option<Self> {
        match annotation {
            "str" => Some(Self::Str),
            "str | None" => Some(Self::StrOrNone),
            "index" => Some(Self::Index),
            _ => None,
        }
    }
}

/// The parameters of a signature as `inspect` shows them: without the annotations.
pub(crate) fn without_annotations(parameters: &'static str) -> std::borrow::Cow<'static, str> {
    if !parameters.contains(": ") {
        return parameters.into();
    }
    let inside = parameters.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).unwrap_or(parameters);
    let parts: Vec<String> = split_parameters(inside)
        .into_iter()
        .map(|part| {
            let (declared, default) = part.split_once('=').map_or((part, ""), |(declared, default)| (declared, default));
            let name = declared.split_once(": ").map_or(declared, |(name, _)| name);
            if default.is_empty() { name.trim().to_owned() } else { format!("{}={}", name.trim(), default.trim()) }
        })
        .collect();
    format!("({})", parts.join(", ")).into()
}

/// A parsed signature.
#[derive(Debug, Clone)]
pub(crate) struct Signature {
    pub(crate) name: &'static str,
    pub(crate) parameters: Vec<Parameter>,
    /// Parameters that take positional arguments.
    positional: usize,
    /// Required ones among `positional`.
    required: usize,
    var_positional: Option<usize>,
    var_keyword: Option<usize>,
    /// The first parameter is the receiver, which messages do not count.
    has_receiver: bool,
    /// A type's: messages name no function.
    is_constructor: bool,
    /// Some argument's kind is checked.
    has_checks: bool,
}

/// Splits at top-level commas.
fn split_parameters(text: &'static str) -> Vec<&'static str> {
    let (mut parts, mut depth, mut start, mut quote) = (Vec::new(), 0, 0, None);
    for (index, byte) in text.bytes().enumerate() {
        match (quote, byte) {
            (Some(q), b) if q == b => quote = None,
            (Some(_), _) => {}
            (None, b'\'' | b'"') => quote = Some(byte),
            (None, b'(' | b'[') => depth += 1,
            (None, b')' | b']') => depth -= 1,
            (None, b',') if depth == 0 => {
                parts.push(text[start..index].trim());
                start = index + 1;
            }
            _ => {}
        }
    }
    let last = text[start..].trim();
    if !last.is_empty() {
        parts.push(last);
    }
    parts
}

impl Signature {
    /// Parses `name(parameters)`.
    pub(crate) fn parse(text: &'static str) -> Self {
        let (name, rest) = text.split_once('(').unwrap_or((text, ")"));
        let inside = rest.strip_suffix(')').unwrap_or(rest);
        let mut parameters: Vec<Parameter> = Vec::new();
        let mut kind = ParameterKind::PositionalOrKeyword;
        for part in split_parameters(inside) {
            if part == "/" {
                for parameter in &mut parameters {
                    parameter.kind = ParameterKind::PositionalOnly;
                }
            } else if part == "*" {
                kind = ParameterKind::KeywordOnly;
            } else if let Some(name) = part.strip_prefix("**") {
                parameters.push(Parameter { name, kind: ParameterKind::VarKeyword, default: None, check: None });
            } else if let Some(name) = part.strip_prefix('*') {
                parameters.push(Parameter { name, kind: ParameterKind::VarPositional, default: None, check: None });
                kind = ParameterKind::KeywordOnly;
            } else {
                let (name, default) = part.split_once('=').map_or((part, None), |(name, default)| (name.trim(), Some(default.trim())));
                let (name, check) = name.split_once(": ").map_or((name, None), |(name, annotation)| (name, Check::parse(annotation)));
                parameters.push(Parameter { name, kind, default, check });
            }
        }
        let has_receiver = parameters.first().is_some_and(|first| matches!(first.name, "self" | "cls"));
        if let Some(receiver) = parameters.first_mut().filter(|_| has_receiver) {
            receiver.kind = ParameterKind::PositionalOnly;
        }
        let is_positional = |parameter: &&Parameter| matches!(parameter.kind, ParameterKind::PositionalOnly | ParameterKind::PositionalOrKeyword);
        let positional = parameters.iter().filter(is_positional).count();
        let required = parameters.iter().filter(is_positional).filter(|parameter| parameter.default.is_none()).count();
        let has_checks = parameters.iter().any(|parameter| parameter.check.is_some());
        let place = |kind| parameters.iter().position(|parameter: &Parameter| parameter.kind == kind);
        let (var_positional, var_keyword) = (place(ParameterKind::VarPositional), place(ParameterKind::VarKeyword));
        Self { name, parameters, positional, required, var_positional, var_keyword, has_receiver, is_constructor: false, has_checks }
    }

    /// Parses a constructor's signature, which leaves its first parameter, the class, out.
    pub(crate) fn parse_constructor(text: &'static str) -> Self {
        let mut signature = Self::parse(text);
        signature.parameters.insert(0, Parameter { name: "cls", kind: ParameterKind::PositionalOnly, default: None, check: None });
        signature.positional += 1;
        signature.required += 1;
        signature.var_positional = signature.var_positional.map(|place| place + 1);
        signature.var_keyword = signature.var_keyword.map(|place| place + 1);
        signature.has_receiver = true;
        signature.is_constructor = true;
        signature
    }

    /// Of a module's function, whose first parameter is an argument like the others, whatever its name.
    pub(crate) fn parse_function(text: &'static str) -> Self {
        Self { has_receiver: false, ..Self::parse(text) }
    }

    /// With how many arguments, none of them named, a function with this signature can be called without binding.
    pub(crate) fn arity(&self) -> super::native::Arity {
        use super::native::Arity;
        if self.positional == self.parameters.len() && self.positional <= Arity::MAX && !self.has_checks {
            Arity { least: self.required as u8, most: self.positional as u8 }
        } else {
            Arity::UNKNOWN
        }
    }

    /// Binds the arguments and calls `native` with them. `owner` is the class or the module's name.
    pub(crate) fn call(&self, vm: &mut Vm, native: &Native, owner: &Value, arguments: CallArgs<'_>) -> Result<Value> {
        if arguments.names.is_empty() && self.positional == self.parameters.len() {
            let given = arguments.values.len();
            if given == self.positional {
                self.check_kinds(vm, arguments.values)?;
                return (native.function)(vm, Args(arguments.values));
            }
            if given >= self.required && given < self.positional {
                let mut bound: SmallVec<[Value; 6]> = arguments.values.iter().cloned().collect();
                bound.resize_with(self.positional, || Value::UNBOUND);
                self.check_kinds(vm, &bound)?;
                return (native.function)(vm, Args(&bound));
            }
        }
        let arguments = if !arguments.names.is_empty() && self.leaves_names_to_init(vm, native, arguments) {
            CallArgs { values: arguments.unnamed(), names: &[] }
        } else {
            arguments
        };
        let mut bound: SmallVec<[Value; 6]> = SmallVec::new();
        self.check(vm, native.family, owner, arguments)?;
        self.bind(vm, arguments, &mut bound)?;
        self.check_kinds(vm, &bound)?;
        (native.function)(vm, Args(&bound))
    }

    /// Refuses an argument that is not of the kind its parameter asks for.
    #[inline]
    fn check_kinds(&self, vm: &mut Vm, bound: &[Value]) -> Result<()> {
        if self.has_checks { self.check_each_kind(vm, bound) } else { Ok(()) }
    }

    fn check_each_kind(&self, vm: &mut Vm, bound: &[Value]) -> Result<()> {
        for (place, (parameter, value)) in self.parameters.iter().zip(bound).enumerate() {
            let Some(check) = parameter.check.filter(|_| !value.is_unbound()) else { continue };
            let (fits, wanted) = match check {
                Check::Str => (value.holds::<super::types::str::Str>(), "str"),
                Check::StrOrNone => (value.is_none() || value.holds::<super::types::str::Str>(), "str or None"),
                Check::Index => {
                    vm.index(value)?;
                    (true, "")
                }
            };
            if !fits {
                let offset = self.receiver_offset();
                let label = match self.takes_no_keywords() {
                    true if self.positional - offset == 1 && self.required - offset == 1 => String::new(),
                    true => format!(" {}", place + 1 - offset),
                    false => format!(" '{}'", parameter.name),
                };
                let message = format!("{}() argument{label} must be {wanted}, not {}", self.name, vm.argument_kind(value));
                return Err(vm.type_error(message));
            }
        }
        Ok(())
    }

    /// Whether named arguments are none of this constructor's business: it takes none, and the class is a subclass with an `__init__` of its own.
    fn leaves_names_to_init(&self, vm: &Vm, native: &Native, arguments: CallArgs<'_>) -> bool {
        if !self.is_constructor || !self.takes_no_keywords() {
            return false;
        }
        let Some(class) = arguments.values.first().and_then(|class| class.downcast::<super::type_object::Type>()) else { return false };
        let is_own = |base: &&super::value::Ref<super::type_object::Type>| {
            base.get(vm).spec.and_then(|spec| spec.new.as_ref()).is_some_and(|new| std::ptr::eq(new, native))
        };
        let Some(base) = class.get(vm).mro.iter().find(is_own) else { return false };
        super::sequence::has_own_init(vm, class, base)
    }

    fn receiver_offset(&self) -> usize {
        usize::from(self.has_receiver)
    }

    /// Refuses too many, too few, unknown and doubled arguments, in the order and in the words of CPython's function of that family.
    fn check(&self, vm: &mut Vm, family: Family, owner: &Value, arguments: CallArgs<'_>) -> Result<()> {
        let offset = self.receiver_offset();
        let counts = Counts {
            given: arguments.unnamed().len().saturating_sub(offset),
            named: arguments.names.len(),
            most: if self.var_positional.is_some() { usize::MAX } else { self.positional - offset },
            least: self.required.max(offset) - offset,
        };
        let refusal = if self.takes_no_keywords() {
            self.refuse_positional(vm, family, owner, counts)
        } else {
            self.refuse_named(vm, family, arguments, counts)
        };
        refusal.map_or(Ok(()), |message| Err(vm.type_error(message)))
    }

    /// Of a function that takes no keywords.
    fn refuse_positional(&self, vm: &mut Vm, family: Family, owner: &Value, counts: Counts) -> Option<String> {
        let Counts { given, named, most, least } = counts;
        let name = self.name;
        if named > 0 {
            if family == Family::Wrapper {
                return Some(format!("wrapper {name}() takes no keyword arguments"));
            }
            let name =
                if self.is_constructor || !matches!(family, Family::Clinic | Family::Stacked) { name.to_owned() } else { self.full_name(vm, owner) };
            return Some(format!("{name}() takes no keyword arguments"));
        }
        if (least..=most).contains(&given) {
            return None;
        }
        let bound = match given < least {
            _ if least == most => "",
            true => "at least ",
            false => "at most ",
        };
        let limit = if given < least { least } else { most };
        Some(match (family, most) {
            (Family::Wrapper, _) => {
                // One operand is counted, more are unpacked as those of a function without a name.
                let name = if name.ends_with("divmod__") || most == 0 { "" } else { " " };
                format!("{name}expected {bound}{limit} argument{}, got {given}", plural(limit))
            }
            (Family::Clinic, 0) => format!("{}() takes no arguments ({given} given)", self.full_name(vm, owner)),
            (Family::Clinic, 1) if least == 1 && !self.is_constructor => {
                format!("{}() takes exactly one argument ({given} given)", self.full_name(vm, owner))
            }
            (Family::Parsed | Family::Stacked, 0) => format!("{name}() takes no arguments ({given} given)"),
            (Family::Parsed | Family::Stacked, _) => {
                let bound = if bound.is_empty() { "exactly " } else { bound };
                format!("{name}() takes {bound}{limit} argument{} ({given} given)", plural(limit))
            }
            _ => format!("{name} expected {bound}{limit} argument{}, got {given}", plural(limit)),
        })
    }

    /// Of a function that takes keywords: the total first, then the positional ones, what is missing, and what is too much.
    fn refuse_named(&self, vm: &mut Vm, family: Family, arguments: CallArgs<'_>, counts: Counts) -> Option<String> {
        let Counts { given, named, most, .. } = counts;
        let (name, offset) = (self.name, self.receiver_offset());
        let is_optional = |parameter: &&Parameter| parameter.default.is_some();
        let is_gathering = |parameter: &&Parameter| matches!(parameter.kind, ParameterKind::VarPositional | ParameterKind::VarKeyword);
        if self.var_positional.is_none() && self.var_keyword.is_none() && given + named > self.parameters.len() - offset {
            if matches!(name, "int" | "str") && self.is_constructor && named == 0 {
                // The types whose fast way in words it so.
                return Some(format!("{name} expected at most {most} arguments, got {given}"));
            }
            let (total, keyword) = (self.parameters.len() - offset, if given == 0 { "keyword " } else { "" });
            return Some(format!("{name}() takes at most {total} {keyword}argument{} ({} given)", plural(total), given + named));
        }
        if given > most {
            if most == 0 {
                return Some(format!("{name}() takes no positional arguments"));
            }
            let bound = if self.parameters[offset..self.positional].iter().any(|parameter| is_optional(&parameter)) { "at most" } else { "exactly" };
            return Some(format!("{name}() takes {bound} {most} positional argument{} ({given} given)", plural(most)));
        }
        let least_unnamed =
            self.parameters[offset..self.positional].iter().filter(|p| p.kind == ParameterKind::PositionalOnly && p.default.is_none()).count();
        // Functions that take any number of arguments count by themselves, before names are looked at.
        let least_unnamed = if family == Family::Unpacked && self.var_positional.is_some() { least_unnamed.max(1) } else { least_unnamed };
        if given < least_unnamed && family == Family::Unpacked {
            return Some(format!("{name} expected at least {least_unnamed} argument{}, got {given}", plural(least_unnamed)));
        }
        if given < least_unnamed && family == Family::Parsed {
            return Some(format!("{name}() takes at least {least_unnamed} argument{} ({given} given)", plural(least_unnamed)));
        }
        if given < least_unnamed {
            let bound = if least_unnamed < most { "at least" } else { "exactly" };
            return Some(format!("{name}() takes {bound} {least_unnamed} positional argument{} ({given} given)", plural(least_unnamed)));
        }
        let names: SmallVec<[String; 4]> = arguments.names.iter().map(|name| vm.text_of(name).map(ToString::to_string).unwrap_or_default()).collect();
        for (place, parameter) in self.parameters.iter().enumerate().skip((offset + given).min(self.positional)) {
            if !is_optional(&parameter) && !is_gathering(&parameter) && !names.iter().any(|name| name == parameter.name) {
                let position = if name == "enumerate" { String::new() } else { format!(" (pos {})", place + 1 - offset) };
                return Some(format!("{name}() missing required argument '{}'{position}", parameter.name));
            }
        }
        // The names after operands that were taken off are counted by themselves.
        let known = self.parameters.iter().filter(|parameter| parameter.kind.takes_name()).count();
        if family == Family::Unpacked && self.var_positional.is_some() && self.var_keyword.is_none() && named > known {
            return Some(format!("{name}() takes at most {known} keyword argument{} ({named} given)", plural(known)));
        }
        for text in &names {
            match self.named_place(text) {
                Some(place) if place < (offset + given).min(self.positional) => {
                    return Some(format!("argument for {name}() given by name ('{text}') and position ({})", place + 1 - offset));
                }
                None if self.var_keyword.is_none() => {
                    let known = self.parameters.iter().filter(|parameter| parameter.kind.takes_name()).map(|parameter| parameter.name);
                    let suggestion =
                        crate::text::similar::closest(text, known).map_or_else(String::new, |close| format!(". Did you mean '{close}'?"));
                    return Some(format!("{name}() got an unexpected keyword argument '{text}'{suggestion}"));
                }
                _ => {}
            }
        }
        None
    }

    /// The parameter that a keyword names.
    fn named_place(&self, text: &str) -> Option<usize> {
        self.parameters.iter().position(|parameter| parameter.name == text && parameter.kind.takes_name())
    }

    fn bind(&self, vm: &mut Vm, arguments: CallArgs<'_>, bound: &mut SmallVec<[Value; 6]>) -> Result<()> {
        let unnamed = arguments.unnamed();
        bound.extend(unnamed.iter().take(self.positional).cloned());
        bound.resize(self.positional, Value::UNBOUND);
        for parameter in &self.parameters[self.positional..] {
            let value = match parameter.kind {
                ParameterKind::VarPositional => vm.new_tuple(unnamed.get(self.positional..).unwrap_or(&[]).to_vec()),
                ParameterKind::VarKeyword => vm.new_dict().into_value(),
                _ => Value::UNBOUND,
            };
            bound.push(value);
        }
        for (name, value) in arguments.named() {
            let text = vm.text_of(name).map(ToString::to_string).unwrap_or_default();
            if let Some(place) = self.named_place(&text) {
                bound[place] = value.clone();
            } else if let Some(place) = self.var_keyword {
                let dict = bound[place].clone();
                if let Some(dict) = dict.downcast() {
                    vm.dict_set(dict, name, value.clone())?;
                }
            }
        }
        Ok(())
    }

    /// The name with its class or module, as messages about the number of arguments give it.
    fn full_name(&self, vm: &Vm, owner: &Value) -> String {
        let name = self.name;
        if self.is_constructor {
            return name.to_owned();
        }
        if let Some(class) = owner.downcast::<super::type_object::Type>() {
            let class = class.get(vm).qualname.clone();
            return format!("{}.{name}", vm.text_of(&class).map(ToString::to_string).unwrap_or_default());
        }
        match vm.text_of(owner) {
            Some(module) if *module != "builtins" => format!("{module}.{name}"),
            _ => name.to_owned(),
        }
    }

    fn takes_no_keywords(&self) -> bool {
        self.parameters.iter().all(|parameter| matches!(parameter.kind, ParameterKind::PositionalOnly | ParameterKind::VarPositional))
    }
}

/// How many arguments came, and how many the positional parameters want, the receiver aside.
#[derive(Clone, Copy)]
struct Counts {
    given: usize,
    named: usize,
    most: usize,
    least: usize,
}

fn plural(count: usize) -> &'static str {
    if count == 1 { "" } else { "s" }
}
