//! Users, their groups and roles, and the table of permissions, as an archive carries them: never a password's hash.
//!
//! They are records of the service and not the manager's state: a restore adds who is unknown, locked, and changes
//! nobody who exists. An archive can't bring in somebody who may log in, and can't raise what anybody may: groups come
//! back with the members that came with them, and the table of permissions is only compared.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::model::{EntityId, PERMISSIONS, Role, SystemRole, TenantName, TenantRole, Timestamp, UserName};
use crate::records::{GroupMembership, Membership, Records, RecordsError, User, UserGroup};

use super::{Collected, EntrySink, EntrySource, SourceError};

/// The envelope of users; `mgmt/00000001.json` holds the tenants.
const ENVELOPE: &str = "mgmt/00000002.json";
const GROUPS: &str = "mgmt/00000003.json";
/// Who belongs to the groups: Cloudify's own envelope tells it only of groups that belong to a tenant.
const MEMBERS: &str = "lifeboat/user_groups.json";
/// The first number of the envelopes of permissions.
const PERMISSIONS_FROM: usize = 4;
/// The most items of an envelope.
const ENVELOPE_ITEMS: usize = 500;
/// Cloudify's own restore insists on a text here; this one is no hash of anything.
const NO_PASSWORD: &str = "!";

#[derive(Serialize, Deserialize)]
struct Envelope<T> {
    #[serde(rename = "type")]
    kind: String,
    items: Vec<T>,
}

#[derive(Serialize, Deserialize)]
struct Group {
    name: String,
    role: String,
    ldap_dn: Option<String>,
    tenants: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
struct Members {
    name: String,
    created_at: Timestamp,
    users: Vec<String>,
}

#[derive(Serialize, Deserialize)]
struct Grant {
    role: String,
    permission: String,
}

#[derive(Serialize, Deserialize)]
struct Account {
    username: String,
    role: String,
    tenant_roles: Value,
    first_login_at: Option<Timestamp>,
    last_login_at: Option<Timestamp>,
    created_at: Option<Timestamp>,
    #[serde(default)]
    password_hash: String,
}

/// Writes the envelopes of users, groups and permissions, each by name.
///
/// # Errors
/// The records' and the sink's own.
pub fn collect(connection: &Connection, sink: &mut dyn EntrySink) -> Result<Collected, SourceError> {
    let state = |error: RecordsError| SourceError::State(Box::new(error));
    let memberships = Records::memberships(connection, None).map_err(state)?;
    let groups = Records::user_groups(connection, None).map_err(state)?;
    let items: Vec<Account> = Records::users(connection)
        .map_err(state)?
        .into_iter()
        .map(|user| {
            let direct: Map<String, Value> = memberships
                .iter()
                .filter(|membership| membership.username == user.username && membership.confirmed)
                .map(|membership| (membership.tenant_name.to_string(), json!(membership.role.as_str())))
                .collect();
            Account {
                username: user.username.to_string(),
                role: user.role.as_str().to_owned(),
                tenant_roles: json!({ "direct": direct, "groups": by_groups(&user.username, &groups) }),
                first_login_at: user.first_login_at,
                last_login_at: user.last_login_at,
                created_at: Some(user.created_at),
                password_hash: NO_PASSWORD.to_owned(),
            }
        })
        .collect();
    let mut collected = Collected::default();
    collected.count("users", items.len() as u64);
    write(sink, ENVELOPE, "users", items)?;
    collected.count("user_groups", groups.len() as u64);
    let members: Vec<Members> = groups.iter().map(members).collect();
    write(sink, GROUPS, "user_groups", groups.into_iter().map(group).collect())?;
    let grants = Records::grants(connection).map_err(state)?.table(&Role::ALL);
    for (index, chunk) in grants.chunks(ENVELOPE_ITEMS).enumerate() {
        let items = chunk.iter().map(|(role, permission)| Grant {
            role: role.as_str().to_owned(),
            permission: permission.name.to_owned(),
        });
        let name = format!("mgmt/{:08}.json", PERMISSIONS_FROM + index);
        write(sink, &name, "permissions", items.collect())?;
    }
    write(sink, MEMBERS, "user_groups", members)?;
    Ok(collected)
}

fn write<T: Serialize>(
    sink: &mut dyn EntrySink,
    name: &str,
    kind: &str,
    items: Vec<T>,
) -> Result<(), SourceError> {
    let envelope = Envelope { kind: kind.to_owned(), items };
    let document = serde_json::to_vec(&envelope).map_err(|error| SourceError::State(Box::new(error)))?;
    sink.bytes(name, &document)
}

/// The roles in tenants that a user has by way of groups, in Cloudify's form: `{tenant: {role: [groups]}}`.
fn by_groups(username: &UserName, groups: &[UserGroup]) -> Value {
    let mut tenants: BTreeMap<&str, BTreeMap<&str, Vec<&str>>> = BTreeMap::new();
    for group in groups.iter().filter(|group| group.users.contains(username)) {
        for membership in group.tenants.iter().filter(|membership| membership.confirmed) {
            let roles = tenants.entry(membership.tenant_name.as_str()).or_default();
            roles.entry(membership.role.as_str()).or_default().push(&group.name);
        }
    }
    json!(tenants)
}

fn group(group: UserGroup) -> Group {
    let confirmed = group.tenants.iter().filter(|membership| membership.confirmed);
    Group {
        tenants: confirmed
            .map(|membership| (membership.tenant_name.to_string(), membership.role.as_str().to_owned()))
            .collect(),
        name: group.name,
        role: group.role.as_str().to_owned(),
        ldap_dn: group.ldap_dn,
    }
}

fn members(group: &UserGroup) -> Members {
    Members {
        name: group.name.clone(),
        created_at: group.created_at,
        users: group.users.iter().map(ToString::to_string).collect(),
    }
}

/// A user of an archive with the own roles in tenants.
type NamedUser = (User, Vec<(TenantName, TenantRole)>);

/// The accounts of an archive, read and judged, ready to be added.
#[derive(Debug, Default)]
pub struct Accounts {
    users: Vec<NamedUser>,
    groups: Vec<UserGroup>,
    /// The roles with a permission, where the archive tells them.
    grants: Option<BTreeSet<(String, String)>>,
}

/// Reads the accounts of an archive; what it has no envelope of is none.
///
/// # Errors
/// An envelope that is not what [`collect`] wrote.
pub fn read(source: &dyn EntrySource) -> Result<Accounts, SourceError> {
    Ok(Accounts { users: users(source)?, groups: groups(source)?, grants: grants(source)? })
}

fn wrong(entry: &str) -> impl Fn(String) -> SourceError + Copy {
    move |reason| SourceError::Entry { entry: entry.to_owned(), reason }
}

fn items<T: for<'a> Deserialize<'a>>(source: &dyn EntrySource, entry: &str) -> Result<Vec<T>, SourceError> {
    if !source.names().contains(&entry) {
        return Ok(Vec::new());
    }
    let envelope: Envelope<T> =
        serde_json::from_slice(&source.bytes(entry)?).map_err(|error| wrong(entry)(error.to_string()))?;
    Ok(envelope.items)
}

fn tenant_role(entry: &str, tenant: &str, role: &Value) -> Result<(TenantName, TenantRole), SourceError> {
    let wrong = wrong(entry);
    let known = role.as_str().and_then(TenantRole::parse);
    let role = known.ok_or_else(|| wrong(format!("`{role}` is no role in a tenant")))?;
    Ok((TenantName::parse(tenant).map_err(|error| wrong(error.to_string()))?, role))
}

fn users(source: &dyn EntrySource) -> Result<Vec<NamedUser>, SourceError> {
    let mut users = Vec::new();
    for account in items::<Account>(source, ENVELOPE)? {
        let username =
            UserName::parse(&account.username).map_err(|error| wrong(ENVELOPE)(error.to_string()))?;
        let direct =
            account.tenant_roles.get("direct").and_then(Value::as_object).cloned().unwrap_or_default();
        let roles = direct
            .into_iter()
            .map(|(tenant, role)| tenant_role(ENVELOPE, &tenant, &role))
            .collect::<Result<_, SourceError>>()?;
        let user = User {
            username,
            password_hash: None,
            // An archive must not make an administrator: the role everywhere is given by hand.
            role: SystemRole::Default,
            active: false,
            created_at: account.created_at.unwrap_or_else(Timestamp::now),
            first_login_at: None,
            last_login_at: None,
        };
        users.push((user, roles));
    }
    Ok(users)
}

fn groups(source: &dyn EntrySource) -> Result<Vec<UserGroup>, SourceError> {
    let wrong = wrong(GROUPS);
    let members: BTreeMap<String, Members> = items::<Members>(source, MEMBERS)?
        .into_iter()
        .map(|members| (members.name.clone(), members))
        .collect();
    let mut groups = Vec::new();
    for group in items::<Group>(source, GROUPS)? {
        let name = EntityId::parse("group_name", &group.name).map_err(|error| wrong(error.to_string()))?;
        let role = SystemRole::parse(&group.role)
            .ok_or_else(|| wrong(format!("`{}` is no role everywhere", group.role)))?;
        let tenants = group.tenants.iter().map(|(tenant, role)| {
            let (tenant_name, role) = tenant_role(GROUPS, tenant, &json!(role))?;
            Ok(GroupMembership { tenant_name, role, confirmed: true })
        });
        let members = members.get(&group.name);
        let users = members.map(|members| members.users.as_slice()).unwrap_or_default();
        let users = users.iter().map(|name| UserName::parse(name).map_err(|error| wrong(error.to_string())));
        groups.push(UserGroup {
            tenants: tenants.collect::<Result<_, SourceError>>()?,
            users: users.collect::<Result<_, SourceError>>()?,
            created_at: members.map_or_else(Timestamp::now, |members| members.created_at),
            name: name.as_str().to_owned(),
            role,
            ldap_dn: group.ldap_dn,
        });
    }
    Ok(groups)
}

fn grants(source: &dyn EntrySource) -> Result<Option<BTreeSet<(String, String)>>, SourceError> {
    let mut found = BTreeSet::new();
    for number in PERMISSIONS_FROM.. {
        let items = items::<Grant>(source, &format!("mgmt/{number:08}.json"))?;
        if items.is_empty() {
            break;
        }
        found.extend(items.into_iter().map(|grant| (grant.role, grant.permission)));
    }
    Ok((!found.is_empty()).then_some(found))
}

/// What a restore would do to the accounts.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Planned {
    /// Users who are unknown and would be added, locked.
    pub added: Vec<String>,
    /// Users who exist and would be left as they are.
    pub kept: Vec<String>,
}

impl Accounts {
    /// Tells what [`Accounts::restore`] would do to users. Changes nothing.
    ///
    /// # Errors
    /// The records' own.
    pub fn planned(&self, connection: &Connection) -> Result<Planned, RecordsError> {
        let known = Records::users(connection)?;
        let mut planned = Planned::default();
        for (user, _) in &self.users {
            let is_known = known.iter().any(|other| other.username == user.username);
            let list = if is_known { &mut planned.kept } else { &mut planned.added };
            list.push(user.username.to_string());
        }
        Ok(planned)
    }

    /// How many of a kind there are; none where it is no kind of account.
    pub fn count(&self, kind: &str) -> Option<u64> {
        match kind {
            "users" => Some(self.users.len() as u64),
            "user_groups" => Some(self.groups.len() as u64),
            _ => None,
        }
    }

    /// Adds the users who are unknown here: not active, without a password, with role `default` and their roles in
    /// tenants; adds the groups that are unknown, with the roles in tenants, without a role everywhere, and of their
    /// members only users that were added with them; lets memberships in tenants that `tenants` does not name sleep. Run
    /// twice, the second call changes nothing.
    ///
    /// # Errors
    /// The records' own.
    pub fn restore(self, connection: &Connection, tenants: &[String]) -> Result<Restored, RecordsError> {
        let mut restored = Restored::default();
        for (user, roles) in self.users {
            if !Records::insert_user(connection, &user)? {
                restored.kept.push(user.username.to_string());
                continue;
            }
            for (tenant_name, role) in roles {
                let membership =
                    Membership { username: user.username.clone(), tenant_name, role, confirmed: true };
                Records::set_membership(connection, &membership)?;
            }
            restored.added.push(user.username.to_string());
        }
        for group in self.groups {
            restore_group(connection, group, &mut restored)?;
        }
        if let Some(grants) = self.grants {
            restored.permissions = differences(connection, &grants)?;
        }
        for membership in Records::memberships(connection, None)? {
            if membership.confirmed && !tenants.iter().any(|name| name == membership.tenant_name.as_str()) {
                restored.sleeping.push(format!("{} in {}", membership.username, membership.tenant_name));
                Records::set_membership(connection, &Membership { confirmed: false, ..membership })?;
            }
        }
        for group in Records::user_groups(connection, None)? {
            for membership in group.tenants {
                let is_there = tenants.iter().any(|name| name == membership.tenant_name.as_str());
                if membership.confirmed && !is_there {
                    restored.sleeping.push(format!("{} in {}", group.name, membership.tenant_name));
                    let sleeping = GroupMembership { confirmed: false, ..membership };
                    Records::set_group_membership(connection, &group.name, &sleeping)?;
                }
            }
        }
        Ok(restored)
    }
}

fn restore_group(
    connection: &Connection,
    group: UserGroup,
    restored: &mut Restored,
) -> Result<(), RecordsError> {
    let name = group.name.clone();
    let new = UserGroup { role: SystemRole::Default, ..group.clone() };
    if !Records::insert_user_group(connection, &new)? {
        restored.groups_kept.push(name);
        return Ok(());
    }
    for membership in &group.tenants {
        Records::set_group_membership(connection, &name, membership)?;
    }
    if group.role == SystemRole::SysAdmin {
        restored.not_applied.push(format!("the group `{name}` gave its members the role sys_admin"));
    }
    for user in &group.users {
        if restored.added.iter().any(|added| added == user.as_str()) {
            Records::add_group_member(connection, &name, user.as_str())?;
        } else {
            restored.not_applied.push(format!("the user `{user}` was a member of the group `{name}`"));
        }
    }
    restored.groups_added.push(name);
    Ok(())
}

/// Which permissions roles had when the archive was made and have not now, and the other way round.
fn differences(
    connection: &Connection,
    archived: &BTreeSet<(String, String)>,
) -> Result<Vec<String>, RecordsError> {
    let grants = Records::grants(connection)?;
    let mut differences = Vec::new();
    for permission in PERMISSIONS {
        // A version that did not have the permission yet said nothing about it.
        if !archived.iter().any(|(_, name)| name == permission.name) {
            continue;
        }
        for role in Role::ALL {
            let was = archived.contains(&(role.as_str().to_owned(), permission.name.to_owned()));
            let word = match (was, grants.is_granted(*permission, role)) {
                (true, false) => "had",
                (false, true) => "had not",
                (true, true) | (false, false) => continue,
            };
            differences.push(format!("{} {word} {}", role.as_str(), permission.name));
        }
    }
    Ok(differences)
}

/// What a restore did to the accounts.
#[derive(Debug, Default, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// Users who were unknown and are there now, locked until an administrator gives them a password.
    pub added: Vec<String>,
    /// Users who exist and were left as they are.
    pub kept: Vec<String>,
    /// Memberships whose tenant is gone: they count again only when an administrator confirms them.
    pub sleeping: Vec<String>,
    /// Groups that were unknown and are there now, without a role everywhere.
    pub groups_added: Vec<String>,
    /// Groups that exist and were left as they are.
    pub groups_kept: Vec<String>,
    /// What the archive says of groups that would have raised what somebody may: to be given by hand.
    pub not_applied: Vec<String>,
    /// How the table of permissions differed when the archive was made; it is left as it is.
    pub permissions: Vec<String>,
}
