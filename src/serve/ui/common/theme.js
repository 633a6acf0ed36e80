/**
 * theme.js - light or dark: as the system has it, unless somebody chose.
 *
 * @typedef {"auto"|"light"|"dark"} Theme
 */
const NAME = "plumb.theme";

/** @param {string} name */
export function recall(name) {
    try {
        return localStorage.getItem(name);
    } catch {
        return null;
    }
}

/** @param {string} name @param {string} value */
export function remember(name, value) {
    try {
        localStorage.setItem(name, value);
    } catch {
        // A choice that is forgotten at the next visit.
    }
}

/** @returns {Theme} */
export function theme() {
    const kept = recall(NAME);
    return kept === "light" || kept === "dark" ? kept : "auto";
}

/** @param {Theme} to */
export function setTheme(to) {
    remember(NAME, to);
    if (to === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = to;
}

/** What is seen now. */
export function isDark() {
    return theme() === "dark" || (theme() === "auto" &&
        matchMedia("(prefers-color-scheme: dark)").matches);
}
