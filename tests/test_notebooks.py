"""Every notebook runs from top to bottom, and is stored without outputs. Mistakes in one are told in a few words."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from nself_sdk import Project, Redis, render

NOTEBOOKS = sorted((Path(__file__).parent.parent / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_is_stored_without_outputs(path: Path) -> None:
    cells = [cell for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]
    assert cells
    assert not [cell.source for cell in cells if cell.outputs or cell.execution_count]


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_from_top_to_bottom(path: Path, tmp_path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    NotebookClient(notebook, timeout=60, resources={"metadata": {"path": str(tmp_path)}}).execute()
    for cell in notebook.cells:
        assert not [output for output in cell.get("outputs", []) if output.get("name") == "stderr"], cell.source


@pytest.mark.slow
def test_a_mistake_in_a_notebook_is_told_in_a_few_words(tmp_path: Path) -> None:
    cell = nbformat.v4.new_code_cell("from nself_sdk import Redis\nRedis(memry='1g')")
    notebook = nbformat.v4.new_notebook(cells=[cell])
    NotebookClient(notebook, timeout=60, allow_errors=True, resources={"metadata": {"path": str(tmp_path)}}).execute()
    assert [output["traceback"] for output in cell.outputs] == [
        [
            "DeclarationError: Redis.memry: unknown key; did you mean 'memory'?",
            "  in line 2: Redis(memry='1g')",
        ]
    ]


def test_a_compose_file_is_shown_as_its_text() -> None:
    shown = render(Project("shop").add(Redis(environment={"A": "<b>"})), "dev")._repr_html_()
    assert shown.startswith("<pre>name: shop\n")
    assert "&lt;b&gt;" in shown
