"""The real world: sesame on a real Kafka, Redis and registry, seen through other people's clients.

All scenarios go on side by side. Those with the same model and config share an engine and its topics,
and each has partitions of its own there: its offsets, accounts and dead letters are its alone.
"""

import contextlib
import os
import pathlib
import secrets
import tempfile
import time
import warnings

import wire  # first: it finds the modules of the end-to-end tests
from judge import Seen
from notation import TOPICS, Calendar, Mistake
from scenario import model_text

OUTPUTS = ("scores", "entitlements")
SECONDS = 90  # for whatever is waited for


def plain(value):
    """A decoded value as the in-memory world gives it: times in milliseconds."""
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [plain(each) for each in value]
    return round(value.timestamp() * 1000) if hasattr(value, "timestamp") else value


class Tail:
    """Reads topics on to wherever they end, committed records only."""

    def __init__(self, bus, topics):
        import confluent_kafka as kafka

        self._kafka, self._bus = kafka, bus
        self._consumer = kafka.Consumer({
            "bootstrap.servers": bus.bootstrap, "group.id": "scenarios-reader",
            "enable.auto.commit": False, "enable.partition.eof": True,
            "isolation.level": "read_committed", "fetch.wait.max.ms": 10,
        })
        known = bus.topics()
        self._parts = [(topic, p) for topic in topics for p in range(known[topic])]
        self._reached = dict.fromkeys(self._parts, 0)
        self._consumer.assign([kafka.TopicPartition(t, p, kafka.OFFSET_BEGINNING)
                               for t, p in self._parts])

    def _ends(self):
        latest = self._kafka.admin.OffsetSpec.latest()
        asked = {self._kafka.TopicPartition(t, p): latest for t, p in self._parts}
        found = self._bus.admin.list_offsets(asked)
        return {(part.topic, part.partition): future.result(30).offset
                for part, future in found.items()}

    def read(self):
        """What is new up to the ends of now: records, not decoded."""
        ends, records = self._ends(), []
        deadline = time.monotonic() + SECONDS
        left = {part for part in self._parts if self._reached[part] < ends[part]}
        while left:
            assert time.monotonic() < deadline, f"{sorted(left)[:3]} are not read to their ends"
            message = self._consumer.poll(0.5)
            if message is None:
                continue
            part = message.topic(), message.partition()
            if message.error() is None:
                records.append(self._bus._record(message))
                continue
            assert message.error().code() == self._kafka.KafkaError._PARTITION_EOF, message.error()
            self._reached[part] = message.offset()
            if message.offset() >= ends[part]:
                left.discard(part)
        return records

    def close(self):
        self._consumer.close()


class Group:
    """The scenarios of one model and config, with an engine and topics of their own."""

    def __init__(self, world, scenarios, directory):
        from engine import Engine

        self.world, self.scenarios = world, scenarios
        self.prefix = f"s{secrets.token_hex(4)}."
        self.casts, lane = {}, 0
        partitions = sum(each.lanes() for each in scenarios)
        for each in scenarios:
            lanes = list(range(lane, lane + each.lanes()))
            self.casts[each] = wire.Cast(each, lanes, partitions)
            lane += len(lanes)
        self.lanes = {p: each for each in scenarios for p in self.casts[each].lanes}
        names = {name: self.prefix + name for name in (*TOPICS, *OUTPUTS)}
        self.topics = {**names, "dead_letters": self.prefix + "dead-letters",
                       "state": self.prefix + "sesame-state",
                       "ranks": self.prefix + "sesame-ranks",
                       "models": self.prefix + "sesame-models",
                       "neighbours": self.prefix + "sesame-neighbours"}
        config = {
            "group": self.prefix + "engine", "instance": "one", "workers": 1,
            "kafka": {"bootstrap.servers": world.stack.bootstrap},
            "registry": {"url": world.stack.registry_url},
            "redis": {"url": world.stack.redis_url, "prefix": self.prefix + "sesame"},
            "topics": {**self.topics, "partitions": partitions},
            "clock": {"source": "events"},  # the days of the scenarios are long past
        }
        directory.mkdir()
        for option, patch in (("file", scenarios[0].model),
                              ("business_file", scenarios[0].business_model)):
            if patch:
                path = directory / f"{option}.yaml"
                path.write_text(model_text(patch))
                config.setdefault("model", {})[option] = str(path)
        if scenarios[0].subscribers:
            config["subscribers"] = [
                {**each, "topic": f"{self.prefix}scores.{each['name']}"}
                for each in scenarios[0].subscribers]
        for path, value in scenarios[0].config.items():
            *outer, last = path.split(".")
            inner = config
            for name in outer:
                inner = inner.setdefault(name, {})
            inner[last] = value
        self.engine = Engine(config, directory)
        self.process = self.tail = None
        self.records = {each: [] for each in scenarios}
        self.letters = {each: [] for each in scenarios}
        self.kept = {each: set() for each in scenarios}
        self.marks, self.sent = {}, {}

    def start(self):
        self.process = self.engine.start("run")

    def stop(self):
        code = self.process.stop()
        assert code == 0, f"sesame exited {code}:\n{self.process.tail()}"

    def prepare(self):
        self.engine.run("topics", "create")
        self.engine.run("schemas", "register")
        self.tail = Tail(self.world.bus, [
            *(self.topics[each] for each in (*OUTPUTS, "dead_letters", "state")),
            *(f"{self.prefix}scores.{each['name']}" for each in self.scenarios[0].subscribers),
        ])

    def produce(self, producer, scenario, event):
        """Sends one event; where it went is known at the next flush."""
        cast = self.casts[scenario]
        key, partition = cast.place(event)
        value = None
        if event.value is not None:
            value = self.world.feed_of(self).encode(event.topic, cast.value(event))
        elif "unreadable" in event.flags:
            value = wire.UNREADABLE

        def delivered(error, message):
            assert error is None, error
            part = message.topic(), message.partition()
            self.sent[part] = max(self.sent.get(part, 0), message.offset() + 1)

        producer.produce(self.topics[event.topic], value, key, partition, on_delivery=delivered)

    def settle(self):
        """Waits until the group has committed all that was sent."""
        import confluent_kafka as kafka
        from waiting import wait_until

        if not self.sent:
            return
        asker = kafka.Consumer({"bootstrap.servers": self.world.bus.bootstrap,
                                "group.id": self.prefix + "engine"})

        def done():
            assert self.process.running(), f"sesame ended:\n{self.process.tail()}"
            asked = [kafka.TopicPartition(t, p) for t, p in self.sent]
            for part in asker.committed(asked, timeout=30):
                if part.offset >= self.sent[part.topic, part.partition]:
                    del self.sent[part.topic, part.partition]
            return not self.sent

        try:
            wait_until(done, SECONDS, lambda: f"{self.sent} consumed:\n{self.process.tail()}")
        finally:
            asker.close()

    def read(self):
        from accounts import MARK_KEY, parse_mark

        for record in self.tail.read():
            scenario = self.lanes[record.partition]
            if record.topic == self.topics["state"]:
                if record.key == MARK_KEY:
                    self.marks[record.partition] = parse_mark(record.value)
                else:
                    (self.kept[scenario].add if record.value else self.kept[scenario].discard)(
                        record.key)
            elif record.topic == self.topics["dead_letters"]:
                headers = {name: value.decode() for name, value in record.headers.items()}
                topic = headers["sesame.topic"].removeprefix(self.prefix)
                self.letters[scenario].append((topic, headers["sesame.reason"], record.key))
            else:
                value = plain(self.world.bus.decode(record).value) if record.value else None
                topic = record.topic.removeprefix(self.prefix)
                self.records[scenario].append((topic, record.key, value))

    def accounts(self, scenario):
        sums = {}
        for partition in self.casts[scenario].lanes:
            for topic, counts in self.marks.get(partition, {}).items():
                of = sums.setdefault(topic, {})
                for outcome in ("counted", "duplicate", "not_consented", "dead_lettered"):
                    name = outcome.replace("_", "-")
                    of[name] = of.get(name, 0) + counts[outcome]
        return sums

    def seen(self, scenario):
        from redis_view import redis_users

        return Seen(
            self.records[scenario], self.letters[scenario],
            lambda: redis_users(self.world.stack, self.prefix + "sesame"),
            lambda: self.kept[scenario], lambda: self.accounts(scenario),
        )

    def close(self):
        from redis_view import redis_delete

        self.engine.close()
        if self.tail:
            self.tail.close()
        own = [name for name in self.world.bus.topics() if name.startswith(self.prefix)]
        if own:
            self.world.bus.delete_topics(own)
        redis_delete(self.world.stack, self.prefix + "*")


class Real:
    """All scenarios at once, on a stack of the tests or one of our own."""

    patient = True   # Redis, a mark, or what time alone publishes may come a little later
    at_once = None

    def __init__(self, build):
        os.environ["SESAME_BUILD"] = str(build)
        binary = build / "cli" / "sesame"
        if not binary.exists():
            raise Mistake(f"{binary} is not built: ninja -C {build} sesame")
        self.calendar = Calendar(time.time_ns() // 1_000_000)
        self._end = contextlib.ExitStack()

    def open(self, scenarios):
        with warnings.catch_warnings(record=True):  # of other people's packages, to their authors
            from bus import Bus
        from stack import Stack

        directory = self._end.enter_context(tempfile.TemporaryDirectory(prefix="sesame-scenarios-"))
        given = os.environ.get("SESAME_STACK_DIR")
        self.stack = Stack(given or directory + "/stack")
        if not given:
            self._end.callback(self.stack.wipe)
            self.stack.up()
        self.bus = Bus(self.stack)
        self.producer = self.bus.producer()
        self._feeds = {}
        sets = {}
        for each in scenarios:
            # A restart takes all partitions of an engine: those who ask for it have one of their own.
            key = repr((each.model, each.business_model, each.config, each.subscribers, each.disturbs()))
            sets.setdefault(key, []).append(each)
        self.groups, self.group_of = [], {}
        for n, members in enumerate(sets.values()):
            group = Group(self, members, pathlib.Path(directory) / f"group-{n}")
            self._end.callback(group.close)
            self.groups.append(group)
            self.group_of.update(dict.fromkeys(members, group))
        for group in self.groups:
            group.prepare()
            group.start()

    def feed_of(self, group):
        from feed import Feed

        if group not in self._feeds:
            self._feeds[group] = Feed(self.bus, group.engine)
        return self._feeds[group]

    def cast(self, scenario):
        return self.group_of[scenario].casts[scenario]

    def play(self, rounds):
        """One step of all scenarios: what is done to a group's engine is done once."""
        restart, down = set(), set()
        for scenario, each in rounds:
            group = self.group_of[scenario]
            if each.action in ("restart", "offline"):
                restart.add(group)
            if each.action == "offline":
                down.add(group)
            if each.action == "wipe":
                self._wipe(group)
        for group in restart:
            group.stop()
        for group in restart - down:
            group.start()
        for scenario, each in rounds:
            for event in each.events:
                self.group_of[scenario].produce(self.producer, scenario, event)
        assert self.producer.flush(60) == 0, "not delivered"
        for group in down:
            group.start()
        self._pass(max((each.span_ms for _, each in rounds if each.action == "pass"), default=0))
        for group in self.groups:
            group.settle()

    def _wipe(self, group):
        from redis_view import redis_delete

        redis_delete(self.stack, group.prefix + "sesame")

    def _pass(self, span_ms):
        from waiting import wait_until

        until = time.time() + span_ms / 1000
        wait_until(lambda: time.time() >= until, span_ms / 1000 + 10, "the clock")

    def see(self, scenarios):
        for group in {self.group_of[each] for each in scenarios}:
            group.read()
        return {each: self.group_of[each].seen(each) for each in scenarios}

    def finish(self, _scenarios):
        for group in self.groups:
            group.stop()

    def close(self):
        self._end.close()
