//! The rows of the shop, as SQL literals.

use chrono::{Days, NaiveDate};

use super::Shop;
use crate::random::Random;

const FIRST: [&str; 16] = [
    "Ada", "Bjørn", "Chloé", "Dmitri", "Élodie", "Fatima", "Günther", "Hana", "Iñigo", "José",
    "Kōji", "Łukasz", "Mária", "Nnamdi", "Óscar", "Zoë",
];
const LAST: [&str; 12] = [
    "O'Neill",
    "Müller",
    "García",
    "Ngô",
    "Smith",
    "de Vries",
    "Åström",
    "Петрова",
    "山田",
    "Okafor",
    "D\"Souza",
    "van \\ Dijk",
];
const COUNTRIES: [&str; 6] = ["NL", "DE", "FR", "JP", "US", "NG"];
const THINGS: [&str; 8] = [
    "Kettle",
    "Café crème ☕",
    "Lamp",
    "Söckchen",
    "Bicycle bell",
    "Notebook",
    "Teapot",
    "Crème brûlée set",
];
const NOTES: [&str; 5] = [
    "leave at the door",
    "it's a gift 🎁",
    "line one\nline two\ttabbed",
    "100% \"quoted\" \\ escaped",
    "",
];

/// A quoted literal.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

/// The literal, or NULL in `percent` of a hundred cases.
pub(super) fn or_null(random: &mut Random, percent: u64, literal: String) -> String {
    if random.chance(percent) {
        "NULL".to_owned()
    } else {
        literal
    }
}

/// An amount of money below `units`.
pub(super) fn money(random: &mut Random, units: u64) -> String {
    let cents = random.below(units * 100);
    format!("{}.{:02}", cents / 100, cents % 100)
}

fn day(random: &mut Random, first_year: i32, years: u64) -> NaiveDate {
    let first = NaiveDate::from_ymd_opt(first_year, 1, 1).expect("a first of January exists");
    first
        .checked_add_days(Days::new(random.below(years * 365)))
        .expect("the day exists")
}

fn clock(random: &mut Random) -> String {
    // No hour that a change to summer time could skip.
    let (hour, minute, second) = (4 + random.below(20), random.below(60), random.below(60));
    format!("{hour:02}:{minute:02}:{second:02}")
}

/// The values of a customer, without the id.
pub(super) fn customer(random: &mut Random) -> String {
    let name = format!("{} {}", random.pick(&FIRST), random.pick(&LAST));
    let email = quoted(&format!("c{}@example.com", random.below(1_000_000)));
    let phone = quoted(&format!("+31 6 {:08}", random.below(100_000_000)));
    let credit = format!("{}{}", random.pick(&["", "-"]), money(random, 5_000));
    let born = quoted(&day(random, 1930, 75).to_string());
    let created = format!(
        "{} {}.{:06}",
        day(random, 2019, 5),
        clock(random),
        random.below(1_000_000)
    );
    let updated = format!(
        "{} {}.{:03}",
        day(random, 2024, 1),
        clock(random),
        random.below(1_000)
    );
    [
        quoted(&name),
        or_null(random, 10, email),
        or_null(random, 30, phone),
        quoted(random.pick(&COUNTRIES)),
        quoted(random.pick(&["free", "plus", "pro"])),
        or_null(random, 20, credit),
        random.below(2).to_string(),
        or_null(random, 25, born),
        quoted(&created),
        or_null(random, 50, quoted(&updated)),
    ]
    .join(",")
}

/// The key of a product by number.
pub(super) fn sku(number: u64) -> String {
    format!("SKU-{number:05}")
}

/// The values of a product, without the key.
pub(super) fn product(random: &mut Random) -> String {
    let thing = random.pick(&THINGS);
    let description =
        quoted(&format!("{thing}. ").repeat(1 + usize::try_from(random.below(20)).unwrap_or(0)));
    let weight = format!("{}e-3", random.below(20_000));
    let attributes = format!(
        r#"{{"colour": "{}", "sizes": [{}, {}], "fair": {}}}"#,
        random.pick(&["rød", "blue", "緑"]),
        random.below(50),
        random.below(50),
        random.pick(&["true", "false", "null"])
    );
    let thumbnail = format!("x'{:016x}{:016x}'", random.next_u64(), random.next_u64());
    [
        quoted(&format!("{thing} no. {}", random.below(1_000))),
        or_null(random, 15, description),
        money(random, 900),
        or_null(random, 20, weight),
        or_null(random, 20, quoted(&attributes)),
        or_null(random, 30, thumbnail),
    ]
    .join(",")
}

/// The values of an order of one of `customers`, without the id.
pub(super) fn order(random: &mut Random, customers: u64) -> String {
    let ordered = format!("{} {}", day(random, 2022, 3), clock(random));
    let paid = quoted(&format!("{} {}", day(random, 2022, 3), clock(random)));
    let shipped = quoted(&day(random, 2022, 3).to_string());
    let note = quoted(random.pick(&NOTES));
    [
        (1 + random.below(customers)).to_string(),
        quoted(random.pick(&["new", "paid", "shipped", "returned"])),
        money(random, 2_000),
        or_null(random, 60, note),
        quoted(&ordered),
        or_null(random, 40, shipped),
        or_null(random, 30, paid),
    ]
    .join(",")
}

/// The values of an order line, without the key.
pub(super) fn line(random: &mut Random, products: u64) -> String {
    let sku = quoted(&sku(1 + random.below(products)));
    let quantity = 1 + random.below(9);
    let price = money(random, 900);
    let discount = format!("0.{:04}", random.below(10_000));
    format!("{sku},{quantity},{price},{}", or_null(random, 60, discount))
}

/// The INSERT statements of a whole shop, `size` rows each.
pub(super) fn inserts(shop: Shop, size: usize) -> impl Iterator<Item = String> {
    let mut random = Random::new(shop.seed);
    let customers: Vec<_> = (1..=shop.customers)
        .map(|id| format!("({id},{})", customer(&mut random)))
        .collect();
    let products: Vec<_> = (1..=shop.products)
        .map(|number| format!("('{}',{})", sku(number), product(&mut random)))
        .collect();
    let mut orders = Vec::new();
    let mut lines = Vec::new();
    for id in 1..=shop.orders {
        orders.push(format!("({id},{})", order(&mut random, shop.customers)));
        for number in 1..=1 + random.below(4) {
            lines.push(format!(
                "({id},{number},{})",
                line(&mut random, shop.products)
            ));
        }
    }
    [
        ("customers", customers),
        ("products", products),
        ("orders", orders),
        ("order_lines", lines),
    ]
    .into_iter()
    .flat_map(move |(table, rows)| {
        rows.chunks(size)
            .map(|chunk| format!("INSERT INTO shop.{table} VALUES {}", chunk.join(",")))
            .collect::<Vec<_>>()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_shop() {
        let text = |seed| {
            Shop {
                seed,
                ..Shop::SMALL
            }
            .statements()
            .collect::<Vec<_>>()
        };
        assert_eq!(text(1), text(1));
        assert_ne!(text(1), text(2));
    }
}
