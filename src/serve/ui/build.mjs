/*
 * build.mjs MODULES DIST [--check] - bundle the pages into files that the
 * binary embeds.
 *
 * For each page P: P.html, P.css, P.js; besides, LICENSES.txt of what is not
 * ours in them and manifest.json, which cmake/ui.cmake reads.  The same input
 * gives the same bytes on any machine, since the bundler's version is pinned
 * and nothing else (time, path, order of a directory) gets in.
 *
 * With --check DIST is only compared, and what differs is said.
 */
import { createHash } from "node:crypto";
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

const PAGES = ["label", "watch"];
const TYPES = {
    html: "text/html; charset=utf-8",
    css: "text/css; charset=utf-8",
    js: "text/javascript; charset=utf-8",
    svg: "image/svg+xml",
    txt: "text/plain; charset=utf-8",
};

const [modules, dist, flag] = process.argv.slice(2);
if (!modules || !dist || (flag && flag !== "--check")) {
    console.error("usage: node build.mjs MODULES DIST [--check]");
    process.exit(2);
}
const here = path.dirname(fileURLToPath(import.meta.url));
const require = createRequire(path.join(path.resolve(modules), "x.js"));
const esbuild = require("esbuild");

/* One page's script and style; also the packages that got in. */
async function bundle(page) {
    const result = await esbuild.build({
        absWorkingDir: here,
        entryPoints: {
            [page]: `${page}/main.js`,
            [`${page}_style`]: `${page}/style.css`,
        },
        outdir: "/out",
        bundle: true,
        write: false,
        metafile: true,
        minify: true,
        charset: "utf8",
        format: "esm",
        target: ["es2022", "chrome109", "firefox115", "safari16.4"],
        legalComments: "none",
        nodePaths: [path.resolve(modules)],
        logLevel: "warning",
    });
    const out = {};
    for (const file of result.outputFiles) {
        const name = path.basename(file.path).replace("_style.css", ".css");
        out[name] = Buffer.from(file.contents);
    }
    out[`${page}.html`] = fs.readFileSync(path.join(here, page, "page.html"));
    const used = new Set();
    for (const input of Object.keys(result.metafile.inputs)) {
        const part = /node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(input);
        if (part) used.add(part[1]);
    }
    return { out, used };
}

function licences(used) {
    let text = "What these pages contain that is not Plumb's own.\n";
    for (const name of [...used].sort()) {
        const folder = path.join(path.resolve(modules), name);
        const about = JSON.parse(
            fs.readFileSync(path.join(folder, "package.json"), "utf8"));
        text += `\n---- ${name} ${about.version} (${about.license}) ----\n\n`;
        text += fs.readFileSync(path.join(folder, "LICENSE"), "utf8").trim();
        text += "\n";
    }
    return Buffer.from(text);
}

const files = {};
const manifest = {};
const used = new Set();
for (const page of PAGES) {
    const built = await bundle(page);
    Object.assign(files, built.out);
    for (const name of built.used) used.add(name);
}
files["icon.svg"] = fs.readFileSync(path.join(here, "common/icon.svg"));
files["LICENSES.txt"] = licences(used);
for (const page of PAGES) {
    manifest[page] = [...["html", "css", "js"].map((x) => `${page}.${x}`),
        "icon.svg", "LICENSES.txt"].map((file) => ({
        path: file.endsWith(".html") ? "/" : `/${file}`,
        file,
        type: TYPES[file.split(".").pop()],
        sha256: createHash("sha256").update(files[file]).digest("hex"),
    }));
}
files["manifest.json"] = Buffer.from(JSON.stringify(manifest, null, 2) + "\n");

let bad = 0;
if (flag === "--check") {
    const there = fs.existsSync(dist) ? fs.readdirSync(dist) : [];
    for (const name of new Set([...Object.keys(files), ...there].sort())) {
        const file = path.join(dist, name);
        const now = fs.existsSync(file) ? fs.readFileSync(file) : null;
        if (!files[name] || !now || !now.equals(files[name])) {
            console.error(`${name} is not what the sources give: ` +
                "run tools/ui.sh build and commit dist");
            bad = 1;
        }
    }
    console.log(`${Object.keys(files).length} files compared`);
} else {
    fs.rmSync(dist, { recursive: true, force: true });
    fs.mkdirSync(dist, { recursive: true });
    for (const [name, bytes] of Object.entries(files)) {
        fs.writeFileSync(path.join(dist, name), bytes);
        console.log(`${String(bytes.length).padStart(8)}  ${name}`);
    }
}
process.exit(bad);
