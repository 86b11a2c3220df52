//! A configuration read where its secrets are not.

use std::path::PathBuf;

use tributary_config::{Need, Outline, Problems, Schedule, outline};

use crate::kinds::{environment, kinds};

fn read(yaml: &str) -> Result<Outline, Problems> {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let path: PathBuf = folder.path().join("tributary.yaml");
    std::fs::write(&path, yaml).expect("a file can be written");
    let here = environment([("TRIBUTARY__CONNECTIONS__A__SCHEDULE", "manual")]);
    outline(&path, &here, &kinds())
}

fn outlined(yaml: &str) -> Outline {
    read(yaml).unwrap_or_else(|why| panic!("{why}"))
}

const REFERENCES: &str = "\
sources:
  a: {type: mysql, host: '${HOST:-localhost}', password: '${PASSWORD}', tls: {ca_file: certs/ca.pem}}
  b: {type: mysql, host: '${HOST}', password: 'file:/run/secrets/b'}
destinations: {w: {type: duckdb, path: w.duckdb}}
connections:
  a: {source: a, destination: w, schedule: 5m}
";

#[test]
fn what_it_needs_is_listed_and_need_not_be_there() {
    let outline = outlined(REFERENCES);
    let variables: Vec<_> = outline
        .variables
        .iter()
        .map(|(n, need)| (n.as_str(), *need))
        .collect();
    assert_eq!(
        variables,
        [("HOST", Need::Required), ("PASSWORD", Need::Required)]
    );
    assert!(outline.secret_files.contains("/run/secrets/b"));
    let files: Vec<_> = outline
        .files
        .iter()
        .map(|file| file.name.as_str())
        .collect();
    assert_eq!(files, ["certs/ca.pem"]);
    assert_eq!(outline.text, REFERENCES, "nothing stands in clear");
    let Schedule::Every(every) = outline.plan.connections["a"].schedule else {
        panic!("what this machine overrides counts for nothing elsewhere");
    };
    assert_eq!(every.as_secs(), 300);
}

#[test]
fn no_secret_stays_in_the_text() {
    let outline = outlined(
        "\
sources:
  a:
    type: mysql
    host: localhost # not secret
    password: hunter2
  b: {type: mysql, host: localhost, password: \"hunter2 \\\"x\\\"\", user: b}
  c:
    type: mysql
    password: |
      hunter2
      hunter2
    host: ü
destinations: {w: {type: duckdb, path: w.duckdb}}
connections:
  a: {source: a, destination: w, salt: 'hunter2'}
daemon: {token: hunter2}
",
    );
    insta::assert_snapshot!(outline.text);
    assert!(!outline.text.contains("hunter2"));
    assert_eq!(
        outline.moved["TRIBUTARY_SOURCES_A_PASSWORD"],
        "sources.a.password"
    );
    assert_eq!(outline.moved.len(), 5);
    let again = outlined(&outline.text);
    assert_eq!(again.plan.sources.len(), 3);
    assert!(again.moved.is_empty());
}

#[test]
fn what_cannot_be_understood_without_a_variable_is_a_mistake() {
    let yaml = REFERENCES.replace("5m", "'${SCHEDULE}'");
    let problems = read(&yaml)
        .expect_err("the schedule is not known")
        .to_string();
    assert!(problems.contains("SCHEDULE is not set"), "{problems}");
    let yaml = REFERENCES.replace("${PASSWORD}", "${not a name}");
    let problems = read(&yaml)
        .expect_err("no variable is called that")
        .to_string();
    assert!(
        problems.contains("takes the name of an environment variable"),
        "{problems}"
    );
}
