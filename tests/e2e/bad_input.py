"""An engine that is sent what it cannot use, and the means to count what becomes of it."""

import json
import time

from accounts import check_marks, check_published
from feed import DAY_MS, Feed

GRANT_MS = 1700000000000


def consent(user, at=GRANT_MS, action="GRANTED"):
    return "consents", {
        "event_id": f"{user}-{action}", "user_id": user, "occurred_at": at, "action": action,
        "purpose": "SCORING", "subscriber": "",
    }


def payment(user="good", **changes):
    return {
        "event_id": "p", "user_id": user, "occurred_at": GRANT_MS + DAY_MS, "status": "SETTLED",
        "amount_minor": 5000, "currency": "CNY", "category": "DINING", "counterparty": "",
        **changes,
    }


class Bench:
    """An engine, somebody who has opted in, and a count of what has been sent."""

    def __init__(self, bus, engine, prefix):
        self.bus, self.engine, self.prefix = bus, engine, prefix
        engine.run("topics", "create")
        engine.run("schemas", "register")
        self.feed = Feed(bus, engine)
        self.feed.send([consent("good")])

    def encode(self, event, topic="payments"):
        return self.feed.encode(topic, event)

    def register(self, name, schema):
        """A writer's own version of a schema; returns its id."""
        return self.bus.register(f"{self.prefix}{name}", json.dumps(schema))

    def produce(self, value, key="good", topic="payments", **message):
        """Sends one record; returns its (partition, offset)."""
        name = self.engine.config["topics"][topic]
        message = {"timestamp": int(time.time() * 1000), **message}
        [place] = self.bus.produce(name, [(key, value)], **message)
        return place

    def letters(self):
        return self.bus.read(self.engine.config["topics"]["dead_letters"], decode=False)

    def check(self):
        """Counts by mark, by letter and by the topics' ends; returns the sums of the outcomes."""
        check_published(self.bus, self.engine.config["topics"])
        sums = check_marks(self.bus, self.engine.config["topics"])
        assert sums["dead_lettered"] == len(self.letters())
        return sums
