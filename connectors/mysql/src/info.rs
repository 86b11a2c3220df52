//! What `information_schema` says of a table.

/// One column as `information_schema.columns` has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ColumnInfo {
    /// Its name.
    pub name: String,
    /// `data_type`, lower case: `int`, `varchar`, `enum` …
    pub data_type: String,
    /// `column_type`, as declared: `int(10) unsigned`, `enum('a','b')` …
    pub column_type: String,
    /// Whether NULL is allowed.
    pub nullable: bool,
    /// `column_default` as the server prints it; MariaDB quotes text, MySQL does not.
    pub default: Option<String>,
    /// `extra`, lower case: `auto_increment`, `stored generated`, `invisible` …
    pub extra: String,
    /// The character set of text, enum and set columns.
    pub charset: Option<String>,
    /// Their collation.
    pub collation: Option<String>,
    /// Digits of a decimal.
    pub precision: Option<u32>,
    /// Digits of a decimal after the point.
    pub scale: Option<u32>,
    /// Digits of a second's fraction.
    pub fraction: Option<u32>,
}

/// One table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TableInfo {
    /// Its database.
    pub database: String,
    /// Its name.
    pub name: String,
    /// Its engine, upper case: `INNODB` …
    pub engine: String,
    /// The server's guess of how many rows there are.
    pub estimated_rows: u64,
    /// In the order of the table.
    pub columns: Vec<ColumnInfo>,
    /// The columns of the primary key, else of the first unique index without NULLs, in key order;
    /// empty where there is neither. Prefix indexes do not count.
    pub key: Vec<String>,
    /// The name of the index behind `key`.
    pub key_index: Option<String>,
    /// The charset of columns that name none.
    pub charset: Option<String>,
}
