"""Events in great numbers: encoded by fastavro and produced in the wire format, consents first."""

import io
import json
import struct

import fastavro

from bus import INPUTS, schema_text

DAY_MS = 86400000


class Feed:
    """Produces (topic, event) pairs, topics by their default names, into one test's topics."""

    def __init__(self, bus, engine):
        self.bus = bus
        self.topics = engine.config["topics"]
        self._encoders = {}
        self._producer = None

    def encode(self, name, event):
        """The bytes of an event in our schema; its missing fields take the schema's defaults."""
        if name not in self._encoders:
            found = self.bus.registry.get_latest_version(f"{self.topics[name]}-value")
            schema = fastavro.parse_schema(json.loads(schema_text(name)))
            self._encoders[name] = struct.pack(">bI", 0, found.schema_id), schema
        header, schema = self._encoders[name]
        out = io.BytesIO()
        out.write(header)
        fastavro.schemaless_writer(out, schema, event)
        return out.getvalue()

    def send(self, events):
        """Produces in the given order and waits; returns how many went to each input."""
        failed, sent = [], dict.fromkeys(INPUTS, 0)

        def delivered(error, message):
            if error:
                failed.append((message.topic(), error))

        if self._producer is None:
            self._producer = self.bus.producer(
                queue_buffering_max_messages=1000000, compression_type="lz4", linger_ms=20
            )
        for name, event in events:
            value = self.encode(name, event)
            while True:
                try:
                    self._producer.produce(
                        self.topics[name], value, event["user_id"], on_delivery=delivered
                    )
                    break
                except BufferError:
                    self._producer.poll(0.1)
            sent[name] += 1
            if sent[name] % 1000 == 0:
                self._producer.poll(0)
        left = self._producer.flush(60)
        assert left == 0 and not failed, f"{left} not delivered, failed: {failed[:3]}"
        return sent


def consents_first(events):
    """The same events, consents in front: what is sent so is counted whenever the engine reads it."""
    events = list(events)
    return [e for e in events if e[0] == "consents"] + [e for e in events if e[0] != "consents"]


def millis(moment):
    """What fastavro makes of a timestamp-millis, back in milliseconds."""
    return round(moment.timestamp() * 1000)


def last_by_user(records):
    """user -> the last record's value; a user's records are in one partition, in order."""
    return {record.value["user_id"]: record.value for record in records}


def check_sequences(records):
    """Every user's sequence numbers rise by one from each opt-in on, and previous_score chains.

    Returns user -> the user's records' values.
    """
    users = {}
    for record in records:
        users.setdefault(record.value["user_id"], []).append(record.value)
    for user, values in users.items():
        before = {"kind": "OPT_OUT", "sequence": None, "score": None}
        for value in values:
            where = f"{user}: {value} behind {before}"
            if before["kind"] == "OPT_OUT":
                assert (value["kind"], value["sequence"]) == ("OPT_IN", 1), where
            else:
                assert value["sequence"] == before["sequence"] + 1, where
                assert value["kind"] != "OPT_IN", where
            assert value["previous_score"] == before["score"], where
            before = value
    return users
