//! `CONNECTION` or `CONNECTION:STREAM`, as typed.

use std::collections::BTreeMap;

use tributary_model::StreamName;

/// What a command is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) connection: String,
    pub(crate) stream: Option<StreamName>,
}

impl From<&str> for Target {
    fn from(text: &str) -> Self {
        // A connection's name holds no colon; a stream's may.
        match text.split_once(':') {
            Some((connection, stream)) => Self {
                connection: connection.to_owned(),
                stream: Some(stream.to_owned().into()),
            },
            None => Self {
                connection: text.to_owned(),
                stream: None,
            },
        }
    }
}

/// The connections that were named, and which of their streams; none means all.
pub(crate) fn asked(targets: &[String]) -> BTreeMap<String, Vec<String>> {
    let mut asked: BTreeMap<String, Option<Vec<String>>> = BTreeMap::new();
    for target in targets.iter().map(|text| Target::from(text.as_str())) {
        let streams = asked
            .entry(target.connection)
            .or_insert_with(|| Some(Vec::new()));
        match (streams.as_mut(), target.stream) {
            (Some(streams), Some(stream)) => streams.push(stream.to_string()),
            // The connection itself was named: all of it.
            (_, None) => *streams = None,
            (None, Some(_)) => {}
        }
    }
    let all = |streams: Option<Vec<String>>| streams.unwrap_or_default();
    asked.into_iter().map(|(n, s)| (n, all(s))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_is_named_whole_is_meant_whole() {
        let targets = ["a:x", "a:y.z", "b:x", "b", "b:y"].map(str::to_owned);
        let some = vec!["x".to_owned(), "y.z".to_owned()];
        let expected = [("a".to_owned(), some), ("b".to_owned(), Vec::new())];
        assert_eq!(asked(&targets), expected.into());
    }
}
