//! The pictures of charts.

use crate::api::ErrorCode;

use super::super::super::chart_examples::IMAGE;
use super::super::super::operation::Method::Get;
use super::super::super::operation::Operation;
use super::super::Group;
use super::{charts_call, not_found};

pub(super) fn group() -> Group {
    Group {
        tag: "Pictures",
        about: "The pictures of chart snapshots. Who knows a picture's name may see it.",
        operations: vec![image()],
    }
}

fn image() -> Operation {
    let stem = IMAGE.trim_end_matches(".png");
    charts_call(Get, "/images/{name}", "Show the picture of a chart.")
        .about(
            "As `.png`, and as `.svg`. Its name can't be guessed; with the setting `charts.private_images` it takes a login \
             too, any user's. A picture never changes under its name.",
        )
        .needs_no_login()
        .of("24 letters and digits, `-`, the chart snapshot's number, and `.png` or `.svg`.", IMAGE)
        .meets("There is none of this name, or it is not drawn yet.", not_found("picture", stem))
        .fails(
            ErrorCode::Unauthorized,
            "The setting `charts.private_images` asks for a login, and it is missing or wrong.",
            "User unauthorized: No authentication info provided",
        )
        .fails(
            ErrorCode::Forbidden,
            "That setting is on, and there is no tenant of the name in the header `Tenant`.",
            "Authorization failed: Tried to authenticate with invalid tenant name: nowhere",
        )
        .answers_file("The picture.", &["image/png", "image/svg+xml"], false)
}
