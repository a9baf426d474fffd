//! Binding of arguments to a native function's parameters, by a signature written in Python's syntax; and CPython's words for what does not fit.

use smallvec::SmallVec;

use super::native::{Args, Native};
use super::type_object::CallArgs;
use super::value::Value;
use crate::vm::{Raised, Result, Vm};

/// How a parameter takes its argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ParameterKind {
    PositionalOnly,
    PositionalOrKeyword,
    VarPositional,
    KeywordOnly,
    VarKeyword,
}

/// One parameter.
#[derive(Debug, Clone)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) kind: ParameterKind,
    /// The default as it is written, if there is one.
    pub(crate) default: Option<&'static str>,
}

/// A parsed signature.
#[derive(Debug, Clone)]
pub(crate) struct Signature {
    pub(crate) name: &'static str,
    pub(crate) parameters: Vec<Parameter>,
    /// Parameters that take positional arguments.
    positional: usize,
    positional_only: usize,
    /// Required ones among `positional`.
    required: usize,
    var_positional: Option<usize>,
    var_keyword: Option<usize>,
    /// The first parameter is the receiver, which messages do not count.
    has_receiver: bool,
    /// A type's: messages name no function.
    is_constructor: bool,
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
                parameters.push(Parameter { name, kind: ParameterKind::VarKeyword, default: None });
            } else if let Some(name) = part.strip_prefix('*') {
                parameters.push(Parameter { name, kind: ParameterKind::VarPositional, default: None });
                kind = ParameterKind::KeywordOnly;
            } else {
                let (name, default) = part.split_once('=').map_or((part, None), |(name, default)| (name.trim(), Some(default.trim())));
                parameters.push(Parameter { name, kind, default });
            }
        }
        let is_positional = |parameter: &&Parameter| matches!(parameter.kind, ParameterKind::PositionalOnly | ParameterKind::PositionalOrKeyword);
        let positional = parameters.iter().filter(is_positional).count();
        let positional_only = parameters.iter().filter(|parameter| parameter.kind == ParameterKind::PositionalOnly).count();
        let required = parameters.iter().filter(is_positional).filter(|parameter| parameter.default.is_none()).count();
        let place = |kind| parameters.iter().position(|parameter: &Parameter| parameter.kind == kind);
        let (var_positional, var_keyword) = (place(ParameterKind::VarPositional), place(ParameterKind::VarKeyword));
        let has_receiver = parameters.first().is_some_and(|first| matches!(first.name, "self" | "cls"));
        Self { name, parameters, positional, positional_only, required, var_positional, var_keyword, has_receiver, is_constructor: false }
    }

    /// Parses a constructor's signature, which leaves its first parameter, the class, out.
    pub(crate) fn parse_constructor(text: &'static str) -> Self {
        let mut signature = Self::parse(text);
        signature.parameters.insert(0, Parameter { name: "cls", kind: ParameterKind::PositionalOnly, default: None });
        signature.positional += 1;
        signature.positional_only += 1;
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
        if self.positional == self.parameters.len() && self.positional <= Arity::MAX {
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
                return (native.function)(vm, Args(arguments.values));
            }
            if given >= self.required && given < self.positional {
                let mut bound: SmallVec<[Value; 6]> = arguments.values.iter().cloned().collect();
                bound.resize_with(self.positional, || Value::UNBOUND);
                return (native.function)(vm, Args(&bound));
            }
        }
        let mut bound: SmallVec<[Value; 6]> = SmallVec::new();
        self.bind(vm, owner, arguments, &mut bound)?;
        (native.function)(vm, Args(&bound))
    }

    fn receiver_offset(&self) -> usize {
        usize::from(self.has_receiver)
    }

    fn bind(&self, vm: &mut Vm, owner: &Value, arguments: CallArgs<'_>, bound: &mut SmallVec<[Value; 6]>) -> Result<()> {
        let unnamed = arguments.unnamed();
        if unnamed.len() > self.positional && self.var_positional.is_none() {
            return Err(self.too_many(vm, owner, unnamed.len(), arguments.names.len()));
        }
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
            let place = self.parameters.iter().position(|parameter| {
                parameter.name == text && matches!(parameter.kind, ParameterKind::PositionalOrKeyword | ParameterKind::KeywordOnly)
            });
            if let Some(place) = place {
                if !bound[place].is_unbound() {
                    let message = if place < unnamed.len() {
                        format!("argument for {}() given by name ('{text}') and position ({})", self.name, place + 1 - self.receiver_offset())
                    } else {
                        format!("{}() got multiple values for argument '{text}'", self.name)
                    };
                    return Err(vm.type_error(message));
                }
                bound[place] = value.clone();
            } else if let Some(place) = self.var_keyword {
                let dict = bound[place].clone();
                if let Some(dict) = dict.downcast() {
                    vm.dict_set(dict, name, value.clone())?;
                }
            } else {
                return Err(self.unexpected_keyword(vm, owner, &text));
            }
        }
        for (place, parameter) in self.parameters.iter().enumerate() {
            let needs = parameter.default.is_none() && !matches!(parameter.kind, ParameterKind::VarPositional | ParameterKind::VarKeyword);
            if needs && bound[place].is_unbound() {
                return Err(self.missing(vm, owner, place, parameter, unnamed.len()));
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
            let class = vm.class_name(class);
            return format!("{}.{name}", class.rsplit('.').next().unwrap_or_default());
        }
        match vm.text_of(owner) {
            Some(module) if *module != "builtins" => format!("{module}.{name}"),
            _ => name.to_owned(),
        }
    }

    fn takes_no_keywords(&self) -> bool {
        self.positional_only == self.parameters.len()
            || self.parameters.iter().all(|parameter| matches!(parameter.kind, ParameterKind::PositionalOnly | ParameterKind::VarPositional))
    }

    fn unexpected_keyword(&self, vm: &mut Vm, owner: &Value, name: &str) -> Raised {
        if self.takes_no_keywords() {
            let function = self.full_name(vm, owner);
            return vm.type_error(format!("{function}() takes no keyword arguments"));
        }
        let known: Vec<&str> = self
            .parameters
            .iter()
            .filter(|parameter| matches!(parameter.kind, ParameterKind::PositionalOrKeyword | ParameterKind::KeywordOnly))
            .map(|parameter| parameter.name)
            .collect();
        let suggestion =
            crate::text::similar::closest(name, known.iter().copied()).map_or_else(String::new, |close| format!(". Did you mean '{close}'?"));
        vm.type_error(format!("{}() got an unexpected keyword argument '{name}'{suggestion}", self.name))
    }

    fn too_many(&self, vm: &mut Vm, owner: &Value, given: usize, named: usize) -> Raised {
        if matches!(self.name, "int" | "str") && self.is_constructor {
            // The types whose fast way in words it so.
            let most = self.positional - self.receiver_offset();
            return vm.type_error(format!("{} expected at most {most} arguments, got {}", self.name, given - self.receiver_offset()));
        }
        let offset = self.receiver_offset();
        let (most, least, given) = (self.positional - offset, self.required.max(offset) - offset, given.max(offset) - offset);
        let name = self.name;
        let message = if self.takes_no_keywords() {
            match (most, least) {
                (0, _) => format!("{}() takes no arguments ({given} given)", self.full_name(vm, owner)),
                (1, 1) if !self.is_constructor => format!("{}() takes exactly one argument ({given} given)", self.full_name(vm, owner)),
                (most, least) if most == least => format!("{name} expected {most} argument{}, got {given}", if most == 1 { "" } else { "s" }),
                (most, _) => format!("{name} expected at most {most} argument{}, got {given}", if most == 1 { "" } else { "s" }),
            }
        } else if most == 0 && given + named <= self.parameters.len() - offset {
            format!("{name}() takes no positional arguments")
        } else {
            let total = given + named;
            let bound = if most == least && self.parameters.len() == self.positional { "exactly" } else { "at most" };
            let what = if self.parameters.len() > self.positional { "positional argument" } else { "argument" };
            let (what, most) = if total > self.parameters.len() - offset { ("argument", self.parameters.len() - offset) } else { (what, most) };
            let (count, given) = (most, if what == "argument" { total } else { given });
            format!("{name}() takes {bound} {count} {what}{} ({given} given)", if count == 1 { "" } else { "s" })
        };
        vm.type_error(message)
    }

    fn missing(&self, vm: &mut Vm, owner: &Value, place: usize, parameter: &Parameter, given: usize) -> Raised {
        let name = self.name;
        let offset = self.receiver_offset();
        if self.takes_no_keywords() {
            let (most, least, given) = (self.positional - offset, self.required.max(offset) - offset, given.max(offset) - offset);
            let message = if self.var_positional.is_some() {
                format!("{name} expected at least {least} argument{}, got {given}", if least == 1 { "" } else { "s" })
            } else if most == 1 && least == 1 && !self.is_constructor {
                format!("{}() takes exactly one argument ({given} given)", self.full_name(vm, owner))
            } else if most == least {
                format!("{name} expected {most} argument{}, got {given}", if most == 1 { "" } else { "s" })
            } else {
                format!("{name} expected at least {least} argument{}, got {given}", if least == 1 { "" } else { "s" })
            };
            return vm.type_error(message);
        }
        let message = if parameter.kind == ParameterKind::PositionalOnly {
            let least =
                self.parameters.iter().filter(|p| p.kind == ParameterKind::PositionalOnly && p.default.is_none()).count().max(offset) - offset;
            format!("{name}() takes at least {least} positional argument{} ({} given)", if least == 1 { "" } else { "s" }, given.max(offset) - offset)
        } else {
            let position = if name == "enumerate" { String::new() } else { format!(" (pos {})", place + 1 - offset) };
            format!("{name}() missing required argument '{}'{position}", parameter.name)
        };
        vm.type_error(message)
    }
}
