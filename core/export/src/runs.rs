//! What runs at one time: a connection, without the streams that run at times of their own, or
//! those.

use std::collections::BTreeMap;

use tributary_config::{ConnectionPlan, Plan, Schedule};
use tributary_model::StreamName;

/// Something that runs on one schedule.
#[derive(Clone, Debug)]
pub(crate) struct Run<'p> {
    pub(crate) connection: &'p ConnectionPlan,
    pub(crate) part: Part<'p>,
    pub(crate) schedule: &'p Schedule,
}

/// Which streams of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Part<'p> {
    /// All of them.
    Whole,
    /// All but these.
    Rest(Vec<&'p StreamName>),
    /// These.
    Only(Vec<&'p StreamName>),
}

/// The runs of all connections, by name; a connection's streams of their own after it.
pub(crate) fn runs(plan: &Plan) -> Vec<Run<'_>> {
    plan.connections.values().flat_map(of).collect()
}

fn of(connection: &ConnectionPlan) -> Vec<Run<'_>> {
    let mut own: BTreeMap<String, (&Schedule, Vec<&StreamName>)> = BTreeMap::new();
    for (stream, schedule) in &connection.stream_schedules {
        let selected = connection.options.select.contains(stream);
        if selected && *schedule != connection.schedule {
            let entry = own.entry(schedule.to_string());
            entry.or_insert((schedule, Vec::new())).1.push(stream);
        }
    }
    let apart: Vec<_> = own
        .values()
        .flat_map(|(_, streams)| streams.clone())
        .collect();
    let main = Run {
        connection,
        part: match apart.is_empty() {
            true => Part::Whole,
            false => Part::Rest(apart),
        },
        schedule: &connection.schedule,
    };
    let parts = own.into_values().map(|(schedule, streams)| Run {
        connection,
        part: Part::Only(streams),
        schedule,
    });
    std::iter::once(main).chain(parts).collect()
}

impl Run<'_> {
    /// The connection's name.
    pub(crate) fn name(&self) -> &str {
        self.connection.options.name.as_str()
    }

    /// What tells it from the other runs: the connection, and its streams where they are named.
    pub(crate) fn title(&self) -> String {
        match &self.part {
            Part::Whole | Part::Rest(_) => self.name().to_owned(),
            Part::Only(streams) => {
                let streams: Vec<_> = streams.iter().map(ToString::to_string).collect();
                format!("{}.{}", self.name(), streams.join("."))
            }
        }
    }

    /// The options and targets of `tributary sync`. Targets stand after `--`, and an option's value
    /// in the option's own argument: a name that begins with a dash is no option.
    pub(crate) fn arguments(&self) -> (Vec<String>, Vec<String>) {
        let name = self.name();
        match &self.part {
            Part::Whole => (Vec::new(), vec![name.to_owned()]),
            Part::Rest(apart) => (
                apart
                    .iter()
                    .map(|stream| format!("--select=!{stream}"))
                    .collect(),
                vec![name.to_owned()],
            ),
            Part::Only(streams) => (
                Vec::new(),
                streams
                    .iter()
                    .map(|stream| format!("{name}:{stream}"))
                    .collect(),
            ),
        }
    }
}
