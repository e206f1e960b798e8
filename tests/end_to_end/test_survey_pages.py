"""The survey's page in a real browser: clips played, answered by keys and on a phone, kept over a reload, tallied."""

import csv
import json
import time

import pytest

import board_folders
from emorealm_results import cli

QUESTIONS = ("best_emotion", "best_association", "most_inconsistent")


@pytest.fixture(scope="module")
def study(tmp_path_factory, make_clip):
    """Two clips, the second one's sound in a wav beside it, with hostile text in a caption and a subtitle."""
    folder = tmp_path_factory.mktemp("study")
    make_clip(folder / "one.mp4", seconds=0.8)
    make_clip(folder / "two.mp4", seconds=0.8, sound=False)
    make_wav(folder / "two.wav", 0.8)
    captions = {"x": "calm", "y": board_folders.HOSTILE, "z": "sad"}
    rows = [{"id": name, "clip": f"{name}.mp4", "captions": captions} for name in ("one", "two")]
    (folder / "captions.json").write_text(json.dumps(rows))
    (folder / "spoken.json").write_text(json.dumps({"one": board_folders.HOSTILE, "two.mp4": "world sin."}))
    named = ["--captions", str(folder / "captions.json"), "--subtitles", str(folder / "spoken.json")]
    assert (
        cli.main(["survey", "export", *named, "--out", str(folder / "out"), "--finish", "Mail it to ann@x.org."]) == 0
    )
    return folder / "out"


def make_wav(path, seconds):
    import numpy as np
    import soundfile

    soundfile.write(path, 0.3 * np.sin(np.arange(int(16000 * seconds)) / 5), 16000)


def started(page, who="ann"):
    page.fill("#participant", who)
    page.keyboard.press("Enter")
    return page


def until(page, expression):
    """Wait for a JavaScript expression; the page's policy forbids the browser's own way of waiting for one."""
    end = time.monotonic() + 20
    while not page.evaluate(expression):
        assert time.monotonic() < end, expression
        page.wait_for_timeout(20)


def place_of(study, of):
    """The numbers of the page's items whose clip is `of`."""
    items = json.loads((study / "key.json").read_text())["versions"]["1"]
    return [int(number) - 1 for number, item in items.items() if item["id"] == of]


def test_a_study_is_answered_by_keys_alone_and_tallied(study, open_page, tmp_path, capsys):
    key = json.loads((study / "key.json").read_text())
    page = started(open_page(study / "survey_1.html"), "ann, the 1st")
    assert board_folders.HOSTILE in page.locator("dd").all_inner_texts()
    assert page.evaluate("window.pwned") is None
    for number, item in key["versions"]["1"].items():
        assert page.locator("#item-title").inner_text() == f"Clip {number} of 3"
        letter = item["answer"] or next(one for one, model in item["shown"].items() if model == "y")
        pressed = letter.lower() if number == "1" else str("ABC".index(letter) + 1)
        for _ in QUESTIONS:
            page.keyboard.press(pressed)
        page.keyboard.press("Enter")
    assert page.locator("#finish-title").inner_text() == "Finished, thank you"
    assert page.locator("#finish-text").inner_text().endswith("Mail it to ann@x.org.")
    with page.expect_download() as saved:
        page.click("#save")
    assert saved.value.suggested_filename in page.locator("#finish-text").inner_text()
    answers = tmp_path / "answers.csv"
    saved.value.save_as(answers)
    with answers.open(newline="") as file:
        assert {(row["participant"], row["study"]) for row in csv.DictReader(file)} == {("ann, the 1st", key["study"])}
    capsys.readouterr()
    assert cli.main(["survey", "tally", str(answers), "--key", str(study / "key.json")]) == 0
    printed = capsys.readouterr().out
    assert "1 participant, 2 clips, 6 answers" in printed
    assert "| y     | 100.0% [2.5, 100.0]" in printed  # of one participant


def test_enter_stops_at_an_open_question_and_arrows_go_on(study, open_page):
    page = started(open_page(study / "survey_1.html"))
    page.keyboard.press("b")
    page.keyboard.press("Enter")
    assert page.locator("#item-title").inner_text() == "Clip 1 of 3"
    focused = page.evaluate("[document.activeElement.dataset.at, document.activeElement.matches(':focus-visible')]")
    assert focused == ["1/best_association", True]
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert page.locator("#finish-title").inner_text() == "8 questions are open"
    page.click("#open")
    assert page.locator("#item-title").inner_text() == "Clip 1 of 3"
    assert page.locator("fieldset.active").get_attribute("data-at") == "1/best_association"


def test_answers_outlive_a_reload_until_started_again(study, open_page):
    page = started(open_page(study / "survey_1.html"))
    page.check("input[name='1/best_emotion'][value='B']")
    page.click("#next")
    page.check("input[name='2/best_emotion'][value='C']")
    page.reload()
    assert page.locator("#item-title").inner_text() == "Clip 2 of 3"
    assert page.is_checked("input[name='2/best_emotion'][value='C']")
    page.click("#back")
    assert page.is_checked("input[name='1/best_emotion'][value='B']")
    with page.expect_download() as saved:  # at any time
        page.click("#save")
    assert saved.value.path().read_text().count("\n") == 3
    page.goto((study / "survey_1.html").as_uri() + "?participant=bob")  # another participant has no part in them
    page.click("#begin button")
    assert page.locator("#progress").inner_text() == "0 of 9 questions answered"
    page.goto((study / "survey_1.html").as_uri() + "?participant=ann")
    assert page.locator("#progress").inner_text() == "2 of 9 questions answered"
    page.once("dialog", lambda dialog: dialog.accept())
    page.click("#again")
    page.wait_for_selector("#begin:visible")
    page.click("#begin button")
    assert page.locator("#progress").inner_text() == "0 of 9 questions answered"


@pytest.mark.parametrize("clip", ["one", "two"])
def test_clips_are_large_and_play_with_their_sound(study, open_page, clip):
    page = started(open_page(study / "survey_1.html"))
    for _ in range(place_of(study, clip)[0]):
        page.click("#next")
    until(page, "picture.readyState >= 2")
    boxes = {name: page.locator(f"#{name}").bounding_box() for name in ("picture", "controls")}
    assert boxes["picture"]["width"] == boxes["picture"]["height"] == 480
    assert boxes["controls"]["y"] >= boxes["picture"]["y"] + boxes["picture"]["height"]
    assert page.evaluate("getComputedStyle(picture).imageRendering") == "pixelated"
    page.keyboard.press("Space")
    heard = "sound" if clip == "two" else "picture"
    until(page, f"picture.currentTime > 0.2 && {heard}.webkitAudioDecodedByteCount > 0")
    assert page.evaluate(f"!{heard}.muted && {heard}.volume === 1")
    until(page, "picture.ended && !document.getElementById('time').textContent.startsWith('0.0')")
    page.locator("#seek").fill("0.4")
    until(page, f"Math.abs({heard}.currentTime - 0.4) < 0.05")
    assert page.locator("#play").inner_text() == "Play"


def test_subtitles_show_and_fold(study, open_page):
    page = started(open_page(study / "survey_1.html"))
    for _ in range(place_of(study, "two")[0]):
        page.click("#next")
    assert page.locator("#subtitle p").inner_text() == "world sin."
    page.click("#subtitle summary")
    assert not page.locator("#subtitle p").is_visible()


def test_a_phone_needs_no_sideways_scrolling(study, open_page):
    page = open_page(study / "survey_1.html")
    page.set_viewport_size({"width": 390, "height": 844})
    started(page)
    until(page, "picture.readyState >= 2")
    for _ in range(4):
        assert page.evaluate("document.documentElement.scrollWidth") == 390
        if page.locator("#item").is_visible():
            assert page.locator("#picture").bounding_box()["width"] >= 320
            page.click("#next")
    save, back = (page.locator(name).bounding_box() for name in ("#save", "#review"))
    assert save["y"] < back["y"], "the button stands below the text that speaks of it"


def test_everything_that_can_be_pressed_has_a_name(study, open_page):
    page = started(open_page(study / "survey_1.html"))
    for role, name in (("slider", "Position in the clip"), ("progressbar", "Answered questions"), ("button", "Mute")):
        assert page.get_by_role(role).count() >= 1
        assert page.get_by_role(role, name=name).count() == 1
    assert [page.get_by_role("radio", name=letter, exact=True).count() for letter in "ABC"] == [3, 3, 3]
    assert page.get_by_role("group", name="Which caption fits the clip worst").count() == 1
    assert page.get_by_role("region", name="Clip 1 of 3").count() == 1


def test_a_browser_that_keeps_nothing_says_so(study, open_page):
    page = open_page(study / "survey_1.html")
    page.add_init_script("Object.defineProperty(window, 'localStorage', { get() { throw new Error('denied') } })")
    page.reload()
    started(page)
    assert "save them before you close" in page.locator("#trouble").inner_text()
    page.keyboard.press("a")
    assert page.locator("#progress").inner_text() == "1 of 9 questions answered"


def test_a_verification_is_answered_in_the_page_and_tallied(tmp_path, make_clip, open_page, capsys):
    """Three participants; the question's options stand in it, and what is wrong can be said."""
    make_clip(tmp_path / "videos" / "clip.mp4", seconds=0.5)
    rows = [
        {"id": name, "task": "reasoning_basic_video", "video": "clip.mp4", "question": f"About {name}?", "answer": "B",
         "choices": ["(A) a smile", f"(B) {board_folders.HOSTILE}", "(C) a hat"]}
        for name in ("able", "asked")
    ]  # fmt: skip
    for row in rows:
        (tmp_path / f"{row['id']}.json").write_text(json.dumps([row]))
    named = ["--questions", str(tmp_path / "asked.json"), "--pretest", str(tmp_path / "able.json")]
    assert cli.main(["survey", "export", *named, "--out", str(tmp_path / "out")]) == 0
    files = []
    for who in ("p1", "p2", "p3"):
        page = started(open_page(tmp_path / "out" / "survey_1.html"), who)
        assert page.get_by_role("group", name="About able?").count() == 1
        assert page.get_by_role("radio", name=f"B. {board_folders.HOSTILE}").count() == 1
        for keys in ("b11", "a13" if who == "p3" else "b11"):
            for pressed in keys:
                page.keyboard.press(pressed)
            if keys == "a13":
                page.locator("fieldset input:not([type])").fill("it is inaudible")
            page.keyboard.press("Enter")
        assert page.locator("#finish").is_visible()
        with page.expect_download() as saved:
            page.click("#save")
        files.append(tmp_path / f"{who}.csv")
        saved.value.save_as(files[-1])
    report = tmp_path / "report.json"
    more = ["--key", str(tmp_path / "out" / "key.json"), "--pretest-right", "1", "--json", str(report)]
    assert cli.main(["survey", "tally", *map(str, files), *more]) == 0
    (found,) = json.loads(report.read_text())["questions"]
    assert {name: found[name] for name in ("id", "annotators", "right", "flagged", "verdict")} == {
        "id": "asked", "annotators": 3, "right": 2, "flagged": 1, "verdict": "keep"}  # fmt: skip
    assert (found["problems"], found["comments"]) == ({"subtitle": 1}, ["it is inaudible"])
