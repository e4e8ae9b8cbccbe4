"""New rules and receivers reach Prometheus and Alertmanager while they run; what they refuse does not."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
from rig.needed import needed

from nself_sdk import Alertmanager, Deployment, Mailpit, Project, Prometheus, render
from nself_sdk.catalog.monitoring.redis_exporter import RedisExporter
from nself_sdk.errors import DriverError
from nself_sdk.testing import NselfStack

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from nself_sdk import ComposeFile, Environment

pytestmark = pytest.mark.docker
MONITORS = ("alertmanager", "prometheus")


@pytest.fixture(scope="module")
def stack(rig_images: Callable[..., object]) -> Iterator[NselfStack]:
    rig_images(*needed(render(watched(), "dev")))
    with NselfStack(Project().add(Prometheus()).add(Mailpit())) as running:
        yield running


def watched() -> Project:
    """One more service to watch, and another interval for reminders."""
    return Project().add(Prometheus()).add(Mailpit()).add(RedisExporter()).add(Alertmanager(repeat="9h"))


def ids(stack: NselfStack) -> list[str]:
    return [stack.container(name).id for name in MONITORS]


def shown(stack: NselfStack, service: str, url: str) -> str:
    return stack.exec(service, ["wget", "-qO-", f"http://127.0.0.1:{url}"]).stdout


def comes_to_show(text: str, stack: NselfStack, service: str, url: str) -> bool:
    """Soon: Prometheus hands on new targets every five seconds (updatert in discovery/manager.go), not at once."""
    until = time.monotonic() + 20
    while text not in shown(stack, service, url) and time.monotonic() < until:
        time.sleep(0.3)
    return text in shown(stack, service, url)


def test_what_is_new_is_reloaded_in_the_same_containers(stack: NselfStack) -> None:
    before = ids(stack)
    next_one = stack.changed(watched())
    kinds = {change.service: change.kind for change in next_one.plan().pending}
    assert [kinds[name] for name in MONITORS] == ["reload", "reload"]
    next_one.deploy()
    assert ids(stack) == before
    assert comes_to_show("redis-exporter", stack, "prometheus", "9090/api/v1/targets")
    assert comes_to_show("repeat_interval: 9h", stack, "alertmanager", "9093/api/v2/status")
    assert next_one.plan().pending == ()


def broken_rules(file: ComposeFile, _: Environment) -> ComposeFile:
    """What a mistake in a rule would do."""
    configs = {
        name: config.replace(content=str(config.content).replace("expr: ", "expr: ((", 1))
        if name.startswith("prometheus-host")
        else config
        for name, config in file.configs.items()
    }
    return file.replace(configs=configs)


def test_a_rule_that_prometheus_would_not_take_never_reaches_it(stack: NselfStack) -> None:
    before, rules = ids(stack), shown(stack, "prometheus", "9090/api/v1/rules?type=alert")
    given = (stack._named, stack.environment, stack.folder)
    broken = Deployment(*given, passes=(*stack._passes(), broken_rules), driver=stack.deployment.driver)
    with pytest.raises(DriverError, match="could not reload prometheus"):
        broken.deploy()
    assert ids(stack) == before
    assert len(shown(stack, "prometheus", "9090/api/v1/rules?type=alert")) == pytest.approx(len(rules), rel=0.2)
    assert stack.exec("prometheus", ["sh", "-c", "ls /etc/prometheus/rules/*.next || true"]).stdout == ""
    assert stack.deployment.plan().pending == ()
