//! G8: whatever is wrong, no report repeats what may be secret.

use crate::kinds::read;

const SECRET: &str = "hunter2-and-more";

#[test]
fn no_report_repeats_a_secret() {
    let mistakes = [
        // On the line at fault, in clear.
        "sources:\n  s: {type: mysql, password: hunter2-and-more, sorce: 1}",
        // Under a misspelt key.
        "sources:\n  s: {type: mysql, pasword: hunter2-and-more}",
        // Twice.
        "sources:\n  s: {type: mysql, password: hunter2-and-more, password: hunter2-and-more}",
        // Of an unknown kind.
        "sources:\n  s: {type: mongodb, password: hunter2-and-more}",
        "sources:\n  s: {password: hunter2-and-more}",
        // Where something else belongs.
        "sources: [{password: hunter2-and-more}]",
        "sources:\n  s: {type: mysql, tls: {password: hunter2-and-more}}",
        "sources:\n  s: {type: stripe, api_key: [hunter2-and-more]}",
        "sources:\n  s: {type: mysql, port: '${PW}'}",
        "sources:\n  s: {type: mysql, snapshot: '${PW}'}",
        "sources:\n  s: {type: '${PW}'}",
        "sources:\n  s: '${PW}'",
        "memory: '${PW}'",
        "connections:\n  c: {source: '${PW}', destination: '${PW}', schedule: '${PW}'}",
        "connections:\n  c: {streams: {a.b: {table: 'a.b.${PW}', columns: {x: '${PW}', y: {type: '${PW}'}}}}}",
        "destinations:\n  d: {type: duckdb, path: '${PW}/'}",
        // Unreadable.
        "sources:\n  s:\n    password: \"hunter2-and-more\n",
        "sources:\n  s:\n    password: x: hunter2-and-more\n",
        "sources:\n  s:\n    password: 'a\n hunter2-and-more: [\n",
        // In an address.
        "sources:\n  s: {type: mysql, host: 'mysql://me:hunter2-and-more@db', x: 1}",
        // Over several lines.
        "sources:\n  s: {type: mysql, password: 'a\n\n   hunter2-and-more', x: 1}",
    ];
    for text in mistakes {
        let problems = read(text, [("PW", SECRET)]).unwrap_err();
        let report = problems.to_string();
        assert!(!report.contains("hunter2"), "{text}\n\n{report}");
        assert!(
            !format!("{problems:?}").contains("hunter2"),
            "{text}\n\n{problems:?}"
        );
    }
}

#[test]
fn nor_does_a_plan_shown_for_debugging() {
    let text = "sources:\n  s: {type: mysql, password: hunter2-and-more}\nsalt: hunter2-and-more";
    let plan = read(text, []).unwrap();
    assert!(!format!("{plan:?}").contains("hunter2"));
}

#[test]
fn an_override_is_not_repeated_either() {
    let problems = read("memory: 1GiB", [("TRIBUTARY__DAEMON__WORKERS", SECRET)]).unwrap_err();
    let report = problems.to_string();
    assert!(report.contains("TRIBUTARY__DAEMON__WORKERS") && !report.contains(SECRET));
}
