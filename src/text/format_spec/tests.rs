use super::*;

fn points(field: &str) -> Text {
    let parts = field.split(',').filter(|part| !part.is_empty() && *part != "-");
    Text::from_code_points(parts.map(|part| u32::from_str_radix(part, 16).unwrap()))
}

fn format_int(value: i128, spec: TextView<'_>) -> Result<Text, FormatError> {
    let spec = parse(spec, b'd', Align::Right, "int")?;
    let format = spec.int_format("int")?;
    let magnitude = value.unsigned_abs();
    let digits = match format {
        IntFormat::Char => return spec.apply_char(u32::try_from(value).ok()),
        IntFormat::Float => unreachable!("not among the cases"),
        IntFormat::Digits { radix: 2, .. } => format!("{magnitude:b}"),
        IntFormat::Digits { radix: 8, .. } => format!("{magnitude:o}"),
        IntFormat::Digits { radix: 16, upper: false } => format!("{magnitude:x}"),
        IntFormat::Digits { radix: 16, upper: true } => format!("{magnitude:X}"),
        IntFormat::Digits { .. } => magnitude.to_string(),
    };
    let prefix = if spec.alternate { format.prefix() } else { "" };
    Ok(spec.apply_number(NumberParts { negative: value < 0, prefix, digits: &digits, rest: "" })?)
}

/// Lines of `cases.txt`: kind, value, specification and what CPython made of it, texts as hexadecimal code points.
#[test]
fn specifications_are_read_and_applied_as_cpython_does() {
    let mut failures = Vec::new();
    for line in include_str!("cases.txt").lines() {
        let (question, answer) = line.split_once(" -> ").unwrap();
        let [kind, value, spec] = question.split(' ').collect::<Vec<_>>().try_into().unwrap();
        let spec = points(spec);
        let found = if kind == "i" {
            format_int(value.parse().unwrap(), spec.view())
        } else {
            parse(spec.view(), b's', Align::Left, "str").and_then(|spec| spec.apply_str(points(value).view(), "str"))
        };
        let found = match found {
            Ok(text) => ("ok", text),
            Err(FormatError::Value(text)) => ("bad", text),
            Err(FormatError::Overflow(text)) => ("overflow", Text::from(text)),
            Err(FormatError::TooLarge) => ("memory", Text::new()),
        };
        let (outcome, text) = answer.split_once(' ').unwrap_or((answer, ""));
        let expected = (outcome, points(text));
        if found != expected {
            failures.push(format!("{kind} {value} {spec:?}: found {found:?}, expected {expected:?}"));
        }
    }
    assert!(failures.is_empty(), "{} differ:\n{}", failures.len(), failures.join("\n"));
}

#[test]
fn floats_are_taken_apart_at_the_point() {
    let shown = |text: &str, spec: &str| {
        let spec = parse(Text::from(spec).view(), 0, Align::Right, "float").unwrap();
        spec.apply_number(NumberParts::of_float(text)).unwrap().to_string()
    };
    assert_eq!(shown("-1234567.5", "015,"), "-0,001,234,567.5");
    assert_eq!(shown("inf", "010,"), "0000000inf");
    assert_eq!(shown("1e+20", "10"), "     1e+20");
    assert_eq!(shown("12.50%", "+"), "+12.50%");
}
