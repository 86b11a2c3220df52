use super::*;
use crate::sample::{Plain, plan};

fn with<T>(deletes: Deletes, ask: impl FnOnce(Merge<'_, Plain>) -> T) -> T {
    let mut plan = plan();
    plan.deletes = deletes;
    plan.key.push("note".to_owned());
    ask(Merge {
        dialect: &Plain,
        plan: &plan,
        staging: &Staging {
            rows: "staged".to_owned(),
            fold: "fold".to_owned(),
        },
        synced_at: "NOW",
    })
}

#[test]
fn staging_has_the_plans_columns_and_two_more() {
    insta::assert_snapshot!(with(Deletes::Soft, |merge| merge.create_staging()).unwrap(), @r#"CREATE TEMPORARY TABLE "staged" ("id" BIGINT, "note" TEXT, "_tributary_staged_seq" BIGINT, "_tributary_staged_delete" BOOLEAN)"#);
}

#[test]
fn upserts_replace_rows() {
    insta::assert_snapshot!(with(Deletes::Hard, |merge| merge.fold(Staged::Upserts)).join(";\n"), @r#"
    CREATE TEMPORARY TABLE "fold" AS SELECT "id", "note", MAX("_tributary_staged_seq") AS "_tributary_live" FROM "staged" GROUP BY "id", "note";
    DELETE FROM "shop"."odd ""orders""" AS t USING "fold" AS f WHERE t."id" = f."id" AND t."note" = f."note";
    INSERT INTO "shop"."odd ""orders""" ("id", "note", "_tributary_synced_at") SELECT s."id", s."note", NOW FROM "staged" AS s JOIN "fold" AS f ON s."_tributary_staged_seq" = f."_tributary_live";
    DROP TABLE "fold";
    DROP TABLE "staged"
    "#);
}

#[test]
fn hard_deletes_remove_rows() {
    insta::assert_snapshot!(with(Deletes::Hard, |merge| merge.fold(Staged::Deletes)).join(";\n"), @r#"
    CREATE TEMPORARY TABLE "fold" AS SELECT "id", "note", MAX(CASE WHEN NOT "_tributary_staged_delete" THEN "_tributary_staged_seq" END) AS "_tributary_live", MAX("_tributary_staged_seq") AS "_tributary_last", MIN("_tributary_staged_seq") AS "_tributary_first" FROM "staged" GROUP BY "id", "note";
    DELETE FROM "shop"."odd ""orders""" AS t USING "fold" AS f WHERE t."id" = f."id" AND t."note" = f."note";
    INSERT INTO "shop"."odd ""orders""" ("id", "note", "_tributary_synced_at") SELECT s."id", s."note", NOW FROM "staged" AS s JOIN "fold" AS f ON s."_tributary_staged_seq" = f."_tributary_live" WHERE f."_tributary_live" = f."_tributary_last";
    DROP TABLE "fold";
    DROP TABLE "staged"
    "#);
}

#[test]
fn soft_deletes_mark_rows() {
    insta::assert_snapshot!(with(Deletes::Soft, |merge| merge.fold(Staged::Deletes)).join(";\n"), @r#"
    CREATE TEMPORARY TABLE "fold" AS SELECT "id", "note", MAX(CASE WHEN NOT "_tributary_staged_delete" THEN "_tributary_staged_seq" END) AS "_tributary_live", MAX("_tributary_staged_seq") AS "_tributary_last", MIN("_tributary_staged_seq") AS "_tributary_first" FROM "staged" GROUP BY "id", "note";
    DELETE FROM "shop"."odd ""orders""" AS t USING "fold" AS f WHERE t."id" = f."id" AND t."note" = f."note" AND f."_tributary_live" IS NOT NULL;
    UPDATE "shop"."odd ""orders""" AS t SET "_tributary_deleted" = TRUE, "_tributary_synced_at" = NOW FROM "fold" AS f WHERE t."id" = f."id" AND t."note" = f."note" AND f."_tributary_live" IS NULL;
    INSERT INTO "shop"."odd ""orders""" ("id", "note", "_tributary_synced_at", "_tributary_deleted") SELECT s."id", s."note", NOW, TRUE FROM "staged" AS s JOIN "fold" AS f ON s."_tributary_staged_seq" = f."_tributary_first" WHERE f."_tributary_live" IS NULL AND NOT EXISTS (SELECT 1 FROM "shop"."odd ""orders""" AS t WHERE t."id" = f."id" AND t."note" = f."note");
    INSERT INTO "shop"."odd ""orders""" ("id", "note", "_tributary_synced_at", "_tributary_deleted") SELECT s."id", s."note", NOW, f."_tributary_live" <> f."_tributary_last" FROM "staged" AS s JOIN "fold" AS f ON s."_tributary_staged_seq" = f."_tributary_live";
    DROP TABLE "fold";
    DROP TABLE "staged"
    "#);
}

/// A warehouse that changes rows where they are.
struct InPlace;

impl Dialect for InPlace {
    fn type_name(&self, data_type: tributary_model::DataType) -> Option<String> {
        Plain.type_name(data_type)
    }

    fn upsert(&self) -> Upsert {
        Upsert::OnConflict
    }
}

#[test]
fn rows_with_a_unique_key_are_changed_where_they_are() {
    let fold = |deletes, staged| {
        let mut plan = plan();
        plan.deletes = deletes;
        let merge = Merge {
            dialect: &InPlace,
            plan: &plan,
            staging: &Staging {
                rows: "staged".to_owned(),
                fold: "fold".to_owned(),
            },
            synced_at: "NOW",
        };
        let mut statements = merge.fold(staged);
        // How the winners are found, and what is dropped, is the same.
        statements.remove(0);
        statements.truncate(statements.len() - 2);
        statements.join(";\n")
    };
    let update = "ON CONFLICT (\"id\") DO UPDATE SET \"note\" = EXCLUDED.\"note\", \
        \"_tributary_synced_at\" = EXCLUDED.\"_tributary_synced_at\"";
    let upserts = fold(Deletes::Hard, Staged::Upserts);
    assert!(
        upserts.starts_with("INSERT") && upserts.ends_with(update),
        "{upserts}"
    );
    let hard = fold(Deletes::Hard, Staged::Deletes);
    assert!(
        hard.contains("\"_tributary_live\" IS DISTINCT FROM f.\"_tributary_last\";"),
        "{hard}"
    );
    assert!(hard.ends_with(update), "{hard}");
    let soft = fold(Deletes::Soft, Staged::Deletes);
    assert!(
        soft.starts_with("UPDATE") && !soft.contains("DELETE FROM"),
        "{soft}"
    );
    assert!(
        soft.ends_with("\"_tributary_deleted\" = EXCLUDED.\"_tributary_deleted\""),
        "{soft}"
    );
}

#[test]
fn append_takes_every_row() {
    insta::assert_snapshot!(with(Deletes::Soft, |merge| merge.append()).join(";\n"), @r#"
    INSERT INTO "shop"."odd ""orders""" ("id", "note", "_tributary_synced_at", "_tributary_deleted") SELECT s."id", s."note", NOW, s."_tributary_staged_delete" FROM "staged" AS s;
    DROP TABLE "staged"
    "#);
}

#[test]
fn clearing_follows_the_plans_deletes() {
    let clear = |deletes| with(deletes, |merge| merge.clear(&["note"])).join(";\n");
    insta::assert_snapshot!(with(Deletes::Soft, |merge| merge.create_clear(&["note"])).unwrap(), @r#"CREATE TEMPORARY TABLE "fold" ("note" TEXT)"#);
    insta::assert_snapshot!(clear(Deletes::Hard), @r#"
    DELETE FROM "shop"."odd ""orders""" AS t USING "fold" AS f WHERE t."note" = f."note";
    DROP TABLE "fold"
    "#);
    insta::assert_snapshot!(clear(Deletes::Soft), @r#"
    UPDATE "shop"."odd ""orders""" AS t SET "_tributary_deleted" = TRUE, "_tributary_synced_at" = NOW FROM "fold" AS f WHERE t."note" = f."note" AND NOT COALESCE(t."_tributary_deleted", FALSE);
    DROP TABLE "fold"
    "#);
    assert_eq!(clear(Deletes::Ignore), r#"DROP TABLE "fold""#);
}

#[test]
fn truncating_follows_the_plans_deletes() {
    let change = |deletes| with(deletes, |merge| merge.truncate(TruncateKind::Change)).join(";");
    assert_eq!(change(Deletes::Ignore), "");
    insta::assert_snapshot!(change(Deletes::Hard), @r#"DELETE FROM "shop"."odd ""orders""""#);
    insta::assert_snapshot!(change(Deletes::Soft), @r#"UPDATE "shop"."odd ""orders""" SET "_tributary_deleted" = TRUE, "_tributary_synced_at" = NOW WHERE NOT COALESCE("_tributary_deleted", FALSE)"#);
    for deletes in [Deletes::Soft, Deletes::Hard, Deletes::Ignore] {
        let restart = with(deletes, |merge| merge.truncate(TruncateKind::Restart));
        assert_eq!(
            restart,
            change(Deletes::Hard).split(';').collect::<Vec<_>>()
        );
    }
}
