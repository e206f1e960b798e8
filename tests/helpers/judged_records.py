"""Records of descriptions that judges gave verdicts on."""

from emorealm_tasks.metrics import description
from emorealm_tasks.metrics.description import CRITERIA, Verdict


def record(number, **judges):
    given = {
        name: description.as_json([Verdict(dict.fromkeys(CRITERIA, score), dict.fromkeys(CRITERIA, ""))])
        for name, score in judges.items()
    }
    return {"id": f"s{number}", "clip": f"s{number}", "task": "emer", "reference": "r", "raw": "d", "error": "",
            "gold": "", "truth": None, "judge": "big", "verdicts": given}  # fmt: skip
