"""bench/blacklist: a court's list of a usual size, from the file to Redis. docs/blacklist.md says more."""

import argparse
import json
import pathlib
import re
import signal
import sys
import tempfile
import warnings

warnings.showwarning = lambda *_: None  # libraries of confluent-kafka's about one another

from machine import describe_machine
from rig import Rig, say
from stack import TREE

HEADER = "user_id,case_id,authority,amount_owed,currency,listed_at\n"
SUMMARY = re.compile(r"^(\d+) rows, (\d+) published, 0 rejected in ([\d.]+) s", re.MULTILINE)


def write_list(path, rows):
    """One case for each of so many users with ids of 16 bytes; about 100 bytes a row, some quoted."""
    with open(path, "w", encoding="utf-8") as file:
        file.write(HEADER)
        for first in range(0, rows, 10000):
            file.write("".join(
                f'{i * 11400714819323198485 & 0xFFFFFFFFFFFFFFFF:016x},'
                f'(2024) court 0105 enforcement {i},"District Court {i % 400}, Beijing",'
                f'{i % 90000}.{i % 100:02},CNY,20{10 + i % 15}-{i % 12 + 1:02}-{i % 28 + 1:02}\n'
                for i in range(first, min(first + 10000, rows))
            ))


class Bench(Rig):
    def config(self):
        options = self.options
        more = {"redis.buckets": options.buckets, "workers": options.workers}
        return self.settings(more, options.socket)

    def sesame_measured(self, *command):
        child, row = self.measured([self.sesame, *command, *self.config()])
        return child, row | {"cpu": child.cpu_user + child.cpu_system}

    def run(self):
        rows, path = self.options.rows, self.directory / "list.csv"
        self.start()
        self.prepare_topics(self.config())
        say(f"writing {rows} rows")
        write_list(path, rows)
        results = [{"rows": rows, "file_bytes": path.stat().st_size}]
        for kind, more in (("dry run", ["--dry-run"]), ("import", [])):
            say(kind)
            child, row = self.sesame_measured("blacklist", "import", path, *more)
            found = SUMMARY.search(child.out)
            if not more and (not found or int(found[2]) != rows):
                raise SystemExit(f"not all of {rows} were published:\n{child.out}")
            results.append({"kind": kind, "rows": rows} | row)
        path.unlink()
        before = self.redis_bytes()
        say("the engine reads them")
        child, row = self.sesame_measured("run", "--until-caught-up")
        counted = int(re.search(r"counted (\d+)", child.out)[1])
        if counted != rows:
            raise SystemExit(f"the engine counted {counted}, not {rows}:\n{child.out}")
        used = self.redis_bytes() - before
        results.append({"kind": "engine", "rows": rows, "redis_bytes": used} | row)
        return results


def print_table(results):
    print(f"{'':14} {'rows/s':>9} {'seconds':>8}   {'CPU s per million: it':>21} {'broker':>7} "
          f"{'Redis':>6} {'MiB':>5}")
    for row in results:
        if "kind" not in row:
            continue
        million = row["rows"] / 1e6
        print(f"{row['kind']:14} {row['rows'] / row['seconds']:9.0f} {row['seconds']:8.1f}   "
              f"{row['cpu'] / million:21.2f} {row['cpu_kafka'] / million:7.2f} "
              f"{row['cpu_redis'] / million:6.2f} {row['memory_mib']:5.0f}")
    last = results[-1]
    each = last["redis_bytes"] / last["rows"]
    print(f"\nRedis: {last['redis_bytes'] / 2**20:.1f} MiB for {last['rows']} listed users, "
          f"{each:.1f} bytes each; {each * 6e6 / 2**20:.0f} MiB for six million")


def parse(arguments):
    parser = argparse.ArgumentParser(prog="bench/blacklist", description=__doc__)
    parser.add_argument("--rows", type=int, default=6_000_000, help="of the list (default 6000000)")
    parser.add_argument("--buckets", type=int, default=0,
                        help="redis.buckets (default: as full as 16384 are with six million)")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--socket", action="store_true", help="reach Redis by its Unix socket")
    parser.add_argument("--build", default=TREE / "build", help="a release build (default build/)")
    parser.add_argument("--out", help="JSON lines (default: none)")
    parser.add_argument("-X", dest="set", action="append", default=[], metavar="NAME=VALUE",
                        help="to sesame as it is")
    options = parser.parse_args(arguments)
    if options.rows < 1:
        parser.error("--rows: at least 1")
    options.buckets = options.buckets or max(1, round(16384 * options.rows / 6_000_000))
    return options


def main():
    options = parse(sys.argv[1:])
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    build = pathlib.Path(options.build)
    machine = {"kind": "machine"} | describe_machine(TREE, build, sys.argv[1:])
    with tempfile.TemporaryDirectory(prefix="sesame-bench-") as directory:
        bench = Bench(options, pathlib.Path(directory))
        try:
            results = bench.run()
        finally:
            bench.stack.wipe()
    if options.out:
        lines = [json.dumps(row) + "\n" for row in [machine, *results]]
        pathlib.Path(options.out).write_text("".join(lines))
    print_table(results)


if __name__ == "__main__":
    main()
