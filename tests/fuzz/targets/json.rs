//! `json`: what can be read can be written, and reads the same again.

use std::cell::RefCell;

use super::harness::Harness;

const PRELUDE: &str = "
import json
def check(data):
    data = data.encode('latin-1')
    for source in data, data.decode('utf-8', 'replace'):
        try:
            value = json.loads(source)
        except (ValueError, RecursionError, MemoryError):
            continue
        for options in {}, {'indent': 1}, {'ensure_ascii': False, 'sort_keys': True, 'separators': (',', ':')}, {'indent': '\\t', 'skipkeys': True, 'check_circular': False}:
            try:
                text = json.dumps(value, **options)
                again = json.loads(text)
            except (RecursionError, MemoryError):
                continue
            assert options or repr(again) == repr(value), (value, again)
            assert json.dumps(again, **options) == text
";

thread_local! {
    static HARNESS: RefCell<Harness> = const { RefCell::new(Harness::new(PRELUDE)) };
}

pub(super) fn run(data: &[u8]) {
    HARNESS.with_borrow_mut(|harness| harness.check(data));
}
