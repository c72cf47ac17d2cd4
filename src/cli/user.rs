//! `lifeboat user`: who may log in to a running service.
//!
//! Passwords come from a prompt, stdin or a file, never from an argument.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use reqwest::Method;
use serde_json::{Value, json};

use super::connection::{Call, ConnectionArgs, Paging, Service, parse_name};
use super::error::CliError;
use super::output::{Output, field, table};
use super::prompt::{self, PasswordSource};

/// `lifeboat user`.
#[derive(Args, Debug)]
pub struct UserArgs {
    #[command(flatten)]
    connection: ConnectionArgs,
    #[command(subcommand)]
    command: UserCommand,
}

/// What to do with users.
#[derive(Subcommand, Debug)]
pub enum UserCommand {
    /// List users
    List(Paging),
    /// Create a user
    #[command(after_help = "Example: lifeboat user create anna --role sys_admin")]
    Create {
        /// The user's name
        #[arg(value_parser = parse_name)]
        name: String,
        /// What the user may do in the whole service
        #[arg(long, value_enum, default_value_t = Role::Default)]
        role: Role,
        #[command(flatten)]
        password: NewPassword,
    },
    /// Give a user another password
    SetPassword {
        /// The user's name
        #[arg(value_parser = parse_name)]
        name: String,
        #[command(flatten)]
        password: NewPassword,
    },
    /// Give a user another role
    SetRole {
        /// The user's name
        #[arg(value_parser = parse_name)]
        name: String,
        /// What the user may do in the whole service
        #[arg(value_enum)]
        role: Role,
    },
    /// Let a user log in again
    Activate {
        /// The user's name
        #[arg(value_parser = parse_name)]
        name: String,
    },
    /// Let a user no longer log in
    Deactivate {
        /// The user's name
        #[arg(value_parser = parse_name)]
        name: String,
    },
    /// Delete a user
    Delete {
        /// The user's name
        #[arg(value_parser = parse_name)]
        name: String,
    },
}

/// A role in the whole service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub enum Role {
    /// May do everything.
    SysAdmin,
    /// May do what the roles in tenants allow.
    Default,
}

impl Role {
    fn as_str(self) -> &'static str {
        match self {
            Self::SysAdmin => "sys_admin",
            Self::Default => "default",
        }
    }
}

/// Where a new password comes from; asked for on a terminal without either.
#[derive(Args, Debug)]
pub struct NewPassword {
    /// Read the new password from the first line of stdin
    #[arg(long)]
    password_stdin: bool,
    /// Read the new password from the first line of a file
    #[arg(long, value_name = "FILE", conflicts_with = "password_stdin")]
    new_password_file: Option<PathBuf>,
}

impl NewPassword {
    fn read(&self, name: &str) -> Result<Value, CliError> {
        let source = match &self.new_password_file {
            Some(path) => PasswordSource::File(path),
            None if self.password_stdin => PasswordSource::Stdin,
            None if prompt::can_ask() => PasswordSource::Prompt,
            None => {
                let reason = "pass --password-stdin or --new-password-file where nobody can be asked";
                return Err(CliError::usage(format!("set the password of `{name}`"), reason));
            }
        };
        Ok(prompt::new_password(&source, name)?.as_str().into())
    }
}

/// Runs a `user` command.
pub fn run(args: UserArgs) -> Result<(), CliError> {
    let output = Output::new(args.connection.json);
    let service = Service::connect(&args.connection)?;
    match args.command {
        UserCommand::List(paging) => list(&service, &output, paging),
        UserCommand::Create { name, role, password } => {
            let body = json!({ "username": name, "password": password.read(&name)?, "role": role.as_str() });
            let call = Call::new(Method::PUT, format!("create user `{name}`"), &["users"]).body(body);
            done(&service, &output, call, &format!("user `{name}` is created"))
        }
        UserCommand::SetPassword { name, password } => {
            let body = json!({ "password": password.read(&name)? });
            let call = Call::new(Method::POST, format!("set the password of `{name}`"), &["users", &name])
                .body(body);
            done(&service, &output, call, &format!("the password of `{name}` is set"))
        }
        UserCommand::SetRole { name, role } => {
            let call = Call::new(Method::POST, format!("set the role of `{name}`"), &["users", &name])
                .body(json!({ "role": role.as_str() }));
            done(&service, &output, call, &format!("the role of `{name}` is {}", role.as_str()))
        }
        UserCommand::Activate { name } => set_active(&service, &output, &name, "activate"),
        UserCommand::Deactivate { name } => set_active(&service, &output, &name, "deactivate"),
        UserCommand::Delete { name } => {
            let call = Call::new(Method::DELETE, format!("delete user `{name}`"), &["users", &name]);
            done(&service, &output, call, &format!("user `{name}` is deleted"))
        }
    }
}

fn set_active(service: &Service, output: &Output, name: &str, action: &str) -> Result<(), CliError> {
    let call = Call::new(Method::POST, format!("{action} user `{name}`"), &["users", "active", name])
        .body(json!({ "action": action }));
    done(service, output, call, &format!("user `{name}` is {action}d"))
}

fn done(service: &Service, output: &Output, call: Call, success: &str) -> Result<(), CliError> {
    let user = service.call(call)?;
    output.show(&user, |_| success.to_owned());
    Ok(())
}

fn list(service: &Service, output: &Output, paging: Paging) -> Result<(), CliError> {
    let listing = service.list(Call::get("list the users", &["users"]).query("_get_data", "true"), paging)?;
    output.show(&listing.items, |items| {
        let rows = items.iter().map(|user| {
            vec![
                field(user, "username"),
                field(user, "role"),
                field(user, "active"),
                tenants(user),
                field(user, "last_login_at"),
            ]
        });
        let header = ["NAME", "ROLE", "ACTIVE", "TENANTS", "LAST LOGIN"];
        format!("{}\n\n{} of {} users", table(&header, rows.collect()), items.len(), listing.total)
    });
    Ok(())
}

/// The tenants of a user by name where the answer has names, else how many there are.
fn tenants(user: &Value) -> String {
    match &user["tenants"] {
        Value::Object(tenants) => tenants.keys().cloned().collect::<Vec<_>>().join(", "),
        _ => field(user, "tenants"),
    }
}
