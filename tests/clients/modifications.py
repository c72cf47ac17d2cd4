"""Deployment modifications, told with a Python client: cloudify-common 7.0.5 or cloudify-rest-client 4.3.3."""

import argparse

from cloudify_rest_client import CloudifyClient
from cloudify_rest_client.exceptions import (
    CloudifyClientError,
    DeploymentModificationAlreadyEndedError,
    ExistingStartedDeploymentModificationError,
)

from story import refused, step

SHIP = "ship"


class Story:
    def __init__(self, client):
        self.client = client
        self.modifications = client.deployment_modifications

    def instances(self):
        items = self.client.node_instances.list(deployment_id=SHIP)
        return sorted((dict(item) for item in items), key=lambda item: item["id"])

    def of(self, node):
        return [instance["id"] for instance in self.instances() if instance["node_id"] == node]

    def numbers(self, name):
        """How many there are, and how many there are to be."""
        for node in self.client.nodes.list(deployment_id=SHIP):
            if node["id"] == name:
                return int(node["number_of_instances"]), int(node["planned_number_of_instances"])
        group = self.client.deployments.get(SHIP)["scaling_groups"][name]["properties"]
        return group["current_instances"], group["planned_instances"]

    def more_hulls(self):
        step("more hulls, finished")
        before = self.instances()
        modification = self.modifications.start(SHIP, nodes={"hull": {"instances": 3}}, context={"a": [1]})
        assert modification.status == "started" and modification.deployment_id == SHIP, modification
        assert modification.context == {"a": [1]} and modification.ended_at is None, modification
        assert modification.modified_nodes == {"hull": {"instances": 3}}, modification
        listed = modification.node_instances.added_and_related
        added = [instance for instance in listed if instance.get("modification") == "added"]
        assert sorted(instance.node_id for instance in added) == ["hull", "hull", "lamp", "lamp"], added
        related = [instance for instance in listed if instance.get("modification") is None]
        assert [instance.node_id for instance in related] == ["harbour"], related
        assert related[0].relationships == [], related
        for instance in added:
            if instance.node_id == "lamp":
                assert instance.host_id == instance.relationships[0]["target_id"], instance
        assert modification.node_instances.removed_and_related == []
        assert sorted(modification.node_instances.before_modification, key=lambda one: one["id"]) == before
        assert self.numbers("hull") == (1, 3) and len(self.of("lamp")) == 3
        message = refused(
            ExistingStartedDeploymentModificationError, 400, "existing_started_deployment_modification_error",
            self.modifications.start, SHIP, nodes={})
        assert not message or modification.id in message, message
        finished = self.modifications.finish(modification.id)
        assert finished.status == "finished" and finished.ended_at, finished
        assert self.numbers("hull") == (3, 3)
        for end in (self.modifications.finish, self.modifications.rollback):
            refused(
                DeploymentModificationAlreadyEndedError, 400, "deployment_modification_already_ended_error",
                end, modification.id)
        return modification.id

    def fewer_hulls(self):
        step("fewer hulls, rolled back and then finished")
        before = self.instances()
        hulls = self.of("hull")
        nodes = {"hull": {"instances": 1, "removed_ids_include_hint": hulls[:1], "removed_ids_exclude_hint": hulls[1:2]}}
        modification = self.modifications.start(SHIP, nodes=nodes)
        removed = [
            instance["id"] for instance in modification.node_instances.removed_and_related
            if instance.get("modification") == "removed"]
        assert hulls[0] in removed and hulls[1] not in removed and hulls[2] in removed, removed
        assert len(removed) == 4, removed
        assert self.instances() == before, "what is to go stays until the end"
        undone = self.modifications.rollback(modification.id)
        assert undone.status == "rolledback" and undone.ended_at, undone
        assert sorted(undone.node_instances.before_rollback, key=lambda one: one["id"]) == before
        assert self.instances() == before and self.numbers("hull") == (3, 3)
        again = self.modifications.start(SHIP, nodes=nodes)
        self.modifications.finish(again.id)
        assert self.of("hull") == hulls[1:2] and len(self.of("lamp")) == 1
        assert self.numbers("hull") == (1, 1)
        return [modification.id, again.id]

    def more_rigs(self):
        step("a scaling group")
        modification = self.modifications.start(SHIP, nodes={"rig": {"instances": 3}})
        added = [
            dict(instance) for instance in modification.node_instances.added_and_related
            if instance.get("modification") == "added"]
        assert sorted(instance["node_id"] for instance in added) == ["mast", "sail"], added
        by_node = {instance["node_id"]: instance for instance in added}
        assert [link["target_id"] for link in by_node["sail"]["relationships"]] == [by_node["mast"]["id"]]
        assert self.numbers("rig") == (2, 3)
        self.modifications.finish(modification.id)
        assert self.numbers("rig") == (3, 3) and len(self.of("mast")) == 3
        return modification.id

    def tell(self):
        made = [self.more_hulls()] + self.fewer_hulls() + [self.more_rigs()]
        listed = self.modifications.list(SHIP)
        assert [modification.id for modification in listed] == made, listed
        assert [modification.status for modification in self.modifications.list(deployment_id=SHIP, status="rolledback")] == [
            "rolledback"]
        only = self.modifications.list(_include=["id", "status"])
        assert len(only) == 4 and "context" not in only[0], only
        assert self.modifications.get(made[0]).status == "finished"
        refused(CloudifyClientError, 404, "not_found_error", self.modifications.get, "none")
        refused(
            CloudifyClientError, 404, "not_found_error", self.modifications.start, SHIP,
            nodes={"keel": {"instances": 1}})
        print("the story held")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--password", required=True)
    arguments = parser.parse_args()
    Story(CloudifyClient(
        host="127.0.0.1", port=arguments.port, protocol="http", username="admin",
        password=arguments.password, tenant="default_tenant")).tell()


if __name__ == "__main__":
    main()
