/**
 * replies.js - what the models wrote: a list to look through, one reply with
 * its tokens, and all replies to its prompt.
 *
 * @import { Run, Row } from "./api.js"
 */
import { h } from "../common/dom.js";
import * as api from "./api.js";
import { setState, state } from "./state.js";
import { strip } from "./strip.js";
import { figure } from "./words.js";

const PAGE = 50;

/** @type {[string, string, string][]} */
const ORDERS = [["as they stand", "row", "asc"], ["best score", "score", "desc"],
    ["worst score", "score", "asc"], ["most KL", "kl", "desc"],
    ["least KL", "kl", "asc"], ["longest", "length", "desc"],
    ["shortest", "length", "asc"], ["best gold", "gold", "desc"],
    ["worst gold", "gold", "asc"]];

/** @param {string} name */
function sourceName(name) {
    const [word, step] = name.split("-");
    if (word === "iteration") return `iteration ${step}`;
    if (word === "checkpoint") return `held out, checkpoint ${step}`;
    return "held out, evaluation";
}

/** The table's page and the reply that is open, of the state.
 * @param {Run[]} runs */
export class Replies {
    constructor() {
        /** @type {Run[]} */
        this.runs = [];
        this.sources = /** @type {{name: string, step: number}[]} */ ([]);
        this.of = 0; // the run whose sources these are
        this.offset = 0;
        this.tags = new Set();
        this.bar = h("form", { class: "filters", onsubmit: (/** @type {Event} */
            e) => e.preventDefault() });
        this.table = h("div", { class: "table" });
        this.open = h("section", { class: "reply", "aria-label": "Reply" });
        this.el = h("div", { class: "replies" }, this.bar,
            h("div", { class: "split" }, this.table, this.open));
        this.asked = 0;
    }

    /** @param {Run[]} runs */
    async show(runs) {
        this.runs = runs.filter((r) => r.iterations > 0 || r.stage === "ppo");
        if (this.runs.length === 0) this.runs = runs;
        if (!this.runs.some((r) => r.run === state.run))
            setState({ run: this.runs[0]?.run ?? 0 });
        await this.load();
    }

    async load() {
        try {
            this.sources = (await api.sources(state.run)).sources;
        } catch (e) {
            this.fail(e);
            return;
        }
        this.of = state.run;
        if (!this.sources.some((s) => s.name === state.source))
            setState({ source: this.sources.filter((s) =>
                s.name.startsWith("iteration")).at(-1)?.name ??
                this.sources.at(-1)?.name ?? "" });
        this.drawBar();
        await this.list();
        if (state.row > 0) await this.openRow(state.source, state.row);
        else if (state.prompt) await this.openPrompt(state.prompt);
        else this.open.replaceChildren(h("p", { class: "muted" },
            "Choose a reply to see its tokens and its prompt's history."));
    }

    /** @param {unknown} e */
    fail(e) {
        this.table.replaceChildren(h("p", { class: "bad", role: "alert" },
            e instanceof Error ? e.message : String(e)));
    }

    drawBar() {
        /** @param {string} label @param {string} name
         * @param {[string, string][]} values @param {string} value
         * @param {(value: string) => void} change */
        const choose = (label, name, values, value, change) =>
            h("label", h("span", label), h("select", { name, onchange:
                (/** @type {Event} */ e) => change(/** @type {HTMLSelectElement}
                */ (e.target).value) },
            values.map(([v, text]) => h("option", { value: v,
                selected: v === value }, text))));
        /** @param {string} label @param {"tag"|"text"} key
         * @param {string} hint */
        const write = (label, key, hint) => h("label", h("span", label),
            h("input", { type: "text", name: key, value: state[key],
                placeholder: hint, list: key === "tag" ? "tags" : null,
                onchange: (/** @type {Event} */ e) => this.change({ [key]:
                    /** @type {HTMLInputElement} */ (e.target).value.trim() }),
            }));
        const order = ORDERS.findIndex((o) => o[1] === state.sort &&
            o[2] === state.order);
        this.bar.replaceChildren(
            this.runs.length > 1 ? choose("Run", "run", this.runs.map((r) =>
                [String(r.run), r.name]), String(state.run), (v) => {
                setState({ run: Number(v), source: "", row: 0, prompt: "" });
                this.load();
            }) : "",
            choose("Replies of", "source", this.sources.map((s) =>
                [s.name, sourceName(s.name)]), state.source, (v) =>
                this.change({ source: v, row: 0 })),
            choose("Order", "order", ORDERS.map((o, i) => [String(i), o[0]]),
                String(order), (v) => this.change({ sort: ORDERS[Number(v)][1],
                    order: ORDERS[Number(v)][2] })),
            state.source.startsWith("iteration") ? "" :
                choose("Model", "which", [["", "both"], ["policy", "policy"],
                    ["reference", "reference"]], state.which, (v) =>
                    this.change({ which: v })),
            write("Tag", "tag", "intent:address"),
            write("Holds", "text", "words"),
            h("datalist", { id: "tags" }, [...this.tags].sort().map((t) =>
                h("option", { value: t }))));
    }

    /** @param {Partial<typeof state>} change */
    change(change) {
        this.offset = 0;
        setState(change);
        this.drawBar();
        this.list();
    }

    async list() {
        if (!state.source) {
            this.table.replaceChildren(h("p", { class: "muted" },
                "This run has left no replies yet."));
            return;
        }
        const mine = ++this.asked;
        /** @type {Record<string, string>} */
        const q = { sort: state.sort, order: state.order, offset:
            String(this.offset), limit: String(PAGE) };
        for (const key of /** @type {const} */ (["tag", "which", "text"]))
            if (state[key]) q[key] = state[key];
        try {
            const page = await api.rows(state.run, state.source, q);
            if (mine === this.asked) this.drawTable(page);
        } catch (e) {
            if (mine === this.asked) this.fail(e);
        }
    }

    /** @param {{total: number, skipped: number, rows: Row[]}} page */
    drawTable(page) {
        const had = this.tags.size;
        for (const r of page.rows)
            for (const [k, v] of Object.entries(r.tags ?? {}))
                if (typeof v !== "object") this.tags.add(`${k}:${v}`);
        if (this.tags.size > had) this.drawBar();
        const hasGold = page.rows.some((r) => r.gold !== undefined);
        const body = page.rows.map((r) => h("tr", { class: r.row === state.row ?
            "current" : "", onclick: () => this.choose(r) },
        h("td", { class: "texts" }, h("button", { type: "button", class: "link",
            onclick: (/** @type {Event} */ e) => {
                e.stopPropagation();
                this.choose(r);
            } }, r.prompt_id), r.which && h("span", { class: "which" }, r.which),
        h("p", { class: "clamp" }, r.response)),
        h("td", figure(r.score ?? r.score_raw)),
        hasGold && h("td", figure(r.gold)), h("td", figure(r.kl ?? r.k1)),
        h("td", figure(r.tokens))));
        const last = Math.min(page.total, this.offset + PAGE);
        /** @param {string} label @param {number} to @param {boolean} can */
        const step = (label, to, can) => h("button", { type: "button",
            class: "quiet", disabled: !can, onclick: () => {
                this.offset = to;
                this.list();
            } }, label);
        this.table.replaceChildren(
            h("div", { class: "scroll", tabindex: "0", role: "region",
                "aria-label": "Replies" }, h("table",
                h("thead", h("tr", h("th", { scope: "col" }, "Reply"),
                    h("th", { scope: "col" }, "Score"), hasGold &&
                    h("th", { scope: "col" }, "Gold"),
                    h("th", { scope: "col" }, "KL"),
                    h("th", { scope: "col" }, "Tokens"))), h("tbody", body))),
            h("div", { class: "row wrap pages" },
                h("span", { class: "muted" }, page.total === 0 ? "none" :
                    `${this.offset + 1}–${last} of ${page.total}` +
                    (page.skipped ? `, ${page.skipped} lines unreadable` : "")),
                h("span", { class: "push" }),
                step("Earlier", Math.max(0, this.offset - PAGE),
                    this.offset > 0),
                step("Later", this.offset + PAGE, last < page.total)));
    }

    /** @param {Row} r */
    choose(r) {
        setState({ row: r.row, prompt: "" }, true);
        for (const tr of this.table.querySelectorAll("tr.current"))
            tr.classList.remove("current");
        this.openRow(state.source, r.row);
    }

    /** @param {string} source @param {number} row */
    async openRow(source, row) {
        try {
            const r = await api.row(state.run, source, row);
            this.drawReply(r, source);
            await this.drawHistory(r.prompt_id);
        } catch (e) {
            this.open.replaceChildren(h("p", { class: "bad", role: "alert" },
                e instanceof Error ? e.message : String(e)));
        }
    }

    /** @param {string} prompt */
    async openPrompt(prompt) {
        this.open.replaceChildren();
        await this.drawHistory(prompt);
    }

    /** @param {Row} r @param {string} source */
    drawReply(r, source) {
        this.open.replaceChildren(
            h("h2", r.prompt_id, h("span", { class: "unit" },
                `${sourceName(source)}${r.which ? `, ${r.which}` : ""}` +
                `${r.sample !== undefined ? `, sample ${r.sample}` : ""}`)),
            r.prompt ? h("blockquote", r.prompt) : "",
            h("p", { class: "response" }, r.response),
            h("p", { class: "facts" }, [["score", r.score ?? r.score_raw],
                ["gold", r.gold], ["KL", r.kl ?? r.k1], ["tokens", r.tokens]]
                .filter(([, v]) => v !== undefined).map(([k, v]) =>
                    h("span", k, " ", h("b", figure(Number(v))))),
            r.finish && h("span", "ended by ", h("b", r.finish === "eos" ?
                "itself" : "the limit"))),
            strip(r), h("div", { class: "history" },
                h("p", { class: "muted" }, "Looking for its history …")));
    }

    /** @param {string} prompt */
    async drawHistory(prompt) {
        const past = await api.past(state.run, prompt);
        const box = this.open.querySelector(".history") ??
            this.open.appendChild(h("div", { class: "history" }));
        box.replaceChildren(h("h3", "All replies to this prompt",
            h("span", { class: "unit" }, `${past.rows.length}` +
                (past.is_cut ? ", and more that were not looked at" : ""))),
        h("ol", past.rows.map((r) => h("li", { class:
            r.source === state.source && r.row === state.row ? "current" : "" },
        h("button", { type: "button", class: "link", onclick: () => {
            setState({ source: r.source ?? "", row: r.row }, true);
            this.drawBar();
            this.list();
            this.openRow(r.source ?? "", r.row);
        } }, sourceName(r.source ?? "")),
        h("span", { class: "unit" }, [r.which, r.sample !== undefined &&
            `sample ${r.sample}`, `score ${figure(r.score ?? r.score_raw)}`,
        r.gold !== undefined && `gold ${figure(r.gold)}`,
        r.tokens !== undefined && `${figure(r.tokens)} tokens`]
            .filter(Boolean).join(" · ")),
        h("p", r.response)))));
    }
}
