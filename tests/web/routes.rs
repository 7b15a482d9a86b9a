//! Tests that metric names in axum come from the routes, and never from request data.

use crate::{start_connector, stop_and_receive};
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
async fn requests_are_named_by_their_matched_route() {
    let (receiver, statsd) = start_connector().await;
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
    assert_eq!(stop_and_receive(&receiver, &statsd).await, expected);
}

#[tokio::test]
async fn requests_outside_the_routers_routes_are_unmatched() {
    let (receiver, statsd) = start_connector().await;
    let service = || Router::new().route("/raw/{id}", get(async || "service"));
    let nested = Router::new().fallback(async || StatusCode::GONE);
    let router = Router::new()
        .nest_service("/service", service())
        .nest("/nested", nested)
        .route_service("/one/{id}", get(async || "one"))
        .route("/{{braces}}/{id}", get(async || "braces"))
        .fallback(async |uri: axum::http::Uri| uri.path().to_owned());
    let router = instrument(router, &statsd);
    for (method, path, expected) in [
        ("GET", "/service/raw/1", 200),
        ("GET", "/service/none/1", 404),
        ("GET", "/nested/raw/2", 410),
        ("GET", "/raw/3", 200),
        ("HEAD", "/one/4", 200),
        ("OPTIONS", "/one/4", 405),
        ("BREW", "/raw/5", 200),
        ("OPTIONS", "*", 200),
        ("CONNECT", "raw:6", 200),
        ("GET", "http://raw/raw/7", 200),
        ("GET", "/%7Bbraces%7D/8", 200),
        ("GET", "/{braces}/8", 200),
        ("GET", "/one/%F0%9F%8C%80", 200),
        ("GET", "//", 200),
    ] {
        assert_eq!(status(&router, method, path).await, expected, "{method} {path}");
    }
    let expected = [
        "timers.braces.id.GET.200:_|ms",
        "timers.one.id.GET.200:_|ms",
        "timers.one.id.HEAD.200:_|ms",
        "timers.one.id.OPTIONS.405:_|ms",
        "timers.unmatched.CONNECT.200:_|ms",
        "timers.unmatched.GET.200:_|ms",
        "timers.unmatched.GET.200:_|ms",
        "timers.unmatched.GET.200:_|ms",
        "timers.unmatched.GET.200:_|ms",
        "timers.unmatched.GET.200:_|ms",
        "timers.unmatched.GET.404:_|ms",
        "timers.unmatched.GET.410:_|ms",
        "timers.unmatched.OPTIONS.200:_|ms",
        "timers.unmatched.OTHER.200:_|ms",
    ];
    assert_eq!(stop_and_receive(&receiver, &statsd).await, expected);
}
