/**
 * watch_rig.mjs - a real plumb watch over a project that grows, and a browser
 * that can reach nothing else (rig.mjs).
 *
 * From the environment: PLUMB, and what rig.mjs reads.
 */
import { spawn } from "node:child_process";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";

import { openBrowser, problems, strays } from "./rig.mjs";

const { PLUMB, UI_DIST } = process.env;

/** A row of a PPO run that goes wrong: all rises, gold falls. */
export function row(step) {
    const x = 1 - Math.exp(-step / 12), wave = Math.sin(step * 1.7) / 20;
    return `${JSON.stringify({ step, "objective/scores": 2 * x + wave,
        "objective/kl": 6 * x, "kl/sequence": 6 * x + wave,
        "kl/per_token": 0.1 * x, "kl/step": 0.05,
        "response/length": 30 + 30 * x, "policy/entropy_avg": 0.3 + wave / 10,
        "value/explained_variance": 0.2, "world/gold": 2 - x + wave,
        "clip/positive_above": 0.001, "clip/negative_below": 0.002 })}\n`;
}

/** A rollout whose text means to be more than text. */
function rollout(step, k) {
    const n = 12, of = (f) => Array.from({ length: n }, (_, i) => f(i));
    return `${JSON.stringify({ step, prompt_id: `ppo-${k}`, sample: 0,
        prompt: `question ${k}\nof <b>two</b> lines`,
        response: `reply ${k} at ${step} <img src=x onerror=alert(1)>`,
        finish: k % 3 ? "eos" : "length", score: Math.sin(k) + 0.05 * step,
        gold: 2 - 0.02 * step + k % 2,
        tags: { intent: k % 2 ? "address" : "refund" },
        tokens: of((i) => i), pieces: of((i) => i === 5 ? "\n" : ` word${i}`),
        logp: of((i) => -1 - i / 10), logp_ref: of((i) => -1 - (i % 3) / 2),
        kl: of((i) => i * step / 400), value: of((i) => 1 - i / 10),
        advantage: of((i) => i % 2 - 0.4), entropy: of(() => 0.5) })}\n`;
}

function held(k, which, sample) {
    return `${JSON.stringify({ prompt_id: `held-${k}`, prompt: `held out ${k}`,
        which, sample, response: `${which} ${k} ${sample}`, len: 9,
        finish: "eos", score: which === "policy" ? 1.5 : 0 })}\n`;
}

const estimate = (x) => ({ estimate: x, low: x - 0.2, high: x + 0.2, n: 64 });

export class Watched {
    constructor(steps = 30) {
        this.dir = fs.mkdtempSync(path.join(os.tmpdir(), "plumb-watch-"));
        this.project = path.join(this.dir, "desk");
        this.steps = 0;
        for (const d of ["ppo/rollouts", "sft", "eval", "reward/eval"])
            fs.mkdirSync(path.join(this.project, d), { recursive: true });
        this.write("ppo/config.yaml", "ppo:\n  iterations: 60\n");
        this.write("sft/metrics.jsonl", '{"step":25,"loss":3}\n' +
            '{"step":50,"loss":2}\n');
        this.write("reward/eval/heldout.json", JSON.stringify({
            accuracy_chosen_longer: { estimate: 0.9 },
            accuracy_chosen_shorter: { estimate: 0.3 } }));
        this.write("eval/curve.json", JSON.stringify({ checkpoints: [0, 10, 20,
            30].map((s) => ({ iteration: s, score: estimate(s / 15),
            gold: estimate(2 - s / 30), kl_sequence: estimate(s / 5 + 0.2) }))
        }));
        for (let k = 0; k < 100; k++)
            for (const which of ["policy", "reference"])
                for (const s of [0, 1])
                    this.write("eval/samples.jsonl", held(k, which, s), "a");
        for (let s = 1; s <= steps; s++) this.step();
    }

    write(name, text, flag = "w") {
        fs.writeFileSync(path.join(this.project, name), text, { flag });
    }

    /** What a trainer does at the end of an iteration. */
    step() {
        const s = ++this.steps;
        let text = "";
        for (let k = 0; k < 8; k++) text += rollout(s, k);
        this.write(`ppo/rollouts/${String(s).padStart(6, "0")}.jsonl`, text);
        this.write("ppo/timing.jsonl", `{"step":${s},"time":${s},` +
            '"seconds":0.5,"eps":128}\n', "a");
        this.write("ppo/metrics.jsonl", row(s), "a");
    }

    async start(port = 0) {
        const page = UI_DIST ? ["--ui", UI_DIST] : [];
        this.child = spawn(PLUMB, ["watch", this.project, "--port",
            String(port), "--quiet", ...page],
        { stdio: ["ignore", "pipe", "inherit"] });
        this.url = await new Promise((resolve, reject) => {
            let text = "";
            this.child.stdout.on("data", (piece) => {
                text += piece;
                if (text.endsWith("\n")) resolve(text.trim());
            });
            this.child.once("exit", (code) =>
                reject(new Error(`plumb watch ended with ${code}`)));
        });
    }

    async kill() {
        const gone = new Promise((r) => this.child.once("exit", r));
        this.child.kill("SIGKILL");
        await gone;
    }

    async end() {
        if (this.child?.exitCode === null) await this.kill();
        fs.rmSync(this.dir, { recursive: true, force: true });
    }
}

const all = [];

export async function watched(steps) {
    const w = new Watched(steps);
    all.push(w);
    await w.start();
    return w;
}

export async function endWatched() {
    for (const w of all) await w.end();
}

export async function look(w, hash = "", options = {}) {
    const b = await openBrowser();
    const context = await b.newContext({ viewport: { width: 1280, height: 900 },
        reducedMotion: "reduce", ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(10000);
    page.on("request", (r) => {
        if (!r.url().startsWith(`${w.url}/`)) strays.push(r.url());
    });
    page.on("pageerror", (e) => problems.push(String(e)));
    page.on("console", (m) => {
        if (m.type() === "error" && !/Failed to load resource/.test(m.text()))
            problems.push(m.text());
    });
    await page.goto(`${w.url}/${hash}`);
    return page;
}

/** Until this step is drawn. */
export const drawn = (page, step) => page.waitForFunction((s) =>
    Number(document.documentElement.dataset.drawn) >= s, step);
