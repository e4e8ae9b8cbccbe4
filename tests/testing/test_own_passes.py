"""The passes that make a stack fit for tests, and that a render writes no more than there is."""

from __future__ import annotations

from nself_sdk import ComposeFile, Environment, Project, Redis, render
from nself_sdk.testing import NselfStack
from nself_sdk.testing.passes import labelled, published

FILE = """
services:
  web: {image: "web:1", networks: [own, theirs], labels: {kept: "yes"}, volumes: ["data:/data", "old:/old"]}
networks: {own: {}, theirs: {external: true}}
volumes: {data: {labels: {kept: "yes"}}, old: {external: true}}
"""


def test_labels_are_on_all_that_docker_makes_and_on_nothing_that_it_finds() -> None:
    file = render(Project("shop").add(ComposeFile.loads(FILE)), "dev", [labelled({"reaped": "yes"})])
    both = {"kept": "yes", "reaped": "yes"}
    assert file.services["web"].label_map == both
    assert {name: network and network.labels for name, network in file.networks.items()} == {
        "default": {"reaped": "yes"},
        "own": {"reaped": "yes"},
        "theirs": None,
    }
    assert {name: volume and volume.labels for name, volume in file.volumes.items()} == {"data": both, "old": None}


def test_without_labels_nothing_changes() -> None:
    project = Project("shop").add(ComposeFile.loads(FILE))
    assert render(project, "dev", [labelled({})]) == render(project, "dev")


def test_a_port_that_is_asked_for_is_published_on_this_host_as_any_free_one() -> None:
    file = render(Project("shop").add(Redis(port=None)), "prod", [published({"redis": 6379})])
    (port,) = file.services["redis"].port_mappings
    assert (port.target, port.published, port.host_ip) == (6379, None, "127.0.0.1")


def test_a_rendered_file_has_no_empty_sections() -> None:
    file = render(Project("shop").add(Redis()), "dev")
    assert list(file.written) == ["name", "services", "volumes", "secrets"]


def test_a_stack_may_have_passes_of_its_own() -> None:
    def patient(file: ComposeFile, _: Environment) -> ComposeFile:
        return file.map_services(lambda _, service: service.replace(stop_grace_period="9s"))

    [first, *_] = NselfStack(Project("shop").add(Redis()), passes=[patient])._passes()
    assert render(Project("shop").add(Redis()), "dev", [first]).services["redis"].stop_grace_period == "9s"
