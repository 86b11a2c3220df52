//! The manifests' text. That Kubernetes' own schemas take them is told by a story.

use super::*;
use crate::fixture::{ALL, kinds, read};

fn cluster() -> Cluster {
    Cluster {
        image: "registry.example.com/tributary:1".to_owned(),
        namespace: Some("data".to_owned()),
        secret: "tributary".to_owned(),
        storage: "10Gi".to_owned(),
    }
}

fn manifests(yaml: &str) -> Manifests {
    let made = kubernetes(&read(yaml), &kinds(), &cluster());
    made.unwrap_or_else(|why| panic!("{why}"))
}

#[test]
fn a_bit_of_everything() {
    let made = manifests(ALL);
    insta::assert_snapshot!(made.text);
    assert_eq!(made.text, manifests(ALL).text, "the same every time");
    assert!(!made.text.contains("hunter2"), "no secret");
    assert!(made.warnings.is_empty(), "{:?}", made.warnings);
}

const ENDS: &str = "\
sources: {a: {type: api}}
destinations: {w: {type: file, path: /data/w.db}}
";

#[test]
fn nothing_continuous_needs_no_deployment() {
    let made = manifests(&format!(
        "{ENDS}connections: {{a: {{source: a, destination: w, schedule: 1h}}}}"
    ));
    assert!(!made.text.contains("kind: Deployment") && !made.text.contains("kind: Service"));
    assert!(made.text.contains("mountPath: /data\n"));
}

#[test]
fn those_that_share_a_disk_are_told() {
    let made = manifests(&format!(
        "{ENDS}connections:\n  a: {{source: a, destination: w, schedule: 1h}}\n  \
         b: {{source: a, destination: w, schedule: continuous}}\n"
    ));
    assert!(made.warnings[0].starts_with("a, b share the volume tributary-w"));
    assert!(made.text.contains("# WARNING: a, b share"));
    let alone = manifests(&format!(
        "{ENDS}connections:\n  a: {{source: a, destination: w, schedule: 7m}}\n  \
         b: {{source: a, destination: w, schedule: continuous}}\n"
    ));
    assert!(alone.warnings.is_empty(), "one process has them all");
}

#[test]
fn what_no_variable_can_reach_is_refused() {
    let yaml = format!(
        "{ENDS}connections:\n  a__b: {{source: a, destination: w, schedule: 1h}}\n  \
         c: {{source: a, destination: w, schedule: continuous}}\n"
    );
    let refused = kubernetes(&read(&yaml), &kinds(), &cluster()).expect_err("it can't work");
    assert!(refused.to_string().contains("a__b"), "{refused}");
}
