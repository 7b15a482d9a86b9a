//! Routes as metric paths.

use crate::tower::{MetricPath, NameRequest, PathText, sealed};
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
/// | none: the fallback, or a service outside of the router | `unmatched` |
///
/// A router that is nested counts with the path where it is.
#[derive(Clone, Copy, Debug, Default)]
pub struct RouteName;

impl<B> NameRequest<B> for RouteName {
    fn name(&self, request: &Request<B>) -> impl MetricPath {
        request
            .extensions()
            .get::<MatchedPath>()
            .map_or(Route::Unmatched, |matched| Route::Matched(matched.as_str()))
    }
}

enum Route<'a> {
    Matched(&'a str),
    Unmatched,
}

impl MetricPath for Route<'_> {}

impl sealed::Sealed for Route<'_> {
    fn write(&self, path: &mut PathText) -> fmt::Result {
        let Self::Matched(template) = self else {
            path.push_str("unmatched");
            return Ok(());
        };
        for segment in template.split('/').filter(|segment| !segment.is_empty()) {
            if !path.as_str().is_empty() {
                path.push_str(".");
            }
            // As long as nothing is to be changed, as it is.
            let mut rest = segment;
            while let Some(at) = rest.find(['{', '}', '*', '.']) {
                path.push_str(&rest[..at]);
                if rest[at..].starts_with('.') {
                    path.push_str("_");
                }
                rest = &rest[at + 1..];
            }
            path.push_str(rest);
        }
        if path.as_str().is_empty() {
            path.push_str("root");
        }
        Ok(())
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
            assert_eq!(PathText::new(&Route::Matched(template)).as_str(), name, "{template}");
        }
        assert_eq!(PathText::new(&Route::Unmatched).as_str(), "unmatched");
    }
}
