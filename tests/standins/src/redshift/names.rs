//! Names: folded to lower case, and those that are too long for PostgreSQL, which keeps 63 bytes.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// Bytes of a name that PostgreSQL keeps.
const KEPT: usize = 63;

/// The long names that were seen, by what they are called in PostgreSQL.
#[derive(Debug, Default)]
pub(super) struct Names(Mutex<HashMap<String, String>>);

impl Names {
    /// What a name is called in PostgreSQL.
    pub(super) fn inside(&self, name: &str) -> String {
        let name = name.to_ascii_lowercase();
        if name.len() <= KEPT {
            return name;
        }
        let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        let short = format!("{}~{hash:016x}", &name[..name.floor_char_boundary(40)]);
        self.known().insert(short.clone(), name);
        short
    }

    /// The name of what is called so in PostgreSQL.
    pub(super) fn outside(&self, name: &str) -> Option<String> {
        self.known().get(name).cloned()
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<String, String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A name in quotes.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
