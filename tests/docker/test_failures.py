"""What Docker wrote becomes an error that somebody can act on; the texts are real ones."""
# ruff: noqa: E501 - real texts stand as they were written

from __future__ import annotations

import pytest

from nself_sdk.docker.failures import failure
from nself_sdk.errors import DriverError, HostUnreachableError

# Engine 26.1.5 with Compose 2.26.1 unless another is named.
CASES = {
    "port of another container": (
        """ Container shop-w-1  Starting
Error response from daemon: driver failed programming external connectivity on endpoint shop-w-1 (d3a07bb0db37): \
Bind for 127.0.0.1:18099 failed: port is already allocated""",
        "the port 127.0.0.1:18099 is already in use",
    ),
    "port of another program": (
        (
            "Error response from daemon: driver failed programming external connectivity on endpoint w (ab12): "
            "Error starting userland proxy: listen tcp4 0.0.0.0:80: bind: address already in use"
        ),
        "the port 0.0.0.0:80 is already in use",
    ),
    "port, engine 28": (
        (
            "Error response from daemon: failed to set up container networking: driver failed programming external "
            "connectivity on endpoint w (ab12): failed to bind host port for 0.0.0.0:443:172.18.0.2:443/tcp: address already "
            "in use"
        ),
        "the port 0.0.0.0:443 is already in use",
    ),
    "pull denied": (
        (
            "Error response from daemon: pull access denied for acme/payments, repository does not exist or may require "
            "'docker login': denied: requested access to the resource is denied"
        ),
        "the image acme/payments may not be pulled, or does not exist",
    ),
    "push denied": (
        " Pushing ghcr.io/acme/pay:1: 04ae461b3772 Preparing \ndenied: permission_denied: write_package",
        "the registry does not let you in\n  | denied: permission_denied: write_package",
    ),
    "push without a login": ("unauthorized: authentication required", "the registry does not let you in"),
    "no such tag": (
        "Error response from daemon: manifest for redis:99 not found: manifest unknown: manifest unknown",
        "there is no image redis:99",
    ),
    "no such tag, containerd": (
        'failed to resolve reference "docker.io/library/redis:99": docker.io/library/redis:99: not found',
        "there is no image docker.io/library/redis:99",
    ),
    "never pulled": (" Container shop-w-1  Recreate\nError response from daemon: No such image: nosuch:1", "nosuch:1"),
    "no registry": (
        (
            ' a Pulling \n a Error Get "https://registry-1.docker.io/v2/": dial tcp: lookup registry-1.docker.io on '
            '10.0.0.2:53: no such host\nError response from daemon: Get "https://registry-1.docker.io/v2/": dial tcp: lookup '
            "registry-1.docker.io on 10.0.0.2:53: no such host"
        ),
        "the registry registry-1.docker.io does not answer: no such host",
    ),
    "pull limit": (
        "Error response from daemon: toomanyrequests: You have reached your pull rate limit.",
        "pull limit is reached",
    ),
    "other machine": (
        "no matching manifest for linux/arm64/v8 in the manifest list entries",
        "the image does not exist for linux/arm64/v8",
    ),
    "disk full": (
        "failed to register layer: write /usr/lib/x.so: no space left on device",
        "the host's disk is full",
    ),
    "build step": (
        """#5 [pay 2/2] RUN echo before && exit 3
#5 0.116 before
#5 ERROR: process "/bin/sh -c echo before && exit 3" did not complete successfully: exit code: 3
------
 > [pay 2/2] RUN echo before && exit 3:
0.116 before
------
failed to solve: process "/bin/sh -c echo before && exit 3" did not complete successfully: exit code: 3""",
        "the build failed at [pay 2/2] RUN echo before && exit 3",
    ),
    "build context": (
        'unable to prepare context: path "/srv/services/pay" not found',
        'the build cannot begin: path "/srv/services/pay" not found',
    ),
    "unhealthy dependency": (
        " Container shop-d-1  Error\ndependency failed to start: container shop-d-1 is unhealthy",
        "the container shop-d-1 is unhealthy",
    ),
    "failed job": (
        """service "migrate" didn't complete successfully: exit 1""",
        "the one-off service migrate failed (exit 1)",
    ),
    "name taken": (
        (
            'Error response from daemon: Error when allocating new name: Conflict. The container name "/shop-db" is already '
            'in use by container "03af2bf1a310". You have to remove (or rename) that container to be able to reuse that name.'
        ),
        "there is already a container named shop-db",
    ),
    "networks used up": (
        (
            "failed to create network shop_default: Error response from daemon: all predefined address pools have been fully "
            "subnetted"
        ),
        "no free network addresses",
    ),
    "secret without a value": (
        'environment variable "JWT_SECRET" required by file "shop_jwt" is not set',
        "the secret JWT_SECRET has no value",
    ),
    "refused file": (
        "validating /tmp/x/docker-compose.yml: services.w Additional property imagee is not allowed",
        "Compose refuses the file: services.w Additional property imagee is not allowed",
    ),
    "no plugin": ("docker: 'compose' is not a docker command.\nSee 'docker --help'", "the Compose plugin"),
}


@pytest.mark.parametrize(("text", "told"), CASES.values(), ids=CASES)
def test_a_known_failure_is_told_as_such(text, told):
    error = failure("docker compose up", text)
    assert type(error) is DriverError
    assert told in error.message
    assert error.message.startswith("docker compose up: ")
    assert error.hint


@pytest.mark.parametrize(
    "text",
    [
        "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
        "permission denied while trying to connect to the Docker daemon socket at unix:///var/run/docker.sock: Get ...",
        "error during connect: Get http://%2Fdocker.sock/v1.45/info: EOF",
    ],
)
def test_an_engine_that_does_not_answer_is_unreachable(text):
    assert isinstance(failure("docker ps", text), HostUnreachableError)


def test_an_unknown_failure_quotes_its_last_useful_lines():
    text = """time="2026-11-23T10:46:27Z" level=warning msg="Found orphan containers"
 Container shop-w-1  Creating
 Container shop-w-1  Created
Error response from daemon: the moon is in the way
"""
    error = failure("docker compose up", text)
    assert error.message == "docker compose up failed\n  | Error response from daemon: the moon is in the way"


def test_what_a_program_may_not_do_is_no_matter_of_a_registry():
    assert failure("docker compose build", "[Errno 13] Permission denied: '/x'").message.startswith(
        "docker compose build failed\n"
    )


def test_progress_and_build_chatter_are_not_quoted():
    text = CASES["build step"][0] + "\n#1 DONE 0.0s\n#2 [pay internal] load metadata for docker.io/library/x:1\n#3 \n"
    message = failure("docker compose build", text).message
    assert "DONE" not in message
    assert "load metadata" not in message
    assert "  | 0.116 before" in message
