"""Bad input of every kind: each record has its outcome, the engine goes on, and the counts add up."""

import copy
import hashlib
import io
import json
import struct
import time
import urllib.parse

import fastavro
import pytest

from accounts import ends_total, wait_consumed
from bad_input import GRANT_MS, Bench, consent, payment
from bus import schema_text
from feed import DAY_MS
from partitioner import murmur2_partition
from proxy import Proxy

PARTITIONS = 4
UNUSED_ID = 0x7FFFFFF0


def wire(schema_id, schema, value):
    out = io.BytesIO()
    out.write(struct.pack(">bI", 0, schema_id))
    fastavro.schemaless_writer(out, fastavro.parse_schema(schema), value)
    return out.getvalue()


@pytest.fixture
def bench(bus, engine, prefix):
    return Bench(bus, engine, prefix)


def bad_records(bench):
    """name -> (reason, value, key, topic)"""
    good = bench.encode(payment())
    header, user = good[:5], "good"
    other = bench.register("point", {
        "type": "record", "name": "Point", "fields": [{"name": "x", "type": "long"}],
    })
    status = json.loads(schema_text("payments"))
    fields = {field["name"]: field for field in status["fields"]}
    fields["status"]["type"]["symbols"].append("DISPUTED")
    disputed = bench.register("disputed", status)
    now = int(time.time() * 1000)
    strange, long_id = "\x01", "u" * 65  # the first would be the changelog's mark
    no_text = good.replace(b"good", b"goo\xff")

    def of(reason, key=user, **changes):
        return reason, bench.encode(payment(**{"user": key, **changes})), key, "payments"

    def raw(reason, value, key=user):
        return reason, value, key, "payments"

    bill = {
        "event_id": "b", "user_id": user, "occurred_at": GRANT_MS, "status": "ISSUED",
        "bill_id": "b", "amount_minor": 1, "currency": "CNY",
    }
    return {
        "null value": raw("NO_VALUE", None),
        "empty value": raw("BAD_WIRE_FORMAT", b""),
        "four bytes": raw("BAD_WIRE_FORMAT", b"\0\0\0\0"),
        "wrong magic": raw("BAD_WIRE_FORMAT", b"\1" + good[1:]),
        "plain JSON": raw("BAD_WIRE_FORMAT", json.dumps(payment()).encode()),
        "no key": raw("NO_KEY", good, None),
        "empty key": raw("NO_KEY", good, ""),
        "key mismatch": raw("KEY_MISMATCH", good, "somebody-else"),
        "unknown schema id": raw("BAD_SCHEMA", struct.pack(">bI", 0, UNUSED_ID) + good[5:]),
        "schema id zero": raw("BAD_SCHEMA", bytes(5) + good[5:]),
        "another record's schema": raw("BAD_SCHEMA", struct.pack(">bI", 0, other) + b"\2"),
        "nothing behind the header": raw("UNREADABLE", header),
        "truncated": raw("UNREADABLE", good[:-3]),
        "bytes left over": raw("UNREADABLE", good + b"x"),
        "negative length": raw("UNREADABLE", header + b"\x01" + good[6:]),
        "length beyond everything": raw("UNREADABLE", header + b"\xfe" * 9 + b"\x01" + good[6:]),
        "endless varint": raw("UNREADABLE", header + b"\xff" * 40),
        "unknown status symbol": raw(
            "UNREADABLE", wire(disputed, status, payment(status="DISPUTED"))),
        "before the year 2000": of("BAD_TIME", occurred_at=0),
        "negative time": of("BAD_TIME", occurred_at=-(2**62)),
        "the end of time": of("BAD_TIME", occurred_at=2**63 - 1),
        "two days ahead": of("BAD_TIME", occurred_at=now + 2 * DAY_MS),
        "negative amount": of("BAD_AMOUNT", amount_minor=-1),
        "absurd amount": of("BAD_AMOUNT", amount_minor=2**62),
        "unknown currency": of("UNKNOWN_CURRENCY", currency="XTS"),
        "no event id": of("BAD_EVENT_ID", event_id=""),
        "line break in the event id": of("BAD_EVENT_ID", event_id="a\nb"),
        "control character as user id": of("BAD_USER_ID", key=strange),
        "user id that is no UTF-8": raw("BAD_USER_ID", no_text, b"goo\xff"),
        "key of two thousand bytes": raw("BAD_USER_ID", good, "k" * 2000),
        "user id too long": of("BAD_USER_ID", key=long_id),
        "bill without a due date": (
            "BAD_FIELD", bench.encode({**bill, "due_at": None}, "bills"), user, "bills"),
        "bill due in 3000": (
            "BAD_TIME", bench.encode({**bill, "due_at": 32503680000000}, "bills"), user, "bills"),
        "listing without a case": (
            "BAD_FIELD",
            bench.encode({"event_id": "l", "user_id": user, "occurred_at": GRANT_MS,
                          "action": "LISTED", "case_id": ""}, "blacklist"), user, "blacklist"),
    }


def key_bytes(record):
    return None if record.key is None else record.key.encode("utf-8", "surrogateescape")


def test_every_bad_record_becomes_a_dead_letter_as_it_came(bench):
    expected = {}  # (topic, partition, offset) -> name, reason, value, key
    topics = bench.engine.config["topics"]
    good = 0
    for name, (reason, value, key, topic) in bad_records(bench).items():
        headers = {"headers": [("trace", name.encode()), ("empty", b""), ("null", None)]}
        where = {"partition": 2} if key is None else {}
        place = bench.produce(value, key, topic, **headers, **where)
        expected[(topics[topic], *place)] = name, reason, value, key
        good += 1  # one that counts behind each
        bench.produce(bench.encode(payment(event_id=f"good-{good}")))
    wrong = (murmur2_partition("good", PARTITIONS) + 1) % PARTITIONS
    value = bench.encode(payment(event_id="elsewhere"))
    place = bench.produce(value, partition=wrong, headers=[("trace", b"misrouted")])
    expected[(topics["payments"], *place)] = "misrouted", "MISROUTED", value, "good"

    counts = bench.engine.drain()
    assert counts["dead_lettered"] == len(expected) and counts["counted"] == good + 1, counts
    letters = bench.letters()
    assert len(letters) == len(expected)
    found = {}
    for letter in letters:
        from_ = {k: v.decode() for k, v in letter.headers.items() if k.startswith("sesame.")}
        place = from_["sesame.topic"], int(from_["sesame.partition"]), int(from_["sesame.offset"])
        name, reason, value, key = expected[place]
        found[place] = name
        assert from_["sesame.reason"] == reason, (name, from_)
        as_bytes = key.encode() if isinstance(key, str) else key
        assert letter.value == value and key_bytes(letter) == as_bytes, name
        assert letter.partition == place[1]
        assert letter.headers["trace"].decode() == name
        if name != "misrouted":
            assert letter.headers["empty"] == b"" and letter.headers["null"] is None
        assert from_["sesame.detail"] and from_["sesame.version"], from_
        assert abs(int(from_["sesame.timestamp"]) - time.time() * 1000) < 600000
        assert "sesame.sha256" not in from_
    assert len(found) == len(expected)  # each one once
    assert bench.check() == {**counts, "consumed": ends_total(bench.bus, bench.engine)}
    again = bench.engine.drain()
    assert again["consumed"] == 0 and len(bench.letters()) == len(expected)


def test_writers_of_other_versions_are_read(bench):
    schema = json.loads(schema_text("payments"))
    newer = copy.deepcopy(schema)
    newer["fields"].insert(2, {"name": "channel", "type": ["null", "string"], "default": None})
    newer["fields"].append({"name": "tags", "type": {"type": "map", "values": "long"}, "default": {}})
    symbols = copy.deepcopy(schema)
    fields = {field["name"]: field for field in symbols["fields"]}
    fields["category"]["type"]["symbols"].insert(1, "SPACE_TRAVEL")
    fields["status"]["type"]["symbols"].append("DISPUTED")
    older = copy.deepcopy(schema)
    older["fields"] = [f for f in older["fields"] if f["name"] not in ("category", "counterparty")]

    def send(name, version, event):
        bench.produce(wire(bench.register(name, version), version, event))

    send("newer", newer, payment(event_id="newer", category="OTHER", channel="app",
                                  tags={"a": 1, "b": 2}))
    send("symbols", symbols, payment(event_id="unknown-category", category="SPACE_TRAVEL"))
    send("symbols", symbols, payment(event_id="known-category", category="OTHER"))
    send("older", older, payment(event_id="older"))
    counts = bench.engine.drain()
    assert (counts["counted"], counts["dead_lettered"]) == (5, 0), [
        letter.headers for letter in bench.letters()
    ]
    # what was not known was read as OTHER: all four count as one category
    scores = bench.bus.read(bench.engine.config["topics"]["scores"])
    value = scores[-1].value
    bench.check()
    bench.feed.send([consent("twin")])
    for number in range(4):
        event = payment("twin", event_id=f"t{number}", category="OTHER")
        bench.produce(bench.encode(event), "twin")
    bench.engine.drain()
    twin = bench.bus.read(bench.engine.config["topics"]["scores"])
    twin = [record.value for record in twin if record.key == "twin"][-1]
    assert (twin["score"], twin["factors"]) == (value["score"], value["factors"])


def test_ten_megabytes(bench):
    large = bench.encode(payment(event_id="large", counterparty="x" * 10_000_000))
    bench.produce(large)
    bench.produce(bench.encode(payment(event_id="behind")))
    counts = bench.engine.drain()
    assert (counts["counted"], counts["dead_lettered"]) == (2, 1)
    [letter] = bench.letters()
    assert letter.headers["sesame.reason"] == b"TOO_LARGE" and letter.value == large
    bench.check()


def test_larger_than_a_dead_letter_may_be(bench):
    """Recorded by coordinates and hash: with those it can be found in its input."""
    large = bench.encode(payment(event_id="large", counterparty="x" * 2_000_000))
    place = bench.produce(large, headers=[("trace", b"t")])
    counts = bench.engine.drain(changes={"dead_letters": {"value_bytes_max": 65536}})
    assert counts["dead_lettered"] == 1
    [letter] = bench.letters()
    headers = {name: value.decode() for name, value in letter.headers.items()}
    assert letter.value == b"" and letter.key == "good" and headers["sesame.reason"] == "TOO_LARGE"
    assert headers["sesame.size"] == str(len(large))
    assert headers["sesame.sha256"] == hashlib.sha256(large).hexdigest()
    assert (int(headers["sesame.partition"]), int(headers["sesame.offset"])) == place
    bench.check()


def test_many_headers_and_large_ones(bench):
    many = [(f"h{number}", bytes([number])) for number in range(100)]
    bench.produce(b"many", headers=many)
    bench.produce(b"large", headers=[("large", b"x" * 40_000)])
    bench.produce(b"too many", headers=many * 10)
    bench.produce(b"too large", headers=[("large", b"x" * 900_000)])
    assert bench.engine.drain()["dead_lettered"] == 4
    letters = bench.letters()
    kept = [{k: v for k, v in each.headers.items() if k[:7] != "sesame."} for each in letters]
    assert kept == [dict(many), {"large": b"x" * 40_000}, {}, {}]
    assert [each.value for each in letters] == [b"many", b"large", b"", b""]
    for letter, value in zip(letters[2:], (b"too many", b"too large")):
        assert letter.headers["sesame.sha256"].decode() == hashlib.sha256(value).hexdigest()
    bench.check()


def test_registry_away(bench, stack):
    at = urllib.parse.urlsplit(stack.registry_url)
    proxy = Proxy(at.hostname, at.port)
    try:
        url = at._replace(netloc=f"127.0.0.1:{proxy.port}").geturl()
        process = bench.engine.start("run", changes={"registry": {"url": url, "timeout_ms": 1000}})
        bench.feed.send([
            ("blacklist", {"event_id": "l0", "user_id": "x", "occurred_at": GRANT_MS,
                           "action": "LISTED", "case_id": "c", "authority": ""}),
        ])
        known = ends_total(bench.bus, bench.engine)
        wait_consumed(bench.bus, bench.engine, known, process)

        proxy.cut()
        for number in range(20):  # payments' schema has not been seen yet
            bench.produce(bench.encode(payment(event_id=f"p{number}")))
        process.wait_log(r"(?i)registry.*trying again")
        # what is known goes on meanwhile: a listed user drops at once
        bench.feed.send([
            ("blacklist", {"event_id": "l1", "user_id": "good", "occurred_at": GRANT_MS + 1,
                           "action": "LISTED", "case_id": "c", "authority": ""}),
        ])
        wait_consumed(bench.bus, bench.engine, known + 1, process)
        assert process.running() and not bench.letters()

        proxy.mend()
        wait_consumed(bench.bus, bench.engine, known + 21, process)
        assert process.stop() == 0, process.tail()
    finally:
        proxy.close()
    sums = bench.check()
    assert sums["counted"] == sums["consumed"] == known + 21
