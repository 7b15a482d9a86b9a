//! Hash of the keys of lines. It is several times as fast as the standard library's for such short
//! texts.

use std::hash::{BuildHasher, Hasher, RandomState};

/// Random numbers that nobody outside the process knows, so that nobody can choose names that collide.
#[derive(Clone)]
pub(super) struct Seeds {
    start: u64,
    factor: u64,
}

pub(super) struct KeyHasher {
    state: u64,
    factor: u64,
}

impl Seeds {
    pub(super) fn random() -> Self {
        let random = RandomState::new();
        // An odd factor loses no bit.
        Self { start: random.hash_one(0), factor: random.hash_one(1) | 1 }
    }
}

impl BuildHasher for Seeds {
    type Hasher = KeyHasher;

    fn build_hasher(&self) -> KeyHasher {
        KeyHasher { state: self.start, factor: self.factor }
    }
}

impl KeyHasher {
    #[inline]
    fn mix(&mut self, word: u64) {
        let product = u128::from(self.state ^ word) * u128::from(self.factor);
        self.state = product as u64 ^ (product >> 64) as u64;
    }
}

impl Hasher for KeyHasher {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks();
        for word in words {
            self.mix(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            let word = match bytes.last_chunk() {
                // Without the bytes that are in the word before.
                Some(last) => u64::from_le_bytes(*last) >> (64 - 8 * rest.len()),
                None => rest.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
            };
            // The length tells the word from one with more zeros.
            self.mix(word | (rest.len() as u64) << 56);
        }
    }

    fn finish(&self) -> u64 {
        self.state
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// Texts that differ in one place, at any position and of any length, must not collide, in the
    /// whole hash or in those of its bits that hash tables use.
    #[test]
    fn similar_texts_differ_in_their_hashes() {
        let seeds = Seeds::random();
        let hash = |text: &[u8]| {
            let mut hasher = seeds.build_hasher();
            hasher.write(text);
            hasher.write(b"|c\n");
            hasher.finish()
        };
        let mut texts = BTreeSet::new();
        for len in 0..40 {
            let text = vec![b'a'; len];
            texts.insert(text.clone());
            for position in 0..len {
                for byte in b"bcd" {
                    let mut other = text.clone();
                    other[position] = *byte;
                    texts.insert(other);
                }
            }
        }
        let distinct = |bits: fn(u64) -> u64| {
            texts.iter().map(|text| bits(hash(text))).collect::<BTreeSet<_>>().len()
        };
        assert_eq!(distinct(|hash| hash), texts.len());
        assert_eq!(distinct(|hash| hash >> 57), 128);
        assert!(distinct(|hash| hash & 0xFFFF) * 10 > texts.len() * 9);
    }
}
