from __future__ import annotations

from pathlib import Path

import reference

from nself_sdk import compose

PAGE = Path(__file__).parents[2] / "docs" / "compose-reference.md"


def test_the_reference_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == reference.page(), (
        "run: python tests/compose/reference.py docs/compose-reference.md"
    )


def test_every_attribute_is_described() -> None:
    missing = [
        f"{model.__name__}.{name}"
        for model in reference.models()
        for name, (_, description) in reference.fields_of(model).items()
        if not description
    ]

    assert missing == []


def test_every_model_is_public() -> None:
    def below(cls: type) -> set[type]:
        return {cls}.union(*(below(sub) for sub in cls.__subclasses__()))

    hidden = {cls.__name__ for cls in below(compose.Element) if cls.__name__ not in compose.__all__}

    assert hidden == {"_FileReference"}
