"""Recipes: what ships is whole, and what is wrong is said at once."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from mentalglm.errors import UserError
from mentalglm.train.llm.recipe import Recipe, read

from . import small

RECIPES = Path(__file__).parents[2] / "recipes"
SHIPPED = [p for p in sorted(RECIPES.glob("*.toml")) if tomllib.loads(p.read_text("utf-8")).get("kind") == "llm"]


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.stem)
def test_a_shipped_recipe_is_whole(path: Path) -> None:
    recipe = read(path)
    first, why = path.read_text(encoding="utf-8").splitlines()[:2]
    assert first.startswith(f"# mentalglm train recipes/{path.name} ")
    assert f"--out runs/{path.stem}" in first
    assert why.startswith("# ")
    assert recipe.name == path.stem
    needs = any(part.imhi or part.dataset for stage in recipe.stages for part in stage.sources)
    assert ("--from FOLDER" in first) == needs


def test_the_papers_recipes_ship() -> None:
    names = {p.stem for p in SHIPPED}
    assert {"tiny", "glm-4-9b", "glm-4-9b-chat", "glm-edge-1.5b", "qwen3-1.7b"} <= names
    for name in ("glm-4-9b", "glm-4-9b-chat"):
        recipe = read(RECIPES / f"{name}.toml")
        assert [s.tune for s in recipe.stages] == ["lora", "lora"]
        assert recipe.base.template == "glm4"
        assert [bool(p.imhi) for s in recipe.stages for p in s.sources] == [True, False]


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    path = tmp_path / "wrong.toml"
    text = small.recipe(tmp_path).read_text(encoding="utf-8")
    path.write_text(text.replace("epochs = 3", "epochs = 0\ncolour = 1").replace("tokens = 512", "tokens = 5"), "utf-8")
    with pytest.raises(UserError, match=r"(?s)fit\.tokens.*stages\.0\.epochs.*stages\.0\.colour.*stages\.1\.epochs"):
        read(path)
    path.write_text("kind = ", encoding="utf-8")
    with pytest.raises(UserError, match="is not TOML"):
        read(path)
    with pytest.raises(UserError, match="no recipe at"):
        read(tmp_path / "none.toml")


def recipe(stages: list[dict], **more: object) -> Recipe:
    source = {"sources": [{"shipped": "tiny/imhi"}]}
    whole = {"kind": "llm", "name": "x", "base": {"hub": "a/b"}, "stages": [source | s for s in stages]} | more
    return Recipe.model_validate(whole)


@pytest.mark.parametrize(
    ("stages", "more", "said"),
    [
        ([{"name": "a"}, {"name": "a"}], {}, "one name"),
        ([{"name": "a", "replay": 0.5}], {}, "nothing to replay"),
        ([{"name": "a"}, {"name": "b", "lora": {"rank": 8}}], {}, "share one adapter"),
        ([{"name": "a", "lora": {"save": ["lm_head"]}}, {"name": "b"}], {"policy": "stack"}, "cannot both hold"),
        ([{"name": "a"}, {"name": "b"}], {"policy": "merge_then_new", "save": "adapter"}, "save merged"),
        ([{"name": "a", "tune": "full"}], {"save": "adapter"}, "no base of the adapter"),
        ([{"name": "a"}, {"name": "b", "tune": "full"}], {}, "needs merge_then_new"),
        ([{"name": "a", "sources": [{"shipped": "tiny/imhi", "imhi": ["DR"]}]}], {}, "give one of imhi"),
        ([{"name": "a"}], {"base": {"hub": "a/b", "path": "c"}}, "give one of hub"),
        ([{"name": "a"}], {"base": {"new": {"hidden": 30}}}, "multiple of 2"),
        ([{"name": "a", "tune": "qlora"}], {"fit": {"parallel": "zero3"}}, "zero3"),
    ],
)
def test_what_does_not_go_together(stages: list[dict], more: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        recipe(stages, **more)
