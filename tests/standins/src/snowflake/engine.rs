//! Statements carried out by DuckDB, in a session for each request, as Snowflake would.

use std::collections::HashMap;
use std::sync::Arc;

use duckdb::Connection;
use tributary_testkit::s3::S3Server;

use super::fault::Fault;
use super::results::Rows;
use super::sql::{Collation, Token, beginning, reads_a_moment, statements, translated, written};
use super::{BARRED_INTEGRATION, DATABASE, USER};

/// A statement that is refused.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) code: String,
    pub(super) message: String,
}

fn refused(code: &str, message: impl Into<String>) -> Refusal {
    Refusal {
        code: code.to_owned(),
        message: message.into(),
    }
}

type Done<T> = Result<T, Refusal>;

/// What DuckDB does not have, under the names of Snowflake.
const WORDS: &str = "
    SET TimeZone = 'UTC';
    CREATE SCHEMA standin;
    CREATE TEMP MACRO parse_json(x, how) AS CAST(x AS JSON);
    CREATE TEMP MACRO to_timestamp_tz(micros, digits) AS make_timestamptz(CAST(micros AS BIGINT));
    CREATE TEMP MACRO to_timestamp_ntz(micros, digits) AS make_timestamp(CAST(micros AS BIGINT));
    CREATE TEMP MACRO date_from_parts(y, m, d) AS make_date(y, m, d);
    CREATE TEMP MACRO time_from_parts(h, m, s, n) AS make_time(h, m, s + n / 1e9);
    CREATE TEMP MACRO part_of(part, moment) AS epoch_us(moment);
    CREATE TEMP MACRO to_binary(digits, how) AS unhex(digits);
    CREATE TEMP MACRO startswith(x, y) AS starts_with(x, y);
    CREATE VIEW standin.SCHEMATA AS SELECT schema_name AS SCHEMA_NAME
        FROM information_schema.schemata WHERE catalog_name = current_database();
    CREATE VIEW standin.TABLES AS
        SELECT schema_name AS TABLE_SCHEMA, table_name AS TABLE_NAME, 'BASE TABLE' AS TABLE_TYPE,
            CURRENT_TIMESTAMP AS CREATED FROM duckdb_tables()
        UNION ALL SELECT schema_name, view_name, 'VIEW', CURRENT_TIMESTAMP FROM duckdb_views()
            WHERE NOT internal AND schema_name <> 'standin';
    CREATE VIEW standin.COLUMNS AS
        SELECT schema_name AS TABLE_SCHEMA, table_name AS TABLE_NAME, column_name AS COLUMN_NAME,
            column_index AS ORDINAL_POSITION,
            CASE WHEN starts_with(data_type, 'DECIMAL') THEN 'NUMBER' WHEN data_type = 'BIGINT' THEN 'NUMBER'
                WHEN data_type = 'VARCHAR' THEN 'TEXT' WHEN data_type = 'JSON' THEN 'VARIANT'
                WHEN data_type = 'DOUBLE' THEN 'FLOAT' WHEN data_type = 'BLOB' THEN 'BINARY'
                WHEN data_type = 'TIMESTAMP' THEN 'TIMESTAMP_NTZ'
                WHEN data_type = 'TIMESTAMP WITH TIME ZONE' THEN 'TIMESTAMP_TZ' ELSE data_type END AS DATA_TYPE,
            CASE WHEN data_type = 'BIGINT' THEN 38 ELSE numeric_precision END AS NUMERIC_PRECISION,
            CASE WHEN data_type = 'BIGINT' THEN 0 ELSE numeric_scale END AS NUMERIC_SCALE
        FROM duckdb_columns() WHERE NOT internal;
";

/// The database.
#[derive(Debug)]
pub(super) struct Engine {
    connection: Connection,
    bucket: Arc<S3Server>,
    /// Stages by their names in upper case without quotes, and their addresses.
    stages: HashMap<String, String>,
    statements: Vec<String>,
    files: tempfile::TempDir,
    copied: usize,
    /// Whether the request has begun a transaction.
    is_open: bool,
    /// Whether sessions of users commit each statement by themselves.
    autocommits: bool,
    /// Whether the session of this request does.
    commits_now: bool,
    /// Whether `COPY` leaves out what it is to copy.
    skips: bool,
    /// The collation of the account.
    collation: Collation,
}

impl Engine {
    pub(super) fn open(bucket: Arc<S3Server>) -> Self {
        let connection = Connection::open_in_memory().expect("DuckDB opens in memory");
        connection
            .execute_batch(WORDS)
            .expect("DuckDB learns the words");
        Self {
            connection,
            bucket,
            stages: HashMap::new(),
            statements: Vec::new(),
            files: tempfile::tempdir().expect("a temporary folder can be made"),
            copied: 0,
            is_open: false,
            autocommits: true,
            commits_now: true,
            skips: false,
            collation: Collation::Binary,
        }
    }

    /// As where the account has AUTOCOMMIT off.
    pub(super) fn commit_nothing_by_itself(&mut self) {
        self.autocommits = false;
    }

    /// As where the account has a collation that takes capital and small letters for the same.
    pub(super) fn ignore_case(&mut self) {
        self.collation = Collation::CaseInsensitive;
    }

    /// As where options of the stage keep `COPY` from taking files.
    pub(super) fn skip_files(&mut self, fault: Option<Fault>) {
        self.skips = fault == Some(Fault::Skipped);
    }

    pub(super) fn make_stage(&mut self, name: &str, url: &str) {
        self.stages.insert(plain_name(name), url.to_owned());
    }

    pub(super) fn statements(&self) -> &[String] {
        &self.statements
    }

    /// Carries statements out in a session of their own, which ends with them.
    pub(super) fn run(
        &mut self,
        sql: &str,
        count: Option<usize>,
        schema: Option<&str>,
    ) -> Done<Vec<Rows>> {
        let statements = statements(sql);
        if count.is_some_and(|count| count != statements.len()) {
            let message = format!(
                "Actual statement count {} did not match the desired statement count {}.",
                statements.len(),
                count.unwrap_or_default()
            );
            return Err(refused("000008", message));
        }
        let schema = schema.map_or("\"main\"".to_owned(), |name| {
            format!("\"{}\"", name.replace('"', "\"\""))
        });
        let begun = self.execute(&format!("USE {schema}"));
        begun.map_err(|_| {
            refused(
                "002043",
                format!("Object {schema} does not exist or not authorized."),
            )
        })?;
        self.commits_now = self.autocommits || count.is_none();
        let answers = statements.iter().map(|statement| self.carry_out(statement));
        let answers: Done<Vec<Rows>> = answers.collect();
        if self.is_open {
            self.is_open = false;
            self.execute("ROLLBACK")?;
        }
        answers
    }

    fn carry_out(&mut self, statement: &[Token]) -> Done<Rows> {
        self.statements.push(written(statement));
        if reads_a_moment(statement) {
            let message = "Timestamp is not recognized: the account has an input format of its own";
            return Err(refused("100035", message));
        }
        let start = beginning(statement);
        let first = start.split(' ').next().unwrap_or_default();
        let changes = ["COPY", "INSERT", "UPDATE", "DELETE", "MERGE"].contains(&first);
        if changes && !self.commits_now && !self.is_open {
            self.execute("BEGIN TRANSACTION")?;
            self.is_open = true;
        }
        match first {
            "BEGIN" | "COMMIT" | "ROLLBACK" => {
                let opens = first == "BEGIN";
                if opens != self.is_open {
                    self.execute(if opens { "BEGIN TRANSACTION" } else { first })?;
                    self.is_open = opens;
                }
                Ok(Rows::default())
            }
            "CREATE" | "ALTER" | "DROP" => {
                self.end_transaction()?;
                match start.starts_with("CREATE STAGE") {
                    true => self.create_stage(&written(statement)),
                    false => self
                        .execute(&translated(statement, self.collation))
                        .map(|()| Rows::default()),
                }
            }
            "DESCRIBE" if start.starts_with("DESCRIBE STAGE") => {
                let text = written(statement);
                let name = text.split_whitespace().last().unwrap_or_default();
                self.stage(name).map(|_| Rows::default())
            }
            "COPY" => self.copy(&written(statement)).map(|()| Rows::default()),
            "MERGE" => {
                let sql = translated(statement, self.collation);
                self.refuse_choices(&sql)?;
                self.execute(&sql).map(|()| Rows::default())
            }
            "SELECT" | "WITH" | "SHOW" | "(" | "EXPLAIN" => self.answer(statement),
            _ => self
                .execute(&translated(statement, self.collation))
                .map(|()| Rows::default()),
        }
    }

    /// What changes a layout commits what was open before.
    fn end_transaction(&mut self) -> Done<()> {
        match std::mem::take(&mut self.is_open) {
            true => self.execute("COMMIT"),
            false => Ok(()),
        }
    }

    fn execute(&self, sql: &str) -> Done<()> {
        let done = self.connection.execute_batch(sql);
        done.map_err(|cause| of_duckdb(sql, &cause.to_string()))
    }

    fn answer(&self, statement: &[Token]) -> Done<Rows> {
        let text = written(statement);
        if text.starts_with("SELECT CURRENT_USER()") {
            let names = ["USER", "ROLE", "WAREHOUSE", "DATABASE", "VERSION"];
            let row = [USER, "LOADING", "LOADING_WH", DATABASE, "9.99.0"];
            let row = row.map(|cell| Some(cell.to_owned())).to_vec();
            return Ok(Rows::of_texts(&names, vec![row]));
        }
        if text.starts_with("SELECT TO_VARCHAR(CURRENT_TIMESTAMP()") {
            let now = super::now().format("%Y-%m-%d %H:%M:%S%.9f +00:00");
            return Ok(Rows::of_texts(&["NOW"], vec![vec![Some(now.to_string())]]));
        }
        let rows = self.select(&translated(statement, self.collation))?;
        let divides = text.starts_with("SELECT 1 / ");
        let is_number = |cell: &Option<String>| {
            cell.as_deref()
                .is_some_and(|cell| cell.parse().is_ok_and(f64::is_finite))
        };
        match divides && !rows.rows.iter().flatten().all(is_number) {
            true => Err(refused("100051", "Division by zero")),
            false => Ok(rows),
        }
    }

    fn select(&self, sql: &str) -> Done<Rows> {
        let failed = |cause: duckdb::Error| of_duckdb(sql, &cause.to_string());
        let mut prepared = self.connection.prepare(sql).map_err(failed)?;
        let batches = prepared.query_arrow([]).map_err(failed)?;
        let mut rows = Rows::of_schema(&batches.get_schema());
        batches.for_each(|batch| rows.add(&batch));
        Ok(rows)
    }

    fn create_stage(&mut self, text: &str) -> Done<Rows> {
        let (_, rest) = text
            .split_once("IF NOT EXISTS ")
            .ok_or_else(|| refused("001003", text))?;
        let (name, rest) = rest
            .split_once(" URL = '")
            .ok_or_else(|| refused("001003", text))?;
        let (url, integration) = rest
            .split_once('\'')
            .ok_or_else(|| refused("001003", text))?;
        // A stage is made also where its integration can't read.
        let url = match integration.contains(BARRED_INTEGRATION) {
            true => String::new(),
            false => url.to_owned(),
        };
        self.stages.entry(plain_name(name)).or_insert(url);
        Ok(Rows::default())
    }

    fn stage(&self, name: &str) -> Done<&String> {
        let missing = || {
            let message = format!("Stage '{name}' does not exist or not authorized.");
            refused("002003", message)
        };
        self.stages.get(&plain_name(name)).ok_or_else(missing)
    }

    /// Copies the objects that a statement names.
    fn copy(&mut self, text: &str) -> Done<()> {
        let odd = || refused("001003", format!("SQL compilation error: {text}"));
        let (table, rest) = text
            .strip_prefix("COPY INTO ")
            .and_then(|rest| rest.split_once(" FROM @"))
            .ok_or_else(odd)?;
        let (stage, rest) = rest.split_once(" FILES = (").ok_or_else(odd)?;
        let (files, options) = rest
            .split_once(") FILE_FORMAT = (TYPE = PARQUET ")
            .ok_or_else(odd)?;
        let exact = "USE_LOGICAL_TYPE = TRUE BINARY_AS_TEXT = FALSE USE_VECTORIZED_SCANNER = TRUE";
        let how = "MATCH_BY_COLUMN_NAME = CASE_SENSITIVE ON_ERROR = ABORT_STATEMENT";
        let format = options.strip_suffix(how).ok_or_else(odd)?.trim_end();
        let format = format.strip_suffix(')').ok_or_else(odd)?;
        let nulls = format.strip_prefix(exact).ok_or_else(odd)?;
        let keeps_texts = match nulls {
            "" => false,
            " NULL_IF = () TRIM_SPACE = FALSE" => true,
            _ => return Err(odd()),
        };
        let url = self.stage(stage)?.clone();
        let mut copied = Vec::new();
        for file in files.split(", ") {
            copied.push(self.fetch(&url, file.trim_matches('\''))?);
        }
        if copied.len() > 1000 {
            return Err(refused(
                "001003",
                "The number of files to load exceeds 1000.",
            ));
        }
        let paths: Vec<String> = copied
            .iter()
            .map(|path| format!("'{}'", path.display()))
            .collect();
        let source = format!("read_parquet([{}])", paths.join(", "));
        self.match_names(table, &source)?;
        let columns = match keeps_texts {
            true => "*".to_owned(),
            false => self.without_nulls(&source)?,
        };
        let none = if self.skips { " LIMIT 0" } else { "" };
        let done = self.execute(&format!(
            "INSERT INTO {table} BY NAME SELECT {columns} FROM {source}{none}"
        ));
        for path in copied {
            let _ = std::fs::remove_file(path);
        }
        done
    }

    /// The columns of files as Snowflake reads them where nothing else is said: a text `\N` is NULL.
    fn without_nulls(&self, source: &str) -> Done<String> {
        let rows = self.select(&format!("SELECT * FROM {source} LIMIT 0"))?;
        let columns = serde_json::to_value(&rows.columns).unwrap_or_default();
        let column = |column: &serde_json::Value| {
            let name = column["name"].as_str().unwrap_or_default();
            let name = format!("\"{}\"", name.replace('"', "\"\""));
            match column["type"] == "text" {
                true => format!("NULLIF({name}, '\\N') AS {name}"),
                false => name,
            }
        };
        let columns = columns.as_array().into_iter().flatten().map(column);
        Ok(columns.collect::<Vec<_>>().join(", "))
    }

    /// Names of a file's columns are those of the table, in the same case.
    fn match_names(&self, table: &str, source: &str) -> Done<()> {
        let names = |of: &str| -> Done<Vec<String>> {
            let rows = self.select(&format!("SELECT * FROM {of} LIMIT 0"))?;
            let columns = serde_json::to_value(&rows.columns).unwrap_or_default();
            let names = columns.as_array().into_iter().flatten();
            Ok(names
                .filter_map(|column| Some(column["name"].as_str()?.to_owned()))
                .collect())
        };
        let there = names(table)?;
        match names(source)?
            .into_iter()
            .find(|name| !there.contains(name))
        {
            None => Ok(()),
            Some(name) => Err(refused(
                "001003",
                format!("the file's column {name} is not in {table}"),
            )),
        }
    }

    fn fetch(&mut self, url: &str, file: &str) -> Done<std::path::PathBuf> {
        if url.is_empty() {
            let message = "Failure using stage area. Cause: [Access Denied (Status Code: 403)]";
            return Err(refused("091003", message));
        }
        let rest = url.trim_start_matches("s3://");
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = prefix.trim_matches('/');
        let key = match prefix {
            "" => file.to_owned(),
            prefix => format!("{prefix}/{file}"),
        };
        let missing = || {
            refused(
                "091016",
                format!("Remote file '{url}{file}' was not found."),
            )
        };
        let bytes = self.bucket.get(bucket, &key).ok_or_else(missing)?;
        self.copied += 1;
        let path = self.files.path().join(format!("{}.parquet", self.copied));
        std::fs::write(&path, bytes).map_err(|cause| refused("091003", cause.to_string()))?;
        Ok(path)
    }

    /// Two rows of the source for one row of the table are refused, where others would choose.
    fn refuse_choices(&self, sql: &str) -> Done<()> {
        let parts = sql.split_once(" USING (").and_then(|(into, rest)| {
            let (source, rest) = rest.split_once(") AS s ON ")?;
            let (condition, _) = rest.split_once(" WHEN ")?;
            Some((into.strip_prefix("MERGE INTO ")?, source, condition))
        });
        let Some((table, source, condition)) = parts else {
            return Err(refused("001003", format!("SQL compilation error: {sql}")));
        };
        let twice = format!(
            "SELECT 1 FROM {table} JOIN ({source}) AS s ON {condition} GROUP BY t.rowid HAVING COUNT(*) > 1 LIMIT 1"
        );
        match self.select(&twice)?.rows.is_empty() {
            true => Ok(()),
            false => Err(refused(
                "100090",
                "Duplicate row detected during DML action",
            )),
        }
    }
}

/// A name without quotes, in upper case.
fn plain_name(name: &str) -> String {
    name.replace('"', "").to_uppercase()
}

/// The code that Snowflake has for what DuckDB says.
fn of_duckdb(sql: &str, message: &str) -> Refusal {
    let code = if message.contains("Catalog Error") && message.contains("does not exist") {
        "002003"
    } else if message.contains("Conversion Error") {
        "100038"
    } else {
        "001003"
    };
    refused(
        code,
        format!("{message} [{}]", sql.chars().take(2000).collect::<String>()),
    )
}
