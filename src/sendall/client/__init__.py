"""The client library: join rooms, read them, and write to them exactly once.

Pure, from a connection's bytes to what people read: `session` and `handshake` (one connection),
`room` with `following`, `history`, `keys`, `reading`, `people` (one room), `outbox` with `author`,
`pacing`, `items`, `signals` (what is sent), `address`, `beginning`, `backoff`, `events`. Shells:
`connection`, `link`, `runner` (staying connected), `keyring` with `identity_file`, `outbox_store`,
`vault` with `vault_file` (files), `inbox`, `sending`, `joined`, `client` (the public face), `process`.
"""
