"""Media that training will need are read in threads, once each, and nothing else changes by it."""

import threading

import pytest
import torch

from avem_train.backbones import loading
from avem_train.backbones.base import UnreadableMedium
from avem_train.backbones.read_ahead import ReadAhead
from avem_train.data.responses import Source
from trained_families import BY_ADAPTER, of_media

READERS = [name for name in BY_ADAPTER if name != "avere"]  # AVERE's encoder has threads of its own


def loaded(folder):
    return loading.load(folder, torch.device("cpu"), torch.float32, 2**30)


@pytest.mark.parametrize("name", READERS)
def test_what_was_read_ahead_is_encoded_alike_and_read_once(name, tiny_base, clips, tmp_path):
    sources = of_media(name, (Source("video", clips[0]), Source("audio", clips[0]), Source("audio", clips[1])))
    plain, ahead = loaded(tiny_base(name)), loaded(tiny_base(name))
    read, where = ahead._ahead._read, []
    ahead._ahead._read = lambda source: where.append(threading.current_thread().name) or read(source)
    ahead.prefetch([*sources, *sources])
    asked = [(source,) for source in sources]
    wanted, found = plain.encode(asked), ahead.encode(asked)
    assert wanted.keys() == found.keys()
    assert all(torch.equal(wanted[key], found[key]) for key in wanted)
    from_files = len([source for source in sources if source.path])
    assert sum(thread.startswith("read") for thread in where) == from_files
    assert len(where) <= from_files + 2  # what stands for a missing medium is read where it is needed
    ahead.prefetch(sources)  # all of it is stored
    assert not ahead._ahead._under_way
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no film")
    (bad,) = of_media(name, (Source("video", str(broken)), Source("audio", str(broken))))[:1]
    ahead.prefetch([bad])
    for backbone in (ahead, plain):
        with pytest.raises(UnreadableMedium, match=r"broken\.mp4"):
            backbone.encode([(bad,)])
        backbone.close()


def test_a_value_is_held_until_it_is_taken_and_no_longer():
    reads = []
    ahead = ReadAhead(lambda key: reads.append(key) or key * 2, torch.device("cpu"))
    ahead.start([1, 2, 1])
    assert [ahead.take(1), ahead.take(2), ahead.take(3)] == [2, 4, 6]
    assert sorted(reads) == [1, 2, 3]
    assert ahead.take(1) == 2
    assert reads.count(1) == 2
    ahead.close()
