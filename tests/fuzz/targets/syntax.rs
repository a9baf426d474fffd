//! Lexer, parser, compiler: any bytes are a program, or a `SyntaxError`.

use std::cell::RefCell;

use super::harness::Harness;

const PRELUDE: &str = "
import warnings
warnings.simplefilter('ignore')
def check(data):
    data = data.encode('latin-1')
    for source in data, data.decode('utf-8', 'surrogateescape'):
        for mode in 'exec', 'eval', 'single':
            try:
                compile(source, '<fuzz>', mode, dont_inherit=True)
            except (SyntaxError, ValueError, RecursionError, MemoryError, OverflowError):
                pass
";

thread_local! {
    static HARNESS: RefCell<Harness> = const { RefCell::new(Harness::new(PRELUDE)) };
}

pub(super) fn run(data: &[u8]) {
    let is_program = scrip::is_program(data);
    let tree = scrip::dump_ast(data);
    // A tree may be right where the program is not (`return` outside a function), but not the other way round; `await` is the program's only extra.
    if is_program && let Err(message) = tree {
        assert!(message.contains("await") || message.contains("async") || message.contains("too deep"), "a program without a tree: {message}");
    }
    HARNESS.with_borrow_mut(|harness| harness.check(data));
}
