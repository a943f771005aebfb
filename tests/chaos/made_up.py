"""A made-up partition, played by the second scorer with a clock and sleepers of its own, for
check_judge.py."""

import io
import json
import random
from typing import NamedTuple

import fastavro

import judge
from accounts import MARK_KEY, OUTCOMES, SWEEP
from bus import INPUTS, schema_text
from recount import OUTCOME_NAMES, TOLERANCE_MS, chaos_model, plain, plain_schema
from settle import Settler, second_scorer
from subscribers import Subscriber

DAY_MS = 86400000
SECOND_MS = 1000
START_MS = 1_790_000_000_000
ALL = ("sequence", "kind", "standing", "score", "previous_score", "tier", "factors", "reasons",
       "case_id", "cause", "positions", "consent_positions", "as_of", "clock", "model_version")
FEW = ("sequence", "kind", "standing", "score", "cause", "positions", "as_of", "clock")


class Message(NamedTuple):
    """What the judge asks of one."""
    at: int
    name: bytes
    body: bytes
    time: int
    head: tuple = ()

    def offset(self):
        return self.at

    def key(self):
        return self.name

    def value(self):
        return self.body

    def timestamp(self):
        return 1, self.time

    def headers(self):
        return self.head


def wire(schema, value):
    out = io.BytesIO(b"\0\0\0\0\1")
    out.seek(5)
    fastavro.schemaless_writer(out, schema, value)
    return out.getvalue()


def varints(numbers):
    out = bytearray()
    for number in numbers:
        value = number << 1 ^ number >> 63
        while value > 0x7F:
            out.append(value & 0x7F | 0x80)
            value >>= 7
        out.append(value)
    return bytes(out)


def subscriber_schema(fields):
    schema = json.loads(schema_text("scores"))
    schema["fields"] = [f for f in schema["fields"] if f["name"] in ("user_id", *fields)]
    kind = next(f for f in schema["fields"] if f["name"] == "kind")
    kind["type"]["symbols"].append("SHARED")
    return json.dumps(schema)


SUBSCRIBERS = [
    Subscriber("lending", "scores.lending", list(ALL), True, subscriber_schema(ALL), 1),
    Subscriber("cars", "scores.cars", list(FEW), False, subscriber_schema(FEW), 1),
]


def histogram(scores):
    """As a mark holds it (state/pack_histogram.h)."""
    tokens, nobody = [], 0
    for score in range(350, 951):
        users = sum(each == score for each in scores)
        if users and nobody:
            tokens.append(2 * nobody)
        if users:
            tokens.append(2 * users + 1)
        nobody = 0 if users else nobody + 1
    if nobody:
        tokens.append(2 * nobody)
    return b"".join(bytes([n]) if n < 128 else bytes([n & 127 | 128, n >> 7]) for n in tokens)


class World:
    """One partition, its inputs, and an engine that reads them as it likes."""

    def __init__(self, seed, behind):
        self.rng, self.behind = random.Random(seed), behind
        self.model = chaos_model()
        self.scorer = second_scorer.Scorer(self.model, None, TOLERANCE_MS)
        names = {second_scorer.h32(each.name): each for each in SUBSCRIBERS}
        self.names = names
        self.settler = Settler(self.scorer, 0, frozenset(names), {})
        self.schemas = {name: plain_schema(name) for name in (*INPUTS, "scores", "entitlements")}
        self.shared = {hash_: fastavro.parse_schema(plain(json.loads(each.schema)))
                       for hash_, each in names.items()}
        self.positions = self.scorer.positions[0] = dict.fromkeys((*INPUTS, "neighbours"), 0)
        self.counts = {name: dict.fromkeys(OUTCOMES, 0) for name in INPUTS}
        self.logs = {name: [] for name in (
            *INPUTS, "scores", "entitlements", "dead-letters", "sesame-state",
            *(each.topic for each in SUBSCRIBERS))}
        self.reached, self.scores = dict.fromkeys(INPUTS, 0), {}
        self.now, self.number, self.open = START_MS, 0, []
        self.clock = self.scorer.clock[0] = 0
        # some have lived long ago: their steps are many, and most of them unseen
        self.users = [(f"u{i}", self.rng.choice((
            0, 3 * DAY_MS, *(30 * DAY_MS - self.rng.randrange(300000) for _ in "ab"), 400 * DAY_MS)))
            for i in range(12)]

    # -- upstream

    def _send(self, topic, user, **fields):
        user_id, ago = user
        self.number += 1
        late = self.rng.choice((0, 0, 0, 0, self.rng.randrange(40 * DAY_MS) if ago else 5))
        at = self.now - ago + (self.number * 5 * 3600000 if ago > 30 * DAY_MS else 0)
        value = {"event_id": f"e{self.number}", "user_id": user_id,
                 "occurred_at": min(at, self.now) - late, **fields}
        if self.rng.random() < 0.04:
            value["event_id"] = f"e{self.number - 1}"
        log = self.logs[topic]
        body = wire(self.schemas[topic], value)
        log.append(Message(len(log), user_id.encode(), body, self.now))
        return value

    def _consent(self, user, action="GRANTED", purpose="SCORING", subscriber=""):
        self._send("consents", user, action=action, purpose=purpose, subscriber=subscriber)

    def upstream(self):
        rng, user = self.rng, self.rng.choice(self.users)
        kind = rng.random()
        money = {"amount_minor": rng.choice((0, rng.randrange(900000))), "currency": "CNY"}
        if self.number < 20 or kind < 0.08:
            self._consent(user, rng.choice(("GRANTED",) * 6 + ("WITHDRAWN",)))
        elif kind < 0.2:
            self._consent(user, rng.choice(("GRANTED", "GRANTED", "WITHDRAWN")), "SHARE",
                          rng.choice(("lending", "cars", "nobody")))
        elif kind < 0.5:
            self._send("payments", user, status=rng.choice(("SETTLED",) * 5 + ("REFUNDED",)),
                       category="DINING", counterparty="", **money)
        elif kind < 0.75 or not self.open:
            due = self.now + rng.choice((-400, -7, -7, 0, 0, 0, 1)) * DAY_MS + rng.randrange(40000)
            bill = f"b{rng.randrange(40)}"
            self.open.append((user, bill))
            self._send("bills", user, status="ISSUED", kind="CARD", bill_id=bill, due_at=due, **money)
        elif kind < 0.92:
            user, bill = self.open.pop(rng.randrange(len(self.open)))
            self._send("bills", user, status=rng.choice(("PAID", "PAID", "CANCELLED", "DEFAULTED")),
                       kind="CARD", bill_id=bill, due_at=None, **money)
        elif kind < 0.96:
            self._send("blacklist", user, action=rng.choice(("LISTED", "DELISTED")), case_id="c",
                       authority="court", amount_owed_minor=1, currency="CNY")
        else:
            self._send("bookings", user, status="NO_SHOW", kind="HOTEL", booking_id="b")

    # -- the engine

    def _tick(self, ended):
        behind = [self.reached[i] for i in INPUTS
                  if self.positions[i] < len(self.logs[i]) or not ended]
        clock = min(behind) if behind else self.now
        self.clock = self.scorer.clock[0] = max(self.clock, clock)

    def _out(self, topic, schema, user_id, value):
        body = value and wire(schema, value)
        log = self.logs[topic]
        log.append(Message(len(log), user_id.encode(), body, self.now))

    def _publish(self, user_id, step):
        event = step.event
        cause = event and {"topic": event.topic, "partition": 0, "offset": event.offset,
                           "event_id": event.event_id}

        def whole(record):
            return record and {**record, "cause": cause, "positions": dict(self.positions),
                               "consent_positions": {"scoring": record["consent_position"]}}

        if step.record:
            self.scores[user_id] = step.record["score"]
            self._out("scores", self.schemas["scores"], user_id, whole(step.record))
        for each in step.entitlements:
            self._out("entitlements", self.schemas["entitlements"], user_id, {
                **each, "user_id": user_id, "title": "", "threshold": 0,
                "as_of": step.record["as_of"], "cause": cause,
                "model_version": "m"})
        for name, record in step.tells:
            self._out(self.names[name].topic, self.shared[name], user_id, whole(record))

    def _steps(self, user_id, event):
        user = self.scorer.users.get(user_id)
        while self.settler._due(user, self.clock):
            self._publish(user_id, self.settler._wake(event, user))

    def read(self, topic):
        offset = self.positions[topic]
        message = self.logs[topic][offset]
        value = fastavro.schemaless_reader(io.BytesIO(message.body[5:]), self.schemas[topic], None)
        event = second_scorer.Event({"topic": topic, "partition": 0, "offset": offset,
                                     "record_time": message.time, "value": value})
        self.reached[topic] = max(self.reached[topic], min(event.occurred_at, message.time))
        if self.positions[topic] + 1 < len(self.logs[topic]):
            self._tick(False)
        self._steps(event.user_id, event)
        self.positions[topic] = offset + 1
        if not second_scorer.refusal(event, self.scorer.model, self.scorer.tolerance):
            self.scorer.move_day(event)
        step = self.settler._apply(event)
        outcome = OUTCOME_NAMES[step.outcome]
        self.counts[topic][outcome] += 1
        if outcome == "dead_lettered":
            head = [("sesame.topic", topic.encode()), ("sesame.offset", b"%d" % offset),
                    ("sesame.reason", step.why.encode()), ("sesame.partition", b"0")]
            log = self.logs["dead-letters"]
            log.append(Message(len(log), message.name, message.body, self.now, head))
        self._publish(event.user_id, step)

    def wake(self, share):
        """Those whose time has come, or some of them."""
        for user_id in list(self.scorer.users):
            if self.rng.random() < share:
                nothing = {"topic": "consents", "partition": 0, "offset": -1,
                           "value": {"user_id": user_id}}
                self._steps(user_id, second_scorer.Event(nothing))

    def mark(self):
        numbers = [n for name in INPUTS for n in (
            self.positions[name], *(self.counts[name][o] for o in OUTCOMES), self.positions[name],
            0, 0)]
        numbers += [0] * (4 + len(OUTCOMES))  # neighbours
        numbers += [0 for _ in SWEEP]
        body = (b"\4" + bytes(16) + varints((1, self.clock)) + b"\0\0"
                + bytes((len(INPUTS) + 1, len(OUTCOMES))) + varints(numbers) + b"\0"
                + histogram(self.scores.values()))
        log = self.logs["sesame-state"]
        log.append(Message(len(log), MARK_KEY.encode(), body, self.now))

    def play(self, events):
        rng = self.rng
        for _ in range(events):
            self.now += rng.randrange(2 * SECOND_MS)
            self.upstream()
            if rng.random() < self.behind:
                continue
            for _ in range(rng.randrange(6)):
                left = [i for i in INPUTS if self.positions[i] < len(self.logs[i])]
                if not left:
                    break
                self.read(rng.choice(left))
            self._tick(True)
            self.wake(0.3)
            self.mark()
        while left := [i for i in INPUTS if self.positions[i] < len(self.logs[i])]:
            self.read(rng.choice(left))
        self.now += 50 * SECOND_MS
        self._tick(True)
        self.wake(1)
        self.mark()  # as a heartbeat does
        for user_id, user in self.scorer.users.items():
            if user.consents.holds or user.blacklist.listed:
                self.logs["sesame-state"].insert(0, Message(-1, user_id.encode(), b"state", self.now))

    # -- the verdict

    def verdict(self, rules=None):
        ends = {name: len(log) for name, log in self.logs.items()}
        held = {m.name.decode(): m.body for m in self.logs["sesame-state"] if m.body == b"state"}
        last = self.logs["sesame-state"][-1]
        checkpoint = bytes(4) + b"\2\0" + bytes(16 + 8) + varints((1, last.at, 0))
        case = judge.Case("", 0, 1, ends, dict.fromkeys(INPUTS, 1), SUBSCRIBERS, held, checkpoint,
                          self.clock, rules)
        judge.committed = lambda _case, topic: iter(self.logs[topic])
        return judge.judge_partition(case)
