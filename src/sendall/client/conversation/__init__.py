"""The conversation: what people say to each other in a room, and what of it a person sees.

Pure, no keys and no network: `kinds` (the forms of a plaintext), `timeline` with `rows`, `order` and
`marks` (the fold of a log into what is seen), `markdown` with `spans` and `inline` (a text as a tree
that any screen can draw), `hints` (who is typing, who has seen what). The browser page has the same
shape and runs the same vectors. Source: docs/protocol.md, "Entry"; vectors/conversation-*.json.
"""
