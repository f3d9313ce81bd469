"""axe-core on a page: what it finds, as sentences."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.base import AXE_SCRIPT

#: WCAG 2.0 to 2.2, A and AA, and what axe counts as good practice.
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
RUN = "async (options) => (await axe.run(document, options)).violations"


def findings(page: Any) -> list[str]:
    """Every violation, of any impact."""
    page.evaluate(AXE_SCRIPT)
    return [
        f"{violation['id']} ({violation['impact']}): {node['html'][:160]}: {node.get('failureSummary', '')}"
        for violation in page.evaluate(RUN, {"resultTypes": ["violations"], "runOnly": TAGS})
        for node in violation["nodes"]
    ]
