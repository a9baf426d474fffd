use super::*;

fn check(value: f64, kind: FloatKind, precision: Option<usize>, alternate: bool, text: &str) {
    let format = FloatFormat { kind, precision, alternate, ..FloatFormat::default() };
    assert_eq!(super::format(value, &format).to_text(), text, "{value:?} {format:?}");
}

#[test]
fn repr_has_the_fewest_digits_and_an_exponent_outside_of_minus_4_to_16() {
    for (value, text) in [
        (0.1, "0.1"),
        (1.0, "1.0"),
        (-0.0, "-0.0"),
        (1e16, "1e+16"),
        (9_999_999_999_999_998.0, "9999999999999998.0"),
        (0.0001, "0.0001"),
        (0.000_012, "1.2e-05"),
        (5e-324, "5e-324"),
        (1.797_693_134_862_315_7e308, "1.7976931348623157e+308"),
        (123_456.789, "123456.789"),
        (f64::NEG_INFINITY, "-inf"),
        (-f64::NAN, "nan"),
    ] {
        assert_eq!(repr(value), text);
    }
}

#[test]
fn presentations_are_python_s() {
    use FloatKind::{Exponent, Fixed, General, Percent, Plain};
    check(1234.5678, Fixed, Some(2), false, "1234.57");
    check(2.5, Fixed, Some(0), false, "2");
    check(2.5, Fixed, Some(0), true, "2.");
    check(0.125, Fixed, Some(2), false, "0.12");
    check(1e10, Exponent, None, false, "1.000000e+10");
    check(0.0, Exponent, Some(0), true, "0.e+00");
    check(123_456.0, General, Some(3), false, "1.23e+05");
    check(0.0001, General, None, false, "0.0001");
    check(100.0, General, None, true, "100.000");
    check(1234.0, Plain, Some(4), false, "1.234e+03");
    check(12.0, Plain, Some(4), false, "12.0");
    check(12.0, Plain, None, false, "12.0");
    check(1e20, Plain, None, true, "1.e+20");
    check(0.256, Percent, Some(1), false, "25.6%");
    check(f64::INFINITY, Percent, None, false, "inf%");
    check(0.5, Fixed, Some(1500), false, &format!("0.5{}", "0".repeat(1499)));
}

#[test]
fn texts_are_read_as_by_python() {
    for (text, value) in [
        ("1_000.5", Some(1000.5)),
        (".5", Some(0.5)),
        ("5.", Some(5.0)),
        ("+1e-3", Some(0.001)),
        ("-InFinity", Some(f64::NEG_INFINITY)),
        ("1e400", Some(f64::INFINITY)),
        ("1__0", None),
        ("_1", None),
        ("1_", None),
        ("1_.5", None),
        ("1e_5", None),
        (".", None),
        ("e5", None),
        ("1e", None),
        ("", None),
        ("0x10", None),
        ("infinit", None),
    ] {
        assert_eq!(parse(text.as_bytes()), value, "{text}");
    }
}

#[test]
fn rounding_takes_the_exact_value_and_even_ties() {
    for (value, digits, rounded) in [
        (2.675, 2, 2.67),
        (0.125, 2, 0.12),
        (-0.4, 0, -0.0),
        (1250.0, -2, 1200.0),
        (1350.0, -2, 1400.0),
        (50.0, -2, 0.0),
        (50.000_000_000_001, -2, 100.0),
        (49.0, -2, 0.0),
        (60.0, -2, 100.0),
        (5e15, -16, 0.0),
        (1e308, 400, 1e308),
    ] {
        assert_eq!(round(value, digits).map(f64::to_bits), Ok(f64::to_bits(rounded)), "{value} {digits}");
    }
    assert_eq!(round(1.7e308, -308), Err(Error::RoundOverflow));
}

#[test]
fn hexadecimal_text_round_trips_and_rounds_once() {
    for (value, text) in [(1.5, "0x1.8000000000000p+0"), (-0.0, "-0x0.0p+0"), (5e-324, "0x0.0000000000001p-1022"), (0.1, "0x1.999999999999ap-4")] {
        assert_eq!(to_hex(value), text);
        assert_eq!(from_hex(text.as_bytes()).map(f64::to_bits), Ok(value.to_bits()));
    }
    assert_eq!(from_hex(b"0x1.00000000000008p0"), Ok(1.0));
    assert_eq!(from_hex(b"0x1.000000000000080000000000001p0"), Ok(1.000_000_000_000_000_2));
    assert_eq!(from_hex(b"1.p+"), Err(Error::HexInvalid));
    assert_eq!(from_hex(b"0x1p1024"), Err(Error::HexTooLarge));
}

#[test]
fn division_rounds_down_and_keeps_the_divisor_s_sign() {
    assert_eq!(divmod(-7.0, 2.0), Ok((-4.0, 1.0)));
    assert_eq!(divmod(7.0, -2.0), Ok((-4.0, -1.0)));
    assert_eq!(modulo(-1e-20, 3.0), Ok(3.0));
    assert_eq!(floordiv(1.0, 0.1), Ok(9.0));
    assert!(modulo(6.0, -3.0).expect("no zero").is_sign_negative());
    assert_eq!(floordiv(1.0, 0.0), Err(Error::FloatFloorDivision));
}

#[test]
fn hashes_are_those_of_equal_integers_and_fractions() {
    assert_eq!(hash(0.5), Some(1_152_921_504_606_846_976));
    assert_eq!(hash(-1.0), Some(-2));
    assert_eq!(hash(1e300), Some(1_224_995_262_755_759_164));
    assert_eq!(hash(f64::INFINITY), Some(314_159));
    assert_eq!(hash(f64::NAN), None);
}
