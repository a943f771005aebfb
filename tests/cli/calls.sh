#!/usr/bin/env bash
# usage: calls.sh SESAME
# How commands are called, wrongly too, where that shows from outside only and needs no broker.
set -uo pipefail
sesame="$1"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
failed=0

wrong() { echo "$*"; sed 's/^/    /' "$work/out" "$work/err"; failed=1; }
# exits STATUS TEXT ARGUMENT...: the command ends so, at once, and says TEXT on standard error.
exits() {
    local status="$1" text="$2" code
    shift 2
    timeout 10 "$sesame" "$@" >"$work/out" 2>"$work/err" </dev/null
    code=$?
    [ "$code" = "$status" ] || wrong "sesame $*: exited $code, not $status"
    grep -qF -e "$text" "$work/err" || [ -z "$text" ] || wrong "sesame $*: does not say: $text"
}

commands="$("$sesame" -h | sed -n 's/^  \([a-z-]*\)  .*/\1/p')"
[ "$(wc -w <<<"$commands")" -gt 10 ] || wrong "cannot tell the commands from sesame -h"
for command in $commands; do
    exits 0 "" "$command" -h
    mv "$work/out" "$work/h"
    exits 0 "" "$command" --help
    cmp -s "$work/h" "$work/out" || wrong "$command: --help and -h differ"
    columns="$(LC_ALL=C.UTF-8 wc -L <"$work/h")"
    [ "$columns" -le 80 ] || wrong "$command -h: $columns columns"
    exits 2 "usage: sesame $command" "$command" --no-such-option
done

# Output that is lost is a failure.
if [ -c /dev/full ]; then
    for call in "-h" "run -h" "check-config" "check-config --docs"; do
        # shellcheck disable=SC2086
        "$sesame" $call >/dev/full 2>"$work/err"
        [ $? = 1 ] && grep -q "standard output" "$work/err" || wrong "sesame $call >/dev/full"
    done
fi

# What takes the place of a file when it is whole takes no other's: here a pipe's, on some a device's.
mkfifo "$work/pipe"
: >"$work/empty.yaml"
dir="$work/logs"
mkdir "$dir"
exits 1 "no regular file" snapshot "$work/pipe" --files "$dir"
exits 1 "no regular file" explain somebody --files "$dir" --html "$work/pipe"
exits 1 "no regular file" explain somebody --files "$dir" --json "$work/pipe"
exits 1 "a folder" backtest --files "$dir" --model model.yaml --html "$dir"
[ -p "$work/pipe" ] || wrong "the pipe was replaced"

# The changelog's states are of one moment and of everybody.
exits 2 "--until is for" snapshot "$work/out.avro" -F sesame.yaml --until 2026-01-01
exits 2 "--user is for" snapshot "$work/out.avro" -F sesame.yaml --user somebody

# A proof of nothing is told from one of something.
exits 0 "" generate --files "$dir" --users 3 --events 60
exits 0 "" replay --files "$dir" --records "$dir/scores.avro"
exits 0 "" verify --files "$dir" --no-entitlements
[ -s "$work/err" ] && wrong "verify says something though it has proven all"
exits 0 "nothing was proven" verify --files "$dir" --no-entitlements --user nobody

exits 1 "neither a file nor the version" replay --files "$dir" --model default-0000000000000000
exits 1 "neither a file nor the version" backtest --files "$dir" --model default-0000000000000000

# What a config can be told to lack without a broker is told at once.
printf 'kafka:\n  bootstrap.servrs: a:1\n' >"$work/typo.yaml"
exits 1 "bootstrap.servrs" check-config -F "$work/typo.yaml"
exits 1 "no.such.property" check-config -X no.such.property=1
exits 1 "session.timeout.ms" check-config -X session.timeout.ms=5000
exits 0 "kafka.bootstrap.servers (host:port of a Kafka broker)" check-config
set_up=(-X redis.url=unix:///nowhere -X registry.url=embedded: -X bootstrap.servers=127.0.0.1:1)
exits 0 "" check-config "${set_up[@]}"
[ -s "$work/err" ] && wrong "check-config says something of a config that is whole"
exits 1 "no.such.property" run "${set_up[@]}" -X no.such.property=1
exits 1 "kafka.bootstrap.servers is not set" topics create
exits 1 "kafka.bootstrap.servers is not set" snapshot "$work/out.avro" -F "$work/empty.yaml"
exits 1 "kafka.bootstrap.servers is not set" dead-letters list
exits 1 "bootstrap.servers" generate -X registry.url=embedded: --events 1
exits 1 "kafka.bootstrap.servers is not set" rescore -X registry.url=embedded: --status

exit $failed
