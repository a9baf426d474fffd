//! The Mersenne Twister MT19937 (M. Matsumoto and T. Nishimura, ACM TOMACS 8, 1998), seeded and read as CPython's
//! `random` does, so that the same seed gives the same numbers.

#[cfg(test)]
use sha2::{Digest, Sha512};

use super::int::{Int, IntRef};

/// Words of state.
pub(crate) const STATE_WORDS: usize = 624;
const MIDDLE: usize = 397;

/// A generator of pseudo-random numbers.
#[derive(Clone)]
pub(crate) struct MersenneTwister {
    state: Box<[u32; STATE_WORDS]>,
    /// How many of the state's words are used up.
    index: usize,
}

impl MersenneTwister {
    /// Seeded with the magnitude of an integer.
    pub(crate) fn from_int(seed: IntRef<'_>) -> Self {
        let magnitude = seed.abs();
        let length = magnitude.as_ref().bit_length().div_ceil(8) as usize;
        let bytes = magnitude.as_ref().to_bytes(length, true, false).expect("the length is the number's own");
        Self::from_le_bytes(&bytes)
    }

    /// Seeded with a text's UTF-8 or with bytes: what `random.seed(a, version=2)` makes of them.
    #[cfg(test)]
    pub(crate) fn from_bytes(seed: &[u8]) -> Self {
        let mut number = seed.to_vec();
        number.extend_from_slice(&Sha512::digest(seed));
        number.reverse();
        Self::from_le_bytes(&number)
    }

    fn from_le_bytes(bytes: &[u8]) -> Self {
        let mut key: Vec<u32> = bytes.chunks(4).map(|chunk| chunk.iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte))).collect();
        while key.len() > 1 && key.last() == Some(&0) {
            key.pop();
        }
        if key.is_empty() {
            key.push(0);
        }
        Self::from_key(&key)
    }

    /// Seeded with words, at least one: the paper's `init_by_array`.
    fn from_key(key: &[u32]) -> Self {
        let mut state = Box::new([0_u32; STATE_WORDS]);
        state[0] = 19_650_218;
        for index in 1..STATE_WORDS {
            state[index] = mix(state[index - 1], 1_812_433_253).wrapping_add(index as u32);
        }
        let mut index = 1;
        let mut advance = |state: &mut [u32; STATE_WORDS], factor: u32, change: &dyn Fn(u32, usize) -> u32| {
            state[index] = change(state[index] ^ mix(state[index - 1], factor), index);
            index += 1;
            if index == STATE_WORDS {
                state[0] = state[STATE_WORDS - 1];
                index = 1;
            }
        };
        for step in 0..key.len().max(STATE_WORDS) {
            let position = step % key.len();
            let added = key[position].wrapping_add(position as u32);
            advance(&mut state, 1_664_525, &|word, _| word.wrapping_add(added));
        }
        for _ in 1..STATE_WORDS {
            advance(&mut state, 1_566_083_941, &|word, index| word.wrapping_sub(index as u32));
        }
        state[0] = 1 << 31;
        Self { state, index: STATE_WORDS }
    }

    /// The state's words, and how many are used up.
    pub(crate) fn state(&self) -> (&[u32; STATE_WORDS], usize) {
        (&self.state, self.index)
    }

    /// A generator in the given state; `None` if the index is past the end.
    pub(crate) fn from_state(state: &[u32; STATE_WORDS], index: usize) -> Option<Self> {
        (index <= STATE_WORDS).then(|| Self { state: Box::new(*state), index })
    }

    /// 32 random bits.
    pub(crate) fn next_u32(&mut self) -> u32 {
        if self.index >= STATE_WORDS {
            self.twist();
        }
        let mut word = self.state[self.index];
        self.index += 1;
        word ^= word >> 11;
        word ^= word << 7 & 0x9d2c_5680;
        word ^= word << 15 & 0xefc6_0000;
        word ^ word >> 18
    }

    fn twist(&mut self) {
        let state = &mut *self.state;
        for index in 0..STATE_WORDS {
            let joined = state[index] & 0x8000_0000 | state[(index + 1) % STATE_WORDS] & 0x7fff_ffff;
            let reflected = if joined & 1 == 1 { 0x9908_b0df } else { 0 };
            state[index] = state[(index + MIDDLE) % STATE_WORDS] ^ joined >> 1 ^ reflected;
        }
        self.index = 0;
    }

    /// A float in `0.0 <= x < 1.0` with 53 random bits.
    pub(crate) fn random(&mut self) -> f64 {
        let (high, low) = (self.next_u32() >> 5, self.next_u32() >> 6);
        (f64::from(high) * 67_108_864.0 + f64::from(low)) / 9_007_199_254_740_992.0
    }

    /// An integer of `bits` random bits. The caller has charged for them and refused absurd counts.
    pub(crate) fn get_rand_bits(&mut self, bits: u64) -> Int {
        if bits == 0 {
            return Int::Small(0);
        }
        if bits <= 32 {
            return Int::Small(i64::from(self.next_u32() >> (32 - bits)));
        }
        let mut bytes = Vec::with_capacity(bits.div_ceil(32) as usize * 4);
        let mut left = bits;
        while left > 0 {
            let word = self.next_u32();
            bytes.extend_from_slice(&(if left < 32 { word >> (32 - left) } else { word }).to_le_bytes());
            left = left.saturating_sub(32);
        }
        Int::from_bytes(&bytes, true, false)
    }
}

fn mix(word: u32, factor: u32) -> u32 {
    (word ^ word >> 30).wrapping_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_python_s_numbers() {
        let mut generator = MersenneTwister::from_int(IntRef::Small(42));
        assert_eq!(generator.random(), 0.639_426_798_457_883_7);
        assert_eq!(generator.get_rand_bits(16), Int::Small(1_639));
        let mut generator = MersenneTwister::from_bytes(b"seed");
        assert_eq!(generator.random(), 0.138_235_979_220_965_3);
    }
}
