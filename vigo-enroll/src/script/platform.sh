system=$(uname -s 2>/dev/null || :)
case $system in
  Linux) os=linux ;;
  Darwin) os=macos ;;
  FreeBSD) os=freebsd ;;
  OpenBSD) os=openbsd become=doas ;;
  NetBSD) os=netbsd ;;
  # Solaris has the same name, and cannot run what is built for illumos.
  SunOS) case $(uname -o 2>/dev/null || :) in illumos) os=illumos become=pfexec ;; esac ;;
esac
case $system in
  CYGWIN* | MINGW* | MSYS*) hint='vigocli bootstrap command --os windows prints the line for Windows' ;;
  *) hint='supported: Linux, macOS, FreeBSD, OpenBSD, NetBSD, illumos, and Windows with another script' ;;
esac
[ -n "$os" ] || die 1 "platform_unsupported: there is no agent for ${system:-a system without uname}" "$hint"

machine=$(uname -m 2>/dev/null || :)
case $os:$machine in
  # Named after a family of boards.
  netbsd:evbarm*) machine=$(uname -p 2>/dev/null || :) ;;
  # The same for 32 and 64 bits.
  illumos:i86pc) machine=$(isainfo -k 2>/dev/null || :) ;;
  # A shell that is translated for an Intel processor says that it is on one.
  macos:x86_64) if [ "$(sysctl -n sysctl.proc_translated 2>/dev/null || :)" = 1 ]; then machine=arm64; fi ;;
esac
case $machine in
  x86_64 | amd64) arch=x86_64 ;;
  aarch64 | arm64) arch=aarch64 ;;
  *)
    die 1 "platform_unsupported: there is no agent for $system on ${machine:-an unknown processor}" \
      'supported: x86_64 (amd64), aarch64 (arm64)'
    ;;
esac
