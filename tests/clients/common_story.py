"""The whole story told with cloudify-common 7.0.5, from an empty manager to a second one."""

import os

from cloudify_rest_client import CloudifyClient
from cloudify_rest_client.exceptions import (
    CloudifyClientError,
    ForbiddenError,
    NoSuchIncludeFieldError,
    UserUnauthorizedError,
)

import story
from story import refused, step


def connect(port, password, tenant="default_tenant", username="admin"):
    return CloudifyClient(
        host="127.0.0.1", port=port, username=username, password=password, tenant=tenant
    )


def fill(options):
    step("tenants and users")
    client = connect(options.port, options.password)
    assert client.manager.get_version()["version"] == "7.0.5"
    assert client.manager.get_version()["edition"] == "community"
    assert client.manager.get_status()["status"] == "OK"
    assert client.tenants.create("north")["name"] == "north"
    client.users.create("jo", "jo-password-1", "default")
    client.tenants.add_user("jo", "north", "user")
    assert [t["name"] for t in client.tenants.list(sort="name")] == ["default_tenant", "north"]
    assert "jo" in [user["username"] for user in client.users.list()]
    token = client.tokens.create()
    by_token = CloudifyClient(
        host="127.0.0.1", port=options.port, token=token["value"], tenant="north"
    )
    assert by_token.blueprints.list().metadata.pagination.total == 0

    for tenant in ("default_tenant", "north"):
        step("secret, blueprint, deployment and plugin in " + tenant)
        client = connect(options.port, options.password, tenant)
        client.secrets.create("lamp_passphrase", story.SECRET)
        assert client.secrets.get("lamp_passphrase")["value"] == story.SECRET
        blueprint = client.blueprints.upload(options.blueprint, "lighthouse")
        assert blueprint["id"] == "lighthouse", blueprint
        for execution in client.executions.list(_include_system_workflows=True):
            story.wait(client, execution)
        assert client.blueprints.get("lighthouse")["state"] == "uploaded"
        client.deployments.create(
            "lighthouse", tenant + "-tower", inputs={"keeper": "Jürgen"}
        )
        for execution in client.executions.list(_include_system_workflows=True):
            assert story.wait(client, execution)["status"] == "terminated", execution
        assert client.deployments.get(tenant + "-tower")["inputs"] == {"keeper": "Jürgen"}
        assert len(client.node_instances.list(deployment_id=tenant + "-tower")) == 3
        instance = client.node_instances.list(_sort="id")[0]
        client.node_instances.update(
            instance["id"],
            state="started",
            runtime_properties={"lit": True, "öl": [1, 2.5, None]},
            version=instance["version"],
        )
    plugin = client.plugins.upload(options.plugin, plugin_title="beacon")
    assert plugin["package_name"] == "beacon-plugin", plugin
    assert plugin["package_version"] == "1.2.0", plugin


def create(client):
    step("create")
    execution = client.snapshots.create(
        "nightly",
        include_credentials=True,
        include_logs=True,
        include_events=True,
        queue=False,
        legacy=False,
        listener_timeout=0.5,
    )
    assert execution["workflow_id"] == "create_snapshot", execution
    assert execution["is_system_workflow"] is True, execution
    assert execution["deployment_id"] is None and execution["blueprint_id"] is None
    assert execution["parameters"]["snapshot_id"] == "nightly", execution
    execution = story.wait(client, execution)
    assert execution["status"] == "terminated", execution
    assert execution["status_display"] == "completed", execution
    assert execution["ended_at"] >= execution["started_at"] >= execution["created_at"]
    snapshot = client.snapshots.get("nightly")
    assert snapshot.status == "created" and snapshot.error == "", snapshot

    events = client.events.list(execution_id=execution["id"], include_logs=True)
    texts = [event["message"] for event in events]
    assert "'create_snapshot' workflow execution succeeded" in texts, texts
    kinds = {event["type"] for event in events}
    assert kinds == {"cloudify_event", "cloudify_log"}, kinds


def look(client):
    step("get and list")
    assert client.snapshots.get("nightly", _include=["id", "status"]) == {
        "id": "nightly",
        "status": "created",
    }
    refused(
        NoSuchIncludeFieldError, 400, "no_such_include_field_error",
        client.snapshots.list, _include=["id", "nothing"],
    )
    for number in range(3):
        story.wait(client, client.snapshots.create("extra%d" % number, False, legacy=False))
    names = ["nightly", "extra0", "extra1", "extra2"]

    def ids(**kwargs):
        return [snapshot.id for snapshot in client.snapshots.list(**kwargs)]

    assert ids() == names
    assert ids(sort="created_at", is_descending=True) == names[::-1]
    assert ids(sort="id") == sorted(names)
    assert ids(id="extra1") == ["extra1"]
    assert ids(id=["extra1", "nightly"]) == ["nightly", "extra1"]
    assert ids(status="failed") == []
    assert ids(_search="EXTRA") == names[1:]
    page = client.snapshots.list(_offset=1, _size=2)
    assert [snapshot.id for snapshot in page] == names[1:3]
    assert page.metadata.pagination.total == 4
    assert page.metadata.pagination.size == 2
    assert page.metadata.pagination.offset == 1
    refused(
        CloudifyClientError, 400, "bad_parameters_error", client.snapshots.list, nothing="x"
    )
    for number in range(3):
        client.snapshots.delete("extra%d" % number)
    assert ids() == ["nightly"]


def carry(options, client):
    step("download")
    path = os.path.join(options.folder, "nightly.zip")
    progress = story.Progress()
    client.snapshots.download("nightly", path, progress)
    size = os.path.getsize(path)
    progress.check(size)
    try:
        client.snapshots.download("nightly", path)
        raise AssertionError("wrote over a file")
    except OSError:
        pass

    step("upload to the second manager")
    second = connect(options.second_port, options.password)
    progress = story.Progress()
    snapshot = second.snapshots.upload(path, "0-carried", progress)
    progress.check(size)
    assert snapshot.id == "0-carried" and snapshot.status == "uploaded", snapshot
    refused(
        CloudifyClientError, 409, "conflict_error", second.snapshots.upload, path, "0-carried"
    )

    step("restore on the second manager")
    assert second.snapshots.get_status() == {"status": "not-running"}
    execution = second.snapshots.restore("0-carried")
    assert execution["workflow_id"] == "restore_snapshot", execution
    execution = story.wait(second, execution)
    assert execution["status"] == "terminated", execution
    assert second.snapshots.get_status() == {"status": "not-running"}
    for tenant in ("default_tenant", "north"):
        story.same(
            story.inventory(connect(options.port, options.password, tenant), options.folder),
            story.inventory(
                connect(options.second_port, options.password, tenant), options.folder
            ),
        )

    step("a second restore is refused, and done with force")
    execution = story.wait(second, second.snapshots.restore("0-carried"))
    assert execution["status"] == "failed", execution
    assert "non-empty manager is not permitted" in execution["error"], execution
    execution = story.wait(second, second.snapshots.restore("0-carried", force=True))
    assert execution["status"] == "terminated", execution


def errors(options, client):
    step("errors")
    refused(
        CloudifyClientError, 404, "not_found_error", client.snapshots.get, "nothing"
    )
    refused(
        CloudifyClientError, 404, "not_found_error", client.snapshots.delete, "nothing"
    )
    refused(
        CloudifyClientError, 404, "not_found_error", client.snapshots.restore, "nothing"
    )
    refused(
        CloudifyClientError, 409, "conflict_error", client.snapshots.create, "nightly", True
    )
    for name, words in (
        ("0", "must begin with a letter"),
        ("with space", "contains illegal characters"),
        ("x" * 257, "is too long"),
    ):
        message = refused(
            CloudifyClientError, 400, "bad_parameters_error",
            client.snapshots.create, name, True,
        )
        assert words in message, message
    last = client.executions.list(
        _include_system_workflows=True, workflow_id="create_snapshot"
    )[0]
    refused(
        CloudifyClientError, 400, "illegal_action_error", client.executions.cancel, last["id"]
    )
    jo = connect(options.port, "jo-password-1", "north", "jo")
    message = refused(ForbiddenError, 403, "forbidden_error", jo.snapshots.create, "mine", True)
    assert "snapshot_create" in message, message
    wrong = connect(options.port, "not the password")
    refused(UserUnauthorizedError, 401, "unauthorized_error", wrong.snapshots.list)


def main():
    options = story.arguments()
    fill(options)
    client = connect(options.port, options.password)
    create(client)
    look(client)
    carry(options, client)
    errors(options, client)
    step("delete")
    client.snapshots.delete("nightly")
    assert len(client.snapshots.list()) == 0
    print("the story held")


if __name__ == "__main__":
    main()
