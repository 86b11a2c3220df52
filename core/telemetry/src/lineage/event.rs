//! Events as OpenLineage writes them.

use serde_json::{Map, Value, json};
use tributary_engine::{ColumnOrigin, StreamReport};
use tributary_model::{StreamName, TableName};

use super::Subject;

/// Who says so.
const PRODUCER: &str = concat!("urn:tributary:", env!("CARGO_PKG_VERSION"));
const EVENT: &str = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent";
const FACETS: &str = "https://openlineage.io/spec/facets";

/// What happened to a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Start,
    Running,
    Complete,
    Abort,
    Fail,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Self::Start => "START",
            Self::Running => "RUNNING",
            Self::Complete => "COMPLETE",
            Self::Abort => "ABORT",
            Self::Fail => "FAIL",
        }
    }
}

/// How a run goes on: to an end, or for as long as someone lets it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Processing {
    /// One sync.
    Batch,
    /// Following a log.
    Streaming,
}

/// A stream and its table, as far as they are known.
#[derive(Clone, Debug)]
pub(crate) struct Pair {
    pub(crate) stream: StreamName,
    pub(crate) table: TableName,
    pub(crate) columns: Vec<ColumnOrigin>,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
}

impl Pair {
    pub(crate) fn count(&mut self, report: &StreamReport) {
        self.rows = report.records_written;
        self.bytes = report.bytes_read;
    }
}

/// An event about a run.
pub(crate) fn event(
    kind: Kind,
    time: &str,
    run: &str,
    subject: &Subject,
    pairs: &[Pair],
    error: Option<&str>,
) -> Value {
    json!({
        "eventType": kind.word(),
        "eventTime": time,
        "producer": PRODUCER,
        "schemaURL": EVENT,
        "run": { "runId": run, "facets": run_facets(error) },
        "job": {
            "namespace": subject.namespace,
            "name": subject.connection,
            "facets": { "jobType": job_type(subject.processing) },
        },
        "inputs": pairs.iter().map(|pair| input(subject, pair)).collect::<Vec<_>>(),
        "outputs": pairs.iter().map(|pair| output(subject, pair)).collect::<Vec<_>>(),
    })
}

/// A facet's fields with those that every facet has.
fn facet(version: &str, name: &str, fields: Value) -> Value {
    let mut facet = Map::new();
    facet.insert("_producer".to_owned(), json!(PRODUCER));
    let url = format!("{FACETS}/{version}/{name}.json#/$defs/{name}");
    facet.insert("_schemaURL".to_owned(), json!(url));
    if let Value::Object(fields) = fields {
        facet.extend(fields);
    }
    Value::Object(facet)
}

fn run_facets(error: Option<&str>) -> Value {
    let engine = json!({ "version": env!("CARGO_PKG_VERSION"), "name": "Tributary" });
    let mut facets = json!({
        "processing_engine": facet("1-1-1", "ProcessingEngineRunFacet", engine),
    });
    if let Some(message) = error {
        let fields = json!({ "message": message, "programmingLanguage": "Rust" });
        facets["errorMessage"] = facet("1-0-1", "ErrorMessageRunFacet", fields);
    }
    facets
}

fn job_type(processing: Processing) -> Value {
    let word = match processing {
        Processing::Batch => "BATCH",
        Processing::Streaming => "STREAMING",
    };
    let fields = json!({ "processingType": word, "integration": "TRIBUTARY", "jobType": "SYNC" });
    facet("2-0-3", "JobTypeJobFacet", fields)
}

fn input(subject: &Subject, pair: &Pair) -> Value {
    let fields = pair
        .columns
        .iter()
        .filter_map(|column| Some((column.source.as_deref()?, column.data_type.to_string())));
    json!({
        "namespace": subject.source.namespace,
        "name": pair.stream.to_string(),
        "facets": dataset_facets(&subject.source.namespace, schema(fields)),
        "inputFacets": {},
    })
}

fn output(subject: &Subject, pair: &Pair) -> Value {
    let place = &subject.destination;
    let fields = pair.columns.iter();
    let fields = fields.map(|column| (column.name.as_str(), column.data_type.to_string()));
    let mut facets = dataset_facets(&place.namespace, schema(fields));
    if !pair.columns.is_empty() {
        facets["columnLineage"] = column_lineage(subject, pair);
    }
    let statistics = json!({ "rowCount": pair.rows, "size": pair.bytes });
    json!({
        "namespace": place.namespace,
        "name": place.table(&pair.table.schema, &pair.table.table),
        "facets": facets,
        "outputFacets": {
            "outputStatistics":
                facet("1-0-2", "OutputStatisticsOutputDatasetFacet", statistics),
        },
    })
}

fn dataset_facets(namespace: &str, schema: Value) -> Value {
    let source = json!({ "name": namespace, "uri": namespace });
    let mut facets = json!({ "dataSource": facet("1-0-1", "DatasourceDatasetFacet", source) });
    if schema["fields"]
        .as_array()
        .is_some_and(|fields| !fields.is_empty())
    {
        facets["schema"] = facet("1-1-1", "SchemaDatasetFacet", schema);
    }
    facets
}

fn schema<'n>(fields: impl Iterator<Item = (&'n str, String)>) -> Value {
    let fields: Vec<_> = fields
        .map(|(name, data_type)| json!({ "name": name, "type": data_type }))
        .collect();
    json!({ "fields": fields })
}

/// Which column feeds which: one each, as it is, or hidden.
fn column_lineage(subject: &Subject, pair: &Pair) -> Value {
    let mut fields = Map::new();
    for column in &pair.columns {
        let Some(source) = &column.source else {
            continue;
        };
        let subtype = if column.hidden {
            "TRANSFORMATION"
        } else {
            "IDENTITY"
        };
        let from = json!({
            "namespace": subject.source.namespace,
            "name": pair.stream.to_string(),
            "field": source,
            "transformations": [{
                "type": "DIRECT",
                "subtype": subtype,
                "description": "",
                "masking": column.hidden,
            }],
        });
        fields.insert(column.name.clone(), json!({ "inputFields": [from] }));
    }
    facet(
        "1-2-0",
        "ColumnLineageDatasetFacet",
        json!({ "fields": fields }),
    )
}
