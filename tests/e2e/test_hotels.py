"""Two hotels' bookings, by travel agent: who does not keep bookings ends lower on fulfilment."""

import collections

from feed import Feed, check_sequences, consents_first, last_by_user
from real_data import data_file, hotels, to_avro

BOOKINGS_MIN = 300  # an agent with fewer says little


def test_bookings_not_kept_cost_fulfilment(bus, engine, capsys):
    path = data_file("hotel_bookings.csv.gz")
    engine.config["workers"] = 2
    engine.run("topics", "create")
    engine.run("schemas", "register")
    by_time = to_avro.by_topic(hotels.events(path, by="agent"))
    assert set(by_time) == {"consents", "bookings"}
    events = consents_first((name, event) for name, list_ in by_time.items() for event in list_)
    sent = Feed(bus, engine).send(events)

    done = engine.drain()
    total = len(events)
    assert done["consumed"] == done["counted"] == total == sum(sent.values()), done
    for name in ("bookings", "consents"):
        assert sum(bus.ends(engine.config["topics"][name]).values()) == sent[name]

    records = bus.read(engine.config["topics"]["scores"])
    check_sequences(records)
    final = last_by_user(records)
    assert final.keys() == {event["user_id"] for event in by_time["consents"]}

    outcomes = collections.defaultdict(collections.Counter)
    for event in by_time["bookings"]:
        outcomes[event["user_id"]][event["status"]] += 1
    large = []
    for user, counts in outcomes.items():
        closed = counts["HONOURED"] + counts["NO_SHOW"] + counts["CANCELLED"]
        assert closed == counts["MADE"]
        if closed >= BOOKINGS_MIN:
            # as docs/model.md weighs them: a cancellation is a tenth of a no-show
            broken = (counts["NO_SHOW"] + counts["CANCELLED"] / 10) / closed
            large.append((broken, user, counts, final[user]["factors"]["fulfilment"]["value"]))
    large.sort(key=lambda row: row[:2])
    assert len(large) >= 20

    table = [
        f"{user:12} {counts['MADE']:5} {counts['HONOURED']:5} {counts['NO_SHOW']:8}"
        f" {counts['CANCELLED']:10} {value:11} {final[user]['score']:6}"
        for _, user, counts, value in large[:4] + large[-4:]
    ]
    with capsys.disabled():
        print("\nagent         made  kept  no-show  cancelled  fulfilment  score", *table, sep="\n")
    quarter = len(large) // 4
    reliable = [value for *_, value in large[:quarter]]
    broken = [value for *_, value in large[-quarter:]]
    assert sum(broken) / quarter < sum(reliable) / quarter - 200
    assert max(value for *_, value in large[-4:]) < min(value for *_, value in large[:4])
    one_no_show = [user for user, counts in outcomes.items() if counts == {"MADE": 1, "NO_SHOW": 1}]
    one_kept = [user for user, counts in outcomes.items() if counts == {"MADE": 1, "HONOURED": 1}]
    assert one_no_show and one_kept
    assert max(final[user]["score"] for user in one_no_show) < min(
        final[user]["score"] for user in one_kept
    )
