"""Many commands of `cfy`, each in a process of its own that need not import everything anew.

A request is a line of JSON, and so is its answer:

    {"run": "sites list --json", "seconds": 60}
        -> {"code": 0, "stdout": "", "stderr": "", "command": "sites list", "options": ["json"]}
    {"tree": true}
        -> {"sites list": ["json", "sort_by"]}, the options of each command

The command's own entry point runs in a fork of this process, as `bin/cfy` runs it. What the import of
`cfy` read stays true in the fork: once a command has changed the profiles, this process begins anew.
"""

import gc
import json
import os
import shlex
import signal
import sys
import tempfile

import click

from cloudify_cli import env
from cloudify_cli.main import _cfy as cfy


def resolved(command):
    """A command behind its name, which `cfy` imports when it is needed."""
    for load in ("_get_group", "_get_command"):
        command = getattr(command, load, lambda found=command: found)()
    return command


def leaves(command, path=()):
    """Each command that does something, with its path."""
    command = resolved(command)
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        yield from leaves(command.get_command(context, name), path + (name,))


def options_of(command):
    return [parameter.name for parameter in command.params if isinstance(parameter, click.Option)]


def parsed(arguments):
    """The command that these arguments call, and the options that they name."""
    command, path, used = resolved(cfy), [], []
    while True:
        parser = command.make_parser(click.Context(command, resilient_parsing=True))
        _, arguments, order = parser.parse_args(list(arguments))
        used += [parameter.name for parameter in order if isinstance(parameter, click.Option)]
        if not isinstance(command, click.Group) or not arguments:
            return " ".join(path), used
        name, *arguments = arguments
        found = command.get_command(click.Context(command), name)
        if found is None:
            return " ".join(path + [name]), used
        path.append(name)
        command = resolved(found)


def begin(arguments, stdout, stderr):
    """Makes this process one that was started with these arguments."""
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGCHLD])
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(stdout.fileno(), 1)
    os.dup2(stderr.fileno(), 2)
    sys.argv = ["cfy"] + arguments


def ended(process, seconds):
    """The exit code of a process; one that takes longer is killed."""
    if signal.sigtimedwait([signal.SIGCHLD], seconds) is None:
        os.kill(process, signal.SIGKILL)
        signal.sigwait([signal.SIGCHLD])
    _, status = os.waitpid(process, 0)
    return os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status)


def profiles():
    """What an import of `cfy` reads, to be compared."""
    found = {}
    for folder, folders, names in os.walk(env.CLOUDIFY_WORKDIR):
        # Each command leaves a line in its log.
        folders[:] = [name for name in folders if name != "logs"]
        for name in names:
            path = os.path.join(folder, name)
            with open(path, "rb") as file:
                found[path] = file.read()
    return found


def answer(value):
    print(json.dumps(value), flush=True)


def serve():
    """Answers requests; gives the arguments of a command in the process that is to run it."""
    before = profiles()
    for line in iter(sys.stdin.buffer.readline, b""):
        request = json.loads(line)
        if "tree" in request:
            answer({" ".join(path): options_of(command) for path, command in leaves(cfy)})
            continue
        arguments = shlex.split(request["run"])
        try:
            command, options = parsed(arguments)
        except click.UsageError:
            command, options = "", []
        with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
            process = os.fork()
            if process == 0:
                begin(arguments, stdout, stderr)
                return
            code = ended(process, request["seconds"])
            texts = []
            for file in (stdout, stderr):
                file.seek(0)
                texts.append(file.read().decode("utf-8", "replace"))
        answer(dict(zip(("code", "stdout", "stderr"), [code] + texts), command=command, options=options))
        if profiles() != before:
            os.execv(sys.executable, [sys.executable] + sys.argv)
    os._exit(0)


if __name__ == "__main__":
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGCHLD])
    list(leaves(cfy))  # All is imported before the first fork.
    gc.freeze()
    serve()
    sys.exit(cfy())
