//! What a filter is, and that it means what the server means is in the stories of MySQL.

use super::*;

fn sql(text: &str) -> String {
    Filter::parse(text).unwrap().sql()
}

fn refusal(text: &str) -> String {
    let error = Filter::parse(text).unwrap_err();
    assert!(error.help().is_some(), "{error}");
    error.what()
}

#[test]
fn filters_are_written_as_they_are_meant() {
    for (text, meant) in [
        ("id > 5", "(`id` > 5)"),
        ("5<id", "(`id` > 5)"),
        (
            "a = 1 or b = 2 and not c = 3",
            "((`a` = 1) OR ((`b` = 2) AND (NOT (`c` = 3))))",
        ),
        (
            "(a = 1 || b = 2) && c != -3.50",
            "(((`a` = 1) OR (`b` = 2)) AND (`c` <> -3.5))",
        ),
        (
            "a BETWEEN 1 AND 2 AND b = 3",
            "(((`a` >= 1) AND (`a` <= 2)) AND (`b` = 3))",
        ),
        ("a NOT IN (1, 2)", "(NOT ((`a` = 1) OR (`a` = 2)))"),
        (
            "status in ('it''s', \"x\")",
            "((`status` = 'it''s') OR (`status` = 'x'))",
        ),
        ("day >= DATE '2024-01-31'", "(`day` >= '2024-01-31')"),
        ("a IS NOT NULL", "(NOT (`a` <=> NULL))"),
        ("a <=> 4", "((NOT (`a` <=> NULL)) AND (`a` = 4))"),
        ("active", "(`active` <> 0)"),
        (
            "NOT active AND `or` = TRUE",
            "((NOT (`active` <> 0)) AND (`or` = 1))",
        ),
        ("name LIKE 'a%' ESCAPE '|'", "(`name` LIKE 'a%' ESCAPE '|')"),
        ("x = 1e3", "(`x` = 1e3)"),
    ] {
        assert_eq!(sql(text), meant, "{text}");
    }
    // A backslash stands for itself in what the server is handed.
    assert_eq!(sql(r"a LIKE '50\%'"), "(`a` LIKE _utf8mb4 x'35305c25')");
}

#[test]
fn what_can_not_be_judged_is_refused_with_a_sentence() {
    for (text, what) in [
        ("", "is empty"),
        ("created_at > now()", "`now`"),
        ("lower(name) = 'x'", "function `lower(…)`"),
        ("a = b", "has `b` where only a constant can stand"),
        ("a + 1 = 2", "can't have `+` there"),
        ("a = NULL", "never true"),
        ("a IN (1", "ends where"),
        ("a = 'open", "does not end"),
        ("a = 1; DROP TABLE t", "has `;`"),
        ("a = 1 -- more", "comment"),
        ("a = 1 b", "can't have `b` there"),
        ("a IN (SELECT 1)", "`SELECT`"),
        ("a REGEXP 'x'", "can't have `REGEXP` there"),
        ("a LIKE 5", "LIKE without a text"),
        ("t.a = 1", "has `.a`"),
    ] {
        let told = refusal(text);
        assert!(told.contains(what), "{text}: {told}");
    }
    assert!(refusal(&"(".repeat(100_000)).contains("nested"));
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in ".{0,60}") {
        let _ = Filter::parse(&text).map(|filter| filter.sql());
    }

    #[test]
    fn what_was_written_is_read_as_the_same(
        words in proptest::collection::vec(
            proptest::sample::select(vec![
                "a", "b", "=", "<", "5", "'x'", "AND", "OR", "NOT", "(", ")", "IN", "IS", "NULL",
                "LIKE", "BETWEEN", ",", "-1.5", "`c d`",
            ]),
            1..9,
        )
    ) {
        if let Ok(filter) = Filter::parse(&words.join(" ")) {
            let again = filter.sql();
            proptest::prop_assert!(again.starts_with('(') && again.ends_with(')'));
        }
    }
}
