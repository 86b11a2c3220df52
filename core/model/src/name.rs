//! Names: of connections, streams and tables.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The name of a connection, as written in the configuration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ConnectionName(String);

impl ConnectionName {
    /// Wraps a name that the configuration has already checked.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self(name.into())
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ConnectionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a stream: `shop.orders` (namespace and name) or `charges` (name alone).
///
/// As text the namespace ends at the first dot, therefore a namespace holds no dot.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", from = "String")]
pub struct StreamName {
    /// The database or schema that the stream belongs to, where the source has such a thing.
    pub namespace: Option<String>,
    /// The table or endpoint.
    pub name: String,
}

impl StreamName {
    /// A stream inside a namespace, such as a table of a database.
    #[must_use]
    pub fn within(namespace: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            namespace: Some(namespace.into()),
            name: name.into(),
        }
    }

    /// A stream of a source that has no namespaces.
    #[must_use]
    pub fn plain(name: impl Into<String>) -> Self {
        Self {
            namespace: None,
            name: name.into(),
        }
    }
}

impl From<String> for StreamName {
    fn from(text: String) -> Self {
        match text.split_once('.') {
            Some((namespace, name)) => Self::within(namespace, name),
            None => Self::plain(text),
        }
    }
}

impl From<StreamName> for String {
    fn from(name: StreamName) -> Self {
        name.to_string()
    }
}

impl FromStr for StreamName {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(text.to_owned().into())
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.namespace {
            Some(namespace) => write!(f, "{namespace}.{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

/// The name of a table in a destination, already legal there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TableName {
    /// The schema (in some engines: data set) of the table.
    pub schema: String,
    /// The table itself.
    pub table: String,
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_name_survives_its_own_text() {
        for text in ["shop.orders", "charges", "shop.odd.table"] {
            let name: StreamName = text.to_owned().into();
            assert_eq!(name.to_string(), text);
        }
        assert_eq!(
            StreamName::from("shop.odd.table".to_owned()),
            StreamName::within("shop", "odd.table")
        );
    }
}
