"""`sesame replay` and `sesame snapshot`: from Kafka and from archives, beside the engine's own scores."""

import csv

import fastavro
import pytest

from accounts import committed_total
from archive import archive
from bus import INPUTS
from engine import Accounted
from feed import Feed, last_by_user
from history import START_MS, STEP_MS, History

EVENTS = 6000


@pytest.fixture
def feed(bus, engine):
    engine.run("topics", "create")
    engine.run("schemas", "register")
    return Feed(bus, engine)


def fill(feed, users=400):
    """All consents, then the other events: what the engine makes of them does not depend on how it
    reads them."""
    history = History(users, seed=11)
    feed.send(history.consents())
    feed.send(history.events(EVENTS))
    return history


def scores_of(path):
    return {row["user_id"]: row for row in csv.DictReader(path.read_text().splitlines())}


def replay(engine, path, *more):
    """The rows by user, and the whole of what was printed."""
    done = engine.run("replay", "--scores", str(path), *more)
    return scores_of(path), done.stdout


def published(bus, engine):
    return last_by_user(bus.read(engine.config["topics"]["scores"]))


def ends(bus, engine):
    return {name: bus.ends(topic) for name, topic in engine.config["topics"].items()
            if isinstance(topic, str) and not topic.isdigit() and topic in bus.topics()}


def test_replay_gives_the_engines_scores_and_touches_nothing(bus, engine, feed, tmp_path):
    fill(feed)
    bus.produce(engine.config["topics"]["payments"], [("user-1", b"\x01no avro")])
    done = engine.drain()
    assert done["dead_lettered"] == 1
    before, group = ends(bus, engine), committed_total(bus, engine.config["group"])

    rows, printed = replay(engine, tmp_path / "kafka.csv")
    final = {user: value for user, value in published(bus, engine).items() if value["score"] is not None}
    assert rows.keys() == final.keys()
    differing = {user: (final[user]["score"], row["score"]) for user, row in rows.items()
                 if (str(final[user]["score"]), final[user]["tier"]) != (row["score"], row["tier"])}
    assert not differing, f"{len(differing)} differ: {list(differing.items())[:10]}"
    assert Accounted.of(printed) == done
    assert ends(bus, engine) == before and committed_total(bus, engine.config["group"]) == group

    committed, _ = replay(engine, tmp_path / "committed.csv", "--committed", "--threads", "3")
    assert committed == rows
    user = sorted(rows)[7]
    assert replay(engine, tmp_path / "one.csv", "--user", user)[0] == {user: rows[user]}

    archive(bus, engine, INPUTS, tmp_path / "archive")
    archived, printed = replay(engine, tmp_path / "archive.csv", "--files", str(tmp_path / "archive"))
    assert archived == rows
    assert "4 partitions" in printed and Accounted.of(printed)["counted"] == done["counted"]


# Not in a replay: how far the engine had read ahead, and where the score stood among all others'.
NOT_REPLAYED = ("clock", "percentile", "ranks")


def of_partitions(records):
    """partition -> its records in order, without what no replay tells."""
    parts = {}
    for record in records:
        value = {field: it for field, it in record.value.items() if field not in NOT_REPLAYED}
        assert record.key == value["user_id"]
        parts.setdefault(record.partition, []).append(value)
    return parts


def counts(records):
    """partition -> how many"""
    return {partition: len(values) for partition, values in of_partitions(records).items()}


def one_topic_after_the_other(history, events):
    """Lists of events to be sent and read one after the other; times only rise, so that there is one
    order only in which all of it can be read."""
    moment = 0
    for topic in ("consents", "profiles", "payments", "bills", "bookings", "blacklist"):
        # one in two hundred is a listing
        made = history.consents() if topic == "consents" else history.events(events)
        some = []
        for _, event in filter(lambda pair: pair[0] == topic, made):
            moment += STEP_MS
            some.append((topic, {**event, "occurred_at": START_MS + moment}))
        yield some


def test_replay_publishes_the_engines_records_into_topics_of_its_own(bus, engine, feed, prefix, tmp_path):
    for events in one_topic_after_the_other(History(120, seed=5), 900):
        feed.send(events)
        engine.drain()
    names, again = engine.config["topics"], prefix + "again-"
    own = {name: again + names[name] for name in ("scores", "entitlements")}
    before, group = ends(bus, engine), committed_total(bus, engine.config["group"])
    assert not set(own.values()) & set(bus.topics())

    done = engine.run("replay", "--to-prefix", again, "--records", str(tmp_path / "records.avro"),
                      "--threads", "3")
    live, replayed = ({name: bus.read(topics[name]) for name in own} for topics in (names, own))
    for name, records in live.items():
        assert len(records) > 100
        assert of_partitions(replayed[name]) == of_partitions(records), name
        assert f"{len(records)} records are in {own[name]}" in done.stdout
    assert {record.value["kind"] for record in live["scores"]} >= {"OPT_IN", "OPT_OUT", "UPDATE",
                                                                   "BLACKLIST_DROP"}
    with open(tmp_path / "records.avro", "rb") as file:
        in_file = list(fastavro.reader(file))
    assert in_file == [r.value for r in sorted(replayed["scores"], key=lambda r: r.partition)]
    assert bus.topics()[own["scores"]] == bus.topics()[names["scores"]]
    assert ends(bus, engine) == before and committed_total(bus, engine.config["group"]) == group

    refused = engine.run("replay", "--to-prefix", again, check=False)
    assert refused.returncode == 1 and f"{own['scores']} holds {len(in_file)} records" in refused.stderr
    assert bus.ends(own["scores"]) == counts(replayed["scores"]), "nothing was added"
    engine.run("replay", "--to-prefix", again, "--to-replace")
    anew = bus.read(own["scores"])
    assert of_partitions(anew) == of_partitions(replayed["scores"])
    assert min(r.offset for r in anew) > 0, "offsets go on"
    assert counts(anew) == counts(replayed["scores"]), "the first ones are gone"


def own_topics(bus, prefix):
    """Those of one test, and what has its prefix behind another."""
    return {name for name in bus.topics() if prefix in name}


def test_replay_never_publishes_into_the_live_systems_topics(bus, engine, feed, prefix):
    feed.send(History(5, seed=1).consents())
    engine.drain()
    before, there = ends(bus, engine), own_topics(bus, prefix)
    changes = {"topics": {"dead_letters": "x" + engine.config["topics"]["scores"]}}
    for given, changed in (("", {}), ("x", changes)):
        done = engine.run("replay", "--to-prefix", given, "--to-replace", changes=changed, check=False)
        assert done.returncode == 1 and "of the live system" in done.stderr, done.stderr
    for more in (("--resume", "run"), ("--scores-only",)):
        assert engine.run("replay", "--to-prefix", "y", *more, check=False).returncode == 2
    assert ends(bus, engine) == before and own_topics(bus, prefix) == there


def test_replay_from_a_time_begins_there(bus, engine, feed, tmp_path):
    history = History(50, seed=3)
    feed.send(history.consents())
    feed.send(history.events(300))
    later = max(record.timestamp_ms for name in INPUTS
                for record in bus.read(engine.config["topics"][name], decode=False)) + 1
    _, printed = replay(engine, tmp_path / "late.csv", "--from", str(later))
    assert Accounted.of(printed)["consumed"] == 0 and "midst" in printed
    topic = engine.config["topics"]["payments"]
    everything = Accounted.of(replay(engine, tmp_path / "all.csv")[1])["consumed"]
    end = bus.ends(topic)[0]
    part = Accounted.of(replay(engine, tmp_path / "some.csv", "--from", f"{topic}/0={end}")[1])["consumed"]
    assert part == everything - end


def test_a_snapshot_of_the_live_changelog_is_where_a_replay_goes_on(bus, engine, feed, tmp_path):
    history = fill(feed)
    engine.drain()
    taken = tmp_path / "snapshot.avro"
    engine.run("snapshot", str(taken))
    assert "sound" in engine.run("snapshot", "--check", str(taken)).stdout

    sent = sum(feed.send(history.events(1000)).values())
    rows, printed = replay(engine, tmp_path / "on.csv", "--snapshot", str(taken))
    done = engine.drain()
    assert Accounted.of(printed)["consumed"] == Accounted.of(replay(engine, tmp_path / "all.csv")[1])["consumed"]
    final = {user: value for user, value in published(bus, engine).items() if value["score"] is not None}
    assert done["consumed"] == sent
    assert {user: row["score"] for user, row in rows.items()} == {
        user: str(value["score"]) for user, value in final.items()
    }

    damaged = bytearray(taken.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    taken.write_bytes(damaged)
    refused = engine.run("snapshot", "--check", str(taken), check=False)
    assert refused.returncode == 1 and "no sound snapshot" in refused.stderr
