"""Log lines as JSON, one a line. What went wrong is told by its type and where, never by values."""

from __future__ import annotations

import json
import logging
import sys
import time
import traceback
from pathlib import Path


class JsonLines(logging.Formatter):
    """``{"time", "level", "logger", "message"}``; with an error its type and the lines it came through."""

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        said: dict[str, object] = {
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created)),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info and record.exc_info[0] is not None:
            said["error"] = record.exc_info[0].__name__
            frames = traceback.extract_tb(record.exc_info[2])[-12:]
            said["at"] = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames]
        return json.dumps(said, ensure_ascii=False)


def log_as_json() -> None:
    """Have this process log so, to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
