//! `tributary query`: a question to a destination.

use std::io::IsTerminal;

use serde_json::Value;
use tributary_model::Answer;

use crate::args::QueryArgs;
use crate::exit::{Exit, Failure};
use crate::neighbour;
use crate::output;
use crate::session::{self, Session};
use crate::table::Table;

pub(crate) async fn run(args: &QueryArgs, session: &Session) -> Result<Exit, Failure> {
    let plan = session.plan()?;
    let destination = session::destination(&plan, &args.destination).await?;
    let answer = match destination.query(&args.sql).await {
        Ok(answer) => answer,
        Err(held) => neighbour::query(&plan, &args.destination, &args.sql, held).await?,
    };
    let room = match std::io::stdout().is_terminal() {
        true => Room::Terminal,
        false => Room::File,
    };
    output::present(args.output.output, &answer, || text(&answer, room));
    Ok(Exit::Done)
}

/// Where the answer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Room {
    /// Long cells are cut.
    Terminal,
    /// Nothing is cut: whoever reads it may want all.
    File,
}

fn text(answer: &Answer, room: Room) -> String {
    let is_number = |column: usize| {
        let mut values = answer.rows.iter().filter_map(|row| row.get(column));
        answer
            .rows
            .iter()
            .any(|row| row.get(column).is_some_and(Value::is_number))
            && values.all(|value| value.is_number() || value.is_null())
    };
    let numbers = (0..answer.columns.len()).filter(|column| is_number(*column));
    let mut table = Table::new(answer.columns.clone()).numbers(numbers);
    if room == Room::File {
        table = table.whole();
    }
    for row in &answer.rows {
        table.row(row.iter().map(cell));
    }
    table.render(0)
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_answer_is_a_table() {
        let answer = Answer {
            columns: vec!["id".to_owned(), "name".to_owned()],
            rows: vec![vec![json!(1), json!("Ada")], vec![json!(20), Value::Null]],
        };
        assert_eq!(
            text(&answer, Room::Terminal),
            "id  name\n 1  Ada\n20  NULL\n"
        );
    }
}
