//! The interpreter that targets share: made of a script that defines `check`, and used for many inputs.

use scrip::{Error, Interpreter, Limits};

/// So many inputs an interpreter gets before a fresh one takes its place: what one input leaves behind must not decide what a later one finds.
const INPUTS: u32 = 500;

/// What an input may use. No time: whatever takes long has to be noticed by the count of instructions.
pub(super) fn limits() -> Limits {
    Limits::new().instructions(1_000_000).memory(24 << 20).depth(150).threads(1).output(2000)
}

/// A subject's interpreter.
pub(super) struct Harness {
    /// Defines `check`.
    prelude: &'static str,
    current: Option<(Interpreter, u32)>,
}

impl Harness {
    pub(super) const fn new(prelude: &'static str) -> Self {
        Self { prelude, current: None }
    }

    /// Calls `check(data)`, the bytes of `data` as the characters 0 to 255.
    pub(super) fn check(&mut self, data: &[u8]) {
        let text: String = data.iter().copied().map(char::from).collect();
        let (interpreter, uses) = self.current.get_or_insert_with(|| (fresh(self.prelude), 0));
        *uses += 1;
        let error = interpreter.call::<()>("check", (text,)).err();
        let is_spent = *uses >= INPUTS || error.is_some();
        if let Some(error) = &error {
            judge(interpreter, error);
        }
        if is_spent {
            self.current = None;
        }
    }
}

/// An interpreter that has run `prelude`.
pub(super) fn fresh(prelude: &str) -> Interpreter {
    let interpreter = Interpreter::builder().limits(limits()).hash_seed(1).build().expect("an interpreter is made");
    if super::super::QUIET {
        interpreter.exec("import io, sys\nsys.stdout = sys.stderr = io.StringIO()").expect("output is thrown away");
    }
    if let Err(error) = interpreter.exec(prelude) {
        panic!("{}", error.pretty());
    }
    interpreter
}

/// Whether an end is one that a limit explains; after it the interpreter must be usable.
pub(super) fn judge(interpreter: &Interpreter, error: &Error) {
    assert!(error.limit().is_some(), "{}", error.pretty());
    match interpreter.eval::<i64>("6 * 7") {
        Ok(42) => {}
        // What the script holds may leave no memory even for that.
        Err(after) if after.limit().is_some() => {}
        other => panic!("unusable after {error}: {other:?}"),
    }
}
