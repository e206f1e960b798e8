"""What reading takes of memory goes with what is kept of a file, measured in processes of their own."""

import subprocess
import sys
import wave

import pytest

READ = """
import resource, sys
from emorealm_tasks import media

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024

media.read_audio(sys.argv[1])
before = peak()
samples = media.read_audio(sys.argv[2])
print(samples.nbytes, peak() - before)
"""


def write(path, seconds, rate=48000, channels=2):
    """Silence, as a wav of 16 bits a sample."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        for _ in range(seconds // 60):
            file.writeframes(bytes(60 * rate * 2 * channels))
        file.writeframes(bytes(seconds % 60 * rate * 2 * channels))
    return path


@pytest.mark.slow
def test_forty_minutes_of_sound_take_memory_in_proportion_to_what_is_kept(tmp_path):
    short, long = write(tmp_path / "short.wav", 1), write(tmp_path / "long.wav", 40 * 60)
    command = [sys.executable, "-c", READ, str(short), str(long)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    kept, taken = map(int, done.stdout.split())
    assert kept == 40 * 60 * 16000 * 4
    assert taken < 3 * kept
