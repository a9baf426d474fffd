//! Operators: their symbols, their names in the tree, and the special methods they call.

/// The facts about one enum of operators: variant, symbol, name in a tree dump and so on.
macro_rules! operators {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident $symbol:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant,)* }

        impl $name {
            /// Every operator of this kind, in the order of the declaration.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// How it is written in a program.
            pub const fn symbol(self) -> &'static str {
                match self { $(Self::$variant => $symbol,)* }
            }

            /// What `ast.dump` calls it.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => stringify!($variant),)* }
            }
        }
    };
}

operators! {
    /// A binary arithmetic operator; also the operator of an augmented assignment.
    Operator {
        /// `a + b`
        Add "+",
        /// `a - b`
        Sub "-",
        /// `a * b`
        Mult "*",
        /// `a @ b`
        MatMult "@",
        /// `a / b`
        Div "/",
        /// `a % b`
        Mod "%",
        /// `a ** b`
        Pow "**",
        /// `a << b`
        LShift "<<",
        /// `a >> b`
        RShift ">>",
        /// `a | b`
        BitOr "|",
        /// `a ^ b`
        BitXor "^",
        /// `a & b`
        BitAnd "&",
        /// `a // b`
        FloorDiv "//",
    }
}

operators! {
    /// A unary operator.
    UnaryOp {
        /// `~a`
        Invert "~",
        /// `not a`
        Not "not",
        /// `+a`
        UAdd "+",
        /// `-a`
        USub "-",
    }
}

operators! {
    /// A short-circuit operator.
    BoolOp {
        /// `a and b`
        And "and",
        /// `a or b`
        Or "or",
    }
}

operators! {
    /// A comparison operator.
    CmpOp {
        /// `a == b`
        Eq "==",
        /// `a != b`
        NotEq "!=",
        /// `a < b`
        Lt "<",
        /// `a <= b`
        LtE "<=",
        /// `a > b`
        Gt ">",
        /// `a >= b`
        GtE ">=",
        /// `a is b`
        Is "is",
        /// `a is not b`
        IsNot "is not",
        /// `a in b`
        In "in",
        /// `a not in b`
        NotIn "not in",
    }
}

impl Operator {
    /// The special methods: of the left operand, of the right one, and of an augmented assignment.
    pub const fn methods(self) -> [&'static str; 3] {
        match self {
            Self::Add => ["__add__", "__radd__", "__iadd__"],
            Self::Sub => ["__sub__", "__rsub__", "__isub__"],
            Self::Mult => ["__mul__", "__rmul__", "__imul__"],
            Self::MatMult => ["__matmul__", "__rmatmul__", "__imatmul__"],
            Self::Div => ["__truediv__", "__rtruediv__", "__itruediv__"],
            Self::Mod => ["__mod__", "__rmod__", "__imod__"],
            Self::Pow => ["__pow__", "__rpow__", "__ipow__"],
            Self::LShift => ["__lshift__", "__rlshift__", "__ilshift__"],
            Self::RShift => ["__rshift__", "__rrshift__", "__irshift__"],
            Self::BitOr => ["__or__", "__ror__", "__ior__"],
            Self::BitXor => ["__xor__", "__rxor__", "__ixor__"],
            Self::BitAnd => ["__and__", "__rand__", "__iand__"],
            Self::FloorDiv => ["__floordiv__", "__rfloordiv__", "__ifloordiv__"],
        }
    }
}

impl UnaryOp {
    /// The special method of the operand; `not` has none of its own (it asks for the truth).
    pub const fn method(self) -> Option<&'static str> {
        match self {
            Self::Invert => Some("__invert__"),
            Self::Not => None,
            Self::UAdd => Some("__pos__"),
            Self::USub => Some("__neg__"),
        }
    }
}

impl CmpOp {
    /// For the six rich comparisons: the special method and the one asked of the right operand.
    pub const fn methods(self) -> Option<[&'static str; 2]> {
        match self {
            Self::Eq => Some(["__eq__", "__eq__"]),
            Self::NotEq => Some(["__ne__", "__ne__"]),
            Self::Lt => Some(["__lt__", "__gt__"]),
            Self::LtE => Some(["__le__", "__ge__"]),
            Self::Gt => Some(["__gt__", "__lt__"]),
            Self::GtE => Some(["__ge__", "__le__"]),
            Self::Is | Self::IsNot | Self::In | Self::NotIn => None,
        }
    }
}
