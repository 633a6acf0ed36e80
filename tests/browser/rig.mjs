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
        const gone = new Promise((r) => this.child.once("exit", r));
        this.child.kill("SIGKILL");
        await gone;
    }

    invite(name, role = "judge") {
        const out = execFileSync(PLUMB, ["label", "invite", this.db, "--name",
            name, "--role", role, "--json", "--url", this.url]);
        return JSON.parse(out.toString()).link;
    }

    /** Plays no part in what is judged: reads the standing votes. */
    sql(text) {
        return execFileSync("python3", ["-c",
            "import sqlite3,sys,json;c=sqlite3.connect(sys.argv[1]);" +
            "print(json.dumps(c.execute(sys.argv[2]).fetchall()))",
            this.db, text]).toString();
    }

    async end() {
        if (this.child.exitCode === null) await this.kill();
        fs.rmSync(this.dir, { recursive: true, force: true });
    }
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

export async function closeBrowser() {
    await browser?.close();
    browser = null;
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

/** No serious or critical finding of axe. */
export async function checkAccess(page, where) {
    await page.evaluate(AXE);
    const found = await page.evaluate(async () => {
        // eslint-disable-next-line no-undef
        const r = await axe.run(document, { runOnly: ["wcag2a", "wcag2aa",
            "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] });
        return r.violations.map((v) => ({ id: v.id, impact: v.impact,
            nodes: v.nodes.map((n) => `${n.html.slice(0, 160)} ` +
                n.failureSummary) }));
    });
    const bad = found.filter((v) =>
        v.impact === "serious" || v.impact === "critical");
    assert.deepEqual(bad, [], `${where}: ${JSON.stringify(bad, null, 1)}`);
    return found;
}
