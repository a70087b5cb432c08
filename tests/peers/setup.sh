#!/bin/sh
# Makes what our speed is compared with, in a folder of its own: a virtual environment with the Python peers, llama.cpp built
# from the source that the llama-cpp-python distribution holds (once for this machine, once held to AVX2), and the benchmark
# of the GEMM libraries. What is there already is kept.
#
#   sh tests/peers/setup.sh PEER...    of transformers, CTranslate2, llama.cpp, libxsmm, MKL, OpenBLAS
#
# SYNEHRGY_PEERS names the folder, .venv-peers where it is not set; JOBS is the number of compilers at a time, 2.
set -eu
cd "$(dirname "$0")/../.."
here=$(pwd)/tests/peers
peers=${SYNEHRGY_PEERS:-$(pwd)/.venv-peers}
[ -x "$peers/bin/python" ] || python3 -m venv "$peers"
peers=$(cd "$peers" && pwd)
python=$peers/bin/python

install() { # install PEER PACKAGE...: at the versions of requirements.txt
  cmp -s "$here/requirements.txt" "$peers/installed-$1" && return
  name=$1
  shift
  "$python" -m pip install -q --disable-pip-version-check -c "$here/requirements.txt" "$@"
  cp "$here/requirements.txt" "$peers/installed-$name"
}

# llama.cpp: only the benchmark of many sequences is built (some minutes), and then once more what depends on the instruction
# set, for the binary that is held to AVX2 and FMA. Its set is written out, as the configuration remembers that of the first.
llama() {
  version=0.3.36
  mkdir -p "$peers/llama"
  cd "$peers/llama"
  source=llama_cpp_python-$version/vendor/llama.cpp
  if ! [ -d "$source" ]; then
    "$python" -m pip download -q --disable-pip-version-check --no-deps --no-binary :all: "llama-cpp-python==$version"
    tar xzf "llama_cpp_python-$version.tar.gz"
  fi
  llama_binary native -DGGML_NATIVE=ON
  llama_binary avx2 -DGGML_NATIVE=OFF -DGGML_SSE42=ON -DGGML_AVX=ON -DGGML_AVX2=ON -DGGML_FMA=ON -DGGML_F16C=ON -DGGML_BMI2=ON
  [ -f f32.gguf ] || "$python" "$here/llama_cpp_make_gguf.py" f32.gguf 1024
  cd "$here/../.."
}

llama_binary() { # llama_binary NAME OPTION...: makes bench-NAME
  [ -x "bench-$1" ] && return
  name=$1
  shift
  cmake -S "$source" -B build -G Ninja -DCMAKE_BUILD_TYPE=Release -DBUILD_SHARED_LIBS=OFF -DLLAMA_CURL=OFF -DLLAMA_OPENSSL=OFF \
    -DLLAMA_BUILD_TESTS=OFF -DLLAMA_BUILD_EXAMPLES=OFF -DLLAMA_BUILD_SERVER=OFF "$@" >build.log
  ninja -C build -j "${JOBS:-2}" llama-batched-bench >>build.log
  cp build/bin/llama-batched-bench "bench-$name"
}

gemm() { # the same program for every library; libxsmm is Debian's
  [ "$peers/gemm" -nt "$here/gemm/bench.cpp" ] || g++ -O3 -std=c++17 "$here/gemm/bench.cpp" -o "$peers/gemm" -ldl -pthread -lxsmm -lxsmmnoblas
}

for peer in "$@"; do
  case $peer in
    transformers) install "$peer" torch transformers numpy ;;
    CTranslate2) install "$peer" ctranslate2 numpy ;;
    llama.cpp) install "$peer" gguf numpy; llama ;;
    libxsmm) gemm ;;
    MKL) install "$peer" mkl; gemm ;;
    OpenBLAS) install "$peer" scipy-openblas32; gemm ;;
    *) echo "setup: no peer is named $peer" >&2; exit 2 ;;
  esac
done
