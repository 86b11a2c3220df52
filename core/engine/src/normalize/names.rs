//! Names that are legal in a destination.

use tributary_model::Capabilities;

/// What names of the system are or begin with: its schema, its columns.
const RESERVED: &str = "_tributary";
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
    let taken: Vec<&str> = taken.into_iter().collect();
    let is_free = |name: &str| !taken.iter().any(|taken| same(taken, name, capabilities));
    if fits(source, capabilities) && is_free(source) {
        return source.to_owned();
    }
    // As many names as there are taken ones, and one more.
    let mut made = (0..=taken.len()).map(|turn| hashed(source, turn, capabilities));
    made.find(|name| is_free(name))
        .unwrap_or_else(|| hashed(source, 0, capabilities))
}

/// The names that `legal` may have given a column for `source`, the first of them where it could.
pub(crate) fn forms(source: &str, capabilities: &Capabilities) -> [String; 2] {
    [source.to_owned(), hashed(source, 0, capabilities)]
}

fn fits(name: &str, capabilities: &Capabilities) -> bool {
    !name.is_empty()
        && name.len() <= capabilities.identifier_bytes
        && !name.contains(char::is_control)
        && !is_ours(name)
        && !is_reserved(name, capabilities)
}

/// Whether a name is kept for the system.
fn is_ours(name: &str) -> bool {
    let name = name.to_lowercase();
    let rest = name.strip_prefix(RESERVED);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
}

/// A name made of `source` and an `end`, which stays whole.
pub(crate) fn derived(source: &str, end: &str, capabilities: &Capabilities) -> String {
    let room = capabilities.identifier_bytes.saturating_sub(end.len());
    if source.len() <= room {
        return format!("{source}{end}");
    }
    let hash = blake3::hash(source.as_bytes()).to_hex();
    let plain = truncate(source, room.saturating_sub(HASH_DIGITS + 1));
    format!("{plain}_{}{end}", &hash.as_str()[..HASH_DIGITS])
}

/// Whether two names are one in the destination.
pub(crate) fn same(a: &str, b: &str, capabilities: &Capabilities) -> bool {
    match capabilities.case_insensitive {
        true if a.is_ascii() && b.is_ascii() => a.eq_ignore_ascii_case(b),
        true => a.to_lowercase() == b.to_lowercase(),
        false => a == b,
    }
}

fn is_reserved(name: &str, capabilities: &Capabilities) -> bool {
    let mut reserved = capabilities.reserved.iter();
    reserved.any(|reserved| reserved.eq_ignore_ascii_case(name))
}

fn hashed(source: &str, turn: usize, capabilities: &Capabilities) -> String {
    let hash = match turn {
        0 => blake3::hash(source.as_bytes()),
        turn => blake3::hash(format!("{source}\0{turn}").as_bytes()),
    };
    let room = capabilities
        .identifier_bytes
        .saturating_sub(HASH_DIGITS + 1);
    let readable: String = source
        .chars()
        .skip(usize::from(is_ours(source)))
        .map(|c| if c.is_control() { '_' } else { c })
        .collect();
    format!(
        "{}_{}",
        truncate(&readable, room),
        &hash.to_hex().as_str()[..HASH_DIGITS]
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
        reserved: &["xmin"],
        schema: None,
        swaps: true,
    };

    #[test]
    fn ordinary_names_stay_as_they_are() {
        for name in [
            "id",
            "Größe",
            "with space",
            "select",
            "a\"b",
            "a.b",
            "_tributaryX",
        ] {
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
    fn a_name_made_up_is_free_too() {
        let first = legal("ID", ["id"], &RULES);
        let second = legal("ID", ["id", &first], &RULES);
        assert!(second.starts_with("ID_") && second != first, "{second}");
        assert_eq!(forms("ID", &RULES), ["ID".to_owned(), first]);
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
            "_tributary",
            "a\u{0}b\n",
            "xmin",
            "XMin",
        ] {
            let made = legal(name, [], &RULES);
            assert!(!made.is_empty() && made.len() <= 20, "{made}");
            assert!(fits(&made, &RULES), "{made}");
            assert!(!is_reserved(&made, &RULES), "{made}");
        }
        assert_ne!(legal(&long, [], &RULES), legal(&other, [], &RULES));
    }
}
