//! Routes as metric paths.
#![allow(unnameable_types)]

use crate::tower::{MetricPath, Name, NameRequest, PathText, sealed};
use axum::extract::MatchedPath;
use http::Request;
use std::fmt;

/// Names requests by the route that they matched, as it was given to the router, and never by the path
/// that the client sent.
///
/// Each segment becomes a part of the path. Of a segment the braces and the `*` of a parameter are
/// left out, and dots become `_`:
///
/// | route | name |
/// |---|---|
/// | `/` | `root` |
/// | `/users` | `users` |
/// | `/users/{id}` | `users.id` |
/// | `/files/{*path}` | `files.path` |
/// | `/v1.2/users/` | `v1_2.users` |
/// | none: the fallback, a `nest_service`, or a service outside of the router | `unmatched` |
///
/// A router that is nested counts with the path where it is. One that is nested as a service has routes that
/// only it knows: [instrument](super::instrument) it, and not twice, the outer router.
#[derive(Clone, Copy, Debug, Default)]
pub struct RouteName;

impl<B> NameRequest<B> for RouteName {}

impl<B> Name<B> for RouteName {
    type RequestName = Route;
    fn name(&self, request: &Request<B>) -> Route {
        Route(request.extensions().get::<MatchedPath>().cloned())
    }
}

/// The route that a request matched, if any.
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

/// Writes the metric path of a route's template.
fn write(template: &str, path: &mut PathText) {
    let mut rest = template;
    // True if a segment has ended, and a dot must precede the next one.
    let mut is_apart = false;
    loop {
        // Special bytes are ASCII, and so always at a character boundary.
        let is_special = |byte: &u8| matches!(byte, b'/' | b'{' | b'}' | b'*' | b'.');
        let plain = rest.bytes().position(|byte| is_special(&byte)).unwrap_or(rest.len());
        let special = rest.as_bytes().get(plain);
        if plain > 0 || special == Some(&b'.') {
            if is_apart && !path.as_str().is_empty() {
                path.push_str(".");
            }
            is_apart = false;
            path.push_str(&rest[..plain]);
        }
        match special {
            Some(b'/') => is_apart = true,
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
