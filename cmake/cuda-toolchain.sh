#!/bin/sh
# Installs a pinned CUDA 13.5 compiler from PyPI wheels, without root, driver or GPU:
#   sh cmake/cuda-toolchain.sh [PREFIX] [cublas] [nccl] [sanitizer]        PREFIX: build/cuda-toolchain
# PREFIX becomes an ordinary toolkit tree: bin/nvcc ptxas cuobjdump nvdisasm, include, lib (lib64), nvvm.
#   cublas, nccl      headers and a link stub that carries the real soname and symbols (enough to build
#                     and link; the real library is for machines with a GPU). CUDA_FULL=1 keeps it.
#   sanitizer         compute-sanitizer (needs a GPU to run)
# Done twice it does nothing; every wheel is checked against the sha256 below by pip.
# Needs: python3 with pip, and g++ up to 16 as nvcc's host compiler. Linux x86-64 only.
set -eu

say() { printf '%s\n' "cuda-toolchain: $*"; }
die() { say "$*" >&2; exit 1; }
[ $# -ge 1 ] || set -- "$(cd "$(dirname "$0")/.." && pwd)/build/cuda-toolchain"
case $1 in cublas|nccl|sanitizer) die "the first argument is the prefix" ;; esac
[ "$(uname -sm)" = "Linux x86_64" ] || die "the pinned wheels are for Linux x86-64, this is $(uname -sm)"
py=${PYTHON:-python3}
"$py" -m pip --version >/dev/null 2>&1 || die "$py has no pip (Debian: apt-get install python3-pip)"

pins() {
  case $1 in
  base) cat <<'P'
nvidia-cuda-nvcc==13.5.37 --hash=sha256:f5c4f7ead5d964fb4af42bbf1e6d3ec3c1e6e9d83b53749f691d387e7fcaa3a7
nvidia-nvvm==13.5.37 --hash=sha256:c41bfa362e407405163f103c2229f0765f8cc2ed7d148b754dc77f228bf7e070
nvidia-cuda-crt==13.5.37 --hash=sha256:e898b7f73d3035fa89915a3f7bf3b54a73e90249746111aed295822c4729bb29
nvidia-cuda-runtime==13.5.37 --hash=sha256:df2b79a8852f10d1fef8c848489c49eebb5754051bf870202a862831412b179d
nvidia-cuda-cccl==13.3.5.0.6 --hash=sha256:d5230098fa2df5021e1a00c0c4eee41797671a91119d31e892463e5ccf3ee326
nvidia-cuda-cuobjdump==13.5.37 --hash=sha256:38780fee50863252a0b8926357faa91615ca1c8346490563f33a06100cd73f58
nvidia-cuda-nvdisasm==13.5.37 --hash=sha256:d3fdbdd49fa53e2e4aacd3db8259d052bd2b049ececdcb69e92e083c6728e7ca
P
  ;;
  cublas) echo "nvidia-cublas==13.10.0.20 --hash=sha256:dcc6d63884c53d07e267ce7e6feac17b2538cebaafec5db865736c3e28e4dc84" ;;
  nccl) echo "nvidia-nccl-cu13==2.32.3 --hash=sha256:1459723080ac889d73a26edfa3e04383a7928ab31ac8f0ec43b3ea9548b04ff3" ;;
  sanitizer) echo "nvidia-cuda-sanitizer-api==13.5.25 --hash=sha256:5df2efbdf605a812c6bac07600dd3d801cb9d334a30376113a6f1e2bc0679f54" ;;
  *) die "unknown part '$1': cublas, nccl, sanitizer" ;;
  esac
}

for part in "$@"; do [ "$part" = "$1" ] || pins "$part" >/dev/null; done
mkdir -p "$1"
prefix=$(cd "$1" && pwd); shift
stamps=$prefix/.installed
if [ ! -d "$stamps" ] && [ -n "$(ls -A "$prefix")" ]; then die "$prefix is not empty and was not made by this script"; fi
mkdir -p "$stamps"
tmp=$(mktemp -d "$prefix/.download.XXXXXX")
trap 'rm -rf "$tmp"' EXIT
trap 'exit 1' HUP INT TERM

# unpack WHEELS INTO PREFIX: what lies under nvidia/<family>/ moves to the prefix, executables stay executable,
# the licence texts go to licenses/, and what no build needs (documentation, the NVVM library) is left out.
cat >"$tmp/unpack.py" <<'P'
import glob, os, shutil, subprocess, sys, zipfile
tmp, prefix, part, full = sys.argv[1:5]
big = {"cublas": ("libcublas.so", "libcublasLt.so"), "nccl": ("libnccl.so",)}.get(part, ()) if full != "1" else ()
skip = ("libnvvm.so", "libnvblas.so", "libnccl_device.", "nvblas.h")
for wheel in sorted(glob.glob(tmp + "/*.whl")):
    with zipfile.ZipFile(wheel) as z:
        for i in z.infolist():
            p = i.filename.split("/")
            if i.is_dir() or "/docs/" in i.filename or "/cmake/" in i.filename or p[-1].startswith(skip):
                continue
            if p[0] == "nvidia" and len(p) > 2:
                to = os.path.join(prefix, *p[2:])
            elif ".dist-info/licenses/" in i.filename:
                to = os.path.join(prefix, "licenses", p[0].split("-")[0] + "-" + p[-1])
            else:
                continue
            stub = p[-2] == "lib" and p[-1].startswith(big) if big else False
            if stub:
                to = os.path.join(tmp, p[-1])
            os.makedirs(os.path.dirname(to), exist_ok=True)
            with z.open(i) as src, open(to + ".part", "wb") as dst:
                shutil.copyfileobj(src, dst, 1 << 20)
            os.chmod(to + ".part", 0o755 if i.external_attr >> 16 & 0o111 or to.endswith(".so") else 0o644)
            os.replace(to + ".part", to)
            if stub:  # a library of a few KiB with the same soname, symbols and symbol versions
                names = subprocess.run(["nm", "-D", "--defined-only", to], check=True, capture_output=True, text=True).stdout
                syms, ver = [], {}
                for line in names.splitlines():
                    _, kind, name = line.split()
                    name, _, v = name.replace("@@", "@").partition("@")
                    if kind in "TW" and not name.startswith("_Z"):
                        syms.append(name); ver.setdefault(v, []).append(name)
                with open(to + ".c", "w") as f:
                    f.writelines("void %s(void) {}\n" % s for s in syms)
                with open(to + ".map", "w") as f:
                    for v, names in ver.items():
                        f.write("%s { global: %s; };\n" % (v, "; ".join(names)))
                subprocess.run([os.environ.get("CC", "gcc"), "-shared", "-fPIC", "-nostdlib", "-w", "-fno-builtin", to + ".c", "-Wl,-soname," + p[-1],
                                "-Wl,--version-script=" + to + ".map", "-o", os.path.join(prefix, "lib", p[-1])], check=True)
                os.remove(to)
lib = os.path.join(prefix, "lib")
for n in os.listdir(lib) if os.path.isdir(lib) else []:  # what -lcudart and CMake look for
    if ".so." in n:
        link = os.path.join(lib, n.split(".so.")[0] + ".so")
        if not os.path.lexists(link):
            os.symlink(n, link)
if not os.path.lexists(os.path.join(prefix, "lib64")):
    os.symlink("lib", os.path.join(prefix, "lib64"))
P

for part in base "$@"; do
  case $part in cublas|nccl) full=${CUDA_FULL:-0} ;; *) full=0 ;; esac  # the others have no large library
  want="$(pins "$part") full=$full script=1"
  if [ "$(cat "$stamps/$part" 2>/dev/null)" = "$want" ]; then say "$part: already there"; continue; fi
  rm -f "$tmp"/*.whl
  pins "$part" >"$tmp/pins.txt"
  say "$part: downloading"
  "$py" -m pip download -q --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes -r "$tmp/pins.txt" -d "$tmp"
  [ "$part" != base ] || rm -rf "$prefix/bin" "$prefix/nvvm" "$prefix/include/crt" "$prefix/include/cccl"
  "$py" "$tmp/unpack.py" "$tmp" "$prefix" "$part" "${CUDA_FULL:-0}"
  printf '%s\n' "$want" >"$stamps/$part"
done

"$prefix/bin/nvcc" --version | sed -n 's/^Cuda compilation tools, /nvcc /p'
"$prefix/bin/ptxas" --version | sed -n 's/^Cuda compilation tools, /ptxas /p'
"${CXX:-g++}" --version | sed -n 1p
say "ready: PATH=$prefix/bin:\$PATH, or cmake -DCMAKE_CUDA_COMPILER=$prefix/bin/nvcc"
