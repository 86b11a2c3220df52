//! Names that are not the user's: system databases, helper tables; and how a name is quoted.

/// Databases that belong to the server or its host.
const SYSTEM_DATABASES: [&str; 7] = [
    "information_schema",
    "mysql",
    "performance_schema",
    "sys",
    "ndbinfo",
    "__recycle_bin__",
    "__cdb_recycle_bin__",
];

/// Whether a database belongs to the server and not to its users.
pub(crate) fn is_system_database(name: &str) -> bool {
    SYSTEM_DATABASES
        .iter()
        .any(|system| name.eq_ignore_ascii_case(system))
}

/// Whether a table is one that gh-ost or pt-online-schema-change makes for a while, or the server
/// itself during an ALTER: `_orders_gho`, `_orders_new`, `#sql-…`.
pub(crate) fn is_helper_table(name: &str) -> bool {
    const ENDINGS: [&str; 5] = ["_gho", "_ghc", "_del", "_new", "_old"];
    if name.starts_with("#sql") {
        return true;
    }
    // An underscore, a name, an ending: `_old` itself is somebody's table.
    name.strip_prefix('_').is_some_and(|rest| {
        ENDINGS
            .iter()
            .any(|ending| rest.strip_suffix(ending).is_some_and(|of| !of.is_empty()))
    })
}

/// A name as it stands in a statement.
pub(crate) fn quote(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A text as it stands in a statement, whatever the session's `NO_BACKSLASH_ESCAPES`.
pub(crate) fn quote_text(text: &str) -> String {
    use std::fmt::Write;
    if text.contains('\\') {
        let hex = text.bytes().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        return format!("_utf8mb4 x'{hex}'");
    }
    format!("'{}'", text.replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn helper_tables_have_an_underscore_a_name_and_an_ending() {
        for helper in [
            "_orders_gho",
            "_orders_ghc",
            "_orders_del",
            "_orders_new",
            "__orders_old",
        ] {
            assert!(is_helper_table(helper), "{helper}");
        }
        assert!(is_helper_table("#sql-alter-1-2"));
        for own in ["orders", "orders_new", "_old", "_orders", "_new_orders"] {
            assert!(!is_helper_table(own), "{own}");
        }
    }

    #[test]
    fn names_and_texts_stay_one_token() {
        assert_eq!(quote("or`ders"), "`or``ders`");
        assert_eq!(quote_text("o'hara"), "'o''hara'");
        assert_eq!(quote_text("a\\'b"), "_utf8mb4 x'615c2762'");
    }

    #[test]
    fn system_databases_are_known_in_any_case() {
        assert!(is_system_database("INFORMATION_SCHEMA"));
        assert!(!is_system_database("shop"));
    }
}
