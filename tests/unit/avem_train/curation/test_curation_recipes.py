"""Every shipped recipe is read, and its whole run gone through as an estimate over a dataset in its layout."""

import pytest

from avem_train.curation import estimate, recipe

LABELS = {
    "own_clips": ("clips.csv", "id,video,emotion\na,a.mp4,anger\nb,b.mp4,fear\n"),
    "own_benchmark": ("clips.csv", "id,video,emotion\na,a.mp4,anger\nb,b.mp4,fear\n"),
    "mafw": ("single/no_caption/set_1/train.txt", "00001.mp4 1\n00002.mp4 3\n"),
    "mer2025": ("track1_train_disdim.csv", "name,discrete\na,happy\nb,sad\n"),
    "dfew": ("EmoLabel_DataSplit/test(single-labeled)/set_1.csv", "video_name,label\n1,4\n2,7\n"),
}
"""Recipe -> a label file in its dataset's layout."""


@pytest.mark.parametrize("name", [name for name in recipe.shipped() if name in LABELS])
def test_a_recipe_is_gone_through(name, tmp_path):
    file, text = LABELS[name]
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(text)
    if name == "dfew":
        (tmp_path / file.replace("test(", "train(")).parent.mkdir()
        (tmp_path / file.replace("test(", "train(")).write_text(text.replace("1,", "3,").replace("2,", "4,"))
    path = tmp_path / file if file == "clips.csv" else tmp_path
    chosen = recipe.load(name, [f"manifest.path={path}", f"out={tmp_path / 'out'}"])
    found = estimate.estimate(chosen)
    assert [one.stage for one in found] == list(chosen.stages)
    assert found[0].rows == 2
    assert sum(one.dollars for one in found) > 0


def test_every_recipe_but_the_embedded_one_is_gone_through():
    assert set(recipe.shipped()) - {"mini"} == set(LABELS)


@pytest.mark.parametrize("name", recipe.shipped())
def test_its_content_makes_it_again(name):
    chosen = recipe.load(name, [])
    assert recipe.from_content(recipe.content(chosen)) == chosen
