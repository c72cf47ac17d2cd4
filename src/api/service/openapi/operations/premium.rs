//! What belongs to Cloudify's premium edition.

use crate::api::ErrorCode;
use crate::api::cloudify::permissions::{
    BROKER_MANAGE, COMMUNITY_CONTACT_CREATE, LDAP_SET, LICENSE_REMOVE, LICENSE_UPLOAD, MANAGER_MANAGE,
    SECRETS_PROVIDER_CREATE, SECRETS_PROVIDER_DELETE, SECRETS_PROVIDER_GET, SECRETS_PROVIDER_LIST,
    SECRETS_PROVIDER_UPDATE,
};
use crate::model::Permission;

use super::super::operation::Method::{self, Delete, Get, Patch, Post, Put};
use super::super::operation::{Answer, Operation, call};

/// The calls that are refused as those of the premium edition.
pub(super) fn operations() -> Vec<Operation> {
    vec![
        refused(
            Post,
            "/managers",
            "Add a manager to a cluster: there is none.",
            MANAGER_MANAGE,
            "a cluster of managers",
        ),
        refused(
            Put,
            "/managers/{hostname}",
            "Change a manager of a cluster: there is none.",
            MANAGER_MANAGE,
            "a cluster of managers",
        ),
        refused(
            Delete,
            "/managers/{hostname}",
            "Remove a manager from a cluster: there is none.",
            MANAGER_MANAGE,
            "a cluster of managers",
        ),
        refused(
            Post,
            "/brokers",
            "Add a broker to a cluster: there is none.",
            BROKER_MANAGE,
            "a cluster of managers",
        ),
        refused(
            Put,
            "/brokers/{name}",
            "Change a broker of a cluster: there is none.",
            BROKER_MANAGE,
            "a cluster of managers",
        ),
        refused(
            Delete,
            "/brokers/{name}",
            "Remove a broker from a cluster: there is none.",
            BROKER_MANAGE,
            "a cluster of managers",
        ),
        refused(
            Post,
            "/db-nodes",
            "Look for the machines of a cluster's database: there is none.",
            MANAGER_MANAGE,
            "a cluster of managers",
        ),
        refused(
            Post,
            "/ldap",
            "Let a directory server tell who users are: there is none.",
            LDAP_SET,
            "a directory server (LDAP)",
        ),
        refused(
            Put,
            "/license",
            "Upload a license: the community edition has none.",
            LICENSE_UPLOAD,
            "a license",
        ),
        refused(
            Post,
            "/license",
            "Keep the license of a contact: the community edition has none.",
            LICENSE_UPLOAD,
            "a license",
        ),
        refused(
            Delete,
            "/license",
            "Remove the license: the community edition has none.",
            LICENSE_REMOVE,
            "a license",
        ),
        refused(
            Get,
            "/secrets-providers",
            "List providers of secrets: there are none.",
            SECRETS_PROVIDER_LIST,
            "providers of secrets",
        ),
        refused(
            Put,
            "/secrets-providers",
            "Create or try a provider of secrets: there are none.",
            SECRETS_PROVIDER_CREATE,
            "providers of secrets",
        ),
        refused(
            Get,
            "/secrets-providers/{name}",
            "Get a provider of secrets: there are none.",
            SECRETS_PROVIDER_GET,
            "providers of secrets",
        ),
        refused(
            Patch,
            "/secrets-providers/{name}",
            "Change a provider of secrets: there are none.",
            SECRETS_PROVIDER_UPDATE,
            "providers of secrets",
        ),
        refused(
            Delete,
            "/secrets-providers/{name}",
            "Delete a provider of secrets: there are none.",
            SECRETS_PROVIDER_DELETE,
            "providers of secrets",
        ),
        refused(
            Post,
            "/contacts",
            "Register with the maker of Cloudify: nothing is sent to anybody.",
            COMMUNITY_CONTACT_CREATE,
            "a registration",
        ),
    ]
}

fn refused(
    method: Method,
    path: &'static str,
    summary: &'static str,
    permission: Permission,
    what: &str,
) -> Operation {
    let message = format!(
        "This manager is of the community edition: it has no use for {what}, which is a matter of the premium edition"
    );
    let mut call = call(method, path, summary).needs(permission).fails(
        ErrorCode::MissingPremiumPackage,
        "Always.",
        message,
    );
    if path.contains('{') {
        call = call.of("Its name.", "lifeboat");
    }
    call.answer = Answer::Never;
    call
}
