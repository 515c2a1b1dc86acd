//! What the framework refuses by itself, in the form of the API that was called: it answers in plain text, which no client
//! of these APIs expects.

use axum::body::to_bytes;
use axum::http::{StatusCode, header};
use axum::response::Response;

/// More of a refusal is not read.
const MOST: usize = 4096;

/// The answer as it is, unless it is a refusal in plain text: then `refusal` of its status and words.
pub(super) async fn told(
    response: Response,
    refusal: impl Fn(StatusCode, &str) -> Response,
) -> Response {
    let status = response.status();
    let kind = response.headers().get(header::CONTENT_TYPE);
    let is_text = kind.is_some_and(|kind| kind.as_bytes().starts_with(b"text/plain"));
    if !status.is_client_error() || !is_text {
        return response;
    }
    match to_bytes(response.into_body(), MOST).await {
        Ok(words) => refusal(status, &String::from_utf8_lossy(&words)),
        Err(_) => refusal(status, "the request cannot be used"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::Json;
    use axum::response::IntoResponse;

    fn refusal(status: StatusCode, words: &str) -> Response {
        (status, Json(words)).into_response()
    }

    async fn body(response: Response) -> String {
        let bytes = to_bytes(response.into_body(), MOST).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[tokio::test]
    async fn refusals_in_plain_text_become_json() {
        let said = (StatusCode::BAD_REQUEST, "Invalid URL").into_response();
        let said = told(said, refusal).await;
        assert_eq!(said.status(), StatusCode::BAD_REQUEST);
        assert_eq!(said.headers()[header::CONTENT_TYPE], "application/json");
        assert_eq!(body(said).await, "\"Invalid URL\"");
        // All else stays.
        for (status, words) in [(StatusCode::OK, "ok"), (StatusCode::BAD_GATEWAY, "gone")] {
            let said = told((status, words).into_response(), refusal).await;
            assert_eq!(body(said).await, words);
        }
        let long = (StatusCode::NOT_FOUND, "x".repeat(5000)).into_response();
        let said = told(long, refusal).await;
        assert_eq!(body(said).await, "\"the request cannot be used\"");
    }
}
