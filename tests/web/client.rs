//! HTTP clients for the tests.

use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::Bytes;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;
use std::net::SocketAddr;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

/// HTTP client that keeps its connections alive.
#[derive(Clone)]
pub(crate) struct KeepAliveClient {
    client: Client<HttpConnector, Empty<Bytes>>,
    server: SocketAddr,
}

impl KeepAliveClient {
    pub(crate) fn new(server: SocketAddr) -> Self {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Self { client, server }
    }

    /// Makes an HTTP request, reads the whole response, and returns the status.
    pub(crate) async fn request(
        &self,
        method: &str,
        path: &str,
    ) -> Result<StatusCode, Box<dyn std::error::Error + Send + Sync>> {
        let uri = format!("http://{}{path}", self.server);
        let request = Request::builder().method(method).uri(uri).body(Empty::new())?;
        let response = self.client.request(request).await?;
        let status = response.status();
        response.into_body().collect().await?;
        Ok(status)
    }
}

/// Sends an HTTP request on a new connection, without reading the response. Returns the connection,
/// so that the caller may close it early.
pub(crate) async fn send_request(server: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect(server).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}
