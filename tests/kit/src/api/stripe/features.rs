//! Products that an account may not have, and the words with which the API says so.

/// A product of Stripe's, or a mode, that some streams need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Feature {
    /// Connected accounts.
    Connect,
    /// Cards of one's own.
    Issuing,
    /// Checked identities.
    Identity,
    /// Financial accounts.
    Treasury,
    /// Queries over one's own data.
    Sigma,
    /// Requests passed on to others.
    Forwarding,
    /// The mode without money.
    TestMode,
    /// Bank accounts of customers.
    FinancialConnections,
    /// Subscriptions billed by records of usage.
    LegacyMetering,
}

impl Feature {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Connect,
        Self::Issuing,
        Self::Identity,
        Self::Treasury,
        Self::Sigma,
        Self::Forwarding,
        Self::TestMode,
        Self::FinancialConnections,
        Self::LegacyMetering,
    ];

    /// What an account without it is told: status and message.
    pub(super) fn refusal(self, path: &str) -> (u16, String) {
        let dashboard = "https://dashboard.stripe.com";
        match self {
            Self::Connect => (
                403,
                "Only Stripe Connect platforms can work with other accounts. You do not have \
                 Platform Controls for this account."
                    .to_owned(),
            ),
            Self::Issuing => (
                400,
                format!(
                    "Your account is not set up to use Issuing. Please visit \
                     {dashboard}/issuing/overview to get started."
                ),
            ),
            Self::Identity => (
                400,
                format!(
                    "Your account is not set up to use Identity. Please have an account admin \
                     visit {dashboard}/identity/application to get started."
                ),
            ),
            Self::Treasury => (
                404,
                format!(
                    "Unrecognized request URL (GET: /v1{path}). Have you onboarded to Treasury? \
                     Please see https://stripe.com/docs or we can help at \
                     https://support.stripe.com/."
                ),
            ),
            Self::Sigma => (
                403,
                "Your account does not have access to Sigma. This API surface is not enabled."
                    .to_owned(),
            ),
            Self::Forwarding => (
                403,
                "You are not authorized to send Forwarding requests in livemode.".to_owned(),
            ),
            Self::TestMode => (
                400,
                "Test clocks are only available in testmode.".to_owned(),
            ),
            Self::FinancialConnections => (
                400,
                "This API surface is not enabled for your account: Financial Connections."
                    .to_owned(),
            ),
            Self::LegacyMetering => (
                400,
                "The price of this subscription item is not on the legacy metered billing. Use \
                 billing meters instead."
                    .to_owned(),
            ),
        }
    }
}
