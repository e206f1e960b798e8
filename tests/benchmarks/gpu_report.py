"""The report of `gpu.py` as Markdown."""

from collections.abc import Iterator, Mapping
from typing import Any

from emorealm_tasks.markdown import table


def page(report: Mapping[str, Any]) -> str:
    """One table a section: sections of rows by name as columns, all else as name and value."""
    about = report["about"]
    machine = about.get("card", about["device"]) + (f", {about['memory_gib']:.0f} GiB" if "card" in about else "")
    versions = ", ".join(f"{name} {version}" for name, version in about["versions"].items())
    lines = [f"# AVERE on {machine}: {about['scale']}", "", f"`{about['command']}`", "", versions, ""]
    for name, section in report.items():
        if name not in ("about", "seconds"):
            lines += [f"## {name} ({report['seconds'].get(name, 0):.0f} s)", "", *_section(section), ""]
    return "\n".join(lines)


def _section(section: Mapping[str, Any]) -> Iterator[str]:
    if "failed" in section or "left_out" in section:
        yield f"{'Failed' if 'failed' in section else 'Left out'}: {section.get('failed', section.get('left_out'))}"
        return
    rows = {name: value for name, value in section.items() if isinstance(value, Mapping) and value}
    plain = {name: value for name, value in section.items() if not isinstance(value, Mapping)}
    profiles = {name: rows.pop(name) for name in list(rows) if name.startswith("profile")}
    if plain:
        yield _table(["", "value"], [[name, value] for name, value in plain.items()])
    if rows:
        columns = list(dict.fromkeys(key for row in rows.values() for key in row))
        cells = [[name, *(row.get(key) for key in columns)] for name, row in rows.items()]
        yield _table(["", *columns], cells)
    for name, profile in profiles.items():
        busy = f"{100 * profile['share_busy']:.0f} % of {profile['seconds']:.3f} s"
        yield f"\n{name}: kernels ran {busy}, {profile['launches']} launches\n"
        yield _table(["kernel", "seconds"], [[item["kernel"], item["seconds"]] for item in profile["longest"]])


def _table(header: list[str], rows: list[list[Any]]) -> str:
    return table([header, *([_cell(value) for value in row] for row in rows)])


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, Mapping):  # a clock
        return f"{value['median']:.4g} ({value['min']:.4g} to {value['max']:.4g})"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
