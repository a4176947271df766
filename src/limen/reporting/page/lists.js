// Lists: methods side by side, errors in common, items nearest to the cuts, and what changed.

import { countsAt, metric, precision, recall, spec, valueAt } from "./averages.js";
import { choose, chosen } from "./chosen.js";
import { changedLabels, commit, edits, move } from "./edits.js";
import {
  MINUS, byId, cutText, el, exact, inPercent, metricText, nameOf, objectiveName, percent, signed, whole,
} from "./elements.js";
import { content, cutAt, given, labels, nLabels, unpack } from "./model.js";
import { dots, rangeOf, spreadCell } from "./overview.js";
/** @import { Pairs } from "./model.js" */

/** A button that shows a label. @param {number} k */
const toLabel = (k) => el("button", { type: "button", class: "link", onclick: () => choose(k, true) }, nameOf(labels[k]));

/**
 * @param {HTMLElement} body
 * @param {(Node | string)[][]} rows  The first cell heads its row.
 * @param {number} [numbers]  The first column of numbers.
 */
function fillTable(body, rows, numbers = Infinity) {
  body.replaceChildren(...rows.map((cells) => el("tr", {}, ...cells.map((cell, column) => (column === 0
    ? el("th", { scope: "row" }, cell) : el("td", { class: column >= numbers ? "number" : null }, cell))))));
}

export function showMethods() {
  const { rows, design, why_not: whyNot } = content.comparison;
  byId("methods-none").hidden = rows.length > 0;
  byId("methods-none").textContent = whyNot;
  byId("methods-some").hidden = rows.length === 0;
  if (!rows.length) return;
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

export const nearest = {
  ids: content.nearest.ids,
  item: unpack(content.nearest.item),
  label: unpack(content.nearest.label),
  score: unpack(content.nearest.score),
  truth: unpack(content.nearest.truth),
};
const TRUTHS = ["not known", "no", "yes"];
const MOST_NEAREST = 100;

/** @param {number} value */
const finely = (value) => (Math.abs(value) >= 1e-3 ? String(Number(value.toPrecision(6))).replace("-", MINUS) : cutText(value));

/** @param {number} j @param {boolean} named */
function nearestCells(j, named) {
  const k = nearest.label[j], cut = cutAt(k, given[k]), score = nearest.score[j];
  return [nameOf(nearest.ids[nearest.item[j]]), ...(named ? [toLabel(k)] : []), exact(score, finely(score)),
    finely(cut), score >= cut ? "given" : "not given", TRUTHS[nearest.truth[j]]];
}

export function showNearest() {
  const some = [...nearest.item.keys()].slice(0, MOST_NEAREST);
  byId("nearest-none").hidden = some.length > 0;
  byId("nearest-some").hidden = some.length === 0;
  fillTable(byId("nearest-rows"), some.map((j) => nearestCells(j, true)));
  chosen.listeners.push(showNearestOf);
}

/** Items nearest to the cut of one label. @param {number} k */
function showNearestOf(k) {
  const own = [...nearest.item.keys()].filter((j) => nearest.label[j] === k);
  byId("label-nearest").hidden = own.length === 0;
  fillTable(byId("label-nearest-rows"), own.map((j) => nearestCells(j, false)));
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
        move(k, given[k]);
        commit();
      } }, "put back")];
  }));
}

export function startChanges() {
  byId("changes-metric").textContent = spec.title;
  edits.listeners.push(({ done }) => { if (done) refreshChanges(); });
  refreshChanges();
}
