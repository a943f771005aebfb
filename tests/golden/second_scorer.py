#!/usr/bin/env python3
"""A second scorer, written from docs/model.md alone: what an auditor would write.

    second_scorer.py EVENTS.jsonl MODEL.yaml > results.jsonl

Reads a log and a model in the golden format (README.md) and prints the results that they must have.
It shares nothing with the engine but the document: numbers in brackets, such as [4.2.3], are the
document's. It is made to be read beside the document, not to be fast, and it trusts the model: the
bounds of [1.9] are the engine's to check.

Needs Python 3.11 and PyYAML.
"""
import hashlib
import json
import sys
from collections import deque
from dataclasses import dataclass, field
from fractions import Fraction

import yaml

DAY_MS = 86_400_000
INPUTS = ["payments", "bills", "bookings", "social", "profiles", "consents", "blacklist"]
POSITIONS = INPUTS + ["neighbours"]
FACTORS = ["history", "behaviour", "fulfilment", "characteristics", "relationships"]

# [6.9] In the order of the table: variable, code when it is known, code when it is not.
VARIABLES = [
    ("lateness", "LATE_BILLS", "NO_BILL_HISTORY"),
    ("defaults", "DEFAULTED_BILLS", "NO_BILL_HISTORY"),
    ("track_record", "SHORT_TRACK_RECORD", "NO_BILL_HISTORY"),
    ("debt", "HIGH_DEBT", "NO_CREDIT_LINE"),
    ("activity", "FEW_PAYMENTS", "NO_PAYMENTS"),
    ("regularity", "IRREGULAR_PAYMENTS", "NO_PAYMENTS"),
    ("diversity", "NARROW_SPENDING", "NO_PAYMENTS"),
    ("reversals", "REVERSED_PAYMENTS", "NO_PAYMENTS"),
    ("spending", "LOW_SPENDING", "NO_PAYMENTS"),
    ("repayment", "LOW_REPAYMENT", "NO_BILL_HISTORY"),
    ("limit", "LOW_CREDIT_LIMIT", "NO_CREDIT_LINE"),
    ("bookings", "BROKEN_BOOKINGS", "NO_BOOKINGS"),
    ("identity", "UNVERIFIED_FACTS", "NO_PROFILE"),
    ("education", "LOW_DEGREE", "NO_DEGREE"),
    ("tenure", "SHORT_TENURE", "NO_ACCOUNT_AGE"),
    ("friends", "LOW_FRIENDS_BANDS", "NO_SOCIAL_TIES"),
]

# [6.10] Of equal sums the code that comes first here goes first.
REASON_ORDER = """LATE_BILLS DEFAULTED_BILLS SHORT_TRACK_RECORD NO_BILL_HISTORY HIGH_DEBT
NO_CREDIT_LINE FEW_PAYMENTS IRREGULAR_PAYMENTS NARROW_SPENDING REVERSED_PAYMENTS NO_PAYMENTS
LOW_SPENDING LOW_REPAYMENT LOW_CREDIT_LIMIT BROKEN_BOOKINGS NO_BOOKINGS UNVERIFIED_FACTS NO_PROFILE
LOW_DEGREE NO_DEGREE SHORT_TENURE NO_ACCOUNT_AGE LOW_FRIENDS_BANDS NO_SOCIAL_TIES""".split()
MAX_REASONS = 4
LISTED_FACTOR = "NONE"  # [6.10] LISTED is of no factor

MAX_OPEN_BILLS = 64
MAX_LINES = 8
MAX_SUBSCRIBERS = 16
MAX_CASES = 16


# ------------------------------------------------------------------------------------- 1. Numbers


def div(a, b):
    """[1.2] a / b, truncated towards zero; b is above 0."""
    return a // b if a >= 0 else -(-a // b)


def day_of(time):
    """[1.3]"""
    return time // DAY_MS


def h64(text):
    """[1.8] 64-bit FNV-1a."""
    value = 14695981039346656037
    for byte in text.encode():
        value = (value ^ byte) * 1099511628211 % 2**64
    return value


def band_of(score):
    """[4.4.6]"""
    return min((score - 350) // 50, 11)


def h32(text):
    """[1.8]"""
    return h64(text) % 2**32


# --------------------------------------------------------------------------------------- 2. Decay


def power(f, n):
    """[2.1] f to the n, in units of 2^-32."""
    r = 2**32
    while n > 0:
        if n % 2 == 1:
            r = r * f >> 32
        f = f * f >> 32
        n //= 2
    return r


def decay_table(half_life):
    """[2.1] factor[0..4095]."""
    low, high = 0, 2**32 - 1  # power(low) is small enough; nothing above high is looked at
    while low < high:
        middle = (low + high + 1) // 2
        if power(middle, half_life) <= 2**31:
            low = middle
        else:
            high = middle - 1
    return [power(low, days) for days in range(4096)]


def decay(value, days, table):
    """[2.2]"""
    if days <= 0:
        return value
    return value * table[days] >> 32 if days < len(table) else 0


COUNT_CAP = 10**12  # [1.7]
AMOUNT_CAP = 10**18


class DecayedSums:
    """[2.5] The decayed sums of one part, with their reference day."""

    def __init__(self, sums):
        """sums: for each name the decay table and the cap."""
        self.kinds = sums
        self.value = dict.fromkeys(sums, 0)
        self.ref = 0
        self.any = False

    def fold(self, day, contributions):
        """contributions: (name, c); a c below 0 takes away."""
        age = 0
        if not self.any:
            self.ref = day
        elif day > self.ref:
            self.value = {name: self.aged(name, day) for name in self.value}
            self.ref = day
        else:
            age = self.ref - day
        self.any = True
        for name, c in contributions:
            table, cap = self.kinds[name]
            if c >= 0:
                self.value[name] = min(self.value[name] + decay(c, age, table), cap)
            else:
                self.value[name] = max(self.value[name] - decay(-c, age, table), 0)

    def aged(self, name, today):
        """[5] A copy, aged to today."""
        return decay(self.value[name], today - self.ref, self.kinds[name][0])


# -------------------------------------------------------------------------------------- The model


@dataclass
class Component:
    weight: int
    neutral: int
    curve: list


class Model:
    """model.yaml; every number under its name there."""

    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            tree = yaml.load(file, Loader=yaml.BaseLoader)  # scalars as written: rates are exact
        self.name = tree["name"]
        self.factor_weight = {f: int(tree["factors"][f]["weight"]) for f in FACTORS}
        self.components = {
            f: {name: Component(int(c["weight"]), int(c["neutral"]), points(c["curve"]))
                for name, c in tree["factors"][f]["components"].items()}
            for f in FACTORS}
        self.factor_of = {name: f for f in FACTORS for name in self.components[f]}
        self.late_severity = [int(s) for s in tree["late_severity"]]
        self.overdue_severity = points(tree["overdue_severity"])
        self.refund_share = int(tree["refund_share"])
        self.cancelled_share = int(tree["cancelled_share"])
        self.booking_prior = int(tree["booking_prior"])
        self.fact_points = {fact: int(n) for fact, n in tree["fact_points"].items()}
        self.aged_days = int(tree["aged_days"])
        self.aged_overdue_days = int(tree["aged_overdue_days"])
        self.listed_cap = int(tree["listed_cap"])
        self.revoke_margin = int(tree["revoke_margin"])
        self.tiers = [(t["name"], int(t["from"])) for t in tree["tiers"]]
        self.benefits = [(b["id"], int(b["threshold"])) for b in tree["benefits"] or []]
        structural = tree["structural"]
        self.half_life_days = {k: int(n) for k, n in structural["half_life_days"].items()}
        self.recent_window = int(structural["recent_window"])
        self.recent_days = int(structural["recent_days"])
        self.friends_max = int(structural["friends_max"])
        self.base_currency = structural["base_currency"]
        self.rates = exact_rates(structural["currencies"], self.base_currency)
        self.decay_tables = {k: decay_table(n) for k, n in self.half_life_days.items()}
        self.version = self.computed_version()

    def computed_version(self):
        return "%s-%s" % (self.name, hashlib.sha256(self.canonical().encode()).hexdigest()[:16])

    def convert(self, amount, currency):
        """[1.6]"""
        if amount == 0:
            return 0
        rate = self.rates[currency]
        converted = div(amount * rate.numerator, rate.denominator)
        return max(-10**14, min(converted, 10**14))

    def component(self, variable):
        return self.components[self.factor_of[variable]][variable]

    def canonical(self):
        """model-canonical.md"""
        lines = ["sesame-model 3"]
        lines += ["factor.%s.weight %d" % item for item in self.factor_weight.items()]
        for variable, _, _ in VARIABLES:
            c = self.component(variable)
            lines += ["component.%s.weight %d" % (variable, c.weight),
                      "component.%s.neutral %d" % (variable, c.neutral),
                      "component.%s.curve %s" % (variable, curve_text(c.curve))]
        lines += ["late_severity " + " ".join(map(str, self.late_severity)),
                  "overdue_severity " + curve_text(self.overdue_severity),
                  "refund_share %d" % self.refund_share,
                  "cancelled_share %d" % self.cancelled_share,
                  "booking_prior %d" % self.booking_prior]
        lines += ["fact_points.%s %d" % (fact, self.fact_points[fact])
                  for fact in ("phone", "address", "identity", "degree")]
        lines += ["aged_days %d" % self.aged_days,
                  "aged_overdue_days %d" % self.aged_overdue_days]
        lines += ["listed_cap %d" % self.listed_cap, "revoke_margin %d" % self.revoke_margin]
        lines += ["tier.%s %d" % tier for tier in self.tiers]
        lines += ["benefit.%s %d" % benefit for benefit in self.benefits]
        lines += ["half_life_days.%s %d" % (part, self.half_life_days[part])
                  for part in ("payments", "bills", "defaults", "bookings")]
        lines += ["recent_window %d" % self.recent_window,
                  "recent_days %d" % self.recent_days,
                  "friends_max %d" % self.friends_max,
                  "base_currency %s" % self.base_currency]
        lines += ["currency.%s %d/%d" % (code, rate.numerator, rate.denominator)
                  for code, rate in sorted(self.rates.items())]
        return "".join(line + "\n" for line in lines)


    def friends_values(self):
        """[4.4.1] The least and the greatest value of the factor relationships."""
        component = self.component("friends")
        values = [component.neutral] + [y for _, y in component.curve]
        return min(values), max(values)

    @property
    def keeps_friends(self):
        """[4.4.1]"""
        least, greatest = self.friends_values()
        return (self.friends_max > 0 and self.factor_weight["relationships"] > 0
                and greatest > least)

    @property
    def reach(self):
        """[4.4.6]"""
        weight, weights = self.factor_weight["relationships"], sum(self.factor_weight.values())
        low, high = (60000 * weight * value // (weights * 10000)
                     for value in self.friends_values())
        return (high - low + 99) // 100


def points(curve):
    return [(int(x), int(y)) for x, y in curve]


def curve_text(curve):
    return " ".join("%d:%d" % point for point in curve)


def exact_rates(currencies, base):
    """By how much an amount in minor units is multiplied, in lowest terms."""
    base_minor = 10 ** int(currencies[base]["decimals"])
    rates = {code: Fraction(c["rate"]) * base_minor / 10 ** int(c["decimals"])
             for code, c in currencies.items()}
    return rates | {base: Fraction(1)}


# ------------------------------------------------------------------------------------- The events

# The first symbol of each enum, and what else a field is that is not there: README.md, Events.
COMMON_FIELDS = {"event_id": "", "user_id": "", "occurred_at": 0}
FIELDS = {
    "payments": {"status": "SETTLED", "amount_minor": 0, "currency": "", "category": "OTHER"},
    "bills": {"status": "ISSUED", "bill_id": "", "amount_minor": 0, "currency": "", "due_at": None},
    "bookings": {"status": "MADE", "booking_id": ""},
    "social": {"action": "FRIEND_ADDED", "friend_id": ""},
    "profiles": {"action": "VERIFIED", "fact": "NONE", "degree_level": "UNKNOWN", "opened_at": None, "holder": "UNKNOWN",
                 "line_id": "", "limit_minor": 0, "balance_minor": 0, "currency": ""},
    "consents": {"action": "GRANTED", "purpose": "SCORING", "subscriber": ""},
    "blacklist": {"action": "LISTED", "case_id": ""},
}


class Event:
    """One record of the log; the fields of its value are attributes."""

    def __init__(self, line):
        self.topic = line["topic"]
        self.partition = line["partition"]
        self.offset = line["offset"]
        self.__dict__.update(COMMON_FIELDS | FIELDS[self.topic] | line["value"])
        time = line.get("record_time")
        self.record_time = self.occurred_at if time is None else time
        self.day = day_of(self.occurred_at)
        self.clock = line.get("clock", 0)


class Message:
    """A message of a friend as a record of neighbours."""

    def __init__(self, message, partition, offset):
        self.topic, self.partition, self.offset = "neighbours", partition, offset
        self.user_id, self.event_id = message["to"], ""
        self.occurred_at = message["occurred_at"]


# --------------------------------------------------------------------------------------- The state


@dataclass
class Months:
    """[4.1.1] The newest month, and which of it and the 31 before were paid in."""
    newest: int = None
    marked: set = field(default_factory=set)

    def mark(self, month):
        if self.newest is None or month > self.newest:
            self.newest = month
        self.marked = {m for m in self.marked | {month} if m > self.newest - 32}


@dataclass
class Categories:
    """[4.1.2] The categories of the newest quarter, and of the one just before it."""
    newest: int = None
    current: set = field(default_factory=set)
    before: set = field(default_factory=set)

    def mark(self, quarter, category):
        if self.newest is None or quarter > self.newest:
            is_next = self.newest is not None and quarter == self.newest + 1
            self.before = self.current if is_next else set()
            self.current = set()
            self.newest = quarter
        if quarter == self.newest:
            self.current.add(category)
        elif quarter == self.newest - 1:
            self.before.add(category)


@dataclass
class Payments:
    sums: DecayedSums
    months: Months = field(default_factory=Months)
    categories: Categories = field(default_factory=Categories)


@dataclass
class Bills:
    sums: DecayedSums
    open: dict = field(default_factory=dict)  # H64 of the bill's id: its due time


@dataclass
class Bookings:
    sums: DecayedSums


@dataclass
class Friends:
    """[4.4] Whom the user lists, and what they have told."""
    open: bool = False
    told: int = 0
    telling: bool = False
    unlinked: int = 0
    links: dict = field(default_factory=dict)  # id: the band, or None while it is pending

    def confirmed(self):
        return {name: band for name, band in self.links.items() if band is not None}

    def in_order(self):
        """[4.4.7]"""
        return sorted(self.confirmed(), key=h64)


@dataclass
class Profiles:
    any: bool = False
    facts: set = field(default_factory=set)
    degree_level: str = "UNKNOWN"
    holder: str = "UNKNOWN"
    opened_day: int = None
    lines: dict = field(default_factory=dict)  # H32 of the line's id: converted limit and balance


@dataclass
class Consents:
    granted_at: int = None  # None: no SCORING grant holds
    position: int = None
    social_position: int = None  # None: no SOCIAL grant
    social_at: int = None
    subscribers: dict = field(default_factory=dict)  # H32 of the subscriber: position

    @property
    def holds(self):
        return self.granted_at is not None


@dataclass
class Blacklist:
    cases: set = field(default_factory=set)  # H64 of the case's id

    @property
    def listed(self):
        return bool(self.cases)


@dataclass
class Published:
    """[7] What was published last."""
    standing: str = "NONE"
    score: int = None
    tier: str = None
    benefits: set = field(default_factory=set)
    sequence: int = 0
    as_of: int = 0
    horizon: int = 0  # [7.3]
    business: bool = False  # by which model

    def move(self, as_of, clock):
        """[7.3]"""
        self.as_of = max(self.as_of, as_of)
        self.horizon = max(self.horizon, min(self.as_of, clock))


class Window:
    """[3.3] The event ids of one input that were counted, each with its stamp."""

    def __init__(self, model):
        self.size, self.days = model.recent_window, model.recent_days
        self.ids = deque()

    def holds(self, name, today):
        return any(name == one and stamp >= today - self.days for one, stamp in self.ids)

    def add(self, name, today):
        self.ids = deque([*self.ids, (name, today)], maxlen=self.size)


class User:
    """[4] The seven parts, their duplicate windows, and what was published last."""

    def __init__(self, model):
        table = model.decay_tables
        payments, bills, bookings = table["payments"], table["bills"], table["bookings"]
        self.payments = Payments(DecayedSums({
            "settled": (payments, COUNT_CAP), "refunded": (payments, COUNT_CAP),
            "reversed": (payments, COUNT_CAP), "amount": (payments, AMOUNT_CAP)}))
        self.bills = Bills(DecayedSums({
            "on_time": (bills, COUNT_CAP), **{late(b): (bills, COUNT_CAP) for b in range(5)},
            "billed": (bills, AMOUNT_CAP), "paid": (bills, AMOUNT_CAP),
            "defaulted": (table["defaults"], COUNT_CAP)}))
        self.bookings = Bookings(DecayedSums({
            status: (bookings, COUNT_CAP)
            for status in ("MADE", "HONOURED", "NO_SHOW", "CANCELLED")}))
        self.friends = Friends()
        self.profiles = Profiles()
        self.consents = Consents()
        self.blacklist = Blacklist()
        self.window = {name: Window(model) for name in INPUTS}
        self.published = Published()

    def erased(self, model):
        """[7.9] What erasure leaves: a listed user's blacklist part, with its window."""
        rest = User(model)
        if self.blacklist.listed:
            rest.blacklist = self.blacklist
            rest.window["blacklist"] = self.window["blacklist"]
        return rest


def late(band):
    return "late[%d]" % band


# ----------------------------------------------------------------------- 3. From record to outcome


def is_id(text):
    """[3.1] 1 to 64 bytes of well-formed UTF-8 without control characters."""
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    controls = any(ord(c) <= 0x1F or 0x7F <= ord(c) <= 0x9F for c in text)
    return is_name(text) and not controls


def byte_length(text):
    return len(text.encode(errors="surrogatepass"))


def is_name(text):
    return 1 <= byte_length(text) <= 64


def money_refusal(amount, least, currency, model):
    """[3.1] An amount, then its currency."""
    if not least <= amount <= 10**12:
        return "BAD_AMOUNT"
    if amount != 0 and currency not in model.rates:
        return "UNKNOWN_CURRENCY"
    return None


def refusal(event, model, tolerance):
    """[3.1] The first refusal that fits, or None."""
    if not is_id(event.user_id):
        return "BAD_USER_ID"
    if not is_id(event.event_id):
        return "BAD_EVENT_ID"
    if not 946684800000 <= event.occurred_at <= 7258118399999:
        return "BAD_TIME"
    if event.occurred_at > event.record_time + tolerance:
        return "BAD_TIME"
    return INPUT_REFUSALS[event.topic](event, model)


def payment_refusal(event, model):
    return money_refusal(event.amount_minor, 0, event.currency, model)


def bill_refusal(event, model):
    if not is_name(event.bill_id):
        return "BAD_FIELD"
    if event.status == "ISSUED" and event.due_at is None:
        return "BAD_FIELD"
    latest = event.occurred_at + 3653 * DAY_MS
    if event.due_at is not None and not 946684800000 <= event.due_at <= latest:
        return "BAD_TIME"
    return money_refusal(event.amount_minor, 0, event.currency, model)


def booking_refusal(event, model):
    return None if is_name(event.booking_id) else "BAD_FIELD"


def social_refusal(event, model):
    return None if is_id(event.friend_id) else "BAD_FIELD"


def profile_refusal(event, model):
    if event.action == "ACCOUNT_OPENED" and event.opened_at is not None:
        if not -2208988800000 <= event.opened_at <= event.occurred_at:
            return "BAD_TIME"
    if event.action == "CREDIT_LINE":
        if byte_length(event.line_id) > 64:
            return "BAD_FIELD"
        return (money_refusal(event.limit_minor, 0, event.currency, model)
                or money_refusal(event.balance_minor, -10**12, event.currency, model))
    return None


def consent_refusal(event, model):
    return "BAD_FIELD" if event.purpose == "SHARE" and not is_name(event.subscriber) else None


def listing_refusal(event, model):
    return None if is_id(event.case_id) else "BAD_FIELD"


INPUT_REFUSALS = dict(zip(INPUTS, [payment_refusal, bill_refusal, booking_refusal, social_refusal,
                                   profile_refusal, consent_refusal, listing_refusal]))


def is_consented(event, consents):
    """[3.2]"""
    if event.topic == "blacklist" or (event.topic == "consents" and event.purpose == "SCORING"):
        return True
    if not consents.holds:
        return False
    if event.topic == "social" and (consents.social_at is None
                                    or event.occurred_at < consents.social_at):
        return False
    return event.topic == "consents" or event.occurred_at >= consents.granted_at


def is_too_many(event, user):
    """[3.4] Whether the event would exceed a bound of the state."""

    def full(known, name, most):
        return name not in known and len(known) >= most

    match event.topic:
        case "bills":
            return event.status == "ISSUED" and full(
                user.bills.open, h32(event.bill_id), MAX_OPEN_BILLS)
        case "profiles":
            return event.action == "CREDIT_LINE" and event.limit_minor != 0 and full(
                user.profiles.lines, h32(event.line_id), MAX_LINES)
        case "consents":
            return event.purpose == "SHARE" and event.action == "GRANTED" and full(
                user.consents.subscribers, h32(event.subscriber), MAX_SUBSCRIBERS)
        case "blacklist":
            return event.action == "LISTED" and full(
                user.blacklist.cases, h64(event.case_id), MAX_CASES)
    return False


# --------------------------------------------------------------------------------------- 4. Folds


def fold(event, user, model):
    FOLDS[event.topic](event, getattr(user, event.topic), model)


def fold_payment(event, part, model):
    """[4.1]"""
    m = model.convert(event.amount_minor, event.currency)
    contributions = {
        "SETTLED": [("settled", 1000), ("amount", m)],
        "REFUNDED": [("refunded", 1000), ("amount", -m)],
        "CHARGED_BACK": [("reversed", 1000), ("amount", -m)],
    }
    part.sums.fold(event.day, contributions[event.status])
    if event.status == "SETTLED":
        part.months.mark(div(event.day, 30))
        part.categories.mark(div(event.day, 90), event.category)


def fold_bill(event, part, model):
    """[4.2]"""
    m = model.convert(event.amount_minor, event.currency)
    due = part.open.pop(h32(event.bill_id), event.due_at)
    contributions = []
    match event.status:
        case "ISSUED":
            contributions = [("billed", m)]
            part.open[h32(event.bill_id)] = event.due_at
        case "PAID":
            contributions = [("paid", m)]
            if due is not None:
                contributions.append((punctuality(event.occurred_at - due), 1000))
        case "DEFAULTED":
            contributions = [("defaulted", 1000)]
    part.sums.fold(event.day, contributions)


def punctuality(late_ms):
    """[4.2.3] Which count a bill belongs to that was paid so late."""
    days = max(0, div(late_ms, DAY_MS))
    if days == 0:
        return "on_time"
    return late(min(days // 30, 4))


def fold_booking(event, part, model):
    """[4.3]"""
    part.sums.fold(event.day, [(event.status, 1000)])


def fold_profile(event, part, model):
    """[4.5]"""
    match event.action:
        case "VERIFIED":
            part.any = True
            part.facts |= {event.fact} - {"NONE"}
            if event.fact == "DEGREE":
                part.degree_level = event.degree_level
        case "REVOKED":
            part.any = True
            part.facts -= {event.fact}
            if event.fact == "DEGREE":
                part.degree_level = "UNKNOWN"
        case "ACCOUNT_OPENED":
            part.holder = event.holder
            day = event.day if event.opened_at is None else day_of(event.opened_at)
            if part.opened_day is None or day < part.opened_day:
                part.opened_day = day
        case "CREDIT_LINE":
            if event.limit_minor == 0:
                part.lines.pop(h32(event.line_id), None)
            else:
                part.lines[h32(event.line_id)] = (
                    model.convert(event.limit_minor, event.currency),
                    model.convert(event.balance_minor, event.currency))


def fold_consent(event, part, model):
    """[4.6]"""
    granted = event.action == "GRANTED"
    match event.purpose:
        case "SCORING":
            if not granted:
                part.granted_at = part.position = None
            elif not part.holds:
                part.granted_at, part.position = event.occurred_at, event.offset
        case "SOCIAL":
            if not granted:
                part.social_position = part.social_at = None
            elif part.social_position is None:
                part.social_position, part.social_at = event.offset, event.occurred_at
        case "SHARE":
            if granted:
                part.subscribers.setdefault(h32(event.subscriber), event.offset)
            else:
                part.subscribers.pop(h32(event.subscriber), None)


def fold_listing(event, part, model):
    """[4.7]"""
    if event.action == "LISTED":
        part.cases.add(h64(event.case_id))
    else:
        part.cases.discard(h64(event.case_id))


FOLDS = {"payments": fold_payment, "bills": fold_bill, "bookings": fold_booking,
         "profiles": fold_profile, "consents": fold_consent, "blacklist": fold_listing}


# ----------------------------------------------------------------------------------- 5. Variables


def variables(user, as_of, horizon, model):
    """Each variable that is known, with its value."""
    today = day_of(as_of)
    return (bill_variables(user.bills, as_of, horizon, today, model)
            | payment_variables(user.payments, today, model)
            | booking_variables(user.bookings, today, model)
            | profile_variables(user.profiles, today, model)
            | friend_variables(user.friends))


def bill_variables(bills, as_of, horizon, today, model):
    """[5.1]"""
    aged = {name: bills.sums.aged(name, today) for name in bills.sums.value}
    late_counts = [aged[late(band)] for band in range(5)]
    overdue = [div(as_of - due, DAY_MS) for due in bills.open.values() if due <= horizon]
    ended = aged["on_time"] + aged["defaulted"] + sum(late_counts)
    if ended == 0 and not overdue:
        return {}
    terms = [div(model.late_severity[4] * aged["defaulted"], 1000)]
    terms += [div(s * count, 1000) for s, count in zip(model.late_severity, late_counts)]
    terms += [curve_value(model.overdue_severity, days) for days in overdue]
    if ended == 0:
        return {"lateness": sum(terms)}
    return {"lateness": sum(terms), "defaults": aged["defaulted"],
            "track_record": aged["on_time"], "repayment": aged["paid"]}


def payment_variables(payments, today, model):
    """[5.2], [5.3]"""
    if not payments.sums.any:
        return {}
    aged = {name: payments.sums.aged(name, today) for name in payments.sums.value}
    known = {"activity": aged["settled"], "spending": aged["amount"],
             "regularity": regularity(payments.months, today),
             "diversity": diversity(payments.categories, today)}
    r = aged["reversed"] + div(aged["refunded"] * model.refund_share, 10000)
    if aged["settled"] > 0:
        known["reversals"] = min(div(10000 * r, aged["settled"]), 10000)
    elif r > 0:
        known["reversals"] = 10000
    return known


def regularity(months, today):
    if months.newest is None:
        return 0
    last = max(div(today, 30), months.newest)
    return sum(1 for month in months.marked if last - 11 <= month <= last)


def diversity(categories, today):
    if categories.newest is None:
        return 0
    q = div(today, 90) - categories.newest
    if q <= 0:
        return len(categories.current | categories.before)
    return len(categories.current) if q == 1 else 0


def booking_variables(bookings, today, model):
    """[5.4]"""
    honoured, no_show, cancelled = (
        bookings.sums.aged(name, today) for name in ("HONOURED", "NO_SHOW", "CANCELLED"))
    kept = honoured + model.booking_prior
    broken = no_show + div(cancelled * model.cancelled_share, 10000)
    if honoured + no_show + cancelled == 0 or kept + broken == 0:
        return {}
    return {"bookings": div(10000 * kept, kept + broken)}


def profile_variables(profiles, today, model):
    """[5.5] to [5.8]"""
    known = {}
    if profiles.any:
        known["identity"] = sum(model.fact_points[fact.lower()] for fact in profiles.facts)
    if profiles.degree_level != "UNKNOWN":
        known["education"] = {"HIGH_SCHOOL": 1, "UNIVERSITY": 2, "GRADUATE": 3}[
            profiles.degree_level]
    if profiles.opened_day is not None:
        known["tenure"] = max(today - profiles.opened_day, 0)
    if profiles.lines:
        limit = sum(limit for limit, _ in profiles.lines.values())
        balance = sum(balance for _, balance in profiles.lines.values())
        known["limit"] = limit
        if limit > 0:
            known["debt"] = div(10000 * max(balance, 0), limit)
    return known


def friend_variables(friends):
    """[5.9]"""
    bands = friends.confirmed().values()
    return {"friends": 1000 * sum(bands) // len(bands)} if bands else {}


# --------------------------------------------------------------------------------------- 6. Score


def curve_value(curve, x):
    """[6.1]"""
    if x <= curve[0][0]:
        return curve[0][1]
    for (x0, y0), (x1, y1) in zip(curve, curve[1:]):
        if x < x1:
            return y0 + (y1 - y0) * (x - x0) // (x1 - x0)
    return curve[-1][1]


@dataclass
class Scored:
    standing: str
    score: int
    tier: str
    factors: dict
    reasons: list


def only_overdue(known):
    """[5.1] Whether overdue bills are all that is known of the user's bills."""
    return "lateness" in known and "track_record" not in known


def compute_score(user, model):
    known = variables(user, user.published.as_of, user.published.horizon, model)
    values = {}  # [6.2]
    for variable, _, _ in VARIABLES:
        component = model.component(variable)
        values[variable] = (curve_value(component.curve, known[variable])
                            if variable in known else component.neutral)
    if only_overdue(known):
        values["lateness"] = min(values["lateness"], model.component("lateness").neutral)
    all_weights = sum(model.factor_weight.values())
    factors = {}
    for name in FACTORS:
        components, weight = model.components[name], model.factor_weight[name]
        value = div(sum(c.weight * values[v] for v, c in components.items()),
                    sum(c.weight for c in components.values()))  # [6.3]
        factors[name] = {"value": value, "weight": weight,
                         "points": div(60000 * weight * value, all_weights * 10000)}  # [6.4]
    full_score = 350 + div(sum(f["points"] for f in factors.values()), 100)  # [6.5]
    listed = user.blacklist.listed
    score = min(full_score, model.listed_cap) if listed else full_score  # [6.6]
    reasons = lacking_reasons(known, values, model)
    if listed:  # [6.10]
        reasons.insert(0, {"code": "LISTED", "factor": LISTED_FACTOR,
                           "points": (full_score - score) * 100})
    return Scored("LISTED" if listed else "SCORED", score, tier_of(score, model), factors,
                  reasons[:MAX_REASONS])


def tier_of(score, model):
    """[6.7]"""
    return [name for name, least in model.tiers if least <= score][-1]


def lacking_reasons(known, values, model):
    """[6.8] to [6.10]: all codes with a share, greatest first."""
    all_weights = sum(model.factor_weight.values())
    shares, factor_of_code = {}, {}
    for variable, code_known, code_unknown in VARIABLES:
        factor, component = model.factor_of[variable], model.component(variable)
        lacking = max(y for _, y in component.curve) - values[variable]
        if lacking <= 0:
            continue
        factor_weights = sum(c.weight for c in model.components[factor].values())
        share = div(60000 * model.factor_weight[factor] * component.weight * lacking,
                    all_weights * 10000 * factor_weights)
        if share > 0:
            code = code_known if variable in known else code_unknown
            if code == "NO_BILL_HISTORY" and only_overdue(known):  # [6.9]
                code = "SHORT_TRACK_RECORD"
            shares[code] = shares.get(code, 0) + share
            factor_of_code.setdefault(code, factor.upper())
    order = sorted(shares, key=lambda code: (-shares[code], REASON_ORDER.index(code)))
    return [{"code": code, "factor": factor_of_code[code], "points": shares[code]}
            for code in order]


# -------------------------------------------------------------------------- 7. What is published


class Scorer:
    """Applies a log, record by record."""

    def __init__(self, person, business, tolerance):
        self.model = person  # also of what is structural, which is the same in both
        self.business = business
        self.tolerance = tolerance
        self.users = {}
        self.positions = {}  # by partition: the next offset of each input
        self.clock = {}  # by partition
        self.today = {}  # [3.3] by partition and input
        self.partition = {}  # of each user, as far as known
        self.queue = deque()

    def model_of(self, user):
        return self.business if self.is_business(user) else self.model

    def is_business(self, user):
        return self.business is not None and user.profiles.holder == "BUSINESS"

    def apply(self, event):
        """The result of one record, in the format of README.md."""
        positions = self.positions.setdefault(event.partition, dict.fromkeys(POSITIONS, 0))
        clock = self.clock[event.partition] = max(event.clock, self.clock.get(event.partition, 0))
        passed = []
        user = self.users.get(event.user_id)
        if refusal(event, self.model, self.tolerance):  # [7.12] a record that takes no steps
            user = None
        else:
            self.move_day(event)
        while user is not None and user.consents.holds and self.wake_at(user)[0] <= clock:
            record, entitlements = self.wake(event, user, clock)
            if record is not None:
                passed.append({"record": record, "entitlements": entitlements})
        positions[event.topic] = event.offset + 1  # [7.6] records of every outcome move them
        self.queue = deque()  # of what friends tell each other because of this record
        self.partition[event.user_id] = event.partition
        outcome, why, record, entitlements = self.outcome(event)
        self.tell_all(event.user_id)
        result = self.result(event, passed, outcome, why, record, entitlements)
        result["told"] = []
        while self.queue:
            result["told"].append(self.hear(self.queue.popleft()))
        return result

    def result(self, event, passed, outcome, why, record, entitlements):
        return {"topic": event.topic, "partition": event.partition, "offset": event.offset,
                "passed": passed, "outcome": outcome, "refusal": why, "record": record,
                "entitlements": entitlements}

    # ------------------------------------------------------------------- friends [4.4]

    def tell(self, sender, to, kind, band, at):
        self.queue.append({"to": to, "from": sender, "kind": kind, "band": band,
                           "occurred_at": at})

    def tell_all(self, name):
        """[4.4.7] At once and to the end: how soon it is over changes nothing here."""
        user = self.users.get(name)
        if user is None or not user.friends.telling:
            return
        user.friends.telling = False
        for other in user.friends.in_order():
            self.tell(name, other, "BAND", user.friends.told, user.published.as_of)

    def hear(self, message):
        """[4.4.5] A message reaches its user: README.md, Results."""
        partition = self.partition.get(message["to"], 0)
        event = Message(message, partition, self.positions.setdefault(
            partition, dict.fromkeys(POSITIONS, 0))["neighbours"])
        clock = self.clock.setdefault(partition, 0)
        user = self.users.get(event.user_id) or User(self.model)
        passed = []
        while user.consents.holds and self.wake_at(user)[0] <= clock:
            record, entitlements = self.wake(event, user, clock)
            if record is not None:
                passed.append({"record": record, "entitlements": entitlements})
        self.positions[partition]["neighbours"] += 1
        friends, sender = user.friends, message["from"]
        outcome, record, entitlements = "not-consented", None, []
        if friends.open:
            outcome = "counted"
            before = friends.links.get(sender)
            answer_at = None
            if message["kind"] == "GONE":
                if before is not None:
                    friends.links[sender] = None
            elif sender in friends.links:
                friends.links[sender] = message["band"]
                if before is None or message["kind"] == "QUESTION":
                    answer_at = ("BAND", friends.told)
            else:
                answer_at = ("GONE", 0)
            if friends.links.get(sender) != before:
                user.published.move(event.occurred_at, clock)
                record, entitlements = self.publish_change(event, event, user, "NEIGHBOUR")
            if answer_at:
                self.tell(event.user_id, sender, *answer_at, user.published.as_of)
        elif message["kind"] != "GONE" and self.model.keeps_friends:
            self.tell(event.user_id, sender, "GONE", 0, event.occurred_at)
        self.tell_all(event.user_id)
        result = self.result(event, passed, outcome, None, record, entitlements)
        result["message"] = message
        return result

    def befriend(self, event, user):
        """[4.4.3], [4.4.4]; the message to send, if any."""
        friends, name = user.friends, event.friend_id
        if not friends.open:
            return None
        if event.action == "FRIEND_REMOVED":
            if name not in friends.links:
                friends.unlinked = max(friends.unlinked - 1, 0)
            elif friends.links.pop(name) is not None:
                return "GONE", 0
            return None
        if name == event.user_id or friends.links.get(name) is not None:
            return None
        if name not in friends.links:
            if len(friends.links) >= self.model.friends_max:
                friends.unlinked += 1
                return None
            friends.links[name] = None
        return "QUESTION", friends.told

    def scored(self, user, score):
        """[4.4.6] A score has been computed."""
        friends = user.friends
        if not friends.open:
            return
        least = 350 + 50 * friends.told
        greatest = 950 if friends.told == 11 else least + 49
        if max(least - score, score - greatest) > self.model_of(user).reach + 10:
            friends.told = band_of(score)
            friends.telling = bool(friends.confirmed())

    def interval(self, user):
        """[7.11]"""
        model = self.model_of(user)
        overdue = any(due <= user.published.horizon for due in user.bills.open.values())
        return DAY_MS * (model.aged_overdue_days if overdue else model.aged_days)

    def wake_at(self, user):
        """[7.11] When time alone has something to do next, and the due time if that is what."""
        aged = user.published.as_of + self.interval(user)
        due = min((d for d in user.bills.open.values() if d > user.published.horizon),
                  default=None)
        return (due, due) if due is not None and due < aged else (aged, due)

    def wake(self, event, user, clock):
        """[7.12]"""
        at, due = self.wake_at(user)
        kind = "OVERDUE"
        if at != due:
            kind = "AGED"
            last = clock if due is None else min(clock, due - 1)
            at += (last - at) // self.interval(user) * self.interval(user)
        user.published.move(at, clock)
        return self.publish_change(event, None, user, kind)

    def move_day(self, event):
        """[3.3] The day of the event's input, which every event that is not refused moves."""
        where, day = (event.partition, event.topic), day_of(max(946684800000, min(event.occurred_at, event.record_time)))
        today = self.today.setdefault(where, day)
        if day > today:
            today = self.today[where] = today + 1
        event.today = today

    def outcome(self, event):
        """[3] Outcome, refusal, record and entitlements of one record."""
        why = refusal(event, self.model, self.tolerance)
        if why:
            return "dead-lettered", why, None, []
        user = self.users.get(event.user_id) or User(self.model)
        if not is_consented(event, user.consents):
            return "not-consented", None, None, []
        if user.window[event.topic].holds(h32(event.event_id), event.today):
            return "duplicate", None, None, []
        if is_too_many(event, user):
            return "dead-lettered", "TOO_MANY", None, []
        self.users[event.user_id] = user
        return "counted", None, *self.count(event, user)

    def count(self, event, user):
        """[3.5], [7.1] to [7.4]: folds a counted event; what is published."""
        grant_before = user.consents.position
        message = None
        if event.topic == "social":
            message = self.befriend(event, user)
        else:
            fold(event, user, self.model)
        user.window[event.topic].add(h32(event.event_id), event.today)
        published = user.published
        if grant_before is not None or user.consents.holds:
            published.move(event.occurred_at, self.clock[event.partition])  # [7.3]
        if event.topic == "consents" and (not user.consents.holds
                                          or user.consents.social_at is None):  # [4.4.8]
            for name in reversed(user.friends.in_order()):
                self.tell(event.user_id, name, "GONE", 0, user.published.as_of)
            user.friends = Friends()
            user.window["social"] = Window(self.model)
        if message:
            self.tell(event.user_id, event.friend_id, *message, user.published.as_of)
        if not user.consents.holds:  # [7.2]
            self.users[event.user_id] = user.erased(self.model)
            if grant_before is None:
                return None, []
            return self.opt_out(event, user, grant_before)
        published = self.publish_change(event, event, user, "UPDATE")
        if user.consents.social_at is not None and self.model.keeps_friends \
                and not user.friends.open:  # [4.4.2]
            user.friends = Friends(open=True, told=band_of(user.published.score))
        return published

    def publish_change(self, event, cause, user, kind):
        """[7.4] to [7.7] What is published, if anything; event says whose and where."""
        last = user.published
        scored = compute_score(user, self.model_of(user))
        self.scored(user, scored.score)
        if (scored.standing, scored.score, scored.tier, self.is_business(user)) == (
                last.standing, last.score, last.tier, last.business):  # [7.4]
            return None, []
        if last.standing == "NONE":
            kind = "OPT_IN"
        elif last.standing != scored.standing:
            kind = "BLACKLIST_DROP" if scored.standing == "LISTED" else "BLACKLIST_RESTORE"
        model, before = self.model_of(user), self.business if last.business else self.model
        known = {name for name, _ in model.benefits}
        held = last.benefits & known
        now = Published(scored.standing, scored.score, scored.tier, self.benefits(model, scored, held),
                        last.sequence + 1, last.as_of, last.horizon, self.is_business(user))
        user.published = now
        record = self.record(event, cause, now, kind, last.score, scored.factors, scored.reasons,
                             user.consents.position, model, user.friends)
        if kind.startswith("BLACKLIST"):
            record["case_id"] = event.case_id
        lost = [self.entitlement("REVOKED", name, now) for name, _ in before.benefits
                if name in last.benefits - known]  # [7.7]
        return record, lost + self.entitlements(model, held, now)

    def opt_out(self, event, user, position):
        """[7.8]"""
        last, model = user.published, self.model_of(user)
        now = Published("OPTED_OUT", sequence=last.sequence + 1, as_of=last.as_of,
                        horizon=last.horizon)
        record = self.record(event, event, now, "OPT_OUT", last.score, None, [], position, model,
                             Friends())
        return record, self.entitlements(model, last.benefits, now)

    def benefits(self, model, scored, held):
        """[7.7] The benefits held from now on."""
        if scored.standing == "LISTED":
            return set()
        return {name for name, threshold in model.benefits
                if scored.score >= threshold
                or (name in held and scored.score >= threshold - model.revoke_margin)}

    def entitlement(self, action, name, now):
        return {"action": action, "benefit_id": name, "score": now.score,
                "sequence": now.sequence}

    def entitlements(self, model, held, now):
        """[7.7] Each benefit that changed, in the model's order."""
        return [self.entitlement("GRANTED" if name in now.benefits else "REVOKED", name, now)
                for name, _ in model.benefits if (name in now.benefits) != (name in held)]

    def record(self, event, cause, now, kind, previous_score, factors, reasons, consent_position,
               model, friends):
        return {"user_id": event.user_id, "sequence": now.sequence, "kind": kind,
                "standing": now.standing, "score": now.score, "previous_score": previous_score,
                "tier": now.tier, "factors": factors, "reasons": reasons, "case_id": None,
                "event_id": None if cause is None else cause.event_id or None,
                "positions": dict(self.positions[event.partition]),
                "consent_position": consent_position, "as_of": now.as_of, "clock": now.horizon,
                "friends": {"confirmed": len(friends.confirmed()),
                            "bands": sum(friends.confirmed().values())},
                "model_version": model.version}


def main():
    if len(sys.argv) not in (3, 4):
        sys.exit("usage: second_scorer.py EVENTS.jsonl MODEL.yaml [BUSINESS.yaml]")
    person, business = Model(sys.argv[2]), Model(sys.argv[3]) if len(sys.argv) > 3 else None
    sys.stdout.reconfigure(encoding="utf-8")
    with open(sys.argv[1], encoding="utf-8") as log:
        header = json.loads(next(log))
        if header["format"] != "sesame-golden-3":
            sys.exit("%s: not a golden log" % sys.argv[1])
        scorer = Scorer(person, business, header["future_tolerance_ms"])
        for line in log:
            result = scorer.apply(Event(json.loads(line)))
            print(json.dumps(result, ensure_ascii=False, separators=(",", ":")))


if __name__ == "__main__":
    main()
