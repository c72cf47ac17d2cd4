//! What can be wrong with a blueprint or with a deployment of it.
//!
//! The messages are written for whoever sent the blueprint: they name the
//! file, the section and the value. They carry no path of the server.

use std::collections::HashMap;
use std::io;

/// Why a blueprint archive or a blueprint was refused.
#[derive(Debug, thiserror::Error)]
pub enum BlueprintError {
    /// The bytes are no archive of a kind that is read here.
    #[error("blueprint archive is {found}; send a .tar.gz, .tgz, .tar or .zip")]
    UnsupportedArchive {
        /// What the bytes look like.
        found: String,
    },
    /// The archive is damaged, or reading it failed.
    #[error("failed to read the blueprint archive")]
    ReadArchive {
        /// What the reader said.
        source: io::Error,
    },
    /// An entry has a name or a kind that must not be trusted.
    #[error("entry `{name}` of the blueprint archive {problem}")]
    UnsafeEntry {
        /// The name as written in the archive, shortened.
        name: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// The archive or the blueprint grows past a limit.
    #[error("{what} exceeds the limit of {limit}")]
    TooLarge {
        /// What grew.
        what: String,
        /// The limit, with its unit.
        limit: String,
    },
    /// The archive does not hold the file that was asked for.
    #[error(
        "`{file}` does not exist in the application directory; name the main file with `application_file_name`"
    )]
    MissingFile {
        /// The file, relative to the folder of the application.
        file: String,
    },
    /// A file is not YAML, or not YAML that a blueprint can be.
    #[error("failed to parse `{file}`, line {line}: {problem}")]
    Yaml {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What the YAML reader said.
        problem: String,
    },
    /// An import cannot be followed.
    #[error("import `{import}` in `{file}` failed: {problem}")]
    Import {
        /// The importing file.
        file: String,
        /// The import as written.
        import: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A definition breaks a rule of the blueprint language.
    #[error("invalid blueprint: {}{section}{}: {problem}", in_file(.file), under(.name))]
    Invalid {
        /// The file that the definition comes from, where known.
        file: Option<String>,
        /// The section, e.g. `node_templates`.
        section: String,
        /// The name of the definition within the section; empty for the section itself.
        name: String,
        /// What is wrong with it.
        problem: String,
    },
}

fn in_file(file: &Option<String>) -> String {
    file.as_ref().map(|file| format!("`{file}`, ")).unwrap_or_default()
}

fn under(name: &str) -> String {
    if name.is_empty() { String::new() } else { format!(" `{name}`") }
}

impl BlueprintError {
    /// Says what is wrong with `name` of `section`; the file is added by [`Self::located`].
    pub(super) fn invalid(section: &str, name: &str, problem: impl Into<String>) -> Self {
        Self::Invalid {
            file: None,
            section: section.to_owned(),
            name: name.to_owned(),
            problem: problem.into(),
        }
    }

    /// Adds the file that a definition comes from, where it is known.
    pub(super) fn located(mut self, origins: &Origins) -> Self {
        if let Self::Invalid { file: file @ None, section, name, .. } = &mut self {
            *file = origins.file(section, name).map(str::to_owned);
        }
        self
    }

    /// The error code that Cloudify's clients know for this kind of problem.
    ///
    /// All of them go out with HTTP status 400.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnsupportedArchive { .. }
            | Self::ReadArchive { .. }
            | Self::UnsafeEntry { .. }
            | Self::MissingFile { .. } => "bad_parameters_error",
            Self::TooLarge { .. } | Self::Yaml { .. } | Self::Import { .. } | Self::Invalid { .. } => {
                "invalid_blueprint_error"
            }
        }
    }
}

/// Which file each definition of a merged blueprint comes from.
#[derive(Debug, Default)]
pub(super) struct Origins {
    files: HashMap<(String, String), String>,
}

impl Origins {
    pub(super) fn insert(&mut self, section: &str, name: &str, file: &str) {
        self.files.insert((section.to_owned(), name.to_owned()), file.to_owned());
    }

    fn file(&self, section: &str, name: &str) -> Option<&str> {
        // A place may be finer than a definition (`host.relationships`).
        let first = name.split('.').next().unwrap_or(name);
        [name, first, ""]
            .iter()
            .find_map(|name| self.files.get(&(section.to_owned(), (*name).to_owned())).map(String::as_str))
    }
}

/// Why a deployment of a blueprint cannot be planned.
#[derive(Debug, thiserror::Error)]
pub enum DeploymentError {
    /// Inputs without default were not given. Clients know the message in this form.
    #[error("Required inputs {} were not specified - expected inputs: {}", quoted(.missing), quoted(.expected))]
    MissingInputs {
        /// The inputs that lack a value.
        missing: Vec<String>,
        /// All inputs of the blueprint.
        expected: Vec<String>,
    },
    /// Inputs were given that the blueprint does not have.
    #[error("Unknown inputs {} specified - expected inputs: {}", quoted(.unknown), quoted(.expected))]
    UnknownInputs {
        /// The inputs that the blueprint lacks.
        unknown: Vec<String>,
        /// All inputs of the blueprint.
        expected: Vec<String>,
    },
    /// The value of an input is not of its type.
    #[error("input `{input}`: {problem}")]
    InputType {
        /// The input.
        input: String,
        /// What its type asks for.
        problem: String,
    },
    /// The value of an input breaks a constraint.
    #[error("input `{input}`: {problem}")]
    Constraint {
        /// The input.
        input: String,
        /// The constraint, and what it asks for; never the value, which may be a secret.
        problem: String,
    },
    /// A function of the blueprint cannot be evaluated.
    #[error("failed to evaluate `{function}` in `{place}`: {problem}")]
    Function {
        /// The function, e.g. `get_property`.
        function: String,
        /// Where it stands, e.g. `nodes.app.properties.title`.
        place: String,
        /// What is wrong.
        problem: String,
    },
    /// The plan lacks something, or grows past a limit.
    #[error("deployment cannot be created: {0}")]
    Plan(String),
}

impl DeploymentError {
    /// The error code that Cloudify's clients know for this kind of problem.
    ///
    /// All of them go out with HTTP status 400.
    pub fn code(&self) -> &'static str {
        match self {
            Self::MissingInputs { .. } => "missing_required_deployment_input_error",
            Self::UnknownInputs { .. } => "unknown_deployment_input_error",
            Self::InputType { .. } | Self::Function { .. } => "deployment_input_evaluation_error",
            Self::Constraint { .. } => "constraint_error",
            Self::Plan(_) => "deployment_creation_error",
        }
    }
}

/// Names in the form `['a', 'b']` that the clients are used to.
fn quoted(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    format!("[{}]", names.join(", "))
}
