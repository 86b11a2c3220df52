//! Tables by the REST API: what they are like, those that rows are staged in, and dropping them.

use chrono::{DateTime, Utc};
use reqwest::Method;
use serde_json::{Value, json};
use tributary_model::{Error, ErrorKind, Existing, Result, TableColumn, TableName};
use tributary_sql::{Found, FoundColumn};

use crate::api::{Answer, Api, encoded};
use crate::dialect::data_type;
use crate::layout::is_unfinished;
use crate::names::{column_name, dataset_id, table_id};

/// Tables of a project.
#[derive(Clone, Debug)]
pub(crate) struct Tables {
    api: Api,
}

impl Tables {
    pub(crate) fn new(api: Api) -> Self {
        Self { api }
    }

    /// What is there under a name.
    pub(crate) async fn find(&self, table: &TableName) -> Result<Found> {
        match self.api.get(&path(table)).await? {
            Answer::Done(found) => {
                refuse_other_kinds(table, &found)?;
                Ok(Found {
                    schema: true,
                    columns: Some(columns(&found)),
                })
            }
            Answer::Missing(_) | Answer::Exists => Ok(Found {
                schema: self.has_dataset(&table.schema).await?,
                columns: None,
            }),
        }
    }

    /// The columns by which a table is clustered and partitioned, which keep their names.
    pub(crate) async fn fixed(&self, table: &TableName) -> Result<Vec<String>> {
        Ok(match self.api.get(&path(table)).await? {
            Answer::Done(found) => fixed(&found),
            Answer::Missing(_) | Answer::Exists => Vec::new(),
        })
    }

    /// Whether a dataset is there.
    pub(crate) async fn has_dataset(&self, schema: &str) -> Result<bool> {
        Ok(self.location(schema).await?.is_some())
    }

    /// Where a dataset is, where it is there.
    pub(crate) async fn location(&self, schema: &str) -> Result<Option<String>> {
        let path = format!("/datasets/{}", encoded(&dataset_id(schema)));
        match self.api.get(&path).await? {
            Answer::Done(found) => {
                let location = found["location"].as_str().unwrap_or_default();
                Ok(Some(location.to_owned()))
            }
            Answer::Missing(_) | Answer::Exists => Ok(None),
        }
    }

    /// The columns of those of `tables` that are there, where their types are ours.
    pub(crate) async fn describe(&self, tables: &[TableName]) -> Result<Existing> {
        let mut existing = Existing::new();
        for table in tables {
            let Answer::Done(found) = self.api.get(&path(table)).await? else {
                continue;
            };
            if found["type"] != "TABLE" {
                continue;
            }
            let known = columns(&found).into_iter().filter_map(|column| {
                Some(TableColumn {
                    name: column.name,
                    data_type: column.data_type?,
                    default: None,
                })
            });
            existing.insert(table.clone(), known.collect());
        }
        Ok(existing)
    }

    /// Makes a table in which rows are staged; it expires by itself.
    pub(crate) async fn make_staging(
        &self,
        table: &TableName,
        fields: &[(String, &str)],
        expires: DateTime<Utc>,
    ) -> Result<()> {
        let fields: Vec<Value> = fields
            .iter()
            .map(|(name, sql_type)| json!({"name": name, "type": sql_type, "mode": "NULLABLE"}))
            .collect();
        let body = json!({
            "tableReference": {
                "datasetId": dataset_id(&table.schema), "tableId": table_id(&table.table),
            },
            "schema": {"fields": fields},
            "expirationTime": expires.timestamp_millis().to_string(),
        });
        let path = format!("/datasets/{}/tables", encoded(&dataset_id(&table.schema)));
        match self.api.call(Method::POST, &path, Some(&body)).await? {
            // What an answer that was lost had made: nobody else knows the name.
            Answer::Done(_) | Answer::Exists => Ok(()),
            Answer::Missing(error) => Err(error),
        }
    }

    /// Drops a table where there is one.
    pub(crate) async fn drop(&self, table: &TableName) -> Result<()> {
        match self.api.call(Method::DELETE, &path(table), None).await? {
            Answer::Done(_) | Answer::Missing(_) | Answer::Exists => Ok(()),
        }
    }
}

fn path(table: &TableName) -> String {
    let (dataset, table) = (dataset_id(&table.schema), table_id(&table.table));
    format!("/datasets/{}/tables/{}", encoded(&dataset), encoded(&table))
}

fn refuse_other_kinds(table: &TableName, found: &Value) -> Result<()> {
    match found["type"].as_str() {
        Some("TABLE") | None => Ok(()),
        Some(kind) => Err(Error::new(
            ErrorKind::Incompatible,
            format!(
                "{table} is a {} and a table is needed there",
                kind.to_lowercase()
            ),
        )
        .fix("Rename it, or name another table with `table:` in the stream's options.")),
    }
}

/// The columns of a table as BigQuery describes it, under our names.
fn columns(table: &Value) -> Vec<FoundColumn> {
    let fields = table["schema"]["fields"].as_array().into_iter().flatten();
    let columns = fields.map(column);
    columns.filter(|column| !is_unfinished(column)).collect()
}

fn fixed(table: &Value) -> Vec<String> {
    let clustered = table["clustering"]["fields"].as_array();
    let names = clustered.into_iter().flatten();
    let names = names.chain([&table["timePartitioning"]["field"]]);
    let names = names.filter_map(Value::as_str);
    names.map(column_name).collect()
}

fn column(field: &Value) -> FoundColumn {
    let text = |name: &str| field[name].as_str();
    let number = |name: &str| match &field[name] {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64().and_then(|number| u8::try_from(number).ok()),
    };
    // The API has older words for some types, which SQL does not know.
    let sql_type = match text("type").unwrap_or_default() {
        "INTEGER" => "INT64",
        "FLOAT" => "FLOAT64",
        "BOOLEAN" => "BOOL",
        other => other,
    };
    let (precision, scale): (Option<u8>, Option<u8>) = (number("precision"), number("scale"));
    let repeated = text("mode") == Some("REPEATED");
    FoundColumn {
        name: column_name(text("name").unwrap_or_default()),
        data_type: data_type(sql_type, precision, scale).filter(|_| !repeated),
        sql_type: match (precision, scale) {
            (Some(precision), scale) => format!("{sql_type}({precision}, {})", scale.unwrap_or(0)),
            (None, _) => sql_type.to_owned(),
        },
    }
}

#[cfg(test)]
mod tests {
    use tributary_model::DataType;

    use super::*;

    #[test]
    fn columns_are_told_in_words_of_sql() {
        let fields = json!([
            {"name": "n", "type": "FLOAT"},
            {"name": "dot_x2E_ted", "type": "NUMERIC", "precision": "10", "scale": "2"},
            {"name": "_tributary_new_x", "type": "STRING"},
            {"name": "many", "type": "INTEGER", "mode": "REPEATED"},
        ]);
        let found = columns(&json!({"schema": {"fields": fields}}));
        let found: Vec<_> = found
            .iter()
            .map(|c| (c.name.as_str(), c.sql_type.as_str(), c.data_type))
            .collect();
        let laid =
            json!({"clustering": {"fields": ["a_x2E_b"]}, "timePartitioning": {"field": "at"}});
        assert_eq!(fixed(&laid), ["a.b", "at"]);
        let expected = [
            ("n", "FLOAT64", Some(DataType::Float64)),
            ("dot.ted", "NUMERIC(10, 2)", Some(DataType::Decimal(10, 2))),
            ("many", "INT64", None),
        ];
        assert_eq!(found, expected);
    }
}
