#!/bin/bash
# Plants each bug of planted_bugs.txt into a copy of csrc/cuda, compiles the kernel as every layer sees it, runs the layers and says who
# caught it. Fails when a layer that should have caught a bug missed it, on a false alarm, and when a line of the table plants nothing.
#   planted_bugs.sh             every line of the table, every layer
#   planted_bugs.sh fast        the marked lines, and the layers that must see them
#   planted_bugs.sh NAME...     these lines
# It needs syn_gpu_tests of the presets cpu, asan and tsan, the target gpu_ptx, and build/ptxsim.
# The last line is: planted N, caught M.
#
# A line is one object of each preset and one PTX file, and one link; the rest is as it was built. A layer stops at the first test that
# fails. As many lines are under work at a time as there are processors.
set -u
cd "$(dirname "$0")/../../.." || exit 1
root=$(pwd)
tests=csrc/tests/gpu/CMakeFiles/syn_gpu_tests.dir/__/__/cuda

# remake PRESET KERNEL FROM: the kernel's object and the tests linked with it, by the preset's own commands, with FROM before csrc.
remake() {
  local build=$root/build/$1 object=$tests/$2.cu.o compile link
  compile=$(ninja -C "$build" -t commands "$object" | tail -n 1)
  link=$(ninja -C "$build" -t commands csrc/tests/gpu/syn_gpu_tests | tail -n 1)
  compile=${compile//"$root/csrc/cuda/$2.cu"/"$3/cuda/$2.cu"}
  compile=${compile//"-I$root/csrc "/"-I$3 -I$root/csrc "}
  compile=${compile//" -o $object"/" -o $work/$1.o"}
  compile=${compile//" -MF $object.d"/" -MF $work/$1.d"}
  link=${link//" $object "/" $work/$1.o "}
  link=${link//"-o csrc/tests/gpu/syn_gpu_tests"/"-o $work/$1.tests"}
  (cd "$build" && eval "$compile -w" && eval "$link") >"$work/$1.log" 2>&1 || { cat "$work/$1.log"; echo "$name: $1 did not build"; exit 1; }
}

ptx_files() { # ptx_files KERNEL: compute_80's PTX, the kernel's own from the planted copy
  for f in "$root"/build/cpu/csrc/tests/gpu/*.80.ptx; do [ "$(basename "$f")" = "$1.80.ptx" ] || printf '%s,' "$f"; done
  printf '%s' "$work/planted.ptx"
}

digest_of() { grep '^digest' <<<"$1"; }

wants() { [ -n "$all" ] || [[ " $want " = *" $1 "* ]]; } # wants LAYER

try() { # try LAYER COMMAND...: adds the layer to $got when the command fails; sets $out
  local layer=$1; shift
  out=$(GTEST_FAIL_FAST=1 timeout 300 "$@" 2>&1) || { got="$got $layer"; return 1; }
}

layers() { # layers KERNEL TESTS: sets $got, the layers that raised an alarm
  local seed first tests=$work/cpu.tests filter=--gtest_filter=$2
  got=
  if wants fifo || wants random; then
    try fifo "$tests" "$filter"; first=$(digest_of "$out")
    for seed in 1 2 3 4 5 6 7 8; do
      try random env HOSTGPU_ORDER=random HOSTGPU_SEED=$seed "$tests" "$filter" || break
      [ "$(digest_of "$out")" = "$first" ] || { got="$got random"; break; }
    done
  fi
  ! wants asan || try asan env ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=0 "$work/asan.tests" "$filter"
  ! wants tsan || try tsan env TSAN_OPTIONS=halt_on_error=1 "$work/tsan.tests" "$filter"
  wants ptx || return 0
  # The program's own half of the kernel does not matter here.
  local ptx=(env "HOSTGPU_PTX=$(ptx_files "$1")" "HOSTGPU_PTXSIM=$root/build/ptxsim")
  tests=$root/build/cpu/csrc/tests/gpu/syn_gpu_tests
  if try ptx "${ptx[@]}" "$tests" "$filter"; then
    first=$(digest_of "$out")
    try ptx "${ptx[@]}" HOSTGPU_ORDER=lifo "$tests" "$filter"
    [ "$(digest_of "$out")" = "$first" ] || got="$got ptx"
  fi
}

compile() { # compile KERNEL: for every layer that is wanted
  local preset
  for preset in cpu asan tsan; do
    if wants $preset || { [ $preset = cpu ] && { wants fifo || wants random; }; }; then remake $preset "$1" "$work/csrc" || return 1; fi
  done
  ! wants ptx || "$nvcc" -std=c++17 -O3 -w "-I$work/csrc" -Icsrc -arch=compute_80 -ptx "$work/csrc/cuda/$1.cu" -o "$work/planted.ptx"
}

# plant: one line of the table, in $name, $file, $kernel, $filter, $sed, $want. Says what came of it; the last word of the last line is
# caught, quiet (nothing was planted and nobody called) or wrong.
plant() {
  local verdict=as-expected word=caught layer changed
  work=$all_work/$name
  rm -rf "$work" && mkdir -p "$work/csrc" && cp -r csrc/cuda "$work/csrc/"
  if [ "$sed" != none ]; then
    sed -i "$sed" "$work/csrc/cuda/$file"
    changed=$(diff "csrc/cuda/$file" "$work/csrc/cuda/$file" | grep -c '^>')
    [ "$changed" = 1 ] || { echo "$name: the expression changes $changed lines of $file: wrong"; return; }
  fi
  all=1
  if [ "$part" = fast ] && [ "$sed" != none ]; then all=; fi
  (compile "$kernel") || { echo "$name: a layer did not build: wrong"; return; }
  layers "$kernel" "$filter"
  got=${got# }
  for layer in $want; do [[ " $got " = *" $layer "* ]] || { verdict="MISSED by $layer"; word=wrong; }; done
  if [ "$sed" = none ]; then
    word=quiet
    [ -z "$got" ] || { verdict="FALSE ALARM"; word=wrong; }
  fi
  rm -rf "$work"
  echo "$name: caught by ${got:-nobody} [$verdict] $word"
}

nvcc=$(sed -n 's/^SYN_NVCC_USED:INTERNAL=//p' build/cpu/CMakeCache.txt)
[ -n "$nvcc" ] || { echo "planted_bugs: the build knows no nvcc"; exit 1; }
part=${1:-}
all_work=$(mktemp -d "$root/build/planted_bugs.XXXXXX") || exit 1
trap 'rm -rf "$all_work"' EXIT
names=()
while IFS='|' read -r name file kernel filter sed want; do
  name=$(xargs <<<"$name") file=$(xargs <<<"$file") kernel=$(xargs <<<"$kernel") filter=$(xargs <<<"$filter") want=$(xargs <<<"$want")
  sed=$(sed 's/^ *//; s/ *$//' <<<"$sed")
  case $name in ''|\#*) continue ;; esac
  if [ "$part" = fast ]; then [[ $name = *\* ]] || continue; fi
  name=${name%\*}
  if [ $# -gt 0 ] && [ "$part" != fast ]; then [[ " $* " = *" $name "* ]] || continue; fi
  while [ "$(jobs -rp | wc -l)" -ge "$(nproc)" ]; do wait -n; done
  plant >"$all_work/$name.said" 2>&1 </dev/null &
  names+=("$name")
done <csrc/tests/gpu/planted_bugs.txt
wait
bad=0 planted=0 caught=0
for name in "${names[@]}"; do
  cat "$all_work/$name.said"
  case $(tail -n 1 "$all_work/$name.said") in
    *\ caught) planted=$((planted + 1)) caught=$((caught + 1)) ;;
    *\ quiet) ;;
    *) planted=$((planted + 1)) bad=1 ;;
  esac
done
echo "planted $planted, caught $caught"
exit $bad
