use super::*;

fn points(field: &str) -> Text {
    let parts = field.split(',').filter(|part| *part != "-");
    Text::from_code_points(parts.map(|part| u32::from_str_radix(part, 16).unwrap()))
}

fn compile(pattern: &str, flags: u32) -> Result<Pattern, PatternError> {
    Pattern::compile(Text::from(pattern).view(), false, flags, 1 << 20)
}

fn spans(captures: &Captures) -> String {
    let groups: Vec<String> =
        (0..=captures.groups()).map(|group| captures.group(group).map_or("n".to_owned(), |(start, end)| format!("{start}.{end}"))).collect();
    format!("{}@{}", groups.join("/"), captures.last_index().unwrap_or(0))
}

/// What a pattern finds: search, match, full match, every match, and a search without the ends.
fn findings(pattern: &Pattern, subject: TextView<'_>) -> String {
    let go_on = &mut || false;
    let shown = |found: Option<Captures>| found.as_ref().map_or("n".to_owned(), spans);
    let mut all = Vec::new();
    for mode in [Mode::Search, Mode::Match, Mode::FullMatch] {
        all.push(shown(pattern.find(mode, subject, go_on).unwrap()));
    }
    let mut scan = Scan::new(Mode::Search, 0, subject.len());
    let mut matches = Vec::new();
    while let Some(captures) = scan.next(pattern, subject, go_on).unwrap() {
        matches.push(spans(&captures));
    }
    all.push(if matches.is_empty() { "n".to_owned() } else { matches.join("+") });
    let end = subject.len().saturating_sub(1).max(1);
    let request = Request { mode: Mode::Search, start: 1.min(subject.len()), end, must_advance: false };
    all.push(shown(pattern.run(subject, request, go_on).unwrap()));
    all.join(" ")
}

/// Runs lines that CPython printed. `t 0 61 : 32 0 -` is a pattern (text or bytes, flags, code points) with its flags,
/// groups and names, followed by indented subjects and what is found in them; `t 0 2a ! 0 …` one that is refused.
fn check(cases: &str) {
    let mut failures = Vec::new();
    let mut pattern: Option<Pattern> = None;
    let mut is_bytes = false;
    let mut source = Text::new();
    for line in cases.lines() {
        if let Some(question) = line.strip_prefix("  ") {
            let Some(pattern) = &pattern else { continue };
            let (subject, expected) = question.split_once(' ').unwrap();
            let subject = points(subject);
            let bytes: Vec<u8> = subject.codes().map(|code| code as u8).collect();
            let view = if is_bytes { TextView::Ascii(&bytes) } else { subject.view() };
            let found = findings(pattern, view);
            if found != expected {
                failures.push(format!("{source:?} in {subject:?}:\n  found    {found}\n  expected {expected}"));
            }
            continue;
        }
        let parts: Vec<&str> = line.split(' ').collect();
        is_bytes = parts[0] == "b";
        source = points(parts[2]);
        let bytes: Vec<u8> = source.codes().map(|code| code as u8).collect();
        let view = if is_bytes { TextView::Ascii(&bytes) } else { source.view() };
        let compiled = Pattern::compile(view, is_bytes, parts[1].parse().unwrap(), 1 << 20);
        let found = match &compiled {
            Ok(pattern) => {
                let hex = |text: &Text| text.codes().map(|code| format!("{code:x}")).collect::<Vec<_>>().join(",");
                let names: Vec<String> = pattern.names().iter().map(|(name, number)| format!("{}={number}", hex(name))).collect();
                let names = if names.is_empty() { "-".to_owned() } else { names.join(";") };
                format!(": {} {} {names}", pattern.flags(), pattern.groups())
            }
            Err(PatternError::Pattern { message, position }) => {
                format!("! {} {message}", position.map_or("n".to_owned(), |position| position.to_string()))
            }
            Err(PatternError::Value(message)) => format!("! ValueError {message}"),
            Err(PatternError::Overflow(message)) => format!("! OverflowError {message}"),
            Err(other) => format!("{other:?}"),
        };
        let expected = if parts[3] == "!" { format!("! {} {}", parts[4], points(parts[5])) } else { parts[3..].join(" ") };
        if found != expected {
            failures.push(format!("{source:?}:\n  found    {found}\n  expected {expected}"));
        }
        pattern = compiled.ok();
    }
    let shown = failures.iter().take(60).cloned().collect::<Vec<_>>().join("\n");
    assert!(failures.is_empty(), "{} differ:\n{shown}", failures.len());
}

#[test]
fn patterns_match_and_fail_as_cpythons() {
    check(include_str!("cases.txt"));
}

#[test]
fn an_endless_match_can_be_stopped() {
    let pattern = compile("(a+)+$", 0).unwrap();
    let subject = Text::from(format!("{}b", "a".repeat(40)));
    let mut polls = 0;
    let stopped = pattern.find(Mode::Search, subject.view(), &mut || {
        polls += 1;
        polls == 10
    });
    assert_eq!(stopped, Err(Interrupted::Stopped));
    assert_eq!(polls, 10);
}

#[test]
fn a_long_subject_needs_no_native_stack() {
    let subject = Text::from("ab".repeat(200_000));
    for source in ["(?:a|b)*", "(a|b)*?$", "(?:(?:ab)+)+", "(?:a(?=b)b)*", "((?>a)b)*"] {
        let pattern = compile(source, 0).unwrap();
        let captures = pattern.find(Mode::FullMatch, subject.view(), &mut || false).unwrap().expect(source);
        assert_eq!(captures.span(), (0, 400_000));
    }
    let nested = format!("{}a{}", "(".repeat(10_000), ")".repeat(10_000));
    assert_eq!(compile(&nested, 0).err(), Some(PatternError::TooDeep));
}

#[test]
fn templates_name_groups() {
    let pattern = compile("(?P<first>a)(b)?", 0).unwrap();
    let subject = Text::from("xab");
    let captures = pattern.find(Mode::Search, subject.view(), &mut || false).unwrap().unwrap();
    let expanded = |template: &str| {
        let parts = template::parse(Text::from(template).view(), &pattern)?;
        let mut out = crate::text::TextBuilder::new();
        template::expand(&parts, &captures, subject.view(), &mut out);
        Ok::<_, PatternError>(out.finish().to_string())
    };
    assert_eq!(expanded(r"<\1-\g<first>-\g<2>-\g<0>>\n\0\101").as_deref(), Ok("<a-a-b-ab>\n\0A"));
    assert_eq!(expanded(r"\.\é").as_deref(), Ok(r"\.\é"));
    let message = |template: &str| match expanded(template) {
        Err(PatternError::Pattern { message, position }) => {
            format!("{message} at {}", position.unwrap())
        }
        Err(PatternError::Index(message)) => format!("IndexError {message}"),
        other => format!("{other:?}"),
    };
    assert_eq!(message(r"\3"), "invalid group reference 3 at 1");
    assert_eq!(message(r"\q"), r"bad escape \q at 0");
    assert_eq!(message(r"\g"), "missing < at 2");
    assert_eq!(message(r"\g<x"), "missing >, unterminated name at 3");
    assert_eq!(message(r"\g<x>"), "IndexError unknown group name 'x'");
    assert_eq!(message(r"\g<99>"), "invalid group reference 99 at 3");
    assert_eq!(message(r"\g<1a>"), "bad character in group name '1a' at 3");
    assert_eq!(message(r"\777"), r"octal escape value \777 outside of range 0-0o377 at 0");
    assert_eq!(message("a\\"), "bad escape (end of pattern) at 1");
}
