//! Sites: named places where deployments stand.

use rusqlite::{Connection, Transaction, params};
use serde_json::{Map, Value};

use crate::database::{Collection, Column, ListQuery, Page};
use crate::model::{Caller, EntityId, Timestamp, Visibility};

use super::entities::{
    Kind, PRIVATE_RESOURCE, RESOURCE_AVAILABILITY, check_free, find, locate, set_visibility,
};
use super::{Manager, ManagerError};

/// A site as Cloudify 7 lists it.
pub const SITES: Collection = Collection {
    noun: "Site",
    table: "sites",
    columns: &[
        Column::text("name"),
        Column::text("location"),
        Column::text("visibility"),
        Column::text("created_at"),
        Column::text("tenant_name"),
        Column::text("created_by"),
        RESOURCE_AVAILABILITY,
        PRIVATE_RESOURCE,
    ],
    search: &["name"],
    default_sort: "created_at, number",
};

static SITE: Kind = Kind { collection: &SITES, key: "name" };

/// A site that a caller makes.
#[derive(Clone, Debug)]
pub struct NewSite {
    /// The name that the caller gives it.
    pub name: String,
    /// Where it is: `latitude,longitude`; empty where that is not known.
    pub location: Option<String>,
    /// Who may see it.
    pub visibility: Visibility,
}

/// What is to be changed of a site; `None` leaves it.
#[derive(Clone, Debug, Default)]
pub struct SiteChange {
    /// The name.
    pub new_name: Option<String>,
    /// Where it is; an empty text takes that away.
    pub location: Option<String>,
    /// Who may see it.
    pub visibility: Option<Visibility>,
}

impl Manager {
    /// The sites that the caller sees.
    ///
    /// # Errors
    /// Columns that there are not; the database's own.
    pub async fn sites(&self, caller: &Caller, query: ListQuery) -> Result<Page, ManagerError> {
        self.page(&SITE, caller, query).await
    }

    /// One site.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`]; columns that there are not; the database's own.
    pub async fn site(
        &self,
        caller: &Caller,
        name: &str,
        include: Option<Vec<String>>,
    ) -> Result<Map<String, Value>, ManagerError> {
        self.one(&SITE, caller, name, include).await
    }

    /// Makes a site, and answers it.
    ///
    /// # Errors
    /// A name that can't be one or is taken; a location that is none.
    pub async fn create_site(
        &self,
        caller: &Caller,
        new: NewSite,
    ) -> Result<Map<String, Value>, ManagerError> {
        let name = EntityId::parse("name", &new.name)?;
        let location = new.location.as_deref().map(located).transpose()?.flatten();
        let caller = caller.clone();
        self.write(move |tx| {
            check_free(tx, &SITE, caller.tenant.as_str(), name.as_str(), new.visibility)?;
            tx.execute(
                "INSERT INTO sites (tenant_name, name, location, visibility, created_at, created_by)
                 VALUES (?, ?, ?, ?, ?, ?)",
                params![
                    caller.tenant.as_str(),
                    name.as_str(),
                    location,
                    new.visibility.as_str(),
                    Timestamp::now().to_string(),
                    caller.user.as_str()
                ],
            )?;
            find(tx, &SITE, &caller, name.as_str(), None)
        })
        .await
    }

    /// Changes a site, and answers it. Deployments that stand there follow its name.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`]; a new name that is taken; a location that is none; a visibility that is narrower.
    pub async fn change_site(
        &self,
        caller: &Caller,
        name: &str,
        change: SiteChange,
    ) -> Result<Map<String, Value>, ManagerError> {
        let new_name = match change.new_name.filter(|new| new != name) {
            Some(new) => Some(EntityId::parse("new_name", &new)?),
            None => None,
        };
        let sets_location = change.location.is_some();
        let location = change.location.as_deref().map(located).transpose()?.flatten();
        let (caller, name) = (caller.clone(), name.to_owned());
        self.write(move |tx| {
            let number = locate(tx, &SITE, &caller, &name)?;
            if let Some(visibility) = change.visibility {
                set_visibility(tx, &SITE, &caller, &name, visibility)?;
            }
            if sets_location {
                tx.execute("UPDATE sites SET location = ?2 WHERE number = ?1", (number, location))?;
            }
            let Some(new_name) = new_name else { return find(tx, &SITE, &caller, &name, None) };
            let visibility: String =
                tx.query_row("SELECT visibility FROM sites WHERE number = ?", [number], |row| row.get(0))?;
            let visibility = Visibility::parse(&visibility).unwrap_or(Visibility::Tenant);
            check_free(tx, &SITE, caller.tenant.as_str(), new_name.as_str(), visibility).map_err(|_| {
                ManagerError::Conflict(format!(
                    "Invalid new name `{new_name}`, it already exists on <Tenant name=`{}`> or with global visibility",
                    caller.tenant
                ))
            })?;
            tx.execute("UPDATE sites SET name = ?2 WHERE number = ?1", (number, new_name.as_str()))?;
            set_site_of_deployments(tx, &caller, (&name, visibility), Some(new_name.as_str()))?;
            find(tx, &SITE, &caller, new_name.as_str(), None)
        })
        .await
    }

    /// Removes a site; deployments that stood there stand nowhere then.
    ///
    /// # Errors
    /// [`ManagerError::NotFound`]; the database's own.
    pub async fn delete_site(&self, caller: &Caller, name: &str) -> Result<(), ManagerError> {
        let (caller, name) = (caller.clone(), name.to_owned());
        self.write(move |tx| {
            let number = locate(tx, &SITE, &caller, &name)?;
            let visibility: String =
                tx.query_row("SELECT visibility FROM sites WHERE number = ?", [number], |row| row.get(0))?;
            let visibility = Visibility::parse(&visibility).unwrap_or(Visibility::Tenant);
            tx.execute("DELETE FROM sites WHERE number = ?", [number])?;
            set_site_of_deployments(tx, &caller, (&name, visibility), None)
        })
        .await
    }
}

/// Lets the deployments of a site follow it. A global site is the only one of its name, and other tenants' deployments
/// may stand there.
fn set_site_of_deployments(
    tx: &Transaction<'_>,
    caller: &Caller,
    (name, visibility): (&str, Visibility),
    new_name: Option<&str>,
) -> Result<(), ManagerError> {
    tx.execute(
        "UPDATE deployments SET site_name = ?3 WHERE site_name = ?1 AND (tenant_name = ?2 OR ?4)",
        (name, caller.tenant.as_str(), new_name, visibility == Visibility::Global),
    )?;
    Ok(())
}

/// Checks that a deployment of the caller's tenant, with this visibility, may stand at a site.
///
/// # Errors
/// [`ManagerError::NotFound`]; [`ManagerError::IllegalAction`] where fewer see the site than see the deployment.
pub(super) fn check_site(
    connection: &Connection,
    caller: &Caller,
    name: &str,
    (deployment, visibility): (&str, Visibility),
) -> Result<(), ManagerError> {
    let site = find(connection, &SITE, caller, name, Some(vec!["visibility".to_owned()]))?;
    let of_site = site["visibility"].as_str().and_then(Visibility::parse).unwrap_or(Visibility::Tenant);
    if of_site < visibility {
        return Err(ManagerError::IllegalAction(format!(
            "The visibility of deployment `{deployment}`: `{}` can't be wider than the visibility of its site `{name}`: `{}`",
            visibility.as_str(),
            of_site.as_str()
        )));
    }
    Ok(())
}

/// The site where a deployment stands, or none.
pub(super) fn site_of(connection: &Connection, deployment: i64) -> Result<Option<String>, ManagerError> {
    let name =
        connection.query_row("SELECT site_name FROM deployments WHERE number = ?", [deployment], |row| {
            row.get(0)
        })?;
    Ok(name)
}

/// A location as it is kept: two numbers with a comma; none for an empty text.
fn located(location: &str) -> Result<Option<String>, ManagerError> {
    if location.is_empty() {
        return Ok(None);
    }
    let refused =
        |reason: &str| Err(ManagerError::BadParameters(format!("Invalid location `{location}`{reason}")));
    let Some((latitude, longitude)) = location.split_once(',') else {
        return refused(
            ", the format is expected to be \"latitude,longitude\" such as \"32.071072,34.787274\"",
        );
    };
    let (Ok(latitude), Ok(longitude)) = (latitude.trim().parse::<f64>(), longitude.trim().parse::<f64>())
    else {
        return refused(", the latitude and longitude are expected to be of type float");
    };
    if !(-90.0..=90.0).contains(&latitude) || !(-180.0..=180.0).contains(&longitude) {
        return refused(
            ". The latitude must be a number between -90 and 90 and the longitude between -180 and 180",
        );
    }
    Ok(Some(format!("{latitude:?}, {longitude:?}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_is_two_numbers_on_the_globe() {
        assert_eq!(located("32.071072,34.787274").unwrap().as_deref(), Some("32.071072, 34.787274"));
        assert_eq!(located("-90, 180").unwrap().as_deref(), Some("-90.0, 180.0"));
        assert_eq!(located("").unwrap(), None);
        for (bad, reason) in [
            ("32", "latitude,longitude"),
            ("north,1", "type float"),
            ("1,2,3", "type float"),
            ("91,0", "between -90 and 90"),
            ("NaN,0", "between -90 and 90"),
            ("0,180.1", "between -180 and 180"),
        ] {
            let error = located(bad).unwrap_err().to_string();
            assert!(error.contains(reason), "{bad}: {error}");
        }
    }
}
