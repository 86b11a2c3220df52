//! When a connection runs: values in, a decision out.
//!
//! Nothing here waits, reads a clock or knows what a run is; `now` is an argument. So the same facts
//! always give the same decision, and a table of cases tests them.

mod backoff;
mod cron;
mod decide;
mod track;
mod window;

pub(crate) use backoff::{Heals, heals};
pub(crate) use decide::{Decision, Facts, Failure, Length, Why, decide, expected};
pub(crate) use track::{Track, selection, tracks};

/// A number in `0.0..1.0` that is the same whenever it is asked for the same things: what spreads
/// connections over time without making their times a surprise.
pub(crate) fn spread(of: &str, about: i64) -> f64 {
    // FNV-1a, finished as in SplitMix64: the same in every version of this program.
    let bytes = of.bytes().chain(about.to_le_bytes());
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mixed = (hash ^ hash >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = mixed ^ mixed >> 27;
    (mixed >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_spread_evenly_and_for_good() {
        assert_eq!(spread("shop", 7).to_bits(), spread("shop", 7).to_bits());
        let values: Vec<f64> = (0..1000).map(|n| spread(&format!("c{n}"), 0)).collect();
        assert!(values.iter().all(|value| (0.0..1.0).contains(value)));
        let low = values.iter().filter(|value| **value < 0.25).count();
        assert!((200..300).contains(&low), "{low}");
    }
}
