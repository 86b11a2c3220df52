//! The recorded exchanges of the examples, and what a replay says when they do not fit.

use std::path::{Path, PathBuf};

use tributary_model::ErrorKind;
use tributary_rest_connector::{Trial, rehearse};

use super::manifest;

async fn replayed(name: &str) -> Trial {
    let fixtures = manifest(&format!("{name}.fixtures"));
    rehearse(&manifest(&format!("{name}.manifest.yaml")), &fixtures)
        .await
        .expect("manifest and fixtures have no mistakes")
}

#[tokio::test]
async fn the_examples_are_read_from_recorded_exchanges() {
    for name in ["rest-crm", "rest-projects", "rest-exports"] {
        let trial = replayed(name).await;
        assert!(trial.mistakes.is_empty(), "{name}: {:#?}", trial.mistakes);
        assert!(trial.streams.len() > 1, "{name}: {trial:?}");
    }
    let crm = replayed("rest-crm").await;
    let contacts = crm.streams.iter().find(|tried| tried.stream == "contacts");
    let contacts = contacts.expect("contacts were read");
    assert_eq!((contacts.rows, contacts.deletes), (3, 1));
    assert_eq!(contacts.columns["custom"], "json");
}

/// A folder with a manifest and one fixture.
struct Case(tempfile::TempDir);

impl Case {
    fn new(streams: &str, fixture: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let text = format!("name: x\nbase: https://x.example\nstreams:\n  a: {streams}\n");
        std::fs::write(folder.path().join("manifest.yaml"), text).expect("it can be written");
        let fixtures = folder.path().join("fixtures");
        std::fs::create_dir(&fixtures).expect("it can be made");
        std::fs::write(fixtures.join("one.yaml"), fixture).expect("it can be written");
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    async fn mistakes(&self) -> Vec<String> {
        let trial = rehearse(&self.path("manifest.yaml"), &self.path("fixtures")).await;
        trial.expect("nothing is wrong with the files").mistakes
    }

    async fn refused(&self, fixtures: &Path) -> String {
        let refused = rehearse(&self.path("manifest.yaml"), fixtures).await;
        let error = refused.expect_err("something is wrong with the files");
        assert_eq!(error.kind(), ErrorKind::Config);
        format!("{error} {:?}", error.why())
    }
}

const LIST: &str = "{get: /a, records: \"[]\", key: [id]}";

#[tokio::test]
async fn what_differs_is_told() {
    let fixture = "exchanges:\n  - {get: /a, answer: [{id: 1}, {id: 2}]}\n  - {get: /b, answer: []}\n\
                   expect: {a: [{id: 1}, {id: 3}]}\n";
    let mistakes = Case::new(LIST, fixture).mistakes().await;
    assert_eq!(
        mistakes,
        ["a has no row with {\"id\":3}", "nobody asked for GET /b"]
    );
    let paged = "{get: /a, records: \"[]\", pages: {page: page, stop: empty}}";
    let fixture = "exchanges: [{get: /a, answer: [{id: 1}]}]\nexpect: {a: 2}\n";
    let mistakes = Case::new(paged, fixture).mistakes().await.join("; ");
    assert!(
        mistakes.contains("no recorded exchange fits GET /a?page=2"),
        "{mistakes}"
    );
}

#[tokio::test]
async fn mistakes_in_the_files_are_told_with_their_place() {
    let case = Case::new(LIST, "exchanges: [{gets: /a}]\n");
    let refused = case.refused(&case.path("fixtures")).await;
    assert!(refused.contains("one.yaml:1:"), "{refused}");
    let refused = case.refused(&case.path("nowhere")).await;
    assert!(refused.contains("nowhere"), "{refused}");
    let broken = Case::new("{gett: /a}", "exchanges: []\n");
    let refused = broken.refused(&broken.path("fixtures")).await;
    assert!(
        refused.contains("manifest.yaml:4:7") && refused.contains("`get`"),
        "{refused}"
    );
}
