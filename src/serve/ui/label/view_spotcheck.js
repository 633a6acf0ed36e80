/**
 * view_spotcheck.js - two answers: first the whole, then each by itself.
 */
import { h } from "../common/dom.js";
import { cap, segments } from "../common/ui.js";

/** @typedef {import("./work.js").Stage} Stage */
/** @typedef {import("./types.js").Said} Said */
/** @typedef {import("./types.js").Marks} Marks */
/** @typedef {import("./types.js").Overall} Overall */

/** @type {{value: Overall, label: string, short: string}[]} */
const OVERALL = [
    { value: "A", label: "A is better", short: "A" },
    { value: "B", label: "B is better", short: "B" },
    { value: "both_good", label: "Both good", short: "both good" },
    { value: "both_bad", label: "Both bad", short: "both bad" },
];

const SCALE = ["not at all", "a little", "partly", "mostly", "fully"];

/** @type {{mark: keyof Marks, legend: string, hint: string,
 *     values: {value: string, label: string, title?: string}[],
 *     first: number}[]} */
const ROWS = [
    { mark: "helpful", legend: "Helpful", hint: "0 not at all, 4 fully",
        first: 0, values: scale("helpful") },
    { mark: "direct", legend: "Direct", hint: "0 not at all, 4 fully",
        first: 0, values: scale("direct") },
    { mark: "correct", legend: "Correct", hint: "", first: 1, values: [
        { value: "yes", label: "Yes" }, { value: "no", label: "No" },
        { value: "unsure", label: "Unsure" }] },
    { mark: "length", legend: "Length", hint: "", first: 1, values: [
        { value: "too_short", label: "Too short" },
        { value: "right", label: "Right" },
        { value: "too_long", label: "Too long" }] },
];

/** @param {string} what */
function scale(what) {
    return SCALE.map((word, i) =>
        ({ value: String(i), label: String(i), title: `${i}, ${word} ${what}` }));
}

/** @param {Stage} stage @param {Said} [before] */
export function spotcheckView(stage, before) {
    /** @type {Overall|undefined} */
    let overall = before?.overall;
    /** @type {Record<string, string>[]} */
    const marks = [0, 1].map((s) => Object.fromEntries(
        Object.entries(before?.marks?.[s] ?? {})
            .map(([k, v]) => [k, String(v)])));
    let isMarking = false;

    const choices = OVERALL.map((o, i) => h("button", { type: "button",
        class: "choice", "aria-keyshortcuts": String(i + 1),
        onclick: () => choose(o.value) },
    cap(String(i + 1)), h("span", o.label)));
    const reason = h("input", { type: "text", class: "reason", maxlength: 4000,
        placeholder: "Reason (optional)", "aria-label": "Reason, optional",
        autocomplete: "off", value: before?.reason ?? "" });
    const preview = h("p", { class: "preview" });
    const save = h("button", { type: "button", class: "primary save",
        "aria-keyshortcuts": "Enter", onclick: () => finish() },
    h("span", "Save"), cap("Enter"));

    const groups = [0, 1].map((s) => ROWS.map((row) => segments({
        name: `${row.mark}-${s}`, legend: row.legend,
        hint: row.hint, values: row.values, value: marks[s][row.mark],
        change: (value) => set(s, row.mark, value) })));
    const feet = groups.map((g, s) => h("div", { class: "marks", hidden: true,
        role: "group", "aria-label": `Answer ${"AB"[s]}, by itself` }, g));
    stage.cards.forEach((card, s) => card.foot.append(feet[s]));
    for (const foot of feet) foot.addEventListener("focusin", () => paint());

    stage.dock.append(
        h("div", { class: "dock-line" },
            h("h2", { class: "question" }, "Which answer is better overall?"),
            preview),
        h("div", { class: "choices", role: "group",
            "aria-label": "Overall" }, choices),
        h("div", { class: "dock-line finish" }, reason, save));

    const flat = () => groups.flat();
    const missing = () => flat().findIndex((g) => !g.querySelector(":checked"));
    const current = () => flat().findIndex((g) =>
        g.contains(document.activeElement));

    function paint() {
        OVERALL.forEach((o, i) => choices[i].setAttribute("aria-pressed",
            String(o.value === overall)));
        const n = flat().filter((g) => g.querySelector(":checked")).length;
        const isFull = overall !== undefined && n === 8;
        save.setAttribute("aria-disabled", String(!isFull));
        preview.textContent = overall === undefined ?
            "First the two together, then each by itself." :
            isFull ? "All said." : `${n} of 8 said. ${wanted()}`;
        flat().forEach((g) => g.classList.toggle("said",
            g.querySelector(":checked") !== null));
    }

    /** What the keys do for the question that has the focus. */
    function wanted() {
        const n = current() < 0 ? missing() : current();
        const row = ROWS[n % 4];
        if (!row) return "";
        const what = `${"AB"[Math.floor(n / 4)]}, ${row.legend.toLowerCase()}: `;
        return what + (row.first === 0 ? "0 not at all to 4 fully" :
            row.values.map((v, i) =>
                `${i + 1} ${v.label.toLowerCase()}`).join(", "));
    }

    /** @param {number} n */
    function goTo(n) {
        const group = flat()[n];
        const input = group?.querySelector("input:checked") ??
            group?.querySelector("input");
        if (input instanceof HTMLElement) input.focus();
        group?.scrollIntoView({ block: "nearest" });
    }

    function startMarks() {
        isMarking = true;
        stage.dock.classList.add("marking");
        for (const foot of feet) foot.hidden = false;
    }

    /** @param {Overall} value */
    function choose(value) {
        overall = value;
        startMarks();
        paint();
        const n = missing();
        stage.announce(`${OVERALL.find((o) => o.value === value)?.label}. ` +
            "Now each answer by itself.");
        if (n >= 0) goTo(n);
        else save.focus();
    }

    /** @param {number} s @param {string} mark @param {string} value */
    function set(s, mark, value) {
        marks[s][mark] = value;
        paint();
    }

    function finish() {
        if (overall === undefined) {
            stage.announce("Choose first: 1 to 4");
            return;
        }
        const n = missing();
        if (n >= 0) {
            goTo(n);
            stage.announce(`Not said yet: ${ROWS[n % 4].legend} of answer ` +
                "AB"[Math.floor(n / 4)]);
            return;
        }
        stage.vote(said());
    }

    /** @returns {Said} */
    function said() {
        /** @type {Said} */
        const out = {};
        if (overall !== undefined) out.overall = overall;
        if (marks.some((m) => Object.keys(m).length))
            out.marks = marks.map((m) => /** @type {any} */ ({ ...m,
                ...(m.helpful && { helpful: Number(m.helpful) }),
                ...(m.direct && { direct: Number(m.direct) }) }));
        if (reason.value.trim() !== "") out.reason = reason.value.trim();
        return out;
    }

    if (overall !== undefined) startMarks();
    paint();

    /** A digit for the group that has the focus. @param {number} digit */
    function mark(digit) {
        const n = current() >= 0 ? current() : missing();
        if (n < 0) return;
        const row = ROWS[n % 4];
        const value = row.values[digit - row.first];
        if (!value) {
            stage.announce(`${row.legend}: ${row.first} to ` +
                (row.first + row.values.length - 1));
            return;
        }
        const input = flat()[n].querySelector(`input[value="${value.value}"]`);
        if (input instanceof HTMLInputElement) input.checked = true;
        set(Math.floor(n / 4), row.mark, value.value);
        stage.announce(`${row.legend} of ${"AB"[Math.floor(n / 4)]}: ` +
            (value.title ?? value.label));
        if (n + 1 < flat().length) goTo(n + 1);
        else if (missing() >= 0) goTo(missing());
        else save.focus();
    }

    return {
        said,
        focus: () => stage.focusPrompt(),
        /** @param {KeyboardEvent} e */
        key(e) {
            const digit = /^(?:Digit|Numpad)(\d)$/.exec(e.code)?.[1];
            if (digit && !isMarking) {
                const o = OVERALL[Number(digit) - 1];
                if (o) choose(o.value);
                return true;
            }
            if (digit) {
                mark(Number(digit));
                return true;
            }
            if (isMarking && /^(Arrow(Up|Down)|[jk])$/.test(e.key)) {
                const by = e.key === "ArrowUp" || e.key === "k" ? -1 : 1;
                const n = current() < 0 ? (by < 0 ? 8 : -1) : current();
                if (n + by < 0) {
                    isMarking = false;
                    choices[0].focus();
                } else if (n + by >= 8) save.focus();
                else goTo(n + by);
                return true;
            }
            if (e.key === "ArrowDown" && overall !== undefined) {
                isMarking = true;
                goTo(0);
                return true;
            }
            if (e.key === "Escape" && isMarking) {
                isMarking = false;
                choices[OVERALL.findIndex((o) => o.value === overall)]?.focus();
                stage.announce("Overall again: 1 to 4");
                return true;
            }
            if (e.key === "Enter") {
                finish();
                return true;
            }
            return false;
        },
    };
}
