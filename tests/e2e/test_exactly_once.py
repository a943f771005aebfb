"""Exactly once in its plain form: through kills, restarts, rebalances and a lost Redis the outcome is
that of an undisturbed run."""

import re
import signal

from accounts import assigned, check_same, committed_total, ends_total, wait_consumed
from engine import Accounted
from history import History
from redis_view import redis_delete, redis_users
from waiting import wait_until

SLOW = {"batch": {"records_max": 400}}  # many transactions, so that a kill meets one under way


def restored(text):
    """How many changelog records a run says that it has read."""
    found = re.search(r"^restored: (\d+) changelog records$", text, re.MULTILINE)
    return int(found.group(1)) if found else 0


def test_killed_again_and_again(bus, engine, feed, prefix):
    history = History(2000, seed=11)
    feed.send(history.consents())
    feed.send(history.events(25000))
    total = ends_total(bus, engine)
    at_kill = []
    for share in (0.02, 0.2, 0.4, 0.6, 0.75):
        process = engine.start("run", changes=SLOW)
        wait_consumed(bus, engine, int(total * share), process)
        process.kill()
        at_kill.append(committed_total(bus, engine.config["group"]))
    assert at_kill == sorted(set(at_kill)) and at_kill[-1] < total, (at_kill, total)
    rest = engine.drain(changes=SLOW)
    assert 0 < rest["consumed"] <= total - at_kill[-1]
    sums = check_same(bus, engine, prefix)
    assert sums["duplicate"] > 150 and sums["not_consented"] > 1000 and sums["dead_lettered"] == 0

    # and a second run changes nothing
    topics = [engine.config["topics"][name] for name in ("scores", "entitlements", "dead_letters")]
    before = [bus.ends(topic) for topic in topics]
    again = engine.run("run", "--until-caught-up")
    assert Accounted.of(again.stdout)["consumed"] == 0
    assert restored(again.stdout) <= 4  # Redis was up to date: only each partition's mark is read
    assert [bus.ends(topic) for topic in topics] == before


def test_asked_to_leave_under_load(bus, engine, feed, prefix):
    history = History(1000, seed=12)
    feed.send(history.consents())
    feed.send(history.events(12000))
    total = ends_total(bus, engine)
    consumed = 0
    for share in (0.2, 0.6):
        process = engine.start("run", changes=SLOW)
        wait_consumed(bus, engine, int(total * share), process)
        assert process.stop() == 0, process.tail()
        counts = Accounted.of(process.out())
        assert counts.adds_up()
        consumed += counts["consumed"]
        assert consumed == committed_total(bus, engine.config["group"]) < total
    consumed += engine.drain()["consumed"]
    assert consumed == total
    check_same(bus, engine, prefix)


def test_redis_may_forget(bus, engine, stack, feed, prefix):
    keys = engine.config["redis"]["prefix"]
    history = History(1000, seed=13)
    feed.send(history.consents())
    feed.send(history.events(5000))
    engine.drain()
    assert redis_delete(stack, keys) > 0  # between two runs
    feed.send(history.events(3000))
    done = engine.run("run", "--until-caught-up")
    assert Accounted.of(done.stdout)["consumed"] >= 3000
    assert restored(done.stdout) > 900, done.stdout  # from the beginning, everybody's

    process = engine.start("run", changes=SLOW)  # while it runs
    for _ in range(3):
        feed.send(history.events(2000))
        wait_consumed(bus, engine, ends_total(bus, engine) - 1500, process)
        assert redis_delete(stack, keys) > 0
    feed.send(history.events(1000))
    wait_consumed(bus, engine, ends_total(bus, engine), process)
    assert process.stop() == 0, process.tail()
    assert "restoring" in process.log()
    check_same(bus, engine, prefix)
    engine.drain()  # the restart finds and mends what was lost last
    changelog = bus.read(engine.config["topics"]["state"], decode=False)
    last = {record.key: record.value for record in changelog if record.key != "\x01"}
    assert redis_users(stack, keys) == {user for user, value in last.items() if value is not None}


def test_two_processes_share_the_partitions(bus, engine, feed, prefix):
    group = engine.config["group"]
    both = []
    for instance in ("one", "two"):
        changes = {"instance": instance, "workers": 2, **SLOW}
        both.append(engine.start("run", changes=changes))

    def shared():
        assert all(process.running() for process in both), "\n".join(p.tail() for p in both)
        found = assigned(bus, group)
        owned = sorted(partition for each in found.values() for partition in each)
        return found if len(found) == 4 and owned == [0, 1, 2, 3] else None

    found = wait_until(shared, 60, lambda: f"four members share four partitions: {assigned(bus, group)}")
    assert set(found) == {f"{group}-{name}-{w}" for name in ("one", "two") for w in (0, 1)}
    history = History(1000, seed=14)
    feed.send(history.consents())
    wait_consumed(bus, engine, ends_total(bus, engine))
    feed.send(history.events(12000))
    total = ends_total(bus, engine)
    wait_consumed(bus, engine, total // 4)

    # one leaves under load, the other takes over what it had; then it comes back
    assert both[0].stop() == 0, both[0].tail()
    wait_consumed(bus, engine, total, both[1])
    feed.send(history.events(5000))
    back = engine.start("run", changes={"instance": "one", "workers": 2})
    total = ends_total(bus, engine)
    wait_consumed(bus, engine, total, both[1])
    assert both[1].stop() == 0 and back.stop() == 0, both[1].tail() + back.tail()
    counts = [Accounted.of(process.out()) for process in (*both, back)]
    assert all(each.adds_up() for each in counts)
    assert sum(each["consumed"] for each in counts) == total
    assert counts[0]["consumed"] > 0 and counts[1]["consumed"] > 0
    check_same(bus, engine, prefix)


def test_a_twin_is_told_apart(bus, engine, feed, prefix):
    """They take the name from each other until the older one gives up; events flow meanwhile."""
    history = History(200, seed=15)
    feed.send(history.consents())
    older = engine.start("run", changes=SLOW)
    wait_consumed(bus, engine, ends_total(bus, engine), older)
    feed.send(history.events(2000))
    newer = engine.start("run", changes=SLOW)  # the same group and instance
    assert older.wait(90) == 1
    last = older.log().splitlines()[-1]
    assert last.startswith("sesame: another process runs as instance"), older.tail()
    assert "fenced" in last, last  # the cause, in librdkafka's words
    feed.send(history.events(1000))
    total = ends_total(bus, engine)
    wait_consumed(bus, engine, total, newer)
    assert newer.stop() == 0, newer.tail()
    assert Accounted.of(older.out())["consumed"] + Accounted.of(newer.out())["consumed"] == total
    check_same(bus, engine, prefix)


def test_a_process_that_stood_still_harms_nobody(bus, engine, feed, prefix):
    """SIGSTOP for longer than the session: its partitions move on, and it wakes up as a stale worker."""
    history = History(500, seed=16)
    feed.send(history.consents())
    feed.send(history.events(12000))
    total = ends_total(bus, engine)
    changes = {"instance": "two", **SLOW}
    stopped = engine.start("run", changes=SLOW)
    wait_consumed(bus, engine, total // 5, stopped)
    stopped.signal(signal.SIGSTOP)
    try:
        other = engine.start("run", changes=changes)
        wait_consumed(bus, engine, total, other, seconds=90)
    finally:
        stopped.signal(signal.SIGCONT)
    feed.send(history.events(2000))
    total = ends_total(bus, engine)
    wait_consumed(bus, engine, total, other)
    assert other.stop() == 0, other.tail()
    stopped.stop()
    assert Accounted.of(stopped.out()).adds_up()
    check_same(bus, engine, prefix)
