/**
 * unit.test.mjs - what the pages compute, without a browser.
 */
import assert from "node:assert/strict";
import { test } from "node:test";

import { diff } from "../../src/serve/ui/common/diff.js";
import { TAGS, inline, parse } from "../../src/serve/ui/common/markdown.js";
import { ApiError } from "../../src/serve/ui/label/api.js";
import { Outbox } from "../../src/serve/ui/label/outbox.js";
import { Work } from "../../src/serve/ui/label/work.js";
import * as ranks from "../../src/serve/ui/label/ranks.js";
import { HOSTILE } from "./plan.mjs";

/* ---- Markdown ----------------------------------------------------------- */

/** A tree as short text: p(a strong(b)). */
function show(nodes) {
    return nodes.map((n) => typeof n === "string" ? n :
        `${n.tag}(${show(n.children)})`).join("");
}

const CASES = [
    ["one\ntwo\n\nthree", "p(onebr()two)p(three)"],
    ["# A\n## B #\n#### C", "h4(A)h5(B)h6(C)"],
    ["#tag is no heading", "p(#tag is no heading)"],
    ["- a\n- b\n\nend", "ul(li(a)li(b))p(end)"],
    ["1. a\n2) b", "ol(li(a)li(b))"],
    ["- a\n  - b\n  - c\n- d", "ul(li(aul(li(b)li(c)))li(d))"],
    ["text\n- a", "p(text)ul(li(a))"],
    ["1. one\n\n2. two", "ol(li(one)li(two))"],
    ["```js\n<b>*x*</b>\n```\nafter", "pre(code(<b>*x*</b>))p(after)"],
    ["```\nnever closed", "pre(code(never closed))"],
    ["> a\n> b", "blockquote(p(abr()b))"],
    ["---", "hr()"],
    ["a **b** c", "p(a strong(b) c)"],
    ["*a* _b_ __c__ ~~d~~", "p(em(a) em(b) strong(c) del(d))"],
    ["**a *b* c**", "p(strong(a em(b) c))"],
    ["`**a**` and ``b`c``", "p(code(**a**) and code(b`c))"],
    ["snake_case_name, 2 * 3 * 4", "p(snake_case_name, 2 * 3 * 4)"],
    ["\\*not\\* **open", "p(*not* **open)"],
    ["[t](http://h/p)", "p(ttarget(http://h/p))"],
    ["![alt](x.png)", "p(alttarget(picture: x.png))"],
    ["[t](javascript:alert(1))", "p([t](javascript:alert(1)))"],
    ["[t](javascript:x)", "p(ttarget(javascript:x))"],
    ["<script>x</script>", "p(<script>x</script>)"],
    ["", ""],
];

test("markdown becomes the tree that it stands for", () => {
    for (const [text, tree] of CASES) assert.equal(show(parse(text)), tree);
});

function walk(nodes, visit) {
    for (const n of nodes) {
        visit(n);
        if (typeof n !== "string") walk(n.children, visit);
    }
}

test("markdown has only its own tags and no attributes, whatever comes", () => {
    const pieces = ["*", "**", "_", "`", "```", "[", "](", ")", "!", "<b>",
        "\n", "\n\n", "- ", "1. ", "> ", "# ", "a", " ", "\\", "~~",
        "javascript:", "&lt;", "\u0000", "é", "🙂"];
    let x = 12345; // any seed; a linear congruential generator
    const next = (n) => (x = (x * 1103515245 + 12345) % 2147483648) % n;
    for (let k = 0; k < 3000; k++) {
        const text = Array.from({ length: 1 + next(30) },
            () => pieces[next(pieces.length)]).join("");
        walk(parse(text), (n) => {
            if (typeof n === "string") return;
            assert.ok(TAGS.includes(n.tag), n.tag);
            assert.deepEqual(Object.keys(n), ["tag", "children"]);
        });
    }
});

test("markdown of hostile texts keeps them as text", () => {
    for (const text of HOSTILE) {
        let seen = "";
        walk(parse(text), (n) => {
            if (typeof n === "string") seen += n;
        });
        assert.ok(seen.includes("<"));
        assert.ok(seen.includes("hacked"));
    }
});

test("markdown of a megabyte of marks is done in time", () => {
    for (const piece of ["*", "**a", "_", "`", "[", "![", "> ", "- ", "\\",
        "[a](", "~~", "*a_"]) {
        const text = piece.repeat(Math.ceil(1e6 / piece.length));
        const from = performance.now();
        parse(text);
        inline(text.slice(0, 1e5));
        const ms = performance.now() - from;
        // Quadratic work would take minutes.
        assert.ok(ms < 10000, `${piece}: ${ms.toFixed(0)} ms`);
    }
});

/* ---- ranks -------------------------------------------------------------- */

test("ranks count how many are above", () => {
    assert.deepEqual(ranks.ranks([2, 1, 2, 3]), [2, 1, 2, 4]);
    assert.deepEqual(ranks.ranks([1, 1, 1]), [1, 1, 1]);
    assert.deepEqual(ranks.ranks([null, 5]), [null, 1]);
});

test("an order is told in words", () => {
    assert.equal(ranks.describe([2, 1, 2, null]),
        "1st B, 2nd= A and C, D not ranked yet");
    assert.equal(ranks.describe([2, 1, 2, 3]), "1st B, 2nd= A and C, 4th D");
    assert.deepEqual([1, 2, 3, 4, 11, 12, 13, 21, 22].map(ranks.ordinal),
        ["1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "22nd"]);
    assert.deepEqual([0, 25, 26, 63].map(ranks.letter), ["A", "Z", "AA", "BL"]);
});

test("putting: between, at the ends, into a tie, out of one", () => {
    assert.deepEqual(ranks.put([1, 2, 3], 2, 0, false), [2, 3, 1]);
    assert.deepEqual(ranks.put([1, 2, 3], 0, 2, false), [3, 1, 2]);
    assert.deepEqual(ranks.put([1, 2, 3], 2, 0, true), [1, 3, 1]);
    assert.deepEqual(ranks.put([1, 1, 3], 1, 1, false), [1, 2, 3]);
    assert.deepEqual(ranks.put([null, 1, null], 0, 1, false), [2, 1, null]);
});

test("shifting: one step, out of a tie first, never beyond the ends", () => {
    assert.deepEqual(ranks.shift([1, 2, 3], 2, -1), [1, 3, 2]);
    assert.deepEqual(ranks.shift([1, 2, 3], 0, -1), [1, 2, 3]);
    assert.deepEqual(ranks.shift([1, 1, 3], 1, 1), [1, 2, 3]);
    assert.deepEqual(ranks.shift([1, 1, 3], 1, -1), [2, 1, 3]);
    assert.deepEqual(ranks.shift([null, 1], 0, -1), [2, 1]);
});

/* ---- differences -------------------------------------------------------- */

test("differences are what the other lacks, and nothing is lost", () => {
    const [a, b] = diff("the red cat sat", "the cat sat down");
    assert.deepEqual(a.filter((r) => r.own).map((r) => r.text.trim()), ["red"]);
    assert.deepEqual(b.filter((r) => r.own).map((r) => r.text.trim()),
        ["down"]);
    assert.equal(a.map((r) => r.text).join(""), "the red cat sat");
    assert.equal(b.map((r) => r.text).join(""), "the cat sat down");
    assert.equal(diff("a ".repeat(3000), "b ".repeat(3000)), null);
});

/* ---- the outbox --------------------------------------------------------- */

class Memory {
    items = new Map();
    getItem(k) {
        return this.items.get(k) ?? null;
    }
    setItem(k, v) {
        this.items.set(k, v);
    }
    removeItem(k) {
        this.items.delete(k);
    }
}

/** An outbox over a server that answers as `plan` says, then with success. */
function rig(plan, storage = new Memory()) {
    const log = { sent: [], done: [], refused: [], states: [], signedOut: 0 };
    const box = new Outbox({ storage, name: "box",
        send: async (e) => {
            log.sent.push(e.body.key);
            const step = plan.shift();
            if (typeof step === "number")
                throw new ApiError(step, `said ${step}`);
            return { standing: 1, ...step };
        },
        changed: (b) => log.states.push(b.state),
        done: (e) => log.done.push(e.key),
        refused: (e, error) => log.refused.push([e.key, error.status]),
        signedOut: () => log.signedOut++ });
    return { box, log, storage };
}

const entry = (assignment) => ({ path: "/x", assignment, what: "vote",
    body: { act: "vote" } });

async function until(condition) {
    for (let k = 0; k < 500 && !condition(); k++)
        await new Promise((r) => setTimeout(r, 10));
    assert.ok(condition());
}

test("outbox: in order, each under a key of its own", async () => {
    const { box, log, storage } = rig([]);
    box.add(entry(1));
    box.add(entry(2));
    assert.equal(JSON.parse(storage.getItem("box")).length, 2);
    await until(() => log.done.length === 2);
    assert.deepEqual(log.sent, log.done);
    assert.equal(new Set(log.sent).size, 2);
    assert.equal(storage.getItem("box"), null);
    assert.equal(box.state, "saved");
});

test("outbox: what was lost is sent again under the same key", async () => {
    const { box, log } = rig([0, 503, 507]);
    box.add(entry(1));
    await until(() => log.states.includes("offline"));
    assert.equal(box.takeBack(1), null, "it may have arrived");
    box.retry();
    await until(() => log.done.length === 1);
    assert.equal(log.sent.length, 4);
    assert.equal(new Set(log.sent).size, 1);
    assert.equal(box.waiting, 0);
});

test("outbox: a refusal is told and the rest goes on", async () => {
    const { box, log } = rig([409]);
    box.add(entry(1));
    box.add(entry(2));
    await until(() => log.done.length === 1);
    assert.deepEqual(log.refused.map((r) => r[1]), [409]);
    assert.equal(box.waiting, 0);
});

test("outbox: signed out keeps everything until signed in again", async () => {
    const { box, log, storage } = rig([401]);
    box.add(entry(1));
    await until(() => log.signedOut === 1);
    box.add(entry(2));
    assert.equal(log.sent.length, 1);
    assert.equal(box.state, "signed-out");
    // The tab is loaded again meanwhile.
    const later = rig([], storage);
    assert.equal(later.box.waiting, 2);
    later.box.retry();
    await until(() => later.log.done.length === 2);
    assert.equal(later.log.sent[0], log.sent[0]);
});

test("outbox: what was never sent can be taken back", async () => {
    const { box, log } = rig([]);
    box.add(entry(1));
    box.add(entry(2));
    assert.equal(box.takeBack(2)?.assignment, 2);
    await until(() => log.done.length === 1 && box.state === "saved");
    assert.equal(log.sent.length, 1);
});

test("outbox: undoing takes back the vote, and no remark", () => {
    const { box } = rig([]);
    box.add(entry(1));
    box.add({ ...entry(2), what: "comment" });
    box.add({ ...entry(2), what: "flag" });
    box.add(entry(2));
    assert.ok(box.has(2));
    assert.equal(box.takeBack(2)?.what, "vote");
    assert.ok(!box.has(2));
    assert.equal(box.takeBack(2), null, "what is left are remarks");
    assert.deepEqual(box.entries.map((e) => e.what),
        ["vote", "comment", "flag"]);
    // Of several acts the last one.
    box.add(entry(3));
    box.add({ ...entry(3), what: "undo" });
    assert.equal(box.takeBack(3)?.what, "undo");
    assert.equal(box.takeBack(3)?.what, "vote");
});

test("outbox: what waits knows its pool", () => {
    const { box, storage } = rig([]);
    box.add({ ...entry(1), pool: 7 });
    assert.equal(JSON.parse(storage.getItem("box"))[0].pool, 7);
});

test("work: an answer counts in the pool that it is of", () => {
    const counted = (/** @type {number} */ pool) => {
        const work = Object.assign(Object.create(Work.prototype), {
            app: { outbox: { waiting: 0 }, announce() {} },
            pool: { pool: 2, votes: 5, wanted: 9,
                mine: { voted: 1, skipped: 0 } },
            seen: new Map(), item: {}, deck: [1, 2, 3], isAll: true,
            showProgress() {} });
        work.done({ ...entry(1), pool }, { is_new: true });
        return [work.pool.mine.voted, work.pool.votes, work.pool.wanted];
    };
    assert.deepEqual(counted(2), [2, 6, 8]);
    assert.deepEqual(counted(1), [1, 5, 9]);
});

test("outbox: a storage that is full or broken loses no vote", async () => {
    const storage = new Memory();
    storage.setItem = () => {
        throw new Error("full");
    };
    storage.items.set("box", "{no json");
    const { box, log } = rig([], storage);
    box.add(entry(1));
    await until(() => log.done.length === 1);
});
