"""What a person can ask of a PRIVATE room, in words: the commands behind a slash, their answers, the QR code of a link.

Shared by the line mode, the full-screen application and the scripts' `sendall room`. Knows the library's
public face and nothing of terminals, options or screens. Stands between the library and those who show it.
"""
