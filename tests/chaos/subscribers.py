"""What the subscribers' topics hold of a partition, against what the rule demands (docs/subscribing.md).

Of a topic that is kept whole each record is compared. Of one that is compacted what is left must be
among what was demanded, in its order, and each user's last word must be there.
"""

import json
from collections import deque
from typing import NamedTuple

import fastavro

from bus import INPUTS
from recount import decode, plain, published_record, where
from settle import Sight, second_scorer


class Subscriber(NamedTuple):
    name: str
    topic: str
    fields: list
    whole: bool  # not compacted
    schema: str  # the writer's
    schema_id: int


class Topic:
    """One subscriber's, in one partition."""

    def __init__(self, subscriber):
        self.subscriber = subscriber
        self.schema = fastavro.parse_schema(plain(json.loads(subscriber.schema)))
        self.found = {}  # user -> its values, not decoded, as they come
        self.last = {}  # user -> the last of them
        self.owed = {}  # user -> what was demanded last, where the last one is not that
        self.count = self.tombstones = self.shared = 0

    def decode(self, value):
        if value is None:
            return None
        assert int.from_bytes(value[1:5], "big") == self.subscriber.schema_id
        return decode(self.schema, value)

    def matches(self, value, user_id, record, event):
        """Whether a value of the topic is the record, as the scorer has it, cut to the fields."""
        found = self.decode(value)
        if found is None or record is None:
            return found is record
        if found.keys() != {"user_id", *self.subscriber.fields} or found["user_id"] != user_id:
            return False
        whole = published_record({"cause": None, "consent_positions": {"scoring": None}, **found})
        for name, seen in whole.items():
            if name == "cause":
                seen, wanted = (whole["topic"], whole["offset"]), where(event)
            elif name == "event_id" and "cause" not in found:
                continue
            elif name == "consent_position" and "consent_positions" not in found:
                continue
            elif name == "positions" and record["positions"] is None:
                seen, wanted = seen["consents"], event.offset + 1
            elif name in ("topic", "offset", "consent_positions"):
                continue
            else:
                wanted = record[name]
            if seen != wanted:
                return False
        return True


class Subscribers:
    def __init__(self, subscribers):
        self.topics = {second_scorer.h32(each.name): Topic(each) for each in subscribers}
        self.names = frozenset(self.topics)
        self.sights = {}  # offset of a SHARE grant in consents -> Sight, positions
        self.differences = []

    def read(self, name, messages):
        """All of a subscriber's topic, before the recount."""
        topic, positions = self.topics[name], dict.fromkeys(INPUTS, 0)
        for message in messages:
            user_id, value = message.key().decode(), message.value()
            topic.found.setdefault(user_id, deque()).append(value)
            topic.last[user_id] = value
            topic.count += 1
            topic.tombstones += value is None
            record = topic.decode(value)
            if record is None:
                continue
            if any(record["positions"][i] < positions[i] for i in INPUTS):
                self.differences.append(f"{topic.subscriber.topic}: positions fall at {record}")
            positions = record["positions"]
            if record["kind"] == "SHARED":
                topic.shared += 1
                sight = Sight(record["as_of"], record["clock"])
                self.sights[record["cause"]["offset"]] = sight, record["positions"]

    def told(self, name, user_id, record, event):
        """The rule demands this record, or a tombstone, now. Yields what is wrong."""
        topic = self.topics[name]
        found = topic.found.get(user_id)
        if found and topic.matches(found[0], user_id, record, event):
            found.popleft()
        elif topic.subscriber.whole:
            there = topic.decode(found.popleft()) if found else "nothing"
            yield f"{topic.subscriber.topic}: {user_id} gets {there}, and should get {record}"
        topic.owed.pop(user_id, None)
        if topic.subscriber.whole:
            return
        # Two tombstones look alike, and the first one found may be the second one demanded.
        if user_id not in topic.last or not topic.matches(
                topic.last[user_id], user_id, record, event):
            topic.owed[user_id] = record

    def left(self):
        """When all has been told. Yields what is wrong."""
        yield from self.differences
        for topic in self.topics.values():
            for user_id, found in topic.found.items():
                if found:
                    yield (f"{topic.subscriber.topic}: {user_id} gets for nothing: "
                           f"{[topic.decode(value) for value in found][:3]}")
            for user_id, record in topic.owed.items():
                # A tombstone may be gone, once nothing is left for it to delete.
                if record or user_id in topic.last:
                    yield f"{topic.subscriber.topic}: {user_id} is not told: {record}"
