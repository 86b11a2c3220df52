use super::*;

#[test]
fn json_is_read_strictly() {
    for good in [
        "{}",
        "null",
        " [1, 1e999, \"a\\u0000\"] ",
        r#""\ud83d\ude00""#,
        r#""\\ud83d""#,
    ] {
        assert_eq!(json_fault(good), None, "{good}");
    }
    for bad in [
        "",
        "{",
        "nul",
        "[1,]",
        "NaN",
        "'a'",
        r#""\ud83d""#,
        r#""\ude00""#,
        r#""\ud83d\ud83d\ude00""#,
        r#""\ud83d \ude00""#,
        r#""\ud83d\n""#,
    ] {
        assert!(json_fault(bad).is_some(), "{bad}");
    }
}
