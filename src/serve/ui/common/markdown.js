/**
 * markdown.js - the part of Markdown that answers of models use, as a tree.
 *
 * The text is hostile.  It becomes a tree of nodes whose tags are a closed
 * set (TAGS) and whose leaves are text; there is no attribute, no link and no
 * picture in it, so nothing of the text can run, load or lead anywhere: a link
 * is its text and, in brackets, where it says it leads.  Work is linear in the
 * text's length but for emphasis, whose search is bounded.
 *
 * @typedef {{tag: string, children: (MdNode|string)[]}} MdNode
 */
import { h } from "./dom.js";

export const TAGS = ["p", "h4", "h5", "h6", "ul", "ol", "li", "pre", "code",
    "strong", "em", "del", "blockquote", "br", "hr", "target"];

const DEPTH_MAX = 6; // of lists and quotes in one another
const SPAN_MAX = 2000; // characters between ** and **

/** @param {string} tag @param {(MdNode|string)[]} [children] @returns {MdNode} */
function node(tag, children = []) {
    return { tag, children };
}

/* ---- lines -------------------------------------------------------------- */

/**
 * @param {string} text
 * @returns {MdNode[]}
 */
export function parse(text) {
    return blocks(text.replace(/\r\n?/g, "\n").split("\n"), 0);
}

const FENCE = /^ {0,3}(`{3,}|~{3,})/;
const HEADING = /^ {0,3}(#{1,6})[ \t]+(.*?)[ \t]*#*[ \t]*$/;
const RULE = /^ {0,3}(?:(?:\*[ \t]*){3,}|(?:-[ \t]*){3,}|(?:_[ \t]*){3,})$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( {0,8})([-*+]|\d{1,9}[.)])[ \t]+(?=\S)/;

/** @param {string[]} lines @param {number} depth @returns {MdNode[]} */
function blocks(lines, depth) {
    /** @type {MdNode[]} */
    const out = [];
    let i = 0;
    while (i < lines.length) {
        const line = lines[i];
        const fence = FENCE.exec(line);
        const heading = HEADING.exec(line);
        if (line.trim() === "") {
            i++;
        } else if (fence) {
            const end = closing(lines, i, fence[1]);
            out.push(node("pre", [node("code",
                [lines.slice(i + 1, end).join("\n")])]));
            i = end + 1;
        } else if (heading) {
            const level = Math.min(6, heading[1].length + 3);
            out.push(node(`h${level}`, inline(heading[2])));
            i++;
        } else if (RULE.test(line)) {
            out.push(node("hr"));
            i++;
        } else if (QUOTE.test(line) && depth < DEPTH_MAX) {
            let end = i;
            while (end < lines.length && QUOTE.test(lines[end])) end++;
            out.push(node("blockquote", blocks(lines.slice(i, end)
                .map((l) => l.replace(QUOTE, "")), depth + 1)));
            i = end;
        } else if (ITEM.test(line) && depth < DEPTH_MAX) {
            i = list(lines, i, depth, out);
        } else {
            let end = i + 1;
            while (end < lines.length && !interrupts(lines[end])) end++;
            out.push(node("p", broken(lines.slice(i, end))));
            i = end;
        }
    }
    return out;
}

/** Does a line end the paragraph before it? @param {string} line */
function interrupts(line) {
    return line.trim() === "" || FENCE.test(line) || HEADING.test(line) ||
        QUOTE.test(line) || ITEM.test(line) || RULE.test(line);
}

/** @param {string[]} lines @param {number} from @param {string} fence */
function closing(lines, from, fence) {
    for (let i = from + 1; i < lines.length; i++) {
        const t = lines[i].trim();
        if (t.length >= fence.length && t === fence[0].repeat(t.length))
            return i;
    }
    return lines.length;
}

/**
 * @param {string[]} lines
 * @param {number} from
 * @param {number} depth
 * @param {MdNode[]} out
 * @returns {number} the line after the list
 */
function list(lines, from, depth, out) {
    const first = /** @type {RegExpExecArray} */ (ITEM.exec(lines[from]));
    const indent = first[1].length;
    const isOrdered = /\d/.test(first[2]);
    /** @type {MdNode[]} */
    const items = [];
    /** @type {string[]} */
    let own = [];
    const close = () => {
        if (own.length)
            items.push(node("li", tight(blocks(own, depth + 1))));
        own = [];
    };
    let i = from;
    for (; i < lines.length; i++) {
        const line = lines[i];
        const mark = ITEM.exec(line);
        const spaces = line.length - line.trimStart().length;
        if (mark && spaces <= indent + 1) {
            if (spaces < indent || /\d/.test(mark[2]) !== isOrdered) break;
            close();
            own.push(line.slice(mark[0].length));
        } else if (line.trim() === "") {
            const next = lines[i + 1] ?? "";
            const deeper = next.length - next.trimStart().length > indent + 1;
            if (next.trim() === "" || !(deeper || ITEM.test(next))) break;
            own.push("");
        } else if (spaces > indent + 1) {
            own.push(line.slice(Math.min(spaces, indent + 2)));
        } else if (!interrupts(line) && own[own.length - 1] !== "") {
            own.push(line);
        } else {
            break;
        }
    }
    close();
    out.push(node(isOrdered ? "ol" : "ul", items));
    return i;
}

/** A lone paragraph in an item needs no <p>. @param {MdNode[]} inner */
function tight(inner) {
    return inner.flatMap((n, i) =>
        i === 0 && n.tag === "p" ? n.children : [n]);
}

/** @param {string[]} lines @returns {(MdNode|string)[]} */
function broken(lines) {
    return lines.flatMap((line, i) =>
        i === 0 ? inline(line.trim()) : [node("br"), ...inline(line.trim())]);
}

/* ---- within a line ------------------------------------------------------ */

const MARKS = /** @type {const} */ ([["**", "strong"], ["__", "strong"],
    ["~~", "del"], ["*", "em"], ["_", "em"]]);
const LINK = /^(!?)\[([^[\]]{0,500})\]\(([^()\s]{0,2000})(?:[ \t]+"[^"]{0,200}")?\)/;

/** @param {string} text @param {number} [depth] @returns {(MdNode|string)[]} */
export function inline(text, depth = 0) {
    /** @type {(MdNode|string)[]} */
    const out = [];
    let plain = "";
    const flush = () => {
        if (plain !== "") out.push(plain);
        plain = "";
    };
    let i = 0;
    while (i < text.length) {
        const c = text[i];
        if (c === "\\" && /[\\`*_{}[\]()#+\-.!~>|]/.test(text[i + 1] ?? "")) {
            plain += text[i + 1];
            i += 2;
            continue;
        }
        const found = "`*_~[!".includes(c) && depth < DEPTH_MAX ?
            span(text, i, depth) : null;
        if (found) {
            flush();
            out.push(...found.nodes);
            i = found.end;
        } else {
            // A run of marks that opens nothing is text as a whole.
            const run = /^(?:\*+|_+|~+|`+)/.exec(text.slice(i, i + 64));
            plain += run ? run[0] : c;
            i += run ? run[0].length : 1;
        }
    }
    flush();
    return out;
}

/**
 * What begins at `i`, or null.
 * @param {string} text @param {number} i @param {number} depth
 * @returns {{nodes: (MdNode|string)[], end: number}|null}
 */
function span(text, i, depth) {
    if (text[i] === "`") {
        const ticks = /** @type {RegExpExecArray} */
            (/^`+/.exec(text.slice(i, i + 64)))[0];
        const end = text.indexOf(ticks, i + ticks.length);
        if (end < 0 || end - i > SPAN_MAX || text[end + ticks.length] === "`")
            return null;
        return { nodes: [node("code", [text.slice(i + ticks.length, end)])],
            end: end + ticks.length };
    }
    if (text[i] === "[" || text[i] === "!") {
        const m = LINK.exec(text.slice(i, i + 2800));
        if (!m) return null;
        return { nodes: [m[2] || m[3], node("target",
            [m[1] ? `picture: ${m[3]}` : m[3]])], end: i + m[0].length };
    }
    for (const [mark, tag] of MARKS) {
        if (!text.startsWith(mark, i)) continue;
        const from = i + mark.length;
        // snake_case is no emphasis, and "2 * 3" is none either.
        if (/\s/.test(text[from] ?? " ")) continue;
        if (mark[0] === "_" && /\w/.test(text[i - 1] ?? "")) continue;
        const end = closer(text, from, mark);
        if (end < 0) continue;
        return { nodes: [node(tag, inline(text.slice(from, end), depth + 1))],
            end: end + mark.length };
    }
    return null;
}

/** @param {string} text @param {number} from @param {string} mark */
function closer(text, from, mark) {
    const stop = Math.min(text.length, from + SPAN_MAX);
    for (let end = text.indexOf(mark, from + 1); end >= 0 && end < stop;
        end = text.indexOf(mark, end + 1)) {
        const before = text[end - 1], after = text[end + mark.length] ?? "";
        if (/\s/.test(before) || before === "\\") continue;
        // One star that is half of two closes nothing.
        if (mark.length === 1 && (after === mark || before === mark)) {
            if (after === mark) end++;
            continue;
        }
        if (mark[0] === "_" && /\w/.test(after)) continue;
        return end;
    }
    return -1;
}

/* ---- elements ----------------------------------------------------------- */

/**
 * @param {string} text
 * @returns {HTMLElement[]}
 */
export function render(text) {
    return parse(text).map(element);
}

/** @param {MdNode} n @returns {HTMLElement} */
function element(n) {
    if (!TAGS.includes(n.tag)) throw new Error(`markdown: ${n.tag}`);
    const children = n.children.map((c) =>
        typeof c === "string" ? c : element(c));
    if (n.tag === "target")
        return h("span", { class: "target" }, " (", children, ")");
    return h(/** @type {"p"} */ (n.tag), {}, children);
}
