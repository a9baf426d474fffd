use super::*;

fn int(text: &str) -> Int {
    Int::parse(text.as_bytes(), 0, 0, &mut never()).expect("the test's number is right")
}

/// `2 ** bits + offset`.
fn near_power(bits: i64, offset: i64) -> Int {
    let power = IntRef::Small(1).shl(IntRef::Small(bits)).expect("the count is not negative");
    power.as_ref().add(IntRef::Small(offset))
}

/// A number of so many bits without pattern.
fn mixed(bits: usize, seed: u64) -> Int {
    let mut word = seed | 1;
    let bytes: Vec<u8> = std::iter::repeat_with(|| {
        word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (word >> 56) as u8
    })
    .take(bits / 8)
    .collect();
    Int::from_bytes(&bytes, true, false)
}

#[test]
fn results_are_in_their_smallest_form() {
    assert_eq!(IntRef::Small(SMALL_MAX).add(IntRef::Small(1)), Int::Big(BigInt::from(1_i64 << 62)));
    assert_eq!(near_power(62, 0).as_ref().sub(IntRef::Small(1)), Int::Small(SMALL_MAX));
    assert_eq!(Int::from(i64::MIN).as_ref().neg(), int("9223372036854775808"));
    assert_eq!(int("-4611686018427387904"), Int::Small(SMALL_MIN));
    assert_eq!(checked_mul(1 << 31, 1 << 31), None);
    assert_eq!(checked_mul(-(1 << 31), 1 << 31), Some(SMALL_MIN));
    assert_eq!(checked_pow(3, 39), Some(4_052_555_153_018_976_267));
    assert_eq!(checked_pow(3, 40), None);
}

#[test]
fn division_rounds_down() {
    let poll: &mut Poll<'_> = &mut never();
    for (left, right, quotient, remainder) in [
        ("7", "-2", "-4", "-1"),
        ("-7", "2", "-4", "1"),
        ("-0x10000000000000001", "0x10000000000000000", "-2", "0xffffffffffffffff"),
        ("5", "-0x10000000000000000", "-1", "-0xfffffffffffffffb"),
    ] {
        assert_eq!(int(left).as_ref().divmod(int(right).as_ref(), poll), Ok((int(quotient), int(remainder))));
    }
    assert_eq!(IntRef::Small(1).floordiv(IntRef::Small(0), poll), Err(Error::IntDivision));
    assert_eq!(IntRef::Small(1).modulo(IntRef::Small(0), poll), Err(Error::IntModulo));
}

#[test]
fn true_division_and_floats_are_rounded_once() {
    let poll: &mut Poll<'_> = &mut never();
    let divide = |left: &Int, right: &Int, poll: &mut Poll<'_>| left.as_ref().truediv(right.as_ref(), poll);
    assert_eq!(divide(&near_power(53, 1), &Int::Small(1), poll), Ok(9_007_199_254_740_992.0));
    assert_eq!(divide(&near_power(54, 3), &Int::Small(1), poll), Ok(18_014_398_509_481_988.0));
    assert_eq!(divide(&Int::Small(-1), &near_power(1074, 0), poll), Ok(-5e-324));
    assert_eq!(divide(&Int::Small(1), &near_power(1075, 0), poll), Ok(0.0));
    assert_eq!(divide(&near_power(2000, 0), &near_power(1990, 0), poll), Ok(1024.0));
    assert_eq!(divide(&near_power(1024, 0), &Int::Small(1), poll), Err(Error::QuotientTooLargeForFloat));
    let largest = near_power(1024, 0).as_ref().sub(near_power(970, 0).as_ref());
    assert_eq!(largest.as_ref().to_f64(), Err(Error::IntTooLargeForFloat));
    assert_eq!(largest.as_ref().sub(IntRef::Small(1)).as_ref().to_f64(), Ok(f64::MAX));
    assert_eq!(near_power(53, 1).as_ref().cmp_f64(9_007_199_254_740_992.0), Some(Ordering::Greater));
    assert_eq!(IntRef::Small(2).cmp_f64(2.5), Some(Ordering::Less));
    assert_eq!(near_power(2000, 0).as_ref().cmp_f64(f64::INFINITY), Some(Ordering::Less));
}

#[test]
fn bits_are_those_of_two_s_complement() {
    assert_eq!(near_power(70, 0).as_ref().neg().as_ref().bit_and(IntRef::Small(-1)), near_power(70, 0).as_ref().neg());
    assert_eq!(near_power(70, -1).as_ref().invert(), near_power(70, 0).as_ref().neg());
    assert_eq!(near_power(70, 1).as_ref().neg().as_ref().shr(IntRef::Small(70)), Ok(Int::Small(-2)));
    assert_eq!(IntRef::Small(1).shl(IntRef::Small(-1)), Err(Error::NegativeShift));
    assert_eq!(IntRef::Small(1).shl(IntRef::Small(10_000_000_000)), Err(Error::TooLarge));
    assert_eq!(IntRef::Small(1).shl(near_power(100, 0).as_ref()), Err(Error::TooManyDigits));
    assert_eq!(IntRef::Small(0).shl(near_power(100, 0).as_ref()), Ok(Int::Small(0)));
    assert_eq!(IntRef::Small(-5).shr(near_power(100, 0).as_ref()), Ok(Int::Small(-1)));
}

#[test]
fn literals_are_read_as_by_python() {
    let parse = |text: &str, base| Int::parse(text.as_bytes(), base, 20, &mut never());
    for (text, base, value) in [("0x_fF", 0, 255), ("-0b1_0", 2, -2), ("z", 36, 35), ("0b1", 16, 177), ("0_0", 0, 0)] {
        assert_eq!(parse(text, base), Ok(Int::Small(value)), "{text}");
    }
    for (text, base) in [("012", 0), ("1__0", 10), ("_1", 10), ("1_", 10), ("0x", 16), ("", 10), ("+", 10), ("8", 8)] {
        assert_eq!(parse(text, base), Err(ParseError::Literal), "{text}");
    }
    assert_eq!(parse("1", 37), Err(ParseError::Base));
    assert_eq!(parse(&"9".repeat(21), 10), Err(ParseError::TooManyDigits(21)));
    assert_eq!(parse(&"f".repeat(32), 16), Ok(near_power(128, -1)));
}

#[test]
fn digits_past_the_limit_are_refused() {
    let ten_digits = int("1_000_000_000_000_000_000_000");
    assert_eq!(ten_digits.as_ref().to_decimal(21, &mut never()), Ok(None));
    assert_eq!(ten_digits.as_ref().to_decimal(22, &mut never()), Ok(Some("1000000000000000000000".to_owned())));
    assert!(exceeds_digit_limit(near_power(20_000, 0).as_ref(), 4300));
    assert!(!exceeds_digit_limit(near_power(14_000, 0).as_ref(), 4300));
}

#[test]
fn hashes_are_residues_of_the_mersenne_prime() {
    for (value, hash) in [
        (Int::Small(-1), -2),
        (Int::Small(HASH_MODULUS as i64), 0),
        (near_power(61, 0), 1),
        (near_power(200, 0), 1 << 17),
        (near_power(200, 0).as_ref().neg(), -(1 << 17)),
    ] {
        assert_eq!(value.as_ref().hash(), hash);
    }
}

#[test]
fn powers_inverses_and_roots() {
    let poll: &mut Poll<'_> = &mut never();
    let small = IntRef::Small;
    assert_eq!(small(2).powmod(small(-1), small(7), poll), Ok(Int::Small(4)));
    assert_eq!(small(2).powmod(small(-1), small(4), poll), Err(Error::NotInvertible));
    assert_eq!(small(3).powmod(small(5), small(-7), poll), Ok(Int::Small(-2)));
    assert_eq!(small(2).powmod(small(5), small(0), poll), Err(Error::ZeroModulus));
    assert_eq!(small(5).powmod(small(0), small(1), poll), Ok(Int::Small(0)));
    let prime = near_power(521, -1);
    let order = prime.as_ref().sub(small(1));
    assert_eq!(small(3).powmod(order.as_ref(), prime.as_ref(), poll), Ok(Int::Small(1)));
    assert_eq!(small(10).pow(near_power(66, 0).as_ref(), poll), Err(Error::TooLarge));
    assert_eq!(small(-1).pow(near_power(66, 1).as_ref(), poll), Ok(Int::Small(-1)));
    assert_eq!(small(-4).isqrt(poll), Err(Error::IsqrtNegative));
    assert_eq!(small(2_500_000_000).round(small(-9), poll), Ok(Int::Small(2_000_000_000)));
    assert_eq!(small(35).round(small(-1), poll), Ok(Int::Small(40)));
}

#[test]
fn bytes_hold_the_sign_when_asked() {
    let bytes = |value: i64, length, signed| IntRef::Small(value).to_bytes(length, false, signed);
    assert_eq!(bytes(-128, 1, true), Ok(vec![0x80]));
    assert_eq!(bytes(128, 1, true), Err(Error::IntTooBigForBytes));
    assert_eq!(bytes(-1, 4, false), Err(Error::NegativeToUnsigned));
    assert_eq!(bytes(258, 3, false), Ok(vec![0, 1, 2]));
    assert_eq!(Int::from_bytes(&[0xff; 12], false, true), Int::Small(-1));
    assert_eq!(Int::from_bytes(&[0xff; 12], false, false), near_power(96, -1));
}

/// Sizes past those that are done in one step agree with what small steps say.
#[test]
fn work_in_pieces_gives_the_same_numbers() {
    let mut n_polls = 0;
    let mut count = || {
        n_polls += 1;
        false
    };
    let poll: &mut Poll<'_> = &mut count;
    let modulus = near_power(61, -1);
    for (left_bits, right_bits) in [(300_000, 280_000), (400_000, 70_000), (500_000, 3_000)] {
        let (left, right) = (mixed(left_bits, 1), mixed(right_bits, 2));
        let product = left.as_ref().mul(right.as_ref(), poll).expect("nothing stops it");
        let residues = i128::from(left.as_ref().hash()) * i128::from(right.as_ref().hash());
        assert_eq!(i128::from(product.as_ref().hash()), residues % i128::from(HASH_MODULUS));
        let dividend = product.as_ref().sub(IntRef::Small(1));
        let (quotient, remainder) = dividend.as_ref().divmod(left.as_ref(), poll).expect("not zero");
        assert_eq!(quotient, right.as_ref().sub(IntRef::Small(1)));
        assert_eq!(remainder, left.as_ref().sub(IntRef::Small(1)));
        let common = product.as_ref().gcd(left.as_ref(), poll);
        assert_eq!(common, Ok(left.clone()));
        let square = left.as_ref().mul(left.as_ref(), poll).expect("nothing stops it");
        assert_eq!(square.as_ref().isqrt(poll), Ok(left.clone()));
        let text = left.as_ref().to_decimal(0, poll).expect("nothing stops it").expect("there is no limit");
        assert_eq!(Int::parse(text.as_bytes(), 10, 0, poll), Ok(left));
    }
    let power = IntRef::Small(6).pow(IntRef::Small(100_000), poll).expect("nothing stops it");
    let residue = IntRef::Small(6).powmod(IntRef::Small(100_000), modulus.as_ref(), poll);
    assert_eq!(power.as_ref().modulo(modulus.as_ref(), poll), residue);
    assert!(n_polls > 300);
}

#[test]
fn a_poll_stops_long_work() {
    let left = mixed(400_000, 1);
    let stop: &mut Poll<'_> = &mut || true;
    assert_eq!(left.as_ref().mul(left.as_ref(), stop), Err(Error::Interrupted));
    assert_eq!(left.as_ref().to_decimal(0, stop), Err(Error::Interrupted));
    assert_eq!(left.as_ref().isqrt(stop), Err(Error::Interrupted));
    assert_eq!(Int::parse("7".repeat(100_000).as_bytes(), 10, 0, stop), Err(ParseError::Interrupted));
}
