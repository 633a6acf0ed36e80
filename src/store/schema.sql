-- schema.sql - what a project's database holds, version 1.
--
-- Never edited once released: what changes is a migration of its own
-- (store/schema.h).  Times are milliseconds since the epoch, given by the
-- caller.  JSON is checked by the program, since a schema that is not trusted
-- may not call SQLite's functions for it.  Facts have one home: what a table
-- could derive from another it does not repeat, but for item.taken and
-- assignment.state, which only triggers keep and which the choice of the next
-- item needs at once.
--
-- What was said is never changed.  Votes, remarks, audit events and the texts
-- that were judged admit no UPDATE and no DELETE; a mistake is undone by a
-- vote that supersedes another.

CREATE TABLE project (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    seed INTEGER NOT NULL,          -- choice of items (base/rng.h)
    order_key BLOB NOT NULL         -- secret: of it come the blind orders
        CHECK (length(order_key) = 32),
    created_ms INTEGER NOT NULL
) STRICT;

---- people -------------------------------------------------------------------

CREATE TABLE judge (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 200),
    role TEXT NOT NULL CHECK (role IN ('admin', 'judge', 'viewer')),
    token_hash BLOB UNIQUE          -- NULL: nobody signs in by this name
        CHECK (length(token_hash) = 32),
    created_ms INTEGER NOT NULL,
    revoked_ms INTEGER
) STRICT;

CREATE TABLE session (
    id INTEGER PRIMARY KEY,
    judge_id INTEGER NOT NULL REFERENCES judge (id),
    hash BLOB NOT NULL UNIQUE CHECK (length(hash) = 32),
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL CHECK (expires_ms > created_ms)
) STRICT;

CREATE INDEX session_judge ON session (judge_id);

---- what is judged -----------------------------------------------------------

-- Items that are asked about in one way.
CREATE TABLE pool (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE CHECK (length(name) BETWEEN 1 AND 200),
    task TEXT NOT NULL CHECK (task IN ('ranking', 'spotcheck')),
    overlap INTEGER NOT NULL CHECK (overlap BETWEEN 1 AND 1000),
    lease_ms INTEGER NOT NULL CHECK (lease_ms > 0),
    random_share REAL NOT NULL CHECK (random_share BETWEEN 0 AND 1),
    guide TEXT NOT NULL,            -- what judges are told, plain text
    created_ms INTEGER NOT NULL,
    closed_ms INTEGER               -- no more items are handed out
) STRICT;

-- A prompt with K candidates.  A repeat is another item again, by the same
-- judge, sides swapped: its prompt and candidates are those of repeat_of.
CREATE TABLE item (
    id INTEGER PRIMARY KEY,
    pool_id INTEGER NOT NULL REFERENCES pool (id),
    name TEXT NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    kind TEXT NOT NULL
        CHECK (kind IN ('normal', 'placebo', 'repeat', 'identical', 'gold')),
    repeat_of INTEGER,
    gap INTEGER                     -- assignments between the two at least
        CHECK (gap >= 1),
    expected TEXT                   -- of gold: the answer, a JSON object
        CHECK (substr(expected, 1, 1) = '{'),
    arm TEXT NOT NULL CHECK (arm IN ('random', 'adaptive')),
    priority REAL NOT NULL,         -- higher first; random arm: a uniform draw
    prompt_id TEXT CHECK (length(prompt_id) BETWEEN 1 AND 200),
    prompt TEXT,
    messages TEXT                   -- of a dialogue: [{"role","content"}, ...]
        CHECK (substr(messages, 1, 1) = '['),
    extra TEXT                      -- members passed on, a JSON object
        CHECK (substr(extra, 1, 1) = '{'),
    taken INTEGER NOT NULL DEFAULT 0 CHECK (taken >= 0),
    created_ms INTEGER NOT NULL,
    retired_ms INTEGER,             -- handed out no more
    UNIQUE (pool_id, name),
    UNIQUE (id, pool_id),
    FOREIGN KEY (repeat_of, pool_id) REFERENCES item (id, pool_id),
    CHECK ((kind = 'repeat') = (repeat_of IS NOT NULL)),
    CHECK ((kind = 'repeat') = (gap IS NOT NULL)),
    CHECK ((kind = 'repeat') = (prompt IS NULL)),
    CHECK ((prompt IS NULL) = (prompt_id IS NULL)),
    CHECK (prompt IS NOT NULL OR messages IS NULL),
    CHECK ((kind = 'gold') = (expected IS NOT NULL))
) STRICT;

-- The order in which items are handed out: those begun first, so that k votes
-- come together on one before the next is begun.
CREATE INDEX item_queue ON item (pool_id, arm, taken DESC, priority DESC, id)
    WHERE retired_ms IS NULL;
CREATE INDEX item_repeat ON item (repeat_of) WHERE repeat_of IS NOT NULL;

-- Who wrote what is here, and never shown before the vote.
CREATE TABLE candidate (
    item_id INTEGER NOT NULL REFERENCES item (id),
    place INTEGER NOT NULL CHECK (place BETWEEN 0 AND 63),
    text TEXT NOT NULL,
    source TEXT NOT NULL            -- policy, reference, placebo, a model
        CHECK (length(source) BETWEEN 1 AND 200),
    run TEXT,
    step INTEGER,
    sample INTEGER,
    tokens INTEGER CHECK (tokens >= 0),
    score REAL,                     -- the reward model's
    finish TEXT CHECK (finish IN ('eos', 'length')),
    extra TEXT CHECK (substr(extra, 1, 1) = '{'),
    UNIQUE (item_id, place)
) STRICT;

---- who judges what ----------------------------------------------------------

-- An item in a judge's hands.  One row for each pair, so that nobody meets an
-- item twice; a lease that ran out is taken up again in the same row, and the
-- same order.  The secret is drawn from order_key, but for records that were
-- restored from another project's, which bring their own.
CREATE TABLE assignment (
    id INTEGER PRIMARY KEY,
    item_id INTEGER NOT NULL REFERENCES item (id),
    judge_id INTEGER NOT NULL REFERENCES judge (id),
    nth INTEGER NOT NULL CHECK (nth >= 1), -- of this judge's assignments
    shown TEXT NOT NULL                    -- places from left: [1,0]
        CHECK (substr(shown, 1, 1) = '['),
    secret BLOB NOT NULL CHECK (length(secret) = 32),
    commitment BLOB NOT NULL CHECK (length(commitment) = 32),
    leased_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    state TEXT NOT NULL DEFAULT 'leased'
        CHECK (state IN ('leased', 'expired', 'voted', 'skipped')),
    UNIQUE (item_id, judge_id),
    UNIQUE (judge_id, nth)
) STRICT;

CREATE INDEX assignment_live ON assignment (expires_ms)
    WHERE state = 'leased';
CREATE INDEX assignment_held ON assignment (judge_id, state, nth);

---- what was said ------------------------------------------------------------

-- The acts of an assignment form one chain: its first supersedes none, every
-- other the last one before it.  What counts is the last act; after an undo,
-- nothing.  Left and right, A and B are places on the screen.
CREATE TABLE vote (
    id INTEGER PRIMARY KEY,
    assignment_id INTEGER NOT NULL REFERENCES assignment (id),
    supersedes INTEGER UNIQUE CHECK (supersedes < id),
    key TEXT NOT NULL CHECK (length(key) BETWEEN 1 AND 100),
    act TEXT NOT NULL CHECK (act IN ('vote', 'skip', 'undo')),
    ranks TEXT                      -- of what was shown, from left: [2,1,2]
        CHECK (substr(ranks, 1, 1) = '['),
    strength INTEGER CHECK (strength BETWEEN 1 AND 3),
    overall TEXT CHECK (overall IN ('A', 'B', 'both_good', 'both_bad')),
    left_helpful INTEGER CHECK (left_helpful BETWEEN 0 AND 4),
    right_helpful INTEGER CHECK (right_helpful BETWEEN 0 AND 4),
    left_direct INTEGER CHECK (left_direct BETWEEN 0 AND 4),
    right_direct INTEGER CHECK (right_direct BETWEEN 0 AND 4),
    left_correct TEXT CHECK (left_correct IN ('yes', 'no', 'unsure')),
    right_correct TEXT CHECK (right_correct IN ('yes', 'no', 'unsure')),
    left_length TEXT CHECK (left_length IN ('too_short', 'right', 'too_long')),
    right_length TEXT
        CHECK (right_length IN ('too_short', 'right', 'too_long')),
    reason TEXT,
    render TEXT NOT NULL CHECK (render IN ('plain', 'markdown')),
    shown_ms INTEGER NOT NULL,
    voted_ms INTEGER NOT NULL CHECK (voted_ms >= shown_ms),
    UNIQUE (assignment_id, key),
    UNIQUE (id, assignment_id),
    FOREIGN KEY (supersedes, assignment_id) REFERENCES vote (id, assignment_id),
    CHECK ((ranks IS NOT NULL) + (overall IS NOT NULL) = (act = 'vote')),
    CHECK (strength IS NULL OR ranks IS NOT NULL),
    CHECK (overall IS NOT NULL
           OR coalesce(left_helpful, right_helpful, left_direct, right_direct,
                       left_correct, right_correct, left_length, right_length)
              IS NULL),
    CHECK (act <> 'undo' OR supersedes IS NOT NULL)
) STRICT;

CREATE UNIQUE INDEX vote_first ON vote (assignment_id)
    WHERE supersedes IS NULL;

CREATE TABLE remark (
    id INTEGER PRIMARY KEY,
    assignment_id INTEGER NOT NULL REFERENCES assignment (id),
    key TEXT NOT NULL CHECK (length(key) BETWEEN 1 AND 100),
    kind TEXT NOT NULL CHECK (kind IN ('comment', 'flag')),
    text TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    UNIQUE (assignment_id, key)
) STRICT;

-- hash = BLAKE2b-256(hash of the event before || canonical bytes of this one);
-- store/audit.h says which bytes.
CREATE TABLE audit (
    id INTEGER PRIMARY KEY CHECK (id >= 1),
    at_ms INTEGER NOT NULL,
    event TEXT NOT NULL,
    actor INTEGER REFERENCES judge (id), -- NULL: the command line
    subject INTEGER,                     -- id of the row it is about
    detail TEXT NOT NULL,
    digest BLOB CHECK (length(digest) = 32), -- of that row's canonical bytes
    hash BLOB NOT NULL CHECK (length(hash) = 32)
) STRICT;

---- what is kept up to date --------------------------------------------------

CREATE TRIGGER assignment_taken_new AFTER INSERT ON assignment
WHEN NEW.state IN ('leased', 'voted')
BEGIN
    UPDATE item SET taken = taken + 1 WHERE id = NEW.item_id;
END;

CREATE TRIGGER assignment_taken AFTER UPDATE OF state ON assignment
WHEN (NEW.state IN ('leased', 'voted')) <> (OLD.state IN ('leased', 'voted'))
BEGIN
    UPDATE item
    SET taken = taken + iif(NEW.state IN ('leased', 'voted'), 1, -1)
    WHERE id = NEW.item_id;
END;

CREATE TRIGGER vote_state AFTER INSERT ON vote
BEGIN
    UPDATE assignment
    SET state = CASE NEW.act WHEN 'vote' THEN 'voted'
                             WHEN 'skip' THEN 'skipped'
                             ELSE 'leased' END,
        expires_ms = CASE NEW.act
            WHEN 'undo' THEN NEW.voted_ms + (
                SELECT p.lease_ms
                FROM item AS i JOIN pool AS p ON p.id = i.pool_id
                WHERE i.id = assignment.item_id)
            ELSE expires_ms END
    WHERE id = NEW.assignment_id;
END;

---- what is refused ----------------------------------------------------------

CREATE TRIGGER vote_task BEFORE INSERT ON vote
WHEN NEW.act = 'vote' AND iif(NEW.ranks IS NULL, 'spotcheck', 'ranking') <> (
    SELECT p.task
    FROM assignment AS a
    JOIN item AS i ON i.id = a.item_id
    JOIN pool AS p ON p.id = i.pool_id
    WHERE a.id = NEW.assignment_id)
BEGIN
    SELECT RAISE(ABORT, 'the vote is of another task');
END;

CREATE TRIGGER item_repeat_once BEFORE INSERT ON item
WHEN NEW.repeat_of IS NOT NULL AND (
    SELECT o.repeat_of FROM item AS o WHERE o.id = NEW.repeat_of) IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'a repeat is not repeated');
END;

CREATE TRIGGER candidate_owner BEFORE INSERT ON candidate
WHEN (SELECT repeat_of FROM item WHERE id = NEW.item_id) IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'a repeat has no candidates of its own');
END;

CREATE TRIGGER project_update BEFORE UPDATE ON project
BEGIN SELECT RAISE(ABORT, 'the project is not changed'); END;
CREATE TRIGGER project_delete BEFORE DELETE ON project
BEGIN SELECT RAISE(ABORT, 'the project is not deleted'); END;

CREATE TRIGGER judge_update BEFORE UPDATE OF id, name, created_ms ON judge
BEGIN SELECT RAISE(ABORT, 'a judge keeps the name'); END;
CREATE TRIGGER judge_delete BEFORE DELETE ON judge
BEGIN SELECT RAISE(ABORT, 'judges are revoked, not deleted'); END;

CREATE TRIGGER pool_update BEFORE UPDATE OF
    id, name, task, overlap, lease_ms, random_share, guide, created_ms ON pool
BEGIN SELECT RAISE(ABORT, 'a pool keeps its settings'); END;
CREATE TRIGGER pool_delete BEFORE DELETE ON pool
BEGIN SELECT RAISE(ABORT, 'pools are closed, not deleted'); END;

CREATE TRIGGER item_update BEFORE UPDATE OF
    id, pool_id, name, kind, repeat_of, gap, expected, arm, prompt_id, prompt,
    messages, extra, created_ms ON item
BEGIN SELECT RAISE(ABORT, 'an item is not changed'); END;
CREATE TRIGGER item_delete BEFORE DELETE ON item
BEGIN SELECT RAISE(ABORT, 'items are retired, not deleted'); END;

CREATE TRIGGER candidate_update BEFORE UPDATE ON candidate
BEGIN SELECT RAISE(ABORT, 'a candidate is not changed'); END;
CREATE TRIGGER candidate_delete BEFORE DELETE ON candidate
BEGIN SELECT RAISE(ABORT, 'a candidate is not deleted'); END;

CREATE TRIGGER assignment_update BEFORE UPDATE OF
    id, item_id, judge_id, nth, shown, secret, commitment, leased_ms
    ON assignment
BEGIN SELECT RAISE(ABORT, 'what was assigned is not changed'); END;
CREATE TRIGGER assignment_delete BEFORE DELETE ON assignment
BEGIN SELECT RAISE(ABORT, 'assignments are not deleted'); END;

CREATE TRIGGER vote_update BEFORE UPDATE ON vote
BEGIN SELECT RAISE(ABORT, 'votes are append-only'); END;
CREATE TRIGGER vote_delete BEFORE DELETE ON vote
BEGIN SELECT RAISE(ABORT, 'votes are append-only'); END;

CREATE TRIGGER remark_update BEFORE UPDATE ON remark
BEGIN SELECT RAISE(ABORT, 'remarks are append-only'); END;
CREATE TRIGGER remark_delete BEFORE DELETE ON remark
BEGIN SELECT RAISE(ABORT, 'remarks are append-only'); END;

CREATE TRIGGER audit_update BEFORE UPDATE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
CREATE TRIGGER audit_delete BEFORE DELETE ON audit
BEGIN SELECT RAISE(ABORT, 'the audit log is append-only'); END;
