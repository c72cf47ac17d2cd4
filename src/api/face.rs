//! The faces of the API: by the path of a request, the form in which its errors are written.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use serde_json::{Value, json};

use super::{ApiError, ErrorCode};

/// A family of calls whose clients expect errors in one form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Face {
    /// Cloudify's API, and the service's own calls.
    Cloudify,
    /// elastic.io's API of version 2: JSON:API 1.0.
    Flows,
    /// elastic.io's API of version 1.
    Tasks,
    /// Librato's API of version 1, and the pictures.
    Charts,
}

impl Face {
    /// The face to which a path belongs, whether there is such a path or not.
    pub fn of(path: &str) -> Self {
        match path.split('/').nth(1) {
            Some("v2") => Self::Flows,
            Some("v1") => match path.split('/').nth(2) {
                Some("metrics" | "measurements" | "annotations" | "spaces" | "snapshots" | "jobs") => {
                    Self::Charts
                }
                _ => Self::Tasks,
            },
            Some("images") => Self::Charts,
            _ => Self::Cloudify,
        }
    }

    /// Its name, for measurements.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cloudify => "cloudify",
            Self::Flows => "flows",
            Self::Tasks => "tasks",
            Self::Charts => "charts",
        }
    }

    /// The answer that an error is, in the form of this face.
    pub fn answer(self, error: &ApiError) -> HttpResponse {
        let status = error.code().status();
        let mut response = HttpResponse::build(status);
        if error.code() == ErrorCode::Unauthorized {
            response.insert_header(("WWW-Authenticate", "Basic realm=\"lifeboat\""));
        }
        response.json(self.body(error, status))
    }

    /// The code of an error as this face has it.
    pub fn code(self, code: ErrorCode) -> String {
        match self {
            Self::Cloudify => code.as_str().to_owned(),
            Self::Flows | Self::Tasks | Self::Charts => code.title_case(),
        }
    }

    /// The body of that answer.
    pub fn body(self, error: &ApiError, status: StatusCode) -> Value {
        match self {
            Self::Cloudify => {
                let mut object = json!({
                    "message": error.to_string(),
                    "error_code": self.code(error.code()),
                    "server_traceback": null,
                });
                for (name, value) in error.members() {
                    object[*name] = value.clone();
                }
                object
            }
            Self::Flows => {
                let mut object = json!({
                    "status": status.as_str(),
                    "title": status.canonical_reason().unwrap_or_default(),
                    "code": self.code(error.code()),
                    "detail": error.to_string(),
                });
                if let Some(pointer) = error.pointer() {
                    object["source"] = json!({ "pointer": pointer });
                }
                json!({ "errors": [object] })
            }
            Self::Tasks => json!({ "error": error.to_string(), "code": self.code(error.code()) }),
            // What is wrong with a parameter stands under its name, everything else is about the request.
            Self::Charts => match error.pointer() {
                Some(name) => json!({ "errors": { "params": { name: [error.to_string()] } } }),
                None => json!({ "errors": { "request": [error.to_string()] } }),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::charts::ChartError;

    #[test]
    fn the_path_tells_the_form_of_errors() {
        assert_eq!(Face::of("/v2/flows"), Face::Flows);
        assert_eq!(Face::of("/v2"), Face::Flows);
        assert_eq!(Face::of("/v1/tasks/"), Face::Tasks);
        for path in ["/v1", "/v1/", "/v1/metric", "/v1/charts"] {
            assert_eq!(Face::of(path), Face::Tasks, "{path}");
        }
        for path in [
            "/v1/metrics",
            "/v1/metrics/tide.height",
            "/v1/measurements/",
            "/v1/annotations/storms/3",
            "/v1/spaces/1/charts/1",
            "/v1/snapshots",
            "/v1/jobs/42",
            "/images/nothing",
            "/images",
        ] {
            assert_eq!(Face::of(path), Face::Charts, "{path}");
        }
        for path in ["/", "/api/v2/flows", "/api/v3.1/snapshots", "/service/health", "/v22", "/metrics", ""] {
            assert_eq!(Face::of(path), Face::Cloudify, "{path}");
        }
    }

    #[test]
    fn each_face_writes_the_same_error_in_its_form() {
        let error = ApiError::new(ErrorCode::IdMismatch, "no").at(Some("/data/id".to_owned()));
        let body = |face: Face| face.body(&error, error.code().status());
        assert_eq!(
            body(Face::Flows),
            json!({ "errors": [{ "status": "409", "title": "Conflict", "code": "IdMismatch", "detail": "no",
                                 "source": { "pointer": "/data/id" } }] })
        );
        assert_eq!(body(Face::Tasks), json!({ "error": "no", "code": "IdMismatch" }));
        assert_eq!(body(Face::Cloudify)["error_code"], "id_mismatch_error");
    }

    #[test]
    fn charts_tell_what_is_wrong_by_the_name_of_the_parameter() {
        let body = |error: ApiError| Face::Charts.body(&error, error.code().status());
        let parameter = ChartError::parameter("streams[0].metric", "is not present");
        assert_eq!(
            body(parameter.into()),
            json!({ "errors": { "params": { "streams[0].metric": ["is not present"] } } })
        );
        let absent = ChartError::NotFound { noun: "chart", id: "7".to_owned() };
        assert_eq!(
            body(absent.into()),
            json!({ "errors": { "request": ["there is no chart `7`, or you may not see it"] } })
        );
    }
}
