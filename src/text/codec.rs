//! Encodings: bytes to text and back, with Python's error handlers.
//!
//! [`decode`] and [`encode`] hand every problem to one place, [`Errors`], which knows the built-in handlers and asks
//! a callback for those that a script registered.

mod escape;
mod single;
mod unicode;

use super::builder::TextBuilder;
use super::character;
use super::repr::push_escape;
use super::text::Text;
use super::view::TextView;

/// An encoding this build knows by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// UTF-8.
    Utf8,
    /// UTF-8 that begins with a byte-order mark, which decoding drops when it is there.
    Utf8Sig,
    /// UTF-16; without an order, a byte-order mark decides or is written.
    Utf16(Option<Order>),
    /// UTF-32; without an order, a byte-order mark decides or is written.
    Utf32(Option<Order>),
    /// The first 256 code points.
    Latin1,
    /// The first 128 code points.
    Ascii,
    /// Western Windows.
    Cp1252,
    /// Latin-1 with the euro sign.
    Latin9,
    /// Escapes as in a string literal.
    UnicodeEscape,
    /// Escapes as in a raw literal of old: only `\u` and `\U`.
    RawUnicodeEscape,
}

/// Which byte comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// The least significant.
    Little,
    /// The most significant.
    Big,
}

impl Encoding {
    /// The encoding of a name or alias, in any case and with `-`, `_` or space between its parts.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        let name: String = name.chars().map(|char| if matches!(char, '-' | ' ') { '_' } else { char.to_ascii_lowercase() }).collect();
        Some(match name.as_str() {
            "utf_8" | "utf8" | "u8" | "utf" | "cp65001" | "utf8_ucs2" | "utf8_ucs4" => Self::Utf8,
            "utf_8_sig" | "utf8_sig" => Self::Utf8Sig,
            "utf_16" | "utf16" | "u16" => Self::Utf16(None),
            "utf_16_le" | "utf_16le" | "utf16_le" | "unicodelittleunmarked" => Self::Utf16(Some(Order::Little)),
            "utf_16_be" | "utf_16be" | "utf16_be" | "unicodebigunmarked" => Self::Utf16(Some(Order::Big)),
            "utf_32" | "utf32" | "u32" => Self::Utf32(None),
            "utf_32_le" | "utf_32le" | "utf32_le" => Self::Utf32(Some(Order::Little)),
            "utf_32_be" | "utf_32be" | "utf32_be" => Self::Utf32(Some(Order::Big)),
            "latin_1" | "latin1" | "latin" | "l1" | "iso_8859_1" | "iso8859_1" | "iso8859" | "8859" | "cp819" | "ibm819" => Self::Latin1,
            "ascii" | "us_ascii" | "646" | "us" | "ansi_x3.4_1968" | "iso646_us" | "cp367" | "ibm367" => Self::Ascii,
            "cp1252" | "1252" | "windows_1252" => Self::Cp1252,
            "iso8859_15" | "iso_8859_15" | "latin_9" | "latin9" | "l9" => Self::Latin9,
            "unicode_escape" | "unicodeescape" => Self::UnicodeEscape,
            "raw_unicode_escape" | "rawunicodeescape" => Self::RawUnicodeEscape,
            _ => return None,
        })
    }

    /// The name as `codecs.lookup(…).name` gives it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Utf8Sig => "utf-8-sig",
            Self::Utf16(None) => "utf-16",
            Self::Utf16(Some(Order::Little)) => "utf-16-le",
            Self::Utf16(Some(Order::Big)) => "utf-16-be",
            Self::Utf32(None) => "utf-32",
            Self::Utf32(Some(Order::Little)) => "utf-32-le",
            Self::Utf32(Some(Order::Big)) => "utf-32-be",
            Self::Latin1 => "iso8859-1",
            Self::Ascii => "ascii",
            Self::Cp1252 => "cp1252",
            Self::Latin9 => "iso8859-15",
            Self::UnicodeEscape => "unicode_escape",
            Self::RawUnicodeEscape => "raw_unicode_escape",
        }
    }
}

/// What cannot be encoded or decoded: the attributes of a `UnicodeEncodeError` or `UnicodeDecodeError`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CodecError {
    /// Whether bytes were being decoded.
    pub(crate) decoding: bool,
    /// The encoding as error messages name it.
    pub(crate) encoding: &'static str,
    /// Where the bad part begins, in bytes or code points of the input.
    pub(crate) start: usize,
    /// Where it ends.
    pub(crate) end: usize,
    /// What is wrong with it.
    pub(crate) reason: &'static str,
}

/// What to do about what cannot be encoded or decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Policy {
    /// Raise it.
    Strict,
    /// Leave it out.
    Ignore,
    /// Put `?` or U+FFFD.
    Replace,
    /// Put escapes.
    BackslashReplace,
    /// Bytes that cannot be decoded become low surrogates, and these become bytes again.
    SurrogateEscape,
    /// The Unicode encodings let surrogates pass.
    SurrogatePass,
    /// Put `&#…;` (encoding only).
    XmlCharRefReplace,
    /// Put `\N{…}` (encoding only).
    NameReplace,
    /// Ask the callback.
    Hook,
}

impl Policy {
    /// The handler of a name; `None` for those a script may have registered.
    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Some(match name {
            "strict" => Self::Strict,
            "ignore" => Self::Ignore,
            "replace" => Self::Replace,
            "backslashreplace" => Self::BackslashReplace,
            "surrogateescape" => Self::SurrogateEscape,
            "surrogatepass" => Self::SurrogatePass,
            "xmlcharrefreplace" => Self::XmlCharRefReplace,
            "namereplace" => Self::NameReplace,
            _ => return None,
        })
    }
}

/// What a handler puts in place of the bad part.
#[derive(Debug, Clone)]
pub(crate) enum Replacement {
    /// Text; encoding encodes it, and raises the first error if that fails.
    Text(Text),
    /// Bytes as they are (encoding only).
    Bytes(Vec<u8>),
}

/// Answers an error with what to put and where to go on, at most the input's length.
pub(crate) type Hook<'a, E> = &'a mut dyn FnMut(&CodecError) -> Result<(Replacement, usize), E>;

/// How to treat errors.
pub(crate) struct Errors<'a, E> {
    policy: Policy,
    hook: Option<Hook<'a, E>>,
}

impl<'a, E> Errors<'a, E> {
    /// One of the built-in handlers.
    pub(crate) fn new(policy: Policy) -> Self {
        Self { policy, hook: None }
    }

    /// A callback.
    pub(crate) fn with_hook(hook: Hook<'a, E>) -> Self {
        Self { policy: Policy::Hook, hook: Some(hook) }
    }
}

/// Why encoding or decoding ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure<E> {
    /// Raise it as a `UnicodeEncodeError` or `UnicodeDecodeError`.
    Codec(CodecError),
    /// `don't know how to handle UnicodeDecodeError in error callback`, a `TypeError`.
    WrongHandler,
    /// "can't encode/decode" gave bytes where text is wanted: a `TypeError`.
    BytesForText,
    /// The callback failed.
    Hook(E),
}

/// Text, and how many bytes it was made of.
pub(crate) struct Decoded {
    /// The text.
    pub(crate) text: Text,
    /// Bytes that were used; fewer than given only when more were said to follow.
    pub(crate) consumed: usize,
}

/// Text of bytes. Without `last`, what is incomplete at the end is left for the next call.
pub(crate) fn decode<E>(bytes: &[u8], encoding: Encoding, errors: &mut Errors<'_, E>, last: bool) -> Result<Decoded, Failure<E>> {
    if bytes.is_ascii()
        && matches!(encoding, Encoding::Utf8 | Encoding::Utf8Sig | Encoding::Ascii | Encoding::Latin1 | Encoding::Cp1252 | Encoding::Latin9)
    {
        return Ok(Decoded { text: Text::from_ascii(bytes), consumed: bytes.len() });
    }
    let mut decoder = Decoder { bytes, errors, last, out: TextBuilder::with_capacity(bytes.len()) };
    let consumed = match encoding {
        Encoding::Utf8 => unicode::decode_utf8(&mut decoder, 0)?,
        Encoding::Utf8Sig => unicode::decode_utf8_sig(&mut decoder)?,
        Encoding::Utf16(order) => unicode::decode_utf16(&mut decoder, order)?,
        Encoding::Utf32(order) => unicode::decode_utf32(&mut decoder, order)?,
        Encoding::Latin1 | Encoding::Ascii | Encoding::Cp1252 | Encoding::Latin9 => single::decode(&mut decoder, encoding)?,
        Encoding::UnicodeEscape => escape::decode(&mut decoder)?,
        Encoding::RawUnicodeEscape => escape::decode_raw(&mut decoder)?,
    };
    Ok(Decoded { text: decoder.out.finish(), consumed })
}

/// Bytes of text.
pub(crate) fn encode<E>(view: TextView<'_>, encoding: Encoding, errors: &mut Errors<'_, E>) -> Result<Vec<u8>, Failure<E>> {
    let mut encoder = Encoder { view, errors, out: Vec::new() };
    match encoding {
        Encoding::Utf8 => unicode::encode_utf8(&mut encoder)?,
        Encoding::Utf8Sig => {
            encoder.out.extend(unicode::UTF8_MARK);
            unicode::encode_utf8(&mut encoder)?;
        }
        Encoding::Utf16(order) => {
            unicode::encode_wide::<2, E>(&mut encoder, order, encoding.name())?;
        }
        Encoding::Utf32(order) => {
            unicode::encode_wide::<4, E>(&mut encoder, order, encoding.name())?;
        }
        Encoding::Latin1 | Encoding::Ascii | Encoding::Cp1252 | Encoding::Latin9 => {
            single::encode(&mut encoder, encoding)?;
        }
        Encoding::UnicodeEscape => escape::encode(view, &mut encoder.out),
        Encoding::RawUnicodeEscape => escape::encode_raw(view, &mut encoder.out),
    }
    Ok(encoder.out)
}

/// Text of UTF-8, every error replaced by U+FFFD.
pub(crate) fn decode_utf8_lossy(bytes: &[u8]) -> Text {
    Text::from_string(String::from_utf8_lossy(bytes).into_owned())
}

struct Decoder<'a, 'h, E> {
    bytes: &'a [u8],
    errors: &'a mut Errors<'h, E>,
    last: bool,
    out: TextBuilder,
}

impl<E> Decoder<'_, '_, E> {
    /// Treats the bad bytes `start..end`; says where to go on.
    fn recover(&mut self, encoding: &'static str, start: usize, end: usize, reason: &'static str) -> Result<usize, Failure<E>> {
        let error = CodecError { decoding: true, encoding, start, end, reason };
        let bad = &self.bytes[start..end];
        match self.errors.policy {
            Policy::Ignore => Ok(end),
            Policy::Replace => {
                self.out.push_char('\u{FFFD}');
                Ok(end)
            }
            Policy::BackslashReplace => {
                for &byte in bad {
                    push_escape(&mut self.out, byte.into());
                }
                Ok(end)
            }
            Policy::SurrogateEscape => {
                let escaped = bad.iter().take_while(|&&byte| byte >= 0x80).count();
                bad[..escaped].iter().for_each(|&byte| self.out.push_code(0xDC00 + u32::from(byte)));
                if escaped == 0 { Err(Failure::Codec(error)) } else { Ok(start + escaped) }
            }
            Policy::SurrogatePass => {
                let (code, len) = unicode::surrogate_at(&self.bytes[start..], encoding).ok_or(Failure::Codec(error))?;
                self.out.push_code(code);
                Ok(start + len)
            }
            Policy::XmlCharRefReplace | Policy::NameReplace => Err(Failure::WrongHandler),
            Policy::Strict => Err(Failure::Codec(error)),
            Policy::Hook => {
                let Some(hook) = &mut self.errors.hook else { return Err(Failure::Codec(error)) };
                let (replacement, position) = hook(&error).map_err(Failure::Hook)?;
                let Replacement::Text(text) = replacement else {
                    return Err(Failure::BytesForText);
                };
                self.out.push_text(&text);
                Ok(position.min(self.bytes.len()))
            }
        }
    }
}

struct Encoder<'a, 'h, E> {
    view: TextView<'a>,
    errors: &'a mut Errors<'h, E>,
    out: Vec<u8>,
}

impl<E> Encoder<'_, '_, E> {
    /// Treats the code points `start..end` that cannot be encoded; says where to go on. `encode_text` appends a
    /// replacement in the encoding, false when it cannot; `unit` is what bytes must be a multiple of.
    fn recover(
        &mut self,
        (encoding, start, end, reason): (&'static str, usize, usize, &'static str),
        unit: usize,
        encode_text: impl Fn(&mut Vec<u8>, u32) -> bool,
    ) -> Result<usize, Failure<E>> {
        let error = CodecError { decoding: false, encoding, start, end, reason };
        let bad = self.view.slice(start, end);
        let mut text = TextBuilder::new();
        match self.errors.policy {
            Policy::Strict => return Err(Failure::Codec(error)),
            Policy::Ignore => return Ok(end),
            Policy::Replace => text.push_repeated(u32::from('?'), bad.len()),
            Policy::BackslashReplace => bad.codes().for_each(|code| push_escape(&mut text, code)),
            Policy::XmlCharRefReplace => {
                bad.codes().for_each(|code| text.push_str(&format!("&#{code};")));
            }
            Policy::NameReplace => bad.codes().for_each(|code| push_name(&mut text, code)),
            Policy::SurrogateEscape => {
                let byte = |code: u32| (0xDC80..=0xDCFF).contains(&code).then_some((code & 0xFF) as u8);
                let bytes: Option<Vec<u8>> = bad.codes().map(byte).collect();
                self.out.extend(bytes.filter(|bytes| bytes.len().is_multiple_of(unit)).ok_or(Failure::Codec(error))?);
                return Ok(end);
            }
            Policy::SurrogatePass => {
                for code in bad.codes() {
                    if !(0xD800..=0xDFFF).contains(&code) || !unicode::push_surrogate(&mut self.out, code, encoding) {
                        return Err(Failure::Codec(error));
                    }
                }
                return Ok(end);
            }
            Policy::Hook => {
                let Some(hook) = &mut self.errors.hook else { return Err(Failure::Codec(error)) };
                let (replacement, position) = hook(&error).map_err(Failure::Hook)?;
                let position = position.min(self.view.len());
                match replacement {
                    Replacement::Text(replacement) => text.push_text(&replacement),
                    Replacement::Bytes(bytes) if bytes.len().is_multiple_of(unit) => {
                        self.out.extend(bytes);
                        return Ok(position);
                    }
                    Replacement::Bytes(_) => return Err(Failure::Codec(error)),
                }
                return if text.view().codes().all(|code| encode_text(&mut self.out, code)) { Ok(position) } else { Err(Failure::Codec(error)) };
            }
        }
        if text.view().codes().all(|code| encode_text(&mut self.out, code)) { Ok(end) } else { Err(Failure::Codec(error)) }
    }
}

/// Appends `\N{…}`, or an escape for a character without a name.
fn push_name(out: &mut TextBuilder, code: u32) {
    match character::name(code) {
        Some(name) => out.push_str(&format!("\\N{{{name}}}")),
        None => push_escape(out, code),
    }
}

#[cfg(test)]
mod tests;
