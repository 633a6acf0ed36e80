/**
 * label.test.mjs - people judging, in a real browser.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";

import { plan } from "./plan.mjs";
import { SPOT, ask, back, checkAccess, end, heading, isSaved, open, press,
    problems, serve, shown, strays } from "./rig.mjs";

after(end);

test("a spot-check from the link to the end, by keyboard alone", async () => {
    const server = await serve(plan({ items: 4 }));
    const page = await open(server, "ada", 1);
    let at = null;
    for (let k = 0; k < 4; k++) {
        at = await shown(page, at);
        await press(page, SPOT);
    }
    await heading(page, "Nothing left for you here");
    await isSaved(page);
    assert.equal(await page.textContent(".count"), "4 done · 4 wanted");
    const { body } = await ask(page, "GET", `/api/items/${at}`);
    const act = body.acts.at(-1);
    assert.equal(act.overall, "A");
    assert.equal(act.render, "plain");
    assert.deepEqual(act.marks, [
        { helpful: 3, direct: 4, correct: "no", length: "right" },
        { helpful: 1, direct: 3, correct: "no", length: "right" }]);
    assert.ok(act.shown_at <= act.voted_at);
    assert.deepEqual(server.votes(), [4, 4, 4]);
});

test("a ranking with a tie, and pairs with strength, by keyboard", async () => {
    const server = await serve(plan({ items: 3 }));
    const page = await open(server, "ada", 2);
    const first = await shown(page);
    await press(page, ["2", "1", "t", "4"]);
    assert.equal(await page.textContent(".preview"), "All ranked.");
    assert.match(await page.textContent(".strip"),
        /1st=\s*B\s*C\s*3rd\s*A\s*4th\s*D/);
    await press(page, ["k", "Shift+ArrowUp", "Enter"]);
    const second = await shown(page, first);
    await isSaved(page);
    const { body } = await ask(page, "GET", `/api/items/${first}`);
    assert.deepEqual(body.acts[0].ranks, [3, 2, 1, 4]);
    assert.equal(await page.textContent(".count"), "1 done · 5 wanted");

    await page.goto(`${server.url}/#/pool/3`);
    const at = [await shown(page, second)];
    for (const keys of [["Shift+1"], ["3"], ["ArrowRight", "Enter"]]) {
        await press(page, keys);
        if (at.length < 3) at.push(await shown(page, at.at(-1)));
    }
    await heading(page, "Nothing left");
    await isSaved(page);
    const said = [];
    for (const a of at) {
        const act = (await ask(page, "GET", `/api/items/${a}`)).body.acts[0];
        said.push([act.ranks, act.strength]);
    }
    assert.deepEqual(said, [[[1, 2], 3], [[1, 1], undefined], [[2, 1], 1]]);
});

test("dragging does what keys do", async () => {
    const server = await serve(plan({ items: 1 }));
    const page = await open(server, "ada", 2);
    const at = await shown(page);
    const drag = async (from, to, dx = 0) => {
        const a = await page.locator(from).boundingBox();
        await page.mouse.move(a.x + a.width / 2, a.y + a.height / 2);
        await page.mouse.down();
        await page.mouse.move(a.x, a.y - 30, { steps: 3 });
        const b = await page.locator(to).boundingBox();
        await page.mouse.move(b.x + b.width / 2 + dx, b.y + b.height / 2,
            { steps: 5 });
        await page.mouse.up();
    };
    const badge = (i) => `.answer:nth-of-type(${i + 1}) .badge`;
    await drag(badge(2), ".gap.last");
    await drag(badge(0), ".tier");
    await drag(badge(1), ".gap.last");
    await drag(badge(3), ".gap >> nth=0");
    assert.match(await page.textContent(".strip"),
        /1st\s*D\s*2nd=\s*A\s*C\s*4th\s*B/);
    // A chip, from its tie to the end.
    await drag('.chip:has-text("C")', ".gap.last");
    await page.click(".save");
    await heading(page, "Nothing left");
    await isSaved(page);
    const { body } = await ask(page, "GET", `/api/items/${at}`);
    assert.deepEqual(body.acts[0].ranks, [2, 3, 4, 1]);
});

test("undo: the last one, any one, and one that was never sent", async () => {
    const server = await serve(plan({ items: 4 }));
    const page = await open(server, "ada", 3);
    const a = await shown(page);
    await press(page, ["1"]);
    const b = await shown(page, a);
    await press(page, ["s"]);
    const c = await shown(page, b);
    await isSaved(page);
    // The skip comes back, and is judged.
    await press(page, ["u"]);
    assert.equal(await shown(page, c), b);
    await press(page, ["2"]);
    await shown(page, b);
    await isSaved(page);
    // The first one, from the panel, by keyboard.
    await press(page, ["h"]);
    await page.waitForSelector(".history button");
    await page.locator(".history li").filter({ has: page.locator("button") })
        .last().locator("button").focus();
    await press(page, ["Enter"]);
    assert.equal(await shown(page, c), a);
    assert.equal(await page.getAttribute('.step[data-step="-2"]',
        "aria-pressed"), "true", "as it was judged before");
    await press(page, ["3"]);
    await shown(page, a);
    await isSaved(page);
    // Without a connection: the second of two waiting votes was never sent.
    await page.context().setOffline(true);
    const d = await shown(page);
    await press(page, ["1"]);
    const e = await shown(page, d);
    await press(page, ["1"]);
    await page.waitForSelector(".save-state[data-state=offline]");
    assert.match(await page.textContent(".save-state"), /2 votes waiting/);
    await press(page, ["u"]);
    await back(page, e);
    assert.match(await page.textContent(".save-state"), /1 vote waiting/);
    await page.context().setOffline(false);
    await isSaved(page);
    const acts = async (x) => (await ask(page, "GET", `/api/items/${x}`))
        .body.acts.map((y) => y.act);
    assert.deepEqual(await acts(a), ["vote", "undo", "vote"]);
    assert.deepEqual(await acts(b), ["skip", "undo", "vote"]);
    assert.deepEqual(await acts(d), ["vote"]);
    assert.deepEqual(await acts(e), []);
});

test("two judges at once have different items and all are judged", async () => {
    const server = await serve(plan({ items: 8, overlap: 1 }));
    const pages = [await open(server, "ada", 3), await open(server, "bob", 3)];
    const seen = await Promise.all(pages.map(async (page) => {
        const mine = [];
        let at = null;
        for (;;) {
            await page.waitForFunction((old) => {
                const now = document.querySelector(".work");
                return now?.dataset.assignment !== old &&
                    (now?.dataset.assignment || document.querySelector(
                        ".message h1"));
            }, at ?? "");
            at = await page.getAttribute(".work", "data-assignment");
            if (!at) break;
            mine.push(at);
            await page.waitForTimeout(200);
            await press(page, ["2"]);
        }
        await isSaved(page);
        return mine;
    }));
    assert.ok(seen[0].length > 0 && seen[1].length > 0);
    assert.equal(new Set(seen.flat()).size, 8);
    assert.deepEqual(server.votes(), [8, 8, 8]);
});

test("a server that dies loses no acknowledged vote, none counts twice",
    async () => {
        const server = await serve(plan({ items: 12 }));
        const page = await open(server, "ada", 3);
        let at = null, cast = 0;
        const judge = async (n) => {
            for (let k = 0; k < n; k++, cast++) {
                at = await shown(page, at);
                await press(page, ["1"]);
            }
        };
        for (let round = 0; round < 2; round++) {
            await judge(1);
            await isSaved(page);
            const before = server.votes()[0];
            assert.equal(before, cast);
            await page.waitForFunction(() => Number(
                document.querySelector(".work").dataset.ahead) >= 3);
            await judge(1);
            // Perhaps in flight, perhaps on the disk, perhaps neither.
            await server.kill();
            await judge(1);
            await page.waitForSelector(".save-state[data-state=offline]");
            assert.match(await page.textContent(".save-state"), /waiting/);
            if (round === 1) {
                // A reload of the tab keeps what waits.
                const kept = await page.evaluate(() => Object.entries(
                    sessionStorage).filter(([k]) =>
                    k.startsWith("plumb.outbox")).map(([, v]) =>
                    JSON.parse(v).length));
                assert.ok(kept[0] >= 1);
            }
            await server.start();
            await isSaved(page);
            assert.deepEqual(server.votes(), [cast, cast, cast]);
        }
    });

test("unsent votes: leaving warns, a reload sends them", async () => {
    const server = await serve(plan({ items: 4 }));
    const page = await open(server, "ada", 3);
    const at = await shown(page);
    await server.kill();
    await press(page, ["1"]);
    await page.waitForSelector(".save-state[data-state=offline]");
    const asked = new Promise((r) => page.once("dialog", (d) => {
        r(d.type());
        void d.dismiss();
    }));
    await page.click(".top"); // browsers ask only where somebody acted
    const going = page.goto("about:blank").catch(() => {});
    assert.equal(await asked, "beforeunload");
    await going;
    await server.start();
    page.on("dialog", (d) => void d.accept());
    await page.reload();
    await isSaved(page);
    await shown(page, at);
    assert.deepEqual(server.votes(), [1, 1, 1]);
});

test("an item that went on in another window comes back as it is", async () => {
    const server = await serve(plan({ items: 3 }));
    const page = await open(server, "ada", 3);
    const at = await shown(page);
    const other = await page.context().newPage();
    await other.goto(`${server.url}/#/pool/3`);
    assert.equal(await shown(other), at);
    await press(other, ["1"]);
    await shown(other, at);
    await isSaved(other);
    await press(page, ["2"]);
    await page.waitForSelector('.notice:has-text("another window")');
    await isSaved(page);
    await press(page, ["h"]);
    await page.waitForSelector(".history button");
    await press(page, ["Escape"]);
    assert.deepEqual(server.votes(), [1, 1, 1]);
    // Voted there, undone there: here it can be judged as it stands.
    await press(other, ["u"]);
    await back(other, at);
    await isSaved(other);
});

test("signed out: what is unsent is kept and sent later", async () => {
    const server = await serve(plan({ items: 4 }));
    const page = await open(server, "ada", 3);
    const at = await shown(page);
    const link = server.invite("ada"); // the old link and sessions end
    await press(page, ["1"]);
    await heading(page, "Sign in");
    assert.match(await page.textContent(".narrow"), /1 vote not sent yet/);
    await checkAccess(page, "signed out");
    await page.fill("#link", "nothing");
    await press(page, ["Enter"]);
    await page.waitForSelector("[role=alert]:has-text('no link')");
    await page.fill("#link", link);
    await press(page, ["Enter"]);
    await shown(page, at);
    await isSaved(page);
    assert.deepEqual(server.votes(), [1, 1, 1]);
});

test("letters in a text box are letters, Backspace is nothing", async () => {
    const server = await serve(plan({ items: 4 }));
    const page = await open(server, "ada", 1);
    const at = await shown(page);
    await press(page, ["Backspace", "Delete"]);
    assert.equal(await shown(page), at);
    await page.focus(".reason");
    await page.keyboard.type("usf 1234 skip?");
    await press(page, ["Backspace"]);
    assert.equal(await page.inputValue(".reason"), "usf 1234 skip");
    assert.equal(await page.locator("dialog").count(), 0);
    await press(page, ["Tab", "Escape"]);
    await page.evaluate(() => document.activeElement.blur());
    await press(page, ["c"]);
    await page.keyboard.type("see s f u");
    await press(page, ["Control+Enter"]);
    await press(page, ["f", "Tab", "Tab"]);
    await page.waitForSelector("dialog[open]");
    await page.click('dialog button:has-text("cut off")');
    await isSaved(page);
    assert.equal(await shown(page), at);
    const { body } = await ask(page, "GET", `/api/items/${at}`);
    assert.deepEqual(body.remarks.map((r) => [r.kind, r.text]),
        [["comment", "see s f u"], ["flag", "Answer is cut off"]]);
    // Single keys can be turned off.
    await press(page, ["?"]);
    await page.click("dialog .check");
    await press(page, ["Escape", "s", "1"]);
    assert.equal(await shown(page), at);
    assert.equal(await page.locator(".marks:visible").count(), 0);
});

test("the next item is on the screen at once", async (t) => {
    const server = await serve(plan({ items: 12 }));
    const page = await open(server, "ada", 3);
    let at = null;
    const times = [];
    for (let k = 0; k < 10; k++) {
        at = await shown(page, at);
        await page.evaluate(() => {
            window.waited = new Promise((r) => addEventListener("keydown",
                () => {
                    const from = performance.now();
                    requestAnimationFrame(() => requestAnimationFrame(() =>
                        r(performance.now() - from)));
                }, { once: true, capture: true }));
        });
        await press(page, ["1"]);
        times.push(await page.evaluate(() => window.waited));
    }
    times.sort((a, b) => a - b);
    t.diagnostic(`key to painted: median ${times[5].toFixed(0)} ms, ` +
        `worst ${times[9].toFixed(0)} ms`);
    // The aim is 100 ms; machines that run tests side by side are slower.
    assert.ok(times[5] < 1000);
});

test("nothing left the host, no script failed", () => {
    assert.deepEqual(strays, []);
    assert.deepEqual(problems, []);
});
