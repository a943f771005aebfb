"""A second group on the topics of a first: refused before it has changed anything, while the first goes
on. A group that was renamed goes on when it is told to."""

from accounts import check_marks, check_published, committed_total
from play import Play, at, consent, good_life, payment
from waiting import wait_until

USERS = ("ada", "ben", "cleo", "dora", "emil")


def checkpoints(stack, engine):
    """What Redis holds for the group, byte for byte."""
    keys = sorted(stack.redis("--raw", "KEYS", engine.config["redis"]["prefix"] + "*").split("\n"))
    return [(key, stack.redis("--no-raw", "DUMP", key)) for key in keys if key]


def refused(engine, changes, by):
    done = engine.run("run", "--until-caught-up", changes=changes, check=False)
    assert done.returncode == 1
    last = done.stderr.strip().split("\n")[-1]
    assert f"its state is that of group {by}, and this is group {changes['group']}." in last, last
    assert all(word in last for word in ("redis.prefix", "topics.state", "--take-over")), last
    assert "restoring" not in done.stderr and "the store is empty" not in done.stderr
    return done


def ends(bus, engine):
    topics = engine.config["topics"]
    return {name: bus.ends(topics[name])
            for name in ("scores", "entitlements", "dead_letters", "state", "neighbours", "ranks")}


def test_a_second_group_changes_nothing(bus, engine, stack, prefix):
    play = Play(bus, engine, stack)
    first = engine.config["group"]
    second = {"group": prefix + "second", "instance": "two"}
    for user in USERS:
        play.send(*good_life(user))
    assert play.drain()["consumed"] > 0
    before = ends(bus, engine), checkpoints(stack, engine), committed_total(bus, first)

    refused(engine, second, first)
    # an empty Redis of its own makes no difference: it does not get as far as filling it
    refused(engine, {**second, "redis": {"prefix": prefix + "elsewhere"}}, first)
    assert (ends(bus, engine), checkpoints(stack, engine), committed_total(bus, first)) == before
    assert not stack.redis("--raw", "KEYS", prefix + "elsewhere*").strip()
    assert committed_total(bus, second["group"]) == 0

    # nor does it disturb a first one that runs
    process = engine.start("run")
    process.wait_log("ready: 4 partitions")
    play.send(*(payment(user, at(380)) for user in USERS))
    refused(engine, second, first)
    play.send(*(payment(user, at(381)) for user in USERS))
    total = before[2] + 2 * len(USERS)
    wait_until(lambda: committed_total(bus, first) >= total, 60,
               lambda: f"{committed_total(bus, first)} of {total}")
    assert process.stop() == 0
    assert "restoring" not in process.log(), process.tail()
    check_published(bus, engine.config["topics"])
    check_marks(bus, engine.config["topics"])


def test_a_renamed_group_takes_over(bus, engine, stack, prefix):
    play = Play(bus, engine, stack)
    first = engine.config["group"]
    second = {"group": prefix + "second", "instance": "two"}
    for user in USERS[:3]:  # some partition may stay without a record
        play.send(*good_life(user))
    process = engine.start("run")
    process.wait_log("ready: 4 partitions")

    held = engine.run("run", "--until-caught-up", "--take-over", first, changes=second, check=False)
    assert held.returncode == 1 and f"group {first} is not stopped, it has 1 member" in held.stderr
    wrong = engine.run("run", "--take-over", first, check=False)
    assert wrong.returncode == 1 and "wants the group's former name" in wrong.stderr
    assert process.stop() == 0

    def taken_over():
        """Once the session of the first has ended."""
        done = engine.run("run", "--until-caught-up", "--take-over", first, changes=second,
                          check=False)
        assert done.returncode == 0 or "is not stopped" in done.stderr, done.stderr[-3000:]
        return done.returncode == 0

    wait_until(taken_over, 60, "the first group's session to end")
    refused(engine, {"group": first}, second["group"])
    play.send(consent("fay", at(382)), *(payment(user, at(382)) for user in USERS[:3]))
    assert engine.drain(changes=second)["consumed"] == 4
    check_published(bus, engine.config["topics"])
    check_marks(bus, engine.config["topics"])
