//! `pickle`: arbitrary bytes are loaded by an unpickler that finds harmless classes only; what they make is written and read again.

use std::cell::RefCell;

use super::harness::Harness;

const PRELUDE: &str = "
import collections, copyreg, datetime, functools, io, pickle, pickletools, warnings
warnings.simplefilter('ignore')
class Plain:
    pass
class Slots:
    __slots__ = 'a', 'b', '__weakref__'
class Stateful:
    def __setstate__(self, state): self.state = state
    def __reduce_ex__(self, protocol): return Stateful, (), getattr(self, 'state', None)
class Evil:
    def __eq__(self, other): self.__dict__.clear(); return True
    def __hash__(self): return 1
    def __setitem__(self, key, value): raise KeyError(key)
    def append(self, item): self.items = item
    def __getattr__(self, name): return []
class Many(list):
    def extend(self, items): self[:] = items
NAMES = '''object int float complex bool str bytes bytearray list tuple dict set frozenset range slice type property staticmethod classmethod super memoryview
    reversed enumerate zip map filter iter len abs repr sorted sum min max hash divmod chr ord getattr setattr BaseException Exception ValueError KeyError StopIteration
    OSError UnicodeDecodeError SyntaxError ImportError ExceptionGroup NotImplemented Ellipsis'''.split()
import builtins
CLASSES = {('builtins', name): getattr(builtins, name) for name in NAMES}
CLASSES.update({('__builtin__', name): value for (_, name), value in CLASSES.items()})
CLASSES.update({('__main__', value.__name__): value for value in (Plain, Slots, Stateful, Evil, Many)})
CLASSES.update({('collections', value.__name__): value for value in (collections.OrderedDict, collections.deque, collections.defaultdict, collections.Counter)})
CLASSES.update({('datetime', value.__name__): value for value in (datetime.date, datetime.datetime, datetime.timedelta, datetime.timezone)})
CLASSES.update({('copyreg', '_reconstructor'): copyreg._reconstructor, ('copy_reg', '_reconstructor'): copyreg._reconstructor, ('copyreg', '__newobj__'): copyreg.__newobj__,
                ('functools', 'partial'): functools.partial, ('_codecs', 'encode'): lambda text, *_: text.encode('latin-1')})
class Unpickler(pickle.Unpickler):
    def find_class(self, module, name):
        try:
            return CLASSES[module, name]
        except KeyError:
            raise pickle.UnpicklingError('not here') from None
    def persistent_load(self, key):
        return key
def load(data, **options):
    return Unpickler(io.BytesIO(data), **options).load()
def check(data):
    data = data.encode('latin-1')
    protocol = data[-1] % 6 if data else 0
    try:
        value = load(data)
    except SystemError:
        raise
    except Exception:
        value = None
    try:
        load(data, encoding='bytes', fix_imports=False, buffers=[b'one', bytearray(b'two')])
    except SystemError:
        raise
    except Exception:
        pass
    try:
        count = sum(1 for _ in pickletools.genops(data))
    except ValueError:
        pass
    if value is None:
        return
    try:
        repr(value)
        kept = pickle.dumps(value, protocol)
    except SystemError:
        raise
    except Exception:
        return
    try:
        again = load(kept)
    except SystemError:
        raise
    except Exception:
        return
    assert type(again) is type(value), (value, again)
    if type(value) in (int, str, bytes, bytearray, float):
        assert repr(again) == repr(value)
";

thread_local! {
    static HARNESS: RefCell<Harness> = const { RefCell::new(Harness::new(PRELUDE)) };
}

pub(super) fn run(data: &[u8]) {
    HARNESS.with_borrow_mut(|harness| harness.check(data));
}
