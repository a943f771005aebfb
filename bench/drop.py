"""bench/drop: from a listing's acknowledgement to its BLACKLIST_DROP at a subscriber, over a backlog."""

import argparse
import io
import json
import pathlib
import signal
import statistics
import struct
import subprocess
import sys
import tempfile
import threading
import time
import warnings

warnings.showwarning = lambda *_: None  # libraries of confluent-kafka's about one another

import confluent_kafka
import fastavro
from bus import Bus, schema_text
from machine import describe_machine
from rig import Child, Rig, say
from stack import TREE

START_MS = 1700000000000
DAY_MS = 86400000
MARKED_ID = "0123456789abcdef"  # replaced in the encoded bytes by ids of the same length


def user_of(n):
    return f"{n * 11400714819323198485 & 0xFFFFFFFFFFFFFFFF:016x}"


class Subscriber(threading.Thread):
    """Reads committed score records as they come; when the drop of each listed user was seen."""

    def __init__(self, bus, topic, listed):
        super().__init__(daemon=True)
        self.bus, self.listed = bus, listed
        self.seen, self.records, self.ended = {}, 0, False
        self.consumer = confluent_kafka.Consumer({
            "bootstrap.servers": bus.bootstrap, "group.id": "bench-subscriber",
            "enable.auto.commit": False, "isolation.level": "read_committed",
            "fetch.wait.max.ms": 10, "queued.max.messages.kbytes": 65536,
        })
        self.consumer.assign([
            confluent_kafka.TopicPartition(topic, p, offset)
            for p, offset in bus.ends(topic).items()])

    def run(self):
        while not self.ended:
            for message in self.consumer.consume(2000, 0.02):
                if message.error():
                    continue
                self.records += 1
                key = message.key()
                if key in self.listed and key not in self.seen:
                    if self.bus.decode(self.bus._record(message)).value["kind"] == "BLACKLIST_DROP":
                        self.seen[key] = time.monotonic()
        self.consumer.close()


class Bench(Rig):
    def config(self):
        return self.settings({"workers": self.options.workers}, socket=True)

    def template(self, topic, **fields):
        """A function from (event id of 16 characters, user) to the event's bytes."""
        schema = fastavro.parse_schema(json.loads(schema_text(topic)))
        known = self.bus.registry.get_latest_version(f"{topic}-value").schema_id
        out = io.BytesIO()
        out.write(struct.pack(">bI", 0, known))
        fastavro.schemaless_writer(out, schema, {
            "event_id": MARKED_ID, "user_id": "u" * 16, "occurred_at": START_MS, **fields})
        first, _, rest = out.getvalue().partition(MARKED_ID.encode())
        middle, _, last = rest.partition(b"u" * 16)
        return lambda id, user: b"".join((first, id, middle, user, last))

    def produce(self, topic, values):
        """values: (user, bytes); the partitions are Kafka's own choice by the user."""
        producer = self.bus.producer(queue_buffering_max_messages=1000000, linger_ms=50,
                                     batch_size=1000000, compression_type="lz4")
        for n, (user, value) in enumerate(values):
            while True:
                try:
                    producer.produce(topic, value, user)
                    break
                except BufferError:
                    producer.poll(0.05)
            if n % 5000 == 0:
                producer.poll(0)
        if producer.flush(300):
            raise SystemExit("not all events were delivered")

    def prepare(self):
        options = self.options
        self.start()
        self.bus = Bus(self.stack)
        self.prepare_topics(self.config())
        self.users = [user_of(n).encode() for n in range(options.users)]
        say(f"{options.users} users opt in")
        grant = self.template("consents", action="GRANTED", purpose="SCORING", subscriber="")
        self.produce("consents", ((user, grant(b"c" + user[1:], user)) for user in self.users))
        Child([self.sesame, "run", "--until-caught-up", *self.config()], self.log)
        say(f"{options.payments} payments are sent")
        self.sent = 0

    def backlog(self, count):
        """Payments of everybody in turn, on days that go on."""
        per_day = max(1, len(self.users))
        day, template = -1, None
        for _ in range(count):
            n = self.sent
            if n // per_day != day:
                day = n // per_day
                template = self.template(
                    "payments", status="SETTLED", amount_minor=20000 + day * 10, currency="CNY",
                    category="GROCERIES", counterparty="shop",
                    occurred_at=START_MS + (day + 1) * DAY_MS // 4)
            user = self.users[n % len(self.users)]
            yield user, template(f"{n:016x}".encode(), user)
            self.sent += 1

    def waiting(self):
        """Payments that the group has not committed."""
        ends, committed = self.bus.ends("payments"), self.bus.committed("bench", "payments")
        return sum(end - max(0, committed.get(p, 0)) for p, end in ends.items())

    def turn(self, number):
        options = self.options
        self.produce("payments", self.backlog(options.payments - self.waiting()))
        first = number * options.listings
        listed = set(self.users[first:first + options.listings])
        subscriber = Subscriber(self.bus, "scores", listed)
        subscriber.start()
        listing = self.template("blacklist", action="LISTED", case_id=f"case-{number}",
                                authority="A court", amount_owed_minor=5000000, currency="CNY",
                                occurred_at=START_MS + 400 * DAY_MS)
        before = self.waiting()
        with open(self.log, "ab") as log:
            engine = subprocess.Popen([self.sesame, "run", *map(str, self.config())],
                                      stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + 60
            while self.waiting() > before - 20000:  # it reads
                if engine.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"the engine does not read; its log: {self.log}")
                time.sleep(0.05)
            sent, at = {}, {}

            def delivered(error, message):
                if error:
                    raise SystemExit(f"a listing was not delivered: {error}")
                at[message.key()] = time.monotonic()

            producer = self.bus.producer(linger_ms=0)
            began, start = self.waiting(), time.monotonic()
            for n, user in enumerate(sorted(listed)):
                while time.monotonic() < start + n / options.rate:
                    producer.poll(0.001)
                sent[user] = time.monotonic()
                producer.produce("blacklist", listing(f"{number:04x}{n:012x}".encode(), user), user)
            producer.flush(30)
            left = self.waiting()
            deadline = time.monotonic() + 60
            while len(subscriber.seen) < len(listed) and time.monotonic() < deadline:
                time.sleep(0.02)
        finally:
            engine.send_signal(signal.SIGTERM)
            engine.wait(60)
            subscriber.ended = True
            subscriber.join()
        if len(subscriber.seen) < len(listed):
            raise SystemExit(f"{len(listed) - len(subscriber.seen)} drops were never seen")
        delays = sorted((subscriber.seen[user] - sent[user]) * 1000 for user in listed)
        row = {
            "listings": len(listed), "rate": options.rate, "workers": options.workers,
            "waiting_first": began, "waiting_last": left, "scores_read": subscriber.records,
            **{f"p{p}": delays[min(len(delays) - 1, len(delays) * p // 100)] for p in (50, 90, 99)},
            "max": delays[-1],
        }
        print(f"{row['waiting_first']:>9} to {row['waiting_last']:>9} waiting: "
              f"{len(listed)} drops, ms from sending to seen: median {row['p50']:.0f}, "
              f"p90 {row['p90']:.0f}, p99 {row['p99']:.0f}, max {row['max']:.0f}", flush=True)
        return row


def parse(arguments):
    parser = argparse.ArgumentParser(prog="bench/drop", description=__doc__)
    parser.add_argument("--payments", type=int, default=10_000_000,
                        help="that wait when a turn begins (default 10000000)")
    parser.add_argument("--users", type=int, default=100_000)
    parser.add_argument("--listings", type=int, default=500, help="of a turn (default 500)")
    parser.add_argument("--rate", type=float, default=50, help="listings per second (default 50)")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--build", default=TREE / "build", help="a release build (default build/)")
    parser.add_argument("--out", help="JSON lines (default: none)")
    parser.add_argument("-X", dest="set", action="append", default=[], metavar="NAME=VALUE",
                        help="to sesame as it is")
    options = parser.parse_args(arguments)
    if options.listings * options.runs > options.users:
        parser.error("--users: each listing of each run is another user's")
    return options


def main():
    options = parse(sys.argv[1:])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    rows = [{"machine": describe_machine(TREE, pathlib.Path(options.build), sys.argv[1:])}]
    with tempfile.TemporaryDirectory(prefix="sesame-bench-") as directory:
        bench = Bench(options, pathlib.Path(directory))
        try:
            bench.prepare()
            rows += [bench.turn(number) for number in range(options.runs)]
        finally:
            bench.stack.wipe()
    p99 = [row["p99"] for row in rows[1:]]
    print(f"p99, median of {len(p99)} runs: {statistics.median(p99):.0f} ms")
    if options.out:
        pathlib.Path(options.out).write_text("".join(json.dumps(row) + "\n" for row in rows))


if __name__ == "__main__":
    main()
