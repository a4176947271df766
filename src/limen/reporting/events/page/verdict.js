// What these settings give, on which recordings, and what is known of others.

import { asGiven, changed, now } from "./counting.js";
import { THIN, byId, counted, el, whole } from "../../page/dom.js";
import { content, nRecordings } from "./model.js";
import { facing, inPercent, metricText, objectiveOf, unit } from "./objective.js";
import { metricValue } from "./parts.js";
import { signed } from "../../page/metric.js";

const { tuned, objective } = content, noun = objective.noun;
const HERE = nRecordings === 1 ? "this recording" : `these ${whole(nRecordings)} recordings`;

/** Ends of an interval, the lower one as it is shown first. @param {number} low @param {number} high */
const span = (low, high) => (inPercent ? `${metricText(low)} to ${metricText(high)}${unit}` : `${metricText(high)} to ${metricText(low)}`);

/** What the figures come from, and what new recordings give. @returns {string} */
function trustText() {
  const edited = changed().length > 0, many = counted(tuned.n_recordings, "recording");
  const judgedBy = `By ${content.criterion_words}${tuned.same_criterion ? "" : `; tuned for ${tuned.criterion}`}. `;
  if (edited) return `${judgedBy}What the settings as edited give on new recordings is not measured: try the saved file on recordings of their own.`;
  if (!tuned.here) {
    const before = tuned.same_criterion ? `, which gave ${metricText(tuned.value)}${unit}` : "";
    return `${judgedBy}Measured on other recordings than the ${whole(tuned.n_recordings)} that the file is of${before}. True of new ` +
      "recordings if none is in both.";
  }
  const proof = tuned.same_criterion && tuned.status === "optimal" ? ", proven the best for them" : "";
  const fitted = tuned.edited ? `${HERE === "this recording" ? "It is" : "They are"} what the settings were edited on`
    : `Tuned on ${nRecordings === 1 ? "it" : "them"} (method ${tuned.method}${proof})`;
  if (tuned.expected && tuned.same_criterion) {
    const [value, low, high] = tuned.expected;
    return `${judgedBy}${fitted}. New recordings: expect ${metricText(value)}${unit} (95${THIN}%: ${span(low, high)}), measured on ` +
      `those of the ${many} that were left out while tuning.`;
  }
  return `${judgedBy}${fitted}: new recordings give less; how much is not known${tuned.why_not ? `, for ${tuned.why_not}` : ""}.`;
}

function showVerdict() {
  const value = objectiveOf(now.outcomes), step = value - objectiveOf(asGiven), edited = changed().length > 0;
  byId("verdict").replaceChildren(`On ${HERE}${edited ? ", as edited" : ""}: `, el("strong", { id: "verdict-value" }, metricValue(value)), ` ${noun}`,
    edited && !Number.isNaN(step) ? `, ${signed(facing(step), (d) => (inPercent ? metricText(d) : d.toFixed(4)))}${inPercent ? " points" : ""} by the edits` : "",
    inPercent ? "." : " (lower is better).");
  byId("trust").textContent = trustText();
}

export function startVerdict() {
  now.listeners.push(showVerdict);
  showVerdict();
}
