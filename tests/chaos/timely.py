"""Users whom time catches up with while the run lasts: bills that fall due within seconds and are paid
before, after or never, scores that have not moved for the model's intervals, users who fall silent, and
those who share, unshare, leave and come back meanwhile. Their times are the system's."""

import heapq
import random
import threading
import time
from typing import NamedTuple

import confluent_kafka

from feed import Feed

DAY_MS = 86400000
DUE_MS_MAX = 40000  # how far ahead bills fall due
AGED_DAYS, AGED_OVERDUE_DAYS = 30, 7  # the default model's
FLUSH_SECONDS = 240
SUBSCRIBERS = ("lending", "car-rental", "nobody-we-know")


class Planned(NamedTuple):
    at_ms: int
    number: int  # so that equal times compare
    topic: str
    event: dict


class Timely:
    """`lives` of them begin in each second, of some ten events each."""

    def __init__(self, bus, engine, seed, lives):
        self.bus, self.feed = bus, Feed(bus, engine)
        self.seed, self.lives = seed, lives
        self.random = random.Random(f"{seed} timely")
        self.sent = self.delivered = self.failed = self.users = self._number = 0
        self._plan = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self):
        self._thread.start()

    def finish(self):
        """What is planned for later is not sent: those users fall silent."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()

    # -- lives

    def _put(self, topic, user, at_ms, occurred_ms=None, **fields):
        self._number += 1
        event = {"event_id": f"t{self._number}", "user_id": user,
                 "occurred_at": at_ms if occurred_ms is None else occurred_ms, **fields}
        heapq.heappush(self._plan, Planned(at_ms, self._number, topic, event))
        if self.random.random() < 0.01:
            heapq.heappush(self._plan, Planned(at_ms + 1, -self._number, topic, event))

    def _consent(self, user, at_ms, occurred_ms=None, action="GRANTED", purpose="SCORING", name=""):
        self._put("consents", user, at_ms, occurred_ms, action=action, purpose=purpose,
                  subscriber=name)

    def _bill(self, user, at_ms, status, bill_id, due_ms=None, occurred_ms=None):
        self._put("bills", user, at_ms, occurred_ms, status=status, kind="RENT", bill_id=bill_id,
                  amount_minor=self.random.randrange(100, 500000), currency="CNY", due_at=due_ms)

    def _payments(self, user, at_ms, count, occurred_ms=None):
        for i in range(count):
            self._put("payments", user, at_ms + i, occurred_ms and occurred_ms + i, status="SETTLED",
                      amount_minor=self.random.randrange(100, 900000), currency="CNY",
                      category=self.random.choice(("GROCERIES", "DINING", "TRAVEL")), counterparty="")

    def _shares(self, user, at_ms):
        for name in SUBSCRIBERS:
            if self.random.random() < 0.6:
                self._consent(user, at_ms, purpose="SHARE", name=name)
                if self.random.random() < 0.3:
                    later = at_ms + self.random.randrange(DUE_MS_MAX + 10000)
                    self._consent(user, later, action="WITHDRAWN", purpose="SHARE", name=name)
                    if self.random.random() < 0.3:
                        self._consent(user, later + 2000, purpose="SHARE", name=name)

    def _begin(self, now):
        rng, self.users = self.random, self.users + 1
        user = f"time-{self.seed}-{self.users}"
        [life] = rng.choices(
            (self._debtor, self._aging, self._aging_debtor), (8, 2, 3))
        life(user, now)
        self._shares(user, now + 300)
        if rng.random() < 0.06:
            leave = now + rng.randrange(1000, DUE_MS_MAX)
            self._consent(user, leave, action="WITHDRAWN")
            if rng.random() < 0.5:
                self._consent(user, leave + 1500)
                self._debtor(user, leave + 2500, granted=True)
        if rng.random() < 0.05:
            listed = now + rng.randrange(1000, DUE_MS_MAX)
            case = {"case_id": f"c-{user}", "authority": "court", "amount_owed_minor": 1,
                    "currency": "CNY"}
            self._put("blacklist", user, listed, action="LISTED", **case)
            if rng.random() < 0.5:
                self._put("blacklist", user, listed + 9000, action="DELISTED", **case)

    def _debtor(self, user, now, granted=False):
        """One to three bills; half of them with the same due time."""
        rng = self.random
        if not granted:
            self._consent(user, now)
        self._payments(user, now + 200, rng.randrange(4))
        if rng.random() < 0.8:  # who has paid a bill is told at once that another is overdue
            self._bill(user, now + 250, "PAID", f"b-{self._number}", now + DAY_MS)
        due = now + rng.randrange(3000, DUE_MS_MAX)
        for i in range(rng.randrange(1, 4)):
            bill = f"b-{self._number}"
            self._bill(user, now + 400 + i, "ISSUED", bill, due)
            fate = rng.random()
            if fate < 0.3:
                self._bill(user, due - rng.randrange(200, 2500), "PAID", bill)
            elif fate < 0.45:
                self._bill(user, due + rng.randrange(15000), "PAID", bill)
            elif fate < 0.5:
                self._bill(user, due + rng.randrange(-1000, 1000),
                           rng.choice(("DEFAULTED", "CANCELLED")), bill)
            elif fate < 0.58:  # put off, before or after it fell due
                self._bill(user, due + rng.randrange(-1500, 1500), "ISSUED", bill, due + 8000)
            elif fate < 0.64:  # as if long overdue
                self._bill(user, now + 600, "ISSUED", bill, now - rng.randrange(200) * DAY_MS)
            if rng.random() < 0.5:
                due += rng.randrange(1, 9000)

    def _aging(self, user, now):
        """Has lived a month ago, and is silent since."""
        rng = self.random
        then = now - AGED_DAYS * DAY_MS + rng.randrange(2000, DUE_MS_MAX)
        self._consent(user, now, then - 5 * DAY_MS)
        self._payments(user, now + 300, rng.randrange(1, 8), then - 100)
        if rng.random() < 0.3:  # in the last moment
            self._payments(user, then + AGED_DAYS * DAY_MS - rng.randrange(500), 1)

    def _aging_debtor(self, user, now):
        """Has a bill that has been overdue for a week."""
        rng = self.random
        due = now - AGED_OVERDUE_DAYS * DAY_MS + rng.randrange(2000, DUE_MS_MAX)
        self._consent(user, now, due - 3 * DAY_MS)
        if rng.random() < 0.8:
            self._bill(user, now + 200, "PAID", f"b-{self._number}", due, due - 2 * DAY_MS)
        bill = f"b-{self._number}"
        self._bill(user, now + 300, "ISSUED", bill, due, due - 2 * DAY_MS)
        if rng.random() < 0.2:
            self._bill(user, due + AGED_OVERDUE_DAYS * DAY_MS + rng.randrange(-500, 500), "PAID", bill)

    # -- sending

    def _delivered(self, error, _message):
        if error:
            self.failed += 1
        else:
            self.delivered += 1

    def _run(self):
        producer = confluent_kafka.Producer({
            "bootstrap.servers": self.bus.bootstrap, "partitioner": "murmur2_random",
            "enable.idempotence": True, "message.timeout.ms": FLUSH_SECONDS * 1000,
            "linger.ms": 5, "log_level": 0,
        })
        begun, started = 0, time.time()
        while not self._stop.wait(0.02):
            now = time.time()
            while begun < (now - started) * self.lives:
                begun += 1
                self._begin(int(now * 1000))
            while self._plan and self._plan[0].at_ms <= now * 1000:
                planned = heapq.heappop(self._plan)
                self._send(producer, planned)
            producer.poll(0)
        producer.flush(FLUSH_SECONDS)

    def _send(self, producer, planned):
        value = self.feed.encode(planned.topic, planned.event)
        while True:
            try:
                producer.produce(planned.topic, value, planned.event["user_id"],
                                 on_delivery=self._delivered)
                self.sent += 1
                return
            except BufferError:
                producer.poll(0.1)
