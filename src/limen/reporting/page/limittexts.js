// Constraints in words: what is limited, what there is now, and how much room is left.

import { counted, el, MINUS, THIN, whole } from "./dom.js";
import { edits } from "./edits.js";
import { cutText, percent } from "./texts.js";
import {
  breakers, excusedOf, fourAt, kept, limits, measured, nearestLabel, pooledCounts, roomOf, spanFor, valueNumber, wrongOrder,
} from "./limits.js";
import { content, cutAt, labels } from "./model.js";
/** @import { Kept } from "./limits.js" */
/** @import { Limit } from "./model.js" */

/** A value of what is limited. @param {Limit} spec @param {number} value */
export function limitValue(spec, value) {
  if (spec.percent) return `${percent(value)}${THIN}%`;
  return `${String(Number(value.toPrecision(6))).replace("-", MINUS)}${spec.suffix ?? ""}`;
}

/** A limit in signs: "precision ≥ 90.0 %". @param {Kept} limit @param {number} v  Number of its value. */
export function limitSign({ spec }, v) {
  return `${spec.noun} ${spec.at_least ? "≥" : "≤"} ${limitValue(spec, spec.values?.[v] ?? NaN)}`;
}

/** A difference to a limit. @param {Limit} spec @param {number} value */
const sizeOfRoom = (spec, value) => (spec.percent ? `${percent(Math.abs(value))} points` : limitValue(spec, Math.abs(value)));

/** How a constraint on counts stands: "kept", "tight", "broken". @typedef {"kept" | "tight" | "broken"} Standing */

/** What counts say of a limit: what there is now, and the room. @param {Kept} limit @param {number} v @param {[number, number, number, number]} counts
 * @returns {{standing: Standing, text: string}} */
export function countText(limit, v, counts) {
  const { spec } = limit, { value, slack, room, decisions, tight } = roomOf(limit, v, counts);
  const [noun, way] = spec.decision ?? ["tag", "more"];
  if (Number.isNaN(value)) return { standing: "kept", text: "kept, for there is nothing to measure" };
  const now = limitValue(spec, value);
  if (slack < 0) return { standing: "broken", text: `now ${now}, ${sizeOfRoom(spec, room)} too ${spec.at_least ? "low" : "high"}` };
  if (tight) return { standing: "tight", text: `${now}, at its limit: one ${noun} ${way} breaks it` };
  const places = content.data.weighted || !Number.isFinite(decisions) ? "" : ` (${counted(decisions, noun)} ${way})`;
  return { standing: "kept", text: `${now}, room of ${sizeOfRoom(spec, room)}${places}` };
}

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
    return { standing: "kept", sign: spec.kind === "range" ? `threshold ${spanOfCuts(spec)}` : limitSign(limit, valueNumber(limit, k)),
      text: "excused: never given, for it cannot keep all its constraints" };
  }
  if (spec.kind === "counts" || spec.kind === "pooled") {
    const v = valueNumber(limit, k), pooled = spec.kind === "pooled";
    return { sign: `${limitSign(limit, v)}${pooled ? " over all labels" : ""}`,
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
    if (spec.kind === "pooled") {
      const value = measured(limit, pooledCounts()) * (spec.scale ?? 1);
      return { ...entry, holds: limit.holds, measured: Number.isNaN(value) ? null : value,
        said: Number.isNaN(value) ? "" : limitValue(spec, value).replace(THIN, " ") };
    }
    if (spec.kind !== "counts") return { ...entry, holds: limit.holds };
    const k = nearestLabel(limit);
    return { ...entry, holds: limit.holds, broken_by: breakers(limit).map((one) => labels[one]),
      nearest: k < 0 ? null : [labels[k], measured(limit, fourAt(k, edits.at[k])) * (spec.scale ?? 1)] };
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
