#!/bin/sh
# Starts a function of Java under AWS's client, which is of the package or of a layer.
java=$1
client=com/amazonaws/services/lambda/runtime/api/client/AWSLambda
opt="${LAMBDA_LAYERS_ROOT:-/opt}"

found=
for place in "$LAMBDA_TASK_ROOT/$client.class" \
  "$LAMBDA_TASK_ROOT"/lib/aws-lambda-java-runtime-interface-client*.jar \
  "$opt"/java/lib/aws-lambda-java-runtime-interface-client*.jar; do
  if [ -f "$place" ]; then found=yes; fi
done
if [ -z "$found" ]; then
  echo "invalid Runtime.InvalidEntrypoint Couldn't find the runtime interface client: add the" \
    "dependency com.amazonaws:aws-lambda-java-runtime-interface-client to the package, or a layer" \
    "that has its jar in java/lib" >&4
  exit 1
fi

# As on Lambda: for short lives, and with room beside the heap for the rest of the machine.
heap_kb=$((AWS_LAMBDA_FUNCTION_MEMORY_SIZE * 870))
exec "$java" "-XX:MaxHeapSize=${heap_kb}k" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto \
  -cp "$LAMBDA_TASK_ROOT:$LAMBDA_TASK_ROOT/lib/*:$opt/java/lib/*" \
  "$(echo $client | tr / .)" "$_HANDLER"
