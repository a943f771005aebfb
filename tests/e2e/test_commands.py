"""The commands as an operator uses them, on the real parts, and what they say when something is wrong."""

import base64
import collections
import json
import re
import time

import pytest

from accounts import check_marks, check_published, ends_total, wait_consumed
from bus import INPUTS
from engine import Accounted
from feed import Feed
from history import History
from kcat import kcat, kcat_reads_avro
from partitioner import murmur2_partition
from stack import free_port

DAY_MS = 86400000


def compatibility(bus, subject):
    return str(bus.registry.get_compatibility(subject)).rsplit(".", 1)[-1].upper()


def ready(engine):
    engine.run("topics", "create")
    engine.run("schemas", "register")


def refused(engine, *command, changes=None, code=1):
    """Runs a command that must fail; returns what it says."""
    done = engine.run(*command, changes=changes, check=False, seconds=60)
    assert done.returncode == code, f"exited {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stderr


# --- topics and schemas


def test_topics_create_makes_what_the_contract_says(bus, engine):
    first = engine.run("topics", "create", changes={"topics": {"partitions": 3}}).stdout
    names = engine.config["topics"]
    assert len(re.findall(r" created$", first, re.MULTILINE)) == len(names) == 14
    there = bus.topics()
    counts = {key: there[name] for key, name in names.items()}
    assert counts.pop("models") == counts.pop("ranks") == 1 and set(counts.values()) == {3}
    assert bus.topic_config(names["models"])["cleanup.policy"] == "compact"
    for name in INPUTS:
        config = bus.topic_config(names[name])
        assert (config["cleanup.policy"], config["retention.ms"]) == ("delete", "-1"), name
    for name in ("scores", "entitlements", "dead_letters"):
        config = bus.topic_config(names[name])
        assert config["cleanup.policy"] == "delete", name
        assert config["retention.ms"] == str(365 * DAY_MS), name
    dead_letters = bus.topic_config(names["dead_letters"])
    assert int(dead_letters["max.message.bytes"]) > 16 * 1024 * 1024
    neighbours = bus.topic_config(names["neighbours"])
    assert (neighbours["cleanup.policy"], neighbours["retention.ms"]) == ("delete", str(30 * DAY_MS))
    state = bus.topic_config(names["state"])
    assert state["cleanup.policy"] == "compact"
    assert state["message.timestamp.type"] == "LogAppendTime"
    assert (state["segment.ms"], state["max.compaction.lag.ms"]) == (str(DAY_MS), str(DAY_MS))
    assert state["delete.retention.ms"] == str(7 * DAY_MS)
    ranks = bus.topic_config(names["ranks"])
    assert (ranks["cleanup.policy"], ranks["min.compaction.lag.ms"]) == ("compact", str(DAY_MS))

    again = engine.run("topics", "create", changes={"topics": {"partitions": 3}}).stdout
    assert again.count("was there already") == 14 and bus.topics() == there
    said = refused(engine, "topics", "create", changes={"topics": {"partitions": 6}})
    assert re.search(r"\b3\b", said) and re.search(r"\b6\b", said) and "partition" in said, said
    assert bus.topics() == there


def test_schemas_register_sets_backward(bus, engine):
    first = engine.run("schemas", "register").stdout
    names = engine.config["topics"]
    subjects = [f"{names[name]}-value" for name in (
        *INPUTS, "scores", "neighbours", "entitlements", "ranks", "models")]
    assert all(f"{subject} " in first for subject in subjects), first
    for subject in subjects:
        assert compatibility(bus, subject) == "BACKWARD"
        assert bus.registry.get_versions(subject) == [1]
    assert engine.run("schemas", "register").stdout == first  # the same ids
    assert all(bus.registry.get_versions(subject) == [1] for subject in subjects)

    # what the registry holds is what it keeps others from breaking
    broken = json.loads(bus.registry.get_latest_version(subjects[0]).schema.schema_str)
    broken["fields"].append({"name": "mandatory", "type": "string"})
    with pytest.raises(Exception, match="(?i)incompatible|409"):
        bus.register(names["payments"], json.dumps(broken))


# --- check-config and options


def test_check_config_prints_what_loads_again(engine, tmp_path):
    first = engine.run("check-config", changes={"workers": 3}).stdout
    assert re.search(r"^# model .+, structural .+$", first, re.MULTILINE), first[-300:]
    printed = tmp_path / "printed.yaml"
    printed.write_text(first)
    again = engine.run("check-config", "-F", str(printed)).stdout

    def settings(text):
        lines = (re.sub(r"\s*#.*", "", line) for line in text.splitlines())
        return [line for line in lines if line.strip()]

    assert settings(again) == settings(first) and len(settings(first)) > 30
    assert "workers: 3" in settings(first)
    assert first.splitlines()[-1] == again.splitlines()[-1]  # the same model


def test_x_overrides_the_file(engine):
    shown = engine.run(
        "check-config", "-X", "workers=5", "-X", "redis.prefix=over", "-X", "workers=6",
        "-X", "fetch.wait.max.ms=77",
    ).stdout
    assert re.search(r"^workers: 6\b", shown, re.MULTILINE), shown
    assert re.search(r"^  prefix: \"?over\b", shown, re.MULTILINE)
    assert re.search(r"^  fetch\.wait\.max\.ms: \"?77\b", shown, re.MULTILINE)


@pytest.mark.parametrize("override, said", [
    ("workers=0", "workers"),
    ("workers=many", "workers"),
    ("redis.prefx=a", "redis.prefix"),  # what may have been meant
    ("enable.auto.commit=true", "exactly once"),
    ("transactional.id=x", "instance"),
    ("no-equals-sign", "name=value"),
])
def test_a_wrong_override_is_named(engine, override, said):
    assert said in refused(engine, "check-config", "-X", override)


def test_wrong_calls_are_told_apart(engine, tmp_path):
    assert "usage: sesame run" in refused(engine, "run", "--no-such-option", code=2)
    assert "say what to do" in refused(engine, "topics", code=2)
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("group: g\nredis:\n  ulr: redis://127.0.0.1\n")
    said = refused(engine, "run", "-F", str(wrong))
    assert "wrong.yaml" in said and "3" in said and "redis.url" in said, said


# --- run, when something is not there


def test_run_names_what_is_missing(engine, stack, bus):
    assert "sesame schemas register" in refused(engine, "run")
    engine.run("schemas", "register")
    said = refused(engine, "run")
    assert "sesame topics create" in said and engine.config["topics"]["models"] in said
    engine.run("topics", "create")
    assert engine.drain()["consumed"] == 0
    for name in ("kafka", "registry", "redis"):
        config = dict(engine.config)
        own = engine.config.pop(name)
        try:
            said = refused(engine, "run")
        finally:
            engine.config.update({**config, name: own})
        wanted = "bootstrap.servers" if name == "kafka" else f"{name}.url"
        assert wanted in said, said


def test_run_refuses_topics_of_unequal_partitions(engine, bus):
    bus.create_topics([engine.config["topics"]["bills"]], partitions=2)
    assert "partition" in refused(engine, "topics", "create")
    engine.run("schemas", "register")
    said = refused(engine, "run")
    assert "partition count" in said and f"{engine.config['topics']['bills']} 2" in said, said


def test_run_refuses_a_redis_that_evicts(engine, stack):
    ready(engine)
    stack.redis("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    try:
        said = refused(engine, "run", "--until-caught-up")
    finally:
        stack.redis("CONFIG", "SET", "maxmemory-policy", "noeviction")
    assert "maxmemory-policy" in said and "noeviction" in said and "allkeys-lru" in said, said
    assert engine.drain()["consumed"] == 0


@pytest.mark.parametrize("part, section, url", [
    ("Kafka", {"kafka": "bootstrap.servers"}, "127.0.0.1:{}"),
    ("Redis", {"redis": "url"}, "redis://127.0.0.1:{}"),
    ("registry", {"registry": "url"}, "http://127.0.0.1:{}/apis/ccompat/v7"),
])
def test_run_waits_for_a_dependency_that_is_away(engine, part, section, url):
    ready(engine)
    changes = {name: {key: url.format(free_port())} for name, key in section.items()}
    process = engine.start("run", changes=changes)
    process.wait_log(rf"(?i){part}.*trying again")
    assert process.running()
    assert process.stop(60) == 0, process.tail()
    assert Accounted.of(process.out())["consumed"] == 0


# --- generate


def test_what_generate_sends_is_accounted_for(bus, engine):
    ready(engine)
    done = engine.run(
        "generate", "--users", "2000", "--events", "30000", "--seed", "7", "--bad", "4",
        "--duplicates", "6",
    )
    sent = done.stdout + done.stderr
    total = ends_total(bus, engine)
    assert total == 30000, sent
    counts = engine.drain()
    assert counts["consumed"] == total
    assert 60 <= counts["dead_lettered"] <= 240 and 60 <= counts["duplicate"] <= 360, counts
    assert counts["counted"] > 25000
    topics = engine.config["topics"]
    assert check_marks(bus, topics) == counts
    assert len(bus.read(topics["dead_letters"], decode=False)) == counts["dead_lettered"]
    outcome = check_published(bus, topics)
    assert len(outcome) > 1000
    standings = collections.Counter(standing for _, _, standing in outcome.values())
    assert set(standings) == {"SCORED", "LISTED", "OPTED_OUT"}, standings
    ends = bus.ends(topics["scores"])
    assert engine.drain()["consumed"] == 0 and bus.ends(topics["scores"]) == ends


# --- dead letters


def test_dead_letters_are_listed_and_sent_back(bus, engine):
    ready(engine)
    feed, names = Feed(bus, engine), engine.config["topics"]
    consent = {
        "event_id": "c", "user_id": "lost", "occurred_at": 1700000000000, "action": "GRANTED",
        "purpose": "SCORING", "subscriber": "",
    }
    value = feed.encode("consents", consent)
    right = murmur2_partition("lost", 4)
    bus.produce(
        names["consents"], [("lost", value)], partition=(right + 1) % 4,
        headers=[("trace", b"original")],
    )
    bus.produce(names["payments"], [("lost", b"garbage")], partition=right)
    counts = engine.drain()
    assert (counts["consumed"], counts["dead_lettered"]) == (2, 2)

    shown = engine.run("dead-letters", "list").stdout
    assert "MISROUTED" in shown and "BAD_WIRE_FORMAT" in shown and "2 dead letters shown" in shown
    assert names["consents"] in shown and "lost" in shown
    only = engine.run("dead-letters", "list", "--reason", "MISROUTED", "--json").stdout
    [letter] = [json.loads(line) for line in only.splitlines()]
    assert base64.b64encode(value).decode() in json.dumps(letter), letter

    assert "--all" in refused(engine, "dead-letters", "replay", code=2)
    ends = ends_total(bus, engine)
    dry = engine.run("dead-letters", "replay", "--reason", "MISROUTED", "--dry-run").stdout
    assert "would send 1" in dry and ends_total(bus, engine) == ends
    sent = engine.run("dead-letters", "replay", "--reason", "MISROUTED").stdout
    assert "sent 1" in sent and ends_total(bus, engine) == ends + 1
    back = [r for r in bus.read(names["consents"], decode=False) if r.partition == right][-1]
    assert (back.key, back.value) == ("lost", value)
    assert back.headers["trace"] == b"original" and "sesame.replayed" in back.headers
    assert not [name for name in back.headers if name == "sesame.reason"]

    counts = engine.drain()
    assert (counts["consumed"], counts["counted"]) == (1, 1)
    [opened] = bus.read(names["scores"])
    assert (opened.key, opened.value["kind"]) == ("lost", "OPT_IN")
    assert check_marks(bus, names)["dead_lettered"] == 2


# --- subscribers without our code


@pytest.fixture
def published(bus, engine):
    ready(engine)
    feed, history = Feed(bus, engine), History(50, seed=21)
    feed.send(history.consents())
    feed.send(history.events(500))
    bus.produce(engine.config["topics"]["payments"], [("user-3", b"garbage")])
    engine.drain()
    return engine.config["topics"]


COMMITTED = ("-C", "-e", "-q", "-X", "isolation.level=read_committed")


def test_kcat_reads_scores_and_dead_letters(stack, bus, published):
    expected = sorted((r.partition, r.offset, r.key) for r in bus.read(published["scores"]))
    assert len(expected) > 100
    text = kcat(stack, *COMMITTED, "-t", published["scores"], "-f", "%p %o %k\n")
    shown = [line.split(" ", 2) for line in text.splitlines()]
    assert sorted((int(p), int(o), key) for p, o, key in shown) == expected
    letters = kcat(stack, *COMMITTED, "-t", published["dead_letters"], "-f", "%k %h %s\n")
    assert letters.startswith("user-3 ") and letters.endswith(" garbage\n"), letters
    assert "sesame.reason=BAD_WIRE_FORMAT" in letters


def test_kcat_decodes_avro(stack, bus, published):
    if not kcat_reads_avro():
        pytest.skip("this kcat is built without Avro (kcat -V)")
    text = kcat(
        stack, *COMMITTED, "-t", published["scores"], "-s", "value=avro", "-r",
        stack.registry_url, "-f", "%s\n",
    )
    shown = [json.loads(line) for line in text.splitlines()]
    expected = [record.value for record in bus.read(published["scores"])]
    assert sorted((v["user_id"], v["sequence"]) for v in shown) == sorted(
        (v["user_id"], v["sequence"]) for v in expected
    )


def test_a_score_is_seen_soon(bus, engine):
    """An engine that is up publishes within a second even here; the benchmark measures it properly."""
    ready(engine)
    feed, history = Feed(bus, engine), History(20, seed=22)
    feed.send(history.consents())
    process = engine.start("run")
    wait_consumed(bus, engine, ends_total(bus, engine), process)
    before = len(bus.read(engine.config["topics"]["scores"]))
    events = list(history.events(20))
    started = time.monotonic()
    feed.send(events)
    wait_consumed(bus, engine, ends_total(bus, engine), process)
    assert time.monotonic() - started < 3
    assert len(bus.read(engine.config["topics"]["scores"])) > before
    assert process.stop() == 0
