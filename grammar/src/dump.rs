//! A tree as CPython 3.13's `ast.dump(tree, include_attributes=True)` writes it.

use std::fmt::Write;

use crate::LineIndex;
use crate::Parsed;
use crate::ast::{
    Alias, Arg, ArgumentsId, Ast, Comprehension, Constant, Context, Expr, ExprId, ExprNode, Item, Keyword, List, NameId, Pattern, PatternId,
    PatternNode, Root, Span, Stmt, StmtId, StmtNode, TypeParam, TypeParamKind,
};
use crate::literal::is_printable;

/// The tree on one line.
/// `None` when the tree is too deep for so many bytes of the native stack (zero: plenty).
pub fn dump(parsed: &Parsed, stack_bytes: usize) -> Option<String> {
    let lowest = crate::lowest_address(stack_bytes);
    let mut dump = Dump { ast: &parsed.ast, lines: &parsed.lines, out: String::new(), first: true, lowest, is_too_deep: false };
    match parsed.root {
        Root::Module { body } => dump.node("Module", None, |d| d.stmts("body", body)),
        Root::Expression { body } => dump.node("Expression", None, |d| d.expr_field("body", body)),
        Root::Interactive { body } => dump.node("Interactive", None, |d| d.stmts("body", body)),
    }
    (!dump.is_too_deep).then_some(dump.out)
}

/// `repr` of a constant.
pub(crate) fn constant_repr(ast: &Ast, constant: Constant) -> String {
    let lines = LineIndex::new("");
    let mut dump = Dump { ast, lines: &lines, out: String::new(), first: true, lowest: 0, is_too_deep: false };
    dump.constant(constant);
    dump.out
}

struct Dump<'a> {
    ast: &'a Ast,
    lines: &'a LineIndex,
    out: String,
    /// Whether the next field is the first of its node.
    first: bool,
    /// The lowest address that the native stack may reach.
    lowest: usize,
    /// It was reached: the text is not whole.
    is_too_deep: bool,
}

impl Dump<'_> {
    fn node(&mut self, name: &str, span: Option<Span>, fields: impl FnOnce(&mut Self)) {
        if self.is_too_deep || crate::stack_address() < self.lowest {
            self.is_too_deep = true;
            return;
        }
        self.out.push_str(name);
        self.out.push('(');
        self.first = true;
        fields(self);
        if let Some(span) = span {
            let (line, column) = self.lines.position(span.start);
            let (end_line, end_column) = self.lines.position(span.end);
            self.number("lineno", line);
            self.number("col_offset", column);
            self.number("end_lineno", end_line);
            self.number("end_col_offset", end_column);
        }
        self.out.push(')');
        self.first = false;
    }

    fn field(&mut self, name: &str) {
        if !self.first {
            self.out.push_str(", ");
        }
        self.first = false;
        self.out.push_str(name);
        self.out.push('=');
    }

    fn number(&mut self, name: &str, number: impl std::fmt::Display) {
        self.field(name);
        write!(self.out, "{number}").expect("a String takes everything");
    }

    /// A field without fields of its own: an operator or a context.
    fn leaf(&mut self, name: &str, value: &str) {
        self.field(name);
        self.out.push_str(value);
        self.out.push_str("()");
    }

    fn items<T: Item>(&mut self, name: &str, list: List<T>, each: impl Fn(&mut Self, T)) {
        if list.is_empty() {
            return;
        }
        self.field(name);
        self.out.push('[');
        for (index, &item) in self.ast.list(list).iter().enumerate() {
            if index > 0 {
                self.out.push_str(", ");
            }
            each(self, item);
        }
        self.out.push(']');
        self.first = false;
    }

    fn exprs(&mut self, name: &str, list: List<ExprId>) {
        self.items(name, list, Self::expr);
    }

    fn optional_exprs(&mut self, name: &str, list: List<Option<ExprId>>) {
        self.items(name, list, |d, item| match item {
            Some(id) => d.expr(id),
            None => d.out.push_str("None"),
        });
    }

    fn stmts(&mut self, name: &str, list: List<StmtId>) {
        self.items(name, list, Self::stmt);
    }

    fn patterns(&mut self, name: &str, list: List<PatternId>) {
        self.items(name, list, Self::pattern);
    }

    fn names(&mut self, name: &str, list: List<NameId>) {
        self.items(name, list, Self::name);
    }

    fn expr_field(&mut self, name: &str, id: ExprId) {
        self.field(name);
        self.expr(id);
    }

    fn optional(&mut self, name: &str, id: Option<ExprId>) {
        if let Some(id) = id {
            self.expr_field(name, id);
        }
    }

    fn name(&mut self, id: NameId) {
        let text = self.ast.name(id).as_bytes();
        self.string(text);
    }

    fn name_field(&mut self, name: &str, id: Option<NameId>) {
        if let Some(id) = id {
            self.field(name);
            self.name(id);
        }
    }

    fn context(&mut self, ctx: Context) {
        let name = match ctx {
            Context::Load => "Load",
            Context::Store => "Store",
            Context::Del => "Del",
        };
        self.leaf("ctx", name);
    }

    fn expr(&mut self, id: ExprId) {
        let ExprNode { kind, span } = self.ast.expr(id);
        let at = Some(span);
        match kind {
            Expr::BoolOp { op, values } => self.node("BoolOp", at, |d| {
                d.leaf("op", op.name());
                d.exprs("values", values);
            }),
            Expr::NamedExpr { target, value } => self.node("NamedExpr", at, |d| {
                d.expr_field("target", target);
                d.expr_field("value", value);
            }),
            Expr::BinOp { left, op, right } => self.node("BinOp", at, |d| {
                d.expr_field("left", left);
                d.leaf("op", op.name());
                d.expr_field("right", right);
            }),
            Expr::UnaryOp { op, operand } => self.node("UnaryOp", at, |d| {
                d.leaf("op", op.name());
                d.expr_field("operand", operand);
            }),
            Expr::Lambda { args, body } => self.node("Lambda", at, |d| {
                d.arguments(args);
                d.expr_field("body", body);
            }),
            Expr::IfExp { test, body, orelse } => self.node("IfExp", at, |d| {
                d.expr_field("test", test);
                d.expr_field("body", body);
                d.expr_field("orelse", orelse);
            }),
            Expr::Dict { keys, values } => self.node("Dict", at, |d| {
                d.optional_exprs("keys", keys);
                d.exprs("values", values);
            }),
            Expr::Set { elts } => self.node("Set", at, |d| d.exprs("elts", elts)),
            Expr::ListComp { elt, generators } => {
                self.comprehension("ListComp", at, elt, generators);
            }
            Expr::SetComp { elt, generators } => self.comprehension("SetComp", at, elt, generators),
            Expr::GeneratorExp { elt, generators } => {
                self.comprehension("GeneratorExp", at, elt, generators);
            }
            Expr::DictComp { key, value, generators } => self.node("DictComp", at, |d| {
                d.expr_field("key", key);
                d.expr_field("value", value);
                d.generators(generators);
            }),
            Expr::Await { value } => self.node("Await", at, |d| d.expr_field("value", value)),
            Expr::Yield { value } => self.node("Yield", at, |d| d.optional("value", value)),
            Expr::YieldFrom { value } => {
                self.node("YieldFrom", at, |d| d.expr_field("value", value));
            }
            Expr::Compare { left, ops, comparators } => self.node("Compare", at, |d| {
                d.expr_field("left", left);
                d.items("ops", ops, |d, op| {
                    d.out.push_str(op.name());
                    d.out.push_str("()");
                });
                d.exprs("comparators", comparators);
            }),
            Expr::Call { func, args, keywords } => self.node("Call", at, |d| {
                d.expr_field("func", func);
                d.exprs("args", args);
                d.keywords(keywords);
            }),
            Expr::FormattedValue { value, conversion, format_spec } => {
                self.node("FormattedValue", at, |d| {
                    d.expr_field("value", value);
                    d.number("conversion", conversion);
                    d.optional("format_spec", format_spec);
                });
            }
            Expr::JoinedStr { values } => {
                self.node("JoinedStr", at, |d| d.exprs("values", values));
            }
            Expr::Constant(constant) => self.node("Constant", at, |d| {
                d.field("value");
                d.constant(constant);
                if let Constant::Str { u: true, .. } = constant {
                    d.field("kind");
                    d.out.push_str("'u'");
                }
            }),
            Expr::Attribute { value, attr, ctx } => self.node("Attribute", at, |d| {
                d.expr_field("value", value);
                d.name_field("attr", Some(attr));
                d.context(ctx);
            }),
            Expr::Subscript { value, slice, ctx } => self.node("Subscript", at, |d| {
                d.expr_field("value", value);
                d.expr_field("slice", slice);
                d.context(ctx);
            }),
            Expr::Starred { value, ctx } => self.node("Starred", at, |d| {
                d.expr_field("value", value);
                d.context(ctx);
            }),
            Expr::Name { id, ctx } => self.node("Name", at, |d| {
                d.name_field("id", Some(id));
                d.context(ctx);
            }),
            Expr::List { elts, ctx } => self.node("List", at, |d| {
                d.exprs("elts", elts);
                d.context(ctx);
            }),
            Expr::Tuple { elts, ctx } => self.node("Tuple", at, |d| {
                d.exprs("elts", elts);
                d.context(ctx);
            }),
            Expr::Slice { lower, upper, step } => self.node("Slice", at, |d| {
                d.optional("lower", lower);
                d.optional("upper", upper);
                d.optional("step", step);
            }),
        }
    }

    fn comprehension(&mut self, name: &str, at: Option<Span>, elt: ExprId, generators: List<Comprehension>) {
        self.node(name, at, |d| {
            d.expr_field("elt", elt);
            d.generators(generators);
        });
    }

    fn generators(&mut self, generators: List<Comprehension>) {
        self.items("generators", generators, |d, generator| {
            d.node("comprehension", None, |d| {
                d.expr_field("target", generator.target);
                d.expr_field("iter", generator.iter);
                d.exprs("ifs", generator.ifs);
                d.number("is_async", u8::from(generator.is_async));
            });
        });
    }

    fn keywords(&mut self, keywords: List<Keyword>) {
        self.items("keywords", keywords, |d, keyword| {
            d.node("keyword", Some(keyword.span), |d| {
                d.name_field("arg", keyword.arg);
                d.expr_field("value", keyword.value);
            });
        });
    }

    fn arg(&mut self, arg: Arg) {
        self.node("arg", Some(arg.span), |d| {
            d.name_field("arg", Some(arg.arg));
            d.optional("annotation", arg.annotation);
        });
    }

    fn arguments(&mut self, id: ArgumentsId) {
        self.field("args");
        let arguments = self.ast.arguments(id);
        self.node("arguments", None, |d| {
            d.items("posonlyargs", arguments.posonlyargs, Self::arg);
            d.items("args", arguments.args, Self::arg);
            if let Some(arg) = arguments.vararg {
                d.field("vararg");
                d.arg(arg);
            }
            d.items("kwonlyargs", arguments.kwonlyargs, Self::arg);
            d.optional_exprs("kw_defaults", arguments.kw_defaults);
            if let Some(arg) = arguments.kwarg {
                d.field("kwarg");
                d.arg(arg);
            }
            d.exprs("defaults", arguments.defaults);
        });
    }

    fn stmt(&mut self, id: StmtId) {
        let StmtNode { kind, span } = self.ast.stmt(id);
        let at = Some(span);
        let pick = |is_async: bool, plain: &'static str, other: &'static str| {
            if is_async { other } else { plain }
        };
        match kind {
            Stmt::FunctionDef { is_async, name, args, body, decorator_list, returns, type_params } => {
                self.node(pick(is_async, "FunctionDef", "AsyncFunctionDef"), at, |d| {
                    d.name_field("name", Some(name));
                    d.arguments(args);
                    d.stmts("body", body);
                    d.exprs("decorator_list", decorator_list);
                    d.optional("returns", returns);
                    d.type_params(type_params);
                })
            }
            Stmt::ClassDef { name, bases, keywords, body, decorator_list, type_params } => {
                self.node("ClassDef", at, |d| {
                    d.name_field("name", Some(name));
                    d.exprs("bases", bases);
                    d.keywords(keywords);
                    d.stmts("body", body);
                    d.exprs("decorator_list", decorator_list);
                    d.type_params(type_params);
                });
            }
            Stmt::Return { value } => self.node("Return", at, |d| d.optional("value", value)),
            Stmt::Delete { targets } => self.node("Delete", at, |d| d.exprs("targets", targets)),
            Stmt::Assign { targets, value } => self.node("Assign", at, |d| {
                d.exprs("targets", targets);
                d.expr_field("value", value);
            }),
            Stmt::TypeAlias { name, type_params, value } => self.node("TypeAlias", at, |d| {
                d.expr_field("name", name);
                d.type_params(type_params);
                d.expr_field("value", value);
            }),
            Stmt::AugAssign { target, op, value } => self.node("AugAssign", at, |d| {
                d.expr_field("target", target);
                d.leaf("op", op.name());
                d.expr_field("value", value);
            }),
            Stmt::AnnAssign { target, annotation, value, simple } => {
                self.node("AnnAssign", at, |d| {
                    d.expr_field("target", target);
                    d.expr_field("annotation", annotation);
                    d.optional("value", value);
                    d.number("simple", u8::from(simple));
                });
            }
            Stmt::For { is_async, target, iter, body, orelse } => {
                self.node(pick(is_async, "For", "AsyncFor"), at, |d| {
                    d.expr_field("target", target);
                    d.expr_field("iter", iter);
                    d.stmts("body", body);
                    d.stmts("orelse", orelse);
                });
            }
            Stmt::While { test, body, orelse } => self.node("While", at, |d| {
                d.expr_field("test", test);
                d.stmts("body", body);
                d.stmts("orelse", orelse);
            }),
            Stmt::If { test, body, orelse } => self.node("If", at, |d| {
                d.expr_field("test", test);
                d.stmts("body", body);
                d.stmts("orelse", orelse);
            }),
            Stmt::With { is_async, items, body } => {
                self.node(pick(is_async, "With", "AsyncWith"), at, |d| {
                    d.items("items", items, |d, item| {
                        d.node("withitem", None, |d| {
                            d.expr_field("context_expr", item.context_expr);
                            d.optional("optional_vars", item.optional_vars);
                        });
                    });
                    d.stmts("body", body);
                });
            }
            Stmt::Match { subject, cases } => self.node("Match", at, |d| {
                d.expr_field("subject", subject);
                d.items("cases", cases, |d, case| {
                    d.node("match_case", None, |d| {
                        d.field("pattern");
                        d.pattern(case.pattern);
                        d.optional("guard", case.guard);
                        d.stmts("body", case.body);
                    });
                });
            }),
            Stmt::Raise { exc, cause } => self.node("Raise", at, |d| {
                d.optional("exc", exc);
                d.optional("cause", cause);
            }),
            Stmt::Try { is_star, body, handlers, orelse, finalbody } => {
                self.node(pick(is_star, "Try", "TryStar"), at, |d| {
                    d.stmts("body", body);
                    d.items("handlers", handlers, |d, handler| {
                        d.node("ExceptHandler", Some(handler.span), |d| {
                            d.optional("type", handler.type_);
                            d.name_field("name", handler.name);
                            d.stmts("body", handler.body);
                        });
                    });
                    d.stmts("orelse", orelse);
                    d.stmts("finalbody", finalbody);
                });
            }
            Stmt::Assert { test, msg } => self.node("Assert", at, |d| {
                d.expr_field("test", test);
                d.optional("msg", msg);
            }),
            Stmt::Import { names } => self.node("Import", at, |d| d.aliases(names)),
            Stmt::ImportFrom { module, names, level } => self.node("ImportFrom", at, |d| {
                d.name_field("module", module);
                d.aliases(names);
                d.number("level", level);
            }),
            Stmt::Global { names } => self.node("Global", at, |d| d.names("names", names)),
            Stmt::Nonlocal { names } => self.node("Nonlocal", at, |d| d.names("names", names)),
            Stmt::Expr { value } => self.node("Expr", at, |d| d.expr_field("value", value)),
            Stmt::Pass => self.node("Pass", at, |_| {}),
            Stmt::Break => self.node("Break", at, |_| {}),
            Stmt::Continue => self.node("Continue", at, |_| {}),
        }
    }

    fn aliases(&mut self, names: List<Alias>) {
        self.items("names", names, |d, alias| {
            d.node("alias", Some(alias.span), |d| {
                d.name_field("name", Some(alias.name));
                d.name_field("asname", alias.asname);
            });
        });
    }

    fn type_params(&mut self, params: List<TypeParam>) {
        self.items("type_params", params, |d, param| {
            let (name, bound) = match param.kind {
                TypeParamKind::TypeVar { bound } => ("TypeVar", bound),
                TypeParamKind::ParamSpec => ("ParamSpec", None),
                TypeParamKind::TypeVarTuple => ("TypeVarTuple", None),
            };
            d.node(name, Some(param.span), |d| {
                d.name_field("name", Some(param.name));
                d.optional("bound", bound);
                d.optional("default_value", param.default_value);
            });
        });
    }

    fn pattern(&mut self, id: PatternId) {
        let PatternNode { kind, span } = self.ast.pattern(id);
        let at = Some(span);
        match kind {
            Pattern::MatchValue { value } => {
                self.node("MatchValue", at, |d| d.expr_field("value", value));
            }
            Pattern::MatchSingleton { value } => self.node("MatchSingleton", at, |d| {
                d.field("value");
                d.constant(value);
            }),
            Pattern::MatchSequence { patterns } => {
                self.node("MatchSequence", at, |d| d.patterns("patterns", patterns));
            }
            Pattern::MatchMapping { keys, patterns, rest } => self.node("MatchMapping", at, |d| {
                d.exprs("keys", keys);
                d.patterns("patterns", patterns);
                d.name_field("rest", rest);
            }),
            Pattern::MatchClass { cls, patterns, kwd_attrs, kwd_patterns } => {
                self.node("MatchClass", at, |d| {
                    d.expr_field("cls", cls);
                    d.patterns("patterns", patterns);
                    d.names("kwd_attrs", kwd_attrs);
                    d.patterns("kwd_patterns", kwd_patterns);
                });
            }
            Pattern::MatchStar { name } => {
                self.node("MatchStar", at, |d| d.name_field("name", name));
            }
            Pattern::MatchAs { pattern, name } => self.node("MatchAs", at, |d| {
                if let Some(pattern) = pattern {
                    d.field("pattern");
                    d.pattern(pattern);
                }
                d.name_field("name", name);
            }),
            Pattern::MatchOr { patterns } => {
                self.node("MatchOr", at, |d| d.patterns("patterns", patterns));
            }
        }
    }

    fn constant(&mut self, constant: Constant) {
        match constant {
            Constant::None => self.out.push_str("None"),
            Constant::True => self.out.push_str("True"),
            Constant::False => self.out.push_str("False"),
            Constant::Ellipsis => self.out.push_str("Ellipsis"),
            Constant::Int(value) => {
                write!(self.out, "{value}").expect("a String takes everything");
            }
            Constant::BigInt { digits, radix } => {
                let digits = decimal(self.ast.bytes(digits), radix);
                self.out.push_str(&digits);
            }
            Constant::Float(value) => self.out.push_str(&float(value, true)),
            Constant::Imaginary(value) => {
                self.out.push_str(&float(value, false));
                self.out.push('j');
            }
            Constant::Str { text, .. } => self.string(self.ast.bytes(text)),
            Constant::Bytes(bytes) => self.bytes(self.ast.bytes(bytes)),
        }
    }

    /// `repr` of a string in WTF-8.
    fn string(&mut self, bytes: &[u8]) {
        let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') { '"' } else { '\'' };
        self.out.push(quote);
        let mut rest = bytes;
        while !rest.is_empty() {
            let valid = match std::str::from_utf8(rest) {
                Ok(text) => text,
                Err(error) => std::str::from_utf8(&rest[..error.valid_up_to()]).expect("it is valid up to there"),
            };
            valid.chars().for_each(|c| self.char(c, quote));
            rest = &rest[valid.len()..];
            if let [a, b, c, ..] = *rest {
                // A surrogate, in the three bytes of its form in WTF-8.
                let bits = |byte: u8, mask: u8| u32::from(byte & mask);
                let number = bits(a, 0x0F) << 12 | bits(b, 0x3F) << 6 | bits(c, 0x3F);
                write!(self.out, "\\u{number:04x}").expect("a String takes everything");
                rest = &rest[3..];
            }
        }
        self.out.push(quote);
    }

    fn char(&mut self, c: char, quote: char) {
        match c {
            '\n' => self.out.push_str("\\n"),
            '\r' => self.out.push_str("\\r"),
            '\t' => self.out.push_str("\\t"),
            '\\' => self.out.push_str("\\\\"),
            _ if c == quote => {
                self.out.push('\\');
                self.out.push(c);
            }
            _ if is_printable(c) => self.out.push(c),
            _ => {
                let number = c as u32;
                match number {
                    0..=0xFF => write!(self.out, "\\x{number:02x}"),
                    0x100..=0xFFFF => write!(self.out, "\\u{number:04x}"),
                    _ => write!(self.out, "\\U{number:08x}"),
                }
                .expect("a String takes everything");
            }
        }
    }

    /// `repr` of bytes.
    fn bytes(&mut self, bytes: &[u8]) {
        let quote = if bytes.contains(&b'\'') && !bytes.contains(&b'"') { b'"' } else { b'\'' };
        self.out.push('b');
        self.out.push(quote as char);
        for &byte in bytes {
            match byte {
                b'\n' => self.out.push_str("\\n"),
                b'\r' => self.out.push_str("\\r"),
                b'\t' => self.out.push_str("\\t"),
                b'\\' => self.out.push_str("\\\\"),
                _ if byte == quote => {
                    self.out.push('\\');
                    self.out.push(byte as char);
                }
                b' '..=b'~' => self.out.push(byte as char),
                _ => write!(self.out, "\\x{byte:02x}").expect("a String takes everything"),
            }
        }
        self.out.push(quote as char);
    }
}

/// `repr` of a float that is not negative; of the imaginary part of a complex number without `.0`.
fn float(value: f64, point: bool) -> String {
    if value.is_infinite() {
        return "inf".into();
    }
    let text = format!("{value:e}");
    let (mantissa, exponent) = text.split_once('e').expect("the format has an exponent");
    let exponent: i32 = exponent.parse().expect("the exponent is a number");
    if (-4..16).contains(&exponent) {
        let text = format!("{value}");
        return if point && !text.contains('.') { text + ".0" } else { text };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

/// The decimal digits of a number given in `radix`.
fn decimal(digits: &[u8], radix: u8) -> String {
    if radix == 10 {
        return String::from_utf8_lossy(digits).into_owned();
    }
    // Limbs of nine decimal digits, the lowest first.
    const LIMB: u64 = 1_000_000_000;
    let mut limbs: Vec<u64> = vec![0];
    for &digit in digits {
        let mut carry = u64::from((digit as char).to_digit(16).unwrap_or(0));
        for limb in &mut limbs {
            let value = *limb * u64::from(radix) + carry;
            *limb = value % LIMB;
            carry = value / LIMB;
        }
        if carry > 0 {
            limbs.push(carry);
        }
    }
    let mut text = limbs.last().map_or_else(String::new, u64::to_string);
    for limb in limbs.iter().rev().skip(1) {
        write!(text, "{limb:09}").expect("a String takes everything");
    }
    text
}
