trap cleanup EXIT
trap 'exit 129' HUP
trap 'exit 130' INT
trap 'exit 143' TERM

case $token_from in
  --token-file)
    case $token_file in
      - | /dev/stdin | /dev/fd/0) usage_error '--token-file: standard input is this script; use a file or --token-prompt' ;;
    esac
    if [ ! -r "$token_file" ] || [ -d "$token_file" ]; then
      die 1 "--token-file: $token_file cannot be read"
    fi
    vigo_token=''
    IFS= read -r vigo_token <"$token_file" || :
    [ -n "$vigo_token" ] || die 1 "--token-file: the first line of $token_file is empty"
    ;;
  --token-prompt)
    (: </dev/tty) 2>/dev/null || die 1 '--token-prompt: there is no terminal to ask at' 'use --token-file instead'
    vigo_token=''
    tty=$(stty -g </dev/tty)
    stty -echo </dev/tty
    printf 'Token: ' >/dev/tty
    IFS= read -r vigo_token </dev/tty || :
    stty "$tty" </dev/tty
    tty=''
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
  vigo_line=''
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
