"""`sesame verify-state`: Redis against the changelog, with an engine under load and without one."""

import json
import re
import threading

from accounts import check_marks, check_published, committed_total, ends_total, wait_consumed
from history import History
from redis_view import redis_delete

SLOW = {"batch": {"records_max": 50}}  # many transactions: the checkpoint moves all the time
TOTAL = re.compile(r"^(\d+) states, (\d+) differences$")


def verify(engine, *more, code=0):
    """Runs it; returns its output, the number of states and that of differences."""
    done = engine.run("verify-state", *more, check=False, seconds=150)
    text = done.stdout + done.stderr
    assert done.returncode == code, f"exited {done.returncode}:\n{text}"
    found = TOTAL.match(done.stdout.splitlines()[-1])
    assert found, text
    return done.stdout, int(found.group(1)), int(found.group(2))


def differences(engine, code=1):
    """What it finds, by kind and user."""
    done = engine.run("verify-state", "--json", "--show-users", check=False)
    assert done.returncode == code, done.stdout + done.stderr
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    found = {(line["difference"], line["user"]): line for line in lines if "difference" in line}
    assert lines[-1]["differences"] == len(found)
    assert lines[-1]["states"] == sum(line["states"] for line in lines if "equal" in line)
    return found


class Tamper:
    """Changes Redis behind the engine's back, leaving the checkpoints as they are."""

    def __init__(self, stack, engine):
        self.stack, self.prefix = stack, engine.config["redis"]["prefix"]
        self.spared = set()

    def _somebody(self, partition):
        """(key, user) of one whom nobody has touched yet."""
        for bucket in range(64):
            key = f"{self.prefix}:{{{partition}}}:{bucket:x}"
            for user in self.stack.redis("HKEYS", key).split():
                if user not in self.spared:
                    self.spared.add(user)
                    return key, user
        raise AssertionError(f"nobody in partition {partition}")

    def alter(self, partition):
        """One byte of a state, the last one; returns the user."""
        key, user = self._somebody(partition)
        script = """
local state = redis.call('HGET', KEYS[1], ARGV[1])
local last = string.char((string.byte(state, -1) + 1) % 256)
return redis.call('HSET', KEYS[1], ARGV[1], string.sub(state, 1, -2) .. last)"""
        assert self.stack.redis("EVAL", script, 1, key, user) == "0"
        return user

    def delete(self, partition):
        key, user = self._somebody(partition)
        assert self.stack.redis("HDEL", key, user) == "1"
        return user

    def add(self, partition):
        """Somebody whom the changelog does not know, with another's state."""
        key, user = self._somebody(partition)
        script = "return redis.call('HSET', KEYS[1], ARGV[2], redis.call('HGET', KEYS[1], ARGV[1]))"
        assert self.stack.redis("EVAL", script, 1, key, user, f"ghost-{partition}") == "1"
        return f"ghost-{partition}"

    def three(self):
        return {
            ("differing", self.alter(0)), ("missing", self.delete(1)), ("extra", self.add(2)),
        }


class Load:
    """Feeds the rest of a history in the background, a little at a time, while in its block."""

    def __init__(self, feed, history):
        self.feed, self.history, self.over = feed, history, threading.Event()
        self.thread = threading.Thread(target=self._run)
        self.failure = None

    def _run(self):
        try:
            while not self.over.is_set():
                self.feed.send(self.history.events(100))
        except BaseException as failure:  # for the test to raise
            self.failure = failure

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        if self.failure:
            raise self.failure


class Other:
    """A group with state and outputs of its own on the same inputs, which nobody disturbs.

    It reads the consents before there is anything else, as the engine under test must: a listing
    that is read before its user's grant leaves no trace (promise 7), so the two would part there.
    """

    def __init__(self, bus, engine, prefix):
        outputs = ("scores", "entitlements", "dead_letters", "state", "neighbours", "ranks", "models")
        self.bus, self.engine = bus, engine
        self.changes = {
            "group": prefix + "other",
            "redis": {"prefix": prefix + "other"},
            "topics": {name: f"{prefix}other-{name}" for name in outputs},
        }
        engine.run("topics", "create", changes=self.changes)
        engine.run("schemas", "register", changes=self.changes)
        engine.drain(changes=self.changes)

    def check_same(self):
        """Scores and counts agree, by user and in sum."""
        self.engine.drain(changes=self.changes)
        own = self.engine.config["topics"]
        others = {**own, **self.changes["topics"]}
        outcome, expected = check_published(self.bus, own), check_published(self.bus, others)
        unlike = {
            user: (outcome.get(user), expected.get(user))
            for user in outcome.keys() | expected.keys()
            if outcome.get(user) != expected.get(user)
        }
        assert not unlike, f"(here, undisturbed) by user: {unlike}"
        assert check_marks(self.bus, own) == check_marks(self.bus, others)


def test_a_live_engine_is_compared_and_mended(bus, engine, stack, feed, prefix):
    history = History(1000, seed=41)
    feed.send(history.consents())
    other = Other(bus, engine, prefix)
    process = engine.start("run", changes=SLOW)
    wait_consumed(bus, engine, ends_total(bus, engine), process)
    with Load(feed, history):  # nothing is taken for a difference that is none
        for _ in range(3):
            before = committed_total(bus, engine.config["group"])
            _, states, found = verify(engine)
            assert (states > 900, found) == (True, 0)
            now = committed_total(bus, engine.config["group"])
            assert now > before, "the engine did not work while it was compared"
    wait_consumed(bus, engine, ends_total(bus, engine), process)
    _, states, found = verify(engine)
    assert states > 900 and found == 0

    tampered = Tamper(stack, engine).three()
    assert set(differences(engine)) == tampered
    told, again, found = verify(engine, code=1)
    assert found == 3 and again in (states, states + 1)
    assert not any(user in told for _, user in tampered), "user ids only where asked for"
    assert len(re.findall(r"(?m)^  (differing|missing|extra) ", told)) == 3
    few, _, found = verify(engine, "--limit", "1", code=1)
    assert found == 3 and "2 more differences are not shown" in few
    assert verify(engine, "--partition", "3")[2] == 0
    assert verify(engine, "--partition", "1", code=1)[2] == 1

    told, mended, found = verify(engine, "--repair")
    assert (mended, found) == (states, 0)
    assert len(re.findall(r"(?m)^partition \d: invalidated$", told)) == 3
    assert len(re.findall(r"(?m)^partition \d: restored by the engine", told)) == 3
    assert process.running() and len(re.findall("restoring it from the changelog", process.log())) >= 3

    feed.send(history.events(3000))
    wait_consumed(bus, engine, ends_total(bus, engine), process)
    assert verify(engine)[2] == 0
    assert process.stop() == 0, process.tail()
    other.check_same()


def test_without_an_engine_the_next_start_mends(bus, engine, stack, feed, prefix):
    history = History(600, seed=42)
    feed.send(history.consents())
    engine.drain()
    other = Other(bus, engine, prefix)
    feed.send(history.events(3000))
    engine.drain()
    _, states, found = verify(engine)
    assert states > 500 and found == 0
    tamper = Tamper(stack, engine)
    tampered = tamper.three()
    # a second copy of somebody, where no load would look
    key, user = tamper._somebody(3)
    elsewhere = f"{tamper.prefix}:{{3}}:{(int(key.rsplit(':', 1)[1], 16) + 1) % 64:x}"
    assert stack.redis("HSET", elsewhere, user, "copy") == "1"
    assert set(differences(engine)) == tampered | {("extra", user)}

    told, _, found = verify(engine, "--repair", code=1)
    assert found == 4
    assert len(re.findall(r"(?m)no engine of group \S+ is running; the next start", told)) == 4
    told, lost, found = verify(engine, code=1)  # nothing is left there to be trusted
    assert told.count("checkpoint missing") == 4 and lost <= states and found == lost + 4
    feed.send(history.events(2000))
    engine.drain()
    assert verify(engine)[2] == 0
    other.check_same()


def test_a_checkpoint_that_is_not_ours_is_told(bus, engine, stack, feed):
    keys = engine.config["redis"]["prefix"]
    empty, states, found = verify(engine)  # nothing was ever written
    assert (states, found) == (0, 0) and empty.count("none, and none needed") == 4
    history = History(300, seed=43)
    feed.send(history.consents())
    feed.send(history.events(500))
    engine.drain()
    assert verify(engine)[2] == 0

    # partition 1 claims what partition 0 has reached; 2 is behind the log's end; 3 has none
    copy = "return redis.call('SET', KEYS[2], redis.call('GET', KEYS[1]))"
    stack.redis("EVAL", copy, 2, f"{keys}:{{0}}:cp", f"{keys}:{{1}}:cp")
    cluster = """
local value = redis.call('GET', KEYS[1])
local id = string.find(value, ARGV[1], 1, true)
return redis.call('SETRANGE', KEYS[1], id - 1, 'another')"""
    cluster_id = bus.admin.list_topics(timeout=30).cluster_id
    stack.redis("EVAL", cluster, 1, f"{keys}:{{2}}:cp", cluster_id)
    redis_delete(stack, f"{keys}:{{3}}")
    done = engine.run("verify-state", "--json", check=False)
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 1
    checkpoints = {line["partition"]: line["checkpoint"] for line in told if "equal" in line}
    assert checkpoints[0] == "usable"
    assert checkpoints[1] in ("of another changelog", "naming a mark that the changelog does not have")
    assert checkpoints[2] == "of another Kafka cluster" and checkpoints[3] == "missing"
    engine.drain()
    assert verify(engine)[2] == 0


def test_wrong_calls(engine, feed):
    for wrong in (("--partition", "x"), ("--limit", "-1"), ("more",)):
        assert engine.run("verify-state", *wrong, check=False).returncode == 2
    done = engine.run("verify-state", "--partition", "4", check=False)
    assert done.returncode == 1 and "has 4 partitions" in done.stderr
