"""The importers' rules on hand-made records; needs neither the data nor anything but Python itself.

    python3 -m unittest discover -s tests/real
"""

import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import friends  # noqa: E402
import hotels  # noqa: E402
import uci  # noqa: E402


def client(late=(0,) * 6, **columns):
    row = {"ID": "7", "LIMIT_BAL": "20000", "EDUCATION": "2", **dict(zip(uci.PAY, map(str, late)))}
    for i in range(1, 7):
        row[f"BILL_AMT{i}"], row[f"PAY_AMT{i}"] = "100", "0"
    return uci.client({**row, **columns})


class Bills(unittest.TestCase):
    def test_paid_in_time(self):
        self.assertEqual(uci.bills([0] * 6), [(m, m) for m in range(4, 10)])

    def test_months_late_in_september_stay_open(self):
        self.assertIn((8, None), uci.bills([0, 0, 0, 0, 0, 1]))
        self.assertIn((7, None), uci.bills([0, 0, 0, 0, 0, 2]))

    def test_always_two_months_behind_pays_one_bill_a_month(self):
        self.assertEqual(uci.bills([2] * 6), [(2, 5), (3, 6), (4, 7), (5, 8), (6, 9), (7, None)])

    def test_arrears_that_grow_and_are_caught_up(self):
        bills = dict(uci.bills([0, 2, 2, 3, 0, 0]))
        self.assertEqual((bills[3], bills[4]), (6, 8))

    def test_a_bill_is_not_paid_before_an_older_one(self):
        self.assertEqual(uci.bills([1, 3, 0, 0, 0, 0])[:2], [(2, 6), (3, 6)])

    def test_a_later_month_overrules_paid_in_time(self):
        self.assertEqual(dict(uci.bills([0, 0, 2, 0, 0, 0]))[4], 7)


class Clients(unittest.TestCase):
    def test_everybody_ends_with_the_credit_line(self):
        for late in ((0,) * 6, (2,) * 6, (8,) + (0,) * 5):
            events = client(late)
            self.assertEqual(events[0][0], "consents")
            times = [event["occurred_at"] for _, event in events]
            self.assertEqual(times, sorted(times))
            self.assertLess(times[0], times[1])
            self.assertEqual(events[-1][1]["action"], "CREDIT_LINE")
            self.assertEqual(times[-1], 1128124799000)

    def test_bills_are_issued_before_they_are_paid_and_before_they_are_due(self):
        seen = {}
        for topic, event in client((8, 7, 0, 2, 3, 0)):
            if topic == "bills" and event["status"] == "ISSUED":
                self.assertGreater(event["due_at"], event["occurred_at"])
                seen[event["bill_id"]] = True
            elif topic == "bills":
                self.assertTrue(seen.pop(event["bill_id"]))

    def test_what_was_paid_is_told_once_on_bills_and_once_as_a_payment(self):
        events = client(PAY_AMT1="30", PAY_AMT3="50")
        paid = sum(e["amount_minor"] for t, e in events if t == "bills" and e["status"] == "PAID")
        self.assertEqual(paid, 8000)
        self.assertEqual([e["amount_minor"] for t, e in events if t == "payments"], [5000, 3000])

    def test_bills_paid_in_one_month_share_its_payment(self):
        events = client((1, 3, 0, 0, 0, 0), PAY_AMT4="40")
        paid = [e["amount_minor"] for t, e in events
                if t == "bills" and e["status"] == "PAID"]
        self.assertEqual(sorted(paid), [0, 0, 0, 0, 0, 4000])

    def test_unknown_education_gives_nothing(self):
        self.assertFalse([e for _, e in client(EDUCATION="5") if "fact" in e])

    def test_ids_are_unique(self):
        ids = [event["event_id"] for _, event in client((2, 2, 2, 3, 0, 1))]
        self.assertEqual(len(ids), len(set(ids)))


class Others(unittest.TestCase):
    def write(self, text):
        file = tempfile.NamedTemporaryFile("w", suffix=".txt")
        self.addCleanup(file.close)
        file.write(text)
        file.flush()
        return file.name

    def test_hotels(self):
        path = self.write(
            "lead_time,arrival_date_year,arrival_date_month,arrival_date_day_of_month,agent,"
            "reservation_status,reservation_status_date\n"
            "2,2016,March,1,9,No-Show,2016-03-01\n0,2016,March,1,NULL,Check-Out,2016-03-03\n"
        )
        events = list(hotels.events(path))
        steps = [(e["user_id"], e["status"]) for t, e in events if t == "bookings"]
        self.assertEqual(steps, [("agent-9", "MADE"), ("agent-9", "NO_SHOW"),
                                 ("booking-2", "MADE"), ("booking-2", "HONOURED")])
        self.assertEqual(events[1][1]["occurred_at"], 1456650000000)  # 2016-02-28, 09:00
        self.assertEqual({e["user_id"] for _, e in hotels.events(path, by="row")},
                         {"booking-1", "booking-2"})

    def test_friends(self):
        events = list(friends.events(self.write("0 1\n0 2\n")))
        self.assertEqual(sum(t == "consents" for t, _ in events), 6)
        self.assertEqual([(e["user_id"], e["friend_id"]) for t, e in events if t == "social"],
                         [("fb-0", "fb-1"), ("fb-1", "fb-0"), ("fb-0", "fb-2"), ("fb-2", "fb-0")])


if __name__ == "__main__":
    unittest.main()
