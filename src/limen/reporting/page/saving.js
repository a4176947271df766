// Files that leave the page: the edited thresholds, and the table.

import { countsAt, f1, metric, metricIsF1, precision, recall, spec, valueAt } from "./averages.js";
import { asCsv, download } from "./downloads.js";
import { changedLabels, edits, warningsOf } from "./edits.js";
import { byId, objectiveName } from "./elements.js";
import { content, cutAt, gains, given, known, labels, nLabels, positives, ranges } from "./model.js";
import { changeOf, table, tagsOf } from "./table.js";

/** A threshold as the file has it. @param {number} cut */
const inFile = (cut) => (cut === Infinity ? null : cut);

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
      created: new Date().toISOString().slice(0, 19) + "+00:00",
      details: { ...edited.details, edited: {
        thresholds: changed.map((k) => ({ label: labels[k], from: inFile(cutAt(k, given[k])),
          to: inFile(cutAt(k, edits.at[k])) })),
        counts_of: content.data.on_tuning_data ? "the data tuned on" : "the data of the report",
        before: { method, status: original.status, value: original.value, created: original.created,
          data_digest: original.data_digest, edited: original.details.edited ?? null },
      } },
    };
  }
  file.labels = labels.map((name, k) => {
    const { tp, pp } = countsAt(k, edits.at[k]);
    // Ranges belong to the thresholds as tuned, and the file has them for all labels or for none.
    const range = ranges && !changed.length ? [inFile(ranges[k]), inFile(ranges[nLabels + k])] : null;
    const gain = gains && !changed.length && !Number.isNaN(gains[k])
      ? [gains[k], gains[nLabels + k], gains[2 * nLabels + k]] : null;
    return { name, threshold: inFile(cutAt(k, edits.at[k])), range, tp, pp, p: positives[k], n: known[k], gain };
  });
  return file;
}

function saveThresholds() {
  if (!changedLabels().length && !content.data.on_tuning_data) {
    byId("saved").textContent = "Nothing changed: the thresholds file that you gave still holds.";
    return;
  }
  if (changedLabels().length && Number.isNaN(edits.totals[content.objective.average])) {
    byId("saved").textContent = `Not saved: the page has no formula for the ${objectiveName(content.objective.average)} ` +
      "of edited thresholds. Save the table as CSV, and measure its thresholds with limen.evaluate.";
    return;
  }
  download("thresholds.json", JSON.stringify(thresholdsFile(), null, 2) + "\n", "application/json");
  edits.saved = true;
  byId("saved").textContent = changedLabels().length ? "Saved thresholds.json, marked as edited by hand."
    : "Saved thresholds.json as tuned.";
}

/** The labels shown, in the order shown, with all digits. */
function tableAsCsv() {
  const heads = ["label", "threshold", "threshold_low", "threshold_high", "support", "known", "tp", "fp", "fn",
    "precision", "recall", "f1", ...(metricIsF1 ? [] : [spec.name]), "change_against_half", "tags_per_1000", "edited",
    "few_positives", "never_given", "worse_than_half"];
  const rows = table.order.map((k) => {
    const i = edits.at[k], { tp, pp } = countsAt(k, i), flags = warningsOf(k);
    /** @param {number} value */
    const number = (value) => (value === Infinity ? "never" : value);
    const range = ranges && cutAt(k, i) === cutAt(k, given[k]) ? [ranges[k], ranges[nLabels + k]].map(number) : ["", ""];
    return [labels[k], number(cutAt(k, i)), ...range,
      positives[k], known[k], tp, pp - tp, positives[k] - tp, valueAt(precision, k, i), valueAt(recall, k, i),
      valueAt(f1, k, i), ...(metricIsF1 ? [] : [valueAt(metric, k, i)]), changeOf(k), tagsOf(k),
      Number(i !== given[k]), Number(flags.few), Number(flags.never), Number(flags.worse)];
  });
  return asCsv([heads, ...rows]);
}

export function startSaving() {
  byId("save").addEventListener("click", saveThresholds);
  byId("save-table").addEventListener("click", () => download("thresholds-table.csv", tableAsCsv(), "text/csv"));
  addEventListener("beforeunload", (event) => {
    if (!edits.saved && changedLabels().length) event.preventDefault();
  });
  edits.listeners.push(() => { byId("saved").textContent = ""; });
}
