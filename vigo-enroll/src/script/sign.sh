# require_signature: what the server says of the agent's signature, or nothing goes on.
require_signature() {
  case $manifest in *[!A-Za-z0-9+/=]*) manifest='' ;; esac
  case $signature in *[!A-Za-z0-9+/=]*) signature='' ;; esac
  case $signing_key in *[!0-9a-f]*) signing_key='' ;; esac
  if [ -z "$manifest" ] || [ "${#manifest}" -gt 1368 ] || [ "${#signature}" -ne 88 ] || [ "${#signing_key}" -ne 64 ]; then
    die 4 "agent_unsigned: the server has no signed agent for $os-$arch, and --signing-pin asks for one" \
      "sign it (cargo xtask sign), or leave --signing-pin out. Nothing was changed"
  fi
}

# has_signed KEY FILE SIGNATURE: whether this Ed25519 key signed the file; key and signature in base64.
has_signed() {
  printf '%s\n' '-----BEGIN PUBLIC KEY-----' "MCowBQYDK2VwAyEA$1" '-----END PUBLIC KEY-----' >"$stage/key"
  printf '%s\n' "$3" | openssl base64 -d -A >"$stage/signature" 2>/dev/null || return 1
  openssl pkeyutl -verify -rawin -pubin -inkey "$stage/key" -in "$2" -sigfile "$stage/signature" \
    >/dev/null 2>&1 </dev/null
}

# check_signature: pin, key, signature, manifest, file. The agent does the same of itself; what is not it cannot.
check_signature() {
  # An example of RFC 8032 tells whether there is an openssl that knows how.
  printf r >"$stage/example"
  if ! is_installed openssl || ! has_signed PUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw= "$stage/example" \
    kqAJqfDUyrhyDoILX2QlQKKye1QWUD+Ps3YiI+vbadoIWsHkPhWZbkWPNhPQ8R2MOHsurrQwKu6wDSkWErsMAA==; then
    say 'no openssl here can check the signature: only the agent itself does'
    return
  fi
  # Three hexadecimal digits are two of base64; what fills up the last group is cut off again.
  key64=$(printf '%s00\n' "$signing_key" | awk '{
    digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    for (i = 1; i < 66; i += 3) {
      n = 0
      for (j = i; j < i + 3; j++) n = n * 16 + index("0123456789abcdef", substr($1, j, 1)) - 1
      text = text substr(digits, int(n / 64) + 1, 1) substr(digits, n % 64 + 1, 1)
    }
    print substr(text, 1, 43) "="
  }')
  printf '%s\n' "$manifest" | openssl base64 -d -A >"$stage/manifest" 2>/dev/null || :
  signed=no
  if has_signed "$key64" "$stage/manifest" "$signature"; then signed=yes; fi
  found=$(pin_of_key)
  [ "$found" = "$signing_pin" ] ||
    refuse_agent 'pin_mismatch: the agent is signed by another key than --signing-pin says' \
      "expected $signing_pin, found $found"
  [ "$signed" = yes ] ||
    refuse_agent 'signature_mismatch: the key of --signing-pin did not sign what the server says of its agent'
  product='' signed_os='' signed_arch='' signed_sum=''
  { IFS= read -r label || :; while read -r key value; do
    case $key in
      product) product=$value ;;
      os) signed_os=$value ;;
      arch) signed_arch=$value ;;
      sha256) signed_sum=$value ;;
    esac
  done; } <"$stage/manifest"
  expected="vigo/agent/v1 vigo $os $arch $actual"
  found="$label $product $signed_os $signed_arch $signed_sum"
  [ "$found" = "$expected" ] ||
    refuse_agent 'signature_mismatch: another agent was signed than the one that was fetched' \
      "expected $expected, found $found"
}

# refuse_agent WHAT DETAILS
refuse_agent() {
  rm -f "$stage/vigo"
  say "$1"
  if [ -n "${2:-}" ]; then say "$2"; fi
  die 4 'the agent was removed and nothing was changed. Is this the server that you meant?'
}
