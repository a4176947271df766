// All labels side by side, and the sums over them.

import { asGiven, changed, isGiven, now, redo, reset, show, undo } from "./counting.js";
import { framesOf } from "./deciding.js";
import { byId, counted, el, exact, inputById, nameOf, whole } from "../../page/dom.js";
import { breaksAny } from "./limits.js";
import { signed } from "../../page/metric.js";
import { content, labels, nLabels } from "./model.js";
import { average, averageOf, facing, inPercent, metricAt, metricText, objectiveOf, sharesOf, spec, summed } from "./objective.js";
import { inHundred, metricValue, short, withUnit } from "./parts.js";

/** @typedef {{name: string, of: (k: number) => number, text: (k: number) => Node | string}} Column */

/** @param {"median" | "hysteresis" | "gap" | "shortest"} part @returns {Column} */
const ofPart = (part) => ({ name: part, of: (k) => now.at[k][part], text: (k) => {
  const value = now.at[k][part];
  if (value === 0 || (part === "median" && framesOf(value) <= 1)) return "–";
  return `${short(value)}${part === "hysteresis" ? "" : " s"}`;
} });
/** @param {"precision" | "recall" | "f1"} name @param {string} words @returns {Column} */
const ofShare = (name, words) => {
  const of = (/** @type {number} */ k) => sharesOf(now.outcomes[k])[name];
  return { name: words, of, text: (k) => inHundred(of(k)) };
};
/** @param {string} name @param {(one: {tp: number, pp: number, p: number}) => number} of @returns {Column} */
const ofCounts = (name, of) => ({ name, of: (k) => of(now.outcomes[k]), text: (k) => whole(of(now.outcomes[k])) });
/** @type {Column[]} */
const COLUMNS = [
  { name: "threshold", of: (k) => now.at[k].threshold, text: (k) => short(now.at[k].threshold) },
  ofCounts("true", ({ p }) => p), ofCounts("missed", ({ tp, p }) => p - tp), ofCounts("false", ({ tp, pp }) => pp - tp),
  ofShare("precision", "precision"), ofShare("recall", "recall"), ofShare("f1", "F1"),
  ...(spec.is_f1 ? [] : [{ name: spec.title, of: (/** @type {number} */ k) => metricAt(k, now.outcomes[k]),
    text: (/** @type {number} */ k) => { const value = metricAt(k, now.outcomes[k]); return exact(facing(value), metricText(value)); } }]),
  ofPart("median"), ofPart("hysteresis"), ofPart("gap"), ofPart("shortest"),
];
/** Labels from which on they can be searched. */
const MANY = 12;
const sorting = { by: -1, up: true };

/** @type {{row: HTMLElement, mark: HTMLElement, name: HTMLElement, cells: HTMLElement[]}[]} */
const rowOf = labels.map((name, k) => {
  const button = el("button", { type: "button", class: "link", onclick: () => {
    show(k);
    if (matchMedia("(min-width: 1081px)").matches) return;
    byId("label").scrollIntoView();
    byId("label-name").focus({ preventScroll: true });
  } }, nameOf(name)), mark = el("small"), cells = COLUMNS.map(() => el("td", { class: "number" }));
  return { row: el("tr", {}, el("th", { scope: "row" }, button, mark), ...cells), mark, name: button, cells };
});

/** @param {Iterable<number>} some */
function fill(some) {
  for (const k of some) {
    const { cells, mark } = rowOf[k];
    COLUMNS.forEach(({ text }, c) => cells[c].replaceChildren(text(k)));
    mark.textContent = [isGiven(k) ? "" : "changed", breaksAny(k) ? "breaks a constraint" : ""].filter(Boolean).join(", ");
  }
}

function markShown() {
  rowOf.forEach(({ row, name }, k) => {
    row.classList.toggle("row-shown", k === now.label);
    if (k === now.label) name.setAttribute("aria-current", "true");
    else name.removeAttribute("aria-current");
  });
}

/** Rows in the order asked for, but for labels that are not searched. */
function arrangeRows() {
  const wanted = inputById("search").value.trim().toLowerCase(), column = COLUMNS[sorting.by];
  const order = [...labels.keys()].filter((k) => labels[k].toLowerCase().includes(wanted));
  if (column) {
    const way = sorting.up ? 1 : -1;
    // What there is not goes last either way.
    order.sort((a, b) => { const [x, y] = [column.of(a), column.of(b)];
      return Number(Number.isNaN(x)) - Number(Number.isNaN(y)) || (x === y || Number.isNaN(x) ? a - b : way * (x < y ? -1 : 1)); });
  }
  byId("label-rows").replaceChildren(...order.map((k) => rowOf[k].row));
  byId("label-count-shown").textContent = order.length < nLabels ? `${whole(order.length)} of ${counted(nLabels, "label")}` : "";
}

function startHead() {
  const heads = COLUMNS.map(({ name }, c) => el("th", { scope: "col", class: "number" }, el("button", { type: "button", class: "link", onclick: () => {
    // Names of parts by their size, what can be bad by its badness: one click more turns it.
    sorting.up = sorting.by === c ? !sorting.up : !/^(missed|false|true)$/.test(name);
    sorting.by = c;
    heads.forEach((head, other) => (other === c ? head.setAttribute("aria-sort", sorting.up ? "ascending" : "descending") : head.removeAttribute("aria-sort")));
    arrangeRows();
  } }, name)));
  byId("label-head").append(el("th", { scope: "col" }, "label"), ...heads);
}

/** What the bar shows: the objective, the same metric averaged otherwise, and shares of all events. */
const OTHER = average === "micro" ? "macro" : "micro";
/** @type {[string, string, (all: {tp: number, pp: number, p: number}[]) => number][]} */
const BAR = [["objective", content.objective.noun, objectiveOf], ["precision", "precision", (all) => sharesOf(summed(all)).precision],
  ["recall", "recall", (all) => sharesOf(summed(all)).recall], ["other", `${OTHER} ${spec.title}`, (all) => averageOf(all, OTHER)]];

function showBar() {
  for (const [id, , of] of BAR) {
    const value = of(now.outcomes), ofMetric = id === "objective" || id === "other", step = value - of(asGiven);
    const text = (/** @type {number} */ d) => (ofMetric && !inPercent ? d.toFixed(4) : (100 * d).toFixed(1).replace("-", "\u2212"));
    const moved = Number.isNaN(step) ? "" : signed(ofMetric ? facing(step) : step, text);
    byId(`now-${id}`).replaceChildren(ofMetric ? metricValue(value) : withUnit(value),
      !moved || Number(moved) === 0 ? "" : el("small", { class: step > 0 ? "up" : "down" }, ` ${moved}`));
  }
  const many = changed().length;
  byId("changed-count").textContent = many ? `${counted(many, "label")} changed` : "no change";
  for (const [id, off] of /** @type {[string, boolean][]} */ ([["reset", many === 0], ["undo", now.made.length === 0], ["redo", now.undone.length === 0]])) {
    /** @type {HTMLButtonElement} */ (byId(id)).disabled = off;
  }
}

export function startTable() {
  byId("averages").replaceChildren(...BAR.filter(([id, , of]) => id !== "other" || (nLabels > 1 && !Number.isNaN(of(asGiven)))).map(([id, words]) => (
    el("div", { class: `average${id === "objective" ? " main" : ""}` }, el("dt", {}, words), el("dd", { id: `now-${id}` })))));
  if (!document.getElementById("now-other")) BAR.pop();
  startHead();
  byId("search-labels").hidden = nLabels < MANY;
  inputById("search").addEventListener("input", arrangeRows);
  byId("undo").addEventListener("click", undo);
  byId("redo").addEventListener("click", redo);
  byId("reset").addEventListener("click", reset);
  fill(labels.keys());
  arrangeRows();
  markShown();
  showBar();
  let broken = labels.map((_, k) => breaksAny(k));
  now.listeners.push(({ labels: moved }) => {
    const before = broken;
    broken = labels.map((_, k) => breaksAny(k));
    fill(new Set([...moved, ...[...labels.keys()].filter((k) => broken[k] !== before[k])]));
    showBar();
  });
  now.watchers.push(markShown);
}
