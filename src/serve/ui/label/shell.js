/**
 * shell.js - the frame that stays: the bar above, messages, what is announced.
 */
import { h } from "../common/dom.js";
import { icon } from "../common/icons.js";
import { isDark, setTheme } from "../common/theme.js";
import { button, count } from "../common/ui.js";

/** @typedef {import("./main.js").App} App */
/** @typedef {import("./outbox.js").Outbox} Outbox */

const NOTICE_MS = 6000;

export class Shell {
    /** @param {HTMLElement} root @param {App} app */
    constructor(root, app) {
        this.app = app;
        this.title = h("span", { class: "title" });
        this.count = h("span", { class: "count" });
        this.bar = h("progress", { class: "bar", max: 1, value: 0,
            "aria-label": "Votes of those wanted", hidden: true });
        this.save = h("span", { class: "save-state" });
        this.links = h("nav", { class: "links", "aria-label": "Pages" });
        this.buttons = h("div", { class: "buttons" });
        this.view = h("main", { id: "view" });
        this.live = h("div", { class: "sr", "aria-live": "polite",
            role: "status" });
        this.notices = h("div", { class: "notices", role: "status" });
        this.header = h("header", { class: "top" },
            h("a", { class: "brand", href: "#/", "aria-label": "Plumb, start" },
                icon("plumb"), h("span", { class: "label-wide" }, "Plumb")),
            this.title, this.links, h("span", { class: "push" }),
            this.count, this.save, this.buttons);
        root.replaceChildren(this.header, this.bar, this.view, this.notices,
            this.live);
    }

    /** What the bar offers to whom. @param {string} at the page's hash */
    frame(at) {
        const { session } = this.app;
        const isAdmin = session?.role === "admin";
        /** @type {[string, string, boolean][]} */
        const links = [
            ["#/", "Judge", isAdmin],
            ["#/standing", "How it stands", isAdmin],
            ["#/people", "People", isAdmin],
        ];
        this.links.replaceChildren(...links.filter((l) => l[2])
            .map(([href, text]) => h("a", { href, "aria-current":
                (href === "#/" ? at === href || at.startsWith("#/pool") :
                    at.startsWith(href)) ? "page" : null }, text)));
        this.links.hidden = !isAdmin;
        const isWork = this.app.work !== null;
        const dark = button({ label: isDark() ? "Light" : "Dark",
            icon: isDark() ? "sun" : "moon", class: "quiet square",
            click: () => {
                setTheme(isDark() ? "light" : "dark");
                this.frame(at);
            } });
        dark.setAttribute("aria-label",
            isDark() ? "Light colours" : "Dark colours");
        dark.querySelector("span")?.remove();
        /** @type {(Node|false)[]} */
        const buttons = [
            isWork && button({ label: "Guide", icon: "guide", key: "g",
                small: true, click: () => this.app.work?.guide() }),
            isWork && button({ label: "History", icon: "history", key: "h",
                small: true, click: () => this.app.work?.history() }),
            isWork && button({ label: "Keys", icon: "help", key: "?",
                small: true, click: () => this.app.help() }),
            dark,
            session !== null && this.menu(session.name, session.role),
        ];
        const had = this.buttons.contains(document.activeElement) &&
            document.activeElement?.getAttribute("aria-label")
                ?.endsWith("colours");
        this.buttons.replaceChildren(...buttons.filter((b) => b !== false));
        if (had) dark.focus();
        this.title.hidden = !isWork;
        this.saving(this.app.outbox);
        if (!isWork) {
            this.count.textContent = "";
            this.bar.hidden = true;
        }
    }

    /** @param {string} name @param {string} role */
    menu(name, role) {
        const box = h("details", { class: "menu" },
            h("summary", { class: "quiet", "aria-label": `${name}, ${role}` },
                h("span", { class: "avatar", "aria-hidden": "true" },
                    name.slice(0, 1).toUpperCase() || "?")),
            h("div", { class: "menu-body" },
                h("p", h("strong", name), h("br"),
                    h("span", { class: "muted" }, role)),
                button({ label: "Sign out",
                    click: () => void this.app.signOut() })));
        const away = (/** @type {Event} */ e) => {
            if (!box.isConnected) document.removeEventListener("click", away);
            else if (!box.contains(/** @type {Node} */ (e.target)))
                box.open = false;
        };
        document.addEventListener("click", away);
        box.addEventListener("keydown", (e) => {
            if (e.key !== "Escape") return;
            box.open = false;
            box.querySelector("summary")?.focus();
        });
        return box;
    }

    /** @param {string} text */
    setTitle(text) {
        this.title.textContent = text;
        document.title = text ? `${text} · Plumb` : "Plumb";
    }

    /** @param {number} mine @param {number} votes @param {number} wanted */
    progress(mine, votes, wanted) {
        this.count.textContent = `${mine} done · ${wanted} wanted`;
        this.bar.hidden = false;
        this.bar.max = Math.max(1, votes + wanted);
        this.bar.value = votes;
    }

    /** @param {Outbox} box */
    saving(box) {
        const n = count(box.waiting, "vote");
        const [name, text] = {
            saved: ["check", "saved"],
            saving: ["dots", "saving…"],
            offline: ["warning", `${box.trouble || "offline"}, ${n} waiting`],
            "signed-out": ["warning", `signed out, ${n} waiting`],
        }[box.state];
        this.save.dataset.state = this.header.dataset.save = box.state;
        this.save.hidden = box.state === "saved" && this.app.work === null;
        this.save.replaceChildren(icon(name), h("span", text));
    }

    /** @param {string} text */
    announce(text) {
        // The same words twice are only read again where something changed.
        this.live.textContent = this.live.textContent === text ?
            `${text}\u00a0` : text;
    }

    /** Something was done (good), only a word (plain), or a failure, which
     *  stays (bad). @param {string} text @param {"good"|"plain"|"bad"} [kind] */
    notice(text, kind = "good") {
        const box = h("div", { class: `notice ${kind}` },
            kind !== "plain" && icon(kind === "bad" ? "warning" : "check"),
            h("p", text),
            h("button", { type: "button", class: "quiet square",
                "aria-label": "Dismiss", onclick: () => box.remove() },
            icon("close")));
        while (this.notices.childElementCount > 2)
            this.notices.firstElementChild?.remove();
        this.notices.append(box);
        if (kind !== "bad") setTimeout(() => box.remove(), NOTICE_MS);
    }
}
