//! Tokens.

use serde_json::json;

use crate::access::TOKENS;
use crate::api::ErrorCode;
use crate::api::cloudify::permissions::{CREATE_TOKEN, DELETE_TOKEN, LIST_TOKEN};

use super::super::examples::token;
use super::super::operation::Method::{Delete, Get, Post};
use super::super::operation::{Operation, call, field, text};
use super::Group;

const ID: &str = "The token's id: its second part.";
const NOT_FOUND: &str = "Requested `Token` with ID `A5aCVoweqH` was not found";

pub(super) fn group() -> Group {
    Group {
        tag: "Tokens",
        about: "Keys for programs, which stand in for a user's name and password.",
        operations: vec![list(), create(), get(), delete()],
    }
}

fn list() -> Operation {
    call(Get, "/tokens", "List the caller's tokens; a sys_admin sees those of all users.")
        .about("With when each was used last. The secret part of a token is never told again.")
        .needs(LIST_TOKEN)
        .lists(&TOKENS)
        .answers_page("Token", token())
}

fn create() -> Operation {
    let mut whole = token();
    whole["value"] = json!("ctok-A5aCVoweqH-ThisPartIsShownOnceAndNeverAgain");
    call(Post, "/tokens", "Create a token for the caller.")
        .about(
            "`value` is shown this once. `expiration_date` is a time, or relative: `+10h`, `+30 minutes`, `+1day+10min`. \
             Send the token as `Authentication-Token`, as a bearer, or as the password of basic auth.",
        )
        .needs(CREATE_TOKEN)
        .takes(
            vec![
                text("description", "What it is for."),
                field(
                    "expiration_date",
                    json!({ "type": ["string", "null"] }),
                    "From when it no longer works; never where it is absent.",
                ),
            ],
            json!({ "description": "the nightly backup", "expiration_date": "+30 days" }),
        )
        .fails(
            ErrorCode::BadParameters,
            "The expiration is no time, or has passed.",
            "expiration_date `yesterday` is not a time in the future; give `YYYY-MM-DD HH:mm` or e.g. `+10h`",
        )
        .answers_one("The token, whole.", "Token", whole)
}

fn get() -> Operation {
    call(Get, "/tokens/{id}", "Get a token, without its secret part.")
        .about("One of the caller's own; a sys_admin gets those of all users.")
        .needs(LIST_TOKEN)
        .of(ID, "A5aCVoweqH")
        .finds(NOT_FOUND)
        .answers_one("The token.", "Token", token())
}

fn delete() -> Operation {
    call(Delete, "/tokens/{id}", "Delete a token: it no longer works.")
        .about("One of the caller's own; a sys_admin deletes those of all users. The next call with it is answered 401.")
        .needs(DELETE_TOKEN)
        .of(ID, "A5aCVoweqH")
        .finds(NOT_FOUND)
        .answers_one("The token as it was.", "Token", token())
}
