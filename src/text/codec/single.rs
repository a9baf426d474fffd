//! Encodings of one byte per character.

use super::super::pace;
use super::super::view::TextView;
use super::{Decoder, Encoder, Encoding, Failure};

/// What 0x80 to 0x9F mean in Windows-1252; 0 is undefined.
const CP1252: [u16; 32] = [
    0x20AC, 0, 0x201A, 0x0192, 0x201E, 0x2026, 0x2020, 0x2021, 0x02C6, 0x2030, 0x0160, 0x2039, 0x0152, 0, 0x017D, 0, 0, 0x2018, 0x2019, 0x201C,
    0x201D, 0x2022, 0x2013, 0x2014, 0x02DC, 0x2122, 0x0161, 0x203A, 0x0153, 0, 0x017E, 0x0178,
];

/// Where ISO 8859-15 differs from Latin-1.
const LATIN9: [(u8, u16); 8] =
    [(0xA4, 0x20AC), (0xA6, 0x0160), (0xA8, 0x0161), (0xB4, 0x017D), (0xB8, 0x017E), (0xBC, 0x0152), (0xBD, 0x0153), (0xBE, 0x0178)];

fn code_of(byte: u8, encoding: Encoding) -> Option<u32> {
    match encoding {
        Encoding::Ascii => byte.is_ascii().then_some(byte.into()),
        Encoding::Cp1252 if (0x80..0xA0).contains(&byte) => Some(CP1252[usize::from(byte - 0x80)]).filter(|&code| code != 0).map(u32::from),
        Encoding::Latin9 => Some(LATIN9.iter().find(|pair| pair.0 == byte).map_or(byte.into(), |pair| u32::from(pair.1))),
        _ => Some(byte.into()),
    }
}

fn byte_of(code: u32, encoding: Encoding) -> Option<u8> {
    let byte = u8::try_from(code).ok();
    match encoding {
        Encoding::Ascii => byte.filter(u8::is_ascii),
        Encoding::Cp1252 if !matches!(code, 0..0x80 | 0xA0..0x100) => {
            CP1252.iter().position(|&other| u32::from(other) == code && code != 0).map(|index| 0x80 + index as u8)
        }
        Encoding::Latin9 => match LATIN9.iter().find(|pair| u32::from(pair.1) == code) {
            Some(pair) => Some(pair.0),
            None => byte.filter(|&byte| LATIN9.iter().all(|pair| pair.0 != byte)),
        },
        _ => byte,
    }
}

fn words(encoding: Encoding) -> (&'static str, &'static str) {
    match encoding {
        Encoding::Ascii => ("ascii", "ordinal not in range(128)"),
        Encoding::Latin1 => ("latin-1", "ordinal not in range(256)"),
        _ => ("charmap", "character maps to <undefined>"),
    }
}

/// Decodes all bytes.
pub(super) fn decode<E>(decoder: &mut Decoder<'_, '_, E>, encoding: Encoding) -> Result<usize, Failure<E>> {
    let (name, reason) = words(encoding);
    let mut at = 0;
    let mut counted = pace::Counted::default();
    while at < decoder.bytes.len() && counted.go_on() {
        at = match code_of(decoder.bytes[at], encoding) {
            Some(code) => {
                decoder.out.push_code(code);
                at + 1
            }
            None => decoder.recover(name, at, at + 1, reason)?,
        };
    }
    Ok(at)
}

/// Encodes; runs of characters without a byte are errors.
pub(super) fn encode<E>(encoder: &mut Encoder<'_, '_, E>, encoding: Encoding) -> Result<(), Failure<E>> {
    let view = encoder.view;
    if let TextView::Ascii(units) = view {
        encoder.out.extend_from_slice(units);
        return Ok(());
    }
    let (name, reason) = words(encoding);
    encoder.out.reserve(view.len());
    let push = |out: &mut Vec<u8>, code: u32| {
        let byte = byte_of(code, encoding);
        out.extend(byte);
        byte.is_some()
    };
    let mut at = 0;
    let mut counted = pace::Counted::default();
    while let Some(code) = view.get(at)
        && counted.go_on()
    {
        at = if push(&mut encoder.out, code) {
            at + 1
        } else {
            let bad = view.slice(at, view.len()).codes().take_while(|&code| byte_of(code, encoding).is_none()).count();
            encoder.recover((name, at, at + bad, reason), 1, push)?
        };
    }
    Ok(())
}
