"""How often each sector of the flash was erased, and which of them are worn out.

A sector that was erased more often than flash lives (data sheets: 100,000 times), or that was picked to fail,
keeps one byte at zero from its next erase on: whoever reads back what was programmed sees it. The counts lie
in ``wear.json`` of the profile; what came since the last orderly end or power cut of the board is lost with a
simulator that is killed.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

LIFE = 100_000
"""Erases that a sector lives, by the data sheets of NOR flash."""
PARTS = ("files", "journal")
"""Partitions by their number in the messages: the file system's, the journal's."""
IMAGES = ("flash.img", "journal.img")
SECTOR_BYTES = 4096


class Wear:
    """The flash of one profile."""

    def __init__(self, profile: Path) -> None:
        self._file = profile / "wear.json"
        stored: dict[str, Any] = json.loads(self._file.read_text("utf-8")) if self._file.exists() else {}
        self.life: int = stored.get("life", LIFE)
        self._counts: list[list[int]] = []
        self._worn: list[set[int]] = []
        for part, image in zip(PARTS, IMAGES, strict=True):
            sectors = _sectors(profile / image)
            counts = list(stored.get("erases", {}).get(part, ()))[:sectors]
            self._counts.append(counts + [0] * (sectors - len(counts)))
            self._worn.append({sector for sector in stored.get("worn", {}).get(part, ()) if sector < sectors})
        self._next = [False] * len(PARTS)
        self._changed = False

    def erased(self, unit: int, sector: int) -> bool:
        """A sector was erased; whether it is worn out now. Raises ValueError for one that is not there."""
        if unit >= len(PARTS) or sector >= len(self._counts[unit]):
            raise ValueError(f"no sector {sector} in partition {unit}")
        counts, worn = self._counts[unit], self._worn[unit]
        counts[sector] += 1
        if counts[sector] > self.life or self._next[unit]:
            worn.add(sector)
            self._next[unit] = False
        self._changed = True
        return sector in worn

    def wear_out_next(self, part: str) -> None:
        """The next sector of a part (one of PARTS) that is erased fails from then on. Raises ValueError."""
        if part not in PARTS:
            raise ValueError(f"the flash has no part {part!r}")
        self._next[PARTS.index(part)] = True

    def heal(self) -> None:
        """A new chip in the old one's place: nothing is worn, the counts begin anew."""
        for counts, worn in zip(self._counts, self._worn, strict=True):
            counts[:] = [0] * len(counts)
            worn.clear()
        self._next = [False] * len(PARTS)
        self.life = LIFE
        self._changed = True
        self.save()

    def summary(self) -> dict[str, dict[str, int]]:
        """By part: sectors, erases in all, the most of one sector, and how many are worn out."""
        return {
            part: {
                "sectors": len(counts),
                "erases": sum(counts),
                "most": max(counts, default=0),
                "worn": len(worn),
            }
            for part, counts, worn in zip(PARTS, self._counts, self._worn, strict=True)
        }

    def picture(self) -> dict[str, dict[str, list[int]]]:
        """By part: erases of each sector, and the worn ones."""
        return {
            part: {"erases": list(counts), "worn": sorted(worn)}
            for part, counts, worn in zip(PARTS, self._counts, self._worn, strict=True)
        }

    def save(self) -> None:
        """Keep the counts in the profile."""
        if not self._changed:
            return
        self._changed = False
        state = {
            "life": self.life,
            "erases": dict(zip(PARTS, self._counts, strict=True)),
            "worn": dict(zip(PARTS, (sorted(worn) for worn in self._worn), strict=True)),
        }
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps(state), "utf-8")
        new.replace(self._file)


def _sectors(image: Path) -> int:
    return image.stat().st_size // SECTOR_BYTES if image.exists() else 0
