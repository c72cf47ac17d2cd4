//! The steps of one instance: which operations a workflow runs, in which order,
//! and what its events say.
//!
//! States and messages are those that Cloudify's own workflows give, for people
//! and programs watch for them.

use serde_json::Value;

use super::lifecycle::{LifecycleStep, View};

pub(super) const START: &str = "cloudify.interfaces.lifecycle.start";
pub(super) const STOP: &str = "cloudify.interfaces.lifecycle.stop";
const HOST: &str = "cloudify.nodes.Compute";

/// Builds the steps of one instance.
struct Builder<'v, 'a> {
    view: &'v View<'a>,
    steps: Vec<LifecycleStep>,
    /// Whether any operation is mapped.
    does_something: bool,
}

impl<'v, 'a> Builder<'v, 'a> {
    fn new(view: &'v View<'a>) -> Self {
        Self { view, steps: Vec::new(), does_something: false }
    }

    fn step(&self) -> LifecycleStep {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        LifecycleStep {
            node_instance_id: text(&self.view.instance["id"]),
            node_id: text(&self.view.node["id"]),
            ..LifecycleStep::default()
        }
    }

    fn state(&mut self, state: &'static str) {
        let step = self.step();
        self.steps.push(LifecycleStep { state_after: Some(state), ..step });
    }

    fn state_and_event(&mut self, state: &'static str, message: &str) {
        let step = self.step();
        self.steps.push(LifecycleStep {
            message_after: Some(message.to_owned()),
            state_after: Some(state),
            ..step
        });
    }

    fn event(&mut self, message: &str) {
        let step = self.step();
        self.steps.push(LifecycleStep { message_before: Some(message.to_owned()), ..step });
    }

    /// An operation of the node, or the event that there is nothing to do.
    fn operation(&mut self, name: &str, form: Form) {
        let mut step = self.step();
        step.operation = Some(name.to_owned());
        match mapped(&self.view.node["operations"], name) {
            Some((plugin, task)) => {
                self.does_something = true;
                step.has_operation = true;
                step.plugin = Some(plugin);
                step.task = Some(task);
                step.state_before = form.states.map(|(before, _)| before);
                step.state_after = form.states.and_then(|(_, after)| after);
                step.message_before = form.before.map(str::to_owned);
                step.message_after = form.after.map(str::to_owned);
            }
            None => match form.otherwise {
                Some(message) => step.message_before = Some(message.to_owned()),
                None => return,
            },
        }
        self.steps.push(step);
    }

    /// An operation of all links of the instance, at both ends, where it is mapped.
    fn links(&mut self, operation: &str, before: &str, after: &str, is_reversed: bool) {
        let name = format!("cloudify.interfaces.relationship_lifecycle.{operation}");
        let mut steps = Vec::new();
        for (link, target) in &self.view.links {
            for side in ["source_operations", "target_operations"] {
                if let Some((plugin, task)) = mapped(&link[side], &name) {
                    steps.push(LifecycleStep {
                        operation: Some(name.clone()),
                        has_operation: true,
                        plugin: Some(plugin),
                        task: Some(task),
                        target_instance_id: Some((*target).to_owned()),
                        ..self.step()
                    });
                }
            }
        }
        if is_reversed {
            steps.reverse();
        }
        if let Some(first) = steps.first_mut() {
            self.does_something = true;
            first.message_before = Some(before.to_owned());
        }
        if let Some(last) = steps.last_mut() {
            last.message_after = Some(after.to_owned());
        }
        self.steps.extend(steps);
    }

    /// Whether an agent is to be on this host.
    fn has_agent(&self) -> bool {
        let is_host = self.view.node["type_hierarchy"]
            .as_array()
            .is_some_and(|types| types.iter().any(|name| name == HOST));
        let properties = &self.view.node["properties"];
        let method = &properties["agent_config"]["install_method"];
        is_host && properties["install_agent"] != false && method.is_string() && method != "none"
    }
}

/// How an operation shows in states and events.
#[derive(Default, Clone, Copy)]
struct Form {
    states: Option<(&'static str, Option<&'static str>)>,
    before: Option<&'static str>,
    after: Option<&'static str>,
    /// What is said where nothing is mapped.
    otherwise: Option<&'static str>,
}

fn form(before: &'static str, after: &'static str) -> Form {
    Form { before: Some(before), after: Some(after), ..Form::default() }
}

/// The plugin and the task that an operation is mapped to.
fn mapped(operations: &Value, name: &str) -> Option<(String, String)> {
    let operation = &operations[name];
    let plugin = operation["plugin"].as_str().filter(|plugin| !plugin.is_empty())?;
    let task = operation["operation"].as_str().unwrap_or_default();
    Some((plugin.to_owned(), task.to_owned()))
}

fn lifecycle(operation: &str) -> String {
    format!("cloudify.interfaces.lifecycle.{operation}")
}

/// Brings an instance from its state to `started`.
pub(super) fn install(view: &View<'_>) -> Vec<LifecycleStep> {
    let mut builder = Builder::new(view);
    if !view.is_chosen {
        builder.links("establish", "Establishing relationships", "Relationships established", false);
        return builder.steps;
    }
    let is_past = |states: &[&str]| states.contains(&view.state);
    builder.state("initializing");
    if !is_past(&["started", "starting", "created", "creating", "configured", "configuring"]) {
        builder.operation(
            "cloudify.interfaces.validation.create",
            Form {
                otherwise: Some("Validating node instance before creation: nothing to do"),
                ..form("Validating node instance before creation", "Node instance validated before creation")
            },
        );
        builder.operation(
            &lifecycle("precreate"),
            Form {
                otherwise: Some("Precreating node instance: nothing to do"),
                ..form("Precreating node instance", "Node instance precreated")
            },
        );
    }
    if !is_past(&["started", "starting", "created", "configuring", "configured"]) {
        builder.operation(
            &lifecycle("create"),
            Form {
                states: Some(("creating", Some("created"))),
                otherwise: Some("Creating node instance: nothing to do"),
                ..form("Creating node instance", "Node instance created")
            },
        );
    }
    if !is_past(&["started", "starting", "configured"]) {
        builder.links("preconfigure", "Pre-configuring relationships", "Relationships pre-configured", false);
        builder.operation(
            &lifecycle("configure"),
            Form {
                states: Some(("configuring", Some("configured"))),
                otherwise: Some("Configuring node instance: nothing to do"),
                ..form("Configuring node instance", "Node instance configured")
            },
        );
    }
    if !is_past(&["started"]) {
        builder.links(
            "postconfigure",
            "Post-configuring relationships",
            "Relationships post-configured",
            false,
        );
        builder.operation(
            START,
            Form {
                states: Some(("starting", None)),
                before: Some("Starting node instance"),
                otherwise: Some("Starting node instance: nothing to do"),
                ..Form::default()
            },
        );
        if builder.has_agent() {
            builder.operation(
                "cloudify.interfaces.cloudify_agent.create",
                form("Creating agent", "Agent created"),
            );
        }
        builder.operation(
            &lifecycle("poststart"),
            Form {
                otherwise: Some("Poststarting node instance: nothing to do"),
                ..form("Poststarting node instance", "Node instance poststarted")
            },
        );
        builder.operation("cloudify.interfaces.monitoring.start", Form::default());
        builder.links("establish", "Establishing relationships", "Relationships established", false);
    }
    if !builder.does_something {
        builder.steps.clear();
        builder.state_and_event("started", "Node instance started (nothing to do)");
    } else {
        builder.state_and_event("started", "Node instance started");
    }
    builder.steps
}

/// Brings an instance from its state to `deleted`.
pub(super) fn uninstall(view: &View<'_>) -> Vec<LifecycleStep> {
    let mut builder = Builder::new(view);
    if !view.is_chosen {
        builder.links("unlink", "Unlinking relationships", "Relationships unlinked", true);
        return builder.steps;
    }
    let is_past = |states: &[&str]| states.contains(&view.state);
    if is_past(&["stopped", "deleting", "deleted", "uninitialized", "configured"]) {
        builder.event(&format!("Stop: instance already {}", view.state));
    } else {
        let step = builder.step();
        builder.steps.push(LifecycleStep {
            state_before: Some("stopping"),
            message_before: Some("Stopping node instance".to_owned()),
            ..step
        });
        builder.operation(
            "cloudify.interfaces.validation.delete",
            Form {
                otherwise: Some("Validating node instance after deletion: nothing to do"),
                ..form("Validating node instance before deletion", "Node instance validated before deletion")
            },
        );
        builder.operation("cloudify.interfaces.monitoring.stop", Form::default());
        builder
            .operation(&lifecycle("prestop"), form("Prestopping node instance", "Node instance prestopped"));
        if builder.has_agent() {
            builder.operation(
                "cloudify.interfaces.cloudify_agent.stop",
                form("Stopping agent", "Agent stopped"),
            );
            builder.operation(
                "cloudify.interfaces.cloudify_agent.delete",
                form("Deleting agent", "Agent deleted"),
            );
        }
        builder.operation(
            STOP,
            Form {
                after: Some("Stopped node instance"),
                otherwise: Some("Stopped node instance: nothing to do"),
                ..Form::default()
            },
        );
    }
    if !is_past(&["stopped", "deleting", "deleted"]) {
        builder.state("stopped");
    }
    if is_past(&["deleted", "uninitialized"]) {
        builder.event(&format!("Delete: instance already {}", view.state));
    } else {
        builder.links("unlink", "Unlinking relationships", "Relationships unlinked", true);
        builder.operation(
            &lifecycle("delete"),
            Form {
                states: Some(("deleting", None)),
                before: Some("Deleting node instance"),
                otherwise: Some("Deleting node instance: nothing to do"),
                ..Form::default()
            },
        );
        builder.operation(
            &lifecycle("postdelete"),
            form("Postdeleting node instance", "Node instance postdeleted"),
        );
    }
    if !is_past(&["deleted"]) {
        builder.state_and_event("deleted", "Deleted node instance");
    }
    builder.steps
}

/// Runs one operation, where the node has it; the state stays.
pub(super) fn execute(view: &View<'_>, name: &str) -> Vec<LifecycleStep> {
    let operation = &view.node["operations"][name];
    if !view.is_chosen || operation.is_null() {
        return Vec::new();
    }
    let builder = Builder::new(view);
    let found = mapped(&view.node["operations"], name);
    vec![LifecycleStep {
        message_before: Some(format!("Starting operation {name}")),
        operation: Some(name.to_owned()),
        has_operation: found.is_some(),
        plugin: found.as_ref().map(|(plugin, _)| plugin.clone()),
        task: found.map(|(_, task)| task),
        message_after: Some(format!("Finished operation {name}")),
        ..builder.step()
    }]
}
