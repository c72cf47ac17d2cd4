//! Other numbers of instances for a deployment that is there: which come, which go, and whom that concerns.
//!
//! What a manager stores goes in, what it is to store comes out. An instance that stays keeps all that it is.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde_json::{Map, Value, json};

use super::error::DeploymentError;
use super::instances::{Entity, Kept, Members, Questions, entities, grown};

/// How many instances of a node or a scaling group there are to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WantedInstances {
    /// The number, within each container.
    pub instances: u64,
    /// The instances that are to go first, by their ids.
    pub first_to_go: Vec<String>,
    /// The instances that are to go last, by their ids.
    pub last_to_go: Vec<String>,
}

/// What other numbers of instances come to.
///
/// The lists are those of a modification as clients know it: an instance that comes, goes, or has links that come or
/// go says so in `modification`. The others are there because those are linked with them, with these links only.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Modified {
    /// Instances that come, with all their links.
    pub added_and_related: Vec<Value>,
    /// Instances that get further links.
    pub extended_and_related: Vec<Value>,
    /// Instances that lose links.
    pub reduced_and_related: Vec<Value>,
    /// Instances that go, with all their links.
    pub removed_and_related: Vec<Value>,
    /// All links of each instance that gets further ones, as they are until others go.
    pub relationships: Vec<(String, Vec<Value>)>,
}

/// Says what becomes of the instances of a deployment where some nodes or groups are to have another number of them.
///
/// `nodes` and `instances` are as they are stored. `ids` makes the id of an instance; it is asked again where an id is
/// taken.
///
/// # Errors
///
/// For more instances or links than a deployment may have.
pub fn modify_instances(
    nodes: &[Value],
    scaling_groups: &Map<String, Value>,
    instances: &[Value],
    wanted: &BTreeMap<String, WantedInstances>,
    ids: &mut dyn FnMut(&str) -> String,
) -> Result<Modified, DeploymentError> {
    let entities = entities(nodes, scaling_groups, |node| &node["number_of_instances"])?;
    let former = Former::read(nodes, instances);
    let mut gone: HashSet<String> = HashSet::new();
    let mut members = |entity: &Entity<'_>, container: Option<&str>| {
        let mut kept = former.within(entity.name, container);
        let there = kept.len() as u64;
        let Some(wanted) = wanted.get(entity.name) else {
            return Ok(Members { kept, new: entity.count()?.saturating_sub(there) });
        };
        let surplus = usize::try_from(there.saturating_sub(wanted.instances)).unwrap_or(usize::MAX);
        let going = former.surplus(&kept, surplus, wanted);
        kept.retain(|kept| !going.contains(&kept.id));
        gone.extend(going);
        Ok(Members { kept, new: wanted.instances.saturating_sub(there) })
    };
    let finished = grown(&entities, instances, Questions { members: &mut members, ids })?;
    let is_gone = |instance: &&Value| former.chain(id_of(instance)).any(|id| gone.contains(id));
    let removed: Vec<&Value> = instances.iter().filter(is_gone).collect();
    let (added, kept): (Vec<_>, Vec<_>) = finished.into_iter().partition(|finished| finished.is_new);
    let added: Vec<Value> = added.into_iter().map(|finished| finished.instance).collect();
    let kept: Vec<Value> = kept.into_iter().map(|finished| finished.instance).collect();
    Ok(modified(nodes, instances, &kept, &added, &removed))
}

fn modified(
    nodes: &[Value],
    instances: &[Value],
    kept: &[Value],
    added: &[Value],
    removed: &[&Value],
) -> Modified {
    let by_id: HashMap<&str, &Value> = instances.iter().map(|stored| (id_of(stored), stored)).collect();
    let ids = |list: &mut dyn Iterator<Item = &Value>| -> HashSet<String> {
        list.map(|instance| id_of(instance).to_owned()).collect()
    };
    let comes = ids(&mut added.iter());
    let goes = ids(&mut removed.iter().copied());
    let leads_to = |link: &Value, to: &HashSet<String>| to.contains(target_of(link));

    let mut gaining: Vec<(&Value, Vec<Value>)> = Vec::new();
    let mut relationships = Vec::new();
    for instance in kept {
        let Some(stored) = by_id.get(id_of(instance)).copied() else { continue };
        let further: Vec<Value> = links_of(instance)
            .filter(|link| !links_of(stored).any(|other| is_same(link, other)))
            .cloned()
            .collect();
        if further.is_empty() {
            continue;
        }
        relationships.push((id_of(stored).to_owned(), in_order(nodes, stored, &further)));
        gaining.push((stored, further));
    }
    let losing: Vec<(&Value, Vec<Value>)> = instances
        .iter()
        .filter(|stored| !goes.contains(id_of(stored)))
        .map(|stored| {
            (stored, links_of(stored).filter(|link| leads_to(link, &goes)).cloned().collect::<Vec<_>>())
        })
        .filter(|(_, links)| !links.is_empty())
        .collect();
    let whole = |instance: &&Value| ((*instance).clone(), links_of(instance).cloned().collect::<Vec<_>>());
    let own = |list: &[(&Value, Vec<Value>)]| -> Vec<(Value, Vec<Value>)> {
        list.iter().map(|(instance, links)| ((*instance).clone(), links.clone())).collect()
    };
    let only = |list: &[(&Value, Vec<Value>)], to: &HashSet<String>| -> Vec<(Value, Vec<Value>)> {
        let links = own(list).into_iter().map(|(instance, links)| {
            (instance, links.into_iter().filter(|link| leads_to(link, to)).collect::<Vec<_>>())
        });
        links.filter(|(_, links)| !links.is_empty()).collect()
    };
    let added: Vec<&Value> = added.iter().collect();
    Modified {
        added_and_related: list(
            "added",
            added.iter().map(whole).collect(),
            only(&gaining, &comes),
            &by_id,
            &HashSet::new(),
        ),
        extended_and_related: list("extended", own(&gaining), Vec::new(), &by_id, &comes),
        reduced_and_related: list("reduced", own(&losing), Vec::new(), &by_id, &goes),
        removed_and_related: list(
            "removed",
            removed.iter().map(whole).collect(),
            own(&losing),
            &by_id,
            &HashSet::new(),
        ),
        relationships,
    }
}

/// One list of a modification: those that say `mark`, those that are linked to them, and those to which they are linked,
/// but for `others`.
fn list(
    mark: &str,
    marked: Vec<(Value, Vec<Value>)>,
    linked: Vec<(Value, Vec<Value>)>,
    by_id: &HashMap<&str, &Value>,
    others: &HashSet<String>,
) -> Vec<Value> {
    let mut listed: Vec<Value> = Vec::new();
    let mut ids: HashSet<String> = HashSet::new();
    let mut targets: Vec<String> = Vec::new();
    let marked = marked.into_iter().map(|(instance, links)| (instance, links, true));
    for (mut instance, links, is_marked) in
        marked.chain(linked.into_iter().map(|(one, links)| (one, links, false)))
    {
        if !ids.insert(id_of(&instance).to_owned()) {
            continue;
        }
        targets.extend(links.iter().map(|link| target_of(link).to_owned()));
        instance["relationships"] = Value::Array(links);
        if is_marked {
            instance["modification"] = json!(mark);
        }
        listed.push(instance);
    }
    for target in targets {
        let Some(stored) = by_id.get(target.as_str()).filter(|_| !others.contains(&target)) else { continue };
        if ids.insert(target) {
            let mut related = (*stored).clone();
            related["relationships"] = json!([]);
            listed.push(related);
        }
    }
    listed
}

/// The links of an instance with further ones, in the order in which its node has them.
fn in_order(nodes: &[Value], stored: &Value, further: &[Value]) -> Vec<Value> {
    let node = nodes.iter().find(|node| node["id"] == stored["node_id"]);
    let order: Vec<&Value> = node
        .into_iter()
        .flat_map(|node| node["relationships"].as_array())
        .flatten()
        .map(|link| &link["target_id"])
        .collect();
    let mut links: Vec<Value> = links_of(stored).chain(further).cloned().collect();
    // Links of one target keep their order: those that were there come first.
    links.sort_by_key(|link| order.iter().position(|name| **name == link["target_name"]));
    links
}

fn id_of(instance: &Value) -> &str {
    instance["id"].as_str().unwrap_or_default()
}

fn target_of(link: &Value) -> &str {
    link["target_id"].as_str().unwrap_or_default()
}

fn links_of(instance: &Value) -> impl Iterator<Item = &Value> {
    instance["relationships"].as_array().into_iter().flatten()
}

fn is_same(link: &Value, other: &Value) -> bool {
    link["target_id"] == other["target_id"] && link["type"] == other["type"]
}

/// An instance by its id, with what is stored of it: nothing for one of a group.
type Member<'a> = (&'a str, Option<&'a Value>);

/// The instances that there are, by what contains them.
struct Former<'a> {
    /// By the name of the node or group and the id of the container, oldest first.
    within: HashMap<(&'a str, Option<&'a str>), Vec<Member<'a>>>,
    /// The container of each instance of a node or group.
    container: HashMap<&'a str, &'a str>,
}

impl<'a> Former<'a> {
    fn read(nodes: &'a [Value], instances: &'a [Value]) -> Self {
        let containments: HashMap<&str, (&str, &str)> =
            nodes.iter().filter_map(|node| Some((id_of(node), containment(node)?))).collect();
        let mut sorted: Vec<&Value> = instances.iter().collect();
        sorted.sort_by_key(|instance| instance["index"].as_i64());
        let chains: Vec<Chain<'_>> =
            sorted.into_iter().map(|instance| Chain::of(instance, &containments)).collect();
        // What contains a group is said by those of its members that say it.
        let around: HashMap<&str, &str> =
            chains.iter().filter_map(|chain| Some((chain.parts.last()?.1, chain.around?))).collect();
        let mut former = Self { within: HashMap::new(), container: HashMap::new() };
        let mut groups: HashSet<&str> = HashSet::new();
        for Chain { stored, parts, .. } in &chains {
            for (at, (name, id)) in parts.iter().copied().enumerate() {
                if at > 0 && !groups.insert(id) {
                    // Another member was there before.
                    break;
                }
                let container = parts.get(at + 1).map(|(_, id)| *id).or_else(|| around.get(id).copied());
                let stored = (at == 0).then_some(*stored);
                former.within.entry((name, container)).or_default().push((id, stored));
                if let Some(container) = container {
                    former.container.insert(id, container);
                }
            }
        }
        former
    }

    fn within(&self, name: &str, container: Option<&str>) -> Vec<Kept<'a>> {
        let members = self.within.get(&(name, container)).into_iter().flatten();
        members.map(|(id, stored)| Kept { id: (*id).to_owned(), stored: *stored }).collect()
    }

    /// An instance and what contains it, from the innermost out.
    fn chain<'s>(&'s self, id: &'s str) -> impl Iterator<Item = &'s str> {
        // What is contained in itself, as no plan has it, must not keep anybody busy.
        std::iter::successors(Some(id), |id| self.container.get(id).copied()).take(self.container.len() + 1)
    }

    /// Which of the members go where there are so many too many. Of those that nothing is said of, the newest.
    fn surplus<'w>(
        &'w self,
        members: &[Kept<'_>],
        number: usize,
        wanted: &'w WantedInstances,
    ) -> HashSet<String> {
        // What is in a group, or in another instance, stands for it.
        let meant =
            |named: &'w [String]| named.iter().flat_map(|id| self.chain(id)).collect::<HashSet<&str>>();
        let (first, last) = (meant(&wanted.first_to_go), meant(&wanted.last_to_go));
        let mut order: Vec<(u8, &str)> = members
            .iter()
            .rev()
            .map(|kept| match kept.id.as_str() {
                id if first.contains(id) => (0, id),
                id if last.contains(id) => (2, id),
                id => (1, id),
            })
            .collect();
        order.sort_by_key(|(rank, _)| *rank);
        order.into_iter().take(number).map(|(_, id)| id.to_owned()).collect()
    }
}

/// An instance with the instances of groups around it.
struct Chain<'a> {
    stored: &'a Value,
    /// The names and ids of the instance and of those of groups, from the innermost out.
    parts: Vec<(&'a str, &'a str)>,
    /// What contains it beside groups.
    around: Option<&'a str>,
}

impl<'a> Chain<'a> {
    fn of(stored: &'a Value, containments: &HashMap<&str, (&str, &str)>) -> Self {
        let name = stored["node_id"].as_str().unwrap_or_default();
        let groups = stored["scaling_groups"].as_array().into_iter().flatten();
        let mut parts = vec![(name, id_of(stored))];
        parts.extend(groups.map(|group| (group["name"].as_str().unwrap_or_default(), id_of(group))));
        let around = containments.get(name).and_then(|(target, of_type)| {
            let mut links = links_of(stored);
            links.find(|link| link["target_name"] == **target && link["type"] == **of_type)?["target_id"]
                .as_str()
        });
        Self { stored, parts, around }
    }
}

/// The node in which a node is contained, and the type of that link.
fn containment(node: &Value) -> Option<(&str, &str)> {
    let link = links_of(node).find(|link| super::instances::is_containment(link))?;
    Some((link["target_id"].as_str()?, link["type"].as_str()?))
}
