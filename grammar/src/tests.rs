use super::*;

fn error(source: &str) -> SyntaxError {
    parse(source, Mode::Module, Options::default()).expect_err(source)
}

/// The message and its place.
fn check(source: &str, message: &str, place: (u32, i32, u32, i32)) {
    let error = error(source);
    assert_eq!(error.message, message, "{source}");
    assert_eq!((error.line, error.offset, error.end_line, error.end_offset), place, "{source}");
}

fn dumped(source: &str) -> String {
    let parsed = parse(source, Mode::Module, Options::default()).expect(source);
    dump::dump(&parsed, 0).expect("there is no bound")
}

fn incomplete(source: &str) -> bool {
    is_incomplete(source, Options::default())
}

#[test]
fn an_error_stands_where_cpython_puts_it() {
    check("x = (1\ny = 2\n", "'(' was never closed", (1, 5, 1, 0));
    check("if x\n    pass", "expected ':'", (1, 5, 1, 6));
    check("f(a b)", "invalid syntax. Perhaps you forgot a comma?", (1, 3, 1, 6));
    check("é = 5 é", "invalid syntax", (1, 7, 1, 8));
    check("  x", "unexpected indent", (1, 2, 1, -1));
    let message = "cannot assign to function call here. Maybe you meant '==' instead of '='?";
    check("f() = 1", message, (1, 1, 1, 4));
    let message = "expected an indented block after 'if' statement on line 1";
    check("if x:\ny", message, (2, 1, 2, 2));
}

#[test]
fn a_fault_of_the_lexer_hides_one_of_the_parser_before_it() {
    check("x y\n'abc", "unterminated string literal (detected at line 2)", (2, 1, 2, 1));
    check("x y\n\\ z", "invalid syntax", (1, 3, 1, 4));
}

#[test]
fn names_are_checked_before_what_the_compiler_refuses() {
    check("return\ndef f(a, a): pass", "duplicate argument 'a' in function definition", (2, 10, 2, 11));
    check("return", "'return' outside function", (1, 1, 1, 7));
    check("def f():\n    nonlocal x", "no binding for nonlocal 'x' found", (2, 5, 2, 15));
}

#[test]
fn soft_keywords_are_names_where_they_can_be() {
    assert!(dumped("match = case = type = 1").starts_with("Module(body=[Assign("));
    assert!(dumped("match(x)").starts_with("Module(body=[Expr(value=Call("));
    assert!(dumped("match (x):\n    case _: pass").starts_with("Module(body=[Match("));
    assert!(dumped("type X[T] = T").starts_with("Module(body=[TypeAlias("));
    assert!(dumped("type(x)").starts_with("Module(body=[Expr("));
}

#[test]
fn a_parenthesised_with_has_items_or_one_expression() {
    assert_eq!(dumped("with (a, b): pass").matches("withitem(").count(), 2);
    assert_eq!(dumped("with (a as x, b as y,): pass").matches("withitem(").count(), 2);
    assert_eq!(dumped("with (a, b) as c: pass").matches("withitem(").count(), 1);
    assert_eq!(dumped("with (a, *b): pass").matches("withitem(").count(), 1);
}

#[test]
fn a_prompt_asks_for_more_while_more_could_help() {
    for source in
        ["if x:", "if x:\n    pass", "(", "'''", "x = \\", "@a", "f'{a", "class A: x = 1", "try:\n    x", "x = [1,\n", "f(\n\n", "'a' '''\n"]
    {
        assert!(incomplete(source), "{source}");
    }
    for source in ["", "x", "x y", "if x:\n    pass\n", "'abc", "(a b", "x = 5 +", "if x:\n", "try:\n    x\n", "@a\n"] {
        assert!(!incomplete(source), "{source}");
    }
}

#[test]
fn a_prompt_takes_one_statement() {
    let single = |source| parse(source, Mode::Interactive, Options::default());
    assert!(single("x = 1; y = 2").is_ok());
    assert!(single("if x:\n    pass\n").is_ok());
    let error = single("x\ny").unwrap_err();
    assert_eq!(error.message, "multiple statements found while compiling a single statement");
}

#[test]
fn an_expression_is_one() {
    let expression = |source| parse(source, Mode::Expression, Options::default());
    assert!(matches!(expression("x, y\n").unwrap().root, Root::Expression { .. }));
    assert!(expression("x = 1").is_err());
    assert!(expression(" x").is_err());
}

#[test]
fn deep_nesting_is_an_error_and_no_overflow() {
    let n = 100_000;
    for source in [
        "not ".repeat(n) + "x",
        "x".to_string() + &".a".repeat(n),
        "lambda: ".repeat(n) + "1",
        "if x: pass\n".to_string() + &"elif x: pass\n".repeat(n),
    ] {
        assert_eq!(error(&source).kind, SyntaxErrorKind::Recursion);
    }
    assert_eq!(error(&"(".repeat(n)).message, "too many nested parentheses");
    // A long sum is not deep.
    assert!(parse(&("1 + ".repeat(n) + "1"), Mode::Module, Options::default()).is_ok());
}

#[test]
fn who_has_the_stack_may_have_it_deeper() {
    let parses = || {
        let deep = Options { max_depth: 4000, ..Options::default() };
        assert!(parse(&("x".to_string() + &".a".repeat(3000)), Mode::Module, deep).is_ok());
        assert!(parse(&("lambda: ".repeat(3000) + "1"), Mode::Module, deep).is_err());
        let brackets = Options { any_brackets: true, ..Options::default() };
        assert!(parse(&("(".repeat(300) + "1" + &")".repeat(300)), Mode::Module, brackets).is_ok());
    };
    std::thread::Builder::new().stack_size(64 << 20).spawn(parses).expect("a thread can be started").join().expect("it parses");
}

#[test]
fn bytes_are_decoded_as_their_comment_says() {
    let parse = |bytes: &[u8]| parse_bytes(bytes, Mode::Module, Options::default());
    assert_eq!(parse(b"# coding: latin-1\n'\xE9'").unwrap().source, "# coding: latin-1\n'é'");
    assert_eq!(parse(b"\xEF\xBB\xBFx").unwrap().source, "x");
    assert!(parse(b"'\xE9'").is_err());
    assert_eq!(parse(b"# coding: nope\n").unwrap_err().message, "unknown encoding: nope");
    let error = parse(b"x\0").unwrap_err();
    assert_eq!(error.message, "source code string cannot contain null bytes");
}

#[test]
fn doubtful_but_legal_code_warns() {
    let parsed = parse("x is 1\n'\\d'\nassert (x, 'y')", Mode::Module, Options::default()).unwrap();
    let warnings: Vec<_> = parsed.warnings.iter().map(|w| (w.error.line, w.error.message.as_str())).collect();
    let expected = [
        (1, "\"is\" with 'int' literal. Did you mean \"==\"?"),
        (2, "invalid escape sequence '\\d'"),
        (3, "assertion is always true, perhaps remove parentheses?"),
    ];
    assert_eq!(warnings, expected);
}

#[test]
fn await_may_stand_at_the_top_where_that_is_allowed() {
    let options = Options { top_level_await: true, ..Options::default() };
    for source in ["await x", "async with x: pass", "[y async for y in x]", "[await y for y in x]"] {
        assert!(parse(source, Mode::Module, options).is_ok(), "{source}");
        assert!(parse(source, Mode::Module, Options::default()).is_err(), "{source}");
    }
    assert!(parse("def f(): await x", Mode::Module, options).is_err());
}
