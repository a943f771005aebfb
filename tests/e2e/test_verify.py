"""`sesame verify`: what was published against the logs, as it is and after somebody has been at it."""

import json
import random

import pytest
from confluent_kafka import TopicPartition

from bus import schema_text
from feed import Feed
from history import History

SLOW = {"batch": {"records_max": 50}}


@pytest.fixture
def logs(bus, engine):
    """A history read by two processes, one of which is killed half-way; all of it is published."""
    engine.run("topics", "create")
    engine.run("schemas", "register")
    feed, history = Feed(bus, engine), History(users=60, seed=11)
    feed.send(history.consents())
    feed.send(history.friends(30))
    feed.send(history.events(700))
    first = engine.start("run", changes={**SLOW, "instance": "two"})
    first.wait_log("ready")
    feed.send(history.events(300))
    first.kill()
    engine.drain(changes=SLOW)
    feed.send(history.events(300))
    engine.drain(changes=SLOW)
    return Logs(bus, engine)


class Logs:
    """The published records, and copies of them in topics of their own that were tampered with."""

    def __init__(self, bus, engine):
        self.bus, self.engine, self.copies = bus, engine, 0
        topics = engine.config["topics"]
        self.scores = bus.read(topics["scores"])
        self.entitlements = bus.read(topics["entitlements"])
        self.prefix = topics["scores"]

    def verify(self, *more, code=0, changes=None):
        """The differences, and the total."""
        done = self.engine.run("verify", "--json", "--show-users", "--limit", "1000", *more,
                               check=False, changes=changes)
        assert done.returncode == code, done.stdout[-3000:] + done.stderr[-3000:]
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        assert lines[-1]["holds"] == (code == 0)
        return [line for line in lines if "difference" in line], lines[-1]

    def copy(self, name, records):
        """A topic that holds these, and the change of config that has it read."""
        self.copies += 1
        topic = f"{self.prefix}-{name}-{self.copies}"
        self.bus.create_topics([topic])
        schema, producer = schema_text(name), self.bus.producer()
        for record in records:
            self.bus.produce(topic, [(record.key, record.value)], schema=schema, producer=producer,
                             partition=record.partition, timestamp=record.timestamp_ms)
        assert producer.flush(60) == 0
        return {"topics": {name: topic}}


def tampered(value, name):
    """A record with one of its fields altered; None where this record has none such."""
    value = json.loads(json.dumps(value, default=lambda time: round(time.timestamp() * 1000)))
    if name in ("factors", "positions", "consent_positions", "cause"):
        part = value[name]
        if part is None:
            return None
        if name == "factors":
            part["history"]["points"] += 1
        elif name == "positions":
            if not value["cause"] or value["cause"]["topic"] != "bills":
                return None
            part["bills"] -= 1
        elif name == "consent_positions":
            part["scoring"] += 1
        else:
            part["event_id"] += "x"
    elif name == "friends":
        value[name]["confirmed"] += 1
    elif name in ("percentile", "ranks"):
        if value[name] is None:
            return None
        if name == "percentile":
            value[name] += 1 if value[name] < 10000 else -1
        else:
            value[name] += 1000000  # further than sesame-ranks goes
    elif name == "reasons":
        if not value[name]:
            return None
        value[name][0]["points"] += 1
    elif name == "clock" and value["clock"] < value["as_of"]:
        return None  # it could have been a little later
    elif isinstance(value[name], int):
        value[name] += 1
    elif value[name] is None:
        return None
    elif name in ("kind", "standing"):
        value[name] = {"kind": "RESCORE", "standing": "NONE"}[name]
    else:
        value[name] += "x"
    return value


def test_all_that_was_published_is_proven(logs):
    differences, total = logs.verify()
    assert not differences
    assert total["records"] == total["proven"] == len(logs.scores) > 300
    assert total["entitlements"] == total["entitlements_proven"] == len(logs.entitlements) > 0
    assert total["missing"] == total["erased"] == total["out_of_retention"] == 0
    ranked = sum(record.value["percentile"] is not None for record in logs.scores)
    assert total["percentiles_proven"] == ranked > 200
    assert total["histograms"] == total["histograms_proven"] > 0

    user = logs.scores[0].key
    _, one = logs.verify("--user", user)
    assert one["proven"] == one["records"] == sum(r.key == user for r in logs.scores)
    parts = [logs.verify("--sample", f"{k}/3")[1] for k in (1, 2, 3)]
    assert sum(part["proven"] for part in parts) == len(logs.scores)
    assert all(part["others"] + part["records"] == len(logs.scores) for part in parts)


def test_each_altered_field_shows(logs):
    fields = [field["name"] for field in json.loads(schema_text("scores"))["fields"]]
    pick = random.Random(5)
    for name in fields:
        for at in pick.sample(range(len(logs.scores)), len(logs.scores)):
            value = tampered(logs.scores[at].value, name)
            if value is not None:
                break
        else:
            assert name == "case_id", f"no record has a {name}"
            continue
        records = list(logs.scores)
        records[at] = records[at]._replace(value=value)
        differences, total = logs.verify(code=1, changes=logs.copy("scores", records))
        assert differences, name
        assert total["differing"] + total["missing"] <= 3, f"{name}: {differences}"


def test_what_is_missing_or_too_many_shows(logs):
    last = {record.partition: at for at, record in enumerate(logs.scores)
            if record.value["cause"] is not None}
    for at in (next(iter(last.values())), len(logs.scores) // 2):
        cut = logs.copy("scores", [r for i, r in enumerate(logs.scores) if i != at])
        differences, total = logs.verify(code=1, changes=cut)
        assert total["missing"] >= 1, differences
        again = logs.copy("scores", [*logs.scores, logs.scores[at]])
        differences, total = logs.verify(code=1, changes=again)
        assert total["differing"] == 1 and total["missing"] == 0, differences
    gone = logs.copy("entitlements", logs.entitlements[1:])
    differences, total = logs.verify(code=1, changes=gone)
    assert [line["difference"] for line in differences] == ["missing entitlement"], differences
    assert total["proven"] == len(logs.scores)


def test_friends_follow_from_what_they_told(logs):
    told = [record for record in logs.scores if record.value["friends"]["confirmed"] > 0]
    assert len(told) > 100 and any(record.value["kind"] == "NEIGHBOUR" for record in told)
    record = told[len(told) // 2]
    value = tampered(record.value, "friends")
    value["friends"] = {"confirmed": record.value["friends"]["confirmed"],
                        "bands": record.value["friends"]["bands"] + 1}
    altered = [r._replace(value=value) if r is record else r for r in logs.scores]
    differences, total = logs.verify(code=1, changes=logs.copy("scores", altered))
    assert [field["field"] for line in differences for field in line["fields"]] == ["friends.bands"]
    assert total["differing"] == 1

    # to one user no more is needed than what was told to that user
    _, one = logs.verify("--user", record.key)
    assert one["proven"] == one["records"] == sum(r.key == record.key for r in logs.scores)


def test_where_messages_have_expired_friends_are_out_of_retention(logs):
    friends = {r.key for r in logs.scores if r.value["friends"]["confirmed"] > 0}
    topic = logs.engine.config["topics"]["neighbours"]
    ends = [TopicPartition(topic, part, end) for part, end in logs.bus.ends(topic).items()]
    assert sum(part.offset for part in ends) > 60
    for done in logs.bus.admin.delete_records(ends).values():
        done.result(60)
    differences, total = logs.verify()
    assert not differences
    assert total["friends_expired"] == total["out_of_retention"] > len(friends)
    assert total["proven"] + total["friends_expired"] == len(logs.scores)
    of_others = sum(record.key not in friends for record in logs.scores)
    assert total["proven"] >= of_others > 100
