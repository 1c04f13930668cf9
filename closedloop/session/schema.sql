-- The session file, schema 2. docs/session-file.md explains each column.
-- Times are LSL local_clock seconds unless the column ends in _utc (ISO 8601).
-- Arrays are little-endian blobs: their type and shape stand beside them or in the comment.

CREATE TABLE meta (
    key   TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT;

-- one row each time the program runs on this session: the first run, and each resume
CREATE TABLE runs (
    run         INTEGER PRIMARY KEY,
    started_s   REAL NOT NULL,
    started_utc TEXT NOT NULL,
    ended_s     REAL,
    ended_utc   TEXT,
    exit_status TEXT,             -- completed | stopped | aborted | failed; NULL: still running, or crashed
    reason      TEXT,
    environment TEXT NOT NULL,    -- JSON: versions, git commit, machine
    display     TEXT              -- JSON: what the stage measured and was granted
) STRICT;

CREATE TABLE threads (
    thread    INTEGER PRIMARY KEY,
    name      TEXT NOT NULL UNIQUE,
    spec      TEXT NOT NULL,      -- JSON: this thread's section of the protocol
    generator TEXT NOT NULL       -- JSON: provenance of the generator
) STRICT;

CREATE TABLE generations (
    thread     INTEGER NOT NULL REFERENCES threads,
    generation INTEGER NOT NULL,
    started_s  REAL NOT NULL,
    ended_s    REAL,              -- set in the same transaction as its scores
    timing     TEXT,              -- JSON: milliseconds of dead time by part
    PRIMARY KEY (thread, generation)
) STRICT, WITHOUT ROWID;

-- every image ever shown, evolved or reference
CREATE TABLE images (
    image      INTEGER PRIMARY KEY,
    kind       TEXT NOT NULL CHECK (kind IN ('evolved', 'reference')),
    thread     INTEGER NOT NULL REFERENCES threads,
    generation INTEGER,           -- NULL for a reference
    row        INTEGER NOT NULL,  -- row in its population, or number of the reference
    code       BLOB,              -- float32 (d,); NULL for a reference from a file
    parent_1   INTEGER,           -- row in the previous generation; NULL: none
    parent_2   INTEGER,
    origin     TEXT NOT NULL,     -- random | given | bred | elite | carried | file
    source     TEXT,              -- name of a reference's file
    height_px  INTEGER,
    width_px   INTEGER,
    sha256     TEXT,              -- of the pixels
    pixels     BLOB               -- uint8 (h, w, 3), zlib; NULL until rendered
) STRICT;
CREATE UNIQUE INDEX images_place ON images (thread, kind, ifnull(generation, -1), row);

CREATE TABLE trials (
    trial       INTEGER NOT NULL,
    run         INTEGER NOT NULL REFERENCES runs,
    thread      INTEGER NOT NULL REFERENCES threads,
    generation  INTEGER NOT NULL,
    image       INTEGER NOT NULL REFERENCES images,
    attempt     INTEGER NOT NULL,  -- 0, or how many trials of this image and repeat were invalid before
    repeat      INTEGER NOT NULL,
    on_frames   INTEGER NOT NULL,  -- planned
    off_frames  INTEGER NOT NULL,  -- planned
    ordered_s   REAL NOT NULL,
    onset_s     REAL,
    offset_s    REAL,
    on_flips    INTEGER,
    missed      INTEGER,
    flips       BLOB,              -- float64 (n,), every flip of the trial
    status      TEXT NOT NULL,     -- ordered | shown | valid | invalid | interrupted
    reason      TEXT,              -- why invalid, one word
    detail      TEXT,              -- why invalid, in words
    judged_s    REAL,
    PRIMARY KEY (trial, run)
) STRICT, WITHOUT ROWID;

CREATE TABLE responses (
    trial    INTEGER NOT NULL,
    run      INTEGER NOT NULL,
    rates    BLOB NOT NULL,        -- float64 (units,), spikes/s in the response window
    baseline BLOB,                 -- float64 (units,), spikes/s in the baseline window
    value    REAL NOT NULL,        -- the thread's units combined, minus baseline if asked
    PRIMARY KEY (trial, run)
) STRICT, WITHOUT ROWID;

-- one row for each image of a generation, references among them
CREATE TABLE scores (
    thread     INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    image      INTEGER NOT NULL REFERENCES images,
    n          INTEGER NOT NULL,   -- valid trials
    mean       REAL,               -- of their values; NULL without a valid trial
    sem        REAL,               -- NULL below two trials
    score      REAL,               -- mean, normalised by the references; what the optimizer was told
    PRIMARY KEY (thread, generation, image)
) STRICT, WITHOUT ROWID;

CREATE TABLE streams (
    run  INTEGER NOT NULL REFERENCES runs,
    role TEXT NOT NULL,
    info TEXT NOT NULL,            -- JSON of the stream's own description
    PRIMARY KEY (run, role)
) STRICT, WITHOUT ROWID;

CREATE TABLE chunks (
    run           INTEGER NOT NULL REFERENCES runs,
    role          TEXT NOT NULL,
    sequence      INTEGER NOT NULL, -- without a hole, or samples were lost
    segment       INTEGER NOT NULL,
    samples       INTEGER NOT NULL,
    channels      INTEGER NOT NULL,
    dtype         TEXT NOT NULL,    -- numpy name of the values
    first_s       REAL NOT NULL,    -- corrected
    last_s        REAL NOT NULL,    -- corrected
    correction_s  REAL NOT NULL,
    uncertainty_s REAL NOT NULL,
    received_s    REAL NOT NULL,
    written_s     REAL NOT NULL,
    stamps        BLOB NOT NULL,    -- float64 (samples,) raw, zlib
    data          BLOB NOT NULL,    -- dtype (samples, channels), zlib
    PRIMARY KEY (run, role, sequence)
) STRICT;
CREATE INDEX chunks_time ON chunks (role, last_s);

CREATE TABLE clock_probes (
    run           INTEGER NOT NULL,
    role          TEXT NOT NULL,
    segment       INTEGER NOT NULL,
    time_s        REAL NOT NULL,
    offset_s      REAL NOT NULL,
    uncertainty_s REAL NOT NULL
) STRICT;

CREATE TABLE stream_states (
    run    INTEGER NOT NULL,
    role   TEXT NOT NULL,
    state  TEXT NOT NULL,
    time_s REAL NOT NULL,
    age_s  REAL NOT NULL,
    reason TEXT NOT NULL
) STRICT;

CREATE TABLE markers (
    marker  INTEGER PRIMARY KEY,
    run     INTEGER NOT NULL,
    time_s  REAL NOT NULL,
    payload TEXT NOT NULL          -- JSON, as sent
) STRICT;

-- everything else that happened: keys, notes, pauses, warnings
CREATE TABLE events (
    event  INTEGER PRIMARY KEY,
    run    INTEGER NOT NULL,
    time_s REAL NOT NULL,
    utc    TEXT NOT NULL,
    kind   TEXT NOT NULL,
    detail TEXT NOT NULL           -- JSON
) STRICT;

-- a scanner session: one row each time that a scan run was armed
CREATE TABLE scans (
    scan          INTEGER PRIMARY KEY,
    run           INTEGER NOT NULL REFERENCES runs,  -- of the program
    label         TEXT NOT NULL,     -- of the scan run in the protocol
    attempt       INTEGER NOT NULL,  -- 0, or how often this label was armed before
    volumes       INTEGER NOT NULL,  -- stored volumes that are expected
    duration_s    REAL NOT NULL,     -- planned, from the first stored volume
    drawn         TEXT NOT NULL,     -- JSON: design, seed, efficiency
    trigger       TEXT NOT NULL,     -- JSON: what the trigger said of itself
    armed_s       REAL NOT NULL,
    first_pulse_s REAL,
    start_s       REAL,              -- onset 0: the first stored volume
    ended_s       REAL,
    status        TEXT,              -- completed | aborted | failed; NULL: still running, or crashed
    reason        TEXT,
    ledger        TEXT               -- JSON: the pulses in sum: TR fitted, counts by verdict, first volume missed
) STRICT;

-- what each scan run is to show, and when it came
CREATE TABLE planned (
    scan       INTEGER NOT NULL REFERENCES scans,
    event      INTEGER NOT NULL,
    onset_s    REAL NOT NULL,     -- planned, from start_s
    duration_s REAL NOT NULL,     -- planned
    kind       TEXT NOT NULL,     -- image | null | fixation
    trial_type TEXT NOT NULL,
    image      INTEGER REFERENCES images,
    fields     TEXT NOT NULL,     -- JSON: further columns of the events file
    trial      INTEGER,           -- number of its trial once ordered; NULL: not ordered, or not an image
    shown_s    REAL,              -- kind fixation: time of the flip that changed the point
    PRIMARY KEY (scan, event)
) STRICT, WITHOUT ROWID;

-- everything that came on the trigger's path
CREATE TABLE pulses (
    scan          INTEGER NOT NULL REFERENCES scans,
    pulse         INTEGER NOT NULL,  -- in order of arrival
    run           INTEGER NOT NULL,  -- of the program
    time_s        REAL NOT NULL,
    uncertainty_s REAL NOT NULL,
    raw_s         REAL,              -- in the device's own clock
    received_s    REAL NOT NULL,
    mark          TEXT NOT NULL,
    verdict       TEXT NOT NULL,     -- volume | slice | doubled | extra | human | after
    volume        INTEGER,           -- from 0 for the first pulse, dummies included
    residual_s    REAL,              -- time_s minus the fit as it was then
    PRIMARY KEY (scan, pulse)
) STRICT, WITHOUT ROWID;

-- the subject's buttons in scan runs
CREATE TABLE presses (
    scan          INTEGER NOT NULL REFERENCES scans,
    press         INTEGER NOT NULL,
    run           INTEGER NOT NULL,
    key           TEXT NOT NULL,
    time_s        REAL NOT NULL,
    uncertainty_s REAL NOT NULL,
    received_s    REAL NOT NULL,
    event         INTEGER,           -- of planned, that it answers; NULL: none
    PRIMARY KEY (scan, press)
) STRICT, WITHOUT ROWID;
