"""A look at a page as it is shown: whether anything is cut off, whether axe-core finds a fault in it, and its
picture, light and dark."""

from pathlib import Path
from typing import Any

from selenium import webdriver

from tests.browser.conftest import ARTIFACTS, ROOT

AXE = ROOT / "tests/browser/node_modules/axe-core/axe.min.js"
THEMES = ("light", "dark")
#: Of axe's four; what is minor or moderate is told by nobody who uses the page.
GRAVE = {"serious", "critical"}
#: Faults of Django's own pages that we leave to Django: the rule, the selector of the element, why.
EXCEPTIONS: dict[tuple[str, str], str] = {}

#: So that no colour is looked at on its way from one theme to the other.
STILL = """
const style = document.createElement("style");
style.textContent = "* { transition: none !important }";
document.head.append(style);
"""
#: How far the page, and lists in it, go on behind their right edge.
CUT_OFF = """
const behindEdge = one => one.scrollWidth - one.clientWidth;
return [document.documentElement, ...document.querySelectorAll(".results")].map(behindEdge);
"""
RUN = """
const done = arguments[arguments.length - 1];
axe.run(document, {resultTypes: ["violations"]}).then(
    found => done(found.violations),
    error => done(String(error)),
);
"""


def look(browser: webdriver.Chrome, name: str) -> None:
    """Asserts that the page has no grave fault in either theme; leaves a picture of each."""
    faults = [f"{pixels} pixels are cut off" for pixels in browser.execute_script(CUT_OFF) if pixels]
    browser.execute_script(STILL)
    for theme in THEMES:
        browser.execute_script("document.documentElement.dataset.theme = arguments[0]", theme)
        browser.save_screenshot(str(ARTIFACTS / f"{name}-{theme}.png"))
        faults += [f"{theme}: {fault}" for fault in find_faults(browser)]
    assert not faults, f"{name}, {browser.current_url}:\n" + "\n".join(faults)


def find_faults(browser: webdriver.Chrome) -> list[str]:
    if not browser.execute_script("return typeof axe !== 'undefined'"):
        assert AXE.exists(), "axe-core is missing: make test-browser fetches it"
        browser.execute_script(Path(AXE).read_text())
    violations: Any = browser.execute_async_script(RUN)
    assert isinstance(violations, list), violations
    return [
        f"{violation['id']} ({violation['impact']}): {' '.join(node['target'])}: {node['failureSummary']}"
        for violation in violations
        if violation["impact"] in GRAVE
        for node in violation["nodes"]
        if (violation["id"], str(node["target"][-1])) not in EXCEPTIONS
    ]
