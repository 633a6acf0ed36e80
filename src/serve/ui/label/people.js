/**
 * people.js - who may judge, and their links; for administrators.
 */
import { h } from "../common/dom.js";
import { icon } from "../common/icons.js";
import { button, dialog, segments } from "../common/ui.js";

/** @typedef {import("./main.js").App} App */
/** @typedef {{judge: number, name: string, role: string, revoked: number,
 *     has_token: boolean, created: number}} Judge */

const ROLES = [
    { value: "judge", label: "Judge", title: "Judge: ranks and spot-checks" },
    { value: "viewer", label: "Viewer", title: "Viewer: sees how it stands" },
    { value: "admin", label: "Admin", title: "Admin: all of it, and people" },
];

/** @param {App} app */
export async function peopleView(app) {
    app.shell.setTitle("People");
    const rows = h("tbody");
    const name = h("input", { type: "text", id: "name", required: true,
        maxlength: 200, autocomplete: "off" });
    let role = "judge";
    const once = h("input", { type: "checkbox" });
    const out = h("div", { class: "link-slot" });

    const load = async () => {
        const { judges } = await app.api.get("/api/judges");
        rows.replaceChildren(.../** @type {Judge[]} */ (judges).map(row));
    };

    /** @param {Judge} j */
    function row(j) {
        const isMe = j.judge === app.session?.judge;
        return h("tr", { class: j.revoked ? "revoked" : "" },
            h("th", { scope: "row" }, j.name, isMe && " (you)"),
            h("td", j.role),
            h("td", j.revoked ? `revoked ${day(j.revoked)}` :
                j.has_token ? "has a link" : "no link"),
            h("td", day(j.created)),
            h("td", { class: "actions" }, !j.revoked && h("div",
                { class: "row" },
                !isMe && button({ label: "New link", click: () => renew(j) }),
                !isMe && button({ label: "Revoke", class: "quiet danger",
                    click: () => revoke(j) }))));
    }

    /** @param {Judge} j */
    function renew(j) {
        ask(`A new link for ${j.name}?`,
            "The old link ends, and so do this person's sessions.",
        "New link", async () => {
            const { token } = await app.api.post(
                `/api/judges/${j.judge}/link`, { once: false });
            show(j.name, token);
            await load();
        });
    }

    /** @param {Judge} j */
    function revoke(j) {
        ask(`Revoke ${j.name}?`, "The link and all sessions end at once. " +
            "Votes that were cast stay.", "Revoke", async () => {
            await app.api.remove(`/api/judges/${j.judge}`);
            app.notice(`${j.name} is revoked.`);
            await load();
        });
    }

    /**
     * @param {string} title @param {string} text @param {string} yes
     * @param {() => Promise<void>} then
     */
    function ask(title, text, yes, then) {
        dialog({ title, body: (close) => [h("p", text),
            h("div", { class: "row end" },
                button({ label: "Cancel", click: close }),
                h("button", { type: "button", class: "primary",
                    onclick: async () => {
                        close();
                        try {
                            await then();
                        } catch (error) {
                            app.failed(error, yes);
                        }
                    } }, yes))] });
    }

    /** @param {string} who @param {string} token */
    function show(who, token) {
        const link = `${location.origin}/#token=${token}`;
        const field = h("input", { type: "text", readonly: true, value: link,
            "aria-label": `Link for ${who}`, onfocus: () => field.select() });
        out.replaceChildren(h("section", { class: "link-card" },
            h("h2", { tabindex: "-1" }, `The link for ${who}`),
            h("p", "It is shown only now: copy it and give it to that person " +
                "alone. Whoever has it is let in."),
            h("div", { class: "row" }, field,
                h("button", { type: "button", class: "primary",
                    onclick: () => void copy(field) }, icon("copy"),
                h("span", "Copy")),
                button({ label: "Done", click: () => out.replaceChildren() }))));
        out.querySelector("h2")?.focus();
    }

    /** @param {HTMLInputElement} field */
    async function copy(field) {
        field.select();
        try {
            await navigator.clipboard.writeText(field.value);
        } catch {
            // Without https the clipboard is only reached in the old way.
            if (!document.execCommand("copy")) {
                app.notice("Select it and copy it by hand.", "bad");
                return;
            }
        }
        app.notice("Copied.");
    }

    const form = h("form", { class: "invite",
        onsubmit: async (/** @type {Event} */ e) => {
            e.preventDefault();
            const who = name.value.trim();
            try {
                const { token } = await app.api.post("/api/judges",
                    { name: who, role, once: once.checked });
                form.reset();
                show(who, token);
                await load();
            } catch (error) {
                app.failed(error, "Inviting");
            }
        } },
    h("div", { class: "field" }, h("label", { for: "name" }, "Name"), name),
    segments({ name: "role", legend: "Role", values: ROLES, value: role,
        change: (v) => {
            role = v;
        } }),
    h("label", { class: "check" }, once, "good for one sign-in only"),
    h("button", { class: "primary" }, "Invite"));
    form.addEventListener("reset", () => {
        role = "judge";
    });

    await load();
    app.page(h("div", { class: "wide" },
        h("h1", { class: "big" }, "People"),
        h("section", { class: "panel" }, h("h2", "Invite"), form), out,
        h("section", { class: "panel" },
            h("h2", "Who there is"),
            h("div", { class: "table" }, h("table",
                h("thead", h("tr", ["Name", "Role", "Link", "Since", ""].map(
                    (t) => t ? h("th", { scope: "col" }, t) :
                        h("td", {})))), rows)))));
    app.focusHeading();
}

/** @param {number} ms */
function day(ms) {
    return new Date(ms).toLocaleDateString(undefined,
        { year: "numeric", month: "short", day: "numeric" });
}
