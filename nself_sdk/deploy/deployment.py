"""Deployment: a project in an environment on a host, as a context manager that holds the one connection."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext

from nself_sdk import checks, docker
from nself_sdk.compose import ComposeFile
from nself_sdk.deploy import certificates, images, lock, observing, preflight, refusals, releases, running
from nself_sdk.deploy.aiming import aimed
from nself_sdk.deploy.facts import Finding
from nself_sdk.deploy.findings import findings
from nself_sdk.deploy.hooks import Hooks, around
from nself_sdk.deploy.probe import Probe, ProbeReport, probing
from nself_sdk.deploy.progress import Progress, Report
from nself_sdk.deploy.recording import is_news, record, record_again
from nself_sdk.deploy.releases import Release
from nself_sdk.deploy.rollout import Rollout
from nself_sdk.deploy.stack import RunningStack
from nself_sdk.docker import Stack, Target
from nself_sdk.docker.redaction import Redaction
from nself_sdk.errors import DriverError
from nself_sdk.jobs import without_waiting
from nself_sdk.passes import fingerprint_variable
from nself_sdk.plan import Plan, Wanted, plan
from nself_sdk.store import revision
from nself_sdk.store.folder import fingerprints
from nself_sdk.store.hooks import executables


class Deployment(RunningStack):
    """A project in an environment on a host.

    ``with Deployment(project, "staging") as staging: staging.deploy()``. What is declared is rendered at once, and
    checked by what would change something, before it connects: a mistake touches nothing, and keeps nobody from looking
    at what runs, or from going back.

    Args:
        declaration: a project, or a function of the environment that makes one.
        environment: a value, or a name whose facts are read from the folder.
        folder: the project folder: env files, secrets, ``server.json`` and build contexts.
        passes: the caller's own, over the rendered file and before the checks.
        driver: an engine to use instead of the one that the folder names; it is not closed.
        tell: is called with everything that happens.

    Raises:
        DeclarationError: the project or the folder is wrong; all problems at once.
    """

    @property
    def tagged(self) -> ComposeFile:
        """The file as it is deployed: each image of the project's code is named after that code, and the registry."""
        return images.tagged(self.file, self.folder.path, images.registry_of(self.environment))

    def check(self) -> None:
        """Refuse what is declared wrong, or a host that cannot be one. `plan` and `deploy` do so before they connect.

        Raises:
            DeclarationError: with all problems at once.
        """
        checks.check(self.file, self.environment)
        if self._given is None:
            _ = self.target

    def plan(self) -> Plan:
        """What a deploy would change on the host now, and why. Nothing is changed by it.

        Raises:
            DeclarationError: what is declared does not pass the checks.
            SecretError: a secret is missing or weak.
            DriverError: Docker or the host refused.
        """
        self.check()
        return self._observe(self.stack())[0]

    def preflight(self) -> tuple[Finding, ...]:
        """What a deploy would meet on the host: all that is looked at, warnings and refusals among it.

        Nothing is changed by it.

        Raises:
            DeclarationError: what is declared does not pass the checks.
            DriverError: Docker or the host refused.
        """
        self.check()
        file = self.tagged
        facts = preflight.read(self.driver, file, self.context, self.folder.path)
        return findings(facts, file, self.environment)

    def probe(self, *urls: str, rate: float = 20) -> Probe:
        """Traffic to this deployment's edge, for `deploy`: ``https://`` is asked, ``wss://`` is held open.

        A host that DNS does not know is looked for on the target, and a local CA is trusted.

        Args:
            urls: whole, with a host of this project.
            rate: requests a second, of all URLs together.

        Raises:
            DeclarationError: a URL is none, or its host is not one of the project.
        """
        return aimed(urls, rate, self.context.hosts, self.environment, self.target)

    def deploy(  # noqa: PLR0913 - its options are by keyword
        self,
        approved: Plan | None = None,
        *,
        timeout: float = 300,
        drain: float = 30,
        lock_wait: float = 0,
        message: str = "",
        probe: Probe | None = None,
    ) -> Report:
        """Bring the host to what is declared, and wait until every service is healthy.

        When a change fails, the release before is restored and the error tells what failed. What went wrong though all
        is deployed and healthy is in the report's ``flaws``.

        Args:
            approved: the plan to carry out; whatever is needed, when left out.
            timeout: seconds that each service may take to become healthy.
            drain: seconds that an old container may take to end its requests.
            lock_wait: seconds to wait for another deploy to end.
            message: what this deploy is for, for the release and for whoever has to wait.
            probe: traffic to send meanwhile; what became of it is told, and in the report.

        Raises:
            SecretError: a secret is missing or weak; nothing was touched.
            LockedError: somebody else is deploying; nothing was touched.
            DeclarationError: the host, or the project, is no longer what the approved plan was made for; or the plan
                holds what is refused, or the hook ``pre-deploy`` does. Nothing was touched.
            UnhealthyServiceError: a service did not become healthy; its last lines are in the error.
            DriverError: Docker or the host refused.
        """
        self.check()
        report = self._report()
        with report.step("secrets", self._tell):
            self.folder.scaffold(self.project)
            stack = self.stack()
            hooks = self._hooks("deploy", message, timeout, stack)
        with report.step("preflight", self._tell):
            preflight.refuse(self.preflight(), self._tell)
        with self._locked(message, lock_wait), around(hooks, report):
            history = self.releases()
            refusals.refuse_stranger(history, self.environment.name)
            with self._probed(probe, report):
                with report.step("images", self._tell):
                    self._provide_images(stack)
                with report.step("plan", self._tell):
                    fresh, wanted = self._observe(stack)
                    refusals.refuse(approved, fresh)
                report.plan = fresh
                rollout = Rollout(self.driver, stack, wanted, timeout, drain, self._tell)
                with report.step("start", self._tell):
                    running.carry_out(rollout, fresh, report, history[0] if history else None, self.stack)
            if is_news(history, wanted, report):
                report.release = record(self.driver, self.folder, wanted, report, message)
            report.flaws += certificates.flaws(self.certificates, timeout, self._tell)
        return report

    def releases(self) -> tuple[Release, ...]:
        """The releases that the host keeps, the newest first."""
        return releases.history(self.driver, self.project.name)

    def rollback(
        self, number: int | None = None, *, timeout: float = 300, drain: float = 30, lock_wait: float = 0
    ) -> Report:
        """Restore a release whole: its file, its images, its texts. Secrets keep their present values, data stays.

        Jobs that run once do not run again, and ``pre-deploy`` does not hold it up.

        Args:
            number: which one; when left out, the one that was deployed before what runs now.
            timeout: seconds that each service may take to become healthy.
            drain: seconds that an old container may take to end its requests.
            lock_wait: seconds to wait for another deploy to end.

        Raises:
            DeclarationError: the host does not keep that release.
            DriverError: Docker or the host refused. A rollback is not rolled back.
        """
        report, stack = self._report(), self.stack()
        message = f"rollback to {number}" if number else "rollback"
        hooks = self._hooks("rollback", message, timeout, stack)
        with self._locked(message, lock_wait), around(hooks, report, before=False):
            history = self.releases()
            refusals.refuse_stranger(history, self.environment.name)
            release = releases.chosen(history, number)
            wanted = Wanted(file=self.file, environment=self.environment.name, hashes={})
            rollout = Rollout(self.driver, stack, wanted, timeout, drain, self._tell)
            with report.step("start", self._tell):
                running.clear_leftovers(self.driver, self.project.name)
                wanted = running.restore(rollout, release, self.stack(release.file), report)
            if is_news(history, wanted, report):
                report.release = record_again(self.driver, release, wanted, report)
        return report

    def forget(self) -> None:
        """Remove the project's releases, and the images that were built for it. Data stays."""
        releases.forget(self.driver, self.project.name)
        file = self.tagged
        for name, service in file.services.items():
            if service.build is not None:
                releases.drop(self.driver, observing.image_of(file, name))

    def stack(self, file: str | None = None) -> Stack:
        """What Docker is given: the file, and the secrets' values in the process that runs Compose alone."""
        secrets = self.folder.secrets(self.context)
        marks = {fingerprint_variable(name): mark for name, mark in fingerprints(secrets).items()}
        given = ComposeFile.loads(file) if file else self.tagged
        return Stack(
            project=self.project.name,
            file=without_waiting(given).to_yaml(),
            directory=self.folder.path,
            secrets=secrets,
            variables=marks,
        )

    def _report(self) -> Report:
        return Report(outcome=f"{self.project.name} is healthy in {self.environment.name}")

    def _observe(self, stack: Stack) -> tuple[Plan, Wanted]:
        wanted = observing.wanted(self.driver, stack, self.tagged, self.environment.name)
        return plan(wanted, observing.observed(self.driver, wanted, self.project.name)), wanted

    def _probed(self, probe: Probe | None, report: Report) -> AbstractContextManager[object]:
        def told(seen: ProbeReport) -> None:
            report.probe = seen
            report.flaws += [f"{seen.lost} of the probe's requests and sockets were lost"] if seen.lost else []
            self._tell(Progress("probe", str(seen), lasting=True))

        return probing(probe, told) if probe else nullcontext()

    @contextmanager
    def _locked(self, message: str, wait: float) -> Generator[None]:
        """Hold the lock; meanwhile `driver` does nothing once the lock is somebody else's."""

        def tell(text: str) -> None:
            self._tell(Progress("lock", text))

        bare = self.driver
        with lock.locked(bare, self.project.name, revision.operator(), message, wait=wait, tell=tell) as fenced:
            self._driver = fenced
            try:
                yield
            finally:
                self._driver = bare

    def _hooks(self, command: str, message: str, timeout: float, stack: Stack) -> Hooks:
        """What runs around a command, and what it is told. A hook that would never run is refused here."""
        facts = {
            "NSELF_COMMAND": command,
            "NSELF_PROJECT": self.project.name,
            "NSELF_ENVIRONMENT": self.environment.name,
            "NSELF_DOMAIN": self.environment.domain,
            "NSELF_HOST": str(self.driver.target),
            "NSELF_WHO": revision.operator(),
            "NSELF_REVISION": revision.revision(self.folder.path)[0],
            "NSELF_MESSAGE": message,
        }
        found, hide = executables(self.folder.path), Redaction(stack.secrets.values())
        return Hooks(self.project.hooks, found, self.folder.path, timeout, self._tell, facts, hide)

    def _provide_images(self, stack: Stack) -> None:
        with ExitStack() as opened:
            here = None
            if self.environment.remote:
                try:
                    here = opened.enter_context(docker.connect(Target()))
                except DriverError:
                    what = "no engine on this machine: images are built and pulled on the host"
                    self._tell(Progress("images", what))
            images.Provider(
                target=self.driver,
                stack=stack,
                file=self.tagged,
                tell=self._tell,
                here=here,
                registry=images.registry_of(self.environment),
            ).provide()
