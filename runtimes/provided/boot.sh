#!/bin/sh
# Becomes the function's `bootstrap`. Before that it starts the extensions, tells the host which
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

cd "$LAMBDA_TASK_ROOT" || exit 1
for bootstrap in "$LAMBDA_TASK_ROOT/bootstrap" "$opt/bootstrap"; do
  [ -f "$bootstrap" ] || continue
  if [ ! -x "$bootstrap" ]; then
    echo "invalid Runtime.InvalidEntrypoint fork/exec $bootstrap: permission denied" >&4
    exit 1
  fi
  # Descriptor 4 stays open: that it is closed tells the host that the runtime has ended.
  exec "$bootstrap" 3<&-
done
paths="[/var/task/bootstrap /opt/bootstrap]"
echo "invalid Runtime.InvalidEntrypoint Couldn't find valid bootstrap(s): $paths" >&4
exit 1
