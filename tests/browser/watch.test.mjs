/**
 * watch.test.mjs - training that is watched, in a real browser.
 */
import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import fs from "node:fs";
import path from "node:path";
import { after, test } from "node:test";

import { checkAccess, end, problems, strays } from "./rig.mjs";
import { drawn, endWatched, look, watched } from "./watch_rig.mjs";

after(async () => {
    await end();
    await endWatched();
});

const value = (page, chart) => page.textContent(
    `.chart[data-chart="${chart}"] .value b`);

test("a project opens and shows its curves", async () => {
    const w = await watched();
    const page = await look(w);
    await drawn(page, 30);
    for (const name of ["Reward", "Gold", "KL of a response", "Clipped",
        "Response length", "Value quality", "Speed"])
        await page.waitForSelector(`.chart[data-chart="${name}"] canvas`);
    await page.waitForSelector('.chart[data-chart="sqrt-kl"] polyline');
    assert.equal(await page.locator('.chart[data-chart="sqrt-kl"] .gold')
        .count(), 4);
    assert.equal(await page.locator('.chart[data-chart="Loss"]:visible')
        .count(), 0, "sft is not drawn at first");
    await page.locator(".runs input").nth(1).click();
    await page.waitForSelector('.chart[data-chart="Loss"] canvas');
    assert.match(page.url(), /off=/);
});

test("a row is drawn within a second of being written", async () => {
    const w = await watched();
    const page = await look(w);
    await drawn(page, 30);
    await page.waitForSelector('.live[data-state="live"]');
    const took = [];
    for (let k = 31; k <= 36; k++) {
        const began = performance.now();
        w.step();
        await drawn(page, k);
        took.push(performance.now() - began);
        await page.waitForTimeout(130);
    }
    assert.ok(Math.max(...took) < 1000, `${took.map(Math.round)} ms`);
    const x = 1 - Math.exp(-3), wave = Math.sin(36 * 1.7) / 20;
    assert.equal(await value(page, "Reward"),
        String(Number((2 * x + wave).toPrecision(4))));
    assert.match(await page.textContent(".runs"), /36 of 60/);
});

test("zoom is one for all charts, in the address, and undone", async () => {
    const w = await watched();
    const page = await look(w);
    await drawn(page, 30);
    const over = page.locator('.chart[data-chart="Reward"] .u-over');
    const box = await over.boundingBox();
    await page.mouse.move(box.x + box.width * 0.25, box.y + 60);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.5, box.y + 70, { steps: 4 });
    await page.mouse.up();
    await page.waitForFunction(() => /from=/.test(location.hash));
    const from = Number(/from=([\d.]+)/.exec(page.url())[1]);
    assert.ok(from > 5 && from < 11, `from ${from}`);
    await page.waitForTimeout(300);
    const other = await look(w, new URL(page.url()).hash);
    await drawn(other, Math.floor(from) + 5);
    /* Both show the last value of what is in the range, in every chart. */
    for (const chart of ["Reward", "KL of a response", "Response length"]) {
        const last = await value(page, chart);
        assert.equal(await value(other, chart), last);
        assert.notEqual(last, "–");
    }
    const zoomed = await value(page, "Response length");
    await page.click('button:text("All")');
    await page.waitForFunction(() => !/from=/.test(location.hash));
    await page.waitForFunction((v) => document.querySelector(
        '.chart[data-chart="Response length"] .value b').textContent !== v,
    zoomed);
    await page.goBack();
    await page.waitForFunction(() => /from=/.test(location.hash));
});

test("a reply, its tokens by keyboard, and its prompt's history", async () => {
    const w = await watched();
    const page = await look(w);
    await drawn(page, 30);
    await page.click('.links a:text("Replies")');
    await page.waitForSelector("tbody tr");
    assert.equal(await page.inputValue("select[name=source]"), "iteration-30");
    await page.selectOption("select[name=order]", { label: "best score" });
    await page.waitForFunction(() => document.querySelector("tbody .link")
        ?.textContent === "ppo-2");
    await page.fill("input[name=tag]", "intent:address");
    await page.press("input[name=tag]", "Tab");
    await page.waitForFunction(() =>
        document.querySelectorAll("tbody tr").length === 4);
    await page.locator("tbody .link").first().focus();
    await page.keyboard.press("Enter");
    await page.waitForSelector(".strip .token");
    assert.equal(await page.locator(".strip .token").count(), 12);
    assert.equal(await page.locator("img").count(), 0, "text is text");
    assert.match(await page.textContent(".response"), /<img src=x/);
    const pieces = await page.locator(".piece").allTextContents();
    assert.equal(pieces[0], "·word0");
    assert.equal(pieces[5], "↵");
    await page.focus(".strip");
    for (let k = 0; k < 6; k++) await page.keyboard.press("ArrowRight");
    assert.match(await page.textContent(".token-details"), /↵ {2}\(6 of 12\)/);
    assert.match(await page.textContent(".token-details"),
        /log π − log π_ref\+0.5/);
    await page.keyboard.press("End");
    assert.match(await page.textContent(".token-details"), /\(12 of 12\)/);
    assert.equal(await page.getAttribute(".strip", "aria-activedescendant"),
        "token-11");
    await page.waitForFunction(() =>
        document.querySelectorAll(".history li").length === 30);
    await page.locator(".history .link").first().click();
    await page.waitForFunction(() => document.querySelector(".reply h2")
        ?.textContent.includes("iteration 1,"));
});

test("the paradox alarm, and one click to ask people", async () => {
    const w = await watched();
    const page = await look(w);
    await page.waitForSelector('.alarm[data-alarm="paradox"]');
    assert.match(await page.textContent('.alarm[data-alarm="paradox"] .state'),
        /nobody has looked/);
    await page.click('.alarm[data-alarm="paradox"] button');
    await page.waitForFunction(() => /40 pairs and 40 placebo pairs/.test(
        document.querySelector(".toast").textContent));
    const db = path.join(w.project, "human", "judgements.db");
    assert.ok(fs.existsSync(db));
    const out = execFileSync(process.env.PLUMB, ["label", "progress", db])
        .toString();
    assert.match(out, /watch: .*ppo .*0 of 80 items complete/);
    await page.waitForFunction(() => /people are asked/.test(
        document.querySelector('.alarm[data-alarm="paradox"]').textContent));
    await page.click('.alarm[data-alarm="paradox"] button');
    await page.waitForFunction(() => /queued already/.test(
        document.querySelector(".toast").textContent));
});

test("it comes back by itself when the server does", async () => {
    const w = await watched();
    const page = await look(w);
    await drawn(page, 30);
    await page.waitForSelector('.live[data-state="live"]');
    await w.kill();
    await page.waitForSelector('.live[data-state="lost"]');
    w.step();
    await w.start(Number(new URL(w.url).port));
    await page.waitForSelector('.live[data-state="live"]', { timeout: 20000 });
    w.step();
    await drawn(page, 32);
});

test("nothing serious for axe, in either theme, on either view", async () => {
    const w = await watched();
    for (const colorScheme of ["light", "dark"]) {
        for (const hash of ["", "#view=replies&source=iteration-30&row=1"]) {
            const page = await look(w, hash, { colorScheme });
            await page.waitForSelector(hash ? ".history li" :
                '.alarm[data-alarm="paradox"]');
            await checkAccess(page, `${colorScheme} ${hash}`);
            await page.context().close();
        }
    }
});

test("on a phone nothing is wider than the screen", async () => {
    const w = await watched();
    for (const hash of ["", "#view=replies&source=iteration-30&row=1"]) {
        const page = await look(w, hash, { viewport: { width: 360, height: 740 },
            hasTouch: true, isMobile: true });
        await page.waitForSelector(hash ? ".strip" : ".chart canvas");
        assert.ok(await page.evaluate(() =>
            document.documentElement.scrollWidth <= innerWidth), hash);
    }
});

test("nothing left the server, nothing was refused or thrown", () => {
    assert.deepEqual(strays, []);
    assert.deepEqual(problems, []);
});
