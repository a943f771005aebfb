#!/usr/bin/env python3
"""Real records as archived logs: one Avro container file for each topic, events by time.

    tests/real/to_avro.py {uci|hotels|friends} FILE OUTDIR

FILE is the data set's CSV or edge list, plain or gzipped; OUTDIR/<topic>.avro is written for every topic
that has events, with the schemas of schemas/. Needs fastavro.
"""

import json
import pathlib
import sys

import fastavro

HERE = pathlib.Path(__file__).resolve().parent
SCHEMAS = HERE.parent.parent / "schemas"
sys.path.insert(0, str(HERE))

import friends  # noqa: E402
import hotels  # noqa: E402
import uci  # noqa: E402

SOURCES = {"uci": uci.events, "hotels": hotels.events, "friends": friends.events}


def by_topic(events):
    """topic -> its events by time; those of one instant stay in the source's order."""
    topics = {}
    for topic, event in events:
        topics.setdefault(topic, []).append(event)
    for records in topics.values():
        records.sort(key=lambda event: event["occurred_at"])
    return topics


def main(arguments):
    if len(arguments) != 3 or arguments[0] not in SOURCES:
        sys.exit(__doc__)
    source, path, directory = arguments[0], arguments[1], pathlib.Path(arguments[2])
    directory.mkdir(parents=True, exist_ok=True)
    for topic, records in sorted(by_topic(SOURCES[source](path)).items()):
        schema = fastavro.parse_schema(json.loads((SCHEMAS / f"{topic}.avsc").read_text()))
        with open(directory / f"{topic}.avro", "wb") as out:
            fastavro.writer(out, schema, records, codec="deflate")
        print(f"{topic}: {len(records)} events, {len({r['user_id'] for r in records})} users")


if __name__ == "__main__":
    main(sys.argv[1:])
