use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::sync::Mutex;

/// Where chance comes from. A seeded one makes a run repeatable.
pub trait Random: Send + Sync + 'static {
    /// Fills the buffer with random bytes.
    fn fill(&self, bytes: &mut [u8]);
}

/// A random UUID, version 4, in lower case.
pub fn uuid(random: &dyn Random) -> String {
    let mut bytes = [0; 16];
    random.fill(&mut bytes);
    uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
}

/// `bytes` random bytes as lower-case hexadecimal text.
pub fn hex(random: &dyn Random, bytes: usize) -> String {
    let mut buffer = vec![0; bytes];
    random.fill(&mut buffer);
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    buffer.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 0xF)]).collect()
}

/// The operating system's random source, fit for keys and tokens.
pub struct SystemRandom;

impl Random for SystemRandom {
    #[expect(clippy::disallowed_methods, reason = "the home of real chance")]
    fn fill(&self, bytes: &mut [u8]) {
        // Version 4 UUIDs carry 122 random bits from the system; the fourteen bytes used here
        // leave out the two that hold the version and the variant.
        for chunk in bytes.chunks_mut(14) {
            let uuid = *uuid::Uuid::new_v4().as_bytes();
            let whole = uuid.iter().enumerate().filter(|(i, _)| *i != 6 && *i != 8);
            chunk.iter_mut().zip(whole).for_each(|(byte, (_, random))| *byte = *random);
        }
    }
}

/// A repeatable sequence (SplitMix64), for tests and simulation only.
pub struct SeededRandom(Mutex<u64>);

impl SeededRandom {
    /// The same seed gives the same bytes.
    pub fn new(seed: u64) -> SeededRandom {
        SeededRandom(Mutex::new(seed))
    }

    /// A seed nobody chose, for tests that print it.
    pub fn unseeded() -> SeededRandom {
        SeededRandom::new(RandomState::new().build_hasher().finish())
    }

    fn next(&self) -> u64 {
        let mut state = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
}

impl Random for SeededRandom {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            let word = self.next().to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_and_the_system_does_not() {
        let (one, two) = (SeededRandom::new(7), SeededRandom::new(7));
        assert_eq!(uuid(&one), uuid(&two));
        assert_ne!(uuid(&SystemRandom), uuid(&SystemRandom));
        assert_eq!(hex(&SystemRandom, 31).len(), 62);
    }
}
