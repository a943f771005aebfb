"""An independent recount of one partition: the inputs folded again, in the order that the published
positions tell, by the second scorer (tests/golden), which shares nothing with the engine.

Each score record says how far every input had been read when it was made. So the records of a partition,
in their order, cut its inputs into small intervals; an interval's last event is the record's cause, and
nothing else in it may lead to a record. The outcome of every event, every record, grant and revocation
follows, and must be what is there.
"""

import copy
import io
import json
import pathlib
import sys

import fastavro

from bus import INPUTS, schema_text
from stack import TREE

sys.path.insert(0, str(TREE / "tests/golden"))
import second_scorer  # noqa: E402  pylint: disable=wrong-import-position

KEY_BYTES_MAX = 64
TOLERANCE_MS = 86400000
SEARCH_STEPS_MAX = 2000
OUTCOME_NAMES = {"counted": "counted", "duplicate": "duplicate", "not-consented": "not_consented",
                 "dead-lettered": "dead_lettered"}


def murmur2(data):
    """Kafka's hash of a key."""
    m, mask, size = 0x5BD1E995, 0xFFFFFFFF, len(data)
    h = 0x9747B28C ^ size
    for at in range(0, size - size % 4, 4):
        k = int.from_bytes(data[at:at + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = h * m & mask ^ k
    rest = data[size - size % 4:]
    if rest:
        h = (h ^ int.from_bytes(rest, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return h ^ h >> 15


def plain_schema(name):
    """Our schema with times as numbers."""
    schema = json.loads(schema_text(name))

    def strip(node):
        if isinstance(node, dict):
            return {key: strip(value) for key, value in node.items() if key != "logicalType"}
        return [strip(value) for value in node] if isinstance(node, list) else node

    return fastavro.parse_schema(strip(schema))


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
    `schema_ids`: topic -> the one id that events are written with."""

    def __init__(self, partition, partitions, inputs, schema_ids, model_file):
        self.partition, self.partitions = partition, partitions
        self.inputs, self.schema_ids = inputs, schema_ids
        self.schemas = {name: plain_schema(name) for name in INPUTS}
        self.model = second_scorer.Model(model_file)
        self.scorer = second_scorer.Scorer(self.model, TOLERANCE_MS)
        self.at = dict.fromkeys(INPUTS, 0)
        self.counts = {name: dict.fromkeys(OUTCOME_NAMES.values(), 0) for name in INPUTS}
        self.dead = {}  # (topic, offset) -> reason
        self.entitlements = []
        self.differences = []
        self.searched = 0
        self._routes = {}
        tables = self.model.decay_tables.values()
        self._shared = {id(table): table for table in tables}  # not copied with a user

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
            route = self._routes[key] = (murmur2(key) & 0x7FFFFFFF) % self.partitions
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

    def take(self, positions, published=None, entitled=None):
        """Reads on to these positions. `published`: the record that stands there, as the scorer
        writes it; its cause is the last event of `published["cause"]`'s topic."""
        for name in INPUTS:
            if not self.at[name] <= positions[name] <= len(self.inputs[name]):
                self._differ(f"{name} goes from {self.at[name]} to {positions[name]} of "
                             f"{len(self.inputs[name])} at {published}")
                return
        cause_at = published and (published["topic"], published["offset"])
        cause, users = None, {}
        for name in INPUTS:
            for offset in range(self.at[name], positions[name]):
                try:
                    event = self._event(name, offset)
                except Refused as refused:
                    self.counts[name]["dead_lettered"] += 1
                    self.dead[name, offset] = refused.args[0]
                    continue
                if (name, offset) == cause_at:
                    cause = event
                else:
                    users.setdefault(event.user_id, {}).setdefault(name, []).append(event)
        self.at = dict(positions)
        if published and (cause is None or cause_at[1] + 1 != positions[cause_at[0]]):
            self._differ(f"published twice, or of nothing: {published}")
            cause = published = None
        for user_id, queues in users.items():
            if cause is None or user_id != cause.user_id:
                self._settle(user_id, queues, None, None)
        if cause:
            self.scorer.positions[self.partition] = dict(positions)
            self._settle(cause.user_id, users.get(cause.user_id, {}), cause, published)

    def _settle(self, user_id, queues, cause, published):
        """Applies what an interval holds of one user, its cause last."""
        user = self.scorer.users.get(user_id)
        if len(queues) > 1 and user and user.consents.holds:
            # The order between the topics is not told; one must do in which nothing is published.
            self.searched += 1
            self._steps = 0
            found = self._search(user_id, {n: list(e) for n, e in queues.items()}, cause, published)
            if found is not None:
                for event, outcome, why, entitlements in found:
                    self._note(event, outcome, why)
                    self._entitle(event, entitlements)
                return
        for name in sorted(queues, key=lambda n: n != "consents"):
            for event in queues[name]:
                outcome, why, record, entitlements = self.scorer.outcome(event)
                self._note(event, outcome, why)
                self._entitle(event, entitlements)
                if record:
                    self._differ(f"not published: {record}")
        if cause:
            outcome, why, record, entitlements = self.scorer.outcome(cause)
            self._note(cause, outcome, why)
            self._entitle(cause, entitlements)
            self._compare(record, published)

    def _search(self, user_id, queues, cause, published):
        """The steps of an order in which only the cause leads to a record, the published one."""
        self._steps += 1
        if self._steps > SEARCH_STEPS_MAX:
            return None
        names = [name for name in queues if queues[name]]
        if not names and not cause:
            return []
        saved = copy.deepcopy(self.scorer.users[user_id], dict(self._shared))
        for name in names or [None]:
            event = queues[name].pop(0) if name else cause
            outcome, why, record, entitlements = self.scorer.outcome(event)
            if name is None:
                rest = [] if same(record, published) else None
            else:
                rest = None if record else self._search(user_id, queues, cause, published)
            if rest is not None:
                return [(event, outcome, why, entitlements), *rest]
            self.scorer.users[user_id] = copy.deepcopy(saved, dict(self._shared))
            if name:
                queues[name].insert(0, event)
        return None

    def _entitle(self, event, entitlements):
        for e in entitlements:
            self.entitlements.append((event.user_id, e["action"], e["benefit_id"], e["score"],
                                      e["sequence"], event.topic, event.offset))

    def _compare(self, record, published):
        if record is None:
            self._differ(f"published, but nothing has changed: {published}")
        elif not same(record, published):
            wrong = {k: (published[k], v) for k, v in record.items() if published[k] != v}
            self._differ(f"{record['user_id']} {published['topic']} offset {published['offset']}: "
                         f"published, and recounted: {wrong}")

    def holders(self):
        """Of whom a state is kept."""
        return {user_id for user_id, user in self.scorer.users.items()
                if user.consents.holds or user.blacklist.listed}


def same(record, published):
    return record is not None and all(published[key] == value for key, value in record.items())


def published_record(value):
    """A decoded score record in the scorer's words, with topic and offset of the cause."""
    cause = value.pop("cause")
    value["consent_position"] = value.pop("consent_positions")["scoring"]
    return {**value, "event_id": cause["event_id"], "topic": cause["topic"],
            "offset": cause["offset"], "cause_partition": cause["partition"]}


MODEL_FILE = pathlib.Path(TREE) / "config" / "model.yaml"
