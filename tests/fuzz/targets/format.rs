//! The formatting languages: which of them, which value, and a format.

use std::cell::RefCell;

use super::harness::Harness;

const PRELUDE: &str = "
import datetime, decimal, warnings
warnings.simplefilter('ignore')
class Evil:
    def __init__(self): self.items = [1, 2, 3]
    def __format__(self, spec): self.items.clear(); return spec
    def __str__(self): self.items.append(self); return 'evil'
    def __repr__(self): return '\\U0001f600'
    def __index__(self): return 7
    def __float__(self): return 1.5
    def __getitem__(self, key): return self if key != 3 else self.items[key]
VALUES = [
    0, -1, 255, 10**30, -2**63, True, 0.0, -0.0, 1.5, 1e300, -1e-300, 123456789.125, float('inf'), float('nan'), 1j, -0.0 + 2.5j, complex('nan+infj'),
    '', 'abc', '\\xe9\\u20ac\\U0001f600', '\\ud800', b'bytes', None, [1, 2], {'a': 1, 'abc': [3]}, (1, 2, 3), (), ('a', -5, 2.5, 3), Evil(), int, (Evil(), Evil()), 10**400,
    datetime.datetime(2020, 2, 29, 1, 2, 3, 4), decimal.Decimal('-12345.6789'), range(3), bytearray(b'x'),
]
REFUSALS = TypeError, ValueError, LookupError, AttributeError, NameError, ArithmeticError, MemoryError, RecursionError
def attempt(make):
    try:
        return make()
    except REFUSALS as error:
        return type(error), None if isinstance(error, MemoryError) else str(error)
def check(data):
    kind, index, text = ord(data[:1] or '0') % 5, ord(data[1:2] or '0') % len(VALUES), data[2:].encode('latin-1')
    value = VALUES[index]
    text = text.decode('utf-8', 'surrogateescape')
    if kind == 0:
        attempt(lambda: text % value)
        attempt(lambda: text % (value,))
        attempt(lambda: text % (value, 3, 'x', 2.5))
    elif kind == 1:
        attempt(lambda: text.format(value, 5, 'x', a=value, b=7))
        attempt(lambda: text.format_map({'a': value, '0': 1}))
    elif kind == 2:
        direct = attempt(lambda: format(value, text))
        if not set('{}') & set(text):
            assert attempt(lambda: ('{:' + text + '}').format(value)) == direct
            assert attempt(lambda: f'{value:{text}}') == direct
        attempt(lambda: round(value, index))
    elif kind == 3:
        for quote in '\"\"\"', \"'\":
            try:
                code = compile('f' + quote + text + quote, '<fuzz>', 'eval')
            except (SyntaxError, ValueError, RecursionError, MemoryError):
                continue
            attempt(lambda: eval(code, {'__builtins__': {}, 'v': value, 'a': 5, 'x': 'text'}) if not set('.[*') & set(text) else None)
    else:
        raw = text.encode('utf-8', 'surrogateescape')
        attempt(lambda: raw % value)
        attempt(lambda: bytearray(raw) % (value,))
        attempt(lambda: raw % (b'x', value, 3))
";

thread_local! {
    static HARNESS: RefCell<Harness> = const { RefCell::new(Harness::new(PRELUDE)) };
}

pub(super) fn run(data: &[u8]) {
    HARNESS.with_borrow_mut(|harness| harness.check(data));
}
