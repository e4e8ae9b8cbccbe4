"""Functions: the user's files, mounted and reloaded in dev, part of an image elsewhere."""

from __future__ import annotations

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
