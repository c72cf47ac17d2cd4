//! Tokens, as their owners and administrators see and make them.

use serde_json::{Map, Value, json};

use crate::database::{Collection, Column, ListQuery, Page, list_values};
use crate::manager::ManagerError;
use crate::model::{Caller, Permission, SystemRole, Timestamp};
use crate::records::{Records, RecordsError, TokenRecord};

use super::{Access, AccessError, TokenText, TokenView};

/// A token as Cloudify 7 lists it.
pub const TOKENS: Collection = Collection {
    noun: "Token",
    table: "tokens",
    columns: &[
        Column::text("id"),
        Column::text("username"),
        Column::text("value"),
        Column::text("role"),
        Column::text("description"),
        Column::text("expiration_date"),
        Column::text("last_used"),
    ],
    search: &["id", "description"],
    default_sort: "created_at, id",
};

/// To see and delete tokens of others.
const OTHERS: Permission = Permission::system("manage_others_tokens");

impl Access {
    /// Makes a token for the caller; its view is the only one that ever shows it whole. `expiration` is a time, or
    /// relative to now: `+10h`, `+30 minutes`, `+1 day`.
    ///
    /// # Errors
    /// An expiration that can't be read or has passed.
    pub async fn create_token(
        &self,
        caller: &Caller,
        description: Option<String>,
        expiration: Option<&str>,
    ) -> Result<TokenView, AccessError> {
        let now = Timestamp::now();
        let expiration_date = match expiration {
            None => None,
            Some(text) => {
                let moment = expiration_date(text, now).filter(|moment| *moment > now).ok_or_else(|| {
                    ManagerError::BadParameters(format!(
                        "expiration_date `{text}` is not a time in the future; give `YYYY-MM-DD HH:mm` or e.g. `+10h`"
                    ))
                })?;
                Some(moment)
            }
        };
        let token = TokenText::random();
        let record = TokenRecord {
            id: token.id.clone(),
            username: caller.user.clone(),
            secret_sha256: token.secret_sha256(),
            description,
            created_at: now,
            expiration_date,
            last_used: None,
        };
        let view = TokenView::new(&record, caller.system_role, Some(token.reveal()));
        self.records
            .write(move |tx| {
                Records::insert_token(tx, &record)?;
                let details = json!({ "expiration_date": record.expiration_date });
                Records::audit(tx, &record.username, "token_create", &record.id, Some(&details))
            })
            .await?;
        Ok(view)
    }

    /// The caller's tokens; those of all users for who may see to others' tokens.
    ///
    /// # Errors
    /// Columns that there are not; the records' own.
    pub async fn tokens(&self, caller: &Caller, query: ListQuery) -> Result<Page, AccessError> {
        let views = self.token_views(caller).await?;
        Ok(list_values(&TOKENS, views, &query).map_err(RecordsError::from)?)
    }

    /// One of the tokens that [`Access::tokens`] lists.
    ///
    /// # Errors
    /// No such token.
    pub async fn token(&self, caller: &Caller, id: &str) -> Result<Map<String, Value>, AccessError> {
        let views = self.token_views(caller).await?;
        views.into_iter().find(|view| view["id"] == id).ok_or_else(|| not_found(id))
    }

    /// Takes a token back, and answers what it was.
    ///
    /// # Errors
    /// No such token.
    pub async fn delete_token(&self, caller: &Caller, id: &str) -> Result<Map<String, Value>, AccessError> {
        let view = self.token(caller, id).await?;
        let (user, gone) = (caller.user.clone(), id.to_owned());
        let deletes = move |tx: &rusqlite::Transaction<'_>| {
            let is_gone = Records::delete_token(tx, &gone)?;
            Records::audit(tx, &user, "token_delete", &gone, None)?;
            Ok::<_, RecordsError>(is_gone)
        };
        match self.records.write(deletes).await? {
            true => Ok(view),
            false => Err(not_found(id)),
        }
    }

    async fn token_views(&self, caller: &Caller) -> Result<Vec<Map<String, Value>>, AccessError> {
        let owner = (!caller.may(OTHERS)).then(|| caller.user.to_string());
        let (tokens, users) = self
            .records
            .read(move |connection| {
                let tokens = Records::tokens(connection, owner.as_deref())?;
                Ok::<_, RecordsError>((tokens, Records::users(connection)?))
            })
            .await?;
        let role = |token: &TokenRecord| {
            users
                .iter()
                .find(|user| user.username == token.username)
                .map_or(SystemRole::Default, |user| user.role)
        };
        Ok(tokens
            .iter()
            .filter_map(|token| serde_json::to_value(TokenView::new(token, role(token), None)).ok())
            .filter_map(|view| view.as_object().cloned())
            .collect())
    }
}

fn not_found(id: &str) -> AccessError {
    ManagerError::NotFound { noun: "Token", id: id.to_owned() }.into()
}

fn expiration_date(text: &str, now: Timestamp) -> Option<Timestamp> {
    if !text.trim().starts_with('+') {
        return Timestamp::parse(text).or_else(|| today_at(text.trim(), now));
    }
    // Several distances add up: `+1day+10min`.
    text.split('+').skip(1).try_fold(now, |moment, distance| later(moment, distance.trim()))
}

/// A time of this day: `14:52`.
fn today_at(text: &str, now: Timestamp) -> Option<Timestamp> {
    let time = chrono::NaiveTime::parse_from_str(text, "%H:%M").ok()?;
    Some(now.moment().date_naive().and_time(time).and_utc().into())
}

fn later(now: Timestamp, relative: &str) -> Option<Timestamp> {
    let digits = relative.bytes().take_while(u8::is_ascii_digit).count();
    let (count, unit) = relative.split_at(digits);
    let count: u32 = count.parse().ok()?;
    let hours = |hours: i64| Some(chrono::Duration::hours(hours * i64::from(count)));
    let months = |months: u32| Some(chrono::Months::new(months.checked_mul(count)?));
    let unit = unit.trim().to_lowercase();
    let moment = match unit.strip_suffix('s').unwrap_or(&unit) {
        "m" | "min" | "minute" => {
            now.moment().checked_add_signed(chrono::Duration::minutes(i64::from(count)))?
        }
        "h" | "hour" => now.moment().checked_add_signed(hours(1)?)?,
        "d" | "day" => now.moment().checked_add_signed(hours(24)?)?,
        "w" | "week" => now.moment().checked_add_signed(hours(7 * 24)?)?,
        "mo" | "month" => now.moment().checked_add_months(months(1)?)?,
        "y" | "year" => now.moment().checked_add_months(months(12)?)?,
        _ => return None,
    };
    Some(moment.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expiration_is_a_time_or_a_distance() {
        let now = Timestamp::parse("2026-01-31T00:00:00Z").unwrap();
        let date = |text| expiration_date(text, now).map(|moment| moment.to_string());
        for (text, wanted) in [
            ("+10h", "2026-01-31T10:00:00.000Z"),
            ("+30 minutes", "2026-01-31T00:30:00.000Z"),
            ("+1 day", "2026-02-01T00:00:00.000Z"),
            ("+1mo", "2026-02-28T00:00:00.000Z"),
            ("+1day+10min", "2026-02-01T00:10:00.000Z"),
            ("+1 week +2 h", "2026-02-07T02:00:00.000Z"),
            ("14:52", "2026-01-31T14:52:00.000Z"),
            ("2027-01-01 12:30", "2027-01-01T12:30:00.000Z"),
        ] {
            assert_eq!(date(text).as_deref(), Some(wanted), "{text}");
        }
        for wrong in ["tomorrow", "+", "+h", "+5", "+4294967295y", "+5 fortnights", "+1h+", "25:00"] {
            assert_eq!(date(wrong), None, "{wrong}");
        }
    }
}
