"""Promise 9: a Redis or a broker that has become a hundred times slower slows consumption, and nothing
else. The same backlog is read three times, by groups of their own: undisturbed, with Redis slowed, with
the broker slowed. Memory stays below the bound that docs/configuration.md states, work goes on, and the
outcomes are the same."""

import contextlib
import os
import re
import subprocess
import sys
import time
import types

import confluent_kafka
import pytest

import engine as engine_module
from accounts import check_marks, closing, ends_total
from bus import INPUTS, Bus
from feed import Feed
from stack import TREE, Stack
from waiting import wait_until

sys.path.append(str(TREE / "tests" / "chaos"))
from parts import Toxiproxy, lasting_port  # noqa: E402  pylint: disable=wrong-import-position

EVENTS, USERS = 300000, 20000
MIB = 1024 * 1024
DEFAULTS = {"workers": 1, "memory": {"fetch_bytes_max": 64 * MIB}, "cache": {"bytes_max": 64 * MIB}}
# So little that the backlog would not fit.
SMALL = {"memory": {"fetch_bytes_max": 4 * MIB}, "cache": {"bytes_max": 4 * MIB}}
# The inputs' batches: limits on what is fetched count compressed bytes, memory does not.
COMPRESSED = {
    "kafka_producer": {"compression.type": "zstd", "linger.ms": 200, "batch.size": 1000000}
}
# What a loopback answers within 0.1 ms takes 10, and of some 15 MB/s that an undisturbed engine moves
# 150 KB/s are left.
SLOW_MS, SLOW_KB = 10, 150
COMMITS = 5  # that are seen while it is slow


def bound_mib(options):
    """As docs/configuration.md says it, under Memory."""
    options = engine_module.merge(DEFAULTS, options)
    return 32 + options["workers"] * (
        64 + (options["memory"]["fetch_bytes_max"] + options["cache"]["bytes_max"]) / MIB
    )


def peak_mib(process):
    with open(f"/proc/{process.popen.pid}/status", encoding="ascii") as status:
        return int(re.search(r"^VmHWM:\s*(\d+) kB", status.read(), re.MULTILINE).group(1)) / 1024


def toxiproxy_binary():
    given = os.environ.get("SESAME_TOXIPROXY")
    if given:
        return given
    words = f'. "{TREE}/tools/lib.sh"; toxiproxy'
    path = subprocess.run(["bash", "-c", words], capture_output=True, text=True, check=True).stdout
    assert os.access(path.strip(), os.X_OK), "Toxiproxy is missing: tools/install real"
    return path.strip()


@pytest.fixture(scope="module")
def slow(stack, tmp_path_factory):
    """A Kafka of its own, which the engine reaches through Toxiproxy, as it does Redis."""
    directory = tmp_path_factory.mktemp("slow")
    port, redis_port = lasting_port(), lasting_port()
    own = Stack(directory / "stack")
    toxiproxy = Toxiproxy(toxiproxy_binary(), directory)
    try:
        own.up("kafka", via=port)
        toxiproxy.add("kafka", port, own.via_listener)
        toxiproxy.add("redis", redis_port, stack.redis_url.rsplit("/", 1)[1])
        direct = types.SimpleNamespace(bootstrap=own.bootstrap, registry_url=stack.registry_url)
        yield types.SimpleNamespace(
            toxiproxy=toxiproxy, bus=Bus(direct),
            direct={"kafka": {"bootstrap.servers": own.bootstrap}},
            through={
                "kafka": {"bootstrap.servers": f"127.0.0.1:{port}"},
                "redis": {"url": f"redis://127.0.0.1:{redis_port}", "buckets": 64},
            },
        )
    finally:
        toxiproxy.close()
        own.wipe()


class Reader:
    """A group with outputs and state of its own, over the common backlog."""

    def __init__(self, slow, engine, prefix, name, options):
        self.slow, self.engine, self.options, self.name = slow, engine, options, name
        outputs = ("scores", "entitlements", "dead_letters", "state", "neighbours", "ranks", "models")
        self.changes = {
            "group": f"{prefix}{name}",
            "redis": {"prefix": f"{prefix}{name}"},
            "topics": {output: f"{prefix}{name}-{output}" for output in outputs},
        }
        self.topics = {**engine.config["topics"], **self.changes["topics"]}
        direct = engine_module.merge(self.changes, slow.direct)
        engine.run("topics", "create", changes=direct)
        engine.run("schemas", "register", changes=direct)
        # Never joins; the admin client's own call fails on a Kafka so new.
        self._asker = confluent_kafka.Consumer(
            {"bootstrap.servers": slow.bus.bootstrap, "group.id": self.changes["group"]})
        self._inputs = [confluent_kafka.TopicPartition(engine.config["topics"][name], p)
                        for name in INPUTS for p in range(4)]

    def start(self):
        through = engine_module.merge(self.slow.through, self.options)
        changes = engine_module.merge(self.changes, through)
        self.process = self.engine.start("run", "--until-caught-up", changes=changes)
        self.began = time.monotonic()

    def committed(self):
        assert self.process.running(), f"sesame ended:\n{self.process.tail()}"
        return sum(max(0, part.offset) for part in self._asker.committed(self._inputs, 30))

    def _beyond(self, before):
        done = self.committed()
        return done if done > before else None

    def commits(self, count):
        """Waits until commits have been seen to advance so many times; returns where they stand."""
        done = 0
        for _ in range(count):
            stood = done
            done = wait_until(lambda: self._beyond(stood), 60,
                              lambda: f"it stands at {stood}:\n{self.process.tail()}")
        return done

    def rate_of(self, done):
        return done / (time.monotonic() - self.began)

    def finish(self, total):
        """All of it is consumed; returns the outcome, checked to be accounted for."""
        peak = 0

        def ended():
            nonlocal peak
            with contextlib.suppress(OSError, AttributeError):  # it has just ended
                peak = max(peak, peak_mib(self.process))
            return not self.process.running()

        wait_until(ended, 120, lambda: f"of {total}:\n{self.process.tail()}")
        committed = sum(max(0, part.offset) for part in self._asker.committed(self._inputs, 30))
        assert committed >= total, f"{committed} of {total}"
        self._asker.close()
        self.rate, bound = self.rate_of(total), bound_mib(self.options)
        print(f"{self.name}: {self.rate:.0f} events/s in all, {peak:.0f} MiB of {bound:.0f}")
        assert peak <= bound, f"{peak:.0f} MiB, the bound is {bound:.0f}"
        assert self.process.wait() == 0, self.process.tail()
        log = self.process.log()
        assert "trying again" not in log and "restoring" not in log, log
        return self.last_scores(), check_marks(self.slow.bus, self.topics)

    def last_scores(self):
        """user -> score, tier and standing of the last record; all of them decoded would take minutes."""
        bus = self.slow.bus
        last = {r.key: r for r in bus.read(self.topics["scores"], decode=False)}
        values = {user: bus.decode(record).value for user, record in last.items()}
        return {user: (v["score"], v["tier"], v["standing"]) for user, v in values.items()}


def timeless_model(directory):
    """The default model, but how long a bill is overdue and what friends tell does not matter: up to
    when the one was counted depends on how far the clock was, and which bands friends have told last on
    how topics interleave (docs/guarantees.md 5)."""
    text, count = re.subn(r"(?m)^overdue_severity: .*$", "overdue_severity: [[0, 1000]]",
                          (TREE / "config" / "model.yaml").read_text())
    assert count == 1
    text, count = re.subn(r"(?m)^( *)friends_max: 500\b", r"\1friends_max: 0", text)
    assert count == 1
    path = directory / "model.yaml"
    path.write_text(text)
    return str(path)


def test_a_slow_dependency_slows_consumption_and_nothing_else(slow, engine, prefix, tmp_path):
    bus, toxiproxy = slow.bus, slow.toxiproxy
    engine.config["model"] = {"file": timeless_model(tmp_path)}
    clean = Reader(slow, engine, prefix, "clean", {})
    engine.run("generate", "--users", str(USERS), "--events", str(EVENTS), "--seed", "5",
               changes=engine_module.merge(slow.direct, COMPRESSED))
    Feed(bus, engine).send(closing(f"u-{n:06d}" for n in range(USERS)))
    total = ends_total(bus, engine)
    assert total == EVENTS + USERS
    clean.start()
    expected = clean.finish(total)
    clean_rate = clean.rate
    assert expected[1]["consumed"] == total and expected[1]["counted"] > 0.9 * total
    assert len(expected[0]) > 0.9 * USERS

    for name in ("redis", "kafka"):
        options = {**SMALL, "batch": {"records_max": 1000}}
        reader = Reader(slow, engine, prefix, f"slow-{name}", options)
        for stream in ("upstream", "downstream"):
            toxiproxy.spoil(name, "bandwidth", stream, rate=SLOW_KB)
        toxiproxy.spoil(name, "latency", "downstream", latency=SLOW_MS)
        reader.start()
        done = reader.commits(COMMITS)
        slow_rate = reader.rate_of(done)
        print(f"{name} slowed: {slow_rate:.0f} events/s; undisturbed {clean_rate:.0f}")
        assert done < total and slow_rate < clean_rate / 10  # else nothing was slow
        toxiproxy.mend(name)
        assert reader.finish(total) == expected
