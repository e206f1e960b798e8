"""How many re-encoded clips the fingerprints of `emorealm curate leaks` find, and how often they alarm falsely.

    emorealm-mini build --out mini --clips 80 && python tests/benchmarks/leaks.py mini

Every clip is encoded anew in several ways and compared with all clips. A copy counts as found where its own source is;
every pair of a copy and another clip that is reported is a false alarm. Embedded clips are harder than real ones: the
same few figures and sounds come again and again. Writes leaks.md to results/performance/.
"""

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "helpers"))

from avem_train.curation.leakage import collections, search
from emorealm_results.console.markdown import table
from reencoding import reencoded

ROOT = Path(__file__).resolve().parents[2]
WAYS = {
    "60% of the size, crf 34, sound at 22.05 kHz, 32 kbit/s, 0.7 times as loud": {},
    "half the size, crf 36, sound at 8 kHz, 16 kbit/s": {"scale": 0.5, "crf": 36, "rate": 8000, "bits": 16000},
    "1.4 times the size, 15 frames a second, sound at 44.1 kHz": {
        "fps": 15, "rate": 44100, "bits": 64000, "gain": 1.0, "scale": 1.4,
    },
    "without its first 0.8 s": {"skip": 0.8},
}  # fmt: skip


def main() -> None:
    """Measure and write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("mini", type=Path)
    videos = parser.parse_args().mini / "videos"
    sources = sorted(videos.rglob("*.mp4"))
    limits = search.Limits()
    rows = [["encoded anew", "found by picture", "by sound", "by either", "false by picture", "false by sound"]]
    with tempfile.TemporaryDirectory() as place:
        mine = collections.read(videos)
        for number, (way, how) in enumerate(WAYS.items()):
            folder = Path(place) / str(number)
            for source in sources:
                reencoded(source, folder / source.relative_to(videos), **how)
            found = search.search(mine, collections.read(folder), Path(place) / "prints")["found"]
            pairs = [{(one["mine"], one["theirs"]) for one in found[kind]} for kind in ("picture", "sound")]
            right = [{pair for pair in some if pair[0] == pair[1]} for some in pairs]
            counts = [*map(len, right), len(right[0] | right[1])]
            shares = [f"{count} of {len(sources)}" for count in counts]
            others = len(sources) * (len(sources) - 1)
            rows.append([way, *shares, *(f"{len(a - b)} of {others:,}" for a, b in zip(pairs, right, strict=True))])
    text = (
        "# Leaks found and false alarms\n\n`tests/benchmarks/leaks.py` on embedded clips: each encoded anew and "
        f"compared with all. Limits: {limits.picture} of the picture's bits, {limits.sound} of the sound's over "
        f"{limits.seconds} s.\n\n{table(rows)}\n"
    )
    (ROOT / "results" / "performance" / "leaks.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
