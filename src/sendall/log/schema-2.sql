-- What version 2 adds: the grants that wait for members of PRIVATE rooms. Run by database.py behind schema.sql.

BEGIN;

-- Rows of one recipient are in the order in which they were kept: the lowest number is the oldest. No digest:
-- who opens a grant sees whether it is whole.
CREATE TABLE grants (
    number    INTEGER PRIMARY KEY,
    room      INTEGER NOT NULL,
    recipient BLOB NOT NULL,
    granter   BLOB NOT NULL,
    sealed_to BLOB NOT NULL,
    sealed    BLOB NOT NULL,
    UNIQUE (room, recipient, granter)
);

PRAGMA user_version = 2;

COMMIT;
