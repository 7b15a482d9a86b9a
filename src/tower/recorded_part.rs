//! Types that select the times that a layer records: only for the head of a response, or also for
//! its body.
#![allow(unnameable_types)]

use super::body::TimedBody;
use super::path::MetricPath;
use super::record::Record;
use http::Response;

/// Selects the time until the head of the response, and no other time: the default of
/// [`StatsdLayer`](super::StatsdLayer).
#[derive(Clone, Copy, Debug)]
pub enum Head {}

/// Selects the times of the head and of the body of a response: see
/// [`body_time`](super::StatsdLayer::body_time).
#[derive(Clone, Copy, Debug)]
pub enum HeadAndBody {}

/// Selection of the part of a response that a layer times: [`Head`] or [`HeadAndBody`]. This trait
/// is sealed.
pub trait RecordedPart<B>: sealed::EndHead<B, Self::Body> {
    /// Type of the response body that the timed service returns.
    type Body;
}

pub(super) mod sealed {
    use super::{MetricPath, Record, Response};

    /// Operation on a response with a complete head: ends the record of the head, and wraps the
    /// body if its time is recorded too.
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
