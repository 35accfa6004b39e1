"""The program's log: how a line looks, and a thread of its own that writes it.

Whoever logs only leaves the line in a bounded queue, as standard error may be a pipe that nobody reads. Where
the queue is full the line is dropped and counted, and the log says so once it is written again.
"""

import json
import logging
import time
from logging.handlers import QueueHandler, QueueListener
from queue import Full, Queue

from kubia_pet.limits import LOG_FLUSH_TIME, MAX_LOG_LINE, MAX_LOG_LINES

RELAYED = logging.getLogger("kubia_pet.relayed")
"""For lines of another process, which are whole already."""


class TextFormatter(logging.Formatter):
    """2026-11-23T16:05:24.123Z INFO sentence."""

    converter = staticmethod(time.gmtime)
    default_time_format = "%Y-%m-%dT%H:%M:%S"
    default_msec_format = "%s.%03dZ"

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)s %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        return _cut(record.getMessage() if record.name == RELAYED.name else super().format(record))


class JsonFormatter(TextFormatter):
    """One JSON object a line: time, level, logger, message, and the traceback where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        members = {
            "time": self.formatTime(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": _cut(record.getMessage()),
        }
        if record.exc_info:
            members["traceback"] = _cut(self.formatException(record.exc_info))
        return json.dumps(members, ensure_ascii=False)


class _Handler(QueueHandler):
    """Leaves each line, formatted, in the queue; counts those that have no room there."""

    queue: "Queue[logging.LogRecord]"
    dropped = 0

    def enqueue(self, record: logging.LogRecord) -> None:
        """Called under the handler's lock."""
        try:
            self.queue.put_nowait(record)
        except Full:
            self.dropped += 1


class _Writer(QueueListener):
    """The thread that writes the lines."""

    def __init__(self, handler: _Handler) -> None:
        super().__init__(handler.queue, logging.StreamHandler())
        self._handler = handler
        self._said = 0

    def handle(self, record: logging.LogRecord) -> None:
        """Writes a line, and after the last that waited how many were dropped."""
        super().handle(record)
        unsaid = self._handler.dropped - self._said
        if unsaid and self._handler.queue.empty():
            self._said += unsaid
            sentence = f"{unsaid} lines of the log were dropped: nobody took them in time"
            notice = logging.LogRecord(__name__, logging.WARNING, "", 0, sentence, None, None)
            super().handle(self._handler.prepare(notice))


_handler = _Handler(Queue(MAX_LOG_LINES))


def configure(style: str, level: str) -> None:
    """Sends the program's log to standard error as `text` or `json`, from `level` up. To be called once."""
    _handler.setFormatter(JsonFormatter() if style == "json" else TextFormatter())
    logging.basicConfig(level=level.upper(), handlers=[_handler], force=True)
    logging.getLogger("asyncio").setLevel(max(logging.INFO, logging.getLogger().level))
    _Writer(_handler).start()


def dropped() -> int:
    """How many lines were."""
    return _handler.dropped


def flush() -> None:
    """Returns when all lines are written, after LOG_FLUSH_TIME at the latest."""
    lines = _handler.queue
    with lines.all_tasks_done:
        lines.all_tasks_done.wait_for(lambda: not lines.unfinished_tasks, LOG_FLUSH_TIME)


def _cut(text: str) -> str:
    """The text without its middle where it is too long: a traceback says most at its ends."""
    half = MAX_LOG_LINE // 2
    return text if len(text) <= MAX_LOG_LINE else f"{text[: half - 1]}…{text[-half:]}"
