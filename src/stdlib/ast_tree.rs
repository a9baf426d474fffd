//! Trees of `ast` nodes back into the grammar's own trees, so that `compile` takes what scripts have made or changed.
//!
//! Nodes say line and column, the grammar's trees have places in a text: here a text of blanks whose lines are all equally wide.

use scrip_grammar::ast::{
    Alias, Arg, Arguments, ArgumentsId, Ast, Bytes, Comprehension, Constant, Context, ExceptHandler, Expr, ExprId, Item, Keyword, List, MatchCase,
    NameId, Pattern, PatternId, Root, Span, Stmt, StmtId, TypeParam, TypeParamKind, WithItem,
};
use scrip_grammar::operator::{BoolOp, CmpOp, Operator, UnaryOp};
use scrip_grammar::{Options, Parsed};

use crate::object::type_object::Type;
use crate::object::types::TypeId;
use crate::object::types::list::List as ListObject;
use crate::object::types::str::Str;
use crate::object::value::Value;
use crate::vm::{Result, Vm};

/// Texts of blanks longer than this are not made: every node then stands at the beginning.
const MAX_TEXT: usize = 1 << 26;

/// Whether a value is a node of a tree.
pub(super) fn is_node(vm: &mut Vm, value: &Value) -> Result<bool> {
    let modules = vm.state().modules.clone();
    let Some(module) = vm.dict_get_str(&modules, "ast")? else { return Ok(false) };
    let Some(class) = vm.find_attr_str(&module, "AST")? else { return Ok(false) };
    Ok(class.downcast::<Type>().cloned().is_some_and(|class| vm.is_instance(value, &class)))
}

/// The program that a tree stands for. `wanted` is the class of its root: `Module`, `Expression` or `Interactive`.
pub(super) fn parsed(vm: &mut Vm, tree: &Value, wanted: &str, options: Options, filename: &str) -> Result<Parsed> {
    let given = kind(vm, tree)?;
    if given != wanted {
        return Err(vm.type_error(format!("expected {wanted} node, got {given}")));
    }
    let (n_lines, width) = extent(vm, tree)?;
    let width = if n_lines.saturating_mul(width) > MAX_TEXT { 0 } else { width };
    let mut reader = Reader { ast: Ast::default(), width };
    let root = match wanted {
        "Expression" => Root::Expression { body: reader.expr_field(vm, tree, "body")? },
        "Interactive" => Root::Interactive { body: reader.stmts(vm, tree, "body", false)? },
        _ => Root::Module { body: reader.stmts(vm, tree, "body", false)? },
    };
    let mut line = " ".repeat(width.saturating_sub(1));
    line.push('\n');
    let source = if width == 0 { "\n".to_owned() } else { line.repeat(n_lines) };
    scrip_grammar::check(reader.ast, root, source, options).map_err(|error| vm.raise_syntax_error(&error, filename))
}

/// The last line and the widest column that nodes name.
fn extent(vm: &mut Vm, tree: &Value) -> Result<(usize, usize)> {
    let module = vm.import("ast")?;
    let walk = vm.get_attr_str(&module, "walk")?;
    let nodes = vm.call(&walk, std::slice::from_ref(tree))?;
    let (mut lines, mut width) = (1, 1);
    for node in vm.collect(&nodes)? {
        for (name, is_line) in [("lineno", true), ("end_lineno", true), ("col_offset", false), ("end_col_offset", false)] {
            let Some(value) = vm.find_attr_str(&node, name)?.filter(|value| !value.is_none()) else { continue };
            let number = usize::try_from(vm.index_i64(&value)?).unwrap_or(0).min(MAX_TEXT);
            if is_line {
                lines = lines.max(number);
            } else {
                width = width.max(number + 2);
            }
        }
    }
    Ok((lines, width))
}

/// The name of a node's class, or of the class of `ast` that it derives from.
fn kind(vm: &mut Vm, node: &Value) -> Result<String> {
    let class = vm.type_of(node);
    let order = class.get(vm).mro.clone();
    for class in order {
        let module = vm.get_attr_str(&class, "__module__")?;
        if vm.text_of(&module).is_some_and(|module| *module == *"ast") {
            return Ok(vm.class_name(&class));
        }
    }
    Ok(vm.type_name(node))
}

fn missing(vm: &mut Vm, name: &str, node: &Value) -> crate::vm::Raised {
    let message = format!("required field \"{name}\" missing from {}", vm.type_name(node));
    vm.type_error(message)
}

fn optional(vm: &mut Vm, node: &Value, name: &str) -> Result<Option<Value>> {
    Ok(vm.find_attr_str(node, name)?.filter(|value| !value.is_none()))
}

fn required(vm: &mut Vm, node: &Value, name: &str) -> Result<Value> {
    match vm.find_attr_str(node, name)? {
        Some(value) => Ok(value),
        None => Err(missing(vm, name, node)),
    }
}

fn items(vm: &mut Vm, node: &Value, name: &str) -> Result<Vec<Value>> {
    let Some(value) = vm.find_attr_str(node, name)? else { return Ok(Vec::new()) };
    match value.downcast::<ListObject>() {
        Some(list) => Ok(list.get(vm).items.clone()),
        None => {
            let message = format!("{} field \"{name}\" must be a list, not a {}", vm.type_name(node), vm.type_name(&value));
            Err(vm.type_error(message))
        }
    }
}

fn wrong_sort(vm: &mut Vm, sort: &str, node: &Value) -> crate::vm::Raised {
    match vm.repr_text(node) {
        Ok(shown) => vm.type_error(format!("expected some sort of {sort}, but got {shown}")),
        Err(raised) => raised,
    }
}

struct Reader {
    ast: Ast,
    /// How wide each line is, its break included; 0 when places are given up.
    width: usize,
}

impl Reader {
    // ---- places, names, lists

    fn place(&self, line: i64, column: i64) -> u32 {
        let (line, column) = (usize::try_from(line - 1).unwrap_or(0), usize::try_from(column).unwrap_or(0));
        if self.width == 0 { 0 } else { (line * self.width + column.min(self.width - 1)) as u32 }
    }

    fn span(&self, vm: &mut Vm, node: &Value, sort: &str) -> Result<Span> {
        let mut numbers = [0; 4];
        for (place, name) in ["lineno", "col_offset", "end_lineno", "end_col_offset"].into_iter().enumerate() {
            let value = vm.find_attr_str(node, name)?;
            numbers[place] = match value.filter(|value| place < 2 || !value.is_none()) {
                Some(value) if vm.is_int(&value) => vm.index_i64(&value)?,
                Some(value) => {
                    let shown = vm.repr_text(&value)?;
                    return Err(vm.value_error(format!("invalid integer value: {shown}")));
                }
                None if place < 2 => return Err(vm.type_error(format!("required field \"{name}\" missing from {sort}"))),
                None => numbers[place - 2],
            };
        }
        let [line, column, end_line, end_column] = numbers;
        if line > end_line {
            return Err(vm.value_error(format!("AST node line range ({line}, {end_line}) is not valid")));
        }
        if (line < 0 && end_line != line) || (column < 0 && column != end_column) {
            let message = format!("AST node column range ({column}, {end_column}) for line range ({line}, {end_line}) is not valid");
            return Err(vm.value_error(message));
        }
        if line == end_line && column > end_column {
            return Err(vm.value_error(format!("line {line}, column {column}-{end_column} is not a valid range")));
        }
        Ok(Span::new(self.place(line, column), self.place(end_line, end_column)))
    }

    fn intern(&mut self, vm: &mut Vm, value: &Value) -> Result<NameId> {
        if !value.holds::<Str>() {
            return Err(vm.type_error("AST identifier must be of type str"));
        }
        let name = vm.expect_string(value, "AST identifier")?;
        if matches!(name.as_str(), "None" | "True" | "False") {
            return Err(vm.value_error(format!("identifier field can't represent '{name}' constant")));
        }
        Ok(self.ast.intern(&name))
    }

    fn name(&mut self, vm: &mut Vm, node: &Value, field: &str) -> Result<NameId> {
        let value = required(vm, node, field)?;
        self.intern(vm, &value)
    }

    fn name_option(&mut self, vm: &mut Vm, node: &Value, field: &str) -> Result<Option<NameId>> {
        match optional(vm, node, field)? {
            Some(value) => self.intern(vm, &value).map(Some),
            None => Ok(None),
        }
    }

    fn names(&mut self, vm: &mut Vm, node: &Value, field: &str) -> Result<List<NameId>> {
        self.list(vm, node, field, Self::intern)
    }

    fn list<T: Item>(&mut self, vm: &mut Vm, node: &Value, field: &str, read: fn(&mut Self, &mut Vm, &Value) -> Result<T>) -> Result<List<T>> {
        let mut found = Vec::new();
        for item in items(vm, node, field)? {
            found.push(read(self, vm, &item)?);
        }
        Ok(self.ast.add_list(&found))
    }

    fn exprs(&mut self, vm: &mut Vm, node: &Value, field: &str) -> Result<List<ExprId>> {
        self.list(vm, node, field, Self::expr)
    }

    /// A body, which may not be empty unless `may_be_empty`.
    fn stmts(&mut self, vm: &mut Vm, node: &Value, field: &str, is_required: bool) -> Result<List<StmtId>> {
        let list = self.list(vm, node, field, Self::stmt)?;
        if is_required && list.is_empty() {
            let message = format!("empty {field} on {}", vm.type_name(node));
            return Err(vm.value_error(message));
        }
        Ok(list)
    }

    fn expr_field(&mut self, vm: &mut Vm, node: &Value, field: &str) -> Result<ExprId> {
        let value = required(vm, node, field)?;
        if value.is_none() {
            let message = format!("field '{field}' is required for {}", vm.type_name(node));
            return Err(vm.value_error(message));
        }
        self.expr(vm, &value)
    }

    fn expr_option(&mut self, vm: &mut Vm, node: &Value, field: &str) -> Result<Option<ExprId>> {
        match optional(vm, node, field)? {
            Some(value) => self.expr(vm, &value).map(Some),
            None => Ok(None),
        }
    }

    fn maybe_expr(&mut self, vm: &mut Vm, value: &Value) -> Result<Option<ExprId>> {
        if value.is_none() { Ok(None) } else { self.expr(vm, value).map(Some) }
    }

    fn operator<T: Copy>(vm: &mut Vm, value: &Value, sort: &str, all: &[T], name: fn(T) -> &'static str) -> Result<T> {
        let given = kind(vm, value)?;
        match all.iter().find(|operator| name(**operator) == given) {
            Some(operator) => Ok(*operator),
            None => Err(wrong_sort(vm, sort, value)),
        }
    }

    fn context(vm: &mut Vm, node: &Value) -> Result<Context> {
        let Some(value) = optional(vm, node, "ctx")? else { return Ok(Context::Load) };
        match kind(vm, &value)?.as_str() {
            "Load" => Ok(Context::Load),
            "Store" => Ok(Context::Store),
            "Del" => Ok(Context::Del),
            _ => Err(wrong_sort(vm, "expr_context", &value)),
        }
    }

    fn flag(vm: &mut Vm, node: &Value, field: &str) -> Result<bool> {
        let value = required(vm, node, field)?;
        Ok(vm.index_i64(&value)? != 0)
    }

    // ---- constants

    fn bytes(&mut self, bytes: &[u8]) -> Bytes {
        self.ast.add_bytes(bytes)
    }

    fn constant(&mut self, vm: &mut Vm, value: &Value, span: Span, node: Option<&Value>) -> Result<Expr> {
        let constant = if value.is_none() {
            Constant::None
        } else if let Some(flag) = value.as_bool() {
            if flag { Constant::True } else { Constant::False }
        } else if value.is(&Value::ELLIPSIS) {
            Constant::Ellipsis
        } else if vm.is_exact(value, TypeId::Int) {
            let number = vm.index(value)?;
            if number.as_ref().is_negative() {
                let positive = vm.negative(value)?;
                let kind = self.constant(vm, &positive, span, None)?;
                let operand = self.ast.add_expr(span, kind);
                return Ok(Expr::UnaryOp { op: UnaryOp::USub, operand });
            }
            match number.as_ref().to_i64() {
                Some(number) => Constant::Int(number),
                None => {
                    let shown = vm.call_method(value, "__format__", &[vm.new_str("x")])?;
                    let digits = vm.expect_string(&shown, "digits")?;
                    Constant::BigInt { digits: self.bytes(digits.as_bytes()), radix: 16 }
                }
            }
        } else if vm.is_exact(value, TypeId::Float) {
            Constant::Float(vm.float(value)?)
        } else if vm.is_exact(value, TypeId::Complex) {
            let (real, imaginary) = (vm.get_attr_str(value, "real")?, vm.get_attr_str(value, "imag")?);
            let (real, imaginary) = (vm.float(&real)?, vm.float(&imaginary)?);
            if real == 0.0 && real.is_sign_positive() {
                Constant::Imaginary(imaginary)
            } else {
                let left = self.ast.add_expr(span, Expr::Constant(Constant::Float(real)));
                let right = self.ast.add_expr(span, Expr::Constant(Constant::Imaginary(imaginary)));
                return Ok(Expr::BinOp { left, op: Operator::Add, right });
            }
        } else if vm.is_exact(value, TypeId::Str) {
            let codes: Vec<u32> = vm.text_of(value).map(|text| text.codes().collect()).unwrap_or_default();
            let mut text = Vec::with_capacity(codes.len());
            for code in codes {
                match char::from_u32(code) {
                    Some(char) => text.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
                    None => text.extend_from_slice(&[0xE0 | (code >> 12) as u8, 0x80 | (code >> 6 & 0x3F) as u8, 0x80 | (code & 0x3F) as u8]),
                }
            }
            let u = match node {
                Some(node) => optional(vm, node, "kind")?.is_some(),
                None => false,
            };
            Constant::Str { text: self.bytes(&text), u }
        } else if vm.is_exact(value, TypeId::Bytes) {
            let bytes = vm.bytes_vec(value)?;
            Constant::Bytes(self.bytes(&bytes))
        } else if vm.is_exact(value, TypeId::Tuple) {
            let mut elts = Vec::new();
            for item in vm.tuple_items(value) {
                let kind = self.constant(vm, &item, span, None)?;
                elts.push(self.ast.add_expr(span, kind));
            }
            let elts = self.ast.add_list(&elts);
            return Ok(Expr::Tuple { elts, ctx: Context::Load });
        } else {
            let message = format!("got an invalid type in Constant: {}", vm.type_name(value));
            return Err(vm.type_error(message));
        };
        Ok(Expr::Constant(constant))
    }

    // ---- expressions

    fn expr(&mut self, vm: &mut Vm, node: &Value) -> Result<ExprId> {
        vm.enter_native()?;
        if node.is_none() {
            return Err(vm.value_error("None disallowed in expression list"));
        }
        let name = kind(vm, node)?;
        let span = self.span(vm, node, "expr")?;
        let expr = match name.as_str() {
            "BoolOp" => {
                let op = required(vm, node, "op")?;
                let op = Self::operator(vm, &op, "boolop", BoolOp::ALL, BoolOp::name)?;
                let values = self.exprs(vm, node, "values")?;
                if values.len() < 2 {
                    return Err(vm.value_error("BoolOp with less than 2 values"));
                }
                Expr::BoolOp { op, values }
            }
            "NamedExpr" => Expr::NamedExpr { target: self.expr_field(vm, node, "target")?, value: self.expr_field(vm, node, "value")? },
            "BinOp" => {
                let left = self.expr_field(vm, node, "left")?;
                let op = required(vm, node, "op")?;
                let op = Self::operator(vm, &op, "operator", Operator::ALL, Operator::name)?;
                Expr::BinOp { left, op, right: self.expr_field(vm, node, "right")? }
            }
            "UnaryOp" => {
                let op = required(vm, node, "op")?;
                let op = Self::operator(vm, &op, "unaryop", UnaryOp::ALL, UnaryOp::name)?;
                Expr::UnaryOp { op, operand: self.expr_field(vm, node, "operand")? }
            }
            "Lambda" => Expr::Lambda { args: self.arguments(vm, node)?, body: self.expr_field(vm, node, "body")? },
            "IfExp" => Expr::IfExp {
                test: self.expr_field(vm, node, "test")?,
                body: self.expr_field(vm, node, "body")?,
                orelse: self.expr_field(vm, node, "orelse")?,
            },
            "Dict" => {
                let keys = self.list(vm, node, "keys", Self::maybe_expr)?;
                let values = self.exprs(vm, node, "values")?;
                if keys.len() != values.len() {
                    return Err(vm.value_error("Dict doesn't have the same number of keys as values"));
                }
                Expr::Dict { keys, values }
            }
            "Set" => Expr::Set { elts: self.exprs(vm, node, "elts")? },
            "ListComp" => Expr::ListComp { elt: self.expr_field(vm, node, "elt")?, generators: self.generators(vm, node)? },
            "SetComp" => Expr::SetComp { elt: self.expr_field(vm, node, "elt")?, generators: self.generators(vm, node)? },
            "GeneratorExp" => Expr::GeneratorExp { elt: self.expr_field(vm, node, "elt")?, generators: self.generators(vm, node)? },
            "DictComp" => Expr::DictComp {
                key: self.expr_field(vm, node, "key")?,
                value: self.expr_field(vm, node, "value")?,
                generators: self.generators(vm, node)?,
            },
            "Await" => Expr::Await { value: self.expr_field(vm, node, "value")? },
            "Yield" => Expr::Yield { value: self.expr_option(vm, node, "value")? },
            "YieldFrom" => Expr::YieldFrom { value: self.expr_field(vm, node, "value")? },
            "Compare" => {
                let left = self.expr_field(vm, node, "left")?;
                let ops = self.list(vm, node, "ops", |_, vm, op| Self::operator(vm, op, "cmpop", CmpOp::ALL, CmpOp::name))?;
                let comparators = self.exprs(vm, node, "comparators")?;
                if comparators.is_empty() {
                    return Err(vm.value_error("Compare with no comparators"));
                }
                if comparators.len() != ops.len() {
                    return Err(vm.value_error("Compare has a different number of comparators and operands"));
                }
                Expr::Compare { left, ops, comparators }
            }
            "Call" => Expr::Call {
                func: self.expr_field(vm, node, "func")?,
                args: self.exprs(vm, node, "args")?,
                keywords: self.list(vm, node, "keywords", Self::keyword)?,
            },
            "FormattedValue" => {
                let value = self.expr_field(vm, node, "value")?;
                let conversion = required(vm, node, "conversion")?;
                let conversion = i8::try_from(vm.index_i64(&conversion)?).unwrap_or(-1);
                Expr::FormattedValue { value, conversion, format_spec: self.expr_option(vm, node, "format_spec")? }
            }
            "JoinedStr" => Expr::JoinedStr { values: self.exprs(vm, node, "values")? },
            "Constant" => {
                let value = required(vm, node, "value")?;
                self.constant(vm, &value, span, Some(node))?
            }
            "Attribute" => {
                Expr::Attribute { value: self.expr_field(vm, node, "value")?, attr: self.name(vm, node, "attr")?, ctx: Self::context(vm, node)? }
            }
            "Subscript" => Expr::Subscript {
                value: self.expr_field(vm, node, "value")?,
                slice: self.expr_field(vm, node, "slice")?,
                ctx: Self::context(vm, node)?,
            },
            "Starred" => Expr::Starred { value: self.expr_field(vm, node, "value")?, ctx: Self::context(vm, node)? },
            "Name" => Expr::Name { id: self.name(vm, node, "id")?, ctx: Self::context(vm, node)? },
            "List" => Expr::List { elts: self.exprs(vm, node, "elts")?, ctx: Self::context(vm, node)? },
            "Tuple" => Expr::Tuple { elts: self.exprs(vm, node, "elts")?, ctx: Self::context(vm, node)? },
            "Slice" => Expr::Slice {
                lower: self.expr_option(vm, node, "lower")?,
                upper: self.expr_option(vm, node, "upper")?,
                step: self.expr_option(vm, node, "step")?,
            },
            _ => return Err(wrong_sort(vm, "expr", node)),
        };
        Ok(self.ast.add_expr(span, expr))
    }

    fn generators(&mut self, vm: &mut Vm, node: &Value) -> Result<List<Comprehension>> {
        let list = self.list(vm, node, "generators", |this, vm, node| {
            Ok(Comprehension {
                target: this.expr_field(vm, node, "target")?,
                iter: this.expr_field(vm, node, "iter")?,
                ifs: this.exprs(vm, node, "ifs")?,
                is_async: Self::flag(vm, node, "is_async")?,
            })
        })?;
        if list.is_empty() {
            return Err(vm.value_error("comprehension with no generators"));
        }
        Ok(list)
    }

    fn keyword(&mut self, vm: &mut Vm, node: &Value) -> Result<Keyword> {
        Ok(Keyword { arg: self.name_option(vm, node, "arg")?, value: self.expr_field(vm, node, "value")?, span: self.span(vm, node, "keyword")? })
    }

    fn arg(&mut self, vm: &mut Vm, node: &Value) -> Result<Arg> {
        Ok(Arg { arg: self.name(vm, node, "arg")?, annotation: self.expr_option(vm, node, "annotation")?, span: self.span(vm, node, "arg")? })
    }

    fn arguments(&mut self, vm: &mut Vm, function: &Value) -> Result<ArgumentsId> {
        let node = &required(vm, function, "args")?;
        let arguments = Arguments {
            posonlyargs: self.list(vm, node, "posonlyargs", Self::arg)?,
            args: self.list(vm, node, "args", Self::arg)?,
            vararg: match optional(vm, node, "vararg")? {
                Some(arg) => Some(self.arg(vm, &arg)?),
                None => None,
            },
            kwonlyargs: self.list(vm, node, "kwonlyargs", Self::arg)?,
            kw_defaults: self.list(vm, node, "kw_defaults", Self::maybe_expr)?,
            kwarg: match optional(vm, node, "kwarg")? {
                Some(arg) => Some(self.arg(vm, &arg)?),
                None => None,
            },
            defaults: self.exprs(vm, node, "defaults")?,
        };
        if arguments.defaults.len() > arguments.posonlyargs.len() + arguments.args.len() {
            return Err(vm.value_error("more positional defaults than args on arguments"));
        }
        if arguments.kw_defaults.len() != arguments.kwonlyargs.len() {
            return Err(vm.value_error("length of kwonlyargs is not the same as kw_defaults on arguments"));
        }
        Ok(self.ast.add_arguments(arguments))
    }

    // ---- statements

    fn stmt(&mut self, vm: &mut Vm, node: &Value) -> Result<StmtId> {
        vm.enter_native()?;
        if node.is_none() {
            return Err(vm.value_error("None disallowed in statement list"));
        }
        let name = kind(vm, node)?;
        let span = self.span(vm, node, "stmt")?;
        let stmt = match name.as_str() {
            "FunctionDef" | "AsyncFunctionDef" => Stmt::FunctionDef {
                is_async: name == "AsyncFunctionDef",
                name: self.name(vm, node, "name")?,
                args: self.arguments(vm, node)?,
                body: self.stmts(vm, node, "body", true)?,
                decorator_list: self.exprs(vm, node, "decorator_list")?,
                returns: self.expr_option(vm, node, "returns")?,
                type_params: self.list(vm, node, "type_params", Self::type_param)?,
            },
            "ClassDef" => Stmt::ClassDef {
                name: self.name(vm, node, "name")?,
                bases: self.exprs(vm, node, "bases")?,
                keywords: self.list(vm, node, "keywords", Self::keyword)?,
                body: self.stmts(vm, node, "body", true)?,
                decorator_list: self.exprs(vm, node, "decorator_list")?,
                type_params: self.list(vm, node, "type_params", Self::type_param)?,
            },
            "Return" => Stmt::Return { value: self.expr_option(vm, node, "value")? },
            "Delete" => Stmt::Delete { targets: self.targets(vm, node)? },
            "Assign" => Stmt::Assign { targets: self.targets(vm, node)?, value: self.expr_field(vm, node, "value")? },
            "TypeAlias" => Stmt::TypeAlias {
                name: self.expr_field(vm, node, "name")?,
                type_params: self.list(vm, node, "type_params", Self::type_param)?,
                value: self.expr_field(vm, node, "value")?,
            },
            "AugAssign" => {
                let target = self.expr_field(vm, node, "target")?;
                let op = required(vm, node, "op")?;
                let op = Self::operator(vm, &op, "operator", Operator::ALL, Operator::name)?;
                Stmt::AugAssign { target, op, value: self.expr_field(vm, node, "value")? }
            }
            "AnnAssign" => Stmt::AnnAssign {
                target: self.expr_field(vm, node, "target")?,
                annotation: self.expr_field(vm, node, "annotation")?,
                value: self.expr_option(vm, node, "value")?,
                simple: Self::flag(vm, node, "simple")?,
            },
            "For" | "AsyncFor" => Stmt::For {
                is_async: name == "AsyncFor",
                target: self.expr_field(vm, node, "target")?,
                iter: self.expr_field(vm, node, "iter")?,
                body: self.stmts(vm, node, "body", true)?,
                orelse: self.stmts(vm, node, "orelse", false)?,
            },
            "While" => Stmt::While {
                test: self.expr_field(vm, node, "test")?,
                body: self.stmts(vm, node, "body", true)?,
                orelse: self.stmts(vm, node, "orelse", false)?,
            },
            "If" => Stmt::If {
                test: self.expr_field(vm, node, "test")?,
                body: self.stmts(vm, node, "body", true)?,
                orelse: self.stmts(vm, node, "orelse", false)?,
            },
            "With" | "AsyncWith" => {
                let items = self.list(vm, node, "items", |this, vm, node| {
                    Ok(WithItem {
                        context_expr: this.expr_field(vm, node, "context_expr")?,
                        optional_vars: this.expr_option(vm, node, "optional_vars")?,
                    })
                })?;
                if items.is_empty() {
                    return Err(vm.value_error(format!("empty items on {name}")));
                }
                Stmt::With { is_async: name == "AsyncWith", items, body: self.stmts(vm, node, "body", true)? }
            }
            "Match" => {
                let subject = self.expr_field(vm, node, "subject")?;
                let cases = self.list(vm, node, "cases", |this, vm, node| {
                    let pattern = required(vm, node, "pattern")?;
                    Ok(MatchCase {
                        pattern: this.pattern(vm, &pattern)?,
                        guard: this.expr_option(vm, node, "guard")?,
                        body: this.stmts(vm, node, "body", true)?,
                    })
                })?;
                if cases.is_empty() {
                    return Err(vm.value_error("empty cases on Match"));
                }
                Stmt::Match { subject, cases }
            }
            "Raise" => {
                let (exc, cause) = (self.expr_option(vm, node, "exc")?, self.expr_option(vm, node, "cause")?);
                if exc.is_none() && cause.is_some() {
                    return Err(vm.value_error("Raise with cause but no exception"));
                }
                Stmt::Raise { exc, cause }
            }
            "Try" | "TryStar" => {
                let body = self.stmts(vm, node, "body", true)?;
                let handlers = self.list(vm, node, "handlers", |this, vm, node| {
                    Ok(ExceptHandler {
                        type_: this.expr_option(vm, node, "type")?,
                        name: this.name_option(vm, node, "name")?,
                        body: this.stmts(vm, node, "body", true)?,
                        span: this.span(vm, node, "excepthandler")?,
                    })
                })?;
                let (orelse, finalbody) = (self.stmts(vm, node, "orelse", false)?, self.stmts(vm, node, "finalbody", false)?);
                if handlers.is_empty() && finalbody.is_empty() {
                    return Err(vm.value_error(format!("{name} has neither except handlers nor finalbody")));
                }
                if handlers.is_empty() && !orelse.is_empty() {
                    return Err(vm.value_error(format!("{name} has orelse but no except handlers")));
                }
                Stmt::Try { is_star: name == "TryStar", body, handlers, orelse, finalbody }
            }
            "Assert" => Stmt::Assert { test: self.expr_field(vm, node, "test")?, msg: self.expr_option(vm, node, "msg")? },
            "Import" => Stmt::Import { names: self.aliases(vm, node)? },
            "ImportFrom" => {
                let module = self.name_option(vm, node, "module")?;
                let names = self.aliases(vm, node)?;
                let level = match optional(vm, node, "level")? {
                    Some(level) => vm.index_i64(&level)?,
                    None => 0,
                };
                let Ok(level) = u32::try_from(level) else { return Err(vm.value_error("Negative ImportFrom level")) };
                Stmt::ImportFrom { module, names, level }
            }
            "Global" => Stmt::Global { names: self.names(vm, node, "names")? },
            "Nonlocal" => Stmt::Nonlocal { names: self.names(vm, node, "names")? },
            "Expr" => Stmt::Expr { value: self.expr_field(vm, node, "value")? },
            "Pass" => Stmt::Pass,
            "Break" => Stmt::Break,
            "Continue" => Stmt::Continue,
            _ => return Err(wrong_sort(vm, "stmt", node)),
        };
        Ok(self.ast.add_stmt(span, stmt))
    }

    fn targets(&mut self, vm: &mut Vm, node: &Value) -> Result<List<ExprId>> {
        let targets = self.exprs(vm, node, "targets")?;
        if targets.is_empty() {
            let message = format!("empty targets on {}", vm.type_name(node));
            return Err(vm.value_error(message));
        }
        Ok(targets)
    }

    fn aliases(&mut self, vm: &mut Vm, node: &Value) -> Result<List<Alias>> {
        let names = self.list(vm, node, "names", |this, vm, node| {
            Ok(Alias { name: this.name(vm, node, "name")?, asname: this.name_option(vm, node, "asname")?, span: this.span(vm, node, "alias")? })
        })?;
        if names.is_empty() {
            let message = format!("empty names on {}", vm.type_name(node));
            return Err(vm.value_error(message));
        }
        Ok(names)
    }

    fn type_param(&mut self, vm: &mut Vm, node: &Value) -> Result<TypeParam> {
        let kind = match kind(vm, node)?.as_str() {
            "TypeVar" => TypeParamKind::TypeVar { bound: self.expr_option(vm, node, "bound")? },
            "ParamSpec" => TypeParamKind::ParamSpec,
            "TypeVarTuple" => TypeParamKind::TypeVarTuple,
            _ => return Err(wrong_sort(vm, "type_param", node)),
        };
        let (name, default_value) = (self.name(vm, node, "name")?, self.expr_option(vm, node, "default_value")?);
        Ok(TypeParam { kind, name, default_value, span: self.span(vm, node, "type_param")? })
    }

    // ---- patterns

    fn pattern(&mut self, vm: &mut Vm, node: &Value) -> Result<PatternId> {
        vm.enter_native()?;
        let span = self.span(vm, node, "pattern")?;
        let pattern = match kind(vm, node)?.as_str() {
            "MatchValue" => Pattern::MatchValue { value: self.expr_field(vm, node, "value")? },
            "MatchSingleton" => {
                let value = required(vm, node, "value")?;
                match self.constant(vm, &value, span, None)? {
                    Expr::Constant(value @ (Constant::None | Constant::True | Constant::False)) => Pattern::MatchSingleton { value },
                    _ => return Err(vm.value_error("MatchSingleton can only contain True, False and None")),
                }
            }
            "MatchSequence" => Pattern::MatchSequence { patterns: self.list(vm, node, "patterns", Self::pattern)? },
            "MatchMapping" => {
                let (keys, patterns) = (self.exprs(vm, node, "keys")?, self.list(vm, node, "patterns", Self::pattern)?);
                if keys.len() != patterns.len() {
                    return Err(vm.value_error("MatchMapping doesn't have the same number of keys as patterns"));
                }
                Pattern::MatchMapping { keys, patterns, rest: self.name_option(vm, node, "rest")? }
            }
            "MatchClass" => {
                let cls = self.expr_field(vm, node, "cls")?;
                let patterns = self.list(vm, node, "patterns", Self::pattern)?;
                let kwd_attrs = self.names(vm, node, "kwd_attrs")?;
                let kwd_patterns = self.list(vm, node, "kwd_patterns", Self::pattern)?;
                if kwd_attrs.len() != kwd_patterns.len() {
                    return Err(vm.value_error("MatchClass doesn't have the same number of keyword attributes as patterns"));
                }
                Pattern::MatchClass { cls, patterns, kwd_attrs, kwd_patterns }
            }
            "MatchStar" => Pattern::MatchStar { name: self.name_option(vm, node, "name")? },
            "MatchAs" => {
                let pattern = match optional(vm, node, "pattern")? {
                    Some(pattern) => Some(self.pattern(vm, &pattern)?),
                    None => None,
                };
                let name = self.name_option(vm, node, "name")?;
                if name.is_none() && pattern.is_some() {
                    return Err(vm.value_error("MatchAs must specify a target name if a pattern is given"));
                }
                Pattern::MatchAs { pattern, name }
            }
            "MatchOr" => {
                let patterns = self.list(vm, node, "patterns", Self::pattern)?;
                if patterns.len() < 2 {
                    return Err(vm.value_error("MatchOr requires at least 2 patterns"));
                }
                Pattern::MatchOr { patterns }
            }
            _ => return Err(wrong_sort(vm, "pattern", node)),
        };
        Ok(self.ast.add_pattern(span, pattern))
    }
}
