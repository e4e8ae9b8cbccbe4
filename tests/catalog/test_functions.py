"""Functions: the user's files, mounted and reloaded in dev, part of an image elsewhere."""

from __future__ import annotations

import time
import uuid

import pytest
from rig.shell import RigError, docker

from nself_sdk import Environment, Functions, Project, render


def test_in_dev_the_files_are_mounted_and_reloaded():
    service = render(Project("shop").add(Functions()), "dev").services["functions"]
    assert service.build is None
    assert [mount.source for mount in service.volume_mounts] == ["./functions"]
    assert "nodemon" in service.entrypoint[-1]


def test_elsewhere_they_are_part_of_an_image_and_nothing_is_installed_at_the_start():
    for place in (Environment.named("prod"), Environment.named("dev", remote=True)):
        service = render(Project("shop").add(Functions()), place).services["functions"]
        assert service.build.context == "./functions"
        assert "COPY" in service.build.dockerfile_inline
        assert service.volume_mounts == []
        assert service.entrypoint[-1] == "exec tsx /opt/server/server.ts"


def test_it_gets_no_credentials_that_nobody_gave_it():
    file = render(Project("shop").add(Functions()), "prod")
    assert file.services["functions"].secret_references == []
    assert "${" not in str(file.services["functions"].environment_map)


@pytest.mark.docker
def test_a_changed_file_answers_at_once_in_dev(rig_images, tmp_path):
    rig_images(Functions().image)
    service = render(Project("shop").add(Functions()), "dev").services["functions"]
    (tmp_path / "hello.js").write_text('export default (_, res) => res.send("one");\n')
    entry, *arguments = service.entrypoint
    name = f"nself-test-functions-{uuid.uuid4().hex[:8]}"
    variables = [f"--env={key}={value}" for key, value in service.environment_map.items()]
    docker(
        "run", "--detach", "--init", f"--name={name}", f"--volume={tmp_path}:/opt/project/functions", *variables,
        f"--entrypoint={entry}", service.image, *arguments,
    )  # fmt: skip
    try:
        assert eventually(name, "one")
        (tmp_path / "hello.js").write_text('export default (_, res) => res.send("two");\n')
        assert eventually(name, "two")
    finally:
        docker("rm", "-f", name)


def eventually(name: str, wanted: str) -> bool:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            if docker("exec", name, "wget", "-q", "-O", "-", "http://127.0.0.1:3000/hello") == wanted:
                return True
        except RigError:
            time.sleep(0.2)
    return False
