//! `CONNECTION` or `CONNECTION:STREAM`, as typed.

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
