"""The short table after an evaluation: groups, groups of groups, single tasks, tasks of others."""

from emorealm_results.console import quiet

TASK = {"emorealm_score,none": 90.0, "accuracy_low_official,none": 80.0, "accuracy_high_official,none": 95.0}
GROUP = {"emorealm_score,none": 91.0, "accuracy_strict,none": 91.0, "unparsed_rate,none": 0.0}


def cells(results):
    return [line.split() for line in quiet.table(results).splitlines() if line.strip() and "─" not in line]


def test_a_group_of_groups_shows_its_members_and_none_of_their_tasks():
    results = {
        "suite": {" ": " ", "alias": "suite"},
        "dfew": {"emotion_score,none": 60.0, "war_low_strict,none": 55.0, "war_high_strict,none": 66.0},
        "emorealm": GROUP,
        "emorealm_blind": GROUP,
        "emorealm_agree": TASK,
        "emorealm_blind_agree": TASK,
    }
    groups = {"suite": ["dfew", "emorealm"], "emorealm": ["emorealm_agree"], "emorealm_blind": ["emorealm_blind_agree"]}
    head, *rows = cells({"results": results, "group_subtasks": groups})
    assert head == ["task", "score", "95%", "strict", "unparsed"]
    assert rows == [
        ["dfew", "60.0", "[55.0,", "66.0]"],
        ["emorealm", "91.0", "91.0", "0.0"],
        ["emorealm_blind", "91.0", "91.0", "0.0"],
    ]


def test_a_single_group_shows_its_tasks_with_their_intervals():
    results = {"emorealm": GROUP, "emorealm_agree": TASK}
    _, _, task = cells({"results": results, "group_subtasks": {"emorealm": ["emorealm_agree"]}})
    assert task == ["emorealm_agree", "90.0", "[80.0,", "95.0]"]


def test_others_tasks_have_lmms_evals_own_table():
    assert quiet.table({"results": {"mme": {"mme_score,none": 1.0}}, "group_subtasks": {"mme": []}}) == ""
