"""The leaderboard's page in a real browser: sorted, filtered, browsed; any console error fails."""

import csv

import pytest

import analysis_folders
import board_folders
from emorealm_results import cli
from emorealm_tasks.metrics import TASKS


@pytest.fixture(scope="module")
def board(tmp_path_factory, make_clip):
    folder = tmp_path_factory.mktemp("board")
    analyses = analysis_folders.page(folder / "analyses", "pretrained=models/good")
    options = ("--pictures", "12", "--copy-clips", "1", "--analyses", str(analyses))
    return board_folders.build(folder, make_clip, *options) / "leaderboard.html"


def column(page, place):
    return page.locator(f"#score-table tbody tr > :nth-child({place})").all_inner_texts()


def numbers(page, place):
    return [float(text.split()[0]) for text in column(page, place) if text.strip() not in ("", "–")]


def ranked(page, place):
    """The numbers of a column in the rows that have a rank; those without one come after them."""
    ranks = column(page, 1)
    count = sum(rank != "" for rank in ranks)
    assert set(ranks[count:]) <= {""}
    return [float(text.split()[0]) for text in column(page, place)[:count]]


def test_scores_sort_filter_and_open(board, open_page):
    page = open_page(board)
    assert ranked(page, 3) == sorted(ranked(page, 3), reverse=True)  # by the average at first, beside the name
    ranks = [text for text in column(page, 1) if text]
    assert ranks == sorted(ranks, key=int)
    page.locator("th button", has_text="Basic audio Acc.").click()
    assert ranked(page, 4) == sorted(ranked(page, 4), reverse=True)
    page.locator("th button", has_text="Basic audio Acc.").click()
    assert ranked(page, 4) == sorted(ranked(page, 4))
    page.select_option("#source", "measured")
    names = column(page, 2)
    assert len(names) == 3
    limited = next(place for place, name in enumerate(names) if "partial" in name)
    assert "--limit 8" in names[limited]
    assert column(page, 1)[limited] == ""
    page.select_option("#source", "all")
    page.select_option("#modality", "V")
    shown = {text.replace("\n", "").removesuffix("paper").strip() for text in column(page, 2)}
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
    assert page.locator("#tradeoff polygon.blind").count() == 3
    assert page.locator("#tradeoff polygon.published").count() > 30
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


def on_a_phone(page):
    page.set_viewport_size({"width": 390, "height": 800})
    page.reload()
    return page


def test_a_clip_plays_and_the_line_moves_with_it(board, open_page):
    page = open_page(board)
    page.click("#tab-samples")
    assert page.locator("#sample-list [aria-current]").count() == 1  # the first sample is open
    video = page.locator("#sample-detail video")
    assert video.get_attribute("src") == "leaderboard_clips/emorealm/part_1/0.mp4"
    assert video.get_attribute("poster").startswith("data:image/jpeg")
    assert page.locator(".now").evaluate("line => line.offsetLeft") <= 0
    ended = "v => new Promise(done => { v.muted = true; v.addEventListener('ended', done, {once: true}); v.play(); })"
    video.evaluate(ended)
    assert video.evaluate("video => video.currentTime") == pytest.approx(1, abs=0.2)
    assert video.evaluate("video => video.webkitAudioDecodedByteCount") > 0
    width = page.locator(".timeline").evaluate("box => box.clientWidth")
    assert page.locator(".now").evaluate("line => line.offsetLeft") > 0.9 * width
    page.locator(".timeline").click(position={"x": width / 2, "y": 10})
    assert video.evaluate("video => video.currentTime") == pytest.approx(0.5, abs=0.1)


def test_a_clip_that_is_not_there_says_how_to_get_it(board, open_page, tmp_path):
    page = open_page(board)
    page.click("#tab-samples")
    page.locator("#sample-list button").nth(2).click()
    assert "Write the page again with --copy-clips" in page.locator("#sample-detail .notice").inner_text()
    alone = tmp_path / "elsewhere.html"
    alone.write_bytes(board.read_bytes())
    context = page.context.browser.new_context()
    moved = context.new_page()  # not of open_page: the browser reports the missing file as an error
    moved.goto(f"{alone.as_uri()}#samples")
    moved.locator("#sample-detail .notice", has_text="cannot be played from leaderboard_clips/").wait_for()
    assert "--copy-clips 200" in moved.locator("#sample-detail .notice").inner_text()
    context.close()


def test_addresses_lead_to_tab_filter_and_sample_and_back(board, open_page):
    page = open_page(board)
    page.click("#tab-samples")
    page.select_option("#sample-show", "only_a")
    page.locator("#sample-list button").nth(1).click()
    chosen = page.locator("#sample-detail h2").inner_text()
    address = page.url
    assert "#samples?" in address
    again = open_page(board)
    again.goto(address)
    assert again.locator("#sample-show").input_value() == "only_a"
    assert again.locator("#sample-detail h2").inner_text() == chosen
    page.go_back()
    assert page.locator("#sample-detail h2").inner_text() != chosen
    assert page.locator("#sample-show").input_value() == "only_a"
    page.go_back()
    assert page.locator("#sample-show").input_value() == "all"
    page.go_back()
    assert page.locator("#view-scores").is_visible()
    for bad in ("#samples?sample=none&show=none&a=99", "#nothing?x=y"):
        page.goto(f"{board.as_uri()}{bad}")
        assert page.locator("main > section:visible").count() == 1
    page.click("#tab-scores")
    page.reload()
    assert page.url.endswith("#scores")
    assert page.locator("#score-table tbody tr").count() > 0


def test_opening_a_tab_does_not_scroll_the_page(board, open_page):
    page = open_page(board)
    for view in ("published", "runs", "scores"):
        page.click(f"#tab-{view}")
        page.wait_for_timeout(100)
        assert page.evaluate("scrollY") == 0


def test_a_model_is_found_columns_are_chosen_and_the_csv_is_what_is_shown(board, open_page, tmp_path):
    page = open_page(board)
    page.fill("#model-words", "qwen 2.5")
    assert {name.split("\n")[0].removesuffix("paper").strip() for name in column(page, 2)} == {
        "Qwen 2.5 Omni",
        "Qwen 2.5 VL",
    }
    assert column(page, page.locator("#score-table thead th").count()) == ["7B", "7B"]  # of the catalogue
    page.click("#score-columns summary")
    page.get_by_role("checkbox", name="Agree. F1").uncheck()
    assert "Agree. F1" not in page.locator("#score-table thead").inner_text()
    with page.expect_download() as saved:
        page.click("#score-csv")
    saved.value.save_as(tmp_path / "shown.csv")
    with (tmp_path / "shown.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["model"] for row in rows] == ["Qwen 2.5 Omni", "Qwen 2.5 VL"]
    assert rows[0]["Avg. Acc."] == "70"
    assert "Agree. F1" not in rows[0]
    assert "Stress audio F1 low" in rows[0]
    again = open_page(board)
    again.goto(page.url)
    assert again.locator("#score-table tbody tr").count() == 2
    assert "Agree. F1" not in again.locator("#score-table thead").inner_text()


def test_all_is_reached_with_the_keyboard(board, open_page):
    page = open_page(board)
    page.focus("#tab-scores")
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.id") == "tab-plots"
    assert page.locator("#view-plots").is_visible()
    page.keyboard.press("End")
    assert page.evaluate("document.activeElement.id") == "tab-runs"
    page.keyboard.press("ArrowRight")
    assert page.evaluate("document.activeElement.id") == "tab-scores"
    assert page.locator("[role=tab][tabindex='0']").count() == 1
    page.locator("#score-table button.score").first.focus()
    page.keyboard.press("Enter")
    assert page.locator("#cell-detail").is_visible()
    page.keyboard.press("Escape")
    assert page.locator("#cell-detail").is_hidden()
    assert page.evaluate("document.activeElement.className").startswith("score")
    page.click("#tab-plots")
    page.focus("#plot-reading")
    page.keyboard.press("Tab")
    said = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert said.endswith("%")
    assert page.locator("#point-detail").inner_text() == said


def test_the_list_of_samples_is_walked_with_the_arrows(board, open_page):
    page = open_page(board)
    for word in ("arrows", "Home", "End", "Escape"):
        assert word in page.locator("#keys").inner_text()
    page.click("#tab-samples")
    page.locator("#sample-list button").first.focus()
    for key, place in (("ArrowDown", 1), ("ArrowDown", 2), ("ArrowUp", 1), ("End", 59), ("ArrowDown", 59), ("Home", 0)):
        page.keyboard.press(key)
        button = page.locator("#sample-list button").nth(place)
        assert button.evaluate("button => document.activeElement === button")
        assert button.get_attribute("aria-current") == "true"
        assert page.locator("#sample-detail h2").inner_text() in button.inner_text()
    page.keyboard.press("End")
    address = page.url
    page.locator("#sample-detail").focus()
    page.keyboard.press("Escape")
    assert page.locator("#sample-list button").nth(59).evaluate("button => document.activeElement === button")
    assert page.url == address


def test_one_row_is_singular_and_an_empty_search_says_so(board, open_page):
    page = open_page(board)
    page.fill("#model-words", "weak")
    assert page.locator("#score-count").inner_text().startswith("1 row, ranked by")
    page.fill("#model-words", "no such model")
    assert page.locator("#score-count").inner_text().startswith("No row has all that is chosen above")
    assert page.locator("#score-table").is_hidden()
    page.fill("#model-words", "")
    assert page.locator("#score-table").is_visible()


def test_plots_have_a_legend_of_what_is_shown_and_a_table_of_the_points(board, open_page):
    page = open_page(board)
    page.click("#tab-plots")
    assert page.locator("#plot-marks svg").count() == 3
    page.click("#point-table summary")
    rows = [row.split("\t") for row in page.locator("#tradeoff-numbers tbody tr").all_inner_texts()]
    good = {row[2]: row for row in rows if row[1] == "good"}
    assert set(good) == {"run", "run asked blind (text alone)"}
    assert {row[0] for row in good.values()} == {"1"}
    said = page.locator("#tradeoff circle.measured").first.get_attribute("aria-label")
    assert said.endswith(f"yes {good['run'][3]}%, no {good['run'][4]}%")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        page.evaluate("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        assert min(page.locator("#recall tbody td").evaluate_all(CONTRASTS)) >= 4.5


CONTRASTS = """cells => {
  const draw = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const light = (...colors) => {
    for (const color of colors) { draw.fillStyle = color; draw.fillRect(0, 0, 1, 1); }
    const parts = [...draw.getImageData(0, 0, 1, 1).data].slice(0, 3).map(part => part / 255);
    return parts.map(c => c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
      .reduce((sum, c, at) => sum + c * [0.2126, 0.7152, 0.0722][at], 0);
  };
  return cells.filter(cell => cell.style.color).map(cell => {
    const style = getComputedStyle(cell);
    const both = [light(getComputedStyle(document.body).backgroundColor, style.backgroundColor), light(style.color)];
    return (Math.max(...both) + 0.05) / (Math.min(...both) + 0.05);
  });
}"""


def test_a_phone_says_that_a_table_scrolls_sideways_and_breaks_sentences(board, open_page):
    page = on_a_phone(open_page(board))
    hint = page.locator("#view-scores .sideways")
    hint.wait_for()
    assert hint.inner_text().startswith("Scroll the table sideways")
    page.click("#tab-published")
    for sentence in page.locator("#view-published p:visible").all():
        box = sentence.bounding_box()
        assert box["x"] + box["width"] <= 390
    page.set_viewport_size({"width": 1900, "height": 900})
    page.click("#tab-scores")
    hint.wait_for(state="hidden")


def test_a_phone_shows_the_ranking_column_and_a_tap_the_sample(board, open_page):
    page = on_a_phone(open_page(board, has_touch=True))
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    name = page.locator("#score-table tbody tr > :nth-child(2)").first.bounding_box()
    score = page.locator("#score-table tbody tr > :nth-child(3)").first.bounding_box()
    assert name["width"] <= 130
    assert score["x"] + score["width"] <= 390
    assert page.locator("#score-table thead th:nth-child(3)").get_attribute("aria-sort") == "descending"
    page.click("#score-filters summary")
    for box in page.locator("#score-controls select").all():
        place = box.bounding_box()
        assert place["x"] >= 0
        assert place["x"] + place["width"] <= 390
    page.tap("#tab-samples")
    page.locator("#sample-list button").nth(1).tap()
    question = page.locator("#sample-detail h2").bounding_box()
    assert -1 <= question["y"] <= 400
    page.tap("#sample-back")
    assert -1 <= page.locator("#sample-list").bounding_box()["y"] <= 400


def test_labels_of_a_plot_cover_neither_each_other_nor_a_point(board, open_page):
    page = open_page(board)
    page.click("#tab-plots")
    for panel in page.locator("#tradeoff svg").all():
        boxes = [text.bounding_box() for text in panel.locator("text.label").all()]
        marks = [mark.bounding_box() for mark in panel.locator("[tabindex]").all()]
        assert boxes
        for place, box in enumerate(boxes):
            for other in boxes[:place] + marks:
                across = min(box["x"] + box["width"], other["x"] + other["width"]) - max(box["x"], other["x"])
                down = min(box["y"] + box["height"], other["y"] + other["height"]) - max(box["y"], other["y"])
                assert min(across, down) <= 4  # pixels: a label has a white edge, a mark a line


def test_every_view_opens_in_dark_and_on_a_phone(board, open_page):
    for more in ({"color_scheme": "dark"}, {"viewport": {"width": 390, "height": 800}}):
        page = open_page(board, **({} if "viewport" in more else more))
        if "viewport" in more:
            page.set_viewport_size(more["viewport"])
        for view in ("scores", "plots", "published", "analyses", "samples", "runs"):
            page.click(f"#tab-{view}")
            assert page.locator(f"#view-{view}").is_visible()
            assert page.locator("main > section:visible").count() == 1


def test_analyses_have_a_tab_and_a_swap_its_four_cells(board, open_page):
    page = open_page(board)
    page.click("#tab-analyses")
    assert page.locator("#view-analyses h2").all_inner_texts() == ["What the numbers say", "swap"]
    assert page.locator("#view-analyses .plot img").evaluate("image => image.naturalWidth") > 300
    page.locator("#view-analyses summary").click()
    assert "0.250" in page.locator("#view-analyses table").inner_text()
    page.click("#tab-scores")
    page.select_option("#layout", "analyses")
    assert [text.split() for text in column(page, 2)] == [["goodrun"]]  # the name, and where it is from
    assert numbers(page, 3) == [0.25]
    page.click("#tab-samples")
    page.locator("#sample-list button", has_text="reasoning_basic_audio: question 1?").click()
    cells = page.locator(".swap > div")
    captions = ["own picture, own sound", "own picture, partner's sound", "partner's picture, own sound"]
    assert page.locator(".swap .cell").all_inner_texts() == [*captions, "partner's picture, partner's sound"]
    assert "log-odds of the right answer +0.90" in cells.nth(0).inner_text()
    assert "log-odds of the right answer -2.10" in cells.nth(1).inner_text()
    assert cells.nth(0).locator(".chance.gold").inner_text() == "B 71.1% ✓"  # e^2 / (e^2 + 3)
    crossed = cells.nth(1)
    assert crossed.locator("video").get_attribute("src") == cells.nth(0).locator("video").get_attribute("src")
    assert crossed.locator("video").evaluate("video => video.muted")
    assert crossed.locator("audio").get_attribute("src") == cells.nth(3).locator("video").get_attribute("src")
    crossed.locator("video").evaluate("video => video.play()")
    page.wait_for_function("() => !document.querySelector('.swap audio').paused")
    crossed.locator("video").evaluate("video => video.pause()")
    page.wait_for_function("() => document.querySelector('.swap audio').paused")
    page.set_viewport_size({"width": 390, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.click("#tab-analyses")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
