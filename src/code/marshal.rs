//! Units as bytes: what `.scrc` files hold.
//!
//! A file is a header (magic, the number of the compiler, the stamp of its source), a checksum and a body. The body is a table of
//! strings and the outermost unit, whose functions' units stand inside it; numbers are LEB128. Nothing in a file is trusted: the checksum
//! finds damage, every count is compared with what is left before anything is allocated for it, and each unit is verified.
//!
//! The library that is in the program was compiled and verified when the program was built. Its units lie in one image for all modules, whose strings
//! have numbers (`Symbol::Library`); a unit's body and its positions are read only when they are needed.

use std::hash::Hasher;
use std::sync::{Arc, OnceLock};

use rustc_hash::{FxHashMap, FxHasher};

use super::instruction::{Opcode, Word};
use super::symbol::Symbol;
use super::unit::{Body, Capture, Constant, FunctionSite, Handler, HandlerKind, LineTable, Listing, Position, Runs, Unit, UnitFlags};
use super::verify::verify;

const MAGIC: &[u8; 4] = b"SCRC";
/// The number that the build gave to the compiler: it changes with the format, the instructions, and what is made of a source.
const COMPILER: u64 = number(match option_env!("SCRIP_COMPILER") {
    Some(digits) => digits,
    // The build script, which makes the number, compiles this file, too; it writes no `.scrc` files.
    None => "0",
});

const fn number(digits: &str) -> u64 {
    let mut value = 0_u64;
    let mut rest = digits.as_bytes();
    while let [digit, after @ ..] = rest {
        value = value * 10 + (*digit - b'0') as u64;
        rest = after;
    }
    value
}

/// Units and constants nested deeper are refused.
const MAX_DEPTH: u32 = 200;

/// What a compiled file says of its source: when it differs, the file is stale.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Stamp {
    /// When the source was changed, in nanoseconds since 1970.
    pub(crate) modified: u64,
    /// How many bytes it has.
    pub(crate) size: u64,
}

/// The bytes of a unit and of all units inside it.
pub(crate) fn write(unit: &Unit, stamp: Stamp) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.unit(unit);
    let mut body = Writer::default();
    body.number(writer.strings.len() as u64);
    for text in &writer.strings {
        body.bytes_of(text.as_bytes());
    }
    body.bytes.extend_from_slice(&writer.bytes);
    let mut file = header(stamp);
    file.extend_from_slice(&checksum(&body.bytes).to_le_bytes());
    file.extend_from_slice(&body.bytes);
    file
}

/// The unit in a file. `Err` says what is wrong with it; a file of another source, table or format is wrong, too.
pub(crate) fn read(file: &[u8], stamp: Stamp) -> Result<Arc<Unit>, String> {
    let header = header(stamp);
    let rest = file.strip_prefix(&header[..]).ok_or("another source or another version")?;
    let (sum, body) = rest.split_first_chunk::<8>().ok_or("too short")?;
    if u64::from_le_bytes(*sum) != checksum(body) {
        return Err("damaged".into());
    }
    let mut reader = Reader { bytes: body, strings: Vec::new(), depth: 0, library: None };
    let n_strings = reader.count(1)?;
    for _ in 0..n_strings {
        let text = std::str::from_utf8(reader.bytes_of()?).map_err(|_| "a string is not UTF-8")?;
        reader.strings.push(text.into());
    }
    let unit = reader.unit(None)?;
    if !reader.bytes.is_empty() {
        return Err("more bytes than a unit".into());
    }
    Ok(unit)
}

/// The image of the library.
#[derive(Debug)]
pub(crate) struct Library {
    /// The texts of all strings, one after another.
    pub(crate) strings: &'static str,
    /// Where each text starts and where the last one ends: four bytes each, the least significant one first.
    pub(crate) starts: &'static [u8],
    /// The units.
    pub(crate) units: &'static [u8],
}

/// The library of the process, known since its first unit was read.
static LIBRARY: OnceLock<&'static Library> = OnceLock::new();

/// The text with this number in the library's image.
pub(super) fn library_text(number: u32) -> &'static str {
    LIBRARY.get().and_then(|library| library.text(number)).unwrap_or_default()
}

impl Library {
    fn start(&self, number: usize) -> Option<usize> {
        let bytes = self.starts.get(number * 4..)?.first_chunk()?;
        Some(u32::from_le_bytes(*bytes) as usize)
    }

    fn text(&self, number: u32) -> Option<&'static str> {
        let number = number as usize;
        self.strings.get(self.start(number)?..self.start(number + 1)?)
    }
}

/// A part of the library's image.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Image {
    library: &'static Library,
    start: usize,
    end: usize,
}

impl Image {
    fn reader(&self) -> Reader<'static> {
        Reader { bytes: &self.library.units[self.start..self.end], strings: Vec::new(), depth: 0, library: Some(self.library) }
    }

    /// The body of a unit of a file.
    pub(super) fn body(&self, filename: &Symbol) -> Body {
        self.reader().body(filename).unwrap_or_else(|problem| unreachable!("the library in the program: {problem}"))
    }

    /// How many items the list has.
    pub(super) fn n_listed(&self) -> usize {
        self.reader().small().unwrap_or(0)
    }

    /// Calls `visit` with each item of the list.
    pub(super) fn for_each_listed<T: Listed>(&self, mut visit: impl FnMut(T)) {
        let mut reader = self.reader();
        for _ in 0..reader.small().unwrap_or(0) {
            visit(T::read(&mut reader).unwrap_or_else(|problem| unreachable!("the library in the program: {problem}")));
        }
    }

    /// One item of the list of words.
    pub(super) fn word_listed(&self, place: usize) -> Option<Word> {
        let mut reader = self.reader();
        reader.small::<usize>().ok()?;
        let bytes = reader.bytes.get(place * 8..)?.first_chunk()?;
        Some(Word(u64::from_le_bytes(*bytes)))
    }

    /// A table of positions.
    pub(super) fn lines(&self) -> Runs {
        self.reader().lines().unwrap_or_else(|problem| unreachable!("the library in the program: {problem}"))
    }
}

/// What the lists that stay in the image consist of.
pub(crate) trait Listed: Sized {
    /// The least number of bytes that one takes.
    const LEAST: usize;
    /// Reads one.
    fn read(reader: &mut Reader<'_>) -> Result<Self, String>;
}

impl Listed for Symbol {
    const LEAST: usize = 1;
    fn read(reader: &mut Reader<'_>) -> Result<Self, String> {
        reader.text()
    }
}

impl Listed for Constant {
    const LEAST: usize = 1;
    fn read(reader: &mut Reader<'_>) -> Result<Self, String> {
        reader.constant()
    }
}

impl Listed for Word {
    const LEAST: usize = 8;
    fn read(reader: &mut Reader<'_>) -> Result<Self, String> {
        reader.word().map(Word)
    }
}

/// The unit of a module of the library, which lies at `start` and is `size` bytes long.
pub(crate) fn read_library(library: &'static Library, start: usize, size: usize, filename: &str) -> Arc<Unit> {
    let _ = LIBRARY.set(library);
    let filename = filename.into();
    let mut reader = Image { library, start, end: start + size }.reader();
    reader.unit(Some(&filename)).unwrap_or_else(|problem| unreachable!("the library in the program: {problem}"))
}

/// Writes the library's image: the build script's part.
#[allow(dead_code, reason = "of use to the build script only")]
#[derive(Default)]
pub(crate) struct LibraryWriter {
    writer: Writer,
}

#[allow(dead_code, reason = "of use to the build script only")]
impl LibraryWriter {
    /// An image without modules.
    pub(crate) fn new() -> Self {
        Self { writer: Writer { blob: Some(String::new()), ..Writer::default() } }
    }

    /// Adds a module: where it starts, and its size.
    pub(crate) fn add(&mut self, unit: &Unit) -> (usize, usize) {
        let start = self.writer.bytes.len();
        self.writer.unit(unit);
        (start, self.writer.bytes.len() - start)
    }

    /// The strings, where each starts, and the units.
    pub(crate) fn finish(self) -> (String, Vec<u8>, Vec<u8>) {
        let strings = self.writer.blob.unwrap_or_default();
        let mut starts = Vec::new();
        let mut start = 0_u32;
        for text in &self.writer.strings {
            starts.extend_from_slice(&start.to_le_bytes());
            start += text.len() as u32;
        }
        starts.extend_from_slice(&start.to_le_bytes());
        (strings, starts, self.writer.bytes)
    }
}

fn header(stamp: Stamp) -> Vec<u8> {
    let mut header = MAGIC.to_vec();
    for number in [COMPILER, stamp.modified, stamp.size] {
        header.extend_from_slice(&number.to_le_bytes());
    }
    header
}

/// Makes the checksum of a changed file right again, as a forger would.
#[cfg(test)]
pub(crate) fn sign(file: &mut [u8]) {
    let start = header(Stamp::default()).len();
    let Some((sum, body)) = file[start..].split_first_chunk_mut::<8>() else { return };
    *sum = checksum(body).to_le_bytes();
}

fn checksum(body: &[u8]) -> u64 {
    let mut hasher = FxHasher::default();
    hasher.write(body);
    hasher.finish()
}

// ---- writing

#[derive(Default)]
struct Writer {
    bytes: Vec<u8>,
    strings: Vec<Symbol>,
    string_ids: FxHashMap<Symbol, u64>,
    /// In the library's image: the strings' texts, and what a unit needs late has its length before it.
    blob: Option<String>,
}

impl Writer {
    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }

    fn bytes_of(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.bytes.extend_from_slice(bytes);
    }

    fn text(&mut self, text: &Symbol) {
        let (strings, blob) = (&mut self.strings, &mut self.blob);
        let id = *self.string_ids.entry(text.clone()).or_insert_with(|| {
            if let Some(blob) = blob {
                blob.push_str(text);
            }
            strings.push(text.clone());
            strings.len() as u64 - 1
        });
        self.number(id);
    }

    /// What `write` writes, in the library's image after its length.
    fn part(&mut self, write: impl FnOnce(&mut Self)) {
        if self.blob.is_none() {
            return write(self);
        }
        let before = std::mem::take(&mut self.bytes);
        write(self);
        let part = std::mem::replace(&mut self.bytes, before);
        self.bytes_of(&part);
    }

    fn list<T>(&mut self, items: &[T], mut write: impl FnMut(&mut Self, &T)) {
        self.number(items.len() as u64);
        for item in items {
            write(self, item);
        }
    }

    fn unit(&mut self, unit: &Unit) {
        for text in [&unit.name, &unit.qualname] {
            self.text(text);
        }
        // The library's image has no file names: they follow from the modules' names.
        if self.blob.is_none() {
            self.text(&unit.filename);
        }
        self.number(u64::from(unit.first_line));
        self.number(flag_bits(unit.flags));
        self.part(|writer| writer.body(unit));
    }

    fn body(&mut self, unit: &Body) {
        for number in [unit.n_positional_only, unit.n_positional, unit.n_keyword_only, unit.n_registers] {
            self.number(u64::from(number));
        }
        self.list(&unit.locals, Self::text);
        for is_cell in &unit.is_cell {
            self.number(u64::from(*is_cell));
        }
        self.list(&unit.free, Self::text);
        self.part(|writer| writer.list(&unit.constants, Self::constant));
        self.part(|writer| writer.list(&unit.sites, Self::text));
        self.list(&unit.functions, |writer, site| {
            let flags = [site.has_defaults, site.has_keyword_defaults, site.has_annotations];
            writer.number(bits(&flags));
            writer.list(&site.captures, |writer, capture| match capture {
                Capture::Local(register) => writer.number(u64::from(*register) << 1),
                Capture::Free(index) => writer.number(u64::from(*index) << 1 | 1),
            });
            writer.unit(&site.unit);
        });
        self.part(|writer| writer.list(&unit.code, |writer, word| writer.bytes.extend_from_slice(&word.0.to_le_bytes())));
        self.list(&unit.handlers, |writer, handler| {
            for number in [handler.start, handler.end, handler.target, u32::from(handler.depth)] {
                writer.number(u64::from(number));
            }
            writer.number(handler.kind as u64);
        });
        self.part(|writer| writer.lines(&unit.positions));
    }

    fn lines(&mut self, positions: &LineTable) {
        self.list(positions.rows(), |writer, (pc, position)| {
            let Position { line, end_line, column, end_column } = *position;
            for number in [*pc, line, end_line, column, end_column] {
                writer.number(u64::from(number));
            }
        });
        self.list(positions.silent(), |writer, (pc, line)| {
            writer.number(u64::from(*pc));
            writer.number(u64::from(*line));
        });
    }

    fn constant(&mut self, constant: &Constant) {
        let tag = |writer: &mut Self, tag: u8| writer.bytes.push(tag);
        match constant {
            Constant::None => tag(self, 0),
            Constant::Ellipsis => tag(self, 1),
            Constant::Bool(value) => tag(self, 2 + u8::from(*value)),
            Constant::Int(value) => {
                tag(self, 4);
                self.bytes.extend_from_slice(&value.to_le_bytes());
            }
            Constant::BigInt(digits) => {
                tag(self, 5);
                self.bytes_of(digits.as_bytes());
            }
            Constant::Float(value) => {
                tag(self, 6);
                self.bytes.extend_from_slice(&value.to_bits().to_le_bytes());
            }
            Constant::Complex(real, imaginary) => {
                tag(self, 7);
                for part in [real, imaginary] {
                    self.bytes.extend_from_slice(&part.to_bits().to_le_bytes());
                }
            }
            Constant::Str(text) => {
                tag(self, 8);
                self.text(text);
            }
            Constant::CodePoints(points) => {
                tag(self, 9);
                self.list(points, |writer, point| writer.number(u64::from(*point)));
            }
            Constant::Bytes(bytes) => {
                tag(self, 10);
                self.bytes_of(bytes);
            }
            Constant::Tuple(items) => {
                tag(self, 11);
                self.list(items, Self::constant);
            }
            Constant::FrozenSet(items) => {
                tag(self, 12);
                self.list(items, Self::constant);
            }
        }
    }
}

fn bits(flags: &[bool]) -> u64 {
    flags.iter().rev().fold(0, |bits, flag| bits << 1 | u64::from(*flag))
}

fn flag_bits(flags: UnitFlags) -> u64 {
    let UnitFlags {
        is_function,
        has_varargs,
        has_varkeywords,
        is_generator,
        is_coroutine,
        is_async_generator,
        is_nested,
        is_class_body,
        has_docstring,
        future_annotations,
        is_anonymous,
    } = flags;
    bits(&[
        is_function,
        has_varargs,
        has_varkeywords,
        is_generator,
        is_coroutine,
        is_async_generator,
        is_nested,
        is_class_body,
        has_docstring,
        future_annotations,
        is_anonymous,
    ])
}

fn flags_of(bits: u64) -> UnitFlags {
    let bit = |index: u32| bits >> index & 1 == 1;
    UnitFlags {
        is_function: bit(0),
        has_varargs: bit(1),
        has_varkeywords: bit(2),
        is_generator: bit(3),
        is_coroutine: bit(4),
        is_async_generator: bit(5),
        is_nested: bit(6),
        is_class_body: bit(7),
        has_docstring: bit(8),
        future_annotations: bit(9),
        is_anonymous: bit(10),
    }
}

// ---- reading

pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    strings: Vec<Symbol>,
    depth: u32,
    /// The library whose image is read; it was verified when it was made.
    library: Option<&'static Library>,
}

type Read<T> = Result<T, String>;

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> Read<&'a [u8]> {
        let (taken, rest) = self.bytes.split_at_checked(count).ok_or("too short")?;
        self.bytes = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Read<u8> {
        Ok(self.take(1)?[0])
    }

    fn word(&mut self) -> Read<u64> {
        let bytes = self.take(8)?;
        Ok(u64::from_le_bytes(bytes.try_into().expect("eight bytes were taken")))
    }

    #[inline]
    fn number(&mut self) -> Read<u64> {
        // Most are small.
        if let [byte @ ..0x80, rest @ ..] = self.bytes {
            self.bytes = rest;
            return Ok(u64::from(*byte));
        }
        self.long_number()
    }

    fn long_number(&mut self) -> Read<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err("a number is too long".into())
    }

    fn small<T: TryFrom<u64>>(&mut self) -> Read<T> {
        T::try_from(self.number()?).map_err(|_| "a number is too large".into())
    }

    /// How many items follow, each of at least `size` bytes.
    fn count(&mut self, size: usize) -> Read<usize> {
        let count: usize = self.small()?;
        if count > self.bytes.len() / size {
            return Err("a count is larger than the file".into());
        }
        Ok(count)
    }

    fn bytes_of(&mut self) -> Read<&'a [u8]> {
        let count = self.count(1)?;
        self.take(count)
    }

    fn text(&mut self) -> Read<Symbol> {
        let index: usize = self.small()?;
        if self.library.is_some() {
            return Ok(Symbol::Library(index as u32));
        }
        self.strings.get(index).cloned().ok_or_else(|| "there is no such string".into())
    }

    fn list<T>(&mut self, size: usize, mut read: impl FnMut(&mut Self) -> Read<T>) -> Read<Vec<T>> {
        let count = self.count(size)?;
        let mut items = Vec::with_capacity(count.min(65_536));
        for _ in 0..count {
            items.push(read(self)?);
        }
        Ok(items)
    }

    /// A list that stays in the image of the library.
    fn listing<T: Listed>(&mut self) -> Read<Listing<T>> {
        Ok(match self.library {
            Some(library) => Listing::waiting(self.late(library)?),
            None => self.list(T::LEAST, T::read)?.into(),
        })
    }

    fn deeper<T>(&mut self, read: impl FnOnce(&mut Self) -> Read<T>) -> Read<T> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err("nested too deep".into());
        }
        let result = read(self);
        self.depth -= 1;
        result
    }

    /// A unit; one of the library is of the file `filename`.
    fn unit(&mut self, filename: Option<&Symbol>) -> Read<Arc<Unit>> {
        self.deeper(|reader| reader.unit_inside(filename))
    }

    /// The part that follows, with its length before it, to be read later.
    fn late(&mut self, library: &'static Library) -> Read<Image> {
        let part = self.bytes_of()?;
        let start = part.as_ptr() as usize - library.units.as_ptr() as usize;
        Ok(Image { library, start, end: start + part.len() })
    }

    fn unit_inside(&mut self, filename: Option<&Symbol>) -> Read<Arc<Unit>> {
        let (name, qualname) = (self.text()?, self.text()?);
        let filename = match filename {
            Some(filename) => filename.clone(),
            None => self.text()?,
        };
        let first_line = self.small()?;
        let flags = flags_of(self.number()?);
        if let Some(library) = self.library {
            return Ok(Arc::new(Unit::waiting(name, qualname, filename, first_line, flags, self.late(library)?)));
        }
        let body = self.body(&filename)?;
        let unit = Unit::new(name, qualname, filename, first_line, flags, body);
        verify(&unit)?;
        Ok(Arc::new(unit))
    }

    fn body(&mut self, filename: &Symbol) -> Read<Body> {
        let (n_positional_only, n_positional) = (self.small()?, self.small()?);
        let (n_keyword_only, n_registers) = (self.small()?, self.small()?);
        let locals = self.list(1, Self::text)?;
        let mut is_cell = Vec::with_capacity(locals.len());
        for _ in 0..locals.len() {
            is_cell.push(self.number()? != 0);
        }
        let free = self.list(1, Self::text)?;
        let constants = self.listing()?;
        let sites = self.listing()?;
        let functions = self.list(1, |reader| reader.function(filename))?;
        let code: Listing<Word> = self.listing()?;
        // The quickened forms at the table's end trust caches that only the VM fills.
        if self.library.is_none() && code.iter().any(|word| word.opcode_byte() >= Opcode::LoadAttributeSlot as u8) {
            return Err("an operation that is no compiler's".into());
        }
        let handlers = self.list(5, Self::handler)?;
        let positions = match self.library {
            Some(library) => LineTable::waiting(self.late(library)?),
            None => LineTable::of(self.lines()?),
        };
        Ok(Body {
            n_positional_only,
            n_positional,
            n_keyword_only,
            locals,
            is_cell,
            free,
            n_registers,
            constants,
            sites,
            functions,
            code,
            handlers,
            positions,
        })
    }

    fn lines(&mut self) -> Read<Runs> {
        let n_rows = self.count(5)?;
        let mut runs = Runs::default();
        let mut last = None;
        for _ in 0..n_rows {
            let pc: u32 = self.small()?;
            if last.is_some_and(|last| last >= pc) {
                return Err("positions are out of order".into());
            }
            last = Some(pc);
            let (line, end_line) = (self.small()?, self.small()?);
            let (column, end_column) = (self.small()?, self.small()?);
            runs.push(pc, Position { line, end_line, column, end_column });
        }
        let n_silent = self.count(2)?;
        let mut last = 0;
        for _ in 0..n_silent {
            let (pc, line): (u32, u32) = (self.small()?, self.small()?);
            if pc < last {
                return Err("lines are out of order".into());
            }
            last = pc;
            runs.silent.push((pc, line));
        }
        Ok(runs)
    }

    fn function(&mut self, filename: &Symbol) -> Read<FunctionSite> {
        let flags = self.number()?;
        let captures = self.list(1, Self::capture)?;
        let [has_defaults, has_keyword_defaults, has_annotations] = [0, 1, 2].map(|bit| flags >> bit & 1 == 1);
        let filename = self.library.map(|_| filename);
        Ok(FunctionSite { unit: self.unit(filename)?, has_defaults, has_keyword_defaults, has_annotations, captures })
    }

    fn capture(&mut self) -> Read<Capture> {
        let number: u32 = self.small()?;
        let index = u16::try_from(number >> 1).map_err(|_| "a capture is out of range")?;
        Ok(if number & 1 == 0 { Capture::Local(index) } else { Capture::Free(index) })
    }

    fn handler(&mut self) -> Read<Handler> {
        let (start, end, target) = (self.small()?, self.small()?, self.small()?);
        let depth = self.small()?;
        let kind = match self.number()? {
            0 => HandlerKind::Except,
            1 => HandlerKind::Finally,
            2 => HandlerKind::With,
            _ => return Err("no kind of handler".into()),
        };
        Ok(Handler { start, end, target, depth, kind })
    }

    fn constant(&mut self) -> Read<Constant> {
        self.deeper(Self::constant_inside)
    }

    fn constant_inside(&mut self) -> Read<Constant> {
        Ok(match self.byte()? {
            0 => Constant::None,
            1 => Constant::Ellipsis,
            2 => Constant::Bool(false),
            3 => Constant::Bool(true),
            4 => Constant::Int(self.word()? as i64),
            5 => {
                let digits = std::str::from_utf8(self.bytes_of()?).map_err(|_| "a number is not ASCII")?;
                let plain = digits.strip_prefix('-').unwrap_or(digits);
                let is_number = match plain.strip_prefix("0x") {
                    Some(hex) => !hex.is_empty() && hex.bytes().all(|byte| byte.is_ascii_hexdigit()),
                    None => !plain.is_empty() && plain.bytes().all(|byte| byte.is_ascii_digit()),
                };
                if !is_number {
                    return Err("a number has no digits".into());
                }
                Constant::BigInt(digits.into())
            }
            6 => Constant::Float(f64::from_bits(self.word()?)),
            7 => Constant::Complex(f64::from_bits(self.word()?), f64::from_bits(self.word()?)),
            8 => Constant::Str(self.text()?),
            9 => {
                let points = self.list(1, |reader| {
                    let point: u32 = reader.small()?;
                    if point > 0x10_FFFF { Err("no code point".into()) } else { Ok(point) }
                })?;
                Constant::CodePoints(points.into())
            }
            10 => Constant::Bytes(self.bytes_of()?.into()),
            11 => Constant::Tuple(self.list(1, Self::constant)?.into()),
            12 => Constant::FrozenSet(self.list(1, Self::constant)?.into()),
            _ => return Err("no kind of constant".into()),
        })
    }
}
