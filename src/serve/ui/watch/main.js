import uPlot from "uplot";
import { h } from "../common/dom.js";

document.getElementById("app")?.replaceChildren(
    h("h1", "Plumb watch"),
    h("p", `Nothing is drawn yet (uPlot ${typeof uPlot}).`));
