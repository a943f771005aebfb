"""bench/run: the engine and a bare librdkafka loop, in turns, on one stack. README.md says more."""

import argparse
import datetime
import json
import pathlib
import re
import signal
import statistics
import sys
import tempfile
import warnings

warnings.showwarning = lambda *_: None  # libraries of confluent-kafka's about one another

import confluent_kafka
from bus import INPUTS, Bus
from machine import describe_machine
from rig import PARTITIONS, Child, Rig, say
from stack import TREE

OUTPUTS = ("scores", "entitlements", "dead_letters", "state", "ranks")
SEED = 7


class Bench(Rig):
    def __init__(self, options, directory):
        super().__init__(options, directory)
        self.bus = None
        self.results = open(options.out, "w")
        self.rows = []
        self.turn = 0
        self.score_bytes = None

    def record(self, **row):
        self.rows.append(row)
        self.results.write(json.dumps(row) + "\n")
        self.results.flush()

    # -- preparation

    def set_up(self):
        self.start()
        self.bus = Bus(self.stack)
        self.prepare_topics(self.config(0))
        say(f"generating {self.options.events} events of {self.options.users} users")
        Child([self.sesame, "generate", *self.config(0), *self.population()], self.log)
        self.input_ends = {topic: sum(self.bus.ends(topic).values()) for topic in INPUTS}

    def population(self):
        options = self.options
        return ["--users", options.users, "--events", options.events, "--seed", SEED]

    def config(self, turn, workers=1):
        """Options of sesame: a fresh group and fresh outputs for each turn."""
        topics = {f"topics.{name}": topic for name, topic in self.output_topics(turn).items()}
        more = {"group": f"bench-{turn}", "workers": workers, **topics}
        return self.settings(more, self.options.socket)

    @staticmethod
    def output_topics(turn):
        return {name: f"bench-{turn}-{name}" for name in OUTPUTS}

    # -- the turns

    def watched(self, kind, workers, command):
        """Runs a command; what it, the broker and Redis cost until it ended."""
        child, spent = self.measured(command)
        return child, {"kind": kind, "workers": workers, "events": self.options.events} | spent

    def run_sesame(self, workers):
        self.turn += 1
        self.stack.redis("FLUSHALL")
        self.prepare_topics(self.config(self.turn))
        topics = self.output_topics(self.turn)
        command = [self.sesame, "run", "--until-caught-up", *self.config(self.turn, workers)]
        child, row = self.watched("sesame", workers, command)
        consumed = int(re.search(r"^accounted: consumed (\d+)", child.out, re.MULTILINE).group(1))
        if consumed != self.options.events:
            raise SystemExit(f"sesame consumed {consumed} events, not {self.options.events}")
        row["transactions"] = int(re.search(r"in (\d+) transactions", child.out).group(1))
        outputs = {name: self.measure_topic(topic) for name, topic in topics.items()}
        changelog = outputs["state"]
        row["flow_seconds"] = (changelog["last_ms"] - changelog["first_ms"]) / 1000
        row["outputs"] = {
            name: {key: output[key] for key in ("records", "bytes")}
            for name, output in outputs.items()
        }
        row["redis_bytes"] = self.redis_bytes()
        row["redis_users"] = outputs["state"]["keys"]
        self.bus.delete_topics(topics.values())
        self.record(**row)
        return row["outputs"]

    def measure_topic(self, topic):
        """How many records a topic holds, their bytes (keys included), and the broker's times."""
        consumer = confluent_kafka.Consumer({
            "bootstrap.servers": self.stack.bootstrap,
            "group.id": "bench-reader",  # required, never joined
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
        })
        consumer.assign([
            confluent_kafka.TopicPartition(topic, p, confluent_kafka.OFFSET_BEGINNING)
            for p in range(PARTITIONS)
        ])
        found = {"records": 0, "bytes": 0, "first_ms": 0, "last_ms": 0}
        keys, at_end = set(), 0
        while at_end < PARTITIONS:
            for message in consumer.consume(10000, 0.5):
                if message.error():
                    at_end += message.error().code() == confluent_kafka.KafkaError._PARTITION_EOF
                    continue
                key, value, time_ms = message.key(), message.value(), message.timestamp()[1]
                keys.add(key)
                found["records"] += 1
                found["bytes"] += len(key or b"") + len(value or b"")
                found["first_ms"] = min(found["first_ms"] or time_ms, time_ms)
                found["last_ms"] = max(found["last_ms"], time_ms)
        consumer.close()
        return found | {"keys": len(keys)}

    def run_bare(self, kind, workers, outputs, keep=True):
        """outputs: records and bytes by name, as sesame wrote them."""
        self.turn += 1
        events = self.options.events
        topics = self.output_topics(self.turn)
        written = {name: output for name, output in outputs.items() if output["records"]}
        self.bus.create_topics([topics[name] for name in written], partitions=PARTITIONS)
        command = [
            self.build / "bench" / "bare_loop",
            "-b", self.stack.bootstrap, "-g", f"bench-{self.turn}", "-w", workers,
        ]
        for name, output in written.items():
            size = round(output["bytes"] / output["records"])
            command += ["-o", f"{topics[name]}:{output['records'] / events:.9f}:{size}"]
        child, row = self.watched(kind, workers, [*command, *INPUTS])
        told = json.loads(child.out)
        if told["events"] != events:
            raise SystemExit(f"the bare loop read {told['events']} events, not {events}")
        row |= {key: told[key] for key in ("transactions", "flow_seconds")}
        row["outputs"] = {"all": {"records": told["produced"], "bytes": told["produced_bytes"]}}
        self.bus.delete_topics([topics[name] for name in written])
        if keep:
            self.record(**row)

    def measure(self):
        options = self.options
        one = {"scores": {"records": options.events, "bytes": options.events * 300}}
        say("warming the broker up")
        self.run_bare("warm-up", 1, one, keep=False)
        for run in range(options.runs):
            for workers in options.workers:
                say(f"run {run + 1} of {options.runs}, {workers} worker(s)")
                same = self.run_sesame(workers)
                scores = same["scores"]
                size = scores["bytes"] / scores["records"]
                one = {"scores": {"records": options.events, "bytes": options.events * size}}
                self.run_bare("bare, one output", workers, one)
                self.run_bare("bare, same outputs", workers, same)

    def replay(self):
        say("replaying from files")
        files = self.directory / "files"
        Child([self.sesame, "generate", "--files", files, *self.population()], self.log)
        for _ in range(self.options.runs):
            child = Child([self.sesame, "replay", "--files", files], self.log)
            self.record(
                kind="replay", workers=1, events=self.options.events, seconds=child.seconds,
                cpu_user=child.cpu_user, cpu_system=child.cpu_system, memory_mib=child.memory_mib,
            )

    def micro(self):
        say("single steps")
        child = Child([self.build / "bench" / "micro"], self.log)
        for line in child.out.splitlines():
            self.record(**json.loads(line))


# -- the table


def medians(rows, *ways):
    return [statistics.median(way(row) for row in rows) for way in ways]


def per_million(row, *names):
    return sum(row[name] for name in names) / row["events"] * 1e6


HEADER = """\
{:20} {:>7} {:>4} {:>19}   {}
{:20} {:>7} {:>4} {:>9} {:>9}   {:>7} {:>6} {:>6} {:>12} {:>7} {:>6} {:>5}""".format(
    "", "", "", "events/s", "CPU seconds per million events",
    "median of the runs", "workers", "runs", "all", "flowing",
    "process", "Redis", "sum", "least-most", "broker", "x bare", "MiB",
)


def cost(row):
    """CPU seconds per million events: the process, and Redis where the process is sesame."""
    redis = ("cpu_redis",) if row["kind"] == "sesame" else ()
    return per_million(row, "cpu_user", "cpu_system", *redis)


def print_table(rows):
    groups = {}
    for row in rows:
        if row["kind"] not in ("machine", "micro"):
            groups.setdefault((row["workers"], row["kind"]), []).append(row)
    if groups:
        print(HEADER)
    for (workers, kind), group in sorted(groups.items(), key=lambda item: item[0][0]):
        rate, flowing, process, total, kafka, memory = medians(
            group,
            lambda row: row["events"] / row["seconds"],
            lambda row: row["events"] / row["flow_seconds"] if row.get("flow_seconds") else 0,
            lambda row: per_million(row, "cpu_user", "cpu_system"),
            cost,
            lambda row: per_million(row, "cpu_kafka") if "cpu_kafka" in row else 0,
            lambda row: row["memory_mib"],
        )
        spread = f"{min(map(cost, group)):.2f}-{max(map(cost, group)):.2f}"
        bare = groups.get((workers, "bare, same outputs"))
        ratio = f"{total / medians(bare, cost)[0]:.2f}" if bare and kind == "sesame" else ""
        print(
            f"{kind:20} {workers:7} {len(group):4} {rate:9.0f} {blank(flowing, 9, 0)}"
            f"   {process:7.2f} {blank(total - process, 6, 2)} {total:6.2f} {spread:>12}"
            f" {blank(kafka, 7, 2)} {ratio:>6} {memory:5.0f}"
        )
    print_sizes(groups)
    for row in rows:
        if row["kind"] == "micro":
            value = f"{row['ns']:6.0f} ns" if "ns" in row else f"{row['bytes']:6} bytes"
            print(f"{row['step']:24} {value}")


def blank(number, width, digits):
    return f"{number:{width}.{digits}f}" if number > 0.001 else " " * (width - 1) + "-"


def print_sizes(groups):
    sesame = [row for (_, kind), group in groups.items() if kind == "sesame" for row in group]
    if not sesame:
        return
    row = sesame[-1]
    print("\nsesame wrote for each event:", end="")
    for name, output in row["outputs"].items():
        if output["records"]:
            rate, size = output["records"] / row["events"], output["bytes"] / output["records"]
            print(f"  {name} {rate:.3f} x {size:.0f} bytes", end="")
    batch, users = row["events"] / row["transactions"], max(row["redis_users"], 1)
    print(f"\n{batch:.0f} events in a transaction; Redis holds {row['redis_bytes'] / users:.0f} "
          "bytes for each user, its own 1 MB or so included\n")


# -- the whole


def parse(arguments):
    parser = argparse.ArgumentParser(prog="bench/run", description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--users", type=int, default=50_000)
    parser.add_argument("--runs", type=int, default=3, help="of each measurement (default 3)")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2], help="default: 1 2")
    parser.add_argument("--build", default=TREE / "build", help="a release build (default build/)")
    parser.add_argument("--out", help="JSON lines (default: under BUILD/bench/results)")
    parser.add_argument("--only", choices=("stream", "replay", "micro"), nargs="+",
                        default=["stream", "replay", "micro"])
    parser.add_argument("--socket", action="store_true", help="reach Redis by its Unix socket")
    parser.add_argument("-X", dest="set", action="append", default=[], metavar="NAME=VALUE",
                        help="an option for sesame run; may be repeated")
    options = parser.parse_args(arguments)
    if options.out is None:
        results = pathlib.Path(options.build) / "bench" / "results"
        results.mkdir(parents=True, exist_ok=True)
        stamp = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        options.out = results / f"{stamp}.jsonl"
    return options


def main():
    options = parse(sys.argv[1:])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="sesame-bench-") as directory:
        bench = Bench(options, pathlib.Path(directory))
        bench.record(kind="machine", **describe_machine(TREE, bench.build, sys.argv[1:]))
        try:
            if "micro" in options.only:
                bench.micro()
            if "replay" in options.only:
                bench.replay()
            if "stream" in options.only:
                bench.set_up()
                bench.measure()
        finally:
            bench.results.close()
            bench.bus = None  # its client would complain of a broker that is gone
            bench.stack.wipe()
    print(", ".join(f"{name} {value}" for name, value in bench.rows[0].items() if name != "kind"))
    print()
    print_table(bench.rows)
    print(f"\nresults: {options.out}")


if __name__ == "__main__":
    main()
