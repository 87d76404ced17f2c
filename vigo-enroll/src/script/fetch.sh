# digest_of FILE: sets digest, its SHA-256, by the first program here that computes one. Programs of one name differ in what they take
# and how they say it.
digest_of() {
  for how in sha256sum 'shasum -a 256' 'sha256 -q' 'digest -a sha256' 'cksum -a sha256' 'openssl dgst -sha256 -r'; do
    is_installed "${how%% *}" || continue
    # shellcheck disable=SC2086 # a program and its arguments
    digest=$($how <"$1" 2>/dev/null || :)
    case $digest in
      *' = '*) digest=${digest##* = } ;;
      *) digest=${digest%%[!0-9a-f]*} ;;
    esac
    case $digest in *[!0-9a-f]*) digest='' ;; esac
    if [ "${#digest}" -eq 64 ]; then return; fi
  done
  digest=''
}
digest_of /dev/null
[ "$digest" = e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 ] ||
  die 1 'checksum_missing: nothing here can compute a SHA-256' "$(install_hint 'coreutils openssl')"

# first N: at most that many bytes of its input. Not every head counts bytes.
head_counts=$(echo ab | head -c 1 2>/dev/null || :)
first() {
  if [ "$head_counts" = a ]; then head -c "$1"; else dd ibs=1 obs=65536 count="$1" 2>/dev/null; fi
}

# Who fetches: it must be able to check the server's key, or the certificate where that is publicly trusted.
if is_installed curl; then
  fetcher=curl
else
  wget_help=''
  if is_installed wget; then wget_help=$(wget --help 2>&1 </dev/null || :); fi
  # Only the first can pin. For the others openssl compares the CA's key with the pin, and that CA is all they trust.
  # NetBSD's ftp is not among them: what it checks differs from version to version.
  case $wget_help:$os in
    *--pinnedpubkey*) fetcher=wget ;;
    *:freebsd) if is_installed fetch; then fetcher=fetch; fi ;;
    *:openbsd) if is_installed ftp; then fetcher=ftp; fi ;;
  esac
  if [ -z "$fetcher" ]; then
    case $wget_help in *--ca-certificate*) fetcher=wget_ca ;; *) fetcher=openssl ;; esac
  fi
  case $fetcher:$publicly_trusted in
    wget:* | fetch:yes | ftp:yes | wget_ca:yes) ;;
    *)
      is_installed openssl ||
        die 1 "downloader_missing: nothing here can fetch from $api_addr and check its key" \
          "$(install_hint 'curl wget openssl')"
      ;;
  esac
fi

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
      curl "$@" "$url"
      ;;
    wget)
      set -- --no-config --no-hsts -q --tries=1 --timeout=60 --max-redirect=0 --content-on-error
      if [ "$publicly_trusted" = no ]; then
        set -- "$@" --no-check-certificate --pinnedpubkey "$leaf_pin_curl"
      fi
      limited wget "$@" -O - "$url"
      ;;
    wget_ca)
      # A wget that is older than its pin. Without the two variables it would trust the system's CAs as well.
      set -- -q --tries=1 --timeout=60 --max-redirect=0
      if [ "$publicly_trusted" = no ]; then
        set -- "$@" --check-certificate --ca-certificate="$stage/ca" --ca-directory="$stage/none"
        set -- env SSL_CERT_FILE="$stage/ca" SSL_CERT_DIR="$stage/none" wget "$@"
      else
        set -- wget "$@"
      fi
      limited "$@" -O - "$url"
      ;;
    # Whatever the environment says, the certificate is checked: see the start.
    fetch)
      set -- -q -A -T 60
      if [ "$publicly_trusted" = no ]; then set -- "$@" --ca-cert="$stage/ca"; fi
      limited fetch "$@" -o - "$url" 2>"$stage/errors"
      ;;
    ftp)
      set -- -M -V -w 60
      if [ "$publicly_trusted" = no ]; then set -- "$@" -S cafile="$stage/ca"; fi
      limited ftp "$@" -o - "$url" 2>"$stage/errors"
      ;;
    openssl) openssl_get "$1" ;;
  esac
}

# unreachable: says why nothing came. 90 and 60 are curl's, 5 is wget's status for a key or certificate refused.
unreachable() {
  code=''
  if [ -s "$stage/failed" ]; then read -r code <"$stage/failed"; fi
  if [ -s "$stage/errors" ]; then first 400 <"$stage/errors" | tr -cd '\n -~' >&2; fi
  case $fetcher:$code in
    curl:90 | curl:60 | wget:5 | wget_ca:5)
      die 4 "pin_mismatch: what answers at $api_addr does not have the key that this script carries ($leaf_pin)" \
        'nothing was sent and nothing was changed'
      ;;
  esac
  case $fetcher:$code in
    curl:2 | curl:4)
      die 1 'downloader_missing: this curl cannot check the key of a server' "$(install_hint 'curl wget')"
      ;;
  esac
  die 6 "server_unreachable: nothing could be fetched from $api_addr" \
    'can this host reach it, and is it the server that gave this script? Nothing was changed'
}

# download PATH FILE MAX: at most MAX bytes.
download() {
  rm -f "$stage/failed"
  (request "$1" </dev/null || echo "$?" >"$stage/failed") | first "$3" >"$2"
}
