// Constraints in words: what is limited, what there is now, and how much room is left.

import { limitSign, outcomeFor, roomText } from "./bounds.js";
import { counted, el, whole } from "./dom.js";
import { edits } from "./edits.js";
import { cutText } from "./texts.js";
import {
  breakers, excusedOf, fourAt, kept, limits, meanWeight, nearestLabel, pooledCounts, spanFor, valueNumber, wrongOrder,
} from "./limits.js";
import { content, cutAt, labels } from "./model.js";
/** @import { Kept } from "./limits.js" */
/** @import { Four, Limit, Standing } from "./bounds.js" */

/** What counts say of a limit: what there is now, and the room. @param {Kept} limit @param {number} v @param {Four} counts */
const countText = ({ spec }, v, counts) => roomText(spec, v, counts, meanWeight);

/** Names of labels, the first few. @param {number[]} some */
export const namesOf = (some, most = 3) => some.slice(0, most).map((k) => labels[k]).join(", ") +
  (some.length > most ? ` and ${whole(some.length - most)} more` : "");

/** A range of thresholds in words. @param {Limit} spec */
export const spanOfCuts = ({ low, high }) => [low == null ? "" : `from ${cutText(low)}`, high == null ? "" : `to ${cutText(high)}`]
  .filter(Boolean).join(" ");

/** A label's constraint in words, with what there is now. @param {Kept} limit @param {number} k
 * @returns {{standing: Standing, sign: string, text: string}} */
export function labelText(limit, k) {
  const { spec } = limit, i = edits.at[k], now = cutText(cutAt(k, i));
  if (excusedOf(limit).includes(k)) {
    return { standing: "kept", sign: spec.kind === "range" ? `threshold ${spanOfCuts(spec)}` : limitSign(spec, valueNumber(limit, k)),
      text: "excused: never given, for it cannot keep all its constraints" };
  }
  if (spec.kind === "counts" || spec.kind === "pooled") {
    const v = valueNumber(limit, k), pooled = spec.kind === "pooled";
    return { sign: `${limitSign(spec, v)}${pooled ? " over all labels" : ""}`,
      ...countText(limit, v, pooled ? pooledCounts() : fourAt(k, i)) };
  }
  const broken = limit.broken[k] > 0, standing = broken ? "broken" : "kept";
  if (spec.kind === "range") {
    return { standing, sign: `threshold ${spanOfCuts(spec)}`, text: broken ? `now ${now}` : "kept" };
  }
  if (spec.kind === "same") {
    const others = (spec.of ?? []).filter((other) => other !== k);
    return { standing, sign: `one threshold with ${namesOf(others)}`, text: broken ? "theirs differ" : "they move together" };
  }
  const { low, high } = spanFor(k), { above, below } = wrongOrder(k);
  const wrong = [above.length ? `below that of ${namesOf(above)}` : "", below.length ? `above that of ${namesOf(below)}` : ""];
  const span = [low > -Infinity ? `from ${cutText(low)}` : "", high < Infinity ? `to ${cutText(high)}` : ""].filter(Boolean);
  return { standing, sign: "threshold between those of its parents and children",
    text: broken ? `now ${now}, ${wrong.filter(Boolean).join(" and ")}` : span.length ? `kept ${span.join(" ")}` : "kept" };
}

/** How a constraint stands over all labels. @param {Kept} limit @returns {{standing: Standing, text: string, of: number[]}} */
export function limitText(limit) {
  const { spec, number, holds } = limit;
  if (spec.kind === "pooled") return { ...countText(limit, 0, pooledCounts()), of: [] };
  if (!holds) return { standing: "broken", text: `broken by ${counted(number, "label")}`, of: breakers(limit) };
  const spared = excusedOf(limit), excuse = spared.length ? `; ${counted(spared.length, "label")} excused, never given` : "";
  if (spec.kind !== "counts") return { standing: "kept", text: `kept${excuse}`, of: [] };
  const k = nearestLabel(limit);
  if (k < 0) return { standing: "kept", text: `kept, for there is nothing to measure${excuse}`, of: [] };
  const { standing, text } = countText(limit, valueNumber(limit, k), fourAt(k, edits.at[k]));
  return { standing, text: `kept${excuse}; nearest to its limit: ${text}`, of: [k] };
}

/** What an edited file says of each constraint, as limen.evaluate does. */
export function outcomesToSave() {
  return content.file.edited.constraints.map((/** @type {Record<string, any>} */ entry, /** @type {number} */ place) => {
    const limit = limits[place], { spec } = limit;
    if (spec.kind !== "counts" && spec.kind !== "pooled") return { ...entry, holds: limit.holds };
    return { ...entry, ...outcomeFor(limit, limit.holds, { pooled: pooledCounts(), countsOf: (k) => fourAt(k, edits.at[k]),
      names: labels, broken: breakers(limit), nearest: nearestLabel(limit) }) };
  });
}

/** The constraints that a label breaks, for its badge. @param {number} k */
export function badgeOf(k) {
  if (kept.breaks[k] === 0) return null;
  const broken = limits.filter((limit) => limit.broken[k] > 0), first = broken[0];
  const text = first.spec.kind === "counts" ? `${first.spec.noun} too ${first.spec.at_least ? "low" : "high"}`
    : { range: "out of its range", same: "threshold apart", order: "out of order" }[/** @type {string} */ (first.spec.kind)];
  return el("span", { class: "badge badge-breaks", title: broken.map((limit) => {
    const { sign, text: how } = labelText(limit, k);
    return `${sign}: ${how}`;
  }).join("; ") }, broken.length > 1 ? `breaks ${whole(broken.length)} constraints` : String(text));
}
