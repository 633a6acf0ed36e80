import { h } from "../common/dom.js";

document.getElementById("app")?.replaceChildren(h("h1", "Plumb label"));
