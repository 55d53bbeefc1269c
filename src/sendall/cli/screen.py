"""A room in a terminal, line by line: what is said scrolls by, the line being typed stays whole below.

Built on prompt-toolkit without its full-screen mode: the rows at the bottom are ours (what is not
confirmed, the line being typed, the state), everything above is the terminal's own scroll-back.
Arriving lines are printed in bursts, each of which redraws our rows once. Holds no rule of a room.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta

from prompt_toolkit import print_formatted_text
from prompt_toolkit.application import Application, get_app_session
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.filters import Condition
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout import BufferControl, ConditionalContainer, FormattedTextControl, HSplit, Layout, Window
from prompt_toolkit.layout.processors import BeforeInput
from prompt_toolkit.output import Output
from prompt_toolkit.output.vt100 import Vt100_Output
from prompt_toolkit.styles import Style

from sendall.cli.lines import Line, line_of, notice, quoted, warning
from sendall.cli.status import Status
from sendall.cli.typed import HELP, Command, meaning
from sendall.client.client import Room
from sendall.client.events import Alarm, Lost, Pending
from sendall.errors import SecurityAlarm, SendallError

BURST_S = 0.02
"""How long a line waits for others, to be printed with them."""
REDRAW_S = 0.5
UNCONFIRMED_AFTER = timedelta(seconds=1)
UNCONFIRMED_ROWS = 3

STYLE = Style.from_dict(
    {
        "time": "ansibrightblack",
        "notice": "ansibrightblack",
        "warning": "ansiyellow",
        "alarm": "bold ansired",
        "state": "reverse",
        "nick0": "ansicyan",
        "nick1": "ansigreen",
        "nick2": "ansiyellow",
        "nick3": "ansiblue",
        "nick4": "ansimagenta",
        "nick5": "ansired",
    }
)


class Screen:
    """The terminal of one room.

    Args:
        server_words: eight words, to be compared with those that the server shows.
        why_stay: called when the person wants to leave; a sentence it returns is told, once, instead of leaving.
    """

    def __init__(self, room: Room, server_words: str, why_stay: Callable[[], str] = lambda: "") -> None:
        self._room = room
        self._server_words = server_words
        self._why_stay = why_stay
        self._status = Status(room.name, room.kind_line)
        self._alarm: SecurityAlarm | None = None
        self._lines: list[Line] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._buffer = Buffer(accept_handler=self._accept, multiline=False)
        self._output = _output()
        self._app: Application[None] = Application(
            layout=Layout(self._rows()),
            key_bindings=self._keys(),
            style=STYLE,
            output=self._output,
            erase_when_done=True,
            refresh_interval=REDRAW_S,
        )

    async def run(self) -> None:
        """Show the room and take lines until `exit`, Ctrl-C or Ctrl-D.

        Raises:
            SecurityAlarm: the room is not what it was; raised when the person, who was told, leaves.
            SendallError: the room cannot be followed any more.
        """
        self.tell(notice(f"{self._room.name}: {self._room.kind_line}; exit leaves, /help tells more"))
        self.tell(notice(f"server: {self._server_words}"))
        self._start(self._follow())
        try:
            await self._app.run_async()
        finally:
            for task in self._tasks:
                task.cancel()
            self._print()
        if self._alarm is not None:
            raise self._alarm

    def tell(self, line: Line) -> None:
        """Print a line above the one being typed, soon."""
        if not self._lines:
            asyncio.get_running_loop().call_later(BURST_S, self._print)
        self._lines.append(line)

    def _print(self) -> None:
        if self._lines:
            pieces = [piece for line in self._lines for piece in (*line, ("", "\n"))]
            self._lines.clear()
            print_formatted_text(FormattedText(pieces), style=STYLE, output=self._output, end="")

    async def _follow(self) -> None:
        async for event in self._room.events():
            was_away = self._status.is_away
            self._status.note(event, time.monotonic())
            if isinstance(event, Alarm):
                self._alarm = event.alarm
            line = line_of(event, datetime.now().astimezone().date())
            # One line for an outage, however many attempts it takes; the state row counts down to the next.
            if line is not None and not (was_away and isinstance(event, Lost)):
                self.tell(line)
            self._app.invalidate()

    def _accept(self, buffer: Buffer) -> bool:
        """Take the line at Enter; prompt-toolkit empties it unless this returns True."""
        match meaning(buffer.text):
            case Command.NOTHING:
                pass
            case Command.EXIT:
                self._leave()
            case Command.HELP:
                for row in HELP.splitlines():
                    self.tell(notice(row))
            case Command.SEND_HELD:
                self._start(self._room.send_held())
            case Command.DISCARD_HELD:
                self._start(self._room.discard_held())
            case Command.UNKNOWN:
                self.tell(warning(f"{buffer.text.split()[0]} is no command; /help lists them, // sends it"))
                return True
            case str(text):
                return not self._post(text)
        return False

    def _post(self, text: str) -> bool:
        try:
            self._room.post_nowait(text)
        except (ValueError, SendallError) as error:
            self.tell(warning(str(error)))
            return False
        return True

    def _leave(self) -> None:
        sentence = self._why_stay()
        self._why_stay = lambda: ""
        if sentence:
            self.tell(warning(sentence))
        elif not self._app.is_done:
            self._app.exit()

    def _start(self, work: Coroutine[None, None, None]) -> None:
        """Run `work` beside the screen; if it fails, so does `run`."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) and not self._app.is_done:
            self._app.exit(exception=error)

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()

        @keys.add("c-c")
        @keys.add("c-d")
        def _(_event: KeyPressEvent) -> None:
            self._leave()

        return keys

    def _rows(self) -> HSplit:
        unconfirmed = Window(FormattedTextControl(self._unconfirmed), dont_extend_height=True)
        typed = BufferControl(self._buffer, input_processors=[BeforeInput("> ")])
        return HSplit(
            [
                ConditionalContainer(unconfirmed, Condition(lambda: bool(self._late()))),
                Window(typed, dont_extend_height=True, wrap_lines=True),
                Window(FormattedTextControl(self._state), height=1, style="class:state"),
            ]
        )

    def _late(self) -> list[Pending]:
        """Return what is on its way for longer than a second, the oldest first."""
        return [each for each in self._room.unconfirmed if datetime.now(UTC) - each.written > UNCONFIRMED_AFTER]

    def _unconfirmed(self) -> FormattedText:
        late = self._late()
        rows = [f"not confirmed: {quoted(each)}" for each in late[:UNCONFIRMED_ROWS]]
        if len(late) > UNCONFIRMED_ROWS:
            rows.append(f"not confirmed: {len(late) - UNCONFIRMED_ROWS} more")
        return FormattedText([("class:warning", "\n".join(rows))])

    def _state(self) -> FormattedText:
        return FormattedText([("", f" {self._status.row(time.monotonic(), len(self._room.unconfirmed))}")])


def _output() -> Output:
    output = get_app_session().output
    if isinstance(output, Vt100_Output):
        # Do not ask where the cursor is: some terminals never answer, others amid what is being typed.
        output.enable_cpr = False
    return output
