//! Whole programs, made of an input: each byte decides what comes next. They know the ways in which objects can change under those who use them.

use std::fmt::Write as _;

use super::harness::{fresh, judge};

/// What programs use: objects each of whose special methods does something to what all share.
const PRELUDE: &str = "
# The native modules: that an interpreter is made and gone at every input is most of the time.
import _collections as collections, _functools as functools, _warnings, _weakref as weakref, gc, itertools, operator, sys
_warnings.filters.insert(0, ('ignore', None, Warning, None, 0))
Method = type((lambda: 0).__get__(1))
sys.unraisablehook = lambda what: None
G, H, level, ticks = None, None, 0, 0
POOL = [[3, 1, 2], {1: 2, 'a': 3}, {1, 2, 'b'}, bytearray(b'abc'), collections.deque([1, 2]), [], {}]
class Error(Exception): pass
class Stop(StopIteration): pass
ACTIONS = [lambda: None, lambda: POOL[0].clear(), lambda: POOL[0].append(Evil(2)), lambda: POOL[1].clear(), lambda: POOL[1].update({len(POOL[1]): 0}), lambda: POOL[2].clear(),
    lambda: POOL[2].add(Evil(3)), lambda: POOL[3].extend(b'123456789'), lambda: POOL[3].clear(), lambda: POOL[4].clear(), lambda: POOL[4].append(5), gc.collect,
    lambda: POOL[0].sort(), lambda: setattr(Evil, 'x', Evil), lambda: delattr(Evil, 'x'), lambda: 1 // 0, lambda: POOL.append(sys._getframe(2)), lambda: POOL[1].pop('a', 0),
    lambda: POOL.__setitem__(slice(7, None), ()), lambda: sys._getframe(2).f_locals.clear(), lambda: setattr(Evil, '__eq__', object.__eq__), lambda: globals().update(G=Evil(6), H=[G])]
def act(n):
    global level
    if level > 2: return
    level += 1
    try: return ACTIONS[n % len(ACTIONS)]()
    finally: level -= 1
class Evil:
    def __init__(self, n=0): self.n = n
    def __eq__(self, other): act(self.n); return self.n % 2 == 0
    def __lt__(self, other): act(self.n); return self.n % 3 == 0
    def __hash__(self): act(self.n); return self.n % 3
    def __del__(self): act(self.n)
    def __len__(self): act(self.n); return self.n
    def __bool__(self): act(self.n); return self.n % 2 == 0
    def __index__(self): act(self.n); return self.n % 5
    def __iter__(self): act(self.n); return iter(POOL[self.n % 5])
    def __next__(self): act(self.n); return self if self.n % 2 else next(iter(()))
    def __call__(self, *a, **k): return act(self.n)
    def __contains__(self, item): act(self.n); return False
    def __getitem__(self, key): act(self.n); return (self, key, POOL[0])[self.n % 3]
    def __setitem__(self, key, value): act(self.n)
    def __delitem__(self, key): act(self.n)
    def __add__(self, other): act(self.n); return (self, other, 1, NotImplemented)[self.n % 4]
    __radd__ = __iadd__ = __sub__ = __mul__ = __or__ = __and__ = __rsub__ = __matmul__ = __add__
    def __repr__(self): act(self.n); return 'Evil'
    def __format__(self, spec): act(self.n); return 'evil'
    def __enter__(self): act(self.n); return self
    def __exit__(self, *a): act(self.n); return self.n % 2 == 0
    def __get__(self, instance, owner): act(self.n); return (self, instance, POOL)[self.n % 3]
    def __set__(self, instance, value): act(self.n); self.n = 1
    def __set_name__(self, owner, name): act(self.n)
    def __await__(self):
        act(self.n)
        yield self
        return act(self.n)
    async def __aenter__(self): return self
    async def __aexit__(self, *a): return act(self.n)
    def __aiter__(self): return self
    async def __anext__(self):
        act(self.n)
        self.n -= 1
        if self.n < 0: raise StopAsyncIteration
        return self
    def __reversed__(self): act(self.n); return self
    def __instancecheck__(self, other): act(self.n); return True
    def __missing__(self, key): act(self.n); return key
class Loud(Evil):
    __slots__ = 'x', 'y'
    def __getattr__(self, name): return act(len(name))
    def __setattr__(self, name, value): act(len(name)); object.__setattr__(self, name, value)
class Meta(type):
    def __call__(cls, *a): act(len(a)); return super().__call__(*a)
    def __prepare__(name, bases, **k): return collections.OrderedDict()
class Changing(dict):
    def __missing__(self, key): self.clear(); return act(len(self))
    def __getitem__(self, key): act(4); return dict.__getitem__(self, key)
class Mine(list):
    def __len__(self): act(2); return 3
    def __iter__(self): act(1); return list.__iter__(self)
class Bits(int):
    def __add__(self, other): act(self); return Bits(int.__add__(self, 1))
    def __hash__(self): act(self); return 1
class Suppress:
    def __init__(self, kind): self.kind = kind
    def __enter__(self): pass
    def __exit__(self, kind, *a): return kind is not None and issubclass(kind, self.kind)
def drive(c, *a):
    result = []
    for n in range(6):
        try: result.append(c.send(None if n == 0 else a))
        except StopIteration as stop: return stop.value
    return result
def tick(limit=8):
    global ticks
    ticks += 1
    return ticks % limit
";

/// Expressions; the first ones contain no others. `$e` an expression, `$l` a simple one, `$n` a local, `$i` a small number, `$s` a text, `$a` an attribute, `$m` a
/// method, `$f` a built-in function, `$d` a function of the program, `$o` an operator, `$c` a comparison, `$t` a class of exceptions, `$k` a class, `$y` what is
/// awaited or yielded where that may be.
const EXPRESSIONS: &[&str] = &[
    "$n",
    "($i)",
    "$n",
    "POOL[$i % 7]",
    "Evil($i)",
    "$s",
    "$n",
    "None",
    "G",
    "$k",
    "(1.5)",
    "()",
    "$d",
    "act",
    "True",
    "Loud($i)",
    "Changing(a=1)",
    "Mine([3, 1])",
    "Bits($i)",
    "POOL",
    "sys._getframe()",
    "(2 ** 70)",
    // With others inside.
    "$e $o $e",
    "$e $c $e",
    "$e $c $e $c $e",
    "$e.$m($e)",
    "$e.$m($e, $e)",
    "$e.$m()",
    "$f($e)",
    "$f($e, $e)",
    "$f($e, $l, $l)",
    "$d($e, $l)",
    "$d(*$e, **$e)",
    "$d($l, b=$e)",
    "$e($e)",
    "$k($e)",
    "$e.$a",
    "$e[$e]",
    "$e[$e:$e]",
    "$e[::$i]",
    "[$e, $e]",
    "[*$e, $e]",
    "($e, $e, *$l)",
    "{$e, $e}",
    "{$e: $e, $l: $l}",
    "{**$e, 'x': $e}",
    "[$e for $n in $e]",
    "[$e for $n in $e if $e for $n in $l]",
    "{$e for $n in $e}",
    "{$l: $e for $n in $e}",
    "($e for $n in $e)",
    "(lambda $n=$e: $e)",
    "(lambda *$n: $e)($e)",
    "($e if $e else $e)",
    "($e and $e)",
    "($e or $e or $e)",
    "(not $e)",
    "(-$e)",
    "(~$e)",
    "f'{$l!r:>{$i}}{$l}'",
    "($n := $e)",
    "$y",
    "$y",
    "super().$m($l)",
    "sorted($e, key=$e)",
    "drive($e, $l)",
    "list($e)",
    "next($e, $l)",
    "isinstance($e, $k)",
    "type($e)",
    "getattr($e, '$a', $l)",
    "weakref.ref($e)",
    "weakref.proxy($l)",
    "functools.partial($e, $l)",
    "list(map($e, $e, $l))",
    "list(zip($e, $e))",
    "type('T', ($k,), {'$a': $e, '__$m__': $e})",
    "iter($e, $l)",
    "$e.__class__",
    "$e.__dict__",
    "globals()",
    "locals()",
    "memoryview($e)",
    "slice($l, $e)",
    "print($e)",
    "reversed($e)",
    "gc.get_referrers($l)[:3]",
    "gc.get_objects()[-$i]",
    "sys.exc_info()[1]",
    "$e.send($e)",
    "$e.throw($t)",
    "$e.close()",
    "$e.f_back",
    "$e.f_locals",
    "$e.gi_frame",
    "$e.__traceback__",
    "itertools.islice($e, $i)",
    "itertools.chain($e, $l)",
    "itertools.groupby($e, $l)",
    "itertools.tee($e)",
    "itertools.permutations($l, 2)",
    "itertools.cycle($l)",
    "itertools.accumulate($e, $l)",
    "operator.itemgetter($e)($e)",
    "functools.reduce($e, $e, $l)",
    "functools._lru_cache_wrapper($e, $i, $l, tuple)",
    "functools.cmp_to_key($l)($e)",
    "collections.deque($e, $i)",
    "collections.OrderedDict($e)",
    "collections.defaultdict($e, $l)",
    "collections._count_elements($e, $l)",
    "object.__new__($k)",
    "Method($e, $e)",
    "eval('$l')",
    "property($e)",
    "staticmethod($e)",
    "classmethod($d)",
    "ExceptionGroup('g', [$t(), $t($l)])",
    "bytes($e)",
    "$s.join($e)",
    "$s % $e",
    "$s.format($e, a=$l)",
    "str($e)",
    "repr($e)",
    "int($e)",
    "divmod($e, $l)",
    "pow($l, $l, $l)",
    "range($e, $e, $i)",
    "hash($e)",
    "dict($e, a=$l)",
];
const SIMPLE: usize = 22;

/// Statements; the first ones contain no others. `$b` a block, `$L` a loop's, `$S` one of `except*`; `$p` a pattern, `$j` a jump out of a loop, `$r` a return;
/// `$D` a function's head and body.
const STATEMENTS: &[&str] = &[
    "$n = $e",
    "$e",
    "$n = $e",
    "$n, *$n = $e",
    "$n $o= $e",
    "POOL[$i % 7] = $e",
    "$e[$e] = $e",
    "$e.$a = $e",
    "del $n",
    "del $e[$e]",
    "del $e.$a",
    "$j",
    "$r",
    "raise $t",
    "raise $t($e) from $e",
    "raise",
    "assert $e, $e",
    "$e[$e:$e] = $e",
    "$n[$l] $o= $e",
    "G = $e",
    "POOL[$i % 7].$m($e)",
    "ACTIONS[$i] = $e",
    "$n: $e = $e",
    "pass",
    "sys.settrace($e)",
    "sys.setprofile(None)",
    "sys.settrace(None)",
    "$e.f_trace = $e",
    "$n.__class__ = $k",
    "$k.__bases__ = ($k,)",
    "gc.collect()",
    "$e.__dict__ = $e",
    "$d.__code__ = $d.__code__",
    "$d.__defaults__ = $e",
    "$k.$a = $e",
    "$y",
    "$e.clear()",
    "($n, [$n, *$n]) = $e",
    "$n = $n = $e",
    // With blocks inside.
    "if $e:$b\nelse:$b",
    "if $e:$b",
    "while tick():$L",
    "for $n in $e:$L",
    "for $n, $n in $e:$L\nelse:$b",
    "try:$b\nexcept $t as $n:$b",
    "try:$b\nexcept $t:$b\nelse:$b\nfinally:$b",
    "try:$b\nfinally:$b",
    "try:$b\nexcept:$b",
    "try:$b\nexcept* $t as $n:$S",
    "with $e as $n:$b",
    "with $e, $e as $n:$b",
    "match $e:\n case $p:$b\n case $p if $e:$b\n case _:$b",
    "$D",
    "$D",
    "@$e\n$D",
    "class $k($k):\n $a = $e\n def __init__(self, *a): self.$a = $l\n def __$m__(self, *a): return $l",
    "class K(metaclass=Meta):$C",
    "class K($k, $k):$C",
    "with Suppress($t):$b",
    "for $n in POOL[$i % 7]:$L",
    "$A",
];
const PLAIN: usize = 39;

const PATTERNS: &[&str] = &[
    "[$n]",
    "{}",
    "$i",
    "[_, *$n]",
    "{'a': _, **$n}",
    "Evil(n=$i)",
    "($i | None)",
    "str() as $n",
    "[_, [$n]]",
    "int(real=$n)",
    "sys.x",
    "(Bits() | [])",
    "Mine([*_])",
    "{'x': [$n]}",
    "Loud(x=_) as $n",
];
const METHODS: &[&str] = &[
    "append",
    "pop",
    "clear",
    "extend",
    "insert",
    "remove",
    "sort",
    "reverse",
    "index",
    "count",
    "copy",
    "update",
    "setdefault",
    "popitem",
    "get",
    "keys",
    "items",
    "values",
    "add",
    "discard",
    "union",
    "intersection_update",
    "difference",
    "symmetric_difference_update",
    "issubset",
    "fromkeys",
    "__next__",
    "__iter__",
    "__getitem__",
    "__setitem__",
    "__delitem__",
    "__eq__",
    "__hash__",
    "__init__",
    "__del__",
    "__reduce_ex__",
    "__class__",
    "__enter__",
    "__exit__",
    "rotate",
    "appendleft",
    "popleft",
    "split",
    "replace",
    "find",
    "join",
    "translate",
    "encode",
    "startswith",
    "with_traceback",
    "add_note",
    "mro",
    "__subclasses__",
    "__setstate__",
    "__length_hint__",
    "__get__",
    "__call__",
    "__new__",
    "__repr__",
    "__sizeof__",
    "__dir__",
    "isdisjoint",
    "move_to_end",
    "tobytes",
    "cast",
    "release",
    "hex",
    "to_bytes",
];
const FUNCTIONS: &[&str] = &[
    "len",
    "list",
    "tuple",
    "set",
    "dict",
    "sum",
    "min",
    "max",
    "sorted",
    "iter",
    "next",
    "enumerate",
    "zip",
    "map",
    "filter",
    "any",
    "all",
    "abs",
    "hash",
    "id",
    "repr",
    "str",
    "bytes",
    "bytearray",
    "isinstance",
    "issubclass",
    "getattr",
    "setattr",
    "hasattr",
    "delattr",
    "vars",
    "dir",
    "type",
    "frozenset",
    "reversed",
    "callable",
    "format",
    "round",
    "bool",
    "complex",
    "float",
    "super",
    "memoryview",
    "act",
    "drive",
    "object",
];
const NAMES: &[&str] = &["a", "b", "c", "d"];
const NUMBERS: &[&str] = &["0", "1", "2", "3", "4", "5", "-1", "7", "6", "8", "9", "10", "11", "12", "15", "16", "20", "1000", "-2"];
const TEXTS: &[&str] = &["''", "'a'", "'ab%s'", "'{}{0.n}'", "b'xy'", "'\\xe9\\u20ac'", "'a b c'"];
const ATTRIBUTES: &[&str] = &[
    "x",
    "n",
    "y",
    "__name__",
    "__doc__",
    "__slots__",
    "__wrapped__",
    "__call__",
    "__hash__",
    "__eq__",
    "__context__",
    "__cause__",
    "args",
    "f_lineno",
    "__module__",
    "__qualname__",
    "__get__",
];
const OPERATORS: &[&str] = &["+", "-", "*", "|", "&", "//", "%", "^", "@", "<<", ">>", "**", "/"];
const COMPARISONS: &[&str] = &["==", "<", "is", "in", "not in", "!=", ">=", "is not"];
const EXCEPTIONS: &[&str] = &[
    "Error",
    "Exception",
    "KeyError",
    "(Error, TypeError)",
    "Stop",
    "GeneratorExit",
    "BaseException",
    "StopIteration",
    "ZeroDivisionError",
    "RecursionError",
    "RuntimeError",
    "ExceptionGroup",
];
const CLASSES: &[&str] =
    &["Evil", "K", "Loud", "object", "Mine", "Changing", "Bits", "int", "list", "dict", "str", "Error", "type", "Meta", "tuple", "set"];
const FUNCTIONS_MADE: &[&str] = &["f0", "f1", "f2", "f3"];
const PARAMETERS: &[&str] = &["a, b=1", "a=0, *b, **c", "a, /, b=2, *, c=3", "*a", "a=1, b=2, c=3, d=4", "a, b, *, c=(), **d"];

/// Where a statement stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Module,
    Class,
    Function,
    Generator,
    Async,
    AsyncGenerator,
}

struct Generator<'a> {
    bytes: &'a [u8],
    text: String,
    indent: usize,
    place: Place,
    in_loop: bool,
    /// In an `except*`, from where nothing may jump out.
    in_star: bool,
    /// How much more may be expanded.
    budget: u32,
}

impl Generator<'_> {
    fn pick(&mut self, n: usize) -> usize {
        match self.bytes.split_first() {
            Some((&byte, rest)) => {
                self.bytes = rest;
                byte as usize % n
            }
            None => 0,
        }
    }

    fn any(&mut self, of: &[&'static str]) {
        let index = self.pick(of.len());
        self.text.push_str(of[index]);
    }

    fn program(&mut self) {
        self.text.push_str("K = Evil\na = b = c = d = 1\n");
        for name in FUNCTIONS_MADE {
            let _ = writeln!(self.text, "{name} = act");
        }
        while !self.bytes.is_empty() && self.budget > 0 {
            self.line("try:");
            self.indent += 1;
            self.statement(4);
            self.statement(3);
            self.indent -= 1;
            self.line("except Exception as error: print(type(error).__name__)");
        }
    }

    fn line(&mut self, text: &str) {
        let _ = writeln!(self.text, "{:width$}{text}", "", width = self.indent);
    }

    fn block(&mut self, depth: u32) {
        self.indent += 1;
        for _ in 0..=self.pick(3) {
            self.statement(depth.saturating_sub(1));
        }
        self.indent -= 1;
    }

    fn statement(&mut self, depth: u32) {
        let is_small = depth == 0 || self.budget == 0 || self.bytes.is_empty();
        let index = self.pick(if is_small { PLAIN } else { STATEMENTS.len() });
        for (number, line) in STATEMENTS[index].split('\n').enumerate() {
            if number > 0 && !self.text.ends_with('\n') {
                self.text.push('\n');
            }
            let _ = write!(self.text, "{:width$}", "", width = self.indent);
            // A `case` stands deeper than its `match`.
            let deeper = usize::from(line.starts_with(' '));
            self.indent += deeper;
            self.expand(line, depth);
            self.indent -= deeper;
        }
        if !self.text.ends_with('\n') {
            self.text.push('\n');
        }
    }

    fn expression(&mut self, depth: u32) {
        let is_small = depth == 0 || self.budget == 0 || self.bytes.is_empty();
        self.budget = self.budget.saturating_sub(1);
        let index = self.pick(if is_small { SIMPLE } else { EXPRESSIONS.len() });
        let brackets = index >= SIMPLE;
        if brackets {
            self.text.push('(');
        }
        self.expand(EXPRESSIONS[index], depth);
        if brackets {
            self.text.push(')');
        }
    }

    fn expand(&mut self, template: &'static str, depth: u32) {
        let mut pieces = template.split('$');
        self.text.push_str(pieces.next().unwrap_or_default());
        for piece in pieces {
            let (kind, rest) = piece.split_at(1);
            self.placeholder(kind, depth);
            self.text.push_str(rest);
        }
    }

    fn placeholder(&mut self, kind: &str, depth: u32) {
        match kind {
            "e" => self.expression(depth.saturating_sub(1)),
            "l" => self.expression(0),
            "n" => self.any(NAMES),
            "i" => self.any(NUMBERS),
            "s" => self.any(TEXTS),
            "a" => self.any(ATTRIBUTES),
            "m" => self.any(METHODS),
            "f" => self.any(FUNCTIONS),
            "d" => self.any(FUNCTIONS_MADE),
            "o" => self.any(OPERATORS),
            "c" => self.any(COMPARISONS),
            "t" => self.any(EXCEPTIONS),
            "k" => self.any(CLASSES),
            "p" => {
                let index = self.pick(PATTERNS.len());
                self.expand(PATTERNS[index], 0);
            }
            "y" => {
                let template = match self.place {
                    Place::Generator => ["(yield $e)", "(yield from $e)"][self.pick(2)],
                    Place::AsyncGenerator => "(yield $e)",
                    Place::Async => "(await $e)",
                    Place::Module | Place::Class | Place::Function => "$e",
                };
                self.expand(template, depth.saturating_sub(1));
            }
            "j" => self.text.push_str(if self.in_loop && !self.in_star { "break" } else { "pass" }),
            "r" => match self.place {
                Place::Module | Place::Class => self.text.push_str("pass"),
                _ if self.in_star => self.text.push_str("pass"),
                Place::AsyncGenerator => self.text.push_str("return"),
                Place::Function | Place::Generator | Place::Async => self.expand("return $e", depth),
            },
            "b" => self.nested(depth, |_| {}),
            "L" => self.nested(depth, |generator| {
                generator.in_loop = true;
                generator.in_star = false;
            }),
            "S" => self.nested(depth, |generator| generator.in_star = true),
            "C" => self.nested(depth, |generator| {
                generator.place = Place::Class;
                generator.in_loop = false;
                generator.in_star = false;
            }),
            "D" => self.function(depth),
            "A" => {
                let template = match self.place {
                    Place::Async | Place::AsyncGenerator => {
                        ["async for $n in $e:$L", "async with $e as $n:$b", "$n = [$e async for $n in $e]"][self.pick(3)]
                    }
                    Place::Module | Place::Class | Place::Function | Place::Generator => "$e",
                };
                self.expand(template, depth);
            }
            _ => unreachable!("a placeholder of the tables"),
        }
    }

    /// A block, after which all is as before.
    fn nested(&mut self, depth: u32, change: impl FnOnce(&mut Self)) {
        let before = (self.place, self.in_loop, self.in_star);
        change(self);
        self.text.push('\n');
        self.block(depth);
        (self.place, self.in_loop, self.in_star) = before;
    }

    fn function(&mut self, depth: u32) {
        let places = [Place::Function, Place::Generator, Place::Function, Place::Async, Place::AsyncGenerator];
        let place = places[self.pick(places.len())];
        self.text.push_str(if matches!(place, Place::Async | Place::AsyncGenerator) { "async def " } else { "def " });
        self.any(FUNCTIONS_MADE);
        self.text.push('(');
        self.any(PARAMETERS);
        self.text.push_str("):");
        if self.pick(4) == 1 {
            let _ = write!(self.text, "\n{:width$}global G, H", "", width = self.indent + 1);
        }
        self.nested(depth, |generator| {
            generator.place = place;
            generator.in_loop = false;
            generator.in_star = false;
        });
        if matches!(place, Place::Generator | Place::AsyncGenerator) {
            self.indent += 1;
            self.line("yield 1");
            self.indent -= 1;
        }
    }
}

/// The program that an input stands for.
pub(super) fn program(data: &[u8]) -> String {
    let mut generator = Generator { bytes: data, text: String::new(), indent: 0, place: Place::Module, in_loop: false, in_star: false, budget: 400 };
    generator.program();
    generator.text
}

pub(super) fn run(data: &[u8]) {
    let source = program(data);
    // For who looks into what was found.
    if std::env::var_os("SCRIP_FUZZ_SHOW").is_some() {
        eprintln!("{PRELUDE}{source}");
    }
    let interpreter = fresh(PRELUDE);
    if let Err(error) = interpreter.exec(&source) {
        // Whatever was raised, none of it speaks of the inside of the interpreter; a stop or an exception is all the same.
        assert!(error.raised().is_none_or(|raised| !raised.is("SystemError")) || error.to_string().contains("Evil"), "{}", error.pretty());
        if error.raised().is_none() {
            judge(&interpreter, &error);
        }
    }
    drop(interpreter);
}
