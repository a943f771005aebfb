"""The in-memory world: the real worker on logs in memory, in a process that is told what to do."""

import json
import subprocess

import wire
from judge import Seen
from notation import DAY_MS, TOPICS, Calendar, Mistake
from scenario import model_text

NOW_MS = (227 * 90 + 45) * DAY_MS  # in the middle of a quarter: 2026-01-22
PARTITIONS = 2
TOLERANCE = "events.future_tolerance_ms"
RANKS = "ranks.interval_ms"


class Memory:
    """One scenario at a time."""

    patient = False  # what is not there when the engine rests will not come
    at_once = 1

    def __init__(self, build):
        binary = build / "tests" / "scenarios" / "scenario_driver"
        if not binary.exists():
            raise Mistake(f"{binary} is not built: ninja -C {build} scenario_driver")
        self.binary = str(binary)
        self.calendar = Calendar(NOW_MS)
        self._driver = None

    def open(self, scenarios):
        [scenario] = scenarios
        unknown = set(scenario.config) - {TOLERANCE, RANKS}
        if unknown:
            raise Mistake(f"{scenario.name}: not known in memory: config {', '.join(unknown)}")
        self._now, self._opted_out = NOW_MS, False
        self._cast = wire.Cast(scenario, [0, 1], PARTITIONS)
        self._driver = subprocess.Popen(
            [self.binary], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True,
        )
        self._tell("open", partitions=PARTITIONS, now=NOW_MS, model=model_text(scenario.model),
                   business_model=model_text(scenario.business_model),
                   subscribers=scenario.subscribers,
                   future_tolerance_ms=scenario.config.get(TOLERANCE, DAY_MS),
                   ranks_interval_ms=scenario.config.get(RANKS, 10000))

    def cast(self, _scenario):
        return self._cast

    def _tell(self, what, **more):
        try:
            self._driver.stdin.write(json.dumps({"do": what, **more}) + "\n")
            self._driver.stdin.flush()
            line = self._driver.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise AssertionError("the engine ended: " + self._driver.stderr.read().strip())
        return json.loads(line)

    def play(self, rounds):
        """Carries out [(scenario, round)…]; their effects are there when it returns."""
        [(_scenario, each)] = rounds
        if each.action in ("send", "offline"):
            self._tell("send", records=[self._record(event) for event in each.events])
        if each.action in ("pass", "clock"):
            self._now = each.span_ms if each.action == "clock" else self._now + each.span_ms
            self._tell("clock", now=self._now)
        if each.action in ("restart", "offline"):
            self._tell("restart")
        if each.action == "wipe":
            self._tell("wipe")
            self._now += 2000  # as the driver says
        self._tell("run")

    def _record(self, event):
        key, partition = self._cast.place(event)
        value = None
        if event.value is not None:
            id = TOPICS.index(event.topic) + 1  # of the embedded registry
            value = wire.message(event.topic, id, self._cast.value(event)).hex()
        elif "unreadable" in event.flags:
            value = wire.UNREADABLE.hex()
        return {"topic": event.topic, "partition": partition, "key": key, "value": value}

    def see(self, scenarios):
        """{scenario: Seen}."""
        [scenario] = scenarios
        seen = self._tell("read", users=list(self._cast.names))
        self._opted_out = any((each["value"] or {}).get("kind") == "OPT_OUT"
                              for each in seen["records"])
        return {scenario: Seen(
            [(each["topic"], each["key"], each["value"]) for each in seen["records"]],
            [(each["sesame.topic"], each["sesame.reason"], each["key"])
             for each in seen["dead_letters"]],
            lambda: set(seen["stored"]), lambda: set(seen["kept"]), lambda: seen["accounts"],
        )}

    def finish(self, _scenarios):
        # The helpers' own check knows no second opt-in; the judge does.
        if not self._opted_out:
            self._tell("check")
        self._tell("close")
        _, log = self._driver.communicate()  # a sanitizer speaks at the end
        assert self._driver.returncode == 0, f"the engine ended badly: {log.strip()}"

    def close(self):
        if self._driver:
            self._driver.stdin.close()
            self._driver.stdout.close()
            self._driver.stderr.close()
            self._driver.wait()
            self._driver = None
