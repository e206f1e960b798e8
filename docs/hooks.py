"""What mkdocs does beyond its configuration: the site has the repository's own tree.

Every page lies where its file lies in the repository, so a relative link or image means the same on the code host and
on the site, and no text exists twice. Links to files that are no pages lead to the code host. Three sorts of pages
have no file of their own: the reference, a page for each public module; "Adding things", the second half of
CONTRIBUTING.md; and notebooks.
"""

import json
import posixpath
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
FILES = ("docs/*.css", "docs/*.png", "results/*.png", "results/mini/*.png")
CONTRIBUTING, ADDING = "CONTRIBUTING.md", "adding.md"
SPLIT = "\n## Adding things\n"
"""The heading of CONTRIBUTING.md at which the page ADDING begins."""
API = {
    "answers": "emorealm_tasks.answers",
    "emotions": "emorealm_tasks.emotions",
    "metrics": "emorealm_tasks.metrics",
    "media": "emorealm_tasks.media",
    "objectives": "avem_train.objectives",
    "avere": "model_adapters.avere",
}
"""Page below api/ -> the module whose docstrings it shows."""
_LINK = re.compile(r"(?<=\]\()(?![a-z]+:|#|/)([^)\s#]+)")
_ROLE = re.compile(r":(?:attr|class|func|meth|mod):(?=<code>)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Take the repository's address from the package's metadata, its one place, for links and the footer.

    It is not mkdocs' repo_url: with that the theme's script asks the code host about the repository at every visit.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    config.extra["repository"] = home = project["urls"]["Homepage"]
    config.extra["social"] = [{"icon": "fontawesome/brands/github", "link": home, "name": "Code"}]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Replace what mkdocs found in docs/ by pages and images under their paths in the repository."""
    for file in list(files):
        if file.abs_src_path and Path(file.abs_src_path).is_relative_to(config.docs_dir):
            files.remove(file)
    contributing = (ROOT / CONTRIBUTING).read_text(encoding="utf-8")
    made = {f"api/{name}.md": f"# {module}\n\n::: {module}\n" for name, module in API.items()}
    made |= {page: _notebook(ROOT / page) for page in _pages(config.nav) if page.startswith("docs/notebooks/")}
    made[ADDING] = "# Adding things\n" + contributing.partition(SPLIT)[2].replace("\n### ", "\n## ")
    for page, content in made.items():
        files.append(File.generated(config, page, content=content))
    for page in _pages(config.nav):
        if page not in made:
            files.append(File.generated(config, page, abs_src_path=str(ROOT / page)))
    for pattern in FILES:
        for path in sorted(ROOT.glob(pattern)):
            files.append(File.generated(config, path.relative_to(ROOT).as_posix(), abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links to files that are no pages to the code host, those into the second half of CONTRIBUTING to ADDING."""
    here = posixpath.dirname(page.file.src_uri)

    def led(match: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(here, match[1]))
        if path == CONTRIBUTING and markdown[match.end() :].startswith("#"):
            return posixpath.relpath(ADDING, here or ".")
        if files.get_file_from_path(path) or not (ROOT / path).exists():
            return match[1]  # a page; or nothing, which mkdocs then complains of
        kind = "tree" if (ROOT / path).is_dir() else "blob"
        return f"{config.extra['repository']}/{kind}/main/{path}"

    if page.file.src_uri == CONTRIBUTING:
        walks = re.findall(r"\n### (.+)", markdown.partition(SPLIT)[2])
        listed = "".join(f"\n- [{walk}]({ADDING}#{walk.lower().replace(' ', '-')})" for walk in walks)
        markdown = f"{markdown.partition(SPLIT)[0]}{SPLIT}{listed}\n"
    return _LINK.sub(led, markdown)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Drop from docstrings what only Sphinx understands."""
    return _ROLE.sub("", html).replace("::</p>", ":</p>") if page.file.src_uri.startswith("api/") else html


def _notebook(page: Path) -> str:
    """The notebook that a page shows: its text, and its code in blocks."""
    cells = json.loads(page.with_suffix(".ipynb").read_text(encoding="utf-8"))["cells"]
    blocks = {"markdown": "{}", "code": "```python\n{}\n```"}
    return "\n\n".join(blocks[cell["cell_type"]].format("".join(cell["source"])) for cell in cells) + "\n"


def _pages(nav: object) -> Iterator[str]:
    """The paths that a navigation names."""
    if isinstance(nav, str):
        yield nav
    elif isinstance(nav, dict | list):
        for part in nav.values() if isinstance(nav, dict) else nav:
            yield from _pages(part)
