//! The instances of nodes: how many, on which host, in which group, and with
//! which others they are linked.

use std::collections::{HashMap, HashSet};

use serde_json::{Map, Value, json};

use super::error::DeploymentError;

const CONTAINED_IN: &str = "cloudify.relationships.contained_in";
/// How many instances of nodes and groups one deployment may have.
const MAX_INSTANCES: usize = 10_000;
/// How many links between them.
const MAX_LINKS: usize = 100_000;

/// An instance of a node or of a scaling group.
struct Instance {
    id: String,
    /// The node or the group.
    of: usize,
    container: Option<usize>,
    host: Option<usize>,
}

/// A node or a scaling group.
struct Entity<'a> {
    name: &'a str,
    /// The node; none for a group.
    node: Option<&'a Value>,
    scale: &'a Value,
    container: Option<usize>,
    contains: Vec<usize>,
}

/// Makes the instances of `nodes`, each beginning `uninitialized`.
///
/// `ids` makes an id for a node or a group; it is asked again where the id is taken.
pub(super) fn expand(
    nodes: &[Value],
    scaling_groups: &Map<String, Value>,
    ids: &mut dyn FnMut(&str) -> String,
) -> Result<Vec<Value>, DeploymentError> {
    let entities = entities(nodes, scaling_groups)?;
    let mut expansion = Expansion {
        entities: &entities,
        instances: Vec::new(),
        of_entity: vec![Vec::new(); entities.len()],
        taken: HashSet::new(),
        ids,
    };
    for (at, entity) in entities.iter().enumerate() {
        if entity.container.is_none() {
            expansion.grow(at, None, None)?;
        }
    }
    expansion.finish()
}

fn entities<'a>(
    nodes: &'a [Value],
    scaling_groups: &'a Map<String, Value>,
) -> Result<Vec<Entity<'a>>, DeploymentError> {
    let mut entities = Vec::new();
    for node in nodes {
        entities.push(Entity {
            name: node["id"].as_str().unwrap_or_default(),
            node: Some(node),
            scale: &node["capabilities"]["scalable"]["properties"],
            container: None,
            contains: Vec::new(),
        });
    }
    for (name, group) in scaling_groups {
        entities.push(Entity {
            name,
            node: None,
            scale: &group["properties"],
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

fn is_containment(link: &Value) -> bool {
    link["type_hierarchy"].as_array().is_some_and(|types| types.iter().any(|name| name == CONTAINED_IN))
}

fn container_of(node: &Value) -> Option<&str> {
    let links = node["relationships"].as_array()?;
    links.iter().find(|link| is_containment(link))?["target_id"].as_str()
}

struct Expansion<'a, 'e> {
    entities: &'e [Entity<'a>],
    instances: Vec<Instance>,
    of_entity: Vec<Vec<usize>>,
    taken: HashSet<String>,
    ids: &'e mut dyn FnMut(&str) -> String,
}

impl Expansion<'_, '_> {
    /// Makes the instances of an entity within one container, and of all that it contains.
    fn grow(
        &mut self,
        entity: usize,
        container: Option<usize>,
        host: Option<usize>,
    ) -> Result<(), DeploymentError> {
        let entities = self.entities;
        let Entity { name, node, scale, .. } = &entities[entity];
        let wanted = scale["current_instances"].as_u64().ok_or_else(|| {
            DeploymentError::Plan(format!("the number of instances of `{name}` is no number from 0 on"))
        })?;
        for _ in 0..wanted {
            if self.instances.len() >= MAX_INSTANCES {
                return Err(DeploymentError::Plan(format!(
                    "it would have more than {MAX_INSTANCES} instances; look at `{name}`"
                )));
            }
            let at = self.instances.len();
            let is_host = node.is_some_and(|node| node["host_id"] == *name);
            let host = host.or(is_host.then_some(at));
            let id = self.new_id(name)?;
            self.instances.push(Instance { id, of: entity, container, host });
            self.of_entity[entity].push(at);
            for inner in &entities[entity].contains {
                self.grow(*inner, Some(at), host)?;
            }
        }
        Ok(())
    }

    fn new_id(&mut self, name: &str) -> Result<String, DeploymentError> {
        for _ in 0..1000 {
            let id = (self.ids)(name);
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

    fn finish(self) -> Result<Vec<Value>, DeploymentError> {
        let index: HashMap<&str, usize> =
            self.entities.iter().enumerate().map(|(at, entity)| (entity.name, at)).collect();
        let mut links_left = MAX_LINKS;
        let mut numbers = vec![0; self.entities.len()];
        let mut finished = Vec::new();
        for (at, instance) in self.instances.iter().enumerate() {
            let entity = &self.entities[instance.of];
            let Some(node) = entity.node else {
                continue;
            };
            numbers[instance.of] += 1;
            let mut links = Vec::new();
            for link in node["relationships"].as_array().into_iter().flatten() {
                let target = link["target_id"].as_str().and_then(|name| index.get(name));
                let Some(target) = target else {
                    return Err(DeploymentError::Plan(format!(
                        "`{}` is linked to a node that does not exist",
                        entity.name
                    )));
                };
                for target in self.targets(at, link, *target)? {
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
            let groups: Vec<Value> = self
                .containers(at)
                .take_while(|container| self.is_group(*container))
                .map(|group| {
                    let group = &self.instances[group];
                    json!({"name": self.entities[group.of].name, "id": group.id})
                })
                .collect();
            finished.push(json!({
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
            }));
        }
        Ok(finished)
    }

    /// The instances that a link of one instance leads to.
    fn targets(&self, source: usize, link: &Value, target: usize) -> Result<Vec<usize>, DeploymentError> {
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
            None if to_one => Ok(all.first().copied().into_iter().collect()),
            None => Ok(all.clone()),
        }
    }
}
