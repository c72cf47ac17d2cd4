//! `lifeboat token`: what programs log in with in place of a password.
//!
//! The secret part is shown once, when a token is made.

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::json;

use super::connection::{Call, ConnectionArgs, Paging, Service, parse_name};
use super::error::CliError;
use super::output::{Output, field, note, table};
use crate::model::Timestamp;

/// `lifeboat token`.
#[derive(Args, Debug)]
pub struct TokenArgs {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(subcommand)]
    command: TokenCommand,
}

/// What to do with tokens.
#[derive(Subcommand, Debug)]
pub enum TokenCommand {
    /// List tokens
    List(Paging),
    /// Create a token and print it, which happens only once
    #[command(
        after_help = "Example: export LIFEBOAT_TOKEN=$(lifeboat token create --description backups --expires 90d)"
    )]
    Create {
        /// What it is for
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        /// When it stops working: a time (2027-01-31T00:00:00Z), or from now: 90d, 12h, 30m
        #[arg(long, value_name = "WHEN", value_parser = parse_expiry)]
        expires: Option<Expiry>,
    },
    /// Delete a token
    Delete {
        /// The token's id, the part between the first two dashes
        #[arg(value_parser = parse_name)]
        id: String,
    },
}

/// When a token stops working.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expiry {
    /// At a moment.
    At(Timestamp),
    /// So many seconds after it was made.
    After(i64),
}

impl Expiry {
    fn moment(self, now: DateTime<Utc>) -> Timestamp {
        match self {
            Self::At(moment) => moment,
            Self::After(seconds) => Timestamp::from(now).plus_seconds(seconds),
        }
    }
}

fn parse_expiry(text: &str) -> Result<Expiry, String> {
    let expected =
        || format!("`{text}` is neither a time like 2027-01-31T00:00:00Z nor like 90d, 12h or 30m");
    if let Some(moment) = Timestamp::parse(text) {
        return Ok(Expiry::At(moment));
    }
    let unit = text.chars().last().ok_or_else(expected)?;
    let count: u32 = text[..text.len() - unit.len_utf8()].parse().map_err(|_| expected())?;
    let seconds = match unit {
        'd' => 86_400,
        'h' => 3_600,
        'm' => 60,
        _ => return Err(expected()),
    };
    // A hundred years: what is longer is a slip, and must not leave the calendar.
    match i64::from(count) * seconds {
        1..=3_155_760_000 => Ok(Expiry::After(i64::from(count) * seconds)),
        _ => Err(format!("`{text}` is not between a minute and a hundred years")),
    }
}

/// Runs a `token` command.
pub fn run(args: TokenArgs) -> Result<(), CliError> {
    let output = Output::new(args.connection.json);
    let service = Service::connect(&args.connection)?;
    match args.command {
        TokenCommand::List(paging) => list(&service, &output, paging),
        TokenCommand::Create { description, expires } => {
            let mut body = json!({});
            if let Some(description) = description {
                body["description"] = description.into();
            }
            if let Some(expires) = expires {
                body["expiration_date"] = expires.moment(Utc::now()).to_string().into();
            }
            let token = service.call(Call::new(Method::POST, "create a token", &["tokens"]).body(body))?;
            output.show(&token, |token| field(token, "value"));
            if !output.is_json() {
                note("keep it now: it is not shown again");
            }
            Ok(())
        }
        TokenCommand::Delete { id } => {
            let call = Call::new(Method::DELETE, format!("delete token `{id}`"), &["tokens", &id]);
            let token = service.call(call)?;
            output.show(&token, |_| format!("token `{id}` is deleted"));
            Ok(())
        }
    }
}

fn list(service: &Service, output: &Output, paging: Paging) -> Result<(), CliError> {
    let listing = service.list(Call::get("list the tokens", &["tokens"]), paging)?;
    output.show(&listing.items, |items| {
        let rows = items.iter().map(|token| {
            ["id", "username", "description", "expiration_date", "last_used"]
                .map(|name| field(token, name))
                .to_vec()
        });
        let header = ["ID", "USER", "DESCRIPTION", "EXPIRES", "LAST USED"];
        format!("{}\n\n{} of {} tokens", table(&header, rows.collect()), items.len(), listing.total)
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiry_is_a_time_or_counts_from_now() {
        let now = Timestamp::parse("2026-01-01T00:00:00.000Z").unwrap().moment();
        let moment = |text| parse_expiry(text).map(|expiry| expiry.moment(now).to_string());
        assert_eq!(moment("2027-01-31T00:00:00Z").unwrap(), "2027-01-31T00:00:00.000Z");
        assert_eq!(moment("90d").unwrap(), "2026-04-01T00:00:00.000Z");
        assert_eq!(moment("12h").unwrap(), "2026-01-01T12:00:00.000Z");
        assert_eq!(moment("30m").unwrap(), "2026-01-01T00:30:00.000Z");
        for text in ["", "d", "0d", "-1d", "1w", "1€", "99999999d", "soon"] {
            assert!(parse_expiry(text).is_err(), "{text}");
        }
    }
}
