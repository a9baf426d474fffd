//! Inputs of a prompt, as the program `scrip` gives them to an interpreter.

use scrip::{Error, Interpreter};

fn interpreter() -> Interpreter {
    Interpreter::new().expect("an interpreter can be made")
}

#[test]
fn a_block_waits_for_an_empty_line() {
    let interpreter = interpreter();
    let mut input = String::new();
    for line in ["def f(x):", "    return x + 1"] {
        input.push_str(line);
        input.push('\n');
        assert_eq!(interpreter.interact(&input, "<input-0>").expect("the text is right so far"), None, "{input}");
    }
    input.push('\n');
    assert_eq!(interpreter.interact(&input, "<input-0>").expect("the text is right"), Some(()));
    assert_eq!(interpreter.eval::<i64>("f(2)").expect("f is defined"), 3);
}

#[test]
fn an_empty_line_ends_nothing_in_brackets() {
    let interpreter = interpreter();
    assert_eq!(interpreter.interact("x = [1,\n\n", "<input-0>").expect("the text is right so far"), None);
    assert_eq!(interpreter.interact("x = [1,\n\n2]\n", "<input-0>").expect("the text is right"), Some(()));
    assert_eq!(interpreter.eval::<Vec<i64>>("x").expect("x is set"), [1, 2]);
}

#[test]
fn an_empty_line_where_a_block_should_be_is_an_error() {
    let error = interpreter().interact("if True:\n\n", "<input-0>").expect_err("there is no block");
    assert!(error.is("IndentationError"), "{error}");
}

#[test]
fn pasted_statements_run_in_turn_until_one_fails() {
    let interpreter = interpreter();
    let error = interpreter.interact("a = 1; b = 2\nfor i in range(3):\n    a += i\n1 / 0\nb = 5\n", "<input-3>").expect_err("one divides by zero");
    assert_eq!((interpreter.eval::<i64>("a").expect("a is set"), interpreter.eval::<i64>("b").expect("b is set")), (4, 2));
    let Error::Raised(raised) = &error else { panic!("{error:?}") };
    let expected =
        "Traceback (most recent call last):\n  File \"<input-3>\", line 4, in <module>\n    1 / 0\n    ~~^~~\nZeroDivisionError: division by zero\n";
    assert_eq!(raised.traceback(), expected);
}

#[test]
fn a_traceback_shows_the_lines_of_the_input_that_defined_the_function() {
    let interpreter = interpreter();
    interpreter.interact("def f(): return 1 / 0\n\n", "<input-0>").expect("the text is right");
    let error = interpreter.interact("f()\n", "<input-1>").expect_err("f divides by zero");
    let Error::Raised(raised) = &error else { panic!("{error:?}") };
    assert!(raised.traceback().contains("  File \"<input-0>\", line 1, in f\n    def f(): return 1 / 0\n"), "{}", raised.traceback());
}
