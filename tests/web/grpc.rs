//! Tests of timed gRPC services with tonic. A tonic client calls a service over HTTP/2, without
//! generated code.

use crate::{start_connector, stop_and_receive, wait_until_emitted};
use bytes::{Buf, BufMut, Bytes};
use freewheel::axum::instrument;
use freewheel::tower::StatsdLayer;
use http::uri::PathAndQuery;
use http::{Request, Response};
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::net::TcpListener;
use tonic::body::Body;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::server::{NamedService, UnaryService};
use tonic::service::Routes;
use tonic::transport::{Channel, Endpoint, Server, server::TcpIncoming};
use tonic::{Code, Status};
use tower::Service;

/// Codec of gRPC messages that passes their bytes unchanged.
#[derive(Clone, Copy, Default)]
struct Raw;

impl Codec for Raw {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;
    fn encoder(&mut self) -> Self {
        Self
    }
    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;
    fn encode(&mut self, item: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;
    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(from.copy_to_bytes(from.remaining())))
    }
}

type Answer<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Service `test.Echo` for gRPC, as generated code would implement it. The method `Say` echoes its
/// message, and `Refuse` fails.
#[derive(Clone)]
struct Echo;

impl NamedService for Echo {
    const NAME: &'static str = "test.Echo";
}

impl Service<Request<Body>> for Echo {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Answer<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let refuse = request.uri().path() == "/test.Echo/Refuse";
        let mut grpc = tonic::server::Grpc::new(Raw);
        Box::pin(async move { Ok(grpc.unary(Say { refuse }, request).await) })
    }
}

/// Implementation of both methods of the gRPC service: echoes the message, or fails if `refuse` is
/// true.
struct Say {
    refuse: bool,
}

impl UnaryService<Bytes> for Say {
    type Response = Bytes;
    type Future = Answer<Result<tonic::Response<Bytes>, Status>>;
    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let answer = match self.refuse {
            true => Err(Status::permission_denied("intended by the test")),
            false => Ok(tonic::Response::new(request.into_inner())),
        };
        Box::pin(async { answer })
    }
}

async fn call(channel: &Channel, path: &'static str) -> Result<Bytes, Code> {
    let mut grpc = tonic::client::Grpc::new(channel.clone());
    grpc.ready().await.unwrap();
    let request = tonic::Request::new(Bytes::from_static(b"hello"));
    let answer = grpc.unary(request, PathAndQuery::from_static(path), Raw).await;
    answer.map(tonic::Response::into_inner).map_err(|status| status.code())
}

/// Calls both methods of [`Echo`], and a method of a service that does not exist. Asserts the
/// results.
async fn call_all(listener_address: std::net::SocketAddr) {
    let endpoint = Endpoint::from_shared(format!("http://{listener_address}")).unwrap();
    let channel = endpoint.connect().await.unwrap();
    assert_eq!(call(&channel, "/test.Echo/Say").await.unwrap(), "hello");
    assert_eq!(call(&channel, "/test.Echo/Refuse").await, Err(Code::PermissionDenied));
    assert_eq!(call(&channel, "/test.Other/Say").await, Err(Code::Unimplemented));
}

#[tokio::test]
async fn tonic_server_is_timed_by_method() {
    let (receiver, statsd) = start_connector().await;
    let name = |request: &Request<Body>| match request.uri().path() {
        "/test.Echo/Say" => "test.Echo.Say",
        "/test.Echo/Refuse" => "test.Echo.Refuse",
        _ => "unmatched",
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::builder()
        .layer(StatsdLayer::new(&statsd, name).body_time())
        .add_service(Echo)
        .serve_with_incoming(TcpIncoming::from(listener));
    let server = tokio::spawn(server);
    call_all(address).await;
    // A client can see the end of a body before the server drops the body.
    wait_until_emitted(&statsd, 6).await;
    server.abort();
    let lines = stop_and_receive(&receiver, &statsd).await;
    let expected = [
        "timers.test.Echo.Refuse.POST.200.body:_|ms",
        "timers.test.Echo.Refuse.POST.200:_|ms",
        "timers.test.Echo.Say.POST.200.body:_|ms",
        "timers.test.Echo.Say.POST.200:_|ms",
        "timers.unmatched.POST.200.body:_|ms",
        "timers.unmatched.POST.200:_|ms",
    ];
    assert_eq!(lines, expected);
}

#[tokio::test]
async fn tonic_routes_are_timed_by_service() {
    let (receiver, statsd) = start_connector().await;
    let router = instrument(Routes::new(Echo).into_axum_router(), &statsd);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::builder()
        .add_routes(Routes::from(router))
        .serve_with_incoming(TcpIncoming::from(listener));
    let server = tokio::spawn(server);
    call_all(address).await;
    server.abort();
    let lines = stop_and_receive(&receiver, &statsd).await;
    let expected = [
        "timers.test_Echo.rest.POST.200:_|ms",
        "timers.test_Echo.rest.POST.200:_|ms",
        "timers.unmatched.POST.200:_|ms",
    ];
    assert_eq!(lines, expected);
}
