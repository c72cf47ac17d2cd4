"""Every public method of cloudify-common 7.0.5's client: each is called here, or named with the reason why not."""

import asyncio
import inspect
import json
import logging
import os

from cloudify_rest_client import CloudifyClient
from cloudify_rest_client.exceptions import (
    CloudifyClientError,
    NoSuchIncludeFieldError,
    NotModifiedError,
)

import story
from story import refused, step

called = set()

SECOND = """\
tosca_definitions_version: cloudify_dsl_1_4
imports: [cloudify/types/types.yaml]
inputs: { keeper: { default: Jo } }
node_templates:
  ferry: { type: cloudify.nodes.Root, properties: {} }
"""

# How it is refused what only Cloudify's own workers send.
REFUSALS = (
    "bad_parameters_error", "forbidden_error", "method_not_allowed_error", "not_found_error",
)

RESTORE = "puts in what only Cloudify's own workers may write: here snapshots carry it"
MODIFICATIONS = "belongs to the tests of modifications"

# Methods that are not called, and why.
REASONS = {
    "blueprints.restore": "puts in a plan that was read elsewhere: here every blueprint is read",
    "deployment_modifications.finish": MODIFICATIONS,
    "deployment_modifications.get": MODIFICATIONS,
    "deployment_modifications.list": MODIFICATIONS,
    "deployment_modifications.rollback": MODIFICATIONS,
    "deployment_modifications.start": MODIFICATIONS,
    "deployment_updates.restore": RESTORE,
    "events.restore": RESTORE,
    "execution_groups.restore": RESTORE,
    "executions.restore": RESTORE,
    "node_instances.restore": RESTORE,
    "nodes.restore": RESTORE,
    "secrets_providers.restore": "is of the premium edition",
    "tasks_graphs.restore": RESTORE,
    "users.restore": "puts in hashes of passwords, which no manager gives away here",
}


class Strict(logging.Logger):
    """The client tells by its logger what it could not restore; here that is an error."""

    def error(self, message, *args, **kwargs):
        raise AssertionError(message % args)


STRICT = Strict("restore")


def methods(member, path=()):
    """Each public method of a client's member, with its path and whose it is."""
    for name in sorted(dir(member)):
        if name.startswith("_") or name == "api":
            continue
        value = getattr(member, name)
        if inspect.ismethod(value):
            yield ".".join(path + (name,)), member, name, value
        elif type(value).__module__.startswith(("cloudify_rest_client", "cloudify_async_client")):
            yield from methods(value, path + (name,))


def connect(options, username="admin", password=None, tenant="default_tenant"):
    """A client whose methods note that they were called."""
    client = CloudifyClient(
        host="127.0.0.1", port=options.port, username=username,
        password=password or options.password, tenant=tenant,
    )
    for path, member, name, method in list(methods(client)):
        def noted(*args, _path=path, _method=method, **kwargs):
            called.add(_path)
            return _method(*args, **kwargs)

        setattr(member, name, noted)
    return client


def every_method(options):
    plain = CloudifyClient(host="127.0.0.1", port=options.port, username="u", password="p", tenant="t")
    return {path for path, _, _, _ in methods(plain)}


def rule(key, values, kind="label"):
    return {"key": key, "values": values, "operator": "any_of", "type": kind}


def missing(call, *args, **kwargs):
    """What is of the premium edition is refused as a community edition refuses it."""
    refused(CloudifyClientError, 404, "missing_premium_package_error", call, *args, **kwargs)


def not_dumped(call, *args, **kwargs):
    """The dump asks for what a list does not show: passwords of the broker, and the numbers of rows."""
    refused(
        NoSuchIncludeFieldError, 400, "no_such_include_field_error",
        lambda: list(call(*args, **kwargs)),
    )


def wait_for_all(client):
    for execution in client.executions.list(_include_system_workflows=True):
        story.wait(client, execution)


def manager(options, client):
    step("the manager itself")
    assert client.manager.get_version()["version"] == "7.0.5"
    assert client.manager.get_status()["status"] == "OK"
    assert client.cluster_status.get_status()["status"] == "OK"
    assert client.manager.get_managers()[0].hostname == "lifeboat"
    assert client.manager.get_brokers()[0].name == "lifeboat"
    assert client.manager.get_db_nodes()[0].name == "lifeboat"
    assert len(client.manager.get_config()) == 0
    refused(CloudifyClientError, 404, "not_found_error", client.manager.get_config, "a", "rest")
    refused(CloudifyClientError, 404, "not_found_error", client.manager.put_config, "a", 1)
    refused(CloudifyClientError, 404, "not_found_error", client.manager.get_context)
    assert client.idp.get() == "local"
    assert client.ldap.get_status() == "disabled"
    assert len(client.license.list()) == 0
    client.license.check()
    missing(client.manager.add_manager, "h", "10.0.0.2", "10.0.0.2", "7.0.5", "premium", "x", "y")
    missing(client.manager.remove_manager, "lifeboat")
    missing(client.manager.update_manager, "lifeboat", "x", False)
    missing(client.manager.add_broker, "b", "10.0.0.2")
    missing(client.manager.remove_broker, "lifeboat")
    missing(client.manager.update_broker, "lifeboat", {})
    missing(client.manager.update_db_nodes)
    missing(client.ldap.set, "ldap://127.0.0.1")
    missing(client.license.delete)
    with open(os.path.join(options.folder, "license.yaml"), "w") as file:
        file.write("license: {}\n")
    missing(client.license.upload, file.name)
    missing(client.community_contacts.create, "A", "B", "a@example.org", "1", True)
    missing(client.secrets_providers.list)
    missing(lambda: list(client.secrets_providers.dump()))
    missing(client.secrets_providers.get, "vault")
    missing(client.secrets_providers.create, "vault", "vault")
    missing(client.secrets_providers.update, "vault", "vault", {})
    missing(client.secrets_providers.delete, "vault")
    missing(client.secrets_providers.check, "vault")
    assert len(client.log_bundles.list()) == 0
    refused(CloudifyClientError, 404, "not_found_error", client.log_bundles.get, "logs")
    refused(CloudifyClientError, 404, "not_found_error", client.log_bundles.delete, "logs")
    refused(
        CloudifyClientError, 404, "not_found_error", client.log_bundles.download, "logs",
        os.path.join(options.folder, "logs.zip"),
    )
    refused(CloudifyClientError, 400, "illegal_action_error", client.log_bundles.create, "logs")
    refused(NotModifiedError, 304, "not_modified", client.maintenance_mode.deactivate)
    assert client.maintenance_mode.activate().status in ("activating", "activated")
    while client.maintenance_mode.status().status != "activated":
        pass
    assert client.maintenance_mode.deactivate().status == "deactivated"


async def follow(client):
    """The audit is told line by line, what was done before first."""
    async with client.auditlog as auditlog:
        response = await auditlog.stream(timeout=30, since="2001-01-01", creator_name="admin")
        assert response.status == 200, response
        line = json.loads(await response.content.readline())
        assert line["operation"] == "create" and line["creator_name"] == "admin", line


def people(client):
    step("people")
    client.users.create("jo", "jo-password-1", "default")
    client.users.set_password("jo", "jo-password-2")
    client.users.set_role("jo", "sys_admin")
    client.users.set_role("jo", "default")
    client.users.deactivate("jo")
    client.users.activate("jo")
    refused(CloudifyClientError, 409, "conflict_error", client.users.unlock, "jo")
    client.users.set_show_getting_started("jo", False)
    assert client.users.get("jo").role == "default"
    assert client.users.get_self().username == "admin"
    assert "jo" in [user.username for user in client.users.list()]
    client.tenants.create("south")
    client.tenants.add_user("jo", "south", "viewer")
    client.tenants.update_user("jo", "south", "user")
    client.user_groups.create("keepers", "default")
    client.user_groups.set_role("keepers", "default")
    client.user_groups.add_user("jo", "keepers")
    client.tenants.add_user_group("keepers", "south", "viewer")
    client.tenants.update_user_group("keepers", "south", "user")
    assert client.tenants.get("south").name == "south"
    assert "keepers" in [group.name for group in client.user_groups.list()]
    assert client.user_groups.get("keepers").users == 1

    step("people, dumped and restored")
    groups = list(client.user_groups.dump())
    not_dumped(client.tenants.dump)
    not_dumped(client.users.dump)
    assert len(groups) == 1, groups
    client.tenants.remove_user_group("keepers", "south")
    client.tenants.remove_user("jo", "south")
    client.user_groups.remove_user("jo", "keepers")
    client.user_groups.delete("keepers")
    client.tenants.delete("south")
    client.users.delete("jo")
    client.tenants.restore([{"name": "south"}], STRICT)
    assert list(client.user_groups.restore(groups, STRICT)) == [{"keepers": {"south": "user"}}]
    assert "south" in [tenant.name for tenant in client.tenants.list()]
    assert {"role": "viewer", "permission": "secret_list"} in client.permissions.list(role="viewer").items
    client.permissions.add("secret_create", "viewer")
    permissions = list(client.permissions.dump())
    client.permissions.delete("secret_create", "viewer")
    client.permissions.restore(permissions, STRICT)
    assert len(list(client.permissions.dump())) == len(permissions)
    token = client.tokens.create(description="mine", expiration="+10h")
    assert client.tokens.get(token.id).description == "mine"
    assert token.id in [mine.id for mine in client.tokens.list()]
    client.tokens.delete(token.id)
    lines = client.auditlog.list()
    assert len(lines) > 0
    assert client.auditlog.delete(before="2001-01-01").deleted == 0
    asyncio.run(follow(client))


def blueprints(options, client):
    step("blueprints")
    client.blueprints.upload(options.blueprint, "lighthouse")
    archive = os.path.join(options.folder, "lighthouse.tar.gz")
    assert client.blueprints.download("lighthouse", archive) == archive
    client.blueprints.publish_archive(archive, "published", "lighthouse.yaml")
    folder = os.path.join(options.folder, "second")
    os.makedirs(folder)
    with open(os.path.join(folder, "blueprint.yaml"), "w") as file:
        file.write(SECOND)
    client.blueprints.upload(file.name, "second")
    client.blueprints.validate(options.blueprint, "third")
    client.blueprints.update("second", {"labels": [{"env": "prod"}]})
    client.blueprints.set_visibility("second", "global")
    refused(CloudifyClientError, 404, "not_found_error", client.blueprints.set_global, "none")
    icon = os.path.join(options.folder, "icon.png")
    with open(icon, "wb") as file:
        file.write(b"\x89PNG\r\n\x1a\nand so on")
    client.blueprints.upload_icon("second", icon)
    client.blueprints.remove_icon("second")
    wait_for_all(client)
    assert client.blueprints.get("second")["visibility"] == "global"
    assert len(client.blueprints.list(filter_rules=[rule("env", ["prod"])])) == 1
    assert client.blueprints_labels.list_keys().items == ["env"]
    assert client.blueprints_labels.list_key_values("env").items == ["prod"]
    assert client.blueprints_labels.get_reserved_labels_keys().items
    dumped = list(client.blueprints.dump(["published"]))
    assert [blueprint["id"] for blueprint in dumped] == ["published"]
    client.blueprints.delete("published")


def filters(client):
    step("filters")
    for filters_client in (client.blueprints_filters, client.deployments_filters):
        filters_client.create("mine", [rule("env", ["prod"])])
        filters_client.update("mine", [rule("env", ["test"])])
        assert filters_client.get("mine").labels_filter_rules == [rule("env", ["test"])]
        assert "mine" in [saved.id for saved in filters_client.list()]
        dumped = list(filters_client.dump())
        filters_client.delete("mine")
        filters_client.restore(dumped, STRICT)
        assert filters_client.get("mine")["created_by"] == "admin"


def sites(client):
    step("sites")
    client.sites.create("cape", location="1,2")
    client.sites.update("cape", location="3,4")
    assert client.sites.get("cape").location == "3.0, 4.0"
    dumped = list(client.sites.dump())
    client.sites.delete("cape")
    client.sites.restore(dumped, STRICT)
    assert [site.name for site in client.sites.list()] == ["cape"]


def secrets(client):
    step("secrets")
    client.secrets.create("oil", "whales", is_hidden_value=True)
    client.secrets.update("oil", "seeds")
    client.secrets.set_global("oil")
    refused(CloudifyClientError, 404, "not_found_error", client.secrets.set_visibility, "none", "global")
    assert client.secrets.get("oil").value == "seeds"
    assert [secret.key for secret in client.secrets.list()] == ["oil"]
    assert client.secrets.export()[0]["value"] == "seeds"
    dumped = client.secrets.dump()
    client.secrets.delete("oil")
    assert list(client.secrets.restore(dumped, STRICT)) == []
    assert client.secrets.get("oil").value == "seeds"
    answer = client.secrets.import_secrets(dumped)
    assert answer["colliding_secrets"] == {"default_tenant": ["oil"]}, answer


def plugins(options, client):
    step("plugins")
    plugin = client.plugins.upload(options.plugin, plugin_title="beacon").id
    path = os.path.join(options.folder, "beacon.wgn")
    assert client.plugins.download(plugin, path) == path
    client.plugins.download_yaml(plugin, os.path.join(options.folder, "beacon.yaml"))
    assert "beacon-plugin" in client.plugins.get_yaml(plugin)
    client.plugins.list_yaml_files(plugin)
    client.plugins.set_owner(plugin, "admin")
    client.plugins.update(plugin, labels={"env": ["prod"]})
    client.plugins.set_visibility(plugin, "global")
    refused(CloudifyClientError, 404, "not_found_error", client.plugins.set_global, "none")
    assert client.plugins.get(plugin)["labels"] == {"env": ["prod"]}
    assert [kept.id for kept in client.plugins.list()] == [plugin]
    before = client.plugins.get(plugin)
    dumped = list(client.plugins.dump([plugin]))
    client.plugins.delete(plugin)
    assert list(client.plugins.restore(dumped, STRICT, lambda _: options.plugin)) == [{plugin: options.plugin}]
    known = ["id", "uploaded_at", "created_by", "package_name"]
    assert [[kept[key] for key in known] for kept in client.plugins.list()] == [[before[key] for key in known]]


def deployments(client):
    step("deployments")
    client.deployments.create("lighthouse", "tower", inputs={"keeper": "Jo"})
    client.deployments.create("second", "spare", async_create=False)
    wait_for_all(client)
    assert client.deployments.get("tower")["inputs"] == {"keeper": "Jo"}
    assert client.deployments.outputs.get("tower")["outputs"]
    assert client.deployments.capabilities.get("tower")["deployment_id"] == "tower"
    assert client.deployments.capabilities.list("tower").items == []
    client.deployments.scaling_groups.list(deployment_id="tower")
    client.deployments.set_site("tower", "cape")
    assert client.deployments.set_attributes("spare", description="a ferry")["description"] == "a ferry"
    assert client.deployments.get("spare")["description"] == "a ferry"
    for name, value in (("description", "two"), ("inputs", {"keeper": "Al"}), ("outputs", {})):
        refused(
            CloudifyClientError, 409, "conflict_error",
            client.deployments.set_attributes, "spare", **{name: value},
        )
    assert client.deployments.get("spare")["inputs"] == {"keeper": "Jo"}
    client.deployments.set_site("tower", detach_site=True)
    client.deployments.set_visibility("tower", "global")
    client.deployments.update_labels("tower", [{"env": "prod"}])
    assert client.deployments_labels.list_keys().items == ["env"]
    assert client.deployments_labels.list_key_values("env").items == ["prod"]
    assert client.deployments_labels.get_reserved_labels_keys().items
    assert "tower" in [deployment.id for deployment in client.deployments.list()]
    assert client.summary.blueprints.get("visibility").items
    assert client.summary.deployments.get("blueprint_id").items
    assert client.summary.nodes.get("deployment_id").items
    assert client.summary.node_instances.get("node_id").items
    assert client.summary.executions.get("workflow_id").items
    assert client.workflows.list(id="spare").items
    dumped = list(client.deployments.dump(["spare"]))
    client.deployments.delete("spare")
    wait_for_all(client)
    client.deployments.restore(dumped, STRICT, lambda _: None)
    wait_for_all(client)
    assert client.deployments.get("spare")["blueprint_id"] == "second"


def nodes(client):
    step("nodes")
    assert client.nodes.get("tower", "tower")["deployment_id"] == "tower"
    assert len(client.nodes.list(deployment_id="tower")) > 0
    client.nodes.types.list(deployment_id="tower")
    assert list(client.nodes.dump(["tower"]))
    instance = client.node_instances.list(deployment_id="tower")[0]
    assert client.node_instances.get(instance.id).id == instance.id
    assert len(client.node_instances.search([instance.id])) == 1
    evaluated = client.evaluate.functions(
        "tower", {"self": instance.id},
        {"keeper": {"get_input": "keeper"}, "id": {"get_attribute": ["SELF", "node_instance_id"]}},
    )
    assert evaluated["payload"] == {"keeper": "Jo", "id": instance.id}, evaluated
    refused(
        CloudifyClientError, 404, "not_found_error", client.evaluate.functions, "tower",
        {"self": "none"}, {},
    )
    refused(CloudifyClientError, 400, "bad_parameters_error", client.evaluate.functions, "tower", {}, {"a": {"get_input": "none"}})
    client.node_instances.update(instance.id, state="started", version=instance.version + 1)
    assert list(client.node_instances.dump(["tower"]))
    client.agents.create("pilot", instance.id, install_method="remote")
    client.agents.update("pilot", "started")
    assert client.agents.get("pilot").state == "started"
    assert [agent.id for agent in client.agents.list()] == ["pilot"]
    not_dumped(client.agents.dump, ["tower"])
    client.agents.restore([{"id": "second", "node_instance_id": instance.id, "state": "stopped"}], STRICT)
    assert client.agents.get("second").state == "stopped"


def executions(client):
    step("executions")
    execution = client.executions.create("spare", "install", dry_run=True)
    client.executions.start("spare", "install", dry_run=True, queue=True)
    wait_for_all(client)
    assert client.executions.get(execution.id)["workflow_id"] == "install"
    refused(CloudifyClientError, 400, "illegal_action_error", client.executions.cancel, execution.id)
    refused(CloudifyClientError, 409, "conflict_error", client.executions.resume, execution.id)
    assert len(client.executions.list(deployment_id="spare")) > 1
    assert list(client.executions.dump([execution.id]))
    assert client.executions.delete(keep_last=1000) == 0
    assert client.events.list(execution_id=execution.id).items
    events, total = client.events.get(execution.id)
    assert total == len(events) > 0
    not_dumped(client.events.dump, [execution.id], include_logs=True)
    assert client.events.delete("spare", include_logs=True).items[0] > 0
    graph = client.tasks_graphs.create(execution.id, "journey", operations=[])
    client.tasks_graphs.update(graph.id, "started")
    assert client.tasks_graphs.list(execution.id)[0].name == "journey"
    assert list(client.tasks_graphs.dump([execution.id], {}))
    operation = "5f0c6f4e-0000-4000-8000-000000000001"
    client.operations.create(operation, graph.id, "cast off", "RemoteWorkflowTask", {}, [])
    client.operations.update(operation, "started")
    assert client.operations.get(operation)["name"] == "cast off"
    assert len(client.operations.list(graph.id)) == 1
    assert list(client.operations.dump([execution.id]))
    client.operations.delete(operation)


def groups(client):
    step("groups")
    client.deployment_groups.put("fleet", blueprint_id="second", deployment_ids=["spare"])
    assert len(client.deployment_groups.add_deployments("fleet", count=1).deployment_ids) == 2
    wait_for_all(client)
    client.deployment_groups.remove_deployments("fleet", ["spare"])
    assert client.deployment_groups.get("fleet").default_blueprint_id == "second"
    assert [group["id"] for group in client.deployment_groups.list()] == ["fleet"]
    dumped = list(client.deployment_groups.dump())
    started = client.execution_groups.start("fleet", "install", concurrency=1)
    client.execution_groups.set_concurrency(started.id, 2)
    client.execution_groups.create("fleet", "install", [client.execution_groups.get(started.id)["execution_ids"][0]])
    client.execution_groups.set_target_group(started.id, success_group="fleet")
    client.execution_groups.cancel(started.id)
    wait_for_all(client)
    client.execution_groups.resume(started.id)
    wait_for_all(client)
    assert client.execution_groups.get(started.id)["workflow_id"] == "install"
    assert started.id in [group["id"] for group in client.execution_groups.list()]
    assert list(client.execution_groups.dump([started.id]))
    client.deployment_groups.delete("fleet")
    client.deployment_groups.restore(dumped, STRICT)
    assert [group["id"] for group in client.deployment_groups.list()] == ["fleet"]


def schedules(client):
    step("schedules")
    client.execution_schedules.create("daily", "spare", "install", since="2040-01-01T00:00:00.000Z", rrule="FREQ=DAILY")
    client.execution_schedules.update("daily", "spare", enabled=False)
    assert client.execution_schedules.get("daily", "spare")["enabled"] is False
    assert len(client.execution_schedules.list()) == 1
    assert client.summary.execution_schedules.get("deployment_id").items
    dumped = list(client.execution_schedules.dump())
    client.execution_schedules.delete("daily", "spare")
    client.execution_schedules.restore(dumped, STRICT)
    assert client.execution_schedules.get("daily", "spare")["enabled"] is False


def dependencies(client):
    step("inter-deployment dependencies")
    dependencies_client = client.inter_deployment_dependencies
    dependencies_client.create("manual", "tower", "spare")
    assert len(dependencies_client.list()) == 1
    dumped = list(dependencies_client.dump())
    dependencies_client.delete("manual", "tower", "spare")
    dependencies_client.restore(dumped, STRICT)
    assert len(dependencies_client.list()) == 1
    dependencies_client.create_many("tower", [{"dependency_creator": "two", "target_deployment": "spare"}])
    dependencies_client.update_all("tower", [{"dependency_creator": "three", "target_deployment": "spare"}])
    assert [kept["dependency_creator"] for kept in dependencies_client.list()] == ["three"]
    dependencies_client.legacy_restore("tower", False)


def updates(client):
    step("updates")
    update = client.deployment_updates.update_with_existing_blueprint("spare", inputs={"keeper": "Ulla"})
    wait_for_all(client)
    assert client.deployment_updates.get(update.id)["state"] == "successful"
    assert len(client.deployment_updates.list()) == 1
    assert list(client.deployment_updates.dump())
    updated = client.plugins_update.update_plugins("second")
    wait_for_all(client)
    assert client.plugins_update.get(updated.id)["blueprint_id"] == "second"
    assert len(client.plugins_update.list()) == 1
    dumped = list(client.plugins_update.dump())
    dumped[0]["id"] = "brought"
    client.plugins_update.restore(dumped[:1], STRICT)
    assert client.plugins_update.get("brought")["blueprint_id"] == "second"


def snapshots(options, client):
    step("snapshots")
    story.wait(client, client.snapshots.create("nightly", False, legacy=False))
    assert client.snapshots.get("nightly").status == "created"
    path = os.path.join(options.folder, "nightly.zip")
    client.snapshots.download("nightly", path)
    client.snapshots.upload(path, "again")
    client.snapshots.update_status("again", "uploaded")
    assert len(client.snapshots.list()) == 2
    client.snapshots.delete("again")
    story.wait(client, client.snapshots.restore("nightly", force=True))
    assert client.snapshots.get_status() == {"status": "not-running"}


def synchronize(resources):
    with resources.sync_deployment_workdir("tower", "/nowhere"):
        raise AssertionError("there is nothing to synchronize with")


def workers(client, options_folder):
    step("what only Cloudify's own workers send")
    execution = client.executions.list(deployment_id="spare")[0].id
    plugin = client.plugins.list()[0].id
    for call, arguments in (
        (client.blueprints.upload_archive, ("lighthouse", __file__)),
        (client.events.create, ([], [], execution)),
        (client.executions.update, (execution, "terminated")),
        (client.node_instances.create_many, ("tower", [])),
        (client.node_instances.delete, ("none",)),
        (client.nodes.create_many, ("tower", [])),
        (client.nodes.update, ("tower", "tower")),
        (client.nodes.delete, ("tower", "tower")),
        (client.plugins.install, (plugin, ["lifeboat"])),
        (client.plugins.set_state, (plugin, "installed")),
        (client.log_bundles.update_status, ("logs", "created")),
        (client.log_bundles.upload_archive, ("logs", __file__)),
        (client.agents.replace_ca_certs, (False, None, None)),
        (client.auditlog.inject, ([],)),
        (client.manager.create_context, ("x", {})),
        (client.manager.update_context, ("x", {})),
        (client.resources.delete_deployment_file, ("tower", "file")),
        (synchronize, (client.resources,)),
        (client.resources.get_file, ("/resources/x",)),
        (client.resources.upload_deployment_file, ("tower", "file", __file__)),
        (client.resources.upload_deployment_workdir, ("tower", os.path.dirname(options_folder))),
        (client.resources.download_deployment_workdir, ("tower", options_folder)),
        (client.executions.should_start, (execution,)),
        (client.executions.requeue, (execution,)),
        (client.deployment_updates.create, ("x", "tower")),
        (client.deployment_updates.set_attributes, ("x",)),
        (client.deployment_updates.finalize_commit, ("x",)),
        (client.deployment_updates.bulk_insert, ([],)),
        (client.plugins_update.finalize_plugins_update, ("x",)),
    ):
        try:
            call(*arguments)
        except CloudifyClientError as error:
            assert error.error_code in REFUSALS, (arguments, error.error_code, str(error))
        else:
            raise AssertionError("%s was not refused" % (arguments,))


def main():
    options = story.arguments()
    client = connect(options)
    people(client)
    manager(options, client)
    blueprints(options, client)
    filters(client)
    sites(client)
    secrets(client)
    plugins(options, client)
    deployments(client)
    nodes(client)
    executions(client)
    groups(client)
    schedules(client)
    dependencies(client)
    updates(client)
    workers(client, options.folder)
    snapshots(options, client)
    left = every_method(options) - called - set(REASONS)
    assert not left, "neither called nor named with a reason: %s" % sorted(left)
    named = set(REASONS) & called
    assert not named, "called, though named with a reason: %s" % sorted(named)
    print("the story held")


if __name__ == "__main__":
    main()
