#!/usr/bin/env python3
"""Makes a random event log in the golden format (README.md) from a seed.

    generate.py --seed 7 --users 6 --events 400 > events.jsonl

All kinds of events, times out of order, refusals of every kind, duplicates, late, defaulted and
forgotten bills, listings before and after the opt-in, withdrawals and new grants. The same
arguments give the same bytes.
"""
import argparse
import json
import random

DAY = 86_400_000
START = 18_262 * DAY  # 2020-01-01
HOUR = 3_600_000
PARTITIONS = 2

TOPICS = ["payments", "bills", "bookings", "social", "profiles", "consents", "blacklist"]
SHARES = [26, 26, 10, 20, 10, 7, 4]
CATEGORIES = """OTHER GROCERIES DINING TRANSPORT TRAVEL HOUSING UTILITIES HEALTH EDUCATION CLOTHING
ELECTRONICS ENTERTAINMENT FINANCIAL CHARITY FAMILY SERVICES""".split()
CURRENCIES = ["CNY", "CNY", "CNY", "EUR", "JPY", "KWD"]


class User:
    """What the generator keeps in mind of a user, so that events hang together."""

    def __init__(self, rng, number):
        self.id = rng.choice(["u%d", "用户-%d", "user %d"]) % number
        self.partition = number % PARTITIONS
        self.now = START + rng.randrange(30 * DAY)
        self.pace = rng.choice([DAY // 2, 3 * DAY, 20 * DAY])
        self.careless = rng.random()
        self.bills = {}
        self.number, self.all = number, []
        self.recent = {topic: [] for topic in TOPICS}


def payment(rng, user, at):
    return {
        "status": rng.choices(["SETTLED", "REFUNDED", "CHARGED_BACK"], [17, 2, 1])[0],
        "category": rng.choice(CATEGORIES),
        "amount_minor": rng.choice([0, rng.randrange(10**3), rng.randrange(10**6)]),
        "currency": rng.choice(CURRENCIES),
        "counterparty": rng.choice(["", "shop"]),
    }


def bill(rng, user, at):
    amount = {"amount_minor": rng.randrange(60_000), "currency": rng.choice(CURRENCIES)}
    due_bills = [b for b, due in user.bills.items() if due <= user.now]
    choice = rng.random()
    if due_bills and choice < 0.6:
        bill_id = rng.choice(due_bills)
        late = rng.random() < user.careless
        user.now += rng.randrange(rng.choice([20, 45, 100, 200]) * DAY) if late else 0
        del user.bills[bill_id]
        status = rng.choices(["PAID", "DEFAULTED", "CANCELLED"], [8, 2 if late else 0, 1])[0]
        paid_at = user.now if late else min(user.now, at)
        return {"status": status, "bill_id": bill_id, **amount, "at": paid_at}
    if choice < 0.7:  # of a bill that was never issued, or issued anew under a known id
        bill_id = rng.choice(list(user.bills) + ["b-unknown"])
        due = rng.choice([None, at - rng.randrange(150 * DAY), at + rng.randrange(30 * DAY)])
        status = rng.choice(["PAID", "DEFAULTED", "CANCELLED"])
        user.bills.pop(bill_id, None)
        return {"status": status, "bill_id": bill_id, "due_at": due, **amount}
    bill_id = "b%d" % rng.randrange(200)
    due = at + rng.choice([0, rng.randrange(40 * DAY), -rng.randrange(90 * DAY)])
    user.bills[bill_id] = due
    return {"status": "ISSUED", "kind": rng.choice(["RENT", "CARD"]), "bill_id": bill_id,
            "due_at": due, **amount}


def booking(rng, user, at):
    return {"status": rng.choices(["MADE", "HONOURED", "NO_SHOW", "CANCELLED"], [4, 4, 1, 1])[0],
            "kind": rng.choice(["OTHER", "HOTEL", "DOCTOR"]), "booking_id": "k"}


def social(rng, user, at):
    """Mostly one of few, so that many add each other; sometimes oneself, or nobody."""
    near = [user.all[(user.number + i) % len(user.all)].id for i in (1, 1, -1, -1, 2)]
    return {"action": rng.choices(["FRIEND_ADDED", "FRIEND_REMOVED"], [4, 1])[0],
            "friend_id": rng.choice(near + [rng.choice(user.all).id, "nobody %d" % rng.randrange(9)])}


def profile(rng, user, at):
    kind = rng.randrange(4)
    if kind == 0:
        opened = rng.choice([None, at, at - rng.randrange(4000 * DAY), -rng.randrange(9000 * DAY)])
        return {"action": "ACCOUNT_OPENED", "holder": rng.choice(["PERSON", "BUSINESS"]),
                "opened_at": opened}
    if kind == 1:
        return {"action": rng.choices(["VERIFIED", "REVOKED"], [4, 1])[0],
                "fact": rng.choice(["NONE", "PHONE", "ADDRESS", "IDENTITY", "DEGREE", "DEGREE"]),
                "degree_level": rng.choice(["UNKNOWN", "HIGH_SCHOOL", "UNIVERSITY", "GRADUATE"])}
    limit = rng.choice([0, 1, rng.randrange(3 * 10**6)])
    return {"action": "CREDIT_LINE", "line_id": rng.choice(["", *("l%d" % i for i in range(10))]),
            "limit_minor": limit, "balance_minor": rng.randrange(-10_000, 2 * 10**6),
            "currency": rng.choice(CURRENCIES)}


def consent(rng, user, at):
    purpose = rng.choices(["SCORING", "SOCIAL", "SHARE"], [4, 4, 3])[0]
    return {"action": rng.choices(["GRANTED", "WITHDRAWN"], [4, 1])[0], "purpose": purpose,
            "subscriber": "s%d" % rng.randrange(20) if purpose == "SHARE" else ""}


def listing(rng, user, at):
    return {"action": rng.choices(["LISTED", "DELISTED"], [2, 3])[0],
            "case_id": "case/%d" % rng.randrange(3), "authority": "Court", "amount_owed_minor": 100}


MAKERS = dict(zip(TOPICS, [payment, bill, booking, social, profile, consent, listing]))


def spoil(rng, topic, value):
    """Makes an event that must be refused, or leaves it where there is nothing to spoil."""
    how = rng.randrange(8)
    if how == 0:
        value["user_id"] = rng.choice(["", "x" * 65, "a\nb", "\u0085", "\u007f"])
    elif how == 1:
        value["event_id"] = rng.choice(["", "e" * 65, "a\tb"])
    elif how == 2:
        value["occurred_at"] = rng.choice(
            [946_684_799_999, -1, 7_258_118_400_000, 2**63 - 1, value["occurred_at"] + 400 * DAY])
    elif how == 3 and "amount_minor" in value:
        value["amount_minor"] = rng.choice([-1, 10**12 + 1])
    elif how == 4 and "currency" in value:
        value["currency"] = rng.choice(["", "XXX", "cny", "CNYX"])
    elif topic == "bills":
        value["due_at"] = rng.choice([None, 946_684_799_999, value["occurred_at"] + 3654 * DAY])
    elif topic == "profiles":
        value.update(rng.choice([
            {"action": "ACCOUNT_OPENED", "opened_at": value["occurred_at"] + 1},
            {"action": "ACCOUNT_OPENED", "opened_at": -2_208_988_800_001},
            {"action": "CREDIT_LINE", "limit_minor": -1},
            {"action": "CREDIT_LINE", "balance_minor": -(10**12) - 1},
            {"action": "CREDIT_LINE", "line_id": "x" * 65},
        ]))
    elif topic == "consents":
        value.update(purpose="SHARE", subscriber="")
    else:
        for key in ("booking_id", "friend_id", "case_id"):
            if key in value:
                value[key] = ""


def make_value(rng, user, topic, number):
    """One event of a user, and when it was recorded."""
    user.now += rng.randrange(user.pace)
    at = user.now
    if rng.random() < 0.25:  # late in coming
        at -= rng.randrange(rng.choice([2 * DAY, 120 * DAY, 900 * DAY]))
    if rng.random() < 0.01:
        user.now += 4100 * DAY  # long enough for everything to be forgotten
    value = {"event_id": "e%d" % number, "user_id": user.id, "occurred_at": at}
    made = MAKERS[topic](rng, user, at)
    value["occurred_at"] = made.pop("at", at)
    value.update(made)
    recent = user.recent[topic]
    if recent and rng.random() < 0.06:
        value["event_id"] = rng.choice(recent[-9:])
    recent.append(value["event_id"])
    record_time = value["occurred_at"] + rng.choice([0, 1, DAY, -HOUR])
    if rng.random() < 0.07:
        spoil(rng, topic, value)
    return value, record_time


def many_of_a_kind(rng, user):
    """More bills, lines, shares and cases than are kept of one user."""
    for i in range(70):
        yield "bills", {"status": "ISSUED", "bill_id": "many%d" % i, "due_at": user.now + i * DAY,
                        "amount_minor": 1, "currency": "CNY"}
    for i in range(12):
        yield "profiles", {"action": "CREDIT_LINE", "line_id": "many%d" % i, "limit_minor": 1000,
                           "balance_minor": 10 * i, "currency": "CNY"}
    for i in range(20):
        yield "consents", {"action": "GRANTED", "purpose": "SHARE", "subscriber": "many%d" % i}
    for i in range(18):
        yield "blacklist", {"action": "LISTED", "case_id": "many%d" % i}
    for i in range(18):
        yield "blacklist", {"action": "DELISTED", "case_id": "many%d" % i}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--users", type=int, default=6)
    parser.add_argument("--events", type=int, default=400)
    parser.add_argument("--crowd", action="store_true",
                        help="let the first user exceed every bound of the state")
    args = parser.parse_args()
    rng = random.Random(args.seed)
    users = [User(rng, i) for i in range(args.users)]
    for user in users:
        user.all = users
    offsets = {}

    def emit(user, topic, value, record_time):
        offset = offsets.get((topic, user.partition), 0)
        offsets[topic, user.partition] = offset + 1 + (rng.random() < 0.1)  # transactions leave gaps
        line = {"topic": topic, "partition": user.partition, "offset": offset,
                "record_time": record_time, "clock": clock_of(user), "value": value}
        print(json.dumps(line, ensure_ascii=False))

    def clock_of(user):
        """Behind the events, as where one input was read ahead of another, or far ahead of them."""
        return max(0, user.now + rng.choice([0, 0, -HOUR, -40 * DAY, 3 * DAY]))

    def grant(user, number):
        for purpose in ("SCORING", "SOCIAL"):
            emit(user, "consents", {"event_id": "%s%d" % (purpose[1], number), "user_id": user.id,
                                    "occurred_at": user.now, "action": "GRANTED",
                                    "purpose": purpose}, user.now)

    print(json.dumps({"format": "sesame-golden-3", "future_tolerance_ms": HOUR}))
    for number in range(args.events):
        user = rng.choice(users)
        if number == 3 * args.users:  # most opt in after some events, a few never, all may again
            for i, member in enumerate(users[: args.users * 5 // 6]):
                grant(member, i)
        if args.crowd and number == args.events // 2:
            grant(users[0], args.users)
            for i, (topic, value) in enumerate(many_of_a_kind(rng, users[0])):
                common = {"event_id": "m%d" % i, "user_id": users[0].id,
                          "occurred_at": users[0].now}
                emit(users[0], topic, {**common, **value}, users[0].now)
        topic = rng.choices(TOPICS, SHARES)[0]
        emit(user, topic, *make_value(rng, user, topic, number))


if __name__ == "__main__":
    main()
