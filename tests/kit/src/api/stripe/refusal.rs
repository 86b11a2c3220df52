//! Lists that refuse for a reason of their own.

use super::account::Account;
use super::error::Failure;
use super::list::Question;
use super::resource::Resource;

/// Refuses what the API refuses although parent and permission are there.
pub(super) fn of_list(
    account: &Account,
    resource: &Resource,
    parent: Option<&str>,
    question: &Question,
) -> Result<(), Failure> {
    match (resource.stream, parent) {
        ("balance_transactions", _) => match question.filter("payout") {
            Some(payout) => of_payout(account, payout),
            None => Ok(()),
        },
        ("persons", Some(id)) => of_persons(account, id),
        ("checkout_session_line_items", Some(id)) => of_line_items(account, id),
        _ => Ok(()),
    }
}

fn of_payout(account: &Account, payout: &str) -> Result<(), Failure> {
    let Some(object) = account.object("payouts", payout) else {
        return Err(Failure::missing(404, "payout", payout, "payout"));
    };
    if object.matches("automatic", "true") {
        return Ok(());
    }
    let text = "Balance transaction history can only be filtered on automatic transfers, not \
                manual.";
    Err(Failure::invalid(400, text).about("payout"))
}

/// Who lets Stripe collect what the law wants to know may not see it.
fn of_persons(account: &Account, id: &str) -> Result<(), Failure> {
    let object = account.object("accounts", id);
    let collector = object.and_then(|object| {
        object
            .field("controller")
            .get("requirement_collection")?
            .as_str()
    });
    if collector != Some("stripe") {
        return Ok(());
    }
    let text = format!(
        "This application does not have the required permissions for the parameter 'persons' on \
         account '{id}'."
    );
    Err(Failure::invalid(403, text))
}

fn of_line_items(account: &Account, id: &str) -> Result<(), Failure> {
    let object = account.object("checkout_sessions", id);
    if object.is_some_and(|object| object.hidden.contains_key("line_items_lost")) {
        let text = "Could not find line items for this Checkout Session.";
        return Err(Failure::invalid(400, text));
    }
    Ok(())
}

impl Account {
    /// Loses the line items of a checkout session, as old ones in test mode do.
    ///
    /// # Panics
    /// Panics where there is no such session.
    pub fn lose_line_items(&mut self, session: &str) {
        let sessions = self.collection_mut("checkout_sessions");
        let session = sessions
            .get_mut(session)
            .expect("a session of this account");
        session.hidden.insert("line_items_lost", String::new());
    }
}
