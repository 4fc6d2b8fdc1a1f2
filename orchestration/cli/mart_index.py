"""The mart index (README's table, docs/marts.md) and the KPI glossary, from the YAML files.

`python -m orchestration.cli.mart_index` writes them, `--check` says which is stale.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

import yaml

from orchestration.base.errors import EXIT_GOOD, EXIT_STOPPED, VoronkaError, WrongUse
from orchestration.metrics import definitions, glossary

PROJECT_DIR = Path(__file__).resolve().parents[2]
MODELS_DIR = Path("dbt_project/models")
SEEDS_DIR = Path("seeds/reference")
README = Path("README.md")
PAGE = Path("docs/marts.md")
BEGIN = "<!-- mart index: made by `make docs` -->"
END = "<!-- end of the mart index -->"
# What is published for people; the other models are on the way there.
SCHEMAS = ("marts", "quality")

# libyaml's loader is ten times as fast; some builds of PyYAML come without it.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DOC_BLOCK = re.compile(r"{%-?\s*docs\s+(\w+)\s*-?%}(.*?){%-?\s*enddocs\s*-?%}", re.DOTALL)
_DOC_CALL = re.compile(r"{{\s*doc\(\s*['\"](\w+)['\"]\s*\)\s*}}")


@dataclass(frozen=True)
class Column:
    """A column of a mart; `description` is Markdown in one line.

    `file` is the one that defines it, inside the project; None where nobody looked.
    """

    name: str
    data_type: str
    description: str
    file: Path | None = None


@dataclass(frozen=True)
class Mart:
    """A published model; `folder` is the part of the business that it belongs to."""

    name: str
    folder: str
    schema: str
    grain: tuple[str, ...]
    description: str
    columns: tuple[Column, ...]

    @property
    def summary(self) -> str:
        """The first sentence of the description."""
        return re.split(r"(?<=\.)\s+(?=[A-Z`])", self.description, maxsplit=1)[0]


def load_marts(
    project_dir: Path, files: Mapping[tuple[str, str], Path] | None = None
) -> list[Mart]:
    """Read the marts of the project in `project_dir`, by folder and name.

    `files` are those that define the columns, by mart and column (`defining_files`). Raises
    WrongUse where a YAML file names a doc block that does not exist, or leaves out what the index
    shows.
    """
    config = _read_yaml(project_dir / "dbt_project.yml")
    blocks = _doc_blocks(project_dir / MODELS_DIR)
    marts = []
    for path in sorted((project_dir / MODELS_DIR).rglob("*.yml")):
        folders = path.relative_to(project_dir / MODELS_DIR).parent.parts
        for model in _read_yaml(path).get("models", []):
            schema = (model.get("config") or {}).get("schema") or _schema_of(config, folders)
            if schema in SCHEMAS:
                marts.append(_mart(model, folders[-1], schema, blocks, path, files or {}))
    return sorted(marts, key=lambda mart: (mart.folder, mart.name))


def defining_files(project_dir: Path) -> dict[tuple[str, str], Path]:
    """The file that defines each column of each mart: a model, or the metric of a ratio.

    Needs dbt, and is empty where `project_dir` is no whole project. Raises BuildFailed.
    """
    if not (project_dir / "profiles.yml").is_file():
        return {}
    # dbt and sqlglot take seconds.
    from orchestration.cli.lineage import Lineage, compiled_models

    lineage = Lineage(compiled_models(project_dir))
    tables = [*(project_dir / MODELS_DIR).rglob("*.sql"), *(project_dir / SEEDS_DIR).glob("*.csv")]
    paths = {file.stem: file for file in tables}
    figures = definitions.definitions(project_dir)
    found = {}
    for mart in load_marts(project_dir):
        for column in mart.columns:
            origin = lineage.origin(mart.name, column.name) or mart.name
            # What comes from the raw zone's own tables is defined where it is selected.
            file = paths.get(origin, paths[mart.name]).relative_to(project_dir)
            # What a mart makes of other figures, it makes as the metric says.
            is_figure = origin == mart.name and column.name in figures
            found[mart.name, column.name] = figures[column.name].file if is_figure else file
    return found


def readme_section(marts: Sequence[Mart]) -> str:
    """README's table of the marts: a row each, the folder at the first of its rows."""
    lines = ["| | mart | a row for each | what it is |", "| --- | --- | --- | --- |"]
    for folder, members in _by_folder(marts):
        for number, mart in enumerate(members):
            title = f"**{folder}**" if number == 0 else ""
            link = f"[`{mart.name}`]({PAGE}#{mart.name})"
            lines.append(f"| {title} | {link} | {_grain(mart)} | {_cell(mart.summary)} |")
    return "\n".join(lines)


def page(marts: Sequence[Mart]) -> str:
    """docs/marts.md: every mart with its description, grain and columns."""
    lines = [
        "# Marts",
        "",
        "Made by `make docs` from the YAML files beside the models: edit those.",
    ]
    for folder, members in _by_folder(marts):
        lines += ["", f"## {folder}"]
        for mart in members:
            lines += ["", f"### {mart.name}", "", mart.description]
            lines += ["", f"Table `{mart.schema}.{mart.name}`, a row for each {_grain(mart)}."]
            lines += ["", "| column | type | what it holds | defined in |", "| --- " * 4 + "|"]
            for column in mart.columns:
                text = _cell(column.description)
                file = f"[{column.file.name}](../{column.file})" if column.file else ""
                lines.append(f"| `{column.name}` | {column.data_type} | {text} | {file} |")
    return "\n".join(lines) + "\n"


def stale_files(project_dir: Path) -> dict[Path, str]:
    """Find the files that are not what the YAML files say, with what they have to be.

    Paths are inside the project.
    """
    marts = load_marts(project_dir, defining_files(project_dir))
    expected = {
        README: _with_section(_text_of(project_dir / README), readme_section(marts)),
        PAGE: page(marts),
        **definitions.generated_files(project_dir),
        **glossary.pages(project_dir),
    }
    return _stale(project_dir, expected)


def write_files(project_dir: Path) -> list[Path]:
    """Bring the stale files up to date and return their paths inside the project."""
    # The models are compiled with what the metrics define.
    written = _write(project_dir, _stale(project_dir, definitions.generated_files(project_dir)))
    return written + _write(project_dir, stale_files(project_dir))


def _write(project_dir: Path, files: Mapping[Path, str]) -> list[Path]:
    for path, text in files.items():
        (project_dir / path).parent.mkdir(parents=True, exist_ok=True)
        (project_dir / path).write_text(text, encoding="utf-8")
    return list(files)


def _stale(project_dir: Path, files: Mapping[Path, str]) -> dict[Path, str]:
    return {path: text for path, text in files.items() if _text_of(project_dir / path) != text}


def _read_yaml(path: Path) -> Mapping[str, Any]:
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_LOADER) or {}
    except yaml.YAMLError as error:
        raise WrongUse(f"{path} is not YAML: {error}", "Correct the file.") from error


def _schema_of(config: Mapping[str, Any], folders: Sequence[str]) -> str:
    """Look up the schema that dbt_project.yml gives to the models of a folder."""
    level = config["models"][config["name"]]
    schema = ""
    for folder in folders:
        level = level.get(folder, {})
        schema = level.get("+schema", schema)
    return str(schema)


def _doc_blocks(directory: Path) -> dict[str, str]:
    return {
        name: _one_line(text)
        for path in sorted(directory.rglob("*.md"))
        for name, text in _DOC_BLOCK.findall(path.read_text(encoding="utf-8"))
    }


def _mart(
    model: Mapping[str, Any],
    folder: str,
    schema: str,
    blocks: Mapping[str, str],
    path: Path,
    files: Mapping[tuple[str, str], Path],
) -> Mart:
    def text_of(item: Mapping[str, Any], what: str) -> str:
        written = _one_line(str(item.get("description") or ""))
        if not written:
            raise WrongUse(f"{path}: {what} has no description.", "Say what it is.")
        return _DOC_CALL.sub(lambda call: block(call[1]), written)

    def block(name: str) -> str:
        if name not in blocks:
            raise WrongUse(
                f"{path}: there is no doc block {name}.",
                f"Write it in a Markdown file in {MODELS_DIR}, or describe the column in place.",
            )
        return blocks[name]

    grain = ((model.get("config") or {}).get("meta") or {}).get("grain")
    if not grain:
        raise WrongUse(f"{path}: {model['name']} has no grain.", "State it as config.meta.grain.")
    return Mart(
        name=model["name"],
        folder=folder,
        schema=schema,
        grain=tuple(grain),
        description=text_of(model, model["name"]),
        columns=tuple(
            Column(
                column["name"],
                column["data_type"],
                text_of(column, column["name"]),
                files.get((model["name"], column["name"])),
            )
            for column in model.get("columns", [])
        ),
    )


def _with_section(readme: str, section: str) -> str:
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise WrongUse(
            f"{README} has no place for the mart index.",
            f"Put these two lines where it belongs: {BEGIN} and {END}",
        )
    return f"{before}{BEGIN}\n{section}\n{END}{after}"


def _text_of(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


def _by_folder(marts: Sequence[Mart]) -> list[tuple[str, list[Mart]]]:
    return [(folder, list(group)) for folder, group in groupby(marts, lambda mart: mart.folder)]


def _grain(mart: Mart) -> str:
    return ", ".join(f"`{column}`" for column in mart.grain)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _cell(text: str) -> str:
    return text.replace("|", r"\|")


def main(arguments: Sequence[str], project_dir: Path = PROJECT_DIR) -> int:
    """Write the index or, with `--check`, compare it; returns the exit code."""
    parser = argparse.ArgumentParser(prog="mart_index", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, exit 1 where stale")
    check = parser.parse_args(arguments).check
    try:
        found = list(stale_files(project_dir)) if check else write_files(project_dir)
    except VoronkaError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    for path in found:
        print(f"{path} is stale: run `make docs`." if check else f"{path} written")
    return EXIT_STOPPED if check and found else EXIT_GOOD


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
