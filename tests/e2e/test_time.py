"""The passage of time on the real parts: what nothing but time does to a score."""

import signal
import time
import uuid

import pytest

from accounts import wait_consumed
from feed import DAY_MS, Feed, check_sequences, millis
from redis_view import redis_delete
from waiting import wait_until

PAST = 1700000000000  # 2023-11-14


def now_ms():
    return time.time_ns() // 1_000_000


def event(topic, user, occurred_at, **fields):
    return topic, {
        "event_id": uuid.uuid4().hex, "user_id": user, "occurred_at": occurred_at, **fields,
    }


def grant(user, occurred_at):
    return event("consents", user, occurred_at, action="GRANTED", purpose="SCORING", subscriber="")


def bill(user, occurred_at, status, bill_id, due_at=None):
    return event("bills", user, occurred_at, status=status, kind="RENT", bill_id=bill_id,
                 amount_minor=100000, currency="CNY", due_at=due_at)


def payment(user, occurred_at):
    return event("payments", user, occurred_at, status="SETTLED", amount_minor=5000,
                 currency="CNY", category="DINING", counterparty="")


def reliable(user, begin):
    """Half a year of bills paid in time, so that one that is not has something to take away."""
    yield grant(user, begin)
    for month in range(6):
        at = begin + month * 30 * DAY_MS
        yield bill(user, at, "ISSUED", f"{user}-{month}", at + 20 * DAY_MS)
        yield bill(user, at + DAY_MS, "PAID", f"{user}-{month}")


class Play:
    def __init__(self, bus, engine):
        self.bus, self.engine = bus, engine
        engine.run("topics", "create")
        engine.run("schemas", "register")
        self.feed = Feed(bus, engine)

    def scores(self, user=None, kind=None):
        records = self.bus.read(self.engine.config["topics"]["scores"])
        check_sequences(records)
        return [r for r in records
                if user in (None, r.key) and kind in (None, r.value["kind"])]

    def wait_for(self, process, user, kind, seconds=60):
        def found():
            assert process.running(), f"sesame ended:\n{process.tail()}"
            return self.scores(user, kind)

        return wait_until(found, seconds, lambda: f"{kind} of {user}: {self.scores(user)}")


@pytest.fixture
def play(bus, engine):
    return Play(bus, engine)


@pytest.fixture
def live(play):
    play.engine.config["clock"] = {"source": "system"}
    return play


def check_overdue(record, due):
    value = record.value
    assert value["cause"] is None and value["standing"] == "SCORED"
    assert millis(value["as_of"]) == millis(value["clock"]) == due
    assert value["score"] < value["previous_score"], value


def test_a_bill_falls_overdue_by_itself_and_paying_it_recovers(live):
    now = now_ms()
    live.feed.send(reliable("ann", now - 200 * DAY_MS))
    process = live.engine.start("run")
    live.wait_for(process, "ann", "OPT_IN")
    due = now_ms() + 3000
    live.feed.send([bill("ann", due - 2000, "ISSUED", "rent", due)])
    [overdue] = live.wait_for(process, "ann", "OVERDUE", seconds=15)
    check_overdue(overdue, due)
    assert due <= overdue.timestamp_ms <= due + 5000
    live.feed.send([bill("ann", due + 1, "PAID", "rent")])

    def recovered():
        last = live.scores("ann")[-1].value
        return last["kind"] == "UPDATE" and last["score"] > overdue.value["score"]

    wait_until(recovered, 30, lambda: f"the bill to count as paid: {live.scores('ann')[-1]}")
    assert len(live.scores("ann", "OVERDUE")) == 1
    assert process.stop() == 0


def test_a_timer_survives_a_kill_and_an_emptied_redis(live, stack):
    """Nothing is sent after the bill; the engine is dead when it falls due."""
    now = now_ms()
    live.feed.send(reliable("ann", now - 200 * DAY_MS))
    process = live.engine.start("run")
    live.wait_for(process, "ann", "OPT_IN")
    due = now_ms() + 4000
    live.feed.send([bill("ann", due - 3000, "ISSUED", "rent", due)])
    sent = len(list(reliable("ann", 0))) + 1
    wait_consumed(live.bus, live.engine, sent, process)
    process.signal(signal.SIGKILL)
    process.wait()
    assert not live.scores("ann", "OVERDUE")
    assert redis_delete(stack, live.engine.config["redis"]["prefix"]) > 0
    wait_until(lambda: now_ms() > due + 500, 20, "the bill to fall due")
    process = live.engine.start("run")
    [overdue] = live.wait_for(process, "ann", "OVERDUE", seconds=90)
    check_overdue(overdue, due)
    # once more, with the bill overdue: it is not told again
    process.signal(signal.SIGKILL)
    process.wait()
    redis_delete(stack, live.engine.config["redis"]["prefix"])
    assert live.engine.drain()["consumed"] == 0
    assert len(live.scores("ann", "OVERDUE")) == 1


def history(users):
    """Two bills each in the past: one paid before it is due, one never by each fifth user; and payments
    that are months ahead of them."""
    events = [grant(user, PAST) for user in users]
    for n, user in enumerate(users):
        events.append(bill(user, PAST + DAY_MS, "ISSUED", f"{user}-a", PAST + 20 * DAY_MS))
        events.append(bill(user, PAST + DAY_MS, "ISSUED", f"{user}-b", PAST + (30 + n) * DAY_MS))
    for user in users:
        events.append(bill(user, PAST + 19 * DAY_MS, "PAID", f"{user}-a"))
    for n, user in enumerate(users):
        if n % 5:
            events.append(bill(user, PAST + 29 * DAY_MS, "PAID", f"{user}-b"))
    events += [payment(user, PAST + (90 + day) * DAY_MS) for day in range(5) for user in users]
    return events


@pytest.mark.parametrize("source", ["events", "system"])
def test_a_backlog_raises_no_false_alarm(play, source):
    play.engine.config["clock"] = {"source": source}
    play.engine.config["batch"] = {"records_max": 20}  # one input far ahead of the others
    users = [f"user-{n}" for n in range(50)]
    sent = play.feed.send(history(users))
    counts = play.engine.drain()
    assert counts["counted"] == sum(sent.values())
    overdue = {r.key: millis(r.value["as_of"]) for r in play.scores(kind="OVERDUE")}
    assert overdue.keys() == set(users[::5])
    assert len(play.scores(kind="OVERDUE")) == len(overdue)
    if source == "events":
        # nobody's as_of was ahead, as it is for those whose payments were read first
        newest = PAST + 94 * DAY_MS
        assert all(millis(r.value["as_of"]) <= newest for r in play.scores())
    else:
        assert play.scores(kind="AGED")
    assert play.engine.drain()["consumed"] == 0  # and it is over
    assert len(play.scores(kind="OVERDUE")) == len(overdue)
