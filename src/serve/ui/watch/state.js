/**
 * state.js - what is looked at, kept in the address: a link shows the same.
 *
 * @typedef {object} State
 * @property {"curves"|"replies"} view
 * @property {number[]} off runs that are not drawn
 * @property {number} smooth 0 to 0.99
 * @property {boolean} log
 * @property {number|null} from
 * @property {number|null} to
 * @property {number} run whose replies
 * @property {string} source
 * @property {string} sort
 * @property {string} order
 * @property {string} tag
 * @property {string} which
 * @property {string} text
 * @property {number} row
 * @property {string} prompt
 */

/** @type {State} */
const INITIAL = { view: "curves", off: [], smooth: 0, log: false, from: null,
    to: null, run: 0, source: "", sort: "row", order: "asc", tag: "", which: "",
    text: "", row: 0, prompt: "" };

/** @type {State} */
export const state = { ...INITIAL };

/** @param {string|null} x */
const number = (x) => x !== null && x !== "" && Number.isFinite(Number(x)) ?
    Number(x) : null;

export function readState() {
    const q = new URLSearchParams(location.hash.slice(1));
    Object.assign(state, INITIAL);
    if (q.get("view") === "replies") state.view = "replies";
    isOffChosen = q.has("off");
    state.off = (q.get("off") ?? "").split(",").map(Number).filter(Boolean);
    state.smooth = Math.min(0.99, Math.max(0, number(q.get("smooth")) ?? 0));
    state.log = q.get("log") === "1";
    state.from = number(q.get("from"));
    state.to = number(q.get("to"));
    state.run = number(q.get("run")) ?? 0;
    state.row = number(q.get("row")) ?? 0;
    for (const key of /** @type {const} */ (
        ["source", "sort", "order", "tag", "which", "text", "prompt"]))
        state[key] = q.get(key) ?? INITIAL[key];
}

/** Does the address say which runs are drawn? */
export const isChosen = () => isOffChosen;
let isOffChosen = false;

/** @param {Partial<State>} change @param {boolean} [isStep] one that "back"
 * undoes */
export function setState(change, isStep = false) {
    Object.assign(state, change);
    const q = new URLSearchParams();
    if ("off" in change) isOffChosen = true;
    for (const [key, value] of Object.entries(state)) {
        if (key === "off") {
            if (isOffChosen) q.set(key, state.off.join(",") || "0");
            continue;
        }
        const first = /** @type {any} */ (INITIAL)[key];
        if (value === null || String(value) === String(first)) continue;
        q.set(key, value === true ? "1" : String(value));
    }
    const url = `#${q}`;
    if (url === location.hash || (url === "#" && !location.hash)) return;
    if (isStep) history.pushState(null, "", url);
    else history.replaceState(null, "", url);
}
