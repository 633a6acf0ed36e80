/**
 * strip.js - a reply token by token: what the policy did there, what it was
 * worth, and how far it is from the reference.
 *
 * Each lane is a bar that leaves a middle line, up for more and down for less,
 * so that it can be read without colour; the largest bar of a lane is as high
 * as the lane.
 *
 * @import { Row } from "./api.js"
 */
import { h, s } from "../common/dom.js";
import { figure } from "./words.js";

const MOST = 4000, HIGH = 22;

/** @typedef {{key: string, name: string,
 *     of: (l: Record<string, (number|null)[]>) => (number|null)[]|null}} Lane
 */

/** @type {Lane[]} */
const LANES = [
    { key: "ratio", name: "log π − log π_ref", of: (l) =>
        l.logp && l.logp_ref ? l.logp.map((x, i) => minus(x, l.logp_ref[i])) :
            null },
    { key: "advantage", name: "advantage", of: (l) =>
        l.advantage_white ?? l.advantage ?? null },
    { key: "value", name: "value", of: (l) => l.value ?? null },
    { key: "kl", name: "KL at this state", of: (l) => l.kl ?? null },
];

/** @param {number|null} a @param {number|null} b */
const minus = (a, b) => a === null || b === null ? null : a - b;

/** Spaces and line ends that can be seen. @param {string} piece */
export function visible(piece) {
    return piece.replace(/ /g, "·").replace(/\t/g, "⇥").replace(/\r/g, "␍")
        .replace(/\n/g, "↵") || "∅";
}

/** @param {Row} row */
export function strip(row) {
    const pieces = row.pieces ?? [];
    const lanes = row.lanes ?? {};
    if (pieces.length === 0)
        return h("p", { class: "muted" },
            "No tokens were recorded with this reply.");
    /** @type {{lane: Lane, x: (number|null)[]}[]} */
    const drawn = [];
    const absent = [];
    for (const lane of LANES) {
        const x = lane.of(lanes);
        if (x) drawn.push({ lane, x });
        else absent.push(lane.name);
    }
    const n = Math.min(pieces.length, MOST);
    const scale = drawn.map(({ x }) => Math.max(1e-9, ...x.slice(0, n)
        .map((v) => Math.abs(v ?? 0))));
    let at = -1;
    const details = h("dl", { class: "token-details", "aria-live": "polite" });
    const tokens = pieces.slice(0, n).map((piece, i) =>
        h("span", { class: "token", role: "option", id: `token-${i}`,
            "aria-selected": "false", "aria-label": visible(piece),
            onclick: () => go(i), onpointerenter: () => show(i) },
        h("span", { class: "piece" }, visible(piece)),
        drawn.length > 0 && bars(drawn.map(({ x }, k) =>
            (x[i] ?? 0) / scale[k]), drawn.length)));
    const list = h("div", { class: "strip", role: "listbox", tabindex: "0",
        "aria-label": "Tokens of the reply; arrow keys step through them",
        onkeydown: key, onpointerleave: () => show(at) }, tokens);

    /** @param {KeyboardEvent} e */
    function key(e) {
        const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: 10,
            ArrowUp: -10, Home: -n, End: n }[e.key];
        if (step === undefined || e.altKey || e.ctrlKey || e.metaKey) return;
        e.preventDefault();
        go(Math.min(n - 1, Math.max(0, at < 0 && step > 0 ? 0 : at + step)));
    }

    /** @param {number} i */
    function go(i) {
        if (at >= 0) tokens[at].setAttribute("aria-selected", "false");
        at = i;
        tokens[i].setAttribute("aria-selected", "true");
        list.setAttribute("aria-activedescendant", `token-${i}`);
        tokens[i].scrollIntoView({ block: "nearest", inline: "nearest" });
        show(i);
    }

    /** @param {number} i */
    function show(i) {
        if (i < 0) {
            details.replaceChildren(h("div", h("dt", "token"),
                h("dd", "none: point at one, or step with ← and →")));
            return;
        }
        /** @type {[string, string][]} */
        const facts = [["token", `${visible(pieces[i])}  (${i + 1} of ` +
            `${pieces.length})`]];
        for (const { lane, x } of drawn)
            facts.push([lane.name, signed(x[i])]);
        for (const [key, name] of [["logp", "log π"], ["logp_ref", "log π_ref"],
            ["entropy", "entropy"], ["reward", "reward"],
            ["p_eos", "P(end)"], ["p_eos_ref", "P(end), reference"]])
            if (lanes[key]) facts.push([name, figure(lanes[key][i])]);
        details.replaceChildren(...facts.map(([k, v]) =>
            h("div", h("dt", k), h("dd", v))));
    }

    show(-1);
    return h("div", { class: "strip-box" },
        drawn.length > 0 && h("ul", { class: "lanes" }, drawn.map(({ lane }, k) =>
            h("li", { data: { lane: lane.key } }, h("i"), lane.name,
                h("span", { class: "unit" }, `± ${figure(scale[k])}`)))),
        absent.length > 0 && h("p", { class: "unit" },
            `Not recorded with this reply: ${absent.join(", ")}.`),
        list, pieces.length > n && h("p", { class: "muted" },
            `The first ${n} of ${pieces.length} tokens.`),
        details);
}

/** @param {number|null|undefined} x */
const signed = (x) => x === null || x === undefined ? "–" :
    `${x > 0 ? "+" : ""}${figure(x)}`;

/** @param {number[]} share -1 to 1 @param {number} n lanes */
function bars(share, n) {
    const gap = 3, total = n * (HIGH + gap);
    return s("svg", { class: `bars lanes-${n}`, viewBox: `0 0 14 ${total}`,
        preserveAspectRatio: "none", "aria-hidden": "true" },
    share.map((x, k) => {
        const middle = k * (HIGH + gap) + HIGH / 2;
        const high = Math.abs(x) * (HIGH / 2 - 1);
        return [s("line", { x1: 0, x2: 14, y1: middle, y2: middle }),
            high > 0.3 && s("rect", { x: 1, width: 12,
                y: x > 0 ? middle - high : middle, height: high,
                class: x > 0 ? "up" : "down" })];
    }));
}
