"""States under encryption: nothing of them is plain in Redis or the changelog, keys change while the engine
runs, and one that is missing stops it and loses nothing."""

import json
import re
import subprocess

import pytest

from accounts import MARK_KEY, check_same, closing, ends_total, wait_consumed
from engine import BINARY
from feed import Feed
from history import History
from redis_view import redis_delete

SEALED = 0xE5
VALUES = """
local out = {}
for _, key in ipairs(redis.call('KEYS', ARGV[1])) do
  if redis.call('TYPE', key).ok == 'hash' then
    local pairs = redis.call('HGETALL', key)
    for i = 1, #pairs, 2 do
      local hex = string.gsub(pairs[i + 1], '.', function(c) return string.format('%02x', string.byte(c)) end)
      out[#out + 1] = pairs[i] .. ' ' .. hex
    end
  end
end
return out"""


class Keys:
    """The key file of one test, made and rotated as its users do."""

    def __init__(self, path):
        self.path = path

    def new(self, *more):
        arguments = [str(BINARY), "keys", "new", str(self.path), *more]
        done = subprocess.run(arguments, capture_output=True, text=True, check=True)
        assert not self._secrets() & set(re.split(r"\s+", done.stdout + done.stderr))

    def _secrets(self):
        return {line.split()[3] for line in self.lines() if not line.startswith("#") and line.strip()}

    def lines(self):
        return self.path.read_text().splitlines(keepends=True)

    def check_untold(self, text):
        assert not any(secret in text for secret in self._secrets())


def redis_states(stack, prefix):
    """user -> the bytes in Redis."""
    lines = stack.redis("EVAL", VALUES, 0, f"{prefix}:*").split("\n")
    return {user: bytes.fromhex(value) for user, value in (line.split() for line in lines if line)}


def logged_states(bus, topic):
    """All states that the changelog ever held, as (user, bytes)."""
    return [(r.key, r.value) for r in bus.read(topic, decode=False) if r.key != MARK_KEY and r.value]


def key_ids(states):
    states = list(states)
    assert all(value[0] == SEALED for value in states), "a state is not sealed"
    return {value[1] for value in states}


def key_counts(engine):
    """key id -> (states, changelog records), as verify-state tells; and no difference."""
    lines = [json.loads(line) for line in engine.run("verify-state", "--json").stdout.splitlines()]
    assert lines[-1]["differences"] == 0
    counts = {line["key"]: (line["key_states"], line["key_changelog_records"])
              for line in lines if "key" in line}
    assert sum(states for states, _ in counts.values()) == lines[-1]["states"]
    return counts


def check_nothing_plain(stored, plain):
    """No six bytes of a user's state as it would be without encryption (2^-48 each by chance)."""
    for user, state in plain.items():
        for value in stored.get(user, ()):
            assert not any(state[i : i + 6] in value for i in range(len(state) - 5)), user


@pytest.fixture
def keys(engine, tmp_path):
    keys = Keys(tmp_path / "keys")
    keys.new()
    engine.config["encryption"] = {"key_file": str(keys.path), "plain_states": "refuse"}
    return keys


def test_a_life_with_keys(bus, engine, stack, prefix, keys):
    config = engine.config
    state_topic, redis_prefix = config["topics"]["state"], config["redis"]["prefix"]
    engine.run("topics", "create")
    engine.run("schemas", "register")
    feed, history, logs = Feed(bus, engine), History(400, seed=51), []

    def feed_and_wait(process, events):
        process.wait_log("partition 3: ready")  # the client crashes where a broker has had no group yet
        feed.send(events)
        wait_consumed(bus, engine, ends_total(bus, engine), process)

    process = engine.start("run")
    process.wait_log("keys: sealing with key 1, of 1 that open")
    feed_and_wait(process, history.consents())
    feed_and_wait(process, history.events(3000))
    assert set(key_counts(engine)) == {1}
    assert key_ids(redis_states(stack, redis_prefix).values()) == {1}

    # A new key, while it runs.
    keys.new("--active-in", "2s")
    process.wait_log("keys: 2 keys open, key 1 goes on sealing")
    process.wait_log("keys: sealing with key 2, of 2 that open")
    feed_and_wait(process, history.events(300))
    counts = key_counts(engine)
    assert counts[1][0] > 0 and counts[2][0] > 0
    assert key_ids(redis_states(stack, redis_prefix).values()) == {1, 2}

    # Restarted, and with Redis emptied while it runs.
    assert process.stop() == 0, process.tail()
    logs.append(process)
    process = engine.start("run")
    feed_and_wait(process, history.events(300))
    redis_delete(stack, redis_prefix)
    feed_and_wait(process, history.events(1000))
    process.wait_log("restoring it from the changelog")
    key_counts(engine)
    assert process.stop() == 0, process.tail()
    logs.append(process)

    # The new key is missing: it stops, and takes nothing away.
    before = redis_states(stack, redis_prefix)
    whole = keys.lines()
    keys.path.write_text("".join(line for line in whole if not line.startswith("2 ")))
    feed.send(history.events(300))
    process = engine.start("run")
    assert process.wait() != 0
    assert "sealed with key 2, which the key file does not have" in process.log()
    assert redis_states(stack, redis_prefix) == before
    logs.append(process)
    keys.path.write_text("".join(whole))
    process = engine.start("run")
    feed_and_wait(process, closing(history.users))
    counts = key_counts(engine)
    assert counts[1][0] < counts[2][0]
    assert process.stop() == 0, process.tail()
    logs.append(process)

    stored = {}
    for user, value in [*logged_states(bus, state_topic), *redis_states(stack, redis_prefix).items()]:
        stored.setdefault(user, []).append(value)
    assert key_ids([value for values in stored.values() for value in values]) == {1, 2}
    for each in logs:
        keys.check_untold(each.log() + each.out())
        assert not re.search(r"user-\d", each.log() + each.out())
    del config["encryption"]
    check_same(bus, engine, prefix)
    plain = dict(logged_states(bus, prefix + "other-state"))
    assert len(plain) > 300
    check_nothing_plain(stored, plain)
    with pytest.raises(AssertionError):  # it can fail
        check_nothing_plain({user: [value] for user, value in plain.items()}, plain)


def test_switching_it_on(bus, engine, stack, prefix, keys):
    encryption = engine.config.pop("encryption")
    redis_prefix = engine.config["redis"]["prefix"]
    engine.run("topics", "create")
    engine.run("schemas", "register")
    feed, history = Feed(bus, engine), History(300, seed=52)
    feed.send(history.consents())
    engine.drain()
    feed.send(history.events(1000))
    engine.drain()
    assert key_counts(engine)[0][0] > 0
    assert "not sealed" not in engine.run("verify-state").stdout, "nothing to tell without keys"

    engine.config["encryption"] = encryption
    feed.send(history.events(100))
    refused = engine.run("run", "--until-caught-up", check=False)
    assert refused.returncode != 0 and "encryption.plain_states" in refused.stderr
    encryption["plain_states"] = "accept"
    engine.drain()
    counts = key_counts(engine)
    assert counts[0][0] > 0 and counts[1][0] > 0
    text = engine.run("verify-state").stdout
    assert re.search(r"(?m)^not sealed: \d+ states, \d+ changelog records$", text)
    assert re.search(r"(?m)^key 1: \d+ states, \d+ changelog records$", text)
    feed.send(closing(history.users))
    engine.drain()
    states = redis_states(stack, redis_prefix)
    left = {user for user, value in states.items() if value[0] != SEALED}
    assert not left & history.opted_in, "only who is listed without an opt-in has had no event"
    assert key_counts(engine)[0][0] == len(left)
    assert key_ids(value for user, value in states.items() if user not in left) == {1}
    del engine.config["encryption"]
    gone = engine.run("run", "--until-caught-up", check=False)  # up to date: nothing is read
    assert gone.returncode == 0
    feed.send(history.events(100))
    gone = engine.run("run", "--until-caught-up", check=False)
    assert gone.returncode != 0 and "encryption.key_file is not set" in gone.stderr


def test_bad_key_files_are_refused_at_start(engine, keys):
    keys.path.chmod(0o644)
    for command in ("check-config", "run"):
        done = engine.run(command, check=False)
        assert done.returncode != 0 and str(keys.path) in done.stderr, done.stderr
        keys.check_untold(done.stdout + done.stderr)
