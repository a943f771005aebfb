"""tools/chaos: real parts, real faults, and a verdict from outside. See tools/chaos for its options."""

import argparse
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import threading
import time
import warnings

warnings.showwarning = lambda *_args, **_kwargs: None  # those of the clients' packages say nothing here

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]

# pylint: disable=wrong-import-position
import confluent_kafka  # noqa: E402
from confluent_kafka.admin import AdminClient  # noqa: E402
from audit import Audit  # noqa: E402
from bus import INPUTS, Bus  # noqa: E402
from engine import BINARY, Engine  # noqa: E402
from faults import Faults  # noqa: E402
from fleet import Fleet  # noqa: E402
from judge import (  # noqa: E402
    checkpoint_offset, clocks, judge, redis_partition, subscriber_of,
)
from load import Load  # noqa: E402
from models import Models  # noqa: E402
from parts import RedisPair, Toxiproxy, lasting_port  # noqa: E402
from record import published_of, sums_of, write_record  # noqa: E402
from stack import Stack  # noqa: E402
from timely import DUE_MS_MAX, Timely  # noqa: E402
from waiting import wait_until  # noqa: E402

INSTANCES = ("one", "two", "three")
WORKERS = 2
PARTITIONS = 8
FLEET = f"{len(INSTANCES)} processes of {WORKERS} workers, {PARTITIONS} partitions"
PREFIX = "chaos"
GROUP = "chaos"
DRAIN_SECONDS = 900
PROGRESS_SECONDS = 10
QUIET_SECONDS = 3  # without a score record, with clocks that go on: what was due has been published
EVENTS_PER_LIFE_SECOND = 150  # of the load for each life that Timely begins in a second
# What the judge goes by must be among what a subscriber sees: kind, cause, positions, as_of, clock.
SUBSCRIBERS = [
    {"name": "lending", "fields": [
        "sequence", "kind", "standing", "score", "previous_score", "tier", "factors", "reasons",
        "case_id", "cause", "positions", "consent_positions", "as_of", "clock", "model_version"]},
    {"name": "car-rental", "topic": "scores.cars", "fields": [
        "sequence", "kind", "standing", "score", "cause", "positions", "as_of", "clock"]},
]
KEPT_WHOLE = "scores.lending"  # the other one is compacted, as the engine makes it


def say(text):
    print(text, flush=True)


def config_for(bootstrap, registry, redis):
    """Small batches, so that faults meet many transactions; small caches, so that what Redis holds
    matters; a changelog that is compacted, and old checkpoints that may have missed deletions, within
    minutes."""
    return {
        "group": GROUP,
        "workers": WORKERS,
        "kafka": {"bootstrap.servers": bootstrap},
        "registry": {"url": registry},
        "redis": {"url": redis, "prefix": PREFIX, "buckets": 64},
        "topics": {"partitions": PARTITIONS},
        "state": {"segment_ms": 30000, "max_compaction_lag_ms": 20000, "delete_retention_ms": 120000,
                  "heartbeat_ms": 1000},
        "subscribers": SUBSCRIBERS,
        "batch": {"records_max": 1000},
        "cache": {"bytes_max": 131072},
    }


class Lag:
    """How many events there are and how many are consumed. A plain consumer asks: the broker may be
    gone at any time, and the admin client's answers that come too late have been seen to crash."""

    def __init__(self, bootstrap):
        self.text = "?"
        self._consumer = confluent_kafka.Consumer(
            {"bootstrap.servers": bootstrap, "group.id": GROUP, "log_level": 0})
        self._parts = [confluent_kafka.TopicPartition(name, p)
                       for name in INPUTS for p in range(PARTITIONS)]
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._stop.wait(3):
            try:
                ends = self.ends()
                self.text = f"{ends} events, lag {ends - self.committed()}"
            except confluent_kafka.KafkaException:
                if not self.text.endswith("?"):
                    self.text += " a while ago, now ?"

    def ends(self):
        return sum(self._consumer.get_watermark_offsets(part, 5)[1] for part in self._parts)

    def committed(self):
        return sum(max(part.offset, 0) for part in self._consumer.committed(self._parts, 5))

    def reached(self, total):
        """Whether so many are consumed; a broker that is busy coming back may not say."""
        try:
            return self.committed() >= total
        except confluent_kafka.KafkaException:
            return False

    def close(self):
        self._stop.set()
        self._thread.join()
        self._consumer.close()


class Run:
    """One chaos run in one directory."""

    def __init__(self, options, directory):
        self.options, self.directory = options, directory
        self.differences = []
        self.keep = True  # what the run leaves behind, for a look at differences
        self.closers = []
        self.verdicts = []
        self.drain_seconds = 0.0
        self.due_by = 0
        self._score_ends, self._since = None, 0.0

    def set_up(self):
        kafka_port, redis_port, registry_port = (lasting_port() for _ in range(3))
        self.stack = Stack(self.directory / "stack")
        self.closers.append(self._end_stack)
        self.stack.up("kafka", "registry", via=kafka_port)
        self.toxiproxy = Toxiproxy(os.environ["SESAME_TOXIPROXY"], self.directory)
        self.closers.append(self.toxiproxy.close)
        self.toxiproxy.add("kafka", kafka_port, self.stack.via_listener)
        registry = self.stack.registry_url
        host, path = registry.removeprefix("http://").split("/", 1)
        self.toxiproxy.add("registry", registry_port, host)
        self.redis = RedisPair(self.toxiproxy, self.directory)
        self.closers.append(self.redis.close)
        self.toxiproxy.add("redis", redis_port, f"127.0.0.1:{self.redis.primary.port}")

        direct = config_for(self.stack.bootstrap, registry, f"redis://127.0.0.1:{redis_port}")
        engines = config_for(f"127.0.0.1:{kafka_port}", f"http://127.0.0.1:{registry_port}/{path}",
                             f"redis://127.0.0.1:{redis_port}")
        engines["topics"] |= {name: name for name in INPUTS}
        self.models = Models(self.directory, self.options.friends, self.options.models)
        engines["model"] = direct["model"] = {"file": str(self.models.files[0])}
        self.bus = Bus(self.stack)
        # Quiet when the broker goes away.
        self.bus.admin = AdminClient({"bootstrap.servers": self.stack.bootstrap, "log_level": 0})
        self.bus.create_topics([KEPT_WHOLE], PARTITIONS, cleanup__policy="delete", retention__ms=-1)
        tool = self.models.tool = Engine(direct, self.directory)
        tool.run("topics", "create")
        tool.run("schemas", "register")
        logs = self.directory / "engines"
        logs.mkdir()
        self.engine = Engine(engines, logs)
        self.fleet = Fleet(self.engine, self.differences)
        self.closers.append(self.fleet.close)
        for instance in INSTANCES:
            self.fleet.start(instance)
        self.load = Load(tool.config_file(), self.options.seed, self.options.rate)
        self.closers.append(self.load.finish)
        self.timely = Timely(self.bus, self.engine, self.options.seed,
                             max(self.options.rate / EVENTS_PER_LIFE_SECOND, 1))
        self.closers.append(self.timely.finish)
        self.audit = Audit(tool, self.directory)
        self.closers.append(self.audit.finish)
        self.faults = Faults(self.options.seed, self.stack, self.toxiproxy, self.redis, self.fleet,
                             self.models)
        self.lag = Lag(self.stack.bootstrap)
        self.closers.append(self.lag.close)

    def disturb(self):
        began = time.monotonic()
        deadline = began + self.options.minutes * 60
        self.load.start()
        self.timely.start()
        self.faults.start()
        self.closers.append(self.faults.finish)
        said, middle = began, began + self.options.minutes * 30
        while (now := time.monotonic()) < deadline and not self.faults.errors:
            time.sleep(0.2)
            if now >= middle:
                middle = deadline
                self.audit.take_snapshot()
            if now - said >= PROGRESS_SECONDS:
                said = now
                say(f"{int(now - began):5} s: {self.lag.text}; {self.faults.total()} faults; now "
                    f"{', '.join(self.faults.now.values()) or 'quiet'}")
        self.faults.finish()
        self.load.finish()
        self.timely.finish()
        self.audit.finish()
        assert not self.faults.errors, "the tool itself failed:\n" + "\n".join(self.faults.errors)

    def drain(self):
        """Everything is mended: all must be consumed, and Redis be what the changelog says."""
        began = time.monotonic()
        total = self.lag.ends()
        say(f"the faults are over; draining {total} events")
        # Not the one that has seen the broker come and go.
        self.bus.admin = AdminClient({"bootstrap.servers": self.stack.bootstrap, "log_level": 0})
        if self.options.models:
            self.models.change()  # once more, with a backlog
        try:
            wait_until(lambda: self.lag.reached(total), DRAIN_SECONDS,
                       lambda: f"{self.lag.text}, {total} to be consumed")
            self.drain_seconds = time.monotonic() - began
            if self.options.models:
                wait_until(self.models.follow, DRAIN_SECONDS, "everybody told of the last model")
            self.due_by = int(time.time() * 1000)
            wait_until(self._quiet, DUE_MS_MAX / 1000 + 60, "scores that time leaves alone")
            wait_until(self._redis_current, 60, "Redis at the changelog's last marks")
        except AssertionError as late:
            tails = "\n".join(f"{i}: {p.tail()}" for i, p in self.fleet.processes.items())
            self.differences.append(f"not caught up: {late}\n{tails}")
        self.fleet.stop_all()
        if self.load.failed or self.load.troubles:
            say(f"the generator had trouble of its own: {self.load.troubles[:3]}")
        elif self.timely.failed or self.timely.delivered != self.timely.sent:
            say(f"of {self.timely.sent} timely events {self.timely.delivered} were delivered")
        elif self.load.delivered + self.timely.delivered != total:
            self.differences.append(f"{self.load.delivered} and {self.timely.delivered} events "
                                    f"delivered, {total} in the topics")
        return total

    def _quiet(self):
        """All that was due by self.due_by is published, and nothing more comes for the moment."""
        now, ends = time.monotonic(), self.bus.ends("scores")
        if ends != self._score_ends:
            self._score_ends, self._since = ends, now
        if now - self._since < QUIET_SECONDS:
            return False
        found = clocks(self.bus, PARTITIONS)
        return len(found) == PARTITIONS and min(found.values()) > self.due_by + QUIET_SECONDS * 1000

    def _redis_current(self):
        """Each partition's checkpoint names a mark near the changelog's end (marker records follow)."""
        for p, end in self.bus.ends("sesame-state").items():
            _, checkpoint = redis_partition(self.redis.primary, PREFIX, p)
            offset = checkpoint and checkpoint_offset(checkpoint)
            if end and (offset is None or offset < end - 2):
                return False
        return True

    def judge(self):
        """How many differences there are, all told."""
        say("judging")
        subscribers = [subscriber_of(self.bus, each, KEPT_WHOLE) for each in SUBSCRIBERS]
        self.verdicts = judge(self.bus, self.redis.primary, PREFIX, PARTITIONS, subscribers,
                              self.due_by, self.models.rules(),
                              min(os.cpu_count() or 1, PARTITIONS), say)
        self.audit.verify(sum(v.records for v in self.verdicts), say)
        for text in self.differences + self.audit.differences:
            say(text)
        return (len(self.differences) + sum(len(v.differences) for v in self.verdicts) +
                self.audit.count())

    def _end_stack(self):
        (self.stack.down if self.keep else self.stack.wipe)()

    def close(self):
        while self.closers:
            try:
                self.closers.pop()()
            except Exception as failure:  # pylint: disable=broad-except
                say(f"while cleaning up: {failure}")


def stopped(_number, _frame):
    raise KeyboardInterrupt


def main():
    parser = argparse.ArgumentParser(prog="tools/chaos")
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--rate", type=int, default=6000)
    parser.add_argument("--friends", action="store_true")
    parser.add_argument("--models", action="store_true")
    parser.add_argument("--dir")
    parser.add_argument("--record")
    options = parser.parse_args()
    assert BINARY.exists(), f"{BINARY} is not built"
    signal.signal(signal.SIGTERM, stopped)
    base = pathlib.Path(options.dir).resolve() if options.dir else None
    if base:
        base.mkdir(parents=True, exist_ok=True)
    directory = pathlib.Path(tempfile.mkdtemp(prefix="sesame-chaos-", dir=base))
    run = Run(options, directory)
    total = differences = 0
    try:
        run.set_up()
        run.disturb()
        total = run.drain()
        differences = run.judge()
        run.keep = differences > 0
        for kind, count in run.faults.counts.items():
            say(f"  {count:4} {kind.replace('_', ' ')}")
        say("  " + ", ".join(f"{n} {what}" for what, n in sums_of(run.verdicts).items()))
        say(f"  {published_of(run.verdicts)}")
        if options.record:
            write_record(run, total, differences, options.record, FLEET)
    except KeyboardInterrupt:
        run.keep = False
        raise
    finally:
        run.close()
        if run.keep:
            say(f"kept: the engines' logs, {directory}/engines, and all topics: "
                f"tools/stack up --dir {directory}/stack")
        else:
            shutil.rmtree(directory)
    say(f"{total} events, {run.faults.total()} faults, {differences} differences")
    return 1 if differences else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
