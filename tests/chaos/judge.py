"""The verdict from outside: what a read_committed subscriber sees of every topic, and Redis, against a
recount of the inputs. Each partition is judged by itself, several at a time."""

import multiprocessing
import time
import traceback
from collections import Counter
from typing import Any, NamedTuple

import confluent_kafka

from accounts import (
    MARK_KEY, OUTCOMES, mark_clock, mark_histogram, mark_sweep, parse_mark, parse_numbers,
)
from bus import INPUTS
from invariants import BY_ITSELF, Invariants
from recount import Recount, chaos_model, decode, plain_schema, published_record
from subscribers import Subscriber, Subscribers

SHOWN_MAX = 5  # differences told in full, for each partition
TAIL_MAX = 4000  # offsets at the end of a changelog in which there is a mark
FRIENDS_KEY = "\x02"  # in front of a user's id: the key of its friends record
CLOCK_TOLERANCE_MS = 1000  # between what the engine and the producer in it take for now


class Case(NamedTuple):
    """What a judging process needs to know."""
    bootstrap: str
    partition: int
    partitions: int
    ends: dict  # topic -> end offset of this partition
    schema_ids: dict
    subscribers: list  # of Subscriber
    states: dict  # what Redis holds of the partition: user -> bytes
    checkpoint: bytes
    due_by: int  # what fell due before that must be published
    rules: Any = None  # Rules: judged by invariants; None: recounted


class Verdict(NamedTuple):
    partition: int
    differences: list
    counts: dict  # input -> outcome -> how many
    records: int
    entitlements: int
    dead_letters: int
    users: int
    shared: int  # in the subscribers' topics
    tombstones: int  # of them
    by_kind: dict  # OVERDUE, AGED, and with rules NEIGHBOUR, RESCORE -> score records
    searched: int  # settled by search
    seconds: float


def committed(case, topic, start=confluent_kafka.OFFSET_BEGINNING):
    """The messages of the partition's part of a topic, as a read_committed subscriber gets them."""
    consumer = confluent_kafka.Consumer({
        "bootstrap.servers": case.bootstrap, "group.id": "judge", "enable.auto.commit": False,
        "auto.offset.reset": "error", "enable.partition.eof": True,
        "isolation.level": "read_committed", "queued.max.messages.kbytes": 16384,
        "fetch.wait.max.ms": 10, "log_level": 0,
    })
    consumer.assign([confluent_kafka.TopicPartition(topic, case.partition, start)])
    moved = time.monotonic()
    try:
        while True:
            # It waits for all 5,000 or the time, and knows of no end.
            messages = consumer.consume(5000, 0.1)
            moved = time.monotonic() if messages else moved
            assert time.monotonic() - moved < 60, f"{topic} was not read to its end"
            for message in messages:
                if not message.error():
                    yield message
                    continue
                code = message.error().code()
                assert code == confluent_kafka.KafkaError._PARTITION_EOF, message.error()
                if message.offset() >= case.ends[topic]:
                    return
    finally:
        consumer.close()


def clocks(bus, partitions):
    """partition -> how far its newest mark says that time has passed."""
    found = {}
    for p, end in bus.ends("sesame-state").items():
        case = Case(bus.bootstrap, p, partitions, {"sesame-state": end}, {}, [], {}, b"", 0)
        for message in committed(case, "sesame-state", max(0, end - TAIL_MAX)):
            if message.key().decode() == MARK_KEY:
                found[p] = mark_clock(message.value())
    return found


def read_inputs(case):
    inputs = {}
    for name in INPUTS:
        records = [(m.timestamp()[1], m.key(), m.value()) for m in committed(case, name)]
        assert len(records) == case.ends[name], f"{name} [{case.partition}] has gaps"
        inputs[name] = records
    return inputs


def check_chain(recount, before, value, timestamp):
    """What any subscriber can check, apart from the recount."""
    opens = before is None or before["kind"] == "OPT_OUT"
    follows = (1, None) if opens else (before["sequence"] + 1, before["score"])
    good = (value["sequence"], value["previous_score"]) == follows
    good &= opens == (value["kind"] == "OPT_IN")
    good &= (value["cause"] is None) == (value["kind"] in BY_ITSELF)
    good &= value["clock"] <= value["as_of"] and value["clock"] <= timestamp + CLOCK_TOLERANCE_MS
    if not opens:
        good &= value["as_of"] >= before["as_of"] and value["clock"] >= before["clock"]
        good &= value["kind"] != "AGED" or value["clock"] == value["as_of"] > before["as_of"]
    if not good:
        recount.differences.append(
            f"the chain of {value['user_id']} breaks at {value}, behind {before}")


def judge_scores(case, recount, marks):
    schema, last, records = plain_schema("scores"), {}, 0
    by_kind = dict.fromkeys(("OVERDUE", "AGED", *(("NEIGHBOUR", "RESCORE") if case.rules else ())), 0)
    for message in committed(case, "scores"):
        value, timestamp = decode(schema, message.value()), message.timestamp()[1]
        records += 1
        user = value["user_id"]
        assert message.key().decode() == user
        if value["kind"] in by_kind:
            by_kind[value["kind"]] += 1
        if value["cause"] is not None:
            assert value["cause"]["partition"] == case.partition
        check_chain(recount, last.get(user), value, timestamp)
        last[user] = {key: value[key] for key in ("kind", "sequence", "score", "as_of", "clock")}
        recount.take(value["positions"], timestamp + CLOCK_TOLERANCE_MS, published_record(value))
        recount.keep(user, message.value())
    counted = Counter(each["score"] for each in last.values() if each["score"] is not None)
    if marks.histogram != counted:
        recount.differences.append(
            f"partition {case.partition}: {marks.histogram} are ranked, {dict(counted)} published")
    if marks.clock < case.due_by:
        recount.differences.append(
            f"partition {case.partition}: its clock stands at {marks.clock}, behind {case.due_by}")
    recount.finish({name: case.ends[name] for name in INPUTS}, marks.clock,
                   min(case.due_by, marks.clock))
    return records, by_kind


def judge_entitlements(case, recount):
    schema, found, held = plain_schema("entitlements"), [], set()
    for message in committed(case, "entitlements"):
        value = decode(schema, message.value())
        cause, key = value["cause"] or {}, (value["user_id"], value["benefit_id"])
        if (value["action"] == "GRANTED") == (key in held):
            recount.differences.append(f"{value['action']} of {key} twice")
        (held.add if value["action"] == "GRANTED" else held.discard)(key)
        found.append((value["user_id"], value["action"], value["benefit_id"], value["score"],
                      value["sequence"], value["as_of"], cause.get("topic"), cause.get("offset")))
    recount.compare_entitlements(found)
    return len(found)


def judge_dead_letters(case, recount):
    found = {}
    for message in committed(case, "dead-letters"):
        headers = {name: value.decode() for name, value in message.headers()}
        where = headers["sesame.topic"], int(headers["sesame.offset"])
        what = headers["sesame.reason"], int(headers["sesame.partition"])
        if where in found:
            recount.differences.append(f"dead-lettered twice: {where}")
        found[where] = what
        _, key, value = recount.inputs[where[0]][where[1]]
        if (message.key(), message.value()) != (key, value):
            recount.differences.append(f"the dead letter of {where} is not the record")
    expected = {where: (reason, case.partition)
                for where, reason in recount.expected_dead(found).items()}
    for where in found.keys() | expected.keys():
        if found.get(where) != expected.get(where):
            recount.differences.append(
                f"dead letter of {where}: {found.get(where)}, recounted {expected.get(where)}")
    return len(found)


class Marks:
    """The changelog of a partition: its states and its marks, as far as they are not compacted away.
    Some are heartbeats: alone in their transaction, and only their clocks differ."""

    def __init__(self, case):
        self.states, self.last, self.offset, self.clock = {}, None, None, 0
        self.histogram, self.sweep = {}, {}
        self.differences = []
        for message in committed(case, "sesame-state"):
            if message.key().decode() == MARK_KEY:
                self._take(case, message)
            elif message.value() is None:
                self.states.pop(message.key().decode(), None)
            else:
                self.states[message.key().decode()] = message.value()

    def _take(self, case, message):
        before, clock = self.last, self.clock
        self.last, self.offset = parse_mark(message.value()), message.offset()
        self.clock = mark_clock(message.value())
        self.histogram, self.sweep = mark_histogram(message.value()), mark_sweep(message.value())
        fallen = before and any(
            self.last[name][key] < count for name in INPUTS for key, count in before[name].items())
        if fallen or not clock <= self.clock <= message.timestamp()[1] + CLOCK_TOLERANCE_MS:
            self.differences.append(
                f"partition {case.partition}: the mark at {self.offset} says {self.clock}, "
                f"{self.last}, the one before {clock}, {before}")


def judge_state(case, recount, marks):
    """The changelog's last mark and states, and that Redis holds the same bytes."""
    states, mark, mark_offset = marks.states, marks.last, marks.offset
    recount.differences += marks.differences
    for name in INPUTS:
        expected = {**recount.counts[name], "position": case.ends[name]}
        expected["consumed"] = sum(recount.counts[name][outcome] for outcome in OUTCOMES)
        if mark is None or mark[name] != expected or expected["consumed"] != case.ends[name]:
            recount.differences.append(
                f"{name} is accounted as {mark and mark[name]}, recounted {expected}")
    for user in {name.removeprefix(FRIENDS_KEY) for name in states} ^ recount.holders():
        recount.differences.append(
            f"a state of {user} is {'' if user in states else 'not '}kept, against its consent")
    for user in states.keys() | case.states.keys():
        if states.get(user) != case.states.get(user):
            recount.differences.append(
                f"{user} is {case.states.get(user)} in Redis, {states.get(user)} in the changelog")
    if case.checkpoint is None or checkpoint_offset(case.checkpoint) != mark_offset:
        recount.differences.append(
            f"the checkpoint in Redis is {case.checkpoint}, the last mark at {mark_offset}")
    return len(states)


def checkpoint_offset(value):
    """The offset in a checkpoint's value (state/redis_partition.h, state/checkpoint.c)."""
    if len(value) < 6 or value[4] != 2:
        return None
    at = 6 + value[5] + 16 + 8  # cluster id, incarnation, writer
    (_, offset, _), _ = parse_numbers(value, at, 3)
    return offset


def judge_partition(case):
    """Never raises: not every exception survives the way back to the parent."""
    try:
        return _judge_partition(case)
    except Exception:  # pylint: disable=broad-except
        text = f"partition {case.partition} could not be judged: {traceback.format_exc()}"
        return Verdict(case.partition, [text], {}, 0, 0, 0, 0, 0, 0, {}, 0, 0.0)


def _judge_partition(case):
    began = time.monotonic()
    subscribers = Subscribers(case.subscribers)
    for name, topic in subscribers.topics.items():
        subscribers.read(name, committed(case, topic.subscriber.topic))
    marks = Marks(case)
    basis = case.partition, case.partitions, read_inputs(case), case.schema_ids
    recount = (Invariants(*basis, case.rules, subscribers, marks) if case.rules
               else Recount(*basis, chaos_model(), subscribers))
    records, by_kind = judge_scores(case, recount, marks)
    recount.check_subscribers()
    entitlements = judge_entitlements(case, recount)
    dead_letters = judge_dead_letters(case, recount)
    users = judge_state(case, recount, marks)
    return Verdict(case.partition, recount.differences, recount.counts, records, entitlements,
                   dead_letters, users, sum(t.count for t in subscribers.topics.values()),
                   sum(t.tombstones for t in subscribers.topics.values()), by_kind,
                   recount.settler.searched, time.monotonic() - began)


def redis_partition(server, prefix, partition):
    """(user -> bytes, checkpoint) of a partition, as a Redis server has them."""
    states, checkpoint, cursor = {}, None, b"0"
    while True:
        cursor, keys = server.call(
            "SCAN", cursor, "MATCH", f"{prefix}:{{{partition}}}:*", "COUNT", 10000)
        for key in keys:
            if key.endswith(b":cp"):
                checkpoint = server.call("GET", key)
                continue
            if server.call("TYPE", key) != b"hash":  # when whom to wake: a view of the states
                continue
            if key.endswith(b":wk"):  # when buckets wake: derived from the states
                continue
            fields = server.call("HGETALL", key)
            states.update(zip([user.decode() for user in fields[::2]], fields[1::2]))
        if cursor == b"0":
            return states, checkpoint


def subscriber_of(bus, entry, whole):
    """From its entry in the engines' config."""
    topic = entry.get("topic", f"scores.{entry['name']}")
    latest = bus.registry.get_latest_version(f"{topic}-value")
    return Subscriber(entry["name"], topic, entry["fields"], topic == whole,
                      latest.schema.schema_str, latest.schema_id)


def judge(bus, server, prefix, partitions, subscribers, due_by, rules, processes, say):
    """All partitions; the verdicts. `rules`: None for a recount."""
    topics = (*INPUTS, "scores", "entitlements", "dead-letters", "sesame-state",
              *(each.topic for each in subscribers))
    ends = {name: bus.ends(name) for name in topics}
    ids = {name: bus.registry.get_latest_version(f"{name}-value").schema_id for name in INPUTS}
    cases = []
    for p in range(partitions):
        states, checkpoint = redis_partition(server, prefix, p)
        own = {name: found[p] for name, found in ends.items()}
        cases.append(Case(bus.bootstrap, p, partitions, own, ids, subscribers, states, checkpoint,
                          due_by, rules))
    verdicts = []
    with multiprocessing.get_context("spawn").Pool(processes, maxtasksperchild=1) as pool:
        for verdict in pool.imap_unordered(judge_partition, cases, chunksize=1):
            say(f"partition {verdict.partition}: {verdict.records} score records "
                f"({', '.join(f'{n} {kind}' for kind, n in verdict.by_kind.items())}), "
                f"{verdict.searched} searches, {len(verdict.differences)} differences, judged in "
                f"{verdict.seconds:.0f} s")
            for text in verdict.differences[:SHOWN_MAX]:
                say(f"  {text[:1500]}")
            verdicts.append(verdict)
    return verdicts
