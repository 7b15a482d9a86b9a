//! Names in axum: from routes, and never from what clients send.

use crate::{arrived, connected};
use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use axum::routing::{get, post};
use freewheel::axum::instrument;
use tower::ServiceExt;

async fn status(router: &Router, method: &str, path: &str) -> StatusCode {
    let request = Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    router.clone().oneshot(request).await.unwrap().status()
}

#[tokio::test]
async fn requests_are_named_by_the_route_they_matched() {
    let (receiver, statsd) = connected().await;
    let nested = Router::new().route("/orders/{order}", get(async || "order"));
    let router = Router::new()
        .route("/", get(async || StatusCode::NO_CONTENT))
        .route("/users/{id}", get(async || "user").post(async || StatusCode::CREATED))
        .route("/v1.2/{*rest}", post(async || "rest"))
        .nest("/shop", nested);
    let router = instrument(router, &statsd);
    for (method, path, expected) in [
        ("GET", "/", 204),
        ("GET", "/users/17", 200),
        ("GET", "/users/18?x=y", 200),
        ("POST", "/users/%7Cc:1", 201),
        ("DELETE", "/users/17", 405),
        ("POST", "/v1.2/a/b/c", 200),
        ("GET", "/shop/orders/3", 200),
        ("GET", "/shop/nothing/here", 404),
        ("GET", "/nothing/here", 404),
        ("GET", "/favicon.ico", 404),
    ] {
        assert_eq!(status(&router, method, path).await, expected, "{method} {path}");
    }
    let expected = [
        "timers.root.GET.204:_|ms",
        "timers.shop.orders.order.GET.200:_|ms",
        "timers.unmatched.GET.404:_|ms",
        "timers.unmatched.GET.404:_|ms",
        "timers.unmatched.GET.404:_|ms",
        "timers.users.id.DELETE.405:_|ms",
        "timers.users.id.GET.200:_|ms",
        "timers.users.id.GET.200:_|ms",
        "timers.users.id.POST.201:_|ms",
        "timers.v1_2.rest.POST.200:_|ms",
    ];
    assert_eq!(arrived(&receiver, &statsd).await, expected);
}
