/**
 * icons.js - small pictures drawn as lines in the colour of the text.  All
 * stand beside words or in a control that has a name, so readers skip them.
 */
import { s } from "./dom.js";

/** @type {Record<string, string>} */
const PATHS = {
    plumb: "M12 2v8M8 10h8v3l-4 8-4-8z",
    check: "M5 12.5l4.5 4.5L19 7.5",
    dots: "M5 12h.01M12 12h.01M19 12h.01",
    warning: "M12 4L2.5 20h19zM12 10v4.5M12 17.4v.01",
    guide: "M5 4h11a3 3 0 0 1 3 3v13H8a3 3 0 0 1-3-3zM5 17a3 3 0 0 1 3-3h11",
    history: "M4 12a8 8 0 1 0 2.6-5.9L4 8.5M4 4v4.5h4.5M12 8v4.5l3 2",
    help: "M9.2 9.2a2.9 2.9 0 1 1 4.4 2.5c-1 .6-1.6 1.2-1.6 2.3M12 17.4v.01M12 3a9 9 0 1 0 0 18 9 9 0 0 0 0-18z",
    sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2v2.5M12 19.5V22M2 12h2.5M19.5 12H22M5 5l1.7 1.7M17.3 17.3L19 19M19 5l-1.7 1.7M6.7 17.3L5 19",
    moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z",
    menu: "M4 7h16M4 12h16M4 17h16",
    undo: "M4 9h10a5.5 5.5 0 0 1 0 11h-4M4 9l4.5-4.5M4 9l4.5 4.5",
    skip: "M6 5l8 7-8 7zM18 5v14",
    flag: "M6 21V4h11l-2 4 2 4H6",
    comment: "M4 5h16v11H10l-4.5 4v-4H4z",
    text: "M5 6h14M5 10.5h14M5 15h9M5 19.5h6",
    diff: "M7 4v7M3.5 7.5h7M3.5 19h7M14 6l6 12M20 6l-6 12",
    grip: "M9 6h.01M9 12h.01M9 18h.01M15 6h.01M15 12h.01M15 18h.01",
    close: "M6 6l12 12M18 6L6 18",
    copy: "M9 9h11v11H9zM5 15H4V4h11v1",
};

/** @param {string} name */
export function icon(name) {
    return s("svg", { class: `icon icon-${name}`, viewBox: "0 0 24 24",
        "aria-hidden": "true", focusable: "false" },
    s("path", { d: PATHS[name] }));
}
