//! What literals mean: numbers, escapes in strings.

use crate::aliases::ALIASES;
use crate::ast::{Ast, Constant, Span};
use crate::error::{Fault, Place};

/// How many decimal digits an integer literal may have, as in CPython: reading them is quadratic.
pub(crate) const MAX_DECIMAL_DIGITS: usize = 4300;

/// A string literal, or the beginning of an f-string.
#[derive(Debug, Clone, Copy)]
#[expect(clippy::struct_excessive_bools, reason = "the four letters of a prefix")]
pub(crate) struct StringToken {
    pub(crate) raw: bool,
    pub(crate) bytes: bool,
    pub(crate) unicode: bool,
    pub(crate) formatted: bool,
    /// The text between the quotes.
    pub(crate) body: Span,
}

impl StringToken {
    pub(crate) fn new(prefix: &[u8]) -> Self {
        let has = |letter: u8| prefix.iter().any(|byte| byte.to_ascii_lowercase() == letter);
        // Only a lower-case `u` shows in the tree.
        let unicode = prefix == b"u";
        let body = Span::default();
        Self { raw: has(b'r'), bytes: has(b'b'), unicode, formatted: has(b'f'), body }
    }
}

/// The line of a byte, counted from 1. For errors only: it reads the text before it.
pub(crate) fn line_of(source: &str, at: u32) -> usize {
    let before = &source.as_bytes()[..at as usize];
    let breaks =
        before.iter().enumerate().filter(|&(index, &byte)| byte == b'\n' || byte == b'\r' && source.as_bytes().get(index + 1) != Some(&b'\n'));
    breaks.count() + 1
}

/// Whether `repr` would show the character as it is: it is assigned, and no control, format,
/// surrogate, private or separator character (but the blank).
pub(crate) fn is_printable(c: char) -> bool {
    if c < '\u{7F}' {
        return c >= ' ';
    }
    let format = matches!(c,
        '\u{AD}' | '\u{600}'..='\u{605}' | '\u{61C}' | '\u{6DD}' | '\u{70F}' | '\u{890}'..='\u{891}'
        | '\u{8E2}' | '\u{180E}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}'
        | '\u{110BD}' | '\u{110CD}' | '\u{13430}'..='\u{1343F}' | '\u{1BCA0}'..='\u{1BCA3}'
        | '\u{1D173}'..='\u{1D17A}' | '\u{E0001}' | '\u{E0020}'..='\u{E007F}');
    !(format || c.is_control() || c.is_whitespace()) && unicode_names2::name(c).is_some()
}

/// A number literal that was read.
#[derive(Debug)]
pub(crate) struct Number {
    pub(crate) end: usize,
    /// `decimal`, `imaginary` … for messages.
    pub(crate) what: &'static str,
    radix: u8,
    float: bool,
    imaginary: bool,
    /// Whether a keyword follows at once.
    pub(crate) warn: bool,
}

impl Number {
    /// The value.
    pub(crate) fn constant(&self, source: &str, start: usize, ast: &mut Ast) -> Constant {
        let text = &source[start..self.end];
        let digits: String;
        let digits = if text.contains('_') {
            digits = text.replace('_', "");
            &digits
        } else {
            text
        };
        if self.float || self.imaginary {
            let digits = digits.trim_end_matches(['j', 'J']);
            let value = digits.parse().expect("the lexer checked the digits");
            return if self.imaginary { Constant::Imaginary(value) } else { Constant::Float(value) };
        }
        let digits = if self.radix == 10 { digits } else { &digits[2..] };
        if let Ok(value) = i64::from_str_radix(digits, u32::from(self.radix)) {
            return Constant::Int(value);
        }
        let digits = ast.add_bytes(digits.trim_start_matches('0').as_bytes());
        Constant::BigInt { digits, radix: self.radix }
    }
}

/// Reads a number at `start`, where a digit stands or a point and a digit.
pub(crate) fn number(source: &str, start: usize) -> Result<Number, Box<Fault>> {
    Reader { bytes: source.as_bytes(), start, at: start }.number()
}

struct Reader<'s> {
    bytes: &'s [u8],
    start: usize,
    at: usize,
}

impl Reader<'_> {
    fn byte(&self, at: usize) -> u8 {
        self.bytes.get(at).copied().unwrap_or(0)
    }

    fn number(mut self) -> Result<Number, Box<Fault>> {
        if self.byte(self.at) == b'0' {
            let radix = match self.byte(self.at + 1) {
                b'x' | b'X' => 16,
                b'o' | b'O' => 8,
                b'b' | b'B' => 2,
                _ => return self.zero(),
            };
            return self.prefixed(radix);
        }
        if self.byte(self.at) != b'.' {
            self.decimal_digits()?;
        }
        self.after_integer()
    }

    fn prefixed(mut self, radix: u8) -> Result<Number, Box<Fault>> {
        let what = match radix {
            16 => "hexadecimal",
            8 => "octal",
            _ => "binary",
        };
        self.at += 2;
        loop {
            if self.byte(self.at) == b'_' {
                self.at += 1;
            }
            let byte = self.byte(self.at);
            if !is_digit(byte, radix) {
                return Err(self.bad_digit(what, byte));
            }
            while is_digit(self.byte(self.at), radix) {
                self.at += 1;
            }
            if self.byte(self.at) != b'_' {
                break;
            }
        }
        let byte = self.byte(self.at);
        if byte.is_ascii_digit() {
            return Err(self.bad_digit(what, byte));
        }
        self.finish(what, radix, false, false)
    }

    fn bad_digit(&self, what: &str, byte: u8) -> Box<Fault> {
        if byte.is_ascii_digit() {
            let message = format!("invalid digit '{}' in {what} literal", byte as char);
            return Fault::new(message, Place::cursor(self.at as u32 + 1));
        }
        Fault::new(format!("invalid {what} literal"), Place::cursor(self.at as u32))
    }

    /// A decimal number that begins with 0: only zeros may follow, unless it is a float.
    fn zero(mut self) -> Result<Number, Box<Fault>> {
        loop {
            if self.byte(self.at) == b'_' {
                self.at += 1;
                if !self.byte(self.at).is_ascii_digit() {
                    return Err(self.bad_decimal());
                }
            }
            if self.byte(self.at) != b'0' {
                break;
            }
            self.at += 1;
        }
        let zeros_end = self.at;
        if self.byte(self.at).is_ascii_digit() {
            self.decimal_digits()?;
            if !matches!(self.byte(self.at), b'.' | b'e' | b'E' | b'j' | b'J') {
                let message = "leading zeros in decimal integer literals are not permitted; \
                               use an 0o prefix for octal integers";
                let span = Span::new(self.start as u32, zeros_end as u32);
                return Err(Fault::at(message, span));
            }
        }
        self.after_integer()
    }

    /// A fraction, an exponent or a `j` may follow.
    fn after_integer(mut self) -> Result<Number, Box<Fault>> {
        let mut float = false;
        if self.byte(self.at) == b'.' {
            float = true;
            self.at += 1;
            if self.byte(self.at).is_ascii_digit() {
                self.decimal_digits()?;
            }
        }
        if matches!(self.byte(self.at), b'e' | b'E') {
            let sign = matches!(self.byte(self.at + 1), b'+' | b'-');
            let digits = self.at + 1 + usize::from(sign);
            if self.byte(digits).is_ascii_digit() {
                float = true;
                self.at = digits;
                self.decimal_digits()?;
            } else if sign {
                self.at = digits;
                return Err(self.bad_decimal());
            }
        }
        if matches!(self.byte(self.at), b'j' | b'J') {
            self.at += 1;
            return self.finish("imaginary", 10, float, true);
        }
        self.finish("decimal", 10, float, false)
    }

    fn decimal_digits(&mut self) -> Result<(), Box<Fault>> {
        loop {
            while self.byte(self.at).is_ascii_digit() {
                self.at += 1;
            }
            if self.byte(self.at) != b'_' {
                return Ok(());
            }
            self.at += 1;
            if !self.byte(self.at).is_ascii_digit() {
                return Err(self.bad_decimal());
            }
        }
    }

    fn bad_decimal(&self) -> Box<Fault> {
        Fault::new("invalid decimal literal", Place::cursor(self.at as u32))
    }

    /// A name must not follow at once; some keywords may, with a warning.
    fn finish(self, what: &'static str, radix: u8, float: bool, imaginary: bool) -> Result<Number, Box<Fault>> {
        let rest = &self.bytes[self.at..];
        let keywords: [&[u8]; 8] = [b"and", b"else", b"for", b"if", b"in", b"is", b"or", b"not"];
        let warn = keywords.iter().any(|keyword| rest.starts_with(keyword));
        let next = self.byte(self.at);
        if !warn && (next >= 0x80 || next == b'_' || next.is_ascii_alphanumeric()) {
            return Err(Fault::new(format!("invalid {what} literal"), Place::cursor(self.at as u32)));
        }
        Ok(Number { end: self.at, what, radix, float, imaginary, warn })
    }
}

fn is_digit(byte: u8, radix: u8) -> bool {
    (byte as char).is_digit(u32::from(radix))
}

/// What decoding a literal may complain about, beside errors: the offset in the source of the first
/// escape that means nothing, and the message.
pub(crate) type EscapeWarning = Option<(u32, String)>;

/// Appends the characters of a text literal as WTF-8. `braces` says whether `{{` stands for `{`.
pub(crate) fn decode_text(source: &str, span: Span, raw: bool, braces: bool, out: &mut Vec<u8>) -> Result<EscapeWarning, String> {
    let body = span.text(source);
    let bytes = body.as_bytes();
    let special = |byte: &u8| match byte {
        b'\\' => !raw,
        b'\r' => true,
        b'{' | b'}' => braces,
        _ => false,
    };
    let mut warning = None;
    let mut at = 0;
    loop {
        let plain = bytes[at..].iter().position(special).unwrap_or(bytes.len() - at);
        out.extend_from_slice(&bytes[at..at + plain]);
        at += plain;
        match bytes.get(at) {
            None => return Ok(warning),
            Some(b'\\') => at = escape(body, at, span.start, out, &mut warning)?,
            Some(b'\r') => {
                out.push(b'\n');
                at += if bytes.get(at + 1) == Some(&b'\n') { 2 } else { 1 };
            }
            Some(&brace) => {
                out.push(brace);
                at += 2;
            }
        }
    }
}

/// Appends the bytes of a bytes literal.
pub(crate) fn decode_bytes(source: &str, span: Span, raw: bool, out: &mut Vec<u8>) -> Result<EscapeWarning, String> {
    let bytes = span.text(source).as_bytes();
    let mut warning = None;
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if !raw => {}
            b'\r' => {
                out.push(b'\n');
                at += if bytes.get(at + 1) == Some(&b'\n') { 2 } else { 1 };
                continue;
            }
            byte => {
                out.push(byte);
                at += 1;
                continue;
            }
        }
        let Some(&byte) = bytes.get(at + 1) else { return Err("\\ at end of string".into()) };
        if let Some(simple) = simple_escape(byte) {
            out.push(simple);
            at += 2;
        } else if let Some(after) = line_break(bytes, at + 1) {
            at = after;
        } else if let Some((value, length)) = octal(&bytes[at + 1..]) {
            out.push(value as u8);
            warn_octal(&mut warning, value, &bytes[at + 1..][..length], span.start + at as u32);
            at += 1 + length;
        } else if byte == b'x' {
            let digits = bytes[at + 2..].iter().take(2).take_while(|b| b.is_ascii_hexdigit());
            if digits.count() < 2 {
                return Err(format!("(value error) invalid \\x escape at position {at}"));
            }
            let text = std::str::from_utf8(&bytes[at + 2..at + 4]).expect("hex digits are ASCII");
            out.push(u8::from_str_radix(text, 16).expect("these are two hex digits"));
            at += 4;
        } else {
            warn_escape(&mut warning, byte as char, span.start + at as u32);
            out.push(b'\\');
            at += 1;
        }
    }
    Ok(warning)
}

/// Decodes the escape at `at` of `body` and returns what stands after it.
fn escape(body: &str, at: usize, start: u32, out: &mut Vec<u8>, warning: &mut EscapeWarning) -> Result<usize, String> {
    let bytes = body.as_bytes();
    let Some(&byte) = bytes.get(at + 1) else {
        return Err(unicode_error(body, at, at + 1, "\\ at end of string"));
    };
    if let Some(simple) = simple_escape(byte) {
        out.push(simple);
        return Ok(at + 2);
    }
    if let Some(after) = line_break(bytes, at + 1) {
        return Ok(after);
    }
    if let Some((value, length)) = octal(&bytes[at + 1..]) {
        push_code_point(out, value);
        warn_octal(warning, value, &bytes[at + 1..][..length], start + at as u32);
        return Ok(at + 1 + length);
    }
    let (digits, reason) = match byte {
        b'x' => (2, "truncated \\xXX escape"),
        b'u' => (4, "truncated \\uXXXX escape"),
        b'U' => (8, "truncated \\UXXXXXXXX escape"),
        b'N' => return named(body, at, out),
        _ => {
            let c = body[at + 1..].chars().next().expect("a byte stands there");
            warn_escape(warning, c, start + at as u32);
            out.push(b'\\');
            return Ok(at + 1);
        }
    };
    let first = at + 2;
    let n = bytes[first..].iter().take(digits).take_while(|b| b.is_ascii_hexdigit()).count();
    if n < digits {
        return Err(unicode_error(body, at, first + n, reason));
    }
    let end = first + digits;
    let value = u32::from_str_radix(&body[first..end], 16).expect("these are hex digits");
    if value > 0x10_FFFF {
        return Err(unicode_error(body, at, end, "illegal Unicode character"));
    }
    push_code_point(out, value);
    Ok(end)
}

/// The character of a name or an alias, in any case, as `\N{NAME}` means it. The crate forgives more: it does not mind spaces and underscores.
pub fn character_by_name(name: &str) -> Option<char> {
    let name = name.to_ascii_uppercase();
    let official = unicode_names2::character(&name).filter(|&c| unicode_names2::name(c).is_some_and(|official| official.to_string() == name));
    let alias = || ALIASES.binary_search_by_key(&name.as_str(), |row| row.0).ok().map(|place| ALIASES[place].1);
    official.or_else(alias)
}

/// `\N{NAME}`
fn named(body: &str, at: usize, out: &mut Vec<u8>) -> Result<usize, String> {
    let malformed = |end| unicode_error(body, at, end, "malformed \\N character escape");
    let rest = &body[at + 2..];
    let Some(rest) = rest.strip_prefix('{') else { return Err(malformed(at + 2)) };
    let length = rest.find('}').ok_or_else(|| malformed(body.len()))?;
    if length == 0 {
        return Err(malformed(at + 3));
    }
    let end = at + 3 + length + 1;
    match character_by_name(&rest[..length]) {
        Some(c) => {
            push_code_point(out, c as u32);
            Ok(end)
        }
        None => Err(unicode_error(body, at, end, "unknown Unicode character name")),
    }
}

/// CPython's text for an escape that stands at `start..end` of `body`. It counts positions in a form
/// where each character beyond ASCII takes the ten places of its `\UXXXXXXXX`.
fn unicode_error(body: &str, start: usize, end: usize, reason: &str) -> String {
    let place = |at: usize| -> usize { body[..at].chars().map(|c| if c.is_ascii() { 1 } else { 10 }).sum() };
    let (start, end) = (place(start), place(end));
    if end == start + 1 {
        return format!("(unicode error) 'unicodeescape' codec can't decode byte 0x5c in position {start}: {reason}");
    }
    let last = end - 1;
    format!("(unicode error) 'unicodeescape' codec can't decode bytes in position {start}-{last}: {reason}")
}

fn simple_escape(byte: u8) -> Option<u8> {
    Some(match byte {
        b'\\' | b'\'' | b'"' => byte,
        b'a' => 7,
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 11,
        _ => return None,
    })
}

/// The place after a line break at `at`, if one stands there.
fn line_break(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes[at] {
        b'\r' if bytes.get(at + 1) == Some(&b'\n') => Some(at + 2),
        b'\n' | b'\r' => Some(at + 1),
        _ => None,
    }
}

/// The value and length of one to three octal digits.
fn octal(bytes: &[u8]) -> Option<(u32, usize)> {
    let digits = bytes.iter().take(3).take_while(|byte| (b'0'..=b'7').contains(byte));
    let (value, length) = digits.fold((0, 0), |(value, length), &byte| (value * 8 + u32::from(byte - b'0'), length + 1));
    (length > 0).then_some((value, length))
}

fn warn_octal(warning: &mut EscapeWarning, value: u32, digits: &[u8], at: u32) {
    if value > 0o377 && warning.is_none() {
        let digits = String::from_utf8_lossy(digits);
        *warning = Some((at, format!("invalid octal escape sequence '\\{digits}'")));
    }
}

fn warn_escape(warning: &mut EscapeWarning, c: char, at: u32) {
    if warning.is_none() {
        *warning = Some((at, format!("invalid escape sequence '\\{c}'")));
    }
}

/// Appends a code point, a surrogate too, in the form of UTF-8.
fn push_code_point(out: &mut Vec<u8>, value: u32) {
    if let Some(c) = char::from_u32(value) {
        out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
    } else {
        let low = |shift: u32| 0x80 | (value >> shift & 0x3F) as u8;
        out.extend_from_slice(&[0xE0 | (value >> 12) as u8, low(6), low(0)]);
    }
}
