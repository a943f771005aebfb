"""A small history written by hand, and an engine to play it to."""

import uuid

from feed import DAY_MS, Feed
from redis_view import redis_users

START = 1700000000000  # 2023-11-14
GRANTED = "GRANTED"


def at(day, hour=0):
    return START + day * DAY_MS + hour * 3600000


def event(topic, user, occurred_at, **fields):
    return topic, {
        "event_id": uuid.uuid4().hex, "user_id": user, "occurred_at": occurred_at, **fields,
    }


def consent(user, occurred_at, action=GRANTED, purpose="SCORING", subscriber=""):
    return event(
        "consents", user, occurred_at, action=action, purpose=purpose, subscriber=subscriber
    )


def listing(user, occurred_at, action, case="case-1"):
    return event(
        "blacklist", user, occurred_at, action=action, case_id=case, authority="A court",
        amount_owed_minor=5000000, currency="CNY",
    )


def payment(user, occurred_at, amount=30000, category="GROCERIES", status="SETTLED"):
    return event(
        "payments", user, occurred_at, status=status, amount_minor=amount, currency="CNY",
        category=category, counterparty="shop",
    )


def verified(user, occurred_at, fact, **fields):
    return event("profiles", user, occurred_at, action="VERIFIED", fact=fact, **fields)


def good_life(user):
    """A year of somebody who ends well above 650; consent at day 0, everything after it."""
    yield consent(user, at(0))
    yield consent(user, at(0), purpose="SOCIAL")
    for fact in ("PHONE", "ADDRESS", "IDENTITY"):
        yield verified(user, at(1), fact)
    yield verified(user, at(1), "DEGREE", degree_level="GRADUATE")
    yield event(
        "profiles", user, at(1), action="ACCOUNT_OPENED", holder="PERSON",
        opened_at=at(-11 * 365),
    )
    yield event(
        "profiles", user, at(2), action="CREDIT_LINE", line_id="card", limit_minor=30000000,
        balance_minor=100000, currency="CNY",
    )
    for friend in range(6):
        yield event("social", user, at(2), action="FRIEND_ADDED", friend_id=f"friend-{friend}")
    yield event("social", user, at(3), action="FRIEND_REMOVED", friend_id="friend-0")
    for month in range(12):
        bill, day = f"{user}-rent-{month}", 10 + month * 30
        common = {"kind": "RENT", "bill_id": bill, "currency": "CNY", "amount_minor": 900000}
        yield event("bills", user, at(day), status="ISSUED", due_at=at(day + 20), **common)
        yield event("bills", user, at(day + 9), status="PAID", **common)
        stay = {"kind": "HOTEL", "booking_id": f"{user}-stay-{month}"}
        yield event("bookings", user, at(day, 2), status="MADE", **stay)
        yield event("bookings", user, at(day + 5), status="HONOURED", **stay)
        for week, category in enumerate(("GROCERIES", "DINING", "TRAVEL", "HEALTH")):
            yield payment(user, at(day + week * 7, 12), 400000, category)
    yield payment(user, at(370), 20000, status="REFUNDED")


def poor_life(user):
    yield consent(user, at(0))
    for month in range(6):
        day, bill = 5 + month * 30, f"{user}-loan-{month}"
        common = {"kind": "LOAN_INSTALMENT", "bill_id": bill, "currency": "CNY"}
        yield event(
            "bills", user, at(day), status="ISSUED", due_at=at(day + 10), amount_minor=200000,
            **common,
        )
        closed = "DEFAULTED" if month % 2 else "PAID"
        yield event("bills", user, at(day + 60), status=closed, amount_minor=0, **common)
    yield event("bills", user, at(300), status="CANCELLED", kind="FINE", bill_id="never-issued")
    yield event("bookings", user, at(301), status="NO_SHOW", kind="RESTAURANT", booking_id="r1")
    yield event("bookings", user, at(302), status="CANCELLED", kind="DOCTOR", booking_id="r2")
    yield payment(user, at(303), 1000, "ENTERTAINMENT")
    yield payment(user, at(304), 1000, "ENTERTAINMENT", "CHARGED_BACK")
    yield event("profiles", user, at(305), action="REVOKED", fact="PHONE")


class Play:
    """One engine on topics of its own."""

    def __init__(self, bus, engine, stack):
        self.bus, self.engine, self.stack = bus, engine, stack
        engine.config["redis"]["buckets"] = 8
        engine.run("topics", "create")
        engine.run("schemas", "register")
        self.feed = Feed(bus, engine)

    def send(self, *events):
        self.feed.send(events)

    def drain(self):
        return self.engine.drain()

    def scores(self):
        return self.bus.read(self.engine.config["topics"]["scores"])

    def entitlements(self):
        return self.bus.read(self.engine.config["topics"]["entitlements"])

    def changelog(self):
        """user -> value of its last record, friends apart."""
        records = self.bus.read(self.engine.config["topics"]["state"], decode=False)
        return {record.key: record.value for record in records if record.key[0] not in "\x01\x02"}

    def in_redis(self):
        return redis_users(self.stack, self.engine.config["redis"]["prefix"])
