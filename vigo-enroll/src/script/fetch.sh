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
  wget_help=''
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
  (umask 022 && mkdir -p -- "$bin_dir") 2>/dev/null ||
    die 1 "not_writable: $bin_dir cannot be created" 'run as root (| sudo sh -s -- ...), or pass --bin-dir DIR'
  made=$bin_dir
fi
stage=$(mktemp -d "$bin_dir/.vigo-XXXXXX" 2>/dev/null) || {
  stage=''
  die 1 "not_writable: nothing can be written to $bin_dir" 'run as root (| sudo sh -s -- ...), or pass --bin-dir DIR'
}
mkdir "$stage/none"
# Some shells put a here-document into a temporary file: into the private directory, then.
TMPDIR=$stage
# shellcheck disable=SC2034 # zsh reads it
TMPPREFIX=$stage/here

limited() {
  if is_installed timeout; then timeout 900 "$@"; else "$@"; fi
}

# request PATH: the answer of one GET on stdout, whatever its status. No redirect is followed.
request() {
  url=$api_addr$1
  case $fetcher in
    curl)
      set -- -q -sS -g --proto =https --connect-timeout 15 --max-time 900 --max-filesize "$max_size"
      if [ "$publicly_trusted" = no ]; then set -- "$@" -k --pinnedpubkey "$leaf_pin_curl"; fi
      curl "$@" -H 'Accept: text/plain' "$url"
      ;;
    wget)
      set -- --no-config --no-hsts -q --tries=1 --timeout=60 --max-redirect=0 --content-on-error
      if [ "$publicly_trusted" = no ]; then
        set -- "$@" --no-check-certificate --pinnedpubkey "$leaf_pin_curl"
      fi
      limited wget "$@" --header='Accept: text/plain' -O - "$url"
      ;;
    wget_ca)
      # A wget that is older than its pin. Without the two variables it would trust the system's CAs as well.
      set -- -q --tries=1 --timeout=60 --max-redirect=0
      if [ "$publicly_trusted" = no ]; then
        set -- "$@" --ca-certificate="$stage/ca" --ca-directory="$stage/none"
        set -- env SSL_CERT_FILE="$stage/ca" SSL_CERT_DIR="$stage/none" wget "$@"
      else
        set -- wget "$@"
      fi
      limited "$@" --header='Accept: text/plain' -O - "$url"
      ;;
    openssl) openssl_get "$1" ;;
  esac
}

# openssl_get PATH [unchecked]: HTTP/1.0 through openssl, the certificate checked against the one CA alone.
openssl_get() {
  authority=${api_addr#https://}
  case $authority in
    \[*\]) name=${authority#\[} name=${name%\]} port=443 ;;
    \[*) name=${authority#\[} name=${name%%\]*} port=${authority##*:} ;;
    *:*) name=${authority%:*} port=${authority##*:} ;;
    *) name=$authority port=443 ;;
  esac
  wanted=$1
  trust=$publicly_trusted${2:-}
  case $name in
    *:*) set -- -connect "[$name]:$port" -verify_ip "$name" ;;
    *[!0-9.]*) set -- -connect "$name:$port" -servername "$name" -verify_hostname "$name" ;;
    *) set -- -connect "$name:$port" -verify_ip "$name" ;;
  esac
  case $trust in
    *unchecked) set -- openssl s_client -quiet -connect "$2" ;;
    yes) set -- openssl s_client -quiet "$@" -verify_return_error ;;
    *)
      set -- openssl s_client -quiet "$@" -verify_return_error -CAfile "$stage/ca" -no-CApath
      set -- env SSL_CERT_FILE="$stage/ca" SSL_CERT_DIR="$stage/none" "$@"
      ;;
  esac
  printf 'GET %s HTTP/1.0\r\nHost: %s\r\nAccept: text/plain\r\nConnection: close\r\n\r\n' "$wanted" "$authority" |
    limited "$@" 2>"$stage/errors" | head -c "$((max_size + 65536))" >"$stage/raw"
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
  found=''
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

# unreachable: says why nothing came. 90 and 60 are curl's, 5 is wget's status for a key or certificate refused.
unreachable() {
  code=''
  if [ -s "$stage/failed" ]; then read -r code <"$stage/failed"; fi
  if [ -s "$stage/errors" ]; then head -c 400 "$stage/errors" | tr -cd '\n -~' >&2; fi
  case $fetcher:$code in
    curl:90 | curl:60 | wget:5 | wget_ca:5)
      die 4 "pin_mismatch: what answers at $api_addr does not have the key that this script carries ($leaf_pin)" \
        'nothing was sent and nothing was changed'
      ;;
  esac
  die 6 "server_unreachable: nothing could be fetched from $api_addr" \
    'can this host reach it, and is it the server that gave this script? Nothing was changed'
}

# fetch PATH FILE MAX: at most MAX bytes.
fetch() {
  rm -f "$stage/failed"
  (request "$1" </dev/null || echo "$?" >"$stage/failed") | head -c "$3" >"$2"
}
