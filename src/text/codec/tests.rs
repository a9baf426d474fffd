use super::*;

fn points(field: &str) -> Vec<u32> {
    if field == "-" {
        return Vec::new();
    }
    field.split(',').filter(|part| !part.is_empty()).map(|part| u32::from_str_radix(part, 16).unwrap()).collect()
}

fn hex(bytes: &[u8]) -> String {
    super::super::bytes::hex(bytes, None, 1).unwrap().to_string()
}

fn outcome<T>(result: Result<T, Failure<()>>, show: impl FnOnce(T) -> String) -> String {
    match result {
        Ok(value) => format!("ok {}", show(value)).trim().to_owned(),
        Err(Failure::Codec(error)) => {
            format!("bad {} {} {} {}", error.encoding, error.start, error.end, error.reason)
        }
        Err(_) => "handler".to_owned(),
    }
}

/// Runs lines like `D utf-8 strict 6181 -> bad utf-8 1 2 invalid start byte`, as CPython printed them.
fn check(cases: &str) {
    let mut failures = Vec::new();
    for line in cases.lines() {
        let (question, expected) = line.split_once(" -> ").unwrap();
        let [kind, encoding, policy, input] = question.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let encoding = Encoding::from_name(encoding).unwrap();
        let mut errors = Errors::new(Policy::from_name(policy).unwrap());
        let found = if kind == "D" {
            let bytes = super::super::bytes::from_hex(Text::from(if input == "-" { "" } else { input }).view()).unwrap();
            outcome(decode(&bytes, encoding, &mut errors, true), |decoded| {
                decoded.text.codes().map(|code| format!("{code:x}")).collect::<Vec<_>>().join(",")
            })
        } else {
            outcome(encode(Text::from_code_points(points(input)).view(), encoding, &mut errors), |bytes| hex(&bytes))
        };
        if found != expected {
            failures.push(format!("{line}\n   found {found}"));
        }
    }
    assert!(failures.is_empty(), "{} differ:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn every_encoding_and_handler_agrees_with_cpython() {
    check(include_str!("cases.txt"));
}

#[test]
fn what_is_incomplete_waits_for_more_bytes() {
    let consumed =
        |bytes: &[u8], encoding| decode::<()>(bytes, encoding, &mut Errors::new(Policy::Strict), false).map(|decoded| decoded.consumed).ok();
    assert_eq!(consumed(b"a\xe2\x82", Encoding::Utf8), Some(1));
    assert_eq!(consumed(b"a\xff", Encoding::Utf8), None);
    assert_eq!(consumed(b"\xef\xbb", Encoding::Utf8Sig), Some(0));
    assert_eq!(consumed(b"a\0\0", Encoding::Utf16(Some(Order::Little))), Some(2));
    assert_eq!(consumed(b"a\0\0\xd8", Encoding::Utf16(Some(Order::Little))), Some(2));
    assert_eq!(consumed(b"a\\u12", Encoding::UnicodeEscape), Some(1));
}

#[test]
fn a_hook_chooses_replacement_and_place() {
    let mut seen = Vec::new();
    let mut hook = |error: &CodecError| {
        seen.push((error.start, error.end));
        Ok::<_, ()>((Replacement::Text(Text::from("<?>")), error.end))
    };
    let bytes = encode(Text::from("aéb").view(), Encoding::Ascii, &mut Errors::with_hook(&mut hook)).unwrap();
    assert_eq!(bytes, b"a<?>b");
    let decoded = decode(b"a\xffb", Encoding::Utf8, &mut Errors::with_hook(&mut hook), true).unwrap();
    assert_eq!(decoded.text, "a<?>b");
    assert_eq!(seen, [(1, 2), (1, 2)]);
}
