"""The whole story told with cloudify-rest-client 4.3.3, as converted for Python 3.

This client is older than the API it calls: raw blueprint uploads, exact 200s for
deletes, `include_metrics` and `recreate_deployments_envs` in its bodies.
"""

import os

from cloudify_rest_client import CloudifyClient
from cloudify_rest_client.exceptions import (
    CloudifyClientError,
    NoSuchIncludeFieldError,
    UserUnauthorizedError,
)

import story
from story import refused, step

# Encodes to base64 with `+` and `/`, which this client sends as `-` and `_`.
ODD_PASSWORD = "ods-~~~???>>>pw"


def connect(port, password, tenant="default_tenant", username="admin"):
    return CloudifyClient(
        host="127.0.0.1", port=port, username=username, password=password, tenant=tenant
    )


def fill(options):
    step("tenants and users")
    client = connect(options.port, options.password)
    assert client.manager.get_version()["version"] == "7.0.5"
    assert client.manager.get_status()["status"] == "OK"
    client.tenants.create("north")
    client.users.create("jo", ODD_PASSWORD, "sys_admin")
    jo = connect(options.port, ODD_PASSWORD, "north", "jo")
    jo.tenants.add_user("jo", "north", "manager")

    for tenant in ("default_tenant", "north"):
        step("secret, blueprint, deployment and plugin in " + tenant)
        client = connect(options.port, options.password, tenant)
        client.secrets.create("lamp_passphrase", story.SECRET)
        blueprint = client.blueprints.upload(options.blueprint, "lighthouse")
        assert blueprint["id"] == "lighthouse", blueprint
        for execution in client.executions.list(_include_system_workflows=True):
            story.wait(client, execution)
        client.deployments.create(
            "lighthouse", tenant + "-tower", inputs={"keeper": "Jürgen"}
        )
        for execution in client.executions.list(_include_system_workflows=True):
            assert story.wait(client, execution)["status"] == "terminated", execution
        assert len(client.node_instances.list(deployment_id=tenant + "-tower")) == 3
    plugin = client.plugins.upload(options.plugin)
    assert plugin["package_name"] == "beacon-plugin", plugin


def snapshots(client):
    step("create")
    execution = client.snapshots.create("nightly", True, True)
    assert execution["workflow_id"] == "create_snapshot", execution
    execution = story.wait(client, execution)
    assert execution["status"] == "terminated", execution
    events = client.events.list(execution_id=execution["id"], include_logs=True)
    texts = [event["message"] for event in events]
    assert "'create_snapshot' workflow execution succeeded" in texts, texts

    step("list")
    story.wait(client, client.snapshots.create("extra", False, False))
    assert [s.id for s in client.snapshots.list()] == ["nightly", "extra"]
    assert [s.id for s in client.snapshots.list(sort="id")] == ["extra", "nightly"]
    assert [s.id for s in client.snapshots.list(_size=1, _offset=1)] == ["extra"]
    assert [s.id for s in client.snapshots.list(id="extra")] == ["extra"]
    assert client.snapshots.list(_include=["id"])[0] == {"id": "nightly"}
    deleted = client.snapshots.delete("extra")
    assert deleted.id == "extra" and deleted.status == "created", deleted


def carry(options, client):
    step("download and upload")
    path = os.path.join(options.folder, "nightly.zip")
    progress = story.Progress()
    client.snapshots.download("nightly", path, progress)
    progress.check(os.path.getsize(path))
    second = connect(options.second_port, options.password)
    progress = story.Progress()
    snapshot = second.snapshots.upload(path, "carried", progress)
    progress.check(os.path.getsize(path))
    assert snapshot.status == "uploaded", snapshot

    step("restore")
    execution = story.wait(
        second, second.snapshots.restore("carried", recreate_deployments_envs=False)
    )
    assert execution["status"] == "terminated", execution
    for tenant in ("default_tenant", "north"):
        story.same(
            story.inventory(connect(options.port, options.password, tenant), options.folder),
            story.inventory(
                connect(options.second_port, options.password, tenant), options.folder
            ),
        )

    step("restore with force, and deployment environments made again")
    execution = story.wait(second, second.snapshots.restore("carried"))
    assert execution["status"] == "failed", execution
    assert "non-empty manager is not permitted" in execution["error"], execution
    execution = story.wait(second, second.snapshots.restore("carried", force=True))
    assert execution["status"] == "terminated", execution


def errors(options, client):
    step("errors")
    refused(CloudifyClientError, 404, "not_found_error", client.snapshots.get, "nothing")
    refused(
        CloudifyClientError, 409, "conflict_error",
        client.snapshots.create, "nightly", False, False,
    )
    refused(
        CloudifyClientError, 400, "bad_parameters_error",
        client.snapshots.create, "0", False, False,
    )
    refused(
        NoSuchIncludeFieldError, 400, "no_such_include_field_error",
        client.snapshots.get, "nightly", _include=["nothing"],
    )
    wrong = connect(options.port, "not the password")
    refused(UserUnauthorizedError, 401, "unauthorized_error", wrong.snapshots.list)


def delete_everything(client):
    step("delete: this client takes 200 with JSON, and nothing else")
    client.deployments.delete("default_tenant-tower")
    for execution in client.executions.list(_include_system_workflows=True):
        story.wait(client, execution)
    client.blueprints.delete("lighthouse")
    client.secrets.delete("lamp_passphrase")
    for plugin in client.plugins.list():
        client.plugins.delete(plugin["id"], force=True)
    client.snapshots.delete("nightly")
    assert len(client.snapshots.list()) == 0


def main():
    options = story.arguments()
    fill(options)
    client = connect(options.port, options.password)
    snapshots(client)
    carry(options, client)
    errors(options, client)
    delete_everything(client)
    print("the story held")


if __name__ == "__main__":
    main()
