"""The faults, in lanes that run at the same time, each with its seeded order and pauses.

The lane of the engines, the lane of Kafka and the registry, the lane of Redis, and where the live model
is to change that of models: faults of one lane come one after the other, those of different lanes overlap
as they will. A lane goes through all its kinds before it begins again, so that each is hit equally often.
"""

import random
import signal
import threading
import time
import traceback

SESSION_SECONDS = 10  # of the engines' group
PAUSE_SECONDS = (1.0, 5.0)  # between two faults of a lane
PAUSE_MODELS_SECONDS = (8.0, 25.0)  # in which everybody may be told of the new one


class Faults:
    """Each method that is named in LANES is one kind; it returns with everything mended."""

    LANES = {
        "engines": ("engine_killed", "engine_frozen", "engine_added_and_removed",
                    "rebalance_in_recovery", "rolling_restart"),
        "kafka": ("broker_killed", "broker_stopped", "kafka_cut", "kafka_cut_in_mid_message",
                  "kafka_delayed", "kafka_silent", "registry_gone", "registry_delayed"),
        "redis": ("redis_killed", "redis_flushed", "redis_old_dump", "redis_promoted",
                  "redis_cut", "redis_cut_in_mid_message", "redis_delayed", "redis_silent"),
    }
    CHANGES = {"models": ("model_changed", "model_changed_and_back")}

    def __init__(self, seed, stack, toxiproxy, redis, fleet, models):
        self.stack, self.toxiproxy, self.redis, self.fleet = stack, toxiproxy, redis, fleet
        self.models = models
        self.lanes = self.LANES | (self.CHANGES if len(models.files) > 1 else {})
        self.counts = {kind: 0 for kinds in self.lanes.values() for kind in kinds}
        self.errors = []  # of the tool itself
        self.now = {}  # lane -> what is going on
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._lane, args=(name, random.Random(f"{seed} {name}")))
            for name in self.lanes
        ]

    def start(self):
        for thread in self._threads:
            thread.start()

    def finish(self):
        """No further faults; waits until those under way are mended."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def total(self):
        return sum(self.counts.values())

    def _lane(self, name, rng):
        deck, pause = [], PAUSE_MODELS_SECONDS if name == "models" else PAUSE_SECONDS
        while not self._stop.wait(rng.uniform(*pause)):
            if not deck:
                deck = list(self.lanes[name])
                rng.shuffle(deck)
            kind = deck.pop()
            self.now[name] = kind
            try:
                getattr(self, kind)(rng)
                self.counts[kind] += 1
            except Exception:  # pylint: disable=broad-except
                self.errors.append(f"{kind}: {traceback.format_exc()}")
                self._stop.set()
            self.now.pop(name)

    @staticmethod
    def _last(rng, least, most):
        """How long a fault lasts."""
        time.sleep(rng.uniform(least, most))

    # -- engines

    def _one(self, rng):
        return rng.choice(sorted(self.fleet.processes))

    def engine_killed(self, rng):
        instance = self._one(rng)
        self.fleet.kill(instance)
        self._last(rng, 0, 3)
        self.fleet.start(instance)

    def engine_frozen(self, rng):
        """SIGSTOP for longer than the session: its partitions move on, then it wakes up."""
        instance = self._one(rng)
        self.fleet.signal(instance, signal.SIGSTOP)
        self._last(rng, SESSION_SECONDS + 1, SESSION_SECONDS + 5)
        self.fleet.signal(instance, signal.SIGCONT)

    def engine_added_and_removed(self, rng):
        self.fleet.start("extra")
        self._last(rng, 2, 6)
        self._remove("extra", rng)

    def _remove(self, instance, rng):
        if rng.random() < 0.5:
            self.fleet.stop(instance)
        else:
            self.fleet.kill(instance)

    def rebalance_in_recovery(self, rng):
        """Redis wiped, and as soon as somebody restores from the changelog, members come and go."""
        before = self.fleet.logs("restoring")
        self._flush()
        self.fleet.wait_log_grows("restoring", before, 5)
        self.fleet.start("extra")
        self._last(rng, 0, 1)
        instance = rng.choice(sorted(set(self.fleet.processes) - {"extra"}))
        self.fleet.kill(instance)
        self._flush()
        self.fleet.start(instance)
        self._last(rng, 1, 4)
        self._remove("extra", rng)

    def rolling_restart(self, rng):
        for instance in sorted(self.fleet.processes):
            self.fleet.stop(instance)
            self._last(rng, 0, 0.5)
            self.fleet.start(instance)

    # -- Kafka and the registry

    def broker_killed(self, rng):
        self.stack.kill("kafka")
        self._last(rng, 0, 3)
        self.stack.up("kafka")

    def broker_stopped(self, rng):
        """SIGTERM, with commits under way as they come."""
        self.stack.down("kafka")
        self._last(rng, 0, 3)
        self.stack.up("kafka")

    def _cut(self, name, rng, least, most):
        self.toxiproxy.cut(name)
        self._last(rng, least, most)
        self.toxiproxy.mend(name)

    def _cut_in_mid_message(self, name, rng):
        """Connections end after some bytes, in either direction, again and again."""
        self.toxiproxy.spoil(name, "limit_data", "upstream", bytes=rng.randrange(200, 40000))
        self.toxiproxy.spoil(name, "limit_data", "downstream", bytes=rng.randrange(200, 40000))
        self._last(rng, 1, 4)
        self.toxiproxy.mend(name)

    def _delayed(self, name, rng, most_ms):
        latency = rng.randrange(20, most_ms)
        for stream in ("upstream", "downstream"):
            self.toxiproxy.spoil(name, "latency", stream, latency=latency, jitter=latency // 2)
        self._last(rng, 2, 6)
        self.toxiproxy.mend(name)

    def _silent(self, name, rng, least, most):
        """Connections stay and bring nothing, one way or both."""
        streams = rng.choice((["upstream"], ["downstream"], ["upstream", "downstream"]))
        for stream in streams:
            self.toxiproxy.spoil(name, "timeout", stream, timeout=0)
        self._last(rng, least, most)
        self.toxiproxy.mend(name)

    def kafka_cut(self, rng):
        self._cut("kafka", rng, 0.1, 6)

    def kafka_cut_in_mid_message(self, rng):
        self._cut_in_mid_message("kafka", rng)

    def kafka_delayed(self, rng):
        self._delayed("kafka", rng, 800)

    def kafka_silent(self, rng):
        self._silent("kafka", rng, 2, SESSION_SECONDS + 4)

    def registry_gone(self, rng):
        self._cut("registry", rng, 4, 12)

    def registry_delayed(self, rng):
        self._delayed("registry", rng, 3000)

    # -- Redis

    def _flush(self):
        with self.redis.lock:
            self.redis.primary.call("FLUSHALL")

    def redis_killed(self, rng):
        """It comes back empty."""
        with self.redis.lock:
            self.redis.primary.kill()
            self._last(rng, 0, 3)
            self.redis.primary.start()

    def redis_flushed(self, _rng):
        self._flush()

    def redis_old_dump(self, rng):
        with self.redis.lock:
            self.redis.save()
        self._last(rng, 1, 8)
        with self.redis.lock:
            self.redis.restart(self.redis.dump)

    def redis_promoted(self, rng):
        """The replica stops following, falls behind, and takes the primary's place."""
        with self.redis.lock:
            deadline = time.monotonic() + 30
            while not self.redis.followed():
                if time.monotonic() > deadline:
                    raise AssertionError("the replica does not follow")
                time.sleep(0.05)
            self.redis.replica.call("REPLICAOF", "NO", "ONE")
            self._last(rng, 0.2, 3)
            self.redis.promote()

    def redis_cut(self, rng):
        self._cut("redis", rng, 0.1, 6)

    def redis_cut_in_mid_message(self, rng):
        self._cut_in_mid_message("redis", rng)

    def redis_delayed(self, rng):
        self._delayed("redis", rng, 1500)

    def redis_silent(self, rng):
        self._silent("redis", rng, 1, 6)

    # -- models

    def model_changed(self, _rng):
        """Until everybody is told, if that is soon."""
        if self.models.change(self._stop):
            self.models.follow()

    def model_changed_and_back(self, rng):
        """With many who were not told of the first change when the second comes."""
        if self.models.change(self._stop):
            self._last(rng, 0, 3)
            self.models.change(self._stop)
