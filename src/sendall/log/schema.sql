-- log.sqlite: the logs of all rooms of one server. Opened in WAL mode by database.py.

BEGIN;

CREATE TABLE rooms (
    number        INTEGER PRIMARY KEY,  -- our short name for the room, from 1, below 2^23
    room_id       BLOB NOT NULL UNIQUE,
    name          TEXT NOT NULL,
    digest        BLOB NOT NULL,        -- over number, room_id and name, which no chain protects
    last          INTEGER NOT NULL,     -- highest seq
    pruned        INTEGER NOT NULL,     -- highest pruned seq, 0 if none
    control       INTEGER NOT NULL,     -- how many control entries there are; none must vanish from the index
    checkpoint    INTEGER NOT NULL,     -- seq of the newest checkpoint, 0 if there is none
    messages      INTEGER NOT NULL,     -- how many messages are retained, and their bytes:
    message_bytes INTEGER NOT NULL      -- kept here so that retention never counts by scanning
);

-- One integer key, room number << 40 | seq. Measured against PRIMARY KEY (room, seq) WITHOUT ROWID with
-- 400-byte entries: 2.1 against 2.6 microseconds and 525 against 604 bytes a row in large batches.
-- A pruned message whose successor is kept leaves its chain value behind (entry NULL): every entry that
-- is served can be checked against its predecessor.
CREATE TABLE entries (
    id      INTEGER PRIMARY KEY,
    time_ms INTEGER NOT NULL,
    h       BLOB NOT NULL,
    entry   BLOB
);

-- The type is the entry's second byte; a column of its own could contradict it.
CREATE INDEX control ON entries (id) WHERE substr(entry, 2, 1) >= x'10';

CREATE TABLE checkpoints (
    room   INTEGER PRIMARY KEY,
    seq    INTEGER NOT NULL,
    state  BLOB NOT NULL,
    digest BLOB NOT NULL                -- over room_id, seq and state
);

CREATE TABLE keys (
    room   INTEGER NOT NULL,
    epoch  INTEGER NOT NULL,
    sealed BLOB NOT NULL,
    PRIMARY KEY (room, epoch)
) WITHOUT ROWID;

-- One row. `open`: whether a run that does not sync every commit began and has not ended by close().
-- `rooms`: how many rooms there are, so that one that vanished is missed.
CREATE TABLE run (open INTEGER NOT NULL, rooms INTEGER NOT NULL);
INSERT INTO run VALUES (0, 0);

PRAGMA application_id = 0x73656e64;
PRAGMA user_version = 1;

COMMIT;
