// Lists: methods side by side, errors in common, and what changed.

import { countsAt, metric, precision, recall, spec, valueAt } from "./averages.js";
import { choose } from "./chosen.js";
import { THIN, byId, el, exact, nameOf, whole } from "./dom.js";
import { changedLabels, commit, edits, putBack } from "./edits.js";
import { percent, signed } from "./metric.js";
import { cutText, inPercent, metricText, objectiveName } from "./texts.js";
import { content, cutAt, given, labels, nLabels, unpack } from "./model.js";
import { dots, rangeOf, spreadCell } from "./overview.js";
/** @import { Pairs } from "./model.js" */

/** A button that shows a label. @param {number} k */
export const toLabel = (k) => el("button", { type: "button", class: "link", onclick: () => choose(k, true) }, nameOf(labels[k]));

/**
 * @param {HTMLElement} body
 * @param {(Node | string)[][]} rows  The first cell heads its row.
 * @param {number} [numbers]  The first column of numbers.
 */
export function fillTable(body, rows, numbers = Infinity) {
  body.replaceChildren(...rows.map((cells) => el("tr", {}, ...cells.map((cell, column) => (column === 0
    ? el("th", { scope: "row" }, cell) : el("td", { class: column >= numbers ? "number" : null }, cell))))));
}

export function showMethods() {
  const { rows, design, why_not: whyNot } = content.comparison;
  byId("methods-none").hidden = rows.length > 0;
  byId("methods-none").textContent = whyNot;
  byId("methods-some").hidden = rows.length === 0;
  if (!rows.length) return;
  byId("methods-kept").hidden = content.limits.all.length === 0;
  byId("methods-design").textContent = `${objectiveName(content.objective.average)}${inPercent ? " in %" : ""}, ${design}.`;
  const range = rangeOf(rows.flatMap((row) => [...row.held_out, row.fitted]));
  byId("methods-rows").replaceChildren(...rows.map((row, place) => el("tr",
    { class: row.method === content.file.original.method ? "own" : "" },
    el("th", { scope: "row" }, row.method, row.method === content.file.original.method
      ? el("span", { class: "badge" }, "this report") : null),
    spreadCell(row.held_out, "held out"),
    el("td", { class: "dots-cell" }, /** @type {any} */ (dots({ here: row.fitted, expected: row.held_out }, range))),
    el("td", { class: "number" }, exact(row.fitted, metricText(row.fitted))),
    el("td", { class: "number" }, place === 0 ? "the best" : `${signed(row.difference[1] ?? 0, metricText)} to ` +
      signed(row.difference[2] ?? 0, metricText)),
    ...(content.limits.all.length ? [el("td", { class: "number" }, row.kept === null ? "" : `${percent(row.kept)}${THIN}%`)] : []),
    el("td", { class: "number" }, row.rank.toFixed(1)),
    el("td", { class: "number" }, row.seconds >= 1 ? `${row.seconds.toFixed(1)} s` : `${Math.round(1000 * row.seconds)} ms`))));
}

/** @param {string} id @param {Pairs} pairs */
function showPairs(id, pairs) {
  const [a, b, items, chance] = [pairs.a, pairs.b, pairs.items, pairs.chance].map(unpack);
  byId(`${id}-none`).hidden = a.length > 0;
  byId(`${id}-some`).hidden = a.length === 0;
  fillTable(byId(`${id}-rows`), [...a].map((_, j) => [toLabel(a[j]), toLabel(b[j]), whole(items[j]),
    chance[j] < 0.05 ? "< 0.1" : chance[j].toFixed(1)]), 2);
}

export function showErrors() {
  showPairs("confused", content.errors.confused);
  showPairs("missed", content.errors.missed);
  if (content.errors.n_paired < nLabels) {
    byId("errors-note").textContent = `Counted among the ${whole(content.errors.n_paired)} labels with the most errors.`;
  }
}

const MOST_CHANGED = 200;

/** @param {number} before @param {number} now @param {(value: number) => string} text */
const fromTo = (before, now, text) => el("span", {}, el("span", { class: "muted" }, `${text(before)} → `), text(now));

function refreshChanges() {
  const changed = changedLabels();
  byId("changes-none").hidden = changed.length > 0;
  byId("changes-some").hidden = changed.length === 0;
  const moved = (/** @type {number} */ k) => Math.abs(countsAt(k, edits.at[k]).pp - countsAt(k, given[k]).pp);
  const shownFirst = changed.sort((a, b) => moved(b) - moved(a)).slice(0, MOST_CHANGED);
  byId("changes-more").textContent = changed.length > MOST_CHANGED
    ? `And ${whole(changed.length - MOST_CHANGED)} more; the saved file names them all.` : "";
  fillTable(byId("changes-rows"), shownFirst.map((k) => {
    const [from, to] = [given[k], edits.at[k]];
    return [toLabel(k), fromTo(cutAt(k, from), cutAt(k, to), cutText),
      fromTo(valueAt(precision, k, from), valueAt(precision, k, to), percent),
      fromTo(valueAt(recall, k, from), valueAt(recall, k, to), percent),
      fromTo(valueAt(metric, k, from), valueAt(metric, k, to), metricText),
      fromTo(countsAt(k, from).pp, countsAt(k, to).pp, whole),
      el("button", { type: "button", class: "small", "aria-label": `put ${labels[k]} back`, onclick: () => {
        putBack(k);
        commit();
      } }, "put back")];
  }));
}

export function startChanges() {
  byId("changes-metric").textContent = spec.title;
  edits.listeners.push(({ done }) => { if (done) refreshChanges(); });
  refreshChanges();
}
