"""What is measured: one row a comparison, and the commands of each side.

A side prints JSON objects, one a line; the last one that has a rate (tokens_per_s, or speed_tg of llama.cpp) counts. Placeholders
in a command: {bin} our program, {peers} the folder of setup.sh, {here} this folder, {root} the repository, {threads}, {tmp} a
folder of the row.
"""
import dataclasses
import os

# Instruction sets that a run can be held to, and what tells each program so. `native` is whatever each of them picks.
HELD = {
    "native": {},
    "avx2": {
        "SYNEHRGY_ISA": "avx2", "ATEN_CPU_CAPABILITY": "avx2", "CT2_FORCE_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "ONEDNN_MAX_CPU_ISA": "AVX2", "DNNL_MAX_CPU_ISA": "AVX2", "OPENBLAS_CORETYPE": "Haswell", "LIBXSMM_TARGET": "hsw",
    },
}

# What setup.sh can make.
PEERS = ["transformers", "CTranslate2", "llama.cpp", "libxsmm", "MKL", "OpenBLAS"]

# The products of a layer and the head, forward (y = x w^T) and towards the input (dx = dy w), as M, N, K.
WIDTH, FFN, VOCAB = 384, 1536, 5115
FORWARD = [(3 * WIDTH, WIDTH), (WIDTH, WIDTH), (FFN, WIDTH), (WIDTH, FFN), (VOCAB, WIDTH)]
PRODUCTS = {
    "forward, 8,192 rows": [(8192, n, k) for n, k in FORWARD],
    "towards the input, 8,192 rows": [(8192, k, n) for n, k in FORWARD],
    "decoding, 256 rows": [(256, n, k) for n, k in FORWARD],
    "decoding, 64 rows": [(64, n, k) for n, k in FORWARD],
}


@dataclasses.dataclass
class Side:
    who: str  # "ours" or the name of a peer
    label: str  # which way of it
    command: list
    env: dict = dataclasses.field(default_factory=dict)
    held: tuple = tuple(HELD)  # the instruction sets it runs under


@dataclasses.dataclass
class Row:
    name: str
    section: str  # of the page: peers, ourselves, products, kernels, profile, stages
    work: str
    ours: Side
    others: list = dataclasses.field(default_factory=list)
    bar: float = None  # least ratio ours / best of the others
    stretch: float = None
    held: tuple = ("native", "avx2")
    once: bool = False  # one round is enough: the commands repeat within
    needs: str = None  # a path without which the row is left out
    asked: bool = False  # only when asked for by name


def ours(label, *flags, threads="{threads}"):
    return Side("ours", label, ["{bin}", "bench", *flags, "--repeats", "1", "--threads", threads, "--json"])


def torch(label, *flags):
    return Side("transformers", label, ["{peers}/bin/python", "{here}/torch_gpt2.py", *flags, "--threads", "{threads}"])


def ctranslate2(rows, length, compute="float32"):
    command = [
        "{peers}/bin/python", "{here}/ct2_generate.py", "--batch", str(rows), "--length", str(length), "--compute", compute,
        "--threads", "{threads}",
    ]
    return Side("CTranslate2", f"{compute}, {rows} rows", command)


def llama_cpp(rows, length, build="native"):
    """Its build for AVX2 is a peer on every machine: it may be the faster one."""
    context = -(-rows * (length + 1) // 256) * 256  # one prompt token; a multiple of 256 as llama.cpp wants it
    command = [
        "{peers}/llama/bench-" + build, "-m", "{peers}/llama/f32.gguf", "-c", str(context), "-b", "2048", "-ub", "512",
        "-npp", "1", "-ntg", str(length), "-npl", str(rows), "-t", "{threads}", "--output-format", "jsonl",
    ]
    label, held = (f"f32, {rows} rows", ("native",)) if build == "native" else (f"f32, {rows} rows, AVX2 build", tuple(HELD))
    return Side("llama.cpp", label, command, held=held)


def sizes(quick, context, batch, steps):
    """The flags of a training, which ours and torch_gpt2.py share."""
    context, batch, steps = (128, 2, 1) if quick else (context, batch, steps)
    return ["--context", str(context), "--batch", str(batch), "--steps", str(steps)]


def against_peers(quick):
    """The rows of the table: what a user would run instead."""
    short, long = sizes(quick, 1024, 8, 3), sizes(quick, 4096, 2, 3)
    length = 16 if quick else 256
    decode = ["generate", "--length", str(length)]
    slots = [8, 16] if quick else [64, 256]
    decode_ours = [*decode, "--slots", str(slots[-1])]
    ours_decode = ours(f"{slots[-1]} slots", *decode_ours)
    published, padded = ["train", "--lengths", "published"], ["train", "--layout", "padded"]
    packed = ["train", "--layout", "packed"]
    # llama.cpp keeps keys and values in 16 bits unless told otherwise.
    ours_halves = ours(f"{slots[-1]} slots, cache in fp16", *decode_ours, "--kv-cache", "fp16")
    return [
        Row("train-packed", "peers", "train, 8 x 1,024 full rows", ours("packed", "train", *short),
            [torch("packed, torch.compile", *packed, "--compile", "--warmup", "2", *short)], 2.0, 2.5),
        Row("train-published", "peers", "train, published lengths cut at 1,024", ours("packed", *published, *short),
            [torch("padded 8 x 1,024", *padded, *short)], 4.5, 6),
        Row("train-4096", "peers", "train, published lengths cut at 4,096", ours("packed", *published, *long),
            [torch("padded 2 x 4,096", *padded, *long)], 20, 35),
        Row("generate-transformers", "peers", f"generate {length} tokens, top-k 50", ours_decode,
            [torch(f"{n} rows", *decode, "--batch", str(n)) for n in slots], 3.5, 6),
        Row("generate-ctranslate2", "peers", f"generate {length} tokens, top-k 50", ours_decode,
            [ctranslate2(n, length) for n in slots], 2.8, 4.5),
        Row("generate-int8", "peers", f"generate {length} tokens, top-k 50, int8 weights",
            ours("int8", *decode_ours, "--precision", "int8"), [ctranslate2(n, length, "int8") for n in slots], held=("native",)),
        Row("generate-llama.cpp", "peers", f"generate {length} tokens, cache in fp16; llama.cpp without its sampling", ours_halves,
            [llama_cpp(n, length, build) for build in HELD for n in ([8] if quick else [64, 128, 256])], 2.3, 4),
    ]


def against_ourselves(quick):
    """One of our ways against another: the work, both ways, and the ratio of their rates that is wanted."""
    train = ["train", *sizes(quick, 1024, 8, 6)]
    decode = ["generate", *(["--slots", "8", "--length", "16"] if quick else [])]
    long = ["train", *sizes(quick, 8192, 1, 2)]

    def threads(work):
        return ours("2 threads", *work, threads="2"), ours("1 thread", *work, threads="1")

    def crowded(side):
        return dataclasses.replace(side, label=side.label + " and a busy process", command=["sh", "{here}/crowded.sh", *side.command])

    rows = [
        ("threads-train", "train, 8 x 1,024", *threads(train), 1.8, 1.95),
        ("threads-generate", "generate", *threads(decode), 1.8, 1.95),
        ("crowded", "train, 8 x 1,024, beside a busy process", *map(crowded, threads(train)), 1, None),
        ("mask", "generate under the grammar of records", ours("mask on", *decode, "--grammar", "hospital"),
         ours("mask off", *decode, "--grammar", "hospital", "--mask=false"), 1 / 1.03, 1),
        ("bf16", "train, 8 x 1,024", ours("bf16", *train, "--precision", "bf16"), ours("fp32", *train), None, None),
        ("kv-cache", "generate", ours("cache in fp16", *decode, "--kv-cache", "fp16"), ours("fp32", *decode), None, None),
        ("int8", "generate", ours("int8", *decode, "--precision", "int8"), ours("fp32", *decode), None, None),
        ("recompute", "train, 1 x 8,192", ours("recompute", *long, "--recompute"), ours("keep all", *long), None, None),
    ]
    return [Row(name, "ourselves", work, one, [other], bar, stretch) for name, work, one, other, bar, stretch in rows]


def products(quick):
    shapes = ",".join(sorted({"x".join(map(str, s)) for some in PRODUCTS.values() for s in some}))
    repeats = "1" if quick else "8"
    rows = []
    for threads in ("1", "2"):
        bench = ["{peers}/gemm", threads, repeats, shapes]
        rows.append(Row(
            f"products-{threads}", "products", threads,
            Side("ours", "", ["{bin}", "bench", "gemm", "--threads", threads, "--repeats", repeats, "--json"]),
            [Side("libxsmm", "", bench + ["libxsmm"]),
             Side("MKL", "", bench + ["mkl", "{peers}/lib/libmkl_rt.so.3"], {"MKL_THREADING_LAYER": "INTEL"}),
             Side("OpenBLAS", "", bench + ["openblas", "{openblas}"])], 0.95, 1.1))
    return rows


def alone(quick):
    """Kernels, the profile of a step, and the stages around training and generation."""
    few = ["--repeats", "1" if quick else "5"]
    data = os.environ.get("SYNEHRGY_DATA", "")
    challenge = os.path.join(data, "challenge-2012-set-a")
    stage = dict(section="stages", held=("native",), once=True)

    def script(*words):
        return Side("ours", "", ["sh", "{here}/stage.sh", *words])

    return [
        Row("attention", "kernels", "attention",
            Side("ours", "", ["{bin}", "bench", "attention", *few, "--threads", "{threads}", "--json"]), once=True),
        Row("profile", "profile", "train, 8 x 1,024", ours("", "train", *sizes(quick, 1024, 8, 6), "--profile"),
            held=("native",), once=True),
        Row("prepare", work="read Challenge 2012 set A and write the cohort", needs=os.path.join(challenge, "set-a.tar.gz"),
            ours=script("prepare", challenge, "{tmp}"), **stage),
        Row("shards", work="encode a cohort into shards", ours=script("shards"), **stage),
        Row("demo", work="`synehrgy demo`, then 10,000 patients of its model",
            ours=script("demo", "{tmp}", *(["20", "--steps", "5"] if quick else ["10000"])), **stage),
        Row("evaluate", work="evaluate 1,000 patients a cohort, all systems",
            ours=Side("ours", "", ["{bin}", "bench", "evaluate", *(["--patients", "100"] if quick else []), "--json"]), **stage),
        Row("build", work="clean build of core and program, modules at hand",
            ours=script("build", "{tmp}"), **stage),
        Row("test", work="`./dev test` after a clean build", ours=script("test", "{tmp}"), asked=True, **stage),
    ]


def rows(quick=False):
    return against_peers(quick) + against_ourselves(quick) + products(quick) + alone(quick)
