"""The leaderboard's page in a real browser: sorted, filtered, browsed; any console error fails."""

import pytest

import board_folders
from emorealm_results import cli
from emorealm_tasks.metrics import TASKS


@pytest.fixture(scope="module")
def board(tmp_path_factory, make_clip):
    folder = tmp_path_factory.mktemp("board")
    runs, variables = board_folders.write(folder, make_clip)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        named = [f"{name}={path}" for name, path in runs.items()]
        assert cli.main(["leaderboard", *named, "--out", str(folder), "--clips", "12"]) == 0
    return folder / "leaderboard.html"


def column(page, place):
    return page.locator(f"#scores tbody tr td:nth-child({place})").all_inner_texts()


def numbers(page, place):
    return [float(text.split()[0]) for text in column(page, place) if text.strip() not in ("", "–")]


def test_scores_sort_filter_and_open(board, open_page):
    page = open_page(board)
    assert numbers(page, 18) == sorted(numbers(page, 18), reverse=True)  # by the average at first
    ranks = [text for text in column(page, 1) if text]
    assert ranks == sorted(ranks, key=int)
    page.locator("th button", has_text="Basic audio Acc.").click()
    assert numbers(page, 4) == sorted(numbers(page, 4), reverse=True)
    page.locator("th button", has_text="Basic audio Acc.").click()
    assert numbers(page, 4) == sorted(numbers(page, 4))
    page.select_option("#source", "measured")
    names = column(page, 2)
    assert len(names) == 3
    limited = next(place for place, name in enumerate(names) if "partial" in name)
    assert "--limit 8" in names[limited]
    assert column(page, 1)[limited] == ""
    page.select_option("#source", "all")
    page.select_option("#modality", "V")
    shown = {text.removesuffix("paper").strip() for text in column(page, 2)}
    assert shown == {"VideoLLaMA 3", "Qwen 2.5 VL", "InternVL 3.5"}
    page.select_option("#modality", "all")
    page.select_option("#layout", "table2")
    assert len(column(page, 2)) == 24
    page.select_option("#layout", "table13")
    page.get_by_role("button", name="good, Basic audio Acc.", exact=False).click()
    detail = page.locator("#cell-detail").inner_text()
    assert "questions" in detail
    assert "blind" not in detail
    assert "41.7" in detail  # what the run reaches blind


def test_plots_draw_runs_papers_and_the_blind_floor(board, open_page):
    page = open_page(board)
    page.click("#tab-plots")
    assert page.locator("#tradeoff svg").count() == 3
    assert page.locator("#tradeoff circle.measured").count() == 9
    assert page.locator("#tradeoff circle.blind").count() == 3
    assert page.locator("#tradeoff circle.published").count() > 30
    assert page.locator("#recall tbody tr").count() == 17


def test_samples_filter_open_and_keep_markup_as_text(board, open_page, capsys):
    assert cli.main(["compare", str(board.parent / "good"), str(board.parent / "weak")]) == 0
    said = capsys.readouterr().out.split("\n\n")
    table = next(block for block in said if block.startswith("| task")).splitlines()[2:]
    printed = [[cell.strip() for cell in line.strip("|").split("|")] for line in table]
    printed = [row for row in printed if "_blind_" not in row[0]]
    page = open_page(board)
    page.click("#tab-samples")
    assert page.locator("#sample-count").inner_text() == "60 of 60 questions"
    headline = page.locator("#paired-headline")
    assert headline.inner_text().startswith("good (first), weak (second), strict reading: task emorealm full, score ")
    headline.click()
    assert [row.split("\t") for row in page.locator("#paired tbody tr").all_inner_texts()] == printed
    assert "Changed answers: 0 gained, 20 lost, 0 other answer." in page.locator("#paired-legend").inner_text()
    page.select_option("#sample-show", "only_a")
    assert page.locator("#sample-count").inner_text() == f"{4 * len(TASKS)} of 60 questions"
    page.select_option("#sample-task", TASKS[3])
    page.select_option("#sample-subtask", "spurious")
    assert page.locator("#sample-list li").count() == 1
    assert "score - spurious cue, first " in headline.inner_text()
    shown = page.locator("#paired tbody tr td:nth-child(3)").all_inner_texts()
    assert shown == ["accuracy", "- spurious cue"]  # of the task and kind that are chosen
    page.select_option("#sample-subtask", "all")
    page.select_option("#sample-task", "all")
    page.select_option("#sample-show", "all")
    page.locator("#sample-list button").first.click()
    assert page.locator("#sample-detail img").count() == 2
    assert all(
        page.locator("#sample-detail img").nth(place).evaluate("image => image.naturalWidth > 100") for place in (0, 1)
    )
    page.fill("#sample-words", "pwned")
    assert page.locator("#sample-count").inner_text() == f"{len(TASKS)} of 60 questions"
    page.locator("#sample-list button").first.click()
    assert board_folders.HOSTILE in page.locator("#sample-detail pre").first.inner_text()
    assert page.evaluate("window.pwned") is None
    assert page.locator("#sample-detail script, #sample-detail pre img").count() == 0


def test_every_view_opens_in_dark_and_on_a_phone(board, open_page):
    for more in ({"color_scheme": "dark"}, {"viewport": {"width": 390, "height": 800}}):
        page = open_page(board, **({} if "viewport" in more else more))
        if "viewport" in more:
            page.set_viewport_size(more["viewport"])
        for view in ("scores", "plots", "published", "samples", "runs"):
            page.click(f"#tab-{view}")
            assert page.locator(f"#view-{view}").is_visible()
            assert page.locator("main > section:visible").count() == 1
