"""The UCI credit card clients (Taiwan, April to September 2005) as sesame's events.

Reads the CSV of "default of credit card clients" (I-Cheng Yeh, UCI Machine Learning Repository,
CC BY 4.0), plain or gzipped. Standard library only. events() yields (topic, event), one client after
the other, each client's events by time; labels() gives what they are measured against. A client is
the user "uci-<ID>". SEX, MARRIAGE and AGE are never read.

What a row becomes, all times UTC, all amounts TWD:

- consents: GRANTED, SCORING, on 1 August 2004: before the earliest bill that a row can speak of.
- bills: at most one for each month, the card's statement: issued on the 5th, due on the last second
  of the month.
  * PAY = n >= 1 in month m says that the bill due n months before the end of m is unpaid at the end
    of m. It is paid on the 20th of the first later month that no longer says so of a bill that old,
    and is still open on 30 September if there is none. 2, 2, 3, 0 in May to August is therefore: due
    in March, paid in June; due in April, not said to be unpaid before the end of June, nor in August
    any more: paid on 20 August.
  * PAY <= 0 in month m (paid in full, revolving with the minimum paid, or nothing bought): month m's
    own bill is paid on the 20th, in time, unless a later month says that it was not.
  * Of the bill of a month that itself is late, nothing is known unless a later month names it: none.
  * ISSUED carries BILL_AMT (0 below zero and before April). PAID carries what was paid in that month,
    PAY_AMT, not the statement's balance, which a revolving client does not pay; where several bills
    are paid in one month the oldest carries it and the others 0.
- payments: PAY_AMT > 0 is one SETTLED payment, FINANCIAL, on the 20th of its month.
- profiles: EDUCATION 1, 2, 3 is a VERIFIED degree (graduate, university, high school) on 1 April 2005;
  other codes are unknown and give nothing. LIMIT_BAL and September's BILL_AMT are the CREDIT_LINE on
  30 September, 23:59:59: everybody's last event, so that everybody's final score is as of then.
"""

import calendar
import csv
import datetime
import gzip

LABEL = "default.payment.next.month"
AS_OF = (2005, 9, 30, 23, 59, 59)
PAY = ("PAY_6", "PAY_5", "PAY_4", "PAY_3", "PAY_2", "PAY_0")  # April to September
MONTHS = range(4, 10)
DEGREES = {"1": "GRADUATE", "2": "UNIVERSITY", "3": "HIGH_SCHOOL"}


def millis(*parts):
    moment = datetime.datetime(*parts, tzinfo=datetime.timezone.utc)
    return int(moment.timestamp()) * 1000


def calendar_month(month):
    """(year, month) of a month counted from January 2005 = 1; 0 and less are 2004."""
    return 2005 + (month - 1) // 12, (month - 1) % 12 + 1


def on(month, day, hour):
    return millis(*calendar_month(month), day, hour)


def due(month):
    year, month = calendar_month(month)
    return millis(year, month, calendar.monthrange(year, month)[1], 23, 59, 59)


def bills(late):
    """late: months late at the end of each month, April to September, 0 for none. Returns pairs of the
    month due and the month paid, or None, oldest first."""
    paid = {}
    for index, months in enumerate(late):
        if months == 0:
            paid[MONTHS[index]] = MONTHS[index]  # unless a later month says otherwise
            continue
        month = MONTHS[index] - months
        paid[month] = None
        for later in range(index + 1, len(late)):
            if MONTHS[later] - late[later] > month:  # the oldest bill unpaid then is a newer one
                paid[month] = MONTHS[later]
                break
    return sorted(paid.items())


def client(row):
    user = "uci-" + row["ID"]

    def event(topic, name, occurred_at, **fields):
        return topic, {
            "event_id": f"{user}-{name}",
            "user_id": user,
            "occurred_at": occurred_at,
            **fields,
        }

    def amount(column):
        return round(float(row[column])) * 100

    billed = {m: max(0, amount(f"BILL_AMT{10 - m}")) for m in MONTHS}
    paid = {m: amount(f"PAY_AMT{10 - m}") for m in MONTHS}
    unspent = dict(paid)
    out = [
        event("consents", "consent", on(-4, 1, 0), action="GRANTED", purpose="SCORING", subscriber="")
    ]
    for month, month_paid in bills([max(0, int(float(row[column]))) for column in PAY]):
        name = "bill-%d-%02d" % calendar_month(month)
        bill = {"kind": "CARD", "bill_id": f"{user}-{name}", "currency": "TWD"}
        out.append(
            event("bills", name + "-issued", on(month, 5, 9), status="ISSUED",
                  amount_minor=billed.get(month, 0), due_at=due(month), **bill)
        )
        if month_paid is not None:
            out.append(
                event("bills", name + "-paid", on(month_paid, 20, 12), status="PAID",
                      amount_minor=unspent.pop(month_paid, 0), due_at=None, **bill)
            )
    for month in MONTHS:
        if paid[month] > 0:
            out.append(
                event("payments", f"payment-{month}", on(month, 20, 12), status="SETTLED",
                      amount_minor=paid[month], currency="TWD", category="FINANCIAL",
                      counterparty="card-issuer")
            )
    if row["EDUCATION"] in DEGREES:
        out.append(
            event("profiles", "degree", on(4, 1, 0), action="VERIFIED", fact="DEGREE",
                  degree_level=DEGREES[row["EDUCATION"]])
        )
    out.append(
        event("profiles", "line", millis(*AS_OF), action="CREDIT_LINE", line_id="card",
              limit_minor=amount("LIMIT_BAL"), balance_minor=amount("BILL_AMT1"), currency="TWD")
    )
    return sorted(out, key=lambda item: item[1]["occurred_at"])


def rows(path):
    opener = gzip.open if str(path).endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def events(path):
    for row in rows(path):
        yield from client(row)


def labels(path):
    """user id -> 1 if the client defaulted in October 2005, else 0."""
    return {"uci-" + row["ID"]: int(row[LABEL]) for row in rows(path)}
