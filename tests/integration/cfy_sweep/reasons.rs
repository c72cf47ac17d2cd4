//! What the sweep does not run, and why.

use super::Sweep;

const PROVIDERS: &str = "is of the premium edition, as `secrets providers list` shows";
const EVERYWHERE: &str = "every command has it, and it asks nothing of the manager";
const TLS: &str = "needs a manager behind TLS";
const SSH: &str = "is of the manager's machine, not of its API";
const NOBODY: &str = "leaves a profile by which nobody is known";
const LOCAL: &str = "is of blueprints that run without a manager";
const GROUPS: &str = "belongs to the tests of groups";
const STEPS: &str = "chooses steps of an update, which belong to its tests";
const SCHEMA: &str = "belongs to the tests of secrets";

/// Commands that are not run.
const COMMANDS: &[(&str, &str)] = &[
    ("agents install", "puts agents on remote machines"),
    ("agents validate", "asks agents on remote machines"),
    ("secrets providers create", PROVIDERS),
    ("secrets providers delete", PROVIDERS),
    ("secrets providers get", PROVIDERS),
    ("secrets providers test", PROVIDERS),
    ("secrets providers update", PROVIDERS),
];

/// Options that are given to none of the commands that have them: how a command's line ends, or the whole of it.
const OPTIONS: &[(&str, &str)] = &[
    ("format", EVERYWHERE),
    ("json", EVERYWHERE),
    ("manager", EVERYWHERE),
    ("quiet", EVERYWHERE),
    ("verbose", EVERYWHERE),
    ("kerberos_env", "needs a Kerberos server"),
    ("rest_certificate", TLS),
    ("ldap set ldap_ca_path", TLS),
    ("profiles use ssl", TLS),
    ("include_keys", SSH),
    ("profiles use ssh_key", SSH),
    ("profiles use ssh_port", SSH),
    ("profiles use ssh_user", SSH),
    ("profiles use manager_token", "as `profiles set` takes it"),
    ("profiles use skip_credentials_validation", "as `profiles set` takes it"),
    ("profiles unset manager_password", NOBODY),
    ("profiles unset manager_tenant", NOBODY),
    ("profiles unset manager_username", NOBODY),
    ("profiles unset skip_credentials_validation", NOBODY),
    ("init blueprint_filename", LOCAL),
    ("init blueprint_id", LOCAL),
    ("init hard", LOCAL),
    ("init inputs", LOCAL),
    ("init install_plugins", LOCAL),
    ("apply validate", "as `blueprints upload` takes it"),
    ("install validate", "as `blueprints upload` takes it"),
    ("plugins upload icon_path", "the client looks for the icon by an address"),
    ("secrets create secret_schema", SCHEMA),
    ("secrets create secret_flag_dict", SCHEMA),
    ("secrets create secret_flag_list", SCHEMA),
    ("provider_name", PROVIDERS),
    ("provider_options", PROVIDERS),
    ("secrets list provider", PROVIDERS),
    ("deployments delete force", GROUPS),
    ("deployments groups delete delete_deployments", GROUPS),
    ("deployments groups delete force", GROUPS),
    ("deployments groups delete recursive", GROUPS),
    ("deployments groups delete with_logs", GROUPS),
    ("force_reinstall", STEPS),
    ("reinstall_list", STEPS),
    ("deployments update workflow_id", STEPS),
    ("deployments update drift_only", STEPS),
    ("deployments groups update-deployments workflow_id", STEPS),
    ("apply workflow_id", STEPS),
    ("apply dont_skip_reinstall", STEPS),
    ("deployments update blueprint_filename", "is refused with a path, as `-p` shows"),
    ("deployments schedule update weekdays", "as `deployments schedule create` takes it"),
    ("executions groups set-concurrency tenant_name", "as `executions groups cancel` takes it"),
    ("plugins upload private_resource", "as `blueprints upload` takes it"),
    ("secrets providers list extended_view", PROVIDERS),
    ("executions delete before", "a time that the client reckons itself"),
    ("events delete before", "a time that the client reckons itself"),
    ("executions summary group_id", "belongs to the tests of groups"),
    ("nodes list run_checks", "starts a workflow that asks remote machines"),
    ("uninstall recursive", "a parameter that the workflow has to declare"),
    ("deployments summary group_id", "belongs to the tests of groups"),
];

/// Holds what was not run against the lists.
pub(super) fn hold(sweep: &mut Sweep, commands: &[String], options: &[String]) {
    for command in commands {
        let is_known = COMMANDS.iter().any(|(name, _)| name == command);
        sweep.claim(&format!("`cfy {command}` is run, or listed with a reason"), is_known);
    }
    for option in options {
        let is_known =
            OPTIONS.iter().any(|(name, _)| option == name || option.ends_with(&format!(" {name}")));
        sweep.claim(&format!("the option `{option}` is given once, or listed with a reason"), is_known);
    }
    for (name, _) in COMMANDS {
        let is_left = commands.iter().any(|command| command == name);
        sweep.claim(&format!("`cfy {name}` is there and not run, as is said"), is_left);
    }
}
