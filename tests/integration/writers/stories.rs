//! What writers do, call by call, so that a state tells after which of their calls it was taken.
//!
//! Each story is told by one client, who waits for the end of a call before the next. A story knows what every prefix of
//! its calls leaves behind; it must not know when a snapshot is taken.

use reqwest::Method;
use serde_json::{Value, json};

use crate::harness::{Api, FERRY, Flow, deploy, now, series, wagon, write_zip};

/// One client's calls, and how to read from a state how far they went.
pub trait Story: Send {
    /// What a failed claim calls it.
    fn name(&self) -> String;

    /// Does the call of this number; the first is 1.
    fn call(&mut self, api: &Api, number: usize);

    /// After which numbers of calls the state that `api` shows can have been. Panics where it can have been after none.
    fn positions(&self, api: &Api) -> Vec<usize>;
}

/// Amounts go from one secret of a client's to another: taken away by one call, added by the next.
pub struct Transfers {
    client: usize,
}

/// How many secrets each client has.
const ACCOUNTS: usize = 3;
/// What they hold together while nothing is on its way.
const TOTAL: i64 = 300;

/// A secret's value: what it holds, and which call wrote it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Account {
    balance: i64,
    call: usize,
}

/// The transfer of which a call is a half: whence, whither, how much.
fn transfer(client: usize, call: usize) -> (usize, usize, i64) {
    let number = call.div_ceil(2);
    let from = (number + client) % ACCOUNTS;
    let amount = i64::try_from(1 + number * 7 % 13).unwrap();
    (from, (from + 1 + number / 5 % 2) % ACCOUNTS, amount)
}

/// What the accounts hold after so many calls.
fn accounts(client: usize, calls: usize) -> [Account; ACCOUNTS] {
    let mut accounts = [Account { balance: TOTAL / ACCOUNTS as i64, call: 0 }; ACCOUNTS];
    for call in 1..=calls {
        let (from, to, amount) = transfer(client, call);
        let (account, change) = if call % 2 == 1 { (from, -amount) } else { (to, amount) };
        accounts[account] = Account { balance: accounts[account].balance + change, call };
    }
    accounts
}

impl Transfers {
    /// The client of this number, with its secrets.
    pub fn new(api: &Api, client: usize) -> Self {
        let transfers = Self { client };
        for (number, account) in accounts(client, 0).into_iter().enumerate() {
            api.put(&transfers.path(number), &value(account)).expect(200);
        }
        transfers
    }

    fn path(&self, account: usize) -> String {
        format!("secrets/client{}-account{account}", self.client)
    }
}

fn value(account: Account) -> Value {
    json!({ "value": format!("{} {}", account.balance, account.call) })
}

impl Story for Transfers {
    fn name(&self) -> String {
        format!("the transfers of client {}", self.client)
    }

    fn call(&mut self, api: &Api, number: usize) {
        let (from, to, _) = transfer(self.client, number);
        let account = if number % 2 == 1 { from } else { to };
        api.patch(&self.path(account), &value(accounts(self.client, number)[account])).expect(200);
    }

    fn positions(&self, api: &Api) -> Vec<usize> {
        let found: Vec<Account> = (0..ACCOUNTS)
            .map(|number| {
                let secret = api.get(&self.path(number)).expect(200);
                let (balance, call) = secret["value"].as_str().unwrap().split_once(' ').unwrap();
                Account { balance: balance.parse().unwrap(), call: call.parse().unwrap() }
            })
            .collect();
        let last = found.iter().map(|account| account.call).max().unwrap();
        let on_its_way = if last % 2 == 1 { transfer(self.client, last).2 } else { 0 };
        let sum: i64 = found.iter().map(|account| account.balance).sum();
        assert_eq!(sum + on_its_way, TOTAL, "{}: the sum is not kept: {found:?}", self.name());
        assert_eq!(found, accounts(self.client, last), "{}", self.name());
        vec![last]
    }
}

/// One number that goes through the parts of a manager: each has it from the one before.
pub struct Round {
    space: i64,
    instance: String,
    flow: String,
    began: i64,
}

/// The places through which it goes: a measurement, a secret, two steps of a flow, a node instance, a space.
const PLACES: usize = 6;
/// The metric.
const METRIC: &str = "round";
/// The seconds for which measurements of other times are read, more than any test has calls.
const MEASURED_SECONDS: i64 = 5000;

impl Round {
    /// Makes the places, which hold 0.
    pub fn new(api: &Api) -> Self {
        upload(api, "round", 0);
        deploy(api, "round", "round");
        let instance = api.get("node-instances?deployment_id=round").items().remove(0);
        let space = api.post("/v1/spaces", &json!({ "name": "0" })).expect(201);
        let flow = Flow::create(api, "Round", &["a", "b"]);
        let mut round = Self {
            space: space["id"].as_i64().unwrap(),
            instance: instance["id"].as_str().unwrap().to_owned(),
            flow: flow.id,
            began: now() - 2 * MEASURED_SECONDS,
        };
        api.put("secrets/round", &json!({ "value": "0" })).expect(200);
        for place in [1, 3, 4, 5] {
            round.write(api, place, 0);
        }
        round
    }

    fn write(&mut self, api: &Api, place: usize, number: usize) {
        let flow = Flow { api: api.clone(), id: self.flow.clone() };
        let reply = match place {
            1 => {
                let time = self.began + i64::try_from(number).unwrap();
                let gauge = json!({ "name": METRIC, "measure_time": time, "value": number });
                api.post("/v1/metrics", &json!({ "gauges": [gauge] }))
            }
            2 => api.patch("secrets/round", &json!({ "value": number.to_string() })),
            3 => flow.emit("a", &number.to_string()),
            4 => flow.emit("b", &number.to_string()),
            5 => {
                let change = json!({ "runtime_properties": { "number": number } });
                api.patch(&format!("node-instances/{}?force=true", self.instance), &change)
            }
            _ => api.put(&format!("/v1/spaces/{}", self.space), &json!({ "name": number.to_string() })),
        };
        assert!((200..300).contains(&reply.status), "place {place}: {}", reply.text());
    }

    fn read(&self, api: &Api) -> [usize; PLACES] {
        let measured = series(api, METRIC, self.began, self.began + MEASURED_SECONDS, 1);
        let points: Vec<&Value> =
            measured.as_object().unwrap().values().flat_map(|series| series.as_array().unwrap()).collect();
        for (number, point) in points.iter().enumerate() {
            assert_eq!(point[1].as_f64(), Some(number as f64), "a measurement is missing: {measured:#}");
        }
        let flow = Flow { api: api.clone(), id: self.flow.clone() };
        let step = |step: &str| flow.value(step).unwrap().parse().unwrap();
        let text = |value: &Value| value.as_str().unwrap().parse().unwrap();
        let instance = api.get(&format!("node-instances/{}", self.instance)).expect(200);
        [
            points.len() - 1,
            text(&api.get("secrets/round").expect(200)["value"]),
            step("a"),
            step("b"),
            usize::try_from(instance["runtime_properties"]["number"].as_u64().unwrap()).unwrap(),
            text(&api.get(&format!("/v1/spaces/{}", self.space)).expect(200)["name"]),
        ]
    }
}

impl Story for Round {
    fn name(&self) -> String {
        "the round of a number".to_owned()
    }

    fn call(&mut self, api: &Api, number: usize) {
        self.write(api, (number - 1) % PLACES + 1, (number - 1) / PLACES + 1);
    }

    fn positions(&self, api: &Api) -> Vec<usize> {
        let found = self.read(api);
        let calls = found.iter().sum();
        let expected: [usize; PLACES] =
            std::array::from_fn(|place| calls / PLACES + usize::from(place < calls % PLACES));
        assert_eq!(found, expected, "{}: a place is ahead of the one before it", self.name());
        vec![calls]
    }
}

/// A blueprint comes, a deployment of it comes and goes, the blueprint goes: a new one each time, told by a secret.
pub struct Pairs;

/// The calls after which all begins again.
pub const PAIR_CALLS: usize = 5;
/// The nodes of the blueprint, each with two instances.
const PAIR_NODES: usize = 3;

/// Uploads the blueprint of this number.
pub fn upload(api: &Api, id: &str, number: usize) {
    let request = api.request(Method::PUT, &format!("blueprints/{id}?application_file_name=main.yaml"));
    let uploaded = api.send(request.body(blueprint(number))).expect(201);
    assert_eq!(uploaded["state"], "uploaded", "{uploaded:#}");
}

/// A blueprint whose archive no other number has.
fn blueprint(number: usize) -> Vec<u8> {
    let mut text = format!("{FERRY}description: number {number}\n");
    if number > 0 {
        let nodes: String = (1..PAIR_NODES)
            .map(|node| {
                format!("  boat{node}: {{ type: cloudify.nodes.Root, capabilities: {{ scalable: {{ properties: {{ default_instances: 2 }} }} }} }}\n")
            })
            .collect();
        text = text.replace("outputs:\n", &format!("{nodes}outputs:\n"));
    }
    write_zip(&[("main/main.yaml", text.as_bytes())])
}

impl Pairs {
    /// Makes the secret that tells which pair is at hand.
    pub fn new(api: &Api) -> Self {
        api.put("secrets/pair", &json!({ "value": "0" })).expect(200);
        Self
    }

    fn is_deployed(api: &Api, id: &str) -> bool {
        let deployments = api.get("deployments?_include=id").items();
        let found: Vec<&Value> = deployments.iter().filter(|item| item["id"] != "round").collect();
        match found[..] {
            [] => false,
            [deployment] => {
                assert_eq!(deployment["id"], id, "a deployment of another time");
                true
            }
            _ => panic!("two deployments at once: {found:?}"),
        }
    }
}

impl Story for Pairs {
    fn name(&self) -> String {
        "blueprints and deployments that come and go".to_owned()
    }

    fn call(&mut self, api: &Api, number: usize) {
        let pair = (number - 1) / PAIR_CALLS + 1;
        let id = format!("pair{pair}");
        match (number - 1) % PAIR_CALLS {
            0 => drop(api.patch("secrets/pair", &json!({ "value": pair.to_string() })).expect(200)),
            1 => upload(api, &id, pair),
            2 => deploy(api, &id, &id),
            3 => {
                api.delete(&format!("deployments/{id}")).expect_status(200);
                let path = format!("deployments/{id}");
                crate::harness::eventually("the deployment goes", 120, || {
                    (api.get(&path).status == 404).then_some(())
                });
            }
            _ => api.delete(&format!("blueprints/{id}")).expect_status(200),
        }
    }

    fn positions(&self, api: &Api) -> Vec<usize> {
        let secret = api.get("secrets/pair").expect(200);
        let pair: usize = secret["value"].as_str().unwrap().parse().unwrap();
        let id = format!("pair{pair}");
        let first = pair.saturating_sub(1) * PAIR_CALLS;
        let blueprints = api.get("blueprints?_include=id").items();
        let found: Vec<&Value> =
            blueprints.iter().map(|item| &item["id"]).filter(|id| **id != "round").collect();
        let is_deployed = Self::is_deployed(api, &id);
        let nodes = api.get("nodes?_size=1000").items();
        let instances = api.get("node-instances?_size=1000").items();
        let of_pairs = |items: &[Value]| items.iter().filter(|item| item["deployment_id"] != "round").count();
        let counts = (of_pairs(&nodes), of_pairs(&instances));
        if found.is_empty() {
            assert!(!is_deployed, "`{id}` is deployed without its blueprint");
            assert_eq!(counts, (0, 0), "nodes without their deployment");
            return if pair == 0 { vec![0] } else { vec![first + 1, first + PAIR_CALLS] };
        }
        assert_eq!(found, [&json!(id)], "blueprints of another time");
        assert_eq!(
            api.get(&format!("blueprints/{id}/archive")).body,
            blueprint(pair),
            "the archive of `{id}`"
        );
        if !is_deployed {
            assert_eq!(counts, (0, 0), "nodes without their deployment");
            return vec![first + 2, first + 4];
        }
        // A deployment that was just asked for has no node yet; one whose environment was made has them all.
        let path = format!(
            "executions?deployment_id={id}&workflow_id=create_deployment_environment&_include_system_workflows=true"
        );
        let made = api.get(&path).items().remove(0);
        match counts {
            (0, 0) => assert_ne!(made["status"], "terminated", "nodes are missing: {made:#}"),
            all => assert_eq!(all, (PAIR_NODES, 2 * PAIR_NODES - 1), "nodes are missing: {made:#}"),
        }
        vec![first + 3]
    }
}

/// Plugins, of which the next comes before the last goes: there are one or two, each as it was sent.
pub struct Plugins {
    /// The ids of those that are there, the newest last.
    ids: Vec<String>,
}

impl Plugins {
    /// Uploads the first one.
    pub fn new(api: &Api) -> Self {
        Self { ids: vec![Self::upload(api, 0)] }
    }

    fn archive(number: usize) -> Vec<u8> {
        wagon("coming", &number.to_string())
    }

    fn upload(api: &Api, number: usize) -> String {
        let request = api.request(Method::POST, "plugins?title=coming").body(Self::archive(number));
        api.send(request).expect(201)["id"].as_str().unwrap().to_owned()
    }
}

impl Story for Plugins {
    fn name(&self) -> String {
        "plugins that come and go".to_owned()
    }

    fn call(&mut self, api: &Api, number: usize) {
        if number % 2 == 1 {
            self.ids.push(Self::upload(api, number.div_ceil(2)));
        } else {
            api.delete(&format!("plugins/{}", self.ids.remove(0))).expect_status(200);
        }
    }

    fn positions(&self, api: &Api) -> Vec<usize> {
        let mut numbers: Vec<usize> = Vec::new();
        for plugin in api.get("plugins").items() {
            let number = plugin["package_version"].as_str().unwrap().parse().unwrap();
            let archive = api.get(&format!("plugins/{}/archive", plugin["id"].as_str().unwrap()));
            assert_eq!(archive.body, Self::archive(number), "the archive of plugin {number}");
            numbers.push(number);
        }
        numbers.sort_unstable();
        match numbers[..] {
            [one] => vec![2 * one],
            [former, last] if last == former + 1 => vec![2 * former + 1],
            _ => panic!("{}: there are {numbers:?}", self.name()),
        }
    }
}
