"""The table of models in `model_adapters/README.md`: the catalogue beside the paper's Table 13.

python -m emorealm_results.paper.models_page        # writes it anew
"""

from collections.abc import Iterable
from pathlib import Path

from avem_train import config
from avem_train.study import arms
from emorealm_results.console import markdown, output
from emorealm_results.paper import printed
from model_adapters.catalogue import MODELS, Model

PAGE = Path(__file__).resolve().parents[3] / "model_adapters" / "README.md"
BEGIN, END = "<!-- models: made by python -m emorealm_results.paper.models_page -->", "<!-- end of models -->"
_TABLE = 13
_TASKS = {
    "reasoning_basic_audio": "basic A",
    "reasoning_basic_video": "basic V",
    "modality_agreement": "agree",
    "reasoning_stress_audio": "stress A",
    "reasoning_stress_video": "stress V",
    "emorealm": "mean",
}
_BASES = {arms.BASE: "avere_sft", "EmotionLLaMA*": "emotion_llama_sft"}
"""The paper's bases, and the recipes that train them."""
_HEAD = ("`--model`", "route", "really fed", "checkpoint", "licence", "tested", "the paper's row (accuracy)", "note")


def render(models: Iterable[Model] = MODELS) -> str:
    """The table as Markdown; which further rows of Table 13 a recipe trains, and which nothing here stands for."""
    rows = _published()
    models = list(models)
    answered = {name for model in models for name in (model.published, *model.also)}
    table = markdown.table([_HEAD, *(_row(model, rows) for model in models)])
    recipe_of = {name: recipe for name, recipe in trained().items() if name in rows and name not in answered}
    unanswered = [name for name in rows if name not in answered and name not in recipe_of]
    blocks = [table]
    if recipe_of:
        lines = [(f"{name}: {rows[name]}", f"`avem-train run {recipe}`") for name, recipe in recipe_of.items()]
        blocks += [f"Rows of Table {_TABLE} that are trained, each on the base that its name begins with (`model=`):"]
        blocks += [markdown.table([("the paper's row (accuracy)", "by"), *lines])]
    if unanswered:
        blocks += [f"Rows of Table {_TABLE} that neither a model nor a recipe stands for: {', '.join(unanswered)}."]
    return "\n\n".join(blocks) + "\n"


def trained() -> dict[str, str]:
    """The paper's rows that a shipped recipe trains -> the recipe."""
    recipe_of = dict(_BASES)
    for base in _BASES:
        rows = [arm for arm in arms.methods(arms.Choices()) if arm.recipe]
        recipe_of |= {arm.published.replace(arms.BASE, base): arm.recipe for arm in rows}
    shipped = config.shipped()
    return {name: recipe for name, recipe in recipe_of.items() if recipe in shipped}


def _row(model: Model, rows: dict[str, str]) -> list[str]:
    fed = " and ".join(word for word, fits in (("sound", model.hears), ("picture", model.sees)) if fits)
    names = [name for name in (model.published, *model.also) if name]
    row = "; ".join(f"{name}: {rows[name]}" for name in names) or "not in the paper"
    checkpoint = f"`{model.checkpoint}`" if model.checkpoint.count("/") == 1 else model.checkpoint
    return [f"`{model.name}`", model.route, fed, checkpoint, model.licence, model.tested, row, model.note]


def _published() -> dict[str, str]:
    """Name in Table 13 -> its accuracies, as printed, in the table's order."""
    cells = [cell for cell in printed.load() if cell.table == _TABLE and cell.metric == "accuracy"]
    rows: dict[str, list[str]] = {}
    for task, short in _TASKS.items():
        for cell in cells:
            rows.setdefault(cell.model, [])
            if cell.task == task:
                rows[cell.model].append(f"{short} {cell.printed}")
    return {name: ", ".join(tables) for name, tables in rows.items()}


def rewritten(page: str) -> str:
    """The page with its table made anew. Raises ValueError where the marks around it are missing."""
    if BEGIN not in page or END not in page:
        raise ValueError(f"the page needs the lines {BEGIN} and {END}")
    page_start, page_end = page.split(BEGIN)[0], page.split(END)[1]
    return f"{page_start}{BEGIN}\n\n{render()}\n{END}{page_end}"


if __name__ == "__main__":
    output.write(PAGE, rewritten(PAGE.read_text(encoding="utf-8")))
