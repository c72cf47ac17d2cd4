//! What an answer that is not 2xx means: the kind of failure, the service's reason, and what to do.
//!
//! Reads the forms of all faces: Cloudify's, the service's own, JSON:API, and Librato's.

use reqwest::StatusCode;
use serde_json::Value;

use super::error::{CliError, FailureKind};

/// Reads an answer that is not 2xx.
pub fn refusal(doing: &str, status: StatusCode, body: &[u8]) -> CliError {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let first = &body["errors"][0];
    let messages = [&body["message"], &body["detail"], &first["detail"], &first["title"]];
    let message = messages.into_iter().find_map(Value::as_str);
    let code = body["error_code"].as_str().or_else(|| first["code"].as_str()).unwrap_or_default();
    let reason = match message.map(ToOwned::to_owned).or_else(|| librato_message(&body["errors"])) {
        Some(message) => message,
        None => format!("the service answered {status} without a reason"),
    };
    let kind = match status {
        StatusCode::UNAUTHORIZED => FailureKind::NotLoggedIn,
        status if status.is_client_error() => FailureKind::Refused,
        // It does not pass by itself.
        status if status.is_server_error() && code != "archive_damaged_error" => FailureKind::Service,
        _ => FailureKind::Failed,
    };
    let error = CliError::new(kind, doing, reason);
    match (kind, code) {
        (FailureKind::NotLoggedIn, _) => {
            error.advising("set LIFEBOAT_USER and LIFEBOAT_PASSWORD, or LIFEBOAT_TOKEN")
        }
        (_, "existing_running_execution_error") => {
            error.advising("wait for it (`lifeboat execution list`); `lifeboat snapshot create` and `restore` take --queue to run after it")
        }
        (_, "ExistingRunningExecution") => {
            error.advising("wait for it (`lifeboat execution list --all-tenants`)")
        }
        _ => error,
    }
}

/// The reasons in Librato's form: by parameter, or of the request or the service as a whole.
fn librato_message(errors: &Value) -> Option<String> {
    let texts = |list: &Value| -> Vec<String> {
        list.as_array().into_iter().flatten().filter_map(Value::as_str).map(ToOwned::to_owned).collect()
    };
    let mut reasons = Vec::new();
    for (name, list) in errors["params"].as_object().into_iter().flatten() {
        reasons.extend(texts(list).into_iter().map(|reason| format!("`{name}` {reason}")));
    }
    reasons.extend(["request", "system"].iter().flat_map(|name| texts(&errors[name])));
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_become_exit_codes_and_keep_the_message() {
        let body = br#"{"message":"no such thing","error_code":"not_found_error"}"#;
        for (status, code) in [(400, 4), (401, 3), (403, 4), (404, 4), (409, 4), (500, 1), (503, 1), (302, 1)]
        {
            let error = refusal("get `a`", StatusCode::from_u16(status).unwrap(), body);
            assert_eq!(error.kind.exit_code(), code, "{status}");
            assert!(error.to_string().starts_with("get `a`: no such thing"), "{error}");
        }
        let body = br#"{"message":"it is gone","error_code":"archive_damaged_error"}"#;
        assert!(!refusal("get `a`", StatusCode::INTERNAL_SERVER_ERROR, body).is_passing());
        let error = refusal("get `a`", StatusCode::NOT_FOUND, b"<html>");
        assert!(error.to_string().contains("404"), "{error}");
    }

    #[test]
    fn a_refusal_of_a_call_of_flows_keeps_its_detail() {
        let body = br#"{"errors":[{"status":"403","title":"Forbidden","code":"FlowRunning","detail":"flow `f` is running"}]}"#;
        let error = refusal("reset flow `f`", StatusCode::FORBIDDEN, body);
        assert_eq!(error.to_string(), "reset flow `f`: flow `f` is running");
        assert_eq!(error.kind.exit_code(), 4);
        let title = br#"{"errors":[{"status":"404","title":"Not Found"}]}"#;
        let error = refusal("get flow `f`", StatusCode::NOT_FOUND, title);
        assert_eq!(error.to_string(), "get flow `f`: Not Found");
        let error = refusal("get flow `f`", StatusCode::NOT_FOUND, br#"{"errors":[]}"#);
        assert!(error.to_string().contains("404"), "{error}");
        let busy = br#"{"errors":[{"code":"ExistingRunningExecution","detail":"a restore is running"}]}"#;
        let error = refusal("capture flow `f`", StatusCode::CONFLICT, busy);
        assert!(
            error.to_string().contains("execution list") && !error.to_string().contains("--queue"),
            "{error}"
        );
    }

    #[test]
    fn a_refusal_of_a_call_of_charts_names_the_parameter() {
        let body = br#"{"errors":{"params":{"duration":["is not an integer"],"look":["is not one of light, dark"]}}}"#;
        let error = refusal("draw chart `1`", StatusCode::BAD_REQUEST, body);
        let expected = "draw chart `1`: `duration` is not an integer; `look` is not one of light, dark";
        assert_eq!(error.to_string(), expected);
        let body = br#"{"errors":{"request":["there is no chart `9`"]}}"#;
        let error = refusal("draw chart `9`", StatusCode::NOT_FOUND, body);
        assert_eq!(error.to_string(), "draw chart `9`: there is no chart `9`");
        assert_eq!(error.kind.exit_code(), 4);
        let error = refusal("draw chart `9`", StatusCode::NOT_FOUND, br#"{"errors":{}}"#);
        assert!(error.to_string().contains("404"), "{error}");
    }
}
