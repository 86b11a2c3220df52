//! What the scanner takes for JSON, against another reader of JSON.

use proptest::prelude::*;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};

use super::{Raw, Scanner};
use crate::path::{Path, Records};

fn is_json(text: &str) -> bool {
    serde_json::from_str::<IgnoredAny>(text).is_ok()
}

fn takes(text: &str) -> bool {
    let mut scanner = Scanner::new(text);
    scanner.value().is_ok() && scanner.is_done()
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..6)
                .prop_map(|fields| Value::Object(fields.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

/// Texts that are nearly JSON.
fn near_misses() -> impl Strategy<Value = String> {
    let pieces = prop::sample::select(vec![
        "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u", "d83d", "\\n", "a", "1", "0", "-", ".",
        "e", "+", " ", "\n", "\t", "true", "false", "null", "\"a\"", "\"a\":", "é", "\u{1}",
    ]);
    prop::collection::vec(pieces, 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn values_are_taken_whole(value in values(), pretty in any::<bool>()) {
        let text = match pretty {
            true => serde_json::to_string_pretty(&value),
            false => serde_json::to_string(&value),
        }.unwrap_or_default();
        let raw = Raw::parse(&text);
        prop_assert_eq!(raw.map(Raw::as_str), Ok(text.as_str()));
        let again: Value = serde_json::from_str(&text).unwrap_or_default();
        prop_assert_eq!(raw.map(Raw::to_value), Ok(again));
    }

    #[test]
    fn what_breaks_off_is_broken(value in values(), cut in any::<prop::sample::Index>()) {
        let text = Value::from(vec![value]).to_string();
        let mut end = cut.index(text.len());
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        prop_assert!(!takes(&text[..end]));
    }

    #[test]
    fn what_is_not_json_is_refused(text in near_misses()) {
        prop_assert_eq!(takes(&text), is_json(&text), "{}", text);
    }

    #[test]
    fn strings_are_what_they_stand_for(inside in near_misses()) {
        let text = format!("\"{inside}\"");
        if let Ok(expected) = serde_json::from_str::<String>(&text) {
            let raw = Raw::parse(&text);
            prop_assert_eq!(raw.map(|raw| raw.text().into_owned()), Ok(expected));
        }
    }

    #[test]
    fn a_page_comes_apart_into_what_it_was(records in prop::collection::vec(values(), 0..6), more in values(), first in any::<bool>()) {
        let list = Value::from(records.clone()).to_string();
        let around = format!("\"more\":{more}");
        let text = match first {
            true => format!("{{{around}, \"a\":{{ \"data\" : {list} }}}}"),
            false => format!("{{\"a\":{{\"data\":{list}}}, {around}}}"),
        };
        let levels = Records::parse("a.data[]").unwrap_or_default();
        let mut found = Vec::new();
        let envelope = super::walk(&text, &levels, &mut |scanner, _| {
            found.push(scanner.value()?.to_value());
            Ok(())
        });
        let again: Vec<Value> = serde_json::from_str(&list).unwrap_or_default();
        prop_assert_eq!(found, again);
        let found = envelope.map(|it| it.find(&Path::parse("more")).map(Raw::to_value));
        let more: Value = serde_json::from_str(&more.to_string()).unwrap_or_default();
        prop_assert_eq!(found, Ok((!more.is_null()).then_some(more)));
    }
}
