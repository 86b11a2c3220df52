#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

const A: &str = "3e11fa47-71ca-11e1-9e33-c80aa9429562";
const B: &str = "4e11fa47-71ca-11e1-9e33-c80aa9429562";

fn set(text: &str) -> GtidSet {
    text.parse().unwrap()
}

#[test]
fn it_reads_what_a_server_prints() {
    let printed = format!("{A}:1-5:7:backup:1-2,\n{B}:1");
    assert_eq!(
        set(&printed).to_string(),
        format!("{A}:1-5:7:backup:1-2,{B}:1")
    );
    assert_eq!(set(""), GtidSet::default());
    assert_eq!(
        set(&format!(" {} : 3 - 4 : 1-2 ", A.to_uppercase())),
        set(&format!("{A}:1-4"))
    );
}

#[test]
fn it_refuses_what_is_not_a_set() {
    for text in [
        "x",
        A,
        &format!("{A}:"),
        &format!("{A}:0"),
        &format!("{A}:5-3"),
        &format!("{A}:1-"),
        &format!("{A}:tag"),
        &format!("{A}:1:tag"),
        &format!("{A}:1-9223372036854775807"),
        &format!("{A}:1:Ünicode:1"),
        "0-1-100",
    ] {
        assert!(text.parse::<GtidSet>().is_err(), "{text}");
    }
}

#[test]
fn a_tag_is_another_source() {
    assert_ne!(set(&format!("{A}:1-9")), set(&format!("{A}:backup:1-9")));
    let sids = set(&format!("{A}:1-5:backup:1-2:8")).to_sids();
    assert_eq!(sids.len(), 2);
    assert_eq!(sids[0].tag(), None);
    assert_eq!(sids[1].tag().unwrap().as_str(), "backup");
    assert_eq!(sids[1].intervals()[1], GnoInterval::new(8, 9));
    assert_eq!(sids[0].uuid()[..4], [0x3e, 0x11, 0xfa, 0x47]);
}

#[test]
fn gaps_are_kept_and_filled() {
    let source = Source {
        uuid: read_uuid(A).unwrap(),
        tag: None,
    };
    let mut seen = set(&format!("{A}:1-3:5"));
    seen.add(&source, 0);
    seen.add(&source, 7);
    assert_eq!(seen.to_string(), format!("{A}:1-3:5:7"));
    seen.add(&source, 4);
    seen.add(&source, 6);
    assert_eq!(seen.to_string(), format!("{A}:1-7"));
}

type Model = BTreeSet<(u8, Option<u8>, u64)>;

/// Few sources and small numbers, so that sets meet.
fn models() -> impl Strategy<Value = Model> {
    let one = (0u8..3, proptest::option::of(0u8..2), 1u64..24);
    proptest::collection::btree_set(one, 0..40)
}

fn source(server: u8, tag: Option<u8>) -> Source {
    Source {
        uuid: [server; 16],
        tag: tag.map(|tag| format!("tag_{tag}")),
    }
}

fn build(model: &Model) -> GtidSet {
    let mut set = GtidSet::default();
    for &(server, tag, number) in model {
        set.add(&source(server, tag), number);
    }
    set
}

proptest! {
    #[test]
    fn print_and_read_are_inverse(model in models()) {
        let built = build(&model);
        prop_assert_eq!(&set(&built.to_string()), &built);
        let json = serde_json::to_string(&built).unwrap();
        prop_assert_eq!(serde_json::from_str::<GtidSet>(&json).unwrap(), built);
    }

    #[test]
    fn it_is_the_set_of_its_members_in_any_order(
        order in Just(()).prop_flat_map(|()| models())
            .prop_map(|model| model.into_iter().collect::<Vec<_>>()).prop_shuffle()
    ) {
        let mut shuffled = GtidSet::default();
        for &(server, tag, number) in &order {
            shuffled.add(&source(server, tag), number);
        }
        let model: Model = order.into_iter().collect();
        prop_assert_eq!(&shuffled, &build(&model));
    }

    #[test]
    fn no_text_makes_it_panic(text in ".*") {
        let _ = text.parse::<GtidSet>();
    }

    #[test]
    fn no_text_of_its_letters_makes_it_panic(text in "[0-9a-f:,\\- _]{0,60}") {
        let _ = text.parse::<GtidSet>();
        let _ = format!("3e11fa47-71ca-11e1-9e33-c80aa9429562:{text}").parse::<GtidSet>();
    }
}
