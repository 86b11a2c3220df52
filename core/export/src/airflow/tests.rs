//! The DAG's text. That Airflow runs it is told by a story.

use super::*;
use crate::fixture::{ALL, config, kinds, read};

fn text(yaml: &str) -> String {
    let outline = read(yaml);
    let (plan, kinds) = (&outline.plan, &kinds());
    dag(&Dag {
        plan,
        kinds,
        config: config(),
    })
}

/// What is special about the configuration, without the program around it.
fn list(yaml: &str) -> String {
    let text = text(yaml);
    let begin = text.find("\nSYNCS = ").expect("it has a list");
    let end = text.find("\nlog = ").expect("the list ends");
    text[begin..end].trim().to_owned()
}

#[test]
fn each_connection_has_its_dag() {
    insta::assert_snapshot!(list(ALL));
    assert_eq!(text(ALL), text(ALL), "the same every time");
}

#[test]
fn pools_make_those_take_turns_that_must() {
    let outline = read(ALL);
    let pools = pools(&outline.plan, &kinds());
    insta::assert_snapshot!(serde_json::to_string_pretty(&pools).expect("it is JSON"));
}

#[test]
fn no_marker_and_no_secret_is_left() {
    let text = text(ALL);
    assert!(!text.contains(CONFIG) && !text.contains(SYNCS));
    assert!(!text.contains("hunter2"));
}

#[test]
fn a_path_may_hold_the_markers() {
    let outline = read(ALL);
    let dag = dag(&Dag {
        plan: &outline.plan,
        kinds: &kinds(),
        config: Path::new("/a\"@SYNCS@\n.yaml"),
    });
    assert!(dag.contains(r#""/a\"@SYNCS@\u000a.yaml""#));
    assert!(dag.contains("SYNCS = [\n"));
}
