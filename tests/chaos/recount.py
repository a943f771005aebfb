"""An independent recount of one partition: the inputs folded again, in the order that the published
positions tell, by the second scorer (tests/golden), which shares nothing with the engine.

Each score record says how far every input had been read when it was made. So the records of a partition,
in their order, cut its inputs into small intervals; an interval's last event is the record's cause,
where it has one, and nothing else in it may lead to a record. What a user's intervals hold up to the
next record of that user is settled together (settle.py). The outcome of every event, every record,
grant and revocation, and what subscribers are told follow, and must be what is there.
"""

import io
import json
import pathlib
from collections import deque

import fastavro

from bus import INPUTS, schema_text
from partitioner import murmur2_partition
from settle import Group, Settler, same, second_scorer
from stack import TREE

KEY_BYTES_MAX = 64
TOLERANCE_MS = 86400000
OUTCOME_NAMES = {"counted": "counted", "duplicate": "duplicate", "not-consented": "not_consented",
                 "dead-lettered": "dead_lettered"}


def plain(schema):
    """A schema with times as numbers."""
    if isinstance(schema, dict):
        return {key: plain(value) for key, value in schema.items() if key != "logicalType"}
    return [plain(value) for value in schema] if isinstance(schema, list) else schema


def plain_schema(name):
    """Ours."""
    return fastavro.parse_schema(plain(json.loads(schema_text(name))))


def decode(schema, value):
    """A value in the wire format, to its last byte."""
    body = io.BytesIO(value[5:])
    event = fastavro.schemaless_reader(body, schema, None)
    if body.read(1):
        raise ValueError("more bytes than the schema has")
    return event


class Refused(Exception):
    """A record that does not come as far as the scorer; the argument is the reason."""


class Recount:
    """Of one partition. `inputs`: topic -> its records as (timestamp, key, value), by offset;
    `schema_ids`: topic -> the one id that events are written with; `subscribers`: who is told of
    whom, and gets to know what (subscribers.py)."""

    def __init__(self, partition, partitions, inputs, schema_ids, model, subscribers):
        self.partition, self.partitions = partition, partitions
        self.inputs, self.schema_ids = inputs, schema_ids
        self.schemas = {name: plain_schema(name) for name in INPUTS}
        self.model = model
        self.scorer = second_scorer.Scorer(self.model, None, TOLERANCE_MS)
        self.subscribers = subscribers
        self.settler = Settler(
            self.scorer, partition, subscribers.names,
            {offset: sight for offset, (sight, _) in subscribers.sights.items()})
        self.at = dict.fromkeys(INPUTS, 0)
        self.scorer.positions[partition] = self.at
        self.counts = {name: dict.fromkeys(OUTCOME_NAMES.values(), 0) for name in INPUTS}
        self.dead = {}  # (topic, offset) -> reason
        self.entitlements = []
        self.differences = []
        self.clock = 0  # the partition's, at least
        self._pending = {}  # user -> groups since the last record
        self._sights = deque(
            (offset, sight, positions) for offset, (sight, positions) in
            sorted(subscribers.sights.items()))
        self._routes = {}

    # -- one record of an input

    def _event(self, topic, offset):
        timestamp, key, value = self.inputs[topic][offset]
        if not key:
            raise Refused("NO_KEY")
        if len(key) > KEY_BYTES_MAX:
            raise Refused("BAD_USER_ID")
        if value is None:
            raise Refused("NO_VALUE")
        route = self._routes.get(key)
        if route is None:
            route = self._routes[key] = murmur2_partition(key, self.partitions)
        if route != self.partition:
            raise Refused("MISROUTED")
        if len(value) < 5 or value[0] != 0:
            raise Refused("BAD_WIRE_FORMAT")
        if int.from_bytes(value[1:5], "big") != self.schema_ids[topic]:
            raise Refused("BAD_SCHEMA")
        try:
            fields = decode(self.schemas[topic], value)
        except Exception:  # pylint: disable=broad-except
            raise Refused("UNREADABLE") from None
        if fields["user_id"].encode() != key:
            raise Refused("KEY_MISMATCH")
        return second_scorer.Event({
            "topic": topic, "partition": self.partition, "offset": offset,
            "record_time": timestamp, "value": fields,
        })

    def _note(self, event, outcome, why):
        self.counts[event.topic][OUTCOME_NAMES[outcome]] += 1
        if outcome == "dead-lettered":
            self.dead[event.topic, event.offset] = why

    def _differ(self, text):
        self.differences.append(f"partition {self.partition}: {text}")

    # -- an interval

    def take(self, positions, high, published=None):
        """Reads on to these positions; the clock has not come beyond `high` there. `published`: the
        record that stands there, as published_record() has it; its cause, if any, is the last
        event of `published["topic"]`."""
        cause_at = published and (published["topic"], published["offset"])
        while self._sights:
            offset, sight, at = self._sights[0]
            if any(at[name] > positions[name] for name in INPUTS):
                break
            self._sights.popleft()
            if cause_at != ("consents", offset):
                self._take_sight(offset, sight, at, high)
        if self._reaches(positions, cause_at, published):
            cause = self._advance(positions, high, cause_at)
            if published:
                self._take_record(published, cause, cause_at[0], high)

    def _take_sight(self, offset, sight, positions, high):
        """A SHARE grant whose subscriber's record says where it was read."""
        where_ = "consents", offset
        if not self._reaches(positions, where_, sight):
            return
        event = self._advance(positions, high, where_)
        self._check_clock(*sight, high, where_)
        if event:
            group = Group(self.clock, high, {"consents": [event]})
            self._pending.setdefault(event.user_id, []).append(group)
        self.clock = max(self.clock, sight.horizon)

    def _reaches(self, positions, cause_at, what):
        """Whether positions are ahead, with the cause just behind them."""
        for name in INPUTS:
            if not self.at[name] <= positions[name] <= len(self.inputs[name]):
                self._differ(f"{name} goes from {self.at[name]} to {positions[name]} of "
                             f"{len(self.inputs[name])} at {what}")
                return False
        if cause_at and cause_at[0] and not (
                self.at[cause_at[0]] <= cause_at[1] == positions[cause_at[0]] - 1):
            self._differ(f"published twice, or of nothing: {what}")
            return False
        return True

    def _advance(self, positions, high, cause_at):
        """Puts off what the interval holds; the event at cause_at, if it is one."""
        cause, users = None, {}
        for name in INPUTS:
            for offset in range(self.at[name], positions[name]):
                event = self._readable(name, offset)
                if event is None:
                    continue
                if (name, offset) == cause_at:
                    cause = event
                else:
                    users.setdefault(event.user_id, {}).setdefault(name, []).append(event)
        self.at = dict(positions)
        for user_id, queues in users.items():
            self._pending.setdefault(user_id, []).append(Group(self.clock, high, queues))
        return cause

    def _check_clock(self, as_of, horizon, high, what):
        if horizon > high or horizon > as_of:
            self._differ(f"the clock is ahead of time, by {high}: {what}")
        if horizon < as_of and horizon < self.clock:
            self._differ(f"the clock has fallen from {self.clock}: {what}")

    def _take_record(self, published, cause, topic, high):
        self._check_clock(published["as_of"], published["clock"], high, published)
        if topic and (cause is None or cause.user_id != published["user_id"]):
            self._differ(f"published of what another, or nobody, has done: {published}")
            return
        user_id = published["user_id"]
        self.scorer.positions[self.partition] = self.at
        self._settle(user_id, self._pending.pop(user_id, []), cause, published, self.clock)
        self.clock = max(self.clock, published["clock"])

    def finish(self, positions, clock, due_by):
        """All has been read. `clock`: the partition's, as its last mark has it; what was due by
        `due_by` must have been published."""
        self.take(positions, clock)
        if clock < self.clock:
            self._differ(f"the clock has fallen from {self.clock} to the last mark's {clock}")
        for user_id in list(self.scorer.users.keys() | self._pending.keys()):
            self._settle(user_id, self._pending.pop(user_id, []), None, None, due_by)

    def _readable(self, name, offset):
        """The event; None where it is refused for what it is: it takes no steps (7.12)."""
        try:
            event = self._event(name, offset)
            why = second_scorer.refusal(event, self.model, TOLERANCE_MS)
            if why:
                raise Refused(why)
        except Refused as refused:
            self.counts[name]["dead_lettered"] += 1
            self.dead[name, offset] = refused.args[0]
            return None
        self.scorer.move_day(event)  # in the order of its log
        return event

    def _settle(self, user_id, groups, cause, published, low):
        steps, wrong = self.settler.settle(user_id, groups, cause, published, low)
        if wrong is not None:
            self._tell_wrong(user_id, wrong, published)
        for step in steps:
            if step.event:
                self._note(step.event, step.outcome, step.why)
            for e in step.entitlements:
                self.entitlements.append((
                    user_id, e["action"], e["benefit_id"], e["score"], e["sequence"],
                    step.record["as_of"], *where(step.event)))
            for name, record in step.tells:
                self._told(name, user_id, record, step.event)

    def _told(self, name, user_id, record, event):
        for text in self.subscribers.told(name, user_id, record, event):
            self._differ(text)

    def _tell_wrong(self, user_id, wrong, published):
        if published is None:
            for record in wrong:
                self._differ(f"not published: {record}")
            return
        what = f"{user_id} {published['kind']} {published['topic']} offset {published['offset']}"
        if not wrong:
            self._differ(f"{what}: published, but nothing has changed: {published}")
        for record in wrong[:-1]:
            self._differ(f"{what}: not published before it: {record}")
        if wrong and not same(wrong[-1], published):
            unlike = {k: (published[k], v) for k, v in wrong[-1].items() if published[k] != v}
            self._differ(f"{what}: published, and recounted: {unlike}")
        elif wrong[:-1] == []:
            self._differ(f"{what}: published, but not by way of what lies before: {published}")

    # -- what came with the records

    def keep(self, user_id, value):
        """The record that was taken, as it was read: nobody asks for it here."""

    def expected_dead(self, _found):
        """(topic, offset) -> reason; `found`: the dead letters, alike."""
        return self.dead

    def compare_entitlements(self, found):
        if found == self.entitlements:
            return
        missing, extra = set(self.entitlements) - set(found), set(found) - set(self.entitlements)
        self.differences += [f"not granted or revoked: {each}" for each in missing]
        self.differences += [f"granted or revoked for nothing: {each}" for each in extra]
        if not missing and not extra:
            self.differences.append("entitlements are not in the order of the scores")

    def check_subscribers(self):
        self.differences += self.subscribers.left()

    def holders(self):
        """Of whom a state is kept."""
        return {user_id for user_id, user in self.scorer.users.items()
                if user.consents.holds or user.blacklist.listed}


def where(event):
    return (event.topic, event.offset) if event else (None, None)


def published_record(value):
    """A decoded score record in the scorer's words, with topic and offset of the cause, if any."""
    cause = value["cause"] or {"event_id": None, "topic": None, "offset": None, "partition": None}
    return {**value, "consent_position": value["consent_positions"]["scoring"],
            "event_id": cause["event_id"], "topic": cause["topic"], "offset": cause["offset"]}


MODEL_FILE = pathlib.Path(TREE) / "config" / "model.yaml"


def chaos_model():
    """The default model without friends, which can be recounted."""
    model = second_scorer.Model(MODEL_FILE)
    model.friends_max = 0
    model.version = model.computed_version()
    return model


def write_model(path, **changes):
    """The default model for the engine, with texts replaced, each once."""
    text = MODEL_FILE.read_text(encoding="utf-8")
    for old, new in changes.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path.write_text(text, encoding="utf-8")
    return path
