"""Six redis-servers that are one Redis Cluster: three masters, each with a replica."""

import subprocess

from stack import free_port
from waiting import wait_until


class Node:
    def __init__(self, directory):
        directory.mkdir()
        self.port = free_port()
        options = {
            "port": self.port, "bind": "127.0.0.1", "dir": directory, "logfile": "redis.log",
            "save": "", "cluster-enabled": "yes", "cluster-port": free_port(),
            "cluster-node-timeout": 1000, "cluster-replica-validity-factor": 0,
        }
        arguments = [str(part) for name, value in options.items() for part in (f"--{name}", value)]
        self.popen = subprocess.Popen(["redis-server", *arguments], stdin=subprocess.DEVNULL,
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def ask(self, *arguments, check=True):
        done = subprocess.run(
            ["redis-cli", "-h", "127.0.0.1", "-p", str(self.port), *map(str, arguments)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )
        failed = done.returncode != 0 or done.stdout.startswith(("ERR", "NOPERM", "MOVED"))
        assert not (check and failed), f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout.rstrip("\n")

    def running(self):
        return self.popen.poll() is None

    def kill(self):
        self.popen.kill()
        self.popen.wait()


class RedisCluster:
    def __init__(self, directory):
        self.nodes = []
        try:
            for i in range(6):
                self.nodes.append(Node(directory / f"redis-{i}"))
            wait_until(lambda: all(n.ask("PING", check=False) == "PONG" for n in self.nodes))
            subprocess.run(
                ["redis-cli", "--cluster", "create", *(f"127.0.0.1:{n.port}" for n in self.nodes),
                 "--cluster-replicas", "1", "--cluster-yes"],
                stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True, timeout=60,
            )
            wait_until(self.fine, 30, "the cluster is fine and its replicas follow")
        except BaseException:
            self.close()
            raise
        self.url = "redis-cluster://" + ",".join(f"127.0.0.1:{n.port}" for n in self.nodes[:3])

    def fine(self):
        for node in self.living():
            if "cluster_state:ok" not in node.ask("CLUSTER", "INFO"):
                return False
            replication = node.ask("INFO", "replication")
            if "role:slave" in replication and "master_link_status:up" not in replication:
                return False
        return True

    def living(self):
        return [node for node in self.nodes if node.running()]

    def _rows(self):
        """Each living node's own line of CLUSTER NODES, in words."""
        rows = {}
        for node in self.living():
            lines = node.ask("CLUSTER", "NODES").splitlines()
            rows[node] = next(line for line in lines if "myself" in line).split()
        return rows

    def masters(self):
        return [node for node, row in self._rows().items() if "master" in row[2]]

    def replica_of(self, master):
        rows = self._rows()
        return next(node for node, row in rows.items() if row[3] == rows[master][0])

    def owner(self, slot):
        """Who has the slot, by its own account."""
        for node, row in self._rows().items():
            for held in row[8:] if "master" in row[2] else []:
                first, _, last = held.partition("-")
                if first.isdigit() and int(first) <= slot <= int(last or first):
                    return node
        return None

    def slot(self, prefix, partition):
        return int(self.nodes_any().ask("CLUSTER", "KEYSLOT", f"{prefix}:{{{partition}}}:cp"))

    def nodes_any(self):
        return self.living()[0]

    def move(self, slot, progress=lambda: None):
        """Moves a slot to another master, as an operator's tool does; returns how many keys.

        progress is called once, when half of the keys are gone.
        """
        source = self.owner(slot)
        target = next(node for node in self.masters() if node is not source)
        rows = self._rows()
        ids = {node: rows[node][0] for node in (source, target)}
        target.ask("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[source])
        source.ask("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[target])
        total, moved = int(source.ask("CLUSTER", "COUNTKEYSINSLOT", slot)), 0
        while keys := source.ask("CLUSTER", "GETKEYSINSLOT", slot, 10).split():
            source.ask("MIGRATE", "127.0.0.1", target.port, "", 0, 5000, "KEYS", *keys)
            if moved < total / 2 <= moved + len(keys):
                progress()
            moved += len(keys)
        for node in (target, source, *self.masters()):
            node.ask("CLUSTER", "SETSLOT", slot, "NODE", ids[target])
        return moved

    def cut_off(self, master):
        """From now on the replica misses what is written."""
        replica = self.replica_of(master)
        master.ask("ACL", "SETUSER", "default", "-psync", "-sync", "-replconf")
        master.ask("CLIENT", "KILL", "TYPE", "replica")
        wait_until(
            lambda: "master_link_status:down" in replica.ask("INFO", "replication"),
            10, "the replica is cut off",
        )
        return replica

    def users(self, prefix):
        """Whose states are there."""
        found = set()
        for node in self.masters():
            for key in node.ask("KEYS", f"{prefix}:*").split():
                if not key.endswith((":cp", ":wk")):
                    found |= set(node.ask("HKEYS", key).split())
        return found

    def close(self):
        for node in self.nodes:
            node.kill()
