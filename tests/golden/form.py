"""How a rendered file is kept for review: the Compose file, and beside it every generated text once, by its digest.

To renew what is kept after a change on purpose, and then read the difference::

    NSELF_RENEW_GOLDEN=1 python -m pytest -m "not docker" tests/golden tests/catalog && git diff tests/golden
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nself_sdk import ComposeFile

HERE = Path(__file__).parent
TEXTS = HERE / "texts"
RENEW = bool(os.environ.get("NSELF_RENEW_GOLDEN"))


def is_as_kept(path: Path, text: str, texts: dict[str, str]) -> None:
    """Fail where the file or one of its texts is not what was reviewed."""
    for place, content in {path: text, **{TEXTS / name: content for name, content in texts.items()}}.items():
        if RENEW:
            place.parent.mkdir(exist_ok=True)
            place.write_text(content, encoding="utf-8")
        assert place.exists(), f"if {place} is meant: see {__file__}"
        assert content.splitlines() == place.read_text(encoding="utf-8").splitlines(), (
            f"if this is meant: see {__file__}"
        )


def shape(file: ComposeFile) -> tuple[str, dict[str, str]]:
    """The file with each text replaced by the name under which it is kept, and these texts by their names."""
    names = {name: _named(name, config.content) for name, config in file.configs.items() if config.content}
    texts = {names[name]: (file.configs[name].content or "").replace("$$", "$") for name in names}
    kept = {name: file.configs[name].replace(content=f"texts/{names[name]}") for name in names}
    return file.replace(configs={**file.configs, **kept}).to_yaml(), texts


def _named(config: str, content: str) -> str:
    if re.search(r"-[0-9a-f]{10}$", config):
        return config
    return f"{config}-{hashlib.sha256(content.encode()).hexdigest()[:10]}"


def left_over() -> list[Path]:
    """Texts that nothing kept names any more; with the wish to renew they are removed."""
    named = "".join(path.read_text(encoding="utf-8") for path in HERE.rglob("*.yml") if path.parent != TEXTS)
    found = [path for path in TEXTS.iterdir() if f"texts/{path.name}" not in named]
    for path in found if RENEW else ():
        path.unlink()
    return [path for path in found if path.exists()]
