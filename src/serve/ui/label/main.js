/**
 * main.js - the labelling page: who it is, which view, and what they share.
 */
import { h } from "../common/dom.js";
import { recall, remember, setTheme, theme } from "../common/theme.js";
import { button, cap, count } from "../common/ui.js";
import { Api, ApiError } from "./api.js";
import { helpDialog } from "./dialogs.js";
import { Outbox } from "./outbox.js";
import { peopleView } from "./people.js";
import { Shell } from "./shell.js";
import { standingView } from "./standing.js";
import { Work } from "./work.js";

/** @typedef {import("./types.js").Pool} Pool */
/** @typedef {import("./types.js").Session} Session */

/** Sign-in links end in #token=TOKEN. @param {string} text */
function tokenOf(text) {
    return /(?:^|#|&)token=([A-Za-z0-9_-]{10,100})/.exec(text)?.[1] ??
        /^\s*([A-Za-z0-9_-]{33})\s*$/.exec(text)?.[1] ?? null;
}

export class App {
    constructor() {
        this.api = new Api();
        /** @type {Session|null} */
        this.session = null;
        /** @type {Pool[]} */
        this.pools = [];
        /** @type {Work|null} */
        this.work = null;
        /** @type {(() => void)|null} ends the view that is shown */
        this.leave = null;
        this.hasKeys = recall("plumb.keys") !== "off";
        this.shell = new Shell(
            /** @type {HTMLElement} */ (document.getElementById("app")), this);
        this.outbox = this.newOutbox("plumb.outbox.none");
        addEventListener("hashchange", () => void this.arrive());
        addEventListener("online", () => this.outbox.retry());
        addEventListener("keydown", (e) => this.key(e));
        addEventListener("beforeunload", (e) => {
            if (this.outbox.waiting) e.preventDefault();
        });
        matchMedia("(prefers-color-scheme: dark)").addEventListener("change",
            () => this.shell.frame(location.hash || "#/"));
        // As wide as style.css takes a phone to be.
        const phone = matchMedia("(max-width: 720px)");
        const fit = () => document.documentElement.classList.toggle("phone",
            phone.matches);
        phone.addEventListener("change", fit);
        fit();
    }

    /* ---- who ------------------------------------------------------------- */

    /** @param {string} name */
    newOutbox(name) {
        return new Outbox({
            name, storage: sessionStorage,
            send: (entry) => this.api.post(entry.path, entry.body),
            changed: (box) => this.shell.saving(box),
            done: (entry, answer) => this.work?.done(entry, answer),
            refused: (entry, e) => {
                if (this.work) void this.work.refused(entry, e);
                else this.notice(`Not taken: ${e.message}`, "bad");
            },
            signedOut: () => this.signedOut(),
        });
    }

    /** Sign in where the address has a token, else go on. */
    async arrive() {
        const token = tokenOf(location.hash);
        if (token) {
            history.replaceState(null, "", location.pathname);
            await this.signIn(token);
        } else if (this.session) await this.route();
        else await this.signIn(null);
    }

    /** @param {string|null} token null: by the cookie that is there */
    async signIn(token) {
        try {
            const session = token ?
                await this.api.post("/api/session", { token }) :
                await this.api.get("/api/session");
            this.enter(session);
        } catch (error) {
            const e = /** @type {ApiError} */ (error);
            if (e.status === 0 || e.status >= 500) this.unreachable(token, e);
            else if (this.session) this.signedOut(token ? e.message : "");
            else this.signedOutView(token ? "That link is not good any more: " +
                "it was used, replaced or revoked." : "");
            return;
        }
        await this.route();
    }

    /** @param {Session} session */
    enter(session) {
        const isOther = this.session?.judge !== session.judge;
        this.session = session;
        this.api.csrf = session.csrf;
        if (isOther) {
            this.outbox.stop();
            this.outbox = this.newOutbox(`plumb.outbox.${session.judge}`);
        }
        this.shell.saving(this.outbox);
        this.outbox.retry();
    }

    async signOut() {
        if (this.outbox.waiting && !confirm(
            `${count(this.outbox.waiting, "vote")} not sent yet. ` +
            "Sign out all the same?")) return;
        try {
            await this.api.remove("/api/session");
        } catch (error) {
            if (/** @type {ApiError} */ (error).status !== 401) {
                this.failed(error, "Signing out");
                return;
            }
        }
        this.session = null;
        this.signedOutView("You are signed out.");
    }

    /** The session is over; what is unsent stays. @param {string} [why] */
    signedOut(why = "") {
        this.outbox.stop();
        const n = this.outbox.waiting;
        this.signedOutView([why, n ? `${count(n, "vote")} not sent yet: kept ` +
            "here, and sent as soon as you sign in again in this window." : ""]
            .filter(Boolean).join(" ") || "Your session is over.");
    }

    /* ---- views ------------------------------------------------------------ */

    /** @param {...Node} content */
    page(...content) {
        this.leave?.();
        this.leave = null;
        this.work = null;
        this.shell.view.className = "page";
        this.shell.view.replaceChildren(...content);
        this.shell.frame(location.hash || "#/");
        scrollTo(0, 0);
    }

    focusHeading() {
        const heading = this.shell.view.querySelector("h1");
        if (heading instanceof HTMLElement) {
            heading.tabIndex = -1;
            heading.focus({ preventScroll: true });
        }
    }

    /** @param {string} why */
    signedOutView(why) {
        const link = h("input", { type: "text", id: "link", name: "link",
            autocomplete: "off", spellcheck: "false" });
        const problem = h("p", { class: "bad", role: "alert" });
        this.shell.setTitle("Sign in");
        this.page(h("div", { class: "narrow" },
            h("h1", { class: "big" }, "Sign in"),
            why !== "" && h("p", why),
            h("p", "Open the link that you were given, or paste it here."),
            h("form", { class: "stack", onsubmit: (/** @type {Event} */ e) => {
                e.preventDefault();
                const token = tokenOf(link.value);
                if (token) void this.signIn(token);
                else problem.textContent =
                    "That is no link of this page: it ends in #token=…";
            } },
            h("label", { for: "link" }, "Your link"), link, problem,
            h("div", { class: "row" },
                h("button", { class: "primary" }, "Sign in")))));
        this.focusHeading();
    }

    /** @param {string|null} token @param {ApiError} e */
    unreachable(token, e) {
        this.shell.setTitle("");
        this.page(h("div", { class: "narrow" },
            h("h1", { class: "big" }, "No connection"),
            h("p", `${e.message}. Is plumb label still running?`),
            h("div", { class: "row" }, button({ label: "Try again",
                class: "primary", click: () => void this.signIn(token) }))));
        this.focusHeading();
        const timer = setTimeout(() => void this.signIn(token), 3000);
        this.leave = () => clearTimeout(timer);
    }

    /** @returns {Promise<Pool[]>} */
    async loadPools() {
        this.pools = (await this.api.get("/api/pools")).pools;
        return this.pools;
    }

    /** @param {string} hash */
    go(hash) {
        if (location.hash === hash) void this.route();
        else location.hash = hash;
    }

    async route() {
        if (!this.session) return;
        const { role } = this.session;
        const [, name = "", id = ""] = (location.hash || "#/").split("/");
        try {
            await this.loadPools();
            if (name === "people" && role === "admin")
                await peopleView(this);
            else if ((name === "standing" && role !== "judge") ||
                role === "viewer") await standingView(this, Number(id));
            else if (name === "pool")
                this.judge(this.pools.find((p) => p.pool === Number(id)));
            else {
                const open = this.pools.filter((p) => !p.closed);
                // Who looks after others is not given items unasked.
                if (open.length === 1 && role === "judge")
                    this.judge(open[0]);
                else this.poolsView(open);
            }
        } catch (error) {
            const e = error instanceof ApiError ? error :
                new ApiError(0, String(error));
            if (e.status === 401) this.signedOut();
            else this.unreachable(null, e);
        }
    }

    /** @param {Pool|undefined} pool */
    judge(pool) {
        if (!pool) {
            this.poolsView(this.pools);
            return;
        }
        this.leave?.();
        this.work = new Work(this, pool);
        this.leave = () => this.work?.end();
        this.shell.view.className = "judging";
        this.shell.view.replaceChildren(this.work.root);
        this.shell.setTitle(pool.name);
        this.shell.frame("#/");
        this.work.begin();
    }

    /** @param {Pool[]} pools */
    poolsView(pools) {
        this.shell.setTitle("Pools");
        this.page(h("div", { class: "narrow" },
            h("h1", { class: "big" }, pools.length ? "What would you like to " +
                "judge?" : "Nothing to judge yet"),
            !pools.length && h("p", "No pool is open. This page can stay " +
                "open; reload it when you are told that there is work."),
            h("div", { class: "stack" }, pools.map((p, i) => h("a",
                { class: "pool", href: `#/pool/${p.pool}`,
                    "aria-keyshortcuts": i < 9 ? String(i + 1) : null },
                i < 9 && cap(String(i + 1)),
                h("span", { class: "pool-words" },
                    h("strong", p.name),
                    h("span", { class: "muted" }, p.task === "spotcheck" ?
                        "Blind spot-check of two answers" :
                        "Ranking of answers")),
                h("span", { class: "pool-count" },
                    `${p.mine.voted} done · ${p.wanted} wanted`))))));
        this.focusHeading();
    }

    /* ---- what views share --------------------------------------------------- */

    /** @param {string} text */
    announce(text) {
        this.shell.announce(text);
    }

    /** @param {string} text @param {"good"|"plain"|"bad"} [kind] */
    notice(text, kind) {
        this.shell.notice(text, kind);
    }

    /** @param {unknown} error @param {string} what */
    failed(error, what) {
        if (error instanceof ApiError && error.status === 401) this.signedOut();
        else this.notice(`${what} did not work: ${error instanceof Error ?
            error.message : String(error)}`, "bad");
    }

    /** @param {string} name */
    knows(name) {
        return recall(`plumb.${name}`) !== null;
    }

    /** @param {string} name */
    know(name) {
        remember(`plumb.${name}`, "1");
    }

    help() {
        helpDialog(this);
    }

    /** @param {boolean} isOn */
    setKeys(isOn) {
        this.hasKeys = isOn;
        remember("plumb.keys", isOn ? "on" : "off");
    }

    /** @param {KeyboardEvent} e */
    key(e) {
        const at = e.target instanceof Element ? e.target : document.body;
        if (e.defaultPrevented || e.ctrlKey || e.metaKey || e.altKey ||
            e.isComposing || document.querySelector("dialog[open]") ||
            at.closest("textarea, select, [contenteditable], " +
                "input:not([type=radio]):not([type=checkbox])")) {
            // Enter in the reason is the one thing that a text box says.
            if (e.key === "Enter" && at.matches("input.reason") &&
                !e.isComposing && this.work?.view?.key(e)) e.preventDefault();
            return;
        }
        const isPress = e.key === "Enter" || e.key === " ";
        if (isPress && at.closest("button, a, summary")) return;
        if (e.key === "Backspace" || e.key === "Tab" || e.key === " ") return;
        if (!this.hasKeys && e.key.length === 1) return;
        if (e.key === "?") this.help();
        else if (this.work) {
            if (!this.work.key(e)) return;
        } else if (/^[1-9]$/.test(e.key)) {
            const pool = this.shell.view.querySelector(
                `a.pool[aria-keyshortcuts="${e.key}"]`);
            if (!(pool instanceof HTMLElement)) return;
            pool.click();
        } else return;
        e.preventDefault();
    }
}

setTheme(theme());
const app = new App();
void app.arrive();
