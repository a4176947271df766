// The verdict: what to expect on new items, why to trust it, what is wrong, and what to do next. It follows edits.

import { goTo } from "./address.js";
import { attention } from "./attention.js";
import { choose } from "./chosen.js";
import { byId, counted, el, exact, nameOf, whole } from "./dom.js";
import { edits, startTotals } from "./edits.js";
import { signed } from "./metric.js";
import { LEVEL, inPercent, metricText, objectiveName, spanText, unit } from "./texts.js";
import { atHalf, content, given, labels, nLabels, unpack } from "./model.js";
import { command, saveThresholds } from "./saving.js";
import { states, troubled, wordsOf } from "./states.js";
import { filterBy } from "./table.js";
/** @import { Spread } from "./model.js" */

const { origin, expected, gain, why } = content.verdict;
const average = content.objective.average, name = objectiveName(average);
const items = counted(content.data.n_items, "item");
const tuned = content.first[2].tuned ?? { value: null, n_items: 0, reweighted: false };
const NAMED = 3;
/** Every label at 0.5: there is nothing to gain over it. */
const isHalf = given.every((i, k) => i === atHalf[k]);

/** An interval moved by what the edits change. @param {Spread} spread @param {number} by @param {(value: number) => string} text
 * @param {string} [more] */
function spanOf([, low, high], by, text, more = "") {
  return low === null || high === null ? "" : ` (${LEVEL} ${spanText(Math.min(low + by, 1), Math.min(high + by, 1), text)}${more})`;
}

/** @param {number} value */
const signedText = (value) => signed(value, metricText);

/** What is gained over 0.5. @param {Spread} over @param {number} by */
function gainParts(over, by) {
  const value = over[0] + by, [low, high] = [over[1], over[2]].map((end) => (end === null ? null : end + by));
  const unclear = low !== null && high !== null && low <= 0 && high >= 0;
  return [", ", el("strong", { id: "verdict-gain" }, exact(value, `${signedText(value)}${inPercent ? " points" : ""}`)),
    ` ${inPercent && value >= 0 ? "over" : "against"} 0.5${spanOf(over, by, signedText)}${unclear ? ", which is no clear difference" : ""}`];
}

/** What is to be expected. */
function verdictParts() {
  const by = edits.totals[average] - startTotals[average], edited = edits.changed.size > 0;
  /** The value and what it is of. @param {number} value */
  const valued = (value) => {
    const text = `${metricText(value)}${Number.isNaN(value) ? "" : unit}`;
    const strong = el("strong", { id: "verdict-value" }, exact(value, text));
    return inPercent ? [strong, ` ${name}`] : [`a ${name} of `, strong, " a decision"];
  };
  const half = isHalf && !edited;
  if (expected === null) {
    const fitted = content.verdict.fitted_gain + by;
    return [`On these ${items}${edited ? ", as edited" : ""}: `, ...valued(edits.totals[average]), inPercent ? "" : " (lower is better)",
      ...(half || Number.isNaN(by) ? [half ? ": 0.5 for all labels" : ""] : gainParts([fitted, null, null], 0)), "."];
  }
  return [edited ? "As edited, new items: expect " : "New items: expect ", ...valued(expected[0] + by),
    Number.isNaN(by) ? "" : spanOf(expected, by, metricText, inPercent ? "" : "; lower is better"),
    ...(half ? [": 0.5 for all labels"] : gain === null || Number.isNaN(by) ? [] : gainParts(gain, by)), "."];
}

/** What the figures come from. @returns {string} */
function trustText() {
  /** @type {Record<typeof origin, () => string>} */
  const texts = {
    measured: () => `Measured on ${items} other than the ${whole(tuned.n_items)} tuned on${tuned.value === null ? ""
      : `, which ${tuned.reweighted ? "reweighted to the target shares " : ""}gave ${metricText(tuned.value)}${unit}`}. ` +
      "True of new items if no item is in both.",
    fixed: () => `Measured on these ${items}: nothing was tuned on them.`,
    given: () => `Measured on these ${items}; if the thresholds were chosen on them, new items give less.`,
    "cross-fitted": () => `Cross-fitted: each of the ${items} decided by thresholds tuned without it.`,
    compared: () => `Held out (${content.verdict.design}): each item decided by thresholds of the method ` +
      `${content.file.original.method} tuned without it.`,
    none: () => `What new items give is not measured: ${why}. It is less than on these.`,
  };
  const scale = content.data.probabilities ? "" : " The scores are not probabilities: 0.5 is a number like any other.";
  return texts[origin]() + scale;
}

/** What the edits did to the figures. @returns {string} */
function editedText() {
  if (edits.changed.size === 0) return "";
  const by = edits.totals[average] - startTotals[average];
  if (Number.isNaN(by)) return " As edited, the page has no formula for this average: measure the saved file.";
  const moved = `${signedText(by)}${inPercent ? " points" : ""}`;
  return expected === null ? ` The edits change it by ${moved} on these items.`
    : ` The edits move the figures as given by ${moved}, by what they change on these ${items}; the intervals are those of ` +
      "the thresholds as given, moved.";
}

/** The labels that need a look, worst first. */
function troubleParts() {
  const number = troubled();
  if (number === 0) return [nLabels === 1 ? "The label needs nothing." : `None of the ${whole(nLabels)} labels needs you.`];
  const some = attention.order.slice(0, Math.min(NAMED, number));
  const links = some.flatMap((k, place) => [place ? ", " : "",
    el("button", { type: "button", class: "link", onclick: () => choose(k, true) }, nameOf(labels[k]))]);
  const more = number > some.length ? [` and ${whole(number - some.length)} more`] : [];
  const kinds = Object.keys(states.tally).filter((key) => key !== "none" && states.tally[key] > 0);
  const parts = kinds.length > 1 ? ` (${kinds.map((key) => `${whole(states.tally[key])} ${wordsOf(key)}`).join(", ")})` : "";
  return [el("strong", { id: "verdict-trouble" }, exact(number, whole(number))),
    ` of ${counted(nLabels, "label")} ${number === 1 ? "needs" : "need"} you${parts}: `, ...links, ...more, "."];
}

/** What can be done. */
function nextParts() {
  const few = attention.order.filter((k) => states.of[k] === "few"), edited = edits.changed.size > 0;
  const near = Math.min(20, unpack(content.review.item).length);
  const named = few.length > NAMED ? counted(few.length, "label") : few.map((k) => labels[k]).join(", ");
  const line = edited ? content.commands.saved : content.commands.given;
  /** @param {string} text @param {() => void} act */
  const button = (text, act) => el("button", { type: "button", class: "small", onclick: act }, text);
  return [
    edited || content.data.on_tuning_data ? button("Save thresholds.json", saveThresholds) : null,
    near > 0 ? button(`Review ${counted(near, "item")}`, () => goTo("items")) : null,
    few.length ? button(`Annotate more of ${named}`, () => { filterBy("few"); goTo("labels"); }) : null,
    line ? el("span", { class: "measure" }, edited ? "Measure the saved file here: " : "Measure these here: ", command(line)) : null,
    origin === "none" || edited ? el("span", { class: "measure" }, "On other items: ", command(content.commands.elsewhere)) : null,
  ].filter((part) => part !== null);
}

export function showVerdict() {
  const refresh = () => {
    byId("verdict").replaceChildren(...verdictParts());
    byId("trust").textContent = trustText() + editedText();
  };
  const refreshNeeds = () => {
    byId("trouble").replaceChildren(...troubleParts());
    byId("next-steps").replaceChildren(...nextParts());
  };
  refresh();
  refreshNeeds();
  edits.listeners.push(refresh);
  attention.listeners.push(refreshNeeds);
}
