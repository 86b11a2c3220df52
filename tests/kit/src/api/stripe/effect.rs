//! What events mean for objects: the fields they change, and what is born and dies along with them.

use serde_json::{Value, json};
use tributary_model::Row;

use super::account::Account;
use super::resource::Resource;
use super::resources;
use crate::random::Random;

/// The fields that an event of this type changes; `None` where it may be any.
pub(super) fn of(kind: &str, now: i64) -> Option<Row> {
    let fields = match kind {
        "charge.captured" => json!({"captured": true}),
        "charge.refunded" => json!({"refunded": true, "amount_refunded": 100}),
        "charge.failed" | "refund.failed" | "topup.failed" => json!({"status": "failed"}),
        "charge.dispute.closed" => json!({"status": "lost"}),
        "payment_intent.succeeded" | "setup_intent.succeeded" | "topup.succeeded" => {
            json!({"status": "succeeded"})
        }
        "payment_intent.canceled" => json!({"status": "canceled", "canceled_at": now}),
        "setup_intent.canceled" => json!({"status": "canceled"}),
        "payment_intent.processing" => json!({"status": "processing"}),
        "payment_intent.payment_failed" => json!({"status": "requires_payment_method"}),
        "payout.paid" => json!({"status": "paid"}),
        "payout.reconciliation_completed" => json!({"reconciliation_status": "completed"}),
        "review.closed" => json!({"open": false, "closed_reason": "approved"}),
        "checkout.session.completed" => json!({"status": "complete", "payment_status": "paid"}),
        "checkout.session.expired" => json!({"status": "expired"}),
        "customer.subscription.deleted" => {
            json!({"status": "canceled", "canceled_at": now, "ended_at": now})
        }
        "customer.subscription.paused" => json!({"status": "paused"}),
        "customer.subscription.resumed" => json!({"status": "active"}),
        "subscription_schedule.released" => json!({"status": "released", "released_at": now}),
        "invoice.finalized" => json!({"status": "open", "number": format!("N-{now}")}),
        "invoice.paid" => json!({"status": "paid", "paid": true, "attempted": true}),
        "invoice.voided" => json!({"status": "void"}),
        "invoice_payment.paid" => json!({"status": "paid"}),
        "credit_note.voided" => json!({"status": "void", "voided_at": now}),
        "quote.finalized" => json!({"status": "open"}),
        "quote.accepted" => json!({"status": "accepted"}),
        "quote.canceled" => json!({"status": "canceled"}),
        "application_fee.refunded" => json!({"refunded": true, "amount_refunded": 100}),
        "transfer.reversed" => json!({"reversed": true}),
        "payment_method.detached" => json!({"customer": null}),
        "identity.verification_session.verified" => json!({"status": "verified"}),
        "reporting.report_run.succeeded" => json!({"status": "succeeded", "succeeded_at": now}),
        _ => return None,
    };
    match fields {
        Value::Object(fields) => Some(fields),
        _ => None,
    }
}

/// The event of the parent that tells of a new child, where the child has none of its own.
pub(super) fn announced(stream: &str) -> Option<&'static str> {
    Some(match stream {
        "invoice_line_items" => "invoice.updated",
        "subscription_items" => "customer.subscription.updated",
        "customer_balance_transactions" => "customer.updated",
        "application_fee_refunds" => "application_fee.refunded",
        "transfer_reversals" => "transfer.reversed",
        "setup_attempts" => "setup_intent.setup_failed",
        _ => return None,
    })
}

/// What an object of this kind calls itself; some lists hold two kinds.
pub(super) fn object_of(resource: &Resource, random: &mut Random) -> &'static str {
    match resource.stream {
        "sources" | "external_accounts" => random.pick(&["card", "bank_account"]),
        _ => resource.object,
    }
}

/// What comes into the world with an object.
pub(super) fn of_birth(account: &mut Account, resource: &Resource, id: &str, _now: i64) {
    if resource.stream != "payouts" {
        return;
    }
    let Some(payments) = account.collections.get_mut("balance_transactions") else {
        return;
    };
    let unpaid = payments.iter().filter(|payment| payment.hidden.is_empty());
    let unpaid: Vec<_> = unpaid.take(3).map(|payment| payment.id.clone()).collect();
    for payment in unpaid {
        if let Some(payment) = payments.get_mut(&payment) {
            payment.hidden.insert("payout", id.to_owned());
            // No event tells of this.
            payment
                .fields
                .insert("status".to_owned(), json!("available"));
        }
    }
}

/// What ends with an object.
pub(super) fn of_death(account: &mut Account, resource: &Resource, id: &str, now: i64) {
    match resource.stream {
        "customers" => {
            let subscriptions = account.ids("subscriptions");
            for subscription in subscriptions {
                let object = account.object("subscriptions", &subscription);
                let ends = object.is_some_and(|object| {
                    object.matches("customer", id) && !object.matches("status", "canceled")
                });
                if ends {
                    let kind = "customer.subscription.deleted";
                    account.update_as("subscriptions", &subscription, kind, now);
                }
            }
            detach(account, id, now);
        }
        "invoices" => {
            let draft = account.object("invoices", id);
            let draft = draft.is_some_and(|invoice| invoice.matches("status", "draft"));
            assert!(draft, "only drafts of invoices can be deleted");
        }
        _ => {}
    }
}

/// Payment methods outlive their customer, without an owner.
fn detach(account: &mut Account, customer: &str, now: i64) {
    let resource = resources::named("payment_methods");
    let methods = account.collection("payment_methods").into_iter();
    let methods: Vec<_> = methods.flat_map(|all| all.of(customer)).cloned().collect();
    for mut method in methods {
        account.collection_mut(resource.stream).remove(&method.id);
        method.parent = None;
        method.fields.insert("customer".to_owned(), Value::Null);
        let (id, rank) = (method.id.clone(), account.made);
        account.made += 1;
        account.collection_mut(resource.stream).insert(method, rank);
        let before = json!({"customer": customer});
        let before = before.as_object().cloned().unwrap_or_default();
        account.tell(resource, &id, "payment_method.detached", before, now);
    }
}

impl Account {
    /// Gives a customer a discount; returns its id.
    ///
    /// # Panics
    /// Panics where there is no such customer.
    pub fn give_discount(&mut self, customer: &str, now: i64) -> String {
        let id = self.id_for("di");
        let coupon = json!({"id": "twelve", "object": "coupon", "percent_off": 12.5});
        let discount = json!({"id": id, "object": "discount", "coupon": coupon, "start": now,
            "customer": customer, "end": null, "promotion_code": null, "subscription": null});
        self.discount(customer, discount.clone(), now);
        let discount = discount.as_object().cloned().unwrap_or_default();
        self.emit("customer.discount.created", discount, Row::new(), now);
        id
    }

    /// Takes a customer's discount away.
    ///
    /// # Panics
    /// Panics where there is no such customer.
    pub fn end_discount(&mut self, customer: &str, now: i64) {
        let discount = self
            .object("customers", customer)
            .map(|of| of.field("discount").clone());
        if let Some(Value::Object(discount)) = discount {
            self.emit("customer.discount.deleted", discount, Row::new(), now);
            self.discount(customer, Value::Null, now);
        }
    }

    fn discount(&mut self, customer: &str, discount: Value, now: i64) {
        self.update("customers", customer, now, json!({ "discount": discount }));
    }
}
