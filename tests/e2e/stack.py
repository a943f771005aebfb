"""The real Kafka, Redis and registry, driven through tools/stack."""

import pathlib
import re
import socket
import subprocess

TREE = pathlib.Path(__file__).resolve().parents[2]


class Stack:
    """One stack in one directory. Parts are "kafka", "redis" and "registry"; none named means all."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)

    def _call(self, verb, *parts, check=True):
        command = [str(TREE / "tools/stack"), verb, "--dir", str(self.directory), *parts]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        if check and done.returncode != 0:
            raise RuntimeError(f"tools/stack {verb} failed:\n{done.stdout}{done.stderr}")
        return done

    def up(self, *parts, via=None):
        """Starts what is not running and waits until it answers; on the same ports as before.

        `via`, at Kafka's first start: the port of a proxy before `via_listener`."""
        self._call("up", *(["--via", str(via)] if via else []), *parts)

    def down(self, *parts):
        self._call("down", *parts)

    def kill(self, *parts):
        """SIGKILL."""
        self._call("kill", *parts)

    def pause(self, *parts):
        """SIGSTOP, until resume()."""
        self._call("pause", *parts)

    def resume(self, *parts):
        self._call("resume", *parts)

    def wipe(self):
        self._call("wipe")

    def running(self, *parts):
        return self._call("status", *parts, check=False).returncode == 0

    def _env(self, name):
        text = self._call("env").stdout
        return re.search(rf"^export {name}='(.*)'$", text, re.MULTILINE).group(1)

    @property
    def bootstrap(self):
        return self._env("SESAME_BOOTSTRAP")

    @property
    def via_listener(self):
        return self._env("SESAME_VIA_LISTENER")

    @property
    def registry_url(self):
        return self._env("SESAME_REGISTRY")

    @property
    def redis_url(self):
        return self._env("SESAME_REDIS")

    def log(self, part):
        return (self.directory / f"{part}.log").read_text(errors="replace")

    def redis(self, *arguments):
        """One Redis command, its answer as redis-cli prints it: redis("GET", "key")."""
        port = self.redis_url.rsplit(":", 1)[1]
        done = subprocess.run(
            ["redis-cli", "-h", "127.0.0.1", "-p", port, *map(str, arguments)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True,
        )
        return done.stdout.rstrip("\n")


def servers():
    """Where tools/install has put the jars: kafka/ and registry/."""
    command = ["bash", "-c", "source tools/lib.sh && servers_dir"]
    return pathlib.Path(subprocess.check_output(command, cwd=TREE, text=True).strip())


def free_port():
    """A loopback port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
