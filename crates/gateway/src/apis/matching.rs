//! Which route of an API answers a request. The most specific wins, as on API Gateway: a literal
//! segment before a variable, a variable before a greedy one, a method before `ANY`, and
//! `$default` last.

use super::{Api, Route};

/// The route found, with the variables of its path.
pub(super) struct Match<'a> {
    pub(super) route: &'a Route,
    pub(super) variables: Vec<(&'a str, String)>,
}

/// Finds the route for a method and an escaped path.
pub(super) fn find<'a>(api: &'a Api, method: &str, path: &str) -> Option<Match<'a>> {
    let best = api
        .routes
        .iter()
        .filter(|route| route.method == method || route.method == "ANY")
        .filter_map(|route| {
            let (rank, variables) = weigh(&route.path, path)?;
            Some(((rank, route.method == method), Match { route, variables }))
        })
        .max_by(|(one, _), (two, _)| one.cmp(two))?;
    Some(best.1)
}

/// Weight of a pattern for a path, one number a segment, larger is more specific.
type Rank = Vec<u8>;

fn weigh<'a>(pattern: &'a str, path: &str) -> Option<(Rank, Vec<(&'a str, String)>)> {
    if pattern == "$default" {
        return Some((vec![0], Vec::new()));
    }
    let mut rank = Vec::new();
    let mut variables = Vec::new();
    let mut given = path.trim_start_matches('/').split('/');
    if path.starts_with("//") {
        return None;
    }
    for part in pattern.trim_start_matches('/').split('/') {
        let Some(name) = part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) else {
            if unescape(given.next()?) != part {
                return None;
            }
            rank.push(3);
            continue;
        };
        if let Some(name) = name.strip_suffix('+') {
            let rest: Vec<&str> = given.by_ref().collect();
            if rest.is_empty() || rest == [""] {
                return None;
            }
            rank.push(1);
            variables.push((name, unescape(&rest.join("/"))));
        } else {
            let value = given.next().filter(|value| !value.is_empty())?;
            rank.push(2);
            variables.push((name, unescape(value)));
        }
    }
    given.next().is_none().then_some((rank, variables))
}

pub(super) fn unescape(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::super::tests::api;
    use super::super::{Integration, Kind};
    use super::*;

    fn check(routes: &[&str], request: &str, expected: Option<(&str, &[(&str, &str)])>) {
        let routes = routes
            .iter()
            .map(|route| {
                let (method, path) = route.split_once(' ').unwrap();
                let integration = Integration::Mock { status: 200, headers: Vec::new() };
                Route { method: method.into(), path: path.into(), integration }
            })
            .collect();
        let api = Api { routes, ..api(Kind::Http) };
        let (method, path) = request.split_once(' ').unwrap();
        let found = find(&api, method, path)
            .map(|found| (format!("{} {}", found.route.method, found.route.path), found.variables));
        let expected = expected.map(|(route, variables)| {
            let variables = variables.iter().map(|(k, v)| (*k, (*v).to_owned())).collect();
            (route.to_owned(), variables)
        });
        assert_eq!(found, expected, "{request}");
    }

    #[test]
    fn the_most_specific_route_wins() {
        let routes =
            ["GET /orders/{id}", "GET /orders/open", "ANY /orders/{id}", "ANY /{all+}", "GET /"];
        check(&routes, "GET /orders/open", Some(("GET /orders/open", &[])));
        check(&routes, "GET /orders/7", Some(("GET /orders/{id}", &[("id", "7")])));
        check(&routes, "PUT /orders/7", Some(("ANY /orders/{id}", &[("id", "7")])));
        check(&routes, "GET /orders/7/x", Some(("ANY /{all+}", &[("all", "orders/7/x")])));
        check(&routes, "GET /", Some(("GET /", &[])));
        check(&routes, "PUT /", None);
        check(&routes, "GET /orders/a%20b", Some(("GET /orders/{id}", &[("id", "a b")])));
        check(&["ANY $default"], "PUT /x/y", Some(("ANY $default", &[])));
        check(&["GET /x"], "GET /y", None);
        check(&["GET /x"], "GET //x", None);
    }
}
