-- migration_2.sql - which replies to which prompt an item shows; who looked
-- behind the blind.
--
-- Who meets a reply to a prompt in two items knows more of both than they say:
-- what a policy of last week and one of today are compared with is the
-- reference.  So the choice of the next item asks for the judge's earlier
-- replies (store/assign.c), by an index, whatever pools they stood in.  A row
-- for each text of an item that is no repeat; the digest is of prompt and text
-- (store/db_digest.c).

CREATE TABLE reply (
    item_id INTEGER NOT NULL REFERENCES item (id),
    digest BLOB NOT NULL CHECK (length(digest) = 16),
    PRIMARY KEY (item_id, digest)
) STRICT, WITHOUT ROWID;

CREATE INDEX reply_digest ON reply (digest, item_id);

INSERT INTO reply (item_id, digest)
SELECT DISTINCT i.id, plumb_digest(i.prompt, c.text)
FROM item AS i JOIN candidate AS c ON c.item_id = i.id;

CREATE TRIGGER reply_update BEFORE UPDATE ON reply
BEGIN SELECT RAISE(ABORT, 'a reply is not changed'); END;
CREATE TRIGGER reply_delete BEFORE DELETE ON reply
BEGIN SELECT RAISE(ABORT, 'a reply is not deleted'); END;

-- Who judges and looked behind the blind (store/unblind.h): few events, which
-- every line of an export asks for.
CREATE INDEX audit_unblind ON audit (subject, actor) WHERE event = 'unblind';
