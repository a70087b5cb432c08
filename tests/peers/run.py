#!/usr/bin/env python3
"""Times ours and what a user would run instead, in turn, and writes docs/performance.md from what it measured.

    python3 run.py [--rounds 3] [--threads 2] [--quick] [--held native,avx2] [--only ROW,…] [--skip ROW,…] [--peers PEER,…]
    python3 run.py --page        only writes the page

SYNEHRGY_PEERS names the folder that setup.sh fills, .venv-peers by default.

In a row every side runs once a round, ours first, and the best round of each counts. What was measured is kept in
build/peers.jsonl, one line a row, so that a row can be measured again by itself: the page takes the newest line of each row,
and only lines of the library as it is built now. Nothing else should run meanwhile: the peers wait by spinning.
"""
import argparse
import datetime
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import page
from rows import HELD, PEERS, rows

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
FOLDER = pathlib.Path(os.environ.get("SYNEHRGY_PEERS", ROOT / ".venv-peers")).resolve()
KEPT = ROOT / "build" / "peers.jsonl"


def say(text):
    print(text, file=sys.stderr, flush=True)


def objects(text):
    """The JSON objects among the lines of a text."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


class Lacking(Exception):
    """Our program refuses the flags of a row."""


def about_ours():
    out = subprocess.run([ROOT / "bin/synehrgy", "doctor", "--json"], check=True, capture_output=True, text=True).stdout
    return objects(out)[-1]


def execute(side, held, options):
    """Runs one side. Returns {"who", "label", "command", "objects", "peak_rss"}; raises Lacking where ours refuses a flag."""
    with tempfile.TemporaryDirectory() as tmp:
        places = dict(
            bin=ROOT / "bin/synehrgy", peers=FOLDER, here=HERE, root=ROOT, threads=options.threads, tmp=tmp,
            openblas=next(FOLDER.glob("lib/python*/site-packages/scipy_openblas32/lib/libscipy_openblas.so"), "openblas"),
        )
        command = [word.format(**places) for word in side.command]
        threads = {"OMP_NUM_THREADS": str(options.threads)}
        environment = {**os.environ, **threads, "HF_HUB_OFFLINE": "1", **HELD[held], **side.env}
        if options.quick:
            environment["OMP_WAIT_POLICY"] = "passive"  # kind to whatever else runs
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=out, stderr=err)
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            out.seek(0)
            err.seek(0)
            text, errors = out.read(), err.read()
    if process.returncode == 2 and side.who == "ours":  # usage: a flag, or a value of one, that is not there yet
        raise Lacking(errors.splitlines()[0])
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}\nended with {process.returncode}:\n{(errors or text)[-2000:]}")
    shown = " ".join(command)
    for path, name in (
        (ROOT / "bin/synehrgy", "synehrgy"), (HERE, "tests/peers"), (FOLDER, ".venv-peers"), (tmp, "TMP"),
        (os.environ.get("SYNEHRGY_DATA") or "?", "$SYNEHRGY_DATA"),
    ):
        shown = shown.replace(str(path), name)
    return dict(who=side.who, label=side.label, command=shown, objects=objects(text), peak_rss=usage.ru_maxrss * 1024)


def measure(row, held, options, about):
    """All rounds of a row, as one object."""
    record = dict(
        row=row.name, held=held, stamp=about["stamp"], threads=options.threads, quick=options.quick,
        began=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"), load=os.getloadavg()[0], runs=[],
    )
    for number in range(1 if row.once else options.rounds):
        for side in [row.ours, *row.others]:
            if held not in side.held:
                continue
            began = time.time()
            done = execute(side, held, options)
            say(f"  {side.who} {side.label}, round {number + 1}: {page.rate(done['objects'])} in {time.time() - began:.0f} s")
            record["runs"].append(done)
    return record


def chosen(options):
    for row in rows(options.quick):
        named = row.name in options.only
        if row.name in options.skip or not named and (options.only or row.asked):
            continue
        kept = [side for side in row.others if side.who in options.peers + ["ours"]]
        if row.others and not kept:
            continue
        row.others = kept
        if row.needs and not os.path.exists(row.needs):
            say(f"{row.name} is left out: {row.needs} is not there")
            continue
        for held in row.held:
            if held in options.held:
                yield row, held


def words(text):
    return text.split(",") if text else []


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--quick", action="store_true", help="small inputs, to see that everything runs; the figures mean nothing")
    p.add_argument("--held", type=words, default=list(HELD), help="instruction sets: native, avx2")
    p.add_argument("--only", type=words, default=[], help="rows: " + ", ".join(row.name for row in rows()))
    p.add_argument("--skip", type=words, default=[])
    p.add_argument("--peers", type=words, default=PEERS, help="those to compare with: " + ", ".join(PEERS))
    p.add_argument("--page", action="store_true", help="measure nothing")
    p.add_argument("--out", type=pathlib.Path, default=None, help="docs/performance.md; with --quick build/performance.md")
    options = p.parse_args()
    known = {row.name for row in rows()}
    unknown = (set(options.only) | set(options.skip)) - known | set(options.held) - set(HELD) | set(options.peers) - set(PEERS)
    if unknown:
        p.error("no row, instruction set or peer is named " + ", ".join(sorted(unknown)))
    if options.out is None:
        options.out = ROOT / ("build/performance.md" if options.quick else "docs/performance.md")
    return options


def main():
    options = arguments()
    about = about_ours()
    failed, work = [], [] if options.page else list(chosen(options))
    wanted = {side.who for row, _ in work for side in row.others} - {"ours"}
    subprocess.run(["sh", HERE / "setup.sh", *sorted(wanted)], check=True)
    for row, held in work:
        say(f"{row.name}, {held}:")
        try:
            record = measure(row, held, options, about)
        except Lacking as error:
            say(f"  left out: {error}")
            continue
        except (RuntimeError, OSError) as error:
            failed.append(f"{row.name} ({held}): {error}")
            say(f"  failed: {error}")
            continue
        with KEPT.open("a") as kept:
            kept.write(json.dumps(record) + "\n")
    kept = objects(KEPT.read_text()) if KEPT.exists() else []
    newest = {(k["row"], k["held"]): k for k in kept if k["stamp"] == about["stamp"] and k["quick"] == options.quick}
    options.out.write_text(page.write(rows(options.quick), newest, about, FOLDER))
    say(f"{options.out} is written")
    if failed:
        sys.exit("\n".join(failed))


if __name__ == "__main__":
    main()
