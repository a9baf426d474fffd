//! UTF-8, UTF-16 and UTF-32.

use super::super::pace;
use super::super::text::push_wtf8;
use super::super::view::TextView;
use super::{Decoder, Encoder, Failure, Order};

/// The byte-order mark as UTF-8.
pub(super) const UTF8_MARK: [u8; 3] = [0xEF, 0xBB, 0xBF];
const MARK: u32 = 0xFEFF;
const NO_SURROGATES: &str = "surrogates not allowed";

/// Decodes from `at`; says how many bytes were used.
pub(super) fn decode_utf8<E>(decoder: &mut Decoder<'_, '_, E>, mut at: usize) -> Result<usize, Failure<E>> {
    let mut counted = pace::Counted::default();
    loop {
        let rest = &decoder.bytes[at..];
        let error = match str::from_utf8(rest) {
            Ok(string) => {
                push_valid(decoder, string);
                return Ok(decoder.bytes.len());
            }
            Err(error) => error,
        };
        let valid = error.valid_up_to();
        push_valid(decoder, str::from_utf8(&rest[..valid]).expect("the error says that this is valid"));
        let start = at + valid;
        if !counted.go_on() {
            return Ok(start);
        }
        let Some(len) = error.error_len() else {
            if !decoder.last {
                return Ok(start);
            }
            at = decoder.recover("utf-8", start, decoder.bytes.len(), "unexpected end of data")?;
            continue;
        };
        let reason = if matches!(decoder.bytes[start], 0xC2..=0xF4) { "invalid continuation byte" } else { "invalid start byte" };
        at = decoder.recover("utf-8", start, start + len, reason)?;
    }
}

fn push_valid<E>(decoder: &mut Decoder<'_, '_, E>, mut string: &str) {
    while string.len() > pace::PIECE {
        let (piece, rest) = string.split_at(string.floor_char_boundary(pace::PIECE));
        decoder.out.push_str(piece);
        if !pace::go_on() {
            return;
        }
        string = rest;
    }
    decoder.out.push_str(string);
}

/// As UTF-8, without the mark at the beginning.
pub(super) fn decode_utf8_sig<E>(decoder: &mut Decoder<'_, '_, E>) -> Result<usize, Failure<E>> {
    if !decoder.last && decoder.bytes.len() < 3 && UTF8_MARK.starts_with(decoder.bytes) {
        return Ok(0);
    }
    let start = if decoder.bytes.starts_with(&UTF8_MARK) { 3 } else { 0 };
    decode_utf8(decoder, start)
}

/// Encodes; runs of surrogates are errors.
pub(super) fn encode_utf8<E>(encoder: &mut Encoder<'_, '_, E>) -> Result<(), Failure<E>> {
    let view = encoder.view;
    if let TextView::Ascii(units) = view {
        encoder.out.extend_from_slice(units);
        return Ok(());
    }
    encoder.out.reserve(view.len() + view.len() / 2);
    let surrogate = |code: u32| (0xD800..0xE000).contains(&code);
    let mut at = 0;
    let mut counted = pace::Counted::default();
    while let Some(code) = view.get(at)
        && counted.go_on()
    {
        if surrogate(code) {
            let end = at + view.slice(at, view.len()).codes().take_while(|&code| surrogate(code)).count();
            at = encoder.recover(("utf-8", at, end, NO_SURROGATES), 1, |out, code| {
                push_wtf8(out, code);
                !surrogate(code)
            })?;
        } else {
            push_wtf8(&mut encoder.out, code);
            at += 1;
        }
    }
    Ok(())
}

/// The order that a mark gives, or the given or native one; and where the text begins.
fn order_of(bytes: &[u8], order: Option<Order>, size: usize) -> (Order, usize) {
    match order {
        Some(order) => (order, 0),
        None if read(bytes, Order::Little, size) == Some(MARK) => (Order::Little, size),
        None if read(bytes, Order::Big, size) == Some(MARK) => (Order::Big, size),
        None => (Order::Little, 0),
    }
}

fn read(bytes: &[u8], order: Order, size: usize) -> Option<u32> {
    let bytes = bytes.get(..size)?;
    let join = |all: u32, byte: &u8| all << 8 | u32::from(*byte);
    Some(match order {
        Order::Little => bytes.iter().rev().fold(0, join),
        Order::Big => bytes.iter().fold(0, join),
    })
}

fn write(out: &mut Vec<u8>, unit: u32, order: Order, size: usize) {
    match order {
        Order::Little => out.extend_from_slice(&unit.to_le_bytes()[..size]),
        Order::Big => out.extend_from_slice(&unit.to_be_bytes()[4 - size..]),
    }
}

/// Decodes; says how many bytes were used.
pub(super) fn decode_utf16<E>(decoder: &mut Decoder<'_, '_, E>, order: Option<Order>) -> Result<usize, Failure<E>> {
    let bytes = decoder.bytes;
    let (order, mut at) = order_of(bytes, order, 2);
    let encoding = match order {
        Order::Little => "utf-16-le",
        Order::Big => "utf-16-be",
    };
    let mut counted = pace::Counted::default();
    while at < bytes.len() && counted.go_on() {
        let Some(unit) = read(&bytes[at..], order, 2) else {
            if !decoder.last {
                return Ok(at);
            }
            at = decoder.recover(encoding, at, bytes.len(), "truncated data")?;
            continue;
        };
        match unit {
            0xD800..0xDC00 => match read(&bytes[at + 2..], order, 2) {
                Some(low @ 0xDC00..0xE000) => {
                    decoder.out.push_code(0x10000 + ((unit & 0x3FF) << 10) + (low & 0x3FF));
                    at += 4;
                }
                Some(_) => {
                    at = decoder.recover(encoding, at, at + 2, "illegal UTF-16 surrogate")?;
                }
                None if !decoder.last => return Ok(at),
                None => {
                    at = decoder.recover(encoding, at, bytes.len(), "unexpected end of data")?;
                }
            },
            0xDC00..0xE000 => at = decoder.recover(encoding, at, at + 2, "illegal encoding")?,
            _ => {
                decoder.out.push_code(unit);
                at += 2;
            }
        }
    }
    Ok(at)
}

/// Decodes; says how many bytes were used.
pub(super) fn decode_utf32<E>(decoder: &mut Decoder<'_, '_, E>, order: Option<Order>) -> Result<usize, Failure<E>> {
    let bytes = decoder.bytes;
    let (order, mut at) = order_of(bytes, order, 4);
    let encoding = match order {
        Order::Little => "utf-32-le",
        Order::Big => "utf-32-be",
    };
    let mut counted = pace::Counted::default();
    while at < bytes.len() && counted.go_on() {
        let Some(code) = read(&bytes[at..], order, 4) else {
            if !decoder.last {
                return Ok(at);
            }
            at = decoder.recover(encoding, at, bytes.len(), "truncated data")?;
            continue;
        };
        match code {
            0xD800..0xE000 => {
                let reason = "code point in surrogate code point range(0xd800, 0xe000)";
                at = decoder.recover(encoding, at, at + 4, reason)?;
            }
            0x11_0000.. => {
                at = decoder.recover(encoding, at, at + 4, "code point not in range(0x110000)")?;
            }
            _ => {
                decoder.out.push_code(code);
                at += 4;
            }
        }
    }
    Ok(at)
}

/// Encodes in units of `SIZE` bytes, after a mark when no order was given.
pub(super) fn encode_wide<const SIZE: usize, E>(
    encoder: &mut Encoder<'_, '_, E>,
    order: Option<Order>,
    encoding: &'static str,
) -> Result<(), Failure<E>> {
    let view = encoder.view;
    encoder.out.reserve((view.len() + 1) * SIZE);
    let written = order.unwrap_or(Order::Little);
    if order.is_none() {
        write(&mut encoder.out, MARK, written, SIZE);
    }
    let push = |out: &mut Vec<u8>, code: u32| {
        if (0xD800..0xE000).contains(&code) {
            return false;
        }
        if SIZE == 2 && code >= 0x10000 {
            write(out, 0xD800 + ((code - 0x10000) >> 10), written, 2);
            write(out, 0xDC00 + (code & 0x3FF), written, 2);
        } else {
            write(out, code, written, SIZE);
        }
        true
    };
    let mut at = 0;
    let mut counted = pace::Counted::default();
    while let Some(code) = view.get(at)
        && counted.go_on()
    {
        at = if push(&mut encoder.out, code) { at + 1 } else { encoder.recover((encoding, at, at + 1, NO_SURROGATES), SIZE, push)? };
    }
    Ok(())
}

fn wide(encoding: &str) -> Option<(Order, usize)> {
    let order = if encoding.ends_with("be") { Order::Big } else { Order::Little };
    match encoding.get(..6)? {
        "utf-16" => Some((order, 2)),
        "utf-32" => Some((order, 4)),
        _ => None,
    }
}

/// The surrogate that stands at the beginning, and its length in bytes, as `surrogatepass` reads it.
pub(super) fn surrogate_at(bytes: &[u8], encoding: &str) -> Option<(u32, usize)> {
    if encoding == "utf-8" {
        return match *bytes {
            [0xED, second @ 0xA0..=0xBF, third @ 0x80..=0xBF, ..] => Some((0xD000 | u32::from(second & 0x3F) << 6 | u32::from(third & 0x3F), 3)),
            _ => None,
        };
    }
    let (order, size) = wide(encoding)?;
    read(bytes, order, size).filter(|code| (0xD800..0xE000).contains(code)).map(|code| (code, size))
}

/// Appends a surrogate as `surrogatepass` writes it; false when the encoding has no way to.
pub(super) fn push_surrogate(out: &mut Vec<u8>, code: u32, encoding: &str) -> bool {
    if encoding == "utf-8" {
        push_wtf8(out, code);
        return true;
    }
    let Some((order, size)) = wide(encoding) else { return false };
    write(out, code, order, size);
    true
}
