"""The tables of 1.0, the same text for SQLite and PostgreSQL; {serial} is an id that the database
generates. Times are epoch seconds. Later changes are steps in `schema`."""

TABLES = """
CREATE TABLE setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);

CREATE TABLE job (
    id {serial},
    kind TEXT NOT NULL,
    share TEXT NOT NULL,
    lane TEXT NOT NULL,
    key TEXT UNIQUE,
    payload TEXT NOT NULL,
    created_at DOUBLE PRECISION NOT NULL,
    run_after DOUBLE PRECISION NOT NULL,
    failures INTEGER NOT NULL DEFAULT 0,
    leases INTEGER NOT NULL DEFAULT 0,
    deaths INTEGER NOT NULL DEFAULT 0,
    leased_by TEXT,
    leased_until DOUBLE PRECISION,
    last_error TEXT NOT NULL DEFAULT '',
    dead_at DOUBLE PRECISION
);
CREATE INDEX job_due ON job (share, run_after, id) WHERE dead_at IS NULL;
CREATE INDEX job_lane ON job (lane, id) WHERE dead_at IS NULL;
CREATE INDEX job_suspect ON job (id) WHERE deaths > 0;

CREATE TABLE raw (id {serial}, sha256 TEXT NOT NULL UNIQUE, bytes BYTEA NOT NULL);

CREATE TABLE intake (
    id {serial},
    inbox TEXT NOT NULL,
    source_key TEXT NOT NULL,
    raw BIGINT NOT NULL REFERENCES raw (id),
    note TEXT NOT NULL,
    at DOUBLE PRECISION NOT NULL,
    UNIQUE (inbox, source_key)
);
CREATE INDEX intake_raw ON intake (raw);

CREATE TABLE begun (inbox TEXT NOT NULL, sender TEXT NOT NULL, at DOUBLE PRECISION NOT NULL);
CREATE INDEX begun_at ON begun (inbox, at);

CREATE TABLE conversation (
    number {serial},
    inbox TEXT NOT NULL,
    department TEXT NOT NULL DEFAULT '',
    department_key TEXT NOT NULL DEFAULT '',
    contact TEXT NOT NULL,
    contact_name TEXT NOT NULL,
    contact_key TEXT NOT NULL,
    subject TEXT NOT NULL,
    renamed BOOLEAN NOT NULL DEFAULT FALSE,
    state TEXT NOT NULL,
    created_at DOUBLE PRECISION NOT NULL,
    changed_at DOUBLE PRECISION NOT NULL,
    closed_at DOUBLE PRECISION,
    waiting_since DOUBLE PRECISION,
    snoozed_until DOUBLE PRECISION,
    reminded_at DOUBLE PRECISION NOT NULL DEFAULT 0,
    room TEXT,
    vacated BOOLEAN NOT NULL DEFAULT FALSE,
    assignee TEXT,
    tags TEXT NOT NULL DEFAULT '',
    priority INTEGER NOT NULL DEFAULT 0,
    preview TEXT NOT NULL,
    files TEXT NOT NULL,
    claim BIGINT,
    follows BIGINT,
    merged BIGINT
);
CREATE INDEX conversation_inbox ON conversation (inbox, state);
CREATE INDEX conversation_contact ON conversation (inbox, contact_key);
CREATE INDEX conversation_assignee ON conversation (inbox, assignee, state);

CREATE TABLE participant (
    number BIGINT NOT NULL REFERENCES conversation (number),
    address TEXT NOT NULL,
    PRIMARY KEY (number, address)
);

CREATE TABLE override (
    number BIGINT NOT NULL REFERENCES conversation (number),
    field TEXT NOT NULL,
    spec TEXT NOT NULL,
    present BOOLEAN NOT NULL,
    PRIMARY KEY (number, field, spec)
);

CREATE TABLE pin (
    number BIGINT NOT NULL REFERENCES conversation (number),
    agent TEXT NOT NULL,
    file TEXT NOT NULL,
    made_by TEXT NOT NULL,
    PRIMARY KEY (agent, file)
);

CREATE TABLE mail (
    id {serial},
    inbox TEXT NOT NULL,
    number BIGINT NOT NULL REFERENCES conversation (number),
    outbound BOOLEAN NOT NULL,
    message_id TEXT NOT NULL,
    body_hash TEXT NOT NULL,
    sender TEXT NOT NULL,
    sender_key TEXT NOT NULL,
    forwarded_key TEXT NOT NULL DEFAULT '',
    headers TEXT NOT NULL,
    nature TEXT NOT NULL,
    verdict TEXT NOT NULL,
    at DOUBLE PRECISION NOT NULL,
    raw BIGINT REFERENCES raw (id),
    UNIQUE (inbox, message_id, body_hash)
);
CREATE INDEX mail_number ON mail (number, id);
CREATE INDEX mail_message_id ON mail (message_id);
CREATE INDEX mail_sender ON mail (sender_key);
CREATE INDEX mail_forwarded ON mail (forwarded_key) WHERE forwarded_key <> '';

CREATE TABLE known_id (
    inbox TEXT NOT NULL,
    message_id TEXT NOT NULL,
    number BIGINT NOT NULL REFERENCES conversation (number),
    PRIMARY KEY (inbox, message_id, number)
);

CREATE TABLE awaited (
    inbox TEXT NOT NULL,
    message_id TEXT NOT NULL,
    number BIGINT NOT NULL REFERENCES conversation (number),
    PRIMARY KEY (inbox, message_id, number)
);

CREATE TABLE passage (
    id {serial},
    number BIGINT NOT NULL REFERENCES conversation (number),
    mail BIGINT,
    event TEXT,
    who TEXT NOT NULL,
    at DOUBLE PRECISION NOT NULL,
    text TEXT NOT NULL,
    folded TEXT NOT NULL
);
CREATE INDEX passage_number ON passage (number);
CREATE INDEX passage_mail ON passage (mail);
CREATE INDEX passage_event ON passage (event);

CREATE TABLE contact (
    id {serial},
    inbox TEXT NOT NULL,
    name TEXT NOT NULL,
    notes TEXT NOT NULL
);

CREATE TABLE contact_address (
    inbox TEXT NOT NULL,
    address TEXT NOT NULL,
    spec TEXT NOT NULL,
    contact BIGINT NOT NULL REFERENCES contact (id),
    PRIMARY KEY (inbox, address)
);

CREATE TABLE room (
    room TEXT PRIMARY KEY,
    role TEXT NOT NULL,
    inbox TEXT,
    number BIGINT,
    version TEXT NOT NULL
);
CREATE INDEX room_role ON room (role, inbox);

CREATE TABLE member (
    room TEXT NOT NULL,
    mxid TEXT NOT NULL,
    membership TEXT NOT NULL,
    PRIMARY KEY (room, mxid)
);
CREATE INDEX member_mxid ON member (mxid);

CREATE TABLE seen (
    room TEXT NOT NULL,
    mxid TEXT NOT NULL,
    event TEXT NOT NULL,
    at DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (room, mxid)
);

CREATE TABLE post (
    id {serial},
    key TEXT NOT NULL UNIQUE,
    shows TEXT NOT NULL,
    mail_id BIGINT,
    delivery_id BIGINT,
    conversation BIGINT,
    lane TEXT NOT NULL,
    place TEXT NOT NULL,
    sender TEXT NOT NULL,
    kind TEXT NOT NULL,
    type TEXT NOT NULL,
    state_key TEXT NOT NULL,
    content TEXT NOT NULL,
    version INTEGER NOT NULL,
    sent INTEGER NOT NULL,
    event TEXT,
    target TEXT NOT NULL,
    target_key TEXT NOT NULL,
    spoken_by TEXT NOT NULL DEFAULT ''
);
CREATE INDEX post_event ON post (event);
CREATE INDEX post_mail ON post (mail_id) WHERE mail_id IS NOT NULL;
CREATE INDEX post_conversation ON post (conversation) WHERE conversation IS NOT NULL;

CREATE TABLE file (
    post BIGINT PRIMARY KEY REFERENCES post (id) ON DELETE CASCADE,
    raw BIGINT NOT NULL REFERENCES raw (id),
    part INTEGER NOT NULL,
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    size BIGINT NOT NULL,
    mxc TEXT NOT NULL DEFAULT '',
    done BOOLEAN NOT NULL DEFAULT FALSE
);

CREATE TABLE event (
    id TEXT PRIMARY KEY,
    room TEXT NOT NULL,
    sender TEXT NOT NULL,
    type TEXT NOT NULL,
    content TEXT NOT NULL,
    at DOUBLE PRECISION NOT NULL,
    state_key TEXT,
    redacts TEXT,
    prev_membership TEXT NOT NULL,
    seen_at DOUBLE PRECISION NOT NULL
);

CREATE TABLE delivery (
    id {serial},
    inbox TEXT NOT NULL,
    number BIGINT NOT NULL REFERENCES conversation (number),
    form TEXT NOT NULL DEFAULT 'reply',
    source TEXT NOT NULL,
    ordered_by TEXT NOT NULL UNIQUE,
    agent TEXT NOT NULL,
    author TEXT NOT NULL DEFAULT '',
    approved_by TEXT,
    state TEXT NOT NULL,
    answers BIGINT,
    text TEXT NOT NULL DEFAULT '',
    wording INTEGER NOT NULL DEFAULT 0,
    letters TEXT NOT NULL DEFAULT '[]',
    files TEXT NOT NULL,
    subject TEXT NOT NULL,
    question TEXT NOT NULL,
    shown TEXT NOT NULL DEFAULT '',
    shown_at DOUBLE PRECISION NOT NULL DEFAULT 0,
    planned_for DOUBLE PRECISION NOT NULL DEFAULT 0,
    message_id TEXT,
    relay_id TEXT NOT NULL DEFAULT '',
    mime BYTEA,
    run_at DOUBLE PRECISION NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    data_begun BOOLEAN NOT NULL DEFAULT FALSE,
    detail TEXT NOT NULL DEFAULT '',
    created_at DOUBLE PRECISION NOT NULL,
    finished_at DOUBLE PRECISION
);
CREATE UNIQUE INDEX delivery_live ON delivery (source)
    WHERE state NOT IN ('failed', 'cancelled', 'bounced');
CREATE INDEX delivery_number ON delivery (number, id);
CREATE INDEX delivery_form ON delivery (inbox, form, created_at);
CREATE INDEX delivery_message_id ON delivery (message_id);
CREATE INDEX delivery_relay_id ON delivery (relay_id) WHERE relay_id <> '';

CREATE TABLE recipient (
    delivery BIGINT NOT NULL REFERENCES delivery (id),
    position INTEGER NOT NULL,
    spec TEXT NOT NULL,
    key TEXT NOT NULL,
    name TEXT NOT NULL,
    field TEXT NOT NULL,
    fate TEXT NOT NULL,
    reply TEXT NOT NULL,
    PRIMARY KEY (delivery, spec)
);
CREATE INDEX recipient_key ON recipient (key);

CREATE TABLE mailbox_cursor (
    account TEXT NOT NULL,
    folder TEXT NOT NULL,
    validity BIGINT NOT NULL,
    uid BIGINT NOT NULL,
    PRIMARY KEY (account, folder)
);

CREATE TABLE held_mail (
    account TEXT NOT NULL,
    folder TEXT NOT NULL,
    validity BIGINT NOT NULL,
    uid BIGINT NOT NULL,
    tries INTEGER NOT NULL,
    tried_at DOUBLE PRECISION NOT NULL,
    reason TEXT NOT NULL,
    is_reported BOOLEAN NOT NULL DEFAULT FALSE,
    PRIMARY KEY (account, folder, validity, uid)
);

CREATE TABLE account_check (
    account TEXT PRIMARY KEY,
    good_at DOUBLE PRECISION NOT NULL,
    problem TEXT NOT NULL,
    told_at DOUBLE PRECISION NOT NULL
);

CREATE TABLE sending_problem (
    account TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    said TEXT NOT NULL,
    since DOUBLE PRECISION NOT NULL,
    tries INTEGER NOT NULL,
    next_at DOUBLE PRECISION NOT NULL,
    is_told BOOLEAN NOT NULL DEFAULT FALSE
);

CREATE TABLE oauth_grant (
    name TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    sealed TEXT NOT NULL,
    access_ends DOUBLE PRECISION NOT NULL,
    got_at DOUBLE PRECISION NOT NULL,
    refresh_ends DOUBLE PRECISION NOT NULL,
    scope TEXT NOT NULL,
    account TEXT NOT NULL,
    client_id TEXT NOT NULL,
    tenant TEXT NOT NULL,
    claimed_until DOUBLE PRECISION NOT NULL,
    problem TEXT NOT NULL
);

CREATE TABLE inbox (
    id TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    settings TEXT NOT NULL,
    secrets TEXT NOT NULL,
    changed_at DOUBLE PRECISION NOT NULL
);

CREATE TABLE domain (
    name TEXT PRIMARY KEY,
    settings TEXT NOT NULL,
    secrets TEXT NOT NULL,
    changed_at DOUBLE PRECISION NOT NULL
);

CREATE TABLE agent (
    inbox TEXT NOT NULL,
    mxid TEXT NOT NULL,
    lead BOOLEAN NOT NULL,
    PRIMARY KEY (inbox, mxid)
);

CREATE TABLE away (mxid TEXT PRIMARY KEY, since DOUBLE PRECISION NOT NULL);

CREATE TABLE blocked (
    inbox TEXT NOT NULL,
    sender TEXT NOT NULL,
    agent TEXT NOT NULL,
    at DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (inbox, sender)
);

CREATE TABLE rule (id {serial}, inbox TEXT NOT NULL, text TEXT NOT NULL);

CREATE TABLE snippet (
    inbox TEXT NOT NULL, name TEXT NOT NULL, text TEXT NOT NULL, PRIMARY KEY (inbox, name)
);

CREATE TABLE audit (
    id {serial},
    at DOUBLE PRECISION NOT NULL,
    who TEXT NOT NULL,
    what TEXT NOT NULL
);
"""
SQLITE_WORDS = (
    "CREATE VIRTUAL TABLE passage_words USING fts5 (folded, content='passage', content_rowid='id')",
    "CREATE TRIGGER passage_new AFTER INSERT ON passage BEGIN"
    " INSERT INTO passage_words (rowid, folded) VALUES (new.id, new.folded); END",
    "CREATE TRIGGER passage_gone AFTER DELETE ON passage BEGIN"
    " INSERT INTO passage_words (passage_words, rowid, folded)"
    " VALUES ('delete', old.id, old.folded); END",
)
POSTGRES_WORDS = (
    # stored, so that a search does not compute it for each row
    "ALTER TABLE passage ADD COLUMN words TSVECTOR"
    " GENERATED ALWAYS AS (to_tsvector('simple', folded)) STORED",
    "CREATE INDEX passage_words ON passage USING GIN (words)",
)
