"""Withdrawal on the real parts: nobody's id is left in the bytes that the engine keeps (promise 7).

Searched are the files themselves: a dump of Redis, and the broker's segments of every internal
topic. The bound of docs/guarantees.md is shortened by the settings that make it up.
"""

import confluent_kafka.admin
import pytest

from feed import millis
from play import Play, at, consent, event, good_life
from waiting import wait_until

BOUND_SECONDS = 120  # settings below, plus the broker's cleaner that wakes every 15 s
SHORT = {
    "state": {"segment.ms": "1000", "max.compaction.lag.ms": "1000", "delete.retention.ms": "1000"},
    "neighbours": {"segment.ms": "1000", "retention.ms": "5000"},
}
GONE, STAYS, FRIEND = "gone-7c41e09b5a62", "stays-41b8d20c97e3", "friend-90ad6e1f4c55"


@pytest.fixture
def play(bus, engine, stack, prefix):
    engine.config["state"] = {"heartbeat_ms": 1000}
    engine.config["subscribers"] = [
        {"name": "lending", "topic": prefix + "scores.lending", "fields": ["score", "tier"]},
    ]
    return Play(bus, engine, stack)


def internal(play):
    """The topics that only engines read, by option."""
    topics = play.engine.config["topics"]
    return {option: topics[option] for option in ("state", "neighbours", "ranks", "models")}


def shorten(play):
    """What bounds the erasure, on the internal topics; their bytes are kept as they are produced."""
    admin = play.bus.admin
    resources = []
    for option, topic in internal(play).items():
        settings = {**SHORT.get(option, {}), "compression.type": "uncompressed"}
        resources.append(confluent_kafka.admin.ConfigResource("topic", topic, incremental_configs=[
            confluent_kafka.admin.ConfigEntry(
                name, value,
                incremental_operation=confluent_kafka.admin.AlterConfigOpType.SET)
            for name, value in settings.items()]))
    for future in admin.incremental_alter_configs(resources).values():
        future.result(30)


def in_redis(play, text):
    """In a dump of all that Redis holds."""
    stack = play.stack
    assert stack.redis("CONFIG", "SET", "rdbcompression", "no") == "OK"
    assert stack.redis("SAVE") == "OK"
    dump = stack.directory / "redis" / stack.redis("CONFIG", "GET", "dbfilename").split("\n")[1]
    try:
        return text.encode() in dump.read_bytes()
    finally:
        dump.unlink()


def in_topics(play, text):
    """The segments of internal topics that hold it."""
    found = []
    for name in internal(play).values():
        for path in (play.stack.directory / "kafka" / "data").glob(f"{name}-[0-9]*/*.log"):
            try:
                if text.encode() in path.read_bytes():
                    found.append(str(path))
            except FileNotFoundError:  # cleaned in between
                pass
    return found


def test_nothing_is_left_of_who_withdraws(play):
    shorten(play)
    for user in GONE, STAYS, FRIEND:
        play.send(*good_life(user), consent(user, at(0), purpose="SHARE", subscriber="lending"),
                  consent(user, at(0), purpose="SOCIAL"))
    play.send(
        event("social", FRIEND, at(5), action="FRIEND_ADDED", friend_id=GONE),
        event("social", GONE, at(5), action="FRIEND_ADDED", friend_id=FRIEND),
        event("bills", GONE, at(380), status="ISSUED", kind="RENT", bill_id="open", currency="CNY",
              amount_minor=100, due_at=at(400)),
    )
    engine = play.engine.start("run")
    wait_until(lambda: {GONE, STAYS, FRIEND} <= play.in_redis(), 60, "three users in Redis")
    for user in GONE, STAYS:  # that the search can find
        assert in_redis(play, user) and in_topics(play, user)

    play.send(consent(GONE, at(390), action="WITHDRAWN"))
    wait_until(lambda: GONE not in play.in_redis(), 60, "the withdrawal in Redis")
    assert not in_redis(play, GONE), "Redis forgets at once"
    wait_until(lambda: not in_topics(play, GONE), BOUND_SECONDS,
               lambda: f"{GONE} still in {in_topics(play, GONE)}")
    assert in_redis(play, STAYS) and in_topics(play, STAYS)

    last = [record for record in play.scores() if record.key == GONE][-1].value
    assert (last["kind"], last["standing"], last["score"]) == ("OPT_OUT", "OPTED_OUT", None)

    # A later grant starts fresh: what was before it is not known any more.
    play.send(consent(GONE, at(500)))
    wait_until(lambda: GONE in play.in_redis(), 60, "the new grant in Redis")
    engine.stop()
    fresh = [record for record in play.scores() if record.key == GONE][-1].value
    assert (fresh["kind"], fresh["previous_score"]) == ("OPT_IN", None)
    assert millis(fresh["as_of"]) == at(500)
    assert "NO_BILL_HISTORY" in [reason["code"] for reason in fresh["reasons"]]
