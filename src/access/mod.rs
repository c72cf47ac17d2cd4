//! Who may use the service: passwords, tokens, and the delay after wrong ones.
//!
//! One user table for all faces. Knows no HTTP; a face hands over what it found in a request.

mod audit;
mod grants;
mod groups;
mod password;
mod standing;
mod tenants;
mod throttle;
mod token;
mod tokens;
mod users;

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::database::DatabaseError;
use crate::manager::{Manager, ManagerError};
use crate::model::{Caller, Grants, IdError, SystemRole, TenantName, Timestamp, UserName};
use crate::records::{Membership, Records, RecordsError, User, UserGroup};

use standing::{Standing, standing};

pub use audit::AuditQuery;
pub use grants::GRANTS;
pub use groups::USER_GROUPS;
pub use password::{PasswordError, hash_password, random_password};
pub use tenants::{Member, TENANTS};
pub use throttle::Throttle;
pub use token::{TokenText, TokenView};
pub use tokens::TOKENS;
pub use users::{NewUser, USERS, UserChange};

/// How long a password that was found right is not hashed again.
const REMEMBER: Duration = Duration::from_secs(300);

/// What a request brings to say who it is.
pub enum Credentials {
    /// A name and a password, or a token in the password's place.
    Basic { username: String, password: Zeroizing<String> },
    /// A token.
    Token(Zeroizing<String>),
    /// Nothing.
    None,
}

/// Why somebody is not let in, or a user can't be changed. The messages are Cloudify's where it has the case.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    #[error("User unauthorized: No authentication info provided")]
    NoCredentials,
    #[error(
        "User unauthorized: Authentication failed for <User username=`{0}`>. Wrong credentials or locked account"
    )]
    WrongCredentials(String),
    #[error("User unauthorized: Unauthorized")]
    WrongToken,
    #[error("User unauthorized: Token is expired")]
    ExpiredToken,
    #[error("User unauthorized: Invalid token structure")]
    MalformedToken,
    #[error("Authorization failed: Tried to authenticate with invalid tenant name: {0}")]
    UnknownTenant(String),
    #[error("User `{user}` is not permitted to perform the action {action} in the tenant `{tenant}`")]
    Forbidden { user: UserName, action: &'static str, tenant: TenantName },
    #[error(transparent)]
    Id(#[from] IdError),
    #[error("failed to use the records of the service")]
    Records(#[from] RecordsError),
    #[error("failed to use the manager's tenants")]
    Manager(#[from] ManagerError),
    #[error("failed to hash a password")]
    Password(#[from] PasswordError),
}

impl From<DatabaseError> for AccessError {
    fn from(error: DatabaseError) -> Self {
        Self::Records(error.into())
    }
}

fn bad(message: String) -> AccessError {
    ManagerError::BadParameters(message).into()
}

/// A user with all that gives roles, and what roles may, as of one moment.
struct Known {
    user: User,
    memberships: Vec<Membership>,
    groups: Vec<UserGroup>,
    grants: Grants,
}

impl Known {
    fn read(connection: &rusqlite::Connection, username: &str) -> Result<Option<Self>, RecordsError> {
        let Some(user) = Records::user(connection, username)? else { return Ok(None) };
        let memberships = Records::memberships(connection, Some(username))?;
        let groups = Records::user_groups(connection, Some(username))?;
        let grants = Records::grants(connection)?;
        Ok(Some(Self { user, memberships, groups, grants }))
    }
}

/// The door. Clones share what it remembers.
#[derive(Clone)]
pub struct Access {
    records: Records,
    manager: Manager,
    throttle: Arc<Throttle>,
    /// Keyed by a hash with a key of this process, so that no password can be read from memory dumps of the map.
    remembered: Arc<Mutex<HashMap<[u8; 32], Instant>>>,
    process_key: [u8; 32],
    /// As many passwords are hashed at once as there are processors: more would only take memory, 19 MiB each.
    hashing: Arc<Semaphore>,
}

impl Access {
    /// The door of a service with these records and this manager.
    pub fn new(records: Records, manager: Manager) -> Self {
        Self {
            records,
            manager,
            throttle: Arc::default(),
            remembered: Arc::default(),
            process_key: rand::random(),
            hashing: Arc::new(Semaphore::new(std::thread::available_parallelism().map_or(2, usize::from))),
        }
    }

    /// Recognises who asks, and the role in the tenant that the request names. A wrong password or token delays the
    /// answers to that user and address, doubling up to some seconds; a right one resets it.
    ///
    /// # Errors
    /// Wrong, absent or expired credentials; an unknown tenant.
    pub async fn authenticate(
        &self,
        credentials: Credentials,
        address: Option<IpAddr>,
        tenant: Option<&str>,
    ) -> Result<Caller, AccessError> {
        let known = match credentials {
            Credentials::None => return Err(AccessError::NoCredentials),
            Credentials::Basic { username, password } => {
                self.by_password(&username, password, address).await?
            }
            Credentials::Token(text) => self.by_token(&text, address).await?,
        };
        self.caller(known, tenant).await
    }

    /// The caller that this user is in the tenant of the request.
    ///
    /// # Errors
    /// An unknown tenant.
    async fn caller(&self, known: Known, tenant: Option<&str>) -> Result<Caller, AccessError> {
        let tenant = TenantName::trusted(tenant.unwrap_or(TenantName::DEFAULT));
        let existing = self.manager.tenants().await?;
        if !existing.contains(&tenant) {
            return Err(AccessError::UnknownTenant(tenant.to_string()));
        }
        let Standing { system_role, mut tenants } = standing(&known.user, &known.memberships, &known.groups);
        tenants.retain(|(name, _)| existing.contains(name));
        let tenant_role = tenants.iter().find(|(name, _)| *name == tenant).map(|(_, role)| *role);
        let (user, grants) = (known.user.username, known.grants);
        Ok(Caller { user, system_role, tenant, tenant_role, tenants, grants })
    }

    /// Writes one line of the audit, for what was changed outside the records.
    async fn audit(
        &self,
        caller: &Caller,
        action: &'static str,
        subject: &str,
        details: Option<serde_json::Value>,
    ) -> Result<(), AccessError> {
        let (user, subject) = (caller.user.clone(), subject.to_owned());
        self.records.write(move |tx| Ok(Records::audit(tx, &user, action, &subject, details.as_ref())?)).await
    }

    async fn by_password(
        &self,
        username: &str,
        password: Zeroizing<String>,
        address: Option<IpAddr>,
    ) -> Result<Known, AccessError> {
        if password.starts_with(token::PREFIX) {
            return self.by_token(&password, address).await;
        }
        self.throttle.wait(username, address).await;
        let wrong = || AccessError::WrongCredentials(username.to_owned());
        let name = username.to_owned();
        let known = self.records.read(move |connection| Known::read(connection, &name)).await?;
        let Some(known) = known.filter(|Known { user, .. }| user.active && user.password_hash.is_some())
        else {
            // The same work as for a user who exists, so that the time tells nothing.
            self.hash(move || password::spend_time(&password)).await;
            self.throttle.failed(username, address);
            return Err(wrong());
        };
        let hash = known.user.password_hash.clone().unwrap_or_default();
        let key = self.memory_key(username, &password, &hash);
        if self.is_remembered(&key) {
            return Ok(known);
        }
        let is_right = self.hash(move || password::is_right(&password, &hash)).await;
        if is_right != Some(true) {
            self.throttle.failed(username, address);
            return Err(wrong());
        }
        self.throttle.succeeded(username, address);
        self.remember(key);
        let name = known.user.username.as_str().to_owned();
        self.records.write(move |tx| Records::touch_login(tx, &name)).await?;
        Ok(known)
    }

    /// Does work with a password's hash when its turn has come; none where it broke.
    async fn hash<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let _turn = self.hashing.acquire().await.ok()?;
        tokio::task::spawn_blocking(work).await.ok()
    }

    async fn by_token(&self, text: &str, address: Option<IpAddr>) -> Result<Known, AccessError> {
        let token = TokenText::parse(text).ok_or(AccessError::MalformedToken)?;
        self.throttle.wait(&token.id, address).await;
        let id = token.id.clone();
        let found = self
            .records
            .read(move |connection| {
                let Some(record) = Records::token(connection, &id)? else { return Ok(None) };
                let known = Known::read(connection, record.username.as_str())?;
                Ok::<_, RecordsError>(known.map(|known| (record, known)))
            })
            .await?
            .filter(|(record, known)| known.user.active && token.is_of(record));
        let Some((record, known)) = found else {
            self.throttle.failed(&token.id, address);
            return Err(AccessError::WrongToken);
        };
        if record.expiration_date.is_some_and(|end| end <= Timestamp::now()) {
            return Err(AccessError::ExpiredToken);
        }
        self.throttle.succeeded(&token.id, address);
        // Once a minute is enough to see which tokens are in use, and spares a commit for every request.
        if record.last_used.is_none_or(|last| last.plus_seconds(60) < Timestamp::now()) {
            self.records.write(move |tx| Records::touch_token(tx, &record.id)).await?;
        }
        Ok(known)
    }

    fn memory_key(&self, username: &str, password: &str, hash: &str) -> [u8; 32] {
        let mut digest = Sha256::new();
        digest.update(self.process_key);
        // The stored hash is part of the key: a changed password forgets the old one by itself.
        for part in [username, password, hash] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
        digest.finalize().into()
    }

    fn is_remembered(&self, key: &[u8; 32]) -> bool {
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.get(key).is_some_and(|since| since.elapsed() < REMEMBER)
    }

    fn remember(&self, key: [u8; 32]) {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.retain(|_, since| since.elapsed() < REMEMBER);
        remembered.insert(key, Instant::now());
    }

    /// Makes the user `admin` with this password where there is no user of that name; answers whether it did.
    ///
    /// # Errors
    /// The records' own.
    pub fn found_admin(&self, password: &str) -> Result<bool, AccessError> {
        let user = User {
            username: UserName::trusted(UserName::ADMIN),
            password_hash: Some(hash_password(password)?),
            role: SystemRole::SysAdmin,
            active: true,
            created_at: Timestamp::now(),
            first_login_at: None,
            last_login_at: None,
        };
        Ok(self.records.database().write_blocking(move |tx| Records::insert_user(tx, &user))?)
    }

    /// The caller `admin`, for a service whose authentication is off.
    ///
    /// # Errors
    /// An unknown tenant; no user `admin`.
    pub async fn as_admin(&self, tenant: Option<&str>) -> Result<Caller, AccessError> {
        let known = self.records.read(|connection| Known::read(connection, UserName::ADMIN)).await?;
        self.caller(known.ok_or(AccessError::NoCredentials)?, tenant).await
    }

    /// Whether the installation has its user `admin` already.
    ///
    /// # Errors
    /// The records' own.
    pub fn has_admin(&self) -> Result<bool, AccessError> {
        Ok(self
            .records
            .database()
            .read_blocking(|connection| Records::user(connection, UserName::ADMIN))?
            .is_some())
    }
}

#[cfg(test)]
mod tests;
