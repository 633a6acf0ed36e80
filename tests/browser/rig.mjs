/**
 * rig.mjs - a real plumb label with a project of its own, and a real browser
 * that can reach nothing else.
 *
 * From the environment: PLUMB, UI_SEED (programs), UI_MODULES (node_modules),
 * CHROMIUM.
 */
import assert from "node:assert/strict";
import { execFileSync, spawn } from "node:child_process";
import fs from "node:fs";
import { createRequire } from "node:module";
import os from "node:os";
import path from "node:path";

const { PLUMB, UI_SEED, UI_MODULES, UI_DIST } = process.env;
const CHROMIUM = process.env.CHROMIUM ?? "chromium";
const require = createRequire(path.join(UI_MODULES, "x.js"));
const { chromium } = require("playwright-core");
const AXE = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");

/** A project, and a server over it that can be killed and started again. */
export class Server {
    constructor(plan) {
        this.dir = fs.mkdtempSync(path.join(os.tmpdir(), "plumb-ui-"));
        this.db = path.join(this.dir, "project.db");
        const file = path.join(this.dir, "plan.json");
        fs.writeFileSync(file, JSON.stringify(plan));
        execFileSync(UI_SEED, [this.db, file]);
        this.port = 0;
    }

    async start() {
        const page = UI_DIST ? ["--ui", UI_DIST] : [];
        this.child = spawn(PLUMB, ["label", this.db, "--port",
            String(this.port), "--json", "--quiet", ...page],
        { stdio: ["ignore", "pipe", "inherit"] });
        const told = await new Promise((resolve, reject) => {
            let text = "";
            this.child.stdout.on("data", (piece) => {
                text += piece;
                if (text.trimEnd().endsWith("}")) resolve(JSON.parse(text));
            });
            this.child.once("exit", (code) =>
                reject(new Error(`plumb label ended with ${code}`)));
        });
        this.port = told.port;
        this.url = told.url;
        this.adminLink = told.link;
    }

    /** No farewell: as if the machine had lost power. */
    async kill() {
        if (this.child.exitCode !== null || this.child.signalCode !== null)
            return;
        const gone = new Promise((r) => this.child.once("exit", r));
        this.child.kill("SIGKILL");
        await gone;
    }

    invite(name, role = "judge") {
        const out = execFileSync(PLUMB, ["label", "invite", this.db, "--name",
            name, "--role", role, "--json", "--url", this.url]);
        return JSON.parse(out.toString()).link;
    }

    /** Votes on the disk: how many, of how many assignments, by how many
     * keys. */
    votes() {
        return JSON.parse(execFileSync(UI_SEED, [this.db]).toString());
    }

    async end() {
        await this.kill();
        fs.rmSync(this.dir, { recursive: true, force: true });
    }
}

const servers = [];

export async function serve(plan) {
    const server = new Server(plan);
    servers.push(server);
    await server.start();
    return server;
}

/** At the end of a file of tests. */
export async function end() {
    await browser?.close();
    for (const s of servers) await s.end();
}

let browser = null;

/** One browser for a file of tests; it resolves no name of a host. */
export async function openBrowser() {
    browser ??= await chromium.launch({
        executablePath: CHROMIUM,
        args: ["--no-sandbox", "--disable-gpu",
            "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
            "--disable-background-networking"],
    });
    return browser;
}

/** Requests that would have left the server's origin, of all pages. */
export const strays = [];
/** What scripts threw and what the policy refused. */
export const problems = [];

/** A judge at a browser window of their own. */
export async function sit(server, link, options = {}) {
    const b = await openBrowser();
    const context = await b.newContext({ viewport: { width: 1280, height: 800 },
        reducedMotion: "reduce", ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(10000);
    page.on("request", (r) => {
        if (!r.url().startsWith(`${server.url}/`)) strays.push(r.url());
    });
    page.on("pageerror", (e) => problems.push(String(e)));
    page.on("console", (m) => {
        if (m.type() === "error" && !/Failed to load resource/.test(m.text()))
            problems.push(m.text());
    });
    await page.goto(link);
    return page;
}

/** What a signed-in page may ask of the interface, by its own session. */
export function ask(page, method, path_, body) {
    return page.evaluate(async ([m, p, b]) => {
        const { csrf } = await (await fetch("/api/session")).json();
        const answer = await fetch(p, { method: m, headers: b ? {
            "Content-Type": "application/json", "X-Plumb-CSRF": csrf } : {},
        body: b ? JSON.stringify(b) : undefined });
        return { status: answer.status, body: await answer.json() };
    }, [method, path_, body]);
}

/** No serious or critical finding of axe; of a theme that differs from one
 * that was checked in its colours only, these. */
export async function checkAccess(page, where, isColourOnly = false) {
    if (!await page.evaluate(() => "axe" in window)) await page.evaluate(AXE);
    const found = await page.evaluate(async (colour) => {
        // eslint-disable-next-line no-undef
        const r = await axe.run(document, colour ? { runOnly: {
            type: "rule", values: ["color-contrast"] } } : {
            runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa",
                "best-practice"] });
        return r.violations.map((v) => ({ id: v.id, impact: v.impact,
            nodes: v.nodes.map((n) => `${n.html.slice(0, 160)} ` +
                n.failureSummary) }));
    }, isColourOnly);
    const bad = found.filter((v) =>
        v.impact === "serious" || v.impact === "critical");
    assert.deepEqual(bad, [], `${where}: ${JSON.stringify(bad, null, 1)}`);
    return found;
}

/* ---- what a judge does --------------------------------------------------- */

/** The assignment on the screen, once keys are taken for it. */
export async function shown(page, not = null) {
    const handle = await page.waitForFunction((old) => {
        const at = document.querySelector(".work")?.dataset.assignment;
        return at && at !== old && at;
    }, not);
    await page.waitForTimeout(200); // keys so soon are for the one before
    return handle.jsonValue();
}

export const isSaved = (page) => page.waitForSelector(
    ".save-state[data-state=saved]", { state: "attached" });
export const heading = (page, text) => page.waitForSelector(`h1:text("${text}")`);

export async function press(page, keys) {
    for (const k of keys) await page.keyboard.press(k);
}

export const SPOT = [..."13422132", "2", "Enter"];

/** Wait until this assignment is on the screen. */
export async function back(page, at) {
    await page.waitForSelector(`.work[data-assignment="${at}"]`);
    await page.waitForTimeout(200);
}

/** Open a judge's window on pool n of the server's. */
export async function open(server, name, pool, options) {
    const page = await sit(server, server.invite(name), options);
    await page.waitForSelector("h1");
    if (await page.locator("a.pool").count())
        await page.keyboard.press(String(pool));
    await page.waitForSelector("dialog[open], .work[data-assignment]");
    if (await page.locator("dialog[open]").count())
        await page.keyboard.press("Enter");
    await page.waitForSelector("dialog", { state: "detached" });
    return page;
}
