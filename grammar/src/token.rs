//! The tokens: the raw ones, which logos finds, and those the grammar reads.

use crate::ast::{ExprId, NameId};

/// Declares the tokens that are always written the same way, in both their forms.
macro_rules! tokens {
    (words { $($word:ident $word_text:literal,)* } symbols { $($symbol:ident $symbol_text:literal,)* }) => {
        /// What logos finds; names, numbers and strings are only begun by it.
        #[derive(logos::Logos, Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Raw {
            $(#[token($word_text)] $word,)*
            $(#[token($symbol_text)] $symbol,)*
            #[regex("[ \t\x0C]+")]
            Blank,
            #[regex("#[^\r\n]*", allow_greedy = true)]
            Comment,
            #[regex("\r?\n|\r")]
            LineBreak,
            #[token("\\")]
            Backslash,
            #[regex("[A-Za-z_][A-Za-z0-9_]*", priority = 1)]
            Name,
            #[regex("\\.?[0-9]")]
            NumberStart,
            #[regex("([rRbBuUfF]|[bB][rR]|[rR][bB]|[fF][rR]|[rR][fF])?('|\"|'''|\"\"\")")]
            Quote,
        }

        impl Raw {
            /// The grammar's token, for those that are always written the same way.
            pub(crate) fn token(self) -> Option<Token> {
                match self {
                    $(Self::$word => Some(Token::$word),)*
                    $(Self::$symbol => Some(Token::$symbol),)*
                    _ => None,
                }
            }
        }

        /// What the grammar reads: 8 bytes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Token {
            $(#[doc = concat!("`", $word_text, "`")] $word,)*
            $(#[doc = concat!("`", $symbol_text, "`")] $symbol,)*
            /// The first token of a file.
            StartModule,
            /// The first token of what `eval` gets.
            StartExpression,
            /// The end of a logical line.
            Newline,
            /// The next line stands deeper.
            Indent,
            /// The next line stands less deep.
            Dedent,
            /// The end of the source.
            End,
            /// An identifier, or a soft keyword where it is none.
            Name(NameId),
            /// A number, already a constant in the tree.
            Number(ExprId),
            /// A string literal: its index in [`crate::lexer::Lexed::strings`].
            String(u32),
            /// The prefix and quote of an f-string; the index of its entry in the strings.
            FStart(u32),
            /// Text between the fields of an f-string; whether it is raw, and whether it is in a format.
            FText { raw: bool, format: bool },
            /// `{` in an f-string.
            FOpen,
            /// `:` before a format.
            FColon,
            /// `}` in an f-string.
            FClose,
            /// The quote that ends an f-string.
            FEnd,
            /// `match` where it begins a statement of that name.
            Match(NameId),
            /// `case` in a `match`.
            Case(NameId),
            /// `type` where it begins an alias.
            Type(NameId),
            /// `with` before a parenthesised list of items.
            WithParen,
            /// A character that begins no token.
            Unknown,
        }

        impl Token {
            /// Whether it is a keyword.
            pub(crate) fn is_keyword(self) -> bool {
                matches!(self, $(Self::$word)|* | Self::WithParen)
            }
        }
    };
}

tokens! {
    words {
        False "False",
        None "None",
        True "True",
        And "and",
        As "as",
        Assert "assert",
        Async "async",
        Await "await",
        Break "break",
        Class "class",
        Continue "continue",
        Def "def",
        Del "del",
        Elif "elif",
        Else "else",
        Except "except",
        Finally "finally",
        For "for",
        From "from",
        Global "global",
        If "if",
        Import "import",
        In "in",
        Is "is",
        Lambda "lambda",
        Nonlocal "nonlocal",
        Not "not",
        Or "or",
        Pass "pass",
        Raise "raise",
        Return "return",
        Try "try",
        While "while",
        With "with",
        Yield "yield",
    }
    symbols {
        LeftParen "(",
        RightParen ")",
        LeftBracket "[",
        RightBracket "]",
        LeftBrace "{",
        RightBrace "}",
        Colon ":",
        ColonEqual ":=",
        Comma ",",
        Semicolon ";",
        Dot ".",
        Ellipsis "...",
        Arrow "->",
        At "@",
        Equal "=",
        Exclamation "!",
        Plus "+",
        Minus "-",
        Star "*",
        DoubleStar "**",
        Slash "/",
        DoubleSlash "//",
        Percent "%",
        Ampersand "&",
        Bar "|",
        Caret "^",
        Tilde "~",
        LeftShift "<<",
        RightShift ">>",
        EqualEqual "==",
        NotEqual "!=",
        OldNotEqual "<>",
        Less "<",
        LessEqual "<=",
        Greater ">",
        GreaterEqual ">=",
        PlusEqual "+=",
        MinusEqual "-=",
        StarEqual "*=",
        DoubleStarEqual "**=",
        SlashEqual "/=",
        DoubleSlashEqual "//=",
        PercentEqual "%=",
        AtEqual "@=",
        AmpersandEqual "&=",
        BarEqual "|=",
        CaretEqual "^=",
        LeftShiftEqual "<<=",
        RightShiftEqual ">>=",
    }
}

const _: () = assert!(size_of::<Token>() == 8);

/// A token and the bytes it stands at.
pub(crate) type Lexeme = (u32, Token, u32);
