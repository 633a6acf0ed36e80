/**
 * dialogs.js - help, guide, history, and remarks.
 */
import { h } from "../common/dom.js";
import { render } from "../common/markdown.js";
import { button, cap, dialog } from "../common/ui.js";

/** @typedef {import("./main.js").App} App */
/** @typedef {import("./types.js").Past} Past */
/** @typedef {import("./types.js").Pool} Pool */

/** @type {[string, [string[], string][]][]} */
const HELP = [
    ["Spot-check: first the two together", [
        [["1"], "A is better"], [["2"], "B is better"],
        [["3"], "Both good"], [["4"], "Both bad"]]],
    ["Spot-check: then each by itself", [
        [["0", "…", "4"], "helpful, direct: from not at all to fully"],
        [["1", "2", "3"], "correct: yes, no, unsure; length: too short, " +
            "right, too long"],
        [["↑", "↓"], "the question before, the next one"],
        [["Esc"], "back to the two together"],
        [["Enter"], "save"]]],
    ["Ranking two answers", [
        [["1"], "A is better"], [["2"], "B is better"],
        [["⇧ 1", "⇧ 2"], "much better"], [["3"], "equally good"],
        [["←", "→"], "step by step, slightly better too; Enter saves"]]],
    ["Ranking more answers", [
        [["j", "k"], "next, previous answer (arrows too)"],
        [["1", "…", "9"], "its place; the same number is a tie"],
        [["t"], "tie it with the one ranked last"],
        [["⇧ ↑", "⇧ ↓"], "move it up, down"],
        [["0"], "take its place away"],
        [["Enter"], "save"]]],
    ["Everywhere", [
        [["u"], "undo the last vote or skip"], [["s"], "skip"],
        [["f"], "flag: something is wrong with the item"],
        [["c"], "comment"], [["m"], "Markdown or plain text"],
        [["d"], "differences of two answers"],
        [["g"], "guide"], [["h"], "what I judged, to undo any of it"],
        [["?"], "this"]]],
];

/** @param {App} app */
export function helpDialog(app) {
    const single = h("input", { type: "checkbox", checked: app.hasKeys,
        onchange: () => app.setKeys(single.checked) });
    return dialog({ title: "Keys", class: "wide", body: () => [
        h("div", { class: "help" }, HELP.map(([title, rows]) => h("section",
            h("h3", title), h("dl", rows.map(([keys, what]) => h("div",
                h("dt", keys.map((k) => k === "…" ? "…" : h("kbd", k))),
                h("dd", what))))))),
        h("label", { class: "check" }, single,
            "Keys without Ctrl or Alt work (turn this off when you dictate)"),
        h("p", { class: "muted" },
            "In a text box letters are letters. Backspace does nothing " +
            "outside of one.")] });
}

/** @param {Pool} pool @param {() => void} closed */
export function guideDialog(pool, closed) {
    return dialog({ title: pool.name, class: "wide", closed, body: (close) => [
        pool.guide ? h("div", { class: "md" }, render(pool.guide)) :
            h("p", "There is no guide for this pool."),
        h("div", { class: "row end" }, h("button", { type: "button",
            class: "primary", data: { first: "" }, onclick: close },
        "Go on", cap("Enter")))] });
}

/** @param {number} at @param {number} now */
function ago(at, now) {
    const s = Math.max(0, Math.round((now - at) / 1000));
    if (s < 60) return "just now";
    if (s < 3600) return `${Math.floor(s / 60)} min ago`;
    if (s < 86400) return `${Math.floor(s / 3600)} h ago`;
    return new Date(at).toLocaleDateString();
}

const WORDS = { vote: "judged", skip: "skipped", undo: "undone" };

/** @param {App} app @param {(past: Past) => void} undo */
export function historyDialog(app, undo) {
    const list = h("ol", { class: "history" }, h("li", "Fetching…"));
    let shut = () => {};
    const box = dialog({ title: "What I judged", class: "side",
        body: (close) => {
            shut = close;
            return [list];
        } });
    const load = async () => {
        try {
            const { items } = await app.api.get("/api/history?max=50");
            list.replaceChildren(.../** @type {Past[]} */ (items).map((past) =>
                h("li", h("div", { class: "past" },
                    h("p", past.prompt),
                    h("p", { class: "muted" },
                        `${WORDS[past.act]}, ${ago(past.at, app.api.now())}`)),
                past.state === "voted" || past.state === "skipped" ?
                    h("button", { type: "button", class: "quiet",
                        "aria-label": `Undo: ${past.prompt.slice(0, 60)}`,
                        onclick: () => {
                            shut();
                            undo(past);
                        } }, "Undo") :
                    h("span", { class: "muted" }, "open"))));
            if (!items.length)
                list.replaceChildren(h("li", "Nothing yet."));
        } catch (error) {
            list.replaceChildren(h("li", "This cannot be shown now."));
            app.failed(error, "History");
        }
    };
    void load();
    return box;
}

const FLAGS = ["Text is broken", "Prompt is unclear", "Answer is cut off",
    "Unsafe or private content", "An answer says who wrote it"];

/** @param {"flag"|"comment"} kind @param {(text: string) => void} send */
export function remarkDialog(kind, send) {
    const text = h("textarea", { rows: 4, maxlength: 4000,
        data: { first: "" }, "aria-label": kind === "flag" ?
            "What is wrong with this item" : "Comment on this item" });
    const isFlag = kind === "flag";
    return dialog({ title: isFlag ? "Flag this item" : "Comment on this item",
        body: (close) => {
            const done = () => {
                const said = text.value.trim();
                if (said === "") {
                    text.focus();
                    return;
                }
                close();
                send(said);
            };
            text.addEventListener("keydown", (e) => {
                if (e.key !== "Enter" || !(e.ctrlKey || e.metaKey)) return;
                e.preventDefault();
                done();
            });
            return [
                isFlag && h("div", { class: "row wrap" }, FLAGS.map((f) =>
                    h("button", { type: "button", class: "quiet",
                        onclick: () => {
                            text.value = f;
                            done();
                        } }, f))),
                text,
                h("div", { class: "row end" },
                    button({ label: "Cancel", click: close }),
                    h("button", { type: "button", class: "primary",
                        onclick: done }, isFlag ? "Flag" : "Send",
                    cap("Ctrl Enter")))];
        } });
}
