//! The statements that go to Redshift, word for word.
#![allow(clippy::unwrap_used)]

use tributary_model::{Deletes, Mode, StreamName, TableColumn, TablePlan, TruncateKind};
use tributary_sql::{
    Found, FoundColumn, Merge, SYNCED_AT, Staged, Staging, VALID_FROM, carry_over, evolve,
};

use super::*;

fn column(name: &str, data_type: DataType, default: Option<&str>) -> TableColumn {
    TableColumn {
        name: name.to_owned(),
        data_type,
        default: default.map(str::to_owned),
    }
}

fn plan(mode: Mode, deletes: Deletes) -> TablePlan {
    let mut columns = vec![
        column("Id", DataType::Int64, None),
        column("doc", DataType::Json, None),
    ];
    if mode == Mode::History {
        columns.push(column(VALID_FROM, DataType::TimestampTz, None));
    }
    TablePlan {
        stream: StreamName::within("shop", "Orders"),
        table: TableName {
            schema: "shop".to_owned(),
            table: "Orders".to_owned(),
        },
        mode,
        deletes,
        columns,
        key: vec!["Id".to_owned()],
    }
}

fn merge<T>(mode: Mode, deletes: Deletes, ask: impl FnOnce(Merge<'_, RedshiftDialect>) -> T) -> T {
    let staging = Staging {
        rows: "staged".to_owned(),
        fold: "fold".to_owned(),
    };
    ask(Merge {
        dialect: &DIALECT,
        plan: &plan(mode, deletes),
        staging: &staging,
        synced_at: "NOW",
    })
}

#[test]
fn rows_are_merged_by_delete_and_insert() {
    let fold = merge(Mode::Merge, Deletes::Soft, |m| m.fold(Staged::Deletes));
    insta::assert_snapshot!(fold.join(";\n"), @r#"
    CREATE TEMPORARY TABLE "fold" AS SELECT "id", MAX(CASE WHEN NOT "_tributary_staged_delete" THEN "_tributary_staged_seq" END) AS "_tributary_live", MAX("_tributary_staged_seq") AS "_tributary_last", MIN("_tributary_staged_seq") AS "_tributary_first" FROM "staged" GROUP BY "id";
    DELETE FROM "shop"."orders" USING "fold" AS f WHERE "shop"."orders"."id" = f."id" AND f."_tributary_live" IS NOT NULL;
    UPDATE "shop"."orders" AS t SET "_tributary_deleted" = TRUE, "_tributary_synced_at" = NOW FROM "fold" AS f WHERE t."id" = f."id" AND f."_tributary_live" IS NULL;
    INSERT INTO "shop"."orders" ("id", "doc", "_tributary_synced_at", "_tributary_deleted") SELECT s."id", s."doc", NOW, TRUE FROM "staged" AS s JOIN "fold" AS f ON s."_tributary_staged_seq" = f."_tributary_first" WHERE f."_tributary_live" IS NULL AND NOT EXISTS (SELECT 1 FROM "shop"."orders" AS t WHERE t."id" = f."id");
    INSERT INTO "shop"."orders" ("id", "doc", "_tributary_synced_at", "_tributary_deleted") SELECT s."id", s."doc", NOW, f."_tributary_live" <> f."_tributary_last" FROM "staged" AS s JOIN "fold" AS f ON s."_tributary_staged_seq" = f."_tributary_live";
    DROP TABLE "fold";
    DROP TABLE "staged"
    "#);
    let fold = merge(Mode::Merge, Deletes::Hard, |m| m.fold(Staged::Upserts));
    insta::assert_snapshot!(fold.join(";\n"), @r#"
    CREATE TEMPORARY TABLE "fold" AS SELECT "id", MAX("_tributary_staged_seq") AS "_tributary_live" FROM "staged" GROUP BY "id";
    DELETE FROM "shop"."orders" USING "fold" AS f WHERE "shop"."orders"."id" = f."id";
    INSERT INTO "shop"."orders" ("id", "doc", "_tributary_synced_at") SELECT s."id", s."doc", NOW FROM "staged" AS s JOIN "fold" AS f ON s."_tributary_staged_seq" = f."_tributary_live";
    DROP TABLE "fold";
    DROP TABLE "staged"
    "#);
}

#[test]
fn a_table_is_never_truncated() {
    let all = merge(Mode::Merge, Deletes::Hard, |m| {
        m.truncate(TruncateKind::Restart)
    });
    assert_eq!(all, ["DELETE FROM \"shop\".\"orders\""]);
}

#[test]
fn histories_do_without_what_redshift_lacks() {
    let mut all = merge(Mode::History, Deletes::Soft, |m| m.fold_history());
    all.extend(merge(Mode::History, Deletes::Soft, |m| m.close(Some(7))));
    all.extend(merge(Mode::Merge, Deletes::Soft, |m| m.clear(&["Id"])));
    let all = all.join(";\n");
    for lacking in [
        "DISTINCT", "FILTER", "INTERVAL", "EXTRACT", "CONFLICT", "EXCLUDED", "QUALIFY",
    ] {
        assert!(!all.contains(lacking), "{lacking} in {all}");
    }
    assert!(all.contains("ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"));
}

/// Texts are equal to Redshift that differ in blanks at their ends only.
#[test]
fn texts_are_compared_with_their_lengths() {
    let mut plan = plan(Mode::History, Deletes::Soft);
    plan.columns = vec![
        column("k", DataType::Text, None),
        column("v", DataType::Text, None),
        column(VALID_FROM, DataType::TimestampTz, None),
    ];
    plan.key = vec!["k".to_owned()];
    let merge = Merge {
        dialect: &DIALECT,
        plan: &plan,
        staging: &Staging {
            rows: "staged".to_owned(),
            fold: "fold".to_owned(),
        },
        synced_at: "NOW",
    };
    let mut all = merge.fold(Staged::Deletes);
    all.extend(merge.clear(&["k"]));
    all.extend(merge.fold_history());
    all.extend(merge.clear_history(&["v"], 1));
    let beside = TableName {
        table: "next".to_owned(),
        ..plan.table.clone()
    };
    all.push(merge.stage_continuation(&beside).unwrap());
    let has = [FoundColumn {
        name: "k".to_owned(),
        data_type: Some(DataType::Text),
        sql_type: "character varying(65535)".to_owned(),
    }];
    let merged = TablePlan {
        mode: Mode::Merge,
        ..plan.clone()
    };
    all.extend(carry_over(&DIALECT, &merged, &beside, (&has, &has), "NOW"));
    let all = all.join(";\n");
    for (bare, at) in [
        ("\"k\" = ", " AND LEN("),
        ("\"v\" = ", " AND LEN("),
        ("\"v\" <> ", " OR LEN("),
        ("PARTITION BY ", ", LEN("),
        ("GROUP BY ", ", LEN("),
    ] {
        let places: Vec<&str> = all.split(bare).skip(1).collect();
        assert!(!places.is_empty(), "{bare}");
        for place in places {
            let near: String = place.chars().take(40).collect();
            assert!(near.contains(at), "{bare}{near}");
        }
    }
}

#[test]
fn a_table_grows_by_what_can_be_undone() {
    let mut plan = plan(Mode::Merge, Deletes::Hard);
    plan.columns
        .push(column("state", DataType::Text, Some("it's \\ new")));
    let found = |name: &str, data_type, sql_type: &str| FoundColumn {
        name: name.to_owned(),
        data_type: Some(data_type),
        sql_type: sql_type.to_owned(),
    };
    let there = Found {
        schema: true,
        columns: Some(vec![
            found("id", DataType::Int32, "integer"),
            found("doc", DataType::Json, "super"),
            found(SYNCED_AT, DataType::TimestampTz, "timestamp with time zone"),
        ]),
    };
    let steps = evolve(&DIALECT, &plan, &there).unwrap();
    let statements: Vec<String> = steps.iter().flat_map(|step| DIALECT.render(step)).collect();
    insta::assert_snapshot!(statements.join(";\n"), @r#"
    ALTER TABLE "shop"."orders" ADD COLUMN "id__tributary_grows" BIGINT;
    UPDATE "shop"."orders" SET "id__tributary_grows" = CAST("id" AS BIGINT);
    ALTER TABLE "shop"."orders" DROP COLUMN "id";
    ALTER TABLE "shop"."orders" RENAME COLUMN "id__tributary_grows" TO "id";
    ALTER TABLE "shop"."orders" ADD COLUMN "state" VARCHAR(65535);
    UPDATE "shop"."orders" SET "state" = CAST('it''s \\ new' AS VARCHAR(65535))
    "#);
    let steps = evolve(&DIALECT, &plan, &Found::default()).unwrap();
    let statements: Vec<String> = steps.iter().flat_map(|step| DIALECT.render(step)).collect();
    insta::assert_snapshot!(statements.join(";\n"), @r#"
    CREATE SCHEMA IF NOT EXISTS "shop";
    CREATE TABLE "shop"."orders" ("id" BIGINT, "doc" SUPER, "state" VARCHAR(65535), "_tributary_synced_at" TIMESTAMPTZ)
    "#);
}

#[test]
fn every_type_is_known_under_the_name_that_the_catalog_has_for_it() {
    for (sql_type, known) in [
        ("boolean", Some(DataType::Bool)),
        ("numeric(20,0)", Some(DataType::Decimal(20, 0))),
        ("character varying(256)", Some(DataType::Text)),
        ("binary varying(65535)", Some(DataType::Bytes)),
        ("varbyte", Some(DataType::Bytes)),
        ("super", Some(DataType::Json)),
        ("timestamp with time zone", Some(DataType::TimestampTz)),
        ("geometry", None),
        ("character(4)", None),
        ("numeric", None),
    ] {
        assert_eq!(data_type(sql_type), known, "{sql_type}");
    }
    assert_eq!(text_bytes("character varying(256)"), Some(256));
    assert_eq!(text_bytes("super"), None);
    assert_eq!(DIALECT.type_name(DataType::Decimal(39, 0)), None);
}
