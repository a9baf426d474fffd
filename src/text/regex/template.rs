//! The replacement of `sub`: literal text and references to groups.

use super::super::builder::TextBuilder;
use super::super::text::Text;
use super::super::view::TextView;
#[cfg(test)]
use super::Captures;
use super::parse::{Source, Token, group_number, quoted, simple_escape};
use super::{Pattern, PatternError};

/// A part of a replacement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Part {
    /// Text as it is (of bytes: Latin-1).
    Literal(Text),
    /// What a group matched.
    Group(usize),
}

/// Reads a replacement for a pattern.
pub(crate) fn parse(template: TextView<'_>, pattern: &Pattern) -> Result<Vec<Part>, PatternError> {
    let codes: Vec<u32> = template.codes().collect();
    let mut source = Source::new(&codes, !pattern.is_bytes())?;
    let mut parts = Vec::new();
    let mut literal = TextBuilder::new();
    let mut add = |source: &Source<'_>, literal: &mut TextBuilder, group: usize, back: usize| {
        if group > pattern.groups() {
            return source.wrong(format!("invalid group reference {group}"), back);
        }
        if !literal.is_empty() {
            parts.push(Part::Literal(std::mem::take(literal).finish()));
        }
        parts.push(Part::Group(group));
        Ok(())
    };
    while let Some(token) = source.take()? {
        let Token::Escape(code) = token else {
            token.push(&mut literal);
            continue;
        };
        let letter = char::from_u32(code).unwrap_or('\u{FFFD}');
        match letter {
            'g' => {
                if !source.take_if('<')? {
                    return source.wrong("missing <", 0);
                }
                let name = source.take_until('>', "group name")?;
                let group = if let Some(number) = group_number(&name) {
                    number
                } else {
                    source.check_group_name(&name)?;
                    let number = pattern.group_number(name.view());
                    number.ok_or_else(|| PatternError::Index(quoted("unknown group name ", &name, false)))?
                };
                add(&source, &mut literal, group, name.len() + 1)?;
            }
            '0' => {
                let mut code = 0;
                for _ in 0..2 {
                    if let Some(digit) = source.take_digit(8)?.and_then(|digit| digit.to_digit(8)) {
                        code = code * 8 + digit;
                    }
                }
                literal.push_code(code & 0xFF);
            }
            '1'..='9' => {
                let mut escape = format!("\\{letter}");
                escape.extend(source.take_digit(10)?);
                if escape.len() == 3
                    && escape[1..].bytes().all(|byte| (b'0'..=b'7').contains(&byte))
                    && let Some(digit) = source.take_digit(8)?
                {
                    escape.push(digit);
                    let code = u32::from_str_radix(&escape[1..], 8).expect("octal digits only");
                    if code > 0o377 {
                        return source.wrong(format!("octal escape value {escape} outside of range 0-0o377"), escape.len());
                    }
                    literal.push_code(code);
                    continue;
                }
                let group = escape[1..].parse().expect("one or two digits");
                add(&source, &mut literal, group, escape.len() - 1)?;
            }
            _ => match simple_escape(code) {
                Some(code) => literal.push_code(code),
                None if letter.is_ascii_alphabetic() => {
                    return source.wrong(format!("bad escape \\{letter}"), 2);
                }
                None => token.push(&mut literal),
            },
        }
    }
    if !literal.is_empty() {
        parts.push(Part::Literal(literal.finish()));
    }
    Ok(parts)
}

/// Appends a replacement for a match in a text.
#[cfg(test)]
pub(crate) fn expand(parts: &[Part], captures: &Captures, subject: TextView<'_>, out: &mut TextBuilder) {
    for part in parts {
        match part {
            Part::Literal(text) => out.push_text(text),
            Part::Group(group) => {
                if let Some((start, end)) = captures.group(*group) {
                    out.push_view(subject.slice(start, end));
                }
            }
        }
    }
}
