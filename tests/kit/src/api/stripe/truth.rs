//! What each table must hold.

use serde_json::json;
use tributary_model::Row;

use super::Stripe;
use super::account::Account;
use super::collection::{Collection, Object};
use super::event::{Age, age};
use super::resource::Resource;
use super::resources;
use super::version::Version;
use crate::api::truth::Truth;

impl Stripe {
    /// What the table of a stream must hold, in the version that was asked for last.
    ///
    /// # Panics
    /// Panics where there is no such stream.
    #[must_use]
    pub fn truth(&self, stream: &str, now: i64) -> Truth {
        let version = self.asked.as_ref().unwrap_or(&self.account.version);
        self.account.truth(stream, version, now)
    }
}

impl Account {
    /// What the table of a stream must hold, in one version.
    ///
    /// # Panics
    /// Panics where there is no such stream.
    #[must_use]
    pub fn truth(&self, stream: &str, version: &Version, now: i64) -> Truth {
        match stream {
            "account" => {
                let mut truth = Truth::keyed(&["id"]);
                truth.add(self.own.clone());
                truth
            }
            "events" => self.truth_of_events(now),
            "cards" => self.truth_of("sources", version, |source| {
                source.matches("object", "card")
            }),
            "bank_accounts" => self.truth_of("sources", version, is_bank_account),
            "external_account_cards" => self.truth_of("external_accounts", version, |account| {
                !is_bank_account(account)
            }),
            "external_account_bank_accounts" => {
                self.truth_of("external_accounts", version, is_bank_account)
            }
            "discounts" => self.truth_of_discounts(),
            "payout_balance_transactions" => self.truth_of_payouts(version),
            "billing_meter_event_summaries" => self.truth_of_summaries(now),
            "payment_methods" => self.truth_of_payment_methods(version),
            named => self.truth_of(named, version, |_| true),
        }
    }

    fn truth_of(&self, stream: &str, version: &Version, wanted: impl Fn(&Object) -> bool) -> Truth {
        let resource = resources::named(stream);
        let mut truth = blank(resource);
        for object in self.objects(stream).filter(|object| wanted(object)) {
            let row = self.shown(resource, object, version);
            if self.can_be_seen(resource, object) {
                truth.add(row);
            } else {
                truth.add_perhaps(row);
            }
        }
        truth
    }

    fn objects(&self, stream: &str) -> impl Iterator<Item = &Object> {
        self.collection(stream)
            .into_iter()
            .flat_map(Collection::iter)
    }

    /// All that can be seen; older ones may have been kept.
    fn truth_of_events(&self, now: i64) -> Truth {
        let mut truth = Truth::keyed(&["id"]);
        for event in self.events.iter() {
            match age(event, now) {
                Age::Visible => truth.add(event.fields.clone()),
                Age::Hidden | Age::Aged => truth.add_perhaps(event.fields.clone()),
            }
        }
        truth
    }

    /// What customers have now.
    fn truth_of_discounts(&self) -> Truth {
        let mut truth = Truth::keyed(&["id"]);
        for customer in self.objects("customers") {
            if let Some(discount) = customer.field("discount").as_object() {
                truth.add(discount.clone());
            }
        }
        truth
    }

    /// A transaction for each payout that it is in.
    fn truth_of_payouts(&self, version: &Version) -> Truth {
        let resource = resources::named("balance_transactions");
        let mut truth = Truth::keyed(&["payout", "id"]);
        for object in self.objects(resource.stream) {
            let payout = object.hidden.get("payout");
            let Some(payout) = payout.and_then(|id| self.object("payouts", id)) else {
                continue;
            };
            if payout.matches("automatic", "true") {
                let mut row: Row = self.shown(resource, object, version);
                row.insert("payout".to_owned(), json!(payout.id));
                truth.add(row);
            }
        }
        truth
    }

    /// No list shows those that belong to nobody any more; events do.
    fn truth_of_payment_methods(&self, version: &Version) -> Truth {
        let resource = resources::named("payment_methods");
        let mut truth = blank(resource);
        for object in self.objects(resource.stream) {
            let row = self.shown(resource, object, version);
            match object.parent {
                Some(_) => truth.add(row),
                None => truth.add_perhaps(row),
            }
        }
        truth
    }
}

fn is_bank_account(object: &Object) -> bool {
    object.matches("object", "bank_account")
}

/// Embedded lists show a part of the children only, and those have tables of their own.
fn blank(resource: &Resource) -> Truth {
    let embedded: Vec<_> = resource.embeds.iter().map(|embed| embed.field).collect();
    Truth::keyed(&["id"]).ignoring(&embedded)
}
