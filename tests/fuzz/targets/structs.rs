//! `struct`: a length, a format of that many bytes, and a buffer.

use std::cell::RefCell;

use super::harness::Harness;

const PRELUDE: &str = "
import struct
def check(data):
    data = data.encode('latin-1')
    length = data[0] if data else 0
    format, buffer = data[1:1 + length], bytearray(data[1 + length:])
    try:
        size = struct.calcsize(format)
        form = struct.Struct(format)
    except (struct.error, ValueError, MemoryError, OverflowError):
        return
    assert form.size == size >= 0
    values = None
    for read in (lambda: form.unpack(buffer), lambda: form.unpack_from(buffer, length % 5), lambda: form.unpack_from(buffer, -size),
                 lambda: form.unpack(bytes(buffer[:size])), lambda: [each for _, each in zip(range(20), form.iter_unpack(buffer))]):
        try:
            values = read()
        except (struct.error, MemoryError, OverflowError):
            continue
    if isinstance(values, tuple):
        try:
            packed = form.pack(*values)
        except MemoryError:
            return
        assert len(packed) == size
        assert repr(form.unpack(packed)) == repr(values)
        form.pack_into(buffer, 0, *values)
        assert buffer[:size] == packed
    for values in [(1,) * 3], [(-1, 2**70, 1.5)], [(b'ab', 'x', None)], [tuple(buffer)]:
        for write in (lambda: form.pack(*values), lambda: form.pack_into(buffer, length % 7, *values), lambda: form.pack_into(memoryview(buffer)[::-1], 0, *values)):
            try:
                write()
            except (struct.error, TypeError, ValueError, MemoryError, OverflowError, BufferError):
                pass
    if size <= 4 and format[:1] not in (b'<', b'>', b'!', b'='):
        try:
            view = memoryview(buffer).cast(format.decode('latin-1'))
        except (TypeError, ValueError):
            return
        view[:] = view[::-1]
        view.tolist()
";

thread_local! {
    static HARNESS: RefCell<Harness> = const { RefCell::new(Harness::new(PRELUDE)) };
}

pub(super) fn run(data: &[u8]) {
    HARNESS.with_borrow_mut(|harness| harness.check(data));
}
