"""Sites, labels, filters, searches, summaries and deletions, told with cloudify-common 7.0.5."""

import datetime
import os

from cloudify_rest_client import CloudifyClient
from cloudify_rest_client.exceptions import (
    CloudifyClientError,
    DeploymentParentNotFound,
    InvalidFilterRule,
)

import story
from story import refused, step


def rule(key, operator, values=(), kind="label"):
    return {"key": key, "values": list(values), "operator": operator, "type": kind}


def ids(items):
    return [item["id"] for item in items]


def sites(client):
    step("sites")
    site = client.sites.create("cape", location="32.071072,34.787274")
    assert site.location == "32.071072, 34.787274", site
    client.sites.create("dune", visibility="private")
    assert [s.name for s in client.sites.list(sort="name", is_descending=True)] == ["dune", "cape"]
    assert client.sites.update("cape", new_name="cliff", location="1,2").name == "cliff"
    assert client.sites.get("cliff").location == "1.0, 2.0"
    assert client.deployments.set_site("tower", site_name="cliff")["site_name"] == "cliff"
    refused(CloudifyClientError, 404, "not_found_error", client.deployments.set_site, "tower", "none")
    assert client.deployments.set_site("tower", detach_site=True)["site_name"] is None
    client.sites.delete("dune")
    dumped = list(client.sites.dump())
    assert [sorted(site) for site in dumped] == [
        ["created_at", "created_by", "location", "name", "visibility"]
    ], dumped


def labels_and_filters(client):
    step("labels and filters")
    labels = [{"env": "prod"}, {"env": "eu"}, {"Size": "groß"}]
    deployment = client.deployments.update_labels("tower", labels)
    assert ("env", "prod") in {(label["key"], label["value"]) for label in deployment["labels"]}
    assert client.deployments_labels.list_keys().items == ["env", "size"]
    assert client.deployments_labels.list_key_values("env").items == ["eu", "prod"]
    assert "csys-obj-parent" in client.deployments_labels.get_reserved_labels_keys().items
    client.blueprints.update("lighthouse", {"labels": [{"kind": "tower"}]})
    assert client.blueprints_labels.list_key_values("kind").items == ["tower"]
    for filters, rules, lister in (
        (client.deployments_filters, [rule("env", "any_of", ["prod"])], client.deployments.list),
        (client.blueprints_filters, [rule("kind", "is_not_null")], client.blueprints.list),
    ):
        made = filters.create("mine", rules)
        assert made.labels_filter_rules == rules and made.attrs_filter_rules == [], made
        assert len(lister(filter_id="mine")) == 1
        assert len(lister(filter_rules=rules)) == 1
        name = rule("created_by", "any_of", ["nobody"], "attribute")
        assert filters.update("mine", [name]).value == rules + [name]
        hidden = lister(filter_id="mine")
        assert len(hidden) == 0 and hidden.metadata["filtered"] == 1, hidden.metadata
        assert [sorted(entity) for entity in filters.dump()] == [
            ["created_at", "created_by", "id", "value", "visibility"]
        ], "filters of the system are not dumped"
        try:
            filters.create("bad", [rule("colour", "any_of", ["red"], "attribute")])
            raise AssertionError("a wrong rule was taken")
        except InvalidFilterRule as error:
            assert error.err_filter_rule["key"] == "colour", error.err_filter_rule
            assert "Allowed attributes" in error.err_reason, error.err_reason
        filters.delete("mine")
        refused(CloudifyClientError, 404, "not_found_error", filters.get, "mine")
    refused(
        DeploymentParentNotFound, 404, "deployment_parent_not_found_error",
        client.deployments.update_labels, "tower", [{"csys-obj-parent": "nobody"}],
    )


def searches(client):
    step("searches")
    pattern = {"name_pattern": {"starts_with": "tow"}}
    assert ids(client.deployments.list(constraints=pattern)) == ["tower"]
    assert ids(client.blueprints.list(constraints={"valid_values": ["lighthouse"]})) == ["lighthouse"]
    assert ids(client.nodes.list(deployment_id="tower", constraints={"valid_values": ["lamp"]})) == ["lamp"]
    instances = ids(client.node_instances.list(deployment_id="tower", node_id="lamp"))
    assert ids(client.node_instances.search(instances)) == instances
    assert [s["key"] for s in client.secrets.list()] == ["lamp_passphrase"]
    assert client.workflows.list(filter_rules=[rule("env", "any_of", ["prod"])]).items == []
    node = client.nodes.get("tower", "tower", evaluate_functions=True)
    assert node["properties"]["height_m"] == 52, node
    assert len(client.deployments.list(_get_all_results=True, _size=0)) == 1


def summaries(client):
    step("summaries")
    assert client.summary.deployments.get("blueprint_id").items == [
        {"blueprint_id": "lighthouse", "deployments": 1}
    ]
    by_state = client.summary.node_instances.get("node_id", "state").items
    assert by_state[0]["by state"] == [{"state": "uninitialized", "node_instances": 2}], by_state
    for kind in ("blueprints", "nodes", "executions"):
        total = sum(item[kind] for item in getattr(client.summary, kind).get("visibility").items)
        assert total > 0, kind
    refused(
        CloudifyClientError, 400, "bad_parameters_error", client.summary.nodes.get, "site_name"
    )


def owners_and_validation(options, client):
    step("owners and validation")
    client.users.create("jo", "jo-password-1", "default")
    assert client.blueprints.update("lighthouse", {"creator": "jo"})["created_by"] == "jo"
    assert client.deployments.set_attributes("tower", creator="jo")["created_by"] == "jo"
    before = ids(client.blueprints.list())
    assert client.blueprints.validate(options.blueprint, "lighthouse")["state"] == "uploaded"
    broken = os.path.join(options.folder, "broken")
    os.makedirs(broken)
    with open(os.path.join(broken, "blueprint.yaml"), "w") as file:
        file.write("tosca_definitions_version: cloudify_dsl_1_4\nnode_templates: [1]\n")
    refused(
        CloudifyClientError, 400, "invalid_blueprint_error",
        client.blueprints.validate, os.path.join(broken, "blueprint.yaml"), "broken",
    )
    assert ids(client.blueprints.list()) == before, "a validation leaves nothing behind"


def deletions(client):
    step("deletions")
    assert client.events.delete("tower", from_datetime=datetime.datetime(2100, 1, 1)).items == [0]
    events = client.events.list(deployment_id="tower", include_logs=True, message="%succeeded%")
    assert len(events) == 1, events
    assert client.events.delete("tower", include_logs=True, message="%succeeded%").items == [1]
    assert client.events.delete("tower", include_logs=True).items[0] > 0
    assert client.executions.delete(keep_last=1000) == 0
    assert client.executions.delete(to_datetime=datetime.datetime(2100, 1, 1)) > 0
    left = client.executions.list(deployment_id="tower")
    assert [execution["workflow_id"] for execution in left] == ["create_deployment_environment"]
    assert client.blueprints.get("lighthouse")["state"] == "uploaded"
    instance = client.node_instances.list(deployment_id="tower")[0]
    changed = client.node_instances.update(
        instance["id"], runtime_properties={"lit": True}, version=instance["version"] + 1
    )
    assert changed["runtime_properties"] == {"lit": True}
    refused(
        CloudifyClientError, 409, "conflict_error",
        client.node_instances.update, instance["id"], state="started", version=instance["version"],
    )


def main():
    options = story.arguments()
    client = CloudifyClient(
        host="127.0.0.1", port=options.port, username="admin", password=options.password,
        tenant="default_tenant",
    )
    client.secrets.create("lamp_passphrase", story.SECRET)
    client.blueprints.upload(options.blueprint, "lighthouse")
    client.deployments.create("lighthouse", "tower")
    for execution in client.executions.list(_include_system_workflows=True):
        story.wait(client, execution)
    sites(client)
    labels_and_filters(client)
    searches(client)
    summaries(client)
    owners_and_validation(options, client)
    deletions(client)
    print("the story held")


if __name__ == "__main__":
    main()
