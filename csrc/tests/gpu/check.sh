#!/bin/sh
# Everything that is known about the CUDA kernels on a machine without a GPU; docs/cuda.md says what it means. `./dev cuda-check` calls
# it when the toolchain is there.
#   check.sh         every schedule, both sanitizers, PTX of two code generators in both block orders, traffic, machine code, every
#                    planted bug
#   check.sh fast    fewer schedules, one block order, no machine code, the planted bugs that are marked
# The last line counts; any shortfall is a failure.
set -eu
cd "$(dirname "$0")/../../.."
part=${1:-full}
at=csrc/tests/gpu
out=build/cuda-check.log

say() { printf 'cuda-check: %s\n' "$*"; }
die() { say "$*"; exit 1; }

build() { # build PRESET TARGET...
  preset=$1; shift
  { cmake --preset "$preset" -DSYN_CUDA=ON && cmake --build --preset "$preset" --target "$@"; } >"$out" 2>&1 ||
    { tail -n 40 "$out"; die "$* of $preset did not build"; }
}

# run NAME COMMAND...: sets $cases and $digest.
run() {
  name=$1; shift
  "$@" >"$out" 2>&1 || { grep -v -E '^\[ +(RUN|OK) +\]' "$out" | tail -n 60; die "$name failed"; }
  cases=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) tests*\.$/\1/p' "$out")
  digest=$(sed -n 's/^digest //p' "$out")
  [ "${cases:-0}" -gt 0 ] && [ -n "$digest" ] || die "$name ran no case"
}

same() { # same NAME: the digest is the one of the first run
  [ "$digest" = "$first" ] || die "$1: digest $digest, the first run had $first"
}

build cpu syn_gpu_tests gpu_ptx
build asan syn_gpu_tests
build tsan syn_gpu_tests
go build -o build/ptxsim ./csrc/tests/gpu/ptxsim/cmd/ptxsim

# Where a kernel takes a hundred times as long, kernels run by themselves; in full, whole decode steps too.
alone='--gtest_filter=-GpuTraining.*:GpuDecoding.*' on_ptx='--gtest_filter=-GpuTraining.*'
[ "$part" != fast ] || on_ptx=$alone

schedules='lifo:1 random:1 random:2'
[ "$part" = fast ] || schedules='lifo:1 random:1 random:2 random:3 random:4 random:5 random:6 random:7 random:8'
run "the host" build/cpu/$at/syn_gpu_tests
first=$digest host=$cases runs=1
for s in $schedules; do
  run "schedule $s" env HOSTGPU_ORDER="${s%:*}" HOSTGPU_SEED="${s#*:}" build/cpu/$at/syn_gpu_tests
  same "schedule $s"
  runs=$((runs + 1))
done
say "host: $host cases, the same digest in $runs schedules"

run "address and undefined behaviour" env ASAN_OPTIONS=detect_stack_use_after_return=0:allocator_may_return_null=1 build/asan/$at/syn_gpu_tests
asan=$cases
same "the address sanitizer"
run "race check" env TSAN_OPTIONS=halt_on_error=1 build/tsan/$at/syn_gpu_tests "$alone"
tsan=$cases
say "sanitizers: $asan cases under asan and ubsan, $tsan small ones under tsan"

ptx=0
for arch in 80 100; do
  files=$(find build/cpu/$at -maxdepth 1 -name "*.$arch.ptx" | sort | paste -sd,)
  run "PTX of compute_$arch" env HOSTGPU_PTX="$files" HOSTGPU_PTXSIM="$PWD/build/ptxsim" build/cpu/$at/syn_gpu_tests "$on_ptx"
  first=$digest ptx=$((ptx + cases))
  [ "$part" = fast ] && continue
  run "PTX of compute_$arch, blocks in descending order" env HOSTGPU_ORDER=lifo HOSTGPU_PTX="$files" HOSTGPU_PTXSIM="$PWD/build/ptxsim" build/cpu/$at/syn_gpu_tests "$on_ptx"
  same "PTX of compute_$arch, blocks in descending order"
done
say "ptxsim: $ptx cases on the PTX of compute_80 and compute_100"

traffic=$(go run ./csrc/tests/gpu/cost -build build/cpu/$at -ptxsim build/ptxsim -docs docs/cuda.md) || die "traffic or operations of a kernel changed"
say "$traffic"

machine="machine code not looked at"
if [ "$part" != fast ]; then
  build cpu gpu_cubins
  nvcc=$(sed -n 's/^SYN_NVCC_USED:INTERNAL=//p' build/cpu/CMakeCache.txt)
  machine=$(go run ./csrc/tests/gpu/gates -build build/cpu/$at -docs docs/cuda.md -cuobjdump "$(dirname "$nvcc")/cuobjdump") || die "the gates are shut"
  say "$machine"
fi

bugs=fast; [ "$part" = fast ] || bugs=
# shellcheck disable=SC2086  # nothing, or one word
bash $at/planted_bugs.sh $bugs >build/planted_bugs.log 2>&1 || { cat build/planted_bugs.log; die "a planted bug was missed"; }
planted=$(tail -n 1 build/planted_bugs.log)
kernels=$(cat csrc/cuda/*.cu | grep -c '^__global__')
say "$kernels kernels; $host cases x $runs schedules, $asan under asan, $tsan under tsan, $ptx on PTX; ${traffic#cost: }; bugs: $planted; ${machine#gates: }"
