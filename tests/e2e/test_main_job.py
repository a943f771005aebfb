"""The main job on a small history written by hand: what each event leads to, record by record."""

import collections

import pytest

from bus import INPUTS
from feed import check_sequences, last_by_user, millis
from play import Play, at, consent, good_life, listing, payment, poor_life, verified


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
