"""The format and the judge themselves: mistakes are told, and what is wrong is noticed."""

import unittest

import notation
import scenario
import wire
from judge import Judge, Seen
from notation import DAY_MS, Calendar, Mistake

NOW = (227 * 90 + 45) * DAY_MS
CALENDAR = Calendar(NOW)


def load(course, more=""):
    lines = "\n".join(f"      - {item}" for item in course)
    text = f"scenarios:\n  - title: a title\n    why: a reason\n{more}    course:\n{lines}\n"
    [found] = scenario.parse(text, "file")
    return found.schedule(CALENDAR)


def cause(offset, topic="consents"):
    return {"topic": topic, "partition": 0, "offset": offset, "event_id": f"e{offset}"}


def record(kind, sequence, score, previous, **more):
    return {"kind": kind, "sequence": sequence, "score": score, "previous_score": previous,
            "tier": "medium", "percentile": 7, "case_id": None, "reasons": [], "as_of": CALENDAR.zero,
            "cause": cause(sequence), **more}


class Times(unittest.TestCase):
    def test_blocks_begin_on_the_same_days_whenever_it_runs(self):
        for now in range(NOW, NOW + 200 * DAY_MS, DAY_MS):
            calendar = Calendar(now)
            self.assertEqual(calendar.zero // DAY_MS % 90, 0)
            self.assertLess(calendar.time("day 719", 0), now)

    def test_words(self):
        time = CALENDAR.time
        self.assertEqual(time("day 3 12:30", 0), CALENDAR.zero + 3 * DAY_MS + 750 * 60000)
        self.assertEqual(time("+3 days", 10), 10 + 3 * DAY_MS)
        self.assertEqual(time("+2h", 10), 10 + 2 * 3600000)
        self.assertEqual(time("now - 1 day", 10), NOW - DAY_MS)
        self.assertEqual(time("1970-01-20", 0), 19 * DAY_MS)
        self.assertEqual(time("2000-03-01", 0), 951868800000)
        for wrong in ("tomorrow", "day 720", "+3 fortnights", "day"):
            with self.assertRaises(Mistake):
                time(wrong, 0)


class Events(unittest.TestCase):
    def test_places_and_names(self):
        found = notation.event("ann bills ISSUED rent 900.00 due_at=+20days", 5, "e1", CALENDAR)
        self.assertEqual(found.value, {
            "event_id": "e1", "occurred_at": 5, "kind": "RENT", "bill_id": "rent", "currency": "CNY",
            "amount_minor": 90000, "status": "ISSUED", "due_at": 5 + 20 * DAY_MS,
        })

    def test_what_cannot_be_understood_is_told(self):
        for text, told in (
            ("ann", "USER TOPIC STATUS"), ("ann salaries PAID", "the topics are"),
            ("ann payments LOST", "SETTLED"), ("ann payments SETTLED 3", "two decimals"),
            ("ann payments SETTLED 3.00 size=3", "no field 'size'"),
            ("ann payments SETTLED 3.00 !late", "no flag"), ("ann profiles SEEN", "VERIFIED"),
            ("ann bookings MADE a b", "status booking_id"),
        ):
            with self.assertRaisesRegex(Mistake, told, msg=text):
                notation.event(text, 0, "e1", CALENDAR)

    def test_a_course_tells_the_line(self):
        for course, told in (
            (["day 0: ann consents GRANTED", "then: maybe"], "file.yaml:6: then"),
            (["then: nothing"], "file.yaml:5: nothing has happened"),
            (["redis: angry"], "wiped"), (["clock: day 3"], "only in memory"),
            (["day 0: ann lives well"], "no life"),
            (["day 0: ann consents GRANTED", "then: [{ann: score is high}]"], "nothing is known by"),
            (["day 0: ann consents GRANTED", "accounts: {consents: 1 lost}"], "not a count"),
        ):
            with self.assertRaisesRegex(Mistake, told):
                load(course)
        with self.assertRaisesRegex(Mistake, "has no 'modell'"):
            load(["day 0: ann consents GRANTED"], "    modell: {}\n")
        with self.assertRaisesRegex(Mistake, "no revoke_margins"):
            scenario.model_text({"revoke_margins": 3})

    def test_every_user_has_an_id_of_the_right_partition(self):
        found = load(["day 0: ann consents GRANTED", "given: ben consents GRANTED"],
                     "    elsewhere: [ben]\n")
        cast = wire.Cast(found, [5, 6], 7)
        self.assertEqual(wire.murmur2_partition(cast.ids["ann"], 7), 5)
        self.assertEqual(wire.murmur2_partition(cast.ids["ben"], 7), 6)

    def test_bytes(self):
        # Written down by hand from Avro's specification.
        value = {"event_id": "e1", "user_id": "u", "occurred_at": 1, "status": "PAID", "bill_id": "b",
                 "kind": "RENT", "amount_minor": -65, "currency": "", "due_at": 2}
        self.assertEqual(wire.message("bills", 258, value).hex(),
                         "0000000102" "046531" "0275" "02" "02" "0a" "0262" "8101" "00" "0204")


class Judgement(unittest.TestCase):
    def wrong(self, claims, records, letters=(), accounts=None, stored=(), finish=False):
        """What the judge says to one event's claims; records as (topic, value)."""
        found = load(["day 0: ann consents GRANTED", *claims])
        cast = wire.Cast(found, [0, 1], 2)
        ann = cast.ids["ann"]
        judge = Judge(found, cast, CALENDAR)
        seen = Seen([(topic, ann, value) for topic, value in records], list(letters),
                    lambda: {ann} & set(cast.ids[name] for name in stored),
                    lambda: {ann} & set(cast.ids[name] for name in stored),
                    lambda: accounts or {"consents": {"counted": 1}})
        said = [text for _, text in judge.check(found.rounds[0].claims, seen)]
        return said + (judge.finish(seen) if finish and not said else [])

    def test_right(self):
        first, second = record("OPT_IN", 1, 561, None), record("UPDATE", 2, 600, 561)
        granted = {"action": "GRANTED", "benefit_id": "loan", "cause": cause(2)}
        self.assertEqual(self.wrong(
            ["then: [{ann: 'OPT_IN, score 561, as of day 0'},"
             " {ann: 'score > previous, score = 600, tier medium, no case, grants loan'}]",
             "stored: ann", "accounts: {consents: 1 counted}", "dead letters: none"],
            [("scores", first), ("scores", second), ("entitlements", granted)],
            stored=["ann"], finish=True), [])

    def test_each_claim_can_fail(self):
        first = record("OPT_IN", 1, 561, None)
        for claim in ("UPDATE", "score 562", "score < 561", "score > previous", "no score", "tier good",
                      "case c", "reasons LATE_BILLS", "first reason LISTED", "as of day 1",
                      "caused by bills", "caused by consents e7", "grants loan", "sequence 2",
                      "standing LISTED", "tombstone", "percentile 3", "no percentile", "history 4"):
            said = self.wrong([f"then: [{{ann: {claim}}}]"], [("scores", first)])
            self.assertEqual(len(said), 1, f"{claim}: {said}")
        for claim in ("then: nothing", "then: [{ann: OPT_IN}, {ann: UPDATE}]", "stored: ann",
                      "accounts: {consents: 2 counted}", "dead letters: [consents BAD_TIME]",
                      "then: [{ben: OPT_IN}]", "then: [{scores.bank ann: OPT_IN}]"):
            self.assertTrue(self.wrong([claim], [("scores", first)]), claim)
        self.assertTrue(self.wrong(["nothing stored: ann"], [], stored=["ann"]))

    def test_what_nobody_claimed_is_told_at_the_end(self):
        first = record("OPT_IN", 1, 561, None)
        granted = {"action": "GRANTED", "benefit_id": "loan", "cause": cause(1)}

        def wrong(records, **more):
            return self.wrong(["then: anything"], records, finish=True, **more)

        self.assertEqual(wrong([("scores", first), ("entitlements", granted)]), [])
        for what, records, more in (
            ("a gap", [("scores", first), ("scores", record("UPDATE", 3, 560, 561))], {}),
            ("another previous score", [("scores", first), ("scores", record("UPDATE", 2, 5, 6))], {}),
            ("granted twice", [("scores", first)] + [("entitlements", granted)] * 2, {}),
            ("granted alone", [("entitlements", granted)], {}),
            ("a dead letter", [], {"letters": [("bills", "BAD_TIME", "ann")]}),
            ("a lost event", [], {"accounts": {"consents": {}}}),
        ):
            self.assertTrue(wrong(records, **more), what)
        self.assertTrue(self.wrong([], [("scores", first)], finish=True))


if __name__ == "__main__":
    unittest.main()
