//! Groups of users: each gives its members a role everywhere and roles in tenants.

use rusqlite::{Connection, OptionalExtension, params};

use crate::model::{SystemRole, TenantName, TenantRole, Timestamp, UserName};

use super::{Records, RecordsError};

/// A group's record with who and what belongs to it.
#[derive(Clone, Debug)]
pub struct UserGroup {
    /// The name.
    pub name: String,
    /// The role that it gives its members everywhere.
    pub role: SystemRole,
    /// What a directory server calls it; kept and shown.
    pub ldap_dn: Option<String>,
    /// When the record was made.
    pub created_at: Timestamp,
    /// Its members, by name.
    pub users: Vec<UserName>,
    /// The roles that it gives its members in tenants.
    pub tenants: Vec<GroupMembership>,
}

/// A group's role in a tenant.
#[derive(Clone, Debug)]
pub struct GroupMembership {
    /// The tenant's name; the tenant itself is state of the manager and may be absent.
    pub tenant_name: TenantName,
    /// The role.
    pub role: TenantRole,
    /// Whether it counts; one that outlived its tenant waits for a confirmation.
    pub confirmed: bool,
}

impl Records {
    /// The groups, by name: all of them, or those to which a user belongs.
    ///
    /// # Errors
    /// The database's own.
    pub fn user_groups(
        connection: &Connection,
        member: Option<&str>,
    ) -> Result<Vec<UserGroup>, RecordsError> {
        let rows: Vec<(String, String, Option<String>, String)> = connection
            .prepare_cached(
                "SELECT name, role, ldap_dn, created_at FROM user_groups
                 WHERE ?1 IS NULL OR name IN (SELECT group_name FROM group_members WHERE username = ?1)
                 ORDER BY name",
            )?
            .query_map([member], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
            .collect::<rusqlite::Result<_>>()?;
        rows.into_iter()
            .map(|(name, role, ldap_dn, created_at)| {
                Ok(UserGroup {
                    role: SystemRole::parse(&role)
                        .ok_or(RecordsError::Unknown { what: "a system role", value: role })?,
                    ldap_dn,
                    created_at: Timestamp::parse(&created_at)
                        .ok_or(RecordsError::Unknown { what: "a time", value: created_at })?,
                    users: members(connection, &name)?,
                    tenants: tenants(connection, &name)?,
                    name,
                })
            })
            .collect()
    }

    /// The group of this name, or none.
    ///
    /// # Errors
    /// The database's own.
    pub fn user_group(connection: &Connection, name: &str) -> Result<Option<UserGroup>, RecordsError> {
        Ok(Self::user_groups(connection, None)?.into_iter().find(|group| group.name == name))
    }

    /// Writes a new group without members and tenants; answers false where the name is taken.
    ///
    /// # Errors
    /// The database's own.
    pub fn insert_user_group(connection: &Connection, group: &UserGroup) -> Result<bool, RecordsError> {
        let inserted = connection.execute(
            "INSERT INTO user_groups (name, role, ldap_dn, created_at) VALUES (?, ?, ?, ?)
             ON CONFLICT (name) DO NOTHING",
            params![group.name, group.role.as_str(), group.ldap_dn, group.created_at.to_string()],
        )?;
        Ok(inserted == 1)
    }

    /// Gives a group another role everywhere; answers false where there is none of this name.
    ///
    /// # Errors
    /// The database's own.
    pub fn set_user_group_role(
        connection: &Connection,
        name: &str,
        role: SystemRole,
    ) -> Result<bool, RecordsError> {
        let updated =
            connection.execute("UPDATE user_groups SET role = ? WHERE name = ?", (role.as_str(), name))?;
        Ok(updated == 1)
    }

    /// Removes a group; its members stay as users. Answers false where there is none of this name.
    ///
    /// # Errors
    /// The database's own.
    pub fn delete_user_group(connection: &Connection, name: &str) -> Result<bool, RecordsError> {
        Ok(connection.execute("DELETE FROM user_groups WHERE name = ?", [name])? == 1)
    }

    /// Makes a user a member of a group; answers false where the user was one already.
    ///
    /// # Errors
    /// The database's own; an absent user or group is a foreign key's refusal.
    pub fn add_group_member(
        connection: &Connection,
        name: &str,
        username: &str,
    ) -> Result<bool, RecordsError> {
        let added = connection.execute(
            "INSERT INTO group_members (group_name, username) VALUES (?, ?)
             ON CONFLICT (group_name, username) DO NOTHING",
            (name, username),
        )?;
        Ok(added == 1)
    }

    /// Takes a user out of a group; answers false where the user was none of its members.
    ///
    /// # Errors
    /// The database's own.
    pub fn remove_group_member(
        connection: &Connection,
        name: &str,
        username: &str,
    ) -> Result<bool, RecordsError> {
        let removed = connection
            .execute("DELETE FROM group_members WHERE group_name = ? AND username = ?", (name, username))?;
        Ok(removed == 1)
    }

    /// Gives a group a role in a tenant, or another one; it counts from now on where `confirmed`.
    ///
    /// # Errors
    /// The database's own; an absent group is a foreign key's refusal.
    pub fn set_group_membership(
        connection: &Connection,
        name: &str,
        membership: &GroupMembership,
    ) -> Result<(), RecordsError> {
        connection.execute(
            "INSERT INTO group_memberships (group_name, tenant_name, role, confirmed) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (group_name, tenant_name) DO UPDATE SET role = ?3, confirmed = ?4",
            params![name, membership.tenant_name.as_str(), membership.role.as_str(), membership.confirmed],
        )?;
        Ok(())
    }

    /// Takes a group out of a tenant; answers false where it had no role in it that counts.
    ///
    /// # Errors
    /// The database's own.
    pub fn delete_group_membership(
        connection: &Connection,
        name: &str,
        tenant: &str,
    ) -> Result<bool, RecordsError> {
        let confirmed: Option<bool> = connection
            .query_row(
                "DELETE FROM group_memberships WHERE group_name = ? AND tenant_name = ? RETURNING confirmed",
                (name, tenant),
                |row| row.get(0),
            )
            .optional()?;
        Ok(confirmed == Some(true))
    }

    /// Takes every user and every group out of a tenant.
    ///
    /// # Errors
    /// The database's own.
    pub fn delete_memberships_in(connection: &Connection, tenant: &str) -> Result<(), RecordsError> {
        connection.execute("DELETE FROM memberships WHERE tenant_name = ?", [tenant])?;
        connection.execute("DELETE FROM group_memberships WHERE tenant_name = ?", [tenant])?;
        Ok(())
    }
}

fn members(connection: &Connection, name: &str) -> Result<Vec<UserName>, RecordsError> {
    Ok(connection
        .prepare_cached("SELECT username FROM group_members WHERE group_name = ? ORDER BY username")?
        .query_map([name], |row| row.get::<_, String>(0).map(UserName::trusted))?
        .collect::<rusqlite::Result<_>>()?)
}

fn tenants(connection: &Connection, name: &str) -> Result<Vec<GroupMembership>, RecordsError> {
    connection
        .prepare_cached(
            "SELECT tenant_name, role, confirmed FROM group_memberships WHERE group_name = ? ORDER BY tenant_name",
        )?
        .query_map([name], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get(2)?)))?
        .map(|row| {
            let (tenant_name, role, confirmed) = row?;
            Ok(GroupMembership {
                tenant_name: TenantName::trusted(tenant_name),
                role: TenantRole::parse(&role)
                    .ok_or(RecordsError::Unknown { what: "a role in a tenant", value: role })?,
                confirmed,
            })
        })
        .collect()
}
