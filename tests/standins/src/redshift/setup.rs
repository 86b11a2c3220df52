//! What a PostgreSQL needs so that Redshift's functions, types and views are there.

use std::thread;

use tokio_postgres::NoTls;

const SETUP: &str = r#"
CREATE SCHEMA redshift;
CREATE DOMAIN redshift.super AS jsonb;
CREATE DOMAIN redshift.varbyte AS bytea;
CREATE FUNCTION redshift.json_parse(text) RETURNS redshift.super LANGUAGE sql IMMUTABLE STRICT
    AS $$ SELECT $1::jsonb::redshift.super $$;
CREATE FUNCTION redshift.json_serialize(redshift.super) RETURNS varchar LANGUAGE sql IMMUTABLE STRICT
    AS $$ SELECT $1::text $$;
CREATE FUNCTION redshift.from_hex(text) RETURNS redshift.varbyte LANGUAGE sql IMMUTABLE STRICT
    AS $$ SELECT decode($1, 'hex')::redshift.varbyte $$;
CREATE FUNCTION redshift.to_hex(redshift.varbyte) RETURNS varchar LANGUAGE sql IMMUTABLE STRICT
    AS $$ SELECT encode($1, 'hex') $$;
CREATE FUNCTION redshift.to_varbyte(text, text) RETURNS redshift.varbyte LANGUAGE sql IMMUTABLE STRICT
    AS $$ SELECT CASE $2 WHEN 'hex' THEN decode($1, 'hex') ELSE convert_to($1, 'UTF8') END::redshift.varbyte $$;
CREATE FUNCTION redshift.datediff(text, timestamp, timestamp) RETURNS bigint LANGUAGE sql STRICT
    AS $$ SELECT ((extract(epoch FROM $3) - extract(epoch FROM $2)) * 1000000)::bigint $$;
CREATE FUNCTION redshift.dateadd(text, bigint, timestamp) RETURNS timestamp LANGUAGE sql STRICT
    AS $$ SELECT $3 + ($2 / 1000000) * interval '1 second' + ($2 % 1000000) * interval '1 microsecond' $$;
CREATE FUNCTION redshift.len(text) RETURNS integer LANGUAGE sql STRICT AS $$ SELECT length($1) $$;
-- Texts that differ in blanks at their ends are equal, as they are for CHAR here.
CREATE FUNCTION redshift.vc_eq(varchar, varchar) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'bpchareq';
CREATE FUNCTION redshift.vc_ne(varchar, varchar) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'bpcharne';
CREATE FUNCTION redshift.vc_lt(varchar, varchar) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'bpcharlt';
CREATE FUNCTION redshift.vc_le(varchar, varchar) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'bpcharle';
CREATE FUNCTION redshift.vc_gt(varchar, varchar) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'bpchargt';
CREATE FUNCTION redshift.vc_ge(varchar, varchar) RETURNS boolean LANGUAGE internal IMMUTABLE STRICT AS 'bpcharge';
CREATE FUNCTION redshift.vc_cmp(varchar, varchar) RETURNS integer LANGUAGE internal IMMUTABLE STRICT AS 'bpcharcmp';
CREATE FUNCTION redshift.vc_hash(varchar) RETURNS integer LANGUAGE internal IMMUTABLE STRICT AS 'hashbpchar';
CREATE OPERATOR redshift.= (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = redshift.vc_eq,
    COMMUTATOR = OPERATOR(redshift.=), NEGATOR = OPERATOR(redshift.<>), HASHES, MERGES);
CREATE OPERATOR redshift.<> (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = redshift.vc_ne,
    COMMUTATOR = OPERATOR(redshift.<>), NEGATOR = OPERATOR(redshift.=));
CREATE OPERATOR redshift.< (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = redshift.vc_lt);
CREATE OPERATOR redshift.<= (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = redshift.vc_le);
CREATE OPERATOR redshift.> (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = redshift.vc_gt);
CREATE OPERATOR redshift.>= (LEFTARG = varchar, RIGHTARG = varchar, FUNCTION = redshift.vc_ge);
CREATE OPERATOR CLASS redshift.vc_sorted DEFAULT FOR TYPE varchar USING btree AS
    OPERATOR 1 redshift.<, OPERATOR 2 redshift.<=, OPERATOR 3 redshift.=, OPERATOR 4 redshift.>=,
    OPERATOR 5 redshift.>, FUNCTION 1 redshift.vc_cmp(varchar, varchar);
CREATE OPERATOR CLASS redshift.vc_hashed DEFAULT FOR TYPE varchar USING hash AS
    OPERATOR 1 redshift.=, FUNCTION 1 redshift.vc_hash(varchar);
CREATE FUNCTION redshift.getdate() RETURNS timestamp LANGUAGE sql AS $$ SELECT localtimestamp $$;
CREATE FUNCTION redshift.version() RETURNS text LANGUAGE sql AS
    $$ SELECT 'PostgreSQL 8.0.2 on i686-pc-linux-gnu, compiled by GCC gcc (GCC) 3.4.2, Redshift 1.0.99999'::text $$;
CREATE VIEW redshift.svv_transactions AS
    SELECT a.usename AS txn_owner, l.pid, l.relation::bigint AS relation, l.mode AS lock_mode, l.granted
    FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid
    WHERE l.relation IS NOT NULL AND a.usename = current_user;
CREATE TABLE redshift.sys_load_error_detail (query_id bigint, file_name varchar(256),
    column_name varchar(127), error_code integer, error_message varchar(512));
GRANT USAGE ON SCHEMA redshift TO PUBLIC;
GRANT SELECT ON ALL TABLES IN SCHEMA redshift TO PUBLIC;
ALTER DATABASE postgres SET search_path = redshift, pg_catalog, public;
ALTER DATABASE postgres SET standard_conforming_strings = off;
ALTER DATABASE postgres SET backslash_quote = on;
ALTER DATABASE postgres SET escape_string_warning = off;
ALTER DATABASE postgres SET bytea_output = hex;
"#;

/// Prepares the database at `url`.
pub(super) fn prepare(url: &str) {
    run(url, SETUP);
}

/// Runs statements as the server's owner.
pub(super) fn run(url: &str, sql: &str) {
    let (url, sql) = (url.to_owned(), sql.to_owned());
    // A thread of its own: the caller may be inside a runtime.
    let running = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.expect("a runtime can be made");
        runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&url, NoTls)
                .await
                .expect("the private PostgreSQL can be reached");
            let wire = tokio::spawn(connection);
            let done = client.batch_execute(&sql).await;
            done.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
            wire.abort();
        });
    });
    running.join().expect("the statements can be run");
}
