# An address that was given is put into requests and commands: letters, digits and what an address needs.
check_address() {
  case $2 in
    *[!]A-Za-z0-9._:/[-]*) usage_error "$1 has a character that no address has" ;;
  esac
}

# read_pin FLAG PIN WHAT: sets digits, in lower case.
read_pin() {
  digits=$(printf '%s\n' "${2#sha256:}" | tr ABCDEF abcdef)
  case $2 in
    sha256:*) ;;
    *) usage_error "$1 takes sha256: and 64 hexadecimal digits, $3" ;;
  esac
  case $digits in
    *[!0-9a-f]*) usage_error "$1 takes sha256: and 64 hexadecimal digits; something else was found" ;;
  esac
  [ "${#digits}" -eq 64 ] || usage_error "$1 takes sha256: and 64 hexadecimal digits; ${#digits} were found"
}

add_pin() {
  case $1 in
    "$ca_pin_curl") set -- "$ca_pin" ;;
    "$leaf_pin_curl") set -- "$leaf_pin" ;;
    sha256//*) die 4 "pin_mismatch: this script's server has none of the keys in --ca-pin $1" "it has $ca_pin" ;;
  esac
  read_pin --ca-pin "$1" 'as vigocli ca show prints them'
  pins="$pins sha256:$digits"
}

# Where the token comes from is said once; a flag wins over the environment.
token_is_from() {
  [ -z "$token_from" ] || usage_error "give one of --token, --token-file and --token-prompt ($token_from came first)"
  token_from=$1
}

while [ "$#" -gt 0 ]; do
  case $1 in
    --token=* | --token-file=* | --ca-pin=* | --signing-pin=* | --server=* | --api-addr=* | --hostname=* | \
      --config-dir=* | --state-dir=* | --bin-dir=*)
      vigo_line=$1
      shift
      # Some shells call an empty "$@" unset.
      set -- "${vigo_line%%=*}" "${vigo_line#*=}" ${1+"$@"}
      ;;
  esac
  case $1 in
    --token | --token-file | --ca-pin | --signing-pin | --server | --api-addr | --hostname | --config-dir | \
      --state-dir | --bin-dir)
      [ "$#" -ge 2 ] || usage_error "$1 needs a value"
      case $2 in '' | --*) usage_error "$1 needs a value" ;; esac
      ;;
  esac
  case $1 in
    --token) token_is_from --token; vigo_token=$2; shift 2 ;;
    --token-file) token_is_from --token-file; token_file=$2; shift 2 ;;
    --token-prompt) token_is_from --token-prompt; shift ;;
    --ca-pin) add_pin "$2"; shift 2 ;;
    --signing-pin) read_pin --signing-pin "$2" 'the SHA-256 of the DER of the key that signs the builds'; signing_pin=sha256:$digits; shift 2 ;;
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
