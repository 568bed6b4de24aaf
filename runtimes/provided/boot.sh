#!/bin/sh
# Becomes the function's `bootstrap`, or the command given. Before that it starts the extensions,
# tells the host which they are (descriptor 4) and waits until all have registered (descriptor 3).
# The host's side is in crates/host/src/runtime_api. Variables of our own begin with an underscore,
# which those of functions cannot.

# Booted before it is known what function it will be: then the variables come first, one a line.
if [ -z "$LAMBDA_TASK_ROOT" ]; then
  while IFS= read -r _line <&3 && [ -n "$_line" ]; do
    case $_line in
      =*)
        _line=$(printf '%b.' "${_line#=}")
        _line=${_line%.}
        ;;
    esac
    export "$_line"
  done
  # Nobody wants it any more.
  if [ -z "$LAMBDA_TASK_ROOT" ]; then exit; fi
fi

_opt="${LAMBDA_LAYERS_ROOT:-/opt}"
_extensions=

for _extension in "$_opt"/extensions/*; do
  if [ -f "$_extension" ] && [ -x "$_extension" ]; then
    echo "extension ${_extension##*/}" >&4
    "$_extension" 3<&- 4>&- &
    _extensions=some
  fi
done
echo booted >&4
if [ -n "$_extensions" ]; then read -r _ <&3; fi

invalid() {
  echo "invalid Runtime.InvalidEntrypoint $1" >&4
}

cd "$LAMBDA_TASK_ROOT" || exit 1
if [ $# -gt 0 ]; then exec /bin/sh "$@" 3<&-; fi
for _bootstrap in "$LAMBDA_TASK_ROOT/bootstrap" "$_opt/bootstrap"; do
  [ -f "$_bootstrap" ] || continue
  if [ ! -x "$_bootstrap" ]; then
    invalid "fork/exec $_bootstrap: permission denied"
    exit 1
  fi
  # Where what its first line names is missing, `exec` ends this shell, and bash without its trap.
  if [ -n "$BASH_VERSION" ]; then shopt -s execfail; fi
  trap 'invalid "fork/exec $_bootstrap: no such file or directory"' EXIT
  # Descriptor 4 stays open: that it is closed tells the host that the runtime has ended.
  exec "$_bootstrap" 3<&-
  exit 127
done
invalid "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]"
exit 1
