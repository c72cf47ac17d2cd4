//! Other numbers of instances: who comes, who goes, who stays as it is.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::super::{Modified, WantedInstances, modify_instances};
use super::{deploy, read};

const SHIP: &str = "
node_templates:
  hull: {type: cloudify.nodes.Compute}
  lamp:
    type: cloudify.nodes.Root
    relationships:
      - {type: cloudify.relationships.contained_in, target: hull}
      - {type: cloudify.relationships.connected_to, target: harbour}
      - type: cloudify.relationships.connected_to
        target: pilot
        properties: {connection_type: all_to_one}
  harbour: {type: cloudify.nodes.Root}
  pilot: {type: cloudify.nodes.Root, capabilities: {scalable: {properties: {default_instances: 2}}}}
  sail:
    type: cloudify.nodes.Root
    relationships:
      - {type: cloudify.relationships.contained_in, target: deck}
      - {type: cloudify.relationships.connected_to, target: mast}
  mast: {type: cloudify.nodes.Root, relationships: [{type: cloudify.relationships.contained_in, target: deck}]}
  deck: {type: cloudify.nodes.Root}
groups: {rig: {members: [sail, mast]}}
policies: {p: {type: cloudify.policies.scaling, properties: {default_instances: 2}, targets: [rig]}}
";

/// A deployment as a manager stores it.
#[derive(Clone, Debug)]
struct Stored {
    nodes: Vec<Value>,
    groups: Map<String, Value>,
    instances: Vec<Value>,
    made: usize,
}

impl Stored {
    fn ship() -> Self {
        let plan = deploy(&read(SHIP).unwrap(), json!({}));
        Self { nodes: plan.nodes, groups: plan.scaling_groups, instances: plan.node_instances, made: 0 }
    }

    fn modify(&mut self, wanted: &[(&str, WantedInstances)]) -> Modified {
        let wanted: BTreeMap<String, WantedInstances> =
            wanted.iter().map(|(name, wanted)| ((*name).to_owned(), wanted.clone())).collect();
        let made = &mut self.made;
        let mut ids = |name: &str| {
            *made += 1;
            format!("{name}_new{made}")
        };
        modify_instances(&self.nodes, &self.groups, &self.instances, &wanted, &mut ids).unwrap()
    }

    /// What a manager does at the start and at the end of a modification.
    fn scale(&mut self, name: &str, number: u64) -> Modified {
        let modified = self.modify(&[(name, instances(number))]);
        for instance in &mut self.instances {
            if let Some((_, links)) = modified.relationships.iter().find(|(id, _)| instance["id"] == **id) {
                instance["relationships"] = json!(links);
            }
        }
        let gone = marked(&modified.removed_and_related, "removed");
        self.instances.extend(
            modified.added_and_related.iter().filter(|one| one["modification"] == "added").map(|one| {
                let mut one = one.clone();
                one.as_object_mut().unwrap().remove("modification");
                one
            }),
        );
        self.instances.retain(|one| !gone.contains(one["id"].as_str().unwrap()));
        for instance in &mut self.instances {
            let links = instance["relationships"].as_array_mut().unwrap();
            links.retain(|link| !gone.contains(link["target_id"].as_str().unwrap()));
        }
        if let Some(group) = self.groups.get_mut(name) {
            group["properties"]["current_instances"] = json!(number);
        }
        for node in self.nodes.iter_mut().filter(|node| node["id"] == name) {
            node["number_of_instances"] = json!(number);
        }
        modified
    }

    fn ids(&self, node: &str) -> Vec<String> {
        let of = self.instances.iter().filter(|one| one["node_id"] == node);
        of.map(|one| one["id"].as_str().unwrap().to_owned()).collect()
    }

    fn one(&self, id: &str) -> &Value {
        self.instances.iter().find(|one| one["id"] == id).unwrap()
    }
}

fn instances(number: u64) -> WantedInstances {
    WantedInstances { instances: number, ..WantedInstances::default() }
}

fn marked<'a>(list: &'a [Value], mark: &str) -> BTreeSet<&'a str> {
    list.iter().filter(|one| one["modification"] == mark).map(|one| one["id"].as_str().unwrap()).collect()
}

/// The ids of those that say nothing, with the ids to which they lead in the list.
fn related(list: &[Value]) -> Vec<(&str, Vec<&str>)> {
    list.iter()
        .filter(|one| one.get("modification").is_none())
        .map(|one| (one["id"].as_str().unwrap(), targets(one)))
        .collect()
}

fn targets(instance: &Value) -> Vec<&str> {
    instance["relationships"]
        .as_array()
        .unwrap()
        .iter()
        .map(|link| link["target_id"].as_str().unwrap())
        .collect()
}

#[test]
fn what_comes_brings_what_it_contains_and_is_linked_with_what_is_there() {
    let mut ship = Stored::ship();
    let before = ship.instances.clone();
    let (pilot, harbour) = (ship.ids("pilot")[0].clone(), ship.ids("harbour")[0].clone());
    let modified = ship.scale("hull", 2);
    assert_eq!(marked(&modified.added_and_related, "added"), BTreeSet::from(["hull_new1", "lamp_new2"]));
    assert_eq!(related(&modified.added_and_related), [(&*harbour, vec![]), (&*pilot, vec![])]);
    let lamp = ship.one("lamp_new2");
    assert_eq!(targets(lamp), ["hull_new1", &harbour, &pilot], "all lamps have one pilot");
    assert_eq!(
        (&lamp["host_id"], &lamp["index"], &lamp["state"]),
        (&json!("hull_new1"), &json!(2), &json!("uninitialized"))
    );
    for list in [&modified.removed_and_related, &modified.extended_and_related, &modified.reduced_and_related]
    {
        assert_eq!(list, &Vec::<Value>::new());
    }
    for one in &before {
        assert_eq!(ship.one(one["id"].as_str().unwrap()), one, "what stays is as it was");
    }
}

#[test]
fn what_gets_another_neighbour_is_told_with_the_new_link_only() {
    let mut ship = Stored::ship();
    let (lamp, harbour) = (ship.ids("lamp")[0].clone(), ship.ids("harbour")[0].clone());
    let modified = ship.scale("harbour", 2);
    assert_eq!(marked(&modified.added_and_related, "added"), BTreeSet::from(["harbour_new1"]));
    assert_eq!(related(&modified.added_and_related), [(&*lamp, vec!["harbour_new1"])]);
    assert_eq!(marked(&modified.extended_and_related, "extended"), BTreeSet::from([&*lamp]));
    assert_eq!(modified.extended_and_related.len(), 1);
    // In the order of the node's links: the container, both harbours, the pilot.
    assert_eq!(targets(ship.one(&lamp))[1..3], [&*harbour, "harbour_new1"]);
    assert_eq!(targets(ship.one(&lamp)).len(), 4);

    let modified = ship.scale("harbour", 1);
    assert_eq!(
        marked(&modified.removed_and_related, "removed"),
        BTreeSet::from(["harbour_new1"]),
        "the newest goes"
    );
    assert_eq!(related(&modified.removed_and_related), [(&*lamp, vec!["harbour_new1"])]);
    assert_eq!(marked(&modified.reduced_and_related, "reduced"), BTreeSet::from([&*lamp]));
    assert_eq!(targets(ship.one(&lamp)).len(), 3);
}

#[test]
fn a_group_comes_and_goes_as_a_whole_and_its_members_keep_to_themselves() {
    let mut ship = Stored::ship();
    let before = ship.clone();
    let modified = ship.scale("rig", 3);
    let added = marked(&modified.added_and_related, "added");
    assert_eq!(added.len(), 2, "{added:?}");
    let (sail, mast) = (ship.ids("sail")[2].clone(), ship.ids("mast")[2].clone());
    assert_eq!(targets(ship.one(&sail)), [&ship.ids("deck")[0], &mast]);
    assert_eq!(ship.one(&sail)["scaling_groups"], ship.one(&mast)["scaling_groups"]);
    assert_eq!(modified.extended_and_related, Vec::<Value>::new());

    // One of its members says which group goes.
    let first = before.ids("mast")[0].clone();
    let hint = |include: &[&String], exclude: &[&String]| WantedInstances {
        instances: 1,
        first_to_go: include.iter().map(|id| (*id).clone()).collect(),
        last_to_go: exclude.iter().map(|id| (*id).clone()).collect(),
    };
    let gone = ship.modify(&[("rig", hint(&[&first], &[&mast]))]);
    let gone = marked(&gone.removed_and_related, "removed");
    assert_eq!(gone.len(), 4, "{gone:?}");
    assert!(gone.contains(&*first) && !gone.contains(&*mast) && !gone.contains(&*sail), "{gone:?}");

    let modified = ship.scale("rig", 0);
    assert_eq!(marked(&modified.removed_and_related, "removed").len(), 6);
    assert!(ship.ids("sail").is_empty() && ship.ids("deck").len() == 1);
    ship.scale("rig", 1);
    assert_eq!((ship.ids("sail").len(), ship.ids("mast").len()), (1, 1));
}

#[test]
fn those_that_are_named_go_first_or_last() {
    let mut ship = Stored::ship();
    ship.scale("pilot", 4);
    let ids = ship.ids("pilot");
    let wanted = WantedInstances {
        instances: 1,
        first_to_go: vec![ids[0].clone(), "nobody".to_owned()],
        last_to_go: vec![ids[3].clone(), ids[2].clone()],
    };
    let modified = ship.modify(&[("pilot", wanted)]);
    let gone = marked(&modified.removed_and_related, "removed");
    assert_eq!(gone, BTreeSet::from([&*ids[0], &*ids[1], &*ids[3]]));
}

#[test]
fn there_is_an_end_to_how_many_can_come() {
    let ship = Stored::ship();
    let wanted = BTreeMap::from([("hull".to_owned(), instances(u64::MAX))]);
    let mut count = 0;
    let mut ids = |name: &str| {
        count += 1;
        format!("{name}_{count}n")
    };
    let error = modify_instances(&ship.nodes, &ship.groups, &ship.instances, &wanted, &mut ids).unwrap_err();
    assert!(error.to_string().contains("more than 10000 instances"), "{error}");
}

/// What holds of every deployment, however it was modified.
fn check(ship: &Stored) -> Result<(), TestCaseError> {
    let ids: BTreeSet<&str> = ship.instances.iter().map(|one| one["id"].as_str().unwrap()).collect();
    prop_assert_eq!(ids.len(), ship.instances.len(), "two have one id");
    for node in &ship.nodes {
        let own: Vec<&Value> = ship.instances.iter().filter(|one| one["node_id"] == node["id"]).collect();
        let numbers: BTreeSet<i64> = own.iter().map(|one| one["index"].as_i64().unwrap()).collect();
        prop_assert_eq!(numbers.len(), own.len(), "two of a node have one number");
        for instance in own {
            let links = targets(instance);
            let unique: BTreeSet<&&str> = links.iter().collect();
            prop_assert_eq!(unique.len(), links.len(), "a link stands twice");
            for target in links {
                prop_assert!(ids.contains(target), "a link leads to nobody");
            }
        }
    }
    let count = |node: &str| ship.ids(node).len() as u64;
    let number = |node: &str| {
        let node = ship.nodes.iter().find(|other| other["id"] == node).unwrap();
        node["number_of_instances"].as_u64().unwrap()
    };
    prop_assert_eq!(count("hull"), number("hull"));
    prop_assert_eq!(count("lamp"), number("hull") * number("lamp"));
    let rigs = ship.groups["rig"]["properties"]["current_instances"].as_u64().unwrap();
    prop_assert_eq!(count("mast"), number("deck") * rigs * number("mast"));
    for lamp in ship.ids("lamp") {
        let links = targets(ship.one(&lamp)).len() as u64;
        prop_assert_eq!(links, 1 + number("harbour") + number("pilot").min(1));
    }
    for sail in ship.ids("sail") {
        prop_assert_eq!(targets(ship.one(&sail)).len() as u64, 1 + number("mast"));
    }
    Ok(())
}

proptest! {
    #[test]
    fn a_deployment_is_whole_after_any_modifications(
        steps in prop::collection::vec((prop::sample::select(vec!["hull", "harbour", "pilot", "deck", "rig", "mast", "lamp"]), 0_u64..4), 1..8)
    ) {
        let mut ship = Stored::ship();
        check(&ship)?;
        for (name, number) in steps {
            let before = ship.clone();
            let modified = ship.scale(name, number);
            check(&ship)?;
            let gone = marked(&modified.removed_and_related, "removed");
            for one in &before.instances {
                let id = one["id"].as_str().unwrap();
                prop_assert_eq!(ship.ids(one["node_id"].as_str().unwrap()).iter().any(|left| left == id), !gone.contains(id));
            }
        }
    }
}
