from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browsers import Page, opened_browser
from fake_studies import hostile_plan, write_study

from ablate.report import write_page
from ablate.report.study_report import read_report
from ablate.store import FAILED, StudyFolder

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

PICTURE = '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="30"><rect width="40" height="30"/></svg>'


@pytest.fixture(scope="session")
def worst(tmp_path_factory: pytest.TempPathFactory) -> StudyFolder:
    """A study with hostile names, failed and waiting runs, a figure and diagrams, and its page."""
    plan = hostile_plan()
    study = write_study(tmp_path_factory.mktemp("worst") / "worst", plan, states=["finished"] * 5 + [FAILED, "waiting"])
    for folder, names in (("figures", ["effects"]), ("diagrams", [cell.name for cell in plan.cells[:2]])):
        (study.path / folder).mkdir()
        for name in names:
            (study.path / folder / f"{name}.svg").write_text(PICTURE)
    (study.figures / "captions.md").write_text('**effects**: Bars & "whiskers" <of> it.\n\n**gone**: left out.\n')
    write_page(study.page, [read_report(study)])
    return study


@pytest.fixture(scope="session")
def browser() -> Iterator[Chrome]:
    pytest.importorskip("selenium", reason="selenium is not installed")
    if shutil.which("chromium") is None or shutil.which("chromedriver") is None:
        pytest.skip("chromium and chromedriver are not installed")
    with opened_browser() as driver:
        yield driver


@pytest.fixture
def opened(browser: Chrome, request: pytest.FixtureRequest) -> Iterator[Callable[..., Page]]:
    """Opens a page at a width, in the light or in the dark."""

    def open_page(path: Path, width: int = 1280, scheme: str = "light") -> Page:
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": features})
        page = Page(browser)
        page.open(path)
        return page

    yield open_page
    if "still" not in request.fixturenames:
        browser.get("data:,")
        browser.execute_cdp_cmd("Storage.clearDataForOrigin", {"origin": "file://", "storageTypes": "all"})


@pytest.fixture
def still(browser: Chrome, worst: StudyFolder, opened: Callable[..., Page]) -> Page:
    """The page of the worst study for a test that only looks; opened once for all of them in a row."""
    page = Page(browser)
    if browser.current_url != worst.page.absolute().as_uri() or not page.get("window.still"):
        page = opened(worst.page)
        page.run("window.still = true")
    return page
