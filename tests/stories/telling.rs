//! What others are told of runs: lineage in OpenLineage's own words, traces for a collector; and that
//! nobody who listens badly keeps a run from its work.

use serde_json::{Value, json};
use tributary_testkit::python;
use tributary_testkit::server::{Flavor, Options};
use tributary_testkit::shop::Shop;

use crate::world::collector::{Collector, Heard, Manner};
use crate::world::{NAME, Setup, World};

const KEY: &str = "a-key-like-hunter2";

/// A shop whose configuration says more at its top.
async fn shop(connection: &str, more: &str) -> World {
    let world = World::shop(Flavor::MariaDb, Options::default(), Shop::SMALL).await;
    configure(&world, connection, more);
    world
}

fn configure(world: &World, connection: &str, more: &str) {
    let setup = Setup {
        connection,
        ..Setup::default()
    };
    let yaml = world.yaml(setup) + more;
    world.program.write("tributary.yaml", &yaml);
}

fn lineage(collector: &Collector) -> String {
    let url = collector.url();
    format!("lineage: {{url: \"{url}\", namespace: data, api_key: {KEY}}}\n")
}

fn events(heard: &[Heard]) -> Vec<Value> {
    heard
        .iter()
        .map(|heard| serde_json::from_slice(&heard.body).unwrap())
        .collect()
}

/// Builds OpenLineage's own types from events: unknown fields, missing ones and malformed times,
/// addresses and identities are refused.
const CHECK_LINEAGE: &str = r##"
import attr, enum, json, sys, types, typing
from openlineage.client import event_v2, facet_v2

FACETS = {
    "schema": facet_v2.schema_dataset.SchemaDatasetFacet,
    "columnLineage": facet_v2.column_lineage_dataset.ColumnLineageDatasetFacet,
    "dataSource": facet_v2.datasource_dataset.DatasourceDatasetFacet,
    "errorMessage": facet_v2.error_message_run.ErrorMessageRunFacet,
    "processing_engine": facet_v2.processing_engine_run.ProcessingEngineRunFacet,
    "jobType": facet_v2.job_type_job.JobTypeJobFacet,
    "outputStatistics": facet_v2.output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet,
}

def build(kind, value):
    origin, inner = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        return build(next(k for k in inner if k is not type(None)), value)
    if origin is list:
        return [build(inner[0], item) for item in value]
    if origin is dict:
        facets = isinstance(inner[1], type) and issubclass(inner[1], facet_v2.BaseFacet)
        return {k: build(FACETS[k] if facets else inner[1], v) for k, v in value.items()}
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return kind[value]
    if not attr.has(kind):
        assert kind is typing.Any or isinstance(value, kind), (kind, value)
        return value
    hints = typing.get_type_hints(kind)
    known = {a.name: a for a in attr.fields(kind)}
    assert set(value) <= set(known), (kind, set(value) - set(known))
    if "_schemaURL" in known:
        assert value["_schemaURL"].endswith("#/$defs/" + kind.__name__), value
        assert value["_producer"], value
    given = {n.lstrip("_"): build(hints[n], v) for n, v in value.items() if known[n].init}
    return kind(**given)

events = json.load(sys.stdin)["events"]
for event in events:
    assert event["schemaURL"].endswith("OpenLineage.json#/$defs/RunEvent")
    build(event_v2.RunEvent, event)
print(len(events))
"##;

fn check_lineage(events: &[Value]) {
    let program = python::program("checkers", "python");
    let checked = python::run_by(&program, CHECK_LINEAGE, &json!({ "events": events }));
    assert_eq!(checked, events.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_tells_what_came_from_where() {
    let collector = Collector::start(Manner::Takes);
    let connection =
        "select: [shop.customers], streams: {shop.customers: {columns: {email: hash}}}, salt: x";
    let world = shop(connection, &lineage(&collector)).await;
    world.sync().await;
    let heard = collector.heard();
    let all = events(&heard);
    check_lineage(&all);
    assert_eq!(all.len(), 2, "{all:#?}");
    let [start, complete] = [&all[0], &all[1]];
    assert_eq!(
        (&start["eventType"], &complete["eventType"]),
        (&"START".into(), &"COMPLETE".into())
    );
    assert_eq!(start["run"]["runId"], complete["run"]["runId"]);
    assert_eq!(complete["job"]["namespace"], "data");
    assert_eq!(complete["job"]["name"], NAME);
    let input = &complete["inputs"][0];
    let port = world.server.port();
    assert_eq!(input["namespace"], format!("mysql://127.0.0.1:{port}"));
    assert_eq!(input["name"], "shop.customers");
    let output = &complete["outputs"][0];
    assert!(
        output["namespace"]
            .as_str()
            .unwrap()
            .starts_with("duckdb:///")
    );
    assert_eq!(output["name"], "shop.customers");
    let rows = world.number("SELECT count(*) FROM shop.customers");
    assert_eq!(output["outputFacets"]["outputStatistics"]["rowCount"], rows);
    let fields = &output["facets"]["columnLineage"]["fields"];
    let email = &fields["email"]["inputFields"][0];
    assert_eq!(
        (&email["field"], &email["name"]),
        (&"email".into(), &"shop.customers".into())
    );
    assert_eq!(email["transformations"][0]["masking"], true);
    assert_eq!(
        fields["name"]["inputFields"][0]["transformations"][0]["masking"],
        false
    );
    for heard in &heard {
        assert!(
            heard.line.starts_with("POST /api/v1/lineage "),
            "{}",
            heard.line
        );
        assert_eq!(
            heard.header("authorization"),
            Some(format!("Bearer {KEY}").as_str())
        );
        assert!(!String::from_utf8_lossy(&heard.body).contains("hunter2"));
        assert!(!String::from_utf8_lossy(&heard.body).contains(&world.reader.password));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_failed_says_so_in_its_lineage() {
    let collector = Collector::start(Manner::Takes);
    let more = lineage(&collector);
    let world = shop("select: [shop.orders, shop.nowhere]", &more).await;
    world.program.run(&["sync"]).await.exits(3);
    configure(&world, "select: [shop.nothing]", &more);
    world.program.run(&["sync"]).await.exits(2);
    let all = events(&collector.heard());
    check_lineage(&all);
    let kinds: Vec<_> = all.iter().map(|event| &event["eventType"]).collect();
    assert_eq!(kinds, ["START", "FAIL", "START", "FAIL"]);
    let message = |event: &Value| event["run"]["facets"]["errorMessage"]["message"].to_string();
    assert!(message(&all[1]).contains("shop.nowhere"), "{:#}", all[1]);
    assert_eq!(
        all[1]["outputs"][0]["outputFacets"]["outputStatistics"]["rowCount"],
        500
    );
    assert!(
        message(&all[3]).contains("selects no stream"),
        "{:#}",
        all[3]
    );
}

/// Reads what OpenTelemetry's own types make of requests.
const READ_TRACES: &str = r#"
import base64, json, sys
from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
def plain(value):
    return next(iter(value.values()), None)
spans = []
for body in json.load(sys.stdin)["bodies"]:
    request = ExportTraceServiceRequest()
    request.ParseFromString(bytes(body))
    for resource in MessageToDict(request).get("resourceSpans", []):
        service = {a["key"]: plain(a["value"]) for a in resource["resource"]["attributes"]}
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                attributes = {a["key"]: plain(a["value"]) for a in span.get("attributes", [])}
                spans.append({"name": span["name"], "trace": span["traceId"], "id": span["spanId"],
                    "parent": span.get("parentSpanId"), "status": span.get("status", {}),
                    "service": service, "attributes": attributes})
print(json.dumps(spans))
"#;

fn spans(collector: &Collector) -> Vec<Value> {
    let bodies: Vec<_> = collector
        .heard()
        .into_iter()
        .map(|heard| heard.body)
        .collect();
    let program = python::program("checkers", "python");
    let read = python::run_by(&program, READ_TRACES, &json!({ "bodies": bodies }));
    read.as_array().unwrap().clone()
}

fn telemetry(collector: &Collector) -> String {
    let url = collector.url();
    format!(
        "telemetry: {{otlp_endpoint: \"{url}\", headers: {{x-key: {KEY}}}, service_name: mover}}\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_a_trace_with_connection_and_epoch() {
    let collector = Collector::start(Manner::Takes);
    let world = shop("select: [shop.orders]", &telemetry(&collector)).await;
    // What is logged does not decide about what is traced.
    let quiet = ["--log-level", "error", "sync"];
    world.program.run(&quiet).await.exits(0);
    for heard in collector.heard() {
        assert!(heard.line.starts_with("POST /v1/traces "), "{}", heard.line);
        assert_eq!(heard.header("x-key"), Some(KEY));
        assert_eq!(heard.header("content-type"), Some("application/x-protobuf"));
    }
    let all = spans(&collector);
    let named = |name: &str| all.iter().find(|span| span["name"] == name);
    let sync = named("sync").unwrap_or_else(|| panic!("no span of the run: {all:#?}"));
    let load = named("load").unwrap_or_else(|| panic!("no span of a load: {all:#?}"));
    assert_eq!(sync["service"]["service.name"], "mover");
    assert_eq!(sync["attributes"]["connection"], NAME);
    assert_eq!(sync["attributes"]["epoch"], "1");
    assert_eq!(sync["attributes"]["status"], "succeeded");
    assert_eq!(load["attributes"]["connection"], NAME);
    assert_eq!(load["attributes"]["epoch"], "1");
    assert_eq!(load["attributes"]["rows"], "500");
    assert_eq!(
        (&load["parent"], &load["trace"]),
        (&sync["id"], &sync["trace"])
    );

    configure(&world, "select: [shop.nothing]", &telemetry(&collector));
    world.program.run(&["sync"]).await.exits(2);
    let all = spans(&collector);
    let failed = all
        .iter()
        .find(|span| span["attributes"]["status"] == "failed");
    assert_eq!(failed.unwrap()["status"]["code"], "STATUS_CODE_ERROR");
}

/// Lines of the log carry the connection, also those of connectors.
#[tokio::test(flavor = "multi_thread")]
async fn lines_of_the_log_carry_the_connection_and_its_epoch() {
    let world = shop("select: [shop.orders, shop.nowhere]", "").await;
    let run = world.program.run(&["--log-format", "json", "sync"]).await;
    let lines: Vec<Value> = run
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let committed = lines.iter().find(|line| line["message"] == "committed");
    let committed = committed.unwrap_or_else(|| panic!("{run}"));
    assert_eq!(committed["span"]["connection"], NAME, "{committed:#}");
    assert_eq!(committed["span"]["epoch"], 1, "{committed:#}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_who_listens_badly_is_in_the_way() {
    for manner in [Manner::Breaks, Manner::Silent] {
        let collector = Collector::start(manner);
        let more = lineage(&collector) + &telemetry(&collector);
        let world = shop("select: [shop.orders]", &more).await;
        let run = world.sync().await;
        assert_eq!(world.assert_equal(&["shop.orders"]).await, 500);
        let run = run.says("lineage events do not arrive");
        let run = run.says("traces do not arrive");
        assert!(!run.stderr.contains("hunter2"), "{run}");
    }
    // Nobody at all.
    let gone = Collector::nobody();
    let more = lineage(&gone) + &telemetry(&gone);
    let world = shop("select: [shop.orders]", &more).await;
    world.sync().await.says("lineage events do not arrive");
    assert_eq!(world.assert_equal(&["shop.orders"]).await, 500);
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_in_who_is_told_are_found_before_anything_is_contacted() {
    let world = shop(
        "",
        "lineage: {url: localhost:5000}\ntelemetry: {otlp_endpoint: \"http://u:p@h:4318\", headers: {\"a b\": c}}\n",
    )
    .await;
    let refused = world.program.run(&["validate"]).await.exits(2);
    let refused = refused.says("an address is written like http://localhost:4318");
    let refused = refused.says("an address takes no user and password");
    refused.says("a header's name takes letters");
}
