//! Compiled files: what `__scrcache__/part.scrc` may hold. A file that is refused is as if it were not there; one that is accepted is run.
//!
//! The header and the checksum are always made right, so that the reader and the verifier are what an input meets. An input is either the number of a program (below
//! 128) and changes to the bytes it compiles to, which keeps its meaning when the instructions change; or, after a first byte of 128 or more, such bytes themselves,
//! with `part.scr` for the path of the source.

use std::cell::OnceCell;
use std::fs;
use std::hash::Hasher;
use std::path::PathBuf;

use rustc_hash::FxHasher;
use scrip::Interpreter;

use super::harness::{judge, limits};

/// Magic, the compiler's number, the source's two stamps.
const HEADER: usize = 4 + 3 * 8;
/// With the checksum.
const BODY: usize = HEADER + 8;
/// Stands for the source's path in kept bodies.
const SOURCE: &[u8] = b"part.scr";

const PROGRAMS: &[&str] = &[
    "def f(a, b=2, *c, d, e=5, **k):\n  return [a, b, c, d, e, k]\nx = f(1, d=4, z=3)\ny = [f(*(1, 2, 3), **{'d': n}) for n in range(3)]",
    "def outer(n):\n  m = 0\n  def inner(k=n):\n    nonlocal m\n    m += k + n\n    return lambda: m\n  return inner\nx = outer(3)()()\nx += outer(4)(5)()",
    "def g(n):\n  for i in range(n):\n    got = yield i\n    if got: return got\n  yield from 'ab'\nx = list(g(3))\nit = g(5)\nnext(it)\ntry: it.send(7)\nexcept StopIteration as e: y = e.value",
    "class A:\n  z = 1\n  def __init__(self, v): self.v = v\n  @property\n  def w(self): return self.v + self.z\n  def m(self, *a): return super().__eq__(a), self.w\nclass B(A):\n  def m(self): return super().m(1, 2)\nx = B(3).m()\nx = [B(n).w for n in range(9)]",
    "def f(n):\n  try:\n    try:\n      if n == 1: raise KeyError(n)\n      if n == 2: return 1 // (n - 2)\n      if n == 3: assert n == 2, 'no'\n    except KeyError as e:\n      raise ValueError from e\n    else: n += 1\n    finally: n += 10\n  except (ValueError, ZeroDivisionError): return -n\n  except AssertionError: n -= 1\n  return n\nx = [f(n) for n in range(5)]",
    "def f(n):\n  out = []\n  for i in range(n, 20, 3):\n    if i % 2: continue\n    if i > 14: break\n    out.append(i)\n  else: out.append(None)\n  while n < 5 or out and n < 9: n += 1\n  return out, n\nx = f(0), f(13)",
    "class M:\n  def __enter__(self): return self\n  def __exit__(self, t, v, b): return t is KeyError\ndef f(k):\n  with M() as a, M():\n    raise k\n  return 1\nx = f(KeyError)\ntry: f(ValueError)\nexcept ValueError: y = 2",
    "def f(v):\n  match v:\n    case 0 | -1: return 'zero'\n    case [a, *b, c] if a: return b\n    case {'k': k, **r}: return k, r\n    case str(): return 's'\n    case int(real=q): return q\n    case (x, y) as z: return z\n    case _: return None\nx = [f(v) for v in (0, [1, 2, 3], {'k': 1, 'j': 2}, 's', 7, (0, 0), 2.5)]",
    "import sys\nfrom math import pi as p, floor\ndef f(a):\n  global g\n  g = a\n  del a\n  return f'{g!r:>{10}} {g:x} {p:.3f}'\nx = f(255)\nlen(x)\nx = (lambda *a, **k: (a, k))(1, *[2], b=3, **{'c': 4})\ny = {**x[1], 'd': [*x[0]]}, {1, *x[0]}, x[0][::2]",
    "async def a(n):\n  await b()\n  async with C() as c: n += 1\n  return [i async for i in d(n)]\nclass b:\n  def __await__(self):\n    yield 1\nclass C:\n  async def __aenter__(self): return 1\n  async def __aexit__(self, *e): pass\nasync def d(n):\n  for i in range(n): yield i\nc = a(3)\ntry:\n  while 1: c.send(None)\nexcept StopIteration as e: x = e.value",
    "def f[T](a: T, b: 'int' = 3) -> T: return a\nclass G[T]:\n  x: int = 1\n  def m(self): return __class__, T\ntype A[T] = list[T]\nx = f(1), G().m(), A.__value__\ny = G.x is A < 2 == 2 != 3 in [3] not in [4]\nz = (w := 3) if y else not w\nx = ~3 ** -2 @ 1 if 0 else 5 // 2 % 3 << 1 >> 1 & 7 | 8 ^ 1",
    // The last stands beside the compiled file, and is what runs where that is refused.
    "x = 1",
];

/// A folder of this process, with a module and what is kept of it.
struct Folder {
    path: PathBuf,
    header: Vec<u8>,
    bodies: Vec<Vec<u8>>,
}

thread_local! {
    static FOLDER: OnceCell<Folder> = const { OnceCell::new() };
}

pub(super) fn run(data: &[u8]) {
    FOLDER.with(|folder| folder.get_or_init(Folder::new).run(data));
}

impl Folder {
    fn new() -> Self {
        let shared = PathBuf::from("/dev/shm");
        let parent = if shared.is_dir() { shared } else { std::env::temp_dir() };
        let path = parent.join(format!("scrip-fuzz-{:07}", std::process::id()));
        fs::create_dir_all(&path).expect("a folder is made");
        let mut folder = Self { path, header: Vec::new(), bodies: Vec::new() };
        for program in PROGRAMS {
            // The stamp is that of the source which the file has when inputs are tried.
            let _ = fs::remove_file(folder.kept());
            fs::write(folder.path.join("part.scr"), program).expect("a source is written");
            let interpreter = folder.interpreter(true);
            let _ = interpreter.exec("import part");
            let file = fs::read(folder.kept()).expect("a compiled file is kept");
            folder.header = file[..HEADER].to_vec();
            folder.bodies.push(file[BODY..].to_vec());
        }
        folder
    }

    fn kept(&self) -> PathBuf {
        self.path.join("__scrcache__/part.scrc")
    }

    fn interpreter(&self, keeps: bool) -> Interpreter {
        let path = self.path.to_string_lossy().into_owned();
        let built = Interpreter::builder().limits(limits()).hash_seed(1).search_path([path]).write_cache(keeps).build();
        let interpreter = built.expect("an interpreter is made");
        let quiet = if super::super::QUIET { "import io, sys\nsys.stdout = sys.stderr = io.StringIO()\n" } else { "" };
        // What changed bytes come to call must do no harm outside.
        let harmless = "import builtins\ndel builtins.open, builtins.input, builtins.breakpoint, builtins";
        interpreter.exec(&format!("{quiet}{harmless}")).expect("the interpreter is made harmless");
        interpreter
    }

    fn run(&self, data: &[u8]) {
        let Some((&first, rest)) = data.split_first() else { return };
        let body = if first < 128 { changed(&self.bodies[first as usize % self.bodies.len()], rest) } else { self.with_path(rest) };
        let mut hasher = FxHasher::default();
        hasher.write(&body);
        let file = [&self.header[..], &hasher.finish().to_le_bytes(), &body].concat();
        fs::write(self.kept(), file).expect("the compiled file is written");
        let interpreter = self.interpreter(false);
        if let Err(error) = interpreter.exec("try: import part\nexcept Exception: pass") {
            // A program may end itself.
            if !error.is("SystemExit") && !error.is("BaseException") {
                judge(&interpreter, &error);
            }
        }
    }

    /// A kept body's table of strings with the path of the source in it.
    fn with_path(&self, body: &[u8]) -> Vec<u8> {
        let source = self.path.join("part.scr");
        let source = source.as_os_str().as_encoded_bytes();
        let needle = [&[SOURCE.len() as u8], SOURCE].concat();
        let Some(at) = body.windows(needle.len()).position(|window| window == needle) else { return body.to_vec() };
        [&body[..at], &[source.len() as u8], source, &body[at + needle.len()..]].concat()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Changes of four bytes each: where (two bytes), what to do, with which byte.
fn changed(body: &[u8], changes: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    for change in changes.chunks_exact(4) {
        let at = (usize::from(change[0]) << 8 | usize::from(change[1])) % body.len().max(1);
        match change[2] % 4 {
            0 if at < body.len() => body[at] = change[3],
            1 if at < body.len() => body[at] = body[at].wrapping_add(change[3]),
            2 => body.insert(at, change[3]),
            3 if at < body.len() => {
                body.remove(at);
            }
            _ => {}
        }
    }
    body
}
