//! Drives the tables of the generated parser, as `lalrpop_util`'s state machine does, with a short cut.
//!
//! An operand climbs the ladder of precedence one production a step (`Term = Factor`, `Sum = Term` …), and each of these steps leaves the
//! value on the stack as it is: only the state changes, by the state below and the token ahead. So where a climb ends is remembered, and the
//! next one with the same beginning is a single step. (The grammar has fifteen rungs; two thirds of all reductions are such steps.)

use lalrpop_util::ParseError as Error;
use lalrpop_util::state_machine::{ParseError, ParseResult, ParserAction, ParserDefinition, SimulatedReduce, TokenTriple};

use crate::parser::IDENTITY;

/// How many tokens are read between two looks whether anybody waits.
const LOOKS_UP_AFTER: usize = 4096;

/// The most climbs that are remembered.
const MOST_CLIMBS: usize = 4096;

/// Where climbs end: an entry is its key and, in the lowest 16 bits, the last state.
struct Climbs {
    entries: Vec<u64>,
}

impl Climbs {
    fn new(n_tokens: usize) -> Self {
        Self { entries: vec![0; n_tokens.clamp(64, MOST_CLIMBS).next_power_of_two()] }
    }

    /// The state in which a climb from `top` above `below` ends when `token` is ahead; found by `climb` the first time.
    fn end(&mut self, below: i16, top: i16, token: usize, climb: impl FnOnce() -> i16) -> i16 {
        // Never zero, which stands for no entry: there are fewer than 255 kinds of tokens.
        let key = (below as u64 & 0xFFFF) << 40 | (top as u64 & 0xFFFF) << 24 | (token as u64 + 1) << 16;
        // Fibonacci hashing (Knuth, The Art of Computer Programming 3, 6.4).
        let place = (key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as usize & (self.entries.len() - 1);
        let known = self.entries[place];
        if known & !0xFFFF == key {
            return known as i16;
        }
        let end = climb();
        self.entries[place] = key | (end as u64 & 0xFFFF);
        end
    }
}

/// Parses `tokens`: what `lalrpop_util::state_machine::Parser::drive` does for a grammar without error recovery.
pub(crate) fn drive<D, I>(mut definition: D, tokens: I) -> ParseResult<D>
where
    D: ParserDefinition<TokenIndex = usize, StateIndex = i16, Action = i16, ReduceIndex = i16, NonterminalIndex = usize>,
    I: Iterator<Item = Result<TokenTriple<D>, ParseError<D>>>,
{
    let mut climbs = Climbs::new(tokens.size_hint().0);
    let mut states = vec![definition.start_state()];
    let mut symbols = Vec::new();
    let mut last_location = definition.start_location();
    let top_of = |states: &[i16]| states.last().copied().unwrap_or_default();
    'next_token: for (count, token) in tokens.enumerate() {
        let (start, token, end) = token?;
        if count % LOOKS_UP_AFTER == LOOKS_UP_AFTER - 1 && crate::abandon::is_abandoned() {
            return Err(Error::UnrecognizedEof { location: start, expected: Vec::new() });
        }
        last_location = end.clone();
        let Some(index) = definition.token_to_index(&token) else {
            let expected = definition.expected_tokens_from_states(&states);
            return Err(Error::UnrecognizedToken { token: (start, token, end), expected });
        };
        loop {
            let top = top_of(&states);
            let action = definition.action(top, index);
            if let Some(state) = ParserAction::<D>::as_shift(action) {
                let symbol = definition.token_to_symbol(index, token);
                states.push(state);
                symbols.push((start, symbol, end));
                continue 'next_token;
            }
            let Some(production) = ParserAction::<D>::as_reduce(action) else {
                let expected = definition.expected_tokens_from_states(&states);
                return Err(Error::UnrecognizedToken { token: (start, token, end), expected });
            };
            if let ([.., below, top], true) = (&mut states[..], IDENTITY[production as usize]) {
                *top = climbs.end(*below, *top, index, || climb(&definition, *below, *top, index));
                continue;
            }
            match definition.reduce(production, Some(&start), &mut states, &mut symbols) {
                None => {}
                // At the end, but there is more.
                Some(Ok(_)) => return Err(Error::ExtraToken { token: (start, token, end) }),
                Some(Err(error)) => return Err(error),
            }
        }
    }
    loop {
        let action = definition.eof_action(top_of(&states));
        let Some(production) = ParserAction::<D>::as_reduce(action) else {
            let expected = definition.expected_tokens_from_states(&states);
            return Err(Error::UnrecognizedEof { location: last_location, expected });
        };
        if let Some(result) = definition.reduce(production, None, &mut states, &mut symbols) {
            return result;
        }
    }
}

/// Takes the steps from `top` above `below` that leave the value as it is.
fn climb<D>(definition: &D, below: i16, top: i16, token: usize) -> i16
where
    D: ParserDefinition<TokenIndex = usize, StateIndex = i16, Action = i16, ReduceIndex = i16, NonterminalIndex = usize>,
{
    let mut state = top;
    while let Some(production) = ParserAction::<D>::as_reduce(definition.action(state, token)) {
        if !IDENTITY[production as usize] {
            break;
        }
        let SimulatedReduce::Reduce { nonterminal_produced, .. } = definition.simulate_reduce(production) else { break };
        state = definition.goto(below, nonterminal_produced);
    }
    state
}
