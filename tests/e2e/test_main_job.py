"""The main job on a small history written by hand: what each event leads to, record by record."""

import collections
import uuid

import pytest

from bus import INPUTS
from feed import DAY_MS, Feed, check_sequences, last_by_user, millis
from redis_view import redis_users

START = 1700000000000  # 2023-11-14
GRANTED = "GRANTED"


def at(day, hour=0):
    return START + day * DAY_MS + hour * 3600000


def event(topic, user, occurred_at, **fields):
    return topic, {
        "event_id": uuid.uuid4().hex, "user_id": user, "occurred_at": occurred_at, **fields,
    }


def consent(user, occurred_at, action=GRANTED, purpose="SCORING", subscriber=""):
    return event(
        "consents", user, occurred_at, action=action, purpose=purpose, subscriber=subscriber
    )


def listing(user, occurred_at, action, case="case-1"):
    return event(
        "blacklist", user, occurred_at, action=action, case_id=case, authority="A court",
        amount_owed_minor=5000000, currency="CNY",
    )


def payment(user, occurred_at, amount=30000, category="GROCERIES", status="SETTLED"):
    return event(
        "payments", user, occurred_at, status=status, amount_minor=amount, currency="CNY",
        category=category, counterparty="shop",
    )


def verified(user, occurred_at, fact, **fields):
    return event("profiles", user, occurred_at, action="VERIFIED", fact=fact, **fields)


def good_life(user):
    """A year of somebody who ends well above 650; consent at day 0, everything after it."""
    yield consent(user, at(0))
    yield consent(user, at(0), purpose="SOCIAL")
    for fact in ("PHONE", "ADDRESS", "IDENTITY"):
        yield verified(user, at(1), fact)
    yield verified(user, at(1), "DEGREE", degree_level="GRADUATE")
    yield event(
        "profiles", user, at(1), action="ACCOUNT_OPENED", holder="PERSON",
        opened_at=at(-11 * 365),
    )
    yield event(
        "profiles", user, at(2), action="CREDIT_LINE", line_id="card", limit_minor=30000000,
        balance_minor=100000, currency="CNY",
    )
    for friend in range(6):
        yield event("social", user, at(2), action="FRIEND_ADDED", friend_id=f"friend-{friend}")
    yield event("social", user, at(3), action="FRIEND_REMOVED", friend_id="friend-0")
    for month in range(12):
        bill, day = f"{user}-rent-{month}", 10 + month * 30
        common = {"kind": "RENT", "bill_id": bill, "currency": "CNY", "amount_minor": 900000}
        yield event("bills", user, at(day), status="ISSUED", due_at=at(day + 20), **common)
        yield event("bills", user, at(day + 9), status="PAID", **common)
        stay = {"kind": "HOTEL", "booking_id": f"{user}-stay-{month}"}
        yield event("bookings", user, at(day, 2), status="MADE", **stay)
        yield event("bookings", user, at(day + 5), status="HONOURED", **stay)
        for week, category in enumerate(("GROCERIES", "DINING", "TRAVEL", "HEALTH")):
            yield payment(user, at(day + week * 7, 12), 400000, category)
    yield payment(user, at(370), 20000, status="REFUNDED")


def poor_life(user):
    yield consent(user, at(0))
    for month in range(6):
        day, bill = 5 + month * 30, f"{user}-loan-{month}"
        common = {"kind": "LOAN_INSTALMENT", "bill_id": bill, "currency": "CNY"}
        yield event(
            "bills", user, at(day), status="ISSUED", due_at=at(day + 10), amount_minor=200000,
            **common,
        )
        closed = "DEFAULTED" if month % 2 else "PAID"
        yield event("bills", user, at(day + 60), status=closed, amount_minor=0, **common)
    yield event("bills", user, at(300), status="CANCELLED", kind="FINE", bill_id="never-issued")
    yield event("bookings", user, at(301), status="NO_SHOW", kind="RESTAURANT", booking_id="r1")
    yield event("bookings", user, at(302), status="CANCELLED", kind="DOCTOR", booking_id="r2")
    yield payment(user, at(303), 1000, "ENTERTAINMENT")
    yield payment(user, at(304), 1000, "ENTERTAINMENT", "CHARGED_BACK")
    yield event("profiles", user, at(305), action="REVOKED", fact="PHONE")


class Play:
    """One engine on topics of its own."""

    def __init__(self, bus, engine, stack):
        self.bus, self.engine, self.stack = bus, engine, stack
        engine.config["redis"]["buckets"] = 8
        engine.run("topics", "create")
        engine.run("schemas", "register")
        self.feed = Feed(bus, engine)

    def send(self, *events):
        self.feed.send(events)

    def drain(self):
        return self.engine.drain()

    def scores(self):
        return self.bus.read(self.engine.config["topics"]["scores"])

    def entitlements(self):
        return self.bus.read(self.engine.config["topics"]["entitlements"])

    def changelog(self):
        """user -> value of its last record, friends apart."""
        records = self.bus.read(self.engine.config["topics"]["state"], decode=False)
        return {record.key: record.value for record in records if record.key[0] not in "\x01\x02"}

    def in_redis(self):
        return redis_users(self.stack, self.engine.config["redis"]["prefix"])


@pytest.fixture
def play(bus, engine, stack):
    return Play(bus, engine, stack)


def balance(entitlements):
    """(user, benefit) -> whether it is held now; grants and revocations must take turns."""
    held = {}
    for record in entitlements:
        value = record.value
        key = value["user_id"], value["benefit_id"]
        granted = value["action"] == "GRANTED"
        assert held.get(key, False) != granted, f"{value['action']} twice in a row for {key}"
        held[key] = granted
    return held


def benefits_of(score):
    thresholds = {
        "just-spend-loan": 600, "deposit-free-car-rental": 650, "fast-hotel-check-in": 650,
        "airport-vip-check-in": 650, "cash-loan": 666, "singapore-visa-waiver": 700,
        "schengen-fast-track": 750,
    }
    return {name for name, threshold in thresholds.items() if score >= threshold}


def test_every_kind_of_event_is_folded_scored_and_explained(play):
    users = {"good": list(good_life("good")), "poor": list(poor_life("poor"))}
    sent = [one for life in users.values() for one in life]
    assert {name for name, _ in sent} == set(INPUTS) - {"blacklist"}
    play.send(*sent)
    counts = play.drain()
    assert counts["consumed"] == counts["counted"] == len(sent)

    records = play.scores()
    topics = play.engine.config["topics"]
    inputs = {
        (name, r.partition, r.offset): r.value
        for name in INPUTS for r in play.bus.read(topics[name])
    }
    event_of = {value["event_id"]: (name, value) for name, value in sent}
    by_user = check_sequences(records)
    assert by_user.keys() == users.keys()
    for values in by_user.values():
        assert [value["kind"] for value in values] == ["OPT_IN"] + ["UPDATE"] * (len(values) - 1)
        assert values[0]["previous_score"] is None
    positions = {}
    for record in records:
        value = record.value
        factors = value["factors"].values()
        assert value["score"] == 350 + sum(factor["points"] for factor in factors) // 100
        assert [factor["weight"] for factor in factors] == [35, 25, 20, 15, 5]
        assert all(0 <= factor["value"] <= 10000 for factor in factors)
        assert record.key == value["user_id"] and value["standing"] == "SCORED"
        points = [reason["points"] for reason in value["reasons"]]
        assert 1 <= len(points) <= 4 and points == sorted(points, reverse=True) and points[-1] > 0
        # the cause is the record that it says, and was the last one read of its input
        cause = value["cause"]
        name, caused = event_of[cause["event_id"]]
        assert cause["topic"] == name and cause["partition"] == record.partition
        assert inputs[name, cause["partition"], cause["offset"]]["event_id"] == caused["event_id"]
        assert value["positions"][name] == cause["offset"] + 1
        # positions never go back, and consents were read to their end first
        before = positions.setdefault(record.partition, dict.fromkeys(INPUTS, 0))
        assert all(value["positions"][n] >= before[n] for n in INPUTS)
        positions[record.partition] = value["positions"]
        if name != "consents":
            assert value["positions"]["consents"] == len(
                [key for key in inputs if key[:2] == ("consents", record.partition)]
            )
        granted = inputs["consents", record.partition, value["consent_positions"]["scoring"]]
        assert granted["user_id"] == value["user_id"]
        assert millis(value["as_of"]) >= caused["occurred_at"]
    final = last_by_user(records)
    assert final["good"]["score"] >= 700 and final["good"]["tier"] == "superb"
    assert final["poor"]["score"] < 550 and final["poor"]["tier"] == "poor"
    codes = {reason["code"] for reason in final["poor"]["reasons"]}
    assert codes & {"LATE_BILLS", "DEFAULTED_BILLS"}, codes
    assert len({record.value["model_version"] for record in records}) == 1

    held = balance(play.entitlements())
    for user, value in final.items():
        wanted = benefits_of(value["score"])
        assert {name for (u, name), on in held.items() if u == user and on} == wanted
    assert {user for user, _ in held} == {"good"}
    assert play.in_redis() == {"good", "poor"} == set(play.changelog())


def test_nothing_counts_without_consent(play):
    play.send(
        payment("early", at(-1)), payment("early", at(0)), payment("early", at(1)),
        verified("never", at(1), "IDENTITY"), payment("never", at(2)),
        consent("never", at(1), purpose="SOCIAL"), consent("never", at(1), "WITHDRAWN"),
    )
    play.send(consent("early", at(0)))  # behind its events in wall time: consents are drained first
    counts = play.drain()
    # counted: early's two payments from the grant on, its grant, and never's withdrawal of nothing
    assert (counts["counted"], counts["not_consented"]) == (4, 4), counts
    causes = collections.Counter(r.value["cause"]["topic"] for r in play.scores())
    assert causes["consents"] == 1 and {r.key for r in play.scores()} == {"early"}
    assert play.in_redis() == {"early"}
    changelog = play.bus.read(play.engine.config["topics"]["state"], decode=False)
    assert all(r.value is None for r in changelog if r.key == "never")
    play.send(payment("never", at(3)))
    assert play.drain()["not_consented"] == 1


def test_all_consents_are_read_before_anything_else(play):
    """The last of many grants covers events that have long been there. Each grant takes a fetch of its
    own, while all of the payments come with the first."""
    users = [f"user-{number}" for number in range(200)]
    play.send(*(payment(user, at(1)) for user in users))
    play.bus.produce(
        play.engine.config["topics"]["consents"],
        [(user, play.feed.encode(*consent(user, at(0)))) for user in users],
        headers=[("filler", bytes(50_000))],
    )
    changes = {"kafka_consumer": {"max.partition.fetch.bytes": 60_000}}
    counts = play.engine.drain(changes=changes)
    assert counts["counted"] == counts["consumed"] == 400, counts


def test_a_listed_user_drops_and_comes_back(play):
    play.send(*good_life("good"))
    play.drain()
    before = play.scores()[-1].value
    play.send(listing("good", at(380), "LISTED", "case-7"))
    play.drain()
    drop = play.scores()[-1].value
    assert (drop["kind"], drop["standing"]) == ("BLACKLIST_DROP", "LISTED")
    assert drop["score"] == 350 and drop["tier"] == "poor" and drop["case_id"] == "case-7"
    assert drop["previous_score"] == before["score"] >= 650
    assert drop["reasons"][0]["code"] == "LISTED" and drop["cause"]["topic"] == "blacklist"
    entitlements = play.entitlements()
    with_it = [r.value for r in entitlements if r.value["sequence"] == drop["sequence"]]
    assert {value["benefit_id"] for value in with_it} == benefits_of(before["score"])
    assert all(value["action"] == "REVOKED" and value["score"] == 350 for value in with_it)
    assert not any(balance(entitlements).values())

    # events go on counting; a second case and the end of the first change nothing that shows
    play.send(
        payment("good", at(381)), listing("good", at(382), "LISTED", "case-8"),
        listing("good", at(383), "DELISTED", "case-7"),
    )
    assert play.drain()["counted"] == 3
    assert play.scores()[-1].value["sequence"] == drop["sequence"]

    play.send(listing("good", at(384), "DELISTED", "case-8"))
    play.drain()
    back = play.scores()[-1].value
    assert (back["kind"], back["standing"]) == ("BLACKLIST_RESTORE", "SCORED")
    assert back["case_id"] == "case-8" and back["previous_score"] == 350
    assert abs(back["score"] - before["score"]) < 10
    held = {name for (_, name), on in balance(play.entitlements()).items() if on}
    assert held == benefits_of(back["score"])
    check_sequences(play.scores())


def test_a_listing_waits_for_the_opt_in_and_survives_the_opt_out(play):
    play.send(listing("debtor", at(-5), "LISTED"))
    assert play.drain()["counted"] == 1
    assert play.scores() == [] and play.in_redis() == {"debtor"}
    play.send(consent("debtor", at(0)))
    play.drain()
    [opened] = [r.value for r in play.scores()]
    assert (opened["kind"], opened["standing"]) == ("OPT_IN", "LISTED")
    assert opened["score"] == 350 and opened["reasons"][0]["code"] == "LISTED"
    play.send(consent("debtor", at(1), "WITHDRAWN"), consent("debtor", at(2)))
    play.drain()
    assert [(r.value["kind"], r.value["standing"]) for r in play.scores()] == [
        ("OPT_IN", "LISTED"), ("OPT_OUT", "OPTED_OUT"), ("OPT_IN", "LISTED"),
    ]
    assert play.entitlements() == []


def test_withdrawal_erases(play):
    play.send(*good_life("leaver"), *good_life("stayer"))
    play.drain()
    before = last_by_user(play.scores())["leaver"]
    assert any(balance(play.entitlements()).values())
    play.send(consent("leaver", at(400), "WITHDRAWN"))
    play.drain()
    records = play.scores()
    out = last_by_user(records)["leaver"]
    assert (out["kind"], out["standing"]) == ("OPT_OUT", "OPTED_OUT")
    assert out["score"] is None and out["tier"] is None and out["factors"] is None
    assert out["previous_score"] == before["score"] and out["sequence"] == before["sequence"] + 1
    held = balance(play.entitlements())
    assert {user for (user, _), on in held.items() if on} == {"stayer"}
    assert play.in_redis() == {"stayer"}
    changelog = play.changelog()
    assert changelog["leaver"] is None and changelog["stayer"]
    play.send(payment("leaver", at(401)))
    assert play.drain()["not_consented"] == 1

    # in again: from nothing, and the number starts anew with the grant
    play.send(consent("leaver", at(402)))
    play.drain()
    again = last_by_user(play.scores())["leaver"]
    assert (again["kind"], again["sequence"], again["previous_score"]) == ("OPT_IN", 1, None)
    assert again["score"] < before["score"]


def test_an_event_counts_once(play):
    twice = payment("u", at(1))
    play.send(consent("u", at(0)), twice, payment("u", at(2)), twice)
    counts = play.drain()
    assert (counts["counted"], counts["duplicate"]) == (3, 1)
    play.send(twice)  # across a restart too
    counts = play.drain()
    assert (counts["consumed"], counts["duplicate"]) == (1, 1)
    scores = play.scores()
    assert len({r.value["cause"]["event_id"] for r in scores}) == len(scores)
