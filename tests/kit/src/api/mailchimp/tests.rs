#![allow(clippy::unwrap_used)]
//! Mailchimp by plain requests.

use super::*;
use crate::api::client::{Answer, Client};
use crate::api::clock::rfc3339;
use crate::api::simulator::Simulator;

struct World {
    simulator: Simulator<Mailchimp>,
    client: Client,
}

impl World {
    /// `change` fills it; it gets the time now.
    fn new(change: impl FnOnce(&mut Mailchimp, i64)) -> Self {
        let mut account = Mailchimp::new(5);
        change(&mut account, tributary_model::now().timestamp());
        let pair = format!("any:{}", account.api_key);
        let basic = format!("Basic {}", STANDARD.encode(pair));
        let simulator = Simulator::start(account);
        let client = Client::new(&simulator.url()).with("authorization", basic);
        Self { simulator, client }
    }

    async fn get(&self, path: &str) -> Answer {
        self.client
            .get(&format!("/3.0{path}"))
            .await
            .expect("an answer")
    }

    async fn rows(&self, path: &str, items: &str) -> Vec<Value> {
        let answer = self.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()[items]
            .as_array()
            .unwrap_or_else(|| panic!("no {items}"))
            .clone()
    }

    fn now(&self) -> i64 {
        self.simulator.clock().now()
    }
}

/// Two lists with members; the id of the first list.
fn audience(account: &mut Mailchimp, members: usize, now: i64) -> String {
    account.fill("lists", 2, now - 9000, now - 8000);
    let list = account.ids("lists")[0].clone();
    for index in 0..members {
        let at = now - 1000 + i64::try_from(index).unwrap();
        account.create_in("list_members", &list, at);
    }
    list
}

#[tokio::test]
async fn every_list_holds_what_the_truth_says() {
    let world = World::new(|account, now| {
        account.populate(3, now);
        account.live(100, now - 900, now - 100);
    });
    for kind in kind::KINDS
        .iter()
        .filter(|kind| kind.stream != "email_activity" && kind.paging != kind::Paging::One)
    {
        let (truth, owners) = world.simulator.with(|account, _| {
            let owners = kind.owners.last().map(|(owners, _)| account.ids(owners));
            (
                account.truth(kind.stream),
                owners.unwrap_or_else(|| vec![String::new()]),
            )
        });
        let mut found = Vec::new();
        for owner in &owners {
            let mut path = kind.path.to_owned();
            for id in owner.split('/').filter(|id| !id.is_empty()) {
                path = path.replacen("{}", id, 1);
            }
            let all = "include_cleaned=true&include_unsubscribed=true&include_transactional=true";
            let url = format!(
                "{path}?count=1000&{all}&exclude_fields=_links,{}._links",
                kind.items
            );
            found.extend(world.rows(&url, kind.items).await);
        }
        let found: Vec<_> = found
            .iter()
            .map(|row| truth::as_row(row.as_object().unwrap()))
            .collect();
        assert_eq!(
            truth.differences(&found),
            Vec::<String>::new(),
            "{}",
            kind.stream
        );
        assert!(found.len() >= 2, "{} has {} rows", kind.stream, found.len());
    }
}

#[tokio::test]
async fn what_a_campaign_says_is_no_list() {
    let world = World::new(|account, now| account.populate(2, now));
    let campaign = world
        .simulator
        .with(|account, _| account.ids("reports")[0].clone());
    let content = world.get(&format!("/campaigns/{campaign}/content")).await;
    let content = content.json();
    assert!(content["html"].is_string() && content.get("campaign_id").is_none());
    let links = world.get(&format!("/reports/{campaign}/eepurl")).await;
    assert_eq!(links.json()["campaign_id"], campaign.as_str());
    assert_eq!(world.get("/campaigns/x/content").await.status, 404);
}

#[tokio::test]
async fn since_excludes_and_before_includes() {
    let world = World::new(|account, now| drop(audience(account, 5, now)));
    let list = world
        .simulator
        .with(|account, _| account.ids("lists")[0].clone());
    let at = rfc3339(world.simulator.with(|account, _| {
        let members = account.ids("list_members");
        account
            .shelves
            .get("list_members", &members[2])
            .unwrap()
            .made
    }));
    let count = async |window: &str| {
        world
            .rows(&format!("/lists/{list}/members?{window}={at}"), "members")
            .await
            .len()
    };
    assert_eq!(count("since_last_changed").await, 2);
    assert_eq!(count("before_last_changed").await, 3);
}

#[tokio::test]
async fn archived_members_are_shown_to_those_who_ask() {
    let world = World::new(|account, now| {
        audience(account, 3, now);
        let member = account.ids("list_members")[0].clone();
        account.set_status(&member, "archived", now);
    });
    let list = world
        .simulator
        .with(|account, _| account.ids("lists")[0].clone());
    let members = format!("/lists/{list}/members");
    assert_eq!(world.rows(&members, "members").await.len(), 2);
    let archived = world
        .rows(&format!("{members}?status=archived"), "members")
        .await;
    assert_eq!(archived.len(), 1);
    let changed = archived[0]["last_changed"].as_str().unwrap();
    assert!(crate::api::clock::parse(changed).unwrap() >= world.now() - 60);
}

#[tokio::test]
async fn offsets_lose_rows_when_the_set_moves() {
    let world = World::new(|account, now| drop(audience(account, 6, now)));
    let list = world
        .simulator
        .with(|account, _| account.ids("lists")[0].clone());
    let page = format!("/lists/{list}/members?sort_field=last_changed&sort_dir=ASC&count=3");
    let first = world.rows(&page, "members").await;
    world.simulator.with(|account, now| {
        let member = account.ids("list_members")[0].clone();
        account.update("list_members", &member, now, json!({"vip": true}));
    });
    let second = world.rows(&format!("{page}&offset=3"), "members").await;
    let mut seen: Vec<_> = first
        .iter()
        .chain(&second)
        .map(|row| row["id"].as_str())
        .collect();
    seen.sort_unstable();
    seen.dedup();
    assert_eq!(seen.len(), 5, "one slipped between the pages");
}

#[tokio::test]
async fn a_count_may_be_wrong_and_members_left_out() {
    let world = World::new(|account, now| {
        audience(account, 1, now);
        account.fill("segments", 1, now - 900, now);
        account.fill("segment_members", 30, now - 900, now);
    });
    let segment = world
        .simulator
        .with(|account, _| account.ids("segments")[0].clone());
    let (list, segment) = segment.split_once('/').unwrap();
    let path = format!("/lists/{list}/segments/{segment}/members?count=1000");
    let few = world.rows(&path, "members").await.len();
    let all = world
        .get(&format!(
            "{path}&include_cleaned=true&include_unsubscribed=true"
        ))
        .await
        .json();
    let rows = all["members"].as_array().unwrap().len();
    assert!(few < rows && rows == 30, "{few} of {rows}");
    assert_eq!(all["total_items"], json!(few));
}

#[tokio::test]
async fn activity_is_narrowed_and_its_rows_stay() {
    let world = World::new(|account, now| {
        audience(account, 1, now);
        let campaign = account.send_campaign(4, now - 900);
        account.react(&campaign, "open", now - 800);
        account.react(&campaign, "click", now - 300);
        account.react(&campaign, "click", now - 300);
    });
    let campaign = world
        .simulator
        .with(|account, _| account.ids("reports")[0].clone());
    let path = format!(
        "/reports/{campaign}/email-activity?since={}",
        rfc3339(world.now() - 800)
    );
    let mails = world.rows(&path, "emails").await;
    let done = mails
        .iter()
        .map(|mail| mail["activity"].as_array().unwrap().len());
    assert_eq!((mails.len(), done.sum::<usize>()), (4, 2));
    let report = &world
        .rows(
            "/reports?fields=reports.opens.last_open,reports.id",
            "reports",
        )
        .await[0];
    assert!(report["opens"]["last_open"].is_string() && report.get("clicks").is_none());
    let truth = world
        .simulator
        .with(|account, _| account.truth("email_activity"));
    assert_eq!(truth.len(), 3, "two clicks of one second on two links");
}

#[tokio::test]
async fn keys_and_tokens_are_told_apart() {
    let world = World::new(|account, now| drop(audience(account, 1, now)));
    let url = world.simulator.url();
    let nobody = Client::new(&url).get("/3.0/lists").await.unwrap();
    assert_eq!(
        (nobody.status, &nobody.json()["title"]),
        (401, &json!("API Key Invalid"))
    );
    assert!(
        nobody
            .header("content-type")
            .unwrap()
            .starts_with("application/problem+json")
    );
    let token = world.simulator.with(|account, _| account.token());
    let with = |scheme: &str, token: &str| {
        Client::new(&url).with("authorization", format!("{scheme} {token}"))
    };
    let lists = with("Bearer", &token).get("/3.0/lists").await.unwrap();
    assert_eq!(lists.status, 200);
    let known = with("OAuth", &token).get("/oauth2/metadata").await.unwrap();
    assert_eq!(known.json()["dc"], "us21");
    let unknown = with("OAuth", "x").get("/oauth2/metadata").await.unwrap();
    assert_eq!(
        (unknown.status, &unknown.json()["error"]),
        (200, &json!("invalid_token"))
    );
}

#[tokio::test]
async fn what_is_gone_or_lacking_is_refused() {
    let world = World::new(|account, now| {
        account.automations = false;
        account.slow_above = Some(500);
        audience(account, 1, now);
        let campaign = account.send_campaign(2, now - 900);
        account.remove("campaigns", &campaign);
    });
    assert_eq!(world.rows("/reports", "reports").await.len(), 0);
    assert_eq!(world.get("/reports/x/email-activity").await.status, 404);
    assert_eq!(world.get("/automations").await.status, 403);
    assert_eq!(world.get("/lists?count=501").await.status, 504);
    assert_eq!(
        world.get("/lists?fields=a&exclude_fields=b").await.status,
        400
    );
    assert_eq!(
        world.get("/ping").await.json()["health_status"],
        "Everything's Chimpy!"
    );
}

#[tokio::test]
async fn eleven_connections_are_one_too_many() {
    use crate::api::faults::{Fault, When};
    let world = World::new(|_, _| {});
    world.simulator.limits().set(Mailchimp::limits());
    let pause = std::time::Duration::from_millis(200);
    world
        .simulator
        .faults()
        .add(When::always(), Fault::Slow(pause));
    let asked = (0..11).map(|_| world.get("/lists"));
    let answers = futures::future::join_all(asked).await;
    let refused: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status == 429)
        .collect();
    assert_eq!(refused.len(), 1);
    assert!(refused[0].text().contains("10 simultaneous connections"));
    assert_eq!(refused[0].header("retry-after"), None);
}
