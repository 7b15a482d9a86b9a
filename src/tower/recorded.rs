//! How much of a response is recorded: its head, or its body too.
#![allow(unnameable_types)]

use super::body::TimedBody;
use super::path::MetricPath;
use super::record::Record;
use http::Response;

/// What [`StatsdLayer`](super::StatsdLayer) records at first: the time until the head of the response.
#[derive(Clone, Copy, Debug)]
pub enum Head {}

/// What it records after [`body_time`](super::StatsdLayer::body_time).
#[derive(Clone, Copy, Debug)]
pub enum HeadAndBody {}

/// What is recorded of a response with this body: [`Head`] or [`HeadAndBody`]. Sealed.
pub trait Recorded<B>: sealed::Answer<B, Self::Body> {
    /// The body that the response has then.
    type Body;
}

pub(super) mod sealed {
    use super::{MetricPath, Record, Response};

    /// Ends the record of the head.
    pub trait Answer<B, T> {
        fn answer<N: MetricPath>(response: Response<B>, record: Option<Record<N>>) -> Response<T>;
    }
}

impl<B> Recorded<B> for Head {
    type Body = B;
}

impl<B> sealed::Answer<B, B> for Head {
    fn answer<N: MetricPath>(response: Response<B>, record: Option<Record<N>>) -> Response<B> {
        if let Some(record) = record {
            record.finish(response.status());
        }
        response
    }
}

impl<B> Recorded<B> for HeadAndBody {
    type Body = TimedBody<B>;
}

impl<B> sealed::Answer<B, TimedBody<B>> for HeadAndBody {
    fn answer<N: MetricPath>(
        response: Response<B>,
        record: Option<Record<N>>,
    ) -> Response<TimedBody<B>> {
        let record = record.map(|record| record.finish_head(response.status()));
        response.map(|body| TimedBody::new(body, record))
    }
}
