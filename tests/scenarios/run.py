"""Runs the scenarios; tools/scenarios says how it is called.

Scenarios go on side by side where the world allows it: each is a list of rounds, and the n-th round
of all of them is one step of the world.
"""

import argparse
import fnmatch
import pathlib
import sys
import time

import scenario as scenario_module
from judge import Judge
from notation import TREE, Mistake

TOLD = 15  # lines of the course of one that has failed
PATIENCE_S = 20  # how long a claim may take to become true, where records take their time


class Play:
    """One scenario on its way."""

    def __init__(self, scenario, world):
        self.scenario = scenario
        self.judge = Judge(scenario, world.cast(scenario), world.calendar)
        self.rounds = list(scenario.rounds)
        self.course = []  # told
        self.wrong = []

    def told(self, each, seen=None):
        """What happens in a round and, before its claims are checked, what it has brought; for -v."""
        new = self.judge.new(seen) if seen else []
        return [f"    {text}" for text in each.told] + [f"      -> {text}" for *_, text in new]

    def fail(self, wrong):
        self.wrong += wrong
        self.rounds = []


def check(plays, world):
    """Checks the claims of the rounds just played: [(play, round)…]."""
    deadline = time.monotonic() + PATIENCE_S
    left = dict(plays)
    while left:
        seen = world.see([play.scenario for play in left])
        late = not world.patient or time.monotonic() >= deadline
        for play, each in list(left.items()):
            told = play.told(each, seen[play.scenario])
            wrong = play.judge.check(each.claims, seen[play.scenario])
            if wrong and not late:
                continue
            del left[play]
            play.course += told
            if wrong:
                file = play.scenario.file
                play.fail([f"{file}.yaml:{line}: {text}" for line, text in wrong])


def run_together(scenarios, world):
    """Plays scenarios side by side in an open world; returns the plays."""
    plays = [Play(each, world) for each in scenarios]
    while going := [(play, play.rounds.pop(0)) for play in plays if play.rounds]:
        world.play([(play.scenario, each) for play, each in going])
        check([(play, each) for play, each in going if each.claims], world)
        for play, each in going:
            if not each.claims:
                play.course += play.told(each)
    right = [play for play in plays if not play.wrong]
    seen = world.see([play.scenario for play in right]) if right else {}
    for play in right:
        file, line = play.scenario.file, play.scenario.line
        play.fail([f"{file}.yaml:{line}: {text}" for text in
                   play.judge.finish(seen[play.scenario])])
    world.finish(scenarios)
    return plays


def run(scenarios, world):
    """Plays all; yields each play once it is over."""
    size = world.at_once or len(scenarios)
    for i in range(0, len(scenarios), size):
        batch = scenarios[i : i + size]
        plays = []
        try:
            for each in batch:
                each.schedule(world.calendar)
            world.open(batch)
            plays = run_together(batch, world)
        except (AssertionError, RuntimeError) as failure:
            for each in batch if not plays else []:
                play = Play.__new__(Play)
                play.scenario, play.course, play.wrong = each, [], [str(failure)]
                plays.append(play)
        finally:
            world.close()
        yield from plays


def picked(scenarios, patterns):
    """Those whose "file: title" holds a pattern or matches it; all without patterns."""
    def fits(name, pattern):
        pattern = pattern.lower()
        return pattern in name.lower() or fnmatch.fnmatch(name.lower(), pattern)

    for pattern in patterns:
        if not any(fits(each.name, pattern) for each in scenarios):
            raise Mistake(f"no scenario fits {pattern!r}; --list shows them all")
    return [s for s in scenarios if not patterns or any(fits(s.name, p) for p in patterns)]


def open_world(options):
    if options.real:
        from real import Real  # needs the packages of the end-to-end tests

        return Real(options.build)
    from memory import Memory

    return Memory(options.build)


def main():
    parser = argparse.ArgumentParser(prog="tools/scenarios", add_help=False)
    parser.add_argument("--real", action="store_true")
    parser.add_argument("--build", type=pathlib.Path, default=TREE / "build")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("-v", "--verbose", action="store_true")
    parser.add_argument("patterns", nargs="*")
    options = parser.parse_args()
    try:
        scenarios = picked(scenario_module.load(), options.patterns)
        if options.list:
            for each in scenarios:
                print(f"{each.name}\n    {each.why}")
            print(f"{len(scenarios)} scenarios")
            return 0
        elsewhere = [each for each in scenarios if options.real and each.only]
        scenarios = [each for each in scenarios if each not in elsewhere]
        options.build = options.build.resolve()
        passed = 0
        for play in run(scenarios, open_world(options)) if scenarios else []:
            passed += not play.wrong
            if play.wrong or options.verbose:
                print(f"{'FAILED' if play.wrong else 'passed'}  {play.scenario.name}")
                print(f"    {play.scenario.why}")
            for line in play.course if options.verbose else play.course[-TOLD:] if play.wrong else []:
                print(line)
            for line in play.wrong:
                print(f"  ! {line}")
    except Mistake as mistake:
        print(f"scenarios: {mistake}", file=sys.stderr)
        return 2
    for each in elsewhere:
        print(f"not on the real parts, whose clock stands where it stands: {each.name}")
    print(f"{len(scenarios)} scenarios, {passed} passed")
    return 0 if passed == len(scenarios) else 1


if __name__ == "__main__":
    sys.exit(main())
