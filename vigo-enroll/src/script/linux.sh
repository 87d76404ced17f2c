{
# Vigo's bootstrap for Linux. It fetches the agent from the server below, checks it, and lets it enrol this host.
# All of it stands in one pair of braces: a copy that was cut short is a syntax error and does nothing.

# The token first: no child may inherit it. A variable that was exported before stays exported until it is unset.
set +a
unset vigo_token vigo_line || :
vigo_token=${VIGO_TOKEN:-}
unset VIGO_TOKEN || :
set -eu
unset IFS
vigo_umask=$(umask)
umask 077
LC_ALL=C
export LC_ALL

# What the server says of itself.
server='@SERVER@'
api_addr='@API_ADDR@'
ca_pin='@CA_PIN@'
ca_pin_curl='@CA_PIN_CURL@'
ca_pin_token='@CA_PIN_TOKEN@'
leaf_pin='@LEAF_PIN@'
leaf_pin_curl='@LEAF_PIN_CURL@'
publicly_trusted='@PUBLICLY_TRUSTED@'

pins= hostname= config_dir= state_dir= bin_dir=/usr/local/sbin no_service=
token_from= token_file= checked= fetcher= stage= made= tty=
max_size=268435456

say() {
  printf 'vigo: %s\n' "$*" >&2
}

# die STATUS WHAT HINT: what is wrong, then what to do.
die() {
  say "$2"
  if [ -n "${3:-}" ]; then say "$3"; fi
  exit "$1"
}

usage_error() {
  die 2 "$1" 'see --help: sh -s -- --help'
}

usage() {
  cat <<USAGE
Enrols this host with the Vigo server $server.

  curl … $api_addr/bootstrap | sudo sh -s -- [flags]

  --token T           enrol with this token (others on this host can see it in the process list)
  --token-file F      the token is the first line of the file F
  --token-prompt      ask for the token at the terminal
  --ca-pin PIN        the server's CA must have this key (sha256: and 64 hexadecimal digits); may be repeated
  --server H:P        dial this gRPC address instead of $server
  --api-addr URL      fetch from this address instead of $api_addr
  --hostname H        enrol under this name instead of the host's own
  --config-dir DIR    keep configuration, keys and certificates in DIR
  --state-dir DIR     keep state in DIR
  --bin-dir DIR       install vigo in DIR instead of /usr/local/sbin
  --no-service        install and start no service
  --help              show this

VIGO_TOKEN in the environment is read as well.

Examples (each after: curl … | sudo sh -s --):
  --ca-pin $ca_pin --token-prompt
  --ca-pin $ca_pin --token-file /root/token --hostname web3.example.com
Without root (after: curl … | sh -s --):
  --config-dir ~/vigo/etc --state-dir ~/vigo/state --bin-dir ~/vigo/bin --no-service
USAGE
}

cleanup() {
  status=$?
  trap - EXIT HUP INT TERM
  if [ -n "$tty" ]; then stty "$tty" </dev/tty || :; fi
  if [ -n "$stage" ]; then rm -rf -- "$stage" </dev/null || :; fi
  if [ -n "$made" ]; then rmdir -- "$made" </dev/null 2>/dev/null || :; fi
  exit "$status"
}

is_installed() {
  command -v "$1" >/dev/null 2>&1
}

install_hint() {
  for tool in apt-get dnf apk zypper pacman; do
    if is_installed "$tool"; then
      case $tool in
        apk) echo "install one: apk add $1" ;;
        pacman) echo "install one: pacman -S $1" ;;
        *) echo "install one: $tool install $1" ;;
      esac
      return
    fi
  done
  echo "install one of the packages: $1"
}

# An address that was given is put into requests and commands: letters, digits and what an address needs.
check_address() {
  case $2 in
    *[!]A-Za-z0-9._:/[-]*) usage_error "$1 has a character that no address has" ;;
  esac
}

add_pin() {
  case $1 in
    "$ca_pin_curl") set -- "$ca_pin" ;;
    "$leaf_pin_curl") set -- "$leaf_pin" ;;
    sha256//*) die 4 "pin_mismatch: this script's server has none of the keys in --ca-pin $1" "it has $ca_pin" ;;
  esac
  digits=$(printf '%s\n' "${1#sha256:}" | tr ABCDEF abcdef)
  case $1 in
    sha256:*) ;;
    *) usage_error '--ca-pin takes sha256: and 64 hexadecimal digits, as vigocli ca show prints them' ;;
  esac
  case $digits in
    *[!0-9a-f]*) usage_error '--ca-pin takes sha256: and 64 hexadecimal digits; something else was found' ;;
  esac
  [ "${#digits}" -eq 64 ] || usage_error "--ca-pin takes sha256: and 64 hexadecimal digits; ${#digits} were found"
  pins="$pins sha256:$digits"
}

# Where the token comes from is said once; a flag wins over the environment.
token_is_from() {
  [ -z "$token_from" ] || usage_error "give one of --token, --token-file and --token-prompt ($token_from came first)"
  token_from=$1
}

while [ "$#" -gt 0 ]; do
  case $1 in
    --token=* | --token-file=* | --ca-pin=* | --server=* | --api-addr=* | --hostname=* | --config-dir=* | \
      --state-dir=* | --bin-dir=*)
      vigo_line=$1
      shift
      set -- "${vigo_line%%=*}" "${vigo_line#*=}" "$@"
      ;;
  esac
  case $1 in
    --token | --token-file | --ca-pin | --server | --api-addr | --hostname | --config-dir | --state-dir | --bin-dir)
      [ "$#" -ge 2 ] || usage_error "$1 needs a value"
      case $2 in '' | --*) usage_error "$1 needs a value" ;; esac
      ;;
  esac
  case $1 in
    --token) token_is_from --token; vigo_token=$2; shift 2 ;;
    --token-file) token_is_from --token-file; token_file=$2; shift 2 ;;
    --token-prompt) token_is_from --token-prompt; shift ;;
    --ca-pin) add_pin "$2"; shift 2 ;;
    --server) server=$2; check_address --server "$2"; shift 2 ;;
    --api-addr) api_addr=${2%/}; check_address --api-addr "$2"; shift 2 ;;
    --hostname) hostname=$2; shift 2 ;;
    --config-dir) config_dir=$2; shift 2 ;;
    --state-dir) state_dir=$2; shift 2 ;;
    --bin-dir) bin_dir=$2; shift 2 ;;
    --no-service) no_service=1; shift ;;
    --help | -h) usage; exit 0 ;;
    vgt1.*) usage_error 'a token needs --token before it' ;;
    -*) usage_error "unknown flag ${1%%=*}" ;;
    *) usage_error "unexpected argument '$1': every value has its flag before it" ;;
  esac
done

case $api_addr in
  https://?*) ;;
  *) usage_error '--api-addr takes an https:// address' ;;
esac
case ${api_addr#https://} in
  */*) usage_error '--api-addr takes https://HOST:PORT alone, without a path' ;;
esac

trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

case $token_from in
  --token-file)
    case $token_file in
      - | /dev/stdin | /dev/fd/0) usage_error '--token-file: standard input is this script; use a file or --token-prompt' ;;
    esac
    [ -r "$token_file" ] || die 1 "--token-file: $token_file cannot be read"
    vigo_token=
    IFS= read -r vigo_token <"$token_file" || [ -n "$vigo_token" ] || die 1 "--token-file: $token_file is empty"
    ;;
  --token-prompt)
    (: </dev/tty) 2>/dev/null || die 1 '--token-prompt: there is no terminal to ask at' 'use --token-file instead'
    vigo_token=
    tty=$(stty -g </dev/tty)
    printf 'Token: ' >/dev/tty
    stty -echo </dev/tty
    IFS= read -r vigo_token </dev/tty || :
    stty "$tty" </dev/tty
    tty=
    printf '\n' >/dev/tty
    [ -n "$vigo_token" ] || die 1 '--token-prompt: no token was typed'
    ;;
esac

# A token carries the pin of the CA that it is for, in base64url: the server put the same spelling into this script.
if [ -n "$vigo_token" ]; then
  case $vigo_token in
    *[!A-Za-z0-9._-]*) die 2 'the token has a character that no token has' 'copy it again, all of it and nothing else' ;;
    vgt1.*.*.*.*.*) die 2 'the token has too many parts' 'copy it again, all of it and nothing else' ;;
    vgt1.?*.?*.?*.?*) ;;
    *) die 2 'the token is not whole: it starts with vgt1. and has five parts' 'copy it again, all of it' ;;
  esac
  vigo_line=${vigo_token#*.*.*.}
  if [ "${vigo_line%%.*}" != "$ca_pin_token" ]; then
    die 4 "pin_mismatch: the token is for a server with another CA than this script's ($ca_pin)" \
      'nothing was sent. Make the token on this server, or fetch the script from the one that made it'
  fi
  vigo_line=
  checked=1
fi

# Of several pins one must be carried: while a CA is replaced, both are given.
if [ -n "$pins" ]; then
  case " $pins " in
    *" $ca_pin "* | *" $leaf_pin "*) checked=1 ;;
    *)
      say "pin_mismatch: this script's server has another key than --ca-pin says"
      say "expected$pins, found $ca_pin"
      die 4 'nothing was sent. Either this is not the server that you meant, or its CA was replaced: see vigocli ca show'
      ;;
  esac
elif [ -n "$checked" ] || [ "$publicly_trusted" = yes ]; then
  pins=" $ca_pin"
else
  say "no --ca-pin and no token: $server is trusted because it answers first; its CA is $ca_pin"
fi

case $(uname -s) in
  Linux) os=linux ;;
  *) die 1 "platform_unsupported: this script is for Linux, not for $(uname -s)" ;;
esac
case $(uname -m) in
  x86_64 | amd64) arch=x86_64 ;;
  aarch64 | arm64) arch=aarch64 ;;
  *) die 1 "platform_unsupported: there is no agent for $(uname -m)" 'supported on Linux: x86_64 (amd64), aarch64 (arm64)' ;;
esac

sha256() {
  if is_installed sha256sum; then
    sha256sum <"$1"
  elif is_installed shasum; then
    shasum -a 256 <"$1"
  else
    openssl dgst -sha256 -r <"$1"
  fi
}
is_installed sha256sum || is_installed shasum || is_installed openssl ||
  die 1 'nothing here can compute a SHA-256' "$(install_hint 'coreutils openssl')"

# Who fetches: it must be able to check the server's key, or the certificate where that is publicly trusted.
if is_installed curl; then
  fetcher=curl
else
  wget_help=
  if is_installed wget; then wget_help=$(wget --help 2>&1 </dev/null || :); fi
  case $wget_help in
    *--pinnedpubkey*) fetcher=wget ;;
    *)
      # busybox wget and its like check nothing; openssl can, and fetches as well.
      is_installed openssl ||
        die 1 "downloader_missing: nothing here can fetch from $api_addr and check its key" \
          "$(install_hint 'curl wget openssl')"
      fetcher=openssl
      case $wget_help in *--ca-certificate*) fetcher=wget_ca ;; esac
      ;;
  esac
fi

# Staged beside the target: /tmp may forbid execution. The umask makes what is created private.
if ! [ -d "$bin_dir" ]; then
  (umask 022 && mkdir -p -- "$bin_dir") </dev/null 2>/dev/null ||
    die 1 "not_writable: $bin_dir cannot be created" 'run as root (| sudo sh -s -- …), or pass --bin-dir DIR'
  made=$bin_dir
fi
stage=$(mktemp -d "$bin_dir/.vigo-XXXXXX" </dev/null 2>/dev/null) || {
  stage=
  die 1 "not_writable: nothing can be written to $bin_dir" 'run as root (| sudo sh -s -- …), or pass --bin-dir DIR'
}
mkdir "$stage/none"
# Some shells put a here-document into a temporary file.
TMPDIR=$stage

limited() {
  if is_installed timeout; then timeout 900 "$@"; else "$@"; fi
}

# request PATH: the answer of one GET on stdout, whatever its status. No redirect is followed.
request() {
  case $fetcher in
    curl)
      set -- "$1" -q -sS -g --proto =https --connect-timeout 15 --max-time 900 --max-filesize "$max_size" \
        -H 'Accept: text/plain'
      if [ "$publicly_trusted" = no ]; then set -- "$@" -k --pinnedpubkey "$leaf_pin_curl"; fi
      path=$1
      shift
      curl "$@" "$api_addr$path"
      ;;
    wget | wget_ca)
      set -- "$1" --no-config -q --tries=1 --timeout=60 --max-redirect=0 --content-on-error --no-hsts \
        --header='Accept: text/plain' -O -
      path=$1
      shift
      if [ "$publicly_trusted" = yes ]; then
        limited wget "$@" "$api_addr$path"
      elif [ "$fetcher" = wget ]; then
        limited wget "$@" --no-check-certificate --pinnedpubkey "$leaf_pin_curl" "$api_addr$path"
      else
        # Older than both the pin and half of the flags above.
        SSL_CERT_FILE=$stage/ca SSL_CERT_DIR=$stage/none limited wget -q --tries=1 --timeout=60 --max-redirect=0 \
          --header='Accept: text/plain' --ca-certificate="$stage/ca" --ca-directory="$stage/none" -O - "$api_addr$path"
      fi
      ;;
    openssl) openssl_get "$1" ;;
  esac
}

# openssl_get PATH [unchecked]: HTTP/1.0 through openssl, the certificate checked against the one CA alone.
openssl_get() {
  authority=${api_addr#https://}
  case $authority in
    \[*\]) host=${authority#\[} host=${host%\]} port=443 ;;
    \[*) host=${authority#\[} host=${host%%\]*} port=${authority##*:} ;;
    *:*) host=${authority%:*} port=${authority##*:} ;;
    *) host=$authority port=443 ;;
  esac
  path=$1
  unchecked=${2:-}
  case $host in
    *:*) set -- -connect "[$host]:$port" -verify_ip "$host" ;;
    *[!0-9.]*) set -- -connect "$host:$port" -servername "$host" -verify_hostname "$host" ;;
    *) set -- -connect "$host:$port" -verify_ip "$host" ;;
  esac
  if [ -n "$unchecked" ]; then
    set -- -connect "$2"
  elif [ "$publicly_trusted" = no ]; then
    set -- "$@" -verify_return_error -CAfile "$stage/ca" -no-CApath
  else
    set -- "$@" -verify_return_error
  fi
  rm -f "$stage/raw"
  printf 'GET %s HTTP/1.0\r\nHost: %s\r\nAccept: text/plain\r\nConnection: close\r\n\r\n' "$path" "$authority" |
    if [ "$publicly_trusted" = no ]; then
      SSL_CERT_DIR=$stage/none limited openssl s_client -quiet "$@" 2>"$stage/errors"
    else
      limited openssl s_client -quiet "$@" 2>"$stage/errors"
    fi | head -c "$((max_size + 65536))" >"$stage/raw"
  # The head ends at the first line that holds a carriage return alone.
  head_size=$(sed '/^.\{0,1\}$/q' "$stage/raw" | wc -c)
  tail -c "+$((head_size + 1))" "$stage/raw"
}

# pin_of FILE: the pin of a certificate's key.
pin_of() {
  openssl x509 -in "$1" -noout -pubkey 2>/dev/null </dev/null >"$stage/key" || return 1
  pin=$(openssl pkey -pubin -in "$stage/key" -outform DER 2>/dev/null </dev/null | openssl dgst -sha256 -r)
  echo "sha256:${pin%% *}"
}

# fetch_ca: of the certificates that the server calls its CA, keeps the one whose key is the pin's.
fetch_ca() {
  if [ "$fetcher" = wget_ca ]; then
    limited wget -q --tries=1 --timeout=60 --max-redirect=0 --no-check-certificate -O - \
      "$api_addr/api/v1/bootstrap/ca" </dev/null | head -c 65536 >"$stage/cas"
  else
    openssl_get /api/v1/bootstrap/ca unchecked </dev/null | head -c 65536 >"$stage/cas"
  fi
  [ -s "$stage/cas" ] || unreachable
  found=
  rm -f "$stage/one"
  while IFS= read -r line || [ -n "$line" ]; do
    printf '%s\n' "$line" >>"$stage/one"
    case $line in
      *-----END*)
        this=$(pin_of "$stage/one") || this=none
        if [ "$this" = "$ca_pin" ]; then mv "$stage/one" "$stage/ca"; else found="$found $this"; fi
        rm -f "$stage/one"
        ;;
    esac
  done <"$stage/cas"
  [ -s "$stage/ca" ] ||
    die 4 "pin_mismatch: $api_addr shows another CA than this script carries" "expected $ca_pin, found${found:- nothing}"
}

unreachable() {
  if [ -s "$stage/errors" ]; then head -c 400 "$stage/errors" | tr -cd '\n -~' >&2; fi
  die 6 "server_unreachable: nothing could be fetched from $api_addr" \
    "is it reachable from this host, and its key still $leaf_pin? Nothing was changed"
}

# fetch PATH FILE MAX: at most MAX bytes.
fetch() {
  (request "$1" </dev/null || echo "$?" >"$stage/failed") | head -c "$3" >"$2"
}

rm -f "$stage/failed"
if [ "$publicly_trusted" = no ]; then
  case $fetcher in wget_ca | openssl) fetch_ca ;; esac
fi

fetch "/api/v1/agent/latest?os=$os&arch=$arch" "$stage/latest" 65536
version= size= sum=
while read -r key value; do
  case $key in
    version) version=$value ;;
    size) size=$value ;;
    sha256) sum=$value ;;
  esac
done <"$stage/latest"
if [ -z "$sum" ] || [ -z "$size" ]; then
  [ -s "$stage/latest" ] || unreachable
  case $(head -c 2000 "$stage/latest") in
    *no_agent*) die 3 "no_agent: the server has no agent for $os-$arch" 'put one into its agents directory' ;;
  esac
  say "the server's answer is not what it should be: $(head -c 300 "$stage/latest" | tr -cd ' -~')"
  die 1 "nothing was changed; is $api_addr a Vigo server?"
fi
case $version in *[!A-Za-z0-9.+-]*) version=unknown ;; esac
case $size in
  *[!0-9]* | ??????????*) die 1 'the server announces an agent of no sensible size' ;;
esac
[ "$size" -gt 0 ] && [ "$size" -le "$max_size" ] || die 1 'the server announces an agent of no sensible size'
case $sum in *[!0-9a-f]*) sum= ;; esac
[ "${#sum}" -eq 64 ] || die 1 'the server announces an agent without a SHA-256'

say "fetching vigo $version for $os-$arch from $api_addr ($size bytes)"
rm -f "$stage/failed"
max_size=$size
fetch "/api/v1/agent/download/$os/$arch" "$stage/vigo" "$((size + 1))"
[ -s "$stage/vigo" ] || unreachable
actual=$(sha256 "$stage/vigo")
actual=${actual%% *}
if [ "$actual" != "$sum" ]; then
  got=$(wc -c <"$stage/vigo")
  rm -f "$stage/vigo"
  say "checksum_mismatch: the agent that was fetched is not the one that the server announces ($((got)) of $size bytes)"
  die 1 "expected $sum, found $actual. It was removed; nothing was changed. Try again"
fi
chmod 755 "$stage/vigo"

set -- bootstrap --server "$server" --api-addr "$api_addr"
for pin in $pins; do set -- "$@" --ca-pin "$pin"; done
set -- "$@" --force
if [ -n "$hostname" ]; then set -- "$@" --hostname "$hostname"; fi
if [ -n "$config_dir" ]; then set -- "$@" --config-dir "$config_dir"; fi
if [ -n "$state_dir" ]; then set -- "$@" --state-dir "$state_dir"; fi
set -- "$@" --bin-dir "$bin_dir"
if [ -n "$no_service" ]; then set -- "$@" --no-service; fi

# The agent says the rest, and its exit code is this script's. The token goes by a here-document: no argument, no
# environment, no program of its own.
made=
umask "$vigo_umask"
status=0
if [ -n "$vigo_token" ]; then
  "$stage/vigo" "$@" --token-stdin <<TOKEN || status=$?
$vigo_token
TOKEN
else
  "$stage/vigo" "$@" </dev/null || status=$?
fi
exit "$status"
}
