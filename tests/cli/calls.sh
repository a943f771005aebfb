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

exit $failed
