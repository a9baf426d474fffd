//! `re`: flags, a length, a pattern of that many characters, and a subject.

use std::cell::RefCell;

use super::harness::Harness;

const PRELUDE: &str = "
import re, warnings
warnings.simplefilter('ignore')
def check(data):
    bits, length = ord(data[:1] or '0'), ord(data[1:2] or '0')
    rest = data[2:].encode('latin-1')
    pattern, subject = rest[:length], rest[length:]
    flags = re.NOFLAG
    for bit, flag in enumerate((re.I, re.M, re.S, re.X, re.A)):
        if bits & 1 << bit:
            flags |= flag
    if not bits & 64:
        pattern, subject = pattern.decode('utf-8', 'replace'), subject.decode('utf-8', 'replace')
    try:
        compiled = re.compile(pattern, flags)
    except (re.PatternError, ValueError, OverflowError, RecursionError, MemoryError):
        return
    repr(compiled)
    found = compiled.search(subject)
    if found:
        start, end = found.span()
        assert 0 <= start <= end <= len(subject)
        assert found.group() == subject[start:end]
        for number in range(compiled.groups + 1):
            first, last = found.span(number)
            assert (first == last == -1) == (found[number] is None)
            assert first == -1 or found[number] == subject[first:last], (number, found.span(number))
        found.groupdict(), found.lastindex, found.lastgroup, repr(found)
    whole = compiled.fullmatch(subject)
    assert not whole or whole.span() == (0, len(subject))
    compiled.match(subject, 1, -1)
    spans = [each.span() for each in compiled.finditer(subject)]
    assert len(spans) == len(compiled.findall(subject))
    assert not spans or spans[0] == found.span()
    assert sorted(spans) == spans
    split = compiled.split(subject, maxsplit=bits)
    empty = subject[:0]
    assert compiled.subn(empty, subject)[1] == len(spans)
    if not compiled.groups and not bits & 31:
        assert len(split) == len(spans) + 1 or bits == 0 or len(split) == bits + 1
    try:
        compiled.sub(subject[:20], subject)
    except (re.PatternError, IndexError):
        pass
    compiled.sub(lambda found: found.group(), subject)
    assert re.compile(re.escape(subject)).fullmatch(subject)
    re.purge()
";

thread_local! {
    static HARNESS: RefCell<Harness> = const { RefCell::new(Harness::new(PRELUDE)) };
}

pub(super) fn run(data: &[u8]) {
    HARNESS.with_borrow_mut(|harness| harness.check(data));
}
