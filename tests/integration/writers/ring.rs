//! One number that goes through what orders a tenant's deployments: a site, a filter, labels and a group, each of which has
//! it from the one before; and another group that comes and goes with it.

use serde_json::{Value, json};

use super::stories::{Story, upload};
use crate::harness::{Api, deploy};

/// The tenant in which all of it is, read after the default one.
const TENANT: &str = "ring";
/// The deployments: the first stands at the site, the second has the label, and one of them is in the group.
const DEPLOYMENTS: [&str; 3] = ["a", "b", "c"];
/// The places: a site's name, a filter's value, the labels of a deployment and of a blueprint, a group's description and its
/// member; another group that comes, and goes.
const PLACES: usize = 8;

/// The member of the group while it is at this number.
fn member(number: usize) -> &'static str {
    DEPLOYMENTS[number % DEPLOYMENTS.len()]
}

fn site(number: usize) -> String {
    format!("quay-{number}")
}

fn labels(number: usize) -> Value {
    json!({ "labels": [{ "ring": number.to_string() }] })
}

fn rules(number: usize) -> Value {
    let rule =
        json!({ "key": "ring", "values": [number.to_string()], "operator": "any_of", "type": "label" });
    json!({ "filter_rules": [rule] })
}

fn number(text: &Value) -> usize {
    text.as_str().and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no number: {text}"))
}

fn label(entity: &Value) -> usize {
    assert_eq!(entity["labels"].as_array().map(Vec::len), Some(1), "{entity:#}");
    number(&entity["labels"][0]["value"])
}

/// The ring.
pub struct Ring;

impl Ring {
    /// Makes the places, which hold 0.
    pub fn new(api: &Api) -> Self {
        api.post(&format!("tenants/{TENANT}"), &json!({})).expect(201);
        let api = &api.clone().tenant(TENANT);
        upload(api, "ring", 0);
        for deployment in DEPLOYMENTS {
            deploy(api, "ring", deployment);
        }
        api.put(&format!("sites/{}", site(0)), &json!({})).expect(200);
        api.post("deployments/a/set-site", &json!({ "site_name": site(0) })).expect(200);
        api.put("filters/deployments/ring", &rules(0)).expect(200);
        for place in 3..=6 {
            Self::write(api, place, 0);
        }
        Self
    }

    fn write(api: &Api, place: usize, number: usize) {
        let text = number.to_string();
        match place {
            1 => {
                let change = json!({ "new_name": site(number) });
                api.post(&format!("sites/{}", site(number - 1)), &change).expect(200)
            }
            2 => api.patch("filters/deployments/ring", &rules(number)).expect(200),
            3 => api.patch("deployments/b", &labels(number)).expect(200),
            4 => api.patch("blueprints/ring", &labels(number)).expect(200),
            5 => api.put("deployment-groups/ring", &json!({ "description": text })).expect(200),
            6 => {
                let change = json!({ "deployment_ids": [member(number)] });
                api.put("deployment-groups/ring", &change).expect(200)
            }
            7 => {
                let guest = json!({ "description": text, "deployment_ids": DEPLOYMENTS });
                api.put("deployment-groups/guest", &guest).expect(200)
            }
            _ => {
                api.delete("deployment-groups/guest").expect_status(204);
                Value::Null
            }
        };
    }

    /// The numbers of all places but the last two.
    fn read(api: &Api) -> [usize; PLACES - 2] {
        let sites = api.get("sites").items();
        assert_eq!(sites.len(), 1, "sites of two times: {sites:?}");
        let name = sites[0]["name"].as_str().unwrap();
        let stands = api.get("deployments/a").expect(200);
        assert_eq!(stands["site_name"], name, "the deployment stands at a site of another time");
        let site = name.strip_prefix("quay-").unwrap().parse().unwrap();
        let filter = api.get("filters/deployments/ring").expect(200);
        let group = api.get("deployment-groups/ring").expect(200);
        let told = number(&group["description"]);
        // It has moved on with the description, or not yet.
        let members = group["deployment_ids"].as_array().unwrap();
        let moved = [Some(told), told.checked_sub(1)].into_iter().flatten();
        let moved = moved.into_iter().find(|number| *members == [json!(member(*number))]);
        let moved = moved.unwrap_or_else(|| panic!("members of another time: {group:#}"));
        [
            site,
            number(&filter["value"][0]["values"][0]),
            label(&api.get("deployments/b").expect(200)),
            label(&api.get("blueprints/ring").expect(200)),
            told,
            moved,
        ]
    }
}

impl Story for Ring {
    fn name(&self) -> String {
        "the ring of a site, a filter, labels and groups".to_owned()
    }

    fn call(&mut self, api: &Api, number: usize) {
        Self::write(&api.clone().tenant(TENANT), (number - 1) % PLACES + 1, (number - 1) / PLACES + 1);
    }

    fn positions(&self, api: &Api) -> Vec<usize> {
        let api = &api.clone().tenant(TENANT);
        let found = Self::read(api);
        let last = found[PLACES - 3];
        let guest = api.get("deployment-groups/guest");
        let ends = match guest.status {
            // It has not come yet, or has gone.
            404 => vec![[last.saturating_sub(1); 2], [last; 2]],
            _ => {
                let guest = guest.expect(200);
                assert_eq!(guest["deployment_ids"], json!(DEPLOYMENTS), "a member is missing");
                let came = number(&guest["description"]);
                vec![[came, came - 1]]
            }
        };
        let mut positions = Vec::new();
        for end in &ends {
            let places: Vec<usize> = found.iter().chain(end).copied().collect();
            let calls = places.iter().sum();
            let expected = (0..PLACES).map(|place| calls / PLACES + usize::from(place < calls % PLACES));
            if expected.eq(places.iter().copied()) && !positions.contains(&calls) {
                positions.push(calls);
            }
        }
        let name = self.name();
        assert!(!positions.is_empty(), "{name}: a place is ahead of the one before it: {found:?}, {ends:?}");
        positions
    }
}
