//! Names that are legal in a destination.

use tributary_model::Capabilities;

/// The prefix of the system's own columns.
const RESERVED: &str = "_tributary_";
/// Hexadecimal digits of the hash that tells colliding names apart.
const HASH_DIGITS: usize = 8;

/// The destination's name for `source`, given the names that are already taken.
///
/// Who comes first keeps the plain name; a later collision, a name that is too long, empty or
/// reserved gets a hash of the *source's* name, so the same name comes out every time and a column
/// that is added later never renames an older one.
pub(crate) fn legal<'a>(
    source: &str,
    taken: impl IntoIterator<Item = &'a str>,
    capabilities: &Capabilities,
) -> String {
    let plain = truncate(source, capabilities.identifier_bytes);
    let fits = plain.len() == source.len()
        && !source.is_empty()
        && !source.to_lowercase().starts_with(RESERVED);
    let collides = taken
        .into_iter()
        .any(|name| same(name, source, capabilities));
    if fits && !collides {
        source.to_owned()
    } else {
        hashed(source, capabilities)
    }
}

/// Whether two names are one in the destination.
pub(crate) fn same(a: &str, b: &str, capabilities: &Capabilities) -> bool {
    if capabilities.case_insensitive {
        a.to_lowercase() == b.to_lowercase()
    } else {
        a == b
    }
}

fn hashed(source: &str, capabilities: &Capabilities) -> String {
    let hash = blake3::hash(source.as_bytes()).to_hex();
    let room = capabilities
        .identifier_bytes
        .saturating_sub(HASH_DIGITS + 1);
    let readable = if source.to_lowercase().starts_with(RESERVED) {
        &source[1..]
    } else {
        source
    };
    format!(
        "{}_{}",
        truncate(readable, room),
        &hash.as_str()[..HASH_DIGITS]
    )
}

/// The longest prefix of at most `bytes` bytes that ends between characters.
fn truncate(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

#[cfg(test)]
mod tests {
    use tributary_model::Mode;

    use super::*;

    const RULES: Capabilities = Capabilities {
        modes: &[Mode::Merge],
        identifier_bytes: 20,
        case_insensitive: true,
        decimal_digits: 38,
    };

    #[test]
    fn ordinary_names_stay_as_they_are() {
        for name in ["id", "Größe", "with space", "select", "a\"b"] {
            assert_eq!(legal(name, ["other"], &RULES), name);
        }
    }

    #[test]
    fn a_collision_renames_the_newcomer_only() {
        let renamed = legal("ID", ["id"], &RULES);
        assert!(
            renamed.starts_with("ID_") && renamed.len() == 11,
            "{renamed}"
        );
        assert_eq!(renamed, legal("ID", ["x", "id"], &RULES));
    }

    #[test]
    fn long_empty_and_reserved_names_become_legal() {
        let long = "ü".repeat(30);
        let other = format!("{long}x");
        for name in [
            long.as_str(),
            other.as_str(),
            "",
            "_tributary_deleted",
            "_Tributary_x",
        ] {
            let made = legal(name, [], &RULES);
            assert!(!made.is_empty() && made.len() <= 20, "{made}");
            assert!(!made.to_lowercase().starts_with(RESERVED), "{made}");
        }
        assert_ne!(legal(&long, [], &RULES), legal(&other, [], &RULES));
    }
}
