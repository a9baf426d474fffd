//! From bytes to text: the byte order mark and PEP 263 comments.

use std::borrow::Cow;

use crate::error::SyntaxError;

/// The text of a source. An encoding other than UTF-8, ASCII and Latin-1 is refused.
pub(crate) fn decode(source: &[u8]) -> Result<Cow<'_, str>, SyntaxError> {
    let marked = source.starts_with(b"\xEF\xBB\xBF");
    let text = if marked { &source[3..] } else { source };
    let declared = declared_encoding(text);
    let encoding = declared.as_deref().map_or(Some("utf-8"), known);
    // CPython knows the encoding of a marked source by one name only.
    if let Some(name) = declared.as_ref().filter(|name| marked && !is_utf_8(name)) {
        let name = if encoding == Some("latin-1") { "iso-8859-1" } else { name };
        return Err(error(format!("encoding problem: {name} with BOM"), 0));
    }
    match encoding {
        Some("utf-8") => match std::str::from_utf8(text) {
            Ok(text) => Ok(Cow::Borrowed(text)),
            Err(problem) => Err(not_utf8(text, problem.valid_up_to(), declared.is_some())),
        },
        Some("ascii") => match text.iter().position(|byte| !byte.is_ascii()) {
            None => Ok(String::from_utf8_lossy(text)),
            Some(at) => {
                let message = format!(
                    "'ascii' codec can't decode byte 0x{:02x} in position {at}: \
                     ordinal not in range(128)",
                    text[at]
                );
                Err(error(message, 0))
            }
        },
        Some(_) => Ok(Cow::Owned(text.iter().map(|&byte| byte as char).collect())),
        None => {
            let name = declared.unwrap_or_default();
            Err(error(format!("unknown encoding: {name}"), 0))
        }
    }
}

/// The encoding that a PEP 263 comment on the first or second line names; on the second only if the
/// first has nothing but a comment.
pub fn declared_encoding(source: &[u8]) -> Option<String> {
    let text = source.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(source);
    let mut rest = text;
    for _ in 0..2 {
        let end = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')).unwrap_or(rest.len());
        let line = &rest[..end];
        let after = if rest[end..].starts_with(b"\r\n") { end + 2 } else { end + 1 };
        let blank = line.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\x0C')).count();
        let line = &line[blank..];
        if line.first() == Some(&b'#') {
            if let Some(name) = named(line) {
                return Some(name);
            }
        } else if !line.is_empty() {
            return None;
        }
        rest = rest.get(after..)?;
    }
    None
}

/// What follows `coding:` or `coding=` in a comment.
fn named(comment: &[u8]) -> Option<String> {
    let key = b"coding";
    let at = comment.windows(key.len() + 1).position(|window| window.starts_with(key) && matches!(window[key.len()], b':' | b'='))?;
    let rest = &comment[at + key.len() + 1..];
    let rest = rest.trim_ascii_start();
    let is_name = |byte: &&u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let name: String = rest.iter().take_while(is_name).map(|&byte| byte as char).collect();
    (!name.is_empty()).then_some(name)
}

fn is_utf_8(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace('_', "-");
    name == "utf-8" || name.starts_with("utf-8-")
}

/// The encodings that sources may have, under their many names.
fn known(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase().replace('_', "-");
    let name = name.as_str();
    if is_utf_8(name) || name == "utf8" || name == "u8" {
        return Some("utf-8");
    }
    if ["latin-1", "iso-8859-1", "iso-latin-1"]
        .iter()
        .any(|latin| name.strip_prefix(latin).is_some_and(|rest| rest.is_empty() || rest.starts_with('-')))
    {
        return Some("latin-1");
    }
    match name {
        "ascii" | "us-ascii" | "646" => Some("ascii"),
        "latin1" | "latin" | "l1" | "iso8859-1" | "8859" | "cp819" => Some("latin-1"),
        _ => None,
    }
}

fn not_utf8(text: &[u8], at: usize, declared: bool) -> SyntaxError {
    let line = text[..at].split(|&byte| byte == b'\n').count() as u32;
    let (byte, bad) = (text[at], at);
    let message = if declared || at > 0 {
        let reason = match byte {
            0xC2..=0xF4 if at + 1 >= text.len() => "unexpected end of data",
            0xC2..=0xF4 => "invalid continuation byte",
            _ => "invalid start byte",
        };
        format!("(unicode error) 'utf-8' codec can't decode byte 0x{byte:02x} in position {bad}: {reason}")
    } else {
        format!(
            "Non-UTF-8 code starting with '\\x{byte:02x}' on line {line}, but no encoding declared; see https://peps.python.org/pep-0263/ for details"
        )
    };
    error(message, line)
}

fn error(message: String, line: u32) -> SyntaxError {
    SyntaxError { line, end_line: line, ..SyntaxError::nowhere(message) }
}
