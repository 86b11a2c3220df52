//! What an event amounts to: where transactions begin and end, and how.

use mysql_common::binlog::events::Event as Raw;

use super::{Group, LogStream, Name, Step};
use crate::gtid::Gtids;
use crate::log::event::{Event, Query};
use crate::position::LogPosition;

impl LogStream {
    pub(super) fn interpret(&mut self, raw: Raw, event: Event) -> Step {
        match event {
            Event::Gtid(source, number) => {
                self.begin(Group::Announced, Some(Name::MySql(source, number)))
            }
            Event::AnonymousGtid => self.begin(Group::Announced, None),
            Event::MariaGtid {
                gtid,
                standalone,
                prepares,
            } => {
                self.xid = prepares;
                let group = if standalone {
                    Group::Announced
                } else {
                    Group::Inside
                };
                self.begin(group, Some(Name::MariaDb(gtid)))
            }
            Event::Xid => self.end(Step::Committed),
            Event::XaPrepare { one_phase: true } => {
                let place = LogPosition::new(self.position.file.clone(), self.began);
                let holds_rows = self.holds_rows;
                self.end(match holds_rows {
                    true => Step::Replay(place),
                    false => Step::Committed,
                })
            }
            Event::XaPrepare { one_phase: false } => {
                if let Some(xid) = self.xid.take() {
                    if self.holds_rows {
                        let place = LogPosition::new(self.position.file.clone(), self.began);
                        self.withheld.insert(xid.clone(), place);
                    }
                    self.prepared.insert(xid);
                }
                self.end(Step::Prepared)
            }
            Event::TableMap => Step::TableMap(raw),
            Event::Rows => Step::Rows(raw),
            Event::Query(query) => self.statement(query),
            Event::Rotate { .. } | Event::GtidList(_) | Event::Heartbeat | Event::Other => {
                Step::Nothing
            }
        }
    }

    fn begin(&mut self, group: Group, name: Option<Name>) -> Step {
        self.group = group;
        self.name = name;
        Step::Nothing
    }

    fn end(&mut self, step: Step) -> Step {
        match (self.name.take(), &mut self.gtids) {
            (Some(Name::MySql(source, number)), Some(Gtids::Mysql(set))) => {
                set.add(&source, number);
            }
            (Some(Name::MariaDb(gtid)), Some(gtids @ Gtids::Mariadb(_))) => {
                if let Gtids::Mariadb(position) = gtids {
                    position.set(gtid);
                }
                self.approach.meet(&[gtid], Some(gtids));
            }
            _ => {}
        }
        self.group = Group::Outside;
        self.xid = None;
        step
    }

    fn statement(&mut self, query: Query) -> Step {
        let text = query.sql.trim().trim_end_matches(';').trim_end();
        let is = |keyword: &str| text.eq_ignore_ascii_case(keyword);
        if is("BEGIN") {
            self.group = Group::Inside;
            return Step::Nothing;
        }
        if is("COMMIT") {
            return self.end(Step::Committed);
        }
        if is("ROLLBACK") {
            return self.end(Step::RolledBack);
        }
        let begins = |keyword: &str| {
            let start = text.get(..keyword.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(keyword))
        };
        if begins("ROLLBACK TO ") || begins("ROLLBACK WORK TO ") {
            return Step::RolledBackTo;
        }
        if text
            .get(..3)
            .is_some_and(|start| start.eq_ignore_ascii_case("XA "))
        {
            return self.two_phase(&text[3..].trim_start().to_ascii_uppercase());
        }
        match self.group {
            // Inside a transaction a statement ends nothing.
            Group::Inside => Step::Statement(query),
            Group::Outside | Group::Announced => self.end(Step::Statement(query)),
        }
    }

    /// `XA START` opens a group, `XA END` belongs to it; commit and rollback stand alone, and tell
    /// of a transaction that was prepared before; perhaps before this log was followed.
    fn two_phase(&mut self, what: &str) -> Step {
        let (verb, xid) = what.split_once(' ').unwrap_or((what, ""));
        let xid = xid.split_whitespace().collect::<String>();
        match verb {
            "START" | "BEGIN" => {
                self.group = Group::Inside;
                self.xid = Some(xid);
                Step::Nothing
            }
            "END" => Step::Nothing,
            "COMMIT" if !self.prepared.remove(&xid) => self.end(Step::UnknownXa),
            "COMMIT" => {
                let place = self.withheld.remove(&xid);
                self.end(place.map_or(Step::Nothing, Step::Replay))
            }
            _ => {
                self.prepared.remove(&xid);
                self.withheld.remove(&xid);
                self.end(Step::Nothing)
            }
        }
    }
}
