//! A state from a seed: every kind of entity, by the calls with which users make it.
//!
//! What an entity of some kind looks like is decided by chance; how many there are at the most, by the [`Size`].

use reqwest::Method;
use serde_json::{Value, json};

use super::super::material::{form, wagon};
use super::super::{Api, eventually, now};
use super::blueprints::{MAIN_FILE, blueprint};
use super::{Dice, accounts, charts, flows, many};

/// How much there is in a state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Nothing but what a new manager has.
    Empty,
    /// One tenant with a little of everything.
    Small,
    /// One tenant with something of every kind, whatever chance says, and not much more.
    Whole,
    /// Several tenants, the first of which is whole.
    Full,
}

impl Size {
    /// The most entities of one kind in one tenant.
    fn most(self) -> usize {
        match self {
            Self::Empty => 0,
            Self::Small | Self::Whole => 2,
            Self::Full => 3,
        }
    }

    /// Whether the first tenant has something of every kind.
    fn is_whole(self) -> bool {
        match self {
            Self::Empty | Self::Small => false,
            Self::Whole | Self::Full => true,
        }
    }
}

/// Fills a manager as `api` says, which calls as an administrator. The same seed does the same, but for ids and times.
pub fn generate(api: &Api, seed: u64, size: Size) {
    if size == Size::Empty {
        return;
    }
    let mut dice = Dice::new(seed);
    let mut tenants = vec!["default_tenant".to_owned()];
    if size == Size::Full {
        for number in 0..dice.between(1, 2) {
            let name = dice.id(number);
            api.post(&format!("tenants/{name}"), &json!({})).expect(201);
            tenants.push(name);
        }
    }
    accounts::accounts(api, &tenants, size.is_whole(), &mut dice);
    let mut numbers = 0..;
    for (index, tenant) in tenants.iter().enumerate() {
        Tenant {
            api: api.clone().tenant(tenant),
            name: tenant,
            is_whole: size.is_whole() && index == 0,
            numbers: &mut numbers,
            size,
            dice: &mut dice,
        }
        .fill();
    }
}

struct Tenant<'a> {
    api: Api,
    name: &'a str,
    /// Whether it has something of every kind.
    is_whole: bool,
    numbers: &'a mut std::ops::RangeFrom<usize>,
    size: Size,
    dice: &'a mut Dice,
}

impl Tenant<'_> {
    fn fill(mut self) {
        let most = self.size.most();
        for number in 0..self.some(most) {
            self.secret(self.is_whole && number == 0);
        }
        for _ in 0..self.some(most - 1) {
            self.plugin();
        }
        let sites: Vec<String> = (0..self.some(most)).map(|_| self.site()).collect();
        for _ in 0..self.some(most) {
            self.filter();
        }
        let mut deployments = Vec::new();
        for number in 0..self.dice.between(1, most) {
            deployments.extend(self.blueprint(self.is_whole && number == 0));
        }
        if self.happens(30) {
            self.broken_blueprint();
        }
        self.settle();
        for (deployment, has_workflows) in &deployments {
            if !sites.is_empty() && self.happens(60) {
                let body = json!({ "site_name": self.dice.pick(&sites) });
                self.api.post(&format!("deployments/{deployment}/set-site"), &body).expect(200);
            }
            self.deployed(deployment, *has_workflows);
        }
        many::dependencies(&self.api, &deployments, self.is_whole, self.dice);
        many::groups(&self.api, &deployments, self.is_whole, self.dice);
        for (deployment, _) in &deployments {
            if self.happens(30) {
                many::deployment_update(&self.api, deployment, self.dice);
            }
        }
        for (deployment, _) in &deployments {
            if self.happens(50) {
                many::modification(&self.api, deployment, self.dice);
            }
        }
        if self.happens(40) {
            many::plugins_updates(&self.api, self.dice);
        }
        self.settle();
        for number in 0..self.some(most) {
            flows::flow(&self.api, self.name, self.is_whole && number == 0, self.dice);
        }
        let least = usize::from(self.is_whole);
        charts::charts(&self.api, (least, most), now(), self.dice);
        self.forget(&deployments);
    }

    /// How many there are of a kind.
    fn some(&mut self, most: usize) -> usize {
        self.dice.between(usize::from(self.is_whole), most)
    }

    /// Whether something is there that is so in so many of a hundred tenants.
    fn happens(&mut self, percent: usize) -> bool {
        self.dice.chance(percent) || self.is_whole
    }

    fn id(&mut self) -> String {
        let number = self.numbers.next().unwrap();
        self.dice.id(number)
    }

    fn visibility(&mut self) -> &'static str {
        self.dice.pick::<&str>(&["tenant", "tenant", "private", "global"])
    }

    /// A secret, perhaps one whose value is judged by a schema.
    fn secret(&mut self, has_schema: bool) {
        let (id, visibility) = (self.id(), self.visibility());
        let (schema, [value, later]) = match self.dice.chance(30) || has_schema {
            true => self.dice.schema(),
            false => (Value::Null, [json!(self.dice.text()), json!(self.dice.text())]),
        };
        let body = json!({
            "value": value, "schema": schema, "visibility": visibility, "is_hidden_value": self.dice.chance(20)
        });
        self.api.put(&format!("secrets/{id}"), &body).expect(200);
        if self.dice.chance(30) {
            self.api.patch(&format!("secrets/{id}"), &json!({ "value": later })).expect(200);
        }
    }

    fn plugin(&mut self) {
        let number = self.numbers.next().unwrap();
        let archive = wagon(&format!("plugin-{number}"), &format!("{}.{}", number, self.dice.below(9)));
        let path = format!("plugins?title=p{number}&visibility={}", self.visibility());
        let made = self.api.send(self.api.request(Method::POST, &path).body(archive)).expect(201);
        if self.dice.chance(50) {
            let labels = json!({ "labels": { "env": [self.dice.label()] }, "resource_tags": { "a": ["b"] } });
            self.api.patch(&format!("plugins/{}", made["id"].as_str().unwrap()), &labels).expect(200);
        }
    }

    /// A site that deployments of the tenant may stand at; gives its name.
    fn site(&mut self) -> String {
        let name = self.id();
        let location =
            self.dice.pick(&[json!(null), json!("32.071072,34.787274"), json!("-90,1e-7")]).clone();
        let visibility = self.dice.pick::<&str>(&["tenant", "global"]);
        let body = json!({ "location": location, "visibility": visibility });
        self.api.put(&format!("sites/{name}"), &body).expect(200);
        name
    }

    fn filter(&mut self) {
        let rules = json!([
            { "key": "key0", "values": [self.dice.label(), "x"], "operator": "is_not", "type": "label" },
            { "key": "created_by", "values": ["a%_"], "operator": "starts_with", "type": "attribute" },
        ]);
        let resource = self.dice.pick(&["blueprints", "deployments"]);
        let (id, visibility) = (self.id(), self.visibility());
        let body = json!({ "filter_rules": rules, "visibility": visibility });
        self.api.put(&format!("filters/{resource}/{id}"), &body).expect(200);
    }

    fn labels(&mut self) -> Value {
        (0..self.dice.below(3)).map(|number| json!({ format!("key{number}"): self.dice.label() })).collect()
    }

    /// Uploads a blueprint, and asks for deployments of it; gives their ids and whether they have workflows. Of one that
    /// serves, there are two with workflows and nodes.
    fn blueprint(&mut self, serves: bool) -> Vec<(String, bool)> {
        let blueprint = blueprint(serves, self.dice);
        let id = self.id();
        let parameters = json!({
            "application_file_name": MAIN_FILE, "visibility": self.visibility(), "labels": self.labels()
        });
        let (content_type, body) = form(&[
            ("params", None, parameters.to_string().as_bytes()),
            ("blueprint_archive", Some("filename"), &blueprint.archive),
        ]);
        let request = self.api.request(Method::PUT, &format!("blueprints/{id}"));
        let made = self.api.send(request.header("Content-Type", content_type).body(body)).expect(201);
        assert_eq!(made["state"], "uploaded", "{:#}", made["error"]);
        if self.dice.chance(30) {
            let icon = [b"\x89PNG\r\n\x1a\n".as_slice(), self.dice.text().as_bytes()].concat();
            let request = self.api.request(Method::PATCH, &format!("blueprints/{id}/icon"));
            self.api.send(request.body(icon)).expect(200);
        }
        let mut deployments = Vec::new();
        for which in 0..self.dice.between(if serves { 2 } else { 0 }, 2) {
            let number = self.numbers.next().unwrap();
            let deployment = self.dice.deployment_id(number, serves && which == 0);
            let mut inputs = json!({});
            for number in 0..blueprint.inputs {
                if self.dice.chance(50) {
                    inputs[format!("i{number}")] = self.dice.value(2);
                }
            }
            let body = json!({
                "blueprint_id": id, "inputs": inputs, "labels": self.labels(), "visibility": "tenant",
                "display_name": self.dice.name(),
            });
            self.api.put(&format!("deployments/{deployment}"), &body).expect(201);
            deployments.push((deployment, blueprint.has_workflows));
        }
        deployments
    }

    /// A blueprint that could not be read: it stays in the list, with the reason.
    fn broken_blueprint(&mut self) {
        let id = self.id();
        let path = format!("blueprints/{id}?application_file_name={MAIN_FILE}&async_upload=true");
        let archive = super::super::material::tar_gz(&[("bp/b.yaml", b"node_templates: 7\n")]);
        self.api.send(self.api.request(Method::PUT, &path).body(archive)).expect(201);
    }

    /// Waits until nothing runs that was asked for.
    fn settle(&self) {
        eventually("what was asked for has ended", 120, || {
            let open =
                self.api.get("executions?_include_system_workflows=true&status=pending&status=started");
            open.items().is_empty().then_some(())
        });
    }

    /// What a deployment has after it was made: runs of workflows, what instances learned, agents.
    fn deployed(&mut self, deployment: &str, has_workflows: bool) {
        let instances = self.api.get(&format!("node-instances?deployment_id={deployment}")).items();
        for instance in &instances {
            let id = instance["id"].as_str().unwrap();
            if self.dice.chance(50) {
                let change = json!({
                    "runtime_properties": self.dice.object(2), "state": self.dice.pick(&["started", "creating", "deleted"])
                });
                self.api.patch(&format!("node-instances/{id}?force=true"), &change).expect(200);
            }
            if self.happens(25) {
                let name = self.id();
                let agent = json!({
                    "node_instance_id": id, "state": "started", "ip": "192.0.2.7", "system": "debian",
                    "install_method": "remote", "version": "7.0.5", "rabbitmq_username": "agent",
                    "rabbitmq_password": self.dice.text(),
                });
                self.api.put(&format!("agents/{name}"), &agent).expect(200);
                if self.dice.chance(60) {
                    let key = format!("-----BEGIN KEY-----\n{}", self.dice.text());
                    let path = format!("agents/{name}/key-file");
                    self.api.send(self.api.request(Method::PUT, &path).body(key)).expect_status(200);
                }
            }
        }
        if !has_workflows {
            return;
        }
        if self.happens(40) {
            let id = self.id();
            many::schedule(&self.api, deployment, &id, self.dice);
        }
        let start = |body: Value| self.api.post("executions", &body).expect(201);
        if self.dice.chance(50) {
            start(json!({ "deployment_id": deployment, "workflow_id": "install" }));
        }
        if self.dice.chance(25) {
            let parameters = self.dice.object(2);
            start(json!({
                "deployment_id": deployment, "workflow_id": "start", "queue": true, "parameters": parameters,
                "allow_custom_parameters": true, "scheduled_time": "209912312359+0000"
            }));
        }
    }

    /// Takes something away again, so that the numbers of rows have gaps.
    fn forget(&mut self, deployments: &[(String, bool)]) {
        if self.dice.chance(30)
            && let Some(secret) = self.api.get("secrets").items().get(usize::from(self.is_whole))
            && secret["tenant_name"] == self.name
        {
            self.api.delete(&format!("secrets/{}", secret["key"].as_str().unwrap())).expect(200);
        }
        if self.dice.chance(20)
            && let Some((deployment, _)) = deployments.get(if self.is_whole { 2 } else { 0 })
        {
            let reply = self.api.delete(&format!("deployments/{deployment}?force=true"));
            assert!(reply.status < 500, "{}", reply.text());
            self.settle();
        }
    }
}
