"""Scenarios as they stand in the YAML files, read into what the runner plays: rounds."""

import re

import yaml

import notation
from notation import TREE, Mistake, list_of

FOLDER = TREE / "tests" / "scenarios"
KEYS = ("title", "why", "model", "business model", "subscribers", "config", "only", "elsewhere",
        "course")
ACTIONS = {"engine": "restarted", "redis": "wiped"}
CLAIMS = ("then", "stored", "nothing stored", "accounts", "dead letters")


class Round:
    """One thing that happens, and what is claimed once its effects are there."""

    def __init__(self, action, events=(), span_ms=0, told=()):
        self.action = action  # send, offline, restart, wipe, pass, clock
        self.events = list(events)
        self.span_ms = span_ms  # of pass; of clock: the time
        self.told = list(told)
        self.claims = []  # (kind, content, line of the file)


class Scenario:
    def __init__(self, file, line, tree, lives):
        self.file, self.line = file, line
        self.title = str(tree.get("title", ""))
        self.why = " ".join(str(tree.get("why", "")).split())
        self.model = tree.get("model") or {}
        self.business_model = tree.get("business model") or {}
        self.subscribers = [{"name": name, "fields": list_of(fields)}
                            for name, fields in (tree.get("subscribers") or {}).items()]
        self.config = tree.get("config") or {}
        self.only = tree.get("only")
        self.elsewhere = tree.get("elsewhere") or []
        self.tree, self.lives = tree, lives
        self.rounds = []
        for key in tree:
            if key not in KEYS:
                raise Mistake(f"a scenario has no {key!r}: {', '.join(KEYS)}")
        if not self.title or not self.why or not tree.get("course"):
            raise Mistake("a scenario has a title, a why, and a course")
        if self.only not in (None, "memory"):
            raise Mistake(f"only: memory, or not at all; not {self.only!r}")

    @property
    def name(self):
        return f"{self.file}: {self.title}"

    def users(self):
        names = [event.user for each in self.rounds for event in each.events]
        return list(dict.fromkeys(names))

    def lanes(self):
        """How many partitions it needs for itself."""
        misrouted = any("misrouted" in e.flags for each in self.rounds for e in each.events)
        return 2 if self.elsewhere or misrouted else 1

    def disturbs(self):
        """Whether it stops the engine or wipes Redis."""
        return any(each.action in ("restart", "wipe", "offline") for each in self.rounds)

    def schedule(self, calendar):
        """Reads the course into rounds, times and all."""
        self.rounds = []
        self._calendar = calendar
        self._at = calendar.zero - notation.MINUTE_MS
        self._ids = 0
        for line, item in self.tree["course"]:
            try:
                self._item(line, item)
            except Mistake as mistake:
                raise Mistake(f"{self.file}.yaml:{line}: {mistake}") from None
        return self

    def _item(self, line, item):
        if not isinstance(item, dict):
            raise Mistake(f"an item of a course has a key: {item!r}")
        key = next(iter(item))
        if "together" in item or "while down" in item:
            what = "together" if "together" in item else "while down"
            self._block(item, what)
        elif len(item) != 1:
            raise Mistake(f"one key for each item, not {', '.join(item)}")
        elif key in ACTIONS:
            if item[key] != ACTIONS[key]:
                raise Mistake(f"{key}: {ACTIONS[key]}, not {item[key]!r}")
            action = "restart" if key == "engine" else "wipe"
            self.rounds.append(Round(action, told=[f"{key} {item[key]}"]))
        elif key == "passes":
            self.rounds.append(Round("pass", span_ms=notation.span(item[key]),
                                     told=[f"{item[key]} pass"]))
        elif key == "clock":
            if self.only != "memory":
                raise Mistake("only in memory can the clock be moved: only: memory, or passes: …")
            time = self._calendar.time(item[key], self._at)
            self.rounds.append(Round("clock", span_ms=time, told=[f"the clock: {item[key]}"]))
        elif key in CLAIMS:
            if not self.rounds:
                raise Mistake("nothing has happened yet")
            self.rounds[-1].claims.append((key, self._claim(key, item[key]), line))
        else:
            self._send("send", self._events(key, item[key]))

    def _send(self, action, events):
        self.rounds.append(Round(action, events, told=[event.text for event in events]))

    def _events(self, when, text):
        """The events of one item: one, or those of a life."""
        if not isinstance(text, str):
            raise Mistake(f"not an event: {text!r}")
        first_of_block, self._fresh = getattr(self, "_fresh", False), False
        if when == "given":
            self._at += 0 if first_of_block else notation.MINUTE_MS
        else:
            self._at = self._calendar.time(when, self._at)
        if found := re.match(r"(\S+) lives (.+)$", text):
            return self._life(found[1], found[2])
        self._ids += 1
        return [notation.event(text, self._at, f"e{self._ids}", self._calendar)]

    def _life(self, user, name):
        if name not in self.lives:
            raise Mistake(f"no life is called {name!r}: {', '.join(self.lives)}")
        events, begin = [], self._at
        for _line, item in self.lives[name]:
            [(when, text)] = item.items()
            events += self._events(when, f"{user} {text}")
        self._at = max(begin, self._at)
        return events

    def _block(self, item, what):
        times, every = 1, 0
        if "repeat" in item:
            found = re.match(r"(\d+) times every (.+)$", str(item["repeat"]))
            if not found:
                raise Mistake(f"repeat: N times every SPAN, not {item['repeat']!r}")
            times, every = int(found[1]), notation.span(found[2])
        if set(item) - {"repeat", what} or not isinstance(item[what], list):
            raise Mistake(f"{what} is a list of events, with repeat beside it or nothing")
        events, begin = [], self._at + notation.MINUTE_MS
        for n in range(times):
            self._at, self._fresh = begin + n * every, True
            for _line, each in item[what]:
                if not isinstance(each, dict) or len(each) != 1:
                    raise Mistake(f"not an event with a time: {each!r}")
                [(when, text)] = each.items()
                events += self._events(when, str(text).replace("{n}", str(n + 1)))
        self._send("offline" if what == "while down" else "send", events)

    def _claim(self, key, content):
        if key == "then":
            if content in ("nothing", "anything"):
                return content
            if not isinstance(content, list):
                raise Mistake("then: nothing, anything, or a list of records")
            claims = []
            for _line, each in content:
                if not isinstance(each, dict) or len(each) != 1:
                    raise Mistake(f"not USER: CLAIM: {each!r}")
                [(who, text)] = each.items()
                claims.append(notation.claim(who, text, self._calendar))
            return claims
        if key == "accounts":
            return {topic: notation.counts(text) for topic, text in content.items()}
        items = [each for _line, each in content] if isinstance(content, list) else [content]
        if key == "dead letters":
            return [] if content == "none" else [tuple(str(each).split()) for each in items]
        return [str(each) for each in items]


# -- files


class _Loader(yaml.SafeLoader):
    """Lists come as pairs (line, item), so that a mistake can say where it is."""


def _sequence(loader, node):
    return [(each.start_mark.line + 1, loader.construct_object(each, deep=True))
            for each in node.value]


def _mapping(loader, node):
    pairs = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if key in pairs:
            raise Mistake(f"line {key_node.start_mark.line + 1}: {key!r} is there twice")
        pairs[key] = loader.construct_object(value_node, deep=True)
    return pairs


_Loader.add_constructor("tag:yaml.org,2002:seq", _sequence)
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
# A date is a text here, and a time of day no number.
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in found if not tag.endswith((":timestamp", ":bool"))]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def plain(tree):
    """The same without lines, as a patch of model or config wants it."""
    if isinstance(tree, dict):
        return {key: plain(value) for key, value in tree.items()}
    if isinstance(tree, list):
        return [plain(item) for _line, item in tree]
    return tree


def parse(text, file):
    """The scenarios of one file's text."""
    try:
        tree = yaml.load(text, _Loader)
    except yaml.YAMLError as error:
        raise Mistake(f"{file}.yaml: {error}") from None
    except Mistake as mistake:
        raise Mistake(f"{file}.yaml: {mistake}") from None
    if not isinstance(tree, dict) or set(tree) - {"lives", "scenarios"}:
        raise Mistake(f"{file}.yaml: a file has scenarios, and lives if it needs them")
    scenarios = []
    for line, each in tree.get("scenarios", []):
        try:
            scenario = Scenario(file, line, each, tree.get("lives") or {})
            scenario.model, scenario.config = plain(scenario.model), plain(scenario.config)
            scenario.business_model = plain(scenario.business_model)
            scenario.elsewhere = plain(scenario.elsewhere)
        except Mistake as mistake:
            raise Mistake(f"{file}.yaml:{line}: {mistake}") from None
        scenarios.append(scenario)
    return scenarios


def load():
    """All scenarios, in the order of files and of what stands in them."""
    scenarios = []
    for path in sorted(FOLDER.glob("*.yaml")):
        scenarios += parse(path.read_text(), path.stem)
    titles = [scenario.name for scenario in scenarios]
    for name in titles:
        if titles.count(name) > 1:
            raise Mistake(f"two scenarios are called {name!r}")
    return scenarios


def model_text(patch):
    """config/model.yaml with the patch ("a.b: value") laid over it, as YAML; None without one."""
    if not patch:
        return None
    tree = yaml.safe_load((TREE / "config" / "model.yaml").read_text())
    for path, value in patch.items():
        *outer, last = path.split(".")
        inner = tree
        for name in outer:
            if not isinstance(inner.get(name), dict):
                raise Mistake(f"config/model.yaml has no {path}")
            inner = inner[name]
        if last not in inner:
            raise Mistake(f"config/model.yaml has no {path}")
        inner[last] = value
    return yaml.safe_dump(tree, sort_keys=False, allow_unicode=True, default_flow_style=None,
                          width=1000)
