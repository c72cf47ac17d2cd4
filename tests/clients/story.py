"""What the two client stories share: arguments, waiting, and looking at errors.

A story is a program: it asserts what it sees and exits 0 when all held. Nothing
here imports a Cloudify client, so it runs with either.
"""

import argparse
import json
import os
import time

END_STATES = ("terminated", "failed", "cancelled")
SECRET = "öffne dich, \"Sesam\"\n\tzweite Zeile ✓"


def arguments():
    """The two servers, and what to send to them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--second-port", type=int, required=True)
    parser.add_argument("--password", required=True)
    parser.add_argument("--folder", required=True, help="for downloads")
    parser.add_argument("--blueprint", required=True, help="the main file")
    parser.add_argument("--plugin", required=True, help="a zip of wagon and plugin.yaml")
    return parser.parse_args()


def step(text):
    """Says what comes next, so that a failure can be placed."""
    print("--", text, flush=True)


def wait(client, execution, seconds=120):
    """Waits until an execution has ended, and gives it as it is then."""
    deadline = time.monotonic() + seconds
    while True:
        execution = client.executions.get(execution["id"])
        if execution["status"] in END_STATES:
            return execution
        assert time.monotonic() < deadline, "still " + execution["status"]
        time.sleep(0.05)


def refused(error_class, status, code, call, *args, **kwargs):
    """Asserts that a call raises this class with this status and code; gives the message."""
    try:
        call(*args, **kwargs)
    except error_class as error:
        assert type(error) is error_class, "raised %r" % type(error)
        # The old client's exceptions have no text of their own under Python 3.
        message = str(error.args[0]) if error.args else ""
        assert error.status_code == status, "status %s: %s" % (error.status_code, message)
        assert error.error_code == code, "code %s: %s" % (error.error_code, message)
        return message
    raise AssertionError("was not refused")


class Progress:
    """Records what a progress callback is told."""

    def __init__(self):
        self.seen = []

    def __call__(self, done, total):
        self.seen.append((done, total))

    def check(self, size):
        assert self.seen, "no progress was told"
        counts = [done for done, _ in self.seen]
        assert counts == sorted(counts), "progress went back"
        assert self.seen[-1] == (size, size), "ended at %s of %s" % (self.seen[-1], size)


def inventory(client, blueprint_archives):
    """The state of the client's tenant, with secrets' values, fit to be compared."""
    found = {}
    for name in ("blueprints", "deployments", "nodes", "node_instances", "plugins"):
        items = [dict(item) for item in getattr(client, name).list()]
        found[name] = sorted(items, key=lambda item: str(item["id"]))
    found["secrets"] = {
        secret["key"]: dict(client.secrets.get(secret["key"]))
        for secret in client.secrets.list()
    }
    for blueprint in found["blueprints"]:
        path = os.path.join(blueprint_archives, blueprint["id"] + ".tar.gz")
        client.blueprints.download(blueprint["id"], path)
        with open(path, "rb") as archive:
            blueprint["archive"] = archive.read().hex()
        os.remove(path)
    return found


def same(before, after):
    """Asserts that two inventories are equal, and says where they are not."""
    for kind in before:
        if before[kind] != after[kind]:
            raise AssertionError(
                "%s differ:\n%s\n%s"
                % (
                    kind,
                    json.dumps(before[kind], sort_keys=True)[:4000],
                    json.dumps(after[kind], sort_keys=True)[:4000],
                )
            )
