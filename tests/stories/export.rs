//! The same connections on engines that exist: a real Airflow runs what is written for it, and
//! Kubernetes' own schemas take what is written for Kubernetes.

use std::path::Path;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tributary_testkit::program::Program;
use tributary_testkit::python;
use tributary_testkit::server::{Flavor, Options};
use tributary_testkit::shop::Shop;

use crate::world::{NAME, Setup, World};

/// Names and values that would like to be code, every schedule, secrets in clear and by reference.
const HOSTILE: &str = r#"
sources:
  shop: {type: mysql, host: db.internal, user: reader, password: "${SHOP_PASSWORD}", tls: {ca_file: /etc/ssl/shop.pem}}
  billing: {type: stripe, api_key: sk_live_hunter2}
  support: {type: stripe, api_key: "file:secrets/support"}
destinations:
  warehouse: {type: duckdb, path: data/warehouse.duckdb}
  lake: {type: lake, url: "s3://acme/raw"}
connections:
  shop:
    source: shop
    destination: warehouse
    schedule: 5m
    select: ["shop.*"]
  Shop:
    source: shop
    destination: lake
    schedule: "30 6 * * mon-fri"
    time_zone: Europe/Berlin
    export: {timeout: 2h, retries: 5}
  "-": {source: support, destination: lake, schedule: 1h}
  live: {source: shop, destination: lake, schedule: continuous}
  hand: {source: billing, destination: lake}
  parts:
    source: billing
    destination: lake
    schedule: 1h
    streams:
      "\"]\n__import__('os').abort()  # {{ 1/0 }} $(HOME) \\": {schedule: 5m}
"#;

fn hostile() -> Program {
    Program::new(env!("CARGO_BIN_EXE_tributary")).config(HOSTILE)
}

async fn export(program: &Program, args: &[&str]) -> String {
    let all: Vec<_> = ["export"].iter().chain(args).copied().collect();
    let first = program.run(&all).await.exits(0);
    let again = program.run(&all).await.exits(0);
    assert_eq!(first.stdout, again.stdout, "the same every time");
    assert!(!first.stdout.contains("hunter2"), "no secret");
    first.stdout
}

/// Reads a DAG without running it: its names and the list that it is made from, as literals.
const READ_DAG: &str = r#"
import ast, datetime, json, sys
text = json.load(sys.stdin)["text"]
compile(text, "dag.py", "exec")
tree = ast.parse(text)
def literal(node):
    if isinstance(node, ast.Call):
        assert node.func.id == "timedelta", ast.dump(node)
        return datetime.timedelta(**{k.arg: k.value.value for k in node.keywords}).total_seconds()
    if isinstance(node, ast.List):
        return [literal(item) for item in node.elts]
    if isinstance(node, ast.Dict):
        return {key.value: literal(value) for key, value in zip(node.keys, node.values)}
    return ast.literal_eval(node)
syncs = [n.value for n in tree.body if isinstance(n, ast.Assign) and n.targets[0].id == "SYNCS"]
code = [type(n).__name__ for n in tree.body]
print(json.dumps({"syncs": literal(syncs[0]), "code": code}))
"#;

#[tokio::test]
async fn a_dag_holds_names_as_data_only() {
    let program = hostile();
    let text = export(&program, &["airflow"]).await;
    let read = python::run_by(&checker("python"), READ_DAG, &json!({ "text": text }));
    let syncs = read["syncs"].as_array().unwrap();
    let of = |id: &str| syncs.iter().find(|sync| sync["dag_id"] == id).unwrap();
    assert_eq!(syncs.len(), 7, "{syncs:#?}");
    assert_eq!(of("tributary_shop")["schedule"], 300.0);
    assert_eq!(of("tributary_Shop")["schedule"], "30 6 * * 1,2,3,4,5");
    assert_eq!(of("tributary_Shop")["timezone"], "Europe/Berlin");
    assert_eq!(of("tributary_Shop")["timeout"], 7200.0);
    assert_eq!(of("tributary_Shop")["retries"], 5);
    assert_eq!(of("tributary_live")["schedule"], 60.0);
    assert_eq!(of("tributary_hand")["schedule"], Value::Null);
    assert_eq!(of("tributary_-")["targets"], json!(["-"]));
    let hostile = "\"]\n__import__('os').abort()  # {{ 1/0 }} $(HOME) \\";
    let part = syncs
        .iter()
        .find(|sync| sync["schedule"] == 300.0 && sync["targets"][0] != "shop");
    let part = part.unwrap();
    assert_eq!(part["targets"][0], format!("parts:{hostile}"));
    assert_eq!(
        of("tributary_parts")["options"],
        json!([format!("--select=!{hostile}")])
    );
    assert_eq!(
        part["pool"],
        of("tributary_parts")["pool"],
        "they take turns"
    );
    assert_ne!(
        of("tributary_shop")["pool"],
        "tributary",
        "two log in as the same user"
    );

    let pools: Value =
        serde_json::from_str(&export(&program, &["airflow", "--pools"]).await).unwrap();
    for sync in syncs {
        assert!(
            pools.get(sync["pool"].as_str().unwrap()).is_some(),
            "{pools:#}"
        );
    }
}

#[tokio::test]
async fn what_is_written_goes_where_it_should() {
    let program = hostile();
    let file = program.path("dag.py").display().to_string();
    let written = program
        .run(&["export", "airflow", "-o", &file])
        .await
        .exits(0);
    assert_eq!(written.stdout, "");
    let printed = export(&program, &["airflow"]).await;
    assert_eq!(std::fs::read_to_string(&file).unwrap(), printed);
    program
        .run(&["export", "airflow", "-o", "/nowhere/at/all.py"])
        .await
        .exits(1)
        .says("can't be written");
    let typo = hostile().config("connections: {a: {source: b}}");
    typo.run(&["export", "kubernetes"]).await.exits(2);
}

fn checker(name: &str) -> std::path::PathBuf {
    python::program("checkers", name)
}

/// A real Airflow with a folder of its own.
struct Airflow<'w> {
    world: &'w World,
}

impl Airflow<'_> {
    fn run(&self, args: &[&str]) -> Output {
        let home = self.world.program.path("airflow");
        Command::new(checker("airflow"))
            .args(args)
            .current_dir(self.world.program.path("."))
            .env("AIRFLOW_HOME", &home)
            .env("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
            .env("AIRFLOW__CORE__DAGS_FOLDER", home.join("dags"))
            .env("TRIBUTARY_BIN", env!("CARGO_BIN_EXE_tributary"))
            .env("SHOP_PASSWORD", &self.world.reader.password)
            .output()
            .unwrap()
    }

    fn succeeds(&self, args: &[&str]) -> String {
        let output = self.run(args);
        let said = said(&output);
        assert!(output.status.success(), "airflow {args:?}: {said}");
        said
    }

    /// Runs the connection's DAG to its end, on this thread of the test's.
    fn test(&self) -> String {
        said(&self.run(&["dags", "test", &format!("tributary_{NAME}")]))
    }
}

fn said(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    text(&output.stdout) + &text(&output.stderr)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_airflow_runs_the_dag() {
    let world = World::shop(Flavor::MariaDb, Options::default(), Shop::SMALL).await;
    let connection = "schedule: 5m, select: [shop.orders], export: {retries: 0, timeout: 10m}";
    world.configure(Setup {
        connection,
        ..Setup::default()
    });
    let home = world.program.path("airflow");
    std::fs::create_dir_all(home.join("dags")).unwrap();
    let dag = home.join("dags/tributary_dag.py").display().to_string();
    let pools = world.program.path("pools.json").display().to_string();
    let write = ["export", "airflow", "-o", &dag];
    world.program.run(&write).await.exits(0);
    let write = ["export", "airflow", "--pools", "-o", &pools];
    world.program.run(&write).await.exits(0);
    let airflow = Airflow { world: &world };
    airflow.succeeds(&["db", "migrate"]);
    airflow.succeeds(&["pools", "import", &pools]);

    // A run brings what is there, its counts are the task's result; another one brings nothing twice.
    let first = airflow.test();
    assert!(first.contains("'records_written': 500"), "{first}");
    assert!(
        first.contains("state=success") || first.contains("successful"),
        "{first}"
    );
    world.assert_equal(&["shop.orders"]).await;
    let second = airflow.test();
    assert!(second.contains("'records_written': 0"), "{second}");
    assert_eq!(world.loads(), 1);

    // Some streams failed: the task fails and says which.
    world.configure(Setup {
        connection: "schedule: 5m, select: [shop.orders, shop.nowhere], export: {retries: 0}",
        ..Setup::default()
    });
    let partial = airflow.test();
    assert!(
        partial.contains("some streams failed, the others committed"),
        "{partial}"
    );
    assert!(partial.contains("shop.nowhere"), "{partial}");

    // A bad configuration fails and is not tried again, whatever `retries` says.
    world.program.write("tributary.yaml", "nonsense: true");
    let bad = airflow.test();
    assert!(bad.contains("bad configuration, not tried again"), "{bad}");
    assert!(!bad.contains("up_for_retry"), "{bad}");
}

/// Holds manifests against Kubernetes' schemas, unknown fields included.
const VALIDATE: &str = r#"
import json, sys, yaml, kubernetes_validate
documents = list(yaml.safe_load_all(json.load(sys.stdin)["text"]))
for version in ("1.28", "1.33"):
    for document in documents:
        kubernetes_validate.validate(document, version, strict=True)
print(json.dumps(documents))
"#;

async fn manifests(program: &Program, args: &[&str]) -> Vec<Value> {
    let all: Vec<_> = ["kubernetes"].iter().chain(args).copied().collect();
    let text = export(program, &all).await;
    let read = python::run_by(&checker("python"), VALIDATE, &json!({ "text": text }));
    read.as_array().unwrap().clone()
}

fn of_kind<'d>(documents: &'d [Value], kind: &str) -> Vec<&'d Value> {
    documents
        .iter()
        .filter(|document| document["kind"] == kind)
        .collect()
}

#[tokio::test]
async fn kubernetes_takes_the_manifests() {
    let documents = manifests(&hostile(), &["--namespace", "data"]).await;
    let jobs = of_kind(&documents, "CronJob");
    let job = |connection: &str| {
        let found = jobs
            .iter()
            .find(|job| job["metadata"]["annotations"]["tributary/connection"] == connection);
        &found.unwrap_or_else(|| panic!("{connection} has no CronJob"))["spec"]
    };
    assert_eq!(jobs.len(), 4);
    assert_eq!(job("shop")["schedule"], "*/5 * * * *");
    assert_eq!(job("Shop")["timeZone"], "Europe/Berlin");
    assert_eq!(
        job("Shop")["jobTemplate"]["spec"]["activeDeadlineSeconds"],
        7200
    );
    assert_eq!(job("Shop")["jobTemplate"]["spec"]["backoffLimit"], 5);
    assert_eq!(job("hand")["suspend"], true);
    assert_names_differ(&documents);
    for document in &documents {
        let name = document["metadata"]["name"].as_str().unwrap();
        assert!(is_label(name), "{name}");
        assert_eq!(document["metadata"]["namespace"], "data");
    }
    let deployed = of_kind(&documents, "Deployment");
    let daemon = &deployed[0]["spec"]["template"]["spec"];
    assert_eq!(deployed.len(), 1);
    let pods = jobs
        .iter()
        .map(|job| &job["spec"]["jobTemplate"]["spec"]["template"]["spec"]);
    for pod in pods.chain([daemon]) {
        is_careful(pod);
    }
    let container = &daemon["containers"][0];
    assert_eq!(container["livenessProbe"]["httpGet"]["path"], "/healthz");
    assert_eq!(container["readinessProbe"]["httpGet"]["path"], "/readyz");
    let variable = |name: &str| {
        let all = container["env"].as_array().unwrap().iter();
        let mut found = all.filter(|variable| variable["name"] == name);
        found.next().unwrap_or_else(|| panic!("no {name}")).clone()
    };
    // What CronJobs run is left to them.
    for name in ["shop", "Shop", "-", "hand"] {
        let own = variable(&format!("TRIBUTARY__CONNECTIONS__{name}__SCHEDULE"));
        assert_eq!(own["value"], "manual");
    }
    let moved = variable("TRIBUTARY_SOURCES_BILLING_API_KEY");
    assert_eq!(moved["valueFrom"]["secretKeyRef"]["name"], "tributary");
    let claims = of_kind(&documents, "PersistentVolumeClaim");
    assert_eq!(claims.len(), 1);
    let mounts = &job("shop")["jobTemplate"]["spec"]["template"]["spec"]["containers"][0];
    let mounts = mounts["volumeMounts"].as_array().unwrap();
    assert!(
        mounts
            .iter()
            .any(|mount| mount["mountPath"] == "/var/lib/tributary/data")
    );
}

fn assert_names_differ(documents: &[Value]) {
    let name = |document: &Value| {
        let name = document["metadata"]["name"].as_str().unwrap();
        format!("{} {name}", document["kind"])
    };
    let mut names: Vec<_> = documents.iter().map(name).collect();
    names.sort();
    names.dedup();
    let count = documents.len();
    assert_eq!(names.len(), count, "no two of a kind have one name");
}

/// What every pod keeps to.
fn is_careful(pod: &Value) {
    let container = &pod["containers"][0];
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
    assert_eq!(
        container["securityContext"]["allowPrivilegeEscalation"],
        false
    );
    assert_eq!(
        container["securityContext"]["capabilities"]["drop"],
        json!(["ALL"])
    );
    assert_eq!(container["resources"]["limits"]["memory"], "768Mi");
    let variables = container["env"].as_array().unwrap();
    let password = variables
        .iter()
        .find(|variable| variable["name"] == "SHOP_PASSWORD");
    let reference = &password.unwrap()["valueFrom"]["secretKeyRef"];
    assert_eq!(
        reference,
        &json!({ "name": "tributary", "key": "SHOP_PASSWORD" })
    );
}

/// A DNS label of RFC 1123 that begins with a letter.
fn is_label(name: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    name.len() <= 63
        && name.starts_with(|c: char| c.is_ascii_lowercase())
        && !name.ends_with('-')
        && name.chars().all(inner)
}

/// The configuration in the ConfigMap means the same, with the variables that the manifests name.
#[tokio::test]
async fn the_configuration_in_the_cluster_is_the_same() {
    let program = hostile();
    let documents = manifests(&program, &[]).await;
    let text = documents[0]["data"]["tributary.yaml"].as_str().unwrap();
    assert!(!text.contains("hunter2"));
    let there = Program::new(env!("CARGO_BIN_EXE_tributary"))
        .env("SHOP_PASSWORD", "x")
        .env("TRIBUTARY_SOURCES_BILLING_API_KEY", "sk_live_hunter2")
        .config(text);
    std::fs::create_dir_all(there.path("secrets")).unwrap();
    there.write("secrets/support", "sk_live_x");
    let valid = there.run(&["validate", "-o", "json"]).await.exits(0).json();
    assert_eq!(valid["connections"].as_array().unwrap().len(), 6);
}

/// The dashboard asks for metrics that there are, and leaves none out.
#[test]
fn the_dashboard_asks_for_metrics_that_there_are() {
    const METRICS: [&str; 13] = [
        "tributary_build_info",
        "tributary_bytes_read_total",
        "tributary_http_requests_total",
        "tributary_last_commit_timestamp_seconds",
        "tributary_rate_limit_wait_seconds_total",
        "tributary_records_read_total",
        "tributary_records_rejected_total",
        "tributary_records_written_total",
        "tributary_snapshot_rows_done",
        "tributary_snapshot_rows_estimate",
        "tributary_source_lag_seconds",
        "tributary_sync_duration_seconds",
        "tributary_sync_failures_total",
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = root.join("deploy/grafana/tributary.json");
    let dashboard: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let mut asked: Vec<String> = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            let text = target["expr"].as_str().unwrap();
            let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let ours = words.filter(|word| word.starts_with("tributary_"));
            // A histogram is asked for by its parts.
            asked.extend(ours.map(|word| word.trim_end_matches("_bucket").to_owned()));
        }
    }
    asked.sort();
    asked.dedup();
    assert_eq!(asked, METRICS);
    let daemon = root.join("core/daemon/src");
    let files = ["metrics.rs", "metrics/gauges.rs"];
    let there = files.map(|file| std::fs::read_to_string(daemon.join(file)).unwrap());
    let there = there.concat();
    for name in METRICS {
        assert!(
            there.contains(&format!("\"{name}\"")),
            "the daemon has no {name}"
        );
    }
}
