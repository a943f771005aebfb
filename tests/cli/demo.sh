#!/usr/bin/env bash
# usage: tests/cli/demo.sh SESAME
#
# `sesame demo` ends by itself with books that add up, and leaves nothing behind: neither at its end,
# nor when it is interrupted, nor when it is killed.

set -euo pipefail
sesame="$1"
TMPDIR="$(mktemp -d /tmp/sesame-test.XXXXXX)" # short: a socket goes into it
export TMPDIR
trap 'rm -rf "$TMPDIR" "$TMPDIR.out"' EXIT
fail() { echo "demo.sh: $*" >&2; exit 1; }

# until_true SECONDS COMMAND...: polls.
until_true() {
    local deadline=$((SECONDS + $1))
    until "${@:2}"; do
        [ $SECONDS -lt $deadline ] || return 1
        sleep 0.05
    done
}
servers() { pgrep -f "$TMPDIR/sesame-demo" >/dev/null; }
nothing_left() { ! servers && [ -z "$(ls "$TMPDIR")" ]; }
server_up() { [ -S "$(echo "$TMPDIR"/sesame-demo.*/redis.sock)" ]; }

"$sesame" demo --users 4000 --events 80000 --seconds 40 >"$TMPDIR.out" || fail "it failed"
out="$(cat "$TMPDIR.out")"
rm "$TMPDIR.out"
nothing_left || fail "it left something behind: $(ls "$TMPDIR")"
[[ "$(tail -n 1 <<<"$out")" =~ ^accounted:\ consumed\ ([0-9]+)\ =\ counted\ ([0-9]+)\ \+\ duplicate\ ([0-9]+)\ \+\ not-consented\ ([0-9]+)\ \+\ dead-lettered\ ([0-9]+)$ ]] ||
    fail "the last line accounts for nothing: $(tail -n 1 <<<"$out")"
n=("${BASH_REMATCH[@]:1}")
[ "${n[0]}" = 80000 ] || fail "consumed ${n[0]} of 80000"
[ "${n[0]}" = $((n[1] + n[2] + n[3] + n[4])) ] || fail "the counts do not add up"
for i in 1 2 3 4; do [ "${n[$i]}" -gt 0 ] || fail "no event of each outcome: ${n[*]}"; done
grep -q 'one user explained' <<<"$out" || fail "no user is explained"
grep -q 'listed by a court (case-' <<<"$out" || fail "nobody was listed"
grep -q 'a privilege revoked: u-' <<<"$out" || fail "no privilege was revoked"
! grep -q $'\033' <<<"$out" || fail "there are escape sequences in a pipe"

for signal in INT KILL; do
    # (a job in the background ignores SIGINT unless the shell has job control)
    set -m
    "$sesame" demo --users 1000 --events 100000000 >/dev/null &
    demo=$!
    set +m
    until_true 20 server_up || fail "no server came up"
    kill -$signal $demo
    wait $demo 2>/dev/null && status=0 || status=$?
    case $signal in
    INT) [ $status = 0 ] || fail "interrupted, it ends with $status" ;;
    KILL) [ $status = 137 ] || fail "killed, it ends with $status" ;;
    esac
    until_true 10 nothing_left || fail "after SIG$signal there is left: $(ls "$TMPDIR")"
done

status=0
complaint="$(PATH=/nonexistent "$sesame" demo 2>&1)" || status=$?
[ $status = 1 ] || fail "without redis-server it ends with $status"
[[ $complaint == *"redis-server is not installed"* ]] || fail "it says: $complaint"
nothing_left || fail "without redis-server it leaves: $(ls "$TMPDIR")"
