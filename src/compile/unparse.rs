//! Expressions as text: what `from __future__ import annotations` keeps of an annotation.

use scrip_grammar::ast::{Arguments, Ast, Comprehension, Constant, Expr, ExprId, List};
use scrip_grammar::operator::{BoolOp, Operator, UnaryOp};

/// How tightly an expression binds; one that binds less than its place asks for stands in parentheses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Level {
    Tuple,
    Test,
    Or,
    And,
    Not,
    Compare,
    BitOr,
    BitXor,
    BitAnd,
    Shift,
    Sum,
    Term,
    Factor,
    Power,
    Await,
    Atom,
}

impl Level {
    const ALL: [Self; 16] = [
        Self::Tuple,
        Self::Test,
        Self::Or,
        Self::And,
        Self::Not,
        Self::Compare,
        Self::BitOr,
        Self::BitXor,
        Self::BitAnd,
        Self::Shift,
        Self::Sum,
        Self::Term,
        Self::Factor,
        Self::Power,
        Self::Await,
        Self::Atom,
    ];

    fn tighter(self) -> Self {
        Self::ALL.get(self as usize + 1).copied().unwrap_or(Self::Atom)
    }
}

/// The text of an expression, in a normal form.
pub(super) fn unparse(ast: &Ast, id: ExprId) -> String {
    let mut writer = Writer { ast, text: String::new() };
    writer.expr(id, Level::Test);
    writer.text
}

struct Writer<'a> {
    ast: &'a Ast,
    text: String,
}

impl Writer<'_> {
    fn push(&mut self, text: &str) {
        self.text.push_str(text);
    }

    /// Writes in parentheses if `level` binds less than `place` asks for.
    fn group(&mut self, level: Level, place: Level, write: impl FnOnce(&mut Self)) {
        let parenthesised = level < place;
        if parenthesised {
            self.push("(");
        }
        write(self);
        if parenthesised {
            self.push(")");
        }
    }

    fn separated(&mut self, list: List<ExprId>, separator: &str, level: Level) {
        for (index, &id) in self.ast.list(list).iter().enumerate() {
            if index > 0 {
                self.push(separator);
            }
            self.expr(id, level);
        }
    }

    fn expr(&mut self, id: ExprId, place: Level) {
        let ast = self.ast;
        match ast.expr(id).kind {
            Expr::BoolOp { op, values } => {
                let (level, word) = match op {
                    BoolOp::And => (Level::And, " and "),
                    BoolOp::Or => (Level::Or, " or "),
                };
                self.group(level, place, |w| w.separated(values, word, level.tighter()));
            }
            Expr::NamedExpr { target, value } => {
                // Always in parentheses, as wherever it stands they are allowed.
                self.push("(");
                self.expr(target, Level::Atom);
                self.push(" := ");
                self.expr(value, Level::Atom);
                self.push(")");
            }
            Expr::BinOp { left, op, right } => {
                let level = level_of(op);
                let (left_level, right_level) = if op == Operator::Pow { (level.tighter(), level) } else { (level, level.tighter()) };
                self.group(level, place, |w| {
                    w.expr(left, left_level);
                    w.push(" ");
                    w.push(op.symbol());
                    w.push(" ");
                    w.expr(right, right_level);
                });
            }
            Expr::UnaryOp { op, operand } => {
                let level = if op == UnaryOp::Not { Level::Not } else { Level::Factor };
                self.group(level, place, |w| {
                    w.push(op.symbol());
                    if op == UnaryOp::Not {
                        w.push(" ");
                    }
                    w.expr(operand, level);
                });
            }
            Expr::Lambda { args, body } => self.group(Level::Test, place, |w| {
                w.push("lambda");
                w.arguments(ast.arguments(args));
                w.push(": ");
                w.expr(body, Level::Test);
            }),
            Expr::IfExp { test, body, orelse } => self.group(Level::Test, place, |w| {
                w.expr(body, Level::Test.tighter());
                w.push(" if ");
                w.expr(test, Level::Test.tighter());
                w.push(" else ");
                w.expr(orelse, Level::Test);
            }),
            Expr::Dict { keys, values } => {
                self.push("{");
                for (index, (key, &value)) in ast.list(keys).iter().zip(ast.list(values)).enumerate() {
                    if index > 0 {
                        self.push(", ");
                    }
                    match *key {
                        Some(key) => {
                            self.expr(key, Level::Test);
                            self.push(": ");
                            self.expr(value, Level::Test);
                        }
                        None => {
                            self.push("**");
                            self.expr(value, Level::BitOr);
                        }
                    }
                }
                self.push("}");
            }
            Expr::Set { elts } => {
                self.push("{");
                self.separated(elts, ", ", Level::Test);
                self.push("}");
            }
            Expr::List { elts, .. } => {
                self.push("[");
                self.separated(elts, ", ", Level::Test);
                self.push("]");
            }
            Expr::Tuple { elts, .. } => {
                if elts.is_empty() {
                    self.push("()");
                    return;
                }
                self.group(Level::Tuple, place, |w| {
                    w.separated(elts, ", ", Level::Test);
                    if elts.len() == 1 {
                        w.push(",");
                    }
                });
            }
            Expr::ListComp { elt, generators } => self.comprehension("[", None, elt, generators, "]"),
            Expr::SetComp { elt, generators } => self.comprehension("{", None, elt, generators, "}"),
            Expr::DictComp { key, value, generators } => self.comprehension("{", Some(key), value, generators, "}"),
            Expr::GeneratorExp { elt, generators } => self.comprehension("(", None, elt, generators, ")"),
            Expr::Await { value } => self.group(Level::Await, place, |w| {
                w.push("await ");
                w.expr(value, Level::Atom);
            }),
            Expr::Yield { value } => {
                self.push("(yield");
                if let Some(value) = value {
                    self.push(" ");
                    self.expr(value, Level::Tuple);
                }
                self.push(")");
            }
            Expr::YieldFrom { value } => {
                self.push("(yield from ");
                self.expr(value, Level::Test);
                self.push(")");
            }
            Expr::Compare { left, ops, comparators } => self.group(Level::Compare, place, |w| {
                w.expr(left, Level::Compare.tighter());
                for (op, &right) in ast.list(ops).iter().zip(ast.list(comparators)) {
                    w.push(" ");
                    w.push(op.symbol());
                    w.push(" ");
                    w.expr(right, Level::Compare.tighter());
                }
            }),
            Expr::Call { func, args, keywords } => self.call(func, args, ast.list(keywords)),
            Expr::JoinedStr { .. } | Expr::FormattedValue { .. } => {
                let mut body = String::new();
                self.format_body(id, &mut body);
                self.push("f");
                self.string(&body);
            }
            Expr::Constant(constant) => self.constant(constant),
            Expr::Attribute { value, attr, .. } => {
                self.expr(value, Level::Atom);
                let is_int = matches!(ast.expr(value).kind, Expr::Constant(Constant::Int(_) | Constant::BigInt { .. }));
                self.push(if is_int { " ." } else { "." });
                self.push(ast.name(attr));
            }
            Expr::Subscript { value, slice, .. } => {
                self.expr(value, Level::Atom);
                self.push("[");
                self.expr(slice, Level::Tuple);
                self.push("]");
            }
            Expr::Starred { value, .. } => {
                self.push("*");
                self.expr(value, Level::BitOr);
            }
            Expr::Name { id, .. } => self.push(ast.name(id)),
            Expr::Slice { lower, upper, step } => {
                if let Some(lower) = lower {
                    self.expr(lower, Level::Test);
                }
                self.push(":");
                if let Some(upper) = upper {
                    self.expr(upper, Level::Test);
                }
                if let Some(step) = step {
                    self.push(":");
                    self.expr(step, Level::Test);
                }
            }
        }
    }

    fn call(&mut self, func: ExprId, args: List<ExprId>, keywords: &[scrip_grammar::ast::Keyword]) {
        self.expr(func, Level::Atom);
        if let (&[only], []) = (self.ast.list(args), keywords)
            && matches!(self.ast.expr(only).kind, Expr::GeneratorExp { .. })
        {
            self.expr(only, Level::Test);
            return;
        }
        self.push("(");
        self.separated(args, ", ", Level::Test);
        for (index, keyword) in keywords.iter().enumerate() {
            if index > 0 || !args.is_empty() {
                self.push(", ");
            }
            match keyword.arg {
                Some(name) => {
                    self.push(self.ast.name(name));
                    self.push("=");
                }
                None => self.push("**"),
            }
            self.expr(keyword.value, Level::Test);
        }
        self.push(")");
    }

    fn arguments(&mut self, arguments: Arguments) {
        let ast = self.ast;
        let mut n_written = 0;
        let mut separator = |writer: &mut Self| {
            writer.push(if n_written == 0 { " " } else { ", " });
            n_written += 1;
        };
        let n_positional = arguments.posonlyargs.len() + arguments.args.len();
        let first_default = n_positional - arguments.defaults.len();
        let positional = ast.list(arguments.posonlyargs).iter().chain(ast.list(arguments.args));
        for (index, arg) in positional.enumerate() {
            separator(self);
            self.push(ast.name(arg.arg));
            if index >= first_default {
                self.push("=");
                self.expr(ast.list(arguments.defaults)[index - first_default], Level::Test);
            }
            if index + 1 == arguments.posonlyargs.len() {
                self.push(", /");
            }
        }
        if arguments.vararg.is_some() || !arguments.kwonlyargs.is_empty() {
            separator(self);
            self.push("*");
            if let Some(vararg) = arguments.vararg {
                self.push(ast.name(vararg.arg));
            }
        }
        for (arg, default) in ast.list(arguments.kwonlyargs).iter().zip(ast.list(arguments.kw_defaults)) {
            separator(self);
            self.push(ast.name(arg.arg));
            if let Some(default) = *default {
                self.push("=");
                self.expr(default, Level::Test);
            }
        }
        if let Some(kwarg) = arguments.kwarg {
            separator(self);
            self.push("**");
            self.push(ast.name(kwarg.arg));
        }
    }

    fn comprehension(&mut self, open: &str, key: Option<ExprId>, elt: ExprId, generators: List<Comprehension>, close: &str) {
        self.push(open);
        if let Some(key) = key {
            self.expr(key, Level::Test);
            self.push(": ");
        }
        self.expr(elt, Level::Test);
        for generator in self.ast.list(generators) {
            self.push(if generator.is_async { " async for " } else { " for " });
            self.expr(generator.target, Level::Tuple);
            self.push(" in ");
            self.expr(generator.iter, Level::Test.tighter());
            for &condition in self.ast.list(generator.ifs) {
                self.push(" if ");
                self.expr(condition, Level::Test.tighter());
            }
        }
        self.push(close);
    }

    /// The inside of an f-string.
    fn format_body(&mut self, id: ExprId, body: &mut String) {
        let ast = self.ast;
        match ast.expr(id).kind {
            Expr::JoinedStr { values } => {
                for &value in ast.list(values) {
                    self.format_body(value, body);
                }
            }
            Expr::Constant(Constant::Str { text, .. }) => {
                let text = String::from_utf8_lossy(ast.bytes(text));
                body.push_str(&text.replace('{', "{{").replace('}', "}}"));
            }
            Expr::FormattedValue { value, conversion, format_spec } => {
                let mut writer = Writer { ast, text: String::new() };
                writer.expr(value, Level::Test.tighter());
                body.push_str(if writer.text.starts_with('{') { "{ " } else { "{" });
                body.push_str(&writer.text);
                if let Ok(conversion @ 1..) = u8::try_from(conversion) {
                    body.push('!');
                    body.push(char::from(conversion));
                }
                if let Some(spec) = format_spec {
                    body.push(':');
                    self.format_body(spec, body);
                }
                body.push('}');
            }
            _ => {}
        }
    }

    fn constant(&mut self, constant: Constant) {
        match constant {
            Constant::None => self.push("None"),
            Constant::True => self.push("True"),
            Constant::False => self.push("False"),
            Constant::Ellipsis => self.push("..."),
            Constant::Int(value) => self.push(&value.to_string()),
            Constant::BigInt { digits, radix } => {
                let digits = self.ast.text(digits).unwrap_or("0").to_owned();
                self.push(match radix {
                    2 => "0b",
                    8 => "0o",
                    16 => "0x",
                    _ => "",
                });
                self.push(&digits);
            }
            Constant::Float(value) => self.push(&float_text(value)),
            Constant::Imaginary(value) => {
                let text = float_text(value);
                self.push(text.strip_suffix(".0").unwrap_or(&text));
                self.push("j");
            }
            Constant::Str { text, .. } => {
                let text = String::from_utf8_lossy(self.ast.bytes(text)).into_owned();
                self.string(&text);
            }
            Constant::Bytes(bytes) => {
                let bytes = self.ast.bytes(bytes);
                let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') { '"' } else { '\'' };
                let mut text = format!("b{quote}");
                for &byte in bytes {
                    match byte {
                        b'\n' => text.push_str("\\n"),
                        b'\r' => text.push_str("\\r"),
                        b'\t' => text.push_str("\\t"),
                        b'\\' => text.push_str("\\\\"),
                        _ if char::from(byte) == quote => text.extend(['\\', quote]),
                        0x20..0x7F => text.push(char::from(byte)),
                        _ => text.push_str(&format!("\\x{byte:02x}")),
                    }
                }
                text.push(quote);
                self.push(&text);
            }
        }
    }

    fn string(&mut self, text: &str) {
        let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
        self.text.push(quote);
        for character in text.chars() {
            match character {
                '\n' => self.push("\\n"),
                '\r' => self.push("\\r"),
                '\t' => self.push("\\t"),
                '\\' => self.push("\\\\"),
                _ if character == quote => self.text.extend(['\\', quote]),
                '\0'..' ' | '\x7F'..='\u{A0}' | '\u{AD}' => {
                    let escaped = format!("\\x{:02x}", u32::from(character));
                    self.push(&escaped);
                }
                _ => self.text.push(character),
            }
        }
        self.text.push(quote);
    }
}

fn level_of(op: Operator) -> Level {
    match op {
        Operator::Add | Operator::Sub => Level::Sum,
        Operator::Mult | Operator::MatMult | Operator::Div | Operator::Mod | Operator::FloorDiv => Level::Term,
        Operator::LShift | Operator::RShift => Level::Shift,
        Operator::BitOr => Level::BitOr,
        Operator::BitXor => Level::BitXor,
        Operator::BitAnd => Level::BitAnd,
        Operator::Pow => Level::Power,
    }
}

/// The shortest text that reads back as the float; infinity, which no literal names, as a literal that overflows.
fn float_text(value: f64) -> String {
    if value.is_infinite() {
        return "1e309".into();
    }
    let scientific = format!("{value:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        let plain = format!("{value}");
        return if plain.contains('.') { plain } else { plain + ".0" };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}
