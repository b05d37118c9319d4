#!/bin/sh
# Stands in for LinuxCNC's window: says who it is, then waits to be ended.
trap 'kill $sleeper 2>/dev/null; exit 0' TERM INT
echo $$ > display.pid
sleep infinity & sleeper=$!
wait $sleeper
