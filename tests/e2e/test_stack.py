"""The stack itself, with no sesame in it: proves that the harness measures what it says."""

import json

import pytest

from bus import schema_text
from kcat import kcat, kcat_reads_avro
from partitioner import murmur2_partition
from waiting import wait_until

POINT = json.dumps(
    {
        "type": "record",
        "name": "Point",
        "fields": [{"name": "x", "type": "long"}, {"name": "name", "type": "string"}],
    }
)


def test_an_aborted_transaction_is_not_read(stack, bus, prefix):
    topic = prefix + "points"
    bus.create_topics([topic], partitions=2)
    producer = bus.producer(transactional_id=prefix + "writer")
    producer.init_transactions(30)

    producer.begin_transaction()
    bus.produce(topic, [("a", {"x": 1, "name": "lost"})], POINT, producer)
    producer.flush(30)
    producer.abort_transaction(30)
    producer.begin_transaction()
    bus.produce(topic, [(f"k{i}", {"x": i, "name": "kept"}) for i in range(100)], POINT, producer)
    producer.commit_transaction(30)

    kept = bus.read(topic)
    assert sorted(record.value["x"] for record in kept) == list(range(100))
    assert {record.partition for record in kept} == {0, 1}
    assert len(bus.read(topic, isolation="read_uncommitted")) == 101

    committed = ("-C", "-t", topic, "-e", "-q", "-X", "isolation.level=read_committed")
    keys = kcat(stack, *committed, "-f", "%k\n").splitlines()
    assert sorted(keys) == sorted(f"k{i}" for i in range(100))
    if kcat_reads_avro():
        shown = kcat(stack, *committed, "-s", "value=avro", "-r", stack.registry_url, "-f", "%s\n")
        assert sorted(json.loads(line)["x"] for line in shown.splitlines()) == list(range(100))


def test_kcat_puts_a_key_where_kafka_does(stack, bus, prefix, tmp_path):
    topic = prefix + "keys"
    bus.create_topics([topic], partitions=8)
    keys = [f"user-{i}" for i in range(50)]
    lines = tmp_path / "lines"
    lines.write_text("".join(f"{key}:x\n" for key in keys))
    kcat(stack, "-P", "-t", topic, "-K:", "-X", "partitioner=murmur2_random", "-l", str(lines))
    bus.produce(topic, [(key, b"x") for key in keys])
    places = {}
    for record in bus.read(topic, decode=False):
        places.setdefault(record.key, []).append(record.partition)
    assert set(places) == set(keys)
    assert all(len(p) == 2 and p[0] == p[1] == murmur2_partition(k, 8) for k, p in places.items())


def test_the_registry_refuses_what_readers_could_not_read(bus, prefix):
    topic = prefix + "points"
    first = bus.register(topic, POINT, "BACKWARD")
    assert bus.register(topic, POINT) == first
    schema = json.loads(POINT)
    schema["fields"].append({"name": "y", "type": "long", "default": 0})
    assert bus.register(topic, json.dumps(schema)) != first
    del schema["fields"][2]["default"]
    schema["fields"][2]["name"] = "z"
    with pytest.raises(Exception, match="(?i)incompatible|409"):
        bus.register(topic, json.dumps(schema))


def test_a_record_of_10_mb_passes(bus, prefix):
    topic = prefix + "large"
    bus.create_topics([topic], partitions=1)
    bus.produce(topic, [("k", b"x" * 10_000_000)])
    [record] = bus.read(topic, decode=False)
    assert len(record.value) == 10_000_000


def test_topics_are_not_made_by_accident(bus, prefix):
    bus.admin.list_topics(prefix + "nobody", timeout=30)
    assert prefix + "nobody" not in bus.topics()


def test_redis_keeps_what_it_is_given(stack):
    assert stack.redis("PING") == "PONG"
    assert stack.redis("CONFIG", "GET", "maxmemory-policy").split() == [
        "maxmemory-policy", "noeviction",
    ]


def test_parts_come_back_on_their_ports(stack, bus, prefix):
    topic = prefix + "kept"
    bus.create_topics([topic], partitions=1)
    bus.register(topic, POINT)
    bus.produce(topic, [("k", {"x": 7, "name": "n"})], POINT)
    stack.redis("SET", prefix + "gone", "1")
    before = (stack.bootstrap, stack.registry_url, stack.redis_url)
    try:
        stack.kill("kafka", "redis")
        stack.down("registry")
        assert not stack.running("kafka") and not stack.running("redis")
    finally:
        stack.up()
    assert (stack.bootstrap, stack.registry_url, stack.redis_url) == before
    assert stack.redis("EXISTS", prefix + "gone") == "0"
    wait_until(lambda: topic in bus.topics(), 30, f"{topic} in the topics")
    [record] = bus.read(topic)
    assert record.value == {"x": 7, "name": "n"}


@pytest.mark.parametrize("name", ["payments", "bills", "consents", "scores"])
def test_the_registry_takes_our_schemas(bus, prefix, name):
    assert bus.register(prefix + name, schema_text(name), "BACKWARD") > 0
