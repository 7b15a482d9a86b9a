//! The part of a response whose time is recorded: its head, or its head and its body.
#![allow(unnameable_types)]

use super::body::TimedBody;
use super::path::MetricPath;
use super::record::Record;
use http::Response;

/// Records the time until the head of the response: the default of [`StatsdLayer`](super::StatsdLayer).
#[derive(Clone, Copy, Debug)]
pub enum Head {}

/// Records the times of the head and of the body: see [`body_time`](super::StatsdLayer::body_time).
#[derive(Clone, Copy, Debug)]
pub enum HeadAndBody {}

/// Part of a response whose time is recorded: [`Head`] or [`HeadAndBody`]. This trait is sealed.
pub trait RecordedPart<B>: sealed::EndHead<B, Self::Body> {
    /// Body of the response that the layer returns.
    type Body;
}

pub(super) mod sealed {
    use super::{MetricPath, Record, Response};

    /// Ends the record of the head and wraps the body as the layer returns it.
    pub trait EndHead<B, T> {
        fn end_head<N: MetricPath>(response: Response<B>, record: Option<Record<N>>)
        -> Response<T>;
    }
}

impl<B> RecordedPart<B> for Head {
    type Body = B;
}

impl<B> sealed::EndHead<B, B> for Head {
    fn end_head<N: MetricPath>(response: Response<B>, record: Option<Record<N>>) -> Response<B> {
        if let Some(record) = record {
            record.finish(response.status());
        }
        response
    }
}

impl<B> RecordedPart<B> for HeadAndBody {
    type Body = TimedBody<B>;
}

impl<B> sealed::EndHead<B, TimedBody<B>> for HeadAndBody {
    fn end_head<N: MetricPath>(
        response: Response<B>,
        record: Option<Record<N>>,
    ) -> Response<TimedBody<B>> {
        let record = record.map(|record| record.finish_head(response.status()));
        response.map(|body| TimedBody::new(body, record))
    }
}
