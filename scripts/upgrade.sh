#!/bin/bash
# Upgrades the server of a fleet on this host: build, sign, swap, and go back if the new one is not healthy.
set -euo pipefail

usage() {
  cat <<'TEXT'
Usage: scripts/upgrade.sh [--from DIR] [flags]

Builds vigo-server, vigocli and the agents here (or takes them from DIR), lays them down as
PREFIX/releases/<version>-<digest>, lets the link PREFIX/current name that, restarts the service, and waits until the
server is healthy. If it is not in time, the link names the old release again, and the old server is started.

  --from DIR          take vigo-server, vigocli and agents/<os>-<arch>/vigo from DIR instead of building
  --config FILE       the server's configuration [/srv/vigo/server.yaml]
  --prefix DIR        where releases lie [/opt/vigo]
  --bin-dir DIR       where links to vigo-server and vigocli lie [/usr/local/bin]
  --agents-link PATH  the link to the agents of the current release [/usr/share/vigo/agents]
  --targets LIST      the agents to build, as cargo xtask dist-agent takes them [linux-x86_64]
  --service NAME      the unit to restart [vigo-server]
  --deadline SECONDS  how long the new server has to become healthy [60]
  --keep N            how many releases besides the current and the previous one stay [2]
  --dry-run           say what would be done
  --help              show this

SIGN_KEY=FILE signs the agents: those that are built, and those of DIR that have no signature (by DIR/xtask where there is
one, else by cargo xtask).

Exit codes: 0 upgraded, or nothing to do; 1 failed, nothing was changed; 2 usage; 5 the new server was not healthy, the old
one is back and answers; 6 the new server was not healthy, and no old one answers.

Examples:
  SIGN_KEY=/media/key/signing.key scripts/upgrade.sh
  scripts/upgrade.sh --from /tmp/vigo-0.2.0 --dry-run
TEXT
}

say() { printf 'upgrade: %s\n' "$*"; }
die() { printf 'upgrade: %s\n' "$2" >&2; exit "$1"; }
value() { if [ "$#" -lt 2 ] || [ -z "$2" ]; then die 2 "$1 needs a value; see --help"; fi; }

from='' config=/srv/vigo/server.yaml prefix=/opt/vigo bin_dir=/usr/local/bin agents_link=/usr/share/vigo/agents
targets=linux-x86_64 service=vigo-server deadline=60 keep=2 dry_run=''
while [ "$#" -gt 0 ]; do
  case $1 in
    --from) value "$@"; from=$2; shift 2 ;;
    --config) value "$@"; config=$2; shift 2 ;;
    --prefix) value "$@"; prefix=$2; shift 2 ;;
    --bin-dir) value "$@"; bin_dir=$2; shift 2 ;;
    --agents-link) value "$@"; agents_link=$2; shift 2 ;;
    --targets) value "$@"; targets=$2; shift 2 ;;
    --service) value "$@"; service=$2; shift 2 ;;
    --deadline) value "$@"; deadline=$2; shift 2 ;;
    --keep) value "$@"; keep=$2; shift 2 ;;
    --dry-run) dry_run=1; shift ;;
    --help | -h) usage; exit 0 ;;
    *) die 2 "unknown argument $1; see --help" ;;
  esac
done
case $deadline$keep in *[!0-9]*) die 2 '--deadline and --keep take numbers' ;; esac
[ -f "$config" ] || die 1 "there is no $config; --config names the server's"
config=$(realpath "$config")
[ -z "$from" ] || from=$(realpath "$from")
prefix=$(realpath -m "$prefix")
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# New files are for all to read and for their owner to change.
umask 022
releases=$prefix/releases
if [ -z "$dry_run" ]; then
  mkdir -p "$releases" 2>/dev/null || die 1 "$releases cannot be made; run this as root, or name a --prefix"
  exec 9>"$prefix/.lock"
  flock -n 9 || die 1 'another upgrade is going on'
  work=$(mktemp -d "$releases/.new-XXXXXX")
else
  work=$(mktemp -d)
fi
trap 'rm -rf "$work"' EXIT
stage=$work/release

# 1. The programs and the agents.
if [ -z "$from" ]; then
  if [ -n "$dry_run" ]; then
    say "would build vigo-server, vigocli and the agents for $targets${SIGN_KEY:+, signed by $SIGN_KEY}, and go on as with --from"
    exit 0
  fi
  if [ -n "${SIGN_KEY:-}" ]; then
    # A server that knows the key offers nothing else.
    VIGO_AGENT_SIGNING_PUBKEY=$(cargo xtask pubkey)
    export VIGO_AGENT_SIGNING_PUBKEY
  fi
  cargo build --release --locked -p vigo-server -p vigocli
  from=$work/built
  mkdir "$from"
  cp "${CARGO_TARGET_DIR:-target}/release/vigo-server" "${CARGO_TARGET_DIR:-target}/release/vigocli" "$from/"
  cargo xtask dist-agent --targets "$targets" --out "$from/agents"
fi
for name in vigo-server vigocli; do
  [ -f "$from/$name" ] || die 1 "there is no $name in $from; nothing was changed"
done
mkdir -p "$stage/bin" "$stage/agents"
cp "$from/vigo-server" "$from/vigocli" "$stage/bin/"
chmod 755 "$stage/bin/vigo-server" "$stage/bin/vigocli"
if [ -d "$from/agents" ]; then cp -R "$from/agents/." "$stage/agents/"; fi
# Whoever may change an agent is root on every machine.
chmod -R go-w "$stage"

version=$("$stage/bin/vigo-server" --version) || die 1 'the new vigo-server does not run here; nothing was changed'
version=${version##* }
case $version in '' | *[!A-Za-z0-9.+-]*) die 1 "the new vigo-server calls itself $version; nothing was changed" ;; esac
# Over the programs alone: a signature of the same build made later is no other release.
digest=$(cd "$stage" && find . -type f \( -path './bin/*' -o -name vigo -o -name vigo.exe \) -print0 |
  LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -c1-12)
release=$releases/$version-$digest
old=''
if [ -L "$prefix/current" ]; then old=$(readlink -f "$prefix/current"); fi
if [ "$old" = "$release" ]; then
  say "$version-$digest is the current release; nothing to do"
  exit 0
fi

# 2. Signatures.
for agent in "$stage"/agents/*/vigo; do
  [ -f "$agent" ] || continue
  if [ -f "$agent.sig" ]; then continue; fi
  name=$(basename "$(dirname "$agent")")
  if [ -z "${SIGN_KEY:-}" ]; then
    say "the agent for $name is not signed: it is offered to new machines, and no machine updates to it"
  elif [ -n "$dry_run" ]; then
    say "would sign the agent for $name by $SIGN_KEY"
  else
    own=$version
    if [ -f "$(dirname "$agent")/VERSION" ]; then own=$(cat "$(dirname "$agent")/VERSION"); fi
    sign=(cargo xtask)
    if [ -x "$from/xtask" ]; then sign=("$from/xtask"); fi
    "${sign[@]}" sign --key "$SIGN_KEY" --version "$own" "$agent" || die 1 'signing failed; nothing was changed'
  fi
done

# 3. What the new server says of the configuration, before it is the one that runs.
"$stage/bin/vigo-server" check --config "$config" ||
  die 1 'the new server refuses the configuration, the keys or the store; nothing was changed'
if [ -n "$dry_run" ]; then
  say "would lay down $release, let $prefix/current name it, restart $service and wait $deadline s for its health"
  say "would go back to ${old:-nothing: this is the first release here}"
  exit 0
fi

# What a reader of the link sees is the old release or the new one.
point() {
  ln -sfn "$2" "$1.new"
  mv -T "$1.new" "$1"
}

# The lock is this script's alone: nothing that is started keeps it.
control() { systemctl "$@" 9>&-; }

server=$prefix/current/bin/vigo-server
healthy() {
  control is-active --quiet "$service" &&
    timeout 10 "$server" health --config "$config" --timeout 5 >"$work/health" 2>&1
}

# Twice, a second apart: one that crashes after its first answer is not healthy.
wait_until_healthy() {
  local end=$((SECONDS + deadline)) times=0
  while [ "$SECONDS" -le "$end" ]; do
    if healthy; then times=$((times + 1)); else times=0; fi
    if [ "$times" -ge 2 ]; then return 0; fi
    sleep 1
  done
  return 1
}

go_back() {
  trap '' INT TERM HUP
  say "$1"
  if [ -s "$work/health" ]; then sed 's/^/  /' "$work/health"; fi
  if [ -z "$old" ]; then
    # Without our links the unit finds a server that a package installed, where there is one.
    rm -f "$prefix/current" "$bin_dir/vigo-server" "$bin_dir/vigocli" "$agents_link"
    rm -rf "$release"
    hash -r
    if ! server=$(command -v vigo-server); then
      control stop "$service" || say "$service could not be stopped"
      say 'there is no older server to go back to; this one is stopped'
      exit 6
    fi
    old=$server
  else
    point "$prefix/current" "$old"
    rm -rf "$release"
  fi
  control restart "$service" || say "$service could not be restarted"
  if wait_until_healthy; then
    say "went back: ${old#"$releases/"} answers again"
    exit 5
  fi
  if [ -s "$work/health" ]; then sed 's/^/  /' "$work/health"; fi
  say "went back to ${old#"$releases/"}, and it is not healthy either: see journalctl -u $service"
  exit 6
}

# 4. Swap.
rm -rf "$release"
mv -T "$stage" "$release"
mkdir -p "$bin_dir" "$(dirname "$agents_link")"
for name in vigo-server vigocli; do
  if [ -e "$bin_dir/$name" ] && ! [ -L "$bin_dir/$name" ]; then
    rm -rf "$release"
    die 1 "$bin_dir/$name is a file of its own, not a link into $prefix: move it away, or name another --bin-dir"
  fi
done
if [ -e "$agents_link" ] && ! [ -L "$agents_link" ]; then
  rm -rf "$release"
  die 1 "$agents_link is a folder of its own, not a link into $prefix: move it away, or name another --agents-link"
fi
trap 'go_back "interrupted"' INT TERM HUP
point "$prefix/current" "$release"
for name in vigo-server vigocli; do point "$bin_dir/$name" "$prefix/current/bin/$name"; done
point "$agents_link" "$prefix/current/agents"
say "restarting $service as $version-$digest"
control restart "$service" || go_back "$service does not start"

# 5. Health.
wait_until_healthy || go_back "$version-$digest was not healthy within $deadline s"
trap - INT TERM HUP
if [ -n "$old" ]; then point "$prefix/previous" "$old"; fi

# 6. What is old enough goes.
kept=0
while IFS= read -r one; do
  if [ "$one" = "$release" ] || [ "$one" = "$old" ]; then continue; fi
  kept=$((kept + 1))
  if [ "$kept" -gt "$keep" ]; then
    rm -rf "$one"
    say "removed $(basename "$one")"
  fi
done < <(find "$releases" -mindepth 1 -maxdepth 1 -type d ! -name '.*' -printf '%T@ %p\n' | sort -rn | cut -d' ' -f2-)
say "upgraded: $version-$digest is healthy${old:+; the previous one is ${old#"$releases/"}}"
