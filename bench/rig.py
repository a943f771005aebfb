"""What the benches on a real Kafka and Redis stand on: a stack of their own, and sesame's processes."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

from machine import cpu_seconds, peak_memory_mib, wait_quiet
from stack import Stack

PARTITIONS = 4


def say(text):
    print(f"bench: {text}", file=sys.stderr, flush=True)


class Child:
    """What one process printed, took, and cost."""

    def __init__(self, command, log):
        command = list(map(str, command))
        started = time.monotonic()
        with open(log, "ab") as errors, tempfile.TemporaryFile() as out:
            popen = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=errors
            )
            try:
                status, usage = self._wait(popen.pid)
            except BaseException:
                popen.kill()
                popen.wait()
                raise
            self.seconds = time.monotonic() - started
            popen.returncode = os.waitstatus_to_exitcode(status)  # it is reaped already
            out.seek(0)
            self.out = out.read().decode(errors="replace")
        self.cpu_user, self.cpu_system = usage.ru_utime, usage.ru_stime
        if popen.returncode != 0:
            tail = pathlib.Path(log).read_text(errors="replace")[-3000:]
            raise SystemExit(f"{' '.join(command)}\nexited {popen.returncode}:\n{tail}")

    def _wait(self, pid):
        """Looks at its memory meanwhile: ru_maxrss would count that of this Python, its parent."""
        self.memory_mib = 0
        while True:
            self.memory_mib = max(self.memory_mib, peak_memory_mib(pid))
            ended, status, usage = os.wait4(pid, os.WNOHANG)
            if ended:
                return status, usage
            time.sleep(0.02)


class Rig:
    """options: build, and what the user gave with -X (set)."""

    def __init__(self, options, directory):
        self.options, self.directory = options, directory
        self.build = pathlib.Path(options.build)
        self.sesame = self.build / "cli" / "sesame"
        self.log = directory / "log"
        self.stack = Stack(directory / "stack")
        self.pids = {}

    def start(self):
        say("starting Kafka, Redis and the registry")
        self.stack.up()
        self.pids = {
            part: int((self.stack.directory / f"{part}.pid").read_text().split()[0])
            for part in ("kafka", "redis")
        }

    def settings(self, more, socket):
        """Options of sesame. socket: reach Redis by its Unix socket."""
        path = self.stack.directory / "redis" / "redis.sock"
        settings = {
            "bootstrap.servers": self.stack.bootstrap,
            "registry.url": self.stack.registry_url,
            "redis.url": f"unix://{path}" if socket else self.stack.redis_url,
            "group": "bench",
            "instance": "bench",
            "topics.partitions": PARTITIONS,
            **more,
        }
        pairs = [f"{name}={value}" for name, value in settings.items()] + self.options.set
        return [word for pair in pairs for word in ("-X", pair)]

    def prepare_topics(self, config):
        for command in (["topics", "create"], ["schemas", "register"]):
            Child([self.sesame, *command, *config], self.log)

    def measured(self, command):
        """Runs a command; what it, the broker and Redis cost until it ended."""
        wait_quiet(self.pids["kafka"])
        before = {part: cpu_seconds(pid) for part, pid in self.pids.items()}
        child = Child(command, self.log)
        row = {f"cpu_{part}": cpu_seconds(pid) - before[part] for part, pid in self.pids.items()}
        return child, row | {
            "seconds": child.seconds,
            "cpu_user": child.cpu_user,
            "cpu_system": child.cpu_system,
            "memory_mib": child.memory_mib,
        }

    def redis_bytes(self):
        return int(re.search(r"^used_memory:(\d+)", self.stack.redis("INFO", "memory"), re.M)[1])
