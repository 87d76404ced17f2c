# Vigo's bootstrap. It fetches the agent from the server below, checks it, and lets it enrol this host.
# All of it stands in one pair of braces: a copy that was cut short is a syntax error and does nothing.

# The token first: no child may inherit it. A variable that was exported before stays exported until it is unset.
set +a
unset vigo_token vigo_line || :
vigo_token=${VIGO_TOKEN:-}
unset VIGO_TOKEN || :
set -eu
unset IFS
# An environment may tell FreeBSD's fetch to check nothing, or to trust more than it is told to.
unset SSL_NO_VERIFY_PEER SSL_NO_VERIFY_HOSTNAME SSL_CA_CERT_PATH SSL_CRL_FILE || :
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

pins='' signing_pin='' hostname='' config_dir='' state_dir='' bin_dir='' no_service=''
token_from='' token_file='' checked='' os='' arch='' become=sudo fetcher='' stage='' made='' tty=''
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
  # No here-document: ksh93 spins for ever where a cut comes right behind the start of one in a function.
  echo "Enrols this host with the Vigo server $server.

  curl ... $api_addr/bootstrap | sudo sh -s -- [flags]
  (doas instead of sudo on OpenBSD, pfexec on illumos; neither where you are root)

  --token T           enrol with this token (others on this host can see it in the process list)
  --token-file F      the token is the first line of the file F
  --token-prompt      ask for the token at the terminal
  --ca-pin PIN        the server's CA must have this key (sha256: and 64 hexadecimal digits); may be repeated
  --signing-pin PIN   the agent must be signed by the key with this pin (of the same form)
  --server H:P        dial this gRPC address instead of $server
  --api-addr URL      fetch from this address instead of $api_addr
  --hostname H        enrol under this name instead of the host's own
  --config-dir DIR    keep configuration, keys and certificates in DIR
  --state-dir DIR     keep state in DIR
  --bin-dir DIR       install vigo in DIR instead of /usr/local/sbin (where that cannot be written: /opt/vigo)
  --no-service        install and start no service
  --help              show this

VIGO_TOKEN in the environment is read as well.

Examples (each after: curl ... | sudo sh -s --):
  --ca-pin $ca_pin --token-prompt
  --ca-pin $ca_pin --token-file /root/token --hostname web3.example.com
Without root (after: curl ... | sh -s --):
  --config-dir ~/vigo/etc --state-dir ~/vigo/state --bin-dir ~/vigo/bin --no-service"
}

# shellcheck disable=SC2317 # called by the trap
cleanup() {
  result=$?
  trap - EXIT HUP INT TERM
  if [ -n "$tty" ]; then stty "$tty" </dev/tty || :; fi
  if [ -n "$stage" ]; then rm -rf -- "$stage" || :; fi
  if [ -n "$made" ]; then rmdir -- "$made" 2>/dev/null || :; fi
  exit "$result"
}

is_installed() {
  command -v "$1" >/dev/null 2>&1
}

# install_hint PACKAGES: how this system installs one of them.
install_hint() {
  case $os in
    macos) try='brew install' ;;
    freebsd) try='pkg install' ;;
    openbsd) try='pkg_add' ;;
    netbsd) try='pkgin install' ;;
    illumos) if is_installed pkgin; then try='pkgin install'; else try='pkg install'; fi ;;
    *)
      try='install one of the packages:'
      for tool in apt-get dnf apk zypper pacman; do
        if is_installed "$tool"; then
          case $tool in apk) try='apk add' ;; pacman) try='pacman -S' ;; *) try="$tool install" ;; esac
          break
        fi
      done
      ;;
  esac
  case $try in
    install*) echo "$try $1" ;;
    *) echo "install one: $try $1" ;;
  esac
}
