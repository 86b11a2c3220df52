//! An export that is ordered, waited for, and then fetched like a page.

use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;
use tributary_model::{Error, ErrorKind};

use crate::http::{Call, Failure, Fetched};
use crate::manifest::job::Job;
use crate::manifest::request::RequestSpec;
use crate::manifest::stream::StreamSpec;
use crate::template::Scope;

use super::Reader;
use super::taken::Context;

/// What came of an order.
#[derive(Debug)]
pub(super) enum Ran {
    /// It is there; this is what the API said of it.
    Ready(Value),
    /// There is nothing to export.
    Nothing,
    /// The API wants a shorter window.
    TooLong(Error),
}

impl Reader<'_> {
    /// Orders the export and waits until it is there.
    pub(super) async fn run(
        &self,
        job: &Job,
        spec: &StreamSpec,
        context: Context<'_>,
    ) -> Result<Ran, Failure> {
        let begun = Instant::now();
        let give_up = Duration::from_millis(job.give_up.unsigned_abs());
        let mut said = match self.ask_of_job(&job.start, spec, context, None).await? {
            Ran::Ready(said) => said,
            other @ (Ran::Nothing | Ran::TooLong(_)) => return Ok(other),
        };
        loop {
            if job
                .failed
                .as_ref()
                .is_some_and(|failed| failed.holds(&said))
            {
                return Err(Failure::Stream(Error::new(
                    ErrorKind::Unavailable,
                    format!("the API could not make the export of `{}`", spec.name),
                )));
            }
            if job.done.holds(&said) {
                return Ok(Ran::Ready(said));
            }
            if begun.elapsed() >= give_up {
                return Err(Failure::Stream(
                    Error::new(
                        ErrorKind::Unavailable,
                        format!("the export of `{}` is still not there", spec.name),
                    )
                    .fix("Give it more time with `give_up`, or ask for shorter windows."),
                ));
            }
            if self.api.client.recorded().is_none() {
                tokio::time::sleep(Duration::from_millis(job.every.unsigned_abs())).await;
            }
            match self
                .ask_of_job(&job.poll, spec, context, Some(&said))
                .await?
            {
                Ran::Ready(answer) => said = over(said, answer),
                other @ (Ran::Nothing | Ran::TooLong(_)) => return Ok(other),
            }
        }
    }

    async fn ask_of_job(
        &self,
        request: &RequestSpec,
        spec: &StreamSpec,
        context: Context<'_>,
        said: Option<&Value>,
    ) -> Result<Ran, Failure> {
        let scope = Scope {
            job: said,
            ..self.scope(context)
        };
        let call = Call::new(&self.api.client.origin, request, &scope)?;
        match self.api.client.send(&call, &spec.errors).await? {
            Fetched::Page(response) => Ok(Ran::Ready(
                serde_json::from_slice(&response.body.to_bytes()?).unwrap_or_default(),
            )),
            Fetched::Empty | Fetched::End => Ok(Ran::Nothing),
            Fetched::Narrow(error) => Ok(Ran::TooLong(error)),
            Fetched::Shrink(error) => Err(Failure::Stream(error)),
        }
    }
}

/// What the API says last, over what it said before: polls often leave out what the order's answer
/// held.
fn over(before: Value, answer: Value) -> Value {
    match (before, answer) {
        (Value::Object(mut before), Value::Object(answer)) => {
            before.extend(answer.into_iter().filter(|(_, value)| !value.is_null()));
            Value::Object(before)
        }
        (before, Value::Null) => before,
        (_, answer) => answer,
    }
}
