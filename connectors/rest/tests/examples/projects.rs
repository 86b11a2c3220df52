//! An API with numbered pages, parents and children: `rest-projects.manifest.yaml`.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tributary_model::Row;
use tributary_testkit::api::clock;
use tributary_testkit::api::conformance::{Api, Reading};
use tributary_testkit::api::exchange::{Reply, Request};
use tributary_testkit::api::limits::Refusal;
use tributary_testkit::api::simulator::{Simulator, Vendor};
use tributary_testkit::api::truth::Truth;

use super::{TURN, holds, object, settings, source};

/// Projects, their tasks, and what is said about those.
#[derive(Debug, Default)]
struct Projects {
    projects: BTreeMap<u64, Row>,
    tasks: BTreeMap<u64, Row>,
    comments: BTreeMap<u64, (u64, Row)>,
    entries: BTreeMap<u64, Row>,
    made: u64,
}

impl Projects {
    fn next(&mut self) -> u64 {
        self.made += 1;
        self.made
    }

    fn numbered<'r>(request: &Request, rows: impl Iterator<Item = &'r Row>) -> Reply {
        let number = |name: &str, default: usize| {
            request
                .param(name)
                .and_then(|text| text.parse().ok())
                .unwrap_or(default)
        };
        let (page, size) = (number("page", 1), number("per_page", 20));
        let rows: Vec<&Row> = rows.skip((page.max(1) - 1) * size).take(size).collect();
        Reply::json(200, &json!(rows))
    }

    fn tasks(&self, project: u64, request: &Request) -> Reply {
        let since = request.param("since").and_then(clock::parse).unwrap_or(0);
        let of = |row: &&Row| row["project"] == json!(project) && updated(row) > since;
        let mut rows: Vec<&Row> = self.tasks.values().filter(of).collect();
        rows.sort_by_key(|row| (updated(row), row["id"].as_u64()));
        Self::numbered(request, rows.into_iter())
    }

    fn comments(&self, task: u64, request: &Request) -> Reply {
        if !self.tasks.contains_key(&task) {
            return Reply::json(404, &json!({"message": "no such task"}));
        }
        let from: u64 = request
            .param("after")
            .and_then(|text| text.parse().ok())
            .unwrap_or(0);
        let of = |(id, (at, _)): &(&u64, &(u64, Row))| *at == task && **id > from;
        let mut rows: Vec<(&u64, &Row)> = self
            .comments
            .iter()
            .filter(of)
            .map(|(id, (_, row))| (id, row))
            .collect();
        let more = rows.len() > 2;
        rows.truncate(2);
        let last = rows.last().map_or(0, |(id, _)| **id);
        let rows: Vec<&Row> = rows.into_iter().map(|(_, row)| row).collect();
        let reply = Reply::json(200, &json!({"data": rows}));
        match more {
            true => reply.with(
                "link",
                format!("</tasks/{task}/comments?after={last}>; rel=\"next\""),
            ),
            false => reply,
        }
    }

    fn entries(&self, request: &Request) -> Reply {
        let number = |name: &str| {
            request
                .param(name)
                .and_then(|text| text.parse().ok())
                .unwrap_or(0)
        };
        let (after, skip, take) = (number("after_id"), number("skip"), number("take"));
        if skip > 20 {
            return Reply::json(400, &json!({"message": "only three pages at once"}));
        }
        let rows = self
            .entries
            .range(u64::try_from(after).unwrap_or(0) + 1..)
            .map(|(_, row)| row);
        let rows: Vec<&Row> = rows.skip(skip).take(take).collect();
        Reply::json(200, &json!({"entries": rows}))
    }

    fn add(&mut self, at: i64) {
        let projects: Vec<u64> = self.projects.keys().copied().collect();
        let id = self.next();
        let project = projects[usize::try_from(id).unwrap_or(0) % projects.len()];
        let assignee = if id.is_multiple_of(2) { "" } else { "somebody" };
        self.tasks.insert(id, object(json!({"id": id, "project": project, "due": "2024-02-29",
            "assignee": assignee, "title": format!("task {id}"), "updated_at": clock::rfc3339(at)})));
        for _ in 0..id % 5 {
            let comment = self.next();
            self.comments.insert(
                comment,
                (id, object(json!({"id": comment, "text": "fine"}))),
            );
        }
        let id = self.next();
        self.entries
            .insert(id, object(json!({"id": id, "minutes": id % 60})));
    }

    fn change(&mut self, at: i64) {
        let picked = self.next();
        let place = usize::try_from(picked).unwrap_or(0);
        let task = self
            .tasks
            .keys()
            .nth(place % self.tasks.len().max(1))
            .copied();
        if let Some(task) = task {
            let comment = self.next();
            self.comments.insert(
                comment,
                (task, object(json!({"id": comment, "text": "later"}))),
            );
            let own = |(id, (of, _)): (&u64, &(u64, Row))| (*of == task).then_some(*id);
            let first = self.comments.iter().find_map(own);
            if let Some(first) = first.filter(|_| picked.is_multiple_of(3)) {
                self.comments.remove(&first);
            }
            if let Some(row) = self.tasks.get_mut(&task) {
                row.insert("title".to_owned(), json!(format!("change {picked}")));
                row.insert("updated_at".to_owned(), json!(clock::rfc3339(at)));
            }
        }
        if let Some(row) = self.projects.values_mut().nth(place % 3) {
            row.insert(
                "members".to_owned(),
                json!([{"id": picked, "role": "owner"}]),
            );
        }
        self.add(at);
    }
}

fn updated(row: &Row) -> i64 {
    row["updated_at"]
        .as_str()
        .and_then(clock::parse)
        .unwrap_or(0)
}

impl Vendor for Projects {
    fn answer(&mut self, request: &Request, _now: i64) -> Reply {
        if request.header("x-api-key") != Some("projects-key") {
            return Reply::json(401, &json!({"message": "who are you?"}));
        }
        let id = |text: &str| text.parse().unwrap_or(0);
        match request.segments().as_slice() {
            ["projects"] => Self::numbered(request, self.projects.values()),
            ["projects", project, "tasks"] => self.tasks(id(project), request),
            ["tasks", task, "comments"] => self.comments(id(task), request),
            ["labels", "bug"] => Reply::json(200, &json!([{"id": 1, "name": "urgent"}])),
            ["labels", "feature"] => Reply::json(200, &json!([{"id": 1, "name": "nice"}])),
            ["time_entries"] => self.entries(request),
            _ => Reply::json(404, &json!({"message": "no such path"})),
        }
    }

    fn failure(&self, status: u16) -> Reply {
        Reply::json(status, &json!({"message": "planned"}))
    }

    fn throttled(&self, _refusal: Refusal) -> Reply {
        Reply::text(429, "slow down").with("retry-after", 0)
    }
}

impl Api for Projects {
    const KIND: &'static str = "rest";
    const SETTLES: i64 = 60;
    const STREAMS: &'static [&'static str] = &[
        "comments",
        "labels",
        "members",
        "projects",
        "tasks",
        "time_entries",
    ];

    fn begin(_now: i64) -> Self {
        Self::default()
    }

    fn settings(&mut self, url: &str) -> Value {
        settings(
            "rest-projects.manifest.yaml",
            url,
            json!({"api_key": "projects-key"}),
        )
    }

    fn truth_of(&self, stream: &str, _now: i64) -> Truth {
        let mut truth = Truth::keyed(&["id"]);
        match stream {
            "projects" => self
                .projects
                .values()
                .for_each(|row| truth.add(row.clone())),
            "members" => {
                truth = Truth::keyed(&["project", "id"]);
                for row in self.projects.values() {
                    for member in row["members"].as_array().into_iter().flatten() {
                        let mut member = object(member.clone());
                        member.insert("project".to_owned(), row["id"].clone());
                        truth.add(member);
                    }
                }
            }
            "tasks" => {
                for row in self.tasks.values() {
                    let mut row = row.clone();
                    if row["assignee"] == "" {
                        row.insert("assignee".to_owned(), Value::Null);
                    }
                    truth.add(row);
                }
            }
            "comments" => self
                .comments
                .values()
                .for_each(|(_, row)| truth.add(row.clone())),
            "labels" => {
                truth = Truth::keyed(&["kind", "id"]);
                for (kind, name) in [("bug", "urgent"), ("feature", "nice")] {
                    truth.add(object(json!({"kind": kind, "id": 1, "name": name})));
                }
            }
            _ => self.entries.values().for_each(|row| truth.add(row.clone())),
        }
        truth
    }

    fn populate_all(&mut self, count: usize, now: i64) {
        for _ in 0..3 {
            let id = self.next();
            let members = json!([{"id": 1, "role": "owner"}, {"id": 2, "role": "guest"}]);
            let row = json!({"id": id, "name": format!("project {id}"), "members": members});
            self.projects.insert(id, object(row));
        }
        for index in 0..count * 2 {
            self.add(now - 86_400 + i64::try_from(index).unwrap_or(0) / 4);
        }
    }

    fn change_some(&mut self, count: usize, from: i64, to: i64) {
        let steps = i64::try_from(count.max(1)).unwrap_or(1);
        for index in 0..count {
            self.change(from + i64::try_from(index).unwrap_or(0) * (to - from) / steps);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn projects_are_read() {
    holds::<Projects>().await;
}

/// Tasks of one moment fill several pages, and each that changes moves up all that are behind it.
#[tokio::test(flavor = "multi_thread")]
async fn rows_that_move_to_a_page_already_read_are_not_missed() {
    let _turn = TURN.lock().await;
    let now = tributary_model::now().timestamp();
    let mut model = Projects::default();
    model.populate_all(0, now);
    for _ in 0..200 {
        model.add(now - 500);
    }
    let simulator = Simulator::start(model);
    let read = source(&simulator).await;
    let reading = Reading::new(&simulator, &read).await;
    reading.only(&["tasks"]).survives_drift().await;
    let pages = simulator.recorder().of("/projects/1/tasks").len();
    assert!(pages < 200, "{pages} pages of one project were asked for");
}
