//! Configurations that are right, and what they mean.

use std::time::Duration;

use serde_json::json;
use tributary_config::Schedule;
use tributary_model::{
    DataType, Deletes, FlushPolicy, Mask, Mode, RejectLimit, SchemaChanges, StreamName,
};

use crate::kinds::read;

const MINIMAL: &str = "
sources:
  shop: {type: mysql, host: localhost}
destinations:
  warehouse: {type: duckdb, path: w.duckdb}
connections:
  shop: {source: shop, destination: warehouse}
";

#[test]
fn what_is_left_unsaid_is_filled_in() {
    let plan = read(MINIMAL, []).unwrap();
    assert_eq!(plan.sources["shop"].kind, "mysql");
    assert_eq!(plan.sources["shop"].settings, json!({"host": "localhost"}));
    let shop = &plan.connections["shop"];
    assert_eq!(
        (shop.source.as_str(), shop.destination.as_str()),
        ("shop", "warehouse")
    );
    assert_eq!(shop.schedule, Schedule::Manual);
    assert_eq!(shop.options.flush, FlushPolicy::default());
    assert_eq!(shop.options.memory, 512 << 20);
    assert!(shop.options.select.0.is_empty() && shop.options.salt.is_none());
    let orders = shop.options.of(&StreamName::within("shop", "orders"));
    assert_eq!((orders.mode, orders.deletes), (Mode::Merge, Deletes::Soft));
    assert_eq!(plan.daemon.listen.to_string(), "127.0.0.1:8642");
    assert_eq!(plan.daemon.workers, 4);
}

#[test]
fn streams_start_from_the_defaults_of_their_connection() {
    let text = MINIMAL.replace(
        "{source: shop, destination: warehouse}",
        "
    source: shop
    destination: warehouse
    schedule: '*/15 * * * *'
    select: ['shop.*', '!shop.sessions']
    salt: pepper
    defaults:
      mode: append
      deletes: ignore
      columns: {email: hash, internal: exclude}
    streams:
      shop.customers:
        mode: merge
        schema_changes: freeze
        where: id > 5
        table: sales.people
        schedule: 1h30m
        columns: {email: {rename: mail}, phone: {mask: {keep_last: 3}}, n: {type: 'decimal(38,9)'}}
      shop.orders:
    flush: {rows: 10, bytes: 1MiB, every: 2s}",
    );
    let plan = read(&text, []).unwrap();
    let shop = &plan.connections["shop"];
    assert!(matches!(&shop.schedule, Schedule::Cron(cron) if cron.as_str() == "*/15 * * * *"));
    let customers = StreamName::within("shop", "customers");
    assert_eq!(
        shop.stream_schedules[&customers],
        Schedule::Every(Duration::from_secs(5400))
    );
    let of = shop.options.of(&customers);
    assert_eq!((of.mode, of.deletes), (Mode::Merge, Deletes::Ignore));
    assert_eq!(of.schema_changes, SchemaChanges::Freeze);
    assert_eq!(of.filter.as_deref(), Some("id > 5"));
    assert_eq!(of.table.as_ref().unwrap().to_string(), "sales.people");
    assert!(of.columns["internal"].exclude && !of.columns["email"].hash);
    assert_eq!(of.columns["email"].rename.as_deref(), Some("mail"));
    assert_eq!(of.columns["phone"].mask, Some(Mask::KeepLast(3)));
    assert_eq!(of.columns["n"].data_type, Some(DataType::Decimal(38, 9)));
    let orders = shop.options.of(&StreamName::within("shop", "orders"));
    assert_eq!(orders.mode, Mode::Append);
    assert!(orders.columns["email"].hash && orders.table.is_none());
    let flush = FlushPolicy {
        rows: 10,
        bytes: 1 << 20,
        age: Duration::from_secs(2),
    };
    assert_eq!(shop.options.flush, flush);
}

#[test]
fn masks_and_limits_are_written_in_several_ways() {
    let text = MINIMAL.replace(
        "connections:",
        "connections:
  masked:
    source: shop
    destination: warehouse
    defaults: {max_rejected: 0.5%}
    streams:
      shop.a:
        max_rejected: 20
        columns:
          whole: mask
          last: {mask: {keep_last: 4}}
          first: {mask: {keep_first: 0}}
          mail: {mask: email}
          word: {mask: 'null'}
          none: {mask: null}
          text: {mask: {constant: hidden}}
      shop.b: {max_rejected: unlimited}",
    );
    let plan = read(&text, []).unwrap();
    let options = &plan.connections["masked"].options;
    let of = |name: &str| options.of(&StreamName::within("shop", name));
    let mask = |column: &str| of("a").columns[column].mask.clone();
    assert_eq!(mask("whole"), Some(Mask::KeepLast(0)));
    assert_eq!(mask("last"), Some(Mask::KeepLast(4)));
    assert_eq!(mask("first"), Some(Mask::KeepFirst(0)));
    assert_eq!(mask("mail"), Some(Mask::Email));
    assert_eq!(mask("word"), Some(Mask::Null));
    // What YAML makes of the word must not leave the column in clear.
    assert_eq!(mask("none"), Some(Mask::Null));
    assert_eq!(mask("text"), Some(Mask::Constant("hidden".to_owned())));
    assert_eq!(of("a").max_rejected, RejectLimit::Rows(20));
    assert_eq!(of("b").max_rejected, RejectLimit::Unlimited);
    assert_eq!(of("c").max_rejected, RejectLimit::Share(0.005));
}

#[test]
fn a_salt_that_hides_nothing_is_refused() {
    for salt in ["salt: ''", "salt: ' '", "salt: '${NOT_THERE:-}'"] {
        let text = format!("{MINIMAL}\n{salt}\n");
        let why = read(&text, []).unwrap_err().to_string();
        assert!(why.contains("the `salt` is empty"), "{why}");
    }
}

#[test]
fn the_environment_overrides_the_file_and_fills_it_in() {
    let text = MINIMAL.replace(
        "host: localhost",
        "host: '${HOST:-db}', port: '${PORT}', password: '${PW}'",
    );
    let plan = read(
        &text,
        [
            ("PORT", "3307"),
            ("PW", "007"),
            ("TRIBUTARY__DAEMON__LISTEN", "127.0.0.1:1"),
            ("TRIBUTARY__DAEMON__WORKERS", "2"),
            ("TRIBUTARY__SOURCES__SHOP__USER", "${not filled in"),
            ("TRIBUTARY__CONNECTIONS__SHOP__SELECT", "[shop.orders]"),
            ("TRIBUTARY__MEMORY", "64MiB"),
            ("TRIBUTARY_CONFIG", "elsewhere.yaml"),
        ],
    )
    .unwrap();
    assert_eq!(
        plan.sources["shop"].settings,
        json!({"host": "db", "port": 3307, "password": "007", "user": "${not filled in"})
    );
    assert_eq!((plan.daemon.listen.port(), plan.daemon.workers), (1, 2));
    let options = &plan.connections["shop"].options;
    assert_eq!(options.select.0, ["shop.orders"]);
    assert_eq!(options.memory, 64 << 20);
}

#[test]
fn a_secret_can_come_from_a_file_beside_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("pw"), "hunter2\n").unwrap();
    let file = folder.path().join("tributary.yaml");
    let text = MINIMAL.replace("host: localhost", "password: 'file:pw'");
    std::fs::write(&file, text).unwrap();
    let plan = tributary_config::load(&file, &Default::default(), &crate::kinds::kinds()).unwrap();
    assert_eq!(plan.sources["shop"].settings["password"], "hunter2");
}

#[test]
fn an_alias_stands_for_its_value() {
    let text = MINIMAL.replace(
        "localhost}",
        "localhost, databases: &d [a, b]}\n  other: {type: mysql, databases: *d}",
    );
    let plan = read(&text, []).unwrap();
    assert_eq!(
        plan.sources["other"].settings["databases"],
        json!(["a", "b"])
    );
}

#[test]
fn the_word_null_is_a_word_where_one_is_wanted() {
    let plan = read("sources:\n  s: {type: mysql, zero_dates: null}", []).unwrap();
    assert_eq!(plan.sources["s"].settings["zero_dates"], "null");
}

#[test]
fn a_freshness_objective_is_a_schedule_where_there_is_no_other() {
    let with = |rest: &str| {
        let text = MINIMAL.replace(
            "destination: warehouse}",
            &format!("destination: warehouse, {rest}}}"),
        );
        read(&text, []).unwrap().connections["shop"].clone()
    };
    let ten = Duration::from_secs(600);
    let fresh = with("freshness: 10m");
    assert_eq!(
        (fresh.schedule, fresh.freshness),
        (Schedule::Fresh(ten), Some(ten))
    );
    let manual = with("freshness: 10m, schedule: manual");
    assert_eq!(
        (manual.schedule, manual.freshness),
        (Schedule::Manual, Some(ten))
    );
    let night = with("schedule: '0 6 * * *', time_zone: Europe/Berlin, windows: ['22:00-06:00']");
    assert_eq!(night.time_zone.to_string(), "Europe/Berlin");
    assert_eq!(night.windows[0].to_string(), "22:00-06:00");
}

#[test]
fn zones_and_windows_that_are_none_are_refused() {
    let text = MINIMAL.replace(
        "destination: warehouse}",
        "destination: warehouse, time_zone: Berlin, windows: ['22-06'], freshness: often}",
    );
    let problems = read(&text, []).unwrap_err().to_string();
    for part in ["Europe/Berlin", "22:00-06:00", "1h30m", "3 mistakes"] {
        assert!(problems.contains(part), "{part}: {problems}");
    }
}
