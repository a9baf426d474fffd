use scrip_grammar::{Mode, Options as ParseOptions, Parsed};

use super::{Options, compile};
use crate::code::disassemble::{disassemble, instructions};
use crate::code::unit::Unit;

fn parse(source: &str) -> Parsed {
    scrip_grammar::parse(source, Mode::Module, ParseOptions::default()).expect("the test's source is right")
}

fn compiled(source: &str) -> std::sync::Arc<Unit> {
    compile(&parse(source), "test", &Options::default()).expect("the test's source compiles")
}

/// Compiles a program and compares the instructions of its module or, if it defines just one, of its function.
#[track_caller]
fn check(source: &str, expected: &str) {
    let unit = compiled(source);
    let unit = if source.starts_with("def ") || source.starts_with("class ") { &unit.functions[0].unit } else { &unit };
    let expected: Vec<&str> = expected.lines().map(str::trim).collect();
    assert_eq!(instructions(unit), expected, "\n{}", disassemble(unit));
}

#[test]
fn operands_are_borrowed_and_results_go_where_they_are_wanted() {
    check("def f(a, b):\n    c = a + b\n    return c", "Add r2, r0, r1\nReturn r2");
    check("def f(a):\n    return a.b[a] * 3", "LoadAttribute r1, r0, b\nGetItem r1, r1, r0\nMultiplyImm r1, r1, 3\nReturn r1");
}

#[test]
fn an_operand_that_a_later_one_assigns_is_copied() {
    check("def f(a):\n    return a + (a := 1)", "Move r1, r0\nLoadConst r0, 1\nAdd r1, r1, r0\nReturn r1");
}

#[test]
fn a_local_that_may_be_unbound_is_read_at_once() {
    check(
        "def f(a):\n    if a:\n        b = 1\n    return b + a()",
        "JumpIfFalse r0, -> 2\nLoadConst r1, 1\nMove r2, r1\nMove r3, r0\nCall r3, 0\nAdd r2, r2, r3\nReturn r2",
    );
}

#[test]
fn a_loop_takes_one_jump_an_iteration() {
    check(
        "def f(a):\n    while a < 9:\n        a += 1",
        "JumpIfNotLessImm r0, 9, -> 3\nAddImm r0, r0, 1, 1\nJumpIfLessImm r0, 9, -> 1\nReturnConst None",
    );
    check(
        "def f(a):\n    for b in a:\n        if b: continue\n        b()",
        "GetIterator r2, r0\nForIter r1, r2, -> 6\nJumpIfTrue r1, -> 5\nMove r3, r1\nCall r3, 0\nRelease r3\nLoopIter r1, r2, -> 2\nReturnConst None"
            .replace("-> 6", "-> 7")
            .replace("-> 5", "-> 6")
            .as_str(),
    );
    check(
        "def f():\n    for i in range(9): pass",
        "LoadGlobal r1, range\nLoadConst r2, 9\nRangeStart r1, 1\nForRange r0, r1, -> 5\nLoopRange r0, r1, -> 4\nReturnConst None",
    );
}

#[test]
fn a_swap_makes_no_tuple() {
    check("def f(a, b):\n    a, b = b, a", "Move r2, r0\nMove r0, r1\nMove r1, r2\nReturnConst None");
    check("def f(a, b):\n    a, b = b, a + b", "Add r2, r0, r1\nMove r0, r1\nMove r1, r2\nReturnConst None");
}

#[test]
fn constant_arithmetic_is_folded_and_a_failing_one_is_left_to_run() {
    check("x = 2 * 3", "LoadConst r0, 6\nStoreName r0, x\nReturnConst None");
    check("x = 1 // 0", "LoadConst r0, 1\nFloorDivideImm r0, r0, 0\nStoreName r0, x\nReturnConst None");
    check("x = -0.0, 0.0", "LoadConst r0, (-0.0, 0.0)\nStoreName r0, x\nReturnConst None");
    check("if 0: x", "ReturnConst None");
}

#[test]
fn constants_are_shared_only_within_a_type() {
    let unit = compiled("x = [1, y, 1.0, y, True, y, 0.0, y, -0.0, y, 1]");
    assert_eq!(unit.constants.len(), 6, "{:?}", unit.constants);
}

#[test]
fn methods_are_called_without_being_bound() {
    check("def f(a):\n    return a.b(1, c=a)", "LoadMethod r1, r0, b\nLoadConst r3, 1\nMove r4, r0\nCallMethod r1, 2, (\"c\",)\nReturn r1");
    check(
        "def f(a):\n    return a(*a, b=1, **a)",
        "Move r1, r0\nMove r2, r0\nLoadConst r3, \"b\"\nLoadConst r4, 1\nBuildDict r3, r3, 1\nDictMerge r3, r0, r1\nCallSpread r1, 1\nReturn r1",
    );
}

#[test]
fn a_handler_is_out_of_the_way() {
    check(
        "def f(a):\n    try:\n        a()\n    except E:\n        return 1\n    return 2",
        "Move r1, r0\nCall r1, 0\nRelease r1\nReturnConst 2\nPushHandled r1, r2\nLoadGlobal r3, E\nJumpIfNotMatch r2, r3, -> 10\nRelease r2\nPopHandled r1\nReturnConst 1\nReraise r2, r1\nPushHandled r2, r3\nRelease r2\nReraise r3, r1",
    );
}

#[test]
fn a_comprehension_runs_in_the_frame_around_it() {
    check(
        "def f(a):\n    return [b for b in a if b]",
        "GetIterator r3, r0\nBuildList r2, r2, 0\nForIter r1, r3, -> 6\nJumpIfFalse r1, -> 5\nListAppend r2, r1\nLoopIter r1, r3, -> 3\nClearLocal r1\nReturn r2\nPushHandled r2, r3\nClearLocal r1\nReraise r3, r2",
    );
}

#[test]
fn deep_and_long_trees_do_not_overflow_the_stack() {
    let source = format!("x = {}", ["y"; 300].join(" + "));
    let unit = compiled(&source);
    assert!(unit.n_registers < 10);
    let source = format!("x = {}y", "~".repeat(500));
    if let Ok(parsed) = scrip_grammar::parse(&source, Mode::Module, ParseOptions::default()) {
        let options = Options { stack_bytes: 10_000, ..Options::default() };
        let error = compile(&parsed, "test", &options).expect_err("the tree is deep");
        assert_eq!(error.kind, scrip_grammar::SyntaxErrorKind::Recursion);
    }
}

#[test]
fn long_displays_take_few_registers() {
    let unit = compiled(&format!("x = [{}]", ["y"; 1000].join(", ")));
    assert!(unit.n_registers < 50);
}

#[test]
fn what_scopes_forbid_is_refused() {
    for (source, message) in [
        ("def f(a):\n global a", "name 'a' is parameter and global"),
        ("def f():\n nonlocal a", "no binding for nonlocal 'a' found"),
        ("nonlocal a", "nonlocal declaration not allowed at module level"),
        ("def f():\n a = 1\n global a", "name 'a' is assigned to before global declaration"),
        ("break", "'break' outside loop"),
        ("class A:\n return 1", "'return' outside function"),
        ("[i := 0 for i in x]", "assignment expression cannot rebind comprehension iteration variable 'i'"),
    ] {
        let message_given = match scrip_grammar::parse(source, Mode::Module, ParseOptions::default()) {
            Err(error) => error.message,
            Ok(parsed) => match compile(&parsed, "test", &Options::default()) {
                Err(error) => error.message,
                other => panic!("{source}: {other:?}"),
            },
        };
        assert_eq!(message_given, message, "{source}");
    }
}

#[test]
fn a_jump_out_of_one_cold_stretch_before_another_is_kept() {
    // In debug builds each unit is verified.
    compiled(
        "for i in x:\n    try:\n        y\n    finally:\n        break\nfor i in x:\n    try:\n        y\n    except E:\n        z\n    finally:\n        try:\n            z\n        except E:\n            pass\n        break\n",
    );
}

#[test]
fn units_survive_being_written_and_read_and_damage_is_found() {
    use crate::code::marshal::{Stamp, read, write};

    let source = "\"doc\"\nimport a.b\nclass A(B, c=1):\n    x: int = -0.0\n    def m(self, *a, k=(1, 'é', b'x', 2j, 10**30, None, ...), **b):\n        try:\n            return [lambda: (a, y) for y in b if y in {1, 2}], super().m\n        except (E, F) as e:\n            raise f'{e!r:>{k}}' from e\n        finally:\n            del k\n";
    let unit = compiled(source);
    let stamp = Stamp { modified: 17, size: source.len() as u64 };
    let bytes = write(&unit, stamp);
    let again = read(&bytes, stamp).expect("what was written can be read");
    assert_eq!(disassemble(&again), disassemble(&unit));
    assert_eq!(write(&again, stamp), bytes);
    assert!(read(&bytes, Stamp { modified: 18, ..stamp }).is_err(), "a stale file is refused");
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        assert!(read(&damaged, stamp).is_err(), "a changed byte at {at} is found");
        assert!(read(&bytes[..at], stamp).is_err(), "a file cut at {at} is refused");
    }
}

#[test]
fn a_forged_file_is_refused_or_verified_but_never_trusted() {
    use crate::code::marshal::{Stamp, read, sign, write};

    let unit = compiled(
        "import a\nclass A(B):\n    def m(self, *a, k=(1, 'é')):\n        try:\n            return [y for y in a if y in {1, 2}]\n        finally:\n            del k\n",
    );
    let bytes = write(&unit, Stamp::default());
    let mut n_accepted = 0;
    for at in 0..bytes.len() {
        for change in [0x01, 0x04, 0x40, 0x80, 0xFF] {
            let mut forged = bytes.clone();
            forged[at] ^= change;
            sign(&mut forged);
            n_accepted += usize::from(read(&forged, Stamp::default()).is_ok());
        }
    }
    // Other constants, names and line numbers are as good as the true ones.
    assert!(n_accepted > 0);
}

#[test]
fn a_handler_that_would_catch_what_it_raises_itself_is_refused() {
    use crate::code::verify::verify;

    let mut unit = std::sync::Arc::unwrap_or_clone(compiled("try:\n    a\nexcept B:\n    c\n"));
    assert_eq!(verify(&unit), Ok(()));
    // Nothing on such a way round looks at the breaker.
    unit.handlers[0].end = unit.handlers[0].target + 1;
    assert_eq!(verify(&unit), Err("a handler stands before what it covers".to_owned()));
}

#[test]
fn a_returned_value_waits_below_the_exit_methods_on_its_way_out() {
    check(
        "def f(a, b):\n    with a:\n        return b()",
        "SetupWith r4, r0\nCallMethod r6, 0\nRelease r6\nMove r6, r1\nCall r6, 0\nMove r2, r6\nLoadConst r6, None\nLoadConst r7, None\nLoadConst r8, None\nCallMethod r4, 3\nRelease r4\nReturn r2\nReturnConst None\nPushHandled r2, r3\nLoadExceptionTriple r6, r3\nCallMethod r4, 3\nJumpIfTrue r4, -> 18\nReraise r3, r2\nRelease r3\nPopHandled r2\nJump -> 12\nPushHandled r3, r4\nRelease r3\nReraise r4, r2",
    );
}
