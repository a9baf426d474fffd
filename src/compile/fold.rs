//! Constant folding: what CPython computes while it compiles, and no more, since constants can be large. What would raise is left to run.

use scrip_grammar::ast::{Constant as Literal, Expr, ExprId};
use scrip_grammar::operator::{Operator, UnaryOp};

use super::Compiler;
use crate::code::symbol::Symbol;
use crate::code::unit::Constant;

/// The longest string or bytes that `*` makes.
const MAX_TEXT: usize = 4096;
/// The longest tuple that `*` makes.
const MAX_TUPLE: usize = 256;

impl Compiler<'_> {
    /// Whether an expression might be a constant: literals and operators only.
    pub(super) fn is_candidate(&self, id: ExprId) -> bool {
        self.scopes.candidates[id.index() / 64] >> (id.index() % 64) & 1 == 1
    }

    /// The value of a constant expression.
    pub(super) fn fold(&mut self, id: ExprId) -> Option<Constant> {
        if !self.is_candidate(id) {
            return None;
        }
        let folded = self.compute(id);
        if folded.is_none() {
            // Not asked again, so that a long expression around it is not folded in vain many times over.
            self.scopes.candidates[id.index() / 64] &= !(1 << (id.index() % 64));
        }
        folded
    }

    fn compute(&mut self, id: ExprId) -> Option<Constant> {
        self.stack.check().ok()?;
        let ast = self.ast;
        match ast.expr(id).kind {
            Expr::Constant(literal) => Some(self.literal(literal)),
            // The only name among the candidates.
            Expr::Name { .. } => Some(Constant::Bool(self.optimize == 0)),
            Expr::UnaryOp { op, operand } => unary(op, &self.fold(operand)?),
            Expr::BinOp { .. } => self.compute_chain(id),
            Expr::Tuple { elts, .. } => {
                let items: Option<Box<[Constant]>> = ast.list(elts).iter().map(|&elt| self.fold(elt)).collect();
                items.map(Constant::Tuple)
            }
            Expr::Subscript { value, slice, .. } => item(&self.fold(value)?, &self.fold(slice)?),
            _ => None,
        }
    }

    /// A chain of binary operators, from the left.
    fn compute_chain(&mut self, id: ExprId) -> Option<Constant> {
        let mut spine = Vec::new();
        let mut next = id;
        while let Expr::BinOp { left, op, right } = self.ast.expr(next).kind {
            spine.push((op, right));
            next = left;
        }
        let mut value = self.fold(next)?;
        while let Some((op, right)) = spine.pop() {
            value = binary(op, &value, &self.fold(right)?)?;
        }
        Some(value)
    }

    /// A literal as a constant.
    pub(super) fn literal(&self, literal: Literal) -> Constant {
        match literal {
            Literal::None => Constant::None,
            Literal::True => Constant::Bool(true),
            Literal::False => Constant::Bool(false),
            Literal::Ellipsis => Constant::Ellipsis,
            Literal::Int(value) => Constant::Int(value),
            Literal::BigInt { digits, radix } => big_literal(self.ast.text(digits).expect("digits are ASCII"), u32::from(radix)),
            Literal::Float(value) => Constant::Float(value),
            Literal::Imaginary(value) => Constant::Complex(0.0, value),
            Literal::Str { text, .. } => match self.ast.text(text) {
                Some(text) => Constant::Str(text.into()),
                None => Constant::CodePoints(wtf8_code_points(self.ast.bytes(text))),
            },
            Literal::Bytes(bytes) => Constant::Bytes(self.ast.bytes(bytes).into()),
        }
    }
}

/// The truth of a constant.
pub(super) fn truth(constant: &Constant) -> bool {
    match constant {
        Constant::None => false,
        Constant::Ellipsis | Constant::BigInt(_) => true,
        Constant::Bool(value) => *value,
        Constant::Int(value) => *value != 0,
        Constant::Float(value) => *value != 0.0,
        Constant::Complex(real, imaginary) => *real != 0.0 || *imaginary != 0.0,
        Constant::Str(text) => !text.is_empty(),
        Constant::CodePoints(points) => !points.is_empty(),
        Constant::Bytes(bytes) => !bytes.is_empty(),
        Constant::Tuple(items) | Constant::FrozenSet(items) => !items.is_empty(),
    }
}

/// An integer that does not fit: in decimal if it is short, else in hexadecimal unless it was written in decimal.
fn big_literal(digits: &str, radix: u32) -> Constant {
    if let Ok(value) = i128::from_str_radix(digits, radix) {
        return int(value);
    }
    let bits_per_digit = match radix {
        2 => 1,
        8 => 3,
        16 => 4,
        _ => return Constant::BigInt(digits.into()),
    };
    let bits: Vec<bool> = (digits.chars().rev())
        .flat_map(|digit| {
            let value = digit.to_digit(radix).unwrap_or(0);
            (0..bits_per_digit).map(move |bit| value >> bit & 1 == 1)
        })
        .collect();
    let nibbles = bits.chunks(4).map(|bits| bits.iter().rev().fold(0, |value, &bit| value << 1 | u32::from(bit)));
    let hex: String = nibbles.map(|value| char::from_digit(value, 16).unwrap_or('0')).collect();
    let hex: String = hex.trim_end_matches('0').chars().rev().collect();
    Constant::BigInt(format!("0x{hex}").into())
}

/// The code points of a text with lone surrogates, each of which stands as three bytes.
fn wtf8_code_points(bytes: &[u8]) -> Box<[u32]> {
    let mut points = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((&first, _)) = rest.split_first() {
        let (len, mask) = match first {
            0..0x80 => (1, 0x7F),
            0x80..0xE0 => (2, 0x1F),
            0xE0..0xF0 => (3, 0x0F),
            0xF0.. => (4, 0x07),
        };
        let len = len.min(rest.len());
        let (character, others) = rest.split_at(len);
        points.push(character[1..].iter().fold(u32::from(first & mask), |point, byte| point << 6 | u32::from(byte & 0x3F)));
        rest = others;
    }
    points.into()
}

fn int(value: i128) -> Constant {
    match i64::try_from(value) {
        Ok(value) => Constant::Int(value),
        Err(_) => Constant::BigInt(value.to_string().into()),
    }
}

/// The value of an integer or bool that fits in 128 bits.
fn as_int(constant: &Constant) -> Option<i128> {
    match constant {
        Constant::Int(value) => Some(i128::from(*value)),
        Constant::Bool(value) => Some(i128::from(*value)),
        Constant::BigInt(digits) => digits.parse().ok(),
        _ => None,
    }
}

/// The value of a float, or of an integer that a float holds exactly.
fn as_float(constant: &Constant) -> Option<f64> {
    match constant {
        Constant::Float(value) => Some(*value),
        Constant::Int(value) if value.unsigned_abs() <= 1 << 53 => Some(*value as f64),
        Constant::Bool(value) => Some(f64::from(u8::from(*value))),
        _ => None,
    }
}

fn unary(op: UnaryOp, operand: &Constant) -> Option<Constant> {
    match (op, operand) {
        (UnaryOp::Not, operand) => Some(Constant::Bool(!truth(operand))),
        (UnaryOp::USub, Constant::Float(value)) => Some(Constant::Float(-value)),
        (UnaryOp::USub, Constant::Complex(real, imaginary)) => Some(Constant::Complex(-real, -imaginary)),
        (UnaryOp::UAdd, Constant::Float(_) | Constant::Complex(..)) => Some(operand.clone()),
        // `~True` warns when it runs.
        (UnaryOp::Invert, Constant::Bool(_)) => None,
        _ => match (op, as_int(operand)) {
            (UnaryOp::USub, Some(value)) => value.checked_neg().map(int),
            (UnaryOp::UAdd, Some(value)) => Some(int(value)),
            (UnaryOp::Invert, Some(value)) => Some(int(!value)),
            (UnaryOp::USub, None) => match operand {
                Constant::BigInt(digits) => Some(Constant::BigInt(match digits.strip_prefix('-') {
                    Some(digits) => digits.into(),
                    None => format!("-{digits}").into(),
                })),
                _ => None,
            },
            _ => None,
        },
    }
}

fn binary(op: Operator, left: &Constant, right: &Constant) -> Option<Constant> {
    if let (Some(a), Some(b)) = (as_int(left), as_int(right)) {
        let are_bools = matches!((left, right), (Constant::Bool(_), Constant::Bool(_)));
        return int_binary(op, a, b, are_bools);
    }
    match (op, left, right) {
        (Operator::Add, Constant::Str(a), Constant::Str(b)) => {
            let mut text = String::with_capacity(a.len() + b.len());
            text.push_str(a);
            text.push_str(b);
            Some(Constant::Str(text.into()))
        }
        (Operator::Add, Constant::Bytes(a), Constant::Bytes(b)) => Some(Constant::Bytes([&a[..], &b[..]].concat().into())),
        (Operator::Add, Constant::Tuple(a), Constant::Tuple(b)) => Some(Constant::Tuple([&a[..], &b[..]].concat().into())),
        (Operator::Mult, sequence @ (Constant::Str(_) | Constant::Bytes(_) | Constant::Tuple(_)), count)
        | (Operator::Mult, count, sequence @ (Constant::Str(_) | Constant::Bytes(_) | Constant::Tuple(_))) => {
            repeat(sequence, usize::try_from(as_int(count)?.max(0)).ok()?)
        }
        (Operator::Add | Operator::Sub, ..) if matches!(left, Constant::Complex(..)) || matches!(right, Constant::Complex(..)) => {
            let parts = |constant: &Constant| match constant {
                Constant::Complex(real, imaginary) => Some((*real, *imaginary)),
                _ => as_float(constant).map(|real| (real, 0.0)),
            };
            let ((a, b), (c, d)) = (parts(left)?, parts(right)?);
            Some(if op == Operator::Add { Constant::Complex(a + c, b + d) } else { Constant::Complex(a - c, b - d) })
        }
        _ => {
            let (a, b) = (as_float(left)?, as_float(right)?);
            let value = match op {
                Operator::Add => a + b,
                Operator::Sub => a - b,
                Operator::Mult => a * b,
                Operator::Div if b != 0.0 => a / b,
                Operator::Pow if a > 0.0 && a.is_finite() && b.is_finite() => Some(a.powf(b)).filter(|power| power.is_finite())?,
                _ => return None,
            };
            Some(Constant::Float(value))
        }
    }
}

fn int_binary(op: Operator, a: i128, b: i128, are_bools: bool) -> Option<Constant> {
    let floor_divide = |a: i128, b: i128| {
        let quotient = a.checked_div(b)?;
        Some(if a % b != 0 && (a < 0) != (b < 0) { quotient - 1 } else { quotient })
    };
    let value = match op {
        Operator::Add => a.checked_add(b)?,
        Operator::Sub => a.checked_sub(b)?,
        Operator::Mult => a.checked_mul(b)?,
        Operator::FloorDiv => floor_divide(a, b)?,
        Operator::Mod => a - floor_divide(a, b)?.checked_mul(b)?,
        Operator::Pow => a.checked_pow(u32::try_from(b).ok()?)?,
        Operator::LShift => {
            let shifted = u32::try_from(b).ok().filter(|&bits| bits < 127).map(|bits| (a << bits, bits))?;
            (shifted.0 >> shifted.1 == a).then_some(shifted.0)?
        }
        Operator::RShift => a >> u32::try_from(b).ok()?.min(127),
        Operator::BitOr | Operator::BitXor | Operator::BitAnd => {
            let value = match op {
                Operator::BitOr => a | b,
                Operator::BitXor => a ^ b,
                _ => a & b,
            };
            if are_bools {
                return Some(Constant::Bool(value != 0));
            }
            value
        }
        Operator::Div => {
            let exact = |value: i128| value.unsigned_abs() <= 1 << 53;
            return (b != 0 && exact(a) && exact(b)).then(|| Constant::Float(a as f64 / b as f64));
        }
        Operator::MatMult => return None,
    };
    Some(int(value))
}

fn repeat(sequence: &Constant, count: usize) -> Option<Constant> {
    let fits = |len: usize, limit: usize| len.checked_mul(count).is_some_and(|len| len <= limit);
    match sequence {
        Constant::Str(text) if fits(text.chars().count(), MAX_TEXT) => Some(Constant::Str(text.repeat(count).into())),
        Constant::Bytes(bytes) if fits(bytes.len(), MAX_TEXT) => Some(Constant::Bytes(bytes.repeat(count).into())),
        Constant::Tuple(items) if fits(items.len(), MAX_TUPLE) => {
            Some(Constant::Tuple(items.iter().cycle().take(items.len() * count).cloned().collect()))
        }
        _ => None,
    }
}

fn item(value: &Constant, index: &Constant) -> Option<Constant> {
    let index = as_int(index)?;
    let at = |len: usize| {
        let index = if index < 0 { index + len as i128 } else { index };
        usize::try_from(index).ok().filter(|&index| index < len)
    };
    match value {
        Constant::Tuple(items) => Some(items[at(items.len())?].clone()),
        Constant::Bytes(bytes) => Some(Constant::Int(i64::from(bytes[at(bytes.len())?]))),
        Constant::Str(text) if text.is_ascii() => {
            let index = at(text.len())?;
            Some(Constant::Str(Symbol::from(&text[index..=index])))
        }
        _ => None,
    }
}
