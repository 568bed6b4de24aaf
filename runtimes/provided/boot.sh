#!/bin/sh
# Becomes the function's `bootstrap`, or the command given. Before that it starts the extensions, tells the host which
# they are (descriptor 4) and waits until all have registered (descriptor 3).
# The host's side is in crates/host/src/runtime_api.
opt="${LAMBDA_LAYERS_ROOT:-/opt}"
extensions=

for extension in "$opt"/extensions/*; do
  if [ -f "$extension" ] && [ -x "$extension" ]; then
    echo "extension ${extension##*/}" >&4
    "$extension" 3<&- 4>&- &
    extensions=some
  fi
done
echo booted >&4
if [ -n "$extensions" ]; then read -r _ <&3; fi

invalid() {
  echo "invalid Runtime.InvalidEntrypoint $1" >&4
}

cd "$LAMBDA_TASK_ROOT" || exit 1
if [ $# -gt 0 ]; then exec /bin/sh "$@" 3<&-; fi
for bootstrap in "$LAMBDA_TASK_ROOT/bootstrap" "$opt/bootstrap"; do
  [ -f "$bootstrap" ] || continue
  if [ ! -x "$bootstrap" ]; then
    invalid "fork/exec $bootstrap: permission denied"
    exit 1
  fi
  # Where what its first line names is missing, `exec` ends this shell, and bash without its trap.
  if [ -n "$BASH_VERSION" ]; then shopt -s execfail; fi
  trap 'invalid "fork/exec $bootstrap: no such file or directory"' EXIT
  # Descriptor 4 stays open: that it is closed tells the host that the runtime has ended.
  exec "$bootstrap" 3<&-
  exit 127
done
invalid "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"
exit 1
