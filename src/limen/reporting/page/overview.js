// The first screen: the metric at 0.5, at the shared cut and tuned, and how many labels need a look.

import { AVERAGES, spec } from "./averages.js";
import { changedLabels, edits, redo, reset, startTotals, undo, warningsOf } from "./edits.js";
import {
  byId, counted, cutText, el, exact, metricText, objectiveName, signed, svg, unit, wayOf, whole,
} from "./elements.js";
import { content, nLabels } from "./model.js";
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
    low === null || high === null ? null : el("small", {}, ` ${metricText(low)} to ${metricText(high)}`),
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
    const value = edits.totals[content.objective.average], edited = changedLabels().length > 0;
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

export function showLead() {
  const row = content.first[2], tuned = row.tuned;
  const name = objectiveName(content.objective.average);
  const items = counted(content.data.n_items, "item");
  const weighed = String(content.file.original.value_measured_on).includes("reweighted")
    ? ", reweighted to the target shares," : "";
  const lead = [el("strong", {}, `${metricText(row.here[0])}${unit}`),
    ` ${name} on the ${items} ${content.data.on_same_items ? "tuned on" : "of this report"}. `];
  if (!content.data.on_same_items) {
    lead.push("These are other data than those tuned on. If they share no item, this is what new items give");
    if (row.here[1] !== null) lead.push(` (95 % ${metricText(row.here[1])} to ${metricText(row.here[2] ?? 0)})`);
    lead.push(tuned && row.of_tuned_objective
      ? `; on the ${counted(tuned.n_items, "item")} tuned on${weighed} it was ${metricText(tuned.value)}.` : ".");
  } else if (content.data.other_frequencies) {
    lead.push("The thresholds were tuned for other label frequencies than those of these items, which count here.");
    if (weighed && tuned && row.of_tuned_objective) lead.push(` Tuned${weighed}, they gave ${metricText(tuned.value)}.`);
  } else if (row.expected) {
    const [value, low, high] = row.expected;
    lead.push("The mean over new data is expected to be ", el("strong", {}, `${metricText(value)}${unit}`),
      low === null || high === null ? "." : ` (95 % ${metricText(low)} to ${metricText(high)}).`);
  } else lead.push(`New items will give less; by how much is ${row.how.includes(":") ? row.how : "not measured here"}.`);
  byId("lead").replaceChildren(...lead);
  const facts = [counted(nLabels, "label"), items, `method ${content.file.original.method}`,
    `tuned ${String(content.file.original.created).slice(0, 10)}`,
    content.data.weighted ? "weighted items" : "", content.data.unknown ? "some labels unknown" : "",
    content.data.probabilities ? "" : "scores are not probabilities: 0.5 is a number like any other"];
  byId("facts").textContent = facts.filter(Boolean).join(" · ");
}

/** @type {[string, string, string][]} */
const TILES = [
  ["fine", "fine", "nothing to say"],
  ["few", "poorly known", `fewer than ${content.few} positives`],
  ["never", "never given", "no score is high enough"],
  ["worse", "worse than at 0.5", `${spec.title} of the label, on these data`],
];

export function showTiles() {
  byId("tiles").replaceChildren(...TILES.map(([kind, name, what]) => el("button", {
    type: "button", class: `tile tile-${kind}`, onclick: () => {
      filterBy(kind);
      byId("labels").scrollIntoView();
      byId("table-count").focus({ preventScroll: true });
    } }, el("span", { class: "tile-count", id: `tile-${kind}` }), el("span", { class: "tile-name" }, name),
  el("span", { class: "tile-what" }, what))));
  const refresh = () => {
    const tally = { fine: 0, few: 0, never: 0, worse: 0 };
    for (let k = 0; k < nLabels; k++) {
      const flags = warningsOf(k);
      for (const kind of /** @type {("few" | "never" | "worse")[]} */ (["few", "never", "worse"])) {
        if (flags[kind]) tally[kind]++;
      }
      if (!flags.few && !flags.never && !flags.worse) tally.fine++;
    }
    for (const [kind, number] of Object.entries(tally)) byId(`tile-${kind}`).textContent = whole(number);
  };
  refresh();
  edits.listeners.push(refresh);
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
        el("small", { class: wayOf(change) }, change === 0 || Number.isNaN(change) ? "" : ` ${signed(change, metricText)}`));
    }
    byId("now-tags").replaceChildren(exact(edits.totals.tagsPerItem, edits.totals.tagsPerItem.toFixed(2)));
    const number = changedLabels().length;
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
