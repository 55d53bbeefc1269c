"""The client library: join rooms, read them, and write to them exactly once.

Pure, from a connection's bytes to what people read: `session` and `handshake` (one connection),
`room` with `following`, `history`, `keys`, `reading`, `people` (one room), `outbox` with `author`,
`pacing`, `items`, `signals` (what is sent), `conversation` (what is said, and what a person sees of
it), `names`, `address`, `beginning`, `backoff`, `events`. Shells: `connection`, `link`, `runner`
(staying connected), `keyring`, `outbox_store`, `archive` with `searching` (files), `inbox`,
`sending`, `speaking`, `joined`, `client` (the public face), `process`.
"""
