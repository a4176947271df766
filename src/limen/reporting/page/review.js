// The review: which items to look at or listen to first.

import { chosen } from "./chosen.js";
import { asCsv, download } from "./downloads.js";
import { MINUS, byId, cutText, exact, nameOf } from "./elements.js";
import { fillTable, toLabel } from "./lists.js";
import { content, cutAt, given, labels, unpack } from "./model.js";

const nearest = {
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

export function startReview() {
  const some = [...nearest.item.keys()].slice(0, MOST_NEAREST);
  byId("nearest-none").hidden = some.length > 0;
  byId("nearest-some").hidden = some.length === 0;
  fillTable(byId("nearest-rows"), some.map((j) => nearestCells(j, true)));
  byId("save-items").addEventListener("click", () => download("nearest-items.csv", itemsAsCsv(), "text/csv"));
  chosen.listeners.push(showNearestOf);
}

/** All items near the cuts of all labels, nearest first. */
function itemsAsCsv() {
  const rows = [...nearest.item.keys()].map((j) => {
    const k = nearest.label[j], cut = cutAt(k, given[k]), score = nearest.score[j];
    return [nearest.ids[nearest.item[j]], labels[k], score, cut, Number(score >= cut), ["", 0, 1][nearest.truth[j]]];
  });
  return asCsv([["item", "label", "score", "threshold", "given", "has_label"], ...rows]);
}

/** Items nearest to the cut of one label. @param {number} k */
function showNearestOf(k) {
  const own = [...nearest.item.keys()].filter((j) => nearest.label[j] === k);
  byId("label-nearest").hidden = own.length === 0;
  fillTable(byId("label-nearest-rows"), own.map((j) => nearestCells(j, false)));
}
