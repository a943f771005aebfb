# lib.sh - what the scripts of this folder share; sourced, not run.

tree="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
cache="${SESAME_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sesame}"

say() { printf '%s\n' "$*" >&2; }
die() { say "$(basename "$0"): $*"; exit 1; }

# Prints the comment at the top of the calling script: its usage text.
usage() { sed -n '2,/^$/s/^# \{0,1\}//p' "$0"; }

# Where tools/install puts downloads: named after what they are made from, so that a change of a
# version makes a new one and an old checkout still finds its own.
fingerprint() { cat "$@" | sha256sum | cut -c1-12; }
servers_dir() { printf '%s/servers-%s\n' "$cache" "$(fingerprint "$tree/deploy/pom.xml")"; }
venv_dir() {
    local version
    version="$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')"
    printf '%s/venv-%s-%s\n' "$cache" "$version" "$(fingerprint "$tree/tests/e2e/requirements.txt")"
}
toxiproxy_version=v2.5.0
toxiproxy() { printf '%s/toxiproxy-%s/server\n' "$cache" "$toxiproxy_version"; }
