//! The Storage Write API over gRPC: rows into a pending stream of a staging table.
//!
//! A stream is written in order, each request at its offset. So a request whose answer was lost is
//! sent again as it is: `ALREADY_EXISTS` says that its rows are there. `OUT_OF_RANGE` would mean that
//! some before it are not, which is a mistake of ours. Nothing of a stream is in the table before it
//! is finalized and committed, which happens once.

use std::time::Duration;

use tokio_stream::StreamExt;
use tonic::client::Grpc;
use tonic::codegen::http::uri::PathAndQuery;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Status};
use tonic_prost::ProstCodec;
use tributary_model::{Error, ErrorKind, Result, TableName};

use crate::auth::{Token, Tokens};
use crate::error::{of_status, unreachable};
use crate::ipc::Piece;
use crate::names::{dataset_id, table_id};
use crate::proto::{
    AppendRowsRequest, AppendRowsResponse, ArrowData, ArrowRecordBatch, ArrowSchema,
    BatchCommitWriteStreamsRequest, BatchCommitWriteStreamsResponse, CreateWriteStreamRequest,
    FinalizeWriteStreamRequest, FinalizeWriteStreamResponse, Int64Value, WriteStream,
};
use crate::settings::Settings;

const SERVICE: &str = "/google.cloud.bigquery.storage.v1.BigQueryWrite";
const PENDING: i32 = 2;
const CONNECTING: Duration = Duration::from_secs(30);
const ANSWERING: Duration = Duration::from_secs(300);
/// How often a connection that says nothing is asked whether it is there.
const ALIVE: Duration = Duration::from_secs(60);
/// How often something is asked, and the pause after the first time; it doubles. A table that was just
/// made may not be known to this API for some seconds. // G6
const TRIES: u32 = 8;
const PAUSE: Duration = Duration::from_millis(200);

/// Writes rows.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    channel: Channel,
    tokens: Tokens,
    project: String,
}

/// Where rows of a stream stand.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    pub(crate) name: String,
    /// Rows that are in it.
    pub(crate) rows: i64,
}

impl Writer {
    /// Makes a client; it connects when it is used.
    pub(crate) fn new(settings: &Settings, tokens: Tokens) -> Result<Self> {
        let odd = |cause: tonic::transport::Error| {
            Error::new(ErrorKind::Config, "`storage_endpoint` can't be used").because(cause)
        };
        let address = settings.storage.as_str().trim_end_matches('/').to_owned();
        let mut endpoint = Endpoint::from_shared(address)
            .map_err(odd)?
            .connect_timeout(CONNECTING)
            .timeout(ANSWERING)
            .tcp_keepalive(Some(ALIVE))
            .http2_keep_alive_interval(ALIVE)
            .keep_alive_timeout(CONNECTING);
        if settings.storage.scheme() == "https" {
            let tls = ClientTlsConfig::new().with_webpki_roots();
            endpoint = endpoint.tls_config(tls).map_err(odd)?;
        }
        Ok(Self {
            channel: endpoint.connect_lazy(),
            tokens,
            project: settings.project.clone(),
        })
    }

    /// The name of a table in this API.
    fn parent(&self, table: &TableName) -> String {
        let (dataset, table) = (dataset_id(&table.schema), table_id(&table.table));
        format!(
            "projects/{}/datasets/{dataset}/tables/{table}",
            self.project
        )
    }

    /// Begins a stream into a table.
    pub(crate) async fn create(&self, table: &TableName) -> Result<Stream> {
        let parent = self.parent(table);
        let request = CreateWriteStreamRequest {
            parent: parent.clone(),
            write_stream: Some(WriteStream {
                name: String::new(),
                kind: PENDING,
            }),
        };
        let made: WriteStream = self
            .again("CreateWriteStream", &parent, request, &[Code::NotFound])
            .await?;
        Ok(Stream {
            name: made.name,
            rows: 0,
        })
    }

    /// Appends pieces in their order.
    pub(crate) async fn append(&self, stream: &mut Stream, pieces: &[Piece]) -> Result<()> {
        let mut left = pieces;
        let (mut tried, mut pause) = (0, PAUSE);
        while !left.is_empty() {
            let before = left.len();
            match self.try_append(stream, &mut left).await {
                Ok(()) => continue,
                Err(error) if error.kind() != ErrorKind::Unavailable => return Err(error),
                Err(error) if left.len() == before && tried >= TRIES => return Err(error),
                Err(error) => tracing::debug!(%error, "appending again"),
            }
            tried = if left.len() == before { tried + 1 } else { 1 };
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(PAUSE * 16);
        }
        Ok(())
    }

    /// Sends what is left, and takes off what has arrived.
    async fn try_append(&self, stream: &mut Stream, left: &mut &[Piece]) -> Result<()> {
        let requests = requests(stream, left);
        let mut client = self.client().await?;
        let request = self
            .request(tokio_stream::iter(requests), &stream.name)
            .await?;
        let answered = client
            .streaming(
                request.0,
                path("AppendRows"),
                ProstCodec::<AppendRowsRequest, AppendRowsResponse>::default(),
            )
            .await;
        let mut answers = match answered {
            Ok(response) => response.into_inner(),
            Err(status) => return Err(self.refused(&status, request.1).await),
        };
        while let Some((first, rest)) = left.split_first() {
            // The endpoint's limit ends with the first bytes of an answer; a stream has none of its own.
            let answer = tokio::time::timeout(ANSWERING, answers.next())
                .await
                .map_err(|_| unreachable("BigQuery", "rows were sent and are not answered"))?;
            let answer = match answer {
                Some(Ok(answer)) => answer,
                Some(Err(status)) if status.code() == Code::AlreadyExists => {
                    AppendRowsResponse::default()
                }
                Some(Err(status)) => return Err(self.refused(&status, request.1).await),
                None => return Err(unreachable("BigQuery", "an answer is missing")),
            };
            accept(&answer, stream.rows)?;
            stream.rows += first.rows;
            *left = rest;
        }
        Ok(())
    }

    /// Ends a stream and puts its rows into the table, all or none.
    pub(crate) async fn commit(&self, table: &TableName, stream: &Stream) -> Result<()> {
        let finalize = FinalizeWriteStreamRequest {
            name: stream.name.clone(),
        };
        let ended: FinalizeWriteStreamResponse = self
            .again("FinalizeWriteStream", &stream.name, finalize, &[])
            .await?;
        if ended.row_count != stream.rows {
            return Err(Error::bug(format!(
                "{} rows were staged, and {} arrived",
                stream.rows, ended.row_count
            )));
        }
        let parent = self.parent(table);
        let commit = BatchCommitWriteStreamsRequest {
            parent: parent.clone(),
            write_streams: vec![stream.name.clone()],
        };
        let committed: BatchCommitWriteStreamsResponse = self
            .again("BatchCommitWriteStreams", &parent, commit, &[])
            .await?;
        match committed.stream_errors.first() {
            // The answer to an earlier try was lost.
            Some(error) if error.code == STREAM_ALREADY_COMMITTED => Ok(()),
            Some(error) => Err(Error::bug("staged rows could not be committed")
                .because(error.error_message.clone())),
            None => Ok(()),
        }
    }

    /// Asks for something that may be asked for twice.
    async fn again<A, B>(
        &self,
        method: &'static str,
        routed_by: &str,
        message: A,
        passing: &[Code],
    ) -> Result<B>
    where
        A: prost::Message + Clone + 'static,
        B: prost::Message + Default + 'static,
    {
        let (mut tried, mut pause) = (0, PAUSE);
        loop {
            tried += 1;
            let mut client = self.client().await?;
            let (request, token) = self.request(message.clone(), routed_by).await?;
            let codec = ProstCodec::<A, B>::default();
            let status = match client.unary(request, path(method), codec).await {
                Ok(response) => return Ok(response.into_inner()),
                Err(status) => status,
            };
            let error = self.refused(&status, token).await;
            let passes = passing.contains(&status.code())
                || matches!(
                    error.kind(),
                    ErrorKind::Unavailable | ErrorKind::Throttled(_)
                );
            if !passes || tried >= TRIES {
                return Err(error.context(format!("asking for {method}")));
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }

    async fn client(&self) -> Result<Grpc<Channel>> {
        let mut client = Grpc::new(self.channel.clone());
        client
            .ready()
            .await
            .map_err(|cause| unreachable("BigQuery's Storage Write API", &cause.to_string()))?;
        Ok(client)
    }

    /// A request with what proves who asks, and by what it finds its way.
    async fn request<M>(&self, message: M, routed_by: &str) -> Result<(Request<M>, Option<Token>)> {
        let mut request = Request::new(message);
        let token = self.tokens.get().await?;
        let metadata = request.metadata_mut();
        if let Some(token) = &token {
            let value = format!("Bearer {}", token.access.expose());
            let mut value: MetadataValue<Ascii> = value
                .parse()
                .map_err(|_| Error::bug("a token is not one line"))?;
            value.set_sensitive(true);
            metadata.insert("authorization", value);
        }
        let key = if routed_by.contains("/streams/") {
            "write_stream"
        } else {
            "parent"
        };
        let route = format!("{key}={}", crate::api::encoded(routed_by));
        if let Ok(route) = route.parse() {
            metadata.insert("x-goog-request-params", route);
        }
        Ok((request, token))
    }

    /// The error of a status; a token that was refused is forgotten, and the next try has a new one.
    async fn refused(&self, status: &Status, token: Option<Token>) -> Error {
        if let (Code::Unauthenticated, Some(token)) = (status.code(), token) {
            self.tokens.refused(&token).await;
            if !token.is_new() {
                return unreachable("BigQuery", "the token has expired");
            }
        }
        of_status(status)
    }
}

/// `StorageError.StorageErrorCode.STREAM_ALREADY_COMMITTED`.
const STREAM_ALREADY_COMMITTED: i32 = 2;
/// Codes of `google.rpc`.
const ALREADY_EXISTS: i32 = 6;
const OUT_OF_RANGE: i32 = 11;

/// The requests of one connection: the first says which stream, and how rows are written.
fn requests(stream: &Stream, pieces: &[Piece]) -> Vec<AppendRowsRequest> {
    let mut offset = stream.rows;
    let mut requests = Vec::with_capacity(pieces.len());
    for (number, piece) in pieces.iter().enumerate() {
        let is_first = number == 0;
        requests.push(AppendRowsRequest {
            write_stream: if is_first {
                stream.name.clone()
            } else {
                String::new()
            },
            offset: Some(Int64Value { value: offset }),
            arrow_rows: Some(ArrowData {
                writer_schema: is_first.then(|| ArrowSchema {
                    serialized_schema: piece.schema.to_vec(),
                }),
                rows: Some(ArrowRecordBatch {
                    serialized_record_batch: piece.batch.clone(),
                    row_count: piece.rows,
                }),
            }),
            trace_id: if is_first {
                "tributary".to_owned()
            } else {
                String::new()
            },
        });
        offset += piece.rows;
    }
    requests
}

/// Whether rows at `offset` are in the stream.
fn accept(answer: &AppendRowsResponse, offset: i64) -> Result<()> {
    if let Some(row) = answer.row_errors.first() {
        return Err(
            Error::new(ErrorKind::Rejected, "BigQuery does not take a staged row")
                .because(row.message.clone())
                .fix("Give the column the type `text` in the stream's options, and report this."),
        );
    }
    match &answer.error {
        None => Ok(()),
        Some(error) if error.code == ALREADY_EXISTS => Ok(()),
        Some(error) if error.code == OUT_OF_RANGE => {
            let what = format!("rows before the offset {offset} are missing in a stream");
            Err(Error::bug(what).because(error.message.clone()))
        }
        Some(error) => Err(of_status(&Status::new(
            Code::from_i32(error.code),
            error.message.clone(),
        ))),
    }
}

fn path(method: &'static str) -> PathAndQuery {
    let path = format!("{SERVICE}/{method}");
    PathAndQuery::try_from(path).unwrap_or_else(|_| PathAndQuery::from_static("/"))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn pieces() -> Vec<Piece> {
        let piece = |rows| Piece {
            schema: vec![1].into(),
            batch: vec![2],
            rows,
        };
        vec![piece(3), piece(4)]
    }

    #[test]
    fn a_connection_begins_with_its_stream_and_layout() {
        let stream = Stream {
            name: "s".to_owned(),
            rows: 10,
        };
        let requests = requests(&stream, &pieces());
        let offsets: Vec<_> = requests.iter().map(|r| r.offset.unwrap().value).collect();
        assert_eq!(offsets, [10, 13]);
        let schema =
            |request: &AppendRowsRequest| request.arrow_rows.clone().unwrap().writer_schema;
        assert!(schema(&requests[0]).is_some() && schema(&requests[1]).is_none());
        assert_eq!(requests[1].write_stream, "");
    }

    #[test]
    fn rows_that_are_there_are_done_and_a_gap_is_a_mistake() {
        let answer = |code| AppendRowsResponse {
            error: Some(crate::proto::Status {
                code,
                message: "m".to_owned(),
            }),
            ..AppendRowsResponse::default()
        };
        assert!(accept(&AppendRowsResponse::default(), 0).is_ok());
        assert!(accept(&answer(ALREADY_EXISTS), 0).is_ok());
        let kind = |code| accept(&answer(code), 0).unwrap_err().kind();
        assert_eq!(kind(OUT_OF_RANGE), ErrorKind::Bug);
        assert_eq!(kind(14), ErrorKind::Unavailable);
        assert_eq!(kind(7), ErrorKind::Access);
    }
}
