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
  printf 'GET %s HTTP/1.0\r\nHost: %s\r\nConnection: close\r\n\r\n' "$wanted" "$authority" |
    limited "$@" 2>"$stage/errors" | first "$((max_size + 65536))" >"$stage/raw"
  # The head ends at the first line that holds a carriage return alone.
  head_size=$(sed '/^.\{0,1\}$/q' "$stage/raw" | wc -c)
  tail -c "+$((head_size + 1))" "$stage/raw"
}

# pin_of FILE: the pin of a certificate's key.
pin_of() {
  openssl x509 -in "$1" -noout -pubkey 2>/dev/null </dev/null >"$stage/key" || return 1
  pin_of_key
}

# pin_of_key: the same of the public key in the stage.
pin_of_key() {
  pin=$(openssl pkey -pubin -in "$stage/key" -outform DER 2>/dev/null </dev/null | openssl dgst -sha256 -r)
  echo "sha256:${pin%% *}"
}

# fetch_ca: of the certificates that the server calls its CA, keeps the one whose key is the pin's.
fetch_ca() {
  if [ "$fetcher" = wget_ca ]; then
    limited wget -q --tries=1 --timeout=60 --max-redirect=0 --no-check-certificate -O - \
      "$api_addr/api/v1/bootstrap/ca" </dev/null | first 65536 >"$stage/cas"
  else
    openssl_get /api/v1/bootstrap/ca unchecked </dev/null | first 65536 >"$stage/cas"
  fi
  [ -s "$stage/cas" ] || unreachable
  found=''
  rm -f "$stage/one"
  while IFS= read -r line || [ -n "$line" ]; do
    printf '%s\n' "$line" >>"$stage/one"
    case $line in
      *-----END*)
        this=$(pin_of "$stage/one") || this=none
        if [ "$this" = "$ca_pin" ]; then openssl x509 -in "$stage/one" -out "$stage/ca"; else found="$found $this"; fi
        rm -f "$stage/one"
        ;;
    esac
  done <"$stage/cas"
  [ -s "$stage/ca" ] ||
    die 4 "pin_mismatch: $api_addr shows another CA than this script carries" "expected $ca_pin, found${found:- nothing}"
}
