if [ "$publicly_trusted" = no ]; then
  case $fetcher in fetch | ftp | wget_ca | openssl) fetch_ca ;; esac
fi

# As text: what sends no header of its own choice can ask for it too.
download "/api/v1/agent/latest?os=$os&arch=$arch&format=text" "$stage/latest" 65536
version='' size='' sum='' manifest='' signature='' signing_key=''
while read -r key value; do
  case $key in
    version) version=$value ;;
    size) size=$value ;;
    sha256) sum=$value ;;
    manifest) manifest=$value ;;
    signature) signature=$value ;;
    signing_key) signing_key=$value ;;
  esac
done <"$stage/latest"
if [ -z "$sum" ] || [ -z "$size" ]; then
  # Some downloaders tell the status alone, and where they do it is a file.
  said=''
  if [ -s "$stage/latest" ]; then
    said=$(first 2000 <"$stage/latest")
  elif [ -s "$stage/errors" ]; then
    said=$(first 2000 <"$stage/errors")
    case $said in *': Not Found'* | *' 404 Not Found'*) said=no_agent ;; *) unreachable ;; esac
  else
    unreachable
  fi
  case $said in
    *agent_unsigned*)
      die 4 "agent_unsigned: the server does not offer its agent for $os-$arch, which its keys did not sign" \
        'vigo-server check says why; nothing was changed'
      ;;
    *no_agent*) die 3 "no_agent: the server has no agent for $os-$arch" 'put one into its agents directory' ;;
  esac
  say "the server's answer is not what it should be: $(first 300 <"$stage/latest" | tr -cd ' -~')"
  die 1 "nothing was changed; is $api_addr a Vigo server?"
fi
case $version in *[!A-Za-z0-9.+-]*) version=unknown ;; esac
case $size in
  *[!0-9]* | ??????????*) die 1 'the server announces an agent of no sensible size' ;;
esac
if [ "$size" -eq 0 ] || [ "$size" -gt "$max_size" ]; then die 1 'the server announces an agent of no sensible size'; fi
case $sum in *[!0-9a-f]*) sum= ;; esac
[ "${#sum}" -eq 64 ] || die 1 'the server announces an agent without a SHA-256'
if [ -n "$signing_pin" ]; then require_signature; fi

say "fetching vigo $version for $os-$arch from $api_addr ($size bytes)"
max_size=$size
download "/api/v1/agent/download/$os/$arch" "$stage/vigo" "$((size + 1))"
[ -s "$stage/vigo" ] || unreachable
digest_of "$stage/vigo"
actual=$digest
got=$(wc -c <"$stage/vigo")
if [ "$actual" != "$sum" ] || [ "$((got))" -ne "$size" ]; then
  rm -f "$stage/vigo"
  say "checksum_mismatch: the agent that was fetched is not the one that the server announces ($((got)) of $size bytes)"
  die 1 "expected $sum, found $actual. It was removed; nothing was changed. Try again"
fi
if [ -n "$signing_pin" ]; then check_signature; fi
chmod 755 "$stage/vigo"

set -- bootstrap --server "$server" --api-addr "$api_addr"
for pin in $pins; do set -- "$@" --ca-pin "$pin"; done
if [ -n "$signing_pin" ]; then
  set -- "$@" --signing-pin "$signing_pin" --manifest "$manifest" --signature "$signature"
fi
set -- "$@" --force
if [ -n "$hostname" ]; then set -- "$@" --hostname "$hostname"; fi
if [ -n "$config_dir" ]; then set -- "$@" --config-dir "$config_dir"; fi
if [ -n "$state_dir" ]; then set -- "$@" --state-dir "$state_dir"; fi
set -- "$@" --bin-dir "$bin_dir"
if [ -n "$no_service" ]; then set -- "$@" --no-service; fi

# The agent says the rest, and its exit code is this script's. The token goes by a here-document: no argument, no
# environment, no program of its own.
umask "$vigo_umask"
result=0
if [ -n "$vigo_token" ]; then
  "$stage/vigo" "$@" --token-stdin <<TOKEN || result=$?
$vigo_token
TOKEN
else
  "$stage/vigo" "$@" </dev/null || result=$?
fi
exit "$result"
