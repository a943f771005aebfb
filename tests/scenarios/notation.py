"""The words of a scenario: times, events, and what is claimed of a record. README.md tells them.

Whatever cannot be understood is an error of class Mistake, with what is allowed.
"""

import json
import pathlib
import re
import shlex
from typing import Any, NamedTuple

TREE = pathlib.Path(__file__).resolve().parents[2]
MINUTE_MS, HOUR_MS, DAY_MS = 60_000, 3_600_000, 86_400_000
TOPICS = ("payments", "bills", "bookings", "social", "profiles", "consents", "blacklist")
OUTCOMES = ("counted", "duplicate", "not-consented", "dead-lettered")
FACTORS = ("history", "behaviour", "fulfilment", "characteristics", "relationships")

# Day 0 lies this long before the quarter (a block of 90 days, docs/model.md 1.3) in which now lies,
# so that months and quarters begin on the same days of a scenario whenever it runs.
DAYS_BEFORE_THIS_QUARTER = 720


class Mistake(Exception):
    """Something in a scenario that cannot be understood."""


# -- times

UNITS = {"s": 1000, "second": 1000, "min": MINUTE_MS, "minute": MINUTE_MS, "h": HOUR_MS,
         "hour": HOUR_MS, "d": DAY_MS, "day": DAY_MS}
ABSOLUTE = re.compile(r"day\s*(-?\d+)(?:[\sT]+(\d\d):(\d\d))?$")
DATE = re.compile(r"(-?\d{4})-(\d\d)-(\d\d)$")
RELATIVE = re.compile(r"(now\s*)?([+-])\s*(\d+)\s*([a-z]+)$")
SPAN = re.compile(r"(\d+)\s*([a-z]+)$")


def unit(name):
    found = UNITS.get(name) or UNITS.get(name.rstrip("s"))
    if not found:
        raise Mistake(f"no unit of time is called {name!r}: seconds, minutes, hours, days")
    return found


def span(text):
    """Milliseconds of "3 days"."""
    found = SPAN.match(str(text).strip())
    if not found:
        raise Mistake(f"not a span of time, such as 3 days: {text!r}")
    return int(found[1]) * unit(found[2])


class Calendar:
    """What "day N" and "now" are in milliseconds."""

    def __init__(self, now_ms):
        self.now = now_ms
        self.quarter = now_ms // DAY_MS // 90 * 90
        self.zero = (self.quarter - DAYS_BEFORE_THIS_QUARTER) * DAY_MS

    def time(self, text, before):
        """The time that a text says; `before` is what "+3 days" counts from."""
        text = str(text).strip()
        if text == "now":
            return self.now
        if found := ABSOLUTE.match(text):
            if int(found[1]) >= DAYS_BEFORE_THIS_QUARTER:
                raise Mistake(f"{text!r}: the last day is {DAYS_BEFORE_THIS_QUARTER - 1};"
                              " what comes near the present is told from now")
            minutes = int(found[2] or 0) * 60 + int(found[3] or 0)
            return self.zero + int(found[1]) * DAY_MS + minutes * MINUTE_MS
        if found := DATE.match(text):
            year, month, day = map(int, found.groups())
            return days_from_civil(year, month, day) * DAY_MS
        if found := RELATIVE.match(text):
            away = int(found[3]) * unit(found[4]) * (1 if found[2] == "+" else -1)
            return (self.now if found[1] else before) + away
        raise Mistake(f"not a time: {text!r}; day 3, day 3 12:00, +3 days, now - 3 days, 1999-12-31")

    def tell(self, ms):
        """A time as a scenario would say it."""
        days, rest = divmod(ms - self.zero, DAY_MS)
        clock = f" {rest // HOUR_MS:02}:{rest // MINUTE_MS % 60:02}" if rest else ""
        return f"day {days}{clock}"


def days_from_civil(year, month, day):
    """Days since 1970 of a Gregorian date, also of years that datetime does not know."""
    year -= month <= 2
    era = year // 400
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    of_era = (year - era * 400) * 365 + (year - era * 400) // 4 - (year - era * 400) // 100 + of_year
    return era * 146097 + of_era - 719468


# -- events


class Event(NamedTuple):
    topic: str
    user: str      # by the name that the scenario uses
    value: Any     # dict of the schema's fields without user_id; None: no value
    flags: tuple   # unreadable, misrouted, no-value, no-key
    text: str      # as the scenario says it, with the time


FLAGS = ("unreadable", "misrouted", "no-value", "no-key")
# By topic: the fields that stand without their names, in order, and their values otherwise.
PLACES = {
    "payments": ("status", "amount", "category"),
    "bills": ("status", "bill_id", "amount"),
    "bookings": ("status", "booking_id"),
    "social": ("action", "friend_id"),
    "consents": ("action", "purpose", "subscriber"),
    "blacklist": ("action", "case_id"),
}
PROFILE_PLACES = {
    "VERIFIED": ("action", "fact", "degree_level"),
    "REVOKED": ("action", "fact"),
    "ACCOUNT_OPENED": ("action", "opened_at", "holder"),
    "CREDIT_LINE": ("action", "line_id", "limit", "balance"),
}
OTHERWISE = {
    "payments": {"amount_minor": 30000, "currency": "CNY", "category": "GROCERIES"},
    "bills": {"kind": "RENT", "bill_id": "bill", "amount_minor": 90000, "currency": "CNY"},
    "bookings": {"kind": "HOTEL", "booking_id": "booking"},
    "social": {"friend_id": "friend"},
    "profiles": {"currency": "CNY"},
    "consents": {"purpose": "SCORING"},
    "blacklist": {"case_id": "case", "authority": "a court"},
}
MONEY = {"amount": "amount_minor", "limit": "limit_minor", "balance": "balance_minor"}


def schema_of(topic):
    return json.loads((TREE / "schemas" / f"{topic}.avsc").read_text())


def kinds_of(topic):
    """field -> "long", "time", "enum" or "string", and an enum's symbols."""
    kinds = {}
    for field in schema_of(topic)["fields"]:
        branch = field["type"]
        if isinstance(branch, list):
            branch = next(each for each in branch if each != "null")
        if isinstance(branch, str):
            kinds[field["name"]] = branch, ()
        elif branch["type"] == "enum":
            kinds[field["name"]] = "enum", branch["symbols"]
        else:
            kinds[field["name"]] = "time", ()
    return kinds


KINDS = {topic: kinds_of(topic) for topic in TOPICS}


def field_value(topic, name, text, calendar, at):
    if name in MONEY:
        found = re.match(r"(-?)(\d+)\.(\d\d)$", text)
        if not found:
            raise Mistake(f"{name} is an amount with two decimals, such as 300.00, not {text!r};"
                          f" {MONEY[name]}=… says it in minor units")
        return MONEY[name], int(found[1] + found[2] + found[3])
    if name not in KINDS[topic]:
        raise Mistake(f"{topic} have no field {name!r}: {', '.join(KINDS[topic])}")
    kind, symbols = KINDS[topic][name]
    if kind == "enum":
        if text not in symbols:
            raise Mistake(f"{name} is one of {', '.join(symbols)}, not {text!r}")
        return name, text
    if kind == "time":
        return name, None if text == "none" else calendar.time(text, at)
    if kind == "long":
        if not re.match(r"-?\d+$", text):
            raise Mistake(f"{name} is a whole number, not {text!r}")
        return name, int(text)
    if found := re.match(r"(.)\*(\d+)$", text):
        text = found[1] * int(found[2])
    return name, text


def places_of(topic, words):
    if topic != "profiles":
        return PLACES[topic]
    if not words or words[0] not in PROFILE_PLACES:
        raise Mistake(f"profiles go on with one of {', '.join(PROFILE_PLACES)}")
    return PROFILE_PLACES[words[0]]


def event(text, at, event_id, calendar):
    """An event of "USER TOPIC STATUS [VALUE…] [FIELD=VALUE…] [!FLAG…]"."""
    words = shlex.split(text)
    if len(words) < 2 or words[1] not in TOPICS:
        raise Mistake(f"not an event: {text!r}; USER TOPIC STATUS …, and the topics are"
                      f" {', '.join(TOPICS)}")
    user, topic, *rest = words
    flags = tuple(word[1:] for word in rest if word.startswith("!"))
    for flag in flags:
        if flag not in FLAGS:
            raise Mistake(f"no flag is called !{flag}: {', '.join('!' + each for each in FLAGS)}")
    told = f"{calendar.tell(at)}: {text}"
    if "unreadable" in flags or "no-value" in flags:
        return Event(topic, user, None, flags, told)
    named = [word for word in rest if re.match(r"[a-z_]+=", word)]
    bare = [word for word in rest if word not in named and not word.startswith("!")]
    places = places_of(topic, bare)
    if not bare or len(bare) > len(places):
        raise Mistake(f"{topic} go on with {' '.join(places)}, not {' '.join(bare)!r}")
    value = {"event_id": event_id, "occurred_at": at, **OTHERWISE[topic]}
    pairs = [*zip(places, bare), *(word.split("=", 1) for word in named)]
    for name, word in pairs:
        name = "event_id" if name == "id" else name
        key, given = field_value(topic, name, word, calendar, at)
        value[key] = given
    return Event(topic, user, value, flags, told)


# -- claims


class Claim(NamedTuple):
    """What is expected of one record."""

    topic: str
    user: str
    checks: list    # of functions (value, previous value) -> what is wrong, or None
    benefits: list  # [(action, benefit id)…] that go with it
    tombstone: bool
    text: str


RELATION = re.compile(r"([a-z_]+) (?:(<=|>=|<|>|=|is) )?(-?\d+|previous)$")
RELATIONS = {
    "<": lambda a, b: a < b, "<=": lambda a, b: a <= b, ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b, "=": lambda a, b: a == b, None: lambda a, b: a == b,
}
TEXTS = {"tier": "tier", "standing": "standing", "case": "case_id", "model": "model_version"}


def number_of(value, name):
    if name in FACTORS:
        factors = value.get("factors")
        return factors and factors[name]["value"]
    return value.get(name)


def list_of(text):
    return [each.strip() for each in text.split("+")]


def same(name, key, wanted):
    def check(value, _previous):
        if value.get(key) != wanted:
            return f"{name} is {value.get(key)}"
        return None

    return check


def relation(name, sign, wanted):
    def check(value, previous):
        number = number_of(value, name)
        other = number_of(previous or {}, name) if wanted == "previous" else int(wanted)
        if number is None or other is None:
            return f"{name} is {number}, to be compared with {other}"
        if not RELATIONS[sign](number, other):
            return f"{name} is {number}" + (f", was {other}" if wanted == "previous" else "")
        return None

    return check


def reasons(wanted, first):
    def check(value, _previous):
        codes = [reason["code"] for reason in value.get("reasons", [])]
        if first and codes[:1] != wanted or not set(wanted) <= set(codes):
            return f"the reasons are {' + '.join(codes) or 'none'}"
        return None

    return check


def cause(topic, event_id):
    def check(value, _previous):
        found = value["cause"]
        if found is None or topic == "time":
            wanted = topic == "time" and found is None
            return None if wanted else "the cause is " + (found["topic"] if found else "time")
        if found["topic"] != topic or event_id and found["event_id"] != event_id:
            return f"the cause is {found['topic']} {found['event_id']}"
        return None

    return check


def as_of(ms, calendar):
    def check(value, _previous):
        return None if value["as_of"] == ms else f"as of is {calendar.tell(value['as_of'])}"

    return check


CLAUSES = """KIND, score N, score < previous, no score, sequence N, percentile N, no percentile, FACTOR < N,
tier NAME, standing NAME, case ID, no case, reasons A + B, first reason A, as of TIME,
caused by TOPIC [ID], caused by time, grants A + B, revokes A + B, model VERSION; or of tombstone"""


def clause(text, calendar, benefits):
    """The check of one clause; None for one about benefits, which go to the list."""
    if re.match(r"[A-Z_]+$", text):
        return same("the kind", "kind", text)
    if text == "no score":
        return same("score", "score", None)
    if text == "no percentile":
        return same("percentile", "percentile", None)
    if text == "no case":
        return same("case", "case_id", None)
    word, _, rest = text.partition(" ")
    if word in ("grants", "revokes") and rest:
        action = "GRANTED" if word == "grants" else "REVOKED"
        benefits += [(action, benefit) for benefit in list_of(rest)]
        return None
    if word == "reasons" and rest:
        return reasons(list_of(rest), False)
    if text.startswith("first reason "):
        return reasons([text[len("first reason "):]], True)
    if text.startswith("as of "):
        return as_of(calendar.time(text[len("as of "):], calendar.now), calendar)
    if found := re.match(r"caused by ([a-z-]+)(?: (\S+))?$", text):
        return cause(found[1], found[2])
    if word in TEXTS and rest:
        return same(word, TEXTS[word], rest)
    found = RELATION.match(text)
    if found and found[1] in ("score", "previous_score", "sequence", "percentile", *FACTORS):
        return relation(found[1], None if found[2] == "is" else found[2], found[3])
    raise Mistake(f"nothing is known by {text!r}; a claim is made of {' '.join(CLAUSES.split())}")


def claim(who, text, calendar):
    """A claim of "ann: UPDATE, score < previous"; who may name a topic, "scores.bank ann"."""
    topic, _, user = who.rpartition(" ")
    benefits, checks = [], []
    text = str(text)
    tombstone = text.strip() == "tombstone"
    for part in [] if tombstone else text.split(","):
        checks.append(clause(" ".join(part.split()), calendar, benefits))
    checks = [check for check in checks if check]
    return Claim(topic or "scores", user, checks, benefits, tombstone, f"{who}: {text}")


def counts(text):
    """{outcome: N} of "2 counted + 1 duplicate"."""
    found = {}
    for each in list_of(str(text)):
        number, _, outcome = each.partition(" ")
        if not number.isdigit() or outcome not in OUTCOMES:
            raise Mistake(f"not a count: {each!r}; N and one of {', '.join(OUTCOMES)}")
        found[outcome] = int(number)
    return found
