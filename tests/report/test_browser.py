"""The page as a person meets it: in a browser without a network."""

from __future__ import annotations

import base64
import itertools
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from browsers import Page
from fake_studies import ERROR, HOSTILE, QUOTED, grid_plan, write_study

from ablate.report import summary_of, write_page
from ablate.report.charts import forest_data
from ablate.report.study_report import read_report
from ablate.store import StudyFolder

if TYPE_CHECKING:
    from selenium.webdriver import Chrome

Opened = Callable[..., Page]


def test_it_opens_in_peace(opened: Opened, worst: StudyFolder) -> None:
    page = opened(worst.page)
    assert page.driver.get_log("browser") == []
    asked = page.requests()
    assert {address.partition(":")[0] for address in asked} <= {"file", "data"}
    assert [address for address in asked if address.startswith("file")] == [worst.page.absolute().as_uri()]
    assert page.all("main, header nav, footer", "tagName") == ["NAV", "MAIN", "FOOTER"]
    assert page.all(".chart svg.main-svg:first-child", "clientWidth > 600") == [True, True]


AT_READY = """
addEventListener('DOMContentLoaded', () => new MutationObserver(() => {
  window.atReady ||= [document.querySelectorAll('.chart:empty').length, document.documentElement.scrollHeight];
}).observe(document.documentElement, {attributeFilter: ['data-ready']}));
"""


def test_charts_out_of_sight_come_later_and_move_nothing(opened: Opened, browser: Chrome, worst: StudyFolder) -> None:
    watch = browser.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": AT_READY})
    try:
        page = opened(worst.page)
    finally:
        browser.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument", watch)
    undrawn, height = page.get("window.atReady")
    assert undrawn > 0
    assert page.all(".chart", "childElementCount > 0") == [True, True]
    assert page.get("document.documentElement.scrollHeight") == height


def test_hostile_names_are_text(still: Page) -> None:
    page = still
    assert page.get("document.title") == "worst – ablation study"
    assert page.get("document.querySelectorAll('img[src=x]').length") == 0
    cells = page.all("#s1-effects tbody th")
    assert f"w/o {HOSTILE}" in cells and f"{QUOTED}=two" in cells
    ticks = page.get("[...document.querySelectorAll('[data-chart=forest] .ytick text')].map(text => text.textContent)")
    assert {"".join(HOSTILE.split()), "".join(f"{QUOTED}=two".split())} <= {
        "".join(tick.replace("w/o", "").split()) for tick in ticks
    }
    assert f"w/o {HOSTILE}" in [label.strip() for label in page.all(".cells label")]
    assert page.all("#s1-failures tbody td:nth-of-type(3)") == [ERROR]


def test_a_head_sorts_and_sorts_back(opened: Opened, worst: StudyFolder) -> None:
    page = opened(worst.page)
    head = "#s1-runs thead th:nth-child(5)"
    assert page.all(f"{head} button") == ["test_accuracy"]
    page.click(f"{head} button")
    up = page.all("#s1-runs tbody tr td:nth-of-type(4)", "dataset.value")
    numbers = [float(value) for value in up if value is not None]
    assert numbers == sorted(numbers) and len(numbers) == 22
    assert up[-2:] == [None, None]  # what is missing stays at the end
    assert page.all(head, "getAttribute('aria-sort')") == ["ascending"]
    page.click(f"{head} button")
    down = page.all("#s1-runs tbody tr td:nth-of-type(4)", "dataset.value")
    assert [float(value) for value in down if value is not None] == numbers[::-1]
    assert down[-2:] == [None, None]
    assert page.all(head, "getAttribute('aria-sort')") == ["descending"]


def test_runs_are_filtered_by_words_and_state(opened: Opened, worst: StudyFolder) -> None:
    page = opened(worst.page)
    assert page.all(".shown") == ["24 of 24 runs"]
    page.run(
        "const box = document.querySelector('input[type=search]'); box.value = 'RESIDUAL 2'; "
        "box.dispatchEvent(new Event('input', {bubbles: true}))"
    )
    shown = page.get("[...document.querySelectorAll('#s1-runs tbody tr')].filter(row => !row.hidden).length")
    assert page.all(".shown") == [f"{shown} of 24 runs"]
    assert 0 < shown < 5
    page.run(
        "const box = document.querySelector('input[type=search]'); box.value = ''; "
        "box.dispatchEvent(new Event('input', {bubbles: true})); "
        "const states = box.closest('.controls').querySelector('select'); states.value = 'failed'; "
        "states.dispatchEvent(new Event('change', {bubbles: true}))"
    )
    assert page.all(".shown") == ["1 of 24 runs"]
    assert page.all("#s1-runs tbody tr:not([hidden]) .links a") == ["log"]


def test_the_switches_of_the_curves(opened: Opened, worst: StudyFolder) -> None:
    page = opened(worst.page)
    chart = "document.querySelector('[data-chart=curves] .chart')"
    assert page.lines("curves") == 12  # six cells, each with line and band
    page.click(".cells input[value='1']")
    assert page.lines("curves") == 10
    page.click("[data-cells=none]")
    assert page.lines("curves") == 0
    page.click("[data-cells=all]")
    page.click("[data-option=band]")
    assert page.lines("curves") == 6
    page.click("[data-option=train]")
    assert page.lines("curves") == 12
    page.click("[data-option=single]")
    assert page.lines("curves") == 12 + 2 * 22
    assert page.get(f"{chart}.layout.yaxis.type") == "linear"
    page.click("[data-option=log]")
    assert page.get(f"{chart}.layout.yaxis.type") == "log"
    page.run(
        "const choice = document.querySelector('[data-option=metric]'); choice.value = 'loss'; "
        "choice.dispatchEvent(new Event('input', {bubbles: true}))"
    )
    assert page.get(f"{chart}.layout.yaxis.title.text") == "loss"
    rough = page.get(f"{chart}.data.at(-1).y")
    page.run(
        "const slider = document.querySelector('[data-option=smooth]'); slider.value = 0.8; "
        "slider.dispatchEvent(new Event('input', {bubbles: true}))"
    )
    smooth = page.get(f"{chart}.data.at(-1).y")
    assert smooth[0] == rough[0] and smooth[1] == pytest.approx(0.8 * rough[0] + 0.2 * rough[1])
    assert page.driver.get_log("browser") == []


def test_the_forest_shows_intervals_verdicts_and_seeds(opened: Opened, worst: StudyFolder) -> None:
    page = opened(worst.page)
    chart = "document.querySelector('[data-chart=forest] .chart')"
    summary = summary_of(worst)
    order = [row["cell"] for row in forest_data(summary)["rows"]]
    effects = summary.effects.set_index("cell").loc[order]
    assert len(effects) == len(summary.effects)
    drawn = page.get(f"{chart}.data.at(-1).x")
    assert drawn == pytest.approx(effects["difference"].tolist(), rel=1e-3)
    ends = page.get(f"{chart}.data.at(-1).error_x.array")
    assert ends == pytest.approx((effects["high"] - effects["difference"]).tolist(), rel=1e-2)
    assert page.get(f"{chart}.layout.shapes[0].x1") == 0.01
    assert page.lines("forest") == 2
    page.click("[data-option=seeds]")
    assert page.lines("forest") == 1


def test_the_forest_of_one_small_difference_keeps_to_its_size(opened: Opened, tmp_path: Path) -> None:
    study = write_study(tmp_path / "one", grid_plan(1, 1))
    write_page(study.page, [read_report(study)])
    low, high = opened(study.page).get("document.querySelector('[data-chart=forest] .chart')._fullLayout.xaxis.range")
    (difference,) = summary_of(study).effects["difference"]
    assert low <= difference < 0 <= high
    assert high - low < 2 * abs(difference)


def test_light_and_dark(opened: Opened, worst: StudyFolder) -> None:
    page = opened(worst.page, scheme="dark")
    colour = "getComputedStyle(document.body).backgroundColor"
    assert page.get(colour) == "rgb(20, 23, 27)"
    assert page.get("document.querySelector('[data-chart=curves] .chart').layout.font.color") == "#e8eaed"
    page.click(".theme")
    assert page.all(".theme") == ["Theme: light"]
    assert page.get(colour) == "rgb(255, 255, 255)"
    page.wait("document.querySelector('[data-chart=curves] .chart').layout.font.color === '#1b1f24'")
    page = opened(worst.page, scheme="dark")
    assert page.get(colour) == "rgb(255, 255, 255)"  # the choice is remembered
    page.click(".theme")
    assert page.all(".theme") == ["Theme: dark"]
    page.click(".theme")
    assert page.all(".theme") == ["Theme: system"]


CONTRAST = """
const light = text => {
  const parts = text.match(/[\\d.]+/g).slice(0, 3).map(part => part / 255)
    .map(part => part <= .04045 ? part / 12.92 : ((part + .055) / 1.055) ** 2.4);
  return .2126 * parts[0] + .7152 * parts[1] + .0722 * parts[2];
};
const behind = element => {
  for (; element; element = element.parentElement) {
    const colour = getComputedStyle(element).backgroundColor;
    if (!/, 0\\)$/.test(colour)) return light(colour);
  }
  return 1;
};
return [...document.querySelectorAll('p, li, dt, dd, th, td, caption, a, .chip, figcaption, button, label')]
  .filter(element => element.offsetParent && element.textContent.trim())
  .map(element => {
    const [a, b] = [light(getComputedStyle(element).color), behind(element)].sort((x, y) => y - x);
    return [(a + .05) / (b + .05), element.tagName + ' ' + element.className];
  }).filter(([ratio]) => ratio < 4.5);
"""


def test_all_words_stand_out_from_their_ground(still: Page) -> None:
    assert still.run(CONTRAST) == []


def test_all_words_stand_out_in_the_dark(opened: Opened, worst: StudyFolder) -> None:
    assert opened(worst.page, scheme="dark").run(CONTRAST) == []


def test_everything_can_be_reached_by_keyboard(opened: Opened, worst: StudyFolder) -> None:
    from selenium.webdriver.common.keys import Keys

    page = opened(worst.page)
    focused = page.driver.switch_to.active_element
    focused.send_keys(Keys.TAB)
    assert page.driver.switch_to.active_element.text == "Skip to the content"
    seen = []
    for _ in range(40):
        page.driver.switch_to.active_element.send_keys(Keys.TAB)
        seen.append(page.get("document.activeElement.dataset.option || document.activeElement.className"))
    assert {"theme", "seeds", "sorted", "metric", "validation", "train", "smooth"} <= set(seen)
    page.run("document.querySelector('[data-option=band]').focus()")
    page.driver.switch_to.active_element.send_keys(Keys.SPACE)
    assert page.lines("curves") == 6
    page.run("document.querySelector('#s1-runs thead button').focus()")
    page.driver.switch_to.active_element.send_keys(Keys.ENTER)
    assert page.all("#s1-runs thead th:first-child", "getAttribute('aria-sort')") == ["ascending"]


def test_pictures_have_words_and_controls_have_labels(still: Page) -> None:
    page = still
    assert page.all("img", "alt") == [
        'Bars & "whiskers" <of> it.',
        "Diagram of the full network.",
        "Diagram of the network of the cell w/o residual.",
    ]
    assert page.all("img", "naturalWidth > 0") == [True] * 3
    assert all(page.all("[role=img]", "getAttribute('aria-label')"))
    assert all(page.all("input, select", "labels.length > 0"))
    assert page.all("table", "caption !== null") == [True] * page.get("document.querySelectorAll('table').length")
    levels = page.all("h1, h2, h3", "tagName")
    assert levels[0] == "H1" and all(b <= a or int(b[1]) == int(a[1]) + 1 for a, b in itertools.pairwise(levels))


def test_nothing_sticks_out_of_a_phone(opened: Opened, worst: StudyFolder) -> None:
    page = opened(worst.page, width=390)
    assert page.get("document.documentElement.scrollWidth") == 390
    assert page.all(".chart svg.main-svg:first-child", "clientWidth <= 390") == [True, True]


def test_links_lead_to_the_files_of_a_run(still: Page) -> None:
    page = still
    links = page.all("#s1-runs .links a, .files a, .plain a", "href")
    assert len(links) > 40
    assert not [link for link in links if not Path(page_path(link)).exists()]


def page_path(address: str) -> str:
    from urllib.parse import unquote, urlparse

    return unquote(urlparse(address).path)


@pytest.mark.skipif(shutil.which("pdftotext") is None, reason="pdftotext is not installed")
def test_on_paper_it_is_light_and_whole(opened: Opened, worst: StudyFolder, tmp_path: Path) -> None:
    page = opened(worst.page, scheme="dark")
    pdf = page.driver.execute_cdp_cmd("Page.printToPDF", {"printBackground": True})
    (tmp_path / "page.pdf").write_bytes(base64.b64decode(pdf["data"]))
    done = subprocess.run(["pdftotext", "-layout", tmp_path / "page.pdf", "-"], capture_output=True, check=True)
    text = done.stdout.decode()
    assert len(re.findall(r"finished +[–\d]", text)) == 22  # all runs, although the screen shows a window on them
    assert "Theme" not in text and "Smoothing" not in text
    assert HOSTILE in text  # in what is folded away on the screen
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    assert page.get("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.wait("document.querySelector('[data-chart=forest] .chart').layout.font.color === '#1b1f24'")


def test_a_live_page_comes_back_as_it_was_left(opened: Opened, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ablate.report.page._RELOAD_SECONDS", 3600)  # not by itself, between two lines of this test
    study = write_study(tmp_path / "live", grid_plan(2, 3), states=["waiting"] * 4)
    part = read_report(study)
    write_page(study.page, [part], live=True)
    page = opened(study.page)
    assert page.get("document.body.dataset.live") == "3600"
    page.click(".cells input[value='2']")
    page.click("[data-option=log]")
    page.click("#s1-runs thead th:nth-child(2) button")
    page.run("scrollTo(0, 900)")
    (study.page).write_text(study.page.read_text().replace("4 waiting", "3 waiting"))
    page.run("document.documentElement.dataset.ready = ''; location.reload()")
    page.wait("document.documentElement.dataset.ready")
    assert "3 waiting" in page.all(".progress p")[0]
    assert page.all(".cells input", "checked")[2] is False
    assert page.get("document.querySelector('[data-chart=curves] .chart').layout.yaxis.type") == "log"
    assert page.all("#s1-runs thead th:nth-child(2)", "getAttribute('aria-sort')") == ["ascending"]
    assert page.get("scrollY") == 900


def test_several_studies_side_by_side(opened: Opened, worst: StudyFolder, tmp_path: Path) -> None:
    other = write_study(tmp_path / "other", grid_plan(2, 3))
    path = tmp_path / "both.html"
    write_page(path, [read_report(study) for study in (worst, other)])
    page = opened(path)
    assert page.driver.get_log("browser") == []
    assert page.all("article > h1") == ["worst", "grid"]
    assert page.all(".overview h2") == ["worst", "grid"]
    assert page.get("document.querySelectorAll('[id]').length") == len(set(page.all("[id]", "id")))
    assert page.all(".chart svg.main-svg:first-child", "clientWidth > 600") == [True] * 4
    links = page.all(".links a", "href")
    assert not [link for link in links if not Path(page_path(link)).exists()]
