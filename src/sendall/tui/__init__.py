"""The full-screen application: rooms, timeline, members and a composer, in one terminal.

Three layers, each of which knows only those before it: what is going on (`hall`, `open_room`, `past`,
`profile`, `completion`, `commands`: no Textual), how it is drawn (`drawing`: text and styles in, rows
out), and the widgets, which draw the first with the second and tell keys and clicks as messages. Sits
above `client` and below `cli`; knows no wire and no keys. Importing it is slow (Textual), so commands
import it when they open it.
"""
