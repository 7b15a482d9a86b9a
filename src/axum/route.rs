//! Conversion of axum routes, such as `/users/{id}`, to metric paths, such as `users.id`.
#![allow(unnameable_types)]

use crate::tower::{MetricPath, Name, NameRequest, PathText, sealed};
use axum::extract::MatchedPath;
use http::Request;
use std::fmt;

/// Naming rule for the metrics of requests: the name is the route that the request matched, never
/// the path that the client sent.
///
/// Each segment of the route becomes a part of the name. The braces and the `*` of a parameter are
/// omitted, and dots become `_`:
///
/// | route | name |
/// |---|---|
/// | `/` | `root` |
/// | `/users` | `users` |
/// | `/users/{id}` | `users.id` |
/// | `/files/{*path}` | `files.path` |
/// | `/v1.2/users/` | `v1_2.users` |
/// | none: the fallback, a `nest_service`, a service outside of the router | `unmatched` |
///
/// The routes of a nested router begin with the path at which it is nested. The outer router does not
/// know the routes of a router that is nested as a service: [instrument](super::instrument) the inner
/// router there, and not the outer one as well.
#[derive(Clone, Copy, Debug, Default)]
pub struct RouteName;

impl<B> NameRequest<B> for RouteName {}

impl<B> Name<B> for RouteName {
    type RequestName = Route;
    fn name(&self, request: &Request<B>) -> Route {
        Route(request.extensions().get::<MatchedPath>().cloned())
    }
}

/// Route that a request matched, or `None` if it matched none. It is written as a metric path.
pub struct Route(Option<MatchedPath>);

impl MetricPath for Route {}

impl sealed::Sealed for Route {
    fn write(&self, path: &mut PathText) -> fmt::Result {
        match &self.0 {
            Some(template) => write(template.as_str(), path),
            None => path.push_str("unmatched"),
        }
        Ok(())
    }
}

/// Writes the metric path of a route, such as `users.id` for `/users/{id}`.
fn write(template: &str, path: &mut PathText) {
    let mut rest = template;
    // True if a segment has ended, so that a dot must precede the next one.
    let mut needs_dot = false;
    loop {
        // Special bytes are ASCII, and so always at a character boundary.
        let is_special = |byte: &u8| matches!(byte, b'/' | b'{' | b'}' | b'*' | b'.');
        let plain = rest.bytes().position(|byte| is_special(&byte)).unwrap_or(rest.len());
        let special = rest.as_bytes().get(plain);
        if plain > 0 || special == Some(&b'.') {
            if needs_dot && !path.as_str().is_empty() {
                path.push_str(".");
            }
            needs_dot = false;
            path.push_str(&rest[..plain]);
        }
        match special {
            Some(b'/') => needs_dot = true,
            Some(b'.') => path.push_str("_"),
            Some(_) => {}
            None => break,
        }
        rest = &rest[plain + 1..];
    }
    if path.as_str().is_empty() {
        path.push_str("root");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_route_becomes_a_path() {
        for (template, name) in [
            ("/", "root"),
            ("/users", "users"),
            ("/users/", "users"),
            ("/users/{id}", "users.id"),
            ("/users/{id}/orders/{order}", "users.id.orders.order"),
            ("/files/{*path}", "files.path"),
            ("/v1.2/users/{id}.json", "v1_2.users.id_json"),
            ("/{*all}", "all"),
            ("/größe/{n}", "größe.n"),
            ("//", "root"),
        ] {
            let mut path = PathText::new("");
            write(template, &mut path);
            assert_eq!(path.as_str(), name, "{template}");
        }
        assert_eq!(PathText::new(&Route(None)).as_str(), "unmatched");
    }
}
