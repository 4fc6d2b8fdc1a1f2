"""A folder of models reads only folders before it: dbt-bouncer.yml, held to an order."""

import re

import yaml

from tests.conftest import ROOT

MODELS = ROOT / "dbt_project/models"
# docs/decisions/0003. What MetricFlow reads comes last: facts are enough for it.
ORDER = (
    *("staging", "intermediate", "dimensions", "facts", "measures", "periods", "marts", "plans"),
    *("diagnosis", "coaching", "outlook", "quality", "semantic"),
)
REF = re.compile(r"ref\(\s*'(\w+)'\s*[,)]")


def rules() -> dict[str, str]:
    """What each folder may read, as the bouncer has it: a pattern of paths."""
    checks = yaml.safe_load((ROOT / "dbt-bouncer.yml").read_text())["manifest_checks"]
    return {
        check["include"].removeprefix("^dbt_project/models/"): check["upstream_path_pattern"]
        for check in checks
        if check["name"] == "check_lineage_permitted_upstream_models"
    }


def test_every_folder_has_a_rule_and_a_place_in_the_order() -> None:
    folders = {path.name for path in MODELS.iterdir() if path.is_dir()}
    assert folders == set(ORDER) == set(rules())
    written = (ROOT / "docs/decisions/0003-rooms-of-the-models.md").read_text()
    assert f"`{' → '.join(ORDER[:-1])}`" in written


def test_no_rule_lets_a_folder_read_one_after_it() -> None:
    for folder, pattern in rules().items():
        later = ORDER[ORDER.index(folder) + 1 :]
        allowed = [it for it in later if re.match(pattern, f"dbt_project/models/{it}/x.sql")]
        assert allowed == [], folder
        assert re.match(pattern, f"dbt_project/models/{folder}/x.sql"), folder


def test_no_model_names_one_of_a_folder_after_its_own() -> None:
    files = {file.stem: file.relative_to(MODELS) for file in MODELS.rglob("*.sql")}
    read = [
        (file, files[name])
        for file in files.values()
        for name in REF.findall((MODELS / file).read_text())
        if name in files
    ]
    assert len(read) > 200
    wrong = [
        (str(file), str(source))
        for file, source in read
        if not re.match(rules()[file.parts[0]], f"dbt_project/models/{source}")
    ]
    assert wrong == []
