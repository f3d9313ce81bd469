"""CircuitPython's name for our display, for libraries that import it; MicroPython only."""

from drivers.displayio import Bitmap, Group, Palette, TileGrid

__all__ = ["Bitmap", "Group", "Palette", "TileGrid"]
