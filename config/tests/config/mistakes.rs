//! Mistakes, and the words they are reported in.

use insta::assert_snapshot;

use crate::kinds::read;

fn report<const N: usize>(text: &str, variables: [(&str, &str); N]) -> String {
    match read(text, variables) {
        Ok(plan) => format!("no mistake was found: {plan:?}"),
        Err(problems) => problems.to_string(),
    }
}

const ENDS: &str = "\
sources:
  shop: {type: mysql, host: localhost}
destinations:
  warehouse: {type: duckdb, path: w.duckdb}
";

fn with_connection(lines: &str) -> String {
    format!("{ENDS}connections:\n  shop:\n    source: shop\n    destination: warehouse\n{lines}")
}

#[test]
fn unknown_keys() {
    assert_snapshot!(report(
        "\
sources:
  shop:
    type: mysql
    hots: localhost
    passwd: x
    tls: {mode: required, ca: a.pem}
    colour: red
destinatons: {}
connections:
  shop:
    sorce: shop
    destination: warehouse
",
        []
    ));
}

#[test]
fn wrong_types() {
    assert_snapshot!(report(
        &format!(
            "{ENDS}\
connections:
  shop:
    source: [shop]
    destination: 5
    select: shop.*
    streams: [a, b]
    flush: {{rows: many, every: 10}}
  other: shop
daemon: {{workers: 1.5, listen: true}}
"
        ),
        []
    ));
}

#[test]
fn missing_keys() {
    assert_snapshot!(report(
        "\
sources:
  shop: {host: localhost}
  billing:
    type: stripe
destinations:
  warehouse: {type: duckdb}
connections:
  shop: {}
",
        []
    ));
}

#[test]
fn missing_variables() {
    assert_snapshot!(report(
        "\
sources:
  shop:
    type: mysql
    user: ${SHOP_USER}
    password: ${SHOP_PASWORD}
    host: ${not a name}
    databases: ['${UNCLOSED']
    port: ${SHOP_PORT:-3306}
  other: {type: mysql, password: 'file:/nowhere/secret'}
",
        [("SHOP_PASSWORD", "x")]
    ));
}

#[test]
fn dangling_references() {
    assert_snapshot!(report(
        &format!(
            "{ENDS}\
connections:
  a: {{source: shopp, destination: wharehouse}}
  b: {{source: shop, destination: lake}}
"
        ),
        []
    ));
}

#[test]
fn a_reference_into_nothing() {
    assert_snapshot!(report(
        "connections:\n  a: {source: shop, destination: lake}\n",
        []
    ));
}

#[test]
fn unknown_kinds() {
    assert_snapshot!(report(
        "\
sources:
  shop: {type: mysqll, host: localhost}
  other: {type: oracle}
  third: {type: 5}
destinations:
  warehouse: {type: duckbd, path: x}
",
        []
    ));
}

#[test]
fn bad_schedules_durations_and_sizes() {
    assert_snapshot!(report(
        &format!(
            "{}memory: 512 megs\n",
            with_connection(
                "    schedule: every 5 minutes
    flush: {rows: 0, bytes: 1.5GB, every: 10 seconds}
    streams:
      shop.a: {schedule: 5}
      shop.b: {schedule: '61 * * * *'}
      shop.c: {schedule: '* * *'}
      shop.d: {schedule: hourly}
"
            )
        ),
        []
    ));
}

#[test]
fn keys_written_twice() {
    assert_snapshot!(report(
        "\
sources:
  shop: {type: mysql, host: a, host: b}
  shop: {type: mysql}
sources: {}
",
        []
    ));
}

#[test]
fn yaml_that_is_none() {
    for (name, text) in [
        (
            "unclosed_quote",
            "sources:\n  shop: {type: mysql, host: \"localhost}\n",
        ),
        ("unclosed_bracket", "sources:\n  shop: [a, b\n"),
        (
            "bad_indent",
            "sources:\n  shop:\n    type: mysql\n   host: x\n",
        ),
        ("tab", "sources:\n\tshop: {type: mysql}\n"),
        ("colon_in_value", "sources:\n  shop: a: b\n"),
        ("two_documents", "sources: {}\n---\nsources: {}\n"),
        ("empty", "# nothing\n"),
        ("a_list", "- sources\n"),
        ("unknown_alias", "sources: *nowhere\n"),
        ("tag", "sources: !ruby/object {}\nmemory: !size 5\n"),
    ] {
        assert_snapshot!(name, report(text, []));
    }
}

#[test]
fn two_streams_in_one_table() {
    assert_snapshot!(report(
        &with_connection(
            "    streams:
      shop.orders: {table: sales.Orders}
      shop.old_orders: {table: sales.orders}
      shop.customers:
      shop.people: {table: customers}
  second:
    source: shop
    destination: warehouse
    streams:
      other.orders: {table: sales.orders}
"
        ),
        []
    ));
}

#[test]
fn bad_table_names() {
    assert_snapshot!(report(
        &with_connection(
            "    defaults: {table: all}
    streams:
      shop.a: {table: a.b.c}
      shop.b: {table: _tributary.state}
      shop.*: {mode: append}
    select: ['', '!']
"
        ),
        []
    ));
}

#[test]
fn bad_column_rules() {
    assert_snapshot!(report(
        &with_connection(
            "    streams:
      shop.a:
        columns:
          a: hsh
          b: hash
          c: {mask: {keep_last: 2, keep_first: 2}}
          d: {renam: x}
          e: {type: decimal(99)}
          f: {rename: same}
          g: {rename: same}
          h: {rename: _tributary_id}
          i: {hash: true, mask: {keep_last: 1}}
          j: 5
          k: {mask: {keep_last: -1}}
          l: {}
"
        ),
        []
    ));
}

#[test]
fn words_that_are_not_values() {
    assert_snapshot!(report(
        &with_connection(
            "    defaults: {mode: merged, deletes: keep, schema_changes: ignore}
"
        ),
        []
    ));
}

#[test]
fn numbers_out_of_range() {
    assert_snapshot!(report(
        "\
sources:
  shop: {type: mysql, port: 70000, parallelism: 0, server_id: -1}
daemon: {workers: 1000, listen: localhost}
memory: 0
",
        []
    ));
}

#[test]
fn keys_without_a_value() {
    assert_snapshot!(report(
        "\
sources:
  shop:
    type: mysql
    password:
    host: ~
destinations:
  warehouse:
    type:
",
        []
    ));
}

#[test]
fn names_that_cannot_be() {
    assert_snapshot!(report(
        "\
sources:
  my shop: {type: mysql}
destinations:
  ware.house: {type: duckdb, path: x}
connections:
  _tributary: {source: my shop, destination: ware.house}
  a:b: {source: my shop, destination: ware.house}
",
        []
    ));
}

#[test]
fn a_daemon_open_to_everyone() {
    assert_snapshot!(report("daemon: {listen: '0.0.0.0:8642'}\n", []));
}

#[test]
fn settings_that_only_their_kind_refuses() {
    assert_snapshot!(report(
        "destinations:\n  d: {type: duckdb, path: warehouse/}\n",
        []
    ));
}

#[test]
fn settings_that_do_not_go_together() {
    assert_snapshot!(report(
        "\
sources:
  both: {type: mysql, host: a, socket: /b}
  open:
    type: mysql
    user: ${WHO}
    host: a
    tls: {mode: disabled, ca_file: ca.pem}
",
        [("WHO", "somebody")]
    ));
}

#[test]
fn a_doubt_is_told_and_keeps_nobody_from_going_on() {
    let yaml = |more: &str| {
        format!(
            "sources:\n  s: {{type: mysql, user: u, host: h, tls: {{mode: required, \
             ca_file: /nowhere.pem}}{more}}}\n"
        )
    };
    let plan = read(&yaml(""), []).unwrap();
    let doubts: Vec<String> = plan
        .doubts
        .iter()
        .map(|doubt| doubt.line("x.yaml"))
        .collect();
    assert_eq!(
        doubts,
        ["x.yaml:2:69: there is no such file here. Keep one of them."]
    );
    let problems = read(&yaml(", port: many"), []).unwrap_err();
    assert_eq!(problems.problems.len(), 1, "{problems}");
}

#[test]
fn filters_that_the_source_does_not_know() {
    assert_snapshot!(report(
        "\
sources:
  billing: {type: stripe, api_key: x}
destinations:
  warehouse: {type: duckdb, path: w.duckdb}
connections:
  billing:
    source: billing
    destination: warehouse
    defaults: {where: a > 1}
    streams:
      charges: {mode: append, where: b > 1}
      refunds: {mode: append}
",
        []
    ));
}

#[test]
fn overrides_that_are_wrong() {
    assert_snapshot!(report(
        ENDS,
        [
            ("TRIBUTARY__DEAMON__LISTEN", "127.0.0.1:1"),
            ("TRIBUTARY__DAEMON__WORKERS", "four"),
            ("TRIBUTARY__SOURCES__SHOP__PORT", "x"),
            ("TRIBUTARY__CONNECTIONS__NEW__SOURCE", "shop"),
        ]
    ));
}

#[test]
fn a_document_that_would_explode_is_refused() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let below = format!("*a{}, ", level - 1).repeat(10);
        text += &format!("a{level}: &a{level} [{}]\n", below.trim_end_matches(", "));
    }
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    assert!(report(&text, []).contains("the document is too large"));
    assert!(report(&format!("a: {deep}"), []).contains("nested too deeply"));
}

#[test]
fn a_file_that_is_not_there() {
    let path = std::path::Path::new("nowhere.yaml");
    let problems =
        tributary_config::load(path, &Default::default(), &crate::kinds::kinds()).unwrap_err();
    assert_snapshot!(problems);
}

#[test]
fn a_program_reads_mistakes_as_fields() {
    let text = "sources:\n  s: {type: mysql, hots: x}\n";
    let problems = read(text, [("TRIBUTARY__MEMORY", "x")]).unwrap_err();
    let document = serde_json::to_value(&problems.problems).unwrap();
    assert_eq!(document[0]["line"], 2);
    assert_eq!(document[0]["column"], 20);
    assert_eq!(document[1]["variable"], "TRIBUTARY__MEMORY");
}

#[test]
fn modes_that_the_destination_does_not_have() {
    let text = "\
sources:
  shop: {type: mysql, host: localhost}
destinations:
  lake: {type: lake, url: ./lake}
  warehouse: {type: duckdb, path: w.duckdb}
connections:
  one:
    source: shop
    destination: lake
    defaults: {mode: history}
    streams: {shop.orders: {mode: append}, shop.customers: {mode: replace}}
  two: {source: shop, destination: warehouse, defaults: {mode: history}}
";
    let told = report(text, []);
    assert_eq!(told.matches("is not available").count(), 2, "{told}");
    let first = "tributary.yaml:10:22: `mode: history` is not available: a destination of type lake \
        does not keep tables so. It keeps them as merge, append: choose one of these.";
    assert!(told.contains(first), "{told}");
    assert!(told.contains("`mode: replace` is not available"), "{told}");
}
