"""Writes docs/performance.md from what run.py measured. Every figure of the page comes from a measurement; the goals come from
rows.py."""
import os
import pathlib
import platform
import re
import subprocess

from rows import PRODUCTS

HEAD = """# Performance

This page is the output of `./dev bench peers`: every figure was measured by the commands at its end, none was typed. To make it
anew, on an idle machine and with time for the peers, which take most of it:

    ./dev bench peers                          # installs and builds the peers on first use, into .venv-peers
    ./dev bench peers --only train-packed      # one row again; the others stay as they were measured
    ./dev bench peers --quick                  # does everything run? writes build/performance.md, the figures mean nothing

"""

METHOD = """In a row every side runs in turn, in as many rounds as the commands at the end say, and the best of each counts.
Absolute figures move by tens of per cent with the neighbours of a shared machine; the ratio of a row was taken within minutes. Model: GPT-2, width 384, 4 layers, 4 heads of 96,
vocabulary 5,115, fp32, random weights. Tokens are tokens of records: padding is work, but no output. Dropout is 0.1 in training.

"""

PEERS = """## Beside what one would run instead

On {isa}, {threads} threads on each side. Tokens a second.

"""

HELD = """### Held to AVX2

The same, with both sides held to AVX2 and FMA (`SYNEHRGY_ISA=avx2`; PyTorch, CTranslate2, MKL and oneDNN by their variables,
llama.cpp by a build of its own).

"""

AFTER_PEERS = """- Packed rows in PyTorch have no mask between records: a little too fast, as a correct packed run needs one. Ours has it.
- The published lengths are log-normal (median 700, sigma 1.45, at least 16), cut at the context. Both sides train on the
  quantiles of that curve, ours packed, PyTorch with one record a row, padded, as the published code does.
- Generation draws from the 50 likeliest tokens until the record has its length. llama.cpp's figure leaves its sampling out;
  it keeps keys and values in 16 bits, as ours does in that row alone.

"""

OURSELVES = """## One of our ways against another

Tokens a second, and the largest memory of the process.

"""

PRODUCTS_HEAD = """## Products

fp32 at the five shapes of the model, GFLOP/s over all of a line's shapes together; the weights are packed beforehand by all but
OpenBLAS, which cannot. On two threads a library counts with the better of its own threads and two of ours on halves of the rows.
The ratio is ours to the best library of each shape, the last column that of the worst shape.

"""

ATTENTION = """## Attention

8 x 1,024 tokens, forward and backward; the causal half of the scores counts.

"""

PROFILE = """## Where a step's time goes

One step of 8 x 1,024 tokens on {threads} threads. The ceilings, measured in the same run: {flops} GFLOP/s of multiply-adds on
registers, {bytes} GB/s of memory. "of bound" is the time that an op takes at its ceiling, of arithmetic or of memory, over the
time it took; above 100 % its data came from the caches.

"""

STAGES = """## The stages around

"""

END = """## Allocations

No heap allocation happens in a training step or a decode step after the first: `Trainer.AThousandStepsAllocateNothingAfterTheFirst` and
`Generator.a_step_allocates_nothing` in `ctest --preset cpu` count them.

The CUDA backend has not been timed on a GPU, so there is no GPU figure here; `./dev gpu-check` takes them where there is one.

"""

COMMANDS = """## Commands

What each row ran, ours first; each line in every round. Rows held to AVX2 have the variables of `HELD` in
`tests/peers/rows.py` set.

"""


def rate(objects):
    """Tokens/s, of the last object that has them."""
    for o in reversed(objects):
        for key in ("tokens_per_s", "speed_tg"):
            if key in o:
                return float(o[key])
    return None


def number(x):
    return f"{x:,.0f}" if abs(x) >= 100 else f"{x:.3g}"


def table(head, lines):
    if not lines:
        return ""
    rows = [head, ["---"] * len(head), *lines]
    return "".join("| " + " | ".join(map(str, row)) + " |\n" for row in rows) + "\n"


def best(record):
    """The best run of every side of a row: {(who, label): run}."""
    found = {}
    for run in record["runs"]:
        key = run["who"], run["label"]
        if key not in found or rate(run["objects"]) > rate(found[key]["objects"]):
            found[key] = run
    return found


def rounds(record):
    first = record["runs"][0]
    count = sum((run["who"], run["label"]) == (first["who"], first["label"]) for run in record["runs"])
    return "1 round" if count == 1 else f"{count} rounds"


def against(value, row):
    """The goal of a row, and whether it is met."""
    if row.bar is None:
        return ""
    goal = f"{row.bar:.3g}" + (f", stretch {row.stretch:.3g}" if row.stretch else "")
    return goal if value >= row.bar else f"**not met:** {goal}"


def figure(run, section):
    """Tokens a second, and among our own ways the memory that it took."""
    text = number(rate(run["objects"]))
    return text if section == "peers" else f"{text} ({run['peak_rss'] / 2**20:,.0f} MB)"


def compare(rows, newest, held, section):
    lines = []
    for row in rows:
        record = newest.get((row.name, held))
        if row.section != section or record is None:
            continue
        sides = best(record)
        ours = sides.pop((row.ours.who, row.ours.label))
        ratio = rate(ours["objects"]) / max(rate(run["objects"]) for run in sides.values())
        names = "; ".join(f"{who} {label}: {figure(run, section)}".removeprefix("ours ") for (who, label), run in sides.items())
        label = "" if section == "peers" else row.ours.label + ": "
        lines.append([row.name, row.work, label + figure(ours, section), names, f"{ratio:.2f}", against(ratio, row)])
    return lines


def peers(rows, newest, held):
    return table(["row", "work", "ours", "theirs", "ratio to the best", "goal"], compare(rows, newest, held, "peers"))


def ourselves(rows, newest):
    text = ""
    for held in ("native", "avx2"):
        lines = compare(rows, newest, held, "ourselves")
        if lines:
            text += {"native": "", "avx2": "Held to AVX2:\n\n"}[held]
            text += table(["row", "work", "one", "the other", "ratio", "goal"], lines)
    return text


def product_seconds(record):
    """The best seconds of each library at each shape: {who: {shape: seconds}}."""
    found = {}
    for run in record["runs"]:
        shapes = found.setdefault(run["who"], {})
        for o in run["objects"]:
            shapes[o["shape"]] = min(o["seconds"], shapes.get(o["shape"], float("inf")))
    return found


def products(rows, newest):
    lines, libraries = [], []
    for row in rows:
        for held in row.held:
            record = newest.get((row.name, held))
            if row.section != "products" or record is None:
                continue
            seconds = product_seconds(record)
            libraries = [who for who in seconds if who != "ours"]
            for name, shapes in PRODUCTS.items():
                lines.append(product_line(row, held, name, shapes, seconds, libraries))
    return table(["products", "kernels", "threads", "ours", *libraries, "ratio", "goal", "worst shape"], lines)


def product_line(row, held, name, shapes, seconds, libraries):
    keys = ["x".join(map(str, s)) for s in shapes]
    flop = sum(2.0 * m * n * k for m, n, k in shapes)
    others = [min(seconds[who][key] for who in libraries) for key in keys]
    ours = [seconds["ours"][key] for key in keys]
    ratio = sum(others) / sum(ours)
    worst, shape = min((b / a, key) for a, b, key in zip(ours, others, keys))
    cells = [number(flop / sum(seconds[who][key] for key in keys) / 1e9) for who in ["ours", *libraries]]
    return [name, held, row.work, *cells, f"{ratio:.2f}", against(ratio, row), f"{worst:.2f} ({shape})"]


def kernels(rows, newest):
    lines = []
    for row in rows:
        for held in row.held:
            record = newest.get((row.name, held))
            if row.section == "kernels" and record:
                printed = record["runs"][0]["objects"]
                lines += [[row.name, f"{o['task']}, {o['shape']}", held, number(o["gflops"])] for o in printed]
    return table(["row", "kernel", "kernels", "GFLOP/s"], lines)


def profile(rows, newest):
    record = newest.get(("profile", "native"))
    if record is None:
        return ""
    printed = record["runs"][0]["objects"]
    lines = [
        [o["op"], f"{o['calls']:g}", f"{o['seconds'] * 1e3:.2f}", f"{o['share']:.1%}"]
        + [number(o["gflops"]), number(o["gb_per_s"]), f"{o['of_bound']:.0%}"]
        for o in printed
        if o["type"] == "op"
    ]
    peak = next(o for o in printed if o["type"] == "peak")
    text = PROFILE.format(flops=number(peak["gflops"]), bytes=number(peak["gb_per_s"]), threads=peak["threads"])
    return text + table(["op", "calls", "ms", "share", "GFLOP/s", "GB/s", "of bound"], lines)


def stage_figure(name, run):
    values = {}
    for o in run["objects"]:
        values.update(o)
    memory = f", {run['peak_rss'] / 2**20:,.0f} MB at the peak"
    if name == "prepare":
        return f"{values['seconds']:.1f} s for {values['patients']:,} stays, {values['events']:,} events{memory}"
    if name == "shards":
        return f"{number(values['records_per_s'])} records/s of {number(values['tokens_per_record'])} tokens"
    if name == "demo":
        demo = next(o["seconds"] for o in run["objects"] if list(o) == ["seconds"])
        records, tokens = number(values["records_per_second"]), number(values["tokens_per_second"])
        return f"{demo:.0f} s; then {records} records/s, {tokens} tokens/s"
    return f"{number(values['seconds'])} s"


def stages(rows, newest):
    lines = []
    for row in rows:
        record = newest.get((row.name, "native"))
        if row.section == "stages" and record:
            lines.append([row.name, row.work, stage_figure(row.name, record["runs"][0])])
    return table(["row", "stage", "figure"], lines)


def commands(rows, newest):
    """What every side of every row ran, its load before, and the time of the day."""
    text = ""
    for row in rows:
        for held in row.held:
            record = newest.get((row.name, held))
            if record:
                text += f"# {row.name}, {held}, {rounds(record)}: {record['began']}, load {record['load']:.1f}\n"
                lines = dict.fromkeys(run["command"] for run in record["runs"])
                text += "".join(re.sub(r"(\d+x\d+x\d+),\S+", r"\1,…", line) + "\n" for line in lines)
    return f"```\n{text}```\n\n" if text else ""


def output(*command):
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return ""


def machine(about, newest, folder):
    info = pathlib.Path("/proc/cpuinfo").read_text()

    def fact(key):
        found = re.search(rf"^{key}\s*: (.*)$", info, re.M)
        return found.group(1) if found else "?"

    cores = len(os.sched_getaffinity(0))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    library = about["library"]
    system = platform.freedesktop_os_release().get("PRETTY_NAME", platform.system())
    days = sorted(k["began"] for k in newest.values())
    loads = sorted(k["load"] for k in newest.values())
    packages = output(folder / "bin/python", "-m", "pip", "freeze")
    versions = dict(re.findall(r"^(torch|transformers|ctranslate2|mkl|scipy-openblas32)==(\S+)", packages, re.M))
    llama = next(iter(sorted(folder.glob("llama/llama_cpp_python-*.tar.gz"))), None)
    if llama:
        versions["llama.cpp of llama-cpp-python"] = llama.name[len("llama_cpp_python-") : -len(".tar.gz")]
    facts = [
        ["processor", f"{fact('model name')} (family {fact('cpu family')}, model {fact('model')})"],
        ["of it", f"{cores} cores, {memory:.0f} GiB"],
        ["kernels", f"{library['cpu']['isa']} of {library['cpu']['features']}"],
        ["system", f"{system}, Linux {platform.release()}, {output('g++', '--version').splitlines()[0]}, {about['go']}"],
        ["ours", f"{about['version']}, library {about['stamp'][:12]}, products by {library['gemm']}"],
        ["peers", ", ".join(f"{name} {version}" for name, version in versions.items())],
    ]
    if days:
        facts.append(["measured", f"{days[0]} to {days[-1]}, load average before a row {loads[0]:.1f} to {loads[-1]:.1f}"])
    return table(["", ""], facts)


def section(head, body):
    return head + body if body else ""


def write(rows, newest, about, folder):
    threads = ", ".join(sorted({str(k["threads"]) for k in newest.values()})) or "2"
    parts = [
        HEAD,
        machine(about, newest, folder),
        METHOD,
        section(PEERS.format(isa=about["library"]["cpu"]["isa"], threads=threads), peers(rows, newest, "native")),
        section(HELD, peers(rows, newest, "avx2")),
        AFTER_PEERS,
        section(OURSELVES, ourselves(rows, newest)),
        section(PRODUCTS_HEAD, products(rows, newest)),
        section(ATTENTION, kernels(rows, newest)),
        profile(rows, newest),
        section(STAGES, stages(rows, newest)),
        END,
        section(COMMANDS, commands(rows, newest)),
    ]
    return "".join(parts).rstrip() + "\n"
