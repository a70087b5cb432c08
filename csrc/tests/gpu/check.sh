#!/bin/sh
# Everything that is known about the CUDA kernels on a machine without a GPU; docs/cuda.md says what it means. `./dev cuda-check` calls
# it when the toolchain is there.
#   check.sh         every schedule, both sanitizers, PTX of two code generators in both block orders, traffic, the program of
#                    `./dev gpu-check`, machine code, every planted bug
#   check.sh fast    fewer schedules, races of the kernels alone and not of whole networks, one block order, no machine code, the
#                    planted bugs that are marked
# The last line counts; what is less than counts.txt wants is a failure.
set -eu
cd "$(dirname "$0")/../../.."
part=${1:-full}
at=csrc/tests/gpu
built=build/cpu/$at
out=build/cuda-check.log

say() { printf 'cuda-check: %s\n' "$*"; }
die() { say "$*"; exit 1; }

build() { # build PRESET TARGET...
  preset=$1; shift
  { cmake --preset "$preset" -DSYN_CUDA=ON && cmake --build --preset "$preset" --target "$@"; } >"$out" 2>&1 ||
    { tail -n 40 "$out"; die "$* of $preset did not build"; }
}

# finish NAME PROCESS LOG: waits for a run of the tests in the background; sets $cases and $digest.
finish() {
  wait "$2" || { grep -v -E '^\[ +(RUN|OK) +\]' "$3" | tail -n 60; die "$1 failed"; }
  cases=$(sed -n 's/^\[  PASSED  \] \([0-9]*\) tests*\.$/\1/p' "$3")
  digest=$(sed -n 's/^digest //p' "$3")
  [ "${cases:-0}" -gt 0 ] && [ -n "$digest" ] || die "$1 ran no case"
}

run() { # run NAME COMMAND...: the same at once
  name=$1; shift
  "$@" >"$out" 2>&1 &
  finish "$name" $! "$out"
}

same() { # same NAME: the digest is the one of the first run
  [ "$digest" = "$first" ] || die "$1: digest $digest, the first run had $first"
}

expect() { # expect WHAT COUNT: fails where counts.txt wants more
  least=$(awk -v what="$1" -v part="$part" '$1 == what { print part == "fast" ? $3 : $2 }' $at/counts.txt)
  [ -n "$least" ] || die "counts.txt does not say how many $1 there must be"
  [ "$2" -ge "$least" ] || die "$1: $2, and counts.txt wants $least"
}

names() { # names PROGRAM: its cases, one a line
  "$1" --gtest_list_tests | awk '/^[^ ]/ { suite = $1 } /^ / { print suite $1 }' | sort
}

build cpu syn_gpu_tests gpu_ptx synehrgy synehrgy_hostgpu fake_no_driver fake_no_device
build asan syn_gpu_tests
build tsan syn_gpu_tests
go build -o build/ptxsim ./$at/ptxsim/cmd/ptxsim

schedules='lifo:1 random:1 random:2'
[ "$part" = fast ] || schedules='lifo:1 random:1 random:2 random:3 random:4 random:5 random:6 random:7 random:8'
run "the host" $built/syn_gpu_tests
first=$digest host=$cases runs=1
for s in $schedules; do
  run "schedule $s" env HOSTGPU_ORDER="${s%:*}" HOSTGPU_SEED="${s#*:}" $built/syn_gpu_tests
  same "schedule $s"
  runs=$((runs + 1))
done
say "host: $host cases, the same digest in $runs schedules"

# Each keeps one processor busy. Where every CUDA thread is a thread a training step takes ten minutes: kernels run by themselves.
kernels_alone='-GpuTraining.*:GpuDecoding.*:GpuMemory.*:GpuReplay.*'
env TSAN_OPTIONS=halt_on_error=1 build/tsan/$at/syn_gpu_tests "--gtest_filter=$kernels_alone" >$out.tsan 2>&1 &
racing=$!
trap 'kill $racing 2>/dev/null || :' EXIT
run "address and undefined behaviour" env ASAN_OPTIONS=detect_stack_use_after_return=0:allocator_may_return_null=1 build/asan/$at/syn_gpu_tests
asan=$cases
same "the address sanitizer"
finish "race check" $racing $out.tsan
trap - EXIT
tsan=$cases
say "sanitizers: $asan cases under asan and ubsan, $tsan small ones under tsan"

# Products of whole networks need the emulation's own memory, which ptxsim's is not.
ptx=0 ptx_runs=0
for arch in 80 100; do
  files=$(find $built -maxdepth 1 -name "*.$arch.ptx" | sort | paste -sd,)
  run "PTX of compute_$arch" env HOSTGPU_PTX="$files" HOSTGPU_PTXSIM="$PWD/build/ptxsim" $built/syn_gpu_tests "--gtest_filter=$kernels_alone"
  first=$digest ptx=$((ptx + cases)) ptx_runs=$((ptx_runs + 1))
  [ "$part" = fast ] && continue
  run "PTX of compute_$arch, blocks in descending order" env HOSTGPU_ORDER=lifo HOSTGPU_PTX="$files" HOSTGPU_PTXSIM="$PWD/build/ptxsim" $built/syn_gpu_tests "--gtest_filter=$kernels_alone"
  same "PTX of compute_$arch, blocks in descending order"
  ptx_runs=$((ptx_runs + 1))
done
say "ptxsim: $ptx cases on the PTX of compute_80 and compute_100, in $ptx_runs runs"

traffic=$(go run ./$at/cost/cmd/cost -build $built -ptxsim build/ptxsim -docs docs/cuda.md) || die "traffic or operations of a kernel changed"
say "$traffic"
ops=$(expr "$traffic" : '.* kernels of \([0-9]*\) ops') || die "no count of ops in: $traffic"

# The program of `./dev gpu-check`: it links, holds every case but those of the testers, and its flow works with the emulation in the
# device's place.
build cpu syn_gpu_device_tests
names $built/syn_gpu_tests | grep -v '^GpuTesters\.' >build/cases.host
names $built/syn_gpu_device_tests >build/cases.device
diff build/cases.host build/cases.device || die "the tests for a device are not those of the host"
device=$(wc -l <build/cases.device)
go build -o bin/synehrgy ./cmd/synehrgy
GPUCHECK_ROOT=$PWD go test -count=1 -v ./$at/gpucheck >"$out" 2>&1 || { tail -n 60 "$out"; die "the flow of gpu-check failed"; }
! grep -- '--- SKIP: TestTheEmulationIsTried\|--- SKIP: TestTheSentence' "$out" || die "the flow of gpu-check was not tried"
flow=$(grep -c '^--- PASS' "$out")
say "gpu-check: $device cases linked for a device, $flow tests of its flow, on the emulation too"

machine="machine code not looked at" architectures=0
if [ "$part" != fast ]; then
  build cpu gpu_cubins
  nvcc=$(sed -n 's/^SYN_NVCC_USED:INTERNAL=//p' build/cpu/CMakeCache.txt)
  machine=$(go run ./$at/gates -build $built -docs docs/cuda.md -cuobjdump "$(dirname "$nvcc")/cuobjdump") || die "the gates are shut"
  say "$machine"
  architectures=$(expr "$machine" : '.*, \([0-9]*\) architectures') || die "no count of architectures in: $machine"
fi

bugs=fast; [ "$part" = fast ] || bugs=
# shellcheck disable=SC2086  # nothing, or one word
bash $at/planted_bugs.sh $bugs >build/planted_bugs.log 2>&1 || { cat build/planted_bugs.log; die "a planted bug was missed"; }
planted=$(tail -n 1 build/planted_bugs.log)
bugs=$(expr "$planted" : 'planted \([0-9]*\), caught') || die "no count of bugs in: $planted"
[ "$planted" = "planted $bugs, caught $bugs" ] || die "bugs: $planted"
kernels=$(cat csrc/cuda/*.cu | grep -c '^__global__')

expect kernels "$kernels"
expect architectures "$architectures"
expect host_cases "$host"
expect schedules "$runs"
expect asan_cases "$asan"
expect tsan_cases "$tsan"
expect ptx_cases "$ptx"
expect ptx_runs "$ptx_runs"
expect device_cases "$device"
expect cost_ops "$ops"
expect bugs_planted "$bugs"
expect gpucheck_tests "$flow"
say "$kernels kernels; $host cases x $runs schedules, $asan under asan, $tsan under tsan, $ptx on PTX in $ptx_runs runs, $device built for a device;" \
  "${traffic#cost: }; bugs: $planted; ${machine#gates: }"
