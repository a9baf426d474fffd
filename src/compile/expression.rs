//! Expressions as values, as operands and as conditions.
//!
//! - [`Compiler::expr_into`] puts a value into `dst`, which is a local or the first free temporary. It leaves the stack of temporaries as
//!   it was; the caller takes the register. A local is written once, when the value is complete, so an exception leaves it alone.
//! - [`Compiler::operand`] gives a register that holds the value: a local (borrowed) or a new temporary.
//! - [`Compiler::jump_if`] goes to a label depending on the truth, without making a value where it can.
//!
//! A borrowed local is read only when the instruction runs. That is the same as reading it at once unless a later operand assigns it,
//! which only `:=` can ([`Compiler::protect`]), or unless it might be unbound (then it is read at once, into a temporary).

use scrip_grammar::ast::{Context, Expr, ExprId, List, Span};
use scrip_grammar::operator::{BoolOp, CmpOp, Operator, UnaryOp};

use super::assembler::Label;
use super::error::{Failure, Result};
use super::fold::truth;
use super::scope::Place;
use super::{Compiler, reg};
use crate::code::instruction::{Comparison, Conversion, Instruction as I};
use crate::code::unit::Constant;

/// More items than these are collected bit by bit, so that registers stay few.
const MAX_ITEMS: usize = 30;

/// What a display makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Display {
    List,
    Tuple,
    Set,
}

impl Compiler<'_> {
    /// A register with the value: a local, borrowed, or a new temporary.
    pub(super) fn operand(&mut self, id: ExprId) -> Result<u32> {
        match self.ast.expr(id).kind {
            Expr::Name { id: name, ctx: Context::Load } => {
                let name = self.name(name);
                if let Place::Local(local) = self.scopes.lookup(self.scope, name)
                    && self.asm.is_bound(local)
                {
                    return Ok(local);
                }
            }
            Expr::NamedExpr { target, value } => {
                if let Some(local) = self.local_target(target) {
                    self.expr_into(value, local)?;
                    self.asm.set_bound(local);
                    return Ok(local);
                }
            }
            _ => {}
        }
        self.temp(id)
    }

    /// A new temporary with the value.
    pub(super) fn temp(&mut self, id: ExprId) -> Result<u32> {
        let dst = self.asm.top;
        self.expr_into(id, dst)?;
        Ok(self.asm.push())
    }

    /// Evaluates for the effects only.
    pub(super) fn discard(&mut self, id: ExprId) -> Result {
        let mark = self.asm.top;
        let value = self.operand(id)?;
        if !self.asm.is_local(value) {
            self.emit(I::Release { src: reg(value) }, self.ast.expr(id).span);
        }
        self.asm.top = mark;
        Ok(())
    }

    /// The register of an assignment's target, if it is a local variable.
    pub(super) fn local_target(&mut self, target: ExprId) -> Option<u32> {
        let Expr::Name { id, .. } = self.ast.expr(target).kind else { return None };
        let name = self.name(id);
        match self.scopes.lookup(self.scope, name) {
            Place::Local(local) => Some(local),
            _ => None,
        }
    }

    /// `register`, or a copy of it if it is a local that `later`, evaluated before it is read, might assign.
    pub(super) fn protect(&mut self, register: u32, later: &[ExprId]) -> u32 {
        let frame = self.asm.scope;
        if !self.asm.is_local(register) || !self.scopes[frame].has_walrus || !later.iter().any(|&id| self.contains_walrus(id)) {
            return register;
        }
        let copy = self.asm.push();
        self.emit(I::Move { dst: reg(copy), src: reg(register) }, super::NOWHERE);
        copy
    }

    fn contains_walrus(&self, id: ExprId) -> bool {
        let mut todo = vec![id];
        while let Some(id) = todo.pop() {
            if matches!(self.ast.expr(id).kind, Expr::NamedExpr { .. }) {
                return true;
            }
            self.push_children(id, &mut todo);
        }
        false
    }

    /// Adds the expressions directly inside one.
    fn push_children(&self, id: ExprId, todo: &mut Vec<ExprId>) {
        let ast = self.ast;
        match ast.expr(id).kind {
            Expr::BoolOp { values: list, .. }
            | Expr::Set { elts: list }
            | Expr::List { elts: list, .. }
            | Expr::Tuple { elts: list, .. }
            | Expr::JoinedStr { values: list } => todo.extend(ast.list(list)),
            Expr::NamedExpr { target: a, value: b } | Expr::BinOp { left: a, right: b, .. } | Expr::Subscript { value: a, slice: b, .. } => {
                todo.extend([a, b])
            }
            Expr::UnaryOp { operand: value, .. }
            | Expr::Await { value }
            | Expr::YieldFrom { value }
            | Expr::Attribute { value, .. }
            | Expr::Starred { value, .. } => todo.push(value),
            Expr::Lambda { args, .. } => {
                let args = ast.arguments(args);
                todo.extend(ast.list(args.defaults));
                todo.extend(ast.list(args.kw_defaults).iter().flatten());
            }
            Expr::IfExp { test, body, orelse } => todo.extend([test, body, orelse]),
            Expr::Dict { keys, values } => {
                todo.extend(ast.list(keys).iter().flatten());
                todo.extend(ast.list(values));
            }
            Expr::ListComp { elt, generators } | Expr::SetComp { elt, generators } | Expr::GeneratorExp { elt, generators } => {
                todo.push(elt);
                for generator in ast.list(generators) {
                    todo.push(generator.iter);
                    todo.extend(ast.list(generator.ifs));
                }
            }
            Expr::DictComp { key, value, generators } => {
                todo.extend([key, value]);
                for generator in ast.list(generators) {
                    todo.push(generator.iter);
                    todo.extend(ast.list(generator.ifs));
                }
            }
            Expr::Yield { value } => todo.extend(value),
            Expr::Compare { left, comparators, .. } => {
                todo.push(left);
                todo.extend(ast.list(comparators));
            }
            Expr::Call { func, args, keywords } => {
                todo.push(func);
                todo.extend(ast.list(args));
                todo.extend(ast.list(keywords).iter().map(|keyword| keyword.value));
            }
            Expr::FormattedValue { value, format_spec, .. } => {
                todo.push(value);
                todo.extend(format_spec);
            }
            Expr::Constant(_) | Expr::Name { .. } => {}
            Expr::Slice { lower, upper, step } => todo.extend([lower, upper, step].into_iter().flatten()),
        }
    }

    /// Where a value that is made in several steps is made: a temporary.
    fn scratch(&mut self, dst: u32) -> u32 {
        let scratch = if self.asm.is_local(dst) { self.asm.top } else { dst };
        self.asm.reserve(scratch + 1);
        scratch
    }

    /// Puts the value into `dst`: a local, or the first free temporary.
    pub(super) fn expr_into(&mut self, id: ExprId, dst: u32) -> Result {
        self.stack.check()?;
        debug_assert!(self.asm.is_local(dst) || dst == self.asm.top, "a value goes to a local or the top");
        self.asm.reserve(dst + 1);
        let ast = self.ast;
        let node = ast.expr(id);
        let span = node.span;
        if let Some(constant) = self.fold(id) {
            self.load_const(constant, dst, span);
            return Ok(());
        }
        match node.kind {
            Expr::Name { id, .. } => {
                let name = self.name(id);
                self.load_name(name, dst, span);
                Ok(())
            }
            Expr::Constant(_) => unreachable!("a constant is folded"),
            Expr::BinOp { .. } => self.binary(id, dst),
            Expr::UnaryOp { op, operand } => self.unary(op, operand, dst, span),
            Expr::BoolOp { op, values } => self.bool_op(op, values, dst, span),
            Expr::NamedExpr { target, value } => self.named(target, value, dst),
            Expr::IfExp { test, body, orelse } => {
                let (otherwise, end) = (self.asm.label(), self.asm.label());
                self.jump_if(test, false, otherwise)?;
                self.expr_into(body, dst)?;
                self.asm.jump(I::Jump { target: 0 }, end, span);
                self.asm.place(otherwise);
                self.expr_into(orelse, dst)?;
                self.asm.place(end);
                Ok(())
            }
            Expr::Compare { left, ops, comparators } => self.compare(left, ast.list(ops), ast.list(comparators), dst, span),
            Expr::Call { func, args, keywords } => self.call(span, func, ast.list(args), ast.list(keywords), dst),
            Expr::Attribute { value, attr, .. } => self.attribute(span, value, attr, dst),
            Expr::Subscript { value, slice, .. } => self.subscript(span, value, slice, dst),
            Expr::Lambda { args, body } => self.lambda(id, args, body, dst),
            Expr::List { elts, .. } => self.display(Display::List, ast.list(elts), dst, span),
            Expr::Tuple { elts, .. } => self.display(Display::Tuple, ast.list(elts), dst, span),
            Expr::Set { elts } => self.display(Display::Set, ast.list(elts), dst, span),
            Expr::Dict { keys, values } => self.dict(ast.list(keys), ast.list(values), dst, span),
            Expr::ListComp { .. } | Expr::SetComp { .. } | Expr::DictComp { .. } | Expr::GeneratorExp { .. } => self.comprehension(id, dst),
            Expr::JoinedStr { values } => self.joined(ast.list(values), dst, span),
            Expr::FormattedValue { value, conversion, format_spec } => self.formatted(value, conversion, format_spec, dst, span),
            Expr::Await { value } => {
                let scratch = self.scratch(dst);
                self.expr_into_scratch(value, scratch)?;
                self.await_in(scratch, 0, span);
                self.settle(dst, scratch, span);
                Ok(())
            }
            Expr::Yield { value } => {
                let mark = self.asm.top;
                let src = match value {
                    Some(value) => self.operand(value)?,
                    None => {
                        let src = self.asm.push();
                        self.load_const(Constant::None, src, span);
                        src
                    }
                };
                self.asm.top = mark;
                self.emit(I::Yield { dst: reg(dst), src: reg(src) }, span);
                Ok(())
            }
            Expr::YieldFrom { value } => {
                let scratch = self.scratch(dst);
                self.expr_into_scratch(value, scratch)?;
                self.asm.reserve(scratch + 2);
                self.emit(I::GetYieldFromIterator { dst: reg(scratch + 1), src: reg(scratch) }, span);
                self.drive(scratch, span);
                self.settle(dst, scratch, span);
                Ok(())
            }
            Expr::Starred { .. } => Err(Failure::syntax("can't use starred expression here", span)),
            Expr::Slice { lower, upper, step } => {
                let scratch = self.scratch(dst);
                let mark = self.asm.top;
                self.asm.set_top(scratch);
                self.slice_parts(&[lower, upper, step], span)?;
                self.asm.top = mark;
                self.emit(I::BuildSlice { dst: reg(dst), base: reg(scratch) }, span);
                Ok(())
            }
        }
    }

    /// `expr_into` for a scratch register, which is the top.
    fn expr_into_scratch(&mut self, id: ExprId, scratch: u32) -> Result {
        debug_assert_eq!(scratch, self.asm.top, "a scratch register is the top");
        self.expr_into(id, scratch)
    }

    // ---- operators

    /// A chain of binary operators along their left operands, which may be too long for recursion.
    fn binary(&mut self, id: ExprId, dst: u32) -> Result {
        let ast = self.ast;
        let mark = self.asm.top;
        let Expr::BinOp { left, op, right } = ast.expr(id).kind else { return Ok(()) };
        if op == Operator::Mod
            && let Some(parts) = self.percent_format(left, right)
        {
            return self.percent(&parts, dst, ast.expr(id).span);
        }
        if !matches!(ast.expr(left).kind, Expr::BinOp { .. }) || self.is_candidate(left) {
            let left = self.operand(left)?;
            return self.binary_with(op, left, right, dst, mark, ast.expr(id).span, 0);
        }
        let mut spine = vec![id];
        let mut first = left;
        while let Expr::BinOp { left, .. } = ast.expr(first).kind
            && !self.is_candidate(first)
        {
            spine.push(first);
            first = left;
        }
        let mut value = self.operand(first)?;
        while let Some(node) = spine.pop() {
            let Expr::BinOp { op, right, .. } = ast.expr(node).kind else { continue };
            let target = if spine.is_empty() { dst } else { mark };
            self.binary_with(op, value, right, target, mark, ast.expr(node).span, 0)?;
            if !spine.is_empty() {
                self.asm.set_top(mark + 1);
            }
            value = target;
        }
        Ok(())
    }

    /// `dst = left op right`, with `left` evaluated; temporaries from `mark` on are consumed. `k` is 1 for the augmented form.
    pub(super) fn binary_with(&mut self, op: Operator, left: u32, right: ExprId, dst: u32, mark: u32, span: Span, k: u8) -> Result {
        let small = self.small_int(right);
        if let Some(right) = small
            && let Some(instruction) = immediate(op, reg(dst), reg(left), right, k)
        {
            self.asm.top = mark;
            self.emit(instruction, span);
            return Ok(());
        }
        let left = reg(self.protect(left, &[right]));
        let right = reg(self.operand(right)?);
        self.asm.top = mark;
        let dst = reg(dst);
        let instruction = match op {
            Operator::Add => I::Add { dst, left, right, k },
            Operator::Sub => I::Subtract { dst, left, right, k },
            Operator::Mult => I::Multiply { dst, left, right, k },
            Operator::MatMult => I::MatrixMultiply { dst, left, right, k },
            Operator::Div => I::TrueDivide { dst, left, right, k },
            Operator::Mod => I::Modulo { dst, left, right, k },
            Operator::Pow => I::Power { dst, left, right, k },
            Operator::LShift => I::ShiftLeft { dst, left, right, k },
            Operator::RShift => I::ShiftRight { dst, left, right, k },
            Operator::BitOr => I::Or { dst, left, right, k },
            Operator::BitXor => I::Xor { dst, left, right, k },
            Operator::BitAnd => I::And { dst, left, right, k },
            Operator::FloorDiv => I::FloorDivide { dst, left, right, k },
        };
        self.emit(instruction, span);
        Ok(())
    }

    /// The value of a constant that fits an immediate operand.
    pub(super) fn small_int(&mut self, id: ExprId) -> Option<i16> {
        if !self.is_candidate(id) {
            return None;
        }
        match self.fold(id) {
            Some(Constant::Int(value)) => i16::try_from(value).ok(),
            _ => None,
        }
    }

    fn unary(&mut self, op: UnaryOp, operand: ExprId, dst: u32, span: Span) -> Result {
        // `not a in b` is one comparison.
        if op == UnaryOp::Not
            && let Expr::Compare { left, ops, comparators } = self.ast.expr(operand).kind
            && let [only] = self.ast.list(ops)
            && let Some(opposite) = opposite(*only)
        {
            let span = self.ast.expr(operand).span;
            return self.compare(left, &[opposite], self.ast.list(comparators), dst, span);
        }
        let mark = self.asm.top;
        let src = reg(self.operand(operand)?);
        self.asm.top = mark;
        let dst = reg(dst);
        let instruction = match op {
            UnaryOp::Invert => I::Invert { dst, src },
            UnaryOp::Not => I::Not { dst, src },
            UnaryOp::UAdd => I::Plus { dst, src },
            UnaryOp::USub => I::Negate { dst, src },
        };
        self.emit(instruction, span);
        Ok(())
    }

    fn bool_op(&mut self, op: BoolOp, values: List<ExprId>, dst: u32, span: Span) -> Result {
        let Some((&last, first)) = self.ast.list(values).split_last() else { return Ok(()) };
        let scratch = self.scratch(dst);
        let end = self.asm.label();
        for &value in first {
            if let Some(constant) = self.fold(value) {
                if truth(&constant) == (op == BoolOp::Or) {
                    // The rest is never evaluated.
                    self.load_const(constant, scratch, self.ast.expr(value).span);
                    self.asm.place(end);
                    self.settle(dst, scratch, span);
                    return Ok(());
                }
                continue;
            }
            self.expr_into_scratch(value, scratch)?;
            let src = reg(scratch);
            let jump = match op {
                BoolOp::And => I::JumpIfFalseKeep { src, target: 0 },
                BoolOp::Or => I::JumpIfTrueKeep { src, target: 0 },
            };
            self.asm.jump(jump, end, span);
        }
        self.expr_into_scratch(last, scratch)?;
        self.asm.place(end);
        self.settle(dst, scratch, span);
        Ok(())
    }

    fn named(&mut self, target: ExprId, value: ExprId, dst: u32) -> Result {
        let Expr::Name { id, .. } = self.ast.expr(target).kind else { return Ok(()) };
        let span = self.ast.expr(target).span;
        if let Some(local) = self.local_target(target) {
            self.expr_into(value, local)?;
            self.asm.set_bound(local);
            self.settle(dst, local, span);
            return Ok(());
        }
        let scratch = self.scratch(dst);
        self.expr_into_scratch(value, scratch)?;
        let mark = self.asm.top;
        self.asm.set_top(scratch + 2);
        self.emit(I::Copy { dst: reg(scratch + 1), src: reg(scratch) }, span);
        let name = self.name(id);
        self.store_name(name, scratch + 1, span);
        self.asm.top = mark;
        self.settle(dst, scratch, span);
        Ok(())
    }

    // ---- comparisons

    /// The right operand of a comparison. What is only searched need not be made anew: `in [1, 2]` searches a constant tuple.
    fn searched(&mut self, op: CmpOp, id: ExprId) -> Result<u32> {
        if matches!(op, CmpOp::In | CmpOp::NotIn)
            && let Some(searched) = self.unmodified_display(id)?
        {
            return Ok(searched);
        }
        self.operand(id)
    }

    /// A list or set display that nobody can change, as a constant or a tuple in a new temporary.
    pub(super) fn unmodified_display(&mut self, id: ExprId) -> Result<Option<u32>> {
        let node = self.ast.expr(id);
        let (elts, is_set) = match node.kind {
            Expr::List { elts, .. } => (elts, false),
            Expr::Set { elts } => (elts, true),
            _ => return Ok(None),
        };
        let elts = self.ast.list(elts);
        let constants: Option<Box<[Constant]>> = elts.iter().map(|&elt| self.fold(elt)).collect();
        let dst = self.asm.top;
        match constants {
            Some(items) if is_set => self.load_const(Constant::FrozenSet(items), dst, node.span),
            Some(items) => self.load_const(Constant::Tuple(items), dst, node.span),
            None if is_set || elts.iter().any(|&elt| matches!(self.ast.expr(elt).kind, Expr::Starred { .. })) => {
                return Ok(None);
            }
            None => self.display(Display::Tuple, elts, dst, node.span)?,
        }
        Ok(Some(self.asm.push()))
    }

    fn compare(&mut self, left: ExprId, ops: &[CmpOp], comparators: &[ExprId], dst: u32, span: Span) -> Result {
        let mark = self.asm.top;
        if let ([op], &[right]) = (ops, comparators) {
            let left = self.operand(left)?;
            let left = reg(self.protect(left, &[right]));
            let right = reg(self.searched(*op, right)?);
            self.asm.top = mark;
            self.emit(I::Compare { dst: reg(dst), left, right, k: comparison(*op) as u8 }, span);
            return Ok(());
        }
        // The result stands in the first temporary, operands after it.
        let scratch = self.scratch(dst);
        self.asm.set_top(scratch + 1);
        let end = self.asm.label();
        let mut operand = self.operand(left)?;
        operand = self.protect(operand, comparators);
        for (index, (&op, &right)) in ops.iter().zip(comparators).enumerate() {
            let is_last = index + 1 == ops.len();
            let later = &comparators[index + 1..];
            let next = if is_last { self.searched(op, right)? } else { self.operand(right)? };
            let mut next = self.protect(next, later);
            let mut right = next;
            if !is_last && !self.asm.is_local(next) {
                right = self.asm.push();
                self.emit(I::Copy { dst: reg(right), src: reg(next) }, span);
            }
            let k = comparison(op) as u8;
            self.emit(I::Compare { dst: reg(scratch), left: reg(operand), right: reg(right), k }, span);
            if is_last {
                break;
            }
            if self.asm.is_local(next) {
                self.asm.jump(I::JumpIfFalseKeep { src: reg(scratch), target: 0 }, end, span);
                self.asm.top = scratch + 1;
            } else {
                let go_on = self.asm.label();
                // The operand that the next comparison would have read is released where the chain ends early.
                self.asm.top = next + 1;
                let truth = self.asm.push();
                self.emit(I::Copy { dst: reg(truth), src: reg(scratch) }, span);
                self.asm.jump(I::JumpIfTrue { src: reg(truth), target: 0 }, go_on, span);
                self.emit(I::Release { src: reg(next) }, span);
                self.asm.jump(I::Jump { target: 0 }, end, span);
                self.asm.place(go_on);
                self.emit(I::Release { src: reg(scratch) }, span);
                // Each link has its operand in the same place, however long the chain is.
                if next > scratch + 1 {
                    self.emit(I::Move { dst: reg(scratch + 1), src: reg(next) }, span);
                    next = scratch + 1;
                }
                self.asm.top = next + 1;
            }
            operand = next;
        }
        self.asm.place(end);
        self.asm.top = mark;
        self.settle(dst, scratch, span);
        Ok(())
    }

    /// Goes to `target` if the comparison is `sense`; consumes temporaries from `mark` on.
    #[allow(clippy::too_many_arguments, reason = "the parts of a comparison")]
    pub(super) fn compare_jump(&mut self, op: CmpOp, left: u32, right: ExprId, sense: bool, target: Label, mark: u32, span: Span) -> Result {
        let is_none =
            matches!(op, CmpOp::Is | CmpOp::IsNot) && matches!(self.ast.expr(right).kind, Expr::Constant(scrip_grammar::ast::Constant::None));
        if is_none {
            self.asm.top = mark;
            let src = reg(left);
            let jump = if (op == CmpOp::Is) == sense { I::JumpIfNone { src, target: 0 } } else { I::JumpIfNotNone { src, target: 0 } };
            self.asm.jump(jump, target, span);
            return Ok(());
        }
        let small = self.small_int(right);
        if let Some(right) = small
            && let Some(jump) = immediate_jump(op, sense, reg(left), right)
        {
            self.asm.top = mark;
            self.asm.jump(jump, target, span);
            return Ok(());
        }
        let left = self.protect(left, &[right]);
        let right = self.searched(op, right)?;
        self.asm.top = mark;
        self.asm.jump(register_jump(op, sense, reg(left), reg(right)), target, span);
        Ok(())
    }

    fn compare_chain_jump(&mut self, left: ExprId, ops: &[CmpOp], comparators: &[ExprId], sense: bool, target: Label, span: Span) -> Result {
        let mark = self.asm.top;
        let left = self.operand(left)?;
        let mut operand = self.protect(left, comparators);
        let Some((&last_op, first_ops)) = ops.split_last() else { return Ok(()) };
        let Some((&last, first)) = comparators.split_last() else { return Ok(()) };
        if first_ops.is_empty() {
            return self.compare_jump(last_op, operand, last, sense, target, mark, span);
        }
        // Where the chain ends early: with its last operand still live (`release`), or with nothing to release.
        let failed = if sense { self.asm.label() } else { target };
        let end = self.asm.label();
        for (index, (&op, &right)) in first_ops.iter().zip(first).enumerate() {
            let next = self.operand(right)?;
            let mut next = self.protect(next, &comparators[index + 1..]);
            if self.asm.is_local(next) {
                self.asm.jump(register_jump(op, false, reg(operand), reg(next)), failed, span);
            } else {
                let right = self.asm.push();
                self.emit(I::Copy { dst: reg(right), src: reg(next) }, span);
                let go_on = self.asm.label();
                self.asm.jump(register_jump(op, true, reg(operand), reg(right)), go_on, span);
                self.emit(I::Release { src: reg(next) }, span);
                self.asm.jump(I::Jump { target: 0 }, failed, span);
                self.asm.place(go_on);
                if next > mark {
                    self.emit(I::Move { dst: reg(mark), src: reg(next) }, span);
                    next = mark;
                }
                self.asm.top = next + 1;
            }
            operand = next;
        }
        self.compare_jump(last_op, operand, last, sense, target, mark, span)?;
        self.asm.top = mark;
        if sense {
            self.asm.place(failed);
        }
        self.asm.place(end);
        Ok(())
    }

    // ---- conditions

    /// Goes to `target` if the truth of the expression is `sense`, else goes on.
    pub(super) fn jump_if(&mut self, id: ExprId, sense: bool, target: Label) -> Result {
        self.stack.check()?;
        let ast = self.ast;
        let node = ast.expr(id);
        if let Some(constant) = self.fold(id) {
            if truth(&constant) == sense {
                self.asm.jump(I::Jump { target: 0 }, target, node.span);
            }
            return Ok(());
        }
        match node.kind {
            Expr::UnaryOp { op: UnaryOp::Not, operand } => self.jump_if(operand, !sense, target),
            Expr::BoolOp { op, values } => {
                let Some((&last, first)) = ast.list(values).split_last() else { return Ok(()) };
                // With `or`, a true value decides; with `and`, a false one.
                let decides = op == BoolOp::Or;
                let end = self.asm.label();
                for &value in first {
                    self.jump_if(value, decides, if decides == sense { target } else { end })?;
                }
                self.jump_if(last, sense, target)?;
                self.asm.place(end);
                Ok(())
            }
            Expr::IfExp { test, body, orelse } => {
                let (otherwise, end) = (self.asm.label(), self.asm.label());
                self.jump_if(test, false, otherwise)?;
                self.jump_if(body, sense, target)?;
                self.asm.jump(I::Jump { target: 0 }, end, node.span);
                self.asm.place(otherwise);
                self.jump_if(orelse, sense, target)?;
                self.asm.place(end);
                Ok(())
            }
            Expr::Compare { left, ops, comparators } => self.compare_chain_jump(left, ast.list(ops), ast.list(comparators), sense, target, node.span),
            _ => {
                let mark = self.asm.top;
                let src = reg(self.operand(id)?);
                self.asm.top = mark;
                let jump = if sense { I::JumpIfTrue { src, target: 0 } } else { I::JumpIfFalse { src, target: 0 } };
                self.asm.jump(jump, target, node.span);
                Ok(())
            }
        }
    }

    // ---- attributes and items

    /// The place of an attribute's access: from its name on, when the whole reaches over several lines.
    pub(super) fn attribute_span(&self, span: Span, attr: scrip_grammar::ast::NameId) -> Span {
        if !self.is_multiline(span) {
            return span;
        }
        Span::new(span.end - self.ast.name(attr).len() as u32, span.end)
    }

    fn attribute(&mut self, span: Span, value: ExprId, attr: scrip_grammar::ast::NameId, dst: u32) -> Result {
        if self.is_super(value, attr) {
            let scratch = self.scratch(dst);
            let form = self.super_operands(value, scratch)?;
            let name = self.name(attr);
            let site = self.site(name);
            let place = self.attribute_span(span, attr);
            self.emit(I::LoadSuperAttribute { base: reg(scratch), form, site }, place);
            self.settle(dst, scratch, span);
            return Ok(());
        }
        let mark = self.asm.top;
        let object = reg(self.operand(value)?);
        self.asm.top = mark;
        let name = self.name(attr);
        let site = self.site(name);
        let place = self.attribute_span(span, attr);
        self.emit(I::LoadAttribute { dst: reg(dst), object, site }, place);
        Ok(())
    }

    /// Puts the parts of a slice into registers side by side, from the top of those in use on.
    fn slice_parts(&mut self, parts: &[Option<ExprId>], span: Span) -> Result {
        for part in parts {
            match part {
                Some(part) => {
                    self.temp(*part)?;
                }
                None => {
                    let register = self.asm.push();
                    self.load_const(Constant::None, register, span);
                }
            }
        }
        Ok(())
    }

    fn subscript(&mut self, span: Span, value: ExprId, slice: ExprId, dst: u32) -> Result {
        let mark = self.asm.top;
        let object = self.operand(value)?;
        if let Expr::Slice { lower, upper, step: None } = self.ast.expr(slice).kind {
            let object = self.protect(object, &[slice]);
            let base = self.asm.top;
            self.slice_parts(&[lower, upper], span)?;
            self.asm.top = mark;
            self.emit(I::GetSlice { dst: reg(dst), object: reg(object), base: reg(base) }, span);
            return Ok(());
        }
        if let Some(index) = self.small_int(slice) {
            self.asm.top = mark;
            self.emit(I::GetItemImm { dst: reg(dst), object: reg(object), index }, span);
            return Ok(());
        }
        let object = reg(self.protect(object, &[slice]));
        let key = reg(self.operand(slice)?);
        self.asm.top = mark;
        self.emit(I::GetItem { dst: reg(dst), object, key }, span);
        Ok(())
    }

    // ---- displays

    /// A list, tuple or set of the values.
    pub(super) fn display(&mut self, kind: Display, elts: &[ExprId], dst: u32, span: Span) -> Result {
        let scratch = self.scratch(dst);
        if kind != Display::Tuple && elts.len() > 2 {
            let constants: Option<Box<[Constant]>> = elts.iter().map(|&elt| self.fold(elt)).collect();
            if let Some(items) = constants {
                self.asm.reserve(scratch + 2);
                let (acc, src) = (reg(scratch), reg(scratch + 1));
                if kind == Display::List {
                    self.emit(I::BuildList { dst: acc, base: acc, count: 0 }, span);
                    self.load_const(Constant::Tuple(items), scratch + 1, span);
                    self.emit(I::ListExtend { list: acc, src, k: 0 }, span);
                } else {
                    self.emit(I::BuildSet { dst: acc, base: acc, count: 0 }, span);
                    self.load_const(Constant::FrozenSet(items), scratch + 1, span);
                    self.emit(I::SetUpdate { set: acc, src }, span);
                }
                self.settle(dst, scratch, span);
                return Ok(());
            }
        }
        let mark = self.asm.top;
        self.asm.set_top(scratch);
        let starts_plain = elts.iter().take_while(|&&elt| !self.is_starred(elt)).count();
        if starts_plain == elts.len() && elts.len() <= MAX_ITEMS {
            for &elt in elts {
                self.temp(elt)?;
            }
            self.asm.top = mark;
            let (dst, base, count) = (reg(dst), reg(scratch), elts.len() as u16);
            self.emit(
                match kind {
                    Display::List => I::BuildList { dst, base, count },
                    Display::Tuple => I::BuildTuple { dst, base, count },
                    Display::Set => I::BuildSet { dst, base, count },
                },
                span,
            );
            return Ok(());
        }
        self.collect(kind, scratch, 0, elts, span)?;
        self.asm.top = mark;
        if kind == Display::Tuple {
            self.emit(I::ListToTuple { dst: reg(dst), src: reg(scratch) }, span);
        } else {
            self.settle(dst, scratch, span);
        }
        Ok(())
    }

    pub(super) fn is_starred(&self, id: ExprId) -> bool {
        matches!(self.ast.expr(id).kind, Expr::Starred { .. })
    }

    /// A list (also for a tuple) or set in `acc`, of the `pushed` values from `acc` on and the given ones. The top is after the pushed
    /// values before, and after `acc` afterwards.
    pub(super) fn collect(&mut self, kind: Display, acc: u32, pushed: u32, elts: &[ExprId], span: Span) -> Result {
        let plain = elts.iter().take_while(|&&elt| !self.is_starred(elt)).count().min(MAX_ITEMS);
        for &elt in &elts[..plain] {
            self.temp(elt)?;
        }
        let (dst, count) = (reg(acc), (pushed as usize + plain) as u16);
        self.emit(
            match kind {
                Display::Set => I::BuildSet { dst, base: dst, count },
                _ => I::BuildList { dst, base: dst, count },
            },
            span,
        );
        self.asm.set_top(acc + 1);
        let mut rest = &elts[plain..];
        while let Some((&elt, others)) = rest.split_first() {
            let node = self.ast.expr(elt);
            // A run of constants is added at once.
            let run: Vec<Constant> = if kind == Display::Set { Vec::new() } else { rest.iter().map_while(|&elt| self.fold(elt)).collect() };
            if run.len() > 2 {
                let src = self.asm.push();
                rest = &rest[run.len()..];
                self.load_const(Constant::Tuple(run.into()), src, node.span);
                self.emit(I::ListExtend { list: reg(acc), src: reg(src), k: 0 }, span);
                self.asm.top = acc + 1;
                continue;
            }
            let (value, starred) = match node.kind {
                Expr::Starred { value, .. } => (value, true),
                _ => (elt, false),
            };
            let src = reg(self.operand(value)?);
            self.asm.top = acc + 1;
            let acc = reg(acc);
            self.emit(
                match (kind, starred) {
                    (Display::Set, true) => I::SetUpdate { set: acc, src },
                    (Display::Set, false) => I::SetAdd { set: acc, src },
                    (_, true) => I::ListExtend { list: acc, src, k: 0 },
                    (_, false) => I::ListAppend { list: acc, src },
                },
                span,
            );
            rest = others;
        }
        Ok(())
    }

    fn dict(&mut self, keys: &[Option<ExprId>], values: &[ExprId], dst: u32, span: Span) -> Result {
        let scratch = self.scratch(dst);
        let mark = self.asm.top;
        self.asm.set_top(scratch);
        let plain = keys.iter().take_while(|key| key.is_some()).count();
        let first = if plain == keys.len() && plain <= MAX_ITEMS { plain } else { plain.min(MAX_ITEMS / 2) };
        for (key, &value) in keys[..first].iter().flatten().zip(values) {
            self.temp(*key)?;
            self.temp(value)?;
        }
        let is_whole = first == keys.len();
        let made = if is_whole { dst } else { scratch };
        self.emit(I::BuildDict { dst: reg(made), base: reg(scratch), count: first as u16 }, span);
        self.asm.set_top(scratch + 1);
        for (key, &value) in keys.iter().zip(values).skip(first) {
            let Some(key) = *key else {
                let src = reg(self.operand(value)?);
                self.asm.top = scratch + 1;
                self.emit(I::DictUpdate { dict: reg(scratch), src }, span);
                continue;
            };
            let key = self.operand(key)?;
            let key = reg(self.protect(key, &[value]));
            let value = reg(self.operand(value)?);
            self.asm.top = scratch + 1;
            self.emit(I::DictSet { dict: reg(scratch), key, value }, span);
        }
        self.asm.top = mark;
        self.settle(dst, made, span);
        Ok(())
    }

    // ---- f-strings

    fn joined(&mut self, values: &[ExprId], dst: u32, span: Span) -> Result {
        const MAX_PARTS: usize = 200;
        match values {
            [] => {
                self.load_str("", dst, span);
                return Ok(());
            }
            [only] => return self.expr_into(*only, dst),
            _ => {}
        }
        let scratch = self.scratch(dst);
        let mark = self.asm.top;
        self.asm.set_top(scratch);
        let mut pending = 0;
        for &value in values {
            if pending == MAX_PARTS {
                self.asm.set_top(scratch + 1);
                let base = reg(scratch);
                self.emit(I::BuildString { dst: base, base, count: pending as u16 }, span);
                pending = 1;
            }
            self.temp(value)?;
            pending += 1;
        }
        self.asm.top = mark;
        self.emit(I::BuildString { dst: reg(dst), base: reg(scratch), count: pending as u16 }, span);
        Ok(())
    }

    fn formatted(&mut self, value: ExprId, conversion: i8, format_spec: Option<ExprId>, dst: u32, span: Span) -> Result {
        let conversion = match conversion as u8 {
            b's' => Conversion::Str,
            b'r' => Conversion::Repr,
            b'a' => Conversion::Ascii,
            _ => Conversion::None,
        };
        let mark = self.asm.top;
        let src = self.operand(value)?;
        let Some(spec) = format_spec else {
            self.asm.top = mark;
            self.emit(I::FormatSimple { dst: reg(dst), src: reg(src), k: conversion as u8 }, span);
            return Ok(());
        };
        let is_constant = match self.ast.expr(spec).kind {
            Expr::JoinedStr { values } => self.ast.list(values).iter().all(|&part| self.is_candidate(part)),
            _ => self.is_candidate(spec),
        };
        let (mut src, mut k) = (src, conversion as u8);
        if !is_constant && conversion != Conversion::None {
            // The conversion comes before the parts of the format are evaluated.
            self.asm.top = mark;
            let converted = self.asm.push();
            self.emit(I::FormatSimple { dst: reg(converted), src: reg(src), k }, span);
            (src, k) = (converted, Conversion::None as u8);
        }
        let src = self.protect(src, &[spec]);
        let spec = reg(self.operand(spec)?);
        self.asm.top = mark;
        self.emit(I::FormatWithSpec { dst: reg(dst), src: reg(src), spec, k }, span);
        Ok(())
    }

    /// The parts of `'…%s…' % (a, b)`, if it only uses `%s`, `%r` and `%a`: it is compiled as the f-string of the same meaning.
    fn percent_format(&mut self, left: ExprId, right: ExprId) -> Option<Vec<PercentPart>> {
        let Expr::Tuple { elts, .. } = self.ast.expr(right).kind else { return None };
        let elts = self.ast.list(elts);
        if elts.is_empty() || elts.iter().any(|&elt| self.is_starred(elt)) {
            return None;
        }
        let mut values = elts.iter();
        let mut parts = Vec::new();
        let mut literal = String::new();
        let Some(Constant::Str(text)) = self.fold(left) else { return None };
        let mut rest = &*text;
        while let Some(at) = rest.find('%') {
            literal.push_str(&rest[..at]);
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix('%') {
                literal.push('%');
                rest = after;
                continue;
            }
            if !literal.is_empty() {
                parts.push(PercentPart::Text(std::mem::take(&mut literal)));
            }
            let after_flags = rest.trim_start_matches(['-', '+', ' ', '#', '0']);
            let to_left = rest[..rest.len() - after_flags.len()].contains('-');
            let (width, after_width) = leading_digits(after_flags)?;
            let (precision, after) = match after_width.strip_prefix('.') {
                Some(after) => {
                    let (digits, after) = leading_digits(after)?;
                    (Some(digits.trim_start_matches('0')), after)
                }
                None => (None, after_width),
            };
            let conversion = match after.bytes().next()? {
                b's' => Conversion::Str,
                b'r' => Conversion::Repr,
                b'a' => Conversion::Ascii,
                _ => return None,
            };
            let mut spec = String::new();
            if !width.is_empty() {
                spec.push_str(if to_left { "" } else { ">" });
                spec.push_str(width);
            }
            if let Some(precision) = precision {
                spec.push('.');
                spec.push_str(if precision.is_empty() { "0" } else { precision });
            }
            parts.push(PercentPart::Value { value: *values.next()?, conversion, spec });
            rest = &after[1..];
        }
        literal.push_str(rest);
        if !literal.is_empty() {
            parts.push(PercentPart::Text(literal));
        }
        (values.next().is_none() && parts.len() <= 200).then_some(parts)
    }

    fn percent(&mut self, parts: &[PercentPart], dst: u32, span: Span) -> Result {
        let base = self.scratch(dst);
        let mark = self.asm.top;
        let is_single = parts.len() == 1;
        for part in parts {
            let part_dst = if is_single { dst } else { self.asm.top };
            match part {
                PercentPart::Text(text) => {
                    self.asm.reserve(part_dst + 1);
                    self.load_str(text, part_dst, span);
                }
                PercentPart::Value { value, conversion, spec } => {
                    let place = self.ast.expr(*value).span;
                    let top = self.asm.top;
                    let src = reg(self.operand(*value)?);
                    let k = *conversion as u8;
                    if spec.is_empty() {
                        self.asm.top = top;
                        self.asm.reserve(part_dst + 1);
                        self.emit(I::FormatSimple { dst: reg(part_dst), src, k }, place);
                    } else {
                        let spec_register = self.asm.push();
                        self.load_str(spec, spec_register, place);
                        self.asm.top = top;
                        self.asm.reserve(part_dst + 1);
                        let spec = reg(spec_register);
                        self.emit(I::FormatWithSpec { dst: reg(part_dst), src, spec, k }, place);
                    }
                }
            }
            if !is_single {
                self.asm.push();
            }
        }
        self.asm.top = mark;
        if !is_single {
            self.emit(I::BuildString { dst: reg(dst), base: reg(base), count: parts.len() as u16 }, span);
        }
        Ok(())
    }

    // ---- awaiting

    /// Awaits what is in the temporary `base`; the result lands there. `base + 1` is used. `k` as in `GetAwaitable`.
    pub(super) fn await_in(&mut self, base: u32, k: u8, span: Span) {
        self.asm.reserve(base + 2);
        self.emit(I::GetAwaitable { dst: reg(base + 1), src: reg(base), k }, span);
        self.drive(base, span);
    }

    /// Drives the iterator in `base + 1` to its end, giving what it yields; its result lands in `base`.
    pub(super) fn drive(&mut self, base: u32, span: Span) {
        let (value, iterator) = (reg(base), reg(base + 1));
        self.load_const(Constant::None, base, span);
        let (again, end) = (self.asm.label(), self.asm.label());
        self.asm.place(again);
        self.asm.jump(I::Send { value, iterator, target: 0 }, end, span);
        self.asm.jump(I::YieldFrom { value, iterator, target: 0 }, end, span);
        self.asm.jump(I::Jump { target: 0 }, again, span);
        self.asm.place(end);
    }
}

/// A part of a format with `%`.
enum PercentPart {
    Text(String),
    Value { value: ExprId, conversion: Conversion, spec: String },
}

/// Up to two leading digits, and the rest; `None` for more, which are left to run.
fn leading_digits(text: &str) -> Option<(&str, &str)> {
    let n_digits = text.bytes().take_while(u8::is_ascii_digit).count();
    (n_digits < 3).then(|| text.split_at(n_digits))
}

/// The instruction with an immediate right operand, where there is one.
fn immediate(op: Operator, dst: u16, left: u16, right: i16, k: u8) -> Option<I> {
    Some(match op {
        Operator::Add => I::AddImm { dst, left, right, k },
        Operator::Sub => I::SubtractImm { dst, left, right, k },
        Operator::Mult => I::MultiplyImm { dst, left, right, k },
        Operator::FloorDiv => I::FloorDivideImm { dst, left, right, k },
        Operator::Mod => I::ModuloImm { dst, left, right, k },
        Operator::BitAnd => I::AndImm { dst, left, right, k },
        Operator::LShift => I::ShiftLeftImm { dst, left, right, k },
        Operator::RShift => I::ShiftRightImm { dst, left, right, k },
        Operator::Div | Operator::MatMult | Operator::Pow | Operator::BitOr | Operator::BitXor => {
            return None;
        }
    })
}

/// The operator that gives the opposite answer by its meaning, not by negation of any object's answer.
fn opposite(op: CmpOp) -> Option<CmpOp> {
    match op {
        CmpOp::Is => Some(CmpOp::IsNot),
        CmpOp::IsNot => Some(CmpOp::Is),
        CmpOp::In => Some(CmpOp::NotIn),
        CmpOp::NotIn => Some(CmpOp::In),
        _ => None,
    }
}

fn comparison(op: CmpOp) -> Comparison {
    match op {
        CmpOp::Eq => Comparison::Equal,
        CmpOp::NotEq => Comparison::NotEqual,
        CmpOp::Lt => Comparison::Less,
        CmpOp::LtE => Comparison::LessEqual,
        CmpOp::Gt => Comparison::Greater,
        CmpOp::GtE => Comparison::GreaterEqual,
        CmpOp::Is => Comparison::Is,
        CmpOp::IsNot => Comparison::IsNot,
        CmpOp::In => Comparison::In,
        CmpOp::NotIn => Comparison::NotIn,
    }
}

fn register_jump(op: CmpOp, sense: bool, left: u16, right: u16) -> I {
    let target = 0;
    match (op, sense) {
        (CmpOp::Eq, true) => I::JumpIfEqual { left, right, target },
        (CmpOp::Eq, false) => I::JumpIfNotEqual { left, right, target },
        (CmpOp::NotEq, true) => I::JumpIfDiffers { left, right, target },
        (CmpOp::NotEq, false) => I::JumpIfNotDiffers { left, right, target },
        (CmpOp::Lt, true) => I::JumpIfLess { left, right, target },
        (CmpOp::Lt, false) => I::JumpIfNotLess { left, right, target },
        (CmpOp::LtE, true) => I::JumpIfLessEqual { left, right, target },
        (CmpOp::LtE, false) => I::JumpIfNotLessEqual { left, right, target },
        (CmpOp::Gt, true) => I::JumpIfGreater { left, right, target },
        (CmpOp::Gt, false) => I::JumpIfNotGreater { left, right, target },
        (CmpOp::GtE, true) => I::JumpIfGreaterEqual { left, right, target },
        (CmpOp::GtE, false) => I::JumpIfNotGreaterEqual { left, right, target },
        (CmpOp::Is, true) | (CmpOp::IsNot, false) => I::JumpIfIs { left, right, target },
        (CmpOp::Is, false) | (CmpOp::IsNot, true) => I::JumpIfIsNot { left, right, target },
        (CmpOp::In, true) | (CmpOp::NotIn, false) => I::JumpIfIn { left, right, target },
        (CmpOp::In, false) | (CmpOp::NotIn, true) => I::JumpIfNotIn { left, right, target },
    }
}

fn immediate_jump(op: CmpOp, sense: bool, left: u16, right: i16) -> Option<I> {
    let target = 0;
    Some(match (op, sense) {
        (CmpOp::Eq, true) => I::JumpIfEqualImm { left, right, target },
        (CmpOp::Eq, false) => I::JumpIfNotEqualImm { left, right, target },
        (CmpOp::NotEq, true) => I::JumpIfDiffersImm { left, right, target },
        (CmpOp::NotEq, false) => I::JumpIfNotDiffersImm { left, right, target },
        (CmpOp::Lt, true) => I::JumpIfLessImm { left, right, target },
        (CmpOp::Lt, false) => I::JumpIfNotLessImm { left, right, target },
        (CmpOp::LtE, true) => I::JumpIfLessEqualImm { left, right, target },
        (CmpOp::LtE, false) => I::JumpIfNotLessEqualImm { left, right, target },
        (CmpOp::Gt, true) => I::JumpIfGreaterImm { left, right, target },
        (CmpOp::Gt, false) => I::JumpIfNotGreaterImm { left, right, target },
        (CmpOp::GtE, true) => I::JumpIfGreaterEqualImm { left, right, target },
        (CmpOp::GtE, false) => I::JumpIfNotGreaterEqualImm { left, right, target },
        _ => return None,
    })
}
