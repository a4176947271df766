// Files that leave the page: the edited thresholds, and the table.

import { countsAt, f1, metric, metricIsF1, precision, recall, spec, valueAt } from "./averages.js";
import { promiseFor } from "./bounds.js";
import { byId, counted, download, el } from "./dom.js";
import { asCsv } from "./csv.js";
import { changedLabels, edits } from "./edits.js";
import { facing, objectiveName } from "./texts.js";
import { promisedStill } from "./limitpanel.js";
import { kept, limits } from "./limits.js";
import { outcomesToSave } from "./limittexts.js";
import { content, cutAt, gains, given, known, labels, nLabels, positives, ranges } from "./model.js";
import { againstHalf, states, wordsOf } from "./states.js";
import { table, tagsOf } from "./table.js";

/** A threshold as the file has it. @param {number} cut */
const inFile = (cut) => (cut === Infinity ? null : cut);

/** What a label gains over 0.5, as the file has it: as given, or of the counts that an edited file has.
 * @param {number} k @param {boolean} edited */
function gainOf(k, edited) {
  const { value, low, high } = againstHalf(k, edits.at[k]);
  const gain = edited ? [value, low, high] : gains ? [gains[k], gains[nLabels + k], gains[2 * nLabels + k]] : [NaN];
  return gain.every(Number.isFinite) ? gain : null;
}

/** What edits leave of the promise: of labels whose thresholds are as given, if it was made for all at once. */
function promiseLeft() {
  const still = promisedStill();
  return still && promiseFor(content.file.original.promise, still);
}

/** Labels whose promise the edits end. */
function promiseDropped() {
  const still = new Set(promisedStill() ?? []);
  return (content.promise?.labels ?? []).map((k) => labels[k]).filter((name) => !still.has(name));
}

/** Details of an edited file: a label is excused of constraints only while it is never given. */
function detailsLeft() {
  const { never_by_constraint: excused, ...details } = content.file.edited.details;
  const still = content.limits.excused.filter((k) => cutAt(k, edits.at[k]) === Infinity).map((k) => labels[k]);
  return excused && still.length ? { ...details, never_by_constraint: still } : details;
}

/** The thresholds as a file that limen reads: as given if nothing changed, else marked as edited by hand. */
function thresholdsFile() {
  const changed = changedLabels();
  const { original, edited } = content.file;
  /** @type {Record<string, any>} */
  let file = { ...original };
  if (changed.length) {
    const method = String(original.method), mark = ", edited by hand";
    file = {
      ...edited,
      method: method.endsWith(mark) ? method : method + mark,
      value: edits.totals[content.objective.average],
      reason: limits.length ? `edited by hand; ${kept.broken ? `${kept.broken} of ` : "all "}${counted(limits.length, "constraint")} ` +
        `${kept.broken ? "broken" : "kept"} on the data of the report` : "edited by hand",
      constraints: outcomesToSave(),
      promise: promiseLeft(),
      created: new Date().toISOString().slice(0, 19) + "+00:00",
      details: { ...detailsLeft(), edited: {
        thresholds: changed.map((k) => ({ label: labels[k], from: inFile(cutAt(k, given[k])),
          to: inFile(cutAt(k, edits.at[k])) })),
        counts_of: content.data.on_tuning_data ? "the data tuned on" : "the data of the report",
        report: content.title, n_items: content.data.n_items, data_digest: edited.data_digest,
        tuning_data: content.data.on_same_items, promise_dropped: promiseDropped(),
        before: { method, status: original.status, value: original.value, created: original.created,
          data_digest: original.data_digest, edited: original.details.edited ?? null },
      } },
    };
  }
  file.labels = labels.map((name, k) => {
    const { tp, pp } = countsAt(k, edits.at[k]);
    // Ranges belong to the thresholds as tuned, and the file has them for all labels or for none.
    const range = ranges && !changed.length ? [inFile(ranges[k]), inFile(ranges[nLabels + k])] : null;
    return { name, threshold: inFile(cutAt(k, edits.at[k])), range, tp, pp, p: positives[k], n: known[k],
      gain: gainOf(k, changed.length > 0) };
  });
  return file;
}

/** A command, and a button that copies it. @param {string} text */
export function command(text) {
  const code = el("code", {}, text), said = el("span", { role: "status" });
  return el("span", { class: "command" }, code, el("button", { type: "button", class: "small", onclick: async () => {
    try {
      await navigator.clipboard.writeText(text);
      said.textContent = "copied";
    } catch {
      // Where a page may not write the clipboard, a person can: the text is marked.
      getSelection()?.selectAllChildren(code);
      said.textContent = "marked: copy it with Ctrl+C";
    }
  } }, "Copy"), said);
}

export function saveThresholds() {
  if (edits.changed.size === 0 && !content.data.on_tuning_data) {
    byId("saved").textContent = "Nothing changed: the thresholds file that you gave still holds.";
    return;
  }
  if (edits.changed.size && Number.isNaN(edits.totals[content.objective.average])) {
    byId("saved").textContent = `Not saved: the page has no formula for the ${objectiveName(content.objective.average)} ` +
      "of edited thresholds. Save the table as CSV, and measure its thresholds with limen.evaluate.";
    return;
  }
  download("thresholds.json", JSON.stringify(thresholdsFile(), null, 2) + "\n", "application/json");
  byId("saved").replaceChildren(edits.changed.size ? "Saved thresholds.json, marked as edited by hand. "
    : "Saved thresholds.json as tuned. ", "Measure it here: ", command(content.commands.saved));
}

/** The labels shown, in the order shown, with all digits. */
function tableAsCsv() {
  const heads = ["label", "threshold", "threshold_low", "threshold_high", "support", "known", "tp", "fp", "fn",
    "precision", "recall", "f1", ...(metricIsF1 ? [] : [spec.name]), "state", "change_against_half", "change_low",
    "change_high", "tags_per_1000", "edited"];
  const rows = table.order.map((k) => {
    const i = edits.at[k], { tp, pp } = countsAt(k, i), { value, low, high } = againstHalf(k, i);
    /** @param {number} value */
    const number = (value) => (value === Infinity ? "never" : value);
    const range = ranges && cutAt(k, i) === cutAt(k, given[k]) ? [ranges[k], ranges[nLabels + k]].map(number) : ["", ""];
    const ends = [low, high].map(facing).sort((a, b) => a - b).map((end) => (Number.isFinite(end) ? end : ""));
    return [labels[k], number(cutAt(k, i)), ...range,
      positives[k], known[k], tp, pp - tp, positives[k] - tp, valueAt(precision, k, i), valueAt(recall, k, i),
      valueAt(f1, k, i), ...(metricIsF1 ? [] : [facing(valueAt(metric, k, i))]), wordsOf(states.of[k]), facing(value),
      ...ends, tagsOf(k), Number(i !== given[k])];
  });
  return asCsv([heads, ...rows]);
}

export function startSaving() {
  byId("save").addEventListener("click", saveThresholds);
  byId("save-table").addEventListener("click", () => download("thresholds-table.csv", tableAsCsv(), "text/csv"));
  edits.listeners.push(() => { byId("saved").textContent = ""; });
}
