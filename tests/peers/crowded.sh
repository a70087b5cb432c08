#!/bin/sh
# Runs a command while another process keeps one core busy: crowded.sh COMMAND...
set -eu
sh -c 'while :; do :; done' &
busy=$!
trap 'kill $busy' EXIT
"$@"
