#!/bin/sh
# One stage of the work, to be timed; prints what it counted and {"seconds": …} as JSON objects. stage.sh NAME ARGUMENTS
set -eu
cd "$(dirname "$0")/../.."
stage=$1
shift

timed() { # timed COMMAND...
  began=$(date +%s.%N)
  "$@"
  awk -v b="$began" -v e="$(date +%s.%N)" 'BEGIN { printf "{\"seconds\":%.2f}\n", e - b }'
}

case $stage in
  prepare) # FOLDER of the archive, TMP
    mkdir "$2/in"
    tar xzf "$1/set-a.tar.gz" -C "$2/in"
    cp "$1/Outcomes-a.txt" "$2/in"
    timed bin/synehrgy prepare --format challenge2012 --input "$2/in" --out "$2/out" --json ;;
  shards)
    go test -run xxx -bench 'BenchmarkWrite$' ./synehrgy/corpus | tr '\t' ' ' |
      sed -n 's/^BenchmarkWrite.* \([0-9.]*\) records\/s.* \([0-9.]*\) tokens\/record.*/{"records_per_s":\1,"tokens_per_record":\2}/p' ;;
  demo) # TMP PATIENTS FLAGS
    tmp=$1 patients=$2
    shift 2
    timed bin/synehrgy demo --out "$tmp/demo" "$@" 2>"$tmp/log" | grep seconds
    bin/synehrgy generate --model "$tmp/demo/model" --patients "$patients" --out "$tmp/synthetic" >"$tmp/log" 2>&1
    tr -d '\n' <"$tmp/synthetic/metadata/generation.json"
    echo ;;
  build | test) # TMP
    git clone -q . "$1/clone"
    cd "$1/clone"
    if [ "$stage" = build ]; then
      timed ./dev build 2>"$1/log"
    else
      ./dev build 2>"$1/log"
      timed ./dev test 2>"$1/log" | tail -n 1
    fi ;;
  *) exit 2 ;;
esac
