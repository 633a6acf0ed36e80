/**
 * view_pair.js - a ranking of two: which is better, and by how much.
 */
import { h } from "../common/dom.js";
import { cap } from "../common/ui.js";

/** @typedef {import("./work.js").Stage} Stage */
/** @typedef {import("./types.js").Said} Said */

const WORDS = ["", "slightly better", "better", "much better"];

/** From the left: A much better ... equal ... B much better. */
const STEPS = [-3, -2, -1, 0, 1, 2, 3];
const KEYS = ["⇧1", "1", "", "3", "", "2", "⇧2"];

/** @param {number} step */
function name(step) {
    return step === 0 ? "Equally good" :
        `${step < 0 ? "A" : "B"} is ${WORDS[Math.abs(step)]}`;
}

/** @param {number} step @returns {Said} */
function said(step) {
    return step === 0 ? { ranks: [1, 1] } :
        { ranks: step < 0 ? [1, 2] : [2, 1], strength: Math.abs(step) };
}

/** @param {Said|undefined} before @returns {number|null} */
function stepOf(before) {
    if (!before?.ranks) return null;
    const [a, b] = before.ranks;
    return a === b ? 0 : (before.strength ?? 2) * (a < b ? -1 : 1);
}

/** @param {Stage} stage @param {Said} [before] */
export function pairView(stage, before) {
    /** @type {number|null} */
    let at = stepOf(before);
    const cast = (/** @type {number} */ step) => {
        at = step;
        paint();
        stage.vote(said(step));
    };
    const choices = STEPS.map((step, i) => h("button", { type: "button",
        class: "step", data: { step }, title: name(step),
        "aria-keyshortcuts": KEYS[i].replace("⇧", "Shift+") || null,
        onclick: () => cast(step) },
    h("span", step === 0 ? "equal" :
        [h("strong", step < 0 ? "A" : "B"), ` ${WORDS[Math.abs(step)]}`]),
    KEYS[i] ? cap(KEYS[i]) : h("span", { class: "nokey" })));
    const save = h("button", { type: "button", class: "primary save",
        "aria-keyshortcuts": "Enter", onclick: () => {
            if (at !== null) cast(at);
        } }, h("span", "Save"), cap("Enter"));
    const preview = h("p", { class: "preview" });
    function paint() {
        choices.forEach((c, i) =>
            c.setAttribute("aria-pressed", String(STEPS[i] === at)));
        preview.replaceChildren(at === null ? "One choice is the vote." :
            `${name(at)}.`, h("span", { class: "wide-only" }, at === null ?
            " ← → go step by step." : " Enter saves it."));
        save.disabled = at === null;
    }
    paint();
    stage.dock.append(
        h("div", { class: "dock-line" },
            h("h2", { class: "question" }, "Which answer is better?"), preview),
        h("div", { class: "pair-scale" },
            h("div", { class: "steps", role: "group",
                "aria-label": "Which answer is better, and by how much" },
            choices),
            save));
    return {
        said: () => (at === null ? {} : said(at)),
        focus: () => stage.focusPrompt(),
        /** @param {KeyboardEvent} e */
        key(e) {
            const digit = /^(?:Digit|Numpad)([1-3])$/.exec(e.code)?.[1];
            if (digit) {
                const far = e.shiftKey ? 3 : 2;
                cast(digit === "3" ? 0 : digit === "1" ? -far : far);
                return true;
            }
            if (e.key === "ArrowLeft" || e.key === "ArrowRight") {
                const by = e.key === "ArrowLeft" ? -1 : 1;
                at = Math.max(-3, Math.min(3, (at ?? 0) + by));
                paint();
                stage.announce(name(at));
                return true;
            }
            if (e.key === "Enter") {
                if (at !== null) cast(at);
                else stage.announce("Choose first: 1, 2 or 3");
                return true;
            }
            return false;
        },
    };
}
