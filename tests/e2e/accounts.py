"""Where an engine stands, from what Kafka holds of it: committed offsets, and the changelog's marks."""

import time

import confluent_kafka

from bus import INPUTS
from feed import check_sequences, last_by_user
from waiting import wait_until

MARK_KEY = "\x01"
OUTCOMES = ("counted", "duplicate", "not_consented", "dead_lettered")
SWEEP = ("epoch", "swept", "sweep_next", "sweep_groups", "rescored")


def committed_total(bus, group):
    """Sum of the group's committed offsets: how many records of all inputs it has consumed."""
    asked = confluent_kafka.ConsumerGroupTopicPartitions(group)
    [future] = bus.admin.list_consumer_group_offsets([asked]).values()
    return sum(max(0, part.offset) for part in future.result(30).topic_partitions
               if not part.topic.endswith("neighbours"))  # which nobody has sent


def wait_consumed(bus, engine, total, process=None, seconds=90, changes=None):
    """Waits until the group has committed at least that many; returns how many it has."""
    group = (changes or engine.config)["group"]

    def reached():
        assert process is None or process.running(), f"sesame ended:\n{process.tail()}"
        now = committed_total(bus, group)
        return now if now >= total else None

    return wait_until(
        reached, seconds, lambda: f"{committed_total(bus, group)} of {total} consumed"
    )


def ends_total(bus, engine):
    return sum(sum(bus.ends(engine.config["topics"][name]).values()) for name in INPUTS)


def parse_numbers(data, at, count):
    """Varints of zig-zag."""
    numbers = []
    for _ in range(count):
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                break
        numbers.append(value >> 1 ^ -(value & 1))
    return numbers, at


def parse_mark(data):
    """input -> {"consumed": …, the outcomes, "position"} of a mark's value.

    The format is that of state/changelog.c: what the engine itself goes on counting from.
    """
    return _parse_mark(data)[0]


def mark_histogram(data):
    """score -> users who have it, of a mark's value (state/pack_histogram.h)."""
    return _parse_mark(data)[1]


def _parse_mark(data):
    assert data[0] == 4
    _, at = parse_numbers(data, 17, 2)
    for _text in ("the model's version", "the group"):
        at += 1 + data[at]
    names = (*INPUTS, "neighbours")
    assert (data[at], data[at + 1]) == (len(names), len(OUTCOMES))
    at += 2
    inputs = {}
    for name in names:
        numbers, at = parse_numbers(data, at, 4 + len(OUTCOMES))  # a day, and what was passed beyond
        inputs[name] = dict(zip(("consumed", *OUTCOMES, "position"), numbers))
    sweep, at = parse_numbers(data, at, len(SWEEP))
    assert data[at] in (0, 1)  # whether the histogram is to be published
    histogram, score = {}, 350
    at += 1
    while at < len(data):
        token = shift = 0
        while True:
            token |= (data[at] & 0x7F) << shift
            shift += 7
            at += 1
            if data[at - 1] < 0x80:
                break
        if token & 1:
            histogram[score] = token >> 1
        score += 1 if token & 1 else token >> 1
    assert score == 951
    return inputs, histogram, dict(zip(SWEEP, sweep))


def mark_sweep(data):
    """Which model is in charge, and how far its users have been told, of a mark's value."""
    return _parse_mark(data)[2]


def mark_clock(data):
    """How far the partition has seen time pass, in milliseconds, of a mark's value."""
    (_, clock_ms), _ = parse_numbers(data, 17, 2)
    return clock_ms


def marks(bus, topic):
    """partition -> its last mark, parsed."""
    return {
        record.partition: parse_mark(record.value)
        for record in bus.read(topic, decode=False)
        if record.key == MARK_KEY
    }


def check_marks(bus, topics):
    """Promise 6 over the whole life of a group: per topic and partition, and as the topics' ends are.

    Returns the sums of the outcomes.
    """
    sums = dict.fromkeys(("consumed", *OUTCOMES), 0)
    ends = {name: bus.ends(topics[name]) for name in INPUTS}
    found = marks(bus, topics["state"])
    for partition, inputs in found.items():
        for name, counts in inputs.items():
            assert counts["consumed"] == sum(counts[outcome] for outcome in OUTCOMES), counts
            if name == "neighbours":
                continue  # engines write them in transactions, whose markers nobody counts
            where = f"{name} [{partition}]: {counts}, end {ends[name][partition]}"
            assert counts["consumed"] == counts["position"] == ends[name][partition], where
            for key in sums:
                sums[key] += counts[key]
    assert sums["consumed"] == sum(sum(each.values()) for each in ends.values())
    return sums


def check_published(bus, topics):
    """Scores and entitlements as a subscriber reads them: no gap, nothing twice.

    Returns user -> (score, tier, standing) after the last record.
    """
    records = bus.read(topics["scores"])
    causes = [
        (r.value["cause"]["topic"], r.value["cause"]["partition"], r.value["cause"]["offset"])
        for r in records if r.value["cause"]  # time alone has caused the others
    ]
    assert all(bool(r.value["cause"]) != (r.value["kind"] in ("OVERDUE", "AGED")) for r in records)
    assert len(set(causes)) == len(causes), "one event has led to two records"
    check_sequences(records)
    held = set()
    for record in bus.read(topics["entitlements"]):
        key = record.key, record.value["benefit_id"]
        granted = record.value["action"] == "GRANTED"
        assert granted != (key in held), f"{record.value['action']} of {key} twice"
        (held.add if granted else held.discard)(key)
    last = last_by_user(records)
    assert {user for user, _ in held} == {
        user for user, value in last.items()
        if value["standing"] == "SCORED" and value["score"] >= 600
    }
    return {user: (v["score"], v["tier"], v["standing"]) for user, v in last.items()}


def undisturbed(bus, engine, prefix):
    """What another group, with state and outputs of its own, makes of the same inputs in one go."""
    other = {
        "group": prefix + "other",
        "redis": {"prefix": prefix + "other"},
        "topics": {
            name: f"{prefix}other-{name}"
            for name in ("scores", "entitlements", "dead_letters", "state", "neighbours", "ranks",
                         "models")
        },
    }
    engine.run("topics", "create", changes=other)
    engine.run("schemas", "register", changes=other)
    done = engine.drain(changes=other)
    topics = {**engine.config["topics"], **other["topics"]}
    outcome = check_published(bus, topics)
    sums = check_marks(bus, topics)
    assert done == sums
    return outcome, sums


def closing(users):
    """An event of the same instant for each user. Up to when time alone has moved somebody's as_of
    depends on how the topics interleave; final scores are the same at the same as_of (promise 4)."""
    now_ms = time.time_ns() // 1_000_000
    for user in sorted(users):
        yield "bookings", {
            "event_id": f"closing-{now_ms}", "user_id": user, "occurred_at": now_ms,
            "status": "MADE", "kind": "HOTEL", "booking_id": "closing",
        }


def check_same(bus, engine, prefix):
    """The engine's outcome against an undisturbed one; returns the sums of the outcomes."""
    outcome = check_published(bus, engine.config["topics"])
    sums = check_marks(bus, engine.config["topics"])
    expected, expected_sums = undisturbed(bus, engine, prefix)
    assert outcome == expected
    assert sums == expected_sums
    return sums


def assigned(bus, group):
    """static member id -> the partitions that it owns (of every input)."""
    [future] = bus.admin.describe_consumer_groups([group]).values()
    return {
        member.group_instance_id: sorted({p.partition for p in member.assignment.topic_partitions})
        for member in future.result(30).members
    }
