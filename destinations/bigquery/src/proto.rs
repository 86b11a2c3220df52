//! The messages of the Storage Write API, `google.cloud.bigquery.storage.v1`, as far as they are used.
//!
//! Fields that are not here are left alone by the codec, in both directions.

use prost::Message;

#[derive(Clone, PartialEq, Message)]
pub(crate) struct WriteStream {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
    /// 2 is PENDING: nothing is seen before it is committed.
    #[prost(int32, tag = "2")]
    pub(crate) kind: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct CreateWriteStreamRequest {
    #[prost(string, tag = "1")]
    pub(crate) parent: String,
    #[prost(message, optional, tag = "2")]
    pub(crate) write_stream: Option<WriteStream>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct AppendRowsRequest {
    #[prost(string, tag = "1")]
    pub(crate) write_stream: String,
    #[prost(message, optional, tag = "2")]
    pub(crate) offset: Option<Int64Value>,
    #[prost(message, optional, tag = "5")]
    pub(crate) arrow_rows: Option<ArrowData>,
    #[prost(string, tag = "6")]
    pub(crate) trace_id: String,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Int64Value {
    #[prost(int64, tag = "1")]
    pub(crate) value: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ArrowData {
    #[prost(message, optional, tag = "1")]
    pub(crate) writer_schema: Option<ArrowSchema>,
    #[prost(message, optional, tag = "2")]
    pub(crate) rows: Option<ArrowRecordBatch>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ArrowSchema {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) serialized_schema: Vec<u8>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct ArrowRecordBatch {
    #[prost(bytes = "vec", tag = "1")]
    pub(crate) serialized_record_batch: Vec<u8>,
    #[prost(int64, tag = "2")]
    pub(crate) row_count: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct AppendRowsResponse {
    #[prost(message, optional, tag = "1")]
    pub(crate) append_result: Option<AppendResult>,
    #[prost(message, optional, tag = "2")]
    pub(crate) error: Option<Status>,
    #[prost(message, repeated, tag = "4")]
    pub(crate) row_errors: Vec<RowError>,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct AppendResult {
    #[prost(message, optional, tag = "1")]
    pub(crate) offset: Option<Int64Value>,
}

/// `google.rpc.Status`.
#[derive(Clone, PartialEq, Message)]
pub(crate) struct Status {
    #[prost(int32, tag = "1")]
    pub(crate) code: i32,
    #[prost(string, tag = "2")]
    pub(crate) message: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct RowError {
    #[prost(int64, tag = "1")]
    pub(crate) index: i64,
    #[prost(int32, tag = "2")]
    pub(crate) code: i32,
    #[prost(string, tag = "3")]
    pub(crate) message: String,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct FinalizeWriteStreamRequest {
    #[prost(string, tag = "1")]
    pub(crate) name: String,
}

#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct FinalizeWriteStreamResponse {
    #[prost(int64, tag = "1")]
    pub(crate) row_count: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct BatchCommitWriteStreamsRequest {
    #[prost(string, tag = "1")]
    pub(crate) parent: String,
    #[prost(string, repeated, tag = "2")]
    pub(crate) write_streams: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct BatchCommitWriteStreamsResponse {
    #[prost(message, optional, tag = "1")]
    pub(crate) commit_time: Option<Timestamp>,
    #[prost(message, repeated, tag = "2")]
    pub(crate) stream_errors: Vec<StorageError>,
}

/// `google.protobuf.Timestamp`.
#[derive(Clone, Copy, PartialEq, Message)]
pub(crate) struct Timestamp {
    #[prost(int64, tag = "1")]
    pub(crate) seconds: i64,
    #[prost(int32, tag = "2")]
    pub(crate) nanos: i32,
}

#[derive(Clone, PartialEq, Message)]
pub(crate) struct StorageError {
    #[prost(int32, tag = "1")]
    pub(crate) code: i32,
    #[prost(string, tag = "2")]
    pub(crate) entity: String,
    #[prost(string, tag = "3")]
    pub(crate) error_message: String,
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// The bytes that a request has on the wire, by the numbers of the published definition.
    #[test]
    fn a_request_has_the_fields_of_the_api() {
        let request = AppendRowsRequest {
            write_stream: "s".to_owned(),
            offset: Some(Int64Value { value: 0 }),
            arrow_rows: Some(ArrowData {
                writer_schema: Some(ArrowSchema {
                    serialized_schema: vec![7],
                }),
                rows: Some(ArrowRecordBatch {
                    serialized_record_batch: vec![8],
                    row_count: 1,
                }),
            }),
            trace_id: String::new(),
        };
        // An offset of 0 is there all the same: field 2, an empty message.
        let expected = [
            0x0a, 1, b's', 0x12, 0, 0x2a, 12, 0x0a, 3, 0x0a, 1, 7, 0x12, 5, 0x0a, 1, 8, 0x10, 1,
        ];
        assert_eq!(request.encode_to_vec(), expected);
        assert_eq!(
            AppendRowsRequest::decode(expected.as_slice()).unwrap(),
            request
        );
    }

    #[test]
    fn what_is_not_known_is_skipped() {
        // Field 9 is none of ours.
        let bytes = [0x12, 2, 0x08, 6, 0x4a, 1, 1];
        let response = AppendRowsResponse::decode(bytes.as_slice()).unwrap();
        assert_eq!(response.error.unwrap().code, 6);
    }
}
