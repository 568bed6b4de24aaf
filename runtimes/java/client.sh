#!/bin/sh
# Starts a function of Java under AWS's client, which is of the package or of a layer.
_java=$1
_client=com/amazonaws/services/lambda/runtime/api/client/AWSLambda
_opt="${LAMBDA_LAYERS_ROOT:-/opt}"

_found=
for _place in "$LAMBDA_TASK_ROOT/$_client.class" \
  "$LAMBDA_TASK_ROOT"/lib/aws-lambda-java-runtime-interface-client*.jar \
  "$_opt"/java/lib/aws-lambda-java-runtime-interface-client*.jar; do
  if [ -f "$_place" ]; then _found=yes; fi
done
if [ -z "$_found" ]; then
  echo "invalid Runtime.InvalidEntrypoint Couldn't find the runtime interface client: add the" \
    "dependency com.amazonaws:aws-lambda-java-runtime-interface-client to the package, or a layer" \
    "that has its jar in java/lib" >&4
  exit 1
fi

# As on Lambda: for short lives, and with room beside the heap for the rest of the machine.
_heap_kb=$((AWS_LAMBDA_FUNCTION_MEMORY_SIZE * 870))
exec "$_java" "-XX:MaxHeapSize=${_heap_kb}k" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto \
  -cp "$LAMBDA_TASK_ROOT:$LAMBDA_TASK_ROOT/lib/*:$_opt/java/lib/*" \
  "$(echo $_client | tr / .)" "$_HANDLER"
