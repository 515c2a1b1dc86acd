//! The list of live streams: filtered, sorted, in pages.

use super::object::{LiveStream, site};
use super::{Problem, Shared};
use crate::control::View;
use axum::Json;
use axum::body::Body;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, Response};
use axum::response::IntoResponse;
use serde::Serialize;
use url::form_urlencoded;

/// Live streams on a page, unless told otherwise, and at most.
const PAGE: usize = 25;
const MAX_PAGE: usize = 100;

/// What a caller wants to see.
#[derive(Debug, PartialEq, Eq)]
struct Query {
    stream_key: Option<String>,
    name: Option<String>,
    sort_by: SortBy,
    is_descending: bool,
    pages: Pages,
}

/// Which page of a list is wanted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pages {
    page: usize,
    size: usize,
    /// What is not about pages, for links to other pages.
    others: Vec<(String, String)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SortBy {
    Name,
    Created,
    Updated,
}

/// A page of a list.
#[derive(Serialize)]
pub(super) struct List<T> {
    data: Vec<T>,
    pagination: Pagination,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Pagination {
    current_page: usize,
    page_size: usize,
    pages_total: usize,
    items_total: usize,
    current_page_items: usize,
    links: Vec<Link>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
struct Link {
    rel: &'static str,
    uri: String,
}

pub(super) async fn list(
    State(shared): State<Shared>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response<Body>, Problem> {
    let query = Query::read(query.as_deref().unwrap_or_default())?;
    let names = shared.context.applications.names();
    let app = names.first();
    let mut views = shared.control.list(app.map_or("", String::as_str));
    views.retain(|view| query.wants(view));
    query.sort(&mut views);
    let site = site(&headers, shared.secure_port);
    let list = query
        .pages
        .list("/live-streams", views, |view| LiveStream::new(view, &site));
    Ok(Json(list).into_response())
}

impl Query {
    /// Reads what stands behind the question mark. Unknown parameters are passed over.
    fn read(text: &str) -> Result<Self, Problem> {
        let mut query = Self {
            stream_key: None,
            name: None,
            sort_by: SortBy::Created,
            is_descending: true,
            pages: Pages::default(),
        };
        for (key, value) in form_urlencoded::parse(text.as_bytes()) {
            if query.pages.take(&key, &value)? {
                continue;
            }
            match &*key {
                "streamKey" => query.stream_key = Some(value.to_string()),
                "name" => query.name = Some(value.to_lowercase()),
                "sortBy" => {
                    query.sort_by = match &*value {
                        "name" => SortBy::Name,
                        "createdAt" => SortBy::Created,
                        "updatedAt" => SortBy::Updated,
                        _ => {
                            let detail = "This value should be name, createdAt or updatedAt.";
                            return Err(Problem::query(&key, detail));
                        }
                    };
                }
                "sortOrder" => {
                    query.is_descending = match &*value {
                        "asc" => false,
                        "desc" => true,
                        _ => return Err(Problem::query(&key, "This value should be asc or desc.")),
                    };
                }
                _ => continue,
            }
            query.pages.keep(&key, &value);
        }
        Ok(query)
    }

    fn wants(&self, view: &View) -> bool {
        let broadcast = &view.broadcast;
        let Some(key) = &broadcast.stream_key else {
            return false;
        };
        let name = broadcast.name.as_deref().unwrap_or_default().to_lowercase();
        self.stream_key.as_ref().is_none_or(|wanted| wanted == key)
            && self
                .name
                .as_ref()
                .is_none_or(|wanted| name.contains(wanted))
    }

    fn sort(&self, views: &mut [View]) {
        match self.sort_by {
            SortBy::Name => views.sort_by_key(|view| {
                let name = view.broadcast.name.as_deref();
                name.unwrap_or_default().to_lowercase()
            }),
            SortBy::Created => views.sort_by_key(|view| view.broadcast.created),
            SortBy::Updated => views.sort_by_key(|view| {
                let broadcast = &view.broadcast;
                broadcast.updated.unwrap_or(broadcast.created)
            }),
        }
        if self.is_descending {
            views.reverse();
        }
    }
}

impl Default for Pages {
    fn default() -> Self {
        Self {
            page: 1,
            size: PAGE,
            others: Vec::new(),
        }
    }
}

impl Pages {
    /// Takes a parameter of the query, if it is about pages.
    pub(super) fn take(&mut self, key: &str, value: &str) -> Result<bool, Problem> {
        let (number, limit, detail) = match key {
            "currentPage" => (
                &mut self.page,
                usize::MAX,
                "This value should be 1 or more.",
            ),
            "pageSize" => (
                &mut self.size,
                MAX_PAGE,
                "This value should lie between 1 and 100.",
            ),
            _ => return Ok(false),
        };
        let read = value.parse().ok();
        let read = read.filter(|read| (1..=limit).contains(read));
        *number = read.ok_or_else(|| Problem::query(key, detail))?;
        Ok(true)
    }

    /// Another parameter, which links to other pages have as well.
    pub(super) fn keep(&mut self, key: &str, value: &str) {
        self.others.push((key.to_owned(), value.to_owned()));
    }

    /// The page, of all that there is at `path`.
    pub(super) fn list<A, T>(
        &self,
        path: &str,
        all: Vec<A>,
        object: impl FnMut(A) -> T,
    ) -> List<T> {
        let total = all.len();
        let first = self.size.saturating_mul(self.page - 1);
        let page = all.into_iter().skip(first).take(self.size);
        let data: Vec<T> = page.map(object).collect();
        let pagination = self.pagination(path, total, data.len());
        List { data, pagination }
    }

    fn pagination(&self, path: &str, items: usize, on_page: usize) -> Pagination {
        let pages = items.div_ceil(self.size).max(1);
        let mut links = Vec::new();
        let mut link = |rel, page| {
            let mut uri = format!("{path}?currentPage={page}&pageSize={}", self.size);
            for (key, value) in &self.others {
                let pair = form_urlencoded::Serializer::new(String::new())
                    .append_pair(key, value)
                    .finish();
                uri.push('&');
                uri.push_str(&pair);
            }
            links.push(Link { rel, uri });
        };
        link("self", self.page);
        link("first", 1);
        if self.page > 1 {
            link("previous", self.page - 1);
        }
        if self.page < pages {
            link("next", self.page + 1);
        }
        link("last", pages);
        Pagination {
            current_page: self.page,
            page_size: self.size,
            pages_total: pages,
            items_total: items,
            current_page_items: on_page,
            links,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_linked() {
        let rels = |text: &str, items| {
            let query = Query::read(text).unwrap();
            let pagination = query.pages.pagination("/live-streams", items, 0);
            let rels = pagination.links.iter();
            let rels: Vec<_> = rels
                .map(|link| format!("{}={}", link.rel, link.uri))
                .collect();
            (pagination.pages_total, rels.join(" "))
        };
        let (pages, links) = rels("", 0);
        let first = "/live-streams?currentPage=1&pageSize=25";
        assert_eq!(
            (pages, links),
            (1, format!("self={first} first={first} last={first}"))
        );
        let (pages, links) = rels(
            "currentPage=2&pageSize=2&name=a%20b&other=1&sortOrder=asc",
            6,
        );
        let page = |number| {
            format!("/live-streams?currentPage={number}&pageSize=2&name=a+b&sortOrder=asc")
        };
        assert_eq!(pages, 3);
        let expected = [
            ("self", 2),
            ("first", 1),
            ("previous", 1),
            ("next", 3),
            ("last", 3),
        ];
        let expected = expected.map(|(rel, number)| format!("{rel}={}", page(number)));
        assert_eq!(links, expected.join(" "));
    }

    #[test]
    fn what_cannot_be_asked_for_is_refused() {
        for text in [
            "currentPage=0",
            "currentPage=x",
            "pageSize=0",
            "pageSize=101",
            "pageSize=-1",
            "sortBy=size",
            "sortOrder=up",
        ] {
            assert!(Query::read(text).is_err(), "{text}");
        }
        assert!(Query::read("pageSize=100&currentPage=18446744073709551615").is_ok());
    }
}
