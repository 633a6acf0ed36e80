/**
 * ui.js - controls that several views use.
 */
import { h } from "./dom.js";
import { icon } from "./icons.js";

/**
 * A key's cap beside a label; readers get aria-keyshortcuts instead.
 * @param {string} key
 */
export function cap(key) {
    return h("kbd", { "aria-hidden": "true" }, key);
}

/**
 * @param {object} o
 * @param {string} o.label
 * @param {string} [o.icon]
 * @param {string} [o.key]
 * @param {string} [o.class]
 * @param {boolean} [o.small] the label is only read, not seen, where narrow
 * @param {() => void} o.click
 */
export function button(o) {
    return h("button", { type: "button", class: o.class ?? "quiet",
        "aria-keyshortcuts": o.key, title: o.key ?
            `${o.label} (${o.key})` : o.label, onclick: o.click },
    o.icon && icon(o.icon),
    h("span", { class: o.small ? "label-wide" : "label" }, o.label),
    o.key && cap(o.key));
}

/**
 * One of a few values, as large segments over native radio buttons.
 * @param {object} o
 * @param {string} o.name unique in the page
 * @param {string} o.legend
 * @param {string} [o.hint]
 * @param {{value: string, label: string, title?: string}[]} o.values
 * @param {string} [o.value]
 * @param {(value: string) => void} o.change
 */
export function segments(o) {
    const inputs = o.values.map((v) => h("input", { type: "radio",
        name: o.name, value: v.value, checked: v.value === o.value,
        "aria-label": v.title, onchange: () => o.change(v.value) }));
    return h("fieldset", { class: "segments", data: { name: o.name } },
        h("legend", h("span", o.legend),
            o.hint && h("span", { class: "hint" }, o.hint)),
        h("div", { class: "row" }, o.values.map((v, i) =>
            h("label", inputs[i], h("span", v.label)))));
}

/**
 * A modal dialog, open; gone when it is closed.
 * @param {object} o
 * @param {string} o.title
 * @param {string} [o.class]
 * @param {(close: () => void) => (Node|string|false)[]} o.body
 * @param {() => void} [o.closed]
 */
export function dialog(o) {
    const before = document.activeElement;
    const end = () => {
        if (!box.isConnected) return;
        box.remove();
        if (before instanceof HTMLElement && before.isConnected)
            before.focus({ preventScroll: true });
        o.closed?.();
    };
    // The event of closing comes later than the next key may: until then that
    // key would go into the closed dialog.
    const close = () => {
        box.close();
        end();
    };
    const box = h("dialog", { class: o.class, "aria-labelledby": "dialog-h",
        onclose: end,
        oncancel: (/** @type {Event} */ e) => {
            e.preventDefault();
            close();
        },
        onclick: (/** @type {MouseEvent} */ e) => {
            if (e.target === box) close();
        } });
    box.append(h("div", { class: "sheet" },
        h("header", h("h2", { id: "dialog-h", tabindex: "-1" }, o.title),
            h("button", { type: "button", class: "quiet square",
                "aria-label": "Close", title: "Close (Esc)", onclick: close },
            icon("close"))),
        h("div", { class: "sheet-body" }, o.body(close))));
    document.body.append(box);
    box.showModal();
    const first = box.querySelector("[data-first]") ??
        box.querySelector("#dialog-h");
    if (first instanceof HTMLElement) first.focus();
    return box;
}

/** @param {number} n @param {string} one @param {string} [many] */
export function count(n, one, many = `${one}s`) {
    return `${n} ${n === 1 ? one : many}`;
}

/**
 * What scrolls must be reachable by keyboard, and what does not, need not.
 * @param {HTMLElement} el
 * @param {string} name
 */
export function scrollable(el, name) {
    const look = () => {
        if (el.scrollHeight > el.clientHeight + 1 ||
            el.scrollWidth > el.clientWidth + 1) {
            el.tabIndex = 0;
            el.setAttribute("role", "region");
            el.setAttribute("aria-label", name);
        } else if (el.tabIndex === 0) {
            el.removeAttribute("tabindex");
            el.removeAttribute("role");
            el.removeAttribute("aria-label");
        }
    };
    const watch = new ResizeObserver(look);
    watch.observe(el);
    for (const child of el.children) watch.observe(child);
    return { look, stop: () => watch.disconnect() };
}
