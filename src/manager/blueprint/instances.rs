//! The instances of nodes: how many, on which host, in which group, and with
//! which others they are linked.
//!
//! A deployment that is made has none yet; one that is modified keeps some.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};

use super::error::DeploymentError;

const CONTAINED_IN: &str = "cloudify.relationships.contained_in";
/// How many instances of nodes and groups one deployment may have.
const MAX_INSTANCES: usize = 10_000;
/// How many links between them.
const MAX_LINKS: usize = 100_000;

/// An instance of a node or of a scaling group.
struct Instance<'a> {
    id: String,
    /// The node or the group.
    of: usize,
    container: Option<usize>,
    host: Option<usize>,
    /// What is stored of it; none for a new one, and for groups.
    stored: Option<&'a Value>,
}

/// A node or a scaling group.
pub(super) struct Entity<'a> {
    pub name: &'a str,
    /// The node; none for a group.
    node: Option<&'a Value>,
    count: &'a Value,
    container: Option<usize>,
    contains: Vec<usize>,
}

impl Entity<'_> {
    /// How many instances it is said to have within each container.
    pub fn count(&self) -> Result<u64, DeploymentError> {
        self.count.as_u64().ok_or_else(|| {
            let name = self.name;
            DeploymentError::Plan(format!("the number of instances of `{name}` is no number from 0 on"))
        })
    }
}

/// An instance that stays.
pub(super) struct Kept<'a> {
    pub id: String,
    /// What is stored of it; none for an instance of a group.
    pub stored: Option<&'a Value>,
}

/// The instances of an entity within one container.
pub(super) struct Members<'a> {
    pub kept: Vec<Kept<'a>>,
    /// How many come.
    pub new: u64,
}

/// An instance of a node with its links to all that are there.
pub(super) struct Finished {
    pub instance: Value,
    pub is_new: bool,
}

/// Answers who of an entity is in a container, by the container's id; in none for what stands by itself.
type Who<'a, 'q> = dyn FnMut(&Entity<'a>, Option<&str>) -> Result<Members<'a>, DeploymentError> + 'q;

/// What an expansion asks for.
pub(super) struct Questions<'a, 'q> {
    pub members: &'q mut Who<'a, 'q>,
    /// Makes an id for a node or a group; it is asked again where the id is taken.
    pub ids: &'q mut dyn FnMut(&str) -> String,
}

/// Makes the instances of `nodes`, each beginning `uninitialized`.
///
/// `ids` makes an id for a node or a group; it is asked again where the id is taken.
pub(super) fn expand(
    nodes: &[Value],
    scaling_groups: &Map<String, Value>,
    ids: &mut dyn FnMut(&str) -> String,
) -> Result<Vec<Value>, DeploymentError> {
    let entities = entities(
        nodes,
        scaling_groups,
        |node| &node["capabilities"]["scalable"]["properties"]["current_instances"],
    )?;
    let mut members =
        |entity: &Entity<'_>, _: Option<&str>| Ok(Members { kept: Vec::new(), new: entity.count()? });
    let questions = Questions { members: &mut members, ids };
    let finished = grown(&entities, &[], questions)?;
    Ok(finished.into_iter().map(|finished| finished.instance).collect())
}

/// Makes and keeps instances as the answers say; `stored` are all instances of nodes that there were before.
pub(super) fn grown<'a>(
    entities: &[Entity<'a>],
    stored: &'a [Value],
    questions: Questions<'a, '_>,
) -> Result<Vec<Finished>, DeploymentError> {
    let mut expansion = Expansion {
        entities,
        instances: Vec::new(),
        of_entity: vec![Vec::new(); entities.len()],
        taken: taken(stored),
        questions,
    };
    for (at, entity) in entities.iter().enumerate() {
        if entity.container.is_none() {
            expansion.grow(at, None, None)?;
        }
    }
    expansion.finish(stored)
}

/// The ids that instances of nodes and groups have.
fn taken(stored: &[Value]) -> HashSet<String> {
    let groups = stored.iter().flat_map(|instance| instance["scaling_groups"].as_array()).flatten();
    stored.iter().chain(groups).filter_map(|named| named["id"].as_str().map(str::to_owned)).collect()
}

/// Nodes and groups, each with what contains it. `count` says where a node has its number of instances.
pub(super) fn entities<'a>(
    nodes: &'a [Value],
    scaling_groups: &'a Map<String, Value>,
    count: fn(&Value) -> &Value,
) -> Result<Vec<Entity<'a>>, DeploymentError> {
    let mut entities = Vec::new();
    for node in nodes {
        entities.push(Entity {
            name: node["id"].as_str().unwrap_or_default(),
            node: Some(node),
            count: count(node),
            container: None,
            contains: Vec::new(),
        });
    }
    for (name, group) in scaling_groups {
        entities.push(Entity {
            name,
            node: None,
            count: &group["properties"]["current_instances"],
            container: None,
            contains: Vec::new(),
        });
    }
    let index: HashMap<&str, usize> =
        entities.iter().enumerate().map(|(at, entity)| (entity.name, at)).collect();
    let mut containers: Vec<Option<usize>> = vec![None; entities.len()];
    for (name, group) in scaling_groups {
        for member in group["members"].as_array().into_iter().flatten() {
            if let Some(member) = member.as_str().and_then(|member| index.get(member)) {
                containers[*member] = index.get(name.as_str()).copied();
            }
        }
    }
    for (at, node) in nodes.iter().enumerate() {
        let Some(target) = container_of(node).and_then(|target| index.get(target)) else {
            continue;
        };
        // A node of a group is in the group, and the outermost group is where the node would be.
        let mut outermost = at;
        for _ in 0..entities.len() {
            match containers[outermost] {
                Some(group) if entities[group].node.is_none() => outermost = group,
                _ => break,
            }
        }
        containers[outermost] = Some(*target);
    }
    for at in 0..entities.len() {
        let mut seen = at;
        for step in 0.. {
            match containers[seen] {
                Some(_) if step > entities.len() => {
                    let name = entities[at].name;
                    return Err(DeploymentError::Plan(format!("`{name}` is contained in itself")));
                }
                Some(container) => seen = container,
                None => break,
            }
        }
        entities[at].container = containers[at];
        if let Some(container) = containers[at] {
            entities[container].contains.push(at);
        }
    }
    Ok(entities)
}

pub(super) fn is_containment(link: &Value) -> bool {
    link["type_hierarchy"].as_array().is_some_and(|types| types.iter().any(|name| name == CONTAINED_IN))
}

fn container_of(node: &Value) -> Option<&str> {
    let links = node["relationships"].as_array()?;
    links.iter().find(|link| is_containment(link))?["target_id"].as_str()
}

/// The one instance to which all of a node are linked: by the two nodes and the link's type.
type Chosen = HashMap<(usize, usize, String), Option<usize>>;

struct Expansion<'a, 'e, 'q> {
    entities: &'e [Entity<'a>],
    instances: Vec<Instance<'a>>,
    of_entity: Vec<Vec<usize>>,
    taken: HashSet<String>,
    questions: Questions<'a, 'q>,
}

impl<'a> Expansion<'a, '_, '_> {
    /// Keeps and makes the instances of an entity within one container, and of all that it contains.
    fn grow(
        &mut self,
        entity: usize,
        container: Option<usize>,
        host: Option<usize>,
    ) -> Result<(), DeploymentError> {
        let entities = self.entities;
        let inside = container.map(|at| self.instances[at].id.clone());
        let members = (self.questions.members)(&entities[entity], inside.as_deref())?;
        for Kept { id, stored } in members.kept {
            self.add(Instance { id, of: entity, container, host, stored })?;
        }
        for _ in 0..members.new {
            let id = self.new_id(entities[entity].name)?;
            self.add(Instance { id, of: entity, container, host, stored: None })?;
        }
        Ok(())
    }

    fn add(&mut self, mut instance: Instance<'a>) -> Result<(), DeploymentError> {
        let (at, entities) = (self.instances.len(), self.entities);
        let Entity { name, node, contains, .. } = &entities[instance.of];
        if at >= MAX_INSTANCES {
            return Err(DeploymentError::Plan(format!(
                "it would have more than {MAX_INSTANCES} instances; look at `{name}`"
            )));
        }
        let is_host = node.is_some_and(|node| node["host_id"] == *name);
        instance.host = instance.host.or(is_host.then_some(at));
        let host = instance.host;
        self.of_entity[instance.of].push(at);
        self.instances.push(instance);
        for inner in contains {
            self.grow(*inner, Some(at), host)?;
        }
        Ok(())
    }

    fn new_id(&mut self, name: &str) -> Result<String, DeploymentError> {
        for _ in 0..1000 {
            let id = (self.questions.ids)(name);
            if self.taken.insert(id.clone()) {
                return Ok(id);
            }
        }
        Err(DeploymentError::Plan(format!("there is no free id for an instance of `{name}`")))
    }

    /// The containers of an instance, from the innermost out.
    fn containers(&self, instance: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(self.instances[instance].container, |at| self.instances[*at].container)
    }

    fn is_group(&self, instance: usize) -> bool {
        self.entities[self.instances[instance].of].node.is_none()
    }

    fn finish(self, stored: &[Value]) -> Result<Vec<Finished>, DeploymentError> {
        let index: HashMap<&str, usize> =
            self.entities.iter().enumerate().map(|(at, entity)| (entity.name, at)).collect();
        let mut links_left = MAX_LINKS;
        let mut chosen = Chosen::new();
        let mut numbers = vec![0; self.entities.len()];
        for instance in stored {
            let of = instance["node_id"].as_str().and_then(|name| index.get(name));
            let number = instance["index"].as_u64();
            if let (Some(of), Some(number)) = (of, number) {
                numbers[*of] = number.max(numbers[*of]);
            }
        }
        let mut finished = Vec::new();
        for (at, instance) in self.instances.iter().enumerate() {
            let entity = &self.entities[instance.of];
            let Some(node) = entity.node else {
                continue;
            };
            let mut links = Vec::new();
            for link in node["relationships"].as_array().into_iter().flatten() {
                let target = link["target_id"].as_str().and_then(|name| index.get(name));
                let Some(target) = target else {
                    return Err(DeploymentError::Plan(format!(
                        "`{}` is linked to a node that does not exist",
                        entity.name
                    )));
                };
                for target in self.targets(at, link, *target, &mut chosen)? {
                    links_left = links_left.checked_sub(1).ok_or_else(|| {
                        DeploymentError::Plan(format!(
                            "its instances would have more than {MAX_LINKS} relationships"
                        ))
                    })?;
                    links.push(json!({
                        "type": link["type"],
                        "target_name": link["target_id"],
                        "target_id": self.instances[target].id,
                    }));
                }
            }
            if let Some(stored) = instance.stored {
                let mut kept = stored.clone();
                kept["relationships"] = Value::Array(links);
                finished.push(Finished { instance: kept, is_new: false });
                continue;
            }
            numbers[instance.of] += 1;
            let groups: Vec<Value> = self
                .containers(at)
                .take_while(|container| self.is_group(*container))
                .map(|group| {
                    let group = &self.instances[group];
                    json!({"name": self.entities[group.of].name, "id": group.id})
                })
                .collect();
            let made = json!({
                "id": instance.id,
                "name": entity.name,
                "node_id": entity.name,
                "host_id": instance.host.map(|host| self.instances[host].id.as_str()),
                "index": numbers[instance.of],
                "relationships": links,
                "runtime_properties": {},
                "system_properties": {},
                "scaling_groups": groups,
                "state": "uninitialized",
                "version": 1,
            });
            finished.push(Finished { instance: made, is_new: true });
        }
        Ok(finished)
    }

    /// The instances that a link of one instance leads to.
    fn targets(
        &self,
        source: usize,
        link: &Value,
        target: usize,
        chosen: &mut Chosen,
    ) -> Result<Vec<usize>, DeploymentError> {
        if is_containment(link) {
            let container = self.containers(source).find(|at| self.instances[*at].of == target);
            return Ok(container.into_iter().collect());
        }
        let all = &self.of_entity[target];
        let shared = all.first().and_then(|one| {
            let groups: HashSet<usize> = self
                .containers(*one)
                .filter(|at| self.is_group(*at))
                .map(|at| self.instances[at].of)
                .collect();
            self.containers(source).find(|at| groups.contains(&self.instances[*at].of) && self.is_group(*at))
        });
        let to_one = link["properties"]["connection_type"] == "all_to_one";
        match shared {
            Some(_) if to_one => Err(DeploymentError::Plan(format!(
                "`{}` is linked all_to_one to `{}`, but both are in one scaling group",
                self.entities[self.instances[source].of].name, self.entities[target].name
            ))),
            // Within a group everyone is linked with those of the same instance of the group.
            Some(group) => Ok(all
                .iter()
                .copied()
                .filter(|at| self.containers(*at).any(|container| container == group))
                .collect()),
            None if to_one => {
                let of = self.instances[source].of;
                let key = (of, target, link["type"].as_str().unwrap_or_default().to_owned());
                let one = *chosen
                    .entry(key)
                    .or_insert_with(|| self.former_target(of, link, target).or_else(|| all.first().copied()));
                Ok(one.into_iter().collect())
            }
            None => Ok(all.clone()),
        }
    }

    /// The instance of a node to which all of another are linked already.
    fn former_target(&self, source: usize, link: &Value, target: usize) -> Option<usize> {
        let kept = self.of_entity[source].iter().filter_map(|at| self.instances[*at].stored);
        let links = kept.filter_map(|stored| stored["relationships"].as_array()).flatten();
        let ids: HashSet<&str> = links
            .filter(|former| {
                former["type"] == link["type"] && former["target_name"] == self.entities[target].name
            })
            .filter_map(|former| former["target_id"].as_str())
            .collect();
        self.of_entity[target].iter().copied().find(|at| ids.contains(self.instances[*at].id.as_str()))
    }
}
