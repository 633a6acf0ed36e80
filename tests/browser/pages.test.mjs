/**
 * pages.test.mjs - what every page shows, to whom, and on what screen.
 */
import assert from "node:assert/strict";
import { after, test } from "node:test";

import { hostilePlan, plan } from "./plan.mjs";
import { SPOT, ask, checkAccess, end, heading, isSaved, open, press, problems,
    serve, shown, sit, strays } from "./rig.mjs";

after(end);

test("text of models is inert, as plain text and as Markdown", async () => {
    const server = await serve(hostilePlan());
    const page = await sit(server, server.invite("ada"));
    await page.waitForSelector("dialog[open] .md");
    const inert = async (where) => {
        await page.waitForTimeout(100);
        const found = await page.evaluate(() => ({
            hacked: window.hacked ?? null,
            elements: [...document.querySelectorAll(".text *, .prompt-text *," +
                " .md *, .past *")].map((e) => e.tagName).filter((t) =>
                !/^(P|DIV|H[456]|UL|OL|LI|PRE|CODE|STRONG|EM|DEL|BLOCKQUOTE|BR|HR|SPAN|MARK)$/
                    .test(t)),
            attributes: [...document.querySelectorAll(".text *, .md *")]
                .flatMap((e) => e.getAttributeNames())
                .filter((a) => a !== "class") }));
        assert.deepEqual(found, { hacked: null, elements: [], attributes: [] },
            where);
    };
    await inert("guide");
    await press(page, ["Enter"]);
    const at = await shown(page);
    await inert("plain");
    assert.match(await page.textContent(".answers"), /onerror="window\.hacked/);
    await press(page, ["m"]);
    await page.waitForSelector(".text .md");
    await inert("markdown");
    assert.match(await page.textContent(".answers"),
        /click \(javascript:window\.hacked=3\)/);
    await press(page, ["d"]);
    await page.waitForSelector(".text mark");
    await inert("differences");
    await press(page, ["m"]);
    await page.waitForSelector(".text .md");
    assert.equal(await page.locator(".text mark").count(), 0);
    await press(page, SPOT);
    await heading(page, "Nothing left");
    await isSaved(page);
    const { body } = await ask(page, "GET", `/api/items/${at}`);
    assert.equal(body.acts[0].render, "markdown");
    await press(page, ["h"]);
    await page.waitForSelector(".past");
    await inert("history");
});

test("what the browser is sent tells nothing of who wrote what", async () => {
    const server = await serve(plan({ items: 4 }));
    const page = await sit(server, server.invite("ada"));
    const bodies = [];
    page.on("response", async (r) => {
        if (r.url().includes("/api/"))
            bodies.push(await r.text().catch(() => ""));
    });
    await page.waitForSelector("a.pool");
    await press(page, ["1"]);
    await page.waitForSelector("dialog[open]");
    await press(page, ["Enter"]);
    let at = null;
    for (let k = 0; k < 2; k++) {
        at = await shown(page, at);
        await press(page, SPOT);
    }
    await shown(page, at);
    await isSaved(page);
    assert.ok(bodies.length > 4);
    const allowed = new Set(["assignment", "pool", "task", "prompt",
        "messages", "answers", "commitment", "expires", "state", "standing"]);
    let items = 0;
    for (const text of bodies) {
        const json = JSON.parse(text || "{}");
        for (const item of json.items ?? []) {
            items++;
            assert.deepEqual(Object.keys(item).filter((k) => !allowed.has(k)),
                []);
        }
        assert.doesNotMatch(text,
            /"(policy|reference|placebo|source|kind|arm|step|score|run)"/);
    }
    assert.ok(items > 0);
});

/** A standing as docs/label-http.md has it, for the page that draws it. */
const STANDING = {
    schema: "plumb.standing/1", pool: 1, name: "x", task: "spotcheck",
    at: 1700000000000,
    progress: { items: 100, complete: 60, begun: 10, votes: 130, wanted: 70,
        held: 2, skipped: 3, flags: 1 },
    judges: [{ judge: 2, name: "ada", votes: 70, skips: 1, undone: 2,
        median_ms: 14200, too_fast: 3,
        left: { value: 0.52, low: 0.4, high: 0.64, n: 66 },
        longer: { value: 0.61, low: 0.49, high: 0.72, n: 66 },
        consistency: { value: 0.8, low: 0.49, high: 0.94, n: 10 },
        gold: { undefined: "there are no gold items" },
        identical: { value: 1, low: 0.34, high: 1, n: 2 }, weight: 0.83 }],
    agreement: [{ name: "alpha_ordinal", of: "direct", value: 0.41, low: 0.2,
        high: 0.58, n: 60 }, { name: "cohen", of: "overall",
        undefined: "only one judge has votes" }],
    win: { value: 0.43, low: 0.35, high: 0.51, n: 120 },
    win_length_controlled: { value: 0.39, low: 0.3, high: 0.49, n: 120 },
    marks: [{ name: "less_direct",
        policy: { value: 0.4, low: 0.31, high: 0.5, n: 100 },
        placebo: { value: 0.2, low: 0.13, high: 0.29, n: 100 },
        excess: { value: 0.2, low: 0.07, high: 0.32, n: 100 },
        measurable: true, more_pairs: 0 }, { name: "too_long",
        policy: { value: 0.3, low: 0.2, high: 0.4, n: 100 },
        placebo: { undefined: "no placebo pairs yet" },
        excess: { undefined: "no placebo pairs yet" },
        measurable: false, more_pairs: 64 }],
    sequential: { wins: 44, losses: 58, ties: 18, decided: false,
        evidence: 3.1, needed: 20, more: 38,
        win: { value: 0.43, low: 0.31, high: 0.55, n: 120 } },
    says: ["The policy is called less direct more often than chance: 20% " +
        "more than the reference against itself.",
    "Which one wins is not decided; about 38 more pairs would."],
};

const THEMES = ["light", "dark"];

async function inBothThemes(page, where) {
    for (const colorScheme of THEMES) {
        await page.emulateMedia({ colorScheme });
        await checkAccess(page, `${where}, ${colorScheme}`,
            colorScheme === "dark");
    }
}

test("judging: no serious finding of axe, in light and dark", async () => {
    const server = await serve(plan({ items: 2 }));
    const nobody = await sit(server, server.url);
    await heading(nobody, "Sign in");
    await inBothThemes(nobody, "sign in");
    const page = await sit(server, server.invite("ada"));
    await page.waitForSelector("a.pool");
    await inBothThemes(page, "pools");
    await press(page, ["1"]);
    await page.waitForSelector("dialog[open]");
    await inBothThemes(page, "guide");
    await press(page, ["Enter"]);
    let at = await shown(page);
    await inBothThemes(page, "spot-check, first stage");
    await press(page, ["1", "3", "4", "d"]);
    await inBothThemes(page, "spot-check, second stage");
    for (const [key, where] of [["?", "keys"], ["h", "history"],
        ["f", "flag"], ["c", "comment"]]) {
        await press(page, [key]);
        await page.waitForSelector("dialog[open]");
        await inBothThemes(page, where);
        await press(page, ["Escape"]);
    }
    await press(page, ["Escape", ...SPOT]);
    at = await shown(page, at);
    await press(page, SPOT);
    await heading(page, "Nothing left");
    await inBothThemes(page, "nothing left");
    await page.goto(`${server.url}/#/pool/2`);
    at = await shown(page, at);
    await press(page, ["1", "2", "m"]);
    await inBothThemes(page, "ranking");
    await page.goto(`${server.url}/#/pool/3`);
    at = await shown(page, at);
    await press(page, ["ArrowLeft"]);
    await inBothThemes(page, "pair");
    await page.setViewportSize({ width: 390, height: 844 });
    await inBothThemes(page, "pair, narrow");
    await page.goto(`${server.url}/#/pool/2`);
    await shown(page, at);
    await inBothThemes(page, "ranking, narrow");
});

test("people and standing: what they show, and no serious finding",
    async () => {
        const server = await serve(plan({ items: 2 }));
        const page = await sit(server, server.adminLink);
        let asked = 0;
        await page.route("**/standing", (r) => {
            asked++;
            return r.fulfill({ json: STANDING });
        });
        await page.waitForSelector("a.pool");
        await page.click('a:has-text("How it stands")');
        await page.waitForSelector(".says");
        const text = await page.textContent(".standing");
        assert.ok(text.indexOf(STANDING.says[0]) === 0, "first of all");
        assert.match(text, /43%\s*35% to 51%, n = 120/);
        assert.match(text, /not known: only one judge has votes/);
        assert.match(text, /64 more pairs/);
        assert.match(text, /not decided, about 38 more pairs/);
        await inBothThemes(page, "standing");
        // Somebody votes: it is read again without being asked to.
        await page.waitForSelector('.when:has-text("Live")');
        await page.waitForTimeout(1200);
        const before = asked;
        const judge = await open(server, "ada", 1);
        await shown(judge);
        await press(judge, SPOT);
        for (let k = 0; k < 50 && asked === before; k++)
            await page.waitForTimeout(100);
        assert.ok(asked > before);

        await page.click('a:has-text("People")');
        await page.fill("#name", "grace");
        await page.click('label:has-text("Viewer")');
        await press(page, ["Enter"]);
        const link = await page.inputValue(".link-card input");
        assert.match(link, /^http:\/\/127\.0\.0\.1:\d+\/#token=/);
        await inBothThemes(page, "people");
        await page.context().grantPermissions(["clipboard-read",
            "clipboard-write"]);
        await page.click('button:has-text("Copy")');
        assert.equal(await page.evaluate(() =>
            navigator.clipboard.readText()), link);
        // A viewer sees how it stands and nothing else.
        const viewer = await sit(server, link);
        await viewer.route("**/standing", (r) => r.fulfill({ json: STANDING }));
        await viewer.waitForSelector("h1");
        assert.equal(await viewer.locator(".links a:visible").count(), 0);
        assert.equal((await ask(viewer, "POST", "/api/pools/1/next",
            { want: 1 })).status, 403);
        assert.equal((await ask(viewer, "GET", "/api/judges")).status, 403);
        // Revoked: out from the next request on.
        await page.click("tr:has-text('grace') button:has-text('Revoke')");
        await inBothThemes(page, "revoke?");
        await page.click("dialog button:has-text('Revoke')");
        await page.waitForSelector("tr.revoked");
        await viewer.reload();
        await heading(viewer, "Sign in");
    });

test("who judges is not shown how it stands, unless they say so",
    async () => {
        const server = await serve(plan({ items: 3 }));
        const page = await sit(server, server.adminLink);
        await page.click("a.pool");
        await page.click("dialog .primary");
        await shown(page);
        await press(page, SPOT);
        await page.waitForSelector('.count:has-text("1 done")');
        await page.goto(`${server.url}/#/standing/1`);
        await page.waitForSelector('.says:has-text("Closed to you")');
        const text = await page.textContent(".standing");
        assert.match(text, /1\s*votes|votes\s*1/);
        assert.doesNotMatch(text, /Policy|Placebo|Gold|win|still wanted/);
        await inBothThemes(page, "closed standing");
        await page.click('button:has-text("Show anyway")');
        await page.waitForSelector('h2:has-text("Policy against reference")');
        assert.match(await page.textContent(".standing"), /not blind since/);
        await page.goto(`${server.url}/#/standing/999`);
        await heading(page, "No such pool");
        assert.equal(await page.locator("a[data-format]").count(), 0);
    });

test("a phone: one column, nothing too wide, large targets, by touch",
    async () => {
        const server = await serve(plan({ items: 2 }));
        const page = await sit(server, server.invite("ada"), {
            viewport: { width: 390, height: 844 }, hasTouch: true,
            isMobile: true, deviceScaleFactor: 2 });
        const fits = async (where) => {
            const wide = await page.evaluate(() =>
                document.documentElement.scrollWidth);
            assert.ok(wide <= 390, `${where}: ${wide} px wide`);
            const small = await page.evaluate(() => [...document
                .querySelectorAll("button, a, summary, .segments label")]
                .filter((e) => e.checkVisibility())
                .map((e) => [e.textContent, e.getBoundingClientRect()])
                .filter(([, r]) => r.width < 36 || r.height < 36)
                .map(([t, r]) => `${t} ${r.width} x ${r.height}`));
            assert.deepEqual(small, [], where);
        };
        await page.waitForSelector("a.pool");
        await fits("pools");
        await page.tap("a.pool >> nth=0");
        await page.waitForSelector("dialog[open]");
        await fits("guide");
        await page.tap("dialog .primary");
        const at = await shown(page);
        await fits("first stage");
        await page.tap('.choice:has-text("B is better")');
        await fits("second stage");
        for (const s of [0, 1])
            for (const [mark, value] of [["helpful", "3"], ["direct", "2"],
                ["correct", "yes"], ["length", "too_long"]])
                await page.locator(
                    `input[name="${mark}-${s}"][value="${value}"]`).tap();
        await page.tap(".save");
        const next = await shown(page, at);
        await isSaved(page);
        await page.goto(`${server.url}/#/pool/2`);
        const ranked = await shown(page, next);
        await fits("ranking");
        await page.goto(`${server.url}/#/pool/3`);
        await shown(page, ranked);
        await fits("pair");
        await page.context().setOffline(true);
        await page.tap('.step[data-step="-1"]');
        await page.waitForSelector(".save-state[data-state=offline]");
        await fits("offline");
        await page.context().setOffline(false);
        await isSaved(page);
        assert.deepEqual(server.votes(), [2, 2, 2]);
    });

test("the theme follows the system until somebody chooses", async () => {
    const server = await serve(plan({ items: 2 }));
    const page = await open(server, "ada", 1, { colorScheme: "dark" });
    const ground = () => page.evaluate(() =>
        getComputedStyle(document.documentElement).backgroundColor);
    const dark = await ground();
    await page.emulateMedia({ colorScheme: "light" });
    const light = await ground();
    assert.notEqual(dark, light);
    await page.click('[aria-label="Dark colours"]');
    assert.equal(await ground(), dark);
    await page.reload();
    await page.waitForSelector(".work");
    assert.equal(await ground(), dark);
    await page.click('[aria-label="Light colours"]');
    assert.equal(await ground(), light);
});

test("nothing left the host, no script failed", () => {
    assert.deepEqual(strays, []);
    assert.deepEqual(problems, []);
});
