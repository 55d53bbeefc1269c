"""The client library: join rooms, read them, and write to them exactly once.

Pure, from a connection's bytes to what people read: `session` and `handshake` (one connection),
`room` with `following`, `history`, `keys`, `reading`, `people` (one room), `outbox` with `author`,
`pacing`, `items`, `signals` (what is sent), `conversation` (what is said, and what a person sees of
it), `names`, `address`, `beginning`, `backoff`, `events`. For PRIVATE rooms: `private_following` with
`chronicle`, `private_room` with `standing`, `foyer`, `acts`, `custody`, `duties`, `ring`, `tidings`,
`origin`, `verifying`. Shells: `connection`, `link`, `runner` (staying connected), `keyring` with
`identity_file`, `outbox_store`, `archive` with `searching`, `vault` with `vault_file` (files), `inbox`,
`sending`, `speaking`, `joined`, `private_joined` (a room's face), `entrance`, `open_client`,
`private_client`, `ways_in`, `client` (the public face), `process`.
"""
