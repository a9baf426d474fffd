//! Soft keywords: where `match`, `case` and `type` are no names, and which `with` has parentheses
//! around its items. One pass over the tokens decides, so that the grammar needs no look-ahead.

use crate::ast::NameId;
use crate::token::{Lexeme, Token};

/// The names that are sometimes keywords.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SoftNames {
    pub(crate) match_: NameId,
    pub(crate) case: NameId,
    pub(crate) type_: NameId,
}

/// Turns names into keywords where they are.
pub(crate) fn rewrite(tokens: &mut [Lexeme], names: SoftNames) {
    // For each open block: whether it is the body of a `match`.
    let mut blocks = vec![false];
    let mut line_is_match = false;
    for index in 1..tokens.len() {
        let before = tokens[index - 1].1;
        let line_start = matches!(before, Token::Newline | Token::Indent | Token::Dedent | Token::StartModule);
        match tokens[index].1 {
            Token::Dedent => {
                if blocks.len() > 1 {
                    blocks.pop();
                }
                line_is_match = false;
            }
            Token::Indent => {
                blocks.push(line_is_match);
                line_is_match = false;
            }
            Token::Name(name) => {
                if line_start {
                    line_is_match = name == names.match_ && is_match(tokens, index);
                    if line_is_match {
                        tokens[index].1 = Token::Match(name);
                        continue;
                    }
                    if name == names.case && blocks.last() == Some(&true) && follows_operand(tokens, index) {
                        tokens[index].1 = Token::Case(name);
                        continue;
                    }
                }
                let statement_start = line_start || matches!(before, Token::Semicolon | Token::Colon);
                if name == names.type_ && statement_start && is_type(tokens, index) {
                    tokens[index].1 = Token::Type(name);
                }
            }
            Token::With if is_parenthesised(tokens, index) => tokens[index].1 = Token::WithParen,
            _ if line_start => line_is_match = false,
            _ => {}
        }
    }
}

/// Whether an expression or pattern can begin with it.
fn begins_operand(token: Token) -> bool {
    matches!(
        token,
        Token::Name(_)
            | Token::Number(_)
            | Token::String(_)
            | Token::FStart(_)
            | Token::LeftParen
            | Token::LeftBracket
            | Token::LeftBrace
            | Token::Minus
            | Token::Plus
            | Token::Tilde
            | Token::Star
            | Token::Ellipsis
            | Token::Not
            | Token::Lambda
            | Token::Await
            | Token::None
            | Token::True
            | Token::False
    )
}

/// Whether an expression or pattern can begin after the token.
fn follows_operand(tokens: &[Lexeme], index: usize) -> bool {
    tokens.get(index + 1).is_some_and(|lexeme| begins_operand(lexeme.1))
}

/// A line that begins with `match` and ends with a colon is no expression statement.
fn is_match(tokens: &[Lexeme], index: usize) -> bool {
    if !follows_operand(tokens, index) {
        return false;
    }
    let end = tokens[index..].iter().position(|lexeme| matches!(lexeme.1, Token::Newline | Token::End));
    end.is_some_and(|end| tokens[index + end - 1].1 == Token::Colon)
}

/// `type NAME =` or `type NAME [`
fn is_type(tokens: &[Lexeme], index: usize) -> bool {
    let next = |n: usize| tokens.get(index + n).map(|lexeme| lexeme.1);
    matches!(next(1), Some(Token::Name(_))) && matches!(next(2), Some(Token::Equal | Token::LeftBracket))
}

/// `with (…):`
fn is_parenthesised(tokens: &[Lexeme], index: usize) -> bool {
    if tokens.get(index + 1).is_none_or(|lexeme| lexeme.1 != Token::LeftParen) {
        return false;
    }
    let mut depth = 0;
    for (offset, lexeme) in tokens[index + 1..].iter().enumerate() {
        match lexeme.1 {
            Token::LeftParen | Token::LeftBracket | Token::LeftBrace | Token::FOpen => depth += 1,
            Token::RightParen | Token::RightBracket | Token::RightBrace | Token::FClose => {
                depth -= 1;
                if depth == 0 {
                    let next = tokens.get(index + 1 + offset + 1);
                    return next.is_some_and(|lexeme| lexeme.1 == Token::Colon);
                }
            }
            _ => {}
        }
    }
    false
}
