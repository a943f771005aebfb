"""At the default log level no user id or event id is in anything that sesame says on its own: not with bad
input, not when Redis or the registry is away, not when Redis has lost states or holds what nobody wrote, not
in other commands' reports."""

import json
import re
import urllib.parse

import pytest

from accounts import ends_total, wait_consumed
from bad_input import GRANT_MS, Bench, consent, payment
from feed import DAY_MS
from partitioner import murmur2_partition
from proxy import Proxy
from redis_view import redis_delete, redis_users
from waiting import wait_until

# Unlike anything that a log could hold by chance, in every id of a user or an event.
USER, EVENT = "zq7user", "zq7event"
MARKS = re.compile(r"zq7", re.IGNORECASE)


def user(number):
    return f"{USER}-{number:04d}"


def event_id(name):
    return f"{EVENT}-{name}"


def hex_of(text):
    return text.encode().hex()


def assert_silent(text, where):
    """The ids, and what they would look like as hex or JSON escapes."""
    for line in text.splitlines():
        plain = MARKS.search(line) or hex_of("zq7") in line.lower()
        assert not plain, f"{where}: {line}"


def named(topic_and_event, name):
    topic, event = topic_and_event
    return topic, {**event, "event_id": event_id(name)}


@pytest.fixture
def bench(bus, engine, prefix):
    return Bench(bus, engine, prefix)


def good_events(bench, users=60):
    yield from (named(consent(user(n)), f"c{n}") for n in range(users))
    for n in range(users):
        yield "payments", payment(user(n), event_id=event_id(f"p{n}"))
        yield "payments", payment(user(n), event_id=event_id(f"p{n}"))  # a duplicate
    yield "payments", payment(user(9000), event_id=event_id("not-consented"))
    for n in range(5):
        yield "blacklist", {"event_id": event_id(f"l{n}"), "user_id": user(n), "occurred_at": GRANT_MS,
                            "action": "LISTED", "case_id": f"{EVENT}-case", "authority": USER}
        yield "social", {"event_id": event_id(f"s{n}"), "user_id": user(n), "occurred_at": GRANT_MS,
                         "action": "FRIEND_ADDED", "friend_id": user(n + 1)}
    yield named(consent(user(7), GRANT_MS + DAY_MS, "WITHDRAWN"), "w7")


def send_bad(bench):
    """One of each kind of refusal, with the ids wherever they fit; returns how many."""
    sent = 0

    def bad(value, key=user(1), **message):
        nonlocal sent
        bench.produce(value, key, **message)
        sent += 1

    def of(key=user(1), **changes):
        bad(bench.encode(payment(**{"user": key, "event_id": event_id("bad"), **changes})), key)

    good = bench.encode(payment(user(1), event_id=event_id("cut")))
    bad(None)
    bad(b"")
    bad(json.dumps(payment(user(1), event_id=event_id("json"))).encode())
    bad(USER.encode() * 20)
    bad(good, user(2))  # the key is another user
    bad(good, None, partition=1)
    bad(good[:-3])
    bad(good + USER.encode())
    bad(good[:5] + b"\xff" * 40)
    bad(b"\0\x7f\xff\xff\xf0" + good[5:])  # no such schema
    bad(bench.encode(payment("zq7user\x01", event_id=event_id("control"))), "zq7user\x01")
    bad(good, USER * 300)
    bad(bench.encode(payment(user(3), event_id=event_id("misrouted"))), user(3),
        partition=wrong_partition(bench, user(3)))
    bad(bench.encode(payment(user(1), event_id=event_id("large"), counterparty=USER * 300000)))
    of(USER + "u" * 80)
    of(occurred_at=0)
    of(occurred_at=2**63 - 1)
    of(amount_minor=-1)
    of(currency="XTS")
    of(event_id=f"{EVENT}\nline")
    of(event_id=EVENT * 100)
    return sent


def wrong_partition(bench, key):
    return (murmur2_partition(key, 4) + 1) % 4


def test_good_and_bad_input_and_parts_that_come_and_go(bench, bus, engine, stack):
    registry = urllib.parse.urlsplit(stack.registry_url)
    redis = urllib.parse.urlsplit(stack.redis_url)
    keys = engine.config["redis"]["prefix"]
    proxies = Proxy(registry.hostname, registry.port), Proxy(redis.hostname, redis.port)
    to_registry, to_redis = proxies
    changes = {
        "registry": {"url": registry._replace(netloc=f"127.0.0.1:{to_registry.port}").geturl(),
                     "timeout_ms": 1000},
        "redis": {"url": f"redis://127.0.0.1:{to_redis.port}", "timeout_ms": 1000},
    }
    try:
        process = engine.start("run", changes=changes)
        bench.feed.send(good_events(bench))
        refused = send_bad(bench)
        process.wait_log("partition 3: ready")
        wait_consumed(bus, engine, ends_total(bus, engine), process)
        assert len(bench.letters()) == refused

        to_redis.cut()
        bench.feed.send([("payments", payment(user(n), event_id=event_id(f"cut{n}")))
                         for n in range(60)])
        process.wait_log(r"(?i)redis.*trying again|trying again.*redis|WARN.*redis")
        to_redis.mend()
        wait_consumed(bus, engine, ends_total(bus, engine), process)

        # States gone behind its back.
        redis_delete(stack, keys)
        bench.feed.send([("payments", payment(user(n), event_id=event_id(f"gone{n}")))
                         for n in range(60)])
        wait_consumed(bus, engine, ends_total(bus, engine), process)
        process.wait_log("restoring it from the changelog")
        to_registry.cut()
        profile = {"event_id": event_id("profile"), "user_id": user(1), "occurred_at": GRANT_MS,
                   "action": "ACCOUNT_OPENED"}
        bench.feed.send([("profiles", profile)])
        process.wait_log(r"(?i)registry.*trying again")
        to_registry.mend()
        wait_consumed(bus, engine, ends_total(bus, engine), process)

        # A killed one's successor finds a state that nobody wrote.
        wait_until(lambda: user(20) in redis_users(stack, keys), 30, "the user in Redis")
        process.kill()
        assert spoil(stack, engine, user(20)) == 1
        successor = engine.start("run", changes=changes)
        bench.feed.send([("payments", payment(user(20), event_id=event_id("spoilt")))])
        wait_consumed(bus, engine, ends_total(bus, engine), successor)
        successor.wait_log("neither packed nor sealed")
        assert successor.stop() == 0, successor.tail()
    finally:
        for proxy in proxies:
            proxy.close()
    for each in (process, successor):
        assert_silent(each.log(), "log")
        assert_silent(each.out(), "output")


SPOIL = """
local done = 0
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
  if redis.call('TYPE', key).ok == 'hash' and redis.call('HEXISTS', key, ARGV[2]) == 1 then
    redis.call('HSET', key, ARGV[2], ARGV[2]) done = done + 1
  end
end
return done"""


def spoil(stack, engine, name):
    """Puts the user's own id where its state should be."""
    prefix = engine.config["redis"]["prefix"]
    return int(stack.redis("EVAL", SPOIL, 0, f"{prefix}:*", name))


def test_other_commands_errors(bench, bus, engine, stack, tmp_path):
    bench.feed.send(good_events(bench, 10))
    send_bad(bench)
    done = engine.run("run", "--until-caught-up")
    assert_silent(done.stdout + done.stderr, "run --until-caught-up")
    # What is in Redis and not in the changelog is a difference, told without the id.
    assert spoil(stack, engine, user(5))
    done = engine.run("verify-state", check=False)
    assert done.returncode != 0 and "differing" in done.stdout
    assert_silent(done.stdout + done.stderr, "verify-state")
    # It can fail: asked to, it shows them.
    done = engine.run("verify-state", "--show-users", check=False)
    with pytest.raises(AssertionError):
        assert_silent(done.stdout + done.stderr, "verify-state --show-users")
