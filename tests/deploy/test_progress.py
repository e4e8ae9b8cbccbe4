"""What a deploy tells, as somebody reads it who prints it or looks at it in a notebook."""

from __future__ import annotations

from nself_sdk.deploy import Progress, Report, Step
from nself_sdk.plan import Plan


def test_progress_is_one_line() -> None:
    assert str(Progress("start", "healthy", "nginx")) == "start nginx: healthy"
    assert str(Progress("images", " Container shop-redis-1  Started", raw=True)) == (
        "images: Container shop-redis-1  Started"
    )


def test_a_report_reads_as_the_command_line_prints_it() -> None:
    done = Report(outcome="shop is healthy in dev", steps=[Step("plan", 0.5), Step("start", 12)])
    assert str(done) == "shop is healthy in dev after 12.5 s (plan 0.5 s, start 12.0 s)"
    done.plan = Plan(project="shop", environment="dev", host="this machine", changes=(), wanted="", basis="")
    assert str(done).splitlines()[0] == "shop in dev on this machine: nothing to change, 0 services are as declared"


def test_a_report_in_a_notebook_says_also_what_went_wrong_beside_it() -> None:
    shown = Report(flaws=["post-deploy: <1>"])._repr_html_()
    assert shown == "<pre>healthy after 0.0 s ()\nbut: post-deploy: &lt;1&gt;</pre>"
