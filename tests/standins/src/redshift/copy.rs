//! `COPY ... FORMAT AS PARQUET MANIFEST`: read here, loaded as text.

use arrow_array::{Array, RecordBatch};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_schema::{DataType, Schema, TimeUnit};
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use serde_json::Value;
use tributary_testkit::s3::S3Server;

use super::names::{Names, quoted};
use super::server::ROLE;
use super::setup;
use super::tokens::{Token, literal, unquoted};

/// A statement that is understood.
#[derive(Debug)]
pub(super) struct Copy {
    /// The name, with its schema where it has one.
    table: Vec<String>,
    manifest: String,
    reader: Reader,
}

#[derive(Debug)]
enum Reader {
    Role(String),
    Keys(String),
}

/// Why files can't be loaded.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) message: String,
    pub(super) detail: String,
    /// Which file and column are at fault.
    at: Option<(String, String)>,
}

impl Failure {
    fn new(message: &str, detail: impl Into<String>) -> Self {
        Self {
            message: message.to_owned(),
            detail: detail.into(),
            at: None,
        }
    }

    /// Notes it where Redshift notes such.
    pub(super) fn note(&self, url: &str) {
        let Some((file, column)) = &self.at else {
            return;
        };
        let insert = format!(
            "INSERT INTO redshift.sys_load_error_detail VALUES (1, {}, {}, 15001, {})",
            literal(file),
            literal(column),
            literal(&self.detail)
        );
        setup::run(url, &insert);
    }
}

impl Copy {
    /// Reads the one form that is known: a manifest of Parquet files, without a list of columns.
    pub(super) fn read(words: &[Token]) -> Result<Self, String> {
        let mut words = words.iter().skip(1).peekable();
        let mut table = Vec::new();
        loop {
            match words.next() {
                Some(Token::Name(name) | Token::Word(name)) => table.push(name.clone()),
                other => return Err(format!("COPY: a table was expected, not {other:?}")),
            }
            match words.next() {
                Some(token) if token.is_sign(".") => {}
                Some(token) if token.word() == "FROM" => break,
                other => return Err(format!("COPY from Parquet: {other:?} is not known")),
            }
        }
        let Some(Token::Text(manifest)) = words.next() else {
            return Err("COPY: the address of a manifest was expected".to_owned());
        };
        let kind = words.next().map(Token::word).unwrap_or_default();
        let reader = match (kind.as_str(), words.next()) {
            ("IAM_ROLE", Some(Token::Text(role))) => Reader::Role(unquoted(role)),
            ("IAM_ROLE", Some(token)) if token.word() == "DEFAULT" => Reader::Role(ROLE.to_owned()),
            ("CREDENTIALS", Some(Token::Text(keys))) => Reader::Keys(unquoted(keys)),
            _ => return Err("COPY: a role or credentials were expected".to_owned()),
        };
        let rest: Vec<String> = words.map(Token::word).filter(|word| word != "AS").collect();
        match rest.join(" ").as_str() {
            "FORMAT PARQUET MANIFEST" => Ok(Self {
                table,
                manifest: unquoted(manifest),
                reader,
            }),
            other => Err(format!("COPY from Parquet with `{other}` is not known")),
        }
    }

    /// The table's name inside.
    pub(super) fn table(&self, names: &Names) -> String {
        let names: Vec<String> = self
            .table
            .iter()
            .map(|n| quoted(&names.inside(n)))
            .collect();
        names.join(".")
    }

    /// The rows of all files, as lines of PostgreSQL's own `COPY`. `columns` are the table's: names and
    /// types.
    pub(super) fn rows(
        &self,
        store: &S3Server,
        columns: &[Vec<String>],
    ) -> Result<Vec<String>, Failure> {
        self.may_read(store)?;
        let manifest = object(store, &self.manifest)?;
        let manifest: Value = serde_json::from_slice(&manifest)
            .map_err(|_| Failure::new("Manifest file is not in correct json format", ""))?;
        let entries = manifest["entries"].as_array().cloned().unwrap_or_default();
        let mut rows = Vec::new();
        for entry in &entries {
            let url = entry["url"].as_str().unwrap_or_default();
            let bytes = object(store, url)?;
            if entry["meta"]["content_length"].as_u64() != Some(bytes.len() as u64) {
                let detail = format!("content_length of {url} is missing or wrong");
                return Err(Failure::new("Spectrum Scan Error", detail));
            }
            rows.extend(lines(url, bytes, columns)?);
        }
        Ok(rows)
    }

    fn may_read(&self, store: &S3Server) -> Result<(), Failure> {
        let known = store.credentials();
        let mut keys = format!(
            "aws_access_key_id={};aws_secret_access_key={}",
            known.access_key_id, known.secret_access_key
        );
        if let Some(token) = &known.session_token {
            keys = format!("{keys};token={token}");
        }
        let (may, why) = match &self.reader {
            Reader::Role(role) => (
                role == ROLE,
                format!("User is not authorized to assume IAM Role {role}"),
            ),
            Reader::Keys(given) => (
                *given == keys,
                "S3ServiceException:Access Denied,Status 403".to_owned(),
            ),
        };
        may.then_some(())
            .ok_or_else(|| Failure::new("Load failed", why))
    }
}

/// The question for a table's columns.
pub(super) fn columns_of(table: &str) -> String {
    format!(
        "SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a \
         WHERE a.attrelid = to_regclass({}) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum",
        literal(table)
    )
}

fn object(store: &S3Server, url: &str) -> Result<Bytes, Failure> {
    let place = url
        .strip_prefix("s3://")
        .and_then(|rest| rest.split_once('/'));
    let found = place.and_then(|(bucket, key)| store.get(bucket, key));
    found.ok_or_else(|| Failure::new("The specified S3 prefix does not exist", url))
}

fn lines(url: &str, bytes: Bytes, columns: &[Vec<String>]) -> Result<Vec<String>, Failure> {
    let broken =
        |cause: &dyn std::fmt::Display| Failure::new("Spectrum Scan Error", cause.to_string());
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes).map_err(|cause| broken(&cause))?;
    check_columns(url, reader.schema(), columns)?;
    let mut lines = Vec::new();
    for batch in reader.build().map_err(|cause| broken(&cause))? {
        let batch = batch.map_err(|cause| broken(&cause))?;
        lines.extend(text(&batch));
    }
    Ok(lines)
}

/// Columns go by their order, and each has to be of the very type.
fn check_columns(url: &str, file: &Schema, table: &[Vec<String>]) -> Result<(), Failure> {
    if file.fields().len() != table.len() {
        let detail = format!(
            "the file has {} columns and the table {}",
            file.fields().len(),
            table.len()
        );
        return Err(Failure::new("Spectrum Scan Error", detail));
    }
    for (field, column) in file.fields().iter().zip(table) {
        let sql_type = column[1].as_str();
        if !fits(field.data_type(), sql_type) {
            let detail = format!(
                "File has an incompatible Parquet schema for column '{}'. Column type: {sql_type}, Parquet schema: {}",
                column[0],
                field.data_type()
            );
            return Err(Failure {
                at: Some((url.to_owned(), column[0].clone())),
                ..Failure::new("Spectrum Scan Error", detail)
            });
        }
    }
    Ok(())
}

fn fits(file: &DataType, table: &str) -> bool {
    match file {
        DataType::Boolean => table == "boolean",
        DataType::Int16 => table == "smallint",
        DataType::Int32 => table == "integer",
        DataType::Int64 => table == "bigint",
        DataType::Float32 => table == "real",
        DataType::Float64 => table == "double precision",
        DataType::Decimal128(digits, scale) => table == format!("numeric({digits},{scale})"),
        DataType::Date32 => table == "date",
        DataType::Timestamp(TimeUnit::Microsecond, None) => table == "timestamp without time zone",
        DataType::Utf8 => table.starts_with("character varying"),
        _ => false,
    }
}

/// Rows as lines of `COPY`.
fn text(batch: &RecordBatch) -> Vec<String> {
    let options = FormatOptions::default();
    let formatters: Vec<_> = batch
        .columns()
        .iter()
        .map(|array| ArrayFormatter::try_new(array, &options).expect("a value can be shown"))
        .collect();
    let line = |row: usize| {
        let cells = batch.columns().iter().zip(&formatters);
        let cells = cells.map(|(array, formatter)| match array.is_null(row) {
            true => "\\N".to_owned(),
            false => escaped(&formatter.value(row).to_string()),
        });
        cells.collect::<Vec<_>>().join("\t") + "\n"
    };
    (0..batch.num_rows()).map(line).collect()
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('\t', "\\t")
        .replace('\n', "\\n")
        .replace('\r', "\\r")
}
