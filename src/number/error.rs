//! What can go wrong in arithmetic, in CPython's words.

use thiserror::Error;

/// Which exception an [`Error`] is for a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ErrorKind {
    /// `ZeroDivisionError`.
    ZeroDivision,
    /// `OverflowError`.
    Overflow,
    /// `ValueError`.
    Value,
    /// `MemoryError`.
    Memory,
    /// The poll callback asked to stop; the caller knows why.
    Interrupted,
}

/// A failed operation. Its text is the exception's message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(crate) enum Error {
    /// `1 // 0`, `divmod(1, 0)`.
    #[error("integer division or modulo by zero")]
    IntDivision,
    /// `1 % 0`.
    #[error("integer modulo by zero")]
    IntModulo,
    /// `1 / 0`.
    #[error("division by zero")]
    IntTrueDivision,
    /// `1.0 / 0`.
    #[error("float division by zero")]
    FloatDivision,
    /// `1.0 // 0`.
    #[error("float floor division by zero")]
    FloatFloorDivision,
    /// `1.0 % 0`.
    #[error("float modulo by zero")]
    FloatModulo,
    /// `divmod(1.0, 0)`.
    #[error("float divmod()")]
    FloatDivmod,
    /// `0 ** -1`, `0.0 ** -1`.
    #[error("0.0 cannot be raised to a negative power")]
    ZeroToNegativePower,
    /// `1j / 0`.
    #[error("complex division by zero")]
    ComplexDivision,
    /// `0j ** -1`.
    #[error("0.0 to a negative or complex power")]
    ComplexZeroPower,
    /// `(1e300 + 1j) ** 1000`.
    #[error("complex exponentiation")]
    ComplexPowerOverflow,
    /// `abs()` of a complex number past the largest float.
    #[error("absolute value too large")]
    AbsoluteTooLarge,
    /// `float(10 ** 400)`.
    #[error("int too large to convert to float")]
    IntTooLargeForFloat,
    /// `10 ** 400 / 1`.
    #[error("integer division result too large for a float")]
    QuotientTooLargeForFloat,
    /// A shift count that is itself too large to count with.
    #[error("too many digits in integer")]
    TooManyDigits,
    /// `1 << -1`.
    #[error("negative shift count")]
    NegativeShift,
    /// `pow(2, 3, 0)`.
    #[error("pow() 3rd argument cannot be 0")]
    ZeroModulus,
    /// `pow(2, -1, 4)`.
    #[error("base is not invertible for the given modulus")]
    NotInvertible,
    /// `int(math.inf)`.
    #[error("cannot convert float infinity to integer")]
    InfinityToInt,
    /// `int(math.nan)`.
    #[error("cannot convert float NaN to integer")]
    NanToInt,
    /// `math.inf.as_integer_ratio()`.
    #[error("cannot convert Infinity to integer ratio")]
    InfinityToRatio,
    /// `math.nan.as_integer_ratio()`.
    #[error("cannot convert NaN to integer ratio")]
    NanToRatio,
    /// A float power past the largest float; the exception's arguments are `(34, text)`.
    #[error("(34, 'Numerical result out of range')")]
    FloatPowerOverflow,
    /// `round(1.7e308, -308)`.
    #[error("rounded value too large to represent")]
    RoundOverflow,
    /// `float.fromhex` of a text that is no number.
    #[error("invalid hexadecimal floating-point string")]
    HexInvalid,
    /// `float.fromhex('0x1p2000')`.
    #[error("hexadecimal value too large to represent as a float")]
    HexTooLarge,
    /// `(500).to_bytes(1)`.
    #[error("int too big to convert")]
    IntTooBigForBytes,
    /// `(-5).to_bytes(1)`.
    #[error("can't convert negative int to unsigned")]
    NegativeToUnsigned,
    /// `math.isqrt(-1)`.
    #[error("isqrt() argument must be nonnegative")]
    IsqrtNegative,
    /// `math.factorial(-1)`.
    #[error("factorial() not defined for negative values")]
    FactorialNegative,
    /// `math.factorial(10 ** 30)`.
    #[error("factorial() argument should not exceed 9223372036854775807")]
    FactorialTooLarge,
    /// `math.comb(-1, 2)`.
    #[error("n must be a non-negative integer")]
    NegativeN,
    /// `math.comb(2, -1)`.
    #[error("k must be a non-negative integer")]
    NegativeK,
    /// `math.comb(n, k)` with both past a machine word.
    #[error("min(n - k, k) must not exceed 9223372036854775807")]
    CombTooLarge,
    /// `math.perm(n, k)` with `k` past a machine word.
    #[error("k must not exceed 9223372036854775807")]
    PermTooLarge,
    /// `math.nextafter(1, 2, steps=-1)`.
    #[error("steps must be a non-negative integer")]
    NegativeSteps,
    /// An argument outside a function's domain.
    #[error("math domain error")]
    Domain,
    /// A result past the largest float.
    #[error("math range error")]
    Range,
    /// `math.fsum([1e308, 1e308])`.
    #[error("intermediate overflow in fsum")]
    FsumOverflow,
    /// `math.fsum([math.inf, -math.inf])`.
    #[error("-inf + inf in fsum")]
    FsumInfinities,
    /// `math.fma(1e308, 10, 0)`.
    #[error("overflow in fma")]
    FmaOverflow,
    /// `math.fma(math.inf, 0, 1)`.
    #[error("invalid operation in fma")]
    FmaInvalid,
    /// `math.dist([1], [1, 2])`.
    #[error("both points must have the same number of dimensions")]
    DimensionsDiffer,
    /// `math.isclose(1, 1, rel_tol=-1)`.
    #[error("tolerances must be non-negative")]
    NegativeTolerance,
    /// The result would be larger than [`MAX_BITS`](super::bigint::MAX_BITS).
    #[error("")]
    TooLarge,
    /// The poll callback asked to stop.
    #[error("")]
    Interrupted,
}

impl Error {
    /// Which exception this is for a script.
    pub(crate) const fn kind(self) -> ErrorKind {
        match self {
            Self::IntDivision
            | Self::IntModulo
            | Self::IntTrueDivision
            | Self::FloatDivision
            | Self::FloatFloorDivision
            | Self::FloatModulo
            | Self::FloatDivmod
            | Self::ZeroToNegativePower
            | Self::ComplexDivision
            | Self::ComplexZeroPower => ErrorKind::ZeroDivision,
            Self::ComplexPowerOverflow
            | Self::AbsoluteTooLarge
            | Self::IntTooLargeForFloat
            | Self::QuotientTooLargeForFloat
            | Self::TooManyDigits
            | Self::InfinityToInt
            | Self::InfinityToRatio
            | Self::FloatPowerOverflow
            | Self::RoundOverflow
            | Self::HexTooLarge
            | Self::IntTooBigForBytes
            | Self::NegativeToUnsigned
            | Self::FactorialTooLarge
            | Self::CombTooLarge
            | Self::PermTooLarge
            | Self::FsumOverflow
            | Self::FmaOverflow
            | Self::Range => ErrorKind::Overflow,
            Self::NegativeShift
            | Self::ZeroModulus
            | Self::NotInvertible
            | Self::NanToInt
            | Self::NanToRatio
            | Self::HexInvalid
            | Self::IsqrtNegative
            | Self::FactorialNegative
            | Self::NegativeN
            | Self::NegativeK
            | Self::NegativeSteps
            | Self::Domain
            | Self::FsumInfinities
            | Self::FmaInvalid
            | Self::DimensionsDiffer
            | Self::NegativeTolerance => ErrorKind::Value,
            Self::TooLarge => ErrorKind::Memory,
            Self::Interrupted => ErrorKind::Interrupted,
        }
    }
}
