"""Subscribers' topics on the real parts, read by the programs that docs/subscribing.md shows."""

import json
import os
import re
import shutil
import subprocess

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient

from feed import last_by_user
from play import Play, at, consent, good_life, listing, payment
from stack import servers
from subscriber import Subscriber, blocks, share
from waiting import wait_until

FIELDS = ["sequence", "kind", "standing", "score", "previous_score", "tier", "factors", "as_of"]


@pytest.fixture
def play(bus, engine, stack, prefix):
    engine.config["subscribers"] = [
        {"name": "lending", "topic": prefix + "scores.lending", "fields": FIELDS},
        {"name": "cars", "topic": prefix + "scores.cars", "fields": ["tier", "standing"]},
    ]
    return Play(bus, engine, stack)


def of(play, name, user):
    """What a subscriber sees of a user: values, None for a tombstone."""
    records = play.bus.read(play.engine.config["topics"]["scores"] + "." + name)
    return [record.value for record in records if record.key == user]


@pytest.fixture
def subscriber(stack, play, tmp_path):
    started = Subscriber(stack, play.engine.config["subscribers"][0]["topic"], tmp_path)
    yield started
    if started.popen.poll() is None:
        started.popen.kill()
        started.popen.wait()


def test_topics_and_schemas(play, bus, stack):
    lending, cars = (entry["topic"] for entry in play.engine.config["subscribers"])
    partitions = bus.topics()
    state = bus.topic_config(play.engine.config["topics"]["state"])
    for topic in lending, cars:
        assert partitions[topic] == partitions[play.engine.config["topics"]["scores"]]
        config = bus.topic_config(topic)
        for key in "cleanup.policy", "segment.ms", "max.compaction.lag.ms", "delete.retention.ms":
            assert config[key] == state[key], key
    assert state["cleanup.policy"] == "compact"

    def fields(topic):
        fresh = SchemaRegistryClient({"url": stack.registry_url})  # another one keeps what it saw
        schema = fresh.get_latest_version(f"{topic}-value").schema.schema_str
        return [field["name"] for field in json.loads(schema)["fields"]]

    assert fields(lending) == ["user_id", *FIELDS]
    assert fields(cars) == ["user_id", "standing", "tier"]
    assert bus.registry.get_compatibility(f"{cars}-value") == "BACKWARD"
    printed = play.engine.run("check-config").stdout
    assert f"topic: {lending}" in printed and "fields: [standing, tier]" in printed
    # a set may grow, and the old schema stays
    more = [dict(play.engine.config["subscribers"][1], fields=["tier", "standing", "cause", "as_of"])]
    play.engine.run("schemas", "register", changes={"subscribers": more})
    assert fields(cars) == ["user_id", "standing", "tier", "cause", "as_of"]
    # an engine that is not told of what is not registered does not start
    play.engine.config["subscribers"][1]["fields"] = ["reasons"]
    refused = play.engine.run("run", "--until-caught-up", check=False)
    assert refused.returncode == 1 and "sesame schemas register" in refused.stderr


def test_from_the_grant_to_the_withdrawal(play):
    play.send(*good_life("u"), payment("v", at(1)), consent("v", at(0)))
    play.drain()
    assert of(play, "lending", "u") == []
    play.send(share("u", 371), share("u", 371, "cars"))
    play.drain()
    last = last_by_user(play.scores())["u"]
    [shown] = of(play, "lending", "u")
    assert shown["kind"] == "SHARED" and shown["previous_score"] is None
    assert {k: shown[k] for k in ("score", "tier", "sequence")} == {
        k: last[k] for k in ("score", "tier", "sequence")
    }
    assert of(play, "cars", "u") == [
        {"user_id": "u", "standing": "SCORED", "tier": last["tier"]}
    ]

    play.send(listing("u", at(372), "LISTED"), listing("u", at(373), "DELISTED"))
    play.drain()
    published = [r.value for r in play.scores() if r.key == "u"][-2:]
    assert of(play, "lending", "u")[1:] == [
        {key: record[key] for key in ("user_id", *FIELDS)} for record in published
    ]
    play.send(share("u", 374, action="WITHDRAWN"), share("u", 374, action="WITHDRAWN"))
    play.drain()
    play.send(listing("u", at(375), "LISTED"))
    play.drain()
    assert len(of(play, "lending", "u")) == 4 and of(play, "lending", "u")[-1] is None
    assert of(play, "cars", "u")[-1]["standing"] == "LISTED"
    play.send(share("u", 376))
    play.drain()
    assert of(play, "lending", "u")[-1]["standing"] == "LISTED"
    play.send(consent("u", at(377), "WITHDRAWN"))
    play.drain()
    assert of(play, "lending", "u")[-1] is None and len(of(play, "lending", "u")) == 6
    assert of(play, "cars", "u")[-1] is None
    assert of(play, "lending", "v") == of(play, "cars", "v") == []


def test_no_share_without_scoring(play):
    play.send(share("u", 0), consent("u", at(1)), share("w", 0))
    counts = play.drain()
    assert (counts["counted"], counts["not_consented"]) == (1, 2)
    play.send(listing("u", at(2), "LISTED"))
    play.drain()
    assert of(play, "lending", "u") == [] and play.in_redis() == {"u"}


def test_the_program_of_the_document(play, subscriber):
    subscriber.wait(lambda told: told and told[-1] == {"what": "caught up", "users": 0}, "caught up")
    play.send(consent("u", at(0)), share("u", 0), consent("v", at(0)), share("v", 0))
    play.drain()

    def shown(told, user):
        return [line for line in told if line.get("user") == user]

    subscriber.wait(lambda told: shown(told, "u") and shown(told, "v"), "two users")
    play.send(listing("u", at(1), "LISTED"), share("v", 1, action="WITHDRAWN"))
    play.drain()
    told = subscriber.wait(
        lambda told: len(shown(told, "u")) == 2 and len(shown(told, "v")) == 2 and told, "both news"
    )
    assert [line["record"]["standing"] for line in shown(told, "u")] == ["SCORED", "LISTED"]
    assert [line["what"] for line in shown(told, "v")] == ["score", "gone"]
    assert not [line for line in told if line["what"] == "gap"]
    # what is published between a withdrawal and the next grant is neither seen nor missed
    play.send(share("u", 2, action="WITHDRAWN"))
    play.drain()
    play.send(listing("u", at(3), "DELISTED"))
    play.drain()
    play.send(share("u", 4))
    play.drain()
    told = subscriber.wait(lambda told: len(shown(told, "u")) == 4 and told, "after the grant")
    assert [line["what"] for line in shown(told, "u")] == ["score", "score", "gone", "score"]
    assert not [line for line in told if line["what"] == "gap"]
    subscriber.stop()


def test_the_program_sees_a_gap_and_begins_anew(play, stack, tmp_path, subscriber):
    topic = play.engine.config["subscribers"][0]["topic"]
    play.send(consent("u", at(0)), share("u", 0))
    play.drain()
    subscriber.wait(lambda told: any(line.get("user") == "u" for line in told), "the first")
    [first] = play.bus.read(topic)
    text = play.bus.registry.get_latest_version(f"{topic}-value").schema.schema_str
    value = dict(first.value)
    value.update(sequence=value["sequence"] + 3, kind="UPDATE")
    play.bus.produce(topic, [("u", value)], schema=text)
    told = subscriber.wait(
        lambda told: [line for line in told if line["what"] == "gap"] and told, "the gap"
    )
    assert [line["missed"] for line in told if line["what"] == "gap"] == [2]
    subscriber.stop()
    (tmp_path / "again").mkdir()
    again = Subscriber(stack, topic, tmp_path / "again")
    again.wait(lambda told: told and {"what": "caught up", "users": 1} in told, "caught up")
    again.stop()


def test_the_java_program_of_the_document(play, stack, tmp_path):
    if not shutil.which("javac"):
        pytest.skip("there is no javac here, a JDK brings it")
    [source] = blocks("java")
    (tmp_path / "Subscriber.java").write_text(source)
    jars = ":".join([str(tmp_path), f"{servers()}/kafka/*", f"{servers()}/registry/lib/*"])
    subprocess.run(["javac", "-cp", jars, "Subscriber.java"], cwd=tmp_path, check=True, timeout=120)
    out = tmp_path / "subscriber.out"
    environment = {
        **os.environ, "KAFKA": stack.bootstrap, "REGISTRY": stack.registry_url,
        "TOPIC": play.engine.config["subscribers"][0]["topic"],
    }
    with open(out, "wb") as stdout:
        program = subprocess.Popen(["java", "-Xmx128m", "-cp", jars, "Subscriber"], env=environment,
                                   stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.DEVNULL)
    try:
        def told(pattern):
            wait_until(lambda: re.search(pattern, out.read_text(), re.MULTILINE) or program.poll(), 60,
                       lambda: f"{pattern} in {out.read_text()}")
            assert program.poll() is None, out.read_text()

        told("^caught up 0$")
        play.send(consent("u", at(0)), share("u", 0))
        play.drain()
        told('^score u .*"kind": "SHARED"')
        play.send(listing("u", at(1), "LISTED"))
        play.drain()
        told('^score u .*"standing": "LISTED"')
        play.send(share("u", 2, action="WITHDRAWN"))
        play.drain()
        told("^gone u$")
        assert "gap" not in out.read_text()
    finally:
        program.kill()
        program.wait()


def run_kcat(stack, topic, command):
    environment = {
        **os.environ, "KAFKA": stack.bootstrap, "REGISTRY": stack.registry_url, "TOPIC": topic,
    }
    done = subprocess.run(
        ["bash", "-c", command], stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=60, env=environment, check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


KCAT = [block for block in blocks("sh") if block.startswith("kcat ")]


def test_kcat_sees_keys_and_tombstones(play, stack):
    play.send(consent("u", at(0)), share("u", 0), consent("v", at(0)), share("v", 0))
    play.drain()
    play.send(share("v", 1, action="WITHDRAWN"))
    play.drain()
    lines = run_kcat(stack, play.engine.config["subscribers"][0]["topic"], KCAT[0])
    shown = {}
    for line in lines:
        key, size = line.split(" ")
        shown.setdefault(key, []).append(int(size))
    assert len(shown["u"]) == 1 and shown["u"][0] > 5
    assert len(shown["v"]) == 2 and shown["v"][1] == -1


def test_kcat_decodes(play, stack):
    built = subprocess.run(["kcat", "-V"], capture_output=True, text=True, check=False).stdout
    if "Avro" not in built:
        pytest.skip("this kcat is built without Avro (kcat -V)")
    play.send(consent("u", at(0)), share("u", 0))
    play.drain()
    [line] = run_kcat(stack, play.engine.config["subscribers"][0]["topic"], KCAT[1])
    assert json.loads(line)["user_id"] == "u"
