//! Statements in requests that Snowflake takes.
//!
//! A session ends with its request, and what it has not committed is undone. Where an account or a user
//! has AUTOCOMMIT off, that would be every change of rows: so each is put between a BEGIN and a COMMIT,
//! and no request ends between the two.

const BEGIN: &str = "BEGIN TRANSACTION";
const COMMIT: &str = "COMMIT";
/// What changes rows begins so. What changes a layout commits by itself.
const CHANGES: [&str; 5] = ["COPY ", "INSERT ", "UPDATE ", "DELETE ", "MERGE "];

/// The statements in pieces of up to `limit` bytes, with what commits them.
pub(crate) fn parts(statements: &[String], limit: usize) -> Vec<Vec<String>> {
    let mut parts: Vec<Vec<String>> = Vec::new();
    let mut bytes = 0;
    for unit in units(statements) {
        let size: usize = unit.iter().map(|statement| statement.len() + 2).sum();
        match parts.last_mut() {
            Some(part) if bytes + size <= limit => {
                bytes += size;
                part.extend(unit);
            }
            _ => {
                bytes = size;
                parts.push(unit);
            }
        }
    }
    parts
}

/// What must be in one request: a transaction, or one statement outside of any.
fn units(statements: &[String]) -> Vec<Vec<String>> {
    let mut units: Vec<Vec<String>> = Vec::new();
    let mut is_open = false;
    for statement in statements {
        let changes = CHANGES.iter().any(|word| statement.starts_with(word));
        match units.last_mut() {
            Some(transaction) if is_open => transaction.push(statement.clone()),
            _ if changes => {
                units.push(vec![BEGIN.to_owned(), statement.clone(), COMMIT.to_owned()])
            }
            _ => units.push(vec![statement.clone()]),
        }
        is_open = match statement.as_str() {
            BEGIN => true,
            COMMIT | "ROLLBACK" => false,
            _ => is_open,
        };
    }
    units
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(statements: &[&str], limit: usize) -> Vec<String> {
        let statements: Vec<String> = statements.iter().map(|&text| text.to_owned()).collect();
        let parts = parts(&statements, limit);
        parts.iter().map(|part| part.join("; ")).collect()
    }

    #[test]
    fn every_change_of_rows_commits() {
        assert_eq!(
            told(&["CREATE TABLE t", "COPY INTO t", "DROP TABLE t"], 1000),
            ["CREATE TABLE t; BEGIN TRANSACTION; COPY INTO t; COMMIT; DROP TABLE t"]
        );
        let own = [BEGIN, "INSERT INTO t", "DELETE FROM t", "ROLLBACK"];
        assert_eq!(
            told(&own, 1000),
            [own.join("; ")],
            "one that says it itself"
        );
        assert_eq!(told(&[], 1000), [""; 0]);
    }

    #[test]
    fn no_request_ends_within_a_transaction() {
        assert_eq!(
            told(&["DROP TABLE t", "COPY INTO t", "COPY INTO u"], 50),
            [
                "DROP TABLE t",
                "BEGIN TRANSACTION; COPY INTO t; COMMIT",
                "BEGIN TRANSACTION; COPY INTO u; COMMIT",
            ]
        );
        assert_eq!(told(&["DROP TABLE t", "DROP TABLE u"], 28).len(), 1);
        assert_eq!(told(&["DROP TABLE t", "DROP TABLE u"], 27).len(), 2);
    }
}
