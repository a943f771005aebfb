"""What stands between the engines and their world: Toxiproxy, and a Redis with a replica."""

import contextlib
import json
import pathlib
import random
import shutil
import socket
import subprocess
import threading
import urllib.error
import urllib.request

from waiting import wait_until


def lasting_port():
    """A free loopback port below those that outgoing connections use, so that it can be given up and
    taken again."""
    while True:
        port = random.SystemRandom().randrange(20000, 32000)
        with contextlib.suppress(OSError), socket.socket() as probe:
            probe.bind(("127.0.0.1", port))
            return port


class Toxiproxy:
    """A Toxiproxy server of our own. One proxy for each name, on a port that stays."""

    def __init__(self, binary, directory):
        self.port = lasting_port()
        with open(directory / "toxiproxy.log", "wb") as log:
            self._server = subprocess.Popen(
                [str(binary), "-host", "127.0.0.1", "-port", str(self.port)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )
        self._toxics = {}
        wait_until(self._answers, 30, "Toxiproxy")

    def _answers(self):
        try:
            return self._call("GET", "/version") is not None
        except urllib.error.URLError:
            assert self._server.poll() is None, "Toxiproxy ended"
            return False

    def _call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, method=method)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.read()

    def add(self, name, port, upstream):
        """Forwards a loopback port to upstream, "host:port"."""
        self._call("POST", "/proxies",
                   {"name": name, "listen": f"127.0.0.1:{port}", "upstream": upstream})

    def cut(self, name):
        """Ends all connections and refuses new ones, until mend()."""
        self._call("POST", f"/proxies/{name}", {"enabled": False})

    def point(self, name, upstream):
        """Ends all connections; new ones go elsewhere."""
        self._call("POST", f"/proxies/{name}", {"upstream": upstream, "enabled": True})

    def spoil(self, name, kind, stream, **attributes):
        """Adds a toxic to all connections, until mend()."""
        toxic = f"{kind}_{stream}"
        self._call("POST", f"/proxies/{name}/toxics",
                   {"name": toxic, "type": kind, "stream": stream, "attributes": attributes})
        self._toxics.setdefault(name, []).append(toxic)

    def mend(self, name):
        for toxic in self._toxics.pop(name, []):
            self._call("DELETE", f"/proxies/{name}/toxics/{toxic}")
        self._call("POST", f"/proxies/{name}", {"enabled": True})

    def close(self):
        self._server.kill()
        self._server.wait()


class RedisServer:
    """One redis-server; what it holds is gone when it ends, but for a dump that it is given."""

    def __init__(self, directory):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir()
        self.port = lasting_port()
        self._server = None

    def start(self, dump=None):
        rdb = self.directory / "dump.rdb"
        rdb.unlink(missing_ok=True)
        if dump:
            shutil.copy(dump, rdb)
        with open(self.directory / "redis.log", "ab") as log:
            self._server = subprocess.Popen(
                ["redis-server", "--bind", "127.0.0.1", "--port", str(self.port), "--dir",
                 str(self.directory), "--save", "", "--appendonly", "no", "--maxmemory-policy",
                 "noeviction", "--repl-diskless-sync-delay", "0"],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )
        wait_until(self._answers, 30, "redis-server")

    def _answers(self):
        try:
            return self.call("PING") == b"PONG"
        except (OSError, RuntimeError):  # not yet, or loading its dump
            return False

    def kill(self):
        if self._server:
            self._server.kill()
            self._server.wait()
            self._server = None

    def call(self, *words):
        """One command on a connection of its own: bytes, an int, a list or None."""
        with socket.create_connection(("127.0.0.1", self.port), 30) as connection:
            words = [word if isinstance(word, bytes) else str(word).encode() for word in words]
            out = b"*%d\r\n" % len(words)
            connection.sendall(out + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))
            with connection.makefile("rb") as answer:
                return _reply(answer)


def _reply(answer):
    line = answer.readline()
    if not line.endswith(b"\r\n"):
        raise OSError("redis hung up")
    kind, rest = line[:1], line[1:-2]
    if kind == b"+":
        return rest
    if kind == b"-":
        raise RuntimeError(rest.decode())
    if kind == b":":
        return int(rest)
    if int(rest) < 0:
        return None
    if kind == b"$":
        return answer.read(int(rest) + 2)[:-2]
    return [_reply(answer) for _ in range(int(rest))]


class RedisPair:
    """A primary behind the proxy "redis", and a replica that can take its place."""

    def __init__(self, toxiproxy, directory):
        self.toxiproxy = toxiproxy
        self.primary = RedisServer(directory / "redis-a")
        self.replica = RedisServer(directory / "redis-b")
        self.dump = directory / "old.rdb"
        self.lock = threading.Lock()  # whoever changes who is who, or needs it to stay
        self.primary.start()
        self.replica.start()
        self.follow()

    def follow(self):
        self.replica.call("REPLICAOF", "127.0.0.1", self.primary.port)

    def followed(self):
        return b"master_link_status:up" in self.replica.call("INFO", "replication")

    def restart(self, dump=None):
        """SIGKILL, then it comes back empty, or with a dump."""
        self.primary.kill()
        self.primary.start(dump)

    def save(self):
        """Puts a dump of now aside."""
        self.primary.call("SAVE")
        shutil.copy(self.primary.directory / "dump.rdb", self.dump)

    def promote(self):
        """The replica, as far as it is, becomes the primary; the old one an empty replica."""
        self.replica.call("REPLICAOF", "NO", "ONE")
        self.primary, self.replica = self.replica, self.primary
        self.toxiproxy.point("redis", f"127.0.0.1:{self.primary.port}")
        self.replica.kill()
        self.replica.start()
        self.follow()

    def close(self):
        self.primary.kill()
        self.replica.kill()
