"""Whether the judge can tell right from wrong, without a stack: a made-up partition, played by the
second scorer with a clock and sleepers of its own, is judged as it is, and then with each of several
lies told in its topics, by the recount and by the invariants. Prints `N runs, L lies, D not as they
should be`.

    check_judge.py [RUNS [FIRST_SEED]]
"""

import io
import pathlib
import random
import sys
import tempfile
import warnings

warnings.showwarning = lambda *_args, **_kwargs: None  # those of the clients' packages say nothing here

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "e2e")]

# pylint: disable=wrong-import-position
import fastavro  # noqa: E402
from invariants import Rules  # noqa: E402
from made_up import DAY_MS, SECOND_MS, START_MS, World, wire  # noqa: E402
from models import WITHOUT_FRIENDS  # noqa: E402
from recount import write_model  # noqa: E402


class Lies:
    """Each changes the topics of a world so that the judge must notice; or returns False where there
    is nothing to lie about."""

    def __init__(self, world, rng):
        self.world, self.rng = world, rng

    def _some(self, topic, good):
        log = self.world.logs[topic]
        schema = self.world.schemas.get(topic) or next(
            self.world.shared[h] for h, each in self.world.names.items() if each.topic == topic)
        values = [(i, m.body and fastavro.schemaless_reader(io.BytesIO(m.body[5:]), schema, None))
                  for i, m in enumerate(log)]
        found = [(i, v) for i, v in values if good(v)]
        if not found:
            return None
        i, value = self.rng.choice(found)
        return log, schema, i, value

    def _drop(self, topic, good):
        found = self._some(topic, good)
        if found:
            del found[0][found[2]]
        return found

    def _change(self, topic, good, **changes):
        found = self._some(topic, good)
        if found:
            log, schema, i, value = found
            for key, by in changes.items():
                value[key] = by(value[key])
            log[i] = log[i]._replace(body=wire(schema, value))
        return found

    def overdue_missing(self):
        return self._drop("scores", lambda v: v["kind"] == "OVERDUE")

    def aged_missing(self):
        return self._drop("scores", lambda v: v["kind"] == "AGED")

    def last_by_time_missing(self):
        """Nothing follows whose sequence would show it."""
        log, schema = self.world.logs["scores"], self.world.schemas["scores"]
        last = {m.name: i for i, m in enumerate(log)}
        for i in last.values():
            value = fastavro.schemaless_reader(io.BytesIO(log[i].body[5:]), schema, None)
            if value["cause"] is None:
                del log[i]
                return True
        return False

    def overdue_twice(self):
        found = self._some("scores", lambda v: v["kind"] == "OVERDUE")
        if found:
            log, _, i, _ = found
            log.insert(i, log[i])
        return found

    def overdue_early(self):
        return self._change("scores", lambda v: v["kind"] == "OVERDUE", as_of=lambda t: t - 1,
                            clock=lambda t: t - 1)

    def overdue_late(self):
        return self._change("scores", lambda v: v["kind"] == "OVERDUE" and v["as_of"] == v["clock"],
                            as_of=lambda t: t + 1, clock=lambda t: t + 1)

    def aged_off(self):
        return self._change("scores", lambda v: v["kind"] == "AGED", as_of=lambda t: t - DAY_MS,
                            clock=lambda t: t - DAY_MS)

    def aged_ahead(self):
        return self._change("scores", lambda v: v["kind"] == "AGED",
                            as_of=lambda t: t + 30 * DAY_MS, clock=lambda t: t + 30 * DAY_MS)

    def overdue_called_aged(self):
        return self._change("scores", lambda v: v["kind"] == "OVERDUE", kind=lambda _: "AGED")

    def update_as_of(self):
        return self._change("scores", lambda v: v["kind"] == "UPDATE", as_of=lambda t: t + 1)

    def update_clock_ahead(self):
        return self._change("scores", lambda v: v["clock"] < v["as_of"],
                            clock=lambda t: self.world.now + 10 * SECOND_MS)

    def clock_falls(self):
        log = self.world.logs["scores"]
        return len(log) > 60 and self._change(
            "scores", lambda v: v["sequence"] > 3 and v["clock"] > START_MS - DAY_MS,
            clock=lambda t: t - 60 * DAY_MS)

    def score_off(self):
        return self._change("scores", lambda v: v["score"], score=lambda s: s + 1)

    def revocation_missing(self):
        return self._drop("entitlements", lambda v: v["action"] == "REVOKED")

    def entitlement_as_of(self):
        return self._change("entitlements", lambda v: True, as_of=lambda t: t - 1)

    def shared_missing(self):
        return self._drop("scores.lending", lambda v: v is not None)

    def tombstone_missing(self):
        return self._drop("scores.lending", lambda v: v is None)

    def shared_too_much(self):
        found = self._some("scores.lending", lambda v: v is None)
        if found:
            log, _, i, _ = found
            log.insert(i, log[i])
        return found

    def shared_score_off(self):
        return self._change("scores.lending", lambda v: v and v["score"], score=lambda s: s - 1)

    def shared_as_of(self):
        return self._change("scores.lending", lambda v: v and v["kind"] == "SHARED",
                            as_of=lambda t: t + 1)

    def compacted_last_missing(self):
        log = self.world.logs["scores.cars"]
        for i in reversed(range(len(log))):
            if log[i].body and all(m.name != log[i].name for m in log[i + 1:]):
                del log[i]
                return True
        return False

    def mark_clock_ahead(self):
        log = self.world.logs["sesame-state"]
        world, log[:] = self.world, log[:-1]
        world.clock += 3600000
        world.mark()
        return True

    def mark_clock_falls(self):
        world = self.world
        clock, world.clock = world.clock, world.clock - 3600000
        world.mark()
        world.clock = clock
        return True

    def mark_ranks_who_is_gone(self):
        self.world.scores["nobody"] = 561
        self.world.mark()
        return True

    def other_model(self):
        return self._change("scores", lambda v: v["kind"] == "UPDATE",
                            model_version=lambda m: m + "x")


# What no subscriber can know without folding the events: that is left to `sesame verify`.
LEFT_TO_VERIFY = {"overdue_early", "overdue_late", "overdue_called_aged", "shared_as_of"}


def compact(world):
    """What compaction does to a subscriber's topic, here and there."""
    log = world.logs["scores.cars"]
    last = {m.name: i for i, m in enumerate(log)}
    log[:] = [m for i, m in enumerate(log) if last[m.name] == i or world.rng.random() < 0.5]


def play(seed):
    world = World(seed, behind=(0.0, 0.3, 0.95)[seed % 3])
    world.play(250)
    compact(world)
    return world


def main():
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 6
    first = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    wrong, told, kinds, searched = 0, {}, {}, 0
    model = tempfile.NamedTemporaryFile("r", suffix=".yaml")
    judges = (None, Rules([write_model(pathlib.Path(model.name), **WITHOUT_FRIENDS)], 0, 0))
    lies = [name for name in vars(Lies) if not name.startswith("_")]
    for seed in range(first, first + runs):
        for rules in judges:
            verdict = play(seed).verdict(rules)
            searched += verdict.searched
            for kind, count in verdict.by_kind.items() if rules else ():
                kinds[kind] = kinds.get(kind, 0) + count
            for text in verdict.differences[:3]:
                print(f"seed {seed}: {text}")
            wrong += bool(verdict.differences)
        for name in lies:
            world = play(seed)
            if not getattr(Lies(world, random.Random(seed)), name)():
                continue
            told[name] = told.get(name, 0) + 1
            for rules in judges:
                unseen = not world.verdict(rules).differences
                if unseen and not (rules and name in LEFT_TO_VERIFY):
                    wrong += 1
                    print(f"seed {seed}: {name} is not noticed by the "
                          f"{'invariants' if rules else 'recount'}")
    never = [name for name in lies if name not in told]
    if never:
        print("never told: " + ", ".join(never))
    print(f"{kinds}, {searched} searches")
    print(f"{runs} runs, {sum(told.values())} lies, {wrong + len(never)} not as they should be")
    return 1 if wrong or never else 0


if __name__ == "__main__":
    sys.exit(main())
