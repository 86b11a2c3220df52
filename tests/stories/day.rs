//! A company's week: its database and all its services in one configuration, into one warehouse. A
//! token expires, a service is away for a while, a table and a tab change their layout; in the end
//! every table is what its source says.

use serde_json::{Value, json};
use tributary_testkit::api::clock::{DAY, HOUR};
use tributary_testkit::api::conformance::{Api, differences};
use tributary_testkit::api::faults::{Fault, When};
use tributary_testkit::api::mailchimp::Mailchimp;
use tributary_testkit::api::sheets::Sheets;
use tributary_testkit::api::simulator::Simulator;
use tributary_testkit::api::stripe::Stripe;
use tributary_testkit::api::zendesk::Zendesk;
use tributary_testkit::program::Finished;
use tributary_testkit::server::Flavor;

use crate::world::World;

const SHOP: &str = "CREATE DATABASE shop;
    CREATE TABLE shop.customers (id INT PRIMARY KEY, name VARCHAR(40));
    CREATE TABLE shop.orders (id INT PRIMARY KEY, customer INT, total DECIMAL(10,2));
    INSERT INTO shop.customers VALUES (1, 'ann'), (2, 'bob'), (3, 'cy');
    INSERT INTO shop.orders VALUES (10, 1, 9.99), (11, 2, 120.00)";

/// What each service is read for.
const BILLING: &[&str] = &[
    "charges",
    "customers",
    "invoices",
    "refunds",
    "subscriptions",
];
const SUPPORT: &[&str] = &["groups", "organizations", "tickets", "users"];
const MARKETING: &[&str] = &["campaigns", "list_members", "lists"];
const PLANS: &[&str] = Sheets::STREAMS;

/// A database and four services.
struct Company {
    shop: World,
    billing: Simulator<Stripe>,
    support: Simulator<Zendesk>,
    marketing: Simulator<Mailchimp>,
    plans: Simulator<Sheets>,
}

fn started<A: Api>(mut api: A) -> Simulator<A> {
    api.populate_all(4, tributary_model::now().timestamp());
    Simulator::start(api)
}

impl Company {
    async fn founded() -> Self {
        let since = tributary_model::now().timestamp() - 300 * DAY;
        let company = Self {
            shop: World::with(Flavor::ALL[0], SHOP).await,
            billing: started(Stripe::new(21, since)),
            support: started(Zendesk::new(22)),
            marketing: started(Mailchimp::new(23)),
            plans: started(Sheets::new(24)),
        };
        company.configure();
        company
    }

    fn configure(&self) {
        let program = &self.shop.program;
        let shop = json!({"type": "mysql", "host": "127.0.0.1", "port": self.shop.server.port(),
            "user": self.shop.reader.name, "password": "${SHOP_PASSWORD}", "databases": ["shop"]});
        let mut sources = json!({ "shop": shop });
        sources["billing"] = settings(&self.billing);
        sources["support"] = settings(&self.support);
        sources["marketing"] = settings(&self.marketing);
        sources["plans"] = settings(&self.plans);
        let connection = |source: &str, select: &[&str]| json!({"source": source, "destination": "warehouse", "select": select});
        let config = json!({
            "sources": sources,
            "destinations": {"warehouse": {"type": "duckdb", "path": "warehouse.duckdb"}},
            "connections": {
                "shop": connection("shop", &["shop.*"]),
                "billing": connection("billing", BILLING),
                "support": connection("support", SUPPORT),
                "marketing": connection("marketing", MARKETING),
                "plans": connection("plans", PLANS),
            },
        });
        program.write("tributary.yaml", &config.to_string());
        for (name, content) in self.plans.with(|sheets, _| sheets.files()) {
            program.write(name, &content);
        }
    }

    /// A day goes by, with `sql` in the database and changes everywhere else.
    async fn day(&self, sql: &str) {
        self.shop.server.execute(sql).await;
        live(&self.billing);
        live(&self.support);
        live(&self.marketing);
        live(&self.plans);
    }

    async fn sync(&self) -> Finished {
        let clock = self.billing.clock().failpoint();
        let env = [("FAILPOINTS", clock.as_str())];
        self.shop.program.start_with(&env, &["sync"]).wait().await
    }

    async fn assert_true(&self, when: &str) {
        for table in ["shop.customers", "shop.orders"] {
            self.shop.assert_table(table, when).await;
        }
        let file = self.shop.file();
        let mut wrong = differences(&self.billing, (&file, "billing"), BILLING);
        wrong.extend(differences(&self.support, (&file, "support"), SUPPORT));
        wrong.extend(differences(
            &self.marketing,
            (&file, "marketing"),
            MARKETING,
        ));
        wrong.extend(differences(&self.plans, (&file, "plans"), PLANS));
        wrong.truncate(20);
        assert!(wrong.is_empty(), "{when}:\n  {}", wrong.join("\n  "));
    }
}

fn settings<A: Api>(simulator: &Simulator<A>) -> Value {
    let url = simulator.url();
    let mut settings = simulator.with(|api, _| api.settings(&url));
    settings["type"] = json!(A::KIND);
    settings
}

/// Twenty hours of changes, and the rest of the day.
fn live<A: Api>(simulator: &Simulator<A>) {
    simulator.with(|api, now| api.change_some(12, now + 1, now + 20 * HOUR));
    simulator.clock().advance(DAY);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_company_has_its_week() {
    let company = Company::founded().await;
    company.sync().await.exits(0);
    company.assert_true("on the first day").await;

    company
        .day(
            "INSERT INTO shop.orders VALUES (12, 3, 5.00); DELETE FROM shop.customers WHERE id = 2",
        )
        .await;
    company.sync().await.exits(0);

    company
        .day("UPDATE shop.orders SET total = total + 1")
        .await;
    company
        .plans
        .faults()
        .add(When::nth(3).method("GET"), Fault::ExpireTokens);
    company.sync().await.exits(0);
    assert!(company.plans.faults().hits() > 0, "no token expired");
    company.plans.faults().clear();

    company
        .day("INSERT INTO shop.customers VALUES (4, 'dan')")
        .await;
    company
        .support
        .faults()
        .add(When::first(3), Fault::Status(503));
    company.sync().await.exits(0);
    assert!(company.support.faults().hits() > 0, "nothing was away");
    company.support.faults().clear();
    company.assert_true("after an outage").await;

    company
        .day(
            "ALTER TABLE shop.orders ADD COLUMN note VARCHAR(20) DEFAULT 'none'; \
             INSERT INTO shop.orders VALUES (13, 4, 1.00, 'gift')",
        )
        .await;
    company.plans.with(|sheets, now| {
        let book = sheets.only_book();
        book.set("Orders", (0, 4), "remark", now);
        book.set("Orders", (2, 4), "gift", now);
    });
    for simulated in [company.billing.clock(), company.support.clock()] {
        simulated.advance(HOUR);
    }
    for simulated in [company.marketing.clock(), company.plans.clock()] {
        simulated.advance(HOUR);
    }
    company.sync().await.exits(0);
    company.assert_true("after changes of layout").await;

    for _ in 0..2 {
        company
            .day("UPDATE shop.customers SET name = concat(name, '!')")
            .await;
    }
    company.sync().await.exits(0);
    company.assert_true("at the end of the week").await;
}
