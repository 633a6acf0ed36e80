/**
 * work.js - one pool's items, one after the other.
 *
 * Some items are fetched ahead, so the next one is on the screen at once; the
 * vote goes into the outbox and counts as saved when the server has it.
 */
import { diff } from "../common/diff.js";
import { h } from "../common/dom.js";
import { render } from "../common/markdown.js";
import { button, count, scrollable } from "../common/ui.js";
import { ApiError } from "./api.js";
import { guideDialog, historyDialog, remarkDialog } from "./dialogs.js";
import { isAct } from "./outbox.js";
import { letter } from "./ranks.js";
import { pairView } from "./view_pair.js";
import { rankingView } from "./view_ranking.js";
import { spotcheckView } from "./view_spotcheck.js";

/** @typedef {import("./main.js").App} App */
/** @typedef {import("./types.js").Item} Item */
/** @typedef {import("./types.js").Pool} Pool */
/** @typedef {import("./types.js").Said} Said */
/** @typedef {import("./types.js").Past} Past */
/** @typedef {import("./outbox.js").Entry} Entry */
/**
 * @typedef {{article: HTMLElement, head: HTMLElement, badge: HTMLElement,
 *     text: HTMLElement, foot: HTMLElement}} Card
 * @typedef {{cards: Card[], dock: HTMLElement, vote: (said: Said) => void,
 *     announce: (text: string) => void, focusPrompt: () => void}} Stage
 * @typedef {{said: () => Said, focus: () => void,
 *     key: (e: KeyboardEvent) => boolean}} View
 */

const AHEAD = 3;
/** Keys pressed so soon after an item came were meant for the one before. */
const SETTLE_MS = 150;
const LOOK_AGAIN_MS = 20000;

export class Work {
    /** @param {App} app @param {Pool} pool */
    constructor(app, pool) {
        this.app = app;
        this.pool = pool;
        /** @type {Item[]} the first one is on the screen */
        this.deck = [];
        /** @type {Map<number, {item: Item, said: Said}>} */
        this.seen = new Map();
        /** Assignments that something was said of, as far as we know. */
        this.acted = new Set(app.outbox.entries.filter(isAct)
            .map((e) => e.assignment));
        /** @type {number[]} what `u` undoes, the latest last */
        this.mine = [];
        /** @type {Map<number, Said>} */
        this.drafts = new Map();
        /** @type {"plain"|"markdown"} */
        this.render = "plain";
        this.isDiff = false;
        this.isFetching = false;
        this.isAll = false; // fewer came than were asked for: there are no more
        this.isOver = false;
        /** @type {View|null} */
        this.view = null;
        /** @type {Item|null} */
        this.item = null;
        this.shownAt = 0;
        this.settled = 0;
        /** @type {ReturnType<typeof scrollable>[]} */
        this.scrolls = [];
        this.root = h("div", { class: "work" });
        this.timer = setInterval(() => this.lookAgain(), LOOK_AGAIN_MS);
        this.again = () => this.lookAgain();
        document.addEventListener("visibilitychange", this.again);
    }

    begin() {
        this.showProgress();
        this.message("Fetching…");
        void this.refill();
        if (this.pool.guide && !this.app.knows(`guide.${this.pool.pool}`))
            this.guide();
    }

    end() {
        this.isOver = true;
        clearInterval(this.timer);
        document.removeEventListener("visibilitychange", this.again);
        this.scrolls.forEach((s) => s.stop());
    }

    /* ---- items ---------------------------------------------------------- */

    async refill() {
        if (this.isFetching || this.isOver) return;
        this.isFetching = true;
        const want = Math.min(16, AHEAD + this.app.outbox.waiting);
        try {
            const got = await this.app.api.post(
                `/api/pools/${this.pool.pool}/next`, { want });
            if (this.isOver) return;
            this.isAll = got.items.length < want;
            for (const item of /** @type {Item[]} */ (got.items)) {
                const known = this.deck.find((d) =>
                    d.assignment === item.assignment);
                if (known) known.expires = item.expires;
                else if (!this.acted.has(item.assignment)) this.deck.push(item);
            }
            this.tellAhead();
            if (!this.item && this.deck.length) this.show(this.deck[0]);
            else if (!this.item && this.app.outbox.waiting === 0)
                this.nothingLeft(Number(got.met ?? 0));
        } catch (error) {
            if (this.isOver) return;
            const e = /** @type {ApiError} */ (error);
            if (e.status === 401) this.app.signedOut();
            else if (!this.item) this.cannotFetch(e);
        } finally {
            this.isFetching = false;
        }
    }

    /** How many can be judged without the server; for tests. */
    tellAhead() {
        this.root.dataset.ahead = String(this.deck.length);
    }

    lookAgain() {
        if (document.visibilityState === "visible" &&
            (!this.item || this.deck.length < AHEAD ||
                this.deck.some((d) => d.expires < this.app.api.now() + 6e4)))
            void this.refill();
        if (document.visibilityState === "visible") void this.refreshPool();
    }

    async refreshPool() {
        try {
            const pools = await this.app.loadPools();
            const pool = pools.find((p) => p.pool === this.pool.pool);
            if (!pool || this.isOver) return;
            this.pool = pool;
            this.showProgress();
        } catch {
            // The numbers stay as they are; what matters says so itself.
        }
    }

    next() {
        this.deck.shift();
        this.tellAhead();
        this.item = null;
        this.view = null;
        if (this.deck.length) this.show(this.deck[0]);
        else this.message("Fetching…");
        if (this.deck.length < AHEAD) void this.refill();
    }

    showProgress() {
        const { mine, votes, wanted } = this.pool;
        this.app.shell.progress(mine.voted, votes, wanted);
    }

    /* ---- what is on the screen ------------------------------------------- */

    /** @param {...(Node|string|false)} content */
    message(...content) {
        this.clear();
        this.root.append(h("div", { class: "message" }, content));
    }

    clear() {
        this.scrolls.forEach((s) => s.stop());
        this.scrolls = [];
        this.item = null;
        this.view = null;
        this.root.replaceChildren();
        delete this.root.dataset.assignment;
    }

    /** @param {number} met wanted items that show what I met already */
    nothingLeft(met) {
        const { voted } = this.pool.mine;
        this.message(
            h("h1", { tabindex: "-1", class: "big" },
                "Nothing left for you here"),
            h("p", voted ? `You judged ${voted} here. Thank you.` :
                "All of this pool is judged, or in the hands of others."),
            met > 0 && h("p", `${count(met, "item")} here show an answer that ` +
                "you have met in another one, so they are left to others: " +
                "nobody meets an answer twice, but for marked repeats."),
            h("p", { class: "muted" }, "This page looks again by itself."),
            h("div", { class: "row" },
                button({ label: "Look again", class: "primary",
                    click: () => void this.refill() }),
                this.app.pools.length > 1 && button({ label: "Other pools",
                    click: () => this.app.go("#/") }),
                button({ label: "What I judged", icon: "history",
                    key: "h", click: () => this.history() })));
        this.focusHeading();
        this.app.announce("Nothing left for you here.");
    }

    /** @param {ApiError} e */
    cannotFetch(e) {
        this.message(
            h("h1", { tabindex: "-1", class: "big" }, "No items"),
            h("p", `${e.message}. This page tries again by itself.`),
            h("div", { class: "row" }, button({ label: "Try now",
                class: "primary", click: () => void this.refill() })));
        this.focusHeading();
        this.app.announce(`No items: ${e.message}`);
        setTimeout(() => {
            if (!this.isOver && !this.item) void this.refill();
        }, 3000);
    }

    focusHeading() {
        const heading = this.root.querySelector("h1");
        if (heading && !document.querySelector("dialog[open]")) heading.focus();
    }

    /** @param {Item} item @param {Said} [before] */
    show(item, before = this.drafts.get(item.assignment)) {
        this.clear();
        this.item = item;
        this.root.dataset.assignment = String(item.assignment);
        const K = item.answers.length;
        const promptText = h("div", { class: "prompt-text" });
        const promptHead = h("h1", { tabindex: "-1" },
            item.messages?.length ? "Conversation" : "Prompt");
        const prompt = h("section", { class: "prompt" }, promptHead, promptText);
        const cards = item.answers.map((_, i) => this.card(i));
        const answers = h("div", { class: `answers ${K === 2 ? "two" :
            K === 3 ? "three" : "many"}` }, cards.map((c) => c.article));
        const dock = h("section", { class: "dock",
            "aria-label": "Your judgement" });
        this.promptText = promptText;
        this.cards = cards;
        this.fill();
        const make = item.task === "spotcheck" ? spotcheckView :
            K === 2 ? pairView : rankingView;
        this.root.append(prompt, answers, dock);
        this.view = make({ cards, dock,
            vote: (said) => this.vote(said),
            announce: (text) => this.app.announce(text),
            focusPrompt: () => promptHead.focus({ preventScroll: true }),
        }, before);
        dock.append(this.tools());
        this.scrolls = [scrollable(promptText, "Prompt"),
            ...cards.map((c, i) =>
                scrollable(c.text, `Text of answer ${letter(i)}`))];
        this.shownAt = this.app.api.now();
        this.settled = performance.now() + SETTLE_MS;
        scrollTo(0, 0);
        if (!document.querySelector("dialog[open]")) this.view.focus();
        performance.mark("plumb.shown");
    }

    /** @param {number} i @returns {Card} */
    card(i) {
        const id = `answer-${i}`;
        const badge = h("span", { class: "badge", "aria-hidden": "true" },
            letter(i));
        const head = h("header",
            h("h2", { id, class: "answer-name" }, badge,
                h("span", { class: "sr" }, `Answer ${letter(i)}`)));
        const text = h("div", { class: "text" });
        const foot = h("footer");
        return { head, badge, text, foot, article: h("article",
            { class: "answer", tabindex: "-1", "aria-labelledby": id },
            head, text, foot) };
    }

    /** Put the texts in, as plain text, Markdown, or differences. */
    fill() {
        const { item, cards, promptText } = this;
        if (!item || !cards || !promptText) return;
        const body = (/** @type {string} */ text) =>
            this.render === "markdown" ?
                h("div", { class: "md" }, render(text)) :
                h("div", { class: "plain" }, text);
        promptText.replaceChildren(...(item.messages?.length ?
            item.messages.map((m) => h("div", { class: "turn" },
                h("span", { class: "role" }, m.role), body(m.content))) :
            [body(item.prompt)]));
        const runs = this.isDiff && item.answers.length === 2 ?
            diff(item.answers[0], item.answers[1]) : null;
        cards.forEach((c, i) => c.text.replaceChildren(runs && i < 2 ?
            h("div", { class: "plain" }, runs[i].map((r) =>
                r.own ? h("mark", r.text) : r.text)) :
            body(item.answers[i])));
        this.scrolls.forEach((s) => s.look());
    }

    tools() {
        const markdown = button({ label: "Markdown", icon: "text", key: "m",
            small: true, click: () => this.toggleRender() });
        const differences = button({ label: "Differences", icon: "diff",
            key: "d", small: true, click: () => this.toggleDiff() });
        markdown.setAttribute("aria-pressed",
            String(this.render === "markdown"));
        differences.setAttribute("aria-pressed", String(this.isDiff));
        this.toggles = { markdown, differences };
        return h("div", { class: "tools", role: "group", "aria-label": "More" },
            button({ label: "Undo", icon: "undo", key: "u", small: true,
                click: () => void this.undoLast() }),
            button({ label: "Skip", icon: "skip", key: "s", small: true,
                click: () => this.skip() }),
            button({ label: "Flag", icon: "flag", key: "f", small: true,
                click: () => this.remark("flag") }),
            button({ label: "Comment", icon: "comment", key: "c", small: true,
                click: () => this.remark("comment") }),
            h("span", { class: "push" }),
            this.item?.answers.length === 2 && differences, markdown);
    }

    toggleRender() {
        this.render = this.render === "plain" ? "markdown" : "plain";
        if (this.render === "markdown") this.isDiff = false;
        this.paintToggles();
        this.app.announce(this.render === "markdown" ? "Markdown" :
            "Plain text");
    }

    paintToggles() {
        this.toggles?.markdown.setAttribute("aria-pressed",
            String(this.render === "markdown"));
        this.toggles?.differences.setAttribute("aria-pressed",
            String(this.isDiff));
        this.fill();
    }

    toggleDiff() {
        if (this.item?.answers.length !== 2) {
            this.app.announce("Differences are shown of two answers");
            return;
        }
        this.isDiff = !this.isDiff;
        // Differences are of plain text, and the vote says what was seen.
        if (this.isDiff) this.render = "plain";
        this.paintToggles();
        if (this.isDiff && !diff(this.item.answers[0], this.item.answers[1]))
            this.app.notice("These two are too long to compare.",
                "plain");
        this.app.announce(this.isDiff ? "Differences are marked" :
            "Differences are not marked");
    }

    /* ---- what is said ---------------------------------------------------- */

    /** @param {Said} said */
    vote(said) {
        this.act("vote", said);
    }

    skip() {
        this.act("skip", {});
    }

    /** @param {"vote"|"skip"} act @param {Said} said */
    act(act, said) {
        const { item } = this;
        if (!item || performance.now() < this.settled) return;
        this.seen.set(item.assignment, { item,
            said: act === "vote" ? said : this.view?.said() ?? {} });
        this.drafts.delete(item.assignment);
        this.acted.add(item.assignment);
        this.mine = this.mine.filter((a) => a !== item.assignment);
        this.mine.push(item.assignment);
        this.app.outbox.add({
            path: `/api/items/${item.assignment}/act`,
            assignment: item.assignment, pool: item.pool, what: act,
            body: { act, supersedes: item.standing, ...said,
                render: this.render, shown_at: this.shownAt },
        });
        this.next();
    }

    /** @param {"flag"|"comment"} kind */
    remark(kind) {
        const { item } = this;
        if (!item) return;
        remarkDialog(kind, (text) => {
            this.app.outbox.add({
                path: `/api/items/${item.assignment}/remark`,
                assignment: item.assignment, pool: item.pool, what: kind,
                body: { kind, text },
            });
            this.app.notice(kind === "flag" ?
                "Flagged. You can still judge it, or skip it." :
                "Comment sent.");
        });
    }

    async undoLast() {
        const last = this.mine[this.mine.length - 1];
        if (last !== undefined) {
            await this.undo(last);
            return;
        }
        try {
            const { items } = await this.app.api.get("/api/history?max=20");
            const past = /** @type {Past[]} */ (items).find((p) =>
                p.pool === this.pool.pool &&
                (p.state === "voted" || p.state === "skipped"));
            if (past) await this.undo(past.assignment);
            else this.app.notice("There is nothing to undo.", "plain");
        } catch (error) {
            this.app.failed(error, "Undo");
        }
    }

    /** @param {number} assignment */
    async undo(assignment) {
        const { outbox } = this.app;
        const back = outbox.takeBack(assignment);
        if (back) {
            const seen = this.seen.get(assignment);
            if (seen) {
                this.giveBack(seen.item, seen.said);
                this.app.announce("Taken back before it was sent.");
                return;
            }
        }
        if (outbox.has(assignment)) {
            this.app.notice("That one is being saved; undo it when it is.",
                "plain");
            return;
        }
        try {
            const item = await this.app.api.get(`/api/items/${assignment}`);
            if (item.state !== "voted" && item.state !== "skipped") {
                if (item.state === "leased") this.giveBack(item);
                return;
            }
            if (!this.seen.has(assignment))
                this.seen.set(assignment, { item, said: {} });
            outbox.add({ path: `/api/items/${assignment}/act`, assignment,
                pool: item.pool, what: "undo",
                body: { act: "undo", supersedes: item.standing } });
        } catch (error) {
            this.app.failed(error, "Undo");
        }
    }

    /** Show an item again, as it was judged before.
     * @param {Item} item @param {Said} [said] */
    giveBack(item, said) {
        if (this.isOver) return;
        if (this.item && this.view)
            this.drafts.set(this.item.assignment, this.view.said());
        this.acted.delete(item.assignment);
        this.mine = this.mine.filter((a) => a !== item.assignment);
        this.deck = [item, ...this.deck.filter((d) =>
            d.assignment !== item.assignment)];
        this.show(item, said);
    }

    /** The server has it. @param {Entry} entry @param {any} answer */
    done(entry, answer) {
        const known = this.seen.get(entry.assignment);
        if (known && typeof answer.standing === "number")
            known.item = { ...known.item, standing: answer.standing,
                state: answer.state };
        const counts = /** @type {Record<string, [number, number]>} */ (
            { vote: [1, 0], skip: [0, 1] })[entry.what];
        // What was said before going to another pool counts there, not here.
        if (counts && answer.is_new !== false &&
            entry.pool === this.pool.pool) {
            this.pool.mine.voted += counts[0];
            this.pool.mine.skipped += counts[1];
            this.pool.votes += counts[0];
            this.pool.wanted = Math.max(0, this.pool.wanted - counts[0]);
            this.showProgress();
        }
        if (entry.what === "undo") {
            if (known && known.item.pool === this.pool.pool) {
                this.giveBack(known.item, known.said);
                this.app.notice("Undone: judge it again, or skip it.");
            }
            void this.refreshPool();
        } else if (entry.what === "vote") this.app.announce("Saved.");
        // What was asked for while this waited may have been less than wanted.
        if (!this.item || (this.deck.length < AHEAD && !this.isAll))
            void this.refill();
    }

    /** The server will never take it.
     * @param {Entry} entry @param {ApiError} e */
    async refused(entry, e) {
        if (entry.what === "flag" || entry.what === "comment") {
            this.app.notice(`The ${entry.what} was not taken: ${e.message}`,
                "bad");
            return;
        }
        const said = this.seen.get(entry.assignment)?.said;
        try {
            const item = /** @type {Item} */ (
                await this.app.api.get(`/api/items/${entry.assignment}`));
            const isOpen = item.state === "leased" || item.state === "expired";
            if (isOpen && item.pool === this.pool.pool)
                this.giveBack(item, said);
            this.app.notice(e.status === 409 ?
                "This item was changed in another window. " + (isOpen ?
                    "Here it is as it stands now." :
                    `It is ${item.state}; undo that to judge it again.`) :
                `Not taken: ${e.message}`, "bad");
        } catch {
            this.app.notice(`Not taken: ${e.message}`, "bad");
        }
        void this.refill();
    }

    /* ---- panels and keys -------------------------------------------------- */

    guide() {
        guideDialog(this.pool, () => {
            this.app.know(`guide.${this.pool.pool}`);
            this.view?.focus();
        });
    }

    history() {
        historyDialog(this.app, (past) => {
            if (past.pool === this.pool.pool) void this.undo(past.assignment);
            else this.app.notice("That is of another pool: open it first.",
                "plain");
        });
    }

    /** @param {KeyboardEvent} e */
    key(e) {
        const sent = performance.now();
        // What is held down, or came too soon, is not meant for this item.
        if (this.view && (e.repeat && !e.key.startsWith("Arrow") ||
            sent < this.settled) && /^(\d|Enter|s)$/.test(e.key)) return true;
        if (this.view?.key(e)) return true;
        /** @type {Record<string, () => void>} */
        const keys = {
            s: () => this.skip(), f: () => this.remark("flag"),
            c: () => this.remark("comment"), u: () => void this.undoLast(),
            m: () => this.toggleRender(), d: () => this.toggleDiff(),
            g: () => this.guide(), h: () => this.history(),
        };
        const run = e.repeat || e.shiftKey ? undefined : keys[e.key];
        run?.();
        return run !== undefined;
    }
}
