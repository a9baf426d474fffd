//! What an uncaught exception prints: the frames with their source lines and carets, the chain of causes and contexts, groups, notes,
//! syntax errors, and what the writer may have meant.

use std::collections::HashMap;

use scrip_grammar::Mode;
use scrip_grammar::ast::{Expr, ExprId, Root, Stmt};

use super::import::LIBRARY;
use super::state::Name;
use super::vm::{Result, Vm};
use crate::code::unit::Position;
use crate::object::types::TypeId;
use crate::object::types::dict::Dict;
use crate::object::types::exception::{Exception, ExceptionKind};
use crate::object::types::exception_methods::group_members;
use crate::object::types::frame::Traceback;
use crate::object::types::frame_methods::{locals_of, traceback_position};
use crate::object::types::object::plain;
use crate::object::types::str::Str;
use crate::object::value::{Ref, Value};
use crate::text::Text;

/// So many equal entries in a row are shown; the rest is counted.
const SHOWN_REPETITIONS: usize = 3;
/// So many exceptions of a group are shown.
const GROUP_WIDTH: usize = 15;
/// So deep groups are shown.
const GROUP_DEPTH: usize = 10;

const CAUSE: &str = "\nThe above exception was the direct cause of the following exception:\n\n";
const CONTEXT: &str = "\nDuring handling of the above exception, another exception occurred:\n\n";

// ---- what others call

/// The whole report on an exception.
pub(crate) fn format_exception(vm: &mut Vm, exception: &Value) -> Result<Text> {
    let mut report = Report::new(vm, String::new())?;
    report.chain(exception, &mut Vec::new())?;
    Ok(Text::from(report.out))
}

/// The whole report on an exception, in any case: when making it fails, as much as can be told.
pub(crate) fn report(vm: &mut Vm, exception: &Value) -> String {
    let handled = std::mem::replace(&mut vm.handled, Value::NONE);
    let text = match format_exception(vm, exception) {
        Ok(text) => text.to_utf8_lossy().into_owned(),
        Err(_) => {
            vm.take_raised();
            format!("{}\n", vm.type_name(exception))
        }
    };
    vm.handled = handled;
    text
}

/// Shows an exception that nobody can handle, by `sys.unraisablehook`.
pub(crate) fn show_unraisable(vm: &mut Vm, exception: &Value, what: &str, object: &Value) -> Result<()> {
    let sys = vm.state().sys.clone();
    let hook = vm.dict_get_str(&sys, "unraisablehook")?;
    let own = vm.dict_get_str(&sys, "__unraisablehook__")?;
    let text = match (hook, own) {
        (Some(hook), Some(own)) if !hook.is(&own) && !hook.is_none() => {
            let class = vm.type_of(exception).into_value();
            let traceback = exception.downcast::<Exception>().map_or(Value::NONE, |exception| exception.get(vm).traceback.clone());
            let what = what.trim_end_matches([':', ' ']);
            let message = if what.is_empty() || what == "Exception ignored in" { Value::NONE } else { vm.new_str(what) };
            let values = vec![class, exception.clone(), traceback, message, object.clone()];
            let arguments = unraisable_arguments(vm, values)?;
            vm.call(&hook, &[arguments])?;
            return Ok(());
        }
        _ => unraisable_text(vm, exception, what, object)?,
    };
    write_stderr(vm, &text);
    Ok(())
}

/// `sys.UnraisableHookArgs`: a namespace with CPython's five names.
fn unraisable_arguments(vm: &mut Vm, values: Vec<Value>) -> Result<Value> {
    let implementation = vm.sys_get("implementation")?.unwrap_or(Value::NONE);
    let class = vm.type_of(&implementation).into_value();
    let names = ["exc_type", "exc_value", "exc_traceback", "err_msg", "object"];
    let named: Vec<(&str, Value)> = names.into_iter().zip(values).collect();
    vm.call_named(&class, &[], &named)
}

/// What is shown for an exception that nobody can handle.
pub(crate) fn unraisable_text(vm: &mut Vm, exception: &Value, what: &str, object: &Value) -> Result<String> {
    let mut text = String::new();
    let what = what.trim_end_matches([':', ' ']);
    let what = if what.is_empty() { "Exception ignored in" } else { what };
    if object.is_none() {
        text.push_str(&format!("{what}:\n"));
    } else {
        let shown = match vm.repr_text(object) {
            Ok(shown) => shown.to_utf8_lossy().into_owned(),
            Err(_) => {
                vm.take_raised();
                "<object repr() failed>".to_owned()
            }
        };
        text.push_str(&format!("{what}: {shown}\n"));
    }
    let mut report = Report::new(vm, text)?;
    // As CPython, which writes these in C.
    report.has_carets = false;
    report.titled_stack("Traceback (most recent call last):\n", '|', exception)?;
    let class = report.class_label(exception);
    let line = report.final_line(exception, &class, "");
    report.emit(&line, '|');
    Ok(report.out)
}

fn write_stderr(vm: &mut Vm, text: &str) {
    if let Ok(Some(stream)) = vm.sys_get("stderr") {
        if !stream.is_none() {
            let text = vm.new_str(text);
            let done = vm.call_method(&stream, "write", &[text]).and_then(|_| vm.call_method(&stream, "flush", &[]));
            if done.is_err() {
                vm.take_raised();
            }
        }
    }
}

/// Whether a script has put a hook of its own in the place of `sys.excepthook`.
pub(crate) fn has_own_hook(vm: &mut Vm) -> bool {
    let sys = vm.state().sys.clone();
    let hook = vm.dict_get_str(&sys, "excepthook").ok().flatten();
    let own = vm.dict_get_str(&sys, "__excepthook__").ok().flatten();
    matches!((hook, own), (Some(hook), Some(own)) if !hook.is(&own))
}

/// Shows an uncaught exception by `sys.excepthook`.
pub(crate) fn print_uncaught(vm: &mut Vm, exception: &Value) {
    let sys = vm.state().sys.clone();
    let hook = vm.dict_get_str(&sys, "excepthook").ok().flatten();
    let own = vm.dict_get_str(&sys, "__excepthook__").ok().flatten();
    if let (Some(hook), Some(own)) = (hook, own) {
        if !hook.is(&own) {
            let class = vm.type_of(exception).into_value();
            let traceback = exception.downcast::<Exception>().map_or(Value::NONE, |exception| exception.get(vm).traceback.clone());
            if vm.call(&hook, &[class, exception.clone(), traceback]).is_ok() {
                return;
            }
            let second = vm.take_raised();
            write_stderr(vm, "Error in sys.excepthook:\n");
            let text = report(vm, &second);
            write_stderr(vm, &text);
            write_stderr(vm, "\nOriginal exception was:\n");
        }
    }
    let text = report(vm, exception);
    write_stderr(vm, &text);
}

/// Keeps the source of what has no file (`-c`), so that tracebacks can show its lines.
pub(crate) fn register_source(vm: &mut Vm, filename: &str, source: &str) {
    let known = match vm.state().module_state.get("sources") {
        Some(known) => known.clone(),
        None => {
            let fresh = vm.new_dict().into_value();
            vm.state_mut().module_state.insert("sources", fresh.clone());
            fresh
        }
    };
    if let Some(known) = known.downcast::<Dict>() {
        let source = vm.new_str(source);
        // The key is a string, so that nothing can be raised.
        let _ = vm.dict_set_str(known, filename, source);
    }
}

// ---- sources

/// The lines of the files that a report shows.
#[derive(Default)]
struct Sources {
    files: HashMap<String, Option<Vec<String>>>,
}

impl Sources {
    fn line(&mut self, vm: &mut Vm, filename: &str, line: u32) -> Option<String> {
        if !self.files.contains_key(filename) {
            let text = load_source(vm, filename);
            let lines = text.map(|text| split_lines(&text).into_iter().map(str::to_owned).collect());
            self.files.insert(filename.to_owned(), lines);
        }
        let lines = self.files.get(filename)?.as_ref()?;
        lines.get((line as usize).checked_sub(1)?).cloned()
    }
}

/// The lines of a text without their breaks, as a file is read: a form feed breaks no line.
fn split_lines(text: &str) -> Vec<&str> {
    let mut lines: Vec<&str> = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)).collect();
    if lines.last().is_some_and(|last| last.is_empty()) {
        lines.pop();
    }
    lines
}

fn load_source(vm: &mut Vm, filename: &str) -> Option<String> {
    if let Some(known) = vm.state().module_state.get("sources").cloned() {
        if let Some(known) = known.downcast::<Dict>() {
            if let Ok(Some(source)) = vm.dict_get_str(known, filename) {
                return Some(plain(vm, &source));
            }
        }
    }
    if let Some(path) = filename.strip_prefix(LIBRARY) {
        let name = path.trim_start_matches('/').strip_suffix(".scr")?;
        let name = name.strip_suffix("/__init__").unwrap_or(name).replace('/', ".");
        return (vm.state().library.find_script)(&name).map(|(source, _)| source.to_owned());
    }
    if filename.starts_with('<') && filename.ends_with('>') {
        return None;
    }
    let bytes = crate::os::file::read_regular(std::path::Path::new(filename)).ok()?;
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        // Latin-1 is the one other encoding that sources are seen in.
        Err(error) => error.into_bytes().iter().map(|byte| char::from(*byte)).collect(),
    };
    Some(text.strip_prefix('\u{FEFF}').map(str::to_owned).unwrap_or(text))
}

// ---- the report

struct Report<'a> {
    vm: &'a mut Vm,
    out: String,
    sources: Sources,
    /// How many groups are open.
    depth: usize,
    need_close: bool,
    /// What failed in a line is underlined.
    has_carets: bool,
    /// The most entries that are shown of a traceback, the last ones: `sys.tracebacklimit`.
    limit: usize,
}

/// A text with lone surrogates escaped, as stderr shows them.
fn shown(text: &Text) -> String {
    match text.to_utf8() {
        Ok(text) => text.into_owned(),
        Err(_) => text.codes().map(|code| char::from_u32(code).map_or_else(|| format!("\\u{code:04x}"), |char| char.to_string())).collect(),
    }
}

impl<'a> Report<'a> {
    /// A report that begins with `out`.
    fn new(vm: &'a mut Vm, out: String) -> Result<Self> {
        let limit = match vm.sys_peek("tracebacklimit")? {
            Some(limit) => vm
                .int_ref(&limit)
                .map_or(usize::MAX, |limit| limit.to_i64().map_or(if limit.is_negative() { 0 } else { usize::MAX }, |limit| limit.max(0) as usize)),
            None => usize::MAX,
        };
        Ok(Self { vm, out, sources: Sources::default(), depth: 0, need_close: false, has_carets: true, limit })
    }
}

impl Report<'_> {
    fn margin(&self) -> String {
        " ".repeat(2 * self.depth)
    }

    /// Adds lines, behind the margin of the groups that are open.
    fn emit(&mut self, text: &str, margin: char) {
        if self.depth == 0 {
            self.out.push_str(text);
            return;
        }
        let prefix = format!("{}{margin} ", self.margin());
        for line in text.split_inclusive('\n') {
            self.out.push_str(&prefix);
            self.out.push_str(line);
        }
    }

    /// An exception after its causes or contexts.
    fn chain(&mut self, exception: &Value, seen: &mut Vec<u64>) -> Result<()> {
        self.vm.enter_native()?;
        let mut links: Vec<(Option<&str>, Value)> = Vec::new();
        let mut current = exception.clone();
        seen.push(current.address());
        loop {
            let Some(payload) = current.downcast::<Exception>() else {
                links.push((None, current.clone()));
                break;
            };
            let payload = payload.get(self.vm);
            let (cause, context, suppressed) = (payload.cause.clone(), payload.context.clone(), payload.suppress_context);
            let next = if !cause.is_none() && !seen.contains(&cause.address()) {
                Some((CAUSE, cause.clone()))
            } else if cause.is_none() && !context.is_none() && !suppressed && !seen.contains(&context.address()) {
                Some((CONTEXT, context))
            } else {
                None
            };
            match next {
                Some((message, next)) => {
                    seen.push(next.address());
                    links.push((Some(message), std::mem::replace(&mut current, next)));
                }
                None => {
                    links.push((None, current));
                    break;
                }
            }
        }
        for (message, exception) in links.into_iter().rev() {
            if let Some(message) = message {
                self.emit(message, '|');
            }
            self.one(&exception, seen)?;
        }
        Ok(())
    }

    fn one(&mut self, exception: &Value, seen: &mut Vec<u64>) -> Result<()> {
        let is_group = self.vm.is_exception(exception, ExceptionKind::BaseExceptionGroup);
        if !is_group {
            self.titled_stack("Traceback (most recent call last):\n", '|', exception)?;
            let only = self.exception_only(exception)?;
            self.emit(&only, '|');
            return Ok(());
        }
        if self.depth > GROUP_DEPTH {
            self.emit(&format!("... (max_group_depth is {GROUP_DEPTH})\n"), '|');
            return Ok(());
        }
        let is_outermost = self.depth == 0;
        if is_outermost {
            self.depth = 1;
        }
        self.titled_stack("Exception Group Traceback (most recent call last):\n", if is_outermost { '+' } else { '|' }, exception)?;
        let only = self.exception_only(exception)?;
        self.emit(&only, '|');
        let members = group_members(self.vm, exception);
        let count = members.len().min(GROUP_WIDTH + 1);
        self.need_close = false;
        for (place, member) in members.iter().enumerate().take(count) {
            let is_last = place + 1 == count;
            if is_last {
                self.need_close = true;
            }
            let is_truncated = place >= GROUP_WIDTH;
            let title = if is_truncated { "...".to_owned() } else { (place + 1).to_string() };
            let corner = if place == 0 { "+-" } else { "  " };
            let line = format!("{}{corner}+---------------- {title} ----------------\n", self.margin());
            self.out.push_str(&line);
            self.depth += 1;
            if is_truncated {
                let left = members.len() - GROUP_WIDTH;
                self.emit(&format!("and {left} more exception{}\n", if left == 1 { "" } else { "s" }), '|');
            } else {
                self.chain(member, seen)?;
            }
            if is_last && self.need_close {
                let line = format!("{}+------------------------------------\n", self.margin());
                self.out.push_str(&line);
                self.need_close = false;
            }
            self.depth -= 1;
        }
        if is_outermost {
            self.depth = 0;
        }
        Ok(())
    }

    // ---- the exception itself

    /// The class as it is named in the last line.
    fn class_label(&mut self, exception: &Value) -> String {
        let class = self.vm.type_of(exception);
        let qualname = plain(self.vm, &class.get(self.vm).qualname.clone());
        let module_name = self.vm.name(Name::Module);
        let module = match self.vm.class_find_attr(&class, &module_name) {
            Ok(module) => module,
            Err(_) => {
                self.vm.take_raised();
                None
            }
        };
        match module {
            Some(module) if module.holds::<Str>() => match plain(self.vm, &module).as_str() {
                "__main__" | "builtins" => qualname,
                module => format!("{module}.{qualname}"),
            },
            _ => format!("<unknown>.{qualname}"),
        }
    }

    fn text_of_exception(&mut self, exception: &Value) -> String {
        match self.vm.str_text(exception) {
            Ok(text) => shown(&text),
            Err(_) => {
                self.vm.take_raised();
                "<exception str() failed>".to_owned()
            }
        }
    }

    fn final_line(&mut self, exception: &Value, class: &str, hint: &str) -> String {
        let text = self.text_of_exception(exception) + hint;
        if text.is_empty() && self.has_carets { format!("{class}\n") } else { format!("{class}: {text}\n") }
    }

    fn exception_only(&mut self, exception: &Value) -> Result<String> {
        let class = self.class_label(exception);
        let mut text = if self.vm.is_exception(exception, ExceptionKind::SyntaxError) {
            self.syntax_error(exception, &class)?
        } else {
            let hint = match self.suggestion(exception) {
                Ok(hint) => hint,
                Err(_) => {
                    self.vm.take_raised();
                    String::new()
                }
            };
            self.final_line(exception, &class, &hint)
        };
        match self.notes(exception) {
            Ok(notes) => text.push_str(&notes),
            Err(_) => {
                self.vm.take_raised();
            }
        }
        Ok(text)
    }

    fn notes(&mut self, exception: &Value) -> Result<String> {
        let name = self.vm.name(Name::Notes);
        let Some(notes) = self.vm.find_attr(exception, &name)?.filter(|notes| !notes.is_none()) else {
            return Ok(String::new());
        };
        let mut text = String::new();
        let is_sequence = self.vm.is_kind(&notes, TypeId::List) || self.vm.is_kind(&notes, TypeId::Tuple);
        if !is_sequence {
            match self.vm.repr_text(&notes) {
                Ok(notes) => text.push_str(&format!("{}\n", shown(&notes))),
                Err(_) => {
                    self.vm.take_raised();
                    text.push_str("<__notes__ repr() failed>\n");
                }
            }
            return Ok(text);
        }
        for note in self.vm.collect(&notes)? {
            let note = match self.vm.str_text(&note) {
                Ok(note) => shown(&note),
                Err(_) => {
                    self.vm.take_raised();
                    "<note str() failed>".to_owned()
                }
            };
            for line in note.split('\n') {
                text.push_str(line);
                text.push('\n');
            }
        }
        Ok(text)
    }

    fn syntax_error(&mut self, exception: &Value, class: &str) -> Result<String> {
        let fields = exception.downcast::<Exception>().map(|payload| payload.get(self.vm).fields.to_vec()).unwrap_or_default();
        let field = |place: usize| fields.get(place).cloned().unwrap_or(Value::NONE);
        let (message, filename, line, offset, text) = (field(0), field(1), field(2), field(3), field(4));
        let (end_line, end_offset) = (field(6), field(7));
        let mut out = String::new();
        let mut suffix = String::new();
        let file_text = if filename.is_none() { None } else { Some(shown(&self.vm.str_text(&filename)?)) };
        if line.is_none() {
            if let Some(file) = &file_text {
                suffix = format!(" ({file})");
            }
        } else {
            let line = shown(&self.vm.str_text(&line)?);
            let file = file_text.filter(|file| !file.is_empty()).unwrap_or_else(|| "<string>".to_owned());
            out.push_str(&format!("  File \"{file}\", line {line}\n"));
        }
        if let Some(source) = self.vm.text_of(&text).map(shown) {
            let right = source.trim_end_matches('\n');
            let left = right.trim_start_matches([' ', '\n', '\u{c}']);
            let spaces = (right.chars().count() - left.chars().count()) as i64;
            let number = |vm: &Vm, value: &Value| vm.int_ref(value).and_then(crate::number::IntRef::to_i64);
            match (number(self.vm, &offset), number(self.vm, &line)) {
                (None, _) => out.push_str(&format!("    {left}\n")),
                (Some(offset), Some(line)) => {
                    let mut offset = offset;
                    let length = source.chars().count() as i64;
                    let after = right.chars().count() as i64 + 1;
                    let mut end = if number(self.vm, &end_line) == Some(line) {
                        number(self.vm, &end_offset).filter(|end| *end != 0).unwrap_or(offset).min(after)
                    } else {
                        after
                    };
                    if !source.is_empty() && offset > length {
                        offset = after;
                    }
                    if offset >= end {
                        end = offset + 1;
                    }
                    let (column, end_column) = (offset - 1 - spaces, end - 1 - spaces);
                    out.push_str(&format!("    {left}\n"));
                    if column >= 0 {
                        let blank: String = left.chars().take(column as usize).map(|char| if char.is_whitespace() { char } else { ' ' }).collect();
                        out.push_str(&format!("    {blank}{}\n", "^".repeat((end_column - column).max(0) as usize)));
                    }
                }
                (Some(_), None) => {}
            }
        }
        let message = if self.vm.is_true(&message)? { shown(&self.vm.str_text(&message)?) } else { "<no detail available>".to_owned() };
        out.push_str(&format!("{class}: {message}{suffix}\n"));
        Ok(out)
    }

    // ---- suggestions

    fn suggestion(&mut self, exception: &Value) -> Result<String> {
        let fields = exception.downcast::<Exception>().map(|payload| payload.get(self.vm).fields.to_vec()).unwrap_or_default();
        let is = |report: &Self, kind| report.vm.is_exception(exception, kind);
        if is(self, ExceptionKind::ImportError) {
            let (Some(name), Some(wanted)) = (fields.get(1), fields.get(3)) else {
                return Ok(String::new());
            };
            if wanted.is_none() || !name.holds::<Str>() {
                return Ok(String::new());
            }
            let module = super::import::import_module(self.vm, name)?;
            let names = self.names_of(&module)?;
            let wanted = plain(self.vm, wanted);
            return Ok(did_you_mean(best(&wanted, names)));
        }
        if is(self, ExceptionKind::AttributeError) {
            let (Some(name), Some(object)) = (fields.first(), fields.get(1)) else {
                return Ok(String::new());
            };
            if !name.holds::<Str>() {
                return Ok(String::new());
            }
            let wanted = plain(self.vm, name);
            let mut names = self.names_of(object)?;
            let mut hides_private = !wanted.starts_with('_');
            if hides_private {
                if let Some(frame_self) = self.innermost_self(exception)? {
                    hides_private = !frame_self.is(object);
                }
            }
            if hides_private {
                names.retain(|name| !name.starts_with('_'));
            }
            return Ok(did_you_mean(best(&wanted, names)));
        }
        if is(self, ExceptionKind::NameError) {
            let Some(name) = fields.first().filter(|name| name.holds::<Str>()) else {
                return Ok(String::new());
            };
            let wanted = plain(self.vm, name);
            let found = self.name_suggestion(exception, name, &wanted)?;
            let mut hint = did_you_mean(found.clone());
            let modules = self.vm.sys_get("stdlib_module_names")?;
            let is_module = match modules {
                Some(modules) => self.vm.contains(&modules, name)?,
                None => false,
            };
            if is_module {
                hint.push_str(&if found.is_some() {
                    format!(" Or did you forget to import '{wanted}'?")
                } else {
                    format!(". Did you forget to import '{wanted}'?")
                });
            }
            return Ok(hint);
        }
        Ok(String::new())
    }

    fn innermost(&mut self, exception: &Value) -> Option<Ref<Traceback>> {
        let mut traceback = self.vm.traceback_of(exception)?;
        while let Some(next) = traceback.get(self.vm).next.clone() {
            traceback = next;
        }
        Some(traceback)
    }

    /// `self` in the frame that raised.
    fn innermost_self(&mut self, exception: &Value) -> Result<Option<Value>> {
        let Some(traceback) = self.innermost(exception) else { return Ok(None) };
        let frame = traceback.get(self.vm).frame.clone();
        let locals = locals_of(self.vm, &frame)?;
        let name = self.vm.name(Name::Self_);
        match locals.downcast::<Dict>() {
            Some(locals) => self.vm.dict_get(locals, &name),
            None => Ok(None),
        }
    }

    fn name_suggestion(&mut self, exception: &Value, name: &Value, wanted: &str) -> Result<Option<String>> {
        let Some(traceback) = self.innermost(exception) else { return Ok(None) };
        let frame = traceback.get(self.vm).frame.clone();
        let locals = locals_of(self.vm, &frame)?;
        let (globals, builtins) = {
            let payload = frame.get(self.vm);
            (payload.globals.clone(), payload.builtins.clone())
        };
        if let Some(own) = self.innermost_self(exception)? {
            if self.vm.find_attr(&own, name)?.is_some() {
                return Ok(Some(format!("self.{wanted}")));
            }
        }
        let mut names = Vec::new();
        for namespace in [locals, globals.into_value(), builtins.into_value()] {
            for key in self.vm.mapping_keys(&namespace)? {
                if let Some(text) = self.vm.text_of(&key) {
                    names.push(text.to_string());
                }
            }
        }
        Ok(best(wanted, names))
    }

    /// The names of `dir(object)`.
    fn names_of(&mut self, object: &Value) -> Result<Vec<String>> {
        let Some(names) = self.vm.call_special(object, "__dir__", &[])? else {
            return Ok(Vec::new());
        };
        let mut texts = Vec::new();
        for name in self.vm.collect(&names)? {
            if let Some(text) = self.vm.text_of(&name) {
                texts.push(text.to_string());
            }
        }
        texts.sort();
        Ok(texts)
    }

    // ---- frames

    /// The exception's traceback under a title, unless it has none or none is wanted.
    fn titled_stack(&mut self, title: &str, mark: char, exception: &Value) -> Result<()> {
        let Some(traceback) = self.vm.traceback_of(exception).filter(|_| self.limit > 0) else { return Ok(()) };
        self.emit(title, mark);
        let stack = self.stack(&traceback)?;
        self.emit(&stack, '|');
        Ok(())
    }

    fn stack(&mut self, traceback: &Ref<Traceback>) -> Result<String> {
        let mut out = String::new();
        let mut entries = std::collections::VecDeque::new();
        let mut entry = Some(traceback.clone());
        while let Some(current) = entry {
            entry = current.get(self.vm).next.clone();
            if entries.len() == self.limit {
                entries.pop_front();
            }
            entries.push_back(current);
        }
        let mut last: Option<(String, u32, String)> = None;
        let mut count = 0_usize;
        for current in entries {
            let position = traceback_position(self.vm, &current);
            let payload = current.get(self.vm);
            let line = if position.line == 0 { payload.line } else { position.line };
            let code = payload.frame.get(self.vm).code.get(self.vm);
            let (file, name) = (code.filename.clone(), code.name.clone());
            let (file, name) = (self.vm.text_of(&file).map(shown).unwrap_or_default(), self.vm.text_of(&name).map(shown).unwrap_or_default());
            let key = (file.clone(), line, name.clone());
            if last.as_ref() == Some(&key) {
                count += 1;
            } else {
                repeated(&mut out, count);
                last = Some(key);
                count = 1;
            }
            if count > SHOWN_REPETITIONS {
                continue;
            }
            out.push_str(&format!("  File \"{file}\", line {line}, in {name}\n"));
            if line > 0 {
                let position = if self.has_carets { position } else { Position { end_line: line, column: 0, end_column: 0, ..position } };
                let lines = self.lines_of(&file, line, &position);
                out.push_str(&source_block(&lines, &position));
            }
        }
        repeated(&mut out, count);
        Ok(out)
    }

    /// The source lines of a position, without blanks at their ends.
    fn lines_of(&mut self, file: &str, line: u32, position: &Position) -> Vec<String> {
        let last = position.end_line.max(line).min(line + 10_000);
        (line..=last).map(|line| self.sources.line(self.vm, file, line).unwrap_or_default().trim_end().to_owned()).collect()
    }
}

fn repeated(out: &mut String, count: usize) {
    if count > SHOWN_REPETITIONS {
        let more = count - SHOWN_REPETITIONS;
        out.push_str(&format!("  [Previous line repeated {more} more time{}]\n", if more == 1 { "" } else { "s" }));
    }
}

fn did_you_mean(found: Option<String>) -> String {
    found.map_or_else(String::new, |found| format!(". Did you mean: '{found}'?"))
}

fn best(wanted: &str, names: Vec<String>) -> Option<String> {
    crate::text::similar::closest(wanted, names.iter().map(String::as_str)).map(str::to_owned)
}

// ---- source lines and carets

/// Takes the blanks that all lines start with away; lines of blanks only become empty.
fn dedent(lines: &[String]) -> Vec<String> {
    let mut margin: Option<&str> = None;
    for line in lines.iter().filter(|line| !line.trim().is_empty()) {
        let blank = &line[..line.len() - line.trim_start_matches([' ', '\t']).len()];
        margin = Some(match margin {
            None => blank,
            Some(margin) => {
                let shared = margin.bytes().zip(blank.bytes()).take_while(|(left, right)| left == right).count();
                &margin[..shared]
            }
        });
    }
    let cut = margin.map_or(0, str::len);
    lines.iter().map(|line| if line.trim().is_empty() { String::new() } else { line[cut..].to_owned() }).collect()
}

/// How many characters the first `bytes` bytes of a line are.
fn characters(line: &str, bytes: u32) -> usize {
    let bytes = (bytes as usize).min(line.len());
    line.char_indices().take_while(|(at, _)| *at < bytes).count()
}

/// How many columns the first `count` characters take.
fn width(line: &[char], count: usize) -> usize {
    line.iter().take(count).map(|char| if crate::text::unicode::is_wide(u32::from(*char)) { 2 } else { 1 }).sum()
}

/// What in a segment is the operator, or the brackets: from and to, each a line and a column in characters.
struct Anchors {
    left: (usize, usize),
    right: (usize, usize),
}

fn source_block(lines: &[String], position: &Position) -> String {
    let dedented = dedent(lines);
    if dedented.iter().all(|line| line.trim().is_empty()) {
        return String::new();
    }
    let has_columns = position.line != 0 && (position.end_column != 0 || position.column != 0);
    let (Some(first), Some(last)) = (lines.first(), lines.last()) else { return String::new() };
    if !has_columns {
        return format!("    {}\n", first.trim());
    }
    let all: Vec<Vec<char>> = dedented.iter().map(|line| line.chars().collect()).collect();
    let removed = first.chars().count() - all[0].len();
    let start = characters(first, position.column).saturating_sub(removed);
    let end = characters(last, position.end_column).saturating_sub(removed);
    let last_index = all.len() - 1;
    let shown_start = width(&all[0], start);
    let shown_end = width(&all[last_index], end);

    // The text of the position alone.
    let mut segment: Vec<String> = all.iter().map(|line| line.iter().collect()).collect();
    segment[last_index] = all[last_index].iter().take(end).collect();
    segment[0] = segment[0].chars().skip(start).collect();
    let anchors = anchors(&segment.join("\n"));
    let shows_carets = shows_carets(&all, start, end, anchors.is_some());

    let mut significant = vec![0, last_index];
    let mut marks = None;
    if let Some(anchors) = anchors {
        let shift = |(line, column): (usize, usize)| {
            let column = if line == 0 { column + start } else { column };
            (line, all.get(line).map_or(column, |chars| width(chars, column)))
        };
        for (line, _) in [anchors.left, anchors.right] {
            significant.extend([line.wrapping_sub(1), line, line + 1]);
        }
        marks = Some((shift(anchors.left), shift(anchors.right)));
    }
    significant.retain(|line| *line < all.len());
    significant.sort_unstable();
    significant.dedup();

    let mut result: Vec<String> = Vec::new();
    let show = |result: &mut Vec<String>, place: usize| {
        let line = &all[place];
        result.push(line.iter().collect());
        if !shows_carets {
            return;
        }
        let blanks = line.iter().take_while(|char| char.is_whitespace()).count();
        let n_columns = if place == last_index { shown_end } else { width(line, line.len()) };
        let mut carets = String::new();
        for column in 0..n_columns {
            if column < blanks || (place == 0 && column < shown_start) {
                carets.push(' ');
                continue;
            }
            let is_inside = marks.is_some_and(|(left, right)| (place, column) >= left && (place, column) < right);
            carets.push(if marks.is_some() && !is_inside { '~' } else { '^' });
        }
        result.push(carets);
    };
    for (index, place) in significant.iter().copied().enumerate() {
        if index > 0 {
            match place - significant[index - 1] {
                2 => show(&mut result, place - 1),
                1 => {}
                between => result.push(format!("...<{} lines>...", between - 1)),
            }
        }
        show(&mut result, place);
    }
    let mut text = String::new();
    for line in dedent(&result) {
        text.push_str("    ");
        text.push_str(&line);
        text.push('\n');
    }
    text
}

fn shows_carets(all: &[Vec<char>], start: usize, end: usize, has_anchors: bool) -> bool {
    if is_whole_call(all, start, end) {
        return false;
    }
    if has_anchors {
        return true;
    }
    let last = &all[all.len() - 1];
    let before = all[0].iter().take(start).any(|char| !char.is_whitespace());
    let after = last.iter().skip(end).any(|char| !char.is_whitespace());
    before || after
}

/// What reading a few lines again may use of the native stack: tracebacks are made where little is left, too.
const SMALL_STACK: usize = 128 * 1024;

/// Whether the position is the call of a name that is returned, or a call whose result is given one name, and nothing else: then carets would tell nothing.
fn is_whole_call(all: &[Vec<char>], start: usize, end: usize) -> bool {
    // Inside a function, so that `return` and `await` may stand there.
    let mut source = String::from("async def _():\n");
    for line in all {
        source.push(' ');
        source.extend(line);
        source.push('\n');
    }
    let Ok(parsed) = scrip_grammar::parse(&source, Mode::Module, scrip_grammar::Options { stack_bytes: SMALL_STACK, ..Default::default() }) else {
        return false;
    };
    let Root::Module { body } = parsed.root else { return false };
    let Some(function) = parsed.ast.list(body).first() else { return false };
    let Stmt::FunctionDef { body, .. } = parsed.ast.stmt(*function).kind else { return false };
    let Some(statement) = parsed.ast.list(body).first() else { return false };
    let value = match parsed.ast.stmt(*statement).kind {
        Stmt::Return { value: Some(value) } => match parsed.ast.expr(value).kind {
            Expr::Call { func, .. } if matches!(parsed.ast.expr(func).kind, Expr::Name { .. }) => value,
            _ => return false,
        },
        Stmt::Assign { targets, value } if matches!(parsed.ast.expr(value).kind, Expr::Call { .. }) => match parsed.ast.list(targets) {
            [target] if matches!(parsed.ast.expr(*target).kind, Expr::Name { .. }) => value,
            _ => return false,
        },
        _ => return false,
    };
    let span = parsed.ast.expr(value).span;
    let (first_line, first_column) = parsed.lines.position(span.start);
    let (last_line, last_column) = parsed.lines.position(span.end);
    first_line == 2 && last_line as usize == all.len() + 1 && first_column as usize == start + 1 && last_column as usize == end + 1
}

fn anchors(segment: &str) -> Option<Anchors> {
    let source = format!("(\n{segment}\n)");
    let options = scrip_grammar::Options { top_level_await: true, stack_bytes: SMALL_STACK, ..Default::default() };
    let parsed = scrip_grammar::parse(&source, Mode::Module, options).ok()?;
    let Root::Module { body } = parsed.root else { return None };
    let [statement] = parsed.ast.list(body) else { return None };
    let Stmt::Expr { value } = parsed.ast.stmt(*statement).kind else { return None };
    let lines: Vec<Vec<char>> = split_lines(segment).iter().map(|line| line.chars().collect()).collect();
    let texts = split_lines(segment);
    let place = |offset: u32| {
        let (line, column) = parsed.lines.position(offset);
        let line = (line as usize).saturating_sub(2);
        (line, texts.get(line).map_or(0, |text| characters(text, column)))
    };
    let end_of = |id: ExprId| place(parsed.ast.expr(id).span.end);
    let valid = |(mut line, mut column): (usize, usize)| {
        while line < lines.len() && column >= lines[line].len() {
            column = 0;
            line += 1;
        }
        (line, column)
    };
    // From a place on, the first character that is wanted; comments and line continuations are passed over.
    let until = |from: (usize, usize), wanted: &dyn Fn(char) -> bool| {
        let (mut line, mut column) = valid(from);
        loop {
            let char = *lines.get(line)?.get(column)?;
            if char == '\\' || char == '#' {
                (line, column) = valid((line + 1, 0));
            } else if wanted(char) {
                return Some((line, column));
            } else {
                (line, column) = valid((line, column + 1));
            }
        }
    };
    match parsed.ast.expr(value).kind {
        Expr::BinOp { left, right, .. } => {
            let (line, column) = until(end_of(left), &|char| !char.is_whitespace() && char != ')')?;
            let mut after = column + 1;
            let (right_line, right_column) = place(parsed.ast.expr(right).span.start);
            let next = lines.get(line)?.get(after);
            if let Some(next) = next {
                if (right_line > line || after < right_column) && !next.is_whitespace() && *next != '\\' && *next != '#' {
                    after += 1;
                }
            }
            Some(Anchors { left: (line, column), right: (line, after) })
        }
        Expr::Subscript { value: container, .. } => {
            let left = until(end_of(container), &|char| char == '[')?;
            Some(Anchors { left, right: end_of(value) })
        }
        Expr::Call { func, .. } => {
            let left = until(end_of(func), &|char| char == '(')?;
            Some(Anchors { left, right: end_of(value) })
        }
        _ => None,
    }
}
