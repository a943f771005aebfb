"""What an orchestrator sees of a process: /live and /ready, and the log lines that go with them."""

import json
import re
import urllib.error
import urllib.request

import pytest

from accounts import ends_total, wait_consumed
from engine import merge
from feed import Feed
from history import History
from redis_view import redis_delete
from stack import free_port
from waiting import wait_until

LISTEN = {"serve": {"listen": "http://127.0.0.1:0"}}
# A slow restore: what Kafka sends for one partition at a time is one transaction's batch.
CRUMBS = {
    "topics": {"partitions": 1},
    "batch": {"records_max": 200},
    "kafka_consumer": {"max.partition.fetch.bytes": 1000},
}


@pytest.fixture
def feed(bus, engine):
    engine.config["redis"]["buckets"] = 64
    engine.config = merge(engine.config, LISTEN)
    return Feed(bus, engine)


def prepare(engine, changes=None):
    engine.run("topics", "create", changes=changes)
    engine.run("schemas", "register", changes=changes)


def port_of(process):
    return int(process.wait_log(r"serve: http://127\.0\.0\.1:\d+: port (\d+) answers").group(1))


def get(port, path, method="GET"):
    """The code and the JSON of an answer."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=10) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def wait_code(process, path, code, seconds=60):
    """Waits until `path` answers with that code; returns the body."""
    port, seen = port_of(process), []

    def answered():
        assert process.running(), f"sesame ended:\n{process.tail()}"
        seen[:] = [get(port, path)]
        return seen[0][1] if seen[0][0] == code else None

    return wait_until(answered, seconds, lambda: f"{path} answers {code}: {seen}\n{process.tail()}")


def test_starts_becomes_ready_and_leaves(engine, feed):
    prepare(engine)
    history = History(300, seed=21)
    feed.send(history.consents())
    process = engine.start("run", changes={"workers": 2})
    code, first = get(port_of(process), "/ready")
    assert (code, first["ready"]) == (503, False), first  # it cannot be in the group that soon
    assert first["workers"]["count"] == 2 and first["partitions"]["assigned"] == 0, first
    assert get(port_of(process), "/live")[0] == 200
    body = wait_code(process, "/ready", 200)
    assert body["ready"] and body["reason"] == "" and body["restore_percent"] is None, body
    assert body["workers"] == {"count": 2, "joined": 2}, body
    assert body["partitions"]["assigned"] == body["partitions"]["ready"] == 4, body
    assert body["rebalances"] >= 2, body
    process.wait_log(r"INFO serve: ready: 4 partitions, \d+\.\d s after start")
    code, live = get(port_of(process), "/live")
    assert code == 200 and [one["stuck"] for one in live["workers"]] == [False, False], live

    def caught_up():
        return get(port_of(process), "/ready")[1]["partitions"]["caught_up"] == 4

    wait_until(caught_up, 30, "everything is caught up")
    assert get(port_of(process), "/elsewhere")[0] == 404
    assert set(get(port_of(process), "/")[1]["paths"]) == {"/live", "/ready"}
    assert get(port_of(process), "/ready", method="POST")[0] == 405
    assert process.stop() == 0, process.tail()
    assert "no longer ready: stopping" in process.log()


def test_not_ready_while_a_wiped_redis_is_rebuilt(bus, engine, stack, feed):
    prepare(engine, CRUMBS)
    history = History(20000, seed=22)
    feed.send(history.consents())
    process = engine.start("run", changes=CRUMBS)
    wait_consumed(bus, engine, ends_total(bus, engine), process)
    wait_code(process, "/ready", 200)
    port, bodies = port_of(process), []
    assert redis_delete(stack, engine.config["redis"]["prefix"]) > 0
    wait_code(process, "/ready", 503)

    def rebuilt():
        code, body = get(port, "/ready")
        bodies.append(body)
        assert get(port, "/live")[0] == 200  # and nobody restarts it for that
        return code == 200

    wait_until(rebuilt, 90, lambda: f"ready again: {bodies[-1]}\n{process.tail()}")
    restoring = [body for body in bodies if body["partitions"]["restoring"]]
    percents = [body["restore_percent"] for body in restoring]
    assert percents == sorted(percents) and 0 <= percents[0] <= percents[-1] <= 100, percents
    between = {percent for percent in percents if 0 < percent < 100}
    assert len(between) >= 3, percents
    assert all(not body["ready"] for body in restoring)
    assert restoring[0]["reason"] == "1 of 1 partitions are not restored yet", restoring[0]
    assert bodies[-1]["restore_percent"] is None and bodies[-1]["partitions"]["restoring"] == 0
    assert bodies[-1]["records_restored"] > 19000, bodies[-1]
    process.wait_log(r"INFO serve: no longer ready: 1 of 1 partitions are not restored yet")
    process.wait_log(r"INFO serve: ready again: 1 partitions, after \d+\.\d s")
    assert process.stop() == 0, process.tail()


def test_a_worker_that_stands_still_is_told(bus, engine, stack, feed):
    prepare(engine)
    history = History(200, seed=23)
    feed.send(history.consents())
    patient = {"serve": {"stuck_ms": 1000}, "redis": {"timeout_ms": 60000}}
    process = engine.start("run", changes=patient)
    wait_consumed(bus, engine, ends_total(bus, engine), process)
    wait_code(process, "/ready", 200)
    assert get(port_of(process), "/live")[0] == 200
    stack.pause("redis")
    try:
        feed.send(history.events(100))
        body = wait_code(process, "/live", 503)
    finally:
        stack.resume("redis")
    assert re.fullmatch(r"worker 0 has not finished a turn for \d+ s", body["reason"]), body
    assert body["workers"][0]["stuck"] and body["workers"][0]["since_last_turn_ms"] > 1000, body
    wait_code(process, "/live", 200)
    wait_code(process, "/ready", 200)
    wait_consumed(bus, engine, ends_total(bus, engine), process)
    assert process.stop() == 0, process.tail()


def test_lives_while_the_registry_is_away(engine, feed):
    prepare(engine)
    away = {"registry": {"url": f"http://127.0.0.1:{free_port()}"}}
    process = engine.start("run", changes=away)
    process.wait_log(r"trying again")
    code, body = get(port_of(process), "/ready")
    assert (code, body["reason"]) == (503, "starting"), body
    assert get(port_of(process), "/live")[0] == 200
    assert process.stop() == 0, process.tail()


def test_more_workers_than_partitions_are_ready(engine, feed):
    prepare(engine)
    busy = engine.start("run", changes={"workers": 5})
    body = wait_code(busy, "/ready", 200)
    assert body["workers"] == {"count": 5, "joined": 5} and body["partitions"]["assigned"] == 4
    # The group has no use for these yet, since the range assignor goes by name, and says so.
    spare = engine.start("run", changes={"workers": 2, "instance": "two"})
    body = wait_code(spare, "/ready", 200)
    assert body["partitions"]["assigned"] == 0 and body["workers"]["joined"] == 2, body
    spare.wait_log(r"INFO serve: ready: 0 partitions")
    # Now it has.
    assert busy.stop() == 0, busy.tail()

    def taken_over():
        code, now = get(port_of(spare), "/ready")
        return code == 200 and now["partitions"]["assigned"] == 4

    wait_until(taken_over, 60, lambda: f"the spare takes over:\n{spare.tail()}")
    assert spare.stop() == 0, spare.tail()


def test_says_which_address_is_taken(engine, feed):
    prepare(engine)
    first = engine.start("run")
    taken = f"http://127.0.0.1:{port_of(first)}"
    done = engine.run("run", changes={"instance": "two", "serve": {"listen": taken}}, check=False)
    assert done.returncode == 1
    assert f"serve.listen: cannot bind {taken}: Address already in use" in done.stderr, done.stderr
    assert first.running() and first.stop() == 0, first.tail()
