#!/usr/bin/env python3
"""What a model says of the UCI clients, against what they did: for shaping config/model.yaml.

    tests/real/shape.py CSV.gz [MODEL.yaml] [--scores OUT.csv]

A second scorer in whole numbers, for what these records hold (bills, payments, degrees, credit lines):
it folds uci.py's events, scores every client as of the last one, and prints AUC and KS for the score
and for each factor alone, on the half that the numbers were shaped on (ID % 4 == 1), on the half held
out (ID % 4 == 3) and on both; then how the defaults lie in the tiers. --scores writes user,score lines
to compare with the engine's own. Consents and the blacklist are left out: the events have a grant for
everybody and no listing. Needs PyYAML.
"""

import collections
import fractions
import pathlib
import sys

import yaml

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

import uci  # noqa: E402

DAY_MS = 86400000
DEGREES = ("UNKNOWN", "HIGH_SCHOOL", "UNIVERSITY", "GRADUATE")


class Decay:
    """Whole days, 32 binary places: docs/model.md, "Decay"."""

    def __init__(self, half_life):
        low, high = 0, 2**32 - 1
        while low < high:
            middle = (low + high + 1) // 2
            low, high = (middle, high) if self.power(middle, half_life) <= 2**31 else (low, middle - 1)
        self.factors = [self.power(low, days) for days in range(4096)]

    @staticmethod
    def power(f, n):
        result = 1 << 32
        while n:
            if n & 1:
                result = result * f >> 32
            f, n = f * f >> 32, n >> 1
        return result

    def __call__(self, value, days):
        if days <= 0:
            return value
        return value * self.factors[days] >> 32 if days < len(self.factors) else 0


def curve(points, x):
    if x <= points[0][0]:
        return points[0][1]
    for (x0, y0), (x1, y1) in zip(points, points[1:]):
        if x < x1:
            return y0 + (y1 - y0) * (x - x0) // (x1 - x0)
    return points[-1][1]


class Sums:
    """Decayed sums that share a reference day, as one part of a user's state keeps them."""

    def __init__(self):
        self.day, self.values = None, collections.Counter()

    def add(self, decays, at, contributions):
        day = at // DAY_MS
        if self.day is None or day > self.day:
            self.values = collections.Counter(self.at(decays, day))
            self.day = day
        for name, value in contributions.items():
            part = decays(name)(abs(value), self.day - day)
            self.values[name] = max(0, self.values[name] + (part if value >= 0 else -part))

    def at(self, decays, day):
        return {name: decays(name)(value, day - self.day) for name, value in self.values.items()}


class Model:
    def __init__(self, path):
        self.numbers = yaml.safe_load(pathlib.Path(path).read_text())
        structural = self.numbers["structural"]
        self.decay = {name: Decay(days) for name, days in structural["half_life_days"].items()}
        base = structural["currencies"][structural["base_currency"]]
        self.rates = {
            code: fractions.Fraction(str(c["rate"])) * 10 ** base["decimals"] / 10 ** c["decimals"]
            for code, c in structural["currencies"].items()
        }

    def base(self, event):
        return int(event["amount_minor"] * self.rates[event["currency"]]) if event["amount_minor"] else 0

    def variables(self, events):
        """The variables that are known after a user's events, as of the last one."""
        numbers, known = self.numbers, {}
        as_of = max(event["occurred_at"] for _, event in events)
        today = as_of // DAY_MS
        bills, open_bills = Sums(), {}
        payments, months, categories = Sums(), set(), set()
        facts, degree, lines = set(), 0, {}
        of_bills = lambda name: self.decay["defaults" if name == "defaulted" else "bills"]  # noqa: E731
        of_payments = lambda name: self.decay["payments"]  # noqa: E731
        for topic, event in events:
            at = event["occurred_at"]
            if topic == "bills":
                due, status = open_bills.pop(event["bill_id"], event["due_at"]), event["status"]
                if status == "ISSUED":
                    open_bills[event["bill_id"]] = event["due_at"]
                    bills.add(of_bills, at, {})
                elif status == "PAID":
                    days = max(0, at - due) // DAY_MS if due is not None else None
                    kind = "on_time" if days == 0 else min(4, days // 30) if days else None
                    counted = {} if kind is None else {kind: 1000}
                    bills.add(of_bills, at, {"paid": self.base(event), **counted})
                elif status == "DEFAULTED":
                    bills.add(of_bills, at, {"defaulted": 1000})
            elif topic == "payments" and event["status"] == "SETTLED":
                payments.add(of_payments, at, {"settled": 1000, "amount": self.base(event)})
                months.add(at // DAY_MS // 30)
                categories.add((at // DAY_MS // 90, event["category"]))
            elif topic == "profiles" and event["action"] == "VERIFIED":
                facts.add(event["fact"].lower())
                degree = DEGREES.index(event["degree_level"])
            elif topic == "profiles" and event["action"] == "CREDIT_LINE":
                amount = lambda v: self.base({"amount_minor": v, "currency": event["currency"]})  # noqa: E731,B023
                lines[event["line_id"]] = amount(event["limit_minor"]), amount(event["balance_minor"])
        if bills.day is not None:
            sums = collections.Counter(bills.at(of_bills, today))
            late = sum(s * sums[b] // 1000 for b, s in enumerate(numbers["late_severity"]))
            overdue = [(as_of - due) // DAY_MS for due in open_bills.values() if due <= as_of]
            late += sum(curve(numbers["overdue_severity"], days) for days in overdue)
            if sums["on_time"] + sums["defaulted"] + sum(sums[b] for b in range(5)):
                known.update(lateness=late, defaults=sums["defaulted"],
                             track_record=sums["on_time"], repayment=sums["paid"])
            elif overdue:
                known["lateness"] = late
        if payments.day is not None:
            sums = collections.Counter(payments.at(of_payments, today))
            newest = max(quarter for quarter, _ in categories)
            seen = {c for q, c in categories if q >= newest - 1 and q >= today // 90 - 1}
            known.update(activity=sums["settled"], spending=sums["amount"], diversity=len(seen),
                         regularity=sum(today // 30 - month < 12 for month in months))
            if sums["settled"]:
                known["reversals"] = 0
        if facts:
            known["identity"] = sum(numbers["fact_points"][fact] for fact in facts)
        if degree:
            known["education"] = degree
        if lines:
            limit, balance = (sum(line[i] for line in lines.values()) for i in (0, 1))
            known.update(limit=limit, debt=10000 * max(0, balance) // limit)
        return known

    def score(self, known):
        """score, {factor: value}"""
        factors = self.numbers["factors"]
        total, points, values = sum(f["weight"] for f in factors.values()), 0, {}
        for name, factor in factors.items():
            worth = {v: curve(c["curve"], known[v]) if v in known else c["neutral"]
                     for v, c in factor["components"].items()}
            if name == "history" and "track_record" not in known:  # overdue bills are no good news
                worth["lateness"] = min(worth["lateness"], factor["components"]["lateness"]["neutral"])
            parts = [(c["weight"], worth[v]) for v, c in factor["components"].items()]
            values[name] = sum(w * value for w, value in parts) // sum(w for w, _ in parts)
            points += 60000 * factor["weight"] * values[name] // (total * 10000)
        return 350 + points // 100, values


def auc_ks(pairs):
    """(value, defaulted) pairs, where a high value should mean no default."""
    groups = {}
    for value, bad in pairs:
        groups.setdefault(value, [0, 0])[bad] += 1
    goods, bads = (sum(g[i] for g in groups.values()) for i in (0, 1))
    area = ks = seen_good = seen_bad = 0
    for _, (good, bad) in sorted(groups.items()):
        area += good * (seen_bad + bad / 2)
        seen_good, seen_bad = seen_good + good, seen_bad + bad
        ks = max(ks, seen_bad / bads - seen_good / goods)
    return area / (goods * bads), ks


def main(arguments):
    scores_path = None
    if "--scores" in arguments:
        at = arguments.index("--scores")
        scores_path = arguments[at + 1]
        del arguments[at : at + 2]
    if not 1 <= len(arguments) <= 2:
        sys.exit(__doc__)
    model = Model(arguments[1] if len(arguments) > 1 else HERE.parent.parent / "config" / "model.yaml")
    results = []  # (id, defaulted, score, factors)
    for row in uci.rows(arguments[0]):
        score, factors = model.score(model.variables(uci.client(row)))
        results.append((int(row["ID"]), int(row[uci.LABEL]), score, factors))
    if scores_path:
        lines = (f"uci-{number},{score}\n" for number, _, score, _ in results)
        pathlib.Path(scores_path).write_text("user_id,score\n" + "".join(lines))

    halves = {"shaping": lambda n: n % 4 == 1, "held out": lambda n: n % 4 == 3, "all": lambda n: True}
    print(f"{'AUC / KS':16}" + "".join(f"{half:>17}" for half in halves))
    for name in ("score", *model.numbers["factors"]):
        cells = []
        for chosen in halves.values():
            pairs = [((f[name] if name != "score" else s), bad) for n, bad, s, f in results if chosen(n)]
            cells.append("%10.4f / %.2f" % auc_ks(pairs))
        print(f"{name:16}" + "".join(cells))
    scores = sorted(score for _, _, score, _ in results)
    print("scores: " + ", ".join(f"{p}% {scores[min(len(scores) - 1, len(scores) * p // 100)]}"
                                 for p in (0, 1, 5, 25, 50, 75, 95, 99, 100)))
    tiers = model.numbers["tiers"]
    for tier, following in zip(tiers, tiers[1:] + [{"from": 951}]):
        inside = [bad for _, bad, score, _ in results if tier["from"] <= score < following["from"]]
        rate = f"{sum(inside) / len(inside):.1%} defaulted" if inside else ""
        print(f"{tier['name']:12} from {tier['from']}: {len(inside):6} clients  {rate}")


if __name__ == "__main__":
    main(sys.argv[1:])
