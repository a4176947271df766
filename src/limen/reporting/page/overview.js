// The evidence: the metric at 0.5, at the shared cut and tuned; the states of the labels; the bar that stays in view.

import { AVERAGES } from "./averages.js";
import { byId, counted, el, exact, inputById, svg, whole } from "./dom.js";
import { edits, redo, reset, startTotals, undo } from "./edits.js";
import { signed } from "./metric.js";
import { cutText, metricText, objectiveName, spanText } from "./texts.js";
import { content, nLabels } from "./model.js";
import { STATES, ruleOf, setBar, states } from "./states.js";
import { filterBy } from "./table.js";
/** @import { Spread, FirstRow } from "./model.js" */

/** @param {FirstRow} row */
function rowName(row) {
  if (row.name === "half") return "0.5 for all labels";
  if (row.name === "shared") return `one cut for all (${cutText(row.cut ?? Infinity)})`;
  return "these thresholds";
}

/** @param {Spread | null} spread @param {string} title @param {string} [how]  Where it comes from. */
export function spreadCell(spread, title, how) {
  const cell = { class: "number", role: "cell", "data-title": title };
  if (spread === null) return el("td", cell, el("span", { class: "muted" }, "not measured"));
  const [value, low, high] = spread;
  return el("td", cell, el("strong", {}, exact(value, metricText(value))),
    low === null || high === null ? null : el("small", {}, ` ${spanText(low, high)}`),
    how ? el("small", { class: "how" }, how) : null);
}

/**
 * Values with their intervals on one line: a hollow dot on these data, a full one on new data.
 * @param {{here: number | null, expected: Spread | null}} values
 * @param {[number, number]} range
 */
export function dots({ here, expected }, [low, high]) {
  /** @param {number} value */
  const x = (value) => 4 + 92 * (value - low) / (high - low || 1);
  const picture = svg("svg", { viewBox: "0 0 100 20", preserveAspectRatio: "none", class: "dots",
    "aria-hidden": "true", focusable: "false" });
  picture.append(svg("line", { x1: 0, x2: 100, y1: 10, y2: 10, class: "dots-axis" }));
  if (expected && expected[1] !== null && expected[2] !== null) {
    picture.append(svg("line", { x1: x(expected[1]), x2: x(expected[2]), y1: 10, y2: 10, class: "dots-interval" }));
  }
  /** @type {[number | null | undefined, string][]} */
  const marks = [[here, "dots-here"], [expected?.[0], "dots-expected"]];
  for (const [value, look] of marks) {
    // A line of no length with round ends stays a circle, however the picture is stretched.
    if (value !== null && value !== undefined && !Number.isNaN(value)) {
      picture.append(svg("line", { x1: x(value), x2: x(value), y1: 10, y2: 10, class: look }));
      if (look === "dots-here") {
        picture.append(svg("line", { x1: x(value), x2: x(value), y1: 10, y2: 10, class: "dots-hole" }));
      }
    }
  }
  return picture;
}

/** @param {(number | null | undefined)[]} values @returns {[number, number]} */
export function rangeOf(values) {
  const numbers = values.filter((value) => typeof value === "number").filter((value) => !Number.isNaN(value));
  return numbers.length ? [Math.min(...numbers), Math.max(...numbers)] : [0, 1];
}

export function showFirstRows() {
  const rows = content.first, here = "on these data", onNew = "expected on new data";
  byId("first-rows").replaceChildren(...rows.map((row) => el("tr", { class: `first-${row.name}`, role: "row" },
    el("th", { scope: "row", role: "rowheader" }, rowName(row)),
    spreadCell(row.here, here),
    spreadCell(row.expected, onNew, row.how),
    el("td", { class: "dots-cell", role: "cell" }))),
  el("tr", { id: "first-edited", hidden: true, role: "row" },
    el("th", { scope: "row", role: "rowheader" }, "as edited here"),
    el("td", { class: "number", id: "edited-value", role: "cell", "data-title": here }),
    el("td", { class: "number", role: "cell", "data-title": onNew }, el("span", { class: "muted" }, "measure it")),
    el("td", { class: "dots-cell", role: "cell" })));
  const cells = [...byId("first-rows").querySelectorAll(".dots-cell")];
  const refresh = () => {
    const value = edits.totals[content.objective.average], edited = edits.changed.size > 0;
    const shownRows = [...rows.map(({ here: spread, expected }) => ({ here: spread[0], expected })),
      ...(edited ? [{ here: value, expected: null }] : [])];
    const range = rangeOf(shownRows.flatMap((row) => [row.here, ...(row.expected ?? [])]));
    shownRows.forEach((row, place) => cells[place].replaceChildren(dots(row, range)));
    byId("first-edited").hidden = !edited;
    byId("edited-value").replaceChildren(el("strong", {}, exact(value, metricText(value))));
  };
  refresh();
  edits.listeners.push(refresh);
}

/** What the data and the thresholds are. */
export function showFacts() {
  const facts = [counted(nLabels, "label"), counted(content.data.n_items, "item"), `method ${content.file.original.method}`,
    ["fixed", "given"].includes(content.verdict.origin) ? "" : `tuned ${String(content.file.original.created).slice(0, 10)}`,
    content.data.weighted ? "weighted items" : "", content.data.unknown ? "some labels unknown" : "",
    content.data.probabilities ? "" : "scores are not probabilities: 0.5 is a number like any other"];
  byId("facts").textContent = facts.filter(Boolean).join(" · ");
}

/** The states, which no label is in two of, and the bar of weak, which the reader sets. */
export function showTiles() {
  const rules = STATES.map(({ key }) => el("span", { class: "tile-what", id: `rule-${key}` }));
  byId("tiles").replaceChildren(...STATES.map(({ key, words }, place) => el("button", {
    type: "button", class: `tile tile-${key}`, onclick: () => {
      filterBy(key);
      byId("labels").scrollIntoView();
      byId("table-count").focus({ preventScroll: true });
    } }, el("span", { class: "tile-count", id: `tile-${key}` }), el("span", { class: "tile-name" }, words), rules[place])));
  const bar = inputById("weak-bar");
  const refresh = () => {
    STATES.forEach(({ key }, place) => {
      byId(`tile-${key}`).textContent = whole(states.tally[key]);
      rules[place].textContent = ruleOf(key);
    });
    if (document.activeElement !== bar) bar.value = String(Number((100 * states.bar).toFixed(1)));
  };
  bar.addEventListener("input", () => {
    const wanted = Number(bar.value) / 100;
    if (bar.value !== "" && wanted >= 0 && wanted <= 1) setBar(wanted);
  });
  refresh();
  edits.listeners.push(refresh);
  states.listeners.push(refresh);
}

/** The bar that stays in view: the averages now, and what can be done. */
export function showBar() {
  byId("averages").replaceChildren(...AVERAGES.map((average) => el("div", {
    class: average === content.objective.average ? "average main" : "average" },
  el("dt", {}, objectiveName(average)), el("dd", { id: `now-${average}` }))),
  el("div", { class: "average" }, el("dt", {}, "tags an item"), el("dd", { id: "now-tags" })));
  const refresh = () => {
    for (const average of AVERAGES) {
      const value = edits.totals[average], change = value - startTotals[average];
      byId(`now-${average}`).replaceChildren(exact(value, metricText(value)),
        el("small", {}, change === 0 || Number.isNaN(change) ? "" : ` ${signed(change, metricText)}`));
    }
    byId("now-tags").replaceChildren(exact(edits.totals.tagsPerItem, edits.totals.tagsPerItem.toFixed(2)));
    const number = edits.changed.size;
    byId("changed-count").textContent = number ? `${whole(number)} changed` : "no change";
    /** @type {HTMLButtonElement} */ (byId("undo")).disabled = edits.made.length === 0;
    /** @type {HTMLButtonElement} */ (byId("redo")).disabled = edits.undone.length === 0;
    /** @type {HTMLButtonElement} */ (byId("reset")).disabled = number === 0;
  };
  refresh();
  edits.listeners.push(refresh);
  byId("undo").addEventListener("click", undo);
  byId("redo").addEventListener("click", redo);
  byId("reset").addEventListener("click", reset);
}
