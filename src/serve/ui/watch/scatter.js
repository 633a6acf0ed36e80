/**
 * scatter.js - reward against the root of the KL: how much was paid for it.
 *
 * @import { Run, Point } from "./api.js"
 * @import { Line } from "./charts.js"
 */
import { h, s } from "../common/dom.js";
import { smooth } from "./charts.js";
import { state } from "./state.js";
import { figure } from "./words.js";

const W = 560, H = 226, LEFT = 52, RIGHT = 14, TOP = 12, BOTTOM = 38;

/** @param {number} low @param {number} high */
function ticks(low, high) {
    const span = high - low || 1;
    const rough = span / 5, power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 5, 10].map((k) => k * power).find((k) => k >= rough) ??
        power;
    const out = [];
    for (let x = Math.ceil(low / step) * step; x <= high + step * 1e-9;
        x += step) out.push(Number(x.toPrecision(12)));
    return out;
}

/** @param {Run[]} runs @param {Map<number, Map<string, Line>>} store
 * @param {Map<number, Point[]>} held @param {(run: Run) => number} index */
export function scatter(runs, store, held, index) {
    const paths = runs.flatMap((run) => {
        const mine = store.get(run.run);
        const kl = mine?.get("kl/sequence") ?? mine?.get("objective/kl");
        const score = mine?.get("objective/scores");
        if (!kl || !score) return [];
        /** @type {[number, number][]} */
        const path = [];
        const ks = smooth(kl.y, state.smooth), rs = smooth(score.y, state.smooth);
        score.x.forEach((_x, i) => {
            const k = ks[i], r = rs[i];
            if (k !== null && k !== undefined && r !== null && k >= 0)
                path.push([Math.sqrt(k), r]);
        });
        const points = (held.get(run.run) ?? []).filter((p) => p.kl_sequence);
        return path.length > 1 ? [{ run, path, points }] : [];
    });
    if (paths.length === 0) return null;
    const xs = paths.flatMap((p) => [...p.path.map((q) => q[0]),
        ...p.points.map((q) => Math.sqrt(Math.max(0, q.kl_sequence?.high ?? 0)))]);
    const ys = paths.flatMap((p) => [...p.path.map((q) => q[1]),
        ...p.points.flatMap((q) => [q.score, q.gold].flatMap((e) =>
            e ? [e.low, e.high] : []))]);
    const [x0, x1] = [0, Math.max(...xs) * 1.04 || 1];
    const room = (Math.max(...ys) - Math.min(...ys)) * 0.06 || 1;
    const [y0, y1] = [Math.min(...ys) - room, Math.max(...ys) + room];
    /** @param {number} x */
    const px = (x) => LEFT + (x - x0) / (x1 - x0) * (W - LEFT - RIGHT);
    /** @param {number} y */
    const py = (y) => TOP + (y1 - y) / (y1 - y0) * (H - TOP - BOTTOM);
    const picture = s("svg", { viewBox: `0 0 ${W} ${H}`, role: "img",
        "aria-label": "Reward against the root of the KL: " + paths.map((p) =>
            `${p.run.name} at ${figure(p.path.at(-1)?.[0])}, ` +
            `${figure(p.path.at(-1)?.[1])}`).join("; ") },
    s("g", { class: "grid" },
        ticks(x0, x1).map((x) => [
            s("line", { x1: px(x), x2: px(x), y1: TOP, y2: H - BOTTOM }),
            s("text", { x: px(x), y: H - BOTTOM + 16, class: "tick-x" },
                figure(x))]),
        ticks(y0, y1).map((y) => [
            s("line", { x1: LEFT, x2: W - RIGHT, y1: py(y), y2: py(y) }),
            s("text", { x: LEFT - 6, y: py(y) + 4, class: "tick-y" },
                figure(y))]),
        s("text", { x: (LEFT + W) / 2, y: H - 4, class: "tick-x" },
            "√KL of a response, √nats")),
    paths.map((p) => {
        const c = index(p.run) % 8;
        return s("g", { class: "run", "data-colour": c },
            s("polyline", { points: p.path.map(([x, y]) =>
                `${px(x).toFixed(1)},${py(y).toFixed(1)}`).join(" ") }),
            p.points.map((q) => {
                const x = px(Math.sqrt(Math.max(0, q.kl_sequence?.estimate ?? 0)));
                return [q.score && mark(x, py, q.score, "score", q.iteration),
                    q.gold && mark(x, py, q.gold, "gold", q.iteration)];
            }));
    }));
    return h("section", { class: "chart", data: { chart: "sqrt-kl" } },
        h("h3", "Reward against √KL", h("span", { class: "unit" },
            "line: training, ◆ held-out score, ○ gold, with 95 % intervals")),
        h("div", { class: "plot" }, picture));
}

/** @param {number} x @param {(y: number) => number} py
 * @param {{estimate: number, low: number, high: number}} e
 * @param {string} kind @param {number} iteration */
function mark(x, py, e, kind, iteration) {
    const y = py(e.estimate);
    const title = s("title", {}, `${kind} at iteration ${iteration}: ` +
        `${figure(e.estimate)} [${figure(e.low)}, ${figure(e.high)}]`);
    return s("g", { class: kind },
        s("line", { x1: x, x2: x, y1: py(e.low), y2: py(e.high) }),
        kind === "gold" ? s("circle", { cx: x, cy: y, r: 4 }, title) :
            s("path", { d: `M${x} ${y - 4.5}l4.5 4.5-4.5 4.5-4.5-4.5z` }, title));
}
