//! The records: a payment each, 1.5 kB of JSON, most of it nested, as payment services have them.
//!
//! Everything in them follows from their number, so that whoever has the numbers knows the sums.

use std::io::Write;

/// Records of a page.
pub(super) const PAGE: u64 = 100;
/// When the oldest was made; each following one is a second younger.
const EPOCH: u64 = 1_600_000_000;

/// What a record has of its own; between its parts stands what all have.
const RECORD: [&str; 8] = [
    r#"{"id":"ch_"#,
    r#"","object":"charge","amount":"#,
    r#","amount_captured":"#,
    r#","amount_refunded":0,"application":null,"application_fee":null,"balance_transaction":"txn_"#,
    r#"","billing_details":{"address":{"city":"Zürich","country":"CH","line1":"Bahnhofstrasse 1","line2":null,"postal_code":"8001","state":null},"email":"jenny.rosen@example.com","name":"Jenny Rosen","phone":"+41 44 668 18 00","tax_id":null},"captured":true,"created":"#,
    r#","currency":"chf","customer":"cus_"#,
    r#"","description":"Invoice for the month, paid by card","disputed":false,"failure_code":null,"failure_message":null,"fraud_details":{},"livemode":false,"metadata":{"order_id":"6735","campaign":"autumn"},"on_behalf_of":null,"outcome":{"network_status":"approved_by_network","reason":null,"risk_level":"normal","risk_score":32,"rule":null,"seller_message":"Payment complete.","type":"authorized"},"paid":true,"payment_intent":null,"payment_method":"card_1MzvGkLkdIwHu7ix","payment_method_details":{"card":{"amount_authorized":1099,"brand":"visa","checks":{"address_line1_check":"pass","address_postal_code_check":"pass","cvc_check":null},"country":"US","exp_month":3,"exp_year":2027,"fingerprint":"mToisGZ01V71BCos","funding":"credit","last4":"4242","network":"visa","three_d_secure":null,"wallet":null},"type":"card"},"receipt_email":null,"receipt_number":null,"receipt_url":"https://pay.example.com/receipts/CAcaFwoVYWNjdF8x","#,
    r#""refunded":false,"review":null,"score":0.25,"shipping":null,"source_transfer":null,"statement_descriptor":null,"status":"succeeded"}"#,
];

/// What number `number` amounts to.
pub(super) fn amount(number: u64) -> u64 {
    100 + number * 7919 % 1_000_003
}

/// When it was made.
pub(super) fn created(number: u64) -> u64 {
    EPOCH + number
}

fn record(number: u64, page: &mut Vec<u8>) {
    let [
        id,
        amount_is,
        captured,
        transaction,
        made,
        customer,
        rest,
        end,
    ] = RECORD;
    let (amount, created) = (amount(number), created(number));
    let written = write!(
        page,
        "{id}{number:012}{amount_is}{amount}{captured}{amount}{transaction}{number:012}{made}{created}{customer}{:012}{rest}{end}",
        number % 1000,
    );
    written.expect("a vector takes all that is written");
}

/// The page after the record `after`, the youngest first; `None` begins.
pub(super) fn page(records: u64, after: Option<u64>) -> Vec<u8> {
    let first = after.unwrap_or(records);
    let last = first.saturating_sub(PAGE);
    let mut page = Vec::with_capacity(1600 * 100);
    page.extend_from_slice(br#"{"object":"list","url":"/v1/charges","data":["#);
    for number in (last..first).rev() {
        if number + 1 < first {
            page.push(b',');
        }
        record(number, &mut page);
    }
    let more = last > 0;
    let written = write!(page, r#"],"has_more":{more}}}"#);
    written.expect("a vector takes all that is written");
    page
}

/// The number in a name.
pub(super) fn number_of(id: &str) -> Option<u64> {
    id.strip_prefix("ch_")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn pages_follow_each_other_down_to_the_first_record() {
        let read = |page: &[u8]| serde_json::from_slice::<Value>(page).expect("JSON");
        let first = page(150, None);
        let document = read(&first);
        let data = document["data"].as_array().expect("a list");
        assert_eq!(
            (data.len(), document["has_more"].as_bool()),
            (100, Some(true))
        );
        let size = first.len() / 100;
        assert!((1450..1650).contains(&size), "{size} bytes a record");
        assert_eq!(data[0]["amount"], amount(149));
        let id = data[99]["id"].as_str().and_then(number_of);
        assert_eq!(id, Some(50));
        let second = read(&page(150, id));
        let data = second["data"].as_array().expect("a list");
        assert_eq!(
            (data.len(), second["has_more"].as_bool()),
            (50, Some(false))
        );
        assert_eq!(data[49]["created"], created(0));
    }
}
