# stage_in DIR: a private directory in it. The umask makes what is created private.
stage_in() {
  if ! [ -d "$1" ]; then
    (umask 022 && mkdir -p -- "$1") 2>/dev/null || return 1
    made=$1
  fi
  stage=$(mktemp -d "$1/.vigo-XXXXXX" 2>/dev/null) || stage=''
  [ -n "$stage" ]
}

# Staged beside the target: /tmp may forbid execution. /usr/local may be read-only, as on SmartOS.
if [ -n "$bin_dir" ]; then
  stage_in "$bin_dir" || :
else
  bin_dir=/usr/local/sbin
  # An agent that is there already is replaced or left, never doubled.
  if ! stage_in "$bin_dir" && ! [ -e "$bin_dir/vigo" ]; then
    if stage_in /opt/vigo; then
      say "$bin_dir cannot be written: vigo goes into /opt/vigo"
      bin_dir=/opt/vigo
    fi
  fi
fi
[ -n "$stage" ] ||
  die 1 "not_writable: nothing can be written to $bin_dir" "run as root (| $become sh -s -- ...), or pass --bin-dir DIR"
mkdir "$stage/none"
# Some shells put a here-document into a temporary file: into the private directory, then.
TMPDIR=$stage
# shellcheck disable=SC2034 # zsh reads it
TMPPREFIX=$stage/here
