"""The hotel booking demand records (two Portuguese hotels, 2015 to 2017) as sesame's events.

Reads the CSV of Antonio, de Almeida and Nunes (Data in Brief 2019, CC BY 4.0), plain or gzipped.
Standard library only. events() yields (topic, event) in the order of the rows, not by time.

There is no guest id. by="agent": the travel agent is the user "agent-<number>", and a booking without
one is a user of its own; by="row": every booking is. A user of its own is "booking-<row>", rows counted
from 1. A row becomes MADE at 09:00 UTC of the arrival less lead_time days, and at 18:00 of
reservation_status_date HONOURED, CANCELLED or NO_SHOW. Each user's SCORING consent is GRANTED on
1 January 2013, before the earliest booking.
"""

import csv
import datetime
import gzip

OUTCOMES = {"Check-Out": "HONOURED", "Canceled": "CANCELLED", "No-Show": "NO_SHOW"}
MONTHS = ("January February March April May June July August September October November "
          "December").split()


def millis(date, hour):
    moment = datetime.datetime(date.year, date.month, date.day, hour, tzinfo=datetime.timezone.utc)
    return int(moment.timestamp()) * 1000


def events(path, by="agent"):
    opener = gzip.open if str(path).endswith(".gz") else open
    granted = set()
    with opener(path, "rt", encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), 1):
            agent = row["agent"].strip() if by == "agent" else "NULL"
            user = f"booking-{number}" if agent in ("", "NULL") else f"agent-{agent}"
            if user not in granted:
                granted.add(user)
                yield "consents", {
                    "event_id": f"{user}-consent",
                    "user_id": user,
                    "occurred_at": millis(datetime.date(2013, 1, 1), 0),
                    "action": "GRANTED",
                    "purpose": "SCORING",
                    "subscriber": "",
                }
            arrival = datetime.date(
                int(row["arrival_date_year"]),
                MONTHS.index(row["arrival_date_month"]) + 1,
                int(row["arrival_date_day_of_month"]),
            )
            made = arrival - datetime.timedelta(days=int(row["lead_time"]))
            closed = datetime.date.fromisoformat(row["reservation_status_date"])
            steps = (("MADE", millis(made, 9)),
                     (OUTCOMES[row["reservation_status"]], millis(closed, 18)))
            for status, occurred_at in steps:
                yield "bookings", {
                    "event_id": f"row-{number}-{status.lower()}",
                    "user_id": user,
                    "occurred_at": occurred_at,
                    "status": status,
                    "kind": "HOTEL",
                    "booking_id": f"row-{number}",
                }
