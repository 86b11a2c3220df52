//! The SDK's client: credentials from the configuration or AWS's standard chain, retries within
//! our budget. A client can be made anew, because the chain remembers what it found: keys that
//! someone renewed in a file or in the environment of a role are seen by the next client only.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, ConfigLoader, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_sdk_s3::Client;
use aws_sdk_s3::config::{
    BehaviorVersion, Builder, RequestChecksumCalculation, ResponseChecksumValidation,
    SharedHttpClient,
};
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;

use super::clock::Clock;
use super::settings::{Addressing, Keys, Role, Settings};

const CONNECT: Duration = Duration::from_secs(10);
/// What other stores take for a region, where nobody named one.
const ANY_REGION: &str = "us-east-1";

/// A client for the bucket.
pub(super) async fn make(settings: &Settings, clock: &Clock) -> Client {
    let (shared, time) = (shared(settings).await, clock.time());
    let mut builder = Builder::from(&shared)
        .time_source(time)
        .retry_partition(time.limits())
        .force_path_style(settings.addressing == Addressing::Path)
        .retry_config(retries(settings));
    if let Some(endpoint) = &settings.endpoint {
        // Other stores may not know the checksums that AWS has had since 2025.
        builder = builder
            .endpoint_url(endpoint)
            .request_checksum_calculation(RequestChecksumCalculation::WhenRequired)
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired);
    }
    Client::from_conf(builder.build())
}

/// The credentials and region that all of AWS's services are called with.
pub async fn shared(settings: &Settings) -> SdkConfig {
    let own = settings.keys.as_ref().map(of_configuration);
    let mut loader = loader(settings);
    if let Some(credentials) = own.clone() {
        loader = loader.credentials_provider(credentials);
    }
    let config = loader.load().await;
    let Some(role) = &settings.role else {
        return config;
    };
    let provider = assumed(role, &config).await;
    let provider = SharedCredentialsProvider::new(provider);
    config.into_builder().credentials_provider(provider).build()
}

fn loader(settings: &Settings) -> ConfigLoader {
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http(settings))
        .retry_config(retries(settings))
        .timeout_config(timeouts(settings));
    if let Ok(name) = AppName::new("tributary") {
        loader = loader.app_name(name);
    }
    match (&settings.region, &settings.endpoint) {
        (Some(region), _) => loader.region(Region::new(region.clone())),
        (None, Some(_)) => {
            let chain = aws_config::meta::region::RegionProviderChain::default_provider();
            loader.region(chain.or_else(Region::new(ANY_REGION)))
        }
        (None, None) => loader,
    }
}

/// The encryption of *ring*, as for everything else here: two providers in one program are one
/// too many for `rustls`.
fn http(settings: &Settings) -> SharedHttpClient {
    let builder = aws_smithy_http_client::Builder::new();
    // Nobody else is talked to, and certificates take long to load.
    if !settings.is_private() && settings.keys.is_some() && settings.role.is_none() {
        return builder.build_http();
    }
    builder
        .tls_provider(Provider::Rustls(CryptoMode::Ring))
        .build_https()
}

fn of_configuration(keys: &Keys) -> Credentials {
    Credentials::new(
        keys.id.clone(),
        keys.secret.expose(),
        keys.token.as_ref().map(|token| token.expose().to_owned()),
        None,
        "configuration",
    )
}

async fn assumed(role: &Role, config: &SdkConfig) -> AssumeRoleProvider {
    let mut builder = AssumeRoleProvider::builder(&role.arn)
        .session_name("tributary")
        .configure(config);
    if let Some(external_id) = &role.external_id {
        builder = builder.external_id(external_id);
    }
    builder.build().await
}

fn retries(settings: &Settings) -> RetryConfig {
    RetryConfig::adaptive()
        .with_max_attempts(settings.budget.attempts)
        .with_initial_backoff(settings.budget.first_wait)
        .with_max_backoff(settings.budget.longest_wait)
}

fn timeouts(settings: &Settings) -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(CONNECT)
        .operation_attempt_timeout(settings.budget.attempt)
        .operation_timeout(settings.budget.total)
        .build()
}
