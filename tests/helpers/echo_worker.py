"""A worker without a model, for tests of the adapter: it says what it was asked, or fails in the way the prompt names.

It writes the protocol by hand, so that faults can be put on the wire that protocol.py would never write.
"""

import json
import os
import pathlib
import subprocess
import sys
import time

START = dict(item.split("=", 1) for item in sys.argv[1:] if "=" in item)


def write(message):
    sys.stdout.write(message if isinstance(message, str) else json.dumps(message) + "\n")
    sys.stdout.flush()


def first_time(name):
    """Whether this fault has not been seen yet; START["marks"] is a folder that outlives the process."""
    mark = pathlib.Path(START["marks"]) / name
    if mark.exists():
        return False
    mark.touch()
    return True


def act(fault, reply):
    """The faults that are more than a wrong answer."""
    if fault == "silence":
        time.sleep(60)
    elif fault == "half":
        write('{"id": 1, "te')
        os._exit(3)
    elif fault == "exit":
        sys.stderr.write("the GPU fell off the bus\n")
        sys.stderr.flush()
        os._exit(7)
    elif fault == "late_exit":  # answers, and is gone when asked again
        write(reply | {"text": "a last answer"})
        os._exit(0)
    elif fault in ("orphan", "escaped"):  # a child of it holds its stdout when it is gone
        command = [sys.executable, "-c", "import time; time.sleep(60)"]
        child = subprocess.Popen(command, start_new_session=fault == "escaped")
        (pathlib.Path(START["marks"]) / "child").write_text(str(child.pid))
        os._exit(5)


def answer(request):
    fault, _, rest = request["prompt"].partition(" ")
    once = rest.startswith("once")
    reply = {"id": request["id"], "text": None, "error": None}
    if once and not first_time(fault):
        return reply | {"text": f"recovered from {fault}"}
    act(fault, reply)
    lines = {
        "garbage": "Loading checkpoint shards: 100%\n",
        "deep": '{"id": ' + "[" * 100_000 + "]" * 100_000 + "}\n",
    }
    if fault in lines:
        return lines[fault]
    parts = {
        "wrong_id": {"id": request["id"] + 1, "text": "of another"},
        "neither": {},
        "error": {"error": "ValueError: no face in it"},
        "big": {"text": "x" * (1 << 20)},
        "half_an_emoji": {"text": "a smile \ud83d"},
        "odd_media": {"text": "seen", "media": fault == "odd_media" and rest and json.loads(rest)},
        "environment": {"text": json.dumps(dict(os.environ))},
    }
    return reply | parts.get(fault, {"text": json.dumps(request)})


def main():
    time.sleep(float(START.get("slow", 0)))
    if "boot" in START:
        boot = {"garbage": "CUDA initialised\n", "refusal": {"protocol": 1, "error": "no weights"}}
        boot |= {"old": {"protocol": 0, "modalities": ["text"]}, "deaf": {"protocol": 1, "modalities": []}}
        write(boot[START["boot"]])
    else:
        modalities = START.get("takes", "video+audio video audio text").split()
        write({"protocol": 1, "model": "echo", "versions": {}, "modalities": modalities, "error": None})
    for line in sys.stdin:
        write(answer(json.loads(line)))
    if "marks" in START:
        (pathlib.Path(START["marks"]) / "ended").touch()


if __name__ == "__main__":
    main()
