//! Python's `float`: its text in both directions, rounding, division rounded down, powers and hashes.

/// The magnitude of a finite float as `mantissa * 2 ** exponent`; the mantissa has at most 53 bits.
pub(crate) fn decompose(value: f64) -> (u64, i64) {
    let bits = value.to_bits();
    let fraction = bits & ((1 << 52) - 1);
    match (bits >> 52 & 0x7ff) as i64 {
        0 => (fraction, -1074),
        biased => (fraction | 1 << 52, biased - 1075),
    }
}

/// The float nearest to `mantissa * 2 ** exponent`, a little more when `sticky`; ties to even. `None` past the largest.
pub(crate) fn compose(negative: bool, mantissa: u64, exponent: i64, sticky: bool) -> Option<f64> {
    let sign = u64::from(negative) << 63;
    if mantissa == 0 {
        return Some(f64::from_bits(sign));
    }
    let bits = 64 - i64::from(mantissa.leading_zeros());
    // The exponent of the result's lowest bit: 53 bits, fewer for subnormals.
    let lowest = (bits + exponent - 53).max(-1074);
    if lowest > 971 {
        return None;
    }
    let shift = lowest - exponent;
    let rounded = match shift {
        ..=0 => mantissa << -shift,
        1..=63 => {
            let (whole, rest, half) =
                (mantissa >> shift, mantissa & ((1 << shift) - 1), 1_u64 << (shift - 1));
            let up = rest > half || (rest == half && (sticky || whole & 1 == 1));
            whole + u64::from(up)
        }
        64 => u64::from(mantissa > 1 << 63 || (mantissa == 1 << 63 && sticky)),
        _ => 0,
    };
    // A carry out of the mantissa lands in the exponent, which is what it means.
    let biased = if rounded >> 52 == 0 { 0 } else { lowest + 1074 };
    let magnitude = ((biased as u64) << 52) + rounded;
    (magnitude < 0x7ff << 52).then(|| f64::from_bits(sign | magnitude))
}
