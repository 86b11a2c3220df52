//! A port of the loopback that stays ours while a server is down.

use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpListener};

use crate::random::Random;

/// Below the ephemeral range, so that no outgoing connection takes it while a server restarts.
const FIRST: u64 = 12_000;
const COUNT: u64 = 18_000;
const ATTEMPTS: usize = 200;

/// A free port, kept from the kit's other processes for as long as this lives.
#[derive(Debug)]
pub struct Port {
    /// Its number.
    pub number: u16,
    _lock: File,
}

impl Port {
    /// Takes one.
    ///
    /// # Panics
    /// Panics where none is free.
    #[must_use]
    pub fn take() -> Self {
        let dir = std::env::temp_dir().join("tributary-ports");
        fs::create_dir_all(&dir).expect("a folder can be made among the temporary files");
        let mut random = Random::new(seed());
        for _ in 0..ATTEMPTS {
            let number = u16::try_from(FIRST + random.below(COUNT)).expect("a port fits");
            let Ok(lock) = File::create(dir.join(number.to_string())) else {
                continue;
            };
            if lock.try_lock().is_ok() && TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok() {
                return Self {
                    number,
                    _lock: lock,
                };
            }
        }
        panic!("no free port found on the loopback in {ATTEMPTS} attempts");
    }
}

/// Different in every process and call; the one place of the kit that is meant to be.
fn seed() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(std::process::id())
}
