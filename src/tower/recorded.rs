//! Recorded part of a response: its head, or its head and its body.
#![allow(unnameable_types)]

use super::body::TimedBody;
use super::path::MetricPath;
use super::record::Record;
use http::Response;

/// The time until the head of the response, which [`StatsdLayer`](super::StatsdLayer) records by default.
#[derive(Clone, Copy, Debug)]
pub enum Head {}

/// The times of the head and of the body, recorded after [`body_time`](super::StatsdLayer::body_time).
#[derive(Clone, Copy, Debug)]
pub enum HeadAndBody {}

/// The recorded part of a response with this body: [`Head`] or [`HeadAndBody`]. This trait is sealed.
pub trait Recorded<B>: sealed::Answer<B, Self::Body> {
    /// The body of the response after the layer.
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
