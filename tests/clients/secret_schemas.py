"""Secrets with a JSON schema, told with a Python client: cloudify-common 7.0.5, or with --reads the older one."""

import argparse

from cloudify_rest_client import CloudifyClient
from cloudify_rest_client.exceptions import CloudifyClientError

POINT = {"x": 1, "y": [True, None]}


def refused(call, *args, **kwargs):
    try:
        call(*args, **kwargs)
    except CloudifyClientError as error:
        assert error.status_code == 400 and error.error_code == "bad_parameters_error", error
        return str(error)
    raise AssertionError("was not refused")


def write(client):
    made = client.secrets.create("point", POINT, schema={"type": "object"})
    assert made.schema == {"type": "object"} and made.value is None, made
    assert client.secrets.create("list", ["a", "b"], schema={"type": "array"}).schema == {"type": "array"}
    assert client.secrets.get("list").value == ["a", "b"]
    for kind, value in (("number", 0), ("boolean", False), ("string", "on")):
        client.secrets.create(kind, value, schema={"type": kind})
        assert client.secrets.get(kind).value == value
    message = refused(client.secrets.create, "wrong", ["a"], schema={"type": "object"})
    assert "Error validating secret value" in message and "not of type 'object'" in message, message
    limit = {"type": "number", "maximum": 20}
    message = refused(client.secrets.create, "wrong", 20.5, schema=limit)
    assert "Error validating secret value" in message and "greater than the maximum" in message, message
    message = refused(client.secrets.update, "list", value="no list")
    assert "no list" not in message, message
    client.secrets.update("list", value=["c"])
    assert client.secrets.get("list").value == ["c"]
    assert [secret.key for secret in client.secrets.list(sort="key")] == [
        "boolean", "list", "number", "point", "string"]


def read(client):
    assert client.secrets.get("point")["value"] == POINT
    assert len(client.secrets.list()) == 5


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--password", required=True)
    parser.add_argument("--reads", action="store_true")
    arguments = parser.parse_args()
    client = CloudifyClient(
        host="127.0.0.1", port=arguments.port, protocol="http", username="admin",
        password=arguments.password, tenant="default_tenant")
    if arguments.reads:
        read(client)
    else:
        write(client)
    print("the story held")


if __name__ == "__main__":
    main()
