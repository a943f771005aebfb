"""A made-up history of many users, the same for the same seed and day, with duplicates and late payers.

Final scores after it do not depend on how the topics interleave (promise 5), nor on when the engine
reads what and how far its clock has come by then, as long as all consents are read before the other
events. For that, all of it happens within one day, yesterday: no score ages meanwhile, and bills are
either not due for months, or overdue by the same number of days whatever the clock within that day.
"""

import random
import time

DAY_MS = 86400000
HOUR_MS = 3600000
START_MS = (int(time.time() * 1000) // DAY_MS - 1) * DAY_MS
STEP_MS = 500  # between two events
DUPLICATES = 0.01
CATEGORIES = ("GROCERIES", "DINING", "TRANSPORT", "TRAVEL", "HEALTH", "FINANCIAL", "OTHER")


class History:
    """consents() and then events(n), again and again; together they are one history."""

    def __init__(self, users, seed):
        self.random = random.Random(seed)
        self.users = [f"user-{i}" for i in range(users)]
        self.opted_in = {user for i, user in enumerate(self.users) if i % 20}
        self.listed, self.open_bills, self.last = {}, {}, {}
        self.number = 0

    def _now(self):
        return START_MS + 6 * HOUR_MS + min(self.number * STEP_MS, 18 * HOUR_MS - 1)

    def _event(self, topic, user, **fields):
        self.number += 1
        event = {
            "event_id": f"e{self.number}",
            "user_id": user,
            # mostly forwards: a few percent arrive late
            "occurred_at": self._now() - self.random.choice((0, 0, 0, 3 * HOUR_MS)),
            **fields,
        }
        self.last[topic, user] = event
        return topic, event

    def _consent(self, user, action, purpose="SCORING"):
        topic, event = self._event(
            "consents", user, action=action, purpose=purpose, subscriber=""
        )
        return topic, {**event, "occurred_at": START_MS + self.number}

    def consents(self):
        """Grants by all but each twentieth user; each fiftieth takes it back."""
        granted = [self._consent(user, "GRANTED") for user in self.users if user in self.opted_in]
        withdrawn = [self._consent(user, "WITHDRAWN") for user in self.users[1::50]
                     if user in self.opted_in]
        self.opted_in -= {event["user_id"] for _, event in withdrawn}
        return granted + withdrawn

    def friends(self, count):
        """The first so many who have opted in agree to be found, and each befriends the next; what
        comes of that, as_of too, does depend on what is read when. After consents()."""
        ring = sorted(self.opted_in, key=self.users.index)[:count]
        for user in ring:
            yield self._consent(user, "GRANTED", "SOCIAL")
        for user, other in zip(ring, ring[1:] + ring[:1]):
            yield self._event("social", user, action="FRIEND_ADDED", friend_id=other)
            yield self._event("social", other, action="FRIEND_ADDED", friend_id=user)

    def _bill(self, user):
        self.number += 1
        if user in self.open_bills and self.random.random() < 0.6:
            bill_id, amount = self.open_bills.pop(user)
            status = self.random.choice(("PAID",) * 8 + ("DEFAULTED", "CANCELLED"))
            return self._event("bills", user, status=status, kind="CARD", bill_id=bill_id,
                               amount_minor=amount, currency="CNY", due_at=None)
        bill_id, amount = f"bill-{self.number}", self.random.randrange(1000, 500000)
        self.open_bills[user] = bill_id, amount
        due = START_MS + self.random.choice((-40, 60, 70)) * DAY_MS
        return self._event("bills", user, status="ISSUED", kind="CARD", bill_id=bill_id,
                           amount_minor=amount, currency="CNY", due_at=due)

    def _listing(self, user):
        case = self.listed.pop(user, None)
        action = "DELISTED" if case else "LISTED"
        if not case:
            case = self.listed[user] = f"case-{self.number}"
        return self._event("blacklist", user, action=action, case_id=case, authority="court",
                           amount_owed_minor=100, currency="CNY")

    def _profile(self, user):
        if self.random.random() < 0.5:
            return self._event("profiles", user, action="VERIFIED",
                               fact=self.random.choice(("PHONE", "ADDRESS", "IDENTITY")))
        return self._event("profiles", user, action="CREDIT_LINE", line_id="card", currency="CNY",
                           limit_minor=1000000, balance_minor=self.random.randrange(1200000))

    def _one(self):
        user, kind = self.random.choice(self.users), self.random.random()
        if kind < 0.55:
            return self._event("payments", user, status="SETTLED", currency="CNY",
                               amount_minor=self.random.randrange(100, 300000),
                               category=self.random.choice(CATEGORIES), counterparty="")
        if kind < 0.80:
            return self._bill(user)
        if kind < 0.90:
            status = self.random.choice(("MADE", "HONOURED", "HONOURED", "NO_SHOW", "CANCELLED"))
            return self._event("bookings", user, status=status, kind="HOTEL",
                               booking_id=f"b{self.number}")
        if kind < 0.94:
            return self._event("social", user, action="FRIEND_ADDED", friend_id=f"f{self.number}")
        if kind < 0.995:
            return self._profile(user)
        return self._listing(user)

    def events(self, count):
        """The next events; one in a hundred is a duplicate of the user's last one in its topic."""
        for _ in range(count):
            topic, event = self._one()
            yield topic, event
            if self.random.random() < DUPLICATES:
                yield topic, self.last[topic, event["user_id"]]
