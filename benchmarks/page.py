"""How long a browser takes to open the page of a study of 500 runs.

    python benchmarks/page.py [--cells 10 25 100] [--runs 500] [--rounds 5]

Each opening is a Chromium of its own with an empty profile, so that nothing is left from the one before. Milliseconds
from the start of the navigation until something is painted, until the page can be read and clicked, and until all
interactive charts are drawn; those out of sight follow when the browser has nothing else to do. Needs chromium,
chromedriver and the ``dev`` extra.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path += [str(ROOT / "benchmarks"), str(ROOT / "tests" / "report")]

from browsers import opened_browser  # noqa: E402
from collect import make  # noqa: E402

from ablate.store import StudyFolder  # noqa: E402

EPOCHS = 100
WATCH = """
const charts = () => [...document.querySelectorAll(".chart-box:not([hidden]) > .chart")];
const undrawn = () => charts().some(one => !one.children.length);
const look = () => {
  if (document.documentElement?.dataset.ready && !undrawn()) window.allDrawn = performance.now();
  else setTimeout(look, 5);
};
look();
"""
TIMES = """
const [navigation] = performance.getEntriesByType("navigation");
const [paint] = performance.getEntriesByType("paint").filter(one => one.name === "first-contentful-paint");
return window.allDrawn && paint ? [paint.startTime, navigation.domInteractive, window.allDrawn] : null;
"""


def opened(page: Path) -> list[float]:
    """Milliseconds until first paint, interactive, all charts drawn."""
    from selenium.webdriver.support.ui import WebDriverWait

    with opened_browser() as driver:
        driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": WATCH})
        driver.get(page.absolute().as_uri())
        found: list[float] = WebDriverWait(driver, 60, 0.1).until(lambda one: one.execute_script(TIMES))
        return found


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cells", type=int, nargs="+", default=[10, 25, 100])
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        pages = {}
        for cells in asked.cells:
            study = StudyFolder(Path(place) / f"cells{cells}")
            make(study, cells, asked.runs // cells, EPOCHS)
            subprocess.run(
                [sys.executable, "-m", "ablate", "report", study.path], check=True, stdout=subprocess.DEVNULL
            )
            pages[cells] = study.page
        found: dict[int, list[list[float]]] = {cells: [] for cells in pages}
        for _ in range(asked.rounds):
            for cells, page in pages.items():
                found[cells].append(opened(page))
        print(f"{asked.runs} runs of {EPOCHS} epochs, milliseconds, medians of {asked.rounds} openings")
        print(f"{'cells':>6}{'MB':>7}{'first paint':>13}{'interactive':>13}{'all charts':>12}")
        for cells, times in found.items():
            paint, interactive, drawn = (statistics.median(one) for one in zip(*times, strict=True))
            size = pages[cells].stat().st_size / 1e6
            print(f"{cells:6}{size:7.2f}{paint:13.0f}{interactive:13.0f}{drawn:12.0f}")


if __name__ == "__main__":
    main()
