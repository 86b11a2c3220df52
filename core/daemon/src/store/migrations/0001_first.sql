CREATE TABLE tributary_runs (
    id TEXT NOT NULL PRIMARY KEY,
    connection TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    status TEXT,
    record TEXT NOT NULL
);
CREATE INDEX tributary_runs_of ON tributary_runs (connection, started_at);
CREATE TABLE tributary_pauses (
    connection TEXT NOT NULL PRIMARY KEY,
    since BIGINT NOT NULL
);
CREATE TABLE tributary_tracks (
    connection TEXT NOT NULL,
    track TEXT NOT NULL,
    last_start BIGINT NOT NULL,
    PRIMARY KEY (connection, track)
);
CREATE TABLE tributary_vault (
    name TEXT NOT NULL PRIMARY KEY,
    secret TEXT NOT NULL
);
CREATE TABLE tributary_outbox (
    id TEXT NOT NULL PRIMARY KEY,
    target TEXT NOT NULL,
    body TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL
);
CREATE INDEX tributary_outbox_next ON tributary_outbox (next_at)
