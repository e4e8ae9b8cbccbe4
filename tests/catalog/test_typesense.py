"""Typesense: Meilisearch's alternative, at the same host name."""

from __future__ import annotations

import pytest

from nself_sdk import Environment, Meilisearch, Project, Typesense, render
from nself_sdk.testing import NselfStack


def test_it_answers_where_meilisearch_would():
    place = Environment.named("prod")
    assert Typesense().routes(place)[0].name == Meilisearch().routes(place)[0].name == "search"


def test_its_key_is_in_no_argument():
    service = render(Project("shop").add(Typesense()), "prod").services["typesense"]
    assert "--api-key" not in str(service.entrypoint)
    assert "$$(cat /run/secrets/TYPESENSE_API_KEY)" in service.entrypoint[-1]


@pytest.mark.docker
def test_it_finds_a_document_for_who_has_the_key(rig_images):
    file = render(Project("shop").add(Typesense()), "dev")
    rig_images(*{service.image for service in file.services.values()})
    with NselfStack(Project("shop").add(Typesense())) as stack:
        key = {"X-TYPESENSE-API-KEY": stack.secret("TYPESENSE_API_KEY")}
        made = {"name": "things", "fields": [{"name": "title", "type": "string"}]}
        assert stack.request("POST", "search", "/collections", json=made).status == 401
        assert stack.request("POST", "search", "/collections", json=made, headers=key).status == 201
        document = {"id": "1", "title": "a red bicycle"}
        stack.request("POST", "search", "/collections/things/documents", json=document, headers=key)
        path = "/collections/things/documents/search?q=bicycle&query_by=title"
        assert stack.request("GET", "search", path, headers=key).json()["hits"][0]["document"] == document
