"""`emorealm push`: runs as a dataset on the Hugging Face hub, or the folder of a training as a model, with a card.

Clips are never uploaded; a benchmark's questions only of the embedded world, whose licence allows it.
"""

import contextlib
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from emorealm_tasks import files
from emorealm_tasks.command_line import Parser
from emorealm_tasks.errors import stop


def main(argv: Sequence[str]) -> int:
    """The verb; returns 0."""
    parser = Parser(prog="emorealm push", description=__doc__)
    what = "runs (each the --output_path of one with --log_samples, or a folder of such), or one folder of avem-train"
    parser.add_argument("places", type=Path, nargs="+", metavar="PLACE", help=what)
    parser.add_argument("--to", required=True, metavar="ORG/NAME", help="the repository on the hub")
    parser.add_argument("--public", action="store_true", help="for everybody to see (default: private)")
    parser.add_argument("--base", default="", metavar="ORG/NAME", help="of a model: where its base weights are found")
    parser.add_argument("--dry-run", type=Path, metavar="DIR", help="write the folder there, and upload nothing")
    arguments = parser.parse_args(argv)
    from avem_train.dpo import hub_folder
    from emorealm_results.share import dataset
    from model_adapters.base import uploads

    places = arguments.places
    if absent := next((place for place in places if not place.is_dir()), None):
        stop(f"{absent}: no such folder; name the --output_path of a run, or the folder of a training")
    uploads.check(arguments.to, uploads=arguments.dry_run is None)
    models = [place for place in places if hub_folder.is_one(place)]
    if models and len(places) > 1:
        stop(f"{models[0]}: is a trained model; push it by itself, a repository holds one")
    if arguments.base and not models:
        stop("--base is said of a trained model, and these are runs; leave it out")
    with _folder(arguments.dry_run, parser.prog) as folder:
        try:
            if models:
                holds = hub_folder.write(folder, places[0], arguments.base)
            else:
                holds = dataset.write(folder, arguments.to, places)
        except OSError as error:
            stop(f"{folder}: cannot be written ({error.strerror or error}); make room, or name another place")
        if arguments.dry_run:
            print(f"{folder}: {holds}; nothing was uploaded")
            return 0
        print(f"emorealm: uploading {holds} to {arguments.to}", file=sys.stderr, flush=True)
        address = uploads.upload(folder, arguments.to, "model" if models else "dataset", arguments.public)
    print(f"{address}: {holds}")
    return 0


@contextlib.contextmanager
def _folder(chosen: Path | None, maker: str) -> Iterator[Path]:
    """The folder of a dry run, emptied of an earlier one; else one that is gone when the upload has ended."""
    if chosen is None:
        with tempfile.TemporaryDirectory(prefix="emorealm-push-") as temporary:
            yield Path(temporary)
        return
    files.claim(chosen, maker, "--dry-run")
    files.sweep(chosen)
    for path in files.entries(chosen):
        if path.name != files.MARK and path.is_file():
            path.unlink()
    yield chosen
