# Installs what a fresh Debian or Ubuntu lacks. Sourced by ./run and ./test.

# apt_install PACKAGE...: with sudo where that is needed.
apt_install() {
  if [ "$(id -u)" -eq 0 ]; then as_root=""; else as_root="sudo"; fi
  if ! command -v apt-get >/dev/null 2>&1; then
    echo "error: please install: $*" >&2
    echo "help: only Debian and Ubuntu are known here; the packages have other names elsewhere" >&2
    exit 1
  fi
  echo "installing $*"
  $as_root apt-get update -qq
  $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$@" >/dev/null
}

need_rust() {
  if ! command -v cargo >/dev/null 2>&1; then
    echo "error: Rust is missing" >&2
    echo "help: install it from https://rustup.rs, then start a new shell" >&2
    exit 1
  fi
  command -v cc >/dev/null 2>&1 || apt_install build-essential
}

need_node() {
  if ! command -v node >/dev/null 2>&1 || ! command -v npm >/dev/null 2>&1; then
    apt_install nodejs npm
  fi
}

need_python() {
  python3 -c 'import ensurepip, venv' >/dev/null 2>&1 || apt_install python3 python3-venv python3-pip
}
