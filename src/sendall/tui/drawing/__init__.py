"""Texts and their inks in, rows out: how everything looks, without Textual and without any state. Pure."""
