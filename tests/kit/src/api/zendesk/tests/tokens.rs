//! Who may ask.

use super::*;
use crate::api::faults::{Fault, When};

struct Rotation<'a> {
    world: &'a World,
    client: Client,
}

impl<'a> Rotation<'a> {
    fn of(world: &'a World) -> Self {
        let client = Client::new(&world.simulator.url());
        Self { world, client }
    }

    async fn refresh(&self, token: &str) -> Answer {
        let (id, secret, _) = self.world.simulator.with(|desk, _| desk.oauth());
        let body = serde_json::json!({"grant_type": "refresh_token", "refresh_token": token,
            "client_id": id, "client_secret": secret, "scope": "read", "expires_in": 300});
        self.client
            .post("/oauth/tokens", body.to_string())
            .await
            .expect("an answer")
    }

    async fn status(&self, access: &str) -> u16 {
        let client = self
            .client
            .clone()
            .with("authorization", format!("Bearer {access}"));
        client
            .get("/api/v2/groups")
            .await
            .expect("an answer")
            .status
    }
}

#[tokio::test]
async fn a_refresh_token_works_once() {
    let world = World::new(|_, _| {});
    let rotation = Rotation::of(&world);
    let (_, _, first) = world.simulator.with(|desk, _| desk.oauth());
    let tokens = rotation.refresh(&first).await.json();
    let (access, second) = (
        tokens["access_token"].as_str(),
        tokens["refresh_token"].as_str(),
    );
    let (access, second) = (access.unwrap(), second.unwrap());
    assert_eq!(rotation.status(access).await, 200);
    let again = rotation.refresh(&first).await;
    assert!(again.status == 400 && again.json()["error"] == "invalid_grant");
    let newer = rotation.refresh(second).await.json();
    assert_eq!(
        rotation.status(access).await,
        401,
        "the old access token went with it"
    );
    assert_eq!(
        rotation
            .status(newer["access_token"].as_str().unwrap())
            .await,
        200
    );
    world.simulator.clock().advance(300);
    assert_eq!(
        rotation
            .status(newer["access_token"].as_str().unwrap())
            .await,
        401
    );
}

#[tokio::test]
async fn a_refresh_whose_answer_is_lost_has_happened() {
    let world = World::new(|_, _| {});
    let rotation = Rotation::of(&world);
    let (_, _, first) = world.simulator.with(|desk, _| desk.oauth());
    world.simulator.faults().add(When::nth(1), Fault::Cut(0));
    let (id, secret, _) = world.simulator.with(|desk, _| desk.oauth());
    let body = format!(
        "grant_type=refresh_token&refresh_token={first}&client_id={id}&client_secret={secret}"
    );
    assert!(rotation.client.post("/oauth/tokens", body).await.is_err());
    assert_eq!(rotation.refresh(&first).await.status, 400);
}

#[tokio::test]
async fn wrong_credentials_are_refused_in_words() {
    let world = World::new(|_, _| {});
    let nobody = Client::new(&world.simulator.url());
    let answer = nobody.get("/api/v2/groups").await.unwrap();
    assert_eq!(
        (answer.status, answer.text()),
        (401, r#"{"error":"Couldn't authenticate you"}"#)
    );
    let me = nobody.get("/api/v2/users/me").await.unwrap();
    assert!(me.status == 200 && me.json()["user"]["id"].is_null());
    world.simulator.with(|desk, _| desk.token_access = false);
    assert_eq!(world.get("/groups").await.status, 401);
    let (id, _, _) = world.simulator.with(|desk, _| desk.oauth());
    let body = format!("grant_type=client_credentials&client_id={id}&client_secret=wrong");
    let answer = nobody.post("/oauth/tokens", body).await.unwrap();
    assert_eq!(
        (answer.status, &answer.json()["error"]),
        (401, &"invalid_client".into())
    );
}

#[tokio::test]
async fn a_token_may_lack_the_scope() {
    let world = World::new(|desk, _| desk.grant(Scope::TicketsWrite));
    let rotation = Rotation::of(&world);
    let (_, _, first) = world.simulator.with(|desk, _| desk.oauth());
    let tokens = rotation.refresh(&first).await.json();
    let bearer = format!("Bearer {}", tokens["access_token"].as_str().unwrap());
    let client = Client::new(&world.simulator.url()).with("authorization", bearer);
    let answer = client.get("/api/v2/groups").await.unwrap();
    assert!(answer.status == 403 && answer.text().contains("required scopes: read"));
}
