//! Time passing on an account: what was there before, and weeks of changes, the same for each seed.
//!
//! Every change here leaves a trace that a reader can find: an event, or a new row in a list with a
//! window. Changes that leave none are [`Account::edit`], on purpose and one by one.

use super::account::Account;
use super::effect;
use super::resource::{Resource, Window};
use super::resources;
use crate::api::clock::DAY;
use tributary_model::Row;

impl Account {
    /// Makes `count` objects of each kind, spread over the half year before `now`.
    pub fn populate(&mut self, count: usize, now: i64) {
        let from = now - 180 * DAY;
        let (orphans, children): (Vec<&Resource>, Vec<&Resource>) =
            resources::all().partition(|resource| resource.parent.is_none());
        for resource in orphans.into_iter().chain(children) {
            self.fill(resource.stream, count, from, now - 1);
        }
    }

    /// Makes `count` changes, evenly from `from` on up to `to`.
    pub fn live(&mut self, count: usize, from: i64, to: i64) {
        let kinds: Vec<_> = resources::all()
            .filter(|resource| traced(resource))
            .collect();
        for index in 0..count {
            let share = i64::try_from(index).unwrap_or(0) * (to - from);
            let at = from + share / i64::try_from(count.max(1)).unwrap_or(1);
            let resource = self.random().pick(&kinds);
            self.change(resource, at);
        }
    }

    fn change(&mut self, resource: &'static Resource, at: i64) {
        let chance = self.random().below(100);
        let some = self.any(resource.stream);
        match (some, chance) {
            (Some(id), 0..10) if self.may_delete(resource, &id) => {
                self.delete(resource.stream, &id, at);
            }
            (Some(id), 10..60) if !resource.events.updated.is_empty() => {
                let kind = self.random().pick(resource.events.updated);
                self.update_as(resource.stream, &id, kind, at);
            }
            // A reminder of what is to come, which is no object yet and has no id.
            (_, 60..63) if resource.stream == "invoices" => {
                let mut upcoming = Row::new();
                upcoming.insert("object".to_owned(), "invoice".into());
                self.emit("invoice.upcoming", upcoming, Row::new(), at);
            }
            (Some(id), 63..80) if resource.stream == "customers" => {
                self.end_discount(&id, at);
                if chance < 75 {
                    self.give_discount(&id, at);
                }
            }
            _ if self.has_parent(resource) => {
                self.create(resource.stream, at);
            }
            _ => {}
        }
    }

    fn has_parent(&self, resource: &Resource) -> bool {
        resource
            .parent
            .is_none_or(|parents| self.count(parents) > 0)
    }

    fn may_delete(&self, resource: &Resource, id: &str) -> bool {
        let object = self.object(resource.stream, id);
        let draft = object.is_some_and(|object| object.matches("status", "draft"));
        resource.events.deleted.is_some() && (resource.stream != "invoices" || draft)
    }
}

/// Whether a new object of this kind leaves a trace. Events about connected accounts can't be relied
/// on: whoever reads those in full once a day sees nothing of them within the day.
fn traced(resource: &Resource) -> bool {
    if resource.stream == "accounts" {
        return false;
    }
    let told = resource.events.created.is_some() || effect::announced(resource.stream).is_some();
    told || resource.window == Window::Always
}
